# SPDX-License-Identifier: Apache-2.0
"""Claims and optimizers from outside: files of one's own, and installed packages.

A package names them in its pyproject.toml, under the groups `CLAIMS_GROUP` and `OPTIMIZERS_GROUP`
of entry points; a file is given as `--claims path.py`. Both have `CLAIMS`, `SIDE_BY_SIDE` or both.
"""

import importlib.metadata
import importlib.util
import sys
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from optzoo.conformance.blame import place

from .claim import Claim
from .side_by_side import SideBySide

__all__ = [
    "CLAIMS_GROUP",
    "OPTIMIZERS_GROUP",
    "Origin",
    "RegistrationError",
    "collected",
    "installed_optimizers",
    "load_file",
    "registered",
]

CLAIMS_GROUP = "optzoo.claims"
OPTIMIZERS_GROUP = "optzoo.optimizers"

Subject = Claim | SideBySide


class RegistrationError(ValueError):
    """Claims or an optimizer that cannot be taken as given."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A place that claims come from.

    Attributes:
        name: "optzoo", "my-package 1.0", or the file as it was given.
        owner: origins of one owner may share the first component of their ids.
        subjects: its claims, then what stands side by side.
    """

    name: str
    owner: str
    subjects: tuple[Subject, ...]


def registered(files: Sequence[Path] = ()) -> list[Origin]:
    """Every origin: the repository, the installed packages, then the files.

    Args:
        files: Python files with CLAIMS or SIDE_BY_SIDE; one that is given twice counts once.

    Returns:
        The origins, whose ids are unique and whose papers do not collide (see `collected`).

    Raises:
        RegistrationError: if a file or a package cannot be loaded or holds no claims, or if ids
            collide.

    Example:
        >>> registered()[0].name
        'optzoo'
    """
    from .claims import CLAIMS, SIDE_BY_SIDE

    origins = [Origin("optzoo", "optzoo", (*CLAIMS, *SIDE_BY_SIDE)), *_installed_claims()]
    given: dict[Path, Path] = {}
    for path in files:
        given.setdefault(path.resolve(), path)
    origins += [
        Origin(str(path), "--claims", _subjects(load_file(path), str(path)))
        for path in given.values()
    ]
    collected(origins)
    return origins


def collected(origins: Iterable[Origin]) -> list[Subject]:
    """All claims, then all that stands side by side.

    The first component of an id is the paper's name, by which `list` and `run` select. It belongs
    to one owner, so that adding a package never changes what a command runs.

    Args:
        origins: where they come from.

    Returns:
        Those of all origins.

    Raises:
        RegistrationError: if an id is used twice, two owners use one paper's name, or a claim
            pairs with what is none.
    """
    holders: dict[str, Origin] = {}
    papers: dict[str, Origin] = {}
    subjects: list[Subject] = []
    for origin in origins:
        for one in origin.subjects:
            paper = one.id.partition("/")[0]
            if one.id in holders:
                first = holders[one.id].name
                where = (
                    f"in {origin.name}"
                    if first == origin.name
                    else (f"by {first} and by {origin.name}")
                )
                raise RegistrationError(f"the id '{one.id}' is used twice, {where}; ids are unique")
            held = papers.setdefault(paper, origin)
            if held.owner != origin.owner:
                raise RegistrationError(
                    f"the id '{one.id}' of {origin.name} begins with '{paper}/', as ids of "
                    f"{held.name} do; begin it with a name of your own"
                )
            holders[one.id] = origin
            subjects.append(one)
    known = {one.id for one in subjects if isinstance(one, Claim)}
    for one in subjects:
        for name in one.pairs_with if isinstance(one, Claim) else ():
            if name not in known or name == one.id:
                raise RegistrationError(
                    f"the claim '{one.id}' pairs with '{name}', which is "
                    f"{'itself' if name == one.id else 'no claim'}"
                )
    return sorted(subjects, key=lambda one: isinstance(one, SideBySide))


