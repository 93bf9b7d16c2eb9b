# SPDX-License-Identifier: Apache-2.0
r"""First-order methods on gradients from one trajectory of a Markov chain: estimator and rates.

    minimize f(x) = E_pi F(x, Z), or solve <F(x*), x - x*> + r(x) - r(x*) >= 0 for all x,

seen through grad F(x, Z_i) along one trajectory of a chain with kernel Q and stationary law pi. The
methods take the multilevel estimate g = g_0 + 2^J (g_J - g_{J-1}) if J <= m, else g_0, where g_j is
the mean over the next 2^j B samples and P(J = j) = 2^-j: `randomized_gd`,
`randomized_accelerated_gd` and `randomized_extragradient`, whose first half takes a plain batch.

Notation: Delta(Q^k) = the largest total variation distance between two rows of Q^k, tau = the first
k with Delta(Q^k) <= 1/4 (mixing time), s = a bound of a single sample's error whatever the state of
the chain, s^2 = sigma^2 + delta^2 |grad f(x)|^2 in the theorems on f and
sigma^2 + Delta^2 |x - x*|^2 in that on a variational inequality, v_m = m - 1 + 2^(1-m),

    V = (10/3) (tau/B) v_m,     b = (25/9) tau^2 / (4^m B^2)     (the factors of D2).

 D1   the mean of a batch, from any state of the chain: second moment, bias, with the whole profile
 D2   the multilevel estimator: variance and bias; its weights and moments exactly; laws
 D3   randomized GD: mean squared gradient; linear rate under the Polyak-Lojasiewicz inequality
 D3a  randomized GD, strongly convex: the distance
 D4   randomized accelerated GD, strongly convex: a potential; laws of its floor and its rate
 D5   randomized extragradient, strongly monotone: the distance
 D6   a bound from below with the condition number, on every path
 D7   a bound from below for the noise

The constants of D3 to D5 refuse what violates a theorem's conditions, with the reason; the plans of
`optzoo`, such as `optzoo.AcceleratedGDBound.for_target`, find the parameters for a target.

The constants and, as their methods, the bounds stand in `optzoo.theorems.multilevel_constants`,
Profile (D1) and Bounded (D1, D2), and in `optzoo.theorems.markovian_noise_constants`: Descent and
PolyakLojasiewicz (D3), StronglyConvex (D3a), Accelerated (D4), Extragradient (D5), Switches (D6),
SignTest (D7). With any estimates D3 to D5 have the constants of
`optzoo.theorems.any_estimate_constants`. Derivations: docs/theory/markovian_noise.md.
"""

import numpy as np

from .any_estimate_constants import (
    AcceleratedOfAny,
    DescentOfAny,
    DistanceOfAny,
    ExtragradientOfAny,
)
from .markovian_noise_constants import (
    Accelerated,
    Descent,
    Extragradient,
    PolyakLojasiewicz,
    SignTest,
    StronglyConvex,
    Switches,
    damping,
)
from .multilevel_constants import Bounded, Chain, Profile, expected_samples, level_factor, memory
from .theorem import Assumption, Paper, Theorem

__all__ = [
    "D1",
    "D2",
    "D3",
    "D3A",
    "D4",
    "D5",
    "D6",
    "D7",
    "PAPER",
    "Accelerated",
    "AcceleratedOfAny",
    "Bounded",
    "Chain",
    "Descent",
    "DescentOfAny",
    "DistanceOfAny",
    "Extragradient",
    "ExtragradientOfAny",
    "PolyakLojasiewicz",
    "Profile",
    "SignTest",
    "StronglyConvex",
    "Switches",
    "damping",
    "expected_samples",
    "level_factor",
    "memory",
]

PAPER = Paper(
    "Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "
    '"First Order Methods with Markovian Noise: from Acceleration to Variational Inequalities", '
    "NeurIPS 2023, arXiv:2305.15938",
    known=(
        "The paper's lemmas and theorems are known here up to the constants in front of their "
        "terms; the explicit forms D1 to D7 and their proofs are ours, and imply the paper's "
        "orders (the constant of D1 is 10/3 where the paper's is about 24.3, and D2's variance "
        "needs no term in tau^2)."
    ),
)

# --- The mean of a batch ---

CENTRED = Assumption(r"$\pi h = 0$, $|h| \le s$")
ANY_START = Assumption("any starting state, before the batch or in it")
ANY_STATE = Assumption("any state of the chain before the estimate")
ANY_CHAIN = Assumption("any chain")

