"""Each lesson as a notebook with its outputs, as slides, and as a notebook without the solutions.

All come from `notebooks/*.py`, in jupytext's percent format, and from `notebooks/rendered`, which
has their outputs: nothing is run here. What a cell is stands in its line: `tags=["solution"]`, and
`slideshow={"slide_type": "slide"}` (or `"subslide"`) where a slide begins.

    python docs/_extensions/course.py write build/course    all of them
    python docs/_extensions/course.py fold FILE.md          fold the solutions of a rendered page
"""

import base64
import html
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LESSONS = Path(__file__).parent.parent.parent / "notebooks"
FOLD = '<details class="solution"><summary>Show the solution</summary>\n\n'
UNFOLD = "</details>\n\n"
SHORT = 14  # lines of code that a slide shows without being asked, if they draw nothing
YOURS = "# Your answer\n"


class Cell(NamedTuple):
    """One cell of a percent file: prose in Markdown, or code, and what its line says of it."""

    is_prose: bool
    text: str
    metadata: dict[str, Any]

    @property
    def headings(self) -> list[str]:
        """The headings of a cell of prose, without their marks."""
        return re.findall(r"^#+ +(.*)$", self.text, flags=re.MULTILINE) if self.is_prose else []

    @property
    def is_solution(self) -> bool:
        """Whether a student's version goes without it."""
        return "solution" in self.metadata.get("tags", ())

    @property
    def begins_slide(self) -> bool:
        """Whether a slide begins here."""
        return self.metadata.get("slideshow", {}).get("slide_type") in ("slide", "subslide")


def _options(text: str) -> tuple[bool, dict[str, Any]]:
    """Of a cell's first line behind `# %%`: whether it is prose, and its metadata."""
    rest = text.strip()
    is_prose = rest.startswith("[markdown]")
    rest = rest.removeprefix("[markdown]").strip()
    found, decoder = {}, json.JSONDecoder()
    while rest:
        name, equals, value = rest.partition("=")
        if not equals or name not in ("tags", "slideshow"):
            raise ValueError(f"a cell's line says {text.strip()!r}; known are tags=, slideshow=")
        found[name], end = decoder.raw_decode(value)
        rest = value[end:].strip()
    return is_prose, found


def cells(text: str) -> list[Cell]:
    """The cells of a text in jupytext's percent format."""
    before, *parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    if before.strip():
        raise ValueError(f"text before the first cell: {before.strip()[:60]!r}")
    found = []
    for options, body in zip(parts[::2], parts[1::2], strict=True):
        is_prose, metadata = _options(options)
        body = body.strip("\n")
        if is_prose:
            lines = body.splitlines()
            if not all(line.startswith("#") for line in lines):
                raise ValueError(f"prose that is no comment in the cell {body[:60]!r}")
            body = "\n".join(line[1:].removeprefix(" ") for line in lines)
        found.append(Cell(is_prose, body, metadata))
    return found


# The rendered page.


def folded(rendered: str) -> str:
    """A rendered page whose solutions, below their headings, are seen when asked for."""
    written, inside, in_code = [], False, False
    for line in rendered.splitlines(keepends=True):
        in_code ^= line.startswith("```")
        if not in_code and re.match(r"#+ ", line):
            if inside:
                written.append(UNFOLD)
            inside = bool(re.match(r"#+ Solution", line))
            written.append(line)
            if inside:
                written.append("\n" + FOLD)
        elif inside and written[-1].endswith(FOLD) and not line.strip():
            continue  # the blank line below the heading
        else:
            written.append(line)
    return "".join([*written, UNFOLD] if inside else written)


def unfolded(rendered: str) -> str:
    """What `folded` began with, but for the number of blank lines below a solution's heading."""
    return rendered.replace(FOLD, "").replace(UNFOLD, "")


class Output(NamedTuple):
    """Printed text, or the name of a figure's file in `notebooks/rendered`."""

    is_figure: bool
    text: str


def outputs(source: list[Cell], rendered: str) -> list[list[Output]]:
    """What the rendered page shows below each cell."""
    lines = unfolded(rendered).splitlines()
    found: list[list[Output]] = []
    for cell in source:
        chunk = (cell.text if cell.is_prose else f"```python\n{cell.text}\n```").splitlines()
        chunk = [line for line in chunk if line]
        shown, seen = [], 0
        while lines and seen < len(chunk):
            line = lines.pop(0)
            if line == chunk[seen]:
                seen += 1
            elif seen == 0:
                shown.append(line)
            elif line:
                raise ValueError(f"{line!r} is not the rendering of {chunk[seen]!r}")
        if seen < len(chunk):
            raise ValueError(f"not rendered: {chunk[seen]!r}")
        if found:
            found[-1] = _outputs(shown)
        found.append([])
    found[-1] = _outputs(lines)
    return found


