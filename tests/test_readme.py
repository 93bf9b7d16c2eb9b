"""What the README says exists."""

import re
from pathlib import Path

import pytest

from optzoo.conformance.optimizers import ROWS
from theory_checks.claims import CLAIMS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_method_has_its_row():
    """In the table of methods, alone or beside its kin."""
    firsts = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    for row in ROWS:
        assert any(f"`{row.make.__name__}`" in first for first in firsts), row.make.__name__


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_stands_in_the_table_of_verdicts(claim):
    verdicts = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    # In the table of coverage an id stands in the last column.
    rows = [line for line in verdicts.splitlines() if f"| {claim.id} | " in line]
    assert len(rows) == 1, f"copy the row of {claim.id} from the summary.md of a run"
    assert f"| {claim.theorem.root.label} | {claim.title} |" in rows[0]
    assert "| CONSISTENT |" in rows[0]


def test_every_theorem_is_named():
    named = set(re.findall(r"^\| ([A-Z0-9a-z, ]+) \|", TEXT, flags=re.MULTILINE))
    theorems = {label for line in named for label in line.split(", ")}
    assert {claim.theorem.root.label for claim in CLAIMS} <= theorems


def test_the_demo_has_a_theorem_of_each_paper():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    named = re.search(r"^DEMO = (.*)$", makefile, flags=re.MULTILINE)[1].split()
    claims = {claim.id: claim for claim in CLAIMS}
    assert set(named) <= set(claims)
    papers = [name.partition("/")[0] for name in named]
    assert sorted(papers) == sorted({name.partition("/")[0] for name in claims})
    assert "make demo" in TEXT


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
