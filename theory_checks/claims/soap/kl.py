# SPDX-License-Identifier: Apache-2.0
"""S11 to S13: KL-Shampoo's factors, in the limit of its own averages and beside a scaled state.

All values of a gradient are one leaf. Its axis of values is too long for a factor, so that the
shipped averages are over all of them: expectations, without sampling.
"""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S11, S12, S13

from ...checks import ExactIdentity
from ...claim import Case, Claim
from ...controls import Sides, exact_case, mutant, null, wrong
from ...setting import Stated, chosen
from ...simulation.iterates import farthest, iterates
from . import mutants
from .settings import Make, drifting_gradients

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

SHAPE = (4, 3)
CALLS = 800  # until nothing moves
MISTAKES = (
    mutants.opposite_factor_dropped,
    mutants.instantaneous_eigenvalues,
    mutants.not_divided_by_the_other_size,
)


def _limit(gradients: Array, method: Make, s: float = 0.5, first: float = 1.0) -> dict[str, Array]:
    """S_a and S_b, and what is inverted in their place, after so many calls with all values."""
    found = _settled(method, jnp.asarray(gradients), s, first)
    return {name: np.asarray(one) for name, one in found.items()}


@partial(jax.jit, static_argnums=0)
def _settled(method: Make, gradients: jax.Array, s: Any, first: Any) -> dict[str, jax.Array]:
    shipped = method(
        1.0,
        b1=0.0,
        shampoo_beta=s,
        weight_decay=0.0,
        precondition_frequency=1,
        max_precond_dim=max(SHAPE),
    )

    def call(state: Any, factor: jax.Array) -> tuple[Any, None]:
        return shipped.update(factor * gradients, state, gradients)[1], None

    # The eigenvalues begin with the first call's gradients.
    factors = jnp.ones(CALLS).at[0].set(first)
    state, _ = jax.lax.scan(call, shipped.init(gradients), factors)
    names, axes = ("S_a", "S_b"), (1, 2)
    inverted = {
        f"inverted for {name}": state.basis[axis].T
        @ (state.eigenvalues[axis][:, None] * state.basis[axis])
        for name, axis in zip(names, axes, strict=True)
    }
    return {name: state.gram[axis] for name, axis in zip(names, axes, strict=True)} | inverted


# --- S11 ---


@cache
def _values() -> Array:
    """The values of a gradient: Gaussian, with rows of different sizes, mixed."""
    generator = np.random.default_rng(0)
    mixed = np.linalg.qr(generator.standard_normal((SHAPE[0], SHAPE[0])))[0]
    return np.asarray(
        mixed @ (np.array([[3.0], [1.0], [0.6], [0.3]]) * generator.standard_normal((12, *SHAPE)))
    )


def _stationary_sides(setting: Stated, method: Make = optzoo.kl_shampoo, **changes: Any) -> Sides:
    found = _limit(_values(), method, **changes)
    sides = setting.bound(S11, _values(), found["S_a"], found["S_b"])
    exact = sides | {f"inverted for {name}": side for name, side in sides.items()}
    return farthest(found, {name: exact[name] for name in found}, window=1)


def _stationary() -> Case:
    setting = Stated(
        f"12 values of a ${SHAPE[0]} \\times {SHAPE[1]}$ gradient, Gaussian, with rows of "
        f"different sizes; {CALLS} calls with all of them",
        chosen(c=1.0),
        {"s": 0.5, "f": 1},
    )
    return exact_case(
        setting,
        _stationary_sides,
        ExactIdentity,
        *map(mutant, MISTAKES),
        null("s = 0.7", "slower averages end at factors that solve the equations, too", s=0.7),
        tolerance=1e-12,
        round_off=1e-12,
        what="every row of both factors, and of both that are inverted",
    )


# --- S12 ---

HALF, RUN = 20, 60


@cache
def _scaled(method: Make, left: float, right: float) -> Make:
    """The method, with its two factors and their eigenvalues multiplied before call HALF."""

    def make(**arguments: Any) -> optax.GradientTransformationExtraArgs:
        shipped = method(**arguments)

        def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            def changed(field: Any) -> Any:
                pair = zip(field, (left, right), strict=True)
                return tuple(
                    jax.tree.map(lambda x, c=c: x * jnp.where(state.count == HALF, c, 1.0), of_axis)
                    for of_axis, c in pair
                )

            state = state._replace(gram=changed(state.gram), eigenvalues=changed(state.eigenvalues))
            return shipped.update(updates, state, params, **extra)

        return optax.GradientTransformationExtraArgs(shipped.init, update)

    return make


