"""Three Pillars by several processes, one worker each, which send really small messages.

python -m benchmarks.three_pillars_on_processes --processes 4        # all of them, on this machine
python -m benchmarks.three_pillars_on_processes --processes 4 --process-id I --coordinator HOST:PORT

The second form is one process of a cluster; process 0 runs on HOST. Process i is worker i and makes
the data of that worker alone; process 0 is the server, whose point and change are broadcast. With
`--server-everywhere` every process makes the server's data, too, and nothing is broadcast.

Process 0 prints the relative distance to the solution after every step; at the end each says how
many bytes the kernel saw it write to the others, and how many were foretold from
`optzoo.bytes_sent`. For n processes and S steps with R refreshes and B broadcasts,

    foretold = (n - 1) message + 2 (n - 1) / n (refresh + downlink)
               + 288 (n - 1) S + 576 (n - 1) (R + 2 B)

where message, refresh and downlink are those of `bytes_sent`: a ring passes every message on to all
the others, and adds each vector up and hands the sum around. The second line are gloo's headers,
more by a little where n^-1 of a vector exceeds 2 MiB; `benchmarks/wire.py` derives all of it.

With `--checkpoints DIR`, on a disk that all processes see, the run is saved every few steps, and
the same command continues it, with the same number of processes. If a process dies or never comes
up, every other one ends within `--timeout` seconds and says so.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import optzoo
from optzoo.compressors import PermK

from .rotating_saddle import RotatingSaddle
from .several_processes import Checkpoints, as_processes, parser_of, require_place, say
from .wire import all_gather, all_reduce, sent_at_sockets

AXIS = "workers"

# The options that a run cannot change on the way.
RECORDED = (
    *("processes", "method", "dimension", "dtype", "mu", "delta", "spread", "seed"),
    "local_steps",
)


class Method(NamedTuple):
    """A method under an axis of workers, and what it makes each of n processes write."""

    transformation: optax.GradientTransformationExtraArgs
    specs: Callable[[Any, str], tuple[Any, Any]]  # of parameters and state
    written: Callable[[Any, Any], float]  # state, parameters -> bytes, in the mean over processes


def three_pillars(problem: RotatingSaddle, options: argparse.Namespace) -> Method:
    """With the theorem's numbers, but for the local steps where they are given."""
    n = problem.num_workers
    compressor = PermK(n)
    plan = optzoo.three_pillars_parameters(
        strong_monotonicity=problem.mu,
        similarity=problem.delta,
        lipschitz=problem.lipschitz_of_workers,
        server_monotonicity=problem.mu,
        num_workers=n,
    )
    method = optzoo.three_pillars(
        plan.gamma,
        plan.local_step,
        options.local_steps or plan.local_steps,
        momentum=plan.momentum,
        refresh_probability=plan.refresh_probability,
        compressor=compressor,
        axis_name=AXIS,
        key=jax.random.key(options.seed),
    )

    def written(state: Any, params: Any) -> float:
        sent = optzoo.bytes_sent(state, params, compressor)

        def times(count: Any, cost: Callable[[float, int], float], size: float) -> float:
            return int(count) * cost(size / int(count), n) if int(count) else 0.0

        return (
            times(state.steps, all_gather, sent.uplink_message)
            + times(state.refreshes, all_reduce, sent.uplink_refresh)
            + times(2 * state.broadcasts, all_reduce, sent.downlink)
        )

    return Method(method, optzoo.three_pillars_specs, written)


def extragradient(problem: RotatingSaddle, options: argparse.Namespace) -> Method:
    """The baseline, with whole vectors twice a step.

    Its step size is that with the smallest bound of theorem E, where mu and L are those of F.
    """
    n, eta = problem.num_workers, best_step(problem.mu, problem.lipschitz)

    transformation = optzoo.distributed_extragradient(eta, axis_name=AXIS)

    def written(state: optzoo.DistributedExtragradientState, params: Any) -> float:
        return int(state.sent.vectors) * all_reduce(params.size * params.dtype.itemsize, n)

    return Method(
        transformation,
        lambda params, axis_name: (
            P(),
            optzoo.worker_specs(transformation, params, axis_name),
        ),
        written,
    )


def best_step(mu: float, lipschitz: float) -> float:
    """The step size of extragradient whose bound is smallest, to a thousandth of 1 / L."""
    etas = np.arange(1, 1000) / 1000 / lipschitz
    return float(etas[np.argmax(etas / (1 + 2 * etas * mu / (1 - (etas * lipschitz) ** 2)))])


