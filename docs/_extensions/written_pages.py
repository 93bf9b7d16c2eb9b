"""What pages show of the code and of the verdicts, written from these when the site is built.

A page says where in a fenced block, which this replaces by Markdown before it is parsed:

    ```{api} optzoo.lmo        the symbols that are named in its lines, one a line
    ```{theorems} soap         the theorems of a page of `optzoo.theorems`
    ```{claims} soap           the rows of docs/verdicts.md for a paper's claims
    ```{coverage} soap         the rows of docs/coverage.md for a paper's theorems
    ```{known} soap            its papers, and what of their text is known here
    ```{found} soap            what docs/verdicts.md says of its methods side by side
    ```{report}                whether the report of `make verify` is there, and a link to it
    ```{sets}                  pictures of the sets that are named in its lines
    ```{methods}               pictures of the methods
    ```{course}                the lessons that are named in its lines, in all their forms
    ```{moving}                the pictures that move that are named in its lines
"""

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import course
import moving
import pictures
import public_names
from docstrings import prose

import optzoo.theorems
from optzoo.theorems import Theorem, theorems_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent.parent
REPORT = "results/quick/report.html"
_BLOCK = re.compile(
    r"^```\{(api|theorems|claims|coverage|known|found|readme|report|sets|methods|"
    r"course|moving)\} ?(.*)\n"
    r"((?:(?!```).*\n)*)```$",
    re.MULTILINE,
)


def names_in(text: str) -> list[str]:
    """The full names of the symbols that a page's source puts into the reference."""
    found = []
    for kind, argument, body in _BLOCK.findall(text):
        if kind == "api":
            found += [f"{argument.strip()}.{name}" for name in body.split()]
        elif kind == "theorems":
            module = f"optzoo.theorems.{argument.strip()}"
            found += [name for name in public_names.public() if name.startswith(f"{module}.")]
    return found


def _api(module: str, body: str) -> str:
    links = [f"{{py:obj}}`{name} <{module}.{name}>`" for name in body.split()]
    lines = [" · ".join(links), "", "```{eval-rst}", f".. currentmodule:: {module}", ""]
    for name in body.split():
        symbol = public_names.public()[f"{module}.{name}"]
        if inspect.isclass(symbol):
            lines += [f".. autoclass:: {name}", "   :members:", "   :undoc-members:", ""]
        elif inspect.isfunction(symbol):
            lines += [f".. autofunction:: {name}", ""]
        else:
            said = _comment_above(importlib.import_module(module), name)
            lines += [f".. py:data:: {name}", "", f"   {said}", ""]
    return "\n".join((*lines, "```"))


def _comment_above(module: Any, name: str) -> str:
    """What the string below an assignment says, or the comment before it or behind it."""
    for file in (module, *_imported(module, name)):
        text = inspect.getsource(file)
        lines, body = text.splitlines(), ast.parse(text).body
        for at, node in enumerate(body):
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            if not any(isinstance(one, ast.Name) and one.id == name for one in targets):
                continue
            below = body[at + 1] if at + 1 < len(body) else None
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return prose(" ".join(str(below.value.value).split()))
            _, mark, behind = lines[node.lineno - 1].partition("  # ")
            said, number = [behind] if mark else [], node.lineno - 1
            while number and lines[number - 1].startswith("# "):
                number -= 1
                said.insert(0, lines[number][2:])
            if said:
                return prose(" ".join(said))
    value = getattr(module, name)
    if isinstance(value, (tuple, list, dict)):
        return f"A {type(value).__name__} of {len(value)}."
    return f"``{value}``"


