"""The Gauss-Markov chain: exact moments, exact mixing from bounded starts, no uniform mixing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from optzoo.problems import CertificateError, Constant, GaussMarkov


@settings(deadline=None, max_examples=20)
@given(a=st.floats(-0.95, 0.95), k=st.integers(1, 12), radius=st.floats(0.1, 4.0))
def test_total_variation_against_quadrature(a: float, k: int, radius: float) -> None:
    mean, scale = a**k * radius, np.sqrt(1 - a ** (2 * k))
    first, second = norm(mean, scale), norm(-mean, scale)
    # Where one density is above the other: one side of 0.
    mass = quad(lambda t: abs(first.pdf(t) - second.pdf(t)), 0, abs(mean) + 12 * scale, limit=200)[
        0
    ]
    assert GaussMarkov(a).total_variation(k, radius) == pytest.approx(mass, abs=1e-7)


@settings(deadline=None, max_examples=40)
@given(a=st.floats(-0.999, 0.999), radius=st.floats(0.05, 1e3))
def test_mixing_time_is_the_first_time(a: float, radius: float) -> None:
    chain = GaussMarkov(a)
    tau = chain.mixing_time(radius)
    if a == 0:
        assert tau == 1
        return
    assert chain.total_variation(tau, radius) <= 0.25
    assert tau == 1 or chain.total_variation(tau - 1, radius) > 0.25


def test_no_uniform_mixing_time() -> None:
    chain = GaussMarkov(0.5)
    assert "tau" not in chain.constants
    assert chain.total_variation(20, 1e9) == pytest.approx(1.0)
    # One more decade of radius costs log 10 / log(1/a) steps.
    times = [chain.mixing_time(10.0**k) for k in range(3, 9)]
    assert np.mean(np.diff(times)) == pytest.approx(np.log(10) / np.log(2), abs=0.2)


def test_step_is_the_recursion() -> None:
    chain, key, state = GaussMarkov(0.8, dim=2), jax.random.key(0), jnp.array([3.0, -1.0])
    expected = 0.8 * state + 0.6 * jax.random.normal(key, (2,))
    np.testing.assert_allclose(chain.step(key, state), expected, rtol=1e-14)
    new, sample = chain.step_and_sample(key, state)
    np.testing.assert_array_equal(new, sample)
    path = chain.path(key, 5, initial=state)
    kicks = 0.6 * np.asarray(jax.random.normal(jax.random.split(key)[1], (5, 2)))
    current = np.asarray(state)
    for kick, visited in zip(kicks, path, strict=True):
        current = 0.8 * current + kick
        np.testing.assert_allclose(visited, current, rtol=1e-13)


def test_the_stationary_law_is_kept() -> None:
    chain = GaussMarkov(-0.9, dim=1)
    sample = jax.jit(jax.vmap(lambda key: chain.path(key, 3)))
    paths = sample(jax.random.split(jax.random.key(0), 40_000))
    covariance = np.cov(np.asarray(paths)[..., 0].T)
    expected = (-0.9) ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    np.testing.assert_allclose(covariance, expected, atol=5 * np.sqrt(2 / 40_000))


def test_certify() -> None:
    for a in (-0.7, 0.0, 0.3, 0.99):
        GaussMarkov(a).certify()
    chain = GaussMarkov(0.5)
    chain.constants["gap"] = Constant(0.51, "exact")
    with pytest.raises(CertificateError, match=r"gap is stated as 0\.51"):
        chain.certify()


def test_certify_refuses_a_wrong_mixing_time() -> None:
    class Late(GaussMarkov):
        def mixing_time(self, radius: float) -> int:
            return super().mixing_time(radius) + 1

    with pytest.raises(CertificateError, match="tau is stated"):
        Late(0.9).certify()


def test_traced_coefficients() -> None:
    path = jax.jit(lambda a, key: GaussMarkov(a).path(key, 4))(0.5, jax.random.key(0))
    np.testing.assert_allclose(path, GaussMarkov(0.5).path(jax.random.key(0), 4), rtol=1e-14)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussMarkov(1.0), "coefficient"),
        (lambda: GaussMarkov(-1.5), "coefficient"),
        (lambda: GaussMarkov(0.5, dim=0), "dim"),
        (lambda: GaussMarkov(0.5).mixing_time(0.0), "radius"),
        (lambda: GaussMarkov(0.5).path(jax.random.key(0), 0), "length"),
        (lambda: GaussMarkov(0.5).path(jax.random.key(0), 3, jnp.zeros(2)), "initial"),
    ],
)
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
