"""The public symbols: what the packages and modules that users import from export."""

import importlib
import inspect
from functools import cache
from typing import Any

import optzoo.theorems

# Their `__all__` is the interface. The rooms of `optzoo.problems` are for readers of the source.
PACKAGES = (
    "optzoo",
    "optzoo.lmo",
    "optzoo.compressors",
    "optzoo.problems",
    "optzoo.plots",
    "optzoo.conformance",
    "optzoo.theorems",
)
# What claims, lessons and programs of others import; the rest of `theory_checks` serves these.
CHECKS = (
    "theory_checks.claim",
    "theory_checks.claims",
    "theory_checks.checks",
    "theory_checks.controls",
    "theory_checks.setting",
    "theory_checks.family",
    "theory_checks.side_by_side",
    "theory_checks.simulation",
    "theory_checks.simulation.laboratory",
    "theory_checks.simulation.engine",
    "theory_checks.simulation.evaluation",
    "theory_checks.simulation.runner",
    "theory_checks.statistics.verdict",
    "theory_checks.statistics.evidence",
    "theory_checks.statistics.honesty",
    "theory_checks.presets",
    "theory_checks.registration",
    "theory_checks.records.coverage",
    "theory_checks.records.diff",
    "theory_checks.records.read",
    "theory_checks.records.theorems",
    "theory_checks.records.write",
    "theory_checks.report",
    "theory_checks.conformance",
    "theory_checks.cli",
    "theory_checks.worst_case.attack",
    "theory_checks.worst_case.attack.search",
    "theory_checks.worst_case.pep",
)


@cache
def modules() -> tuple[str, ...]:
    """Every module whose `__all__` is documented."""
    theorems = tuple(
        f"optzoo.theorems.{name}"
        for name in optzoo.theorems.__all__
        if inspect.ismodule(getattr(optzoo.theorems, name))
    )
    return PACKAGES + theorems + CHECKS


@cache
def public() -> dict[str, Any]:
    """Full name -> symbol; a symbol that is exported in several places has the first one's name."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    # Packages come before their modules: what a package exports is imported from there.
    for module in modules():
        home = importlib.import_module(module)
        for name in home.__all__:
            symbol = getattr(home, name)
            if inspect.ismodule(symbol):
                continue
            known = inspect.isclass(symbol) or inspect.isfunction(symbol)
            if known and id(symbol) in seen:
                continue
            seen.add(id(symbol))
            found[f"{module}.{name}"] = symbol
    return found


@cache
def _short() -> dict[str, str]:
    short: dict[str, str] = {}
    for full in public():
        parts = full.split(".")
        # `lmo.l1_ball`, `problems.Constant`; whole names of `optzoo` win over others.
        for start in range(1, len(parts)):
            if "theory_checks" in full and start == len(parts) - 1:
                continue  # `Claim`, `case`: words that a docstring may mean otherwise
            if ".theorems." in full and start == len(parts) - 1:
                continue
            short.setdefault(".".join(parts[start:]), full)
    return short


def full_name(text: str) -> str | None:
    """The public symbol that a piece of code names; None if it names none."""
    text = text.removesuffix("()")
    if text in public():
        return text
    return _short().get(text)
