# SPDX-License-Identifier: Apache-2.0
r"""KL-Shampoo: Shampoo whose Kronecker factors are fitted to the gradients by maximum likelihood.

For a matrix parameter of shape d_a x d_b with gradients G_t and the momentum M, call t is

    S_a = s S_a + (1 - s) D_a,        D_a = G Q_b diag(1 / l_b) Q_b^T G^T / d_b
    l_a = s l_a + (1 - s) diag(Q_a^T D_a Q_a),     and likewise S_b and l_b, from the l_a before
    M   = b1 M + (1 - b1) G
    W  -= eta Q_a [(Q_a^T M Q_b) / (sqrt(l_a l_b^T) + eps)] Q_b^T,   then   W *= 1 - eta lambda
    every f calls:  Q_a = QR(S_a Q_a).Q,  Q_b = QR(S_b Q_b).Q,   columns by descending q^T S q.

S_a kron S_b approaches the Gaussian covariance that is closest to the gradients' in the
Kullback-Leibler divergence: each factor is weighed with the inverse of the other, where Shampoo's
G G^T leaves the other out. The step is therefore in the units of W, and needs neither the second
moment of Adam nor a length borrowed from it. See `optzoo._kronecker_factors`.

The first call only looks, as in SOAP: Q_a and Q_b become the eigenvectors of the first D_a and D_b,
the parameters stay, t stays 0.

Differs from the paper and its authors' program:
 1. The first eigenvalues are all (mean G^2)^(1/2) of the first gradient that is not zero. The
    program begins with 0.1, so that runs depend on the unit of the loss. Its first S_a is
    (1 - s) G G^T / d_b; ours is that over the first l_b.
 2. Where it is inverted, an eigenvalue counts as at least 10^-6 of its axis' largest. The program
    bounds 1 / sqrt(l) by max(10, min(d, 4000)), whatever the unit, and paper and program have a
    damping of the factors as an option, which is not here.
 3. The step divides by eigenvalues that this call's gradient has entered, the program
    divides by those of the call before: a gradient in a direction that has had none is then not
    divided by next to nothing. Bases are those of the call before in both.
 4. Columns are ordered by their Rayleigh quotients before a QR, as in SOAP, and their vectors
    return to their slots. The program does not order them.
 5. A leaf has a factor for every matrix axis, whatever their number: D_k has the inverses of all
    others and is divided by the product of their sizes, and the root is of the product of all
    eigenvalues. Axes that are too long, and those that `one_sided` leaves out, have the identity
    as their factor. Entries of a stack have factors of their own.
 6. Leaves without factors, such as vectors, are Adam as in `optzoo.soap`; the program leaves them
    to another optimizer.
 7. Everything is computed in float32 or float64; the program computes in bfloat16.

As in the program M is not corrected for its start at 0, so that the first steps are short.

References:
  Lin, Lowe, Dangel, Eschenhagen, Xu, Grosse, "Understanding and Improving Shampoo and SOAP via
  Kullback-Leibler Minimization", ICLR 2026, arXiv:2509.03378.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._kronecker_factors import divided, roots
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
from ._soap_gradients import narrow

__all__ = ["KlShampooState", "kl_shampoo", "scale_by_kl_shampoo"]


class KlShampooState(NamedTuple):
    """State of `kl_shampoo` and of `scale_by_kl_shampoo`."""

    count: jax.Array  # type: ignore[assignment]  # accepted calls, int32; call t of the method finds count = t
    skipped: jax.Array  # calls whose gradient was not finite, int32
    failed: jax.Array  # decompositions that failed and left their basis, int32
    mu: optax.Updates  # M, shapes and dtypes of the parameters
    nu: optax.Updates  # Adam's second moment, likewise, of leaves without factors; None for others
    gram: Any  # (S_a, S_b, ...), a tree like the parameters for each matrix axis, at least float32
    basis: Any  # (Q_a^T, Q_b^T, ...), likewise, vectors in rows; None: no factor for that axis
    eigenvalues: Any  # (l_a, l_b, ...), likewise, a number for every row of the basis


def kl_shampoo(
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
    r"""KL-Shampoo with decoupled weight decay: the momentum over the fitted covariance's root.

    .. math::
      S_a &\leftarrow s S_a + \frac{1 - s}{d_b} G S_b^{-1} G^\top, \quad
        S_b \leftarrow s S_b + \frac{1 - s}{d_a} G^\top S_a^{-1} G, \quad
        M \leftarrow \beta_1 M + (1 - \beta_1) G, \\
      W &\leftarrow (1 - \eta \lambda) \Bigl(W - \eta \,
        Q_a \frac{Q_a^\top M Q_b}{\sqrt{\lambda_a \lambda_b^\top} + \epsilon} Q_b^\top\Bigr)

    Q_a and Q_b are kept near the eigenvectors of S_a and S_b by one step of the power iteration
    with QR every `precondition_frequency` calls, and their eigenvalues are averaged at every call
    in the bases that there are. The first call only initializes: its update is zero, also for
    leaves without factors, which are Adam's.

    A call whose gradient has a NaN, an infinity or a squared norm beyond the range of its dtype
    changes nothing but `state.skipped`, and its update is zero. Learning rate schedules count
    calls from 0, the first and the skipped ones included.

    It needs no further arguments and works under every wrapper of optax. Under
    `optax.inject_hyperparams` callables other than schedules, and `max_precond_dim` where `init`
    is inside `jit`, must be `static_args`.

    Args:
      learning_rate: eta, a positive number or a schedule.
      b1: beta_1 in [0, 1), the decay of M.
      b2: in [0, 1), the decay of Adam's second moment, of leaves without factors.
      shampoo_beta: s, the decay of the factors and their eigenvalues, in [0, 1); `b2` if None.
      eps: added to the roots; at least 0.
      weight_decay: lambda, at least 0; multiplied by the learning rate.
      mask: a tree prefix of the parameters with True where weights decay, or a function from the
        parameters to one; everywhere if None.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no factor; 10 000 if None.
      precondition_1d: whether leaves with one axis have a factor.
      one_sided: whether only the shortest of the axes that could have a factor has one.
      weight_dimension_numbers: which axes are matrix axes; see `optzoo.soap`.

    Returns:
      A transformation with a `KlShampooState`. Updates have the shapes and dtypes of the
      parameters; 16-bit leaves are computed in float32 and rounded once.

    Raises:
      ValueError: if an argument is out of range, params are missing while weights decay, or a
        tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jax.random.normal(jax.random.key(0), (8, 4))
      >>> method = optzoo.kl_shampoo(0.03, weight_decay=0.0)
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
    return steps("kl_shampoo", _RULE, numbers, structure, learning_rate, weight_decay, mask)


