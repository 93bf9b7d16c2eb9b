# SPDX-License-Identifier: Apache-2.0
"""S6: the shipped transformation against the authors' loop written out in NumPy, and mistakes."""

from collections.abc import Sequence

import optzoo
from optzoo.theorems.soap import S6

from ...checks import ExactIdentity
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, mutant, null
from ...simulation.iterates import farthest
from . import mutants
from .settings import Make, SoapSetting

__all__ = ["CLAIMS"]

# Leaf -> its shape and the axes that are rotated: all short ones of a leaf with two axes or more.
LONGEST = 8
LEAVES = {
    "square": ((6, 6), (0, 1)),
    "cube": ((4, 3, 5), (0, 1, 2)),
    "wide": ((4, 9), (0,)),
    "vector": ((7,), ()),
}
ONE = ("square",)  # shows a mistake


# With a refresh at every call some of these cannot be made.
MISTAKES = (
    mutants.second_moment_at_refreshes_only,
    mutants.momentum_not_rotated,
    mutants.second_moment_not_permuted,
    mutants.the_basis_leaks,
    mutants.bias_correction_off_by_one,
    mutants.first_call_not_skipped,
    mutants.decay_before_the_step,
)


def _sides(setting: SoapSetting, method: Make = optzoo.soap, names: Sequence[str] = ()) -> Sides:
    start, gradients = setting.given(*names)
    loop = {
        name: setting.bound(S6, start[name], gradients[name], LEAVES[name][1]) for name in start
    }
    return farthest(setting.run(start, gradients, method=method), loop)


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
    arranged = null(
        "the authors' arrangement",
        "vectors sorted at a refresh, with M and V in their order: other numbers in the state, "
        "the same iterates",
        method=mutants.columns_sorted,
        names=ONE,
    )
    return exact_case(
        setting,
        _sides,
        ExactIdentity,
        *(mutant(mistake, names=ONE) for mistake in MISTAKES if f > 1),
        arranged,
        what=f"{setting.calls} calls, every entry of every iterate",
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
