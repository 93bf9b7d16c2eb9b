r"""The bounds on Three Pillars with every constant, as plain functions.

Phi = |z - z*|^2 + |m - z*|^2, and d_B belongs to E|(1/n) sum Q_i(a_i)|^2 <= d_B^2 |u - m|^2.
"""

import math
from dataclasses import dataclass

__all__ = ["Pillars", "message_constant"]


def message_constant(a: float, b: float, server: float, average: float) -> float:
    """d_B = sqrt(A (delta_1^2 + delta_av^2) + (1 - B) delta_1^2) (V3).

    PermK and one client have A = B = 1, b clients A = B = 1/b, independent compressors
    A = omega/n and B = 0, and no compression A = B = 0.

    Example:
        >>> round(message_constant(1.0, 1.0, 1.0, 1.0) ** 2, 9)
        2.0
    """
    return math.sqrt(a * (server**2 + average**2) + (1 - b) * server**2)


@dataclass(frozen=True)
class Pillars:
    """The theorems for one choice of parameters.

    Args:
        mu: strong monotonicity of F.
        L_1: Lipschitz constant of F_1, and `mu_1` its modulus, at least 0.
        delta_1: Lipschitz constant of F_1 - F.
        d_B: constant of the messages.
        gamma: the step size.
        p: the refresh probability, and the momentum.
        H: local steps of eta = 1 / (4 (L_1 + 1/gamma)).
    """

    mu: float
    L_1: float
    mu_1: float
    delta_1: float
    d_B: float
    gamma: float
    p: float
    H: int = 1

    @property
    def slack(self) -> float:
        """M = min(1 - p, p - gamma^2 d_B^2); V1 needs it positive."""
        return min(1 - self.p, self.p - (self.gamma * self.d_B) ** 2)

    @property
    def rho(self) -> float:
        """V1: 1/(1 - rho) = 1/(gamma mu) + 1/M."""
        if self.slack <= 0:
            raise ValueError(f"no contraction is proved: M = {self.slack}")
        return 1 - 1 / (1 / (self.gamma * self.mu) + 1 / self.slack)

    @property
    def eta(self) -> float:
        """The local step."""
        return 1 / (4 * (self.L_1 + 1 / self.gamma))

    @property
    def rho_in(self) -> float:
        """V4: contraction of the squared distance in a local step."""
        modulus = self.eta * (1 / self.gamma + self.mu_1)
        rest = 1 - (self.eta * (self.L_1 + 1 / self.gamma)) ** 2
        return 1 - 2 * modulus / (1 + 2 * modulus / rest)

    @property
    def rho_simple(self) -> float:
        """1 - eta mu_A, with mu_A = 1/gamma + mu_1."""
        return 1 - self.eta * (1 / self.gamma + self.mu_1)

    @property
    def sensitivity(self) -> float:
        """V4: pert = (1 + gamma d_B) hypot(2 - p, p + gamma delta_1), F_1 monotone."""
        start = math.hypot(2 - self.p, self.p + self.gamma * self.delta_1)
        return (1 + self.gamma * self.d_B) * start

    @property
    def rho_H(self) -> float:
        """V4: sqrt(rho_H) = sqrt(rho) + pert rho_in^(H/2)."""
        return (math.sqrt(self.rho) + self.sensitivity * self.rho_in ** (self.H / 2)) ** 2

    def enough(self, share: float = 0.1) -> int:
        """V4: the least H with sqrt(rho_H) <= sqrt(rho) + share (1 - sqrt(rho))."""
        left = share * (1 - math.sqrt(self.rho))
        return math.ceil(2 * math.log(self.sensitivity / left) / -math.log(self.rho_in))

    def operator_sum(self, potential: float, steps: int) -> float:
        """V6: (1/K) sum_k E|F(u^k)|^2 <= 4.5 Phi_0 / (gamma^2 K), for gamma d_B <= sqrt(p/2)."""
        return 4.5 * potential / (self.gamma**2 * steps)

    def local_noise(self, variance: float) -> float:
        """V7: 3 eta sigma^2 / mu_A, the floor of the local steps."""
        return 3 * self.eta * variance / (1 / self.gamma + self.mu_1)

    def noisy(self, potential: float, variance: float, steps: int) -> float:
        """V7: the bound of E Phi_k, by its recursion for the root."""
        root = math.sqrt(self.rho) + self.sensitivity * self.rho_simple ** (self.H / 2)
        kick = (1 + self.gamma * self.d_B) * math.sqrt(self.local_noise(variance))
        power = root**steps
        return float((power * math.sqrt(potential) + kick * (1 - power) / (1 - root)) ** 2)
