# SPDX-License-Identifier: Apache-2.0
r"""Ito chains: one Markov chain for sampling, optimization and boosting.

    X_{k+1} = X_k + eta b(X_k) + eta^((1 + gamma)/2) sigma(X_k) eps_k,
    E eps_k = 0,  E eps_k eps_k^T = I,  b = -(the gradients handed in).

Over a time T = k eta it stays close, in Wasserstein distance, to the diffusion

    dZ = b(Z) dt + eta^(gamma/2) sigma(Z) dW        (in Ito's sense),

however the noise is distributed: it need not be Gaussian. gamma = 0 is the scaling of Langevin
dynamics, gamma = 1 that of stochastic gradient descent, whose noise is multiplied by the whole
step. A drift with an error is a chain whose gradients carry that error.

References:
  Ustimenko, Beznosikov, "Ito diffusion approximation of universal Ito chains for sampling,
  optimization and boosting", ICLR 2024, arXiv:2310.06081.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    is_real,
    require_floating,
    require_gradients,
    require_integer,
    require_key,
    require_learning_rate,
    require_not_negative,
)
from ._compensated_sum import warn_of_lost_noise
from ._state_layout import require_own_state
from ._tree_operator import apply_operator, operator_kind
from ._tree_vector import cast_like
from ._wide_arithmetic import wide, wide_dtype
from .noise_laws import NoiseLaw

__all__ = ["ItoChainState", "ito_chain", "minibatch_diffusion"]


class ItoChainState(NamedTuple):
    """State of `ito_chain`."""

    key: Any  # constant; eps_k is drawn from fold_in(key, k); None without noise
    steps: jax.Array  # k, int32


def ito_chain(
    learning_rate: optax.ScalarOrSchedule,
    *,
    noise: NoiseLaw | None,
    diffusion: Any = 1.0,
    gamma: jax.typing.ArrayLike = 0.0,
    key: jax.Array | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Gradient steps with noise of any law, whose size may depend on the state.

    .. math::
      X_{k+1} = X_k - \eta_k g_k + \eta_k^{(1 + \gamma)/2} \, \sigma(X_k) \, \varepsilon_k

    `g_k` is what `update` is handed, so that the drift is b = -g: the gradient of a potential for
    Langevin dynamics, any other field for any other diffusion.

    Stochastic gradient descent is the chain without noise of its own, `noise=None`: its minibatch
    gradients carry theirs, sigma(X_k) eps_k = grad f(X_k) - g_k, and gamma is 1. The chain with
    Gaussian noise of the same covariance, which its diffusion is the limit of, takes full
    gradients, gamma=1 and `minibatch_diffusion` for sigma.

    sigma(X_k) is one of

    - a number s: sigma = s I,
    - a tree like the parameters: a diagonal sigma,
    - a square matrix of shape (d, d), d the number of parameters, which acts on the leaves of
      the tree concatenated.

    A constant sigma is the argument `diffusion`. One that depends on the state is computed at the
    parameters, as the gradients are, and handed to the update; construct with `diffusion=None`
    and call `update(grads, state, params, diffusion=sigma(params))`.

    It works under every optax wrapper; one that changes the gradients changes the drift. In 16-bit
    parameters, what falls below half a unit in their last place is lost, and `init` warns if there
    is noise to lose: wrap the method in `optzoo.master_weights`.

    Args:
      learning_rate: eta, a positive number or a schedule of the steps.
      noise: the law of the coordinates of eps, such as `optzoo.rademacher_noise()`; None for
        gradients that carry all of the noise.
      diffusion: a constant sigma, or None if sigma is an argument of `update`.
      gamma: at least 0; 0 for Langevin dynamics, 1 for stochastic gradient descent.
      key: a PRNG key for the noise, carried in the state; needed unless `noise` is None.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      TypeError: if the step or gamma is not a number, the noise is not a law, or the key is not
        a key.
      ValueError: if the step is not positive, gamma is negative, sigma is neither a number, nor
        a tree like the parameters, nor a square matrix of their size, if sigma is missing or
        given twice, or the gradients do not match the parameters.

    Example:
      Eight thousand chains with coins for noise sample the standard normal law, up to an error
      of the order of the step:

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> chain = optzoo.ito_chain(
      ...     0.05, noise=optzoo.rademacher_noise(), diffusion=2.0**0.5, key=jax.random.key(0))
      >>> def step(_, carry):
      ...     x, state = carry
      ...     updates, state = chain.update(x, state, x)    # the gradient of |x|^2 / 2 is x
      ...     return optax.apply_updates(x, updates), state
      >>> x = jnp.zeros(8000)
      >>> x, _ = jax.lax.fori_loop(0, 200, step, (x, chain.init(x)))
      >>> bool(abs(jnp.mean(x)) < 0.05), bool(abs(jnp.var(x) - 1.0) < 0.1)
      (True, True)

      Multiplicative noise, geometric Brownian motion:

      >>> chain = optzoo.ito_chain(
      ...     0.1, noise=optzoo.gaussian_noise(), diffusion=None, key=jax.random.key(0))
      >>> x = jnp.ones(3)
      >>> updates, state = chain.update(-0.5 * x, chain.init(x), x, diffusion=0.3 * x)

    References:
      Ustimenko, Beznosikov, "Ito diffusion approximation of universal Ito chains for sampling,
      optimization and boosting", ICLR 2024, arXiv:2310.06081.
    """
    require_learning_rate("learning_rate", learning_rate)
    require_not_negative("gamma", gamma)
    if noise is not None:
        if not isinstance(noise, NoiseLaw):
            raise TypeError(
                "noise must be a law such as optzoo.gaussian_noise(), or None for gradients that "
                f"carry the noise; got {noise!r}."
            )
        require_key("key", key)

    def fresh() -> ItoChainState:
        return ItoChainState(
            # A copy: a user who donates the state must not lose the key given here.
            key=jax.tree.map(jnp.copy, None if noise is None else key),
            steps=jnp.zeros([], jnp.int32),
        )

    def init_fn(params: optax.Params) -> ItoChainState:
        require_floating(params)
        if noise is not None:
            warn_of_lost_noise(params)
        # A placeholder of optax has no leaves.
        if noise is not None and diffusion is not None and jax.tree.leaves(params):
            operator_kind("diffusion", diffusion, params)
        return fresh()

    def update_fn(
        updates: optax.Updates,
        state: ItoChainState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ItoChainState]:
        params = require_gradients("ito_chain", updates, params)
        require_own_state(state, jax.eval_shape(fresh), {"key": {"noise": noise, "key": key}})
        eta = jnp.asarray(learning_rate(state.steps) if callable(learning_rate) else learning_rate)
        moved = jax.tree.map(lambda g: -eta.astype(g.dtype) * g, wide(updates, params))

        if noise is not None:
            sigma = _the_diffusion(diffusion, extra_args)
            # eta^((1 + gamma)/2) sigma(X_k) eps_k
            eps = _draw(noise, jax.random.fold_in(state.key, state.steps), params)
            exponent = (1 + jnp.asarray(gamma)) / 2
            moved = jax.tree.map(
                lambda step, kick: (
                    step + eta.astype(kick.dtype) ** exponent.astype(kick.dtype) * kick
                ),
                moved,
                apply_operator("diffusion", sigma, eps),
            )
        return cast_like(moved, params), ItoChainState(state.key, optax.safe_increment(state.steps))

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def minibatch_diffusion(sample_grads: jax.Array, batch_size: int) -> jax.Array:
    r"""The sigma of stochastic gradient descent: the root of the covariance of its gradients.

    .. math::
      \sigma \sigma^\top = \frac{1}{b n} \sum_{i=1}^n (g_i - \bar g)(g_i - \bar g)^\top

    for batches of b samples drawn with replacement.

    Args:
      sample_grads: g_1, ..., g_n, the gradients of all samples at one point, shape (n, d).
      batch_size: b, at least 1.

    Returns:
      sigma, the symmetric root, shape (d, d): the argument `diffusion` of the update of
      `ito_chain` with gamma=1 and full gradients.

    Raises:
      TypeError: if the gradients are not real numbers or the batch size is not an integer.
      ValueError: if the gradients are not a matrix or the batch size is below 1.

    Example:
      >>> import jax.numpy as jnp, optzoo
      >>> rows = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
      >>> sigma = optzoo.minibatch_diffusion(rows, batch_size=2)
      >>> [[round(float(entry), 6) + 0.0 for entry in row] for row in sigma]
      [[0.5, 0.0], [0.0, 0.0]]
    """
    if not is_real(sample_grads):
        raise TypeError(f"sample_grads must be a real array of shape (n, d), got {sample_grads!r}.")
    shape = jnp.shape(sample_grads)
    if len(shape) != 2 or shape[0] < 1:
        raise ValueError(f"sample_grads must have shape (n, d) with n at least 1, it has {shape}.")
    require_integer("batch_size", batch_size, 1)
    rows = jnp.asarray(sample_grads)
    centred = rows - jnp.mean(rows, axis=0, keepdims=True)
    scale = jnp.asarray(batch_size * rows.shape[0]).astype(rows.dtype)
    # eigh, because a covariance of few samples is singular and has no Cholesky factor
    eigenvalues, vectors = jnp.linalg.eigh(centred.T @ centred / scale)
    roots = jnp.sqrt(jnp.maximum(eigenvalues, 0))
    return (vectors * roots[None, :]) @ vectors.T


def _draw(noise: NoiseLaw, key: jax.Array, params: optax.Params) -> optax.Updates:
    leaves, treedef = jax.tree.flatten(params)
    drawn = [
        noise.draw(jax.random.fold_in(key, place), leaf.shape, wide_dtype(leaf))
        for place, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(treedef, drawn)


def _the_diffusion(constant: Any, extra_args: dict[str, Any]) -> Any:
    given = extra_args.get("diffusion")
    if constant is None and given is None:
        raise ValueError(
            "ito_chain: the extra argument `diffusion` is missing; call "
            "update(grads, state, params, diffusion=sigma(params)), or give a constant one to "
            "ito_chain."
        )
    if constant is not None and given is not None:
        raise ValueError(
            "diffusion is given twice, to ito_chain and to update; construct with diffusion=None "
            "if it depends on the state."
        )
    return given if constant is None else constant
