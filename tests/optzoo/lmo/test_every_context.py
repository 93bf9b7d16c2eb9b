"""Each set's answers wherever JAX may ask for them, compiled as users compile them.

Optimized code computes a number again where that is cheap, and rounds it in another way: what
compares two floats for equality, or counts on a sum to reach its bound, fails there alone. The
numbers of the sets and of the directions are therefore not exact in binary, and the minimum is
that of an enumeration, of a linear program or of the support function, in NumPy.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import optzoo
from optzoo.lmo import ConstraintSet

from .sets import FURTHER, SETS, Row

# The session compiles without optimization; here the faults of optimized code are looked for.
OPTIMIZED = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
# HiGHS ignores costs below 1e-7; the enumeration of vertices is the exact check.
SOLVER_ATOL = 1e-6
LANES = 4

Answers = dict[str, Any]


def ask(
    constraint: ConstraintSet, direction: jax.Array, x: jax.Array, beside: jax.Array
) -> Answers:
    """All that a method asks a set, at a point x of it and at one that round-off moved out."""
    s, back = constraint.lmo(direction), constraint.retract(beside)
    gap = optzoo.frank_wolfe_gap(constraint, direction, x)
    inside = jax.vmap(constraint.contains)(jnp.stack([s, x, back]))
    return {"vertex": s, "retracted": back, "gap": gap, "inside": inside}


def answers_in(context: str, constraint: ConstraintSet, batch: tuple[jax.Array, ...]) -> Answers:
    """The answers to a batch of questions; to the first one, where they are not compiled."""

    def one(*arguments: jax.Array) -> Answers:
        return ask(constraint, *arguments)

    def chunks(sets: ConstraintSet, *batch: jax.Array) -> Answers:
        """Lanes with sets of their own, a few at a time."""
        lanes = jax.vmap(ask, axis_size=LANES)
        return jax.lax.scan(lambda _, chunk: (None, lanes(sets, *chunk)), None, batch)[1]

    def stacked(function: Callable[..., Answers], size: int) -> Answers:
        answers = [function(*(v[k] for v in batch)) for k in range(size)]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *answers)

    if context == "eager":
        return stacked(one, 1)
    if context == "jit":
        return stacked(jax.jit(one, compiler_options=OPTIMIZED), len(batch[0]))
    # The numbers of the set are traced, and batched.
    sets = jax.tree.map(lambda v: jnp.broadcast_to(v, (LANES, *jnp.shape(v))), constraint)
    split = (v.reshape(-1, LANES, *v.shape[1:]) for v in batch)
    found = jax.jit(chunks, compiler_options=OPTIMIZED)(sets, *split)
    return jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:]), found)


def draw_directions(rng: np.random.Generator, d: int) -> np.ndarray:
    """Dense ones, single coordinates, ties and zeros, from 1e-12 to 1e12."""
    dense = rng.standard_normal((24, d))
    tied = rng.choice([-0.3, -0.1, -0.0, 0.0, 0.1, 0.3], (12, d))
    single = 0.7 * np.vstack([np.eye(d), -np.eye(d)])[rng.permutation(2 * d)[:4]]
    scaled = rng.standard_normal((4, d)) * np.array([1e-12, 1e-4, 1e4, 1e12])[:, None]
    return np.concatenate([dense, tied, single, scaled])


def least(row: Row, g: np.ndarray) -> np.ndarray:
    """The minimum over the set of <direction, s>, for each row of g."""
    if row.vertices is not None:
        return (g @ row.vertices.T).min(axis=1)
    assert row.support is not None
    return np.array([-row.support(-direction) for direction in g])


CONTEXTS = [
    ("eager", np.float64),
    ("jit", np.float64),
    ("jit", np.float32),
    ("scan of vmap", np.float32),
]


@pytest.mark.parametrize(("context", "dtype"), CONTEXTS)
@pytest.mark.parametrize("name", SETS | FURTHER)
def test_answers_are_right_in_every_context(name: str, context: str, dtype: Any) -> None:
    row = (SETS | FURTHER)[name]
    rng, d, eps = np.random.default_rng(0), int(np.prod(row.shape)), float(np.finfo(dtype).eps)
    g = draw_directions(rng, d).astype(dtype).astype(np.float64)
    ends = extreme_points(row, rng.standard_normal((3, d)))
    x = (rng.dirichlet(np.ones(len(ends)), len(g)) @ ends).astype(dtype).astype(np.float64)
    size = np.abs(ends).max()
    beside = x + 30 * eps * size * rng.choice([-1, 1], x.shape)
    batch = tuple(jnp.asarray(v.reshape(-1, *row.shape), dtype) for v in (g, x, beside))

    found = jax.tree.map(np.asarray, answers_in(context, row.constraint, batch))
    count = len(found["gap"])
    g, x, scale = g[:count], x[:count], np.abs(g[:count]).sum(axis=1) * size
    s, back = (found[k].reshape(count, d).astype(float) for k in ("vertex", "retracted"))
    assert found["vertex"].dtype == dtype
    assert np.all(found["inside"])
    minimum = least(row, g)
    assert np.all(np.abs(np.sum(g * s, axis=1) - minimum) <= 20 * eps * scale)
    assert np.all(np.abs(found["gap"] - (np.sum(g * x, axis=1) - minimum)) <= 40 * eps * scale)
    assert np.abs(back - x).max() <= 2000 * eps * size
    if row.vertices is not None:
        misses = np.abs(s[:, None] - row.vertices).max(axis=2).min(axis=1)
        assert np.all(misses <= 4 * eps * size)
    if context == "jit" and row.program is not None:
        for direction, answer in zip(g[::12], s[::12], strict=True):
            solved = linprog(row.program.matrix.T @ direction, **row.program.constraints)
            assert solved.status == 0
            np.testing.assert_allclose(direction @ answer, solved.fun, atol=SOLVER_ATOL)


def extreme_points(row: Row, directions: np.ndarray) -> np.ndarray:
    """Extreme points."""
    if row.vertices is not None:
        return row.vertices[:: max(1, len(row.vertices) // 8)]
    answers = [row.constraint.lmo(jnp.asarray(g.reshape(row.shape))) for g in directions]
    return np.array([np.ravel(answer) for answer in answers])
