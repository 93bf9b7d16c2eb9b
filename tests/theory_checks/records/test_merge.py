"""Parts of a run put together: the whole is the run in one piece, or the difference is named."""

import json

import pytest

import theory_checks.claims
from theory_checks import cli
from theory_checks.records.merge import MergeError, merged

from ..test_runner import claim, exact


@pytest.fixture
def claims(tmp_path, monkeypatch):
    """Five claims, one of which cannot be evaluated while there is a file `broken`."""
    monkeypatch.chdir(tmp_path)

    def prepare():
        if (tmp_path / "broken").exists():
            raise ValueError("no data")
        return claim().prepare()

    names = ("a/1", "b/1", "a/2", "b/2", "a/3")
    one = tuple(claim(name, prepare=prepare if name == "b/2" else None) for name in names)
    monkeypatch.setattr(theory_checks.claims, "CLAIMS", one)
    monkeypatch.setattr(theory_checks.claims, "SIDE_BY_SIDE", ())
    return one


def run(out, *arguments):
    return cli.main(["run", "--out", str(out), "--overwrite", "--no-cache", *arguments])


def read(directory):
    return json.loads((directory / "results.json").read_text())


def merge(*directories, out="whole"):
    return cli.main(["merge", *map(str, directories), "--out", out, "--overwrite"])


def test_shards_are_the_run(tmp_path, claims, capsys):
    assert run(tmp_path / "one") == 0
    for number in (1, 2):
        assert run(tmp_path / f"s{number}", "--shard", f"{number}/2") == 0
    assert [one["id"] for one in read(tmp_path / "s2")["claims"]] == ["b/1", "b/2"]
    assert merge("s2", "s1") == 0  # in any order
    whole, one = read(tmp_path / "whole"), read(tmp_path / "one")
    for found in (*whole["claims"], *one["claims"]):
        found["seconds"] = None
    assert whole["claims"] == one["claims"]
    assert whole["theorems"] == one["theorems"]
    parts = whole["environment"]["merged"]
    assert [part["shard"] for part in parts] == ["2/2", "1/2"]
    assert (whole["environment"]["shard"], whole["environment"]["asked"]) == (
        None,
        ["a/1", "b/1", "a/2", "b/2", "a/3"],
    )
    seconds = [read(tmp_path / name)["summary"]["seconds"] for name in ("s1", "s2")]
    assert whole["summary"]["seconds"] == pytest.approx(sum(seconds))
    assert (tmp_path / "whole" / "report.html").is_file()
    assert "merged 2 runs" in capsys.readouterr().out


def test_what_is_missing_is_named_and_resume_finishes_it(tmp_path, claims, capsys):
    (tmp_path / "broken").touch()
    assert run("s1", "--shard", "1/3") == 4  # a/1 and b/2
    assert run("s2", "--shard", "2/3") == 0  # b/1 and a/3
    capsys.readouterr()
    assert merge("s1", "s2") == 4
    told = capsys.readouterr()
    assert "could not be evaluated: b/2: no data" in told.err
    assert "left out: of 3 shards there is no 3" in told.err
    assert "left out: asked for and not finished: a/2" in told.err
    # A part that was mended later has what the first one lacks.
    (tmp_path / "broken").unlink()
    assert run("again", "b/2") == 0
    assert merge("s1", "s2", "again") == 4
    assert "could not be evaluated" not in capsys.readouterr().err
    assert cli.main(["run", "--out", "whole", "--resume", "--no-cache"]) == 0
    assert {one["id"] for one in read(tmp_path / "whole")["claims"]} == {one.id for one in claims}


def test_a_refuted_claim_says_so_after_merging(tmp_path, claims, monkeypatch):
    more = (*claims, claim("a/wrong", check=exact(1.5)))
    monkeypatch.setattr(theory_checks.claims, "CLAIMS", more)
    assert [run(f"s{number}", "--shard", f"{number}/3") for number in (1, 2, 3)] == [0, 0, 1]
    assert merge("s1", "s2", "s3") == 1
    assert merge("s1", "s3") == 1


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("jax", "0.0.1", "jax is 0.0.1 in"),
        ("version", "9", "version is 9 in"),
        ("preset", "full", "preset is full in"),
        ("seeds", 7, "seeds is 7 in"),
        ("master_seed", 3, "master_seed is 3 in"),
        ("protocol", {"alpha": 0.5}, "the protocol's alpha is 0.5 in"),
    ],
)
def test_parts_of_different_runs_are_refused(tmp_path, claims, place, value, words):
    for number in (1, 2):
        run(f"s{number}", "--shard", f"{number}/2")
    found = read(tmp_path / "s1")
    found["environment"][place] = value
    (tmp_path / "s1" / "results.json").write_text(json.dumps(found))
    with pytest.raises(MergeError, match=words):
        merged([tmp_path / "s1", tmp_path / "s2"])


def test_one_claim_with_two_results_is_refused(tmp_path, claims):
    run("x", "a/1")
    run("y", "a/1", "a/2")
    whole, left_out = merged([tmp_path / "x", tmp_path / "y"])
    assert [one["id"] for one in whole["claims"]] == ["a/1", "a/2"]
    assert left_out == []
    found = read(tmp_path / "y")
    found["claims"][0]["tightness"] = 0.5
    (tmp_path / "y" / "results.json").write_text(json.dumps(found))
    with pytest.raises(MergeError, match=r"a/1 came out differently in .*: tightness is None and"):
        merged([tmp_path / "x", tmp_path / "y"])
    found["claims"][0]["fingerprint"] = "other"
    (tmp_path / "y" / "results.json").write_text(json.dumps(found))
    with pytest.raises(MergeError, match="statement, code, data or versions differ"):
        merged([tmp_path / "x", tmp_path / "y"])


def test_bad_input(tmp_path, claims, capsys):
    run("s1", "--shard", "1/2")
    run("s3", "--shard", "1/3")
    capsys.readouterr()
    for directories, words in (
        (("s1", "s1"), "two runs or more make one, got 1 folder"),
        (("s1", "nothing"), "nothing"),
        (("s1", "s3"), "is a shard of 2, and"),
    ):
        assert merge(*directories) == 2
        assert words in capsys.readouterr().err
    run("s2", "--shard", "2/2")
    assert cli.main(["merge", "s1", "s2", "--out", "s3"]) == 2
    assert "--out s3 exists; give --overwrite" in capsys.readouterr().err
    for text in ("0/2", "3/2", "a/2", "2", "1/0", "1.5/2"):
        with pytest.raises(SystemExit):
            run("s4", "--shard", text)
        assert "I/N with 1 <= I <= N is needed" in capsys.readouterr().err
    assert run("s5", "--shard", "6/6") == 2
    assert "there are only 5 checks" in capsys.readouterr().err
