"""Claims on Markovian noise: their machinery and mutants, computed otherwise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import (
    additive_noise_quadratic,
    extragradient_moments,
    lazy_resample,
    level_weights,
    masked_nesterov,
    two_state_switch,
)
from optzoo.theorems.any_estimate_constants import DistanceOfAny
from optzoo.theorems.markovian_noise import D3A, D5, D6, StronglyConvex, Switches
from theory_checks.claims.markovian_noise import any_estimates, baselines, mutants, rates
from theory_checks.claims.markovian_noise.lower_bounds import Switched, relative_distance
from theory_checks.claims.markovian_noise.processes import (
    by_iterations,
    gradient_calls,
    squared_distance,
    stream_run,
)
from theory_checks.claims.markovian_noise.settings import (
    ACCELERATED,
    DESCENT,
    EXTRAGRADIENT,
    POLYAK,
    ExactRun,
    distance,
    mixed_noise_quadratic,
)
from theory_checks.claims.markovian_noise.weights import (
    from_stream,
    mixture,
    path_moments,
    shipped_weights,
)
from theory_checks.simulation import AtIterations, Experiment, simulate
from theory_checks.simulation.iterations import ticks_for


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
    (halved,) = shipped_weights(mutants.wrong_level_weight, ((2, 2),))
    np.testing.assert_allclose(halved[2], [0.25, 0.25, -0.25, -0.25, *[0.25] * 4])
    (apart,) = shipped_weights(mutants.levels_not_nested, ((1, 2),))
    # 4 (g_2 - g_1) + g_0 on samples 1-4, 5-6 and 7.
    np.testing.assert_allclose(apart[2], [1, 1, 1, 1, -2, -2, 1])
    np.testing.assert_allclose(apart[0], [1])


def test_the_wrong_level_law_halves_the_chance_of_each_level():
    estimate = from_stream(mutants.level_law_that_does_not_match_its_weights)(
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


def _run():
    problem = additive_noise_quadratic(two_state_switch(0.1), [0.5, 1.0])
    return stream_run(problem, np.ones(2), {"gamma": 0.3}, 2, 2, samples_per_tick=2)


def _shown(iterations, deadlines, **changes):
    watch = {"watched": AtIterations(squared_distance, iterations, deadlines, **changes)}
    experiment = Experiment("iterations", _run(), deadlines, watch, lanes=2)
    return simulate(experiment, first=0, count=4)["watched"]


def test_iterations_are_seen_at_their_deadlines():
    """Whatever the deadlines, what is shown is the iterate itself; one that is late is a NaN."""
    deadlines = tuple(ticks_for(k, 2, 2, 2) for k in (2, 5))
    in_time = _shown((2, 5), deadlines)
    assert np.all(np.isfinite(in_time))
    np.testing.assert_array_equal(in_time, _shown((2, 5), tuple(t + 40 for t in deadlines)))
    late = _shown((2, 50), deadlines)
    np.testing.assert_array_equal(late[:, 0], in_time[:, 0])
    assert np.all(np.isnan(late[:, 1]))
    experiment = by_iterations("iterations", _run(), (2, 5), squared_distance)
    assert tuple(experiment.checkpoints) == deadlines
    seen = simulate(experiment, first=0, count=4)
    np.testing.assert_array_equal(seen["watched"], in_time)
    np.testing.assert_array_equal(seen["gradient_calls"][0], 2.0 * np.array(deadlines))


def test_the_mean_over_the_iterates_before():
    """Of iterates 0, ..., N - 1, each shown as the last of so many iterations."""
    last = 3 * ticks_for(4, 2, 2, 2)
    single = [_shown((k,), (last,))[:, 0] for k in (1, 2, 3)]
    first = np.full(4, 2.0)  # |(1, 1)|^2
    mean = _shown((4,), (last,), mean=True)[:, 0]
    np.testing.assert_allclose(mean, np.mean([first, *single], axis=0), rtol=1e-12)


def test_switches_are_counted_over_all_samples():
    kappa, d = 100.0, 60
    problem = masked_nesterov(two_state_switch(0.3), d, kappa)
    run = stream_run(problem, np.zeros(d), {"gamma": 0.001}, 1, 0)
    switched = Switched()
    key = jax.random.key(3)
    position, memory, states = run.init(key), switched.start(), []
    step = jax.jit(run.step)
    for k in range(30):
        before, position = position, step(position, k, jax.random.fold_in(key, k))
        memory = switched.add(memory, run, k, before, position)
        states.append(int(position.chain_state))
    switches = int(np.sum(np.diff(states) != 0))
    assert int(switched.read(memory)) == switches > 0
    relative = np.sum((position.x - problem.solution) ** 2) / np.sum(problem.solution**2)
    rho = 9 / 11
    bound = (rho ** (2 * switches + 2) - rho ** (2 * d)) / (1 - rho ** (2 * d))
    assert float(relative_distance(run, position)) == pytest.approx(float(relative))
    assert D6.bound(Switches(kappa=kappa, d=d), switches) == pytest.approx(bound)
    assert float(gradient_calls(run, position)) == 30
    assert np.count_nonzero(np.asarray(position.x)) <= switches + 1


def test_mixed_noise_meets_the_assumption_exactly():
    problem = mixed_noise_quadratic(20, np.array([0.0, 0.5, 1.0]), 2.0)
    problem.certify()
    assert [problem.constants[name].value for name in ("sigma", "delta", "tau")] == [1, 2, 20]


@pytest.mark.parametrize(
    ("plan", "spectrum"),
    [
        (DESCENT, "kappa 5"),
        (POLYAK, "rank 2, mu 1"),
        (ACCELERATED, "kappa 100"),
        (EXTRAGRADIENT, ""),
    ],
)
@pytest.mark.parametrize("noise", ["additive", "factor 2"])
def test_a_setting_shows_what_its_bound_ate(plan, spectrum, noise):
    setting = ExactRun(plan=plan, chain="switch-14", noise=noise, spectrum=spectrum)
    shown = {name: constant.value for name, constant in setting.constants.items()}
    constants = setting.of(plan.theorem)
    for name in plan.theorem.constants.meanings():
        assert getattr(constants, name) == shown[name]
    # The recursion starts where the bound does, and stays below it.
    run = setting.moments(*setting.sizes).run(setting.x0, [0, 1])
    curve = plan.metric(setting, run)
    np.testing.assert_allclose(curve[0], shown["start"], rtol=1e-12)
    assert np.all(curve[1] <= setting.bound(plan.theorem, 1))
    # A longer step is refused, or is the longest of all.
    with pytest.raises(ValueError, match=r"must be|violated"):
        setting.of(plan.theorem, gamma=shown["gamma"] / 0.89)


def test_extragradient_takes_the_batches_that_its_bound_believes_in():
    """B_0 is that of the first half: with noise in one half alone the curve is another."""
    curves = []
    for batch in ("long, short first", "short, long first"):
        setting = ExactRun(plan=EXTRAGRADIENT, chain="switch-14", batch=batch, start="solution")
        B, m = setting.sizes
        taken = setting.moments(B, m, setting.first_batch)
        np.testing.assert_array_equal(
            taken.matrix,
            extragradient_moments(
                setting.place,
                setting.constants["gamma"].value,
                first_batch_size=round(setting.constants["B_0"].value),
                batch_size=round(setting.constants["B"].value),
                max_level=m,
            ).matrix,
        )
        measured, _ = rates.sides(setting, D5, distance)
        again = distance(setting, taken.run(setting.x0, range(1, setting.horizon + 1)))
        np.testing.assert_allclose(measured, again.ravel(), rtol=1e-12)
        curves.append(measured[-1])
    assert curves[1] > 10 * curves[0]


def test_all_starts_and_iterations_are_held_against_the_bound():
    setting = ExactRun(plan=DESCENT, chain="resample-20", spectrum="kappa 5")
    measured, bound = rates.sides(setting, D3A, distance)
    assert len(measured) == setting.horizon * 3
    slower = rates.sides(setting, D3A, distance, start=2 * setting.constants["start"].value)
    np.testing.assert_array_equal(slower[0], measured)
    assert np.all(slower[1]() > bound())
    last = rates.sides(setting, D3A, distance, last_only=True)
    np.testing.assert_array_equal(last[0], measured[-3:])
    single, _ = rates.sides(setting, D3A, distance, sizes=(1, 0), horizon=10)
    assert np.all(single.reshape(10, 3)[-1] > measured.reshape(-1, 3)[9])


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


# --- Any estimates ---

ON_A_LINE = {
    name: any_estimates.OnALine(
        method=DESCENT.method, metric=any_estimates.distance, **any_estimates.DISTANCES[name]
    )
    for name in any_estimates.DISTANCES
}


@pytest.mark.parametrize("name", ON_A_LINE)
def test_errors_on_a_line_have_the_bias_and_the_variance_that_are_allowed(name):
    setting, numbers = ON_A_LINE[name], ON_A_LINE[name].numbers
    drawn, against = setting.errors
    assert np.mean(drawn, axis=0) == pytest.approx(0, abs=1e-15)
    assert against**2 == pytest.approx(numbers["b"])
    assert np.mean((drawn - against) ** 2, axis=0) == pytest.approx(numbers["V"])


def test_a_run_on_a_line_by_hand():
    """It goes to x - gamma (h x + e), from where the bias alone would stop it."""
    numbers = {"L": 0.5, "mu": 0.5, "gamma": 0.4, "sigma": 2.0, "delta": 0.0, "V": 3.0, "b": 1.0}
    setting = any_estimates.OnALine(
        text="", method=DESCENT.method, metric=any_estimates.distance, numbers=numbers, x0=1.0,
        iterations=2,
    )  # fmt: skip
    noise = (3.0 - 1.0) * 2.0**2 * 0.4**2
    start = (2.0 / 0.5) ** 2
    assert setting.constants["start"].value == pytest.approx(start)
    assert setting.run() == pytest.approx([start + noise, start + noise * (1 + 0.8**2)])


def test_with_the_factors_of_the_estimator_the_bounds_are_those_of_the_theorem():
    shared = {"L": 1.0, "mu": 0.5, "gamma": 0.1, "start": 2.0, "sigma": 1.0, "delta": 0.3}
    bound = StronglyConvex(tau=3, B=40, m=2, **shared)
    any_estimate = DistanceOfAny(V=bound.V, b=bound.b, **shared)
    assert any_estimate.distance([1, 9]) == pytest.approx(bound.distance([1, 9]), rel=1e-14)
    assert any_estimate.V == bound.V != DistanceOfAny(**shared).V == 0.0
