"""The search for the instance that makes a theorem tight, or breaks it.

Restarts of CMA-ES go round the families and the objectives; within one the program stays, and only
its numbers change. All candidates of a generation see the same random numbers, those of the next
one see others. What looks like a violation is tested on seeds of its own, and each test gets its
share of alpha, so that all of them together refute a true theorem with at most that probability.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...claim import Case, Finding
from ...simulation.laboratory import Laboratory
from ...statistics.protocol import Protocol
from ...statistics.verdict import TOLERANCE
from .objective import RATIO, NoInstanceError, Scores, objectives, scores, seeds_of
from .space import InstanceFamily, Parameters

__all__ = ["Candidate", "NoInstancesError", "Restart", "Search"]

Array = NDArray[np.float64]

POPULATION = 20
GENERATIONS = 30
PATIENCE = 8
"""A restart ends after so many generations without a better candidate."""
SEEDS = 128
LOOKS = 8
"""A candidate is looked at again on this many times as many seeds as it was found on."""
_GAIN = 1e-3
_ATTAINED = 0.99
_FIRST = 2**19
_WIDE, _NARROW = 0.3, 0.08
_TRIES = 60
"""So many instances are tried before it is said that there are none."""


class NoInstancesError(ValueError):
    """No parameters that were tried have an instance on which the theorem applies."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An instance that was looked at.

    Attributes:
        family: its name.
        parameters: of the instance.
        scores: the objectives by name, on the random numbers that it was found on.
    """

    family: str
    parameters: Parameters
    scores: Scores


@dataclass(frozen=True, eq=False)
class Restart:
    """What one run of CMA-ES came to.

    Attributes:
        number: 0, 1, ...
        family: where.
        objective: what for.
        best: its best candidate; None if there was no instance.
        evaluations: instances looked at.
        seconds: since the search began, at its end.
        path: the best objective after each generation.
        reached: the best of each objective so far, over all restarts and families.
    """

    number: int
    family: str
    objective: str
    best: Candidate | None
    evaluations: int
    seconds: float
    path: tuple[float, ...]
    reached: Scores = field(default_factory=dict)


@dataclass(eq=False)
class Search:
    """The search, which can be left and taken up again.

    Args:
        theorem: what is attacked; its side is "above" or "below".
        families: where instances come from.
        constant: the one whose share is searched for; the ratio and all constants in turn if None.
        seed: of the search and of all replicates.
        protocol: how a violation is decided; its alpha is that of the whole search.
        devices: where to simulate.

    Raises:
        ValueError: if there is no family, two have one name, the theorem has no bound to attack, or
            the constant is none of it.
    """

    theorem: Theorem
    families: Sequence[InstanceFamily]
    constant: str | None = None
    seed: int = 0
    protocol: Protocol = field(default_factory=Protocol)
    devices: Sequence[Any] | None = None
    restarts: list[Restart] = field(default_factory=list)
    best: dict[tuple[str, str], Candidate] = field(default_factory=dict)
    known: int = 0
    """Instances looked at before the first restart."""
    tests: int = 0
    refuted: tuple[Candidate, Finding] | None = None

    def __post_init__(self) -> None:
        theorem = self.theorem
        if theorem.side not in ("above", "below") or theorem.formula is None:
            raise ValueError(
                f"{theorem.label} is {_KINDS[theorem.side]}: only a bound has an instance that is "
                "closest to it"
            )
        names = [family.name for family in self.families]
        if not names:
            raise ValueError(f"{theorem.label} has no family of instances to search")
        if len(set(names)) < len(names):
            raise ValueError(f"two families have one name: {', '.join(names)}")
        known = objectives(theorem)
        if self.constant is not None and self.constant not in known:
            raise ValueError(
                f"'{self.constant}' is no constant that {theorem.label} could get wrong; "
                f"they are {', '.join(known[1:]) or 'none'}"
            )
        self._by_name = {family.name: family for family in self.families}

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is searched for, in turn."""
        return objectives(self.theorem) if self.constant is None else (self.constant,)

    @property
    def evaluations(self) -> int:
        """Instances looked at so far."""
        return self.known + sum(restart.evaluations for restart in self.restarts)

    def hardest(self, objective: str) -> Candidate | None:
        """The best of all families for an objective, on the numbers it was found on."""
        found = [one for (_, name), one in self.best.items() if name == objective]
        return max(found, key=lambda one: one.scores[objective], default=None)

    def run(
        self,
        seconds: float,
        *,
        spent: float = 0.0,
        on_restart: Callable[[Restart], None] = lambda restart: None,
        on_generation: Callable[[float, float], None] = lambda seconds, best: None,
    ) -> None:
        """Searches until the time is over or the theorem is refuted.

        Args:
            seconds: of the whole search.
            spent: by an earlier part of it.
            on_restart: called after each restart.
            on_generation: called after each generation with the seconds spent, and the largest
                ratio found on any instance.

        Raises:
            NoInstancesError: if the theorem applies to nothing that was tried.
        """
        begun = time.monotonic() - spent

        def passed() -> float:
            return time.monotonic() - begun

        if not self.restarts:
            self._begin()
        while passed() < seconds and self.refuted is None:
            restart = self._restart(len(self.restarts), seconds, passed, on_generation)
            self.restarts.append(restart)
            on_restart(restart)

    def _begin(self) -> None:
        """Looks at the instances to begin with, for all objectives."""
        for family in self.families:
            if family.starts and self.refuted is None:
                key = int(np.random.default_rng([self.seed, _FIRST]).integers(2**31))
                seen = self.look(family, family.starts, key)
                self.known += len(seen)
                self._take(seen)

    # --- One restart ---

    def _restart(
        self,
        number: int,
        seconds: float,
        passed: Callable[[], float],
        on_generation: Callable[[float, float], None],
    ) -> Restart:
        rng = np.random.default_rng([self.seed, number])
        family = self.families[number % len(self.families)]
        turn = number // len(self.families)
        wanted = self._unattained()
        objective = wanted[turn % len(wanted)]
        choice, mean, width = self._start(family, objective, rng, first=turn == 0)
        best: Candidate | None = None
        path: list[float] = []
        evaluations = 0
        for number_of, population in enumerate(
            _evolution(family, choice, mean, width, seed=int(rng.integers(2**31)))
        ):
            key = int(np.random.default_rng([self.seed, number, number_of]).integers(2**31))
            seen = self.look(family, population.parameters, key)
            evaluations += len(seen)
            values = [
                one.scores[objective] if isinstance(one, Candidate) else -math.inf for one in seen
            ]
            population.tell(values)
            found = [one for one in seen if isinstance(one, Candidate)]
            self._require_any(family, seen, found)
            leader = max(found, key=lambda one: one.scores[objective], default=None)
            before = -math.inf if best is None else best.scores[objective]
            if leader is not None and leader.scores[objective] > before:
                best = leader
            path.append(-math.inf if best is None else best.scores[objective])
            broken = self._take(seen)
            ratio = self.hardest(RATIO)
            on_generation(passed(), 0.0 if ratio is None else ratio.scores[RATIO])
            if broken or passed() >= seconds or _stalls(path):
                break
        return Restart(
            number,
            family.name,
            objective,
            best,
            evaluations,
            passed(),
            tuple(path),
            self._reached(),
        )

    def _reached(self) -> Scores:
        found = {name: self.hardest(name) for name in self.objectives}
        return {name: one.scores[name] for name, one in found.items() if one is not None}

    def _unattained(self) -> tuple[str, ...]:
        """The objectives that something is left of, one of those that rise and fall together.

        All of them where nothing is left.
        """
        left: dict[tuple[int, float], str] = {}
        unknown = []
        for name in self.objectives:
            known = self.hardest(name)
            if known is None:
                unknown.append(name)
            elif known.scores[name] < _ATTAINED:
                left.setdefault((id(known), round(known.scores[name], 6)), name)
        return (*left.values(), *unknown) or self.objectives

    def _start(
        self, family: InstanceFamily, objective: str, rng: np.random.Generator, *, first: bool
    ) -> tuple[Parameters, Array, float]:
        """The choice, the mean and the width that a restart begins with."""
        choices, dimension = family.choices, family.dimension
        known = self.best.get((family.name, objective))
        if family.starts and rng.random() < (0.5 if first else 0.2):
            start = family.starts[int(rng.integers(len(family.starts)))]
            return {name: start[name] for name in choices}, family.unit(start), _NARROW
        if first or (known is None and rng.random() < 0.3):
            centre = np.full(dimension, 0.5)
            return {name: one.values[0] for name, one in choices.items()}, centre, _WIDE
        if known is not None and rng.random() < 0.5:
            choice = {name: known.parameters[name] for name in choices}
            if choices and rng.random() < 0.5:  # one choice away from the best
                name = list(choices)[int(rng.integers(len(choices)))]
                choice[name] = choices[name].values[int(rng.integers(len(choices[name].values)))]
            return choice, family.unit(known.parameters), _NARROW
        choice = {
            name: one.values[int(rng.integers(len(one.values)))] for name, one in choices.items()
        }
        return choice, rng.random(dimension), _WIDE

    def look(
        self,
        family: InstanceFamily,
        parameters: Sequence[Parameters],
        key: int,
        seeds: int = SEEDS,
    ) -> list[Candidate | NoInstanceError]:
        """Candidates, or why there is no instance, for each of the parameters.

        Args:
            family: where.
            parameters: of each instance.
            key: of the random numbers.
            seeds: replicates of those that are sampled.
        """
        cases: list[Case | NoInstanceError] = []
        for one in parameters:
            try:
                cases.append(family.case(self.theorem, one))
            except (ValueError, ArithmeticError) as error:
                cases.append(NoInstanceError(str(error)))
        laboratory = Laboratory(
            seeds=seeds, master_seed=key, protocol=self.protocol, devices=self.devices
        )
        instances = [case for case in cases if isinstance(case, Case)]
        found = iter(scores(self.theorem, instances, laboratory))
        seen: list[Candidate | NoInstanceError] = []
        for case, one in zip(cases, parameters, strict=True):
            score = next(found) if isinstance(case, Case) else case
            seen.append(
                score if isinstance(score, NoInstanceError) else Candidate(family.name, one, score)
            )
        return seen

    def _take(self, seen: Sequence[Candidate | NoInstanceError]) -> bool:
        """Keeps the best of a generation; whether one of it violates the theorem."""
        found = [one for one in seen if isinstance(one, Candidate)]
        self._keep(found)
        hardest = max(found, key=lambda one: one.scores[RATIO], default=None)
        looks_so = hardest is not None and hardest.scores[RATIO] > 1 + TOLERANCE
        return hardest is not None and looks_so and self._violates(hardest)

    def _keep(self, found: Sequence[Candidate]) -> None:
        for one in found:
            for name, value in one.scores.items():
                known = self.best.get((one.family, name))
                if value > (-math.inf if known is None else known.scores[name]):
                    self.best[one.family, name] = one

    def _require_any(
        self,
        family: InstanceFamily,
        seen: Sequence[Candidate | NoInstanceError],
        found: Sequence[Candidate],
    ) -> None:
        if found or self.best or self.evaluations + len(seen) < _TRIES:
            return
        reasons = [one for one in seen if isinstance(one, NoInstanceError)]
        raise NoInstancesError(
            f"no instance of '{family.name}' that was tried is one of {self.theorem.label}: "
            f"{reasons[0]}"
        )

    # --- Violations ---

    def _violates(self, candidate: Candidate) -> bool:
        """Whether fresh seeds refute the theorem on the instance."""
        family = self._by_name[candidate.family]
        key = int(np.random.default_rng([self.seed, 2**20 + self.tests]).integers(2**31))
        case = family.case(self.theorem, candidate.parameters)
        laboratory = Laboratory(
            seeds=SEEDS, master_seed=key, protocol=self.protocol, devices=self.devices
        )
        if seeds_of(case, laboratory) is not None:
            # Not worth a test that costs its share of alpha: a lucky draw is forgotten at once.
            (again,) = self.look(family, [candidate.parameters], key + 1, seeds=SEEDS * LOOKS)
            if isinstance(again, NoInstanceError) or again.scores[RATIO] <= 1 + TOLERANCE:
                self._forget(candidate, again)
                return False
        self.tests += 1
        laboratory.protocol = replace(self.protocol, alpha=self.share(self.tests))
        finding = case.check.run(laboratory)
        if finding.verdict != "REFUTED":
            return False
        case.setting.certify()
        self.refuted = (candidate, finding)
        return True

    def share(self, test: int) -> float:
        """The share of alpha of the n-th test, n = 1, 2, ...; all of them together have alpha."""
        return self.protocol.alpha * 6 / (math.pi * test) ** 2

    def _forget(self, candidate: Candidate, again: Candidate | NoInstanceError) -> None:
        for place, one in list(self.best.items()):
            if one is candidate:
                if isinstance(again, NoInstanceError):
                    del self.best[place]
                else:
                    self.best[place] = again


