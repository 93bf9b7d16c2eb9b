"""report.html and summary.md as read back by parsers, and results files that must be refused."""

import base64
import doctest
import hashlib
import importlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pytest

from optzoo.plots import band, convergence
from theory_checks.records.read import load_results
from theory_checks.report.figures import Easel
from theory_checks.report.mathml import math_to_html, prose_to_html
from theory_checks.report.page import write_report, write_summary

KINDS = ("upper_bound", "lower_bound", "identity", "one_step", "scaling", "rate")
HOSTILE = "<script>alert('x')</script>\"&|`"

# --- sample records ------------------------------------------------------------------------------


def control(name="wrong_sign", **changes):
    return {
        "name": name,
        "expected": "REFUTED",
        "verdict": "REFUTED",
        "killed": True,
        "killed_by": "e-value",
        "description": f"{name} in the update",
        "evidence": "e-value above 1000",
        "e_value": 3.2e7,
    } | changes


def claim(kind="upper_bound", **changes):
    """A complete record of the kind, CONSISTENT unless the changes say otherwise."""
    record = {
        "id": f"frank_wolfe/{kind}",
        "paper": "Sarah Frank-Wolfe",
        "source": "arXiv:2304.11737, Theorem 1",
        "title": f"Title of {kind}",
        "theorem": "F3",
        "algorithm": "`sarah_frank_wolfe`",
        "statement": r"$$\mathbb{E}\, r_k \le R_k$$ for every $k$",
        "assumptions": "$f$ convex",
        "form": "explicit",
        "kind": kind,
        "unit": "iterations",
        "output": "last iterate",
        "metric": r"$\mathbb{E}[f(x^k) - f^\star]$",
        "problem": "least squares",
        "constants": {
            "L": {"value": 4.25, "how": "certified", "width": 2e-13, "derivation": "`eigvalsh`"}
        },
        "parameters": {"p": 0.125, "step": "$2/(k+2)$"},
        "seeds": 32,
        "verdict": "CONSISTENT",
        "tightness": 0.55,
        "tightness_lower": 0.5,
        "tightness_upper": 0.61,
        "detectable_factor": 1.7,
        "vacuous": False,
        "pairs_with": None,
        "not_shown": "Other steps than $2/(k+2)$.",
        "seconds": 3.5,
        "checkpoints": [1, 10, 100],
        "mean": [0.55, 0.055, 0.0055],
        "lower": [0.5, 0.05, 0.005],
        "upper": [0.6, 0.06, 0.006],
        "bound": [1.0, 0.1, 0.01],
        "lower_bound": None,
        "exponent": None,
        "controls": [control()],
        "evidence": "Upper limits at three checkpoints.",
        "e_value": 0.0023,
        "alpha": 1e-3,
        "decided": "every limit is at most 0.61",
        "x_label": "iteration $k$",
        "y_label": None,
    }
    unsampled = ("seeds", "tightness", "tightness_lower", "tightness_upper", "detectable_factor")
    if kind in ("identity", "one_step"):
        record |= dict.fromkeys((*unsampled, "vacuous", "e_value", "alpha", "lower", "upper"))
        record |= {"mean": [0.5, -0.25, 0.0], "bound": [0.5, -0.25, 1e-12], "tolerance": 1e-10}
    if kind in ("scaling", "rate"):
        record |= dict.fromkeys((*unsampled[1:], "vacuous", "e_value", "bound"))
        stated = {"scaling": -1.0, "rate": 1.0}[kind]
        limits = {"stated": stated, "value": stated, "lower": stated - 0.1, "upper": stated + 0.1}
        record["exponent"] = limits | {"window": [1, 100], "x": "$k$"}
    return record | changes


def write(directory, claims, **changes):
    results = {
        "schema": 1,
        "environment": {
            "python": "3.11.7", "jax": "0.10.2", "optax": "0.2.8", "numpy": "2.4.1", "cpus": 2,
            "platform": "Linux", "devices": "cpu x 8", "preset": "quick", "master_seed": 20231218,
            "created": "2026-01-02T03:04:05+00:00", "version": "0.1.0",
        },
        "claims": claims,
        "summary": {"seconds": 412.5},
    }  # fmt: skip
    (directory / "results.json").write_text(json.dumps(results | changes), encoding="utf-8")
    return directory


class Page(HTMLParser):
    """Tables as rows of text, and the ids, links, elements and text of a page."""

    VOID = frozenset(("meta", "br", "link", "img", "input", "hr", "wbr"))
    BLOCKS = frozenset((
        *("article", "details", "div", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "li", "ol", "p"),
        *("section", "table", "thead", "tbody", "tr", "td", "th", "ul"),
    ))  # fmt: skip
    # What HTML lets end without a tag, and what then ends it: one of these, or its parent's end.
    ENDED_BY: ClassVar = {
        "td": ("td", "th", "tr", "tbody"),
        "th": ("td", "th", "tr", "tbody"),
        "tr": ("tr", "tbody"),
        "thead": ("tbody",),
        "tbody": ("tbody",),
        "li": ("li",),
        "dt": ("dt", "dd"),
        "dd": ("dt", "dd"),
    }

    def __init__(self, source):
        super().__init__()
        self.ids, self.links, self.elements, self.text = [], [], [], []
        self.tables, self.classes, self.attributes, self._open = [], [], [], []
        self.feed(source)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        while self._open and tag in self.ENDED_BY.get(self._open[-1], ()):
            self._open.pop()
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag in self.BLOCKS:
            self.text.append(" ")
        self.elements.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "table":
            self.tables.append([])
            self.classes.append(attributes.get("class", ""))
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if tag in self.BLOCKS:
            self.text.append(" ")
        while self._open[-1] != tag and self._open[-1] in self.ENDED_BY:
            self._open.pop()
        assert self._open.pop() == tag, f"</{tag}> closes what it opened"

    def handle_data(self, data):
        if {"style", "script"} & set(self._open):
            return
        self.text.append(data)
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data

    @property
    def figures(self):
        """What is drawn and named, the definitions that drawings share aside."""
        return sum((tag, name) == ("svg", "aria-label") for tag, name, _ in self.attributes)

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    def rows(self, kind="verdicts"):
        """Of the first table of a class."""
        table = self.tables[self.classes.index(kind)]
        return [[" ".join(cell.split()) for cell in row] for row in table]


