# SPDX-License-Identifier: Apache-2.0
"""A claim: a theorem on a setting or on a grid of them, and what must fail beside it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from .setting import Setting
from .statistics.log_log import Exponent
from .statistics.verdict import Decision

if TYPE_CHECKING:
    from .simulation.laboratory import Laboratory
    from .worst_case.attack.space import InstanceFamily

__all__ = ["Case", "Check", "Claim", "Control", "Finding", "Grid", "Kind", "grid", "require_path"]

Array = NDArray[np.float64]
Kind = Literal["upper_bound", "lower_bound", "identity", "one_step", "scaling", "rate"]


@dataclass(frozen=True, eq=False)
class Finding:
    """What a check found; None where a quantity does not apply.

    Attributes:
        verdict: REFUTED, CONSISTENT or INCONCLUSIVE.
        decided: one sentence: which part of the check decided, and with which numbers.
        checkpoints: steps k, or the varied constant, or the number of the case; shape (points,).
        mean: the measured quantity, shape (points,).
        lower, upper: its confidence limits.
        bound: what the claim allows, or the exact value.
        lower_bound: a bound from below drawn beside it.
        seeds: number of replicates.
        tightness, tightness_lower, tightness_upper: max_k of mean / bound, with its limits.
        detectable_factor: smallest c such that the data would have refuted bound / c.
        vacuous: the bound is more than tenfold slack everywhere.
        e_value: largest e-value.
        exponent: for scaling and rate.
        gradient_calls: mean over replicates of the single-sample gradients at the end of a run.
        finite_upper: upper limits that are not asymptotic, where the metric has a cap.
        support: what kind of limits speak for the claim: "finite-sample", "asymptotic" or
            "certain", several joined by " and ".
        unseen: events rarer than this in a run are missing in so many seeds with probability 5%.
        worst_case: the largest that the quantity can be on any problem of a class.
        worst_case_over: the class in words; with the reason where the worst case is not known.
    """

    verdict: Decision
    decided: str
    checkpoints: Array
    mean: Array
    lower: Array | None = None
    upper: Array | None = None
    bound: Array | None = None
    lower_bound: Array | None = None
    seeds: int | None = None
    tightness: float | None = None
    tightness_lower: float | None = None
    tightness_upper: float | None = None
    detectable_factor: float | None = None
    vacuous: bool = False
    e_value: float | None = None
    exponent: Exponent | None = None
    gradient_calls: float | None = None
    finite_upper: Array | None = None
    support: str | None = None
    unseen: float | None = None
    worst_case: Array | None = None
    worst_case_over: str | None = None


class Check(Protocol):
    """A way to find out whether a claim holds: an experiment or a computation made a finding.

    `kind` is the shape of that finding, by which the report and the figures go: a bound from above
    or from below along the checkpoints, an identity or an inequality over cases (one_step), the
    exponent in a constant (scaling) or in the steps (rate). `name` says what decides: "e-value",
    "exact enumeration", ... A check raises where it cannot be evaluated; it never guesses.
    """

    @property
    def kind(self) -> Kind:
        """The shape of the finding."""

    @property
    def name(self) -> str:
        """What decides, in words."""

    def run(self, laboratory: "Laboratory") -> Finding:
        """Evaluates the claim."""


@dataclass(frozen=True, eq=False)
class Control:
    """A mutant or a false claim that must be REFUTED, or a null that must not.

    Args:
        name: short and unique within the claim.
        description: what was changed, in a sentence.
        check: the claim's check with that change.
        expected: "REFUTED", or "NOT_REFUTED" for a null.
    """

    name: str
    description: str
    check: Check
    expected: Literal["REFUTED", "NOT_REFUTED"] = "REFUTED"


@dataclass(frozen=True, eq=False)
class Case:
    """A theorem on one setting.

    Args:
        setting: where it is evaluated.
        check: how.
        controls: what must fail (or must not) beside it; see `controls.controls`.
    """

    setting: Setting
    check: Check
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, eq=False)
class Grid:
    """Cases by their names; see `grid`."""

    cases: Mapping[str, Callable[[], Case]]


def grid(
    prepare: Callable[..., Case],
    *,
    where: Callable[..., bool] = lambda **choice: True,
    **axes: Iterable[Any],
) -> Grid:
    """A theorem on a grid of settings: all choices along the axes, or those of them `where`.

    Args:
        prepare: makes the case of a choice, when it runs.
        where: whether a choice is evaluated.
        **axes: the values of each of the arguments of `prepare`.

    Returns:
        The cases; the words of a choice are its name: "least squares, l1 ball".

    Raises:
        ValueError: if nothing is left, or two choices have one name.

    Example:
        >>> cases = grid(lambda problem, step: ..., problem=("least_squares", "logistic"),
        ...              step=(1,), where=lambda problem, step: problem != "logistic").cases
        >>> list(cases)
        ['least squares, 1']
    """
    choices: list[dict[str, Any]] = [{}]
    for name, values in axes.items():
        choices = [choice | {name: value} for choice in choices for value in tuple(values)]
    chosen = [choice for choice in choices if where(**choice)]
    cases = {
        ", ".join(str(value).replace("_", " ") for value in choice.values()): partial(
            prepare, **choice
        )
        for choice in chosen
    }
    if not chosen or len(cases) < len(chosen):
        raise ValueError(f"a grid needs choices with different names, got {list(cases)}")
    return Grid(cases)


def require_path(identifier: str, example: str) -> None:
    """Raises unless an id is a lower-case path that every terminal and page can show.

    Args:
        identifier: the id.
        example: one that is.

    Raises:
        ValueError: if it has upper-case letters, spaces or control characters, or no slash.
    """
    plain = identifier.isprintable() and not any(letter.isspace() for letter in identifier)
    parts = identifier.split("/")
    if not plain or identifier != identifier.lower() or len(parts) < 2 or not all(parts):
        raise ValueError(f"id must be a lower-case path such as '{example}', got {identifier!r}")


@dataclass(frozen=True, eq=False)
class Claim:
    r"""A theorem on a setting, or on a grid of them.

    The setting is made only when the claim runs, so that listing the claims costs nothing. On a
    grid the case closest to its bound is the claim's, and all are in its table.

    Args:
        id: path-like, unique: "frank_wolfe/sarah/...".
        title: a short line.
        theorem: what is claimed.
        prepare: makes the case, or a grid of them.
        not_shown: what a reader may not conclude from this evaluation; the theorem's own if None.
        pairs_with: ids of claims that could have failed where this one is slack.
        x_label: axis of the checkpoints.
        not_tested: constants that this claim and its partners would not catch, or by a factor far
            above 1 alone, each with the reason why that is so.
        families: of instances that `theory-checks attack` searches; those of this repository that
            fit the theorem if there is none.
        search: the record of the search that found the instances; None where nobody searched.

    Raises:
        ValueError: if the id is not a lower-case path, or `not_tested` names no constant of the
            theorem.
        TypeError: if the theorem is not one.
    """

    id: str
    title: str
    theorem: Theorem
    prepare: Callable[[], Case] | Grid
    not_shown: str | None = None
    pairs_with: tuple[str, ...] = ()
    x_label: str = "step $k$"
    not_tested: Mapping[str, str] = field(default_factory=dict)
    families: "tuple[InstanceFamily, ...]" = ()
    search: Mapping[str, Any] | None = None

    WITHOUT_NAME: ClassVar[str] = ""

    def __post_init__(self) -> None:
        require_path(self.id, "paper/claim")
        if not isinstance(self.theorem, Theorem):
            raise TypeError(
                f"the theorem of {self.id} must be an optzoo.theorems.Theorem, got {self.theorem!r}"
            )
        kind = self.theorem.constants
        known = () if kind is None else tuple(kind.directions())
        unknown = [name for name in self.not_tested if name not in known]
        if unknown:
            raise ValueError(
                f"not_tested of {self.id} names {', '.join(unknown)}; the constants that "
                f"{self.theorem.label} could get wrong are {', '.join(known) or 'none'}"
            )

    @property
    def cases(self) -> Mapping[str, Callable[[], Case]]:
        """What makes each case, by its name; one without a name where there is no grid."""
        if isinstance(self.prepare, Grid):
            return self.prepare.cases
        return {self.WITHOUT_NAME: self.prepare}
