r"""The closed form F6a, the bounds against what they unroll, and the counts they guarantee, F8."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant

from ....checks import ExactInequality, ExactScaling, UpperBound
from ....claim import Case, Claim, Control
from ....simulation.laboratory import Laboratory
from ..bounds import Saga, Sarah
from ..paper import SAGA_PARTNERS, saga_claim
from .process import refresh_probability
from .settings import CONVEX_SETTINGS, SMOOTH, SUBOPTIMALITY, Setting, names

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]


# --- F6a: the closed form ---


def _closed_form_case(setting: Setting) -> Case:
    bound = setting.bounds.convex_closed_form(np.asarray(setting.checkpoints))
    return Case(
        problem=setting.place.description,
        constants=setting.place.constants,
        parameters=setting.parameters,
        check=UpperBound(
            setting.experiment(),
            "suboptimality",
            bound,
            uncertainty=setting.place.f_star.width,
        ),
    )


CLOSED = (
    r"$$E[f(x^k) - f^*] \le \frac{(c-1)(c-2)\, r_0 + 4Ak}{(k+c-1)(k+c-2)},\quad c = 8/a,\quad "
    r"A = D^2\left(\tfrac L2 + \sqrt{c_E}\right)$$ with $\rho = 1 + 1/c$, $q = \sqrt{1-a}\,\rho$, "
    r"$c_Y = q/(1-q)$, $c_E = \nu (L_\pm + \lambda c_Y \tilde L)^2 \rho^2 / (1 - (1-\lambda)^2 "
    r"\rho^2)$"
)


def _closed_form_claim(setting: Setting) -> Claim:
    label, words = names(setting.problem, setting.set_name)
    return saga_claim(
        id=f"frank_wolfe/saga/closed-form/{label}",
        title=f"Convex rate in closed form, {words}",
        source=r"convex theorem on Saga Sarah Frank-Wolfe; explicit form F6a, steps $2/(k+8/a)$",
        theorem="F6a",
        statement=CLOSED,
        assumptions=(r"$f$ convex", *SMOOTH, r"$\lambda = a/2$, table of first gradients"),
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=partial(_closed_form_case, setting),
        pairs_with=SAGA_PARTNERS,
        not_shown="The closed form is slacker than the recursion F6 that it is derived from.",
    )


UNROLLED = Saga(L=1.0, L_pm=2.0, L_tilde=2.5, D=1.5, a=0.1, mixing=0.05, nu=0.25, r_0=3.0)


def _unrolled(scale: float = 1.0, *, swapped: bool = False) -> tuple[Array, Array]:
    """F6 beside F6a, both refreshes, and F7's sum beside its constant-step form."""
    left, right = [], []
    for a in (0.01, 0.1, 0.5, 0.99):
        for new in (True, False):
            saga = replace(UNROLLED, a=a, mixing=a / 2, refreshed_with_new=new)
            other = replace(saga, refreshed_with_new=not new) if swapped else saga
            horizons = [round(m / a) for m in (1, 10, 100)]
            steps = 2 / (np.arange(horizons[-1]) + 8 / a)
            left += list(other.convex(steps)[horizons])
            right += list(scale * saga.convex_closed_form(horizons))
        if not swapped:
            saga = replace(UNROLLED, a=a, mixing=a / 2)
            eta, horizon = 0.05, 2000
            left.append(float(saga.nonconvex(np.full(horizon, eta))[-1]))
            noise = 2 * saga.L_tilde * np.sqrt(saga.nu / (a * (1 - a / 4)))
            constant = saga.D**2 * (saga.L / 2 + noise)
            right.append(scale * (saga.r_0 / (eta * horizon) + eta * constant))
    return np.array(left), np.array(right)


def _unrolled_case() -> Case:
    what = "four refresh probabilities, three horizons, both refreshes, and constant steps"
    return Case(
        problem="no method: the arithmetic of the bounds themselves",
        constants={
            name: Constant(getattr(UNROLLED, name), "exact", derivation="chosen")
            for name in ("L", "L_pm", "L_tilde", "D", "nu", "r_0")
        },
        parameters={"a": "0.01, 0.1, 0.5, 0.99", "lambda": "a/2"},
        check=ExactInequality(_unrolled, what=what),
        controls=(
            Control(
                "closed forms divided by 1.2",
                "a false claim: closed forms that are a sixth too small",
                ExactInequality(partial(_unrolled, 1 / 1.2), what=what),
            ),
        ),
    )


# --- F8: guaranteed counts ---

COUNTED = tuple(4**power for power in range(4, 9))  # n = 256 ... 65536
EPS = 1e-7


