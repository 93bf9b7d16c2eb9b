"""The theorems on Three Pillars against independent derivations of what they say."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.compressors import Identity, PermK, RandK, SampledClients
from optzoo.problems import CompressedMoments, Messages, bilinear_saddle, hard_saddle, locked_tail
from optzoo.theorems import theorems_of, three_pillars
from optzoo.theorems.three_pillars import (
    LB,
    V0,
    V1,
    V1_STEP,
    V2,
    V2_UPLINK,
    V3,
    V4,
    V4_LOCAL,
    V4_SERVER,
    V5_STEP,
    V6,
    V6_STEP,
    V7,
    Chain,
    Compression,
    Contraction,
    Minty,
    Noisy,
    Server,
    Step,
    Uplink,
    tuned_step,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
probabilities = st.floats(0.01, 0.6)
positive = st.floats(0.01, 100.0)
PLAN = Noisy(
    mu=0.05,
    L_1=7.0,
    mu_1=0.2,
    delta_1=1.2,
    d_B=1.5,
    gamma=tuned_step(1 / 8, 1.5),
    p=1 / 8,
    H=60,
    sigma=0.5,
)


# --- V0, V5: a step with an exact solution, in coordinates ---


@given(st.integers(0, 10_000), probabilities, st.floats(0.01, 0.5))
@few
def test_v0_is_what_a_step_does_without_compression(seed, tau, gamma):
    """Affine operators, solved directly; xi is then G(m) - G(u)."""
    rng = np.random.default_rng(seed)
    whole, server = np.eye(3) + rng.normal(size=(2, 3, 3))
    whole += whole.T @ whole
    server += server.T @ server
    z, m = rng.normal(size=(2, 3))  # and z* = 0
    v = (1 - tau) * z + tau * m
    u = np.linalg.solve(np.eye(3) + gamma * server, v - gamma * (whole - server) @ m)
    xi = (whole - server) @ (m - u)
    squares = [float(vector @ vector) for vector in (z, m, u - z, u - m)]
    stated = V0.bound(Step(gamma=gamma, tau=tau), *squares, u @ whole @ u, xi @ xi)
    after = u + gamma * xi
    assert stated == pytest.approx(after @ after, rel=1e-9)


def test_v5_is_v0_with_the_least_progress():
    constants = Contraction(mu=0.3, d_B=1.0, gamma=0.2, p=0.25)
    squares = (4.0, 2.0, 1.0, 0.5)
    exact = Step(gamma=0.2, tau=0.25).after(*squares, 0.3 * 5.0, 0.7)
    assert V5_STEP.bound(constants, *squares, 5.0, 0.7) == pytest.approx(exact, rel=1e-14)


# --- V1, V2: the contraction ---


@given(probabilities, positive, positive)
@few
def test_v1_is_the_best_of_the_inequalities_that_it_is_made_of(p, mu, d_B):
    """The decrease, least over |u - z|, |u - m| on a line: a parabola that is minimized here."""
    constants = Contraction(mu=mu, d_B=d_B, gamma=tuned_step(p, d_B), p=p)
    M = min(1 - p, p - constants.gamma**2 * d_B**2)
    # With z = m = 1, z* = 0 and both |u - z|^2 and |u - m|^2 weighted by M at least: the decrease
    # is M |u - z|^2 + M |u - m|^2 + 2 gamma mu u^2, least at u = M / (M + gamma mu), and Phi = 2.
    u = M / (M + constants.gamma * mu)
    least = (2 * M * (1 - u) ** 2 + 2 * constants.gamma * mu * u**2) / 2
    assert V1_STEP.bound(constants) == pytest.approx(least, rel=1e-9)
    assert V1.bound(constants, 3, 2.0) == pytest.approx(4.0 * (1 - least) ** 3, rel=1e-9)


@pytest.mark.parametrize("n", [2, 8, 50])
@pytest.mark.parametrize("ratio", [1.0, 30.0])
def test_the_tuned_time_is_the_stated_one(n, ratio):
    """1/(1 - rho) = 2n + 2 sqrt(n) delta/mu at gamma = sqrt(p)/(2 delta)."""
    delta = Compression(delta_1=1.0, delta_av=1.0, A=1.0, B=1.0).d_B
    assert tuned_step(1 / n, delta) == pytest.approx(math.sqrt(1 / n) / 2, rel=1e-12)
    plan = Contraction(mu=1 / ratio, d_B=delta, gamma=math.sqrt(1 / n) / 2, p=1 / n)
    assert V2.bound(plan) == pytest.approx(2 * n + 2 * math.sqrt(n) * ratio, rel=1e-12)


@pytest.mark.parametrize("longer", [0.3, 1.0, 1.4])
def test_rho_is_above_the_exact_factor_of_a_step(longer):
    for coupling in ("zero", "adversarial", "plus", "random"):
        problem = bilinear_saddle(
            8, 4, strong_monotonicity=0.1, similarity=1.0, coupling=coupling, size=5.0
        )
        d_B = math.sqrt(2)
        gamma = longer * tuned_step(1 / 8, d_B)
        rho = Contraction(mu=0.1, d_B=d_B, gamma=gamma, p=1 / 8).rho
        for messages in (Messages("permuted_blocks"), Messages("clients", 1)):
            moments = CompressedMoments(problem, gamma, 1 / 8, 1 / 8, messages)
            assert moments.one_step_factor()[0] <= rho * (1 + 1e-12)


# --- V3: compression ---


@pytest.mark.parametrize("compressor", [PermK(8), SampledClients(2, 8), RandK(2, 8), Identity(8)])
def test_d_b_is_attained_where_workers_differ_in_every_direction(compressor):
    """The second moment of isometric differences, from the definition of A and B."""
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(16, 16)))[0] for _ in range(4)]
    deviations = 1.2 * np.stack([sign * turn for turn in turns for sign in (1, -1)])
    away = rng.normal(size=16)
    a = (deviations - deviations[0]) @ away
    A, B = compressor.variance_constants(16)
    single, mean = np.mean(np.sum(a**2, axis=1)), np.sum(np.mean(a, axis=0) ** 2)
    constants = Compression(delta_1=1.2, delta_av=1.2, A=A, B=B)
    assert V3.bound(constants, away @ away) == pytest.approx(A * single + (1 - B) * mean)


# --- V4: local steps ---


def _sensitivity(plan):
    """Both cases written out."""
    s = plan.gamma * plan.delta_1
    if plan.mu_1 >= 0:
        start = math.sqrt((2 - plan.p) ** 2 + (plan.p + s) ** 2)
    else:
        start = math.sqrt((1 + (1 - plan.p) / (1 - s)) ** 2 + ((plan.p + s) / (1 - s)) ** 2)
    return start + plan.gamma * plan.d_B * start


@given(probabilities, st.floats(0.01, 0.95), st.sampled_from([0.5, 0.0, -0.5]))
@few
def test_sensitivity_is_that_of_its_two_cases(p, s, mu_1):
    plan = replace(PLAN, p=p, gamma=s / PLAN.delta_1, mu_1=mu_1)
    assert plan.sensitivity == pytest.approx(_sensitivity(plan), rel=1e-12)


@given(probabilities, st.floats(0.01, 0.95))
@few
def test_the_start_of_the_local_steps_is_within_the_sensitivity(p, s):
    """|z - uhat| for F = 0 and F_1 = -delta_1, in one dimension, where z* = 0."""
    plan = replace(PLAN, p=p, d_B=0.0, gamma=s / PLAN.delta_1, mu_1=-PLAN.delta_1)
    # uhat (1 - s) = (1 - p) z + p m - s m
    coefficients = np.array([1 - (1 - p) / (1 - s), -(p - s) / (1 - s)])
    assert np.linalg.norm(coefficients) <= plan.sensitivity
    # The same with F_1 = 0 and F = delta_1, where the resolvent is the identity.
    coefficients = np.array([1 - (1 - p), -(p - s)])
    assert np.linalg.norm(coefficients) <= replace(plan, mu_1=0.0).sensitivity


def test_v4_written_out():
    gamma, p, H = PLAN.gamma, PLAN.p, PLAN.H
    L_A, mu_A = PLAN.L_1 + 1 / gamma, PLAN.mu_1 + 1 / gamma
    eta = 1 / (4 * L_A)
    rho_in = 1 - 2 * eta * mu_A / (1 + 2 * eta * mu_A / (1 - eta**2 * L_A**2))
    rho = 1 - 1 / (1 / (gamma * PLAN.mu) + 1 / min(1 - p, p - (gamma * PLAN.d_B) ** 2))
    root = math.sqrt(rho) + _sensitivity(PLAN) * rho_in ** (H / 2)
    assert PLAN.eta == pytest.approx(eta, rel=1e-14)
    assert V4_LOCAL.bound(PLAN) == pytest.approx(1 - rho_in, rel=1e-12)
    assert V4.bound(PLAN, [0, 5], 3.0) == pytest.approx([6.0, 6.0 * root**10], rel=1e-12)
    needed = PLAN.local_steps_for(0.1 * (1 - math.sqrt(rho)))
    left = [_sensitivity(PLAN) * rho_in ** (count / 2) for count in (needed - 1, needed)]
    assert left[1] <= 0.1 * (1 - math.sqrt(rho)) < left[0]


# --- V6: monotone and Minty ---


@given(st.floats(0.01, 1.0))
@few
def test_the_constant_of_v6_is_above_the_worst_case_of_a_step(p):
    r"""The largest gamma^2 |F(u)|^2 over the moved distance, by Cauchy-Schwarz.

    gamma F(u) = -(u - v) + gamma (G(u) - G(m)) is at most (1-p) a + (p + sqrt(p)/2) b with
    a = |u - z| and b = |u - m|; its square over (1-p) a^2 + (p/2) b^2 is at most
    (1-p) + (p + sqrt(p)/2)^2 / (p/2) = 3/2 + p + 2 sqrt(p), which at p = 1 is 4.5.
    """
    d_B = 2.0
    constants = Minty(delta_1=d_B / math.sqrt(2), d_B=d_B, gamma=tuned_step(p, d_B), p=p)
    b = 2 * p + math.sqrt(p)  # the worst ratio of b to a = p, from the equality of both quotients
    worst = ((1 - p) + (p + math.sqrt(p) / 2) * (b / p)) ** 2 / ((1 - p) + p / 2 * (b / p) ** 2)
    assert worst == pytest.approx(1.5 + p + 2 * math.sqrt(p), rel=1e-12)
    stated = V6_STEP.bound(constants, 1.0, (b / p) ** 2) * constants.gamma**2
    assert ((1 - p) + (p + math.sqrt(p) / 2) * (b / p)) ** 2 <= stated * (1 + 1e-12)


def test_the_constant_of_v6_is_the_least_that_serves_every_p():
    constants = Minty(delta_1=1.0, d_B=math.sqrt(2), gamma=0.5, p=1.0)
    assert constants.factor * constants.gamma**2 == pytest.approx(1.5 + 1 + 2)


@pytest.mark.parametrize("n", [2, 16])
def test_v6_at_the_tuned_step_is_the_stated_one(n):
    delta, initial = 0.7, 3.0
    d_B = math.sqrt(2) * delta
    constants = Minty(delta_1=delta, d_B=d_B, gamma=tuned_step(1 / n, d_B), p=1 / n)
    assert V6.bound(constants, 10, initial) == pytest.approx(36 * n * delta**2 * initial / 10)


# --- V7: noise ---


def test_v7_is_its_recursion():
    mu_A = PLAN.mu_1 + 1 / PLAN.gamma
    contraction = (1 - PLAN.eta * mu_A) ** (PLAN.H / 2)
    root = math.sqrt(PLAN.rho) + _sensitivity(PLAN) * contraction
    kick = (1 + PLAN.gamma * PLAN.d_B) * math.sqrt(3 * PLAN.eta * PLAN.sigma**2 / mu_A)
    value = math.sqrt(3.0)
    for _ in range(7):
        value = root * value + kick
    assert V7.bound(PLAN, 7, 1.5) == pytest.approx(value**2, rel=1e-12)


def test_local_noise_is_the_sum_of_its_series():
    error, contraction = 2.0, 1 - PLAN.eta * PLAN.mu_A
    for H in range(1, 2000):
        error = contraction * error + 3 * PLAN.eta**2 * PLAN.sigma**2
        assert error <= replace(PLAN, H=H).local_error(2.0) * (1 + 1e-12)
    assert error == pytest.approx(PLAN.local_floor, rel=1e-6)


# --- What is sent, and the bound from below ---


def test_uplink_counts_messages_and_refreshes():
    sent = V2_UPLINK.bound(Uplink(share=0.125, p=0.25), [1, 9])
    assert sent.tolist() == [0.125, 9 / 8 + 8 / 4]


def test_floor_is_below_the_expectation_over_what_was_heard():
    """N - 1 is at most binomial: the chance of each step is heard + p at most."""
    problem = hard_saddle(4, 16, strong_monotonicity=1.0, similarity=20.0)
    constants, k = Chain(heard=0.25, p=0.25), 6
    chances = [math.comb(k, j) * 0.5**k for j in range(k + 1)]
    expected = sum(chance * locked_tail(problem, 1.0 + j) for j, chance in enumerate(chances))
    floor = LB.bound(constants, k, lambda unlocked: locked_tail(problem, unlocked))
    assert 0 < floor <= expected


# --- Assumptions and directions ---


def test_violated_assumptions_are_refused_with_their_reason():
    long = replace(PLAN, gamma=math.sqrt(PLAN.p) / PLAN.d_B)
    assert long.rho == math.inf
    for theorem, arguments in ((V1_STEP, ()), (V2, ()), (V4, (1, 1.0)), (V7, (1, 1.0))):
        with pytest.raises(ValueError, match=r"does not apply.*M = "):
            theorem.bound(long, *arguments)
    with pytest.raises(ValueError, match=r"V2 does not apply.*strongly monotone"):
        V2.bound(replace(PLAN, mu=0.0))
    with pytest.raises(ValueError, match=r"V4 does not apply.*F_1.*monotone"):
        V4.bound(replace(PLAN, mu_1=-1.0, delta_1=20.0), 1, 1.0)
    with pytest.raises(ValueError, match=r"V4, a local step does not apply"):
        V4_LOCAL.bound(Server(gamma=1.0, L_1=2.0, mu_1=-1.5))
    for changed in ({"gamma": 0.51}, {"delta_1": 1.1}):
        fields = {"delta_1": 1.0, "d_B": math.sqrt(2), "gamma": 0.5, "p": 1.0, **changed}
        with pytest.raises(ValueError, match="V6 does not apply"):
            V6.bound(Minty(**fields), 1, 1.0)
    with pytest.raises(ValueError, match=r"p must lie in \(0, 1\]"):
        replace(PLAN, p=0.0)


COMPRESSION = Compression(delta_1=1.0, delta_av=2.0, A=0.5, B=0.25)
FORMULAS = {
    "V1": (PLAN, lambda constants: constants.distance(10, 1.0)),
    "V2": (PLAN, lambda constants: constants.time()),
    "V3": (COMPRESSION, lambda constants: constants.energy(1.0)),
    "V4": (PLAN, lambda constants: constants.potential(10, 1.0)),
    "V4, a local step": (PLAN, lambda constants: constants.rho_in),
    "V7": (PLAN, lambda constants: constants.noisy_potential(10, 1.0)),
    "V7, the local steps": (PLAN, lambda constants: constants.local_error(1.0)),
    "LB": (Chain(heard=0.2, p=0.1), lambda constants: -constants.floor(3, lambda M: 1 / M)),
}


@pytest.mark.parametrize("label", FORMULAS)
@pytest.mark.parametrize("factor", [1.02, 1.2])
def test_constants_weaken_the_bound_in_their_direction(label, factor):
    constants, formula = FORMULAS[label]
    for name, direction in constants.directions().items():
        times = factor if direction == "up" else 1 / factor
        weaker = replace(constants, **{name: times * getattr(constants, name)})
        assert formula(weaker) >= formula(constants) * (1 - 1e-12), name


def test_every_theorem_has_its_section():
    root = Path(__file__).parents[3]
    text = (root / "docs" / "theory" / "three_pillars.md").read_text(encoding="utf-8")
    labels = {theorem.root.label for theorem in theorems_of(vars(three_pillars))}
    assert labels == {f"V{k}" for k in range(8)} | {"LB"}
    for label in labels:
        assert f"\n## {label}:" in text


def test_the_root_of_rho_h_is_that_of_rho_and_the_error_of_the_server():
    error = V4_SERVER.bound(PLAN)
    assert error == pytest.approx(PLAN.sensitivity * PLAN.rho_in ** (PLAN.H / 2))
    assert math.sqrt(PLAN.rho_H) == pytest.approx(math.sqrt(PLAN.rho) + error)
