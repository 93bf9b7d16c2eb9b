"""Low-rank matrix completion of a photograph: an oracle's leading pair against a projection's SVD.

Half of the pixels of a photograph are observed, and f(X) = (1/2n) sum (X_e - M_e)^2 over them is
minimised over the nuclear-norm ball whose radius is half of the photograph's own norm. Frank-Wolfe
methods need one leading singular pair a step, projected methods a full singular value
decomposition. The clock stops while the error on the pixels held out is looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import optzoo
from optzoo.plots.style import style
from optzoo.problems import MatrixCompletion, observed_entries, photograph

from .progress import progress
from .report import machine, table
from .timing import GapWatch, Spread

__all__ = ["measure"]

FIGURE = Path(__file__).parent.parent / "docs" / "matrix_completion.png"
TARGETS = (0.15, 0.11, 0.105)
REPEATS = 3
LIMIT = 40.0  # seconds of work
RESTARTS = 0.25


@dataclass(frozen=True)
class Method:
    """Steps from a state to the next: `step(state, k)`; `point(state)` is the matrix."""

    start: Any
    step: Callable[[Any, jax.Array], Any]
    point: Callable[[Any], jax.Array]

    def temporaries(self) -> int:
        """Bytes that the compiled step allocates beside its arguments."""
        analysis = jax.jit(self.step).lower(self.start, jnp.int32(0)).compile().memory_analysis()
        return int(analysis.temp_size_in_bytes)

    def held(self) -> int:
        """Bytes of the state."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.start) if hasattr(leaf, "nbytes"))


def measure(
    shrink: int = 1,
    targets: tuple[float, ...] = TARGETS,
    limit: float = LIMIT,
    figure: Path | None = FIGURE,
) -> str:
    """Time every method to errors on the pixels held out, in turns.

    Args:
        shrink: side of the squares of pixels averaged into one.
        targets: root mean square errors, descending.
        limit: seconds of work after which a run stops.
        figure: where to draw, if anywhere.

    Returns:
        A Markdown table, with what it was measured on.
    """
    image = jnp.asarray(photograph(shrink), jnp.float32)
    seen, unseen = observed_entries(image, 0.5, jax.random.key(0))
    radius = 0.5 * float(np.linalg.svd(np.asarray(image), compute_uv=False).sum())
    ways = methods(seen, image.shape, radius)
    memory = {name: (way.held(), way.temporaries()) for name, way in ways.items()}
    error = jax.jit(lambda x: jnp.sqrt(2 * unseen.value(x.ravel())))
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in progress(range(REPEATS), "repeat"):
        for name, way in ways.items():
            runs[name].append(run(way, error, dict.fromkeys(targets, limit)))
    if figure is not None:
        draw(figure, image, seen, runs)

    def passage(name: str, target: float) -> str:
        spread = Spread.of([one.reached.get(target, np.inf) for one in runs[name]])
        return f"{spread}" if np.isfinite(spread.median) else f"> {limit:.0f}"

    body = [
        (
            name,
            str(Spread.of([1e3 * one.seconds / one.steps for one in runs[name]])),
            *(f"{size / 2**20:.1f}" for size in memory[name]),
            *(passage(name, target) for target in targets),
        )
        for name in ways
    ]
    header = (
        *("method", "ms a step", "state (MiB)", "temporaries (MiB)"),
        *(f"s to {target}" for target in targets),
    )
    rows, columns = image.shape
    return (
        f"{machine(('jax', 'optax'))}\n\n{table(header, body)}\n\n"
        f"Photograph of {rows} x {columns} pixels, half of them observed (n ="
        f" {seen.num_samples:,}), float32, nuclear norm at most {radius:.0f}; root mean square"
        f" error on the pixels held out; medians [min, max] of {REPEATS} interleaved runs, without"
        " compilation. Sarah Frank-Wolfe takes batches of n / 4 pixels and restarts with"
        f" probability {RESTARTS}. LAPACK's work space is not among the temporaries that the"
        " compiler counts.\n\n![](../docs/matrix_completion.png)"
    )


