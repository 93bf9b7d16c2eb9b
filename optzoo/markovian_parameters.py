r"""Steps, batches and numbers of iterations that the theorems on Markovian noise prescribe.

The samples come from one trajectory of a chain with the mixing time tau, and their noise is that of
`MarkovianNoise`; V and b are the factors of variance and bias of a `MultilevelBatch`. Each theorem
is a class: it refuses constants that violate its conditions, says why, and gives the bound.
`for_target` splits a target evenly between what is left of the start and the noise: at each level
it takes the longest step whose floor is half the target, and of these the one with the fewest
samples in the mean.

Differs from the paper, which states orders: all constants here are explicit, from the same proofs.

References:
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

import math
from dataclasses import dataclass

from ._arguments import require_integer, require_known
from ._markovian_bound import ROUNDING, Bound, LinearBound, cheapest, quotient, require_slack
from .markovian_noise import MarkovianNoise, MultilevelBatch
from .randomized_accelerated_gd import AcceleratedCoefficients, accelerated_coefficients

__all__ = [
    "AcceleratedGDBound",
    "ExtragradientBound",
    "NonconvexGDBound",
    "PolyakLojasiewiczGDBound",
    "StronglyConvexGDBound",
]


@dataclass(frozen=True)
class NonconvexGDBound(Bound):
    r"""`randomized_gd` on a smooth function: the mean of the squared gradients over the run.

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
      ValueError: learning_rate must be at most 1/L = 0.5, got 0.6.
    """

    def _check(self) -> None:
        self.require_step(1 / self.smoothness, "1/L")
        require_slack("1 - delta^2 (b + gamma L V)", self._slack)

    @property
    def _noise_factor(self) -> float:
        return self.bias + self.learning_rate * self.smoothness * self.variance  # A

    @property
    def _slack(self) -> float:
        return 1 - self.noise.delta**2 * self._noise_factor  # c

    @property
    def floor(self) -> float:
        """The floor sigma^2 A / c."""
        return self.noise.sigma**2 * self._noise_factor / self._slack

    def bound(self, steps: int, initial: float) -> float:
        """The bound of the averaged squared gradient norm; `initial` is f(x^0) - f*."""
        require_integer("steps", steps, 1)
        return 2 * initial / (self._slack * self.learning_rate * steps) + self.floor

    def steps(self, initial: float, target: float) -> int:
        """The least number of steps after which the bound is at most the target."""
        if self.floor >= target:
            raise ValueError(f"target must be above the floor {self.floor:.6g}, got {target}.")
        exact = 2 * initial / (self._slack * self.learning_rate * (target - self.floor))
        return max(math.ceil(exact * (1 - ROUNDING)), 1)

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> "NonconvexGDBound":
        """The step and the level for a target; B = tau if batch_size is None.

        `initial` is f(x^0) - f*, the target one for the averaged squared gradient norm. ValueError
        if no level reaches the target.
        """

        def largest_step(batch: MultilevelBatch) -> float:
            return _largest_gd_step(smoothness, noise, batch)

        def make(batch: MultilevelBatch, step: float) -> "NonconvexGDBound":
            return cls(smoothness, noise, batch, step)

        return cheapest(make, largest_step, noise, initial, target, batch_size)


@dataclass(frozen=True)
class PolyakLojasiewiczGDBound(LinearBound):
    r"""`randomized_gd` on a smooth function with |grad f|^2 >= 2 mu (f - f*): the suboptimality.

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

    def _check(self) -> None:
        self.require_step(1 / self.smoothness, "1/L")
        require_slack("1 - delta^2 (b + gamma L V)", self._slack)

    @property
    def _noise_factor(self) -> float:
        return self.bias + self.learning_rate * self.smoothness * self.variance  # A

    @property
    def _slack(self) -> float:
        return 1 - self.noise.delta**2 * self._noise_factor  # c

    @property
    def rate(self) -> float:
        """The rate c gamma mu."""
        return self._slack * self.learning_rate * self.strong_convexity

    @property
    def floor(self) -> float:
        """The floor sigma^2 A / (2 c mu)."""
        return self.noise.sigma**2 * self._noise_factor / (2 * self._slack * self.strong_convexity)

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        strong_convexity: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> "PolyakLojasiewiczGDBound":
        """The step and the level for a target; B = tau if batch_size is None.

        `initial` is f(x^0) - f*. ValueError if no level reaches the target.
        """

        def largest_step(batch: MultilevelBatch) -> float:
            return _largest_gd_step(smoothness, noise, batch)

        def make(batch: MultilevelBatch, step: float) -> "PolyakLojasiewiczGDBound":
            return cls(smoothness, noise, batch, step, strong_convexity)

        return cheapest(make, largest_step, noise, initial, target, batch_size)


