# %% [markdown] slideshow={"slide_type": "slide"}
# # Chains and diffusions
#
# Langevin sampling, stochastic gradient descent and stochastic boosting are one Markov chain,
#
# $$X_{k+1} = X_k + \eta \, b(X_k) + \eta^{(1 + \gamma)/2} \sigma(X_k) \varepsilon_k, \qquad
# E \varepsilon_k = 0, \quad E \varepsilon_k \varepsilon_k^\top = I,$$
#
# and over a time $T = k \eta$ it stays near the diffusion
#
# $$dZ = b(Z) \, dt + \eta^{\gamma/2} \sigma(Z) \, dW .$$
#
# $\gamma = 0$ is the scaling of Langevin dynamics, $\gamma = 1$ that of SGD.
#
# ## What you will learn
#
# - What of its noise a chain with small steps forgets, and what it never forgets.
# - How to measure the distance of two laws on the line exactly, without sampling.
# - How fast the distance falls with $\eta$, and why a bound's exponent need not be seen.
# - How SGLD samples a posterior, and what its step and its minibatches cost.
# - How a wrong diffusion is caught, and when it hides.
#
# The theorem: Ustimenko, Beznosikov, "Ito diffusion approximation of universal Ito chains", ICLR
# 2024, arXiv:2310.06081. You need to know what a normal law is; about 40 minutes.

# %%
import functools
import math

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy import special

import optzoo
from optzoo.plots import distribution, log_scale, side_by_side, style
from optzoo.problems import (
    Atoms,
    Gaussian,
    GeometricBrownianMotion,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    bures,
    diabetes,
    gaussian_posterior,
    sampling_floor,
    wasserstein,
    weighted_sum_law,
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A chain becomes its diffusion
#
# The simplest chain has no drift and coins for noise: a random walk, $X_k = \sqrt\eta \,
# (\varepsilon_0 + \dots + \varepsilon_{k-1})$ with signs $\varepsilon_j$. At $T = k\eta = 1$ its
# law is binomial, on a lattice of span $2\sqrt\eta$. The diffusion is Brownian motion: $Z_1 \sim
# N(0, 1)$. A second chain has *skewed* coins: 3 with probability 0.1, $-1/3$ with probability
# 0.9, the same mean and variance.

# %% slideshow={"slide_type": "subslide"}
COIN, SKEWED = optzoo.rademacher_noise(), optzoo.bernoulli_noise(0.1)
assert np.allclose(SKEWED.atoms, (-1 / 3, 3))
assert np.allclose(SKEWED.weights, (0.9, 0.1))


def walk(noise, k, scale=1.0):
    """The exact law of the walk at T = 1 with the step 1 / k."""
    return weighted_sum_law(noise.atoms, noise.weights, np.full(k, scale / math.sqrt(k))).law


noises = {"coins": COIN, "skewed coins": SKEWED}
x = np.linspace(-3, 3, 200)
brownian = {"label": "diffusion", "x": x, "below": special.ndtr(x)}
with style():
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True, layout="constrained")
    for ax, (name, noise) in zip(panels, noises.items(), strict=True):
        laws = [(f"step 1/{k}", walk(noise, k)) for k in (4, 16, 64)]
        distribution(
            ax,
            [
                *(
                    {"label": label, "points": law.points, "weights": law.weights}
                    for label, law in laws
                ),
                brownian,
            ],
        )
        ax.set_title(name, fontsize=9)
        ax.set_xlabel("$x$")
        ax.set_xlim(-3, 3)
    panels[1].set_ylabel("")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncol=4)
    plt.show()

# %% [markdown]
# The stairs never vanish, they become small. That is the first lesson: the chain forgets the
# *law* of its noise and remembers two moments. The picture is computed, not sampled; does the
# program do what it says? We run `optzoo.ito_chain`, an optax transformation, on 20,000
# coordinates at once.


# %%
@functools.partial(jax.jit, static_argnames=("noise", "k", "count"))
def run_walk(key, noise, k, count):
    chain = optzoo.ito_chain(1 / k, noise=noise, key=key)

    def step(_, carry):
        x, state = carry
        updates, state = chain.update(jnp.zeros_like(x), state, x)
        return optax.apply_updates(x, updates), state

    x = jnp.zeros(count)
    return jax.lax.fori_loop(0, k, step, (x, chain.init(x)))[0]


