# SPDX-License-Identifier: Apache-2.0
r"""D1 and D2: batches and the multilevel estimator, from each state of the chain.

The weights of the estimator are read off the shipped code; with them, moments follow from dynamic
programming over the chain. The law of the level is sampled.
"""

import itertools
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
    multilevel_moments,
    plain_batch_moments,
    weighted_sum_moments,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import (
    D1,
    D1_BIAS,
    D1_PROFILE,
    D2,
    D2_BIAS,
    D2_INDEPENDENT,
    D2_MEAN,
    D2_SAMPLED,
    D2_SECOND_MOMENT,
    D2_WEIGHTS,
    expected_samples,
    memory,
)

from ...checks import CLOSEST, ExactIdentity, ExactInequality, SampledIdentity
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, case, exact_case, mutant, null, wrong
from ...setting import Stated, chosen
from ...simulation import Experiment
from . import mutants
from .processes import Estimates
from .settings import CHAINS, on_chain, slow_chain
from .settings import chain as chain_of
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

CONTROLLED = "switch-138"
"""Where each control is, on one chain where it is not close to being missed."""

# --- D1 and D2: bounds on moments from every starting state ---

Found = list[tuple[tuple[Any, ...], Array]]  # arguments of a bound, and what it bounds


@cache
def noises(of: MarkovChain) -> list[Array]:
    """The slowest function of a ring, signs of each state, and the mark of one state."""
    size = of.num_states
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size)
    signs[:2] = 1.0, -1.0
    mark = np.arange(size) == size - 1
    return [centred_values(of, raw) for raw in (None, signs, mark.astype(np.float64))]


def _lengths(tau: int) -> list[int]:
    """A single sample, and short and long batches in units of the mixing time."""
    return sorted({1, *(max(1, round(multiple * tau)) for multiple in (1 / 8, 1, 4, 16))})


def _after_first(of: MarkovChain, noise: Array, weight: float, rest: PathMoments) -> PathMoments:
    """The moments when the first sample, not the state before it, is the given one."""
    first = weight * noise
    at = np.eye(of.num_states)
    return PathMoments(at, (at * first)[None], (at * first**2)[None, None]).then(rest)


@cache
def _batches(name: str) -> list[tuple[int, Array, Array]]:
    """(n, |E sum w_i h|, E|sum w_i h|^2), |w_i| <= 1/n, over noises, lengths, weights, starts."""
    along = chain_of(name)
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


def _squares(name: str) -> Found:
    return [((n, 1 / n), square) for n, _, square in _batches(name)]


def _means(name: str) -> Found:
    return [((n,), mean) for n, mean, _ in _batches(name)]


@cache
def _both(name: str, remembered: Callable[[ArrayLike], Array] = memory) -> Found:
    """With the mixing profile up to the length; the mean too may begin with the given sample."""
    found = [one for one in _batches(name) if 1 < one[0] <= 5_000]
    rho = remembered(chain_of(name).mixing_profile(max(n for n, _, _ in found)))
    return [((n, 1 / n, rho[:n]), np.stack([square, mean])) for n, mean, square in found]


