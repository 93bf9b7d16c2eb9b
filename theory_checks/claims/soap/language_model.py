# SPDX-License-Identifier: Apache-2.0
"""A small language model and its training by SOAP, Shampoo, their KL kin and AdamW.

The model and its text are `optzoo.problems.CharacterModel` and `python_documentation`. Every
method has its learning rate tuned on one seed, at f = 10, and is then run on several others, all
with the same initial weights and batches. The learning rate rises linearly and is constant
afterwards, so that a run may be read off at any of its steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.problems import CharacterModel, python_documentation

__all__ = [
    "METHODS",
    "TUNED",
    "Size",
    "curve_of",
    "final_loss",
    "passage",
    "training_curve",
    "tuned_rates",
]

Array = NDArray[np.float64]
Params = dict[str, jax.Array]
Make = Callable[[Any, Any], optax.GradientTransformationExtraArgs]

B1 = B2 = 0.95
PRECEDING = 0.05  # share of the steps in which the learning rate rises
TUNED = ("AdamW", "SOAP, f = 10", "Shampoo, f = 10", "KL-Shampoo, f = 10", "KL-SOAP, f = 10")


@dataclass(frozen=True)
class Size:
    """How large the model is and how long it is trained.

    Args:
        width: of the residual stream; twice as many hidden units.
        layers: number of them.
        length: characters that are predicted from those before them in a sequence.
        batch: sequences in a step.
        steps: of a run.
        every: steps between two looks at the loss on text that is not trained on.
        rates: learning rates that are tried.
        seeds: runs at the best one.
    """

    width: int
    layers: int
    length: int
    batch: int
    steps: int
    every: int
    rates: tuple[float, ...]
    seeds: int

    @property
    def model(self) -> CharacterModel:
        """The model of this size, for the text."""
        _, _, characters = python_documentation()
        return CharacterModel(
            width=self.width, layers=self.layers, length=self.length, characters=characters
        )


def _adamw(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    del frequency
    return optax.with_extra_args_support(optax.adamw(schedule, B1, B2, weight_decay=0.0))


def _soap(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.soap(schedule, B1, B2, weight_decay=0.0, precondition_frequency=frequency)


def _shampoo(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.shampoo(
        schedule,
        eps=1e-12,
        beta=B2,
        momentum=B1,
        precondition_frequency=frequency,
        graft=optax.scale_by_adam(B1, B2),
    )


def _kl_shampoo(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.kl_shampoo(schedule, B1, B2, weight_decay=0.0, precondition_frequency=frequency)


def _kl_soap(schedule: Any, frequency: Any) -> optax.GradientTransformationExtraArgs:
    return optzoo.kl_soap(schedule, B1, B2, weight_decay=0.0, precondition_frequency=frequency)


FREQUENCIES = (1, 10, 100)
METHODS: dict[str, tuple[Make, int]] = {
    "AdamW": (_adamw, 1),
    **{f"SOAP, f = {f}": (_soap, f) for f in FREQUENCIES},
    **{f"Shampoo, f = {f}": (_shampoo, f) for f in FREQUENCIES},
    **{f"KL-Shampoo, f = {f}": (_kl_shampoo, f) for f in (1, 10)},
    **{f"KL-SOAP, f = {f}": (_kl_soap, f) for f in (1, 10)},
}


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    make: Make,
    size: Size,
    text: jax.Array,
    unseen: jax.Array,
    params: Params,
    rate: jax.Array,
    given: Any,
    key: jax.Array,
) -> jax.Array:
    """The loss on `unseen` sequences after every `every` steps, shape (steps / every,)."""
    window, loss = jnp.arange(size.length + 1), size.model.loss
    rising = max(round(PRECEDING * size.steps), 1)

    def schedule(k: jax.Array) -> jax.Array:
        return rate * jnp.minimum((k + 1) / rising, 1)

    method = make(schedule, given)

    def step(carry: tuple[Params, Any], k: jax.Array) -> tuple[tuple[Params, Any], None]:
        params, state = carry
        places = jax.random.randint(
            jax.random.fold_in(key, k), (size.batch,), 0, len(text) - size.length
        )
        batch = text[places[:, None] + window[None]]
        gradient = jax.grad(loss)(params, batch)
        updates, state = method.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    def look(carry: tuple[Params, Any], first: jax.Array) -> tuple[tuple[Params, Any], jax.Array]:
        carry, _ = jax.lax.scan(step, carry, first + jnp.arange(size.every))
        return carry, loss(carry[0], unseen)

    firsts = jnp.arange(0, size.steps, size.every)
    return jax.lax.scan(look, (params, method.init(params)), firsts)[1]


def training_curve(name: str, size: Size, rate: float, seed: int) -> Array:
    """The loss on text that is not trained on, every `size.every` steps.

    Args:
        name: one of METHODS.
        size: of the model and of the run.
        rate: the learning rate after its rise.
        seed: of the initial weights and the batches.

    Returns:
        Nats a character, shape (steps / every,).
    """
    make, frequency = METHODS[name]
    return curve_of(make, jnp.int32(frequency), size, rate, seed)


def curve_of(make: Make, given: Any, size: Size, rate: float, seed: int) -> Array:
    """The same for a method that has no name.

    Args:
        make: makes the method from the schedule of its learning rate and what it is given.
        given: frequency of refreshes or other numbers; one program is compiled for all of them.
        size, rate, seed: as in `training_curve`.

    Returns:
        Nats a character, shape (steps / every,).
    """
    train, held_out, _ = python_documentation()
    starts = np.linspace(0, len(held_out) - size.length - 1, 2 * size.batch).astype(np.int32)
    unseen = held_out[starts[:, None] + np.arange(size.length + 1)]
    start_key, data_key = jax.random.split(jax.random.key(seed))
    texts = (jnp.asarray(train), jnp.asarray(unseen))
    numbers = (jnp.float32(rate), given, data_key)
    return np.asarray(_run(make, size, *texts, size.model.init(start_key), *numbers), np.float64)


def final_loss(curve: Array) -> float:
    """The mean of the last tenth, infinite if the run diverged.

    Args:
        curve: as `training_curve` returns it.

    Returns:
        Nats a character.

    Example:
        >>> final_loss(np.array([4.0, 3.0, 2.0]))
        2.0
    """
    last = float(np.mean(curve[-max(len(curve) // 10, 1) :]))
    return last if np.isfinite(last) else float("inf")


def passage(curve: Array, target: float, every: int) -> float:
    """Steps until a curve is at or below the target, interpolated; infinite if it never is.

    Args:
        curve: the loss after every `every` steps.
        target: the loss to reach.
        every: steps between its points.

    Returns:
        A number of steps.

    Example:
        >>> passage(np.array([4.0, 3.0, 1.0]), 2.0, every=10)
        25.0
    """
    below = np.flatnonzero(curve <= target)
    if below.size == 0:
        return float("inf")
    first = int(below[0])
    if first == 0:
        return float(every)
    share = (curve[first - 1] - target) / (curve[first - 1] - curve[first])
    return float(every * (first + share))


def tuned_rates(size: Size) -> Iterator[tuple[str, float]]:
    """The rate of the least final loss for every method of TUNED, on a seed that is used once.

    Args:
        size: of the model and of the runs.

    Yields:
        The method, and its rate for all frequencies.
    """
    for name in TUNED:
        finals = [final_loss(training_curve(name, size, rate, 1000)) for rate in size.rates]
        yield name.partition(",")[0], size.rates[int(np.argmin(finals))]
