# SPDX-License-Identifier: Apache-2.0
"""The transportation problem, solved exactly by the network simplex method.

A basic solution is a spanning tree of the bipartite graph of rows and columns. It is kept as the
parent of each node, the root being the last column, and the flow on the edge to it. The trees are
strongly feasible in the sense of Cunningham (A network simplex method, Mathematical Programming 11,
1976): an edge without flow points to the root. Then no choice of the entering edge cycles, however
degenerate the problem is; the edge of the least reduced cost enters, of equal ones the first.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv

__all__: list[str] = []


class _Tree(NamedTuple):
    """Nodes are the m rows and then the n columns; entries at the root mean nothing."""

    parent: jax.Array
    flow: jax.Array


def cheapest_plan(costs: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """A vertex of {x >= 0, x 1 = rows, x^T 1 = columns} of minimal <costs, x>.

    Args:
        costs: array (m, n), finite.
        rows: array (m,), not negative, of the same dtype.
        columns: array (n,), likewise, of the same sum.

    Returns:
        The plan, (m, n). Its cost exceeds the least by at most 8 eps (max |costs| + the largest
        dual variable) per unit of mass. It is NaN if the pivots exceed (m + n)^2 + 20 m n, which
        has not been seen.
    """
    m, n = costs.shape
    _, costs = tv.scale_by_largest(costs)
    limit = (m + n) ** 2 + 20 * m * n

    def entering(tree: _Tree) -> tuple[jax.Array, jax.Array]:
        """The cell of the least reduced cost, and whether it is negative beyond round-off."""
        row, column = _edges(tree, m)
        cost = costs[row, column]
        nodes = jnp.arange(m + n)
        # p_i - p_j = costs_ij on the edges of the tree.
        potential = _sum_to_root(tree, jnp.where(nodes < m, cost, -cost))
        reduced = costs - potential[:m, None] + potential[None, m:]
        cell = jnp.argmin(reduced)
        eps = float(tv.finfo(costs.dtype).eps)
        return cell, reduced.ravel()[cell] < -8 * eps * (1 + jnp.max(abs(potential)))

    def unfinished(state: tuple[_Tree, jax.Array, jax.Array, jax.Array]) -> jax.Array:
        _, _, improves, pivots = state
        return improves & (pivots < limit)

    def pivot(
        state: tuple[_Tree, jax.Array, jax.Array, jax.Array],
    ) -> tuple[_Tree, jax.Array, jax.Array, jax.Array]:
        tree, cell, _, pivots = state
        tree = _exchange(tree, cell // n, m + cell % n, m)
        return tree, *entering(tree), pivots + 1

    tree = _north_west_corner(rows, columns)
    start = (tree, *entering(tree), jnp.zeros((), int))
    tree, _, improves, _ = jax.lax.while_loop(unfinished, pivot, start)
    return jnp.where(improves, jnp.nan, _plan(tree, rows, columns))


def _north_west_corner(rows: jax.Array, columns: jax.Array) -> _Tree:
    """The staircase of the cells in which the sorted partial sums of rows and columns meet.

    Where the sums are equal the column ends first, which makes the tree strongly feasible.
    """
    m, n = rows.size, columns.size
    ends = jnp.concatenate([jnp.cumsum(columns)[:-1], jnp.cumsum(rows)[:-1]])
    order = jnp.argsort(ends, stable=True)
    is_column = order < n - 1
    i = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(~is_column)])
    j = jnp.concatenate([jnp.zeros(1, int), jnp.cumsum(is_column)])
    edges = jnp.concatenate([jnp.zeros(1, rows.dtype), ends[order], jnp.sum(rows)[None]])
    flow = jnp.maximum(jnp.diff(edges), 0)
    # Each cell ends its row or its column, which thus hangs on the other; the last ends its row.
    ends_column = jnp.append(is_column, False)
    child = jnp.where(ends_column, m + j, i)
    other = jnp.where(ends_column, i, m + j)
    nodes = m + n
    return _Tree(
        parent=jnp.full(nodes, nodes - 1).at[child].set(other),
        flow=jnp.zeros(nodes, rows.dtype).at[child].set(flow),
    )


def _edges(tree: _Tree, m: int) -> tuple[jax.Array, jax.Array]:
    """The row and the column of the edge from each node to its parent; a cell for the root too."""
    nodes = jnp.arange(tree.parent.size)
    row = jnp.where(nodes < m, nodes, jnp.minimum(tree.parent, m - 1))
    return row, jnp.where(nodes < m, tree.parent, nodes) - m


def _sum_to_root(tree: _Tree, values: jax.Array) -> jax.Array:
    """For each node the sum of the values of the nodes on its way to the root, without the root's.

    By pointer jumping, in the logarithm of the depth.
    """
    nodes = values.size
    sums, ancestor = values.at[-1].set(0), tree.parent
    for _ in range(nodes.bit_length()):
        sums, ancestor = sums + sums[ancestor], ancestor[ancestor]
    return sums


def _exchange(tree: _Tree, row: jax.Array, column: jax.Array, m: int) -> _Tree:
    """The tree after the edge (row, column) has entered and the blocking one has left."""
    nodes = jnp.arange(tree.parent.size)
    on_row_side, on_column_side = _cycle(tree, row, column)
    # Around the cycle, from its top down to the row, over the new edge, and up from the column:
    # flow falls on the edges that are passed against their direction, from row to column.
    falls = (on_row_side & (nodes < m)) | (on_column_side & (nodes >= m))
    theta = jnp.min(jnp.where(falls, tree.flow, jnp.inf))
    change = jnp.where(falls, -theta, theta)
    flow = jnp.where(on_row_side | on_column_side, tree.flow + change, tree.flow)

    # The last blocking edge on that way leaves: strong feasibility is kept. A flow is equal to the
    # least one where it is that very number; both are read from the loop's state.
    blocks = falls & (tree.flow == theta)
    depth = _sum_to_root(tree, jnp.ones(nodes.shape, int))
    above = jnp.argmin(jnp.where(blocks & on_column_side, depth, nodes.size))
    below = jnp.argmax(jnp.where(blocks & on_row_side, depth, -1))
    leaves_above = jnp.any(blocks & on_column_side)
    leaving = jnp.where(leaves_above, above, below)
    child = jnp.where(leaves_above, column, row)
    parent = jnp.where(leaves_above, row, column)
    return _rehang(_Tree(tree.parent, flow), child, parent, theta, leaving)


def _cycle(tree: _Tree, row: jax.Array, column: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The nodes below the lowest common ancestor: those over the row, those over the column."""
    over_row, over_column = _ancestors(tree, row), _ancestors(tree, column)
    return over_row & ~over_column, over_column & ~over_row


