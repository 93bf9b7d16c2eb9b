"""The stochastic Frank-Wolfe methods, statement by statement, in lists, loops and float64.

Logistic regression, f_i(x) = log(1 + exp(-y_i <a_i, x>)). `draw()` returns the indices of the next
micro batch; a batch of m samples is as many micro batches as it takes. Each method is a generator
of its iterates, the start left out. Written from the papers' pseudo-code, and knows no JAX.
"""

import math

import numpy as np

N, D = 20, 6
FEATURES = np.random.default_rng(0).normal(size=(N, D))
LABELS = np.sign(np.random.default_rng(1).normal(size=N))


def derivative(i, x):
    """phi_i'(<a_i, x>)."""
    return -LABELS[i] / (1 + math.exp(LABELS[i] * float(FEATURES[i] @ x)))


def gradient(i, x):
    return derivative(i, x) * FEATURES[i]


def full(x):
    return sum(gradient(i, x) for i in range(N)) / N


def l1_ball(g, radius=4.0):
    i = max(range(D), key=lambda j: abs(g[j]))
    vertex = np.zeros(D)
    vertex[i] = -radius if g[i] > 0 else radius
    return vertex


def simplex(g):
    vertex = np.zeros(D)
    vertex[min(range(D), key=lambda j: g[j])] = 1.0
    return vertex


def batch_of(m, draw):
    """At least m samples."""
    samples = []
    while len(samples) < m:
        samples.extend(draw())
    return samples


def stochastic_frank_wolfe(x, lmo, draw, samples, eta=lambda k: 2 / (k + 2)):
    """Hazan, Luo, Algorithm 3."""
    k = 0
    while True:
        batch = batch_of(samples(k), draw)
        g = sum(gradient(i, x) for i in batch) / len(batch)
        x = (1 - eta(k)) * x + eta(k) * lmo(g)
        k += 1
        yield x


def momentum_frank_wolfe(
    x, lmo, draw, eta=lambda k: 1 / (k + 1), rho=lambda k: 4 / (k + 8) ** (2 / 3)
):
    """Mokhtari, Hassani, Karbasi, Algorithm 2."""
    d, k = np.zeros(D), 0
    while True:
        batch = draw()
        g = sum(gradient(i, x) for i in batch) / len(batch)
        d = (1 - rho(k)) * d + rho(k) * g
        x = (1 - eta(k)) * x + eta(k) * lmo(d)
        k += 1
        yield x


def sag_frank_wolfe(x, lmo, draw, alpha=None, eta=lambda k: 2 / (k + 2)):
    """Negiar et al., Algorithm 1, the gradient summed anew in every step."""
    alpha, k = [0.0] * N if alpha is None else list(alpha), 0
    while True:
        for i in draw():
            alpha[i] = derivative(i, x)
        g = sum(alpha[i] * FEATURES[i] for i in range(N)) / N
        x = (1 - eta(k)) * x + eta(k) * lmo(g)
        k += 1
        yield x


def sagafw(x, lmo, draw, eta, warm=True):
    """Reddi, Sra, Poczos, Smola, Algorithm 4: `draw()` returns the indices of both batches.

    The table has the points alpha_i as in the paper; None stands for the gradient 0.
    """
    points, k = [x if warm else None] * N, 0

    def remembered(i):
        return np.zeros(D) if points[i] is None else gradient(i, points[i])

    while True:
        drawn, renewed = draw()
        mean = sum(remembered(i) for i in range(N)) / N
        g = sum(gradient(i, x) - remembered(i) for i in drawn) / len(drawn) + mean
        for j in renewed:
            points[j] = x
        x = (1 - eta(k)) * x + eta(k) * lmo(g)
        k += 1
        yield x


def svrf(x, lmo, draw, samples=lambda k: 96 * (k + 2), eta=lambda k: 2 / (k + 2)):
    """Hazan, Luo, Algorithm 1."""
    draw()  # the call of the start brings a micro batch too
    w, t = lmo(full(x)), 1
    yield w
    while True:
        at_snapshot, x = full(w), w
        for k in range(2 ** (t + 3) - 2):
            # In the first step the differences are zero, whatever is drawn, and however much.
            batch = batch_of(samples(k) if k else 1, draw)
            g = sum(gradient(i, x) - gradient(i, w) for i in batch) / len(batch) + at_snapshot
            x = (1 - eta(k)) * x + eta(k) * lmo(g)
            yield x
        w, t = x, t + 1


def spider_frank_wolfe(x, lmo, draw, q=None, samples=None, eta=None):
    """Yurtsever, Sra, Cevher: SPIDER-FW for convex functions, with q for others."""
    t, step, before = 1, 0, x
    while True:
        length = 2 ** (t - 1) if q is None else q
        for k in range(1, length + 1):
            if k == 1:
                draw()  # the call of the full gradient brings a micro batch too
                g = full(x)
            else:
                batch = batch_of(length if samples is None else samples(step), draw)
                g = g + sum(gradient(i, x) - gradient(i, before) for i in batch) / len(batch)
            size = 2 / (length + k) if eta is None else eta(step)
            before, x = x, (1 - size) * x + size * lmo(g)
            step += 1
            yield x
        t += 1