def _outputs(lines: list[str]) -> list[Output]:
    found: list[Output] = []
    printed: list[str] = []
    for line in [*lines, "![png]()"]:
        figure = re.fullmatch(r"!\[[^\]]*\]\((.*)\)", line)
        if not figure:
            printed.append(line.removeprefix("    "))
            continue
        text = "\n".join(printed).strip("\n")
        found += [Output(False, re.sub(r"\n{3,}", "\n\n", text) + "\n")] if text.strip() else []
        found += [Output(True, figure[1])] if figure[1] else []
        printed = []
    return found


# Notebooks.


def notebook(source: list[Cell], shown: list[list[Output]] | None = None) -> dict[str, Any]:
    """Cells, with outputs where these are given, in Jupyter's format 4.5."""
    written, count = [], 0
    for i, cell in enumerate(source):
        metadata = dict(cell.metadata)
        if cell.is_solution and not cell.is_prose:
            metadata["jupyter"] = {"source_hidden": True}
        one: dict[str, Any] = {
            "cell_type": "markdown" if cell.is_prose else "code",
            "id": f"cell-{i}",
            "metadata": metadata,
            "source": cell.text.splitlines(keepends=True),
        }
        if not cell.is_prose:
            count += shown is not None
            one["execution_count"] = count if shown else None
            one["outputs"] = [_as_json(output) for output in shown[i]] if shown else []
        written.append(one)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _picture(name: str) -> str:
    return base64.b64encode((LESSONS / "rendered" / name).read_bytes()).decode("ascii")


def _as_json(output: Output) -> dict[str, Any]:
    if output.is_figure:
        data = {"image/png": _picture(output.text)}
        return {"output_type": "display_data", "data": data, "metadata": {}}
    text = output.text.splitlines(keepends=True)
    return {"output_type": "stream", "name": "stdout", "text": text}


def for_students(source: list[Cell]) -> list[Cell]:
    """The lesson without its solutions, with an empty cell in the place of each."""
    found: list[Cell] = []
    for i, cell in enumerate(source):
        if not cell.is_solution:
            found.append(cell)
        elif not source[i - 1].is_solution:
            found.append(Cell(False, YOURS, {}))
    return found


# Slides.

_STYLE = """
body { margin: 0; font: 1.25rem/1.45 system-ui, sans-serif; color: #1b1f24; background: #fff; }
section { max-width: 62rem; margin: 0 auto; padding: 1.5rem 2rem 4rem; box-sizing: border-box; }
.live section { outline: none; display: none; height: 100vh; overflow-y: auto; }
.live section.now { display: block; }
h1 { font-size: 2.2rem; } h2 { font-size: 1.7rem; margin-top: 0.5rem; } h3 { font-size: 1.35rem; }
pre { font-size: 0.72em; line-height: 1.35; overflow-x: auto; background: #f6f8fa;
  padding: 0.6rem 0.8rem; border-radius: 4px; }
pre.printed { background: none; border-left: 3px solid #0a5a9c; }
img { display: block; max-width: 100%; max-height: 68vh; margin: 0.5rem auto; }
table { border-collapse: collapse; } td, th { border: 1px solid #d0d7de; padding: 0.2rem 0.6rem; }
summary { cursor: pointer; color: #0a5a9c; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", math; }
.wide { overflow-x: auto; overflow-y: hidden; padding: 0.2rem 0; }
nav { position: fixed; right: 1rem; bottom: 0.7rem; font-size: 1rem; display: none; }
.live nav { display: block; }
nav button { font: inherit; padding: 0.1rem 0.7rem; }
@media print {
  nav, .live nav { display: none; }
  section, .live section { display: block; height: auto; break-after: page; }
}
"""
_SCRIPT = """
const slides = [...document.querySelectorAll("section")];
let at = 0;
function show(i) {
  at = Math.max(0, Math.min(slides.length - 1, i));
  slides.forEach((slide, j) => slide.classList.toggle("now", j === at));
  document.getElementById("at").textContent = `${at + 1} / ${slides.length}`;
  slides[at].focus({ preventScroll: true });
  history.replaceState(null, "", "#" + slides[at].id);
}
const keys = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1,
  Home: -Infinity, End: Infinity };
document.addEventListener("keydown", (event) => {
  if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("summary, button, a") && event.key === " ") return;
  event.preventDefault();
  const last = slides.length - 1;
  show(keys[event.key] === Infinity ? last : keys[event.key] === -Infinity ? 0
    : at + keys[event.key]);
});
document.getElementById("back").onclick = () => show(at - 1);
document.getElementById("on").onclick = () => show(at + 1);
const named = () => slides.findIndex((slide) => "#" + slide.id === location.hash);
window.addEventListener("hashchange", () => { if (named() >= 0) show(named()); });
document.body.classList.add("live");
show(named());
"""


