# SPDX-License-Identifier: Apache-2.0
"""Where the theorems are evaluated: a method with its steps, batches and epochs on an instance."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant, LinearModel
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import index_probability

from ...setting import Parameters, Setting
from ...simulation import Experiment, Watch
from ..frank_wolfe.instances import Instance
from ..frank_wolfe.processes import Method
from .processes import MethodRun

__all__ = [
    "MethodSetting",
    "Plan",
    "momentum",
    "sag",
    "sagafw",
    "spider",
    "spider_constant",
    "stochastic",
    "svrf",
]

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """What a method does, step by step, written down here once more.

    Args:
        steps: eta_k.
        calls: of `update` that step k takes.
        fresh: whether step k has a full gradient.
    """

    steps: Array
    calls: NDArray[np.int64]
    fresh: NDArray[np.bool_]

    @classmethod
    def of(
        cls, steps: Array, calls: Any = 1, fresh: Any = False, *, horizon: int | None = None
    ) -> "Plan":
        """With one call a step, and no full gradients, where nothing else is said."""
        shape = steps.shape
        return cls(
            steps[:horizon],
            np.broadcast_to(np.asarray(calls, dtype=np.int64), shape)[:horizon],
            np.broadcast_to(np.asarray(fresh, dtype=bool), shape)[:horizon],
        )

    def steps_after(self, calls: Any) -> NDArray[np.int64]:
        """How many steps are complete after so many calls."""
        return np.searchsorted(np.cumsum(self.calls), np.asarray(calls), side="right")

    def calls_to(self, steps: Any) -> NDArray[np.int64]:
        """The calls that so many steps take."""
        return np.append(0, np.cumsum(self.calls))[np.asarray(steps)]


@final
@dataclass(frozen=True, eq=False)
class MethodSetting(Setting):
    """A method with its paper's numbers on an instance.

    Args:
        place: the instance.
        run: the method on it.
        plan: what it does in which step.
        arguments: what the bounds take beside the constants: arrays over the steps.
        known: constants beside those of the instance, or in place of them.
        chosen: parameters in words.
        name: of the experiment.
        checkpoints: numbers of steps at which it is looked at.
        lanes: of the experiment.
    """

    place: Instance
    run: MethodRun
    plan: Plan
    arguments: tuple[Array, ...]
    known: Mapping[str, Constant] = field(default_factory=dict)
    chosen: Parameters = field(default_factory=dict)
    name: str = ""
    checkpoints: tuple[int, ...] = ()
    lanes: int = 1

    @property
    def words(self) -> str:
        return self.place.words

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        return {**self.place.constants, **self.run.constants, **self.known}

    @property
    def parameters(self) -> Parameters:
        return {**self.run.parameters, **self.chosen}

    def certify(self) -> None:
        self.place.problem.certify()

    def experiment(
        self, method: Method | None = None, watch: Mapping[str, Watch] | None = None
    ) -> Experiment:
        """The run, looked at where its steps are complete: of a mutant on request."""
        run = self.run if method is None else replace(self.run, method=method)
        calls = tuple(int(count) for count in self.plan.calls_to(self.checkpoints))
        return Experiment(self.name, run, calls, watch, self.lanes)

    def along(self, theorem: Theorem, *, first: int = 0, **changes: Any) -> Array:
        """The bound where it is looked at.

        Args:
            theorem: whose bound is a curve over the steps.
            first: the number of steps that its first entry belongs to.
            **changes: of the constants.
        """
        curve: Array = self.bound(theorem, *self.arguments, **changes)
        return curve[np.asarray(self.checkpoints) - first]


# --- Constants of an instance that only these theorems need ---


def sample_deviation(place: Instance) -> Constant:
    """sigma: the largest standard deviation of a sample's gradient, for affine gradients.

    The variance is then a convex function of x, and largest at a vertex of the set.
    """
    problem, vertices = place.problem, _vertices(place)
    everyone = jnp.arange(problem.num_samples)
    largest = 0.0
    for vertex in vertices:
        rows = np.asarray(problem.sample_gradients(jnp.asarray(vertex), everyone))
        largest = max(largest, float(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1))))
    return Constant(largest**0.5, "exact", derivation="convex in x: at a vertex of the set")


def _vertices(place: Instance) -> Array:
    """Of an l1 ball, a simplex, or an interval: what the oracle answers along the axes."""
    axes = np.eye(place.problem.dim)
    found = [place.constraint.lmo(jnp.asarray(sign * axis)) for sign in (1, -1) for axis in axes]
    return np.unique(np.asarray(found), axis=0)


def image_diameters(place: Instance) -> dict[str, Constant]:
    """D_1, D_2 and D_inf, the diameters of A X: convex in both points, attained at vertices."""
    assert isinstance(place.problem, LinearModel)
    images = _vertices(place) @ np.asarray(place.problem.features).T
    apart = images[:, None] - images[None]
    return {
        f"D_{name}": Constant(
            float(np.linalg.norm(apart, order, axis=-1).max()),
            "exact",
            derivation="over pairs of vertices",
        )
        for name, order in (("1", 1), ("2", 2), ("inf", np.inf))
    }


# --- The methods with their papers' numbers ---


def _tables(*arrays: Any) -> tuple[Array, ...]:
    return tuple(np.asarray(array, dtype=np.float64) for array in arrays)


def _run(place: Instance, steps: Array, b: int, method: Method, **fields: Any) -> MethodRun:
    return MethodRun(
        problem=place.problem,
        constraint=place.constraint,
        x0=jnp.asarray(place.x0),
        steps=jnp.asarray(steps),
        f_star=jnp.asarray(place.f_star.value),
        batch_size=b,
        method=method,
        **fields,
    )


def stochastic(
    place: Instance, horizon: int, b: int = 1, *, steps: Any = None, samples: Any = None
) -> MethodSetting:
    """SFW; the paper's steps and batches where none are given."""
    k = np.arange(horizon, dtype=np.float64)
    own = steps is None
    eta = 2 / (k + 2) if own else np.broadcast_to(np.asarray(steps, dtype=np.float64), k.shape)
    sigma = sample_deviation(place)
    if samples is None:
        known = place.constants
        samples = optzoo.growing_batches(sigma.value, known["L"].value, known["D"].value)(k)
    wanted = np.maximum(np.broadcast_to(np.asarray(samples, dtype=np.float64), k.shape), 1.0)
    calls = np.ceil(wanted / b).astype(np.int64)
    run = _run(
        place,
        eta,
        b,
        optzoo.stochastic_frank_wolfe,
        schedules={"samples_per_step": jnp.asarray(wanted)},
        fixed=(("batch_size", b),),
        own_steps=own,
    )
    return MethodSetting(
        place, run, Plan.of(eta, calls), _tables(eta, 1 / (b * calls)), known={"sigma": sigma}
    )


