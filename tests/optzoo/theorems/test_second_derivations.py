"""The bounds as code against their proofs, at constants drawn at random.

A claim notices a bound that is too small; one that is too large, or of another theorem, it may let
pass. Here each is derived a second time by another way: a recursion unrolled, a weight optimized,
an integral, the worst case of an inequality searched. All are equalities.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import optzoo
from optzoo.theorems import ito_chains as ito
from optzoo.theorems.frank_wolfe import Saga, Sarah
from optzoo.theorems.three_pillars import V6, Inexact, Minty, Noisy

seeds = pytest.mark.parametrize("seed", range(4))


def drawn(seed, **ranges):
    """Numbers log-uniform between the ends of each range, by name."""
    rng = np.random.default_rng(seed)
    return {
        name: float(np.exp(rng.uniform(np.log(low), np.log(high))))
        for name, (low, high) in ranges.items()
    }


def least(function, low=-40.0, high=40.0):
    """The least value of a function of a positive number, unimodal in its logarithm."""
    found = optimize.minimize_scalar(
        lambda log: function(math.exp(log)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return found.fun


def unrolled(start, steps):
    """R_{k+1} = (1 - eta_k) R_k + term_k for pairs (eta_k, term_k): R_0, R_1, ..."""
    values = [start]
    for eta, term in steps:
        values.append((1 - eta) * values[-1] + term)
    return np.array(values)


def telescoping(A, c, count):
    """The steps 2/(k + c), where A eta_k^2 is rounded up so that the sum telescopes."""
    return [(2 / (k + c), 4 * A / ((k + c) * (k + c - 1))) for k in range(count)]


# --- Frank-Wolfe ---


def sarah(seed):
    ranges = {"L": (0.1, 10), "L_pm": (0.1, 10), "D": (0.1, 10), "r_0": (0.1, 10)}
    return Sarah(**drawn(seed, **ranges, p=(0.01, 0.99), nu=(1e-3, 1)))


def saga(seed, **changes):
    ranges = {"L": (0.1, 10), "L_pm": (0.1, 10), "D": (0.1, 10), "r_0": (0.1, 10)}
    rest = {"L_tilde": (0.1, 10), "a": (0.01, 0.9), "mixing": (0.01, 0.9), "nu": (1e-3, 1)}
    return Saga(**drawn(seed, **ranges, **rest, E_0=(0.1, 10), Y_0=(0.1, 10)) | changes)


@seeds
def test_the_weight_of_the_error_makes_the_constant_least(seed):
    """F3b for any weight M: D^2 L/2 + D^2/(2pM) + M (1-p) nu (L_pm D)^2; its least value is A."""
    b = sarah(seed)

    def constant(weight):
        noise = weight * (1 - b.p) * b.nu * (b.L_pm * b.D) ** 2
        return b.D**2 * b.L / 2 + b.D**2 / (2 * b.p * weight) + noise

    np.testing.assert_allclose([least(constant), constant(b.M)], b.A, rtol=1e-9)


@seeds
def test_closed_forms_are_their_telescoping_sums(seed):
    b = sarah(seed)
    rows = unrolled(b.r_0, telescoping(b.A, 4 / b.p, 50))
    np.testing.assert_allclose(b.convex_closed_form(np.arange(51)), rows, rtol=1e-10)

    d = 2 / b.p
    for horizon in (1, math.floor(d), 2 * math.ceil(d) + 1, 2 * math.ceil(d) + 8):
        half = math.ceil(horizon / 2) if horizon > d else horizon
        first = unrolled(b.r_0, [(1 / d, b.A / d**2)] * half)[-1]
        rows = unrolled(first, telescoping(b.A, 2 * d, horizon - half))
        assert b.convex_stich(horizon) == pytest.approx(rows[-1], rel=1e-10)


@seeds
@pytest.mark.parametrize("new", [True, False])
def test_the_closed_form_without_full_gradients_has_its_fixed_points(seed, new):
    """F6a: the least c_Y, c_E for which Y_k <= (c_Y Lt D eta_k)^2 and E_k <= c_E (D eta_k)^2 stay.

    Between two steps eta shrinks by 1 / rho at most, rho = 1 + 1/c.
    """
    b = saga(seed, refreshed_with_new=new)
    b = replace(b, mixing=b.a / 2)
    c = 8 / b.a
    rho, stale, error = 1 + 1 / c, 0.0, 0.0
    for _ in range(20_000):
        extra = 0.0 if new else b.a
        stale = rho * math.sqrt((1 - b.a) * (1 + stale) ** 2 + extra)
    for _ in range(20_000):
        noise = (b.L_pm + b.mixing * stale * b.L_tilde) ** 2
        error = rho**2 * ((1 - b.mixing) ** 2 * error + b.nu * noise)
    A = b.D**2 * (b.L / 2 + math.sqrt(error))
    rows = unrolled(b.r_0, telescoping(A, c, 50))
    np.testing.assert_allclose(b.convex_closed_form(np.arange(51)), rows, rtol=1e-9)


@seeds
@pytest.mark.parametrize("new", [True, False])
def test_bounds_without_full_gradients_step_by_step(seed, new):
    """F5, F6 and F7 along steps that differ."""
    b, steps = saga(seed, refreshed_with_new=new), [0.7, 0.1, 0.4]
    E, Y, R, total = [b.E_0], [b.Y_0], [b.r_0], [b.r_0]
    for eta in steps:
        curvature = b.L * (b.D * eta) ** 2 / 2
        R.append(R[-1] - eta * R[-1] + eta * b.D * E[-1] ** 0.5 + curvature)
        total.append(total[-1] + eta * b.D * E[-1] ** 0.5 + curvature)
        kept = (Y[-1] ** 0.5 + b.L_tilde * b.D * eta) ** 2
        replaced = 0.0 if new else (b.L_tilde * b.D * eta) ** 2
        noise = b.L_pm * b.D * eta + b.mixing * Y[-1] ** 0.5
        E.append((1 - b.mixing) * (1 - b.mixing) * E[-1] + b.nu * noise * noise)
        Y.append((1 - b.a) * kept + b.a * replaced)
    np.testing.assert_allclose(b.estimator(steps), [E, Y], rtol=1e-12)
    np.testing.assert_allclose(b.convex(steps), R, rtol=1e-12)
    np.testing.assert_allclose(b.nonconvex(steps), total[1:] / np.cumsum(steps), rtol=1e-12)


@seeds
def test_bounds_with_full_gradients_step_by_step(seed):
    """F1b, F3 and F4 along steps that differ."""
    b, steps = sarah(seed), [0.7, 0.1, 0.4, 0.2]
    E, R, total = [0.0], [b.r_0], [b.r_0]
    for eta in steps:
        curvature = b.L * (b.D * eta) ** 2 / 2
        R.append(R[-1] - eta * R[-1] + eta * b.D * E[-1] ** 0.5 + curvature)
        total.append(total[-1] + eta * b.D * E[-1] ** 0.5 + curvature)
        E.append((1 - b.p) * (E[-1] + b.nu * (b.L_pm * b.D * eta) ** 2))
    np.testing.assert_allclose(b.estimator(steps), E, rtol=1e-12)
    np.testing.assert_allclose(b.convex(steps), R, rtol=1e-12)
    np.testing.assert_allclose(b.nonconvex(steps), total[1:] / np.cumsum(steps), rtol=1e-12)


# --- Three Pillars ---


def pillars(seed):
    found = drawn(seed, mu=(0.01, 1), L_1=(1, 100), mu_1=(1e-3, 1), delta_1=(0.1, 1), p=(0.02, 0.6))
    d_B = math.sqrt(2) * found["delta_1"]
    gamma = 0.9 * math.sqrt(found["p"] / 2) / d_B
    return Inexact(**found, d_B=d_B, gamma=gamma, H=3)


def in_series(a, b):
    """The least a x^2 + b (1 - x)^2: what is lost where two quadratic terms share a distance."""
    return least(lambda x: a * x**2 + b * (1 - x) ** 2, high=0.0)


@seeds
def test_rates_are_the_worst_way_to_share_a_distance(seed):
    """V1: z* - u and u - w; V4: uhat - u_{t+1/2} and u_{t+1/2} - u_t."""
    b = pillars(seed)
    shrinks = b.p - b.gamma**2 * b.d_B**2, 1 - b.p
    assert 1 - b.rho == pytest.approx(in_series(b.gamma * b.mu, min(shrinks)), rel=1e-9)
    L_A, mu_A = b.L_1 + 1 / b.gamma, b.mu_1 + 1 / b.gamma
    assert b.eta * L_A == pytest.approx(1 / 4)
    lost = in_series(2 * b.eta * mu_A, 1 - (b.eta * L_A) ** 2)
    assert 1 - b.rho_in == pytest.approx(lost, rel=1e-9)
    noisy = Noisy(**vars(b), sigma=0.3)
    assert b.rho_in <= noisy.rho_noisy == pytest.approx(1 - mu_A / (4 * L_A))


@pytest.mark.parametrize("server", [0.5, 0.0, -0.3])
def test_the_sensitivity_is_the_largest_distance_to_the_local_solution(server):
    """V4: |z - uhat| over all z, m, for the worst resolvent of a server of this modulus.

    uhat = J(v - gamma G(m)) with J = (I + gamma F_1)^-1, v = (1 - p) z + p m. The modulus of a
    server that is monotone only together with a delta_1-Lipschitz operator is at least -delta_1.
    """
    p, gamma, delta, d_B = 0.2, 0.4, 0.7, 1.1
    modulus = 0.0 if server >= 0 else -delta
    turns = [modulus * np.eye(2) + t * np.array([[0, 1], [-1, 0]]) for t in np.linspace(0, 9, 91)]
    stretch = max(np.linalg.norm(np.linalg.inv(np.eye(2) + gamma * turn), 2) for turn in turns)
    # |z - uhat| <= |z - z*| + stretch |v - z* - gamma (G(m) - G(z*))|, a row of two numbers
    row = np.array([[1 + stretch * (1 - p), stretch * (p + gamma * delta)]])
    expected = (1 + gamma * d_B) * np.linalg.norm(row, 2)
    plan = optzoo.ThreePillarsParameters(
        strong_monotonicity=0.1,
        server_similarity=delta,
        server_lipschitz=2.0,
        server_monotonicity=server,
        message_constant=d_B,
        gamma=gamma,
        refresh_probability=p,
        local_steps=3,
    )
    assert plan.sensitivity == pytest.approx(expected, rel=1e-12)


def test_the_squared_operator_has_the_constant_of_the_worst_probability():
    """V6: gamma^2 |F(u)|^2 <= c [(1-p) |u-z|^2 + (p/2) |u-m|^2], attained as p goes to 1.

    gamma F(u) = -(1-p)(u-z) - p(u-m) + gamma (G(u) - G(m)), all aligned, gamma delta = sqrt(p)/2.
    """
    p = np.append(np.linspace(0.01, 0.99, 99), 1 - 1e-9)
    row = np.array([1 - p, p + np.sqrt(p) / 2]) / np.sqrt([1 - p, p / 2])
    constant = np.max(np.sum(row**2, axis=0))
    b = Minty.of(vars(pillars(0)))
    found = V6.formula(b, 7, 1.5)  # Phi_0 = 2 |z^0 - z*|^2 = 3
    assert found == pytest.approx(constant * 3 / (b.gamma**2 * 7), rel=1e-6)


@seeds
def test_the_noise_of_local_steps_is_a_geometric_series(seed):
    """V7: a local step adds eta^2 sigma^2 for its second call and twice that for its first."""
    b = Noisy(**vars(pillars(seed)), sigma=0.3)
    added = (1 + 2) * b.eta**2 * b.sigma**2
    assert b.local_floor == pytest.approx(added / (1 - b.rho_noisy), rel=1e-9)


# --- Ito chains ---


def chain(seed):
    found = drawn(seed, eta=(0.01, 0.1), M=(0.2, 2), s=(0.3, 3), drift=(0.3, 3))
    return found | {"gamma": (0.0, 0.3, 0.7, 1.0)[seed], "d": seed + 1}


@seeds
def test_local_errors_by_quadrature(seed):
    """I1 and its form for all times, from what a step adds."""
    c = chain(seed)
    eta, gamma, M, T = c["eta"], c["gamma"], c["M"], 1.7

    def speed(t):
        """Lipschitz constant times the distance from the last step's point, at time t after it."""
        return M * (c["drift"] * t + eta ** (gamma / 2) * c["s"] * math.sqrt(c["d"] * t))

    local = integrate.quad(speed, 0, eta)[0]
    grown = integrate.quad(lambda t: math.exp(M * t), 0, T)[0]
    step = {name: c[name] for name in ("eta", "gamma", "M", "s", "d")}
    coupled = ito.Coupling(**step, T=T, b_bar=c["drift"])
    assert coupled.bound() == pytest.approx(grown * local / eta, rel=1e-7)
    m = M / 3
    contracted = local / (1 - (1 - m * eta))
    found = ito.Contraction(**step, m=m, b_sup=c["drift"])
    assert found.bound() == pytest.approx(contracted, rel=1e-7)