def _invariance_sides(
    setting: Stated, method: Make = optzoo.kl_shampoo, left: float = 1.0, right: float = 1.0
) -> Sides:
    c = setting.of(S12).c
    start, gradients = drifting_gradients({"w": SHAPE}, RUN)
    run = partial(
        iterates,
        start=start,
        gradients=gradients,
        learning_rate=0.01,
        shampoo_beta=0.95,
        eps=0.0,
        precondition_frequency=4,
    )
    return farthest(run(_scaled(method, left * c, right / c)), run(_scaled(method, 1.0, 1.0)))


def _invariance() -> Case:
    setting = Stated(
        f"a ${SHAPE[0]} \\times {SHAPE[1]}$ leaf, {RUN} Gaussian gradients with wandering scales; "
        f"the state is changed before call {HALF}",
        chosen(c=1000.0),
        {"f": 4},
    )
    return exact_case(
        setting,
        _invariance_sides,
        ExactIdentity,
        wrong("one factor alone", r"$S_b$ and $\lambda_b$ stay as they are", right=1000.0),
        wrong("both larger", r"$S_b$ and $\lambda_b$ are multiplied, too", right=1e6),
        mutant(mutants.opposite_factor_dropped),
        what=f"{RUN} calls, every entry of every iterate",
    )


# --- S13 ---


@cache
def _planted() -> tuple[Array, Array]:
    """A and B: condition numbers 60 and 20, eigenvectors that are no coordinates."""
    generator = np.random.default_rng(1)
    spectra = ([6.0, 2.0, 0.5, 0.1], [4.0, 1.0, 0.2])
    turned = [np.linalg.qr(generator.standard_normal((len(s), len(s))))[0] for s in spectra]
    a, b = ((q * spectrum) @ q.T for q, spectrum in zip(turned, spectra, strict=True))
    return np.asarray(a), np.asarray(b)


def _roots() -> tuple[Array, Array]:
    found = []
    for one in _planted():
        values, vectors = np.linalg.eigh(one)
        found.append((vectors * np.sqrt(values)) @ vectors.T)
    return found[0], found[1]


def _design() -> Array:
    """A^(1/2) E B^(1/2) for E = sqrt(d_a d_b) e_i e_j^T, all of them equally likely."""
    left, right = _roots()
    size = int(np.prod(SHAPE))
    return np.asarray(left @ (np.sqrt(size) * np.eye(size).reshape(size, *SHAPE)) @ right)


def _recovery_sides(setting: Stated, method: Make = optzoo.kl_shampoo, **changes: Any) -> Sides:
    found = _limit(_design(), method, **changes)
    measured = {
        "factors": np.asarray(np.kron(found["S_a"], found["S_b"])),
        "inverted": np.asarray(np.kron(found["inverted for S_a"], found["inverted for S_b"])),
    }
    exact = setting.bound(S13, *_planted())
    return farthest(measured, dict.fromkeys(measured, exact), window=1)


def _recovery() -> Case:
    setting = Stated(
        f"$G = A^{{1/2}} E B^{{1/2}}$ of shape ${SHAPE[0]} \\times {SHAPE[1]}$, $A$ and $B$ with "
        "condition numbers 60 and 20; $E$ in the 12 values $\\sqrt{12}\\, e_i e_j^\\top$; "
        f"{CALLS} calls with all of them",
        chosen(c=3.0),
        {"s": 0.5, "f": 1},
    )
    return exact_case(
        setting,
        _recovery_sides,
        ExactIdentity,
        *map(partial(mutant, first=100.0), MISTAKES),
        null("another start", "eigenvalues that begin a hundred times as large", first=100.0),
        tolerance=1e-11,
        round_off=1e-12,
        what="the farthest entry of every row of both products",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/kl/stationary",
        title="Where KL-Shampoo's factors stay",
        theorem=S11,
        prepare=_stationary,
        x_label="row",
    ),
    Claim(
        id="soap/kl/invariance",
        title="One factor larger, the other smaller: the same iterates",
        theorem=S12,
        prepare=_invariance,
        x_label="case",
    ),
    Claim(
        id="soap/kl/recovery",
        title="The factors of a Kronecker covariance are found",
        theorem=S13,
        prepare=_recovery,
        x_label="row",
    ),
)
