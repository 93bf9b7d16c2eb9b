"""Claims on SOAP: the comparison of iterates, the mutants, the settings."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo.theorems.soap import S6
from theory_checks.claims.soap import momentum, mutants, regret, stale_spectrum
from theory_checks.claims.soap.settings import (
    EPSILON,
    RegretSetting,
    SoapSetting,
    drifting_gradients,
)
from theory_checks.simulation.iterates import WINDOW, farthest, iterates


def test_farthest_finds_one_wrong_entry_of_one_call():
    exact = np.random.default_rng(0).standard_normal((3 * WINDOW, 4, 5))
    measured = exact.copy()
    measured[WINDOW + 3, 2, 1] += 1e-3
    left, right = farthest({"a": exact, "b": measured}, {"a": exact, "b": exact})
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
    sorted_ = mutants.columns_sorted(learning_rate=0.01, precondition_frequency=1)

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


def test_what_a_setting_shows_is_what_its_run_and_its_loop_take():
    setting = SoapSetting(text="one", shapes={"w": (3,)}, calls=3, eta=0.5, decay=0.0)
    start, gradients = setting.given("w")
    shown = {name: one.value for name, one in setting.constants.items()}
    assert shown["eta"] == 0.5
    for changes in ({}, {"eta": 0.1}):
        found = setting.run(start, gradients, **changes)["w"]
        loop = setting.bound(S6, start["w"], gradients["w"], **changes)
        np.testing.assert_allclose(found, loop, rtol=1e-12)
        moved = np.abs(found - start["w"]).max(axis=1)
        np.testing.assert_allclose(moved[:2], [0, (shown | changes)["eta"]], rtol=1e-6)


def test_the_planes_of_the_stream_turn_as_the_theorem_has_them():
    gradients = stale_spectrum.stream(10)
    grams = gradients @ gradients.transpose(0, 2, 1)
    eigenvalues = np.sort(np.array([plane[:2] for plane in stale_spectrum.PLANES]).ravel())
    np.testing.assert_allclose(np.linalg.eigvalsh(grams), [eigenvalues] * 11, rtol=1e-10)
    # <A_0, A_t>, the cosines of twice the angles.
    inner = np.einsum("ij,tij->t", grams[0], grams)
    expected = sum(
        ((large + small) ** 2 + (large - small) ** 2 * np.cos(2 * theta * np.arange(11))) / 2
        for large, small, theta in stale_spectrum.PLANES
    )
    np.testing.assert_allclose(inner, expected, rtol=1e-12)


def test_what_soap_takes_for_the_spectrum_is_worse_with_rarer_refreshes():
    largest = [
        float(np.max(100.0 - stale_spectrum.seen(f)["plane 0"][:, 0]))
        for f in stale_spectrum.FREQUENCIES
    ]
    assert np.all(np.diff(largest) > 0)
    assert 60.0 * np.sin(0.015) ** 2 < largest[0] < 0.05
    assert largest[-1] > 14.0


def test_gradients_of_the_regression_by_finite_differences():
    w, (x, y) = np.full(momentum.SHAPE, 0.3), momentum._data()

    def loss(w):
        return 0.5 * np.mean(np.sum((np.einsum("ij,bsj->bsi", w, x) - y) ** 2, axis=2), axis=1)

    change = 1e-4 * np.eye(w.size).reshape(-1, *w.shape)
    found = [(loss(w + h) - loss(w - h)) / 2e-4 for h in change]
    np.testing.assert_allclose(
        np.array(found).T.reshape(-1, *w.shape), momentum.gradients(w), atol=1e-9
    )


def test_the_condition_that_the_setting_of_s9_names_is_reached():
    g = momentum.gradients(np.zeros(momentum.SHAPE))
    condition = np.linalg.cond(np.einsum("bij,bik->jk", g, g))
    assert 0.99 * momentum.CONDITION < condition < 1.01 * momentum.CONDITION


def test_the_prescribed_step_belongs_to_a_distance_that_no_iterate_exceeds():
    setting = RegretSetting(stream="one")
    game = setting.play()
    (D,) = set(game.D)
    assert game.distances.max() <= D
    assert game.eta == pytest.approx(D / 2**0.5)
    assert {name: one.value for name, one in setting.constants.items()} == {
        **{"D": D, "eta": game.eta, "r": 1, "epsilon": EPSILON}
    }
    given = RegretSetting(stream="one", eta=game.eta)
    np.testing.assert_array_equal(given.play().regrets, game.regrets)
    assert given.constants["D"].value == game.distances.max()


def test_matrices_go_back_where_they_came_from():
    params = {"w": jnp.ones((2, 3)), "v": jnp.ones((4, 4))}
    basis = optzoo.soap(0.1).init(params).basis
    matrices = mutants.matrices_of(basis, params)
    assert [[q.shape[0] for q in axes] for axes in matrices] == [[4, 4], [2, 3]]
    again = mutants.field_of(matrices, params)
    assert jax.tree.structure(again) == jax.tree.structure(basis)


def test_regret_on_a_number_by_hand():
    """For a number Shampoo steps by eta g / sqrt(eps + sum g^2)."""
    game = regret.OnANumber(regret.FIRST, unit=2.0, D=3.0)
    eta, total, w, seen = 3.0 / 2**0.5, 0.0, 0.0, game.epsilon
    for g in (2.0, 0.354, 0.332):
        total += g * (w + 3.0)
        seen += g**2
        w -= eta * g / seen**0.5
    assert game.regret == pytest.approx(total, rel=1e-6)
    with pytest.raises(ValueError, match=r"D = 3\.0 is exceeded"):
        regret.OnANumber(regret.FIRST, unit=2.0, D=3.0, share=5.0).regret  # noqa: B018
