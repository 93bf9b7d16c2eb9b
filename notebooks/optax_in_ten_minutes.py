# %% [markdown] slideshow={"slide_type": "slide"}
# # A new optimizer in ten minutes: SOAP beside Adam
#
# **What you will learn**
#
# 1. How to put SOAP where Adam stood in an optax program: one line.
# 2. How to compare two optimizers fairly, and how to say what was tuned.
# 3. Why SOAP turns the gradient before it scales it, and why Adam cannot know that it should.
#
# You need to know Adam and what `optax` does. The paper is Vyas et al., ICLR 2025,
# arXiv:2409.11321.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import load_digits

import optzoo
from optzoo import plots

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The one line
#
# Every method of optzoo is an optax transformation. Nothing else in a program changes.

# %%
target = jnp.linspace(-1.0, 1.0, 12, dtype=jnp.float32).reshape(4, 3)


def descend(method, calls):
    """Minimizes |W - target|^2 / 2 from zero; a program as optax users write it."""
    weights = jnp.zeros((4, 3), jnp.float32)
    state = method.init(weights)
    update = jax.jit(method.update)
    for _ in range(calls):
        updates, state = update(weights - target, state, weights)
        weights = optax.apply_updates(weights, updates)
    return weights


with_soap = descend(optzoo.soap(0.03, weight_decay=0.0), calls=200)  # here stood optax.adam(0.03)
assert jnp.max(jnp.abs(with_soap - target)) < 0.05

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The task
#
# Scikit-learn ships 1797 images of digits, 8 by 8 pixels. We train a network with one hidden layer
# of 32 units: two weight matrices, two bias vectors. The question is about optimization alone: how
# low is the training loss after 200 steps with 128 images each?

# %%
images, classes = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(classes))
images = jnp.asarray(images[order] / 16.0, jnp.float32)
classes = jnp.asarray(classes[order], jnp.int32)
train, test = slice(0, 1500), slice(1500, None)
assert images.shape == (1797, 64)

STEPS, BATCH, EVERY = 200, 128, 10


def start_and_batches(seed):
    """The first parameters, and which images each step sees, shape (steps, batch)."""
    draw = np.random.default_rng(seed)
    start = {
        "W1": draw.standard_normal((64, 32)) / 64**0.5,
        "b1": np.zeros(32),
        "W2": draw.standard_normal((32, 10)) / 32**0.5,
        "b2": np.zeros(10),
    }
    start = {name: values.astype(np.float32) for name, values in start.items()}
    return start, draw.integers(0, 1500, (STEPS, BATCH), np.int32)


def logits(params, x):
    hidden = jnp.tanh(x @ params["W1"] + params["b1"][None])
    return hidden @ params["W2"] + params["b2"][None]


