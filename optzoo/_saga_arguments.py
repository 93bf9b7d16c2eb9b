# SPDX-License-Identifier: Apache-2.0
"""Checks of what methods with a table of gradients are given: the batch, its rows, its features.

Only concrete values are checked; shapes and dtypes are known, and checked, under `jit` as well.
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_leaves_with_path

from ._tree_vector import is_concrete

__all__: list[str] = []


def require_num_samples(num_samples: Any) -> None:
    """Raises unless `num_samples` is a positive integer, or traced."""
    if isinstance(num_samples, jax.core.Tracer):
        return
    try:
        n = operator.index(num_samples)
    except TypeError:
        raise TypeError(f"num_samples must be an int, got {num_samples!r}.") from None
    if isinstance(num_samples, bool) or n < 1:
        raise ValueError(f"num_samples must be an int of at least 1, got {num_samples!r}.")


def known_num_samples(num_samples: Any) -> int:
    """The size of the table, for `init`; raises where it is traced."""
    if not is_concrete(num_samples):
        raise TypeError(
            "num_samples must be known in `init`, because it is the size of the table; under "
            'inject_hyperparams run `init` outside jit or pass static_args=("num_samples",).'
        )
    return int(num_samples)


def rows_of(state: Any) -> int:
    """The number of samples by the table of a state."""
    tables = jax.tree.leaves(getattr(state, "table", ()))
    return int(tables[0].shape[0]) if tables else 0


def require_one_vector(params: optax.Params) -> None:
    """Raises unless the parameters are one vector."""
    leaves = jax.tree.leaves(params)
    if leaves and (len(leaves) != 1 or len(leaves[0].shape) != 1):
        raise ValueError(
            'table="linear" needs parameters of one vector of shape (d,), got leaves of shapes '
            f"{[leaf.shape for leaf in leaves]}."
        )


def require_indices(indices: Any, n: int, name: str = "indices") -> None:
    """Raises unless `indices` is a batch of 1 to n integers in [0, n)."""
    if not hasattr(indices, "dtype") or not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(f"{name} must be an integer array of shape (b,), got {indices!r}.")
    if indices.ndim != 1 or not 1 <= indices.shape[0] <= n:
        raise ValueError(
            f"{name} must have shape (b,) with 1 <= b <= num_samples = {n}, got {indices.shape}."
        )
    if not isinstance(indices, jax.core.Tracer):
        with jax.ensure_compile_time_eval():
            low, high = int(jnp.min(indices)), int(jnp.max(indices))
        if low < 0 or high >= n:
            raise ValueError(
                f"{name} must lie in [0, num_samples) = [0, {n}), got values from {low} to {high}."
            )


def require_features(features: Any, linear: bool, shape: tuple[int, int]) -> None:
    """Raises unless features are given for a linear table, and only there."""
    if not linear:
        if features is not None:
            raise ValueError('features belongs to table="linear"; this table holds rows.')
        return
    if features is None:
        raise ValueError(
            "saga_sarah_frank_wolfe: the extra argument `features` is missing; "
            f'table="linear" needs the rows a_i, of shape {shape}.'
        )
    if jnp.shape(features) != shape:
        raise ValueError(f"features must have shape {shape}, got {jnp.shape(features)}.")


def require_feature_tree(
    name: str, features: Any, params: optax.Params, count: int, linear: bool
) -> None:
    """Raises unless features like `count` rows of parameters are given for a linear table."""
    if linear and features is None:
        raise ValueError(
            f"the extra argument `{name}` is missing; a linear table needs the a_i, a tree like "
            f"the parameters whose leaves have a leading axis of {count}."
        )
    if linear:
        require_entries(name, features, params, count, linear=False)
    elif features is not None:
        raise ValueError(f'{name} belongs to table="linear"; this table holds rows.')


def require_entries(name: str, entries: Any, params: Any, count: int, linear: bool) -> None:
    """Raises unless there are `count` scalars, or rows like the parameters."""
    if linear:
        if not hasattr(entries, "shape"):
            structure: Any = jax.tree.structure(entries)
            raise ValueError(
                f"{name} must have the structure of one array, scalars of shape ({count},); it "
                f"has {structure}."
            )
        if entries.shape != (count,):
            raise ValueError(f"{name} must be scalars of shape ({count},), got {entries.shape}.")
        return
    given: Any = jax.tree.structure(entries)
    expected: Any = jax.tree.structure(params)
    if given != expected:
        raise ValueError(
            f"{name} must have the tree structure of params, {expected}; it has {given}."
        )
    leaves = zip(jax.tree.leaves(entries), tree_leaves_with_path(params), strict=True)
    for rows, (path, param) in leaves:
        if jnp.shape(rows) != (count, *param.shape):
            raise ValueError(
                f"{name}{keystr(path)} must have one row per sample, shape "
                f"{(count, *param.shape)}; it has {jnp.shape(rows)}."
            )
