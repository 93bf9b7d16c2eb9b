# SPDX-License-Identifier: Apache-2.0
"""A sweep: one process for each of several values of a number, on common random numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import jax
import jax.numpy as jnp

from optzoo.problems import pytree_dataclass

from .process import Position, Process, Watch

__all__ = ["Sweep", "of_each"]


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False)
class Sweep(Process):
    """`member(process, value)` for each value of a number, all on the same random numbers.

    What the process observes is observed of all members, and averaged over them; see `of_each`.

    Args:
        process: the process whose number is varied.
        values: of the number, shape (members,).
        member: puts a value into the process; a function of a module, as it is structure.

    Example:
        >>> from dataclasses import replace
        >>> from theory_checks.claims.frank_wolfe.processes import line_test
        >>> line = line_test(restart_probability=0.5, step=0.1)
        >>> def at_probability(run, p):
        ...     return replace(run, restart_probability=p)
        >>> sweep = Sweep(line, jnp.array([0.1, 0.5]), at_probability)
        >>> sweep.init(jax.random.key(0)).x.shape
        (2, 1)
    """

    process: Process
    values: jax.Array
    member: Callable[[Any, jax.Array], Process] = field(metadata={"static": True})

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {name: _OverMembers(watch) for name, watch in self.process.watch.items()}

    def init(self, key: jax.Array) -> Position:
        return jax.vmap(lambda value: self.member(self.process, value).init(key))(self.values)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return jax.vmap(lambda value, at: self.member(self.process, value).step(at, k, key))(
            self.values, position
        )


@dataclass(frozen=True)
class _OverMembers:
    """The mean of a watch over the members of a sweep."""

    watch: Any

    def __call__(self, sweep: Sweep, position: Position) -> jax.Array:
        def at(value: jax.Array, inside: Position) -> jax.Array:
            watched: jax.Array = self.watch(sweep.member(sweep.process, value), inside)
            return watched

        return jnp.mean(jax.vmap(at)(sweep.values, position))


@dataclass(frozen=True)
class _OfMember:
    """A watch of the j-th member of a sweep."""

    watch: Any
    j: int

    def __call__(self, sweep: Sweep, position: Position) -> jax.Array:
        member = sweep.member(sweep.process, sweep.values[self.j])
        watched: jax.Array = self.watch(member, jax.tree.map(lambda leaf: leaf[self.j], position))
        return watched


def of_each(name: str, watch: Watch, members: int) -> dict[str, Watch]:
    """A watch of every member of a sweep, "name@j" of the j-th.

    Args:
        name: of the metric.
        watch: (process, position) -> scalar.
        members: how many there are.

    Returns:
        What to watch.
    """
    return {f"{name}@{j}": _OfMember(watch, j) for j in range(members)}
