"""Methods that Three Pillars is compared with: each against its statement in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.compressors import RandK

from . import distributed_in_numpy as in_numpy
from .distributed import method
from .workers import (
    client_weights,
    flat,
    on_workers,
    onto_ball,
    onto_ball_in_numpy,
    perm_k_weights,
    rand_k_weights,
    unequal_operators,
)

DIM = 7


def start():
    """A two-player problem: one tree, one vector for the compressor."""
    return {"x": jnp.full((2, 2), 0.1), "y": jnp.array([0.2, -0.1, 0.3])}


DETERMINISTIC = {
    "extragradient": (
        method("distributed_extragradient"),
        lambda problem, z: in_numpy.extragradient(problem, z, 0.2),
        (2, 2, 0),
    ),
    "extragradient-ball": (
        method("distributed_extragradient", project=onto_ball),
        lambda problem, z: in_numpy.extragradient(problem, z, 0.2, onto_ball_in_numpy),
        (2, 2, 0),
    ),
    "local": (
        method("local_extragradient"),
        lambda problem, z: in_numpy.local_extragradient(problem, z, 0.2, 3),
        (1, 1, 0),
    ),
    "local-ball": (
        method("local_extragradient", local_steps=1, project=onto_ball),
        lambda problem, z: in_numpy.local_extragradient(problem, z, 0.2, 1, onto_ball_in_numpy),
        (1, 1, 0),
    ),
    "similarity": (
        method("extragradient_sliding", eta=None, alpha=0.0),
        lambda problem, z: in_numpy.sliding(problem, z, 0.4, 0.1, 3, 0.4, 0.0),
        (2, 2, 2),
    ),
    "sliding-ball": (
        method("extragradient_sliding", eta=0.9, project=onto_ball),
        lambda problem, z: in_numpy.sliding(problem, z, 0.4, 0.1, 3, 0.9, 0.2, onto_ball_in_numpy),
        (2, 2, 2),
    ),
}


def with_its_servers(cases, broadcasts):
    """Each with the server's operator on worker 0 alone, and, if there is a server, on all."""
    for name, case in cases.items():
        yield pytest.param(name, False, id=name)
        if broadcasts(case):
            yield pytest.param(name, True, id=f"{name}-on_all")


@pytest.mark.parametrize(
    ("name", "everywhere"), [*with_its_servers(DETERMINISTIC, lambda case: case[2][2])]
)
def test_deterministic_methods_are_their_statements(name, everywhere):
    run_by, statement, (rounds, vectors, broadcasts) = DETERMINISTIC[name]
    problem, z = unequal_operators(4, DIM), start()
    run, state = on_workers(run_by, problem, z, everywhere=everywhere)
    run, paper = jax.jit(run), statement(problem, flat(z))
    for _ in range(12):
        z, state = run(z, state)
        np.testing.assert_allclose(flat(z), next(paper), atol=1e-13)
    assert int(state.steps) == 12
    assert state.sent.messages is None
    counted = state.sent.rounds, state.sent.vectors, state.sent.broadcasts
    assert [int(n) for n in counted] == [
        12 * rounds,
        12 * vectors,
        0 if everywhere else 12 * broadcasts,
    ]


PERM, RAND, CLIENTS = perm_k_weights(4, DIM), rand_k_weights(6, 2, DIM), client_weights(2, 4, DIM)

RANDOM = {
    "masha1-rand_k": (
        method("masha1", compressor=RandK(6, 2)),
        lambda problem, z: in_numpy.masha1(problem, z, 0.2, 0.35, RAND),
        2,
        0,
    ),
    "masha1-ball": (
        method("masha1", project=onto_ball),
        lambda problem, z: in_numpy.masha1(problem, z, 0.2, 0.35, PERM, onto_ball_in_numpy),
        4,
        0,
    ),
    "optimistic": (
        method("optimistic_masha"),
        lambda problem, z: in_numpy.optimistic_masha(problem, z, 0.1, 0.35, 0.9, PERM),
        4,
        0,
    ),
    "optimistic-ball": (
        method("optimistic_masha", compressor=RandK(6, 2), project=onto_ball),
        lambda problem, z: in_numpy.optimistic_masha(
            problem, z, 0.1, 0.35, 0.9, RAND, onto_ball_in_numpy
        ),
        2,
        0,
    ),
    "svogs": (
        method("svogs"),
        lambda problem, z: in_numpy.svogs(problem, z, 0.2, 0.1, 3, 0.35, 0.9, CLIENTS),
        4,
        2,
    ),
    "svogs-ball": (
        method("svogs", project=onto_ball),
        lambda problem, z: in_numpy.svogs(
            problem, z, 0.2, 0.1, 3, 0.35, 0.9, CLIENTS, onto_ball_in_numpy
        ),
        4,
        2,
    ),
    "masha2": (
        method("masha2"),
        lambda problem, z: in_numpy.masha2(problem, z, 0.1, 0.35, 2),
        4,
        0,
    ),
}


@pytest.mark.parametrize(("name", "everywhere"), [*with_its_servers(RANDOM, lambda case: case[3])])
def test_every_step_of_a_random_method_is_an_outcome_of_its_statement(name, everywhere):
    run_by, statement, workers, broadcasts = RANDOM[name]
    problem, z = unequal_operators(workers, DIM), start()
    run, state = on_workers(run_by, problem, z, everywhere=everywhere)
    run, paper = jax.jit(run), statement(problem, flat(z))
    sent, seen, refreshes = 0, set(), 0
    next(paper)
    for k in range(30):
        z, state = run(z, state)
        refreshed = int(state.sent.vectors) > sent
        sent = int(state.sent.vectors)
        assert refreshed or k > 0  # at first there is no reference
        refreshes += refreshed
        outcomes = paper.send(refreshed)
        distances = np.abs(outcomes - flat(z)).max(axis=1)
        assert distances.min() < 1e-13
        seen.add(int(distances.argmin()))
        paper.send(int(distances.argmin()))
    assert 3 < refreshes < 16
    assert len(seen) >= min(len(outcomes), 4)
    counted = state.sent.rounds, state.sent.messages, state.sent.broadcasts
    assert [int(n) for n in counted] == [30 + refreshes, 30, 0 if everywhere else 30 * broadcasts]