def momentum(
    place: Instance, horizon: int, b: int = 1, *, steps: Any = None, weights: Any = None
) -> MethodSetting:
    """SCG; the paper's steps and weights where none are given."""
    k = np.arange(horizon + 1, dtype=np.float64)
    own = steps is None
    eta = 1 / (k[:-1] + 1) if own else np.broadcast_to(np.asarray(steps, float), (horizon,))
    rho = 4 / (k + 8) ** (2 / 3) if weights is None else np.asarray(weights, dtype=np.float64)
    given = {} if weights is None else {"momentum": jnp.asarray(rho)}
    run = _run(place, eta, b, optzoo.momentum_frank_wolfe, schedules=given, own_steps=own)
    return MethodSetting(
        place, run, Plan.of(eta), _tables(eta, rho), known={"sigma": sample_deviation(place)}
    )


def sag(
    place: Instance, horizon: int, b: int = 1, *, steps: Any = None, warm: bool = False
) -> MethodSetting:
    """SAG; the paper's steps where none are given, and a table of zeros unless it is warm."""
    k = np.arange(horizon, dtype=np.float64)
    problem = place.problem
    assert isinstance(problem, LinearModel)
    n = problem.num_samples
    a = index_probability(n, b, replacement=True)
    own = steps is None
    eta = 2 / (k + 2) if own else np.broadcast_to(np.asarray(steps, float), k.shape)
    run = _run(
        place,
        eta,
        b,
        optzoo.sag_frank_wolfe,
        fixed=(("num_samples", n),),
        linear=True,
        warm=warm,
        own_steps=own,
    )
    slopes = problem.sample_slopes(jnp.asarray(place.x0), jnp.arange(n))
    steepest = abs(problem.mean_curvature) + problem.curvature_radius
    off = 0.0 if warm else (1 - a) * float(jnp.sum(abs(slopes)))
    known = {
        "L_phi": Constant(steepest, "exact", derivation="largest curvature of the loss"),
        **image_diameters(place),
        "n": Constant(n, "exact", derivation="number of samples"),
        "a": Constant(a, "exact", derivation="probability that an index is in a batch"),
        "H_0": Constant(off, "exact", derivation="of the table at first"),
    }
    return MethodSetting(place, run, Plan.of(eta), _tables(eta), known=known)


