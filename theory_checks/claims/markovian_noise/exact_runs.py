"""Bounds along whole runs beside exact expectations: what is run, on which problems.

The expectations are those of linear recursions for the second moments, from every starting state
of the chain; the bounds are those of the package's parameter classes. Nothing is sampled.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    LinearMethodMoments,
    MarkovianProblem,
    MarkovianQuadratic,
    MethodMoments,
    additive_noise_quadratic,
    multiplicative_noise_quadratic,
)

from ...checks import ExactInequality
from .paper import chains, slow_chain

__all__ = [
    "Family",
    "Instance",
    "Noise",
    "along_the_runs",
    "at_the_floors",
    "horizon_of",
    "is_additive",
    "is_multiplicative",
    "largest_step",
    "mixed_noise_quadratic",
    "noise_of",
    "plain_batch_of_that_price",
    "quadratics",
    "ratios",
    "single_samples",
]

Array = NDArray[np.float64]
Noise = optzoo.MarkovianNoise
Bound = Any  # one of the bounds of optzoo.markovian_parameters
AnyBound = TypeVar("AnyBound")


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem with the batch and the step of a method on it.

    Args:
        name: unique.
        problem: an affine one.
        bound: the theorem with its constants.
        start: x^0.
        horizon: the number of iterations that are looked at.
    """

    name: str
    problem: MarkovianProblem
    bound: Bound
    start: Array
    horizon: int


@dataclass(frozen=True, eq=False)
class Family:
    """A theorem: its instances, the recursion of its method, and its metric.

    Args:
        instances: makes them.
        moments: instance, B, m -> the recursion.
        metric: instance, moments at all iterations 0, 1, ... -> shape (iterations, starts).
        initial: instance -> what the bound starts from.
    """

    instances: Callable[[], tuple[Instance, ...]]
    moments: Callable[[Instance, int, int], LinearMethodMoments]
    metric: Callable[[Instance, MethodMoments], Array]
    initial: Callable[[Instance], float]


def noise_of(problem: MarkovianProblem) -> Noise:
    """The constants of its noise, as the parameter classes want them."""
    constants = problem.constants
    return Noise(
        problem.chain.mixing_time,
        constants["sigma"].value,
        constants[problem.noise_factor].value,
    )


def largest_step(make: Callable[[float], AnyBound], largest: float) -> AnyBound:
    """The bound with the longest step that the theorem allows, to a tenth."""
    step = largest
    for _ in range(200):
        try:
            return make(step)
        except ValueError:
            step *= 0.9
    raise ValueError("no step is short enough")


def mixed_noise_quadratic(mixing_time: int, eigenvalues: Array, delta: float) -> MarkovianQuadratic:
    """Additive noise in two states of the chain, multiplicative noise in the two others."""
    chain = slow_chain(mixing_time, (0.25,) * 4)
    flattest = np.arange(len(eigenvalues)) == np.argmin(np.where(eigenvalues > 0, eigenvalues, 9e9))
    return MarkovianQuadratic(
        chain,
        jnp.asarray(eigenvalues),
        jnp.zeros(len(eigenvalues)),
        jnp.asarray(flattest.astype(np.float64)),
        jnp.array([1.0, -1.0, 0.0, 0.0]),
        delta * jnp.array([0.0, 0.0, 1.0, -1.0]),
    )


def quadratics(eigenvalues: tuple[float, ...]) -> dict[str, MarkovianQuadratic]:
    """Quadratics with additive noise on all chains, with multiplicative and with mixed noise."""
    spectrum = np.asarray(eigenvalues)
    found = {
        f"{name}-additive": additive_noise_quadratic(chain, spectrum)
        for name, chain in chains().items()
    }
    for name in ("switch-14", "switch-138", "switch-1386", "resample-20", "ring-17"):
        for delta in (1.0, 2.0):
            found[f"{name}-delta-{delta:g}"] = multiplicative_noise_quadratic(
                chains()[name], spectrum, delta
            )
    for delta in (1.0, 2.0):
        found[f"mixed-100-delta-{delta:g}"] = mixed_noise_quadratic(100, spectrum, delta)
    return found


@cache
def _curve(family: Family, instance: Instance, batch: tuple[int, int], horizon: int) -> Array:
    recursion = family.moments(instance, *batch)
    run = recursion.run(instance.start, range(horizon + 1))
    return family.metric(instance, run)


def same_batch(batch: optzoo.MultilevelBatch) -> tuple[int, int]:
    """That of the bound."""
    return batch.batch_size, batch.max_level


def single_samples(batch: optzoo.MultilevelBatch) -> tuple[int, int]:
    """No batch and no levels."""
    return 1, 0


def plain_batch_of_that_price(batch: optzoo.MultilevelBatch) -> tuple[int, int]:
    """A plain batch for as many samples in the mean."""
    return round(batch.expected_samples), 0


def ratios(
    family: Family,
    *,
    scale: float = 1.0,
    mixing_time: int | None = None,
    batch: Callable[[optzoo.MultilevelBatch], tuple[int, int]] = same_batch,
    last_only: bool = False,
    only: Callable[[Instance], bool] = lambda instance: True,
    horizon: int | None = None,
) -> tuple[Array, Array]:
    """Exact expectation over bound, and ones, at all iterations k >= 1 from all starting states.

    Args:
        family: the theorem.
        scale: the bound is multiplied by it.
        mixing_time: the bound is evaluated with it, in place of the chain's own.
        batch: what the method takes, B and m, in place of the batch that the bound believes in.
        last_only: the last iteration alone, where the floor has been reached.
        only: which instances.
        horizon: at most so many iterations.
    """
    found = []
    for instance in filter(only, family.instances()):
        steps = min(instance.horizon, horizon or instance.horizon)
        curve = _curve(family, instance, batch(instance.bound.batch), steps)
        bound = instance.bound
        if mixing_time is not None:
            bound = _with_mixing_time(bound, mixing_time)
        at = [steps] if last_only else range(1, steps + 1)
        initial = family.initial(instance)
        limits = np.array([bound.bound(k, initial) for k in at])
        found.append((curve[list(at)] / (scale * limits[:, None])).ravel())
    measured = np.minimum(np.concatenate(found), 1e9)
    return measured, np.ones_like(measured)


def _with_mixing_time(bound: Bound, mixing_time: int) -> Bound:
    noise = replace(bound.noise, mixing_time=mixing_time)
    return replace(bound, noise=noise)


def horizon_of(bound: Bound, floors: float = 3.0, most: int = 600) -> int:
    """Iterations until what is left of the start has fallen to e^-floors, at most so many."""
    return max(10, min(most, round(floors / bound.rate)))


def is_additive(instance: Instance) -> bool:
    """Whether the noise does not grow with the distance."""
    return bool(instance.bound.noise.delta == 0)


def is_multiplicative(instance: Instance) -> bool:
    """Whether all noise grows with the distance, and outweighs the gradient in some states."""
    return bool(instance.bound.noise.sigma == 0 and instance.bound.noise.delta > 1)


def along_the_runs(family: Family, **changes: Any) -> ExactInequality:
    """The bound at every iteration, from every starting state; changes are those of `ratios`."""
    what = "exact recursion of the second moments, every iteration, every starting state"
    return ExactInequality(partial(ratios, family, **changes), what=what)


def at_the_floors(family: Family, **changes: Any) -> ExactInequality:
    """The bound where additive noise has stopped the progress; changes are those of `ratios`."""
    sides = partial(ratios, family, only=is_additive, last_only=True, **changes)
    return ExactInequality(sides, what="exact recursion, where the floor is reached")
