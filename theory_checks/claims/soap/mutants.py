"""Mistakes that implementations of SOAP make, and the authors' own arrangement of the same numbers.

Each takes the arguments of `optzoo.soap`, by name, and makes one mistake. All are for leaves whose
axes all have a basis or none.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax

import optzoo

from .layout import field_of, matrices_of

__all__ = [
    "bias_correction_off_by_one",
    "columns_sorted",
    "decay_before_the_step",
    "first_call_not_skipped",
    "momentum_not_rotated",
    "second_moment_at_refreshes_only",
    "second_moment_not_permuted",
    "the_basis_leaks",
]

Method: TypeAlias = optax.GradientTransformationExtraArgs


def second_moment_at_refreshes_only(**arguments: Any) -> Method:
    """The second moment is remembered on refresh calls only."""
    method = optzoo.soap(**arguments)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        refresh = state.count % arguments["precondition_frequency"] == 0
        return new_updates, new._replace(nu=_chosen(refresh, new.nu, state.nu))

    return optax.GradientTransformationExtraArgs(method.init, update)


def momentum_not_rotated(**arguments: Any) -> Method:
    """At a refresh the coordinates of M stay as they are, and so belong to other vectors."""
    method = optzoo.soap(**arguments)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        return new_updates, new._replace(mu=_reexpressed(new.mu, new.basis, state.basis))

    return optax.GradientTransformationExtraArgs(method.init, update)


def columns_sorted(**arguments: Any) -> Method:
    """No mistake: after a refresh the vectors are in descending order, and M and V follow them."""
    return _sorted(optzoo.soap(**arguments), permute_second_moment=True)


def second_moment_not_permuted(**arguments: Any) -> Method:
    """A refresh sorts the vectors, and V does not follow them."""
    return _sorted(optzoo.soap(**arguments), permute_second_moment=False)


def the_basis_leaks(**arguments: Any) -> Method:
    """The gradient is rotated with a basis that it has already entered."""
    method = optzoo.soap(**arguments)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        _, ahead = method.update(updates, state, params, **extra_args)
        mu = _reexpressed(state.mu, state.basis, ahead.basis)
        leaked = state._replace(basis=ahead.basis, mu=mu)
        new_updates, new = method.update(updates, leaked, params, **extra_args)
        mu = _reexpressed(new.mu, new.basis, ahead.basis)
        return new_updates, new._replace(basis=ahead.basis, mu=mu)

    return optax.GradientTransformationExtraArgs(method.init, update)


def bias_correction_off_by_one(**arguments: Any) -> Method:
    """Call $t$ is corrected as call $t + 1$."""
    method = optzoo.soap(**arguments)

    def correction(t: Any) -> jax.Array:
        return jnp.sqrt(1 - arguments["b2"] ** t) / (1 - arguments["b1"] ** t)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        t = jnp.maximum(state.count, 1).astype(float)
        factor = jnp.where(state.count > 0, correction(t + 1) / correction(t), 1.0)
        shrink = _shrink(state, arguments)
        return (
            jax.tree.map(
                lambda u, p: factor * (u + shrink * p) - shrink * p,  # u is a step and its decay
                new_updates,
                params,
            ),
            new,
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def decay_before_the_step(**arguments: Any) -> Method:
    r"""$W \leftarrow (1 - \eta\lambda) W - \eta U$: the weights decay before the step is added."""
    method = optzoo.soap(**arguments)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        shrink = _shrink(state, arguments)
        return (
            jax.tree.map(
                lambda u, p: (u + shrink * p) / (1 - shrink) - shrink * p, new_updates, params
            ),
            new,
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def first_call_not_skipped(**arguments: Any) -> Method:
    """The first gradient makes the bases and then a step, instead of the bases alone."""
    method = optzoo.soap(**arguments)

    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        once = method.update(updates, state, params, **extra_args)
        twice = method.update(updates, once[1], params, **extra_args)
        return _chosen(state.count == 0, twice, once)

    return optax.GradientTransformationExtraArgs(method.init, update)


def _sorted(method: Method, *, permute_second_moment: bool) -> Method:
    def update(updates: Any, state: Any, params: Any, **extra_args: Any) -> tuple[Any, Any]:
        new_updates, new = method.update(updates, state, params, **extra_args)
        structure: Any = jax.tree.structure(updates)
        mu, nu, bases = [], [], []
        for m, v, old, found, grams in zip(
            *(structure.flatten_up_to(tree) for tree in (new.mu, new.nu)),
            *(matrices_of(field, updates) for field in (state.basis, new.basis, new.gram)),
            strict=True,
        ):
            ordered: list[Any] = []
            for axis, (before, after, gram) in enumerate(zip(old, found, grams, strict=True)):
                if after is None:
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
            mu=structure.unflatten(mu),
            nu=structure.unflatten(nu),
            basis=field_of(bases, updates),
        )

    return optax.GradientTransformationExtraArgs(method.init, update)


def _reexpressed(moments: Any, old: Any, new: Any) -> Any:
    """The same arrays in coordinates of other bases, rows being vectors."""
    structure: Any = jax.tree.structure(moments)
    turned = []
    for x, before, after in zip(
        structure.flatten_up_to(moments),
        *(matrices_of(field, moments) for field in (old, new)),
        strict=True,
    ):
        for axis, (was, now) in enumerate(zip(before, after, strict=True)):
            if was is not None:
                x = jnp.moveaxis(jnp.tensordot(now @ was.T, x, axes=(1, axis)), 0, axis)
        turned.append(x)
    return structure.unflatten(turned)


def _shrink(state: Any, arguments: dict[str, Any]) -> jax.Array:
    shrunk = arguments["learning_rate"] * arguments["weight_decay"]
    return jnp.where(state.count > 0, shrunk, 0.0)


def _chosen(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
