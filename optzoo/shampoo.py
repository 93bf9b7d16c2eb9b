# SPDX-License-Identifier: Apache-2.0
r"""Shampoo: gradients preconditioned along every axis by the Gram matrices of all gradients so far.

For a matrix parameter W with gradients G_t,

    L = L + G G^T,   R = R + G^T G
    W -= eta (L + eps I)^(-1/4) G (R + eps I)^(-1/4).

A leaf with k axes has one Gram matrix for each, and the power is -1/(2k); a vector has the power
-1/2 and is full-matrix AdaGrad.

Differs from the paper:
 1. eps I is added where the root is taken and not to the first Gram matrix; the same numbers.
 2. Axes that are too long have no Gram matrix, where the paper keeps its diagonal, and k counts
    the others.
 3. What training of deep networks added later is there on request, and nowhere by default: Gram
    matrices as running averages, momentum, roots taken every f calls, another power, and the
    length of every leaf's step borrowed from another method ("grafting").

References:
  Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018,
  arXiv:1802.09568.
  Anil, Gupta, Koren, Regan, Singer, "Scalable Second Order Optimization for Deep Learning", 2020,
  arXiv:2002.09018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._arguments import (
    concrete_number,
    require_in,
    require_integer,
    require_learning_rate,
    require_matching_tree,
    require_probability,
)
from ._soap_axes import require_real_floating
from ._soap_basis import gram, rotate
from ._soap_factors import Factors, by_axis, by_leaf
from ._soap_gradients import all_finite, narrow, squared_norms, wide_dtype
from ._state_layout import Settings, require_own_state

__all__ = ["ShampooState", "shampoo"]


class ShampooState(NamedTuple):
    """State of `shampoo`."""

    count: jax.Array  # type: ignore[assignment]  # accepted calls, int32
    skipped: jax.Array  # calls whose gradient was not finite, int32
    failed: jax.Array  # decompositions that failed and left their root, int32
    momentum: optax.Updates  # running average of the gradients, like the parameters; None without
    gram: Any  # (L, R, ...), a tree like the parameters for each axis, at least float32
    root: Any  # ((L + eps I)^-p, ...), p = 1/(2k) or `power`, likewise, of the last call with roots
    graft: Any  # state of the method whose lengths are borrowed; None without


def shampoo(
    learning_rate: optax.ScalarOrSchedule,
    eps: jax.typing.ArrayLike = 1e-4,
    *,
    beta: jax.typing.ArrayLike | None = None,
    momentum: jax.typing.ArrayLike | None = None,
    precondition_frequency: jax.typing.ArrayLike = 1,
    max_precond_dim: int | None = None,
    graft: optax.GradientTransformation | None = None,
    power: jax.typing.ArrayLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Shampoo (Algorithms 1 and 2), with what makes it a baseline for deep networks on request.

    .. math:: L \leftarrow L + G G^\top, \quad R \leftarrow R + G^\top G, \quad
        W \leftarrow W - \eta (L + \epsilon I)^{-1/4} G (R + \epsilon I)^{-1/4}

    For convex losses whose gradients have rank at most r, and with
    :math:`D \ge \max_t \|W_t - W^*\|_F` and :math:`\eta = D / \sqrt{2r}`, the regret against
    :math:`W^*` is at most :math:`\sqrt{2r} D \operatorname{tr}(L_T + \epsilon I)^{1/4}
    \operatorname{tr}(R_T + \epsilon I)^{1/4}` (Theorem 7).

    A call whose gradient has a NaN, an infinity or a squared norm beyond the range of its dtype,
    alone or in the sum of all gradients, changes nothing but `state.skipped`, and its update is
    zero. A decomposition that fails leaves its root and is counted in `state.failed`.

    It needs no `params` unless `graft` does, and no further arguments. Updates and momentum have
    the dtypes of the parameters where these are given, whatever those of the gradients are.

    Args:
      learning_rate: eta, a positive number or a schedule, which counts calls from 0, skipped ones
        too.
      eps: positive; its unit is that of squared gradients.
      beta: in [0, 1): Gram matrices are running averages, L = beta L + (1 - beta) G G^T. Sums if
        None.
      momentum: in [0, 1): what is preconditioned is the running average M = momentum M +
        (1 - momentum) G. The gradient itself if None.
      precondition_frequency: f, the number of calls between roots, an integer of at least 1.
      max_precond_dim: axes longer than this have no Gram matrix; 10 000 if None. A leaf without
        any has its gradient as its direction.
      graft: a transformation whose update has the length that the step is given in every leaf,
        such as `optax.scale_by_adam()`.
      power: in (0, 1]: p of (L + eps I)^-p, for every Gram matrix of a leaf; the theorem's
        1/(2k) if None, for k of them. 1/2 is the optimal Kronecker approximation of full-matrix
        AdaGrad up to a scalar, 1/2.5 a common choice for language models. Steps other than those
        of 1/(2k) depend on the scale of the gradients, unless they have borrowed their length.

    Returns:
      A transformation with a `ShampooState`. Updates have the shapes and dtypes of the parameters;
      16-bit leaves are computed in float32 and rounded once.

    Raises:
      ValueError: if an argument is out of range, or a tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optzoo.shampoo(0.1, eps=1e-9)
      >>> w = jnp.zeros((2, 2))
      >>> state = method.init(w)
      >>> updates, state = method.update(jnp.diag(jnp.array([4.0, 0.01])), state, w)
      >>> [round(float(u), 4) for u in jnp.diag(updates)]  # the first step has unit singular values
      [-0.1, -0.1]

    References:
      Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018,
      arXiv:1802.09568.
    """
    require_learning_rate("learning_rate", learning_rate)
    number = concrete_number("eps", eps)
    if number is not None and not 0 < number < math.inf:
        raise ValueError(f"eps must be positive and finite, got {number}.")
    for name, value in (("beta", beta), ("momentum", momentum)):
        if value is not None:
            require_in(name, value, 0.0, 1.0)
    if power is not None:
        require_probability("power", power)
    require_integer("precondition_frequency", precondition_frequency, 1)
    if max_precond_dim is not None:
        require_integer("max_precond_dim", max_precond_dim, 0)
    if graft is not None and not isinstance(graft, optax.GradientTransformation):
        raise TypeError(f"graft must be an optax.GradientTransformation or None, got {graft!r}.")
    donor = None if graft is None else optax.with_extra_args_support(graft)
    is_known = not isinstance(max_precond_dim, jax.core.Tracer)

    def field(params: optax.Params, make: Callable[..., Any]) -> Any:
        """The field of a state with `make(shape, dtype)` for every axis with a Gram matrix."""
        longest: Any = 10_000 if max_precond_dim is None else max_precond_dim
        leaves, treedef = jax.tree.flatten(params)
        factors = [
            tuple(
                make((d, d), wide_dtype(leaf)) if leaf.size > 0 and d <= longest else None
                for d in _with_an_axis(leaf.shape)
            )
            for leaf in leaves
        ]
        return by_axis(treedef, factors)

    def init_fn(params: optax.Params) -> ShampooState:
        require_real_floating(params)
        if not is_known:
            raise TypeError(
                "max_precond_dim must be known in `init`, because it decides which Gram matrices "
                "there are; under inject_hyperparams run `init` outside jit or pass "
                'static_args=("max_precond_dim",).'
            )
        return ShampooState(
            count=jnp.zeros([], jnp.int32),
            skipped=jnp.zeros([], jnp.int32),
            failed=jnp.zeros([], jnp.int32),
            momentum=None if momentum is None else jax.tree.map(jnp.zeros_like, params),
            gram=field(params, jnp.zeros),
            root=field(params, lambda shape, dtype: jnp.eye(shape[0], dtype=dtype)),
            graft=None if donor is None else donor.init(params),
        )

    def require_own(state: ShampooState, params: optax.Params) -> None:
        number: Any = jax.ShapeDtypeStruct((), jnp.int32)
        factors = field(params, jax.ShapeDtypeStruct) if is_known else None
        fresh = ShampooState(
            count=number,
            skipped=number,
            failed=number,
            momentum=None if momentum is None else params,
            gram=factors,
            root=factors,
            graft=None if donor is None else jax.eval_shape(donor.init, params),
        )
        longest = {"max_precond_dim": max_precond_dim}
        settings: Settings = {
            "momentum": {"momentum": momentum},
            "gram": longest,
            "root": longest,
            "graft": {"graft": graft},
        }
        require_own_state(state, fresh, settings, () if is_known else ("gram", "root"))

    def update_fn(
        updates: optax.Updates,
        state: ShampooState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ShampooState]:
        updates = tv.as_floating("updates", updates)
        own: Any = tv.as_floating("params", _like_parameters(updates, state, params))
        require_matching_tree("updates", updates, own)
        require_own(state, own)
        leaves = jax.tree.leaves(own)
        treedef: Any = jax.tree.structure(own)
        ranks = [len(_with_an_axis(leaf.shape)) for leaf in leaves]
        old_grams, old_roots = (by_leaf(treedef, old, ranks) for old in (state.gram, state.root))
        gradients = [
            g.astype(_dtype_of(factors, leaf)).reshape(_with_an_axis(g.shape))
            for g, factors, leaf in zip(jax.tree.leaves(updates), old_grams, leaves, strict=True)
        ]

        grams = [_accumulated(g, old, beta) for g, old in zip(gradients, old_grams, strict=True)]
        # Sums of gradients may overflow where no gradient does; then a diagonal does.
        traces = [jnp.trace(a) for factors in grams for a in factors if a is not None]
        finite = all_finite([*squared_norms(gradients), *traces])
        # A branch, so that it is computed once and not in each of the kernels that need it.
        finite, takes_roots = jax.lax.cond(
            finite,
            lambda: (
                jnp.array(True),
                state.count % jnp.asarray(precondition_frequency).astype(jnp.int32) == 0,
            ),
            lambda: (jnp.array(False), jnp.array(False)),
        )

        def unless_skipped(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, old)

        grams = unless_skipped(grams, old_grams)
        roots, failures = jax.lax.cond(
            takes_roots,
            lambda: _inverse_roots(grams, old_roots, eps, power),
            lambda: (old_roots, jnp.zeros([], jnp.int32)),
        )

        averages, new_momentum = gradients, None
        if momentum is not None:
            old_momentum = jax.tree.leaves(state.momentum)
            averages = [
                _averaged(m.reshape(g.shape).astype(g.dtype), g, momentum)
                for m, g in zip(old_momentum, gradients, strict=True)
            ]
            rounded = [
                narrow(average.reshape(m.shape), m)
                for average, m in zip(averages, old_momentum, strict=True)
            ]
            new_momentum = treedef.unflatten(unless_skipped(rounded, old_momentum))
        directions = [
            rotate(x, factors, batched=False) for x, factors in zip(averages, roots, strict=True)
        ]

        new_graft = state.graft
        if donor is not None:
            lent, grafted = donor.update(
                jax.tree.map(narrow, updates, own), state.graft, params, **extra_args
            )
            directions = [
                _with_length_of(u, other)
                for u, other in zip(directions, jax.tree.leaves(lent), strict=True)
            ]
            new_graft = unless_skipped(grafted, state.graft)

        calls = state.count + state.skipped
        eta = learning_rate(calls) if callable(learning_rate) else learning_rate
        steps = [
            narrow(jnp.where(finite, -jnp.asarray(eta, u.dtype) * u, 0).reshape(leaf.shape), leaf)
            for u, leaf in zip(directions, leaves, strict=True)
        ]
        new_state = ShampooState(
            count=jnp.where(finite, optax.safe_increment(state.count), state.count),
            skipped=jnp.where(finite, state.skipped, optax.safe_increment(state.skipped)),
            failed=state.failed + failures,
            momentum=new_momentum,
            gram=by_axis(treedef, grams),
            root=by_axis(treedef, roots),
            graft=new_graft,
        )
        return treedef.unflatten(steps), new_state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _like_parameters(updates: Any, state: Any, params: Any) -> Any:
    """What has the dtypes of the parameters: they themselves, the momentum, or the gradients."""
    momentum = getattr(state, "momentum", None)
    return next(tree for tree in (params, momentum, updates) if tree is not None)


