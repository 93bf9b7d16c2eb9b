# SPDX-License-Identifier: Apache-2.0
r"""The iterate of a Frank-Wolfe method as a convex combination of atoms, and steps between them.

    x = sum_i w_i a_i,      w_i >= 0,      sum_i w_i = 1,      a_i in C.

Shapes are fixed: there is room for `max_atoms`, and a slot of weight 0 is free. A step goes from x
or from an atom a, the away atom, to x or to an atom, that of the oracle or one of the set:

    toward      d = s - x       w <- (1 - eta) w + eta e_s              eta_max = 1
    away        d = x - a       w <- (1 + eta) w - eta e_a              eta_max = w_a / (1 - w_a)
    pairwise    d = s - a       w <- w + eta e_s - eta e_a              eta_max = w_a.

With eta = eta_max the last two leave a with weight 0: it is dropped. So is every atom whose weight
is at round-off.

What the papers need not say:

- Whether the oracle's atom is in the set is decided by what it is good for: where the best atom of
  the set has the same product with g, up to round-off, that one is taken. Two computations of one
  vertex need not agree in their last bits, nor two products with it.
- x is carried along, and its distance from sum_i w_i a_i bounded step by step: away steps enlarge
  it, the others do not shrink it. Where the bound exceeds `DRIFT` units of round-off of the set's
  size, x is computed from its atoms. So a step costs one pass over the atoms, for their products
  with g, and a second one in `DRIFT / _PER_STEP` steps or so; of the atoms themselves it reads four
  and writes two.
- Where the parameters are not at x, because somebody else moved them, the set starts anew from
  where they are, with the parameters for its only atom.
- Where there is no room for the oracle's atom the step is one between atoms of the set, unless that
  promises less than the step toward the oracle's (<g, a - s_loc> < <g, x - s>). Then the two
  lightest atoms become one, their weighted mean, and that step is taken: steps inside the set alone
  might end at the minimum over its hull, without a drop.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_integer
from ._compensated_sum import step_to
from ._frank_wolfe_step import step_size
from ._tree_vector import dimension, finfo, is_concrete, total, widen
from ._tree_vector import wide_dtype as sum_dtype
from ._wide_arithmetic import wide, wide_copy
from .lmo import ConstraintSet
from .step_rules import StepRule, ValueFn, inner_product

__all__: list[str] = []

DRIFT = 128
"""Of x from its atoms, at most, in units of round-off of the set's size."""

_PER_STEP = 8  # units: of the step, its retraction, and the weights and their sum


class ActiveSet(NamedTuple):
    """x and its atoms. Trees are like the parameters, float32 for 16-bit leaves."""

    weights: jax.Array  # w, (max_atoms,), 0 where there is no atom
    atoms: optax.Params  # a: leaves (max_atoms, *shape)
    point: optax.Params  # x^k
    size: jax.Array  # the largest |coordinate| of the oracle's atoms and of the start
    drift: jax.Array  # a bound of |x - sum_i w_i a_i|, in units of round-off of the size
    crowded: jax.Array  # steps toward a new atom for which there was no room, int32
    merges: jax.Array  # those of them that made room, int32
    restarts: jax.Array  # steps before which somebody else had moved the parameters, int32


class View(NamedTuple):
    """What a method knows when it chooses its step."""

    weights: jax.Array
    x: optax.Params
    s: optax.Params  # LMO(g), or the atom of the set that is as good
    a: optax.Params  # argmax of <g, a_i> over the set
    local: optax.Params  # argmin of <g, a_i> over the set
    index_a: jax.Array
    index_local: jax.Array
    gap: jax.Array  # <g, x - s>
    away_gap: jax.Array  # <g, a - x>
    local_gap: jax.Array  # <g, a - s_loc>
    alone: jax.Array  # the set has one atom
    known: jax.Array  # s is in the set
    crowded: jax.Array  # it is not, and there is no room for it
    moved: jax.Array  # the parameters are not where the last step left them
    size: jax.Array


class Move(NamedTuple):
    """A step along d = (head) - (tail), with booleans for both."""

    gains: jax.Array  # the head is an atom, else x
    loses: jax.Array  # the tail is the away atom, else x
    local: jax.Array  # the atom at the head is the best of the set, else the oracle's


class Outcome(NamedTuple):
    """What became of the set."""

    dropped: jax.Array  # the away atom, and no other came
    swapped: jax.Array  # the away atom, for a new one


def require_max_atoms(max_atoms: Any) -> None:
    if max_atoms is not None:
        require_integer("max_atoms", max_atoms, 2)


def number_of_atoms(max_atoms: Any, params: optax.Params, state: Any = None) -> int:
    """max_atoms as an int; where it is traced, of an existing state."""
    if max_atoms is None:
        return max(dimension(params) + 1, 2)
    if is_concrete(max_atoms):
        return int(max_atoms)
    if state is None:
        raise TypeError(
            "max_atoms must be known in `init`, because it is the size of the active set; under "
            'inject_hyperparams run `init` outside jit or pass static_args=("max_atoms",).'
        )
    weights = getattr(getattr(state, "active", None), "weights", None)
    return 2 if weights is None else int(weights.shape[0])


