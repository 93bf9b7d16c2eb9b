"""Linear minimisation oracles against linear programs, enumeration and optimality conditions."""

import dataclasses
import itertools
import operator

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax.sharding import PartitionSpec as P
from scipy.optimize import linprog

from optzoo import _tree_vector
from optzoo.lmo import ConstraintSet, box, l1_ball, l2_ball, linf_ball, product, simplex

FLOATS = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)
LOWER, UPPER = np.array([-1.0, 0.5, -2.0, 3.0, 0.0]), np.array([1.0, 0.75, 4.0, 3.0, 1e-3])

# HiGHS ignores costs below 1e-7; the enumeration of vertices is the exact check.
SOLVER_ATOL = 1e-5

# Compiled once per kind of set and shape: the numbers of a set are arguments.
lmo = jax.jit(lambda constraint, direction: constraint.lmo(direction))
project = jax.jit(lambda constraint, x: constraint.project(x))
retract = jax.jit(lambda constraint, x: constraint.retract(x))
contains = jax.jit(lambda constraint, x, atol=None: constraint.contains(x, atol))

# Names, so that a failing case says which set it is about.
POLYTOPES = {
    "l1_ball": lambda d: l1_ball(2.5),
    "simplex": lambda d: simplex(0.75),
    "box": lambda d: box(LOWER[:d], UPPER[:d]),
    "cube": lambda d: box(-1.0, 2.0),
}
EVERY_SET = POLYTOPES | {"l2_ball": lambda d: l2_ball(2.5)}


def vertices(constraint: ConstraintSet, d: int) -> np.ndarray:
    """All vertices, one a row."""
    match constraint:
        case l1_ball():
            return constraint.radius * np.concatenate([np.eye(d), -np.eye(d)])
        case simplex():
            return constraint.scale * np.eye(d)
        case box():
            low, high = (np.broadcast_to(b, d) for b in (constraint.lower, constraint.upper))
            return np.array(list(itertools.product(*zip(low, high, strict=True))))
    raise AssertionError(constraint)


def linear_program(constraint: ConstraintSet, direction: np.ndarray) -> float:
    """The minimum over s in C of <direction, s> by the HiGHS solver, direction of order one."""
    d = direction.size
    match constraint:
        case l1_ball():
            split = np.concatenate([direction, -direction])
            solved = linprog(split, A_ub=np.ones((1, 2 * d)), b_ub=[constraint.radius])
        case simplex():
            solved = linprog(direction, A_eq=np.ones((1, d)), b_eq=[constraint.scale])
        case box():
            low, high = (np.broadcast_to(b, d) for b in (constraint.lower, constraint.upper))
            solved = linprog(direction, bounds=np.stack([low, high], axis=1))
    assert solved.status == 0
    return float(solved.fun)


def assert_minimises(constraint: ConstraintSet, direction: np.ndarray) -> None:
    """The oracle's answer is a vertex, exactly, and no vertex and no linear program beats it."""
    found = np.asarray(lmo(constraint, jnp.asarray(direction)))
    corners = vertices(constraint, direction.size)
    assert (corners == found).all(axis=1).any(), f"{found} is no vertex"
    scale = np.abs(direction).max() or 1.0
    unit = direction / scale
    best = (corners @ unit).min()
    slack = 1e-12 * np.abs(corners).max()
    assert unit @ found <= best + slack, f"{found} is not minimal"
    np.testing.assert_allclose(linear_program(constraint, unit), best, atol=SOLVER_ATOL)


@st.composite
def directions(draw, sizes=(1, 2, 5)) -> np.ndarray:
    """Vectors with zeros, ties and signed zeros, of magnitude 1e-12 to 1e12."""
    d = draw(st.sampled_from(sizes))
    entry = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5]), st.floats(-1, 1, width=16))
    values = draw(st.lists(entry, min_size=d, max_size=d))
    return np.array(values) * 10.0 ** draw(st.integers(-12, 12))


@pytest.mark.parametrize("name", POLYTOPES)
@settings(deadline=None, max_examples=40)
@given(direction=directions())
def test_lmo_of_a_polytope_solves_the_linear_program(name, direction):
    assert_minimises(POLYTOPES[name](direction.size), direction)


@dataclasses.dataclass(frozen=True)
class mirrored_simplex(ConstraintSet):
    """The simplex with an oracle that answers -sign(g_i) e_i, a bug seen in the wild."""

    scale: float = 1.0

    def _lmo(self, direction):
        return l1_ball(self.scale)._lmo(direction)

    _diameter = _contains = _project = _retract = None


