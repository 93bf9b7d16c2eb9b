# SPDX-License-Identifier: Apache-2.0
"""Syntax trees, one thread at a time.

CPython 3.11 counts the depth of a tree under construction for the whole interpreter. Where another
thread builds one in the midst of it, a SystemError ends them: AST constructor recursion depth
mismatch.
"""

import ast
import threading
import types

__all__ = ["compiled", "parsed"]

_TURN = threading.Lock()


def parsed(source: str) -> ast.Module:
    """The tree of a source.

    Args:
        source: of a module.

    Returns:
        Its tree.

    Raises:
        SyntaxError: if it is none.

    Example:
        >>> type(parsed("x = 1").body[0]).__name__
        'Assign'
    """
    with _TURN:
        return ast.parse(source)


def compiled(tree: ast.Module, name: str) -> types.CodeType:
    """The code of a tree.

    Args:
        tree: of a module, with places.
        name: for tracebacks.

    Returns:
        The code, to be executed.

    Example:
        >>> names = {}
        >>> exec(compiled(parsed("x = 1"), "<example>"), names)
        >>> names["x"]
        1
    """
    with _TURN:
        return compile(tree, name, "exec")
