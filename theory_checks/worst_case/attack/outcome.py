# SPDX-License-Identifier: Apache-2.0
"""What a search found: the file that keeps it, and the claim on the hardest instances.

`attack.json` has all that it takes to go on with the search, and to evaluate the hardest instances
again: `theory-checks run --claims DIR/hardest.py` does.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...claim import Claim, Grid
from ...registration import Origin, RegistrationError, collected, registered
from .objective import RATIO, objectives
from .search import LOOKS, SEEDS, Candidate, Restart, Search
from .space import InstanceFamily, Real, Whole

__all__ = [
    "FILE",
    "families_of",
    "finalists",
    "found",
    "hardest_claim",
    "load",
    "read",
    "resumed",
    "write",
]

FILE = "attack.json"
SCHEMA = 1
_FINAL = 2**21
"""Apart from the numbers of restarts and tests, so that all keys differ."""

_LOADER = '''"""The hardest instances that a search found; attack.json beside this file has them."""

from pathlib import Path

from theory_checks.worst_case.attack import load

CLAIMS = load(Path(__file__).with_name("attack.json"))
'''


def families_of(claim: Claim) -> tuple[InstanceFamily, ...]:
    """A claim's own families, or those of this repository that fit its theorem.

    Args:
        claim: any.

    Returns:
        The families; none where nothing fits.
    """
    from ...claims import FAMILIES

    fitting = (family for family in FAMILIES if family.fits(claim.theorem))
    return tuple(claim.families) or tuple(fitting)


# --- Finalists ---


def finalists(search: Search) -> list[tuple[tuple[str, ...], Candidate]]:
    """The hardest instance for each objective, chosen on fresh seeds among the best of each family.

    Args:
        search: that has ended.

    Returns:
        What each is the hardest for, and the instance: the one that violates the theorem first.
    """
    contenders = list(dict.fromkeys(search.best.values()))
    by_name = {family.name: family for family in search.families}
    again: dict[Candidate, Candidate] = {}
    for family in search.families:
        own = [one for one in contenders if one.family == family.name]
        if not own:
            continue
        key = int(np.random.default_rng([search.seed, _FINAL]).integers(2**31))
        parameters = [one.parameters for one in own]
        seen = search.look(by_name[family.name], parameters, key, seeds=SEEDS * LOOKS)
        again |= {
            one: fresh for one, fresh in zip(own, seen, strict=True) if isinstance(fresh, Candidate)
        }
    chosen: dict[Candidate, list[str]] = {}
    if search.refuted is not None:
        chosen[search.refuted[0]] = ["violation"]
    for name in objectives(search.theorem):
        rated = [(fresh.scores.get(name, -math.inf), one) for one, fresh in again.items()]
        best = max(rated, key=lambda pair: pair[0], default=None)
        if best is not None and best[0] > 0:
            chosen.setdefault(best[1], []).append(name)
    return [(tuple(names), again.get(one, one)) for one, names in chosen.items()]


# --- The file ---


def found(
    claim: Claim,
    search: Search,
    *,
    budget: float,
    seconds: float,
    claims_from: Sequence[str] = (),
    hardest: Sequence[tuple[tuple[str, ...], Candidate]] = (),
) -> dict[str, Any]:
    """The search as it stands in attack.json.

    Args:
        claim: that is attacked.
        search: so far.
        budget: seconds it was given.
        seconds: that it took so far.
        claims_from: the files that claims came from.
        hardest: the finalists; none while it goes on.

    Returns:
        The record.
    """
    refuted = None
    if search.refuted is not None:
        candidate, finding = search.refuted
        refuted = _candidate(candidate) | {
            "decided": finding.decided,
            "tightness": finding.tightness,
        }
    return {
        "schema": SCHEMA,
        "id": claim.id,
        "theorem": claim.theorem.label,
        "statement": claim.theorem.statement,
        "constant": search.constant,
        "seed": search.seed,
        "alpha": search.protocol.alpha,
        "budget": budget,
        "seconds": seconds,
        "evaluations": search.evaluations,
        "tests": search.tests,
        "claims_from": list(claims_from),
        "families": {family.name: _ranges(family) for family in search.families},
        "restarts": [_restart(one) for one in search.restarts],
        "best": [{"objective": name, **_candidate(one)} for (_, name), one in search.best.items()],
        "refuted": refuted,
        "hardest": [{"for": list(names), **_candidate(one)} for names, one in hardest],
    }


def _ranges(family: InstanceFamily) -> dict[str, str]:
    """What varies, in words."""
    words = {}
    for name, one in family.varies.items():
        if isinstance(one, Real | Whole):
            size = getattr(one, "size", None)
            words[name] = f"{one.low:g} to {one.high:g}" + (f", {size} of them" if size else "")
        else:
            words[name] = " or ".join(str(value) for value in one.values)
    return words


def _candidate(one: Candidate) -> dict[str, Any]:
    finite = {name: value for name, value in one.scores.items() if math.isfinite(value)}
    return {"family": one.family, "parameters": one.parameters, "scores": finite}


def _restart(one: Restart) -> dict[str, Any]:
    return {
        "family": one.family,
        "objective": one.objective,
        "evaluations": one.evaluations,
        "seconds": round(one.seconds, 3),
        "path": [value if math.isfinite(value) else None for value in one.path],
        "reached": dict(one.reached),
    }


def write(directory: Path, record: Mapping[str, Any]) -> None:
    """Writes attack.json, and hardest.py beside it, each as a whole or not at all.

    Args:
        directory: where.
        record: see `found`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in ((FILE, json.dumps(record, indent=1)), ("hardest.py", _LOADER)):
        part = directory / f".{name}.{os.getpid()}"
        part.write_text(text, encoding="utf-8")
        part.replace(directory / name)


