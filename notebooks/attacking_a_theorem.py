# %% [markdown] slideshow={"slide_type": "slide"}
# # From a slip to the instance that shows it
#
# A theorem bounds a method on *every* instance of a class. Whoever tests it on one of them learns
# whether it holds there. What if the instance is too easy? A search for harder ones answers two
# questions of an author at once: is the theorem right, and is it tight?
#
# ## What you will learn
#
# - why a wrong theorem can be CONSISTENT on any amount of easy data;
# - to describe a *family* of instances in ten lines, so that a search can vary its numbers;
# - to let the search find the instance that breaks a theorem, and to read what it found;
# - to tell a trivial instance, which attains a bound and tests nothing of it, from a hard one.
#
# You need to know what a step size is, and part 5 of "How to test a theorem".

# %%
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from optzoo import plots
from optzoo.problems import Quadratics
from optzoo.theorems import Constants, Paper, Theorem, constant
from theory_checks.checks import ExactInequality
from theory_checks.claim import Case
from theory_checks.setting import Stated, chosen
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case.attack import InstanceFamily, OneOf, Real
from theory_checks.worst_case.attack.search import Search

jax.config.update("jax_enable_x64", True)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1. A theorem with a slip
#
# Stochastic gradient descent on $f = \frac1n \sum_i f_i$ takes the gradient of one $f_i$ a step.
# Let every $f_i$ be convex with its minimum at $x^\star$, and $f$ $\mu$-strongly convex. An
# author writes down:
#
# **Theorem.** If $\eta \le 1/L$, where $f$ is $L$-smooth, then
# $E|x^k - x^\star|^2 \le (1 - \eta\mu)^k\, |x^0 - x^\star|^2$.
#
# *"Proof."* $E|x^{k+1} - x^\star|^2 = |x^k - x^\star|^2 - 2\eta \langle \nabla f(x^k), x^k -
# x^\star\rangle + \eta^2 E|\nabla f_i(x^k)|^2$, and $E|\nabla f_i(x)|^2 \le L \langle \nabla f(x),
# x - x^\star \rangle$ by smoothness.
#
# The last inequality is the slip: it needs the smoothness of the *single* functions, $L_{\max}$,
# which may be $n$ times as large.

# %%
PAPER = Paper("an example")


@dataclass(frozen=True, kw_only=True)
class Rate(Constants):
    mu: float = constant(r"$f$ is $\mu$-strongly convex", weakens="down", positive=True)
    R: float = constant(r"$|x^0 - x^\star|$", weakens="up")
    eta: float = constant("step", weakens=None, positive=True)

    def squared_distance(self, k):
        return (1 - self.eta * self.mu) ** np.asarray(k) * self.R**2


THEOREM = Theorem(
    label="T",
    title="Stochastic gradient descent forgets its start",
    paper=PAPER,
    source="the text above",
    algorithm="sgd",
    statement=r"$$E|x^k - x^\star|^2 \le (1 - \eta\mu)^k |x^0 - x^\star|^2$$",
    assumptions=(),
    metric=r"E|x^k - x^\star|^2",
    output="last iterate",
    side="above",
    constants=Rate,
    formula=Rate.squared_distance,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2. An instance that is too easy
#
# On the line, $f_i(x) = a_i x^2 / 2$. Each factor $1 - \eta a_i$ is drawn anew, so the
# expectation is exact, with no simulation at all: $E|x^k|^2 = \bigl(\frac1n \sum_i (1 - \eta
# a_i)^2\bigr)^k |x^0|^2$. The shipped code of `optax.sgd` says the factors.

# %%
STEPS = np.arange(1, 6)


def factor(eta, curvature):
    """What a step of optax.sgd multiplies x by."""
    method = optax.sgd(eta)
    x = jnp.ones(1)
    updates, _ = method.update(curvature * x, method.init(x), x)
    return float(optax.apply_updates(x, updates)[0])


def on_the_line(theorem, curvatures, share):
    """The theorem on f_i(x) = a_i x^2 / 2 from x^0 = 1, with the step share / L."""
    problem = Quadratics(np.reshape(curvatures, (-1, 1, 1)), np.zeros((len(curvatures), 1)))
    L, mu = (problem.constants[name].value for name in ("L", "mu"))
    eta = share / L
    setting = Stated(f"{len(curvatures)} parabolas", chosen(mu=mu, R=1.0, eta=eta))
    mean = np.mean([factor(eta, a) ** 2 for a in curvatures])
    return Case(
        setting, ExactInequality(lambda: (mean**STEPS, lambda: setting.bound(theorem, STEPS)))
    )


laboratory = Laboratory()
easy = on_the_line(THEOREM, [1.2, 1.0, 0.9, 0.9], share=0.8).check.run(laboratory)
print(easy.verdict, "-", easy.decided)
assert easy.verdict == "CONSISTENT"

# %% [markdown] slideshow={"slide_type": "slide"}
# CONSISTENT, and it would be so on a million such instances: where all $f_i$ are about equally
# curved, $L$ and $L_{\max}$ are about the same, and the slip changes nothing.
#
# ## 3. A family
#
# A family says what may vary, in which range, and which case comes of it. What changes the shape of
# arrays (here $n$) is a choice; all else are numbers. The assumptions hold by construction: any
# curvatures that are not negative will do.

# %%
CURVATURE = Real(0.01, 1.0, log=True)


def parabolas(theorem, n, curvature, others, share):
    return on_the_line(theorem, [curvature, *[others] * (n - 1)], share)


FAMILY = InstanceFamily(
    "parabolas",
    parabolas,
    {
        "n": OneOf(2, 4, 8),
        "curvature": CURVATURE,
        "others": CURVATURE,
        "share": Real(0.1, 1.0),
    },
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4. The search
#
# CMA-ES varies the numbers, restarts vary the choices. What is maximized is the *ratio* $\max_k
# m_k / B_k$ of measurement and bound, or the *share* of a constant: one over the factor by which
# the constant could be better before the instance shows it. Above 1 either of them says that the
# theorem is violated.

# %%
search = Search(THEOREM, [FAMILY], seed=0)
search.run(30.0)
candidate, finding = search.refuted
print(f"after {search.evaluations} instances: {finding.verdict} - {finding.decided}")
print({name: round(value, 3) for name, value in candidate.parameters.items()})
assert finding.verdict == "REFUTED"

# %% [markdown]
# The parameters explain themselves: the functions are curved very differently, so that the step,
# which is right for their mean, is too long for the one and too short for the other. Draw it.

# %% slideshow={"slide_type": "subslide"}
found = candidate.parameters
x = np.linspace(-1, 1, 41)
mean = (found["curvature"] + (found["n"] - 1) * found["others"]) / found["n"]
with plots.style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.2))
    plots.line_instance(
        left,
        x,
        {"f'": mean * x, "f_1'": found["curvature"] * x, "the others'": found["others"] * x},
        start=1.0,
    )
    left.set_xlabel("x")
    left.legend()
    case = FAMILY.case(THEOREM, found)
    measured, _ = case.check.means(laboratory, None)
    right.plot(STEPS, measured, "o-", color=plots.COLOURS["mean"], label="exact")
    bound = case.check.says(laboratory, None)
    right.plot(STEPS, bound, "--", color=plots.COLOURS["bound"], label="theorem")
    right.set_xlabel("step k")
    right.set_ylim(bottom=0)
    right.legend()
    figure.tight_layout()
    plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Exercise 1: the smallest $n$