def _ancestors(tree: _Tree, node: jax.Array) -> jax.Array:
    """True at the node and all nodes over it."""
    root = tree.parent.size - 1

    def climb(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        seen, at = state
        return seen.at[at].set(True), tree.parent[at]

    seen = jnp.zeros(tree.parent.size, bool).at[root].set(True)
    seen, _ = jax.lax.while_loop(lambda state: state[1] != root, climb, (seen, node))
    return seen


def _rehang(
    tree: _Tree, child: jax.Array, parent: jax.Array, flow: jax.Array, leaving: jax.Array
) -> _Tree:
    """Hang the part of the tree that loses its edge at `leaving` on the new edge, `child` first."""

    def turn(
        state: tuple[_Tree, jax.Array, jax.Array, jax.Array, jax.Array],
    ) -> tuple[_Tree, jax.Array, jax.Array, jax.Array, jax.Array]:
        tree, node, new_parent, new_flow, _ = state
        turned = _Tree(tree.parent.at[node].set(new_parent), tree.flow.at[node].set(new_flow))
        return turned, tree.parent[node], node, tree.flow[node], node == leaving

    start = (tree, child, parent, flow, jnp.array(False))
    return jax.lax.while_loop(lambda state: ~state[-1], turn, start)[0]


def _plan(tree: _Tree, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """The flow that the tree has for these marginals, without the round-off of the pivots."""
    sums, ancestor = jnp.concatenate([rows, -columns]), tree.parent
    # What a subtree holds, it sends up; the root's own sum is of no interest.
    for _ in range(sums.size.bit_length()):
        sums, ancestor = sums.at[ancestor].add(sums), ancestor[ancestor]
    m = rows.size
    nodes = jnp.arange(sums.size)
    flow = jnp.maximum(jnp.where(nodes < m, sums, -sums), 0).at[-1].set(0)
    return jnp.zeros((m, columns.size), sums.dtype).at[_edges(tree, m)].add(flow)