def _dtype_of(factors: Factors, leaf: jax.Array) -> Any:
    """What is computed in: the dtype of the leaf's Gram matrices."""
    return next((a.dtype for a in factors if a is not None), wide_dtype(leaf))


def _accumulated(g: jax.Array, old: Factors, beta: Any) -> Factors:
    """L + G G^T, or beta L + (1 - beta) G G^T, for every axis with a Gram matrix."""
    new: list[jax.Array | None] = []
    for axis, a in enumerate(old):
        if a is None:
            new.append(None)
            continue
        outer = gram(g, axis, batched=False)
        new.append(a + outer if beta is None else _averaged(a, outer, beta))
    return tuple(new)


def _averaged(old: jax.Array, new: jax.Array, beta: Any) -> jax.Array:
    decay = jnp.asarray(beta, old.dtype)
    return decay * old + (1 - decay) * new


def _inverse_roots(
    grams: list[Factors], old: list[Factors], eps: Any, power: Any
) -> tuple[list[Factors], jax.Array]:
    """(L + eps I)^-p for each of the k Gram matrices of a leaf, and how many failed."""
    failures = jnp.zeros([], jnp.int32)
    roots: list[Factors] = []
    for factors, old_roots in zip(grams, old, strict=True):
        order = sum(a is not None for a in factors)
        found: list[jax.Array | None] = []
        for a, old_root in zip(factors, old_roots, strict=True):
            if a is None or old_root is None:
                found.append(None)
                continue
            root = _inverse_root(a, eps, 1 / (2 * order) if power is None else power)
            failed = ~jnp.all(jnp.isfinite(root))
            failures += failed.astype(jnp.int32)
            found.append(jnp.where(failed, old_root, root))
        roots.append(tuple(found))
    return roots, failures