def test_the_check_of_oracles_sees_the_simplex_mistaken_for_the_l1_ball():
    wrong = mirrored_simplex()
    assert np.asarray(wrong.lmo(jnp.array([1.0, 0.0, 0.0]))).tolist() == [-1.0, 0.0, 0.0]
    with pytest.raises(AssertionError):
        check_lmo_of_simplex(wrong)
    check_lmo_of_simplex(simplex())


def check_lmo_of_simplex(constraint: ConstraintSet) -> None:
    for direction in (np.array([1.0, 0.0, 0.0]), np.array([3.0, 2.0, 1.0]), np.zeros(3)):
        found = np.asarray(constraint.lmo(jnp.asarray(direction)))
        assert bool(simplex().contains(jnp.asarray(found)))
        assert direction @ found == direction.min()


@settings(deadline=None, max_examples=25)
@given(parts=st.tuples(directions([5]), directions([2]), directions([1])))
def test_lmo_of_a_product_is_that_of_each_factor(parts):
    a, b, c = parts
    factors = (l1_ball(3.0), simplex(2.0), box(-1.0, 0.5))
    tree = {"a": jnp.asarray(a), "b": [jnp.asarray(b), jnp.asarray(c)]}
    found = lmo(product({"a": factors[0], "b": [factors[1], factors[2]]}), tree)
    for part, factor, value in zip(parts, factors, [found["a"], *found["b"]], strict=True):
        scale = np.abs(part).max() or 1.0
        best = linear_program(factor, part / scale)
        np.testing.assert_allclose((part / scale) @ np.asarray(value), best, atol=SOLVER_ATOL)


@pytest.mark.parametrize("dtype", FLOATS)
def test_lmo_of_the_l2_ball_satisfies_its_optimality_condition(dtype):
    """Equality in Cauchy-Schwarz: s = -radius g / |g|."""
    tolerance = 8 * float(jnp.finfo(dtype).eps)
    exponents = (-3, 0, 3) if dtype == jnp.float16 else (-30, -12, 0, 12, 30)
    for exponent in exponents:
        values = np.random.default_rng(0).uniform(0.1, 1, 50) * 10.0**exponent
        g = jnp.asarray(values * np.resize([1, -1], 50), dtype)
        s = lmo(l2_ball(2.5), {"u": g[:20], "v": g[20:]})
        found = np.concatenate([np.asarray(s["u"], np.float64), np.asarray(s["v"], np.float64)])
        unit = np.asarray(g, np.float64) / np.linalg.norm(np.asarray(g, np.float64))
        np.testing.assert_allclose(found, -2.5 * unit, rtol=tolerance)
        np.testing.assert_allclose(np.linalg.norm(found), 2.5, rtol=tolerance)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["l1_ball", "simplex", "l2_ball", "cube"])
def test_lmo_at_the_ends_of_the_range_of_a_dtype(name, dtype):
    tiny, largest = float(jnp.finfo(dtype).tiny), float(jnp.finfo(dtype).max)
    constraint = EVERY_SET[name](3)
    small = lmo(constraint, jnp.array([tiny, -tiny, 0.0], dtype))
    large = lmo(constraint, jnp.array([largest, -largest, 0.0], dtype))
    unit = lmo(constraint, jnp.array([1.0, -1.0, 0.0], dtype))
    for found in (small, large):
        np.testing.assert_allclose(
            np.asarray(found, np.float64),
            np.asarray(unit, np.float64),
            rtol=4 * float(jnp.finfo(dtype).eps),
        )


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_zero_direction_still_gives_an_extreme_point(zero):
    g = {"a": jnp.full((), zero), "b": jnp.full(2, zero)}

    def answer(constraint):
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(lmo(constraint, g))])

    assert answer(l1_ball(2.0)).tolist() == [2.0, 0.0, 0.0]
    assert answer(l2_ball(2.0)).tolist() == [2.0, 0.0, 0.0]
    assert answer(simplex(2.0)).tolist() == [2.0, 0.0, 0.0]
    assert answer(box(-1.0, 2.0)).tolist() == [2.0, 2.0, 2.0]


def test_ties_go_to_the_first_coordinate_in_flattening_order():
    tied = {"b": jnp.array([1.0, -3.0]), "a": jnp.array([[2.0, 3.0], [-3.0, 3.0]])}
    found = lmo(l1_ball(1.0), tied)
    assert found["a"].tolist() == [[0.0, -1.0], [0.0, 0.0]]
    assert found["b"].tolist() == [0.0, 0.0]
    found = lmo(simplex(), tied)
    assert found["a"].tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert found["b"].tolist() == [0.0, 0.0]
    later = {"a": jnp.array([0.5, 1.0]), "b": jnp.array([-4.0, 4.0])}
    assert lmo(l1_ball(1.0), later)["b"].tolist() == [1.0, 0.0]


