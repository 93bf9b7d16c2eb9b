# SPDX-License-Identifier: Apache-2.0
"""Mistakes that implementations of SOAP and Shampoo make, and the authors' own arrangement.

Those of SOAP are for leaves whose axes all have a basis or none; those of Shampoo are for one
matrix, those of KL-Shampoo for one leaf.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

import optzoo

from ...mutants import Call, altered

__all__ = [
    "bases_without_lag",
    "bias_correction_off_by_one",
    "columns_sorted",
    "decay_before_the_step",
    "field_of",
    "first_call_not_skipped",
    "gram_matrices_not_accumulated",
    "instantaneous_eigenvalues",
    "matrices_of",
    "momentum_not_rotated",
    "not_divided_by_the_other_size",
    "opposite_factor_dropped",
    "power_one_half",
    "second_moment_at_refreshes_only",
    "second_moment_not_permuted",
    "the_basis_leaks",
]

Result: TypeAlias = tuple[Any, Any]

# --- SOAP ---


@altered(optzoo.soap)
def second_moment_at_refreshes_only(call: Call) -> Result:
    """The second moment is remembered on refresh calls only."""
    updates, new = call.step()
    refresh = call.state.count % call.arguments["precondition_frequency"] == 0
    return updates, new._replace(nu=_chosen(refresh, new.nu, call.state.nu))


@altered(optzoo.soap)
def momentum_not_rotated(call: Call) -> Result:
    """At a refresh the coordinates of M stay as they are, and so belong to other vectors."""
    updates, new = call.step()
    return updates, new._replace(mu=_reexpressed(new.mu, new.basis, call.state.basis))


@altered(optzoo.soap)
def columns_sorted(call: Call) -> Result:
    """No mistake: after a refresh the vectors are in descending order, and M and V follow them."""
    updates, new = call.step()
    return updates, _sorted(call.state, new)


@altered(optzoo.soap)
def second_moment_not_permuted(call: Call) -> Result:
    """A refresh sorts the vectors, and V does not follow them."""
    updates, new = call.step()
    return updates, _sorted(call.state, new)._replace(nu=new.nu)


@altered(optzoo.soap)
def the_basis_leaks(call: Call) -> Result:
    """The gradient is rotated with a basis that it has already entered."""
    basis = call.step()[1].basis
    mu = _reexpressed(call.state.mu, call.state.basis, basis)
    updates, new = call.step(state=call.state._replace(basis=basis, mu=mu))
    return updates, new._replace(basis=basis, mu=_reexpressed(new.mu, new.basis, basis))


@altered(optzoo.soap)
def bases_without_lag(call: Call) -> Result:
    """A refresh takes the eigenvectors of the Gram matrices, instead of one power step."""
    updates, new = call.step()
    bases = []
    for before, after, grams in zip(
        *(matrices_of(field, new.mu) for field in (call.state.basis, new.basis, new.gram)),
        strict=True,
    ):
        turned: list[Any] = []
        for was, now, gram in zip(before, after, grams, strict=True):
            if now is None:
                turned.append(None)
                continue
            vectors = jnp.linalg.eigh(gram)[1].T
            nearest = jnp.argmax(jnp.abs(was @ vectors.T), axis=1)
            refreshed = jnp.any(was != now) & (call.state.count > 0)
            turned.append(jnp.where(refreshed, vectors[nearest], now))
        bases.append(tuple(turned))
    basis = field_of(bases, new.mu)
    mu = _reexpressed(new.mu, new.basis, basis)
    return updates, new._replace(mu=mu, basis=basis)


@altered(optzoo.soap)
def bias_correction_off_by_one(call: Call) -> Result:
    """Call $t$ is corrected as call $t + 1$."""
    updates, new = call.step()
    t = jnp.maximum(call.state.count, 1).astype(float)

    def correction(t: Any) -> jax.Array:
        return jnp.sqrt(1 - call.arguments["b2"] ** t) / (1 - call.arguments["b1"] ** t)

    factor = jnp.where(call.state.count > 0, correction(t + 1) / correction(t), 1.0)
    shrink = _shrink(call)  # an update is a step and its decay
    return jax.tree.map(
        lambda u, p: factor * (u + shrink * p) - shrink * p, updates, call.params
    ), new


@altered(optzoo.soap)
def decay_before_the_step(call: Call) -> Result:
    r"""$W \leftarrow (1 - \eta\lambda) W - \eta U$: the weights decay before the step is added."""
    updates, new = call.step()
    shrink = _shrink(call)
    return jax.tree.map(
        lambda u, p: (u + shrink * p) / (1 - shrink) - shrink * p, updates, call.params
    ), new


@altered(optzoo.soap)
def first_call_not_skipped(call: Call) -> Result:
    """The first gradient makes the bases and then a step, instead of the bases alone."""
    once = call.step()
    twice = call.step(state=once[1])
    chosen: Result = _chosen(call.state.count == 0, twice, once)
    return chosen


# --- Shampoo ---


@altered(optzoo.shampoo)
def gram_matrices_not_accumulated(call: Call) -> Result:
    """Every round forgets the Gram matrices before it."""
    gram = jax.tree.map(jnp.zeros_like, call.state.gram)
    return call.step(state=call.state._replace(gram=gram))


@altered(optzoo.shampoo)
def power_one_half(call: Call) -> Result:
    """$L^{-1/2} G R^{-1/2}$, the roots applied twice: steps that fall like $1/t$."""
    once, new = call.step()
    left, right = new.root
    return left @ once @ right, new


# --- KL-Shampoo ---


@altered(optzoo.kl_shampoo)
def opposite_factor_dropped(call: Call) -> Result:
    r"""The factors are Shampoo's $G G^\top / d_b$, without the inverse of the other."""
    s, old = call.arguments["shampoo_beta"], call.state.eigenvalues
    ones = jax.tree.map(jnp.ones_like, old)
    updates, new = call.step(state=call.state._replace(eigenvalues=ones))
    values = jax.tree.map(lambda a, b: a + s * (b - 1), new.eigenvalues, old)
    return updates, new._replace(eigenvalues=values)


