# SPDX-License-Identifier: Apache-2.0
"""An optimizer under test: how it is made, and the small quadratic on which it is run."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

__all__ = [
    "TARGET",
    "Row",
    "Subject",
    "compiled",
    "gradient",
    "objective",
    "start",
    "uncompiled",
]

TARGET = {"w": np.array([[0.1, -0.2], [0.3, 0.0]]), "b": np.array([0.05, -0.1])}
"""Where the quadratic has its minimum: inside the unit balls, the box and the simplex' hull."""

Arguments = Mapping[str, Any]
Step = Callable[[Any, Any], tuple[Any, Any]]


def start(dtype: Any = jnp.float64) -> dict[str, jax.Array]:
    """Zero parameters of a dtype."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), TARGET)


def objective(params: Any) -> jax.Array:
    r"""$|x - x^*|^2 / 2$, for optimizers whose update takes a value or a function of it."""
    squares = jax.tree.map(lambda g: jnp.sum(g * g) / 2, gradient(params))
    return jax.tree.reduce(jnp.add, squares)


def gradient(params: Any) -> Any:
    r"""The gradient $x - x^*$ of the quadratic, in the parameters' dtypes and containers."""
    leaves = jax.tree.leaves(params)
    structure: Any = jax.tree.structure(params)
    targets = jax.tree.leaves(TARGET)
    return structure.unflatten(
        [p - jnp.asarray(t).astype(p.dtype) for p, t in zip(leaves, targets, strict=True)]
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One optimizer of a conformance table.

    Args:
        name: as it is printed.
        make: the constructor, or a function that returns the transformation.
        kwargs: the constructor's arguments; the steps must be such that 300 of them come near the
            minimum of the quadratic, which is 0.3 away from the start.
        functions: names of extra arguments of `update` that evaluate a gradient.
        arguments: further extra arguments, or a function that makes them from the parameters.
        needs_params: `update` needs the parameters; None where it is not known.
        factor: what the updates are multiplied with before they are added.
        static_args: arguments that `optax.inject_hyperparams` must leave alone; None where `make`
            is no constructor.

    Example:
        >>> import optax
        >>> row = Row("momentum", optax.sgd, {"learning_rate": 0.1, "momentum": 0.9})
        >>> row.build().init({"w": jnp.zeros(2)})[0].trace["w"].shape
        (2,)
        >>> Row("lbfgs", optax.lbfgs, arguments=lambda params: {
        ...     "value": objective(params), "grad": gradient(params), "value_fn": objective,
        ... }).name
        'lbfgs'
    """

    name: str
    make: Callable[..., optax.GradientTransformation]
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    functions: tuple[str, ...] = ()
    arguments: Arguments | Callable[[Any], Arguments] = dataclasses.field(default_factory=dict)
    needs_params: bool | None = None
    factor: float = 1.0
    static_args: tuple[str, ...] | None = ()

    def build(self) -> optax.GradientTransformationExtraArgs:
        """The transformation, callable without an axis of workers."""
        method = optax.with_extra_args_support(self.make(**self.kwargs))
        axis_name = self.kwargs.get("axis_name")
        return method if axis_name is None else _on_one_worker(method, axis_name)

    def extras(self, params: Any) -> dict[str, Any]:
        """The extra arguments of `update` at these parameters."""
        more = self.arguments(params) if callable(self.arguments) else self.arguments
        return {**dict.fromkeys(self.functions, gradient), **more}

    def injected(self) -> "Row":
        """The same optimizer with its numbers in the state."""
        make = optax.inject_hyperparams(self.make, static_args=self.static_args or ())
        return dataclasses.replace(self, make=make)


class Subject:
    """A row's transformation and its compiled programs, which the properties share.

    Args:
        row: what is tested.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        self.method = row.build()
        self.traces = 0

    def update(self, params: Any, state: Any, **more: Any) -> tuple[Any, Any]:
        """The updates at these parameters, and the next state."""
        extras = self.row.extras(params) | more
        return self.method.update(gradient(params), state, params, **extras)

    def advance(self, params: Any, state: Any) -> tuple[Any, Any]:
        """One step of the loop that a user writes."""
        updates, state = self.update(params, state)
        updates = jax.tree.map(lambda update: self.row.factor * update, updates)
        return optax.apply_updates(params, updates), state

    @functools.cached_property
    def step(self) -> Step:
        """`advance`, compiled; `traces` counts how often."""

        def traced(params: Any, state: Any) -> tuple[Any, Any]:
            self.traces += 1
            return self.advance(params, state)

        return compiled(traced)

    @functools.cached_property
    def path(self) -> list[Any]:
        """Parameters after 0, ..., 300 compiled float64 steps."""
        params, state = start(), self.method.init(start())
        path = [params]
        for _ in range(300):
            params, state = self.step(params, state)
            path.append(params)
        return path

    @functools.cached_property
    def first_update(self) -> Any:
        """The first updates, not compiled."""
        with jax.disable_jit():
            return self.update(start(), self.method.init(start()))[0]

    @functools.cached_property
    def eager_path(self) -> list[Any]:
        """Parameters after 0, ..., 4 float64 steps that are not compiled."""
        return uncompiled(self.advance, self.method.init, 4)


def compiled(function: Callable[..., Any], **kwargs: Any) -> Any:
    """`jax.jit` for programs that run for a moment: compiled as fast as XLA can."""
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(function, compiler_options=quick, **kwargs)


def uncompiled(advance: Step, init: Callable[[Any], Any], steps: int) -> list[Any]:
    """Parameters after 0, ..., `steps` float64 steps, branches and loops as Python has them."""
    params = start()
    path = [params]
    with jax.disable_jit():
        state = init(params)
        for _ in range(steps):
            params, state = advance(params, state)
            path.append(params)
    return path


def _on_one_worker(
    method: optax.GradientTransformationExtraArgs, axis_name: str
) -> optax.GradientTransformationExtraArgs:
    """The method under an axis with one worker, so that it is called as all the others are."""

    def update(updates: Any, state: Any, params: Any = None, **extras: Any) -> Any:
        def alone(updates: Any, state: Any, params: Any) -> Any:
            return method.update(updates, state, params, **extras)

        mapped = jax.vmap(alone, None, None, axis_size=1, axis_name=axis_name)
        return mapped(updates, state, params)

    return optax.GradientTransformationExtraArgs(method.init, update)