def sagafw(place: Instance, horizon: int, b: int = 1, *, steps: Any = None) -> MethodSetting:
    """SAGAFW; steps 1 / sqrt(K) where none are given."""
    n = place.problem.num_samples
    a = index_probability(n, b, replacement=True)
    eta = np.broadcast_to(np.asarray(horizon**-0.5 if steps is None else steps, float), (horizon,))
    run = _run(place, eta, b, optzoo.sagafw, fixed=(("num_samples", n),), twice=True, warm=True)
    known = {"a": Constant(a, "exact", derivation="probability that an index is in a batch")}
    return MethodSetting(place, run, Plan.of(eta), _tables(eta), known=known)


def _epochs(lengths: Any, horizon: int) -> tuple[Array, Array]:
    """For each step its place in its epoch, from 0, and the length of that epoch."""
    place: list[int] = []
    length: list[int] = []
    for count in lengths:
        place.extend(range(count))
        length.extend([count] * count)
        if len(place) >= horizon:
            break
    return np.array(place[:horizon]), np.array(length[:horizon])


def svrf(
    place: Instance, horizon: int, b: int = 1, *, steps: Any = None, samples: Any = None
) -> MethodSetting:
    """SVRF, its start and epochs of 2^(t+3) - 2 steps; the paper's steps and batches if None.

    Args:
        place: the instance.
        horizon: steps in all.
        b: samples in a micro batch.
        steps: eta_k by the place of a step in its epoch.
        samples: of step k, alike, an array over places in an epoch or a number.
    """
    k, _ = _epochs((1, *(2 ** (t + 3) - 2 for t in range(1, 20))), horizon)
    by_place = np.arange(k.max() + 1.0)
    own = steps is None
    table = 2 / (by_place + 2) if own else np.resize(np.asarray(steps, float), len(by_place))
    eta, fresh = table[k], k == 0
    eta[0] = 1.0  # the start
    wanted = (
        96 * (by_place + 2)
        if samples is None
        else np.resize(np.asarray(samples, float), len(by_place))
    )
    given = {} if samples is None else {"samples_per_step": jnp.asarray(wanted)}
    calls = np.where(fresh, 1, np.ceil(wanted[k] / b)).astype(np.int64)
    run = _run(
        place,
        table,
        b,
        optzoo.svrf,
        schedules=given,
        fixed=(("batch_size", b),),
        own_steps=own,
    )
    return MethodSetting(
        place, run, Plan.of(eta, calls, fresh), (*_tables(eta, 1 / (b * calls)), fresh)
    )


def spider(place: Instance, horizon: int, b: int = 1) -> MethodSetting:
    """SPIDER for convex functions, with the paper's epochs, steps and batches."""
    k, length = _epochs((2**t for t in range(30)), horizon)
    eta, fresh = 2 / (length + k + 1.0), k == 0
    calls = np.where(fresh, 1, np.ceil(length / b)).astype(np.int64)
    run = _run(
        place,
        eta,
        b,
        optzoo.spider_frank_wolfe,
        fixed=(("batch_size", b),),
        own_steps=True,
    )
    return MethodSetting(
        place, run, Plan.of(eta, calls, fresh), (*_tables(eta, 1 / (b * calls)), fresh)
    )


def spider_constant(
    place: Instance, horizon: int, b: int = 1, *, epoch: int, steps: Any = None
) -> MethodSetting:
    """SPIDER with epochs of q steps and batches of b; steps 1 / sqrt(K) where none are given."""
    eta = np.broadcast_to(np.asarray(horizon**-0.5 if steps is None else steps, float), (horizon,))
    fresh = np.arange(horizon) % epoch == 0
    run = _run(
        place,
        eta,
        b,
        optzoo.spider_frank_wolfe,
        fixed=(("batch_size", b), ("epoch_length", epoch)),
    )
    return MethodSetting(
        place, run, Plan.of(eta, 1, fresh), (*_tables(eta, np.full(horizon, 1 / b)), fresh)
    )
