# SPDX-License-Identifier: Apache-2.0
"""How often each kind of check errs, measured where the claim is just true or just false.

`python -m theory_checks.statistics.honesty` prints these tables with the others; the tests hold
smaller runs of them against their limits. Laws are light, skewed to either side, heavy, or have a
rare event; replicates of a process are replaced by draws from them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from .betting import log_wealth
from .evidence import Array
from .exponents import law_exponent, rate_exponent
from .honesty import LAWS, Law, trajectories
from .identity import identity_test
from .log_log import Relation
from .minimizer import share_inside
from .protocol import Protocol
from .verdict import Decision, decide

__all__ = [
    "BORDER_LAWS",
    "CAPS",
    "Rates",
    "bounds",
    "capped",
    "exponents",
    "identities",
    "minimizers",
]

# --- Laws of mean 1 ---


def _uniform(normal: Array) -> Array:
    return np.asarray(2.0 * special.ndtr(normal))


def _left_skewed(normal: Array) -> Array:
    return np.asarray(1.25 * special.ndtr(normal) ** 0.25)


def _rare(chance: float) -> Law:
    """Uniform on [0, 1], and with a small probability what brings the mean to 1."""

    def law(normal: Array) -> Array:
        uniform = special.ndtr(normal)
        return np.asarray(uniform + (uniform < chance) * 0.5 / chance)

    return law


def _lognormal(sigma: float) -> Law:
    return lambda normal: np.exp(sigma * normal - sigma**2 / 2.0)


def _pareto(normal: Array) -> Array:
    return np.asarray(np.exp(-special.log_ndtr(normal) / 1.5) / 3.0)


BORDER_LAWS: dict[str, Law] = {
    "uniform": _uniform,
    "skewed to the left": _left_skewed,
    "exponential": LAWS["exponential"],
    "lognormal(sigma 1)": _lognormal(1.0),
    "lognormal(sigma 2)": _lognormal(2.0),
    "Pareto(1.5)": _pareto,
    "rare event, 10%": _rare(0.1),
    "rare event, 1%": _rare(0.01),
}
"""From light to heavy; the last hides half of its mean in an event that 32 seeds seldom show."""

CAPS = {
    "uniform": 2.0,
    "skewed to the left": 1.25,
    "rare event, 10%": 6.0,
    "rare event, 1%": 51.0,
}
"""The largest value of the laws that have one."""


@dataclass(frozen=True)
class Rates:
    """What share of the runs came out how.

    Attributes:
        what: the check and its law.
        seeds: of a first look.
        refuted: share that came out REFUTED.
        consistent: share that came out CONSISTENT.
        runs: how many.
        finite: share that came out CONSISTENT by limits that hold for every law.
    """

    what: str
    seeds: int
    refuted: float
    consistent: float
    runs: int
    finite: float = 0.0


def _rates(what: str, seeds: int, verdicts: list[Decision], finite: float = 0.0) -> Rates:
    return Rates(
        what,
        seeds,
        verdicts.count("REFUTED") / len(verdicts),
        verdicts.count("CONSISTENT") / len(verdicts),
        len(verdicts),
        finite,
    )


# --- Bounds ---


def bounds(
    name: str, *, shape: str = "one", seeds: int = 32, runs: int, cap: bool = False, seed: int = 0
) -> Rates:
    """Verdicts on E Z <= 1 where E Z = 1: each REFUTED is false, and CONSISTENT is by luck.

    Args:
        name: of the law.
        shape: "one" checkpoint; "path", 20 that depend on each other; "one bad", 20 of which all
            but one have a mean of 0.3.
        seeds: of the first look; up to eight times as many are drawn.
        runs: how many.
        cap: whether the law's largest value is declared.
        seed: of the simulation.

    Returns:
        The rates.

    Example:
        >>> bounds("uniform", runs=5, cap=True).refuted
        0.0
    """
    rng = np.random.default_rng(seed)
    checkpoints = 1 if shape == "one" else 20
    means = np.full(checkpoints, 0.3 if shape == "one bad" else 1.0)
    means[-1] = 1.0

    def draw(first: int, count: int) -> Array:
        return np.asarray(means * trajectories(BORDER_LAWS[name], count, checkpoints, rng=rng)[0])

    largest = CAPS[name] * means if cap else None
    found = [decide(draw, seeds, seed=run, cap=largest)[0] for run in range(runs)]
    finite = [v.verdict == "CONSISTENT" and v.support == "finite-sample" for v in found]
    what = f"{name}{', capped' if cap else ''}, {shape}"
    return _rates(what, seeds, [v.verdict for v in found], float(np.mean(finite)))


def capped(name: str, *, seeds: int = 256, runs: int) -> Rates:
    """How often a declared cap supports E Z <= 1 at equality, at any of as many looks as seeds.

    Args:
        name: of a law that has a cap.
        seeds: the most that are looked at.
        runs: how many.

    Returns:
        The rates; what is CONSISTENT here is so by limits that hold for every law.

    Example:
        >>> capped("rare event, 1%", runs=100).finite <= 0.05
        True
    """
    draws = BORDER_LAWS[name](np.random.default_rng(0).standard_normal((seeds, runs)))
    wealth = log_wealth((1.0 - draws) / (CAPS[name] - 1.0)).max(axis=0)
    share = float(np.mean(wealth >= -math.log(Protocol().support_error)))
    return Rates(f"{name}, by its cap alone", seeds, 0.0, share, runs, share)


# --- Identities ---


def identities(
    name: str, *, factor: float = 1.0, seeds: int = 128, runs: int, ranged: bool = False
) -> Rates:
    """Verdicts on E Z = factor where E Z = 1: at a factor of 1 each REFUTED is false.

    Args:
        name: of the law.
        factor: what is claimed.
        seeds: of the only look.
        runs: how many.
        ranged: whether the law's range is declared.

    Returns:
        The rates.

    Example:
        >>> identities("uniform", factor=2.0, runs=20).refuted
        1.0
    """
    rng = np.random.default_rng(0)
    law = BORDER_LAWS[name]
    what = f"{name}{', range declared' if ranged else ''}, claimed {factor:g}"
    if ranged:
        within = (-factor, CAPS[name] - factor)
        draws = (law(rng.standard_normal(seeds)) - factor for _ in range(runs))
        return _rates(what, seeds, [identity_test(one, within=within).verdict for one in draws])
    test = identity_test(law(rng.standard_normal((seeds, runs))) - factor)
    refuted = float(np.mean(test.refuted))
    return Rates(what, seeds, refuted, float(np.mean(~test.suspect)), runs)


# --- Exponents and minimizers ---

SPREADS = {"even": (0.7, 0.7), "growing": (0.2, 1.6)}


def _spread(seeds: int, points: int, spread: str, rng: np.random.Generator) -> Array:
    """Log-normal noise of mean 1 along a path, half of it common to all points."""
    sigma = np.linspace(*SPREADS[spread], points)
    own, common = rng.standard_normal((seeds, points)), rng.standard_normal((seeds, 1))
    return np.asarray(np.exp(sigma * math.sqrt(0.5) * (own + common) - sigma**2 / 2.0))


def exponents(relation: Relation | str, off: float, *, spread: str, seeds: int, runs: int) -> Rates:
    """Verdicts on a stated exponent of 1 where it is off by some amount.

    Args:
        relation: "exactly" or "at_most" of a law in a constant, or "rate" in the steps.
        off: by how much the true exponent is above the stated one; 0.1, 0.15 and -0.05 are the
            borders of "at_most", "exactly" and "rate".
        spread: "even" along the path, or "growing".
        seeds: of the only look.
        runs: how many.

    Returns:
        The rates; at a border CONSISTENT is false just beyond it, REFUTED just before.

    Example:
        >>> exponents("at_most", -0.5, spread="even", seeds=32, runs=5).consistent
        1.0
    """
    rng = np.random.default_rng(0)
    verdicts: list[Decision] = []
    x = np.geomspace(10.0, 1000.0, 12) if relation == "rate" else np.geomspace(1.0, 100.0, 6)
    for run in range(runs):
        noise = _spread(seeds, x.size, spread, rng)
        if relation == "rate":
            values = noise * x ** -(1.0 + off)
            found = rate_exponent(x, values, stated=1.0, window=(10, 1000), resamples=400, seed=run)
        else:
            kind: Relation = "at_most" if relation == "at_most" else "exactly"
            values = (noise * x ** (1.0 + off)).T
            found = law_exponent(x, values, stated=1.0, relation=kind, resamples=400, seed=run)
        verdicts.append(found.verdict)
    return _rates(f"{relation}, off by {off:+g}, {spread} spread", seeds, verdicts)


def minimizers(*, spread: float, seeds: int, runs: int) -> Rates:
    """Verdicts on where a mean is smallest, where it is as small just outside of the window.

    Args:
        spread: standard deviation of the difference of the two, over its distance to the others.
        seeds: of the only look.
        runs: how many.

    Returns:
        The rates: both are errors.

    Example:
        >>> minimizers(spread=0.5, seeds=32, runs=5).runs
        5
    """
    rng = np.random.default_rng(0)
    verdicts: list[Decision] = []
    for _ in range(runs):
        noise = spread * rng.standard_normal((seeds, 1))
        values = np.array([1.0, 0.0, 0.0, 1.0]) + noise * np.array([0.0, 0.5, -0.5, 0.0])
        verdicts.append(share_inside(np.arange(4.0), values, (1.0, 1.0))[1])
    return _rates("tie at the window's edge", seeds, verdicts)


# --- The tables ---

BORDERS = (("at_most", 0.1), ("exactly", 0.15), ("exactly", -0.15), ("rate", -0.05))


def tables(runs: int) -> Iterator[tuple[str, list[Callable[[], Rates]]]]:
    """Titles, and the measurements below each.

    Args:
        runs: of the cheapest measurements; the others make do with fewer.

    Yields:
        A title, and functions that measure a row.
    """
    few = max(runs // 10, 20)
    looks = Protocol().looks
    yield (
        f"Bounds at E Z = 1, 32 seeds, up to {looks} looks: REFUTED is false (0.1% stated), "
        "CONSISTENT by luck (5% nominal; at most 5% where the support is finite-sample)",
        [
            *(partial(bounds, name, runs=few) for name in BORDER_LAWS),
            *(partial(capped, name, runs=runs) for name in CAPS),
            *(
                partial(bounds, name, shape=shape, runs=max(few // 4, 20))
                for shape in ("path", "one bad")
                for name in ("exponential", "lognormal(sigma 1)", "rare event, 1%")
            ),
        ],
    )
    yield (
        "Sampled identities, one look: claimed 1 is true, and REFUTED is false; others are false, "
        "and CONSISTENT is a miss",
        [
            *(
                partial(identities, name, factor=factor, seeds=seeds, runs=runs)
                for factor in (1.0, 1.25, 0.8, 2.0, 0.5)
                for name in BORDER_LAWS
                for seeds in ((128, 1024) if factor == 1.0 else (128,))
            ),
            *(
                partial(identities, name, factor=factor, runs=few, ranged=True)
                for factor in (1.0, 1.25)
                for name in CAPS
            ),
        ],
    )
    yield (
        "Exponents at their borders: CONSISTENT is false just beyond (5% nominal), REFUTED just "
        "before (1% nominal)",
        [
            partial(exponents, relation, off, spread=spread, seeds=seeds, runs=few)
            for relation, off in BORDERS
            for spread in SPREADS
            for seeds in (32, 128)
        ],
    )
    yield (
        "Where a mean is smallest, two values alike: both verdicts are false (1% of resamples)",
        [partial(minimizers, spread=0.5, seeds=seeds, runs=few) for seeds in (32, 256)],
    )
