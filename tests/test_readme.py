"""What the README and the pages that hold its tables say exists."""

import re
from pathlib import Path

import pytest

from optzoo.conformance.optimizers import ROWS
from theory_checks.claims import CLAIMS

ROOT = Path(__file__).parent.parent
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "docs/methods.md",
        "docs/guide/how_to_choose.md",
        "docs/speed.md",
        "docs/verification.md",
        "docs/command_line.md",
        "docs/compatibility.md",
        "docs/soap_for_optax.md",
        "docs/findings.md",
        "SECURITY.md",
    )
}
README = PAGES["README.md"]


def test_every_method_has_its_row():
    """In the table of methods, alone or beside its kin."""
    firsts = [
        line.split("|")[1]
        for line in PAGES["docs/methods.md"].splitlines()
        if line.startswith("| `")
    ]
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
    named = set(re.findall(r"^\| ([A-Z0-9a-z, ]+) \|", PAGES["docs/verification.md"], re.MULTILINE))
    theorems = {label for line in named for label in line.split(", ")}
    assert {claim.theorem.root.label for claim in CLAIMS} <= theorems


def test_the_demo_has_a_theorem_of_each_paper():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    named = re.search(r"^DEMO = (.*)$", makefile, flags=re.MULTILINE)[1].split()
    claims = {claim.id: claim for claim in CLAIMS}
    assert set(named) <= set(claims)
    papers = [name.partition("/")[0] for name in named]
    assert sorted(papers) == sorted({name.partition("/")[0] for name in claims})
    assert "make demo" in README


@pytest.mark.parametrize("name", PAGES)
def test_linked_files_exist(name):
    targets = re.findall(r"\]\((?!https://|#)([^)#]+)(?:#[^)]*)?\)", PAGES[name])
    assert targets
    for target in targets:
        assert ((ROOT / name).parent / target).is_file(), target


def test_the_readme_is_short():
    assert len(README.split()) < 800
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(example.splitlines()) <= 12
    assert len(re.findall(r"!\[", README)) == 3
