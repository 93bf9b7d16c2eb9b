"""What changed between two runs, as records, as text and as an exit status."""

import json

import pytest

from theory_checks import cli
from theory_checks.records.diff import Change, changes, describe, got_worse, load_renames, load_run


def claim(name="a/1", **more):
    return {
        "id": name,
        "verdict": "CONSISTENT",
        "vacuous": False,
        "tightness": 0.5,
        "detectable_factor": 2.0,
        "seconds": 10.0,
        "controls": [{"name": "wrong sign", "verdict": "REFUTED", "killed": True}],
    } | more


def control(name, verdict, killed):
    return {"name": name, "verdict": verdict, "killed": killed}


@pytest.fixture
def run(tmp_path):
    """Writes a run, hands out its folder."""

    def write(name, *claims, **more):
        folder = tmp_path / name
        folder.mkdir()
        results = {"schema": 2, "claims": claims} | more
        (folder / "results.json").write_text(json.dumps(results))
        return folder

    return write


def between(run, old, new, **options):
    return changes(load_run(run("old", *old)), load_run(run("new", *new)), **options)


def test_a_run_against_itself(run):
    runs = [claim(), claim("a/2", verdict=None, tightness=None, vacuous=None, controls=[])]
    assert between(run, runs, runs) == []


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("CONSISTENT", "INCONCLUSIVE", "worse"),
        ("CONSISTENT", "REFUTED", "worse"),
        ("INCONCLUSIVE", "REFUTED", "worse"),
        ("CONSISTENT", None, "worse"),
        (None, "REFUTED", "worse"),
        ("REFUTED", "INCONCLUSIVE", "better"),
        ("INCONCLUSIVE", "CONSISTENT", "better"),
        ("REFUTED", "CONSISTENT", "better"),
        (None, "CONSISTENT", "better"),
        (None, "INCONCLUSIVE", "decided"),
    ],
)
def test_verdicts(run, old, new, kind):
    found = between(run, [claim(verdict=old)], [claim(verdict=new)])
    assert found == [Change(kind, "a/1", old, new)]
    assert got_worse(found) == (kind == "worse")


def test_claims_that_came_and_went(run):
    comparisons = {"comparisons": [{"id": "a/beside"}]}
    old = load_run(run("old", claim("a/1"), claim("a/2"), **comparisons))
    new = load_run(run("new", claim("a/2"), claim("a/3", verdict="REFUTED")))
    found = changes(old, new)
    assert found == [
        Change("gone", "a/1", "CONSISTENT", None),
        Change("gone", "a/beside", None, None),
        Change("new", "a/3", None, "REFUTED"),
    ]
    assert not got_worse(found), "a verdict without an earlier one is not worse"


def test_vacuous(run):
    found = between(run, [claim(), claim("a/2", vacuous=True)], [claim(vacuous=True), claim("a/2")])
    assert found == [
        Change("vacuous", "a/1", "not vacuous", "vacuous"),
        Change("vacuous", "a/2", "vacuous", "not vacuous"),
    ]
    assert not got_worse(found)


def test_controls(run):
    old = [control("a", "REFUTED", True), control("b", "CONSISTENT", False)]
    new = [control("a", "CONSISTENT", False), control("b", "REFUTED", True)]
    gone, come = control("c", "REFUTED", True), control("d", "REFUTED", True)
    unrun = control("e", "REFUTED", True), control("e", None, None)
    found = between(
        run,
        [claim(controls=[*old, gone, unrun[0]])],
        [claim(controls=[*new, come, unrun[1]])],
    )
    assert found == [
        Change("survives", "a/1: a", "killed (REFUTED)", "survived (CONSISTENT)"),
        Change("survives", "a/1: e", "killed (REFUTED)", "not run"),
        Change("killed", "a/1: b", "survived (CONSISTENT)", "killed (REFUTED)"),
        Change("control gone", "a/1: c", "REFUTED", None),
        Change("control new", "a/1: d", None, "killed (REFUTED)"),
    ]
    assert got_worse(found)
    assert not got_worse(found[2:])


@pytest.mark.parametrize("name", ["tightness", "detectable_factor"])
def test_numbers_that_moved_by_more_than_the_factor(run, name):
    old = [claim(str(i), **{name: value}) for i, value in enumerate([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])]
    new = [claim(str(i), **{name: v}) for i, v in enumerate([1.49, 0.6, 1.51, 0.0, 1e-9, None])]
    moved = [Change(name, "1", 1.0, 0.6), Change(name, "2", 1.0, 1.51)]
    moved += [Change(name, "4", 0.0, 1e-9), Change(name, "5", 1.0, None)]
    assert between(run, old, new) == moved
    both = load_run(run("old2", *old)), load_run(run("new2", *new))
    assert changes(*both, factor=1.6) == [moved[0], *moved[2:]]
    assert changes(*both, factor=1.48)[0] == Change(name, "0", 1.0, 1.49)