def test_leaves_of_different_dtypes_are_compared_in_the_widest():
    """1 + 2^-30 in float64 beats 1 in every other dtype, and loses nothing by the comparison."""
    g = {dtype.__name__: jnp.ones((), dtype) for dtype in FLOATS}
    g["float64"] = jnp.asarray(1 + 2.0**-30)
    found = lmo(l1_ball(1.0), g)
    assert {name: float(value) for name, value in found.items()} == {
        "bfloat16": 0.0, "float16": 0.0, "float32": 0.0, "float64": -1.0,
    }  # fmt: skip


MIXED = {
    "half": jnp.array([0.5, -1.0], jnp.float16),
    "brain": jnp.array([[0.25], [2.0]], jnp.bfloat16),
    "single": jnp.array(1.5, jnp.float32),
    "double": jnp.array([1.0, -0.5]),
    "empty": jnp.zeros((0, 3), jnp.float16),
}


@pytest.mark.usefixtures("strict_dtypes")
def test_results_keep_structure_shapes_and_dtypes():
    sets = [l1_ball(0.5), simplex(), l2_ball(0.5), box(0.0, 0.75)]
    tree = [MIXED for _ in sets]
    constraint = product(sets)
    for method in (lmo, project, retract):
        found = method(constraint, tree)
        assert jax.tree.structure(found) == jax.tree.structure(tree)
        for expected, leaf in zip(jax.tree.leaves(tree), jax.tree.leaves(found), strict=True):
            assert (leaf.shape, leaf.dtype) == (expected.shape, expected.dtype)
            assert not leaf.weak_type
        assert bool(contains(constraint, found))
    assert constraint.diameter(tree).shape == ()


@pytest.mark.parametrize("method", ["lmo", "project", "retract"])
def test_a_tree_without_coordinates_comes_back(method):
    for tree in ({}, [], None, {"empty": jnp.zeros((2, 0), jnp.float32)}):
        for make in (l1_ball, simplex, l2_ball):
            found = getattr(make(1.0), method)(tree)
            assert jax.tree.structure(found) == jax.tree.structure(tree)
            assert float(make(1.0).diameter(tree)) == 0.0
        assert bool(l1_ball(1.0).contains(tree))
        assert not bool(simplex().contains(tree))
    assert getattr(box(-1.0, 1.0), method)({}) == {}
    assert float(box(-1.0, 1.0).diameter({})) == 0.0


def test_a_number_is_a_tree_of_one_coordinate():
    assert float(l1_ball(2.0).lmo(-0.5)) == 2.0
    assert float(simplex(3.0).lmo(7.0)) == 3.0


# Values that are not finite.


@pytest.mark.parametrize("name", EVERY_SET)
def test_a_direction_that_is_not_finite_raises_or_poisons_every_coordinate(name):
    constraint = EVERY_SET[name](3) if name != "box" else box(-1.0, 1.0)
    by_lane = jax.jit(jax.vmap(constraint.lmo))
    for bad in (np.nan, np.inf, -np.inf):
        tree = {"a": jnp.array([0.0, 1.0, 2.0]), "b": jnp.array([1.0, bad])}
        with pytest.raises(ValueError, match=r"direction\['b'\] must be finite"):
            constraint.lmo(tree)
        with pytest.raises(ValueError, match=r"x\['b'\] must be finite"):
            constraint.project(tree)
        for leaf in jax.tree.leaves((lmo(constraint, tree), project(constraint, tree))):
            assert np.isnan(leaf).all()
        found = by_lane(jax.tree.map(lambda leaf: jnp.stack([leaf, jnp.ones_like(leaf)]), tree))
        for leaf in jax.tree.leaves(found):
            assert np.isnan(leaf[0]).all()
            assert np.isfinite(leaf[1]).all()


def test_one_bad_factor_poisons_the_whole_product():
    constraint = product({"a": box(-1.0, 1.0), "b": simplex()})
    tree = {"a": jnp.array([jnp.nan]), "b": jnp.array([1.0, 2.0])}
    with pytest.raises(ValueError, match=r"direction\['a'\]"):
        constraint.lmo(tree)
    assert np.isnan(jax.jit(constraint.lmo)(tree)["b"]).all()


def test_a_concrete_direction_closed_over_by_jit_poisons_too():
    found = jax.jit(lambda: l1_ball(1.0).lmo(jnp.array([jnp.nan, 0.0])))()
    assert np.isnan(found).all()


@pytest.mark.parametrize("name", EVERY_SET)
def test_nans_stay_nans_and_are_not_contained(name):
    constraint = EVERY_SET[name](3)
    x = jnp.array([0.1, jnp.nan, 0.2])
    assert np.isnan(retract(constraint, x)[1])
    assert not bool(contains(constraint, x))
    assert not bool(contains(constraint, jnp.array([0.1, jnp.inf, 0.2])))


