"""Claims on Markovian noise: their machinery, computed otherwise, and the exact claims."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import (
    additive_noise_quadratic,
    lazy_resample,
    level_weights,
    masked_nesterov,
    nesterov_distance_bound,
    two_state_switch,
)
from theory_checks.claims import CLAIMS, COMPARISONS
from theory_checks.claims.markovian_noise import (
    accelerated,
    baselines,
    descent,
    extragradient,
    mutants,
)
from theory_checks.claims.markovian_noise.exact_runs import (
    mixed_noise_quadratic,
    ratios,
    single_samples,
)
from theory_checks.claims.markovian_noise.lower_bounds import KAPPA, SwitchCount
from theory_checks.claims.markovian_noise.process import (
    AtIterations,
    IterationRun,
    stream_run,
    ticks_for,
)
from theory_checks.claims.markovian_noise.weights import (
    from_stream,
    mixture,
    path_moments,
    shipped_weights,
)
from theory_checks.simulation import Experiment, simulate
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim
from theory_checks.statistics.protocol import Protocol

MARKOV = [claim for claim in CLAIMS if claim.id.startswith("markovian_noise/")]


def _paths(chain, start, length):
    """Every path with its probability."""
    for path in itertools.product(range(chain.num_states), repeat=length):
        states = (start, *path)
        moves = zip(states, path, strict=False)
        yield path, np.prod([chain.transition[a, b] for a, b in moves])


@pytest.mark.parametrize("start", [0, 1, 2])
def test_path_moments_by_enumeration(start):
    chain = lazy_resample([0.2, 0.3, 0.5], 0.4)
    noise, weights = np.array([1.0, -0.4, 0.3]), np.array([0.0, -0.5, -0.5, 1.0, 1.0])
    sums = [(p, weights @ noise[list(path)]) for path, p in _paths(chain, start, len(weights))]
    moments = path_moments(chain, noise, weights)
    assert moments.mean[start, 0] == pytest.approx(sum(p * s for p, s in sums), abs=1e-14)
    assert moments.squared_norm[start] == pytest.approx(sum(p * s**2 for p, s in sums))


def test_mixture_is_the_law_of_the_level():
    assert mixture({0: np.array(8.0), 1: np.array(2.0), 2: np.array(4.0)}) == 2 + 1 + 1


def test_weights_of_the_stream_in_ticks_of_several_samples():
    sizes = ((2, 3), (4, 2))
    for levels, (b, m) in zip(
        shipped_weights(from_stream(optzoo.mlmc_stream, 2), sizes), sizes, strict=True
    ):
        for j in range(m + 1):
            stated = np.repeat(*zip(*level_weights(b, j), strict=True))
            np.testing.assert_array_equal(levels[j], stated)


def test_weights_of_the_mutants():
    (halved,) = shipped_weights(mutants.halved_level_weight, ((2, 2),))
    np.testing.assert_allclose(halved[2], [0.25, 0.25, -0.25, -0.25, *[0.25] * 4])
    (apart,) = shipped_weights(mutants.levels_not_nested, ((1, 2),))
    # 4 (g_2 - g_1) + g_0 on samples 1-4, 5-6 and 7.
    np.testing.assert_allclose(apart[2], [1, 1, 1, 1, -2, -2, 1])
    np.testing.assert_allclose(apart[0], [1])


def test_wrong_level_law_halves_the_chance_of_each_level():
    estimate = from_stream(mutants.wrong_level_law)(
        lambda x, i: x, lambda key, i: (i, i), batch_size=1, max_level=3
    )
    keys = jax.random.split(jax.random.key(0), 4000)
    info = jax.jit(jax.vmap(lambda key: estimate(key, jnp.zeros(1), 0)[2]))(keys)
    shares = np.bincount(np.asarray(info.level), minlength=4) / 4000
    np.testing.assert_allclose(shares, [9 / 16, 1 / 4, 1 / 8, 1 / 16], atol=0.03)


@pytest.mark.parametrize("m", [0, 1, 3])
def test_deadlines_are_late_enough(m):
    """Against the exact law of the sum of 20 lengths."""
    lengths, shares = [1, *(2**j for j in range(1, m + 1))], [2.0**-m]
    shares += [2.0**-j for j in range(1, m + 1)]
    one = np.zeros(2**m + 1)
    np.add.at(one, lengths, shares)
    law = np.array([1.0])
    for _ in range(20):
        law = np.convolve(law, one)
    ticks = ticks_for(20, 6, m, 3, risk=1e-6)
    assert law[ticks // 2 + 1 :].sum() <= 1e-6
    assert law[: ticks // 2 + 1].sum() == pytest.approx(1, abs=1e-6)
    assert ticks <= 2 * 20 * 2**m


def _run(**changes):
    problem = additive_noise_quadratic(two_state_switch(0.1), [0.5, 1.0])
    return stream_run(problem, np.ones(2), (0.3,), 2, 2, samples_per_tick=2, **changes)


def _shown(iterations, deadlines):
    process = IterationRun(_run(), jnp.array(iterations), jnp.array(deadlines))
    experiment = Experiment("iterations", process, deadlines, lanes=2)
    return simulate(experiment, first=0, count=4)["squared_distance"]


def test_iterations_are_seen_at_their_deadlines():
    """Whatever the deadlines, what is shown is the iterate itself; one that is late is a NaN."""
    deadlines = tuple(ticks_for(k, 2, 2, 2) for k in (2, 5))
    in_time = _shown((2, 5), deadlines)
    assert np.all(np.isfinite(in_time))
    np.testing.assert_array_equal(in_time, _shown((2, 5), tuple(t + 40 for t in deadlines)))
    late = _shown((2, 50), deadlines)
    np.testing.assert_array_equal(late[:, 0], in_time[:, 0])
    assert np.all(np.isnan(late[:, 1]))


def test_points_are_renamed_in_the_sentence_too():
    class Check:
        name = "check"

        def run(self, laboratory):
            from theory_checks.claim import Finding

            return Finding("CONSISTENT", "at k = 30", np.array([3.0, 30.0]), np.ones(2))

    found = AtIterations(Check(), (1, 2)).run(Laboratory())
    assert found.decided == "at k = 2"
    assert found.checkpoints.tolist() == [1, 2]


def test_switches_are_counted_over_all_samples():
    problem = masked_nesterov(two_state_switch(0.3), 60, KAPPA)
    run = stream_run(problem, np.zeros(60), (0.001,), 1, 0)
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    rho = (np.sqrt(KAPPA) - 1) / (np.sqrt(KAPPA) + 1)
    counting = SwitchCount(**fields, rho=jnp.asarray(rho))
    key = jax.random.key(3)
    carry, states = counting.init(key), []
    step = jax.jit(counting.step)
    for k in range(30):
        carry = step(carry, k, jax.random.fold_in(key, k))
        states.append(int(carry[0].chain_state))
    switches = int(np.sum(np.diff(states) != 0))
    assert int(carry[1]) == switches > 0
    metrics = counting.measure(carry)
    relative = metrics["squared_distance"] / np.sum(problem.solution**2)
    bound = nesterov_distance_bound(KAPPA, 60, switches)
    assert float(metrics["ratio"]) == pytest.approx(float(relative / bound))
    assert np.count_nonzero(np.asarray(carry[0].x)) <= switches + 1


def test_mixed_noise_meets_the_assumption_exactly():
    problem = mixed_noise_quadratic(20, np.array([0.0, 0.5, 1.0]), 2.0)
    problem.certify()
    assert [problem.constants[name].value for name in ("sigma", "delta", "tau")] == [1, 2, 20]


@pytest.mark.parametrize("module", [accelerated, descent, extragradient])
def test_instances_reach_slow_chains_and_all_noises(module):
    families = [
        getattr(module, name) for name in ("FAMILY", "DISTANCE", "POLYAK") if hasattr(module, name)
    ]
    assert families
    for family in families:
        noises = [instance.bound.noise for instance in family.instances()]
        assert {0, 1, 2} <= {noise.delta for noise in noises}
        assert max(noise.mixing_time for noise in noises) > 1000
        assert min(noise.mixing_time for noise in noises) < 20


def test_ratios_speak_of_every_iteration_and_start():
    instance = descent.DISTANCE.instances()[0]
    measured, bound = ratios(descent.DISTANCE, only=lambda one: one is instance)
    assert len(measured) == instance.horizon * instance.problem.chain.num_states
    assert np.all(bound == 1)
    halved, _ = ratios(descent.DISTANCE, only=lambda one: one is instance, scale=0.5)
    np.testing.assert_allclose(halved, 2 * measured)
    single, _ = ratios(descent.DISTANCE, only=lambda one: one is instance, batch=single_samples)
    assert single.max() > measured.max()


def test_steps_of_the_baselines_are_the_best_of_the_grid(monkeypatch):
    best = baselines.tuned("SGD, batches of τ", "additive", 14)
    monkeypatch.setattr(baselines, "STEPS", np.array([best.step / 2]))
    other = baselines.tuned.__wrapped__("SGD, batches of τ", "additive", 14)
    assert best.passage < other.passage < np.inf


def test_independent_samples_do_not_know_the_chain():
    passages = {
        tau: baselines.tuned("SGD, independent samples", "additive", tau).passage
        for tau in (14, 138)
    }
    assert passages[14] == pytest.approx(passages[138], rel=0.05)
    slow, fast = (baselines.tuned("SGD, batches of τ", "additive", t).passage for t in (138, 14))
    assert slow / fast == pytest.approx(138 / 14, rel=0.05)


EXACT = (
    "batch/second-moment",
    "batch/bias",
    "batch/profile",
    "estimator/weights",
    "estimator/telescoping",
    "estimator/second-moment",
    "estimator/bias",
    "estimator/variance",
    "descent/gradient",
    "descent/polyak",
    "descent/polyak-floor",
    "accelerated/potential",
    "accelerated/floor",
    "lower-bound/noise",
    "laws/bias-batch",
    "laws/bias-tau",
    "laws/variance-tau",
    "laws/variance-levels",
    "laws/floor-step",
    "laws/floor-tau",
    "laws/floor-batch",
    "laws/condition-number",
)


@pytest.mark.parametrize("name", EXACT)
def test_claim_is_consistent_and_its_controls_are_killed(name):
    (claim,) = [one for one in MARKOV if one.id == f"markovian_noise/{name}"]
    found = run_claim(claim, Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]


def test_partners_exist_and_ids_are_unique():
    ids = [claim.id for claim in CLAIMS] + [one.id for one in COMPARISONS]
    assert len(ids) == len(set(ids))
    for claim in MARKOV:
        assert set(claim.pairs_with) <= set(ids)