def read(path: Path) -> dict[str, Any]:
    """The record in an attack.json.

    Args:
        path: of the file.

    Returns:
        The record.

    Raises:
        ValueError: if it is none.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as the record of a search: {error}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or "best" not in record:
        raise ValueError(f"{path} is not the record of a search")
    return record


def resumed(search: Search, record: Mapping[str, Any]) -> None:
    """Puts a search where a record of it was left.

    Args:
        search: a new one, of the same theorem, families, constant and seed.
        record: see `found`.
    """
    search.tests = record["tests"]
    search.known = record["evaluations"] - sum(one["evaluations"] for one in record["restarts"])
    for number, one in enumerate(record["restarts"]):
        path = tuple(-math.inf if value is None else value for value in one["path"])
        search.restarts.append(
            Restart(
                number,
                one["family"],
                one["objective"],
                None,
                one["evaluations"],
                one["seconds"],
                path,
                one["reached"],
            )
        )
    known = {family.name for family in search.families}
    for one in record["best"]:
        if one["family"] in known:
            candidate = Candidate(one["family"], one["parameters"], one["scores"])
            search.best[one["family"], one["objective"]] = candidate


# --- The claim ---


def hardest_claim(claim: Claim, record: Mapping[str, Any]) -> Claim:
    """The claim's theorem on the hardest instances that were found for it.

    Args:
        claim: that was attacked.
        record: of the search, when it had ended.

    Returns:
        The claim, whose record has what the search did.

    Raises:
        ValueError: if no instance was kept, or a family is not known any more.
    """
    families = {family.name: family for family in families_of(claim)}
    unknown = [one["family"] for one in record["hardest"] if one["family"] not in families]
    if unknown:
        raise ValueError(f"{claim.id} has no family '{unknown[0]}'; it has {', '.join(families)}")
    if not record["hardest"]:
        raise ValueError(f"the search for {claim.id} kept no instance")
    cases = {
        _words(one["for"]): partial(
            families[one["family"]].case, claim.theorem, dict(one["parameters"])
        )
        for one in record["hardest"]
    }
    return Claim(
        id=f"attack/{claim.id}",
        title=f"{claim.theorem.title}: the hardest instances of a search",
        theorem=claim.theorem,
        prepare=Grid(cases),
        not_shown=(
            "That no instance is harder: it says how much was tried. Instances were chosen for "
            "what they show, and are evaluated on seeds that had no part in the choice."
        ),
        x_label=claim.x_label,
        not_tested=claim.not_tested,
        search=record,
    )


def _words(names: Sequence[str]) -> str:
    return " and ".join("close to the bound" if name == RATIO else name for name in names)


def load(path: Path) -> tuple[Claim, ...]:
    """The claim on the hardest instances in an attack.json, for a file of claims.

    Args:
        path: of the file.

    Returns:
        A tuple of one claim.

    Raises:
        RegistrationError: if the claim that was attacked is not known any more, or the file is no
            record of a search.
    """
    try:
        record = read(path)
    except ValueError as error:
        raise RegistrationError(str(error)) from None
    origins: list[Origin] = registered([Path(one) for one in record["claims_from"]])
    attacked = [one for one in collected(origins) if one.id == record["id"]]
    if not attacked or not isinstance(attacked[0], Claim):
        raise RegistrationError(f"{path}: there is no claim '{record['id']}'")
    return (hardest_claim(attacked[0], record),)
