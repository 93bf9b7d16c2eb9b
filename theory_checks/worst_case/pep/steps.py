# SPDX-License-Identifier: Apache-2.0
r"""The steps of a method read off its code: what it asks, as combinations of what it was told.

A method that is linear in its start and in the answers of its oracles,

.. math:: x_k = a_k x_0 + \sum_j h_{kj} g_j,

shows its coefficients when it is run in a space with one axis for each of them: it starts at the
first unit vector, and every new question is answered with the next one. Afterwards it is run
again with random vectors, small and large. If a point is not the combination that was read, the
method is not linear, and worst cases of it are no semidefinite program.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from optzoo.lmo import ConstraintSet

__all__ = [
    "Branch",
    "NotLinear",
    "Oracle",
    "Question",
    "Run",
    "Transcript",
    "read",
    "steps_of",
]

Array = NDArray[np.float64]
Kind = Literal["gradient", "lmo", "project", "free"]
Ask: TypeAlias = Callable[[Kind, int, jax.Array], jax.Array]

SCALES = (1e-6, 1e-3, 1.0, 1e3, 1e6)
"""Of what a method is told, since a threshold may lie anywhere."""
TOLERANCE = 1e-6
"""Some methods keep constants in float32."""


class NotLinear(ValueError):
    """The method is not linear in what its oracles answer; the message says in what way."""


@dataclass(frozen=True, eq=False)
class Oracle:
    """What a method may ask.

    Args:
        start: x_0.
        gradient: (point, component) -> the gradient of f_component, or the operator's value.
        constraint: the set; None where there is none.
        free: number -> a vector of which nothing is said, such as an estimate before a step.
    """

    start: jax.Array
    gradient: Callable[[jax.Array, int], jax.Array]
    constraint: ConstraintSet | None = None
    free: Callable[[int], jax.Array] | None = None


class Run(Protocol):
    """A method on an oracle, step by step: the outputs y_0, ..., y_N."""

    def __call__(self, oracle: Oracle, /) -> list[jax.Array]: ...


class Output(Protocol):
    """State and parameters -> the point that the method hands out, or several, as a tuple."""

    def __call__(self, state: Any, params: jax.Array, /) -> jax.Array | tuple[jax.Array, ...]: ...


class Branch(NamedTuple):
    """What happens with some probability: all coins of the run have fallen."""

    probability: float
    run: Run


class Question(NamedTuple):
    """What a method asked, and which axis the answer has."""

    kind: Kind
    component: int
    row: Array
    axis: int


@dataclass(frozen=True, eq=False)
class Transcript:
    """All that a method asks, in the order in which the questions depend on each other.

    Attributes:
        axes: of the space of coefficients: x_0 and one for each answer.
        questions: each different one once.
        outputs: y_0, ..., y_N of each branch, (branches, N + 1, axes).
        probabilities: of the branches.
    """

    axes: int
    questions: tuple[Question, ...]
    outputs: Array
    probabilities: tuple[float, ...]

    @property
    def matrix(self) -> Array:
        """The step matrix: the outputs of the only branch, rows (1, -h_k0, -h_k1, ...)."""
        if len(self.probabilities) > 1:
            raise ValueError("a method with coins has a step matrix for each branch: see outputs")
        return self.outputs[0]


def steps_of(
    method: optax.GradientTransformation | Callable[[ConstraintSet], optax.GradientTransformation],
    steps: int,
    output: Output | None = None,
    batches: Sequence[int | None] | None = None,
    components: int = 1,
) -> Run:
    """N calls of `update`, each with the gradient at the parameters.

    Args:
        method: the transformation, or a function of the set that makes it.
        steps: N, calls of `update`.
        output: what is looked at before the first and after each call; the parameters themselves
            if None. Several points of a call follow each other.
        batches: the component whose gradient each call is handed; None for the mean of all.
        components: n of the finite sum.

    Returns:
        The run. `update` is offered `grad_fn`, the same batch elsewhere, and `full_grad_fn`.
    """

    def run(oracle: Oracle) -> list[jax.Array]:
        made: Any = method
        transformation = made if hasattr(made, "update") else made(oracle.constraint)
        update = optax.with_extra_args_support(transformation).update

        def full(point: jax.Array) -> jax.Array:
            gradients = [oracle.gradient(point, i) for i in range(components)]
            return sum(gradients[1:], gradients[0]) / components

        def of_batch(batch: int | None) -> Callable[[jax.Array], jax.Array]:
            return full if batch is None else lambda point: oracle.gradient(point, batch)

        params, state = oracle.start, transformation.init(oracle.start)

        def looked_at() -> tuple[jax.Array, ...]:
            seen = params if output is None else output(state, params)
            return seen if isinstance(seen, tuple) else (seen,)

        outputs = [*looked_at()]
        for k in range(steps):
            grad_fn = of_batch(None if batches is None else batches[k])
            updates, state = update(
                grad_fn(params), state, params, grad_fn=grad_fn, full_grad_fn=full
            )
            params = optax.apply_updates(params, updates)
            outputs += looked_at()
        return outputs

    return run


@dataclass(frozen=True, eq=False)
class _AskedSet(ConstraintSet):
    """A set of which nothing is known but what its oracle answers."""

    ask: Ask

    def _lmo(self, direction: Any) -> Any:
        return self.ask("lmo", 0, direction)

    def _project(self, x: Any) -> Any:
        return self.ask("project", 0, x)

    def _contains(self, x: Any, atol: Any) -> jax.Array:
        return jnp.asarray(True)

    def _retract(self, x: Any) -> Any:
        return x

    def _diameter(self, like: Any) -> jax.Array:
        raise NotLinear("the method asks for the diameter of its set; worst cases know none.")


def _oracle(start: Array, ask: Ask) -> Oracle:
    return Oracle(
        jnp.asarray(start),
        lambda point, component: ask("gradient", component, point),
        _AskedSet(ask),
        lambda number: ask("free", number, jnp.zeros_like(start)),
    )


@dataclass(eq=False)
class _Reader:
    """Answers each new question with the next unit vector."""

    capacity: int
    questions: list[Question] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)  # axis of each answer of this branch, in order

    def __call__(self, kind: Kind, component: int, vector: jax.Array) -> jax.Array:
        row = np.asarray(vector, dtype=np.float64)
        for question in self.questions:
            if question[:2] == (kind, component) and np.allclose(
                question.row, row, rtol=1e-7, atol=1e-9
            ):
                break
        else:
            axis = len(self.questions) + 1
            if axis >= self.capacity:
                raise NotLinear(f"the method asks its oracles more than {self.capacity} questions.")
            question = Question(kind, component, row, axis)
            self.questions.append(question)
        self.asked.append(question.axis)
        return jnp.eye(self.capacity)[question.axis]


def read(branches: Sequence[Branch], *, capacity: int) -> Transcript:
    """Reads the steps off the code of a method, and checks that they are all there is to it.

    Args:
        branches: with the probability of each; one for a method without coins.
        capacity: the most questions that are expected.

    Returns:
        The transcript, in float64.

    Raises:
        NotLinear: if the method is not linear in the start and the answers, alike in every
            coordinate, or never asks the same twice.

    Example:
        >>> run = steps_of(optax.sgd(0.5, momentum=0.5), steps=2)
        >>> read([Branch(1.0, run)], capacity=8).matrix.tolist()
        [[1.0, 0.0, 0.0], [1.0, -0.5, 0.0], [1.0, -0.75, -0.5]]
    """
    size = 32 * -(-(capacity + 1) // 32)  # few shapes, so that little is compiled
    reader = _Reader(size)
    outputs, questions = [], []
    # Outside jit every point is known where it is asked about.
    with jax.enable_x64(True), jax.disable_jit():
        for branch in branches:
            reader.asked = []
            found = branch.run(_oracle(np.eye(size)[0], reader))
            outputs.append([np.asarray(one, dtype=np.float64) for one in found])
            questions.append(list(reader.asked))
        for branch, rows, axes in zip(branches, outputs, questions, strict=True):
            asked = [reader.questions[axis - 1].row for axis in axes]
            _require_linear(branch.run, axes, np.array(asked + rows))
    axes_used = len(reader.questions) + 1
    return Transcript(
        axes_used,
        tuple(one._replace(row=one.row[:axes_used]) for one in reader.questions),
        np.array(outputs)[:, :, :axes_used],
        tuple(branch.probability for branch in branches),
    )


def _replayed(run: Run, axes: Sequence[int], vectors: Array) -> Array:
    """What the method asks and hands out when it is told these vectors, whatever it asks."""
    points: list[Array] = []
    left = list(axes)

    def ask(kind: Kind, component: int, vector: jax.Array) -> jax.Array:
        points.append(np.asarray(vector, dtype=np.float64))
        if not left:
            raise NotLinear("the number of questions that the method asks depends on the answers.")
        return jnp.asarray(vectors[left.pop(0)])

    outputs = run(_oracle(vectors[0], ask))
    return np.array(points + [np.asarray(one, dtype=np.float64) for one in outputs])


def _require_linear(run: Run, axes: Sequence[int], rows: Array) -> None:
    """Raises unless every point is the combination of the start and the answers that was read."""
    size = rows.shape[1]
    vectors = np.random.default_rng(0).normal(size=(size, size))

    def close(a: Array, b: Array, size: float) -> bool:
        return a.shape == b.shape and bool(np.all(np.abs(a - b) <= TOLERANCE * size))

    for scale in SCALES:
        told = scale * vectors
        points = _replayed(run, axes, told)
        largest = scale * (1 + np.max(np.sum(np.abs(rows), axis=1)))
        if not np.all(np.isfinite(rows)) or not close(points, rows @ told, largest):
            raise NotLinear(_reason(run, axes, vectors, scale))


def _reason(run: Run, axes: Sequence[int], vectors: Array, scale: float) -> str:
    """In which way a method is not linear, alike in every coordinate."""
    no_program = "so that its worst case is no semidefinite program."

    def replayed(told: Array) -> Array:
        return _replayed(run, axes, told)

    def differs(a: Array, b: Array) -> float:
        largest = float(np.max(np.abs(b))) or 1.0
        return float(np.max(np.abs(a - b))) / largest if a.shape == b.shape else np.inf

    at_rest = np.abs(replayed(0 * vectors)).max()
    if at_rest > 0:
        return (
            f"the method moves by {at_rest:.2g} from 0 on zero gradients: it adds noise or a "
            f"constant, {no_program}"
        )
    base = replayed(vectors)
    off = differs(replayed(scale * vectors), scale * base)
    if off > TOLERANCE:
        return (
            f"the method is not homogeneous in its gradients: on a start and gradients {scale:g} "
            f"times as large its points are not {scale:g} times as large (off by {off:.2g} of "
            f"their size). It normalizes or clips, {no_program}"
        )
    order = np.roll(np.arange(vectors.shape[1]), 1)
    turned = replayed(vectors[:, order])
    if differs(turned, base[:, order]) > TOLERANCE:
        return f"the method does not treat all coordinates alike, {no_program}"
    return (
        "the method is not additive in its gradients, or not alike in every coordinate: its points "
        f"are no combinations of the start and the gradients, {no_program}"
    )
