# SPDX-License-Identifier: Apache-2.0
r"""Pairwise Frank-Wolfe: weight goes from the worst atom of the active set to the oracle's.

    minimize f(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

The iterate is a convex combination of atoms, x^k = sum_i w_i a_i. With g = grad f(x^k), s = LMO(g)
and a = argmax of <g, a_i> over the atoms,

    x^{k+1} = x^k + eta_k (s - a),    eta_k in [0, w_a].

With eta_k = w_a the atom a leaves the set: a drop step if s was in the set, a swap step if s is
new. All others are good steps.


Differs from the paper:
 1. The start may be any point of C, and is the first atom.
 2. There is room for `max_atoms` atoms. `_active_set.py` says what is done where that is too few,
    how the oracle's atom is found in the set, and how x^k is kept equal to its combination.
 3. Where there is no room for s, and two atoms are merged for it, the step is one of Frank-Wolfe.

References:
  Lacoste-Julien, Jaggi, "On the global linear convergence of Frank-Wolfe optimization variants",
  NeurIPS 2015, arXiv:1511.05932.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _active_set
from ._arguments import require_gradients
from ._frank_wolfe_step import (
    require_feasible_start,
    require_set,
    require_step,
    require_value_fn,
)
from ._state_layout import require_own_state
from ._wide_arithmetic import wide
from .lmo import ConstraintSet
from .step_rules import StepRule, ValueFn

__all__ = ["PairwiseFrankWolfeState", "pairwise_frank_wolfe"]


class PairwiseFrankWolfeState(NamedTuple):
    """State of `pairwise_frank_wolfe`."""

    steps: jax.Array  # k, int32
    drops: jax.Array  # steps that took an atom from the set, int32
    swaps: jax.Array  # steps that put a new atom in the place of another, int32
    active: _active_set.ActiveSet  # x^k = sum_i w_i a_i: weights w, atoms a, and x^k itself


def pairwise_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | StepRule,
    *,
    max_atoms: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Pairwise Frank-Wolfe: linear convergence over polytopes, moving two weights a step.

    .. math::
      x^{k+1} = x^k + \eta_k (s - a), \qquad \eta_k \le w_a, \qquad
      s = \mathrm{LMO}(g), \quad a = \arg\max_{a_i} \langle g, a_i \rangle.

    No weight but two changes, so that a sparse combination stays sparse. For a strongly convex f
    over a polytope the gap falls linearly in the number of good steps, `steps - drops - swaps`. The
    bound of the number of swap steps is loose; in practice they are few.

    A step costs one gradient, one call of the oracle and the products of the gradient with all
    atoms. Where the minimum lies inside a face of many vertices, such as one of a box, the set
    grows beyond the number of parameters, and a full one is slow: give it more room there, or take
    `blended_pairwise_frank_wolfe`, whose sets are the smallest.

    The first atom is the start, which need only lie in C. Linear convergence is proved for atoms
    that are vertices: until a start that is no vertex is dropped, its constant is that of the
    vertices and the start together. `constraint.lmo(params)` is a vertex.

    The gradients must be full ones. The updates must reach the parameters unchanged: where the
    parameters are moved otherwise, by more than round-off, the set starts anew from where they are
    (`state.active.restarts` counts it), and the method is Frank-Wolfe with a short memory.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: a rule, `optzoo.short_step(smoothness)` or `optzoo.exact_line_search()`, which
        the theorems are for; the second needs `update(grads, state, params, value_fn=...)`. A
        number in (0, 1] or a schedule is taken too, as min(eta_k, eta_max).
      max_atoms: room for so many atoms, an int of at least 2; by default the number of parameters
        plus 1, as many as a point of C needs (Caratheodory). They are `max_atoms` copies of the
        parameters in memory. A full set takes steps among its own atoms, or merges two of them:
        `state.active.crowded` and `state.active.merges` count both. Under
        `optax.inject_hyperparams` run `init` outside `jit`, or pass `static_args=("max_atoms",)`.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. The state counts
      `steps`, `drops` and
      `swaps`; for 16-bit parameters it keeps the iterate in float32. Of
      `state.active`, `weights` and `atoms` are the convex combination that the parameters are.

    Raises:
      ValueError: if the step is out of range, `max_atoms` below 2, the parameters are missing or
        start outside C, the gradients do not match them, the rule's `value_fn` is missing or no
        scalar function, or the gradients are seen not to be its own.
      TypeError: if the constraint is not a set with a linear minimization oracle, or an argument is
        no number of its kind.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> matrix = jnp.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
      >>> gradient = lambda x: matrix @ x - jnp.array([1.0, 1.0, -1.0])
      >>> simplex = optzoo.lmo.simplex()
      >>> method = optzoo.pairwise_frank_wolfe(simplex, optzoo.short_step(4.0))
      >>> x = jnp.array([0.0, 0.0, 1.0])
      >>> state = method.init(x)
      >>> @jax.jit
      ... def step(x, state):
      ...     updates, state = method.update(gradient(x), state, x)
      ...     return optax.apply_updates(x, updates), state
      >>> for _ in range(100):
      ...     x, state = step(x, state)
      >>> bool(optzoo.frank_wolfe_gap(simplex, gradient(x), x) < 1e-5)
      True

    References:
      Lacoste-Julien, Jaggi, "On the global linear convergence of Frank-Wolfe optimization
      variants", NeurIPS 2015, arXiv:1511.05932.
    """
    require_set(constraint)
    require_step(learning_rate)
    _active_set.require_max_atoms(max_atoms)

    def fresh(params: optax.Params, atoms: int) -> PairwiseFrankWolfeState:
        return PairwiseFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            drops=jnp.zeros([], jnp.int32),
            swaps=jnp.zeros([], jnp.int32),
            active=_active_set.fresh_set(params, atoms),
        )

    def init_fn(params: optax.Params) -> PairwiseFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params, _active_set.number_of_atoms(max_atoms, params))

    def update_fn(
        updates: optax.Updates,
        state: PairwiseFrankWolfeState,
        params: optax.Params | None = None,
        *,
        value_fn: ValueFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, PairwiseFrankWolfeState]:
        del extra_args
        name = "pairwise_frank_wolfe"
        params = require_gradients(name, updates, params)
        atoms = _active_set.number_of_atoms(max_atoms, params, state)
        require_own_state(
            state,
            jax.eval_shape(lambda p: fresh(p, atoms), params),
            {"active": {"max_atoms": max_atoms}},
        )
        require_value_fn(name, learning_rate, value_fn, updates, params, state.steps)

        gradient = wide(updates, params)
        view = _active_set.look(constraint, state.active, gradient, params)
        # A full set: from a to the best of its own atoms, unless that promises less.
        local = view.crowded & (view.local_gap >= view.gap)
        merging = view.crowded & ~local
        move = _active_set.Move(gains=jnp.array(True), loses=~merging, local=local)
        new_updates, active, outcome = _active_set.take(
            view,
            move,
            constraint,
            learning_rate,
            state.steps,
            gradient,
            state.active,
            params,
            value_fn,
        )
        return new_updates, PairwiseFrankWolfeState(
            steps=optax.safe_increment(state.steps),
            drops=state.drops + outcome.dropped.astype(jnp.int32),
            swaps=state.swaps + outcome.swapped.astype(jnp.int32),
            active=active,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