D1 = Theorem(
    label="D1",
    title="The second moment of a batch, from any state of the chain",
    paper=PAPER,
    source="lemma on batch means; explicit form D1, constant 10/3",
    algorithm="mlmc_gradient",
    statement=(
        r"$$E\Bigl|\sum_{i \le n} w_i h(Z_i)\Bigr|^2 \le \tfrac{10}{3} \tau n w^2 s^2, \qquad "
        r"|w_i| \le w,$$ for the mean $w_i = 1/n$ and for signs in any order"
    ),
    assumptions=(CENTRED, ANY_START),
    metric=r"E|\sum_i w_i h(Z_i)|^2",
    output="batch mean",
    unit="batch",
    side="above",
    constants=Bounded,
    formula=Bounded.weighted_sum,
    proof=(
        r"$|Q^k h| \le s \rho_k$ with $\rho_k = \min(1, 2 \cdot 4^{-\lfloor k/\tau \rfloor})$, and "
        r"$\sum_{k \ge 1} \rho_k \le \frac53 \tau - 1$. So $E \langle h(Z_i), h(Z_j) \rangle \le "
        r"s^2 \rho_{|j-i|}$, and the sum is at most $w^2 s^2 n (1 + 2(\frac53 \tau - 1))$."
    ),
    not_shown="Noise that depends on the state in more than one direction.",
)

D1_BIAS = D1.part(
    "D1, bias",
    "The bias of a batch, from any state of the chain",
    source="lemma on batch means; explicit form D1, constant 5/3",
    statement=r"$$\Bigl|E \tfrac1n \sum_{i \le n} h(Z_i)\Bigr| \le \tfrac53 \frac{\tau s}{n}$$",
    metric=r"|E \tfrac1n \sum_i h(Z_i)|",
    formula=Bounded.batch_mean,
    proof=r"$|E h(Z_i)| \le s \rho_i$ or, where $Z_1$ itself is given, $s \rho_{i-1}$.",
)

D1_PROFILE = D1.part(
    "D1, profile",
    "Both moments of a batch with the whole mixing profile, closely",
    source="lemma on batch means; the sum that D1 bounds",
    statement=(
        r"$$E\Bigl|\sum_{i \le n} w_i h(Z_i)\Bigr|^2 \le w^2 s^2 \Bigl(n + 2\sum_{0<k<n} (n-k) "
        r"\rho_k\Bigr), \qquad \Bigl|E \tfrac1n \sum_{i \le n} h(Z_i)\Bigr| \le \tfrac sn "
        r"\sum_{k < n} \rho_k,$$ with $\rho_k = \min(1, 2\Delta(Q^k))$"
    ),
    metric=r"E|\sum_i w_i h(Z_i)|^2,\ |E \tfrac1n \sum_i h(Z_i)|",
    constants=Profile,
    formula=Profile.moments,
    proof="As D1, before the profile is bounded by the mixing time.",
    not_shown="The mixing time alone: two chains with one of it can have other profiles.",
)

# --- The multilevel estimator ---

ESTIMATOR = (
    r"$g = g_0 + 2^J (g_J - g_{J-1})$ if $J \le m$, else $g_0$; $g_j$ the mean over the first "
    r"$2^j B$ samples, $P(J = j) = 2^{-j}$"
)

D2 = Theorem(
    label="D2",
    title="The variance of the multilevel estimator",
    paper=PAPER,
    source="lemma on the multilevel estimator; explicit form D2",
    algorithm="mlmc_gradient",
    statement=(
        r"$$E|g - \nabla f|^2 \le V s^2, \qquad V = \tfrac{10}{3} \frac{\tau}{B} \left(m - 1 + "
        rf"2^{{1-m}}\right)$$ for {ESTIMATOR}"
    ),
    assumptions=(CENTRED, ANY_STATE),
    metric=r"E|g - \nabla f|^2",
    output="estimate",
    unit="estimate",
    side="above",
    constants=Bounded,
    formula=Bounded.variance,
    proof=(
        r"At $J = j \le m$ the estimate has $(2^j - 1) B$ weights of size $1/B$ on consecutive "
        r"samples, else $B$: D1 and $\sum_{j \le m} 2^{-j} (2^j - 1) + 2^{-m} = m - 1 + 2^{1-m}$."
    ),
    not_shown="Noise that depends on the state in more than one direction.",
)

