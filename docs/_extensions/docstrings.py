"""The docstrings of this repository as Sphinx reads them.

They are plain text for readers of the source: Google's sections, formulas in `.. math::` or as
indented lines, code between single backquotes, `|x|` and `x_*` as they are. Here sections become
fields, indented formulas literal blocks, code that names a public symbol a link to it, and what
reStructuredText would take for its own is escaped.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import public_names

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

_SECTIONS = {
    "Args:": "param",
    "Attributes:": "Attributes",
    "Raises:": "raises",
    "Returns:": "returns",
    "Yields:": "yields",
    "Example:": "Example",
    "Examples:": "Examples",
    "References:": "References",
}
_LISTED = re.compile(r" (\S+) {2,}(\S.*)")
_ITEM = re.compile(r"\w+: ")
_PIECES = re.compile(r"`([^`]+)`|\$((?:\\.|[^$\\])+)\$")


def prose(text: str) -> str:
    """A line of prose as reStructuredText."""
    parts, end = [], 0
    for match in _PIECES.finditer(text):
        parts.append(_escaped(text[end : match.start()]))
        parts.append(_code(match[1]) if match[1] is not None else rf":math:`{match[2]}`")
        end = match.end()
        if text[end : end + 1].isalnum():
            parts.append("\\ ")
    parts.append(_escaped(text[end:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r"([\\*|`])|(_)(?=\W|$)", lambda match: "\\" + match[0], text)


def _code(text: str) -> str:
    name = public_names.full_name(text)
    if name is not None:
        return f":py:obj:`{text} <{name}>`"
    return f"``{text}``"


def restructured(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText."""
    return list(_restructured(list(_joined(list(_evenly(lines))))))


def _joined(lines: list[str]) -> Iterator[str]:
    """With code that goes over the end of a line, and its formulas between dollars, on one line."""
    pending = ""
    for line in lines:
        line = f"{pending} {line.strip()}" if pending else line
        pending = ""
        prose_line = not line.lstrip().startswith((">>>", "..."))
        if prose_line and (line.count("`") % 2 or line.count("$") % 2) and line.strip():
            pending = line
        else:
            yield line
    if pending:
        yield pending


def _evenly(lines: list[str]) -> Iterator[str]:
    """With what stands in a section two columns in, as if all were written so."""
    surplus: int | None = 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() in _SECTIONS and indent == 0:
            surplus = None
        elif line.strip():
            if surplus is None:
                surplus = indent - 2
            elif indent == 0:
                surplus = 0
        yield line[surplus:] if surplus else line


def _restructured(lines: list[str]) -> Iterator[str]:
    section, at = "", 0
    items = after_heading = in_list = False
    while at < len(lines):
        line = lines[at]
        indent = len(line) - len(line.lstrip())
        stripped = line.strip()
        if stripped in _SECTIONS and indent == 0:
            section = _SECTIONS[stripped]
            yield ""
            if section[0].isupper():
                yield from (f".. rubric:: {section}", "")
            elif section in ("returns", "yields"):
                yield f":{section}:"
            at += 1
            items, after_heading = False, True
            continue
        if section and indent == 0 and stripped:
            section = ""
            items = False
            yield ""
        shift = 2 if section and section[0].isupper() else 0
        after_blank = at == 0 or not lines[at - 1].strip()
        own = 2 if section else 0
        if re.fullmatch(r"\$\$.+\$\$", stripped):
            space = " " * max(indent - shift, 0)
            yield from ("", f"{space}.. math:: {stripped[2:-2].strip()}", "")
            at += 1
            continue
        if stripped.startswith(".. "):
            block, at = _block(lines, at, indent)
            yield from ("", *(one[shift:] for one in block), "")
            continue
        if stripped.startswith(">>>"):
            while at < len(lines) and lines[at].strip():
                yield lines[at][shift:]
                at += 1
            continue
        if stripped and after_blank and indent >= own + 4:
            block, at = _block(lines, at, indent - 1)
            yield from ("", " " * (own - shift) + ".. code-block:: text", "")
            yield from (one[shift:] for one in block)
            yield ""
            continue
        listed = _LISTED.fullmatch(line) if not section else None
        if listed or (in_list and indent > 1):
            # " F1   what it says", as module docstrings have it, and what goes on below it
            words = f"* **{listed[1]}** {prose(listed[2])}" if listed else f"  {prose(stripped)}"
            yield from ([] if in_list else [""])
            in_list = True
            yield words
            at += 1
            continue
        if in_list:
            in_list = False
            yield ""
        if section in ("returns", "yields") and indent == 2 and _ITEM.match(stripped):
            items = items or after_heading
        if items and indent == 2 and _ITEM.match(stripped):
            name, _, text = stripped.partition(": ")
            yield f"  * *{name}*: {prose(text)}"
        elif section in ("param", "raises") and indent == 2:
            name, _, text = stripped.partition(":")
            names = name.replace("*", r"\*")
            yield f":{section} {names}: {prose(text.strip())}"
        elif section == "Attributes" and indent == 2:
            name, _, text = stripped.partition(":")
            yield f"* *{name}*: {prose(text.strip())}"
        elif section == "References" and indent == 2:
            yield f"* {prose(stripped)}"
        elif section in ("Attributes", "References") and stripped:
            yield f"  {prose(stripped)}"
        else:
            yield (" " * max(indent - shift, 0) + prose(stripped)) if stripped else ""
        after_heading = False
        at += 1


def _block(lines: list[str], at: int, indent: int) -> tuple[list[str], int]:
    """The line and what is indented below it."""
    end = at + 1
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent
    ):
        end += 1
    return lines[at:end], end


def _docstring(
    app: "Sphinx", what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    del app, what, name, options
    lines[:] = restructured(lines)
    if inspect.isclass(obj) and not lines:
        lines[:] = [""]


def _signature(
    app: "Sphinx",
    what: str,
    name: str,
    obj: Any,
    options: Any,
    given: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Annotations as they are written, not what they stand for: `optax.Params`, not its union."""
    del app, what, name, options, returns
    if inspect.isclass(obj):
        wanted = vars(obj).get("__init__")
        if given is None or not inspect.isfunction(wanted) or "__create_fn__" in str(wanted):
            return None
        written = _written(wanted)
        return None if written is None else (written[0], None)
    if isinstance(obj, (staticmethod, classmethod)):
        obj = obj.__func__
    return _written(obj) if callable(obj) else None


def _written(function: Any) -> tuple[str, str | None] | None:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        (tree,) = ast.parse(source).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    arguments = tree.args
    for group in (arguments.posonlyargs, arguments.args):
        if group and group[0].arg in ("self", "cls"):
            del group[0]
            break
    returned = None if tree.returns is None else ast.unparse(tree.returns)
    return f"({ast.unparse(arguments)})", returned


def _annotation(app: "Sphinx", env: Any, node: Any, contnode: "nodes.Node") -> "nodes.Node | None":
    """A name in a signature is a link if it is public here, and text if it is somebody else's."""
    from docutils import nodes

    if node.get("refdomain") != "py" or node.get("reftype") not in ("class", "exc", "obj"):
        return None
    target = node["reftarget"]
    name = public_names.full_name(target)
    if name is not None:
        found = env.domains["py"].objects.get(name)
        if found is not None:
            uri = app.builder.get_relative_uri(node.get("refdoc", ""), found.docname)
            return nodes.reference("", "", contnode, refuri=f"{uri}#{name}", internal=True)
    return None if node["reftype"] == "obj" else contnode


def setup(app: "Sphinx") -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", _annotation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
