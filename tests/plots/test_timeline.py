"""What a timeline puts into its axes, as numbers."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from optzoo.plots import timeline

MESSAGES = [[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]
REFRESHES = [[4.0, 4.0, 4.0], [0.0, 0.0, 0.0]]
RUN = {"refreshes": REFRESHES, "broadcasts": [8, 8], "local_steps": [3, 5], "step_length": 0.5}


def drawn(*args, **options):
    return timeline(*Figure().subplots(2, sharex=True), *args, **options)


def bars(ax):
    """Of each kind its bars: lane, start, length, sorted."""
    return {
        found.get_label(): sorted(
            (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_width())
            for bar in found
        )
        for found in ax.containers
    }


def test_bars_are_as_long_as_what_is_sent_and_phases_follow_each_other():
    ax, _ = drawn(MESSAGES, **RUN)
    assert bars(ax) == {
        "refresh": [(0, 0.0, 4.0), (1, 0.0, 4.0), (2, 0.0, 4.0)],
        "local steps": [(0, 4.0, 1.5), (0, 15.5, 2.5)],
        "broadcast": [(0, 5.5, 8.0), (0, 18.0, 8.0)],
        # the first round lasts until its longest message has arrived
        "message": [(0, 13.5, 1.0), (0, 26.0, 1.0), (1, 13.5, 2.0), (1, 26.0, 1.0), (2, 26.0, 1.0)],
    }
    assert ax.get_xlim() == (0.0, 27.0)
    assert ax.get_ylim() == (2.5, -0.5)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "server",
        "worker 1",
        "worker 2",
    ]


def test_sums_stand_upon_each_other():
    _, totals = drawn(MESSAGES, **RUN)
    (line,) = totals.get_lines()
    assert_array_equal(line.get_xdata(), [0, 4, 5.5, 13.5, 15.5, 15.5, 18, 26, 27])
    assert_array_equal(line.get_ydata(), [0, 12, 12, 20, 23, 23, 23, 31, 34])
    tops = {
        band.get_label(): band.get_paths()[0].vertices[:, 1].max() for band in totals.collections
    }
    assert tops == {"refresh": 12.0, "broadcast": 12.0 + 16.0, "message": 34.0}
    assert totals.get_xlabel() == "time, in bytes on one link"
    assert totals.get_ylim()[0] == 0.0


def test_only_what_occurs_is_drawn():
    ax, totals = drawn(MESSAGES, local_steps=[3, 5], unit="numbers")
    assert list(bars(ax)) == ["message"]
    assert [band.get_label() for band in totals.collections] == ["message"]
    assert totals.get_ylabel() == "numbers sent by all"


def test_rounds_are_numbered_in_their_middles():
    ax, _ = drawn(MESSAGES, **RUN, first_round=7)
    found = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert found == {"round": -0.01, "7": 15.5 / 2, "8": (15.5 + 27.0) / 2}
    (boundary,) = ax.get_lines()
    assert_array_equal(boundary.get_xdata(), 15.5)


def test_numbers_of_short_rounds_leave_each_other_room():
    ax, _ = drawn(np.ones((100, 2)))
    assert [text.get_text() for text in ax.texts] == [
        "round",
        *(f"{k}" for k in (0, 4, 8, *range(14, 100, 6))),
    ]
    assert len(ax.get_lines()) == 99


def test_a_longer_run_adds_up():
    rng = np.random.default_rng(0)
    sent, full = rng.random((9, 3)), rng.random((9, 3))
    _, totals = drawn(sent, refreshes=full)
    line = totals.get_lines()[0]
    assert_allclose(line.get_ydata()[-1], sent.sum() + full.sum())
    assert_allclose(line.get_xdata()[-1], (sent.max(axis=1) + full.max(axis=1)).sum())


def test_nothing_to_show_is_said():
    for messages in (np.zeros((2, 3)), np.zeros((0, 3))):
        for ax in drawn(messages):
            assert [text.get_text() for text in ax.texts] == ["nothing was sent"]


@pytest.mark.parametrize(
    ("messages", "options", "words"),
    [
        ([1.0, 2.0], {}, r"messages must have shape \(rounds, workers\), but has \(2,\)"),
        (MESSAGES, {"refreshes": [[1.0, 2.0]]}, r"refreshes must have shape \(2, 3\)"),
        (MESSAGES, {"broadcasts": MESSAGES}, r"broadcasts must have shape \(2,\)"),
        (MESSAGES, {"local_steps": [1]}, r"local_steps must have shape \(2,\)"),
        ([[-1.0]], {}, "messages must be finite and not negative"),
        (MESSAGES, {"broadcasts": [np.nan, 1.0]}, "broadcasts must be finite"),
        (MESSAGES, {"step_length": -1.0}, "step_length must be finite and not negative"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(messages, options, words):
    with pytest.raises(ValueError, match=words):
        drawn(messages, **options)