METHODS = {"three_pillars": three_pillars, "extragradient": extragradient}


class Workers(NamedTuple):
    """All workers of a run; every process calls these functions, and they compute together."""

    init: Callable[[], tuple[Any, Any]]  # z^0 and the state
    step: Callable[[Any, Any], tuple[Any, Any]]
    distance: Callable[[Any], jax.Array]  # |z - z*| / |z*|
    shardings: Any  # of z and the state; None in one process
    made: list[int]  # the workers whose rows this process has made


def workers_of(
    problem: RotatingSaddle, method: Method, dtype: Any, *, everywhere: bool, in_one_process: bool
) -> Workers:
    """One worker a process; or all of them in this one, under `vmap`."""
    n, made = problem.num_workers, list[int]()
    specs = method.specs(jax.ShapeDtypeStruct((problem.dimension,), dtype), AXIS)

    def row(worker: int) -> Any:
        made.append(worker)
        return problem.row(worker, dtype)

    def mean_offset(own: Any) -> jax.Array:
        return jax.lax.pmean(own[0], AXIS)

    def step(z: Any, state: Any, own: Any, server: Any) -> tuple[Any, Any]:
        extras = {"server_operator_fn": lambda u: problem.of(server, u)} if everywhere else {}
        updates, state = method.transformation.update(
            problem.of(own, z), state, z, operator_fn=lambda u: problem.of(own, u), **extras
        )
        return optax.apply_updates(z, updates), state

    if in_one_process:
        rows = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(row, range(n)))
        server = jax.tree.map(lambda leaf: leaf[0], rows) if everywhere else None
        axes = jax.tree.map(lambda spec: None if spec == P() else 0, specs)
        init = jax.vmap(method.transformation.init, None, axes[1], axis_size=n, axis_name=AXIS)
        on_all = jax.vmap(step, (*axes, 0, None), axes, axis_name=AXIS)
        mean_of_all = jax.vmap(mean_offset, 0, None, axis_name=AXIS)
        shardings = None

        def zeros() -> jax.Array:
            return jnp.zeros(problem.dimension, dtype)

    else:
        require_one_device_each(n)
        mesh = jax.make_mesh((n,), (AXIS,), axis_types=(AxisType.Auto,))
        by_rows, everywhere_same = NamedSharding(mesh, P(AXIS)), NamedSharding(mesh, P())
        # make_array_from_callback asks a process for what its own device holds, and no more.
        own = row(jax.process_index())
        rows = jax.tree.map(
            lambda leaf: jax.make_array_from_callback(
                (n, *leaf.shape), by_rows, lambda index: leaf[None]
            ),
            own,
        )
        server = None
        if everywhere:
            server = jax.tree.map(
                lambda leaf: jax.make_array_from_callback(
                    leaf.shape, everywhere_same, lambda index: leaf[index]
                ),
                own if jax.process_index() == 0 else row(0),
            )

        def of_own(function: Callable[..., Any], place: int) -> Callable[..., Any]:
            """A function of one worker's row, of rows in shape (1, ...)."""

            def of_rows(*args: Any) -> Any:
                own = jax.tree.map(lambda leaf: leaf[0], args[place])
                return function(*args[:place], own, *args[place + 1 :])

            return of_rows

        def shared(function: Any, in_specs: Any, out_specs: Any) -> Callable[..., Any]:
            return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs)

        init = shared(method.transformation.init, specs[:1], specs[1])
        on_all = shared(of_own(step, 2), (*specs, P(AXIS), P()), specs)
        mean_of_all = shared(of_own(mean_offset, 0), (P(AXIS),), P())
        shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)

        def zeros() -> jax.Array:
            start = np.zeros(problem.dimension, dtype)
            return jax.make_array_from_callback(start.shape, everywhere_same, lambda i: start[i])

    solution = jax.jit(lambda rows: problem.solution(mean_of_all(rows)))(rows)
    relative = jax.jit(lambda z, at: jnp.linalg.norm(z - at) / jnp.linalg.norm(at))
    stepped = jax.jit(on_all, donate_argnums=(0, 1))

    def begun() -> tuple[Any, Any]:
        z = zeros()
        return z, jax.jit(init)(z)

    return Workers(
        begun,
        lambda z, state: jax.block_until_ready(stepped(z, state, rows, server)),
        lambda z: relative(z, solution),
        shardings,
        made,
    )


def require_one_device_each(processes: int) -> None:
    if jax.device_count() != processes or jax.local_device_count() != 1:
        raise ValueError(
            f"each of the {processes} processes must have one device; this one has "
            f"{jax.local_device_count()} of {jax.device_count()}: see JAX_PLATFORMS and XLA_FLAGS"
        )