def load_file(path: Path) -> ModuleType:
    """A Python file as a module; it may import its neighbours, as a script may.

    Args:
        path: the file.

    Returns:
        The module, also in `sys.modules`, where dataclasses look for their own.

    Raises:
        RegistrationError: if there is no such file, or it raises: the message has its line.
    """
    if not path.is_file():
        raise RegistrationError(f"the file {path} does not exist")
    if path.suffix != ".py":
        raise RegistrationError(f"{path} is no Python file: its name must end in .py")
    path = path.resolve()
    name = _free_name(path)
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RegistrationError(_cannot_load(str(path), error)) from error
    return module


def _free_name(path: Path) -> str:
    """The file's own name, under which its neighbours import it, unless another module has it."""
    taken = sys.modules.get(path.stem)
    if taken is None or getattr(taken, "__file__", None) == str(path):
        return path.stem
    return f"{path.stem}_{zlib.crc32(str(path).encode()):08x}"


def _cannot_load(what: str, error: Exception) -> str:
    return f"{what} cannot be loaded: {type(error).__name__}: {error} ({place(error)})"


def _subjects(holder: Any, name: str) -> tuple[Subject, ...]:
    """CLAIMS and SIDE_BY_SIDE of a module, or of whatever has them."""
    found: list[Subject] = []
    former = getattr(holder, "COMPARISONS", ())
    if former:
        warnings.warn(
            f"COMPARISONS of {name} is called SIDE_BY_SIDE, and its objects SideBySide",
            FutureWarning,
            stacklevel=2,
        )
    for attribute, kind in (("CLAIMS", Claim), ("SIDE_BY_SIDE", SideBySide)):
        listed = getattr(holder, attribute, former if kind is SideBySide else ())
        if isinstance(listed, kind):
            raise RegistrationError(
                f"{attribute} of {name} is one {kind.__name__}; make it a tuple: ({attribute},)"
            )
        try:
            members = tuple(listed)
        except TypeError:
            raise RegistrationError(
                f"{attribute} of {name} must be a tuple, but is {listed!r}"
            ) from None
        for one in members:
            if not isinstance(one, kind):
                raise RegistrationError(
                    f"{attribute} of {name} must hold objects of theory_checks.{kind.__name__}, "
                    f"but has {one!r}"
                )
        found += members
    if not found:
        raise RegistrationError(
            f"{name} has no claims: it must define CLAIMS = (Claim(...), ...), or SIDE_BY_SIDE"
        )
    return tuple(found)


def _installed_claims() -> list[Origin]:
    origins = []
    for entry in importlib.metadata.entry_points(group=CLAIMS_GROUP):
        package, name = _package(entry)
        origins.append(Origin(name, package, _subjects(_loaded(entry, name), name)))
    return origins


def installed_optimizers() -> dict[str, Any]:
    """What installed packages offer as optimizers, by the names of their entry points.

    Returns:
        Names -> an `optzoo.conformance.Row`, a constructor or a transformation.

    Raises:
        RegistrationError: if one cannot be loaded, or two have one name.

    Example:
        >>> isinstance(installed_optimizers(), dict)
        True
    """
    found: dict[str, Any] = {}
    for entry in importlib.metadata.entry_points(group=OPTIMIZERS_GROUP):
        if entry.name in found:
            raise RegistrationError(
                f"two installed packages name an optimizer '{entry.name}' (entry points of the "
                f"group {OPTIMIZERS_GROUP})"
            )
        found[entry.name] = _loaded(entry, _package(entry)[1])
    return found


def _package(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """The name of the package that has the entry point, and the name with its version."""
    if entry.dist is None:
        return entry.value, entry.value
    return entry.dist.name, f"{entry.dist.name} {entry.dist.version}"


def _loaded(entry: importlib.metadata.EntryPoint, name: str) -> Any:
    try:
        return entry.load()
    except Exception as error:
        what = f"the entry point {entry.name} = {entry.value} of {name}"
        raise RegistrationError(_cannot_load(what, error)) from error
