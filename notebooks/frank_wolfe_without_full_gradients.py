# %% [markdown] slideshow={"slide_type": "slide"}
# # Frank-Wolfe without full gradients
#
# **What you will learn**
#
# 1. What a linear minimization oracle does, and why a method that uses it never projects.
# 2. Why minibatch gradients make plain Frank-Wolfe stall, and how Sarah Frank-Wolfe estimates the
#    gradient instead.
# 3. How large the error of that estimate is, exactly.
# 4. How to count fairly (gradients of single samples), and how the Frank-Wolfe gap certifies an
#    answer without knowing the optimum.
#
# You need gradients, convexity and expectations. The paper is Beznosikov, Dobre, Gidel, ICML 2024,
# arXiv:2304.11737.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import load_digits

import optzoo
from optzoo import plots, problems

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One step of the oracle
#
# The task is to minimize $f$ over a convex set $C$. The oracle of $C$ minimizes a linear function:
#
# $$s = \mathrm{LMO}(g) = \arg\min_{c \in C} \langle g, c \rangle.$$
#
# Frank-Wolfe asks it for the gradient at $x$ and walks a part $\eta$ of the way to the answer,
# $x^+ = x + \eta (s - x)$. Both ends lie in $C$, so the whole segment does: no projection is
# needed. On a polytope the answer is a vertex. On the $\ell_1$ ball of radius $R$ that is $\pm R$
# on one coordinate, so $k$ steps from zero touch at most $k$ coordinates.

# %% slideshow={"slide_type": "subslide"}
point, gradient = np.array([0.35, 0.4]), np.array([0.9, 0.55])
turns = np.linspace(0.0, 2.0 * np.pi, 200)
sets = {
    r"$\ell_1$ ball": (optzoo.lmo.l1_ball(1.0), np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])),
    r"$\ell_2$ ball": (optzoo.lmo.l2_ball(1.0), np.stack([np.cos(turns), np.sin(turns)], axis=1)),
}
with plots.style():
    figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.0), sharey=True)
    for ax, (name, (constraint, boundary)) in zip(axes, sets.items(), strict=True):
        vertex = np.asarray(constraint.lmo(jnp.asarray(gradient)))
        plots.oracle_step(ax, boundary, point, gradient, vertex, step=0.4)
        ax.set_title(name)
    axes[0].legend(loc="lower left")
    figure.tight_layout()
    plt.show()

assert np.allclose(optzoo.lmo.l1_ball(1.0).lmo(jnp.asarray(gradient)), [-1.0, 0.0])

# %% [markdown] slideshow={"slide_type": "slide"}
# The step does not go along $-g$. On the $\ell_1$ ball only the largest entry of the gradient
# matters: a small error of $g$ may change nothing, or send the step to another corner.
#
# ## The task
#
# Is a digit even or odd? Scikit-learn ships $n = 1797$ images of 64 pixels. We fit a logistic
# regression over the $\ell_1$ ball of radius 10:
#
# $$f(x) = \frac1n \sum_{i=1}^n \log(1 + e^{-y_i \langle a_i, x \rangle}).$$
#
# This loss is convex. Its minimum over the ball can be computed to many digits; we use it to look
# at the methods, never inside them.

# %%
RADIUS, STEPS, SEEDS = 10.0, 1000, 10
ball = optzoo.lmo.l1_ball(RADIUS)
images, digits = load_digits(return_X_y=True)
features, labels = images / 16.0, np.where(digits % 2 == 0, 1.0, -1.0)
problem = problems.LogisticRegression(features.astype(np.float32), labels.astype(np.float32))
n, d = features.shape
assert (n, d) == (1797, 64)

with jax.enable_x64(True):
    optimum = problems.minimize_over(problems.LogisticRegression(features, labels), ball)
