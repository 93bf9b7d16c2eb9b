# SPDX-License-Identifier: Apache-2.0
"""Matrices that the devices hold by rows, each decomposed whole on one of them.

Every matrix has an owner. At a refresh each device sends every owner its rows, one message of all
of them (all-to-all), decomposes what it owns, and sends the rows of the bases back. Owners are
chosen so that the dearest matrices come first, each to the device that has least to do. No matrix
is decomposed twice.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._soap_basis import Attempt, decomposed
from ._soap_factors import Factors
from ._soap_places import Place

__all__: list[str] = []


class Matrix(NamedTuple):
    """One square matrix that is not whole on the device that would need it."""

    leaf: int
    axis: int
    entry: int | None  # of a stack
    size: int
    spread: bool  # held by rows; if not, every device has it


def matrices_of(places: Sequence[Place], bases: Sequence[Factors]) -> list[Matrix]:
    """Those of all leaves that are not stacks split along their batch."""
    return [
        Matrix(leaf, axis, entry, basis.shape[-1], place.spread[axis])
        for leaf, (place, of_leaf) in enumerate(zip(places, bases, strict=True))
        if not place.by_matrix
        for axis, basis in enumerate(of_leaf)
        if basis is not None
        for entry in (range(basis.shape[0]) if basis.ndim > 2 else (None,))
    ]


def owners_of(sizes: Sequence[int], devices: int) -> list[int]:
    """The device of every matrix; a decomposition takes the cube of the size."""
    load = [0] * devices
    owners = [0] * len(sizes)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        owners[place] = least = load.index(min(load))
        load[least] += sizes[place] ** 3
    return owners


def decomposed_by_owners(
    decomposition: Callable[..., Attempt],
    places: Sequence[Place],
    *operands: Sequence[Factors],
    wanted: Sequence[jax.Array] | None = None,
) -> tuple[list[Factors], jax.Array]:
    """The decomposition for every axis with a basis, and on how many matrices it failed.

    Args:
      decomposition: of matrices -> a basis, and whether finding it failed.
      places: of the leaves.
      operands: what it is called with, for every leaf and axis the part that the device has.
      wanted: for every leaf whether its matrices are decomposed; if not, the last operand, their
        basis, stays. All if None.
    """
    new: list[list[Any]] = [list(of_leaf) for of_leaf in operands[-1]]
    failures = jnp.zeros([], jnp.int32)
    extra = () if wanted is None else (wanted,)
    attempt = decomposition if wanted is None else _if_wanted(decomposition)

    local = [
        (leaf, axis)
        for leaf, place in enumerate(places)
        if place.by_matrix
        for axis, basis in enumerate(operands[-1][leaf])
        if basis is not None
    ]
    if local:
        columns: list[list[Any]] = [
            [operand[leaf][axis] for leaf, axis in local] for operand in operands
        ]
        flags = [
            [
                jnp.broadcast_to(of_leaf[leaf], columns[0][k].shape[:1])
                for k, (leaf, _) in enumerate(local)
            ]
            for of_leaf in extra
        ]
        found, failed = decomposed(attempt, *columns, *flags)
        failures += failed
        for (leaf, axis), basis in zip(local, found, strict=True):
            new[leaf][axis] = basis

    for matrices in _by_dtype(matrices_of(places, operands[-1]), operands[-1]):
        exchange = _Exchange(matrices, places[0], operands)

        def attempts(*columns: list[jax.Array], matrices: list[Matrix]) -> Any:
            flags = [[of_leaf[matrix.leaf] for matrix in matrices] for of_leaf in extra]
            return decomposed(attempt, *columns, *flags)

        bases, failed = exchange.bases(attempts)
        failures += failed
        for matrix, basis in zip(matrices, bases, strict=True):
            if matrix.entry is None:
                new[matrix.leaf][matrix.axis] = basis
            else:
                stack = new[matrix.leaf][matrix.axis]
                new[matrix.leaf][matrix.axis] = stack.at[matrix.entry].set(basis)
    total = jax.lax.psum(failures, places[0].mesh_axes)
    return [tuple(of_leaf) for of_leaf in new], total


def largest_by_owners(
    number: Callable[..., jax.Array], places: Sequence[Place], *operands: Sequence[Factors]
) -> list[jax.Array]:
    """For every leaf the largest of the numbers of its matrices, at least 0."""
    largest = [jnp.zeros([], jnp.float32) for _ in places]
    for leaf, place in enumerate(places):
        for axis, basis in enumerate(operands[-1][leaf]):
            if place.by_matrix and basis is not None:
                stacks = [operand[leaf][axis] for operand in operands]
                numbers = jax.lax.map(lambda matrices: number(*matrices), stacks)
                largest[leaf] = jnp.maximum(largest[leaf], jnp.max(numbers).astype(jnp.float32))
    for matrices in _by_dtype(matrices_of(places, operands[-1]), operands[-1]):
        exchange = _Exchange(matrices, places[0], operands)
        for matrix, value in zip(matrices, exchange.numbers(number), strict=True):
            largest[matrix.leaf] = jnp.maximum(largest[matrix.leaf], value)
    return list(jax.lax.pmax(largest, places[0].mesh_axes))


def _if_wanted(decomposition: Callable[..., Attempt]) -> Callable[..., Attempt]:
    def attempt(*operands: jax.Array) -> Attempt:
        *matrices, wanted = operands
        return jax.lax.cond(
            wanted,
            lambda: decomposition(*matrices),
            lambda: (matrices[-1], jnp.array(False)),
        )

    return attempt


def _by_dtype(matrices: list[Matrix], bases: Sequence[Factors]) -> list[list[Matrix]]:
    def dtype(matrix: Matrix) -> str:
        basis: Any = bases[matrix.leaf][matrix.axis]
        return str(basis.dtype)

    return [list(group) for _, group in itertools.groupby(sorted(matrices, key=dtype), key=dtype)]


class _Exchange:
    """Rows of matrices to their owners, and rows of bases back."""

    def __init__(
        self, matrices: list[Matrix], place: Place, operands: Sequence[Sequence[Factors]]
    ) -> None:
        self.matrices, self.operands = matrices, operands
        self.devices, self.mesh_axes = place.devices, place.mesh_axes
        self.owners = owners_of([matrix.size for matrix in matrices], self.devices)
        sent = [
            [
                self._part(k, operand).ravel()
                for k in self._spread_of(device)
                for operand in operands
            ]
            for device in range(self.devices)
        ]
        self.received = self._swapped(_stacked(sent, self._dtype))

    def bases(self, attempts: Callable[..., Any]) -> tuple[list[jax.Array], jax.Array]:
        """What attempts(*matrices of every operand, matrices=...) finds; each device its part."""
        everywhere = [k for k, matrix in enumerate(self.matrices) if not matrix.spread]
        longest = max(sum(self._length(k) for k in self._spread_of(d)) for d in range(self.devices))

        def on(device: int, received: jax.Array) -> Any:
            own = self._of(device)
            if own:
                columns = self._whole(device, received)
                found, failed = attempts(*columns, matrices=[self.matrices[k] for k in own])
            else:
                found, failed = [], jnp.zeros([], jnp.int32)
            basis = dict(zip(own, found, strict=True))
            rows = [basis[k].reshape(self.devices, -1) for k in own if self.matrices[k].spread]
            back = jnp.concatenate(
                [*rows, jnp.zeros((self.devices, longest), self._dtype)], axis=1
            )[:, :longest]
            kept = [
                basis.get(k, jnp.zeros((self.matrices[k].size,) * 2, self._dtype))
                for k in everywhere
            ]
            return back, kept, failed

        back, kept, failed = self._on_this_device(on)
        back = self._swapped(back)
        kept = dict(zip(everywhere, jax.lax.psum(kept, self.mesh_axes), strict=True))
        found = []
        offsets = [0] * self.devices
        for k, matrix in enumerate(self.matrices):
            if matrix.spread:
                device = self.owners[k]
                rows = jax.lax.dynamic_slice(back, (device, offsets[device]), (1, self._length(k)))
                offsets[device] += self._length(k)
                found.append(rows.reshape(-1, matrix.size))
            else:
                found.append(kept[k])
        return found, failed

    def numbers(self, number: Callable[..., jax.Array]) -> list[jax.Array]:
        """number(*operands) of every matrix, the same on every device."""

        def on(device: int, received: jax.Array) -> jax.Array:
            values = jnp.zeros(len(self.matrices), jnp.float32)
            for k, *of_matrix in zip(self._of(device), *self._whole(device, received), strict=True):
                values = values.at[k].set(number(*of_matrix).astype(jnp.float32))
            return values

        return list(jax.lax.psum(self._on_this_device(on), self.mesh_axes))

    def _on_this_device(self, on: Callable[[int, jax.Array], Any]) -> Any:
        branches = [
            lambda received, device=device: on(device, received) for device in range(self.devices)
        ]
        return jax.lax.switch(jax.lax.axis_index(self.mesh_axes), branches, self.received)

    def _whole(self, device: int, received: jax.Array) -> list[list[jax.Array]]:
        """For every operand the matrices that the device owns."""
        columns: list[list[jax.Array]] = [[] for _ in self.operands]
        start = 0
        for k in self._of(device):
            matrix = self.matrices[k]
            for column, operand in zip(columns, self.operands, strict=True):
                if matrix.spread:
                    rows = received[:, start : start + self._length(k)]
                    start += self._length(k)
                    column.append(rows.reshape(matrix.size, matrix.size))
                else:
                    column.append(self._part(k, operand))
        return columns

    def _swapped(self, messages: jax.Array) -> jax.Array:
        """Message i of device j becomes message j of device i."""
        return jax.lax.all_to_all(messages, self.mesh_axes, 0, 0, tiled=True)

    def _of(self, device: int) -> list[int]:
        return [k for k, owner in enumerate(self.owners) if owner == device]

    def _spread_of(self, device: int) -> list[int]:
        return [k for k in self._of(device) if self.matrices[k].spread]

    def _length(self, k: int) -> int:
        """Numbers in a device's rows."""
        return self.matrices[k].size ** 2 // self.devices

    def _part(self, k: int, operand: Sequence[Factors]) -> jax.Array:
        matrix = self.matrices[k]
        part: Any = operand[matrix.leaf][matrix.axis]
        return part if matrix.entry is None else part[matrix.entry]

    @property
    def _dtype(self) -> Any:
        return self._part(0, self.operands[-1]).dtype


def _stacked(messages: list[list[jax.Array]], dtype: Any) -> jax.Array:
    """Messages of different lengths as rows."""
    joined = [jnp.concatenate(parts) if parts else jnp.zeros(0, dtype) for parts in messages]
    longest = max(map(len, joined))
    return jnp.stack([jnp.pad(message, (0, longest - len(message))) for message in joined])
