"""The pictures of the galleries: each set with a step of Frank-Wolfe, each method on a quadratic.

All are drawn when the site is built, by the oracles and the methods themselves.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from optzoo import lmo
from optzoo.conformance.optimizers import ROWS
from optzoo.conformance.row import TARGET, Subject, start
from optzoo.plots import COLOURS, inline_svg, oracle_step, style

__all__ = ["METHODS", "SETS", "of_method", "of_set"]

DIRECTIONS = 240
STEPS = 100

_E = np.eye


def _plane(*axes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two orthonormal directions of a space of vectors or matrices."""
    first, second = (np.asarray(axis, dtype=np.float64) for axis in axes)
    first = first / np.linalg.norm(first)
    second = second - np.sum(first * second) * first
    return first, second / np.linalg.norm(second)


_OF_TWO = _plane([1, 0], [0, 1])
_OF_THREE = _plane([1, -1, 0], [1, 1, -2])  # along the plane of the simplex
_TILTED = _plane([1, -0.6, 0.25], [0.35, 0.5, -1])
_SYMMETRIC = _plane([[1, 0], [0, -1]], [[0, 1], [1, 0]])
_ENTRIES = _plane([[1, 0], [0, 0]], [[0, 0], [0, 1]])
_PERMUTED = _plane([[1, 0.2, 0], [0, 0.5, 0], [0.3, 0, 0]], [[0, 1, 0], [0.4, 0, 0], [0, 0, 0.6]])
_ARCS = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))