@dataclass(frozen=True)
class StronglyConvexGDBound(LinearBound):
    r"""`randomized_gd` on a smooth, strongly convex function: the squared distance.

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

    def _check(self) -> None:
        self.require_step(2 / (self.smoothness + self.strong_convexity), "2/(L + mu)")
        require_slack("gamma mu - delta^2 L^2 (gamma^2 V + gamma b / mu)", self.rate)

    @property
    def _injected(self) -> float:
        gamma = self.learning_rate
        return gamma**2 * self.variance + gamma * self.bias / self.strong_convexity  # W

    @property
    def rate(self) -> float:
        """The rate gamma mu - delta^2 L^2 W."""
        multiplied = (self.noise.delta * self.smoothness) ** 2 * self._injected
        return self.learning_rate * self.strong_convexity - multiplied

    @property
    def floor(self) -> float:
        """The floor sigma^2 W / R."""
        return self.noise.sigma**2 * self._injected / self.rate

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        strong_convexity: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> "StronglyConvexGDBound":
        """The step and the level for a target; B = tau if batch_size is None.

        `initial` is |x^0 - x*|^2. ValueError if no level reaches the target.
        """

        def largest_step(batch: MultilevelBatch) -> float:
            growth = (noise.delta * smoothness) ** 2
            tau, mu = noise.mixing_time, strong_convexity
            # Beyond it a longer step is slower.
            fastest = quotient(mu - growth * batch.bias(tau) / mu, 2 * growth * batch.variance(tau))
            return min(2 / (smoothness + mu), fastest)

        def make(batch: MultilevelBatch, step: float) -> "StronglyConvexGDBound":
            return cls(smoothness, noise, batch, step, strong_convexity)

        return cheapest(make, largest_step, noise, initial, target, batch_size)


@dataclass(frozen=True)
class AcceleratedGDBound(LinearBound):
    r"""`randomized_accelerated_gd`: Phi = |x - x*|^2 + (6 / mu) (f(x_f) - f*).

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

    def _check(self) -> None:
        p = require_known("momentum_scale", self.momentum_scale)
        if not 0.0 < p <= 1.0:
            raise ValueError(f"momentum_scale must lie in (0, 1], got {p}.")
        self.require_step(0.75 / self.smoothness, "3/(4L)")
        delta_squared = self.noise.delta**2
        gradient = (
            p * (1 + self.learning_rate * self.smoothness) * (1 + delta_squared * self.variance)
        )
        bias = (4 + self.coefficients.eta) * delta_squared * self.bias
        if gradient + bias > 1.75 * (1 + ROUNDING):
            raise ValueError(
                "condition (C), p (1 + gamma L)(1 + delta^2 V) + (4 + eta) delta^2 b <= 7/4, is "
                f"violated: {gradient:.6g} + {bias:.6g} is larger. Take larger batches, a higher "
                "level or a smaller p."
            )

    @property
    def coefficients(self) -> AcceleratedCoefficients:
        """The coefficients beta, eta and theta."""
        return accelerated_coefficients(
            self.learning_rate, self.strong_convexity, self.momentum_scale
        )

    @property
    def rate(self) -> float:
        """The rate beta / 2 = p sqrt(mu gamma / 3)."""
        return float(self.coefficients.beta / 2)

    @property
    def floor(self) -> float:
        """The floor 3 sqrt(3) gamma^(1/2) mu^(-3/2) sigma^2 [p (1 + gamma L) V + (4 + eta) b]."""
        q = self.momentum_scale * (1 + self.learning_rate * self.smoothness)
        bracket = q * self.variance + (4 + self.coefficients.eta) * self.bias
        scale = 3 * math.sqrt(3 * self.learning_rate) * self.strong_convexity**-1.5
        return float(scale * self.noise.sigma**2 * bracket)

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        strong_convexity: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> "AcceleratedGDBound":
        """The step, the level and p for a target; B = tau if batch_size is None.

        `initial` is Phi_0. ValueError if no level reaches the target.
        """

        def make(batch: MultilevelBatch, step: float) -> "AcceleratedGDBound":
            # The first part of (C) is then at most 3/2, which leaves 1/4 for the second.
            growth = 1 + noise.delta**2 * batch.variance(noise.mixing_time)
            p = 6 / (7 * growth) if noise.delta > 0 else 1.0
            return cls(smoothness, noise, batch, step, strong_convexity, p)

        return cheapest(make, lambda _: 0.75 / smoothness, noise, initial, target, batch_size)