print(f"minimum {optimum.value:.9f}, certified to {optimum.width:.0e}")
assert optimum.width < 1e-9

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Three gradients
#
# All three methods take the step above with $\eta_k = 2/(k + 2)$. They differ in $g^k$:
#
# - **full**: $g^k = \nabla f(x^k)$, which costs $n$ gradients of single samples a step.
# - **plain stochastic**: $g^k = \nabla f_S(x^k)$, the mean over a fresh minibatch $S$.
# - **Sarah**: with probability $p$ the full gradient, and otherwise
#   $g^k = g^{k-1} + \nabla f_S(x^k) - \nabla f_S(x^{k-1})$ with a fresh minibatch $S$ of $b$
#   samples, which costs $2b$.
#
# The correction in Sarah is small where the step is small. The noise of a plain minibatch is not.
#
# We take $b = 42$, about $\sqrt n$, and $p = b/(n + b)$. Sarah then costs
# $pn + 2(1 - p)b$, about 123 gradients a step. The plain method gets $3b = 126$ samples a step.
#
# The program below also records what a user would not compute: the error $|g^k - \nabla f(x^k)|^2$,
# the gap, and the spread of the corrections, $V_k$, which is explained further down. Full gradients
# are Sarah's with $p = 1$.

# %%
b = 42
p = b / (n + b)
cost = p * n + 2 * (1 - p) * b
assert abs(b - n**0.5) < 1
assert round(cost) == 123
assert round(1 / p) == 44


def batch_of(key, size):
    return jax.random.randint(key, (size,), 0, n, jnp.int32)


def observe(x, estimate):
    """Suboptimality is seen later; here f, the gap and the error of the estimate."""
    full = problem.gradient(x)
    gap = optzoo.frank_wolfe_gap(ball, full, x)
    return {"value": problem.value(x), "gap": gap, "error": jnp.sum((estimate - full) ** 2)}


squared_norms = jnp.asarray(np.sum(features**2, axis=1), jnp.float32)


def spread(x, y):
    """V: the variance over i of grad f_i(x) - grad f_i(y), which is a multiple of the row a_i."""
    slopes = problem.sample_slopes(x, jnp.arange(n)) - problem.sample_slopes(y, jnp.arange(n))
    mean = problem.gradient(x) - problem.gradient(y)
    return jnp.mean(slopes**2 * squared_norms) - jnp.sum(mean**2)


def sarah(probability, key):
    coin_key, batch_key = jax.random.split(key)
    method = optzoo.sarah_frank_wolfe(ball, optzoo.open_loop_schedule(), probability, key=coin_key)

    def step(carry, key):
        x, state = carry
        batch = batch_of(key, b)
        updates, state = method.update(
            problem.batch_gradient(x, batch),
            state,
            x,
            grad_fn=lambda point: problem.batch_gradient(point, batch),
            full_grad_fn=problem.gradient,
        )
        new_x = optax.apply_updates(x, updates)
        gradients = n * state.restarts + 2 * b * (state.steps - state.restarts)
        return (new_x, state), (x, new_x, state.estimate, gradients)

    x = jnp.zeros(d, jnp.float32)
    carry, path = jax.lax.scan(step, (x, method.init(x)), jax.random.split(batch_key, STEPS))
    x, new_x, estimate, gradients = path  # all steps are observed together
    spreads = jax.vmap(spread)(new_x, x)
    return jax.vmap(observe)(x, estimate) | {"spread": spreads, "gradients": gradients}, carry[1]


def plain(key):
    method = optzoo.frank_wolfe(ball, optzoo.open_loop_schedule())

    def step(carry, key):
        x, state = carry
        estimate = problem.batch_gradient(x, batch_of(key, 3 * b))
        updates, state = method.update(estimate, state, x)
        return (optax.apply_updates(x, updates), state), (x, estimate)

    x = jnp.zeros(d, jnp.float32)
    _, path = jax.lax.scan(step, (x, method.init(x)), jax.random.split(key, STEPS))
    return jax.vmap(observe)(*path)


