"""An iteration of each Frank-Wolfe method beside its gradients and its oracle alone.

Logistic loss over the l1 ball at the size of a9a, in a compiled loop; the file itself from the
folder that OPTZOO_DATA names, without it random features of 0 and 1 of that size. Alone means: the
same gradients at the same batches, the oracle of the estimate and x + eta (s - x), with neither
checks, retraction, coins nor tables.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike

import optzoo
from optzoo.problems import LogisticRegression, libsvm

from .report import machine, table
from .timing import interleaved

__all__ = ["measure"]

RADIUS = 10.0
STEPS, REPEATS = 1000, 9
FULL_STEPS = 20  # of the method that takes every gradient in full
Loop = Callable[[jax.Array, Any], Any]  # x_0, batches -> x_k and whatever else


def measure(samples: int = 32_561, dimension: int = 123, steps: int = STEPS) -> str:
    """Time compiled loops of both kinds in turns, in both precisions.

    Args:
        samples: n of the random problem; OPTZOO_DATA brings its own.
        dimension: d, likewise.
        steps: iterations of a loop.

    Returns:
        A Markdown table, with what it was measured on.
    """
    features, labels = _data(samples, dimension)
    n, b = len(labels), round(len(labels) ** 0.5)
    drawn = jnp.asarray(np.random.default_rng(1).integers(0, n, (steps, b)), jnp.int32)
    body = []
    for dtype in (jnp.float32, jnp.float64):
        problem = LogisticRegression(jnp.asarray(features, dtype), jnp.asarray(labels, dtype))
        for name, (method, alone, batches) in _loops(problem, dtype, drawn).items():
            x = jnp.zeros(features.shape[1], dtype)
            tasks = {
                "method": partial(jax.jit(method), x, batches),
                "alone": partial(jax.jit(alone), x, batches),
            }
            timings = interleaved(tasks, repeats=REPEATS)
            micros = 1e6 / len(batches)
            body.append(
                (
                    f"`{name}`",
                    jnp.dtype(dtype).name,
                    *(str(timings.spread(task).times(micros)) for task in tasks),
                    str(timings.ratio("method", "alone")),
                )
            )
    header = ("method", "dtype", "µs an iteration", "µs alone", "iteration / alone")
    return (
        f"{machine(('jax', 'optax'))}\n\n{table(header, body)}\n\n"
        f"{n:,} x {features.shape[1]}, b = {b}, {steps} iterations a loop ({FULL_STEPS} of "
        f"`frank_wolfe`, whose gradients are full ones), medians [min, max] of {REPEATS} "
        "interleaved rounds, ratios within a round. Batches are drawn beforehand; restarts are "
        "those of the coins, on both sides as many."
    )


def _data(n: int, d: int) -> tuple[Any, Any]:
    if os.environ.get("OPTZOO_DATA"):
        return libsvm("a9a", scale=False)
    rng = np.random.default_rng(0)
    return (rng.random((n, d)) < 0.11).astype(float), rng.choice([-1.0, 1.0], n)


def _loops(
    problem: LogisticRegression, dtype: DTypeLike, drawn: jax.Array
) -> dict[str, tuple[Loop, Loop, jax.Array]]:
    """Name -> the method, its work alone, and the batches of either."""
    n, b = problem.features.shape[0], drawn.shape[1]
    ball, schedule = optzoo.lmo.l1_ball(RADIUS), optzoo.open_loop_schedule()
    key = jax.random.key(1)
    frank_wolfe = optzoo.frank_wolfe(ball, schedule)
    sarah = optzoo.sarah_frank_wolfe(ball, schedule, b / (n + b), key=key)
    saga = optzoo.saga_sarah_frank_wolfe(ball, schedule, n, table="linear")

    def rows(indices: jax.Array) -> LogisticRegression:
        return LogisticRegression(
            jnp.asarray(problem.features)[indices], jnp.asarray(problem.labels)[indices]
        )

    def scalars(batch: LogisticRegression) -> Callable[[jax.Array], jax.Array]:
        def slopes(x: jax.Array) -> jax.Array:
            margins = batch.labels * (batch.features @ x)
            return -batch.labels * jax.nn.sigmoid(-margins)

        return slopes

    def run(method: optax.GradientTransformationExtraArgs, update: Callable[..., Any]) -> Loop:
        def step(carry: Any, indices: jax.Array) -> tuple[Any, None]:
            x, state = carry
            updates, state = update(x, state, indices)
            return (optax.apply_updates(x, updates), state), None

        return lambda x, batches: jax.lax.scan(step, (x, method.init(x)), batches)[0]

    def moved(x: jax.Array, k: jax.Array, estimate: jax.Array) -> jax.Array:
        return x + jnp.asarray(schedule(k), dtype) * (ball.lmo(estimate) - x)

    def full_step(x: jax.Array, state: Any, _: jax.Array) -> Any:
        return frank_wolfe.update(problem.gradient(x), state, x)

    def full_alone(x: jax.Array, batches: jax.Array) -> Any:
        def step(carry: Any, _: jax.Array) -> tuple[Any, None]:
            x, k = carry
            return (moved(x, k, problem.gradient(x)), k + 1), None

        return jax.lax.scan(step, (x, 0), batches)[0]

    def sarah_step(x: jax.Array, state: Any, indices: jax.Array) -> Any:
        batch = rows(indices)
        return sarah.update(
            batch.gradient(x),
            state,
            x,
            grad_fn=batch.gradient,
            full_grad_fn=problem.gradient,
        )

    sarah_loop = run(sarah, sarah_step)
    restarts = int(jax.jit(sarah_loop)(jnp.zeros(problem.dim, dtype), drawn)[1].restarts)
    every = -(-len(drawn) // restarts)

    def sarah_alone(x: jax.Array, batches: jax.Array) -> Any:
        def step(carry: Any, indices: jax.Array) -> tuple[Any, None]:
            x, previous, g, k = carry
            batch = rows(indices)
            here = batch.gradient(x)
            g = jax.lax.cond(
                k % every == 0,
                lambda: problem.gradient(x),
                lambda: g + (here - batch.gradient(previous)),
            )
            return (moved(x, k, g), x, g, k + 1), None

        return jax.lax.scan(step, (x, x, x, 0), batches)[0]

    def saga_step(x: jax.Array, state: Any, indices: jax.Array) -> Any:
        batch = rows(indices)
        slopes = scalars(batch)
        return saga.update(
            slopes(x) @ batch.features / b,
            state,
            x,
            indices=indices,
            sample_grads_fn=slopes,
            features=batch.features,
        )

    def saga_alone(x: jax.Array, batches: jax.Array) -> Any:
        def step(carry: Any, indices: jax.Array) -> tuple[Any, None]:
            x, previous, g, k = carry
            batch = rows(indices)
            slopes = scalars(batch)
            here, before = slopes(x) @ batch.features, slopes(previous) @ batch.features
            g = g + (here - before) / b
            return (moved(x, k, g), x, g, k + 1), None

        return jax.lax.scan(step, (x, x, x, 0), batches)[0]

    return {
        "frank_wolfe": (run(frank_wolfe, full_step), full_alone, drawn[:FULL_STEPS]),
        "sarah_frank_wolfe": (sarah_loop, sarah_alone, drawn),
        "saga_sarah_frank_wolfe": (run(saga, saga_step), saga_alone, drawn),
    }
