"""Rates of Frank-Wolfe methods with a mistake in them, and the rates themselves."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F3A, F3B, F4, F6, F6A, F7, Saga, Sarah
from theory_checks.claims.frank_wolfe.families import FAMILIES
from theory_checks.worst_case.attack import InstanceFamily

from .entry import Entry

__all__ = ["TRUE", "WRONG"]


def _fitting(theorem: Theorem) -> tuple[InstanceFamily, ...]:
    return tuple(family for family in FAMILIES if family.fits(theorem))


# --- The mistakes ---


def _without_noise(constants: Sarah, steps: Any) -> Any:
    return constants.suboptimality(steps, np.zeros(len(steps) + 1))


def _errors_do_not_add_up(constants: Sarah, steps: Any) -> Any:
    moved = (constants.L_pm * constants.D * np.asarray(steps)) ** 2
    error = np.concatenate([[0.0], (1 - constants.p) * constants.nu * moved])
    return constants.suboptimality(steps, error)


def _half_the_curvature(constants: Any, steps: Any) -> Any:
    return type(constants).convex(replace(constants, L=constants.L / 2), steps)


def _half_the_curvature_of_gaps(constants: Any, steps: Any) -> Any:
    return type(constants).nonconvex(replace(constants, L=constants.L / 2), steps)


def _one_power_of_the_diameter(constants: Sarah, steps: Any) -> Any:
    eta = np.asarray(steps)
    error = np.sqrt(constants.estimator(steps))[:-1]
    added = eta * constants.D * error + constants.L / 2 * constants.D * eta**2
    return (constants.r_0 + np.cumsum(added)) / np.cumsum(eta)


def _no_inverse_probability(constants: Sarah, k: Any) -> Any:
    noise = constants.L_pm * math.sqrt(2 * constants.nu * (1 - constants.p))
    A, c = constants.D**2 * (constants.L / 2 + noise), 4 / constants.p
    top = (c - 1) * (c - 2) * constants.r_0 + 4 * A * np.asarray(k)
    return top / ((k + c - 1) * (k + c - 2))


def _start_forgotten(constants: Sarah, k: Any) -> Any:
    return 4 * constants.A / (np.asarray(k) + 4 / constants.p)


def _cold_table_forgotten(constants: Saga, steps: Any) -> Any:
    return replace(constants, E_0=0.0, Y_0=0.0).convex(steps)


def _gaps_without_noise(constants: Saga, steps: Any) -> Any:
    return constants.average_gap(steps, np.zeros(len(steps) + 1))


# --- Easy instances ---

_LINE = {
    "mean": [0.5, 0.5, 0.5, 0.5],
    "deviations": [0.2, -0.1, 0.3, 0.1],
    "slope": 0.1,
    "slopes": [0.1],
    "start": 0.5,
    "horizon": 32,
    "batch": 1,
}
_ANY = {"first": [0.5, 0.4, 0.33, 0.29], "offset": 3.0}
_OF = {
    F3: _LINE | _ANY | {"p": 0.5},
    F3A: _LINE | {"flatness": 1.0, "p": 0.5, "horizon": 64},
    F4: _LINE | {"p": 0.5, "eta": 0.1},
    F6: _LINE | _ANY | {"table": "warm"},
    F7: _LINE | {"eta": 0.1, "table": "warm"},
}


def _wrong(
    name: str, mistake: str, truth: Theorem, formula: Callable[..., Any], **easy: Any
) -> Entry:
    theorem = replace(truth, formula=formula)
    return Entry(name, mistake, theorem, partial(_fitting, truth), _OF[truth] | easy)


WRONG: tuple[Entry, ...] = (
    _wrong("F3 without noise", "a noise term dropped", F3, _without_noise),
    _wrong("F3, errors do not add up", "1/p forgotten", F3, _errors_do_not_add_up),
    _wrong("F3 with L/4", "factor 2 forgotten", F3, _half_the_curvature),
    _wrong("F3a without 1/p", "1/p forgotten", F3A, _no_inverse_probability),
    _wrong("F3a without its start", "right only after burn-in", F3A, _start_forgotten, start=0.0),
    _wrong("F4 with L/4", "factor 2 forgotten", F4, _half_the_curvature_of_gaps),
    _wrong("F4 with D for D^2", "an exponent", F4, _one_power_of_the_diameter),
    _wrong("F6 from a warm table", "a condition forgotten", F6, _cold_table_forgotten),
    _wrong("F7 without noise", "a noise term dropped", F7, _gaps_without_noise),
)

TRUE: tuple[Entry, ...] = tuple(
    Entry(theorem.label, "", theorem, partial(_fitting, theorem))
    for theorem in (F3, F3A, F3B, F4, F6, F6A, F7)
)
