"""S6: the shipped transformation against the authors' loop written out in NumPy, and mistakes."""

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S6

from ...checks import ExactIdentity
from ...claim import Case, Claim, grid
from ...controls import controls, mutant, null
from . import mutants
from .iterates import farthest
from .settings import Make, SoapSetting

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# Leaf -> its shape and the axes that are rotated: all short ones of a leaf with two axes or more.
LONGEST = 8
LEAVES = {
    "square": ((6, 6), (0, 1)),
    "cube": ((4, 3, 5), (0, 1, 2)),
    "wide": ((4, 9), (0,)),
    "vector": ((7,), ()),
}


def _case(f: int) -> Case:
    setting = SoapSetting(
        text=(
            "Gaussian gradients with wandering scales for leaves of shapes $6 \\times 6$, "
            "$4 \\times 3 \\times 5$, $4 \\times 9$ (its short side rotated) and $7$, in float64"
        ),
        shapes={name: shape for name, (shape, _) in LEAVES.items()},
        calls=300,
        s=0.97,
        f=f,
        structure={"max_precond_dim": LONGEST},
    )

    def check(method: Make = optzoo.soap, names: tuple[str, ...] = ("square",)) -> ExactIdentity:
        def compute() -> tuple[Array, Array]:
            start, gradients = setting.given(*names)
            measured = setting.run(start, gradients, method=method)
            exact = [
                setting.bound(S6, start[name], gradients[name], LEAVES[name][1]) for name in names
            ]
            return farthest([measured[name] for name in names], exact)

        return ExactIdentity(compute, what=f"{setting.calls} calls, every entry of every iterate")

    # With a refresh at every call some of the mistakes cannot be made.
    mistakes = (
        mutants.second_moment_at_refreshes_only,
        mutants.momentum_not_rotated,
        mutants.second_moment_not_permuted,
        mutants.the_basis_leaks,
        mutants.bias_correction_off_by_one,
        mutants.first_call_not_skipped,
        mutants.decay_before_the_step,
    )
    return Case(
        setting,
        check(names=tuple(LEAVES)),
        controls(
            check,
            *(mutant(mistake) for mistake in mistakes if f > 1),
            null(
                "the authors' arrangement",
                "vectors sorted at a refresh, with M and V in their order: other numbers in the "
                "state, the same iterates",
                method=mutants.columns_sorted,
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/parity",
        title="Every iterate is that of the authors' loop",
        theorem=S6,
        prepare=grid(_case, f=(1, 10)),
        x_label="case",
    ),
)
