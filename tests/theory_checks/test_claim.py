"""Claims as theorems on settings: constants that flow once, grids, controls as tables."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from optzoo.problems import Constant
from optzoo.theorems import Assumption, Constants, constant
from theory_checks.checks import ExactIdentity, ExactInequality
from theory_checks.claim import Case, Claim, grid
from theory_checks.controls import controls, exact_case, mutant, null, wrong
from theory_checks.records import write as record
from theory_checks.records.theorems import theorem_records
from theory_checks.setting import Stated
from theory_checks.simulation.engine import InThreads
from theory_checks.simulation.evaluation import run_claim
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claims

from .statements import stated


@dataclass(frozen=True, kw_only=True)
class Line(Constants):
    """x -> slope x."""

    slope: float = constant("the slope", weakens="up")

    def at(self, x):
        return self.slope * np.asarray(x)


RISING = Assumption("$x > 0$", lambda constants, x: bool(np.all(np.asarray(x) > 0)))
BELOW = stated(
    label="L", side="above", constants=Line, formula=Line.at, assumptions=(RISING,), metric="y"
)


def setting(slope):
    return Stated("a line", {"slope": Constant(slope, "exact", derivation="chosen")}, {"x": 2.0})


def case(slope, measured=1.0):
    place = setting(slope)

    def check(scale=1.0, method=None, **changes):
        bound = scale * place.bound(BELOW, [1.0, 2.0], **changes)
        return ExactInequality(lambda: (np.array([measured, measured]), bound))

    return Case(place, check(), controls(check, wrong("tenth", "a tenth of it", scale=0.1)))


def claim(prepare, **more):
    return Claim(id="a/claim", title="A claim", theorem=BELOW, prepare=prepare, **more)


def run(prepare):
    return run_claim(claim(prepare), Laboratory(seeds=8))


def test_the_bound_eats_the_constants_that_the_report_shows():
    place = setting(3.0)
    np.testing.assert_array_equal(place.bound(BELOW, [1.0, 2.0]), [3.0, 6.0])
    np.testing.assert_array_equal(place.bound(BELOW, [1.0], slope=0.5), [0.5])
    with pytest.raises(ValueError, match=r"L does not apply: it assumes \$x > 0\$"):
        place.bound(BELOW, [-1.0])
    with pytest.raises(ValueError, match=r"Line needs slope; given are \['L'\]"):
        Stated("x", {"L": Constant(1.0, "exact")}).of(BELOW)
    with pytest.raises(TypeError, match="T1 has no constants"):
        place.of(stated())


def test_on_a_grid_the_case_closest_to_its_bound_is_the_claims():
    found = run(grid(case, slope=(20.0, 1.25, 4.0)))
    assert found["case"] == "1.25"
    assert found["constants"]["slope"]["value"] == 1.25
    assert found["tightness"] == pytest.approx(0.8)
    assert [row["name"] for row in found["cases"]] == ["20.0", "1.25", "4.0"]
    assert [row["verdict"] for row in found["cases"]] == ["CONSISTENT"] * 3
    assert [row["constants"]["slope"]["value"] for row in found["cases"]] == [20.0, 1.25, 4.0]
    assert [one["name"] for one in found["controls"]] == [
        "tenth: 20.0", "tenth: 1.25", "tenth: 4.0",
    ]  # fmt: skip
    assert [one["killed"] for one in found["controls"]] == [False, True, True]


def test_one_refuted_case_refutes_the_claim():
    found = run(grid(case, slope=(4.0, 0.5)))
    assert (found["verdict"], found["case"]) == ("REFUTED", "0.5")
    assert run(lambda: case(4.0))["cases"] == []


def test_a_grid_needs_choices_with_different_names():
    with pytest.raises(ValueError, match="different names"):
        grid(case, slope=(1.0, 1.0))
    with pytest.raises(ValueError, match="different names"):
        grid(case, slope=(1.0,), where=lambda slope: slope > 1)
    only = grid(case, slope=(1.0, 2.0), where=lambda slope: slope > 1)
    assert list(only.cases) == ["2.0"]


def exact(value=1.0, method=None):
    return ExactIdentity(lambda: (np.array([value if method is None else method()]), np.ones(1)))


def off_by_a_half():
    """The value is off by a half.

    More is not said in a table.
    """
    return 1.5


def test_controls_are_a_table_of_changes():
    rows = controls(
        exact,
        mutant(off_by_a_half),
        wrong("doubled", "twice the value", value=2.0),
        null("unchanged", "the value itself", value=1.0),
    )
    told = [(one.name, one.description, one.expected) for one in rows]
    assert told == [
        ("off by a half", "the value is off by a half", "REFUTED"),
        ("doubled", "twice the value", "REFUTED"),
        ("unchanged", "the value itself", "NOT_REFUTED"),
    ]
    verdicts = [one.check.run(Laboratory()).verdict for one in rows]
    assert verdicts == ["REFUTED", "REFUTED", "CONSISTENT"]
    with pytest.raises(ValueError, match="two controls have one name"):
        controls(exact, mutant(off_by_a_half), mutant(off_by_a_half))


@pytest.mark.parametrize("bites", [True, False])
def test_an_exact_case_is_its_sides_with_a_table_of_changes(bites):
    place = setting(1.0)

    def sides(where, factor=1.0):
        assert where is place
        return [factor, 2.0], [1.0, 2.0]

    rows = (wrong("twice", "twice as much", factor=2.0), null("once", "as it is", factor=1.0))
    made = exact_case(
        place, sides, ExactIdentity, *rows, bites=bites, tolerance=1e-3, what="two numbers"
    )
    assert made.setting is place
    laboratory = Laboratory(seeds=2)
    found = made.check.run(laboratory)
    assert found.verdict == "CONSISTENT"
    assert "two numbers" in found.decided
    verdicts = [one.check.run(laboratory).verdict for one in made.controls]
    assert verdicts == (["REFUTED", "CONSISTENT"] if bites else [])
    assert [one.expected for one in made.controls] == ["REFUTED", "NOT_REFUTED"][: 2 * bites]


def test_nothing_of_the_statement_is_typed_a_second_time():
    found = run(lambda: case(2.0))
    assert (found["statement"], found["metric"], found["theorem"]) == ("$a = b$", "y", "L")
    assert found["assumptions"] == ["$x > 0$"]
    assert found["not_shown"] == "nothing"
    told = run_claim(claim(lambda: case(2.0), not_shown="that"), Laboratory(seeds=8))
    assert told["not_shown"] == "that"
    with pytest.raises(TypeError, match=r"must be an optzoo.theorems.Theorem, got 'F3'"):
        Claim(id="a/b", title="", theorem="F3", prepare=lambda: case(1.0))


def test_a_part_is_filed_under_its_theorem(tmp_path):
    part = BELOW.part("L, one step", "One step", side="equal", formula=None)
    assert (part.root.label, part.part_of) == ("L", BELOW)
    labels = [(one["label"], one["root"]) for one in theorem_records([part, stated(), part])]
    assert labels == [("L", "L"), ("L, one step", "L"), ("T1", "T1")]
    one = Claim(id="a/part", title="", theorem=part, prepare=lambda: case(2.0))
    found = run_claim(one, Laboratory(seeds=8))
    assert (found["theorem"], found["part"]) == ("L", "L, one step")


def test_theorems_of_an_interrupted_run_are_kept(tmp_path):
    environment = {"version": "0"}
    run_claims([claim(lambda: case(2.0))], InThreads(Laboratory(seeds=8)), tmp_path, environment)
    earlier = record.finished_run(tmp_path)
    other = Claim(id="b/other", title="", theorem=stated(), prepare=lambda: case(2.0))
    run_claims(
        [other],
        InThreads(Laboratory(seeds=8)),
        tmp_path,
        environment,
        finished=earlier["claims"],
        finished_theorems=earlier["theorems"],
    )
    results = json.loads((tmp_path / "results.json").read_text())
    assert [one["label"] for one in results["theorems"]] == ["L", "T1"]
    assert "return self.slope" in results["theorems"][0]["code"]
    assert results["theorems"][0]["constants"] == [
        {"name": "slope", "meaning": "the slope", "weakens": "up", "read": True}
    ]