D2_BIAS = D2.part(
    "D2, bias",
    "The bias of the multilevel estimator",
    statement=(
        r"$$|E g - \nabla f|^2 \le b\, s^2, \qquad b = \tfrac{25}{9} \frac{\tau^2}{4^m B^2}$$ for "
        rf"{ESTIMATOR}"
    ),
    metric=r"|E g - \nabla f|^2",
    formula=Bounded.squared_bias,
    proof=r"$E g = E g_m$, and D1 for the mean of $2^m B$ samples.",
)

D2_WEIGHTS = D2.part(
    "D2, weights",
    "The weights and the cost of each level",
    statement=(
        rf"{ESTIMATOR}. So, for $J = j \le m$, $g = \sum_i w_i \nabla F(x, Z_i)$ with $w_i = 0$ "
        r"for $i \le B$, $-1/B$ up to $2^{j-1} B$, and $1/B$ up to $2^j B$"
    ),
    assumptions=(Assumption("none: any stream"),),
    metric="w_i",
    side="equal",
    formula=None,
    proof=r"$2^j / (2^j B) = 1/B$, and $2^j / (2^{j-1} B) = 2/B$ is subtracted from it.",
    not_shown="The law of the level: the sampled moments show that.",
)

_LEVEL_AS_STATED = "The law of the level is taken as stated here; the sampled moments test it."

D2_INDEPENDENT = D2.part(
    "D2, independent samples",
    "The variance that the levels cost, exactly",
    source="lemma on the multilevel estimator; its count of the weights",
    statement=(
        r"$$E|g - \nabla f|^2 = \frac{v_m s^2}{B}, \qquad v_m = m - 1 + 2^{1-m}$$ for independent "
        rf"samples with $E|h|^2 = s^2$ and {ESTIMATOR}"
    ),
    assumptions=(Assumption("independent samples in the place of the chain"),),
    metric=r"E|g - \nabla f|^2",
    side="equal",
    formula=Bounded.independent,
    proof=(
        r"It is $s^2 E \sum_i w_i^2$. At $J = j \le m$ there are $(2^j - 1) B$ weights of size "
        r"$1/B$, else $B$, and $\sum_{j \le m} 2^{-j} (2^j - 1) + 2^{-m} = v_m$."
    ),
    not_shown=_LEVEL_AS_STATED,
)

D2_MEAN = D2.part(
    "D2, mean",
    "The mean of a short batch's price is that of a long batch",
    statement=rf"$$E[g \mid Z_0 = z] = E[g_m \mid Z_0 = z]$$ for {ESTIMATOR}",
    assumptions=(ANY_CHAIN, ANY_STATE),
    metric=r"E[g \mid Z_0 = z]",
    side="equal",
    formula=None,
    proof=r"$E g = E g_0 + \sum_{j \le m} 2^{-j} 2^j E(g_j - g_{j-1})$, which telescopes.",
    not_shown=_LEVEL_AS_STATED,
)

D2_SECOND_MOMENT = D2_MEAN.part(
    "D2, second moment",
    "The second moment of the estimator, exactly",
    statement=(
        r"$$E|g|^2 = E|g_m|^2 - E|g_m - g_0|^2 + \sum_{j=1}^m 2^j E|g_j - g_{j-1}|^2$$ "
        f"for {ESTIMATOR}, from each starting state"
    ),
    metric=r"E[|g|^2 \mid Z_0 = z]",
    proof=(
        r"$E|g - g_0|^2 = \sum_{j \le m} 2^j E|g_j - g_{j-1}|^2$, and $E \langle g, g_0 \rangle = "
        r"E \langle g_m, g_0 \rangle$ by telescoping."
    ),
)

D2_SAMPLED = D2_MEAN.part(
    "D2, single estimates",
    "Mean, second moment and cost of single estimates",
    source="lemma on the multilevel estimator; the identities that D2 is derived from",
    statement=(
        r"$E[g \mid Z_0 = z]$, $E[g^2 \mid Z_0 = z]$ and the mean number of samples, "
        r"$(m + 2^{-m}) B$, are what dynamic programming along the chain says"
    ),
    assumptions=(Assumption("$P(J = j) = 2^{-j}$, apart from the chain"),),
    metric=r"E g,\ E g^2,\ E N",
    proof="D2, mean and second moment; the cost is a sum over the levels.",
    not_shown="Nothing about rates.",
)

ALL_ELSE_FIXED = Assumption("all else fixed")
_ONE_MEMORY = "Other chains: this one's memory is one exponential."