@seeds
def test_the_multiplicative_bound_by_gronwall(seed):
    """I2: D(t) <= 4 L int (local + D), the distance within a step at most twice its two parts."""
    c = chain(seed)
    eta, gamma, M, T, M_s, sigma = c["eta"], c["gamma"], c["M"], 0.6, 0.4, 1.3
    L = M**2 * T + M_s**2 * eta**gamma
    local = 2 * ((eta * c["drift"]) ** 2 + (eta ** (gamma / 2) * math.sqrt(eta) * sigma) ** 2)
    squared = 4 * L * T * local * math.exp(4 * L * T)
    found = ito.Multiplicative(
        eta=eta, gamma=gamma, T=T, M=M, M_s=M_s, b_hat=c["drift"], s_hat=sigma
    )
    assert found.bound() == pytest.approx(math.sqrt(squared), rel=1e-12)


@seeds
def test_the_window_coupling_window_by_window(seed):
    """I3: k/S independent windows coupled at their ends, and a free stretch inside one."""
    c = chain(seed)
    gamma, M, s, d, C_B, k = c["gamma"], c["M"], c["s"], c["d"], 0.8, 60
    eta = 0.9 / k
    jump = s * eta ** ((1 + gamma) / 2)  # of one step's noise
    growth = math.exp(M * k * eta)

    def at(S):
        return growth * jump * C_B * math.sqrt(k / S) + (growth - 1) * 2 * jump * math.sqrt(S * d)

    found = ito.Window(eta=eta, gamma=gamma, T=k * eta, M=M, s=s, d=d, C_B=C_B)
    shortest = min(at(S) for S in range(1, k + 1) if k % S == 0)
    assert found.bound() == pytest.approx(shortest, rel=1e-12)
    assert found.order() == pytest.approx(least(at), rel=1e-9)


