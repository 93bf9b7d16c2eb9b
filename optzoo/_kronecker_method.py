# SPDX-License-Identifier: Apache-2.0
"""What KL-Shampoo and KL-SOAP share: arguments, a state's fields, a call, and steps of directions.

They differ in what they do in the bases with a gradient, which each hands in as its `Rule`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _decoupled_decay
from . import _tree_vector as tv
from ._arguments import require_matching_tree
from ._kronecker_factors import averaged, eigenvalue_field
from ._soap_arguments import Hyperparameters, require_known
from ._soap_axes import Structure, View, require_real_floating
from ._soap_basis import rotate
from ._soap_factors import Factors, by_axis, by_leaf
from ._soap_gradients import all_finite, narrow, squared_norms, wide_dtype
from ._soap_moment import adam_direction
from ._soap_places import on_one_device
from ._soap_refresh import KEEP, QR, in_groups, phase_of, refreshed
from ._state_layout import require_own_state

__all__: list[str] = []


class Leaf(NamedTuple):
    """A leaf in a call: what a rule makes its direction of."""

    view: View
    g: jax.Array
    rotated: jax.Array  # the gradient in the bases, as viewed
    m: jax.Array
    v: Any  # None where the rule keeps none
    bases: Factors
    eigenvalues: Factors  # with this call's gradient in them
    t: jax.Array
    moves: jax.Array  # whether this call is one after the first, and not skipped


Direction = tuple[jax.Array, Any, jax.Array]  # M and V after the call, and U


class Rule(NamedTuple):
    """A method, by what it does in the bases."""

    state: Callable[..., Any]  # a NamedTuple with count, skipped, failed, mu, nu, gram, ...
    moments_in_bases: bool  # M is kept in them, and V for every leaf; else V for leaves without
    direction: Callable[[Leaf, Hyperparameters], Direction]


def directions(
    rule: Rule, numbers: Hyperparameters, structure: Structure
) -> optax.GradientTransformationExtraArgs:
    """The transformation whose updates are directions, without a learning rate or a sign."""

    def update_fn(
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, Any]:
        del extra_args
        found, new_state = _called(rule, updates, state, params, numbers, structure)
        return jax.tree.map(lambda u, m: u.astype(m.dtype), found, state.mu), new_state

    return optax.GradientTransformationExtraArgs(
        functools.partial(_initial, rule, structure), update_fn
    )


def steps(
    name: str,
    rule: Rule,
    numbers: Hyperparameters,
    structure: Structure,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: Any,
    mask: Any,
) -> optax.GradientTransformationExtraArgs:
    """The method, with a learning rate and a decay."""

    def called(updates: Any, state: Any, params: Any) -> tuple[Any, Any]:
        return _called(rule, updates, state, params, numbers, structure)

    init = functools.partial(_initial, rule, structure)
    return _decoupled_decay.steps(name, init, called, learning_rate, weight_decay, mask)


def adam(leaf: Leaf, g: jax.Array, numbers: Hyperparameters) -> Direction:
    """Adam in whatever coordinates the gradient is given in, with SOAP's place for eps."""
    b1, b2 = (jnp.asarray(x, g.dtype) for x in (numbers.b1, numbers.b2))
    m, v = leaf.m.astype(g.dtype), leaf.v.astype(g.dtype)
    m = jnp.where(leaf.moves, b1 * m + (1 - b1) * g, m)
    v = jnp.where(leaf.moves, b2 * v + (1 - b2) * jnp.square(g), v)
    u = adam_direction(m, v, leaf.v.dtype, leaf.t, leaf.moves, numbers)
    return narrow(m, leaf.m), narrow(v, leaf.v), u


# --- The state ---


def _initial(rule: Rule, structure: Structure, params: optax.Params) -> Any:
    require_real_floating(params)
    require_known(structure)
    return _state(rule, structure, params, jnp.zeros_like, jnp.zeros, _coordinates)


def _state(
    rule: Rule,
    structure: Structure,
    params: optax.Params,
    like: Callable[[Any], Any],
    zeros: Callable[..., Any],
    coordinates: Callable[..., Any],
) -> Any:
    """A state of arrays, or of their shapes."""
    leaf_views = structure.views(params)
    nu = jax.tree.map(like, params)
    factors = structure.field(params, leaf_views, zeros)
    if not rule.moments_in_bases:
        nu = _where_no_factor(params, leaf_views, factors, nu)
    return rule.state(
        count=zeros((), jnp.int32),
        skipped=zeros((), jnp.int32),
        failed=zeros((), jnp.int32),
        mu=jax.tree.map(like, params),
        nu=nu,
        gram=factors,
        basis=structure.field(params, leaf_views, coordinates),
        eigenvalues=eigenvalue_field(structure, params, leaf_views, zeros),
    )


