"""Shampoo's power and grafting, each with a rate of its own, against SOAP with fresh bases.

python -m benchmarks.soap_power_and_grafting quick|small|medium      # prints alone
"""

import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from theory_checks.claims.soap.language_model import (
    B1,
    B2,
    Make,
    Size,
    curve_of,
    final_loss,
    passage,
)

from .progress import progress
from .report import machine, table
from .soap_language_model import interval

__all__ = ["SIZES", "Variant", "climbed", "measure"]

Array = NDArray[np.float64]

# As `soap_language_model` has them with fewer characters a step: half a hundred runs are made. The
# small model has half the width of the medium one.
SIZES = {
    "quick": Size(16, 1, 16, 8, 20, 5, (1e-2,), 2),
    "small": Size(32, 2, 64, 16, 200, 5, (1e-2,), 3),
    "medium": Size(64, 2, 64, 32, 200, 5, (1e-2,), 3),
}
POWERS = {"1/4": 1 / 4, "1/2.5": 1 / 2.5, "1/2": 1 / 2}


class Variant(NamedTuple):
    """A method, what it is made with, and the rate where the search begins."""

    make: Make
    power: float
    guess: float


def _adamw(schedule: Any, given: Any) -> optax.GradientTransformationExtraArgs:
    del given
    return optax.with_extra_args_support(optax.adamw(schedule, B1, B2, weight_decay=0.0))


def _soap(schedule: Any, given: Any) -> optax.GradientTransformationExtraArgs:
    f, _ = given
    return optzoo.soap(schedule, B1, B2, weight_decay=0.0, precondition_frequency=f)


def _shampoo(schedule: Any, given: Any) -> optax.GradientTransformationExtraArgs:
    f, power = given
    return optzoo.shampoo(
        schedule, eps=1e-12, beta=B2, momentum=B1, precondition_frequency=f, power=power
    )


def _grafted(schedule: Any, given: Any) -> optax.GradientTransformationExtraArgs:
    f, power = given
    return optzoo.shampoo(
        schedule,
        eps=1e-12,
        beta=B2,
        momentum=B1,
        precondition_frequency=f,
        power=power,
        graft=optax.scale_by_adam(B1, B2),
    )


# The guesses of the steps that are not grafted go by the size of gradients, |G|^(1 - 4 p).
GUESSES = {"1/4": 1e-1, "1/2.5": 1e-2, "1/2": 3e-3}
VARIANTS = {
    "AdamW": Variant(_adamw, 0.0, 3e-3),
    "SOAP": Variant(_soap, 0.0, 1e-2),
    **{f"Shampoo, {p}, grafted": Variant(_grafted, power, 1e-2) for p, power in POWERS.items()},
    **{f"Shampoo, {p}": Variant(_shampoo, power, GUESSES[p]) for p, power in POWERS.items()},
}


def measure(size: Size = SIZES["small"]) -> str:
    """Tune every variant at f = 1, run it on several seeds, and compare with AdamW.

    Args:
        size: of the model and of the runs.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    rare = size.steps // 2

    def curve(name: str, f: int, rate: float, seed: int) -> Array:
        make, power, _ = VARIANTS[name]
        return curve_of(make, (jnp.int32(f), jnp.float32(power)), size, rate, seed)

    def tuning_loss(name: str, rate: float) -> float:
        return final_loss(curve(name, 1, rate, 1000))

    with jax.enable_x64(False):
        rates = {
            name: climbed(partial(tuning_loss, name), VARIANTS[name].guess)
            for name in progress(tuple(VARIANTS), "tuning")
        }
        runs: dict[tuple[str, int], list[Array]] = {(name, 1): [] for name in VARIANTS}
        for seed in progress(range(size.seeds), "seed"):
            for name, f in runs:
                runs[name, f].append(curve(name, f, rates[name], seed))
        best = min(
            (name for name in VARIANTS if name.startswith("Shampoo")),
            key=lambda name: float(np.mean([final_loss(c) for c in runs[name, 1]])),
        )
        for name in ("SOAP", best):
            runs[name, rare] = [curve(name, rare, rates[name], s) for s in range(size.seeds)]
    header = ("method", "rate", "final loss", "iterations")
    text = table(header, _rows(size, rates, runs))
    return (
        f"{where}\n\n{text}\n\n"
        f"The model and the text of `soap_language_model` (width {size.width}, {size.layers} "
        f"layers), batches of {size.batch * size.length:,} characters, {size.steps} steps; "
        f"f = {rare} refreshes once, in the middle. Shampoo steps along $L^{{-p}} M R^{{-p}}$ "
        "with the power p that stands in its name, with Adam's length of step in every leaf "
        "where it is grafted, and with its own otherwise. Every variant has the rate of "
        "least final loss on a seed of its own at f = 1, found downhill on the powers of the root "
        "of 10. Final loss: nats a character on held-out text, the last tenth of a run; "
        "iterations: to AdamW's final loss of the same seed, over AdamW's own whole run. "
        f"Means over {size.seeds} seeds with 95% intervals that resample the seeds; "
        '">" where some runs did not get there and count with their whole length. No '
        "seconds: a busy machine changes them, and neither losses nor iterations."
    )


def climbed(loss: Callable[[float], float], guess: float) -> float:
    """The rate at which neither a rate sqrt(10) times as large nor as small is better.

    Args:
        loss: of a rate; infinite where the run diverges. The walk from there is to smaller rates.
        guess: where the walk begins.

    Returns:
        The rate.

    Example:
        >>> round(climbed(lambda rate: abs(rate - 0.3), 0.01), 3)
        0.316
    """

    @cache
    def at(place: int) -> float:
        return loss(guess * 10 ** (place / 2))

    here = 0
    while True:
        best = min((here, here - 1, here + 1) if np.isfinite(at(here)) else (here - 1,), key=at)
        if best == here:
            return guess * 10 ** (here / 2)
        here = best


def _rows(
    size: Size, rates: dict[str, float], runs: dict[tuple[str, int], list[Array]]
) -> Iterator[tuple[str, ...]]:
    targets = [final_loss(curve) for curve in runs["AdamW", 1]]
    for (name, f), curves in runs.items():
        steps = np.array([passage(c, t, size.every) for c, t in zip(curves, targets, strict=True)])
        yield (
            name if name == "AdamW" else f"{name}, f = {f}",
            f"{rates[name]:.2g}",
            interval(np.array([final_loss(c) for c in curves]), "{:.3f}"),
            (">" if np.any(np.isinf(steps)) else "")
            + interval(np.minimum(steps, size.steps) / size.steps, "{:.2f}"),
        )


if __name__ == "__main__":
    print(measure(SIZES[sys.argv[1] if len(sys.argv) > 1 else "small"]))
