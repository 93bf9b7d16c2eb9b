# SPDX-License-Identifier: Apache-2.0
"""A plan for a theorem on Markovian noise, and the search for the cheapest one."""

import abc
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from ._arguments import require_batch, require_integer, require_known_positive
from .markovian_noise import MarkovianNoise, MultilevelBatch
from .theorems.markovian_noise_constants import ROUNDING
from .theorems.theorem import Theorem

__all__: list[str] = []


@dataclass(frozen=True)
class Plan(abc.ABC):
    """A theorem with its constants. Its metric after k steps is at most `bound(k, initial)`."""

    smoothness: float
    noise: MarkovianNoise
    batch: MultilevelBatch
    learning_rate: float

    theorem: ClassVar[Theorem]

    def __post_init__(self) -> None:
        for name in ("smoothness", "learning_rate"):
            require_known_positive(name, getattr(self, name))
        self._without_start  # noqa: B018 - they refuse what the theorem does not cover

    def _named(self) -> dict[str, Any]:
        """The constants by the names of the page."""
        return {
            "tau": self.noise.mixing_time,
            "sigma": self.noise.sigma,
            "delta": self.noise.delta,
            "L": self.smoothness,
            "B": self.batch.batch_size,
            "m": self.batch.max_level,
            "gamma": self.learning_rate,
        }

    def constants(self, initial: float = 0.0) -> Any:
        """The constants of the theorem, for a start with this value of what it starts from."""
        assert self.theorem.constants is not None
        return self.theorem.constants.of(self._named() | {"start": initial})

    @functools.cached_property
    def _without_start(self) -> Any:
        return self.constants()

    @property
    def floor(self) -> float:
        """What remains of the bound after infinitely many steps."""
        return float(self._without_start.floor)

    @property
    def variance(self) -> float:
        """The factor V of the batch at this mixing time."""
        return self.batch.variance(self.noise.mixing_time)

    @property
    def bias(self) -> float:
        """The factor b of the batch at this mixing time."""
        return self.batch.bias(self.noise.mixing_time)

    @property
    def samples_per_step(self) -> float:
        """Samples that one step takes in the mean."""
        return self.batch.expected_samples

    def bound(self, steps: int, initial: float) -> float:
        """The bound of the theorem's metric after so many steps, for a start."""
        require_integer("steps", steps, 0)
        return float(self.theorem.bound(self.constants(initial), steps))

    def steps(self, initial: float, target: float) -> int:
        """The least number of steps after which the bound is at most the target."""
        return int(self.constants(initial).steps_to(target))


@dataclass(frozen=True)
class LinearPlan(Plan):
    """A plan with a linear rate down to a floor."""

    strong_convexity: float

    def __post_init__(self) -> None:
        require_known_positive("strong_convexity", self.strong_convexity)
        if self.strong_convexity > self.smoothness * (1 + ROUNDING):
            raise ValueError(
                f"strong_convexity must be at most smoothness = {self.smoothness}, got "
                f"{self.strong_convexity}."
            )
        super().__post_init__()

    def _named(self) -> dict[str, Any]:
        return super()._named() | {"mu": self.strong_convexity}

    @property
    def rate(self) -> float:
        """1 - contraction, the share of the metric that a step removes."""
        return float(self._without_start.rate)

    @classmethod
    @abc.abstractmethod
    def _longest_step(
        cls, L: float, mu: float, noise: MarkovianNoise, batch: MultilevelBatch
    ) -> float:
        """The longest step allowed, or that beyond which a longer one is slower."""

    @classmethod
    def _further(cls, noise: MarkovianNoise, batch: MultilevelBatch) -> dict[str, float]:
        """What else the theorem prescribes."""
        return {}

    @classmethod
    def for_target(
        cls,
        smoothness: float,
        strong_convexity: float,
        noise: MarkovianNoise,
        *,
        initial: float,
        target: float,
        batch_size: int | None = None,
    ) -> Self:
        """The plan for a target with the fewest samples in the mean.

        Args:
          smoothness: L.
          strong_convexity: mu.
          noise: tau, sigma, delta.
          initial: what the bound starts from: |x^0 - x*|^2, f(x^0) - f* or Phi_0.
          target: what the bound is to be after `steps(initial, target)` steps.
          batch_size: B; tau if None.

        Returns:
          The plan, with its step and its level.

        Raises:
          ValueError: if no level reaches the target, with the last reason.
        """
        return cheapest(
            lambda batch, step: cls(
                smoothness, noise, batch, step, strong_convexity, **cls._further(noise, batch)
            ),
            lambda batch: cls._longest_step(smoothness, strong_convexity, noise, batch),
            noise,
            initial,
            target,
            batch_size,
        )


AnyPlan = TypeVar("AnyPlan", bound=Plan)


_HALVINGS = 200


def cheapest(
    make: Callable[[MultilevelBatch, float], AnyPlan],
    longest_step: Callable[[MultilevelBatch], float],
    noise: MarkovianNoise,
    initial: float,
    target: float,
    batch_size: int | None,
) -> AnyPlan:
    """Of all levels, each with its longest step whose floor is half the target, the cheapest."""
    require_known_positive("initial", initial)
    require_known_positive("target", target)
    size = noise.mixing_time if batch_size is None else batch_size
    require_batch(size, 0)
    best, cost, refusal = None, math.inf, ValueError("there is no level to choose from")
    level = 0
    while size * 2**level < 2**31:
        batch = MultilevelBatch(size, level)
        level += 1
        try:
            plan = _with_floor(make, batch, longest_step(batch), target / 2)
        except ValueError as reason:
            refusal = reason
            continue
        samples = plan.steps(initial, target) * plan.samples_per_step
        if samples < cost:
            best, cost = plan, samples
    if best is None:
        raise ValueError(f"the theorem promises {target} for no level: {refusal}")
    return best


def _with_floor(
    make: Callable[[MultilevelBatch, float], AnyPlan],
    batch: MultilevelBatch,
    longest_step: float,
    floor: float,
) -> AnyPlan:
    """The plan with the longest step whose floor, which grows with the step, is small enough."""
    plan = make(batch, longest_step)
    if plan.floor <= floor:
        return plan
    best, refusal = None, ValueError(f"the bias alone keeps the floor above {floor:.6g}")
    if _least_floor(make, batch, longest_step) > floor:
        raise refusal
    short, long = 0.0, longest_step
    for _ in range(_HALVINGS):  # halves until a step is short enough, then bisects
        step = (short + long) / 2
        try:
            candidate = make(batch, step)
        except ValueError as reason:  # a condition that forbids steps as short as this
            refusal, short = reason, step
        else:
            if candidate.floor <= floor:
                best, short = candidate, step
            else:
                long = step
        if long - short <= 1e-9 * short:
            break
    if best is None:
        raise refusal
    return best


def _least_floor(
    make: Callable[[MultilevelBatch, float], AnyPlan], batch: MultilevelBatch, longest_step: float
) -> float:
    """The floor of the shortest step that the search above tries; 0 where that is forbidden."""
    try:
        return make(batch, longest_step / 2.0**_HALVINGS).floor
    except ValueError:
        return 0.0
