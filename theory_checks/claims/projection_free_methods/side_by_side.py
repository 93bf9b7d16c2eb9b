# SPDX-License-Identifier: Apache-2.0
"""The complexity table, measured: the error of every method by gradients and by oracle calls."""

from collections import defaultdict

import numpy as np

from optzoo.theorems.projection_free_methods import PAPER

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation.laboratory import Laboratory
from ...statistics.exponents import rate_exponent
from .complexity import COSTS, Cost, cost_of

__all__ = ["SIDE_BY_SIDE"]

UNITS = {"gradients": "gradients of samples", "calls": "oracle calls"}
SAMPLED, SUMS, GAPS = "Error, samples", "Error, finite sums", "Average gap"
KINDS = {"SFW": SAMPLED, "SCG": SAMPLED}

WITHIN = 0.05
"""An exponent that differs by less is the theorem's."""


def _table(laboratory: Laboratory) -> Outcome:
    curves: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    notes = []
    for method in COSTS:
        cost = cost_of(method)
        sample = laboratory.sample(cost.experiment, 0, cost.looks * laboratory.seeds)[cost.metric]
        for unit in UNITS:
            x = np.asarray(getattr(cost, unit))
            kind = GAPS if cost.metric == "average_gap" else KINDS.get(method, SUMS)
            curves[unit, kind].append(Curve.of_seeds(method, x, sample))
        notes.append(_note(method, cost, sample))
    return Outcome(
        panels=tuple(
            Panel(f"{title} per {words}", words, title, tuple(curves[unit, title]))
            for unit, words in UNITS.items()
            for title in (SAMPLED, SUMS, GAPS)
        ),
        notes=tuple(notes),
        problem=(
            "each method on the instance of its row in C1 and C2, on which its law is clean: "
            "slopes are to be compared, levels are not"
        ),
        seeds=laboratory.seeds,
    )


def _note(method: str, cost: Cost, sample: np.ndarray) -> str:
    parts = []
    for unit, words in UNITS.items():
        x, stated = np.asarray(getattr(cost, unit)), cost.stated[unit]
        interval, theorem, reference = "", f"its theorem's {stated:.3g}", stated
        if cost.ends:
            mean = sample.mean(axis=0)
            value = -float(np.polyfit(np.log(x), np.log(mean), 1)[0])
        else:
            base = cost.own(unit)
            bound = None if base is None else np.asarray(base) ** stated
            found = rate_exponent(x, sample, stated=stated, window=(x[0], x[-1]), bound=bound)
            value = float("nan") if found.value is None else found.value
            interval = f" [{found.lower:.3g}, {found.upper:.3g}]" if found.lower else ""
            reference = found.reference
        if abs(reference - stated) > WITHIN:
            theorem += f", which is {reference:.3g} on these points"
        off = value - reference
        than = "as" if abs(off) <= WITHIN else "faster than" if off > 0 else "slower than"
        parts.append(f"like {words} to the power -{value:.3g}{interval}, {than} {theorem}")
    return f"{method} falls {'; '.join(parts)}."


SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    SideBySide(
        id="projection_free_methods/compare/table",
        title="The complexity table, measured",
        paper=PAPER.citation,
        description=(
            "The error of every method against the gradients of samples that it has taken and the "
            "calls of the oracle, in logarithms: the slope is the exponent, the theorem's beside "
            "it. A method that is faster than its theorem on its instance, or slower where the "
            "theorem has a logarithm, is said to be."
        ),
        evaluate=_table,
    ),
)
