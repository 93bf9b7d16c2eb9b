# SPDX-License-Identifier: Apache-2.0
"""Checks of the arguments that methods under an axis of workers share."""

from typing import Any

from ._arguments import require_closed_interval, require_function, require_probability
from .compressors import Compressor

__all__: list[str] = []


def require_workers(axis_name: Any, project: Any) -> None:
    """Raises unless there is one name of an axis, and None or a projection."""
    if not isinstance(axis_name, str):
        raise TypeError(f"axis_name must be the name of one axis, a string, got {axis_name!r}.")
    if project is not None:
        require_function("project", project, "a point")


def require_reference(momentum: Any, refresh_probability: Any) -> None:
    """Raises unless tau is in [0, 1] and p in (0, 1]."""
    require_closed_interval("momentum", momentum, 0.0, 1.0)
    require_probability("refresh_probability", refresh_probability)


def require_compressor(compressor: Any) -> None:
    """Raises unless it is one of `optzoo.compressors`."""
    if not isinstance(compressor, Compressor):
        raise TypeError(
            "compressor must be one of optzoo.compressors, such as optzoo.compressors.PermK(8), "
            f"got {compressor!r}."
        )
