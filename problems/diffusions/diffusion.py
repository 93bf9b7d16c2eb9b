# SPDX-License-Identifier: Apache-2.0
r"""Diffusions dZ = b(Z) dt + sigma(Z) dW, in Ito's sense, whose law is known at every time.

Ornstein-Uhlenbeck and geometric Brownian motion in closed form, linear diffusions in several
dimensions (Langevin dynamics of Gaussian posteriors among them) by one matrix exponential, any
other on the line by its Fokker-Planck equation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse, stats

from .._arguments import check_scalar
from .line_laws import Gaussian, Histogram, LogNormal

__all__ = [
    "DoubleWell",
    "GeometricBrownianMotion",
    "LinearDiffusion",
    "OrnsteinUhlenbeck",
    "fokker_planck",
    "gaussian_posterior",
]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class OrnsteinUhlenbeck:
    r"""dZ = -a Z dt + s dW from a point x_0; Brownian motion for a = 0.

    .. math::
      Z_t \sim N\left(e^{-at} x_0,\; s^2 \frac{1 - e^{-2at}}{2a}\right)

    Args:
        rate: a, of either sign; |a| is the Lipschitz constant of the drift.
        noise: s >= 0.
        start: x_0.

    Raises:
        ValueError: if a number is not finite or the noise is negative.

    Example:
        >>> process = OrnsteinUhlenbeck(rate=1.0, noise=2.0**0.5, start=3.0)
        >>> process.law(0.0)
        Gaussian(mean=3.0, deviation=0.0)
        >>> round(process.law(50.0).deviation, 12)
        1.0
    """

    rate: float
    noise: float
    start: float

    def __post_init__(self) -> None:
        check_scalar("rate", self.rate)
        check_scalar("noise", self.noise, at_least=0.0)
        check_scalar("start", self.start)

    def drift(self, x: ArrayLike) -> Array:
        return -self.rate * np.asarray(x, dtype=np.float64)

    def law(self, time: float) -> Gaussian:
        """The law at a time.

        Args:
            time: t >= 0.

        Returns:
            N(mean, deviation^2).

        Raises:
            ValueError: if the time is negative or not finite.
        """
        check_scalar("time", time, at_least=0.0)
        a = self.rate
        grown = time if a == 0 else -np.expm1(-2 * a * time) / (2 * a)
        return Gaussian(float(np.exp(-a * time) * self.start), float(self.noise * np.sqrt(grown)))

    def largest_drift(self, time: float) -> float:
        """The supremum of (E b(Z_t)^2)^(1/2) over [0, time]: E Z_t^2 is monotone in t."""
        ends = (self.law(0.0), self.law(time))
        return float(abs(self.rate) * max(np.hypot(one.mean, one.deviation) for one in ends))


@dataclasses.dataclass(frozen=True)
class GeometricBrownianMotion:
    r"""dZ = a Z dt + s Z dW from x_0 > 0: multiplicative noise.

    .. math:: \log Z_t \sim N(\log x_0 + (a - s^2/2) t,\; s^2 t)

    Args:
        growth: a.
        volatility: s > 0.
        start: x_0 > 0.

    Raises:
        ValueError: if a number is not finite, or volatility or start is not positive.

    Example:
        >>> law = GeometricBrownianMotion(growth=0.5, volatility=1.0, start=2.0).law(1.0)
        >>> round(law.log_mean, 6), law.log_deviation
        (0.693147, 1.0)
    """

    growth: float
    volatility: float
    start: float

    def __post_init__(self) -> None:
        check_scalar("growth", self.growth)
        check_scalar("volatility", self.volatility, positive=True)
        check_scalar("start", self.start, positive=True)

    def law(self, time: float) -> LogNormal:
        """The law at a time.

        Args:
            time: t > 0.

        Returns:
            The log-normal law.

        Raises:
            ValueError: if the time is not positive or not finite.
        """
        check_scalar("time", time, positive=True)
        shift = (self.growth - self.volatility**2 / 2) * time
        return LogNormal(float(np.log(self.start) + shift), float(self.volatility * np.sqrt(time)))


@dataclasses.dataclass(frozen=True, eq=False)
class LinearDiffusion:
    r"""dZ = (c - A Z) dt + S dW from a point, in d dimensions: Gaussian at every time.

    Args:
        matrix: A, shape (d, d); need not be symmetric.
        offset: c, shape (d,).
        noise: S, shape (d, m).
        start: shape (d,).

    Raises:
        ValueError: if A is not square, the shapes do not fit, or a number is not finite.

    Example:
        >>> import numpy as np
        >>> process = LinearDiffusion(np.eye(2), np.ones(2), 2**0.5 * np.eye(2), np.zeros(2))
        >>> mean, covariance = process.law(40.0)
        >>> bool(np.allclose(mean, 1)), bool(np.allclose(covariance, np.eye(2)))
        (True, True)
    """

    matrix: Array
    offset: Array
    noise: Array
    start: Array

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            table = np.asarray(getattr(self, field.name), dtype=np.float64)
            if not np.all(np.isfinite(table)):
                raise ValueError(f"{field.name} must be finite")
            object.__setattr__(self, field.name, table)
        d = self.start.size
        if self.matrix.shape != (d, d):
            raise ValueError(f"matrix must be square, ({d}, {d}), got {self.matrix.shape}")
        if self.offset.shape != (d,) or self.start.shape != (d,):
            raise ValueError(
                f"offset and start must have shape ({d},), got {self.offset.shape} and "
                f"{self.start.shape}"
            )
        if self.noise.ndim != 2 or self.noise.shape[0] != d:
            raise ValueError(f"noise must have {d} rows, got shape {self.noise.shape}")

    def drift(self, x: ArrayLike) -> Array:
        return self.offset - self.matrix @ np.asarray(x, dtype=np.float64)

    def law(self, time: float) -> tuple[Array, Array]:
        """Mean (d,) and covariance (d, d) at a time.

        Args:
            time: t >= 0.

        Returns:
            The mean and the covariance of the Gaussian law.

        Raises:
            ValueError: if the time is negative or not finite.

        References:
            Van Loan, "Computing integrals involving the matrix exponential", 1978.
        """
        check_scalar("time", time, at_least=0.0)
        d = self.start.size
        flow = np.zeros((d + 1, d + 1))
        flow[:d, :d], flow[:d, d] = -self.matrix, self.offset
        mean = (linalg.expm(time * flow) @ np.append(self.start, 1.0))[:d]
        # Over a short time, then doubled: over a long one the block's exponential would overflow.
        norm = max(time * float(np.linalg.norm(self.matrix, 2)), 1.0)
        doublings = int(np.ceil(np.log2(norm)))
        block = np.zeros((2 * d, 2 * d))
        block[:d, :d], block[d:, d:] = self.matrix, -self.matrix.T
        block[:d, d:] = self.noise @ self.noise.T
        grown = linalg.expm(time / 2**doublings * block)
        decay = grown[d:, d:].T
        covariance = decay @ grown[:d, d:]
        for _ in range(doublings):
            covariance = decay @ covariance @ decay.T + covariance
            decay = decay @ decay
        return mean, (covariance + covariance.T) / 2

    def euler_law(self, step: float, steps: int) -> tuple[Array, Array]:
        """Mean and covariance of X_{k+1} = X_k + step (c - A X_k) + sqrt(step) S eps_k.

        Args:
            step: positive.
            steps: k >= 0.

        Returns:
            The mean and the covariance of X_k; with Gaussian noise that is its law.

        Raises:
            ValueError: if the step is not positive.
        """
        check_scalar("step", step, positive=True)
        contraction = np.eye(self.start.size) - step * self.matrix
        mean, covariance = self.start, np.zeros_like(self.matrix)
        for _ in range(steps):
            mean = contraction @ mean + step * self.offset
            covariance = contraction @ covariance @ contraction.T
            covariance = covariance + step * self.noise @ self.noise.T
        return mean, covariance


def gaussian_posterior(
    features: ArrayLike,
    responses: ArrayLike,
    *,
    noise_variance: float = 1.0,
    prior_variance: float = 1.0,
) -> LinearDiffusion:
    r"""Langevin dynamics of the posterior of a linear model, from the prior's mode 0.

    .. math::
      y_i \sim N(x_i^\top w, v), \quad w \sim N(0, \tau I), \qquad
      dW_t = (X^\top y / v - A W_t)\, dt + \sqrt 2\, dB, \quad A = X^\top X / v + I / \tau

    Its stationary law is the posterior N(A^{-1} X'y / v, A^{-1}).

    Args:
        features: X, shape (n, d).
        responses: y, shape (n,).
        noise_variance: v > 0.
        prior_variance: tau > 0.

    Returns:
        The diffusion.

    Raises:
        ValueError: if the shapes do not fit or a variance is not positive.

    Example:
        >>> import numpy as np
        >>> process = gaussian_posterior(np.ones((3, 1)), np.array([1.0, 2.0, 3.0]))
        >>> mean, covariance = process.law(30.0)    # 6 / (3 + 1) and 1 / (3 + 1)
        >>> float(mean[0].round(9)), float(covariance[0, 0].round(9))
        (1.5, 0.25)
    """
    check_scalar("noise_variance", noise_variance, positive=True)
    check_scalar("prior_variance", prior_variance, positive=True)
    table, targets = (np.asarray(v, dtype=np.float64) for v in (features, responses))
    if table.ndim != 2 or targets.shape != table.shape[:1]:
        raise ValueError(
            f"features must have shape (n, d) and responses (n,), got {table.shape} and "
            f"{targets.shape}"
        )
    d = table.shape[1]
    return LinearDiffusion(
        table.T @ table / noise_variance + np.eye(d) / prior_variance,
        table.T @ targets / noise_variance,
        np.sqrt(2.0) * np.eye(d),
        np.zeros(d),
    )


@dataclasses.dataclass(frozen=True)
class DoubleWell:
    r"""Langevin dynamics of an even mixture of N(m, 1) and N(-m, 1): two wells for m > 1.

    .. math::
      dZ = (m \tanh(m Z) - Z)\, dt + \sqrt 2\, dW, \qquad
      U(x) = x^2/2 - \log \cosh(m x)

    The drift has slopes between -1 and m^2 - 1; unlike the quartic double well it is Lipschitz
    on the whole line.

    Args:
        separation: m >= 0.
        start: x_0.

    Raises:
        ValueError: if a number is not finite or the separation is negative.

    Example:
        >>> well = DoubleWell(separation=2.0, start=0.5)
        >>> well.lipschitz, float(well.drift(0.0))
        (3.0, 0.0)
    """

    separation: float
    start: float

    def __post_init__(self) -> None:
        check_scalar("separation", self.separation, at_least=0.0)
        check_scalar("start", self.start)

    @property
    def lipschitz(self) -> float:
        return float(max(1.0, abs(self.separation**2 - 1)))

    def drift(self, x: ArrayLike) -> Array:
        places = np.asarray(x, dtype=np.float64)
        return np.asarray(self.separation * np.tanh(self.separation * places) - places)

    def law(self, time: float, edges: ArrayLike) -> Histogram:
        """The law at a time, by the Fokker-Planck equation.

        Args:
            time: t > 0.
            edges: of equal cells that hold all of the mass.

        Returns:
            The law on the cells.
        """
        return fokker_planck(self.drift, np.sqrt(2.0), self.start, time, edges)

    def stationary(self, edges: ArrayLike) -> Histogram:
        """The mixture itself, exactly, on the cells.

        Args:
            edges: increasing.

        Returns:
            The law on the cells.
        """
        both = [Gaussian(m, 1.0).histogram(edges) for m in (-self.separation, self.separation)]
        return Histogram(edges, (both[0].masses + both[1].masses) / 2)


def fokker_planck(
    drift: Callable[[Array], ArrayLike],
    noise: Callable[[Array], ArrayLike] | float,
    start: float,
    time: float,
    edges: ArrayLike,
) -> Histogram:
    r"""The law of a diffusion on the line at a time, from a point.

    .. math:: \partial_t p = -\partial_x (b p) + \tfrac12 \partial_x^2 (\sigma^2 p)

    Finite volumes with exponentially fitted fluxes (Scharfetter, Gummel 1969): a Markov chain on
    the cells that keeps mass and signs, and for constant sigma the stationary law of the cells up
    to second order. Time is exact (a matrix exponential acts on the start); space is of second
    order, so that four times the error belongs to cells of twice the length. No mass leaves.

    Args:
        drift: b, vectorized.
        noise: sigma, a number or vectorized, positive inside.
        start: x_0, in the interior.
        time: t > 0.
        edges: of cells of one length that hold all of the mass, shape (n + 1,).

    Returns:
        The law on the cells.

    Raises:
        ValueError: if the edges are not equidistant, the start is outside or the time not
            positive.

    Example:
        >>> import numpy as np
        >>> edges = np.linspace(-6.0, 6.0, 401)
        >>> law = fokker_planck(lambda x: -x, 1.0, 1.0, 1.0, edges)
        >>> round(law.mean, 3), round(law.variance, 2)    # 1 / e and (1 - 1 / e^2) / 2
        (0.368, 0.43)
    """
    check_scalar("time", time, positive=True)
    ends = np.asarray(edges, dtype=np.float64)
    widths = np.diff(ends)
    if ends.ndim != 1 or ends.size < 4 or not np.ptp(widths) <= 1e-3 * abs(widths.mean()):
        raise ValueError("edges must be equidistant, at least 4 of them")
    ends = np.linspace(ends[0], ends[-1], ends.size)  # without the round-off of float32
    if not ends[1] < start < ends[-2]:
        raise ValueError(f"start must lie inside [{ends[1]:g}, {ends[-2]:g}], got {start}")
    h, inner = float(widths.mean()), ends[1:-1]
    centres = (ends[1:] + ends[:-1]) / 2

    def squared(x: Array) -> Array:
        sigma = noise(x) if callable(noise) else noise
        return np.broadcast_to(np.asarray(sigma, dtype=np.float64) ** 2, x.shape)

    # d(sigma^2 p)/2 = sigma^2 dp / 2 + (sigma^2)' p / 2: the second part joins the drift.
    spread = squared(inner) / 2
    field = np.asarray(drift(inner)) - np.diff(squared(centres)) / (2 * h)
    up, down = (spread / h**2 * _bernoulli(sign * field * h / spread) for sign in (-1, 1))
    leaving = np.append(up, 0.0) + np.append(0.0, down)
    generator = sparse.diags_array([up, -leaving, down], offsets=[-1, 0, 1]).tocsr()
    # The start between two centres: its mass is shared so that its mean is right.
    position = (start - centres[0]) / h
    left = int(np.floor(position))
    masses = np.zeros(len(centres))
    masses[left], masses[left + 1] = 1 - (position - left), position - left
    return Histogram(ends, _after(generator, leaving, masses, time))


def _after(generator: sparse.csr_array, leaving: Array, masses: Array, time: float) -> Array:
    r"""The law of a Markov chain in continuous time, e^{tA} u, by uniformization.

    .. math:: e^{tA} u = \sum_k e^{-ct} \frac{(ct)^k}{k!} P^k u, \qquad P = I + A / c, \quad
        c \ge \max_i |A_{ii}|

    P moves mass and makes none, so signs and mass are kept, and nothing is drawn at random as in
    estimates of the norms of powers of A.
    """
    rate = float(leaving.max())
    jumps = rate * time
    # All but 1e-20 of a Poisson law lies so close to its mean (scipy's isf has NaN for so little).
    last = int(np.ceil(jumps + 10 * np.sqrt(jumps) + 30))
    weights = stats.poisson.pmf(np.arange(last + 1), jumps)
    transition = sparse.eye_array(len(masses), format="csr") + generator / rate
    reached, power = weights[0] * masses, masses
    for weight in weights[1:]:
        power = transition @ power
        reached += weight * power
    return reached


def _bernoulli(z: Array) -> Array:
    """Z / (e^z - 1)."""
    small = np.abs(z) < 1e-5
    safe = np.where(small, 1.0, z)
    return np.where(small, 1 - z / 2, safe / np.expm1(safe))
