# SPDX-License-Identifier: Apache-2.0
"""The theorems of a run as they stand in results.json: each once, its parts below it."""

from collections.abc import Iterable
from typing import Any

from optzoo.theorems import Theorem

from ..claim import Claim
from ..worst_case.misreadings import constants_read, known_source

__all__ = ["merged", "theorem_records", "with_claims"]

Record = dict[str, Any]


def theorem_records(theorems: Iterable[Theorem]) -> list[Record]:
    """The theorems and those that they are parts of, each followed by its parts.

    Args:
        theorems: in any order, with repetitions.

    Returns:
        A record for each.

    Example:
        >>> from optzoo.theorems.frank_wolfe import F1_ON_A_LINE, F3
        >>> [record["label"] for record in theorem_records([F1_ON_A_LINE, F3])]
        ['F1', 'F1 on a line', 'F3']
    """
    families: dict[Theorem, dict[Theorem, None]] = {}
    for theorem in theorems:
        families.setdefault(theorem.root, {theorem.root: None})[theorem] = None
    return [_record(one) for family in families.values() for one in family]


def merged(earlier: Iterable[Record], later: Iterable[Record]) -> list[Record]:
    """Records of an earlier run and of this one, which takes precedence.

    Args:
        earlier: those on file.
        later: this run's.

    Returns:
        Each theorem once.
    """
    found = {(one["paper"], one["label"]): one for one in earlier}
    return list((found | {(one["paper"], one["label"]): one for one in later}).values())


def with_claims(theorems: Iterable[Record], claims: Iterable[Claim]) -> list[Record]:
    """The records with the ids of the claims that there are on each theorem and on its parts.

    Args:
        theorems: their records.
        claims: all that are registered, whether they are run or not.

    Returns:
        The records; "claims" of each has the ids.
    """
    ids: dict[tuple[str, str], dict[str, None]] = {}
    for claim in claims:
        for label in (claim.theorem.label, claim.theorem.root.label):
            ids.setdefault((claim.theorem.paper.citation, label), {})[claim.id] = None
    found = []
    for one in theorems:  # those of an earlier run may know of claims that are not registered now
        here = ids.get((one["paper"], one["label"]), {})
        found.append(one | {"claims": list(dict.fromkeys((*(one.get("claims") or ()), *here)))})
    return found


def _record(theorem: Theorem) -> Record:
    kind = theorem.constants
    directions = {} if kind is None else kind.directions()
    meanings = {} if kind is None else kind.meanings()
    read = constants_read(theorem)
    return {
        "paper": theorem.paper.citation,
        "known": theorem.paper.known,
        "label": theorem.label,
        "root": theorem.root.label,
        "title": theorem.title,
        "source": theorem.source,
        "algorithm": theorem.algorithm,
        "statement": theorem.statement,
        "assumptions": [
            {"text": one.text, "checked": one.holds is not None} for one in theorem.assumptions
        ],
        "metric": theorem.metric,
        "unit": theorem.unit,
        "output": theorem.output,
        "side": theorem.side,
        "rate": theorem.rate,
        "form": theorem.form,
        "constants": [
            {
                "name": name,
                "meaning": meaning,
                "weakens": directions.get(name),
                "read": name in read if known_source(theorem) else None,
            }
            for name, meaning in meanings.items()
        ],
        "code": theorem.code,
        "proof": theorem.proof,
        "not_shown": theorem.not_shown,
    }