def fresh_set(params: optax.Params, max_atoms: int) -> ActiveSet:
    """The set whose only atom is the start; works on shapes."""
    x = wide_copy(params)
    dtype = sum_dtype(x)

    def first_of_many(leaf: jax.Array) -> jax.Array:
        return jnp.zeros((max_atoms, *leaf.shape), leaf.dtype).at[0].set(leaf)

    return ActiveSet(
        weights=jnp.zeros(max_atoms, dtype).at[0].set(1),
        atoms=jax.tree.map(first_of_many, x),
        point=x,
        size=_largest(x),
        drift=jnp.zeros([], dtype),
        crowded=jnp.zeros([], jnp.int32),
        merges=jnp.zeros([], jnp.int32),
        restarts=jnp.zeros([], jnp.int32),
    )


def look(
    constraint: ConstraintSet, active: ActiveSet, gradient: optax.Updates, params: optax.Params
) -> View:
    """Asks the oracle and every atom of the set."""
    s = constraint.lmo(gradient)
    size = jnp.fmax(active.size, _largest(s))  # the answer to a NaN is NaN

    # The parameters are p + round(x - p), rounded: 1.5 units off at most. A NaN has moved, too.
    p = wide(params, params)
    offsets = jax.tree.map(
        lambda here, left, own: (
            jnp.max(jnp.abs(here - left), initial=0).astype(size.dtype)
            / float(finfo(own.dtype).eps)
        ),
        p,
        active.point,
        params,
    )
    worst = jnp.max(jnp.stack([jnp.zeros_like(size), *jax.tree.leaves(offsets)]))
    moved = ~(worst <= 2 * size)
    x = _where(moved, p, active.point)
    size = jnp.where(moved, jnp.fmax(_largest(p), _largest(s)), size)
    slots = jnp.arange(active.weights.size)
    weights = jnp.where(moved, (slots == 0).astype(size.dtype), active.weights)

    products = _products(active.atoms, gradient, weights)
    index_a = jnp.argmax(jnp.where(weights > 0, products, -jnp.inf))
    index_local = jnp.argmin(jnp.where(weights > 0, products, jnp.inf))
    a = _where(moved, x, _row(active.atoms, index_a))
    local = _where(moved, x, _row(active.atoms, index_local))

    # Of the difference, not of the products: of two equal atoms it is 0.
    excess = inner_product(gradient, _minus(local, s))
    terms = jax.tree.map(
        lambda g, left, right: jnp.abs(g) * jnp.maximum(jnp.abs(left), jnp.abs(right)),
        gradient,
        local,
        s,
    )
    known = excess <= 4 * _eps(size) * total(terms)
    s = _where(known, local, s)
    return View(
        weights=weights,
        x=x,
        s=s,
        a=a,
        local=local,
        index_a=index_a,
        index_local=index_local,
        gap=inner_product(gradient, _minus(x, s)),
        away_gap=inner_product(gradient, _minus(a, x)),
        local_gap=inner_product(gradient, _minus(a, local)),
        alone=jnp.sum(weights > 0) == 1,
        known=known,
        crowded=jnp.all(weights > 0) & ~known,
        moved=moved,
        size=size,
    )