#
# Is $n = 2$ enough to break the theorem? Compute the mean factor for $a = (2, 0)$ and $\eta = 1/L$,
# and for $n = 4$.

# %% [markdown] tags=["solution"]
# ### Solution

# %% tags=["solution"]
for n in (2, 3, 4):
    curvatures = np.array([float(n)] + [0.0] * (n - 1))  # L = mu = 1 on the line
    factors = np.mean((1 - curvatures) ** 2)
    print(f"n = {n}: E|x^1|^2 = {factors:.3g}, the theorem says 0")
    assert factors > 0

# %% [markdown] tags=["solution"]
# Already for $n = 2$: the theorem says that one step ends at the minimum, and it does so only if
# all $f_i$ agree.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5. Mended, and attacked again
#
# With $\eta \le 1/L_{\max}$ the proof holds. Now the search has nothing to break; what it reports
# is how tight the theorem is.

# %%
NAME = "parabolas, careful"


def careful(theorem, n, curvature, others, share):
    curvatures = [curvature, *[others] * (n - 1)]
    # The same family, with steps in units of 1 / L_max.
    return on_the_line(theorem, curvatures, share * np.mean(curvatures) / max(curvatures))


MENDED = replace(FAMILY, name=NAME, make=careful)
again = Search(THEOREM, [MENDED], seed=0)
again.run(3.0)
hardest = again.hardest("ratio")
print(f"{again.evaluations} instances, largest ratio {hardest.scores['ratio']:.6f}")
print({name: round(value, 3) for name, value in hardest.parameters.items()})
assert again.refuted is None
assert 0.9 < hardest.scores["ratio"] <= 1 + 1e-9

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Exercise 2: tight, or trivial?
#
# The largest ratio is nearly 1. Does that instance test the rate $\mu$? Look at its step, and at
# what is left of the bound for an even shorter one. Which number of the search tells?

# %% [markdown] tags=["solution"]
# ### Solution

# %% tags=["solution"]
still = {"n": 2, "curvature": 0.5, "others": 0.5, "share": 1e-3}
(seen,) = again.look(MENDED, [still], key=0)
print("a step of nearly 0:", {name: round(value, 4) for name, value in seen.scores.items()})
assert seen.scores["ratio"] > 0.995  # attained ...
assert seen.scores["mu"] < 0.6  # ... and half of the rate would have done as well

# %% [markdown] tags=["solution"]
# Whoever does not move attains the bound: both sides are $|x^0|^2$. A ratio near 1 is worth nothing
# where the constants have no part in it. `theory-checks attack` therefore reports the share of each
# constant beside the ratio, and searches for each in turn.
#
# On the command line all of this is `theory-checks attack ID --claims FILE`, where the claim names
# its families, `Claim(..., families=(FAMILY,))`. The folder it leaves has the instances
# (`hardest.py` runs them again), the path of the search and its pictures.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What may not be concluded
#
# - That a theorem which survives is right: the search says how much was tried, in which families.
#   Our mended theorem was attacked on parabolas alone.
# - That the hardest instance found is the hardest there is. For deterministic methods with fixed
#   steps the exact worst case over all functions can be computed; a search gives a bound from
#   below.
# - Anything from the value that was optimized, where runs are sampled: a search picks the lucky
#   ones. What is reported comes from seeds that had no part in the choice.
