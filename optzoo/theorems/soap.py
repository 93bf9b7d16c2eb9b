# SPDX-License-Identifier: Apache-2.0
r"""SOAP, Shampoo and KL-Shampoo: what SOAP is and cannot see, Shampoo's regret, fitted factors.

For a matrix of parameters W with gradients G_t, SOAP keeps the averages L of G G^T and R of G^T G,
bases Q_L and Q_R near their eigenvectors, and Adam's moments M and V of G' = Q_L^T G Q_R. Shampoo
sums L_T = eps I + sum G G^T and R_T likewise, and steps along L^{-1/4} G R^{-1/4}. KL-Shampoo
averages G S_b^{-1} G^T / d_b and G^T S_a^{-1} G / d_a, and steps along S_a^{-1/2} M S_b^{-1/2}.

Notation: eta = learning rate, lambda = weight decay, beta_1 and beta_2 = decays of M and V, s =
that of the Gram matrices, f = calls between refreshes, t = calls after the first, W* = the best
fixed matrix, D = largest |W_t - W*|_F, S_a, S_b = KL-Shampoo's factors, A kron B = a covariance.

 S1  Shampoo with power 1/2 is Adafactor in the eigenbasis of its preconditioner
 S2  rotated gradients, rotated iterates
 S3  without bases it is Adam from the second gradient on
 S4  a stack is its matrices
 S5  the scale of the gradients is not seen
 S6  every iterate is that of Algorithm 3, which stands here as a loop
 S7  Shampoo's regret, with the step that the theorem prescribes
 S8  Shampoo's regret with any step
 S9  S1 with momentum, iterate by iterate
 S10 the stale spectrum: what an old basis takes for the eigenvalues
 S11 where KL-Shampoo's factors stay: the two equations of the likeliest ones
 S12 one factor larger and the other smaller: the same iterates
 S13 the factors of a Kronecker covariance are found

Derivations: docs/theory/soap.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Assumption, Constants, Paper, Theorem, constant

__all__ = [
    "KL_PAPER",
    "PAPER",
    "S1",
    "S2",
    "S3",
    "S4",
    "S5",
    "S6",
    "S7",
    "S8",
    "S9",
    "S10",
    "S11",
    "S12",
    "S13",
    "SHAMPOO_PAPER",
    "Kronecker",
    "MatrixNormal",
    "Momentum",
    "Regret",
    "Soap",
    "Turning",
]

Array = NDArray[np.float64]

PAPER = Paper(
    'Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and '
    'Stabilizing Shampoo using Adam", ICLR 2025, arXiv:2409.11321',
    known=(
        "Claim 1 and Algorithm 3 are the paper's; the order of the operations, the skipped first "
        "call, the place of epsilon and the sorting at a refresh are those of the authors' code, "
        "as described. That S1 holds with momentum is the paper's remark; S9 is our form of it. S2 "
        "to S5 and S10 are consequences that we state."
    ),
)

SHAMPOO_PAPER = Paper(
    'Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018, '
    "arXiv:1802.09568",
    known="Theorem 7 is the paper's, with its constants; S8 is the last but one line of its proof.",
)

KL_PAPER = Paper(
    'Lin, Lowe, Dangel, Eschenhagen, Xu, Grosse, "Understanding and Improving Shampoo and SOAP via '
    'Kullback-Leibler Minimization", ICLR 2026, arXiv:2509.03378',
    known=(
        "The averages that have the two equations of S11 as their fixed points are those of the "
        "authors' program, as described. That averages in bases that lag behind end there, S12 and "
        "S13 are consequences that we state."
    ),
)

# --- Shampoo and Adafactor ---


@dataclass(frozen=True, kw_only=True)
class Kronecker(Constants):
    r"""How Shampoo makes a step from averages over gradients.

    Args:
        power: the step is H^{-power} vec(G).
        by_the_trace: whether H is divided by the trace of L.

    Example:
        >>> Kronecker().step([[[3.0, 0.0]], [[0.0, 4.0]]]).round(12).tolist()
        [[[1.414213562373, 0.0]], [[0.0, 1.414213562373]]]
    """

    power: float = constant("power of $H$", weakens=None, default=0.5)
    by_the_trace: bool = True

    def step(self, gradients: ArrayLike) -> Array:
        r"""S1: H^{-1/2} vec(G_B) for all batches, H = (L kron R) / tr(L), by one dense eigh.

        Args:
            gradients: G_B of all batches, shape (batches, m, n).

        Returns:
            The steps, of the same shape.
        """
        g = np.asarray(gradients, dtype=np.float64)
        return self._preconditioned(g, g)

    def _preconditioned(self, moved: Array, gradients: Array) -> Array:
        """H^{-power} vec(X) for all X of `moved`, H that of the gradients."""
        g = gradients
        left = np.einsum("bij,bkj->ik", g, g) / len(g)
        right = np.einsum("bij,bik->jk", g, g) / len(g)
        h = np.kron(left, right) / (np.trace(left) if self.by_the_trace else 1.0)
        values, vectors = np.linalg.eigh(h)
        rows = moved.reshape(len(moved), -1)
        steps = (rows @ vectors) * values**-self.power @ vectors.T
        return np.asarray(steps.reshape(moved.shape))


S1 = Theorem(
    label="S1",
    title="Shampoo is Adafactor in its eigenbasis",
    paper=PAPER,
    source="Claim 1, S1",
    algorithm="soap",
    statement=(
        r"$$H^{-1/2} \mathrm{vec}(G) = \mathrm{vec}\left(Q_L \frac{G'}{\sqrt{V}} Q_R^\top"
        r"\right), \qquad H = \frac{L \otimes R}{\mathrm{tr} L}, \quad V_{ij} = "
        r"\frac{A_i C_j}{\sum_i A_i}$$ with $L = E_B[G_B G_B^\top] = Q_L \Lambda Q_L^\top$, "
        r"$R = E_B[G_B^\top G_B] = Q_R M Q_R^\top$, $G' = Q_L^\top G Q_R$, and $A$, $C$ the "
        r"sums of $E_B[G_B'^2]$ along rows and columns"
    ),
    assumptions=(Assumption(r"$L$ and $R$ are invertible"), Assumption(r"$\epsilon = 0$")),
    metric=r"\text{an entry of the step}",
    output="every iterate",
    side="equal",
    unit="call",
    constants=Kronecker,
    formula=Kronecker.step,
    proof=(
        r"$A_i = (Q_L^\top L Q_L)_{ii}$ is the $i$-th eigenvalue of $L$ and $C_j$ the $j$-th of "
        r"$R$, so that $V_{ij}$ is the eigenvalue of $H$ that belongs to $q_i \otimes q_j$."
    ),
    not_shown=(
        "Anything about SOAP's own second moment, which is not factorized, or about bases that "
        "are averages over time and lag behind."
    ),
)

# --- SOAP, call by call ---


@dataclass(frozen=True, kw_only=True)
class Soap(Constants):
    """The numbers of SOAP, and Algorithm 3 with them as a loop.

    Args:
        eta: learning rate.
        beta_1: decay of M.
        beta_2: decay of V.
        s: decay of the Gram matrices.
        epsilon: added to the root of V.
        decay: lambda, the weight decay.
        f: calls between refreshes of the bases.

    Example:
        >>> numbers = Soap(eta=0.5, beta_1=0.0, beta_2=0.0, s=0.0, epsilon=0.0, decay=0.0, f=1)
        >>> numbers.iterates([3.0], [[1.0], [4.0], [-2.0]]).tolist()
        [[3.0], [2.5], [3.0]]
    """

    eta: float = constant("learning rate", weakens=None)
    beta_1: float = constant("decay of $M$", weakens=None, most=1.0)
    beta_2: float = constant("decay of $V$", weakens=None, most=1.0)
    s: float = constant("decay of the Gram matrices", weakens=None, most=1.0)
    epsilon: float = constant(r"added to $\sqrt V$", weakens=None)
    decay: float = constant(r"weight decay $\lambda$", weakens=None)
    f: int = constant("calls between refreshes", weakens=None, least=1)

    def iterates(self, start: ArrayLike, gradients: ArrayLike, axes: Sequence[int] = ()) -> Array:
        """S6: Algorithm 3 for one parameter as the authors' code runs it.

        Columns of the bases are sorted at a refresh, V is permuted with them, and M is rotated out
        and in on every call.

        Args:
            start: the parameter before the first call.
            gradients: shape (calls, *shape of the parameter).
            axes: which axes have a basis.

        Returns:
            The parameter after every call, of the shape of `gradients`.
        """
        given = np.asarray(gradients, dtype=np.float64)
        w = np.array(start, dtype=np.float64)
        path = [w]
        average = {axis: (1 - self.s) * _gram(given[0], axis) for axis in axes}
        q = {axis: np.linalg.eigh(average[axis])[1][:, ::-1] for axis in axes}
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t, g in enumerate(given[1:], start=1):
            rotated = _turned(g, {axis: q[axis].T for axis in axes})
            m = self.beta_1 * m + (1 - self.beta_1) * rotated
            v = self.beta_2 * v + (1 - self.beta_2) * rotated**2
            step = self.eta * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
            w = w - step * _turned(m / (np.sqrt(v) + self.epsilon), q)
            w = w * (1 - self.eta * self.decay)
            m = _turned(m, q)
            for axis in axes:
                average[axis] = self.s * average[axis] + (1 - self.s) * _gram(g, axis)
                if t % self.f == 0:
                    order = np.argsort(-np.diag(q[axis].T @ average[axis] @ q[axis]))
                    v = np.take(v, order, axis=axis)
                    q[axis] = np.linalg.qr(average[axis] @ q[axis][:, order])[0]
            m = _turned(m, {axis: q[axis].T for axis in axes})
            path.append(w)
        return np.stack(path)


def _turned(x: Array, matrices: dict[int, Array]) -> Array:
    """Every axis that has a matrix multiplied by it."""
    for axis, matrix in matrices.items():
        x = np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)
    return x


def _gram(g: Array, axis: int) -> Array:
    unfolded = np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
    return np.asarray(unfolded @ unfolded.T)


FLOAT64 = Assumption("float64")

_PER_CALL: dict[str, Any] = {
    "paper": PAPER,
    "algorithm": "soap",
    "metric": r"\text{an entry of } W_t",
    "output": "every iterate",
    "side": "equal",
    "unit": "call",
    "constants": Soap,
}

S2 = Theorem(
    label="S2",
    title="Rotated gradients, rotated iterates",
    source="invariance of the eigenbasis, S2",
    statement=(
        r"$$W_t(U G_1 V^\top, \dots, U G_t V^\top) = U\, W_t(G_1, \dots, G_t)\, V^\top$$ for "
        r"orthogonal $U$ and $V$, the start rotated likewise; one orthogonal matrix an axis "
        r"for more than two"
    ),
    assumptions=(FLOAT64, Assumption("the first gradient has full rank along every axis")),
    proof=(
        r"The Gram matrices become $U L U^\top$ and $V R V^\top$; eigenvectors and the $Q$ of a QR "
        r"decomposition follow up to signs, and so $G'$, $M$ and the entries of $V$ stay."
    ),
    not_shown="That such a method is faster; it says what the method cannot see.",
    **_PER_CALL,
)

S3 = Theorem(
    label="S3",
    title="Without bases it is Adam from the second gradient on",
    source="Algorithm 3 with $Q = I$, S3",
    statement=(
        r"$$W_{t+1}^{SOAP}(G_0, \dots, G_t) = W_t^{Adam}(G_1, \dots, G_t)$$ where Adam's step "
        r"is $\eta \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} \frac{M}{\sqrt V + \epsilon}$"
    ),
    assumptions=(
        Assumption("no axis has a basis"),
        Assumption("no decay", lambda one: one.decay == 0),
    ),
    proof=r"S6 with $Q = I$ and $\lambda = 0$.",
    not_shown="Anything about leaves with a basis.",
    **_PER_CALL,
)

S4 = Theorem(
    label="S4",
    title="A stack is its matrices",
    source="definition of a stack, S4",
    statement=(
        r"$$W_t(G^{(1)}, \dots, G^{(\ell)})^{(i)} = W_t(G^{(i)})$$ for a leaf of shape "
        r"$\ell \times m \times n$ whose first axis is declared to be no matrix axis"
    ),
    assumptions=(FLOAT64,),
    proof="The definition: every entry of a stack has its own Gram matrices and bases.",
    not_shown="Speed, or memory.",
    **_PER_CALL,
)

S5 = Theorem(
    label="S5",
    title="The scale of the gradients is not seen",
    source="Algorithm 3 with eps = 0, S5",
    statement=r"$$W_t(c\, G_1, \dots, c\, G_t) = W_t(G_1, \dots, G_t), \qquad c > 0$$",
    assumptions=(Assumption(r"$\epsilon = 0$", lambda one: one.epsilon == 0),),
    proof=r"Gram matrices and $V$ become $c^2$ times as large, $M$ becomes $c$ times; bases stay.",
    not_shown="What a change of scale in the middle of a run does.",
    **_PER_CALL,
)

S6 = Theorem(
    label="S6",
    title="Every iterate is that of the authors' loop",
    source="Algorithm 3 with the details of the authors' code, S6",
    statement=(
        r"$$G' = Q_L^\top G Q_R, \quad M = \beta_1 M + (1-\beta_1) G', \quad "
        r"V = \beta_2 V + (1-\beta_2) G'^2, \quad W \leftarrow (1-\eta\lambda)\left(W - \eta "
        r"\frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} Q_L \frac{M}{\sqrt V + \epsilon} Q_R^\top"
        r"\right)$$ with the bases of the calls before; the first call only makes bases"
    ),
    assumptions=(
        FLOAT64,
        Assumption("the first gradient has full rank along every axis with a basis"),
    ),
    formula=Soap.iterates,
    proof="The definition.",
    not_shown=(
        "That a run in float32 stays as close: a swap of two nearly equal eigenvalues in the "
        "sorting separates identical algorithms. The loop is written from the description of "
        "the authors' code; their PyTorch program is not executed."
    ),
    **_PER_CALL,
)

# --- Shampoo's regret ---


@dataclass(frozen=True, kw_only=True)
class Regret(Constants):
    r"""Constants of an online convex problem for a matrix, played by Shampoo.

    Args:
        D: at least the largest distance |W_t - W*|_F.
        r: a rank that no gradient exceeds.
        eta: the step.
        epsilon: of L_T = epsilon I + sum_t G_t G_t^T, and of R_T.

    Example:
        >>> place = Regret(D=2.0, r=2, eta=1.0, epsilon=0.0)
        >>> gradients = [[[16.0]], [[0.0]]]
        >>> place.traces(gradients), place.any_step(gradients), place.prescribed(gradients)
        (16.0, 64.0, 64.0)
    """

    D: float = constant(r"$\max_t \|W_t - W^*\|_F$", weakens="up")
    r: int = constant("rank of the gradients", weakens="up", positive=True)
    eta: float = constant("step", weakens=None, positive=True)
    epsilon: float = constant(r"$\epsilon$ of the Gram matrices", weakens=None)

    def traces(self, gradients: ArrayLike) -> float:
        """tr(L_T^{1/4}) tr(R_T^{1/4}) of gradients G_1, ..., G_T, shape (T, m, n)."""
        g = np.asarray(gradients, dtype=np.float64)
        m, n = g.shape[1:]
        left = self.epsilon * np.eye(m) + np.einsum("tij,tkj->ik", g, g)
        right = self.epsilon * np.eye(n) + np.einsum("tij,tik->jk", g, g)
        one, other = (float(np.sum(np.linalg.eigvalsh(gram) ** 0.25)) for gram in (left, right))
        return one * other

    def prescribed(self, gradients: ArrayLike) -> float:
        """S7: sqrt(2 r) D tr(L_T^{1/4}) tr(R_T^{1/4}), for eta = D / sqrt(2 r)."""
        return math.sqrt(2 * self.r) * self.D * self.traces(gradients)

    def any_step(self, gradients: ArrayLike) -> float:
        """S8: (D^2 / (2 eta) + eta r) tr(L_T^{1/4}) tr(R_T^{1/4})."""
        return (self.D**2 / (2 * self.eta) + self.eta * self.r) * self.traces(gradients)


LOW_RANK = Assumption("convex losses whose gradients have rank at most $r$")

S7 = Theorem(
    label="S7",
    title="Shampoo's regret",
    paper=SHAMPOO_PAPER,
    source="Theorem 7, S7",
    algorithm="shampoo",
    statement=(
        r"$$\sum_{t \le T} f_t(W_t) - f_t(W^*) \le \sqrt{2r}\, D\, \mathrm{tr}(L_T^{1/4})\, "
        r"\mathrm{tr}(R_T^{1/4})$$ with $L_T = \epsilon I + \sum_t G_t G_t^\top$, "
        r"$R_T = \epsilon I + \sum_t G_t^\top G_t$ and $\eta = D / \sqrt{2r}$"
    ),
    assumptions=(
        LOW_RANK,
        Assumption(r"$D \ge \max_t \|W_t - W^*\|_F$, verified on every path"),
        Assumption(
            r"$\eta = D / \sqrt{2r}$",
            lambda one, *_: math.isclose(one.eta, one.D / math.sqrt(2 * one.r), rel_tol=1e-9),
        ),
    ),
    metric=r"\sum_t f_t(W_t) - \min_W \sum_t f_t(W)",
    output="every iterate",
    side="above",
    unit="round",
    constants=Regret,
    formula=Regret.prescribed,
    form="paper",
    proof=r"S8 at the step that makes its bracket least.",
    not_shown=(
        "That Shampoo's regret is smaller than another method's. D belongs to the path, so the "
        "bound is known only after the run."
    ),
)

S8 = Theorem(
    label="S8",
    title="Shampoo's regret with any step",
    paper=SHAMPOO_PAPER,
    source="proof of Theorem 7, S8",
    algorithm="shampoo",
    statement=(
        r"$$\sum_{t \le T} f_t(W_t) - f_t(W^*) \le \left(\frac{D^2}{2\eta} + \eta r\right) "
        r"\mathrm{tr}(L_T^{1/4})\, \mathrm{tr}(R_T^{1/4}), \qquad "
        r"D = \max_{t \le T} \|W_t - W^*\|_F$$"
    ),
    assumptions=(LOW_RANK,),
    metric=r"\sum_t f_t(W_t) - \min_W \sum_t f_t(W)",
    output="every iterate",
    side="above",
    unit="round",
    constants=Regret,
    formula=Regret.any_step,
    proof=(
        r"$H_t = L_t^{1/4} \otimes R_t^{1/4}$ grows, and so mirror descent's regret is at most "
        r"$\frac{D^2}{2\eta} \mathrm{tr} H_T + \frac\eta2 \sum_t \|g_t\|^2_{H_t^{-1}}$. The sum is "
        r"at most $2 \sqrt r\, \mathrm{tr} \hat H_T \le 2 r\, \mathrm{tr} H_T$ because $\hat H_t = "
        r"(r\epsilon I + \sum g g^\top)^{1/2} \preceq \sqrt r H_t$."
    ),
    not_shown="Which step is best.",
)

# --- Shampoo and Adafactor with momentum ---


@dataclass(frozen=True, kw_only=True)
class Momentum(Kronecker):
    r"""Shampoo with averages over gradients and a momentum over time.

    Args:
        eta: learning rate.
        beta_1: decay of the momentum.

    Example:
        >>> numbers = Momentum(eta=0.5, beta_1=0.5)
        >>> numbers.iterates([[3.0]], lambda w: w[None], 2).round(12).tolist()
        [[[2.75]], [[2.363636363636]]]
    """

    eta: float = constant("learning rate", weakens=None)
    beta_1: float = constant("decay of $M$", weakens=None, most=1.0)

    def iterates(
        self, start: ArrayLike, gradients: Callable[[Array], ArrayLike], calls: int
    ) -> Array:
        """S9: W -= eta H_t^{-1/2} vec(M_t), M_t the momentum of the mean gradients.

        Args:
            start: the matrix before the first call.
            gradients: of a matrix, those of all batches there, shape (batches, m, n).
            calls: so many.

        Returns:
            The matrix after every call, shape (calls, m, n).
        """
        w = np.asarray(start, dtype=np.float64)
        m, path = np.zeros_like(w), []
        for _ in range(calls):
            g = np.asarray(gradients(w), dtype=np.float64)
            m = self.beta_1 * m + (1 - self.beta_1) * g.mean(axis=0)
            w = w - self.eta * self._preconditioned(m[None], g)[0]
            path.append(w)
        return np.stack(path)


S9 = Theorem(
    label="S9",
    title="Shampoo with momentum is Adafactor with momentum",
    paper=PAPER,
    source="Claim 1 with momentum, S9",
    algorithm="shampoo",
    statement=(
        r"$$W_{t+1} = W_t - \eta H_t^{-1/2} \mathrm{vec}(M_t) = W_t - \eta\, Q_L^{(t)} "
        r"\frac{M'_t}{\sqrt{V_t}} Q_R^{(t)\top}$$ with $H_t$, $V_t$ and the bases those of S1 for "
        r"the gradients at $W_t$, $M_t = \beta_1 M_{t-1} + (1-\beta_1) E_B[G_B]$, and $M'_t = "
        r"\beta_1 Q_L^{(t)\top} Q_L^{(t-1)} M'_{t-1} Q_R^{(t-1)\top} Q_R^{(t)} + (1-\beta_1) "
        r"E_B[G'_B]$"
    ),
    assumptions=(
        Assumption(r"$L_t$ and $R_t$ are invertible at every call"),
        Assumption(r"$\epsilon = 0$"),
        Assumption(
            "the momentum is one of gradients and is preconditioned afterwards, in both methods"
        ),
        Assumption("the momentum is rotated along when the bases change"),
    ),
    metric=r"\text{an entry of } W_t",
    output="every iterate",
    side="equal",
    unit="call",
    constants=Momentum,
    formula=Momentum.iterates,
    proof=(
        r"$M'_t = Q_L^{(t)\top} M_t Q_R^{(t)}$ by induction: rotated out and in, $M'_{t-1}$ is "
        r"$Q_L^{(t)\top} M_{t-1} Q_R^{(t)}$. S1 is linear in what is preconditioned, $H_t$ "
        "being given; so it holds for $M_t$ in the place of $G$."
    ),
    not_shown=(
        "A momentum of preconditioned gradients, which is another method unless $H_t$ is constant; "
        "Gram matrices and second moments averaged over time in bases that lag behind."
    ),
)

# --- What an old basis sees ---


@dataclass(frozen=True, kw_only=True)
class Turning(Constants):
    r"""Gram matrices whose eigenvectors turn in a plane, and SOAP's basis that runs after them.

    A_t = R(theta t) diag(large, small) R(theta t)^T.

    Args:
        theta: the angle by which they turn at a call.
        large: the eigenvalue of the first vector.
        small: that of the second.
        f: calls between refreshes of the basis.

    Example:
        >>> import math
        >>> place = Turning(theta=math.pi / 12, large=5.0, small=1.0, f=2)
        >>> place.diagonal(2).round(12).tolist()  # k = 1 and k = 2 calls after the eigenvectors
        [[4.732050807569, 1.267949192431], [4.0, 2.0]]
    """

    theta: float = constant("angle of a call", weakens=None)
    large: float = constant("larger eigenvalue", weakens=None, positive=True)
    small: float = constant("smaller eigenvalue", weakens=None)
    f: int = constant("calls between refreshes", weakens=None, least=1)

    def angles(self, calls: int) -> Array:
        r"""The angle between basis and eigenvectors at calls 1, ..., T: delta_j + theta k.

        Args:
            calls: T.

        Returns:
            Of shape (calls,).
        """
        found, angle = [], 0.0
        for t in range(1, calls + 1):
            angle += self.theta
            found.append(angle)
            if t % self.f == 0:
                angle = math.atan(self.small / self.large * math.tan(angle))
        return np.array(found)

    def diagonal(self, calls: int) -> Array:
        r"""S10: diag(Q^T A_t Q) at calls 1, ..., T, Q the basis that the call finds.

        Args:
            calls: T.

        Returns:
            Of shape (calls, 2): large and small, less and more (large - small) sin^2 of the angle.
        """
        error = (self.large - self.small) * np.sin(self.angles(calls)) ** 2
        return np.stack([self.large - error, self.small + error], axis=1)


S10 = Theorem(
    label="S10",
    title="The stale spectrum",
    paper=PAPER,
    source="the spectrum that an old basis shows, S10",
    algorithm="soap",
    statement=(
        r"$$\sum_j V_{ij} = (Q_L^\top A_t Q_L)_{ii} = \lambda_i \mp (\lambda_1 - \lambda_2) "
        r"\sin^2(\delta_j + k \theta), \qquad \tan \delta_{j+1} = \frac{\lambda_2}{\lambda_1} "
        r"\tan(\delta_j + f \theta), \quad \delta_0 = 0$$ at the $k$-th call after refresh $j$, "
        r"$1 \le k \le f$, where $A_t = G_t G_t^\top$ has the eigenvalues $\lambda_1 > \lambda_2$ "
        r"in a plane that turns by $\theta$ a call"
    ),
    assumptions=(
        FLOAT64,
        Assumption(r"$s = 0$ and $\beta_2 = 0$: Gram matrices and $V$ are those of the last call"),
        Assumption("the space is a sum of such planes, and $A_t$ has full rank"),
        Assumption(
            r"$0 \le \delta_j + k\theta < \pi/4$",
            lambda one, calls: bool(np.max(one.angles(calls)) < math.pi / 4),
        ),
    ),
    metric=r"\sum_j V_{ij}",
    output="every call",
    side="equal",
    unit="call",
    constants=Turning,
    formula=Turning.diagonal,
    proof=(
        r"In a plane, with $q_1$ at the angle $\phi$ to the first eigenvector, $q_1^\top A q_1 = "
        r"\lambda_1 \cos^2 \phi + \lambda_2 \sin^2 \phi$, and $A q_1 \propto (\lambda_1 \cos\phi, "
        r"\lambda_2 \sin\phi)$ has the angle $\arctan(\tan(\phi) \lambda_2 / \lambda_1)$; below "
        r"$\pi/4$ it comes first in its plane, and QR leaves $q_2$ orthogonal to it. Images of "
        r"other planes are orthogonal to both. $Q_R$ is orthogonal, so that rows of $V = G'^2$ sum "
        r"to the diagonal. The map from $\delta_j$ to $\delta_{j+1}$ increases in $\delta_j$ and "
        r"in $f$: so does the largest angle between two refreshes, $\delta_j + f\theta$. It is "
        r"least for $f = 1$, and there still at least $\theta$: a gradient is seen in the basis of "
        "the calls before."
    ),
    not_shown=(
        r"Averages over calls ($s > 0$), whose own spectrum lags behind and is smoother; what the "
        "wrong spectrum does to the loss."
    ),
)

# --- KL-Shampoo's factors ---


@dataclass(frozen=True, kw_only=True)
class MatrixNormal(Constants):
    r"""Gaussian matrices of shape d_a x d_b with the covariance S_a kron S_b, row by row.

    Args:
        c: what S_a is multiplied with and S_b divided by.

    Example:
        >>> pair = MatrixNormal().likeliest([[[2.0]], [[4.0]]], [[5.0]], [[2.0]])
        >>> {name: side.tolist() for name, side in pair.items()}
        {'S_a': [[5.0]], 'S_b': [[2.0]]}
    """

    c: float = constant("$S_a$ over itself, $S_b$ under", weakens=None, positive=True, default=1.0)

    def likeliest(
        self, gradients: ArrayLike, left: ArrayLike, right: ArrayLike
    ) -> dict[str, Array]:
        """S11: E[G S_b^{-1} G^T] / d_b and E[G^T S_a^{-1} G] / d_a, for S_a = left, S_b = right.

        Args:
            gradients: all values of G, equally likely, shape (number, d_a, d_b).
            left, right: the factors.
        """
        g = np.asarray(gradients, dtype=np.float64)
        number, rows, columns = g.shape
        by_left, by_right = (np.linalg.inv(np.asarray(one)) for one in (left, right))
        return {
            "S_a": np.einsum("tij,jk,tlk->il", g, by_right, g) / (number * columns),
            "S_b": np.einsum("tij,ik,tkl->jl", g, by_left, g) / (number * rows),
        }

    def planted(self, left: ArrayLike, right: ArrayLike) -> Array:
        """S13: A kron B, whatever multiple of A the one factor is, for A = left and B = right."""
        one, other = self.c * np.asarray(left), np.asarray(right) / self.c
        return np.asarray(np.kron(one, other))


_OF_FACTORS: dict[str, Any] = {
    "paper": KL_PAPER,
    "algorithm": "kl_shampoo",
    "side": "equal",
    "unit": "call",
    "constants": MatrixNormal,
}
WHOLE_EXPECTATION = Assumption(
    "every call has all values of $G$ at once, as a stack whose axis has no factor: the average "
    "over them is the expectation itself"
)

S11 = Theorem(
    label="S11",
    title="Where KL-Shampoo's factors stay",
    source="the optimal joint solution of the KL minimization, S11",
    statement=(
        r"$$S_a = \frac{1}{d_b} E[G S_b^{-1} G^\top], \qquad S_b = \frac{1}{d_a} "
        r"E[G^\top S_a^{-1} G]$$ for the limit of the averages, although each is weighed with the "
        r"inverse of the other in a basis and with eigenvalues that lag behind it"
    ),
    assumptions=(WHOLE_EXPECTATION, Assumption("$0 < s < 1$ and a refresh at every call")),
    metric=r"\text{an entry of } S_a, S_b \text{ and of } Q \mathrm{diag}(\lambda) Q^\top",
    output="the limit",
    formula=MatrixNormal.likeliest,
    form="paper",
    proof=(
        r"Where bases and eigenvalues stay, $Q$ diagonalizes $S$ and $\lambda$ is its spectrum, so "
        r"that $S = s S + (1-s) \Delta$ is $S = \Delta$. These are the zeros of the gradient of "
        r"$E[\mathrm{tr}(S_a^{-1} G S_b^{-1} G^\top)] + d_b \log\det S_a + d_a \log\det S_b$, "
        r"twice the negative likelihood."
    ),
    not_shown=(
        "Convergence from any start or how fast it is, and how far averages over gradients that "
        "come one by one are from the limit."
    ),
    **_OF_FACTORS,
)

S12 = Theorem(
    label="S12",
    title="One factor larger, the other smaller: the same iterates",
    source="invariance of the product, S12",
    statement=(
        r"$$W_t(c S_a, S_b / c, c \lambda_a, \lambda_b / c) = W_t(S_a, S_b, \lambda_a, \lambda_b), "
        r"\qquad c > 0,$$ whenever the state is changed so"
    ),
    assumptions=(FLOAT64,),
    metric=r"\text{an entry of } W_t",
    output="every iterate",
    proof=(
        r"$\Delta_a$ has $S_b^{-1}$ and becomes $c \Delta_a$, $\Delta_b$ becomes $\Delta_b / c$; "
        r"so the averages stay changed by these factors, bases do not change, and the step has the "
        r"product $\lambda_a \lambda_b^\top$ alone."
    ),
    not_shown="Anything about the speed at which the factors settle.",
    **_OF_FACTORS,
)

S13 = Theorem(
    label="S13",
    title="The factors of a Kronecker covariance are found",
    source="the optimal joint solution of the KL minimization, S13",
    statement=(
        r"$$S_a \otimes S_b = A \otimes B \quad \text{in the limit, if} \quad "
        r"G = A^{1/2} E B^{1/2}, \quad E[\mathrm{vec}(E) \mathrm{vec}(E)^\top] = I$$"
    ),
    assumptions=(WHOLE_EXPECTATION, Assumption("$A$ and $B$ are positive definite")),
    metric=r"\text{an entry of } S_a \otimes S_b",
    output="the limit",
    formula=MatrixNormal.planted,
    proof=(
        r"$E[G X G^\top] = A\, \mathrm{tr}(B X)$. With $S_b = B / c$ the first equation of S11 is "
        r"$S_a = A\, \mathrm{tr}(c I) / d_b = c A$, and the second likewise; the likelihood has no "
        r"other maximum up to $c$."
    ),
    not_shown="That gradients have such a covariance.",
    **_OF_FACTORS,
)
