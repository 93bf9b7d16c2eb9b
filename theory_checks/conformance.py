# SPDX-License-Identifier: Apache-2.0
"""What `theory-checks conformance` is asked to look at, and what it prints."""

import ast
import importlib
import inspect
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import optax

import optzoo.conformance
from optzoo.conformance import PROPERTIES, Row, conformance
from optzoo.conformance.blame import place
from optzoo.conformance.optimizers import ROWS
from optzoo.conformance.outcome import table

from .registration import installed_optimizers

__all__ = ["TargetError", "print_conformance", "row_of", "rows_of"]

LEARNING_RATE = 0.05
"""For constructors that require one and were not given any: 300 steps of it reach the minimum."""


class TargetError(ValueError):
    """An optimizer that cannot be made as given."""


def rows_of(targets: Sequence[str]) -> list[Row]:
    """The rows that the words of a command line name.

    Args:
        targets: see `row_of`; without any, all of optzoo and of the installed packages.

    Returns:
        The rows, in order.

    Raises:
        TargetError: if one cannot be found or made.
        RegistrationError: if an installed package's optimizer cannot be loaded.

    Example:
        >>> [row.name for row in rows_of(["soap", "optax:sgd(0.1, momentum=0.9)"])]
        ['soap', 'optax:sgd(0.1, momentum=0.9)']
    """
    known = {row.name: row for row in ROWS}
    for name, found in installed_optimizers().items():
        if name in known:
            raise TargetError(f"an installed package names an optimizer '{name}', as optzoo does")
        known[name] = _row(name, found, (), {})
    if not targets:
        return list(known.values())
    return [known[target] if target in known else row_of(target, known) for target in targets]


def row_of(target: str, known: Iterable[str] = ()) -> Row:
    """The row of "module:name", or of "module:name(arguments)" with literal arguments.

    The name stands for a `Row`, a constructor or a transformation.

    Args:
        target: as on the command line.
        known: names of registered optimizers, for the message.

    Returns:
        The row, whose constructor has been seen to work.

    Raises:
        TargetError: if there is no such module or name, its arguments are not literals, or the
            constructor raises.

    Example:
        >>> row_of("optax:adam").kwargs
        {'learning_rate': 0.05}
    """
    module_name, colon, expression = target.partition(":")
    if not colon:
        raise TargetError(
            f"'{target}' is no optimizer that is known ({', '.join(known)}); write module:name for "
            "one of your own"
        )
    name, arguments, keywords = _parsed(target, expression)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise TargetError(
            f"the module {module_name} of '{target}' cannot be imported: "
            f"{type(error).__name__}: {error} ({place(error)})"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise TargetError(f"{module_name} has no '{name}' for '{target}'")
        found = getattr(found, part)
    return _row(target, found, arguments, keywords)


def _parsed(target: str, expression: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    try:
        node = ast.parse(expression.strip(), mode="eval").body
        if not isinstance(node, ast.Call):
            return ast.unparse(node), (), {}
        values = tuple(ast.literal_eval(one) for one in node.args)
        keywords = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
        return ast.unparse(node.func), values, keywords
    except (SyntaxError, ValueError):
        raise TargetError(
            f"'{target}' must be module:name or module:name(arguments), where the arguments are "
            "plain numbers, strings, tuples, ...; for any others, put a Row into your module: "
            "ROW = optzoo.conformance.Row('name', constructor, {...}), and give module:ROW"
        ) from None


def _row(name: str, found: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Row:
    if isinstance(found, Row):
        row = found
    elif isinstance(found, optax.GradientTransformation):
        row = Row(name, lambda: found, static_args=None)
    elif callable(found):
        row = Row(name, found, _bound(name, found, arguments, keywords))
    else:
        raise TargetError(
            f"'{name}' is {found!r}, no Row, constructor or optax.GradientTransformation"
        )
    if (arguments or keywords) and row.make is not found:
        raise TargetError(f"'{name}' has arguments, but is no constructor")
    try:
        made = row.make(**row.kwargs)
    except Exception as error:
        raise TargetError(
            f"'{name}' cannot be made: {type(error).__name__}: {error} ({place(error)})"
        ) from error
    if not isinstance(made, optax.GradientTransformation):
        raise TargetError(f"'{name}' makes {type(made).__name__}, no optax.GradientTransformation")
    return row


def _bound(
    name: str, constructor: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> dict[str, Any]:
    """All arguments by their names, which inject_hyperparams needs."""
    signature = inspect.signature(constructor)
    rate = signature.parameters.get("learning_rate")
    try:
        bound = signature.bind_partial(*arguments, **keywords)
    except TypeError as error:
        raise TargetError(f"'{name}' cannot be made: {error}") from None
    given: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        kind = signature.parameters[key].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            given |= value
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            raise TargetError(f"'{name}': give the arguments *{key} in a Row")
        else:
            given[key] = value
    if rate is not None and rate.default is inspect.Parameter.empty:
        given.setdefault("learning_rate", LEARNING_RATE)
    return given


def print_conformance(rows: Sequence[Row], *, strict: bool = False) -> bool:
    """Checks rows and prints a table for each.

    Args:
        rows: what to check.
        strict: whether advice counts.

    Returns:
        Whether all conform.

    Example:
        >>> print_conformance([])
        True
    """
    failing = {"failed", "advised"} if strict else {"failed"}
    bad = []
    for row in rows:
        shown = ", ".join(f"{key}={value!r}" for key, value in row.kwargs.items())
        print(f"{row.name}" + (f" with {shown}" if shown and "(" not in row.name else ""))
        outcomes = conformance(row, PROPERTIES)
        print(table(outcomes), flush=True)
        if any(one.result in failing for one in outcomes):
            bad.append(row.name)
    if len(rows) > 1:
        print(f"{len(rows) - len(bad)} of {len(rows)} conform" + "".join(f"; not {n}" for n in bad))
    return not bad


def __getattr__(name: str) -> Any:
    """What was imported from here before 0.1 stands in `optzoo.conformance`."""
    if name not in optzoo.conformance.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"import {name} from optzoo.conformance; theory_checks.conformance is the command",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(optzoo.conformance, name)
