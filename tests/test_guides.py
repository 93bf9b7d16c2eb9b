"""Programs that the pages of docs/ tell to copy run as they are printed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "coming_from_muon_or_scion.md"
TEXT = PAGE.read_text(encoding="utf-8")
LOOPS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)


def test_the_page_has_a_loop_for_flax_and_one_for_equinox():
    assert ["from flax import nnx" in loop for loop in LOOPS] == [True, False]
    assert ["import equinox as eqx" in loop for loop in LOOPS] == [False, True]


@pytest.mark.parametrize("loop", LOOPS, ids=["flax", "equinox"])
def test_a_loop_runs_and_trains(loop):
    names = {}
    exec(compile(loop, str(PAGE), "exec"), names)
    losses = names["losses"]
    assert len(losses) == 200
    assert losses[-1] < 0.5 * losses[0]


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).is_file(), target
