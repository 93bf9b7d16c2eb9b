"""What convergence, scaling and agreement put into the axes, as numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from optzoo.plots import agreement, convergence, scaling


def axes():
    return Figure().add_subplot()


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


K = [1, 10, 100, 1000]


def test_convergence_draws_what_it_is_given():
    mean, bound, below = (
        [0.5, 0.05, 0.005, 0.0005],
        [1.0, 0.1, 0.01, 0.001],
        [1e-2, 1e-3, 1e-4, 1e-5],
    )
    ax = convergence(axes(), K, mean, [0.4, 0.04, 0.004, 0.0004], [0.7, 0.07, 0.007, 0.0007], bound,
                     lower_bound=below)  # fmt: skip
    drawn = lines(ax)
    assert list(drawn) == ["bound", "lower bound", "mean over seeds"]
    for label, values in (("bound", bound), ("lower bound", below), ("mean over seeds", mean)):
        assert_array_equal(drawn[label].get_xdata(), K)
        assert_array_equal(drawn[label].get_ydata(), values)
    vertices = ax.collections[0].get_paths()[0].vertices
    for k, low, high in zip(K, [0.4, 0.04, 0.004, 0.0004], [0.7, 0.07, 0.007, 0.0007], strict=True):
        at_k = vertices[vertices[:, 0] == k, 1]
        assert (at_k.min(), at_k.max()) == (low, high)
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_convergence_masks_what_a_logarithm_cannot_show():
    ax = convergence(axes(), [0, 1, 2, 3, 4], [5.0, 1.0, 0.0, -1.0, None], bound=[1, 1, 1, 1, 1])
    drawn = lines(ax)
    assert_array_equal(drawn["mean over seeds"].get_xdata(), [np.nan, 1, 2, 3, 4])
    assert_array_equal(drawn["mean over seeds"].get_ydata(), [5.0, 1.0, np.nan, np.nan, np.nan])


def test_a_band_that_reaches_zero_runs_to_the_bottom():
    ax = convergence(axes(), [1, 10], [0.5, 0.1], lower=[0.2, -0.3], upper=[0.8, 0.4])
    vertices = ax.collections[0].get_paths()[0].vertices
    low = vertices[vertices[:, 0] == 10, 1].min()
    assert low == pytest.approx(0.05)
    assert ax.get_ylim()[0] == pytest.approx(low)


def test_convergence_of_nothing_says_so():
    ax = convergence(axes(), [1, 2], [0.0, None])
    assert [text.get_text() for text in ax.texts] == ["no positive values to show"]
    assert not ax.get_lines()


def test_a_single_checkpoint_is_visible():
    drawn = lines(convergence(axes(), [10], [0.5], bound=[1.0], slope=-1.0))
    assert drawn["mean over seeds"].get_marker() == "o"
    assert drawn["bound"].get_marker() == "_"
    assert len(drawn) == 2, "no guide through one point"


@given(slope=st.floats(-3, 3), scale=st.floats(1e-6, 1e6))
@settings(deadline=None, max_examples=25)
def test_the_guide_has_the_slope_and_lies_below_the_mean(slope, scale):
    mean = scale * np.array([1.0, 0.5, 0.25, 0.1])
    guide = convergence(axes(), K, mean, slope=slope).get_lines()[-1]
    x, y = guide.get_xdata(), guide.get_ydata()
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(slope, abs=1e-9)
    assert (x[1], y[1]) == (1000, pytest.approx(0.5 * mean[-1]))
    assert guide.get_label() == f"slope {slope:.3g}".replace("-", "−")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": [1.0]}, "mean has 1 values, but there are 4"),
        ({"bound": [1.0, 2.0]}, "bound has 2 values, but there are 4"),
        ({"lower_bound": [1.0, 2.0]}, "lower_bound has 2 values"),
        ({"lower": K, "upper": [1.0]}, "upper has 1 values"),
        ({"lower": [1.0], "upper": K}, "lower has 1 values"),
        ({"upper": K}, "upper is given without lower"),
        ({"lower": K}, "lower is given without upper"),
        ({"mean": [[1.0], [2.0]]}, r"mean must be one-dimensional, but has shape \(2, 1\)"),
        ({"k": 3.0}, r"k must be one-dimensional, but has shape \(\)"),
    ],
)
def test_convergence_names_what_is_wrong(changes, message):
    arguments = {"k": K, "mean": K} | changes
    with pytest.raises(ValueError, match=message):
        convergence(axes(), **arguments)


@given(
    slope=st.floats(-2, 2),
    stated=st.floats(-2, 2),
    noise=st.lists(st.floats(0.5, 2.0), min_size=4, max_size=4),
)
@settings(deadline=None, max_examples=25)
def test_lines_of_scaling_go_through_the_centre_with_their_slopes(slope, stated, noise):
    values = np.array(noise) * np.array(K, dtype=float) ** slope
    ax = scaling(axes(), K, values, fitted=slope, stated=stated)
    centre = np.log(K).mean(), np.log(values).mean()
    for line, expected in zip(ax.get_lines(), (slope, stated), strict=False):
        x, y = np.log(line.get_xdata()), np.log(line.get_ydata())
        assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(expected, abs=1e-9)
        at_centre = y[0] + expected * (centre[0] - x[0])
        assert at_centre == pytest.approx(centre[1], abs=1e-9)


def test_scaling_fits_inside_its_window_only():
    line = scaling(axes(), K, [1e9, 1.0, 10.0, 100.0], fitted=1.0, window=(10, 1000)).get_lines()[0]
    assert_array_equal(line.get_xdata(), [10, 1000])
    assert_allclose(line.get_ydata(), [1.0, 100.0])


def test_scaling_draws_points_and_intervals():
    ax = scaling(
        axes(), [0, 1, 2, 4], [1.0, 3.0, None, 12.0], [0.5, 2.0, 1.0, -5.0], [2.0, 5.0, 9.0, 15.0]
    )
    points = ax.get_lines()[0]
    assert_array_equal(points.get_xdata(), [1, 4])
    assert_array_equal(points.get_ydata(), [3.0, 12.0])
    segments = ax.collections[0].get_segments()
    assert_allclose(segments[0], [[1, 2.0], [1, 5.0]])
    assert_allclose(segments[1], [[4, 0.0], [4, 15.0]])
    assert ax.get_ylim()[0] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": [1.0]}, "value has 1 values, but there are 4"),
        ({"upper": K}, "upper is given without lower"),
        ({"lower": [1.0], "upper": K}, "lower has 1 values"),
        ({"window": (2.0, 9.0)}, "window is 2 to 9, but the points shown lie in 1 to 1000"),
    ],
)
def test_scaling_names_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        scaling(axes(), **({"x": K, "value": K} | changes))


def test_scaling_of_nothing_says_so():
    assert scaling(axes(), [1, 2], [0, -1], fitted=1.0).texts


def test_agreement_shows_both_sides():
    ax = agreement(axes(), [1, 2, 3], [0.5, -0.2, None], [0.5, -0.25, 0.0])
    drawn = lines(ax)
    assert_array_equal(drawn["measured"].get_ydata(), [0.5, -0.2, np.nan])
    assert_array_equal(drawn["exact"].get_ydata(), [0.5, -0.25, 0.0])
    assert drawn["exact"].get_markersize() > drawn["measured"].get_markersize()
    assert ax.get_yscale() == "linear"


def test_agreement_with_bounds_says_so():
    drawn = lines(agreement(axes(), [1, 2], [0.5, 0.2], [0.6, 0.2], exact_label="bound"))
    assert list(drawn) == ["bound", "measured"]
    assert_array_equal(drawn["bound"].get_ydata(), [0.6, 0.2])


def test_agreement_takes_logarithms_where_the_range_asks_for_it():
    ax = agreement(axes(), [1, 2, 1000], [1.0, 1.1, 1.2], [1.0, 1.1, 1.2])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    ax = agreement(axes(), [1, 2, 3], [1e-9, 1.0, 1.0])
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert list(lines(ax)) == ["measured"]


def test_agreement_of_nothing_and_of_different_lengths():
    assert agreement(axes(), [1], [None]).texts
    with pytest.raises(ValueError, match="exact has 1 values, but there are 2"):
        agreement(axes(), [1, 2], [1, 2], [1])
