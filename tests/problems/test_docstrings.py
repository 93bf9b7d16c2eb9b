"""What the generators' modules say is public is in order; their examples run with all others."""

import importlib
import pkgutil

import pytest

import optzoo.problems as package

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
)


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_in_order(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__)
