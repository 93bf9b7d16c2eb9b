# SPDX-License-Identifier: Apache-2.0
"""A setting: a method on an instance, where a theorem is evaluated."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optzoo.problems import Constant
from optzoo.theorems import Theorem

from .restated import as_stated

__all__ = ["Setting", "Stated", "chosen", "values"]

Parameters = Mapping[str, float | int | str]


def chosen(how: str = "", /, **numbers: float) -> dict[str, Constant]:
    """Constants that are exact because they are chosen: part of the instance or of the plan.

    Args:
        how: what they were chosen as, where that is worth a word.
        **numbers: the constants' values by name.

    Returns:
        The same names with their certificates.

    Example:
        >>> chosen(mu=0.5)["mu"].how
        'exact'
    """
    derivation = f"chosen, {how}" if how else "chosen"
    return {
        name: Constant(value, "exact", derivation=derivation) for name, value in numbers.items()
    }


def values(constants: Mapping[str, Constant], *names: str) -> dict[str, float | int | str]:
    """Constants as parameters: those that the method takes and the bound too.

    Args:
        constants: by name.
        *names: which of them, in the order of the report; those without a constant are left out.

    Returns:
        Their values by name.

    Example:
        >>> values(chosen(mu=0.5, gamma=0.1), "gamma", "p")
        {'gamma': 0.1}
    """
    return {name: constants[name].value for name in names if name in constants}


class Setting(abc.ABC):
    """Where a theorem is evaluated: an instance in words, its constants, the parameters.

    A paper's setting is a final frozen dataclass of the choices that its grids vary. It adds what
    its claims need: `experiment(**changes)`, the run with those changes. The constants flow once:
    what `bound` takes is what the report shows.
    """

    @property
    @abc.abstractmethod
    def words(self) -> str:
        """The instance in words and numbers; TeX between dollar signs."""

    @property
    @abc.abstractmethod
    def constants(self) -> Mapping[str, Constant]:
        """Every constant of the theorems evaluated here, with how it is known."""

    @property
    @abc.abstractmethod
    def parameters(self) -> Parameters:
        """What the theorem prescribes for the method, as shown in the report."""

    def certify(self) -> None:
        """Re-derives the constants of the instance; there is nothing to derive where all is chosen.

        Raises:
            CertificateError: if a constant disagrees.
        """
        return

    def picture(self) -> Mapping[str, Any] | None:
        """The instance as numbers to draw, see `pictures`; None where it is neither 1-D nor 2-D."""
        return None

    def of(self, theorem: Theorem, **changes: Any) -> Any:
        """The theorem's constants here, an object of its class.

        Args:
            theorem: whose constants.
            **changes: of their values, for false claims.

        Returns:
            The constants.

        Raises:
            TypeError: if the theorem has no constants.
            ValueError: if the setting does not know one of them.
        """
        constants = as_stated(theorem).constants
        if constants is None:
            raise TypeError(f"{theorem.label} has no constants")
        return constants.of(dict(self.constants) | changes)

    def bound(self, theorem: Theorem, *arguments: Any, **changes: Any) -> Any:
        """The theorem's bound here, or that with changed constants: a false claim.

        Args:
            theorem: whose bound.
            *arguments: what the bound takes beside the constants.
            **changes: of the constants.

        Returns:
            The bound.
        """
        return as_stated(theorem).bound(self.of(theorem, **changes), *arguments)


@dataclass(frozen=True)
class Stated(Setting):
    """A setting that is stated: made for one claim, or arithmetic alone.

    Args:
        text: the instance in words and numbers.
        known: the constants that the bound needs.
        chosen: the parameters of the method.
    """

    text: str
    known: Mapping[str, Constant] = field(default_factory=dict)
    chosen: Parameters = field(default_factory=dict)

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> Mapping[str, Constant]:
        return self.known

    @property
    def parameters(self) -> Parameters:
        return self.chosen
