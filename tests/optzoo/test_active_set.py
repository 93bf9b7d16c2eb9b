"""Frank-Wolfe methods with an active set: pseudo-code, linear rates, a set that is full."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

from . import active_set_in_numpy as in_numpy

D = 6
METHODS = {
    "away_step": (optzoo.away_step_frank_wolfe, in_numpy.away_step_steps),
    "pairwise": (optzoo.pairwise_frank_wolfe, in_numpy.pairwise_steps),
    "blended_pairwise": (optzoo.blended_pairwise_frank_wolfe, in_numpy.blended_pairwise_steps),
}
# A set, its vertices, and how far from the centre the unconstrained minimum is.
SETS = {
    "simplex": (lmo.simplex(), in_numpy.simplex(D), 0.5),
    "l1_ball": (lmo.l1_ball(1.0), in_numpy.l1_ball(D), 0.6),
    "box": (lmo.box(-1.0, 1.0), in_numpy.box(D), 1.3),
}
RULES = ("short", "exact")
every_method = pytest.mark.parametrize("name", METHODS)


def quadratic(seed, d, centre, spread):
    """Hessian and linear term of a quadratic whose minimum is `spread` from the centre."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2 * d, d))
    matrix = rows.T @ rows / (2 * d)
    return matrix, matrix @ (centre + spread * rng.normal(size=d))


def largest_eigenvalue(matrix):
    return float(np.linalg.eigvalsh(matrix)[-1])


def value(matrix, b, x):
    matrix, b = jnp.asarray(matrix, x.dtype), jnp.asarray(b, x.dtype)
    return x @ matrix @ x / 2 - b @ x


@functools.partial(jax.jit, static_argnames=("method", "steps"))
def run(method, matrix, b, x, steps):
    """x^0, ..., x^steps, and the state after each step."""
    loss = functools.partial(value, matrix, b)

    def step(carry, _):
        x, state = carry
        updates, state = method.update(jax.grad(loss)(x), state, x, value_fn=loss)
        x = optax.apply_updates(x, updates)
        return (x, state), (x, state)

    return jax.lax.scan(step, (x, method.init(x)), length=steps)[1]


def gap(constraint, matrix, b, x):
    return float(optzoo.frank_wolfe_gap(constraint, jnp.asarray(matrix @ np.asarray(x) - b), x))


# --- the pseudo-code ---


@every_method
@pytest.mark.parametrize("where", SETS)
@pytest.mark.parametrize("rule", RULES)
def test_every_step_is_the_papers_against_plain_numpy(name, where, rule):
    make, reference = METHODS[name]
    constraint, vertices, spread = SETS[where]
    matrix, b = quadratic(1, D, vertices.mean(axis=0), spread)
    if rule == "short":
        smoothness = largest_eigenvalue(matrix)
        learning_rate, step = optzoo.short_step(smoothness), in_numpy.short(smoothness)
    else:
        learning_rate, step = optzoo.exact_line_search(), in_numpy.exact(matrix)
    # Atoms enough that the set is never full.
    method = make(constraint, learning_rate, max_atoms=40)
    met = collections.Counter()
    for start in (vertices[0], 0.7 * vertices.mean(axis=0) + 0.3 * vertices[0]):
        points, states = run(method, matrix, b, jnp.asarray(start), 40)
        weights, x = {tuple(start): 1.0}, start
        seen = collections.Counter()
        for k, found in enumerate(points):
            outcomes = list(reference(vertices, weights, matrix @ x - b, step))
            errors = [np.abs(in_numpy.point(w) - found).max() for w, _ in outcomes]
            assert min(errors) <= 1e-12, k
            weights, what = outcomes[int(np.argmin(errors))]
            x = in_numpy.point(weights)
            seen[what] += 1
            if gap(constraint, matrix, b, jnp.asarray(x)) < 1e-11:
                break
            state = jax.tree.map(lambda leaf, k=k: leaf[k], states)
            kept = {
                tuple(atom): float(w)
                for atom, w in zip(
                    np.asarray(state.active.atoms), state.active.weights, strict=True
                )
                if w > 0
            }
            assert kept.keys() == weights.keys(), k
            for atom, w in kept.items():
                assert abs(w - weights[atom]) < 1e-12, k
            assert int(state.drops) == seen["drop"], k
            assert int(getattr(state, "swaps", 0)) == seen["swap"], k
            if name == "blended_pairwise":
                assert int(state.local_steps) == seen["drop"] + seen["local"], k
        met += seen
    assert met["drop"] + met["swap"] >= 1, met


