"""Frank-Wolfe as an optimizer of networks: beside AdamW, Muon and SOAP at equal gradients.

Two networks on finite sums: a convolutional one on scikit-learn's digits, and a small language
model. Everything is counted in gradients of one minibatch. Sarah Frank-Wolfe takes two of them a
step, and now and then a full one: it makes fewer steps.

A method is a row of METHODS: how it is made from its learning rate and a key.

python -m benchmarks.norm_constrained_networks      # prints alone
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import optzoo
from optzoo.lmo import ConstraintSet, layerwise
from optzoo.lmo._polar_factor import polynomials
from optzoo.plots.style import COLOURS, style
from optzoo.problems import CharacterModel, python_documentation

from .progress import progress
from .report import machine, table
from .soap_language_model import interval
from .timing import interleaved

__all__ = ["METHODS", "TASKS", "Curve", "Method", "Task", "measure"]

Array = NDArray[np.float64]
Params = dict[str, jax.Array]

FIGURE = Path(__file__).parent.parent / "docs" / "norm_constrained_networks.png"
LOOKS = 25
RADIUS = 4.0  # of a layer with as many inputs as outputs, for the constrained methods
DECAY = 0.1  # lambda, of the method in between
PILOT = 1000  # the seed on which learning rates are chosen


@dataclass(frozen=True)
class Task:
    """A network and its finite sum.

    Args:
        what: the network and the data, in words.
        samples: n.
        batch: b.
        budget: minibatch gradients of a run.
        seeds: runs at the best learning rate.
        start: seed -> parameters.
        loss: parameters and indices of samples -> their mean loss.
        unseen: parameters -> the loss on what nobody is trained on, and what else is to be shown.
    """

    what: str
    samples: int
    batch: int
    budget: int
    seeds: int
    start: Callable[[jax.Array], Params]
    loss: Callable[[Params, jax.Array], jax.Array]
    unseen: Callable[[Params], tuple[jax.Array, jax.Array]]

    @property
    def probability(self) -> float:
        """P, of a full gradient, as the theorem of Sarah Frank-Wolfe has it."""
        return self.batch / (self.samples + self.batch)

    def full_gradient(self, params: Params) -> Params:
        """Of the whole sum, batch by batch; what does not fill the last one is a batch too."""
        gradient = jax.grad(self.loss)
        whole, rest = divmod(self.samples, self.batch)
        rows = jnp.arange(whole * self.batch).reshape(whole, self.batch)

        def add(total: Params, batch: jax.Array) -> tuple[Params, None]:
            return jax.tree.map(jnp.add, total, gradient(params, batch)), None

        total = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), rows)[0]
        last = gradient(params, jnp.arange(whole * self.batch, self.samples)) if rest else params
        return jax.tree.map(lambda t, g: (self.batch * t + rest * g) / self.samples, total, last)


# Digits: a convolutional network.

TRAINED = 1347  # images; the other 450 are the test


@cache
def _digits() -> tuple[Array, Array]:
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    pixels = (images[order] / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    return pixels, classes[order]


def _network(key: jax.Array) -> Params:
    """Two convolutions and a last layer, with He's initialization and no biases at first."""
    shapes = {"first": (3, 3, 1, 8), "second": (3, 3, 8, 16), "last": (256, 10)}
    params: Params = {}
    for name, shape in shapes.items():
        key, own = jax.random.split(key)
        inputs = np.prod(shape[:-1])
        params[name] = jax.random.normal(own, shape, jnp.float32) * np.float32((2 / inputs) ** 0.5)
        params[f"{name}_bias"] = jnp.zeros(shape[-1], jnp.float32)
    return params


def _convolved(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _logits(params: Params, images: jax.Array) -> jax.Array:
    x = _convolved(images, params["first"], 1) + params["first_bias"][None, None, None]
    x = _convolved(jax.nn.relu(x), params["second"], 2) + params["second_bias"][None, None, None]
    x = jax.nn.relu(x).reshape(len(images), -1)
    return x @ params["last"] + params["last_bias"][None]


def _entropy(params: Params, images: Any, classes: Any) -> jax.Array:
    found = _logits(params, jnp.asarray(images))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, jnp.asarray(classes)))


