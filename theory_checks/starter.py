# SPDX-License-Identifier: Apache-2.0
"""The command `theory-checks new`: a first file of claims, complete, to be changed."""

import argparse
import importlib.resources
from pathlib import Path

__all__ = ["StarterError", "write_first_claim"]

_TEMPLATE = "first_claim.template"


class StarterError(ValueError):
    """A file that cannot be begun."""


def write_first_claim(options: argparse.Namespace) -> int:
    """Writes a file with a method, an instance and a claim with controls, which runs as it is.

    Args:
        options: the file; its name without the ending is the paper's part of the ids.

    Returns:
        The exit status 0.

    Raises:
        StarterError: if the file is there, or its name cannot begin an id or be imported.
    """
    file: Path = options.file
    _require_name(file)
    if not file.parent.is_dir():
        raise StarterError(f"{file.parent} is no folder")
    text = importlib.resources.files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    text = text.replace("PAPER/", f"{file.stem}/").replace("FILE NAME", f"{file.name} {file.stem}")
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise StarterError(f"{file} exists; another name is needed") from None
    print(f"{file}: theory-checks run --claims {file} {file.stem}")
    return 0


def _require_name(file: Path) -> None:
    from .claim import require_path
    from .registration import collected, registered

    name = file.stem
    if file.suffix != ".py" or not name.isidentifier():
        raise StarterError(f"a Python file such as mine.py is needed, got '{file.name}'")
    try:
        require_path(f"{name}/claim", "mine/claim")
    except ValueError:
        raise StarterError(
            f"the name of the file begins the ids: lower-case letters are needed, got '{name}'"
        ) from None
    if name in {one.id.partition("/")[0] for one in collected(registered([]))}:
        raise StarterError(f"'{name}' begins ids of this repository; another name is needed")
