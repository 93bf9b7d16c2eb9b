# SPDX-License-Identifier: Apache-2.0
"""D3 to D5 with the worst of all estimates, on a line: what the multilevel one need not be.

The proofs use no more of an estimate than its variance and its bias. A bias that stops the method,
a sign that is drawn anew, or gradients that are always too short attain their terms one by one.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import NDArray

from optzoo.problems import Constant
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D3_OF_ANY, D3A_OF_ANY, D4_OF_ANY, D5_OF_ANY

from ...checks import CLOSEST, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, wrong
from ...setting import Setting, chosen
from .methods import ACCELERATED, DESCENT, EXTRAGRADIENT, NAMES, Method

__all__ = ["CLAIMS", "OnALine"]

Array = NDArray[np.float64]
Metric = Callable[["OnALine", Array, Array], Array]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class OnALine(Setting):
    r"""A method on f(x) = h x^2 / 2, which is shown h x + e for the worst e.

    e = s (zeta sqrt(V - b) - sgn(x) sqrt(b)) with random signs zeta, in the first half of an
    extragradient step zeta s sqrt(V_0); s^2 = sigma^2 + (delta h x)^2, or sigma^2 + (Delta x)^2.

    Args:
        text: what is nearly all there is.
        method: which.
        metric: of the points x and x_f before each iteration and after the last.
        numbers: the theorem's constants but for the start; h is mu, or L without one.
        x0: where it starts, in units of the point at which the bias stops it, if there is a bias.
        iterations: how many.
    """

    text: str
    method: Method
    metric: Metric
    numbers: Mapping[str, float]
    x0: float = 0.0
    iterations: int = 1

    @property
    def words(self) -> str:
        return f"$f(x) = h x^2/2$: {self.text}"

    @property
    def h(self) -> float:
        return self.numbers.get("mu", self.numbers["L"])

    @property
    def start(self) -> float:
        b, growth = self.numbers["b"], self.growth / self.h
        stopped = np.sqrt(b / (1 - b * growth**2)) * self.numbers["sigma"] / self.h
        return self.x0 * float(stopped if stopped > 0 else 1.0)

    @property
    def growth(self) -> float:
        """What s grows with, in units of |x|."""
        return self.numbers.get("Delta", self.numbers.get("delta", 0.0) * self.h)

    @property
    def constants(self) -> dict[str, Constant]:
        there = np.full((1, 2), self.start)
        start = Constant(
            float(_START.get(self.metric, self.metric)(self, there, there)[-1]),
            "exact",
            derivation="what the bound starts from, at x^0",
        )
        return chosen(**self.numbers) | {"start": start}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {"iterations": self.iterations}

    @property
    def errors(self) -> tuple[Array, Array]:
        """For each call zeta sqrt(V - b), a row an equally likely path, and sqrt(b)."""
        one = self.numbers
        halves = [(one.get("V_0", 0.0), 0.0), (one["V"] - one["b"], one["b"])]
        sizes = np.sqrt(halves[-self.method.estimates :])
        spread, against = np.tile(sizes, (self.iterations, 1)).T
        signs = [(-1.0, 1.0) if size > 0 else (0.0,) for size in spread]
        return np.array(list(itertools.product(*signs))) * spread, against

    def run(self) -> Array:
        """E of the metric after each iteration."""
        taken = {NAMES[name]: self.numbers[name] for name in self.method.takes}
        sizes = self.h, self.numbers["sigma"], self.growth
        x, output = _paths(self.method, taken, self.start, sizes, *self.errors)
        return self.metric(self, np.asarray(x), np.asarray(output))


@partial(jax.jit, static_argnums=0)
def _paths(
    method: Method,
    taken: Mapping[str, ArrayLike],
    start: ArrayLike,
    sizes: tuple[ArrayLike, ArrayLike, ArrayLike],
    drawn: jax.Array,
    against: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The points before each iteration and after the last, shape (paths, iterations + 1)."""
    transformation, (h, sigma, growth) = method.shipped(**taken), sizes

    def seen(x: jax.Array, state: Any) -> tuple[jax.Array, jax.Array]:
        return getattr(state, "momentum_point", x), method.output(state, x)

    def call(carry: Any, error: tuple[jax.Array, jax.Array]) -> Any:
        (x, state), (up, bias) = carry, error
        off = jnp.hypot(sigma, growth * x) * (up - jnp.sign(x) * bias)
        updates, after = transformation.update(h * x + off, state, x)
        return (x + updates, after), seen(x, state)

    def one(drawn: jax.Array) -> tuple[jax.Array, jax.Array]:
        x0 = jnp.asarray(start, dtype=float)
        last, before = jax.lax.scan(call, (x0, transformation.init(x0)), (drawn, against))
        rows = [jnp.append(row, end) for row, end in zip(before, seen(*last), strict=True)]
        return rows[0][:: method.estimates], rows[1][:: method.estimates]

    return jax.vmap(one)(drawn)


