"""Compressors: unbiased, with the variances they state, exactly, by enumeration of their draws."""

import functools
import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optzoo import compressors
from optzoo.compressors import (
    Compressor,
    Identity,
    NaturalCompression,
    PermK,
    RandK,
    SampledClients,
    StochasticQuantization,
    TopK,
)


class ShiftedPermK(PermK):
    """Its key is the shift."""

    def shift(self, key):
        return jnp.asarray(key, jnp.int32)


class OrderedPermK(PermK):
    """Its key is the order of the coordinates."""

    def order(self, key, size):
        return key


class ChosenRandK(RandK):
    """Its key holds the subset of every worker."""

    def indices(self, key, worker, dimension):
        return key[worker]


class ChosenClients(SampledClients):
    """Its key holds the draws."""

    def clients(self, key):
        return key


def perm_k(n, d):
    return ShiftedPermK(n), jnp.arange(n)


def perm_k_permuted(n, d):
    size = n * -(-d // n)
    return OrderedPermK(n, permute=True), jnp.array(list(itertools.permutations(range(size))))


def rand_k(k):
    def make(n, d):
        subsets = list(itertools.combinations(range(d), k))
        return ChosenRandK(k, n), jnp.array(list(itertools.product(subsets, repeat=n)))

    return make


def clients(b):
    def make(n, d):
        return ChosenClients(b, n), jnp.array(list(itertools.product(range(n), repeat=b)))

    return make


one_client = clients(1)


def identity(n, d):
    return Identity(n), jnp.arange(1)


# Each with every outcome of its draws, all of them equally likely.
ENUMERATED = [
    pytest.param(make, n, d, id=f"{name}-{n}-{d}")
    for name, make, sizes in (
        ("identity", identity, [(3, 4)]),
        ("perm_k", perm_k, [(1, 4), (3, 6), (3, 7), (5, 2)]),
        ("perm_k_permuted", perm_k_permuted, [(2, 3), (3, 4), (5, 2)]),
        ("rand_1", rand_k(1), [(3, 4), (4, 2)]),
        ("rand_2", rand_k(2), [(3, 3)]),
        ("rand_all", rand_k(3), [(2, 3)]),
        ("one_client", one_client, [(1, 2), (4, 3)]),
        ("three_clients", clients(3), [(4, 2)]),
    )
    for n, d in sizes
]


def vectors(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(n, d)) + 0.5)


def mean_of(compressor, key, rows):
    """(1/n) sum Q_i(a_i) as every worker has it."""
    return jax.vmap(lambda a: compressor.mean(key, a, "workers"), axis_name="workers")(rows)


@functools.partial(jax.jit, static_argnums=0)
def single(compressor, key, worker, a):
    return compressor.decode(key, worker, compressor.encode(key, worker, a), a)


@functools.partial(jax.jit, static_argnums=0)
def messages_and_mean(compressor, key, rows):
    """Q_i(a_i) of every worker, and (1/n) sum Q_i(a_i) as every worker has it."""
    workers = jnp.arange(compressor.num_workers)
    singles = jax.vmap(lambda i, a: single(compressor, key, i, a))(workers, rows)
    return singles, mean_of(compressor, key, rows)


@functools.cache
def enumerated(make, n, d):
    """For every outcome of the draws: Q_i(a_i), and their mean on every worker."""
    compressor, outcomes = make(n, d)
    run = jax.vmap(lambda key: messages_and_mean(compressor, key, vectors(n, d)))
    singles, means = run(outcomes)
    return compressor, np.asarray(vectors(n, d)), np.asarray(singles), np.asarray(means)


