"""What drawings of distribution functions put into the axes, as numbers."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from optzoo.plots import COLOURS, distribution

DIE = {"label": "die", "points": [3.0, 1.0, 2.0], "weights": [0.5, 0.2, 0.3]}
UNIFORM = {"label": "uniform", "x": [0.0, 1.0, 2.0], "below": [0.0, 0.5, 1.0]}


def drawn(*laws):
    return distribution(Figure().add_subplot(), laws)


def test_atoms_are_stairs_with_both_ends_of_every_step():
    (line,) = drawn(DIE).get_lines()
    assert_allclose(line.get_xdata(), [1, 1, 2, 2, 3, 3])
    assert_allclose(line.get_ydata(), [0, 0.2, 0.2, 0.5, 0.5, 1.0])
    assert line.get_linestyle() == "-"


def test_a_density_is_a_dashed_curve():
    stairs, curve = drawn(DIE, UNIFORM).get_lines()
    assert_allclose(curve.get_xydata(), [[0, 0], [1, 0.5], [2, 1]])
    assert curve.get_linestyle() == "--"
    assert to_hex(curve.get_color()) == COLOURS["ink"] != to_hex(stairs.get_color())
    assert [line.get_label() for line in (stairs, curve)] == ["die", "uniform"]


def test_laws_of_atoms_differ_in_colour_and_the_axis_is_a_probability():
    ax = drawn(*({**DIE, "label": f"{i}"} for i in range(4)), UNIFORM)
    assert len({to_hex(line.get_color()) for line in ax.get_lines()}) == 5
    assert ax.get_ylim() == (0.0, 1.0)


def test_nothing_to_show_is_said():
    assert [text.get_text() for text in drawn().texts] == ["no law to show"]


@pytest.mark.parametrize(
    ("laws", "words"),
    [
        ([DIE] * 5, "5 laws of atoms cannot be told apart"),
        ([{"label": "a", "points": [1.0]}], "the law 'a' needs either points and weights"),
        ([{**DIE, **UNIFORM}], "needs either"),
        ([{**DIE, "weights": [1.0]}], "weights of die has 1 values"),
        ([{**UNIFORM, "x": np.zeros((1, 3))}], "x of uniform must be one-dimensional"),
    ],
)
def test_laws_that_do_not_fit_are_refused(laws, words):
    with pytest.raises(ValueError, match=words):
        drawn(*laws)
