"""A claim: one statement of one paper, where it is evaluated, and what must fail beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .log_log import Exponent
from .verdict import Decision

if TYPE_CHECKING:
    from optzoo.problems import Constant

    from .laboratory import Laboratory

__all__ = ["Case", "Check", "Claim", "Control", "Finding", "Kind"]

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


class Check(Protocol):
    """A way to find out whether a claim holds."""

    @property
    def name(self) -> str:
        """What decides, in words: "e-value", "exact enumeration", ..."""

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
    """The instance on which a claim is evaluated.

    Args:
        problem: the instance in words and numbers.
        constants: the constants that the bound needs, each with its certificate.
        parameters: what the theorem prescribes for the method, as shown in the report.
        check: how the claim is evaluated.
        controls: what must fail (or must not) beside it.
    """

    problem: str
    constants: dict[str, "Constant"]
    parameters: dict[str, float | int | str]
    check: Check
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, eq=False)
class Claim:
    r"""One statement of one paper as an object.

    Texts are plain sentences with TeX between dollar signs. The instance is made only when the
    claim runs (`prepare`), so that listing the claims costs nothing.

    Args:
        id: path-like, unique: "frank_wolfe/sarah/...".
        title: a short line.
        paper: authors, title, year, arXiv number.
        source: the theorem of the paper, and the label of the form evaluated here.
        theorem: that label alone, such as "F3".
        algorithm: the public name of the method.
        statement: the inequality or identity.
        assumptions: what it needs.
        form: "paper" for the paper's constants, "explicit" for ours.
        kind: upper_bound, lower_bound, identity, one_step, scaling or rate.
        metric: what is measured, in TeX.
        unit: what k counts.
        output: which iterate the statement speaks of.
        prepare: makes the instance.
        not_shown: what a reader may not conclude.
        pairs_with: ids of claims that could have failed where this one is slack.
        x_label: axis of the checkpoints.
        rate: the bound falls like k^(-rate), drawn as a guide; None where it follows no power.

    Raises:
        ValueError: if the id is not a lower-case path.
    """

    id: str
    title: str
    paper: str
    source: str
    theorem: str
    algorithm: str
    statement: str
    assumptions: tuple[str, ...]
    kind: Kind
    metric: str
    unit: str
    output: str
    prepare: Callable[[], Case]
    not_shown: str
    form: Literal["paper", "explicit"] = "explicit"
    pairs_with: tuple[str, ...] = ()
    x_label: str = "step $k$"
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.id != self.id.lower() or " " in self.id or self.id.count("/") < 1:
            raise ValueError(f"id must be a lower-case path such as 'paper/claim', got {self.id!r}")
