"""Mixing times against brute force, the sampler against its own bits, certificates that refuse."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    CertificateError,
    Constant,
    MarkovChain,
    lazy_resample,
    metropolis_chain,
    one_way_lazy_ring,
    random_walk,
    symmetric_lazy_ring,
    two_state_switch,
)
from optzoo.problems.markov.markov_chain import contraction_coefficient

GRAPH = np.array(
    [[0, 1, 0, 0, 2], [1, 0, 1, 0, 0], [0, 1, 0, 3, 0], [0, 0, 3, 0, 1], [2, 0, 0, 1, 0]]
)


def random_matrix(size: int, seed: int, sparsity: float = 0.3) -> np.ndarray:
    """Rows of very different entries, some zero; a cycle and one loop keep it ergodic."""
    rng = np.random.default_rng(seed)
    matrix = 10.0 ** rng.uniform(-3, 0, (size, size)) * (rng.random((size, size)) > sparsity)
    matrix[np.arange(size), (np.arange(size) + 1) % size] += 0.1
    matrix[0, 0] += 0.1
    return matrix / matrix.sum(axis=1, keepdims=True)


def each_chain() -> dict[str, MarkovChain]:
    return {
        "switch": two_state_switch(0.05),
        "slow switch": two_state_switch(0.0005),
        "fast switch": two_state_switch(0.9),
        "resample": lazy_resample([0.1, 0.2, 0.7], 0.03),
        "independent": lazy_resample([0.25, 0.75], 1.0),
        "ring": symmetric_lazy_ring(10),
        "one-way ring": one_way_lazy_ring(10),
        "walk": random_walk(GRAPH, 0.25),
        "metropolis": metropolis_chain([1.0, 2.0, 5.0, 0.5], np.full((4, 4), 0.25)),
        "given": MarkovChain(random_matrix(6, seed=0)),
    }


CHAINS = each_chain()
each = pytest.mark.parametrize("name", CHAINS)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """The largest difference over all events, by enumerating them."""
    events = itertools.product((0.0, 1.0), repeat=len(p))
    return max(float(np.dot(event, p - q)) for event in events)


def test_the_mixing_times_of_the_literature() -> None:
    assert [two_state_switch(q).mixing_time for q in (0.05, 0.005, 0.0005)] == [14, 138, 1386]
    assert [symmetric_lazy_ring(size).mixing_time for size in (10, 30)] == [17, 149]
    assert one_way_lazy_ring(10).mixing_time == 33


@settings(deadline=None, max_examples=60)
@given(q=st.floats(1e-4, 0.999), steps=st.integers(0, 50))
def test_switch_and_resampling_follow_their_closed_forms(q: float, steps: int) -> None:
    for chain, memory in (
        (two_state_switch(q), abs(1 - 2 * q)),
        (lazy_resample([0.2, 0.8], q), 1 - q),
    ):
        profile = chain.mixing_profile(max(steps, 1))
        assert profile[min(steps, len(profile) - 1)] == pytest.approx(memory**steps, abs=1e-12) or (
            steps == 0
        )
        assert chain.constants["gap"].value == pytest.approx(1 - memory, abs=1e-9)
        exact = math.log(4) / -math.log(memory) if 0 < memory < 1 else 1.0
        if abs(exact - round(exact)) > 1e-6:
            assert chain.mixing_time == max(1, math.ceil(exact))


@pytest.mark.parametrize("tau", [1, 2, 3, 7, 20, 138, 1000])
def test_a_tie_counts_as_mixed(tau: int) -> None:
    assert lazy_resample([0.45, 0.55], 1 - 4 ** (-1 / tau)).mixing_time == tau
    assert two_state_switch((1 - 4 ** (-1 / tau)) / 2).mixing_time == tau


@settings(deadline=None, max_examples=40)
@given(size=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_given_matrices_against_brute_force(size: int, seed: int) -> None:
    matrix = random_matrix(size, seed)
    chain = MarkovChain(matrix)
    np.testing.assert_allclose(chain.stationary @ matrix, chain.stationary, atol=1e-15)
    power, steps = matrix, 1
    while max(total_variation(p, q) for p in power for q in power) > 0.25 + 1e-10:
        power, steps = power @ matrix, steps + 1
    assert chain.mixing_time == steps
    second = np.sort(np.abs(np.linalg.eigvals(matrix)))[-2]
    assert chain.constants["gap"].value == pytest.approx(1 - second, abs=1e-6)
    chain.certify()


@each
def test_the_supremum_is_over_all_pairs_of_starts(name: str) -> None:
    chain = CHAINS[name]
    power = np.linalg.matrix_power(chain.transition, 3)
    worst = max(np.abs(p - q).sum() / 2 for p in power for q in power)
    assert contraction_coefficient(power) == pytest.approx(worst, rel=1e-14)
    profile = chain.mixing_profile(max(4, chain.mixing_time))
    assert profile[0] == 1.0
    assert profile[3] == pytest.approx(worst, rel=1e-12)
    assert np.all(np.diff(profile) <= 1e-15)
    tau = chain.mixing_time
    assert profile[tau] <= 0.25 + 1e-9
    assert tau == 1 or profile[tau - 1] > 0.25


@each
def test_reversibility_and_certificate(name: str) -> None:
    chain = CHAINS[name]
    assert chain.reversible == (name not in ("one-way ring", "given"))
    flow = chain.stationary[:, None] * chain.transition
    assert chain.reversible == np.allclose(flow, flow.T, atol=1e-13)
    chain.certify()
    assert all(constant.how == "exact" for constant in chain.constants.values())


def test_stationary_laws_by_formula() -> None:
    np.testing.assert_allclose(CHAINS["walk"].stationary, GRAPH.sum(1) / GRAPH.sum(), rtol=1e-13)
    target = np.array([1.0, 2.0, 5.0, 0.5])
    np.testing.assert_allclose(CHAINS["metropolis"].stationary, target / target.sum(), rtol=1e-13)
    np.testing.assert_allclose(CHAINS["resample"].stationary, [0.1, 0.2, 0.7], rtol=1e-13)
    np.testing.assert_allclose(CHAINS["one-way ring"].stationary, 0.1, rtol=1e-13)


def test_metropolis_with_a_proposal_that_is_not_symmetric() -> None:
    proposal = np.array([[0.2, 0.8, 0.0], [0.3, 0.2, 0.5], [0.0, 0.9, 0.1]])
    target = np.array([0.5, 0.2, 0.3])
    chain = metropolis_chain(target, proposal)
    np.testing.assert_allclose(chain.stationary, target, rtol=1e-12)
    assert chain.reversible
    for i, j in ((0, 1), (1, 2), (1, 0)):
        accept = min(1.0, target[j] * proposal[j, i] / (target[i] * proposal[i, j]))
        assert chain.transition[i, j] == pytest.approx(proposal[i, j] * accept, rel=1e-14)


def first_bits_that_reach(advance, target: int) -> int:
    """The smallest draw whose next state is at least `target`, by bisection over 2^31 draws."""
    low, high = 0, 2**31
    while low < high:
        middle = (low + high) // 2
        if int(advance(np.uint32(middle))) >= target:
            high = middle
        else:
            low = middle + 1
    return low


@pytest.mark.parametrize("name", ["switch", "slow switch", "one-way ring", "given", "independent"])
def test_the_law_of_a_step_over_all_its_random_bits(name: str) -> None:
    chain = CHAINS[name]
    advance = jax.jit(chain.advance)
    size = chain.num_states
    for state in range(min(size, 3)):
        edges = [
            first_bits_that_reach(lambda bits, state=state: advance(bits, state), target)
            for target in range(size + 1)
        ]
        law = np.diff(edges) / 2.0**31
        np.testing.assert_allclose(law, chain.transition[state], rtol=0, atol=2.0**-31)
        assert np.all(law[chain.transition[state] == 0.0] == 0.0)


def test_step_and_path_feed_their_bits_to_advance() -> None:
    chain, key = CHAINS["given"], jax.random.key(3)
    bits = int(jax.random.bits(key, (), jnp.uint32)) >> 1
    state = chain.step(key, jnp.int32(2))
    assert int(state) == int(chain.advance(np.uint32(bits), 2))
    assert [int(s) for s in chain.step_and_sample(key, jnp.int32(2))] == [int(state)] * 2
    path = np.asarray(chain.path(key, 200, initial=4))
    bits = np.asarray(jax.random.bits(jax.random.split(key)[1], (200,), jnp.uint32)) >> 1
    state = 4
    for draw, visited in zip(bits, path, strict=True):
        state = int(chain.advance(draw, state))
        assert state == visited
    assert path.dtype == np.int32


@pytest.mark.parametrize("name", ["switch", "ring", "one-way ring", "given"])
def test_transition_counts(name: str) -> None:
    chain = CHAINS[name]
    path = np.asarray(jax.jit(lambda c, k: c.path(k, 200_000))(chain, jax.random.key(1)))
    size = chain.num_states
    counts = np.zeros((size, size))
    np.add.at(counts, (path[:-1], path[1:]), 1)
    visits = counts.sum(axis=1, keepdims=True)
    spread = np.sqrt(chain.transition * (1 - chain.transition) / visits)
    assert np.all(np.abs(counts / visits - chain.transition) <= 5 * spread + 1e-12)


def test_starts() -> None:
    chain = lazy_resample([0.1, 0.2, 0.7], 0.001)
    keys = jax.random.split(jax.random.key(0), 20_000)
    for starts in (
        jax.jit(jax.vmap(chain.stationary_state))(keys),
        jax.jit(jax.vmap(lambda key: chain.path(key, 1)[0]))(keys),
    ):
        shares = np.bincount(np.asarray(starts), minlength=3) / len(keys)
        np.testing.assert_allclose(shares, chain.stationary, atol=5 * 0.5 / np.sqrt(len(keys)))
    given_start = jax.jit(jax.vmap(lambda key: chain.path(key, 1, initial=1)[0]))(keys[:2000])
    assert np.mean(np.asarray(given_start) == 1) > 0.99


def test_chains_of_equal_size_stack() -> None:
    chains = [two_state_switch(q) for q in (0.01, 0.99)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *chains)
    key = jax.random.key(0)
    paths = jax.jit(jax.vmap(lambda chain: chain.path(key, 500, initial=0)))(stacked)
    for chain, path in zip(chains, paths, strict=True):
        np.testing.assert_array_equal(path, chain.path(key, 500, initial=0))


def test_a_step_does_not_depend_on_the_float_dtype() -> None:
    with jax.enable_x64(False):
        chain = two_state_switch(0.0005)
        assert chain.mixing_time == 1386
        path = np.asarray(chain.path(jax.random.key(0), 5000, initial=0))
    np.testing.assert_array_equal(path, two_state_switch(0.0005).path(jax.random.key(0), 5000, 0))


@each
@pytest.mark.parametrize("what", ["later", "earlier", "gap", "law", "sampler"])
def test_certify_refuses_a_wrong_number(name: str, what: str) -> None:
    chain = each_chain()[name]
    tau, gap = chain.mixing_time, chain.constants["gap"].value
    message = {"later": "tau", "earlier": "tau", "law": "stationary law"}.get(what, what)
    if what == "later":
        chain.constants["tau"] = Constant(tau + 1.0, "exact")
    elif what == "earlier":
        chain.constants["tau"] = Constant(tau - 1.0 if tau > 1 else 2.0, "exact")
    elif what == "gap":
        chain.constants["gap"] = Constant(gap * 0.99, "exact")
    elif what == "law":
        wrong = np.roll(chain.stationary, 1)
        wrong[0] += 1e-6
        object.__setattr__(chain, "stationary", wrong)
        message = "law|gap"
    else:
        shifted = np.asarray(chain.thresholds).copy()
        shifted[0, 0] ^= 8
        object.__setattr__(chain, "thresholds", jnp.asarray(shifted))
        message = "simulated transition"
    with pytest.raises(CertificateError, match=message):
        chain.certify()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MarkovChain([[0.5, 0.5]]), "square"),
        (lambda: MarkovChain([[0.5, 0.6], [0.5, 0.5]]), "sum to between 1 and 1.1"),
        (lambda: MarkovChain([[1.5, -0.5], [0.5, 0.5]]), "smallest entry is -0.5"),
        (lambda: MarkovChain([[math.nan, 1.0], [0.5, 0.5]]), "probability vector"),
        (lambda: MarkovChain(np.eye(2)), "irreducible and aperiodic"),
        (lambda: MarkovChain([[0.0, 1.0], [1.0, 0.0]]), "irreducible and aperiodic"),
        (lambda: MarkovChain([[1.0, 0.0], [0.5, 0.5]]), "irreducible and aperiodic"),
        (lambda: two_state_switch(1.0), "strictly between 0 and 1, got 1.0"),
        (lambda: lazy_resample([0.5, 0.5], 0.0), "resample_probability"),
        (
            lambda: lazy_resample([0.5, 0.6], 0.5),
            "law must be a probability vector.* sum to between 1.1",
        ),
        (lambda: symmetric_lazy_ring(2), "at least 3 for a ring, got 2"),
        (lambda: one_way_lazy_ring(5, 1.0), "move_probability"),
        (lambda: random_walk([[0, 1], [2, 0]], 0.5), "symmetric"),
        (lambda: random_walk([[0, 1], [1, 0]], 0.0), "aperiodic"),
        (lambda: random_walk([[0, 1], [1, 0]], 1.0), "laziness"),
        (lambda: random_walk(np.kron(np.eye(2), np.ones((2, 2))), 0.5), "irreducible"),
        (lambda: metropolis_chain([1.0, 0.0], np.full((2, 2), 0.5)), "target"),
        (lambda: metropolis_chain([1.0, 1.0], np.eye(3)), "proposal must have shape"),
        (lambda: metropolis_chain([1.0, 1.0], [[0.5, 0.5], [0.0, 1.0]]), "way back"),
        (lambda: CHAINS["switch"].path(jax.random.key(0), 0), "length"),
        (lambda: CHAINS["switch"].path(jax.random.key(0), 3, initial=2), r"\[0, 2\), got 2"),
    ],
)
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("q", [1e-6, 1e-8, 1e-9, 1e-11])
def test_slow_chains_are_found_by_doubling_and_certified_to_their_round_off(q: float) -> None:
    chain = two_state_switch(q)
    tau, exact = chain.constants["tau"], math.ceil(math.log(0.25) / math.log1p(-2 * q))
    assert tau.value - tau.width <= exact <= tau.value
    assert (tau.how, tau.width > 0) == (("exact", False) if q > 1e-7 else ("certified", True))
    assert tau.width <= 1e-3 * exact
    chain.certify()
    wrong = Constant(1.1 * tau.value, tau.how, tau.width)
    chain.constants["tau"] = wrong
    with pytest.raises(CertificateError, match="tau"):
        chain.certify()


@pytest.mark.parametrize("state", [2, -1, np.int64(7), np.array(2)])
def test_a_state_out_of_range_is_refused(state) -> None:
    chain, key = CHAINS["switch"], jax.random.key(0)
    for ask in (
        lambda: chain.step(key, state),
        lambda: chain.step_and_sample(key, state),
        lambda: chain.advance(jnp.uint32(0), state),
        lambda: chain.path(key, 3, state),
        lambda: jax.jit(lambda k: chain.step(k, state))(key),
    ):
        with pytest.raises(ValueError, match=r"must lie in \[0, 2\), got"):
            ask()
    with pytest.raises(TypeError, match="state must be an integer"):
        chain.step(key, 0.5)