D2_BIAS_BATCH_LAW = D2_BIAS.part(
    "D2, bias against batch",
    "The bias falls like the longest batch",
    source="how D2 depends on one constant, measured",
    statement=r"$\sup_z |E[g \mid Z_0 = z]| \propto (2^m B)^{-1}$ for $2^m B \ge 4\tau$",
    assumptions=(ALL_ELSE_FIXED,),
    metric=r"\sup_z |E g|",
    side="law",
    formula=None,
    proof=(
        r"With $Q^k h = \lambda^k h$ it is $s\lambda (1 - \lambda^n) / ((1-\lambda) n)$, $n = 2^m "
        "B$."
    ),
    not_shown=_ONE_MEMORY,
)

D2_BIAS_TAU_LAW = D2_BIAS_BATCH_LAW.part(
    "D2, bias against mixing time",
    "The bias grows like the mixing time",
    statement=(
        r"$\sup_z |E[g \mid Z_0 = z]| \propto \tau$; exactly $s\lambda / ((1 - \lambda) 2^m B)$ "
        r"with $\lambda = 4^{-1/\tau}$, about $0.721\, \tau s / (2^m B)$"
    ),
)

D2_VARIANCE_TAU_LAW = D2_BIAS_BATCH_LAW.part(
    "D2, variance against mixing time",
    "The variance grows like the mixing time",
    statement=r"$E|g|^2 \propto \tau$, about $1.443\, \tau s^2 v_m / B$ for $B \ge 32 \tau$",
    metric=r"E|g|^2",
    proof=r"The long-run variance is $s^2 (1+\lambda)/(1-\lambda)$, about $\tau s^2 / \ln 2$.",
)

D2_VARIANCE_LEVELS_LAW = D2_VARIANCE_TAU_LAW.part(
    "D2, variance against levels",
    "The variance grows like the number of levels",
    statement=r"$E|g|^2 \propto v_m = m - 1 + 2^{1-m}$ for $B \ge 32\tau$",
)

# --- The methods: what their theorems assume ---

SMOOTH = Assumption(r"$f$ $L$-smooth")
POLYAK_LOJASIEWICZ = Assumption(r"$f$ $L$-smooth, $|\nabla f|^2 \ge 2\mu(f - f^*)$")
STRONGLY_CONVEX = Assumption(r"$f$ $L$-smooth, $\mu$-strongly convex")
NOISE = Assumption(
    r"$|\nabla F(x, z) - \nabla f(x)|^2 \le \sigma^2 + \delta^2 |\nabla f(x)|^2$ for each state $z$"
)
MIXING = Assumption(r"mixing time $\tau$; any state of the chain before the first step")
FACTORS = (
    r"$V = \frac{10}{3} \frac\tau B (m - 1 + 2^{1-m})$ and $b = \frac{25}{9} \frac{\tau^2}{4^m "
    r"B^2}$ of D2"
)

_ESTIMATES = Assumption(
    r"given all before it $|E g - \nabla f|^2 \le b s^2$ and $E|g - \nabla f|^2 \le V s^2$, "
    r"$s^2 = \sigma^2 + \delta^2 |\nabla f|^2$"
)
_WHATEVER = "$V$ and $b$ of the estimates, whatever they are"
_OF_ANY = {
    "proof": "The theorem's: it uses no more of the estimates.",
    "not_shown": "That the multilevel estimate has these V and b: D2 says that.",
}

# --- Randomized gradient descent: x^{k+1} = x^k - gamma g^k ---

_A_AND_C = rf"$A = b + \gamma L V$, $c = 1 - \delta^2 A$, {FACTORS}"

D3 = Theorem(
    label="D3",
    title="The mean squared gradient over a run of randomized GD",
    paper=PAPER,
    source="theorem on randomized GD, non-convex; explicit form D3",
    algorithm="randomized_gd",
    statement=(
        r"$$\frac1N \sum_{k<N} E|\nabla f(x^k)|^2 \le \frac{2(f(x^0) - f^*)}{c \gamma N} + "
        rf"\frac{{\sigma^2 A}}{{c}}$$ with {_A_AND_C}"
    ),
    assumptions=(
        SMOOTH,
        NOISE,
        MIXING,
        Assumption(r"$\gamma \le 1/L$ and $c > 0$"),
        Assumption(r"$N \ge 1$", lambda constants, k: bool(np.all(np.asarray(k) >= 1))),
    ),
    metric=r"\frac1N \sum_{k<N} E|\nabla f(x^k)|^2",
    output="all iterates",
    side="above",
    constants=Descent,
    formula=Descent.mean_squared_gradient,
    proof=(
        r"Smoothness, $|\langle \nabla f, e \rangle| \le \frac12 (|\nabla f|^2 + |e|^2)$ for $e = "
        r"E g - \nabla f$ and D2 give $E f(x^{k+1}) \le f(x^k) - \frac{c\gamma}2 |\nabla f(x^k)|^2 "
        r"+ \frac\gamma2 \sigma^2 A$. Sum."
    ),
    not_shown="Functions that are not convex: the sampled run has one.",
)