@pytest.mark.parametrize(("make", "n", "d"), ENUMERATED)
def test_means_are_unbiased_and_attain_their_joint_variance(make, n, d):
    compressor, a, _, means = enumerated(make, n, d)
    np.testing.assert_array_equal(means, means[:, :1] + np.zeros((1, n, 1)))  # all have the same
    means, average = means[:, 0], a.mean(axis=0)
    np.testing.assert_allclose(means.mean(axis=0), average, rtol=0, atol=1e-14)
    big_a, big_b = compressor.variance_constants(d)
    stated = big_a * (a**2).sum(axis=1).mean() - big_b * (average**2).sum()
    variance = ((means - average) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(variance, stated, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("make", "n", "d"), ENUMERATED)
def test_every_worker_is_unbiased_and_attains_omega(make, n, d):
    compressor, a, values, _ = enumerated(make, n, d)
    np.testing.assert_allclose(values.mean(axis=0), a, rtol=0, atol=1e-14)
    spread = ((values - a) ** 2).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(
        spread, compressor.omega(d) * (a**2).sum(axis=1), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("permute", [False, True])
@pytest.mark.parametrize(("n", "d"), [(3, 6), (3, 7), (5, 2)])
def test_perm_k_supports_are_disjoint_and_cover(n, d, permute):
    compressor, key = PermK(n, permute=permute), jax.random.key(3)
    owned, _ = messages_and_mean(compressor, key, jnp.ones((n, d)))
    np.testing.assert_array_equal(np.sort(owned, axis=0)[:-1], 0)
    np.testing.assert_array_equal(np.sum(owned, axis=0), n)
    common = jnp.broadcast_to(vectors(1, d), (n, d))
    _, means = messages_and_mean(compressor, key, common)
    np.testing.assert_array_equal(means, common)  # to the last bit


@pytest.mark.parametrize(("n", "d"), [(4, 8), (4, 6)])
def test_perm_k_has_the_second_moment_of_one_uniform_client(n, d):
    stated = float(jnp.mean(jnp.sum(vectors(n, d) ** 2, axis=1)))
    for make in (perm_k, one_client):
        means = enumerated(make, n, d)[-1][:, 0]
        np.testing.assert_allclose((means**2).sum(axis=1).mean(), stated, rtol=1e-14)


@pytest.mark.parametrize(
    ("draw", "outcomes"),
    [
        (lambda key: PermK(5).shift(key), 5),
        (lambda key: SampledClients(2, 3).clients(key) @ jnp.array([3, 1]), 9),
        (lambda key: PermK(2, permute=True).order(key, 3) @ jnp.array([9, 3, 1]), 6),
        (lambda key: jnp.sum(2 ** RandK(2, 4).indices(key, 1, 4)), 6),
        # two workers draw independently
        (
            lambda key: RandK(1, 4).indices(key, 0, 3)[0] * 3 + RandK(1, 4).indices(key, 2, 3)[0],
            9,
        ),
    ],
    ids=["shift", "clients", "order", "subset", "two workers"],
)
def test_draws_are_uniform(draw, outcomes):
    keys = jax.random.split(jax.random.key(0), 20_000)
    _, counts = np.unique(np.asarray(jax.jit(jax.vmap(draw))(keys)), return_counts=True)
    assert len(counts) == outcomes
    expected = len(keys) / outcomes
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


EVERY = [
    lambda n: Identity(n),
    lambda n: PermK(n),
    lambda n: PermK(n, permute=True),
    lambda n: RandK(2, n),
    lambda n: SampledClients(3, n),
    lambda n: TopK(2, n),
    lambda n: NaturalCompression(n),
    lambda n: StochasticQuantization(4, n),
]
NAMES = [type(make(2)).__name__ for make in EVERY]


# More workers than coordinates, in float64: the others are enumerated above.
SENT = [(make, 3, 7, jnp.float32) for make in EVERY] + [
    (make, 6, 3, jnp.float64) for make in EVERY[-3:]
]


@pytest.mark.parametrize(("make", "n", "d", "dtype"), SENT)
def test_the_mean_is_that_of_what_the_workers_sent(make, n, d, dtype, strict_dtypes):
    compressor, rows = make(n), vectors(n, d).astype(dtype)
    singles, means = messages_and_mean(compressor, jax.random.key(5), rows)
    assert means.dtype == dtype
    rtol = 20 * float(jnp.finfo(dtype).eps)
    expected = np.broadcast_to(np.mean(singles, axis=0), (n, d))
    np.testing.assert_allclose(means, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("compressor", "d", "numbers", "num_bytes"),
    [
        (Identity(4), 10, 10, 40),
        (PermK(4), 8, 2, 8),
        (PermK(4), 10, 3, 12),
        (PermK(16), 10, 1, 4),
        (RandK(3, 4), 10, 3, 12),
        (SampledClients(2, 8), 10, 2.5, 10),
        (TopK(3, 4), 10, 6, 24),
        (NaturalCompression(4), 10, 10, 20),
        (StochasticQuantization(7, 4), 10, 11, 14),
    ],
    ids=str,
)
def test_messages_have_the_stated_size(compressor, d, numbers, num_bytes):
    assert compressor.numbers(d) == numbers
    assert compressor.num_bytes(d, jnp.float32) == num_bytes


def neighbours(x, dtype):
    """The powers of two around |x| (0 and the least normal number for a subnormal one)."""
    tiny = float(np.finfo(dtype).tiny)
    if abs(x) < tiny:
        return 0.0, tiny
    low = 2.0 ** np.floor(np.log2(abs(x)))
    low = low / 2 if low > abs(x) else low
    low = 2 * low if 2 * low <= abs(x) else low
    return low, 2 * low


@pytest.mark.parametrize(
    ("dtype", "unsigned", "bits"), [(np.float32, jnp.uint32, 23), (np.float64, jnp.uint64, 52)]
)
@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    mantissa=st.floats(1.0, 2.0, exclude_max=True),
    exponent=st.one_of(st.integers(-120, 120), st.just(-1000)),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_natural_compression_is_exactly_unbiased(dtype, unsigned, bits, mantissa, exponent, sign):
    """Of the 2^bits mantissas that may be added, those that round up are counted exactly."""
    if exponent == -1000:
        exponent = -1030 if dtype == np.float64 else -135
    x = dtype(sign * mantissa * 2.0**exponent)
    assume(x != 0)
    low, high = neighbours(float(x), dtype)
    up = (Fraction(abs(float(x))) - Fraction(low)) / (Fraction(high) - Fraction(low)) * 2**bits
    assert up.denominator == 1  # the mantissa
    natural = NaturalCompression(2)

    def rounded(dither):
        a = jnp.asarray([x])
        code = natural.round(a, jnp.asarray([dither], unsigned))
        assert code.dtype == jnp.uint16
        decoded = natural.decode(None, None, code, a)
        return float(np.asarray(decoded)[0])

    threshold = 2**bits - int(up)
    if threshold < 2**bits:
        assert rounded(threshold) == np.copysign(high, x)
        assert rounded(2**bits - 1) == np.copysign(high, x)
    assert rounded(threshold - 1) == np.copysign(low, x)
    assert rounded(0) == np.copysign(low, x)
    # the mean over all mantissas, and its variance
    probability = up / 2**bits
    value = Fraction(abs(float(x)))
    assert Fraction(low) + probability * (Fraction(high) - Fraction(low)) == value
    if low > 0:
        variance = (Fraction(high) - value) * (value - Fraction(low))
        assert variance <= Fraction(1, 8) * value**2


def test_natural_compression_at_its_worst_and_at_the_ends():
    worst = Fraction(4, 3)
    assert (2 - worst) * (worst - 1) == Fraction(1, 8) * worst**2
    natural, key = NaturalCompression(1), jax.random.key(0)
    ends = jnp.array([0.0, -0.0, jnp.inf, -jnp.inf, 1.0, -(2.0**-126)], jnp.float32)
    np.testing.assert_array_equal(single(natural, key, 0, ends), ends)
    assert not jnp.isfinite(single(natural, key, 0, jnp.array([jnp.nan, -jnp.nan]))).any()
    with pytest.raises(TypeError, match="float32 or float64"):
        natural.encode(key, 0, jnp.zeros(3, jnp.bfloat16))


def test_natural_compression_draws_all_mantissas():
    """The share rounded up is the mantissa, within five standard errors."""
    a = jnp.full(100_000, 1.3, jnp.float32)
    share = float(jnp.mean(single(NaturalCompression(2), jax.random.key(1), 1, a) == 2))
    assert abs(share - 0.3) < 5 * np.sqrt(0.21 / a.size)


@pytest.mark.parametrize("levels", [1, 4, 127])
def test_quantization_is_unbiased_with_its_variance(levels):
    """Each entry goes up exactly below its fractional part."""
    quantize = StochasticQuantization(levels, 2)
    a = np.asarray(vectors(1, 9, seed=6)[0])
    norm = np.sqrt((a**2).sum())
    y = levels * np.abs(a) / norm
    fraction = y - np.floor(y)

    def value(uniform):
        message = quantize.round(jnp.asarray(a), jnp.asarray(uniform))
        assert message[1].dtype == jnp.int8
        return np.asarray(quantize.decode(None, None, message, jnp.asarray(a)))

    up, down = value(fraction * (1 - 1e-9)), value(fraction * (1 + 1e-9))
    np.testing.assert_allclose(np.abs(up) - np.abs(down), norm / levels, rtol=1e-12)
    np.testing.assert_array_equal(up, value(np.zeros(9)))
    np.testing.assert_array_equal(down, value(np.full(9, 1 - 1e-16)))
    np.testing.assert_allclose(fraction * up + (1 - fraction) * down, a, atol=1e-14)
    variance = (norm / levels) ** 2 * (fraction * (1 - fraction)).sum()
    assert variance <= quantize.omega(9) * norm**2
    assert quantize.variance_constants(9) == (quantize.omega(9) / 2, 0.0)


INDEPENDENT = {
    "RandK": (RandK(2, 8), lambda a: (a.size / 2 - 1) * a**2),
    "NaturalCompression": (
        NaturalCompression(8),
        lambda a: np.array(
            [(high - x) * (x - low) for x in a for low, high in [neighbours(x, a.dtype)]]
        ),
    ),
    "StochasticQuantization": (
        StochasticQuantization(4, 8),
        lambda a: (lambda f: (a @ a) / 16 * f * (1 - f))(4 * a / np.sqrt(a @ a) % 1),
    ),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_workers_with_one_vector_lose_an_nth_of_what_one_loses(name):
    """Their draws are their own: one key for all would lose n times as much in the mean.

    The variance of the mean, entry by entry, against that of one worker in closed form; the
    covariance of two workers is what stands between them.
    """
    compressor, variances = INDEPENDENT[name]
    n, a = 8, np.abs(np.asarray(vectors(1, 12, seed=8)[0]))
    rows = jnp.broadcast_to(a, (n, a.size))
    keys = jax.random.split(jax.random.key(2), 4000)
    singles, means = jax.jit(jax.vmap(lambda key: messages_and_mean(compressor, key, rows)))(keys)
    errors = np.asarray(means)[:, 0] - a
    exact = variances(a).sum() / n
    squares = (errors**2).sum(axis=1)
    assert abs(squares.mean() - exact) < 5 * squares.std() / np.sqrt(len(keys))
    assert squares.std() / np.sqrt(len(keys)) < 0.02 * exact
    assert exact <= compressor.variance_constants(a.size)[0] * (a @ a) * (1 + 1e-12)
    # every two workers are uncorrelated
    deviations = np.asarray(singles) - a
    products = np.einsum("kid,kjd->kij", deviations, deviations)
    errors_of_the_mean = products.std(axis=0) / np.sqrt(len(keys))
    apart = ~np.eye(n, dtype=bool)
    assert (np.abs(products.mean(axis=0)) < 5 * errors_of_the_mean)[apart].all()


def test_quantization_of_zeros_of_an_axis_and_of_tiny_vectors():
    quantize = StochasticQuantization(127, 1)
    for a in (jnp.zeros(3), jnp.array([0.0, -2.5, 0.0]), jnp.array([0.0, 1e-200, 0.0])):
        np.testing.assert_allclose(single(quantize, jax.random.key(0), 0, a), a, rtol=1e-14)


def test_the_stated_constants_are_an_nth_of_one_workers():
    """Of one worker of natural compression 1/8, of quantization min(d / s^2, sqrt(d) / s)."""
    for n in (1, 4):
        assert NaturalCompression(num_workers=n).variance_constants(9) == (1 / 8 / n, 0.0)
        for levels, omega in ((2, 1.5), (6, 0.25)):
            compressor = StochasticQuantization(levels, num_workers=n)
            assert compressor.variance_constants(9) == (pytest.approx(omega / n), 0.0)


@pytest.mark.parametrize(("make", "n", "d"), ENUMERATED)
def test_what_an_unbiased_message_loses_is_its_contraction_or_none_is_claimed(make, n, d):
    compressor, a, values, _ = enumerated(make, n, d)
    lost = ((values - a) ** 2).sum(axis=2).mean(axis=0) / (a**2).sum(axis=1)
    np.testing.assert_allclose(lost, lost[0], rtol=1e-13, atol=1e-14)
    if lost[0] > 1 - 1e-9:
        with pytest.raises(ValueError, match=rf"is not contractive.*omega = {lost[0]:g} is not"):
            compressor.contraction(d)
    else:
        np.testing.assert_allclose(compressor.contraction(d), 1 - lost[0], rtol=1e-13)


def test_contraction_in_closed_form():
    for compressor, d, expected in (
        (Identity(3), 5, 1),
        (NaturalCompression(3), 5, Fraction(7, 8)),
        (StochasticQuantization(6, 3), 9, Fraction(3, 4)),  # omega = d / s^2
        (SampledClients(8, 3), 5, Fraction(3, 4)),  # omega = (n - 1) / b
        (RandK(4, 3), 5, Fraction(3, 4)),  # omega = d / K - 1
        (TopK(2, 3), 5, Fraction(2, 5)),
        (TopK(5, 3), 5, 1),
    ):
        assert compressor.contraction(d) == pytest.approx(float(expected), rel=1e-14)
    for compressor, omega in ((RandK(2, 3), "1"), (SampledClients(2, 3), "1"), (PermK(3), "2")):
        with pytest.raises(ValueError, match=rf"is not contractive: .* omega = {omega} is not"):
            compressor.contraction(4)
    with pytest.raises(ValueError, match="at most the dimension"):
        TopK(5, 3).contraction(4)
    for compressor in (TopK(1, 3), Identity(3)):
        with pytest.raises(ValueError, match="dimension must be an integer of at least 1"):
            compressor.contraction(0)


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_top_k_loses_what_its_contraction_leaves_of_equal_entries(kept):
    """And no more of others, which is attained: the K largest have K / d of the squares or more."""
    compressor = TopK(kept, 3)
    for a, attained in ((np.array([1.0, -1, 1, -1]), True), (np.array([3.0, -1, 2, 0]), False)):
        kept_part = single(compressor, jax.random.key(0), 1, jnp.asarray(a))
        lost = float(jnp.sum((kept_part - a) ** 2)) / float(a @ a)
        limit = 1 - compressor.contraction(4)
        assert lost == pytest.approx(limit, abs=1e-15) if attained or kept == 4 else lost < limit


def test_top_k_keeps_the_largest_and_contracts():
    a = jnp.array([1.0, -3.0, 2.0, -2.0])
    kept = single(TopK(2, 3), jax.random.key(0), 0, a)
    np.testing.assert_array_equal(kept, [0.0, -3.0, 2.0, 0.0])
    assert float(jnp.sum((kept - a) ** 2)) <= (1 - 2 / 4) * float(jnp.sum(a**2))
    with pytest.raises(ValueError, match="biased"):
        TopK(2, 3).variance_constants(4)
    with pytest.raises(ValueError, match="biased"):
        TopK(2, 3).omega(4)


def test_bad_arguments_are_named():
    for make in (Identity, PermK, NaturalCompression):
        with pytest.raises(ValueError, match=r"num_workers.*at least 1"):
            make(0)
        with pytest.raises(TypeError, match=r"num_workers.*integer"):
            make(2.0)
    for make in (RandK, TopK):
        with pytest.raises(ValueError, match=r"num_coordinates.*at least 1"):
            make(0, 4)
        with pytest.raises(ValueError, match=r"num_coordinates.*at most the dimension.*3, got 4"):
            make(4, 2).encode(jax.random.key(0), 0, jnp.ones(3))
    with pytest.raises(ValueError, match="at most the dimension"):
        RandK(4, 2).omega(3)
    with pytest.raises(ValueError, match="num_clients"):
        SampledClients(0, 4)
    with pytest.raises(ValueError, match=r"num_levels.*at most 127"):
        StochasticQuantization(128, 4)
    with pytest.raises(ValueError, match="dimension"):
        PermK(2).numbers(0)
    with pytest.raises(TypeError, match="concrete"):
        jax.jit(lambda k: RandK(k, 4).num_coordinates)(2)


@pytest.mark.parametrize("make", EVERY, ids=NAMES)
def test_an_axis_of_another_size_or_none_is_refused(make):
    with pytest.raises(ValueError, match=r"num_workers = 3.*'workers' has 4"):
        mean_of(make(3), jax.random.key(0), vectors(4, 6))
    with pytest.raises(ValueError, match=r"axis_name 'workers'.*there is none"):
        make(3).mean(jax.random.key(0), jnp.ones(6), "workers")


def test_the_module_names_what_it_offers():
    ours = [cls for cls in Compressor.__subclasses__() if cls.__module__.startswith("optzoo.")]
    assert set(compressors.__all__) == {"Compressor", *(cls.__name__ for cls in ours)}