@cache
def _estimates(name: str) -> list[tuple[tuple[int, int], PathMoments]]:
    """(B, m) and the moments of the estimator, over noises and sizes."""
    along = chain_of(name)
    tau = along.mixing_time
    sizes = sorted({1, max(tau // 4, 1), tau, 4 * tau, 16 * tau})
    return [
        ((b, m), multilevel_moments(along, noise, b, m))
        for noise, b, m in itertools.product(noises(along), sizes, (0, 1, 2, 4, 6))
    ]


def _biases(name: str, level: Callable[[int], int] = int) -> Found:
    return [((b, level(m)), one.mean[:, 0] ** 2) for (b, m), one in _estimates(name)]


def _variances(name: str, level: Callable[[int], int] = int) -> Found:
    return [((b, level(m)), one.squared_norm) for (b, m), one in _estimates(name)]


BATCHES = "all starting states, several noises and lengths", {"n": r"1 and $\tau/8$ to $16\tau$"}
ESTIMATES = (
    "all starting states, three noises, 5 batch sizes and 5 levels",
    {"B": r"1 and $\tau/4$ to $16\tau$", "m": "0 to 6"},
)
"""What is enumerated, and its sizes."""

MIXING_TIME_ONE = wrong("mixing time 1", r"a false claim: $\tau = 1$ in the bound", tau=1)


def _bounded(
    name: str,
    title: str,
    theorem: Theorem,
    found: Callable[[str], Found],
    enumerated: tuple[str, dict[str, str]],
    *changes: Change,
    **not_tested: str,
) -> Claim:
    """A bound on moments, given by their chain's name, along each of the chains."""
    what, sizes = enumerated

    def along(chain: str) -> Case:
        def sides(
            setting: Stated,
            found: Callable[[str], Found] = found,
            **changed: float,
        ) -> Sides:
            values = found(chain)
            measured = np.concatenate([moments.ravel() for _, moments in values])
            there = ~np.isnan(measured)

            def limits() -> Array:
                each = []
                for arguments, moments in values:
                    limit = np.asarray(setting.bound(theorem, *arguments, **changed))
                    each.append(np.broadcast_to(limit[..., None], moments.shape).ravel())
                return np.concatenate(each)[there]

            return measured[there], limits

        return exact_case(
            on_chain(chain, **sizes),
            sides,
            ExactInequality,
            *changes,
            bites=chain == CONTROLLED,
            what=what,
        )

    return Claim(
        id=f"markovian_noise/{name}",
        title=title,
        theorem=theorem,
        prepare=grid(along, chain=CHAINS),
        not_tested=not_tested,
        x_label=CLOSEST,
    )


EVEN_PACE = (
    r"$\frac{10}{3}\tau$ is for a memory that stays whole for $\tau$ steps at a time; one that "
    r"fades at an even pace adds up to about $2\tau/\ln 4$, 2.31 times less"
)

BATCH_BOUNDS = (
    _bounded(
        "batch/second-moment",
        "The second moment of a batch, from any state of the chain",
        D1,
        _squares,
        BATCHES,
        MIXING_TIME_ONE,
        tau=EVEN_PACE,
    ),
    _bounded(
        "batch/bias",
        "The bias of a batch, from any state of the chain",
        D1_BIAS,
        _means,
        BATCHES,
        MIXING_TIME_ONE,
    ),
    _bounded(
        "batch/profile",
        "Both moments of a batch with the whole mixing profile, closely",
        D1_PROFILE,
        _both,
        BATCHES,
        wrong(
            "profile squared",
            r"a false claim: $\Delta(Q^k)^2$ for $\rho_k$, a chain that mixes twice as fast",
            found=partial(_both, remembered=np.square),
        ),
    ),
)
ESTIMATE_BOUNDS = (
    _bounded(
        "estimator/bias",
        "The bias of the multilevel estimator",
        D2_BIAS,
        _biases,
        ESTIMATES,
        MIXING_TIME_ONE,
        wrong(
            "16^m for 4^m",
            "a false claim: a bias that falls like $4^{-m}$ itself",
            found=partial(_biases, level=lambda m: 2 * m),
        ),
    ),
    _bounded(
        "estimator/variance",
        "The variance of the multilevel estimator",
        D2,
        _variances,
        ESTIMATES,
        MIXING_TIME_ONE,
        wrong(
            "variance without levels",
            "a false claim: $v_m = 1$ for all $m$",
            found=partial(_variances, level=lambda m: 0),
        ),
        tau=EVEN_PACE,
    ),
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


def _weights_and_costs(setting: Stated, method: Estimator | None = None) -> Sides:
    rows, stated = [], []
    for estimator in SHIPPED if method is None else (method,):
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
    return plain_batch_moments(along, noise, 2**m * b).mean[:, 0]


def _sum_of_squares(along: MarkovChain, noise: Array, b: int, m: int) -> Array:
    """E|g_m|^2 - E|g_m - g_0|^2 + sum_j 2^j E|g_j - g_{j-1}|^2."""
    means = [np.full(2**j * b, 2.0**-j / b) for j in range(m + 1)]

    def change(long: int, short: int) -> Array:
        padded = np.pad(means[short], (0, len(means[long]) - len(means[short])))
        return _square(along, noise, means[long] - padded)

    exact = _square(along, noise, means[m]) - change(m, 0)
    return exact + sum(2**j * change(j, j - 1) for j in range(1, m + 1))


def _independent_sides(setting: Stated, method: Estimator | None = None) -> Sides:
    """E sum_i w_i^2 over the levels, and what v_m says."""
    found = [
        float(mixture({j: np.asarray(row @ row) for j, row in levels.items()}))
        for estimator in (SHIPPED if method is None else (method,))
        for levels in shipped_weights(estimator, SIZES)
    ]
    times = len(found) // len(SIZES)
    return found, lambda: [setting.bound(D2_INDEPENDENT, b, m) for b, m in SIZES] * times


def _independent() -> Case:
    setting = Stated("independent samples", chosen(tau=1.0, s=1.0), CODE)
    what = "the weights of the code, squared"
    return exact_case(
        setting, _independent_sides, ExactIdentity, *WRONG_WEIGHTS, tolerance=1e-12, what=what
    )


def _weights() -> Case:
    setting = Stated("a stream whose $i$-th gradient is the $i$-th unit vector", {}, CODE)
    what = "all weights of all levels and their numbers"
    return exact_case(
        setting, _weights_and_costs, ExactIdentity, *WRONG_WEIGHTS, tolerance=1e-14, what=what
    )


def _moment(
    moment: Callable[[MarkovChain, Array, Array], Array],
    exact: Callable[[MarkovChain, Array, int, int], Array],
    chain: str,
) -> Case:
    """A moment of the mixture of the levels' weights, and what it is said to be."""
    along = chain_of(chain)

    def sides(setting: Stated, method: Estimator | None = None) -> Sides:
        left, right = [], []
        estimators = SHIPPED if method is None else (method,)
        for estimator, noise in itertools.product(estimators, noises(along)):
            for (b, m), levels in zip(SIZES, shipped_weights(estimator, SIZES), strict=True):
                left.append(mixture({j: moment(along, noise, row) for j, row in levels.items()}))
                right.append(exact(along, noise, b, m))
        return np.concatenate(left), np.concatenate(right)

    return exact_case(
        on_chain(chain, **CODE),
        sides,
        ExactIdentity,
        *WRONG_WEIGHTS,
        bites=chain == CONTROLLED,
        tolerance=1e-12,
        round_off=1e-15,
        what="weights of the code, dynamic programming along the chain",
    )


WHERE = "chain, noise, size and starting state"

# --- D2: single estimates, sampled ---

REPEATED, B, M = 300, 2, 4
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
        z, b, m = (jnp.asarray(number) for number in (state, B, M))
        process = Estimates(problem, jnp.full(1, POINT), z, b, m, method)
        sums = ("first", "second", "gradient_calls")
        return SampledIdentity(
            Experiment(f"markov-estimates-shipped-{state}", process, (REPEATED,)),
            left=lambda sample: np.hstack([sample[key] for key in sums]) / REPEATED,
            right=lambda sample: exact,
            points=(1, 2, 3),
        )

    setting = Stated(
        f"a gradient of 1 along lazy resampling of 3 states, from state {state}",
        {**problem.constants, **chosen(B=B, m=M)},
        {"B": B, "m": M, "state": state, "estimates a replicate": REPEATED},
    )
    return case(
        setting,
        check,
        mutant(WRONG_LAW),
        *WRONG_WEIGHTS,
        mutant(mutants.level_correlated_with_the_chain),
        null(
            "sample by sample", "no mistake: the stream in place of the nested loop", method=STREAM
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *BATCH_BOUNDS,
    Claim(
        id="markovian_noise/estimator/weights",
        title="The weights and the cost of each level, read off the code",
        theorem=D2_WEIGHTS,
        prepare=_weights,
        x_label="weight",
    ),
    Claim(
        id="markovian_noise/estimator/independent",
        title=D2_INDEPENDENT.title,
        theorem=D2_INDEPENDENT,
        prepare=_independent,
        x_label="size",
    ),
    Claim(
        id="markovian_noise/estimator/telescoping",
        title="The mean of a short batch's price is that of a long batch",
        theorem=D2_MEAN,
        prepare=grid(partial(_moment, _mean, _mean_of_the_longest), chain=CHAINS),
        x_label=WHERE,
    ),
    Claim(
        id="markovian_noise/estimator/second-moment",
        title="The second moment of the estimator, exactly",
        theorem=D2_SECOND_MOMENT,
        prepare=grid(partial(_moment, _square, _sum_of_squares), chain=CHAINS),
        x_label=WHERE,
    ),
    *ESTIMATE_BOUNDS,
    Claim(
        id="markovian_noise/estimator/sampled",
        title="Mean, second moment and cost of single estimates",
        theorem=D2_SAMPLED,
        prepare=grid(_sampled, state=(0, 2)),
        x_label="1 mean, 2 second moment, 3 samples",
    ),
)
