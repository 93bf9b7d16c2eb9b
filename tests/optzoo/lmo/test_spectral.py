"""Spectral sets against singular values and eigenvalues that NumPy computes in float64."""

import dataclasses
import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from jax.sharding import PartitionSpec as P

import optzoo
from optzoo.lmo import (
    ConstraintSet,
    box,
    fantope,
    nuclear_norm_ball,
    product,
    spectrahedron,
    spectral_norm_ball,
)
from optzoo.lmo._leading_eigenvectors import tolerance
from optzoo.lmo._polar_factor import CUSHION, RESOLUTION, polynomials

FLOATS = (jnp.bfloat16, jnp.float32, jnp.float64)
EPS = float(np.finfo(np.float64).eps)

# Decompositions are full for the one and matrix-free for the other; the sizes are the same in most
# tests, so that these share their programs.
SMALL, LARGE = 4, 80


@jax.jit
def ask(constraint, x):
    """All that is asked, compiled once for each kind of set, shape and dtype."""
    answers = constraint.lmo(x), constraint.project(x), constraint.retract(x)
    return answers, constraint.contains(x)


def lmo(constraint, direction):
    return ask(constraint, direction)[0][0]


def project(constraint, x):
    return ask(constraint, x)[0][1]


def retract(constraint, x):
    return ask(constraint, x)[0][2]


def contains(constraint, x):
    return bool(ask(constraint, x)[1])


SIZE = 2.5
SETS: dict[str, ConstraintSet] = {
    "nuclear": nuclear_norm_ball(SIZE),
    "spectral": spectral_norm_ball(SIZE),
    "newton_schulz": spectral_norm_ball(SIZE, method="newton_schulz"),
    "spectrahedron": spectrahedron(SIZE),
    "fantope": fantope(2, SIZE),
}
SQUARE = ("spectrahedron", "fantope")
each = pytest.mark.parametrize("name", SETS)


def singular_values(x) -> np.ndarray:
    return np.linalg.svd(np.asarray(x, np.float64), compute_uv=False)


def eigenvalues(x) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return np.linalg.eigvalsh((x + x.T) / 2)


def support(name: str, g: np.ndarray) -> float:
    """The maximum of <g, x> over the set, from its dual norm or its extreme eigenvalues."""
    match name:
        case "nuclear":
            return SIZE * singular_values(g).max()
        case "spectral" | "newton_schulz":
            return SIZE * singular_values(g).sum()
        case "spectrahedron":
            return SIZE * eigenvalues(g)[-1]
    return SIZE * eigenvalues(g)[-2:].sum()


def excess(name: str, x: np.ndarray) -> float:
    """How far an inequality that defines the set is violated, relative to the size."""
    match name:
        case "nuclear":
            return singular_values(x).sum() / SIZE - 1
        case "spectral" | "newton_schulz":
            return singular_values(x).max() / SIZE - 1
    values, k = eigenvalues(x), 1 if name == "spectrahedron" else 2
    asymmetry = np.abs(x - x.T).max()
    return max(-values[0], values[-1] - SIZE, abs(values.sum() - k * SIZE), asymmetry) / SIZE


def distance_from_extreme(name: str, x: np.ndarray) -> float:
    """Of the spectrum from that of the extreme points, relative to the size."""
    k = min(x.shape)
    spectrum = singular_values(x)
    ones = {"nuclear": 1, "spectrahedron": 1, "fantope": 2}.get(name, k)
    return np.abs(spectrum / SIZE - (np.arange(k) < ones)).max()


def shape_of(name: str) -> tuple[int, int]:
    return (SMALL, SMALL) if name in SQUARE else (5, 3)


@st.composite
def directions(draw, shape: tuple[int, int]) -> np.ndarray:
    """Matrices with zeros, ties and single entries, of magnitude 1e-12 to 1e12."""
    entry = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5]), st.floats(-1, 1, width=16))
    size = shape[0] * shape[1]
    values = np.array(draw(st.lists(entry, min_size=size, max_size=size)))
    match draw(st.sampled_from(["all", "one entry", "rank one", "tied", "zero"])):
        case "one entry":
            values *= np.arange(size) == draw(st.integers(0, size - 1))
        case "rank one":
            values = np.outer(values[: shape[0]], values[-shape[1] :]).ravel()
        case "tied":
            values = draw(st.sampled_from([-1.0, 1.0])) * np.eye(*shape).ravel()
        case "zero":
            values = 0 * values
    return values.reshape(shape) * 10.0 ** draw(st.integers(-12, 12))


