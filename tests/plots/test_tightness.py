"""The overview: one row a claim, the dot, the interval and the tick where they belong."""

import re

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from optzoo.plots import COLOURS, inline_svg, tightness


def record(name, value, *, low=None, high=None, factor=None, verdict="CONSISTENT"):
    return {
        "id": name, "verdict": verdict, "tightness": value, "tightness_lower": low,
        "tightness_upper": high, "detectable_factor": factor,
    }  # fmt: skip


def test_rows_carry_the_record():
    claims = [
        record("a/tight", 0.5, low=0.4, high=0.6, factor=1.6),
        record("b/unsampled", None),
        record("c/broken", 2.0, factor=0.5, verdict="REFUTED"),
        record("d/open", 0.9, verdict="INCONCLUSIVE"),
    ]
    ax = tightness(Figure().add_subplot(), claims)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a/tight", "c/broken", "d/open"]
    top, bottom = sorted(ax.get_ylim())
    assert ax.get_ylim() == (bottom, top), "the first claim is on top"

    interval, tick, dot = [line for line in ax.get_lines()[1:] if line.get_ydata()[0] == 0]
    assert list(interval.get_xdata()) == [0.4, 0.6]
    assert list(tick.get_xdata()) == [1 / 1.6]
    assert list(dot.get_xdata()) == [0.5]
    assert to_hex(dot.get_color()) == COLOURS["consistent"]

    tick, dot = [line for line in ax.get_lines()[1:] if line.get_ydata()[0] == 1]
    assert (list(tick.get_xdata()), list(dot.get_xdata())) == ([2.0], [2.0])
    assert to_hex(dot.get_color()) == COLOURS["refuted"]
    (dot_of_open,) = [line for line in ax.get_lines() if line.get_ydata()[0] == 2]
    markers = {dot.get_marker(), dot_of_open.get_marker(), "o"}
    assert len(markers) == 3, "verdicts differ in shape, not in colour alone"


def test_every_row_links_to_its_claim():
    figure = Figure()
    claims = [record("a/1", 0.5, low=0.4, high=0.6, factor=1.6), record("a/t wo", 0.2)]
    tightness(figure.add_subplot(), claims)
    drawing = inline_svg(figure, prefix="t", title="rows")
    links = [re.findall(rf'<a href="{link}">', drawing) for link in ("#a/1", "#a/t%20wo")]
    assert [len(one) for one in links] == [2, 2], "the name and the marks"
    assert drawing.count("<a ") == 4


def test_a_bound_from_below_is_read_the_other_way_round():
    below = record("x", 1.5, factor=1.6) | {"kind": "lower_bound"}
    tick, dot = tightness(Figure().add_subplot(), [below]).get_lines()[1:]
    assert (list(tick.get_xdata()), list(dot.get_xdata())) == ([1.6], [1.5])


def test_both_vacuous_sides_are_shaded():
    def shaded(value):
        ax = tightness(Figure().add_subplot(), [record("x", value)])
        return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]

    assert shaded(0.5) == [(0.05, pytest.approx(0.1))]
    assert shaded(50.0)[1] == (10.0, pytest.approx(80.0))


def test_everything_lies_inside_the_axes():
    claims = [record("tiny", 1e-9, low=-0.1, high=1e-8, factor=1e9), record("huge", 50.0)]
    ax = tightness(Figure().add_subplot(), claims)
    left, right = ax.get_xlim()
    assert left < 1e-9
    assert right > 50.0
    for line in ax.get_lines():
        assert all(left <= x <= right for x in line.get_xdata())


def test_zero_is_an_arrow_at_the_edge():
    arrow = tightness(Figure().add_subplot(), [record("zero", 0.0)]).get_lines()[-1]
    assert (arrow.get_marker(), list(arrow.get_xdata())) == ("<", [0.0])


@pytest.mark.parametrize("claims", [[], [record("unsampled", None)]])
def test_nothing_sampled_says_so(claims):
    assert tightness(Figure().add_subplot(), claims).texts[0].get_text() == "no claim was sampled"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (record("x", -0.5), "tightness of x must be finite and not negative, but is -0.5"),
        (record("x", float("inf")), "tightness of x must be finite"),
        (record("x", 0.5, factor=-1.0), "detectable_factor of x must be"),
    ],
)
def test_impossible_values_are_named(claim, message):
    with pytest.raises(ValueError, match=message):
        tightness(Figure().add_subplot(), [claim])
