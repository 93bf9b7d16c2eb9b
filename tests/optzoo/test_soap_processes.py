"""SOAP in two processes: the numbers of one. Each process runs this file as a program."""

import os
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.local_processes import end_with_launcher, free_port, run_together
from optzoo.soap import soap, soap_shardings

METHOD = soap(0.01, precondition_frequency=2)


def given():
    """Square matrices: a vector of a basis that no gradient ever touched may be any."""
    rng = np.random.default_rng(0)
    return [{"w": rng.standard_normal((4, 4)), "odd": rng.standard_normal(3)} for _ in range(6)]


def trajectory(start, gradients):
    @jax.jit
    def step(params, state, g):
        updates, state = METHOD.update(g, state, params)
        return optax.apply_updates(params, updates), state

    params, state = start, METHOD.init(start)
    for g in gradients:
        params, state = step(params, state, g)
    return params, state


def test_two_processes_take_the_steps_of_one(tmp_path):
    port, result = free_port(), tmp_path / "params.npz"
    commands = [[sys.executable, __file__, str(port), str(i), str(result)] for i in range(2)]
    flags = re.sub(r"--xla_force_host_platform_device_count=\d+", "", os.environ["XLA_FLAGS"])
    root = str(Path(__file__).parents[2])  # for `benchmarks`
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": root}
    run_together(commands, environment=environment, seconds=120)
    start, *gradients = jax.tree.map(jnp.asarray, given())
    expected, _ = trajectory(start, gradients)
    assert np.abs(expected["w"] - start["w"]).max() > 0.01
    found = np.load(result)
    for name, leaf in expected.items():
        np.testing.assert_allclose(found[name], leaf, rtol=0, atol=1e-10)


def in_process(port, process, result):
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", 2, process, initialization_timeout=60)
    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Auto,))
    shardings = {
        "w": NamedSharding(mesh, PartitionSpec("x")),
        "odd": NamedSharding(mesh, PartitionSpec()),
    }
    start, *gradients = [jax.device_put(tree, shardings) for tree in given()]
    params, state = trajectory(start, gradients)
    where = jax.tree.leaves(soap_shardings(start))
    for x, wanted in zip(jax.tree.leaves(state), where, strict=True):
        assert x.sharding.is_equivalent_to(wanted, x.ndim)
    whole = multihost_utils.process_allgather(params, tiled=True)
    if process == 0:
        np.savez(result, **whole)
    jax.distributed.shutdown()


if __name__ == "__main__":
    end_with_launcher()
    in_process(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