def page(directory, claims, **changes):
    return Page(write_report(write(directory, claims, **changes)).read_text(encoding="utf-8"))


# --- the page ------------------------------------------------------------------------------------


def test_table_of_verdicts_has_one_row_a_claim_grouped_by_paper_and_theorem(tmp_path):
    claims = [
        claim(id="a/1", theorem="F3"),
        claim(id="b/1", paper="Another paper", theorem="T1", controls=[]),
        claim(id="a/2", theorem="F4", verdict="REFUTED"),
        claim(id="a/3", theorem="F3", verdict="INCONCLUSIVE"),
    ]
    header, *rows = page(tmp_path, claims).rows()
    assert header == ["Theorem", "Claim", "Kind", "Verdict", "Tightness", "Would catch", "Vacuous",
                      "Seeds", "Controls killed"]  # fmt: skip
    first = ["F3", "Title of upper_bounda/1", "upper bound", "CONSISTENT", "0.55 [0.5, 0.61]",
             "1.7×", "no", "32", "1/1"]  # fmt: skip
    assert [row[0] for row in rows] == [
        "Sarah Frank-Wolfe",
        "F3",
        "F3",
        "F4",
        "Another paper",
        "T1",
    ]
    assert rows[1] == first
    assert [row[3] for row in rows if len(row) > 1] == [
        "CONSISTENT",
        "INCONCLUSIVE",
        "REFUTED",
        "CONSISTENT",
    ]
    assert rows[-1][-1] == "no control"


def theorem(label, **changes):
    record = {
        "paper": "Sarah Frank-Wolfe", "known": "Known by its order only.", "label": label,
        "root": label, "title": f"What {label} says", "source": "Theorem 2", "statement": "$a < b$",
        "assumptions": [{"text": "$f$ convex", "checked": True}], "side": "above",
        "code": "def bound(self):\n    return self.L < 1", "form": "explicit", "proof": "By hand.",
        "constants": [{"name": "L", "meaning": "smoothness", "weakens": "up", "read": True}],
    }  # fmt: skip
    return record | changes


def caught(factor, **changes):
    """What a claim's record says of a constant."""
    return {"factor": factor, "direction": "down", "limit": "reached", "case": ""} | changes


def test_the_page_begins_with_theorems(tmp_path):
    claims = [
        claim(id="a/slack", theorem="F3", detectable_factor=30.0, verdict="INCONCLUSIVE"),
        claim(id="a/sharp", theorem="F3", detectable_factor=1.5,
              constants={"L": {"value": 2.5, "how": "exact"}},
              cases=[{"name": "one"}, {"name": "two"}, {"name": "three"}], case="two"),
        claim("lower_bound", id="a/below", theorem="F3", detectable_factor=1.2),
        claim(id="a/other", theorem="F4", detectable_factor=None),
    ]  # fmt: skip
    parts = [theorem("F3"), theorem("F3, one step", root="F3", code=None, side="equal")]
    parsed = page(tmp_path, claims, schema=2, theorems=[theorem("F4", constants=[]), *parts])
    assert parsed.classes[0] == "theorems"
    _, f3, f4 = parsed.rows("theorems")
    assert f3 == ["F3", "What F3 says", "INCONCLUSIVE", "a/sharp", "1.5×", "a/below", "5",
                  "slack, sharp, below"]  # fmt: skip
    assert f4 == ["F4", "What F4 says", "CONSISTENT", "–", "–", "–", "1", "other"]
    assert "a/theorem/F3" in parsed.ids
    assert "#a/theorem/F3" in parsed.links
    assert "return self.L < 1" in parsed.words
    assert "Known by its order only." in parsed.words
    assert "Nothing to evaluate: both sides are computed." in parsed.words
    assert parsed.rows("values")[1] == ["L", "smoothness", "larger", "2.5 exact"]
    assert "All 3 instances" in parsed.words
    assert "older version" not in parsed.words


def covered_run():
    """Theorems and claims: cells of every shade, a part, misreadings, a reason."""
    names = ("L", "D", "p", "nu", "r_0")
    constants = [{"name": name, "weakens": "up", "read": True} for name in names]
    theorems = [
        theorem("F3", constants=constants),
        theorem("F3, one step", root="F3", constants=constants[:1]),
    ]
    coverage = {
        "L": caught(1.5, case="logistic"),
        "D": caught(7.0, direction="up"),
        "p": caught(300.0),
        "nu": caught(None, case=None),
        "r_0": caught(None, case=None, limit="no part"),
    }
    structure = {"L < squared": "killed", "D": "survived", "p": "untestable", "nu": "weaker"}
    claims = [
        claim(id="a/run", part="F3", coverage=coverage, structure=structure, case="hard one",
              not_tested={"r_0": "it is 0 at the <start>"}),
        claim("one_step", id="a/step", part="F3, one step", coverage={"L": caught(1.0)},
              structure={"D": "killed"}),
    ]  # fmt: skip
    return theorems, claims


