# SPDX-License-Identifier: Apache-2.0
"""Families of instances for the theorems on Three Pillars: what `theory-checks attack` searches.

Any affine operators of a few workers in a few dimensions. Over R^d all expectations are exact, from
the slowest of all states where the theorem speaks of one step; over a ball all draws of the shipped
method are enumerated.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import AffineOperators, CompressedMoments
from optzoo.theorems import Theorem
from optzoo.theorems.three_pillars import (
    V1,
    V1_STEP,
    V2,
    V3,
    V4,
    V4_CLIENTS,
    V4_LOCAL,
    V4_STEP,
    V5_STEP,
    V6,
    V6_STEP,
    Inexact,
)

from ...checks import ExactInequality, ExactLowerBound
from ...claim import Case
from ...worst_case.attack import InstanceFamily, OneOf, Real, Whole
from .enumeration import terms
from .settings import PillarsSetting, moments

__all__ = ["FAMILIES", "affine_setting", "operators"]

Array: TypeAlias = NDArray[np.float64]
Varies: TypeAlias = dict[str, Real | Whole | OneOf]
Sides: TypeAlias = tuple[Any, Callable[[], Any]]

LONGEST = math.sqrt(2.0)
"""The step at which M vanishes, in units of that of V2."""
SOLVED = 1e-14
"""What local steps leave of the distance to a solution that is called exact."""


def operators(
    mu: float,
    coupling: Sequence[float],
    stretch: Sequence[float],
    similarity: float,
    deviations: Sequence[float],
    *,
    offset: Sequence[float] | None = None,
    radius: float | None = None,
) -> AffineOperators:
    """F_i(z) = (mu I + diag(stretch) + K + D_i) z, K skew, and D_i of mean 0.

    Args:
        mu: at least so monotone is F.
        coupling: the entries of K above the diagonal.
        stretch: at least 0, one for each dimension.
        similarity: the largest |D_i|.
        deviations: the entries of the D_i, up to their mean and size.
        offset: of all F_i.
        radius: of the ball; None where Z is everything.

    Raises:
        ValueError: if all deviations are equal: then nothing has to be sent.
    """
    d = len(stretch)
    skew = np.zeros((d, d))
    skew[np.triu_indices(d, 1)] = coupling
    apart = np.asarray(deviations, dtype=np.float64).reshape(-1, d, d)
    apart = apart - apart.mean(axis=0)
    largest = np.linalg.norm(apart, 2, axis=(1, 2)).max()
    if not largest > 1e-9:
        raise ValueError("deviations must not be equal: the workers would have one operator")
    mean = mu * np.eye(d) + np.diag(stretch) + skew - skew.T
    matrices = mean + similarity / largest * apart
    rows = np.zeros(d) if offset is None else np.asarray(offset)
    return AffineOperators(
        jnp.asarray(matrices), jnp.asarray(np.tile(rows, (len(apart), 1))), radius
    )


def _compressor(name: str, workers: int) -> Compressor:
    return {
        "PermK": PermK(workers),
        "one client": SampledClients(1, workers),
        "two clients": SampledClients(2, workers),
        "RandK": RandK(1, workers),
        "none": Identity(workers),
    }[name]


def affine_setting(
    problem: AffineOperators, compressor: str, p: float, step: float, **more: Any
) -> PillarsSetting:
    """With a step in units of the longest that the contraction allows."""
    n, d = problem.num_workers, problem.dim
    return PillarsSetting(
        problem=problem,
        text=f"affine operators, $n = {n}$, $d = {d}$, $p = {p:.4g}$",
        compressor=_compressor(compressor, n),
        p=p,
        longer=LONGEST * step,
        **more,
    )


# --- What is varied ---


def _place(n: int, d: int, *, monotone: bool = False) -> Varies:
    mu: Varies = {} if monotone else {"mu": Real(1e-3, 3.0, log=True)}
    return mu | {
        "coupling": Real(-5.0, 5.0, size=d * (d - 1) // 2),
        "stretch": Real(0.0, 3.0, size=d),
        "similarity": Real(0.1, 10.0, log=True),
        "deviations": Real(-1.0, 1.0, size=n * d * d),
    }


STEP: Varies = {"p": Real(0.02, 0.98, log=True), "step": Real(0.05, 0.999)}
SIZES = {
    (2, 2): ("PermK", "one client", "RandK", "none"),
    (4, 2): ("one client", "two clients", "RandK", "none"),
    (2, 4): ("PermK", "one client", "RandK", "none"),
}
"""Workers and dimension -> the compressors whose second moments follow a recursion there."""

PLACE = ("mu", "coupling", "stretch", "similarity", "deviations")


def _problem(numbers: dict[str, Any], **more: Any) -> AffineOperators:
    """Of the numbers those that make the operators; the others stay."""
    given = {name: numbers.pop(name) for name in PLACE if name in numbers}
    return operators(**({"mu": 0.0} | given), **more)


# --- One step, from the slowest state; asymptotic rates ---


def _case(
    theorem: Theorem, setting: PillarsSetting, sides: Callable[[], Sides], **fields: Any
) -> Case:
    check = ExactLowerBound if theorem.side == "below" else ExactInequality
    return Case(setting, check(sides, what="exact second moments", **fields))


def _contraction(theorem: Theorem, **numbers: Any) -> Case:
    """V1, one step."""
    setting = affine_setting(_problem(numbers), **numbers, local_steps=1)

    def sides() -> Sides:
        factor, _ = moments(setting).one_step_factor()
        return [1 - factor], lambda: [setting.bound(theorem)]

    return _case(theorem, setting, sides)


def _inexact(theorem: Theorem, H: int, **numbers: Any) -> Case:
    """V4, one step."""
    setting = affine_setting(_problem(numbers), **numbers, local_steps=H)

    def sides() -> Sides:
        factor, _ = moments(setting, exact=False).one_step_factor()
        return [factor], lambda: [setting.bound(theorem)]

    return _case(theorem, setting, sides)


def _rate(theorem: Theorem, **numbers: Any) -> Case:
    """V2."""
    setting = affine_setting(_problem(numbers), **numbers, local_steps=1)

    def sides() -> Sides:
        left = 1 - moments(setting).rate()
        return [1 / max(left, 1e-300)], lambda: [setting.bound(theorem)]

    return _case(theorem, setting, sides, tolerance=1e-7)


def _energy(theorem: Theorem, **numbers: Any) -> Case:
    """V3, in the direction of u - m where the messages are largest."""
    setting = affine_setting(_problem(numbers), **numbers, local_steps=1)
    form = _energy_form(moments(setting))
    largest = float(np.linalg.eigvalsh(form)[-1])
    return _case(theorem, setting, lambda: ([largest], lambda: [setting.bound(theorem, 1.0)]))


def _energy_form(recursion: CompressedMoments) -> Array:
    """The matrix of E|xi|^2 as a form of u - m."""
    matrices = np.asarray(recursion.problem.matrices)
    server, d = matrices[0], matrices.shape[1]
    form = np.zeros((d, d))
    for a in range(d):
        for b in range(a + 1):
            outer = np.zeros((d, d))
            outer[a, b] += 0.5
            outer[b, a] += 0.5
            moment = recursion.messages.second_moment(matrices - server, outer, server)
            form[a, b] = form[b, a] = np.trace(moment)
    return form


def _local(theorem: Theorem, **numbers: Any) -> Case:
    """V4, a local step, from where it gains least."""
    setting = affine_setting(_problem(numbers), **numbers, local_steps=1)
    gained = 1 - np.linalg.norm(moments(setting, exact=False).local_error(), 2) ** 2
    return _case(theorem, setting, lambda: ([gained], lambda: [setting.bound(theorem)]))


# --- Whole runs ---


def _checkpoints(horizon: int) -> tuple[int, ...]:
    return tuple(sorted({1, 2, 3, *(round(horizon ** (i / 6)) for i in range(1, 7))}))


def _run(
    theorem: Theorem,
    horizon: int,
    start: Sequence[float],
    left: float | None = None,
    **numbers: Any,
) -> Case:
    """V1 with exact solutions; V4 with local steps that leave this share of the contraction."""
    problem = _problem(numbers)
    setting = affine_setting(problem, **numbers, local_steps=1)
    if left is not None:
        plan = Inexact.of(setting.constants)
        H = plan.local_steps_for(left * (1 - math.sqrt(plan.rho)))
        setting = affine_setting(problem, **numbers, local_steps=H)
    steps = _checkpoints(horizon)
    initial = float(np.sum(np.square(start)))

    def sides() -> Sides:
        recursion = moments(setting, exact=left is None)
        seconds = recursion.run(recursion.start(np.asarray(start)), steps)
        metric = recursion.distance if left is None else recursion.potential
        return [metric(each) for each in seconds], lambda: setting.bound(theorem, steps, initial)

    return _case(theorem, setting, sides)


# --- V6: without strong monotonicity ---


def _monotone(numbers: dict[str, Any], step: float) -> PillarsSetting:
    """With a step in units of the longest that V6 allows: gamma^2 delta_1^2 <= p / 4, too."""
    problem = _problem(numbers)
    setting = affine_setting(problem, **numbers, step=1 / LONGEST, local_steps=1)
    p, delta, gamma = (setting.value(name) for name in ("p", "delta_1", "gamma"))
    longest = min(1.0, math.sqrt(p) / 2 / delta / gamma) if delta > 0 else 1.0
    return affine_setting(problem, **numbers, step=step * longest / LONGEST, local_steps=1)


def _squared_operator(theorem: Theorem, step: float, **numbers: Any) -> Case:
    """V6, the first inequality of a step, from the state where it is closest."""
    setting = _monotone(numbers, step)
    operator, u_z, u_m = moments(setting).squared_operator_form()
    p = setting.value("p")
    moved = (1 - p) * u_z + p / 2 * u_m
    root = np.linalg.cholesky(moved)  # not where F is singular
    half = np.linalg.solve(root, np.linalg.solve(root, operator).T)
    w = np.linalg.solve(root.T, np.linalg.eigh((half + half.T) / 2)[1][:, -1])
    w = w / np.linalg.norm(w)
    measured, at_z, at_m = (float(w @ form @ w) for form in (operator, u_z, u_m))
    return _case(
        theorem,
        setting,
        lambda: ([measured], lambda: [setting.bound(theorem, at_z, at_m)]),
        tolerance=1e-8,
    )


def _mean_operator(
    theorem: Theorem, step: float, horizon: int, start: Sequence[float], **numbers: Any
) -> Case:
    """V6."""
    setting = _monotone(numbers, step)
    steps, initial = _checkpoints(horizon), float(np.sum(np.square(start)))

    def sides() -> Sides:
        recursion = moments(setting)
        found = recursion.mean_square_operators(recursion.start(np.asarray(start)), steps)
        return found, lambda: setting.bound(theorem, steps, initial)

    return _case(theorem, setting, sides)


# --- V5: over a ball ---


def _on_the_ball(
    theorem: Theorem,
    offset: Sequence[float],
    radius: float,
    z: Sequence[float],
    m: Sequence[float],
    **numbers: Any,
) -> Case:
    """V5, one step, from any state of the ball."""
    problem = _problem(numbers, offset=offset, radius=radius)
    plan = affine_setting(problem, **numbers, local_steps=1).of(V4)
    away = -2 * math.log(SOLVED) / -math.log(plan.rho_in)
    setting = affine_setting(problem, **numbers, local_steps=math.ceil(away))
    states = [radius * _into_the_ball(np.asarray(each))[None] for each in (z, m)]

    def sides() -> Sides:
        found = terms(setting.run(), *states)
        z, m, *others = (found[name] for name in ("z", "m", "u_z", "u_m", "u", "energy"))
        return found["after"], lambda: setting.bound(theorem, z, m, *others)

    return Case(
        setting,
        ExactInequality(sides, tolerance=1e-9, what="all draws of the messages, one state"),
    )


def _into_the_ball(point: Array) -> Array:
    return np.asarray(point / max(1.0, float(np.linalg.norm(point))))


def _families(
    theorem: Theorem,
    make: Callable[..., Case],
    more: Varies,
    *,
    monotone: bool = False,
    states: tuple[str, ...] = (),
    sizes: Sequence[tuple[int, int]] = tuple(SIZES),
    compressors: tuple[str, ...] | None = None,
) -> list[InstanceFamily]:
    """One for each number of workers and dimension; `states` are points of R^d."""
    found = []
    for n, d in sizes:
        points: Varies = {name: Real(-1.0, 1.0, size=d) for name in states}
        messages: Varies = {"compressor": OneOf(*(compressors or SIZES[n, d]))}
        varies = _place(n, d, monotone=monotone) | STEP | points | more | messages
        words = f"{theorem.label}: {n} workers, d = {d}"
        found.append(InstanceFamily(words, make, varies, (theorem,)))
    return found


HORIZON: Varies = {"horizon": OneOf(1, 10, 100)}
INEXACT: Varies = HORIZON | {"left": Real(0.01, 0.95)}
BALL: Varies = {"radius": Real(0.1, 10.0, log=True)}
CLIENTS = ("one client", "two clients")

FAMILIES: tuple[InstanceFamily, ...] = (
    *_families(V1, _run, HORIZON, states=("start",)),
    *_families(V1_STEP, _contraction, {}),
    *_families(V2, _rate, {}),
    *_families(V3, _energy, {}),
    *_families(V4, _run, INEXACT, states=("start",)),
    *_families(V4_CLIENTS, _run, INEXACT, states=("start",), sizes=((4, 2),), compressors=CLIENTS),
    *_families(V4_STEP, _inexact, {"H": Whole(1, 400, log=True)}),
    *_families(V4_LOCAL, _local, {}, sizes=((2, 2), (2, 4)), compressors=("none",)),
    *_families(V5_STEP, _on_the_ball, BALL, states=("offset", "z", "m"), sizes=((2, 2),)),
    *_families(V6, _mean_operator, HORIZON, states=("start",), monotone=True),
    *_families(V6_STEP, _squared_operator, {}, monotone=True),
)
