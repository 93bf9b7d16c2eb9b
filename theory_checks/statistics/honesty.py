# SPDX-License-Identifier: Apache-2.0
"""How often the verdicts err: false refutations, power and false support, by simulation.

`python -m theory_checks.statistics.honesty` prints the rates as Markdown tables (some minutes):
those of each kind of check (`error_rates`), then those of bounds in detail. The tests hold smaller
runs of the same functions against their limits; `docs/error_rates.md` keeps the tables.
"""

import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

import numpy as np
from scipy import special
from tqdm import tqdm

from .evidence import Array, log_e_process
from .protocol import Protocol
from .verdict import Verdict, decide

__all__ = [
    "LAWS",
    "Law",
    "decisions",
    "lognormal",
    "refutation_times",
    "seeds_for_power",
    "trajectories",
]

T = TypeVar("T")
Law = Callable[[Array], Array]
"""Turns standard normal variables into non-negative ones of mean 1."""


def lognormal(cv: float) -> Law:
    """Log-normal law of mean 1 with a given coefficient of variation.

    Args:
        cv: standard deviation over mean, positive.

    Returns:
        The law.

    Raises:
        ValueError: if `cv` is not positive.

    Example:
        >>> samples = lognormal(0.3)(np.random.default_rng(0).normal(size=10_000))
        >>> print(samples.mean().round(2), samples.std().round(2))
        1.0 0.3
    """
    if not cv > 0.0:
        raise ValueError(f"cv must be positive, got {cv}")
    sigma = math.sqrt(math.log1p(cv**2))
    return lambda normal: np.exp(sigma * normal - sigma**2 / 2.0)


def _chi_square(normal: Array) -> Array:
    return np.square(normal)


def _exponential(normal: Array) -> Array:
    return np.asarray(-special.log_ndtr(normal))


def _pareto(normal: Array) -> Array:
    return np.asarray(np.exp(-special.log_ndtr(normal) / 2.1) * (1.1 / 2.1))


def _squared_mlmc(normal: Array) -> Array:
    """2^J times an exponential, P(J = j) = 2^-j up to 8: the square of a multilevel estimate."""
    uniform = special.ndtr(normal)
    level = np.clip(np.ceil(-np.log2(uniform)), 1.0, 8.0)
    within = np.where(level < 8.0, uniform * 2.0**level - 1.0, uniform * 2.0**7)
    return np.asarray(2.0**level * -np.log(np.maximum(within, 1e-300)) / 9.0)


LAWS: dict[str, Law] = {
    "exponential": _exponential,
    "chi-square(1)": _chi_square,
    "lognormal(sigma 1)": lognormal(math.sqrt(math.expm1(1.0))),
    "lognormal(sigma 1.5)": lognormal(math.sqrt(math.expm1(2.25))),
    "Pareto(2.1)": _pareto,
    "squared MLMC noise": _squared_mlmc,
}
"""Laws of mean 1, so that Z drawn from them lies on the boundary of the claim E Z <= 1."""


def trajectories(
    law: Law,
    seeds: int,
    checkpoints: int,
    *,
    correlation: float = 0.9,
    runs: int = 1,
    rng: np.random.Generator,
) -> Array:
    """Ratios whose checkpoints share one law and depend on each other like an AR(1) path.

    Args:
        law: law of each ratio.
        seeds: replicates in a run.
        checkpoints: checkpoints of a replicate.
        correlation: of neighbouring normal variables, in [0, 1]; 1 makes all checkpoints equal.
        runs: independent runs.
        rng: source of randomness.

    Returns:
        Ratios, float64, shape (runs, seeds, checkpoints).

    Raises:
        ValueError: if `correlation` is outside [0, 1].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> trajectories(LAWS["exponential"], 32, 20, runs=3, rng=rng).shape
        (3, 32, 20)
    """
    if not 0.0 <= correlation <= 1.0:
        raise ValueError(f"correlation must lie in [0, 1], got {correlation}")
    normal = rng.standard_normal((checkpoints, runs, seeds))
    for k in range(1, checkpoints):
        normal[k] *= math.sqrt(1.0 - correlation**2)
        normal[k] += correlation * normal[k - 1]
    return law(np.moveaxis(normal, 0, -1))