@dataclass(frozen=True)
class ExtragradientBound(LinearBound):
    r"""`randomized_extragradient` on a strongly monotone variational inequality: the distance.

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

    def _check(self) -> None:
        if self.first_batch_size is not None:
            require_integer("first_batch_size", self.first_batch_size, 1)
        self.require_step(1 / (math.sqrt(6) * self.smoothness), "1/(sqrt(6) L)")
        gamma, mu = self.learning_rate, self.strong_convexity
        noisy = 3 * gamma**2 * self.variance + 2 * gamma * self.bias / mu
        if self.noise.delta**2 * noisy > gamma * mu / 2 * (1 + ROUNDING):
            raise ValueError(
                "Delta^2 (3 gamma^2 V + 2 gamma b / mu) must be at most gamma mu / 2 = "
                f"{gamma * mu / 2:.6g}, got {self.noise.delta**2 * noisy:.6g}. Take larger batches "
                "or a shorter step."
            )
        require_slack("gamma mu / 2 - 3 gamma^2 V_0 Delta^2", self.rate)

    @property
    def _first_batch(self) -> MultilevelBatch:
        return MultilevelBatch(self.first_batch_size or self.batch.batch_size, 0)

    @property
    def first_variance(self) -> float:
        """The factor V_0 of the plain batch at this mixing time."""
        return self._first_batch.variance(self.noise.mixing_time)

    @property
    def samples_per_step(self) -> float:
        """Samples that the two halves of a step take in the mean."""
        return self._first_batch.expected_samples + self.batch.expected_samples

    @property
    def rate(self) -> float:
        """The rate R = gamma mu / 2 - 3 gamma^2 V_0 Delta^2."""
        gamma, delta = self.learning_rate, self.noise.delta
        return gamma * self.strong_convexity / 2 - 3 * (gamma * delta) ** 2 * self.first_variance

    @property
    def floor(self) -> float:
        """The floor sigma^2 [3 gamma^2 (V + V_0) + 2 gamma b / mu] / R."""
        gamma = self.learning_rate
        noisy = 3 * gamma**2 * (self.variance + self.first_variance)
        biased = 2 * gamma * self.bias / self.strong_convexity
        return self.noise.sigma**2 * (noisy + biased) / self.rate

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        strong_convexity: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> "ExtragradientBound":
        """The step and the level for a target; B = B_0 = tau if batch_size is None.

        `initial` is |x^0 - x*|^2. ValueError if no level reaches the target.
        """

        def largest_step(batch: MultilevelBatch) -> float:
            tau, mu, growth = noise.mixing_time, strong_convexity, noise.delta**2
            first = MultilevelBatch(batch.batch_size, 0)
            second_half = quotient(
                mu / 2 - 2 * growth * batch.bias(tau) / mu, 3 * growth * batch.variance(tau)
            )
            # Beyond it a longer step is slower.
            fastest = quotient(mu, 12 * growth * first.variance(tau))
            return min(1 / (math.sqrt(6) * smoothness), second_half, fastest)

        def make(batch: MultilevelBatch, step: float) -> "ExtragradientBound":
            return cls(smoothness, noise, batch, step, strong_convexity)

        return cheapest(make, largest_step, noise, initial, target, batch_size)


def _largest_gd_step(smoothness: float, noise: MarkovianNoise, batch: MultilevelBatch) -> float:
    """1/L, or the step beyond which a longer one is slower."""
    tau, growth = noise.mixing_time, noise.delta**2
    slack = 1 - growth * batch.bias(tau)
    return min(1 / smoothness, quotient(slack, 2 * growth * smoothness * batch.variance(tau)))
