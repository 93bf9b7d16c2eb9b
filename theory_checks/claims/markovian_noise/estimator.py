r"""D1 and D2: batches and the multilevel estimator, from each state of the chain.

The weights of the estimator are read off the shipped code; with them, moments follow from dynamic
programming over the chain. The law of the level is sampled.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

import optzoo
from optzoo.problems import (
    MarkovChain,
    MarkovianQuadratic,
    PathMoments,
    additive_noise_quadratic,
    centred_values,
    level_weights,
    multilevel_moments,
    weighted_sum_moments,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import (
    D1,
    D1_BIAS,
    D1_PROFILE,
    D2,
    D2_BIAS,
    D2_MEAN,
    D2_SAMPLED,
    D2_SECOND_MOMENT,
    D2_WEIGHTS,
    expected_samples,
    memory,
)

from ...checks import ExactIdentity, ExactInequality, SampledIdentity
from ...claim import Case, Claim, grid
from ...controls import Change, controls, mutant, null, wrong
from ...setting import Stated, chosen
from ...simulation import Experiment
from . import mutants
from .processes import EstimateMoments
from .settings import CHAINS, chain, on_chain, slow_chain
from .weights import (
    Estimator,
    from_stream,
    mixture,
    path_moments,
    shipped_weights,
    stated_weights,
)

__all__ = ["CLAIMS", "noises"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]

# Each control is on one chain, where it is not close to being missed.
CONTROLLED = "switch-138"
MIXING_TIME_ONE = wrong("mixing time 1", r"a false claim: $\tau = 1$ in the bound", tau=1)


def _divided_by(factor: float) -> Change:
    return wrong(f"bound divided by {factor:g}", "a false claim", scale=1 / factor)


@cache
def noises(of: MarkovChain) -> list[Array]:
    """The slowest function of a ring, signs of each state, and the mark of one state."""
    size = of.num_states
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size)
    signs[:2] = 1.0, -1.0
    mark = np.arange(size) == size - 1
    return [centred_values(of, raw) for raw in (None, signs, mark.astype(np.float64))]


# --- D1: the mean of a batch ---

MULTIPLES = (1 / 8, 1, 4, 16)


def _lengths(tau: int) -> list[int]:
    """Short and long batches in units of the mixing time, and a single sample."""
    return sorted({1, *(max(1, round(multiple * tau)) for multiple in MULTIPLES)})


def _after_first(of: MarkovChain, noise: Array, weight: float, rest: PathMoments) -> PathMoments:
    """The moments when the first sample, not the state before it, is the given one."""
    first = weight * noise
    at = np.eye(of.num_states)
    return PathMoments(at, (at * first)[None], (at * first**2)[None, None]).then(rest)


@cache
def _batches(name: str) -> list[tuple[int, Array, Array]]:
    """(n, |E sum w_i h|, E|sum w_i h|^2), |w_i| <= 1/n, over noises, lengths, weights, starts."""
    along = chain(name)
    found = []
    generator = np.random.default_rng(1)
    for noise in noises(along):
        for n in _lengths(along.mixing_time):
            plain = weighted_sum_moments(along, noise, [(1 / n, n)])
            found.append((n, np.abs(plain.mean[:, 0]), plain.squared_norm))
            if n > 1:
                rest = weighted_sum_moments(along, noise, [(1 / n, n - 1)])
                given = _after_first(along, noise, 1 / n, rest)
                found.append((n, np.abs(given.mean[:, 0]), given.squared_norm))
            if 1 < n <= 600:
                signs = np.repeat(generator.choice([-1.0, 0.0, 1.0], n), 1 + n // 8)[:n]
                mixed = path_moments(along, noise, signs / n)
                found.append((n, np.full(along.num_states, np.nan), mixed.squared_norm))
    return found


def _by_mixing_time(
    name: str, setting: Stated, theorem: Theorem, scale: float = 1.0, **changes: float
) -> Sides:
    measured, bound = [], []
    for n, mean, square in _batches(name):
        values, arguments = (mean, (n,)) if theorem is D1_BIAS else (square, (n, 1 / n))
        if not np.isnan(values).any():
            measured.append(values)
            limit = scale * setting.bound(theorem, *arguments, **changes)
            bound.append(np.full_like(values, limit))
    return np.concatenate(measured), np.concatenate(bound)


@cache
def _profile(name: str, length: int) -> Array:
    """Delta(Q^k), k = 0, ..., length - 1."""
    return chain(name).mixing_profile(max(length, 2))[:length]


def _by_profile(
    name: str,
    setting: Stated,
    theorem: Theorem,
    scale: float = 1.0,
    remembered: Callable[[ArrayLike], Array] = memory,
) -> Sides:
    measured, bound = [], []
    for n, mean, square in _batches(name):
        if not 1 < n <= 5_000:
            continue
        limits = setting.bound(theorem, n, 1 / n, remembered(_profile(name, n)))
        # The mean too may begin with the given sample itself.
        for values, limit in zip((square, mean), limits, strict=True):
            if not np.isnan(values).any():
                measured.append(values)
                bound.append(np.full_like(values, scale * limit))
    return np.concatenate(measured), np.concatenate(bound)


def _batch(
    theorem: Theorem, sides: Callable[..., Sides], changes: tuple[Change, ...], chain: str
) -> Case:
    setting = on_chain(chain, n=r"1 and $\tau/8$ to $16\tau$")

    def check(**changed: Any) -> ExactInequality:
        compute = partial(sides, chain, setting, theorem, **changed)
        return ExactInequality(compute, what="all starting states, several noises and lengths")

    return Case(setting, check(), controls(check, *(changes if chain == CONTROLLED else ())))


PROFILE_SQUARED = wrong(
    "profile squared",
    r"a false claim: $\Delta(Q^k)^2$ for $\rho_k$, a chain that mixes twice as fast",
    remembered=np.square,
)

# --- D2: identities of the estimator, on the weights of the shipped code ---

SIZES = ((1, 0), (1, 4), (2, 3), (3, 2), (5, 4))
SHIPPED: tuple[Estimator, ...] = (optzoo.mlmc_gradient, from_stream(optzoo.mlmc_stream))
CODE = {
    "B": ", ".join(str(b) for b, _ in SIZES),
    "m": ", ".join(str(m) for _, m in SIZES),
    "code": "mlmc_gradient and mlmc_stream",
}
WRONG_WEIGHTS = (mutant(mutants.wrong_level_weight), mutant(mutants.levels_not_nested))


def _padded(rows: list[Array], others: list[Array]) -> Sides:
    """Both lists in one row each; where lengths differ the shorter weights go on with zeros."""
    left, right = [], []
    for row, other in zip(rows, others, strict=True):
        size = max(len(row), len(other))
        left.append(np.pad(row, (0, size - len(row))))
        right.append(np.pad(other, (0, size - len(other))))
    return np.concatenate(left), np.concatenate(right)


def _weights_and_costs(estimators: tuple[Estimator, ...]) -> Sides:
    rows, stated = [], []
    for estimator in estimators:
        for (b, m), levels in zip(SIZES, shipped_weights(estimator, SIZES), strict=True):
            exact = stated_weights(b, m)
            rows += [levels[j] for j in exact]
            stated += list(exact.values())
            # The samples that are taken, in units of the longest.
            rows.append(np.array([len(levels[j]) / (2**m * b) for j in exact]))
            stated.append(np.array([len(row) / (2**m * b) for row in exact.values()]))
    return _padded(rows, stated)


def _mean(along: MarkovChain, noise: Array, weights: Array) -> Array:
    return path_moments(along, noise, weights).mean[:, 0]


def _square(along: MarkovChain, noise: Array, weights: Array) -> Array:
    return path_moments(along, noise, weights).squared_norm


def _mean_of_the_longest(along: MarkovChain, noise: Array, b: int, m: int) -> Array:
    """E g_m."""
    return weighted_sum_moments(along, noise, level_weights(2**m * b, 0)).mean[:, 0]


def _sum_of_squares(along: MarkovChain, noise: Array, b: int, m: int) -> Array:
    """E|g_m|^2 - E|g_m - g_0|^2 + sum_j 2^j E|g_j - g_{j-1}|^2."""
    means = [np.full(2**j * b, 2.0**-j / b) for j in range(m + 1)]

    def change(long: int, short: int) -> Array:
        padded = np.pad(means[short], (0, len(means[long]) - len(means[short])))
        return _square(along, noise, means[long] - padded)

    exact = _square(along, noise, means[m]) - change(m, 0)
    return exact + sum(2**j * change(j, j - 1) for j in range(1, m + 1))


def _along_chain(
    moment: Callable[[MarkovChain, Array, Array], Array],
    exact: Callable[[MarkovChain, Array, int, int], Array],
    name: str,
    estimators: tuple[Estimator, ...],
) -> Sides:
    """A moment of the mixture of the levels' weights, and what it is said to be."""
    left, right = [], []
    along = chain(name)
    for estimator in estimators:
        for noise in noises(along):
            for (b, m), levels in zip(SIZES, shipped_weights(estimator, SIZES), strict=True):
                left.append(mixture({j: moment(along, noise, row) for j, row in levels.items()}))
                right.append(exact(along, noise, b, m))
    return np.concatenate(left), np.concatenate(right)


