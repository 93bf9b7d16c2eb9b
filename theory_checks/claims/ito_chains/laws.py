"""Exact laws of linear chains with their distances, and what can be wrong with either side."""

import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optzoo import bernoulli_noise, rademacher_noise
from optzoo.problems import (
    Atoms,
    Gaussian,
    GridLaw,
    OrnsteinUhlenbeck,
    wasserstein,
    weighted_sum_law,
)

__all__ = ["NOISES", "LinearChain", "Noise"]

Array = NDArray[np.float64]
Noise = Literal["gaussian", "coin", "skewed coin", "cauchy"]
NOISES = {"coin": rademacher_noise(), "skewed coin": bernoulli_noise(0.1)}


@dataclass(frozen=True)
class LinearChain:
    r"""X_{k+1} = X_k - eta (a X_k - eta^alpha delta) + eta^{(1+gamma)/2} s eps_k, beside dZ.

    Args:
        noise: the law of eps. "cauchy" has no two moments and is for controls.
        gamma: 0 or 1 or between.
        rate: a.
        s: size of the noise.
        start: x_0 of both.
        time: T.
        drift_error: delta.
        alpha: exponent of the drift error.
        louder: the chain's noise has `louder` times the diffusion's deviation.
        correlated: eps is a moving average of two draws.
    """

    noise: Noise
    gamma: float
    rate: float = 1.0
    s: float = 1.0
    start: float = 0.0
    time: float = 1.0
    drift_error: float = 0.0
    alpha: float = 0.0
    louder: float = 1.0
    correlated: bool = False

    def diffusion(self, eta: float) -> OrnsteinUhlenbeck:
        """DZ = -a Z dt + eta^{gamma/2} s dW."""
        return OrnsteinUhlenbeck(self.rate, eta ** (self.gamma / 2) * self.s, self.start)

    def steps(self, eta: float) -> int:
        """The number k of steps to time T."""
        k = round(self.time / eta)
        if abs(k * eta - self.time) > 1e-9 * self.time:
            raise ValueError(f"eta must divide T = {self.time}, got {eta}")
        return k

    def law(self, eta: float) -> tuple[Atoms | Gaussian, float]:
        """The law of X_k at T = k eta, and the W2 within which it is known."""
        k, c = self.steps(eta), 1 - self.rate * eta
        shift = eta ** (1 + self.alpha) * self.drift_error * float(np.sum(c ** np.arange(k)))
        mean = c**k * self.start + shift
        scale = self.louder * self.s * eta ** ((1 + self.gamma) / 2)
        if self.noise == "gaussian":
            return Gaussian(mean, scale * float(np.linalg.norm(self._coefficients(c, k)))), 0.0
        with _COMPUTING:
            unit = _sum_law(self.noise, tuple(self._coefficients(c, k)))
        points = Atoms(mean + scale * unit.law.points, unit.law.weights)
        return points, scale * unit.error

    def distance(self, eta: float) -> float:
        """W2 of the two laws, from above: what the law's own error allows is added."""
        return sum(self.distance_and_error(eta))

    def distance_and_error(self, eta: float) -> tuple[float, float]:
        """W2 of the two laws as computed, and by how much it may be off.

        Cauchy noise has no W2; the distance of the middle 98% of the quantiles is below any.
        """
        goal = self.diffusion(eta).law(self.time)
        if self.noise == "cauchy":
            k, c = self.steps(eta), 1 - self.rate * eta
            width = self.s * eta ** ((1 + self.gamma) / 2) * float(np.sum(abs(c) ** np.arange(k)))
            level = np.linspace(0.01, 0.99, 2001)
            mine = c**k * self.start + width * np.tan(np.pi * (level - 0.5))
            return float(np.sqrt(0.98 * np.mean((mine - goal.quantile(level)) ** 2))), 0.0
        law, error = self.law(eta)
        return wasserstein(law, goal), error

    def distance_to_gaussian_noise(self, eta: float) -> float:
        """W2 to the same chain with Gaussian noise."""
        law, error = self.law(eta)
        other, _ = replace(self, noise="gaussian").law(eta)
        return wasserstein(law, other) + error

    def _coefficients(self, c: float, k: int) -> Array:
        """X_k - its mean = scale * sum of these times independent draws, the latest first."""
        powers = np.asarray(c ** np.arange(k), dtype=np.float64)
        if not self.correlated:
            return powers
        both = np.append(powers, 0.0) + np.append(0.0, powers)
        return np.asarray(both / np.sqrt(2), dtype=np.float64)


# Claims that run side by side share their laws: the second waits for the first.
_COMPUTING = threading.Lock()


@lru_cache(maxsize=256)
def _sum_law(noise: str, coefficients: tuple[float, ...]) -> GridLaw:
    """Shared by gammas and starts, which only scale and shift it."""
    law = NOISES[noise]
    return weighted_sum_law(law.atoms or (), law.weights or (), np.array(coefficients))
