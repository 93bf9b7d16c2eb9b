"""A small network trained against a common shift of its images: what communication costs there.

    min over w, max over |y| <= R of
        (1/n) sum_i (worker i's mean of the cross-entropy of the network w on (a + y, b))
        + (lam/2) |w|^2 - (beta/2) |y|^2

on scikit-learn's digits, a random part of them on each worker. The operator (gradient in w, minus
the gradient in y) is not monotone: no theorem speaks of it, and nothing is promised.

A method is a row of METHODS: how it is made from a step size, and what a step costs. MASHA2 has no
projection, and so is not among them.

python -m benchmarks.adversarial_digits      # prints alone
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import PartitionSpec
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import optzoo
from optzoo.compressors import Compressor, Identity, PermK, SampledClients
from optzoo.plots.style import COLOURS, style

from .progress import progress
from .report import machine, table
from .soap_language_model import interval

__all__ = ["METHODS", "Method", "measure"]

Array = NDArray[np.float64]
Params = dict[str, Any]

FIGURE = Path(__file__).parent.parent / "docs" / "adversarial_digits.png"
AXIS, WORKERS = "workers", 8
SHARE = 168  # images of a worker; the other 453 are the test
HIDDEN = 32
RADIUS = 0.5  # R, where the grey levels are in [0, 1]
REGULARIZATION = 0.01  # lam
PENALTY = 0.0  # beta
GRID = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
TARGET = 1.1  # of the robust loss; the step size that takes fewest rounds to it is chosen
PILOTS = (1000, 1001, 1002)  # the seeds on which step sizes are chosen
# Steps of normalised ascent that look for the worst noise, from so many places beside the run's.
ATTACK, PLACES = 15, 2
LOCAL_STEPS = 10


def onto_set(z: Params) -> Params:
    """The projection onto Z: of the noise onto its ball."""
    return {"weights": z["weights"], "noise": onto_ball(z["noise"])}


def onto_ball(noise: jax.Array) -> jax.Array:
    return noise * jnp.minimum(1, RADIUS / jnp.maximum(jnp.linalg.norm(noise), 1e-30))


Make = Callable[[Any, jax.Array], optax.GradientTransformationExtraArgs]


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Args:
        make: the method, from a step size and a key.
        calls: of the server's operator, in a step.
        rounds: of a step, in the mean.
        compressor: its compressor or clients, if it has one.
    """

    make: Make
    calls: int
    rounds: float
    compressor: Compressor | None = None

    def specs(self, params: Params) -> Any:
        """How parameters and state lie on the axis of workers."""
        made = self.make(1.0, jax.random.key(0))
        everywhere = jax.tree.map(lambda _: PartitionSpec(), params)
        return everywhere, optzoo.worker_specs(made, params, AXIS)

    def cost(self, state: Any, params: Params) -> tuple[Any, Any, Any]:
        """Rounds of communication, bytes that a worker has sent, and calls of the server so far."""
        sent = optzoo.bytes_sent(state, params, self.compressor)
        rounds = optzoo.communication_rounds(state)
        return rounds, sent.uplink_message + sent.uplink_refresh, self.calls * state.steps


def _extragradient(step: Any, key: jax.Array) -> optax.GradientTransformationExtraArgs:
    return optzoo.distributed_extragradient(step, axis_name=AXIS, project=onto_set)


def _local(step: Any, key: jax.Array) -> optax.GradientTransformationExtraArgs:
    return optzoo.local_extragradient(
        step / (LOCAL_STEPS / 2), LOCAL_STEPS, axis_name=AXIS, project=onto_set
    )


def _sliding(step: Any, key: jax.Array) -> optax.GradientTransformationExtraArgs:
    return optzoo.extragradient_sliding(
        step, step / (LOCAL_STEPS / 2), LOCAL_STEPS, axis_name=AXIS, project=onto_set
    )


