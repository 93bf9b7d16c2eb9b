"""The source distribution holds what its texts point to, and says once what it is."""

import re
import tomllib
from pathlib import Path

import pytest

import optzoo

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "notebooks").rglob("*.md")),
    ROOT / "benchmarks" / "RESULTS.md",
]
MANIFEST = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
WORDS = [line.split() for line in MANIFEST if line and not line.startswith("#")]
FILES = {name for command, *names in WORDS if command == "include" for name in names}
FOLDERS = {name for command, *names in WORDS if command == "graft" for name in names}
PACKAGES = ("optzoo", "problems", "plots", "theory_checks")  # of which every module is in it


def is_in_it(path):
    inside = path.relative_to(ROOT)
    if inside.parts[0] in PACKAGES and path.suffix == ".py":
        return True
    return str(inside) in FILES or any(str(one) in FOLDERS for one in inside.parents)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_into_it(page):
    assert is_in_it(page)
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)\s#]+)(?:#[^)]*)?\)", text):
        start = ROOT if target.startswith("/") else page.parent
        path = (start / target.lstrip("/")).resolve()
        assert path.exists(), target
        assert is_in_it(path), target


def test_what_the_makefile_reads_is_in_it():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("constraints.txt", "pyproject.toml", "notebooks", "tests", "docs", "benchmarks"):
        assert name in makefile
    assert {"Makefile", "constraints.txt", "constraints-newest.txt", "LICENSE"} <= FILES
    assert {"benchmarks", "docs", "notebooks", "tests"} <= FOLDERS
    for name in FILES:
        assert (ROOT / name).is_file(), name
    for name in FOLDERS:
        assert (ROOT / name).is_dir(), name


def test_who_cites_it_cites_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = dict(re.findall(r"^([a-z-]+): (.+)$", citation, re.MULTILINE))
    assert cited["version"] == optzoo.__version__
    assert cited["license"] == project["license"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (dated,) = re.findall(rf"^## {re.escape(optzoo.__version__)} \((.*)\)$", changes, re.MULTILINE)
    assert dated == cited["date-released"]
    assert cited["cff-version"] == "1.2.0"
    assert {"title", "message"} <= set(cited)
    assert "authors:\n  - name: " in citation
    assert "urls" not in project