def test_cases_of_a_grid_are_claims_of_their_own_and_may_have_had_other_names(run, tmp_path):
    killed = [control("wrong sign: one", "REFUTED", True), control("half: two", "REFUTED", True)]
    grid = claim("a/all", controls=killed)
    grid["cases"] = [{"name": "one", "verdict": "CONSISTENT", "tightness": 0.5},
                     {"name": "two", "verdict": "CONSISTENT", "tightness": 0.9}]  # fmt: skip
    plain = {"verdict": "CONSISTENT", "vacuous": None, "seconds": None, "detectable_factor": None}
    before = [
        claim("a/1", tightness=0.5, controls=[control("wrong sign", "REFUTED", True)], **plain),
        claim("a/2", tightness=0.1, controls=[control("half", "REFUTED", True)], **plain),
    ]
    file = tmp_path / "renamed.json"
    file.write_text('{"a/1": ["a/all", "one"], "a/2": ["a/all", "two"]}')
    found = between(run, before, [grid], renamed=load_renames(file))
    assert found == [Change("tightness", "a/all: two", 0.1, 0.9)]
    file.write_text('{"a/1": 3}')
    with pytest.raises(ValueError, match="must be an object: old id -> new id"):
        load_renames(file)


def test_a_claim_that_became_a_grid_is_compared_as_a_whole(run):
    grid = claim(tightness=0.9) | {"cases": [{"name": "one", "verdict": "CONSISTENT"}]}
    assert between(run, [claim(tightness=0.5)], [grid]) == [Change("tightness", "a/1", 0.5, 0.9)]


def test_a_file_of_an_older_version_says_what_it_lacks(run):
    old = load_run(run("old", claim(), schema=1))
    assert "without theorems and tables of cases" in describe(old, old, []).splitlines()[0]


def test_time_has_to_move_noticeably(run):
    old = [claim("a", seconds=0.1), claim("b", seconds=4.0), claim("c", seconds=None)]
    new = [claim("a", seconds=0.9), claim("b", seconds=7.0), claim("c", seconds=7.0)]
    assert between(run, old, new) == [Change("seconds", "b", 4.0, 7.0)]


def test_the_text_names_everything(run):
    environment = {"created": "2026-01-02", "preset": "quick", "jax": "0.10"}
    later = environment | {"created": "2026-01-03", "preset": "full"}
    old = load_run(run("old", claim(), claim("a/2"), claim("a/4"), environment=environment,
                       summary={"seconds": 20.0}))  # fmt: skip
    new = load_run(run("new", claim(verdict="REFUTED", tightness=1.5), claim("a/3"), claim("a/4"),
                       environment=later))  # fmt: skip
    assert describe(old, new, changes(old, new)).splitlines() == [
        "old: 3 claims, 2026-01-02, 20 s",
        "new: 3 claims, 2026-01-03",
        "preset: quick -> full",
        "",
        "Verdicts that got worse (1)",
        "  a/1: CONSISTENT -> REFUTED",
        "",
        "Gone (1)",
        "  a/2 (CONSISTENT)",
        "",
        "New (1)",
        "  a/3 (CONSISTENT)",
        "",
        "Tightness (1, by more than a factor of 1.5)",
        "  a/1: 0.5 -> 1.5 (times 3)",
        "",
        "1 got worse",
    ]
    assert describe(old, old, []).splitlines()[-3:] == [
        "nothing changed",
        "",
        "no verdict got worse",
    ]