def test_the_matrix_of_coverage(tmp_path):
    theorems, claims = covered_run()
    parsed = page(tmp_path, claims, schema=2, theorems=theorems)
    assert "a/coverage" in parsed.ids
    header, f3, step = parsed.rows("matrix")
    columns = ["Theorem", "L", "D", "p", "nu", "r_0", "Misreadings killed", "Hardest instance"]
    assert header == columns
    assert f3 == ["F3", "1.5× 1×", "7× never", "300× never", "never neverUNTESTED",
                  "never neverwith a reason", "1 + 1 / 2", "hard one"]  # fmt: skip
    assert step[:3] == ["F3, one step", "1×", ""]
    shades = [value for tag, name, value in parsed.attributes if tag == "span" and name == "class"
              and value.startswith("cell ")]  # fmt: skip
    legend, cells = shades[:4], shades[4:]
    assert legend == ["cell sharp", "cell fair", "cell blunt", "cell never"]
    assert cells == [f"cell {shade}" for shade in (
        "sharp", "sharp", "fair", "never", "blunt", "never", *["never"] * 4, "sharp",
    )]  # fmt: skip
    assert ("a", "title", "own runs: logistic") in parsed.attributes
    assert ("a", "title", "a part") in parsed.attributes
    assert ("span", "title", "it is 0 at the <start>") in parsed.attributes
    for words in (
        "F3, nu: nothing would have noticed if it could be better by any factor.",
        "F3, r_0: nothing would have noticed if it could be better by any factor: it is 0",
        "constants that could not be wrong unnoticed by a factor of 2: 1/5 of 10: 2/5",
        "by own runs 1 and 2 misreadings killed 2/2, by own runs 1",
        "Not as expected a/run: F3 is untested in nu:",
    ):
        assert words in parsed.words


def test_a_claim_shows_its_own_coverage(tmp_path):
    theorems, claims = covered_run()
    parsed = page(tmp_path, claims, schema=2, theorems=theorems)
    heading = ["Constant", "Caught from a factor of"]
    table = next(rows[1:] for rows in parsed.tables if rows[0][:2] == heading)
    assert [[cell.strip() for cell in row] for row in table] == [
        ["L", "1.5×", "down", "logistic"],
        ["D", "7×", "up", "–"],
        ["p", "300×", "down", "–"],
        ["nu", "never: not even at its limit", "down", "–"],
        ["r_0", "never: it takes no part in the bound here", "down", "–"],
    ]
    summary = "1 killed, 1 survived, 1 change nothing here, 1 claim less"
    assert f"Misreadings of the formula: {summary}" in parsed.words


def test_theorems_whose_check_cannot_be_asked_and_runs_without_coverage(tmp_path):
    (f3, _), (run, _) = covered_run()
    parsed = page(tmp_path, [run | {"coverage": {}, "not_tested": {}}], schema=2, theorems=[f3])
    assert "its check holds the bound as numbers, which cannot be asked anew." in parsed.words
    without = page(tmp_path, [run], schema=2, theorems=[])
    assert "matrix" not in without.classes
    assert "misreadings killed" not in without.words
    assert "Not as expected" not in without.words


def test_the_summary_counts_coverage(tmp_path):
    theorems, claims = covered_run()
    text = write_summary(write(tmp_path, claims, schema=2, theorems=theorems)).read_text()
    assert (
        "Coverage: of 5 constants of theorems, 1 could not be wrong unnoticed by a factor of 2, 2 "
        "by a factor of 10 (by the theorems' own runs 1 and 2); of 2 misreadings of the bounds 2 "
        "are killed (1 by own runs)."
    ) in text
    assert "- a/run: F3 is UNTESTED in nu." in text
    older = write_summary(write(tmp_path, claims)).read_text()
    assert "Coverage" not in older


def test_a_file_of_an_older_version_says_what_it_lacks(tmp_path):
    parsed = page(tmp_path, [claim(theorem="F3", detectable_factor=9.0)])
    assert "written by an older version: they have no theorem pages" in parsed.words
    assert parsed.rows("theorems")[1][:2] == ["F3", "Title of upper_bound"]


def test_first_screen_counts(tmp_path):
    claims = [
        claim(id="1", controls=[control(), control(killed=False, verdict="CONSISTENT")]),
        claim(id="2", verdict="REFUTED"),
        claim(id="3", verdict="INCONCLUSIVE"),
        claim(id="4", vacuous=True),
        claim(id="5", verdict=None, vacuous=True),
    ]
    words = page(tmp_path, claims).words
    assert (
        "5 claims 2 consistent, of which 1 vacuous 1 refuted 1 inconclusive 1 without a verdict "
        "controls killed 5/6 412 s 2026-01-02 03:04:05+00:00 · preset quick · "
        "master seed 20231218 · optzoo 0.1.0 · Python 3.11.7 · jax 0.10.2 · optax 0.2.8 · "
        "numpy 2.4.1 · Linux, 2 CPUs, devices: cpu x 8"
    ) in words


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verdict", ["CONSISTENT", "REFUTED", "INCONCLUSIVE", None])
def test_every_kind_with_every_verdict(tmp_path, kind, verdict):
    parsed = page(tmp_path, [claim(kind, verdict=verdict)])
    assert parsed.figures == (3 if kind in KINDS[:2] else 2), "at a glance, its own, its row"
    assert parsed.ids.count(f"frank_wolfe/{kind}") == 1
    row = parsed.rows()[2]
    assert row[3] == (verdict or "–")
    assert "Title of" in parsed.words
    assert "None" not in parsed.words


