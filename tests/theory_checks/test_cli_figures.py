"""`theory-checks figures` and `theory-checks new`, as a user would call them."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from theory_checks import cli
from theory_checks.records.read import CURVES

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "browser" / "results.json"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run of eight claims and of methods side by side, beside the caller."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    panels = results["comparisons"][0]["panels"]
    panels.append(panels[0] | {"title": "again"})
    (tmp_path / "run" / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return results


def drawable(run):
    return [one for one in run["claims"] if one.get("checkpoints") and one.get("mean")]


def test_data_are_those_of_the_record(run, capsys):
    claim = next(one for one in drawable(run) if one["lower"] and one["bound"])
    assert cli.main(["figures", "run", claim["id"], "--format", "csv", "--out", "data"]) == 0
    name = claim["id"].replace("/", "-")
    with Path("data", f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["x", *(name for name in CURVES if claim.get(name))]
    assert len(header) > 3
    for column in header[1:]:
        values = [row[header.index(column)] for row in rows]
        kept = claim[column]
        assert [None if one == "" else float(one) for one in values] == kept
    assert [float(row[0]) for row in rows] == claim["checkpoints"]
    assert "1 files: data" in capsys.readouterr().out


def test_panels_have_a_file_each(run):
    beside = run["comparisons"][0]
    assert cli.main(["figures", "run", beside["id"], "--format", "csv", "--out", "data"]) == 0
    name = beside["id"].replace("/", "-")
    found = sorted(path.name for path in Path("data").iterdir())
    assert found == [f"{name}-{number}.csv" for number in range(1, len(beside["panels"]) + 1)]
    with Path("data", f"{name}-1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for curve in beside["panels"][0]["curves"]:
        mine = [row for row in rows if row["label"] == curve["label"]]
        assert [float(row["x"]) for row in mine] == curve["x"]
        assert [float(row["mean"]) for row in mine] == curve["mean"]


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_every_figure_of_a_run_is_a_file(run, kind):
    assert cli.main(["figures", "run", "--format", kind]) == 0
    panels = [panel for beside in run["comparisons"] for panel in beside["panels"]]
    files = list(Path("figures").glob(f"*.{kind}"))
    assert len(files) == len(drawable(run)) + len(panels)
    for file in files:
        content = file.read_bytes()
        assert len(content) > 2000
        if kind == "svg":
            assert ElementTree.fromstring(content).tag.endswith("svg")
        else:
            assert content.startswith(b"%PDF")


def test_nothing_is_overwritten_silently(run, capsys):
    name = drawable(run)[0]["id"]
    arguments = ["figures", "run", name, "--format", "csv"]
    assert cli.main(arguments) == 0
    (file,) = Path("figures").iterdir()
    file.write_text("mine")
    assert cli.main(arguments) == 2
    assert f"{file} exists; give --overwrite" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert cli.main(["figures", "run", "--format", "csv"]) == 2
    assert list(Path("figures").iterdir()) == [file], "none is written if one is in the way"
    assert cli.main([*arguments, "--overwrite"]) == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing/here"], "no id is named by 'nothing/here'"),
        (["nowhere"], "results.json does not exist"),
        (["broken"], "is not complete, strict JSON"),
        (["run", "--format", "gif"], "invalid choice: 'gif'"),
        (["run", "--out", "run/results.json"], "is a file"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(run, arguments, message, capsys):
    Path("broken").mkdir()
    Path("broken", "results.json").write_text("{")
    try:
        status = cli.main(["figures", *arguments])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert not Path("figures").exists()


def test_a_first_file_runs_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "trial.py"]) == 0
    assert "theory-checks run --claims trial.py trial" in capsys.readouterr().out
    source = Path("trial.py").read_text(encoding="utf-8")
    assert "theory-checks run --claims trial.py trial" in source
    assert "PAPER" not in source
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(ROOT / "pyproject.toml"), "trial.py"]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [*ruff, *command, *config], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    assert cli.main(["run", "--claims", "trial.py", "trial", "--out", "out", "--no-cache"]) == 0
    (claim,) = json.loads(Path("out", "results.json").read_text(encoding="utf-8"))["claims"]
    assert claim["id"] == "trial/noisy"
    assert claim["verdict"] == "CONSISTENT"
    assert [control["killed"] for control in claim["controls"]] == [True] * 3

    assert cli.main(["new", "trial.py"]) == 2
    assert "trial.py exists" in capsys.readouterr().err
    assert Path("trial.py").read_text(encoding="utf-8") == source


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mine.py", "lower-case letters are needed, got 'Mine'"),
        ("mine.txt", "a Python file such as mine.py is needed"),
        ("a-b.py", "a Python file such as mine.py is needed"),
        ("soap.py", "'soap' begins ids of this repository"),
        ("no/where.py", "no is no folder"),
    ],
)
def test_names_that_cannot_begin_ids(name, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", name]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