# --- What is bounded ---


def mean_squared_gradient(setting: OnALine, x: Array, x_f: Array) -> Array:
    squares = np.mean((setting.h * x[:, :-1]) ** 2, axis=0)
    return np.asarray(np.cumsum(squares) / np.arange(1, len(squares) + 1))


def gap(setting: OnALine, x: Array, x_f: Array) -> Array:
    return np.asarray(setting.h / 2 * np.mean(x[:, 1:] ** 2, axis=0))


def distance(setting: OnALine, x: Array, x_f: Array) -> Array:
    return np.asarray(np.mean(x[:, 1:] ** 2, axis=0))


def potential(setting: OnALine, x: Array, x_f: Array) -> Array:
    return distance(setting, x, x_f) + 6 / setting.numbers["mu"] * gap(setting, x_f, x_f)


_START: Mapping[Metric, Metric] = {mean_squared_gradient: gap}
"""What a bound starts from, where that is not what it bounds."""

# --- Where each term is nearly all there is ---

FIXED = "a bias towards larger points, from where it stops the method"
SIGNS = "errors of one size and either sign, from the solution"
SHORT = "a gradient that is always too short"


def _descent(**numbers: float) -> dict[str, float]:
    return {"sigma": 0.0, "delta": 0.0, "V": 0.0, "b": 0.0} | numbers


def _distance(**numbers: float) -> dict[str, float]:
    return _descent(**numbers) | {"L": numbers["mu"]}


def _extragradient(**numbers: float) -> dict[str, float]:
    return {"sigma": 0.0, "Delta": 0.0, "V": 0.0, "b": 0.0} | numbers | {"L": numbers["mu"]}