# One compiled program a method. Replicates run one after the other (lax.map): under vmap the rare
# full gradient would be computed in every step.
sarah_runs = jax.jit(lambda q, keys: jax.lax.map(lambda key: sarah(q, key), keys))
plain_runs = jax.jit(lambda keys: jax.lax.map(plain, keys))
keys = jax.random.split(jax.random.key(0), SEEDS)
seen, states = sarah_runs(p, keys)
seen = {name: np.asarray(values, np.float64) for name, values in seen.items()}
full, _ = sarah_runs(1.0, keys[:1])
full = {name: np.asarray(values[0], np.float64) for name, values in full.items()}
noisy = {name: np.asarray(values, np.float64) for name, values in plain_runs(keys).items()}

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Counted in gradients
#
# The axis counts gradients of single samples. The band is two standard errors of the mean over
# ten runs. Full gradients need no seeds.


# %% slideshow={"slide_type": "subslide"}
def curve(label, gradients, values):
    """Mean and band over runs, at 60 steps in equal ratios."""
    chosen = np.unique(np.geomspace(1, np.shape(values)[-1], 60).astype(int)) - 1
    values = np.atleast_2d(values)[:, chosen]
    found = {"label": label, "x": gradients[chosen], "mean": values.mean(axis=0)}
    if len(values) > 1:
        error = values.std(axis=0, ddof=1) / len(values) ** 0.5
        found |= {"lower": found["mean"] - 2 * error, "upper": found["mean"] + 2 * error}
    return found


k = np.arange(1, STEPS + 1)
BUDGET = 3 * b * STEPS
within = n * k <= BUDGET
counted = [
    curve("Sarah", seen["gradients"].mean(axis=0), seen["value"] - optimum.value),
    curve("full", n * k[within], (full["value"] - optimum.value)[within]),
    curve("plain stochastic", 3 * b * k, noisy["value"] - optimum.value),
]
with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.6))
    plots.side_by_side(ax, counted)
    ax.set_xlabel("gradients of single samples")
    ax.set_ylabel(r"$f(x^k) - f^\star$")
    ax.legend()
    plt.show()

last = {each["label"]: each["mean"][-1] for each in counted}
print("at the end:", {name: f"{value:.1e}" for name, value in last.items()})
assert last["Sarah"] < 0.5 * last["full"] < 0.5 * last["plain stochastic"]

# %% [markdown]
# For the first passes over the data the plain method is ahead: its gradients are rough, and that
# is enough. Then it flattens, and Sarah overtakes. At the end Sarah is more than twice as near to
# the minimum as full gradients at the same cost.
#
# Sarah's start is poor. The first steps are long ($\eta_0 = 1$), so the first corrections are
# noisy, and what they got wrong stays until the first restart, some $1/p \approx 44$ steps later.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How wrong is the estimate?
#
# Write $e_k = |g^k - \nabla f(x^k)|$ and let $V_k$ be the variance over the samples $i$ of the
# differences $d_i = \nabla f_i(x^{k+1}) - \nabla f_i(x^k)$, whose mean is $\bar d$.
#
# **Lemma 1.** Exactly,
#
# $$E e_{k+1}^2 = (1 - p) \left( E e_k^2 + \frac{E V_k}{b} \right).$$
#
# *Proof.* With probability $p$ a restart makes the error zero. Otherwise
#
# $$g^{k+1} - \nabla f(x^{k+1}) = \left( g^k - \nabla f(x^k) \right) + \frac1b \sum_{i \in S}
# (d_i - \bar d).$$
#
# The batch is drawn after $x^{k+1}$ is known. So, given all that came before, the $b$ terms of the
# sum are independent, of mean zero and mean square $V_k$. The cross term vanishes, and the mean
# square of their mean is $V_k / b$. ∎
#
# And $V_k \le L_\pm^2 |x^{k+1} - x^k|^2 \le L_\pm^2 D^2 \eta_k^2$, where $D = 20$ is the
# diameter of the ball and $L_\pm$ bounds how much the samples' Hessians differ. The problem hands
# it out with a certificate. With it the recursion becomes a bound: the error falls like the step.

# %% slideshow={"slide_type": "subslide"}
L_pm = problem.constants["L_pm"].value
D = float(ball.diameter(jnp.zeros(d)))
assert abs(D - 2 * RADIUS) < 1e-5
eta = 2.0 / (np.arange(STEPS) + 2.0)


