"""A figure as an SVG fragment that can stand in an HTML page beside many others."""

import io
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from .style import COLOURS, style

__all__ = ["inline_svg"]

_REFERENCE = re.compile(r"#([\w.-]+)")
_COLOUR_NAMES = {value: name for name, value in COLOURS.items()}


def inline_svg(figure: Figure, *, prefix: str, title: str) -> str:
    """The figure as one `<svg>` element, without ids or styles that could meet those of the page.

    Element ids are dropped, or prefixed where the drawing refers to them; the stylesheet and the
    metadata are dropped; text is text, in the page's own font; the palette's colours become CSS
    variables (`--plot-mean`, `--plot-bound`, ...) with the light colour as fallback, so that the
    page decides what they are in the dark. The size is left to the page, too.

    Args:
        figure: what to draw; rendering happens in the project's style.
        prefix: put before each id that stays; different for each figure of a page.
        title: what the figure shows, for those who cannot see it.

    Returns:
        The element as text.

    Raises:
        ValueError: the prefix is not made of letters, digits, "_" and "-".

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import inline_svg
        >>> figure = Figure()
        >>> _ = figure.add_subplot().plot([1, 2], [1, 2])
        >>> inline_svg(figure, prefix="first", title="a line")[:12]
        '<svg viewBox'
    """
    if not re.fullmatch(r"[\w-]+", prefix):
        raise ValueError(f"prefix must be letters, digits, '_' and '-', but is {prefix!r}")
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    view_box = root.attrib["viewBox"]

    referred = {
        name
        for element in root.iter()
        for key, value in element.attrib.items()
        if key.endswith("href") or value.startswith("url(")
        for name in _REFERENCE.findall(value)
    }
    _strip(root, referred, prefix)
    root.attrib = {"viewBox": view_box, "role": "img", "aria-label": title, "class": "plot"}
    return ElementTree.tostring(root, encoding="unicode")


def _strip(element: ElementTree.Element, referred: set[str], prefix: str) -> None:
    element.tag = _local(element.tag)
    element.tail = None
    if element.text is not None and not element.text.strip():
        element.text = None
    element.attrib = {
        _local(key): _attribute(_local(key), value, prefix)
        for key, value in element.attrib.items()
        if key != "id" or value in referred
    }
    for child in list(element):
        if _local(child.tag) in ("metadata", "style"):
            element.remove(child)
            continue
        _strip(child, referred, prefix)
        if child.tag == "defs" and not len(child):
            element.remove(child)


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" or value.startswith("url("):
        return _REFERENCE.sub(rf"#{prefix}-\1", value)
    if name == "style":
        kept = [part for part in value.split("; ") if not part.startswith("font-family")]
        return re.sub(r"#[0-9a-f]{6}", _variable, "; ".join(kept))
    return value.replace("\n", "") if name == "d" else value


def _variable(match: re.Match[str]) -> str:
    colour = match.group()
    name = _COLOUR_NAMES.get(colour)
    return colour if name is None else f"var(--plot-{name.replace('_', '-')}, {colour})"


def _local(name: str) -> str:
    return name.rpartition("}")[2]