def _imported(module: Any, name: str) -> list[Any]:
    """The module that a package has a name from."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and any(a.name == name for a in node.names):
            relative = "." * node.level + (node.module or "")
            package = module.__name__ if hasattr(module, "__path__") else module.__package__
            found = importlib.import_module(relative, package)
            return [found, *_imported(found, name)]
    return []


def _theorems(page: str, body: str) -> str:
    del body
    module = importlib.import_module(f"optzoo.theorems.{page}")
    variables = {id(value): name for name, value in vars(module).items() if name in module.__all__}
    written = []
    for theorem in theorems_of(vars(module)):
        name = variables.get(id(theorem))
        if name is None:
            continue
        written += [f"## {theorem.label}: {theorem.title}", ""]
        written += [f"```{{py:data}} {name}", f":module: {module.__name__}", "```", ""]
        written += [theorem.statement, ""]
        if theorem.assumptions:
            texts = "; ".join(one.text for one in theorem.assumptions)
            written += ["Assumes", f": {texts}.", ""]
        written += ["Method", f": {_methods(theorem)}", ""]
        written += ["Comes from", f": {theorem.source}", ""]
        if theorem.proof:
            written += ["Proof", f": {_paths(theorem.proof)}", ""]
        if theorem.not_shown:
            written += ["Not shown by measuring", f": {theorem.not_shown}", ""]
        if theorem.code:
            written += ["```python", theorem.code, "```", ""]
        parts = [
            one for one in theorems_of(vars(module)) if one.root is theorem and one is not theorem
        ]
        if parts:
            written += ["Its parts and consequences that are checked:", ""]
            written += [f"- *{one.label}*: {one.title}." for one in parts]
            written += [""]
    names = [name for name in public_names.public() if name.startswith(f"{module.__name__}.")]
    others = [
        name.rpartition(".")[2]
        for name in names
        if not isinstance(public_names.public()[name], Theorem)
        and not isinstance(public_names.public()[name], optzoo.theorems.Paper)
    ]
    papers = [
        name for name in names if isinstance(public_names.public()[name], optzoo.theorems.Paper)
    ]
    written += ["## Constants, with the bounds as their methods", ""]
    written += [_api(module.__name__, "\n".join(others)), ""]
    written += ["## Papers", ""]
    for name in papers:
        written += [
            f"```{{py:data}} {name.rpartition('.')[2]}",
            f":module: {module.__name__}",
            "```",
            "",
        ]
        written += [public_names.public()[name].citation, ""]
    return "\n".join(written)


def _methods(theorem: Theorem) -> str:
    words = re.split(r"(\w+)", theorem.algorithm)
    return "".join(
        f"{{py:obj}}`{word} <optzoo.{word}>`" if f"optzoo.{word}" in public_names.public() else word
        for word in words
    )


def _paths(text: str) -> str:
    """Pages of this site that a sentence names are links."""
    return re.sub(r"\bdocs/(theory/\w+\.md)", r"[docs/\1](/docs/\1)", text)


@cache
def _rows(file: str) -> tuple[tuple[str, ...], ...]:
    text = (DOCS / file).read_text(encoding="utf-8")
    return tuple(
        tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        for line in text.splitlines()
        if line.startswith("|")
    )


def claims_of(paper: str) -> list[tuple[str, ...]]:
    """The rows of docs/verdicts.md for the claims of a paper."""
    return [
        row for row in _rows("verdicts.md") if len(row) == 10 and row[2].startswith(f"{paper}/")
    ]


def _claims(paper: str, body: str) -> str:
    del body
    rows = claims_of(paper)
    if not rows:
        raise ValueError(f"docs/verdicts.md has no claim of {paper}")
    consistent = sum(row[4] == "CONSISTENT" for row in rows)
    controls = [row[9].split("/") for row in rows if "/" in row[9]]
    killed, planted = (sum(int(one[at]) for one in controls) for at in (0, 1))
    vacuous = sum(row[7] == "VACUOUS" for row in rows)
    return "\n".join(
        (
            f"{len(rows)} claims, {consistent} of them CONSISTENT; {killed} of {planted} "
            f"deliberate mistakes killed; {vacuous} claims VACUOUS (that run would have missed a "
            "tenfold mistake in the bound as a whole). What the columns mean stands on "
            "[the page of all verdicts](/docs/verdicts.md), from which these rows are taken.",
            "",
            "| theorem | claim | verdict | tightness | would catch | controls killed |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row[0]} | {row[1]} | {row[4]}{', vacuous' if row[7] == 'VACUOUS' else ''} "
                f"| {row[5]} | {row[6]} | {row[9]} |"
                for row in rows
            ),
        )
    )


def _coverage(paper: str, body: str) -> str:
    del body
    module = importlib.import_module(f"optzoo.theorems.{paper}")
    labels = {theorem.root.label for theorem in theorems_of(vars(module))}
    rows = [row for row in _rows("coverage.md") if len(row) == 5 and row[0] in labels]
    left = [
        row
        for row in _rows("coverage.md")
        if len(row) == 3 and set(row[1].split(", ")) & labels and row[0] != "misreadings"
    ]
    if not rows:
        return (
            "Its statements are identities, checked as they stand: [the table of "
            "coverage](/docs/coverage.md) has no constant of theirs."
        )
    written = [
        "For each constant the smallest factor by which it could be better before the recorded "
        "data refute the bound, by the theorem's own runs and by those on parts of its proof "
        "([how to read this](/docs/coverage.md)).",
        "",
        "| theorem | own runs | parts of its proof | misreadings killed | not tested, and why |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    if left:
        written += ["", "Misreadings of its bounds that survive:", ""]
        written += ["| misreadings | where | why nothing catches them |", "|---|---|---|"]
        written += ["| " + " | ".join(row) + " |" for row in left]
    return "\n".join(written)


def _known(paper: str, body: str) -> str:
    del body
    module = importlib.import_module(f"optzoo.theorems.{paper}")
    written = []
    for theorem in theorems_of(vars(module)):
        one = theorem.paper
        text = f"{one.citation}. *Known here:* {one.known}"
        if text not in written:
            written.append(text)
    return "\n".join(f"- {_linked(text)}" for text in written)


def _found(paper: str, body: str) -> str:
    del body
    text = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^\*\*(.+)\*\* \({paper}/[\w/-]+\)\n\n((?:- .*\n)+)", text, re.MULTILINE)
    if not blocks:
        raise ValueError(f"docs/verdicts.md has nothing of {paper} side by side")
    return "\n".join(f"**{title}**\n\n{lines}" for title, lines in blocks)


def _linked(text: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def _report(argument: str, body: str) -> str:
    del argument, body
    if (DOCS.parent / REPORT).is_file():
        return '<a href="../report.html">Open the report</a> of the last `make verify` here.'
    return (
        "This site was built where no run was: `make verify` checks every theorem and writes "
        f"`{REPORT}`, and `make docs` after it puts the report here."
    )


def _sets(argument: str, body: str) -> str:
    del argument
    return _gallery("optzoo.lmo", body, pictures.of_set)


def _methods_gallery(argument: str, body: str) -> str:
    del argument
    return _gallery("optzoo", body, pictures.of_method)


def _gallery(module: str, body: str, draw: Callable[[str], str]) -> str:
    written = ['<div class="gallery">', ""]
    for name in body.split():
        text = inspect.getdoc(public_names.public()[f"{module}.{name}"]) or ""
        first = text.split("\n\n")[0].replace("\n", " ")
        written += ["::::{container} card", f"{{py:obj}}`{name} <{module}.{name}>`", "", first, ""]
        written += ["```{raw} html", draw(name), "```", "::::", ""]
    return "\n".join((*written, "</div>"))


# What stands beside the pages of the course, in its folder of the site: `course.write`.
_FORMS = {
    ".slides.html": "slides",
    ".ipynb": "notebook",
    ".student.ipynb": "without solutions",
    ".py": "script",
}


def _course(argument: str, body: str) -> str:
    del argument
    written = [
        "| lesson | slides | with outputs | for students | source |",
        "|---|---|---|---|---|",
    ]
    for name in body.split():
        source = course.cells((course.LESSONS / f"{name}.py").read_text(encoding="utf-8"))
        page = f"[{source[0].headings[0]}](/notebooks/rendered/{name}.md)"
        links = [f'<a href="{name}{end}">{said}</a>' for end, said in _FORMS.items()]
        written.append("| " + " | ".join((page, *links)) + " |")
    return "\n".join(written)


def _moving(argument: str, body: str) -> str:
    del argument
    return "\n\n".join(moving.shown(name) for name in body.split())


_WRITERS = {
    "api": _api,
    "theorems": _theorems,
    "claims": _claims,
    "coverage": _coverage,
    "known": _known,
    "found": _found,
    "report": _report,
    "sets": _sets,
    "methods": _methods_gallery,
    "course": _course,
    "moving": _moving,
}


def written(text: str) -> str:
    """A page's source with what its blocks ask for."""
    return _BLOCK.sub(lambda match: _WRITERS[match[1]](match[2].strip(), match[3]), text)


def _page(app: "Sphinx", docname: str, source: list[str]) -> None:
    del app
    if docname.startswith("docs/"):
        source[0] = written(source[0])


def setup(app: "Sphinx") -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", _page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
