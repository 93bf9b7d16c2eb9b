# SPDX-License-Identifier: Apache-2.0
"""What the drawings of one page share: their styles, their markers and the frames they clip to."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree

__all__ = ["Sheet"]

Element = ElementTree.Element

_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")
_PART = re.compile(r"([MLCQz])([^MLCQz]*)")
_REFERENCE = re.compile(r"#([\w.-]+)")
# A marker is drawn as it is, wherever it stands and however wide the line is that carries it.
_AS_IT_IS = {"markerUnits": "userSpaceOnUse", "overflow": "visible"}


class Sheet:
    """Styles, markers and clip paths that many drawings of one page share.

    In a page of hundreds of drawings most of what Matplotlib writes says the same again: each
    point of a curve repeats its colours, each drawing its markers. A drawing that is given a sheet
    says only where things are, to a tenth of a point; the page says the rest once, as `css()` in
    its style sheet and as `definitions()` in its body.

    Args:
        prefix: of the classes and ids: letters that no others of the page begin with.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import Sheet, inline_svg
        >>> sheet = Sheet()
        >>> figure = Figure()
        >>> _ = figure.add_subplot().plot([1, 2], [1, 2], "o")
        >>> drawing = inline_svg(figure, prefix="first", title="points", sheet=sheet)
        >>> "style=" in drawing, "marker: url(#p0)" in sheet.css()
        (False, True)
    """

    def __init__(self, prefix: str = "p") -> None:
        self._prefix = prefix
        self._styles: dict[str, str] = {}
        self._shared: dict[str, Element] = {}
        self._seen: set[str] = set()

    def css(self) -> str:
        """The rules of all drawings so far.

        Returns:
            Text for a style sheet, a rule a line, for elements inside one of the class `plot`.
        """
        return "\n".join(f".plot .{name} {{ {style} }}" for style, name in self._styles.items())

    def definitions(self) -> str:
        """The markers and clip paths of all drawings so far.

        Returns:
            An `<svg>` element that takes no room; nothing where there are none.
        """
        if not self._shared:
            return ""
        svg = Element(
            "svg",
            {
                **{"class": "plot", "width": "0", "height": "0", "aria-hidden": "true"},
                "style": "position: absolute",
            },
        )
        ElementTree.SubElement(svg, "defs").extend(self._shared.values())
        return ElementTree.tostring(svg, encoding="unicode")

    def shorten(self, root: Element) -> None:
        """Moves what a drawing need not say itself to this sheet.

        Args:
            root: an `<svg>` element of `inline_svg`'s making, changed in place.
        """
        named = {one.attrib["id"]: one for one in root.iter() if "id" in one.attrib}
        uses = Counter(_href(one) for one in root.iter("use"))
        once = {name for name, count in uses.items() if count == 1}
        root[:] = map(self._again, self._drawn(_leaves(root), named, once))

    def _again(self, drawn: Element) -> Element:
        """A path that an earlier drawing has, the frame of its axes say, as a use of that."""
        if drawn.tag != "path":
            return drawn
        line = drawn.attrib["d"]
        if line not in self._seen:
            self._seen.add(line)
            return drawn
        # A rule that looks for its place in the page finds the use, not what is used.
        place = self._share("path", {"d": line})
        rest = {name: value for name, value in drawn.attrib.items() if name != "d"}
        return Element("use", {**rest, "href": f"#{place}"})

    def _drawn(
        self, leaves: Iterable[Element], named: dict[str, Element], once: set[str]
    ) -> list[Element]:
        """The leaves again, those that follow each other and look the same as one element."""
        drawn: list[Element] = []
        curves: dict[tuple[str, str | None], Element] = {}
        for (tag, style, clip, href), group in groupby(leaves, key=_looks):
            alike = list(group)
            if tag == "a":
                for one in alike:
                    one[:] = [self._linked(child, named) for child in one]
                drawn += alike
                continue
            if tag == "use" and href in once:
                look = self._class(_together(style, named[href]), clip, named)
                drawn += [_placed(named[href], one, look) for one in alike]
            elif tag == "use" and len(alike) > 1:
                marker = self._marker(_together(style, named[href]), named[href].attrib["d"])
                look = self._class(f"fill: none; marker: url(#{marker})", clip, named)
                points = Element("path", {"class": look, "d": _through(alike)})
                curve = curves.get((points.attrib["d"], clip))
                if curve is not None and curve is drawn[-1]:
                    curve.attrib["class"] += f" {look}"  # the points on it
                else:
                    drawn.append(points)
            elif tag == "path" and "fill: none" in style and "opacity" not in style:
                lines = "".join(_rounded(one.attrib["d"]) for one in alike)
                curve = Element("path", {"class": self._class(style, clip, named), "d": lines})
                curves[lines, clip] = curve
                drawn.append(curve)
            elif tag == "text" and len(alike) > 1:
                words = Element("g", {"class": self._class(style, clip, named)})
                words.extend(self._leaf(one, "", named) for one in alike)
                drawn.append(words)
            else:
                look = self._class(style, clip, named)
                drawn += [self._leaf(one, look, named) for one in alike]
        return drawn

    def _linked(self, element: Element, named: dict[str, Element]) -> Element:
        """What is in a link stays as it is, for the page to say how a link looks."""
        if element.tag in ("g", "a"):
            drawn = [child for child in element if child.tag != "defs"]
            element[:] = [self._linked(child, named) for child in drawn]
            if "clip-path" in element.attrib:
                frame = element.attrib.pop("clip-path")
                element.set("class", self._class("", frame, named))
            return element
        _, style, clip, _ = _looks(element)
        return self._leaf(element, self._class(style, clip, named), named)

    def _leaf(self, element: Element, look: str, named: dict[str, Element]) -> Element:
        """One path, text or marker with its look as a class."""
        short = Element(element.tag, {"class": look} if look else {})
        short.text = element.text
        short.extend(element)
        for name, value in element.attrib.items():
            if name == "d":
                short.set(name, _rounded(value))
            elif name in ("x", "y"):
                short.set(name, _short(value))
            elif name == "href" and element.tag == "use":
                shape = named[_href(element)]
                look = self._class(shape.get("style", ""), None, {})
                d = _rounded(shape.attrib["d"], 2)
                short.set(name, "#" + self._share("path", {"class": look, "d": d}))
            elif name == "transform":
                if not value.startswith(("rotate(-0 ", "rotate(0 ")):
                    short.set(name, _NUMBER.sub(lambda number: _short(number.group()), value))
            elif name not in ("style", "clip-path", "class"):
                short.set(name, value)
        return short

    def _class(self, style: str, clip: str | None, named: dict[str, Element]) -> str:
        """The class that stands for a style and a frame."""
        if clip is not None:
            frame = named[_REFERENCE.findall(clip)[0]][0]
            sides = {key: _short(frame.get(key)) for key in ("x", "y", "width", "height")}
            name = self._share("clipPath", {}, Element(frame.tag, sides))
            style = "; ".join(filter(None, (style, f"clip-path: url(#{name})")))
        return self._styles.setdefault(style, f"{self._prefix}{len(self._styles)}") if style else ""

    def _marker(self, style: str, d: str) -> str:
        shape = Element("path", {"class": self._class(style, None, {}), "d": _rounded(d, 2)})
        return self._share("marker", _AS_IT_IS, shape)

    def _share(self, tag: str, attributes: dict[str, str], *inside: Element) -> str:
        """The id of a definition, made where it is new."""
        new = Element(tag, {name: value for name, value in attributes.items() if value})
        new.extend(inside)
        key = ElementTree.tostring(new, encoding="unicode")
        if key not in self._shared:
            new.set("id", f"{self._prefix}{len(self._shared)}")
            self._shared[key] = new
        return self._shared[key].attrib["id"]


def _leaves(parent: Element, clip: str | None = None) -> Iterator[Element]:
    """What is drawn, out of the groups around it, in its order; links as they are."""
    for child in parent:
        if child.tag == "g":
            yield from _leaves(child, child.get("clip-path", clip))
        elif child.tag not in ("defs", "clipPath") and not _invisible(child):
            if clip is not None:
                child.set("clip-path", clip)
            yield child


def _invisible(element: Element) -> bool:
    style = element.get("style", "")
    nothing = not element.get("d")  # of a line outside its frame, say
    return element.tag == "path" and (nothing or ("fill: none" in style and "stroke:" not in style))


def _looks(element: Element) -> tuple[str, str, str | None, str]:
    return element.tag, element.get("style", ""), element.get("clip-path"), _href(element)


def _href(element: Element) -> str:
    return element.get("href", "").removeprefix("#")


def _together(style: str, shape: Element) -> str:
    """What holds for a shape where it is used in a style: its own says the last word."""
    rules = dict(
        rule.split(": ", 1)
        for text in (style, shape.get("style", ""))
        for rule in filter(None, text.split("; "))
    )
    return "; ".join(f"{name}: {value}" for name, value in rules.items())


def _placed(shape: Element, use: Element, look: str) -> Element:
    """A shape that is used once, where it is used."""
    shift = float(use.get("x", 0)), float(use.get("y", 0))
    return Element("path", {"class": look, "d": _rounded(shape.attrib["d"], shift=shift)})


def _through(uses: Sequence[Element]) -> str:
    """The line on whose corners the markers stand, one where many are at one place."""
    line = " L ".join(f"{one.get('x', 0)} {one.get('y', 0)}" for one in uses)
    return _rounded(f"M {line}")


def _rounded(d: str, digits: int = 1, shift: tuple[float, float] = (0.0, 0.0)) -> str:
    """A path of Matplotlib's, whose coordinates are all absolute, in few characters.

    Each step is the one between rounded places, so that what is rounded does not add up.
    """
    unit = 10**digits
    pieces: list[str] = []
    here = (0, 0)
    for command, numbers in _PART.findall(d):
        values = [
            round(unit * (float(number) + shift[index % 2]))
            for index, number in enumerate(_NUMBER.findall(numbers))
        ]
        places = list(zip(values[::2], values[1::2], strict=True))
        steps = [(x - here[0], y - here[1]) for x, y in places]
        if command == "L" and steps == [(0, 0)]:
            continue
        if command in "Mz":
            pieces.append(command + _joined(values, unit))
        elif command == "L" and 0 in steps[0]:
            across = steps[0][1] == 0
            pieces.append("vh"[across] + _joined([steps[0][1 - across]], unit))
        else:
            pieces.append(command.lower() + _joined([n for step in steps for n in step], unit))
        here = places[-1] if places else here
    return "".join(pieces)


def _joined(numbers: Sequence[int], unit: int) -> str:
    """Whole numbers of a fraction of a point, with a blank where no sign divides them."""
    text = ""
    for number in numbers:
        written = _short(number / unit, 2)
        written = written.replace("0.", ".", 1) if written.lstrip("-").startswith("0.") else written
        text += written if not text or written.startswith("-") else f" {written}"
    return text


def _short(number: float | str | None, digits: int = 1) -> str:
    text = f"{float(number or 0):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