def _weights() -> Case:
    def check(method: Estimator | None = None) -> ExactIdentity:
        compute = partial(_weights_and_costs, SHIPPED if method is None else (method,))
        return ExactIdentity(compute, 1e-14, "all weights of all levels and their numbers")

    setting = Stated("a stream whose $i$-th gradient is the $i$-th unit vector", {}, CODE)
    return Case(setting, check(), controls(check, *WRONG_WEIGHTS))


def _moment(sides: Callable[[str, tuple[Estimator, ...]], Sides], chain: str) -> Case:
    def check(method: Estimator | None = None) -> ExactIdentity:
        compute = partial(sides, chain, SHIPPED if method is None else (method,))
        what = "weights of the code, dynamic programming along the chain"
        return ExactIdentity(compute, 1e-12, what, round_off=1e-15)

    changes = WRONG_WEIGHTS if chain == CONTROLLED else ()
    return Case(on_chain(chain, **CODE), check(), controls(check, *changes))


# --- D2: the bounds ---

LEVELS = (0, 1, 2, 4, 6)


@cache
def _estimates(name: str) -> list[tuple[int, int, Array, Array]]:
    """(B, m, |E g|^2, E|g|^2) over noises and sizes, from every starting state."""
    along = chain(name)
    tau = along.mixing_time
    found = []
    for noise in noises(along):
        for b in sorted({1, max(tau // 4, 1), tau, 4 * tau, 16 * tau}):
            for m in LEVELS:
                moments = multilevel_moments(along, noise, b, m)
                found.append((b, m, moments.mean[:, 0] ** 2, moments.squared_norm))
    return found


def _estimate_sides(
    name: str,
    setting: Stated,
    theorem: Theorem,
    scale: float = 1.0,
    level: Callable[[int], int] = lambda m: m,
    **changes: float,
) -> Sides:
    measured, bound = [], []
    for b, m, mean, square in _estimates(name):
        values = mean if theorem is D2_BIAS else square
        measured.append(values)
        limit = scale * setting.bound(theorem, b, level(m), **changes)
        bound.append(np.full_like(values, limit))
    return np.concatenate(measured), np.concatenate(bound)


WRONG_LEVELS = {
    D2: wrong("variance without levels", "a false claim: $v_m = 1$ for all $m$", level=lambda m: 0),
    D2_BIAS: wrong(
        "16^m for 4^m",
        "a false claim: a bias that falls like $4^{-m}$ itself",
        level=lambda m: 2 * m,
    ),
}


def _estimate(theorem: Theorem, chain: str) -> Case:
    setting = on_chain(chain, B=r"1 and $\tau/4$ to $16\tau$", m="0 to 6")

    def check(**changed: Any) -> ExactInequality:
        compute = partial(_estimate_sides, chain, setting, theorem, **changed)
        what = "all starting states, three noises, 5 batch sizes and 5 levels"
        return ExactInequality(compute, what=what)

    changes = (MIXING_TIME_ONE, WRONG_LEVELS[theorem], _divided_by(8))
    return Case(setting, check(), controls(check, *(changes if chain == CONTROLLED else ())))


# --- D2: single estimates, sampled ---

ESTIMATES = 300
B, M = 2, 4
POINT = 1.0  # where the gradient is 1
NOISE = (1.0, -0.5, 0.0)  # up to centring and scale
STREAM = from_stream(optzoo.mlmc_stream, B)
WRONG_LAW = from_stream(mutants.level_law_that_does_not_match_its_weights, B)


@cache
def _scalar() -> MarkovianQuadratic:
    return additive_noise_quadratic(slow_chain(4, (0.2, 0.3, 0.5)), [1.0], values=NOISE)


def _sampled(state: int) -> Case:
    problem = _scalar()
    _, offsets = problem.affine_form()
    moments = multilevel_moments(problem.chain, -offsets[:, 0], B, M)
    mean, square = moments.mean[state, 0], moments.squared_norm[state]
    exact = np.array([POINT + mean, POINT**2 + 2 * POINT * mean + square, expected_samples(B, M)])

    def check(method: Estimator = optzoo.mlmc_gradient) -> SampledIdentity:
        process = EstimateMoments(
            problem,
            jnp.full(1, POINT),
            jnp.asarray(state),
            jnp.asarray(B),
            jnp.asarray(M),
            method,
        )
        return SampledIdentity(
            Experiment(f"markov-estimates-shipped-{state}", process, (ESTIMATES,)),
            left=lambda sample: np.hstack([sample[key] for key in ("mean", "square", "samples")]),
            right=lambda sample: exact,
            points=(1, 2, 3),
        )

    setting = Stated(
        f"a gradient of 1 along lazy resampling of 3 states, from state {state}",
        {**problem.constants, **chosen(B=B, m=M)},
        {"B": B, "m": M, "state": state, "estimates a replicate": ESTIMATES},
    )
    return Case(
        setting,
        check(),
        controls(
            check,
            mutant(WRONG_LAW),
            mutant(mutants.wrong_level_weight),
            mutant(mutants.levels_not_nested),
            mutant(mutants.level_correlated_with_the_chain),
            null(
                "sample by sample",
                "no mistake: the stream in place of the nested loop",
                method=STREAM,
            ),
        ),
    )


CASE = "case, the closest to the bound first"
WHERE = "chain, noise, size and starting state"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="markovian_noise/batch/second-moment",
        title="The second moment of a batch, from any state of the chain",
        theorem=D1,
        prepare=grid(
            partial(_batch, D1, _by_mixing_time, (MIXING_TIME_ONE, _divided_by(3))), chain=CHAINS
        ),
        x_label=CASE,
    ),
    Claim(
        id="markovian_noise/batch/bias",
        title="The bias of a batch, from any state of the chain",
        theorem=D1_BIAS,
        prepare=grid(
            partial(_batch, D1_BIAS, _by_mixing_time, (MIXING_TIME_ONE, _divided_by(3))),
            chain=CHAINS,
        ),
        x_label=CASE,
    ),
    Claim(
        id="markovian_noise/batch/profile",
        title="Both moments of a batch with the whole mixing profile, closely",
        theorem=D1_PROFILE,
        prepare=grid(
            partial(_batch, D1_PROFILE, _by_profile, (_divided_by(1.1), PROFILE_SQUARED)),
            chain=CHAINS,
        ),
        x_label=CASE,
    ),
    Claim(
        id="markovian_noise/estimator/weights",
        title="The weights and the cost of each level, read off the code",
        theorem=D2_WEIGHTS,
        prepare=_weights,
        x_label="weight",
    ),
    Claim(
        id="markovian_noise/estimator/telescoping",
        title="The mean of a short batch's price is that of a long batch",
        theorem=D2_MEAN,
        prepare=grid(
            partial(_moment, partial(_along_chain, _mean, _mean_of_the_longest)), chain=CHAINS
        ),
        x_label=WHERE,
    ),
    Claim(
        id="markovian_noise/estimator/second-moment",
        title="The second moment of the estimator, exactly",
        theorem=D2_SECOND_MOMENT,
        prepare=grid(
            partial(_moment, partial(_along_chain, _square, _sum_of_squares)), chain=CHAINS
        ),
        x_label=WHERE,
    ),
    Claim(
        id="markovian_noise/estimator/bias",
        title="The bias of the multilevel estimator",
        theorem=D2_BIAS,
        prepare=grid(partial(_estimate, D2_BIAS), chain=CHAINS),
        x_label=CASE,
    ),
    Claim(
        id="markovian_noise/estimator/variance",
        title="The variance of the multilevel estimator",
        theorem=D2,
        prepare=grid(partial(_estimate, D2), chain=CHAINS),
        x_label=CASE,
    ),
    Claim(
        id="markovian_noise/estimator/sampled",
        title="Mean, second moment and cost of single estimates",
        theorem=D2_SAMPLED,
        prepare=grid(_sampled, state=(0, 2)),
        x_label="1 mean, 2 second moment, 3 samples",
    ),
)