def _steps_until(eps: float, bound: "partial[Array]") -> int:
    """The first k at which a closed form, falling in k, is at most eps."""
    low, high = 1, 2
    while float(bound(np.array(high))) > eps:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(bound(np.array(middle))) <= eps else (middle, high)
    return high


def _guaranteed(laboratory: Laboratory, *, root: float = 0.5) -> tuple[Array, Array]:
    """Oracle calls and gradients to eps that F6a and F3a promise for b = n^root, p = b/(n+b)."""
    rows = []
    for n in COUNTED:
        b = round(n**root)
        nu, a = 1 / b, refresh_probability(n, b, replacement=True)
        saga = Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=1.0, a=a, mixing=a / 2, nu=nu, r_0=1.0)
        p = b / (n + b)
        sarah = Sarah(L=1.0, L_pm=1.0, D=1.0, p=p, nu=nu, r_0=1.0)
        calls = _steps_until(EPS, partial(saga.convex_closed_form))
        other = _steps_until(EPS, partial(sarah.convex_closed_form))
        gradients = n + 2 * b * calls
        rows.append([calls, gradients, other, n + other * (p * n + 2 * (1 - p) * b)])
    return np.asarray(COUNTED) / COUNTED[0], np.array(rows, dtype=np.float64)


def _counts_case() -> Case:
    exponents = (0.0, 0.5, 0.0, 0.5)

    def check(exponents: tuple[float, ...] = exponents, root: float = 0.5) -> ExactScaling:
        return ExactScaling(partial(_guaranteed, root=root), exponents, tolerance=0.15)

    return Case(
        problem=f"no method: what F6a and F3a promise for accuracy {EPS}, $L = L_\\pm = D = r_0$",
        constants={
            name: Constant(1.0, "exact", derivation="chosen")
            for name in ("L", "L_pm", "L_tilde", "D", "r_0")
        },
        parameters={"batch size": r"$\sqrt n$", "p": "b/(n+b)", "lambda": "a/2", "eps": EPS},
        check=check(),
        controls=(
            Control(
                "batches of n^(1/4)",
                r"a false claim: the counts of $b = \sqrt n$ for smaller batches",
                check(root=0.25),
            ),
            Control(
                "gradients linear in n",
                "a false claim: as many passes over the data whatever n",
                check((0.0, 1.0, 0.0, 1.0)),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *(
        _closed_form_claim(setting)
        for setting in CONVEX_SETTINGS
        if setting.schedule == "table" and setting.set_name == "l1_ball"
    ),
    saga_claim(
        id="frank_wolfe/saga/closed-form/unrolled",
        title="The closed forms of Saga Sarah Frank-Wolfe bound what they unroll, closely",
        source="explicit forms F6a and F7 against the recursions F6 and F5",
        theorem="F6a",
        statement=(
            r"F6 stays below F6a for both refreshes of the table, with $c_Y = [Q + \sqrt{Q^2 + "
            r"(1-Q)(Q + a\rho^2)}]/(1-Q)$, $Q = (1-a)\rho^2$ for the old one; and F7's sum at "
            r"constant steps below $r_0/(\eta K) + \eta D^2 (L/2 + 2 \tilde L "
            r"\sqrt{\nu/(a(1-a/4))})$"
        ),
        assumptions=("arithmetic only",),
        kind="one_step",
        metric=r"R_K",
        unit="iteration",
        output="bound",
        x_label="case, the closest to the bound first",
        prepare=_unrolled_case,
        not_shown="That any method obeys the recursions: the other claims show that.",
    ),
    saga_claim(
        id="frank_wolfe/saga/counts",
        title="Guaranteed counts: the root of n in gradients, none of n in oracle calls",
        source="complexity corollaries of both methods; explicit forms F3a and F6a solved for k",
        theorem="F8",
        statement=(
            r"With $b = \sqrt n$ the bounds guarantee accuracy $\epsilon$ after a number of oracle "
            r"calls that does not grow with $n$, and after $O(n + \sqrt n/\epsilon)$ gradients: "
            r"exponents 0 and 1/2, of Saga Sarah and of Sarah Frank-Wolfe"
        ),
        assumptions=(r"$n \ll 1/\epsilon^2$, so that $\sqrt n/\epsilon$ outweighs $n$",),
        kind="scaling",
        metric=r"K_\epsilon(n)",
        unit="iteration",
        output="bound",
        x_label="$n / 256$",
        prepare=_counts_case,
        not_shown="What runs need, which is far less: the laws have an instance for that.",
    ),
)
