"""After a few steps without noise: a run, the worst case over the class, and the convex rate."""

from functools import cache
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.lmo import ConstraintSet, simplex
from optzoo.theorems.frank_wolfe import F3

from ...checks import WorstCaseBound
from ...claim import Case, Claim
from ...controls import case, wrong
from ...setting import Stated, chosen
from ...worst_case import pep
from .partners import SARAH_PARTNERS

if TYPE_CHECKING:
    from ...worst_case.pep import WorstCase

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

STEPS = (1, 2, 5)
DIMENSION = 32
L, D = 1.0, 2**0.5
SCHEDULE = optzoo.open_loop_schedule()


def shipped(constraint: ConstraintSet) -> optax.GradientTransformation:
    """Sarah Frank-Wolfe that always restarts."""
    return optzoo.sarah_frank_wolfe(constraint, SCHEDULE, 1.0, key=jax.random.key(0))


@cache
def worst(steps: int) -> "WorstCase":
    """The worst case of the shipped code over the class."""
    return pep.worst_case(shipped, pep.OverSet(pep.SmoothConvex(L), D), steps)


def _run() -> Array:
    """|x|^2 / 2 over the simplex from a vertex, less its minimum."""
    oracle = pep.Oracle(jnp.eye(DIMENSION)[0], lambda x, component: L * x, simplex())
    with jax.disable_jit():  # which costs a compilation a step
        outputs = pep.steps_of(shipped, max(STEPS))(oracle)
    return np.array([L / 2 * (float(outputs[k] @ outputs[k]) - 1 / DIMENSION) for k in STEPS])


def _between() -> Case:
    known = chosen(L=L, L_pm=L, D=D, p=1.0, nu=1.0, r_0=L / 2 * (1 - 1 / DIMENSION))
    setting = Stated(rf"$f(x) = |x|^2/2$ over the simplex, $d = {DIMENSION}$, from a vertex", known)
    eta = np.array([SCHEDULE(k) for k in range(max(STEPS))])

    def check(scale: float = 1.0) -> WorstCaseBound:
        return WorstCaseBound(
            measured=_run,
            says_at_steps=lambda: scale * setting.bound(F3, eta)[list(STEPS)],
            steps=STEPS,
            worst=worst,
            over=r"all convex $L$-smooth $f$ on all sets of diameter $D$, in any dimension",
        )

    return case(
        setting, check, wrong("bound divided by 3", "a bound that is too good", scale=1 / 3)
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/convex/worst-case",
        title="The convex rate after a few steps, beside the worst case over its class",
        theorem=F3,
        prepare=_between,
        pairs_with=SARAH_PARTNERS,
        not_shown=(
            "Noise: here every step restarts. Nor more steps than these: each horizon is a "
            "semidefinite program of its own."
        ),
    ),
)