def methods(seen: MatrixCompletion, shape: tuple[int, ...], radius: float) -> dict[str, Method]:
    """Name -> method, all of them from the zero matrix."""
    ball = optzoo.lmo.nuclear_norm_ball(radius)
    n = seen.num_samples
    batch = max(n // 4, 1)
    zero = jnp.zeros(shape, jnp.float32)
    everyone = jnp.arange(n)

    def gradient(x: jax.Array, indices: jax.Array) -> jax.Array:
        return seen.batch_gradient(x.ravel(), indices).reshape(shape)

    full = optzoo.frank_wolfe(ball, optzoo.open_loop_schedule())
    sarah = optzoo.sarah_frank_wolfe(
        ball, optzoo.open_loop_schedule(), RESTARTS, key=jax.random.key(1)
    )

    def full_step(state: Any, k: jax.Array) -> Any:
        x, inner = state
        updates, inner = full.update(gradient(x, everyone), inner, x)
        return optax.apply_updates(x, updates), inner

    def sarah_step(state: Any, k: jax.Array) -> Any:
        x, inner = state
        indices = jax.random.randint(jax.random.fold_in(jax.random.key(2), k), (batch,), 0, n)
        updates, inner = sarah.update(
            gradient(x, indices),
            inner,
            x,
            grad_fn=lambda p: gradient(p, indices),
            full_grad_fn=lambda p: gradient(p, everyone),
        )
        return optax.apply_updates(x, updates), inner

    # 1/L = n for distinct entries.
    def projected_step(x: jax.Array, k: jax.Array) -> jax.Array:
        return ball.project(x - n * gradient(x, everyone))

    def accelerated_step(state: Any, k: jax.Array) -> Any:
        x, before = state
        ahead = x + (k / (k + 3)).astype(x.dtype) * (x - before)
        return ball.project(ahead - n * gradient(ahead, everyone)), x

    return {
        "Sarah Frank-Wolfe": Method((zero, sarah.init(zero)), sarah_step, lambda s: s[0]),
        "Frank-Wolfe": Method((zero, full.init(zero)), full_step, lambda s: s[0]),
        "projected gradient": Method(zero, projected_step, lambda s: s),
        "accelerated projected gradient": Method((zero, zero), accelerated_step, lambda s: s[0]),
    }


@dataclass(frozen=True)
class Run:
    """One run: seconds and steps in all, passages, curve of (seconds, error), the last matrix."""

    seconds: float
    steps: int
    reached: dict[float, float]
    curve: list[tuple[float, float]]
    last: np.ndarray


def run(way: Method, error: Callable[[jax.Array], jax.Array], deadlines: dict[float, float]) -> Run:
    """Step until every error is reached, or time is up."""
    step = jax.jit(way.step)
    jax.block_until_ready(step(way.start, jnp.int32(0)))
    curve: list[tuple[float, float]] = []
    values: list[float] = []

    def look(x: Any) -> float:
        values.append(float(error(x)))
        return values[-1]

    watch = GapWatch(gap=look, deadlines=deadlines, spacing=1, resolution=1.05)
    watch.start()
    state = way.start
    for k in _steps():
        state = step(state, jnp.int32(k))
        if k + 1 >= watch.next_look:
            x = jax.block_until_ready(way.point(state))
            done = watch.finished(k + 1, x)
            curve.append((watch.seconds, values[-1]))
            if done:
                break
    return Run(watch.seconds, watch.steps, watch.reached, curve, np.asarray(way.point(state)))


def _steps() -> Iterator[int]:
    k = 0
    while True:
        yield k
        k += 1


def draw(path: Path, image: Any, seen: MatrixCompletion, runs: dict[str, list[Run]]) -> None:
    """The photograph, what was observed of it, what Sarah Frank-Wolfe made of that; the curves."""
    observed = np.ones(image.shape)
    observed[np.asarray(seen.rows), np.asarray(seen.columns)] = np.asarray(seen.values)
    pictures = {
        "photograph": np.asarray(image),
        "half of the pixels": observed,
        "Sarah Frank-Wolfe": runs["Sarah Frank-Wolfe"][-1].last,
    }
    with style():
        figure = Figure(figsize=(10, 7), layout="constrained")
        axes = figure.subplot_mosaic([["a", "b", "c"], ["curve", "curve", "curve"]])
        for place, (title, picture) in zip("abc", pictures.items(), strict=True):
            axes[place].imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes[place].set_title(title)
            axes[place].set_axis_off()
        lines = axes["curve"]
        for (name, found), dash in zip(runs.items(), ("-", "--", ":", "-."), strict=True):
            seconds, errors = np.array(found[-1].curve).T
            lines.plot(seconds, errors, dash, label=name)
        lines.set_xscale("log")
        lines.set_yscale("log")
        ticks = (0.1, 0.2, 0.5, 1.0)
        lines.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        lines.minorticks_off()
        lines.set_xlabel("seconds of work")
        lines.set_ylabel("error on the pixels held out")
        lines.legend()
        figure.savefig(path, dpi=110)