def test_page_needs_nothing_from_elsewhere(tmp_path):
    parsed = page(tmp_path, [claim(kind) for kind in KINDS])
    outside = [link for link in parsed.links if not link.startswith("#")]
    assert set(outside) == {"https://arxiv.org/abs/2304.11737"}
    inside = [link for link in parsed.links if link.startswith("#")]
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {unquote(link[1:]) for link in inside} <= set(parsed.ids)
    assert len(inside) >= 2 * len(KINDS)
    assert not {"link", "img", "iframe", "object", "base"} & set(parsed.elements)
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on")
        assert name != "src"
        assert tag == "a" or "//" not in (value or ""), (tag, name, value)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(re.findall("https?:", source)) == len(outside)
    contents = [
        value for tag, name, value in parsed.attributes if (tag, name) == ("meta", "content")
    ]
    (policy,) = [content for content in contents if "src" in content]
    rules = policy.split("; ")
    assert rules[0] == "default-src 'none'"
    scripts = re.findall(r"<script>(.*?)</script>", source, flags=re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    assert f"script-src {allowed}" in rules
    assert len(scripts) == parsed.elements.count("script") == 2
    assert "@import" not in source
    assert not re.search(r"url\((?!#)", source)


def test_hostile_strings_are_text(tmp_path):
    smuggled = r"$\text{<blink>x</blink>}$"
    hostile = claim(
        **dict.fromkeys(
            ("id", "paper", "source", "title", "theorem", "algorithm", "statement", "assumptions",
             "form", "unit", "output", "metric", "problem", "not_shown", "evidence", "decided",
             "x_label", "y_label"),
            HOSTILE,
        ),
        pairs_with=[HOSTILE, "<marquee>absent</marquee>"],
        vacuous=True,
        parameters={HOSTILE: HOSTILE},
        constants={HOSTILE: dict.fromkeys(("value", "how", "width", "derivation"), HOSTILE)},
        controls=[control(HOSTILE, killed=False, verdict=HOSTILE, description=smuggled)],
        verdict="INCONCLUSIVE",
    )  # fmt: skip
    parsed = page(tmp_path, [hostile], environment=dict.fromkeys(("python", "created"), HOSTILE))
    assert not {"marquee", "blink"} & set(parsed.elements)
    assert parsed.elements.count("script") == 2, "those of the page itself"
    assert parsed.words.count("<script>alert('x')</script>\"&|`") > 20
    assert HOSTILE in parsed.ids
    assert smuggled.strip("$") in parsed.words


def test_null_fields_are_dashes(tmp_path):
    full = claim()
    parsed = page(tmp_path, [{**dict.fromkeys(full), "id": "soap/nothing"}, {"id": "soap/less"}],
                  environment=None, summary=None)  # fmt: skip
    rows = parsed.rows()
    assert rows[1] == ["soap"]
    assert rows[2] == ["–", "–soap/nothing", *["–"] * 6, "no control"]
    assert rows[3] == ["–", "–soap/less", *["–"] * 6, "no control"]
    assert "None" not in parsed.words
    assert "No verdict was recorded." in parsed.words
    assert "No curve was recorded." in parsed.words


def test_nulls_inside_are_dashes(tmp_path):
    record = claim(
        constants={"L": None},
        parameters={"p": None},
        controls=[{"name": "null"}],
        exponent=dict.fromkeys(("stated", "value", "lower", "upper", "window", "x")),
        mean=[None, 0.05, 0.005],
        bound=[1.0, None, 0.0],
    )
    parsed = page(tmp_path, [record])
    numbers = parsed.rows("numbers")
    assert [row[1] for row in numbers[1:]] == ["–", "0.05", "0.005"]
    assert [row[-1] for row in numbers[1:]] == ["–", "–", "–"]
    assert "has no outcome" in parsed.words
    assert parsed.rows()[2][-1] == "0/1"


def test_no_claims(tmp_path):
    parsed = page(tmp_path, [])
    assert "0 claims" in parsed.words
    assert "No claim has been checked in this run." in parsed.words
    assert parsed.tables == []


def test_failures_come_first(tmp_path):
    claims = [
        claim(id="refuted", verdict="REFUTED"),
        claim(id="slack", vacuous=True, pairs_with=["also_slack", "elsewhere"]),
        claim(id="also_slack", vacuous=True),
        claim(id="blind", theorem="F4", part="F4", coverage={"L": caught(None)}),
        claim(id="sound", controls=[control("survivor", killed=False, verdict="CONSISTENT"),
                                    control("unrun", killed=None, verdict=None)]),
        claim(id="open", verdict="INCONCLUSIVE", decided="too few seeds"),
    ]  # fmt: skip
    results = write(tmp_path, claims, schema=2, theorems=[theorem("F4")])
    source = write_report(results).read_text(encoding="utf-8")
    assert source.index("failures") < source.index("id=verdicts")
    words = Page(source).words
    box = words[words.index("Not as expected") : words.index("Undecided")]
    items = [
        "refuted: the claim is refuted.",
        "sound: the control survivor survived: expected REFUTED, came out CONSISTENT.",
        "sound: the control unrun has no outcome.",
        "blind: F4 is untested in L: neither its own runs nor those on its parts would notice",
    ]
    positions = [box.index(item) for item in items]
    assert positions == sorted(positions)
    assert "slack" not in box, "a claim with room is no failure"
    assert "belong: also_slack (CONSISTENT, vacuous), elsewhere (not in this run)." in words
    assert "Undecided open: too few seeds" in words


def test_the_numbers_are_in_a_table(tmp_path):
    record = claim(mean=[0.5, 0.075, 0.0], bound=[1.0, 0.1, 0.01])
    parsed = page(tmp_path, [record])
    numbers = parsed.rows("numbers")
    assert numbers == [
        ["iteration k", "mean", "lower", "upper", "bound", "ratio"],
        ["1", "0.5", "0.5", "0.6", "1", "0.5"],
        ["10", "0.075", "0.05", "0.06", "0.1", "0.75"],
        ["100", "0", "0.005", "0.006", "0.01", "0"],
    ]


def test_the_worst_case_stands_between_what_was_measured_and_the_bound(tmp_path):
    record = claim(worst_case=[0.9, 0.09, 0.009], worst_case_over="all convex $f$")
    parsed = page(tmp_path, [record])
    numbers = parsed.rows("numbers")
    assert numbers[0][-3:] == ["worst case", "bound", "ratio"]
    assert [row[4] for row in numbers[1:]] == ["0.9", "0.09", "0.009"]
    assert "No problem of the class is worse after so many steps" in parsed.words
    reason = "all f (not computed: needs optzoo[pep])"
    words = page(tmp_path, [claim(worst_case_over=reason)]).words
    assert f"Worst case over {reason}." in words
    assert "No problem of the class" not in words


def test_a_good_run_has_no_boxes(tmp_path):
    words = page(tmp_path, [claim(), claim(id="v", vacuous=True, pairs_with=claim()["id"])]).words
    assert "Not as expected" not in words
    assert "Undecided" not in words
    assert "VACUOUS" in words


def test_verdict_of_a_bound_in_words(tmp_path):
    words = page(tmp_path, [claim(detectable_factor=3.1)]).words
    assert "In 32 independent runs the upper confidence limit of the mean metric lay at or" in words
    assert "e-value 0.0023." in words
    assert "reach 1/α = 1000 with probability at most α = 0.001" in words
    assert "Here it did not." in words
    assert "the mean metric is 0.55 of the bound" in words
    assert "These runs would have caught a bound 3.1 times smaller." in words
    words = page(tmp_path, [claim(verdict="REFUTED", detectable_factor=0.5, e_value=2e4)]).words
    assert "exceeded the bound by more than chance allows" in words
    assert "These runs refute even a bound 2 times larger." in words
    assert "Here it did." in words


def test_verdict_of_a_lower_bound_in_words(tmp_path):
    record = claim("lower_bound", tightness=20.0, detectable_factor=20.5, vacuous=True)
    words = page(tmp_path, [record]).words
    assert "In 32 independent runs nothing fell below the bound." in words
    assert "These runs would have caught a bound 20.5 times larger." in words
    assert "The metric is more than ten times the bound in every run" in words
    assert "upper confidence limit of the mean metric lay" not in words
    words = page(tmp_path, [claim("lower_bound", verdict="REFUTED", detectable_factor=0.5)]).words
    assert "These runs refute even a bound 2 times smaller." in words


@pytest.mark.parametrize(
    ("kind", "side", "moved"),
    [("upper_bound", "above", "smaller"), ("lower_bound", "below", "larger")],
)
def test_verdict_of_a_bound_without_chance_in_words(tmp_path, kind, side, moved):
    record = claim(kind, seeds=None, e_value=None, detectable_factor=3.1)
    words = page(tmp_path, [record]).words
    assert "Nothing is left to chance here" in words
    assert f"No value lies {side} its bound." in words
    assert f"The same numbers would have caught a bound 3.1 times {moved}." in words
    for chance in ("bootstrap-t one", "independent runs the", "These runs", "mean over seeds"):
        assert chance not in words
    assert "computed exactly" in words, "the legend"
    words = page(tmp_path, [record | {"verdict": "REFUTED"}]).words
    assert f"Some value lies {side} its bound: the claim" in words


def test_large_factors_have_one_multiplication_sign(tmp_path):
    assert page(tmp_path, [claim(detectable_factor=34300.0)]).rows()[2][5] == "3.43×10⁴"


def test_exact_checks_in_words(tmp_path):
    record = claim("identity", mean=[2.0, 0.5], bound=[2.5, 0.25], checkpoints=[1, 2])
    words = page(tmp_path, [record]).words
    assert "measured against exact: 0.5; relative to the exact value 1." in words
    assert "Tolerance: 1×10⁻¹⁰." in words
    assert "excess" not in words
    record["kind"] = "one_step"
    words = page(tmp_path, [record]).words
    assert "Largest excess of measured over the bound: 0.25" in words
    assert "measured against the bound: 0.5; relative to the bound 1." in words


@pytest.mark.parametrize(("kind", "other"), [("identity", "exact"), ("one_step", "bound")])
def test_rings_are_exact_values_of_identities_and_bounds_of_inequalities(tmp_path, kind, other):
    parsed = page(tmp_path, [claim(kind)])
    assert f"{other}measured" in "".join("".join(parsed.text).split())
    numbers = parsed.rows("numbers")
    assert numbers[0][2] == other


def test_where_a_metric_is_smallest(tmp_path):
    record = claim("scaling", exponent=None, mean=[0.5, None, 0.0055], x_label=r"$\lambda$")
    parsed = page(tmp_path, [record])
    assert "Smallest at 100 over 32 seeds" in parsed.words
    assert "In nearly all of them that is inside the stated window." in parsed.words
    assert "exponent:" not in parsed.words
    keys = [
        value.split()[0] for tag, name, value in parsed.attributes if (tag, name) == ("i", "class")
    ]
    assert keys == ["band", "dots"]
    words = page(tmp_path, [record | {"verdict": "REFUTED", "mean": None}]).words
    assert "that is outside the stated window. Smallest at – over" in words


def test_laws_with_limits_have_a_band(tmp_path, monkeypatch):
    drawn = []

    def spy(ax, *arguments, **options):
        drawn.append(arguments)
        return band(ax, *arguments, **options)

    monkeypatch.setattr("optzoo.plots.band", spy)
    record = claim("scaling")
    assert "confidence band" in page(tmp_path, [record]).words
    assert drawn == [(record["checkpoints"], record["lower"], record["upper"])]
    assert "confidence band" not in page(tmp_path, [record | {"lower": None}]).words
    nothing = page(tmp_path, [record | {"mean": [0.0] * 3, "exponent": None}])
    assert "no positive values to show" in nothing.words
    assert len(drawn) == 1


def test_exponents_in_words(tmp_path):
    fit = {
        "stated": 1.0,
        "value": 0.98,
        "lower": 0.93,
        "upper": 1.02,
        "window": [1, 100],
        "x": None,
    }
    words = page(tmp_path, [claim("rate", exponent=fit)]).words
    assert "Fitted exponent: 0.98 [0.93, 1.02] Stated exponent: 1 Window: 1 to 100" in words
    assert "fitted slope −0.98" in words
    assert "stated slope −1" in words
    words = page(tmp_path, [claim("scaling", exponent=fit)]).words
    assert "fitted slope 0.98" in words


def test_a_rate_without_a_positive_point_in_its_window_is_still_drawn(tmp_path):
    exponent = {"stated": 1.0, "window": [10, 100]}
    record = claim("rate", mean=[0.5, 0.0, None], exponent=exponent, verdict="INCONCLUSIVE")
    assert page(tmp_path, [record]).figures == 2


def test_bare_metrics_are_formulas_and_reasons_are_not_repeated(tmp_path):
    record = claim(metric=r"\frac{1}{2}", evidence="bound: it holds", decided="it holds")
    record["controls"] = [control(evidence="caught", killed_by="bound: caught")]
    parsed = page(tmp_path, [record])
    assert "mfrac" in parsed.elements
    assert parsed.words.count("it holds") == 1
    assert parsed.words.count("caught") == 2, "once in the control, once in the sharpness"


def test_legend_names_what_is_drawn(tmp_path):
    exponent = {"stated": 0.5}
    parsed = page(tmp_path, [claim(lower_bound=[0.1, 0.01, 0.001], exponent=exponent)])
    keys = [
        value.split()[0] for tag, name, value in parsed.attributes if (tag, name) == ("i", "class")
    ]
    assert keys == ["band", "line", "dashed", "line", "dotted"]
    for label in ("confidence band", "bound", "lower bound", "mean over seeds", "slope −0.5"):
        assert label in parsed.words


def test_figures_hold_the_record(tmp_path, monkeypatch):
    drawn = []

    def spy(ax, *arguments, **options):
        drawn.append((arguments, options))
        return convergence(ax, *arguments, **options)

    monkeypatch.setattr("optzoo.plots.convergence", spy)
    record = claim(exponent={"stated": 0.5}, lower_bound=[0.1, 0.01, 0.001])
    write_report(write(tmp_path, [record]))
    ((arguments, options),) = drawn
    assert arguments == tuple(record[k] for k in ("checkpoints", "mean", "lower", "upper", "bound"))
    assert options["lower_bound"] == record["lower_bound"]
    assert options["slope"] == -0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoints": [7], "mean": [0.5], "lower": [0.4], "upper": [0.6], "bound": [1.0]},
        {"mean": [0.0, 0.0, 0.0], "lower": [0.0] * 3, "upper": [0.0] * 3},
        {"mean": [0.0] * 3, "bound": None, "lower": None, "upper": None, "tightness": 0.0},
        {"lower": None},
        {"seeds": list(range(256))},
        {"detectable_factor": 0.0},
        {"metric": r"\|x\|^2", "gradient_calls": 1e6},
        {"alpha": None},
        {"checkpoints": [], "mean": [], "lower": [], "upper": [], "bound": []},
    ],
)
def test_unusual_records_render(tmp_path, changes):
    parsed = page(tmp_path, [claim(**changes)])
    assert parsed.rows()[2][3] == "CONSISTENT"
    assert parsed.rows()[2][7] == ("256" if "seeds" in changes else "32")


