# SPDX-License-Identifier: Apache-2.0
"""S1: Shampoo with power 1/2 is Adafactor in the eigenbasis of its preconditioner, on real data."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S1

from ...checks import ExactIdentity
from ...claim import Case, Claim
from ...controls import Sides, exact_case, null, wrong
from ...setting import Stated, chosen
from ...simulation.iterates import farthest
from .settings import INPUTS, OUTPUTS, standardized

__all__ = ["BATCHES", "CLAIMS", "SIZE", "Bases", "eigenbases", "in_batches"]

Array = NDArray[np.float64]

BATCHES, SIZE, TOLERANCE = 71, 8, 1e-12


@cache
def in_batches() -> tuple[Array, Array]:
    """The features x, shape (batches, size, 6), and what is predicted, y, (batches, size, 4)."""
    columns = standardized()
    rows = np.random.default_rng(0).permutation(len(columns))[: BATCHES * SIZE]
    batches = columns[rows].reshape(BATCHES, SIZE, -1)
    return batches[..., INPUTS], batches[..., OUTPUTS]


@cache
def _gradients() -> Array:
    """G_B for all batches: gradients of the mean of |W x - y|^2 / 2 at W = 0, (batches, 4, 6)."""
    x, y = in_batches()
    return np.asarray(-np.einsum("bsi,bsj->bij", y, x) / SIZE)


Bases = tuple[Array, Array]


def eigenbases(gradients: Array) -> Bases:
    """Q_L and Q_R as the shipped transformation finds them, from one call.

    All gradients are one leaf. Its axis of batches is too long for a basis, so that the Gram
    matrices of the others are sums over the batches.

    Args:
        gradients: of all batches, more of them than rows or columns.

    Returns:
        Eigenvectors in columns.
    """
    left, right = _first_call(jnp.asarray(gradients))
    return np.asarray(left).T, np.asarray(right).T


@jax.jit
def _first_call(stack: jax.Array) -> tuple[jax.Array, jax.Array]:
    method = optzoo.scale_by_soap(max_precond_dim=max(stack.shape[1:]))
    _, state = method.update(stack, method.init(stack))
    _, left, right = state.basis
    return left, right


@cache
def _bases() -> Bases:
    return eigenbases(_gradients())


def _adafactor(bases: Bases, *, factored: bool = True) -> Array:
    """G' / sqrt(A C^T / sum(A)) with A, C the sums of squares of G' by rows and columns, back.

    Or G' / sqrt(V), where the second moment V is not factored.
    """
    q_left, q_right = bases
    rotated = np.einsum("ia,bij,jc->bac", q_left, _gradients(), q_right)
    squares = np.mean(rotated**2, axis=0)
    if factored:
        rows, columns = squares.sum(axis=1), squares.sum(axis=0)
        squares = np.outer(rows, columns) / rows.sum()
    return np.asarray(np.einsum("ia,bac,jc->bij", q_left, rotated / np.sqrt(squares), q_right))


SETTING = Stated(
    f"breast cancer, standardized: {len(OUTPUTS)} features predicted from {len(INPUTS)} "
    "others by a matrix; gradients of the squared error at $W = 0$, "
    f"{BATCHES} batches of {SIZE}",
    chosen(power=0.5),
    {"epsilon": 0.0, "bases": "those of the first call of soap"},
)


def _sides(
    setting: Stated, bases: Bases | None = None, *, factored: bool = True, **changes: Any
) -> Sides:
    measured = _adafactor(bases or _bases(), factored=factored)
    exact = setting.bound(S1, _gradients(), **changes)
    return farthest({"steps": measured}, {"steps": exact}, window=1)


def _case() -> Case:
    left, right = _bases()
    first_left, _, first_right = np.linalg.svd(_gradients()[0])
    generator = np.random.default_rng(2)
    rearranged = tuple(
        q[:, ::-1] * generator.choice([-1.0, 1.0], q.shape[1]) for q in (left, right)
    )
    return exact_case(
        SETTING,
        _sides,
        ExactIdentity,
        wrong(
            "one side not rotated",
            "Adafactor in the eigenbasis of $L$ alone",
            bases=(left, np.eye(len(INPUTS))),
        ),
        wrong(
            "basis of one batch",
            "the singular vectors of one gradient in place of the eigenvectors of the means",
            bases=(first_left, first_right.T),
        ),
        wrong(
            "no rotation",
            "Adafactor in the coordinates of the parameters",
            bases=(np.eye(len(OUTPUTS)), np.eye(len(INPUTS))),
        ),
        wrong("not divided by the trace", "$H = L \\otimes R$", by_the_trace=False),
        wrong("power 1/4", "Shampoo's original power: $H^{-1/4}$", power=0.25),
        wrong(
            "Adam in place of Adafactor",
            "the second moment of every entry: what SOAP keeps, and no longer Shampoo",
            factored=False,
        ),
        null(
            "other signs and order",
            "eigenvectors in ascending order with random signs: the same step",
            bases=rearranged,
        ),
        tolerance=TOLERANCE,
        what="the farthest entry of every batch's step",
        round_off=1e-13,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/adafactor",
        title="Shampoo is Adafactor in its eigenbasis",
        theorem=S1,
        prepare=_case,
        x_label="case",
    ),
)
