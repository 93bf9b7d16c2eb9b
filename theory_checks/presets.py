# SPDX-License-Identifier: Apache-2.0
"""How much a run spends, and where it may look for data."""

import os
from pathlib import Path

__all__ = ["MASTER_SEED", "PRESETS", "DataFolderError", "data_folder"]

PRESETS = {"quick": 32, "full": 256}
MASTER_SEED = 20231218


class DataFolderError(ValueError):
    """OPTZOO_DATA names something that is no folder."""


def data_folder() -> Path | None:
    """The folder that OPTZOO_DATA names, or None where it is not set.

    Raises:
        DataFolderError: if it names something that is no folder.
    """
    name = os.environ.get("OPTZOO_DATA")
    if not name:
        return None
    if not Path(name).is_dir():
        raise DataFolderError(f"OPTZOO_DATA is {name}, which is no folder")
    return Path(name)
