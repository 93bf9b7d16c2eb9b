# SPDX-License-Identifier: Apache-2.0
"""What changed between two runs: claims, verdicts, controls, sharpness and time.

Not to be confused with methods side by side in one run (`side_by_side`).
"""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..report.rendering import format_number
from .coverage import coverage_of
from .read import Record, load_results

__all__ = ["Change", "changes", "describe", "got_worse", "load_renames", "load_run"]

# A verdict gets worse by moving to the right.
_ORDER = {"CONSISTENT": 0, "INCONCLUSIVE": 1, None: 1, "REFUTED": 2}

# In the order of the report, what makes the exit status 1 first.
_HEADINGS = {
    "worse": "Verdicts that got worse",
    "survives": "Controls that were killed and survive",
    "lost": "Coverage that was lost",
    "unnoticed": "Misreadings that were caught and would go unnoticed",
    "better": "Verdicts that got better",
    "decided": "Verdicts that came or went",
    "killed": "Controls that survived and are killed",
    "gone": "Gone",
    "new": "New",
    "control gone": "Controls gone",
    "control new": "New controls",
    "gained": "Coverage that was gained",
    "vacuous": "Vacuous",
    "tightness": "Tightness",
    "detectable_factor": "Would catch",
    "seconds": "Seconds",
}
_WORSE = ("worse", "survives")
_LESS_TESTED = ("lost", "unnoticed")
_NOTICEABLE_SECONDS = 1.0


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        kind: a key of the report's headings, such as "worse", "gone" or "tightness".
        subject: the claim's id, with the control's name after a colon where it is about one.
        old: the verdict, number or word before; None for none.
        new: the one after.
    """

    kind: str
    subject: str
    old: Any
    new: Any


def load_run(path: Path) -> Record:
    """A run's results, from its folder or from the file itself.

    Args:
        path: a folder with results.json in it, or such a file under any name.

    Returns:
        What `load_results` returns.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or is not complete strict JSON of a known schema.

    Example:
        >>> import pathlib, tempfile
        >>> from theory_checks.records.diff import load_run
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "before.json"
        ...     _ = file.write_text('{"schema": 1, "claims": []}')
        ...     load_run(file)["claims"]
        []
    """
    try:
        return load_results(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def load_renames(path: Path) -> dict[str, str]:
    """A table from the ids of the first run to those of the second one.

    Args:
        path: a JSON object: old id -> new id, or old id -> [new id, name of the case].

    Returns:
        Old id -> new id, with the case's name after a colon.

    Raises:
        ValueError: it cannot be read or is no such object.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "renamed.json"
        ...     _ = file.write_text('{"a/old": "a/new", "a/one": ["a/all", "one"]}')
        ...     load_renames(file)
        {'a/old': 'a/new', 'a/one': 'a/all: one'}
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(table, dict) or not all(_is_name(name) for name in table.values()):
        raise ValueError(f"{path} must be an object: old id -> new id, or -> [new id, case]")
    return {old: new if isinstance(new, str) else _of_case(*new) for old, new in table.items()}


def _is_name(name: Any) -> bool:
    parts = [name] if isinstance(name, str) else name
    return (
        isinstance(parts, list)
        and len(parts) in (1, 2)
        and all(isinstance(part, str) for part in parts)
        and (isinstance(name, str) or len(parts) == 2)
    )


def _of_case(identifier: str, case: str) -> str:
    return f"{identifier}: {case}"


def _cases_apart(run: Record, whole: Collection[str]) -> dict[str, Record]:
    """The claims by their ids, and each case of a grid as one, unless the claim is in `whole`."""
    found = {}
    for claim in run["claims"]:
        if not claim.get("cases") or claim["id"] in whole:
            found[claim["id"]] = claim
            continue
        for case in claim["cases"]:
            ending = f": {case['name']}"
            controls = [
                control | {"name": control["name"].removesuffix(ending)}
                for control in claim["controls"]
                if control["name"].endswith(ending)
            ]
            identifier = _of_case(claim["id"], case["name"])
            found[identifier] = case | {"id": identifier, "controls": controls}
    return found


