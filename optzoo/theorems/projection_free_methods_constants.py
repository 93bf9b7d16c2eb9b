# SPDX-License-Identifier: Apache-2.0
r"""The constants of the theorems on the Frank-Wolfe family, and every bound as a formula of them.

The statements that these formulas are the bounds of stand in
`optzoo.theorems.projection_free_methods`, and so does the notation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .frank_wolfe_constants import Descent, floats
from .theorem import Constants, constant

__all__ = [
    "Independent",
    "LinearModel",
    "Momentum",
    "PathIntegrated",
    "Polytope",
    "ShortSteps",
    "Snapshot",
    "TableOnly",
]

Array = NDArray[np.float64]

# --- Deterministic methods ---


@dataclass(frozen=True, kw_only=True)
class ShortSteps(Descent):
    r"""Constants of Frank-Wolfe with short or exact steps: L, D and r_0.

    Example:
        >>> ShortSteps(L=1.0, D=2.0, r_0=4.0).best_steps(3).round(3).tolist()
        [4.0, 2.0, 1.5, 1.219]
    """

    def best_steps(self, horizon: int) -> Array:
        r"""SHORT: R - R^2 / (2 L D^2) where R <= L D^2, else L D^2 / 2, for k = 0..K."""
        largest = self.L * self.D**2
        bound = [float(self.r_0)]
        for _ in range(horizon):
            share = min(1.0, bound[-1] / largest) if largest > 0 else 1.0
            bound.append((1 - share) * bound[-1] + largest * share**2 / 2)
        return np.array(bound)

    def closed_form(self, k: ArrayLike) -> Array:
        r"""SHORT in closed form: 2 L D^2 / (k + 3), for k >= 1."""
        return np.asarray(2 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 3))


@dataclass(frozen=True, kw_only=True)
class Polytope(ShortSteps):
    r"""Constants of Frank-Wolfe with an active set, beside L, D and r_0.

    Args:
        mu: f is mu-strongly convex.
        width: pyramidal width of the polytope.

    Example:
        >>> cube = Polytope(L=1.0, mu=1.0, D=1.0, width=1.0, r_0=1.0)
        >>> cube.away([0, 1, 2]).tolist(), cube.pairwise([0, 1, 2]).tolist()
        ([1.0, 0.75, 0.5625], [1.0, 0.5, 0.25])
    """

    mu: float = constant(r"$f$ is $\mu$-strongly convex", weakens="down")
    width: float = constant(r"pyramidal width $\delta$ of the polytope", weakens="down")

    @property
    def condition(self) -> float:
        r"""The condition of the problem over the set, mu delta^2 / (L D^2)."""
        return self.mu * self.width**2 / (self.L * self.D**2)

    def away(self, good: ArrayLike) -> Array:
        r"""AWAY, BLEND: (1 - min(1/2, mu delta^2 / (4 L D^2)))^good r_0."""
        return self._fallen(min(0.5, self.condition / 4), good)

    def pairwise(self, good: ArrayLike) -> Array:
        r"""PAIR: (1 - min(1/2, mu delta^2 / (L D^2)))^good r_0."""
        return self._fallen(min(0.5, self.condition), good)

    def _fallen(self, share: float, good: ArrayLike) -> Array:
        return np.asarray((1 - share) ** np.asarray(good, dtype=np.float64) * self.r_0)


# --- Independent samples ---


@dataclass(frozen=True, kw_only=True)
class Independent(Descent):
    r"""Constants of methods that see independent samples, beside L, D and r_0.

    Args:
        sigma: E|grad f_i(x) - grad f(x)|^2 <= sigma^2 on the set.

    Example:
        >>> plan = Independent(L=1.0, D=2.0, r_0=2.0, sigma=1.0)
        >>> plan.batches([1.0, 2 / 3], nu=[1.0, 1 / 3]).round(3).tolist()
        [2.0, 4.0, 2.992]
    """

    sigma: float = constant(r"$E|\nabla f_i - \nabla f|^2 \le \sigma^2$ on the set", weakens="up")

    def batches(self, steps: ArrayLike, nu: ArrayLike) -> Array:
        r"""SFW: (1-eta_k) R_k + eta_k D sigma sqrt(nu_k) + L D^2 eta_k^2 / 2, for k = 0..K."""
        error = self.sigma**2 * np.asarray(nu, dtype=np.float64)
        return self.suboptimality(steps, np.append(error, 0.0))

    def closed_form(self, k: ArrayLike) -> Array:
        r"""SFW in closed form: 4 L D^2 / (k + 2), for k >= 1 and batches as long as it asks for."""
        return np.asarray(4 * self.L * self.D**2 / (np.asarray(k, dtype=np.float64) + 2))


@dataclass(frozen=True, kw_only=True)
class Momentum(Independent):
    r"""Constants of momentum Frank-Wolfe, beside L, D, r_0 and sigma.

    Args:
        nu: variance factor of a batch.

    Example:
        >>> plan = Momentum(L=1.0, D=2.0, r_0=2.0, sigma=1.0, nu=1.0)
        >>> plan.error([1.0, 0.5], momentum=[1.0, 0.5, 0.5]).round(3).tolist()
        [1.0, 2.5, 1.916]
    """

    nu: float = constant("variance factor of a batch", weakens="up")

    def error(self, steps: ArrayLike, momentum: ArrayLike) -> Array:
        r"""SCG: E_{k+1} <= (1-rho)^2 (sqrt(E_k) + L D eta_k)^2 + rho^2 nu sigma^2, k = 0..K.

        Args:
            steps: eta_0, ..., eta_{K-1}.
            momentum: rho_0, ..., rho_K, of which rho_0 is 1.
        """
        noise = self.nu * self.sigma**2
        bound = [float(noise)]
        for step, rho in zip(floats(steps), floats(momentum)[1:], strict=True):
            drifted = math.sqrt(bound[-1]) + self.L * self.D * step
            bound.append((1 - rho) ** 2 * drifted**2 + rho**2 * noise)
        return np.array(bound)

    def averaged(self, steps: ArrayLike, momentum: ArrayLike) -> Array:
        r"""SCG: the recursion of F3 with this error, for k = 0..K."""
        return self.suboptimality(steps, self.error(steps, momentum))


# --- Finite sums ---


@dataclass(frozen=True, kw_only=True)
class Snapshot(Descent):
    r"""Constants of SVRF, beside L, D and r_0.

    Args:
        L_max: every f_i is convex and L_max-smooth on the whole space.

    Example:
        >>> plan = Snapshot(L=1.0, L_max=1.0, D=1.0, r_0=1.0)
        >>> plan.epochs([1.0, 2 / 3], nu=[0.1, 0.1], fresh=[True, False]).round(3).tolist()
        [1.0, 0.5, 0.898]
    """

    L_max: float = constant(r"every $f_i$ is $L_{\max}$-smooth on the whole space", weakens="up")

    def epochs(self, steps: ArrayLike, nu: ArrayLike, fresh: ArrayLike) -> Array:
        r"""SVRF: F3 with sqrt(E_k) <= sqrt(2 L_max nu_k) (sqrt(R_k) + sqrt(R_s)), for k = 0..K.

        Args:
            steps: eta_k.
            nu: variance factor of the batch of step k.
            fresh: whether step k takes the full gradient, at its own snapshot s = k.
        """
        bound = [float(self.r_0)]
        taken = self.r_0
        rows = zip(floats(steps), floats(nu), np.asarray(fresh), strict=True)
        for step, factor, is_fresh in rows:
            taken = bound[-1] if is_fresh else taken
            error = math.sqrt(2 * self.L_max * factor) * (math.sqrt(bound[-1]) + math.sqrt(taken))
            slack = self.descent(step, 0 if is_fresh else error)
            bound.append((1 - step) * bound[-1] + float(slack))
        return np.array(bound)

    def closed_form(self, epoch: ArrayLike) -> Array:
        r"""SVRF in closed form: L_max D^2 / 2^(t+1) after epoch t of the paper's lengths."""
        return np.asarray(self.L_max * self.D**2 / 2.0 ** (np.asarray(epoch) + 1))


