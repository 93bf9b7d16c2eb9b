"""Fair clocks: tasks timed in turns, and first passages with the observer off the clock."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

__all__ = ["GapWatch", "Spread", "Timings", "interleaved"]

Array = NDArray[np.float64]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of a few measurements; infinity stands for "not reached".

    Example:
        >>> print(Spread.of([0.5, 0.25, 1.0]))
        0.5 [0.25, 1]
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: ArrayLike) -> "Spread":
        """Of measurements, shape (repeats,)."""
        values = np.asarray(values, dtype=np.float64)
        if values.size == 0:
            raise ValueError("values must hold at least one measurement, got none.")
        # The upper median: the mean of two values would be infinite or made up if one is a cap.
        median = np.sort(values)[values.size // 2]
        return cls(float(median), float(values.min()), float(values.max()))

    def times(self, factor: float) -> "Spread":
        """Of the measurements, each multiplied by a positive factor."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Timings:
    """Seconds of tasks that were run in turns.

    Args:
        first: task -> seconds of its first call, which compiles.
        seconds: task -> seconds of the calls after it, shape (repeats,).
    """

    first: Mapping[str, float]
    seconds: Mapping[str, Array]

    def spread(self, task: str) -> Spread:
        """Of the seconds of a task."""
        return Spread.of(self.seconds[task])

    def compilation(self, task: str) -> float:
        """What the first call took beyond the median of the others, in seconds."""
        return max(self.first[task] - self.spread(task).median, 0.0)

    def ratio(self, task: str, baseline: str) -> Spread:
        """Seconds of the task over seconds of the baseline, within each round.

        Whatever else the machine does comes and goes slowly: it cancels in a ratio of neighbours.
        """
        return Spread.of(self.seconds[task] / self.seconds[baseline])


def interleaved(
    tasks: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    clock: Clock = time.perf_counter,
) -> Timings:
    """Time tasks in turns: A B C, A B C, ..., the first round apart.

    Args:
        tasks: name -> what to time; arrays of jax in its result are waited for.
        repeats: rounds after the first one, at least 1.
        clock: seconds since some moment.

    Returns:
        The seconds of every call.

    Raises:
        ValueError: if `repeats` is not positive.

    Example:
        >>> ticks = iter([0, 9, 10, 12, 20, 24])  # start and end of three calls
        >>> timings = interleaved({"task": lambda: None}, repeats=2, clock=lambda: next(ticks))
        >>> timings.first["task"], timings.seconds["task"].tolist()
        (9, [2.0, 4.0])
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}.")

    def timed(task: Callable[[], object]) -> float:
        start = clock()
        jax.block_until_ready(task())
        return clock() - start

    first = {name: timed(task) for name, task in tasks.items()}
    rounds = [
        {name: timed(task) for name, task in tasks.items()}
        for _ in tqdm(range(repeats), desc="round", leave=False, disable=not sys.stderr.isatty())
    ]
    return Timings(
        first, {name: np.array([turn[name] for turn in rounds], float) for name in tasks}
    )


@dataclass
class GapWatch:
    """When a method first reached each of some gaps, the evaluation of the gap not counted.

    The iterate is looked at every few steps at first and then on a grid that grows geometrically,
    so that a passage is known to within the same factor for every method, and a method that has
    to leave a compiled loop to be looked at does so rarely.

    Args:
        gap: iterate -> its exact gap.
        deadlines: gap -> the working seconds after which a run that has not reached it stops.
        spacing: least number of steps between two looks, after the first step.
        resolution: ratio of neighbouring steps of the grid, above 1.
        clock: seconds since some moment.

    Example:
        >>> ticks = iter([0, 3, 100, 104])  # start, look, resume, look
        >>> watch = GapWatch(gap=float, deadlines={0.5: 60, 0.1: 60}, clock=lambda: next(ticks))
        >>> watch.start()
        >>> watch.finished(1, 0.3), watch.finished(2, 0.05)
        (False, True)
        >>> watch.reached
        {0.5: 3.0, 0.1: 7.0}
    """

    gap: Callable[[Array], float]
    deadlines: Mapping[float, float]
    spacing: int = 10
    resolution: float = 1.1
    clock: Clock = time.perf_counter
    next_look: int = field(default=1, init=False)
    steps: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    reached: dict[float, float] = field(default_factory=dict, init=False)

    def start(self) -> None:
        """The work begins."""
        self._resumed = self.clock()

    def finished(self, steps: int, iterate: Array) -> bool:
        """Look at the iterate after so many steps: is there nothing left to wait for?"""
        self.seconds += self.clock() - self._resumed
        self.steps = steps
        value = self.gap(iterate)
        for target in self.deadlines:
            if value <= target:
                self.reached.setdefault(target, self.seconds)
        self.next_look = max(steps + self.spacing, int(steps * self.resolution))
        missing = [limit for target, limit in self.deadlines.items() if target not in self.reached]
        if not missing or self.seconds > min(missing):
            return True
        self._resumed = self.clock()
        return False
