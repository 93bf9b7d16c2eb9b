"""Every projection-free method on real data: suboptimality by gradients, oracle calls and seconds.

python -m benchmarks frank_wolfe_on_data

Logistic regression over an l1 ball, from a vertex: scikit-learn's breast-cancer data, and the
LIBSVM files a9a and mushrooms where `OPTZOO_DATA` names the folder that holds them. Each stochastic
method twice, with the steps of its paper and with 2/(k + 2): who wins depends on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import LogisticRegression, Optimum, breast_cancer, libsvm, minimize_over
from optzoo.theorems.frank_wolfe import balanced_probability, index_probability
from theory_checks.presets import data_folder

from .progress import progress
from .report import machine, table
from .timing import GapWatch, Spread

__all__ = ["Problem", "Track", "measure", "methods", "run"]

Array = NDArray[np.float64]
Transformation: TypeAlias = optax.GradientTransformationExtraArgs
DOCS = Path(__file__).parent.parent / "docs"

SEEDS = (1, 2, 3)
EPOCHS = 100.0
SECONDS = 6.0  # of work, a run
RADIUS = 10.0
OWN, CLASSIC, SEARCH = "own steps", "2/(k + 2)", "line search"
UNITS = {"epochs": "gradients of samples / n", "oracle": "oracle calls", "seconds": "seconds"}
LEVELS = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, eq=False)
class Problem:
    """Logistic regression over an l1 ball, its minimum certified.

    Args:
        name: of the data.
        loss: the finite sum.
        constraint: the ball.
        optimum: its certificate.
    """

    name: str
    loss: LogisticRegression
    constraint: ConstraintSet
    optimum: Optimum

    @classmethod
    def of(cls, name: str, features: Array, labels: Array) -> "Problem":
        """On these data."""
        loss = LogisticRegression(jnp.asarray(features), jnp.asarray(labels))
        constraint = optzoo.lmo.l1_ball(RADIUS)
        return cls(name, loss, constraint, minimize_over(loss, constraint))

    @property
    def batch_size(self) -> int:
        """sqrt(n), rounded."""
        return round(self.loss.num_samples**0.5)

    @property
    def start(self) -> jax.Array:
        """A vertex."""
        return self.constraint.lmo(jnp.zeros(self.loss.dim))

    @property
    def resolved(self) -> float:
        """The least suboptimality that is shown: ten times the width of the certificate."""
        return 10 * self.optimum.width

    def excess(self, x: Array) -> float:
        """f(x) less the lower bound of f*."""
        margins = np.asarray(self.loss.labels) * (np.asarray(self.loss.features) @ x)
        return float(np.mean(np.logaddexp(0.0, -margins))) - self.optimum.lower


@dataclass(frozen=True)
class Method:
    """A method on a problem.

    Args:
        name: short.
        steps: OWN, CLASSIC or SEARCH.
        make: from a key.
        full: whether its gradients are full ones.
        linear: whether it keeps a scalar a sample.
    """

    name: str
    steps: str
    make: Callable[[jax.Array], Transformation]
    full: bool = False
    linear: bool = False


def methods(problem: Problem) -> list[Method]:
    """All methods, with the numbers of their papers; batches of sqrt(n)."""
    n, b, constraint = problem.loss.num_samples, problem.batch_size, problem.constraint
    known = problem.loss.constants
    smoothness = known["L"].value
    diameter = float(constraint.diameter(problem.start))
    steepest = float(np.linalg.norm(np.asarray(problem.loss.features), axis=1).max())
    p, a = balanced_probability(n, b), index_probability(n, b, replacement=True)
    classic = optzoo.open_loop_schedule()
    search = optzoo.exact_line_search()
    samples = optzoo.growing_batches(steepest, smoothness, diameter)

    def sarah(steps: optax.Schedule, key: jax.Array) -> Transformation:
        return optzoo.sarah_frank_wolfe(constraint, steps, p, key=key)

    def saga(steps: optax.Schedule, key: jax.Array) -> Transformation:
        return optzoo.saga_sarah_frank_wolfe(constraint, steps, n, table="linear")

    def fixed(make: Callable[..., Transformation], *more: Any, **named: Any) -> Any:
        return lambda key: make(constraint, *more, **named)

    spider = partial(optzoo.spider_frank_wolfe, batch_size=b)
    svrf = partial(optzoo.svrf, batch_size=b)
    growing = partial(optzoo.stochastic_frank_wolfe, batch_size=b, samples_per_step=samples)
    sag = partial(optzoo.sag_frank_wolfe, num_samples=n)
    both: list[tuple[str, Callable[..., Transformation], bool]] = [
        ("SFW", growing, False),
        ("SVRF", svrf, False),
        ("SCG", optzoo.momentum_frank_wolfe, False),
        ("SPIDER", spider, False),
        ("SAG", sag, True),
    ]
    found = [
        Method("Frank-Wolfe", CLASSIC, fixed(optzoo.frank_wolfe, classic), full=True),
        Method(
            "Frank-Wolfe, short", SEARCH, fixed(optzoo.frank_wolfe, optzoo.short_step(smoothness)),
            full=True,
        ),
        Method("away", SEARCH, fixed(optzoo.away_step_frank_wolfe, search), full=True),
        Method("pairwise", SEARCH, fixed(optzoo.pairwise_frank_wolfe, search), full=True),
        Method("blended", SEARCH, fixed(optzoo.blended_pairwise_frank_wolfe, search), full=True),
        Method("Sarah", OWN, partial(sarah, optzoo.open_loop_schedule(4 / p))),
        Method("Sarah", CLASSIC, partial(sarah, classic)),
        Method("Saga Sarah", OWN, partial(saga, optzoo.open_loop_schedule(8 / a)), linear=True),
        Method("Saga Sarah", CLASSIC, partial(saga, classic), linear=True),
    ]  # fmt: skip
    for name, make, linear in both:
        found.append(Method(name, OWN, fixed(make), linear=linear))
        found.append(Method(name, CLASSIC, fixed(make, classic), linear=linear))
    return found


@dataclass(frozen=True)
class Track:
    """What was seen of a run, look by look, each of shape (looks,)."""

    epochs: Array
    oracle: Array
    seconds: Array
    excess: Array

    def first(self, unit: str, level: float) -> float:
        """Where the excess first is at most a level; infinite if nowhere."""
        below = np.flatnonzero(self.excess <= level)
        return float(getattr(self, unit)[below[0]]) if below.size else np.inf


def run(problem: Problem, method: Method, seed: int, epochs: float = EPOCHS) -> Track:
    """The method until it has had its epochs, or its seconds.

    Compilation and looking at the iterate are off the clock.
    """
    loss, b = problem.loss, problem.batch_size
    n = loss.num_samples

    @jax.jit
    def advance(
        carry: Any, everything: LogisticRegression, key: jax.Array, k: int, stop: int
    ) -> Any:
        coin_key, batch_key = jax.random.split(key)
        transformation = method.make(coin_key)

        def step(k: jax.Array, carry: Any) -> Any:
            x, state = carry
            if method.full:
                updates, state = transformation.update(
                    everything.gradient(x), state, x, value_fn=everything.value
                )
                return optax.apply_updates(x, updates), state
            drawn = jax.random.randint(jax.random.fold_in(batch_key, k), (b,), 0, n)
            batch = LogisticRegression(
                jnp.asarray(everything.features)[drawn], jnp.asarray(everything.labels)[drawn]
            )
            updates, state = transformation.update(
                batch.gradient(x),
                state,
                x,
                grad_fn=batch.gradient,
                full_grad_fn=everything.gradient,
                indices=drawn,
                sample_grads_fn=lambda p: batch.sample_slopes(p, jnp.arange(b)),
                features=jnp.asarray(batch.features),
            )
            return optax.apply_updates(x, updates), state

        return jax.lax.fori_loop(k, stop, step, carry)

    key = jax.random.key(seed)
    start = problem.start, method.make(jax.random.split(key)[0]).init(problem.start)
    jax.block_until_ready(advance(start, loss, key, 0, 1))

    seen: list[tuple[float, float, float]] = []
    carry = start

    def look(x: Array) -> float:
        """Off the clock."""
        state = carry[1]
        gradients = float(n) * int(state.steps)
        if not method.full:
            gradients = float(optzoo.gradient_calls(state, n, b))
        seen.append((gradients / n, float(state.steps), problem.excess(x)))
        return seen[-1][-1]

    seconds = []
    watch = GapWatch(look, {-np.inf: SECONDS}, spacing=1, resolution=1.25)
    watch.start()
    while True:
        carry = jax.block_until_ready(advance(carry, loss, key, watch.steps, watch.next_look))
        done = watch.finished(watch.next_look, np.asarray(carry[0]))
        seconds.append(watch.seconds)
        if done or seen[-1][0] >= epochs:
            gradients, steps, excess = np.array(seen).T
            return Track(gradients, steps, np.array(seconds), excess)


# --- Tables and figures ---


def measure() -> str:
    """Every method on every data set: a figure a set, and who needs least.

    Returns:
        Markdown.
    """
    where = machine(("jax", "optax", "numpy"))
    parts = [_on(problem) for problem in progress(list(_problems()), "data")]
    return "\n\n".join([where, *parts, _notes()])


def _problems() -> list[Problem]:
    found = [Problem.of("breast cancer", *breast_cancer())]
    if data_folder() is None:
        print("OPTZOO_DATA is not set: breast cancer alone, without a9a and mushrooms")
        return found
    return found + [Problem.of(name, *libsvm(name, scale=False)) for name in ("a9a", "mushrooms")]


Tracks: TypeAlias = Mapping[tuple[str, str], Sequence[Track]]


def _on(problem: Problem) -> str:
    tracks: dict[tuple[str, str], list[Track]] = {}
    for method in progress(methods(problem), problem.name):
        seeds = SEEDS[:1] if method.full else SEEDS
        tracks[method.name, method.steps] = [run(problem, method, seed) for seed in seeds]
    figure = DOCS / f"frank_wolfe_on_{problem.name.replace(' ', '_')}.png"
    draw(problem, tracks, figure)
    rows = [
        (f"{name}, {steps}", *_cells(problem, found)) for (name, steps), found in tracks.items()
    ]
    header = (
        "method",
        *(f"{unit} to {level:g}" for level in LEVELS for unit in ("n gradients", "oracle", "s")),
        "least seen",
    )
    n, d = problem.loss.features.shape
    title = (
        f"**{problem.name}**, n = {n:,}, d = {d}, l1 ball of radius {RADIUS:g}; f* "
        f"to {problem.optimum.width:.1e}. ![{problem.name}](../docs/{figure.name})"
    )
    return "\n\n".join([title, table(header, rows), _winners(tracks)])


def _cells(problem: Problem, found: Sequence[Track]) -> list[str]:
    cells = []
    for level in LEVELS:
        for unit in UNITS:
            median = Spread.of([track.first(unit, level) for track in found]).median
            cells.append("–" if np.isinf(median) else f"{median:.3g}")
    least = max(float(np.median([track.excess.min() for track in found])), problem.resolved)
    return [*cells, f"{least:.1e}"]


def _winners(tracks: Tracks) -> str:
    """Who needs the fewest gradients, by the steps that the stochastic methods take."""
    lines = []
    for steps in (OWN, CLASSIC):
        parts = []
        for level in LEVELS:
            found = {
                name: Spread.of([track.first("epochs", level) for track in runs]).median
                for (name, own), runs in tracks.items()
                if own in (steps, SEARCH) or name == "Frank-Wolfe"
            }
            first, second = sorted(found, key=lambda name: found[name])[:2]
            if np.isinf(found[first]):
                parts.append(f"to {level:g} nobody")
                continue
            behind = "" if np.isinf(found[second]) else f", then {second} ({found[second]:.3g})"
            parts.append(f"to {level:g} {first} ({found[first]:.3g} n){behind}")
        lines.append(f"- Fewest gradients, stochastic methods with {steps}: {'; '.join(parts)}.")
    return "\n".join(lines)


def draw(problem: Problem, tracks: Tracks, figure: Path) -> None:
    """Two rows, a kind of steps each; three columns, a unit each."""
    names = list(dict.fromkeys(name for name, _ in tracks))
    palette = plt.get_cmap("tab20")
    colours = {name: palette(j / 20) for j, name in enumerate(names)}
    with plt.rc_context({"font.size": 8}):
        drawing, axes = plt.subplots(
            2, 3, figsize=(9.2, 5.0), sharex="col", sharey=True, layout="constrained"
        )
        for row, steps in zip(axes, (OWN, CLASSIC), strict=True):
            for ax, (unit, words) in zip(row, UNITS.items(), strict=True):
                for (name, own), found in tracks.items():
                    if own not in (steps, SEARCH) and name != "Frank-Wolfe":
                        continue
                    track = found[len(found) // 2]
                    shown = track.excess >= problem.resolved
                    style = "--" if own == SEARCH or name == "Frank-Wolfe" else "-"
                    ax.loglog(
                        getattr(track, unit)[shown], track.excess[shown], style, lw=1.1,
                        color=colours[name], label=name,
                    )  # fmt: skip
                ax.grid(alpha=0.3)
                if steps == CLASSIC:
                    ax.set_xlabel(words)
            row[0].set_ylabel(f"f(x) - f*, {steps}")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside right upper", frameon=False)
        drawing.suptitle(f"{problem.name}: dashed with full gradients", fontsize=9)
        drawing.savefig(figure, dpi=150)
        plt.close(drawing)


def _notes() -> str:
    return (
        f"From a vertex, float64, until {EPOCHS:g} n gradients or {SECONDS:g} s of work; medians "
        f"over {len(SEEDS)} seeds (one where the gradients are full). b = sqrt(n). Own steps: "
        "those of the papers, SFW with the batches (G (k + 2) / (L D))^2, G the longest row, SVRF "
        "and SPIDER with their epochs, Sarah with p = b/(n + b) and steps 2/(k + 4/p), Saga Sarah "
        "with 2/(k + 8/a); those of SFW, SVRF, SPIDER and SAG are 2/(k + 2), k counted in the "
        "epoch by SVRF: their two rows are the same runs, timed twice. Line search: short steps, "
        "or exact ones, whose evaluations of f are counted in the seconds only. The iterate is "
        "looked at on a grid of calls of ratio 1.25. A curve is one seed's, and ends at ten times "
        "the width of the certificate of f*."
    )
