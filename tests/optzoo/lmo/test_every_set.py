"""Every row of the table of sets: oracle, diameter, membership, projection and retraction."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo.lmo

from .sets import CURVED, POLYTOPES, SETS, Row

every_set = pytest.mark.parametrize("name", SETS)


@jax.jit
def ask(constraint, v):
    """Compiled once for each row and dtype: all that is asked but the projection."""
    return constraint.lmo(v), constraint.contains(v), constraint.retract(v)


def lmo(constraint, direction):
    return ask(constraint, direction)[0]


def contains(constraint, x):
    return bool(ask(constraint, x)[1])


def retract(constraint, x):
    return ask(constraint, x)[2]


project = jax.jit(lambda constraint, x: constraint.project(x))


def size_of(row: Row) -> float:
    """The largest magnitude in the set, by its coordinate directions."""
    d = int(np.prod(row.shape))
    answers = [lmo_of(row, sign * unit) for unit in np.eye(d) for sign in (1.0, -1.0)]
    return max(1e-300, float(np.abs(answers).max()))


def lmo_of(row: Row, direction: np.ndarray) -> np.ndarray:
    return np.asarray(lmo(row.constraint, jnp.asarray(direction.reshape(row.shape)))).ravel()


def least(row: Row, direction: np.ndarray) -> float:
    """The minimum of <direction, s>, by enumeration or by the support function."""
    if row.vertices is not None:
        return float((row.vertices @ direction).min())
    assert row.support is not None
    return -row.support(-direction)


def test_every_set_of_the_package_is_in_the_table():
    """Those of the matrix norms have tests of their own, and so have the sets made of sets."""
    apart = ("spectral", "cartesian_product", "matricization", "layers")
    vector_sets = {
        name
        for name in optzoo.lmo.__all__
        if not inspect.isabstract(symbol := getattr(optzoo.lmo, name))
        and not symbol.__module__.endswith(apart)
    }
    assert vector_sets == {type(row.constraint).__name__ for row in SETS.values()}


@every_set
def test_a_zero_direction_and_its_ties_give_the_first_extreme_point(name):
    row = SETS[name]
    for zero in (0.0, -0.0):
        found = lmo_of(row, np.full(int(np.prod(row.shape)), zero))
        np.testing.assert_allclose(found, np.ravel(row.at_zero), rtol=4e-16, atol=1e-16)


@every_set
def test_ties_go_to_the_first_coordinate(name):
    """Directions with equal magnitudes: of the minimal vertices, one and the same, in any scale."""
    row = SETS[name]
    rng = np.random.default_rng(1)
    for _ in range(5):
        g = rng.choice([-1.0, 1.0], int(np.prod(row.shape)))
        answers = [lmo_of(row, scale * g) for scale in (1.0, 3.0, 1e-12, 1e12)]
        for other in answers[1:]:
            np.testing.assert_allclose(other, answers[0], rtol=1e-15)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@every_set
def test_narrow_dtypes_are_kept_feasible_and_minimal(name, dtype):
    row = SETS[name]
    eps = float(jnp.finfo(dtype).eps)
    rng = np.random.default_rng(2)
    for exponent in (0, -12, 12):
        g = jnp.asarray(rng.standard_normal(row.shape) * 10.0**exponent, dtype)
        s = lmo(row.constraint, g)
        retracted = retract(row.constraint, s)
        assert s.dtype == retracted.dtype == dtype
        assert s.shape == row.shape
        assert contains(row.constraint, s)
        assert contains(row.constraint, retracted)
        exact, found = np.asarray(g, np.float64).ravel(), np.asarray(s, np.float64).ravel()
        scale = np.abs(exact).sum() * max(np.abs(found).max(), 1)
        assert abs(exact @ found - least(row, exact)) <= 8 * eps * scale
        near = np.abs(np.asarray(retracted, np.float64).ravel() - found).max()
        assert near <= 16 * eps * max(np.abs(found).max(), 1)


@every_set
def test_a_direction_that_is_not_finite_raises_or_makes_every_coordinate_nan(name):
    row = SETS[name]
    for bad in (np.nan, np.inf, -np.inf):
        g = np.ones(row.shape)
        g.flat[1] = bad
        with pytest.raises(ValueError, match="direction must be finite"):
            row.constraint.lmo(jnp.asarray(g))
        assert np.isnan(lmo_of(row, g)).all()
        assert not contains(row.constraint, jnp.asarray(g))
    g = np.array(lmo(row.constraint, jnp.ones(row.shape)))
    g.flat[1] = np.nan
    assert np.isnan(retract(row.constraint, jnp.asarray(g))).any()


@every_set
def test_sets_and_directions_are_batched(name):
    """Each lane has a set of its own, twice the numbers of the other."""
    row = SETS[name]
    rng = np.random.default_rng(3)
    g = jnp.asarray(rng.standard_normal((2, *row.shape)))
    g = g.at[1].set(jnp.asarray(rng.integers(-1, 2, row.shape), g.dtype))
    sets = [row.constraint, jax.tree.map(lambda leaf: 2 * leaf, row.constraint)]
    batch = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(v) for v in leaves]), *sets)
    found = jax.jit(jax.vmap(ask, axis_size=2))(batch, g)
    for lane, constraint in enumerate(sets):
        for a, b in zip(found, ask(constraint, g[lane]), strict=True):
            np.testing.assert_allclose(a[lane], b, rtol=1e-13, atol=1e-15)


@every_set
def test_diameter(name):
    row = SETS[name]
    found = row.constraint.diameter(jax.ShapeDtypeStruct(row.shape, jnp.float32))
    assert (found.shape, found.dtype) == ((), jnp.float64)
    if row.vertices is not None:
        gaps = row.vertices[:, None] - row.vertices[None]
        exact = np.linalg.norm(gaps, axis=-1).max()
        if not row.diameter_is_exact:
            assert exact <= float(found) <= 2 * exact
            return
    else:
        a, b = (np.reshape(point, row.shape) for point in row.farthest)
        assert contains(row.constraint, jnp.asarray(a))
        assert contains(row.constraint, jnp.asarray(b))
        exact = np.linalg.norm(a - b)
        rng = np.random.default_rng(4)
        ends = [lmo_of(row, rng.standard_normal(row.shape)) for _ in range(100)]
        gaps = np.asarray(ends)[:, None] - np.asarray(ends)[None]
        assert np.linalg.norm(gaps, axis=-1).max() <= exact * (1 + 1e-14)
    np.testing.assert_allclose(found, exact, rtol=1e-14)


@every_set
def test_membership_ends_at_the_boundary(name):
    """On rays from a point inside through extreme points; 1 percent farther is outside."""
    row = SETS[name]
    rng = np.random.default_rng(5)
    ends = np.array([lmo_of(row, rng.standard_normal(row.shape)) for _ in range(40)])
    inner = ends.mean(axis=0)
    assert contains(row.constraint, jnp.asarray(inner.reshape(row.shape)))
    for end in ends[:10]:
        for factor, expected in ((0.999, True), (1.01, False)):
            x = (inner + factor * (end - inner)).reshape(row.shape)
            assert contains(row.constraint, jnp.asarray(x)) is expected
            if not expected:
                back = np.asarray(retract(row.constraint, jnp.asarray(x)))
                assert contains(row.constraint, jnp.asarray(back))


@every_set
def test_membership_is_not_fooled_from_any_side(name):
    """A point moved out by 1 percent along any coordinate, past where the oracle says it ends."""
    row = SETS[name]
    d = int(np.prod(row.shape))
    for unit in np.concatenate([np.eye(d), -np.eye(d)]):
        x = lmo_of(row, -unit) + 0.01 * unit
        assert not contains(row.constraint, jnp.asarray(x.reshape(row.shape)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@every_set
def test_retraction_undoes_round_off_and_nothing_else(name, dtype):
    row = SETS[name]
    eps = float(jnp.finfo(dtype).eps)
    rng = np.random.default_rng(6)
    size = size_of(row)
    for _ in range(8):
        ends = np.array([lmo_of(row, rng.standard_normal(row.shape)) for _ in range(3)])
        exact = (rng.dirichlet(np.ones(3)) @ ends).reshape(row.shape)
        kept = retract(row.constraint, jnp.asarray(exact, dtype))
        assert kept.dtype == dtype
        np.testing.assert_allclose(np.asarray(kept, np.float64), exact, atol=50 * eps * size)
        pushed = exact + 30 * eps * size * rng.choice([-1, 1], row.shape)
        back = retract(row.constraint, jnp.asarray(pushed, dtype))
        assert contains(row.constraint, back)
        assert np.abs(np.asarray(back, np.float64) - exact).max() <= 2000 * eps * size


@pytest.mark.parametrize("name", [name for name, row in SETS.items() if row.projects])
def test_projection_satisfies_the_variational_inequality(name):
    """P = P(x) iff p is in C and <x - p, s - p> <= 0 for all s in C, the oracle's the first."""
    row = SETS[name]
    rng = np.random.default_rng(8)
    for k in range(60):
        x = (rng.standard_normal(row.shape) * [0.3, 1.0, 3.0, 1e6][k % 4]).ravel()
        if k % 5 == 0:
            x = np.round(x)
        p = np.asarray(project(row.constraint, jnp.asarray(x.reshape(row.shape)))).ravel()
        assert contains(row.constraint, jnp.asarray(p.reshape(row.shape)))
        residual = (x - p) / max(np.abs(x).max(), 1.0)
        # The projection is exact to the round-off of x.
        assert -least(row, -residual) - residual @ p <= 1e-13 + 4e-16 * np.abs(x).max()
        again = np.asarray(project(row.constraint, jnp.asarray(p.reshape(row.shape)))).ravel()
        np.testing.assert_allclose(again, p, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [name for name, row in SETS.items() if not row.projects])