@dataclass(frozen=True, kw_only=True)
class PathIntegrated(Descent):
    r"""Constants of SPIDER Frank-Wolfe, beside L, D and r_0.

    Args:
        L_pm: Hessian variance.

    Example:
        >>> plan = PathIntegrated(L=1.0, L_pm=1.0, D=2.0, r_0=2.0)
        >>> plan.error([1.0, 0.5], nu=[1.0, 0.5], fresh=[True, False]).tolist()
        [0.0, 2.0]
    """

    L_pm: float = constant(r"Hessian variance $L_\pm$", weakens="up")

    def error(self, steps: ArrayLike, nu: ArrayLike, fresh: ArrayLike) -> Array:
        r"""SPIDER: E_k <= E_{k-1} + nu_k (Lpm D eta_{k-1})^2, and 0 at a full gradient; k < K."""
        eta, factor = np.asarray(steps, dtype=np.float64), np.asarray(nu, dtype=np.float64)
        bound = np.zeros(len(eta))
        for k in range(1, len(eta)):
            if not np.asarray(fresh)[k]:
                bound[k] = bound[k - 1] + factor[k] * (self.L_pm * self.D * eta[k - 1]) ** 2
        return bound

    def convex(self, steps: ArrayLike, nu: ArrayLike, fresh: ArrayLike) -> Array:
        r"""SPIDER: the recursion of F3 with this error, for k = 0..K."""
        return self.suboptimality(steps, np.append(self.error(steps, nu, fresh), 0.0))

    def nonconvex(self, steps: ArrayLike, nu: ArrayLike, fresh: ArrayLike) -> Array:
        r"""SPIDER: the average of F4 with this error, over the first 1, 2, ... steps."""
        return self.average_gap(steps, np.append(self.error(steps, nu, fresh), 0.0))

    def nonconvex_closed_form(self, step: float, horizon: int, epoch: int, nu: float) -> float:
        r"""SPIDER at constant steps: r_0/(eta K) + eta D^2 (L/2 + Lpm sqrt(nu (q - 1)))."""
        noise = self.L_pm * math.sqrt(nu * (epoch - 1))
        return self.r_0 / (step * horizon) + step * self.D**2 * (self.L / 2 + noise)


