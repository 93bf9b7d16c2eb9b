# SPDX-License-Identifier: Apache-2.0
r"""The stochastic conditional gradient: Frank-Wolfe with momentum, as networks are trained with it.

    m^k     = (1 - alpha_k) m^{k-1} + alpha_k g^k,    alpha_0 = 1,
    x^{k+1} = x^k + eta_k (LMO(m^k) - lambda x^k),    LMO(m) = argmin_{s in C} <m, s>.

C is a product of norm balls, one a layer (`optzoo.lmo.layerwise`). One formula has the family:

- lambda = 1 is Frank-Wolfe on C, with a momentum estimate of the gradient; Scion, with its radii.
- lambda = 0 is steepest descent in the norm whose ball C is: Muon, with its radii; unconstrained
  Scion; signSGD with momentum on the l-infinity ball.
- lambda in between is the second with decoupled weight decay and, in the same breath, the first
  with steps eta_k lambda on the set C / lambda, since

      x^{k+1} = (1 - eta_k lambda) x^k + eta_k lambda LMO_{C / lambda}(m^k).

  So a run of Muon with weight decay that starts in C / lambda stays there.

Differs from the papers:
 1. Scion's loop is x^{k+1} = x^k + eta_k (s - x^k) or x^k + eta_k s; Muon's decays weights by any
    lambda. Here lambda is the argument `weight_decay`.
 2. Scion's paper has a constant alpha after alpha_0 = 1, which leaves g^0 the weight (1 - alpha)^k,
    for long more than any other. Its code and Muon's begin their averages at zero, with a weight
    alpha for each gradient. A number alpha means theirs, alpha_k = alpha / (1 - (1 - alpha)^{k+1});
    the paper's is the schedule `lambda k: alpha`.
 3. Iterates are not drawn back into the set: every step forgets eta_k lambda of the round-off
    before it, so that no more than eps / (eta lambda) gathers. `sarah_frank_wolfe` draws back.
 4. For 16-bit parameters the average and the iterate are kept in float32, the iterate as a
    compensated sum; in 16 bits, steps below 1/256 would be lost.

References:
  Mokhtari, Hassani, Karbasi, "Stochastic conditional gradient methods: from convex minimization to
  submodular maximization", JMLR 21, 2020, arXiv:1804.09554 (the average; lambda = 1).
  Pethick, Xie, Antonakopoulos, Zhu, Silveti-Falls, Cevher, "Training deep learning models with
  norm-constrained LMOs", ICML 2025, arXiv:2502.07529 (Scion).
  Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    concrete_number,
    require_floating,
    require_gradients,
    require_in,
    require_learning_rate,
    require_probability,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._frank_wolfe_step import require_set
from ._state_layout import require_own_state
from ._wide_arithmetic import weighted, wide, wide_zeros
from .lmo import ConstraintSet

__all__ = ["StochasticConditionalGradientState", "stochastic_conditional_gradient"]


class StochasticConditionalGradientState(NamedTuple):
    """State of `stochastic_conditional_gradient`."""

    steps: jax.Array  # k, int32
    average: optax.Updates  # m^{k-1}, float32 for 16-bit leaves
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def stochastic_conditional_gradient(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    averaging: optax.ScalarOrSchedule = 0.1,
    weight_decay: jax.typing.ArrayLike = 1.0,
    *,
    nesterov: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Frank-Wolfe with momentum; Scion and Muon on the sets of `optzoo.lmo.layerwise`.

    .. math::
      m^k = (1 - \alpha_k) m^{k-1} + \alpha_k g^k, \quad \alpha_0 = 1, \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(m^k) - \lambda x^k\bigr)

    With `weight_decay=1` this is Frank-Wolfe and x stays in C. With `weight_decay=0` it is steepest
    descent in the norm of C. In between it is both: x stays in C / lambda. The parameters must
    start there, that is, lambda x^0 in C; for lambda = 0 anywhere. A value that is traced is not
    checked: from outside, the distance to C / lambda shrinks by 1 - eta lambda in every step.

    A leaf whose gradient is zero moves all the same: LMO answers an extreme point, for which zero
    counts as negative. On the l-infinity ball this holds of single entries; on the spectral-norm
    ball rows of zeros (tokens that no batch has had) stay what they are, but for the decay.
    `optax.partition` keeps what must not move, and gives AdamW to what you would not train in
    this way.

    Args:
      constraint: the set C, such as `optzoo.lmo.layerwise()`.
      learning_rate: eta_k, a positive number or a schedule of the steps; eta_k lambda <= 1.
      averaging: a number alpha in (0, 1], 1 - beta where momentum is written beta, for the
        exponential average, alpha_k = alpha / (1 - (1 - alpha)^{k+1}); or a schedule of alpha_k,
        which is not asked at the first step.
      weight_decay: lambda >= 0. 1 for Scion, 0 for unconstrained Scion and Muon.
      nesterov: whether LMO is asked about (1 - alpha_k) m^k + alpha_k g^k, as Muon does.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32.

    Raises:
      ValueError: if a number is out of range, the parameters are missing or start outside
        C / lambda, or the gradients do not match them.
      TypeError: if the constraint is not a set with a linear minimization oracle, or an argument or
        a leaf has the wrong type.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jnp.array([[0.3, 0.1], [0.0, -0.4]])
      >>> loss = lambda w: jnp.sum((w - target) ** 2)
      >>> params = jnp.zeros((2, 2))
      >>> method = optzoo.stochastic_conditional_gradient(
      ...     optzoo.lmo.layerwise(), optax.linear_schedule(0.1, 0.0, 200))
      >>> state = method.init(params)
      >>> @jax.jit
      ... def step(params, state):
      ...     updates, state = method.update(jax.grad(loss)(params), state, params)
      ...     return optax.apply_updates(params, updates), state
      >>> for _ in range(200):
      ...     params, state = step(params, state)
      >>> bool(loss(params) < 1e-3)
      True

    References:
      Pethick, Xie, Antonakopoulos, Zhu, Silveti-Falls, Cevher, "Training deep learning models with
      norm-constrained LMOs", ICML 2025, arXiv:2502.07529.
    """
    require_set(constraint)
    require_learning_rate("learning_rate", learning_rate)
    _require_averaging(averaging)
    require_in("weight_decay", weight_decay, 0.0, math.inf)
    if not isinstance(nesterov, bool):
        raise TypeError(f"nesterov must be True or False, got {nesterov!r}.")
    _require_convex_step(learning_rate, weight_decay)

    def fresh(params: optax.Params) -> StochasticConditionalGradientState:
        return StochasticConditionalGradientState(
            steps=jnp.zeros([], jnp.int32),
            average=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> StochasticConditionalGradientState:
        _require_start(constraint, params, weight_decay)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: StochasticConditionalGradientState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, StochasticConditionalGradientState]:
        del extra_args
        params = require_gradients("stochastic_conditional_gradient", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        k = state.steps
        eta = jnp.asarray(learning_rate(k) if callable(learning_rate) else learning_rate)
        alpha = _alpha(averaging, k)

        def averaged(m: optax.Updates, g: optax.Updates) -> optax.Updates:
            return jax.tree.map(jnp.add, weighted(1 - alpha, m), weighted(alpha, g))

        gradient = wide(updates, params)
        # m^k = (1 - alpha_k) m^{k-1} + alpha_k g^k
        average = averaged(state.average, gradient)
        s = constraint.lmo(averaged(average, gradient) if nesterov else average)
        # x^{k+1} = x^k + eta_k (s^k - lambda x^k)
        x = iterate(params, state.remainder)
        following = jax.tree.map(
            lambda xi, si, di: xi + eta.astype(xi.dtype) * (si - di),
            x,
            s,
            weighted(weight_decay, x),
        )
        new_updates, remainder = step_to(following, params)
        return new_updates, StochasticConditionalGradientState(
            optax.safe_increment(k), average, remainder
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _alpha(averaging: optax.ScalarOrSchedule, k: jax.Array) -> jax.Array:
    """The weight of g^k in m^k."""
    alpha = jnp.asarray(averaging(k) if callable(averaging) else averaging)
    if callable(averaging):
        return jnp.where(k == 0, jnp.ones_like(alpha), alpha)
    # alpha / (1 - (1 - alpha)^(k + 1)), without cancellation
    return alpha / -jnp.expm1((k + 1).astype(alpha.dtype) * jnp.log1p(-alpha))


def _require_averaging(averaging: Any) -> None:
    """Raises unless 0 < alpha <= 1, or, for a schedule, 0 <= alpha <= 1 where it is first used."""
    if not callable(averaging):
        require_probability("averaging", averaging)
        return
    number = concrete_number("averaging(1)", averaging(jnp.ones([], jnp.int32)))
    if number is not None and not 0.0 <= number <= 1.0:
        raise ValueError(f"averaging must lie in [0, 1] at step 1, got {number}.")


def _require_convex_step(learning_rate: Any, weight_decay: Any) -> None:
    """Raises unless eta lambda <= 1, at the first step of a schedule."""
    first = learning_rate(jnp.zeros([], jnp.int32)) if callable(learning_rate) else learning_rate
    eta = concrete_number("learning_rate", first)
    decay = concrete_number("weight_decay", weight_decay)
    if eta is not None and decay is not None and eta * decay > 1:
        raise ValueError(
            "learning_rate * weight_decay must be at most 1, because the next iterate is a convex "
            f"combination of this one and a point of the set; got {eta} * {decay}."
        )


def _require_start(constraint: ConstraintSet, params: optax.Params, weight_decay: Any) -> None:
    require_floating(params)
    leaves = jax.tree.leaves(params)
    decay = concrete_number("weight_decay", weight_decay)
    if not decay or not leaves or not all(hasattr(leaf, "__array__") for leaf in leaves):
        return  # anywhere is inside, or values are not known yet
    inside = constraint.contains(weighted(decay, params))
    if not isinstance(inside, jax.core.Tracer) and not bool(inside):
        raise ValueError(
            f"weight_decay * params must start inside the constraint set {constraint}, with "
            f"weight_decay = {decay}; it is outside. Start at constraint.project(params) for "
            "weight_decay = 1, take a larger radius, or decay less: 0 may start anywhere."
        )
