"""SOAP beside its peers: a step, a cycle with one refresh, the worst step, and the compilation.

The parameters are gpt256: embeddings of 1024 tokens and of 256 positions, four transformer layers
of width 256 with 1024 hidden units, and the output, 3.74 million numbers in float32; and mats512,
the matrices of four layers of width 512, 12.6 million. Of the peers those are measured that can be
imported: `soap_jax` (github.com/haydn-jones/SOAP_JAX, which needs chex), `pytorch_optimizer` and
`heavyball` (which need torch).
"""

import importlib
import importlib.util
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg  # loads the OpenBLAS that jax calls, which cannot be limited before
from threadpoolctl import ThreadpoolController

import optzoo

from .report import machine, table
from .timing import Spread, interleaved

__all__ = ["gpt", "matmul_work", "matrices", "measure"]

FREQUENCY, CALLS_EVERY_STEP = 10, 2  # calls of a round, at f = 10 and at f = 1
ROUNDS = 5
LAYERS_TO_COMPILE = 24  # 245 leaves with their vectors

Shapes = Mapping[str, tuple[int, ...]]
Cycle = Callable[[], list[float]]  # runs one cycle; the seconds of its steps


def gpt(width: int, layers: int, *, vectors: bool = False) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters of a small transformer.

    Args:
        width: of the residual stream; four times as many hidden units and tokens.
        layers: number of them.
        vectors: whether to add four vectors a layer and two at the end.

    Returns:
        name -> shape.

    Example:
        >>> sum(rows * columns for rows, columns in gpt(256, 4).values())
        3735552
    """
    wide = 4 * width
    shapes: dict[str, tuple[int, ...]] = {
        "tokens": (wide, width),
        "positions": (width, width),
        "output": (width, wide),
    }
    shapes |= matrices(width, layers)
    if vectors:
        shapes |= {f"{k}.vector{i}": (width,) for k in range(layers) for i in range(4)}
        shapes |= {f"vector{i}": (width,) for i in range(2)}
    return shapes


def matrices(width: int, layers: int = 4) -> dict[str, tuple[int, ...]]:
    """Shapes of the matrices of a transformer's layers, without anything else.

    Args:
        width: of the residual stream; four times as many hidden units.
        layers: number of them.

    Returns:
        name -> shape.

    Example:
        >>> sum(rows * columns for rows, columns in matrices(512).values())
        12582912
    """
    wide = 4 * width
    kinds = dict.fromkeys(("q", "k", "v", "o"), (width, width))
    kinds |= {"up": (width, wide), "down": (wide, width)}
    return {f"{k}.{name}": shape for k in range(layers) for name, shape in kinds.items()}


def matmul_work(shapes: Shapes) -> tuple[float, float]:
    """Floating point operations of the products of matrices, in a step and in a refresh.

    A step rotates the gradient in and the direction out and forms both Gram matrices. A refresh
    multiplies each Gram matrix with its basis, decomposes the product by QR (8/3 d^3 with the
    columns of Q), and rotates the momentum out and in.

    Args:
        shapes: of matrices.

    Returns:
        Operations of a step and of a refresh.

    Example:
        >>> [round(work / 1e9, 1) for work in matmul_work(gpt(256, 4))]
        [23.6, 69.3]
    """
    both_sides = [2.0 * m * n * (m + n) for m, n in shapes.values()]
    cubes = [float(m**3 + n**3) for m, n in shapes.values()]
    return 3 * sum(both_sides), 2 * sum(both_sides) + (2 + 8 / 3) * sum(cubes)


def measure(width: int = 256, layers: int = 4, layers_to_compile: int = LAYERS_TO_COMPILE) -> str:
    """Time every method in turns.

    Args:
        width: of the transformer's residual stream.
        layers: number of its layers.
        layers_to_compile: number of layers, of width 64, whose step is traced and compiled.

    Returns:
        Markdown tables, with what they were measured on.
    """
    sets = {f"gpt{width}": gpt(width, layers), f"mats{2 * width}": matrices(2 * width)}
    where = machine(("jax", "optax", *_installed()))
    rate = _sgemm_rate()
    # OpenBLAS inside jax's LAPACK calls would otherwise start threads beside XLA's own.
    openblas = ThreadpoolController().select(internal_api="openblas")
    if not any("scipy" in library["filepath"] for library in openblas.info()):
        raise RuntimeError(f"{scipy.__name__}'s OpenBLAS was not found: {openblas.info()}")
    with jax.enable_x64(False), openblas.limit(limits=1):
        rows = [row for name, shapes in sets.items() for row in _steps(name, shapes, rate)]
        compilation = _compilations(gpt(64, layers_to_compile, vectors=True))
    header = (
        *("parameters", "method", "median step (ms)", "amortized (ms)", "worst step (ms)"),
        *("amortized / floor", "× optzoo.soap at that f"),
    )
    return (
        f"{where}\n\n{table(header, rows)}\n\n{_meaning(sets, rate)}\n\n{compilation}\n\n"
        "OpenBLAS had one thread (the setting `OPENBLAS_NUM_THREADS=1`, made at run time), the "
        "others as many as cores."
    )


def _meaning(sets: Mapping[str, Shapes], rate: float) -> str:
    """What the columns say."""
    work = {name: matmul_work(shapes) for name, shapes in sets.items()}
    of_sets = "; ".join(
        f"{name}: {len(sets[name])} leaves, {step / 1e9:.3g} GFLOP a step and "
        f"{refresh / 1e9:.3g} a refresh"
        for name, (step, refresh) in work.items()
    )
    return (
        f"{of_sets}. The floor is these at numpy's sgemm rate of {rate / 1e9:.0f} GFLOP/s. A "
        f"round of a method is {FREQUENCY} calls, one of them a refresh ({CALLS_EVERY_STEP} calls "
        f"at f = 1). Medians of {ROUNDS} interleaved rounds [min, max]; the last column is that of "
        "the ratios of whole rounds. Updates are applied, parameters and state donated."
    )


def _installed() -> list[str]:
    return [
        name
        for name in ("pytorch_optimizer", "heavyball", "torch")
        if importlib.util.find_spec(name)
    ]


def _sgemm_rate(size: int = 1024) -> float:
    """Operations a second of numpy's product of matrices in float32, the best of a few."""
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2.0 * size**3 / min(seconds)