def test_reports_are_functions_of_the_results(tmp_path):
    write(tmp_path, [claim(kind) for kind in KINDS])
    first = write_report(tmp_path).read_bytes(), write_summary(tmp_path).read_bytes()
    assert (write_report(tmp_path).read_bytes(), write_summary(tmp_path).read_bytes()) == first


def test_drawing_in_used_axes_is_drawing_in_new_ones(tmp_path):
    """Limits, scales, grids, ticks and colours of one figure must not reach the next."""
    odd = [
        claim(mean=[0.0] * 3, bound=None, lower=None, upper=None),
        claim(mean=[5e-7, 4e-7, 3.9e-7], checkpoints=[3, 4, 5], bound=[1.0] * 3),
        claim("identity", mean=[-3.0, 5.0, 1e4], bound=[-3.0, 5.0, 1e4]),
        claim("scaling", exponent={"stated": -1.0, "window": [1, 10]}),
        claim(exponent={"stated": 0.5}, lower=[0.0] * 3, lower_bound=[0.1, 0.01, 0.001]),
    ]
    records = [*map(claim, KINDS), *odd, *map(claim, KINDS), *odd[::-1]]
    used = Easel(4.6, 2.9)
    for record in load_results(
        write(tmp_path, [r | {"id": str(i)} for i, r in enumerate(records)])
    )["claims"]:
        assert used.claim(record, "c") == Easel(4.6, 2.9).claim(record, "c")


