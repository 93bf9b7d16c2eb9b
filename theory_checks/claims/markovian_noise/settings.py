# SPDX-License-Identifier: Apache-2.0
"""The chains, and the settings whose moments follow exact recursions from each starting state."""

import abc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import (
    Constant,
    LinearMethodMoments,
    MarkovChain,
    MarkovianProblem,
    MarkovianQuadratic,
    MethodMoments,
    additive_noise_quadratic,
    lazy_resample,
    multiplicative_noise_quadratic,
    one_way_lazy_ring,
    river_swim_evaluation,
    rotation_operator,
    symmetric_lazy_ring,
    two_state_switch,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D3_POLYAK_LOJASIEWICZ, D3A, D4, D5

from ...setting import Setting, Stated, chosen, values
from . import methods

__all__ = [
    "ACCELERATED",
    "CHAINS",
    "DESCENT",
    "EXTRAGRADIENT",
    "FACTOR_CHAINS",
    "KEPT",
    "POLYAK",
    "SMALL_CHAINS",
    "ExactRun",
    "Prescribed",
    "PrescribedRun",
    "chain",
    "distance",
    "longest_step",
    "mean_squared_gradient",
    "mixed_noise_quadratic",
    "on_chain",
    "potential",
    "slow_chain",
    "suboptimality",
]

Array = NDArray[np.float64]
Metric = Callable[[Any, MethodMoments], Array]

KEPT = 512
"""So many settings keep what was computed for them: more than there are claims."""

# --- Chains: mixing times from 14 to 1386, one of them not reversible ---

CHAINS: dict[str, tuple[str, Callable[[], MarkovChain]]] = {
    "switch-14": ("a two-state switch", lambda: two_state_switch(0.05)),
    "switch-138": ("a two-state switch", lambda: two_state_switch(0.005)),
    "switch-1386": ("a two-state switch", lambda: two_state_switch(0.0005)),
    "resample-20": (
        "lazy resampling of 3 states",
        lambda: lazy_resample([0.2, 0.3, 0.5], 1 - 4 ** (-1 / 20)),
    ),
    "ring-17": ("a symmetric lazy ring of 10", lambda: symmetric_lazy_ring(10)),
    "ring-149": ("a symmetric lazy ring of 30", lambda: symmetric_lazy_ring(30)),
    "one-way-33": ("a one-way lazy ring of 10", lambda: one_way_lazy_ring(10)),
}
"""Name, with the mixing time -> words, and what makes the chain."""

SMALL_CHAINS = tuple(name for name in CHAINS if name != "ring-149")
"""Those of at most 10 states: the recursions grow with the square of the number."""


@cache
def chain(name: str) -> MarkovChain:
    """A chain by its name."""
    return CHAINS[name][1]()


def slow_chain(mixing_time: int, law: tuple[float, ...] = (0.5, 0.5)) -> MarkovChain:
    """Lazy resampling whose mixing time is exactly this."""
    return lazy_resample(np.asarray(law), 1 - 4 ** (-1 / mixing_time))


def on_chain(name: str, **parameters: float | int | str) -> Stated:
    """Bounded noises along a chain."""
    known = {"tau": chain(name).constants["tau"], **chosen(s=1.0)}
    return Stated(f"{CHAINS[name][0]}, three noises with $|h| \\le 1$", known, parameters)


# --- Affine problems along the chains ---

FACTOR_CHAINS = ("switch-14", "switch-138", "switch-1386", "resample-20", "ring-17")
"""The chains along which the noise also grows with the gradient, or with the distance."""

NOISES = {"additive": 0.0, "factor 1": 1.0, "factor 2": 2.0, "river swim": 0.0}
"""Noise -> the factor with which it grows."""

SPECTRA = {
    "kappa 2": (0.5, 1.0),
    "kappa 5": (0.2, 1.0),
    "kappa 100": (0.01, 1.0),
    "rank 2, mu 0.25": (0.0, 0.25, 1.0),
    "rank 2, mu 1": (0.0, 1.0, 1.0),
}
STEPS = {"longest step": 1.0, "a tenth of it": 0.1}


def mixed_noise_quadratic(mixing_time: int, eigenvalues: Array, delta: float) -> MarkovianQuadratic:
    """Additive noise in two states of the chain, multiplicative noise in the two others."""
    flattest = np.arange(len(eigenvalues)) == np.argmin(np.where(eigenvalues > 0, eigenvalues, 9e9))
    return MarkovianQuadratic(
        slow_chain(mixing_time, (0.25,) * 4),
        jnp.asarray(eigenvalues),
        jnp.zeros(len(eigenvalues)),
        jnp.asarray(flattest.astype(np.float64)),
        jnp.array([1.0, -1.0, 0.0, 0.0]),
        delta * jnp.array([0.0, 0.0, 1.0, -1.0]),
    )


@cache
def _quadratic(name: str, factor: float, spectrum: str) -> MarkovianQuadratic:
    """With noise along the eigenvector of mu, delta times the gradient, or both at once."""
    eigenvalues = SPECTRA[spectrum]
    if name == "mixed-100":
        return mixed_noise_quadratic(100, np.asarray(eigenvalues), factor)
    if factor > 0:
        return multiplicative_noise_quadratic(chain(name), eigenvalues, factor)
    return additive_noise_quadratic(chain(name), eigenvalues)


@cache
def _operator(name: str, factor: float, spectrum: str) -> MarkovianProblem:
    """A rotation beside a coordinate that does not rotate, or temporal differences."""
    if name == "river-swim":
        return river_swim_evaluation()
    if factor > 0:
        return rotation_operator(chain(name), 1.0, [3.0], factor=factor)
    return rotation_operator(chain(name), 1.0, [3.0], sigma=1.0)


# --- What is observed: iterations 0, 1, ... from each starting state ---


def distance(setting: "PrescribedRun", run: MethodMoments) -> Array:
    """E|x^k - x*|^2."""
    return run.squared_distance("x")


def suboptimality(setting: "PrescribedRun", run: MethodMoments) -> Array:
    """E f(x^k) - f*."""
    return run.quadratic(setting.hessian / 2)


def mean_squared_gradient(setting: "PrescribedRun", run: MethodMoments) -> Array:
    """(1/N) sum_{k < N} E|grad f(x^k)|^2 at N = 0, 1, ..., the first of them without meaning."""
    squares = run.quadratic(setting.hessian.T @ setting.hessian)
    counts = np.arange(1, len(squares))[:, None]
    averages = np.cumsum(squares[:-1], axis=0) / counts
    return np.concatenate([np.full_like(averages[:1], np.nan), averages])


def potential(setting: "PrescribedRun", run: MethodMoments) -> Array:
    """E Phi_k."""
    gap = run.quadratic(setting.hessian / 2, "x_f")
    return run.squared_distance("x") + 6 / setting.place.constants["mu"].value * gap


# --- The methods on them ---


@dataclass(frozen=True, eq=False)
class Prescribed:
    """A method on a kind of problem, at the step of a theorem.

    Args:
        theorem: which prescribes the step.
        method: to which.
        problem: chain, factor and spectrum -> the problem.
        metric: what the theorem starts from, at iteration 0.
        longest: L and mu -> the longest step, if the noise allows it.
        levels: m where the noise has a factor.
        most_iterations: that are looked at.
        chains: of its grid, and the instance that brings its own chain and noise.
        choices: the other axes of the grid.
    """

    theorem: Theorem
    method: methods.Method
    problem: Callable[[str, float, str], MarkovianProblem]
    metric: Metric
    longest: Callable[[float, float], float]
    levels: int
    most_iterations: int
    chains: Iterable[str]
    choices: Mapping[str, Iterable[str]]


FROM = {"batch": ("short", "long"), "start": ("far", "solution")}
HALVES = {"long, short first": (1, 64), "short, long first": (64, 1)}
"""Where either half of a step has nearly all of the noise: B_0 and B in mixing times."""

DESCENT = Prescribed(
    D3A,
    methods.DESCENT,
    _quadratic,
    distance,
    longest=lambda L, mu: 2 / (L + mu),
    levels=3,
    most_iterations=600,
    chains=(*CHAINS, "mixed-100"),
    choices={"spectrum": ("kappa 5",), "batch": ("short", "long"), "step": STEPS},
)
POLYAK = Prescribed(
    D3_POLYAK_LOJASIEWICZ,
    methods.DESCENT,
    _quadratic,
    suboptimality,
    longest=lambda L, mu: 1 / L,
    levels=3,
    most_iterations=600,
    chains=(*SMALL_CHAINS, "mixed-100"),
    choices={"spectrum": ("rank 2, mu 0.25", "rank 2, mu 1"), **FROM},
)
ACCELERATED = Prescribed(
    D4,
    methods.ACCELERATED,
    _quadratic,
    potential,
    longest=lambda L, mu: 0.75 / L,
    levels=6,
    most_iterations=300,
    chains=(*SMALL_CHAINS, "mixed-100"),
    choices={"spectrum": ("kappa 2", "kappa 100"), **FROM},
)
EXTRAGRADIENT = Prescribed(
    D5,
    methods.EXTRAGRADIENT,
    _operator,
    distance,
    longest=lambda L, mu: 1 / (6**0.5 * L),
    levels=6,
    most_iterations=300,
    chains=(*SMALL_CHAINS, "river-swim"),
    choices=FROM | {"batch": (*FROM["batch"], *HALVES)},
)


@dataclass(frozen=True, kw_only=True, eq=False)
class PrescribedRun(Setting):
    """A linear method on an affine problem, beside the recursion of its moments; abstract.

    Args:
        plan: the method and its step.
    """

    plan: Prescribed

    @property
    @abc.abstractmethod
    def place(self) -> MarkovianProblem:
        """The problem."""

    @property
    @abc.abstractmethod
    def hessian(self) -> Array:
        """That of f, for quadratics."""

    @property
    @abc.abstractmethod
    def x0(self) -> Array:
        """Where all points start."""

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, int]:
        """B and m."""

    @property
    @abc.abstractmethod
    def first_batch(self) -> int:
        """B_0, the plain batch of extragradient's first half."""

    @property
    @abc.abstractmethod
    def step_share(self) -> float:
        """The step in units of the longest."""

    @property
    def constants(self) -> Mapping[str, Constant]:
        return _constants(self)

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return values(self.constants, "gamma", "p", "B_0", "B", "m")

    def certify(self) -> None:
        self.place.certify()

    @property
    def horizon(self) -> int:
        """Iterations until what is left of the start has fallen to e^-3, within limits."""
        rate = self.of(self.plan.theorem).rate
        return max(10, min(self.plan.most_iterations, round(3 / rate)))

    def moments(
        self, batch_size: int, max_level: int, first_batch: int | None = None
    ) -> LinearMethodMoments:
        """The recursion of the method at the theorem's step, with B, m and, if it has one, B_0."""
        method, constants = self.plan.method, self.of(self.plan.theorem)
        taken = {name: getattr(constants, name) for name in method.takes}
        return method.moments(
            self.place,
            taken,
            first_batch_size=first_batch,
            batch_size=batch_size,
            max_level=max_level,
        )


