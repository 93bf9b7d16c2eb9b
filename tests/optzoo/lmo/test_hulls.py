"""Points of a hull stay where they are, however degenerate the linear program is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.lmo import vertex_polytope


def integers(random, m, d):
    """Many faces through each point, and ties in every step."""
    return random.integers(-1, 2, size=(m, d)).astype(float)


def flat(random, m, d):
    """A hull of four dimensions in d of them."""
    return random.normal(size=(m, 4)) @ random.normal(size=(4, d))


def in_pairs(random, m, d):
    """Each vertex twice, 1e-4 apart."""
    vertices = random.normal(size=(m, d))
    vertices[m // 2 :] = vertices[: m - m // 2] + 1e-4 * random.normal(size=(m - m // 2, d))
    return vertices


def combinations(random, vertices, count):
    """Of few vertices and of many, with weights that are exact in binary and that are not."""
    m = len(vertices)
    weights = random.random((count, m)) * (random.random((count, m)) < random.random((count, 1)))
    weights[: count // 2] = np.round(4 * weights[: count // 2])
    weights[:, 0] += np.sum(weights, axis=1) == 0
    return weights / np.sum(weights, axis=1, keepdims=True) @ vertices


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("kind", "m", "d"), [(integers, 40, 10), (flat, 12, 30), (in_pairs, 12, 12)]
)
def test_points_of_a_hull_stay_where_they_are(kind, m, d, dtype):
    random = np.random.default_rng(100)
    with jax.enable_x64(dtype == "float64"):
        for _ in range(3):
            vertices = kind(random, m, d).astype(dtype)
            points = combinations(random, vertices.astype(float), 1500).astype(dtype)
            hull = vertex_polytope(jnp.asarray(vertices))
            kept = np.asarray(jax.jit(jax.vmap(hull.retract))(jnp.asarray(points)))
            moved = np.sum(np.abs(kept.astype(float) - points), axis=1)
            size = np.max(np.sum(np.abs(vertices), axis=1))
            assert np.max(moved) <= 300 * np.finfo(dtype).eps * size  # a NaN fails
