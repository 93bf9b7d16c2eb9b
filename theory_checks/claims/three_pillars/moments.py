"""Whole runs without sampling: exact second moments on affine problems."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import (
    AffineOperators,
    CompressedMoments,
    Constant,
    Messages,
    bilinear_saddle,
    hard_saddle,
    locked_tail,
)

from ...checks import ExactIdentity, ExactInequality, ExactLowerBound
from ...claim import Case, Check, Claim, Control
from .bounds import Pillars
from .enumeration import after_messages, random_states
from .instances import Place, saddle
from .paper import PARTNERS, pillars_claim

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]
ROTATED, ONE_CLIENT = Messages("rotated_blocks"), Messages("clients", 1)
NO_SAMPLING = "exact second moments, no sampling"


def _moments(place: Place, messages: Messages) -> CompressedMoments:
    plan = place.bounds
    assert isinstance(place.problem, AffineOperators)
    return CompressedMoments(place.problem, plan.gamma, plan.p, plan.p, messages)


# --- The recursion is that of the shipped method ---

SCHEMES: tuple[tuple[Compressor, Messages], ...] = (
    (PermK(4), ROTATED),
    (SampledClients(1, 4), ONE_CLIENT),
    (SampledClients(2, 4), Messages("clients", 2)),
    (RandK(1, 4), Messages("coordinates", 1)),
    (Identity(4), Messages("none")),
)


def _recursion_sides(
    factor: float | None = None, *, permuted: bool = False, only_first: bool = False
) -> Sides:
    measured, exact = [], []
    for compressor, messages in SCHEMES[: 1 if only_first else None]:
        place = saddle(
            "spectrum", n=4, half_dim=2, mu=0.3, size=3.0, compressor=compressor, local_steps=400
        )
        run, star, p = place.run(factor=factor), place.problem.solution, place.bounds.p
        moments = _moments(place, Messages("permuted_blocks") if permuted else messages)
        z, m = random_states(run, 4)
        found: Array = np.zeros((4, 8, 8))
        for kept, weight in ((True, 1 - p), (False, p)):
            w = np.concatenate(after_messages(run, z, m, kept), axis=2) - np.tile(star, 2)
            found += weight * np.einsum("sda,sdb->sab", w, w) / w.shape[1]
        w = np.hstack([z - star, m - star])
        predicted = np.stack([moments.step(np.outer(each, each)) for each in w])
        scale = np.sum(w**2, axis=1)[:, None, None]
        measured.append((found / scale).ravel())
        exact.append((predicted / scale).ravel())
    return np.concatenate(measured), np.concatenate(exact)


def _recursion_case() -> Case:
    def check(**changes: float) -> ExactIdentity:
        return ExactIdentity(
            partial(_recursion_sides, **changes),  # type: ignore[arg-type]
            tolerance=1e-12,
            what="all entries, all draws of the messages, both sides of the coin",
        )

    place = saddle("spectrum", n=4, half_dim=2, mu=0.3, size=3.0)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters | {"compressor": "five of them", "local steps H": 400},
        check=check(),
        controls=(
            Control(
                "correction halved",
                "messages count half",
                check(factor=0.5, only_first=True),
            ),
            Control(
                "a uniform permutation for a uniform shift",
                "a false claim: only the correlations between coordinates differ",
                check(permuted=True, only_first=True),
            ),
        ),
    )


# --- V1, V2: asymptotic rates ---


@cache
def _rates() -> tuple[tuple[Pillars, float], ...]:
    """The theorem's numbers and 1 / (1 - rate), on each instance."""
    places = [
        (saddle("zero", n=n, half_dim=1, mu=1 / ratio, compressor=SampledClients(1, n)), ONE_CLIENT)
        for n in (4, 8, 16, 32)
        for ratio in (2, 10, 100, 320)
    ]
    places += [
        (saddle("zero", n=4, half_dim=2, mu=0.01, gamma_factor=factor), ROTATED)
        for factor in (0.5, 1.0, 1.35)
    ]
    places += [
        (saddle("spectrum", n=4, half_dim=2, mu=0.01, size=size), ROTATED)
        for size in (1.0, 10.0, 100.0)
    ]
    places += [
        (saddle(coupling, n=4, half_dim=2, mu=0.1), ROTATED)
        for coupling in ("adversarial", "overshooting", "plus")
    ]
    return tuple(
        (place.bounds, 1 / (1 - _moments(place, messages).rate())) for place, messages in places
    )


