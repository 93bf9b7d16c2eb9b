# SPDX-License-Identifier: Apache-2.0
r"""Randomized extragradient, for variational inequalities whose noise is Markovian.

    find x* with <F(x*), x - x*> + r(x) - r(x*) >= 0 for all x,   F(x) = E_pi F(x, Z),

with Z_1, Z_2, ... one trajectory of a Markov chain. Two estimates of F make one step:

    x^{k+1/2} = prox_{gamma r}(x^k - gamma g^k),           g^k       from a plain batch at x^k
    x^{k+1}   = prox_{gamma r}(x^k - gamma g^{k+1/2}),     g^{k+1/2} multilevel, at x^{k+1/2}.

Both set out from x^k; the first looks ahead, the second moves.

Differs from the paper: a step is two calls of `update`, one for each estimate, because an optax
transformation is handed one gradient at a time.

References:
  Korpelevich, "The extragradient method for finding saddle points and other problems", 1976.
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_function,
    require_gradients,
    require_learning_rate,
    require_matching_tree,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._find_state import find_state
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_copy

__all__ = [
    "Prox",
    "RandomizedExtragradientState",
    "extragradient_eval_params",
    "randomized_extragradient",
]


class Prox(Protocol):
    """Point and step -> argmin_u step * r(u) + |u - point|^2 / 2, a tree like the point."""

    def __call__(self, point: optax.Params, step_size: jax.Array, /) -> optax.Params: ...


class RandomizedExtragradientState(NamedTuple):
    """State of `randomized_extragradient`."""

    steps: jax.Array  # k, pairs of calls that are complete, int32
    phase: jax.Array  # 0: the parameters are x^k; 1: they are x^{k+1/2}; int32
    base_point: optax.Params  # x^k, float32 for 16-bit leaves
    remainder: optax.Params  # what 16-bit parameters lack, float32; None for wider leaves


def randomized_extragradient(
    learning_rate: optax.ScalarOrSchedule, *, prox: Prox | None = None
) -> optax.GradientTransformationExtraArgs:
    r"""Extragradient for operator values from `mlmc_gradient` or `mlmc_stream`.

    .. math::
      x^{k+1/2} = \mathrm{prox}_{\gamma r}(x^k - \gamma g^k), \qquad
      x^{k+1} = \mathrm{prox}_{\gamma r}(x^k - \gamma g^{k+1/2})

    One call of `update` is one half of a step: the parameters are x^k before the first, third, ...
    call and x^{k+1/2} before the second, fourth, ..., and each time `grads` is an estimate of
    F at the parameters. `state.phase` tells which half is next. The theorem takes a plain batch
    (`max_level=0`) for the first half and the multilevel estimator for the second;
    `ExtragradientBound` gives the step and the batches. Between the halves the solution so far is
    x^k, not the parameters: evaluate `extragradient_eval_params(state, params)`.

    The state is complete: a run that was saved between the halves resumes bit for bit. It works
    under every optax wrapper; under `optax.inject_hyperparams` name a prox in
    `static_args=("prox",)`, and note that its schedules count calls, not steps.

    Args:
      learning_rate: gamma, a positive number, or a schedule of the steps (pairs of calls).
      prox: `prox(point, step_size)`, the proximal operator of step_size * r, such as a projection;
        the identity if None. It is handed float32 for 16-bit parameters.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. Adding an
      update to the parameters may leave a constraint set of `prox` by one rounding.

    Raises:
      TypeError: if the step is not a number or a schedule, or prox is not a function.
      ValueError: if the step is not positive, the parameters are missing, or the gradients or
        the result of prox do not match them.

    Example:
      A game with payoff x y over the square, its rotation seen through a slowly changing sign:

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> def switch(key, z):
      ...     z = jnp.where(jax.random.bernoulli(key, 0.1), -z, z)
      ...     return z, z
      >>> def operator(v, z):
      ...     return 0.1 * v + (1 + 0.5 * z) * jnp.array([v[1], -v[0]])
      >>> def square(v, step_size):
      ...     return jnp.clip(v, -1.0, 1.0)
      >>> method = optzoo.randomized_extragradient(0.2, prox=square)
      >>> @jax.jit
      ... def half_step(v, state, z, key):
      ...     estimate = optzoo.mlmc_gradient(
      ...         operator, switch, batch_size=16, max_level=jnp.where(state.phase == 0, 0, 3))
      ...     value, z, info = estimate(key, v, z)
      ...     updates, state = method.update(value, state, v)
      ...     return optax.apply_updates(v, updates), state, z
      >>> v, z = jnp.ones(2), 1
      >>> state = method.init(v)
      >>> for k in range(400):
      ...     v, state, z = half_step(v, state, z, jax.random.fold_in(jax.random.key(0), k))
      >>> bool(jnp.linalg.norm(optzoo.extragradient_eval_params(state, v)) < 0.01)
      True

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938.
    """
    require_learning_rate("learning_rate", learning_rate)
    if prox is not None:
        require_function("prox", prox, "a point and a step")

    def init_fn(params: optax.Params) -> RandomizedExtragradientState:
        require_floating(params)
        return RandomizedExtragradientState(
            steps=jnp.zeros([], jnp.int32),
            phase=jnp.zeros([], jnp.int32),
            base_point=wide_copy(params),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: RandomizedExtragradientState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, RandomizedExtragradientState]:
        del extra_args
        params = require_gradients("randomized_extragradient", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        gamma = jnp.asarray(
            learning_rate(state.steps) if callable(learning_rate) else learning_rate
        )
        looks_ahead = state.phase == 0

        base = _select(looks_ahead, iterate(params, state.remainder), state.base_point)
        point = jax.tree.map(
            lambda x, g: x - gamma.astype(x.dtype) * g, base, wide(updates, params)
        )
        if prox is not None:
            point = prox(point, gamma)
            require_matching_tree("the result of prox", point, params)
            point = wide(point, params)

        new_updates, remainder = step_to(point, params)
        return new_updates, RandomizedExtragradientState(
            steps=jnp.where(looks_ahead, state.steps, optax.safe_increment(state.steps)),
            phase=1 - state.phase,
            base_point=_select(looks_ahead, base, point),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def extragradient_eval_params(state: optax.OptState, params: optax.Params) -> optax.Params:
    r"""The iterate x^k of `randomized_extragradient`, in either half of a step.

    .. math:: x^k = \begin{cases}
      \text{params} & \text{before the first half,} \\
      \text{the point that the step set out from} & \text{before the second.}
      \end{cases}

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters.

    Returns:
      x^k, with the tree and the dtypes of the parameters.

    Raises:
      ValueError: if the state holds no state of this method, or more than one.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optzoo.randomized_extragradient(0.5)
      >>> x = jnp.array([2.0])
      >>> updates, state = method.update(x, method.init(x), x)
      >>> ahead = optax.apply_updates(x, updates)
      >>> float(ahead[0]), float(optzoo.extragradient_eval_params(state, ahead)[0])
      (1.0, 2.0)
    """
    found = find_state(state, RandomizedExtragradientState)
    base = jax.tree.map(lambda p, x: x.astype(p.dtype), params, found.base_point)
    return _select(found.phase == 0, params, base)


def _select(condition: jax.Array, if_true: optax.Params, if_false: optax.Params) -> optax.Params:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)
