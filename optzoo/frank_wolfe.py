# SPDX-License-Identifier: Apache-2.0
r"""Frank-Wolfe and Sarah Frank-Wolfe: minimization over a set known by its linear oracle.

    minimize f(x) = (1/n) sum_i f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

Frank-Wolfe moves toward an extreme point of C and so never leaves it and never projects:

    s^k     = LMO(g^k)
    x^{k+1} = x^k + eta_k (s^k - x^k).

With g^k the full gradient it is the classical method, with g^k a minibatch gradient it is
stochastic Frank-Wolfe. Sarah Frank-Wolfe (Algorithm 1 of the paper) estimates the gradient
recursively and restarts the recursion from the full gradient with probability p:

    g^k = grad f(x^k)                                        with probability p, and at k = 0
    g^k = g^{k-1} + grad f_S(x^k) - grad f_S(x^{k-1})        otherwise,

where S is a fresh minibatch, drawn after x^k.

Differs from the paper:
 1. The paper forms g^{k+1} at the end of step k. Here g^k is formed at the beginning of call k,
    from a batch drawn after x^k, because an optax transformation is handed the gradient first.
    The sequence of (x^k, g^k) is the same.
 2. x^{k+1} is drawn radially back into C. In exact arithmetic this does nothing; in floating
    point it keeps the iterates feasible to a few units in the last place, however long the run.
 3. For 16-bit parameters the iterate and the estimate are kept in float32, the iterate as a
    compensated sum; in 16 bits, steps below 1/256 would be lost.

References:
  Frank, Wolfe, "An algorithm for quadratic programming", 1956.
  Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.
  Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: methods for constrained optimization with best
  rates and practical features", ICML 2024, arXiv:2304.11737.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_gradients,
    require_key,
    require_matching_tree,
    require_probability,
    require_step_size,
)
from ._coin import toss
from ._compensated_sum import zero_remainder
from ._frank_wolfe_step import (
    require_feasible_start,
    require_set,
    require_step,
    require_value_fn,
    step,
)
from ._minibatch_functions import GradientFn, checked_functions
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_zeros
from .lmo import ConstraintSet
from .step_rules import StepRule, ValueFn

__all__ = [
    "FrankWolfeState",
    "SarahFrankWolfeState",
    "frank_wolfe",
    "frank_wolfe_gap",
    "sarah_frank_wolfe",
]


class FrankWolfeState(NamedTuple):
    """State of `frank_wolfe`."""

    steps: jax.Array  # k, int32
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


class SarahFrankWolfeState(NamedTuple):
    """State of `sarah_frank_wolfe`."""

    key: jax.Array  # constant; the coin of step k is drawn from fold_in(key, k)
    steps: jax.Array  # k, int32
    restarts: jax.Array  # number of full gradients so far, the first one included, int32
    estimate: optax.Updates  # g^{k-1}, float32 for 16-bit leaves
    previous: optax.Params  # x^{k-1}, where the estimate was formed, in the parameters' dtype
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def frank_wolfe(
    constraint: ConstraintSet, learning_rate: optax.ScalarOrSchedule | StepRule
) -> optax.GradientTransformationExtraArgs:
    r"""Frank-Wolfe on the gradients it is given: full ones, or minibatch ones.

    .. math::
      s^k = \arg\min_{s \in C} \langle g^k, s \rangle, \qquad
      x^{k+1} = x^k + \eta_k (s^k - x^k).

    With minibatch gradients of a constant size it stalls at the level of their noise, which
    is what `sarah_frank_wolfe` cures.

    The parameters must start in C. The updates must reach the parameters unchanged (a
    transformation behind this one in a chain may shrink them, never enlarge them).

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`.
      learning_rate: eta_k in (0, 1], a number, a schedule such as
        `optzoo.open_loop_schedule()`, or a rule that looks at the function:
        `optzoo.short_step(smoothness)`, or `optzoo.exact_line_search()`, with which `update` is
        given the function too, `update(grads, state, params, value_fn=...)`. Rules are for full
        gradients.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32.

    Raises:
      ValueError: if the step is outside (0, 1], if the parameters are missing or start outside
        C, if the gradients do not match them, if the rule's `value_fn` is missing or no scalar
        function, or if the gradients are seen not to be its own.
      TypeError: if the constraint is not a set with a linear minimization oracle.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jnp.array([0.5, 0.3, 0.2])
      >>> loss = lambda x: jnp.sum((x - target) ** 2)
      >>> method = optzoo.frank_wolfe(optzoo.lmo.simplex(), optzoo.open_loop_schedule())
      >>> params = jnp.array([1.0, 0.0, 0.0])
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
      Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.
    """
    require_set(constraint)
    require_step(learning_rate)

    def fresh(params: optax.Params) -> FrankWolfeState:
        return FrankWolfeState(steps=jnp.zeros([], jnp.int32), remainder=zero_remainder(params))

    def init_fn(params: optax.Params) -> FrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: FrankWolfeState,
        params: optax.Params | None = None,
        *,
        value_fn: ValueFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, FrankWolfeState]:
        del extra_args
        params = require_gradients("frank_wolfe", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        require_value_fn("frank_wolfe", learning_rate, value_fn, updates, params, state.steps)
        new_updates, remainder = step(
            constraint,
            learning_rate,
            state.steps,
            wide(updates, params),
            params,
            state.remainder,
            value_fn,
        )
        return new_updates, FrankWolfeState(optax.safe_increment(state.steps), remainder)

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def sarah_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Sarah Frank-Wolfe: variance-reduced Frank-Wolfe with occasional full gradients.

    .. math::
      g^k &= \begin{cases}
        \nabla f(x^k) & \text{with probability } p \text{, and at } k = 0, \\
        g^{k-1} + \nabla f_S(x^k) - \nabla f_S(x^{k-1}) & \text{otherwise,}
      \end{cases} \\
      x^{k+1} &= x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    One step costs two minibatch gradients, and with probability p a full gradient instead. With
    p = b / (n + b) an accuracy eps takes of the order of n + sqrt(n) / eps gradients of single
    samples in the convex case, n + sqrt(n) / eps^2 in the non-convex one.

    `update(grads, state, params, *, grad_fn, full_grad_fn)`:

    - `grads`: the minibatch gradient at `params`; the batch is drawn afresh for every call.
    - `grad_fn(p)`: the gradient of the same minibatch at `p`; evaluated once, at the previous
      parameters, unless the method restarts.
    - `full_grad_fn(p)`: the full gradient at `p`; evaluated on a restart only (the first step
      is one). It sits in one branch of a `lax.cond`: under `vmap` both branches are computed,
      so run many replicates with `lax.map`.

    Functions cannot cross `jit`: call `update` inside the jitted step. `optax.MultiSteps`,
    clipping before this transformation and `optax.masked` change the gradients but not what
    `grad_fn` returns, so the difference of the two would be wrong: they are not supported. In a
    loop that is not jitted the first call evaluates `grad_fn(params)` to compare it with `grads`,
    and raises where they differ; under `jit`, and in `MultiSteps`, which calls `update` inside a
    `cond`, nobody knows the numbers: run one step without `jit` if in doubt.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule: `optzoo.open_loop_schedule()`,
        `optzoo.open_loop_schedule(4 / p)` or `optzoo.stich_schedule(horizon, p)`.
      restart_probability: p in (0, 1]; b / (n + b) balances the two kinds of work.
      key: a PRNG key for the restart coins; it is carried in the state.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The state
      counts `steps` and `restarts`; see `gradient_calls`.

    Raises:
      ValueError: if the step or p is out of range, if an extra argument or the parameters are
        missing, if the parameters start outside C, if a gradient does not match them, or if
        `grads` is seen to differ from `grad_fn(params)`.
      TypeError: if the constraint is not a set, p is not a number, or the key is not a key.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> features = jax.random.normal(jax.random.key(0), (64, 8))
      >>> targets = features @ jnp.eye(8)[0]
      >>> def loss(x, rows):
      ...     return jnp.mean((features[rows] @ x - targets[rows]) ** 2)
      >>> everything = jnp.arange(64)
      >>> method = optzoo.sarah_frank_wolfe(
      ...     optzoo.lmo.l1_ball(1.0), optzoo.open_loop_schedule(), 0.1, key=jax.random.key(1))
      >>> @jax.jit
      ... def step(params, state, rows):
      ...     grads = jax.grad(loss)(params, rows)
      ...     updates, state = method.update(
      ...         grads, state, params,
      ...         grad_fn=lambda p: jax.grad(loss)(p, rows),
      ...         full_grad_fn=lambda p: jax.grad(loss)(p, everything))
      ...     return optax.apply_updates(params, updates), state
      >>> params = jnp.zeros(8)
      >>> state = method.init(params)
      >>> for k in range(300):
      ...     rows = jax.random.randint(jax.random.key(k), (4,), 0, 64)
      ...     params, state = step(params, state, rows)
      >>> bool(loss(params, everything) < 1e-3)
      True

    References:
      Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: methods for constrained optimization with
      best rates and practical features", ICML 2024, arXiv:2304.11737.
    """
    require_set(constraint)
    require_step_size("learning_rate", learning_rate)
    require_probability("restart_probability", restart_probability)
    require_key("key", key)

    def fresh(params: optax.Params) -> SarahFrankWolfeState:
        return SarahFrankWolfeState(
            # A copy: a user who donates the state must not lose the key given here.
            key=jnp.copy(key),
            steps=jnp.zeros([], jnp.int32),
            restarts=jnp.zeros([], jnp.int32),
            estimate=wide_zeros(params),
            previous=jax.tree.map(jnp.zeros_like, params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SarahFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: SarahFrankWolfeState,
        params: optax.Params | None = None,
        *,
        grad_fn: GradientFn | None = None,
        full_grad_fn: GradientFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SarahFrankWolfeState]:
        del extra_args
        params = require_gradients("sarah_frank_wolfe", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        batch_gradient, full_gradient = checked_functions(
            "sarah_frank_wolfe", updates, params, state.steps, grad_fn, full_grad_fn
        )

        def restart() -> optax.Updates:
            # g^k = grad f(x^k)
            return full_gradient(params)

        def recursion() -> optax.Updates:
            # g^k = g^{k-1} + grad f_S(x^k) - grad f_S(x^{k-1})
            return jax.tree.map(
                lambda g, new, old: g + (new - old),
                state.estimate,
                wide(updates, params),
                batch_gradient(state.previous),
            )

        coin = jax.random.fold_in(state.key, state.steps)
        restarts_now = (state.steps == 0) | toss(coin, restart_probability)
        estimate = jax.lax.cond(restarts_now, restart, recursion)

        new_updates, remainder = step(
            constraint, learning_rate, state.steps, estimate, params, state.remainder
        )
        return new_updates, SarahFrankWolfeState(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            restarts=state.restarts + restarts_now.astype(jnp.int32),
            estimate=estimate,
            previous=params,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def frank_wolfe_gap(
    constraint: ConstraintSet, grads: optax.Updates, params: optax.Params
) -> jax.Array:
    r"""The Frank-Wolfe gap, a bound of the suboptimality that needs no optimum.

    .. math:: G(x) = \max_{s \in C} \langle \nabla f(x), x - s \rangle

    It is zero exactly at stationary points and at least f(x) - min f when f is convex.

    Args:
      constraint: the set C.
      grads: the full gradient at `params`, a tree like it.
      params: x, a point of C.

    Returns:
      The gap, a scalar of at least float32.

    Raises:
      ValueError: if the gradients do not match the parameters.
      TypeError: if the constraint is not a set, or a parameter is not a real floating array.

    Example:
      >>> import jax.numpy as jnp, optzoo
      >>> x = jnp.array([1.0, 0.0])
      >>> float(optzoo.frank_wolfe_gap(optzoo.lmo.simplex(), grads=x, params=x))
      1.0

    References:
      Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.
    """
    require_set(constraint)
    require_floating(params)
    require_matching_tree("grads", grads, params)
    g, x = wide(grads, params), wide(params, params)
    terms = jax.tree.leaves(
        jax.tree.map(lambda gi, xi, si: jnp.sum(gi * (xi - si)), g, x, constraint.lmo(g))
    )
    widest = jnp.result_type(jnp.float32, *(term.dtype for term in terms))
    return jnp.sum(jnp.stack([term.astype(widest) for term in terms]))