def loss(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()


# %% [markdown]
# A run takes a learning rate, two decays $\beta_1, \beta_2$, a start and the batches. Both methods
# get the same starts and batches.


# %%
def run(make, rate, b1, b2, params, batches):
    """The training loss every 10 steps, the last parameters, the last state."""
    method = make(rate, b1, b2)

    def step(carry, rows):
        params, state = carry
        gradients = jax.grad(loss)(params, images[rows], classes[rows])
        updates, state = method.update(gradients, state, params)
        return (optax.apply_updates(params, updates), state), None

    def stretch(carry, batches):
        carry, _ = jax.lax.scan(step, carry, batches)
        return carry, loss(carry[0], images[train], classes[train])

    batches = batches.reshape(STEPS // EVERY, EVERY, BATCH)
    (params, state), losses = jax.lax.scan(stretch, (params, method.init(params)), batches)
    return losses, params, state


METHODS = {
    "Adam": lambda rate, b1, b2: optax.adam(rate, b1, b2),
    "SOAP": lambda rate, b1, b2: optzoo.soap(rate, b1, b2, weight_decay=0.0),
}
# All settings of a method in one compiled program, one after the other.
runs = {
    name: jax.jit(lambda settings, make=make: jax.lax.map(lambda s: run(make, *s), settings))
    for name, make in METHODS.items()
}

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Tuning, for both alike
#
# Both methods get the same ten settings: five learning rates, each with the decays that Adam's
# users know, $(0.9, 0.999)$, and with those of the SOAP paper, $(0.95, 0.95)$. The best setting is
# the one with the lowest training loss at the end, in the mean over three seeds that are not used
# again. A best rate at the edge of the grid would mean that the grid is too short: the cell would
# fail.

# %%
RATES = np.array([0.0075, 0.015, 0.03, 0.06, 0.12], np.float32)
DECAYS = ((0.9, 0.999), (0.95, 0.95))
grid = np.array([(rate, *decays) for rate in RATES for decays in DECAYS], np.float32)


def settings(rows, seeds):
    """A run for every row and seed: ten rows on three seeds, or one row on thirty."""
    pairs = [start_and_batches(seed) for row in rows for seed in seeds]
    starts, batches = jax.tree.map(lambda *leaves: np.stack(leaves), *pairs)
    return (*np.repeat(rows, len(seeds), axis=0).T, starts, batches)


best = {}
for name, compiled in runs.items():
    losses, _, _ = compiled(settings(grid, [100, 101, 102]))
    mean = np.asarray(losses[:, -1]).reshape(len(grid), 3).mean(axis=1)
    best[name] = grid[np.argmin(mean)]
    assert RATES[0] < best[name][0] < RATES[-1], "the grid is too short"
    rate, b1, b2 = best[name]
    print(f"{name}: rate {rate:.3g}, decays ({b1:g}, {b2:g}), loss {mean.min():.4f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Side by side
#
# The winners now run on thirty fresh seeds. The bands are two standard errors of the mean.

# %% slideshow={"slide_type": "subslide"}
SEEDS = range(30)
curves, accuracy, states = [], {}, {}
steps = np.arange(EVERY, STEPS + 1, EVERY)
for name, compiled in runs.items():
    losses, params, states[name] = compiled(settings(best[name][None], SEEDS))
    losses = np.asarray(losses)
    mean, error = losses.mean(axis=0), losses.std(axis=0, ddof=1) / len(SEEDS) ** 0.5
    curves.append(
        {"label": name, "x": steps, "mean": mean, "lower": mean - 2 * error}
        | {"upper": mean + 2 * error}
    )
    right = jax.vmap(lambda p: jnp.mean(logits(p, images[test]).argmax(axis=1) == classes[test]))
    accuracy[name] = float(right(params).mean())
    print(f"{name}: loss {mean[-1]:.4f}, accuracy on 297 other images {accuracy[name]:.3f}")

with plots.style():
    figure, ax = plt.subplots(figsize=(5.5, 3.4))
    plots.side_by_side(ax, curves)
    ax.set_xlabel("steps")
    ax.set_ylabel("training loss")
    ax.legend()
    plt.show()

adam, soap = (curve["mean"] for curve in curves)
reached = int(steps[np.argmax(soap <= adam[-1])])
print(f"SOAP stands where Adam ends ({adam[-1]:.4f}) after {reached} of {STEPS} steps")
assert adam[0] < soap[0]
assert reached <= 0.75 * STEPS
assert abs(accuracy["Adam"] - accuracy["SOAP"]) < 0.02

# %% [markdown]
# Adam is ahead at first: SOAP's first call only looks, and its first basis is made of one gradient.
# Then SOAP overtakes, and needs less than three quarters of the steps to the loss where Adam ends.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Why it helps, in two dimensions
#
# Adam divides every coordinate of the gradient by its own running size. That is a diagonal scaling,
# and whether a diagonal scaling can help depends on the coordinates. Take
#
# $$f(w) = \frac12 w^T H w, \qquad H = R_\theta \begin{pmatrix} 100 & 0 \cr 0 & 1
# \end{pmatrix} R_\theta^T,$$
#
# where $R_\theta$ turns the plane by $\theta$. At $\theta = 0$ the two coordinates are the two
# curvatures. At 45 degrees both diagonal entries of $H$ are 50.5, and to a diagonal scaling the
# two directions look alike.
#
# SOAP keeps a running average of $g g^T$, turns the gradient into its eigenvectors, does there what
# Adam does, and turns the step back. For a matrix $W$ with gradient $G$ there are two averages, of
# $G G^T$ and of $G^T G$, one for each side. Here the parameter is a vector, so that there is one
# (`precondition_1d=True`).

# %%
ANGLES = np.radians([0.0, 15.0, 30.0, 45.0])
PLANE_RATES = np.geomspace(0.003, 0.3, 9)
START = np.array([0.4, 0.9])  # in the eigenvectors of H


def rotation(angle):
    return jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])


def hessian(angle):
    return rotation(angle) @ jnp.diag(jnp.array([100.0, 1.0])) @ rotation(angle).T


def path(make, angle, rate):
    """Fifty steps from the same point of the turned problem, and the values of f there."""
    method, matrix = make(rate), hessian(angle)

    def step(carry, _):
        w, state = carry
        updates, state = method.update(matrix @ w, state, w)
        return (optax.apply_updates(w, updates), state), w

    w = rotation(angle) @ START
    _, points = jax.lax.scan(step, (w, method.init(w)), None, length=51)
    return points, jnp.einsum("ki,ij,kj->k", points, matrix, points) / 2


IN_THE_PLANE = {
    "Adam": lambda rate: optax.adam(rate, 0.9, 0.95),
    "SOAP": lambda rate: optzoo.soap(
        rate, 0.9, 0.95, precondition_frequency=1, precondition_1d=True, weight_decay=0.0
    ),
}
points, final = {}, {}
with jax.enable_x64(True):
    pairs = np.stack(np.meshgrid(ANGLES, PLANE_RATES, indexing="ij"), axis=-1).reshape(-1, 2)
    for name, make in IN_THE_PLANE.items():
        every = jax.jit(lambda p, make=make: jax.lax.map(lambda q: path(make, q[0], q[1]), p))
        w, values = every(jnp.asarray(pairs))
        shape = (len(ANGLES), len(PLANE_RATES), 51)
        points[name] = np.asarray(w).reshape(*shape, 2)
        final[name] = np.asarray(values).reshape(shape)[..., -1]
        line = ", ".join(
            f"{angle:.0f} deg: {value:.2g}"
            for angle, value in zip(np.degrees(ANGLES), final[name].min(axis=1), strict=True)
        )
        print(f"{name}, f after 50 steps at the best of nine rates: {line}")

# %% slideshow={"slide_type": "subslide"}
grid_line = np.linspace(-1.1, 1.1, 111)
plane = np.stack(np.meshgrid(grid_line, grid_line), axis=-1)
with plots.style():
    figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.0))
    for ax, turn in zip(axes, (0, 3), strict=True):
        with jax.enable_x64(True):
            matrix = np.asarray(hessian(ANGLES[turn]))
        heights = np.einsum("...i,ij,...j", plane, matrix, plane) / 2
        paths = {name: points[name][turn, final[name][turn].argmin()] for name in IN_THE_PLANE}
        plots.trajectories(ax, grid_line, grid_line, heights, paths, optimum=[0.0, 0.0])
        ax.set_title(f"turned by {np.degrees(ANGLES[turn]):.0f} degrees")
        ax.set_xlabel("$w_1$")
        ax.set_ylabel("$w_2$")
    axes[0].legend(loc="lower left")
    figure.tight_layout()
    plt.show()