def test_short_names_of_papers(tmp_path):
    claims = [
        *(claim(id=f"zoo/{name}", paper="Zoo") for name in ("lion/one", "bear/one", "two")),
        claim(id="zoo/ant/hill", paper="Ants"),
        claim(id="zoo/hill", paper="Hills"),
        claim(id="bare", paper="A paper whose ids have no path and whose name is long"),
    ]
    parsed = page(tmp_path, claims)
    named = {value for tag, name, value in parsed.attributes if name == "data-paper"}
    assert named == {"zoo", "zoo/ant", "Hills", "A paper whose ids have no path and whose"}


def test_sixty_claims_stay_small(tmp_path):
    source = write_report(write(tmp_path, [claim(id=f"c/{i}") for i in range(60)]))
    assert source.stat().st_size < 500_000
    assert len(Page(source.read_text(encoding="utf-8")).rows()) == 2 + 60


def drawings(source):
    """The figures of claims in a page's source."""
    return re.findall(r"<svg [^>]*role=img.*?</svg>", source, flags=re.DOTALL)


def test_a_figure_takes_little_room(tmp_path):
    """What figures share is said once, and a point is little more than its place."""
    few = [claim(kind, checkpoints=[1, 10, 100]) for kind in KINDS]
    points = list(range(1, 1001))
    many = claim("identity", id="m", checkpoints=points, mean=points, bound=points)
    *small, large = drawings(write_report(write(tmp_path, [*few, many])).read_text("utf-8"))
    assert len(small) == len(KINDS)
    assert max(map(len, small)) < 2000
    assert len(large) < 2000 + 2 * 12 * 1000, "rings and dots"
    for drawing in (*small, large):
        assert "style=" not in drawing
        assert "<defs" not in drawing


