"""The page for optax has what is asked of soap, and the numbers of the benchmarks."""

import re
from pathlib import Path

import pytest

from optzoo.conformance import PROPERTIES
from optzoo.conformance.optimizers import ROWS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "soap_for_optax.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")


def tables(text):
    """The columns of each table, by their heads: cells by the words their row begins with."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()
        )
        words = 2 if head[0] == "parameters" else 1
        found.append(
            {
                name: {tuple(row[:words]): row[at] for row in rows}
                for at, name in enumerate(head)
                if at >= words
            }
        )
    return found


@pytest.mark.parametrize("shown", tables(TEXT), ids=lambda shown: next(iter(shown)))
def test_a_table_is_one_of_the_benchmarks(shown):
    sections = [RESULTS.split(f"\n## {name}\n")[1].split("\n## ")[0] for name in SECTIONS]
    measured = [table for section in sections for table in tables(section)]
    (source,) = (table for table in measured if set(shown) <= set(table))
    for column, cells in shown.items():
        assert cells == source[column], column


SECTIONS = ("soap", "soap_language_model")


def test_the_record_has_every_property_that_applies():
    (row,) = (row for row in ROWS if row.name == "soap")
    asked = [one.name for one in PROPERTIES if one.does_not_apply(row) is None]
    (record,) = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^  (\S.*\S)  +passed$", record, re.MULTILINE) == asked
    assert f"{len(asked)} passed, 0 failed" in record


def test_the_machine_is_that_of_the_benchmarks():
    for name in SECTIONS:
        line = RESULTS.split(f"\n## {name}\n")[1].strip().splitlines()[0]
        day, load = re.findall(r"; (\S+); load average at the start (\S+)\.$", line)[0]
        assert f"{day}; load average at the start {load}." in " ".join(TEXT.split())


def test_the_readme_has_the_headline_of_the_benchmarks():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    speed = " ".join((ROOT / "docs" / "speed.md").read_text(encoding="utf-8").split())
    fewer, sooner, before = re.findall(
        r"these are (\d+%) fewer iterations and (\d+%) less time than AdamW's, and (\d+%) fewer",
        speed,
    )[0]
    assert (
        f"takes {fewer} fewer iterations and {sooner} less time than AdamW, and {before}" in readme
    )
