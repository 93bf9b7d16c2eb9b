# SPDX-License-Identifier: Apache-2.0
"""A figure as an SVG fragment that can stand in an HTML page beside many others."""

import io
import re
from collections.abc import Mapping
from itertools import groupby
from xml.etree import ElementTree

from matplotlib.figure import Figure

from .sheet import Sheet
from .style import COLOURS, style

__all__ = ["inline_svg"]

_ARTIST = re.compile(r"(line2d|patch|text)_\d+")
_AXIS = re.compile(r"matplotlib\.axis_\d+")
_REFERENCE = re.compile(r"#([\w.-]+)")
_COLOUR_NAMES = {value: name for name, value in COLOURS.items()}


def inline_svg(
    figure: Figure,
    *,
    prefix: str,
    title: str,
    links: Mapping[str, str] | None = None,
    sheet: Sheet | None = None,
) -> str:
    """The figure as one `<svg>` element, without ids or styles that could meet those of the page.

    Element ids are dropped, or prefixed where the drawing refers to them; the stylesheet and the
    metadata are dropped; text is text, in the page's own font; the palette's colours become CSS
    variables (`--plot-mean`, `--plot-bound`, ...) with the light colour as fallback, so that the
    page decides what they are in the dark. The size is left to the page, too. Lines, patches and
    texts that follow each other and have the same url (`artist.set_url`) become one link.

    Args:
        figure: what to draw; rendering happens in the project's style.
        prefix: put before each id that stays; different for each figure of a page.
        title: what the figure shows, for those who cannot see it.
        links: for each url in the figure what is at its other end; the url itself by default.
        sheet: takes what the drawings of a page share; by default the drawing says all itself.

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

    linked = _join_links(root, links or {})
    if sheet is not None:
        _join_ticks(root)
    referred = {
        name
        for element in root.iter()
        if element.tag != "a"
        for key, value in element.attrib.items()
        if key.endswith("href") or value.startswith("url(")
        for name in _REFERENCE.findall(value)
    }
    _strip(root, referred, prefix)
    if sheet is not None:
        sheet.shorten(root)
    # What is inside an image is nothing but its pixels to a screen reader, links included.
    role = "group" if linked else "img"
    root.attrib = {"viewBox": view_box, "role": role, "aria-label": title, "class": "plot"}
    return ElementTree.tostring(root, encoding="unicode")


def _join_links(parent: ElementTree.Element, names: Mapping[str, str]) -> bool:
    """Wraps artists with one url in one link; says whether there was any."""
    found = False
    children: list[ElementTree.Element] = []
    for url, group in groupby(list(parent), key=_url):
        if url is None:
            for child in group:
                found |= _join_links(child, names)
                children.append(child)
            continue
        link = ElementTree.Element("a", {"href": url})
        ElementTree.SubElement(link, "title").text = names.get(url, url)
        for child in group:
            _unlink(child)
            link.append(child)
        children.append(link)
        found = True
    parent[:] = children
    return found


def _join_ticks(root: ElementTree.Element) -> None:
    """Draws an axis kind by kind, first its grid, then its ticks, then their labels."""
    order = ("path", "use", "text")
    for axis in root.iter():
        linked = any(_local(one.tag) == "a" for one in axis.iter())
        if _AXIS.fullmatch(axis.get("id", "")) and not linked:
            drawn = [group for tick in axis for group in (tick if _is_tick(tick) else [tick])]
            axis[:] = sorted(drawn, key=lambda group: _first_of(order, group))


def _is_tick(group: ElementTree.Element) -> bool:
    return group.get("id", "").startswith(("xtick_", "ytick_"))


def _first_of(order: tuple[str, ...], group: ElementTree.Element) -> int:
    """The rank of what a group draws, its definitions aside."""
    defined = {id(one) for defs in group.iter() if _local(defs.tag) == "defs" for one in defs}
    tags = {_local(one.tag) for one in group.iter() if id(one) not in defined}
    return next((rank for rank, tag in enumerate(order) if tag in tags), len(order))


def _url(element: ElementTree.Element) -> str | None:
    """Where an artist links to."""
    if not _ARTIST.fullmatch(element.get("id", "")):
        return None
    for inside in element.iter():
        if _local(inside.tag) == "a":
            return next(value for key, value in inside.items() if _local(key) == "href")
    return None


def _unlink(parent: ElementTree.Element) -> None:
    """Replaces the links inside by what they hold."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _unlink(child)
        children += list(child) if _local(child.tag) == "a" else [child]
    parent[:] = children


def _strip(element: ElementTree.Element, referred: set[str], prefix: str) -> None:
    element.tag = _local(element.tag)
    element.tail = None
    if element.text is not None and not element.text.strip():
        element.text = None
    element.attrib = {
        _local(key): value if element.tag == "a" else _attribute(_local(key), value, prefix)
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
