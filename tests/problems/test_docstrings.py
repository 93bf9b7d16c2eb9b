"""The examples in the docstrings run, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import optzoo.problems as package

MODULES = sorted(
    f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", package.__all__)
def test_public_names_are_documented(name: str) -> None:
    thing = getattr(package, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        for section in ("Args:", "Returns:", "Example:"):
            assert section in thing.__doc__ or not inspect.signature(thing).parameters