@dataclass(frozen=True, kw_only=True)
class TableOnly(Descent):
    r"""Constants of SAGAFW, beside L, D and r_0.

    Args:
        L_tilde: average smoothness.
        a: probability that an index is refreshed in a step.
        nu: variance factor of the batch that is averaged.

    Example:
        >>> plan = TableOnly(L=1.0, L_tilde=1.0, D=2.0, a=0.5, nu=1.0, r_0=2.0)
        >>> plan.staleness([0.5, 0.5]).round(3).tolist(), round(plan.stale, 3)
        ([0.0, 1.0, 2.5], 2.732)
    """

    L_tilde: float = constant(r"average smoothness $\tilde L$ of the $f_i$", weakens="up")
    a: float = constant(
        "probability that an index is refreshed", weakens="down", positive=True, most=1.0
    )
    nu: float = constant("variance factor of a batch", weakens="up")

    def staleness(self, steps: ArrayLike) -> Array:
        r"""SAGAFW: Y_{k+1} <= (1-a) (sqrt(Y_k) + Lt D eta_k)^2 + a (Lt D eta_k)^2, k = 0..K."""
        bound = [0.0]
        for step in floats(steps):
            move = self.L_tilde * self.D * step
            bound.append((1 - self.a) * (math.sqrt(bound[-1]) + move) ** 2 + self.a * move**2)
        return np.array(bound)

    @property
    def stale(self) -> float:
        r"""SAGAFW: s <= 2/a, the root of s^2 = (1-a)(s+1)^2 + a: sqrt(Y_k) <= s Lt D eta."""
        kept = 1 - self.a
        return (kept + math.sqrt(kept**2 + self.a)) / self.a

    def nonconvex(self, steps: ArrayLike) -> Array:
        r"""SAGAFW: the average of F4 with E_k <= nu Y_k, over the first 1, 2, ... steps."""
        return self.average_gap(steps, self.nu * self.staleness(steps))

    def nonconvex_closed_form(self, step: float, horizon: int) -> float:
        r"""SAGAFW at constant steps: r_0/(eta K) + eta D^2 (L/2 + s Lt sqrt(nu))."""
        noise = self.stale * self.L_tilde * math.sqrt(self.nu)
        return self.r_0 / (step * horizon) + step * self.D**2 * (self.L / 2 + noise)