def _digits_loss(params: Params, rows: jax.Array) -> jax.Array:
    images, classes = _digits()
    return _entropy(params, jnp.asarray(images)[rows], jnp.asarray(classes)[rows])


def _digits_unseen(params: Params) -> tuple[jax.Array, jax.Array]:
    images, classes = (part[TRAINED:] for part in _digits())
    guesses = jnp.argmax(_logits(params, jnp.asarray(images)), axis=1)
    wrong = jnp.mean((guesses != jnp.asarray(classes)).astype(jnp.float32))
    return _entropy(params, images, classes), 100 * wrong


# The language model.

CHARACTERS = 100_000  # of the text, in windows that do not overlap
LENGTH, WIDTH, LAYERS = 64, 64, 2


@cache
def _model() -> CharacterModel:
    _, _, characters = python_documentation()
    return CharacterModel(width=WIDTH, layers=LAYERS, length=LENGTH, characters=characters)


@cache
def _windows() -> tuple[Array, Array]:
    train, held_out, _ = (np.asarray(part) for part in python_documentation())
    window = np.arange(LENGTH + 1)
    starts = np.arange(0, CHARACTERS - LENGTH, LENGTH)
    unseen = np.linspace(0, len(held_out) - LENGTH - 1, 64).astype(np.int32)
    return train[starts[:, None] + window], held_out[unseen[:, None] + window]


def _text_loss(params: Params, rows: jax.Array) -> jax.Array:
    return _model().loss(params, jnp.asarray(_windows()[0])[rows])


def _text_unseen(params: Params) -> tuple[jax.Array, jax.Array]:
    loss = _model().loss(params, jnp.asarray(_windows()[1]))
    return loss, loss / jnp.log(jnp.float32(2))


def _text_start(key: jax.Array) -> Params:
    return dict(_model().init(key))


TASKS: dict[str, Task] = {
    "digits": Task(
        "a network with two convolutions (3 x 3 x 1 x 8, 3 x 3 x 8 x 16) and a last layer "
        "256-10 on scikit-learn's digits",
        *(TRAINED, 64, 400, 5),
        *(_network, _digits_loss, _digits_unseen),
    ),
    "text": Task(
        f"a transformer (width {WIDTH}, {LAYERS} layers, {LENGTH} characters) on "
        f"{CHARACTERS:,} characters of `pydoc_data.topics`",
        *(len(range(0, CHARACTERS - LENGTH, LENGTH)), 32, 200, 3),
        *(_text_start, _text_loss, _text_unseen),
    ),
}


# Methods.


def _muon_radius(inputs: int, outputs: int) -> float:
    return float(max(1.0, outputs / inputs) ** 0.5)


# A matrix with random entries has such a norm, but for a factor.
BALL = layerwise(RADIUS, RADIUS, _muon_radius)
UNIT_BALL = layerwise(scaling=_muon_radius)