def refutation_times(
    law: Law,
    *,
    ratio: float,
    alpha: float,
    seeds: int,
    checkpoints: int = 20,
    correlation: float = 0.9,
    runs: int,
    seed: int = 0,
) -> Array:
    """Seeds after which the e-value first reaches 1 / alpha, adding one seed at a time.

    Args:
        law: law of metric / bound, before scaling.
        ratio: true E[metric] / bound: 1 is the boundary, 2 a twofold violation.
        alpha: level of the refutation.
        seeds: most seeds of a run.
        checkpoints: checkpoints of a replicate.
        correlation: between neighbouring checkpoints.
        runs: independent runs.
        seed: seed of the simulation.

    Returns:
        First crossing of each run, float64, shape (runs,); infinity where none. At ratio 1 the
        finite share is the rate of false refutation under optional stopping.

    Example:
        >>> times = refutation_times(
        ...     LAWS["exponential"], ratio=4.0, alpha=1e-3, seeds=64, runs=50
        ... )
        >>> bool(np.isfinite(times).all())
        True
    """
    rng = np.random.default_rng(seed)
    times = []
    for count in _batches(runs, seeds * checkpoints):
        ratios = ratio * trajectories(
            law, seeds, checkpoints, correlation=correlation, runs=count, rng=rng
        )
        crossed = log_e_process(ratios) >= -math.log(alpha)
        times.append(np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1.0, np.inf))
    return np.concatenate(times)


def seeds_for_power(times: Array, power: float = 0.9) -> float:
    """Seeds within which a share `power` of the runs is refuted.

    Args:
        times: first crossings, shape (runs,), from `refutation_times`.
        power: share, in (0, 1).

    Returns:
        The quantile of the crossings; infinity if too few runs were refuted.

    Example:
        >>> seeds_for_power(np.array([10.0, 20.0, 30.0, np.inf]), power=0.75)
        30.0
    """
    return float(np.sort(times)[math.ceil(power * times.size) - 1])


def decisions(
    law: Law,
    *,
    ratio: float,
    seeds: int,
    checkpoints: int = 20,
    correlation: float = 0.9,
    max_doublings: int = 0,
    runs: int,
    alpha: float = 1e-3,
    seed: int = 0,
) -> list[Verdict]:
    """Verdicts of independent runs, each extended up to `max_doublings` times.

    Args:
        law: law of metric / bound, before scaling.
        ratio: true E[metric] / bound.
        seeds: replicates of the first look.
        checkpoints: checkpoints of a replicate.
        correlation: between neighbouring checkpoints.
        max_doublings: as for `decide`; 0 assesses the first look alone.
        runs: independent runs.
        alpha: level of the refutation.
        seed: seed of the simulation.

    Returns:
        One verdict a run.

    Example:
        >>> [v.verdict for v in decisions(LAWS["exponential"], ratio=0.1, seeds=32, runs=2)]
        ['CONSISTENT', 'CONSISTENT']
    """
    rng = np.random.default_rng(seed)

    def draw(first: int, count: int) -> Array:
        ratios = trajectories(law, count, checkpoints, correlation=correlation, rng=rng)
        return np.asarray(ratio * ratios[0])

    return [
        decide(draw, seeds, protocol=Protocol(alpha=alpha, looks=max_doublings + 1), seed=run)[0]
        for run in range(runs)
    ]


