"""The methods beside Three Pillars on four devices: the same iterates, and what is sent."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo

from .devices import per_scope, require_same, steps_on_devices
from .distributed import ARGUMENTS, HAVE_A_SERVER, compressor_of, method
from .workers import flat, on_workers, unequal_operators

STEPS = 12
PROBLEM = unequal_operators(4, 10)

CASES = [
    *((name, False, jnp.float64) for name in ARGUMENTS),
    *((name, True, jnp.float64) for name in HAVE_A_SERVER),
    ("masha2", False, jnp.bfloat16),
    ("svogs", False, jnp.bfloat16),
]


def start(dtype):
    return {"x": jnp.full((2, 3), 0.5, dtype), "y": jnp.ones(4, dtype)}


@functools.cache
def on_devices(name, everywhere, dtype):
    return steps_on_devices(method(name), PROBLEM, start(dtype), STEPS, everywhere=everywhere)


cases = pytest.mark.parametrize(
    ("name", "everywhere", "dtype"),
    CASES,
    ids=[
        f"{name}-{jnp.dtype(dtype)}{'-on_all' if everywhere else ''}"
        for name, everywhere, dtype in CASES
    ],
)


@cases
def test_the_state_counts_what_the_compiled_program_sends(name, everywhere, dtype):
    z, state, program = on_devices(name, everywhere, dtype)
    compressor, sent = compressor_of(name), state.sent
    every_step = compressor is None
    assert int(state.steps) == STEPS
    for stated, of_operand in (
        (optzoo.numbers_sent(state, z, compressor), lambda width, size: size),
        (optzoo.bytes_sent(state, z, compressor), lambda width, size: width * size),
    ):
        compiled = per_scope(program, of_operand, every_step=every_step)
        assert (compiled.uplink_message > 0) is not every_step
        assert (compiled.downlink > 0) is (name in HAVE_A_SERVER and not everywhere)
        # Of n clients b send, in the mean over the workers; the others' zeros are in the program.
        share = 2 / 4 if name == "svogs" else 1
        assert stated.uplink_message == STEPS * share * compiled.uplink_message
        if every_step:
            assert stated.uplink_refresh == STEPS * compiled.uplink_refresh
        else:
            assert 1 < int(sent.vectors) < STEPS
            assert stated.uplink_refresh == int(sent.vectors) * compiled.uplink_refresh
        assert stated.downlink == STEPS * compiled.downlink


@cases
def test_devices_and_vmap_have_the_same_iterates(name, everywhere, dtype):
    z, state, _ = on_devices(name, everywhere, dtype)
    mapped = start(dtype)
    run, mapped_state = on_workers(method(name), PROBLEM, mapped, everywhere=everywhere)
    run = jax.jit(run)
    for _ in range(STEPS):
        mapped, mapped_state = run(mapped, mapped_state)
    assert np.linalg.norm(flat(z).astype(float) - flat(start(dtype)).astype(float)) > 0.5
    wide = jnp.float32 if jnp.finfo(dtype).bits == 16 else dtype
    if wide == dtype:
        require_same((z, state), (mapped, mapped_state), dtype)
    else:  # what is rounded to 16 bits may fall to either side
        require_same(state._replace(remainder=None), mapped_state._replace(remainder=None), wide)
        sums = [
            jax.tree.map(lambda p, r: p.astype(jnp.float32) + r, p, s.remainder)
            for p, s in ((z, state), (mapped, mapped_state))
        ]
        require_same(*sums, wide)
