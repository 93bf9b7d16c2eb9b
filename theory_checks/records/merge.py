# SPDX-License-Identifier: Apache-2.0
"""One run of several that each did a part of it: the tasks of a job array, say."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .theorems import merged as merged_theorems
from .write import finished_run

__all__ = ["MergeError", "ShardsLeftOut", "merged"]

Record = dict[str, Any]

_ALIKE = ("version", "python", "jax", "optax", "numpy", "scipy", "preset", "seeds", "master_seed")
_ELAPSED = ("seconds",)
"""What may differ between two evaluations of one claim."""
_TOLD = 8


class MergeError(ValueError):
    """Runs that are no parts of one."""


ShardsLeftOut = list[str]
"""Sentences: what the whole run would have, and these parts of it do not."""


def merged(directories: Sequence[Path]) -> tuple[Record, ShardsLeftOut]:
    """The runs in some folders as one.

    Args:
        directories: of the runs; a claim that two of them have must have come out alike.

    Returns:
        What results.json would hold, but for its summary, with the seconds of all runs together
        under "seconds"; and what was asked for and is in none of them.

    Raises:
        MergeError: if there are fewer than two, one cannot be read, or they differ in what decides
            the numbers: the message names the difference.
    """
    given = list(dict.fromkeys(path.resolve() for path in directories))
    if len(given) < 2:
        raise MergeError(f"two runs or more make one, got {len(given)} folder")
    runs = []
    for path in given:
        try:
            runs.append((path, finished_run(path)))
        except (FileNotFoundError, ValueError) as error:
            raise MergeError(str(error)) from None
    first, leader = runs[0]
    for path, run in runs[1:]:
        _require_alike(first, leader["environment"], path, run["environment"])
    found: Record = {
        "environment": _environment([run["environment"] for _, run in runs]),
        "theorems": [],
        "seconds": sum(run["summary"]["seconds"] for _, run in runs),
    }
    turn = {name: number for number, name in enumerate(found["environment"]["asked"])}
    for kind in ("claims", "comparisons"):
        records = _each_once([(path, run[kind]) for path, run in runs])
        found[kind] = sorted(records, key=lambda one: turn.get(one["id"], -1))
    for _, run in runs:
        found["theorems"] = _with_all_claims(found["theorems"], run["theorems"])
    evaluated = {one["id"] for kind in ("claims", "comparisons") for one in found[kind]}
    failures = {
        one["id"]: one
        for _, run in runs
        for one in run.get("failures") or ()
        if one["id"] not in evaluated
    }
    found["failures"] = list(failures.values())
    return found, _left_out(found, evaluated | set(failures))


def _require_alike(first: Path, leader: Record, path: Path, environment: Record) -> None:
    for name in _ALIKE:
        one, other = leader.get(name), environment.get(name)
        if one != other:
            raise MergeError(f"{name} is {one} in {first} and {other} in {path}")
    one, other = leader.get("protocol") or {}, environment.get("protocol") or {}
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            raise MergeError(
                f"the protocol's {name} is {one.get(name)} in {first} and {other.get(name)} "
                f"in {path}"
            )
    one, other = _shard(leader), _shard(environment)
    if one is not None and other is not None and one[1] != other[1]:
        raise MergeError(
            f"{first} is a shard of {one[1]}, and {path} one of {other[1]}: their parts overlap"
        )


def _shard(environment: Record) -> tuple[int, int] | None:
    """Which part of how many a run is; None where it is no part by number."""
    number, _, count = str(environment.get("shard") or "").partition("/")
    return (int(number), int(count)) if count else None


def _environment(environments: Sequence[Record]) -> Record:
    """That of the first run, with what each of the others was made on."""
    told = ("created", "platform", "cpus", "devices", "workers", "shard")
    leader = dict(environments[0])
    leader["created"] = min(one["created"] for one in environments)
    for name in ("claims_from", "asked"):
        leader[name] = list(
            dict.fromkeys(value for one in environments for value in one.get(name) or ())
        )
    leader["shard"] = None
    # Parts of parts are told one by one.
    leader["merged"] = [
        part
        for one in environments
        for part in one.get("merged") or ({name: one.get(name) for name in told},)
    ]
    return leader


def _each_once(shelves: Iterable[tuple[Path, Sequence[Record]]]) -> list[Record]:
    kept: dict[str, tuple[Path, Record]] = {}
    for path, records in shelves:
        for one in records:
            before = kept.setdefault(one["id"], (path, one))
            if _numbers(before[1]) != _numbers(one):
                raise MergeError(
                    f"{one['id']} came out differently in {before[0]} and {path}: "
                    f"{_difference(before[1], one)}"
                )
    return [one for _, one in kept.values()]


def _numbers(one: Record) -> str:
    return json.dumps({k: v for k, v in one.items() if k not in _ELAPSED}, sort_keys=True)


def _difference(one: Record, other: Record) -> str:
    """In which field, and how if that can be said in a few letters."""
    for name in ("fingerprint", *sorted({*one, *other} - {"fingerprint", *_ELAPSED})):
        a, b = one.get(name), other.get(name)
        if a != b:
            if name == "fingerprint":
                return "statement, code, data or versions differ"
            short = len(f"{a}{b}") < 80
            return f"{name} is {a} and {b}" if short else f"{name} differs"
    return "nothing that is written"  # pragma: no cover


def _with_all_claims(earlier: Sequence[Record], later: Sequence[Record]) -> list[Record]:
    """Each theorem once, with the ids of the claims that any of the runs knew of."""
    known = {(one["paper"], one["label"]): one.get("claims") or [] for one in earlier}
    return [
        one
        | {
            "claims": list(
                dict.fromkeys(
                    (*known.get((one["paper"], one["label"]), ()), *(one.get("claims") or ()))
                )
            )
        }
        for one in merged_theorems(earlier, later)
    ]


def _left_out(found: Record, known: set[str]) -> ShardsLeftOut:
    sentences: ShardsLeftOut = []
    shards = [_shard(part) for part in found["environment"]["merged"]]
    here = {one[0] for one in shards if one is not None}
    for count in {one[1] for one in shards if one is not None}:
        missing = [str(number) for number in range(1, count + 1) if number not in here]
        if missing:
            sentences.append(f"of {count} shards there is no {', '.join(missing)}")
    unfinished = [name for name in found["environment"]["asked"] if name not in known]
    if unfinished:
        more = f" and {len(unfinished) - _TOLD} more" if len(unfinished) > _TOLD else ""
        sentences.append(f"asked for and not finished: {', '.join(unfinished[:_TOLD])}{more}")
    return sentences
