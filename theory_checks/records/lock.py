# SPDX-License-Identifier: Apache-2.0
"""One run at a time in a folder: two that write the same results.json would lose each other's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["InUseError", "only_run"]


class InUseError(ValueError):
    """Another run is writing into the folder."""


@contextmanager
def only_run(directory: Path) -> Iterator[None]:
    """Holds a folder until the block ends or the process does, however it ends.

    Args:
        directory: an existing folder; nothing is left in it.

    Raises:
        InUseError: if another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no locks on folders
        yield
        return
    folder = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(
                f"--out {directory} is in use by another run; wait for it, or take another folder"
            ) from None
        yield
    finally:
        os.close(folder)
