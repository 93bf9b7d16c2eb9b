"""The bounds on Ito chains, derived again."""

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from optzoo.theorems import ito_chains as page
from optzoo.theorems import theorems_of
from optzoo.theorems.ito_chains import (
    CHAIN_TREE,
    I1,
    I1_ALL_TIMES,
    I2,
    I3,
    I3_LIMIT,
    I4,
    I5,
    I6,
    I6_EXPONENT,
    I6_GROWTH,
    MAIN,
    Contraction,
    Coupling,
    Exponents,
    Linear,
    Multiplicative,
    Noise,
    Window,
)


def test_the_local_error_of_i1_by_quadrature():
    """Over one step with M = 1: int_0^eta of eta^{gamma/2} s sqrt(t) dt = (2/3) s eta^{(3+g)/2}."""
    eta, gamma, s = 0.1, 0.5, 1.7
    noise = integrate.quad(lambda t: eta ** (gamma / 2) * s * np.sqrt(t), 0, eta)[0]
    drift = integrate.quad(lambda t: 2.0 * t, 0, eta)[0]
    # Discrete Gronwall: sum_j (1 + eta)^j local, and (1 + eta)^k <= e^T.
    local, k = noise + drift, 20
    unrolled = sum((1 + eta) ** j for j in range(k)) * local
    step = {"eta": eta, "gamma": gamma, "s": s, "d": 1}
    bound = I1.bound(Coupling(**step, T=k * eta, M=1.0, b_bar=2.0))
    assert unrolled <= bound
    assert bound / unrolled == pytest.approx(np.expm1(2.0) / (1.1**20 - 1))
    contracted = sum((1 - 0.5 * eta) ** j for j in range(5000)) * 3.0 * local
    uniform = I1_ALL_TIMES.bound(Contraction(**step, m=0.5, M=3.0, b_sup=2.0))
    assert uniform == pytest.approx(contracted)
    in_four = I1.bound(Coupling(**(step | {"d": 4}), T=k * eta, M=1.0, b_bar=0.0))
    assert in_four == pytest.approx(2 * np.expm1(2.0) * noise / eta)


def test_i2_scales_as_it_says():
    place = {"gamma": 0.0, "T": 1.0, "M": 0.0, "M_s": 0.4, "s_hat": 1.0, "b_hat": 0.0}
    one, two = (I2.bound(Multiplicative(eta=eta, **place)) for eta in (0.01, 0.04))
    assert two / one == pytest.approx(2.0)
    # L = T M^2 + M_s^2 with M = 0: 8 T L eta e^{4 T L}
    assert one**2 == pytest.approx(8 * 0.16 * 0.01 * np.exp(0.64))


def test_i3_is_the_minimum_over_divisors():
    window = Window(eta=1 / 12, gamma=0.0, T=1.0, M=1.0, s=1.0, d=1, C_B=0.7)

    def at(S):
        return np.e * 0.7 * S**-0.5 + 2 * (np.e - 1) * 12**-0.5 * S**0.5

    assert I3.bound(window) == pytest.approx(min(at(S) for S in (1, 2, 3, 4, 6, 12)))
    # The closed form is the minimum over real S, and so never above.
    assert window.order() <= I3.bound(window)
    best = min(at(S) for S in np.geomspace(0.1, 100, 20_001))
    assert window.order() == pytest.approx(best, rel=1e-6)
    # Without drift all steps are one window.
    still = Window(eta=1 / 12, gamma=1.0, T=1.0, M=0.0, s=2.0, d=1, C_B=0.7)
    assert I3.bound(still) == pytest.approx(2 * 0.7 / 12)


def test_exponents_of_the_theorem():
    """gamma, chi_0 -> theta and the smaller of the two terms' exponents."""
    table = {
        (0, 1): (1 / 2, 1 / 4),
        (0, 0): (1 / 4, 1 / 8),
        (1, 1): (1, 3 / 4),
        (1, 0): (3 / 4, 5 / 8),
    }
    for (gamma, chi_0), (first, smaller) in table.items():
        exponents = Exponents(gamma=gamma, chi_0=chi_0)
        assert exponents.theta == first
        assert MAIN.bound(exponents) == smaller
    assert Exponents(gamma=1, chi_0=0, beta=1.0).theta == 1.0  # noise as good as Gaussian
    assert Exponents(gamma=1, chi_0=1, alpha=0.3).theta == 0.3


def test_the_limit_of_the_windows_is_that_of_a_uniform_rounding_and_a_skewed_law():
    """Rounding to a lattice of span h is off by h^2 / 12 in mean square; skewness adds its own."""
    rounding = integrate.quad(lambda x: x**2 / 2.0, -1.0, 1.0)[0]
    assert I3_LIMIT.bound(Noise(C_B=1.0, span=2.0, skewness=0.0)) == pytest.approx(rounding)
    # The quantiles move by kappa_3 (z^2 - 1) / 6, of variance kappa_3^2 / 18.
    z, weights = np.polynomial.hermite_e.hermegauss(8)
    moved = weights @ (3.0 * (z**2 - 1) / 6) ** 2 / weights.sum()
    assert I3_LIMIT.bound(Noise(C_B=1.0, span=0.0, skewness=3.0)) == pytest.approx(moved)


LINEAR = {"eta": 0.1, "gamma": 0.5, "T": 0.6, "a": 0.7, "s": 1.3, "x_0": 0.4}


