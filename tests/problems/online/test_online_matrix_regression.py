"""Streams of matrix losses: gradients against autodiff, the best fixed matrix, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import LeastDistancesStream, LeastSquaresStream

T, B, M, N = 7, 2, 3, 4


def _streams():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((T, B, N)), rng.standard_normal((T, B, M))
    squares = LeastSquaresStream(jnp.asarray(x), jnp.asarray(y))
    distances = LeastDistancesStream.of(jnp.asarray(x), jnp.asarray(rng.standard_normal((M, N))))
    return {"squares": squares, "distances": distances}


every_stream = pytest.mark.parametrize("stream", _streams().values(), ids=_streams())


@every_stream
def test_gradients_are_those_of_the_losses(stream):
    assert (stream.rounds, stream.shape, stream.rank) == (T, (M, N), B)
    w = jnp.asarray(np.random.default_rng(1).standard_normal((M, N)))

    def loss(w, t):
        return stream.losses(jnp.broadcast_to(w, (T, M, N)))[t]

    for t in range(T):
        found = stream.gradient(w, jnp.asarray(t))
        np.testing.assert_allclose(found, jax.grad(loss)(w, t), rtol=1e-12)
        assert np.linalg.matrix_rank(found) <= stream.rank


@every_stream
@pytest.mark.parametrize("rounds", [2, T])
def test_no_matrix_near_the_best_fixed_one_is_better(stream, rounds):
    best = stream.best_fixed(rounds)

    def total(w):
        return float(stream.losses(jnp.broadcast_to(w, (T, M, N)))[:rounds].sum())

    rng = np.random.default_rng(2)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            assert total(best + size * rng.standard_normal((M, N))) >= total(best) - 1e-12


def test_regret_is_against_the_best_matrix_of_the_rounds_that_count():
    """One number: targets 1, 3, 8 and W = 0, whose losses are y^2 / 2; the best is their mean."""
    targets = np.array([1.0, 3.0, 8.0])
    stream = LeastSquaresStream(jnp.ones((3, 1, 1)), jnp.asarray(targets).reshape(3, 1, 1))
    for rounds, best in ((1, 1.0), (2, 2.0), (3, 4.0)):
        expected = rounds * best**2 / 2  # the mean's part of the sum of squares
        assert stream.regret(jnp.zeros((3, 1, 1)), rounds) == pytest.approx(expected)


def test_the_kink_has_the_subgradient_zero():
    planted = jnp.arange(12.0).reshape(M, N)  # whole numbers: no round-off in W x - y
    stream = LeastDistancesStream.of(jnp.ones((1, B, N)), planted)
    assert not np.any(stream.gradient(planted, jnp.asarray(0)))
    assert stream.losses(planted[None]).sum() == 0


def test_streams_are_arguments_of_compiled_programs():
    stream = _streams()["squares"]
    found = jax.jit(lambda s, w: s.losses(w))(stream, jnp.zeros((T, M, N)))
    np.testing.assert_allclose(found, 0.5 * np.sum(np.asarray(stream.targets) ** 2, axis=(1, 2)))


def test_bad_input_is_named():
    x, y = jnp.ones((T, B, N)), jnp.ones((T, B, M))
    with pytest.raises(ValueError, match=r"features and targets must have shapes .* got \(7, 2\)"):
        LeastSquaresStream(x[:, :, 0], y)
    with pytest.raises(ValueError, match="features and targets"):
        LeastSquaresStream(x, y[:-1])
    with pytest.raises(ValueError, match=r"planted must have shape \(3, 4\), got \(4, 3\)"):
        LeastDistancesStream(x, y, jnp.ones((N, M)))
    with pytest.raises(ValueError, match="targets must be those of `planted`"):
        LeastDistancesStream(x, y, jnp.ones((M, N)))
