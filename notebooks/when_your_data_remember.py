# %% [markdown] slideshow={"slide_type": "slide"}
# # When your data remember
#
# **What you will learn**
#
# 1. What the mixing time of a stream of data is, and how to compute it.
# 2. Why the gradient of a batch is biased when successive samples depend on each other, and by how
#    much, exactly.
# 3. How the multilevel estimator (MLMC) gets the bias of a very long batch at the cost of a few
#    short ones, and what it pays in variance.
# 4. What acceleration buys, and how everything scales with the mixing time.
#
# You need finite Markov chains and gradient descent. The paper is Beznosikov et al., NeurIPS 2023,
# arXiv:2305.15938. Nearly all numbers here are exact: finite chains have moments that linear
# algebra can compute, so there is no sampling error to argue about.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import optzoo
from optzoo import plots, problems

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Mixing time
#
# Let $Q$ be the transition matrix of the stream. After $k$ steps the law of the state still depends
# on where the stream was. How much, in total variation, for the worst pair of states:
#
# $$\Delta_k = \max_{z, z'} \mathrm{TV}(Q^k(z, \cdot), Q^k(z', \cdot)), \qquad
# \tau = \min \lbrace k \ge 1 : \Delta_k \le 1/4 \rbrace.$$
#
# A stream of two states that switches with probability $q$ has $\Delta_k = (1 - 2q)^k$. At
# $q = 0.05$ this is $0.9^k$.

# %% slideshow={"slide_type": "subslide"}
switch = problems.two_state_switch(0.05)
chains = {
    "two-state switch": switch,
    "walk on a ring of 10": problems.symmetric_lazy_ring(10),
    "one way round a ring of 10": problems.one_way_lazy_ring(10),
}
HORIZON = 60
k = np.arange(1, HORIZON + 1)
with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.4))
    profiles = [
        {"label": name, "x": k, "mean": chain.mixing_profile(HORIZON)[1:]}
        for name, chain in chains.items()
    ]
    plots.side_by_side(ax, [*profiles, {"label": "1/4", "x": k, "mean": np.full(HORIZON, 0.25)}])
    ax.set_xlabel("steps $k$")
    ax.set_ylabel(r"$\Delta_k$")
    ax.legend()
    plt.show()

print({name: chain.mixing_time for name, chain in chains.items()})
assert [chain.mixing_time for chain in chains.values()] == [14, 17, 33]
assert np.allclose(switch.mixing_profile(HORIZON)[1:], 0.9**k)
TAU = switch.mixing_time

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A batch is biased
#
# Let the gradient seen in state $z$ be $\nabla f(x) + h(z)$, with $h = +1$ in state 0 and $-1$ in
# state 1. Under the stationary law the noise has mean zero. But a batch begins where the last one
# ended. If that was state 0, the next sample has noise $0.9$ in the mean, the one after it $0.9^2$,
# and so on. The mean of a batch of $n$ has the bias
#
# $$\frac1n \sum_{k=1}^n 0.9^k = \frac{9 (1 - 0.9^n)}{n}.$$
#
# It falls like $1/n$, no faster.
#
# **Lemma 1.** For every chain, every state before the batch and every noise with $|h| \le 1$ and
# mean zero under the stationary law, the bias is at most $\frac53 \tau / n$.
#
# *Proof.* In total variation the law of the $k$-th sample is at most $\Delta_k$ from the
# stationary one, so that $|E h(Z_k)| \le \min(1, 2 \Delta_k)$. As $\Delta_{j + k} \le \Delta_j
# \Delta_k$, and $\Delta_\tau \le \frac14$, this is at most $2 \cdot 4^{-j}$ for $j \tau \le k \lt
# (j + 1) \tau$. The first $\tau - 1$ samples count 1 each, each later block of $\tau$ samples at
# most $2 \tau 4^{-j}$. So the sum over all $k$ is at most $\tau - 1 + 2 \tau \sum_{j \ge 1} 4^{-j}
# = \frac53 \tau - 1$. ∎

# %% slideshow={"slide_type": "subslide"}
noise = np.array([1.0, -1.0])
sizes = 2 ** np.arange(13)
moments = [problems.plain_batch_moments(switch, noise, int(n)) for n in sizes]
bias = np.array([found.mean[0, 0] for found in moments])  # [0]: started in state 0
root_mean_square = np.array([found.squared_norm[0] for found in moments]) ** 0.5

assert np.allclose(bias, 9 * (1 - 0.9**sizes) / sizes)
assert np.all(bias <= 5 / 3 * TAU / sizes)
assert np.isclose(bias[0], 0.9)