def _with_reference(
    method: Callable[..., optax.GradientTransformationExtraArgs],
    calls: int,
    probability: float,
    local: bool = False,
    **compressor: Any,
) -> Method:
    """A method with a reference point; its local step follows the step size."""

    def make(step: Any, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        server = {"local_step": step / (LOCAL_STEPS / 2), "local_steps": LOCAL_STEPS}
        return method(
            step,
            **(server if local else {}),
            momentum=probability,
            refresh_probability=probability,
            axis_name=AXIS,
            project=onto_set,
            key=key,
            **compressor,
        )

    return Method(make, calls, 1 + probability, *compressor.values())


BY_SERVER = 2 * LOCAL_STEPS + 1  # calls: the local steps, and the value at the iterate
PERM_K, CLIENTS = PermK(WORKERS), SampledClients(3, WORKERS)
METHODS: dict[str, Method] = {
    "extragradient": Method(_extragradient, 2, 2.0),
    "local extragradient": Method(_local, 2 * LOCAL_STEPS, 1.0),
    "sliding": Method(_sliding, BY_SERVER, 2.0),
    "MASHA1, PermK": _with_reference(optzoo.masha1, 2, 1 / WORKERS, compressor=PERM_K),
    "Optimistic MASHA, PermK": _with_reference(
        optzoo.optimistic_masha, 1, 1 / WORKERS, compressor=PERM_K
    ),
    "SVOGS, 3 clients": _with_reference(
        optzoo.svogs, BY_SERVER, 3 / WORKERS, local=True, clients=CLIENTS
    ),
    "Three Pillars, PermK": _with_reference(
        optzoo.three_pillars, BY_SERVER, 1 / WORKERS, local=True, compressor=PERM_K
    ),
    "Three Pillars, no compression": _with_reference(
        optzoo.three_pillars, BY_SERVER, 0.5, local=True, compressor=Identity(WORKERS)
    ),
}
BASELINE = "extragradient"
WITHOUT = "no adversary, extragradient"


@dataclass(frozen=True)
class Size:
    """How long a run is, how often it is looked at, and how many there are.

    Args:
        rounds: of communication.
        looks: in a run, at steps that grow geometrically.
        seeds: runs at the best step size.
        grid: step sizes that are tried.
    """

    rounds: int = 600
    looks: int = 24
    seeds: int = 5
    grid: tuple[float, ...] = GRID


class Data(NamedTuple):
    """Images and classes: one row a worker, and those that nobody is trained on."""

    images: jax.Array  # (n, SHARE, 64)
    classes: jax.Array
    unseen: jax.Array
    unseen_classes: jax.Array


def digits(seed: int) -> Data:
    """The digits, grey levels in [0, 1], dealt at random."""
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images, classes = jnp.asarray(images[order] / 16, jnp.float32), jnp.asarray(classes[order])
    dealt = WORKERS * SHARE
    return Data(
        images[:dealt].reshape(WORKERS, SHARE, -1),
        classes[:dealt].reshape(WORKERS, SHARE),
        images[dealt:],
        classes[dealt:],
    )


def start(key: jax.Array) -> Params:
    """Random weights and no noise."""
    first, last = jax.random.split(key)
    return {
        "weights": {
            "first": jax.random.normal(first, (64, HIDDEN), jnp.float32) / 8,
            "first_bias": jnp.zeros(HIDDEN, jnp.float32),
            "last": jax.random.normal(last, (HIDDEN, 10), jnp.float32) / HIDDEN**0.5,
            "last_bias": jnp.zeros(10, jnp.float32),
        },
        "noise": jnp.zeros(64, jnp.float32),
    }


def logits(weights: Params, images: jax.Array) -> jax.Array:
    hidden = jnp.tanh(images @ weights["first"] + weights["first_bias"][None])
    return hidden @ weights["last"] + weights["last_bias"][None]


def loss(weights: Params, noise: jax.Array, images: jax.Array, classes: jax.Array) -> jax.Array:
    """The mean cross-entropy on shifted images, with the penalties of weights and noise."""
    found = logits(weights, images + noise[None])
    entropy = optax.softmax_cross_entropy_with_integer_labels(found, classes)
    return (
        jnp.mean(entropy)
        + REGULARIZATION / 2 * optax.tree.norm(weights, squared=True)
        - PENALTY / 2 * jnp.vdot(noise, noise)
    )


def worst_noise(z: Params, images: jax.Array, classes: jax.Array) -> jax.Array:
    """The noise of the largest loss that normalised ascent finds, from several places."""

    def ascent(noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(k: jax.Array, noise: jax.Array) -> jax.Array:
            gradient = jax.grad(loss, 1)(z["weights"], noise, images, classes)
            length = RADIUS / 2 * (1 - k / ATTACK)
            return onto_ball(
                noise + length * gradient / jnp.maximum(jnp.linalg.norm(gradient), 1e-30)
            )

        noise = jax.lax.fori_loop(0, ATTACK, step, noise)
        return loss(z["weights"], noise, images, classes), noise

    anywhere = jax.random.normal(jax.random.key(0), (PLACES, 64), jnp.float32)
    places = jnp.concatenate([z["noise"][None], jax.vmap(onto_ball)(RADIUS * anywhere)])
    values, found = jax.lax.map(ascent, places)
    return found[jnp.argmax(values)]


class Look(NamedTuple):
    """What is seen of a run at some step."""

    robust_loss: Any  # the training loss at the noise that is worst for it
    accuracy: Any  # on unseen images
    robust_accuracy: Any  # on unseen images with the noise that is worst for their loss
    rounds: Any
    sent: Any  # bytes, by a worker
    calls: Any  # of the server's operator
    noise: Any  # the length of the run's own noise


def _look(method: Method, z: Params, state: Any, data: Data) -> Look:
    images = data.images.reshape(-1, data.images.shape[-1])
    classes = data.classes.reshape(-1)
    seen = loss(z["weights"], worst_noise(z, images, classes), images, classes)

    def accuracy(noise: jax.Array) -> jax.Array:
        guesses = jnp.argmax(logits(z["weights"], data.unseen + noise[None]), axis=1)
        return jnp.mean(guesses == data.unseen_classes)

    worst = worst_noise(z, data.unseen, data.unseen_classes)
    return Look(
        seen,
        accuracy(jnp.zeros(64)),
        accuracy(worst),
        *method.cost(state, z),
        jnp.linalg.norm(z["noise"]),
    )


@partial(jax.jit, static_argnums=0)
def _run(
    method: Method,
    step_size: jax.Array,
    strides: jax.Array,
    adversary: jax.Array,
    data: Data,
    key: jax.Array,
) -> Look:
    """A run that is looked at after each of the strides; all workers on one device."""
    weights_key, method_key = jax.random.split(key)
    z = start(weights_key)
    transformation = method.make(step_size, method_key)
    axes = jax.tree.map(lambda s: 0 if s == PartitionSpec(AXIS) else None, method.specs(z))
    state = jax.vmap(transformation.init, None, axes[1], axis_size=WORKERS, axis_name=AXIS)(z)
    shares = (data.images, data.classes)
    server = jax.tree.map(lambda rows: rows[0], shares)

    def operator(share: tuple[jax.Array, jax.Array], z: Params) -> Params:
        """F_i(z); for adversary = 0 the noise stays zero."""
        by_weights, by_noise = jax.grad(loss, (0, 1))(z["weights"], z["noise"], *share)
        return {"weights": by_weights, "noise": -adversary * by_noise}

    def of_worker(z: Params, state: Any, share: Any) -> tuple[Params, Any]:
        updates, state = transformation.update(
            operator(share, z),
            state,
            z,
            operator_fn=partial(operator, share),
            server_operator_fn=partial(operator, server),
        )
        return optax.apply_updates(z, updates), state

    of_all = jax.vmap(of_worker, (*axes, 0), axes, axis_name=AXIS)

    def stride(carry: tuple[Params, Any], steps: jax.Array) -> tuple[tuple[Params, Any], Look]:
        carry = jax.lax.fori_loop(0, steps, lambda _, c: of_all(*c, shares), carry)
        return carry, _look(method, *carry, data)

    return jax.lax.scan(stride, (z, state), strides)[1]


def run(method: Method, step_size: float, size: Size, seed: int, *, adversary: float = 1.0) -> Look:
    """What is seen of a run, arrays of shape (looks,); `adversary` multiplies the noise's part."""
    steps = max(round(size.rounds / method.rounds), 1)
    marks = np.unique(np.geomspace(1, steps, size.looks).round().astype(int))
    # As many strides for every method, so that each is compiled once.
    marks = np.concatenate([np.full(size.looks - len(marks), marks[0]), marks])
    found = _run(
        method,
        jnp.float32(step_size),
        jnp.asarray(np.diff(marks, prepend=0)),
        jnp.float32(adversary),
        digits(seed),
        jax.random.key(seed),
    )
    return Look(*(np.asarray(part, np.float64) for part in found))


def passage(losses: Array, cost: Array, target: float) -> float:
    """The cost at which the losses first reach the target, between looks on a logarithmic scale.

    Infinite where they do not.

    Example:
        >>> passage(np.array([3.0, 2.0, 1.0]), np.array([1.0, 10.0, 100.0]), 1.5) == 10**1.5
        True
    """
    below = np.flatnonzero(losses <= target)
    if not len(below):
        return np.inf
    j = below[0]
    if j == 0:
        return float(cost[0])
    share = (losses[j - 1] - target) / (losses[j - 1] - losses[j])
    return float(cost[j - 1] ** (1 - share) * cost[j] ** share)


def tuned(method: Method, size: Size, *, adversary: float = 1.0) -> float:
    """The step size that takes fewest rounds to TARGET on the worst of the seeds of its own.

    A run that ends above TARGET again, as one that diverges, counts as one that never got there.
    Where none gets there on all of them, the least last loss decides, of the worst seed too.
    """

    def merit(step_size: float) -> tuple[float, float]:
        found = [run(method, step_size, size, seed, adversary=adversary) for seed in PILOTS]
        last = [float(look.robust_loss[-1]) for look in found]
        rounds = [passage(look.robust_loss, look.rounds, TARGET) for look in found]
        return (
            max(r if x <= TARGET else np.inf for r, x in zip(rounds, last, strict=True)),
            max(loss if np.isfinite(loss) else np.inf for loss in last),
        )

    return min(size.grid, key=merit)


def measure(size: Size | None = None, figure: Path | None = FIGURE) -> str:
    """Choose a step size for every method, and run it on other seeds.

    Args:
        size: of the runs.
        figure: where to draw, if anywhere.

    Returns:
        A Markdown table, with what it was measured on.
    """
    size = Size() if size is None else size
    where = machine(("jax", "optax"))
    found: dict[str, list[Look]] = {}
    steps: dict[str, float] = {}
    # As the optimizers of networks are run.
    with jax.enable_x64(False):
        for name in progress(list(METHODS), "method"):
            steps[name] = tuned(METHODS[name], size)
            found[name] = [
                run(METHODS[name], steps[name], size, seed) for seed in range(size.seeds)
            ]
        undisturbed = tuned(METHODS[BASELINE], size, adversary=0.0)
        alone = [
            run(METHODS[BASELINE], undisturbed, size, seed, adversary=0.0)
            for seed in range(size.seeds)
        ]
        vector = sum(leaf.size for leaf in jax.tree.leaves(start(jax.random.key(0))))
    if figure is not None:
        draw(figure, found)
    header = (
        *("method", "step size", "robust loss", "accuracy", "accuracy under noise", "noise"),
        *(f"{what} to {TARGET:g}" for what in ("rounds", "kB sent", "calls of the server")),
    )
    body = [
        (
            name,
            f"{steps[name]:g}",
            *_last(looks),
            _passages(looks, [look.rounds for look in looks]),
            _passages(looks, [look.sent / 1e3 for look in looks]),
            _passages(looks, [look.calls for look in looks]),
        )
        for name, looks in found.items()
    ]
    body.append((WITHOUT, f"{undisturbed:g}", *_last(alone), *3 * [""]))
    return (
        f"{where}\n\n{table(header, body)}\n\n"
        f"scikit-learn's digits, {SHARE} images on each of {WORKERS} workers, "
        f"{1797 - WORKERS * SHARE} for the test; a network 64-{HIDDEN}-10 (tanh) and the noise: "
        f"{vector:,} numbers, float32; R = {RADIUS:g}, lam = {REGULARIZATION:g}, beta = "
        f"{PENALTY:g}. Robust loss: the training loss at the noise that is worst for it, as far as "
        f"{ATTACK} steps of normalised ascent from {PLACES + 1} places find it; accuracies are of "
        "the test, with no noise and with that which is worst for the test's loss. Noise: the "
        "length of that with which the run itself ends. Losses and "
        f"accuracies after {size.rounds} rounds, and what it costs to come to a robust loss of "
        f"{TARGET:g}. Step sizes: of {', '.join(f'{step:g}' for step in size.grid)}, the one that "
        f"takes fewest rounds to it, and stays there, on {len(PILOTS)} seeds of their own, for "
        f"every method alike; where there are local steps, {LOCAL_STEPS} of a "
        f"{LOCAL_STEPS / 2:g}th of it. p is 1/8 with PermK, 3/8 for SVOGS, 1/2 without "
        "compression. The last row: the network trained with no noise. kB are sent by a worker; a "
        "broadcast with its answers is a round, a refresh another one, and broadcasts are not "
        "counted in kB. Means "
        f'over {size.seeds} seeds with 95% intervals that resample the seeds; ">" where some runs '
        "did not get there and count with their whole length. The operator is not monotone: no "
        "theorem promises any of this."
        + ("\n\n![](../docs/adversarial_digits.png)" if figure is not None else "")
    )


def _last(looks: list[Look]) -> tuple[str, ...]:
    losses, clean, robust, noise = (
        np.array([getattr(look, name)[-1] for look in looks])
        for name in ("robust_loss", "accuracy", "robust_accuracy", "noise")
    )
    return (
        interval(losses, "{:.3f}"),
        interval(100 * clean, "{:.1f}%"),
        interval(100 * robust, "{:.1f}%"),
        f"{noise.mean():.2f}",
    )


def _passages(looks: list[Look], costs: list[Array]) -> str:
    passed = np.array(
        [passage(look.robust_loss, cost, TARGET) for look, cost in zip(looks, costs, strict=True)]
    )
    whole = np.array([cost[-1] for cost in costs])
    missing = ">" * bool(np.any(np.isinf(passed)))
    return missing + interval(np.minimum(passed, whole), "{:,.0f}")


COLOURS_OF_METHODS = ("mean", "bound", "ink", "guide", "lower_bound", "fit")
DASHES = ("-", "--", ":")


def draw(path: Path, found: dict[str, list[Look]]) -> None:
    """Loss and accuracy over rounds, bytes and local calls; bands from least to largest."""
    currencies = {
        "rounds of communication": lambda look: look.rounds,
        "kB sent by a worker": lambda look: look.sent / 1e3,
        "operator calls of the server": lambda look: look.calls,
    }
    rows = {"robust loss": "robust_loss", "accuracy under noise": "robust_accuracy"}
    with style():
        figure = Figure(figsize=(10, 6), layout="constrained")
        panels = figure.subplots(2, 3, sharex="col", sharey="row")
        for line, (y_label, field) in zip(panels, rows.items(), strict=True):
            for ax, cost in zip(line, currencies.values(), strict=True):
                for place, (name, looks) in enumerate(found.items()):
                    which, dash = place % len(COLOURS_OF_METHODS), place // len(COLOURS_OF_METHODS)
                    colour = COLOURS[COLOURS_OF_METHODS[which]]
                    x = np.mean([cost(look) for look in looks], axis=0)
                    values = np.array([getattr(look, field) for look in looks])
                    ax.plot(x, values.mean(axis=0), DASHES[dash], color=colour, label=name)
                    low, high = values.min(axis=0), values.max(axis=0)
                    ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
                ax.set_xscale("log")
            line[0].set_ylabel(y_label)
        panels[0, 0].set_ylim(0.9, 2.6)
        for ax in panels[0]:
            ax.axhline(TARGET, color=COLOURS["guide"], linewidth=0.7)
        for ax, name in zip(panels[1], currencies, strict=True):
            ax.set_xlabel(name)
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncol=3)
        figure.savefig(path, dpi=130)


if __name__ == "__main__":
    print(measure())
