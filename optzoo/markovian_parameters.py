# SPDX-License-Identifier: Apache-2.0
r"""Steps, batches and numbers of iterations that the theorems on Markovian noise prescribe.

The samples come from one trajectory of a chain with the mixing time tau, and their noise is that of
`MarkovianNoise`; V and b are the factors of variance and bias of a `MultilevelBatch`. Each class is
a plan for one theorem of `optzoo.theorems.markovian_noise`: it refuses constants that violate its
conditions, says why, and gives the theorem's bound. `for_target` splits a target evenly between
what is left of the start and the noise: at each level it takes the longest step whose floor is half
the target, and of these the one with the fewest samples in the mean.

Differs from the paper, which states orders: all constants here are explicit, from the same proofs.

References:
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ._arguments import require_integer, require_known
from ._markovian_plan import LinearPlan, Plan, cheapest
from .markovian_noise import MarkovianNoise, MultilevelBatch
from .randomized_accelerated_gd import AcceleratedCoefficients
from .theorems.markovian_noise import D3, D3_POLYAK_LOJASIEWICZ, D3A, D4, D5, damping
from .theorems.theorem import Theorem

__all__ = [
    "AcceleratedGDBound",
    "ExtragradientBound",
    "NonconvexGDBound",
    "PolyakLojasiewiczGDBound",
    "StronglyConvexGDBound",
]


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.inf


def _longest_gd_step(L: float, noise: MarkovianNoise, batch: MultilevelBatch) -> float:
    growth, tau = noise.delta**2, noise.mixing_time
    V, b = batch.variance(tau), batch.bias(tau)
    return min(1 / L, _quotient(1 - growth * b, 2 * growth * L * V))


@dataclass(frozen=True)
class NonconvexGDBound(Plan):
    r"""`randomized_gd` on a smooth function: the mean of the squared gradients over the run, D3.

    .. math::
      \frac1N \sum_{k < N} E\|\nabla f(x^k)\|^2
        \le \frac{2 (f(x^0) - f^*)}{c \gamma N} + \frac{\sigma^2 A}{c}, \qquad
      A = b + \gamma L V, \quad c = 1 - \delta^2 A > 0, \quad \gamma \le \frac1L

    Args:
      smoothness: L.
      noise: tau, sigma, delta.
      batch: B and m.
      learning_rate: gamma.

    Raises:
      ValueError: if the step is too long or c is not positive, with the reason.

    Example:
      >>> import optzoo
      >>> noise = optzoo.MarkovianNoise(mixing_time=10, sigma=1.0, delta=0.5)
      >>> plan = optzoo.NonconvexGDBound.for_target(2.0, noise, initial=1.0, target=0.01)
      >>> plan.bound(plan.steps(1.0, 0.01), 1.0) <= 0.01
      True
      >>> optzoo.NonconvexGDBound(2.0, noise, plan.batch, learning_rate=0.6)
      Traceback (most recent call last):
        ...
      ValueError: the step must be at most 1/L = 0.5, got 0.6.
    """

    theorem: ClassVar[Theorem] = D3

    def bound(self, steps: int, initial: float) -> float:
        """The bound of the averaged squared gradient norm; `initial` is f(x^0) - f*."""
        require_integer("steps", steps, 1)
        return super().bound(steps, initial)

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> Self:
        """As that of the other plans, without strong convexity; `initial` is f(x^0) - f*."""
        return cheapest(
            lambda batch, step: cls(smoothness, noise, batch, step),
            lambda batch: _longest_gd_step(smoothness, noise, batch),
            noise,
            initial,
            target,
            batch_size,
        )


@dataclass(frozen=True)
class PolyakLojasiewiczGDBound(LinearPlan):
    r"""`randomized_gd` on a smooth function with |grad f|^2 >= 2 mu (f - f*), D3: f - f*.

    .. math::
      E f(x^N) - f^* \le (1 - c \gamma \mu)^N (f(x^0) - f^*) + \frac{\sigma^2 A}{2 c \mu}, \qquad
      A = b + \gamma L V, \quad c = 1 - \delta^2 A > 0, \quad \gamma \le \frac1L

    Args:
      smoothness: L.
      noise: tau, sigma, delta.
      batch: B and m.
      learning_rate: gamma.
      strong_convexity: mu, the constant of the Polyak-Lojasiewicz inequality.

    Raises:
      ValueError: if the step is too long or c is not positive, with the reason.

    Example:
      >>> import optzoo
      >>> noise = optzoo.MarkovianNoise(mixing_time=10, sigma=1.0)
      >>> plan = optzoo.PolyakLojasiewiczGDBound.for_target(
      ...     1.0, 0.1, noise, initial=1.0, target=0.01)
      >>> plan.floor <= 0.005 * (1 + 1e-9), plan.bound(0, 1.0)
      (True, 1.0)
    """

    theorem: ClassVar[Theorem] = D3_POLYAK_LOJASIEWICZ

    @classmethod
    def _longest_step(
        cls, L: float, mu: float, noise: MarkovianNoise, batch: MultilevelBatch
    ) -> float:
        return _longest_gd_step(L, noise, batch)


@dataclass(frozen=True)
class StronglyConvexGDBound(LinearPlan):
    r"""`randomized_gd` on a smooth, strongly convex function, D3a: the squared distance.

    .. math::
      E\|x^N - x^*\|^2 \le (1 - R)^N \|x^0 - x^*\|^2 + \frac{\sigma^2}{R} W, \qquad
      W = \gamma^2 V + \frac{\gamma b}{\mu}, \quad R = \gamma \mu - \delta^2 L^2 W > 0, \quad
      \gamma \le \frac{2}{L + \mu}

    Args:
      smoothness: L.
      noise: tau, sigma, delta.
      batch: B and m.
      learning_rate: gamma.
      strong_convexity: mu.

    Raises:
      ValueError: if the step is too long or R is not positive, with the reason.

    Example:
      >>> import optzoo
      >>> noise = optzoo.MarkovianNoise(mixing_time=10, sigma=0.0)
      >>> plan = optzoo.StronglyConvexGDBound(
      ...     1.0, noise, optzoo.MultilevelBatch(10, 3), learning_rate=1.0, strong_convexity=0.5)
      >>> plan.rate, plan.floor, plan.bound(2, 1.0)
      (0.5, 0.0, 0.25)
    """

    theorem: ClassVar[Theorem] = D3A

    @classmethod
    def _longest_step(
        cls, L: float, mu: float, noise: MarkovianNoise, batch: MultilevelBatch
    ) -> float:
        growth, tau = (noise.delta * L) ** 2, noise.mixing_time
        V, b = batch.variance(tau), batch.bias(tau)
        return min(2 / (L + mu), _quotient(mu - growth * b / mu, 2 * growth * V))


@dataclass(frozen=True)
class AcceleratedGDBound(LinearPlan):
    r"""`randomized_accelerated_gd`, D4: Phi = |x - x*|^2 + (6 / mu) (f(x_f) - f*).

    .. math::
      E \Phi_N \le \Bigl(1 - p \sqrt{\tfrac{\mu \gamma}{3}}\Bigr)^N \Phi_0 +
        \frac{3 \sqrt 3 \, \gamma^{1/2}}{\mu^{3/2}} \sigma^2
        \bigl[p (1 + \gamma L) V + (4 + \eta) b\bigr], \qquad \gamma \le \frac{3}{4L}, \quad
      (C)\; p (1 + \gamma L)(1 + \delta^2 V) + (4 + \eta) \delta^2 b \le \frac74

    Args:
      smoothness: L.
      noise: tau, sigma, delta.
      batch: B and m.
      learning_rate: gamma.
      strong_convexity: mu.
      momentum_scale: p in (0, 1].

    Raises:
      ValueError: if the step is too long, p is out of range or (C) is violated, with the reason.

    Example:
      >>> import optzoo
      >>> noise = optzoo.MarkovianNoise(mixing_time=14, sigma=0.1, delta=1.0)
      >>> plan = optzoo.AcceleratedGDBound.for_target(1.0, 0.01, noise, initial=700.0, target=1.0)
      >>> method = optzoo.randomized_accelerated_gd(
      ...     plan.learning_rate, plan.strong_convexity, momentum_scale=plan.momentum_scale)
      >>> optzoo.AcceleratedGDBound(
      ...     1.0, noise, optzoo.MultilevelBatch(1, 0), 0.75, 0.01, momentum_scale=0.8)
      Traceback (most recent call last):
        ...
      ValueError: condition (C), p (1 + gamma L)(1 + delta^2 V) + (4 + eta) delta^2 b <= 7/4, is
      violated: 66.7333 + 13066.7 is larger. Take larger batches, a higher level or a smaller p.
    """

    momentum_scale: float = 1.0

    theorem: ClassVar[Theorem] = D4

    def __post_init__(self) -> None:
        p = require_known("momentum_scale", self.momentum_scale)
        if not 0.0 < p <= 1.0:
            raise ValueError(f"momentum_scale must lie in (0, 1], got {p}.")
        super().__post_init__()

    def _named(self) -> dict[str, Any]:
        return super()._named() | {"p": self.momentum_scale}

    @property
    def coefficients(self) -> AcceleratedCoefficients:
        """The coefficients beta, eta and theta."""
        found: AcceleratedCoefficients = self.constants().coefficients
        return found

    @classmethod
    def _longest_step(
        cls, L: float, mu: float, noise: MarkovianNoise, batch: MultilevelBatch
    ) -> float:
        return 0.75 / L

    @classmethod
    def _further(cls, noise: MarkovianNoise, batch: MultilevelBatch) -> dict[str, float]:
        return {"momentum_scale": damping(noise.delta, batch.variance(noise.mixing_time))}


@dataclass(frozen=True)
class ExtragradientBound(LinearPlan):
    r"""`randomized_extragradient` on a strongly monotone variational inequality, D5: the distance.

    .. math::
      E\|x^N - x^*\|^2 \le (1 - R)^N \|x^0 - x^*\|^2 +
        \frac{\sigma^2}{R} \Bigl[3 \gamma^2 (V + V_0) + \frac{2 \gamma b}{\mu}\Bigr], \qquad
      R = \frac{\gamma \mu}{2} - 3 \gamma^2 V_0 \Delta^2 > 0, \\
      \gamma \le \frac{1}{\sqrt6 L}, \qquad
      \Delta^2 \Bigl(3 \gamma^2 V + \frac{2 \gamma b}{\mu}\Bigr) \le \frac{\gamma \mu}{2},

    where V_0 = (10/3) tau / B_0 belongs to the plain batch of the first half of a step, V and b to
    the multilevel one of the second, and Delta is `noise.delta`.

    Args:
      smoothness: L, the Lipschitz constant of the operator.
      noise: tau, sigma, Delta: |F(x, z) - F(x)|^2 <= sigma^2 + Delta^2 |x - x*|^2.
      batch: B and m of the second half.
      learning_rate: gamma.
      strong_convexity: mu, the modulus of strong monotonicity.
      first_batch_size: B_0; B if None.

    Raises:
      ValueError: if a condition is violated, with the reason.

    Example:
      >>> import optzoo
      >>> noise = optzoo.MarkovianNoise(mixing_time=14, sigma=1.0, delta=0.5)
      >>> plan = optzoo.ExtragradientBound.for_target(1.0, 0.1, noise, initial=10.0, target=0.1)
      >>> plan.samples_per_step == plan.batch.batch_size + plan.batch.expected_samples
      True
    """

    first_batch_size: int | None = None

    theorem: ClassVar[Theorem] = D5

    def __post_init__(self) -> None:
        if self.first_batch_size is not None:
            require_integer("first_batch_size", self.first_batch_size, 1)
        super().__post_init__()

    @property
    def _first_batch(self) -> MultilevelBatch:
        return MultilevelBatch(self.first_batch_size or self.batch.batch_size, 0)

    def _named(self) -> dict[str, Any]:
        more = {"Delta": self.noise.delta, "B_0": self._first_batch.batch_size}
        return super()._named() | more

    @property
    def first_variance(self) -> float:
        """The factor V_0 of the plain batch at this mixing time."""
        return self._first_batch.variance(self.noise.mixing_time)

    @property
    def samples_per_step(self) -> float:
        """Samples that the two halves of a step take in the mean."""
        return self._first_batch.expected_samples + self.batch.expected_samples

    @classmethod
    def _longest_step(
        cls, L: float, mu: float, noise: MarkovianNoise, batch: MultilevelBatch
    ) -> float:
        growth, tau = noise.delta**2, noise.mixing_time
        V, b = batch.variance(tau), batch.bias(tau)
        V_0 = MultilevelBatch(batch.batch_size, 0).variance(tau)
        second_half = _quotient(mu / 2 - 2 * growth * b / mu, 3 * growth * V)
        return min(1 / (math.sqrt(6) * L), second_half, _quotient(mu, 12 * growth * V_0))
