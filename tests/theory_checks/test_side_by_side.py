"""Methods side by side from evaluation through results.json to the page, and interrupted runs."""

import doctest
import importlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import theory_checks.claims
from optzoo.plots import side_by_side as draw
from optzoo.theorems import Paper
from theory_checks import cli
from theory_checks.checks import ExactIdentity
from theory_checks.claim import Case, Claim
from theory_checks.records import write as record
from theory_checks.records.read import load_results
from theory_checks.report.page import write_report, write_summary
from theory_checks.setting import Stated
from theory_checks.side_by_side import Curve, Outcome, Panel, SideBySide
from theory_checks.simulation import evaluation, runner
from theory_checks.simulation.engine import InThreads
from theory_checks.simulation.laboratory import Laboratory

from .statements import stated

ENVIRONMENT = {"version": "0", "preset": "quick", "seeds": 8, "master_seed": 0}
X = np.array([1.0, 10.0, 100.0])


def curve(label="SARAH", x=X, scale=1.0, *, banded=True):
    mean = scale / x
    return Curve(label, x, mean, 0.9 * mean, 1.2 * mean) if banded else Curve(label, x, mean)


def outcome(*panels, notes=("SARAH needs $10$ steps.", "SAGA needs more.")):
    both = (curve(), curve("SAGA", scale=3.0))
    default = (
        Panel("Per step $k$", "step $k$", "$E[r_k]$", both),
        Panel("Per gradient", "gradients", "$E[r_k]$", (curve("SAGA", X * 7), curve(x=X * 5))),
    )
    return Outcome(panels or default, tuple(notes), "least squares, $n = 4$", 8)


def beside(identifier="paper/compare/all", evaluate=lambda laboratory: outcome(), **changes):
    fields = {"title": "All of them", "paper": "A paper", "description": "Batches of $b$."}
    return SideBySide(id=identifier, evaluate=evaluate, **(fields | changes))


def claim(identifier="paper/claim", before=lambda: None):
    def prepare():
        before()
        return Case(Stated("a problem"), ExactIdentity(lambda: (np.ones(1), np.ones(1))))

    return Claim(id=identifier, title="A title", theorem=stated(), prepare=prepare)


def run(directory, claims, side_by_side, workers=1, **options):
    engine = InThreads(Laboratory(seeds=8), workers)
    return runner.run_claims(
        claims, engine, directory, ENVIRONMENT, side_by_side=side_by_side, **options
    )


# --- evaluation and results.json -----------------------------------------------------------------


def test_a_record_holds_the_outcome(tmp_path):
    uneven = curve("SAGA", X[:2], banded=False)
    uneven.mean[1] = np.nan
    panel = Panel("Per step $k$", "step $k$", "$E[r_k]$", (curve(), uneven))
    _, failures = run(tmp_path, [], [beside(evaluate=lambda laboratory: outcome(panel))])
    assert not failures
    results = load_results(tmp_path)
    (found,) = results["comparisons"]
    assert found.pop("seconds") >= 0.0
    assert len(found.pop("fingerprint")) == 64
    assert found == {
        "id": "paper/compare/all",
        "title": "All of them",
        "paper": "A paper",
        "description": "Batches of $b$.",
        "problem": "least squares, $n = 4$",
        "seeds": 8,
        "notes": ["SARAH needs $10$ steps.", "SAGA needs more."],
        "panels": [
            {
                "title": "Per step $k$",
                "x_label": "step $k$",
                "y_label": "$E[r_k]$",
                "curves": [
                    {
                        "label": "SARAH",
                        "x": [1.0, 10.0, 100.0],
                        "mean": [1.0, 0.1, 0.01],
                        "lower": [0.9, 0.9 * 0.1, 0.9 * 0.01],
                        "upper": [1.2, 1.2 * 0.1, 1.2 * 0.01],
                    },
                    {"label": "SAGA", "x": [1.0, 10.0], "mean": [1.0, None], "lower": None,
                     "upper": None},
                ],
            }
        ],
    }  # fmt: skip
    assert results["summary"]["comparisons"] == 1
    assert results["claims"] == []