def test_a_set_without_a_cheap_projection_says_so(name):
    constraint = SETS[name].constraint
    with pytest.raises(NotImplementedError, match=f"{type(constraint).__name__} has no projection"):
        constraint.project(jnp.zeros(SETS[name].shape))


@pytest.mark.parametrize("name", [name for name, row in SETS.items() if row.takes_trees])
def test_a_tree_is_read_as_one_vector(name):
    """Its leaves have dtypes of their own, which they keep."""
    row = SETS[name]
    rng = np.random.default_rng(9)
    g = jnp.asarray(rng.standard_normal(row.shape), jnp.float32)
    whole = ask(row.constraint, g.astype(jnp.float64))
    tree = {"a": g[0], "b": (g[1:3].reshape(1, 2).astype(jnp.float64), g[3:])}
    with jax.numpy_dtype_promotion("strict"):
        parts = ask(row.constraint, tree)
    assert bool(whole[1]) == bool(parts[1])
    for part, vector in ((parts[0], whole[0]), (parts[2], whole[2])):
        assert jax.tree.map(lambda v: v.dtype, part) == jax.tree.map(lambda v: v.dtype, tree)
        joined = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(part)])
        np.testing.assert_allclose(joined, np.ravel(vector), rtol=1e-5, atol=1e-6)


@every_set
def test_sets_are_frozen_trees_of_numbers(name):
    constraint = SETS[name].constraint
    assert isinstance(constraint, optzoo.lmo.ConstraintSet)
    assert not callable(constraint)
    leaves, treedef = jax.tree.flatten(constraint)
    rebuilt = jax.tree.unflatten(treedef, [object() for _ in leaves])
    assert type(rebuilt) is type(constraint)
    assert jax.tree.structure(rebuilt) == treedef
    assert name in CURVED or name in POLYTOPES