D3_POLYAK_LOJASIEWICZ = D3.part(
    "D3, Polyak-Lojasiewicz",
    "The linear rate of randomized GD without strong convexity",
    source="theorem on randomized GD, Polyak-Lojasiewicz; explicit form D3",
    statement=(
        r"$$E f(x^N) - f^* \le (1-R)^N (f(x^0) - f^*) + \left[1 - (1-R)^N\right] "
        rf"\frac{{\sigma^2 A}}{{2 c \mu}},\qquad R = c\gamma\mu$$ with {_A_AND_C}"
    ),
    assumptions=(
        POLYAK_LOJASIEWICZ,
        NOISE,
        MIXING,
        Assumption(r"$\gamma \le 1/L$ and $c > 0$"),
    ),
    metric=r"E f(x^N) - f^*",
    output="last iterate",
    constants=PolyakLojasiewicz,
    formula=PolyakLojasiewicz.suboptimality,
    proof=r"The step of D3 with $|\nabla f|^2 \ge 2 \mu (f - f^*)$, and a geometric series.",
    not_shown="How close the floor is: its own claim says that.",
)

D3_FLOOR = D3_POLYAK_LOJASIEWICZ.part(
    "D3, floor",
    "The noise floor without strong convexity",
    source="theorem on randomized GD, Polyak-Lojasiewicz; explicit form D3, large N",
    statement=(
        rf"{D3_POLYAK_LOJASIEWICZ.statement}; for large $N$ the second term, the floor, is all "
        "there is"
    ),
    not_shown=r"A quadratic's floor does not grow like $L/\mu$, as the bound does.",
)

D3_OF_ANY = D3.part(
    "D3, any estimates",
    "Randomized GD with the worst of all estimates",
    source="proof of the theorem on randomized GD, non-convex; explicit form D3",
    statement=D3.statement.replace(FACTORS, _WHATEVER),
    assumptions=(
        SMOOTH,
        _ESTIMATES,
        Assumption(r"$\gamma \le 1/L$ and $c > 0$"),
        Assumption(r"$N \ge 1$", lambda constants, k: bool(np.all(np.asarray(k) >= 1))),
    ),
    constants=DescentOfAny,
    formula=DescentOfAny.mean_squared_gradient,
    **_OF_ANY,
)

D3A = Theorem(
    label="D3a",
    title="The linear rate of randomized GD in the distance",
    paper=PAPER,
    source="theorem on randomized GD, strongly convex; explicit form D3a",
    algorithm="randomized_gd",
    statement=(
        r"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2 + \left[1 - (1-R)^N\right] "
        r"\frac{\sigma^2 W}{R}, \quad W = \gamma^2 V + \frac{\gamma b}{\mu}, \quad R = \gamma\mu - "
        rf"\delta^2 L^2 W$$ with {FACTORS}"
    ),
    assumptions=(
        STRONGLY_CONVEX,
        NOISE,
        MIXING,
        Assumption(r"$\gamma \le 2/(L + \mu)$ and $R > 0$"),
    ),
    metric=r"E|x^N - x^*|^2",
    output="last iterate",
    side="above",
    constants=StronglyConvex,
    formula=StronglyConvex.distance,
    proof=(
        r"$u = x - \gamma \nabla f(x) - x^*$ has $|u| \le (1-\gamma\mu)|x - x^*|$, and $E|u - "
        r"\gamma(g - \nabla f)|^2 \le (1+\gamma\mu)|u|^2 + \frac\gamma\mu |e|^2 + \gamma^2 V s^2$ "
        r"with $(1+\gamma\mu)(1-\gamma\mu)^2 \le 1 - \gamma\mu$; D2 for $e$, $s^2 \le \sigma^2 + "
        r"\delta^2 L^2 |x - x^*|^2$."
    ),
    not_shown="How close the floor is: its own claim says that.",
)

