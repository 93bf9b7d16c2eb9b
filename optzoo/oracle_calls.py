# SPDX-License-Identifier: Apache-2.0
"""What a run has cost so far, read from the state of its method."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_integer
from .frank_wolfe import SarahFrankWolfeState
from .momentum_frank_wolfe import MomentumFrankWolfeState
from .sag_frank_wolfe import SagFrankWolfeState
from .saga_frank_wolfe import SagaSarahFrankWolfeState
from .sagafw import SagafwState
from .spider_frank_wolfe import SpiderFrankWolfeState
from .stochastic_frank_wolfe import StochasticFrankWolfeState
from .svrf import SvrfState

__all__ = ["gradient_calls"]


def gradient_calls(state: optax.OptState, num_samples: int, batch_size: int) -> int | jax.Array:
    r"""Gradients of single samples that a stochastic Frank-Wolfe has asked for so far.

    .. math::
      \text{Sarah Frank-Wolfe:} \quad & n \cdot \text{restarts}
        + 2 b \, (\text{steps} - \text{restarts}) \\
      \text{Saga Sarah Frank-Wolfe, SAGAFW:} \quad & 2 b \cdot \text{steps} \\
      \text{SVRF, SPIDER Frank-Wolfe:} \quad & n \cdot \text{epochs} + 2 b \cdot \text{calls} \\
      \text{stochastic Frank-Wolfe:} \quad & b \cdot \text{calls} \\
      \text{momentum Frank-Wolfe, SAG Frank-Wolfe:} \quad & b \cdot \text{steps}

    This is the papers' count. A training loop that also computes the minibatch gradient where the
    method ignores it, where it takes a full one instead, does b more each time; a table that was
    started warm cost n more, once. The linear oracle is called once a step of each method, so
    that `state.steps` counts its calls.

    Args:
      state: the state of one of these methods, alone or anywhere inside the state of a chain or a
        wrapper.
      num_samples: n, the number of samples.
      batch_size: b, the number of samples in a minibatch, or in a micro batch.

    Returns:
      The exact count as a Python int for a concrete state; a floating scalar (or batch of them)
      under a transformation such as `jit`, where an int32 would overflow.

    Raises:
      ValueError: if the state holds no state of these methods, or more than one, or if a size
        is not positive.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> method = optzoo.sarah_frank_wolfe(
      ...     optzoo.lmo.simplex(), 0.1, 0.5, key=jax.random.key(0))
      >>> params = jnp.array([1.0, 0.0])
      >>> gradient = lambda p: p
      >>> _, state = method.update(
      ...     params, method.init(params), params, grad_fn=gradient, full_grad_fn=gradient)
      >>> optzoo.gradient_calls(state, num_samples=1000, batch_size=10)
      1000
    """
    for name, size in (("num_samples", num_samples), ("batch_size", batch_size)):
        require_integer(name, size, 1)
    found = [
        leaf
        for leaf in jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, _COUNTED))
        if isinstance(leaf, _COUNTED)
    ]
    if len(found) != 1:
        raise ValueError(
            "state must hold exactly one state of a stochastic Frank-Wolfe method, "
            f"{', '.join(kind.__name__ for kind in _COUNTED)}; it holds {len(found)}."
        )
    full, batches = _full_and_minibatch_gradients(found[0])
    return num_samples * full + batch_size * batches


_COUNTED = (
    SarahFrankWolfeState,
    SagaSarahFrankWolfeState,
    StochasticFrankWolfeState,
    SvrfState,
    MomentumFrankWolfeState,
    SpiderFrankWolfeState,
    SagFrankWolfeState,
    SagafwState,
)


def _full_and_minibatch_gradients(state: Any) -> tuple[Any, Any]:
    match state:
        case SarahFrankWolfeState():
            restarts = _unbounded(state.restarts)
            return restarts, 2 * (_unbounded(state.steps) - restarts)
        case SagaSarahFrankWolfeState() | SagafwState():
            return 0, 2 * _unbounded(state.steps)
        case SvrfState() | SpiderFrankWolfeState():
            return _unbounded(state.epochs), 2 * _unbounded(state.calls)
        case StochasticFrankWolfeState():
            return 0, _unbounded(state.calls)
        case _:
            return 0, _unbounded(state.steps)


def _unbounded(counter: jax.Array) -> int | jax.Array:
    """A Python int, or a float where nobody knows the number or there are several."""
    if isinstance(counter, jax.core.Tracer) or jnp.ndim(counter) > 0:
        return counter.astype(float)
    return int(counter)
