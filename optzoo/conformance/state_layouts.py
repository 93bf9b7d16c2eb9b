# SPDX-License-Identifier: Apache-2.0
"""Whether a state goes where users' libraries put it: into models, wrappers and checkpoints.

flax's nnx and equinox keep parameters in containers of their own, and a state that mirrors the
parameters mirrors these. A checkpoint is restored into a fresh state. Neither may change what a
step is compiled for.
"""

import functools
import importlib
import importlib.util
import pickle
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .property import Property, require, require_same_layout
from .row import TARGET, Row, Subject, gradient, start

__all__ = ["STATE_LAYOUTS"]


def _wrapped(row: Row) -> Iterator[tuple[str, Any]]:
    """The optimizer alone and in wrappers of optax, those that it can be in."""
    method = row.build()
    yield "alone", method
    yield "in a chain", optax.chain(method, optax.scale(1.0))
    if row.static_args is not None:
        yield "under inject_hyperparams", row.injected().build()
    if row.functions or callable(row.arguments):
        return  # it evaluates gradients by itself, which these hold back
    yield "under MultiSteps", optax.MultiSteps(method, 2)
    yield "under apply_if_finite", optax.apply_if_finite(method, 3)
    yield "under conditionally_mask", optax.conditionally_mask(method, lambda step: step < 9)
    yield "under masked", optax.masked(method, lambda tree: jax.tree.map(lambda _: True, tree))
    yield (
        "under partition",
        optax.partition(
            {"it": method, "other": optax.sgd(0.1)},
            lambda tree: jax.tree.map(lambda _: "it", tree),
        ),
    )


# --- In models ---


