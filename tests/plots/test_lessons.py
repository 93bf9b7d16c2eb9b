"""What the drawings for teaching put into the axes, as numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from optzoo.plots import (
    COLOURS,
    magnitudes,
    nested_levels,
    oracle_step,
    spectra,
    trajectories,
)

GRID_X, GRID_Y = np.linspace(-2, 2, 9), np.linspace(-1, 1, 5)
BOWL = 3.0 * GRID_Y[:, None] ** 2 + GRID_X**2 + 7.0
DIAMOND = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def axes():
    return Figure().add_subplot()


def labelled(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def colour(line):
    return to_hex(line.get_color())


# --- trajectories ---


def test_paths_are_drawn_with_their_ends_over_the_level_lines():
    paths = {"a": [[1, 0.5], [0.5, 0.25], [0, 0]], "b": [[1, 0.5], [-1, -0.5]]}
    ax = trajectories(axes(), GRID_X, GRID_Y, BOWL, paths, optimum=[0, 0])
    a, end_a, b, end_b, start_a, _, cross = ax.get_lines()
    assert_array_equal(a.get_xydata(), paths["a"])
    assert_array_equal(b.get_xydata(), paths["b"])
    assert_array_equal(end_a.get_xydata(), [[0, 0]])
    assert_array_equal(end_b.get_xydata(), [[-1, -0.5]])
    assert_array_equal(start_a.get_xydata(), [[1, 0.5]])
    assert start_a.get_marker() == "o"
    assert (cross.get_marker(), cross.get_xydata().tolist()) == ("+", [[0, 0]])
    assert (colour(a), colour(b)) == (COLOURS["mean"], COLOURS["bound"])
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 1))
    assert ax.get_aspect() == 1.0


def test_level_lines_are_spaced_by_ratios_of_the_excess():
    (contours,) = trajectories(axes(), GRID_X, GRID_Y, BOWL, {"a": [[0, 0]]}).collections
    assert_allclose(contours.levels - 7.0, 7.0 * np.geomspace(1e-4, 1, 9))


def test_rows_of_the_values_belong_to_the_second_coordinate():
    ax = trajectories(axes(), GRID_X, GRID_Y, BOWL, {"a": [[0, 0]]})
    (contours,) = ax.collections
    outermost = contours.get_paths()[-2].vertices
    level = contours.levels[-2]
    drawn = 3.0 * outermost[:, 1] ** 2 + outermost[:, 0] ** 2 + 7.0
    assert_allclose(drawn, level, atol=0.3)  # linear interpolation on a coarse grid


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": BOWL.T}, r"values must have shape \(5, 9\), but has \(9, 5\)"),
        ({"values": 0.0 * BOWL}, "not all equal"),
        ({"values": np.where(BOWL > 8, np.nan, BOWL)}, "finite"),
        ({"paths": {"a": [1.0, 2.0]}}, r"path 'a' must have points of two coordinates.*\(2,\)"),
        ({"paths": {"a": np.zeros((0, 2))}}, "path 'a'"),
        ({"paths": {str(i): [[0, 0]] for i in range(7)}}, "7 paths"),
        ({"optimum": [1.0, 2.0, 3.0]}, r"optimum must .*\(1, 3\)"),
    ],
)
def test_trajectories_name_what_is_wrong(changes, message):
    arguments = {"x": GRID_X, "y": GRID_Y, "values": BOWL, "paths": {"a": [[0, 0]]}} | changes
    with pytest.raises(ValueError, match=message):
        trajectories(axes(), **arguments)


# --- geometry ---


@given(angle=st.floats(0, 6.28), step=st.floats(0, 1), inside=st.floats(-0.4, 0.4))
@settings(deadline=None, max_examples=15)
def test_a_step_walks_its_part_of_the_segment_and_stays_inside(angle, step, inside):
    x, g = np.array([inside, 0.3]), np.array([np.cos(angle), np.sin(angle)])
    s = DIAMOND[np.argmin(DIAMOND @ g)]
    drawn = labelled(oracle_step(axes(), DIAMOND, x, g, s, step))
    assert_array_equal(drawn["segment"].get_xydata(), [x, s])
    start, end = drawn["step"].get_xydata()
    assert_array_equal(start, x)
    assert_allclose(end, (1 - step) * x + step * s, atol=1e-12)
    assert np.abs(end).sum() <= 1 + 1e-12
    ends = drawn["level line"].get_xydata()
    assert_allclose(ends @ g, s @ g, atol=1e-12)
    assert np.all(DIAMOND @ g >= ends[0] @ g - 1e-12)
    assert_array_equal(drawn["set"].get_xydata(), [*DIAMOND, DIAMOND[0]])


def test_the_arrow_points_against_the_direction():
    ax = oracle_step(axes(), DIAMOND, [0, 0], [0.0, 2.0], [0, -1], 0.5)
    (arrow,) = [text for text in ax.texts if text.arrow_patch is not None]
    assert_allclose(arrow.xyann, [0, 0])
    assert arrow.xy[0] == pytest.approx(0)
    assert arrow.xy[1] < 0
    assert {text.get_text() for text in ax.texts} == {"", "$x$", "$x^+$", "$s$", "$-g$"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertex": [1, 0]}, r"vertex \[1.0, 0.0\] is not the oracle's answer: \[0.0, -1.0\]"),
        ({"direction": [0, 0]}, "direction must not be zero"),
        ({"step": 1.5}, r"step must lie in \[0, 1\], but is 1.5"),
        ({"point": [0, 0, 0]}, r"point must have shape \(2,\), but has \(3,\)"),
        ({"boundary": DIAMOND[:2]}, "m >= 3"),
    ],
)
def test_oracle_step_names_what_is_wrong(changes, message):
    arguments = {
        "boundary": DIAMOND,
        "point": [0, 0],
        "direction": [0.5, 1.0],
        "vertex": [0, -1],
        "step": 0.5,
    }
    with pytest.raises(ValueError, match=message):
        oracle_step(axes(), **(arguments | changes))


# --- spectra ---


def test_spectra_are_sorted_and_start_at_rank_one():
    drawn = labelled(spectra(axes(), {"before": [1, 3, 0, 2], "after": [10.0, 5.0]}))
    assert_array_equal(drawn["before"].get_xydata(), [[1, 3], [2, 2], [3, 1], [4, np.nan]])
    assert_array_equal(drawn["after"].get_xydata(), [[1, 10], [2, 5]])
    assert colour(drawn["before"]) != colour(drawn["after"])


def test_spectra_of_nothing_and_of_too_many():
    assert spectra(axes(), {"a": [0.0, -1.0]}).texts
    with pytest.raises(ValueError, match="7 curves"):
        spectra(axes(), {str(i): [1.0] for i in range(7)})
    with pytest.raises(ValueError, match=r"a must be one-dimensional, but has shape \(1, 1\)"):
        spectra(axes(), {"a": [[1.0]]})


def test_magnitudes_are_logarithms_of_the_share_of_the_largest():
    ax = magnitudes(axes(), [[-100.0, 1.0], [1e-9, 0.0]], decades=4)
    assert_allclose(ax.get_images()[0].get_array(), [[1.0, 0.5], [0.0, 0.0]])
    assert ax.get_images()[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("matrix", "decades", "message"),
    [
        ([1.0], 4, r"shape is \(1,\)"),
        (np.zeros((2, 2)), 4, "not zero"),
        ([[np.inf]], 4, "finite"),
        ([[1.0]], 0, "decades must be positive, but is 0"),
    ],
)
def test_magnitudes_name_what_is_wrong(matrix, decades, message):
    with pytest.raises(ValueError, match=message):
        magnitudes(axes(), matrix, decades=decades)


# --- levels ---


def test_levels_are_boxes_one_after_the_other():
    ax = nested_levels(axes(), {"g0": [(0.5, 2)], "g2": [(0.0, 2), (-0.5, 2), (0.5, 4), (1.0, 0)]})
    boxes = [(box.get_x(), box.get_width(), box.get_y() + 0.35) for box in ax.patches]
    assert boxes == [(0, 2, 0), (0, 2, 1), (2, 2, 1), (4, 4, 1)]
    colours = [to_hex(box.get_facecolor()) for box in ax.patches]
    assert colours == [COLOURS[name] for name in ("mean", "grid", "bound", "mean")]
    assert [text.get_text() for text in ax.texts] == ["+0.5", "0", "−0.5", "+0.5"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["g0", "g2"]
    assert ax.get_xlim() == (0, 8)
    top, bottom = ax.get_ylim()[::-1]
    assert top < 0 < 1 < bottom


def test_levels_name_what_is_wrong():
    for rows in ({}, {"a": []}, {"a": [(1.0, 0)]}):
        with pytest.raises(ValueError, match="rows with samples"):
            nested_levels(axes(), rows)
    with pytest.raises(ValueError, match="counts of at least 0, but has -1"):
        nested_levels(axes(), {"a": [(1.0, 3), (1.0, -1)]})
