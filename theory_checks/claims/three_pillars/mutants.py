"""Mistakes in Three Pillars and its messages, and the other convention for its reference point.

Each function takes the arguments of `optzoo.three_pillars`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.compressors import Compressor

__all__ = ["Scaled", "SharedKey", "no_projection", "other_reference", "raw_differences"]


class Scaled(Compressor):
    """A compressor times a factor.

    1/n is a compressor without its factor n, 0 a correction that is dropped, 1/2 and 2 one that
    counts half and twice.
    """

    def __init__(self, compressor: Compressor, factor: float | jax.Array) -> None:
        self.compressor, self.factor = compressor, factor
        self.num_workers = compressor.num_workers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scaled) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.compressor, self.factor))

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> Any:
        return self.compressor.encode(key, worker, vector)

    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Any) -> jax.Array:
        return self.factor * self.compressor.decode(key, worker, message, like)

    def mean(self, key: jax.Array, vector: jax.Array, axis_name: str) -> jax.Array:
        return self.factor * self.compressor.mean(key, vector, axis_name)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        return self.compressor.variance_constants(dimension)


@dataclass(frozen=True)
class SharedKey(Compressor):
    """A compressor whose workers all draw what worker 0 draws."""

    compressor: Compressor

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_workers", self.compressor.num_workers)

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> Any:
        return self.compressor.encode(key, jnp.zeros_like(worker), vector)

    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Any) -> jax.Array:
        return self.compressor.decode(key, jnp.zeros_like(worker), message, like)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        return self.compressor.variance_constants(dimension)


def raw_differences(*arguments: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
    """$F_i(m) - F_i(u)$ is compressed, without the server's part: the similarity is lost."""
    compressor, axis_name, gamma = named["compressor"], named["axis_name"], arguments[0]
    named["compressor"] = Scaled(compressor, 0.0)
    silent = optzoo.three_pillars(*arguments, **named)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        to_u, new_state = silent.update(updates, state, params, **extra_args)
        u = params + to_u
        at_m = jnp.where(state.steps == 0, updates, state.reference_operator[0])
        m = jnp.where(state.steps == 0, params, state.reference)
        server = extra_args["server_operator_fn"]
        # The server's part is subtracted exactly.
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.steps), 7)
        mean = compressor.mean(key, at_m - extra_args["operator_fn"](u), axis_name)
        z = u + gamma * (mean - (server(m) - server(u)))
        return z - params, new_state

    return optax.GradientTransformationExtraArgs(silent.init, update)


def no_projection(*arguments: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
    """The constraint is forgotten."""
    return optzoo.three_pillars(*arguments, **(named | {"project": None}))


def other_reference(*arguments: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
    """No mistake but the other convention: a refresh takes m^{k+1} = z^{k+1}."""
    axis_name = named["axis_name"]
    method = optzoo.three_pillars(*arguments, **named)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        new_updates, new_state = method.update(updates, state, params, **extra_args)
        refreshed = (new_state.refreshes > state.refreshes) & (state.steps > 0)
        z = params + new_updates
        own = extra_args["operator_fn"](z)
        return new_updates, new_state._replace(
            reference=jnp.where(refreshed, z, new_state.reference),
            reference_operator=jnp.where(refreshed, own[None], new_state.reference_operator),
            mean_reference_operator=jnp.where(
                refreshed, jax.lax.pmean(own, axis_name), new_state.mean_reference_operator
            ),
        )

    return optax.GradientTransformationExtraArgs(method.init, update)
