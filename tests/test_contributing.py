"""Every file that docs/contributing tells to copy runs as it is printed, in the place it is for."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import optzoo
import optzoo.problems
import theory_checks.checks
import theory_checks.claims
from optzoo.conformance import PROPERTIES, conformance, optimizers
from optzoo.theorems import theorems_of
from theory_checks.presets import MASTER_SEED, PRESETS
from theory_checks.records.coverage import coverage_of
from theory_checks.records.theorems import theorem_records
from theory_checks.registration import load_file
from theory_checks.report.coverage import in_words
from theory_checks.simulation.evaluation import run_claim
from theory_checks.simulation.laboratory import Laboratory

from .notebooks import test_notebooks as lessons
from .problems.finite_sums import test_finite_sum as finite_sums

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "contributing"
FOLDERS = {"optzoo": "optzoo", "problems": "optzoo.problems", "theory_checks": "theory_checks"}
CHEAP = ("init takes shapes and placeholders", "mistakes are named", "strict promotion, float16")


def text(page):
    return (PAGES / page).read_text(encoding="utf-8")


def printed(page):
    """The files of a page, path -> content, and what stands there to be put into other files."""
    files = re.findall(r"^`([\w/.]+)`:\n\n```python\n(.*?)^```$", text(page), re.M | re.S)
    blocks = re.findall(r"^```python\n(.*?)^```$", text(page), re.M | re.S)
    return dict(files), [one for one in blocks if one not in dict(files).values()]


def module_name(path):
    """What the file or folder at a path of the repository is imported as, "" where it is not."""
    folder, *inner = Path(path).with_suffix("").parts
    names = (FOLDERS[folder], *inner) if folder in FOLDERS else ()
    return ".".join(names).removesuffix(".__init__")


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """Puts a page's files where they belong, for the time of a test, and imports them."""

    def place(page):
        files, others = printed(page)
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content, encoding="utf-8")
        for path in filter(module_name, files):
            folder = next(one for one in Path(path).parents if (ROOT / one).is_dir())
            package = importlib.import_module(module_name(folder))
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
        importable = filter(module_name, files)
        modules = {path: importlib.import_module(module_name(path)) for path in importable}
        for path, module in modules.items():
            assert doctest.testmod(module).failed == 0, path
        return files, others, modules

    yield place
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            parent, _, child = name.rpartition(".")
            vars(sys.modules.get(parent, sys)).pop(child, None)
            del sys.modules[name]


def run_tests(code):
    """The tests of a printed file, once for each row of their tables."""
    space = {"__name__": "printed"}
    exec(compile(code, "printed", "exec"), space)
    ran = 0
    for name, test in list(space.items()):
        if not name.startswith("test_"):
            continue
        marks = getattr(test, "pytestmark", [])
        ((argument, values),) = [mark.args for mark in marks] or [(None, [None])]
        for value in values:
            test(**({argument: value} if argument else {}))
            ran += 1
    return ran


def public(monkeypatch, package, module):
    for name in module.__all__:
        monkeypatch.setattr(package, name, getattr(module, name), raising=False)


def test_every_page_is_on_the_front_page_and_its_links_lead_somewhere():
    front = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for page in PAGES.iterdir():
        assert f"(docs/contributing/{page.name})" in front
        for target in re.findall(r"\]\(([^)#]+)\)", text(page.name)):
            assert (PAGES / target).is_file(), (page.name, target)
    for target in re.findall(r"\]\(([^)#]+)\)", front):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("page", sorted(page.name for page in PAGES.iterdir()))
def test_a_table_names_every_printed_file_and_files_that_exist(page):
    files, _ = printed(page)
    assert files
    rows = re.findall(r"^\| `([\w/.]+)` \|", text(page), re.M)
    assert set(rows) >= set(files) - {"mine.py"}
    new = {"docs/theory/noisy_descent.md"} | set(files)
    for path in set(rows) - new:
        assert (ROOT / path).exists(), path


