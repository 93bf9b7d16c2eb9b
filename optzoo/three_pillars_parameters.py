# SPDX-License-Identifier: Apache-2.0
"""The numbers that the theorems on Three Pillars prescribe, and what they promise for them.

The formulas are those of `optzoo.theorems.three_pillars`, V1 to V4; here they take the constants of
a problem and a compressor, and say what is wrong with them.

Differs from the paper, which states orders: all constants here are explicit, from proofs with the
same potential. No single worker need be monotone.

References:
  Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of efficient
  communications for distributed variational inequalities", NeurIPS 2023, arXiv:2302.07615.
"""

import math
import warnings
from dataclasses import dataclass, replace

from ._arguments import require_integer, require_known, require_known_positive
from .compressors import Compressor, Identity, NaturalCompression, PermK, SampledClients
from .theorems.three_pillars import LOCAL_SHARE, Compression, Inexact, tuned_step

__all__ = ["ThreePillarsParameters", "three_pillars_parameters"]

# Constants that are equal may differ by a few roundings.
ROUNDING = 1e-12


@dataclass(frozen=True)
class ThreePillarsParameters:
    r"""Parameters of `three_pillars` with the theorems' constants; see `three_pillars_parameters`.

    .. math:: E\|z^K - z^*\|^2 \le 2 \rho_H^K \|z^0 - z^*\|^2

    Args:
      strong_monotonicity: mu.
      server_similarity: delta_1.
      server_lipschitz: L, of F_1.
      server_monotonicity: the modulus of F_1, negative if it is not monotone.
      message_constant: d_B.
      gamma: the step size.
      refresh_probability: p, in (0, 1).
      local_steps: H.

    Raises:
      TypeError: if a number is not one.
      ValueError: if one is out of range, or F_1 is not monotone and gamma too long for its
        sub-problem.

    Example:
      >>> import optzoo
      >>> plan = optzoo.three_pillars_parameters(0.1, 1.0, 20.0, num_workers=16)
      >>> plan.momentum, round(plan.gamma, 9), round(plan.gamma_limit, 6)
      (0.0625, 0.125, 0.176777)
      >>> plan.bound(plan.steps(1.0, 1e-6), 1.0) <= 1e-6
      True
    """

    strong_monotonicity: float
    server_similarity: float
    server_lipschitz: float
    server_monotonicity: float
    message_constant: float
    gamma: float
    refresh_probability: float
    local_steps: int

    def __post_init__(self) -> None:
        for name in (
            "strong_monotonicity",
            "server_similarity",
            "server_lipschitz",
            "message_constant",
            "gamma",
        ):
            require_known_positive(name, getattr(self, name))
        if not 0 < require_known("refresh_probability", self.refresh_probability) < 1:
            raise ValueError(
                f"refresh_probability must lie in (0, 1), got {self.refresh_probability}."
            )
        require_integer("local_steps", self.local_steps, 1)
        require_known("server_monotonicity", self.server_monotonicity)
        limit = self.constants.gamma_limit_of_server
        if self.gamma >= limit:
            raise ValueError(
                "gamma must be below 1 / max(delta_1, -mu_1), because the server's operator is not "
                f"monotone; the limit is {limit:.6g}, got {self.gamma}."
            )

    @property
    def constants(self) -> Inexact:
        """The constants of V4, and what it says for them."""
        return Inexact(
            mu=self.strong_monotonicity,
            L_1=self.server_lipschitz,
            mu_1=self.server_monotonicity,
            delta_1=self.server_similarity,
            d_B=self.message_constant,
            gamma=self.gamma,
            p=self.refresh_probability,
            H=self.local_steps,
        )

    @property
    def momentum(self) -> float:
        """The momentum tau = p."""
        return self.refresh_probability

    @property
    def local_step(self) -> float:
        """The step eta = 1 / (4 (L + 1 / gamma)) of the local extragradient."""
        return self.constants.eta

    @property
    def gamma_limit(self) -> float:
        """The limit sqrt(p) / d_B, below which gamma must be."""
        return math.sqrt(self.refresh_probability) / self.message_constant

    @property
    def slack(self) -> float:
        """The slack M = min(1 - p, p - gamma^2 d_B^2)."""
        return self.constants.slack

    @property
    def exact_contraction(self) -> float:
        """The factor rho of E Phi with an exact sub-problem; infinite if none is proved."""
        return self.constants.rho

    @property
    def local_contraction(self) -> float:
        """The factor rho_in of the squared distance in one local step."""
        return self.constants.rho_in

    @property
    def sensitivity(self) -> float:
        """The factor q of the error that the local steps leave."""
        return self.constants.sensitivity

    @property
    def contraction(self) -> float:
        """The factor rho_H of E Phi; 1 or more where the theorem promises nothing."""
        return self.constants.rho_H

    def bound(self, steps: int, initial: float) -> float:
        """The bound of E|z^K - z*|^2 after so many steps; `initial` is |z^0 - z*|^2."""
        return float(self.constants.potential(steps, initial))

    def steps(self, initial: float, target: float) -> int:
        """The least number of steps after which the bound is at most the target."""
        for name, value in (("initial", initial), ("target", target)):
            require_known_positive(name, value)
        if self.contraction >= 1:
            raise ValueError(
                f"no number of steps is known to reach the target: gamma = {self.gamma} and "
                f"local_steps = {self.local_steps} promise no contraction."
            )
        steps = math.log(2 * initial / target) / -math.log(self.contraction)
        return max(math.ceil(steps), 0)


