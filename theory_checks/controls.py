# SPDX-License-Identifier: Apache-2.0
"""Controls as a table of changes: what must be refuted beside a claim, and what must not."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from numpy.typing import ArrayLike

from .checks.restatable import Says
from .claim import Case, Check, Control
from .setting import Setting

__all__ = [
    "Change",
    "Sides",
    "case",
    "controls",
    "exact_case",
    "mutant",
    "null",
    "wrong",
]

Sides: TypeAlias = tuple[ArrayLike, Says]
"""What was computed, and what a theorem says of it: one number each for every case. A function of
no arguments is asked anew whenever the theorem is restated, see `worst_case.coverage`."""


@dataclass(frozen=True, eq=False)
class Change:
    """A row of the table: a name, what it does in a sentence, what it changes of the check."""

    name: str
    description: str
    arguments: Mapping[str, Any]
    expected: Literal["REFUTED", "NOT_REFUTED"] = "REFUTED"


def wrong(name: str, description: str, **arguments: Any) -> Change:
    """A false claim, or a run that is not the theorem's: it must be REFUTED.

    Args:
        name: short.
        description: what was changed, in a sentence.
        **arguments: of the check.

    Returns:
        The row.
    """
    return Change(name, description, arguments)


def null(name: str, description: str, **arguments: Any) -> Change:
    """A change that makes nothing false, such as an exact mean as the bound: not REFUTED.

    Args:
        name: short.
        description: what was changed, in a sentence.
        **arguments: of the check.

    Returns:
        The row.
    """
    return Change(name, description, arguments, expected="NOT_REFUTED")


def mutant(method: Callable[..., Any], **arguments: Any) -> Change:
    """The method with a mistake in it, in the place of `method`: it must be REFUTED.

    Args:
        method: the mutant; its name and the first line of its docstring are the control's words.
        **arguments: further changes.

    Returns:
        The row.

    Example:
        >>> def wrong_sign_of_the_oracle():
        ...     '''The oracle maximizes where it should minimize.'''
        >>> mutant(wrong_sign_of_the_oracle).name
        'wrong sign of the oracle'
    """
    name = method.__name__.replace("_", " ")
    described = (inspect.getdoc(method) or name).splitlines()[0].rstrip(".")
    return Change(name, described[0].lower() + described[1:], {"method": method} | arguments)


def controls(check: Callable[..., Check], *changes: Change) -> tuple[Control, ...]:
    """The controls of a claim.

    Args:
        check: makes the claim's check; a change's arguments are handed to it by name.
        *changes: rows, made by `wrong`, `mutant` and `null`.

    Returns:
        A control for each row.

    Raises:
        ValueError: if two rows have one name.
    """
    names = [change.name for change in changes]
    if len(set(names)) < len(names):
        raise ValueError(f"two controls have one name: {names}")
    return tuple(
        Control(change.name, change.description, check(**change.arguments), change.expected)
        for change in changes
    )


def case(setting: Setting, check: Callable[..., Check], *changes: Change) -> Case:
    """A theorem on a setting, with its controls.

    Args:
        setting: where.
        check: makes the claim's check; a change's arguments are handed to it by name.
        *changes: rows, made by `wrong`, `mutant` and `null`.

    Returns:
        The case.
    """
    return Case(setting, check(), controls(check, *changes))


def exact_case(
    setting: Setting,
    sides: Callable[..., Sides],
    check: Callable[..., Check],
    *changes: Change,
    bites: bool = True,
    **fields: Any,
) -> Case:
    """A theorem that is decided without chance, with its controls.

    Args:
        setting: where.
        sides: (setting, **changes) -> what was computed, and what the theorem says of it.
        check: makes a check of a function without arguments that returns the sides, such as
            `checks.ExactIdentity`.
        *changes: of the sides: the controls.
        bites: whether they are looked at here; on a grid, where the bound is close.
        **fields: of the check.

    Returns:
        The case.
    """

    def with_changes(**changed: Any) -> Check:
        return check(partial(sides, setting, **changed), **fields)

    return case(setting, with_changes, *(changes if bites else ()))
