"""Claims on SOAP: the comparison of iterates, the mutants, and the claims with their controls."""

import jax
import numpy as np
import optax
import pytest

import optzoo
from theory_checks.claims import CLAIMS
from theory_checks.claims.soap import mutants
from theory_checks.claims.soap.iterates import WINDOW, drifting_gradients, farthest, iterates
from theory_checks.claims.soap.regret import regret_bound
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim
from theory_checks.statistics.protocol import Protocol


def test_farthest_finds_one_wrong_entry_of_one_call():
    exact = np.random.default_rng(0).standard_normal((3 * WINDOW, 4, 5))
    measured = exact.copy()
    measured[WINDOW + 3, 2, 1] += 1e-3
    left, right = farthest([exact, measured], [exact, exact])
    assert left.shape == right.shape == (6,)
    np.testing.assert_allclose(left - right, [0, 0, 0, 0, 1e-3, 0], atol=1e-15)


def test_iterates_are_those_of_a_loop():
    start, gradients = drifting_gradients({"a": (2, 3), "b": (2,)}, 5)
    found = iterates(optax.sgd, start, gradients, learning_rate=0.1)
    for name, leaf in found.items():
        expected = start[name] - 0.1 * np.cumsum(gradients[name], axis=0)
        np.testing.assert_allclose(leaf, expected, atol=1e-14)


def test_another_arrangement_has_sorted_vectors_and_another_state():
    """The null among the controls of parity is no copy of the method."""
    start, gradients = drifting_gradients({"w": (5, 5)}, 60)
    plain = optzoo.soap(0.01, precondition_frequency=1)
    sorted_ = mutants.columns_sorted(plain)

    def final(method):
        def step(state, g):
            return method.update(g, state, start)[1], None

        return jax.lax.scan(step, method.init(start), gradients)[0]

    one, other = jax.jit(lambda: (final(plain), final(sorted_)))()
    gram, basis = other.gram[0]["w"], other.basis[0]["w"]
    np.testing.assert_allclose(gram, one.gram[0]["w"], rtol=1e-12)
    assert np.all(np.diff(np.diag(basis @ gram @ basis.T)) < 0)
    unsorted = one.basis[0]["w"]
    assert not np.all(np.diff(np.diag(unsorted @ gram @ unsorted.T)) < 0)
    # As sets of vectors, up to signs, the bases are equal.
    overlaps = np.abs(basis @ unsorted.T)
    np.testing.assert_allclose(np.sort(overlaps.max(axis=1)), np.ones(5), atol=1e-10)


def test_regret_bound_of_one_gradient():
    """G = 3 u v^T: the traces are (9 + eps)^(1/4) and, in the other directions, eps^(1/4)."""
    g = np.zeros((1, 2, 3))
    g[0, 1, 2] = 3.0
    big, small = (9 + 1e-4) ** 0.25, 0.1
    traces = (big + small) * (big + 2 * small)
    found = regret_bound(g, D=2.0, eta=0.5, r=1, eps=1e-4)
    np.testing.assert_allclose(found, (4 / (2 * 0.5) + 0.5) * traces, rtol=1e-12)
    prescribed = regret_bound(g, D=2.0, eta=2 / np.sqrt(6), r=3, eps=1e-4)
    np.testing.assert_allclose(prescribed, np.sqrt(6) * 2 * traces, rtol=1e-12)


CHOSEN = ("soap/adafactor", "soap/scale", "soap/shampoo/any-step")


@pytest.mark.parametrize("identifier", CHOSEN)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    (claim,) = [one for one in CLAIMS if one.id == identifier]
    found = run_claim(claim, Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]