def three_pillars_parameters(
    strong_monotonicity: float,
    similarity: float,
    lipschitz: float,
    num_workers: int,
    *,
    average_similarity: float | None = None,
    server_monotonicity: float = 0.0,
    compressor: Compressor | None = None,
    dimension: int | None = None,
    gamma: float | None = None,
    refresh_probability: float | None = None,
    local_steps: int | None = None,
) -> ThreePillarsParameters:
    r"""Step sizes, momentum, probability and local steps for `three_pillars`.

    .. math::
      \gamma = \frac{\sqrt{p / 2}}{d_B}, \qquad \tau = p = \frac1n, \qquad
      \eta = \frac{1}{4 (L + 1 / \gamma)}, \qquad
      H = \Bigl\lceil \frac{2 \ln (q / (s (1 - \sqrt\rho)))}{\ln (1 / \rho_{in})} \Bigr\rceil,
      \quad s = 0.1

    With `PermK` and d_B^2 = 2 delta^2 this is 1 / (1 - rho) = 2 n + 2 sqrt(n) delta / mu.

    Where gamma is given and is not below sqrt(p) / d_B, or so few local steps that nothing is
    promised, a warning names the limit.

    Args:
      strong_monotonicity: mu of F.
      similarity: delta_1, the Lipschitz constant of F_1 - F; one of all F_i - F will do.
      lipschitz: L of F_1, at least mu.
      num_workers: n.
      average_similarity: delta_av; that of `similarity` if None.
      server_monotonicity: mu_1, the modulus of F_1: 0 if it is monotone, negative if it is not.
      compressor: `PermK(num_workers)` if None.
      dimension: d, for compressors whose variance depends on it.
      gamma: sqrt(p / 2) / d_B if None.
      refresh_probability: p in (0, 1); 1 / n if None, 2/3 for one worker.
      local_steps: H; that of the formula if None.

    Returns:
      The parameters, with the contraction that they promise.

    Raises:
      ValueError: if a constant is not positive, L below mu, the compressor is for another number
        of workers, biased, or needs the dimension, or if F_1 is not monotone and gamma too long
        for it.
      TypeError: if a number is not one, or traced.

    Example:
      >>> import optzoo
      >>> plan = optzoo.three_pillars_parameters(0.1, 1.0, 20.0, num_workers=16)
      >>> round(1 / (1 - plan.exact_contraction), 9)  # 2 n + 2 sqrt(n) delta / mu
      112.0
      >>> round(plan.gamma, 9), plan.local_steps
      (0.125, 130)

    References:
      Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of
      efficient communications for distributed variational inequalities", NeurIPS 2023,
      arXiv:2302.07615.
    """
    constants = {"strong_monotonicity": strong_monotonicity, "lipschitz": lipschitz}
    for name, value in constants.items():
        require_known_positive(name, value)
    average = similarity if average_similarity is None else average_similarity
    for name, value in (("similarity", similarity), ("average_similarity", average)):
        if require_known(name, value) == 0:
            raise ValueError(
                f"{name} must be positive, got 0: where all workers hold the same operator there "
                "is nothing to communicate, and any gamma will do."
            )
        require_known_positive(name, value)
    if not -lipschitz <= require_known("server_monotonicity", server_monotonicity) <= lipschitz:
        raise ValueError(
            f"server_monotonicity must lie in [-L, L] = [{-lipschitz}, {lipschitz}], got "
            f"{server_monotonicity}."
        )
    if lipschitz < strong_monotonicity * (1 - ROUNDING):
        raise ValueError(
            f"lipschitz must be at least strong_monotonicity = {strong_monotonicity}, got "
            f"{lipschitz}: an operator is not more strongly monotone than it is Lipschitz, and L "
            "bounds the workers' operators. If the server's alone has so small a constant, give "
            "strong_monotonicity for L too: a larger L holds as well."
        )
    n = require_integer("num_workers", num_workers, 1)
    if n is None:
        raise TypeError(f"num_workers must be a concrete integer, got {num_workers!r}.")
    compressor = PermK(n) if compressor is None else compressor
    p = min(1 / n, 2 / 3) if refresh_probability is None else refresh_probability
    if not 0 < require_known("refresh_probability", p) < 1:
        raise ValueError(f"refresh_probability must lie in (0, 1), got {p}.")

    message_constant = _message_constant(compressor, n, dimension, similarity, average)
    longest_safe = tuned_step(p, message_constant)
    if gamma is None:
        gamma = longest_safe
    require_known_positive("gamma", gamma)
    if local_steps is not None:
        require_integer("local_steps", local_steps, 1)

    chosen = ThreePillarsParameters(
        strong_monotonicity=strong_monotonicity,
        server_similarity=similarity,
        server_lipschitz=lipschitz,
        server_monotonicity=server_monotonicity,
        message_constant=message_constant,
        gamma=gamma,
        refresh_probability=p,
        local_steps=local_steps or 1,
    )
    within = gamma < chosen.gamma_limit
    if not within:
        warnings.warn(
            f"gamma = {gamma:.6g} is not below its limit sqrt(p) / d_B = {chosen.gamma_limit:.6g}: "
            f"no contraction is promised. Take gamma = sqrt(p / 2) / d_B = {longest_safe:.6g}.",
            UserWarning,
            stacklevel=2,
        )
    promised = chosen.constants if within else replace(chosen.constants, gamma=longest_safe)
    left = 1 - math.sqrt(promised.rho)
    needed = chosen.constants.local_steps_for(LOCAL_SHARE * left)
    if local_steps is None:
        return replace(chosen, local_steps=needed)
    if within and chosen.contraction >= 1:
        warnings.warn(
            f"local_steps = {local_steps} is below its limit "
            f"{chosen.constants.local_steps_for(left)}: no contraction is promised. "
            f"Take local_steps = {needed}.",
            UserWarning,
            stacklevel=2,
        )
    return chosen


def _message_constant(
    compressor: Compressor, num_workers: int, dimension: int | None, server: float, average: float
) -> float:
    """The constant d_B."""
    if not isinstance(compressor, Compressor):
        raise TypeError(f"compressor must be one of optzoo.compressors, got {compressor!r}.")
    if compressor.num_workers != num_workers:
        raise ValueError(f"compressor {compressor} is not for num_workers = {num_workers}.")
    if dimension is not None:
        require_integer("dimension", dimension, 1)
    else:
        if not isinstance(compressor, (Identity, NaturalCompression, PermK, SampledClients)):
            raise ValueError(
                f"dimension must be given: the variance of {compressor} depends on it."
            )
        dimension = 1
    a, b = compressor.variance_constants(dimension)
    return Compression(delta_1=server, delta_av=average, A=a, B=b).d_B
