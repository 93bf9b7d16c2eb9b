"""optax's own test suites, run from their installed source on other optimizers."""

import functools
import inspect
import os
import pathlib
import types
import unittest
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax
import optax

__all__ = ["Suite", "load_contributed_suite", "load_sharding_suite"]


@dataclass(frozen=True)
class Suite:
    """A test case of optax, hidden from pytest, which would collect it a second time."""

    case: type[unittest.TestCase]

    def names(self) -> list[str]:
        return list(unittest.defaultTestLoader.getTestCaseNames(self.case))

    def run(self, name: str) -> None:
        """Runs one test under JAX's defaults, which optax's suites assume; raises if it fails."""
        result = unittest.TestResult()
        wide = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", False)  # not a context: the suites set it themselves
        try:
            # optax compares versions as strings, and would take jax 0.10 for an old one.
            newer = mock.patch.object(jax, "__version__", "1.0")
            with jax.numpy_rank_promotion("allow"), newer:
                self.case(name).run(result)
        finally:
            jax.config.update("jax_enable_x64", wide)
        problems = [text for _, text in (*result.failures, *result.errors, *result.skipped)]
        if problems or result.testsRun != 1:
            raise AssertionError("\n".join(problems) or f"{result.testsRun} tests were run.")


def load_contributed_suite(
    optimizers: Mapping[str, Callable[..., Any]], table: list[dict[str, Any]]
) -> Suite:
    """`optax/contrib/_common_test.py`, with `table` for its tables of optimizers.

    Its look-up of names finds `optimizers` before optax's own.
    """
    rows = [{"wrapper_name": None, "wrapper_kwargs": None, **row} for row in table]
    module = _execute(
        "contrib/_common_test.py",
        "_ALL_OPTIMIZERS_UNDER_TEST = tuple(",
        f"_MAIN_OPTIMIZERS_UNDER_TEST, _OTHER_OPTIMIZERS_UNDER_TEST = {rows!r}, []",
        {},
    )
    look_up = module["_get_opt_factory"]
    module["_get_opt_factory"] = lambda name: optimizers.get(name) or look_up(name)
    # One test reads the annotation of learning_rate as an object; ours are evaluated when asked.
    evaluated = functools.partial(inspect.signature, eval_str=True)
    module["inspect"] = types.SimpleNamespace(signature=evaluated)
    return Suite(module["ContribTest"])


def load_sharding_suite(optimizers: Mapping[str, Any]) -> Suite:
    """`optax/_src/sharding_test.py`, with `optimizers` for its table. It wants eight devices."""
    module = _execute(
        "_src/sharding_test.py",
        "class ShardingTest(",
        "OPTIMIZERS = _optimizers_given",
        {"_optimizers_given": optimizers},
    )
    return Suite(module["ShardingTest"])


def _execute(relative: str, anchor: str, table: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names of a module of optax after its source ran with one line more: before `anchor`."""
    path = pathlib.Path(optax.__file__).parent / relative
    source = path.read_text()
    if source.count(anchor) != 1:
        raise RuntimeError(f"{path} has changed: `{anchor}` must occur once.")
    module = types.ModuleType("optax_" + path.stem)
    vars(module).update(names, __file__=str(path))
    with mock.patch.dict(os.environ), warnings.catch_warnings():
        # A suite may set XLA's flags, and optax's own table warns.
        warnings.simplefilter("ignore")
        exec(compile(source.replace(anchor, f"{table}\n{anchor}"), str(path), "exec"), vars(module))
    return vars(module)