def solve(options: argparse.Namespace) -> None:
    """Run the method, from the newest checkpoint if there is one; every process calls this."""
    problem, dtype = problem_of(options), jnp.dtype(options.dtype)
    method = METHODS[options.method](problem, options)
    workers = workers_of(
        problem,
        method,
        dtype,
        everywhere=options.server_everywhere,
        in_one_process=options.in_one_process,
    )
    port = None if options.coordinator is None else int(options.coordinator.rsplit(":")[-1])
    z, state = workers.init()
    record = {f"--{name.replace('_', '-')}": getattr(options, name) for name in RECORDED}
    with Checkpoints(
        options.checkpoints, options.every, log="distances.txt", record=record
    ) as checkpoints:
        first, saved = checkpoints.newest(without_keys((z, state)), workers.shardings)
        if saved is not None:
            z, state = with_keys(saved, (z, state))
        foretold = -method.written(state, z)
        written = np.zeros(2, np.int64)
        for k in range(first, options.steps):
            before = sent_at_sockets(port)
            z, state = workers.step(z, state)
            written += np.subtract(sent_at_sockets(port), before)
            checkpoints.log(f"step {k} distance {float(workers.distance(z)):.8e}")
            checkpoints.save(k + 1, without_keys((z, state)))
    foretold += method.written(state, z)
    say(
        f"process {jax.process_index()} made the rows of {sorted(workers.made)}; in "
        f"{max(options.steps - first, 0)} steps it wrote {written[0]} bytes to the others, "
        f"{0 if options.in_one_process else foretold:.0f} were foretold, and {written[1]} to the "
        "coordinator"
    )
    if options.result is not None and jax.process_index() == 0:
        np.save(options.result, np.asarray(z))


def without_keys(tree: Any) -> Any:
    """The tree with the numbers of its random keys, as checkpoints hold them."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)


def with_keys(tree: Any, like: Any) -> Any:
    """The tree with its random keys again, which stand where another one has them."""
    return jax.tree.map(
        lambda x, other: jax.random.wrap_key_data(x) if _is_key(other) else x, tree, like
    )


def _is_key(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def problem_of(options: argparse.Namespace) -> RotatingSaddle:
    """The problem with one worker a process."""
    return RotatingSaddle(
        num_workers=options.processes,
        dimension=options.dimension,
        mu=options.mu,
        delta=options.delta,
        spread=options.spread,
        seed=options.seed,
    )


def measure() -> str:
    """The section of `benchmarks/RESULTS.md`; see `three_pillars_over_links`."""
    from . import three_pillars_over_links  # which imports this module

    return three_pillars_over_links.measure()


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    jax.config.update("jax_enable_x64", options.dtype == "float64")
    if options.in_one_process:
        solve(options)
        return 0
    return as_processes("three_pillars_on_processes", arguments, options, solve)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = parser_of("three_pillars_on_processes", __doc__)
    parser.set_defaults(processes=2)
    number: Callable[..., Any] = parser.add_argument
    number("--method", choices=METHODS, default="three_pillars", help="three_pillars if left out")
    number("--server-everywhere", action="store_true", help="all know F_1: nothing is broadcast")
    number("--local-steps", type=int, metavar="H", help="of the server; the theorem's if left out")
    number("--dimension", type=int, default=10_000, help="d, a multiple of 4")
    number("--mu", type=float, default=1.0, help="strong monotonicity")
    number("--delta", type=float, default=2.0, help="similarity")
    number("--spread", type=float, default=30.0, help="of the couplings: L^2 = mu^2 + spread^2")
    number("--dtype", choices=("float32", "float64"), default="float32", help="of all vectors")
    number("--seed", type=int, default=0, help="of the data, the coins and the compressor")
    number("--result", metavar="FILE.npy", help="where process 0 saves the last iterate")
    number("--in-one-process", action="store_true", help="all workers in this one, under vmap")
    options = parser.parse_args(arguments)
    require_place(parser, options)
    if options.in_one_process and (options.coordinator or options.checkpoints):
        parser.error("--in-one-process goes with neither --coordinator nor --checkpoints")
    if options.method == "extragradient" and (options.local_steps or options.server_everywhere):
        parser.error("extragradient has neither --local-steps nor --server-everywhere")
    if options.local_steps is not None and options.local_steps < 1:
        parser.error(f"--local-steps must be at least 1, got {options.local_steps}")
    try:
        problem_of(options)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
