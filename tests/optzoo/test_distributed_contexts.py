"""The methods for distributed variational inequalities in 16 bits, in chains, in every dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

import optzoo
from optzoo.compressors import Identity, SampledClients

from .distributed import ARGUMENTS, compressor_of, method
from .workers import AXIS, flat, on_workers, unequal_operators

every_method = pytest.mark.parametrize("name", ARGUMENTS)

# With the same operator everywhere, constant: the iterate moves by 2^-10 a step.
SHORT = {
    "gamma": 2.0**-10,
    "theta": 2.0**-10,
    "eta": None,
    "alpha": 0.0,
    "local_step": 2.0**-12,
    "local_steps": 20,
    "momentum": 0.0,
    "compressor": Identity(2),
    "clients": SampledClients(2, 2),
}


@every_method
def test_the_parameters_of_16_bit_take_steps_below_their_precision(name):
    """From 1, where bfloat16 numbers are 2^-7 apart, in one compiled loop."""
    changes = {key: value for key, value in SHORT.items() if key in ARGUMENTS[name]}
    if name == "local_extragradient":
        changes["gamma"] /= changes["local_steps"]
    one = method(name, **changes)
    slope = jnp.full(3, -1.0, jnp.bfloat16)

    def operator(u):
        assert u.dtype == jnp.bfloat16
        return slope

    def step(z, state, _):
        updates, state = one.update(
            slope, state, z, operator_fn=operator, server_operator_fn=operator
        )
        return optax.apply_updates(z, updates), state

    mapped = jax.vmap(step, (None, None, 0), None, axis_name=AXIS)
    z = jnp.ones(3, jnp.bfloat16)
    before = one.init(z)
    z, state = jax.jit(
        lambda *carry: jax.lax.fori_loop(0, 64, lambda _, c: mapped(*c, jnp.zeros(2)), carry)
    )(z, before)
    assert z.dtype == jnp.bfloat16
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(state), strict=True):
        assert old.dtype == new.dtype != jnp.bfloat16
    iterate = z.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(iterate, 1 + 64 * 2.0**-10, rtol=2e-3)
    np.testing.assert_allclose(z.astype(jnp.float32), iterate, rtol=2.0**-8)


def specs_by_place(specs):
    return {jax.tree_util.keystr(p): s for p, s in jax.tree_util.tree_leaves_with_path(specs)}


PER_WORKER = {
    "masha1": (".reference.operator",),
    "masha2": (".error", ".reference.operator"),
    "optimistic_masha": (".previous_operator", ".reference.operator"),
    "svogs": (".previous_difference", ".reference.operator"),
}


@every_method
def test_what_a_worker_alone_knows_has_its_rows_alone_and_in_a_wrapper(name):
    z = {"x": jnp.ones((2, 3)), "y": jnp.ones(2, jnp.bfloat16)}
    one = method(name)
    alone = specs_by_place(optzoo.worker_specs(one, z, AXIS))
    rows = {f"{field}['{leaf}']" for field in PER_WORKER.get(name, ()) for leaf in ("x", "y")}
    assert {place for place, spec in alone.items() if spec == PartitionSpec(AXIS)} == rows
    assert {alone[place] for place in set(alone) - rows} == {PartitionSpec()}
    shapes = jax.eval_shape(one.init, z)
    assert set(alone) == set(specs_by_place(shapes))
    assert all(
        leaf.shape[0] == 1 for place, leaf in specs_by_place(shapes).items() if place in rows
    )
    injected = optax.inject_hyperparams(getattr(optzoo, name))(axis_name=AXIS, **ARGUMENTS[name])
    chain = optax.chain(optax.identity(), injected)
    inside = specs_by_place(optzoo.worker_specs(chain, z, AXIS))
    found = {place for place, spec in inside.items() if spec == PartitionSpec(AXIS)}
    assert {place.removeprefix("[1].inner_state") for place in found} == rows


@every_method
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64])
def test_a_step_keeps_the_layout_of_the_state_and_the_dtype(name, dtype):
    z, problem = {"x": jnp.ones((2, 2), dtype), "y": jnp.ones(3, dtype)}, unequal_operators(4, 7)
    wide = jnp.promote_types(dtype, jnp.float32)
    for wrapped in (method(name), optax.chain(method(name), optax.scale(0.5))):
        run, state = on_workers(wrapped, problem, z, everywhere=False)
        with jax.numpy_dtype_promotion("strict"):
            after = jax.eval_shape(run, z, state)
        before = jax.eval_shape(lambda *carry: carry, z, state)
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), before) == jax.tree.map(
            lambda leaf: (leaf.shape, leaf.dtype), after
        )
        floats = {
            leaf.dtype
            for leaf in jax.tree.leaves(after[1])
            if jnp.issubdtype(leaf.dtype, jnp.floating)
        }
        assert floats <= {wide}


def test_a_chain_with_injected_numbers_is_the_method_itself():
    """The others on one worker, in the table of `optzoo.conformance`."""
    name = "svogs"
    problem, start = unequal_operators(4, 7), jnp.full(7, 0.3)
    injected = optax.inject_hyperparams(getattr(optzoo, name))(axis_name=AXIS, **ARGUMENTS[name])
    ends, sent = [], []
    for one in (method(name), optax.chain(injected, optax.scale(1.0))):
        z = start
        run, state = on_workers(one, problem, z, everywhere=False)
        run = jax.jit(run)
        for _ in range(6):
            z, state = run(z, state)
        ends.append(flat(z))
        sent.append(optzoo.numbers_sent(state, z, compressor_of(name)))
    np.testing.assert_allclose(*ends, rtol=1e-13)
    assert sent[0] == sent[1]
    assert np.linalg.norm(ends[0] - start) > 0.1
