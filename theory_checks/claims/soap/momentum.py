# SPDX-License-Identifier: Apache-2.0
"""S9: Shampoo with power 1/2 and momentum is Adafactor with momentum, iterate by iterate."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S9

from ...checks import ExactIdentity
from ...claim import Case, Claim
from ...controls import Sides, exact_case, null, wrong
from ...setting import Stated, chosen
from ...simulation.iterates import farthest
from .adafactor import BATCHES, SIZE, Bases, eigenbases, in_batches
from .settings import INPUTS, OUTPUTS

__all__ = ["CLAIMS", "adafactor", "gradients"]

Array = NDArray[np.float64]

CALLS, WINDOW, TOLERANCE = 30, 5, 1e-10
SHAPE = (len(OUTPUTS), len(INPUTS))
SCALES = np.logspace(0, -1.4, len(INPUTS))  # of the features
CONDITION = 8_500  # of R then, rounded


@cache
def _data() -> tuple[Array, Array]:
    x, y = in_batches()
    return x * SCALES, y


def gradients(w: Array) -> Array:
    """G_B for all batches: of the mean of |W x - y|^2 / 2, shape (batches, 4, 6).

    Args:
        w: where.
    """
    x, y = _data()
    errors = np.einsum("ij,bsj->bsi", w, x) - y
    return np.asarray(np.einsum("bsi,bsj->bij", errors, x) / SIZE)


def adafactor(
    eta: float,
    beta_1: float,
    *,
    rotated_along: bool = True,
    of_steps: bool = False,
    bases_of: Callable[[Array], Bases] = eigenbases,
    seen: Callable[[Array], Array] = gradients,
) -> Array:
    """The iterates of Adafactor with momentum in the eigenbases of all gradients, from 0.

    Args:
        eta: learning rate.
        beta_1: decay of the momentum.
        rotated_along: whether M' follows the bases.
        of_steps: whether the momentum is one of preconditioned gradients.
        bases_of: Q_L and Q_R of gradients; those of the shipped transformation.
        seen: at W, the gradients that bases and second moment are made of.

    Returns:
        Shape (calls, 4, 6).
    """
    w, m = np.zeros(SHAPE), np.zeros(SHAPE)
    left, right = bases_of(seen(w))
    path = []
    for _ in range(CALLS):
        new_left, new_right = bases_of(seen(w))
        if rotated_along:
            m = new_left.T @ left @ m @ right.T @ new_right
        left, right = new_left, new_right
        root = np.sqrt(_factored(left.T @ seen(w) @ right))
        mean = left.T @ gradients(w).mean(axis=0) @ right
        m = beta_1 * m + (1 - beta_1) * (mean / root if of_steps else mean)
        w = w - eta * left @ (m if of_steps else m / root) @ right.T
        path.append(w)
    return np.stack(path)


def _factored(rotated: Array) -> Array:
    """A C^T / sum(A), A and C the sums of mean squares along rows and columns."""
    squares = np.mean(rotated**2, axis=0)
    rows, columns = squares.sum(axis=1), squares.sum(axis=0)
    return np.asarray(np.outer(rows, columns) / rows.sum())


def _shampoo(eta: float, beta_1: float) -> Array:
    """The iterates of the shipped transformation with power 1/2, Gram matrices without memory.

    All gradients are one leaf, whose axis of batches is too long for a Gram matrix; the parameter
    takes the mean step. That of the means in place of sums is BATCHES times as large, and the
    trace is one more factor.
    """
    stack = jnp.zeros((BATCHES, *SHAPE))
    method = optzoo.shampoo(
        1.0, 1e-200, beta=0.0, momentum=beta_1, max_precond_dim=max(SHAPE), power=0.5
    )
    update, state = jax.jit(method.update), method.init(stack)
    w, path = np.zeros(SHAPE), []
    for _ in range(CALLS):
        g = gradients(w)
        updates, state = update(jnp.asarray(g), state)
        trace = np.sum(g**2) / BATCHES
        w = w + eta * np.sqrt(trace) * BATCHES * np.asarray(updates).mean(axis=0)
        path.append(w)
    return np.stack(path)


def _first(w: Array) -> Array:
    """The gradients of the first call, wherever W is."""
    return gradients(np.zeros_like(w))


def _kept(seen: Array) -> Bases:
    """The bases of the first call, whatever the gradients are."""
    return eigenbases(_first(np.zeros(seen.shape[1:])))


def _rearranged(seen: Array) -> Bases:
    """Eigenvectors in the other order, with signs of their own at every call."""
    left, right = eigenbases(seen)
    return left[:, ::-1], right * np.sign(seen[0, 0])


SETTING = Stated(
    f"breast cancer as in S1, the features scaled by 1 to {SCALES[-1]:.2g}, the condition of $R$ "
    f"up to {CONDITION:,}; the gradients of all {BATCHES} batches at every iterate; the shipped "
    f"Shampoo with power 1/2, and Adafactor in shipped bases, {CALLS} calls each",
    chosen(eta=0.02, beta_1=0.9, power=0.5),
    {"epsilon": 0.0, "bases": "those of a first call of soap at every iterate"},
)


def _sides(
    setting: Stated,
    *,
    said: Mapping[str, Any] | None = None,
    constant: bool = False,
    **changes: Any,
) -> Sides:
    """The iterates of both methods, and those of S9 with other numbers on request.

    Where H is constant, a momentum of steps is measured by one of gradients.
    """
    numbers = setting.of(S9)
    run = partial(adafactor, numbers.eta, numbers.beta_1)
    if constant:
        path = run(seen=_first, of_steps=True)
        return farthest({"w": path}, {"w": run(seen=_first)}, WINDOW)
    measured = {"adafactor": run(**changes)}
    if not changes:
        measured["shampoo"] = _shampoo(numbers.eta, numbers.beta_1)
    exact = setting.bound(S9, np.zeros(SHAPE), gradients, CALLS, **said or {})
    return farthest(measured, dict.fromkeys(measured, exact), WINDOW)


def _case() -> Case:
    return exact_case(
        SETTING,
        _sides,
        ExactIdentity,
        wrong(
            "momentum not rotated",
            "$M'$ keeps its coordinates when the bases change",
            rotated_along=False,
        ),
        wrong(
            "momentum of steps",
            "the average of preconditioned gradients, while $H_t$ changes",
            of_steps=True,
        ),
        wrong(
            "bases of the first call",
            "second moment and momentum in eigenvectors that are old",
            bases_of=_kept,
        ),
        wrong(
            "all of the first call",
            "$H_1$ in the place of $H_t$: bases and second moment are old",
            seen=_first,
        ),
        wrong("no momentum", "Shampoo with $\\beta_1 = 0$", said={"beta_1": 0.0}),
        wrong("another momentum", "Shampoo with $\\beta_1 = 0.899$", said={"beta_1": 0.899}),
        wrong("power 1/4", "Shampoo's original power", said={"power": 0.25}),
        wrong("not divided by the trace", "$H = L \\otimes R$", said={"by_the_trace": False}),
        null(
            "momentum of steps, constant H",
            "the order of averaging and preconditioning does not matter where $H$ is constant",
            constant=True,
        ),
        null(
            "other signs and order",
            "eigenvectors in ascending order, with other signs at every call: the same iterates",
            bases_of=_rearranged,
        ),
        tolerance=TOLERANCE,
        what=f"{CALLS} calls of Adafactor and of the shipped Shampoo, every entry of every iterate",
        round_off=1e-13,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/momentum",
        title="Shampoo with momentum is Adafactor with momentum",
        theorem=S9,
        prepare=_case,
        x_label="case",
    ),
)