_KINDS: Mapping[str, str] = {
    "equal": "an equality",
    "law": "a law",
    "above": "without a formula",
    "below": "without a formula",
}


@dataclass(frozen=True, eq=False)
class _Population:
    """A generation: its parameters, and what hears how good they are."""

    parameters: Sequence[Parameters]
    tell: Callable[[Sequence[float]], None]


def _evolution(
    family: InstanceFamily, choice: Parameters, mean: Array, width: float, *, seed: int
) -> Iterator[_Population]:
    """The generations of CMA-ES in the unit cube; a single one where nothing varies in it."""
    if family.dimension == 0:
        yield _Population([family.at(choice, np.zeros(0))], lambda values: None)
        return
    # CMA-ES needs two dimensions; the second one is idle.
    padded = np.concatenate([mean, np.full(max(0, 2 - len(mean)), 0.5)])
    bounds = np.tile([0.0, 1.0], (len(padded), 1))
    strategy = CMA(
        mean=np.clip(padded, 0.0, 1.0),
        sigma=width,
        bounds=bounds,
        seed=seed,
        population_size=POPULATION,
    )
    for generation in range(GENERATIONS):
        asked = [strategy.ask() for _ in range(POPULATION)]
        if generation == 0:
            asked[0] = padded  # where it begins is looked at, too
        points = [family.at(choice, one[: len(mean)]) for one in asked]

        def tell(values: Sequence[float], asked: Sequence[Array] = asked) -> None:
            worst = (
                max(abs(value) for value in values if math.isfinite(value))
                if any(math.isfinite(value) for value in values)
                else 1.0
            )
            losses = [-value if math.isfinite(value) else 1e3 * (1 + worst) for value in values]
            strategy.tell(list(zip(asked, losses, strict=True)))

        yield _Population(points, tell)
        if strategy.should_stop():
            return


def _stalls(path: Sequence[float]) -> bool:
    """Whether the last generations found nothing better."""
    if len(path) == 2 and path[-1] == -math.inf:
        return True
    if len(path) <= PATIENCE:
        return False
    before, now = path[-1 - PATIENCE], path[-1]
    return not now > before + _GAIN * abs(before) if math.isfinite(before) else True
