"""Formulas as MathML, which browsers draw by themselves: no script, no font, no network."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from theory_checks.report.mathml import math_to_html

LONG = 30  # in characters of TeX: such a formula may be wider than a telephone

_logger = logging.getLogger(__name__)


def html(tex: str, *, display: bool, location: nodes.Node | None = None) -> str:
    """The formula as MathML; a warning where it cannot be converted, so that the build fails."""
    rows = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", tex, flags=re.DOTALL)
    if display and ("&" in rows or r"\\" in rows):
        tex = rf"\begin{{align*}}{tex}\end{{align*}}"  # as Sphinx's own renderers do
    found = str(math_to_html(" ".join(tex.split()), display=display))
    if not found.startswith("<math"):
        _logger.warning("this formula cannot be drawn: %s", tex, location=location)
    return found


def _inline(translator: Any, node: nodes.math) -> None:
    drawn = html(node.astext(), display=False, location=node)
    if len(node.astext()) > LONG:
        drawn = f'<span class="inline-formula">{drawn}</span>'
    translator.body.append(drawn)
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    drawn = html(node.astext(), display=True, location=node)
    # It scrolls by itself where the screen is narrow; who has no mouse reaches it by the tab key.
    translator.body.append(f'<div class="formula" tabindex="0">{drawn}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
