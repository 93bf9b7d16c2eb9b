# SPDX-License-Identifier: Apache-2.0
"""Chains beside their diffusions, with exact laws: one step and one time each."""

import abc
import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from optzoo import bernoulli_noise, rademacher_noise
from optzoo.problems import (
    Atoms,
    CertificateError,
    Constant,
    DoubleWell,
    Gaussian,
    GeometricBrownianMotion,
    GridLaw,
    Histogram,
    LinearDiffusion,
    LogNormal,
    OrnsteinUhlenbeck,
    bures,
    gaussian_chain_law,
    gaussian_posterior,
    wasserstein,
    weighted_sum_law,
)
from optzoo.theorems.ito_chains import WINDOW_CONSTANTS

from ...setting import Setting, chosen

__all__ = [
    "NOISES",
    "SCALINGS",
    "AnyChain",
    "Chain",
    "DoubleWellChain",
    "GeometricChain",
    "LinearChain",
    "Noise",
    "PlaneChain",
    "PosteriorChain",
    "VectorChain",
    "halved",
    "posterior",
]

Array = NDArray[np.float64]
Noise = Literal["gaussian", "coin", "skewed coin", "cauchy"]
SCALINGS = {"langevin": 0.0, "sgd": 1.0}
"""gamma by its use."""

NOISES = {"coin": rademacher_noise(), "skewed coin": bernoulli_noise(0.1)}


@dataclass(frozen=True, kw_only=True)
class Chain(Setting):
    """A chain with one step up to a time, beside its diffusion; abstract.

    Its fields say, too, what can be wrong with either side; its constants are those of the
    diffusion, and so of the chain that has nothing wrong with it.

    Args:
        eta: step.
        gamma: scaling of the noise.
        time: T.
        louder: the chain's noise has this many times the diffusion's deviation.

    Raises:
        ValueError: if the step does not divide the time.
    """

    eta: float
    gamma: float = 0.0
    time: float = 1.0
    louder: float = 1.0

    def __post_init__(self) -> None:
        if abs(self.steps * self.eta - self.time) > 1e-9 * self.time:
            raise ValueError(f"eta must divide T = {self.time}, got {self.eta}")

    @property
    def steps(self) -> int:
        """The number k of steps."""
        return round(self.time / self.eta)

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {}

    @abc.abstractmethod
    def distance(self) -> float:
        """W2(X_k, Z_T), from above."""


def _require_below(name: str, constant: Constant, found: float) -> None:
    """Refuses a supremum that something exceeds."""
    if found > constant.value * (1 + 1e-9):
        raise CertificateError(f"{name} is stated as {constant.value}, but {found} was found")


AnyChain = TypeVar("AnyChain", bound=Chain)


def halved(kind: type[AnyChain], *, last: int, **place: Any) -> tuple[AnyChain, ...]:
    """Chains of a kind with the steps 1/8, 1/16, ..., 2^-last."""
    return tuple(kind(eta=2.0**-j, **place) for j in range(3, last + 1))