# %% [markdown]
# SOAP's run on the turned problem is its run on the straight one, turned. So its value does not
# depend on the angle. Adam's does. Look at SOAP's first marks: they coincide, because the first
# call only looks at a gradient and takes no step.

# %%
spread = {name: np.ptp(final[name], axis=0) / final[name].max(axis=0) for name in IN_THE_PLANE}
assert spread["SOAP"].max() < 1e-6
assert spread["Adam"].max() > 0.5
assert np.allclose(points["SOAP"][:, :, 0], points["SOAP"][:, :, 1])
lowest = {name: final[name].min(axis=1) for name in IN_THE_PLANE}
assert lowest["Adam"][3] > 10 * lowest["SOAP"][3]
assert lowest["Adam"][0] < 3 * lowest["SOAP"][0]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The same in the network
#
# What SOAP keeps for the second weight matrix, on its side of the 32 hidden units, is the average
# $L$ of $G G^T$, 32 by 32, and an orthogonal matrix $Q$ whose rows are nearly its eigenvectors.
# In the coordinates $Q$ the average is $Q L Q^T$. If it were diagonal, the coordinates of the
# turned gradient would be uncorrelated, and Adam's scaling of each on its own would lose nothing.


# %% slideshow={"slide_type": "subslide"}
def outside(matrix):
    """The share of the squared entries that lies off the diagonal."""
    return 1.0 - np.sum(np.diag(matrix) ** 2) / np.sum(matrix**2)


grams = np.asarray(states["SOAP"].gram[0]["W2"], np.float64)
bases = np.asarray(states["SOAP"].basis[0]["W2"], np.float64)
assert grams.shape == bases.shape == (30, 32, 32)
assert np.allclose(bases @ bases.swapaxes(1, 2), np.eye(32)[None], atol=1e-5)
turned_grams = bases @ grams @ bases.swapaxes(1, 2)

before, after = (np.array([outside(a) for a in matrices]) for matrices in (grams, turned_grams))
print("off the diagonal, at the end of 30 runs (median, and the run at rank 27):")
for name, share in (("before the rotation", before), ("after it", after)):
    print(f"  {name}: {np.median(share):.0%}, {np.sort(share)[26]:.0%}")
assert np.median(before) > 0.6
assert np.median(after) < 0.05

middle = np.argsort(after)[15]
gram, turned = grams[middle], turned_grams[middle]
with plots.style():
    figure, axes = plt.subplots(1, 3, figsize=(9.0, 3.0), width_ratios=(1, 1, 1.4))
    for ax, matrix, title in ((axes[0], gram, "$L$"), (axes[1], turned, "$Q L Q^T$")):
        plots.magnitudes(ax, matrix)
        ax.set_title(title)
    plots.spectra(
        axes[2],
        {
            "diagonal of $L$": np.diag(gram),
            "diagonal of $QLQ^T$": np.diag(turned),
            "eigenvalues": np.linalg.eigvalsh(gram),
        },
    )
    axes[2].set_xlabel("rank")
    axes[2].legend()
    figure.tight_layout()
    plt.show()

