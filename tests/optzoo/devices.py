"""Methods under an axis of workers on four devices, and what their compiled programs send."""

import functools
import math
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import optzoo

from .workers import AXIS


class Run(NamedTuple):
    z: Any
    state: Any
    program: str  # the compiled step


def four_devices():
    return jax.make_mesh((4,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:4])


def steps_on_devices(method, problem, z, steps, *, everywhere):
    """The problem has four workers."""
    mesh = four_devices()
    specs = PartitionSpec(), optzoo.worker_specs(method, z, AXIS)
    data = jax.device_put(problem.data, NamedSharding(mesh, PartitionSpec(AXIS)))
    server = jax.tree.map(lambda rows: rows[0], problem.data)

    def step(z, state, rows):
        row = jax.tree.map(lambda leaf: leaf[0], rows)
        extras = {"server_operator_fn": lambda u: problem.of(server, u)} if everywhere else {}
        updates, state = method.update(
            problem.of(row, z), state, z, operator_fn=lambda u: problem.of(row, u), **extras
        )
        return optax.apply_updates(z, updates), state

    on_all = functools.partial(jax.shard_map, mesh=mesh)
    state = jax.jit(on_all(method.init, in_specs=specs[:1], out_specs=specs[1]))(z)
    z = jax.device_put(z, NamedSharding(mesh, PartitionSpec()))
    run = jax.jit(on_all(step, in_specs=(*specs, PartitionSpec(AXIS)), out_specs=specs))
    compiled = run.lower(z, state, data).compile()
    for _ in range(steps):
        z, state = compiled(z, state, data)
    return Run(z, state, compiled.as_text())


def require_same(on_devices, by_vmap, dtype):
    """Both have the same numbers, up to round-off of the dtype."""
    tolerance = 100 * float(jnp.finfo(dtype).eps)

    def agree(a, b):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        # What one worker has, vmap keeps one axis deeper.
        np.testing.assert_allclose(a, np.reshape(b, a.shape), rtol=tolerance, atol=tolerance)

    jax.tree.map(agree, on_devices, by_vmap)


WIDTHS = {"f64": 8, "f32": 4, "u16": 2, "s8": 1, "s32": 4}


def operands(program):
    """Of every operand of a collective: its scope, its width and its size."""
    defined = r"(%[\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*?)\)(?:, |$)(.*)"
    lines = [match.groups() for match in re.finditer(defined, program, flags=re.MULTILINE)]
    shapes = {name: shape for name, shape, *_ in lines}
    for _, _, operation, names, attributes in lines:
        if re.match(r"all-|collective-|reduce-scatter|send|recv", operation):
            (scope,) = re.findall(r'op_name="([^"]*)"', attributes)
            names = names.split(", ")
            # XLA may make one of several collectives, and lists their scopes.
            together = re.search(r"/\(([^()]*)\)$", scope)
            scopes = together[1].split(":") if together else [scope] * len(names)
            for scope, name in zip(scopes, names, strict=True):
                kind, sizes = re.match(r"(\w+)\[([\d,]*)\]", shapes[name]).groups()
                size = math.prod(int(length) for length in sizes.split(",") if length)
                yield scope, WIDTHS[kind], size


def per_scope(program, of_operand, *, every_step=False):
    """The collectives' operands, summed in each of the three scopes.

    Args:
        program: the compiled step.
        of_operand: (width, size) -> what is summed.
        every_step: whether whole vectors are sent in every step, not in a branch.
    """
    sums = dict.fromkeys(optzoo.Sent._fields, 0)
    for scope, width, size in operands(program):
        (name,) = set(sums) & set(scope.split("/"))
        if name == "uplink_refresh":
            in_a_branch = re.search(r"cond/branch_\d_fun/uplink_refresh", scope)
            assert (in_a_branch is None) is every_step
        sums[name] += of_operand(width, size)
    return optzoo.Sent(**sums)
