"""Claims from outside the repository: files, installed packages, and what is said of mistakes."""

import json
import sys
from pathlib import Path

import pytest

from theory_checks import cli
from theory_checks.claim import Claim
from theory_checks.records import fingerprint
from theory_checks.registration import RegistrationError, collected, load_file, registered

CLAIM = """
from pathlib import Path
import numpy as np
from theory_checks.checks import ExactIdentity
from optzoo.theorems import Paper, Theorem
from theory_checks.claim import Case, Claim
from theory_checks.controls import controls, wrong
from theory_checks.setting import Stated

def case():
    with (Path(__file__).parent / "ran").open("a") as file:
        file.write("x")
    def check(value):
        return ExactIdentity(lambda: (np.array([value]), np.array([1.0])))
    half = wrong("half", "half of it", value=0.5)
    return Case(Stated("one number"), check(1.0), controls(check, half))

T1 = Theorem(
    label="T1", title="One is one", paper=Paper("My own paper"), source="Theorem 1",
    algorithm="mine", statement="$1 = 1$", assumptions=(), metric="1", output="last iterate",
    side="equal", not_shown="anything",
)

def claim(identifier="mine/one", prepare=case):
    return Claim(id=identifier, title="My own title", theorem=T1, prepare=prepare)
"""
GOOD = CLAIM + "CLAIMS = (claim(),)\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; modules that are loaded from it are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def install(folder, monkeypatch, entry_points, **modules):
    """A package as pip leaves it: modules, and a folder that says what they offer."""
    site = folder / "site"
    write(site, "own_methods-1.5.dist-info/METADATA", "Name: own-methods\nVersion: 1.5\n")
    write(site, "own_methods-1.5.dist-info/entry_points.txt", entry_points)
    for name, text in modules.items():
        write(site, f"{name}.py", text)
    monkeypatch.syspath_prepend(site)


def test_a_file_is_listed_run_reported_and_resumed(folder, capsys):
    write(folder, "mine.py", GOOD)
    assert cli.main(["list", "mine", "--claims", "mine.py"]) == 0
    assert capsys.readouterr().out.split() == ["mine/one", "T1", "My", "own", "title"]
    run = ["run", "mine", "--claims", "mine.py", "--out", "out"]
    assert cli.main(run) == 0
    results = json.loads(Path("out/results.json").read_text())
    (record,) = results["claims"]
    assert (record["id"], record["verdict"]) == ("mine/one", "CONSISTENT")
    assert record["controls"][0]["killed"]
    assert results["environment"]["claims_from"] == ["mine.py"]
    page = Path("out/report.html").read_text()
    assert "My own title" in page
    assert "with the claims of mine.py" in page
    write(folder, "more.py", CLAIM + "CLAIMS = [claim('mine/two')]\n")
    more = ["run", "mine/two", "--claims", "more.py", "--out", "out", "--resume"]
    assert cli.main(more) == 0
    results = json.loads(Path("out/results.json").read_text())
    assert [one["id"] for one in results["claims"]] == ["mine/one", "mine/two"]
    assert results["environment"]["claims_from"] == ["mine.py", "more.py"]
    assert Path("ran").read_text() == "xx"  # the first was not run again


def test_without_the_file_its_claims_are_unknown(folder, capsys):
    write(folder, "mine.py", GOOD)
    assert cli.main(["list", "mine"]) == 2
    assert "no id is named by 'mine'" in capsys.readouterr().err


def test_a_refuted_claim_of_ones_own_fails_the_run(folder):
    write(folder, "mine.py", GOOD.replace("check(1.0)", "check(1.5)"))
    assert cli.main(["run", "mine", "--claims", "mine.py", "--out", "out"]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the file mine.py does not exist"),
        ("x = 1\n", "mine.py has no claims: it must define CLAIMS"),
        ("CLAIMS = 3\n", "CLAIMS of mine.py must be a tuple, but is 3"),
        ("CLAIMS = ('one',)\n", "must hold objects of theory_checks.Claim, but has 'one'"),
        (CLAIM + "CLAIMS = claim()\n", "CLAIMS of mine.py is one Claim; make it a tuple"),
        (CLAIM + "CLAIMS = (claim(), claim())\n", "id 'mine/one' is used twice, in mine.py"),
        (
            CLAIM + "CLAIMS = (claim('frank_wolfe/mine'),)\n",
            "id 'frank_wolfe/mine' of mine.py begins with 'frank_wolfe/', as ids of optzoo do",
        ),
        (CLAIM + "CLAIMS = (claim('Mine'),)\n", "id must be a lower-case path"),
        (
            "import json\n\nimport not_installed\n",
            "ModuleNotFoundError: No module named 'not_installed' ("
            "{folder}/mine.py, line 3: import not_installed)",
        ),
        ("x = 1\ny = (\n", "SyntaxError: '(' was never closed"),
        ("import json\njson.loads('{')\n", "mine.py, line 2: json.loads('{')"),
    ],
)
def test_mistakes_in_a_file_are_named(folder, capsys, text, message):
    if text is not None:
        write(folder, "mine.py", text)
    assert cli.main(["list", "--claims", "mine.py"]) == 2
    assert message.replace("{folder}", str(folder)) in capsys.readouterr().err


