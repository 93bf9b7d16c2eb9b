# SPDX-License-Identifier: Apache-2.0
r"""The bounds D3 to D5 for any estimates, whose variance and bias are constants of their own.

No more of the chain enters their proofs than D2's two factors V and b. What is proved for all
estimates with these is attained by some, which the multilevel estimate along a chain need not be.
"""

from dataclasses import dataclass

from .markovian_noise_constants import (
    Accelerated,
    Descent,
    Extragradient,
    Method,
    StronglyConvex,
)
from .theorem import constant

__all__ = ["AcceleratedOfAny", "AnyEstimate", "DescentOfAny", "DistanceOfAny", "ExtragradientOfAny"]

_NO_PART = "of the chain, which plays no part"


@dataclass(frozen=True, kw_only=True)
class AnyEstimate(Method):
    r"""What is asked of an estimate g of a gradient G, given all that was before it.

    Args:
        V: E|g - G|^2 <= V s^2.
        b: |E g - G|^2 <= b s^2.
    """

    V: float = constant(r"$E|g - \nabla f|^2 \le V s^2$", weakens="up", default=0.0)
    b: float = constant(r"$|E g - \nabla f|^2 \le b s^2$", weakens="up", default=0.0)
    tau: float = constant(_NO_PART, weakens=None, default=1.0)
    B: int = constant(_NO_PART, weakens=None, default=1)
    m: int = constant(_NO_PART, weakens=None, default=0)


@dataclass(frozen=True, kw_only=True)
class DescentOfAny(AnyEstimate, Descent):
    """Constants of D3 for any estimates.

    Example:
        >>> noise = {"sigma": 1.0, "delta": 0.0, "V": 0.5, "b": 0.0}
        >>> float(DescentOfAny(L=2.0, gamma=0.5, start=0.0, **noise).mean_squared_gradient(1))
        0.5
    """


@dataclass(frozen=True, kw_only=True)
class DistanceOfAny(AnyEstimate, StronglyConvex):
    """Constants of D3a for any estimates.

    Example:
        >>> noise = {"sigma": 1.0, "delta": 0.0, "V": 0.5, "b": 0.0}
        >>> float(DistanceOfAny(L=2.0, mu=2.0, gamma=0.5, start=0.0, **noise).distance(1))
        0.125
    """


@dataclass(frozen=True, kw_only=True)
class AcceleratedOfAny(AnyEstimate, Accelerated):
    """Constants of D4 for any estimates.

    Example:
        >>> noise = {"sigma": 1.0, "delta": 0.0, "V": 0.5, "b": 0.0}
        >>> bound = AcceleratedOfAny(L=1.0, mu=1.0, gamma=0.75, p=1.0, start=0.0, **noise)
        >>> round(float(bound.potential(1)), 6)
        1.96875
    """


@dataclass(frozen=True, kw_only=True)
class ExtragradientOfAny(AnyEstimate, Extragradient):
    """Constants of D5 for any estimates.

    Args:
        V_0: V of the first half of a step.

    Example:
        >>> noise = {"sigma": 1.0, "Delta": 0.0, "V": 0.5, "b": 0.0, "V_0": 0.5}
        >>> bound = ExtragradientOfAny(L=1.0, mu=1.0, gamma=0.25, start=0.0, **noise)
        >>> float(bound.distance(1))
        0.1875
    """

    V_0: float = constant("$V$ of the first half of a step", weakens="up", default=0.0)
    B_0: int = constant(_NO_PART, weakens=None, default=1)