def _where_no_factor(
    params: optax.Params, leaf_views: list[tuple[View, bool]], field: Any, tree: Any
) -> Any:
    treedef: Any = jax.tree.structure(params)
    ranks = [len(view.sizes) for view, _ in leaf_views]
    leaves = zip(jax.tree.leaves(tree), by_leaf(treedef, field, ranks), strict=True)
    return treedef.unflatten([None if _has_any(one) else leaf for leaf, one in leaves])


def _has_any(factors: Factors) -> bool:
    return any(one is not None for one in factors)


def _coordinates(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)


def _require_own_state(rule: Rule, structure: Structure, state: Any, params: optax.Params) -> None:
    decided = ("gram", "basis", "eigenvalues") + (() if rule.moments_in_bases else ("nu",))
    known = structure if structure.is_known else structure._replace(max_precond_dim=0)

    def itself(leaf: Any) -> Any:
        return leaf

    shapes = jax.ShapeDtypeStruct
    fresh = _state(rule, known, params, itself, shapes, shapes)
    settings = dict.fromkeys(decided, structure._asdict())
    require_own_state(state, fresh, settings, () if structure.is_known else decided)


# --- A call ---


def _called(
    rule: Rule,
    updates: optax.Updates,
    state: Any,
    params: optax.Params | None,
    numbers: Hyperparameters,
    structure: Structure,
) -> tuple[optax.Updates, Any]:
    """U, at least in float32, and the state after the call."""
    updates = tv.as_floating("updates", updates)
    like = tv.as_floating("params", getattr(state, "mu", updates) if params is None else params)
    require_matching_tree("updates", updates, like)
    _require_own_state(rule, structure, state, like)

    treedef: Any = jax.tree.structure(updates)
    leaf_views = [view for view, _ in structure.views(like)]
    ranks = [len(view.sizes) for view in leaf_views]
    old_mu, old_nu = jax.tree.leaves(state.mu), treedef.flatten_up_to(state.nu)
    old_gram, old_basis, old_eigenvalues = (
        by_leaf(treedef, field, ranks) for field in (state.gram, state.basis, state.eigenvalues)
    )
    gradients = [
        g.astype(wide_dtype(m)) for g, m in zip(jax.tree.leaves(updates), old_mu, strict=True)
    ]

    finite = all_finite(squared_norms(gradients))
    t = state.count
    # A branch, so that it is computed once and not in each of the kernels that need it.
    finite, moves, phase = jax.lax.cond(
        finite,
        lambda: (jnp.array(True), t > 0, phase_of(t, numbers.precondition_frequency)),
        lambda: (jnp.array(False), jnp.array(False), jnp.array(KEEP, jnp.int32)),
    )

    mu, nu, grams, eigenvalues, found = [], [], [], [], []
    for g, m, v, factors, bases, numbers_of_axes, view in zip(
        gradients, old_mu, old_nu, old_gram, old_basis, old_eigenvalues, leaf_views, strict=True
    ):
        kept, (m_new, v_new, u) = _leaf_called(
            rule, view, g, m, v, factors, bases, numbers_of_axes, t, finite, moves, numbers
        )
        grams.append(kept[0])
        eigenvalues.append(kept[1])
        mu.append(m_new)
        nu.append(v_new)
        found.append(u)

    to_turn = mu if rule.moments_in_bases else [None] * len(mu)
    places = [
        on_one_device(view, tuple(basis is not None for basis in of_leaf))
        for view, of_leaf in zip(leaf_views, old_basis, strict=True)
    ]
    groups = in_groups(places)
    phases = [phase] * len(groups)
    bases, turned, failures = refreshed(QR, phases, groups, grams, old_basis, to_turn, places)
    mu = turned if rule.moments_in_bases else mu
    new_state = rule.state(
        count=jnp.where(finite, optax.safe_increment(t), t),
        skipped=jnp.where(finite, state.skipped, optax.safe_increment(state.skipped)),
        failed=state.failed + failures,
        mu=treedef.unflatten(mu),
        nu=treedef.unflatten(nu),
        gram=by_axis(treedef, grams),
        basis=by_axis(treedef, bases),
        eigenvalues=by_axis(treedef, eigenvalues),
    )
    return treedef.unflatten(found), new_state


# Jitted, so that it is traced once for all leaves of one shape.
@functools.partial(jax.jit, static_argnames=("rule", "view"))
def _leaf_called(
    rule: Rule,
    view: View,
    g: jax.Array,
    m: jax.Array,
    v: Any,
    factors: Factors,
    bases: Factors,
    eigenvalues: Factors,
    t: jax.Array,
    finite: jax.Array,
    moves: jax.Array,
    numbers: Hyperparameters,
) -> tuple[tuple[Factors, Factors], Direction]:
    """The factors and their eigenvalues after the call, and what the rule makes of them."""
    x = view.of(g)
    rotated = rotate(x, bases, batched=view.batched)
    kept = (factors, eigenvalues)
    if _has_any(factors):
        new = averaged(x, rotated, *(factors, bases, eigenvalues), numbers.s, batched=view.batched)
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, kept)
    return kept, rule.direction(Leaf(view, g, rotated, m, v, bases, kept[1], t, moves), numbers)
