"""Claims on Three Pillars: their settings, their enumeration, their processes and mutants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.theorems.three_pillars import V1, V4, V4_CLIENTS
from theory_checks.claims.three_pillars import inexact, mutants, one_step
from theory_checks.claims.three_pillars.enumeration import after_messages, random_states
from theory_checks.claims.three_pillars.processes import (
    MEAN_SQUARED_OPERATOR,
    FullExtragradient,
    uplink,
)
from theory_checks.claims.three_pillars.settings import minty, saddle
from theory_checks.compressors import Scaled, draws, with_draw
from theory_checks.simulation import Experiment, simulate

PLACE = {"n": 4, "half_dim": 2, "mu": 0.3, "size": 3.0, "local_steps": 3}


@pytest.mark.parametrize("compressor", [PermK(8), SampledClients(2, 8), RandK(2, 8), Identity(8)])
def test_a_setting_has_the_numbers_that_users_get(compressor):
    setting = saddle("random", size=5.0, compressor=compressor)
    known = {name: constant.value for name, constant in setting.constants.items()}
    plan = optzoo.three_pillars_parameters(
        known["mu"],
        known["delta_1"],
        known["L_1"],
        num_workers=8,
        average_similarity=known["delta_av"],
        server_monotonicity=known["mu_1"],
        compressor=compressor,
        dimension=setting.problem.dim,
    )
    assert plan.gamma == known["gamma"]
    assert plan.momentum == known["p"] == known["tau"]
    assert plan.local_steps == known["H"] == setting.parameters["local steps H"]
    assert plan.local_step == setting.eta == setting.parameters["eta"]
    assert plan.constants == setting.of(V4)
    assert plan.bound(20, 3.0) == setting.bound(V4_CLIENTS, 20, 3.0)


def test_too_long_a_step_has_no_rate():
    setting = saddle("zero", longer=1.5, local_steps=1)
    with pytest.raises(ValueError, match=r"V1 does not apply.*M = "):
        setting.bound(V1, 1, 1.0)


@pytest.mark.parametrize("compressor", [PermK(4), SampledClients(1, 4), RandK(1, 4)])
def test_shipped_draws_are_among_the_enumerated(compressor: Compressor):
    """A run with the shipped compressor goes where one of the enumerated draws goes."""
    run = saddle("random", compressor=compressor, **PLACE).run()
    z, m = random_states(run, 1)
    every = after_messages(run, z, m).z[0]
    keys = jax.random.split(jax.random.key(5), 8)
    step = jax.jit(jax.vmap(lambda key: run.advance(run.at(z[0], m[0], key)).z))
    for found in np.asarray(step(keys)):
        assert np.min(np.linalg.norm(every - found, axis=1)) < 1e-12
    assert len(every) == {"PermK": 4, "SampledClients": 4, "RandK": 256}[type(compressor).__name__]


def test_draws_are_those_of_the_compressor():
    """PermK with its drawn shift is PermK; and every draw is another message."""
    permk, key, vector = PermK(4), jax.random.key(3), jnp.arange(8.0)
    fixed = with_draw(permk, permk.shift(key))
    for worker in range(4):
        np.testing.assert_array_equal(
            fixed.encode(key, jnp.int32(worker), vector),
            permk.encode(key, jnp.int32(worker), vector),
        )
    assert draws(SampledClients(2, 3), 5).shape == (9, 2)
    assert draws(RandK(2, 2), 4).shape == (36, 2, 2)
    with pytest.raises(TypeError, match="not enumerated"):
        draws(optzoo.compressors.TopK(1, 4), 4)


def test_a_run_started_in_its_midst_goes_on_as_the_run_does():
    run = saddle("random", **PLACE).run()
    first = run.init(jax.random.key(2))
    middle = run.at(run.z0, run.z0, jax.random.key(2))
    middle = middle._replace(state=middle.state._replace(steps=jnp.zeros([], jnp.int32)))
    step = jax.jit(run.advance)
    np.testing.assert_allclose(step(first).z, step(middle).z, rtol=1e-13)


def test_uplink_is_what_the_package_counts():
    run = saddle("random", **PLACE).run()
    position = run.init(jax.random.key(0))
    step = jax.jit(run.advance)
    for _ in range(9):
        position = step(position)
    sent = optzoo.numbers_sent(position.state, position.z, run.compressor)
    counted = (sent.uplink_message + sent.uplink_refresh) / position.z.size - 1
    assert float(uplink(run, position)) == pytest.approx(counted)
    assert sent.uplink_refresh > 0


def test_the_mean_of_the_squared_operator_is_that_of_the_local_solutions():
    """Two steps without chance: all is sent, and the reference is the point before."""
    run = minty().run(compressor=Identity(4), refresh_probability=1.0)
    experiment = Experiment("sums", run, (1, 2), MEAN_SQUARED_OPERATOR)
    found = simulate(experiment, first=0, count=1)["operator"][0]
    first = run.z0
    second = jax.jit(run.advance)(run.init(jax.random.key(0))).z
    u = after_messages(run, np.stack([first, second]), np.stack([first, first])).u
    squares = [float(jnp.sum(run.problem.operator(jnp.asarray(row)) ** 2)) for row in u]
    np.testing.assert_allclose(found, [squares[0], sum(squares) / 2], rtol=1e-9)


def test_raw_differences_are_the_method_where_nothing_is_compressed():
    place = saddle("random", compressor=Identity(4), **PLACE)
    z, m = random_states(place.run(), 3)
    shipped = after_messages(place.run(), z, m).z
    raw = after_messages(place.run(method=mutants.raw_differences), z, m).z
    np.testing.assert_allclose(raw, shipped, rtol=1e-11)


def test_the_other_reference_takes_the_new_point():
    run = saddle("random", **PLACE).run(method=mutants.other_reference)
    z, m = random_states(run, 2)
    after = after_messages(run, z, m, kept=False)
    np.testing.assert_allclose(after.m, after.z, rtol=1e-13)
    kept = after_messages(run, z, m, kept=True).m
    np.testing.assert_allclose(kept, np.broadcast_to(m[:, None], kept.shape), rtol=1e-13)


def test_a_dropped_correction_leaves_the_local_solution():
    place = saddle("random", **PLACE)
    z, m = random_states(place.run(), 2)
    dropped = after_messages(place.run(compressor=Scaled(PermK(4), 0.0)), z, m).z
    u = after_messages(place.run(), z, m).u
    np.testing.assert_allclose(dropped, np.broadcast_to(u[:, None], dropped.shape), rtol=1e-13)


def test_full_extragradient_contracts_like_a_rotation():
    """On mu = 0 and an orthogonal rotation the factor is |1 - (eta - i) eta| per step."""
    place = saddle("random", n=2, half_dim=1, mu=0.0, size=1.0, local_steps=1)
    eta = 0.4
    run = FullExtragradient(
        problem=place.problem,
        z_star=jnp.asarray(place.problem.solution),
        step_size=jnp.asarray(eta),
    )
    before = run.init(jax.random.key(0))
    after = run.step(before, jnp.asarray(0), jax.random.key(0))
    factor = (1 - eta**2) ** 2 + eta**2
    distance = run.watch["distance"]
    assert float(distance(run, after)) == pytest.approx(
        factor * float(distance(run, before)), rel=1e-12
    )


def test_the_identity_of_a_step_and_a_mutant_that_breaks_it():
    """V0 on the shipped method with PermK, to 1e-12."""
    setting = one_step.identity_setting("PermK")
    measured, exact = one_step.identity_sides(setting)
    np.testing.assert_allclose(measured, exact(), atol=1e-12 * np.max(np.abs(exact())))
    measured, exact = one_step.identity_sides(setting, compressor=Scaled(PermK(4), 0.25))
    assert np.max(np.abs(measured - exact())) > 0.01 * np.max(np.abs(exact()))


# --- Few local steps ---


def test_the_exact_step_is_that_of_many_local_steps():
    instance = inexact.SERVERS["a fast rotation"] | {"p": 0.3}
    few, many = (
        list(inexact._steps(inexact._linear("", **instance | {"local_steps": H})))
        for H in (1, 3000)
    )
    assert len(few) == 6
    for one, other in zip(few, many, strict=True):
        assert one.exact == pytest.approx(other.exact, abs=1e-9)
        assert other.after[:3] == pytest.approx(other.exact, abs=1e-9)
        assert np.abs(one.after[:3] - one.exact).max() > 0.1
    assert sum(step.weight for step in few) == pytest.approx(1)


def test_noise_of_one_local_step_is_that_of_its_second_half():
    setting = inexact._linear("", **inexact.RUNS["a rotation, one local step"])
    assert inexact._variance(setting) == pytest.approx(setting.eta**2 / 3)
