"""Every notebook runs, has the parts of a lesson, and its rendering shows its present source."""

import ast
import base64
import builtins
import json
import re
import runpy
import sys
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "docs" / "_extensions")]

import course  # noqa: E402
from course import Cell  # noqa: E402

FOLDER = ROOT / "notebooks"
RENDERED = FOLDER / "rendered"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
MEBIBYTE = 2**20

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path):
    """The cells of a lesson."""
    return course.cells(path.read_text(encoding="utf-8"))


def missing_from(rendered, source, name):
    """The first lines that the rendering does not have in their place, None if it has them all.

    Between cells stand outputs alone: indented text and figures.
    """
    output = re.compile(rf" *|    .*|!\[[^\]]*\]\({name}_files/[^)]+\)")
    lines = course.unfolded(rendered).splitlines()
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
def test_no_formula_becomes_a_list(path):
    """A line of prose that begins with a minus, in the middle of a formula, does."""
    for cell in cells(path):
        open_formulas = set()
        for line in cell.text.splitlines() if cell.is_prose else ():
            assert not (open_formulas and re.match(r" *([-+*>#]|\d+[.)]) ", line)), line
            for mark in re.findall(r"\$\$|\$", re.sub(r"`[^`]*`", "", line)):
                open_formulas ^= {mark}
        assert not open_formulas, cell.text[:60]


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
    source = [Cell(True, "# Title", {}), Cell(False, "print(1)", {}), Cell(True, "Prose.", {})]
    rendered = "# Title\n\n\n```python\nprint(1)\n```\n\n    1\n\n\nProse.\n"
    assert missing_from(rendered, source, "lesson") is None
    figure = "![png](lesson_files/lesson_1_0.png)\n"
    assert missing_from(rendered + figure, source, "lesson") is None
    assert missing_from(rendered, [*source, Cell(False, "print(2)", {})], "lesson")
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


# What is made of a lesson: for students, as slides, with its outputs.


@every_notebook
def test_solutions_are_marked_and_nothing_else_is(path):
    inside = False
    for cell in cells(path):
        if cell.headings:
            inside = cell.headings[0].startswith("Solution")
            assert not inside or len(cell.headings) == 1
        assert cell.is_solution == inside, cell.text[:60]


@every_notebook
def test_a_slide_begins_at_each_heading_that_is_no_solution(path):
    for cell in cells(path):
        if cell.headings and not cell.is_solution:
            assert cell.begins_slide, cell.headings


@every_notebook
def test_the_version_for_students_has_no_solution(path):
    source = cells(path)
    given = course.for_students(source)
    written = json.dumps(course.notebook(given))
    solutions = [cell for cell in source if cell.is_solution]
    assert solutions
    for cell in solutions:
        assert json.dumps(cell.text.splitlines(keepends=True)) not in written
    assert "Solution" not in [heading.split()[0] for cell in given for heading in cell.headings]
    exercises = [h for cell in source for h in cell.headings if h.startswith("Exercise")]
    assert [h for cell in given for h in cell.headings if h.startswith("Exercise")] == exercises
    assert [cell.text for cell in given].count(course.YOURS) == len(exercises)
    kept = [cell for cell in given if cell.text != course.YOURS]
    assert kept == [cell for cell in source if not cell.is_solution]


def names(code):
    """The global names that code binds, and all that it reads."""
    tree = ast.parse(code)
    bound, read = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(one.asname or one.name).split(".")[0] for one in node.names}
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return bound, read


@every_notebook
def test_the_version_for_students_needs_nothing_of_the_solutions(path):
    known = set(dir(builtins)) | {"__file__"}
    for cell in course.for_students(cells(path)):
        if not cell.is_prose:
            bound, read = names(cell.text)
            known |= bound
            assert read <= known, cell.text[:60]


@every_notebook
def test_the_rendering_folds_each_solution(path):
    rendered = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
    solutions = [h for cell in cells(path) for h in cell.headings if h.startswith("Solution")]
    found = re.findall(r"^#+ (.*)\n\n<details class=\"solution\">", rendered, re.MULTILINE)
    assert found == solutions
    assert course.folded(course.unfolded(rendered)) == rendered


def test_a_fold_ends_at_the_next_heading():
    page = "# T\n\n## Solution 1\n\n```python\n# no heading\n```\n\nMore.\n\n## Next\n\nText.\n"
    found = course.folded(page)
    assert found.index("<details") > found.index("## Solution 1")
    assert found.index("More.") < found.index("</details>") < found.index("## Next")
    assert found.count("<details") == found.count("</details>") == 1
    assert course.unfolded(found) == page


@every_notebook
def test_the_notebook_has_the_outputs_of_the_rendering(path):
    source = cells(path)
    rendered = (RENDERED / f"{path.stem}.md").read_text(encoding="utf-8")
    made = course.notebook(source, course.outputs(source, rendered))
    assert ["".join(cell["source"]) for cell in made["cells"]] == [cell.text for cell in source]
    assert len({cell["id"] for cell in made["cells"]}) == len(source)
    shown = [output for cell in made["cells"] for output in cell.get("outputs", ())]
    figures = [base64.b64decode(one["data"]["image/png"]) for one in shown if "data" in one]
    order = re.findall(rf"\(({path.stem}_files/[^)]+)\)", rendered)
    assert figures == [(RENDERED / name).read_bytes() for name in order]
    printed = "".join("".join(one["text"]) for one in shown if "text" in one)
    stated = re.sub(r"^```python\n.*?^```$", "", rendered, flags=re.MULTILINE | re.DOTALL)
    stated = [line[4:] for line in stated.splitlines() if re.match(r" {4}\S", line)]
    assert [line for line in printed.splitlines() if line and line[0] != " "] == stated


@every_notebook
def test_slides_show_every_cell_once(path):
    source = cells(path)
    places = course.decks(source)
    assert [i for slide in places for i in slide] == list(range(len(source)))
    assert len(places) >= 6


def test_a_section_in_the_middle_of_a_cell_has_its_slide():
    begins = {"slideshow": {"slide_type": "slide"}}
    source = [Cell(True, "# T", begins), Cell(True, "End of it.\n\n## Next\n\n### In it", begins)]
    cut, shown = course.at_headings(source, [[], []])
    assert [cell.text for cell in cut] == ["# T", "End of it.", "## Next\n\n### In it"]
    assert course.decks(cut) == [[0, 1], [2]]
    assert shown == [[], [], []]


@pytest.mark.parametrize("line", ["[markdown] tag=1", "tags", 'tags=["solution"'])
def test_a_cell_line_that_says_nothing_known_is_an_error(line):
    with pytest.raises(ValueError, match=r"known are|delimiter"):
        course.cells(f"# %% {line}\n# text\n")
