"""SOAP, Shampoo, KL and AdamW on a small language model: iterations and seconds to AdamW's loss.

python -m benchmarks.soap_language_model quick|medium|full      # prints alone
"""

import sys
import time
from collections.abc import Iterator

import jax
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import python_documentation
from theory_checks.claims.soap.language_model import (
    METHODS,
    TUNED,
    Size,
    final_loss,
    passage,
    training_curve,
    tuned_rates,
)

from .progress import progress
from .report import machine, table

__all__ = ["SIZES", "interval", "measure"]

Array = NDArray[np.float64]

SIZES = {
    "quick": Size(16, 1, 16, 8, 20, 5, (1e-3, 1e-2), 2),
    "medium": Size(64, 2, 64, 64, 200, 5, (1e-3, 3e-3, 1e-2, 3e-2), 5),
    "full": Size(128, 4, 128, 128, 1600, 20, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), 8),
}


def measure(size: Size = SIZES["medium"]) -> str:
    """Tune, run in turns, and compare with AdamW.

    Args:
        size: of the model and of the runs.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    with jax.enable_x64(False):
        tuning = tuned_rates(size)
        tuned = dict(next(tuning) for _ in progress(TUNED, "tuning"))  # compiles, too
        best = {name: tuned[name.partition(",")[0]] for name in METHODS}
        curves: dict[str, list[Array]] = {name: [] for name in METHODS}
        seconds: dict[str, list[float]] = {name: [] for name in METHODS}
        for seed in progress(range(size.seeds), "seed"):
            for name in METHODS:
                start = time.perf_counter()
                curves[name].append(training_curve(name, size, best[name], seed))
                seconds[name].append(time.perf_counter() - start)
        count = sum(x.size for x in size.model.init(jax.random.key(0)).values())
    train, _, _ = python_documentation()
    targets = [final_loss(curve) for curve in curves["AdamW"]]
    header = ("method", "rate", "final loss", "iterations", "time of a step", "wall clock")
    text = table(header, _rows(size, best, curves, seconds, targets))
    return (
        f"{where}\n\n{text}\n\n"
        f"A transformer of {count:,} parameters (width {size.width}, {size.layers} layers, "
        f"{size.length} characters) on {len(train):,} characters of `pydoc_data.topics`; "
        f"batches of {size.batch * size.length:,} characters, {size.steps} steps, float32, no "
        f"decay, the rate of {len(size.rates)} with the least final loss on a seed of its own, "
        "for all but AdamW at f = 10. "
        "Final loss: nats a character on held-out text, the last tenth of a run. Iterations and "
        "wall clock: to AdamW's final loss of the same seed, over AdamW's own whole run; time of a "
        f"step: over AdamW's, within a seed. Means over {size.seeds} seeds with 95% intervals "
        'that resample the seeds; ">" where some runs did not get there and count with their '
        "whole length. Shampoo has Adam's length of step in every leaf (grafting) and power 1/4; "
        "KL-Shampoo has power 1/2 and no length borrowed in leaves with two axes or more. "
        "The paper, on models a thousand times as large: SOAP at f = 10 takes at least 40% fewer "
        "iterations and 35% less wall clock than AdamW."
    )


def _rows(
    size: Size,
    best: dict[str, float],
    curves: dict[str, list[Array]],
    seconds: dict[str, list[float]],
    targets: list[float],
) -> Iterator[tuple[str, ...]]:
    for name in METHODS:
        steps = np.array(
            [passage(c, t, size.every) for c, t in zip(curves[name], targets, strict=True)]
        )
        missed = ">" if np.any(np.isinf(steps)) else ""
        share = np.minimum(steps, size.steps) / size.steps
        cost = np.array(seconds[name]) / np.array(seconds["AdamW"])
        edge = "" if size.rates[0] < best[name] < size.rates[-1] else " (end of the grid)"
        yield (
            name,
            f"{best[name]:g}{edge}",
            interval(np.array([final_loss(c) for c in curves[name]]), "{:.3f}"),
            missed + interval(share, "{:.2f}"),
            interval(cost, "{:.2f}"),
            missed + interval(share * cost, "{:.2f}"),
        )


def interval(values: Array, shape: str) -> str:
    """The mean with its bootstrap interval, as text."""
    weights = np.random.default_rng(0).multinomial(
        len(values), np.full(len(values), 1 / len(values)), size=2000
    )
    means = weights @ values / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{shape.format(values.mean())} [{shape.format(low)}, {shape.format(high)}]"


if __name__ == "__main__":
    print(measure(SIZES[sys.argv[1] if len(sys.argv) > 1 else "medium"]))