COUNT = 20_000
samples = np.asarray(run_walk(jax.random.key(0), COIN, 16, COUNT), np.float64)
law = walk(COIN, 16)
between = (law.points[1:] + law.points[:-1]) / 2
observed = (samples[:, None] <= between).mean(axis=0)
furthest = np.abs(observed - np.cumsum(law.weights)[:-1]).max()
print(f"largest distance of the distribution functions: {furthest:.4f}")
# Kolmogorov's test: 1.95 / sqrt(n) is exceeded by one honest run in a thousand.
assert furthest < 1.95 / math.sqrt(COUNT)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The distance, exactly
#
# $W_2^2(\mu, \nu)$ is the least mean square $E |X - Y|^2$ over all ways to draw $X \sim \mu$ and
# $Y \sim \nu$ together. On the line the best way is to give both the same quantile,
#
# $$W_2^2 = \int_0^1 \bigl( Q_\mu(q) - Q_\nu(q) \bigr)^2 dq :$$
#
# the mean squared *horizontal* distance of the curves above. For atoms against a normal law the
# integral has a closed form on every stair, so `optzoo.problems.wasserstein` is exact to
# rounding. By hand, for one coin: $E |X - Z|^2 = 1 + 1 - 2 E|Z| = 2 - 2 \sqrt{2/\pi}$.

# %%
normal = Gaussian(0.0, 1.0)
one_coin = wasserstein(walk(COIN, 1), normal)
assert math.isclose(one_coin**2, 2 - 2 * math.sqrt(2 / math.pi), rel_tol=1e-9)

# The integral itself, by the midpoint rule, for the walk of 16 steps.
q = (np.arange(200_000) + 0.5) / 200_000
quantile = law.points[np.searchsorted(np.cumsum(law.weights), q)]
by_hand = math.sqrt(np.mean((quantile - special.ndtri(q)) ** 2))
print(f"exact {wasserstein(law, normal):.6f}, by the midpoint rule {by_hand:.6f}")
assert math.isclose(wasserstein(law, normal), by_hand, rel_tol=1e-4)

# Sampling would not do: the samples of the very law are further away from it than small steps are.
floor = sampling_floor(10**6)
print(f"a million samples: {floor:.4f}, the walk with 10^6 steps: {1e-3 / math.sqrt(3):.4f}")
assert floor > 1e-3 / math.sqrt(3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Against the step
#
# Five chains, $T = 1$, with the drift $-x$ or none, in both scalings. The theorem allows the
# exponents $1/4$ (Gaussian noise) and $1/8$ (any) for $\gamma = 0$, and $3/4$ and $5/8$ for
# $\gamma = 1$.

# %% slideshow={"slide_type": "subslide"}
STEPS = [2**j for j in (7, 6, 5, 4, 3)]  # k; eta = 1 / k
CASES = {  # noise, rate a of the drift -a x, start
    "Gaussian noise": (None, 1.0, 1.0),
    "coins": (COIN, 1.0, 0.0),
    "walk of coins": (COIN, 0.0, 0.0),
    "skewed coins": (SKEWED, 1.0, 0.0),
    "walk of skewed coins": (SKEWED, 0.0, 0.0),
}


@functools.cache
def unit_sum(noise, rate, k):
    """The law of sum_j (1 - rate / k)^j eps_j."""
    return weighted_sum_law(noise.atoms, noise.weights, (1 - rate / k) ** np.arange(k)).law


def distance(case, gamma, k):
    noise, rate, start = CASES[case]
    eta, contraction = 1 / k, 1 - rate / k
    size = eta ** ((1 + gamma) / 2)
    if noise is None:
        deviation = size * math.sqrt(np.sum(contraction ** (2.0 * np.arange(k))))
        law = Gaussian(contraction**k * start, deviation)
    else:
        unit = unit_sum(noise, rate, k)
        law = Atoms(contraction**k * start + size * unit.points, unit.weights)
    return wasserstein(law, OrnsteinUhlenbeck(rate, eta ** (gamma / 2), start).law(1.0))


eta = 1 / np.array(STEPS)
found = {
    (case, gamma): np.array([distance(case, gamma, k) for k in STEPS])
    for case in CASES
    for gamma in (0, 1)
}
with style():
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    for gamma, (ax, name) in enumerate(zip(panels, ("Langevin", "SGD"), strict=True)):
        side_by_side(ax, [{"label": c, "x": eta, "mean": found[c, gamma]} for c in CASES])
        ax.set_title(rf"{name}, $\gamma = {gamma}$", fontsize=9)
        ax.set_xlabel(r"step $\eta$")
        log_scale(ax)
    panels[0].set_ylabel(r"$W_2(X_k, Z_T)$")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncol=5)
    plt.show()

