"""The orthogonal factor by blocks: LAPACK's, column by column, whatever the matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo import _householder


def _matrices(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((size, size))
    orthogonal = np.linalg.qr(normal)[0]
    return {
        "normal": normal,
        "graded": normal * np.logspace(0, -12, size)[:, None],
        "permutation": np.eye(size)[rng.permutation(size)],
        "near the coordinates": np.eye(size) + 1e-3 * normal,
        "symmetric": orthogonal * np.logspace(0, -6, size) @ orthogonal.T,
    }


@pytest.mark.parametrize("size", [9, 12, 13, 20])  # whole panels of 4, and a shorter last one
@pytest.mark.parametrize("kind", list(_matrices(2)))
def test_the_factor_is_that_of_lapack(monkeypatch, size, kind):
    monkeypatch.setattr(_householder, "BLOCK", 4)
    x = _matrices(size)[kind]
    rows = jax.jit(_householder.orthogonal_rows)(x)
    np.testing.assert_allclose(rows, np.linalg.qr(x.T)[0].T, atol=1e-12)


@pytest.mark.parametrize("kind", ["zero", "rank 3", "vectors of zeros"])
def test_vectors_without_a_direction_become_orthogonal_too(monkeypatch, kind):
    monkeypatch.setattr(_householder, "BLOCK", 4)
    rng = np.random.default_rng(1)
    x = {
        "zero": np.zeros((13, 13)),
        "rank 3": rng.standard_normal((13, 3)) @ rng.standard_normal((3, 13)),
        "vectors of zeros": np.diag(np.r_[np.zeros(5), np.ones(8)]),
    }[kind]
    rows = _householder.orthogonal_rows(jnp.asarray(x))
    np.testing.assert_allclose(rows @ rows.T, np.eye(13), atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_panels_as_wide_as_they_are(dtype):
    size = 2 * _householder.BLOCK + 88
    x = jnp.asarray(_matrices(size)["symmetric"], dtype)
    rows = jax.jit(_householder.orthogonal_rows)(x)
    assert rows.dtype == dtype
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(rows @ rows.T, np.eye(size), atol=20 * eps)
    triangle = np.asarray(rows) @ np.asarray(x).T
    np.testing.assert_allclose(np.tril(triangle, -1), 0, atol=20 * eps)


def test_what_is_not_a_number_shows():
    x = jnp.full((2 * _householder.BLOCK + 1,) * 2, jnp.nan)
    assert bool(jnp.isnan(jnp.sum(_householder.orthogonal_rows(x))))