@final
@dataclass(frozen=True, kw_only=True)
class LinearChain(Chain):
    r"""X_{k+1} = X_k - eta (a X_k - eta^alpha delta) + eta^{(1+gamma)/2} s eps_k, beside dZ.

    Args:
        noise: the law of eps. "cauchy" has no two moments and is for controls.
        rate: a.
        s: size of the noise.
        start: x_0 of both.
        drift_error: delta.
        alpha: exponent of the drift error.
        correlated: eps is a moving average of two draws.
    """

    noise: Noise = "gaussian"
    rate: float = 1.0
    s: float = 1.0
    start: float = 0.0
    drift_error: float = 0.0
    alpha: float = 0.0
    correlated: bool = False

    @property
    def words(self) -> str:
        return (
            f"$b = -ax$, $a = {self.rate:g}$, $s = {self.s:.3g}$, $x_0 = {self.start:g}$, "
            f"$T = {self.time:g}$, noise: {self.noise}"
        )

    @cached_property
    def constants(self) -> dict[str, Constant]:
        bound = Constant(
            self.diffusion.largest_drift(self.time), "exact", derivation="at 0 or T, monotone in t"
        )
        slope = Constant(abs(self.rate), "exact", derivation="the drift is linear")
        known = {
            **chosen(eta=self.eta, gamma=self.gamma, T=self.time, a=self.rate, s=self.s, d=1),
            **chosen(x_0=self.start, chi_0=float(self.noise == "gaussian"), beta=0.0),
            "M": slope,
            "b_bar": bound,
        }
        if self.rate > 0:
            late = self.diffusion.largest_drift(200 / self.rate)
            known |= {"m": slope, "b_sup": Constant(late, "exact", derivation="at 0 or late")}
        if self.noise in WINDOW_CONSTANTS:
            value = WINDOW_CONSTANTS[self.noise]
            known["C_B"] = Constant(value, "certified", derivation="see I3, its constant")
        if self.drift_error != 0:
            known |= chosen(delta=self.drift_error, alpha=self.alpha)
        return known

    def certify(self) -> None:
        """The drift of the diffusion along the run, and long after it."""
        ends = {"b_bar": self.time, "b_sup": 200 / abs(self.rate) if self.rate else self.time}
        for name in ends.keys() & self.constants.keys():
            laws = [self.diffusion.law(time) for time in np.linspace(0.0, ends[name], 65)]
            found = max(abs(self.rate) * np.hypot(law.mean, law.deviation) for law in laws)
            _require_below(name, self.constants[name], float(found))

    @property
    def diffusion(self) -> OrnsteinUhlenbeck:
        """DZ = -a Z dt + eta^{gamma/2} s dW."""
        return OrnsteinUhlenbeck(self.rate, self.eta ** (self.gamma / 2) * self.s, self.start)

    def law(self) -> tuple[Atoms | Gaussian, float]:
        """The law of X_k, and the W2 within which it is known."""
        k, c = self.steps, 1 - self.rate * self.eta
        shift = self.eta ** (1 + self.alpha) * self.drift_error * float(np.sum(c ** np.arange(k)))
        mean, scale = c**k * self.start + shift, self._scale
        if self.noise == "gaussian":
            return Gaussian(mean, scale * float(np.linalg.norm(self._coefficients))), 0.0
        with _COMPUTING:
            unit = _sum_law(self.noise, tuple(self._coefficients))
        points = Atoms(mean + scale * unit.law.points, unit.law.weights)
        return points, scale * unit.error

    def distance(self) -> float:
        """W2(X_k, Z_T), from above: what the law's own error allows is added."""
        return sum(self.distance_and_error())

    def distance_and_error(self) -> tuple[float, float]:
        """W2 of the two laws as computed, and by how much it may be off.

        Cauchy noise has no W2; the distance of the middle 98% of the quantiles is below any.
        """
        goal = self.diffusion.law(self.time)
        if self.noise == "cauchy":
            mean = (1 - self.rate * self.eta) ** self.steps * self.start
            width = self._scale * float(np.sum(np.abs(self._coefficients)))
            level = np.linspace(0.01, 0.99, 2001)
            mine = mean + width * np.tan(np.pi * (level - 0.5))
            return float(np.sqrt(0.98 * np.mean((mine - goal.quantile(level)) ** 2))), 0.0
        law, error = self.law()
        return wasserstein(law, goal), error

    def distance_to_gaussian_noise(self) -> float:
        """W2 to the same chain with Gaussian noise."""
        law, error = self.law()
        other, _ = replace(self, noise="gaussian").law()
        return wasserstein(law, other) + error

    @property
    def _scale(self) -> float:
        return self.louder * self.s * self.eta ** ((1 + self.gamma) / 2)

    @property
    def _coefficients(self) -> Array:
        """X_k - its mean = scale * sum of these times independent draws, the latest first."""
        powers = np.asarray((1 - self.rate * self.eta) ** np.arange(self.steps), dtype=np.float64)
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


START = 1.0
CELLS, REACH = 2**14, 10.0
"""The logarithm's law is kept on so many cells, up to so many deviations from its middle."""