# Traced and batched sets.


def test_a_set_crosses_jit_and_vmap_with_its_numbers_traced():
    g = jnp.array([1.0, -3.0, 2.0])
    traces = []

    @jax.jit
    def lmo(constraint, direction):
        traces.append(constraint)
        return constraint.lmo(direction)

    assert lmo(l1_ball(2.0), g).tolist() == [0.0, 2.0, 0.0]
    assert lmo(l1_ball(3.0), g).tolist() == [0.0, 3.0, 0.0]
    assert len(traces) == 1
    made_inside = jax.jit(lambda radius: l1_ball(radius).lmo(g))
    assert made_inside(4.0).tolist() == [0.0, 4.0, 0.0]

    batch = l1_ball(jnp.array([1.0, 2.0]))
    found = jax.vmap(lambda constraint: constraint.lmo(g))(batch)
    assert found.tolist() == [[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]
    with pytest.raises(ValueError, match=r"radius must be a scalar here, got the shape \(2,\)"):
        batch.lmo(g)

    nested = product({"w": l1_ball(2.0), "b": box(-1.0, jnp.array([1.0, 2.0, 3.0]))})
    found = lmo(nested, {"w": g, "b": -g})
    assert found["w"].tolist() == [0.0, 2.0, 0.0]
    assert found["b"].tolist() == [1.0, -1.0, 3.0]
    diameter = jax.jit(lambda constraint: constraint.diameter({"w": g, "b": g}))
    np.testing.assert_allclose(diameter(nested), np.sqrt(16 + 4 + 9 + 16), rtol=1e-15)


def test_sets_work_on_the_shards_of_a_mesh():
    """Under shard_map with its check of varying axes on; a shard sees a tree of its own."""
    mesh = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    row = np.random.default_rng(2).standard_normal((4, 6))
    constraint = product((l1_ball(1.0), l2_ball(1.0), simplex(), box(-0.5, 0.5)))
    rows = tuple(jnp.asarray(factor * row) for factor in (1, 2, 3, 1))

    def shard(constraint, x):
        return constraint.lmo(x), constraint.project(x), constraint.retract(x)

    sharded = jax.shard_map(shard, mesh=mesh, in_specs=(P(), P("i")), out_specs=P("i"))
    found, alone = jax.jit(sharded)(constraint, rows), jax.jit(jax.vmap(shard, (None, 0)))
    expected = alone(constraint, rows)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-16)


def test_sets_are_trees_of_numbers_that_carry_anything_transformations_put_there():
    constraint = product({"a": l1_ball(2.0), "b": box(-1.0, jnp.ones(3)), "c": simplex()})
    leaves, treedef = jax.tree.flatten(constraint)
    assert [np.ndim(leaf) for leaf in leaves] == [0, 0, 1, 0]
    rebuilt = jax.tree.unflatten(treedef, [object() for _ in leaves])
    assert isinstance(rebuilt.sets["a"], l1_ball)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, constraint)
    assert doubled.sets["a"] == l1_ball(4.0)
    # A cotangent need not be positive, so it is no radius, and still it is of this type.
    gradient = jax.grad(lambda c: jnp.sum(c.project(jnp.array([3.0, -4.0]))))(l2_ball(1.0))
    np.testing.assert_allclose(gradient.radius, -0.2, rtol=1e-14)
    paths = [
        jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(constraint)
    ]
    assert paths == [
        ".sets['a'].radius", ".sets['b'].lower", ".sets['b'].upper", ".sets['c'].scale",
    ]  # fmt: skip


@pytest.mark.parametrize("name", EVERY_SET)
def test_sets_are_frozen_final_and_no_schedules(name):
    constraint = EVERY_SET[name](3)
    assert type(constraint).__bases__ == (ConstraintSet,)
    assert not callable(constraint)
    field = dataclasses.fields(constraint)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(constraint, field, 1.0)
    with pytest.raises(TypeError, match="abstract"):
        ConstraintSet()


# Diameters.


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("name", POLYTOPES)
def test_diameter_of_a_polytope_is_the_largest_distance_of_two_vertices(name, d):
    constraint = POLYTOPES[name](d)
    corners = vertices(constraint, d)
    exact = np.linalg.norm(corners[:, None] - corners[None], axis=-1).max()
    found = constraint.diameter(jax.ShapeDtypeStruct((d,), jnp.float32))
    np.testing.assert_allclose(found, exact, rtol=1e-15)
    assert found.dtype == jnp.float64


