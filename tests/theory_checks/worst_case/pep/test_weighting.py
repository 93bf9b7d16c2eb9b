"""The weights of an envelope's parabolas, against all supports tried in NumPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_checks.worst_case.pep.weighting import best_weights


def least_by_supports(gram, slope, sizes):
    """The minimum of a G a / 2 - s a over the simplex: a minimizer has one of these supports."""
    least = np.inf
    for size in sizes:
        for support in map(list, itertools.combinations(range(len(slope)), size)):
            inner = np.pad(gram[np.ix_(support, support)], (0, 1), constant_values=1.0)
            inner[-1, -1] = 0.0
            right = np.append(slope[support], 1.0)
            a = np.maximum(np.linalg.lstsq(inner, right, rcond=None)[0][:-1], 0.0)
            if np.sum(a) > 0:
                a /= np.sum(a)
                value = a @ gram[np.ix_(support, support)] @ a / 2 - slope[support] @ a
                least = min(least, value)
    return least


def weights(gram, slope):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(best_weights)(jnp.asarray(gram), jnp.asarray(slope)))


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(1, 7),
    d=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    size=st.floats(-12, 12),
    apart=st.sampled_from([None, 0.0, 1e-8]),
)
def test_no_support_is_better(m, d, seed, size, apart):
    """Also where two of the parabolas agree, or nearly, and whatever the units are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(m, d))
    offsets = 0.3 * random.normal(size=m)
    if apart is not None:
        centres[-1] = centres[0] + apart * random.normal(size=d)
        offsets[-1] = offsets[0]
    gram = 10.0**size * (centres @ centres.T)
    slope = 10.0**size * (centres @ random.normal(size=d) - offsets + random.normal())
    a = weights(gram, slope)
    assert np.all(a >= 0)
    np.testing.assert_allclose(np.sum(a), 1.0, rtol=1e-12)
    # By Caratheodory's theorem d + 1 of the centres are enough.
    unit = max(np.max(np.abs(gram)), np.max(np.abs(slope)))
    gram, slope = gram / unit, slope / unit
    least = least_by_supports(gram, slope, range(1, min(m, d + 1) + 1))
    assert abs(a @ gram @ a / 2 - slope @ a - least) <= 1e-12


@pytest.mark.parametrize("m", [1, 15, 40])
def test_the_nearest_point_of_a_simplex(m):
    """G = I: the projection of s, by its own closed form."""
    slope = np.random.default_rng(m).normal(size=m)
    ordered = np.sort(slope)[::-1]
    levels = (np.cumsum(ordered) - 1) / np.arange(1, m + 1)
    level = levels[np.flatnonzero(ordered > levels)[-1]]
    np.testing.assert_allclose(weights(np.eye(m), slope), np.maximum(slope - level, 0), atol=1e-9)


def test_nothing_to_choose_between():
    np.testing.assert_allclose(weights(np.zeros((3, 3)), np.full(3, 7.0)), 1 / 3)
