"""SOAP, Shampoo and AdamW on a small language model: iterations and seconds to AdamW's loss.

A transformer predicts the characters of Python's own documentation, `pydoc_data.topics`. Every
method has its learning rate tuned on one seed, at f = 10, and is then run on several others, all
with the same initial weights and batches. The learning rate rises linearly and is constant
afterwards, so that a run may be read off at any of its steps.

    python -m benchmarks.soap_language_model quick|medium|full      # prints alone
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pydoc_data.topics import topics
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo

from .progress import progress
from .report import machine, table

__all__ = ["SIZES", "Size", "corpus", "loss", "measure", "parameters", "passage"]

Array = NDArray[np.float64]
Params = dict[str, jax.Array]
Make = Callable[[Any, Any], optax.GradientTransformationExtraArgs]

B1 = B2 = 0.95
PRECEDING = 0.05  # share of the steps in which the learning rate rises


@dataclass(frozen=True)
class Size:
    """How large the model is and how long it is trained.

    Args:
        width: of the residual stream; twice as many hidden units.
        layers: number of them.
        length: characters that are predicted from those before them in a sequence.
        batch: sequences in a step.
        steps: of a run.
        every: steps between two looks at the loss on text that is not trained on.
        rates: learning rates that are tried.
        seeds: runs at the best one.
    """

    width: int
    layers: int
    length: int
    batch: int
    steps: int
    every: int
    rates: tuple[float, ...]
    seeds: int


SIZES = {
    "quick": Size(16, 1, 16, 8, 20, 5, (1e-3, 1e-2), 2),
    "medium": Size(64, 2, 64, 64, 200, 5, (3e-3, 1e-2, 3e-2), 5),
    "full": Size(128, 4, 128, 128, 1600, 20, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), 8),
}


# --- Text and model ---


@cache
def corpus() -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """The text as numbers: what is trained on, the last tenth, and how many characters there are.

    Example:
        >>> train, held_out, characters = corpus()
        >>> len(train) > 300_000, len(held_out) > 30_000, 60 < characters < 200
        (True, True, True)
    """
    text = "\n".join(topics[name] for name in sorted(topics))
    alphabet, numbers = np.unique(list(text), return_inverse=True)
    cut = len(text) * 9 // 10
    numbers = numbers.astype(np.int32)
    return numbers[:cut], numbers[cut:], len(alphabet)


def parameters(key: jax.Array, size: Size, characters: int) -> Params:
    """Weights before training: all of them matrices, in float32.

    Args:
        key: of the random numbers.
        size: of the model.
        characters: how many different ones there are.

    Returns:
        name -> matrix.
    """
    d = size.width
    shapes = {"tokens": (characters, d), "positions": (size.length, d), "output": (d, characters)}
    for layer in range(size.layers):
        shapes |= {f"{layer}.{name}": (d, d) for name in ("q", "k", "v", "o")}
        shapes |= {f"{layer}.up": (d, 2 * d), f"{layer}.down": (2 * d, d)}
    keys = jax.random.split(key, len(shapes))
    params = {}
    for one, (name, shape) in zip(keys, shapes.items(), strict=True):
        deviation = 0.02 if name in ("tokens", "positions") else shape[0] ** -0.5
        if name.endswith((".o", ".down")):
            deviation /= (2 * size.layers) ** 0.5
        params[name] = deviation * jax.random.normal(one, shape, jnp.float32)
    return params


def loss(params: Params, text: jax.Array, size: Size) -> jax.Array:
    """Mean negative log-likelihood of a character given those before it, in nats.

    Args:
        params: weights.
        text: numbers of characters, shape (sequences, length + 1).
        size: of the model.

    Returns:
        A number.
    """
    heads = max(size.width // 32, 1)
    x = params["tokens"][text[:, :-1]] + params["positions"][None]
    allowed = jnp.tril(jnp.ones((size.length, size.length), bool))[None, None]

    def normed(x: jax.Array) -> jax.Array:
        return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)

    def split(x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[:2], heads, -1)

    for layer in range(size.layers):
        h = normed(x)
        q, k, v = (split(h @ params[f"{layer}.{name}"]) for name in ("q", "k", "v"))
        scores = jnp.einsum("bqhc,bkhc->bhqk", q, k) / q.shape[-1] ** 0.5
        weights = jax.nn.softmax(jnp.where(allowed, scores, -1e30), axis=-1)
        mixed = jnp.einsum("bhqk,bkhc->bqhc", weights, v).reshape(h.shape)
        x = x + mixed @ params[f"{layer}.o"]
        x = x + jax.nn.gelu(normed(x) @ params[f"{layer}.up"]) @ params[f"{layer}.down"]
    logits = normed(x) @ params["output"]
    return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, text[:, 1:]))


# --- Methods and runs ---


def _adamw(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    del frequency
    return optax.with_extra_args_support(optax.adamw(schedule, B1, B2, weight_decay=0.0))


def _soap(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.soap(schedule, B1, B2, weight_decay=0.0, precondition_frequency=frequency)


def _shampoo(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.shampoo(
        schedule,
        eps=1e-12,
        beta=B2,
        momentum=B1,
        precondition_frequency=frequency,
        graft=optax.scale_by_adam(B1, B2),
    )


FREQUENCIES = (1, 10, 100)
METHODS: dict[str, tuple[Make, int]] = {
    "AdamW": (_adamw, 1),
    **{f"SOAP, f = {f}": (_soap, f) for f in FREQUENCIES},
    **{f"Shampoo, f = {f}": (_shampoo, f) for f in FREQUENCIES},
}


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    make: Make,
    size: Size,
    text: jax.Array,
    unseen: jax.Array,
    params: Params,
    rate: jax.Array,
    f: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """The loss on `unseen` sequences after every `every` steps, shape (steps / every,)."""
    window = jnp.arange(size.length + 1)
    rising = max(round(PRECEDING * size.steps), 1)

    def schedule(k: jax.Array) -> jax.Array:
        return rate * jnp.minimum((k + 1) / rising, 1)

    method = make(schedule, f)

    def step(carry: tuple[Params, Any], k: jax.Array) -> tuple[tuple[Params, Any], None]:
        params, state = carry
        places = jax.random.randint(
            jax.random.fold_in(key, k), (size.batch,), 0, len(text) - size.length
        )
        batch = text[places[:, None] + window[None]]
        gradient = jax.grad(loss)(params, batch, size)
        updates, state = method.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    def look(carry: tuple[Params, Any], first: jax.Array) -> tuple[tuple[Params, Any], jax.Array]:
        carry, _ = jax.lax.scan(step, carry, first + jnp.arange(size.every))
        return carry, loss(carry[0], unseen, size)

    firsts = jnp.arange(0, size.steps, size.every)
    return jax.lax.scan(look, (params, method.init(params)), firsts)[1]


def _timed(name: str, size: Size, rate: float, seed: int) -> tuple[Array, float]:
    make, frequency = METHODS[name]
    train, held_out, characters = corpus()
    starts = np.linspace(0, len(held_out) - size.length - 1, 2 * size.batch).astype(np.int32)
    unseen = held_out[starts[:, None] + np.arange(size.length + 1)]
    start_key, data_key = jax.random.split(jax.random.key(seed))
    params = parameters(start_key, size, characters)
    given = (jnp.asarray(train), jnp.asarray(unseen), params)
    numbers = (jnp.float32(rate), jnp.int32(frequency), data_key)
    start = time.perf_counter()
    curve = np.asarray(_run(make, size, *given, *numbers), np.float64)
    return curve, time.perf_counter() - start


def _final(curve: Array) -> float:
    """The mean of the last tenth, infinite if the run diverged."""
    last = float(np.mean(curve[-max(len(curve) // 10, 1) :]))
    return last if np.isfinite(last) else float("inf")


def passage(curve: Array, target: float, every: int) -> float:
    """Steps until a curve is at or below the target, interpolated; infinite if it never is.

    Args:
        curve: the loss after every `every` steps.
        target: the loss to reach.
        every: steps between its points.

    Returns:
        A number of steps.

    Example:
        >>> passage(np.array([4.0, 3.0, 1.0]), 2.0, every=10)
        25.0
    """
    below = np.flatnonzero(curve <= target)
    if below.size == 0:
        return float("inf")
    first = int(below[0])
    if first == 0:
        return float(every)
    share = (curve[first - 1] - target) / (curve[first - 1] - curve[first])
    return float(every * (first + share))


# --- Table ---


def measure(size: Size = SIZES["medium"]) -> str:
    """Tune, run in turns, and compare with AdamW.

    Args:
        size: of the model and of the runs.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    with jax.enable_x64(False):
        tuned: dict[Make, float] = {}
        # the first runs also compile
        for name in progress(("AdamW", "SOAP, f = 10", "Shampoo, f = 10"), "tuning"):
            finals = [_final(_timed(name, size, rate, 1000)[0]) for rate in size.rates]
            tuned[METHODS[name][0]] = size.rates[int(np.argmin(finals))]
        best = {name: tuned[make] for name, (make, _) in METHODS.items()}
        curves: dict[str, list[Array]] = {name: [] for name in METHODS}
        seconds: dict[str, list[float]] = {name: [] for name in METHODS}
        for seed in progress(range(size.seeds), "seed"):
            for name in METHODS:
                curve, time_taken = _timed(name, size, best[name], seed)
                curves[name].append(curve)
                seconds[name].append(time_taken)
        count = sum(x.size for x in parameters(jax.random.key(0), size, corpus()[2]).values())
    targets = [_final(curve) for curve in curves["AdamW"]]
    header = ("method", "rate", "final loss", "iterations", "time of a step", "wall clock")
    text = table(header, _rows(size, best, curves, seconds, targets))
    return (
        f"{where}\n\n{text}\n\n"
        f"A transformer of {count:,} parameters (width {size.width}, {size.layers} layers, "
        f"{size.length} characters) on {len(corpus()[0]):,} characters of `pydoc_data.topics`; "
        f"batches of {size.batch * size.length:,} characters, {size.steps} steps, float32, no "
        f"decay, the rate of {len(size.rates)} with the least final loss on a seed of its own, "
        "SOAP's and Shampoo's at f = 10. "
        "Final loss: nats a character on held-out text, the last tenth of a run. Iterations and "
        "wall clock: to AdamW's final loss of the same seed, over AdamW's own whole run; time of a "
        f"step: over AdamW's, within a seed. Means over {size.seeds} seeds with 95% intervals "
        'that resample the seeds; ">" where some runs did not get there and count with their '
        "whole length. Shampoo has Adam's length of step in every leaf (grafting) and power 1/4. "
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
            _interval(np.array([_final(c) for c in curves[name]]), "{:.3f}"),
            missed + _interval(share, "{:.2f}"),
            _interval(cost, "{:.2f}"),
            missed + _interval(share * cost, "{:.2f}"),
        )


def _interval(values: Array, shape: str) -> str:
    """The mean with its bootstrap interval."""
    weights = np.random.default_rng(0).multinomial(
        len(values), np.full(len(values), 1 / len(values)), size=2000
    )
    means = weights @ values / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{shape.format(values.mean())} [{shape.format(low)}, {shape.format(high)}]"


if __name__ == "__main__":
    print(measure(SIZES[sys.argv[1] if len(sys.argv) > 1 else "medium"]))
