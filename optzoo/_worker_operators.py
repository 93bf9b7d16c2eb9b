# SPDX-License-Identifier: Apache-2.0
"""What methods under an axis of workers evaluate and sum: operators, means, the server's answers.

Points and values are trees like the parameters, in float32 for 16-bit leaves. Collectives stand in
the named scopes `uplink_message`, `uplink_refresh` and `downlink`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import jax
import optax

from . import _tree_vector as tv
from ._arguments import require_function, require_matching_tree
from ._wide_arithmetic import wide, wide_zeros
from ._worker_axis import differs_between_workers, mark_as_differing, num_workers
from .compressors import Compressor

__all__: list[str] = []

Tree: TypeAlias = Any


class OperatorFn(Protocol):
    """Point -> the value of an operator there, a tree like the point."""

    def __call__(self, point: optax.Params, /) -> optax.Updates: ...


class Projection(Protocol):
    """Point -> the nearest point of Z."""

    def __call__(self, point: optax.Params, /) -> optax.Params: ...


class WorkerOperators:
    """The operators of one call of `update`, checked.

    Args:
        method: its public name, for messages.
        params: the parameters.
        axis_name: the axis of workers.
        operator_fn: F_i, where the method evaluates it.
        server_operator_fn: F_1, where every worker can evaluate it.
        project: the projection onto Z.
    """

    def __init__(
        self,
        method: str,
        params: optax.Params,
        axis_name: str,
        *,
        operator_fn: OperatorFn | None = None,
        server_operator_fn: OperatorFn | None = None,
        project: Projection | None = None,
    ) -> None:
        if operator_fn is None:
            raise ValueError(
                f"{method}: the extra argument `operator_fn` is missing; call "
                "update(updates, state, params, operator_fn=...)."
            )
        require_function("operator_fn", operator_fn, "a point")
        if server_operator_fn is not None:
            require_function("server_operator_fn", server_operator_fn, "a point")
        num_workers(axis_name)
        self._params, self._axis_name = params, axis_name
        self._operator_fn, self._server_operator_fn = operator_fn, server_operator_fn
        self._project = project

    @property
    def everywhere(self) -> bool:
        """Whether every worker can evaluate the server's operator."""
        return self._server_operator_fn is not None

    def evaluate(self, name: str, function: Callable[..., Any], point: Tree, *more: Any) -> Tree:
        """A user's function at a point in the parameters' dtypes."""
        value = function(tv.cast_like(point, self._params), *more)
        require_matching_tree(f"the result of {name}", value, self._params)
        return wide(value, self._params)

    def own(self, point: Tree) -> Tree:
        """F_i of this worker."""
        value = self.evaluate("operator_fn", self._operator_fn, point)
        return mark_as_differing(value, self._axis_name)

    def onto_set(self, point: Tree) -> Tree:
        """The projection onto Z."""
        return projected(self._project, point, self._params)

    def mean(self, values: Tree) -> Tree:
        """(1/n) sum_i of whole vectors."""
        return mean_of_vectors(values, self._axis_name)

    def from_server(
        self,
        num_trees: int,
        known: Sequence[tuple[Tree, Tree]],
        solve: Callable[..., tuple[Tree, ...]],
    ) -> tuple[Tree, ...]:
        """What the server makes of its own operator, on every worker.

        Args:
            num_trees: how many trees that is.
            known: points, each with the value of this worker's operator there.
            solve: (F_1, marks, values of F_1 at the known points) -> trees like the parameters.
                `marks` says of a tree that it may differ between the workers, as all must that
                the loops and branches of the server carry.
        """
        if self._server_operator_fn is not None:
            at_known = [self._server(point) for point, _ in known]
            return solve(self._server, lambda tree: tree, *at_known)

        def marks(tree: Tree) -> Tree:
            return mark_as_differing(tree, self._axis_name)

        def on_server() -> tuple[Tree, ...]:
            return solve(self.own, marks, *(value for _, value in known))

        def elsewhere() -> tuple[Tree, ...]:
            return (marks(wide_zeros(self._params)),) * num_trees

        is_server = jax.lax.axis_index(self._axis_name) == 0
        found = jax.lax.cond(is_server, on_server, elsewhere)
        with jax.named_scope("downlink"):
            broadcast: tuple[Tree, ...] = jax.lax.psum(found, self._axis_name)
        return broadcast

    def _server(self, point: Tree) -> Tree:
        assert self._server_operator_fn is not None
        value = self.evaluate("server_operator_fn", self._server_operator_fn, point)
        if differs_between_workers(value, self._axis_name):
            raise ValueError(
                "server_operator_fn must be the same operator on every worker, but its result "
                f"differs along the axis {self._axis_name!r}."
            )
        return value


def projected(project: Projection | None, point: Tree, params: optax.Params) -> Tree:
    """proj_Z of a point; the point where Z is everything."""
    if project is None:
        return point
    nearest = project(point)
    require_matching_tree("the result of project", nearest, params)
    return wide(nearest, params)


def mean_of_vectors(values: Tree, axis_name: str) -> Tree:
    """(1/n) sum_i of whole vectors, which every worker sends."""
    with jax.named_scope("uplink_refresh"):
        return jax.lax.pmean(values, axis_name)


def mean_of_messages(
    compressor: Compressor, key: jax.Array, vectors: Tree, axis_name: str, like: Tree
) -> Tree:
    """(1/n) sum_i Q_i(a_i), in the shapes and dtypes of `like`."""
    with jax.named_scope("uplink_message"):
        mean = compressor.mean(key, tv.concatenate(vectors), axis_name)
    return tv.split_like(mean, like)


def as_rows(values: Tree, params: optax.Params) -> Tree:
    """A worker's own tree as its row of an array over the workers: leaves (1, *shape)."""
    return jax.tree.map(lambda value, p: value.reshape((1, *p.shape)), values, params)


def own_row(rows: Tree, params: optax.Params, axis_name: str) -> Tree:
    """The inverse of `as_rows`, known to differ between the workers."""
    values = jax.tree.map(lambda row, p: row.reshape(p.shape), rows, params)
    return mark_as_differing(values, axis_name)
