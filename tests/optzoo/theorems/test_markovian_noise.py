"""The theorems on Markovian noise: each bound by a second route, and where it does not apply."""

import itertools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import (
    lazy_resample,
    level_weights,
    masked_nesterov,
    symmetric_lazy_ring,
    two_state_switch,
)
from optzoo.theorems import markovian_noise, theorems_of
from optzoo.theorems.markovian_noise import (
    D1,
    D1_BIAS,
    D1_PROFILE,
    D2,
    D2_BIAS,
    D3,
    D3_POLYAK_LOJASIEWICZ,
    D3A,
    D4,
    D5,
    D6,
    D7,
    Bounded,
    Extragradient,
    Profile,
    SignTest,
    Switches,
    damping,
    expected_samples,
    level_factor,
    memory,
)

DERIVATIONS = Path(__file__).parents[3] / "docs" / "theory" / "markovian_noise.md"
KNOWN = {"tau": 10, "sigma": 0.7, "B": 40, "m": 6, "L": 2.0, "gamma": 0.04, "start": 300.0}
METHODS = {
    D3: {"delta": 0.5},
    D3_POLYAK_LOJASIEWICZ: {"delta": 0.5, "mu": 0.3},
    D3A: {"delta": 0.5, "mu": 0.3},
    D4: {"delta": 0.5, "mu": 0.3, "p": 0.4},
    D5: {"Delta": 0.4, "mu": 0.3, "B_0": 25},
}


def constants(theorem, **changes):
    return theorem.constants.of({**KNOWN, **METHODS[theorem], **changes})


# --- The estimator ---


