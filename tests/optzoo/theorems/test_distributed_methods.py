"""The theorems on methods beside Three Pillars against independent derivations of what they say."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.compressors import Identity, PermK, RandK, SampledClients
from optzoo.theorems import distributed_methods, theorems_of
from optzoo.theorems.distributed_methods import (
    E_STEP,
    LE,
    M1,
    M1_STEP,
    M2,
    OM,
    S_STEP,
    SV,
    V8,
    V8_STEP,
    CompressedDifferences,
    E,
    ErrorFeedback,
    FullCommunication,
    LocalSteps,
    Optimistic,
    ReferencePoint,
    S,
    SimilarityStep,
    Sliding,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 10_000)


def least_on_a_line(progress, slack):
    """The least of slack (1 - u)^2 + progress u^2, a parabola in u."""
    u = slack / (slack + progress)
    return slack * (1 - u) ** 2 + progress * u**2


def square(x):
    return float(x @ x)


# --- E, S, V8: numbers of the complex plane as operators of the real one ---


@given(shares, shares)
@few
def test_e_is_the_best_of_the_inequalities_that_it_is_made_of(step, mu):
    plan = FullCommunication(mu=mu, L=1.5, gamma=step / 1.5)
    least = least_on_a_line(2 * plan.gamma * mu, 1 - step**2)
    assert E_STEP.bound(plan) == pytest.approx(least, rel=1e-12)
    assert E.bound(plan, [0, 3], 2.0) == pytest.approx([2.0, 2 * (1 - least) ** 3], rel=1e-12)


def test_e_is_nearly_attained_by_a_rotation():
    mu, L = 0.01, 1.0
    for gamma in (0.1, 0.5):
        operator = mu + 1j * math.sqrt(L**2 - mu**2) * np.linspace(0, 1, 101)
        decrease = 1 - np.abs(1 - gamma * operator + gamma**2 * operator**2) ** 2
        stated = E_STEP.bound(FullCommunication(mu=mu, L=L, gamma=gamma))
        assert stated <= decrease.min() <= 1.05 * stated


def sliding_decreases(mu, delta, theta, eta, alpha):
    """1 - |z^+ / z|^2 over many F = mu + i w and G = delta e^{i phi}, solved exactly."""
    w, phi = np.meshgrid(np.geomspace(1e-3, 1e3, 121), np.linspace(0, 2 * np.pi, 181))
    whole, rest = mu + 1j * w, delta * np.exp(1j * phi)
    u = (1 / theta - rest) / (whole - rest + 1 / theta)
    g = (rest - 1 / theta) * (u - 1)
    np.testing.assert_allclose(g, whole * u, rtol=1e-9)
    return 1 - np.abs(1 + eta * alpha * (u - 1) - eta * g) ** 2


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("shorter", [0.5, 1.0])
def test_s_is_nearly_attained_in_the_plane(share, shorter):
    mu, delta = 0.02, 0.7
    theta = share / delta
    eta = shorter * theta / (1 + 2 * mu * theta)
    stated = S_STEP.bound(Sliding(mu=mu, delta_1=delta, theta=theta, eta=eta))
    assert stated == pytest.approx(2 * eta * mu, rel=1e-14)
    least = sliding_decreases(mu, delta, theta, eta, 2 * mu).min()
    assert stated <= least <= 1.1 * stated


def test_the_longest_steps_of_s_and_v8_have_the_stated_times():
    mu, delta = 0.1, 1.3
    longest = Sliding(mu=mu, delta_1=delta, theta=1 / delta, eta=1 / (delta + 2 * mu))
    assert 1 / S_STEP.bound(longest) == pytest.approx(1 + delta / (2 * mu), rel=1e-12)
    left = S.bound(longest, [0, 2], 3.0)
    assert left == pytest.approx([3.0, 3 * (1 - 1 / (1 + delta / (2 * mu))) ** 2], rel=1e-12)
    best = SimilarityStep(mu=mu, delta_1=delta, gamma=1 / (math.sqrt(2) * delta))
    time = delta / (math.sqrt(2) * mu) + 2
    assert 1 / V8_STEP.bound(best) == pytest.approx(time, rel=1e-12)
    assert V8.bound(best, 3, 2.0) == pytest.approx(2 * (1 - 1 / time) ** 3, rel=1e-12)


@given(shares, shares)
@few
def test_v8_is_the_best_of_the_inequalities_that_it_is_made_of(share, mu):
    plan = SimilarityStep(mu=mu, delta_1=1.2, gamma=share / 1.2)
    least = least_on_a_line(2 * plan.gamma * mu, 1 - share**2)
    assert V8_STEP.bound(plan) == pytest.approx(least, rel=1e-12)
    decreases = sliding_decreases(mu, 1.2, plan.gamma, plan.gamma, 0.0)
    assert least <= decreases.min()


# --- LE: local steps ---


def test_le_is_its_recursion():
    plan = LocalSteps(mu=0.3, L=1.4, D=0.6, gamma=0.2, H=5)
    g, stretch = plan.gamma, 1 + plan.gamma * plan.L
    away, drift = 0.0, 0.0  # a worker's distance from z*, and what its operator has changed by
    for _ in range(plan.H):
        drift += g * plan.L * (stretch * away + g * plan.D)
        away += g * stretch * plan.D
    factor = math.sqrt(1 - least_on_a_line(2 * g * plan.mu, 1 - (g * plan.L) ** 2)) ** plan.H
    distances = [2.0]
    for _ in range(4):
        distances.append(factor * distances[-1] + drift)
    assert LE.bound(plan, np.arange(5), 2.0) == pytest.approx(distances, rel=1e-12)


@pytest.mark.parametrize("H", [1, 2, 7])
def test_le_holds_for_rotations_about_different_points(H):
    """F_i = (mu + i w_i)(z - c_i) in the complex plane."""
    rng = np.random.default_rng(H)
    operators, centers = 0.3 + 1j * rng.normal(size=4), rng.normal(size=4) + 1j * rng.normal(size=4)
    star = (operators @ centers) / operators.sum()
    at_star = operators * (star - centers)
    plan = LocalSteps(mu=0.3, L=np.abs(operators).max(), D=np.abs(at_star).mean(), gamma=0.2, H=H)
    z = star + 0.1
    for k in range(1, 60):
        u = np.full(4, z)
        for _ in range(H):
            half = u - plan.gamma * operators * (u - centers)
            u = u - plan.gamma * operators * (half - centers)
        z = u.mean()
        assert abs(z - star) <= LE.bound(plan, k, 0.1)
    assert abs(z - star) > 1e-3  # and there it stays


# --- Instances for one step with a random outcome ---


def instance(seed, n=2, d=4):
    """Affine operators on a box: matrices, offsets, constants, the projection and z*."""
    rng = np.random.default_rng(seed)
    skew = rng.normal(size=(d, d))
    matrices = 0.4 * np.eye(d) + (skew - skew.T) / 2 + 0.3 * rng.normal(size=(n, d, d))
    whole = matrices.mean(axis=0)
    matrices += max(0.0, 0.2 - np.linalg.eigvalsh(whole + whole.T)[0] / 2) * np.eye(d)
    offsets, low = rng.normal(size=(n, d)), rng.normal(size=d) - 0.5
    high = low + rng.uniform(0.1, 2.0, size=d)

    def project(z):
        return np.minimum(np.maximum(z, low), high)

    whole, star = matrices.mean(axis=0), project(np.zeros(d))
    L = np.linalg.norm(whole, 2)
    for _ in range(300):
        half = project(star - 0.5 / L * (whole @ star + offsets.mean(axis=0)))
        star = project(star - 0.5 / L * (whole @ half + offsets.mean(axis=0)))
    return rng, matrices, offsets, project, star


def in_the_mean_square(matrices):
    """The least c with (1/n) sum_i |A_i x|^2 <= c^2 |x|^2."""
    moment = np.mean(np.swapaxes(matrices, 1, 2) @ matrices, axis=0)
    return math.sqrt(np.linalg.eigvalsh(moment)[-1])


def modulus(matrix):
    return np.linalg.eigvalsh(matrix + matrix.T)[0] / 2


def halves(d):
    """The two outcomes of PermK with two workers, as weights of their messages."""
    first = (np.arange(d) < d // 2).astype(float)
    return [(first, 1 - first), (1 - first, first)]


# --- M1: raw differences ---


@given(shares, shares)
@few
def test_m1_is_the_best_of_the_inequalities_that_it_is_made_of(p, share):
    """With z = m = 1: both squared distances from u have the weight of the smaller at least."""
    plan = ReferencePoint(mu=0.2, C=1.1, gamma=share * math.sqrt(p) / 1.1, p=p)
    slack = p * (1 - share**2)
    least = least_on_a_line(2 * plan.gamma * 0.2, (2 - p) * slack) / (2 - p)
    assert M1_STEP.bound(plan) == pytest.approx(least, rel=1e-9)
    expected = [2 - p, (2 - p) * (1 - least) ** 4]
    assert M1.bound(plan, [0, 4], 1.0) == pytest.approx(expected, rel=1e-9)


@given(seeds, st.sampled_from([0.1, 0.5, 1.0]), shares)
@few
def test_m1_holds_for_a_step_over_a_box(seed, p, share):
    rng, matrices, offsets, project, star = instance(seed)
    whole, offset, d = matrices.mean(axis=0), offsets.mean(axis=0), len(star)
    C = in_the_mean_square(matrices)  # PermK
    plan = ReferencePoint(mu=modulus(whole), C=C, gamma=share * math.sqrt(p) / C, p=p)
    z, m = project(rng.normal(size=d)), project(rng.normal(size=d))
    v = (1 - p) * z + p * m
    at_m = whole @ m + offset
    u = project(v - plan.gamma * at_m)
    messages = matrices @ (u - m)
    after = [
        square(
            project(v - plan.gamma * (at_m + weights[0] * messages[0] + weights[1] * messages[1]))
            - star
        )
        for weights in halves(d)
    ]
    before = (1 - p) * square(z - star) + square(m - star)
    following = np.mean(after) + (1 - p) * square(m - star)
    assert following <= (1 - M1_STEP.bound(plan)) * before * (1 + 1e-9)


@pytest.mark.parametrize("compressor", [PermK(8), SampledClients(2, 8), RandK(2, 8), Identity(8)])
def test_c_is_attained_where_workers_differ_in_every_direction(compressor):
    """The second moment of isometric differences about an isometry, from the definition."""
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(16, 16)))[0] for _ in range(4)]
    matrices = np.stack([0.8 * np.eye(16) + s * 1.2 * turn for turn in turns for s in (1, -1)])
    away = rng.normal(size=16)
    a = matrices @ away
    A, B = compressor.variance_constants(16)
    second = A * np.mean(np.sum(a**2, axis=1)) + (1 - B) * np.sum(np.mean(a, axis=0) ** 2)
    constants = CompressedDifferences(L=0.8, L_av=math.hypot(0.8, 1.2), A=A, B=B)
    assert constants.C**2 * square(away) == pytest.approx(second, rel=1e-12)


# --- OM and SV: optimism ---


def optimistic(p=0.25, mu=0.3, ell=1.0, d_M=0.7):
    return Optimistic.tuned(mu=mu, ell=ell, d_M=d_M, p=p)


@pytest.mark.parametrize("p", [0.02, 0.25, 0.5])
@pytest.mark.parametrize("mu", [0.01, 5.0])
def test_om_is_the_recursion_of_its_weights(p, mu):
    """E|z - z*|^2 and E|w - z*|^2 alone, without the parts that optimism adds and takes."""
    plan = optimistic(p=p, mu=mu)
    g, theta = plan.gamma, min(plan.gamma * mu, p) / 2
    assert (plan.theta, plan.alpha) == (theta, 1 - theta)
    weight = 1 / (1 - theta / p)
    potential = 1 + 2 * g * mu - weight * p + weight
    z = w = 1.0
    for k in range(20):
        stated = OM.bound(plan, k, 1.0)
        assert stated == pytest.approx(
            (1 - theta) ** k * potential / (1 + 2 * g * mu - g * plan.ell), rel=1e-12
        )
        assert (1 + 2 * g * mu - weight * p) * z + weight * w <= potential * (
            1 - theta
        ) ** k + 1e-12
        z = ((1 - p) * z + p * w) / (1 + 2 * g * mu)
        w = p * z + (1 - p) * w
    assert SV.bound(plan, 3, 2.0) == OM.bound(plan, 3, 2.0)


def test_the_limits_of_om_are_where_they_are_said_to_be():
    flat = {"mu": 1e-9, "p": 0.25}  # theta = 0, alpha = 1
    at = Optimistic(**flat, ell=2.0, d_M=0.0, gamma=1 / 16)
    assert at.allowed()
    assert not replace(at, gamma=1.001 / 16).allowed()
    for p, spared in ((0.25, 0.25), (0.4, 0.225), (0.5, 0.125)):
        at = Optimistic(mu=1e-9, p=p, ell=0.0, d_M=3.0, gamma=math.sqrt(spared) / 12)
        assert replace(at, gamma=0.9999 * at.gamma).allowed()
        assert not replace(at, gamma=1.0001 * at.gamma).allowed()
    assert not Optimistic(mu=1e-9, p=0.51, ell=1.0, d_M=0.0, gamma=1e-9).allowed()
    # alpha: at gamma mu > p it is 1 - p/2
    at = Optimistic(mu=100.0, p=0.5, ell=0.0, d_M=1.0, gamma=math.sqrt(0.75 * 0.125) / 4)
    assert replace(at, gamma=0.9999 * at.gamma).allowed()
    assert not replace(at, gamma=1.0001 * at.gamma).allowed()


@given(st.floats(0.01, 0.5), st.floats(1e-3, 10.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0))
@few
def test_tuned_optimistic_steps_are_nearly_the_longest(p, mu, ell, d_M):
    if max(ell, d_M) < 1e-3:
        ell = 1e-3
    plan = optimistic(p, mu, ell, d_M)
    assert plan.allowed()
    # alpha may be as small as 1 - p/2, and is taken to be so
    assert not replace(plan, gamma=1.01 * plan.gamma / math.sqrt(1 - p / 2)).allowed()


def test_a_step_of_any_length_has_nothing_to_be_tuned_by():
    with pytest.raises(ValueError, match="ell or d_M must be positive"):
        optimistic(ell=0.0, d_M=0.0)


def solved_over_a_box(operator, project, z, lipschitz):
    for _ in range(60):
        half = project(z - 0.5 / lipschitz * operator(z))
        z = project(z - 0.5 / lipschitz * operator(half))
    return z


@pytest.mark.parametrize("implicit", [False, True], ids=["OM", "SV"])
@given(seeds, st.sampled_from([0.1, 0.45, 0.5]))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_potential_of_om_falls_over_a_box_from_anywhere(implicit, seed, p):
    """From arbitrary z, z^-, w^-, over both coins and both outcomes."""
    rng, matrices, offsets, project, star = instance(seed)
    whole, d = matrices.mean(axis=0), len(star)
    server = matrices[0] if implicit else np.zeros((d, d))
    at_server = offsets[0] if implicit else np.zeros(d)
    split, split_offsets = matrices - server, offsets - at_server
    X, X_offset = split.mean(axis=0), split_offsets.mean(axis=0)
    outcomes = halves(d)
    if implicit:  # one client, whose whole vector counts twice
        outcomes = [(np.ones(d), np.zeros(d)), (np.zeros(d), np.ones(d))]
    deviation = in_the_mean_square(matrices - whole)
    plan = Optimistic.tuned(mu=modulus(whole), ell=np.linalg.norm(X, 2), d_M=deviation, p=p)
    g, theta, alpha = plan.gamma, plan.theta, plan.alpha
    weight, spare = p / (p - theta), 7 / 8 - p - alpha * g * plan.ell

    def potential(z, before, w_before):
        """Before the coin."""
        reference = p * square(z - star) + (1 - p) * square(w_before - star)
        return (
            (1 + 2 * g * plan.mu - weight * p) * square(z - star)
            + weight * reference
            - 2 * g * float((X @ (z - before)) @ (z - star))
            + spare * square(z - before)
            + p * square(z - w_before)
        )

    z, before, w_before = (project(rng.normal(size=d)) for _ in range(3))
    messages = split @ (z - w_before) + alpha * split @ (z - before)
    mean = 0.0
    for (w, chance), weights in itertools.product(((z, p), (w_before, 1 - p)), outcomes):
        delta = X @ w_before + X_offset + weights[0] * messages[0] + weights[1] * messages[1]
        v = (1 - p) * z + p * w
        following = solved_over_a_box(
            lambda u, v=v, delta=delta: g * (server @ u + at_server + delta) + u - v,
            project,
            z,
            1 + g * np.linalg.norm(server, 2),
        )
        mean += chance / 2 * potential(following, z, w)
    start = potential(z, before, w_before)
    assert mean <= (1 - theta) * start * (1 + 1e-9)
    least = 1 + 2 * g * plan.mu - g * plan.ell
    assert least * square(z - star) <= start * (1 + 1e-12)


# --- M2: error feedback ---


def error_feedback(p=0.25, mu=0.3, L=1.0, L_av=1.3, beta=4.0):
    return ErrorFeedback.tuned(mu=mu, L=L, L_av=L_av, beta=beta, p=p)


LIMITS = {
    "gamma mu <= p / 16": {"mu": 1.0, "L": 1.0, "L_av": 1e-6, "beta": 1.0, "p": 0.01},
    "gamma mu <= 1 / beta": {"mu": 1.0, "L": 0.1, "L_av": 1e-6, "beta": 80.0, "p": 0.5},
    "gamma L": {"mu": 0.01, "L": 1.0, "L_av": 1e-6, "beta": 1.0, "p": 0.5},
    "errors": {"mu": 0.1, "L": 1.0, "L_av": 1.0, "beta": 8.0, "p": 0.25},
    "errors, p small": {"mu": 0.03, "L": 1.0, "L_av": 1.0, "beta": 8.0, "p": 1e-4},
}
STEPS = {
    "gamma mu <= p / 16": 0.01 / 16,
    "gamma mu <= 1 / beta": 1 / 80,
    "gamma L": 1 / 8,
    # 9 b^2 (8 x^2 + 19 p^2 x / mu) = p, by the rule for quadratic equations
    "errors": (-190 / 16 + math.sqrt((190 / 16) ** 2 + 4 * 8 * 0.25 / (9 * 64))) / 16,
    "errors, p small": (-19e-6 / 3 + math.sqrt((19e-6 / 3) ** 2 + 4 * 8 * 1e-4 / (9 * 64))) / 16,
}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_longest_step_of_m2_is_at_its_limit(limit):
    plan = ErrorFeedback.tuned(**LIMITS[limit])
    assert plan.gamma == pytest.approx(STEPS[limit], rel=1e-9)
    assert plan.allowed()
    assert not replace(plan, gamma=1.001 * plan.gamma).allowed()


@given(st.floats(0.01, 0.5), st.floats(0.01, 1.0), st.floats(1.0, 3.0), st.floats(1.0, 50.0))
@few
def test_tuned_steps_of_m2_are_the_longest(p, mu, L_av, beta):
    plan = error_feedback(p, mu, 1.0, L_av, beta)
    assert plan.allowed()
    assert not replace(plan, gamma=1.01 * plan.gamma).allowed()
    expected = (2 - p) * 3.0 * np.exp(np.log1p(-plan.gamma * mu / 10) * np.array([0, 1000]))
    assert M2.bound(plan, [0, 1000], 3.0) == pytest.approx(expected, rel=1e-9)


@given(seeds, st.sampled_from([0.05, 0.5]), st.sampled_from([1, 2, 4]), st.floats(-3, 2))
@few
def test_the_potential_of_m2_falls_from_anywhere(seed, p, kept, scale):
    """z* = 0; with the largest `kept` entries of each message."""
    rng, matrices, *_ = instance(seed)
    whole, d = matrices.mean(axis=0), 4
    plan = ErrorFeedback.tuned(
        mu=modulus(whole),
        L=np.linalg.norm(whole, 2),
        L_av=in_the_mean_square(matrices),
        beta=d / kept,
        p=p,
    )
    g = plan.gamma
    z, m = rng.normal(size=(2, d))
    errors = g * 10.0**scale * rng.normal(size=(2, d))
    u = (1 - p) * z + p * m - g * whole @ m
    full = g * matrices @ (u - m) + errors
    sent = np.where(np.argsort(np.argsort(-np.abs(full), axis=1), axis=1) < kept, full, 0)
    left = full - sent
    following = u - sent.mean(axis=0)
    weight = 5 / 2 * plan.beta * (8 + 19 * p**2 / (g * plan.mu))

    def potential(z, errors, reference):
        corrected = z - errors.mean(axis=0)
        error = np.mean(np.sum(errors**2, axis=1))
        return (1 - p) * square(corrected) + reference + weight * error

    after = potential(following, left, p * square(following) + (1 - p) * square(m))
    assert after <= (1 - g * plan.mu / 10) * potential(z, errors, square(m))


# --- Assumptions, directions, and the page of the proofs ---

PLANS = {
    "E": FullCommunication(mu=0.1, L=1.0, gamma=0.5),
    "LE": LocalSteps(mu=0.5, L=1.0, D=1.0, gamma=0.3, H=5),
    "S": Sliding(mu=0.1, delta_1=1.0, theta=0.9, eta=0.7),
    "V8": SimilarityStep(mu=0.1, delta_1=1.0, gamma=0.7),
    "M1": ReferencePoint(mu=0.1, C=1.0, gamma=0.2, p=0.25),
    "OM": optimistic(),
    "SV": optimistic(),
    "M2": error_feedback(),
}
VIOLATIONS = [
    ("E", {"gamma": 1.0}, r"gamma < 1/L"),
    ("LE", {"gamma": 1.0}, r"gamma < 1/L"),
    ("LE", {"mu": 0.0}, "every .*strongly monotone"),
    ("S", {"theta": 1.001}, r"theta .*1/.delta_1"),
    ("S", {"eta": 0.9 / 1.18 * 1.001}, r"eta .*theta"),
    ("V8", {"gamma": 1.0}, "M = 1"),
    ("M1", {"gamma": 0.5}, r"gamma C < "),
    ("OM", {"p": 0.51}, r"p .le .frac12"),
    ("SV", {"ell": 8.0}, r"gamma .le 1/\(8"),
    ("OM", {"d_M": 8.0}, "16.gamma"),
    ("M2", {"p": 0.51}, r"p .le .frac12"),
    ("M2", {"L": 1e6}, "32.gamma"),
    ("M2", {"L_av": 10.0}, "9.beta"),
    *((label, {"mu": 0.0}, "F. .*strongly monotone") for label in PLANS if label != "LE"),
]
PAGE = {theorem.label: theorem for theorem in theorems_of(vars(distributed_methods))}


@pytest.mark.parametrize(("label", "change", "reason"), VIOLATIONS)
def test_violated_assumptions_are_refused_with_their_reason(label, change, reason):
    theorem = PAGE[label]
    theorem.bound(PLANS[label], 1, 1.0)
    with pytest.raises(ValueError, match=f"^{label} does not apply: it assumes .*{reason}"):
        theorem.bound(replace(PLANS[label], **change), 1, 1.0)


def test_a_step_that_is_too_long_for_m1_has_no_rate():
    assert replace(PLANS["M1"], gamma=0.5).decrease() == -math.inf


@pytest.mark.parametrize("label", PLANS)
@pytest.mark.parametrize("factor", [1.02, 1.2])
def test_constants_weaken_the_bound_in_their_direction(label, factor):
    """At many steps: the constant of OM grows with mu, which its rate outweighs."""
    constants, formula = PLANS[label], PAGE[label].formula
    for name, direction in constants.directions().items():
        times = factor if direction == "up" else 1 / factor
        weaker = replace(constants, **{name: times * getattr(constants, name)})
        assert np.all(formula(weaker, 100, 1.0) >= formula(constants, 100, 1.0)), name


def test_the_constant_of_differences_grows_in_the_directions_of_its_parts():
    constants = CompressedDifferences(L=1.0, L_av=2.0, A=0.5, B=0.25)
    for name, direction in constants.directions().items():
        times = 1.1 if direction == "up" else 1 / 1.1
        assert replace(constants, **{name: times * getattr(constants, name)}).C > constants.C


def test_every_theorem_has_its_section():
    root = Path(__file__).parents[3]
    text = (root / "docs" / "theory" / "distributed_methods.md").read_text(encoding="utf-8")
    labels = {theorem.root.label for theorem in PAGE.values() if theorem.side != "law"}
    assert labels == set(PLANS)
    laws = {theorem.label for theorem in PAGE.values() if theorem.side == "law"}
    assert laws == {"T1", "T2", "T3"}
    for label in labels | {"T1, T2, T3"}:
        assert f"\n## {label}:" in text


def test_formulas_promise_nothing_beyond_the_range_of_their_steps():
    assert FullCommunication(mu=0.1, L=1.0, gamma=1.0).decrease() == -math.inf
    assert SimilarityStep(mu=0.1, delta_1=1.0, gamma=1.2).decrease() == -math.inf
    assert LocalSteps(mu=0.1, L=1.0, D=1.0, gamma=3.0, H=2).distance([1, 5], 1.0).tolist() == [
        math.inf,
        math.inf,
    ]
    for tuned in (lambda p: optimistic(p=p), lambda p: error_feedback(p=p)):
        with pytest.raises(ValueError, match=r"p must lie in \(0, 1/2\]"):
            tuned(0.6)
