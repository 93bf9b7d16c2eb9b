"""The README's sentences on speed are those of the tables."""

import pytest

from benchmarks.highlights import README, Tables, highlights, number, replace_block
from benchmarks.report import RESULTS

DOCUMENT = RESULTS.read_text(encoding="utf-8")


def test_the_readme_says_what_the_tables_say():
    readme = README.read_text(encoding="utf-8")
    assert readme == replace_block(readme, highlights(Tables(DOCUMENT))), (
        "run `python -m benchmarks readme`"
    )
    assert readme.count("python -m benchmarks readme") == 1
    assert "load average at the start" in readme


def test_another_number_in_the_tables_is_another_number_in_the_readme():
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
