"""Mistakes that implementations of SOAP make, and the authors' own arrangement of the same numbers.

Each takes a transformation made by `optzoo.soap` and returns it with the mistake; where the
learning rate or the decay matters, these are given again. All are for leaves whose axes all have
a basis or none.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax

__all__ = [
    "basis_leaks",
    "columns_sorted",
    "correction_off_by_one",
    "decay_before_step",
    "first_call_steps",
    "momentum_not_rotated",
    "second_moment_at_refreshes",
    "second_moment_not_permuted",
]

Method: TypeAlias = optax.GradientTransformationExtraArgs


def second_moment_at_refreshes(method: Method, frequency: int) -> Method:
    """V is remembered on refresh calls only."""

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        nu = _chosen(state.count % frequency == 0, new.nu, state.nu)
        return new_updates, new._replace(nu=nu)

    return optax.GradientTransformationExtraArgs(method.init, update)


def momentum_not_rotated(method: Method) -> Method:
    """At a refresh the coordinates of M stay, and so now belong to other vectors."""

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        return new_updates, new._replace(mu=_reexpressed(new.mu, new.basis, state.basis))

    return optax.GradientTransformationExtraArgs(method.init, update)


def columns_sorted(method: Method) -> Method:
    """No mistake: after a refresh the vectors are in descending order, and M and V follow them."""
    return _sorted(method, permute_second_moment=True)


def second_moment_not_permuted(method: Method) -> Method:
    """After a refresh the vectors are in descending order, and V does not follow them."""
    return _sorted(method, permute_second_moment=False)


def basis_leaks(method: Method) -> Method:
    """The gradient is rotated with a basis that it has already entered."""

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        _, ahead = method.update(updates, state, params, **extra_args)
        mu = _reexpressed(state.mu, state.basis, ahead.basis)
        leaked = state._replace(basis=ahead.basis, mu=mu)
        new_updates, new = method.update(updates, leaked, params, **extra_args)
        mu = _reexpressed(new.mu, new.basis, ahead.basis)
        return new_updates, new._replace(basis=ahead.basis, mu=mu)

    return optax.GradientTransformationExtraArgs(method.init, update)


def correction_off_by_one(
    method: Method, *, learning_rate: float, weight_decay: float, b1: float, b2: float
) -> Method:
    """The bias correction of call t + 1 at call t."""

    def correction(t: Any) -> jax.Array:
        return jnp.sqrt(1 - b2**t) / (1 - b1**t)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        t = jnp.maximum(state.count, 1).astype(float)
        factor = jnp.where(state.count > 0, correction(t + 1) / correction(t), 1.0)
        shrink = _shrink(state, learning_rate, weight_decay)
        return (
            jax.tree.map(
                lambda u, p: factor * (u + shrink * p) - shrink * p,  # u is a step and its decay
                new_updates,
                params,
            ),
            new,
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def decay_before_step(method: Method, *, learning_rate: float, weight_decay: float) -> Method:
    """W <- (1 - eta lambda) W - eta U: the step itself does not decay."""

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        shrink = _shrink(state, learning_rate, weight_decay)
        return (
            jax.tree.map(
                lambda u, p: (u + shrink * p) / (1 - shrink) - shrink * p, new_updates, params
            ),
            new,
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def first_call_steps(method: Method) -> Method:
    """The first gradient makes the bases and then a step, instead of the bases alone."""

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        once = method.update(updates, state, params, **extra_args)
        twice = method.update(updates, once[1], params, **extra_args)
        return _chosen(state.count == 0, twice, once)

    return optax.GradientTransformationExtraArgs(method.init, update)


def _sorted(method: Method, *, permute_second_moment: bool) -> Method:
    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        treedef: Any = jax.tree.structure(updates)
        mu, nu, bases = [], [], []
        for m, v, old, found, grams in zip(
            *(treedef.flatten_up_to(tree) for tree in (new.mu, new.nu)),
            *(_by_leaf(treedef, field) for field in (state.basis, new.basis, new.gram)),
            strict=True,
        ):
            ordered: list[Any] = []
            for axis, (before, after, gram) in enumerate(zip(old, found, grams, strict=True)):
                if gram is None:  # an axis of other leaves
                    ordered.append(None)
                    continue
                refreshed = jnp.any(before != after) & (state.count > 0)
                rayleigh = jnp.diag(before @ gram @ before.T)
                slots = jnp.arange(len(rayleigh))
                order = jnp.where(refreshed, jnp.argsort(rayleigh, descending=True), slots)
                ordered.append(after[order])
                m = jnp.take(m, order, axis=axis)
                if permute_second_moment:
                    v = jnp.take(v, order, axis=axis)
            mu.append(m)
            nu.append(v)
            bases.append(tuple(ordered))
        return new_updates, new._replace(
            mu=treedef.unflatten(mu),
            nu=treedef.unflatten(nu),
            basis=tuple(map(treedef.unflatten, zip(*bases, strict=True))),
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def _reexpressed(moments: Any, old: Any, new: Any) -> Any:
    """The same arrays in coordinates of other bases, rows being vectors."""
    treedef: Any = jax.tree.structure(moments)
    leaves = []
    for x, before, after in zip(
        treedef.flatten_up_to(moments),
        *(_by_leaf(treedef, field) for field in (old, new)),
        strict=True,
    ):
        for axis, (was, now) in enumerate(zip(before, after, strict=True)):
            if was is not None:
                x = jnp.moveaxis(jnp.tensordot(now @ was.T, x, axes=(1, axis)), 0, axis)
        leaves.append(x)
    return treedef.unflatten(leaves)


def _by_leaf(structure: Any, field: Any) -> list[tuple[Any, ...]]:
    """For every leaf its matrices, axis by axis."""
    return list(zip(*map(structure.flatten_up_to, field), strict=True))


def _shrink(state: Any, learning_rate: float, weight_decay: float) -> jax.Array:
    return jnp.where(state.count > 0, learning_rate * weight_decay, 0.0)


def _chosen(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