with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.6))
    plots.side_by_side(
        ax,
        [
            {"label": "bias of a batch", "x": sizes, "mean": bias},
            {"label": "bound of the bias", "x": sizes, "mean": 5 / 3 * TAU / sizes},
            {"label": "root mean square", "x": sizes, "mean": root_mean_square},
        ],
    )
    ax.set_xlabel("batch $n$")
    ax.set_ylabel("error of the batch mean")
    ax.legend()
    plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# The bias is the smaller part of the error of one long batch. It matters all the same: over many
# steps of a method, independent errors average out and a bias does not.
#
# ## Many levels instead of long batches
#
# Let $g_j$ be the mean over the first $2^j B$ samples from where the stream stands. Draw a level
# $J$ with $P(J = j) = 2^{-j}$ and take
#
# $$g = g_0 + 2^J (g_J - g_{J-1}) \quad \text{if } J \le m, \qquad g = g_0 \quad \text{otherwise.}$$
#
# **Lemma 2.** $E g = E g_m$, from whatever state the stream is in. So the bias is that of a batch
# of $2^m B$ samples, and the mean cost is $(m + 2^{-m}) B$.
#
# *Proof.* The level is drawn apart from the stream, and its probability cancels its weight:
#
# $$E g = E g_0 + \sum_{j=1}^m 2^{-j} \cdot 2^j E (g_j - g_{j-1}) = E g_m,$$
#
# where all but the last mean telescope. Level $j \le m$ takes $2^j B$ samples with probability
# $2^{-j}$, which is $B$ in the mean for each of the $m$ levels; else, with probability $2^{-m}$, it
# is $B$ samples. ∎
#
# Written sample by sample it is a signed sum. The picture has $B = 2$, $m = 3$.

# %% slideshow={"slide_type": "subslide"}
B, m = 2, 3
rows = {
    f"plain, {2.0**-m:.3g}": problems.level_weights(B, 0),
    **{f"$J = {j}$, {2.0**-j:.3g}": problems.level_weights(B, j) for j in range(1, m + 1)},
}
with plots.style():
    figure, ax = plt.subplots(figsize=(7.5, 2.6))
    plots.nested_levels(ax, rows)
    ax.set_xlabel("sample along the stream")
    ax.set_ylabel("level, probability")
    plt.show()

# %% [markdown]
# Weigh each row with its probability and add up the columns. Every sample has the same mean weight,
# $1/(2^m B) = 1/16$: in the mean this *is* the long batch. No property of the stream was used.

# %%
shares = (2.0**-m, *(2.0**-j for j in range(1, m + 1)))
average, cost = np.zeros(2**m * B), 0.0
for share, row in zip(shares, rows.values(), strict=True):
    weights = np.concatenate([np.full(count, weight) for weight, count in row])
    average[: len(weights)] += share * weights
    cost += share * len(weights)
assert sum(shares) == 1.0
assert np.allclose(average, 1 / 16)
assert cost == (m + 2.0**-m) * B == optzoo.MultilevelBatch(B, m).expected_samples == 6.25

# %% [markdown]
# An estimate takes $(m + 2^{-m}) B$ samples in the mean: 6.25 here, for the bias of a batch of 16.
# At $B = \tau = 14$ and $m = 6$ it takes 84 for the bias of 896. The price is variance: the weights
# are larger than those of a plain batch with as many samples.

# %% slideshow={"slide_type": "subslide"}
levels = np.arange(9)
multilevel = [problems.multilevel_moments(switch, noise, TAU, int(level)) for level in levels]
longest = [problems.plain_batch_moments(switch, noise, int(2**level * TAU)) for level in levels]
costs = (levels + 2.0**-levels) * TAU
assert round(costs[6]) == 84
assert 2**6 * TAU == 896
for short, long in zip(multilevel, longest, strict=True):
    assert np.allclose(short.mean, long.mean, rtol=1e-9)  # from either state

with plots.style():
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.4))
    for ax, title, plain, many in (
        (axes[0], "bias", bias, [found.mean[0, 0] for found in multilevel]),
        (
            axes[1],
            "root mean square error",
            root_mean_square,
            [found.squared_norm[0] ** 0.5 for found in multilevel],
        ),
    ):
        plots.side_by_side(
            ax,
            [
                {"label": "multilevel, $m = 0, ..., 8$", "x": costs, "mean": many},
                {"label": "plain batch", "x": sizes[3:11], "mean": plain[3:11]},
            ],
        )
        ax.set_title(title)
        ax.set_xlabel("samples, in the mean")
    axes[0].legend()
    figure.tight_layout()
    plt.show()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The same in code
#
# `mlmc_gradient` takes a gradient at one sample and a step of the stream. It goes before any optax
# method. Here 4000 estimates from state 0, at $x = 0$, where the gradient is the noise alone.

