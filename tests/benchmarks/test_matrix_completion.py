"""The benchmark of matrix completion on a small photograph."""

import pytest

from benchmarks import matrix_completion


def test_every_method_completes_the_photograph(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_completion, "REPEATS", 1)
        text = matrix_completion.measure(12, (0.25,), 20.0, tmp_path / "figure.png")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if "gradient |" in line]
    rows += [line.split("|")[1:-1] for line in text.splitlines() if "Frank-Wolfe |" in line]
    assert len(rows) == 4
    assert not any(">" in cell for row in rows for cell in row)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
