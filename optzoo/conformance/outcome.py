# SPDX-License-Identifier: Apache-2.0
"""A row against every property: what passed, what failed, why, and how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .blame import place
from .properties import CALLABLE, PROPERTIES, Property, Violation
from .row import Row, Subject

__all__ = ["Outcome", "conformance", "table"]

_LONGEST = 300  # characters of a message; some libraries write pages


@dataclass(frozen=True)
class Outcome:
    """What came of one property.

    Attributes:
        name: of the property.
        result: "advised" where a property fails that is good manners only.
        message: why it failed or does not apply; empty where it passed.
        mend: what to look for; empty unless it failed.
    """

    name: str
    result: Literal["passed", "failed", "advised", "does not apply"]
    message: str = ""
    mend: str = ""


def conformance(row: Row, properties: Sequence[Property] = PROPERTIES) -> list[Outcome]:
    """Checks an optimizer.

    Args:
        row: how it is made and called.
        properties: what is checked; everything by default.

    Returns:
        An outcome for each property, in their order; one alone if the optimizer cannot be called.

    Raises:
        Exception: whatever the constructor raises.

    Example:
        >>> import optax
        >>> row = Row("sgd", optax.sgd, {"learning_rate": 0.1})
        >>> state_of_arrays = [one for one in PROPERTIES if one.name == "state is a tree of arrays"]
        >>> conformance(row, state_of_arrays)[0].result
        'passed'
    """
    subject = Subject(row)
    called = _outcome(subject, CALLABLE)
    if called.result == "failed":
        return [called]
    return [_outcome(subject, one) for one in properties]


def _outcome(subject: Subject, one: Property) -> Outcome:
    reason = one.does_not_apply(subject.row)
    if reason is not None:
        return Outcome(one.name, "does not apply", reason)
    try:
        one.check(subject)
    except Violation as violation:
        message = _shortened(str(violation))
    except Exception as error:
        message = f"{type(error).__name__}: {_shortened(str(error))} ({place(error)})"
    else:
        return Outcome(one.name, "passed")
    return Outcome(one.name, "advised" if one.advice else "failed", message, one.mend)


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 4] + " ..."


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as text: a line for each property, with the reason and the remedy below."""
    width = max(len(one.name) for one in outcomes)
    lines, told = [], set()
    for one in outcomes:
        lines.append(f"  {one.name:<{width}}  {one.result}")
        if one.message:
            lines.append(f"      {one.message}")
        if one.mend and one.mend not in told:  # several dtypes have one remedy
            told.add(one.mend)
            lines.append(f"      mend: {one.mend}")
    count = {
        result: sum(one.result == result for one in outcomes)
        for result in ("passed", "failed", "advised", "does not apply")
    }
    lines.append("  " + ", ".join(f"{number} {result}" for result, number in count.items()))
    return "\n".join(lines)