def _rate_sides(scale: float = 1.0, *, progress: float = 1.0) -> Sides:
    measured, bound = [], []
    for plan, found in _rates():
        measured.append(found)
        bound.append(scale * (1 / (progress * plan.gamma * plan.mu) + 1 / plan.slack))
    return np.array(measured), np.array(bound)


def _rate_case() -> Case:
    place = saddle("zero", n=32, half_dim=1, mu=1 / 320, compressor=SampledClients(1, 32))
    return Case(
        problem=(
            r"bilinear saddles: no common coupling with $n = 4$ to $32$, $\delta/\mu = 2$ to "
            r"$320$; spectra up to $L = 100\delta$; three others; steps of 0.5 to 1.35 times V2's"
        ),
        constants=place.constants,
        parameters=place.parameters | {"n": "4 to 32", "compressor": "PermK, one client"},
        check=ExactInequality(_rate_sides, what=NO_SAMPLING),
        controls=(
            Control(
                "bound divided by 1.1",
                "a false claim: a tenth faster",
                ExactInequality(partial(_rate_sides, 1 / 1.1), what=NO_SAMPLING),
            ),
            Control(
                "progress of both points",
                r"a false claim: $2\gamma\mu$ for $\gamma\mu$, as without the reference point",
                ExactInequality(partial(_rate_sides, progress=2.0), what=NO_SAMPLING),
            ),
        ),
    )


# --- Both sides on the hard instance ---

HARD_STEPS = (1, 2, 5, 10, 20, 40, 80, 160)


@cache
def _hard(n: int, ratio: float) -> tuple[Place, tuple[float, ...]]:
    """The instance, and the exact E|z^k - z*|^2."""
    problem = hard_saddle(n, 16, strong_monotonicity=1.0, similarity=ratio)
    place = Place(problem, "", SampledClients(1, n))
    moments, d = _moments(place, ONE_CLIENT), problem.dim
    found = moments.run(moments.start(-problem.solution), HARD_STEPS)
    return place, tuple(float(np.trace(second[:d, :d])) for second in found)


HARD = tuple((n, ratio) for n in (4, 8) for ratio in (40.0, 160.0))


def _hard_upper(start: float = 2.0, speed: float = 1.0) -> Sides:
    measured: list[float] = []
    bound: list[float] = []
    for n, ratio in HARD:
        place, errors = _hard(n, ratio)
        measured += errors
        bound += [start * place.bounds.rho ** (speed * k) * place.start for k in HARD_STEPS]
    return np.array(measured), np.array(bound)


def _hard_lower(pace: float = 2.0) -> Sides:
    """The exact error, and the tail of z* that cannot be known, relative to the start."""
    measured: list[float] = []
    bound: list[float] = []
    for n, ratio in HARD:
        place, errors = _hard(n, ratio)
        assert isinstance(place.problem, AffineOperators)
        unlocked = 1 + pace * np.asarray(HARD_STEPS) / n
        measured += [error / place.start for error in errors]
        bound += (locked_tail(place.problem, unlocked) / place.start).tolist()
    return np.array(measured), np.array(bound)


