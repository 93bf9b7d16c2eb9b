# SPDX-License-Identifier: Apache-2.0
r"""Randomized gradient descent: gradient descent on the multilevel estimator.

    minimize f(x) = E_pi F(x, Z), with Z_1, Z_2, ... one trajectory of a Markov chain.

    x^{k+1} = x^k - gamma g^k,      g^k = the multilevel estimator at x^k.

The estimator is a separate thing (`optzoo.mlmc_gradient`, `optzoo.mlmc_stream`), and the step is
that of gradient descent, so any other estimator of the gradient may be put in its place.

References:
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_floating, require_gradients, require_learning_rate
from ._state_layout import require_own_state
from ._tree_vector import cast_like
from ._wide_arithmetic import weighted, wide

__all__ = ["RandomizedGDState", "randomized_gd"]


class RandomizedGDState(NamedTuple):
    """State of `randomized_gd`."""

    steps: jax.Array  # k, int32


def randomized_gd(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformationExtraArgs:
    r"""Gradient descent for gradients from `mlmc_gradient` or `mlmc_stream`.

    .. math:: x^{k+1} = x^k - \gamma_k g^k

    For the theorems' steps and batches see `NonconvexGDBound`, `PolyakLojasiewiczGDBound` and
    `StronglyConvexGDBound`. It works under every optax wrapper. In 16-bit parameters, steps below
    half a unit in their last place are lost: wrap the method in `optzoo.master_weights`.

    Args:
      learning_rate: gamma, a positive number or a schedule of the steps.

    Returns:
      A transformation whose updates have the tree, shapes and dtypes of the parameters, or of the
      gradients where `update` is called without parameters.

    Raises:
      TypeError: if the step is not a number or a schedule.
      ValueError: if the step is not positive, or the gradients do not match the parameters.

    Example:
      A network learns from a stream in its temporal order: the input drifts slowly, and each
      batch begins where the last one has ended.

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> def drift(key, u):
      ...     u = 0.95 * u + (1 - 0.95**2) ** 0.5 * jax.random.normal(key)
      ...     return u, (u, jnp.sin(2 * u))
      >>> def network(w, u):
      ...     return w["out"] @ jnp.tanh(w["in"] * u + w["bias"])
      >>> def loss(w, sample):
      ...     return 0.5 * (network(w, sample[0]) - sample[1]) ** 2
      >>> estimate = optzoo.mlmc_gradient(jax.grad(loss), drift, batch_size=16, max_level=3)
      >>> method = optzoo.randomized_gd(0.1)
      >>> @jax.jit
      ... def step(w, state, u, key):
      ...     gradient, u, info = estimate(key, w, u)
      ...     updates, state = method.update(gradient, state, w)
      ...     return optax.apply_updates(w, updates), state, u
      >>> key = jax.random.key(0)
      >>> w = {"in": jax.random.normal(key, (16,)), "bias": jnp.zeros(16), "out": jnp.zeros(16)}
      >>> state, u = method.init(w), jnp.zeros([])
      >>> grid = jnp.linspace(-2, 2, 50)
      >>> test = lambda w: jnp.mean(jax.vmap(lambda u: loss(w, (u, jnp.sin(2 * u))))(grid))
      >>> start = test(w)
      >>> for k in range(1000):
      ...     w, state, u = step(w, state, u, jax.random.fold_in(key, k))
      >>> bool(test(w) < 0.3 * start)
      True

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938.
    """
    require_learning_rate("learning_rate", learning_rate)

    def init_fn(params: optax.Params) -> RandomizedGDState:
        require_floating(params)
        return RandomizedGDState(steps=jnp.zeros([], jnp.int32))

    def update_fn(
        updates: optax.Updates,
        state: RandomizedGDState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, RandomizedGDState]:
        del extra_args
        if params is None:
            require_floating(updates, "updates")
            params = updates
        else:
            require_gradients("randomized_gd", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        gamma = learning_rate(state.steps) if callable(learning_rate) else learning_rate
        moved = weighted(-gamma, wide(updates, params))
        return cast_like(moved, params), RandomizedGDState(optax.safe_increment(state.steps))

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
