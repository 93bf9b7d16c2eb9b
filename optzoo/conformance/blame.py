# SPDX-License-Identifier: Apache-2.0
"""Where somebody's own code raised an error: the line to look at, below all that called it."""

import importlib.util
import sysconfig
import traceback
from functools import cache
from pathlib import Path

__all__ = ["outside", "place"]

_NUMERICAL = ("jax", "jaxlib", "numpy", "scipy")
_CALLERS = (*_NUMERICAL, "optax", "optzoo", "theory_checks")
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


@cache
def _folders(names: tuple[str, ...]) -> tuple[str, ...]:
    specifications = [importlib.util.find_spec(name) for name in names]
    found = [str(one.origin) for one in specifications if one is not None and one.origin]
    return tuple(f"{Path(origin).parent}/" for origin in found)


def outside(error: BaseException) -> str | None:
    """The innermost line that an error passed through outside this package and its libraries.

    Args:
        error: caught, with its traceback.

    Returns:
        The file, the line's number and its text; None if there is no such line.

    Example:
        >>> try:
        ...     int("x")
        ... except ValueError as error:
        ...     "line 2" in str(outside(error))
        True
    """
    if isinstance(error, SyntaxError) and error.filename:
        return _line(error.filename, error.lineno, (error.text or "").strip())
    return _innermost(error, _CALLERS)


def place(error: BaseException) -> str:
    """As `outside`, or, if there is no such line, the innermost one of this package or of optax.

    Args:
        error: caught, with its traceback.

    Returns:
        The file, the line's number and its text.

    Example:
        >>> try:
        ...     int("x")
        ... except ValueError as error:
        ...     "line 2" in place(error)
        True
    """
    return outside(error) or _innermost(error, _NUMERICAL) or _innermost(error, ()) or "nowhere"


def _innermost(error: BaseException, libraries: tuple[str, ...]) -> str | None:
    """The innermost line that is in none of the libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_library(frame.filename, libraries)]
    return _line(own[-1].filename, own[-1].lineno, own[-1].line) if own else None


def _is_library(file: str, libraries: tuple[str, ...]) -> bool:
    # Installed packages lie in a folder of the standard library's.
    standard = file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file
    return standard or file.startswith(("<frozen", "<string>", *_folders(libraries)))


def _line(file: str, number: int | None, text: str | None) -> str:
    return f"{file}, line {number}" + (f": {text}" if text else "")
