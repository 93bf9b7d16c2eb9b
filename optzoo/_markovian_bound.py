"""What the theorems on Markovian noise share: a bound, its floor, the cheapest way to a target."""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ._arguments import require_batch, require_integer, require_known_positive
from .markovian_noise import MarkovianNoise, MultilevelBatch

__all__: list[str] = []

# A condition that holds with equality may fail by a few roundings.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Bound(abc.ABC):
    """A theorem with its constants. Its metric after k steps is at most `bound(k, initial)`."""

    smoothness: float
    noise: MarkovianNoise
    batch: MultilevelBatch
    learning_rate: float

    def __post_init__(self) -> None:
        for name in ("smoothness", "learning_rate"):
            require_known_positive(name, getattr(self, name))
        self._check()

    @abc.abstractmethod
    def _check(self) -> None:
        """Raises ValueError where the theorem does not apply."""

    @property
    @abc.abstractmethod
    def floor(self) -> float:
        """What remains of the bound after infinitely many steps."""

    @abc.abstractmethod
    def bound(self, steps: int, initial: float) -> float:
        """The bound after so many steps."""

    @abc.abstractmethod
    def steps(self, initial: float, target: float) -> int:
        """The least number of steps after which the bound is at most the target."""

    @property
    def samples_per_step(self) -> float:
        """Samples that one step takes in the mean."""
        return self.batch.expected_samples

    @property
    def variance(self) -> float:
        """The factor V of the batch at this mixing time."""
        return self.batch.variance(self.noise.mixing_time)

    @property
    def bias(self) -> float:
        """The factor b of the batch at this mixing time."""
        return self.batch.bias(self.noise.mixing_time)

    def require_step(self, largest: float, formula: str) -> None:
        if self.learning_rate > largest * (1 + ROUNDING):
            raise ValueError(
                f"learning_rate must be at most {formula} = {largest:.6g}, got "
                f"{self.learning_rate}."
            )


@dataclass(frozen=True)
class LinearBound(Bound):
    """Metric_k <= contraction^k metric_0 + (1 - contraction^k) floor."""

    strong_convexity: float

    def __post_init__(self) -> None:
        require_known_positive("strong_convexity", self.strong_convexity)
        if self.strong_convexity > self.smoothness * (1 + ROUNDING):
            raise ValueError(
                f"strong_convexity must be at most smoothness = {self.smoothness}, got "
                f"{self.strong_convexity}."
            )
        super().__post_init__()

    @property
    @abc.abstractmethod
    def rate(self) -> float:
        """1 - contraction, the share of the metric that a step removes."""

    def bound(self, steps: int, initial: float) -> float:
        """The bound of the metric after so many steps."""
        require_integer("steps", steps, 0)
        forgotten = math.exp(steps * math.log1p(-self.rate)) if self.rate < 1 else float(steps == 0)
        return forgotten * initial + (1 - forgotten) * self.floor

    def steps(self, initial: float, target: float) -> int:
        """The least number of steps after which the bound is at most the target."""
        if initial <= target:
            return 0
        if self.floor >= target:
            raise ValueError(f"target must be above the floor {self.floor:.6g}, got {target}.")
        if self.rate >= 1:
            return 1
        share = (target - self.floor) / (initial - self.floor)
        return math.ceil(math.log(share) / math.log1p(-self.rate) * (1 - ROUNDING))


AnyBound = TypeVar("AnyBound", bound=Bound)


def cheapest(
    make: Callable[[MultilevelBatch, float], AnyBound],
    largest_step: Callable[[MultilevelBatch], float],
    noise: MarkovianNoise,
    initial: float,
    target: float,
    batch_size: int | None,
) -> AnyBound:
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
            bound = _with_floor(make, batch, largest_step(batch), target / 2)
        except ValueError as reason:
            refusal = reason
            continue
        samples = bound.steps(initial, target) * bound.samples_per_step
        if samples < cost:
            best, cost = bound, samples
    if best is None:
        raise ValueError(f"the theorem promises {target} for no level: {refusal}")
    return best


def _with_floor(
    make: Callable[[MultilevelBatch, float], AnyBound],
    batch: MultilevelBatch,
    largest_step: float,
    floor: float,
) -> AnyBound:
    """The bound with the longest step whose floor, which grows with the step, is small enough."""
    bound = make(batch, largest_step)
    if bound.floor <= floor:
        return bound
    best, refusal = None, ValueError(f"the bias alone keeps the floor above {floor:.6g}")
    short, long = 0.0, largest_step
    for _ in range(200):  # halves until a step is short enough, then bisects
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


def quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.inf


def require_slack(formula: str, value: float) -> None:
    if value <= 0:
        raise ValueError(
            f"{formula} must be positive, got {value:.6g}. Take larger batches, a higher level or "
            "a shorter step."
        )
