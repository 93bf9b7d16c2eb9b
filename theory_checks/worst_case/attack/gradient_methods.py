# SPDX-License-Identifier: Apache-2.0
r"""Families of instances for methods that see gradients only: any optax transformation.

A finite sum f(x) = (1/n) sum_i f_i(x) without constraints, of which the method sees one sample a
step, or the full gradient. The sums are the three that bounds are proved tight on: quadratic
functions with a chosen spectrum and chosen noise, in any position to each other; functions on the
line that are quadratic between knots, such as Huber's; and Nesterov's chain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from optzoo.problems import Constant, FiniteSum, PiecewiseQuadratic, Quadratics, pytree_dataclass
from optzoo.theorems import Theorem

from ...checks import UpperBound
from ...claim import Case
from ...pictures import of_finite_sum
from ...setting import Parameters as Shown
from ...setting import Setting
from ...simulation import Experiment, Mean, Process, Watch
from .space import InstanceFamily, OneOf, Real

__all__ = ["METRICS", "GradientRun", "OnGradients", "gradient_families"]

Array: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = Mapping[str, Any]
_STATIC = {"static": True}


# --- The method on a finite sum ---


class Position(NamedTuple):
    """Where a run is after k steps."""

    x: jax.Array  # x^k
    state: Any  # of the transformation
    total: jax.Array  # x^0 + ... + x^{k-1}
    k: jax.Array


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class GradientRun(Process):
    """An optax transformation on a finite sum.

    Args:
        problem: f.
        x0: the start, shape (d,).
        f_star: the minimum.
        x_star: a minimizer.
        numbers: what the method is made of.
        method: numbers -> transformation; called inside the compiled program.
        batch_size: samples a step, drawn with replacement; 0 for full gradients.
    """

    problem: FiniteSum
    x0: Any
    f_star: Any
    x_star: Any
    numbers: dict[str, Any]
    method: Callable[[Numbers], optax.GradientTransformation] = field(metadata=_STATIC)
    batch_size: int = field(metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {}

    def init(self, key: jax.Array) -> Position:
        x0 = jnp.asarray(self.x0)
        state = self.method(self.numbers).init(x0)
        return Position(x0, state, jnp.zeros_like(x0), jnp.zeros([], jnp.int32))

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        x = position.x
        if self.batch_size:
            rows = jax.random.randint(key, (self.batch_size,), 0, self.problem.num_samples)
            gradient = self.problem.batch_gradient(x, rows)
        else:
            gradient = self.problem.gradient(x)
        updates, state = self.method(self.numbers).update(gradient, position.state, x)
        after = optax.apply_updates(x, updates)
        assert isinstance(after, jax.Array)
        return Position(after, state, position.total + x, position.k + 1)


def _excess(run: GradientRun, x: jax.Array) -> jax.Array:
    return run.problem.value(x) - run.f_star


def _squared_gradient(run: GradientRun, position: Position) -> jax.Array:
    return jnp.sum(run.problem.gradient(position.x) ** 2)


METRICS: Mapping[str, Watch] = {
    "suboptimality": lambda run, position: _excess(run, position.x),
    "suboptimality of the average": lambda run, position: _excess(
        run, position.total / jnp.maximum(position.k, 1)
    ),
    "squared distance": lambda run, position: jnp.sum((position.x - run.x_star) ** 2),
    "squared gradient": _squared_gradient,
    "mean squared gradient": Mean(_squared_gradient),
}
"""What can be bounded: of x^k, of the mean of x^0, ..., x^{k-1}, or the mean over them."""
_FROM_THE_START = ("suboptimality of the average", "mean squared gradient")
"""At k = 1 these are of x^0 alone."""


# --- Where it is evaluated ---


@final
@dataclass(frozen=True, eq=False)
class OnGradients(Setting):
    """A gradient method on a finite sum, with the constants that theorems on such methods name.

    They are L, mu, L_max, L_pm, L_tilde, n, d, R = |x^0 - x*|, r_0 = f(x^0) - f* and
    sigma = (1/n sum_i |grad f_i(x*)|^2)^(1/2), and the method's own numbers.
    """

    text: str
    run: GradientRun
    known: Mapping[str, Constant]
    checkpoints: tuple[int, ...]

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> Mapping[str, Constant]:
        return self.known

    @property
    def parameters(self) -> Shown:
        own = {name: float(value) for name, value in self.run.numbers.items()}
        return own | {"batch size": self.run.batch_size or "all"}

    def certify(self) -> None:
        self.run.problem.certify()

    def picture(self) -> Mapping[str, Any] | None:
        reach = 1.2 * max(float(np.abs(self.run.x0).max()), float(np.abs(self.run.x_star).max()))
        return of_finite_sum(self.run.problem, self.run.x0, -reach, reach)

    def experiment(self, metric: str) -> Experiment:
        """The run, with one of `METRICS`."""
        watch = {metric: METRICS[metric]}
        return Experiment("attack-gradients", self.run, self.checkpoints, watch, lanes=64)


def _setting(
    text: str,
    problem: Quadratics | PiecewiseQuadratic,
    x0: Array,
    x_star: Array,
    values: tuple[float, float],
    *,
    given: Numbers,
    derived: Callable[[dict[str, float]], Numbers],
    method: Callable[[Numbers], optax.GradientTransformation],
    batch_size: int,
    horizon: int,
    gradients: Array,
) -> OnGradients:
    start, least = values
    found = {name: one.value for name, one in problem.constants.items()}
    found |= {
        "n": float(problem.num_samples),
        "d": float(problem.dim),
        "R": float(np.linalg.norm(x0 - x_star)),
        "r_0": start - least,
        "sigma": float(np.sqrt(np.mean(np.sum(gradients**2, axis=1)))),
        **{name: float(value) for name, value in given.items()},
    }
    found |= {name: float(value) for name, value in derived(found).items()}
    numbers = {name: found[name] for name in sorted(found)}
    run = GradientRun(
        problem=problem,
        x0=x0,
        f_star=least,
        x_star=x_star,
        numbers=numbers,
        method=method,
        batch_size=batch_size,
    )
    known = {name: Constant(value, "exact", derivation=_HOW) for name, value in found.items()}
    return OnGradients(text, run, known, _checkpoints(horizon))


_HOW = "of the instance, or chosen"


def _checkpoints(horizon: int) -> tuple[int, ...]:
    points = {round(horizon ** (i / 8)) for i in range(9)} | {1, 2, 3, horizon}
    return tuple(sorted(k for k in points if 1 <= k <= horizon))


# --- The finite sums ---


def _rotation(angle: float, dim: int) -> Array:
    """In the plane of the first two coordinates."""
    turned = np.eye(dim)
    if dim > 1:
        c, s = np.cos(angle), np.sin(angle)
        turned[:2, :2] = [[c, -s], [s, c]]
    return turned


def _against(deviation: Array, n: int) -> Array:
    """One function deviates from the mean, and the n - 1 others together against it."""
    return np.stack([(n - 1) * deviation, *[-deviation] * (n - 1)])


def _bounded(apart: list[float], n: int) -> Array:
    """Deviations in units of the mean, such that neither side of them is below 0."""
    share = np.asarray(apart)
    return np.where(share > 0, share, share / max(n - 1, 1))


def _quadratic(
    spectrum: list[float],
    apart: list[float],
    angle: float,
    noise: list[float],
    start: list[float],
    dim: int,
    n: int,
    *,
    each_convex: bool,
    **how: Any,
) -> OnGradients:
    """One function deviates from the mean of all in a basis of its own, the others against it."""
    mean, turn = np.diag(spectrum[:dim]), _rotation(angle, dim)
    share = np.asarray(apart[:dim])
    if each_convex:  # the deviation is A^(1/2) X A^(1/2): no function bends down
        turn, share = np.sqrt(mean) @ turn, _bounded(apart[:dim], n)
    away = turn @ np.diag(share) @ turn.T
    slopes = _against(np.asarray(noise[:dim]), n)
    problem = Quadratics(mean + _against((away + away.T) / 2, n), slopes)
    x0 = np.asarray(start[:dim])
    return _setting(
        rf"$n = {n}$ quadratic functions, $d = {dim}$, minimum at 0",
        problem,
        x0,
        np.zeros(dim),
        (problem.value_at(x0), 0.0),
        gradients=slopes,
        **how,
    )


KNOTS = (-1.0, -0.3, 0.0, 0.3, 1.0)
PIECES = len(KNOTS) + 1


def _line(
    mean: list[float],
    apart: list[float],
    noise: float,
    start: float,
    n: int,
    *,
    each_convex: bool,
    **how: Any,
) -> OnGradients:
    """The same on the line, quadratic between knots; the mean has its minimum at 0."""
    away = np.multiply(mean, _bounded(apart, n)) if each_convex else np.asarray(apart)
    slopes = _against(np.asarray(noise), n)
    problem = PiecewiseQuadratic(np.asarray(KNOTS), np.asarray(mean) + _against(away, n), slopes)
    return _setting(
        f"$n = {n}$ piecewise quadratic functions on the line, minimum at 0",
        problem,
        np.array([start]),
        np.zeros(1),
        (problem.value_at(start), 0.0),
        gradients=slopes[:, None],
        **how,
    )


def _chain(length: int, damping: float, **how: Any) -> OnGradients:
    """Nesterov's chain: (x_1 - 1)^2 + sum_i (x_i - x_{i+1})^2 + damping |x|^2, halved, from 0."""
    matrix = 2 * np.eye(length) - np.eye(length, k=1) - np.eye(length, k=-1)
    matrix = (matrix + damping * np.eye(length)) / (4 + damping)
    slope = np.zeros(length)
    slope[0] = -1 / (4 + damping)
    problem = Quadratics(matrix[None], slope[None])
    x_star = problem.minimizer
    return _setting(
        rf"Nesterov's chain of {length}",
        problem,
        np.zeros(length),
        x_star,
        (0.0, problem.value_at(x_star)),
        gradients=np.zeros((1, length)),
        **how,
    )


