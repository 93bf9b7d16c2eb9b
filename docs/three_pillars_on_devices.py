"""Three Pillars with one worker a device: devices, mesh, placement, step, loop.

On a machine with one processor, four devices are made of it:

    XLA_FLAGS=--xla_force_host_platform_device_count=4 python docs/three_pillars_on_devices.py

The problem is a saddle point, min over x and max over y of the mean over i of

    |x|^2 / 2 + x' B_i y - |y|^2 / 2 + a_i' x,

where B_i and a_i are the data of worker i, similar to those of the others.
"""

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import optzoo

HALF = 8  # dimension of x, and of y
WIDTH = 0.1  # how far the B_i are from their mean, in every entry


def operator(data, z):
    """F_i(z), the gradient in x and minus the gradient in y, from the data of worker i."""
    coupling, offset = data
    x, y = z["x"], z["y"]
    return {"x": x + coupling @ y + offset, "y": y - coupling.T @ x}


def main():
    # One worker a device.
    n = jax.device_count()
    mesh = Mesh(jax.devices(), ("workers",))
    on_its_worker, everywhere = NamedSharding(mesh, P("workers")), NamedSharding(mesh, P())

    # Data with one row a worker: row i goes to device i. Parameters go to all of them.
    of_mean, of_differences, of_offsets = jax.random.split(jax.random.key(0), 3)
    mean = jax.random.normal(of_mean, (HALF, HALF))
    couplings = mean + WIDTH * jax.random.normal(of_differences, (n, HALF, HALF))
    data = (couplings, jax.random.normal(of_offsets, (n, HALF)))
    data = jax.device_put(data, on_its_worker)
    z = jax.device_put({"x": jnp.zeros(HALF), "y": jnp.zeros(HALF)}, everywhere)

    # The constants, and the numbers that the theorem prescribes for them.
    norms = jnp.linalg.norm(couplings, 2, axis=(1, 2))
    differences = jnp.linalg.norm(couplings - couplings.mean(axis=0), 2, axis=(1, 2))
    plan = optzoo.three_pillars_parameters(
        strong_monotonicity=1.0,
        similarity=max(float(differences.max()), 1e-3),
        lipschitz=float(jnp.sqrt(1 + norms.max() ** 2)),
        num_workers=n,
        server_monotonicity=1.0,
    )
    method = optzoo.three_pillars(
        plan.gamma,
        plan.local_step,
        plan.local_steps,
        momentum=plan.momentum,
        refresh_probability=plan.refresh_probability,
        compressor=optzoo.compressors.PermK(n),
        axis_name="workers",
        key=jax.random.key(1),
    )

    # What one worker does; inside `shard_map` it has its own row of the data, in shape (1, ...).
    def step(z, state, rows):
        own = jax.tree.map(lambda row: row[0], rows)
        updates, state = method.update(
            operator(own, z), state, z, operator_fn=lambda u: operator(own, u)
        )
        return optax.apply_updates(z, updates), state

    z_spec, state_spec = optzoo.three_pillars_specs(z, "workers")
    init = jax.shard_map(method.init, mesh=mesh, in_specs=(z_spec,), out_specs=state_spec)
    on_all = jax.shard_map(
        step, mesh=mesh, in_specs=(z_spec, state_spec, P("workers")), out_specs=(z_spec, state_spec)
    )
    state, on_all = jax.jit(init)(z), jax.jit(on_all, donate_argnums=(0, 1))

    def residual(z):
        """|F(z)|, for the mean F of all operators."""
        mean = jax.tree.map(lambda rows: rows.mean(axis=0), data)
        return float(optax.tree.norm(operator(mean, z)))

    start, steps = residual(z), 40 * n
    for _ in range(steps):
        # Wait for every step. JAX would start the next ones meanwhile; on CPUs the devices share
        # the cores, a device may then fall behind the others' collectives by many steps, and XLA
        # ends the program when a collective has waited for 40 seconds.
        z, state = jax.block_until_ready(on_all(z, state, data))

    sent = optzoo.numbers_sent(state, z, optzoo.compressors.PermK(n))
    print(f"{n} workers, {steps} steps: |F(z)| from {start:.3g} to {residual(z):.3g}")
    print(
        f"numbers a worker sent: {sent.uplink_message:g} in messages, {sent.uplink_refresh:g} full"
    )


if __name__ == "__main__":
    main()
