# SPDX-License-Identifier: Apache-2.0
"""One's own data: the LIBSVM files in the folder that OPTZOO_DATA names."""

import bz2
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .presets import data_folder

__all__ = ["data_files"]


def data_files() -> dict[str, str]:
    """LIBSVM files in the folder that OPTZOO_DATA names, for `optzoo.problems.libsvm`.

    A file counts if its first line looks like one of the format: a label, then index:value.

    Returns:
        "data/name" -> the name to read; empty where the variable is not set.
    """
    folder = data_folder()
    if folder is None:
        return {}
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and _looks_like_libsvm(path):
            name = path.name.removesuffix(".bz2").removesuffix(".gz")
            found.setdefault("data/" + re.sub(r"[^a-z0-9.-]+", "-", name.lower()), name)
    return found


def _looks_like_libsvm(path: Path) -> bool:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    opener = openers.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:
            start = file.readline(10_000)
    except (OSError, EOFError):
        return path.suffix in (".gz", ".bz2")  # damaged: reading it says how
    return re.match(rb"[+-]?[0-9.]+ +[0-9]+:", start) is not None
