r"""The closed forms of the convex rate, F3a and F3b, and both against what they unroll."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant

from ...checks import ExactInequality, UpperBound
from ...claim import Case, Claim, Control
from .bounds import Sarah
from .convex import CONVEX, SUBOPTIMALITY, parameters, schedule_of, setting
from .instances import instance
from .paper import PARTNERS, sarah_claim
from .process import step_table

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- F3a and F3b: closed forms ---


def _closed_form_case(problem: str, set_name: str) -> Case:
    experiment, bounds, _ = setting(problem, set_name, "restart")
    place = instance(problem, set_name)
    bound = bounds.convex_closed_form(np.asarray(experiment.checkpoints))
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=parameters(problem, set_name, "restart"),
        check=UpperBound(experiment, "suboptimality", bound, uncertainty=place.f_star.width),
    )


def _closed_form_claim(problem: str, set_name: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-")
    return sarah_claim(
        id=f"frank_wolfe/sarah/closed-form/{label}",
        title=f"Convex rate in closed form, {problem.replace('_', ' ')}, "
        f"{set_name.replace('_', ' ')}",
        source=r"convex theorem; explicit form F3a, steps $2/(k+4/p)$",
        theorem="F3a",
        statement=(
            r"$$E[f(x^k) - f^*] \le \frac{(c-1)(c-2)\, r_0 + 4Ak}{(k+c-1)(k+c-2)},\quad c = 4/p,"
            r"\quad A = D^2\left(\tfrac L2 + L_\pm\sqrt{2\nu(1-p)/p}\right)$$"
        ),
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=partial(_closed_form_case, problem, set_name),
        pairs_with=PARTNERS,
        not_shown="The closed form is slacker than the recursion F3 that it is derived from.",
    )


def _stich_case(problem: str, set_name: str) -> Case:
    experiment, bounds, steps = setting(problem, set_name, "stich")
    place = instance(problem, set_name)
    horizon = len(steps)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=parameters(problem, set_name, "stich"),
        check=UpperBound(
            experiment,
            "suboptimality",
            np.array([bounds.convex_stich(horizon)]),
            last_only=True,
            uncertainty=place.f_star.width,
        ),
    )


def _stich_claim(problem: str, set_name: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-")
    return sarah_claim(
        id=f"frank_wolfe/sarah/stich/{label}",
        title=f"Convex rate at the horizon, {problem.replace('_', ' ')}, "
        f"{set_name.replace('_', ' ')}",
        source="convex theorem; explicit form F3b, Stich's steps with $d = 2/p$",
        theorem="F3b",
        statement=(
            r"$$E[f(x^K) - f^*] \le \frac{(2d-1)(2d-2) P + 4AJ}{(J+2d-1)(J+2d-2)}$$ with "
            r"$k_0 = \lceil K/2 \rceil$, $J = K - k_0$, $P = (1-\tfrac1d)^{k_0} r_0 + "
            r"\tfrac Ad (1 - (1-\tfrac1d)^{k_0})$, for $K > d$"
        ),
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        prepare=partial(_stich_case, problem, set_name),
        pairs_with=("frank_wolfe/sarah/one-step/lyapunov", *PARTNERS),
        not_shown="Only the horizon itself: the schedule depends on it.",
    )


# --- The closed forms against the recursions they unroll ---

UNROLLED = Sarah(L=1.0, L_pm=2.0, D=1.5, p=0.1, nu=0.25, r_0=3.0)


def _unrolled(scale: float = 1.0) -> tuple[Array, Array]:
    """Values of Phi_{k+1} = (1 - eta_k) Phi_k + A eta_k^2 beside F3a and F3b."""
    left, right = [], []
    for p in (0.02, 0.1, 0.5):
        bounds = replace(UNROLLED, p=p)
        for horizon in (round(1 / p), round(10 / p), round(100 / p)):
            for schedule in ("restart", "stich"):
                steps = np.asarray(step_table(schedule_of(schedule, p, horizon), 5000))
                value = bounds.r_0
                for eta in steps[:horizon]:
                    value = (1 - eta) * value + bounds.A * eta**2
                stich = schedule == "stich"
                left.append(value)
                right.append(
                    bounds.convex_stich(horizon)
                    if stich
                    else float(bounds.convex_closed_form(horizon))
                )
        eta = 0.05
        constant = bounds.D**2 * (bounds.L / 2 + bounds.L_pm * np.sqrt(bounds.nu * (1 - p) / p))
        left.append(float(bounds.nonconvex(np.full(2000, eta))[-1]))
        right.append(bounds.r_0 / (eta * 2000) + eta * constant)
    return np.array(left), scale * np.array(right)


def _unrolled_case() -> Case:
    what = "three restart probabilities, three horizons, both schedules, and constant steps"
    return Case(
        problem="no method: the arithmetic of the bounds themselves",
        constants={
            name: Constant(getattr(UNROLLED, name), "exact", derivation="chosen")
            for name in ("L", "L_pm", "D", "nu", "r_0")
        },
        parameters={"p": "0.02, 0.1, 0.5"},
        check=ExactInequality(_unrolled, what=what),
        controls=(
            Control(
                "closed forms divided by 1.1",
                "a false claim: closed forms that are a tenth too small",
                ExactInequality(partial(_unrolled, 1 / 1.1), what=what),
            ),
        ),
    )


CLOSED_FORMS = (("least_squares", "l1_ball"), ("logistic", "simplex"), ("breast_cancer", "l1_ball"))

CLAIMS: tuple[Claim, ...] = (
    *(_closed_form_claim(*names) for names in CLOSED_FORMS),
    *(_stich_claim(*names) for names in CLOSED_FORMS),
    sarah_claim(
        id="frank_wolfe/sarah/closed-form/unrolled",
        title="The closed forms bound what they unroll, closely",
        source="explicit forms F3a, F3b and F4 against their own recursions",
        theorem="F3a",
        statement=(
            r"$\Phi_{k+1} = (1-\eta_k)\Phi_k + A\eta_k^2$ stays below F3a (steps $2/(k+4/p)$) and "
            r"F3b (Stich's steps), and F4's sum at constant steps below $r_0/(\eta K) + \eta C$"
        ),
        assumptions=("arithmetic only",),
        kind="one_step",
        metric=r"\Phi_K",
        unit="iteration",
        output="bound",
        x_label="case, the closest to the bound first",
        prepare=_unrolled_case,
        not_shown="That any method obeys the recursions: the one-step claims show that.",
    ),
)
