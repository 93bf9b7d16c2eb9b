# SPDX-License-Identifier: Apache-2.0
"""How the templates write numbers, ids and prose."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from .mathml import prose_to_html

__all__ = ["TEMPLATES", "anchor", "format_number", "template_environment"]

T = TypeVar("T")

TEMPLATES = Path(__file__).parent / "templates"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def template_environment() -> jinja2.Environment:
    """Where the templates find each other and the filters they use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=format_number,
        factor=_factor,
        prose=_prose,
        cell=_cell,
        anchor=anchor,
        breakable=_breakable,
        spread=_spread,
    )
    return environment


def _factor(value: float | None) -> str:
    text = format_number(value)
    return text if value is None or "×" in text else f"{text}×"


def anchor(identifier: str) -> str:
    """The id as the part of an address after "#"."""
    return quote(identifier, safe="/")


def _spread(rows: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the rows, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[round(index * (len(rows) - 1) / (most - 1))] for index in range(most)]


def _breakable(identifier: str) -> Markup:
    """An id that a narrow column may break after its slashes."""
    return escape(identifier).replace("/", Markup("/<wbr>"))


def format_number(value: Any, digits: int = 3) -> str:
    """A value as a reader wants it: three digits, powers of ten as 10⁻³, a dash for None."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(format_number(item, digits) for item in value) or "–"
    if isinstance(value, dict):
        pairs = (f"{key} = {format_number(item, digits)}" for key, item in value.items())
        return ", ".join(pairs) or "–"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    if not isinstance(value, float):
        return str(value)
    if value != 0.0 and not 1e-3 <= abs(value) < 10.0 ** max(digits, 4):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        text = f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    else:
        text = f"{value:.{digits}g}"
        if "e" in text:
            text = f"{value:.0f}"
    return text.replace("-", "−")


def _prose(value: Any) -> Markup:
    return prose_to_html(value if isinstance(value, str) and value else format_number(value))


def _cell(value: Any) -> str:
    """Text for one cell of a Markdown table: one line, no pipe, no HTML, formulas kept."""
    pieces = re.split(r"(\$\$?[^$]+\$\$?)", " ".join(format_number(value).split()))
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = piece.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        else:
            text = piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            pieces[index] = text.replace("\\", "\\\\").replace("|", r"\|").replace("`", r"\`")
    return "".join(pieces)