# %%
EXPECTED = {  # exponents for gamma = 0 and 1
    "Gaussian noise": (1.0, 1.0),
    "coins": (1.0, 1.5),
    "walk of coins": (0.5, 1.0),
    "skewed coins": (0.5, 1.0),
    "walk of skewed coins": (0.5, 1.0),
}
for (case, gamma), values in found.items():
    slope = math.log(values[1] / values[0]) / math.log(2)
    allowed = (1 / 4, 3 / 4)[gamma] if case == "Gaussian noise" else (1 / 8, 5 / 8)[gamma]
    print(f"{case:<22} gamma = {gamma}: slope {slope:.2f}, the theorem allows {allowed:g}")
    assert abs(slope - EXPECTED[case][gamma]) < 0.05
    assert slope > allowed

# %% [markdown]
# - **Walks** have the exponent $(1 + \gamma)/2$, and no smaller error is possible: a lattice of
#   span $h$ is about $h / \sqrt{12}$ away from any law that is smooth on its scale; here
#   $\sqrt{\eta/3}$.
# - **Coins with a contracting drift** do better. The drift mixes the lattices of different steps;
#   what remains is an error of the variance.
# - **Skewed coins** do not: the skewness is forgotten as slowly as the lattice.
# - All are steeper than the theorem's exponents. A bound for every chain need not be attained by
#   yours, so a slope that equals the bound's is no test of a theorem. A slope below it would be.

# %%
k = STEPS[0]
lattice = found["walk of coins", 0][0] * math.sqrt(3 * k)
h, kappa = 3 + 1 / 3, 0.8 / 0.3  # span and skewness of the skewed coin
skewed = found["walk of skewed coins", 0][0] * math.sqrt(k / (h**2 / 12 + kappa**2 / 18))
print(f"against the limits: {lattice:.4f}, {skewed:.4f}")
assert math.isclose(SKEWED.skewness, kappa, rel_tol=1e-6)
assert 1 < lattice < 1.01
assert abs(skewed - 1) < 0.03

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: choose the step
#
# You want $W_2 \leq 0.01$ between the walk of coins and Brownian motion at $T = 1$. Which $\eta$
# does the law $\sqrt{\eta/3}$ give, and how many steps? Check it exactly. How many would you need
# if the exponent were the theorem's $1/8$, with the same constant?

# %% [markdown] tags=["solution"]
# ### Solution
#
# $\eta = 3 \cdot 0.01^2 = 3 \cdot 10^{-4}$: 3334 steps. With $\eta^{1/8} / \sqrt 3$ it would be
# more than $10^{14}$: exponents matter.

# %% tags=["solution"]
k = math.ceil(1 / 3e-4)
print(f"{k} steps: {wasserstein(walk(COIN, k), normal):.6f}")
assert k == 3334
assert wasserstein(walk(COIN, k), normal) < 0.01 < wasserstein(walk(COIN, k - 20), normal)
assert (0.01 * math.sqrt(3)) ** -8 > 1e14

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What matters, and what does not
#
# Same mean, same variance, independent from step to step: then any law will do. Three ways to
# change the limit instead, all with Gaussian or coin noise:
#
# - the noise is 10% **louder** than $\sigma$ says;
# - it is **correlated**: $\varepsilon_k = (\xi_k + \xi_{k-1}) / \sqrt2$ has variance 1, but a sum
#   of $k$ of them has the variance $2k - 1$, not $k$;
# - the **reading** of a state-dependent $\sigma(x)$ is wrong. For $dZ = s Z \, dW$ the chain is a
#   binomial tree; its limit is the equation in Ito's sense. Stratonovich's sense would add the
#   drift $s^2 Z / 2$, and a frozen $\sigma(x_0)$ would make the limit normal.

