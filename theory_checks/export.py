# SPDX-License-Identifier: Apache-2.0
"""The command `theory-checks figures`: the figures of a run, or their data, as files."""

import argparse
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ExportError", "write_figures"]


@dataclass(frozen=True)
class _Named:
    id: str


class ExportError(ValueError):
    """Figures that cannot be written as asked."""


def write_figures(options: argparse.Namespace) -> int:
    """Writes a file for each figure that is asked for; none if one of them is there already.

    Args:
        options: the directory of the run, ids, format, out and overwrite.

    Returns:
        The exit status 0.

    Raises:
        ExportError: if the run cannot be read, nothing can be drawn, or a file is in the way.
    """
    from .records.read import load_results
    from .report.export import exports
    from .selection import select

    try:
        results = load_results(options.directory)
    except (FileNotFoundError, ValueError) as error:
        raise ExportError(str(error)) from None
    records = [*results["claims"], *results["comparisons"]]
    by_id = {one["id"]: one for one in records}
    chosen = select([_Named(name) for name in by_id], options.ids)
    figures = []
    for one in chosen:
        found = list(exports(by_id[one.id]))
        if not found:
            print(f"no curve was recorded: {one.id}")
        figures += found
    if not figures:
        raise ExportError("none of these has a figure")
    folder: Path = options.out
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"--out {folder} is a file")
    paths = [folder / f"{figure.name}.{options.format}" for figure in figures]
    there = [path for path in paths if path.exists()]
    if there and not options.overwrite:
        others = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ExportError(
            f"{there[0]}{others} exists; give --overwrite to replace it, or another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for figure, path in zip(figures, paths, strict=True):
        figure.write(path)
    print(f"{len(paths)} files: {folder}")
    return 0
