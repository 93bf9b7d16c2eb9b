"""Claims to records: verdicts, controls, resuming, exit statuses, the command line."""

import gzip
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from optzoo.problems import Constant
from theory_checks import cli, devices, progress, selection
from theory_checks.checks import ExactIdentity, ExactInequality, UpperBound
from theory_checks.claim import Case, Claim, Control
from theory_checks.claims import CLAIMS, SIDE_BY_SIDE
from theory_checks.records import write as record
from theory_checks.records.fingerprint import fingerprint
from theory_checks.records.read import load_results
from theory_checks.report.coverage import at_the_end
from theory_checks.setting import Stated
from theory_checks.simulation import evaluation, runner
from theory_checks.simulation.engine import InThreads
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statuses import UsageError, exit_status

from .hand_made import AT, level, setting
from .statements import stated

LEVEL = 8 / np.array(AT) + 0.1

ENVIRONMENT = {"version": "0", "preset": "quick", "seeds": 8, "master_seed": 0}


def exact(measured, stated=1.0):
    return ExactIdentity(lambda: (np.array([measured]), np.array([stated])))


def claim(identifier="paper/claim", *, check=None, controls=(), pairs_with=(), prepare=None):
    def default():
        constants = {"L": Constant(2.0, "exact", derivation="given")}
        setting = Stated("a problem", constants, {"p": 0.5})
        return Case(setting, check or exact(1.0), tuple(controls))

    return Claim(
        id=identifier,
        title="A title",
        theorem=stated(),
        prepare=prepare or default,
        pairs_with=tuple(pairs_with),
    )


def run(*claims, directory, **kwargs):
    records, failures = runner.run_claims(
        claims, InThreads(Laboratory(seeds=8)), directory, ENVIRONMENT, **kwargs
    )
    assert not failures
    return records


