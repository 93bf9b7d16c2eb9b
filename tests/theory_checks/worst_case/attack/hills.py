"""A theorem whose hardest instance is known, and a family that costs nothing to evaluate."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optzoo.theorems import Constants, Paper, Theorem, constant
from theory_checks.checks import ExactInequality
from theory_checks.claim import Case, Claim
from theory_checks.setting import Stated, chosen
from theory_checks.worst_case.attack import InstanceFamily, OneOf, Real


@dataclass(frozen=True, kw_only=True)
class Hill(Constants):
    L: float = constant("curvature", weakens="up")
    r_0: float = constant("start", weakens="up")

    def above(self, k: Any) -> Any:
        return self.r_0 + self.L / 2 * np.asarray(k)


def _half(self: Hill, k: Any) -> Any:
    return self.r_0 + self.L / 4 * np.asarray(k)


HILL = Theorem(
    label="H",
    title="A hill",
    paper=Paper("none"),
    source="none",
    algorithm="none",
    statement="$$m_k \\le r_0 + L k / 2$$",
    assumptions=(),
    metric="m_k",
    output="last",
    side="above",
    constants=Hill,
    formula=Hill.above,
)
WRONG = replace(HILL, formula=_half)
K = np.array([1.0, 2.0, 4.0])


def on_the_hill(theorem: Theorem, x: float, y: list[float], start: float, side: str) -> Case:
    """m_k = share of the start + 2 L k x (1 - x) on one side, half of it on the other.

    The second coordinates only take away. So L is needed whole at x = 1/2, y = 0 on the left.
    """
    if start > 0.9:
        raise ValueError("the start must be at most 0.9")
    setting = Stated("a hill", chosen(L=2.0, r_0=start))
    height = 2 * x * (1 - x) * (1.0 if side == "left" else 0.5)
    measured = start / 2 + 2.0 * height * K - float(np.sum(np.square(y)))
    return Case(setting, ExactInequality(lambda: (measured, lambda: setting.bound(theorem, K))))


FAMILY = InstanceFamily(
    "hills",
    on_the_hill,
    {
        "x": Real(0.0, 1.0),
        "y": Real(-1.0, 1.0, size=2),
        "start": Real(0.001, 1.0, log=True),
        "side": OneOf("right", "left"),
    },
    (HILL,),
)


def claim(theorem: Theorem = HILL, *families: InstanceFamily) -> Claim:
    """The theorem on an easy instance."""
    return Claim(
        id="hills/easy",
        title="A hill",
        theorem=theorem,
        prepare=lambda: on_the_hill(theorem, 0.1, [0.0, 0.0], 0.5, "left"),
        families=families,
    )


CLAIMS = (claim(WRONG, FAMILY),)
