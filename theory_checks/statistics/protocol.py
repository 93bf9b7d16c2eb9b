# SPDX-License-Identifier: Apache-2.0
"""The protocol of a run: every number that a verdict depends on beside the data."""

import dataclasses
from dataclasses import dataclass

__all__ = ["Protocol"]


@dataclass(frozen=True)
class Protocol:
    """How verdicts are reached; held by the laboratory and written into the record.

    Args:
        alpha: probability of refuting a true bound, at most, over all looks together.
        confidence: one-sided level of the limits that support a bound, at each look.
        resamples: bootstrap resamples at each look.
        looks: how often support is asked for, with twice the seeds each time.
        max_z: a sampled identity is refuted from this standard score on.
        vacuous: a bound is vacuous if one so many times smaller would have passed as well.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> Protocol(alpha=1e-4).record["alpha"]
        0.0001
        >>> Protocol(looks=0)
        Traceback (most recent call last):
        ValueError: looks must be at least 1, got 0
    """

    alpha: float = 1e-3
    confidence: float = 0.9875
    resamples: int = 999
    looks: int = 4
    max_z: float = 4.0
    vacuous: float = 10.0

    def __post_init__(self) -> None:
        for name in ("alpha", "confidence"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in (0, 1), got {getattr(self, name)}")
        for name in ("resamples", "looks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.max_z > 0.0:
            raise ValueError(f"max_z must be positive, got {self.max_z}")
        if not self.vacuous > 1.0:
            raise ValueError(f"vacuous must be above 1, got {self.vacuous}")

    @property
    def support_error(self) -> float:
        """Probability of supporting a false bound that all looks together are meant to keep."""
        return min(self.looks * (1.0 - self.confidence), 0.5)

    def unseen(self, seeds: int) -> float:
        """How rare an event is that no seed shows with probability `support_error`.

        Args:
            seeds: number of replicates.

        Returns:
            1 - support_error^(1 / seeds): what is rarer cannot be said to be absent.

        Example:
            >>> print(f"{Protocol().unseen(32):.1%}")
            8.9%
        """
        return float(1.0 - self.support_error ** (1.0 / seeds))

    @property
    def record(self) -> dict[str, float | int]:
        """As it stands in results.json."""
        return dataclasses.asdict(self)