def changes(
    old: Record,
    new: Record,
    *,
    factor: float = 1.5,
    renamed: Mapping[str, str] | None = None,
) -> list[Change]:
    """What is not in the second run as it was in the first.

    A verdict gets worse from CONSISTENT to INCONCLUSIVE to REFUTED. Tightness, detectable factor
    and coverage count as changed where they moved up or down by more than `factor`, or came or
    went; a claim's time where it moved by more than `factor` and by more than a second.

    Args:
        old: the first run, from `load_run`.
        new: the second one.
        factor: how far a number may move, above 1.
        renamed: ids of the first run -> those of the second, from `load_renames`.

    Returns:
        The changes, in the order in which `describe` prints them.

    Raises:
        ValueError: the factor is not a finite number above 1.

    Example:
        >>> from theory_checks.records.diff import changes
        >>> claim = {"id": "soap/adam", "verdict": "CONSISTENT", "controls": []}
        >>> before = {"claims": [claim], "comparisons": []}
        >>> after = {"claims": [claim | {"verdict": "REFUTED"}], "comparisons": []}
        >>> changes(before, after)
        [Change(kind='worse', subject='soap/adam', old='CONSISTENT', new='REFUTED')]
    """
    if not (math.isfinite(factor) and factor > 1.0):
        raise ValueError(f"factor must be a finite number above 1, but is {factor}")
    table = renamed or {}
    # What is one claim in one of the runs is one in both.
    plain = [
        {table.get(one["id"], one["id"]) for one in run["claims"] if not one.get("cases")}
        for run in (old, new)
    ]
    before, after = (_cases_apart(run, plain[0] | plain[1]) for run in (old, new))
    before = {table.get(name, name): claim for name, claim in before.items()}
    found = [*_came_and_went(before, after), *_came_and_went(*_beside(old, new))]
    for identifier in before.keys() & after.keys():
        found += _claim_changes(before[identifier], after[identifier], factor)
    found += _coverage_changes(old, new, factor)
    place = {identifier: index for index, identifier in enumerate((*after, *before))}
    kinds = list(_HEADINGS)
    return sorted(
        found,
        key=lambda one: (
            kinds.index(one.kind),
            place.get(one.subject.partition(": ")[0], len(place)),
            one.subject,
        ),
    )


def got_worse(found: Sequence[Change], *, strict: bool = False) -> bool:
    """Whether a verdict got worse, or a control that was killed survives.

    Args:
        found: changes, from `changes`.
        strict: whether a loss of coverage counts, too.

    Returns:
        The answer. Claims that are gone or new have no two verdicts to set against each other, and
        do not count.

    Example:
        >>> from theory_checks.records.diff import Change, got_worse
        >>> got_worse([Change("worse", "soap/adam", "CONSISTENT", "REFUTED")])
        True
        >>> got_worse([Change("new", "soap/adam", None, "REFUTED")])
        False
    """
    return any(one.kind in (*_WORSE, *(_LESS_TESTED if strict else ())) for one in found)


def describe(old: Record, new: Record, found: Sequence[Change], *, factor: float = 1.5) -> str:
    """The changes as plain text for a terminal.

    Args:
        old: the first run, from `load_run`.
        new: the second one.
        found: their changes, from `changes`.
        factor: the one that `changes` was called with; the text names it.

    Returns:
        Lines without a newline at the end.

    Example:
        >>> from theory_checks.records.diff import describe
        >>> run = {"claims": [], "comparisons": [], "environment": {}, "summary": {}}
        >>> print(describe(run, run, []).splitlines()[-1])
        no verdict got worse
    """
    lines = [f"old: {_run_in_words(old)}", f"new: {_run_in_words(new)}"]
    lines += [
        f"{name}: {format_number(before)} -> {format_number(after)}"
        for name, before, after in _settings(old, new)
    ]
    for kind, heading in _HEADINGS.items():
        group = [one for one in found if one.kind == kind]
        if group:
            moved = kind in ("lost", "gained", "tightness", "detectable_factor", "seconds")
            more = f", by more than a factor of {factor:g}" if moved else ""
            lines += ["", f"{heading} ({len(group)}{more})"]
            lines += [f"  {_in_words(one)}" for one in group]
    if not found:
        lines += ["", "nothing changed"]
    worse = sum(one.kind in _WORSE for one in found)
    lines += ["", f"{worse} got worse" if worse else "no verdict got worse"]
    return "\n".join(lines)


