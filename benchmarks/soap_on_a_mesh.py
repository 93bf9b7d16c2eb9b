"""SOAP's state, messages and seconds on 1 to 8 devices, beside data-parallel AdamW.

python -m benchmarks.soap_on_a_mesh METHOD LAYOUT DEVICES      # one row, as JSON
"""

import json
import math
import os
import re
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

import optzoo

from .progress import progress
from .report import machine, table

__all__ = ["bytes_sent", "measure"]

FREQUENCY = 10
LAYERS, WIDTH, HIDDEN, BATCH = 4, 256, 1024, 64
DATA, SPLIT = "data parallel", "rows split (FSDP)"
ROWS = (
    *(("AdamW", layout, devices) for layout, devices in ((DATA, 1), (DATA, 8), (SPLIT, 8))),
    *(("SOAP", DATA, devices) for devices in (1, 2, 4, 8)),
    *(("SOAP", SPLIT, devices) for devices in (2, 8)),
)


def measure() -> str:
    """Run every row in a process of its own, which has so many devices.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax"))
    rows = [_in_a_process(*row) for row in progress(ROWS, "row")]
    header = (
        *("method", "parameters", "devices", "state (B/param)", "most on a device"),
        *("sent a call (B/param)", "sent at a refresh", "call (ms)", "refresh (ms)", "start (s)"),
    )
    count = sum(math.prod(shape) for shape in _shapes().values())
    return (
        f"{where}\n\n{table(header, rows)}\n\n"
        f"A network of {count:,} parameters ({LAYERS} pairs of {WIDTH} x {HIDDEN} and "
        f"{HIDDEN} x {WIDTH} matrices), batches of {BATCH} split over the devices, float32, "
        "automatic axes, f = 10. State: of all devices together, over the parameters; most on a "
        "device: the share of the one that holds most. Sent: bytes that one device sends in a "
        "whole training step, from the collectives of the compiled program, rings assumed; at a "
        "refresh besides. Call: the median of those without a refresh; start: from nothing to "
        "the end of the first call. The devices are forced ones that share the machine's cores: "
        "seconds compare rows with the same number of devices, and do not scale. OpenBLAS had one "
        "thread (`OPENBLAS_NUM_THREADS=1`)."
    )


def _shapes() -> dict[str, tuple[int, int]]:
    pairs = [(WIDTH, HIDDEN), (HIDDEN, WIDTH)] * LAYERS
    return {f"w{place:02}": shape for place, shape in enumerate(pairs)}


def _loss(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    h = x
    for place in range(0, len(params), 2):
        h = h + jax.nn.relu(h @ params[f"w{place:02}"]) @ params[f"w{place + 1:02}"]
    return jnp.mean(jnp.square(h - jnp.roll(x, 1, axis=1)))


def _row(name: str, layout: str, devices: int) -> list[str]:
    start = time.perf_counter()
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = PartitionSpec("data") if layout == SPLIT else PartitionSpec()
    rng = np.random.default_rng(0)
    params = {
        k: jax.device_put(
            np.float32(rng.standard_normal(shape) / math.sqrt(shape[0]) / 4),
            NamedSharding(mesh, split),
        )
        for k, shape in _shapes().items()
    }
    batches = np.float32(rng.standard_normal((3 * FREQUENCY + 1, BATCH, WIDTH)))
    method = optax.adamw(1e-3) if name == "AdamW" else optzoo.soap(1e-3)
    state = method.init(params)

    def step(params: Any, state: Any, x: jax.Array) -> Any:
        loss, grads = jax.value_and_grad(_loss)(params, x)
        updates, state = method.update(grads, state, params)
        return optax.apply_updates(params, updates), state, loss

    place = NamedSharding(mesh, PartitionSpec("data"))
    compiled = (
        jax.jit(step, donate_argnums=(0, 1))
        .lower(params, state, jax.device_put(batches[0], place))
        .compile()
    )
    seconds = []
    for call, batch in enumerate(batches):
        x = jax.block_until_ready(jax.device_put(batch, place))
        before = time.perf_counter()
        params, state, loss = jax.block_until_ready(compiled(params, state, x))
        seconds.append(time.perf_counter() - before)
        if call == 0:
            first = time.perf_counter() - start
    if not np.isfinite(float(loss)):
        raise RuntimeError(f"{name} diverged on {devices} devices, {layout}.")

    shards = [shard for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards]
    held = [sum(s.data.nbytes for s in shards if s.device == device) for device in mesh.devices]
    count = sum(x.size for x in params.values())
    sent, sent_at_refresh = bytes_sent(compiled.as_text(), devices)
    refreshes = seconds[FREQUENCY::FREQUENCY]
    between = [s for call, s in enumerate(seconds) if call % FREQUENCY]
    return [
        *(name, layout, str(devices)),
        f"{sum(held) / count:.1f}",
        f"{max(held) / sum(held):.3f}",
        f"{sent / count:.1f}",
        f"{sent_at_refresh / count:.1f}" if name == "SOAP" else "",
        f"{1e3 * float(np.median(between)):.0f}",
        f"{1e3 * float(np.median(refreshes)):.0f}" if name == "SOAP" else "",
        f"{first:.1f}",
    ]


_COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("
)
_SHAPE = re.compile(r"(?:f|s|u|bf)(\d+)\[([\d,]*)\]")


def bytes_sent(program: str, devices: int) -> tuple[float, float]:
    """What a device sends in a compiled program: outside of its branches, and in them.

    Of a message of b bytes, each of S devices sends b (S - 1) / S when parts are gathered, summed
    to parts or exchanged, and twice that when the sum goes to all: what rings of devices send.

    Args:
        program: the optimized HLO.
        devices: S, all of them in every collective.
    """
    outside = inside = 0.0
    in_entry = False
    for line in program.splitlines():
        if line.startswith(("ENTRY", "%")) or line.rstrip().endswith("{"):
            in_entry = line.startswith("ENTRY")
        found = _COLLECTIVE.search(line)
        if found is None:
            continue
        result = sum(
            int(bits) // 8 * math.prod(map(int, filter(None, dims.split(","))))
            for bits, dims in _SHAPE.findall(found[1])
        )
        whole = result * devices if found[2] == "reduce-scatter" else result
        sent = whole * (devices - 1) / devices * (2 if found[2] == "all-reduce" else 1)
        if in_entry:
            outside += sent
        else:
            inside += sent
    return outside, inside


def _in_a_process(name: str, layout: str, devices: int) -> list[str]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, name, layout, str(devices)],
        env={
            **os.environ,
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
            # Else the threads of eight decompositions at once fight, and take ten times as long.
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}, {layout}, {devices} devices failed:\n{done.stderr}")
    row: list[str] = json.loads(done.stdout.splitlines()[-1])
    return row


if __name__ == "__main__":
    method, where, number = sys.argv[1:]
    print(json.dumps(_row(method, where, int(number))))
