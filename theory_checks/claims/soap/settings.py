# SPDX-License-Identifier: Apache-2.0
"""SOAP on given gradients, and Shampoo on online problems whose best fixed matrix is known."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    CertificateError,
    Constant,
    LeastDistancesStream,
    LeastSquaresStream,
    MatrixStream,
    breast_cancer,
)
from optzoo.theorems.soap import S6, Soap

from ...setting import Setting, chosen
from ...simulation.iterates import Tree, iterates

__all__ = [
    "EPSILON",
    "HORIZONS",
    "INPUTS",
    "OUTPUTS",
    "STREAMS",
    "Game",
    "Make",
    "RegretSetting",
    "ShampooSetting",
    "SoapSetting",
    "drifting_gradients",
    "played",
    "standardized",
]

Array = NDArray[np.float64]
Make = Callable[..., optax.GradientTransformationExtraArgs]

# Columns of the data: radius, texture, smoothness, concavity, symmetry and fractal dimension as
# means over the cells, and the worst radius, texture, smoothness and symmetry.
INPUTS, OUTPUTS = (0, 1, 4, 6, 8, 9), (20, 21, 24, 28)


def standardized() -> Array:
    """The columns of the breast-cancer data, each with mean 0 and variance 1."""
    columns, _ = breast_cancer()
    return np.asarray((columns - columns.mean(axis=0)) / columns.std(axis=0))


# --- SOAP, call by call ---


@final
@dataclass(frozen=True, kw_only=True)
class SoapSetting(Setting):
    """SOAP with its numbers on gradients whose scales wander.

    Args:
        text: the leaves in words.
        shapes: name -> shape of a leaf.
        calls: number of gradients.
        structure: arguments of `optzoo.soap` that are no numbers, such as `max_precond_dim`.
    """

    text: str
    shapes: Mapping[str, tuple[int, ...]]
    calls: int = 100
    eta: float = 1e-2
    beta_1: float = 0.9
    beta_2: float = 0.95
    s: float = 0.95
    epsilon: float = 1e-8
    decay: float = 0.1
    f: int = 4
    structure: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> dict[str, Constant]:
        return chosen(**{one.name: getattr(self, one.name) for one in fields(Soap)})

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {name.replace("_", " "): str(value) for name, value in self.structure.items()}

    def given(self, *names: str) -> tuple[Tree, Tree]:
        """The start and the gradients of these leaves, or of all."""
        trees, kept = _given(tuple(self.shapes.items()), self.calls), names or tuple(self.shapes)
        start, gradients = ({name: tree[name] for name in kept} for tree in trees)
        return start, gradients

    def run(
        self,
        start: Tree,
        gradients: Tree,
        *,
        method: Make = optzoo.soap,
        structure: Mapping[str, Any] | None = None,
        **changes: float,
    ) -> dict[str, Array]:
        """The parameters after every call: of a mutant, or with other arguments, on request."""
        numbers = self.of(S6, **changes)
        return iterates(
            method,
            start,
            gradients,
            structure=self.structure if structure is None else structure,
            learning_rate=numbers.eta,
            b1=numbers.beta_1,
            b2=numbers.beta_2,
            shampoo_beta=numbers.s,
            eps=numbers.epsilon,
            weight_decay=numbers.decay,
            precondition_frequency=numbers.f,
        )


def drifting_gradients(shapes: Mapping[str, tuple[int, ...]], calls: int) -> tuple[Tree, Tree]:
    """A start, and Gaussian gradients whose scales along every axis wander.

    The eigenvalues of their Gram matrices change order, so that what is sorted moves.

    Args:
        shapes: name -> shape of a leaf.
        calls: number of gradients.

    Returns:
        The start, and for every leaf its gradients, shape (calls, *shape).
    """
    generator = np.random.default_rng(0)
    start, gradients = {}, {}
    for name, shape in shapes.items():
        start[name] = generator.standard_normal(shape)
        g = generator.standard_normal((calls, *shape))
        for axis, size in enumerate(shape):
            phase = 0.03 * np.arange(calls)[:, None] + 1.7 * np.arange(size)
            scale = (1 + 0.8 * np.sin(phase)).reshape(
                calls, *(size if j == axis else 1 for j in range(len(shape)))
            )
            g = g * scale
        gradients[name] = g
    return start, gradients


@cache
def _given(shapes: tuple[tuple[str, tuple[int, ...]], ...], calls: int) -> tuple[Tree, Tree]:
    return drifting_gradients(dict(shapes), calls)


# --- Shampoo's regret ---

EPSILON = 1e-6
SHAPE = (4, 6)
HORIZONS = (4, 16, 64, 256, 512)
STREAMS = {
    "one": "distances $|Wx - W^* x|$ with one feature",
    "in-turn": "distances $|Wx - W^* x|$ with six orthogonal features in turn",
    "random": "distances $|Wx - W^* x|$ with random features",
    "batches": "distances $|Wx - W^* x|$ with random features in batches of three",
    "real": "least squares on the rows of breast cancer",
}


@cache
def _streams() -> dict[str, MatrixStream]:
    generator = np.random.default_rng(0)
    (_, n), rounds = SHAPE, HORIZONS[-1]
    drawn = generator.standard_normal(SHAPE)
    planted = jnp.asarray(drawn / np.linalg.norm(drawn))
    directions = np.linalg.qr(generator.standard_normal((n, n)))[0]
    turn = np.arange(rounds) * n // rounds

    def unit(batch: int) -> Array:
        x = generator.standard_normal((rounds, batch, n))
        return np.asarray(x / np.linalg.norm(x, axis=2, keepdims=True))

    columns = standardized()[:rounds, None]
    of = LeastDistancesStream.of
    alone = jnp.asarray(np.broadcast_to(directions[0], (rounds, 1, n)))
    return {
        # The best matrix has no part that the only feature does not see: the bound's D is tight.
        "one": of(alone, jnp.outer(jnp.eye(SHAPE[0])[0], directions[0])),
        "in-turn": of(jnp.asarray(directions[turn][:, None]), planted),
        "random": of(jnp.asarray(unit(1)), planted),
        "batches": of(jnp.asarray(unit(3)), planted),
        "real": LeastSquaresStream(
            jnp.asarray(columns[..., INPUTS]), jnp.asarray(columns[..., OUTPUTS])
        ),
    }


class Game(NamedTuple):
    """What Shampoo did on a stream."""

    eta: float
    gradients: Array  # G_1, ..., G_T, shape (rounds, m, n)
    regrets: Array  # at every horizon, against the best matrix W* up to it
    distances: Array  # the largest |W_t - W*|_F up to every horizon
    D: Array  # the one that the step was made for, or those distances


@dataclass(frozen=True, kw_only=True, eq=False)
class ShampooSetting(Setting):
    """Shampoo on a stream, from 0; abstract."""

    @property
    @abc.abstractmethod
    def place(self) -> MatrixStream:
        """The stream."""

    @property
    @abc.abstractmethod
    def horizons(self) -> tuple[int, ...]:
        """Where regrets are taken."""

    @property
    @abc.abstractmethod
    def given(self) -> float | None:
        """The step; None where it is that of S7."""

    @abc.abstractmethod
    def play(self, method: Make = optzoo.shampoo) -> Game:
        """Shampoo, or a mutant, with its step."""

    @property
    def constants(self) -> dict[str, Constant]:
        game = self.play()
        step, how = "chosen", "the largest distance; an earlier horizon has its own"
        if self.given is None:
            step, how = r"$D / \sqrt{2r}$", "no distance exceeds it, verified on the path"
        return {
            "D": Constant(float(game.D.max()), "certified", derivation=how),
            "r": Constant(self.rank, "exact", derivation="outer products in a gradient"),
            "eta": Constant(game.eta, "exact", derivation=step),
            **chosen(epsilon=EPSILON),
        }

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {"horizons": ", ".join(map(str, self.horizons))}

    @property
    def rank(self) -> int:
        """R, which no gradient's rank exceeds."""
        return self.place.rank

    def certify(self) -> None:
        """The distances and the ranks along the path."""
        game = self.play()
        if np.any(game.distances > game.D):
            raise CertificateError(f"distances {game.distances} exceed D = {game.D}")
        largest = int(np.linalg.matrix_rank(game.gradients).max())
        if largest > self.rank:
            raise CertificateError(f"a gradient has the rank {largest}, above r = {self.rank}")


