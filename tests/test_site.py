"""The documentation site without building it: its sources, and its checks' own tests.

`make docs` builds it, where warnings are errors, and `docs/check_site.py` reads what was built.
"""

import ast
import html
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import optzoo
import optzoo.lmo
from optzoo.conformance.optimizers import ROWS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "_extensions")]

import alt_texts  # noqa: E402
import check_site  # noqa: E402
import course  # noqa: E402
import docstrings  # noqa: E402
import moving  # noqa: E402
import pictures  # noqa: E402
import public_names  # noqa: E402
import written_pages  # noqa: E402

PAGES = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}


def named(kind, page):
    blocks = re.findall(rf"^```\{{{kind}\}}.*\n((?:\w+\n)*)```$", PAGES[DOCS / page], re.MULTILINE)
    return [name for block in blocks for name in block.split()]


def test_every_public_symbol_is_in_the_reference_once():
    found = Counter(name for text in PAGES.values() for name in written_pages.names_in(text))
    public = set(public_names.public())
    assert not public - set(found), "put these into a page of docs/api"
    assert not set(found) - public, "docs/api names what is not public"
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize("module", public_names.PACKAGES)
def test_what_a_package_exports_is_public(module):
    """Under this name, or under that of the package that it comes from."""
    home = sys.modules[module]
    known = {id(symbol) for symbol in public_names.public().values()}
    for name in home.__all__:
        symbol = getattr(home, name)
        assert id(symbol) in known or type(symbol).__name__ == "module", name