def _methods() -> dict[str, tuple[Any, int]]:
    """Name -> optax transformation, and the number of calls between two refreshes."""
    methods = {
        "optax.adamw": (optax.adamw(1e-3), FREQUENCY),
        "optzoo.soap, f = 10": (optzoo.soap(1e-3), FREQUENCY),
        "optzoo.soap, f = 10, one-sided": (optzoo.soap(1e-3, one_sided=True), FREQUENCY),
        "optzoo.soap, f = 1": (optzoo.soap(1e-3, precondition_frequency=1), CALLS_EVERY_STEP),
    }
    if importlib.util.find_spec("soap_jax"):
        peer = importlib.import_module("soap_jax").soap
        methods |= {
            "SOAP_JAX, f = 10": (peer(1e-3), FREQUENCY),
            "SOAP_JAX, f = 1": (peer(1e-3, precondition_frequency=1), CALLS_EVERY_STEP),
        }
    return methods


def _steps(parameters: str, shapes: Shapes, rate: float) -> list[tuple[str, ...]]:
    cycles = {name: _cycle(method, shapes, calls) for name, (method, calls) in _methods().items()}
    if "torch" in _installed():
        cycles |= _cycles_of_torch(shapes)
    # The first round compiles nothing, but has the call that only initializes.
    steps: dict[str, list[list[float]]] = {name: [] for name in cycles}
    tasks = {
        name: (lambda name=name: steps[name].append(cycles[name]()))  # type: ignore[misc]
        for name in cycles
    }
    timings = interleaved(tasks, repeats=ROUNDS)

    step_work, refresh_work = matmul_work(shapes)
    body = []
    for name in cycles:
        cycle = np.array(steps[name][1:])
        own = "optzoo.soap, f = 1" if name.endswith("f = 1") else "optzoo.soap, f = 10"
        calls = cycle.shape[1]
        floor = (step_work + refresh_work * (1 if name.endswith("f = 1") else 1 / calls)) / rate
        two_sided = name != "optax.adamw" and "one-sided" not in name
        body.append(
            (
                parameters,
                name,
                f"{1e3 * np.median(cycle):.3g}",
                str(Spread.of(cycle.mean(axis=1)).times(1e3)),
                str(Spread.of(cycle.max(axis=1)).times(1e3)),
                f"{np.median(cycle.mean(axis=1)) / floor:.2g}" if two_sided else "",
                str(timings.ratio(name, own)),
            )
        )
    return body


