# SPDX-License-Identifier: Apache-2.0
r"""Kronecker factors of the second moment of the gradients, by maximum likelihood.

If the entries of a matrix G are Gaussian with the covariance S_a kron S_b, the likeliest factors
solve S_a = E[G S_b^{-1} G^T] / d_b and S_b = E[G^T S_a^{-1} G] / d_a. Their running averages are

    S_a = s S_a + (1 - s) D_a,   D_a = G S_b^{-1} G^T / d_b,   S_b^{-1} = Q_b diag(1 / l_b) Q_b^T
    l_a = s l_a + (1 - s) diag(Q_a^T D_a Q_a)

and likewise for b, both from the l_a and l_b before: eigenvalues are averaged in the bases that
there are, which are older than they. A leaf with more axes has a factor for each, and D_k has the
inverses of all the others and is divided by the product of their sizes. An axis without a factor
counts as one whose factor is the identity.

The eigenvalues of a leaf begin, and begin anew when they vanished, with its first gradient that is
not zero: all are (mean G^2)^(1/r), r the number of its factors. Of all factors that are multiples
of the identity these are the likeliest, and they grow with the gradients.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._soap_axes import Structure, View
from ._soap_basis import gram, replicated, rotate, sharding_of
from ._soap_factors import Factors

__all__: list[str] = []

LEAST_SHARE = 1e-6
"""An eigenvalue below this share of its axis' largest counts as so large where it is inverted.

Directions in which there was no gradient for long have eigenvalues that tend to 0. One gradient in
such a direction would enter the other factors divided by that.
"""


def eigenvalue_field(
    structure: Structure,
    params: optax.Params,
    leaf_views: list[tuple[View, bool]],
    make: Callable[..., Any],
) -> Any:
    """The field of a state with `make(shape, dtype)`, a number for every vector of a basis."""
    return structure.field(params, leaf_views, lambda shape, dtype: make(shape[:-1], dtype))


def roots(eigenvalues: Factors) -> Factors:
    """The roots of the eigenvalues of every factor, none below its least share; 0 if all are 0."""
    return tuple(
        None if of_axis is None else jnp.sqrt(jnp.maximum(of_axis, LEAST_SHARE * _largest(of_axis)))
        for of_axis in eigenvalues
    )


def divided(x: jax.Array, by: Factors, *, batched: bool, eps: Any = 0) -> jax.Array:
    """X over the products of the numbers of its axes, plus eps; 0 where that is 0.

    Args:
      x: in the bases, a batch axis first if there is one.
      by: for every matrix axis None or a number for each of its entries.
      batched: whether there is a batch axis.
      eps: added to every product.
    """
    if not any(of_axis is not None for of_axis in by):
        return x
    # One axis after the other: gradients that are not too small to be squared leave room for it.
    product = functools.reduce(
        jnp.multiply,
        (
            _along(x, of_axis, axis, batched)
            for axis, of_axis in enumerate(by)
            if of_axis is not None
        ),
    )
    divisor = product + jnp.asarray(eps, x.dtype)
    return jnp.where(divisor > 0, x / jnp.where(divisor > 0, divisor, 1), 0)


def averaged(
    x: jax.Array,
    rotated: jax.Array,
    factors: Factors,
    bases: Factors,
    eigenvalues: Factors,
    s: Any,
    *,
    batched: bool,
) -> tuple[Factors, Factors]:
    """The factors and their eigenvalues after a gradient.

    Args:
      x: the gradient, a batch axis first if there is one.
      rotated: the gradient in the bases.
      factors: S_a, S_b, ..., None for an axis without one; so for the next two.
      bases: Q_a^T, Q_b^T, ..., rows are vectors.
      eigenvalues: l_a, l_b, ... before.
      s: the decay.
      batched: whether there is a batch axis.
    """
    s = jnp.asarray(s, x.dtype)
    old, begins = _begun(x, eigenvalues, batched)
    inverted = roots(old)
    new_factors: list[jax.Array | None] = []
    new_eigenvalues: list[jax.Array | None] = []
    for axis, (factor, before) in enumerate(zip(factors, old, strict=True)):
        if factor is None or before is None:
            new_factors.append(None)
            new_eigenvalues.append(None)
            continue
        others = _without(inverted, axis)
        whitened = divided(
            rotate(x, _without(bases, axis), batched=batched), others, batched=batched
        )
        others_size = math.prod(x.shape[batched:]) // x.shape[batched + axis]
        new_factors.append(
            s * factor + (1 - s) / others_size * gram(_bounded(whitened), axis, batched=batched)
        )
        squares = jnp.square(_bounded(divided(rotated, others, batched=batched)))
        diagonal = _whole(jnp.mean(squares, axis=_other_axes(x, axis, batched)))
        new_eigenvalues.append(jnp.where(begins, before, s * before + (1 - s) * diagonal))
    return tuple(new_factors), tuple(new_eigenvalues)


def _begun(x: jax.Array, eigenvalues: Factors, batched: bool) -> tuple[Factors, jax.Array]:
    """The eigenvalues, those of a leaf that has none yet from its gradient; and whether it has not.

    An entry of a stack is a leaf of its own.
    """
    kept = [of_axis for of_axis in eigenvalues if of_axis is not None]
    smallest = float(tv.finfo(x.dtype).tiny)
    begins = functools.reduce(jnp.logical_or, (_largest(of_axis) < smallest for of_axis in kept))
    axes = tuple(range(int(batched), x.ndim))
    largest = jnp.max(jnp.abs(x), axis=axes, keepdims=True)
    mean = jnp.mean(jnp.square(x / jnp.where(largest > 0, largest, 1)), axis=axes, keepdims=True)
    size = _whole(largest * jnp.sqrt(mean)).reshape(begins.shape)
    start = size ** (2 / len(kept))
    return tuple(
        None if of_axis is None else jnp.where(begins, start, of_axis) for of_axis in eigenvalues
    ), begins


def _largest(of_axis: jax.Array) -> jax.Array:
    return jnp.max(of_axis, axis=-1, keepdims=True)


def _without(factors: Factors, axis: int) -> Factors:
    return tuple(None if place == axis else one for place, one in enumerate(factors))


def _other_axes(x: jax.Array, axis: int, batched: bool) -> tuple[int, ...]:
    return tuple(place for place in range(int(batched), x.ndim) if place != axis + batched)


def _along(x: jax.Array, of_axis: jax.Array, axis: int, batched: bool) -> jax.Array:
    """The numbers of one axis where they belong among the axes of x."""
    return jnp.expand_dims(of_axis, _other_axes(x, axis, batched))


def _bounded(x: jax.Array) -> jax.Array:
    """Where gradients grow at once by what a dtype can hold, their squares still have room."""
    most = math.sqrt(float(tv.finfo(x.dtype).max) / (4 * max(x.size, 1)))
    return jnp.clip(x, -most, most)


def _whole(x: jax.Array) -> jax.Array:
    """On all devices, as the factors are."""
    return x if sharding_of(x) is None else jax.sharding.reshard(x, replicated(x))
