# SPDX-License-Identifier: Apache-2.0
r"""The constants of the theorems on Frank-Wolfe methods, and every bound as a formula of them.

The statements that these formulas are the bounds of stand in `optzoo.theorems.frank_wolfe`, and so
does the notation.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = [
    "Batch",
    "Descent",
    "Dimension",
    "Estimator",
    "Saga",
    "Sarah",
    "Smooth",
    "Table",
    "balanced_probability",
    "index_probability",
    "variance_factor",
]

Array = NDArray[np.float64]
_DIAMETER = "Euclidean diameter of the set"


def floats(values: ArrayLike) -> list[float]:
    """Numbers to go through one by one, which is much slower as an array's elements."""
    numbers: list[float] = np.asarray(values, dtype=np.float64).tolist()
    return numbers


# --- Minibatches: what they make of the noise, and how often an index is in one ---


def _require_batch(num_samples: int, batch_size: int) -> None:
    if not 1 <= batch_size <= num_samples:
        raise ValueError(
            f"batch_size must lie between 1 and num_samples = {num_samples}, got {batch_size}"
        )


def variance_factor(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    r"""nu: the variance of a batch mean, in units of the variance of one sample.

    .. math:: \nu = \frac{1}{b} \text{ with replacement,} \quad
        \nu = \frac{n - b}{b (n - 1)} \text{ without.}

    Args:
        num_samples: n.
        batch_size: b.
        replacement: whether an index may be drawn twice.

    Returns:
        nu, without a unit.

    Raises:
        ValueError: if b does not lie between 1 and n.

    Example:
        >>> variance_factor(4, 2, replacement=True), round(
        ...     variance_factor(4, 2, replacement=False), 4)
        (0.5, 0.3333)
    """
    _require_batch(num_samples, batch_size)
    n, b = num_samples, batch_size
    if replacement:
        return 1.0 / b
    return 0.0 if b == n else (n - b) / (b * (n - 1))


def index_probability(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    r"""a: the probability that an index is in a batch, at which a row of the table is refreshed.

    .. math:: a = 1 - (1 - 1/n)^b \text{ with replacement,} \quad a = b / n \text{ without.}

    Args:
        num_samples: n.
        batch_size: b.
        replacement: whether an index may be drawn twice.

    Returns:
        a, in (0, 1].

    Raises:
        ValueError: if b does not lie between 1 and n.

    Example:
        >>> index_probability(4, 2, replacement=True)
        0.4375
    """
    _require_batch(num_samples, batch_size)
    n, b = num_samples, batch_size
    return 1 - (1 - 1 / n) ** b if replacement else b / n


def balanced_probability(num_samples: int, batch_size: int) -> float:
    r"""The restart probability for which both kinds of steps of Sarah cost about the same.

    .. math:: p = \frac{b}{n + b}

    Args:
        num_samples: n.
        batch_size: b.

    Returns:
        p, in (0, 1/2].

    Raises:
        ValueError: if b does not lie between 1 and n.

    Example:
        >>> balanced_probability(300, 100)
        0.25
    """
    _require_batch(num_samples, batch_size)
    return batch_size / (num_samples + batch_size)


# --- Sarah's estimator ---


@dataclass(frozen=True, kw_only=True)
class Batch(Constants):
    r"""What the exact error of Sarah's estimator depends on.

    Args:
        p: restart probability.
        nu: variance factor of a batch.

    Example:
        >>> Batch(p=0.5, nu=0.25).estimator_error(1.0, 2.0)
        0.75
    """

    p: float = constant("probability of a restart", weakens="down", positive=True, most=1.0)
    nu: float = constant("variance factor of a batch", weakens="up")

    def estimator_error(self, before: Any, variance: Any) -> Any:
        r"""F1: (1-p) (e_k^2 + nu V_k)."""
        return (1 - self.p) * (before + self.nu * variance)

    def line_error(self, step: float, k: ArrayLike) -> Array:
        r"""F1 where V = h^2 at every step: nu h^2 [(1-p) - (1-p)^{k+1}] / p after k steps."""
        kept = 1 - self.p
        powers = kept ** (np.asarray(k, dtype=np.float64) + 1)
        return np.asarray(self.nu * step**2 * (kept - powers) / self.p)


@dataclass(frozen=True, kw_only=True)
class Estimator(Batch):
    r"""What bounds the error of Sarah's estimator along any steps.

    Args:
        L_pm: Hessian variance: (1/n) sum_i |d_i - mean d|^2 <= L_pm^2 |x - y|^2.
        D: Euclidean diameter of the set.

    Example:
        >>> Estimator(p=0.5, nu=0.25, L_pm=1.0, D=2.0).estimator([1.0, 0.0]).tolist()
        [0.0, 0.5, 0.25]
    """

    L_pm: float = constant(r"Hessian variance $L_\pm$", weakens="up")
    D: float = constant(_DIAMETER, weakens="up")

    def estimator(self, steps: ArrayLike) -> Array:
        r"""F1b: E e_k^2 <= nu Lpm^2 D^2 sum_{j<k} (1-p)^{k-j} eta_j^2, for k = 0..K."""
        bound = [0.0]
        for step in floats(steps):
            bound.append(self.estimator_error(bound[-1], (self.L_pm * self.D * step) ** 2))
        return np.array(bound)


# --- What an error of the gradient costs, for both methods ---


@dataclass(frozen=True, kw_only=True)
class Smooth(Constants):
    """What bounds one step.

    Args:
        L: f is L-smooth on the set.
        D: Euclidean diameter of the set.

    Example:
        >>> float(Smooth(L=1.0, D=2.0).descent(0.5, error=1.0))
        1.5
    """

    L: float = constant("$f$ is $L$-smooth on the set", weakens="up")
    D: float = constant(_DIAMETER, weakens="up")

    def descent(self, step: ArrayLike, error: ArrayLike) -> Array:
        r"""F2: eta D e_k + L D^2 eta^2 / 2."""
        eta = np.asarray(step, dtype=np.float64)
        return np.asarray(eta * self.D * np.asarray(error) + self.L / 2 * (self.D * eta) ** 2)


@dataclass(frozen=True, kw_only=True)
class Descent(Smooth):
    r"""What F2 gives along a run where E e_k^2 <= Ebar_k: the rates of both methods.

    Args:
        r_0: f(x^0) - f*, or an upper bound of it.

    Example:
        >>> Descent(L=1.0, D=2.0, r_0=2.0).suboptimality([1.0, 0.5], error=[0.0, 0.0, 0.0]).tolist()
        [2.0, 2.0, 1.5]
    """

    r_0: float = constant("$f(x^0) - f^*$, or an upper bound of it", weakens="up")

    def suboptimality(self, steps: ArrayLike, error: ArrayLike) -> Array:
        r"""R_{k+1} = (1-eta_k) R_k + eta_k D sqrt(Ebar_k) + L D^2 eta_k^2 / 2, k = 0..K."""
        eta = np.asarray(steps, dtype=np.float64)
        added = self.descent(eta, np.sqrt(error)[:-1])
        bound = [float(self.r_0)]
        for step, more in zip(floats(eta), floats(added), strict=True):
            bound.append((1 - step) * bound[-1] + more)
        return np.array(bound)

    def average_gap(self, steps: ArrayLike, error: ArrayLike) -> Array:
        r"""[r_0 + sum_k (eta_k D sqrt(Ebar_k) + L D^2 eta_k^2 / 2)] / sum_k eta_k, running."""
        eta = np.asarray(steps, dtype=np.float64)
        added = self.descent(eta, np.sqrt(error)[:-1])
        return np.asarray((self.r_0 + np.cumsum(added)) / np.cumsum(eta))


def _open_loop(k: ArrayLike, *, offset: float, start: float, A: float) -> Array:
    """[(c-1)(c-2) R_0 + 4Ak] / [(k+c-1)(k+c-2)]: R_{k+1} <= (1-eta_k) R_k + A eta_k^2 unrolled."""
    count, c = np.asarray(k, dtype=np.float64), offset
    return np.asarray(
        ((c - 1) * (c - 2) * start + 4 * A * count) / ((count + c - 1) * (count + c - 2))
    )


# --- Sarah Frank-Wolfe ---


@dataclass(frozen=True, kw_only=True)
class Sarah(Descent, Estimator):
    r"""Constants of one instance of Sarah Frank-Wolfe, and what the theorems say about it.

    They are those of F1b and F2 together, p, nu, L_pm, D and L, and r_0.

    Example:
        >>> bounds = Sarah(L=1.0, L_pm=1.0, D=2.0, p=1.0, nu=1.0, r_0=2.0)
        >>> bounds.convex(2 / (2 + np.arange(4.0)))[1:].round(3).tolist()
        [2.0, 1.556, 1.278, 1.087]
    """

    def convex(self, steps: ArrayLike) -> Array:
        r"""F3: R_{k+1} = (1-eta_k) R_k + eta_k D sqrt(Ebar_k) + L D^2 eta_k^2 / 2, k = 0..K."""
        return self.suboptimality(steps, self.estimator(steps))

    @property
    def A(self) -> float:
        r"""A = D^2 (L/2 + Lpm sqrt(2 nu (1-p) / p)), the constant of F3a and F3b."""
        noise = self.L_pm * math.sqrt(2 * self.nu * (1 - self.p) / self.p)
        return self.D**2 * (self.L / 2 + noise)

    def convex_closed_form(self, k: ArrayLike) -> Array:
        r"""F3a, for eta_k = 2/(k+c), c = 4/p: [(c-1)(c-2) r_0 + 4Ak] / [(k+c-1)(k+c-2)]."""
        return _open_loop(k, offset=4 / self.p, start=self.r_0, A=self.A)

    def convex_stich(self, horizon: int) -> float:
        r"""F3b at k = K, for the Stich schedule with d = 2/p and k_0 = ceil(K/2)."""
        d = 2 / self.p
        constant_steps = horizon if horizon <= d else math.ceil(horizon / 2)
        left = (1 - 1 / d) ** constant_steps
        middle = left * self.r_0 + self.A / d * (1 - left)
        if horizon <= d:
            return middle
        return float(_open_loop(horizon - constant_steps, offset=2 * d, start=middle, A=self.A))

    @property
    def M(self) -> float:
        r"""M = 1 / (Lpm sqrt(2 p (1-p) nu)), the weight of e_k^2 in F3b's Lyapunov function.

        Where there is no noise, e_k = 0 and M is not needed: it is 0 then.
        """
        if self.p == 1 or self.nu == 0 or self.L_pm == 0:
            return 0.0
        return 1 / (self.L_pm * math.sqrt(2 * self.p * (1 - self.p) * self.nu))

    def lyapunov(self, step: ArrayLike) -> Array:
        r"""F3b, one step: A eta^2."""
        return np.asarray(self.A * np.asarray(step, dtype=np.float64) ** 2)

    def nonconvex(self, steps: ArrayLike) -> Array:
        r"""F4: bound of sum eta_k E G_k / sum eta_k over the first K steps, for K = 1, 2, ..."""
        return self.average_gap(steps, self.estimator(steps))

    def nonconvex_closed_form(self, step: float, horizon: int) -> float:
        r"""F4 at constant steps: r_0/(eta K) + eta D^2 (L/2 + Lpm sqrt(nu (1-p) / p))."""
        noise = self.L_pm * math.sqrt(self.nu * (1 - self.p) / self.p)
        return self.r_0 / (step * horizon) + step * self.D**2 * (self.L / 2 + noise)

    def closed_forms(self, horizon: int, step: float) -> tuple[float, float, float]:
        r"""F3a and F3b at k = K, each for its own steps, and F4 at a constant step."""
        return (
            float(self.convex_closed_form(horizon)),
            self.convex_stich(horizon),
            self.nonconvex_closed_form(step, horizon),
        )


# --- Saga Sarah Frank-Wolfe ---


@dataclass(frozen=True, kw_only=True)
class Table(Constants):
    r"""What bounds the error of Saga Sarah's estimator and the staleness of its table.

    Args:
        L_pm: Hessian variance.
        L_tilde: average smoothness.
        D: Euclidean diameter of the set.
        a: probability that an index is refreshed in a step.
        mixing: lambda.
        nu: variance factor of a batch.
        E_0: E |g^0 - grad f(x^0)|^2.
        Y_0: (1/n) sum_i |grad f_i(x^0) - y_i^0|^2.
        refreshed_with_new: the table keeps grad f_i(x^{k+1}); otherwise grad f_i(x^k).

    Example:
        >>> table = Table(L_pm=1.0, L_tilde=1.0, D=2.0, a=0.5, mixing=0.25, nu=1.0)
        >>> [round(float(x), 3) for x in table.error([0.5, 0.5])]
        [0.0, 1.0, 1.947]
    """

    L_pm: float = constant(r"Hessian variance $L_\pm$", weakens="up")
    L_tilde: float = constant(r"average smoothness $\tilde L$ of the $f_i$", weakens="up")
    D: float = constant(_DIAMETER, weakens="up")
    a: float = constant(
        "probability that an index is in a batch", weakens="down", positive=True, most=1.0
    )
    mixing: float = constant(r"share $\lambda$ of the table", weakens=None, most=1.0)
    nu: float = constant("variance factor of a batch", weakens="up")
    E_0: float = constant(r"$E|g^0 - \nabla f(x^0)|^2$", weakens="up", default=0.0)
    Y_0: float = constant(
        r"$\frac1n \sum_i |\nabla f_i(x^0) - y_i^0|^2$, the table's staleness",
        weakens="up",
        default=0.0,
    )
    refreshed_with_new: bool = True

    def one_step(self, error: Any, variance: Any, stale: Any, moved: Any) -> tuple[Any, Any]:
        r"""F5, exactly: (1-lambda)^2 e_k^2 + nu Var_i(X_i), and (1-a) S_k, plus a M_k if old.

        Args:
            error: e_k^2.
            variance: of X_i over i.
            stale: S_k = (1/n) sum_i |grad f_i(x^{k+1}) - y_i|^2.
            moved: M_k = (1/n) sum_i |grad f_i(x^{k+1}) - grad f_i(x^k)|^2.
        """
        old = 0.0 if self.refreshed_with_new else self.a
        return (
            (1 - self.mixing) ** 2 * error + self.nu * variance,
            (1 - self.a) * stale + old * moved,
        )

    def estimator(self, steps: ArrayLike) -> tuple[Array, Array]:
        r"""F5: bounds of E e_k^2 and of the table's staleness E Y_k, for k = 0..K.

        E_{k+1} <= (1-lambda)^2 E_k + nu (Lpm D eta_k + lambda sqrt(Y_k))^2,
        Y_{k+1} <= (1-a) (sqrt(Y_k) + Lt D eta_k)^2, plus a (Lt D eta_k)^2 for the old refresh.
        """
        bounds = [(float(self.E_0), float(self.Y_0))]
        for step in floats(steps):
            error, stale = bounds[-1]
            root, move = math.sqrt(stale), self.L_tilde * self.D * step
            noise = self.L_pm * self.D * step + self.mixing * root
            bounds.append(self.one_step(error, noise**2, (root + move) ** 2, move**2))
        errors, staleness = np.array(bounds).T
        return errors, staleness

    def error(self, steps: ArrayLike) -> Array:
        """F5: the bound of E e_k^2 alone."""
        return self.estimator(steps)[0]

    def staleness(self, steps: ArrayLike) -> Array:
        """F5: the bound of the table's staleness E Y_k alone."""
        return self.estimator(steps)[1]


@dataclass(frozen=True, kw_only=True)
class Saga(Descent, Table):
    r"""Constants of one instance of Saga Sarah Frank-Wolfe, and what the theorems say about it.

    They are those of F5 and F2 together, and r_0.

    Example:
        >>> bounds = Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=2.0, a=0.5, mixing=0.25, nu=1.0, r_0=2.0)
        >>> bounds.convex([1.0, 0.5]).tolist()
        [2.0, 2.0, 3.5]
    """

    def convex(self, steps: ArrayLike) -> Array:
        r"""F6: the recursion of F3 with the estimator's bound F5, k = 0..K."""
        return self.suboptimality(steps, self.error(steps))

    def nonconvex(self, steps: ArrayLike) -> Array:
        r"""F7 at any steps: F4 with the estimator's bound F5, over the first 1, 2, ... steps."""
        return self.average_gap(steps, self.error(steps))

    def nonconvex_closed_form(self, step: float, horizon: int) -> float:
        r"""F7 at constant steps: r_0/(eta K) + eta D^2 (L/2 + 2 Lt sqrt(nu/(a(1-a/4))))."""
        noise = 2 * self.L_tilde * math.sqrt(self.nu / (self.a * (1 - self.a / 4)))
        return self.r_0 / (step * horizon) + step * self.D**2 * (self.L / 2 + noise)

    @property
    def A(self) -> float:
        r"""A = D^2 (L/2 + sqrt(cE)), the constant of F6a."""
        rho = 1 + self.a / 8
        if self.refreshed_with_new:
            q = math.sqrt(1 - self.a) * rho
            stale = q / (1 - q)
        else:
            q = (1 - self.a) * rho**2
            stale = (q + math.sqrt(q**2 + (1 - q) * (q + self.a * rho**2))) / (1 - q)
        noise = (self.L_pm + self.mixing * stale * self.L_tilde) ** 2 * rho**2
        error = self.nu * noise / (1 - (1 - self.mixing) ** 2 * rho**2)
        return self.D**2 * (self.L / 2 + math.sqrt(error))

    def convex_closed_form(self, k: ArrayLike) -> Array:
        r"""F6a, for eta_k = 2/(k+c), c = 8/a: [(c-1)(c-2) r_0 + 4Ak] / [(k+c-1)(k+c-2)]."""
        return _open_loop(k, offset=8 / self.a, start=self.r_0, A=self.A)

    def closed_forms(self, horizon: int, step: float) -> tuple[float, float]:
        r"""F6a at k = K for its own steps, and F7 at a constant step."""
        return (
            float(self.convex_closed_form(horizon)),
            self.nonconvex_closed_form(step, horizon),
        )


# --- From below ---


@dataclass(frozen=True, kw_only=True)
class Dimension(Constants):
    """The dimension d of the simplex on which a vertex a step is too little.

    Args:
        d: number of coordinates.

    Example:
        >>> float(Dimension(d=4).floor(1))
        0.125
    """

    d: int = constant("dimension of the simplex", weakens="down", positive=True)

    def floor(self, k: ArrayLike) -> Array:
        """F9: (1/2) (1/(k+1) - 1/d)."""
        return np.asarray(0.5 * (1 / (np.asarray(k, dtype=np.float64) + 1) - 1 / self.d))
