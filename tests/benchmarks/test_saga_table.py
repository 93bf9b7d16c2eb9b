"""The benchmark of the tables on small sizes: what it says about memory is true."""

import re

import pytest

from benchmarks import saga_table


@pytest.fixture(scope="module")
def lines():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saga_table, "STEPS", 2)
        patch.setattr(saga_table, "REPEATS", 1)
        text = saga_table.measure((3000, 6000), limit=4 * saga_table.DIMENSION * 9000)
    rows = [
        line.split("|")[1:-1] for line in text.splitlines() if re.match(r"\| (linear|rows)", line)
    ]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_table_at_every_size_and_the_largest_rows(lines):
    assert [(row[0], row[1]) for row in lines] == [
        ("linear", "3,000"),
        ("rows", "3,000"),
        ("linear", "6,000"),
        ("rows", "6,000"),
        ("rows", "9,000"),
    ]


def test_a_step_allocates_nothing_that_grows_with_n(lines):
    for kind in ("linear", "rows"):
        assert len({row[3] for row in lines if row[0] == kind}) == 1


def test_rows_hold_d_times_as_much(lines):
    assert [row[2] for row in lines] == ["0.0", "1.1", "0.0", "2.3", "3.4"]
