"""Theorems whose expectations are computed exactly, with a mistake in them, and without."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from optzoo.theorems import Theorem
from optzoo.theorems.ito_chains import I1, I1_ALL_TIMES, I3
from optzoo.theorems.markovian_noise import D3, D3A, D4, D5
from optzoo.theorems.soap import S7, S8
from optzoo.theorems.three_pillars import V1_STEP, V2, V3, V4_STEP
from theory_checks.claims import FAMILIES
from theory_checks.worst_case.attack import InstanceFamily

from .entry import Entry

__all__ = ["TRUE", "WRONG"]


def _fitting(theorem: Theorem) -> tuple[InstanceFamily, ...]:
    return tuple(family for family in FAMILIES if family.fits(theorem))


def _wrong(name: str, mistake: str, truth: Theorem, formula: Callable[..., Any]) -> Entry:
    return Entry(name, mistake, replace(truth, formula=formula), partial(_fitting, truth))


def _believing(truth: Theorem, **values: Callable[[Any], float]) -> Callable[..., Any]:
    """The formula with constants that are other functions of the constants."""
    formula = truth.formula
    assert formula is not None

    def believed(constants: Any, *arguments: Any) -> Any:
        other = {name: value(constants) for name, value in values.items()}
        return formula(replace(constants, **other), *arguments)

    return believed


def _times(truth: Theorem, factor: float) -> Callable[..., Any]:
    formula = truth.formula
    assert formula is not None
    return lambda *given: factor * formula(*given)


WRONG: tuple[Entry, ...] = (
    _wrong(
        "D3a, the chain mixes at once",
        "tau without its logarithm",
        D3A,
        _believing(D3A, tau=lambda c: max(c.tau / 8, 1.0)),
    ),
    _wrong(
        "D4, the chain mixes at once",
        "tau forgotten",
        D4,
        _believing(D4, tau=lambda c: 1.0),
    ),
    _wrong("V1, one step, without 1/M", "a term dropped", V1_STEP, lambda c: c.gamma * c.mu),
    _wrong(
        "V4, one step, the server's own deviation forgotten",
        "factor 2 forgotten",
        V4_STEP,
        _believing(V4_STEP, d_B=lambda c: c.d_B / 2),
    ),
    _wrong("V3 as of PermK", "a condition forgotten", V3, _believing(V3, B=lambda c: 1.0)),
    _wrong(
        "I1 with half of M",
        "factor 2 forgotten",
        I1,
        _believing(I1, M=lambda c: c.M / 2),
    ),
    _wrong(
        "I1 in one dimension",
        "a dimension factor missing",
        I1,
        _believing(I1, d=lambda c: 1.0),
    ),
    _wrong("S8, halved", "factor 2 forgotten", S8, _times(S8, 0.5)),
)

TRUE: tuple[Entry, ...] = tuple(
    Entry(theorem.label, "", theorem, partial(_fitting, theorem))
    for theorem in (D3, D3A, D4, D5, V1_STEP, V2, V3, V4_STEP, I1, I1_ALL_TIMES, I3, S7, S8)
)
