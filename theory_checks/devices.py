# SPDX-License-Identifier: Apache-2.0
"""What numpy and jax are told before they are imported: cores, devices, precision, compiler."""

import importlib.metadata
import os

__all__ = ["cores_here", "use_all_cores", "use_cores"]


def cores_here() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_all_cores() -> None:
    """One device a core that there is, and float64; before numpy and jax are imported."""
    use_cores(cores_here())


def use_cores(cores: int) -> None:
    """So many devices, and float64; before numpy and jax are imported, which look once.

    Args:
        cores: how many.
    """
    # Claims run side by side, so a product of matrices has one core: with several the order of
    # its sums, and so its last digit, would depend on how many there are.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    flags = {"--xla_force_host_platform_device_count": str(cores)}
    # Most of the time is compilation. A program in one piece costs less than in pieces side by
    # side, and the emitters of this release cost a third more than its older ones; other releases
    # may not know that flag, and jax ends on one that it does not know.
    flags["--xla_cpu_parallel_codegen_split_count"] = "1"
    if importlib.metadata.version("jaxlib").startswith("0.10."):
        flags["--xla_cpu_use_fusion_emitters"] = "false"
    given = os.environ.get("XLA_FLAGS", "")
    added = [f"{flag}={value}" for flag, value in flags.items() if flag not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *added]).strip()
    import jax

    jax.config.update("jax_enable_x64", True)
