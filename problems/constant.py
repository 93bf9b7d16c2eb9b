"""A number of a problem together with how it is known."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["CertificateError", "Constant"]


class CertificateError(ValueError):
    """A stated number did not survive its independent re-derivation."""


@dataclass(frozen=True)
class Constant:
    """A constant of a problem, how it is known and how wide the uncertainty is.

    The smallest number for which the constant's inequality holds for all points lies in
    [value - width, value], so `value` may always be used in an upper bound.

    Args:
        value: the number to use.
        how: "exact" (a closed form or an eigenvalue, to float64 round-off, then width is 0) or
            "certified" (a proven bound).
        width: absolute length of the interval below `value` that contains the true constant.
        derivation: one sentence that says where the number comes from.

    Raises:
        ValueError: if `how` is unknown, or `value` or `width` is negative or not finite.

    Example:
        >>> Constant(2.0, "exact", derivation="closed form")
        Constant(value=2.0, how='exact', width=0.0, derivation='closed form')
        >>> Constant(2.0, "certified", width=0.5).scaled(3.0, "times 3").value
        6.0
    """

    value: float
    how: Literal["exact", "certified"]
    width: float = 0.0
    derivation: str = ""

    def __post_init__(self) -> None:
        if self.how not in ("exact", "certified"):
            raise ValueError(f"how must be 'exact' or 'certified', got {self.how!r}")
        for name in ("value", "width"):
            number = getattr(self, name)
            if not 0.0 <= number < float("inf"):
                raise ValueError(f"{name} must be finite and at least 0, got {number!r}")

    def scaled(self, factor: float, reason: str) -> "Constant":
        """The constant of a problem in which it is `factor` times as large.

        Args:
            factor: a positive number.
            reason: what was done to the problem; appended to the derivation.

        Returns:
            The constant with value and width multiplied.

        Example:
            >>> Constant(2.0, "exact", derivation="closed form").scaled(0.5, "halved").derivation
            'closed form, halved'
        """
        derivation = f"{self.derivation}, {reason}" if self.derivation else reason
        return Constant(self.value * factor, self.how, self.width * factor, derivation)