def at_headings(
    source: list[Cell], shown: list[list[Output]]
) -> tuple[list[Cell], list[list[Output]]]:
    """The same with a cell cut in two where a section begins in its middle."""
    cut: list[Cell] = []
    below: list[list[Output]] = []
    for cell, output in zip(source, shown, strict=True):
        parts = re.split(r"\n+(?=#{1,2} )", cell.text) if cell.is_prose else [cell.text]
        begins = [bool(re.match("#{1,2} ", part)) for part in parts]
        for part, here in zip(parts, begins, strict=True):
            slide = {"slideshow": {"slide_type": "slide"}}
            metadata = cell.metadata if len(parts) == 1 else slide if here else {}
            cut.append(Cell(cell.is_prose, part, metadata))
            below.append([])
        below[-1] = output
    return cut, below


def decks(source: list[Cell]) -> list[list[int]]:
    """The places of the cells of each slide."""
    found: list[list[int]] = []
    for i, cell in enumerate(source):
        if cell.begins_slide or not found:
            found.append([])
        found[-1].append(i)
    return found


def slides(title: str, source: list[Cell], shown: list[list[Output]], words: dict[str, str]) -> str:
    """A page of slides that loads nothing: formulas are MathML, figures are inside."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    from theory_checks.report.mathml import math_to_html

    def formula(tex: str, options: dict[str, Any]) -> str:
        drawn = str(math_to_html(" ".join(tex.split()), display=options["display_mode"]))
        if not drawn.startswith("<math"):
            raise ValueError(f"this formula cannot be drawn: {tex}")
        return f'<span class="wide">{drawn}</span>' if options["display_mode"] else drawn

    markdown = MarkdownIt("commonmark").enable("table")
    markdown.use(dollarmath_plugin, double_inline=True, renderer=formula)
    colours = HtmlFormatter(style="default", nowrap=True)
    source, shown = at_headings(source, shown)

    def drawn(i: int) -> str:
        cell = source[i]
        if cell.is_prose:
            return str(markdown.render(cell.text))
        code = f"<pre>{highlight(cell.text, PythonLexer(), colours)}</pre>"
        count = len(cell.text.splitlines())
        if count > SHORT or any(output.is_figure for output in shown[i]):
            code = f"<details><summary>{count} lines of code</summary>{code}</details>"
        for output in shown[i]:
            if output.is_figure:
                said = html.escape(words[Path(output.text).name], quote=True)
                data = _picture(output.text)
                code += f'<img alt="{said}" src="data:image/png;base64,{data}">'
            else:
                code += f'<pre class="printed">{html.escape(output.text)}</pre>'
        return code

    written = []
    for number, places in enumerate(decks(source), 1):
        parts, inside = [], False
        for i in places:
            if source[i].is_solution and not inside:
                parts.append("<details><summary>Solution</summary>")
            if inside and not source[i].is_solution:
                parts.append("</details>")
            inside = source[i].is_solution
            parts.append(drawn(i))
        parts += ["</details>"] if inside else []
        written.append(f'<section id="s{number}" tabindex="-1">{"".join(parts)}</section>')
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{_STYLE}{colours.get_style_defs('pre')}</style></head><body>\n"
        + "\n".join(written)
        + '\n<nav><button id="back" aria-label="the slide before">&larr;</button> '
        '<span id="at"></span> <button id="on" aria-label="the next slide">&rarr;</button></nav>'
        f"\n<script>{_SCRIPT}</script></body></html>\n"
    )


# Files.


def write(folder: Path) -> list[Path]:
    """Writes all forms of all lessons into a folder."""
    from alt_texts import TEXTS

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in sorted(LESSONS.glob("*.py")):
        source = cells(path.read_text(encoding="utf-8"))
        rendered = (LESSONS / "rendered" / f"{path.stem}.md").read_text(encoding="utf-8")
        shown = outputs(source, rendered)
        forms = {
            f"{path.stem}.ipynb": _dumped(notebook(source, shown)),
            f"{path.stem}.student.ipynb": _dumped(notebook(for_students(source))),
            f"{path.stem}.slides.html": slides(source[0].headings[0], source, shown, TEXTS),
        }
        for name, text in forms.items():
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
        shutil.copyfile(path, folder / path.name)
        written.append(folder / path.name)
    return written


def _dumped(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _finished(app: "Sphinx", error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        write(Path(app.outdir) / "docs" / "course")


def setup(app: "Sphinx") -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("build-finished", _finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main() -> int:
    """For the command line."""
    what, target = sys.argv[1:]
    if what == "fold":
        path = Path(target)
        path.write_text(folded(unfolded(path.read_text(encoding="utf-8"))), encoding="utf-8")
    elif what == "write":
        for path in write(Path(target)):
            print(path)
    else:
        print(f"course.py: {what!r} is neither write nor fold")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
