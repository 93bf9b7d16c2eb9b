r"""D1: the mean of a batch along a chain, from any starting state, by dynamic programming.

For pi h = 0, |h| <= s and S_n = sum_{i <= n} h(Z_i),

    E|S_n / n|^2 <= (10/3) tau s^2 / n,      |E S_n / n| <= (5/3) tau s / n,
    E|sum_i w_i h(Z_i)|^2 <= (10/3) tau n w^2 s^2     for weights |w_i| <= w.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import MarkovChain, PathMoments, centred_values, weighted_sum_moments

from ...checks import ExactInequality
from ...claim import Case, Claim, Control
from .paper import CHAIN_WORDS, chains, markov_claim, tau_range
from .weights import path_moments

__all__ = ["CLAIMS", "noises"]

Array = NDArray[np.float64]
MULTIPLES = (1 / 8, 1, 4, 16)
WHAT = "all starting states, several noises and lengths"


def noises(chain: MarkovChain) -> list[Array]:
    """The slowest function of a ring, signs of each state, and the mark of one state."""
    size = chain.num_states
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size)
    signs[:2] = 1.0, -1.0
    mark = np.arange(size) == size - 1
    return [centred_values(chain, raw) for raw in (None, signs, mark.astype(np.float64))]


def lengths(tau: int) -> list[int]:
    """Short and long batches in units of the mixing time, and a single sample."""
    return sorted({1, *(max(1, round(multiple * tau)) for multiple in MULTIPLES)})


def _after_first(chain: MarkovChain, noise: Array, weight: float, rest: PathMoments) -> PathMoments:
    """The moments when the first sample, not the state before it, is the given one."""
    size = chain.num_states
    first = weight * noise
    at = np.eye(size)
    one = PathMoments(at, (at * first)[None], (at * first**2)[None, None])
    return one.then(rest)


@cache
def _moments(name: str) -> list[tuple[int, float, Array, Array]]:
    """(n, w, |E sum w_i h|, E|sum w_i h|^2) over noises, lengths, kinds of weights and starts."""
    chain = chains()[name]
    found = []
    generator = np.random.default_rng(1)
    for noise in noises(chain):
        for n in lengths(chain.mixing_time):
            plain = weighted_sum_moments(chain, noise, [(1 / n, n)])
            found.append((n, 1 / n, np.abs(plain.mean[:, 0]), plain.squared_norm))
            if n > 1:
                rest = weighted_sum_moments(chain, noise, [(1 / n, n - 1)])
                given = _after_first(chain, noise, 1 / n, rest)
                found.append((n, 1 / n, np.abs(given.mean[:, 0]), given.squared_norm))
            if 1 < n <= 600:
                runs = np.repeat(generator.choice([-1.0, 0.0, 1.0], n), 1 + n // 8)[:n]
                mixed = path_moments(chain, noise, runs / n)
                found.append((n, 1 / n, np.full(chain.num_states, np.nan), mixed.squared_norm))
    return found


def _rows(mean: bool) -> Iterator[tuple[str, int, Array]]:
    for name in chains():
        for n, _, first, second in _moments(name):
            if not mean:
                yield name, n, second
            elif not np.isnan(first).any():
                yield name, n, first


def _sides(
    mean: bool, *, scale: float = 1.0, mixing_time: int | None = None
) -> tuple[Array, Array]:
    ratios = []
    for name, n, values in _rows(mean):
        tau = mixing_time or chains()[name].mixing_time
        bound = 5 / 3 * tau / n if mean else 10 / 3 * tau / n
        ratios.append(values / (scale * bound))
    measured = np.concatenate(ratios)
    return measured, np.ones_like(measured)


# --- With the whole profile of the chain in place of its mixing time ---


@cache
def _profile(name: str, length: int) -> Array:
    """Delta(Q^k), k = 0, ..., length - 1."""
    return chains()[name].mixing_profile(max(length, 2))[:length]


def _memory(profile: Array) -> Array:
    """rho_k = min(1, 2 Delta(Q^k))."""
    return np.minimum(1.0, 2.0 * profile)


def _profile_sides(
    scale: float = 1.0, memory: Callable[[Array], Array] = _memory
) -> tuple[Array, Array]:
    ratios = []
    for name in chains():
        for n, w, first, second in _moments(name):
            if not 1 < n <= 5_000:
                continue
            rho, k = memory(_profile(name, n)), np.arange(n)
            ratios.append(second / (scale * w**2 * (2 * ((n - k) * rho).sum() - n)))
            if not np.isnan(first).any():
                # The first used sample itself may be the given one.
                ratios.append(first / (scale * w * rho.sum()))
    measured = np.concatenate(ratios)
    return measured, np.ones_like(measured)


def _case(mean: bool) -> Case:
    def check(scale: float = 1.0, mixing_time: int | None = None) -> ExactInequality:
        sides = partial(_sides, mean, scale=scale, mixing_time=mixing_time)
        return ExactInequality(sides, what=WHAT)

    return Case(
        problem=CHAIN_WORDS,
        constants=tau_range(),
        parameters={"n": r"1 and $\tau/8$ to $16\tau$", "s": 1},
        check=check(),
        controls=(
            Control("mixing time 1", r"a false claim: $\tau = 1$ in the bound", check(1.0, 1)),
            Control("bound divided by 3", "a false claim: a third of the bound", check(1 / 3)),
        ),
    )


def _profile_case() -> Case:
    def check(scale: float = 1.0, memory: Callable[[Array], Array] = _memory) -> ExactInequality:
        return ExactInequality(partial(_profile_sides, scale, memory), what=WHAT)

    return Case(
        problem=CHAIN_WORDS,
        constants=tau_range(),
        parameters={"n": r"$\tau/8$ to $16\tau$, from 2 to 5000", "s": 1},
        check=check(),
        controls=(
            Control("bound divided by 1.1", "a false claim: a tenth smaller", check(1 / 1.1)),
            Control(
                "profile squared",
                r"a false claim: $\Delta(Q^k)^2$ for $\rho_k$, a chain that mixes twice as fast",
                check(memory=np.square),
            ),
        ),
    )


_claim = partial(
    markov_claim,
    algorithm="mlmc_gradient",
    kind="one_step",
    unit="batch",
    output="batch mean",
    x_label="case, the closest to the bound first",
)
BOUNDED = (r"$\pi h = 0$, $|h| \le s$", "any starting state, before the batch or in it")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/batch/second-moment",
        title="The second moment of a batch, from any state of the chain",
        source="lemma on batch means; explicit form D1, constant 10/3",
        theorem="D1",
        statement=(
            r"$$E\Bigl|\sum_{i \le n} w_i h(Z_i)\Bigr|^2 \le \tfrac{10}{3} \tau n w^2 s^2, \qquad "
            r"|w_i| \le w,$$ for the mean $w_i = 1/n$ and for signs in any order"
        ),
        assumptions=BOUNDED,
        metric=r"E|\sum_i w_i h(Z_i)|^2",
        prepare=partial(_case, False),
        not_shown="Noise that depends on the state in more than one direction.",
    ),
    _claim(
        id="markovian_noise/batch/bias",
        title="The bias of a batch, from any state of the chain",
        source="lemma on batch means; explicit form D1, constant 5/3",
        theorem="D1",
        statement=r"$$\Bigl|E \tfrac1n \sum_{i \le n} h(Z_i)\Bigr| \le \tfrac53 \frac{\tau s}{n}$$",
        assumptions=BOUNDED,
        metric=r"|E \tfrac1n \sum_i h(Z_i)|",
        prepare=partial(_case, True),
        not_shown="Noise that depends on the state in more than one direction.",
    ),
    _claim(
        id="markovian_noise/batch/profile",
        title="Both moments of a batch with the whole mixing profile, closely",
        source="lemma on batch means; the sum that D1 bounds",
        theorem="D1",
        statement=(
            r"$$E\Bigl|\sum_{i \le n} w_i h(Z_i)\Bigr|^2 \le w^2 s^2 \Bigl(n + 2\sum_{k<n} (n-k) "
            r"\rho_k\Bigr), \qquad \Bigl|E \tfrac1n \sum_{i \le n} h(Z_i)\Bigr| \le \tfrac sn "
            r"\sum_{k < n} \rho_k,$$ with $\rho_k = \min(1, 2\Delta(Q^k))$"
        ),
        assumptions=BOUNDED,
        metric=r"E|\sum_i w_i h(Z_i)|^2,\ |E \tfrac1n \sum_i h(Z_i)|",
        prepare=_profile_case,
        not_shown="The mixing time alone: two chains with one of it can have other profiles.",
    ),
)
