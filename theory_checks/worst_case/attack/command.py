# SPDX-License-Identifier: Apache-2.0
"""`theory-checks attack ID`: searches, reports, and leaves what it found in a folder."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...claim import Claim
from ...records import write as records
from ...records.lock import only_run
from ...report.page import write_report, write_summary
from ...simulation.engine import InThreads
from ...simulation.laboratory import Laboratory
from ...simulation.runner import run_claims
from ...statistics.protocol import Protocol
from .objective import RATIO
from .outcome import FILE, families_of, finalists, found, hardest_claim, read, resumed, write
from .search import Attempts, Restart, Search

__all__ = ["AttackError", "attack"]

_LINES_APART = 5.0


class AttackError(ValueError):
    """An attack that cannot be made as it was asked for."""


def attack(
    claim: Claim,
    directory: Path,
    *,
    constant: str | None,
    budget: float,
    seed: int,
    resume: bool,
    claims_from: Sequence[str] = (),
    attempts: Attempts | None = None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> bool:
    """Attacks the theorem of a claim, and evaluates it on the hardest instances found.

    What was found is written after every restart, so that a killed search goes on with `resume`;
    one that is interrupted ends with what it has.

    Args:
        claim: whose theorem.
        directory: where attack.json, hardest.py and the report go.
        constant: whose share is searched for; None for the ratio and all constants in turn.
        budget: seconds of the search.
        seed: of the search.
        resume: whether to go on with the search in the directory.
        claims_from: the files that claims came from.
        attempts: makes restarts; one after the other, in this process, by default.
        say: prints a line.

    Returns:
        Whether the theorem is refuted.

    Raises:
        AttackError: if there is no family, no such constant, or nothing to go on with.
        KeyboardInterrupt: if it was interrupted, when all is written.
    """
    families = families_of(claim)
    if not families:
        raise AttackError(
            f"no family of instances fits {claim.theorem.label}; give its claim one: "
            "Claim(..., families=(InstanceFamily(name, make, varies),))"
        )
    protocol = Protocol()
    try:
        search = Search(claim.theorem, families, constant, seed, protocol)
    except ValueError as error:
        raise AttackError(str(error)) from None
    spent = _taken_up(search, claim, directory) if resume else 0.0
    begun = time.monotonic() - spent

    def keep(hardest: Any = ()) -> dict[str, Any]:
        record = found(
            claim,
            search,
            budget=budget,
            seconds=round(time.monotonic() - begun, 3),
            claims_from=claims_from,
            hardest=hardest,
        )
        write(directory, record)
        return record

    directory.mkdir(parents=True, exist_ok=True)
    with only_run(directory):
        keep()
        interrupted = False
        with _Progress(search, budget, say) as progress:

            def kept(restart: Restart) -> None:
                keep()
                progress.restart(restart)

            try:
                search.run(
                    budget,
                    spent=spent,
                    attempts=attempts,
                    on_restart=kept,
                    on_generation=progress.generation,
                )
            except KeyboardInterrupt:
                interrupted = True
                say("interrupted: the hardest instances so far are evaluated now")
        record = keep(finalists(search))
        if not record["hardest"]:
            say("no instance was kept")
        else:
            _evaluated(hardest_claim(claim, record), directory, search, protocol, say)
    for line in _conclusions(claim, search):
        say(line)
    if interrupted:
        raise KeyboardInterrupt
    return search.refuted is not None


def _taken_up(search: Search, claim: Claim, directory: Path) -> float:
    """Puts the search where it was left; the seconds it had taken."""
    try:
        record = read(directory / FILE)
    except ValueError as error:
        raise AttackError(f"--resume: {error}") from None
    for name, now in (
        ("id", claim.id),
        ("constant", search.constant),
        ("seed", search.seed),
    ):
        if record[name] != now:
            raise AttackError(
                f"--resume: the search in {directory} has {name} = {record[name]}, this one {now}"
            )
    resumed(search, record)
    return float(record["seconds"])


def _evaluated(
    claim: Claim,
    directory: Path,
    search: Search,
    protocol: Protocol,
    say: Callable[[str], None],
) -> None:
    """The claim on the hardest instances, on seeds of its own, with its report."""
    seeds, master_seed = 32, search.seed + 2**30
    laboratory = Laboratory(seeds=seeds, master_seed=master_seed, protocol=protocol)
    environment = records.environment(
        preset="attack", seeds=seeds, master_seed=master_seed, protocol=protocol
    )
    written, failures = run_claims([claim], InThreads(laboratory), directory, environment)
    for sentence in failures:
        print(f"could not be evaluated: {sentence}", file=sys.stderr)
    for one in written:
        for case in one["cases"] or [one]:
            share = case["tightness"]
            low, high = case["tightness_lower"], case["tightness_upper"]
            between = "" if low is None or high is None else f" [{low:.4g}, {high:.4g}]"
            ratio = case["decided"] if share is None else f"measured / bound = {share:.4g}{between}"
            name = case.get("name") or one["case"]
            say(f"hardest for {name}: {ratio}, {case['problem']}")
        factors = {
            name: "never" if caught["factor"] is None else f"{caught['factor']:.3g}"
            for name, caught in one["coverage"].items()
        }
        if factors:
            caught = ", ".join(f"{name} {factor}" for name, factor in factors.items())
            say(f"factors from which on these instances catch a constant: {caught}")
    page = write_report(directory)
    write_summary(directory)
    say(f"report: {page}")


def _conclusions(claim: Claim, search: Search) -> list[str]:
    tried = f"{search.evaluations} instances of {len(search.families)} families"
    if search.refuted is not None:
        candidate, finding = search.refuted
        return [
            f"REFUTED: {claim.theorem.label} is violated on an instance of '{candidate.family}' "
            f"with certified constants ({finding.decided}); {tried} were tried"
        ]
    return [f"not refuted: {claim.theorem.label} holds on all of {tried}"]


class _Progress:
    """A bar on a terminal, a line now and then otherwise."""

    def __init__(self, search: Search, budget: float, say: Callable[[str], None]) -> None:
        from tqdm import tqdm

        self._search, self._budget, self._say = search, budget, say
        self._bar = tqdm(total=round(budget), unit="s", disable=not sys.stderr.isatty())
        self._said = -_LINES_APART

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def generation(self, seconds: float, ratio: float) -> None:
        self._bar.n = min(round(seconds), self._bar.total)
        self._bar.set_postfix_str(f"best ratio {ratio:.4g}")

    def restart(self, restart: Restart) -> None:
        if not self._bar.disable or restart.seconds < self._said + _LINES_APART:
            return
        self._said = restart.seconds
        best = []
        for name in self._search.objectives:
            known = self._search.hardest(name)
            label = "best ratio" if name == RATIO else name
            best.append(f"{label} {'-' if known is None else format(known.scores[name], '.3g')}")
        self._say(
            f"[{restart.seconds:.0f} of {self._budget:.0f} s] {self._search.evaluations} "
            f"instances; {', '.join(best)}"
        )