# %% slideshow={"slide_type": "subslide"}
VOLATILITY = 0.8


def tree(k):
    """The law of X_k for b = 0, sigma(x) = s x and coins: the exponential of a walk."""
    kick = VOLATILITY / math.sqrt(k)
    logs = weighted_sum_law([math.log1p(-kick), math.log1p(kick)], [0.5, 0.5], np.ones(k)).law
    return Atoms(np.exp(logs.points), logs.weights)


def correlated(k):
    return Gaussian(0.0, math.sqrt((2 * k - 1) / k))


KS = [4**j for j in (5, 4, 3, 2, 1)]
eta = 1 / np.array(KS)
ito = GeometricBrownianMotion(0.0, VOLATILITY, 1.0).law(1.0)
stratonovich = GeometricBrownianMotion(VOLATILITY**2 / 2, VOLATILITY, 1.0).law(1.0)
frozen = Gaussian(1.0, VOLATILITY)
groups = {
    "no dependence on the state": {
        "coins": [wasserstein(walk(COIN, k), normal) for k in KS],
        "skewed coins": [wasserstein(walk(SKEWED, k), normal) for k in KS],
        "10% louder": [wasserstein(walk(COIN, k, scale=1.1), normal) for k in KS],
        "correlated": [wasserstein(correlated(k), normal) for k in KS],
    },
    r"$\sigma(x) = 0.8 x$": {
        "Ito": [wasserstein(tree(k), ito) for k in KS],
        "Stratonovich": [wasserstein(tree(k), stratonovich) for k in KS],
        "frozen": [wasserstein(tree(k), frozen) for k in KS],
    },
}
with style():
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6), sharey=True, layout="constrained")
    for ax, (title, curves) in zip(panels, groups.items(), strict=True):
        side_by_side(ax, [{"label": n, "x": eta, "mean": values} for n, values in curves.items()])
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(r"step $\eta$")
        ax.legend(loc="lower right")
        log_scale(ax)
    panels[0].set_ylabel(r"$W_2$ to the diffusion stated")
    plt.show()

# %% [markdown]
# A wrong diffusion is a floor: $W_2$ stops falling, at the distance of the two diffusions. That
# is how it is caught.

# %%
plain, multiplicative = groups.values()
for name in ("coins", "skewed coins"):
    assert plain[name][0] < 1.1 * plain[name][1] / 2  # a quarter of the step, half of the distance
assert multiplicative["Ito"][0] < 1.1 * multiplicative["Ito"][1] / 2
floors = {
    "10% louder": (plain, 0.1),
    "correlated": (plain, math.sqrt(2) - 1),
    "Stratonovich": (multiplicative, wasserstein(ito, stratonovich)),
    "frozen": (multiplicative, wasserstein(tree(2**13), frozen)),
}
for name, (curves, limit) in floors.items():
    print(f"{name}: {curves[name][0]:.4f}, the distance of the diffusions {limit:.4f}")
    assert abs(curves[name][0] - limit) < 0.05 * limit + 0.01

# For gamma = 1 everything is multiplied by eta^(1/2): the wrong one falls to 0 as well, and hides.
hidden = np.sqrt(eta) * np.array(plain["10% louder"])
right = np.sqrt(eta) * np.array(plain["coins"])
assert hidden[0] < 0.01
assert math.isclose(math.log(hidden[1] / hidden[0]) / math.log(4), 0.5, abs_tol=0.05)
assert math.isclose(math.log(right[1] / right[0]) / math.log(4), 1.0, abs_tol=0.01)