D3A_FLOOR = D3A.part(
    "D3a, floor",
    "The noise floor in the distance",
    source="theorem on randomized GD, strongly convex; explicit form D3a, large N",
    statement=(
        rf"{D3A.statement}; for large $N$ and additive noise this is $\frac{{\sigma^2}}{{\mu^2}} "
        r"(\gamma\mu V + b)$"
    ),
    not_shown=r"Noise in other directions than that of $\mu$, where the bound is slacker.",
)

D3A_OF_ANY = D3A.part(
    "D3a, any estimates",
    "Randomized GD in the distance with the worst of all estimates",
    source="proof of the theorem on randomized GD, strongly convex; explicit form D3a",
    statement=D3A.statement.replace(FACTORS, _WHATEVER),
    assumptions=(
        STRONGLY_CONVEX,
        _ESTIMATES,
        Assumption(r"$\gamma \le 2/(L + \mu)$ and $R > 0$"),
    ),
    constants=DistanceOfAny,
    formula=DistanceOfAny.distance,
    **_OF_ANY,
)

_RUNS = {
    "source": "the exact recursion of the moments, with which the bounds are compared",
    "statement": (
        "The mean over runs of the shipped code is the exact expectation with which the "
        r"theorem is compared elsewhere: $E|x^N - x^*|^2$ from the recursion of $E[(x - x^*)"
        r"(x - x^*)'; Z = z]$"
    ),
    "assumptions": (
        Assumption("affine gradients"),
        Assumption("the chain starts from its stationary law"),
    ),
    "metric": r"E|x^N - x^*|^2",
    "side": "equal",
    "formula": None,
    "proof": "The moments of an affine map of the moments, summed over levels and states.",
    "not_shown": "Noise that grows with the distance, whose mean is heavy-tailed.",
}

D3A_RUNS = D3A.part("D3a, runs", "Runs of randomized GD, sampled and exact", **_RUNS)

D3A_SAMPLES_LAW = D3A.part(
    "D3a, samples",
    "Samples to a given accuracy grow like the mixing time",
    source="how D3a depends on one constant, measured",
    statement=r"Samples until $E|x - x^*|^2 \le \epsilon$ with $B = \tau$: $\propto \tau$",
    assumptions=(ALL_ELSE_FIXED,),
    metric=r"T_\epsilon(\tau)",
    unit="sample",
    side="law",
    formula=None,
    proof=r"With $B = \tau$ neither $V$ nor $b$ depends on $\tau$, and a step costs $c_m \tau$.",
    not_shown="An exponent within 0.15 of 1, not the exponent itself.",
)

# --- Randomized accelerated gradient descent ---

D4 = Theorem(
    label="D4",
    title="The accelerated linear rate",
    paper=PAPER,
    source="theorem on randomized accelerated GD; explicit form D4",
    algorithm="randomized_accelerated_gd",
    statement=(
        r"$$E\Phi_N \le (1 - R)^N \Phi_0 + \left[1 - (1-R)^N\right] \frac{3\sqrt3\, \gamma^{1/2}}"
        r"{\mu^{3/2}} \sigma^2 \left[p(1 + \gamma L) V + (4 + \eta) b\right],\quad R = "
        r"p\sqrt{\mu\gamma/3}$$ with $\Phi_k = |x^k - x^*|^2 + \frac6\mu (f(x_f^k) - f^*)$, $\eta "
        rf"= \sqrt{{3/(\mu\gamma)}}$, {FACTORS}"
    ),
    assumptions=(
        STRONGLY_CONVEX,
        NOISE,
        MIXING,
        Assumption(r"$\gamma \le 3/(4L)$, $0 < p \le 1$"),
        Assumption(r"(C): $p(1 + \gamma L)(1 + \delta^2 V) + (4 + \eta) \delta^2 b \le 7/4$"),
    ),
    metric=r"E\Phi_N",
    output="last iterates",
    side="above",
    constants=Accelerated,
    formula=Accelerated.potential,
    proof="docs/theory/markovian_noise.md, D4: one step shrinks $E\\Phi$ by $1 - \\beta/2$.",
    not_shown="The true rate, which is about three times the guaranteed one.",
)

D4_OF_ANY = D4.part(
    "D4, any estimates",
    "Randomized accelerated GD with the worst of all estimates",
    source="proof of the theorem on randomized accelerated GD; explicit form D4",
    statement=D4.statement.replace(FACTORS, _WHATEVER),
    assumptions=(
        STRONGLY_CONVEX,
        _ESTIMATES,
        Assumption(r"$\gamma \le 3/(4L)$, $0 < p \le 1$"),
        Assumption(r"(C): $p(1 + \gamma L)(1 + \delta^2 V) + (4 + \eta) \delta^2 b \le 7/4$"),
    ),
    constants=AcceleratedOfAny,
    formula=AcceleratedOfAny.potential,
    **_OF_ANY,
)