def scale_by_kl_shampoo(
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
    r"""The direction of `kl_shampoo`, for chains: without a learning rate, a sign or a decay.

    .. math:: U = Q_a \frac{Q_a^\top M Q_b}{\sqrt{\lambda_a \lambda_b^\top} + \epsilon} Q_b^\top

    Args:
      b1: beta_1 in [0, 1), the decay of M.
      b2: in [0, 1), the decay of Adam's second moment, of leaves without factors.
      shampoo_beta: s, the decay of the factors and their eigenvalues, in [0, 1); `b2` if None.
      eps: added to the roots; at least 0.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no factor; 10 000 if None.
      precondition_1d: whether leaves with one axis have a factor.
      one_sided: whether only the shortest of the axes that could have a factor has one.
      weight_dimension_numbers: which axes are matrix axes; see `optzoo.soap`.

    Returns:
      A transformation with a `KlShampooState`, whose updates have the shapes and dtypes of the
      parameters. It does not need `params`.

    Raises:
      ValueError: if an argument is out of range, or a tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optax.chain(optzoo.scale_by_kl_shampoo(b1=0.0), optax.scale(-1e-3))
      >>> w = jnp.array([[4.0, 0.0], [0.0, 4.0]])
      >>> state = method.init(w)
      >>> for _ in range(2):  # the first call only initializes
      ...     updates, state = method.update(w, state)
      >>> [round(float(u), 5) for u in jnp.diag(updates)]  # sqrt(l_a l_b) is the root of mean G^2
      [-0.00141, -0.00141]

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
    """M after the call and Q_a [(Q_a^T M Q_b) / (sqrt(l_a l_b^T) + eps)] Q_b^T."""
    if leaf.v is not None:
        return adam(leaf, leaf.g, numbers)
    b1 = jnp.asarray(numbers.b1, leaf.g.dtype)
    m = leaf.m.astype(leaf.g.dtype)
    m = jnp.where(leaf.moves, b1 * m + (1 - b1) * leaf.g, m)
    view, bases = leaf.view, leaf.bases
    whitened = divided(
        rotate(view.of(m), bases, batched=view.batched),
        roots(leaf.eigenvalues),
        batched=view.batched,
        eps=numbers.eps,
    )
    u = view.back(rotate(whitened, bases, batched=view.batched, back=True), leaf.g)
    return narrow(m, leaf.m), None, jnp.where(leaf.moves, u, 0)


_RULE = Rule(KlShampooState, moments_in_bases=False, direction=_direction)