def test_long_tables_say_where_the_rest_is(tmp_path):
    points = list(range(1, 1001))
    record = claim("identity", checkpoints=points, mean=points, bound=points)
    parsed = page(tmp_path, [record])
    _, *rows = parsed.rows("numbers")
    assert [row[0] for row in rows] == ["1", "144", "286", "429", "572", "715", "857", "1 000"]
    assert "8 of 1 000 rows, evenly spread; results.json has them all." in parsed.words
    parsed = page(tmp_path, [claim("identity", checkpoints=points[:8], mean=points[:8],
                                   bound=points[:8])])  # fmt: skip
    assert len(parsed.rows("numbers")) == 1 + 8
    assert "evenly spread" not in parsed.words


def test_what_is_left_out_of_the_source_is_not_left_out_of_the_page(tmp_path, monkeypatch):
    theorems, claims = covered_run()
    write(tmp_path, [*map(claim, KINDS), *claims], schema=2, theorems=theorems)
    short = write_report(tmp_path).read_text(encoding="utf-8")
    monkeypatch.setattr("theory_checks.report.page.squeezed", lambda text: text)
    full = write_report(tmp_path).read_text(encoding="utf-8")
    assert len(short) < 0.9 * len(full)
    seen, meant = Page(short), Page(full)
    assert seen.attributes == meant.attributes
    assert seen.elements == meant.elements
    assert seen.words.split() == meant.words.split()
    cells = ([[[" ".join(cell.split()) for cell in row] for row in table] for table in one.tables]
             for one in (seen, meant))  # fmt: skip
    assert next(cells) == next(cells)


def test_what_the_page_of_a_theorem_says_is_not_said_again(tmp_path):
    """A claim quotes what is there, by the page's script, and names the place."""
    statement, assumed = "what $x$ is", ["$f$ convex and closed"]
    parts = [
        theorem("F3", statement=statement, assumptions=[{"text": assumed[0], "checked": True}]),
        theorem("F3, one step", root="F3", statement="another"),
    ]
    same = claim(id="a/same", part="F3", statement=statement, assumptions=assumed)
    other = claim(id="a/other", part="F3", statement="words of its own", assumptions=["others"])
    parsed = page(tmp_path, [same, other], schema=2, theorems=parts)
    assert parsed.words.count("what x is") == 1
    assert parsed.words.count("f convex and closed") == 1
    quoted = [value for tag, name, value in parsed.attributes if name == "data-quotes"]
    assert quoted == ["a/theorem/F3"]
    assert quoted[0] in parsed.ids
    assert "As F3 says." in parsed.words
    assert "Assumptions those of F3" in parsed.words
    assert "words of its own" in parsed.words
    assert "Assumptions others" in parsed.words
    assert "Proof. That of F3." in parsed.words
    assert "Proof. By hand." in parsed.words


def test_cases_share_what_is_the_same_for_all(tmp_path):
    one = {"name": "one", "verdict": "CONSISTENT", "problem": "$x$", "seeds": 8, "vacuous": False}
    two, three = one | {"name": "two"}, one | {"name": "three", "problem": "$y$"}
    parsed = page(tmp_path, [claim(cases=[one, two, three], case="two")])
    header, *rows = parsed.rows("cases")
    assert header == ["Instance", "Tightness", "Would catch", "Problem"]
    assert [(row[0], row[-1]) for row in rows] == [("one", "1"), ("two", "1"), ("three", "2")]
    assert "Verdict for all: CONSISTENT. Vacuous for all: no. Seeds for all: 8." in parsed.words
    assert "The problems: x y" in parsed.words
    cases = [one, two | {"seeds": 9, "problem": "$z$"}, three | {"verdict": "REFUTED"}]
    header, *rows = page(tmp_path, [claim(cases=cases, case="two")]).rows("cases")
    assert header == ["Instance", "Tightness", "Would catch", "Verdict", "Seeds", "Problem"]
    assert [row[3:] for row in rows] == [
        ["CONSISTENT", "8", "x"],
        ["CONSISTENT", "9", "z"],
        ["REFUTED", "8", "y"],
    ]