D4_FLOOR = D4.part(
    "D4, floor",
    "The noise floor of the accelerated method",
    source="theorem on randomized accelerated GD; explicit form D4, large N",
    statement=f"{D4.statement}; for large $N$ the second term, the floor, is all there is",
    not_shown=r"Noise in other directions than that of $\mu$, where the bound is slacker.",
)

D4_RUNS = D4.part(
    "D4, runs",
    "Runs of randomized accelerated GD, sampled and exact",
    output="x_f",
    **_RUNS,
)

D4_FLOOR_STEP_LAW = D4.part(
    "D4, floors against step",
    "The floors grow like the step, and like its root when accelerated",
    source="how D3a and D4 depend on one constant, measured",
    algorithm="randomized_gd",
    statement=(
        r"$\lim_N E|x^N - x^*|^2 \propto \gamma$ for randomized GD, $\lim_N E\Phi_N \propto "
        r"\gamma^{1/2}$ for the accelerated method"
    ),
    assumptions=(ALL_ELSE_FIXED,),
    metric=r"E|x - x^*|^2,\ E\Phi",
    output="last iterate",
    side="law",
    formula=None,
    proof="The floors of D3a and D4 where the bias is small.",
    not_shown=_ONE_MEMORY,
)

D4_FLOOR_TAU_LAW = D4_FLOOR_STEP_LAW.part(
    "D4, floors against mixing time",
    "The floors grow like the mixing time",
    statement=r"$\lim_N E|x^N - x^*|^2 \propto \tau$ and $\lim_N E\Phi_N \propto \tau$",
)

D4_FLOOR_BATCH_LAW = D4_FLOOR_STEP_LAW.part(
    "D4, floors against batch",
    "The floors fall like the batch",
    statement=r"$\lim_N E|x^N - x^*|^2 \propto B^{-1}$ and $\lim_N E\Phi_N \propto B^{-1}$",
)

D4_CONDITION_NUMBER_LAW = D4_FLOOR_STEP_LAW.part(
    "D4, iterations against condition number",
    "Iterations grow like the root of the condition number when accelerated",
    algorithm="randomized_accelerated_gd",
    statement=(
        r"Iterations until $E|x^k - x^*|^2 \le 10^{-6} |x^0 - x^*|^2$: $\propto \kappa$ for "
        r"randomized GD, $\propto \sqrt\kappa$ for the accelerated method"
    ),
    metric=r"N_\epsilon(\kappa)",
    proof=r"The rates of D3a at $\gamma$ fixed and of D4 at $\gamma = 3/(4L)$.",
    not_shown=r"Samples: there the accelerated method wins only for much larger $\kappa$.",
)

# --- Randomized extragradient ---

D5 = Theorem(
    label="D5",
    title="The linear rate of randomized extragradient",
    paper=PAPER,
    source="theorem on randomized extragradient; explicit form D5",
    algorithm="randomized_extragradient",
    statement=(
        r"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2 + \left[1 - (1-R)^N\right] "
        r"\frac{\sigma^2}{R} \left[3\gamma^2 (V + V_0) + \frac{2\gamma b}{\mu}\right],\quad R = "
        r"\frac{\gamma\mu}2 - 3\gamma^2 V_0 \Delta^2$$ with $V_0 = \frac{10}{3} \tau/B_0$ for the "
        rf"plain batch of the first half and, for the second, {FACTORS}"
    ),
    assumptions=(
        Assumption(r"$F$ $L$-Lipschitz, $\mu$-strongly monotone; $r$ convex"),
        Assumption(r"$|F(x, z) - F(x)|^2 \le \sigma^2 + \Delta^2 |x - x^*|^2$ for each state $z$"),
        MIXING,
        Assumption(
            r"$\gamma \le 1/(\sqrt6 L)$, $\Delta^2 (3\gamma^2 V + 2\gamma b/\mu) \le \gamma\mu/2$, "
            "$R > 0$"
        ),
    ),
    metric=r"E|x^N - x^*|^2",
    output="last iterate",
    side="above",
    constants=Extragradient,
    formula=Extragradient.distance,
    proof="docs/theory/markovian_noise.md, D5: two prox inequalities and strong monotonicity.",
    not_shown="Constraints: here $r = 0$.",
)