# %%
estimate = optzoo.mlmc_gradient(
    lambda x, z: x + jnp.asarray(noise, x.dtype)[z],
    switch.step_and_sample,
    batch_size=TAU,
    max_level=3,
)
replicates = jax.jit(jax.vmap(estimate, in_axes=(0, None, None)))
draws, _, info = replicates(jax.random.split(jax.random.key(0), 4000), jnp.zeros(()), jnp.int32(0))
mean, error = float(jnp.mean(draws)), float(jnp.std(draws)) / 4000**0.5
exact, of_base_batch = multilevel[3].mean[0, 0], multilevel[0].mean[0, 0]
print(f"mean {mean:.2f} ± {error:.2f}; exact {exact:.2f}; one batch of 14 has {of_base_batch:.2f}")
assert abs(mean - exact) < 4 * error
assert abs(mean - of_base_batch) > 10 * error
assert abs(float(jnp.mean(info.samples)) / costs[3] - 1) < 0.05

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Descent and acceleration
#
# On a quadratic the moments of a method obey a linear recursion too, so that
# $E[f(x) - f^\star]$ can be computed without a run. Take $f(x) = \frac12(0.01 x_1^2 + x_2^2)$,
# condition number 100, the noise along the flat direction, and $B = 4\tau$, $m = 3$ for both:
#
# - `randomized_gd`: $x^{k+1} = x^k - \gamma g^k$;
# - `randomized_accelerated_gd`, which combines two sequences with momentum.

# %% slideshow={"slide_type": "subslide"}
MU, STEP, SIZE, LEVEL = 0.01, 0.75, 4 * TAU, 3
curvature = np.diag([MU, 1.0]) / 2
checkpoints = np.unique(np.geomspace(1, 3000, 50).astype(int)).tolist()
with jax.enable_x64(True):
    quadratic = problems.additive_noise_quadratic(switch, [MU, 1.0], sigma=0.01)
    batch = {"batch_size": SIZE, "max_level": LEVEL}
    methods = {
        "descent": (problems.randomized_gd_moments(quadratic, STEP, **batch), "x"),
        "accelerated": (problems.accelerated_gd_moments(quadratic, STEP, MU, **batch), "x_f"),
        "accelerated, step / 16": (
            problems.accelerated_gd_moments(quadratic, STEP / 16, MU, **batch),
            "x_f",
        ),
    }
    shorter = problems.randomized_gd_moments(quadratic, STEP / 16, **batch).limit()
gaps = {
    name: found.run([1.0, 1.0], checkpoints).quadratic(curvature, point)[:, 0]
    for name, (found, point) in methods.items()
}
floors = {
    name: float(found.limit().quadratic(curvature, point)[0, 0])
    for name, (found, point) in methods.items()
}
samples = np.array(checkpoints) * (LEVEL + 2.0**-LEVEL) * SIZE
with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.6))
    plots.side_by_side(ax, [{"label": n, "x": samples, "mean": gap} for n, gap in gaps.items()])
    ax.set_xlabel("samples, in the mean")
    ax.set_ylabel(r"$E[f(x) - f^\star]$, exact")
    ax.legend()
    plt.show()
print("floors:", {name: f"{floor:.1e}" for name, floor in floors.items()})

# %% [markdown]
# The steep direction is gone after a few steps. Along the flat one descent contracts by
# $1 - \gamma\mu$ a step and the accelerated method by about the root of that distance from one. It
# pays at the floor, where the noise balances the contraction: the floor falls like $\gamma$ for
# descent and like $\sqrt\gamma$ for the accelerated method. A step 16 times smaller lowers the
# former about 16 times and the latter about four times.


# %%
def samples_until(level, gap):
    """The first checkpoint from which on the gap stays below the level."""
    return samples[np.flatnonzero(gap > level)[-1] + 1]


needed = {name: samples_until(1e-4, gap) for name, gap in gaps.items()}
print("samples to 1e-4:", {name: f"{count:.0f}" for name, count in needed.items()})
assert needed["descent"] > 4 * needed["accelerated"]
assert floors["accelerated"] > 4 * floors["descent"]
assert 12 < floors["descent"] / shorter.quadratic(curvature)[0, 0] < 20
assert 3 < floors["accelerated"] / floors["accelerated, step / 16"] < 5

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The law in the mixing time
#
# Now let the stream forget more slowly and leave all else alone. Lazy resampling keeps its state
# with probability $4^{-1/\tau}$ and else draws a new one; its mixing time is exactly $\tau$. We
# compute the floor of `randomized_gd`, its limit of $E|x - x^\star|^2$, for $\tau$ from 10 to 320.

# %% slideshow={"slide_type": "subslide"}
times = 10 * 2 ** np.arange(6)
with jax.enable_x64(True):
    limits = []
    for tau in times:
        slow = problems.lazy_resample([0.5, 0.5], 1 - 4 ** (-1 / tau))
        assert slow.mixing_time == tau
        found = problems.randomized_gd_moments(
            problems.additive_noise_quadratic(slow, [1.0]), 0.1, batch_size=32 * 320, max_level=3
        )
        limits.append(float(found.limit().squared_distance()[0, 0]))
