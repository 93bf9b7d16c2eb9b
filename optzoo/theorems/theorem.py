# SPDX-License-Identifier: Apache-2.0
"""A theorem as an object: its statement, its constants and its bound as code, in one place."""

import dataclasses
import inspect
import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from .._arguments import require_known

__all__ = ["Assumption", "Constants", "Paper", "Side", "Theorem", "constant"]

Side = Literal["above", "below", "equal", "law"]
Direction = Literal["up", "down"]


def constant(
    meaning: str,
    *,
    weakens: Direction | None,
    positive: bool = False,
    least: float = 0.0,
    most: float = math.inf,
    default: Any = dataclasses.MISSING,
) -> Any:
    r"""A field of a theorem's constants: what it means and which way it weakens the bound.

    .. math:: \text{weakens = "up"}: \quad c \le c' \implies B(k; c) \le B(k; c')

    Args:
      meaning: in words and TeX.
      weakens: "up" where a larger value makes the bound larger, "down" where a smaller one does;
        None for what the user of the theorem chooses and no proof could get wrong.
      positive: whether the value must be above 0.
      least: the smallest value allowed where it need not be positive.
      most: the largest value allowed.
      default: the value where none is given; without one it must be given.

    Returns:
      A field for a frozen dataclass that derives from `Constants`.

    Example:
      >>> from dataclasses import dataclass
      >>> @dataclass(frozen=True, kw_only=True)
      ... class Smooth(Constants):
      ...     L: float = constant("$f$ is $L$-smooth", weakens="up")
      >>> Smooth(L=-1.0)
      Traceback (most recent call last):
        ...
      ValueError: L must lie in [0, inf), got -1.0.
    """
    bracket = f"{'(' if positive else '['}{least:g}, {most:g}{')' if most == math.inf else ']'}"

    def allowed(value: float) -> bool:
        return least <= value <= most and math.isfinite(value) and (value > 0 or not positive)

    described = {
        "meaning": meaning,
        "weakens": weakens,
        "positive": positive,
        "least": least,
        "most": most,
        "range": bracket,
        "allowed": allowed,
    }
    return dataclasses.field(default=default, metadata=described)


