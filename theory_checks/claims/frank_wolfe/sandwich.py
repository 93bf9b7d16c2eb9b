r"""Sarah Frank-Wolfe between two bounds: F9 from below, F3 from above, on the same instance."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

import optzoo

from ...checks import PathwiseLowerBound, UpperBound
from ...claim import Case, Claim, Control
from ...mutants import frank_wolfe as mutants
from ...simulation import Experiment
from .convex import CONVEX, RECURSION, SCHEDULES, SUBOPTIMALITY
from .instances import sandwich
from .paper import PARTNERS, sarah_claim
from .process import Method, step_table

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- F9: from below ---

SANDWICH = {"p": 0.2, "b": 1}
SANDWICH_CHECKPOINTS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181)


@cache
def _sandwich(method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    steps = step_table(optzoo.open_loop_schedule(2.0), 256)
    run = sandwich().run(steps, SANDWICH["p"], int(SANDWICH["b"]), replacement=True, method=method)
    return Experiment(f"sandwich-{method.__name__}", run, SANDWICH_CHECKPOINTS)


def _floor() -> Array:
    """F9: (1/2) (1/(k+1) - 1/d)."""
    k, d = np.asarray(SANDWICH_CHECKPOINTS, dtype=np.float64), sandwich().problem.dim
    return np.asarray(0.5 * (1 / (k + 1) - 1 / d))


def _sandwich_parameters() -> dict[str, float | int | str]:
    return {
        "p": SANDWICH["p"],
        "batch size": int(SANDWICH["b"]),
        "steps": f"${SCHEDULES['classic']}$",
    }


def _lower_case() -> Case:
    place = sandwich()
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_sandwich_parameters(),
        check=PathwiseLowerBound(_sandwich(), "suboptimality", _floor()),
        controls=(
            Control(
                "projection in place of the oracle",
                "projected gradient steps: a method that is not limited to one vertex a step",
                PathwiseLowerBound(
                    _sandwich(mutants.projected_gradient), "suboptimality", _floor()
                ),
            ),
            Control(
                "bound times ten",
                "a false claim where the bound is not slack",
                PathwiseLowerBound(_sandwich(), "suboptimality", 10 * _floor()),
            ),
        ),
    )


def _upper_case() -> Case:
    place = sandwich()
    bounds = place.bounds(SANDWICH["p"], int(SANDWICH["b"]), replacement=True)
    steps = np.asarray(step_table(optzoo.open_loop_schedule(2.0), 256))
    bound = bounds.convex(steps)[np.asarray(SANDWICH_CHECKPOINTS)]
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_sandwich_parameters(),
        check=UpperBound(_sandwich(), "suboptimality", bound, lower_bound=_floor()),
    )


CLAIMS: tuple[Claim, ...] = (
    sarah_claim(
        id="frank_wolfe/sarah/sandwich/from-below",
        title="No method with this oracle is faster",
        source="folklore lower bound for linear minimization oracles (Jaggi 2013); form F9",
        theorem="F9",
        statement=(
            r"$$f(x^k) - f^* \ge \tfrac12\left(\tfrac{1}{k+1} - \tfrac1d\right)$$ on every path"
        ),
        assumptions=(r"$f(x) = |x|^2/2$ on the simplex, from a vertex", "oracle returns vertices"),
        kind="lower_bound",
        metric=r"f(x^k) - f^*",
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_lower_case,
        not_shown="A bound for this instance; others can be easier.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/sandwich/from-above",
        title="Between the upper and the lower bound",
        source="convex theorem; explicit form F3, and F9 from below",
        theorem="F3",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_upper_case,
        pairs_with=(*PARTNERS, "frank_wolfe/sarah/sandwich/from-below"),
        not_shown="The two bounds differ by a constant factor that neither of them explains.",
    ),
)