def test_what_lessons_and_contributors_import_is_public():
    """Of `theory_checks`, but for the claims that a lesson looks into."""
    printed = "\n".join(
        block
        for path in (DOCS / "contributing").glob("*.md")
        for block in re.findall(r"^```python\n(.*?)^```$", PAGES[path], re.M | re.S)
    )
    lessons = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.py")]
    modules = {
        node.module
        for text in (*lessons, *re.split(r"(?=^from |^import )", printed, flags=re.M))
        for node in ast.walk(_parsed(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("theory_checks.")
    }
    assert len(modules) > 8
    outside = {name for name in modules if not name.startswith("theory_checks.claims.")}
    assert outside <= set(public_names.CHECKS)


def _parsed(text):
    try:
        return ast.parse(text)
    except SyntaxError:  # a piece of a page, cut in the middle of a statement
        return ast.parse("")


def test_the_galleries_are_whole():
    sets = set(optzoo.lmo.__all__) - {"ConstraintSet"}
    assert set(named("sets", "gallery/sets.md")) == set(pictures.SETS) == sets
    methods = {row.make.__name__ for row in ROWS}
    assert set(named("methods", "gallery/methods.md")) == set(pictures.METHODS) == methods


@pytest.mark.parametrize("name", ["l1_ball", "spectrahedron", "birkhoff_polytope", "product"])
def test_a_set_is_drawn_with_words(name):
    drawn = pictures.of_set(name)
    assert f'aria-label="{name}, ' in drawn
    assert "var(--plot-mean" in drawn
    assert drawn == pictures.of_set(name)


def test_a_method_is_drawn_with_what_it_does():
    drawn = pictures.of_method("pairwise_frank_wolfe")
    words = re.search(r'aria-label="([^"]*)"', drawn)[1]
    assert words.startswith("pairwise_frank_wolfe on a quadratic of six coordinates")
    first, last = re.search(
        r"to the minimum, ([\d.e-]+) at first, .* and ([\d.e-]+) after", words
    ).groups()
    assert float(last) < 1e-5 < float(first)


@pytest.mark.parametrize("name", moving.MOVIES)
def test_a_picture_moves_by_itself_only_where_it_may(name):
    """Of its frames four are drawn here: those that are printed."""
    movie = moving.MOVIES[name]()
    assert len(movie.printed) == 4
    assert max(movie.printed) == movie.count - 1
    assert list(movie.printed) == sorted(set(movie.printed))
    few = movie._replace(
        count=4,
        printed=(0, 1, 2, 3),
        draw=lambda figure, i: movie.draw(figure, movie.printed[i]),
    )
    frames = moving.frames_of(few)
    drawn = moving.page(few, frames)
    inside = re.findall(r'"(data:image/png;base64,[^"]+)"', drawn)
    assert len(set(inside)) == 4
    assert inside[0] == inside[1]  # without scripts the first frame is seen
    assert f'alt="{movie.words}"' in html.unescape(drawn)
    assert len(movie.words) > 200
    assert not check_site.ELSEWHERE.search(" ".join(check_site.Page(drawn).loads))
    assert check_site.Page(drawn).complaints == []
    assert "if (!less.matches) move();" in drawn
    assert movie.count / 4 * len(drawn) < 1000 * moving.KILOBYTES
    assert moving.page(few, moving.frames_of(few)) == drawn
    assert moving.still(few, frames).startswith(b"\x89PNG")


def test_the_pictures_that_move_are_all_on_their_page():
    assert set(named("moving", "course/moving_pictures.md")) == set(moving.MOVIES)


def test_lecturers_find_every_lesson():
    lessons = [path.stem for path in (ROOT / "notebooks").glob("*.py")]
    text = PAGES[DOCS / "course" / "index.md"]
    assert sorted(named("course", "course/index.md")) == sorted(lessons)
    rows = re.findall(r"^\| \d \| (.*?) \| .* \| (\d) \|$", text, re.MULTILINE)
    assert len(rows) == len(lessons)
    for (title, exercises), name in zip(rows, named("course", "course/index.md"), strict=True):
        source = course.cells((course.LESSONS / f"{name}.py").read_text(encoding="utf-8"))
        headings = [heading for cell in source for heading in cell.headings]
        assert headings[0].endswith(title)
        assert sum(heading.startswith("Exercise") for heading in headings) == int(exercises)
        assert f"**{title}**" in text


@pytest.mark.parametrize("paper", [path.stem for path in sorted((DOCS / "theory").glob("*.md"))])
def test_a_paper_has_its_page(paper):
    text = PAGES[DOCS / "papers" / f"{paper}.md"]
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    asked = ["What it says", "What was checked", "Coverage", "What was found", "What is open"]
    assert headings == asked
    assert f"(../api/theorems/{paper}.md)" in text
    assert f"(../theory/{paper}.md)" in text
    whole = written_pages.written(text)
    assert len(re.findall(r"^\| .* \| CONSISTENT", whole, re.MULTILINE)) >= 15
    assert "{claims}" not in whole


def test_the_claims_of_all_papers_are_all_claims():
    papers = [path.stem for path in (DOCS / "papers").glob("*.md")]
    verdicts = PAGES[DOCS / "verdicts.md"]
    (total,) = re.findall(r"^\*\*(\d+) claims:", verdicts, re.MULTILINE)
    assert sum(len(written_pages.claims_of(paper)) for paper in papers) == int(total)


def test_every_figure_has_words():
    """Of the pages of the site; sources of figures that have gone have none."""
    sources = [*PAGES, ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md"]
    sources += sorted((ROOT / "notebooks" / "rendered").glob("*.md"))
    shown = set()
    for path in sources:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", path.read_text("utf-8")):
            shown.add(Path(target).name)
            said = alt_texts.TEXTS.get(Path(target).name, words)
            assert len(said) >= alt_texts.SHORTEST, (path.name, target)
    assert set(alt_texts.TEXTS) <= shown


DOCSTRING = r"""One line with |x| and x_* and `soap`.

    x^+ = x - g

Args:
    first: what `it` is, over
        two lines.

Returns:
    features: of $x^2$s, `a
        b`.
    targets: too.

Raises:
    ValueError: if not.

Example:
    >>> 1 + 1  # |
    2

References:
    A. B., *Title*.
"""
RESTRUCTURED = r"""One line with \|x\| and x\_\* and :py:obj:`soap <optzoo.soap>`.

.. code-block:: text

    x^+ = x - g


:param first: what ``it`` is, over
    two lines.


:returns:
  * *features*: of :math:`x^2`\ s, ``a b``.
  * *targets*: too.


:raises ValueError: if not.


.. rubric:: Example

>>> 1 + 1  # |
2


.. rubric:: References

* A. B., \*Title\*.
"""


@pytest.mark.parametrize("indent", [2, 4])
def test_docstrings_become_what_sphinx_reads(indent):
    lines = re.sub("^( +)", lambda m: " " * (len(m[1]) * indent // 4), DOCSTRING, flags=re.M)
    lines = lines.replace(" " * indent + "x^+", "    x^+").splitlines()
    wanted = [line.strip() for line in RESTRUCTURED.splitlines() if line]
    assert [line.strip() for line in docstrings.restructured(lines) if line.strip()] == wanted


def test_labels_in_a_module_docstring_become_a_list():
    found = docstrings.restructured([" F1   the error", "      of it", " F2   a step", "", "More."])
    assert [line for line in found if line] == [
        "* **F1** the error",
        "  of it",
        "* **F2** a step",
        "More.",
    ]


GOOD = """<title>a</title><link rel="stylesheet" href="own.css"><a href="#here">x</a><p id="here">
<a href="sub/b.html#there">y</a><a href="https://example.org/z">z</a><img src="i.png" alt="words">
<svg class="plot" aria-label="words"></svg><math><mi>x</mi></math><dt id="pkg.name">"""
FAULTS = {
    "leads nowhere: sub/c.html": ("sub/b.html#there", "sub/c.html"),
    "leads to no such place: sub/b.html#gone": ("b.html#there", "b.html#gone"),
    "leads to no such place: #gone": ('"#here"', '"#gone"'),
    "loads https://example.org/own.css": ('"own.css"', '"https://example.org/own.css"'),
    "loads //example.org/i.png": ('"i.png"', '"//example.org/i.png"'),
    "a picture without words: i.png": (' alt="words"', ""),
    "a drawing without words": (' aria-label="words"', ""),
    "a formula that is not drawn": ("<mi>x</mi>", "<merror><mi>x</mi></merror>"),
    "pkg.name is not in the reference": ("pkg.name", "pkg.other"),
}


def _site(folder, page=GOOD, css="p { color: red }"):
    (folder / "sub").mkdir()
    (folder / "a.html").write_text(page, encoding="utf-8")
    (folder / "sub" / "b.html").write_text('<p id="there"><a href="../a.html">a</a>', "utf-8")
    (folder / "own.css").write_text(css, encoding="utf-8")
    return check_site.complaints(folder, ("pkg.name",))


def test_a_site_in_order_has_no_complaints(tmp_path):
    assert _site(tmp_path) == []


@pytest.mark.parametrize("complaint", FAULTS)
def test_a_fault_of_the_site_is_found(complaint, tmp_path):
    (found,) = _site(tmp_path, GOOD.replace(*FAULTS[complaint]))
    assert found.endswith(complaint)


@pytest.mark.parametrize(
    "css", ['@import "https://example.org/x.css";', "p { background: url(//x.org/y) }"]
)
def test_what_a_style_loads_from_elsewhere_is_found(css, tmp_path):
    (found,) = _site(tmp_path, css=css)
    assert "own.css: loads" in found


def test_an_empty_site_is_a_complaint(tmp_path):
    assert check_site.complaints(tmp_path) == [f"no pages in {tmp_path}"]