# --- rates ---


@every_method
@pytest.mark.parametrize("where", ["simplex", "l1_ball"])
def test_the_gap_falls_linearly_where_that_of_frank_wolfe_does_not(name, where):
    """The minimum lies inside a face."""
    constraint, centre = (lmo.simplex(), 0.1) if where == "simplex" else (lmo.l1_ball(1.0), 0.0)
    matrix, b = quadratic(0, 10, np.full(10, centre), 0.5)
    start = constraint.lmo(jnp.ones(10))
    rule = optzoo.exact_line_search()
    points, _ = run(optzoo.frank_wolfe(constraint, rule), matrix, b, start, 150)
    assert gap(constraint, matrix, b, points[-1]) > 1e-3
    points, states = run(METHODS[name][0](constraint, rule), matrix, b, start, 150)
    assert gap(constraint, matrix, b, points[-1]) < 1e-12
    assert 2 <= int(jnp.sum(states.active.weights[-1] > 0)) < 10
    assert int(states.active.restarts[-1]) == 0


@every_method
def test_any_tree_and_a_set_of_matrices(name):
    constraint = lmo.product({"w": lmo.nuclear_norm_ball(1.0), "b": (lmo.l2_ball(2.0),)})
    target = {
        "w": jnp.array([[1.0, 0.5], [0.0, 0.3], [0.2, -1.0]]),
        "b": (jnp.array([0.3, -0.1, 0.0], jnp.float32),),
    }

    def loss(p):
        return sum(
            jnp.sum((x - t) ** 2) for x, t in zip(*map(jax.tree.leaves, (p, target)), strict=True)
        )

    method = METHODS[name][0](constraint, optzoo.exact_line_search())
    params = jax.tree.map(jnp.zeros_like, target)
    state = method.init(params)
    assert state.active.atoms["w"].shape == (10, 3, 2)
    assert state.active.atoms["b"][0].dtype == jnp.float32
    step = jax.jit(lambda p, s: method.update(jax.grad(loss)(p), s, p, value_fn=loss))
    for _ in range(150):
        updates, state = step(params, state)
        params = optax.apply_updates(params, updates)
    assert float(optzoo.frank_wolfe_gap(constraint, jax.grad(loss)(params), params)) < 1e-3
    np.testing.assert_allclose(params["w"], constraint.project(target)["w"], atol=2e-3)


# --- the set ---


def combination(active):
    return np.asarray(active.weights, np.float64) @ np.asarray(active.atoms, np.float64)


@every_method
def test_a_full_set_goes_on(name):
    """With room for three atoms, of which the minimum needs many."""
    constraint = lmo.simplex()
    matrix, b = quadratic(3, 10, np.full(10, 0.1), 0.02)
    method = METHODS[name][0](constraint, optzoo.exact_line_search(), max_atoms=3)
    points, states = run(method, matrix, b, jnp.eye(10)[0], 400)
    gaps = [gap(constraint, matrix, b, points[k]) for k in (20, 399)]
    assert gaps[1] < min(gaps[0] / 5, 0.01)
    losses = jax.vmap(functools.partial(value, matrix, b))(points)
    assert np.all(np.diff(losses) <= 1e-15)
    active = jax.tree.map(lambda leaf: leaf[-1], states.active)
    assert int(active.crowded) >= int(active.merges) > 50
    assert int(active.restarts) == 0
    np.testing.assert_allclose(combination(active), points[-1], atol=1e-13)


def full_set(name, weights, atoms, learning_rate=0.25):
    """A method on the simplex of three coordinates, with a full set, and its state."""
    method = METHODS[name][0](lmo.simplex(), learning_rate, max_atoms=len(weights))
    x = jnp.asarray(weights) @ jnp.asarray(atoms)
    state = method.init(x)
    active = state.active._replace(weights=jnp.asarray(weights), atoms=jnp.asarray(atoms), point=x)
    return method, x, state._replace(active=active)


@every_method
def test_free_slots_are_no_atoms(name):
    """The third row is left from before, and has the smallest product, or the largest."""
    for leftover in (0.0, 9.0):
        atoms = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, leftover]])
        method, x, state = full_set(name, [0.5, 0.5, 0.0], atoms)
        updates, after = method.update(jnp.array([2.0, 1.0, 1.5]), state, x)
        first = 0.375 if name == "away_step" else 0.25
        np.testing.assert_allclose(x + updates, [first, 1 - first, 0.0], atol=1e-15)
        np.testing.assert_allclose(after.active.weights, [first, 1 - first, 0.0], atol=1e-15)