@dataclass(frozen=True, kw_only=True)
class LinearModel(Constants):
    r"""Constants of stochastic Frank-Wolfe for f(x) = (1/n) sum_i phi_i(<a_i, x>).

    Args:
        L_phi: every phi_i' is L_phi-Lipschitz.
        D_1: max |A (x - y)|_1 over the set.
        D_2: max |A (x - y)|_2 over the set.
        D_inf: max |A (x - y)|_inf over the set.
        n: number of samples.
        a: probability that an index is in a batch.
        H_0: E sum_i |alpha_i - phi_i'(<a_i, x^0>)| after the first refresh.
        r_0: f(x^0) - f*, or an upper bound of it.

    Example:
        >>> plan = LinearModel(L_phi=1.0, D_1=2.0, D_2=2.0, D_inf=2.0, n=1, a=1.0, H_0=0.0, r_0=2.0)
        >>> plan.convex([1.0, 2 / 3]).round(3).tolist()
        [2.0, 2.0, 1.556]
    """

    L_phi: float = constant(r"every $\phi_i'$ is $L_\phi$-Lipschitz", weakens="up")
    D_1: float = constant(r"diameter $D_1$ of $A X$ in $\ell_1$", weakens="up")
    D_2: float = constant(r"diameter $D_2$ of $A X$ in $\ell_2$", weakens="up")
    D_inf: float = constant(r"diameter $D_\infty$ of $A X$ in $\ell_\infty$", weakens="up")
    n: int = constant("number of samples", weakens=None, positive=True)
    a: float = constant(
        "probability that an index is in a batch", weakens="down", positive=True, most=1.0
    )
    H_0: float = constant(
        r"$E \sum_i |\alpha_i - \phi_i'(\langle a_i, x^0\rangle)|$ at first", weakens="up"
    )
    r_0: float = constant("$f(x^0) - f^*$, or an upper bound of it", weakens="up")

    def off(self, steps: ArrayLike) -> Array:
        r"""SAG: H_{k+1} <= (1-a) (H_k + L_phi D_1 eta_k), for k = 0..K."""
        bound = [float(self.H_0)]
        for step in floats(steps):
            bound.append((1 - self.a) * (bound[-1] + self.L_phi * self.D_1 * step))
        return np.array(bound)

    def convex(self, steps: ArrayLike) -> Array:
        r"""SAG: R_{k+1} = (1-eta) R_k + eta D_inf H_k / n + L_phi D_2^2 eta^2 / (2n), k = 0..K."""
        eta = np.asarray(steps, dtype=np.float64)
        added = eta * self.D_inf * self.off(eta)[:-1] + self.L_phi / 2 * (self.D_2 * eta) ** 2
        bound = [float(self.r_0)]
        for step, more in zip(floats(eta), floats(added), strict=True):
            bound.append((1 - step) * bound[-1] + more / self.n)
        return np.array(bound)
