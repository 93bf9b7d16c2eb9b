# SPDX-License-Identifier: Apache-2.0
r"""KL-SOAP: Adam in the eigenbases of Kronecker factors that are fitted by maximum likelihood.

For a matrix parameter of shape d_a x d_b with gradients G_t and the moments M and V, call t is

    S_a = s S_a + (1 - s) D_a,        D_a = G Q_b diag(1 / l_b) Q_b^T G^T / d_b
    l_a = s l_a + (1 - s) diag(Q_a^T D_a Q_a),     and likewise S_b and l_b, from the l_a before
    G'  = Q_a^T G Q_b,   M = b1 M + (1 - b1) G',   V = b2 V + (1 - b2) G'^2
    W  -= eta sqrt(1 - b2^t) / (1 - b1^t) Q_a [M / (sqrt(V) + eps)] Q_b^T
    W  *= 1 - eta lambda
    every f calls:  Q_a = QR(S_a Q_a).Q,  Q_b = QR(S_b Q_b).Q,   columns by descending q^T S q.

This is `optzoo.soap` with the factors of `optzoo.kl_shampoo` in the place of its Gram matrices. The
eigenvalues l_a and l_b serve the factors alone; the step has V. With a single factor a leaf, as
under `one_sided`, the factor is SOAP's Gram matrix up to its scale, and the method is SOAP.

The first call only looks; at a refresh M is rotated into the new bases, V and the eigenvalues keep
their numbers, and follow the vectors they belong to.

Differs from the paper and its authors' program:
 1. Moments are corrected for their start at 0, as in SOAP; the program does not correct them.
 2. What `optzoo.kl_shampoo` says of the first eigenvalues, their least share, the order of columns,
    leaves with other axes than two, leaves without factors and precision holds here as well.

References:
  Lin, Lowe, Dangel, Eschenhagen, Xu, Grosse, "Understanding and Improving Shampoo and SOAP via
  Kullback-Leibler Minimization", ICLR 2026, arXiv:2509.03378.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from ._kronecker_method import (
    Direction,
    Leaf,
    Rule,
    adam,
    directions,
    steps,
)
from ._soap_arguments import Hyperparameters, required
from ._soap_axes import WeightDimensionNumbers
from ._soap_basis import rotate

__all__ = ["KlSoapState", "kl_soap", "scale_by_kl_soap"]


class KlSoapState(NamedTuple):
    """State of `kl_soap` and of `scale_by_kl_soap`."""

    count: jax.Array  # type: ignore[assignment]  # accepted calls, int32; call t of the method finds count = t
    skipped: jax.Array  # calls whose gradient was not finite, int32
    failed: jax.Array  # decompositions that failed and left their basis, int32
    mu: optax.Updates  # M in the current bases, shapes and dtypes of the parameters
    nu: optax.Updates  # V, likewise
    gram: Any  # (S_a, S_b, ...), a tree like the parameters for each matrix axis, at least float32
    basis: Any  # (Q_a^T, Q_b^T, ...), likewise, vectors in rows; None: no factor for that axis
    eigenvalues: Any  # (l_a, l_b, ...), likewise, a number for every row of the basis


def kl_soap(
    learning_rate: optax.ScalarOrSchedule,
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.95,
    shampoo_beta: jax.typing.ArrayLike | None = None,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: jax.typing.ArrayLike = 0.01,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    precondition_frequency: jax.typing.ArrayLike = 10,
    max_precond_dim: int | None = None,
    precondition_1d: bool = False,
    *,
    one_sided: bool = False,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformationExtraArgs:
    r"""KL-SOAP with decoupled weight decay: Adam in the eigenbases of the fitted factors.

    .. math::
      S_a &\leftarrow s S_a + \frac{1 - s}{d_b} G S_b^{-1} G^\top, \quad
        S_b \leftarrow s S_b + \frac{1 - s}{d_a} G^\top S_a^{-1} G, \\
      G' &= Q_a^\top G Q_b, \quad M = \beta_1 M + (1 - \beta_1) G', \quad
        V = \beta_2 V + (1 - \beta_2) G'^2, \\
      W &\leftarrow (1 - \eta \lambda) \Bigl(W - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
        Q_a \frac{M}{\sqrt V + \epsilon} Q_b^\top\Bigr)

    Q_a and Q_b are kept near the eigenvectors of S_a and S_b by one step of the power iteration
    with QR every `precondition_frequency` calls. The first call only initializes: its update is
    zero, also for leaves without factors.

    A call whose gradient has a NaN, an infinity or a squared norm beyond the range of its dtype
    changes nothing but `state.skipped`, and its update is zero. Learning rate schedules count
    calls from 0, the first and the skipped ones included.

    It needs no further arguments and works under every wrapper of optax. Under
    `optax.inject_hyperparams` callables other than schedules, and `max_precond_dim` where `init`
    is inside `jit`, must be `static_args`.

    Args:
      learning_rate: eta, a positive number or a schedule.
      b1: beta_1 in [0, 1), the decay of M.
      b2: beta_2 in [0, 1), the decay of V.
      shampoo_beta: s, the decay of the factors and their eigenvalues, in [0, 1); `b2` if None.
      eps: added to the root of V, which is not bias-corrected there; at least 0.
      weight_decay: lambda, at least 0; multiplied by the learning rate.
      mask: a tree prefix of the parameters with True where weights decay, or a function from the
        parameters to one; everywhere if None.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no factor; 10 000 if None.
      precondition_1d: whether leaves with one axis have a factor.
      one_sided: whether only the shortest of the axes that could have a factor has one.
      weight_dimension_numbers: which axes are matrix axes; see `optzoo.soap`.

    Returns:
      A transformation with a `KlSoapState`. Updates have the shapes and dtypes of the parameters;
      16-bit leaves are computed in float32 and rounded once.

    Raises:
      ValueError: if an argument is out of range, params are missing while weights decay, or a
        tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jax.random.normal(jax.random.key(0), (8, 4))
      >>> method = optzoo.kl_soap(0.03, weight_decay=0.0)
      >>> @jax.jit
      ... def step(w, state):
      ...     updates, state = method.update(w - target, state, w)
      ...     return optax.apply_updates(w, updates), state
      >>> w = jnp.zeros((8, 4))
      >>> state = method.init(w)
      >>> for _ in range(300):
      ...     w, state = step(w, state)
      >>> bool(jnp.max(jnp.abs(w - target)) < 0.05)
      True

    References:
      Lin et al., "Understanding and Improving Shampoo and SOAP via Kullback-Leibler
      Minimization", ICLR 2026, arXiv:2509.03378.
    """
    numbers, structure = required(
        b1,
        b2,
        shampoo_beta,
        eps,
        precondition_frequency,
        max_precond_dim,
        precondition_1d,
        one_sided,
        weight_dimension_numbers,
    )
    return steps("kl_soap", _RULE, numbers, structure, learning_rate, weight_decay, mask)


def scale_by_kl_soap(
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.95,
    shampoo_beta: jax.typing.ArrayLike | None = None,
    eps: jax.typing.ArrayLike = 1e-8,
    precondition_frequency: jax.typing.ArrayLike = 10,
    max_precond_dim: int | None = None,
    precondition_1d: bool = False,
    *,
    one_sided: bool = False,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The direction of `kl_soap`, for chains: without a learning rate, a sign or a decay.

    .. math:: U = \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \,
        Q_a \frac{M}{\sqrt V + \epsilon} Q_b^\top

    Args:
      b1: beta_1 in [0, 1), the decay of M.
      b2: beta_2 in [0, 1), the decay of V.
      shampoo_beta: s, the decay of the factors and their eigenvalues, in [0, 1); `b2` if None.
      eps: added to the root of V; at least 0.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no factor; 10 000 if None.
      precondition_1d: whether leaves with one axis have a factor.
      one_sided: whether only the shortest of the axes that could have a factor has one.
      weight_dimension_numbers: which axes are matrix axes; see `optzoo.soap`.

    Returns:
      A transformation with a `KlSoapState`, whose updates have the shapes and dtypes of the
      parameters. It does not need `params`.

    Raises:
      ValueError: if an argument is out of range, or a tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optax.chain(
      ...     optax.clip_by_global_norm(1.0), optzoo.scale_by_kl_soap(), optax.scale(-3e-3))
      >>> w = jnp.eye(3)
      >>> state = method.init(w)
      >>> for _ in range(2):  # the first call only initializes the bases
      ...     updates, state = method.update(w, state)
      >>> [round(float(u), 5) for u in jnp.diag(updates)]
      [-0.003, -0.003, -0.003]

    References:
      Lin et al., "Understanding and Improving Shampoo and SOAP via Kullback-Leibler
      Minimization", ICLR 2026, arXiv:2509.03378.
    """
    return directions(
        _RULE,
        *required(
            b1,
            b2,
            shampoo_beta,
            eps,
            precondition_frequency,
            max_precond_dim,
            precondition_1d,
            one_sided,
            weight_dimension_numbers,
        ),
    )


def _direction(leaf: Leaf, numbers: Hyperparameters) -> Direction:
    """Adam in the bases: M and V after the call, and U out of them."""
    view = leaf.view
    m, v, u = adam(leaf, view.back(leaf.rotated, leaf.g), numbers)
    return m, v, view.back(rotate(view.of(u), leaf.bases, batched=view.batched, back=True), leaf.g)


_RULE = Rule(KlSoapState, moments_in_bases=True, direction=_direction)
