r"""The laws of the noise terms, (1/K) sqrt((1-p)/(pb)) and (1/K) sqrt(n)/b, and exact scaling.

One horizon picks the slope of f(x) = c x that is worst for it. The laws are therefore measured on
the average over a grid of slopes: no single tuned instance, whose own scale would be the law.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import dilated, random_least_squares, scaled
from optzoo.theorems.frank_wolfe import (
    F1B,
    F3,
    F3_NOISE_LAW,
    F3_NOISE_TIME,
    F3_SCALED,
    F3_STRETCHED,
    F3A,
    F3B,
    F4,
    F6A_NOISE_LAW,
)

from ...checks import ExactScaling, Law, Passage, Rate
from ...claim import Case, Claim
from ...controls import Change, controls, mutant, wrong
from ...setting import Stated
from ...simulation import Experiment
from ...simulation.laboratory import Laboratory
from . import mutants, saga_mutants
from .processes import (
    Method,
    SagaRun,
    SarahRun,
    SlopeFamily,
    noise_tight_saga,
    noise_tight_sarah,
    refresh_probability,
    step_table,
)
from .settings import SAGA_STEPS, SARAH_STEPS, OnRun, exactly, log_spaced, sandwich, sarah_run

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- The families ---

SLOPES, SMALLEST = 8, 1e-6


def _family(
    name: str,
    run: SarahRun | SagaRun,
    checkpoints: Sequence[int],
    largest: float,
    *,
    randomness: str,
) -> Experiment:
    """A run for each of 8 slopes up to the largest."""
    family = SlopeFamily(run, jnp.geomspace(SMALLEST, largest, SLOPES))
    return Experiment(name, family, tuple(checkpoints), lanes=16, randomness=randomness)


def _sarah(
    horizon: int,
    *,
    p: float,
    b: int = 1,
    noise: float = 1.0,
    method: Method = optzoo.sarah_frank_wolfe,
) -> SarahRun:
    return noise_tight_sarah(
        slope=1.0,
        restart_probability=p,
        batch_size=b,
        noise=noise,
        steps=step_table(optzoo.open_loop_schedule(4 / p), horizon),
        method=method,
    )


def _saga(
    horizon: int, *, n: int, b: int, method: Method = optzoo.saga_sarah_frank_wolfe
) -> SagaRun:
    a = refresh_probability(n, b, replacement=True)
    return noise_tight_saga(
        num_samples=n,
        batch_size=b,
        steps=step_table(optzoo.open_loop_schedule(8 / a), horizon),
        slope=1.0,
        replacement=True,
        method=method,
    )


_sarah_family = partial(_family, randomness="laws")
_saga_family = partial(_family, randomness="saga-laws")

FAMILY = r"$f_i(x) = cx \pm \sigma x^2/2$ on $[-1, 1]$, $n = 64$, averaged over 8 slopes $c$"
SAGA_FAMILY = r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, averaged over 8 slopes $c$"


def _on_the_family(**parameters: float | int | str) -> Stated:
    known = {
        "L": exactly(0.0, "f is linear"),
        "L_pm": exactly(1.0, "every |f_i''| is sigma = 1 and f'' = 0"),
        "D": exactly(2.0, "length of [-1, 1]"),
    }
    return Stated(FAMILY, known, {**parameters, "steps": f"${SARAH_STEPS['restart']}$"})


def _on_the_saga_family(size: str, **parameters: float | int | str) -> Stated:
    known = {
        "L": exactly(0.0, "f is linear"),
        "L_pm": exactly(1.0, "every |f_i''| is 1 and f'' = 0"),
        "L_tilde": exactly(1.0, "every |f_i''| is 1"),
        "D": exactly(2.0, "length of [-1, 1]"),
    }
    ours = {"lambda": "a/2", "replacement": "True", "table": "first gradients"}
    steps = {"steps": f"${SAGA_STEPS['table']}$"}
    return Stated(SAGA_FAMILY + size, known, {**ours, **parameters, **steps})


# --- in K ---

FASTER = wrong("rate 1.5 claimed", "a false claim: $K^{-3/2}$", stated=1.5)


def _horizon() -> Case:
    points = log_spaced(400, 25_600, 13)

    def check(method: Method = optzoo.sarah_frank_wolfe, stated: float = 1.0) -> Rate:
        run = _sarah(points[-1], p=0.3, method=method)
        experiment = _sarah_family("law-horizon", run, points, 0.1)
        return Rate(experiment, "suboptimality", stated, (points[0], points[-1]), looks=1)

    false = (mutant(mutants.constant_batch), mutant(mutants.never_restarted), FASTER)
    return Case(_on_the_family(p=0.3, **{"batch size": 1}), check(), controls(check, *false))


def _saga_horizon() -> Case:
    points = log_spaced(1_600, 51_200, 12)

    def check(method: Method = optzoo.saga_sarah_frank_wolfe, stated: float = 1.0) -> Rate:
        run = _saga(points[-1], n=16, b=4, method=method)
        experiment = _saga_family("saga-law-horizon", run, points, 1e-2)
        return Rate(experiment, "suboptimality", stated, (points[0], points[-1]), looks=1)

    false = (mutant(saga_mutants.never_mixed), FASTER)
    setting = _on_the_saga_family(", $n = 16$", **{"batch size": 4})
    return Case(setting, check(), controls(check, *false))


# --- in p, b and n ---


def _exponent(
    setting: Stated,
    theta: Sequence[float],
    runs: Sequence[Experiment],
    stated: float,
    *false: Change,
) -> Case:
    def check(stated: float = stated) -> Law:
        return Law(list(theta), runs, "suboptimality", stated, looks=1)

    return Case(setting, check(), controls(check, *false))


def _no_root(stated: float) -> Change:
    claimed = f"exponent {stated:g} claimed"
    return wrong(claimed, "a false claim: no square root", stated=stated)


def _no_dependence(constant: str) -> Change:
    words = f"a false claim: no dependence on ${constant}$"
    return wrong("exponent 0 claimed", words, stated=0.0)


def _restart_probability() -> Case:
    horizon, probabilities = 51_200, np.array([0.3, 0.14, 0.065, 0.03, 0.013])
    runs = [
        _sarah_family(f"law-p-{p}", _sarah(horizon, p=float(p)), [horizon], 1e-3)
        for p in probabilities
    ]
    setting = _on_the_family(**{"batch size": 1, "horizon K": horizon})
    theta = ((1 - probabilities) / probabilities).tolist()
    return _exponent(setting, theta, runs, 0.5, _no_root(1.0), _no_dependence("p"))


def _batch_size() -> Case:
    horizon, sizes = 3_200, (1, 2, 4, 8, 16, 32)
    runs = [
        _sarah_family(f"law-b-{b}", _sarah(horizon, p=0.1, b=b), [horizon], 1e-2) for b in sizes
    ]
    setting = _on_the_family(p=0.1, **{"horizon K": horizon})
    return _exponent(setting, sizes, runs, -0.5, _no_root(-1.0), _no_dependence("b"))


SAGA_HORIZON = 25_600


def _samples() -> Case:
    sizes = (8, 20, 44, 108, 256)
    runs = [
        _saga_family(f"saga-law-n-{n}", _saga(SAGA_HORIZON, n=n, b=4), [SAGA_HORIZON], 2e-3)
        for n in sizes
    ]
    setting = _on_the_saga_family("", **{"batch size": 4, "horizon K": SAGA_HORIZON})
    return _exponent(setting, sizes, runs, 0.5, _no_root(1.0), _no_dependence("n"))


def _saga_batch_size() -> Case:
    sizes = (1, 2, 5, 12, 32)
    runs = [
        _saga_family(f"saga-law-b-{b}", _saga(SAGA_HORIZON, n=64, b=b), [SAGA_HORIZON], 2e-3)
        for b in sizes
    ]
    setting = _on_the_saga_family(", $n = 64$", **{"horizon K": SAGA_HORIZON})
    as_sarah = wrong(
        "exponent -1/2 claimed", "a false claim: as for Sarah Frank-Wolfe", stated=-0.5
    )
    return _exponent(setting, sizes, runs, -1.0, as_sarah, _no_dependence("b"))


# --- in the noise: steps until eps ---


def _noise() -> Case:
    eps, noises, points = 1.5e-5, np.geomspace(0.03, 1.0, 5), log_spaced(100, 12_800, 30)
    runs = [
        _sarah_family(
            f"law-noise-{noise:.3f}",
            _sarah(points[-1], p=0.3, noise=float(noise)),
            points,
            2e-4,
        )
        for noise in noises
    ]

    def check(stated: float = 1.0) -> Passage:
        return Passage(noises.tolist(), runs, "suboptimality", eps, stated)

    root = wrong("exponent 1/2 claimed", "a false claim: square root of the noise", stated=0.5)
    setting = _on_the_family(p=0.3, eps=eps, **{"batch size": 1})
    return Case(setting, check(), controls(check, root))


# --- exact scaling in L and D ---

SCALED_P, SCALED_BATCH = 0.1, 4
SCALED_CHECKPOINTS = (1, 10, 100, 300)
# Powers of two scale floating-point numbers exactly, and so leave ties between vertices alone.
FACTORS = (1 / 16, 1 / 4, 1.0, 4.0, 16.0)
MEASURED = len(SCALED_CHECKPOINTS) - 1
BOUNDS = len(SCALED_CHECKPOINTS) + 4


def _measured(
    laboratory: Laboratory, name: str, run: SarahRun, metrics: Sequence[str]
) -> list[float]:
    """Means of the metrics at all checkpoints past the first, on the same random numbers."""
    experiment = Experiment(name, run, SCALED_CHECKPOINTS, randomness="scaling")
    sample = laboratory.sample(experiment, 0, laboratory.seeds)
    return [float(value) for metric in metrics for value in sample[metric].mean(axis=0)[1:]]


def _all_bounds(setting: OnRun, **changes: float) -> list[float]:
    """F3, F3a, F3b, F4 and D times the root of F1b: each scales as f does."""
    horizon, steps = SCALED_CHECKPOINTS[-1], np.asarray(setting.run.steps)
    diameter = setting.of(F1B, **changes).D
    return [
        *setting.bound(F3, steps, **changes)[list(SCALED_CHECKPOINTS)],
        float(setting.bound(F3A, horizon, **changes)),
        setting.bound(F3B, horizon, **changes),
        float(setting.bound(F4, steps, **changes)[-1]),
        float(diameter * np.sqrt(setting.bound(F1B, steps, **changes)[-1])),
    ]


def _scaling_steps() -> jax.Array:
    return step_table(optzoo.open_loop_schedule(4 / SCALED_P), SCALED_CHECKPOINTS[-1])


def _smoothness() -> Case:
    constraint = optzoo.lmo.l1_ball(3.0)
    run = SarahRun(
        problem=random_least_squares(64, 10, 3),
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(10)),
        steps=_scaling_steps(),
        restart_probability=jnp.asarray(SCALED_P),
        f_star=jnp.zeros([]),  # 0 is a lower bound that scales as f does
        batch_size=SCALED_BATCH,
    )
    text = "least squares, $n = 64$, $d = 10$, times $u$, over the $\\ell_1$ ball"
    setting = OnRun(text, run)

    def check(*, forgets: bool = False) -> ExactScaling:
        stuck = {"L_pm": setting.constants["L_pm"].value} if forgets else {}

        def row(laboratory: Laboratory, u: float) -> list[float]:
            multiple = replace(run, problem=scaled(run.problem, jnp.asarray(u)))
            watched = ("suboptimality", "gap", "squared_error")
            measured = _measured(laboratory, f"smoothness-{u}", multiple, watched)
            return [*measured, *_all_bounds(OnRun(text, multiple), **stuck)]

        def compute(laboratory: Laboratory) -> tuple[Array, Array]:
            return np.array(FACTORS), np.array([row(laboratory, u) for u in FACTORS])

        return ExactScaling(compute, [1.0] * 2 * MEASURED + [2.0] * MEASURED + [1.0] * BOUNDS)

    fixed = wrong(
        "L_pm not scaled",
        "the bound is evaluated with the Hessian variance of $f$ in place of $uf$",
        forgets=True,
    )
    return Case(setting, check(), controls(check, fixed))


def _diameter() -> Case:
    place = sandwich(50, 16)
    text = (
        r"sign quadratic, $n = 16$, $d = 50$, on $t$ times the simplex; and the same problem "
        "stretched with the set, $f(x/t)$"
    )

    def on_multiple(t: float) -> SarahRun:
        larger = replace(
            place,
            constraint=optzoo.lmo.simplex(t),
            x0=t * place.x0,
            f_star=place.f_star.scaled(t**2, "homogeneous"),
        )
        return sarah_run(larger, _scaling_steps(), SCALED_P, SCALED_BATCH)

    setting = OnRun(text, on_multiple(1.0))

    def check(*, forgets: bool = False) -> ExactScaling:
        stuck = {"D": setting.constants["D"].value} if forgets else {}

        def row(laboratory: Laboratory, t: float) -> list[float]:
            run, watched = on_multiple(t), ("suboptimality", "gap")
            problem = dilated(place.problem, jnp.asarray(t))
            stretched = replace(run, problem=problem, f_star=jnp.asarray(place.f_star.value))
            return [
                *_measured(laboratory, f"diameter-{t}", run, watched),
                *_measured(laboratory, f"dilation-{t}", stretched, watched),
                *_all_bounds(OnRun(text, run), **stuck),
                *_all_bounds(OnRun(text, stretched), **stuck),
            ]

        def compute(laboratory: Laboratory) -> tuple[Array, Array]:
            return np.array(FACTORS), np.array([row(laboratory, t) for t in FACTORS])

        measured = [2.0] * 2 * MEASURED + [0.0] * 2 * MEASURED
        return ExactScaling(compute, measured + [2.0] * BOUNDS + [0.0] * BOUNDS)

    fixed = wrong(
        "D not scaled",
        "the bound is evaluated with the diameter of the simplex in place of $t$ times it",
        forgets=True,
    )
    return Case(setting, check(), controls(check, fixed))


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/laws/horizon",
        title="The error falls at least like 1/K",
        theorem=F3_NOISE_LAW,
        prepare=_horizon,
        x_label="horizon $K$",
    ),
    Claim(
        id="frank_wolfe/sarah/laws/restart-probability",
        title="The error grows like the root of (1-p)/p",
        theorem=F3_NOISE_LAW,
        prepare=_restart_probability,
        x_label="$(1-p)/p$",
    ),
    Claim(
        id="frank_wolfe/sarah/laws/batch-size",
        title="The error falls like the root of the batch",
        theorem=F3_NOISE_LAW,
        prepare=_batch_size,
        x_label="$b$",
    ),
    Claim(
        id="frank_wolfe/sarah/laws/noise",
        title="The time to a given accuracy is at most linear in the noise",
        theorem=F3_NOISE_TIME,
        prepare=_noise,
        x_label=r"$\sigma$",
    ),
    Claim(
        id="frank_wolfe/sarah/scaling/smoothness",
        title="f to u f: errors and bounds scale alike",
        theorem=F3_SCALED,
        prepare=_smoothness,
        x_label="$u$",
    ),
    Claim(
        id="frank_wolfe/sarah/scaling/diameter",
        title="X to t X: errors and bounds scale alike",
        theorem=F3_STRETCHED,
        prepare=_diameter,
        x_label="$t$",
    ),
    Claim(
        id="frank_wolfe/saga/laws/horizon",
        title="Without full gradients the error falls at least like 1/K",
        theorem=F6A_NOISE_LAW,
        prepare=_saga_horizon,
        x_label="horizon $K$",
    ),
    Claim(
        id="frank_wolfe/saga/laws/samples",
        title="The error grows like the root of n",
        theorem=F6A_NOISE_LAW,
        prepare=_samples,
        x_label="$n$",
    ),
    Claim(
        id="frank_wolfe/saga/laws/batch-size",
        title="The error falls like the batch itself",
        theorem=F6A_NOISE_LAW,
        prepare=_saga_batch_size,
        x_label="$b$",
    ),
)
