# SPDX-License-Identifier: Apache-2.0
r"""Any optimizer on blocks of its parameters: a convolution as a matrix, an embedding in pieces.

    x  ->  (B_1, ..., B_n),      v_1, ..., v_n = tx(B_1, ..., B_n),      v  <-  (v_1, ..., v_n)

Methods with a matrix for every axis (SOAP, Shampoo) pay d^2 memory and d^3 work for an axis of d
entries. Cut into blocks of b entries, d / b matrices of b x b take their place: the preconditioner
is block diagonal.

References:
  Anil, Gupta, Koren, Regan, Singer, "Scalable second order optimization for deep learning", 2020,
  arXiv:2002.09018.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    is_real,
    require_floating,
    require_integer,
    require_matching_tree,
    require_params,
)
from ._blocks import Cut, cut
from ._state_layout import require_own_state

__all__ = ["ReshapedState", "reshaped"]


class ReshapedState(NamedTuple):
    """State of `reshaped`."""

    inner: optax.OptState  # of the inner transformation, whose parameters are the blocks


def reshaped(
    inner: optax.GradientTransformation,
    block_size: int | None = 1024,
    merge: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Runs a transformation on blocks of the parameters, each with merged axes.

    .. math::
      (B_1, \dots, B_n) = \mathrm{blocks}(x), \qquad
      v = \mathrm{blocks}^{-1}(\mathrm{inner}(B_1, \dots, B_n))

    First neighbouring axes are merged, from the left, while their product is at most `merge`; an
    axis of length 1 always is. A leaf keeps two axes, if it has them: a method for matrices does
    nothing for a vector. With `merge=1024` a convolution (3, 3, 64, 128) becomes the matrix
    (576, 128), and an attention head's (512, 8, 64) becomes (512, 512). Axes that are no neighbours
    are for `weight_dimension_numbers` of `optzoo.soap` and `optax.contrib.muon`.

    Then an axis of n > `block_size` entries is cut into ceil(n / block_size) blocks whose lengths
    differ by at most one: 50,257 rows into 7 blocks of 1006 and 43 of 1005. There is no padding,
    which would enter every mean, norm and Gram matrix over a block.

    The parameters of `inner` are a tuple of trees like the parameters: the first blocks of all
    leaves, the second blocks, and so on, with None where a leaf has no more. Every block is a leaf
    of its own, so that any transformation can be inside: nothing has to know of a batch axis. Where
    no leaf is cut or merged, `inner` is given the parameters as they are. So masks, labels and
    settings by a parameter's name belong outside: `optax.partition` or `optax.masked` around this.
    Inside, they must be functions of the tree. What `inner` computes over a leaf (a trust ratio,
    the factors of Adafactor) it computes over a block; elementwise methods are unchanged.

    Every block adds to the time that compilation takes. 50 blocks of 1005 x 64 under `soap` took
    28 s on two busy cores, as long as 11 of its steps.

    Extra arguments of `update` are cut wherever they hold a tree with the structure and the shapes
    of the parameters. Functions among them are given whole trees for trees of blocks, and what they
    return is cut.

    Leaves that are split over explicit mesh axes stay so along axes that are neither merged nor
    cut; along the others they are gathered. Every array of the state may be sharded as one likes.

    Args:
      inner: any optax transformation.
      block_size: the longest axis of a block, an integer of at least 1; None cuts nothing.
      merge: the longest axis that neighbours are merged into, an integer of at least 1; None
        merges nothing. Both decide the layout of the state, and are `static_args` under
        `optax.inject_hyperparams`.

    Returns:
      A transformation with a `ReshapedState`. Updates have the parameters' tree and shapes, and
      the dtypes that `inner` gives them. It needs `params` if `inner` does.

    Raises:
      TypeError: if an argument has the wrong type, or a parameter is not a real floating array.
      ValueError: if an argument is out of range, or a tree does not match the parameters.

    Example:
      An embedding: Gram matrices of 100 x 100 where there would be one of 1000 x 1000.

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> params = {"embedding": jnp.zeros((1000, 8)), "kernel": jnp.zeros((3, 3, 4, 8))}
      >>> method = optzoo.reshaped(optzoo.soap(3e-3), block_size=100, merge=100)
      >>> blocks = jax.eval_shape(method.init, params).inner.mu
      >>> len(blocks), blocks[0]["embedding"].shape, blocks[0]["kernel"].shape
      (10, (100, 8), (36, 8))
      >>> updates, state = method.update(params, method.init(params), params)
      >>> jax.tree.map(jnp.shape, updates)
      {'embedding': (1000, 8), 'kernel': (3, 3, 4, 8)}

    References:
      Anil, Gupta, Koren, Regan, Singer, "Scalable second order optimization for deep learning",
      2020, arXiv:2002.09018.
    """
    if not isinstance(inner, optax.GradientTransformation):
        raise TypeError(
            f"inner must be an optax transformation, such as optzoo.soap(3e-3), got {inner!r}."
        )
    block_size, merge = _known("block_size", block_size), _known("merge", merge)
    inner_update = optax.with_extra_args_support(inner).update

    def init_fn(params: optax.Params) -> ReshapedState:
        require_floating(params)
        return ReshapedState(inner.init(_Reshaping.of(params, block_size, merge).blocks(params)))

    def update_fn(
        updates: optax.Updates,
        state: ReshapedState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ReshapedState]:
        if params is not None:
            require_params("reshaped", params)
        like = updates if params is None else params
        require_matching_tree("updates", updates, like)
        reshaping = _Reshaping.of(like, block_size, merge)
        # The state of the inner transformation is its own affair.
        require_own_state(state, ReshapedState(getattr(state, "inner", None)))
        of_updates = reshaping.blocks(updates)
        moved, inner_state = inner_update(
            of_updates,
            state.inner,
            None if params is None else reshaping.blocks(params),
            **{name: reshaping.inside(argument) for name, argument in extra_args.items()},
        )
        require_matching_tree("the updates of inner", moved, of_updates)
        return reshaping.whole(moved), ReshapedState(inner_state)

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _known(name: str, value: Any) -> int | None:
    if value is None:
        return None
    size = require_integer(name, value, 1)
    if size is None:
        raise TypeError(
            f"{name} must be a concrete integer or None, because it decides the shapes of the "
            f'state; under inject_hyperparams pass static_args=("block_size", "merge").'
        )
    return size