def test_they_come_after_the_claims_and_share_their_laboratory(tmp_path):
    events = []

    def evaluate(laboratory):
        events.append(("beside", laboratory.seeds))
        return outcome()

    claims = [claim(f"paper/{name}", lambda: events.append("claim")) for name in "abc"]
    seen = []
    records, failures = run(
        tmp_path,
        claims,
        [beside("paper/x/1", evaluate), beside("paper/x/2", evaluate)],
        workers=3,
        on_claim=lambda found: seen.append(found["id"]),
        on_side_by_side=lambda found: seen.append(found["id"]),
    )
    assert events == ["claim"] * 3 + [("beside", 8)] * 2
    assert [one["id"] for one in records] == ["paper/a", "paper/b", "paper/c"]
    assert sorted(seen[:3]) == ["paper/a", "paper/b", "paper/c"]
    assert sorted(seen[3:]) == ["paper/x/1", "paper/x/2"]
    assert not failures


def test_a_killed_run_keeps_what_was_finished(tmp_path):
    ran = []

    def counted(laboratory):
        ran.append("first")
        return outcome()

    def dies(laboratory):
        raise KeyboardInterrupt

    one, first = claim(), beside("paper/x/first", counted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, [one], [first, beside("paper/x/second", dies)])
    earlier = record.finished_run(tmp_path)
    assert [c["id"] for c in earlier["claims"]] == ["paper/claim"]
    assert [c["id"] for c in earlier["comparisons"]] == ["paper/x/first"]

    others = [{**earlier["comparisons"][0], "id": "paper/x/other"}]
    run(
        tmp_path,
        [one],
        [beside("paper/x/second"), first],
        finished=earlier["claims"],
        finished_side_by_side=[*earlier["comparisons"], *others],
    )
    assert ran == ["first"]
    again = load_results(tmp_path)
    ids = [c["id"] for c in again["comparisons"]]
    assert ids == ["paper/x/other", "paper/x/second", "paper/x/first"]
    assert again["comparisons"][2] == earlier["comparisons"][0]
    assert not list(tmp_path.glob(".results*"))


def test_failures_name_the_id_and_leave_the_others_standing(tmp_path):
    def lost(laboratory):
        raise FileNotFoundError("no such data")

    def damaged(laboratory):
        return outcome(Panel("p", "x", "y", (Curve("SARAH", X, X[:1]),)))

    _, failures = run(
        tmp_path,
        [claim()],
        [beside("paper/x/lost", lost), beside("paper/x/bad", damaged), beside()],
    )
    bad, lost_one = sorted(failures)
    assert bad.startswith("paper/x/bad: mean of the curve 'SARAH' has shape (1,), but x has shape")
    assert lost_one.startswith("paper/x/lost: no such data")
    assert all(Path(__file__).name in failure for failure in failures), "where to look"
    results = load_results(tmp_path)
    assert [c["id"] for c in results["comparisons"]] == ["paper/compare/all"]
    assert len(results["claims"]) == 1