def test_the_command_line(run, capsys):
    old, new = run("old", claim(verdict="INCONCLUSIVE")), run("new", claim())
    assert cli.main(["compare", str(old), str(new)]) == 0
    assert "a/1: INCONCLUSIVE -> CONSISTENT" in capsys.readouterr().out
    assert cli.main(["compare", str(new / "results.json"), str(old)]) == 1
    assert "Verdicts that got worse (1)" in capsys.readouterr().out
    moved = run("moved", claim(tightness=0.4))
    assert cli.main(["compare", str(new), str(moved)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert cli.main(["compare", str(new), str(moved), "--factor", "1.2"]) == 0
    assert "a/1: 0.5 -> 0.4 (times 0.8)" in capsys.readouterr().out


# --- Coverage ---

THEOREM = {
    "paper": "P", "label": "T", "root": "T", "side": "above",
    "constants": [{"name": name, "weakens": "up", "read": True} for name in ("L", "sigma")],
}  # fmt: skip


def covering(name="a/1", L=None, sigma=None, **more):
    coverage = {"L": {"factor": L, "case": ""}, "sigma": {"factor": sigma, "case": ""}}
    about = {"paper": "P", "part": "T", "theorem": "T", "coverage": coverage}
    return claim(name, **about, **more)


@pytest.fixture
def covered(run):
    """Changes between two runs on one theorem."""

    def between(old, new, **options):
        runs = [load_run(run(name, *claims, theorems=[THEOREM]))
                for name, claims in (("old", old), ("new", new))]  # fmt: skip
        return changes(*runs, **options)

    return between


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (2.0, 3.1, "lost"),
        (2.0, None, "lost"),
        (3.1, 2.0, "gained"),
        (None, 1000.0, "gained"),
        (2.0, 2.9, None),
        (2.9, 2.0, None),
        (None, None, None),
    ],
)
def test_coverage_that_was_lost_or_gained(covered, old, new, kind):
    found = covered([covering(L=old, sigma=1.5)], [covering(L=new, sigma=1.5)])
    assert found == ([] if kind is None else [Change(kind, "T: L", old, new)])
    assert not got_worse(found)
    assert got_worse(found, strict=True) == (kind == "lost")


def test_the_factor_decides_how_much_coverage_is_lost(covered):
    found = covered([covering(L=2.0)], [covering(L=2.9)], factor=1.4)
    assert found == [Change("lost", "T: L", 2.0, 2.9)]


def test_coverage_by_a_part_is_no_loss(covered):
    """What the theorem's own runs caught before is caught by a part."""
    own, part = covering(L=None, pairs_with=["a/2"]), covering("a/2", L=2.0) | {"part": "S"}
    found = covered([covering(L=2.0)], [own, part])
    assert found == [Change("new", "a/2", None, "CONSISTENT")]


def test_misreadings_that_would_go_unnoticed(covered):
    old = {"1": "killed", "2": "survived", "3": "killed", "4": "killed", "5": "killed"}
    new = {"1": "survived", "2": "killed", "3": "untestable", "4": "killed"}
    old |= {"6": "survived", "7": "untestable"}
    new |= {"6": "survived", "7": "survived"}
    found = covered([covering(structure=old)], [covering(structure=new)])
    assert found == [
        Change("unnoticed", "T: 1", "killed", "survived"),
        Change("unnoticed", "T: 3", "killed", "untestable"),
    ]
    assert not got_worse(found)
    assert got_worse(found, strict=True)


def test_a_loss_of_coverage_counts_where_that_is_asked_for(run, capsys):
    old, new = (str(run(name, covering(L=factor), theorems=[THEOREM]))
                for name, factor in (("old", 2.0), ("new", 8.0)))  # fmt: skip
    assert cli.main(["diff", old, new]) == 0
    text = capsys.readouterr().out
    assert (
        "Coverage that was lost (1, by more than a factor of 1.5)\n  T: L: 2 -> 8 (times 4)" in text
    )
    assert text.endswith("no verdict got worse\n")
    assert cli.main(["diff", old, new, "--strict"]) == 1
    assert cli.main(["diff", new, old, "--strict"]) == 0
    assert "Coverage that was gained" in capsys.readouterr().out
    assert cli.main(["diff", old, new, "--strict", "--factor", "5"]) == 0


def test_runs_that_cannot_be_read_are_usage_errors(run, tmp_path, capsys):
    good = run("good", claim())
    (broken := tmp_path / "broken.json").write_bytes(b"\xff{")
    for path, message in (
        (tmp_path / "nowhere", "nowhere/results.json does not exist"),
        (tmp_path, "results.json does not exist"),
        (broken, "broken.json is not complete, strict JSON"),
    ):
        for arguments in ([good, path], [path, good]):
            assert cli.main(["compare", *map(str, arguments)]) == 2
            assert message in capsys.readouterr().err


@pytest.mark.parametrize("factor", ["1", "0.5", "inf", "nan", "much"])
def test_a_factor_must_be_above_one(run, factor, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", "a", "b", "--factor", factor])
    assert stopped.value.code == 2
    assert "--factor" in capsys.readouterr().err
    with pytest.raises(ValueError, match="factor must be a finite number above 1"):
        changes({}, {}, factor=0.5)
