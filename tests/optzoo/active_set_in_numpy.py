"""The Frank-Wolfe methods with an active set once more, from their pseudo-code, in NumPy.

The set is a dictionary from atoms, tuples of numbers, to weights, and the oracle enumerates
vertices, so that an atom is always the same tuple. After an exact line search two atoms have the
same product with the gradient, and which of them is called the best is left to round-off: a step is
given with all that it may be.
"""

import itertools

import numpy as np

TIE = 1e-12  # relative to |g|_1


def short(smoothness):
    """The short step for this L."""

    def step(gradient, d, largest):
        return min(largest, -(gradient @ d) / (smoothness * (d @ d))) if d.any() else 0.0

    return step


def exact(matrix):
    """The exact line search for a quadratic with this Hessian."""

    def step(gradient, d, largest):
        return min(largest, -(gradient @ d) / (d @ matrix @ d)) if d.any() else 0.0

    return step


def simplex(d):
    return np.eye(d)


def l1_ball(d):
    return np.concatenate([np.eye(d), -np.eye(d)])


def box(d):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=d)))


def point(weights):
    """x, of atoms and their weights."""
    return sum(w * np.array(atom) for atom, w in weights.items())


def best(atoms, g):
    """The atoms of the smallest product with g."""
    values = {atom: g @ np.array(atom) for atom in map(tuple, atoms)}
    slack = TIE * np.abs(g).sum()
    return [atom for atom, value in values.items() if value <= min(values.values()) + slack]


def scaled(weights, factor):
    return {atom: factor * w for atom, w in weights.items() if factor * w > 0}


def toward(weights, s, g, step):
    eta = step(g, np.array(s) - point(weights), 1.0)
    following = scaled(weights, 1 - eta)
    following[s] = following.get(s, 0.0) + eta
    return following, "toward"


def away(weights, a, g, step):
    largest = weights[a] / (1 - weights[a])
    eta = step(g, point(weights) - np.array(a), largest)
    following = scaled(weights, 1 + eta)
    following[a] -= eta
    if eta == largest > 0:
        del following[a]
    return following, "drop" if eta == largest > 0 else "away"


def pairwise(weights, s, a, g, step, inside="pairwise"):
    largest, following = weights[a], dict(weights)
    eta = step(g, np.array(s) - np.array(a), largest)
    following[s] = following.get(s, 0.0) + eta
    following[a] -= eta
    if s == a or not eta == largest > 0:
        return following, inside
    del following[a]
    return following, "drop" if s in weights else "swap"


def away_step_steps(vertices, weights, g, step):
    """All (next weights, what happened) of a step of away-step Frank-Wolfe."""
    x = point(weights)
    for s, a in itertools.product(best(vertices, g), best(weights, -g)):
        gap, away_gap = -g @ (np.array(s) - x), -g @ (x - np.array(a))
        slack = TIE * np.abs(g).sum()
        if gap >= away_gap - slack:
            yield toward(weights, s, g, step)
        if gap <= away_gap + slack and len(weights) > 1:
            yield away(weights, a, g, step)


def pairwise_steps(vertices, weights, g, step):
    """All (next weights, what happened) of a step of pairwise Frank-Wolfe."""
    for s, a in itertools.product(best(vertices, g), best(weights, -g)):
        yield pairwise(weights, s, a, g, step)


def blended_pairwise_steps(vertices, weights, g, step):
    """All (next weights, what happened) of a step of blended pairwise Frank-Wolfe."""
    x = point(weights)
    atoms = best(vertices, g), best(weights, -g), best(weights, g)
    for s, a, local in itertools.product(*atoms):
        gap, local_gap = g @ (x - np.array(s)), g @ (np.array(a) - np.array(local))
        slack = TIE * np.abs(g).sum()
        if local_gap >= gap - slack:
            yield pairwise(weights, local, a, g, step, "local")
        if local_gap <= gap + slack:
            yield toward(weights, s, g, step)
