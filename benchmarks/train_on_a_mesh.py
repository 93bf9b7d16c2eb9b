"""A transformer trained with SOAP by several processes: data and tensor parallel, and resumable.

python -m benchmarks.train_on_a_mesh --processes 2          # all of them, on this machine
python -m benchmarks.train_on_a_mesh --processes 2 --process-id I --coordinator HOST:PORT

The second form is one process of a cluster; process 0 runs on HOST. The devices of all processes
form a mesh (data, model). Batches are split along `data`, the hidden layers along `model`, and
SOAP's state over all devices together. Process 0 prints the loss of every step. With
`--checkpoints DIR`, on a disk that all processes see, the run is saved every few steps, and the
same command continues it, on any number of devices and processes whose mesh divides the arrays.

If a process dies or never comes up, every other one ends within `--timeout` seconds and says so.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import optzoo
from optzoo.problems import python_documentation

from .several_processes import Checkpoints, as_processes, parser_of, require_place
from .tensor_parallel_transformer import HEADS, Transformer, split_of


def train(options: argparse.Namespace) -> None:
    """Train, from the newest checkpoint if there is one; every process calls this."""
    check_divisible(options)
    mesh = jax.make_mesh(
        (jax.device_count() // options.model, options.model),
        ("data", "model"),
        axis_types=(AxisType.Auto, AxisType.Auto),
    )
    everywhere = NamedSharding(mesh, P())
    text, _, characters = python_documentation()

    def model() -> Transformer:
        rngs = nnx.Rngs(options.seed)
        return Transformer(characters, options.length, options.width, options.layers, rngs)

    graph = nnx.graphdef(nnx.eval_shape(model))
    # One side has a basis, the shorter one. The others of wide layers would have directions that
    # no gradient has, and there the steps of any two ways to sum it differ.
    method = optzoo.soap(options.rate, one_sided=True)

    def begun() -> dict[str, Any]:
        params = nnx.to_pure_dict(nnx.state(model(), nnx.Param))
        return {"params": params, "optimizer": method.init(params), "seed": jnp.int32(options.seed)}

    shapes = jax.eval_shape(begun)
    params = jax.tree.map_with_path(
        lambda path, x: jax.ShapeDtypeStruct(
            x.shape, x.dtype, sharding=NamedSharding(mesh, split_of(path))
        ),
        shapes["params"],
    )
    shardings = {
        "params": jax.tree.map(lambda x: x.sharding, params),
        "optimizer": optzoo.soap_shardings(params, one_sided=True),
        "seed": everywhere,
    }

    @jax.jit(donate_argnums=0, out_shardings=(shardings, everywhere))
    def step(run: dict[str, Any], codes: jax.Array) -> tuple[dict[str, Any], jax.Array]:
        def loss(params: Any) -> jax.Array:
            logits = nnx.merge(graph, nnx.State(params))(codes[:, :-1])
            return optax.losses.softmax_cross_entropy_with_integer_labels(
                logits, codes[:, 1:]
            ).mean()

        value, grads = jax.value_and_grad(loss)(run["params"])
        updates, optimizer = method.update(grads, run["optimizer"], run["params"])
        params = optax.apply_updates(run["params"], updates)
        return {"params": params, "optimizer": optimizer, "seed": run["seed"]}, value

    with Checkpoints(options.checkpoints, options.every, log="losses.txt") as checkpoints:
        first, run = checkpoints.newest(shapes, shardings)
        if run is None:
            run = jax.jit(begun, out_shardings=shardings)()
        seed = int(run["seed"])  # a run that continues reads on in its own batches
        rows = NamedSharding(mesh, P("data"))
        for k in range(first, options.steps):
            run, loss = step(run, batch(text, seed, k, options.batch, options.length, rows))
            checkpoints.log(f"step {k} loss {float(loss):.8f}")
            checkpoints.save(k + 1, run)


def batch(
    text: np.ndarray, seed: int, step: int, size: int, length: int, rows: NamedSharding
) -> jax.Array:
    """The batch of a step, of which a process reads only the rows that its devices need.

    It depends on nothing but the seed and the step, so neither a restart nor another number of
    processes changes it.
    """
    starts = np.random.default_rng([seed, step]).integers(0, len(text) - length, size)

    def read(index: tuple[slice, ...]) -> np.ndarray:
        return np.stack([text[start : start + length + 1] for start in starts[index[0]]])

    return jax.make_array_from_callback((size, length + 1), rows, read)


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    if options.devices_per_process is not None:
        jax.config.update("jax_num_cpu_devices", options.devices_per_process)
    return as_processes("train_on_a_mesh", arguments, options, train)


def check_divisible(options: argparse.Namespace) -> None:
    devices = jax.device_count()
    if devices % options.model:
        raise ValueError(f"--model {options.model} must divide the {devices} devices")
    if options.batch % (devices // options.model):
        raise ValueError(
            f"--batch {options.batch} must be a multiple of the {devices // options.model} parts "
            "of the mesh along data"
        )
    if options.width % options.model or options.width % HEADS:
        raise ValueError(
            f"--width {options.width} must be a multiple of {HEADS} heads and of --model"
        )


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = parser_of("train_on_a_mesh", __doc__)
    number: Callable[..., Any] = parser.add_argument
    number("--devices-per-process", type=int, metavar="N", help="on CPUs; 1 if left out")
    number("--model", type=int, default=1, help="devices that share a hidden layer")
    number("--batch", type=int, default=16, help="sequences in a batch, over all processes")
    number("--length", type=int, default=64, help="characters in a sequence")
    number("--width", type=int, default=64, help="of the residual stream")
    number("--layers", type=int, default=2, help="of the transformer")
    number("--rate", type=float, default=3e-3, help="the learning rate")
    number("--seed", type=int, default=0, help="of the parameters and the batches")
    options = parser.parse_args(arguments)
    require_place(parser, options)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