def _hard_case(side: str) -> Case:
    place, _ = _hard(8, 160.0)
    check: Check
    if side == "upper":
        check = ExactInequality(_hard_upper, what=NO_SAMPLING)
        controls = (
            Control(
                "twice as fast",
                r"a false claim: $\rho^{2k}$",
                ExactInequality(partial(_hard_upper, speed=2.0), what=NO_SAMPLING),
            ),
            Control(
                "bound divided by three",
                "a false claim: the potential starts at less than half of itself",
                ExactInequality(partial(_hard_upper, 2 / 3), what=NO_SAMPLING),
            ),
        )
    else:
        check = ExactLowerBound(_hard_lower, what=NO_SAMPLING)
        controls = (
            Control(
                "a fortieth of the pace",
                "a false claim: a coordinate in forty times as many steps",
                ExactLowerBound(partial(_hard_lower, 0.05), what=NO_SAMPLING),
            ),
            Control(
                "nothing is unlocked",
                "a false claim: the first coordinate is all that is ever known",
                ExactLowerBound(partial(_hard_lower, 0.0), what=NO_SAMPLING),
            ),
        )
    return Case(
        problem=r"the hard instance, $n = 4$ and $8$, $\delta/\mu = 40$ and $160$, $d = 32$",
        constants=place.constants,
        parameters=place.parameters | {"n": "4 and 8"},
        check=check,
        controls=controls,
    )


# --- V6: monotone ---

MONOTONE_STEPS = (1, 3, 10, 30, 100, 300)