def take(
    view: View,
    move: Move,
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | StepRule,
    steps: jax.Array,
    gradient: optax.Updates,
    active: ActiveSet,
    params: optax.Params,
    value_fn: ValueFn | None,
) -> tuple[optax.Updates, ActiveSet, Outcome]:
    """The update of the parameters, the set after the step, and what became of it."""
    gains, loses, local = (jnp.asarray(flag) for flag in move)
    weights, dtype, eps = view.weights, view.size.dtype, _eps(view.size)
    slots = jnp.arange(weights.size)

    # Room for the oracle's atom: a free slot, or that of the lightest atom but one.
    lightest = jnp.argmin(weights)  # a free slot, where there is one
    second = jnp.argmin(jnp.where(slots == lightest, jnp.inf, weights))
    merging = view.crowded & gains & ~local
    pair = weights[lightest] + weights[second]
    share = jnp.where(pair > 0, weights[second] / jnp.where(pair > 0, pair, 1), 0)
    light = _row(active.atoms, lightest)
    merged = jax.tree.map(
        lambda one, other: one + share.astype(one.dtype) * (other - one),
        light,
        _row(active.atoms, second),
    )
    weights = jnp.where(merging & (slots == lightest), pair, weights)
    weights = jnp.where(merging & (slots == second), 0, weights)

    comes = ~view.known & ~local & (~view.crowded | merging)
    slot_s = jnp.where(comes, jnp.where(merging, second, lightest), view.index_local)
    row_s = _where(comes, view.s, view.local)

    # x^{k+1} = x^k + eta_k d
    head = _where(gains, row_s, view.x)
    d = _minus(head, _where(loses, view.a, view.x))
    is_s, is_a = slots == slot_s, slots == view.index_a
    w_a = weights[view.index_a]
    rest = jnp.sum(jnp.where(is_a, 0, weights))
    away = jnp.where(rest > 0, w_a / jnp.where(rest > 0, rest, 1), 0)
    largest = jnp.where(loses, jnp.where(gains, w_a, away), 1)
    eta = step_size(learning_rate, steps, gradient, view.x, d, largest, value_fn).astype(dtype)
    same = gains & (slot_s == view.index_a)
    gone = loses & ~same & (eta > 0) & (eta >= largest * (1 - 4 * eps))

    eta_gained, eta_lost = jnp.where(gains, eta, 0), jnp.where(loses, eta, 0)
    factor = 1 - eta_gained + eta_lost
    weights = factor * weights + jnp.where(is_s, eta_gained, 0) - jnp.where(is_a, eta_lost, 0)
    weights = jnp.where(gone & is_a, 0, weights)
    vanishes = weights <= 2 * eps
    forgotten = jnp.sum(jnp.where(vanishes, jnp.abs(weights), 0))
    weights = jnp.where(vanishes, 0, weights)
    weights = weights / jnp.sum(weights)

    # Two rows are written, whatever happens: a choice between arrays of atoms would copy them. No
    # NaN among them: a weight of 0 would not silence it.
    first = jnp.where(view.moved, 0, lightest)
    first_row = _where(view.moved, view.x, _where(merging, merged, light))
    atoms = _with_row(active.atoms, first, first_row)
    finite_s = jax.tree.map(lambda leaf: jnp.where(jnp.isnan(leaf), 0, leaf), row_s)
    atoms = _with_row(atoms, slot_s, finite_s)

    drift = jnp.where(view.moved, 0, active.drift)
    drift = factor * drift + _PER_STEP + 2 * forgotten / eps
    stepped = jax.tree.map(lambda xi, di: xi + eta.astype(xi.dtype) * di, view.x, d)
    renewed = drift > DRIFT
    stepped = jax.lax.cond(renewed, lambda: _combination(weights, atoms, stepped), lambda: stepped)
    x_next = constraint.retract(stepped)
    # A gradient that is not finite must not go unnoticed; the oracle answers it with NaN.
    x_next = jax.tree.map(lambda si, xi: jnp.where(jnp.isnan(si), si, xi), view.s, x_next)
    new_updates, _ = step_to(x_next, params)
    following = ActiveSet(
        weights=weights,
        atoms=atoms,
        point=x_next,
        size=view.size,
        drift=jnp.where(renewed, 0, drift),
        crowded=active.crowded + (view.crowded & gains).astype(jnp.int32),
        merges=active.merges + merging.astype(jnp.int32),
        restarts=active.restarts + view.moved.astype(jnp.int32),
    )
    swapped = gone & comes & gains
    return new_updates, following, Outcome(gone & ~swapped, swapped)


def _eps(like: jax.Array) -> float:
    return float(finfo(like.dtype).eps)


def _largest(tree: optax.Params) -> jax.Array:
    """The largest |coordinate|."""
    dtype = sum_dtype(tree)
    leaves = [jnp.max(jnp.abs(leaf), initial=0) for leaf in jax.tree.leaves(widen(tree))]
    return jnp.max(jnp.stack([jnp.zeros([], dtype), *leaves]))


def _where(condition: jax.Array, yes: optax.Params, no: optax.Params) -> optax.Params:
    return jax.tree.map(lambda one, other: jnp.where(condition, one, other), yes, no)


def _minus(left: optax.Params, right: optax.Params) -> optax.Params:
    return jax.tree.map(jnp.subtract, left, right)


def _row(atoms: optax.Params, index: jax.Array) -> optax.Params:
    return jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), atoms
    )


def _with_row(atoms: optax.Params, index: jax.Array, row: optax.Params) -> optax.Params:
    return jax.tree.map(
        lambda leaf, new: jax.lax.dynamic_update_index_in_dim(leaf, new, index, axis=0), atoms, row
    )


def _products(atoms: optax.Params, gradient: optax.Updates, weights: jax.Array) -> jax.Array:
    """<g, a_i> for every slot."""

    def product(leaf: jax.Array, g: jax.Array) -> jax.Array:
        rows = leaf.reshape(leaf.shape[0], g.size)
        # On accelerators a default product would have 19 bits.
        return jnp.matmul(rows, g.ravel(), precision=jax.lax.Precision.HIGHEST)

    parts = jax.tree.leaves(jax.tree.map(product, atoms, gradient))
    return sum((part.astype(weights.dtype) for part in parts), jnp.zeros_like(weights))


def _combination(weights: jax.Array, atoms: optax.Params, like: optax.Params) -> optax.Params:
    """sum_i w_i a_i."""

    def combine(leaf: jax.Array, model: jax.Array) -> jax.Array:
        rows = leaf.reshape(leaf.shape[0], model.size)
        flat = jnp.matmul(weights.astype(leaf.dtype), rows, precision=jax.lax.Precision.HIGHEST)
        return flat.reshape(model.shape)

    return jax.tree.map(combine, atoms, like)
