"""S1: Shampoo with power 1/2 is Adafactor in the eigenbasis of its preconditioner, on real data."""

from collections.abc import Callable
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
from ...controls import controls, null, wrong
from ...setting import Stated, chosen
from .layout import matrices_of
from .settings import INPUTS, OUTPUTS, standardized

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

BATCHES, SIZE, TOLERANCE = 71, 8, 1e-12


@cache
def _gradients() -> Array:
    """G_B for all batches: gradients of the mean of |W x - y|^2 / 2 at W = 0, (batches, 4, 6)."""
    columns = standardized()
    rows = np.random.default_rng(0).permutation(len(columns))[: BATCHES * SIZE]
    batches = columns[rows].reshape(BATCHES, SIZE, -1)
    return np.asarray(
        -np.einsum("bsi,bsj->bij", batches[..., OUTPUTS], batches[..., INPUTS]) / SIZE
    )


@cache
def _bases() -> tuple[Array, Array]:
    """Q_L and Q_R as the shipped transformation finds them, from one call.

    All gradients are one leaf. Its axis of batches is too long for a basis, so that the Gram
    matrices of the others are sums over the batches.
    """
    stack = jnp.asarray(_gradients())
    method = optzoo.scale_by_soap(max_precond_dim=max(len(INPUTS), len(OUTPUTS)))
    _, state = jax.jit(method.update)(stack, method.init(stack))
    ((_, left, right),) = matrices_of(state.basis, stack)
    return np.asarray(left).T, np.asarray(right).T


Bases = tuple[Array, Array]


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


def _one_side() -> Bases:
    q_left, q_right = _bases()
    return q_left, np.eye(len(q_right))


def _of_one_batch() -> Bases:
    left, _, right = np.linalg.svd(_gradients()[0])
    return left, right.T


def _of_the_parameters() -> Bases:
    return np.eye(len(OUTPUTS)), np.eye(len(INPUTS))


def _rearranged() -> Bases:
    generator = np.random.default_rng(2)
    q_left, q_right = (q[:, ::-1] * generator.choice([-1.0, 1.0], q.shape[1]) for q in _bases())
    return q_left, q_right


SETTING = Stated(
    f"breast cancer, standardized: {len(OUTPUTS)} features predicted from {len(INPUTS)} "
    "others by a matrix; gradients of the squared error at $W = 0$, "
    f"{BATCHES} batches of {SIZE}",
    chosen(power=0.5),
    {"epsilon": 0.0, "bases": "those of the first call of soap"},
)


def _check(
    bases: Callable[[], Bases] = _bases, *, factored: bool = True, **changes: Any
) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        measured = _adafactor(bases(), factored=factored)
        exact = SETTING.bound(S1, _gradients(), **changes)
        left, right = (side.reshape(BATCHES, -1) for side in (measured, exact))
        worst = np.abs(left - right).argmax(axis=1)
        rows = np.arange(BATCHES)
        return left[rows, worst], right[rows, worst]

    what = "the farthest entry of every batch's step"
    return ExactIdentity(compute, TOLERANCE, what, round_off=1e-13)


def _case() -> Case:
    return Case(
        SETTING,
        _check(),
        controls(
            _check,
            wrong(
                "one side not rotated",
                "Adafactor in the eigenbasis of $L$ alone",
                bases=_one_side,
            ),
            wrong(
                "basis of one batch",
                "the singular vectors of one gradient in place of the eigenvectors of the means",
                bases=_of_one_batch,
            ),
            wrong(
                "no rotation",
                "Adafactor in the coordinates of the parameters",
                bases=_of_the_parameters,
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
                bases=_rearranged,
            ),
        ),
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