def recursion(spread):
    """The error at steps 0, 1, ... for given V_0, V_1, ..."""
    errors = np.zeros(STEPS)
    for i in range(STEPS - 1):
        errors[i + 1] = (1 - p) * (errors[i] + spread[i] / b)
    return errors


exact = recursion(seen["spread"].mean(axis=0))
bound = recursion((L_pm * D * eta) ** 2)
measured = seen["error"].mean(axis=0)
with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.6))
    lines = {"Sarah": measured, "the identity": exact, "the bound": bound}
    lines["plain stochastic"] = noisy["error"].mean(axis=0)
    # The first estimate is a full gradient, without an error.
    plots.side_by_side(ax, [curve(name, k[1:], v[1:]) for name, v in lines.items()])
    ax.set_xlabel("step $k$")
    ax.set_ylabel(r"$E\, |g^k - \nabla f(x^k)|^2$")
    ax.legend()
    plt.show()

one_step = (1 - p) * (measured + seen["spread"].mean(axis=0) / b)[:-1]
ratio = measured[1:].sum() / one_step.sum()
print(f"measured / one step of the identity from the measured error before: {ratio:.3f}")
assert 0.93 < ratio < 1.07
assert 0.6 < measured.sum() / exact.sum() < 1.6
assert np.all(measured[1:] <= bound[1:])

# %% [markdown]
# The curve of the identity starts from zero and uses the measured $V_k$ alone. The measured error
# is a mean over ten runs, each with its own restarts, and wanders around it. From one step to the
# next the two agree within 7%. (`theory-checks run frank_wolfe/sarah` checks the identity itself,
# without sampling error.)

# %% [markdown]
# The plain method's error stays where it is: the noise of 126 samples does not know that the steps
# get short. That is where its curve above flattens.

# %%
tail = slice(STEPS // 2, None)
errors_late = {"Sarah": measured[tail].mean(), "plain": noisy["error"][:, tail].mean()}
print({name: f"{value:.1e}" for name, value in errors_late.items()})
assert errors_late["Sarah"] < 0.02 * errors_late["plain"]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The gap is a certificate
#
# The Frank-Wolfe gap costs one full gradient and one call of the oracle:
#
# $$G(x) = \max_{c \in C} \langle \nabla f(x), x - c \rangle.$$
#
# For convex $f$ it is at least $f(x) - f^\star$, so that $f(x) - G(x) \le f^\star \le f(x)$. The
# best pair of ends seen on a run is an interval that contains the minimum, and no one needed to
# know it.
#
# The gap is also what a step gains, if the gradient is right, and the error what it loses.
#
# **Lemma 2.** If $f$ is $L$-smooth, a step of size $\eta_k$ with the estimate $g^k$ has
#
# $$f(x^{k+1}) \le f(x^k) - \eta_k G(x^k) + \eta_k D e_k + \frac L2 D^2 \eta_k^2.$$
#
# *Proof.* Write $x$, $g$ and $s$ for $x^k$, $g^k$ and the oracle's answer to $g$, and let $v$ be
# its answer to $\nabla f(x)$. As $s$ is best for $g$, $\langle g, s \rangle \le \langle g, v
# \rangle$, and
#
# $$\langle \nabla f(x), s - x \rangle \le \langle g, v - x \rangle + \langle \nabla f(x) - g, s - x
# \rangle = \langle \nabla f(x), v - x \rangle + \langle \nabla f(x) - g, s - v \rangle \le -G(x) +
# D e_k.$$
#
# Smoothness gives $f(x + \eta_k (s - x)) \le f(x) + \eta_k \langle \nabla f(x), s - x \rangle +
# \frac L2 \eta_k^2 |s - x|^2$, and $|s - x| \le D$. ∎

# %% slideshow={"slide_type": "subslide"}
value, gap = seen["value"][0], seen["gap"][0]
lower, upper = np.max(value - gap), np.min(value)
print(f"from the run alone: {lower:.4f} <= minimum <= {upper:.4f}; it is {optimum.value:.4f}")
assert lower - 1e-6 <= optimum.value <= upper + 1e-6
assert np.all(gap >= value - optimum.value - 1e-6)

with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.6))
    pair = {r"gap $G(x^k)$": gap, r"$f(x^k) - f^\star$": value - optimum.value}
    plots.side_by_side(ax, [curve(name, k, values) for name, values in pair.items()])
    ax.set_xlabel("step $k$")
    ax.legend()
    plt.show()