def test_a_record_has_every_key_of_the_schema(tmp_path):
    controls = [
        Control("mutant", "wrong by a half", exact(1.5)),
        Control("null", "right", exact(1.0), expected="NOT_REFUTED"),
        Control("survivor", "not wrong at all", exact(1.0)),
    ]
    run(claim(controls=controls), directory=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    parts = "schema environment theorems claims comparisons failures summary hash"
    assert set(results) == set(parts.split())
    assert [one["label"] for one in results["theorems"]] == ["T1"]
    (found,) = results["claims"]
    stated = (
        "id paper source statement assumptions form kind unit output problem constants seeds "
        "verdict tightness detectable_factor vacuous pairs_with not_shown seconds checkpoints "
        "mean lower upper bound exponent controls"
    )
    assert set(stated.split()) <= set(found)
    assert found["constants"]["L"] == {
        "value": 2.0,
        "how": "exact",
        "side": "exact",
        "width": 0.0,
        "derivation": "given",
    }
    assert found["seeds"] is None  # nothing was sampled
    mutant, null, survivor = found["controls"]
    assert (mutant["verdict"], mutant["killed"]) == ("REFUTED", True)
    assert mutant["killed_by"].startswith("exact enumeration: ")
    assert (null["verdict"], null["killed"]) == ("CONSISTENT", True)
    assert (survivor["killed"], survivor["killed_by"]) == (False, None)
    keys = "claims consistent refuted inconclusive controls killed seconds"
    assert set(keys.split()) <= set(results["summary"])
    assert (results["summary"]["controls"], results["summary"]["killed"]) == (3, 2)
    load_results(tmp_path)


def statuses(tmp_path, *claims):
    return exit_status(run(*claims, directory=tmp_path))


def test_exit_statuses(tmp_path):
    refuted = claim("paper/refuted", check=exact(1.1))
    survivor = claim("paper/survivor", controls=[Control("alive", "", exact(1.0))])
    sound = claim("paper/sound")
    assert statuses(tmp_path / "0", sound) == 0
    assert statuses(tmp_path / "1", sound, refuted) == 1
    assert statuses(tmp_path / "2", survivor) == 1
    inconclusive = {**record_of(sound), "id": "paper/maybe", "verdict": "INCONCLUSIVE"}
    assert exit_status([inconclusive]) == 3
    assert exit_status([inconclusive, record_of(refuted)]) == 1
    assert exit_status([record_of(sound)], ["paper/lost: no data"]) == 4
    assert exit_status([inconclusive], ["paper/lost: no data"]) == 4
    assert exit_status([record_of(refuted)], ["paper/lost: no data"]) == 1


def record_of(one):
    return evaluation.run_claim(one, Laboratory(seeds=8))


def on_level(share, **changes):
    """A claim on L / (p k) + sigma / 10: this share of it was measured, without chance."""
    one, place = level(), setting()
    sides = share * LEVEL, lambda: place.bound(one, AT)
    check = ExactInequality(lambda: sides)
    return Claim("paper/level", "A level", one, lambda: Case(place, check), **changes)


def test_a_run_that_would_not_notice_a_better_constant_fails(tmp_path):
    def outcome(name, one):
        records = run(one, directory=tmp_path / name)
        theorems = json.loads((tmp_path / name / "results.json").read_text())["theorems"]
        return records, theorems, exit_status(records, (), theorems)

    (sharp,), _, status = outcome("sharp", on_level(0.99))
    assert status == 0
    assert [sharp["coverage"][name]["factor"] is None for name in ("L", "sigma", "p")] == [
        False
    ] * 3
    assert "killed" in sharp["structure"].values()
    assert not on_level(0.9).not_tested
    (slack,), theorems, status = outcome("slack", on_level(0.9))
    assert status == 1
    (sentence,) = record.unmet_expectations([slack], theorems)
    assert sentence.startswith("T1 is UNTESTED in sigma: no run of paper/level or of its parts")
    assert json.loads((tmp_path / "slack" / "results.json").read_text())["summary"]["unmet"] == [
        sentence
    ]
    reason = {"sigma": "at no point does the noise decide"}
    (explained,), _, status = outcome("explained", on_level(0.9, not_tested=reason))
    assert (status, explained["not_tested"]) == (0, reason)
    other = {"L": "of another constant"}
    assert outcome("other", on_level(0.9, not_tested=other))[2] == 1
    assert outcome("away", on_level(0.9, pairs_with=("paper/away",)))[2] == 0
    # What a reader knows as VACUOUS is no failure by itself.
    assert exit_status([sharp | {"vacuous": True}], (), theorems) == 0
    load_results(tmp_path / "slack")


def test_a_reason_that_came_later_is_not_kept_from_before():
    protocol = Laboratory().protocol
    prints = [fingerprint(on_level(0.9, not_tested=reason), protocol)
              for reason in ({}, {"sigma": "one"}, {"sigma": "another"})]  # fmt: skip
    assert len(set(prints)) == 3


def test_an_error_while_a_theorem_is_asked_anew_names_the_claim(monkeypatch):
    def broken(theorem):
        raise RuntimeError("no source")

    monkeypatch.setattr("theory_checks.worst_case.coverage.misreadings", broken)
    with pytest.raises(ValueError, match="paper/level, coverage: RuntimeError: no source"):
        evaluation.run_claim(on_level(0.99), Laboratory(seeds=8))


def test_finished_claims_are_kept_when_a_later_one_dies(tmp_path):
    ran = []

    def fine():
        ran.append("fine")
        return Case(Stated("p"), exact(1.0))

    def dies():
        raise KeyboardInterrupt

    first, second = claim("paper/first", prepare=fine), claim("paper/second", prepare=dies)
    with pytest.raises(KeyboardInterrupt):
        run(first, second, directory=tmp_path)
    earlier = record.finished_run(tmp_path)
    environment, finished = earlier["environment"], earlier["claims"]
    assert [c["id"] for c in finished] == ["paper/first"]
    repaired = claim("paper/second")
    records = run(first, repaired, directory=tmp_path, finished=finished)
    assert ran == ["fine"]
    assert [c["id"] for c in records] == ["paper/first", "paper/second"]
    assert records[0] == finished[0]
    assert environment == ENVIRONMENT
    assert not list(tmp_path.glob(".results*"))


def test_errors_name_the_claim_and_leave_the_others_standing(tmp_path):
    def damaged():
        raise FileNotFoundError("no such data")

    claims = (
        claim("paper/nan", check=exact(float("nan"))),
        claim("paper/damaged", prepare=damaged),
        claim("paper/sound"),
    )
    records, failures = runner.run_claims(
        claims, InThreads(Laboratory(seeds=8)), tmp_path, ENVIRONMENT
    )
    assert [found["id"] for found in records] == ["paper/sound"]
    assert len(failures) == 2
    assert any(re.search(r"paper/nan: .*not finite", sentence) for sentence in failures)
    (damaged_one,) = (sentence for sentence in failures if "damaged" in sentence)
    assert damaged_one.startswith("paper/damaged: no such data (")
    assert damaged_one.endswith('raise FileNotFoundError("no such data"))')


def test_a_metric_that_is_not_finite_is_refuted():
    from theory_checks.claims.frank_wolfe.processes import line_test
    from theory_checks.simulation import Experiment

    class Diverging(Laboratory):
        def sample(self, experiment, first, count):
            metrics = super().sample(experiment, first, count)
            return {name: np.where(values > 0, np.inf, values) for name, values in metrics.items()}

    line = Experiment("diverging", line_test(restart_probability=0.5, step=0.1), (4, 8))
    found = UpperBound(line, "squared_error", [1.0, 1.0]).run(Diverging(seeds=8))
    assert found.verdict == "REFUTED"
    assert "infinite" in found.decided


def test_what_a_metric_rests_on_must_be_known_well():
    from theory_checks.claims.frank_wolfe.processes import line_test
    from theory_checks.simulation import Experiment

    line = Experiment("resolved", line_test(restart_probability=0.1, step=0.1), (4, 8))
    UpperBound(line, "squared_error", [1.0, 1.0], uncertainty=1e-9).run(Laboratory(seeds=32))
    with pytest.raises(ValueError, match="not far below the smallest mean measured"):
        UpperBound(line, "squared_error", [1.0, 1.0], uncertainty=0.1).run(Laboratory(seeds=32))


def test_papers_take_turns():
    """A paper that comes first in the list does not hold up the others."""
    names = ("a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "c/1")
    order = [one.id for one in runner._in_turn([claim(name) for name in names])]
    assert order == ["a/1", "b/1", "a/2", "c/1", "a/3", "b/2", "a/4"]


def test_the_time_left_is_estimated_from_what_is_finished(capsys, monkeypatch):
    clock = iter([1000.0, 1060.0, 1120.0, 1121.0])
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    lines = progress.RunProgress(20, 4)  # four in an earlier run, which took no time of this one
    for _ in range(16):
        lines.side_by_side_finished({"id": "a/b", "panels": [], "seconds": 1.0})
        if lines._done == 7:
            clock = iter([1121.0] * 20)
    first, second, third, *_, last = capsys.readouterr().out.splitlines()
    assert first.endswith("1.0 s), perhaps 15 min left"), "a tenth is not finished yet"
    assert second.endswith("1.0 s), about 14 min left")  # 120 s for 2, and 14 to come
    assert third.endswith("1.0 s), about 9 min left")
    assert last.endswith("1.0 s)")


def test_flags_that_the_user_gave_are_kept(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=7")
    devices.use_all_cores()
    flags = os.environ["XLA_FLAGS"].split()
    assert [flag for flag in flags if "device_count" in flag] == [
        "--xla_force_host_platform_device_count=7"
    ]
    assert "--xla_cpu_parallel_codegen_split_count=1" in flags
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.11.0")
    monkeypatch.setenv("XLA_FLAGS", "")
    devices.use_all_cores()
    assert "emitters" not in os.environ["XLA_FLAGS"], "another release may end on it"


def test_nan_and_infinity_become_null(tmp_path):
    found = record_of(claim())
    assert record._number(float("inf")) is None
    assert record._numbers(np.array([1.0, np.nan])) == [1.0, None]
    record.write(tmp_path, ENVIRONMENT, [{**found, "tightness": None}], 1.0)
    with pytest.raises(ValueError, match="JSON"):
        record.write(tmp_path, ENVIRONMENT, [{**found, "tightness": float("nan")}], 1.0)
    load_results(tmp_path)  # the file of before is whole


def test_ids_are_unique_and_pairs_exist():
    ids = [one.id for one in CLAIMS]
    every = [*ids, *(one.id for one in SIDE_BY_SIDE)]
    assert len(set(every)) == len(every)
    for one in CLAIMS:
        assert set(one.pairs_with) <= set(ids), one.id
        assert one.id not in one.pairs_with


def test_selection_by_id_prefix_and_glob():
    claims = [claim(f"paper/{name}") for name in ("a/one", "a/two", "ab/one")]
    ids = lambda *patterns: [c.id for c in selection.select(claims, patterns)]  # noqa: E731
    assert ids() == ["paper/a/one", "paper/a/two", "paper/ab/one"]
    assert ids("paper/a") == ["paper/a/one", "paper/a/two"]
    assert ids("paper/*/one") == ["paper/a/one", "paper/ab/one"]
    assert ids("paper/ab/one", "paper/a/two") == ["paper/a/two", "paper/ab/one"]
    with pytest.raises(UsageError, match="no id is named by 'nobody'; papers: paper"):
        ids("nobody")


def test_bad_claim_ids():
    with pytest.raises(ValueError, match="lower-case path"):
        claim("Paper/X")


def test_reasons_are_for_constants_of_the_theorem():
    for one, words in ((level(), "could get wrong are L, sigma, p, idle"), (stated(), "are none")):
        with pytest.raises(ValueError, match=f"not_tested of paper/one names eta; .*{words}"):
            Claim("paper/one", "", one, lambda: None, not_tested={"eta": "it was chosen"})


def test_upper_bounds_must_be_positive():
    from theory_checks.claims.frank_wolfe.processes import line_test
    from theory_checks.simulation import Experiment

    line = Experiment("bad-bound", line_test(restart_probability=0.5, step=0.1), (1, 2))
    for bound in ([1.0, 0.0], [1.0], [1.0, -1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="must be positive at each of its 2 checkpoints"):
            UpperBound(line, "squared_error", bound).run(Laboratory(seeds=8))


# --- the command line, as a user runs it --------------------------------------------------------


def test_command_line_end_to_end(tmp_path, monkeypatch, capsys):
    one = "frank_wolfe/sarah/estimator/bound"
    ours = ("XLA_FLAGS", "JAX_ENABLE_COMPILATION_CACHE")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    command = [sys.executable, "-m", "theory_checks", "run", one, "--seeds", "32", "--out", "out"]
    done = subprocess.run(
        [*command, "--cache", "kept"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[1/1] CONSISTENT   frank_wolfe/sarah/estimator/bound (controls 2/2" in done.stdout
    assert "coverage: of " in done.stdout
    for name in ("results.json", "report.html", "summary.md"):
        assert (tmp_path / "out" / name).stat().st_size > 500
    assert list((tmp_path / "kept").glob("programs-*/jit__replicates-*"))

    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", one, "--out", "out"]) == 2
    refused = capsys.readouterr().err
    assert "--resume" in refused
    assert "--overwrite" in refused

    before = (tmp_path / "out" / "results.json").read_text()
    named = json.loads(before)["hash"]
    assert done.stdout.count(f"run: {named}\n") == 1
    arguments = ["run", one, "--seeds", "32", "--out", "again", "--no-cache"]
    assert cli.main(arguments) == 0
    assert f"run: {named}\n" in capsys.readouterr().out
    assert cli.main(["run", one, "--seeds", "32", "--out", "out", "--resume"]) == 0
    assert "[1/1]" not in capsys.readouterr().out  # nothing was run again
    assert (tmp_path / "out" / "results.json").read_text() == before

    assert cli.main(["run", one, "--out", "out", "--resume", "--fresh-seeds"]) == 2
    assert "--fresh-seeds draws new ones" in capsys.readouterr().err

    assert cli.main(["run", one, "--seeds", "16", "--out", "out", "--resume"]) == 2
    assert "seeds = 32" in capsys.readouterr().err

    (tmp_path / "out" / "report.html").unlink()
    assert cli.main(["report", "out"]) == 0
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing/here"], "no id is named by 'nothing/here'"),
        (["run", "--seeds", "3"], "an integer of at least 8 is needed"),
        (["run", "--preset", "huge"], "invalid choice"),
        (["report", "missing"], "results.json does not exist"),
        ([], "COMMAND"),
    ],
)
def test_usage_errors(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert not list(Path(tmp_path).iterdir())


def test_a_folder_that_cannot_be_written_is_found_out_first(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    selected = "frank_wolfe/sarah/scaling"
    assert cli.main(["run", selected, "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
    assert cli.main(["run", selected, "--out", str(tmp_path / "file" / "below")]) == 4
    assert "cannot read or write" in capsys.readouterr().err


def test_data_files_become_claims_of_their_own(tmp_path):
    line = "1 1:0.5 2:1\n-1 1:2\n"
    for name in ("breast-cancer", "My Data"):
        (tmp_path / name).write_text(line)
    with gzip.open(tmp_path / "a9a.gz", "wt") as file:
        file.write(line)
    (tmp_path / "a9a").write_text(line)  # unpacked beside it: one claim, not two
    (tmp_path / "README").write_text("not data")
    (tmp_path / "folder").mkdir()
    program = f"""
import os, sys
os.environ["OPTZOO_DATA"] = {str(tmp_path / "missing")!r}
try:
    import theory_checks.claims
except ValueError as error:
    print(error, file=sys.stderr)
os.environ["OPTZOO_DATA"] = {str(tmp_path)!r}
for name in [name for name in sys.modules if name.startswith("theory_checks")]:
    del sys.modules[name]
from theory_checks.claims import CLAIMS
(generic,) = (claim for claim in CLAIMS if claim.id == "frank_wolfe/sarah/convex/generic")
for case in generic.cases:
    print(case.split(",")[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    names = [one for one in done.stdout.splitlines() if one.startswith("data/")]
    assert set(names) == {"data/a9a", "data/breast-cancer", "data/my-data"}
    assert len(names) == 3 * 6  # two sets, three schedules
    assert "which is no folder" in done.stderr


def test_list_names_all(capsys):
    assert cli.main(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    expected = [(one.id, one.theorem.root.label) for one in CLAIMS]
    expected += [(one.id, "side-by-side") for one in SIDE_BY_SIDE]
    assert [tuple(line.split()[:2]) for line in listed] == expected


@pytest.fixture
def covered(tmp_path):
    """The folder of a run on a theorem, one of its parts and another theorem."""
    one = on_level(0.9)
    part = one.theorem.part("T1, a step", "A step")
    place = setting()
    step = ExactInequality(lambda: (0.99 * LEVEL, lambda: place.bound(part, AT)))
    claims = (
        one,
        Claim("paper/step", "A step", part, lambda: Case(place, step)),
        Claim("other/law", "Another", stated(label="T2"), lambda: Case(Stated("p"), exact(1.0))),
    )
    run(*claims, directory=tmp_path / "run")
    file = tmp_path / "mine.py"
    file.write_text(
        "from theory_checks.claim import Claim\n"
        "from optzoo.theorems.frank_wolfe import F3\n"
        f"CLAIMS = tuple(Claim(one, 'T', F3, None) for one in {[one.id for one in claims]})\n"
    )
    return tmp_path / "run", file


def test_list_tells_what_a_run_has_covered(covered, capsys):
    folder, file = covered
    arguments = ["list", "paper", "--claims", str(file), "--coverage", str(folder)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "T1"
    assert re.fullmatch(r"  L +own 1\.1\d, parts 1\.01", lines[1])
    assert re.fullmatch(r"  sigma +own never, parts 1\.1\d", lines[2])
    assert lines[4].split() == ["misreadings", "9", "of", "9", "killed", "(1", "by", "parts)"]
    assert lines[5] == "T1, a step"
    assert len(lines) == 10
    assert cli.main(["list", "paper/step", *arguments[2:]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "T1, a step"
    assert cli.main(["list", "other", *arguments[2:]]) == 2, "it has no constants"
    assert "has nothing of these claims" in capsys.readouterr().err


def test_coverage_of_no_run_is_a_usage_error(covered, capsys, monkeypatch):
    folder, file = covered
    monkeypatch.chdir(folder.parent)
    assert cli.main(["list", "paper", "--claims", str(file), "--coverage"]) == 2
    error = capsys.readouterr().err
    assert "--coverage: results/quick/results.json does not exist" in error
    assert "make a run first" in error
    (folder / "results.json").write_text("{")
    assert cli.main(["list", "paper", "--claims", str(file), "--coverage", str(folder)]) == 2
    assert "is not complete, strict JSON" in capsys.readouterr().err


def test_a_run_of_few_theorems_prints_their_coverage_and_one_of_many_the_counts(covered):
    results = record.finished_run(covered[0])
    first, second, *_, last = at_the_end(results)
    assert first.startswith("coverage: by which factor each constant could be better")
    assert second == "T1"
    assert last.startswith("coverage: of 3 constants own runs would catch a factor of 2 in 2,")
    (theorem, *_), (found, *_) = results["theorems"], results["claims"]
    for number, told in ((6, True), (7, False)):
        labels = [f"T{i}" for i in range(number)]
        many = {
            "theorems": [theorem | {"label": label, "root": label} for label in labels],
            "claims": [found | {"id": one, "part": one, "theorem": one} for one in labels],
        }
        lines = at_the_end(many)
        assert (len(lines) > 1) == told
        assert lines[-1].startswith(f"coverage: of {3 * number} constants")
    assert at_the_end({"theorems": [], "claims": [found]}) == []
