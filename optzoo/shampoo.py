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
    matrices as running averages, momentum, roots taken every f calls, and the length of every
    leaf's step borrowed from another method ("grafting").

References:
  Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018,
  arXiv:1802.09568.
  Anil, Gupta, Koren, Regan, Singer, "Scalable Second Order Optimization for Deep Learning", 2020,
  arXiv:2002.09018.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    concrete_number,
    require_in,
    require_integer,
    require_learning_rate,
    require_matching_tree,
)
from ._soap_axes import require_real_floating
from ._soap_basis import Factors, gram, rotate

__all__ = ["ShampooState", "shampoo"]


class ShampooState(NamedTuple):
    """State of `shampoo`."""

    count: jax.Array  # type: ignore[assignment]  # calls so far, int32
    momentum: optax.Updates  # running average of the gradients, like the parameters; None without
    gram: Any  # L, R, ...: for every leaf a tuple over its axes, at least float32; None: too long
    root: Any  # (L + eps I)^(-1/(2k)), ..., of the last call that took roots
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
) -> optax.GradientTransformationExtraArgs:
    r"""Shampoo (Algorithms 1 and 2), with what makes it a baseline for deep networks on request.

    .. math:: L \leftarrow L + G G^\top, \quad R \leftarrow R + G^\top G, \quad
        W \leftarrow W - \eta (L + \epsilon I)^{-1/4} G (R + \epsilon I)^{-1/4}

    For convex losses whose gradients have rank at most r, and with
    :math:`D \ge \max_t \|W_t - W^*\|_F` and :math:`\eta = D / \sqrt{2r}`, the regret against
    :math:`W^*` is at most :math:`\sqrt{2r} D \operatorname{tr}(L_T + \epsilon I)^{1/4}
    \operatorname{tr}(R_T + \epsilon I)^{1/4}` (Theorem 7).

    It needs no `params` unless `graft` does, and no further arguments.

    Args:
      learning_rate: eta, a positive number or a schedule, which counts calls from 0.
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
    require_integer("precondition_frequency", precondition_frequency, 1)
    if max_precond_dim is not None:
        require_integer("max_precond_dim", max_precond_dim, 0)
    if graft is not None and not isinstance(graft, optax.GradientTransformation):
        raise TypeError(f"graft must be an optax.GradientTransformation or None, got {graft!r}.")
    donor = None if graft is None else optax.with_extra_args_support(graft)

    def init_fn(params: optax.Params) -> ShampooState:
        require_real_floating(params)
        longest: Any = 10_000 if max_precond_dim is None else max_precond_dim
        if isinstance(longest, jax.core.Tracer):
            raise TypeError(
                "max_precond_dim must be known in `init`, because it decides which Gram matrices "
                "there are; under inject_hyperparams run `init` outside jit or pass "
                'static_args=("max_precond_dim",).'
            )

        def factors(matrix: Any) -> Any:
            def of_leaf(leaf: Any) -> Factors:
                return tuple(
                    matrix((d, d), _wide_dtype(leaf)) if leaf.size > 0 and d <= longest else None
                    for d in _with_an_axis(leaf.shape)
                )

            return jax.tree.map(of_leaf, params)

        return ShampooState(
            count=jnp.zeros([], jnp.int32),
            momentum=None if momentum is None else jax.tree.map(jnp.zeros_like, params),
            gram=factors(jnp.zeros),
            root=factors(lambda shape, dtype: jnp.eye(shape[0], dtype=dtype)),
            graft=None if donor is None else donor.init(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: ShampooState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ShampooState]:
        if params is not None:
            require_matching_tree("updates", updates, params)
        treedef: Any = jax.tree.structure(updates)
        given = jax.tree.leaves(updates)
        gradients = [
            jnp.asarray(g).astype(_wide_dtype(g)).reshape(_with_an_axis(g.shape)) for g in given
        ]
        grams = [
            _accumulated(g, old, beta)
            for g, old in zip(gradients, treedef.flatten_up_to(state.gram), strict=True)
        ]
        roots = jax.lax.cond(
            state.count % jnp.asarray(precondition_frequency).astype(jnp.int32) == 0,
            lambda: [_inverse_roots(factors, eps) for factors in grams],
            lambda: treedef.flatten_up_to(state.root),
        )

        averages = None
        if momentum is not None:
            averages = [
                _averaged(m.reshape(g.shape).astype(g.dtype), g, momentum)
                for m, g in zip(treedef.flatten_up_to(state.momentum), gradients, strict=True)
            ]
        directions = [
            rotate(x, factors, batched=False)
            for x, factors in zip(averages or gradients, roots, strict=True)
        ]
        graft_state = state.graft
        if donor is not None:
            lent, graft_state = donor.update(updates, state.graft, params, **extra_args)
            directions = [
                _with_length_of(u, other)
                for u, other in zip(directions, jax.tree.leaves(lent), strict=True)
            ]
        eta = learning_rate(state.count) if callable(learning_rate) else learning_rate
        steps = [
            (-jnp.asarray(eta, u.dtype) * u).reshape(g.shape).astype(g.dtype)
            for u, g in zip(directions, given, strict=True)
        ]
        new_state = ShampooState(
            count=optax.safe_increment(state.count),
            momentum=None
            if averages is None
            else treedef.unflatten(
                [m.reshape(g.shape).astype(g.dtype) for m, g in zip(averages, given, strict=True)]
            ),
            gram=treedef.unflatten(grams),
            root=treedef.unflatten(roots),
            graft=graft_state,
        )
        return treedef.unflatten(steps), new_state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


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


def _inverse_roots(factors: Factors, eps: Any) -> Factors:
    """(L + eps I)^(-1/(2k)) for each of the k Gram matrices of a leaf."""
    order = sum(a is not None for a in factors)
    roots: list[jax.Array | None] = []
    for a in factors:
        if a is None:
            roots.append(None)
            continue
        vectors, values = _eigh(a)
        # Round-off makes eigenvalues of a singular matrix slightly negative.
        powers = (jnp.maximum(values, 0) + jnp.asarray(eps, a.dtype)) ** (-1 / (2 * order))
        root = jnp.matmul(vectors * powers[None, :], vectors.T, precision=jax.lax.Precision.HIGHEST)
        roots.append(root)
    return tuple(roots)


# This rule of vmap keeps LAPACK unbatched under the user's own vmap: on CPUs, batched calls that
# run at the same time can wait for each other forever.
_one_at_a_time: Any = jax.custom_batching.sequential_vmap


@_one_at_a_time  # type: ignore[untyped-decorator]
def _eigh(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    vectors, values = jax.lax.linalg.eigh(matrix, symmetrize_input=False)
    return vectors, values


def _with_length_of(u: jax.Array, other: jax.Array) -> jax.Array:
    length = jnp.sqrt(jnp.sum(jnp.square(u)))
    wanted = jnp.sqrt(jnp.sum(jnp.square(other.astype(u.dtype))))
    return u * jnp.where(length > 0, wanted / jnp.where(length > 0, length, 1), 0)


def _with_an_axis(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A number is a vector with one entry."""
    return shape or (1,)


def _wide_dtype(leaf: Any) -> Any:
    return jnp.float64 if leaf.dtype == jnp.float64 else jnp.float32
