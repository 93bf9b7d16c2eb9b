"""A whole run at a glance: every claim has its column, mark, bar and link."""

import math
import re
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from optzoo.plots import COLOURS, inline_svg, overview


def record(name, value=None, *, factor=None, verdict="CONSISTENT", **more):
    return {
        "id": name,
        "verdict": verdict,
        "tightness": value,
        "detectable_factor": factor,
    } | more


def marks(ax):
    return [line for line in ax.get_lines() if line.get_marker() not in ("", "None")]


def bars(ax):
    return [
        (patch.get_x() + patch.get_width() / 2, patch.get_y(), patch.get_y() + patch.get_height())
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_width() < 1.0
    ]


def drawn(*claims, **more):
    (ax,) = overview(Figure(), {"paper": claims}, **more).axes
    return ax


def test_columns_carry_the_records():
    ax = drawn(
        record("a/tight", 0.5, factor=1.6),
        record("a/broken", 1.5, factor=0.5, verdict="REFUTED"),
        record("a/open", 0.9, verdict="INCONCLUSIVE"),
        record("a/silent", 0.3, factor=4.0, verdict=None),
    )
    columns, heights = zip(*(line.get_xydata()[0] for line in marks(ax)), strict=True)
    assert columns == (0, 1, 2, 3)
    assert heights == (0.5, 1.5, 0.9, 0.3)
    names = ("consistent", "refuted", "inconclusive", "guide")
    assert [to_hex(line.get_color()) for line in marks(ax)] == [COLOURS[name] for name in names]
    shapes = [line.get_marker() for line in marks(ax)]
    assert len(set(shapes)) == 4, "verdicts differ in shape, not in colour alone"
    assert bars(ax) == [
        (0, 1 / 1.6, pytest.approx(1.0)),
        (pytest.approx(1), 1.0, pytest.approx(2.0)),
        (pytest.approx(3), 0.25, pytest.approx(1.0)),
    ]


def test_bars_of_bounds_from_below_stand_above_the_bound():
    ax = drawn(record("a/floor", 1.5, factor=1.25, kind="lower_bound"))
    assert bars(ax) == [(0, 1.0, pytest.approx(1.25))]


def test_vacuous_claims_are_hollow():
    full, hollow = marks(drawn(record("a", 0.5), record("b", 0.05, vacuous=True)))
    assert to_hex(full.get_markerfacecolor()) == COLOURS["consistent"]
    assert to_hex(hollow.get_markerfacecolor()) == COLOURS["paper"]
    assert to_hex(hollow.get_color()) == COLOURS["consistent"]


def test_what_has_no_ratio_stands_in_a_lane_of_its_own():
    ax = drawn(record("a", 1e-5), record("b", None), record("c", None, verdict="REFUTED"))
    ratio, *without = [line.get_ydata()[0] for line in marks(ax)]
    (lane,) = set(without)
    bottom, top = ax.get_ylim()
    assert bottom < lane < ratio < top
    labels = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
    assert labels[lane] == "no ratio"
    assert labels[1.0] == "1"
    assert [line.get_marker() for line in marks(ax)][1:] == ["o", "X"]


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_what_is_too_small_is_an_arrow_that_still_stands_above_the_lane(value):
    ax = drawn(record("a", value, factor=1e12), record("b", 0.5), record("c"))
    arrow, dot, without = marks(ax)
    assert (arrow.get_marker(), dot.get_marker()) == ("v", "o")
    assert without.get_ydata()[0] < arrow.get_ydata()[0] < dot.get_ydata()[0]
    assert ax.get_ylim()[0] > 1e-9, "one claim does not flatten the others"
    ((_, low, _),) = bars(ax)
    assert low == arrow.get_ydata()[0]


def test_one_panel_a_paper_on_one_scale_with_columns_of_one_width():
    papers = {
        "many": [record(f"m/{i}", 0.5) for i in range(60)],
        "some": [record(f"s/{i}", 1e-4) for i in range(30)],
        "few": [record(f"f/{i}", 3.0) for i in range(20)],
        "none": [],
    }
    figure = overview(Figure(), papers)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["many", "some", "few"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert [len(marks(ax)) for ax in figure.axes] == [60, 30, 20]
    places = [ax.get_position() for ax in figure.axes]
    width = {
        round(p.width / (ax.get_xlim()[1] + 0.5), 9)
        for p, ax in zip(places, figure.axes, strict=True)
    }
    assert len(width) == 1
    assert places[1].y0 == pytest.approx(places[2].y0), "the two small ones share a row"
    assert places[1].x1 < places[2].x0
    assert places[0].y0 > places[1].y1
    assert all(min(p.x0, p.y0) > 0.0 and max(p.x1, p.y1) <= 1.0 for p in places)


def test_theorems_are_named_once_and_do_not_overlap():
    theorems = ["F1", "F1", "F2", "F10a", "F10b", "F11", *["F12"] * 40]
    ax = drawn(*(record(f"a/{i}", 0.5, theorem=name) for i, name in enumerate(theorems)))
    texts = [text for text in ax.texts if text.get_text()]
    names = [text.get_text() for text in texts]
    assert names[:2] == ["F1", "F2"]
    assert names[-1] == "F12"
    assert len(names) == len(set(names))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    rules = [line.get_xdata()[0] for line in ax.get_lines() if line.get_color() == COLOURS["grid"]]
    assert rules == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_every_column_is_one_link_with_a_name():
    claims = [record("a/one", 0.5, factor=2.0), record("a/t wo"), record("b/three", 0.1)]
    figure = overview(Figure(), {"a": claims[:2], "b": claims[2:]})
    names = {"#a/one": "first", "#a/t%20wo": "<second>"}
    root = ElementTree.fromstring(inline_svg(figure, prefix="o", title="all", links=names))
    links = list(root.iter("a"))
    assert [link.get("href") for link in links] == ["#a/one", "#a/t%20wo", "#b/three"]
    assert [link.find("title").text for link in links] == ["first", "<second>", "#b/three"]
    assert not any(inner is not link for link in links for inner in link.iter("a"))
    assert root.get("role") == "group", "links inside an image would not be told"
    for link in links:
        shapes = [*link.iter("path"), *link.iter("use")]
        assert len(shapes) >= 2, "the column and the mark"
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    used = {use.get("href")[1:] for use in root.iter("use")}
    assert used <= ids
    assert all(re.fullmatch(r"o-.+", name) for name in ids)


@pytest.mark.parametrize("papers", [{}, {"paper": []}])
def test_nothing_checked_says_so(papers):
    (ax,) = overview(Figure(), papers).axes
    assert ax.texts[0].get_text() == "no claim was checked"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (record("x", -0.5), "tightness of x must be finite and not negative, but is -0.5"),
        (record("x", 0.5, factor=math.inf), "detectable_factor of x must be finite"),
    ],
)
def test_impossible_values_are_named(claim, message):
    with pytest.raises(ValueError, match=message):
        drawn(claim)


@pytest.mark.parametrize("width", [1.0, math.nan, -3.0])
def test_a_figure_must_be_wide_enough(width):
    with pytest.raises(ValueError, match="width must be more than"):
        drawn(record("x", 0.5), width=width)
