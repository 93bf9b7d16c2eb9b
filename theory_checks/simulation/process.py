# SPDX-License-Identifier: Apache-2.0
"""A process, what one replicate does, and watches, what is observed of it.

A process is `init` and `step`. What is observed stands apart, in watches: pure functions of the
process and its position (the carry after k steps), or `Mean`s and `Sum`s of such along the run.
So one process serves every metric, and a metric every process whose positions have what it needs.
"""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp

__all__ = ["Along", "Mean", "Process", "Sum", "Watch", "held"]

Position: TypeAlias = Any
Watch: TypeAlias = "Callable[[Any, Position], jax.Array] | Along"


class Process(abc.ABC):
    """A method on a problem: what one replicate does.

    Subclasses are dataclasses registered by `optzoo.problems.pytree_dataclass`; their arrays are
    arguments of the compiled program, so that instances of one shape share it. A class is abstract
    or final.

    Attributes:
        watch: what is observed where an experiment does not say otherwise: names -> watches.
    """

    watch: ClassVar[Mapping[str, Watch]]

    @abc.abstractmethod
    def init(self, key: jax.Array) -> Position:
        """The position before the first step."""

    @abc.abstractmethod
    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        """Step k (counted from 0); the key is fresh for every step."""


class Along(abc.ABC):
    """A watch with a memory: it sees every step, and is read at the checkpoints."""

    @abc.abstractmethod
    def start(self) -> Any:
        """The memory before the first step."""

    @abc.abstractmethod
    def add(
        self, memory: Any, process: Any, k: jax.Array, before: Position, after: Position
    ) -> Any:
        """The memory after step k, which led from one position to the next."""

    @abc.abstractmethod
    def read(self, memory: Any) -> jax.Array:
        """What is observed, a scalar."""


@dataclass(frozen=True)
class Sum(Along):
    """The sum over all steps of a term: (process, k, position before, position after) -> scalar."""

    term: Callable[[Any, jax.Array, Position, Position], jax.Array]

    def start(self) -> jax.Array:
        return jnp.zeros([])

    def add(
        self, memory: jax.Array, process: Any, k: jax.Array, before: Position, after: Position
    ) -> jax.Array:
        return memory + self.term(process, k, before, after)

    def read(self, memory: jax.Array) -> jax.Array:
        return memory


@dataclass(frozen=True)
class Mean(Along):
    """The mean over the run of a watch at the position before each step, weighted on request.

    Args:
        watch: (process, position) -> scalar.
        weight: (process, k) -> scalar; 1 if None.
        after: whether it is the position after each step, such as for what the step has found.
    """

    watch: Callable[[Any, Position], jax.Array]
    weight: Callable[[Any, jax.Array], jax.Array] | None = None
    after: bool = False

    def start(self) -> tuple[jax.Array, jax.Array]:
        return jnp.zeros([]), jnp.zeros([])

    def add(
        self,
        memory: tuple[jax.Array, jax.Array],
        process: Any,
        k: jax.Array,
        before: Position,
        after: Position,
    ) -> tuple[jax.Array, jax.Array]:
        total, weights = memory
        weight = jnp.ones([]) if self.weight is None else self.weight(process, k)
        seen = self.watch(process, after if self.after else before)
        return total + weight * seen, weights + weight

    def read(self, memory: tuple[jax.Array, jax.Array]) -> jax.Array:
        total, weights = memory
        return total / weights


def held(state: Any, *names: str) -> Any:
    """The state of a method, of which a watch needs some fields.

    Args:
        state: of the transformation.
        *names: the fields that the watch reads.

    Returns:
        The state itself.

    Raises:
        ValueError: if a field is missing; the message says which fields there are.

    Example:
        >>> from typing import NamedTuple
        >>> class State(NamedTuple):
        ...     steps: int
        >>> held(State(3), "steps").steps
        3
        >>> held(State(3), "estimate")
        Traceback (most recent call last):
        ValueError: this watch needs `estimate` of the method's state; State has steps
    """
    missing = [name for name in names if not hasattr(state, name)]
    if missing:
        fields = ", ".join(getattr(state, "_fields", ())) or "no named fields"
        needed = ", ".join(f"`{name}`" for name in missing)
        raise ValueError(
            f"this watch needs {needed} of the method's state; {type(state).__name__} has {fields}"
        )
    return state
