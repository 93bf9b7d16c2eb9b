"""The table of sets that the common tests go through: a new set is a new row.

A polytope is given twice over, by its vertices, enumerated, and by the inequalities of a linear
program. Every other set has its support function h(g) = max over x in C of <g, x>, in NumPy.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from optzoo import lmo

# Numbers that are not exact in binary, so that sums and products of them are rounded.
LOWER, UPPER = np.array([-1.1, 0.5, -2.3, 3.1]), np.array([1.3, 0.7, 4.1, 3.1])
WEIGHTS = np.array([2.1, 0.6, 1.1, 0.6])
OWL = np.array([3.1, 2.3, 0.6, 0.0])
AXES, CENTER = np.array([1.1, 3.3, 0.6, 2.1]), np.array([0.0, -1.1, 2.3, 0.6])
CHOLESKY = np.array([[2.1, 0, 0, 0], [1.1, 0.6, 0, 0], [-1.1, 0.3, 1.1, 0], [0.7, -2.3, 0, 3.3]])
ROWS, COLUMNS = np.array([0.3, 0.1]), np.array([0.1, 0.1, 0.2])
ARCS = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 3), (4, 1))
C = np.array([1.1, -2.3, 3.1, 1.1])
POINTS = np.array([
    [0, 0, 0, 1.1], [1.1, 0, 0, 0], [0, 2.3, 0, 0], [0, 0, 3.1, 1.1], [-0.7, -0.7, -0.7, -0.7],
    [2.3, 2.3, 0, -1.1],
])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Program:
    """The set {M z : A_ub z <= b_ub, A_eq z = b_eq, bounds} in the form of scipy's linprog."""

    matrix: np.ndarray
    constraints: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Row:
    """A set of arrays of one shape.

    Attributes:
        constraint: the set.
        at_zero: what the oracle answers to a zero direction, flat.
        shape: the shape of its points.
        vertices: of a polytope, one a row, flat.
        program: of a polytope.
        support: of a set that is no polytope.
        farthest: of such a set, two points at the distance of the diameter.
        projects: whether there is a projection.
        takes_trees: whether it reads a tree as one vector.
        diameter_is_exact: whether it is no upper bound.
    """

    constraint: lmo.ConstraintSet
    at_zero: Any
    shape: tuple[int, ...] = (4,)
    vertices: np.ndarray | None = None
    program: Program | None = None
    support: Callable[[np.ndarray], float] | None = None
    farthest: tuple[Any, Any] | None = None
    projects: bool = False
    takes_trees: bool = True
    diameter_is_exact: bool = True


def signed(points: np.ndarray) -> np.ndarray:
    """All sign changes of the points, without repetitions."""
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=points.shape[1])))
    return np.unique((points[:, None] * signs[None]).reshape(-1, points.shape[1]) + 0.0, axis=0)


def arrangements(values: Any) -> np.ndarray:
    """All distinct rearrangements of the values."""
    return np.array(sorted(set(itertools.permutations(np.asarray(values, float)))))


def absolute_values(bounds: np.ndarray, limits: Any) -> Program:
    """{x : bounds |x| <= limits}, x = u - v with u and v not negative."""
    eye = np.eye(bounds.shape[1])
    return Program(
        np.hstack([eye, -eye]), {"A_ub": np.hstack([bounds, bounds]), "b_ub": np.asarray(limits)}
    )


def direct(d: int = 4, **constraints: Any) -> Program:
    return Program(np.eye(d), constraints)


def marginals(m: int, n: int, rows: np.ndarray, columns: np.ndarray) -> Program:
    matrix = np.vstack([np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))])
    return direct(m * n, A_eq=matrix, b_eq=np.r_[rows, columns])


