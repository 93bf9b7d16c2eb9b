r"""Rates of gradient descent and its stochastic form with a mistake in them, and the rates.

All are textbook statements with proofs of a few lines. With E|g|^2 <= 4 L_max (f(x) - f*) +
2 sigma^2 for convex f_i and sigma^2 = (1/n) sum_i |grad f_i(x*)|^2, a step decreases
E|x - x*|^2 by 2 eta (1 - 2 eta L_max) (f(x) - f*), but for 2 eta^2 sigma^2.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import optax

from optzoo.theorems import Constants, Paper, Theorem, constant
from theory_checks.worst_case.attack import InstanceFamily, Real, gradient_families

from .entry import Entry

__all__ = ["TRUE", "WRONG"]


@dataclass(frozen=True, kw_only=True)
class Gradient(Constants):
    """What the rates of gradient methods depend on."""

    L: float = constant("$f$ is $L$-smooth", weakens="up")
    L_max: float = constant(r"each $f_i$ is $L_{\max}$-smooth", weakens="up", default=0.0)
    mu: float = constant(r"$f$ is $\mu$-strongly convex", weakens="down", least=-np.inf)
    R: float = constant("$|x^0 - x^*|$", weakens="up")
    r_0: float = constant("$f(x^0) - f^*$", weakens="up", default=0.0)
    sigma: float = constant("noise at $x^*$", weakens="up", default=0.0)
    d: float = constant("dimension", weakens=None, positive=True, default=1.0)
    eta: float = constant("step", weakens=None, positive=True, default=1.0)


def _theorem(label: str, formula: Callable[..., Any], metric: str, output: str) -> Theorem:
    return Theorem(
        label=label,
        title=label,
        paper=Paper("textbook"),
        source="textbook",
        algorithm="sgd",
        statement=label,
        assumptions=(),
        metric=metric,
        output=output,
        side="above",
        constants=Gradient,
        formula=formula,
    )


def _sgd(constants: Any) -> optax.GradientTransformation:
    return optax.sgd(constants["eta"])


def _share_of(name: str, times: float) -> Callable[[dict[str, float]], dict[str, float]]:
    """The step as a share of 1 / (times c) with a constant c."""
    return lambda found: {"eta": found["share"] / (times * found[name])}


SHARE = {"share": Real(0.05, 1.0)}
LONG = {"share": Real(0.05, 1.95)}

# --- Gradient descent ---


def _convex(c: Gradient, k: Any) -> Any:
    return c.R**2 / (2 * c.eta * (2 * np.asarray(k) + 1))


DESCENT = _theorem("descent, convex", _convex, "f(x^k) - f^*", "last")


def _descent(theorem: Theorem, varies: dict[str, Real]) -> tuple[InstanceFamily, ...]:
    return gradient_families(
        theorem,
        _sgd,
        "suboptimality",
        varies=varies,
        derived=_share_of("L", 1.0),
        batch_size=0,
    )


def _linear(c: Gradient, k: Any) -> Any:
    return (1 - c.mu / c.L) ** (2 * np.asarray(k)) * c.R**2


def _linear_in_thirds(c: Gradient, k: Any) -> Any:
    return (1 - c.mu / c.L) ** (3 * np.asarray(k)) * c.R**2


LINEAR = _theorem("descent, strongly convex", _linear, "|x^k - x^*|^2", "last")


def _contraction(theorem: Theorem) -> tuple[InstanceFamily, ...]:
    return gradient_families(
        theorem,
        lambda constants: optax.sgd(1 / constants["L"]),
        "squared distance",
        batch_size=0,
    )


# --- Stochastic gradients of convex functions ---


def _with_floor(c: Gradient, k: Any) -> Any:
    return (1 - c.eta * c.mu) ** np.asarray(k) * c.R**2 + 2 * c.eta * c.sigma**2 / c.mu


def _quarter_of_the_floor(c: Gradient, k: Any) -> Any:
    return (1 - c.eta * c.mu) ** np.asarray(k) * c.R**2 + c.eta * c.sigma**2 / (2 * c.mu) / 2


def _floor_alone(c: Gradient, k: Any) -> Any:
    return 2 * c.eta * c.sigma**2 / c.mu + 0 * np.asarray(k)


STOCHASTIC = _theorem("SGD, strongly convex", _with_floor, "E|x^k - x^*|^2", "last")


def _distance(theorem: Theorem, smoothness: str = "L_max") -> tuple[InstanceFamily, ...]:
    return gradient_families(
        theorem,
        _sgd,
        "squared distance",
        varies=SHARE,
        derived=_share_of(smoothness, 2.0),
        convex="each",
    )


def _of_averages(c: Gradient, k: Any) -> Any:
    return c.R**2 / (c.eta * np.asarray(k)) + 2 * c.eta * c.sigma**2


AVERAGES = _theorem("SGD, convex", _of_averages, r"E f(\bar x^k) - f^*", "average")


def _averages(theorem: Theorem) -> tuple[InstanceFamily, ...]:
    return gradient_families(
        theorem,
        _sgd,
        "suboptimality of the average",
        varies=SHARE,
        derived=_share_of("L_max", 4.0),
        convex="each",
    )


# --- Additive noise: the functions differ by linear ones ---


def _additive_average(c: Gradient, k: Any) -> Any:
    return c.R**2 / (2 * c.eta * np.asarray(k)) + c.sigma**2 / (2 * c.mu * np.asarray(k))


ADDITIVE = _theorem("SGD on a quadratic", _additive_average, r"E f(\bar x^k) - f^*", "average")


def _additive(theorem: Theorem, metric: str) -> tuple[InstanceFamily, ...]:
    (quadratics,) = (
        family
        for family in gradient_families(
            theorem,
            _sgd,
            metric,
            varies=SHARE,
            derived=_share_of("L", 1.0),
            noise="additive",
        )
        if family.name == "quadratic functions"
    )
    return (quadratics,)


def _additive_floor(c: Gradient, k: Any) -> Any:
    return (1 - c.eta * c.mu) ** (2 * np.asarray(k)) * c.R**2 + c.eta * c.sigma**2 / c.mu


def _floor_of_a_coordinate(c: Gradient, k: Any) -> Any:
    start = (1 - c.eta * c.mu) ** (2 * np.asarray(k)) * c.R**2
    return start + c.eta * c.sigma**2 / c.d / c.mu


FLOOR = _theorem("SGD on a quadratic, its floor", _additive_floor, "E|x^k - x^*|^2", "last")


def _gradients(c: Gradient, k: Any) -> Any:
    return 2 * c.r_0 / (c.eta * np.asarray(k)) + c.L * c.eta * c.sigma**2


def _half_the_noise(c: Gradient, k: Any) -> Any:
    return 2 * c.r_0 / (c.eta * np.asarray(k)) + c.L * c.eta * c.sigma**2 / 2


NONCONVEX = _theorem(
    "SGD, smooth, additive noise", _gradients, r"\frac1k \sum_j E|\nabla f(x^j)|^2", "mean"
)

# --- The collection ---

_PARABOLA = {
    "spectrum": [1.0, 0.5, 0.5],
    "apart": [0.1, 0.1, 0.1],
    "angle": 0.3,
    "noise": [0.1, 0.1, 0.1],
    "start": [1.0, 0.3, 0.3],
    "dim": 2,
    "n": 2,
    "horizon": 16,
    "share": 0.3,
}


def _easy(family_of: Callable[..., tuple[InstanceFamily, ...]], theorem: Theorem) -> dict[str, Any]:
    """What of the easy parabola varies there."""
    varies = family_of(theorem)[0].varies
    return {name: value for name, value in _PARABOLA.items() if name in varies}


def _wrong(
    name: str,
    mistake: str,
    truth: Theorem,
    formula: Callable[..., Any] | None,
    family_of: Callable[..., tuple[InstanceFamily, ...]],
    **easy: Any,
) -> Entry:
    theorem = truth if formula is None else replace(truth, formula=formula)
    return Entry(
        name, mistake, theorem, partial(family_of, theorem), _easy(family_of, theorem) | easy
    )


WRONG: tuple[Entry, ...] = (
    _wrong(
        "descent with steps below 2/L",
        "a condition on the step forgotten",
        DESCENT,
        None,
        partial(_descent, varies=LONG),
    ),
    _wrong(
        "descent, 3k for 2k",
        "an exponent",
        LINEAR,
        _linear_in_thirds,
        _contraction,
        spectrum=[1.0, 0.9, 0.9],
        start=[1.0, 0.0, 0.0],
    ),
    _wrong(
        "SGD, step 1/(2L)",
        "L for L_max",
        STOCHASTIC,
        None,
        partial(_distance, smoothness="L"),
    ),
    _wrong(
        "SGD, an eighth of the floor",
        "the noise floor's constant",
        STOCHASTIC,
        _quarter_of_the_floor,
        _distance,
    ),
    _wrong(
        "SGD, the floor alone",
        "right only after burn-in",
        STOCHASTIC,
        _floor_alone,
        _distance,
        start=[0.05, 0.05, 0.05],
    ),
    _wrong(
        "SGD, last for average",
        "last iterate for average",
        ADDITIVE,
        None,
        partial(_additive, metric="suboptimality"),
    ),
    _wrong(
        "SGD, the floor of a coordinate",
        "a dimension factor missing",
        FLOOR,
        _floor_of_a_coordinate,
        partial(_additive, metric="squared distance"),
    ),
    _wrong(
        "SGD, half the noise of gradients",
        "factor 2 forgotten",
        NONCONVEX,
        _half_the_noise,
        partial(_additive, metric="mean squared gradient"),
    ),
)

TRUE: tuple[Entry, ...] = tuple(
    Entry(theorem.label, "", theorem, partial(family_of, theorem))
    for theorem, family_of in (
        (DESCENT, partial(_descent, varies=SHARE)),
        (LINEAR, _contraction),
        (STOCHASTIC, _distance),
        (AVERAGES, _averages),
        (ADDITIVE, partial(_additive, metric="suboptimality of the average")),
        (FLOOR, partial(_additive, metric="squared distance")),
        (NONCONVEX, partial(_additive, metric="mean squared gradient")),
    )
)
