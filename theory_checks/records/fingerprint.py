# SPDX-License-Identifier: Apache-2.0
"""What a result depends on beside its seeds, as one number: a resumed run keeps what has its own.

The statement with its bound's source, the protocol, the versions of what computes, and the code:
of this repository all that may take part (another paper's claims and the report may not), of
claims from outside their package, or their file with the neighbours that it imports.
"""

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import optzoo
import optzoo.problems

from ..claim import Claim, Grid
from ..side_by_side import SideBySide
from ..statistics.protocol import Protocol
from ..syntax import parsed
from .theorems import theorem_records

__all__ = ["fingerprint"]

_VERSIONS = ("jax", "jaxlib", "optax", "numpy", "scipy", "scikit-learn", "pot")
_HERE = Path(__file__).resolve().parents[1]
_APART = {
    "report",
    "records",
    "cluster",
    "conformance",
    "conformance.py",
    "cli.py",
    "command_line.py",
    "engines.py",
    "export.py",
    "running.py",
    "selection.py",
    "starter.py",
    "statuses.py",
    "options.py",
    "programs.py",
    "progress.py",
}
"""Parts of the packages that take no part in a number."""


def fingerprint(subject: Claim | SideBySide, protocol: Protocol) -> str:
    """Equal for two results only if they were computed from the same things.

    Args:
        subject: the claim, or methods side by side; computed before it runs.
        protocol: how verdicts are reached.

    Returns:
        A SHA-256, in hexadecimal.
    """
    parts: dict[str, Any] = {
        "versions": _versions(),
        "protocol": protocol.record,
        "code": _own_code(subject.id.partition("/")[0]),
        "data": _data(os.environ.get("OPTZOO_DATA", "")),
        "title": subject.title,
    }
    if isinstance(subject, Claim):
        parts["theorem"] = theorem_records([subject.theorem])
        parts["rest"] = [
            subject.not_shown,
            subject.pairs_with,
            subject.x_label,
            list(subject.cases),
            dict(subject.not_tested),
            subject.search,
        ]
        makers = _functions(subject.prepare)
    else:
        parts["rest"] = [subject.paper, subject.description]
        makers = _functions(subject.evaluate)
    homes = {function.__module__.partition(".")[0] for function in makers}
    parts["from outside"] = [_code_of(name) for name in sorted(homes - {"theory_checks", "optzoo"})]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _functions(maker: Callable[..., Any] | Grid) -> list[Any]:
    """The functions behind a claim, without the arguments that a grid bound to them."""
    found: list[Any] = list(maker.cases.values()) if isinstance(maker, Grid) else [maker]
    while any(isinstance(one, partial) for one in found):
        found = [one.func if isinstance(one, partial) else one for one in found]
    return [one for one in found if getattr(one, "__module__", None)]


@cache
def _own_code(paper: str) -> str:
    """The repository's code without what takes no part in this paper's numbers."""
    claims = _HERE / "claims"
    files = [
        path
        for path in _HERE.rglob("*.py")
        if path.relative_to(_HERE).parts[0] not in _APART
        and (not path.is_relative_to(claims) or path.relative_to(claims).parts[0] == paper)
    ]
    for package in (optzoo, optzoo.problems):
        home = Path(str(package.__file__)).parent
        files += [p for p in home.rglob("*.py") if p.relative_to(home).parts[0] not in _APART]
    return _digest(files)


@cache
def _code_of(name: str) -> str:
    """A package's code, or that of a module and of the neighbours that it imports."""
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    if file is None:
        return ""
    if hasattr(module, "__path__"):
        return _digest(Path(file).resolve().parent.rglob("*.py"))
    return _digest(_with_neighbours(Path(file).resolve()))


def _with_neighbours(file: Path) -> set[Path]:
    """A file and those beside it that it imports, and so on."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        for statement in ast.walk(parsed(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(statement, ast.Import):
                names = [alias.name for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                names = [statement.module or ""]
            waiting += [path.parent / f"{name.partition('.')[0]}.py" for name in names]
    return found


def _digest(files: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in sorted({path.resolve() for path in files}):
        if path.suffix == ".py":
            found.update(f"{path.name}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


@cache
def _data(folder: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of the files of OPTZOO_DATA."""
    if not folder or not Path(folder).is_dir():
        return []
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
