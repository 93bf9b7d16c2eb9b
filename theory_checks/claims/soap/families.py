# SPDX-License-Identifier: Apache-2.0
"""Families of instances for Shampoo's regret: what `theory-checks attack` searches.

Streams of losses of a 2 x 2 matrix in which a few rounds, of any features and targets, come again
and again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.problems import LeastDistancesStream, LeastSquaresStream, MatrixStream
from optzoo.theorems import Theorem
from optzoo.theorems.soap import S7, S8

from ...checks import ExactInequality
from ...claim import Case
from ...worst_case.attack import InstanceFamily, OneOf, Real, Whole
from .regret import sides
from .settings import Game, Make, ShampooSetting, played

__all__ = ["FAMILIES", "SearchedRegret", "distances", "squares"]

Varies: TypeAlias = dict[str, Real | Whole | OneOf]

SIZE = 2
"""The matrix is square."""


def distances(
    rounds: int, features: Sequence[float], planted: Sequence[float], *, turns: int
) -> MatrixStream:
    """Losses |W x - W* x|, summed over a round.

    Args:
        rounds: T.
        features: x of each of the rounds, one after the other.
        planted: W*.
        turns: so many rounds come again and again.
    """
    best = np.asarray(planted, dtype=np.float64).reshape(SIZE, SIZE)
    return LeastDistancesStream.of(_in_turn(rounds, features, turns), jnp.asarray(best))


def squares(
    rounds: int, features: Sequence[float], targets: Sequence[float], *, turns: int
) -> MatrixStream:
    """Losses |W x - y|^2 / 2, summed over a round.

    Args:
        rounds: T.
        features: x of each of the rounds, one after the other.
        targets: y of each of them.
        turns: so many rounds come again and again.
    """
    return LeastSquaresStream(_in_turn(rounds, features, turns), _in_turn(rounds, targets, turns))


def _in_turn(rounds: int, vectors: Sequence[float], turns: int) -> jax.Array:
    each = np.asarray(vectors, dtype=np.float64).reshape(turns, -1, SIZE)
    return jnp.asarray(each[np.arange(rounds) % turns])


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class SearchedRegret(ShampooSetting):
    """Shampoo on any stream.

    Args:
        matrices: the stream.
        text: it in words.
        eta: the step.
        largest: D, if the step is made for it.

    Raises:
        ValueError: if the path is farther than D from the best matrix.
    """

    matrices: MatrixStream
    text: str
    eta: float
    largest: float | None = None

    def __post_init__(self) -> None:
        if self.largest is not None:
            found = float(self.play().distances.max())
            if not found <= self.largest:
                raise ValueError(f"D must be at least {found:.6g}, got {self.largest:.6g}")

    @property
    def words(self) -> str:
        return self.text

    @property
    def place(self) -> MatrixStream:
        return self.matrices

    @property
    def horizons(self) -> tuple[int, ...]:
        return self.place.rounds // 4, self.place.rounds

    @property
    def given(self) -> float | None:
        return None if self.largest is not None else self.eta

    def play(self, method: Make = optzoo.shampoo) -> Game:
        game = played(method, self.place, self.horizons, self.eta)
        if self.largest is None:
            return game
        return game._replace(D=np.full(len(self.horizons), self.largest))


def _case(
    theorem: Theorem,
    rounds: int,
    *,
    stream: Callable[..., MatrixStream],
    turns: int,
    reach: float | None = None,
    eta: float | None = None,
    **numbers: Any,
) -> Case:
    """With any step, or with that for a D in units of the distance from the start to W*."""
    place, D = stream(rounds, turns=turns, **numbers), None
    if eta is None:
        assert reach is not None
        D = reach * max(float(np.linalg.norm(place.best_fixed(T))) for T in (rounds // 4, rounds))
        eta = D / float(np.sqrt(2 * place.rank))
    setting = SearchedRegret(
        matrices=place,
        text=f"{stream.__name__} in {rounds} rounds for a matrix, {turns} of them in turn",
        eta=eta,
        largest=D,
    )
    return Case(
        setting,
        ExactInequality(
            partial(sides, setting, theorem), tolerance=1e-9, what="two horizons, exactly"
        ),
    )


def _families(theorem: Theorem, step: Varies) -> Iterator[InstanceFamily]:
    """One round again and again, and four in turn, with one feature in a round or with two."""
    for turns, batch in ((1, 1), (4, 1), (4, 2)):
        vectors = turns * batch * SIZE
        for stream, best in (
            (distances, {"planted": Real(-2.0, 2.0, size=SIZE**2)}),
            (squares, {"targets": Real(-2.0, 2.0, size=vectors)}),
        ):
            features = {"features": Real(-1.0, 1.0, size=vectors)}
            others: Varies = {**features, **best, "rounds": OneOf(8, 64)}
            words = f"{theorem.label}, {stream.__name__}, {turns} in turn, {batch} a round"
            made = partial(_case, stream=stream, turns=turns)
            yield InstanceFamily(words, made, step | others, (theorem,))


FAMILIES: tuple[InstanceFamily, ...] = (
    *_families(S7, {"reach": Real(1.0, 10.0, log=True)}),
    *_families(S8, {"eta": Real(0.02, 10.0, log=True)}),
)
