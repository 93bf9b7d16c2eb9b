"""Leading eigenvectors where a neighbouring eigenvalue has a small residual: spectra by design."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.lmo import fantope, nuclear_norm_ball, spectrahedron
from optzoo.lmo._leading_eigenvectors import leading_eigenvectors


def crowds(dim: int, gap: float, count: int = 1) -> dict[str, np.ndarray]:
    """`count` eigenvalues 1 and, `gap` below, a few others, many or nothing else."""
    leading, rest = np.ones(count), functools.partial(np.linspace, 0, 0.9)
    return {
        "two": np.r_[leading, 1 - gap, 1 - 2 * gap, rest(dim - count - 2)],
        "some": np.r_[leading, np.full(100, 1 - gap), rest(dim - count - 100)],
        "half": np.r_[leading, np.full(dim // 2, 1 - gap), rest(dim - count - dim // 2)],
        "all": np.r_[leading, np.full(dim - count, 1 - gap)],
        "two-sided": np.r_[leading, np.full(dim // 2, 1 - gap), -np.ones(dim - count - dim // 2)],
    }


@functools.partial(jax.jit, static_argnums=1)
def ritz_sums(diagonals, count):
    """The sums of the wanted Ritz values of diagonal matrices, one a row."""

    def of_one(diagonal):
        found = leading_eigenvectors(
            lambda rows: rows * diagonal[None], diagonal.size, count, diagonal.dtype
        )
        wide = found.astype(jnp.float64)
        return jnp.sum(wide**2 * diagonal.astype(jnp.float64)[None]) / jnp.sum(wide**2) * count

    return jax.lax.map(of_one, diagonals)


@pytest.mark.parametrize(
    ("dim", "dtype", "count", "starts"),
    [
        (200, np.float32, 1, 200),
        (1500, np.float32, 1, 60),
        (3000, np.float32, 1, 10),
        (400, np.float32, 3, 60),
        (300, np.float64, 1, 60),
    ],
)
def test_no_start_takes_a_neighbour_for_the_leading_eigenvalue(dim, dtype, count, starts):
    """A permutation of the matrix is one of the entries of its start, which are independent."""
    rng = np.random.default_rng(0)
    allowed = float(np.finfo(dtype).eps) ** 0.5 * count
    for kind, spectrum in crowds(dim, gap=3 * allowed, count=count).items():
        diagonals = rng.permuted(np.tile(spectrum.astype(dtype), (starts, 1)), axis=1)
        misses = count - np.asarray(ritz_sums(jnp.asarray(diagonals), count))
        assert misses.max() <= allowed, (kind, np.mean(misses > allowed))


@pytest.mark.parametrize("name", ["nuclear", "spectrahedron", "fantope"])
def test_the_oracles_do_not_either(name):
    """Dense matrices: a reflection and a permutation of a diagonal one."""
    n, count, rng = 250, 2 if name == "fantope" else 1, np.random.default_rng(1)
    constraint = {
        "nuclear": nuclear_norm_ball(1.0),
        "spectrahedron": spectrahedron(),
        "fantope": fantope(2),
    }[name]
    oracle, allowed = jax.jit(constraint.lmo), float(np.finfo(np.float32).eps) ** 0.5 * count
    spectrum = crowds(n, gap=3 * allowed, count=count)["some"]
    for _ in range(20):
        u = rng.standard_normal(n)
        reflection = np.eye(n) - 2 * np.outer(u, u) / (u @ u)
        symmetric = (reflection * rng.permutation(spectrum)) @ reflection
        given = symmetric[rng.permutation(n)] if name == "nuclear" else symmetric
        found = np.asarray(oracle(jnp.asarray(-given, jnp.float32)), np.float64)
        assert np.sum(given * found) >= count - allowed
