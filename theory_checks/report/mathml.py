# SPDX-License-Identifier: Apache-2.0
"""Prose with TeX between dollar signs, as HTML with MathML."""

import re
from functools import cache
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import Markup, escape

__all__ = ["math_to_html", "prose_to_html"]

# What MathML Core knows and a formula needs. Anything else would be the converter passing through
# what it was given: it escapes neither text nor attributes.
# fmt: off
_ELEMENTS = frozenset((
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub", "msup", "msubsup", "munder",
    "mover", "munderover", "mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd", "mstyle",
    "mpadded", "mphantom",
))
_ATTRIBUTES = frozenset((
    "display", "stretchy", "fence", "form", "minsize", "maxsize", "accent", "accentunder",
    "mathvariant", "columnalign", "displaystyle", "scriptlevel", "width", "height", "depth",
    "lspace", "rspace", "rowspacing", "columnspacing", "linethickness", "separator",
    "movablelimits", "symmetric",
))
# fmt: on

_SPELLINGS = (
    (re.compile(r"\\operatorname\*?\s*\{"), r"\\mathrm{"),
    (re.compile(r"\{aligned\}"), "{align*}"),
    (re.compile(r"\\!"), ""),
)

# What the converter leaves as it was written where it is a big delimiter, and one operator.
_TEXTS = {
    **{r"\|": "‖", r"\Vert": "‖", r"\{": "{", r"\}": "}", r"\lbrace": "{", r"\rbrace": "}"},
    **{r"\lceil": "⌈", r"\rceil": "⌉", r"\lfloor": "⌊", r"\rfloor": "⌋"},
    **{r"\langle": "⟨", r"\rangle": "⟩", r"\arg": "arg"},
}

_LETTER = re.compile(
    r"<math><mi>(?P<letter>[^<])</mi>(?:<mo>(?P<sign>[^<]+)</mo><mn>(?P<value>[^<]+)</mn>)?</math>"
)

_PIECES = re.compile(
    r"""
    (?P<dollar>\\\$)
    | \$\$(?P<display>.+?)\$\$
    | \$(?!\s)(?P<inline>(?:\\.|[^$\\])+)(?<!\s)\$(?!\d)
    | `(?P<code>[^`\n]+)`
    | (?P<arxiv>\barXiv[:\s]\s*(?P<number>\d{4}\.\d{4,5}(?:v\d+)?))
    | (?P<doi>\bdoi:\s*(?P<handle>10\.\d{4,9}/[\w.()/:;-]*[\w)/]))
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def prose_to_html(text: str) -> Markup:
    r"""Text with formulas as safe HTML.

    `$...$` and `$$...$$` become MathML, but an inline letter, with its value or without, `<var>`;
    `\$` becomes a dollar sign, backquotes code, and mentions of an arXiv number or a DOI links.
    Everything else is escaped. As in Pandoc, an inline formula neither begins nor ends with a
    space, nor is a digit next to it: "$5 and $6" is prose.

    Args:
        text: one or more sentences.

    Returns:
        Markup that may stand in an HTML element.

    Example:
        >>> from theory_checks.report.mathml import prose_to_html
        >>> prose_to_html("a < b, see arXiv 2304.11737")
        Markup('a &lt; b, see <a href="https://arxiv.org/abs/2304.11737">arXiv 2304.11737</a>')
        >>> prose_to_html(r"with $\mu = 2$")
        Markup('with <var>μ</var>\xa0=\xa02')
    """
    parts: list[Markup] = []
    end = 0
    for match in _PIECES.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(_piece(match))
        end = match.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _piece(match: re.Match[str]) -> Markup:
    if match["dollar"] is not None:
        return Markup("$")
    if match["display"] is not None:
        return math_to_html(match["display"], display=True)
    if match["inline"] is not None:
        return _shortest(math_to_html(match["inline"]))
    if match["code"] is not None:
        return Markup("<code>{}</code>").format(match["code"])
    if match["arxiv"] is not None:
        link = Markup('<a href="https://arxiv.org/abs/{}">{}</a>')
        return link.format(match["number"], match["arxiv"])
    return Markup('<a href="https://doi.org/{}">{}</a>').format(match["handle"], match["doi"])


@cache
def math_to_html(tex: str, *, display: bool = False) -> Markup:
    r"""A formula as MathML, or as its TeX source in `<code>` where it cannot be converted.

    Args:
        tex: the formula, without dollar signs.
        display: whether it stands on a line of its own.

    Returns:
        A `<math>` or a `<code>` element.

    Example:
        >>> from theory_checks.report.mathml import math_to_html
        >>> math_to_html("x^2")
        Markup('<math><msup><mi>x</mi><mn>2</mn></msup></math>')
        >>> math_to_html(r"\frac{")
        Markup('<code>\\frac{</code>')
    """
    spelled = tex.strip()
    for pattern, replacement in _SPELLINGS:
        spelled = pattern.sub(replacement, spelled)
    try:
        root = ElementTree.fromstring(convert(spelled, display="block" if display else "inline"))
        _purify(root)
        _shorten(root)
    except Exception:  # the converter's errors on bad input have no common type
        return Markup("<code>{}</code>").format(tex)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _shortest(math: Markup) -> Markup:
    """A formula that is a letter, or a letter and its value, needs no MathML."""
    match = _LETTER.fullmatch(math)
    if match is None:
        return math
    letter, value = match["letter"], match["value"]
    said = Markup("" if value is None else f"\u00a0{match['sign']}\u00a0{value}")
    return Markup("<var>{}</var>").format(Markup(letter)) + said


def _purify(element: ElementTree.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    if element.tag not in _ELEMENTS:
        raise ValueError(f"<{element.tag}> is not an element of a formula")
    element.text = _TEXTS.get(element.text or "", element.text)
    if "\\" in (element.text or ""):
        raise ValueError(f"{element.text} is a command that the converter does not know")
    element.attrib = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES}
    for child in element:
        _purify(child)


def _shorten(element: ElementTree.Element) -> None:
    """Takes out what says nothing: a page has thousands of formulas, most of them short."""
    for child in element:
        _shorten(child)
    if element.tag == "math":
        if element.attrib.get("display") == "inline":
            del element.attrib["display"]
        if len(element) == 1 and element[0].tag == "mrow" and not element[0].attrib:
            element[:] = list(element[0])
        if all(one.tag in ("mi", "mn", "mo") for one in element):
            for one in element:  # no operator has anything to stretch to
                one.attrib.pop("stretchy", None)
    # An operator alone in a group is no infix: the group says so.
    element[:] = [
        child[0] if _is_group_of_one(child) and child[0].tag != "mo" else child for child in element
    ]


def _is_group_of_one(element: ElementTree.Element) -> bool:
    return element.tag == "mrow" and len(element) == 1 and not element.attrib