@final
@dataclass(frozen=True, kw_only=True)
class ExactRun(PrescribedRun):
    """One of the problems, batches and starts that have a name.

    Args:
        chain: its name, or "mixed-100" or "river-swim", which bring their own.
        noise: one of `NOISES`.
        spectrum: one of `SPECTRA`, for quadratics.
        batch: "long", 16 mixing times (times the factor squared), "short", one of them, or one of
            `HALVES`.
        start: from "far", or from the "solution", where all error is noise.
        step: one of `STEPS`.
    """

    chain: str
    noise: str = "additive"
    spectrum: str = ""
    batch: str = "long"
    start: str = "far"
    step: str = "longest step"

    @property
    def factor(self) -> float:
        return NOISES[self.noise]

    @property
    def place(self) -> MarkovianProblem:
        return self.plan.problem(self.chain, self.factor, self.spectrum)

    @property
    def hessian(self) -> Array:
        return np.diag(SPECTRA[self.spectrum])

    @property
    def x0(self) -> Array:
        solution = np.asarray(self.place.solution)
        return solution + 5.0 if self.start == "far" else solution

    @property
    def sizes(self) -> tuple[int, int]:
        place = self.place
        tau, factor = place.chain.mixing_time, place.constants[place.noise_factor].value
        if place.noise_factor == "Delta":
            factor = factor / place.constants["mu"].value
        if self.batch == "short":
            return tau, 3
        if self.batch in HALVES:
            return HALVES[self.batch][1] * tau, 3
        return round(16 * max(1.0, factor**2) * tau), self.plan.levels if factor > 0 else 4

    @property
    def first_batch(self) -> int:
        if self.batch in HALVES:
            return HALVES[self.batch][0] * self.place.chain.mixing_time
        return self.sizes[0]

    @property
    def step_share(self) -> float:
        return STEPS[self.step]

    @property
    def words(self) -> str:
        afar = "from afar" if self.start == "far" else "from the solution"
        if self.chain == "river-swim":
            return f"temporal differences on RiverSwim, 22 transitions, {afar}"
        along = CHAINS[self.chain][0] if self.chain in CHAINS else "lazy resampling of 4 states"
        noise = rf"$\{self.place.noise_factor} = {self.factor:g}$" if self.factor else "additive"
        if self.chain == "mixed-100":
            noise = f"additive in two states, {noise} in two"
        instance = r"$F(x) = \mu x$ plus a rotation, $L/\mu = \sqrt{10}$"
        if self.spectrum:
            instance = f"quadratic with eigenvalues {', '.join(map(str, SPECTRA[self.spectrum]))}"
        return f"{instance}, noise along {along}: {noise}; {afar}"