def test_the_linear_formulas_by_a_loop_over_steps():
    """Means and variances step by step, of the chain and, with small steps, of the diffusion."""
    mean, variance = 0.4, 0.0
    for _ in range(6):
        mean = mean - 0.1 * (0.7 * mean - 0.1**0.25 * 2.0)
        variance = (1 - 0.07) ** 2 * variance + 0.1**1.5 * 1.3**2
    goal = 0.4 * np.exp(-0.7 * 0.6)
    inexact = Linear(**LINEAR, delta=2.0, alpha=0.25)
    assert I5.bound(inexact) == pytest.approx(abs(mean - goal))
    spread = integrate.quad(lambda t: np.exp(-1.4 * t), 0, 0.6)[0] * 0.1**0.5 * 1.3**2
    free = 0.4 * (1 - 0.07) ** 6
    exact = np.hypot(free - goal, np.sqrt(variance) - np.sqrt(spread))
    assert I6.bound(Linear(**LINEAR)) == pytest.approx(exact)


def test_the_tree_follows_its_coins():
    tree = Linear(**(LINEAR | {"T": 0.3}))
    x = 0.4
    for coin in (1, -1, 1):
        x = x - 0.1 * 0.7 * x + 0.1**0.75 * 1.3 * x * coin
    assert CHAIN_TREE.bound(tree, 2) == pytest.approx(x)


def test_the_growth_is_below_the_distance_of_the_means():
    for eta in (1.0, 0.25, 0.01):
        expanding = Linear(eta=eta, gamma=0.0, T=3.0, a=-1.0, s=0.1, x_0=-2.0)
        means = 2 * (np.exp(3.0) - (1 + eta) ** round(3 / eta))
        assert 0 < I6_GROWTH.bound(expanding) <= means
    assert I6_GROWTH.bound(expanding) == pytest.approx(means, rel=1e-4)


def test_exponents_of_i6_are_the_slopes_of_its_formula():
    for x_0, gamma in ((1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)):
        place = {"gamma": gamma, "T": 1.0, "a": 1.0, "s": 1.0, "x_0": x_0}
        one, two = (Linear(eta=2.0**-j, **place) for j in (12, 11))
        slope = np.log2(I6.bound(two) / I6.bound(one))
        assert slope == pytest.approx(I6_EXPONENT.bound(one), abs=1e-3)


WALK = {"eta": 0.1, "gamma": 0.0, "T": 1.0, "s": 1.0}


@pytest.mark.parametrize(
    ("theorem", "constants", "condition"),
    [
        (I1, Coupling(**(WALK | {"T": 0.95}), M=1.0, d=1, b_bar=1.0), "T = k"),
        (I1_ALL_TIMES, Contraction(eta=1, gamma=0, m=0.5, M=3, s=1, d=1, b_sup=1), "eta .le 2"),
        (I1_ALL_TIMES, Contraction(eta=0.1, gamma=0, m=3, M=1, s=1, d=1, b_sup=1), "m .le M"),
        (I4, Linear(**WALK, a=1.0), "b = 0"),
        (I5, Linear(**WALK, a=0.0, delta=1.0), "a .ne 0"),
        (I6, Linear(**WALK, a=20.0), "ne 2"),
        (I6, Linear(**WALK, a=1.0, delta=1.0), "no drift error"),
        (I6_GROWTH, Linear(**WALK, a=1.0), "b = x"),
        (I6_GROWTH, Linear(eta=2.0, gamma=0.0, T=2.0, a=-1.0, s=1.0), "eta .le 1"),
    ],
)
def test_a_violated_condition_is_refused(theorem, constants, condition):
    with pytest.raises(ValueError, match=condition):
        theorem.bound(constants)


PLACES = (
    Coupling(**WALK, M=1.0, d=2, b_bar=1.0),
    Contraction(eta=0.1, gamma=0.0, m=1.0, M=2.0, s=1.0, d=2, b_sup=1.0),
    Multiplicative(eta=0.1, gamma=0.0, T=1.0, M=1.0, M_s=1.0, b_hat=1.0, s_hat=1.0),
    Window(**WALK, M=1.0, d=2, C_B=1.0),
)


@pytest.mark.parametrize("constants", PLACES)
def test_constants_weaken_the_bounds_as_they_say(constants):
    fields = vars(constants)
    for name, direction in constants.directions().items():
        weaker = 2 * fields[name] if direction == "up" else fields[name] / 2
        assert type(constants)(**(fields | {name: weaker})).bound() > constants.bound()


DERIVATIONS = Path(__file__).parents[3] / "docs" / "theory" / "ito_chains.md"


def test_labels_are_unique_and_each_has_its_derivation():
    theorems = theorems_of(vars(page))
    labels = [theorem.label for theorem in theorems]
    assert len(set(labels)) == len(labels)
    text = DERIVATIONS.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    roots = dict.fromkeys(theorem.root.label for theorem in theorems)
    assert all(any(line.startswith(f"## {root}.") for line in headings) for root in roots)
    assert all(f"**{label}**" in text for label in labels if label not in roots)


def test_the_noise_of_a_step_is_the_step_to_its_exponent():
    for gamma in (0.0, 0.3, 1.0):
        step = page.Step(eta=0.2, gamma=gamma)
        assert step.noise_exponent() == pytest.approx(np.log(step.h) / np.log(0.2))


@pytest.mark.parametrize("M", [1e-3, 0.5])
def test_after_one_step_the_bound_is_its_local_error_up_to_growth(M):
    one = Coupling(eta=0.5, gamma=0.3, T=0.5, M=M, s=2.0, d=3, b_bar=4.0)
    assert one.step() / one.bound() == pytest.approx(M * 0.5 / np.expm1(M * 0.5))
