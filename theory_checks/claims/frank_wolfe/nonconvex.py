r"""The non-convex rates, F4 and F7: the average Frank-Wolfe gap at constant steps."""

from optzoo.theorems.frank_wolfe import F4, F7

from ...checks import UpperBound
from ...claim import Case, Claim, grid
from ...controls import controls, mutant
from . import mutants, saga_mutants
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import AVERAGE_GAP, Method
from .settings import OnInstance, SagaSetting, SarahSetting, largest_gap

__all__ = ["CLAIMS"]

INSTANCES = {"sigmoid": "l1_ball", "breast_cancer_sigmoid": "simplex"}


def _average_gap(setting: OnInstance, *, with_control: bool = True) -> Case:
    theorem, wrong_sign = (
        (F4, mutants.wrong_sign_of_the_oracle)
        if isinstance(setting, SarahSetting)
        else (F7, saga_mutants.wrong_sign_of_the_oracle)
    )
    # Its first entry is the bound after one step.
    bound = setting.at_checkpoints(setting.bound(theorem, setting.steps), first=1)

    def check(method: Method | None = None) -> UpperBound:
        experiment = setting.experiment(method, AVERAGE_GAP)
        return UpperBound(experiment, "average_gap", bound, cap=largest_gap(setting.run()))

    changes = (mutant(wrong_sign),) if with_control else ()
    return Case(setting, check(), controls(check, *changes))


def _sarah(problem: str) -> Case:
    return _average_gap(
        SarahSetting(problem=problem, set_name=INSTANCES[problem], schedule="constant")
    )


def _saga(problem: str) -> Case:
    return _average_gap(
        SagaSetting(
            problem=problem, set_name=INSTANCES[problem], schedule="constant", replacement=False
        ),
        # Maximizing stays below the bound on the real data, where it is slackest.
        with_control=problem == "sigmoid",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/nonconvex/generic",
        title="Non-convex rate of the gap",
        theorem=F4,
        prepare=grid(_sarah, problem=INSTANCES),
        pairs_with=SARAH_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/nonconvex/generic",
        title="Non-convex rate of the gap without full gradients",
        theorem=F7,
        prepare=grid(_saga, problem=INSTANCES),
        pairs_with=SAGA_PARTNERS,
    ),
)
