"""Figures of convergence, comparison, scaling, agreement, tightness and communication, on axes."""

from .agreement import agreement
from .comparison import band, comparison
from .convergence import convergence
from .distribution import distribution
from .scaling import scaling
from .style import COLOURS, DARK_COLOURS, log_scale, style
from .svg import inline_svg
from .tightness import tightness
from .timeline import timeline

__all__ = [
    "COLOURS",
    "DARK_COLOURS",
    "agreement",
    "band",
    "comparison",
    "convergence",
    "distribution",
    "inline_svg",
    "log_scale",
    "scaling",
    "style",
    "tightness",
    "timeline",
]
