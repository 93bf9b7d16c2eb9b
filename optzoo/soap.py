# SPDX-License-Identifier: Apache-2.0
r"""SOAP: Adam in the slowly changing eigenbasis of Shampoo's preconditioner.

For a matrix parameter with gradients G_t, the bases Q_L and Q_R and the moments M and V, call t is

    G'  = Q_L^T G Q_R                                  the gradient in the old basis
    M   = b1 M + (1 - b1) G',   V = b2 V + (1 - b2) G'^2
    U   = Q_L [M / (sqrt(V) + eps)] Q_R^T              Adam there, and back
    W  -= eta sqrt(1 - b2^t) / (1 - b1^t) U,   then   W *= 1 - eta lambda
    L   = s L + (1 - s) G G^T,   R = s R + (1 - s) G^T G
    every f calls:  Q_L = QR(L Q_L).Q,  Q_R = QR(R Q_R).Q,   columns by descending q^T L q.

A leaf with more axes has one Gram matrix and one basis for each. Leaves with fewer than two axes,
and axes that are too long, have none (Q = I): with no basis at all this is Adam.

The first call only looks: L and R get their first term, Q_L and Q_R are their eigenvectors, the
parameters stay, t stays 0. At a refresh M is rotated into the new basis, so that it remains the
average of gradients; V keeps its numbers, and follows the vectors they belong to.

Where this differs in form, not in substance, from the paper and its code:
 1. Bases are kept as R = Q^T, eigenvectors in rows. A refresh decomposes the columns by descending
    Rayleigh quotient, as the authors do, and then returns every vector to the slot of the vector
    it came from. The authors leave the vectors sorted and permute V instead.
 2. M is rotated at a refresh only. In between, rotating it out and in again is the identity.
 3. A ridge far below the round-off of the Gram matrix, and on its own scale, makes the QR return
    the old vectors in directions that no gradient has. See `optzoo._soap_basis.power_step`.
 4. The decay W *= 1 - eta lambda acts after the step. As one additive update it is
    u (1 - eta lambda) - eta lambda W, with u the step.

Options that the paper has: `one_sided`, and `factored`, its rank-one V. Options of our own:
 5. `stagger`: the bases of different leaves are refreshed in different calls. Because eigenvectors
    of everything at the first call would be the longest call of all, bases then begin as Q = I.
    Their first power step leads far from there, and V is made anew: its sums over rows and over
    columns in the new bases are known from L and R. See `optzoo._soap_moment.anew`.
 6. `basis="adaptive"`: a leaf whose bases still diagonalize its matrices is not refreshed.
 7. `basis="cholesky"`: the Q of the QR by Cholesky factors of Gram matrices (shifted CholeskyQR3;
    Fukaya, Kannan, Nakatsukasa, Yamamoto, Yanagisawa 2020, arXiv:1809.11085).

References:
  Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and
  Stabilizing Shampoo using Adam", ICLR 2025, arXiv:2409.11321.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from . import _soap_places as on
from . import _tree_vector as tv
from ._arguments import require_matching_tree
from ._decoupled_decay import steps
from ._soap_arguments import (
    Hyperparameters,
    require_bool,
    require_known,
    required,
    required_structure,
)
from ._soap_axes import Structure, WeightDimensionNumbers, require_real_floating
from ._soap_factors import Factors
from ._soap_gradients import all_finite, narrow, squared_norms, wide_dtype
from ._soap_moment import adam_direction, anew, averaged, whole
from ._soap_places import Place, mesh_of, on_all_devices, placed_like, zero_from
from ._soap_refresh import (
    FIRST,
    GROUPS,
    KEEP,
    Turning,
    in_groups,
    in_slots,
    on_several_devices,
    phase_of,
    phase_of_slot,
    refreshed,
    require_turning,
)
from ._soap_state import Fields, fresh, shapes, shardings, specs, views
from ._soap_state import places as places_of
from ._state_layout import require_own_state

__all__ = ["SoapState", "scale_by_soap", "soap", "soap_shardings"]


class SoapState(NamedTuple):
    """State of `soap` and of `scale_by_soap`."""

    count: jax.Array  # type: ignore[assignment]  # accepted calls, int32; call t of the method finds count = t
    skipped: jax.Array  # calls whose gradient was not finite, int32
    failed: jax.Array  # decompositions that failed and left their basis, int32
    mu: optax.Updates  # M in the current bases, shapes and dtypes of the parameters
    nu: Any  # V, likewise; if factored, (A, C), each a tree like the parameters, or V and None
    gram: Any  # (L, R, ...), a tree like the parameters for each matrix axis, at least float32
    basis: Any  # (Q_L^T, Q_R^T, ...), likewise, eigenvectors in rows; None: no basis for that axis


def soap(
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
    factored: bool = False,
    basis: str = "qr",
    basis_tolerance: jax.typing.ArrayLike | None = None,
    stagger: bool = False,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformationExtraArgs:
    r"""SOAP with decoupled weight decay: Adam in the eigenbasis of Shampoo's preconditioner.

    .. math::
      G' &= Q_L^\top G Q_R, \quad M = \beta_1 M + (1 - \beta_1) G', \quad
        V = \beta_2 V + (1 - \beta_2) G'^2, \\
      W &\leftarrow (1 - \eta \lambda) \Bigl(W - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
        Q_L \frac{M}{\sqrt V + \epsilon} Q_R^\top\Bigr)

    Q_L and Q_R are kept near the eigenvectors of running averages of G G^T and G^T G by one step
    of the power iteration with QR every `precondition_frequency` calls. The first call only
    initializes them: its update is zero, also for leaves without a basis.

    A call whose gradient has a NaN, an infinity or a squared norm beyond the range of its dtype
    changes nothing but `state.skipped`, and its update is zero. Learning rate schedules count
    calls from 0, the first and the skipped ones included.

    It needs no further arguments and works under every wrapper of optax. Under
    `optax.inject_hyperparams` callables other than schedules, and `max_precond_dim` where `init`
    is inside `jit`, must be `static_args`.

    Args:
      learning_rate: eta, a positive number or a schedule; the paper uses 3e-3.
      b1: beta_1 in [0, 1), the decay of M.
      b2: beta_2 in [0, 1), the decay of V.
      shampoo_beta: the decay of the Gram matrices, in [0, 1); `b2` if None.
      eps: added to the root of V, which is not bias-corrected there; at least 0.
      weight_decay: lambda, at least 0; multiplied by the learning rate.
      mask: a tree prefix of the parameters with True where weights decay, or a function from the
        parameters to one; everywhere if None.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no basis; 10 000 if None.
      precondition_1d: whether leaves with one axis have a basis.
      one_sided: whether only the shortest of the axes that could have a basis has one.
      factored: whether V of a matrix is kept as the outer product of the means of its rows and of
        its columns, as Adafactor keeps it. Together with `one_sided` the state of a transformer
        whose hidden layers are four times as wide as its stream is below Adam's.
      basis: how a basis follows its Gram matrix. "qr" takes a power step with a QR decomposition
        at every refresh. "adaptive" leaves a leaf alone while in the bases it has no more than a
        share of `basis_tolerance` of |A|^2 is off the diagonal, |Q^T A Q - diag|^2 / |A|^2.
        "cholesky" takes the step of "qr" by products of matrices and Cholesky factors, which
        accelerators are fast at; eigenvalues below 16 eps tr A are told apart more slowly.
      basis_tolerance: in [0, 1), of "adaptive" alone; 0.01 if None.
      stagger: whether refreshes are spread over the calls of a period, about the same work in
        each, so that no call takes much longer than others. Bases then begin as the coordinates
        and take their first power step in the first period; `precondition_frequency` must be a
        Python int.
      weight_dimension_numbers: which axes are matrix axes, as in `optax.contrib.muon`: an
        `optax.contrib.MuonDimensionNumbers`, a tree prefix of the parameters with them, or a
        function from the parameters to one. The axes of `reduction_axis` are merged to the left
        side, those of `output_axis` to the right one, and along the others the leaf is a stack of
        independent matrices. A leaf with None has no basis. If the whole argument is None, every
        axis of every leaf is a matrix axis of its own.

    Returns:
      A transformation with a `SoapState`. Updates have the shapes and dtypes of the parameters;
      16-bit leaves are computed in float32 and rounded once. Where the parameters lie on a mesh of
      several devices, these hold the state once: see `soap_shardings`.

    Raises:
      ValueError: if an argument is out of range, params are missing while weights decay, or a
        tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jax.random.normal(jax.random.key(0), (8, 4))
      >>> method = optzoo.soap(0.03, weight_decay=0.0)
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
      Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025,
      arXiv:2409.11321.
    """
    directions_only = scale_by_soap(
        b1,
        b2,
        shampoo_beta,
        eps,
        precondition_frequency,
        max_precond_dim,
        precondition_1d,
        one_sided=one_sided,
        factored=factored,
        basis=basis,
        basis_tolerance=basis_tolerance,
        stagger=stagger,
        weight_dimension_numbers=weight_dimension_numbers,
    )
    numbers, structure = required(
        *(b1, b2, shampoo_beta, eps, precondition_frequency),
        *(max_precond_dim, precondition_1d, one_sided, weight_dimension_numbers),
    )
    turning = _turning(basis, basis_tolerance, stagger, precondition_frequency)

    def called(updates: Any, state: SoapState, params: Any) -> tuple[optax.Updates, SoapState]:
        return _direction(updates, state, params, numbers, structure, factored, turning)

    return steps("soap", directions_only.init, called, learning_rate, weight_decay, mask)


def scale_by_soap(
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.95,
    shampoo_beta: jax.typing.ArrayLike | None = None,
    eps: jax.typing.ArrayLike = 1e-8,
    precondition_frequency: jax.typing.ArrayLike = 10,
    max_precond_dim: int | None = None,
    precondition_1d: bool = False,
    *,
    one_sided: bool = False,
    factored: bool = False,
    basis: str = "qr",
    basis_tolerance: jax.typing.ArrayLike | None = None,
    stagger: bool = False,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The direction of `soap`, for chains: without a learning rate, a sign or a decay.

    .. math:: U = \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \,
        Q_L \frac{M}{\sqrt V + \epsilon} Q_R^\top

    Args:
      b1: beta_1 in [0, 1), the decay of M.
      b2: beta_2 in [0, 1), the decay of V.
      shampoo_beta: the decay of the Gram matrices, in [0, 1); `b2` if None.
      eps: added to the root of V; at least 0.
      precondition_frequency: f, the number of calls between refreshes, an integer of at least 1.
      max_precond_dim: axes longer than this have no basis; 10 000 if None.
      precondition_1d: whether leaves with one axis have a basis.
      one_sided: whether only the shortest of the axes that could have a basis has one.
      factored: whether V of a matrix is an outer product; see `soap`.
      basis: "qr", "adaptive" or "cholesky"; see `soap`.
      basis_tolerance: of "adaptive" alone; see `soap`.
      stagger: whether refreshes are spread over the calls; see `soap`.
      weight_dimension_numbers: which axes are matrix axes; see `soap`.

    Returns:
      A transformation with a `SoapState`, whose updates have the shapes and dtypes of the
      parameters. It does not need `params`.

    Raises:
      ValueError: if an argument is out of range, or a tree does not match the parameters.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optax.chain(
      ...     optax.clip_by_global_norm(1.0), optzoo.scale_by_soap(), optax.scale(-3e-3))
      >>> w = jnp.eye(3)
      >>> state = method.init(w)
      >>> for _ in range(2):  # the first call only initializes the bases
      ...     updates, state = method.update(w, state)
      >>> [round(float(u), 5) for u in jnp.diag(updates)]
      [-0.003, -0.003, -0.003]

    References:
      Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025,
      arXiv:2409.11321.
    """
    require_bool("factored", factored)
    numbers, structure = required(
        *(b1, b2, shampoo_beta, eps, precondition_frequency),
        *(max_precond_dim, precondition_1d, one_sided, weight_dimension_numbers),
    )
    turning = _turning(basis, basis_tolerance, stagger, precondition_frequency)

    def init_fn(params: optax.Params) -> SoapState:
        require_real_floating(params)
        require_known(structure)
        # Three arrays, not one three times, which could not be donated.
        count, skipped, failed = (zero_from(params) for _ in range(3))
        return SoapState(count, skipped, failed, *fresh(params, structure, factored))

    def update_fn(
        updates: optax.Updates,
        state: SoapState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SoapState]:
        del extra_args
        directions, new_state = _direction(
            updates, state, params, numbers, structure, factored, turning
        )
        return jax.tree.map(lambda u, m: u.astype(m.dtype), directions, state.mu), new_state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def soap_shardings(
    params: optax.Params,
    *,
    max_precond_dim: int | None = None,
    precondition_1d: bool = False,
    one_sided: bool = False,
    factored: bool = False,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> SoapState:
    r"""Where the state of `soap` lies for parameters on a mesh, for `jit` and for checkpoints.

    Whatever the shardings of the parameters, the devices of the mesh hold the state once. Let S be
    their number. What has an axis whose size S divides is split along the first such axis, over
    all axes of the mesh together: M and V, and by rows the Gram matrices and the bases. Stacks of
    matrices are split along the batch, if S divides it, and then no basis crosses a device. Where
    S divides nothing, every device has all of it.

    In a call between refreshes the devices send, of an m x n matrix with both bases, m n numbers in
    each of: an all-gather of the gradient (none where it is replicated), an all-gather of G Q_R,
    two reduce-scatters, and an all-gather of the update where the parameter is replicated. No basis
    and no Gram matrix is sent. At a refresh the rows of both go to the device that decomposes
    them, and the rows of the bases come back.

    Args:
      params: on a mesh; `jax.ShapeDtypeStruct` with shardings will do.
      max_precond_dim: as given to `soap`; so for the others.
      precondition_1d: as given to `soap`.
      one_sided: as given to `soap`.
      factored: as given to `soap`.
      weight_dimension_numbers: as given to `soap`.

    Returns:
      A `SoapState` with a sharding in the place of every array.

    Raises:
      ValueError: if no leaf of the parameters has a sharding.
      TypeError: if an argument or a leaf has the wrong type.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
      >>> everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
      >>> params = jax.device_put({"w": jnp.zeros((64, 32))}, everywhere)
      >>> shardings = optzoo.soap_shardings(params)
      >>> state = jax.jit(optzoo.soap(1e-3).init, out_shardings=shardings)(params)
      >>> state.basis[0]["w"].sharding == shardings.basis[0]["w"]
      True

    References:
      Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025,
      arXiv:2409.11321.
    """
    require_real_floating(params)
    require_bool("factored", factored)
    structure = required_structure(
        max_precond_dim, precondition_1d, one_sided, weight_dimension_numbers
    )
    found = [getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(params)]
    known = [sharding for sharding in found if sharding is not None]
    if not known:
        raise ValueError("params must be on devices: no leaf of them has a sharding.")
    mesh = mesh_of(params)
    whole: Any = known[0]
    if hasattr(whole, "mesh"):
        whole = NamedSharding(mesh or whole.mesh, PartitionSpec())
    if mesh is None:
        fields = jax.tree.map(lambda _: whole, shapes(params, structure, factored))
    else:
        fields = shardings(params, structure, factored, mesh)
    return SoapState(whole, whole, whole, *fields)


def _turning(basis: str, tolerance: Any, stagger: bool, frequency: Any) -> Turning:
    require_turning(basis, tolerance)
    require_bool("stagger", stagger)
    if not stagger:
        return Turning(basis, tolerance, None)
    if not isinstance(frequency, int) or isinstance(frequency, bool):
        raise TypeError(
            "precondition_frequency must be an int where stagger=True, because it decides which "
            f"leaves are refreshed together, got {frequency!r}; under inject_hyperparams pass "
            'static_args=("precondition_frequency",).'
        )
    return Turning(basis, tolerance, frequency)


def _direction(
    updates: optax.Updates,
    state: SoapState,
    params: optax.Params | None,
    numbers: Hyperparameters,
    structure: Structure,
    factored: bool,
    turning: Turning,
) -> tuple[optax.Updates, SoapState]:
    """U, at least in float32, and the state after the call."""
    updates = tv.as_floating("updates", updates)
    like = tv.as_floating("params", getattr(state, "mu", updates) if params is None else params)
    require_matching_tree("updates", updates, like)
    _require_own_state(state, like, structure, factored)

    treedef: Any = jax.tree.structure(updates)
    leaf_views = views(like, structure)
    trees = Fields(state.mu, state.nu, state.gram, state.basis)
    old = trees.by_leaf(treedef, leaf_views, factored)
    mesh = mesh_of(like)
    places = places_of(old, leaf_views, mesh)
    gradients = [
        g.astype(wide_dtype(m)) for g, m in zip(jax.tree.leaves(updates), old.mu, strict=True)
    ]
    called = functools.partial(_called, places=places, turning=turning)
    if mesh is None:
        result = called(state.count, gradients, old, numbers)
    else:
        whole = PartitionSpec()
        parts = specs(places, old)
        result = on_all_devices(
            mesh,
            called,
            (state.count, gradients, old, numbers),
            (
                whole,
                [place.spec_of_gradient() for place in places],
                parts,
                jax.tree.map(lambda _: whole, numbers),
            ),
            (parts.mu, parts, whole, whole),
        )
    directions, new, finite, failures = result
    t = state.count
    new_state = SoapState(
        jnp.where(finite, optax.safe_increment(t), t),
        jnp.where(finite, state.skipped, optax.safe_increment(state.skipped)),
        state.failed + failures,
        *new.as_trees(treedef, factored),
    )
    directions = treedef.unflatten(directions)
    return placed_like(directions, updates if params is None else params), new_state


def _called(
    t: jax.Array,
    gradients: list[jax.Array],
    old: Fields,
    numbers: Hyperparameters,
    places: list[Place],
    turning: Turning,
) -> tuple[list[jax.Array], Fields, jax.Array, jax.Array]:
    """U and the fields after call t, whether it was accepted, and how many decompositions failed.

    Fields are by leaf. On several devices everything is what `places` says of it.
    """
    finite = all_finite(_squared_norms(gradients, places))
    if turning.slots is not None:
        groups = in_slots(places, turning.slots)
        phases_now = tuple(phase_of_slot(t, k, turning.slots) for k in range(turning.slots))
    else:
        groups = in_groups(places, 1 if on_several_devices(places) else GROUPS)
        phases_now = (phase_of(t, numbers.precondition_frequency),) * len(groups)
    kept = (jnp.array(KEEP, jnp.int32),) * len(groups)
    # A branch, because its result is computed once. A plain expression would be fused into each of
    # the kernels that need it, whose code would then grow with the square of the leaves.
    finite, moves, phases = jax.lax.cond(
        finite,
        lambda: (jnp.array(True), t > 0, phases_now),
        lambda: (jnp.array(False), jnp.array(False), kept),
    )

    # What happens to one leaf is jitted, so that it is traced once for all leaves of its shape.
    mu, nu, grams, directions = [], [], [], []
    for g, m, v, factors, bases, place in zip(gradients, *old, places, strict=True):
        m_new, v_new, u = _adam(g, m, v, bases, place, t, moves, numbers)
        mu.append(m_new)
        nu.append(v_new)
        directions.append(u)
        grams.append(_averaged_grams(g, factors, place, finite, numbers))

    bases, mu, failures = refreshed(turning, phases, groups, grams, old.basis, mu, places)
    if turning.slots is not None:
        for phase, group in zip(phases, groups, strict=True):
            for leaf in group:
                nu[leaf] = _anew(phase == FIRST, nu[leaf], grams[leaf], bases[leaf], places[leaf])
    return directions, Fields(mu, nu, grams, bases), finite, failures


def _squared_norms(gradients: list[jax.Array], places: list[Place]) -> list[jax.Array]:
    """As `squared_norms`, of the whole gradient."""
    if not on_several_devices(places):
        return squared_norms(gradients)
    with_places = list(zip(gradients, places, strict=True))
    whole = squared_norms(
        [g for g, place in with_places if place.needs_whole or place.split is None]
    )
    parts = squared_norms(
        [g for g, place in with_places if not place.needs_whole and place.split is not None]
    )
    return whole + jax.lax.psum(parts, places[0].mesh_axes)


def _require_own_state(
    state: SoapState, params: optax.Params, structure: Structure, factored: bool
) -> None:
    number: Any = jax.ShapeDtypeStruct((), jnp.int32)
    fresh_state = SoapState(number, number, number, *shapes(params, structure, factored))
    settings = structure._asdict()
    layouts = {"nu": {"factored": factored}, "gram": settings, "basis": settings}
    unknown = () if structure.is_known else ("gram", "basis")
    require_own_state(state, fresh_state, layouts, unknown)


@functools.partial(jax.jit, static_argnames="place")
def _adam(
    g: jax.Array,
    m: jax.Array,
    v: Any,
    bases: Factors,
    place: Place,
    t: jax.Array,
    moves: jax.Array,
    numbers: Hyperparameters,
) -> tuple[jax.Array, Any, jax.Array]:
    """M and V after the call, and U."""
    b1, b2 = (jnp.asarray(x, g.dtype) for x in (numbers.b1, numbers.b2))

    # G' = Q_L^T G Q_R,  M = b1 M + (1 - b1) G',  V = b2 V + (1 - b2) G'^2
    rotated = place.part.back(on.rotated(place, place.given.of(g), bases), g)
    m_wide = m.astype(g.dtype)
    m_wide = jnp.where(moves, b1 * m_wide + (1 - b1) * rotated, m_wide)
    v_wide = averaged(v, jnp.square(rotated), b2, moves, place)

    # U = sqrt(1 - b2^t) / (1 - b1^t) Q_L [M / (sqrt(V) + eps)] Q_R^T
    v_whole = whole(v_wide, g, place)
    adam = adam_direction(m_wide, v_whole, jax.tree.leaves(v)[0].dtype, t, moves, numbers)
    u = place.part.back(on.returned(place, place.part.of(adam), bases), g)
    return narrow(m_wide, m), jax.tree.map(narrow, v_wide, v), u


@functools.partial(jax.jit, static_argnames="place")
def _anew(first: jax.Array, v: Any, grams: Factors, bases: Factors, place: Place) -> Any:
    """V after its first turn, which leads far away from the coordinates; V otherwise."""
    new = functools.partial(anew, place=place)
    return jax.lax.cond(first, new, lambda v, grams, bases: v, v, grams, bases)


@functools.partial(jax.jit, static_argnames="place")
def _averaged_grams(
    g: jax.Array, factors: Factors, place: Place, finite: jax.Array, numbers: Hyperparameters
) -> Factors:
    """L = s L + (1 - s) G G^T, and likewise for every axis with a basis."""
    s = jnp.asarray(numbers.s, g.dtype)
    x = place.given.of(g)
    return tuple(
        None if a is None else jnp.where(finite, s * a + (1 - s) * on.gram_rows(place, x, axis), a)
        for axis, a in enumerate(factors)
    )