# %% [markdown]
# In SGD's scaling the noise itself is of the order $\sqrt\eta$, and so is the distance to a wrong
# diffusion. It is the *exponent* that tells, 1/2 instead of 1; or divide by $\eta^{\gamma/2}$
# first.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: which part of $\sigma$?
#
# In two dimensions let $\sigma = \mathrm{diag}(1, 2)$, and $\sigma' = \sigma R$ with a rotation
# $R$ by 45 degrees, and $\sigma'' = \mathrm{diag}(2, 1)$. With Gaussian noise and $b = -x$, which
# pairs of diffusions have the same law at $T = 1$? All three have the same total variance. Use
# `LinearDiffusion` and `bures`, which is $W_2$ between normal laws.

# %% [markdown] tags=["solution"]
# ### Solution
#
# The law depends on $\sigma \sigma^\top$ alone, and $\sigma R R^\top \sigma^\top = \sigma
# \sigma^\top$. Swapping the axes changes it: $W_2 = \sqrt2$ times the difference of the
# deviations, which are $\sqrt{(1 - e^{-2})/2}$ and twice that.


# %% tags=["solution"]
def law_of(sigma):
    return LinearDiffusion(np.eye(2), np.zeros(2), sigma, np.zeros(2)).law(1.0)


sigma = np.diag([1.0, 2.0])
turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
turned = bures(*law_of(sigma), *law_of(sigma @ turn))
swapped = bures(*law_of(sigma), *law_of(np.diag([2.0, 1.0])))
print(f"turned {turned:.2e}, swapped {swapped:.6f}")
assert turned < 1e-6
assert math.isclose(swapped, math.sqrt(2) * math.sqrt((1 - math.exp(-2)) / 2), rel_tol=1e-9)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## SGLD on a small posterior
#
# Bayesian linear regression, two coefficients (body mass index and blood pressure) of the
# diabetes data. The posterior is normal with the precision $A$ and known exactly; its Langevin
# dynamics is a linear diffusion. SGLD is the chain with $\gamma = 0$ and $\sigma = \sqrt{2 P}$,
# where the preconditioner $P$ is the diagonal of the posterior's covariance.

# %%
features, targets = diabetes()
columns = features[:, [2, 3]]
RESIDUAL = 0.65  # variance of the residuals, taken as known
posterior = gaussian_posterior(columns, targets, noise_variance=RESIDUAL)
covariance = np.linalg.inv(posterior.matrix)
mean = covariance @ posterior.offset
P = np.diag(covariance)
print("mean", mean.round(3), "deviations", np.sqrt(P).round(3))

CHAINS, BATCH, SAMPLES = 2000, 44, len(targets)
rows, ys = jnp.asarray(columns), jnp.asarray(targets)


def gradient(w, index):
    """Of U = -log posterior, from a minibatch."""
    residuals = rows[index] @ w - ys[index]
    return SAMPLES / index.size * (residuals @ rows[index]) / RESIDUAL + w


@functools.partial(jax.jit, static_argnames=("steps", "minibatches"))
def sample(key, eta, steps, minibatches):
    def one_chain(key):
        chain = optzoo.sgld(eta, preconditioner=jnp.asarray(P), key=key)
        batches = jax.random.fold_in(key, 1)

        def step(k, carry):
            w, state = carry
            index = jnp.arange(SAMPLES)
            if minibatches:
                index = jax.random.randint(jax.random.fold_in(batches, k), (BATCH,), 0, SAMPLES)
            updates, state = chain.update(gradient(w, index), state, w)
            return optax.apply_updates(w, updates), state

        w = jnp.asarray(mean)
        return jax.lax.fori_loop(0, steps, step, (w, chain.init(w)))[0]

    return jax.vmap(one_chain)(jax.random.split(key, CHAINS))


def chain_covariance(eta, noise):
    """Stationary covariance of the chain: S = (I - eta P A) S (...)' + 2 eta P + eta^2 P N P."""
    contraction = np.eye(2) - eta * P[:, None] * posterior.matrix
    kick = 2 * eta * np.diag(P) + eta**2 * P[:, None] * noise * P[None, :]
    flat = np.linalg.solve(np.eye(4) - np.kron(contraction, contraction), kick.ravel())
    return flat.reshape(2, 2)