def basic_plans(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The vertices of a transport polytope, by all bases."""
    m, n = rows.size, columns.size
    matrix = marginals(m, n, rows, columns).constraints["A_eq"]
    right = np.r_[rows, columns]
    found = []
    for cells in itertools.combinations(range(m * n), m + n - 1):
        part = matrix[:, cells]
        if np.linalg.matrix_rank(part) == m + n - 1:
            values = np.linalg.lstsq(part, right, rcond=None)[0]
            if (values >= -1e-12).all():
                plan = np.zeros(m * n)
                plan[list(cells)] = values
                found.append(np.round(plan, 12) + 0.0)
    return np.unique(found, axis=0)


def paths(arcs: Any, source: int, sink: int) -> np.ndarray:
    """The indicators of all paths."""
    found, unfinished = [], [(source, ())]
    while unfinished:
        node, used = unfinished.pop()
        if node == sink:
            found.append(np.isin(np.arange(len(arcs)), used).astype(float))
        unfinished += [(arc[1], (*used, k)) for k, arc in enumerate(arcs) if arc[0] == node]
    return np.array(found)


def conservation(arcs: Any, source: int, sink: int, scale: float) -> Program:
    nodes = sorted({node for arc in arcs for node in arc})
    matrix = np.zeros((len(nodes), len(arcs)))
    for k, (tail, head) in enumerate(arcs):
        matrix[nodes.index(tail), k] -= 1
        matrix[nodes.index(head), k] += 1
    right = np.zeros(len(nodes))
    right[nodes.index(source)], right[nodes.index(sink)] = -scale, scale
    return direct(len(arcs), A_eq=matrix, b_eq=right)


def largest(g: np.ndarray, k: int) -> np.ndarray:
    return np.sort(np.abs(g))[::-1][:k]


def k_support_norm(g: np.ndarray, k: int) -> float:
    """The infimum of sum_S |v_S|_2 over g = sum_S v_S, by the search of its Proposition 2.1."""
    z = np.r_[np.inf, np.sort(np.abs(g))[::-1]]
    for r in range(k):
        tail = z[k - r :].sum()
        if z[k - r - 1] > tail / (r + 1) >= z[k - r]:
            return float(np.sqrt((z[1 : k - r] ** 2).sum() + tail**2 / (r + 1)))
    raise AssertionError(g)


def subset_bounds(k: int, d: int = 4) -> np.ndarray:
    """One row for each k coordinates."""
    return arrangements([1.0] * k + [0.0] * (d - k))


def e(i: int, size: float = 1.0, d: int = 4) -> np.ndarray:
    return size * np.eye(d)[i]


EYE, ONES = np.eye(4), np.ones(4)

POLYTOPES = {
    "l1_ball": Row(
        lmo.l1_ball(2.3),
        e(0, 2.3),
        vertices=2.3 * np.vstack([EYE, -EYE]),
        program=absolute_values(ONES[None], [2.3]),
        projects=True,
    ),
    "linf_ball": Row(
        lmo.linf_ball(1.3),
        1.3 * ONES,
        vertices=signed(1.3 * ONES[None]),
        program=direct(bounds=(-1.3, 1.3)),
        projects=True,
    ),
    "box": Row(
        lmo.box(LOWER, UPPER),
        UPPER,
        vertices=np.array(list(itertools.product(*zip(LOWER, UPPER, strict=True)))),
        program=direct(bounds=np.stack([LOWER, UPPER], axis=1)),
        projects=True,
        takes_trees=False,
    ),
    "weighted_l1_ball": Row(
        lmo.weighted_l1_ball(WEIGHTS, 2.0),
        e(0, 2 / 2.1),
        vertices=np.vstack([np.diag(2 / WEIGHTS), -np.diag(2 / WEIGHTS)]),
        program=absolute_values(WEIGHTS[None], [2.0]),
        projects=True,
        takes_trees=False,
    ),
    "k_norm_ball": Row(
        lmo.k_norm_ball(2, 2.6),
        e(0, 2.6),
        vertices=np.vstack([2.6 * EYE, -2.6 * EYE, signed(1.3 * ONES[None])]),
        program=absolute_values(subset_bounds(2), [2.6] * 6),
    ),
    "k_sparse_polytope": Row(
        lmo.k_sparse_polytope(2, 1.3),
        [1.3, 1.3, 0, 0],
        vertices=signed(1.3 * subset_bounds(2)),
        program=absolute_values(np.vstack([ONES[None], EYE]), [2.6] + [1.3] * 4),
        projects=True,
    ),
    "ordered_weighted_l1_ball": Row(
        lmo.ordered_weighted_l1_ball(OWL, 6.0),
        e(0, 6 / 3.1),
        vertices=signed(
            np.vstack(
                [
                    6 / 3.1 * subset_bounds(1),
                    6 / 5.4 * subset_bounds(2),
                    6 / 6.0 * subset_bounds(4),
                ]
            )
        ),
        program=absolute_values(arrangements(OWL), [6.0] * 24),
    ),
    "ordered_weighted_l1_ball_equal": Row(
        lmo.ordered_weighted_l1_ball(np.array([2.1, 2.1, 2.1, 1.1]), 6.0),
        e(0, 6 / 2.1),
        vertices=signed(np.vstack([6 / 2.1 * subset_bounds(1), 6 / 7.4 * subset_bounds(4)])),
        program=absolute_values(arrangements([2.1, 2.1, 2.1, 1.1]), [6.0] * 4),
    ),
    "simplex": Row(
        lmo.simplex(0.7),
        e(0, 0.7),
        vertices=0.7 * EYE,
        program=direct(A_eq=ONES[None], b_eq=[0.7]),
        projects=True,
    ),
    "unit_simplex": Row(
        lmo.unit_simplex(0.7),
        np.zeros(4),
        vertices=np.vstack([np.zeros(4), 0.7 * EYE]),
        program=direct(A_ub=ONES[None], b_ub=[0.7]),
        projects=True,
    ),
    "hypersimplex": Row(
        lmo.hypersimplex(3, 0.7),
        [0.7, 0.7, 0.7, 0],
        vertices=0.7 * subset_bounds(3),
        program=direct(A_eq=ONES[None], b_eq=[2.1], bounds=(0.0, 0.7)),
        projects=True,
    ),
    "permutahedron": Row(
        lmo.permutahedron(C),
        [3.1, 1.1, 1.1, -2.3],
        vertices=arrangements(C),
        program=direct(
            A_ub=np.vstack([subset_bounds(k) for k in (1, 2, 3)]),
            b_ub=[3.1] * 4 + [4.2] * 6 + [5.3] * 4,
            A_eq=ONES[None],
            b_eq=[3.0],
            bounds=(None, None),
        ),
    ),
    "birkhoff_polytope": Row(
        lmo.birkhoff_polytope(),
        np.eye(3).ravel(),
        shape=(3, 3),
        vertices=np.array([np.eye(3)[list(p)].ravel() for p in itertools.permutations(range(3))]),
        program=marginals(3, 3, np.ones(3), np.ones(3)),
        takes_trees=False,
    ),
    "transport_polytope": Row(
        lmo.transport_polytope(ROWS, COLUMNS),
        [0.1, 0.1, 0.1, 0, 0, 0.1],
        shape=(2, 3),
        vertices=basic_plans(ROWS, COLUMNS),
        program=marginals(2, 3, ROWS, COLUMNS),
        takes_trees=False,
        diameter_is_exact=False,
    ),
    "flow_polytope": Row(
        lmo.flow_polytope(ARCS, 0, 3, 0.7),
        [0.7, 0, 0, 0.7, 0, 0, 0],
        shape=(7,),
        vertices=0.7 * paths(ARCS, 0, 3),
        program=conservation(ARCS, 0, 3, 0.7),
    ),
    "vertex_polytope": Row(
        lmo.vertex_polytope(POINTS),
        POINTS[0],
        vertices=POINTS,
        program=Program(POINTS.T, {"A_eq": np.ones((1, 6)), "b_eq": [1.0]}),
    ),
}

CURVED = {
    "l2_ball": Row(
        lmo.l2_ball(2.5),
        e(0, 2.5),
        support=lambda g: 2.5 * np.linalg.norm(g),
        farthest=(e(1, 2.5), e(1, -2.5)),
        projects=True,
    ),
    "lp_ball": Row(
        lmo.lp_ball(1.5, 2.0),
        e(0, 2.0),
        support=lambda g: 2.0 * np.linalg.norm(g, 3.0),
        farthest=(e(1, 2.0), e(1, -2.0)),
    ),
    "lp_ball_of_large_p": Row(
        lmo.lp_ball(4.0, 2.0),
        e(0, 2.0),
        support=lambda g: 2.0 * np.linalg.norm(g, 4 / 3),
        farthest=(2 * 4**-0.25 * ONES, -2 * 4**-0.25 * ONES),
    ),
    "k_support_ball": Row(
        lmo.k_support_ball(2, 3.0),
        e(0, 3.0),
        support=lambda g: 3.0 * np.linalg.norm(largest(g, 2)),
        farthest=(e(1, 3.0), e(1, -3.0)),
    ),
    "top_k_l2_ball": Row(
        lmo.top_k_l2_ball(3, 3.0),
        np.sqrt(3) * ONES,
        support=lambda g: 3.0 * k_support_norm(g, 3),
        farthest=(np.sqrt(3) * ONES, -np.sqrt(3) * ONES),
    ),
    "group_lasso_ball": Row(
        lmo.group_lasso_ball(2.0),
        e(0, 2.0, 6),
        shape=(3, 2),
        support=lambda g: 2.0 * np.linalg.norm(g.reshape(3, 2), axis=1).max(),
        farthest=(e(1, 2.0, 6), e(1, -2.0, 6)),
        projects=True,
        takes_trees=False,
    ),
    "row_norm_ball": Row(
        lmo.row_norm_ball(2.5),
        [2.5, 0, 2.5, 0, 2.5, 0],
        shape=(3, 2),
        support=lambda g: 2.5 * np.linalg.norm(g.reshape(3, 2), axis=1).sum(),
        farthest=([1.5, 2, 0, 2.5, 2.5, 0], [-1.5, -2, 0, -2.5, -2.5, 0]),
        projects=True,
        takes_trees=False,
    ),
    "ellipsoid": Row(
        lmo.ellipsoid(AXES, CENTER),
        CENTER + e(0, 1.1),
        support=lambda g: CENTER @ g + np.linalg.norm(AXES * g),
        farthest=(CENTER + e(1, 3.3), CENTER - e(1, 3.3)),
        takes_trees=False,
    ),
    "rotated_ellipsoid": Row(
        lmo.rotated_ellipsoid(CHOLESKY, CENTER),
        CENTER + CHOLESKY[:, 0],
        support=lambda g: CENTER @ g + np.linalg.norm(CHOLESKY.T @ g),
        farthest=tuple(
            CENTER + sign * np.linalg.svd(CHOLESKY)[1][0] * np.linalg.svd(CHOLESKY)[0][:, 0]
            for sign in (1, -1)
        ),
    ),
}

SETS = POLYTOPES | CURVED


def singular_values(g: np.ndarray) -> np.ndarray:
    return np.linalg.svd(g.reshape(3, 3), compute_uv=False)


def eigenvalues(g: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh((g.reshape(3, 3) + g.reshape(3, 3).T) / 2)


DIAMOND = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3))
GRID = tuple(
    (3 * i + j, 3 * i + j + step)
    for i in range(3)
    for j in range(3)
    for step, inside in ((1, j < 2), (3, i < 2))
    if inside
)
# For their oracles: the diameters and the like have tests of their own.
FURTHER = {
    **{
        f"flow_polytope_{name}": Row(
            lmo.flow_polytope(arcs, 0, sink, 0.7),
            None,
            shape=(len(arcs),),
            vertices=0.7 * paths(arcs, 0, sink),
        )
        for name, arcs, sink in (("diamond", DIAMOND, 3), ("grid", GRID, 8))
    },
    "nuclear_norm_ball": Row(
        lmo.nuclear_norm_ball(0.7), None, (3, 3), support=lambda g: 0.7 * singular_values(g)[0]
    ),
    "spectral_norm_ball": Row(
        lmo.spectral_norm_ball(0.7), None, (3, 3), support=lambda g: 0.7 * singular_values(g).sum()
    ),
    "spectrahedron": Row(
        lmo.spectrahedron(0.7), None, (3, 3), support=lambda g: 0.7 * eigenvalues(g)[-1]
    ),
    "fantope": Row(
        lmo.fantope(2, 0.7), None, (3, 3), support=lambda g: 0.7 * eigenvalues(g)[1:].sum()
    ),
}
