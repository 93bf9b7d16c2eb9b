# SPDX-License-Identifier: Apache-2.0
"""A table of the last gradient seen of every sample, and its mean, which is never summed anew.

The table holds rows like the parameters, or, where f_i(x) = phi_i(<a_i, x>), scalars phi_i', whose
gradients are phi_i' a_i with the features a_i. Its mean changes by the changed entries over n, each
distinct index once. A plain running mean would lose changes below half a unit in its last place,
which for large n is most of them: in float32 with n = 10^6 it would stand still. It is therefore
kept as a sum of two numbers.
"""

import jax
import jax.numpy as jnp
import optax

__all__: list[str] = []


def within(indices: jax.Array, n: int) -> jax.Array:
    """The indices, int32; n in the place of those out of range, where nothing can be read."""
    # Before they are compared with n, which a byte may not hold.
    known = indices.astype(jnp.int32) if indices.dtype.itemsize < 4 else indices
    return jnp.where((known >= 0) & (known < n), known, n).astype(jnp.int32)


def read_entries(table: optax.Updates, indices: jax.Array) -> optax.Updates:
    """The entries of a batch; NaN for an index out of range: it must not go unnoticed."""
    return jax.tree.map(lambda y: y.at[indices].get(mode="fill", fill_value=jnp.nan), table)


def changed_entries(
    indices: jax.Array, n: int, now: optax.Updates, before: optax.Updates
) -> optax.Updates:
    """What a batch changes: of equal indices the first counts."""
    is_first = _is_first_occurrence(indices, n)
    return jax.tree.map(
        lambda new, y: jnp.where(_like_rows(is_first, new), new - y, 0.0), now, before
    )


def write_entries(
    table: optax.Updates, indices: jax.Array, now: optax.Updates, before: optax.Updates
) -> optax.Updates:
    """The table with the entries of a batch renewed; `before` are those that it has now."""
    n = jax.tree.leaves(table)[0].shape[0]
    is_first = _is_first_occurrence(indices, n)

    def written(y: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
        # Repeats are dropped. That they offer the old row makes this write wait for the read;
        # without it the compiler copies the table to be able to do both at once.
        target = jnp.where(is_first, indices, n)
        return y.at[target].set(jnp.where(_like_rows(is_first, new), new, old), mode="drop")

    return jax.tree.map(written, table, now, before)


def batch_sum(entries: optax.Updates, features: optax.Updates | None) -> optax.Updates:
    """The sum over the leading axis of the gradients that the entries stand for.

    Args:
        entries: rows like the parameters; with features one array of scalars.
        features: the rows a_i, a tree like the parameters, in the dtypes of the sum; or None.
    """
    if features is None:
        return jax.tree.map(lambda rows: jnp.sum(rows, axis=0), entries)
    (scalars,) = jax.tree.leaves(entries)
    return jax.tree.map(
        # Full precision: on accelerators a default product would spoil the running mean.
        lambda a: jnp.tensordot(
            scalars.astype(a.dtype), a, axes=1, precision=jax.lax.Precision.HIGHEST
        ),
        features,
    )


def add_exactly(
    mean: optax.Updates, error: optax.Updates, change: optax.Updates
) -> tuple[optax.Updates, optax.Updates]:
    """(mean + error + change) as its rounding and what the rounding lost (Knuth's two-sum)."""
    change = jax.tree.map(jnp.add, change, error)
    rounded = jax.tree.map(jnp.add, mean, change)

    def lost(m: jax.Array, c: jax.Array, s: jax.Array) -> jax.Array:
        c_seen = s - m
        return (m - (s - c_seen)) + (c - c_seen)

    return rounded, jax.tree.map(lost, mean, change, rounded)


def twice(rows: jax.Array) -> jax.Array:
    """A batch of one sample as that of two equal ones.

    The compiler merges the read and the write of a single row with what surrounds them, and then
    copies the table.
    """
    return jnp.concatenate([rows, rows])


def _is_first_occurrence(indices: jax.Array, largest: int) -> jax.Array:
    """True where no earlier entry is equal, in O(b log b); the indices are 0, ..., largest."""
    b = indices.shape[0]
    if (largest + 1) * b < 2**31:
        # XLA sorts numbers several times as fast as pairs on CPUs.
        places = jnp.arange(b, dtype=jnp.int32)
        pairs = jnp.sort(indices.astype(jnp.int32) * b + places)
        ranked, order = pairs // b, pairs % b
    else:
        order = jnp.argsort(indices, stable=True)
        ranked = indices[order]
    starts = jnp.concatenate([jnp.ones(1, bool), ranked[1:] != ranked[:-1]])
    return jnp.zeros(indices.shape, bool).at[order].set(starts)


def _like_rows(flags: jax.Array, rows: jax.Array) -> jax.Array:
    return flags.reshape(flags.shape + (1,) * (rows.ndim - 1))