@altered(optzoo.kl_shampoo)
def instantaneous_eigenvalues(call: Call) -> Result:
    """Eigenvalues are those of the last gradient in place of the average."""
    s, old = call.arguments["shampoo_beta"], call.state.eigenvalues
    updates, new = call.step()
    values = jax.tree.map(lambda a, b: (a - s * b) / (1 - s), new.eigenvalues, old)
    first = call.state.count == 0
    return updates, new._replace(eigenvalues=_chosen(first, new.eigenvalues, values))


@altered(optzoo.kl_shampoo)
def not_divided_by_the_other_size(call: Call) -> Result:
    r"""The factors are $E[G S_b^{-1} G^\top]$, without the division by $d_b$."""
    s, old = call.arguments["shampoo_beta"], call.state
    updates, new = call.step()

    def multiplied(now: Any, before: Any) -> Any:
        sides = [len(of_axis) for of_axis in now if of_axis is not None]
        return tuple(
            a if a is None else s * b + (a - s * b) * (sum(sides) - len(a))
            for a, b in zip(now, before, strict=True)
        )

    return updates, new._replace(
        gram=multiplied(new.gram, old.gram),
        eigenvalues=_chosen(
            old.count == 0, new.eigenvalues, multiplied(new.eigenvalues, old.eigenvalues)
        ),
    )


# --- What they are made of ---


def matrices_of(field: Any, like: Any) -> list[tuple[Any, ...]]:
    """For every leaf its matrices in a field of the state, axis by axis; None where there is none.

    Args:
        field: `gram`, `basis` or `root` of a state.
        like: a tree of the structure of the parameters.
    """
    structure: Any = jax.tree.structure(like)
    return list(zip(*map(structure.flatten_up_to, field), strict=True))


def field_of(matrices: list[tuple[Any, ...]], like: Any) -> Any:
    """The field of the state that has these matrices: the inverse of `matrices_of`."""
    structure: Any = jax.tree.structure(like)
    return tuple(map(structure.unflatten, zip(*matrices, strict=True)))


def _sorted(old: Any, new: Any) -> Any:
    """The state with the vectors in descending order after a refresh, and M and V in theirs."""
    structure: Any = jax.tree.structure(new.mu)
    mu, nu, bases = [], [], []
    for m, v, before, after, grams in zip(
        *(structure.flatten_up_to(tree) for tree in (new.mu, new.nu)),
        *(matrices_of(field, new.mu) for field in (old.basis, new.basis, new.gram)),
        strict=True,
    ):
        ordered: list[Any] = []
        for axis, (was, now, gram) in enumerate(zip(before, after, grams, strict=True)):
            if now is None:
                ordered.append(None)
                continue
            refreshed = jnp.any(was != now) & (old.count > 0)
            rayleigh = jnp.diag(was @ gram @ was.T)
            slots = jnp.arange(len(rayleigh))
            order = jnp.where(refreshed, jnp.argsort(rayleigh, descending=True), slots)
            ordered.append(now[order])
            m, v = jnp.take(m, order, axis=axis), jnp.take(v, order, axis=axis)
        mu.append(m)
        nu.append(v)
        bases.append(tuple(ordered))
    return new._replace(
        mu=structure.unflatten(mu), nu=structure.unflatten(nu), basis=field_of(bases, new.mu)
    )


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


def _shrink(call: Call) -> jax.Array:
    """The share by which the weights decay in this call."""
    shrunk = call.arguments["learning_rate"] * call.arguments["weight_decay"]
    return jnp.where(call.state.count > 0, shrunk, 0.0)


def _chosen(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
