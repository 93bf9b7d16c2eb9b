"""Linear minimisation oracles: beside the projection onto the same set, and a NumPy statement.

Vectors of length d, matrices of d = n^2 entries; float64, every oracle jitted, one direction a
call. A task makes so many calls that the clock's own cost does not count.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.sparse.linalg
from numpy.typing import NDArray

from optzoo import _tree_vector as tree_vector
from optzoo import lmo

from .progress import progress
from .report import machine, table
from .timing import Timings, interleaved

__all__ = ["measure"]

Array = NDArray[np.float64]
Statement = Callable[[Array], Array]

SIZES = (100, 10_000, 1_000_000)
REPEATS = 5
TASK = 0.02  # seconds of a task, at least one call


@dataclass(frozen=True)
class Entry:
    """A set, its oracle as NumPy or SciPy state it, and the largest d that is measured."""

    constraint: lmo.ConstraintSet
    statement: Statement
    projects: bool = True
    matrix: bool = False
    largest: int = SIZES[-1]


def measure(sizes: tuple[int, ...] = SIZES) -> str:
    """Time each oracle, each projection and each statement at every size, in turns.

    Args:
        sizes: d, squares of integers.

    Returns:
        Two Markdown tables: the oracles, and the leading singular pair beside full decompositions.
    """
    rows = {
        f"{name}, d = {d}": (name, entry, d) for d in sizes for name, entry in entries(d).items()
    }
    body = [_row(*rows[row]) for row in progress(list(rows), "oracle")]
    body.sort(key=lambda row: row[0])
    header = ("set", "d", "µs an oracle", "projection / oracle", "NumPy or SciPy / oracle")
    pairs = [_leading_pair(round(d**0.5)) for d in sizes]
    pair_header = ("n", "ms a pair", "svd of jax / pair", "svd of NumPy / pair", "svds / pair")
    return (
        f"{machine(('jax', 'numpy', 'scipy'))}\n\n{table(header, body)}\n\n"
        "Matrices have d = n^2 entries. A dash: no projection is offered, because none is cheap. "
        f"Medians [min, max] of {REPEATS} interleaved rounds of calls on normal directions; ratios "
        "within a round; above 1 the oracle is faster. The statements: argmax and sort of NumPy, "
        "`svds` and `eigsh` with k = 1, `linear_sum_assignment`, HiGHS through `linprog`.\n\n"
        "The leading singular pair (the oracle of the nuclear-norm ball) of an n x n matrix:\n\n"
        f"{table(pair_header, pairs)}\n\n"
        "What an oracle of the l1 ball is made of, each part compiled by itself, beside NumPy's "
        "`abs`, `argmax` and a vector of zeros:\n\n"
        f"{table(PROFILE_HEADER, [_profile(d) for d in sizes])}\n\n"
        "A call that does nothing is what JAX asks for a call; NumPy's functions have no such "
        "price. Writing d zeros, which is what an answer is, and reading d numbers are passes "
        "through memory that NumPy's statement has as well; what is left is XLA's: on CPUs it has "
        "no vectorized argmax, so that maxima of blocks are taken first and one block is searched."
    )


PROFILE_HEADER = (
    *("d", "µs a call that does nothing", "zeros written", "maximum", "finite?", "first argmax"),
    *("oracle", "NumPy"),
)


def _profile(d: int) -> tuple[str, ...]:
    """Medians, in microseconds."""
    ball, direction = lmo.l1_ball(1.0), jnp.asarray(np.random.default_rng(0).normal(size=d))
    values = np.asarray(direction)
    zero = jnp.zeros(())
    parts: dict[str, tuple[Callable[[Any], object], object]] = {
        "nothing": (jax.jit(lambda x: x + 1), zero),
        "zeros": (jax.jit(lambda x: jnp.zeros(d) + x), zero),
        "maximum": (jax.jit(lambda x: jnp.max(abs(x))), direction),
        "finite": (jax.jit(lambda x: tree_vector.require_finite("x", x)), direction),
        "argmax": (jax.jit(lambda x: tree_vector.first_argmax(abs(x))), direction),
        "oracle": (jax.jit(ball.lmo), direction),
        "NumPy": (_largest_entry, values),
    }
    timings = _timed({name: partial(part, x) for name, (part, x) in parts.items()})
    return (f"{d:,}", *(f"{1e6 * timings.spread(name).median:.3g}" for name in parts))


def _largest_entry(direction: Array) -> Array:
    vertex = np.zeros_like(direction)
    at = int(np.argmax(np.abs(direction)))
    vertex[at] = -np.sign(direction[at])
    return vertex


def entries(d: int) -> dict[str, Entry]:
    """The sets of points of d entries."""
    n = round(d**0.5)
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, d)
    decreasing = np.sort(weights)[::-1]
    k = max(d // 10, 1)
    rows, columns = rng.dirichlet(np.ones(n), 2)
    found = {
        "l1_ball": Entry(lmo.l1_ball(1.0), _l1),
        "l2_ball": Entry(lmo.l2_ball(1.0), lambda g: -g / np.linalg.norm(g)),
        "linf_ball": Entry(lmo.linf_ball(1.0), lambda g: np.where(g > 0, -1.0, 1.0)),
        "lp_ball(1.5)": Entry(
            lmo.lp_ball(1.5, 1.0),
            lambda g: -np.sign(g) * np.abs(g) ** 2 / np.linalg.norm(g, 3.0) ** 2,
            projects=False,
        ),
        "box": Entry(lmo.box(-weights, weights), lambda g, w=weights: np.where(g > 0, -w, w)),
        "weighted_l1_ball": Entry(
            lmo.weighted_l1_ball(weights, 1.0), lambda g, w=weights: _l1(g / w) / w
        ),
        "simplex": Entry(lmo.simplex(1.0), lambda g: _unit(g.size, int(np.argmin(g)))),
        "unit_simplex": Entry(
            lmo.unit_simplex(1.0),
            lambda g: _unit(g.size, int(np.argmin(g))) * (np.min(g) < 0),
        ),
        "hypersimplex": Entry(lmo.hypersimplex(k, 1.0), lambda g: _smallest(g, k)),
        "k_sparse_polytope": Entry(
            lmo.k_sparse_polytope(k, 1.0), lambda g: -np.sign(g) * _smallest(-np.abs(g), k)
        ),
        "k_norm_ball": Entry(lmo.k_norm_ball(k, 1.0), lambda g: _k_norm(g, k), projects=False),
        "k_support_ball": Entry(
            lmo.k_support_ball(k, 1.0),
            lambda g: _normalized(-g * _smallest(-np.abs(g), k)),
            projects=False,
        ),
        "ordered_weighted_l1_ball": Entry(
            lmo.ordered_weighted_l1_ball(decreasing, 1.0),
            lambda g, w=decreasing: _ordered(g, w),
            projects=False,
        ),
        "permutahedron": Entry(
            lmo.permutahedron(weights),
            lambda g, w=decreasing: _assigned(g, w),
            projects=False,
        ),
        "group_lasso_ball": Entry(lmo.group_lasso_ball(1.0), _group, matrix=True),
        "ellipsoid": Entry(
            lmo.ellipsoid(weights, np.zeros(d)),
            lambda g, w=weights: -(w**2) * g / np.linalg.norm(w * g),
            projects=False,
        ),
        "nuclear_norm_ball": Entry(lmo.nuclear_norm_ball(1.0), _nuclear, matrix=True),
        "spectral_norm_ball": Entry(lmo.spectral_norm_ball(1.0), _polar, matrix=True),
        "spectral_norm_ball (newton_schulz)": Entry(
            lmo.spectral_norm_ball(1.0, method="newton_schulz"), _polar, matrix=True
        ),
        "spectrahedron": Entry(lmo.spectrahedron(), _spectrahedron, matrix=True),
        "birkhoff_polytope": Entry(
            lmo.birkhoff_polytope(), _assignment, projects=False, matrix=True, largest=10_000
        ),
        "transport_polytope": Entry(
            lmo.transport_polytope(rows, columns / columns.sum() * rows.sum()),
            lambda g: _transport(g, rows, columns / columns.sum() * rows.sum()),
            projects=False,
            matrix=True,
            largest=10_000,
        ),
    }
    return {name: entry for name, entry in found.items() if d <= entry.largest}


def _row(name: str, entry: Entry, d: int) -> tuple[str, str, str, str, str]:
    n = round(d**0.5)
    shape = (n, n) if entry.matrix else (d,)
    direction = np.random.default_rng(1).standard_normal(shape)
    g = jnp.asarray(direction)
    oracle, projection = jax.jit(entry.constraint.lmo), jax.jit(entry.constraint.project)
    # A statement that gives another minimum would be timed for nothing.
    found, stated = np.asarray(oracle(g)), entry.statement(direction)
    np.testing.assert_allclose(
        np.sum(direction * found), np.sum(direction * stated), rtol=1e-4, err_msg=name
    )
    tasks: dict[str, Callable[[], object]] = {
        "oracle": lambda: oracle(g),
        "statement": lambda: entry.statement(direction),
    }
    if entry.projects:
        tasks["projection"] = lambda: projection(g)
    timings = _timed(tasks)
    return (
        f"`{name}`",
        f"{d:,}",
        str(timings.spread("oracle").times(1e6)),
        str(timings.ratio("projection", "oracle")) if entry.projects else "–",
        str(timings.ratio("statement", "oracle")),
    )


def _timed(tasks: dict[str, Callable[[], object]]) -> Timings:
    """Seconds of a call of each."""

    def calls_of(task: Callable[[], object]) -> int:
        jax.block_until_ready(task())
        start = time.perf_counter()
        jax.block_until_ready(task())
        return max(round(TASK / (time.perf_counter() - start)), 1)

    counts = {name: calls_of(task) for name, task in tasks.items()}

    def repeated(name: str) -> Callable[[], object]:
        def run() -> object:
            result: object = None
            for _ in range(counts[name]):
                result = jax.block_until_ready(tasks[name]())
            return result

        return run

    timings = interleaved({name: repeated(name) for name in tasks}, repeats=REPEATS)
    return Timings(
        {name: timings.first[name] / counts[name] for name in tasks},
        {name: timings.seconds[name] / counts[name] for name in tasks},
    )


def _leading_pair(n: int) -> tuple[str, str, str, str, str]:
    matrix = np.random.default_rng(2).standard_normal((n, n))
    g = jnp.asarray(matrix)
    oracle = jax.jit(lmo.nuclear_norm_ball(1.0).lmo)
    decomposition = jax.jit(lambda a: jnp.linalg.svd(a, full_matrices=False))
    timings = _timed(
        {
            "pair": lambda: oracle(g),
            "jax": lambda: decomposition(g),
            "numpy": lambda: np.linalg.svd(matrix, full_matrices=False),
            "svds": lambda: _nuclear(matrix),
        }
    )
    ratios = (str(timings.ratio(name, "pair")) for name in ("jax", "numpy", "svds"))
    return (f"{n:,}", str(timings.spread("pair").times(1e3)), *ratios)  # type: ignore[return-value]


def _unit(d: int, i: int, size: float = 1.0) -> Array:
    x = np.zeros(d)
    x[i] = size
    return x


def _l1(g: Array) -> Array:
    i = int(np.argmax(np.abs(g)))
    return _unit(g.size, i, -np.sign(g[i]))


def _smallest(g: Array, k: int) -> Array:
    x = np.zeros(g.size)
    x[np.argpartition(g, k - 1)[:k]] = 1.0
    return x


def _normalized(x: Array) -> Array:
    return x / np.linalg.norm(x)


def _k_norm(g: Array, k: int) -> Array:
    """The vertices are unit vectors, and all signs over k; the radius is 1."""
    spread = -np.sign(g) / k
    single = _l1(g)
    return spread if g @ spread < g @ single else single


def _ordered(g: Array, weights: Array) -> Array:
    order = np.argsort(-np.abs(g))
    totals = np.cumsum(np.abs(g)[order]) / np.cumsum(weights)
    count = int(np.argmax(totals)) + 1
    x = np.zeros(g.size)
    x[order[:count]] = -np.sign(g[order[:count]]) / weights[:count].sum()
    return x


def _assigned(g: Array, decreasing: Array) -> Array:
    x = np.empty(g.size)
    x[np.argsort(g)] = decreasing
    return x


def _group(g: Array) -> Array:
    norms = np.linalg.norm(g, axis=1)
    i = int(np.argmax(norms))
    x = np.zeros(g.shape)
    x[i] = -g[i] / norms[i]
    return x


def _nuclear(g: Array) -> Array:
    u, _, v = scipy.sparse.linalg.svds(g, k=1, rng=0)
    return -u @ v


def _polar(g: Array) -> Array:
    u, _, v = np.linalg.svd(g, full_matrices=False)
    return -u @ v


def _spectrahedron(g: Array) -> Array:
    _, v = scipy.sparse.linalg.eigsh((g + g.T) / 2, k=1, which="SA", v0=np.ones(len(g)))
    return v @ v.T


def _assignment(g: Array) -> Array:
    x = np.zeros(g.shape)
    x[scipy.optimize.linear_sum_assignment(g)] = 1.0
    return x


def _transport(g: Array, rows: Array, columns: Array) -> Array:
    n = len(rows)
    cells = np.arange(n * n)
    at = (np.r_[cells // n, n + cells % n], np.r_[cells, cells])
    marginals = scipy.sparse.csr_array((np.ones(2 * n * n), at), shape=(2 * n, n * n))
    plan = scipy.optimize.linprog(g.ravel(), A_eq=marginals, b_eq=np.r_[rows, columns])
    return plan.x.reshape(n, n)
