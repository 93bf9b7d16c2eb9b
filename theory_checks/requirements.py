"""What the checks need beside jax and optax: the packages of the extra `checks`."""

from importlib.util import find_spec

__all__ = ["PACKAGES", "missing_packages"]

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


def missing_packages() -> list[str]:
    """The packages that are not installed; found without importing any, which takes seconds."""
    return [package for module, package in PACKAGES.items() if not _is_found(module)]


def _is_found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # some finders say no in this way
        return False
