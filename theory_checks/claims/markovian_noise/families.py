# SPDX-License-Identifier: Apache-2.0
"""Families of instances for the theorems on Markovian noise: what `theory-checks attack` searches.

Every chain of two or three states, any noise along it that is additive or grows with the gradient,
and with four states both at once; in two dimensions, with exact expectations from each state.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import (
    CertificateError,
    Constant,
    MarkovChain,
    MarkovianProblem,
    MarkovianQuadratic,
    PathMoments,
    RotationOperator,
    centred_values,
    multilevel_moments,
    weighted_sum_moments,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D1, D2, D2_BIAS, D3, D3_POLYAK_LOJASIEWICZ, D3A, D4, D5

from ...checks import ExactInequality
from ...claim import Case
from ...setting import Setting, chosen
from ...worst_case.attack import InstanceFamily, OneOf, Real, Whole
from .rates import sides
from .settings import (
    ACCELERATED,
    DESCENT,
    EXTRAGRADIENT,
    POLYAK,
    Metric,
    Prescribed,
    PrescribedRun,
    distance,
    mean_squared_gradient,
    potential,
    suboptimality,
)

__all__ = ["FAMILIES", "AlongChain", "SearchedRun", "operator", "quadratic"]

Array: TypeAlias = NDArray[np.float64]
Varies: TypeAlias = dict[str, Real | Whole | OneOf]

DIM = 2


# --- Chains and noises ---


def _chain(transition: Sequence[float]) -> MarkovChain:
    """The chain with these weights of its transitions, row by row."""
    states = math.isqrt(len(transition))
    weights = np.asarray(transition, dtype=np.float64).reshape(states, states)
    return MarkovChain(weights / weights.sum(axis=1, keepdims=True))


def _noises(
    chain: MarkovChain, values: Sequence[float], noise: str, additive: float, factor: float
) -> tuple[Array, Array]:
    """The additive and the growing noise in each state, at most of these sizes.

    Both at once live on two halves of the states, each with mean 0.
    """
    nothing = np.zeros(chain.num_states)
    if noise == "additive":
        return additive * centred_values(chain, values), nothing
    if noise == "factor":
        return nothing, factor * centred_values(chain, values)
    half = np.arange(chain.num_states) < chain.num_states // 2
    return additive * _centred_on(half, chain, values), factor * _centred_on(~half, chain, values)


def _centred_on(part: NDArray[np.bool_], chain: MarkovChain, values: Sequence[float]) -> Array:
    """Values of mean 0 and size 1 on some states, and 0 on the others."""
    law = np.where(part, chain.stationary, 0.0)
    law /= law.sum()
    off = np.where(part, values - law @ np.asarray(values), 0.0)
    off -= np.where(part, law @ off, 0.0)
    if not np.abs(off).max() > 1e-9:
        raise ValueError("values must not be constant: the oracle would have no noise")
    return off / np.abs(off).max()


def _states(count: int) -> Varies:
    return {
        "transition": Real(1e-3, 1.0, log=True, size=count**2),
        "values": Real(-1.0, 1.0, size=count),
    }


# --- D3 to D5: methods on problems ---


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SearchedRun(PrescribedRun):
    """A method on any affine problem, from any start.

    Args:
        problem: of two dimensions.
        away: |x^0 - x*|.
        heading: the angle of x^0 - x*.
        batch: B in mixing times.
        first: B_0 in mixing times.
        level: m.
        step: in units of the longest.
    """

    problem: MarkovianProblem
    away: float
    heading: float
    batch: float
    level: int
    first: float
    step: float

    @property
    def place(self) -> MarkovianProblem:
        return self.problem

    @property
    def hessian(self) -> Array:
        assert isinstance(self.problem, MarkovianQuadratic)
        return np.diag(np.asarray(self.problem.eigenvalues))

    @property
    def x0(self) -> Array:
        towards = np.array([math.cos(self.heading), math.sin(self.heading)])
        return np.asarray(self.place.solution + self.away * towards)

    @property
    def sizes(self) -> tuple[int, int]:
        return self._in_mixing_times(self.batch), self.level

    @property
    def first_batch(self) -> int:
        return self._in_mixing_times(self.first)

    @property
    def step_share(self) -> float:
        return self.step

    @property
    def words(self) -> str:
        chain = self.place.chain
        known = self.place.constants
        numbers = ", ".join(
            rf"${symbol} = {known[name].value:.4g}$"
            for symbol, name in (
                ("L", "L"),
                (r"\mu", "mu"),
                (r"\sigma", "sigma"),
                (rf"\{self.place.noise_factor}", self.place.noise_factor),
            )
        )
        return (
            rf"{chain.num_states} states, $\tau = {chain.mixing_time}$, "
            f"$d = {self.place.dim}$, {numbers}"
        )

    def _in_mixing_times(self, batch: float) -> int:
        return max(1, round(batch * self.place.chain.mixing_time))


def quadratic(
    *,
    transition: Sequence[float],
    values: Sequence[float],
    noise: str,
    L: float,
    flatness: float,
    angle: float,
    sigma: float,
    factor: float,
) -> MarkovianProblem:
    """Eigenvalues L and mu = `flatness` L; additive noise at an angle to the flat direction."""
    chain = _chain(transition)
    additive, growing = _noises(chain, values, noise, sigma, factor)
    return MarkovianQuadratic(
        chain,
        jnp.array([flatness * L, L]),
        jnp.zeros(DIM),
        jnp.array([math.cos(angle), math.sin(angle)]),
        jnp.asarray(additive),
        jnp.asarray(growing),
    )


def operator(
    *,
    transition: Sequence[float],
    values: Sequence[float],
    noise: str,
    L: float,
    flatness: float,
    turn: float,
    angle: float,
    sigma: float,
    factor: float,
) -> MarkovianProblem:
    """diag(mu, L) with mu = `flatness` L, plus a rotation; Delta = `factor` mu."""
    chain = _chain(transition)
    additive, growing = _noises(chain, values, noise, sigma, factor * flatness * L)
    return RotationOperator(
        chain,
        jnp.array([flatness * L, L]),
        jnp.array([[0.0, turn * L], [-turn * L, 0.0]]),
        jnp.zeros(DIM),
        jnp.array([math.cos(angle), math.sin(angle)]),
        jnp.asarray(additive),
        jnp.asarray(growing),
    )


PROBLEM: Varies = {
    "L": Real(0.1, 10.0, log=True),
    "flatness": Real(0.01, 0.999, log=True),
    "angle": Real(0.0, math.pi / 2),
    "sigma": Real(0.01, 10.0, log=True),
    "factor": Real(0.01, 3.0, log=True),
}
RUN: Varies = {
    "away": Real(1e-3, 10.0, log=True),
    "heading": Real(-math.pi / 2, math.pi / 2),
    "batch": Real(0.1, 64.0, log=True),
    "level": Whole(0, 6),
    "step": Real(0.02, 1.0, log=True),
}


def _run(
    theorem: Theorem,
    *,
    plan: Prescribed,
    metric: Metric,
    problem: Callable[..., MarkovianProblem],
    away: float,
    heading: float,
    batch: float,
    level: int,
    step: float,
    first: float = 1.0,
    **numbers: Any,
) -> Case:
    setting = SearchedRun(
        plan=plan,
        problem=problem(**numbers),
        away=away,
        heading=heading,
        batch=batch,
        first=first,
        level=level,
        step=step,
    )
    return Case(
        setting,
        ExactInequality(
            partial(sides, setting, theorem, metric),
            what="exact recursion of the second moments, every starting state and iteration",
        ),
    )


def _methods(theorem: Theorem, plan: Prescribed, metric: Metric) -> list[InstanceFamily]:
    """On chains of two, three and four states."""
    extragradient = plan is EXTRAGRADIENT
    more: Varies = {"turn": Real(-3.0, 3.0), "first": RUN["batch"]} if extragradient else {}
    made = partial(_run, plan=plan, metric=metric, problem=operator if extragradient else quadratic)
    found = []
    for count in (2, 3, 4):
        noise: Varies = {"noise": OneOf("both") if count == 4 else OneOf("additive", "factor")}
        varies = _states(count) | PROBLEM | RUN | more | noise
        words = f"{theorem.label} on {count} states"
        found.append(InstanceFamily(words, made, varies, (theorem,)))
    return found


# --- D1 and D2: batches and estimates ---


@final
@dataclass(frozen=True, eq=False)
class AlongChain(Setting):
    """Bounded noise along a chain, without a method.

    Args:
        chain: of the states.
        noise: h in each state.
        s: its largest modulus.
        chosen: the sizes of what is averaged.
    """

    chain: MarkovChain
    noise: Array
    s: float
    chosen: dict[str, float | int | str]

    @property
    def words(self) -> str:
        return rf"{self.chain.num_states} states, $\tau = {self.chain.mixing_time}$, $|h| \le s$"

    @property
    def constants(self) -> dict[str, Constant]:
        return {"tau": self.chain.constants["tau"], **chosen(s=self.s)}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return self.chosen

    def certify(self) -> None:
        self.chain.certify()
        mean = float(self.chain.stationary @ self.noise)
        if np.abs(self.noise).max() > self.s * (1 + 1e-12) or abs(mean) > 1e-12 * self.s:
            raise CertificateError(f"the noise has the values {self.noise}, of mean {mean}")


def _along(
    transition: Sequence[float], values: Sequence[float], s: float, **sizes: int
) -> AlongChain:
    chain = _chain(transition)
    return AlongChain(chain, s * centred_values(chain, values), s, {**sizes})


def _compared(setting: AlongChain, theorem: Theorem, measured: Array, *arguments: Any) -> Case:
    def says() -> Array:
        return np.full(len(measured), setting.bound(theorem, *arguments))

    return Case(setting, ExactInequality(lambda: (measured, says), what="every starting state"))


def _batch(
    theorem: Theorem,
    transition: Sequence[float],
    values: Sequence[float],
    s: float,
    n: int,
    weights: Sequence[float],
) -> Case:
    """A sum over stretches of almost one length, each with its weight."""
    setting = _along(transition, values, s, n=n)
    cuts = np.diff(np.round(np.linspace(0, n, len(weights) + 1))).astype(int)
    largest = max(np.abs(weights).max(), 1e-3)
    segments = [(weight / largest / n, int(cut)) for weight, cut in zip(weights, cuts, strict=True)]
    found = weighted_sum_moments(setting.chain, setting.noise, segments)
    return _compared(setting, theorem, found.squared_norm, n, 1 / n)


def _estimate(
    theorem: Theorem,
    transition: Sequence[float],
    values: Sequence[float],
    s: float,
    batch: float,
    level: int,
    *,
    metric: Callable[[PathMoments], Array],
) -> Case:
    setting = _along(transition, values, s)
    B = max(1, round(batch * setting.chain.mixing_time))
    found = multilevel_moments(setting.chain, setting.noise, B, level)
    return _compared(setting, theorem, metric(found), B, level)


def _variance(found: PathMoments) -> Array:
    return found.squared_norm


def _squared_bias(found: PathMoments) -> Array:
    return np.asarray(np.sum(found.mean**2, axis=1))


def _averages() -> list[InstanceFamily]:
    size: Varies = {"s": Real(0.1, 10.0, log=True)}
    length: Varies = {"n": Whole(1, 100_000, log=True), "weights": Real(-1.0, 1.0, size=4)}
    levels: Varies = {"batch": RUN["batch"], "level": RUN["level"]}
    found = []
    for count in (2, 3):
        varies = _states(count) | size
        words = f"on {count} states"
        found.append(InstanceFamily(f"D1 {words}", _batch, varies | length, (D1,)))
        for theorem, metric in ((D2, _variance), (D2_BIAS, _squared_bias)):
            made = partial(_estimate, metric=metric)
            label = f"{theorem.label} {words}"
            found.append(InstanceFamily(label, made, varies | levels, (theorem,)))
    return found


FAMILIES: tuple[InstanceFamily, ...] = (
    *_averages(),
    *_methods(D3, POLYAK, mean_squared_gradient),
    *_methods(D3_POLYAK_LOJASIEWICZ, POLYAK, suboptimality),
    *_methods(D3A, DESCENT, distance),
    *_methods(D4, ACCELERATED, potential),
    *_methods(D5, EXTRAGRADIENT, distance),
)
