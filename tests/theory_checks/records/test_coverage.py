"""What the claims of a run tested together: own and parts apart, reasons, absent partners."""

import math

import pytest

from theory_checks.records.coverage import Cell, coverage_of, headline, untested
from theory_checks.records.theorems import theorem_records, with_claims
from theory_checks.records.write import summary, unmet_expectations
from theory_checks.report.coverage import headline_in_words, in_words, matrix, shade

from ..hand_made import level
from ..statements import stated


def constant(name, **changes):
    return {"name": name, "weakens": "up", "read": True} | changes


def theorem(label="T", *names, root=None, side="above", **changes):
    constants = [constant(name) for name in names or ("L", "sigma")]
    record = {"paper": "P", "label": label, "root": root or label, "side": side}
    return record | {"constants": constants} | changes


def claim(identifier, caught=None, part="T", root="T", structure=None, **changes):
    """A record; `caught` is constant -> factor, None for at none."""
    record = {"id": identifier, "paper": "P", "part": part, "theorem": root, "pairs_with": []}
    coverage = {
        name: {"factor": factor, "case": f"case of {identifier}"}
        for name, factor in (caught or {}).items()
    }
    record |= {"verdict": "CONSISTENT", "controls": [], "vacuous": False}
    return record | {"coverage": coverage, "structure": structure or {}} | changes


def only(theorems, claims):
    (row,) = coverage_of(theorems, claims)
    return row


def test_the_sharpest_claim_of_the_theorem_itself():
    claims = [
        claim("a", {"L": 5.0, "sigma": None}),
        claim("b", {"L": 3.0, "sigma": 7.0}),
        claim("c", {"L": None}),
        claim("of another paper", {"L": 1.1, "sigma": 1.1}, paper="Q"),
    ]
    row = only([theorem()], claims)
    assert row.own == {"L": Cell(3.0, "b", "case of b"), "sigma": Cell(7.0, "b", "case of b")}
    assert row.parts == {"L": Cell(), "sigma": Cell()}
    assert row.claims == ("a", "b", "c")
    assert row.untested == ()


def test_parts_and_own_are_never_mixed():
    """A part is a claim on a part of the theorem, or a partner; neither makes an own cell."""
    theorems = [theorem(), theorem("T, a step", root="T")]
    own = claim("own", {"L": None, "sigma": 4.0}, pairs_with=["partner"])
    step = claim("step", {"L": 1.5}, part="T, a step")
    partner = claim("partner", {"L": 1.2, "sigma": 9.0}, part="Q", root="Q")
    row, part = coverage_of(theorems, [own, step, partner])
    assert not row.own["L"].caught
    assert row.parts["L"] == Cell(1.2, "partner", "case of partner")
    assert (row.own["sigma"].factor, row.parts["sigma"].factor) == (4.0, 9.0)
    assert row.untested == ()
    assert part.own["L"] == Cell(1.5, "step", "case of step")
    assert not part.own["sigma"].caught
    assert not part.parts["sigma"].caught, "the theorem is no part of its part"
    assert [one.is_root for one in (row, part)] == [True, False]


def test_constants_that_are_not_read_chosen_ones_and_laws_have_no_cells():
    constants = [constant("L"), constant("eta", weakens=None), constant("idle", read=False)]
    assert list(only([theorem(constants=constants)], [claim("a", {"L": 2.0})]).own) == ["L"]
    assert coverage_of([theorem(side="law")], [claim("a")]) == []
    law = only([theorem(side="law")], [claim("a", structure={"exponent 1": "survived"})])
    assert (law.own, law.survivors) == ({}, ("exponent 1",))
    assert coverage_of([theorem()], []) == [], "no claim speaks of it"


def test_untested_is_a_root_in_a_constant_that_nothing_would_catch_and_no_claim_explains():
    theorems = [theorem("T"), theorem("T, a step", root="T")]
    blind = claim("blind", {"L": None, "sigma": 4.0})
    step = claim("step", {"L": None, "sigma": None}, part="T, a step")
    row, part = coverage_of(theorems, [blind, step])
    assert row.untested == ("L",)
    assert part.untested == (), "what a part leaves open is open in the theorem"
    assert [(one.label, names) for one, names in untested([row, part])] == [("T", ("L",))]
    reason = "no instance has one"
    with_reason = only([theorem()], [blind | {"not_tested": {"L": reason}}])
    assert (with_reason.untested, with_reason.not_tested) == ((), {"L": reason})
    other = only([theorem()], [blind | {"not_tested": {"sigma": reason}}])
    assert other.untested == ("L",)
    assert only([theorem()], [blind | {"verdict": "REFUTED"}]).untested == ()


