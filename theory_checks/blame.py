"""Where somebody's own code raised an error: the line to look at, below all that called it."""

import importlib.util
import traceback
from pathlib import Path

__all__ = ["place"]

_CALLERS = ("jax", "jaxlib", "numpy", "optax", "scipy", "theory_checks", "importlib")


def _folders() -> tuple[str, ...]:
    found = []
    for name in _CALLERS:
        specification = importlib.util.find_spec(name)
        if specification is not None and specification.origin is not None:
            found.append(str(Path(specification.origin).parent) + "/")
    return tuple(found)


def place(error: BaseException) -> str:
    """The innermost line outside the libraries that an error passed through.

    Args:
        error: caught, with its traceback.

    Returns:
        The file, the line's number and its text; the innermost line of all if there is no other.

    Example:
        >>> try:
        ...     int("x")
        ... except ValueError as error:
        ...     place(error).endswith("line 2")
        True
    """
    if isinstance(error, SyntaxError) and error.filename:
        text = (error.text or "").strip()
        return f"{error.filename}, line {error.lineno}" + (f": {text}" if text else "")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "no traceback"
    folders = _folders()
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith(("<frozen", *folders))
    ]
    frame = (own or list(frames))[-1]
    return f"{frame.filename}, line {frame.lineno}" + (f": {frame.line}" if frame.line else "")