@lru_cache(maxsize=KEPT)
def _constants(setting: PrescribedRun) -> Mapping[str, Constant]:
    """Those of the problem, the batch and the start, and what the theorem prescribes."""
    place, theorem = setting.place, setting.plan.theorem
    error = setting.x0 - place.solution
    second = np.outer(error, error)[None, None]
    at_start = MethodMoments({}, {"x": second, "x_f": second})
    start = float(setting.plan.metric(setting, at_start)[0, 0])
    B, m = setting.sizes
    known = {
        **place.constants,
        **chosen(B=B, m=m),
        "start": Constant(start, "exact", derivation="what the bound starts from, at x^0"),
    }
    if theorem is D5:
        known |= chosen(B_0=setting.first_batch)
    L, mu = place.constants["L"].value, place.constants["mu"].value
    longest = setting.step_share * setting.plan.longest(L, mu)
    if theorem is D4:
        known |= chosen(gamma=longest)
        return known | _largest_scale(known)
    return known | longest_step(theorem, known, longest)


def longest_step(
    theorem: Theorem, constants: Mapping[str, Constant], longest: float
) -> dict[str, Constant]:
    """The longest step that the theorem allows, to a tenth, as its constant gamma."""
    gamma = longest
    for _ in range(200):
        if _allowed(theorem, constants, gamma=gamma):
            return {"gamma": Constant(gamma, "exact", derivation="the longest allowed, to 10%")}
        gamma *= 0.9
    raise ValueError("no step is short enough")


def _largest_scale(constants: Mapping[str, Constant]) -> dict[str, Constant]:
    """The largest p that condition (C) of D4 allows, which is linear in p."""
    low, high = 0.0, 1.0
    if _allowed(D4, constants, p=1.0):
        low = 1.0
    for _ in range(50 if low < high else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if _allowed(D4, constants, p=middle) else (low, middle)
    if low == 0:
        raise ValueError("no momentum scale is small enough for (C)")
    return {"p": Constant(low, "exact", derivation="the largest that (C) allows")}


def _allowed(theorem: Theorem, constants: Mapping[str, Constant], **chosen: float) -> bool:
    """Whether the theorem covers these constants."""
    assert theorem.constants is not None
    try:
        theorem.constants.of({**constants, **chosen})
    except ValueError:
        return False
    return True