# --- the summary ---------------------------------------------------------------------------------


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_summary_has_counts_table_and_failures(tmp_path):
    claims = [
        claim(id="a/1", title=r"bounded by $\|x\| + |y|$ | or not <b>"),
        claim(id="a/2", verdict="REFUTED", controls=[control(killed=False, verdict="CONSISTENT")]),
        claim(id="a/3", vacuous=True, pairs_with=["a/1"], verdict="INCONCLUSIVE", decided="why"),
        claim("identity", id="b/1", paper=None),
    ]
    text = write_summary(write(tmp_path, claims)).read_text(encoding="utf-8")
    headline = "**4 claims: 2 consistent (of which 0 vacuous), 1 refuted, 1 inconclusive."
    assert f"{headline} Controls killed: 3/4.**" in text
    assert "- a/2: the claim is REFUTED." in text
    assert "- a/2: control wrong_sign survived (expected REFUTED, came out CONSISTENT)." in text
    assert "- a/3: why" in text
    rows = [cells(line) for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {10}
    assert rows[2] == ["F3", r"bounded by $\Vert x\Vert  + \vert y\vert $ \| or not &lt;b&gt;",
                       "a/1", "upper_bound", "CONSISTENT", "0.55 [0.5, 0.61]", "1.7×", "no", "32",
                       "1/1"]  # fmt: skip
    assert rows[4][7] == "VACUOUS"
    assert rows[7][4:] == ["CONSISTENT", "–", "–", "–", "–", "1/1"]
    assert "## b\n" in text


def test_summary_of_nothing(tmp_path):
    text = write_summary(write(tmp_path, [], environment=None, summary=None)).read_text("utf-8")
    assert "**0 claims" in text
    assert "None" not in text
    assert "|" not in text


# --- results files that must be refused ----------------------------------------------------------


@pytest.mark.parametrize("function", [load_results, write_report, write_summary])
def test_missing_results(tmp_path, function):
    with pytest.raises(FileNotFoundError, match=r"results\.json does not exist"):
        function(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not complete, strict JSON"),
        ('{"schema": 1, "claims": [{"id"', "not complete, strict JSON"),
        ('{"schema": 1, "claims": [{"id": "a", "tightness": NaN}]}', "NaN is not a JSON value"),
        ('{"schema": 1, "claims": [{"id": "a", "e_value": Infinity}]}', "Infinity is not a JSON"),
        ('{"schema": 3, "claims": []}', "has schema 3, but this version reads schemas 1 and 2"),
        ('{"claims": []}', "has schema None"),
        ("[]", "has schema 'list'"),
        ('{"schema": 1}', '"claims" in .* must be a list of records'),
        ('{"schema": 1, "claims": [3]}', '"claims" in .* must be a list of records'),
        ('{"schema": 1, "claims": [{}]}', "id must be a non-empty string, but is None"),
        ('{"schema": 1, "claims": [{"id": "a"}, {"id": "a"}]}', "2 records with the id 'a'"),
        ('{"schema": 1, "claims": [{"id": "a", "verdict": "FINE"}]}', "verdict of a must be one"),
        ('{"schema": 1, "claims": [{"id": "a", "kind": "other"}]}', "kind of a must be one of"),
        (
            '{"schema": 1, "claims": [{"id": "a", "checkpoints": [1, 2], "mean": [1]}]}',
            "a has 2 checkpoints, but mean has 1 values",
        ),
    ],
)  # fmt: skip
def test_damaged_results(tmp_path, content, message):
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_what_cannot_be_drawn_does_not_cost_the_page(tmp_path):
    """A word for a number, a name with TeX that Matplotlib lacks, a ratio below 0."""
    claims = [
        claim(id="soap/fine"),
        claim(id="soap/word", checkpoints=[1], mean=["x"], lower=None, upper=None, bound=None),
        claim(id="soap/below", tightness=-0.5, tightness_lower=-1.0, detectable_factor=-2.0),
    ]
    for record in claims:
        record["paper"] = r"On $\lt$ and \operatorname{x}$ & $\nosuchcommand$"
    parsed = page(tmp_path, claims)
    assert "Figures that could not be drawn" in parsed.words
    assert "the curves of soap/word cannot be drawn" in parsed.words
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert source.count("<svg") >= 4  # the others were drawn, the overviews too
    assert "soap/fine" in parsed.words


def test_what_could_not_be_evaluated_comes_first(tmp_path):
    lost = [{"id": "soap/lost", "reason": "soap/lost: no <data>"}]
    parsed = page(tmp_path, [claim()], failures=lost)
    assert "Could not be evaluated" in parsed.words
    assert "soap/lost: no <data>" in parsed.words
    assert "no &lt;data&gt;" in write_summary(tmp_path).read_text()


# --- formulas ------------------------------------------------------------------------------------


def test_formulas_become_mathml():
    html = prose_to_html(r"with $x_k \le \frac{1}{2}$, then $$\sum_i a_i$$ and \$5 for `a < b`")
    assert html.count("<math") == 2
    assert 'display="block"' in html
    assert "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in html
    assert html.endswith("and $5 for <code>a &lt; b</code>")


@pytest.mark.parametrize("text", ["costs $5", "$5 and $6", "a $ b", "$$", "", "$ $ $", "$a $"])
def test_lonely_dollars_are_text(text):
    assert str(prose_to_html(text)) == text


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{",
        r"\unknowncommand x",
        r"\text{<b onclick=x>y</b>}",
        "a & b",
        r"\left( a \right",
        "",
    ],
)
def test_what_cannot_be_converted_is_shown_as_it_is(tex):
    html = math_to_html(tex)
    assert Page(str(html)).elements == ["code"]
    assert "".join(Page(str(html)).text) == tex


@pytest.mark.parametrize(
    "tex", [r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}", r'\class{a" onclick="b}{x}']
)
def test_attributes_cannot_be_smuggled_in(tex):
    parsed = Page(str(math_to_html(tex)))
    assert {name for _, name, _ in parsed.attributes} <= {"display"}


def test_names_of_operators_are_upright():
    assert math_to_html(r"\operatorname*{arg\,min}_x").count('mathvariant="normal"') == 6


@pytest.mark.parametrize(
    ("tex", "sign"),
    [(r"\Big\| x", "‖"), (r"\Big\{ x", "{"), (r"\Bigl\lceil x", "⌈"), (r"\arg\min_x f", "arg")],
)
def test_big_delimiters_and_arg_are_drawn(tex, sign):
    assert sign in Page(str(math_to_html(tex))).text


@pytest.mark.parametrize(
    "name",
    ["records.coverage", "records.diff", "records.read", "records.theorems", "report.coverage",
     "report.page", "report.mathml", "report.theorems", "restated", "checks.restatable",
     "worst_case.misreadings"],
)  # fmt: skip
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(f"theory_checks.{name}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_templates_are_all_used():
    page = importlib.import_module("theory_checks.report.page")
    templates = Path(page.__file__).parent / "templates"
    sources = "".join(path.read_text(encoding="utf-8") for path in templates.iterdir())
    for path in templates.iterdir():
        assert (
            path.name in ("report.html", "summary.md", "theme.js", "filter.js")
            or f'"{path.name}"' in sources
        )