def test_the_worst_memory_that_a_mixing_time_allows_gives_d1():
    """Delta(Q^k) = 4^-floor(k / tau), the profile that D1 is a bound for."""
    for tau, n in itertools.product((1, 3, 14), (1, 7, 200)):
        rho = memory(0.25 ** (np.arange(n) // tau))
        square, mean = D1_PROFILE.bound(Profile(s=2.0), n, 1 / n, rho)
        bounds = Bounded(tau=tau, s=2.0)
        assert square <= D1.bound(bounds, n, 1 / n) * (1 + 1e-12)
        assert mean <= D1_BIAS.bound(bounds, n) * (1 + 1e-12)
    # For long batches it is all there is.
    rho = memory(0.25 ** (np.arange(40_000) // 20))
    square, mean = D1_PROFILE.bound(Profile(), 40_000, 1 / 40_000, rho)
    assert mean == pytest.approx(D1_BIAS.bound(Bounded(tau=20), 40_000), rel=1e-3)
    assert square == pytest.approx(D1.bound(Bounded(tau=20), 40_000, 1 / 40_000), rel=0.02)


@pytest.mark.parametrize("chain", [lazy_resample([0.2, 0.3, 0.5], 0.4), symmetric_lazy_ring(4)])
def test_what_is_remembered_of_a_chain(chain):
    """|Q^k h| <= s rho_k for every h with pi h = 0, |h| <= s; the signs of a row attain 2 TV."""
    rho = memory(chain.mixing_profile(9))
    law, power = np.asarray(chain.stationary), np.eye(chain.num_states)
    generator = np.random.default_rng(0)
    for k in range(9):
        h = generator.normal(size=(50, chain.num_states))
        h -= (h @ law)[:, None]
        size = np.abs(h).max(axis=1)
        assert np.all(np.abs(h @ power.T).max(axis=1) <= rho[k] * size + 1e-12)
        power = power @ np.asarray(chain.transition)


@pytest.mark.parametrize("m", range(7))
def test_the_factors_of_the_estimator_are_sums_over_its_levels(m):
    """Each level's D1 with as many weights of size 1/B as it has; B samples above the cut."""
    tau, B = 14, 5
    chances = {j: 2.0**-j for j in range(1, m + 1)} | {0: 2.0**-m}
    weights = {j: level_weights(B, j) for j in chances}
    counts = {j: sum(n for w, n in weights[j] if w != 0) for j in chances}
    bounds = Bounded(tau=tau, s=1.5)
    variance = sum(chances[j] * D1.bound(bounds, counts[j], 1 / B) for j in chances)
    assert D2.bound(bounds, B, m) == pytest.approx(variance, rel=1e-13)
    assert D2_BIAS.bound(bounds, B, m) == pytest.approx(D1_BIAS.bound(bounds, 2**m * B) ** 2)
    assert level_factor(m) == pytest.approx(sum(chances[j] * counts[j] / B for j in chances))
    lengths = {j: sum(n for _, n in weights[j]) for j in chances}
    assert expected_samples(B, m) == pytest.approx(sum(chances[j] * lengths[j] for j in chances))


# --- The methods ---


@pytest.mark.parametrize("theorem", [D3_POLYAK_LOJASIEWICZ, D3A, D4, D5], ids=lambda one: one.label)
def test_linear_rates_unroll_their_step(theorem):
    """Phi^+ <= (1 - R) Phi + R floor, iterated."""
    bounds = constants(theorem)
    curve = [bounds.start]
    for _ in range(30):
        curve.append((1 - bounds.rate) * curve[-1] + bounds.rate * bounds.floor)
    np.testing.assert_allclose(theorem.bound(bounds, np.arange(31)), curve, rtol=1e-12)
    target = (bounds.start + bounds.floor) / 2
    steps = bounds.steps_to(target)
    assert theorem.bound(bounds, steps) <= target < theorem.bound(bounds, steps - 1)


def test_the_steps_of_the_proofs():
    """What one step adds, as it stands in the derivations."""
    L, mu, gamma, sigma, p, Delta = 2.0, 0.3, 0.04, 0.7, 0.4, 0.4
    V, b = 10 / 3 * 10 / 40 * (5 + 2.0**-5), 25 / 9 * (10 / 40) ** 2 / 4**6
    polyak = constants(D3_POLYAK_LOJASIEWICZ)
    assert polyak.rate * polyak.floor == pytest.approx(gamma / 2 * sigma**2 * (b + gamma * L * V))
    distance = constants(D3A)
    assert distance.rate * distance.floor == pytest.approx(
        sigma**2 * (gamma**2 * V + gamma * b / mu)
    )
    fast = constants(D4)
    eta, q = math.sqrt(3 / (mu * gamma)), p * (1 + gamma * L)
    assert fast.rate * fast.floor == pytest.approx(
        p * gamma**2 * eta**2 * sigma**2 * (q * V + (4 + eta) * b)
    )
    game, V_0 = constants(D5), 10 / 3 * 10 / 25
    assert game.rate * game.floor == pytest.approx(
        sigma**2 * (3 * gamma**2 * (V + V_0) + 2 * gamma * b / mu)
    )
    assert game.rate == pytest.approx(gamma * mu / 2 - 3 * gamma**2 * V_0 * Delta**2)
    gradient = constants(D3)
    descent = gradient.c * gamma / 2
    assert D3.bound(gradient, 50) == pytest.approx(
        (300.0 / 50 + gamma / 2 * sigma**2 * (b + gamma * L * V)) / descent
    )


def test_the_damping_meets_the_condition_wherever_the_bias_leaves_room():
    for delta, V in itertools.product((0.1, 1.0, 4.0), (0.01, 1.0, 30.0)):
        p = damping(delta, V)
        assert p * (1 + 0.75) * (1 + delta**2 * V) == pytest.approx(1.5)


IN_CONDITIONS_ONLY = {(D4, "delta"), (D5, "L")}


@pytest.mark.parametrize("theorem", METHODS, ids=lambda one: one.label)
def test_each_constant_weakens_the_bound_the_way_it_says(theorem):
    k = np.array([1, 10, 100])
    before = theorem.bound(constants(theorem), k)
    for name, way in theorem.constants.directions().items():
        value = getattr(constants(theorem), name)
        other = value * 1.2 if way == "up" else value / 1.2
        after = theorem.bound(constants(theorem, **{name: other}), k)
        assert np.all(after >= before * (1 - 1e-12)), name
        assert np.any(after > before) != ((theorem, name) in IN_CONDITIONS_ONLY), name


def test_a_bound_speaks_of_at_least_one_gradient():
    with pytest.raises(ValueError, match="D3 does not apply"):
        D3.bound(constants(D3), [0, 1])


@pytest.mark.parametrize(
    ("theorem", "changes", "message"),
    [
        (D3, {"gamma": 0.6}, r"at most 1/L = 0.5, got 0.6"),
        (D3, {"delta": 5.0}, r"1 - delta\^2 \(b \+ gamma L V\) must be positive"),
        (D3A, {"gamma": 1.0}, r"at most 2/\(L \+ mu\)"),
        (D3A, {"mu": 2.5}, "mu must be at most L = 2.0, got 2.5"),
        (D4, {"p": 1.0, "delta": 2.0}, r"condition \(C\).*is violated"),
        (D5, {"gamma": 0.3}, r"at most 1/\(sqrt\(6\) L\)"),
        (D5, {"Delta": 5.0}, r"Delta\^2 .* must be at most gamma mu / 2"),
        (D5, {"tau": 0.5}, r"tau must lie in \[1, inf\)"),
    ],
)
def test_constants_refuse_what_their_theorem_does_not_cover(theorem, changes, message):
    with pytest.raises(ValueError, match=message):
        constants(theorem, **changes)


def test_constants_of_another_theorem_are_refused():
    game = Extragradient.of({**KNOWN, **METHODS[D5]})
    with pytest.raises(TypeError, match="D3a must be a StronglyConvex"):
        D3A.bound(game, 1)


# --- From below ---


def test_no_path_beats_the_pathwise_lower_bound():
    kappa, dim, steps = 25.0, 16, 600
    problem = masked_nesterov(two_state_switch(0.05), dim, kappa)

    def run(key):
        start_key, path_key = jax.random.split(key)
        start = problem.chain.stationary_state(start_key)
        path = problem.chain.path(path_key, steps, initial=start)

        def descend(x, state):
            x = x - problem.sample_gradient(x, state) / kappa
            return x, jnp.sum((x - problem.solution) ** 2)

        distances = jax.lax.scan(descend, jnp.zeros(dim), path)[1]
        switches = jnp.cumsum(jnp.concatenate([jnp.zeros(1), path[1:] != path[:-1]]))
        return distances, switches

    distances, switches = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), 32))
    bound = np.asarray(D6.bound(Switches(kappa=kappa, d=dim), switches))
    ratios = np.asarray(distances) / np.sum(problem.solution**2)
    assert np.all(ratios >= bound - 1e-12)
    assert bound.min() == 0.0
    assert bound.max() > 0.1
    # With the exact coordinates revealed so far it is attained.
    best = [np.sum(problem.solution[n + 1 :] ** 2) / np.sum(problem.solution**2) for n in range(5)]
    attained = D6.bound(Switches(kappa=kappa, d=dim), np.arange(5))
    np.testing.assert_allclose(attained, best, rtol=1e-10)


def test_independent_samples_have_the_bound_of_two_points():
    """At tau = 1 a sample is kept with probability 1/4: T are worth 1 + (T - 1) 3/4."""
    bounds = SignTest(tau=1, mu=2.0, s=3.0)
    assert D7.bound(bounds, 1) == pytest.approx(9 / (9 * 4))
    assert D7.bound(bounds, 101) == pytest.approx(9 / (9 * 4 * 76))
    slow = D7.bound(SignTest(tau=1000, mu=2.0, s=3.0), 100_000)
    assert slow == pytest.approx(9 / (9 * 4 * 100_000) * 1000 / math.log(4), rel=0.01)


def test_the_page_and_its_derivations_speak_of_each_theorem():
    derivations = DERIVATIONS.read_text(encoding="utf-8")
    for theorem in theorems_of(vars(markovian_noise)):
        assert theorem.proof, theorem.label
        assert theorem.not_shown, theorem.label
        assert theorem.label in derivations, theorem.label


@pytest.mark.parametrize(("m", "levels"), [(0, 1.0), (1, 1.0), (3, 2.25)])
def test_levels_cost_more_of_independent_samples_than_a_plain_batch(m, levels):
    assert Bounded(tau=1.0, s=3.0).independent(4, m) == pytest.approx(levels * 9 / 4)