@final
@dataclass(frozen=True, kw_only=True)
class GeometricChain(Chain):
    """X_{k+1} = X_k (1 + r eta + eta^{(1+gamma)/2} s xi_k) from 1, beside dZ.

    Args:
        s: volatility.
        growth: r.
        limit: the diffusion, read with Ito's integral; with Stratonovich's; or with the noise that
            the start has, for ever.
    """

    s: float = 0.4
    growth: float = 0.5
    limit: Literal["ito", "stratonovich", "frozen"] = "ito"

    @property
    def words(self) -> str:
        return rf"$b(x) = {self.growth:g} x$, $\sigma(x) = {self.s:g} x$, $x_0 = 1$, Gaussian noise"

    @cached_property
    def constants(self) -> dict[str, Constant]:
        kick = self.s**2 * self.eta ** (1 + self.gamma)
        root = float(np.sqrt(START**2 * ((1 + self.growth * self.eta) ** 2 + kick) ** self.steps))
        late = r"$E X_k^2$ grows: at the last step"
        return {
            **chosen(eta=self.eta, gamma=self.gamma, T=self.time),
            "M": Constant(self.growth, "exact", derivation="the drift is linear"),
            "M_s": Constant(self.s, "exact", derivation="sigma is linear"),
            "b_hat": Constant(self.growth * root, "exact", derivation=late),
            "s_hat": Constant(self.s * root, "exact", derivation=late),
        }

    def certify(self) -> None:
        """The second moments of the chain, step by step."""
        square, largest = START**2, START**2
        for _ in range(self.steps):
            noise = self.s**2 * self.eta ** (1 + self.gamma)
            square = square * (1 + self.growth * self.eta) ** 2 + noise * square
            largest = max(largest, square)
        for name, slope in (("b_hat", abs(self.growth)), ("s_hat", self.s)):
            _require_below(name, self.constants[name], slope * float(np.sqrt(largest)))

    def law(self) -> Histogram:
        """The law of X_k: the logarithms of the factors are convolved.

        A factor below 0, eight deviations away, is neglected.
        """
        centre = 1 + self.growth * self.eta
        kick = self.s * self.eta ** ((1 + self.gamma) / 2) / centre
        reach = REACH * kick * self.steps**0.5
        masses = _log_power(self.louder * kick, self.steps, reach)
        edges = reach * np.linspace(-1.0, 1.0, CELLS + 1) - reach / CELLS
        return Histogram(START * centre**self.steps * np.exp(edges), masses)

    def goal(self, edges: Array) -> Histogram:
        """The law of Z_T on the cells."""
        s = self.s * self.eta ** (self.gamma / 2)
        if self.limit == "frozen":
            mean = START * np.exp(self.growth * self.time)
            variance = (s * START) ** 2 * np.expm1(2 * self.growth * self.time) / (2 * self.growth)
            law: Gaussian | LogNormal = Gaussian(float(mean), float(np.sqrt(variance)))
        else:
            growth = self.growth + (s**2 / 2 if self.limit == "stratonovich" else 0.0)
            law = GeometricBrownianMotion(growth, s, START).law(self.time)
        return law.histogram(edges)

    def distance(self) -> float:
        law = self.law()
        return wasserstein(law, self.goal(law.edges))


