r"""The bounds on Sarah and Saga Sarah Frank-Wolfe with every constant, as code.

Notation: L (smoothness of f), Lpm (Hessian variance), Lt (average smoothness), D (diameter),
p (restart probability), a (probability that a table entry is refreshed), lambda (mixing),
nu (variance factor of a batch), r_0 = f(x^0) - f*, steps eta_0, eta_1, ... in [0, 1].
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Saga", "Sarah"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sarah:
    r"""Constants of one instance, and what the theorems say about it.

    Args:
        L: f is L-smooth on the set.
        L_pm: Hessian variance: (1/n) sum_i |d_i - mean d|^2 <= L_pm^2 |x - y|^2.
        D: Euclidean diameter of the set.
        p: restart probability.
        nu: variance factor of a batch.
        r_0: f(x^0) - f*, or an upper bound of it.

    Example:
        >>> bounds = Sarah(L=1.0, L_pm=1.0, D=2.0, p=1.0, nu=1.0, r_0=2.0)
        >>> bounds.convex(2 / (2 + np.arange(4.0)))[1:].round(3).tolist()
        [2.0, 1.556, 1.278, 1.087]
    """

    L: float
    L_pm: float
    D: float
    p: float
    nu: float
    r_0: float

    def estimator(self, steps: ArrayLike) -> Array:
        r"""F1b: E e_k^2 <= nu Lpm^2 D^2 sum_{j<k} (1-p)^{k-j} eta_j^2, for k = 0..K."""
        eta = np.asarray(steps, dtype=np.float64)
        bound = np.zeros(len(eta) + 1)
        for k, step in enumerate(eta):
            noise = self.nu * (self.L_pm * self.D * step) ** 2
            bound[k + 1] = (1 - self.p) * (bound[k] + noise)
        return bound

    def convex(self, steps: ArrayLike) -> Array:
        r"""F3: R_{k+1} = (1-eta_k) R_k + eta_k D sqrt(Ebar_k) + L D^2 eta_k^2 / 2, k = 0..K."""
        eta = np.asarray(steps, dtype=np.float64)
        error = np.sqrt(self.estimator(eta))
        bound = np.full(len(eta) + 1, self.r_0)
        for k, step in enumerate(eta):
            bound[k + 1] = (
                (1 - step) * bound[k] + step * self.D * error[k] + self.L / 2 * (self.D * step) ** 2
            )
        return bound

    @property
    def A(self) -> float:
        r"""A = D^2 (L/2 + Lpm sqrt(2 nu (1-p) / p)), the constant of F3a and F3b."""
        noise = self.L_pm * math.sqrt(2 * self.nu * (1 - self.p) / self.p)
        return self.D**2 * (self.L / 2 + noise)

    def convex_closed_form(self, k: ArrayLike) -> Array:
        r"""F3a, for eta_k = 2/(k+c), c = 4/p: [(c-1)(c-2) r_0 + 4Ak] / [(k+c-1)(k+c-2)]."""
        count, c = np.asarray(k, dtype=np.float64), 4 / self.p
        start = (c - 1) * (c - 2) * self.r_0
        return np.asarray((start + 4 * self.A * count) / ((count + c - 1) * (count + c - 2)))

    def convex_stich(self, horizon: int) -> float:
        r"""F3b at k = K, for the Stich schedule with d = 2/p and k_0 = ceil(K/2)."""
        d = 2 / self.p
        if horizon <= d:
            left = (1 - 1 / d) ** horizon
            return left * self.r_0 + self.A / d * (1 - left)
        k0 = math.ceil(horizon / 2)
        j = horizon - k0
        left = (1 - 1 / d) ** k0
        middle = left * self.r_0 + self.A / d * (1 - left)
        start = (2 * d - 1) * (2 * d - 2) * middle
        return (start + 4 * self.A * j) / ((j + 2 * d - 1) * (j + 2 * d - 2))

    @property
    def M(self) -> float:
        r"""M = 1 / (Lpm sqrt(2 p (1-p) nu)), the weight of e_k^2 in F3b's Lyapunov function.

        Where there is no noise, e_k = 0 and M is not needed: it is 0 then.
        """
        if self.p == 1 or self.nu == 0 or self.L_pm == 0:
            return 0.0
        return 1 / (self.L_pm * math.sqrt(2 * self.p * (1 - self.p) * self.nu))

    def nonconvex(self, steps: ArrayLike) -> Array:
        r"""F4: bound of sum eta_k E G_k / sum eta_k over the first K steps, for K = 1, 2, ..."""
        return _nonconvex(steps, self.estimator(steps), L=self.L, D=self.D, r_0=self.r_0)


@dataclass(frozen=True)
class Saga:
    r"""Constants of one instance, and what the theorems say about Saga Sarah Frank-Wolfe.

    Args:
        L: f is L-smooth on the set.
        L_pm: Hessian variance.
        L_tilde: average smoothness.
        D: Euclidean diameter of the set.
        a: probability that an index is refreshed in a step.
        mixing: lambda.
        nu: variance factor of a batch.
        r_0: f(x^0) - f*, or an upper bound of it.
        E_0: E |g^0 - grad f(x^0)|^2.
        Y_0: (1/n) sum_i |grad f_i(x^0) - y_i^0|^2.
        refreshed_with_new: the table keeps grad f_i(x^{k+1}); otherwise grad f_i(x^k).

    Example:
        >>> bounds = Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=2.0, a=0.5, mixing=0.25, nu=1.0, r_0=2.0)
        >>> [round(float(x), 3) for x in bounds.estimator([0.5, 0.5])[0]]
        [0.0, 1.0, 1.947]
    """

    L: float
    L_pm: float
    L_tilde: float
    D: float
    a: float
    mixing: float
    nu: float
    r_0: float
    E_0: float = 0.0
    Y_0: float = 0.0
    refreshed_with_new: bool = True

    def estimator(self, steps: ArrayLike) -> tuple[Array, Array]:
        r"""F5: bounds of E e_k^2 and of the table's staleness E Y_k, for k = 0..K.

        E_{k+1} <= (1-lambda)^2 E_k + nu (Lpm D eta_k + lambda sqrt(Y_k))^2,
        Y_{k+1} <= (1-a) (sqrt(Y_k) + Lt D eta_k)^2, plus a (Lt D eta_k)^2 for the old refresh.
        """
        eta = np.asarray(steps, dtype=np.float64)
        error, staleness = np.full(len(eta) + 1, self.E_0), np.full(len(eta) + 1, self.Y_0)
        for k, step in enumerate(eta):
            root, move = math.sqrt(staleness[k]), self.L_tilde * self.D * step
            noise = self.L_pm * self.D * step + self.mixing * root
            error[k + 1] = (1 - self.mixing) ** 2 * error[k] + self.nu * noise**2
            staleness[k + 1] = (1 - self.a) * (root + move) ** 2
            if not self.refreshed_with_new:
                staleness[k + 1] += self.a * move**2
        return error, staleness

    def convex(self, steps: ArrayLike) -> Array:
        r"""F6: the recursion of F3 with the estimator's bound F5, k = 0..K."""
        return _convex(steps, self.estimator(steps)[0], L=self.L, D=self.D, r_0=self.r_0)

    def nonconvex(self, steps: ArrayLike) -> Array:
        r"""F7 at any steps: F4 with the estimator's bound F5, over the first 1, 2, ... steps."""
        return _nonconvex(steps, self.estimator(steps)[0], L=self.L, D=self.D, r_0=self.r_0)

    def convex_closed_form(self, k: ArrayLike) -> Array:
        r"""F6a, for eta_k = 2/(k+c), c = 8/a, lambda = a/2, an exact table at the start."""
        count, c = np.asarray(k, dtype=np.float64), 8 / self.a
        rho = 1 + 1 / c
        if self.refreshed_with_new:
            q = math.sqrt(1 - self.a) * rho
            stale = q / (1 - q)
        else:
            q = (1 - self.a) * rho**2
            stale = (q + math.sqrt(q**2 + (1 - q) * (q + self.a * rho**2))) / (1 - q)
        noise = (self.L_pm + self.mixing * stale * self.L_tilde) ** 2 * rho**2
        error = self.nu * noise / (1 - (1 - self.mixing) ** 2 * rho**2)
        A = self.D**2 * (self.L / 2 + math.sqrt(error))
        start = (c - 1) * (c - 2) * self.r_0
        return np.asarray((start + 4 * A * count) / ((count + c - 1) * (count + c - 2)))


def _convex(steps: ArrayLike, error: Array, *, L: float, D: float, r_0: float) -> Array:
    """R_0 = r_0 and R_{k+1} = (1-eta_k) R_k + eta_k D sqrt(Ebar_k) + L D^2 eta_k^2 / 2."""
    eta = np.asarray(steps, dtype=np.float64)
    bound = np.full(len(eta) + 1, r_0)
    for k, step in enumerate(eta):
        noise = step * D * math.sqrt(error[k])
        bound[k + 1] = (1 - step) * bound[k] + noise + L / 2 * (D * step) ** 2
    return bound


def _nonconvex(steps: ArrayLike, error: Array, *, L: float, D: float, r_0: float) -> Array:
    """[r_0 + D sum eta_k sqrt(Ebar_k) + (L/2) D^2 sum eta_k^2] / sum eta_k, running."""
    eta = np.asarray(steps, dtype=np.float64)
    noise = D * np.cumsum(eta * np.sqrt(error[:-1]))
    curvature = L / 2 * D**2 * np.cumsum(eta**2)
    return np.asarray((r_0 + noise + curvature) / np.cumsum(eta))