@cache
def _operator_sums() -> tuple[tuple[Pillars, float, tuple[float, ...]], ...]:
    rows = []
    for n in (4, 8):
        for coupling in ("adversarial", "overshooting", "plus", "random"):
            place = saddle(coupling, n=n, half_dim=n // 2, mu=0.0, size=2.0, local_steps=1)
            moments = _moments(place, ROTATED)
            second = moments.start(-place.problem.solution)
            total, found = 0.0, []
            for k in range(MONOTONE_STEPS[-1]):
                total += moments.mean_square_operator(second)
                second = moments.step(second)
                if k + 1 in MONOTONE_STEPS:
                    found.append(total / (k + 1))
            rows.append((place.bounds, place.start, tuple(found)))
    return tuple(rows)


def _monotone_sides(scale: float = 1.0) -> Sides:
    measured: list[float] = []
    bound: list[float] = []
    for plan, start, found in _operator_sums():
        measured += found
        bound += [scale * plan.operator_sum(2 * start, k) for k in MONOTONE_STEPS]
    # Relative to the bound, which spans three decades.
    return np.array(measured) / np.array(bound), np.ones(len(bound))


def _monotone_case() -> Case:
    problem = bilinear_saddle(
        8, 4, strong_monotonicity=0.0, similarity=1.0, coupling="overshooting"
    )
    constants = {name: problem.constants[name] for name in ("delta_1", "delta_av")}
    return Case(
        problem=r"bilinear saddles with $\mu = 0$, $n = d = 4$ and $8$, four couplings",
        constants=constants | {"mu": Constant(0.0, "exact", derivation="skew operators")},
        parameters={"gamma": r"$\sqrt p / (2\delta)$", "tau": "1/n", "p": "1/n"},
        check=ExactInequality(_monotone_sides, what=NO_SAMPLING),
        controls=(
            Control(
                "bound divided by 50",
                "a false claim",
                ExactInequality(partial(_monotone_sides, 1 / 50), what=NO_SAMPLING),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    pillars_claim(
        id="three_pillars/moments/recursion",
        title="The second moments of a step, exactly",
        source="the algorithm on affine operators",
        theorem="V1",
        statement=(
            r"$E[w^+ (w^+)^\top]$ for $w = (z - z^*, m - z^*)$ by the closed recursion of "
            r"`CompressedMoments`, against all outcomes of the shipped method"
        ),
        assumptions=("affine operators", "the server's sub-problem solved exactly"),
        kind="identity",
        metric=r"E[w^+ (w^+)^\top] / \Phi",
        unit="iteration",
        output="last iterate and reference",
        x_label="entry",
        prepare=_recursion_case,
        not_shown="Nothing beyond affine operators.",
    ),
    pillars_claim(
        id="three_pillars/moments/rates",
        title="Asymptotic rates, exactly",
        source="convergence theorem, strongly monotone case; explicit forms V1, V2",
        theorem="V2",
        statement=(
            r"$$\frac{1}{1 - \lim (E\Phi_k)^{1/k}} \le \frac{1}{\gamma\mu} + \frac1M$$ which at "
            r"$\gamma = \sqrt{p}/(2\delta)$, $p = 1/n$ is $2n + 2\sqrt n\,\delta/\mu$"
        ),
        assumptions=("affine operators", "the server's sub-problem solved exactly", r"$\tau = p$"),
        kind="upper_bound",
        metric=r"1/(1 - \mathrm{rate})",
        unit="iteration",
        output="last iterate and reference",
        x_label="instance, the closest to the bound first",
        prepare=_rate_case,
        not_shown="Generic couplings rotate the error and converge up to 60 times faster.",
    ),
    pillars_claim(
        id="three_pillars/hard/upper",
        title="The hard instance: the guarantee",
        source="convergence theorem for partial participation; explicit form V1",
        theorem="V1",
        statement=r"$$E|z^k - z^*|^2 \le 2\rho^k |z^0 - z^*|^2$$ on the lower bound's instance",
        assumptions=("one uniform client a step", "the server's sub-problem solved exactly"),
        kind="upper_bound",
        metric=r"E|z^k - z^*|^2",
        unit="iteration",
        output="last iterate",
        x_label="instance and step, the closest to the bound first",
        prepare=partial(_hard_case, "upper"),
        not_shown="The claimed count of vectors: see the uplink.",
    ),
    pillars_claim(
        id="three_pillars/hard/lower",
        title="The hard instance: no method of the class is faster",
        source="lower bound on communication; explicit form of its counting argument",
        theorem="LB",
        statement=(
            r"$$E|z^k - z^*|^2 \ge T\bigl(1 + 2k/n\bigr), \quad T(M) = \sum_{j > M} (y_j^*)^2$$ "
            r"since a coordinate is unlocked by a fixed client, drawn with probability $1/n$, or "
            r"by a refresh, of probability $p = 1/n$; both sides are divided by $|z^0 - z^*|^2$"
        ),
        assumptions=("any method whose iterates lie in the span of what was heard",),
        kind="lower_bound",
        metric=r"E|z^k - z^*|^2 / |z^0 - z^*|^2",
        unit="iteration",
        output="last iterate",
        x_label="instance and step, the closest to the bound first",
        prepare=partial(_hard_case, "lower"),
        not_shown=(
            "That it is attained: it is close in the first steps, and decades below the method "
            "later."
        ),
        pairs_with=("three_pillars/hard/upper", "three_pillars/moments/rates"),
    ),
    pillars_claim(
        id="three_pillars/monotone/sums",
        title="Monotone operators: the mean of the squared operator falls like 1/K",
        source="theorem on monotone operators; explicit form V6",
        theorem="V6",
        statement=(
            r"$$\frac1K \sum_{k < K} E|F(u^k)|^2 \le \frac{36 n \delta^2 |z^0 - z^*|^2}{K}$$ "
            "without bounded iterates; compared is the ratio of the sides with 1"
        ),
        assumptions=("$F$ monotone", r"$\gamma^2 = p/(4\delta^2)$", r"$\tau = p = 1/n$"),
        kind="upper_bound",
        metric=r"\tfrac1K \sum E|F(u^k)|^2 / \text{bound}",
        unit="iteration",
        output="a random local solution",
        x_label="instance and horizon, the closest to the bound first",
        prepare=_monotone_case,
        not_shown="Inexact local solves.",
        pairs_with=(*PARTNERS, "three_pillars/monotone/one-step"),
    ),
)
