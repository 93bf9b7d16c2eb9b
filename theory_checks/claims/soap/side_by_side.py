# SPDX-License-Identifier: Apache-2.0
"""SOAP, Shampoo, their KL kin and AdamW on the same text: iterations to AdamW's final loss."""

import jax
import numpy as np
from numpy.typing import NDArray

from optzoo.theorems.soap import PAPER

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation.laboratory import Laboratory
from .language_model import (
    METHODS,
    Size,
    final_loss,
    passage,
    training_curve,
    tuned_rates,
)

__all__ = ["SIDE_BY_SIDE"]

Array = NDArray[np.float64]

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SEEDS_OF_A_RUN = 32  # replicates of a claim that cost as much as one training run here
SHOWN = (  # a panel has six curves
    "AdamW",
    "SOAP, f = 1",
    *(f"{method}, f = 10" for method in ("SOAP", "Shampoo", "KL-Shampoo", "KL-SOAP")),
)


def _size(seeds: int) -> Size:
    return Size(64, 2, 64, 64, 200, 5, RATES, max(seeds // SEEDS_OF_A_RUN, 2))


def _compare(laboratory: Laboratory) -> Outcome:
    return compared(_size(laboratory.seeds))


def compared(size: Size) -> Outcome:
    """Tunes, trains and compares.

    Args:
        size: of the model and of the runs.

    Returns:
        Loss against iterations, and iterations to AdamW's final loss against f.
    """
    with jax.enable_x64(False):
        tuned = dict(tuned_rates(size))
        curves = {
            name: np.stack(
                [
                    training_curve(name, size, tuned[name.partition(",")[0]], seed)
                    for seed in range(size.seeds)
                ]
            )
            for name in METHODS
        }
        count = sum(x.size for x in size.model.init(jax.random.key(0)).values())
    steps = np.arange(size.every, size.steps + 1, size.every, dtype=np.float64)
    shown = tuple(Curve.of_seeds(name, steps, curves[name]) for name in SHOWN)
    shares = {name: _shares(curves["AdamW"], loss, size) for name, loss in curves.items()}
    return Outcome(
        panels=(
            Panel("Loss on held-out text", "iterations", "nats a character", shown),
            Panel(
                "To AdamW's final loss",
                "calls between refreshes, $f$",
                "iterations over AdamW's",
                tuple(
                    _against_f(method, shares)
                    for method in ("SOAP", "Shampoo", "KL-Shampoo", "KL-SOAP")
                ),
            ),
        ),
        notes=_notes(shares, tuned),
        problem=(
            f"a transformer of {count} parameters on the characters of pydoc_data.topics, batches "
            f"of {size.batch * size.length}, {size.steps} steps, float32"
        ),
        seeds=size.seeds,
    )


def _notes(shares: dict[str, Array], tuned: dict[str, float]) -> tuple[str, ...]:
    found = [
        f"{name}: {share.mean():.2f} of AdamW's iterations to AdamW's final loss (seeds from "
        f"{share.min():.2f} to {share.max():.2f}), rate {tuned[name.partition(',')[0]]:g}."
        for name, share in shares.items()
        if name != "AdamW"
    ]
    return (
        *found,
        "The paper, on models a thousand times as large: SOAP at f = 10 takes at least 40% fewer "
        "iterations than AdamW. A run that does not get there counts with its whole length.",
    )


def _shares(adamw: Array, curves: Array, size: Size) -> Array:
    """Iterations to AdamW's final loss of the same seed over AdamW's own, at most 1."""
    steps = [
        passage(curve, final_loss(target), size.every)
        for curve, target in zip(curves, adamw, strict=True)
    ]
    return np.minimum(steps, size.steps) / size.steps


def _against_f(method: str, shares: dict[str, Array]) -> Curve:
    found = {
        frequency: shares[name]
        for name, (_, frequency) in METHODS.items()
        if name.startswith(method)
    }
    return Curve.of_seeds(
        method, np.array(list(found), float), np.stack(list(found.values()), axis=1)
    )


SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    SideBySide(
        id="soap/compare/language-model",
        title="A small language model: iterations to AdamW's loss",
        paper=PAPER.citation,
        description=(
            "Each method with the learning rate that ended lowest on a seed of its own (all but "
            "AdamW at f = 10), then on other seeds, all with the same initial weights and "
            "batches. Shampoo has Adam's length of step in every leaf, KL-Shampoo its own. Bands "
            "are two standard errors."
        ),
        evaluate=_compare,
        presets=("full",),
    ),
)