def test_diameter_of_a_product_and_of_trees():
    like = {"u": jnp.zeros((2, 3), jnp.bfloat16), "v": (jnp.zeros(()), jnp.zeros(0))}
    assert float(l2_ball(1.5).diameter(like)) == 3.0
    np.testing.assert_allclose(box(-1.0, 1.0).diameter(like), 2 * np.sqrt(7), rtol=1e-15)
    constraint = product({"u": simplex(3.0), "v": (l2_ball(1.5), box(0.0, 1.0))})
    np.testing.assert_allclose(constraint.diameter(like), np.sqrt(18 + 9), rtol=1e-15)
    with jax.enable_x64(False):
        wide = box(-1e30, 1e30).diameter(jax.ShapeDtypeStruct((4,), jnp.float32))
    assert wide.dtype == jnp.float32
    np.testing.assert_allclose(wide, 4e30, rtol=1e-6)


# Projections.


def assert_is_projection(constraint: ConstraintSet, x: np.ndarray, p: np.ndarray) -> None:
    """A point p of C is P(x) iff <x - p, s - p> <= 0 for all s in C, that is, at its extremes."""
    assert bool(contains(constraint, jnp.asarray(p), 1e-14))
    residual = (x - p) / max(np.abs(x).max(), 1.0)
    if isinstance(constraint, l2_ball):
        largest = constraint.radius * np.linalg.norm(residual)
    else:
        largest = (vertices(constraint, x.size) @ residual).max()
    assert largest - residual @ p <= 1e-13


@settings(deadline=None, max_examples=60)
@given(
    direction=directions(),
    name=st.sampled_from(sorted(EVERY_SET)),
    shift=st.sampled_from([0.0, 1.0, -3.0]),
)
def test_projection_satisfies_the_variational_inequality(direction, name, shift):
    x = direction + shift
    constraint = EVERY_SET[name](x.size)
    assert_is_projection(constraint, x, np.asarray(project(constraint, jnp.asarray(x))))


@pytest.mark.parametrize("name", EVERY_SET)
def test_projection_of_points_about_the_boundary(name):
    """Where all sizes of the support occur, and points in and out of the set."""
    constraint = EVERY_SET[name](5)
    rng = np.random.default_rng(6)
    points = rng.standard_normal((150, 5)) * rng.choice([0.3, 1.0, 2.0], size=(150, 1))
    found = np.asarray(jax.jit(jax.vmap(constraint.project))(jnp.asarray(points)))
    for x, p in zip(points, found, strict=True):
        assert_is_projection(constraint, x, p)
    if name in ("simplex", "l1_ball"):
        assert set(np.count_nonzero(found, axis=1)) >= {1, 2, 3, 4, 5}


@pytest.mark.parametrize("name", EVERY_SET)
def test_projection_leaves_feasible_points_alone_and_treats_a_tree_as_its_concatenation(name):
    constraint = EVERY_SET[name](5) if name != "box" else box(-1.0, 1.0)
    x = np.random.default_rng(3).standard_normal(12)
    whole = np.asarray(project(constraint, jnp.asarray(x)))
    tree = {"a": jnp.asarray(x[:6]).reshape(2, 3), "b": jnp.asarray(x[6]), "c": jnp.asarray(x[7:])}
    parts = project(constraint, tree)
    joined = np.concatenate([np.ravel(parts[key]) for key in "abc"])
    np.testing.assert_allclose(joined, whole, rtol=1e-14, atol=1e-16)
    again = np.asarray(project(constraint, jnp.asarray(whole)))
    np.testing.assert_allclose(again, whole, rtol=1e-14, atol=1e-16)
    inside = 1e-3 * np.abs(x)
    if name != "simplex":
        assert np.asarray(project(constraint, jnp.asarray(inside))).tolist() == inside.tolist()


def test_float32_projection_is_feasible_where_a_running_sum_is_not_exact_enough():
    """One large entry and a million small ones in the support: theta is large, each share tiny."""
    d = 1_000_001
    x = np.full(d, -0.5, np.float32)
    x[0] = 0.0
    with jax.enable_x64(False):
        p = np.asarray(project(simplex(), jnp.asarray(x)), np.float64)
    exact = np.r_[0.5 + 0.5 / d, np.full(d - 1, 0.5 / d)]
    assert abs(p.sum() - 1) < 1e-6
    np.testing.assert_allclose(p, exact, rtol=1e-5)


@pytest.mark.parametrize("dtype", FLOATS)
def test_projection_of_huge_points_does_not_overflow(dtype):
    largest = float(jnp.finfo(dtype).max)
    x = jnp.array([largest, -largest, largest], dtype)
    assert np.asarray(project(simplex(), x)).tolist() == [0.5, 0.0, 0.5]
    assert np.asarray(project(box(-1.0, 2.0), x)).tolist() == [2.0, -1.0, 2.0]
    third = float(jnp.asarray(1 / 3, dtype))
    found = np.asarray(project(l1_ball(1.0), x), np.float64)
    np.testing.assert_allclose(found, [third, -third, third], rtol=4 * float(jnp.finfo(dtype).eps))
    found = np.asarray(project(l2_ball(3.0), x), np.float64)
    np.testing.assert_allclose(
        found, np.sqrt(3.0) * np.array([1, -1, 1]), rtol=4 * float(jnp.finfo(dtype).eps)
    )


