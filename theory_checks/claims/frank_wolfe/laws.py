# SPDX-License-Identifier: Apache-2.0
r"""The laws of the noise terms, (1/K) sqrt((1-p)/(pb)) and (1/K) sqrt(n)/b.

One horizon picks the slope of f(x) = c x that is worst for it. The laws are therefore measured on
the average over a grid of slopes: no single tuned instance, whose own scale would be the law.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.theorems.frank_wolfe import (
    F3_NOISE_LAW,
    F3_NOISE_TIME,
    F6A_NOISE_LAW,
    index_probability,
)

from ...checks import Law, Passage, Rate
from ...claim import Case, Claim
from ...controls import Change, case, mutant, wrong
from ...setting import Stated
from ...simulation import Experiment, Sweep, log_spaced
from . import mutants
from .instances import noise_tight
from .processes import FiniteSumRun, Method, step_table, with_slope
from .settings import own_steps

__all__ = ["CLAIMS", "long_run"]

# --- The families ---

SLOPES, SMALLEST = 8, 1e-6


def _sarah(horizon: int, *, p: float, b: int = 1, noise: float = 1.0) -> FiniteSumRun:
    steps = step_table(optzoo.open_loop_schedule(4 / p), horizon)
    return noise_tight(1.0, noise=noise).sarah(steps, p, b)


def _saga(horizon: int, *, n: int, b: int) -> FiniteSumRun:
    a = index_probability(n, b, replacement=True)
    return noise_tight(1.0, n=n).saga(step_table(optzoo.open_loop_schedule(8 / a), horizon), b)


def _over_slopes(
    name: str, run: FiniteSumRun, checkpoints: Sequence[int], largest: float
) -> Experiment:
    """A run for each of 8 slopes up to the largest."""
    sweep = Sweep(run, jnp.geomspace(SMALLEST, largest, SLOPES), with_slope)
    randomness = "saga-laws" if name.startswith("saga") else "laws"
    return Experiment(name, sweep, tuple(checkpoints), lanes=16, randomness=randomness)


FAMILY = r"$f_i(x) = cx \pm \sigma x^2/2$ on $[-1, 1]$, $n = 64$, averaged over 8 slopes $c$"
SAGA_FAMILY = r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, averaged over 8 slopes $c$"
SAGA_PARAMETERS = {"lambda": "a/2", "replacement": "True", "table": "first gradients"}


def _stated(text: str, schedule: str, **parameters: float | int | str) -> Stated:
    """What all members of a sweep have in common."""
    known = noise_tight(1.0).constants
    common = {name: known[name] for name in ("L", "L_pm", "L_tilde", "D")}
    return Stated(text, common, {**parameters, **own_steps(schedule)})


_of_sarah = partial(_stated, FAMILY, "restart")


def _of_saga(size: str, **parameters: float | int | str) -> Stated:
    return _stated(SAGA_FAMILY + size, "table", **SAGA_PARAMETERS, **parameters)


# --- in K ---


def long_run(name: str) -> Experiment:
    """A run over all horizons.

    Args:
        name: "sarah", with p = 0.3 and b = 1, or "saga", with n = 16 and b = 4.
    """
    if name == "sarah":
        points = log_spaced(400, 25_600, 13)
        return _over_slopes("law-horizon", _sarah(points[-1], p=0.3), points, 0.1)
    points = log_spaced(1_600, 51_200, 12)
    return _over_slopes("saga-law-horizon", _saga(points[-1], n=16, b=4), points, 1e-2)


def _in_horizon(setting: Stated, experiment: Experiment, *false: Change) -> Case:
    points, sweep = experiment.checkpoints, experiment.process
    assert isinstance(sweep, Sweep)
    run = sweep.process
    assert isinstance(run, FiniteSumRun)

    def check(method: Method = run.method, stated: float = 1.0) -> Rate:
        changed = replace(experiment, process=replace(sweep, process=replace(run, method=method)))
        return Rate(changed, "suboptimality", stated, (points[0], points[-1]), looks=1)

    faster = wrong("rate 1.5 claimed", "a false claim: $K^{-3/2}$", stated=1.5)
    return case(setting, check, *false, faster)


def _horizon() -> Case:
    false = mutant(mutants.constant_batch), mutant(mutants.never_restarted)
    return _in_horizon(_of_sarah(p=0.3, **{"batch size": 1}), long_run("sarah"), *false)


def _saga_horizon() -> Case:
    setting = _of_saga(", $n = 16$", **{"batch size": 4})
    return _in_horizon(setting, long_run("saga"), mutant(mutants.never_mixed))


# --- in p, b and n ---


def _law(
    setting: Stated,
    runs: Mapping[str, FiniteSumRun],
    horizon: int,
    largest: float,
    theta: Sequence[float],
    stated: float,
    *false: Change,
) -> Case:
    """The error at a horizon against a constant, one run for each of its values."""
    experiments = [_over_slopes(name, run, [horizon], largest) for name, run in runs.items()]

    def check(stated: float = stated) -> Law:
        return Law(theta, experiments, "suboptimality", stated, looks=1)

    return case(setting, check, *false)


def _no_root(stated: float) -> Change:
    claimed = f"exponent {stated:g} claimed"
    return wrong(claimed, "a false claim: no square root", stated=stated)


def _no_dependence(constant: str) -> Change:
    words = f"a false claim: no dependence on ${constant}$"
    return wrong("exponent 0 claimed", words, stated=0.0)


def _restart_probability() -> Case:
    horizon, probabilities = 51_200, (0.3, 0.14, 0.065, 0.03, 0.013)
    setting = _of_sarah(**{"batch size": 1, "horizon K": horizon})
    runs = {f"law-p-{p}": _sarah(horizon, p=p) for p in probabilities}
    theta = [(1 - p) / p for p in probabilities]
    return _law(setting, runs, horizon, 1e-3, theta, 0.5, _no_root(1.0), _no_dependence("p"))


def _batch_size() -> Case:
    horizon, sizes = 3_200, (1, 2, 4, 8, 16, 32)
    setting = _of_sarah(p=0.1, **{"horizon K": horizon})
    runs = {f"law-b-{b}": _sarah(horizon, p=0.1, b=b) for b in sizes}
    return _law(setting, runs, horizon, 1e-2, sizes, -0.5, _no_root(-1.0), _no_dependence("b"))


def _samples() -> Case:
    horizon, sizes = 25_600, (8, 20, 44, 108, 256)
    setting = _of_saga("", **{"batch size": 4, "horizon K": horizon})
    runs = {f"saga-law-n-{n}": _saga(horizon, n=n, b=4) for n in sizes}
    return _law(setting, runs, horizon, 2e-3, sizes, 0.5, _no_root(1.0), _no_dependence("n"))


def _saga_batch_size() -> Case:
    horizon, sizes = 25_600, (1, 2, 5, 12, 32)
    setting = _of_saga(", $n = 64$", **{"horizon K": horizon})
    runs = {f"saga-law-b-{b}": _saga(horizon, n=64, b=b) for b in sizes}
    as_sarah = wrong(
        "exponent -1/2 claimed", "a false claim: as for Sarah Frank-Wolfe", stated=-0.5
    )
    return _law(setting, runs, horizon, 2e-3, sizes, -1.0, as_sarah, _no_dependence("b"))


# --- in the noise: steps until eps ---


def _noise() -> Case:
    eps, noises, points = 1.5e-5, np.geomspace(0.03, 1.0, 5).tolist(), log_spaced(100, 12_800, 30)
    runs = {f"law-noise-{noise:.3f}": _sarah(points[-1], p=0.3, noise=noise) for noise in noises}
    experiments = [_over_slopes(name, run, points, 2e-4) for name, run in runs.items()]

    def check(stated: float = 1.0) -> Passage:
        return Passage(noises, experiments, "suboptimality", eps, stated)

    root = wrong("exponent 1/2 claimed", "a false claim: square root of the noise", stated=0.5)
    setting = _of_sarah(p=0.3, eps=eps, **{"batch size": 1})
    return case(setting, check, root)


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
