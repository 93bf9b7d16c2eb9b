"""The page of findings names claims that exist, and quotes them as the verdicts have them."""

import re
from pathlib import Path

import pytest

from theory_checks.claims import CLAIMS, SIDE_BY_SIDE

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "findings.md").read_text(encoding="utf-8")
VERDICTS = (DOCS / "verdicts.md").read_text(encoding="utf-8")
IDS = {one.id for one in (*CLAIMS, *SIDE_BY_SIDE)}
PAPERS = "|".join(sorted({name.partition("/")[0] for name in IDS}))
NAMED = sorted(set(re.findall(rf"`((?:{PAPERS})/[^`]*)`", TEXT)))
QUOTED = re.findall(r"^\| (\w+) \| `([^`]+)` \| ([^|]+) \|$", TEXT, re.MULTILINE)


def test_claims_of_every_paper_are_named():
    assert {name.partition("/")[0] for name in NAMED} == set(PAPERS.split("|"))


@pytest.mark.parametrize("name", NAMED)
def test_a_claim_that_is_named_exists(name):
    assert name in IDS


@pytest.mark.parametrize(("theorem", "name", "tightness"), QUOTED, ids=[one[1] for one in QUOTED])
def test_a_tightness_is_that_of_the_verdicts(theorem, name, tightness):
    (row,) = (line for line in VERDICTS.splitlines() if f"| {name} | " in line)
    cells = [cell.strip() for cell in row.split("|")]
    assert (cells[1], cells[6]) == (theorem, tightness.strip())


def test_both_tables_are_read():
    assert len(QUOTED) == sum(line.startswith("| ") and "/" in line for line in _tables())


def _tables():
    parts = TEXT.split("\n## ")
    return "\n".join(part for part in parts if part.startswith("Where ")).splitlines()


def test_the_constants_that_nothing_tests_are_as_many_as_the_coverage_says():
    (rows,) = re.findall(r"\| theorem \| constant .*\n\|[-|]+\n((?:\|.*\n)+)", TEXT)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows.splitlines()]
    named = sum(len(row[1].split(", ")) * len(row[2].split(", ")) for row in cells)
    coverage = (DOCS / "coverage.md").read_text(encoding="utf-8")
    (counted,) = re.findall(r"^\| caught at no factor \| – \| (\d+),", coverage, re.MULTILINE)
    assert named == int(counted)
