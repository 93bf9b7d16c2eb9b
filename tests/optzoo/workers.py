"""Affine operators split over workers, and Three Pillars on them, once more in NumPy."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec

import optzoo

AXIS = "workers"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AffineOperators:
    """F_i(z) = A_i z + b_i; worker 0 is the server."""

    matrices: np.ndarray  # (n, d, d)
    offsets: np.ndarray  # (n, d)

    @property
    def num_workers(self):
        return len(self.matrices)

    @property
    def dim(self):
        return self.matrices.shape[1]

    @property
    def solution(self):
        return np.linalg.solve(self.matrices.mean(axis=0), -self.offsets.mean(axis=0))

    @property
    def lipschitz(self):
        return max(np.linalg.norm(matrix, 2) for matrix in self.matrices)

    def values(self, z):
        """F_1(z), ..., F_n(z), shape (n, d)."""
        return self.matrices @ z + self.offsets

    def of(self, data, z):
        """F_i of a tree z for the data of one worker, (A_i, b_i)."""
        matrix, offset = data
        vector, unflatten = ravel_pytree(z)
        return unflatten(matrix.astype(vector.dtype) @ vector + offset.astype(vector.dtype))

    @property
    def data(self):
        """(A, b), one row a worker."""
        return jnp.asarray(self.matrices), jnp.asarray(self.offsets)


def saddle(n, half, *, mu, delta, server=0.0, seed=0):
    """B_i = server * O_1 + delta O_i in F_i(x, y) = mu z + (B_i y, -B_i' x) + b_i.

    The O_i are orthogonal and cancel in pairs: F_i - F is delta times an isometry.
    """
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.normal(size=(half, half)))[0] for _ in range(n // 2)]
    turns = [sign * turn for turn in turns for sign in (1, -1)]
    d = 2 * half
    matrices = np.zeros((n, d, d))
    for matrix, turn in zip(matrices, turns, strict=True):
        coupling = server * turns[0] + delta * turn
        matrix[:half, half:], matrix[half:, :half] = coupling, -coupling.T
        matrix += mu * np.eye(d)
    return AffineOperators(matrices, rng.normal(size=(n, d)))


def unequal_operators(n, d, seed=0):
    """Strongly monotone in the mean, with no further structure."""
    rng = np.random.default_rng(seed)
    skew = rng.normal(size=(d, d))
    matrices = np.eye(d) + (skew - skew.T) / 2 + 0.3 * rng.normal(size=(n, d, d))
    return AffineOperators(matrices, rng.normal(size=(n, d)))


def flat(tree):
    """All numbers of a tree, a NumPy vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def onto_ball(tree):
    """The projection onto the ball of radius 0.7."""
    vector, unflatten = ravel_pytree(tree)
    return unflatten(vector * jnp.minimum(1, 0.7 / jnp.linalg.norm(vector)))


def onto_ball_in_numpy(z):
    return z * min(1, 0.7 / np.linalg.norm(z))


def axes_of(specs):
    """The axes of `vmap` for the specs of `shard_map`."""
    return jax.tree.map(lambda spec: 0 if spec == PartitionSpec(AXIS) else None, specs)


def on_workers(method, problem, params, *, everywhere=True, extras=None):
    """(z, state) -> (z, state) of all workers, by `vmap`, and the state at the start."""
    data = problem.data
    server = jax.tree.map(lambda rows: rows[0], data)
    extras = dict(extras or {})
    if everywhere:
        extras["server_operator_fn"] = lambda u: problem.of(server, u)

    def step(z, state, row):
        updates, state = method.update(
            problem.of(row, z), state, z, operator_fn=lambda u: problem.of(row, u), **extras
        )
        return optax.apply_updates(z, updates), state

    axes = axes_of(optzoo.worker_specs(method, params, AXIS))
    init = jax.vmap(method.init, None, axes, axis_size=problem.num_workers, axis_name=AXIS)
    mapped = jax.vmap(step, (None, axes, 0), (None, axes), axis_name=AXIS)
    return (lambda z, state: mapped(z, state, data)), init(params)


def state_at(problem, state, m):
    """The state of a run that refreshed at m and goes on; vectors only."""
    rows = problem.data[0] @ m + problem.data[1]
    return state._replace(
        steps=jnp.ones_like(state.steps),
        reference=m,
        reference_operator=rows.reshape(state.reference_operator.shape),
        mean_reference_operator=jnp.mean(rows, axis=0),
    )


# What a compressor makes of the messages, (1/n) sum Q_i(a_i) = sum_i w_i a_i with a matrix of
# weights (n, d) for each of its equally likely outcomes.


def perm_k_weights(n, d):
    block = np.arange(d) // -(-d // n)
    owners = [(block - shift) % n for shift in range(n)]
    return np.array([owner == np.arange(n)[:, None] for owner in owners], float)


def client_weights(b, n, d):
    draws = itertools.product(range(n), repeat=b)
    counts = [np.bincount(draw, minlength=n) / b for draw in draws]
    return np.array([np.repeat(count[:, None], d, axis=1) for count in counts])


def rand_k_weights(k, n, d):
    masks = [np.bincount(s, minlength=d) * d / (k * n) for s in itertools.combinations(range(d), k)]
    return np.array(list(itertools.product(masks, repeat=n)))


@dataclasses.dataclass(frozen=True)
class Reference:
    """Algorithm 1 in NumPy."""

    problem: AffineOperators
    gamma: float
    local_step: float
    local_steps: int
    momentum: float
    project: object = staticmethod(lambda z: z)

    def server_point(self, z, m, noise=None):
        """u_H; `noise` has a row for each evaluation of F_1 in the local steps."""
        shift = self.problem.values(m).mean(axis=0) - self.problem.values(m)[0]
        center = z + self.momentum * (m - z)
        rows = iter(np.zeros((2 * self.local_steps, len(z))) if noise is None else noise)

        def g(u, noise):
            return self.problem.values(u)[0] + noise + shift + (u - center) / self.gamma

        u, error = z, np.zeros(len(z))
        for _ in range(self.local_steps):
            half = self.project(u - self.local_step * g(u, error))
            u = self.project(u - self.local_step * g(half, next(rows)))
            error = next(rows)
        return u

    def exact_server_point(self, z, m):
        """The solution of the sub-problem on the whole space."""
        values = self.problem.values(m)
        center = z + self.momentum * (m - z)
        constant = self.problem.offsets[0] + values.mean(axis=0) - values[0] - center / self.gamma
        d = len(z)
        return np.linalg.solve(self.problem.matrices[0] + np.eye(d) / self.gamma, -constant)

    def differences(self, u, m):
        """a_i, shape (n, d)."""
        change = self.problem.values(m) - self.problem.values(u)
        return change - change[0]

    def outcomes(self, u, m, weights):
        """z^{k+1} for every outcome of the compressor."""
        means = (weights * self.differences(u, m)).sum(axis=1)
        return np.array([self.project(u + self.gamma * mean) for mean in means])
