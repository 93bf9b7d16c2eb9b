"""Saga Sarah Frank-Wolfe's tables: one scalar or one gradient a sample, and what a step costs.

The linear table is measured at growing n up to 10^6, which shows that no work of a step grows with
n, and the table of rows beside it up to the largest n whose table fits 4 GiB. The loss is logistic
in d = 100, float32, over the l1 ball; the state is donated, so that the tables change in place.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo

from .report import machine, table
from .timing import interleaved

__all__ = ["measure"]

DIMENSION, BATCH = 100, 64
FEATURES = 1_000_000  # distinct samples; larger n take them again, the tables do not
LIMIT = 4 * 2**30
STEPS, REPEATS = 300, 9


def measure(sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000), limit: int = LIMIT) -> str:
    """Time a step with either table, in turns, and read the compiler's account of its memory.

    Args:
        sizes: n of both tables, increasing.
        limit: bytes that the largest table of rows may take.

    Returns:
        A Markdown table, with what it was measured on.
    """
    largest = limit // (4 * DIMENSION)
    features = jax.random.normal(
        jax.random.key(0), (min(FEATURES, max(sizes)), DIMENSION), jnp.float32
    )
    features = features / jnp.linalg.norm(features, axis=1, keepdims=True)
    ways = [(kind, n) for n in sizes for kind in ("linear", "rows")] + [("rows", largest)]
    body, baseline = [], f"linear {sizes[0]}"
    tasks: dict[str, Callable[[], object]] = {}
    sizes_of: dict[str, tuple[int, int]] = {}
    for kind, n in ways:
        # The largest table alone fills the memory that it may take: it is measured by itself.
        if n != largest:
            tasks[f"{kind} {n}"], sizes_of[f"{kind} {n}"] = _steps(kind, n, features)
    timings = interleaved(tasks, repeats=REPEATS)
    alone, sizes_of[f"rows {largest}"] = _steps("rows", largest, features)
    tasks.clear()
    by_itself = interleaved({f"rows {largest}": alone}, repeats=REPEATS)
    for kind, n in ways:
        name = f"{kind} {n}"
        clock = by_itself if n == largest else timings
        held, temporary = sizes_of[name]
        ratio = "" if n == largest else str(timings.ratio(name, baseline))
        body.append(
            (
                kind,
                f"{n:,}",
                f"{held / 2**20:,.1f}",
                f"{temporary / 2**10:,.1f}",
                str(clock.spread(name).times(1e6 / STEPS)),
                ratio,
            )
        )
    header = (
        *("table", "n", "state (MiB)", "temporaries of a step (KiB)"),
        *("µs a step", f"× linear at n = {sizes[0]:,}"),
    )
    text = table(header, body)
    return (
        f"{machine(('jax', 'optax'))}\n\n{text}\n\n"
        f"d = {DIMENSION}, b = {BATCH}, float32, logistic loss, the state donated; {STEPS} steps a "
        f"measurement, medians [min, max] of {REPEATS} interleaved rounds (the largest table of "
        f"rows, that of {limit / 2**30:.3g} GiB, by itself). The temporaries are the compiler's "
        "own count: what a step allocates beside its arguments."
    )


def _steps(kind: str, n: int, features: jax.Array) -> tuple[Callable[[], object], tuple[int, int]]:
    """A task of STEPS donated steps; bytes of its state, and of the temporaries of a step."""
    method = optzoo.saga_sarah_frank_wolfe(
        optzoo.lmo.l1_ball(10.0), optzoo.open_loop_schedule(), n, table=kind
    )
    linear = kind == "linear"

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(x: jax.Array, state: Any, k: jax.Array, features: jax.Array) -> tuple[jax.Array, Any]:
        batch = jax.random.randint(jax.random.fold_in(jax.random.key(1), k), (BATCH,), 0, n)
        a = features[batch % features.shape[0]]

        def scalars(p: jax.Array) -> jax.Array:
            return jax.nn.sigmoid(a @ p) - (batch % 2).astype(p.dtype)

        def rows(p: jax.Array) -> jax.Array:
            return scalars(p)[:, None] * a

        extra = {"features": a} if linear else {}
        updates, state = method.update(
            scalars(x) @ a / BATCH,
            state,
            x,
            indices=batch,
            sample_grads_fn=scalars if linear else rows,
            **extra,
        )
        return optax.apply_updates(x, updates), state

    x = jnp.zeros(DIMENSION, jnp.float32)
    place = [x, method.init(x)]
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(place[1]))
    compiled = step.lower(*place, jnp.int32(0), features).compile()
    temporary = compiled.memory_analysis().temp_size_in_bytes

    def run() -> object:
        for k in range(STEPS):
            place[:] = compiled(*place, jnp.int32(k), features)
        return place[0]

    return run, (held, temporary)
