"""What SOAP's options save and lose: bytes of state, and the loss of a small language model.

python -m benchmarks.soap_variants quick|medium      # prints alone
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from theory_checks.claims.soap.language_model import Size, curve_of, final_loss, passage

from .progress import progress
from .report import machine, table
from .soap_language_model import SIZES, interval

__all__ = ["measure"]

Array = NDArray[np.float64]

RATE = 0.01  # of all forms of SOAP: the best one of SOAP at f = 10, see soap_language_model
FREQUENCY = 10
B1 = B2 = 0.95
FIGURE = Path(__file__).parent.parent / "docs" / "soap_variants.png"

VARIANTS: dict[str, dict[str, Any]] = {
    "SOAP": {},
    "staggered": {"stagger": True},
    "adaptive, tolerance 0.01": {"basis": "adaptive"},
    "adaptive, tolerance 0.1": {"basis": "adaptive", "basis_tolerance": 0.1},
    "Cholesky": {"basis": "cholesky"},
    "one-sided": {"one_sided": True},
    "factored": {"factored": True},
    "factored, one-sided": {"factored": True, "one_sided": True},
}


def _adamw(schedule: Any, given: None) -> optax.GradientTransformationExtraArgs:
    del given
    return optax.with_extra_args_support(optax.adamw(schedule, B1, B2, weight_decay=0.0))


def _soap(name: str, schedule: Any, given: None) -> optax.GradientTransformationExtraArgs:
    del given
    options = VARIANTS[name]
    return optzoo.soap(
        schedule, B1, B2, weight_decay=0.0, precondition_frequency=FREQUENCY, **options
    )


METHODS = {"AdamW": _adamw, **{name: partial(_soap, name) for name in VARIANTS}}


def measure(size: Size = SIZES["medium"], figure: Path | None = FIGURE) -> str:
    """Run all forms of SOAP and AdamW in turns, from the same weights and on the same text.

    Args:
        size: of the model and of the runs.
        figure: where the curves of the loss are drawn; nowhere if None.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    curves: dict[str, list[Array]] = {name: [] for name in METHODS}
    with jax.enable_x64(False):
        params = size.model.init(jax.random.key(0))
        bytes_held = {
            name: _bytes_of_state(make(1e-3, None), params) for name, make in METHODS.items()
        }
        for seed in progress(range(size.seeds), "seed"):
            for name, make in METHODS.items():
                curves[name].append(curve_of(make, None, size, RATE, seed))
    count = sum(x.size for x in params.values())
    if figure is not None:
        _draw(figure, size, curves, {name: held / count for name, held in bytes_held.items()})
    targets = [final_loss(curve) for curve in curves["AdamW"]]
    reference = np.array([final_loss(curve) for curve in curves["SOAP"]])
    body = []
    for name in METHODS:
        losses = np.array([final_loss(curve) for curve in curves[name]])
        steps = np.array(
            [passage(c, t, size.every) for c, t in zip(curves[name], targets, strict=True)]
        )
        body.append(
            (
                name,
                f"{bytes_held[name] / count:.1f}",
                interval(losses, "{:.3f}"),
                interval(losses - reference, "{:+.3f}"),
                interval(np.minimum(steps, size.steps) / size.steps, "{:.2f}"),
            )
        )
    header = (
        *("method", "state (B/param)", "final loss", "less that of SOAP"),
        "iterations to AdamW's",
    )
    return (
        f"{where}\n\n{table(header, body)}\n\n"
        f"The language model, the text and the columns of `soap_language_model`: {count:,} "
        f"parameters, {size.steps} steps, f = {FREQUENCY}, the rate {RATE:g} for all. Differences "
        f"are within a seed. Means over {size.seeds} seeds with 95% intervals that resample the "
        "seeds." + ("\n\n![](../docs/soap_variants.png)" if figure is not None else "")
    )


def _bytes_of_state(method: Any, params: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(method.init(params)))


def _draw(
    figure: Path, size: Size, curves: dict[str, list[Array]], bytes_held: dict[str, float]
) -> None:
    fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    steps = size.every * np.arange(1, size.steps // size.every + 1)
    for name in ("AdamW", "SOAP", "one-sided", "factored", "factored, one-sided"):
        mean = np.mean(curves[name], axis=0)
        ax.plot(steps, mean, label=f"{name}: {bytes_held[name]:.1f} bytes")
    ax.set(xlabel="step", ylabel="loss on held-out text (nats a character)")
    ax.legend(title="state, for a parameter of 4 bytes")
    fig.savefig(figure, dpi=150)
    plt.close(fig)


if __name__ == "__main__":
    print(measure(SIZES[sys.argv[1] if len(sys.argv) > 1 else "medium"]))
