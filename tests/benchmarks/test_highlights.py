"""The sentences on speed of docs/speed.md are those of the tables."""

import pytest

from benchmarks.highlights import PAGE, Tables, highlights, number, replace_block
from benchmarks.report import RESULTS

DOCUMENT = RESULTS.read_text(encoding="utf-8")


def test_the_page_says_what_the_tables_say():
    page = PAGE.read_text(encoding="utf-8")
    assert page == replace_block(page, highlights(Tables(DOCUMENT))), (
        "run `python -m benchmarks highlights`"
    )
    assert page.count("python -m benchmarks highlights") == 1
    assert "load average at the start" in page


def test_another_number_in_the_tables_is_another_number_on_the_page():
    row = "| one replicate, a Python loop over a jitted step | 1.43 | 0.0393 | 0.63 |"
    changed = DOCUMENT.replace(f"{row} 13.2 ", f"{row} 15.2 ")
    before, after = highlights(Tables(DOCUMENT)), highlights(Tables(changed))
    assert "13 times as many as a Python" in before
    assert after == before.replace("13 times as many as a Python", "15 times as many as a Python")


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(KeyError, match=r"0 rows \('no method',\) with a column '× optzoo.soap"):
        Tables(DOCUMENT).value("soap", "no method", column="× optzoo.soap at that f")
    with pytest.raises(KeyError, match="4 rows"):
        Tables(DOCUMENT).value("saga_table", "rows", column="n")


def test_numbers_of_cells():
    cells = ["13.2 [12.1, 13.8]", "1.18e+03", "10,737,418", "> 82.9"]
    assert [number(cell) for cell in cells] == [13.2, 1180.0, 10737418.0, float("inf")]