def test_an_error_in_a_claims_own_code_names_its_line_and_the_others_finish(folder, capsys):
    text = "def broken():\n    return len(3)\n"
    write(folder, "mine.py", CLAIM + text + "CLAIMS = (claim('mine/a', broken), claim('mine/b'))")
    assert cli.main(["run", "mine", "--claims", "mine.py", "--out", "out"]) == 4
    error = capsys.readouterr().err
    assert "mine/a: TypeError: object of type 'int' has no len()" in error
    assert "mine.py, line" in error
    assert "return len(3)" in error
    results = json.loads(Path("out/results.json").read_text())
    assert [record["id"] for record in results["claims"]] == ["mine/b"]
    assert [failure["id"] for failure in results["failures"]] == ["mine/a"]
    assert "len(3)" in Path("out/report.html").read_text()


def test_what_changed_is_run_again_and_said(folder, capsys, monkeypatch):
    """The statement, the claim's own file, a neighbour that it imports, or a version."""
    write(folder, "neighbour_of_theirs.py", "VALUE = 1.0\n")
    text = "from neighbour_of_theirs import VALUE\n" + CLAIM + "CLAIMS = (claim('theirs/one'),)\n"
    write(folder, "theirs.py", text)
    run = ["run", "theirs", "--claims", "theirs.py", "--out", "out"]
    assert cli.main(run) == 0

    def resumed():
        for name in ("theirs", "neighbour_of_theirs"):
            sys.modules.pop(name, None)
        fingerprint._code_of.cache_clear()
        assert cli.main([*run, "--resume"]) == 0
        return "run again (" in capsys.readouterr().out

    capsys.readouterr()
    assert not resumed()
    write(folder, "unrelated_to_theirs.py", "x = 1\n")
    assert not resumed()
    write(folder, "theirs.py", text + "# a remark\n")
    assert resumed()
    assert not resumed()
    write(folder, "neighbour_of_theirs.py", "VALUE = 2.0\n")
    assert resumed()
    versions = {**fingerprint._versions(), "optax": "0.0"}
    monkeypatch.setattr(fingerprint, "_versions", lambda: versions)
    assert resumed()
    results = json.loads(Path("out/results.json").read_text())
    assert len(results["claims"]) == 1


def test_a_changed_claim_that_is_not_asked_for_is_taken_out(folder, capsys):
    text = CLAIM + "CLAIMS = (claim('others/a'), claim('others/b'))\n"
    write(folder, "others.py", text)
    run = ["run", "others", "--claims", "others.py", "--out", "out"]
    assert cli.main(run) == 0
    write(folder, "others.py", text + "# a remark\n")
    sys.modules.pop("others")
    fingerprint._code_of.cache_clear()
    assert cli.main([*run[:1], "others/a", *run[2:], "--resume"]) == 0
    told = capsys.readouterr().out
    assert "run again (" in told
    assert "taken out (" in told
    (record,) = json.loads(Path("out/results.json").read_text())["claims"]
    assert record["id"] == "others/a"


def test_a_partner_must_exist(folder):
    text = CLAIM.replace("prepare=prepare", "prepare=prepare, pairs_with=('ours/none',)")
    assert text != CLAIM
    write(folder, "ours.py", text + "CLAIMS = (claim('ours/a'),)\n")
    with pytest.raises(RegistrationError, match="'ours/a' pairs with 'ours/none', which is no"):
        registered([Path("ours.py")])


def test_a_partner_is_a_claim(folder):
    """Methods side by side have no verdict, and would be absent from every theorem's coverage."""
    text = CLAIM.replace("prepare=prepare", "prepare=prepare, pairs_with=('ours/beside',)")
    beside = (
        "from theory_checks.side_by_side import SideBySide\n"
        "SIDE_BY_SIDE = (SideBySide('ours/beside', 'Beside', 'P', 'words', lambda lab: None),)\n"
    )
    write(folder, "ours.py", text + beside + "CLAIMS = (claim('ours/a'),)\n")
    with pytest.raises(RegistrationError, match="'ours/beside', which is no claim"):
        registered([Path("ours.py")])