def _inverse_root(a: jax.Array, eps: Any, power: Any) -> jax.Array:
    vectors, values = _eigh(a)
    # Round-off makes eigenvalues of a singular matrix slightly negative.
    powers = (jnp.maximum(values, 0) + jnp.asarray(eps, a.dtype)) ** -jnp.asarray(power, a.dtype)
    return jnp.matmul(vectors * powers[None, :], vectors.T, precision=jax.lax.Precision.HIGHEST)


# This rule of vmap keeps LAPACK unbatched under the user's own vmap: on CPUs, batched calls that
# run at the same time can wait for each other forever.
_one_at_a_time: Any = jax.custom_batching.sequential_vmap


@_one_at_a_time  # type: ignore[untyped-decorator]
def _eigh(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    vectors, values = jax.lax.linalg.eigh(matrix, symmetrize_input=False)
    return vectors, values


def _with_length_of(u: jax.Array, other: jax.Array) -> jax.Array:
    _, scaled = tv.scale_by_largest(u)  # whose squares neither overflow nor vanish
    length = jnp.sqrt(tv.total(jnp.square(scaled)))
    wanted = tv.norm(other.astype(u.dtype))
    return scaled * jnp.where(length > 0, wanted / jnp.where(length > 0, length, 1), 0)


def _with_an_axis(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A number is a vector with one entry."""
    return shape or (1,)