@dataclass(frozen=True, kw_only=True)
class Constants:
    """The constants of a theorem: numbers with a name, a meaning, a range and a direction.

    Derive a frozen dataclass whose fields are made by `constant`; the formulas of the bounds are
    its methods. A field without a description is no constant but a choice, such as a kind of
    sampling, and is not checked.

    Raises:
      TypeError: if a constant is no number, or traced.
      ValueError: if a constant is out of its range.

    Example:
      >>> from optzoo.theorems import frank_wolfe
      >>> frank_wolfe.Sarah.directions()["p"]
      'down'
    """

    def __post_init__(self) -> None:
        for field in _described(type(self)):
            value = require_known(field.name, getattr(self, field.name))
            if not field.metadata["allowed"](value):
                raise ValueError(
                    f"{field.name} must lie in {field.metadata['range']}, got {value}."
                )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The constants that are named in a mapping; what else it names is another theorem's.

        Args:
          values: names -> numbers, or objects with a `value` such as `optzoo.problems.Constant`.

        Returns:
          The constants.

        Raises:
          ValueError: if one without a default is missing.
        """
        fields = dataclasses.fields(cls)
        given = {field.name: values[field.name] for field in fields if field.name in values}
        missing = [
            field.name
            for field in fields
            if field.name not in given and field.default is dataclasses.MISSING
        ]
        if missing:
            raise ValueError(f"{cls.__name__} needs {', '.join(missing)}; given are {list(values)}")
        return cls(**{name: getattr(value, "value", value) for name, value in given.items()})

    @classmethod
    def directions(cls) -> dict[str, Direction]:
        """For each constant that a proof could get wrong, which way it weakens the bound."""
        return {
            field.name: field.metadata["weakens"]
            for field in _described(cls)
            if field.metadata["weakens"] is not None
        }

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """What each constant means, in words and TeX."""
        return {field.name: field.metadata["meaning"] for field in _described(cls)}


def _described(cls: type[Constants]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if "meaning" in field.metadata]


@dataclass(frozen=True)
class Paper:
    """Where theorems come from, and what of the paper's own text is known here.

    Args:
      citation: authors, title, venue, year, arXiv number.
      known: what is known here of the paper's own statements, in a sentence or two.

    Example:
      >>> from optzoo.theorems import frank_wolfe
      >>> "arXiv:2304.11737" in frank_wolfe.PAPER.citation
      True
    """

    citation: str
    known: str = ""


@dataclass(frozen=True)
class Assumption:
    r"""What a theorem needs, in words, and as a predicate where it can be checked.

    Args:
      text: a sentence with TeX between dollar signs.
      holds: whether it holds, a function of the arguments of the bound: the constants, then what
        else the bound takes; None where it cannot be told from them.

    Example:
      >>> half = Assumption(r"$p \le 1/2$", lambda constants: constants.p <= 0.5)
      >>> from types import SimpleNamespace
      >>> half.holds(SimpleNamespace(p=0.6))
      False
    """

    text: str
    holds: Callable[..., bool] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Theorem:
    r"""One statement of one paper: read it, evaluate it, see what it assumes.

    Texts are plain sentences with TeX between dollar signs.

    Args:
      label: its name on the page, such as "F3".
      title: a short line.
      paper: where it comes from.
      source: the theorem of the paper, or which lemma of its proof.
      algorithm: the public name of the method.
      statement: the inequality or identity.
      assumptions: what it needs.
      metric: what it bounds, in TeX, without dollar signs.
      output: which iterate it speaks of.
      side: whether `bound` is above the metric, below it, equal to it, or whether the statement is
        a law, such as an exponent, with nothing to evaluate.
      formula: the bound, a function of the constants and of what else it needs; None for a law and
        for an equality of two computations.
      constants: the class of its constants; None if it has none.
      unit: what k counts.
      rate: the bound falls like k^(-rate); None where it follows no power.
      proof: in a few lines, or where it stands.
      not_shown: what its measurement does not show, on any instance.
      part_of: the theorem that this is a part of the proof, a special case or a consequence of.
      form: "paper" where the constants are the paper's, "explicit" where they are ours.

    Raises:
      ValueError: if a side that is to be evaluated has no formula.

    Example:
      >>> from optzoo.theorems.frank_wolfe import F3, Sarah
      >>> constants = Sarah(L=1.0, L_pm=1.0, D=2.0, p=1.0, nu=1.0, r_0=2.0)
      >>> F3.bound(constants, [1.0, 2 / 3, 0.5]).round(3).tolist()
      [2.0, 2.0, 1.556, 1.278]
      >>> F3.bound(constants, [1.5])
      Traceback (most recent call last):
        ...
      ValueError: F3 does not apply: it assumes steps fixed in advance, in $[0, 1]$.
    """

    label: str
    title: str
    paper: Paper
    source: str
    algorithm: str
    statement: str
    assumptions: tuple[Assumption, ...]
    metric: str
    output: str
    side: Side
    formula: Callable[..., Any] | None = None
    constants: type[Constants] | None = None
    unit: str = "iteration"
    rate: float | None = None
    proof: str = ""
    not_shown: str = ""
    part_of: "Theorem | None" = None
    form: Literal["paper", "explicit"] = "explicit"

    def __post_init__(self) -> None:
        if self.side in ("above", "below") and self.formula is None:
            raise ValueError(f"{self.label} bounds from {self.side}, and so needs a formula")

    def bound(self, constants: Any, *arguments: Any) -> Any:
        """The bound, or the exact value, for these constants; refused where it does not apply.

        Args:
          constants: an object of the class `constants`.
          *arguments: what else the formula takes, such as steps.

        Returns:
          What the formula returns.

        Raises:
          TypeError: if the theorem has nothing to evaluate, or the constants are another's.
          ValueError: if an assumption is violated; the message names it.
        """
        if self.formula is None:
            raise TypeError(f"{self.label} has no bound to evaluate: it is {self.statement}")
        self.require(constants, *arguments)
        return self.formula(constants, *arguments)

    def require(self, constants: Any, *arguments: Any) -> None:
        """Raises where an assumption that can be told from the arguments is violated."""
        if self.constants is not None and not isinstance(constants, self.constants):
            raise TypeError(
                f"the constants of {self.label} must be a {self.constants.__name__}, "
                f"got {constants!r}."
            )
        for assumption in self.assumptions:
            if assumption.holds is not None and not assumption.holds(constants, *arguments):
                raise ValueError(f"{self.label} does not apply: it assumes {assumption.text}.")

    def part(self, label: str, title: str, **changes: Any) -> "Theorem":
        """A part of its proof, a special case or a consequence, with what differs.

        Args:
          label: the part's own.
          title: a short line.
          **changes: fields that differ from this theorem's.

        Returns:
          The theorem, with `part_of` set.
        """
        return dataclasses.replace(self, label=label, title=title, **({"part_of": self} | changes))

    @property
    def root(self) -> "Theorem":
        """The theorem that this one is a part of, or itself."""
        return self if self.part_of is None else self.part_of.root

    @property
    def code(self) -> str | None:
        """The source of the formula, as it stands on the page; None where there is none."""
        if self.formula is None:
            return None
        return textwrap.dedent(inspect.getsource(self.formula)).strip()


def theorems_of(page: Mapping[str, Any]) -> tuple[Theorem, ...]:
    """The theorems of a page in the order in which they stand there.

    Args:
      page: `vars` of the module.

    Returns:
      Each of them once.

    Example:
      >>> from optzoo.theorems import frank_wolfe, theorems_of
      >>> [theorem.label for theorem in theorems_of(vars(frank_wolfe))][:3]
      ['F1', 'F1 along runs', 'F1 on a line']
    """
    found = [one for one in page.values() if isinstance(one, Theorem)]
    return tuple(dict.fromkeys(found))