def _step(method: Any) -> Any:
    def step(params: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
        updates, state = method.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, donate_argnums=(0, 1))


def _arrays(shapes: Shapes, seed: int) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def _cycle(method: Any, shapes: Shapes, calls: int) -> Cycle:
    params = jax.tree.map(jnp.asarray, _arrays(shapes, 0))
    gradients = [jax.tree.map(jnp.asarray, _arrays(shapes, 1 + i)) for i in range(3)]
    place: list[Any] = [params, method.init(params)]
    compiled = _step(method).lower(*place, gradients[0]).compile()

    def run() -> list[float]:
        seconds = []
        for k in range(calls):
            start = time.perf_counter()
            place[:] = jax.block_until_ready(compiled(*place, gradients[k % 3]))
            seconds.append(time.perf_counter() - start)
        return seconds

    return run


def _cycles_of_torch(shapes: Shapes) -> dict[str, Cycle]:
    torch = importlib.import_module("torch")
    makers: dict[str, Callable[[Any], Any]] = {}
    if "pytorch_optimizer" in _installed():
        soap = importlib.import_module("pytorch_optimizer").SOAP
        makers["pytorch_optimizer, f = 10"] = lambda p: soap(
            p, lr=1e-3, precondition_frequency=FREQUENCY
        )
    if "heavyball" in _installed():
        heavyball = importlib.import_module("heavyball")
        heavyball.utils.compile_mode = None  # no compiler of C++ is asked for
        makers["HeavyBall, f = 10"] = lambda p: heavyball.SOAP(
            p, lr=1e-3, precondition_frequency=FREQUENCY
        )

    def cycle(make: Callable[[Any], Any]) -> Cycle:
        params = [torch.nn.Parameter(torch.from_numpy(p)) for p in _arrays(shapes, 0).values()]
        gradients = [
            [torch.from_numpy(g) for g in _arrays(shapes, 1 + i).values()] for i in range(3)
        ]
        optimizer = make(params)

        def run() -> list[float]:
            seconds = []
            for k in range(FREQUENCY):
                for p, g in zip(params, gradients[k % 3], strict=True):
                    p.grad = g.clone()
                start = time.perf_counter()
                optimizer.step()
                seconds.append(time.perf_counter() - start)
            return seconds

        return run

    return {name: cycle(make) for name, make in makers.items()}


def _compilations(shapes: Shapes) -> str:
    """Seconds from the Python function to the program, once each."""
    params = jax.tree.map(jnp.asarray, _arrays(shapes, 0))
    body = []
    for name, (method, _) in _methods().items():
        if name.endswith("f = 1"):
            continue
        state = method.init(params)
        start = time.perf_counter()
        compiled = _step(method).lower(params, state, params).compile()
        seconds = time.perf_counter() - start
        held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        numbers = sum(leaf.size for leaf in jax.tree.leaves(params))
        temporary = compiled.memory_analysis().temp_size_in_bytes
        body.append((name, f"{seconds:.1f}", f"{held / numbers:.1f}", f"{temporary / numbers:.1f}"))
    header = ("method", "trace and compile (s)", "state (B/param)", "temporaries (B/param)")
    return f"{len(shapes)} leaves, d = 64:\n\n{table(header, body)}"