# The covariance of a minibatch's gradient at the posterior's mean.
gradients = (columns @ mean - targets)[:, None] * columns * SAMPLES / RESIDUAL
minibatch_noise = np.cov(gradients.T, bias=True) / BATCH

ways = {
    "full gradients, step 0.1": (0.1, False),
    "full gradients, step 1": (1.0, False),
    "minibatches, step 0.1": (0.1, True),
}
drawn = {}
for name, (step, minibatches) in ways.items():
    drawn[name] = np.asarray(sample(jax.random.key(7), step, 60, minibatches), np.float64)
    exact = chain_covariance(step, minibatch_noise if minibatches else np.zeros((2, 2)))
    inflation, measured = (
        np.trace(c) / np.trace(covariance) for c in (exact, np.cov(drawn[name].T))
    )
    apart = bures(mean, exact, mean, covariance) / math.sqrt(np.trace(covariance))
    print(f"{name}: variance times {inflation:.3f} (measured {measured:.3f}), W2 {apart:.3f}")
    assert abs(measured / inflation - 1) < 0.12
    ways[name] = inflation

full, long, noisy = ways.values()
assert 1.0 < full < 1.1 < noisy < long

# %% slideshow={"slide_type": "subslide"}
deviation = math.sqrt(P[0])
x = np.linspace(mean[0] - 5 * deviation, mean[0] + 5 * deviation, 200)
with style():
    figure, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    equal = np.full(CHAINS, 1 / CHAINS)
    distribution(
        ax,
        [
            *({"label": n, "points": w[:, 0], "weights": equal} for n, w in drawn.items()),
            {"label": "posterior", "x": x, "below": special.ndtr((x - mean[0]) / deviation)},
        ],
    )
    ax.set_xlabel("coefficient of the body mass index")
    ax.set_xlim(x[0], x[-1])
    figure.legend(loc="outside upper center", ncol=2)
    plt.show()

# %% [markdown]
# A short step with full gradients is indistinguishable here. A long step samples a wider law,
# with the right mean. Minibatches add their own noise, of the order $\eta n / b$, which the
# diffusion of exact gradients does not know: it is the louder noise of the last section, but it
# vanishes with $\eta$, because it is multiplied by $\eta$ and Langevin's noise by $\sqrt\eta$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: the price of a step
#
# With one coefficient and $P$ the posterior's variance, SGLD with full gradients is $y' = (1 -
# \eta) y + \sqrt{2 \eta} \, \xi$ in standardized units. Which stationary variance has it? At
# which $\eta$ is it 10% too large? What is its $W_2$ from $N(0, 1)$ then?

# %% [markdown] tags=["solution"]
# ### Solution
#
# $v = (1 - \eta)^2 v + 2 \eta$, so $v = 1 / (1 - \eta/2)$, which is $1.1$ at $\eta = 2/11$. Two
# normal laws with one mean differ by the difference of their deviations: $\sqrt{1.1} - 1 =
# 0.049$.

# %% tags=["solution"]
eta_10 = 2 / 11
limit = 0.0
for _ in range(200):
    limit = (1 - eta_10) ** 2 * limit + 2 * eta_10
print(f"variance {limit:.6f}, W2 {wasserstein(Gaussian(0.0, math.sqrt(limit)), normal):.4f}")
assert math.isclose(limit, 1.1, rel_tol=1e-9)
assert round(wasserstein(Gaussian(0.0, math.sqrt(limit)), normal), 3) == 0.049

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What may not be concluded from these plots
#
# - **Not that coins are as good as Gaussian noise at a fixed step.** The limit is the same, the
#   distance on the way is not: compare the heights of the curves.
# - **Not that the theorem is loose.** It holds for all chains of its class, in any dimension and
#   with errors in drift and diffusion; five chains on the line say nothing about the worst one.
# - **Not what happens over long times.** $T = 1$ throughout, but for SGLD. The theorem's
#   constants grow like $e^{O(T)}$; with a contracting drift they need not.
# - **Not that a small $W_2$ means good samples of everything.** $W_2$ bounds means and
#   deviations; tail probabilities it hardly sees.
# - **Not that the posterior is right.** SGLD was held against the model's posterior, not against
#   the truth; the residuals' variance was assumed.
