"""The explicit bounds on W2 between a chain and its diffusion, as functions."""

import numpy as np

__all__ = [
    "CONSTANTS",
    "drift_shift",
    "i1",
    "i2",
    "i3",
    "i3_closed_form",
    "lattice_floor",
    "uniform_in_time",
]

CONSTANTS = {"coin": 0.6363, "skewed coin": 1.289}
"""C_B: the supremum over S of S^(1/2) W2(S^(-1/2) sum of S noises, N(0, 1)), rounded up."""


def i1(
    eta: float, gamma: float, time: float, *, M: float, s: float, drift: float, d: int = 1
) -> float:
    r"""(e^{MT} - 1) [drift eta / 2 + (2/3) s sqrt(d) eta^{(1+gamma)/2}]; Gaussian noise s xi.

    `drift` is the supremum of (E|b(Z_t)|^2)^{1/2} over [0, T]; X_0 = Z_0.
    """
    noise = 2 / 3 * s * np.sqrt(d) * eta ** ((1 + gamma) / 2)
    return float(np.expm1(M * time) * (drift * eta / 2 + noise))


def uniform_in_time(
    eta: float, gamma: float, *, m: float, M: float, s: float, drift: float, d: int = 1
) -> float:
    r"""(M/m) [drift eta / 2 + (2/3) s sqrt(d) eta^{(1+gamma)/2}] at every time.

    For b = -grad f with m I <= f'' <= M I and eta <= 2 / (m + M): a step of the chain contracts by
    1 - m eta, and the local errors of I1, M [drift eta^2 / 2 + (2/3) s sqrt(d)
    eta^{(3+gamma)/2}] each, sum to a geometric series.
    """
    if not (0 < m <= M and eta * (m + M) <= 2):
        raise ValueError(f"need 0 < m <= M and eta <= 2/(m+M), got m={m}, M={M}, eta={eta}")
    noise = 2 / 3 * s * np.sqrt(d) * eta ** ((1 + gamma) / 2)
    return float(M / m * (drift * eta / 2 + noise))


def i2(
    eta: float, gamma: float, time: float, *, M: float, M_s: float, drift: float, sigma: float
) -> float:
    r"""Multiplicative noise: the root of 8 T L (eta^2 drift^2 + eta^{1+gamma} sigma^2) e^{4 T L}.

    L = T M^2 + eta^gamma M_s^2; `drift` and `sigma` are suprema over k of (E|b(X_k)|^2)^{1/2} and
    (E|sigma(X_k)|_F^2)^{1/2}.
    """
    rate = time * M**2 + eta**gamma * M_s**2
    local = eta**2 * drift**2 + eta ** (1 + gamma) * sigma**2
    return float(np.sqrt(8 * time * rate * local * np.exp(4 * time * rate)))


def i3(
    eta: float, gamma: float, steps: int, *, M: float, s: float, C_B: float, d: int = 1
) -> float:
    r"""Any noise against Gaussian noise: the minimum over the divisors S of k of

    e^{MT} C_B s T^{1/2} eta^{gamma/2} S^{-1/2} + 2 (e^{MT} - 1) s sqrt(d) eta^{(1+gamma)/2}
    S^{1/2}, with T = k eta.
    """
    time = steps * eta
    divisors = np.array([S for S in range(1, steps + 1) if steps % S == 0], dtype=np.float64)
    ends = np.exp(M * time) * C_B * s * np.sqrt(time) * eta ** (gamma / 2) / np.sqrt(divisors)
    inside = 2 * np.expm1(M * time) * s * np.sqrt(d) * eta ** ((1 + gamma) / 2)
    return float(np.min(ends + inside * np.sqrt(divisors)))


def i3_closed_form(
    eta: float, gamma: float, steps: int, *, M: float, s: float, C_B: float, d: int = 1
) -> float:
    r"""2 s [2 C_B (dT)^{1/2} e^{MT} (e^{MT} - 1)]^{1/2} eta^{gamma/2 + 1/4}: an order, no bound.

    It is I3 at the best S where that lies between 1 and k; elsewhere I3 may exceed it.
    """
    time = steps * eta
    window = 2 * C_B * np.sqrt(d * time) * np.exp(M * time) * np.expm1(M * time)
    return float(2 * s * np.sqrt(window) * eta ** (gamma / 2 + 0.25))


def lattice_floor(eta: float, gamma: float, s: float) -> float:
    r"""W2 of a long walk on a lattice of span h = 2 s eta^{(1+gamma)/2}, at least h / sqrt(12)."""
    return float(s * eta ** ((1 + gamma) / 2) / np.sqrt(3))


def drift_shift(eta: float, alpha: float, steps: int, *, a: float, delta: float) -> float:
    r"""eta^alpha delta (1 - (1 - a eta)^k) / a: the mean that a constant drift error moves by."""
    return float(eta**alpha * delta * (1 - (1 - a * eta) ** steps) / a)