def test_the_printed_files_are_in_order(tmp_path):
    for page in PAGES.iterdir():
        for path, content in printed(page.name)[0].items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content, encoding="utf-8")
    for command in (["check"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache"]
        config = ["--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run([*ruff, *config, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_an_algorithm(placed, monkeypatch):
    files, (row,), modules = placed("add_an_algorithm.md")
    public(monkeypatch, optzoo, modules["optzoo/heavy_ball.py"])
    (row,) = eval(f"({row})", vars(optimizers) | {"heavy_ball": optzoo.heavy_ball})
    outcomes = conformance(row, [one for one in PROPERTIES if one.name in CHEAP])
    assert [one.result for one in outcomes] == ["passed"] * len(CHEAP), outcomes
    assert run_tests(files["tests/optzoo/test_heavy_ball.py"]) == 4


def test_an_instance(placed, monkeypatch):
    files, (row,), modules = placed("add_an_instance.md")
    public(monkeypatch, optzoo.problems, modules["problems/finite_sums/bowls.py"])
    found = eval(f"{{{row}}}", {"Bowls": optzoo.problems.Bowls, "jnp": finite_sums.jnp})
    monkeypatch.setitem(finite_sums.PROBLEMS, "bowls", found["bowls"])
    finite_sums.test_the_gradients_agree("bowls")
    assert run_tests(files["tests/problems/finite_sums/test_bowls.py"]) == 7


def test_a_check(placed, monkeypatch):
    files, _, modules = placed("add_a_check.md")
    public(monkeypatch, theory_checks.checks, modules["theory_checks/checks/exact_decrease.py"])
    assert run_tests(files["tests/theory_checks/test_exact_decrease.py"]) == 8


def test_a_theorem(placed):
    files, _, modules = placed("add_a_theorem.md")
    page = modules["optzoo/theorems/noisy_descent.py"]
    assert run_tests(files["tests/optzoo/theorems/test_noisy_descent.py"]) == 5
    (claim,) = modules["theory_checks/claims/noisy_descent/__init__.py"].CLAIMS
    assert [claim.theorem] == list(theorems_of(vars(page)))
    consistent_with_its_controls(claim)


def consistent_with_its_controls(claim):
    found = run_claim(claim, Laboratory(seeds=PRESETS["quick"], master_seed=MASTER_SEED))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert len(found["controls"]) >= 3
    assert all(control["killed"] for control in found["controls"]), found["controls"]
    assert found["tightness"] < 1
    caught = {name: one["factor"] for name, one in found["coverage"].items()}
    assert list(caught) == ["mu", "sigma", "R"]
    assert max(caught.values()) < 3, "each constant is tested"
    assert {"killed", "survived"} <= set(found["structure"].values())
    return found


def test_ones_own_file(tmp_path, monkeypatch):
    files, _ = printed("bring_your_own.md")
    path = tmp_path / "mine_of_contributing.py"
    path.write_text(files["mine.py"], encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    mine = load_file(path)
    (claim,) = mine.CLAIMS
    found = consistent_with_its_controls(claim)
    (row,) = coverage_of(theorem_records([claim.theorem]), [found])
    assert "\n".join(in_words(row)[:4]) in text("bring_your_own.md")
    with pytest.raises(ValueError, match="T1 does not apply"):
        mine.SETTING.bound(mine.T1, mine.AT, eta=3.0)


def test_a_notebook(tmp_path, monkeypatch, capsys):
    files, _ = printed("add_a_notebook.md")
    path = tmp_path / "forgetting.py"
    path.write_text(files["notebooks/forgetting.py"], encoding="utf-8")
    lessons.test_it_runs_and_leaves_no_trace(path, monkeypatch, capsys)
    lessons.test_it_has_the_parts_of_a_lesson(path)
    lessons.test_its_exercises_have_solutions_that_can_fail(path)
    assert not plt.get_fignums()