# %% [markdown]
# The gap is not monotone and often many times too large. It is never too small.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: write the oracle
#
# Write the linear minimization oracle of the $\ell_1$ ball of radius $R$ in three lines of NumPy.
# Compare with `optzoo.lmo.l1_ball`. How would you check it without a second implementation?

# %% [markdown] tags=["solution"]
# ## Solution 1
#
# The least value of $\langle g, c \rangle$ is $-R \max_j |g_j|$ (Hölder). It is attained at $\mp R$
# on the largest entry. The value checks the answer.


# %% tags=["solution"]
def oracle(g, radius):
    answer, j = np.zeros_like(g), np.argmax(np.abs(g))
    answer[j] = -radius * np.sign(g[j])
    return answer


shipped = jax.jit(ball.lmo)
for g in np.random.default_rng(0).standard_normal((20, d)):
    assert np.allclose(oracle(g, RADIUS), shipped(jnp.asarray(g)))
    assert np.isclose(g @ oracle(g, RADIUS), -RADIUS * np.abs(g).max())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: choose $p$
#
# Show that $p = b/(n + b)$ costs at most $3b$ gradients a step in expectation. Then compare with
# what the runs above were charged, from `optzoo.gradient_calls`.

# %% [markdown] tags=["solution"]
# ## Solution 2
#
# $pn + 2(1 - p)b = (bn + 2nb)/(n + b) = 3bn/(n + b) \lt 3b$. The first step is always a restart.

# %% tags=["solution"]
assert np.isclose(cost, 3 * b * n / (n + b))
charged = [
    optzoo.gradient_calls(jax.tree.map(lambda leaf, r=r: leaf[r], states), n, b)
    for r in range(SEEDS)
]
assert np.array_equal(charged, seen["gradients"][:, -1])
expected = n + cost * (STEPS - 1)
print(f"charged {np.mean(charged):.0f}, expected {expected:.0f}")
assert abs(np.mean(charged) / expected - 1) < 0.05

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: never restart
#
# What does the recursion say for $p \to 0$, with steps $2/(k + 2)$? Predict the error at the end,
# then run it.

# %% [markdown] tags=["solution"]
# ## Solution 3
#
# With $p = 0$ it says $E e_k^2 = \frac1b \sum_{j \lt k} E V_j$. As $V_j$ falls like $\eta_j^2$ the
# sum converges, but it never falls: the error of the first steps is carried along for ever.
# Restarts forget it.

# %% tags=["solution"]
never, _ = sarah_runs(1e-9, keys)
errors_never = np.asarray(never["error"], np.float64).mean(axis=0)
carried = np.cumsum(np.asarray(never["spread"], np.float64).mean(axis=0))[STEPS // 2] / b
print(f"late error without restarts {errors_never[tail].mean():.1e}, predicted {carried:.1e}")
assert errors_never[tail].mean() > 100 * errors_late["Sarah"]
assert 0.5 < errors_never[tail].mean() / carried < 2.0

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What may not be concluded
#
# - *Times.* The axis counts gradients. Here $n$ is small, and full gradients run fast on vector
#   hardware; a count is not a clock.
# - *A rate.* Curves over one range of steps on one problem do not show an exponent, and on a
#   polytope Frank-Wolfe may be faster than its theorem says.
# - *That the plain method cannot be mended.* With batches that grow it converges. It was given a
#   constant batch here, the size that makes its steps as dear as Sarah's.
# - *That the bound is sharp.* It holds for the worst problem with this $L_\pm$ and $D$. Its
#   distance from the measured error says nothing about either.
# - *An error of the gap.* The gap bounds $f(x) - f^\star$ for convex $f$ only. Otherwise it
#   measures stationarity.