slope = np.polyfit(np.log(times), np.log(limits), 1)[0]
with plots.style():
    figure, ax = plt.subplots(figsize=(4.5, 3.4))
    plots.scaling(ax, times, limits, fitted=slope, stated=1.0)
    ax.set_xlabel(r"mixing time $\tau$")
    ax.set_ylabel(r"$\lim E|x - x^\star|^2$")
    ax.legend()
    plt.show()
print(f"slope {slope:.3f}")
assert abs(slope - 1.0) < 0.05

# %% [markdown]
# Twice the mixing time, twice the floor: a stream with mixing time $\tau$ is worth about $1/\tau$
# as many independent samples. No method can avoid this; the estimator avoids only the bias.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: how long a batch?
#
# For the two-state switch, from which batch size on is the bias from the worst state below 0.007?
# With $B = \tau$, which $m$ gives that to the multilevel estimator, and what does an estimate cost?

# %% [markdown] tags=["solution"]
# ## Solution 1
#
# $9 (1 - 0.9^n) / n \lt 0.007$ from $n = 1286$ on. The smallest $2^m \cdot 14 \ge 1286$ has
# $m = 7$, and an estimate takes $(7 + 2^{-7}) \cdot 14$, about 98 samples in the mean.

# %% tags=["solution"]
candidates = np.arange(1, 2000)
n = int(candidates[9 * (1 - 0.9**candidates) / candidates < 0.007][0])
assert n == 1286
for size, below in ((n - 1, False), (n, True)):
    worst = np.abs(problems.plain_batch_moments(switch, noise, size).mean).max()
    assert (worst < 0.007) == below
level = int(np.ceil(np.log2(n / TAU)))
assert level == 7
assert np.abs(multilevel[7].mean).max() < 0.007 < np.abs(multilevel[6].mean).max()
assert round(costs[7]) == 98

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: what is it worth?
#
# A friend says: "the multilevel estimator is a long batch for less". Compare its mean square error
# at $B = \tau$, $m = 4$ with that of a plain batch of the same cost, rounded up. When would you
# still want it?

# %% [markdown] tags=["solution"]
# ## Solution 2
#
# The cost is 57 samples. The mean square of the multilevel error is more than nine times that of
# the plain batch, and its bias more than three times smaller. You want it where errors add up over
# many steps with the same sign, or where the mean itself is the answer. Where one estimate counts,
# or the noise is additive and only the mean square at the end matters, take the plain batch.

# %% tags=["solution"]
same_cost = int(np.ceil(costs[4]))
assert same_cost == 57
plain = problems.plain_batch_moments(switch, noise, same_cost)
squares = multilevel[4].squared_norm.max(), plain.squared_norm.max()
biases = np.abs(multilevel[4].mean).max(), np.abs(plain.mean).max()
print(
    f"mean squares {squares[0]:.2f} and {squares[1]:.2f}; biases {biases[0]:.3f}, {biases[1]:.3f}"
)
assert squares[0] > 9 * squares[1]
assert biases[0] < biases[1] / 3

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: is the mixing time the whole story?
#
# On the ring that goes one way the mixing time is 33. Let the noise be $h(z) = (-1)^z$. Compare the
# bias of a batch of 33, from the worst state, with the bound $\frac53 \tau / n$.

# %% [markdown] tags=["solution"]
# ## Solution 3
#
# The bias is zero: the next state is the same or the next one, each with probability 1/2, and
# their noises cancel. The mixing time is a worst case over all noises.

# %% tags=["solution"]
ring = chains["one way round a ring of 10"]
alternating = (-1.0) ** np.arange(10)
worst = np.abs(problems.plain_batch_moments(ring, alternating, 33).mean).max()
bound = 5 / 3 * ring.mixing_time / 33
print(f"the bound is {bound:.2f}, the bias is zero to round-off")
assert worst < 1e-12

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What may not be concluded
#
# - *That correlated data always need this estimator.* If the samples can be shuffled, shuffle.
# - *That less bias is less error.* See the right panel of the figure and exercise 2.
# - *Anything about other noises.* The curves are exact for these chains, for noise $\pm 1$ and for
#   quadratics. Noise that grows with the gradient is another case: there a batch shorter than the
#   mixing time can make a method diverge.
# - *That acceleration pays.* It pays in the count of samples while the start is forgotten. It
#   loses at the floor, and on well-conditioned problems there is nothing to gain.
# - *Your stream's mixing time.* Here the transition matrix is known. From data one can refute a
#   guess of $\tau$, hardly confirm it.
