# SPDX-License-Identifier: Apache-2.0
"""Flows through an acyclic graph: the hull of its paths."""

import dataclasses
import itertools
import math
import operator
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any, SupportsIndex, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._set_arguments import as_scalar, require_positive, require_range
from .constraint_set import STATIC, ConstraintSet, register, tolerance

__all__ = ["flow_polytope"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class flow_polytope(ConstraintSet):
    """`{x >= 0 on the arcs : scale leaves the source and reaches the sink, no node keeps any}`.

    The graph has no directed cycle, and the set is the hull of `scale` times the indicators of the
    paths from the source to the sink. Arcs that lie on no such path carry nothing.

    - lmo: scale on a path of least length, 0 elsewhere; lengths may be negative. By Bellman-Ford
      rounds, as many as the longest path has arcs, each linear in the number of arcs, and one sort
      of the arcs. At every node the first of the arcs of least distance wins, from the sink back.
      Whatever the round-off, the answer is a path; its length is least to the round-off of the
      sums along paths.
    - diameter: scale times the root of the largest number of arcs in one path but not in the
      other, over pairs of paths, by dynamic programming over pairs of nodes.
    - project: none, it is a quadratic program.
    - retract: what enters a node is shared among its arcs in proportion to max(x, 0), from the
      source on.

    Args:
        arcs: pairs (tail, head) of int nodes, in the order of the tree's coordinates; parallel
            arcs are allowed.
        source: node.
        sink: another node, reachable from the source.
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: a node is no int, or `scale` no real number.
        ValueError: the graph has a cycle or no path from source to sink; `scale` is not positive
            and finite; the number of coordinates of an argument is not that of the arcs.

    Example:
        >>> import jax.numpy as jnp
        >>> paths = flow_polytope([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)], source=0, sink=3)
        >>> paths.lmo(jnp.array([1.0, 5.0, 1.0, 4.0, 1.0])).tolist()
        [1.0, 0.0, 1.0, 0.0, 1.0]
        >>> float(paths.diameter(jnp.zeros(5)))
        2.0

    References:
        Bellman, "On a routing problem", Quarterly of Applied Mathematics 16 (1958).
    """

    arcs: tuple[tuple[int, int], ...] = dataclasses.field(metadata=STATIC)
    source: int = dataclasses.field(metadata=STATIC)
    sink: int = dataclasses.field(metadata=STATIC)
    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)
        object.__setattr__(self, "arcs", _as_arcs(self.arcs))
        for name, node in (("source", self.source), ("sink", self.sink)):
            if isinstance(node, bool) or not isinstance(node, SupportsIndex):
                raise TypeError(f"{name} must be an int, got {node!r}.")
        if self.source == self.sink or not any(_useful(self.arcs, self.source, self.sink)):
            raise ValueError(
                f"sink must be another node than source and reachable from it, "
                f"got source={self.source} and sink={self.sink}."
            )

    def _graph(self, x: PyTree) -> "_Graph":
        if tv.dimension(x) != len(self.arcs):
            raise ValueError(
                f"the argument must have a coordinate for each of the {len(self.arcs)} arcs, "
                f"it has {tv.dimension(x)}."
            )
        return _graph(self.arcs, self.source, self.sink)

    def _lmo(self, direction: PyTree) -> PyTree:
        graph = self._graph(direction)
        require_range("scale", self.scale, direction)
        _, scaled = tv.scale_by_largest(tv.concatenate(direction))
        scale = as_scalar("scale", self.scale, scaled.dtype)
        return tv.split_like(jnp.where(graph.shortest_path(scaled), scale, 0), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        graph = self._graph(like)
        return as_scalar("scale", self.scale, tv.default_dtype()) * math.sqrt(graph.difference)

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        graph, vector = self._graph(x), tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        slack = tolerance(atol, x, scale)
        kept = graph.sum_of_arcs_into(vector) - graph.sum_of_arcs_from(vector)
        kept = kept.at[graph.source].add(scale).at[graph.sink].add(-scale)
        return jnp.all(vector >= -slack) & jnp.all(abs(kept) <= slack)

    def _retract(self, x: PyTree) -> PyTree:
        graph, vector = self._graph(x), tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        weight = jnp.where(graph.useful, jnp.maximum(vector, 0), 0)
        # A node without flow shares what it never gets equally.
        stuck = graph.sum_of_arcs_from(weight)[graph.tails] == 0
        weight = jnp.where(stuck, graph.useful.astype(weight.dtype), weight)
        total = graph.sum_of_arcs_from(weight)[graph.tails]
        share = weight / jnp.where(total == 0, 1, total)
        start = jnp.zeros(graph.num_nodes, vector.dtype).at[graph.source].set(scale)

        def push(_: Any, flow: jax.Array) -> jax.Array:
            held = start + graph.sum_of_arcs_into(flow)
            return held[graph.tails] * share

        flow = jax.lax.fori_loop(0, graph.longest, push, jnp.zeros_like(vector))
        return tv.split_like(jnp.where(jnp.isnan(vector), vector, flow), x)


@dataclasses.dataclass(frozen=True)
class _Graph:
    """The arcs with their nodes numbered, and what does not depend on lengths or flows."""

    arcs: tuple[tuple[int, int], ...]
    source: int
    sink: int
    num_nodes: int
    longest: int
    is_useful: tuple[bool, ...]

    @property
    def tails(self) -> jax.Array:
        return jnp.array([tail for tail, _ in self.arcs])

    @property
    def heads(self) -> jax.Array:
        return jnp.array([head for _, head in self.arcs])

    @property
    def useful(self) -> jax.Array:
        return jnp.array(self.is_useful)

    @property
    def starts_by_head(self) -> jax.Array:
        """For each node the place of its first arc among all arcs sorted by their heads."""
        into = [0] * self.num_nodes
        for _, head in self.arcs:
            into[head] += 1
        starts = list(itertools.accumulate(into, initial=0))[:-1]
        # A node that no arc enters is never asked.
        return jnp.array(starts).clip(max=len(self.arcs) - 1)

    def sum_of_arcs_into(self, values: jax.Array) -> jax.Array:
        return jnp.zeros(self.num_nodes, values.dtype).at[self.heads].add(values)

    def sum_of_arcs_from(self, values: jax.Array) -> jax.Array:
        return jnp.zeros(self.num_nodes, values.dtype).at[self.tails].add(values)

    def shortest_path(self, lengths: jax.Array) -> jax.Array:
        """True on the arcs of a path of least length."""
        unreached = jnp.full(self.num_nodes, jnp.inf, lengths.dtype).at[self.source].set(0)
        lengths = jnp.where(self.useful, lengths, jnp.inf)

        def relax(_: Any, distance: jax.Array) -> jax.Array:
            return unreached.at[self.heads].min(distance[self.tails] + lengths)

        distance = jax.lax.fori_loop(0, self.longest, relax, unreached)
        # The arcs by their heads, those into one node by their arrivals: each node's first one is
        # the last arc of a shortest path to it. Not the one whose arrival is equal to the distance
        # of its head: sums computed twice are rounded in two ways once they are compiled.
        by_arrival = jnp.lexsort((distance[self.tails] + lengths, self.heads))
        last = by_arrival[self.starts_by_head]

        def back(_: Any, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            chosen, node = state
            # At the source the place behind the arcs is marked.
            arc = jnp.where(node == self.source, len(self.arcs), last[node])
            moved = jnp.where(node == self.source, node, self.tails[arc])
            return chosen.at[arc].set(True), moved

        chosen = jnp.zeros(len(self.arcs) + 1, bool)
        chosen, _ = jax.lax.fori_loop(0, self.longest, back, (chosen, jnp.array(self.sink)))
        return chosen[:-1]

    @cached_property
    def difference(self) -> int:
        """The largest number of arcs in exactly one of two paths."""
        leaving: dict[int, list[int]] = {}
        for number, (tail, _) in enumerate(self.arcs):
            if self.is_useful[number]:
                leaving.setdefault(tail, []).append(number)
        order = _topological_order(self.arcs)
        position = {node: rank for rank, node in enumerate(order)}
        best: dict[tuple[int, ...], int] = {(self.sink, self.sink): 0}
        # Of two walkers the one behind moves on, so that both stand where their paths meet.
        for a in reversed(order):
            for b in reversed(order):
                if position[a] > position[b] or (a, b) == (self.sink, self.sink):
                    continue
                moves = []
                for i in leaving.get(a, []):
                    if a != b:
                        moves.append((self.arcs[i][1], b, 1))
                    else:
                        moves += [
                            (self.arcs[i][1], self.arcs[j][1], 2 * (i != j)) for j in leaving[a]
                        ]
                ends = [(tuple(sorted((u, v), key=position.__getitem__)), n) for u, v, n in moves]
                found = [best[pair] + n for pair, n in ends if pair in best]
                if found:
                    best[a, b] = max(found)
        return best[self.source, self.source]


def _as_arcs(arcs: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    found = []
    for arc in arcs:
        try:
            tail, head = (operator.index(node) for node in arc)
        except (TypeError, ValueError):
            raise TypeError(f"arcs must be pairs of int nodes, got {arc!r}.") from None
        found.append((tail, head))
    _topological_order(tuple(found))
    return tuple(found)


@lru_cache
def _graph(arcs: tuple[tuple[int, int], ...], source: int, sink: int) -> _Graph:
    """The graph with its nodes numbered from 0, in topological order."""
    order = _topological_order(arcs)
    number = {node: rank for rank, node in enumerate(order)}
    numbered = tuple((number[tail], number[head]) for tail, head in arcs)
    longest = dict.fromkeys(range(len(order)), 0)
    for tail, head in sorted(numbered):
        longest[head] = max(longest[head], longest[tail] + 1)
    return _Graph(
        numbered,
        number[source],
        number[sink],
        len(order),
        max(longest.values()),
        _useful(arcs, source, sink),
    )


@lru_cache
def _topological_order(arcs: tuple[tuple[int, int], ...]) -> list[int]:
    """The nodes, tails before heads; ValueError if there is a cycle."""
    waiting = {node: 0 for arc in arcs for node in arc}
    leaving: dict[int, list[int]] = {}
    for tail, head in arcs:
        waiting[head] += 1
        leaving.setdefault(tail, []).append(head)
    order = [node for node, count in waiting.items() if count == 0]
    for node in order:
        for head in leaving.get(node, []):
            waiting[head] -= 1
            if waiting[head] == 0:
                order.append(head)
    if len(order) < len(waiting):
        cyclic = sorted(node for node, count in waiting.items() if count > 0)
        raise ValueError(f"arcs must have no cycle, got one through some of the nodes {cyclic}.")
    return order


@lru_cache
def _useful(arcs: tuple[tuple[int, int], ...], source: int, sink: int) -> tuple[bool, ...]:
    """Whether each arc lies on a path from source to sink."""
    order = _topological_order(arcs)
    position = {node: rank for rank, node in enumerate(order)}
    reached, leads = {source}, {sink}
    for tail, head in sorted(arcs, key=lambda arc: position[arc[0]]):
        if tail in reached:
            reached.add(head)
    for tail, head in sorted(arcs, key=lambda arc: position[arc[1]], reverse=True):
        if head in leads:
            leads.add(tail)
    return tuple(tail in reached and head in leads for tail, head in arcs)
