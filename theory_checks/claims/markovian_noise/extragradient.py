r"""D5: randomized extragradient on strongly monotone variational inequalities."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    LinearMethodMoments,
    MarkovianProblem,
    MethodMoments,
    extragradient_moments,
    river_swim_evaluation,
    rotation_operator,
)

from ...claim import Case, Claim, Control
from .exact_runs import (
    Family,
    Instance,
    along_the_runs,
    at_the_floors,
    horizon_of,
    is_additive,
    is_multiplicative,
    largest_step,
    noise_of,
    single_samples,
)
from .paper import CHAIN_WORDS, PARTNERS, chains, markov_claim, tau_range

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]


def _problems() -> dict[str, MarkovianProblem]:
    found: dict[str, MarkovianProblem] = {}
    for name, chain in chains().items():
        if chain.num_states <= 10:
            found[f"{name}-additive"] = rotation_operator(chain, 1.0, [3.0], sigma=1.0)
    for name in ("switch-14", "switch-138", "switch-1386", "resample-20", "ring-17"):
        for factor in (1.0, 2.0):
            found[f"{name}-factor-{factor:g}"] = rotation_operator(
                chains()[name], 1.0, [3.0], factor=factor
            )
    found["river-swim"] = river_swim_evaluation()
    return found


@cache
def _instances() -> tuple[Instance, ...]:
    found = []
    for name, problem in _problems().items():
        L, mu = problem.constants["L"].value, problem.constants["mu"].value
        noise = noise_of(problem)
        tau, factor = noise.mixing_time, noise.delta
        least = round(16 * max(1.0, (factor / mu) ** 2) * tau)
        for b, m in [(tau, 3), (16 * tau, 4)] if factor == 0 else [(least, 6)]:
            bound = largest_step(
                partial(
                    optzoo.ExtragradientBound,
                    L,
                    noise,
                    optzoo.MultilevelBatch(b, m),
                    strong_convexity=mu,
                ),
                1 / (np.sqrt(6) * L),
            )
            far = problem.solution + 5.0
            for start in (far, problem.solution) if factor == 0 else (far,):
                horizon = horizon_of(bound, most=300)
                found.append(Instance(f"{name}-{b}-{m}", problem, bound, start, horizon))
    return tuple(found)


def _moments(instance: Instance, batch_size: int, max_level: int) -> LinearMethodMoments:
    return extragradient_moments(
        instance.problem,
        instance.bound.learning_rate,
        first_batch_size=batch_size,
        batch_size=batch_size,
        max_level=max_level,
    )


def _distance(instance: Instance, run: MethodMoments) -> Array:
    return run.squared_distance("x")


def _initial(instance: Instance) -> float:
    return float(np.sum((instance.start - instance.problem.solution) ** 2))


FAMILY = Family(_instances, _moments, _distance, _initial)


def _case() -> Case:
    check = partial(along_the_runs, FAMILY)
    return Case(
        problem=(
            r"$F(x) = \mu x$ plus a rotation, $L/\mu = \sqrt{10}$, noise along the coordinate that "
            r"does not rotate or $\Delta\,\zeta_z (x - x^*)$; temporal differences on RiverSwim "
            f"(22 transitions); {CHAIN_WORDS.replace('10 and 30 states (17, 149)', '10 states')}"
        ),
        constants=tau_range(),
        parameters={
            "gamma": "the longest allowed, to a tenth",
            "B": r"$\tau$ and $16\tau$; $16 (\Delta/\mu)^2 \tau$",
            "m": "3, 4 and 6",
            "Delta": "0, 1, 2",
        },
        check=check(),
        controls=(
            Control(
                "mixing time 1",
                r"the bound evaluated with $\tau' = 1$, additive noise",
                check(mixing_time=1, only=is_additive),
            ),
            Control(
                "plain batch of one",
                r"single samples with the step that was meant for the batch, $\Delta = 2$",
                check(batch=single_samples, only=is_multiplicative, horizon=140),
            ),
        ),
    )


def _floor_case() -> Case:
    check = partial(at_the_floors, FAMILY)
    return Case(
        problem=r"$F(x) = \mu x$ plus a rotation, additive noise along the other coordinate",
        constants=tau_range(),
        parameters={"B": r"$\tau$ and $16\tau$", "m": "3 and 4"},
        check=check(),
        controls=(
            Control("mixing time 1", r"the bound evaluated with $\tau' = 1$", check(mixing_time=1)),
        ),
    )


FLOOR = r"\frac{\sigma^2}{R} \left[3\gamma^2 (V + V_0) + \frac{2\gamma b}{\mu}\right]"
WHERE = (
    r"$R = \gamma\mu/2 - 3\gamma^2 V_0 \Delta^2 > 0$, $V_0 = \frac{10}{3} \tau/B_0$ for the plain "
    "batch of the first half, $V$ and $b$ the factors of D2 for the second"
)
ASSUMPTIONS = (
    r"$F$ $L$-Lipschitz, $\mu$-strongly monotone",
    r"$|F(x, z) - F(x)|^2 \le \sigma^2 + \Delta^2 |x - x^*|^2$ for each state",
    r"$\gamma \le 1/(\sqrt6 L)$, $\Delta^2 (3\gamma^2 V + 2\gamma b/\mu) \le \gamma\mu/2$",
)
_claim = partial(
    markov_claim,
    algorithm="randomized_extragradient",
    theorem="D5",
    kind="upper_bound",
    metric=r"E|x^N - x^*|^2",
    unit="iteration",
    output="last iterate",
    x_label="case, the closest to the bound first",
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/extragradient/distance",
        title="Linear rate of extragradient, against its exact expectation",
        source="theorem on randomized extragradient; explicit form D5",
        statement=rf"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2 + {FLOOR}$$ {WHERE}",
        assumptions=ASSUMPTIONS,
        prepare=_case,
        not_shown="Constraints: here $r = 0$.",
    ),
    _claim(
        id="markovian_noise/extragradient/floor",
        title="Noise floor of extragradient",
        source="theorem on randomized extragradient; explicit form D5, large N",
        statement=rf"$$E|x^N - x^*|^2 \le {FLOOR}$$ for large $N$, {WHERE}",
        assumptions=ASSUMPTIONS,
        prepare=_floor_case,
        pairs_with=PARTNERS,
        not_shown="A close floor: the proof's constants cost a factor of 30.",
    ),
)
