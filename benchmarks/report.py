"""Markdown tables, and the file that keeps the latest one of every benchmark."""

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["RESULTS", "machine", "replace_section", "table"]

RESULTS = Path(__file__).parent / "RESULTS.md"
TITLE = "# Benchmarks\n\nMade by `make bench`. Read the ratios: the seconds are one machine's.\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, its first column to the left and all others to the right.

    Example:
        >>> print(table(["what", "s"], [["loop", 1.5]]))
        | what | s |
        |---|---:|
        | loop | 1.5 |
    """
    rule = "|---" + "|---:" * (len(header) - 1) + "|"
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (header, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])


def machine(packages: Sequence[str]) -> str:
    """Where and when: cores, versions, date, and how busy the machine was before."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"{os.cpu_count()} cores ({platform.system()} {platform.machine()}), "
        f"Python {platform.python_version()}, {versions}; {today}; "
        f"load average at the start {os.getloadavg()[0]:.1f}."
    )


def replace_section(document: str, title: str, text: str) -> str:
    """The document with the section of this title replaced, or appended.

    Example:
        >>> document = replace_section("", "first", "1") + replace_section("", "second", "2")
        >>> "1" in replace_section(document, "second", "3")
        True
    """
    preamble, *sections = document.split("\n## ")
    contents = dict(section.split("\n", 1) for section in sections)
    contents[title] = f"\n{text.strip()}\n"
    parts = (f"\n## {name}\n{content.rstrip()}\n" for name, content in contents.items())
    return (preamble.rstrip() or TITLE.rstrip()) + "\n" + "".join(parts)