# Retractions and membership.


@pytest.mark.parametrize("law", ["normal", "constant", "heavy"])
def test_retraction_of_a_million_float32_numbers_is_feasible_to_a_few_units(law):
    """Without float64 at hand; NumPy measures in float64."""
    d, eps = 10**6, np.finfo(np.float32).eps
    rng = np.random.default_rng(4)
    x = {"normal": rng.standard_normal, "heavy": rng.standard_cauchy, "constant": np.ones}[law](d)
    x = x.astype(np.float32)
    with jax.enable_x64(False):
        for constraint, size in (
            (l1_ball(0.3), lambda v: np.abs(v).sum()),
            (l2_ball(0.3), np.linalg.norm),
            (simplex(0.3), np.sum),
        ):
            if isinstance(constraint, simplex):
                x = np.abs(x)
            far = retract(constraint, jnp.asarray(x))
            assert far.dtype == jnp.float32
            assert abs(size(np.asarray(far, np.float64)) / 0.3 - 1) <= 4 * eps
            assert bool(contains(constraint, far))
            outside = far * (1 + 30 * eps)
            assert not bool(contains(constraint, outside))
            near = retract(constraint, outside)
            assert abs(size(np.asarray(near, np.float64)) / 0.3 - 1) <= 4 * eps
            np.testing.assert_allclose(near, far, rtol=8 * eps)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("name", ["l1_ball", "simplex", "l2_ball", "cube"])
def test_retraction_keeps_feasible_points_and_returns_the_others(name, dtype):
    constraint = EVERY_SET[name](40)
    eps = float(jnp.finfo(dtype).eps)
    rng = np.random.default_rng(5)
    for _ in range(5):
        x = project(constraint, jnp.asarray(3 * rng.standard_normal(40), dtype))
        kept = np.asarray(retract(constraint, x), np.float64)
        np.testing.assert_allclose(kept, np.asarray(x, np.float64), rtol=8 * eps)
        pushed = (x.astype(jnp.float64) + 50 * eps * np.sign(np.asarray(x, np.float64))).astype(
            dtype
        )
        back = retract(constraint, pushed)
        assert bool(contains(constraint, back))
        # Not the projection, but as close as what round-off has done.
        shift = np.abs(np.asarray(back, np.float64) - np.asarray(x, np.float64)).max()
        assert shift <= 50 * eps * 4


def test_retraction_by_hand():
    assert l1_ball(2.0).retract(jnp.array([3.0, -1.0])).tolist() == [1.5, -0.5]
    found = l2_ball(5.0).retract(jnp.array([-6.0, 8.0]))
    np.testing.assert_allclose(found, [-3.0, 4.0], rtol=1e-15)
    assert simplex(2.0).retract(jnp.array([3.0, -1.0, 1.0])).tolist() == [1.5, 0.0, 0.5]
    assert simplex(2.0).retract(jnp.array([-1.0, 0.0])).tolist() == [1.0, 1.0]
    assert box(-1.0, 2.0).retract(jnp.array([-3.0, 0.5, 3.0])).tolist() == [-1.0, 0.5, 2.0]
    inside = jnp.array([0.3, -0.1])
    assert l1_ball(2.0).retract(inside).tolist() == inside.tolist()
    assert l2_ball(2.0).retract(inside).tolist() == inside.tolist()


