"""The multilevel estimator: every path of a small chain, every threshold of the level."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.mlmc import mlmc_gradient, mlmc_stream

PARAMS = {"w": jnp.array([0.3, -1.2]), "b": jnp.array(0.7)}
SWITCH = np.array([[0.8, 0.2], [0.1, 0.9]])  # neither symmetric nor independent
SIZES = [(1, 0), (3, 0), (1, 1), (3, 1), (2, 2), (1, 3)]  # (B, m) with 2^m B <= 8

sizes = pytest.mark.parametrize(("batch_size", "max_level"), SIZES)


def read(key, tape):
    """A chain that reads its path from a tape and counts how often it was called."""
    path, position = tape
    return (path, position + 1), path[position]


def gradient(params, z):
    """Not linear in the sample, so that two states give two unrelated gradients."""
    z = z.astype(float)
    return {"w": params["w"] * (1 + z) + jnp.stack([jnp.sin(3 * z), z]), "b": jnp.cos(z + 1)}


def rows_of(g):
    """A tree of gradients with a leading axis, as an array of shape (R, 3)."""
    return np.concatenate([np.asarray(g["b"])[:, None], np.asarray(g["w"])], axis=1)


@functools.cache
def values():
    """The gradients of the two states, shape (2, 3)."""
    return rows_of(jax.jit(jax.vmap(gradient, (None, 0)))(PARAMS, jnp.arange(2)))


@functools.cache
def keys_and_levels(max_level):
    """Keys, and the levels that the estimator draws from them."""
    estimate = mlmc_gradient(lambda x, z: x, lambda k, z: (z, z), batch_size=1, max_level=max_level)
    keys = jax.random.split(jax.random.key(0), 256)
    draw = jax.jit(jax.vmap(lambda key: estimate(key, jnp.zeros(1), jnp.zeros([]))[2].level))
    return keys, np.asarray(draw(keys))


def key_of_level(level, max_level):
    """A key for which the estimator draws this level; 0 is a draw beyond the cut."""
    keys, levels = keys_and_levels(max_level)
    return keys[np.flatnonzero(levels == level)[0]]


@functools.cache
def on_all_paths(batch_size, max_level):
    """All paths, and for each level their estimates (R, 3), calls and samples (R,)."""
    paths = np.array(list(itertools.product((0, 1), repeat=2**max_level * batch_size)))
    estimate = mlmc_gradient(gradient, read, batch_size=batch_size, max_level=max_level)
    call = jax.jit(jax.vmap(lambda path, key: estimate(key, PARAMS, (path, 0)), (0, None)))
    found = {}
    for level in range(max_level + 1):
        g, (_, calls), info = call(paths, key_of_level(level, max_level))
        assert set(np.asarray(info.level)) == {level}
        found[level] = rows_of(g), np.asarray(calls), np.asarray(info.samples)
    return paths, found


def by_definition(path, level, batch_size):
    """g_0 + 2^j (g_j - g_{j-1}) with means of prefixes of one path."""
    h = values()[np.asarray(path)]

    def mean(j):
        return h[: 2**j * batch_size].mean(axis=0)

    return mean(0) if level == 0 else mean(0) + 2**level * (mean(level) - mean(level - 1))


def probabilities(paths, start):
    before = np.concatenate([np.full((len(paths), 1), start), paths[:, :-1]], axis=1)
    return SWITCH[before, paths].prod(axis=1)


@sizes
def test_every_path_gives_the_definition_and_costs_two_to_the_level_batches(batch_size, max_level):
    paths, found = on_all_paths(batch_size, max_level)
    for level, (g, calls, samples) in found.items():
        expected = np.array([by_definition(path, level, batch_size) for path in paths])
        np.testing.assert_allclose(g, expected, atol=1e-13)
        assert set(calls) == set(samples) == {2**level * batch_size}


@sizes
@pytest.mark.parametrize("start", [0, 1])
def test_the_mean_is_that_of_the_longest_batch(batch_size, max_level, start):
    """E g = E g_m, over all paths and all levels, from either state: the sum telescopes."""
    paths, found = on_all_paths(batch_size, max_level)
    chance = probabilities(paths, start)
    mean = np.zeros(3)
    for level, (g, _, _) in found.items():
        mean += (2.0**-level if level else 2.0**-max_level) * chance @ g

    laws = [np.linalg.matrix_power(SWITCH, i)[start] for i in range(1, paths.shape[1] + 1)]
    np.testing.assert_allclose(mean, np.mean(laws, axis=0) @ values(), atol=1e-12)


@pytest.mark.parametrize("start", [0, 1])
def test_the_second_moment_telescopes_too(start):
    """E|g - a|^2 = E|g_m - a|^2 - E|g_m - g_0|^2 + sum_j 2^j E|g_j - g_{j-1}|^2 for every a."""
    batch_size, max_level, a = 2, 2, np.array([0.3, -0.2, 1.0])
    paths, found = on_all_paths(batch_size, max_level)
    chance = probabilities(paths, start)

    def expect(rows):
        return chance @ (rows**2).sum(axis=1)

    second = 0.0
    for level, (g, _, _) in found.items():
        second += (2.0**-level if level else 2.0**-max_level) * expect(g - a)

    h = values()[paths]
    means = [h[:, : 2**j * batch_size].mean(axis=1) for j in range(max_level + 1)]
    expected = expect(means[-1] - a) - expect(means[-1] - means[0])
    expected += sum(2**j * expect(means[j] - means[j - 1]) for j in range(1, max_level + 1))
    np.testing.assert_allclose(second, expected, rtol=1e-12)


@sizes
def test_weights_add_up_to_one(batch_size, max_level):
    """A gradient that does not depend on the sample comes back as it is."""
    estimate = mlmc_gradient(
        lambda x, z: 3.0 * x, lambda k, z: (z, z), batch_size=batch_size, max_level=max_level
    )
    for level in range(max_level + 1):
        g, _, _ = estimate(key_of_level(level, max_level), jnp.array([1.7]), jnp.zeros([]))
        np.testing.assert_allclose(g, [5.1], rtol=1e-15)


# --- the level ----------------------------------------------------------------------------------


def first_level(max_level):
    """What the stream says the level of its first estimate is, as a function of the key."""
    stream = mlmc_stream(lambda x, z: x, lambda k, z: (z, z), batch_size=1, max_level=max_level)
    zero = jnp.zeros(1)

    def level(key):
        return stream.tick(jax.random.PRNGKey(0), zero, zero, stream.init(zero, key))[4].level

    return level


def test_the_level_is_geometric_at_every_threshold_of_its_random_bits(monkeypatch):
    """J = j for exactly the 2^{32-j} words in [2^{32-j}, 2^{33-j}), which gives P(J = j) = 2^-j."""
    level = first_level(30)
    words = np.array([[0, 0], *([2**k, 2 ** (k + 1) - 1] for k in range(32))], np.uint32)
    monkeypatch.setattr(jax.random, "bits", lambda key, dtype: key[0])
    keys = np.stack([words, np.zeros_like(words)], axis=-1)
    levels = np.asarray(jax.jit(jax.vmap(jax.vmap(level)))(keys))
    assert set(levels[0]) == {0}  # the one word without a bit
    drawn = 32 - np.arange(32)
    np.testing.assert_array_equal(levels[1:], np.where(drawn > 30, 0, drawn)[:, None] * [[1, 1]])


def test_the_level_has_its_law_exactly_over_all_words_of_16_bits(monkeypatch):
    monkeypatch.setattr(jax.random, "bits", lambda key, dtype: key[0])
    words = np.arange(2**16, dtype=np.uint32) << 16
    keys = np.stack([words, np.zeros_like(words)], axis=-1)
    levels = jax.jit(lambda max_level, keys: jax.vmap(first_level(max_level))(keys))
    for max_level in (0, 1, 4, 15):
        counts = np.bincount(levels(max_level, keys), minlength=max_level + 1)
        expected = [2 ** (16 - j) for j in range(1, max_level + 1)]
        np.testing.assert_array_equal(counts, [2 ** (16 - max_level), *expected])


def test_the_single_call_reads_its_level_from_the_same_bits(monkeypatch):
    estimate = mlmc_gradient(lambda x, z: x, lambda k, z: (z, z), batch_size=1, max_level=3)
    for word, level in ((2**32 - 1, 1), (2**31, 1), (2**30, 2), (2**29, 3), (2**28, 0), (0, 0)):
        monkeypatch.setattr(jax.random, "bits", lambda key, dtype, word=word: jnp.uint32(word))
        info = estimate(jax.random.key(0), jnp.zeros(1), jnp.zeros([]))[2]
        assert (int(info.level), int(info.samples)) == (level, 2**level)


def record(key, tape):
    """A chain that keeps the keys it is given."""
    keys, position = tape
    data = jax.random.key_data(key)
    return (keys.at[position].set(data), position + 1), data


def test_the_chain_gets_fresh_keys_and_the_level_none_of_them():
    estimate = mlmc_gradient(lambda x, z: x, record, batch_size=2, max_level=3)
    keys = jax.random.split(jax.random.key(1), 3000)
    blank = (jnp.zeros((16, 2), jnp.uint32), 0)
    call = jax.jit(jax.vmap(lambda key: estimate(key, jnp.zeros(1), blank)))
    _, (given, _), info = call(keys)
    used = np.asarray(given)[np.arange(16) < np.asarray(info.samples)[:, None]]
    assert len(np.unique(used, axis=0)) == len(used)

    def derived(data):
        drawn = jax.lax.clz(jax.random.bits(data, dtype=jnp.uint32)).astype(jnp.int32) + 1
        return jnp.where(drawn > 3, 0, drawn)

    # Levels of independent bits agree with probability 1/4 + 1/16 + 1/64 + 1/64.
    agreement = np.mean(np.asarray(jax.jit(jax.vmap(derived))(given[:, 0])) == info.level)
    assert abs(agreement - 0.34375) < 5 * (0.34375 * 0.65625 / 3000) ** 0.5


def test_the_level_depends_on_the_key_alone():
    estimate = jax.jit(
        mlmc_gradient(lambda x, z: x + z, lambda k, z: (-z, z), batch_size=1, max_level=4)
    )
    for seed in range(20):
        key = jax.random.key(seed)
        levels = {
            int(estimate(key, jnp.full(1, x), jnp.array(z))[2].level)
            for x, z in itertools.product((-1.0, 0.0, 5.0), (-1.0, 1.0))
        }
        assert len(levels) == 1


# --- the stream ---------------------------------------------------------------------------------


def wander(key, state):
    """A chain that ignores the key it is given and brings its own."""
    own, z = state
    own, coin = jax.random.split(own)
    z = jnp.where(jax.random.bernoulli(coin, 0.3), 1 - z, z)
    return (own, z), z


@pytest.mark.parametrize(
    ("batch_size", "max_level", "samples_per_tick"),
    [(4, 3, 4), (1, 4, 1), (6, 2, 2)],
)
def test_the_stream_gives_what_single_calls_give(batch_size, max_level, samples_per_tick):
    """The same trajectory and levels give the same gradients, while the parameters move."""
    arguments = {"batch_size": batch_size, "max_level": max_level}
    stream = mlmc_stream(gradient, wander, **arguments, samples_per_tick=samples_per_tick)
    estimate = jax.jit(mlmc_gradient(gradient, wander, **arguments))

    def tick(carry, key):
        params, chain, partial = carry
        g, ready, chain, partial, info = stream.tick(key, *carry)
        params = jax.tree.map(lambda p, gi: jnp.where(ready, p - 0.1 * gi, p), params, g)
        carry = (params, chain, partial)
        return carry, (g, ready, carry, info)

    carry = (PARAMS, (jax.random.PRNGKey(5), jnp.array(0)), stream.init(PARAMS, jax.random.key(6)))
    keys = jax.random.split(jax.random.key(7), 200 * batch_size // samples_per_tick)
    g, ready, after, info = jax.device_get(jax.jit(lambda c: jax.lax.scan(tick, c, keys))(carry)[1])

    params, chain, _ = carry
    levels = set()
    for t in np.flatnonzero(ready)[:25]:
        at = functools.partial(jax.tree.map, lambda leaf, t=t: leaf[t])
        level = int(info.level[t])
        alone, chain, alone_info = estimate(key_of_level(level, max_level), params, chain)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=4e-15), at(g), alone
        )
        assert at(info) == alone_info
        params, end, partial = at(after)
        jax.tree.map(np.testing.assert_array_equal, end, chain)
        assert int(partial.samples) == 0
        levels.add(level)
    assert {*range(min(max_level, 2) + 1)} <= levels
    running = np.flatnonzero(~ready)
    np.testing.assert_array_equal(info.samples[running], after[2].samples[running])


def test_lanes_of_the_stream_do_not_disturb_each_other():
    stream = mlmc_stream(gradient, wander, batch_size=2, max_level=3)

    def run(seed):
        key = jax.random.key(seed)

        def tick(carry, t):
            chain, partial = carry
            g, ready, chain, partial, info = stream.tick(
                jax.random.fold_in(key, t), PARAMS, chain, partial
            )
            kept = jax.tree.map(lambda leaf: jnp.where(ready, leaf, 0.0), g)
            return (chain, partial), (kept, info)

        carry = ((key, jnp.array(0)), stream.init(PARAMS, jax.random.fold_in(key, 999)))
        return jax.lax.scan(tick, carry, jnp.arange(50))[1]

    together = jax.jit(jax.vmap(run))(jnp.arange(4))
    alone = jax.jit(run)
    for lane in range(4):
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-15),
            together,
            alone(lane),
        )


def test_levels_drawn_on_the_way_are_geometric_and_no_key_of_the_chain():
    """With B = 1 and m = 0 every tick draws a level for the next estimate."""
    stream = mlmc_stream(lambda x, z: x, record, batch_size=1, max_level=0)
    zero, blank = jnp.zeros(1), (jnp.zeros((1, 2), jnp.uint32), 0)
    first = stream.init(zero, jax.random.key(0))
    keys = jax.random.split(jax.random.key(2), 8000)
    tick = jax.jit(jax.vmap(lambda key: stream.tick(key, zero, blank, first)))
    _, ready, (given, _), following, _ = tick(keys)
    assert bool(jnp.all(ready))
    drawn = np.asarray(following.drawn_level)
    for j in range(1, 7):
        p = 2.0**-j
        assert abs(np.mean(drawn == j) - p) < 5 * (p * (1 - p) / 8000) ** 0.5
    zeros = jax.jit(jax.vmap(lambda data: jax.lax.clz(jax.random.bits(data, dtype=jnp.uint32))))
    agreement = np.mean(np.asarray(zeros(given[:, 0])) + 1 == drawn)
    assert abs(agreement - 1 / 3) < 5 * (2 / 9 / 8000) ** 0.5


def test_sizes_may_be_traced_and_change_between_estimates():
    """A plain batch and a multilevel one in turns, as extragradient takes them: one program."""
    paths = jnp.asarray(np.random.default_rng(0).integers(0, 2, 400))

    def run(batch_size, max_level):
        def tick(carry, t):
            tape, partial, parity = carry
            stream = mlmc_stream(
                gradient, read, batch_size=batch_size, max_level=jnp.where(parity, max_level, 0)
            )
            key = jax.random.fold_in(jax.random.key(3), t)
            _, ready, tape, partial, info = stream.tick(key, PARAMS, tape, partial)
            return (tape, partial, parity ^ ready), (ready, info.level, info.samples)

        stream = mlmc_stream(gradient, read, batch_size=1, max_level=0)
        carry = ((paths, 0), stream.init(PARAMS, jax.random.key(4)), jnp.array(False))
        return jax.lax.scan(tick, carry, jnp.arange(300))[1]

    for batch_size, max_level in ((2, 3), (5, 2)):
        ready, level, samples = jax.jit(run)(batch_size, max_level)
        ends = np.flatnonzero(ready)
        np.testing.assert_array_equal(samples[ends], np.diff(ends, prepend=-1))
        np.testing.assert_array_equal(samples[ends], batch_size * 2 ** level[ends])
        assert set(np.asarray(level[ends][::2])) == {0}
        assert set(np.asarray(level[ends][1::2])) == set(range(max_level + 1))

    traced = jax.jit(
        lambda b, m: mlmc_gradient(gradient, read, batch_size=b, max_level=m)(
            jax.random.key(0), PARAMS, (paths, 0)
        )
    )(2, 3)
    known = mlmc_gradient(gradient, read, batch_size=2, max_level=3)(
        jax.random.key(0), PARAMS, (paths, 0)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-14), traced, known)


# --- what they accept ---------------------------------------------------------------------------


def test_a_gradient_of_weight_zero_may_be_nan():
    """Samples of the base batch have the weight 0 unless the level is 0."""
    path = jnp.array([jnp.nan, jnp.nan, 1.0, 3.0])
    arguments = {"batch_size": 2, "max_level": 1}
    estimate = mlmc_gradient(lambda x, z: x * z, read, **arguments)
    g, _, _ = estimate(key_of_level(1, 1), jnp.ones(1), (path, 0))
    np.testing.assert_allclose(g, [2.0])
    g, _, _ = estimate(key_of_level(0, 1), jnp.ones(1), (path, 0))
    assert bool(jnp.isnan(g[0]))

    stream = mlmc_stream(lambda x, z: x * z, read, **arguments, samples_per_tick=2)
    partial = stream.init(jnp.ones(1), jax.random.key(0))._replace(drawn_level=jnp.int32(1))
    tick = jax.jit(stream.tick)
    _, _, tape, partial, _ = tick(jax.random.key(0), jnp.ones(1), (path, 0), partial)
    g, ready, _, _, _ = tick(jax.random.key(1), jnp.ones(1), tape, partial)
    assert bool(ready)
    np.testing.assert_allclose(g, [2.0])


@pytest.mark.parametrize(
    ("dtype", "make_key"),
    [
        (jnp.bfloat16, jax.random.key),
        (jnp.float16, jax.random.PRNGKey),
        (jnp.float32, jax.random.key),
        (jnp.float64, jax.random.PRNGKey),
    ],
)
def test_dtypes_follow_the_parameters(dtype, make_key, strict_dtypes):
    """16-bit gradients are summed in float32: in 16 bits, large + 1 is large."""
    params = (jnp.ones(2, dtype), {"b": jnp.ones([], jnp.float32)})
    large = 2048.0 if dtype == jnp.float16 else 256.0
    samples = jnp.array([large, 1.0, 1.0, 2.0], jnp.float32)

    def grad(p, z):
        return jax.tree.map(lambda leaf: jnp.ones_like(leaf, jnp.float32) * z, p)

    estimate = mlmc_gradient(grad, read, batch_size=4, max_level=0)
    g, _, _ = jax.jit(estimate)(make_key(0), params, (samples, jnp.int32(0)))
    assert [leaf.dtype for leaf in jax.tree.leaves(g)] == [jnp.dtype(dtype), jnp.dtype(jnp.float32)]
    np.testing.assert_array_equal(g[0], np.full(2, large / 4 + 1))
    stream = mlmc_stream(grad, read, batch_size=4, max_level=0, samples_per_tick=4)
    first = stream.init(params, make_key(1))
    s, ready, _, following, _ = jax.jit(stream.tick)(
        make_key(0), params, (samples, jnp.int32(0)), first
    )
    assert bool(ready)
    jax.tree.map(np.testing.assert_array_equal, s, g)
    same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), first, following)
    assert all(jax.tree.leaves(same))


def test_samples_may_be_trees_and_gradients_come_from_jax_grad():
    data = {"x": jnp.linspace(0, 1, 12).reshape(6, 2), "y": jnp.arange(6.0)}

    def next_row(key, position):
        return position + 1, jax.tree.map(lambda rows: rows[position], data)

    def loss(params, row):
        return 0.5 * (row["x"] @ params["w"] + params["b"] - row["y"]) ** 2

    estimate = mlmc_gradient(jax.grad(loss), next_row, batch_size=6, max_level=0)
    g, position, _ = estimate(jax.random.key(0), PARAMS, 0)
    batch_loss = lambda p: jnp.mean(jax.vmap(lambda row: loss(p, row))(data))  # noqa: E731
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), g, jax.grad(batch_loss)(PARAMS)
    )
    assert int(position) == 6


def test_memory_is_that_of_a_few_gradients_at_every_level():
    size = 100_000
    estimate = mlmc_gradient(lambda x, z: x * z, lambda k, z: (z, z), batch_size=64, max_level=6)
    compiled = jax.jit(estimate).lower(jax.random.key(0), jnp.ones(size), jnp.ones([])).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 5 * 8 * size


@pytest.mark.parametrize("make", [mlmc_gradient, mlmc_stream])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got 2.0"),
        ({"max_level": -1}, ValueError, "max_level must be an integer of at least 0, got -1"),
        ({"max_level": True}, TypeError, "max_level must be an integer"),
        ({"max_level": 30}, ValueError, r"must be below 2\*\*31.*batch_size = 2"),
        ({"grad_fn": 3}, TypeError, "grad_fn must be a function of .*, got 3"),
        ({"step_fn": None}, TypeError, "step_fn must be a function of .*, got None"),
    ],
)
def test_bad_arguments_are_named(make, change, error, message):
    good = {"grad_fn": gradient, "step_fn": read, "batch_size": 2, "max_level": 2}
    with pytest.raises(error, match=message):
        make(**{**good, **change})


def test_bad_ticks_gradients_and_parameters_are_named():
    with pytest.raises(ValueError, match=r"samples_per_tick must divide batch_size.*3.*4"):
        mlmc_stream(gradient, read, batch_size=4, max_level=1, samples_per_tick=3)
    tape, key = (jnp.zeros(8), 0), jax.random.key(0)
    estimate = mlmc_gradient(lambda p, z: p["w"], read, batch_size=2, max_level=0)
    with pytest.raises(ValueError, match="result of grad_fn must have the tree structure"):
        estimate(key, PARAMS, tape)
    stream = mlmc_stream(lambda p, z: {**p, "w": z}, read, batch_size=2, max_level=0)
    with pytest.raises(ValueError, match=r"result of grad_fn\['w'\] must have the shape"):
        stream.tick(key, PARAMS, tape, stream.init(PARAMS, key))
    for call in (lambda p: estimate(key, p, tape), lambda p: stream.init(p, key)):
        with pytest.raises(TypeError, match=r"params\['w'\] must be a real floating array.*int"):
            call({"w": jnp.arange(2), "b": jnp.ones([])})


def test_they_are_exported():
    assert optzoo.mlmc_gradient is mlmc_gradient
    assert optzoo.mlmc_stream is mlmc_stream
