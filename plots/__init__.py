"""Figures of convergence, scaling, agreement and tightness, drawn into Matplotlib axes."""

from .agreement import agreement
from .convergence import convergence
from .scaling import scaling
from .style import COLOURS, DARK_COLOURS, log_scale, style
from .svg import inline_svg
from .tightness import tightness

__all__ = [
    "COLOURS",
    "DARK_COLOURS",
    "agreement",
    "convergence",
    "inline_svg",
    "log_scale",
    "scaling",
    "style",
    "tightness",
]
