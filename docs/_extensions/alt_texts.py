"""Figures are given the words of docs/alt_texts.toml; one without words is an error."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

TEXTS = tomllib.loads((Path(__file__).parent.parent / "alt_texts.toml").read_text(encoding="utf-8"))
SHORTEST = 20


def _page(app: "Sphinx", doctree: "nodes.document") -> None:
    from docutils import nodes
    from sphinx.util import logging

    del app
    for image in doctree.findall(nodes.image):
        name = Path(image["uri"]).name
        if name in TEXTS:
            image["alt"] = TEXTS[name]
        elif len(image.get("alt", "")) < SHORTEST:
            logging.getLogger(__name__).warning(
                "%s needs words in docs/alt_texts.toml", name, location=image
            )


def setup(app: "Sphinx") -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("doctree-read", _page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