@every_method
def test_two_atoms_become_their_mean(name):
    """The atoms of the set have equal products: only the oracle's, e_2, promises anything."""
    atoms = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    method, x, state = full_set(name, [0.5, 0.2, 0.3], atoms)
    updates, after = method.update(jnp.array([1.0, 1.0, 0.0]), state, x)
    np.testing.assert_allclose(x + updates, 0.75 * x + 0.25 * np.eye(3)[2], atol=1e-15)
    np.testing.assert_allclose(
        after.active.atoms, [[1, 0, 0], 0.4 * atoms[1] + 0.6 * atoms[2], [0, 0, 1]], atol=1e-15
    )
    np.testing.assert_allclose(after.active.weights, [0.375, 0.375, 0.25], atol=1e-15)
    assert (int(after.active.crowded), int(after.active.merges)) == (1, 1)
    assert int(after.drops) == 0


@every_method
def test_a_full_set_steps_inside_itself_where_that_promises_more(name):
    """<g, a - s_loc> = 9, but the oracle's atom is only 1 better than the best of the set."""
    atoms = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    method, x, state = full_set(name, [0.1, 0.9], atoms)
    updates, after = method.update(jnp.array([10.0, 1.0, 0.0]), state, x)
    np.testing.assert_allclose(x + updates, [0.0, 1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(after.active.weights, [0.0, 1.0])
    np.testing.assert_array_equal(after.active.atoms, atoms)
    assert int(after.active.merges) == 0
    assert int(after.active.crowded) == (name != "away_step")  # it went away from the first
    assert int(after.drops) == 1
    # Now there is room.
    updates, after = method.update(jnp.array([10.0, 1.0, 0.0]), after, x + updates)
    assert int(after.active.crowded) == (name != "away_step")
    np.testing.assert_allclose(after.active.atoms, np.eye(3)[[2, 1]])


@every_method
def test_the_oracles_atom_is_found_whatever_its_last_bits(name):
    """An oracle whose answer to every gradient is rounded otherwise."""

    class Rounded(lmo.ConstraintSet):
        ball = lmo.l1_ball(1.0)

        def _lmo(self, direction):
            shift = 1 + jnp.finfo(float).eps * jnp.sign(jnp.sin(1e9 * direction))
            return jax.tree.map(jnp.multiply, self.ball.lmo(direction), shift)

        def _diameter(self, like):
            return self.ball.diameter(like)

        def _contains(self, x, atol):
            return self.ball.contains(x, atol)

        def _retract(self, x):
            return self.ball.retract(x)

    matrix, b = quadratic(1, 3, np.zeros(3), 0.6)
    method = METHODS[name][0](Rounded(), optzoo.short_step(4.0), max_atoms=10)
    _, states = run(method, matrix, b, jnp.array([1.0, 0, 0]), 60)
    assert int(jnp.max(jnp.sum(states.active.weights > 0, axis=1))) <= 6


@every_method
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda dtype: dtype.__name__)
def test_the_iterate_stays_its_combination_and_in_the_set(name, dtype):
    check_long_run(name, dtype, 2000)


def check_long_run(name, dtype, steps):
    """Gradients that change all the time, so that atoms come and go."""
    constraint = lmo.l1_ball(3.0)
    method = METHODS[name][0](constraint, 0.2, max_atoms=12)
    shift = jax.random.normal(jax.random.key(0), (64, 8), dtype)
    x = jnp.zeros(8, dtype).at[0].set(3)

    @jax.jit
    def run_all(x, state):
        def step(k, carry):
            x, state, worst = carry
            updates, state = method.update(x + shift[k % 64] * (1 + k % 3), state, x)
            x = optax.apply_updates(x, updates)
            active = state.active
            # Exactly enough in the numbers' own dtype: twelve terms.
            apart = jnp.max(jnp.abs(active.weights @ active.atoms - x))
            unit = abs(jnp.sum(active.weights) - 1)
            outside = jnp.sum(jnp.abs(x)) / 3 - 1
            negative = -jnp.min(active.weights)
            return x, state, jnp.maximum(worst, jnp.stack([apart / 3, unit, outside, negative]))

        return jax.lax.fori_loop(0, steps, step, (x, state, jnp.zeros(4, dtype)))

    _, state, worst = run_all(x, method.init(x))
    eps = float(jnp.finfo(dtype).eps)
    assert worst[0] <= 64 * eps  # its bound is 128, with twelve more for the sum here
    assert worst[1] <= 4 * eps
    assert worst[2] <= 10 * eps
    assert worst[3] <= 0
    assert int(state.active.restarts) == 0
    assert int(state.drops) > steps / 20


@every_method
def test_moved_parameters_start_the_set_anew(name):
    method = METHODS[name][0](lmo.simplex(), 0.25, max_atoms=4)
    x = jnp.eye(3)[0]
    state = method.init(x)
    g = jnp.array([3.0, 2.0, 1.0])
    for _ in range(3):
        updates, state = method.update(g, state, x)
        x = optax.apply_updates(x, updates)
    assert int(state.active.restarts) == 0
    moved = jnp.array([0.2, 0.7, 0.1])
    updates, state = jax.jit(method.update)(g, state, moved)
    np.testing.assert_allclose(moved + updates, 0.75 * moved + 0.25 * np.eye(3)[2], atol=1e-15)
    np.testing.assert_allclose(combination(state.active), moved + updates, atol=1e-15)
    assert int(state.active.restarts) == 1
    assert int(jnp.sum(state.active.weights > 0)) == 2


@every_method
def test_behind_a_smaller_step_it_stays_feasible_and_descends(name):
    method = optax.chain(METHODS[name][0](lmo.simplex(), optzoo.short_step(1.0)), optax.scale(0.5))
    x, target = jnp.eye(3)[0], jnp.array([0.5, 0.3, 0.2])
    state = method.init(x)
    step = jax.jit(lambda x, state: method.update(x - target, state, x))
    for _ in range(200):
        updates, state = step(x, state)
        x = optax.apply_updates(x, updates)
        assert bool(lmo.simplex().contains(x))
    np.testing.assert_allclose(x, target, atol=0.02)
    assert int(state[0].active.restarts) > 100


@every_method
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=lambda dtype: dtype.__name__)
def test_16_bit_parameters_stand_for_a_float32_iterate(name, dtype):
    """Given the same gradients; nothing of it is taken for a move of the user's."""
    method = METHODS[name][0](lmo.l1_ball(1.0), 3e-3, max_atoms=12)
    gradients = jax.random.normal(jax.random.key(1), (100, 5)).astype(dtype)
    step = jax.jit(method.update)
    x = jnp.zeros(5, dtype).at[1].set(1)
    wide = x.astype(jnp.float32)
    state, wide_state = method.init(x), method.init(wide)
    for g in gradients:
        updates, state = step(g, state, x)
        assert updates.dtype == dtype
        x = optax.apply_updates(x, updates)
        updates, wide_state = step(g.astype(jnp.float32), wide_state, wide)
        wide = optax.apply_updates(wide, updates)
    assert int(state.active.restarts) == int(wide_state.active.restarts) == 0
    np.testing.assert_allclose(state.active.point, wide, atol=1e-5)
    np.testing.assert_allclose(x.astype(jnp.float32), wide, atol=2 * float(jnp.finfo(dtype).eps))


