# SPDX-License-Identifier: Apache-2.0
"""The noise of a Markov chain's oracle, and what the multilevel estimator makes of it.

Its factors of variance and bias are those of the lemma D2 of `optzoo.theorems.markovian_noise`.

Differs from the paper, which states orders: the constants here are explicit.

References:
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

import math
from dataclasses import dataclass

from ._arguments import require_batch, require_integer, require_known
from .theorems.markovian_noise import Chain, expected_samples

__all__ = ["MarkovianNoise", "MultilevelBatch"]


@dataclass(frozen=True)
class MarkovianNoise:
    r"""The noise of an oracle along a Markov chain.

    .. math:: \|\nabla F(x, z) - \nabla f(x)\|^2 \le \sigma^2 + \delta^2 \|\nabla f(x)\|^2
      \quad \text{for every state } z

    For a variational inequality |x - x*| takes the place of |grad f(x)|.

    Args:
      mixing_time: tau, the first k with Delta(Q^k) <= 1/4, where Delta is the largest total
        variation distance between two rows; 1 for independent samples.
      sigma: the additive part, at least 0.
      delta: the multiplicative part, at least 0.

    Raises:
      TypeError: if the mixing time is not an integer or a constant not a number.
      ValueError: if one is out of range.

    Example:
      >>> import optzoo
      >>> optzoo.MarkovianNoise(mixing_time=14, sigma=1.0)
      MarkovianNoise(mixing_time=14, sigma=1.0, delta=0.0)
    """

    mixing_time: int
    sigma: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        require_integer("mixing_time", self.mixing_time, 1)
        for name in ("sigma", "delta"):
            value = require_known(name, getattr(self, name))
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name} must be finite and at least 0, got {value}.")


@dataclass(frozen=True)
class MultilevelBatch:
    r"""The sizes of the multilevel estimator, and what they promise by the lemma D2.

    .. math:: b = \frac{25}{9} \frac{\tau^2}{4^m B^2}, \quad
      V = \frac{10}{3} \frac{\tau}{B} \bigl(m - 1 + 2^{1-m}\bigr), \quad c_m B = (m + 2^{-m}) B

    With s^2 = sigma^2 + delta^2 |grad f(x)|^2, which bounds the squared error of a single sample
    whatever the state of the chain, |E g - grad f|^2 <= b s^2 and E|g - grad f|^2 <= V s^2.

    Args:
      batch_size: B, at least 1.
      max_level: m, at least 0.

    Raises:
      TypeError: if one is not an integer.
      ValueError: if one is out of range.

    Example:
      >>> import optzoo
      >>> batch = optzoo.MultilevelBatch(batch_size=10, max_level=2)
      >>> batch.expected_samples, batch.variance(mixing_time=10)
      (22.5, 5.0)
    """

    batch_size: int
    max_level: int

    def __post_init__(self) -> None:
        require_batch(self.batch_size, self.max_level)

    @property
    def expected_samples(self) -> float:
        """c_m B, samples that one estimate takes in the mean."""
        return expected_samples(self.batch_size, self.max_level)

    def variance(self, mixing_time: int) -> float:
        """V: E|g - grad f|^2 is at most V s^2."""
        return Chain(tau=mixing_time).variance_factor(self.batch_size, self.max_level)

    def bias(self, mixing_time: int) -> float:
        """b: |E g - grad f|^2 is at most b s^2."""
        return Chain(tau=mixing_time).bias_factor(self.batch_size, self.max_level)
