"""The methods for distributed variational inequalities once more, as loops over workers in NumPy.

Each is a generator of steps: it is sent whether the coin fell on a refresh, and yields the points
that the next iterate may be, one for each outcome of the compressor; then it is sent the index of
the outcome that happened.
"""

import numpy as np


def whole(z):
    return z


def solve_locally(problem, shift, center, gamma, step, num_steps, start, project):
    """Extragradient on F_1(u) + shift + (u - center) / gamma."""

    def g(u):
        return problem.matrices[0] @ u + problem.offsets[0] + shift + (u - center) / gamma

    u = start
    for _ in range(num_steps):
        half = project(u - step * g(u))
        u = project(u - step * g(half))
    return u


def mean(problem, z):
    return sum(a @ z + b for a, b in zip(problem.matrices, problem.offsets, strict=True)) / len(
        problem.matrices
    )


def extragradient(problem, z, gamma, project=whole):
    while True:
        half = project(z - gamma * mean(problem, z))
        z = project(z - gamma * mean(problem, half))
        yield z


def local_extragradient(problem, z, gamma, num_steps, project=whole):
    while True:
        last = []
        for a, b in zip(problem.matrices, problem.offsets, strict=True):
            u = z
            for _ in range(num_steps):
                half = project(u - gamma * (a @ u + b))
                u = project(u - gamma * (a @ half + b))
            last.append(u)
        z = sum(last) / len(last)
        yield z


def sliding(problem, z, theta, step, num_steps, eta, alpha, project=whole):
    def rest(u):
        return mean(problem, u) - (problem.matrices[0] @ u + problem.offsets[0])

    while True:
        u = solve_locally(problem, rest(z), z, theta, step, num_steps, z, project)
        g = rest(u) - rest(z) - (u - z) / theta
        z = project(z + eta * alpha * (u - z) - eta * g)
        yield z


def masha1(problem, z, gamma, tau, weights, project=whole):
    m = z
    while True:
        if (yield None):
            m = z
        v = (1 - tau) * z + tau * m
        u = project(v - gamma * mean(problem, m))
        differences = problem.values(u) - problem.values(m)
        outcomes = [
            project(v - gamma * (mean(problem, m) + (w * differences).sum(axis=0))) for w in weights
        ]
        z = outcomes[(yield np.array(outcomes))]


def masha2(problem, z, gamma, tau, kept):
    """With the `kept` largest entries of each message; the coordinates of a tie are no matter."""
    m, errors = z, np.zeros_like(problem.values(z))
    while True:
        if (yield None):
            m = z
        u = (1 - tau) * z + tau * m - gamma * mean(problem, m)
        full = gamma * (problem.values(u) - problem.values(m)) + errors
        sent = np.zeros_like(full)
        for row, message in zip(full, sent, strict=True):
            largest = np.argsort(-np.abs(row))[:kept]
            message[largest] = row[largest]
        errors = full - sent
        z = u - sent.mean(axis=0)
        yield np.array([z])


def optimistic_masha(problem, z, gamma, tau, alpha, weights, project=whole):
    w = before = previous = z
    while True:
        before = w
        if (yield None):
            w = z
        here = problem.values(z)
        a = here - problem.values(before) + alpha * (here - problem.values(previous))
        outcomes = []
        for weight in weights:
            delta = mean(problem, before) + (weight * a).sum(axis=0)
            outcomes.append(project(z + tau * (w - z) - gamma * delta))
        previous = z
        z = outcomes[(yield np.array(outcomes))]


def svogs(problem, z, gamma, step, num_steps, tau, alpha, weights, project=whole):
    def differences(u):
        values = problem.values(u)
        return values - values[0]

    w = before = previous = z
    while True:
        before = w
        if (yield None):
            w = z
        here = differences(z)
        a = here - differences(before) + alpha * (here - differences(previous))
        outcomes = []
        for weight in weights:
            delta = differences(before).mean(axis=0) + (weight * a).sum(axis=0)
            center = z + tau * (w - z)
            outcomes.append(
                solve_locally(problem, delta, center, gamma, step, num_steps, z, project)
            )
        previous = z
        z = outcomes[(yield np.array(outcomes))]
