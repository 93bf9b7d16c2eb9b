# SPDX-License-Identifier: Apache-2.0
"""Methods with coins and batches: all that can happen on a finite sum, with its probability."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from optzoo.lmo import ConstraintSet, box

from .steps import Branch, Output, steps_of

__all__ = ["batch_branches", "coin_keys", "restart_branches"]

_KEYS = 4096


def batch_branches(
    method: optax.GradientTransformation | Callable[[ConstraintSet], optax.GradientTransformation],
    *,
    steps: int,
    components: int = 2,
    output: Output | None = None,
) -> list[Branch]:
    """A method that is handed the gradient of one component at a time, drawn uniformly.

    Args:
        method: the transformation, or a function of the set that makes it.
        steps: N.
        components: n.
        output: as for `worst_case`.

    Returns:
        n^N branches, equally likely.

    Example:
        >>> len(batch_branches(optax.sgd(0.1), steps=2, components=3))
        9
    """
    every = list(itertools.product(range(components), repeat=steps))
    return [
        Branch(1 / len(every), steps_of(method, steps, output, batches, components))
        for batches in every
    ]


def restart_branches(
    method: Callable[[ConstraintSet, jax.Array], optax.GradientTransformation],
    *,
    steps: int,
    restart_probability: float,
    components: int = 2,
) -> list[Branch]:
    """A method like `sarah_frank_wolfe`: a coin for a restart, otherwise one component.

    The coins are the method's own: for each sequence of them a key is found with which they fall
    so, by the state's count of `restarts`. The first step is a restart.

    Args:
        method: a function of the set and of a key that makes it.
        steps: N.
        restart_probability: p, the one that the method has.
        components: n.

    Returns:
        (1 + n)^(N-1) branches with their probabilities; at p = 1 a single one.

    Raises:
        ValueError: if p is not in (0, 1], or no key makes the coins fall as they should.

    Example:
        >>> import optzoo
        >>> def method(constraint, key):
        ...     return optzoo.sarah_frank_wolfe(constraint, 0.5, 0.25, key=key)
        >>> branches = restart_branches(method, steps=2, restart_probability=0.25)
        >>> [branch.probability for branch in branches]
        [0.25, 0.375, 0.375]
    """
    p = restart_probability
    if not 0 < p <= 1:
        raise ValueError(f"restart_probability must lie in (0, 1], got {p!r}.")
    later = itertools.product((True, False) if p < 1 else (True,), repeat=steps - 1)
    keys = coin_keys(method, [(True, *more) for more in later])
    branches = []
    for coins, key in keys.items():
        for batches in itertools.product(*([None] if c else range(components) for c in coins)):
            drawn = sum(batch is not None for batch in batches)
            probability = p ** (steps - 1 - drawn) * ((1 - p) / components) ** drawn
            run = steps_of(_with_key(method, key), steps, None, batches, components)
            branches.append(Branch(probability, run))
    return branches


def _with_key(
    method: Callable[[ConstraintSet, jax.Array], optax.GradientTransformation], key: jax.Array
) -> Callable[[ConstraintSet], optax.GradientTransformation]:
    return lambda constraint: method(constraint, key)


def coin_keys(
    method: Callable[[ConstraintSet, jax.Array], optax.GradientTransformation],
    every: Sequence[tuple[bool, ...]],
) -> dict[tuple[bool, ...], jax.Array]:
    """For each sequence of coins a key with which the method restarts where they say so.

    Args:
        method: a function of the set and of a key that makes it.
        every: sequences of one length; the first coin is a restart.

    Returns:
        The keys by the coins.

    Raises:
        ValueError: if no key makes the coins fall as one of them.

    Example:
        >>> import optzoo
        >>> def method(constraint, key):
        ...     return optzoo.sarah_frank_wolfe(constraint, 0.5, 0.5, key=key)
        >>> list(coin_keys(method, [(True, False), (True, True)]))
        [(True, False), (True, True)]
    """

    def flat(point: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, point)

    @jax.jit
    @jax.vmap
    def restarts(key: jax.Array) -> jax.Array:
        transformation: Any = method(box(-1.0, 1.0), key)
        params = jnp.zeros(1)
        state, counts = transformation.init(params), []
        for _ in every[0]:
            _, state = transformation.update(
                flat(params), state, params, grad_fn=flat, full_grad_fn=flat
            )
            counts.append(state.restarts)
        return jnp.diff(jnp.stack(counts), prepend=0) > 0

    keys = jax.random.split(jax.random.key(0), _KEYS)
    fell = [tuple(row) for row in restarts(keys).tolist()]
    for coins in every:
        if coins not in fell:
            raise ValueError(
                f"none of {_KEYS} keys makes the method restart as in {list(coins)}: is its "
                "restart probability the given one?"
            )
    return {coins: keys[fell.index(coins)] for coins in every}
