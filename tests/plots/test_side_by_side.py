"""What side-by-side drawings put into the axes, as numbers."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

from optzoo.plots import COLOURS, band, side_by_side


def axes():
    return Figure().add_subplot()


def curve(label="a", x=(1, 10, 100), mean=(1.0, 0.1, 0.01), **limits):
    return {"label": label, "x": list(x), "mean": list(mean), **limits}


def look(line):
    return to_hex(line.get_color()), line.get_linestyle(), line.get_marker()


def edges(collection, x):
    vertices = collection.get_paths()[0].vertices
    at_x = vertices[vertices[:, 0] == x, 1]
    return at_x.min(), at_x.max()


def test_curves_have_their_own_x_and_bands():
    first = curve("a", lower=[0.8, 0.08, 0.008], upper=[1.3, 0.13, 0.013])
    second = curve("b", x=(5, 50), mean=(0.5, 0.05))
    ax = side_by_side(axes(), [first, second])
    a, b = ax.get_lines()
    assert (a.get_label(), b.get_label()) == ("a", "b")
    assert_array_equal(a.get_xydata(), [[1, 1.0], [10, 0.1], [100, 0.01]])
    assert_array_equal(b.get_xydata(), [[5, 0.5], [50, 0.05]])
    (shaded,) = ax.collections
    for x, low, high in ((1, 0.8, 1.3), (10, 0.08, 0.13), (100, 0.008, 0.013)):
        assert edges(shaded, x) == (low, high)
    assert to_hex(shaded.get_facecolor()[0]) == to_hex(a.get_color())
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_six_looks_differ_in_every_way_and_can_be_recoloured():
    names = list("abcdef")
    looks = [look(line) for line in side_by_side(axes(), [curve(n) for n in names]).get_lines()]
    assert len({colour for colour, _, _ in looks}) == 6
    assert len({marker for _, _, marker in looks}) == 6
    assert {colour for colour, _, _ in looks} <= set(COLOURS.values())
    assert len({dashes for _, dashes, _ in looks}) == 4
    assert len({looks[i][1] for i in range(4)}) == 4


def test_a_method_keeps_its_look_in_every_drawing():
    labels = ["a", "b", "c"]
    every = side_by_side(axes(), [curve(name) for name in labels], labels=labels).get_lines()
    some = side_by_side(axes(), [curve("c"), curve("a")], labels=labels).get_lines()
    assert [look(line) for line in some] == [look(every[2]), look(every[0])]


def test_what_a_logarithm_cannot_show_is_left_out():
    ax = side_by_side(axes(), [curve(x=(0, 1, 2, 3, 4), mean=(5.0, 1.0, 0.0, None, np.inf))])
    line = ax.get_lines()[0]
    assert_array_equal(line.get_xdata(), [np.nan, 1, 2, 3, 4])
    assert_array_equal(line.get_ydata(), [5.0, 1.0, np.nan, np.nan, np.nan])
    nothing = side_by_side(axes(), [curve(mean=(0.0, -1.0, None))])
    assert [text.get_text() for text in nothing.texts] == ["no positive values to show"]
    assert side_by_side(axes(), []).texts


def test_bands_that_reach_zero_share_the_bottom():
    first = curve("a", lower=[0.5, 0.0, 0.004], upper=[2.0, 0.2, 0.02])
    second = curve("b", mean=(2.0, 0.2, 0.02), lower=[1.0, 0.1, -1.0], upper=[3.0, 0.3, 0.03])
    ax = side_by_side(axes(), [first, second])
    bottom = ax.get_ylim()[0]
    assert bottom == pytest.approx(0.002)  # half of the smallest height, which is a limit
    assert edges(ax.collections[0], 10)[0] == pytest.approx(bottom)
    assert edges(ax.collections[1], 100)[0] == pytest.approx(bottom)
    assert edges(ax.collections[0], 100)[0] == 0.004
    assert ax.get_ylim()[1] > 3.0


def test_many_points_have_few_markers():
    line = side_by_side(axes(), [curve(x=range(1, 101), mean=np.ones(100))]).get_lines()[0]
    assert line.get_markevery() == 8
    line = side_by_side(axes(), [curve()]).get_lines()[0]
    assert line.get_markevery() == 1


@pytest.mark.parametrize(
    ("curves", "labels", "message"),
    [
        ([curve(str(i)) for i in range(7)], (), "7 curves cannot be told apart: at most 6"),
        ([curve()], "abcdefg", "7 curves cannot be told apart"),
        ([curve(), curve()], (), "label 'a' is the label of two curves"),
        ([curve()], ["b"], r"label 'a' is not among \['b'\]"),
        ([curve(mean=[1.0])], (), "mean of a has 1 values, but there are 3"),
        ([curve(lower=[1.0])], (), "band of a needs both limits"),
        ([curve(upper=[1.0])], (), "band of a needs both limits"),
        ([curve(lower=[1.0], upper=[1.0] * 3)], (), "lower of a has 1 values"),
        ([curve(lower=[1.0] * 3, upper=[1.0])], (), "upper of a has 1 values"),
        ([curve(x=[[1.0]])], (), "x of a must be one-dimensional"),
    ],
)
def test_what_is_wrong_is_named(curves, labels, message):
    with pytest.raises(ValueError, match=message):
        side_by_side(axes(), curves, labels=labels)


def test_band_leaves_out_what_is_missing():
    ax = axes()
    ax.plot([1, 4], [0.01, 1.0])
    band(ax, [0, 1, 2, 3, 4], [1.0, 0.5, None, 0.5, -1.0], [2.0, 1.0, 1.0, 1.0, 1.0], label="b")
    (shaded,) = ax.collections
    assert shaded.get_label() == "b"
    shown = {x for path in shaded.get_paths() for x in path.vertices[:, 0]}
    assert shown == {1.0, 3.0, 4.0}
    assert ax.get_ylim()[0] == pytest.approx(0.005)  # the line counts, too


def test_band_names_what_is_wrong():
    with pytest.raises(ValueError, match="upper has 1 values, but there are 2"):
        band(axes(), [1, 2], [1, 2], [1])
    with pytest.raises(ValueError, match=r"colour must be one of mean, .* but is 'pink'"):
        band(axes(), [1], [1], [1], colour="pink")