@lru_cache(maxsize=64)
def _log_power(noise: float, steps: int, reach: float) -> Array:
    """Masses of the sum of `steps` independent log N(1, noise^2), on cells from -reach to reach."""
    logs, h = reach * np.arange(-CELLS // 2, CELLS // 2) / (CELLS // 2), 2 * reach / CELLS
    far = (np.exp(logs) - 1) / noise
    density = np.exp(logs - far**2 / 2) / (noise * np.sqrt(2 * np.pi))
    transform = np.fft.rfft(np.fft.ifftshift(density * h))
    masses = np.fft.fftshift(np.fft.irfft(transform**steps, CELLS))
    return np.where(masses > 1e-16, masses, 0.0)


@dataclass(frozen=True, kw_only=True)
class VectorChain(Chain):
    """A chain with a linear drift in several dimensions, Gaussian noise in all of them; abstract.

    Args:
        s: size of the noise.
    """

    s: float

    @property
    @abc.abstractmethod
    def process(self) -> LinearDiffusion:
        """The diffusion."""

    @cached_property
    def constants(self) -> dict[str, Constant]:
        """Of b(Z_t) the mean falls or grows at most like e^{-mt}, and the covariance grows."""
        matrix, start = self.process.matrix, self.process.drift(self.process.start)
        slowest = float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
        M = float(np.linalg.norm(matrix, 2))
        of_mean = float(start @ start) * max(1.0, float(np.exp(-2 * slowest * self.time)))

        def drift(time: float) -> Constant:
            covariance = self.process.law(time)[1]
            grown = float(np.trace(matrix @ covariance @ matrix.T))
            how = "its mean's largest, its covariance's largest"
            return Constant(float(np.sqrt(of_mean + grown)), "certified", derivation=how)

        known = {
            **chosen(eta=self.eta, gamma=self.gamma, T=self.time, s=self.s, d=len(matrix)),
            "M": Constant(M, "exact", derivation="a norm"),
            "b_bar": drift(self.time),
        }
        if slowest > 0 and np.array_equal(matrix, matrix.T):
            m = Constant(slowest, "exact", derivation="an eigenvalue")
            known |= {"m": m, "b_sup": drift(200 / slowest)}
        return known

    def distance(self) -> float:
        process = self.process
        noise = self.louder * process.noise
        chain = LinearDiffusion(process.matrix, process.offset, noise, process.start)
        return bures(*chain.euler_law(self.eta, self.steps), *process.law(self.time))

    def certify(self) -> None:
        """The drift along the run."""
        squares = []
        for time in np.linspace(0.0, self.time, 65).tolist():
            mean, covariance = self.process.law(time)
            spread = np.trace(self.process.matrix @ covariance @ self.process.matrix.T)
            squares.append(float(np.sum(self.process.drift(mean) ** 2) + spread))
        _require_below("b_bar", self.constants["b_bar"], float(np.sqrt(max(squares))))


@final
@dataclass(frozen=True, kw_only=True)
class PosteriorChain(VectorChain):
    """Langevin dynamics of the posterior of a linear model in three dimensions."""

    s: float = 2**0.5

    @property
    def words(self) -> str:
        return "posterior of a linear model, $d = 3$, 6 observations"

    @property
    def process(self) -> LinearDiffusion:
        return posterior()


@final
@dataclass(frozen=True, kw_only=True)
class PlaneChain(VectorChain):
    """Drift -A x in the plane, A diagonal plus a rotation.

    Args:
        rates: the diagonal of A.
        turn: the entry above it; that below has the other sign.
        start: x_0 of both.
    """

    rates: tuple[float, float]
    turn: float = 0.0
    start: tuple[float, float] = (0.0, 0.0)

    @property
    def words(self) -> str:
        a, b = self.rates
        return (
            f"$b = -Ax$ in the plane, $A$ with the diagonal ${a:.3g}$, ${b:.3g}$ and a rotation by "
            f"${self.turn:.3g}$, $s = {self.s:.3g}$, $T = {self.time:.3g}$, Gaussian noise"
        )

    @cached_property
    def process(self) -> LinearDiffusion:
        (a, b), w = self.rates, self.turn
        noise = self.s * self.eta ** (self.gamma / 2) * np.eye(2)
        return LinearDiffusion(
            np.array([[a, w], [-w, b]]), np.zeros(2), noise, np.asarray(self.start)
        )


@lru_cache
def posterior() -> LinearDiffusion:
    """Langevin dynamics of the posterior of a linear model with 6 observations."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(6, 3)) / 3
    responses = features @ np.array([1.0, -2.0, 0.5]) + 0.3 * generator.normal(size=6)
    return gaussian_posterior(features, responses, prior_variance=2.0)


EDGES = np.linspace(-9.0, 9.0, 601)
WELL = DoubleWell(separation=1.5, start=0.3)


@final
@dataclass(frozen=True, kw_only=True)
class DoubleWellChain(Chain):
    """Langevin dynamics in a double well up to T = 1: neither side has a closed form.

    Args:
        uphill: the chain's drift has the wrong sign.
    """

    uphill: bool = False

    @property
    def words(self) -> str:
        return (
            r"$b(x) = m \tanh(mx) - x$, $m = 1.5$, $s = \sqrt 2$, $x_0 = 0.3$, $T = 1$, "
            f"{len(EDGES) - 1} cells"
        )

    @cached_property
    def constants(self) -> dict[str, Constant]:
        return {
            **chosen(eta=self.eta, gamma=self.gamma, T=self.time, s=2**0.5, d=1),
            "M": Constant(WELL.lipschitz, "exact", derivation="closed form"),
            "b_bar": Constant(
                _well_drift(), "certified", derivation="at nine times, and a tenth more"
            ),
        }

    def distance(self) -> float:
        def drift(x: Array) -> Array:
            return -WELL.drift(x) if self.uphill else WELL.drift(x)

        noise = self.louder * np.sqrt(2.0)
        law = gaussian_chain_law(drift, noise, WELL.start, self.eta, self.steps, EDGES)
        return wasserstein(law, _well_law(self.time))


@lru_cache
def _well_law(time: float) -> Histogram:
    return WELL.law(time, EDGES)


@lru_cache
def _well_drift() -> float:
    """The supremum of (E b(Z_t)^2)^(1/2) over [0, 1], at nine times, and a tenth more."""
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    squares = [_well_law(j / 8).masses @ WELL.drift(centres) ** 2 for j in range(1, 9)]
    squares.append(WELL.drift(WELL.start) ** 2)
    return float(1.1 * np.sqrt(np.max(squares)))
