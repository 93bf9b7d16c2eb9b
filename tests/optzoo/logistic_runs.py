"""Runs of the stochastic Frank-Wolfe methods on the logistic regression of their statements."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optzoo import lmo

from . import stochastic_frank_wolfe_in_numpy as in_numpy

A, Y = jnp.asarray(in_numpy.FEATURES), jnp.asarray(in_numpy.LABELS)
EVERY = np.arange(in_numpy.N)
STARTS = {"l1_ball": np.zeros(in_numpy.D), "simplex": np.full(in_numpy.D, 1 / in_numpy.D)}
SETS = {"l1_ball": lmo.l1_ball(4.0), "simplex": lmo.simplex()}
VERTICES = {"l1_ball": in_numpy.l1_ball, "simplex": in_numpy.simplex}


def scalars(x, batch):
    """phi_i'(<a_i, x>) of the batch."""
    a, y = A[batch].astype(x.dtype), Y[batch].astype(x.dtype)
    return -y * jax.nn.sigmoid(-y * (a @ x))


def rows(x, batch):
    return A[batch].astype(x.dtype) * scalars(x, batch)[:, None]


def gradient(x, batch):
    return jnp.mean(rows(x, batch), axis=0)


def drawn(calls, size, seed=0):
    """Micro batches, with replacement, (calls, size)."""
    return np.random.default_rng(seed).integers(in_numpy.N, size=(calls, size))


def functions(batch):
    """What `update` may evaluate, of a micro batch."""
    return {
        "grad_fn": lambda p: gradient(p, batch),
        "full_grad_fn": lambda p: gradient(p, EVERY),
    }


def run(method, x, batches, extras=functions, gradients=gradient):
    """The parameters after every call, (calls, d), the updates, `steps` after it, and the state."""
    x = jnp.asarray(x)

    def call(carry, batch):
        x, state = carry
        updates, state = method.update(gradients(x, batch), state, x, **extras(batch))
        x = optax.apply_updates(x, updates)
        return (x, state), (x, updates, state.steps)

    (_, state), out = jax.jit(lambda c, b: jax.lax.scan(call, c, b))(
        (x, method.init(x)), jax.tree.map(jnp.asarray, batches)
    )
    return *map(np.asarray, out), state


def iterates(run_of):
    """The parameters after every step, and the number of calls that each took."""
    xs, updates, steps, state = run_of
    before = np.concatenate([[0], steps[:-1]])
    complete = steps > before
    assert np.all(steps - before <= 1)
    assert not np.any(updates[~complete])  # exactly
    ends = np.flatnonzero(complete)
    return xs[complete], np.diff(np.concatenate([[-1], ends])), state


def stated(statement, count):
    """So many iterates of a statement."""
    return np.array([x for _, x in zip(range(count), statement, strict=False)])


def drawing(batches):
    """`draw` of a statement, over the same micro batches."""
    left = iter(batches)
    return lambda: list(next(left))


def counted(method, x, calls):
    """How often each function was evaluated in so many compiled calls, and the state."""
    found = {"grad_fn": 0, "full_grad_fn": 0}

    def counting(name):
        def evaluate(p):
            def count():
                found[name] += 1

            jax.debug.callback(count)
            return gradient(p, EVERY)

        return evaluate

    functions = {name: counting(name) for name in found}

    @jax.jit
    def call(x, state):
        updates, state = method.update(gradient(x, EVERY), state, x, **functions)
        return optax.apply_updates(x, updates), state

    x = jnp.asarray(x)
    state = method.init(x)
    for _ in range(calls):
        x, state = call(x, state)
    jax.effects_barrier()
    return found, state
