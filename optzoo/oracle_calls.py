"""What a run has cost so far, read from the state of its method."""

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_integer
from .frank_wolfe import SarahFrankWolfeState
from .saga_frank_wolfe import SagaSarahFrankWolfeState

__all__ = ["gradient_calls"]


def gradient_calls(state: optax.OptState, num_samples: int, batch_size: int) -> int | jax.Array:
    r"""Gradients of single samples that a variance-reduced Frank-Wolfe has asked for so far.

    .. math::
      \text{Sarah Frank-Wolfe:} \quad & n \cdot \text{restarts}
        + 2 b \, (\text{steps} - \text{restarts}) \\
      \text{Saga Sarah Frank-Wolfe:} \quad & 2 b \cdot \text{steps}

    This is the paper's count. A training loop that also computes the minibatch gradient on a
    restart of Sarah Frank-Wolfe, where the method ignores it, does b more each time; a table of
    Saga Sarah Frank-Wolfe that was started warm cost n more, once.

    Args:
      state: the state of `sarah_frank_wolfe` or `saga_sarah_frank_wolfe`, alone or anywhere
        inside the state of a chain or a wrapper.
      num_samples: n, the number of samples.
      batch_size: b, the number of samples in a minibatch.

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
    counted = (SarahFrankWolfeState, SagaSarahFrankWolfeState)
    found = [
        leaf
        for leaf in jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, counted))
        if isinstance(leaf, counted)
    ]
    if len(found) != 1:
        raise ValueError(
            "state must hold exactly one state of sarah_frank_wolfe or saga_sarah_frank_wolfe; "
            f"it holds {len(found)}."
        )
    steps = found[0].steps
    restarts = (
        found[0].restarts if isinstance(found[0], SarahFrankWolfeState) else jnp.zeros_like(steps)
    )
    if isinstance(steps, jax.core.Tracer) or jnp.ndim(steps) > 0:
        restarts = restarts.astype(float)
        return num_samples * restarts + 2.0 * batch_size * (steps.astype(float) - restarts)
    return num_samples * int(restarts) + 2 * batch_size * (int(steps) - int(restarts))
