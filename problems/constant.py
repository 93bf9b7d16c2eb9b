# SPDX-License-Identifier: Apache-2.0
"""A number of a problem together with how it is known."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["CertificateError", "Constant"]


class CertificateError(ValueError):
    """A stated number did not survive its independent re-derivation."""


@dataclass(frozen=True)
class Constant:
    """A constant of a problem, how it is known, from which side, and how wide the uncertainty is.

    The true constant lies in [value - width, value] if the value is one from above, in
    [value, value + width] if it is one from below.

    Args:
        value: the number to use, finite.
        how: "exact" (a closed form or an eigenvalue, to float64 round-off, then width is 0) or
            "certified" (a proven bound).
        width: absolute length of the interval beside `value` that contains the true constant.
        derivation: one sentence that says where the number comes from.
        side: "above" if the value is at least the true constant, as it must be for one that makes
            a bound larger; "below" if it is at most that, such as a certified f*. Of an exact
            constant it is "exact".

    Raises:
        ValueError: if `how` or `side` is unknown, `value` is not finite, or `width` is negative,
            not finite, or not 0 for an exact constant.

    Example:
        >>> Constant(-2.0, "exact", derivation="closed form").side
        'exact'
        >>> Constant(2.0, "certified", width=0.5).scaled(3.0, "times 3").value
        6.0
    """

    value: float
    how: Literal["exact", "certified"]
    width: float = 0.0
    derivation: str = ""
    side: Literal["above", "below", "exact"] = "above"

    def __post_init__(self) -> None:
        if self.how not in ("exact", "certified"):
            raise ValueError(f"how must be 'exact' or 'certified', got {self.how!r}")
        if self.side not in ("above", "below", "exact"):
            raise ValueError(f"side must be 'above', 'below' or 'exact', got {self.side!r}")
        if not math.isfinite(self.value):
            raise ValueError(f"value must be finite, got {self.value!r}")
        if not 0.0 <= self.width < math.inf:
            raise ValueError(f"width must be finite and at least 0, got {self.width!r}")
        if self.how == "exact":
            if self.width != 0.0:
                raise ValueError(f"width of an exact constant must be 0, got {self.width!r}")
            object.__setattr__(self, "side", "exact")
        elif self.side == "exact":
            raise ValueError("a certified constant is known from above or from below")

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
        return Constant(self.value * factor, self.how, self.width * factor, derivation, self.side)
