"""Jobs and what becomes of a run: time limits, interrupts, locks, full disks, statuses."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from theory_checks import cli
from theory_checks.records import write as record
from theory_checks.records.lock import InUseError, only_run
from theory_checks.simulation import runner, workers
from theory_checks.simulation.engine import InThreads
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statuses import exit_status

from .test_runner import ENVIRONMENT, claim, exact


def outcomes(jobs, **arguments):
    return dict(workers.finished(jobs, **({"workers": 2, "time_limit": 60.0} | arguments)))


def test_every_outcome_is_handed_over_with_its_number():
    def fails():
        raise ValueError("no")

    found = outcomes([lambda: "a", fails, lambda: "c"])
    assert (found[0], found[2]) == ("a", "c")
    assert isinstance(found[1], ValueError)


def test_as_many_at_a_time_as_there_are_workers():
    running, most = [], []
    guard = threading.Lock()

    def job():
        with guard:
            running.append(1)
            most.append(len(running))
        time.sleep(0.02)
        with guard:
            running.pop()

    outcomes([job] * 8, workers=3)
    assert max(most) <= 3
    assert len(most) == 8


def test_a_job_over_the_limit_is_left_behind_and_the_others_finish():
    release = threading.Event()
    found = outcomes([release.wait, lambda: "fine", lambda: "too"], workers=1, time_limit=0.3)
    assert isinstance(found[0], TimeoutError)
    assert "time limit of 0.3 s" in str(found[0])
    assert (found[1], found[2]) == ("fine", "too")
    assert workers.any_left()
    release.set()
    for thread in threading.enumerate():
        if thread.name == workers.NAME:
            thread.join()
    assert not workers.any_left()


def test_a_claim_that_never_ends_costs_no_other(tmp_path):
    release = threading.Event()

    def stuck():
        release.wait()
        raise RuntimeError

    claims = (claim("paper/stuck", prepare=stuck), claim("paper/sound"))
    records, failures = runner.run_claims(
        claims, InThreads(Laboratory(seeds=8), time_limit=0.3), tmp_path, ENVIRONMENT
    )
    release.set()
    assert [found["id"] for found in records] == ["paper/sound"]
    assert failures == ["paper/stuck: stopped after the time limit of 0.3 s"]
    assert record.finished_run(tmp_path)["failures"][0]["id"] == "paper/stuck"


def test_a_control_that_cannot_be_evaluated_is_named(tmp_path):
    from theory_checks.claim import Control

    nan = Control("mistyped", "a typo", exact(float("nan")))
    claims = (claim("paper/typo", controls=[nan]), claim("paper/sound"))
    records, failures = runner.run_claims(
        claims, InThreads(Laboratory(seeds=8)), tmp_path, ENVIRONMENT
    )
    assert [found["id"] for found in records] == ["paper/sound"]
    assert "paper/typo, control 'mistyped': a computed quantity is not finite" in failures[0]
    assert exit_status(records, failures) == 4


def test_a_record_that_json_cannot_hold_costs_no_other(tmp_path):
    from theory_checks.claim import Case
    from theory_checks.setting import Stated

    def odd():
        return Case(Stated("p", {}, {"p": {1, 2}}), exact(1.0))

    claims = (claim("paper/odd", prepare=odd), claim("paper/sound"))
    records, failures = runner.run_claims(
        claims, InThreads(Laboratory(seeds=8)), tmp_path, ENVIRONMENT
    )
    assert [found["id"] for found in records] == ["paper/sound"]
    assert failures[0].startswith("paper/odd: ")


def test_writing_does_not_take_more_than_a_share_of_the_time(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(record, "write", lambda *a, **k: (written.append(1), time.sleep(0.02)))
    claims = [claim(f"paper/c{i}") for i in range(30)]
    runner.run_claims(claims, InThreads(Laboratory(seeds=8)), tmp_path, ENVIRONMENT)
    assert 2 <= len(written) <= 10


def test_all_that_is_finished_is_on_file_in_the_end_whatever_happens(tmp_path):
    def dies():
        raise KeyboardInterrupt

    claims = [*(claim(f"paper/c{i}") for i in range(5)), claim("paper/dies", prepare=dies)]
    with pytest.raises(KeyboardInterrupt):
        runner.run_claims(claims, InThreads(Laboratory(seeds=8)), tmp_path, ENVIRONMENT)
    assert len(record.finished_run(tmp_path)["claims"]) == 5


def test_a_full_disk_is_an_error_that_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    record.write(tmp_path, ENVIRONMENT, [], 1.0)
    before = (tmp_path / "results.json").read_text()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        record.write(tmp_path, ENVIRONMENT, [], 2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert (tmp_path / "results.json").read_text() == before


def test_one_run_at_a_time_in_a_folder(tmp_path):
    with only_run(tmp_path):
        program = (
            "import sys, pathlib\n"
            "from theory_checks.records.lock import only_run\n"
            "with only_run(pathlib.Path(sys.argv[1])): pass\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "in use by another run" in done.stderr
        with pytest.raises(InUseError), only_run(tmp_path):
            pass
    with only_run(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def statuses(monkeypatch, tmp_path, *claims, arguments=()):
    import theory_checks.claims

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(theory_checks.claims, "CLAIMS", claims)
    monkeypatch.setattr(theory_checks.claims, "SIDE_BY_SIDE", ())
    return cli.main(["run", "--out", "out", "--overwrite", *arguments])


def test_a_run_whose_page_cannot_be_written_keeps_its_results(tmp_path, monkeypatch, capsys):
    from theory_checks.report import page

    def fails(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "write_report", fails)
    assert statuses(monkeypatch, tmp_path, claim()) == 4
    printed = capsys.readouterr()
    assert "1 claims: 1 CONSISTENT" in printed.out
    assert "the report could not be written: [Errno 28]" in printed.err
    refuted = claim("paper/refuted", check=exact(1.5))
    assert statuses(monkeypatch, tmp_path, refuted) == 1
    assert "paper/refuted is REFUTED" in capsys.readouterr().out


def test_the_report_has_its_own_statuses(tmp_path, capsys, monkeypatch):
    assert cli.main(["report", str(tmp_path)]) == 2
    (tmp_path / "results.json").write_text("{")
    assert cli.main(["report", str(tmp_path)]) == 4
    assert "is not complete, strict JSON" in capsys.readouterr().err
    record.write(tmp_path, ENVIRONMENT, [], 1.0)
    results = json.loads((tmp_path / "results.json").read_text())
    results["claims"] = [{"id": "paper/a", "controls": [3]}]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert cli.main(["report", str(tmp_path)]) == 4
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("theory-checks: ")

    def refused(*arguments, **more):
        raise PermissionError(13, "Permission denied")

    results["claims"] = []
    (tmp_path / "results.json").write_text(json.dumps(results))
    monkeypatch.setattr(Path, "write_text", refused)
    assert cli.main(["report", str(tmp_path)]) == 4
    assert "Permission denied" in capsys.readouterr().err


def test_an_interrupt_is_one_sentence_and_its_own_status(tmp_path, monkeypatch, capsys):
    def dies():
        raise KeyboardInterrupt

    assert statuses(monkeypatch, tmp_path, claim(prepare=dies)) == 130
    assert "goes on with --resume" in capsys.readouterr().err


def test_a_terminal_with_fewer_letters_than_an_id():
    program = (
        "import sys\nfrom theory_checks import cli\n"
        "cli._parser = lambda: type('P', (), {'parse_args': lambda self, a: type('O', (), "
        "{'command': lambda self, o: print('gr\\u00f6\\u00dfe') or 0})()})()\n"
        "sys.exit(cli.main([]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "gr\\xf6\\xdfe\n"), done.stderr


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"]])
def test_the_help_lists_every_status(command, capsys):
    with pytest.raises(SystemExit):
        cli.main(command)
    told = " ".join(capsys.readouterr().out.split())
    for words in (
        "2 usage",
        "1 refuted",
        "4 something could not",
        "3 inconclusive",
        "0 as expected",
    ):
        assert words in told


@pytest.mark.parametrize(
    "bad", ["paper/a\tb", "paper/a\x07", "paper", "paper//a", "Paper/a", "p/a b"]
)
def test_ids_are_lower_case_paths_that_can_be_printed(bad):
    with pytest.raises(ValueError, match="id must be a lower-case path"):
        claim(bad)
    claim("größe/maß-1.5_x")
