"""Samples a second of 256 replicates: the multilevel stream against a loop over estimates.

The method is randomized gradient descent on a quadratic whose noise is a two-state chain, in
float64. The nested loop calls `mlmc_gradient` once an iteration: under `vmap` each iteration takes
as long as that of the lane with the highest level. In `mlmc_stream` every lane is somewhere in an
estimate of its own. The bare chain is what any way to use its samples costs at least.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo

from .progress import progress
from .report import machine, table
from .timing import Spread, interleaved

__all__ = ["measure", "samples_per_second"]

REPLICATES = 256
BATCH_SIZE = 16
LEVELS = (3, 5, 7)
TICKS = 512  # ticks of BATCH_SIZE samples
REPEATS = 7
DIMENSION = 2

NESTED = "nested loop"
STREAM = "stream, B samples a tick"
SINGLE = "stream, 1 sample a tick"
BARE = "the bare chain"

Run = Callable[[], jax.Array]  # all replicates; the samples each of them has taken


def measure() -> str:
    """Time all ways in turns, for each of three levels.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    header = (
        "levels",
        "way",
        "million samples / s",
        "× the nested loop",
        "share of the bare chain",
    )
    body: list[tuple[object, ...]] = []
    for max_level in progress(LEVELS, "level"):
        body += _rows(max_level, samples_per_second(ways(max_level), repeats=REPEATS))
    note = (
        f"{REPLICATES} replicates under `vmap` on one device, B = {BATCH_SIZE}, d = {DIMENSION}, "
        f"{TICKS * BATCH_SIZE} samples a lane; of the nested loop as many iterations as take that "
        f"many in the mean. Medians [min, max] over {REPEATS} interleaved rounds; ratios are taken "
        "within a round. The nested loop can lose at most 2^m / (m + 2^-m) by waiting."
    )
    return f"{where}\n\n{table(header, body)}\n\n{note}"


def samples_per_second(tasks: Mapping[str, Run], *, repeats: int) -> dict[str, Any]:
    """Of each way, in each round: name -> array of shape (repeats,)."""
    counts = {name: float(run().sum()) for name, run in tasks.items()}
    timings = interleaved(tasks, repeats=repeats)
    return {name: counts[name] / timings.seconds[name] for name in tasks}


def ways(max_level: int, *, replicates: int = REPLICATES, ticks: int = TICKS) -> dict[str, Run]:
    """Name -> all replicates of one way to run the method, compiled on the first call."""
    lanes = {
        NESTED: _nested(max_level, ticks),
        STREAM: _stream(max_level, ticks, BATCH_SIZE),
        SINGLE: _stream(max_level, ticks * BATCH_SIZE, 1),
        BARE: _bare(ticks * BATCH_SIZE),
    }
    keys = jax.random.split(jax.random.key(0), replicates)

    def way(lane: Callable[[jax.Array], tuple[jax.Array, jax.Array]]) -> Run:
        together = jax.jit(jax.vmap(lane))
        return lambda: together(keys)[1]

    return {name: way(lane) for name, lane in lanes.items()}


def _rows(max_level: int, rates: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            f"m = {max_level}",
            name,
            str(Spread.of(rate / 1e6)),
            str(Spread.of(rate / rates[NESTED])),
            str(Spread.of(rate / rates[BARE])),
        )
        for name, rate in rates.items()
    ]


# --- the method ---------------------------------------------------------------------------------


def _switch(key: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """+-1 with a mixing time of 14."""
    z = jnp.where(jax.random.uniform(key) < 0.05, -z, z)
    return z, z


def _gradient(x: jax.Array, z: jax.Array) -> jax.Array:
    return jnp.linspace(0.1, 1.0, DIMENSION) * x + z


def _start() -> tuple[jax.Array, jax.Array]:
    return jnp.ones(DIMENSION), jnp.ones([])


def _nested(max_level: int, ticks: int) -> Any:
    estimate = optzoo.mlmc_gradient(_gradient, _switch, batch_size=BATCH_SIZE, max_level=max_level)
    method = optzoo.randomized_gd(0.02)
    iterations = round(ticks / (max_level + 2.0**-max_level))

    def lane(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry: Any, k: jax.Array) -> tuple[Any, None]:
            x, state, z, samples = carry
            gradient, z, info = estimate(jax.random.fold_in(key, k), x, z)
            updates, state = method.update(gradient, state, x)
            return (optax.apply_updates(x, updates), state, z, samples + info.samples), None

        x, z = _start()
        carry = (x, method.init(x), z, jnp.int32(0))
        x, _, _, samples = jax.lax.scan(step, carry, jnp.arange(iterations))[0]
        return x, samples

    return lane


def _stream(max_level: int, ticks: int, samples_per_tick: int) -> Any:
    stream = optzoo.mlmc_stream(
        _gradient,
        _switch,
        batch_size=BATCH_SIZE,
        max_level=max_level,
        samples_per_tick=samples_per_tick,
    )
    method = optax.conditionally_mask(
        optzoo.randomized_gd(0.02), lambda step, *, ready: ready, forward_extra_args=True
    )

    def lane(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def tick(carry: Any, t: jax.Array) -> tuple[Any, None]:
            x, state, z, partial = carry
            gradient, ready, z, partial, _ = stream.tick(jax.random.fold_in(key, t), x, z, partial)
            updates, state = method.update(gradient, state, x, ready=ready)
            return (optax.apply_updates(x, updates), state, z, partial), None

        x, z = _start()
        carry = (x, method.init(x), z, stream.init(x, jax.random.fold_in(key, ticks)))
        x = jax.lax.scan(tick, carry, jnp.arange(ticks))[0][0]
        return x, jnp.int32(ticks * samples_per_tick)

    return lane


def _bare(samples: int) -> Any:
    def lane(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry: Any, t: jax.Array) -> tuple[Any, None]:
            z, total = carry
            z, _ = _switch(jax.random.fold_in(key, t), z)
            return (z, total + z), None

        z = jnp.ones([])
        total = jax.lax.scan(step, (z, jnp.zeros([])), jnp.arange(samples))[0][1]
        return total, jnp.int32(samples)

    return lane