def test_partners_that_were_not_asked_for_are_no_failure():
    blind = claim("blind", {"L": None, "sigma": 4.0}, pairs_with=["away"])
    row = only([theorem()], [blind])
    assert (row.absent, row.untested) == (("away",), ())
    assert list(untested([row])) == []
    there = claim("away", {"L": None}, part="Q", root="Q")
    assert [names for _, names in untested(coverage_of([theorem()], [blind, there]))] == [("L",)]


def test_the_best_outcome_of_a_misreading_counts_and_parts_are_named():
    own = claim("a", structure={"1": "survived", "2": "weaker", "3": "untestable", "4": "killed"})
    more = claim(
        "b", structure={"1": "untestable", "2": "survived", "3": "weaker", "4": "survived"}
    )
    assert only([theorem()], [own, more]).outcomes == {
        "1": "survived", "2": "survived", "3": "weaker", "4": "killed",
    }  # fmt: skip
    part = claim("c", part="S", root="T", structure={"1": "killed", "2": "survived", "5": "killed"})
    row = only([theorem()], [own, more, part])
    assert row.outcomes["1"] == "killed by a part"
    assert (row.outcomes["2"], "5" in row.outcomes) == ("survived", False)
    assert row.survivors == ("2",)
    assert (row.count("killed"), row.count("killed", "killed by a part")) == (1, 2)


def test_the_hardest_instance_is_the_one_that_would_catch_the_least():
    claims = [
        claim("a", detectable_factor=4.0, case="one"),
        claim("b", detectable_factor=1.5, case="two"),
        claim("c", detectable_factor=None, case="three"),
    ]
    assert only([theorem()], claims).hardest == ("b", "two")


def test_the_headline_counts_roots_at_its_two_factors():
    names = ("a", "b", "c", "d", "e")
    theorems = [theorem("T", *names), theorem("S", "L", root="T"), theorem("U", "L")]
    own = claim(
        "own",
        {"a": 2.0, "b": 2.001, "c": 10.0, "d": 10.01, "e": None},
        structure={
            "1": "killed",
            "2": "survived",
            "3": "weaker",
            "4": "untestable",
            "5": "survived",
        },
    )
    part = claim("part", {"L": 1.0, "d": 1.5, "e": 3.0}, part="S", structure={"5": "killed"})
    other = claim("other", {"L": None}, part="U", root="U")
    counts = headline(coverage_of(theorems, [own, part, other]))
    assert counts == {
        "pairs": 6, "sharp": 1, "sharp_with_parts": 2, "fair": 3, "fair_with_parts": 5,
        "caught": 4, "caught_with_parts": 5, "misreadings": 3, "killed": 1,
        "killed_with_parts": 2, "untestable": 1,
    }  # fmt: skip
    assert headline_in_words(coverage_of(theorems, [own, part, other])) == (
        "coverage: of 6 constants own runs would catch a factor of 2 in 1, of 10 in 3, any in 4; "
        "with parts 2, 5, 5; misreadings of the bounds killed: 1 of 3, with parts 2"
    )


# --- In words ---


def test_shades_change_at_the_factors_of_the_headline():
    cells = [Cell(1.0), Cell(2.0), Cell(2.01), Cell(10.0), Cell(10.1), Cell(1e9), Cell()]
    shades = ["sharp", "sharp", "fair", "fair", "blunt", "blunt", "never"]
    assert [shade(cell) for cell in cells] == shades


def rows():
    """A theorem with a cell of every kind, and its part."""
    theorems = [theorem("T", "a", "b", "c", "d"), theorem("S", "b", "z", root="T")]
    own = claim(
        "own",
        {"a": 3.0, "b": None, "c": None, "d": None},
        structure={"one": "killed", "two": "survived", "three": "survived", "four": "untestable"},
        not_tested={"c": "it has no size here"},
    )
    part = claim("part", {"b": 1.5, "z": 2.0}, part="S", structure={"three": "killed"})
    return coverage_of(theorems, [own, part])


def test_lines_for_a_terminal():
    assert [line for row in rows() for line in in_words(row)] == [
        "T",
        "  a            own 3, parts never",
        "  b            own never, parts 1.5",
        "  c            own never, parts never  not tested: it has no size here",
        "  d            own never, parts never  UNTESTED",
        "  misreadings  2 of 3 killed (1 by parts); survived: two",
        "S",
        "  b            own 1.5, parts never",
        "  z            own 2, parts never",
        "  misreadings  1 of 1 killed",
    ]


