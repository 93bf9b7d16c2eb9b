"""Every notebook runs, has the parts of a lesson, and its rendering shows its present source."""

import re
import runpy
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "notebooks"
RENDERED = FOLDER / "rendered"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
MEBIBYTE = 2**20

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


class Cell(NamedTuple):
    """One cell of a percent file: prose in Markdown, or code."""

    is_prose: bool
    text: str

    @property
    def headings(self):
        return re.findall(r"^#+ +(.*)$", self.text, flags=re.MULTILINE) if self.is_prose else []


def cells(path):
    """The cells of a file in jupytext's percent format."""
    text = re.sub(r"\A# ---\n(#.*\n)*?# ---\n", "", path.read_text(encoding="utf-8"))
    before, *parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    assert not before.strip(), f"{path.name}: text before the first cell"
    found = []
    for options, body in zip(parts[::2], parts[1::2], strict=True):
        if options.strip() == "[markdown]":
            lines = body.strip("\n").splitlines()
            assert all(line.startswith("#") for line in lines), f"{path.name}: prose is commented"
            found.append(Cell(True, "\n".join(line[1:].removeprefix(" ") for line in lines)))
        else:
            assert not options.strip(), f"{path.name}: a cell's option {options!r}"
            found.append(Cell(False, body.strip("\n")))
    return found


def missing_from(rendered, source, name):
    """The first lines that the rendering does not have in their place, None if it has them all.

    Between cells stand outputs alone: indented text and figures.
    """
    output = re.compile(rf" *|    .*|!\[[^\]]*\]\({name}_files/[^)]+\)")
    lines = rendered.splitlines()
    for cell in source:
        chunk = (cell.text if cell.is_prose else f"```python\n{cell.text}\n```").splitlines()
        while lines and lines[0] != chunk[0] and output.fullmatch(lines[0]):
            lines = lines[1:]
        if lines[: len(chunk)] != chunk:
            return chunk
        lines = lines[len(chunk) :]
    rest = [line for line in lines if not output.fullmatch(line)]
    return rest or None


def test_there_are_notebooks():
    assert NOTEBOOKS


@every_notebook
def test_it_runs_and_leaves_no_trace(path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: plt.close("all"))
    settings, look = dict(jax.config.values), dict(matplotlib.rcParams)
    drawn = np.random.get_state()[1].tolist()  # noqa: NPY002
    runpy.run_path(str(path), run_name="__main__")
    try:
        assert not plt.get_fignums(), "a figure was left open: end its cell with plt.show()"
        assert dict(jax.config.values) == settings
        assert dict(matplotlib.rcParams) == look
        assert np.random.get_state()[1].tolist() == drawn, "NumPy's global generator was used"  # noqa: NPY002
    finally:
        plt.close("all")
        for name, value in settings.items():
            if jax.config.values[name] != value:
                jax.config.update(name, value)
    assert "Traceback" not in capsys.readouterr().err


@every_notebook
def test_it_has_the_parts_of_a_lesson(path):
    source = cells(path)
    assert source[0].is_prose
    assert source[0].headings, "a notebook opens with its title"
    opening = "\n".join(cell.text for cell in source[:2] if cell.is_prose)
    assert re.search(r"what you will learn", opening, flags=re.IGNORECASE)
    headings = [heading for cell in source for heading in cell.headings]
    assert any(re.search(r"not (be )?conclude", heading) for heading in headings), headings


@every_notebook
def test_its_exercises_have_solutions_that_can_fail(path):
    source = cells(path)
    order, solutions = [], []  # a solution: the code from its heading to the next one
    for cell in source:
        for heading in cell.headings:
            order += [word for word in ("Exercise", "Solution") if heading.startswith(word)]
            solutions.append([heading, ""])
        if not cell.is_prose and solutions:
            solutions[-1][1] += cell.text + "\n"
    assert len(order) >= 4
    assert order == ["Exercise", "Solution"] * (len(order) // 2), order
    for heading, code in solutions:
        if heading.startswith("Solution"):
            assert re.search(r"^\s*assert\b", code, flags=re.MULTILINE), f"{heading}: no assert"


@every_notebook
def test_its_rendering_belongs_to_it(path):
    rendered = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
    assert missing_from(rendered, cells(path), path.stem) is None, "run `make notebooks`"
    shown = set(re.findall(rf"\(({path.stem}_files/[^)]+)\)", rendered))
    kept = {str(file.relative_to(RENDERED)) for file in RENDERED.glob(f"{path.stem}_files/*")}
    assert shown, "a notebook without a figure"
    assert shown == kept


def test_the_rendering_of_another_source_is_noticed():
    source = [Cell(True, "# Title"), Cell(False, "print(1)"), Cell(True, "Prose.")]
    rendered = "# Title\n\n\n```python\nprint(1)\n```\n\n    1\n\n\nProse.\n"
    assert missing_from(rendered, source, "lesson") is None
    figure = "![png](lesson_files/lesson_1_0.png)\n"
    assert missing_from(rendered + figure, source, "lesson") is None
    assert missing_from(rendered, [*source, Cell(False, "print(2)")], "lesson")
    assert missing_from(rendered, source[1:], "lesson")
    assert missing_from(rendered, source[:2], "lesson")
    assert missing_from(rendered.replace("Prose", "Older prose"), source, "lesson")
    assert missing_from(rendered.replace("print(1)", "print(3)"), source, "lesson")


def test_nothing_else_is_rendered_and_the_files_are_small():
    names = {path.stem for path in NOTEBOOKS}
    for file in RENDERED.iterdir():
        assert file.name.removesuffix("_files").removesuffix(".md") in names, file
    files = [file for file in RENDERED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 3 * MEBIBYTE


def test_the_index_names_every_notebook():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert f"(rendered/{path.stem}.md)" in index, path.name
        assert f"({path.name})" in index, path.name
    for target in re.findall(r"\]\(([^)#]+)\)", index):
        if not target.startswith("https://"):
            assert (FOLDER / target).is_file(), target
