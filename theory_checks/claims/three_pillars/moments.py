"""Whole runs without sampling: exact second moments on affine problems."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import SampledClients
from optzoo.problems import AffineOperators, Constant, locked_tail
from optzoo.theorems.three_pillars import LB, V0_MOMENTS, V1, V2, V6

from ...checks import ExactIdentity, ExactInequality, ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import wrong
from ...setting import Setting, Stated
from .enumeration import after_messages, exact_case, random_states
from .mutants import Scaled
from .partners import PARTNERS
from .settings import COMPRESSORS, EXACT, PillarsSetting, hard, moments, saddle

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]
NO_SAMPLING = "exact second moments, no sampling"


# --- The recursion is that of the shipped method ---


def _recursion_sides(setting: PillarsSetting, *, permuted: bool = False, **changes: Any) -> Sides:
    run, star, p = setting.run(**changes), setting.problem.solution, setting.value("p")
    recursion = moments(setting, permuted=permuted)
    z, m = random_states(run, 4)
    found: Array = np.zeros((4, 8, 8))
    for kept, weight in ((True, 1 - p), (False, p)):
        w = np.concatenate(after_messages(run, z, m, kept), axis=2) - np.tile(star, 2)
        found += weight * np.einsum("sda,sdb->sab", w, w) / w.shape[1]
    w = np.hstack([z - star, m - star])
    predicted = np.stack([recursion.step(np.outer(each, each)) for each in w])
    scale = np.sum(w**2, axis=1)[:, None, None]
    return (found / scale).ravel(), (predicted / scale).ravel()


def _recursion(compressor: str) -> Case:
    setting = saddle(
        "spectrum",
        n=4,
        half_dim=2,
        mu=0.3,
        size=3.0,
        compressor=COMPRESSORS[compressor],
        local_steps=EXACT,
    )
    changes = (
        wrong(
            "correction halved", "messages count half", compressor=Scaled(setting.compressor, 0.5)
        ),
        wrong(
            "a uniform permutation for a uniform shift",
            "a false claim: only the correlations between coordinates differ",
            permuted=True,
        ),
    )
    return exact_case(
        setting,
        _recursion_sides,
        ExactIdentity,
        *(changes if compressor == "PermK" else ()),
        tolerance=1e-12,
        what="all entries, all draws of the messages, both sides of the coin",
    )


# --- V2: asymptotic rates ---


def _without_coupling(n: int, ratio: float) -> PillarsSetting:
    return saddle("zero", n=n, half_dim=1, mu=1 / ratio, compressor=SampledClients(1, n))


_FOUR: dict[str, Any] = {"n": 4, "half_dim": 2}
SLOWEST = "zero, n = 32, delta/mu = 320"
RATES: dict[str, Callable[[], PillarsSetting]] = {
    **{
        f"zero, n = {n}, delta/mu = {ratio}": partial(_without_coupling, n, ratio)
        for n in (4, 8, 16, 32)
        for ratio in (2, 10, 100, 320)
    },
    **{
        f"zero, PermK, {longer} times the step": partial(
            saddle, "zero", mu=0.01, longer=longer, **_FOUR
        )
        for longer in (0.5, 1.0, 1.35)
    },
    **{
        f"spectrum up to {size:g}": partial(saddle, "spectrum", mu=0.01, size=size, **_FOUR)
        for size in (1.0, 10.0, 100.0)
    },
    **{
        coupling: partial(saddle, coupling, mu=0.1, **_FOUR)
        for coupling in ("adversarial", "overshooting", "plus")
    },
}


def _rate_sides(setting: PillarsSetting, scale: float = 1.0, **claimed: float) -> Sides:
    found = 1 / (1 - moments(setting).rate())
    return np.array([found]), np.array([scale * setting.bound(V2, **claimed)])


def _rate(instance: str) -> Case:
    setting = RATES[instance]()
    changes = (
        wrong("bound divided by 1.1", "a false claim: a tenth faster", scale=1 / 1.1),
        wrong(
            "progress of both points",
            r"a false claim: $2\gamma\mu$ for $\gamma\mu$, as without the reference point",
            mu=2 * setting.value("mu"),
        ),
    )
    return exact_case(
        setting,
        _rate_sides,
        ExactInequality,
        *(changes if instance == SLOWEST else ()),
        what=NO_SAMPLING,
    )


# --- Both sides on the hard instance ---

HARD_STEPS = (1, 2, 5, 10, 20, 40, 80, 160)
HARD = {f"n = {n}, delta/mu = {ratio}": (n, float(ratio)) for n in (4, 8) for ratio in (40, 160)}
# With delta/mu = 160 the steps are too few for false claims on the pace.
FAST_ENOUGH = 40.0


@cache
def _hard(n: int, ratio: float) -> tuple[PillarsSetting, Array]:
    """The instance, and the exact E|z^k - z*|^2."""
    setting = hard(n, 16, mu=1.0, delta=ratio, compressor=SampledClients(1, n))
    recursion, d = moments(setting), setting.problem.dim
    found = recursion.run(recursion.start(-setting.problem.solution), HARD_STEPS)
    return setting, np.array([np.trace(second[:d, :d]) for second in found])


def _above(instance: str) -> Case:
    setting, found = _hard(*HARD[instance])

    def sides(setting: Setting, *, scale: float = 1.0, speed: float = 1.0) -> Sides:
        return found, scale * setting.bound(V1, speed * np.array(HARD_STEPS), initial)

    initial = setting.initial
    changes = (
        wrong("twice as fast", r"a false claim: $\rho^{2k}$", speed=2.0),
        wrong(
            "bound divided by three",
            "a false claim: the potential starts at less than half of itself",
            scale=1 / 3,
        ),
    )
    return exact_case(
        setting,
        sides,
        ExactInequality,
        *(changes if HARD[instance][1] == FAST_ENOUGH else ()),
        what=NO_SAMPLING,
    )


def _below(instance: str) -> Case:
    place, found = _hard(*HARD[instance])
    heard = Constant(1 / place.problem.num_workers, "exact", derivation="one uniform client")
    setting = Stated(place.words, {"heard": heard, "p": place.constants["p"]}, place.parameters)

    def sides(setting: Setting, *, pace: float = 1.0) -> Sides:
        """The exact error, and the tail of z* that cannot be known."""
        assert isinstance(place.problem, AffineOperators)
        tail = partial(locked_tail, place.problem)
        changed = {name: pace * constant.value for name, constant in setting.constants.items()}
        return found, setting.bound(LB, HARD_STEPS, tail, **changed)

    changes = (
        wrong(
            "a fortieth of the pace",
            "a false claim: a coordinate in forty times as many steps",
            pace=1 / 40,
        ),
        wrong(
            "nothing is unlocked",
            "a false claim: the first coordinate is all that is ever known",
            pace=0.0,
        ),
    )
    return exact_case(
        setting,
        sides,
        ExactLowerBound,
        *(changes if HARD[instance][1] == FAST_ENOUGH else ()),
        what=NO_SAMPLING,
    )


# --- V6: monotone ---

MONOTONE_STEPS = (1, 3, 10, 30, 100, 300)
SIZES = {"n = d = 4": 4, "n = d = 8": 8}


def _sums_sides(setting: PillarsSetting, scale: float = 1.0) -> Sides:
    recursion = moments(setting)
    second = recursion.start(-setting.problem.solution)
    total, found = 0.0, []
    for k in range(1, MONOTONE_STEPS[-1] + 1):
        total += recursion.mean_square_operator(second)
        second = recursion.step(second)
        if k in MONOTONE_STEPS:
            found.append(total / k)
    return np.array(found), scale * setting.bound(V6, MONOTONE_STEPS, setting.initial)


def _sums(size: str, coupling: str) -> Case:
    n = SIZES[size]
    setting = saddle(coupling, n=n, half_dim=n // 2, mu=0.0, size=2.0, local_steps=1)
    return exact_case(
        setting,
        _sums_sides,
        ExactInequality,
        wrong("bound divided by 50", "a false claim", scale=1 / 50),
        what=NO_SAMPLING,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/moments/recursion",
        title="The second moments of a step, exactly",
        theorem=V0_MOMENTS,
        prepare=grid(_recursion, compressor=COMPRESSORS),
        x_label="entry",
    ),
    Claim(
        id="three_pillars/moments/rates",
        title="Asymptotic rates, exactly",
        theorem=V2,
        prepare=grid(_rate, instance=RATES),
        x_label="instance",
    ),
    Claim(
        id="three_pillars/hard/upper",
        title="The hard instance: the guarantee",
        theorem=V1,
        prepare=grid(_above, instance=HARD),
        x_label="step, the closest to the bound first",
        not_shown="The claimed count of vectors: see the uplink.",
    ),
    Claim(
        id="three_pillars/hard/lower",
        title="The hard instance: no method of the class is faster",
        theorem=LB,
        prepare=grid(_below, instance=HARD),
        x_label="step, the closest to the bound first",
        pairs_with=("three_pillars/hard/upper", "three_pillars/moments/rates"),
    ),
    Claim(
        id="three_pillars/monotone/sums",
        title="Monotone operators: the mean of the squared operator falls like 1/K",
        theorem=V6,
        prepare=grid(_sums, size=SIZES, coupling=("adversarial", "overshooting", "plus", "random")),
        x_label="horizon, the closest to the bound first",
        pairs_with=(*PARTNERS, "three_pillars/monotone/one-step"),
    ),
)
