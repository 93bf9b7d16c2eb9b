r"""D2: the multilevel estimator, by the weights of the shipped code and dynamic programming.

E g = E g_m,  |E g|^2 <= b s^2,  E|g|^2 <= V s^2, whatever the state that a trajectory starts from.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import MarkovChain, level_weights, multilevel_moments, weighted_sum_moments

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim, Control
from . import mutants
from .batch import noises
from .paper import CHAIN_WORDS, chains, markov_claim, tau_range
from .weights import (
    Estimator,
    Levels,
    from_stream,
    mixture,
    path_moments,
    shipped_weights,
    stated_weights,
)

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

ESTIMATOR = (
    r"$g = g_0 + 2^J (g_J - g_{J-1})$ if $J \le m$, else $g_0$; $g_j$ the mean over the first "
    r"$2^j B$ samples, $P(J = j) = 2^{-j}$"
)
SIZES = ((1, 0), (1, 4), (2, 3), (3, 2), (5, 4))
SHIPPED: tuple[Estimator, ...] = (optzoo.mlmc_gradient, from_stream(optzoo.mlmc_stream))
WRONG: tuple[tuple[str, str, Estimator], ...] = (
    (
        "wrong level weight",
        "the correction is weighted by $2^{J-1}$",
        mutants.halved_level_weight,
    ),
    (
        "levels not nested",
        "$g_{J-1}$ and $g_0$ are formed from the samples that follow those of $g_J$",
        mutants.levels_not_nested,
    ),
)


@cache
def _weights(estimator: Estimator) -> list[Levels]:
    return shipped_weights(estimator, SIZES)


def _padded(rows: list[Array], others: list[Array]) -> tuple[Array, Array]:
    """Both lists in one row each; where lengths differ the shorter weights go on with zeros."""
    left, right = [], []
    for row, other in zip(rows, others, strict=True):
        size = max(len(row), len(other))
        left.append(np.pad(row, (0, size - len(row))))
        right.append(np.pad(other, (0, size - len(other))))
    return np.concatenate(left), np.concatenate(right)


def _weight_sides(estimators: tuple[Estimator, ...]) -> tuple[Array, Array]:
    rows, stated = [], []
    for estimator in estimators:
        for (b, m), levels in zip(SIZES, _weights(estimator), strict=True):
            exact = stated_weights(b, m)
            rows += [levels[j] for j in exact]
            stated += list(exact.values())
            # The samples that are taken, in units of the longest.
            rows.append(np.array([len(levels[j]) / (2**m * b) for j in exact]))
            stated.append(np.array([len(row) / (2**m * b) for row in exact.values()]))
    return _padded(rows, stated)


def _moments(
    estimator: Estimator, moment: Callable[[MarkovChain, Array, Array], Array]
) -> list[tuple[MarkovChain, Array, int, int, dict[int, Array]]]:
    """For each chain, noise and (B, m): level -> a moment of its weights."""
    found = []
    for chain in chains().values():
        for noise in noises(chain):
            for (b, m), levels in zip(SIZES, _weights(estimator), strict=True):
                by_level = {j: moment(chain, noise, row) for j, row in levels.items()}
                found.append((chain, noise, b, m, by_level))
    return found


def _mean(chain: MarkovChain, noise: Array, weights: Array) -> Array:
    return path_moments(chain, noise, weights).mean[:, 0]


def _square(chain: MarkovChain, noise: Array, weights: Array) -> Array:
    return path_moments(chain, noise, weights).squared_norm


def _telescoping_sides(estimators: tuple[Estimator, ...]) -> tuple[Array, Array]:
    left, right = [], []
    for estimator in estimators:
        for chain, noise, b, m, levels in _moments(estimator, _mean):
            left.append(mixture(levels))
            longest = weighted_sum_moments(chain, noise, level_weights(2**m * b, 0))
            right.append(longest.mean[:, 0])
    return np.concatenate(left), np.concatenate(right)


def _second_moment_sides(estimators: tuple[Estimator, ...]) -> tuple[Array, Array]:
    left, right = [], []
    for estimator in estimators:
        for chain, noise, b, m, levels in _moments(estimator, _square):
            left.append(mixture(levels))
            means = [np.full(2**j * b, 2.0**-j / b) for j in range(m + 1)]
            exact = _square(chain, noise, means[m])
            exact = exact - _square(chain, noise, _minus(means[m], means[0]))
            for j in range(1, m + 1):
                exact = exact + 2**j * _square(chain, noise, _minus(means[j], means[j - 1]))
            right.append(exact)
    return np.concatenate(left), np.concatenate(right)


def _minus(long: Array, short: Array) -> Array:
    return long - np.pad(short, (0, len(long) - len(short)))


def _identity_case(
    sides: Callable[[tuple[Estimator, ...]], tuple[Array, Array]], tolerance: float, what: str
) -> Case:
    def check(*estimators: Estimator) -> ExactIdentity:
        return ExactIdentity(partial(sides, estimators), tolerance, what)

    return Case(
        problem=CHAIN_WORDS,
        constants=tau_range(),
        parameters={
            "B": ", ".join(str(b) for b, _ in SIZES),
            "m": ", ".join(str(m) for _, m in SIZES),
            "code": "mlmc_gradient and mlmc_stream",
        },
        check=check(*SHIPPED),
        controls=tuple(Control(name, text, check(mutant)) for name, text, mutant in WRONG),
    )


# --- The bounds ---


def _batch_sizes(tau: int) -> list[int]:
    return sorted({1, max(tau // 4, 1), tau, 4 * tau, 16 * tau})


LEVELS = (0, 1, 2, 4, 6)


@cache
def _long() -> list[tuple[int, int, int, Array, Array]]:
    """(tau, B, m, |E g|^2, E|g|^2) over chains, noises and sizes, from every starting state."""
    found = []
    for chain in chains().values():
        for noise in noises(chain):
            for b in _batch_sizes(chain.mixing_time):
                for m in LEVELS:
                    moments = multilevel_moments(chain, noise, b, m)
                    mean, square = moments.mean[:, 0] ** 2, moments.squared_norm
                    found.append((chain.mixing_time, b, m, mean, square))
    return found


def _bound_sides(
    which: str, *, mixing_time: int | None = None, level_free: bool = False, scale: float = 1.0
) -> tuple[Array, Array]:
    ratios = []
    for tau, b, m, mean, square in _long():
        batch = optzoo.MultilevelBatch(b, 0 if level_free else m)
        factor = batch.bias if which == "bias" else batch.variance
        if level_free and which == "bias":
            factor = optzoo.MultilevelBatch(b, 2 * m).bias
        values = mean if which == "bias" else square
        ratios.append(values / (scale * factor(mixing_time or tau)))
    measured = np.concatenate(ratios)
    return measured, np.ones_like(measured)


def _bound_case(which: str) -> Case:
    what = "all starting states, three noises, 5 batch sizes and 5 levels"

    def check(
        *, mixing_time: int | None = None, level_free: bool = False, scale: float = 1.0
    ) -> ExactInequality:
        sides = partial(
            _bound_sides, which, mixing_time=mixing_time, level_free=level_free, scale=scale
        )
        return ExactInequality(sides, what=what)

    levels = (
        Control(
            "16^m for 4^m",
            "a false claim: a bias that falls like $4^{-m}$ itself",
            check(level_free=True),
        )
        if which == "bias"
        else Control(
            "variance without levels",
            "a false claim: $v_m = 1$ for all $m$",
            check(level_free=True),
        )
    )
    return Case(
        problem=CHAIN_WORDS,
        constants=tau_range(),
        parameters={"B": r"1 and $\tau/4$ to $16\tau$", "m": "0 to 6", "s": 1},
        check=check(),
        controls=(
            Control(
                "mixing time 1", r"a false claim: $\tau = 1$ in the bound", check(mixing_time=1)
            ),
            levels,
            Control(
                "bound divided by 8", "a false claim: an eighth of the bound", check(scale=1 / 8)
            ),
        ),
    )


STARTS = (r"$\pi h = 0$, $|h| \le s$", "any state of the chain before the estimate")
_claim = partial(
    markov_claim,
    algorithm="mlmc_gradient",
    unit="estimate",
    output="estimate",
    source="lemma on the multilevel estimator; explicit form D2",
    theorem="D2",
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/estimator/weights",
        title="The weights and the cost of each level, read off the code",
        statement=(
            ESTIMATOR + r". So, for $J = j \le m$, $g = \sum_i w_i \nabla F(x, Z_i)$ with $w_i = "
            r"0$ for $i \le B$, $-1/B$ up to $2^{j-1} B$, and $1/B$ up to $2^j B$"
        ),
        assumptions=("none: any stream",),
        kind="identity",
        metric="w_i",
        x_label="weight",
        prepare=partial(
            _identity_case, _weight_sides, 1e-14, "all weights of all levels and their numbers"
        ),
        not_shown="The law of the level: the sampled moments show that.",
    ),
    _claim(
        id="markovian_noise/estimator/telescoping",
        title="The mean of a short batch's price is that of a long batch",
        statement=f"$$E[g \\mid Z_0 = z] = E[g_m \\mid Z_0 = z]$$ for {ESTIMATOR}",
        assumptions=("any chain", "any state of the chain before the estimate"),
        kind="identity",
        metric=r"E[g \mid Z_0 = z]",
        x_label="chain, noise, size and starting state",
        prepare=partial(
            _identity_case,
            _telescoping_sides,
            1e-12,
            "weights of the code, dynamic programming along the chain",
        ),
        not_shown="The law of the level is taken as stated here; the sampled moments test it.",
    ),
    _claim(
        id="markovian_noise/estimator/second-moment",
        title="The second moment of the estimator, exactly",
        statement=(
            r"$$E|g|^2 = E|g_m|^2 - E|g_m - g_0|^2 + \sum_{j=1}^m 2^j E|g_j - g_{j-1}|^2$$ "
            f"for {ESTIMATOR}, from each starting state"
        ),
        assumptions=("any chain", "any state of the chain before the estimate"),
        kind="identity",
        metric=r"E[|g|^2 \mid Z_0 = z]",
        x_label="chain, noise, size and starting state",
        prepare=partial(
            _identity_case,
            _second_moment_sides,
            1e-12,
            "weights of the code, dynamic programming along the chain",
        ),
        not_shown="The law of the level is taken as stated here; the sampled moments test it.",
    ),
    _claim(
        id="markovian_noise/estimator/bias",
        title="The bias of the multilevel estimator",
        statement=(
            r"$$|E g - \nabla f|^2 \le b\, s^2, \qquad b = \tfrac{25}{9} \frac{\tau^2}{4^m B^2}$$"
        ),
        assumptions=STARTS,
        kind="one_step",
        metric=r"|E g - \nabla f|^2",
        x_label="case, the closest to the bound first",
        prepare=partial(_bound_case, "bias"),
        not_shown="Noise that depends on the state in more than one direction.",
    ),
    _claim(
        id="markovian_noise/estimator/variance",
        title="The variance of the multilevel estimator",
        statement=(
            r"$$E|g - \nabla f|^2 \le V s^2, \qquad V = \tfrac{10}{3} \frac{\tau}{B} \left(m - 1 + "
            r"2^{1-m}\right)$$"
        ),
        assumptions=STARTS,
        kind="one_step",
        metric=r"E|g - \nabla f|^2",
        x_label="case, the closest to the bound first",
        prepare=partial(_bound_case, "variance"),
        not_shown="Noise that depends on the state in more than one direction.",
    ),
)