def _in_flax(subject: Subject) -> None:
    nnx = importlib.import_module("flax.nnx")

    class Model(nnx.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            for name, leaf in start(jnp.float32).items():
                setattr(self, name, nnx.Param(leaf))

    for where, method in _wrapped(subject.row):
        model = Model()
        optimizer = nnx.Optimizer(model, method, wrt=nnx.Param)
        before = nnx.split((model, optimizer))
        graphs: list[Any] = []

        def step(state: Any, given: Any = before[0], graphs: list[Any] = graphs) -> Any:
            model, optimizer = nnx.merge(given, state)
            params = nnx.state(model, nnx.Param)
            # `nnx.as_pure`, which older releases of flax do not have
            arrays = jax.tree.map(
                lambda one: one[...], params, is_leaf=lambda one: isinstance(one, nnx.Variable)
            )
            optimizer.update(model, gradient(params), **subject.row.extras(arrays))
            graph, after = nnx.split((model, optimizer))
            graphs.append(graph)
            return after

        after = jax.eval_shape(step, before[1])
        require(graphs == [before[0]], f"nnx's graph changes in the first step, {where}")
        require_same_layout(before[1], after, f"in the first step, {where}")


def _in_equinox(subject: Subject) -> None:
    eqx = importlib.import_module("equinox")

    class Model(eqx.Module):  # type: ignore[name-defined,misc]
        b: Any
        w: Any

        def __call__(self, x: Any) -> Any:
            raise AssertionError("the parameters were called")

    def step(params: Any, state: Any) -> Any:
        updates, state = subject.method.update(
            gradient(params), state, params, **subject.row.extras(params)
        )
        return eqx.apply_updates(params, updates), state

    params = eqx.filter(Model(**start(jnp.float32)), eqx.is_inexact_array)
    before = (params, subject.method.init(params))
    require_same_layout(before, eqx.filter_eval_shape(step, *before), "in the first step")


# --- In checkpoints ---


def _through_pickle(tree: Any, fresh: Any) -> Any:
    return pickle.loads(pickle.dumps(tree))


def _through_msgpack(tree: Any, fresh: Any) -> Any:
    serialization = importlib.import_module("flax.serialization")
    return serialization.from_bytes(fresh, serialization.to_bytes(tree))


def _through_orbax(tree: Any, fresh: Any) -> Any:
    # Orbax says it with a page, and leaves coroutines behind that complain at any time later.
    require_same_layout(fresh, tree, "in 3 steps")
    checkpoint = importlib.import_module("orbax.checkpoint")
    with tempfile.TemporaryDirectory() as folder, checkpoint.StandardCheckpointer() as writer:
        writer.save(f"{folder}/state", tree)
        writer.wait_until_finished()
        return writer.restore(f"{folder}/state", fresh)


def _is_restored(subject: Subject, through: Callable[[Any, Any], Any]) -> None:
    def steps(params: Any, state: Any) -> Any:
        for _ in range(3):
            params, state = subject.step(params, state)
        return params, state

    def fresh() -> Any:
        return start(), subject.method.init(start())

    reached = steps(*fresh())
    # By way of NumPy: orbax commits arrays to a device, which alone compiles a step anew.
    restored = jax.tree.map(np.asarray, through(_as_numbers(reached), _as_numbers(fresh())))
    restored = _with_keys(jax.tree.map(jnp.asarray, restored), fresh())
    require_same_layout(fresh(), restored, "when it is restored")
    before = subject.traces
    _require_equal(steps(*restored), steps(*reached))
    require(subject.traces == before, "a step is traced once more after the state was restored")


def _require_equal(found: Any, expected: Any) -> None:
    """Bit for bit: one program, run twice on the same numbers."""
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(_as_numbers(found)),
        jax.tree.leaves(_as_numbers(expected)),
        strict=True,
    ):
        place = jax.tree_util.keystr(path)
        require(
            np.array_equal(a, b, equal_nan=True),
            f"{place} differs 3 steps after the state was restored",
        )


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _as_numbers(tree: Any) -> Any:
    """Typed keys as the numbers that they are made of, which is what files can hold."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def _with_keys(tree: Any, like: Any) -> Any:
    return jax.tree.map(
        lambda model, leaf: (
            jax.random.wrap_key_data(jnp.asarray(leaf), impl=jax.random.key_impl(model))
            if _is_key(model)
            else leaf
        ),
        like,
        tree,
    )


def _needs(module: str, row: Row) -> str | None:
    return None if importlib.util.find_spec(module) else f"{module} is not installed"


def _needs_a_model(module: str, row: Row) -> str | None:
    """Models are other containers than the dictionary that arguments of a row are made for."""
    dictionary: Any = jax.tree.structure(TARGET)
    trees = [name for name, one in row.kwargs.items() if jax.tree.structure(one) == dictionary]
    if trees:
        return f"its argument {trees[0]} is a tree for parameters in a dictionary"
    return _needs(module, row)


_MIRROR = (
    "what the state keeps for a parameter must stand where the parameter stands, in trees like "
    "the parameters, with None where there is nothing: "
)

STATE_LAYOUTS: tuple[Property, ...] = (
    Property(
        "one trace in flax nnx",
        _in_flax,
        _MIRROR + "nnx takes a tuple in the place of an array for a part of the model.",
        does_not_apply=functools.partial(_needs_a_model, "flax"),
    ),
    Property(
        "one trace in equinox",
        _in_equinox,
        _MIRROR + "and a tree with `__call__` is no function.",
        does_not_apply=functools.partial(_needs_a_model, "equinox"),
    ),
    *(
        Property(
            f"restored from {name}",
            functools.partial(_is_restored, through=through),
            "all that the next step depends on must be arrays in NamedTuples of a module's top "
            "level, in tuples of a fixed length and in trees like the parameters.",
            does_not_apply=functools.partial(_needs, module),
        )
        for name, through, module in (
            ("pickle", _through_pickle, "pickle"),
            ("flax's msgpack", _through_msgpack, "flax"),
            ("orbax", _through_orbax, "orbax"),
        )
    ),
)