def test_sixteen_bit_norms_do_not_overflow_or_stagnate():
    """In float16 300 squared overflows, and so does the sum of 1000 numbers of size 100."""
    assert bool(l1_ball(1e5).contains(jnp.full(1000, 100.0, jnp.float16)))
    assert bool(l2_ball(600.0).contains(jnp.full(4, 300.0, jnp.float16)))
    assert not bool(l2_ball(590.0).contains(jnp.full(4, 300.0, jnp.float16)))
    assert not bool(l1_ball(900.0).contains(jnp.ones(1000, jnp.bfloat16)))
    assert bool(simplex(1000.0).contains(jnp.ones(1000, jnp.bfloat16)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_default_tolerance_is_ten_units_of_round_off(dtype):
    eps = float(jnp.finfo(dtype).eps)
    for constraint in (l1_ball(1.0), l2_ball(1.0), simplex(), box(-1.0, 1.0)):
        for factor, expected in ((8, True), (12, False)):
            x = jnp.array([1 + factor * eps, 0.0], dtype)
            assert bool(contains(constraint, x)) is expected
        assert not bool(contains(constraint, jnp.array([1 + 2 * eps, 0.0], dtype), 0.0))
        assert bool(contains(constraint, jnp.array([1.5, 0.0], dtype), 0.5))


def test_membership_sees_every_inequality():
    assert not bool(simplex().contains(jnp.array([1.5, -0.5])))
    assert not bool(simplex().contains(jnp.array([0.25, 0.25])))
    assert not bool(box(-1.0, 1.0).contains(jnp.array([0.0, -1.5])))
    assert not bool(box({"a": 0.0}, 1.0).contains({"a": jnp.array([0.5, -0.5])}))
    assert not bool(l1_ball(1.0).contains({"a": jnp.array(0.6), "b": jnp.array(-0.6)}))
    pair = product((simplex(), box(-1.0, 1.0)))
    assert bool(pair.contains((jnp.array([0.5, 0.5]), jnp.array(1.0))))
    assert not bool(pair.contains((jnp.array([0.5, 0.5]), jnp.array(1.1))))
    assert not bool(pair.contains((jnp.array([0.5, 0.6]), jnp.array(1.0))))


# Bounds of a box and sets of a product as prefix trees.


def test_bounds_may_be_numbers_arrays_and_prefix_trees():
    x = {"a": jnp.array([1.0, -1.0]), "b": (jnp.array(1.0), jnp.array(-1.0))}
    constraint = box({"a": np.array([-2.0, -3.0]), "b": -4}, {"a": 5.0, "b": np.float32(6.0)})
    found = constraint.lmo(x)
    assert found["a"].tolist() == [-2.0, 5.0]
    assert [float(leaf) for leaf in found["b"]] == [-4.0, 6.0]
    mixed = box(-1.0, {"a": 2.0, "b": (3.0, 4.0)}).lmo(x)
    assert [float(leaf) for leaf in mixed["b"]] == [-1.0, 4.0]
    np.testing.assert_allclose(constraint.diameter(x), np.sqrt(49 + 64 + 100 + 100), rtol=1e-15)


def test_a_set_at_a_node_takes_its_whole_subtree_as_one_vector():
    x = {"w": [jnp.array([1.0, 2.0]), jnp.array([-4.0])], "b": jnp.array([1.0])}
    found = product({"w": l1_ball(3.0), "b": product(simplex())}).lmo(x)
    assert found["w"][0].tolist() == [0.0, 0.0]
    assert found["w"][1].tolist() == [3.0]
    assert found["b"].tolist() == [1.0]


# Errors.


@pytest.mark.parametrize("make", [l1_ball, l2_ball, simplex])
def test_a_radius_must_be_positive_and_finite(make):
    name = "scale" if make is simplex else "radius"
    bad = (0.0, -1.0, -3, np.nan, np.inf, np.float32(0.0), jnp.array(-1.0), np.array([1.0, 0.0]))
    for value in bad:
        with pytest.raises(ValueError, match=f"{name} must be positive and finite, got"):
            make(value)
        # A constant of a jitted function is as concrete as any.
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            jax.jit(lambda x, value=value: make(value).lmo(x))(jnp.ones(2))
    for value in ("1", None, True, 1j, object(), [1.0], jnp.array(True)):
        with pytest.raises(TypeError, match=f"{name} must be a real number"):
            make(value)


@pytest.mark.parametrize("make", [l1_ball, l2_ball, simplex])
def test_a_radius_must_fit_the_dtype(make):
    for radius in (1e5, 1e-6):
        with pytest.raises(ValueError, match=r"must lie in the range of float16, .* got"):
            make(radius).lmo(jnp.ones(2, jnp.float16))
        assert np.isfinite(make(radius).lmo(jnp.ones(2, jnp.bfloat16))).all()
    with pytest.raises(ValueError, match="range of float16"):
        box(0.0, 1e5).lmo(jnp.ones(2, jnp.float16))


def test_bad_bounds_are_named():
    with pytest.raises(ValueError, match=r"lower must not exceed upper, got lower=1.0 and upper=0"):
        box(1.0, 0.0)
    with pytest.raises(ValueError, match=r"lower\['b'\] must not exceed upper"):
        box({"a": 0.0, "b": 2.0}, {"a": 1.0, "b": np.array([3.0, 1.0])})
    with pytest.raises(ValueError, match=r"lower\['b'\] must not exceed"):
        box({"a": 0.0, "b": 2.0}, 1.0)
    with pytest.raises(ValueError, match="lower must be finite, got -inf"):
        box(-np.inf, 0.0)
    with pytest.raises(ValueError, match=r"upper\['a'\] must be finite, got nan"):
        box(0.0, {"a": jnp.nan})
    with pytest.raises(ValueError, match=r"same tree structure .* lower has .*'a'.* upper has"):
        box({"a": 0.0}, {"b": 1.0})
    with pytest.raises(ValueError, match=r"same shape .* got \(2,\) and \(3,\)"):
        box(np.zeros(2), np.ones(3))
    with pytest.raises(TypeError, match="upper must be a real number"):
        box(0.0, "1")
    with pytest.raises(TypeError, match="lower must hold at least one real number, got None"):
        box(None, 1.0)
    fixed = box(1.0, 1.0)
    assert fixed.lmo(jnp.array([2.0, -2.0])).tolist() == [1.0, 1.0]


def test_bounds_that_do_not_fit_the_argument_are_named():
    with pytest.raises(
        ValueError, match=r"lower must be a scalar or .* \(3,\); it has the shape \(2,\)"
    ):
        box(np.zeros(2), 1.0).lmo(jnp.ones(3))
    with pytest.raises(ValueError, match=r"upper\['a'\] must be a prefix tree of the argument"):
        box(0.0, {"a": {"b": 1.0}}).lmo({"a": [jnp.ones(3)]})


def test_sets_of_a_product_are_checked():
    with pytest.raises(TypeError, match=r"sets\['b'\]\[0\] must be a ConstraintSet.*got 1.0"):
        product({"a": simplex(), "b": [1.0]})
    with pytest.raises(TypeError, match="must be a ConstraintSet"):
        product(simplex)
    for nothing in ({}, None, []):
        with pytest.raises(ValueError, match="sets must hold at least one ConstraintSet"):
            product(nothing)


@pytest.mark.parametrize("method", ["lmo", "project", "retract", "contains", "diameter"])
def test_a_product_that_is_no_prefix_of_the_argument_names_the_path(method):
    call = operator.methodcaller(
        method, {"w": {"kernel": jnp.ones(2), "bias": jnp.ones(1)}, "b": jnp.ones(2)}
    )
    with pytest.raises(ValueError, match=r"sets\['w'\] must be a prefix tree of the argument"):
        call(product({"w": {"kernel": simplex()}, "b": simplex()}))
    with pytest.raises(ValueError, match=r"sets\['b'\] must be a prefix tree of the argument"):
        call(product({"w": simplex(), "b": [simplex(), simplex()]}))
    with pytest.raises(ValueError, match=r"sets must be a prefix tree .*'b'.*'c'.* has .*'w'"):
        call(product({"b": simplex(), "c": simplex()}))


@pytest.mark.parametrize("method", ["lmo", "project", "retract", "contains"])
def test_leaves_that_are_no_floats_are_named(method):
    for leaf in (jnp.arange(3), jnp.ones(2, jnp.complex64), 1, "one", jax.random.key(0)):
        with pytest.raises(TypeError, match=r"\['w'\] must be a real floating array, got"):
            getattr(l1_ball(1.0), method)({"w": leaf})


@pytest.mark.parametrize("dimension", [1, 4, 9])
def test_diameters_of_norm_balls_and_simplices_in_closed_form(dimension):
    like = jnp.zeros(dimension)
    corners = 2 * 1.5 * dimension**0.5
    edge = 1.5 * 2**0.5 if dimension > 1 else 0.0
    assert linf_ball(1.5).diameter(like) == pytest.approx(corners)
    assert simplex(1.5).diameter(like) == pytest.approx(edge)


# Long vectors, which are searched block by block.


@pytest.mark.parametrize("size", [2048, 3000, 5003, 10_007])
def test_the_first_of_equal_maxima_of_a_long_vector_is_chosen(size):
    """Sizes with and without a divisor near the size of a block; maxima in every place of note."""
    width = _tree_vector._BLOCK
    oracle = jax.jit(l1_ball(1.0).lmo)
    places = {0, 1, width - 1, width, size - width, size - width - 1, size - 2, size - 1, size // 2}
    places |= {size - size % width, max(size - size % width - 1, 0)}
    for first in {place % size for place in places}:
        g = np.random.default_rng(first).uniform(-1, 1, size)
        g[first:][:: size // 3] = -2.0
        g[-1] = -2.0
        expected = np.zeros(size)
        expected[first] = 1.0
        np.testing.assert_array_equal(oracle(jnp.asarray(g)), expected)


def test_a_number_that_is_not_finite_anywhere_in_a_long_vector_poisons_all():
    for bad in (np.nan, np.inf, -np.inf):
        for place in (0, 1500, 4999):
            g = np.ones(5000, np.float32)
            g[place] = bad
            assert np.isnan(jax.jit(l1_ball(1.0).lmo)(jnp.asarray(g))).all()
