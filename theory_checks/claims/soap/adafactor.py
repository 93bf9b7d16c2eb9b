"""S1: Shampoo with power 1/2 is Adafactor in the eigenbasis of its preconditioner, on real data."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import breast_cancer

from ...checks import ExactIdentity
from ...claim import Case, Claim, Control
from .paper import soap_claim

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# Columns of the data: radius, texture, smoothness, concavity, symmetry and fractal dimension as
# means over the cells, and the worst radius, texture, smoothness and symmetry.
INPUTS, OUTPUTS = (0, 1, 4, 6, 8, 9), (20, 21, 24, 28)
BATCHES, SIZE, TOLERANCE = 71, 8, 1e-12


@cache
def _gradients() -> Array:
    """G_B for all batches: gradients of the mean of |W x - y|^2 / 2 at W = 0, (batches, 4, 6)."""
    columns, _ = breast_cancer()
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
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
    none, left, right = state.basis
    assert none is None
    return np.asarray(left).T, np.asarray(right).T


def _shampoo(power: float = 0.5, *, normalized: bool = True) -> Array:
    """H^(-1/2) vec(G_B) for all batches with H = (L kron R) / trace(L), by one dense eigh."""
    g = _gradients()
    left = np.einsum("bij,bkj->ik", g, g) / len(g)
    right = np.einsum("bij,bik->jk", g, g) / len(g)
    h = np.kron(left, right) / (np.trace(left) if normalized else 1.0)
    values, vectors = np.linalg.eigh(h)
    rows = g.reshape(len(g), -1)
    return np.asarray(((rows @ vectors) * values**-power @ vectors.T).reshape(g.shape))


def _adafactor(bases: Callable[[], tuple[Array, Array]] = _bases) -> Array:
    """G' / sqrt(A C^T / sum(A)) with A, C the sums of squares of G' by rows and columns, back."""
    q_left, q_right = bases()
    rotated = np.einsum("ia,bij,jc->bac", q_left, _gradients(), q_right)
    squares = np.mean(rotated**2, axis=0)
    rows, columns = squares.sum(axis=1), squares.sum(axis=0)
    scaled = rotated / np.sqrt(np.outer(rows, columns) / rows.sum())
    return np.asarray(np.einsum("ia,bac,jc->bij", q_left, scaled, q_right))


def _full_adam(bases: Callable[[], tuple[Array, Array]] = _bases) -> Array:
    """The same without the factorization of the second moment."""
    q_left, q_right = bases()
    rotated = np.einsum("ia,bij,jc->bac", q_left, _gradients(), q_right)
    scaled = rotated / np.sqrt(np.mean(rotated**2, axis=0))
    return np.asarray(np.einsum("ia,bac,jc->bij", q_left, scaled, q_right))


def _identity(
    left: Callable[[], Array] = _adafactor, right: Callable[[], Array] = _shampoo
) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        measured, exact = left(), right()
        worst = np.abs(measured - exact).reshape(len(exact), -1).argmax(axis=1)
        rows = np.arange(len(exact))
        return (
            measured.reshape(len(exact), -1)[rows, worst],
            exact.reshape(len(exact), -1)[rows, worst],
        )

    return ExactIdentity(compute, TOLERANCE, what="the farthest entry of every batch's step")


def _case() -> Case:
    def swapped() -> tuple[Array, Array]:
        q_left, q_right = _bases()
        return q_left, np.eye(len(q_right))

    def of_one_batch() -> tuple[Array, Array]:
        g = _gradients()[0]
        return np.linalg.svd(g)[0], np.linalg.svd(g)[2].T

    return Case(
        problem=(
            f"breast cancer, standardized: {len(OUTPUTS)} features predicted from {len(INPUTS)} "
            "others by a matrix; gradients of the squared error at $W = 0$, "
            f"{BATCHES} batches of {SIZE}"
        ),
        constants={},
        parameters={"epsilon": 0.0, "power": "1/2", "bases": "those of the first call of soap"},
        check=_identity(),
        controls=(
            Control(
                "one side not rotated",
                "Adafactor in the eigenbasis of $L$ alone",
                _identity(lambda: _adafactor(swapped)),
            ),
            Control(
                "basis of one batch",
                "the singular vectors of one gradient in place of the eigenvectors of the means",
                _identity(lambda: _adafactor(of_one_batch)),
            ),
            Control(
                "no rotation",
                "Adafactor in the coordinates of the parameters",
                _identity(lambda: _adafactor(lambda: (np.eye(len(OUTPUTS)), np.eye(len(INPUTS))))),
            ),
            Control(
                "not divided by the trace",
                "$H = L \\otimes R$",
                _identity(right=lambda: _shampoo(normalized=False)),
            ),
            Control(
                "power 1/4",
                "Shampoo's original power: $H^{-1/4}$",
                _identity(right=lambda: _shampoo(0.25)),
            ),
            Control(
                "Adam in place of Adafactor",
                "the second moment of every entry: what SOAP keeps, and no longer Shampoo",
                _identity(_full_adam),
            ),
            Control(
                "other signs and order",
                "eigenvectors in ascending order with random signs: the same step",
                _identity(lambda: _adafactor(_rearranged)),
                expected="NOT_REFUTED",
            ),
        ),
    )


def _rearranged() -> tuple[Array, Array]:
    generator = np.random.default_rng(2)
    q_left, q_right = (q[:, ::-1] * generator.choice([-1.0, 1.0], q.shape[1]) for q in _bases())
    return q_left, q_right


CLAIMS: tuple[Claim, ...] = (
    soap_claim(
        id="soap/adafactor",
        title="Shampoo is Adafactor in its eigenbasis",
        source="Claim 1, S1",
        theorem="S1",
        statement=(
            r"$$H^{-1/2} \mathrm{vec}(G) = \mathrm{vec}\left(Q_L \frac{G'}{\sqrt{V}} Q_R^\top"
            r"\right), \qquad H = \frac{L \otimes R}{\mathrm{tr} L}, \quad V_{ij} = "
            r"\frac{A_i C_j}{\sum_i A_i}$$ with $L = E_B[G_B G_B^\top] = Q_L \Lambda Q_L^\top$, "
            r"$R = E_B[G_B^\top G_B] = Q_R M Q_R^\top$, $G' = Q_L^\top G Q_R$, and $A$, $C$ the "
            r"sums of $E_B[G_B'^2]$ along rows and columns"
        ),
        assumptions=(r"$L$ and $R$ are invertible", r"$\epsilon = 0$"),
        metric=r"\text{an entry of the step}",
        prepare=_case,
        not_shown=(
            "Anything about SOAP's own second moment, which is not factorized, or about bases that "
            "are averages over time and lag behind."
        ),
    ),
)
