"""Wrong theorems attacked, and right ones beside them, within one budget each."""

import time
from collections.abc import Sequence

from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case.attack.objective import RATIO
from theory_checks.worst_case.attack.search import Search

from .progress import progress
from .report import machine, table
from .wrong_theorems import TRUE, WRONG, Entry

__all__ = ["attacked", "measure"]

BUDGET = 120.0


def attacked(entry: Entry, seconds: float, seed: int = 0) -> Search:
    """The search for one entry, which ends as soon as the theorem is refuted.

    Args:
        entry: the theorem and its families.
        seconds: budget.
        seed: of the search.

    Returns:
        The search.
    """
    search = Search(entry.theorem, entry.families(), seed=seed)
    search.run(seconds)
    return search


def measure(budget: float = BUDGET) -> str:
    """The tables.

    Args:
        budget: seconds for each theorem.

    Returns:
        Markdown.
    """
    where = machine(("jax", "numpy", "cmaes"))
    wrong = [_wrong(entry, budget) for entry in progress(WRONG, "wrong theorem")]
    true = [_true(entry, budget) for entry in progress(TRUE, "true theorem")]
    fallen = sum(refuted for refuted, _ in wrong)
    broken = sum(refuted for refuted, _ in true)
    head = (
        f"{fallen} of {len(WRONG)} wrong theorems refuted, and {broken} of {len(TRUE)} true ones, "
        f"within {budget:.0f} s each. An easy instance is one on which the wrong theorem is "
        "CONSISTENT."
    )
    first = ("wrong theorem", "mistake", "easy instance", "attack", "s", "instances", "refuted on")
    second = ("true theorem", "attack", "s", "instances", "largest ratio")
    return "\n\n".join(
        [where, head, table(first, [row for _, row in wrong]), table(second, [r for _, r in true])]
    )


def _wrong(entry: Entry, budget: float) -> tuple[bool, Sequence[object]]:
    easy = entry.easy_case().check.run(Laboratory())
    at = "" if easy.tightness is None else f" at {easy.tightness:.2g} of its bound"
    refuted, attack, seconds, search = _outcome(entry, budget)
    on = f"{search.refuted[0].family}" if search.refuted is not None else "–"
    cells = (entry.name, entry.mistake, easy.verdict + at, attack, seconds, search.evaluations, on)
    return refuted, cells


def _true(entry: Entry, budget: float) -> tuple[bool, Sequence[object]]:
    refuted, attack, seconds, search = _outcome(entry, budget)
    best = search.hardest(RATIO)
    ratio = "–" if best is None else f"{best.scores[RATIO]:.3g}"
    return refuted, (entry.name, attack, seconds, search.evaluations, ratio)


def _outcome(entry: Entry, budget: float) -> tuple[bool, str, str, Search]:
    begun = time.monotonic()
    search = attacked(entry, budget)
    refuted = search.refuted is not None
    seconds = f"{time.monotonic() - begun:.0f}"
    return refuted, "REFUTED" if refuted else "not refuted", seconds, search
