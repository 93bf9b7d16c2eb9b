# SPDX-License-Identifier: Apache-2.0
"""What the checks need beside jax and optax: the packages of the extras `checks` and `cluster`."""

from collections.abc import Mapping
from importlib.util import find_spec

__all__ = ["CLUSTER", "PACKAGES", "missing_packages"]

PACKAGES = {
    "cmaes": "cmaes",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "tqdm": "tqdm",
    "jinja2": "jinja2",
    "latex2mathml": "latex2mathml",
    "ot": "pot",
}
"""Import name -> name of the package that brings it."""


CLUSTER = {"dask": "dask", "distributed": "distributed"}
"""The same of what hands claims to several processes."""


def missing_packages(wanted: Mapping[str, str] = PACKAGES) -> list[str]:
    """The packages that are not installed; found without importing any, which takes seconds.

    Args:
        wanted: import name -> name of the package.

    Returns:
        The names of the packages.
    """
    return [package for module, package in wanted.items() if not _is_found(module)]


def _is_found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # some finders say no in this way
        return False
