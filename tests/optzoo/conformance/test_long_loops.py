"""The cells of the conformance table that `test_every_optimizer.py` leaves to the long tests."""

import pytest

from .test_every_optimizer import EVERY_CELL, is_long, subject

LONG_CELLS = [cell for cell in EVERY_CELL if is_long(*cell)]


@pytest.mark.filterwarnings("ignore:params.* has 16 bits")
@pytest.mark.parametrize(
    ("row", "one"), LONG_CELLS, ids=[f"{row.name}-{one.name}" for row, one in LONG_CELLS]
)
def test_conformance(row, one):
    one.check(subject(row))