def test_the_matrix_has_all_constants_of_its_theorems_and_its_worst_cells_in_words():
    table = matrix(rows())
    assert table.constants == ("a", "b", "c", "d", "z")
    assert [row.label for row in table.rows] == ["T", "S"]
    assert table.worst == (
        "T, b: own runs never; part, on a part of its proof, would catch a factor of 1.5.",
        "T, c: nothing would have noticed if it could be better by any factor: it has no size "
        "here.",
        "T, d: nothing would have noticed if it could be better by any factor.",
    )


# --- What a run fails by ---


def test_a_run_fails_by_what_it_left_untested():
    blind = claim("p/blind", {"L": None, "sigma": 4.0})
    (sentence,) = unmet_expectations([blind], [theorem()])
    assert sentence == (
        "T is UNTESTED in L: no run of p/blind or of its parts would notice if it could be better "
        "by any factor"
    )
    assert summary([blind], 1.0, [theorem()])["unmet"] == [sentence]
    assert summary([blind], 1.0, [theorem()])["coverage"]["caught"] == 1
    assert unmet_expectations([blind]) == [], "without the theorem nothing is known of it"
    assert unmet_expectations([blind | {"vacuous": True}], [theorem("T", "sigma")]) == []


def test_a_check_that_cannot_be_asked_is_told_what_it_lacks():
    (sentence,) = unmet_expectations([claim("p/numbers")], [theorem()])
    assert sentence.startswith("T is UNTESTED in L, sigma: the check of p/numbers holds the bound")
    assert "lambda: setting.bound(theorem, ...)" in sentence


def test_a_refuted_theorem_is_refuted_and_not_untested_beside():
    (sentence,) = unmet_expectations(
        [claim("p/wrong", verdict="REFUTED", decided="why")], [theorem()]
    )
    assert sentence == "p/wrong is REFUTED: why"


@pytest.mark.parametrize("kind", ["above", "law"])
def test_records_of_theorems_say_which_constants_the_bound_reads(kind):
    one = level() if kind == "above" else stated(side="law", constants=level().constants)
    (record,) = theorem_records([one])
    read = {constant["name"]: constant["read"] for constant in record["constants"]}
    expected = {"L", "sigma", "p"} if kind == "above" else set()
    assert {name for name, is_read in read.items() if is_read} == expected
    assert set(read) == {"L", "sigma", "p", "eta", "idle"}


def test_a_cell_is_caught_at_a_finite_factor():
    assert Cell(1.0).caught
    assert not Cell(math.inf).caught


def test_a_misreading_that_claims_less_is_killed_by_no_part():
    own = claim(
        "own", structure={"1": "weaker", "2": "untestable", "3": "survived"}, pairs_with=["part"]
    )
    part = claim("part", part="Q", root="Q", structure=dict.fromkeys("123", "killed"))
    row = only([theorem()], [own, part])
    assert row.outcomes == {"1": "weaker", "2": "killed by a part", "3": "killed by a part"}


def test_claims_that_were_not_asked_for_make_no_theorem_untested():
    alone = claim("alone", {"L": None, "sigma": 2.0})
    assert only([theorem(claims=["alone"])], [alone]).untested == ("L",)
    row = only([theorem(claims=["alone", "elsewhere"])], [alone])
    assert (row.absent, row.untested) == (("elsewhere",), ())
    assert "nothing would have noticed" not in "; ".join(matrix([row]).worst)


def test_claims_of_an_earlier_run_stay_known():
    (record,) = theorem_records([level()])
    (again,) = with_claims([record | {"claims": ["theirs/one"]}], [])
    assert again["claims"] == ["theirs/one"]


def test_of_a_lambda_the_constants_count_that_were_seen_in_the_bound():
    one = level(formula=lambda constants, k: constants.L / k)
    (record,) = theorem_records([one])
    assert {constant["read"] for constant in record["constants"]} == {None}
    seen = claim("own", {"L": 2.0, "sigma": None}, paper=record["paper"], part=record["label"])
    seen["coverage"]["L"]["limit"], seen["coverage"]["sigma"]["limit"] = "reached", "no part"
    row = only([record], [seen | {"theorem": record["root"]}])
    assert list(row.own) == ["L"]
