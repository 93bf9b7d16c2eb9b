"""S6: the shipped transformation against the authors' loop written out in NumPy, and mistakes."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import optax
from numpy.typing import NDArray

import optzoo

from ...checks import ExactIdentity
from ...claim import Case, Claim, Control
from . import mutants
from .iterates import drifting_gradients, farthest, iterates
from .paper import soap_claim

__all__ = ["CLAIMS", "authors_loop"]

Array = NDArray[np.float64]
Make = Callable[..., optax.GradientTransformationExtraArgs]

CALLS = 300
RATE, DECAY, B1, B2, GRAM_DECAY, EPS = 1e-2, 0.1, 0.9, 0.95, 0.97, 1e-8

# Leaf -> its shape and the axes that are rotated: all short ones of a leaf with two axes or more.
LONGEST = 8
LEAVES = {
    "square": ((6, 6), (0, 1)),
    "cube": ((4, 3, 5), (0, 1, 2)),
    "wide": ((4, 9), (0,)),
    "vector": ((7,), ()),
}


def authors_loop(start: Array, gradients: Array, f: int, axes: Sequence[int]) -> Array:
    """Algorithm 3 for one parameter as the authors' code runs it, in plain NumPy.

    Columns of the bases are sorted at a refresh, V is permuted with them, and M is rotated out and
    in on every call.

    Args:
        start: the parameter before the first call.
        gradients: shape (calls, *shape of the parameter).
        f: calls between refreshes.
        axes: which axes have a basis.

    Returns:
        The parameter after every call, of the shape of `gradients`.
    """

    def turned(x: Array, matrix: Array, axis: int) -> Array:
        return np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)

    def into_basis(x: Array) -> Array:
        for axis in axes:
            x = turned(x, q[axis].T, axis)
        return x

    def out_of_basis(x: Array) -> Array:
        for axis in axes:
            x = turned(x, q[axis], axis)
        return x

    def gram(g: Array, axis: int) -> Array:
        unfolded = np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
        return np.asarray(unfolded @ unfolded.T)

    w, path = start.copy(), [start.copy()]
    average = {axis: (1 - GRAM_DECAY) * gram(gradients[0], axis) for axis in axes}
    q = {axis: np.linalg.eigh(average[axis])[1][:, ::-1] for axis in axes}
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients[1:], start=1):
        rotated = into_basis(g)
        m = B1 * m + (1 - B1) * rotated
        v = B2 * v + (1 - B2) * rotated**2
        step = RATE * np.sqrt(1 - B2**t) / (1 - B1**t)
        w = w - step * out_of_basis(m / (np.sqrt(v) + EPS))
        w = w * (1 - RATE * DECAY)
        m = out_of_basis(m)
        for axis in axes:
            average[axis] = GRAM_DECAY * average[axis] + (1 - GRAM_DECAY) * gram(g, axis)
            if t % f == 0:
                order = np.argsort(-np.diag(q[axis].T @ average[axis] @ q[axis]))
                v = np.take(v, order, axis=axis)
                q[axis] = np.linalg.qr(average[axis] @ q[axis][:, order])[0]
        m = into_basis(m)
        path.append(w)
    return np.stack(path)


@cache
def _given(names: tuple[str, ...]) -> tuple[dict[str, Array], dict[str, Array]]:
    start, gradients = drifting_gradients({name: LEAVES[name][0] for name in names}, CALLS)
    return dict(start), dict(gradients)


def _soap(precondition_frequency: int) -> optax.GradientTransformationExtraArgs:
    return optzoo.soap(
        RATE,
        B1,
        B2,
        GRAM_DECAY,
        EPS,
        DECAY,
        precondition_frequency=precondition_frequency,
        max_precond_dim=LONGEST,
    )


def _mutant(change: Callable[..., optax.GradientTransformationExtraArgs], **given: float) -> Make:
    return lambda precondition_frequency: change(_soap(precondition_frequency), **given)


def _parity(
    make: Make = _soap,
    names: tuple[str, ...] = tuple(LEAVES),
    frequencies: tuple[int, ...] = (1, 10),
) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        start, gradients = _given(names)
        measured, exact = [], []
        for f in frequencies:
            found = iterates(make, start, gradients, precondition_frequency=f)
            for name in names:
                measured.append(found[name])
                exact.append(authors_loop(start[name], gradients[name], f, LEAVES[name][1]))
        return farthest(measured, exact)

    return ExactIdentity(compute, what=f"{CALLS} calls, every entry of every iterate")


def _case() -> Case:
    mutant = partial(_parity, names=("square",))
    return Case(
        problem=(
            f"{CALLS} Gaussian gradients with wandering scales for leaves of shapes $6 \\times 6$, "
            "$4 \\times 3 \\times 5$, $4 \\times 9$ (its short side rotated) and $7$, in float64"
        ),
        constants={},
        parameters={
            "eta": RATE,
            "beta_1": B1,
            "beta_2": B2,
            "decay of the Gram matrices": GRAM_DECAY,
            "lambda": DECAY,
            "f": "1 and 10",
        },
        check=_parity(),
        controls=(
            Control(
                "V at refreshes only",
                "the second moment is remembered on refresh calls only",
                mutant(_mutant(mutants.second_moment_at_refreshes, frequency=10)),
            ),
            Control(
                "momentum not rotated",
                "at a refresh the coordinates of M stay as they are",
                mutant(_mutant(mutants.momentum_not_rotated)),
            ),
            Control(
                "V not permuted",
                "a refresh sorts the vectors, and V does not follow them",
                mutant(_mutant(mutants.second_moment_not_permuted)),
            ),
            Control(
                "the basis leaks",
                "the gradient is rotated with a basis that it has already entered",
                mutant(_mutant(mutants.basis_leaks)),
            ),
            Control(
                "bias correction off by one",
                "call $t$ is corrected as call $t + 1$",
                mutant(
                    _mutant(
                        mutants.correction_off_by_one,
                        learning_rate=RATE,
                        weight_decay=DECAY,
                        b1=B1,
                        b2=B2,
                    )
                ),
            ),
            Control(
                "first call not skipped",
                "the first gradient makes the bases and a step",
                mutant(_mutant(mutants.first_call_steps)),
            ),
            Control(
                "decay before the step",
                "the weights decay before the step is added",
                mutant(_mutant(mutants.decay_before_step, learning_rate=RATE, weight_decay=DECAY)),
            ),
            Control(
                "the authors' arrangement",
                "vectors sorted at a refresh, with M and V in their order: other numbers in the "
                "state, the same iterates",
                mutant(_mutant(mutants.columns_sorted)),
                expected="NOT_REFUTED",
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    soap_claim(
        id="soap/parity",
        title="Every iterate is that of the authors' loop",
        source="Algorithm 3 with the details of the authors' code, S6",
        theorem="S6",
        statement=(
            r"$$G' = Q_L^\top G Q_R, \quad M = \beta_1 M + (1-\beta_1) G', \quad "
            r"V = \beta_2 V + (1-\beta_2) G'^2, \quad W \leftarrow (1-\eta\lambda)\left(W - \eta "
            r"\frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} Q_L \frac{M}{\sqrt V + \epsilon} Q_R^\top"
            r"\right)$$ with the bases of the calls before; the first call only makes bases"
        ),
        assumptions=(
            "float64",
            "the first gradient has full rank along every axis with a basis",
        ),
        metric=r"\text{an entry of } W_t",
        prepare=_case,
        not_shown=(
            "That a run in float32 stays as close: a swap of two nearly equal eigenvalues in the "
            "sorting separates identical algorithms. The loop is written from the description of "
            "the authors' code; their PyTorch program is not executed."
        ),
    ),
)