def _batches(runs: int, size: int) -> Iterator[int]:
    """Run counts whose tables of wealth stay near 64 MB."""
    batch = max(1_000_000 // size, 1)
    for start in range(0, runs, batch):
        yield min(batch, runs - start)


def _share(verdicts: list[Verdict], outcome: str) -> str:
    count = sum(v.verdict == outcome for v in verdicts)
    return f"{100 * count / len(verdicts):.1f}%"


def _print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def _watched(rows: Collection[T], title: str) -> Iterable[T]:
    """A bar of a table's rows on a terminal; otherwise the finished tables say how far it is."""
    watched: Iterable[T] = tqdm(rows, desc=title, leave=False, disable=not sys.stderr.isatty())
    return watched


def main() -> None:
    """Print the measured rates as Markdown: of each kind of check, then of bounds in detail."""
    from .error_rates import tables

    for title, measurements in tables(10_000):
        rows = []
        for measure in _watched(measurements, "error rates"):
            found = measure()
            rows.append(
                [
                    found.what,
                    f"{found.seeds}",
                    f"{100 * found.refuted:.2f}%",
                    f"{100 * found.consistent:.1f}%",
                    f"{100 * found.finite:.1f}%",
                    f"{found.runs}",
                ]
            )
        header = ["what", "seeds", "REFUTED", "CONSISTENT", "of it finite-sample", "runs"]
        _print_table(title, header, rows)
    alpha = 0.01
    rows = []
    for name, law in _watched(LAWS.items(), "false refutation"):
        rates = []
        for checkpoints, correlation in ((1, 0.0), (20, 0.9), (20, 0.0)):
            times = refutation_times(
                law,
                ratio=1.0,
                alpha=alpha,
                seeds=256,
                checkpoints=checkpoints,
                correlation=correlation,
                runs=4000,
            )
            rates.append(f"{100 * np.isfinite(times).mean():.2f}%")
        rows.append([name, *rates])
    _print_table(
        "False refutation at E Z = 1, alpha = 1%, stopping at any of 256 seeds (4000 runs)",
        ["law", "1 checkpoint", "20, correlation 0.9", "20 independent"],
        rows,
    )

    rows = []
    for factor in _watched((2.0, 1.5), "seeds for power"):
        for cv in (0.3, 1.0, 2.0):
            needed = [
                f"{seeds_for_power(_times(lognormal(cv), factor, 800, *grid)):g}"
                for grid in ((1, 0.0), (20, 0.9), (20, 0.0))
            ]
            rows.append([f"{factor:g}", f"{cv:g}", *needed])
    _print_table(
        "Seeds for 90% power of refutation, alpha = 0.1%, log-normal Z (1000 runs)",
        ["violation", "CV", "1 checkpoint", "20, correlation 0.9", "20 independent"],
        rows,
    )

    rows = []
    for factor in _watched((1.25, 1.5, 2.0, 4.0), "power"):
        powers = [
            f"{np.isfinite(_times(law, factor, 64, 20, correlation)).mean():.2f}"
            for law in (LAWS["exponential"], LAWS["lognormal(sigma 1)"])
            for correlation in (0.0, 0.9)
        ]
        rows.append([f"{factor:g}", *powers])
    _print_table(
        "Power at 64 seeds, 20 checkpoints, alpha = 0.1% (1000 runs)",
        [
            "violation",
            "exponential, independent",
            "exponential, 0.9",
            "log-normal, independent",
            "log-normal, 0.9",
        ],
        rows,
    )

    rows = []
    for name, law in _watched(LAWS.items(), "false support"):
        one = decisions(law, ratio=1.0, seeds=32, checkpoints=1, runs=2000)
        large = decisions(law, ratio=1.0, seeds=256, checkpoints=1, runs=400)
        doubled = decisions(law, ratio=1.0, seeds=32, checkpoints=1, max_doublings=3, runs=400)
        path = decisions(law, ratio=1.0, seeds=32, max_doublings=3, runs=200)
        rows.append([name, *(_share(v, "CONSISTENT") for v in (one, large, doubled, path))])
    _print_table(
        "False support at E Z = 1, limits at 98.75%",
        [
            "law",
            "32 seeds, 1 checkpoint (2000 runs)",
            "256 seeds, 1 (400)",
            "32 to 256 seeds, 1 (400)",
            "32 to 256 seeds, 20 (200)",
        ],
        rows,
    )

    rows = []
    for name, law in _watched(LAWS.items(), "true claims"):
        one = decisions(law, ratio=0.3, seeds=32, checkpoints=1, runs=500)
        path = decisions(law, ratio=0.3, seeds=32, runs=500)
        doubled = decisions(law, ratio=0.3, seeds=32, max_doublings=3, runs=100)
        full = decisions(law, ratio=0.3, seeds=256, runs=100)
        rows.append([name, *(_share(v, "CONSISTENT") for v in (one, path, doubled, full))])
    _print_table(
        "True claims at E Z = 0.3 that come out CONSISTENT",
        [
            "law",
            "32 seeds, 1 checkpoint (500 runs)",
            "32 seeds, 20 (500)",
            "32 to 256 seeds, 20 (100)",
            "256 seeds, 20 (100)",
        ],
        rows,
    )


def _times(law: Law, ratio: float, seeds: int, checkpoints: int, correlation: float) -> Array:
    return refutation_times(
        law,
        ratio=ratio,
        alpha=1e-3,
        seeds=seeds,
        checkpoints=checkpoints,
        correlation=correlation,
        runs=1000,
    )


if __name__ == "__main__":
    main()