# %% [markdown]
# The rotation changes no eigenvalue. It moves the spectrum to the diagonal, where a diagonal
# scaling can reach it. The figure shows a median run. The basis lags: it is refreshed every ten
# calls, by one step of a power iteration, and the average moves on meanwhile. Late in a run, when
# the gradients are small and a single batch can outweigh the average, it can lag far behind: hence
# the second column of numbers above.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: turn the bases off
#
# `max_precond_dim=0` leaves no axis with a basis. Which method is this? Show it on the task of the
# first section. Mind the first call, and that SOAP adds $\epsilon$ to the root of the uncorrected
# second moment: take $\epsilon$ so small that it does not matter.

# %% [markdown] tags=["solution"]
# ## Solution 1
#
# It is Adam, one call later: SOAP's first call takes no step.

# %% tags=["solution"]
decays = {"b1": 0.95, "b2": 0.95, "eps": 1e-30}
plain = descend(optzoo.soap(0.03, max_precond_dim=0, weight_decay=0.0, **decays), calls=21)
adam_weights = descend(optax.adam(0.03, **decays), calls=20)
assert np.allclose(plain, adam_weights, atol=1e-5)
assert not np.allclose(plain, descend(optax.adam(0.03, **decays), calls=21), atol=1e-3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: turn the matrix
#
# Let $U$ and $V$ be orthogonal and let the gradients be $U G_t V^T$ instead of $G_t$. Then SOAP's
# updates are $U \Delta_t V^T$ instead of $\Delta_t$. Check it on 12 random 4 by 4 gradients, and
# check that Adam's are not.

# %% [markdown] tags=["solution"]
# ## Solution 2


# %% tags=["solution"]
def moved(method, gradients):
    """The sum of the updates."""

    def step(state, gradient):
        updates, state = method.update(gradient, state, gradient)
        return state, updates

    return jnp.sum(jax.lax.scan(step, method.init(gradients[0]), gradients)[1], axis=0)


draw = np.random.default_rng(1)
left, right = (np.linalg.qr(draw.standard_normal((4, 4)))[0] for _ in range(2))
gradients = draw.standard_normal((12, 4, 4))
errors = {}
with jax.enable_x64(True):
    for name, method in {
        "SOAP": optzoo.soap(0.1, precondition_frequency=2, weight_decay=0.0),
        "Adam": optax.adam(0.1),
    }.items():
        both = jax.jit(lambda g, method=method: moved(method, g))
        straight, turned_run = (both(jnp.asarray(g)) for g in (gradients, left @ gradients @ right))
        errors[name] = float(np.abs(turned_run - left @ straight @ right).max())
assert errors["SOAP"] < 1e-9
assert errors["Adam"] > 0.05
print(f"Adam is off by {errors['Adam']:.2f}, SOAP by round-off")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: what a step costs
#
# For an $m \times n$ matrix and a batch of $B$, forward and backward pass take about $3Bmn$
# multiplications. SOAP turns the gradient in and the step out and forms both averages: how many
# multiplications are that, and for which $B$ are they at most a tenth of the passes?

# %% [markdown] tags=["solution"]
# ## Solution 3
#
# A product with the left basis takes $m^2 n$ multiplications, with the right one $m n^2$. There are
# three such pairs (in, out, averages), together $3mn(m + n)$. That is a share of $(m + n)/B$ of the
# passes, whatever the sizes: a tenth from $B = 10(m + n)$ on. Our first layer with $m + n = 96$ and
# $B = 128$ pays 75%, refreshes not counted. Large batches are where SOAP belongs.

# %% tags=["solution"]
m, n = 64, 32
share = 3 * m * n * (m + n) / (3 * BATCH * m * n)
assert share == (m + n) / BATCH == 0.75
assert 3 * m * n * (m + n) / (3 * 10 * (m + n) * m * n) == 0.1

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What may not be concluded
#
# - *That SOAP trains faster in seconds.* The axis counts steps. A step of SOAP costs more
#   (exercise 3), and its refreshes are not in that count.
# - *That it is better elsewhere.* One small network, one data set, one batch size, one budget of
#   200 steps. The training set is fitted almost exactly; most tasks are not like that.
# - *That it generalizes better.* The accuracies on other images are as good as equal.
# - *That the tuning is complete.* Rate and decays were tuned, on a coarse grid, on three seeds, for
#   this budget. Schedules, weight decay and $\epsilon$ were not, and Adam might gain from them.
# - *That a rotation always helps.* In the plane the gradients are exact and the angle was chosen
#   against Adam; at zero degrees there is little to gain. A basis that is estimated
#   from noise, or that lags, can be wrong.