def _coverage_changes(old: Record, new: Record, factor: float) -> Iterator[Change]:
    """Of the theorems that both runs have, with their parts: what could be wrong unnoticed."""
    before, after = (
        {(row.paper, row.label): row for row in coverage_of(run.get("theorems", ()), run["claims"])}
        for run in (old, new)
    )
    for key in before.keys() & after.keys():
        was, now = before[key], after[key]
        if now.refuted or set(now.absent) - set(was.absent):
            continue  # a verdict that got worse says enough; claims that are gone do not count
        for name in was.own.keys() & now.own.keys():
            one, other = (min(row.own[name].factor, row.parts[name].factor) for row in (was, now))
            if one != other and max(one, other) > factor * min(one, other):
                kind = "lost" if other > one else "gained"
                numbers = (None if math.isinf(value) else value for value in (one, other))
                yield Change(kind, f"{now.label}: {name}", *numbers)
        for name in was.outcomes.keys() & now.outcomes.keys():
            killed, still = was.outcomes[name], now.outcomes[name]
            if killed.startswith("killed") and not still.startswith("killed"):
                yield Change("unnoticed", f"{now.label}: {name}", killed, still)


def _beside(old: Record, new: Record) -> list[dict[str, Record]]:
    return [{one["id"]: one for one in run["comparisons"]} for run in (old, new)]


def _came_and_went(before: Mapping[str, Record], after: Mapping[str, Record]) -> Iterator[Change]:
    for identifier, one in before.items():
        if identifier not in after:
            yield Change("gone", identifier, one.get("verdict"), None)
    for identifier, one in after.items():
        if identifier not in before:
            yield Change("new", identifier, None, one.get("verdict"))


def _claim_changes(old: Record, new: Record, factor: float) -> Iterator[Change]:
    identifier = new["id"]
    before, after = old["verdict"], new["verdict"]
    if before != after:
        step = _ORDER[after] - _ORDER[before]
        kind = "worse" if step > 0 else "better" if step < 0 else "decided"
        yield Change(kind, identifier, before, after)
    yield from _control_changes(old, new)
    if bool(old.get("vacuous")) != bool(new.get("vacuous")):
        words = {True: "vacuous", False: "not vacuous"}
        yield Change(
            "vacuous",
            identifier,
            words[bool(old.get("vacuous"))],
            words[bool(new.get("vacuous"))],
        )
    for name in ("tightness", "detectable_factor"):
        if _moved(old.get(name), new.get(name), factor):
            yield Change(name, identifier, old.get(name), new.get(name))
    before, after = old.get("seconds"), new.get("seconds")
    if before is None or after is None:
        return
    if _moved(before, after, factor) and abs(after - before) > _NOTICEABLE_SECONDS:
        yield Change("seconds", identifier, before, after)


def _control_changes(old: Record, new: Record) -> Iterator[Change]:
    before, after = ({c["name"]: c for c in one["controls"]} for one in (old, new))
    for name in {**before, **after}:
        subject = f"{new['id']}: {name}"
        if name not in after:
            yield Change("control gone", subject, before[name]["verdict"], None)
        elif name not in before:
            yield Change("control new", subject, None, _outcome(after[name]))
        elif before[name]["killed"] is not after[name]["killed"]:
            kind = "killed" if after[name]["killed"] is True else "survives"
            yield Change(kind, subject, _outcome(before[name]), _outcome(after[name]))


def _outcome(control: Record) -> str:
    word = {True: "killed", False: "survived", None: "not run"}[control["killed"]]
    return f"{word} ({control['verdict']})" if control["verdict"] else word


def _moved(old: float | None, new: float | None, factor: float) -> bool:
    if old is None or new is None:
        return old is not new
    low, high = sorted((abs(old), abs(new)))
    return high > factor * low


def _run_in_words(run: Record) -> str:
    environment = run["environment"]
    claims = f"{len(run['claims'])} claims"
    if run.get("schema") == 1:
        claims += ", written by an older version: without theorems and tables of cases"
    seconds = run["summary"].get("seconds")
    facts = [claims, environment.get("created")]
    facts.append(f"{format_number(seconds)} s" if seconds is not None else None)
    return ", ".join(str(fact) for fact in facts if fact)


def _settings(old: Record, new: Record) -> Iterator[tuple[str, Any, Any]]:
    """How the two runs were made differently: such changes may have other reasons than the code."""
    before, after = old["environment"], new["environment"]
    for name in {**before, **after}:
        if name != "created" and before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _in_words(change: Change) -> str:
    if change.kind in ("gone", "new", "control gone", "control new"):
        state = change.new if change.new is not None else change.old
        return f"{change.subject} ({state})" if state else change.subject
    text = f"{change.subject}: {format_number(change.old)} -> {format_number(change.new)}"
    if isinstance(change.old, float | int) and isinstance(change.new, float | int):
        ratio = change.new / change.old if change.old else math.inf
        text += f" (times {format_number(ratio)})" if math.isfinite(ratio) else ""
    return text