def test_results_without_any_still_load(tmp_path):
    record.write(tmp_path, ENVIRONMENT, [evaluation.run_claim(claim(), Laboratory(seeds=8))], 1.0)
    path = tmp_path / "results.json"
    old = json.loads(path.read_text())
    for none in ({}, {"comparisons": None}):
        kept = {key: value for key, value in old.items() if key != "comparisons"}
        path.write_text(json.dumps(kept | none))
        assert load_results(tmp_path)["comparisons"] == []
        assert record.finished_run(tmp_path)["comparisons"] == []
        page = write_report(tmp_path).read_text(encoding="utf-8")
        assert "Side by side</h2>" not in page
        assert "side by side" not in page
        assert "Side by side" not in write_summary(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"id": "a"}, '"comparisons" in .* must be a list of records'),
        ([3], '"comparisons" in .* must be a list of records'),
        ([{}], "a side-by-side record's id must be a non-empty string, but is None"),
        ([{"id": "a"}, {"id": "a"}], "2 records with the id 'a'"),
        ([{"id": "a/claim"}], "2 records with the id 'a/claim'"),
        (
            [{"id": "a", "panels": [{"curves": [{"label": "b", "x": [1], "mean": [1, 2]}]}]}],
            "the curve 'b' of a has 1 points, but mean has 2 values",
        ),
        (
            [{"id": "a", "panels": [{"curves": [{"label": "b", "x": [1], "upper": []}]}]}],
            "the curve 'b' of a has 1 points, but upper has 0 values",
        ),
    ],
)
def test_damaged_records(tmp_path, records, message):
    results = {"schema": 1, "claims": [{"id": "a/claim"}], "comparisons": records}
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve("", X, X), "needs a label"),
        (lambda: Curve("a", np.ones(0), np.ones(0)), "must be one-dimensional and not empty"),
        (lambda: Curve("a", np.ones((2, 2)), X), r"not empty, but has shape \(2, 2\)"),
        (lambda: Curve("a", X, X, X, X[:1]), r"upper of the curve 'a' has shape \(1,\)"),
        (lambda: Curve("a", X, X, X), "the band of the curve 'a' needs both limits"),
        (lambda: Panel("p", "x", "y", ()), "the panel 'p' has 0 curves; 1 to 6"),
        (lambda: Panel("p", "x", "y", tuple(map(curve, "abcdefg"))), "has 7 curves"),
        (lambda: Panel("p", "x", "y", (curve(), curve())), "two curves with one label"),
        (lambda: Outcome((), (), "p", 8), "at least one panel"),
        (lambda: beside("Paper/X"), "lower-case path"),
        (lambda: beside("paper"), "lower-case path"),
    ],
)
def test_what_cannot_be_compared(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- the command line ----------------------------------------------------------------------------


@pytest.fixture
def project(monkeypatch):
    """A project with one claim and methods side by side, twice."""
    ran = []

    def evaluate(laboratory):
        ran.append("beside")
        return outcome()

    monkeypatch.setattr(
        theory_checks.claims, "CLAIMS", (claim("paper/claim", lambda: ran.append("claim")),)
    )
    both = (beside("paper/compare/a", evaluate), beside("other/compare/b", evaluate))
    monkeypatch.setattr(theory_checks.claims, "SIDE_BY_SIDE", both)
    return ran


def test_they_are_listed_as_such(project, capsys):
    assert cli.main(["list"]) == 0
    lines = [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["paper/claim", "T1", "A title"],
        ["paper/compare/a", "side-by-side", "All of them"],
        ["other/compare/b", "side-by-side", "All of them"],
    ]
    assert cli.main(["list", "*/compare/*"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("patterns", "claims", "expected"),
    [
        ([], 1, ["paper/compare/a", "other/compare/b"]),
        (["paper"], 1, ["paper/compare/a"]),
        (["paper/claim"], 1, []),
        (["*/compare/*"], 0, ["paper/compare/a", "other/compare/b"]),
        (["other/compare"], 0, ["other/compare/b"]),
        (["other/compare/b", "paper/claim"], 1, ["other/compare/b"]),
    ],
)
def test_they_are_selected_like_claims(project, tmp_path, patterns, claims, expected):
    assert cli.main(["run", *patterns, "--out", str(tmp_path / "out")]) == 0
    results = load_results(tmp_path / "out")
    assert len(results["claims"]) == claims
    assert [one["id"] for one in results["comparisons"]] == expected
    assert project == ["claim"] * claims + ["beside"] * len(expected)


def test_a_run_that_goes_on_repeats_nothing(project, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["run", "paper/compare/a", *out]) == 0
    assert "[1/1] side by side paper/compare/a (panels 2, " in capsys.readouterr().out
    assert cli.main(["run", *out, "--resume"]) == 0
    printed = capsys.readouterr().out
    assert "[2/3] CONSISTENT   paper/claim" in printed
    assert "[3/3] side by side other/compare/b" in printed
    assert "1 claims: 1 CONSISTENT" in printed
    assert "; 2 side by side; " in printed
    assert project == ["beside", "claim", "beside"]
    before = (tmp_path / "out" / "results.json").read_bytes()
    path = tmp_path / "out" / "results.json"
    assert cli.main(["run", *out, "--resume"]) == 0
    assert json.loads(before)["comparisons"] == json.loads(path.read_bytes())["comparisons"]
    assert len(project) == 3


@pytest.mark.parametrize("terminal", [False, True])
def test_drawing_the_report_says_how_far_it_is(project, tmp_path, capsys, monkeypatch, terminal):
    out = str(tmp_path / "out")
    assert cli.main(["run", "--out", out]) == 0
    capsys.readouterr()
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", shown)
    found = load_results(tmp_path / "out")
    total = len(found["claims"]) + len(found["comparisons"])
    assert total > 1
    seen = []
    monkeypatch.setattr("tqdm.tqdm.update", lambda bar, n=1: seen.append(bar.total))
    assert cli.main(["report", out]) == 0
    assert seen == [total] * total
    line = f"drawing {total} figures\n"
    assert (line in capsys.readouterr().out) is not terminal
    assert bool(shown.getvalue()) is terminal


def test_a_failing_one_is_reported_like_a_failing_claim(project, tmp_path, capsys, monkeypatch):
    def damaged(laboratory):
        raise ValueError("no numbers")

    one = beside("paper/compare/a", damaged)
    monkeypatch.setattr(theory_checks.claims, "SIDE_BY_SIDE", (one,))
    assert cli.main(["run", "--out", str(tmp_path / "out")]) == 4
    printed = capsys.readouterr()
    assert "paper/compare/a: no numbers" in printed.err
    assert "1 claims: 1 CONSISTENT" in printed.out
    assert "side by side" not in printed.out


# --- the page ------------------------------------------------------------------------------------


class Section(HTMLParser):
    """Text, tables and classes inside one section of a page."""

    def __init__(self, page, identifier):
        super().__init__()
        self.words, self.rows, self.classes, self.elements = "", [], [], []
        self._in_cell = False
        self.feed(
            page[page.index(f'<section class="claim" id="{identifier}"') :].split("</section>")[0]
        )

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.classes.append(dict(attrs).get("class", ""))
        if tag == "tr":  # what ends a cell but the next one is left out
            self.rows.append([])
            self._in_cell = False
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th", "tr", "table")

    def handle_data(self, data):
        self.words += data if data.strip() else " "
        if self._in_cell:
            self.rows[-1][-1] += data.strip()


def report(directory, *side_by_side, claims=()):
    run(directory, claims, side_by_side)
    return quoted(write_report(directory).read_text(encoding="utf-8"))


def quoted(page):
    """The page with all values of attributes in quotes."""

    def again(tag):
        return re.sub(r"=([\w.#-]+)(?=[ >])", r'="\1"', tag.group())

    return re.sub(r"<[a-z][^<>]*>", again, page)


def test_the_page_shows_everything_in_the_paper_s_chapter(tmp_path, monkeypatch):
    drawn = []

    def spy(ax, curves, **options):
        drawn.append((curves, options))
        return draw(ax, curves, **options)

    monkeypatch.setattr("optzoo.plots.side_by_side", spy)
    other = replace(claim("other/claim"), theorem=stated(paper=Paper("Another paper")))
    whole = report(tmp_path, beside(), claims=[claim(), other])
    page = whole[whole.index('id="verdicts"') :]  # below the chapters of theorems
    order = ['id="verdicts"', 'href="#paper/compare/all"', '"paper">A paper</h2>',
             '"claim" id="paper/claim"', "<h2>Side by side</h2>", '"claim" id="paper/compare/all"',
             '"paper">Another paper</h2>', '"claim" id="other/claim"']  # fmt: skip
    assert [page.index(one) for one in order] == sorted(page.index(one) for one in order)
    assert page.count("Side by side</h2>") == 1
    assert "<b>1</b> side by side" in whole

    section = Section(whole, "paper/compare/all")
    for words in ("All of them", "Batches of", "least squares,", "Per step", "Per gradient",
                  "needs more."):  # fmt: skip
        assert words in section.words
    assert section.classes.count("plot") == 2
    assert sum("swatch" in one for one in section.classes) == 4
    assert section.elements.count("math") + section.elements.count("var") >= 7
    assert "✓" not in section.words

    saved = load_results(tmp_path)["comparisons"][0]["panels"]
    assert [curves for curves, _ in drawn] == [panel["curves"] for panel in saved]
    assert [options for _, options in drawn] == [{"labels": ["SARAH", "SAGA"]}] * 2


def test_without_seeds_it_says_that_nothing_was_sampled(tmp_path):
    def exact(laboratory):
        return Outcome((Panel("W", "k", "W", (curve(),)),), (), "a walk", 0)

    page = report(tmp_path, beside(evaluate=exact), beside("paper/compare/sampled"))
    words = Section(page, "paper/compare/all").words
    assert "no verdict: computed, not sampled" in words
    assert "none: nothing was sampled" in words
    words = Section(page, "paper/compare/sampled").words
    assert "the same random numbers" in words
    assert "not sampled" not in words


def test_the_numbers_of_the_curves_are_in_tables(tmp_path):
    section = Section(report(tmp_path, beside()), "paper/compare/all")
    assert section.rows == [
        ["stepk", "SARAH", "SAGA"],
        ["1", "1[0.9, 1.2]", "3[2.7, 3.6]"],
        ["10", "0.1[0.09, 0.12]", "0.3[0.27, 0.36]"],
        ["100", "0.01[0.009, 0.012]", "0.03[0.027, 0.036]"],
        ["gradients", "SAGA"],
        ["7", "0.143[0.129, 0.171]"],
        ["70", "0.0143[0.0129, 0.0171]"],
        ["700", "0.00143[0.00129, 0.00171]"],
        ["gradients", "SARAH"],
        ["5", "0.2[0.18, 0.24]"],
        ["50", "0.02[0.018, 0.024]"],
        ["500", "0.002[0.0018, 0.0024]"],
    ]


def test_swatches_show_the_look_of_their_curves(tmp_path):
    many = Panel("six", "x", "y", tuple(map(curve, "abcdef")))
    page = report(tmp_path, beside(evaluate=lambda laboratory: outcome(many)))
    section = Section(page, "paper/compare/all")
    shapes = [section.classes[i + 1] for i, name in enumerate(section.classes) if "swatch" in name]
    assert shapes == ["line", "dashed", "dotted", "dash-dotted", "line", "dashed"]
    markers = re.findall(r'<path class="marker" d="([^"]+)"', page)
    assert len(set(markers)) == 6
    colours = re.findall(r'"swatch of-([a-z-]+)"', page)
    assert len(set(colours)) == 6
    assert all(f"--plot-{colour}: " in page for colour in colours)


def test_more_methods_than_looks_in_all_panels_together(tmp_path):
    one, two = (Panel(t, "x", "y", tuple(map(curve, t))) for t in ("abcd", "efgh"))
    page = report(tmp_path, beside(evaluate=lambda laboratory: outcome(one, two)))
    assert sum("swatch" in one for one in Section(page, "paper/compare/all").classes) == 8


def test_the_page_without_claims_and_of_nothing(tmp_path):
    page = report(tmp_path, beside())
    assert "No claim has been checked in this run." in page
    assert '<table class="verdicts"' not in page
    results = {"schema": 1, "claims": [], "comparisons": [
        {"id": "a/1"}, {"id": "a/2", "panels": [{}, {"curves": [{"label": "b"}]}], "notes": "one"},
        {"id": "<script>", "title": "<script>", "notes": ["<script>"], "description": "<script>",
         "panels": [{"title": "<script>",
                     "curves": [{"label": "<script>", "x": [1], "mean": [0]}]}]},
    ]}  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(results))
    page = quoted(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "No panel was recorded." in Section(page, "a/1").words
    assert Section(page, "a/2").words.count("No curve was recorded.") == 2
    assert "no positive values to show" in page
    assert page.count("<script") == 2, "those of the page itself"
    assert "None" not in page


def test_the_summary_has_titles_and_notes(tmp_path):
    run(tmp_path, [claim()], [beside(), beside("other/compare/b", paper="Other | paper")])
    text = write_summary(tmp_path).read_text(encoding="utf-8")
    expected = (
        "### Side by side\n\n**All of them** (paper/compare/all)\n\n- SARAH needs $10$ steps.\n"
        "- SAGA needs more.\n"
    )
    assert expected in text
    assert text.index("| T1 |") < text.index(expected)
    assert text.endswith(
        "## Other \\| paper\n\n### Side by side\n\n**All of them** (other/compare/b)\n\n"
        "- SARAH needs $10$ steps.\n- SAGA needs more.\n"
    )


def test_examples():
    outcome = doctest.testmod(importlib.import_module("theory_checks.side_by_side"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