# --- The families ---


def gradient_families(
    theorem: Theorem,
    method: Callable[[Numbers], optax.GradientTransformation],
    metric: str,
    says: Callable[[Theorem, OnGradients], Any] | None = None,
    *,
    varies: Mapping[str, Real] | None = None,
    derived: Callable[[dict[str, float]], Numbers] = lambda constants: {},
    batch_size: int = 1,
    convex: Literal["each", "mean", "none"] = "mean",
    noise: Literal["any", "additive"] = "any",
    horizons: tuple[int, ...] = (4, 16, 64),
) -> tuple[InstanceFamily, ...]:
    """The families of instances for a theorem on a gradient method.

    Args:
        theorem: whose constants are among those of `OnGradients`, and what `varies` and `derived`
            add.
        method: numbers, by the names of the constants -> the transformation; it is called with
            traced numbers.
        metric: one of `METRICS`.
        says: (theorem, setting) -> the bound at `setting.checkpoints`; by default the theorem's
            formula of k.
        varies: what else is chosen, such as a step in units of the longest.
        derived: the constants so far -> what follows from them, such as the step itself.
        batch_size: samples a step, drawn with replacement; 0 for full gradients.
        convex: whether "each" f_i is convex, or their "mean", or "none" need be.
        noise: whether the f_i may differ in "any" way, or by linear functions alone ("additive").
        horizons: numbers of steps.

    Returns:
        The families.

    Raises:
        ValueError: if the metric is unknown.

    Example:
        >>> from optzoo.theorems import Constants, Paper, Theorem, constant
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Smooth(Constants):
        ...     L: float = constant("$f$ is $L$-smooth", weakens="up")
        ...     R: float = constant("$|x^0 - x^*|$", weakens="up")
        ...     def convex(self, k):
        ...         return self.L * self.R**2 / (4 * np.asarray(k) + 2)
        >>> descent = Theorem(
        ...     label="GD", title="", paper=Paper(""), source="", algorithm="sgd", statement="",
        ...     assumptions=(), metric="f(x^k) - f^*", output="last", side="above",
        ...     constants=Smooth, formula=Smooth.convex)
        >>> families = gradient_families(
        ...     descent, lambda constants: optax.sgd(1 / constants["L"]), "suboptimality",
        ...     batch_size=0)
        >>> [family.name for family in families]
        ['quadratic functions', 'on the line', "Nesterov's chain"]
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    further = dict(varies or {})

    def case(make: Callable[..., OnGradients], theorem: Theorem, **parameters: Any) -> Case:
        given = {name: parameters.pop(name) for name in further}
        setting = make(
            **parameters, given=given, derived=derived, method=method, batch_size=batch_size
        )
        check = UpperBound(
            setting.experiment(metric),
            metric,
            (lambda: says(theorem, setting))
            if says is not None
            else (lambda: setting.bound(theorem, np.asarray(setting.checkpoints))),
            # Where the method sees full gradients all seeds agree; so they do at the start.
            certain=len(setting.checkpoints) if not batch_size else int(metric in _FROM_THE_START),
            looks=4 if batch_size else 1,
        )
        return Case(setting, check)

    is_convex, each = convex != "none", convex == "each"
    least = 1e-3 if is_convex else -1.0
    at = {"horizon": OneOf(*horizons)}
    most = 3
    quadratic: dict[str, Real | OneOf] = {
        "spectrum": Real(least, 1.0, size=most, log=is_convex),
        "apart": Real(-1.0, 1.0, size=most),
        "angle": Real(0.0, 1.6),
        "noise": Real(-1.0, 1.0, size=most),
        "start": Real(-1.0, 1.0, size=most),
        "dim": OneOf(2, 1, most),
        "n": OneOf(2, 4, 16),
    }
    line: dict[str, Real | OneOf] = {
        "mean": Real(0.0 if is_convex else -1.0, 1.0, size=PIECES),
        "apart": Real(-1.0, 1.0, size=PIECES),
        "noise": Real(-1.0, 1.0),
        "start": Real(-3.0, 3.0),
        "n": OneOf(2, 4, 16),
    }
    chain: dict[str, Real | OneOf] = {"damping": Real(1e-4, 1.0, log=True), "length": OneOf(20, 5)}
    if batch_size == 0:  # then all sees the mean alone
        quadratic = {name: quadratic[name] for name in ("spectrum", "start", "dim")}
        line = {name: line[name] for name in ("mean", "start")}
    if noise == "additive":
        quadratic = {name: one for name, one in quadratic.items() if name not in _MATRICES}
        line = {name: one for name, one in line.items() if name not in _MATRICES}
    still = {"apart": [0.0] * most, "angle": 0.0, "noise": [0.0] * most, "n": 1}
    flat = {"apart": [0.0] * PIECES, "noise": 0.0, "n": 1}
    made: dict[str, tuple[Callable[..., OnGradients], Mapping[str, Real | OneOf]]] = {
        "quadratic functions": (
            partial(_quadratic, each_convex=each, **_fixed(still, quadratic)),
            quadratic,
        ),
        "on the line": (
            partial(_line, each_convex=each, **_fixed(flat, line)),
            line,
        ),
        "Nesterov's chain": (_chain, chain),
    }
    return tuple(
        InstanceFamily(name, partial(case, make), {**ranges, **at, **further}, (theorem,))
        for name, (make, ranges) in made.items()
        if is_convex or make is not _chain
    )


_MATRICES = ("apart", "angle")
"""What makes the second derivatives of the functions differ."""


def _fixed(values: Mapping[str, Any], varies: Mapping[str, Any]) -> dict[str, Any]:
    """The values of what does not vary."""
    return {name: value for name, value in values.items() if name not in varies}