DESCENTS: dict[str, dict[str, Any]] = {
    "start": {"text": "no errors", "numbers": _descent(L=100.0, gamma=0.01), "x0": 0.01},
    "bias": {
        "text": FIXED,
        "numbers": _descent(L=1.0, gamma=0.1, sigma=0.1, V=1.0, b=1.0),
        "x0": 1.0,
        "iterations": 1000,
    },
    "bias that grows": {
        "text": FIXED,
        "numbers": _descent(L=1.0, gamma=0.1, sigma=0.1, delta=1.0, V=0.5, b=0.5),
        "x0": 1.0,
        "iterations": 1000,
    },
    "variance": {
        "text": SIGNS,
        "numbers": _descent(L=100.0, gamma=0.01, sigma=1.0, V=2.0),
        "iterations": 8,
    },
    "too short": {
        "text": SHORT,
        "numbers": _descent(L=0.1, gamma=0.1, delta=10.0, V=0.0081, b=0.0081),
        "x0": 1.0,
        "iterations": 5000,
    },
}
DISTANCES: dict[str, dict[str, Any]] = {
    "bias": {
        "text": FIXED,
        "numbers": _distance(mu=0.001, gamma=10.0, sigma=0.1, V=100.0, b=100.0),
        "x0": 1.0,
        "iterations": 1000,
    },
    **{
        f"variance, gamma = {gamma:g}": {
            "text": SIGNS,
            "numbers": _distance(mu=1 / gamma, gamma=gamma, sigma=1.0, V=2.0),
        }
        for gamma in (0.01, 100.0)
    },
    **{
        f"too short, delta = {delta:g}": {
            "text": SHORT,
            "numbers": _distance(mu=mu, gamma=0.01 / mu, delta=delta, V=b, b=b),
            "x0": 1.0,
            "iterations": 500,
        }
        for delta, mu, b in ((10.0, 100.0, 0.0081), (0.1, 0.01, 81.0))
    },
}
ACCELERATIONS: dict[str, dict[str, Any]] = {
    **{
        f"bias, mu = {mu:g}": {
            "text": FIXED,
            "numbers": _distance(mu=mu, gamma=gamma, p=1.0, sigma=0.1, V=100.0, b=100.0),
            "x0": 1.0,
            "iterations": 2000,
        }
        for mu, gamma in ((1e-6, 100.0), (1.0, 1e-4))
    },
    **{
        f"variance, mu = {mu:g}": {
            "text": SIGNS,
            "numbers": _distance(mu=mu, gamma=gamma, p=1.0, sigma=1.0, V=2.0),
        }
        for mu, gamma in ((1.0, 1e-3), (0.01, 75.0))
    },
}
EXTRAGRADIENTS: dict[str, dict[str, Any]] = {
    "bias": {
        "text": FIXED,
        "numbers": _extragradient(mu=1e-4, gamma=100.0, sigma=10.0, V=10.0, b=10.0),
        "x0": 1.0,
        "iterations": 1000,
    },
    "variance": {
        "text": SIGNS,
        "numbers": _extragradient(mu=1e-3, gamma=100.0, sigma=10.0, V=10.0),
    },
    "variance of the first half": {
        "text": f"{SIGNS}, in the first half of a step",
        "numbers": _extragradient(mu=4e-3, gamma=100.0, sigma=10.0, V_0=10.0),
    },
}


def _sides(setting: OnALine, theorem: Theorem, **claimed: float) -> Sides:
    k = np.arange(1, setting.iterations + 1)
    return setting.run(), lambda: setting.bound(theorem, k, **claimed)


def _claim(
    name: str,
    theorem: Theorem,
    method: Method,
    metric: Metric,
    instances: Mapping[str, Mapping[str, Any]],
) -> Claim:
    def at(instance: str) -> Case:
        setting = OnALine(method=method, metric=metric, **instances[instance])
        false = {
            "bias": ("no bias", "a false claim: $b = 0$", {"b": 0.0}),
            "variance": ("no variance", "a false claim: $V = 0$", {"V": 0.0}),
            "variance of the first half": ("no variance", "a false claim: $V_0 = 0$", {"V_0": 0.0}),
        }
        kind = instance.partition(",")[0]
        claimed = [false[kind]] if kind in false else []
        return exact_case(
            setting,
            partial(_sides, theorem=theorem),
            ExactInequality,
            *(wrong(words, why, **constants) for words, why, constants in claimed),
            what="all signs of the errors, every iteration",
        )

    return Claim(
        id=f"markovian_noise/any-estimates/{name}",
        title=theorem.title,
        theorem=theorem,
        prepare=grid(at, instance=instances),
        x_label=CLOSEST,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("descent", D3_OF_ANY, DESCENT, mean_squared_gradient, DESCENTS),
    _claim("distance", D3A_OF_ANY, DESCENT, distance, DISTANCES),
    _claim("accelerated", D4_OF_ANY, ACCELERATED, potential, ACCELERATIONS),
    _claim("extragradient", D5_OF_ANY, EXTRAGRADIENT, distance, EXTRAGRADIENTS),
)
