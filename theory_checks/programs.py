# SPDX-License-Identifier: Apache-2.0
"""Compiled programs, kept from one run to the next.

Most of a run is compilation, and most of a second run's programs are those of the first. jax keeps
them by their text, the compiler's version and its flags; what it loads is the machine code that it
stored, so the numbers are the same bit by bit. That code is for one kind of processor, so each
kind has a folder of its own: a home may be shared.
"""

import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path

__all__ = ["keep", "usual_place"]


def usual_place() -> Path | None:
    """Where programs are kept unless the user says otherwise: in the user's cache folder.

    Returns:
        `XDG_CACHE_HOME/optzoo`, or `optzoo` in the system's folder for what can be computed again;
        None for a user without a home.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given) / "optzoo"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    system = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    return home / system.get(sys.platform, ".cache") / "optzoo"


def keep(directory: Path | None) -> Path | None:
    """Has jax keep compiled programs in a folder, from now on; before the first is compiled.

    It is never a reason to fail: where nothing can be written nothing is kept, and what cannot be
    read is compiled again. What the user told jax (`JAX_COMPILATION_CACHE_DIR`,
    `JAX_ENABLE_COMPILATION_CACHE`) comes first.

    Args:
        directory: where; None for nowhere.

    Returns:
        The folder inside it for this kind of processor; None where nothing is kept there.
    """
    import jax

    told = jax.config.values
    if directory is None or told["jax_compilation_cache_dir"] is not None:
        return None
    if not told["jax_enable_compilation_cache"]:
        return None
    folder = directory / f"programs-{_processor()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # All of them: the many small ones take as long as the few large ones.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A file that another run is just writing, or a full disk.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    return folder


def _processor() -> str:
    """A few digits that differ between processors with different instructions."""
    about = [platform.machine()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = ("model name", "flags", "Features", "CPU part")
    about += sorted({line for line in lines if line.startswith(named)})
    return hashlib.sha256("\n".join(about).encode()).hexdigest()[:8]
