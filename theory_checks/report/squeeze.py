# SPDX-License-Identifier: Apache-2.0
"""The page without the characters that a browser does not need."""

import re

__all__ = ["squeezed"]

_AS_IT_IS = re.compile(r"(<(pre|script|style)\b.*?</\2>)", re.DOTALL)
_BREAK = re.compile(r"\s*\n\s*")
_BETWEEN = re.compile(
    r">\s+(?=</?(?:div|section|article|table|t[rdh]|[uod]l|li|d[td]|p|h\d|details)\b)"
)
_TAG = re.compile(r"<[a-z][^<>]*>")
# What a value is made of that needs no quotes. (A slash would be taken for the end of an element.)
_QUOTED = re.compile(r'="([\w.#-]+)"(?=[ >])')
# Where these elements end follows from what comes next: HTML lets the tags be left out. What
# follows in the templates is a tag of their table or list, or the end of that.
_IMPLIED = re.compile(r"</(?:td|th|tr|thead|tbody|li|dt|dd)>\s*")


def squeezed(html: str) -> str:
    r"""HTML of the templates without indentation and without the end tags that are implied.

    A table of numbers is half tags; a page has hundreds of them.

    Args:
        html: a page whose cells, rows, items, terms and descriptions stand in tables and lists.

    Returns:
        The page that shows and means the same.

    Example:
        >>> from theory_checks.report.squeeze import squeezed
        >>> squeezed("<tr>\n  <td>1</td>\n  <td>2</td>\n</tr>")
        '<tr><td>1<td>2'
    """
    parts = _AS_IT_IS.split(html)
    # Of three parts one is to be squeezed, one stays, and one is the name of its element.
    for index in range(0, len(parts), 3):
        text = _BETWEEN.sub(">", _BREAK.sub("\n", parts[index]))
        text = _IMPLIED.sub("", text).replace("&#39;", "'")
        text = _TAG.sub(lambda tag: _QUOTED.sub(r"=\1", tag.group()), text)
        parts[index] = text.replace('" />', '"/>')
    return "".join(part for index, part in enumerate(parts) if index % 3 != 2)