@final
@dataclass(frozen=True, kw_only=True)
class RegretSetting(ShampooSetting):
    """One of the streams that have a name.

    Args:
        stream: one of `STREAMS`.
        eta: the step; the one that S7 prescribes if None.
    """

    stream: str
    eta: float | None = None

    @property
    def words(self) -> str:
        size = f"{HORIZONS[-1]} rounds for a ${SHAPE[0]} \\times {SHAPE[1]}$ matrix"
        return f"{size}: {STREAMS[self.stream]}"

    @property
    def place(self) -> MatrixStream:
        return _streams()[self.stream]

    @property
    def horizons(self) -> tuple[int, ...]:
        return HORIZONS

    @property
    def given(self) -> float | None:
        return self.eta

    def play(self, method: Make = optzoo.shampoo) -> Game:
        """Shampoo, or a mutant; the prescribed step is for the first D of a grid that fits."""
        if self.eta is not None:
            return played(method, self.place, self.horizons, self.eta)
        for D in (1.2 ** np.arange(40)).tolist():
            eta = float(D / np.sqrt(2 * self.rank))
            game = played(method, self.place, self.horizons, eta)
            if game.distances.max() <= D:
                return game._replace(D=np.full(len(self.horizons), D))
        raise ValueError(f"no D fits the path on the stream {self.stream!r}")


@lru_cache(maxsize=512)
def played(method: Make, stream: MatrixStream, horizons: tuple[int, ...], eta: float) -> Game:
    """What a method does on a stream with this step, and D as its own distances."""
    path, gradients = (np.asarray(part) for part in _play(method, eta, stream))
    regrets = [stream.regret(jnp.asarray(path), horizon) for horizon in horizons]
    distances = np.array(
        [
            np.max(np.linalg.norm(path[:horizon] - stream.best_fixed(horizon), axis=(1, 2)))
            for horizon in horizons
        ]
    )
    return Game(eta, gradients, np.array(regrets), distances, distances)


@partial(jax.jit, static_argnums=0)
def _play(method: Make, eta: float, stream: MatrixStream) -> tuple[jax.Array, jax.Array]:
    """W_t and G_t of all rounds, from W_1 = 0."""
    shampoo = method(eta, EPSILON)

    def step(
        carry: tuple[optax.Params, optax.OptState], t: jax.Array
    ) -> tuple[tuple[optax.Params, optax.OptState], tuple[jax.Array, jax.Array]]:
        w, state = carry
        g = stream.gradient(w, t)
        updates, state = shampoo.update(g, state, w)
        return (optax.apply_updates(w, updates), state), (w, g)

    w = jnp.zeros(stream.shape)
    return jax.lax.scan(step, (w, shampoo.init(w)), jnp.arange(stream.rounds))[1]