@each
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_lmo_attains_the_support_function_at_an_extreme_point(name, data):
    g = data.draw(directions(shape_of(name)))
    s = np.asarray(lmo(SETS[name], jnp.asarray(g)))
    unit = g / (np.abs(g).max() or 1.0)
    assert excess(name, s) <= 20 * EPS
    slack = 50 * EPS
    if name == "newton_schulz":
        # What the docstring states for singular values below the resolution.
        values = singular_values(unit)
        bound = min(values.size**0.25 * values.max(), np.linalg.norm(unit))
        slack += SIZE * RESOLUTION / 4 * bound * (values < RESOLUTION * bound).sum()
    else:
        assert distance_from_extreme(name, s) <= 20 * EPS
    assert np.sum(unit * s) <= -support(name, -unit) + slack


def spectra(n: int) -> dict[str, np.ndarray]:
    """Matrices that are easy and hard for a Krylov method, of norm 1 or so."""
    rng = np.random.default_rng(n)
    u, v = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    one = np.zeros((n, n))
    one[n // 2, 3] = -7.0
    block = np.zeros((n, n))
    block[: n // 2, : n // 2] = np.eye(n // 2)
    return {
        "dense": rng.standard_normal((n, n)),
        "fast decay": (u * 0.5 ** np.arange(n)) @ v,
        "crowded": (u * np.linspace(1, 0.9, n)) @ v,
        "tied": (u * np.r_[1, 1, 1, np.linspace(0.99, 0, n - 3)]) @ v,
        "close": (u * np.r_[1, 1 - 1e-6, np.linspace(0.5, 0, n - 2)]) @ v,
        "rank two": np.outer(u[0], v[0]) - 0.5 * np.outer(u[1], v[1]),
        "one entry": one,
        "projection": block,
        "negative": -(u * np.linspace(1, 2, n)) @ u.T,
        "zero": np.zeros((n, n)),
    }


MATRIX_FREE = ("nuclear", "spectrahedron", "fantope")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("name", MATRIX_FREE)
def test_matrix_free_oracle_keeps_its_stated_error(name, dtype):
    """Above the size of full decompositions, over spectra of all kinds, against full ones."""
    n, eps = LARGE, float(jnp.finfo(dtype).eps)
    for kind, g in spectra(n).items():
        g = np.asarray(jnp.asarray(g, dtype), np.float64)
        s = np.asarray(lmo(SETS[name], jnp.asarray(g, dtype)), np.float64)
        assert excess(name, s) <= 20 * eps, kind
        assert distance_from_extreme(name, s) <= 20 * eps, kind
        norm = singular_values((g + g.T) / 2 if name in SQUARE else g).max()
        count = 2 if name == "fantope" else 1
        stated = SIZE * norm * count * tolerance(dtype, n) / (2 if name == "nuclear" else 1)
        assert np.sum(g * s) <= -support(name, -g) + stated + 20 * eps * SIZE * norm, kind
        if kind not in ("crowded", "tied", "dense"):  # a gap follows
            assert np.sum(g * s) <= -support(name, -g) + 30 * eps * SIZE * norm, kind


def decompositions(function, *arguments) -> list[tuple[int, ...]]:
    """Shapes of what is decomposed, in the program of the function and all its parts."""
    shapes = []

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name in ("eigh", "svd"):
                shapes.append(equation.invars[0].aval.shape[-2:])
            for parameter in equation.params.values():
                for part in jax.tree.leaves(parameter, is_leaf=lambda p: hasattr(p, "eqns")):
                    inner = getattr(part, "jaxpr", part)
                    if hasattr(inner, "eqns"):
                        visit(inner)

    visit(jax.make_jaxpr(function)(*arguments).jaxpr)
    return shapes


@pytest.mark.parametrize("name", MATRIX_FREE)
def test_above_the_size_no_decomposition_grows_with_the_matrix(name):
    found = [decompositions(SETS[name].lmo, jnp.ones((n, n))) for n in (64, 65, 400)]
    assert found[0] == [(64, 64)]
    assert found[1] == found[2] != []
    assert max(max(shape) for shape in found[2]) <= 48


@pytest.mark.parametrize("shape", [(70, 90), (90, 70), (1, 80), (500, 3)])
def test_the_leading_pair_of_matrices_that_are_not_square(shape):
    g = np.random.default_rng(1).standard_normal(shape)
    s = np.asarray(lmo(SETS["nuclear"], jnp.asarray(g)))
    np.testing.assert_allclose(np.sum(g * s), -support("nuclear", g), rtol=1e-14)


@each
@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_of_answers_and_their_feasibility(name, dtype):
    n = LARGE if dtype == jnp.float32 and name in MATRIX_FREE else SMALL
    eps = float(jnp.finfo(dtype).eps)
    g = jnp.asarray(np.random.default_rng(2).standard_normal((n, n)), dtype)
    constraint = SETS[name]
    answers, _ = ask(constraint, g)
    for found in answers:
        assert (found.shape, found.dtype) == (g.shape, g.dtype)
    s = answers[0]
    assert contains(constraint, s)
    assert contains(constraint, project(constraint, 100 * g))
    assert excess(name, np.asarray(s, np.float64)) <= 5 * np.sqrt(n) * eps
    g64, s64 = np.asarray(g, np.float64), np.asarray(s, np.float64)
    if name == "newton_schulz":
        return  # small singular values: measured apart
    assert np.sum(g64 * s64) <= -(1 - 20 * np.sqrt(n) * eps) * support(name, -g64)


@pytest.mark.usefixtures("strict_dtypes")
@each
def test_no_dtype_is_promoted_in_silence(name):
    answers, inside = jax.eval_shape(ask, SETS[name], jnp.ones((SMALL, SMALL), jnp.float32))
    assert not any(found.weak_type for found in answers)
    assert inside.dtype == bool


@each
def test_the_ends_of_the_range(name):
    info = jnp.finfo(jnp.float32)
    pattern = np.array([[1, -0.5, 0, 0], [0, 0.25, 1, 0], [0.5, 0.5, -1, 0], [0, 0, 0, 0.75]])
    expected = lmo(SETS[name], jnp.asarray(pattern, jnp.float32))
    for factor in (float(info.max), float(info.tiny) * 8):
        found = lmo(SETS[name], jnp.asarray(pattern * factor, jnp.float32))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@each
def test_the_zero_direction_gives_the_same_extreme_point_as_minus_the_first_unit_matrix(name):
    s = np.asarray(lmo(SETS[name], jnp.zeros((SMALL, SMALL))))
    assert excess(name, s) <= 20 * EPS
    np.testing.assert_allclose(s[0, 0], SIZE, rtol=1e-14)
    if name != "newton_schulz":
        assert distance_from_extreme(name, s) <= 20 * EPS


# Newton-Schulz.


TOLERANCES = (None, 0.01, 0.25)


def composed(t: np.ndarray, steps: list[tuple[float, float, float]]) -> np.ndarray:
    for a, b, c in steps:
        t = t * (a - b * t**2 + c * t**4)
    return t


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_newton_schulz_polynomial_is_within_its_bounds_and_takes_every_step_of_it(dtype, tolerance):
    eps = float(np.finfo(dtype).eps)
    steps, most = polynomials(eps, tolerance), eps if tolerance is None else tolerance
    assert len(steps) == {None: 7 + (dtype == np.float64), 0.01: 6, 0.25: 5}[tolerance]
    resolved = np.geomspace(RESOLUTION, 1, 100_001)
    small = np.linspace(0, RESOLUTION, 1001)
    assert composed(resolved, steps).min() >= 1 - most - 1e-15
    assert composed(np.r_[small, resolved], steps).max() <= 1 + 1e-15
    assert np.all(composed(small, steps) >= (1 - most) * small / RESOLUTION - 1e-15)
    assert composed(resolved, steps[:-1]).min() < 1 - 5 * eps - (tolerance or 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_newton_schulz_steps_are_the_best_and_leave_room_for_round_off(dtype):
    """The ends and the extrema alternate, by Chebyshev; round-off is not taken beyond 1."""
    eps = float(np.finfo(dtype).eps)
    low = RESOLUTION
    for a, b, c in polynomials(eps)[:6]:
        shrink = 1 - CUSHION * eps
        found = np.roots([5 * c, 0, -3 * b, 0, a])
        q, r = np.sort(found[(found > 0)])
        values = composed(np.array([low / shrink, q, r, 1 / shrink]), [(a, b, c)])
        np.testing.assert_allclose(values, values[0] * np.array([1, 0, 1, 0]) + [0, 1, 0, 1])
        assert low < q < r < 1
        assert composed(1 + CUSHION * eps, [(a, b, c)]) <= 1 + 1e-14
        low = composed(low, [(a, b, c)])


@pytest.mark.parametrize("tolerance", TOLERANCES[1:])
def test_a_tolerance_is_what_the_singular_values_may_lack_and_no_more(tolerance):
    ball = spectral_norm_ball(SIZE, method="newton_schulz", tolerance=tolerance)
    rng = np.random.default_rng(5)
    u, v = (np.linalg.qr(rng.standard_normal((40, 40)))[0] for _ in range(2))
    values = singular_values(lmo(ball, jnp.asarray((u * np.geomspace(1, 3e-3, 40)) @ v))) / SIZE
    assert 1 - tolerance <= values.min() < 1 - tolerance / 10
    assert values.max() <= 1 + 20 * EPS


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_newton_schulz_misses_the_minimum_by_what_is_stated(dtype):
    """Singular values on both sides of the resolution, and the error measured by their sum."""
    n, eps = 30, float(jnp.finfo(dtype).eps)
    rng = np.random.default_rng(4)
    u, v = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    for smallest in (1.0, 0.1, 2e-3, 1e-4, 1e-9):
        g = np.asarray(jnp.asarray((u * np.geomspace(1, smallest, n)) @ v, dtype), np.float64)
        s = np.asarray(lmo(SETS["newton_schulz"], jnp.asarray(g, dtype)), np.float64)
        values = singular_values(g)
        bound = np.sum(values**4) ** 0.25
        few = (values < RESOLUTION * bound).sum()
        stated = SIZE * (eps * values.sum() + RESOLUTION / 4 * bound * few)
        shortfall = np.sum(g * s) + SIZE * values.sum()
        assert shortfall <= stated + 10 * n * eps
        assert excess("spectral", s) <= 20 * eps
        if few == 0:
            assert distance_from_extreme("spectral", s) <= 20 * eps
        elif smallest == 1e-4:
            assert shortfall > 0.01 * stated  # the bound is of the right order


# Stacks, trees, transformations.


@pytest.mark.parametrize(
    ("name", "n"), [*((name, SMALL) for name in SETS), ("nuclear", LARGE), ("fantope", LARGE)]
)
def test_stacks_and_trees_are_products(name, n):
    """Also above the size of the iteration, where each matrix takes its own number of steps."""
    stack = jnp.asarray(np.random.default_rng(5).standard_normal((2, 2, n, n)))
    constraint = SETS[name]
    like = {"a": stack, "b": stack[0, 1]}
    alone = functools.partial(ask, constraint)
    found = ask(constraint, like)[0] if n == SMALL else [jax.jit(constraint.lmo)(like)]
    for k in range(len(found)):
        for i, j in np.ndindex(2, 2):
            np.testing.assert_allclose(found[k]["a"][i, j], alone(stack[i, j])[0][k], atol=1e-13)
        np.testing.assert_allclose(found[k]["b"], alone(stack[0, 1])[0][k], atol=1e-13)
    np.testing.assert_allclose(
        constraint.diameter(like), np.sqrt(5) * constraint.diameter(stack[0, 0]), rtol=1e-15
    )
    inside = jax.tree.map(np.array, found[0])
    if n == SMALL:
        assert contains(constraint, inside)
        inside["a"][1, 0] *= 1.01
        assert not contains(constraint, inside)


@each
def test_vmap_over_directions_and_sizes_agrees_with_one_at_a_time(name):
    """More lanes than the threads that stacked decompositions would block."""
    rows = jnp.asarray(np.random.default_rng(6).standard_normal((9, SMALL, SMALL)))
    sizes = np.linspace(1.0, 2.0, 9)
    field = "radius" if hasattr(SETS[name], "radius") else "scale"

    def of_size(size):
        return dataclasses.replace(SETS[name], **{field: size})

    together = jax.jit(jax.vmap(lambda size, g: ask(of_size(size), g)[0]))(sizes, rows)
    for i in range(9):
        alone = ask(of_size(float(sizes[i])), rows[i])[0]
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[i], expected, atol=1e-13)


@pytest.mark.parametrize("name", ["nuclear", "fantope"])
def test_vmap_of_vmap_agrees_with_one_at_a_time(name):
    rows = jnp.asarray(np.random.default_rng(6).standard_normal((3, 3, SMALL, SMALL)))
    deep = jax.jit(jax.vmap(jax.vmap(SETS[name].lmo)))(rows)
    for i, j in np.ndindex(3, 3):
        np.testing.assert_allclose(deep[i, j], lmo(SETS[name], rows[i, j]), atol=1e-13)


def test_vmap_of_the_matrix_free_method():
    rows = jnp.asarray(np.random.default_rng(7).standard_normal((3, LARGE, LARGE)))
    together = jax.jit(jax.vmap(SETS["nuclear"].lmo))(rows)
    for i in range(3):
        np.testing.assert_allclose(together[i], lmo(SETS["nuclear"], rows[i]), atol=1e-13)


@pytest.mark.parametrize(("name", "n"), [("nuclear", LARGE), ("fantope", SMALL)])
def test_sets_work_on_the_shards_of_a_mesh(name, n):
    mesh = jax.make_mesh((2,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jnp.asarray(np.random.default_rng(8).standard_normal((2, n, n)))
    sharded = jax.jit(
        jax.shard_map(
            lambda c, x: c.lmo(x[0])[None], mesh=mesh, in_specs=(P(), P("i")), out_specs=P("i")
        )
    )
    found = sharded(SETS[name], rows)
    for i in range(2):
        np.testing.assert_allclose(found[i], lmo(SETS[name], rows[i]), atol=1e-13)


def test_sets_cross_jit_with_traced_numbers_and_static_structure():
    leaves, structure = jax.tree.flatten(fantope(2, 3.0))
    assert leaves == [3.0]
    assert structure != jax.tree.structure(fantope(3, 3.0))
    assert jax.tree.leaves(spectral_norm_ball(2.0, method="newton_schulz")) == [2.0]
    g = jnp.diag(jnp.array([-1.0, -2.0, 0.0]))
    made_inside = jax.jit(lambda r: nuclear_norm_ball(r).lmo(g))
    np.testing.assert_allclose(made_inside(4.0)[1, 1], 4.0, rtol=1e-14)
    batch = nuclear_norm_ball(jnp.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"radius must be a scalar here, got the shape \(2,\)"):
        batch.lmo(g)


# Values that are not finite.


@each
@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_a_direction_that_is_not_finite_raises_or_poisons_every_coordinate(name, n):
    constraint = SETS[name]
    by_lane = jax.jit(jax.vmap(constraint.lmo))
    for bad in (np.nan, np.inf):
        g = np.eye(n)
        g[1, 0] = bad
        g = jnp.asarray(g)
        with pytest.raises(ValueError, match="direction must be finite"):
            constraint.lmo(g)
        with pytest.raises(ValueError, match="x must be finite"):
            constraint.project(g)
        assert np.isnan(lmo(constraint, g)).all()
        assert not contains(constraint, g)
        if n == SMALL:
            assert np.isnan(project(constraint, g)).all()
            found = by_lane(np.stack([g, np.eye(n)]))
            assert np.isnan(found[0]).all()
            assert np.isfinite(found[1]).all()
        if np.isnan(bad):
            assert np.isnan(retract(constraint, g)[1, 0])


# Diameters.


def widest_pair(name: str, m: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two points of the set that are as far apart as any."""
    unit = SIZE * np.eye(m, n)
    match name:
        case "nuclear":
            first = np.zeros((m, n))
            first[0, 0] = SIZE
            return first, -first
        case "spectral" | "newton_schulz":
            return unit, -unit
    k = 1 if name == "spectrahedron" else 2
    return unit * (np.arange(n) < k), unit * (np.arange(n) >= n - k)


@each
@pytest.mark.parametrize("shape", [(3, 3), (5, 5), (2, 6)])
def test_diameter_is_attained_and_never_exceeded(name, shape):
    m, n = shape
    if name in SQUARE and m != n:
        return
    constraint = SETS[name]
    x, y = widest_pair(name, m, n)
    assert max(excess(name, x), excess(name, y)) <= 20 * EPS
    diameter = constraint.diameter(jax.ShapeDtypeStruct(shape, jnp.float32))
    assert diameter.dtype == jnp.float64
    np.testing.assert_allclose(np.linalg.norm(x - y), diameter, rtol=1e-14)
    directions = jnp.asarray(np.random.default_rng(9).standard_normal((20, m, n)))
    points = np.asarray(jax.jit(jax.vmap(constraint.lmo))(directions))
    apart = np.linalg.norm(points[:, None] - points[None], axis=(-2, -1))
    assert apart.max() <= diameter + 1e-14 * SIZE


def test_a_fantope_of_full_rank_is_a_point():
    only = fantope(3, 2.0)
    for found in ask(only, 2.1 * np.eye(3))[0]:
        np.testing.assert_allclose(found, 2 * np.eye(3), atol=1e-14)
    assert float(only.diameter(jnp.ones((3, 3)))) == 0.0
    assert float(spectrahedron().diameter(jnp.ones((1, 1)))) == 0.0


# Projections, retractions, membership.


@each
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_projection_satisfies_the_variational_inequality(name, data):
    """P = P(x) iff p is in C and <x - p, s> <= <x - p, p> for all s in C."""
    shape = shape_of(name)
    x = data.draw(directions(shape)) + data.draw(st.sampled_from([0.0, 1.0])) * np.eye(*shape)
    p = np.asarray(project(SETS[name], jnp.asarray(x)))
    assert excess(name, p) <= 30 * EPS
    residual = (x - p) / max(np.abs(x).max(), 1.0)
    assert support(name, residual) - np.sum(residual * p) <= 1e-13


@each
def test_projection_and_retraction_keep_feasible_points(name):
    rng = np.random.default_rng(10)
    points = [lmo(SETS[name], g) for g in rng.standard_normal((4, SMALL, SMALL))]
    inside = jnp.asarray(np.tensordot(rng.dirichlet(np.ones(4)), points, axes=1))
    for method in (project, retract):
        np.testing.assert_allclose(method(SETS[name], inside), inside, atol=1e-14)


@each
@pytest.mark.parametrize("n", [SMALL, LARGE])
def test_retraction_brings_back_what_a_little_noise_has_moved_out(name, n):
    rng = np.random.default_rng(11)
    x = lmo(SETS[name], jnp.asarray(rng.standard_normal((n, n))))
    moved = x * (1 + 1e-9) + 1e-10 * rng.standard_normal((n, n))
    assert not contains(SETS[name], moved)
    back = retract(SETS[name], moved)
    np.testing.assert_allclose(back, x, atol=2e-8)
    # Above the size a norm is found to sqrt(eps), and a few sets are rescaled only.
    if n <= 64:
        assert excess(name, np.asarray(back)) <= 50 * EPS
    elif name in ("spectral", "newton_schulz"):
        assert excess(name, np.asarray(back)) <= np.sqrt(EPS)


def test_retraction_by_hand():
    np.testing.assert_allclose(
        retract(nuclear_norm_ball(2.0), np.diag([3.0, -1.0])),
        np.diag([1.5, -0.5]),
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        retract(spectral_norm_ball(2.0), np.diag([3.0, -1.5])),
        np.diag([2.0, -1.0]),
        rtol=1e-14,
    )
    assert retract(spectral_norm_ball(2.0), np.zeros((2, 2))).tolist() == [[0.0] * 2] * 2
    pulled = retract(spectrahedron(), np.diag([1.25, -0.25]))
    np.testing.assert_allclose(pulled, np.diag([1.0, 0.0]), atol=1e-14)
    skew = retract(spectrahedron(), np.array([[1.0, 0.5], [-0.5, 1.0]]))
    np.testing.assert_allclose(skew, np.eye(2) / 2, atol=1e-14)


@each
def test_membership_sees_every_inequality(name):
    x = np.array(
        lmo(SETS[name], jnp.asarray(np.random.default_rng(12).standard_normal((SMALL, SMALL))))
    )
    assert contains(SETS[name], jnp.asarray(x))
    relaxed = jax.jit(lambda point: SETS[name].contains(point, 10.0))
    wrong = [1.001 * x]
    if name in SQUARE:
        k = 1 if name == "spectrahedron" else 2
        skew = np.zeros((SMALL, SMALL))
        skew[0, 1], skew[1, 0] = 0.1, -0.1
        negative = SIZE * np.diag([1.0, k - 0.9, -0.1, 0.0])
        too_large = SIZE * k * np.diag([1.1 / k, 1 - 1.1 / k, 0.0, 0.0])
        wrong += [0.999 * x, x + skew, negative, too_large]
    for point in wrong:
        assert not contains(SETS[name], jnp.asarray(point))
        assert bool(relaxed(point))


# Errors.


def test_bad_arguments_are_named():
    for make, word in ((nuclear_norm_ball, "radius"), (spectrahedron, "scale")):
        for value in (0.0, -1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match=f"{word} must be positive and finite, got"):
                make(value)
        with pytest.raises(TypeError, match=f"{word} must be a real number"):
            make("1")
    with pytest.raises(ValueError, match="method must be 'svd' or 'newton_schulz', got 'qr'"):
        spectral_norm_ball(1.0, method="qr")
    with pytest.raises(ValueError, match="tolerance must lie between 0 and 1, got 1"):
        spectral_norm_ball(1.0, method="newton_schulz", tolerance=1)
    with pytest.raises(TypeError, match="tolerance must be a number or None"):
        spectral_norm_ball(1.0, method="newton_schulz", tolerance="0.1")
    with pytest.raises(ValueError, match="'svd' has none, got tolerance"):
        spectral_norm_ball(1.0, tolerance=0.1)
    with pytest.raises(ValueError, match="k must be an int of at least 1, got 0"):
        fantope(0)
    with pytest.raises(TypeError, match="k must be an int"):
        fantope(1.5)
    with pytest.raises(ValueError, match="range of float16"):
        nuclear_norm_ball(1e5).lmo(jnp.ones((2, 2), jnp.float16))


@pytest.mark.parametrize("method", ["lmo", "project", "retract", "contains", "diameter"])
def test_leaves_that_are_no_matrices_of_the_set_are_named(method):
    call = {
        "vector": (nuclear_norm_ball(1.0), jnp.ones(3), r"leaf\['w'\] must have shape"),
        "empty": (spectral_norm_ball(1.0), jnp.ones((0, 3)), r"m, n >= 1, got \(0, 3\)"),
        "oblong": (spectrahedron(), jnp.ones((2, 3)), r"square matrices: the leaf\['w'\].* 2 x 3"),
        "small": (fantope(3), jnp.ones((2, 2)), "k = 3 takes matrices of at least that size"),
    }
    for constraint, leaf, message in call.values():
        with pytest.raises(ValueError, match=message):
            getattr(constraint, method)({"w": leaf})


def test_empty_trees_and_stacks_come_back():
    for constraint in SETS.values():
        assert constraint.lmo({}) == {}
        assert float(constraint.diameter([])) == 0.0
        assert bool(constraint.contains({}))


# Frank-Wolfe.


def test_sarah_frank_wolfe_completes_a_matrix_of_low_rank():
    """float32, above the size of the iteration, beside another leaf of the tree."""
    rng = np.random.default_rng(13)
    truth = np.outer(rng.standard_normal(80), rng.standard_normal(70))
    radius = float(np.linalg.norm(truth))
    truth = jnp.asarray(truth, jnp.float32)
    constraint = product({"matrix": nuclear_norm_ball(radius), "offset": box(-1.0, 1.0)})
    method = optzoo.sarah_frank_wolfe(
        constraint, optzoo.open_loop_schedule(), 0.3, key=jax.random.key(0)
    )

    def loss(params, rows):
        return jnp.mean((params["matrix"][rows] + params["offset"] - truth[rows]) ** 2)

    @jax.jit
    def step(params, state, rows):
        updates, state = method.update(
            jax.grad(loss)(params, rows),
            state,
            params,
            grad_fn=lambda p: jax.grad(loss)(p, rows),
            full_grad_fn=lambda p: jax.grad(loss)(p, jnp.arange(80)),
        )
        return optax.apply_updates(params, updates), state

    params = {"matrix": jnp.zeros((80, 70), jnp.float32), "offset": jnp.zeros((), jnp.float32)}
    state = method.init(params)
    start = float(loss(params, jnp.arange(80)))
    for k in range(60):
        rows = jax.random.randint(jax.random.key(k), (20,), 0, 80)
        params, state = step(params, state, rows)
    assert float(loss(params, jnp.arange(80))) < 0.05 * start
    assert excess("nuclear", np.asarray(params["matrix"]) * SIZE / radius) <= 1e-5