class _Reshaping(NamedTuple):
    """Between trees like the parameters and trees of their blocks."""

    like: optax.Params
    cuts: tuple[Cut, ...]  # of its leaves

    @classmethod
    def of(cls, like: optax.Params, block_size: int | None, merge: int | None) -> "_Reshaping":
        return cls(like, tuple(cut(jnp.shape(x), block_size, merge) for x in jax.tree.leaves(like)))

    @property
    def is_identity(self) -> bool:
        """Whether there is nothing to do, as for a placeholder, which has no leaves."""
        return all(each.is_whole for each in self.cuts)

    def blocks(self, tree: Any) -> Any:
        """A tuple of trees like the parameters: the first blocks of all leaves, the second, ..."""
        if self.is_identity:
            return tree
        structure: Any = jax.tree.structure(tree)
        leaves = jax.tree.leaves(tree)
        of_leaves = [_blocks(each, leaf) for each, leaf in zip(self.cuts, leaves, strict=True)]
        return tuple(map(structure.unflatten, itertools.zip_longest(*of_leaves)))

    def whole(self, blocks: Any) -> Any:
        """The inverse of `blocks`."""
        if self.is_identity:
            return blocks
        structure: Any = jax.tree.structure(self.like)
        likes = jax.tree.leaves(self.like)
        of_leaves = zip(*map(structure.flatten_up_to, blocks), strict=True)
        return structure.unflatten(
            [
                each.joined(pieces[: each.number], like)
                for each, pieces, like in zip(self.cuts, of_leaves, likes, strict=True)
            ]
        )

    def inside(self, argument: Any) -> Any:
        """What `inner` is given for an argument: blocks for trees, and functions of blocks."""
        if self.is_identity:
            return argument
        is_tree = functools.partial(_is_like, self.like)

        def given(part: Any) -> Any:
            if is_tree(part):
                return self.blocks(part)
            return self._of_blocks(part) if callable(part) else part

        return jax.tree.map(given, argument, is_leaf=lambda part: is_tree(part) or callable(part))

    def _of_blocks(self, function: Callable[..., Any]) -> Callable[..., Any]:
        is_blocks = functools.partial(_is_like, jax.eval_shape(self.blocks, self.like))

        def outside(part: Any) -> Any:
            return self.whole(part) if is_blocks(part) else part

        @functools.wraps(function)
        def of_blocks(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = jax.tree.map(outside, (args, kwargs), is_leaf=is_blocks)
            return self.inside(function(*args, **kwargs))

        return of_blocks


def _blocks(each: Cut, leaf: Any) -> tuple[Any, ...]:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return tuple(jax.eval_shape(each.blocks, leaf))
    return each.blocks(jnp.asarray(leaf))


def _is_like(like: Any, tree: Any) -> bool:
    """Whether a tree has the structure and the shapes of another."""
    structure: Any = jax.tree.structure(tree)
    if structure != jax.tree.structure(like):
        return False
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(like), strict=True)
    return all(is_real(leaf) and jnp.shape(leaf) == jnp.shape(other) for leaf, other in pairs)