def _kernels(params: Params) -> Any:
    """What optax's Muon must be told about kernels."""
    numbers = optax.contrib.MuonDimensionNumbers
    return jax.tree.map(
        lambda leaf: numbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1) if leaf.ndim > 1 else None,
        params,
    )


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Args:
        make: schedule, probability of a full gradient, key -> the method.
        rates: learning rates that are tried, one factor apart, as many for every method.
        starts_in: the set in which it has to start.
        variance_reduced: whether a step costs two minibatch gradients, and a full one at times.
    """

    make: Callable[[Any, float, jax.Array], optax.GradientTransformation]
    rates: tuple[float, ...]
    starts_in: ConstraintSet | None = None
    variance_reduced: bool = False


def _adamw(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
    return optax.adamw(eta, 0.95, 0.95, weight_decay=0.0)


def _muon(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
    return optax.contrib.muon(eta, muon_weight_dimension_numbers=_kernels)


def _soap(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
    inner = optzoo.soap(eta, weight_decay=0.0, precondition_frequency=10)
    return optzoo.reshaped(inner, block_size=None, merge=1024)


def _descent(decay: float) -> Any:
    def make(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
        return optzoo.stochastic_conditional_gradient(UNIT_BALL, eta, 0.05, decay, nesterov=True)

    return make


def _frank_wolfe(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
    return optzoo.stochastic_conditional_gradient(BALL, eta, 0.05, 1.0, nesterov=True)


def _sarah(eta: Any, p: float, key: jax.Array) -> optax.GradientTransformation:
    return optzoo.sarah_frank_wolfe(BALL, eta, p, key=key)


OURS = "conditional gradient"
METHODS: dict[str, Method] = {
    "AdamW": Method(_adamw, (1e-3, 3e-3, 1e-2, 3e-2)),
    "SOAP, f = 10": Method(_soap, (1e-3, 3e-3, 1e-2, 3e-2)),
    "optax's Muon": Method(_muon, (3e-3, 1e-2, 3e-2, 1e-1)),
    f"{OURS}, unconstrained": Method(_descent(0.0), (3e-3, 1e-2, 3e-2, 1e-1)),
    f"{OURS}, lambda = {DECAY:g}": Method(_descent(DECAY), (3e-3, 1e-2, 3e-2, 1e-1)),
    f"{OURS}, constrained": Method(_frank_wolfe, (3e-3, 1e-2, 3e-2, 1e-1), BALL),
    "Sarah Frank-Wolfe": Method(_sarah, (3e-3, 1e-2, 3e-2, 1e-1), BALL, variance_reduced=True),
}
BASELINE = "AdamW"


class Curve(NamedTuple):
    """What is seen of a run, arrays of shape (looks,)."""

    gradients: Any  # of minibatches, so far
    trained: Any  # the loss on a part of the training set
    unseen: Any  # the loss on what is not trained on
    shown: Any  # what else the task shows


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    method: Method,
    task: Task,
    strides: jax.Array,
    rate: jax.Array,
    method_key: jax.Array,
    key: jax.Array,
) -> Curve:
    """A run that is looked at after each of the strides."""
    start_key, data_key = jax.random.split(key)
    params = task.start(start_key)
    if method.starts_in is not None:
        params = method.starts_in.project(params)
    steps = jnp.sum(strides)

    def schedule(k: jax.Array) -> jax.Array:
        """Rising in a twentieth of the run, and falling to zero."""
        rising = jnp.minimum((k + 1) / jnp.maximum(steps // 20, 1), 1)
        return rate * (rising * (1 - k / steps)).astype(jnp.float32)

    made = method.make(schedule, task.probability, method_key)
    made = optax.with_extra_args_support(made)
    gradient = jax.grad(task.loss)
    seen = jnp.arange(0, task.samples, max(task.samples // (4 * task.batch), 1))

    def step(k: jax.Array, carry: tuple[Params, Any]) -> tuple[Params, Any]:
        params, state = carry
        rows = jax.random.randint(jax.random.fold_in(data_key, k), (task.batch,), 0, task.samples)
        updates, state = made.update(
            gradient(params, rows),
            state,
            params,
            grad_fn=lambda p: gradient(p, rows),
            full_grad_fn=task.full_gradient,
        )
        return optax.apply_updates(params, updates), state

    def look(
        carry: tuple[jax.Array, Params, Any], stride: jax.Array
    ) -> tuple[tuple[jax.Array, Params, Any], Curve]:
        k, params, state = carry
        params, state = jax.lax.fori_loop(k, k + stride, step, (params, state))
        k = k + stride
        calls = task.batch * k
        if method.variance_reduced:
            calls = optzoo.gradient_calls(state, task.samples, task.batch)
        cost = jnp.asarray(calls, jnp.float32) / task.batch
        found = Curve(cost, task.loss(params, seen), *task.unseen(params))
        return (k, params, state), found

    carry = jnp.zeros([], strides.dtype), params, made.init(params)
    return jax.lax.scan(look, carry, strides)[1]


def steps_of(method: Method, task: Task, key: jax.Array) -> int:
    """The most steps that the budget pays for, with the coins of this key."""
    if not method.variance_reduced:
        return task.budget
    # Coins do not depend on the problem: this one has a single number.
    coins = optzoo.sarah_frank_wolfe(optzoo.lmo.linf_ball(1.0), 0.5, task.probability, key=key)
    x = jnp.zeros([])

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        same = {"grad_fn": lambda p: p, "full_grad_fn": lambda p: p}
        _, state = coins.update(x, state, x, **same)
        return state, optzoo.gradient_calls(state, task.samples, task.batch)

    calls = jax.lax.scan(step, coins.init(x), length=task.budget // 2)[1]
    return int(np.sum(np.asarray(calls) <= task.budget * task.batch))


def run(name: str, task: Task, rate: float, seed: int) -> Curve:
    """A run of as many steps as the budget pays for, looked at LOOKS times."""
    method = METHODS[name]
    key, method_key = jax.random.split(jax.random.key(seed))
    steps = steps_of(method, task, method_key)
    marks = np.linspace(0, steps, LOOKS + 1).round().astype(np.int32)
    found = _run(method, task, jnp.asarray(np.diff(marks)), jnp.float32(rate), method_key, key)
    return Curve(*(np.asarray(part, np.float64) for part in found))


def last(curve: Curve) -> float:
    """The loss on unseen data at the end, infinite if the run diverged."""
    end = float(curve.unseen[-1])
    return end if np.isfinite(end) else np.inf


def tuned(name: str, task: Task) -> float:
    """The learning rate of the least loss on unseen data, on a seed of its own."""
    return min(METHODS[name].rates, key=lambda rate: last(run(name, task, rate, PILOT)))


def measure(tasks: dict[str, Task] | None = None, figure: Path | None = FIGURE) -> str:
    """Choose learning rates, and run on other seeds in turns.

    Args:
        tasks: name -> the network and its data.
        figure: where to draw, if anywhere.

    Returns:
        A Markdown table, with what it was measured on.
    """
    tasks = TASKS if tasks is None else tasks
    where = machine(("jax", "optax"))
    found: dict[str, dict[str, list[Curve]]] = {}
    rates: dict[str, dict[str, float]] = {}
    seconds: dict[str, dict[str, list[float]]] = {}
    # As the optimizers of networks are run.
    with jax.enable_x64(False):
        for label, task in tasks.items():
            rates[label] = {  # compiles, too
                name: tuned(name, task) for name in progress(list(METHODS), f"tuning on {label}")
            }
            found[label] = {name: [] for name in METHODS}
            seconds[label] = {name: [] for name in METHODS}
            for seed in progress(range(task.seeds), f"seed on {label}"):
                for name in METHODS:
                    begun = time.perf_counter()
                    found[label][name].append(run(name, task, rates[label][name], seed))
                    seconds[label][name].append(time.perf_counter() - begun)
        updates = update_times()
    if figure is not None:
        draw(figure, found)
    header = (
        *("task", "method", "learning rate", "steps", "training loss", "unseen loss"),
        *("shown", "time"),
    )
    body = [
        row
        for label, task in tasks.items()
        for row in _rows(label, task, rates[label], found[label], seconds[label])
    ]
    described = " ".join(
        f"{label}: {task.what}, n = {task.samples:,}, batches of {task.batch}, "
        f"{task.budget} minibatch gradients, {task.seeds} seeds."
        for label, task in tasks.items()
    )
    return (
        f"{where}\n\n{table(header, body)}\n\n"
        f"{described} All learning rates rise in the first twentieth and fall linearly to zero; "
        f"the best of {len(METHODS[BASELINE].rates)}, by the unseen loss on a seed of its own, for "
        "every method alike. Equal numbers of minibatch gradients: a step of Sarah Frank-Wolfe "
        "takes two, a full gradient n/b, which it begins with. Shown: "
        "the share of wrong answers (digits), bits a character (text), on unseen data. Time: of a "
        f"run over {BASELINE}'s of the same seed, looks included. Float32; momentum 0.95 with "
        "Nesterov's step for Muon and the conditional gradients, 0.95 and 0.95 for the others; no "
        "decay of weights but lambda's. Radii: Muon's, max(1, out/in)^(1/2), for the conditional "
        f"gradients, and {RADIUS:g} times it for the constrained one and Sarah Frank-Wolfe, whose "
        f"other parameters stay below {RADIUS:g} and which start at the projection onto the set; "
        "that factor was not tuned. Muon trains vectors by Adam at the same rate. Means with 95% "
        "intervals that resample the seeds.\n\n"
        f"{updates}\n\nMatrices of a transformer's layer of width 256, float32, compiled, in "
        "turns; median [least, largest]. What the steps are for: all singular values above a "
        "thousandth of the largest come within the tolerance of 1 and none above it; Muon's lie "
        "between 0.68 and 1.13 where they were above a hundredth."
        + ("\n\n![](../docs/norm_constrained_networks.png)" if figure is not None else "")
    )


SHAPES = {"q": (256, 256), "k": (256, 256), "v": (256, 256), "o": (256, 256)} | {
    "up": (256, 1024),
    "down": (1024, 256),
}
TOLERANCES = (0.25, 0.01, None)


def update_times(repeats: int = 7) -> str:
    """A table: updates of a transformer's layer, of optax's Muon and of ours, in turns."""
    rng = np.random.default_rng(0)
    gradients = {
        name: jnp.asarray(rng.standard_normal(shape), jnp.float32) for name, shape in SHAPES.items()
    }

    def updated(method: optax.GradientTransformation) -> Callable[[], Any]:
        update, state = jax.jit(method.update), method.init(gradients)
        return lambda: update(gradients, state, gradients)

    words = {"optax's Muon, 5 steps of degree 5": optax.contrib.muon(0.02)}
    for tolerance in TOLERANCES:
        ball = layerwise(scaling=_muon_radius, tolerance=tolerance)
        steps = len(polynomials(float(np.finfo(np.float32).eps), tolerance))
        bound = "round-off" if tolerance is None else f"{tolerance:g}"
        words[f"{OURS}, tolerance {bound}: {steps} steps"] = optzoo.stochastic_conditional_gradient(
            ball, 0.02, 0.05, 0.0
        )
    baseline = next(iter(words))
    timings = interleaved({name: updated(one) for name, one in words.items()}, repeats=repeats)
    return table(
        ("update of a layer", "ms", "over Muon's"),
        [(name, timings.spread(name).times(1e3), timings.ratio(name, baseline)) for name in words],
    )


def _rows(
    label: str,
    task: Task,
    rates: dict[str, float],
    curves: dict[str, list[Curve]],
    seconds: dict[str, list[float]],
) -> Iterator[tuple[str, ...]]:
    for name, method in METHODS.items():
        edge = "" if method.rates[0] < rates[name] < method.rates[-1] else " (end of the grid)"
        ends = [Curve(*(part[-1] for part in curve)) for curve in curves[name]]
        steps = [
            steps_of(method, task, jax.random.split(jax.random.key(seed))[1])
            for seed in range(task.seeds)
        ]
        unit = "{:.1f}%" if label == "digits" else "{:.3f}"
        yield (
            label,
            name,
            f"{rates[name]:g}{edge}",
            f"{np.mean(steps):.0f}",
            interval(np.array([end.trained for end in ends]), "{:.4f}"),
            interval(np.array([end.unseen for end in ends]), "{:.3f}"),
            interval(np.array([end.shown for end in ends]), unit),
            f"{np.mean(np.array(seconds[name]) / np.array(seconds[BASELINE])):.2f}",
        )


COLOURS_OF_METHODS = ("ink", "guide", "bound", "mean", "lower_bound", "fit", "mean")
DASHES = ("-", "-", "-", "-", "-", "-", "--")


def draw(path: Path, found: dict[str, dict[str, list[Curve]]]) -> None:
    """Losses over minibatch gradients; bands from the least to the largest seed."""
    rows = {"training loss": "trained", "unseen loss": "unseen"}
    with style():
        figure = Figure(figsize=(10, 6.5), layout="constrained")
        panels = figure.subplots(2, len(found), sharex="col", squeeze=False)
        for column, (label, curves) in enumerate(found.items()):
            for line, (y_label, field) in zip(panels, rows.items(), strict=True):
                ax = line[column]
                for place, (name, runs) in enumerate(curves.items()):
                    values = np.array([getattr(curve, field) for curve in runs])
                    x = np.mean([curve.gradients for curve in runs], axis=0)
                    colour = COLOURS[COLOURS_OF_METHODS[place]]
                    ax.plot(x, values.mean(axis=0), DASHES[place], color=colour, label=name)
                    low, high = values.min(axis=0), values.max(axis=0)
                    ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
                ax.set_yscale("log")
                ax.set_ylabel(f"{y_label}, {label}")
            panels[1, column].set_xlabel("minibatch gradients")
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncol=4)
        figure.savefig(path, dpi=130)


if __name__ == "__main__":
    print(measure())
