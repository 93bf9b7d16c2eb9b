# SPDX-License-Identifier: Apache-2.0
"""Figures of runs, of single claims and for teaching, drawn on Matplotlib axes from arrays."""

try:
    import matplotlib  # noqa: F401
except ImportError as missing:
    raise ImportError('optzoo.plots needs Matplotlib: pip install "optzoo[checks]".') from missing

from .agreement import agreement
from .convergence import convergence
from .distribution import distribution
from .geometry import oracle_step
from .levels import nested_levels
from .overview import overview
from .scaling import scaling
from .search import level_lines, line_instance, search_path
from .sheet import Sheet
from .side_by_side import band, side_by_side
from .spectra import magnitudes, spectra
from .style import COLOURS, DARK_COLOURS, log_scale, style
from .svg import inline_svg
from .tightness import tightness
from .timeline import timeline
from .trajectories import trajectories

__all__ = [
    "COLOURS",
    "DARK_COLOURS",
    "Sheet",
    "agreement",
    "band",
    "convergence",
    "distribution",
    "inline_svg",
    "level_lines",
    "line_instance",
    "log_scale",
    "magnitudes",
    "nested_levels",
    "oracle_step",
    "overview",
    "scaling",
    "search_path",
    "side_by_side",
    "spectra",
    "style",
    "tightness",
    "timeline",
    "trajectories",
]