@every_method
def test_nan_gradients_are_not_swallowed_and_leave_no_trace(name):
    method = METHODS[name][0](lmo.simplex(), 0.3)
    x, good = jnp.eye(3)[0], jnp.array([1.0, 0.0, 0.5])
    step = jax.jit(method.update)
    updates, state = step(good, method.init(x), x)
    x = optax.apply_updates(x, updates)
    updates, state = step(jnp.array([0.0, jnp.nan, 1.0]), state, x)
    assert np.all(np.isnan(updates))
    assert np.all(np.isfinite(state.active.atoms))
    for _ in range(20):
        updates, state = step(x - 0.3, state, x)  # the parameters as they were before
        x = optax.apply_updates(x, updates)
        assert bool(lmo.simplex().contains(x))
    assert int(state.active.restarts) == 1


@every_method
@pytest.mark.parametrize("rule", [optzoo.short_step(1.0), 0.5, 1.0], ids=["short", "half", "one"])
def test_at_a_minimum_at_a_vertex_nothing_moves(name, rule):
    method = METHODS[name][0](lmo.simplex(), rule)
    x = jnp.eye(3)[1]
    state = method.init(x)
    for _ in range(3):
        updates, state = method.update(jnp.array([0.5, -1.0, 0.25]), state, x)
        np.testing.assert_array_equal(updates, 0.0)
    np.testing.assert_array_equal(jnp.sum(state.active.weights > 0), 1)
    assert int(state.drops) == 0


