"""Claims on Three Pillars: their bounds, their enumeration, their mutants, and the exact claims."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import CompressedMoments, Messages
from theory_checks.claims import CLAIMS
from theory_checks.claims.three_pillars import one_step
from theory_checks.claims.three_pillars.bounds import Pillars, message_constant
from theory_checks.claims.three_pillars.enumeration import (
    after_messages,
    draws,
    random_states,
    solutions,
    with_draw,
)
from theory_checks.claims.three_pillars.instances import saddle
from theory_checks.claims.three_pillars.process import FullExtragradient
from theory_checks.laboratory import Laboratory
from theory_checks.mutants import three_pillars as mutants
from theory_checks.runner import run_claim

OURS = [claim for claim in CLAIMS if claim.id.startswith("three_pillars/")]
PLACE = {"n": 4, "half_dim": 2, "mu": 0.3, "size": 3.0, "local_steps": 3}


@pytest.mark.parametrize("n", [2, 8, 50])
@pytest.mark.parametrize("ratio", [1.0, 30.0])
def test_the_tuned_rate_is_the_stated_one(n, ratio):
    """V2: 1/(1 - rho) = 2n + 2 sqrt(n) delta/mu at gamma = sqrt(p)/(2 delta)."""
    plan = Pillars(1 / ratio, 1.0, 0.0, 1.0, np.sqrt(2), np.sqrt(1 / n) / 2, 1 / n)
    assert 1 / (1 - plan.rho) == pytest.approx(2 * n + 2 * np.sqrt(n) * ratio, rel=1e-12)


@pytest.mark.parametrize("compressor", [PermK(8), SampledClients(2, 8), RandK(2, 8), Identity(8)])
def test_bounds_agree_with_the_package(compressor):
    """Two derivations of the same constants: these and `three_pillars_parameters`."""
    plan = optzoo.three_pillars_parameters(
        0.05, 1.2, 7.0, num_workers=8, average_similarity=0.7, compressor=compressor, dimension=16
    )
    a, b = compressor.variance_constants(16)
    d_B = message_constant(a, b, 1.2, 0.7)
    ours = Pillars(0.05, 7.0, 0.0, 1.2, d_B, np.sqrt(1 / 16) / d_B, 1 / 8)
    ours = replace(ours, H=ours.enough())
    assert ours.gamma == pytest.approx(plan.gamma, rel=1e-12)
    assert ours.eta == pytest.approx(plan.local_step, rel=1e-12)
    assert plan.local_steps == ours.H
    assert ours.rho == pytest.approx(plan.exact_contraction, rel=1e-12)
    assert ours.rho_in == pytest.approx(plan.local_contraction, rel=1e-12)
    assert ours.rho_H == pytest.approx(plan.contraction, rel=1e-12)
    assert np.sqrt(ours.rho_H) <= np.sqrt(ours.rho) + 0.1 * (1 - np.sqrt(ours.rho)) + 1e-15


@pytest.mark.parametrize("factor", [0.3, 1.0, 1.4])
def test_rho_is_above_the_exact_factor_of_a_step(factor):
    for coupling in ("zero", "adversarial", "plus", "random"):
        place = saddle(coupling, n=8, half_dim=4, mu=0.1, size=5.0, gamma_factor=factor)
        plan = place.bounds
        for messages in (Messages("permuted_blocks"), Messages("clients", 1)):
            moments = CompressedMoments(place.problem, plan.gamma, plan.p, plan.p, messages)
            assert moments.one_step_factor()[0] <= plan.rho * (1 + 1e-12)


def test_too_long_a_step_has_no_rate():
    with pytest.raises(ValueError, match="no contraction"):
        _ = saddle("zero", gamma_factor=1.5).bounds.rho


def test_noisy_bound_is_its_recursion():
    plan = saddle("zero").bounds
    root = np.sqrt(plan.rho) + plan.sensitivity * plan.rho_simple ** (plan.H / 2)
    kick = (1 + plan.gamma * plan.d_B) * np.sqrt(plan.local_noise(0.25))
    value = np.sqrt(3.0)
    for _ in range(7):
        value = root * value + kick
    assert plan.noisy(3.0, 0.25, 7) == pytest.approx(value**2, rel=1e-12)


@pytest.mark.parametrize("compressor", [PermK(4), SampledClients(1, 4), RandK(1, 4)])
def test_shipped_draws_are_among_the_enumerated(compressor: Compressor):
    """A run with the shipped compressor goes where one of the enumerated draws goes."""
    run = saddle("random", compressor=compressor, **PLACE).run()
    z, m = random_states(run, 1)
    every = after_messages(run, z, m)[0][0]
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
    carry = run.init(jax.random.key(0))
    step = jax.jit(run.advance)
    for _ in range(9):
        carry = step(carry)
    sent = optzoo.numbers_sent(carry.state, carry.z, run.compressor)
    counted = (sent.uplink_message + sent.uplink_refresh) / carry.z.size - 1
    assert float(run.measure(carry)["uplink"]) == pytest.approx(counted)
    assert sent.uplink_refresh > 0


def test_raw_differences_are_the_method_where_nothing_is_compressed():
    place = saddle("random", compressor=Identity(4), **PLACE)
    z, m = random_states(place.run(), 3)
    shipped, _ = after_messages(place.run(), z, m)
    raw, _ = after_messages(place.run(method=mutants.raw_differences), z, m)
    np.testing.assert_allclose(raw, shipped, rtol=1e-11)


def test_the_other_reference_takes_the_new_point():
    run = saddle("random", **PLACE).run(method=mutants.other_reference)
    z, m = random_states(run, 2)
    after_z, after_m = after_messages(run, z, m, kept=False)
    np.testing.assert_allclose(after_m, after_z, rtol=1e-13)
    _, kept = after_messages(run, z, m, kept=True)
    np.testing.assert_allclose(kept, np.broadcast_to(m[:, None], kept.shape), rtol=1e-13)


def test_a_dropped_correction_leaves_the_local_solution():
    place = saddle("random", **PLACE)
    z, m = random_states(place.run(), 2)
    dropped, _ = after_messages(place.run(factor=0.0), z, m)
    u = solutions(place.run(), z, m)
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
    after = run.step(before, 0, jax.random.key(0))
    factor = (1 - eta**2) ** 2 + eta**2
    assert float(run.measure(after)["distance"]) == pytest.approx(
        factor * float(run.measure(before)["distance"]), rel=1e-12
    )


def test_every_theorem_has_a_claim_and_every_claim_a_control():
    assert {claim.theorem for claim in OURS} >= {f"V{k}" for k in range(8)} | {"LB"}
    known = {claim.id for claim in CLAIMS}
    assert all(set(claim.pairs_with) <= known for claim in OURS)


def test_the_identity_of_a_step_and_a_mutant_that_breaks_it():
    """V0 on the shipped method with PermK, to 1e-12."""
    measured, exact = one_step.identity_sides(places=slice(0, 1))
    np.testing.assert_allclose(measured, exact, atol=1e-12 * np.max(np.abs(exact)))
    measured, exact = one_step.identity_sides(0.25, places=slice(0, 1))
    assert np.max(np.abs(measured - exact)) > 0.01 * np.max(np.abs(exact))


CHOSEN = (
    "three_pillars/one-step/local-steps",
    "three_pillars/one-step/stochastic",
    "three_pillars/moments/rates",
    "three_pillars/hard/upper",
    "three_pillars/hard/lower",
    "three_pillars/monotone/sums",
    "three_pillars/monotone/one-step",
)


@pytest.mark.parametrize("identifier", CHOSEN)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    (claim,) = [one for one in OURS if one.id == identifier]
    found = run_claim(claim, Laboratory(seeds=32, alpha=1e-4))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]
