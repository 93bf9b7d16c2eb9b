"""Three Pillars on several devices: the same iterates, and what the compiled program sends."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec

import optzoo
from optzoo.compressors import Identity, PermK, RandK, SampledClients, StochasticQuantization

from .devices import four_devices, per_scope, require_same, steps_on_devices
from .workers import AXIS, on_workers, unequal_operators

STEPS = 12
PROBLEM = unequal_operators(4, 10)


def start(dtype):
    return {"x": jnp.full((2, 3), 0.5, dtype), "y": jnp.ones(4, dtype)}


def three_pillars(compressor):
    return optzoo.three_pillars(
        0.2,
        0.1,
        3,
        momentum=0.25,
        refresh_probability=0.25,
        compressor=compressor,
        axis_name=AXIS,
        key=jax.random.key(3),
    )


@functools.cache
def on_devices(compressor, everywhere, dtype):
    return steps_on_devices(
        three_pillars(compressor), PROBLEM, start(dtype), STEPS, everywhere=everywhere
    )


CASES = [
    (PermK(4), True, jnp.float64),
    (PermK(4), False, jnp.float64),
    (PermK(4, permute=True), False, jnp.bfloat16),
    (RandK(3, 4), True, jnp.float32),
    (StochasticQuantization(5, 4), True, jnp.float64),
]
NAMES = ["perm_k-on_all", "perm_k-on_the_server", "permute-16_bit", "rand_k", "quantization"]


@pytest.mark.parametrize(("compressor", "everywhere", "dtype"), CASES, ids=NAMES)
def test_the_state_counts_what_the_compiled_program_sends(compressor, everywhere, dtype):
    z, state, program = on_devices(compressor, everywhere, dtype)
    counters = (state.steps, state.refreshes, state.broadcasts)
    assert int(state.steps) == STEPS
    assert 1 < int(state.refreshes) < STEPS
    assert int(state.broadcasts) == (0 if everywhere else STEPS)
    for stated, of_operand in (
        (optzoo.numbers_sent(state, z, compressor), lambda width, size: size),
        (optzoo.bytes_sent(state, z, compressor), lambda width, size: width * size),
    ):
        compiled = per_scope(program, of_operand)
        assert compiled.uplink_message > 0
        assert compiled.uplink_refresh > 0
        assert (compiled.downlink > 0) is not everywhere
        sent = [size * int(count) for size, count in zip(compiled, counters, strict=True)]
        assert list(stated) == sent


def test_perm_k_sends_one_nth_of_a_vector_and_a_vector_on_a_refresh():
    z, state, _ = on_devices(PermK(4), True, jnp.float64)
    padded = 12 / 10  # of 10 numbers on 4 workers
    sent = optzoo.numbers_sent(state, z, PermK(4))
    vectors = (sent.uplink_message + sent.uplink_refresh) / (10 * STEPS)
    assert vectors == padded / 4 + int(state.refreshes) / STEPS


def test_sampled_clients_are_counted_and_the_others_add_zeros():
    clients = SampledClients(1, 4)
    z, state, program = on_devices(clients, True, jnp.float64)
    assert per_scope(program, lambda width, size: size).uplink_message == 10
    assert optzoo.numbers_sent(state, z, clients).uplink_message == 10 / 4 * STEPS


@pytest.mark.parametrize(
    ("compressor", "everywhere", "dtype"),
    [CASES[0], CASES[1], CASES[3]],
    ids=[NAMES[0], NAMES[1], NAMES[3]],
)
def test_devices_and_vmap_have_the_same_iterates(compressor, everywhere, dtype):
    z, state, _ = on_devices(compressor, everywhere, dtype)
    mapped = start(dtype)
    run, mapped_state = on_workers(
        three_pillars(compressor), PROBLEM, mapped, everywhere=everywhere
    )
    run = jax.jit(run)
    for _ in range(STEPS):
        mapped, mapped_state = run(mapped, mapped_state)
    assert jnp.linalg.norm(ravel_pytree(z)[0] - ravel_pytree(start(dtype))[0]) > 0.5
    require_same((z, state), (mapped, mapped_state), dtype)


def test_a_server_operator_that_differs_between_devices_is_refused():
    method, z = three_pillars(Identity(4)), jnp.ones(10)

    def step(rows):
        operator = functools.partial(PROBLEM.of, jax.tree.map(lambda leaf: leaf[0], rows))
        return method.update(
            operator(z), method.init(z), z, operator_fn=operator, server_operator_fn=operator
        )[0]

    mesh = four_devices()
    on_all = jax.shard_map(step, mesh=mesh, in_specs=PartitionSpec(AXIS), out_specs=PartitionSpec())
    with pytest.raises(ValueError, match=r"server_operator_fn must be the same.*differs"):
        jax.eval_shape(on_all, PROBLEM.data)


def test_what_was_sent_is_read_from_a_chain_and_under_jit():
    method, z = optax.chain(three_pillars(PermK(4)), optax.scale(0.5)), jnp.ones(10)
    state = method.init(z)
    state = (state[0]._replace(steps=jnp.int32(7), refreshes=jnp.int32(3)), state[1])
    assert optzoo.numbers_sent(state, z, PermK(4)) == (21.0, 30.0, 0.0)
    assert jax.jit(lambda s: optzoo.bytes_sent(s, z, PermK(4)))(state) == (168.0, 240.0, 0.0)
    with pytest.raises(ValueError, match=r"exactly one state of a method.*holds 0"):
        optzoo.numbers_sent(state[1], z, PermK(4))
    with pytest.raises(ValueError, match=r"exactly one state of a method.*holds 2"):
        optzoo.bytes_sent((state, state), z, PermK(4))
    with pytest.raises(TypeError, match=r"compressor must be one of optzoo.compressors"):
        optzoo.numbers_sent(state, z, 4)


def test_the_script_runs_on_four_devices():
    done = subprocess.run(
        [sys.executable, Path(__file__).parents[2] / "docs" / "three_pillars_on_devices.py"],
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    residual, sent = done.stdout.splitlines()
    found = re.fullmatch(r"4 workers, 160 steps: \|F\(z\)\| from (\S+) to (\S+)", residual)
    assert float(found[2]) < 1e-4 * float(found[1])
    # A message has a quarter of the 16 numbers; a refresh has them all.
    messages, full = re.search(r"(\d+) in messages, (\d+) full$", sent).groups()
    assert int(messages) == 160 * 4
    assert 160 * 4 / 2 < int(full) < 160 * 4 * 2