D5_OF_ANY = D5.part(
    "D5, any estimates",
    "Randomized extragradient with the worst of all estimates",
    source="proof of the theorem on randomized extragradient; explicit form D5",
    statement=(
        r"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2 + \left[1 - (1-R)^N\right] "
        r"\frac{\sigma^2}{R} \left[3\gamma^2 (V + V_0) + \frac{2\gamma b}{\mu}\right],\quad R = "
        r"\frac{\gamma\mu}2 - 3\gamma^2 V_0 \Delta^2$$ whatever the estimates, $V_0$ that of the "
        "first half of a step"
    ),
    assumptions=(
        Assumption(r"$F$ $L$-Lipschitz, $\mu$-strongly monotone; $r$ convex"),
        Assumption(
            r"given all before it $|E g - F|^2 \le b s^2$ and $E|g - F|^2 \le V s^2$, in the first "
            r"half $V_0 s^2$; $s^2 = \sigma^2 + \Delta^2 |x - x^*|^2$"
        ),
        Assumption(
            r"$\gamma \le 1/(\sqrt6 L)$, $\Delta^2 (3\gamma^2 V + 2\gamma b/\mu) \le \gamma\mu/2$, "
            "$R > 0$"
        ),
    ),
    constants=ExtragradientOfAny,
    formula=ExtragradientOfAny.distance,
    **_OF_ANY,
)

D5_FLOOR = D5.part(
    "D5, floor",
    "The noise floor of extragradient",
    source="theorem on randomized extragradient; explicit form D5, large N",
    statement=f"{D5.statement}; for large $N$ the second term, the floor, is all there is",
    not_shown="A close floor: the proof's constants cost a factor of 30.",
)

D5_RUNS = D5.part("D5, runs", "Runs of randomized extragradient, sampled and exact", **_RUNS)

# --- From below ---

D6 = Theorem(
    label="D6",
    title="One coordinate a switch, on every path",
    paper=PAPER,
    source="lower bound, term with the condition number; explicit form, finite dimension",
    algorithm="randomized_gd",
    statement=(
        r"$$\frac{|x_T - x^*|^2}{|x^*|^2} \ge \frac{(\rho^{2(N + 1)} - \rho^{2d})_+}{1 - "
        r"\rho^{2d}},\qquad \rho = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1},$$ where $N$ "
        "counts the switches of the chain up to sample $T$"
    ),
    assumptions=(
        Assumption("Nesterov's chain, odd and even coordinates shown by two states in turn"),
        Assumption("a start at 0 and steps in the span of the gradients seen"),
    ),
    metric=r"\text{ratio of error to bound}",
    output="last iterate",
    unit="sample",
    side="below",
    constants=Switches,
    formula=Switches.distance,
    proof=(
        r"A gradient couples neighbours only, so that every switch makes at most one more "
        r"coordinate differ from 0; $x_i^* = \rho^i$, and the rest of $x^*$ is missing."
    ),
    not_shown="Methods that leave the span of the gradients.",
)

D7 = Theorem(
    label="D7",
    title="No method averages the noise faster than the chain mixes",
    paper=PAPER,
    source="lower bound, noise term; explicit form by Le Cam's two points",
    algorithm="randomized_gd",
    statement=(
        r"$$\max_{v = \pm 1} E(x_T - x_v^*)^2 \ge \frac{s^2}{9 \mu^2 n}, \qquad n = 1 + (T - 1)"
        r"(1 - 4^{-1/\tau})$$"
    ),
    assumptions=(
        Assumption(
            r"$f_v(x) = \frac\mu2 x^2 - v s \epsilon x$ seen through $\mu x - s Z$, $Z = \pm 1$ "
            r"along lazy resampling with mean $v\epsilon$, $\epsilon^2 = 1/(4.5 n)$"
        ),
        Assumption("any method that is given $T$ samples"),
    ),
    metric=r"\max_v E(x_T - x_v^*)^2",
    output="last iterate",
    unit="sample",
    side="below",
    constants=SignTest,
    formula=SignTest.mean_square,
    proof=(
        r"The two laws of $T$ samples have a divergence of at most $2.25\, n \epsilon^2 = 1/2$; Le "
        r"Cam's two points at the distance $2 s \epsilon/\mu$."
    ),
    not_shown="That the constant is the best: the mean of all samples lies 18 times above.",
)