def test_files_may_share_a_stem_a_paper_and_import_their_neighbours(folder):
    write(folder, "helpers_of_mine.py", CLAIM)
    write(folder, "claims.py", "from helpers_of_mine import claim\nCLAIMS = (claim('mine/a'),)\n")
    write(folder, "b/claims.py", CLAIM + "CLAIMS = (claim('mine/b'),)\n")
    files = [Path("claims.py"), Path("b/claims.py"), Path("b/../claims.py").resolve()]
    origins = registered(files)
    assert [origin.name for origin in origins[-2:]] == ["claims.py", "b/claims.py"]
    ids = [one.id for one in collected(origins)]
    assert {"mine/a", "mine/b"} <= set(ids)
    assert load_file(files[0].absolute()) is not load_file(files[1].absolute())
    first_beside = next(i for i, one in enumerate(collected(origins)) if not isinstance(one, Claim))
    assert all(isinstance(one, Claim) for one in collected(origins)[:first_beside])
    assert ids.index("mine/b") < first_beside


def test_the_former_names_are_understood(folder):
    module = "theory_checks.side_by_side"
    for file, name, listed in (
        ("now.py", "SideBySide", "SIDE_BY_SIDE"),
        ("former.py", "Comparison", "COMPARISONS"),
    ):
        one = f"{name}('mine/a', 'A title', 'A paper', 'Words.', evaluate=None)"
        write(folder, file, f"from {module} import {name}\n{listed} = ({one},)\n")
    (now,) = registered([Path("now.py")])[-1].subjects
    with (
        pytest.warns(DeprecationWarning, match="Comparison is called SideBySide"),
        pytest.warns(FutureWarning, match=r"COMPARISONS of former\.py is called SIDE_BY_SIDE"),
    ):
        (former,) = registered([Path("former.py")])[-1].subjects
    assert type(former) is type(now)


def test_an_installed_package_is_listed_and_run(folder, monkeypatch, capsys):
    install(folder, monkeypatch, "[optzoo.claims]\nmine = own_claims\n", own_claims=GOOD)
    assert cli.main(["list", "mine"]) == 0
    assert "mine/one" in capsys.readouterr().out
    assert cli.main(["run", "mine", "--out", "out"]) == 0
    environment = json.loads(Path("out/results.json").read_text())["environment"]
    assert environment["claims_from"] == ["own-methods 1.5"]
    write(folder, "mine.py", CLAIM + "CLAIMS = (claim('mine/two'),)\n")
    with pytest.raises(RegistrationError, match=r"'mine/', as ids of own-methods 1\.5 do"):
        registered([Path("mine.py")])
    write(folder, "again.py", GOOD)
    with pytest.raises(RegistrationError, match=r"by own-methods 1\.5 and by again\.py"):
        registered([Path("again.py")])


def test_a_broken_package_is_named(folder, monkeypatch, capsys):
    install(
        folder, monkeypatch, "[optzoo.claims]\nmine = broken_claims\n", broken_claims="x = 1 / 0\n"
    )
    assert cli.main(["list"]) == 2
    error = capsys.readouterr().err
    assert "the entry point mine = broken_claims of own-methods 1.5 cannot be loaded" in error
    assert "ZeroDivisionError" in error
    assert "broken_claims.py, line 1: x = 1 / 0" in error


def test_a_package_registers_optimizers(folder, monkeypatch, capsys):
    optimizers = "import optax\ndef opt(learning_rate): return optax.sgd(learning_rate)\n"
    install(
        folder, monkeypatch, "[optzoo.optimizers]\nmy-opt = own_opts:opt\n", own_opts=optimizers
    )
    from theory_checks.conformance import rows_of

    names = [row.name for row in rows_of([])]
    assert names[-1] == "my-opt"
    assert "soap" in names
    assert rows_of(["my-opt"])[0].kwargs == {"learning_rate": 0.05}
    # a second package that offers one of the same name
    write(folder / "site2", "other-2.0.dist-info/METADATA", "Name: other\nVersion: 2.0\n")
    entry = "[optzoo.optimizers]\nmy-opt = own_opts:opt\n"
    write(folder / "site2", "other-2.0.dist-info/entry_points.txt", entry)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder / "site2")
        assert cli.main(["conformance", "my-opt"]) == 2
        assert "two installed packages name an optimizer 'my-opt'" in capsys.readouterr().err
    install(folder, monkeypatch, "[optzoo.optimizers]\nsoap = own_opts:opt\n", own_opts=optimizers)
    assert cli.main(["conformance", "soap"]) == 2
    assert "names an optimizer 'soap', as optzoo does" in capsys.readouterr().err