@pytest.mark.parametrize(("noise", "chance"), [("coin", 0.5), ("skewed coin", 0.1)])
def test_the_distance_of_sums_to_a_gaussian_is_rounded_up(noise, chance):
    """W2^2 = 2 - 2 E X Q(U), with the quantiles of both sides on the same uniform U."""

    def scaled(count):
        successes = np.arange(count + 1)
        atoms = (successes - count * chance) / math.sqrt(count * chance * (1 - chance))
        ends = stats.norm.ppf(np.append(0.0, stats.binom.cdf(successes, count, chance)))
        covariance = atoms @ -np.diff(stats.norm.pdf(ends))
        return math.sqrt(count * (2 - 2 * covariance))

    largest = max(map(scaled, range(1, 60)))
    assert largest <= ito.WINDOW_CONSTANTS[noise] <= largest + 1e-3


def test_the_floor_of_a_lattice_and_the_shift_of_a_drift_error():
    eta, gamma, s = 0.04, 0.5, 1.7
    span = 2 * s * eta ** ((1 + gamma) / 2)
    rounding = integrate.quad(lambda t: t**2 / span, -span / 2, span / 2)[0]
    walk = ito.Linear(eta=eta, gamma=gamma, T=9 * eta, a=0.8, s=s, delta=1.1, alpha=0.3)
    assert walk.lattice() == pytest.approx(math.sqrt(rounding))
    mean = 0.0
    for _ in range(9):
        mean += eta * (-0.8 * mean + eta**0.3 * 1.1)
    assert walk.means() == pytest.approx(mean)