# Name -> the set, two directions of its space, and in which words they are the picture's axes.
SETS: dict[str, tuple[lmo.ConstraintSet, tuple[np.ndarray, np.ndarray], str, str]] = {
    "l1_ball": (lmo.l1_ball(1.0), _OF_TWO, "in the plane", "a diamond"),
    "l2_ball": (lmo.l2_ball(1.0), _OF_TWO, "in the plane", "a disc"),
    "linf_ball": (lmo.linf_ball(1.0), _OF_TWO, "in the plane", "a square"),
    "lp_ball": (
        lmo.lp_ball(3.0, 1.0),
        _OF_TWO,
        "p = 3, in the plane",
        "a square with round corners",
    ),
    "weighted_l1_ball": (
        lmo.weighted_l1_ball(jnp.array([1.0, 2.0]), 1.0),
        _OF_TWO,
        "weights 1 and 2, in the plane",
        "a diamond twice as wide as high",
    ),
    "row_norm_ball": (
        lmo.row_norm_ball(1.0),
        _plane([[1, 0], [0, 0]], [[0.5, 0], [1, 0]]),
        "2 x 2 matrices, seen along two entries of different rows",
        "a square",
    ),
    "k_support_ball": (
        lmo.k_support_ball(2, 1.0),
        _TILTED,
        "k = 2, the shadow of the ball of three dimensions",
        "a round shape with flattened sides",
    ),
    "k_norm_ball": (
        lmo.k_norm_ball(2, 1.0),
        _TILTED,
        "k = 2, the shadow of the ball of three dimensions",
        "a polygon",
    ),
    "top_k_l2_ball": (
        lmo.top_k_l2_ball(2, 1.0),
        _TILTED,
        "k = 2, the shadow of the ball of three dimensions",
        "corners joined by slightly curved sides",
    ),
    "group_lasso_ball": (
        lmo.group_lasso_ball(1.0),
        _plane([[1, 0.4], [0.2, 0]], [[0, 0.3], [1, 0]]),
        "two groups of two, the shadow along a plane that crosses both",
        "a rounded diamond",
    ),
    "ordered_weighted_l1_ball": (
        lmo.ordered_weighted_l1_ball(jnp.array([2.0, 1.0]), 2.0),
        _OF_TWO,
        "weights 2 and 1, in the plane",
        "an octagon",
    ),
    "box": (
        lmo.box(jnp.array([-1.0, -0.4]), jnp.array([1.0, 0.6])),
        _OF_TWO,
        "in the plane",
        "a rectangle",
    ),
    "simplex": (lmo.simplex(), _OF_THREE, "three dimensions, in its own plane", "a triangle"),
    "unit_simplex": (lmo.unit_simplex(), _OF_TWO, "in the plane", "a right triangle at the origin"),
    "hypersimplex": (
        lmo.hypersimplex(2),
        _plane([1, -1, 0.3, -0.3], [0.4, 0.4, -1, 0.2]),
        "k = 2 of four, the shadow of an octahedron",
        "a polygon",
    ),
    "k_sparse_polytope": (
        lmo.k_sparse_polytope(2, 1.0),
        _TILTED,
        "k = 2, the shadow of the polytope of three dimensions",
        "a polygon",
    ),
    "permutahedron": (
        lmo.permutahedron(jnp.array([1.0, 2.0, 3.0])),
        _OF_THREE,
        "of (1, 2, 3), in its own plane",
        "a hexagon",
    ),
    "ellipsoid": (lmo.ellipsoid(jnp.array([1.0, 0.5])), _OF_TWO, "in the plane", "a lying ellipse"),
    "rotated_ellipsoid": (
        lmo.rotated_ellipsoid(jnp.array([[1.0, 0.0], [0.6, 0.4]])),
        _OF_TWO,
        "in the plane",
        "a tilted ellipse",
    ),
    "birkhoff_polytope": (
        lmo.birkhoff_polytope(),
        _PERMUTED,
        "3 x 3 matrices, the shadow along a plane",
        "a polygon with permutations at its corners",
    ),
    "transport_polytope": (
        lmo.transport_polytope(jnp.array([2.0, 1.0]), jnp.array([1.0, 1.0, 1.0])),
        _plane([[1, -1, 0], [-1, 1, 0]], [[1, 1, -2], [-1, -1, 2]]),
        "plans from two masses to three, in their own plane",
        "a triangle",
    ),
    "flow_polytope": (
        lmo.flow_polytope(_ARCS, source=0, sink=3),
        _plane([1, -1, 0, 1, -1], [0, 0, 1, -1, 1]),
        "five arcs between four nodes, the shadow along a plane",
        "a triangle, a path at each corner",
    ),
    "vertex_polytope": (
        lmo.vertex_polytope(
            jnp.array([[0.0, 0.0], [1.2, 0.1], [1.0, 0.9], [0.3, 1.1], [0.5, 0.5]])
        ),
        _OF_TWO,
        "of five points in the plane, one of them inside",
        "a quadrangle",
    ),
    "nuclear_norm_ball": (
        lmo.nuclear_norm_ball(1.0),
        _ENTRIES,
        "2 x 2 matrices, seen along their diagonals",
        "a diamond",
    ),
    "spectral_norm_ball": (
        lmo.spectral_norm_ball(1.0),
        _ENTRIES,
        "2 x 2 matrices, seen along their diagonals",
        "a square",
    ),
    "spectrahedron": (
        lmo.spectrahedron(),
        _SYMMETRIC,
        "2 x 2 matrices, in the plane of trace 1",
        "a disc",
    ),
    "fantope": (
        lmo.fantope(2),
        _plane([[1, 0, 0], [0, -1, 0], [0, 0, 0]], [[0.5, 0.3, 0], [0.3, 0.5, 0], [0, 0, -1]]),
        "k = 2, 3 x 3 matrices, the shadow along a plane",
        "two straight sides from a corner to a round base",
    ),
    "product": (
        lmo.product((lmo.box(-1.0, 1.0), lmo.l2_ball(0.6))),
        _OF_TWO,
        "an interval times another",
        "a rectangle",
    ),
    "layerwise": (
        lmo.layerwise(),
        _plane([[1, 0], [0, -1]], [[0.3, 1], [1, 0.3]]),
        "one layer of 2 x 2 weights, the shadow along a plane",
        "a round shape with flattened sides",
    ),
    "matricized": (
        lmo.matricized(lmo.nuclear_norm_ball(1.0)),
        _plane([[[1], [0]], [[0], [0]]], [[[0], [0]], [[0], [1]]]),
        "a kernel as a matrix, seen along two of its entries",
        "a disc",
    ),
}


def _trees(name: str, plane: tuple[np.ndarray, np.ndarray]) -> Callable[[Any], Any]:
    """From the two coordinates of a direction to the direction as the set takes it."""
    if name == "product":
        return lambda g: (g[0], g[1:])
    first, second = (jnp.asarray(axis) for axis in plane)
    return lambda g: g[0] * first + g[1] * second


