# SPDX-License-Identifier: Apache-2.0
"""The search for the instance that makes a theorem tight, or breaks it.

Restarts of CMA-ES go round the families and the objectives; within one the program stays, and only
its numbers change. All candidates of a generation see the same random numbers, those of the next
one see others. What looks like a violation is tested on seeds of its own, and each test gets its
share of alpha, so that all of them together refute a true theorem with at most that probability.

Restarts come in rounds. Those of a round begin with what was known before it, so it does not matter
which of them is made first, or where; what they found is taken in the order of their numbers.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...claim import Case, Finding
from ...simulation.laboratory import Laboratory
from ...statistics.protocol import Protocol
from ...statistics.verdict import TOLERANCE
from .evolution import evolution, stalls
from .objective import RATIO, NoInstanceError, Scores, objectives, scores, seeds_of
from .space import InstanceFamily, Parameters

__all__ = [
    "Attempt",
    "Attempts",
    "Best",
    "Candidate",
    "NoInstancesError",
    "Restart",
    "Search",
    "here",
]

Array = NDArray[np.float64]

ROUND = 4
"""So many restarts begin with the same knowledge."""
SEEDS = 128
LOOKS = 8
"""A candidate is looked at again on this many times as many seeds as it was found on."""
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


Best = dict[tuple[str, str], Candidate]
"""The best candidate of each family for each objective."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """What a restart found, before the search has taken it.

    Attributes:
        restart: what it came to; what the search has reached after it is not known yet.
        best: of each family and objective, where it is better than what was known.
        suspect: what looks like a violation, also on other random numbers.
    """

    restart: Restart
    best: Best
    suspect: Candidate | None


Attempts = Callable[["Search", Sequence[int], float], Iterator[Attempt]]
"""Makes the restarts of some numbers, in their order, within so many seconds."""


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
    best: Best = field(default_factory=dict)
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
        return _hardest(self.best, objective)

    def run(
        self,
        seconds: float,
        *,
        spent: float = 0.0,
        attempts: Attempts | None = None,
        on_restart: Callable[[Restart], None] = lambda restart: None,
        on_generation: Callable[[float, float], None] = lambda seconds, best: None,
    ) -> None:
        """Searches until the time is over or the theorem is refuted.

        Args:
            seconds: of the whole search.
            spent: by an earlier part of it.
            attempts: makes restarts; one after the other, here, by default.
            on_restart: called after each restart.
            on_generation: called after each generation that is made here, with the seconds spent
                and the largest ratio found on any instance.

        Raises:
            NoInstancesError: if the theorem applies to nothing that was tried.
        """
        begun = time.monotonic() - spent

        def passed() -> float:
            return time.monotonic() - begun

        def told(ratio: float) -> None:
            on_generation(passed(), ratio)

        made = attempts or partial(here, on_generation=told)
        if not self.restarts:
            self._begin()
        while passed() < seconds and not self._is_over():
            first = len(self.restarts)
            for attempt in made(self, range(first, first + ROUND), seconds - passed()):
                self._take(attempt, passed())
                on_restart(self.restarts[-1])
                if self._is_over():
                    break

    def _is_over(self) -> bool:
        return self.refuted is not None

    def _begin(self) -> None:
        """Looks at the instances to begin with, for all objectives."""
        for family in self.families:
            if family.starts and self.refuted is None:
                key = int(np.random.default_rng([self.seed, _FIRST]).integers(2**31))
                seen = self.look(family, family.starts, key)
                self.known += len(seen)
                found = [one for one in seen if isinstance(one, Candidate)]
                _keep(self.best, found)
                self._test(self._suspect(family, found, key + 1, self.best))

    def _take(self, attempt: Attempt, seconds: float) -> None:
        """What a restart found becomes what is known, and its suspect is tested."""
        _keep(self.best, attempt.best.values())
        self._test(attempt.suspect)
        reached = self._reached()
        self.restarts.append(replace(attempt.restart, seconds=seconds, reached=reached))

    # --- One restart ---

    def attempt(
        self,
        number: int,
        best: Best,
        seconds: float = math.inf,
        *,
        on_generation: Callable[[float], None] = lambda ratio: None,
    ) -> Attempt:
        """Makes a restart from what is known; the search does not change.

        Args:
            number: of the restart.
            best: what is known.
            seconds: that it may take, at most.
            on_generation: called after each generation with the largest ratio known.

        Returns:
            What it found.

        Raises:
            NoInstancesError: if the theorem applies to nothing that was tried.
        """
        begun = time.monotonic()
        known = dict(best)
        rng = np.random.default_rng([self.seed, number])
        family = self.families[number % len(self.families)]
        turn = number // len(self.families)
        wanted = self._unattained(known)
        objective = wanted[turn % len(wanted)]
        choice, mean, width = self._start(family, objective, rng, known, first=turn == 0)
        hardest: Candidate | None = None
        suspect: Candidate | None = None
        path: list[float] = []
        evaluations = 0
        try:
            for number_of, population in enumerate(
                evolution(family, choice, mean, width, seed=int(rng.integers(2**31)))
            ):
                keys = np.random.default_rng([self.seed, number, number_of])
                key, other = (int(one) for one in keys.integers(2**31, size=2))
                seen = self.look(family, population.parameters, key)
                evaluations += len(seen)
                values = [
                    one.scores[objective] if isinstance(one, Candidate) else -math.inf
                    for one in seen
                ]
                population.tell(values)
                found = [one for one in seen if isinstance(one, Candidate)]
                if not known:
                    self._require_any(family, seen, found, evaluations)
                leader = max(found, key=lambda one: one.scores[objective], default=None)
                before = -math.inf if hardest is None else hardest.scores[objective]
                if leader is not None and leader.scores[objective] > before:
                    hardest = leader
                path.append(-math.inf if hardest is None else hardest.scores[objective])
                _keep(known, found)
                suspect = self._suspect(family, found, other, known)
                ratio = _hardest(known, RATIO)
                on_generation(0.0 if ratio is None else ratio.scores[RATIO])
                if suspect is not None or time.monotonic() - begun >= seconds or stalls(path):
                    break
        except KeyboardInterrupt:
            _keep(self.best, known.values())  # half a restart is worth something, too
            raise
        restart = Restart(number, family.name, objective, hardest, evaluations, 0.0, tuple(path))
        new = {place: one for place, one in known.items() if best.get(place) is not one}
        return Attempt(restart, new, suspect)

    def _reached(self) -> Scores:
        found = {name: self.hardest(name) for name in self.objectives}
        return {name: one.scores[name] for name, one in found.items() if one is not None}

    def _unattained(self, best: Best) -> tuple[str, ...]:
        """The objectives that something is left of, one of those that rise and fall together.

        All of them where nothing is left.
        """
        left: dict[tuple[int, float], str] = {}
        unknown = []
        for name in self.objectives:
            known = _hardest(best, name)
            if known is None:
                unknown.append(name)
            elif known.scores[name] < _ATTAINED:
                left.setdefault((id(known), round(known.scores[name], 6)), name)
        return (*left.values(), *unknown) or self.objectives

    def _start(
        self,
        family: InstanceFamily,
        objective: str,
        rng: np.random.Generator,
        best: Best,
        *,
        first: bool,
    ) -> tuple[Parameters, Array, float]:
        """The choice, the mean and the width that a restart begins with."""
        choices, dimension = family.choices, family.dimension
        known = best.get((family.name, objective))
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
        laboratory = self._laboratory(seeds, key)
        instances = [case for case in cases if isinstance(case, Case)]
        found = iter(scores(self.theorem, instances, laboratory))
        seen: list[Candidate | NoInstanceError] = []
        for case, one in zip(cases, parameters, strict=True):
            score = next(found) if isinstance(case, Case) else case
            seen.append(
                score if isinstance(score, NoInstanceError) else Candidate(family.name, one, score)
            )
        return seen

    def _require_any(
        self,
        family: InstanceFamily,
        seen: Sequence[Candidate | NoInstanceError],
        found: Sequence[Candidate],
        evaluations: int,
    ) -> None:
        if found or self.evaluations + evaluations < _TRIES:
            return
        reasons = [one for one in seen if isinstance(one, NoInstanceError)]
        raise NoInstancesError(
            f"no instance of '{family.name}' that was tried is one of {self.theorem.label}: "
            f"{reasons[0]}"
        )

    # --- Violations ---

    def _suspect(
        self, family: InstanceFamily, found: Sequence[Candidate], key: int, best: Best
    ) -> Candidate | None:
        """The candidate that violates the theorem most, if it does on other random numbers, too.

        A test costs its share of alpha; a lucky draw is forgotten at once instead.
        """
        hardest = max(found, key=lambda one: one.scores[RATIO], default=None)
        if hardest is None or hardest.scores[RATIO] <= 1 + TOLERANCE:
            return None
        case = family.case(self.theorem, hardest.parameters)
        if seeds_of(case, self._laboratory(SEEDS, key)) is None:
            return hardest
        (again,) = self.look(family, [hardest.parameters], key, seeds=SEEDS * LOOKS)
        if isinstance(again, Candidate) and again.scores[RATIO] > 1 + TOLERANCE:
            return hardest
        _forget(best, hardest, again)
        return None

    def _test(self, candidate: Candidate | None) -> None:
        """Whether fresh seeds refute the theorem on the instance."""
        if candidate is None or self.refuted is not None:
            return
        key = int(np.random.default_rng([self.seed, 2**20 + self.tests]).integers(2**31))
        case = self._by_name[candidate.family].case(self.theorem, candidate.parameters)
        laboratory = self._laboratory(SEEDS, key)
        self.tests += 1
        laboratory.protocol = replace(self.protocol, alpha=self.share(self.tests))
        finding = case.check.run(laboratory)
        if finding.verdict == "REFUTED":
            case.setting.certify()
            self.refuted = (candidate, finding)

    def _laboratory(self, seeds: int, key: int) -> Laboratory:
        return Laboratory(
            seeds=seeds, master_seed=key, protocol=self.protocol, devices=self.devices
        )

    def share(self, test: int) -> float:
        """The share of alpha of the n-th test, n = 1, 2, ...; all of them together have alpha."""
        return self.protocol.alpha * 6 / (math.pi * test) ** 2


def here(
    search: Search,
    numbers: Sequence[int],
    seconds: float,
    *,
    on_generation: Callable[[float], None] = lambda ratio: None,
) -> Iterator[Attempt]:
    """Makes restarts one after the other, in this process.

    Args:
        search: whose knowledge they begin with.
        numbers: of the restarts.
        seconds: that they may take together; those that would begin later are not made.
        on_generation: called after each generation with the largest ratio known.

    Yields:
        What each found.
    """
    begun, best = time.monotonic(), dict(search.best)
    for number in numbers:
        left = seconds - (time.monotonic() - begun)
        if left > 0:
            yield search.attempt(number, best, left, on_generation=on_generation)


def _hardest(best: Best, objective: str) -> Candidate | None:
    found = [one for (_, name), one in best.items() if name == objective]
    return max(found, key=lambda one: one.scores[objective], default=None)


def _keep(best: Best, found: Iterable[Candidate]) -> None:
    for one in found:
        for name, value in one.scores.items():
            known = best.get((one.family, name))
            if value > (-math.inf if known is None else known.scores[name]):
                best[one.family, name] = one


def _forget(best: Best, candidate: Candidate, again: Candidate | NoInstanceError) -> None:
    for place, one in list(best.items()):
        if one is candidate:
            if isinstance(again, NoInstanceError):
                del best[place]
            else:
                best[place] = again


_KINDS: Mapping[str, str] = {
    "equal": "an equality",
    "law": "a law",
    "above": "without a formula",
    "below": "without a formula",
}