@every_method
def test_weights_at_round_off_are_forgotten_and_the_others_sum_to_one(name):
    atoms = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    method, x, state = full_set(name, [1.0, 1e-17, 0.0], atoms)
    grown = state.active._replace(weights=(1 + 1e-10) * state.active.weights)
    _, after = method.update(jnp.array([1.0, 0.5, 0.0]), state._replace(active=grown), x)
    np.testing.assert_allclose(after.active.weights, [0.75, 0.0, 0.25], rtol=1e-9)
    assert abs(float(jnp.sum(after.active.weights)) - 1) <= 1e-15


@every_method
def test_the_atoms_are_neither_copied_nor_computed_with_twice(name):
    m, d = 300, 1000
    method = METHODS[name][0](lmo.l1_ball(1.0), optzoo.short_step(1.0), max_atoms=m)
    x = jnp.zeros(d)
    step = jax.jit(method.update, donate_argnums=1)
    with jax.disable_jit(False):
        compiled = step.lower(x, method.init(x), x).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 0.2 * 8 * m * d
    # 2 m d for the products, and 2 m d in the branch that is taken seldom.
    assert compiled.cost_analysis()["flops"] < 4.5 * m * d


# --- how it is called ---


@every_method
def test_a_rule_under_inject_hyperparams_and_vmap(name):
    make = METHODS[name][0]
    matrix, b = quadratic(0, 4, np.full(4, 0.25), 0.3)
    smoothness = largest_eigenvalue(matrix) * jnp.array([1.0, 2.0])
    start = jnp.eye(4)[0]

    def last(rule):
        method = optax.inject_hyperparams(make)(lmo.simplex(), rule)
        points, _ = run.__wrapped__(method, matrix, b, start, 15)
        return points[-1]

    together = jax.jit(jax.vmap(last))(optzoo.short_step(smoothness))
    for one, found in zip(smoothness, together, strict=True):
        points, _ = run(make(lmo.simplex(), optzoo.short_step(float(one))), matrix, b, start, 15)
        np.testing.assert_allclose(found, points[-1], atol=1e-12)


def test_max_atoms_under_inject_hyperparams():
    x = jnp.eye(3)[0]
    make = optax.inject_hyperparams(optzoo.away_step_frank_wolfe)
    method = make(lmo.simplex(), 0.1, max_atoms=5)
    state = method.init(x)  # not under jit
    assert state.inner_state.active.weights.shape == (5,)
    updates, _ = jax.jit(method.update)(x, state, x)
    assert updates.shape == (3,)
    with pytest.raises(TypeError, match="max_atoms must be known in `init`"):
        jax.jit(method.init)(x)
    static = optax.inject_hyperparams(optzoo.away_step_frank_wolfe, static_args=("max_atoms",))
    jax.jit(static(lmo.simplex(), 0.1, max_atoms=5).init)(x)


@every_method
def test_mistakes_are_named(name):
    make = METHODS[name][0]
    simplex, x = lmo.simplex(), jnp.eye(3)[0]
    with pytest.raises(ValueError, match="max_atoms must be an integer of at least 2, got 1"):
        make(simplex, 0.1, max_atoms=1)
    for wrong in (2.5, "3", True):
        with pytest.raises(TypeError, match="max_atoms must be"):
            make(simplex, 0.1, max_atoms=wrong)
    with pytest.raises(ValueError, match=r"learning_rate must lie in \(0, 1\], .*got 2.0"):
        make(simplex, 2.0)
    with pytest.raises(TypeError, match="learning_rate must be a real number"):
        make(simplex, "short")
    with pytest.raises(TypeError, match=r"constraint must be a set of optzoo\.lmo"):
        make("simplex", 0.1)
    with pytest.raises(ValueError, match="must start inside the constraint set"):
        make(simplex, 0.1).init(jnp.ones(3))
    search = make(simplex, optzoo.exact_line_search())
    with pytest.raises(
        ValueError, match=f"{name}_frank_wolfe: the extra argument `value_fn` is missing"
    ):
        search.update(x, search.init(x), x)
    other = make(simplex, 0.1, max_atoms=5)
    with pytest.raises(
        ValueError, match=r"state.active.* must have shape \(5,\), got \(4,\).*max_atoms = 5"
    ):
        other.update(x, make(simplex, 0.1, max_atoms=4).init(x), x)
