"""Matplotlib figures of convergence, comparison, scaling, agreement, tightness and whole runs."""

from .agreement import agreement
from .comparison import band, comparison
from .convergence import convergence
from .overview import overview
from .scaling import scaling
from .style import COLOURS, DARK_COLOURS, log_scale, style
from .svg import inline_svg
from .tightness import tightness

__all__ = [
    "COLOURS",
    "DARK_COLOURS",
    "agreement",
    "band",
    "comparison",
    "convergence",
    "inline_svg",
    "log_scale",
    "overview",
    "scaling",
    "style",
    "tightness",
]