def of_set(name: str) -> str:
    """A set in two dimensions, or its shadow, with a step of Frank-Wolfe: an `<svg>` element."""
    constraint, plane, where, shape = SETS[name]
    tree = _trees(name, plane)

    @jax.jit
    def answers(directions: jax.Array) -> jax.Array:
        def answer(g: jax.Array) -> jax.Array:
            vertex = constraint.lmo(tree(g))
            if name == "product":
                return jnp.concatenate([vertex[0][None], vertex[1]])
            return jnp.stack([jnp.vdot(jnp.asarray(axis), vertex) for axis in plane])

        return jax.lax.map(answer, directions)

    g = np.array([-0.5, -1.0])
    # Just beside the symmetric directions, where the oracle's answer is any point of a face.
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False) + 1e-3
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = np.asarray(answers(jnp.asarray(np.vstack([circle, g]))), dtype=np.float64)
    boundary = found[:-1]
    # Where the oracle answers within a tolerance, the best of its answers.
    vertex = min(found, key=lambda one: one @ g)
    boundary = boundary[np.r_[True, np.linalg.norm(np.diff(boundary, axis=0), axis=1) > 1e-6]]
    middle = boundary.mean(axis=0)
    point = middle + 0.55 * (boundary[np.argmin(boundary @ np.array([-1.0, 0.3]))] - middle)
    with style():
        figure = Figure(figsize=(2.4, 2.4))
        ax = figure.add_axes((0, 0, 1, 1))
        oracle_step(ax, boundary, point, g, vertex, step=0.5)
        ax.set_axis_off()
    said = (
        f"{name}, {where}: {shape}. From a point x inside an arrow points along minus the "
        "gradient; a dashed line leads to the oracle's answer s on the boundary, half of it is "
        "walked."
    )
    return inline_svg(figure, prefix=f"set-{name}", title=said)


def _rows() -> dict[str, Any]:
    """The first row of the conformance table for each method."""
    rows: dict[str, Any] = {}
    for row in ROWS:
        rows.setdefault(row.make.__name__, row)
    return rows


METHODS = _rows()


def of_method(name: str) -> str:
    """A method's first steps on the quadratic of the conformance tests: an `<svg>` element."""
    subject = Subject(METHODS[name])
    params = start(jnp.float32)

    @jax.jit
    def walk(params: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            carry = subject.advance(*carry)
            return carry, carry[0]

        return jax.lax.scan(step, (params, subject.method.init(params)), None, length=STEPS)[1]

    walked = walk(params)
    path = {
        key: np.concatenate([np.zeros((1, *leaf.shape[1:])), leaf]) for key, leaf in walked.items()
    }
    squares = sum(
        ((path[key] - goal) ** 2).reshape(STEPS + 1, -1).sum(axis=1) for key, goal in TARGET.items()
    )
    distance = np.sqrt(squares)
    with style():
        figure = Figure(figsize=(4.4, 1.9))
        plane, curve = figure.subplots(1, 2)
        first, second = path["w"][:, 0, 0], path["w"][:, 1, 0]
        plane.plot(first, second, color=COLOURS["mean"], marker="o", markersize=2, linewidth=1)
        goal = (TARGET["w"][0, 0], TARGET["w"][1, 0])
        plane.plot(*goal, color=COLOURS["bound"], marker="*", markersize=9)
        plane.set(xlabel="a coordinate", ylabel="another")
        curve.semilogy(np.maximum(distance, 1e-7), color=COLOURS["mean"])
        curve.set(
            xlabel="call", ylabel="distance", ylim=(1e-7 if distance.min() < 1e-4 else 1e-4, 1)
        )
        figure.tight_layout(pad=0.4)
    said = (
        f"{name} on a quadratic of six coordinates: left its path in two of them, from the origin "
        f"to the minimum, which a star marks; right the distance to the minimum, {distance[0]:.2g} "
        f"at first, {distance[STEPS // 2]:.2g} after {STEPS // 2} calls and {distance[-1]:.2g} "
        f"after {STEPS}."
    )
    return inline_svg(figure, prefix=f"method-{name}", title=said)
