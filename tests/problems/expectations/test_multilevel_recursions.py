"""Moments of the methods against the enumeration of levels and paths, and the known figures."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import (
    MarkovChain,
    MarkovianQuadratic,
    MaskedQuadratic,
    RotationOperator,
    accelerated_gd_moments,
    additive_noise_quadratic,
    extragradient_moments,
    multilevel_moments,
    multiplicative_noise_quadratic,
    plain_batch_moments,
    randomized_gd_moments,
    rotation_operator,
    two_state_switch,
)

SKEWED = MarkovChain([[0.7, 0.3], [0.2, 0.8]])
VALUES = np.array([3.0, -2.0])  # mean zero under (0.4, 0.6)
THREE = MarkovChain([[0.2, 0.7, 0.1], [0.05, 0.5, 0.45], [0.6, 0.0, 0.4]])


def mixed_quadratic() -> MarkovianQuadratic:
    """Additive noise in states 0 and 1, multiplicative in 4 and 5, none in 2 and 3."""
    chain = MarkovChain(np.kron(np.full((2, 2), 0.5), THREE.transition))
    pi = chain.stationary
    additive, multiplicative = np.zeros(6), np.zeros(6)
    additive[0], additive[1] = 1.0 / pi[0], -1.0 / pi[1]
    multiplicative[4], multiplicative[5] = 0.3 / pi[4], -0.3 / pi[5]
    return MarkovianQuadratic(
        chain,
        jnp.array([1.0, 0.3]),
        jnp.array([0.5, -1.0]),
        jnp.array([0.6, 0.8]),
        jnp.asarray(additive),
        jnp.asarray(multiplicative),
    )


PROBLEMS = {
    "additive": additive_noise_quadratic(SKEWED, [0.2, 1.0], 1.5, values=VALUES, direction=[1, 2]),
    "multiplicative": multiplicative_noise_quadratic(SKEWED, [0.0, 1.0], 2.0, values=VALUES),
    "masked": MaskedQuadratic(
        two_state_switch(0.3), jnp.array([[1.0, 0.4], [0.4, 0.7]]), jnp.array([1.0, -2.0]),
        jnp.array([[2.0, 0.0], [0.0, 2.0]]),
    ),
    "rotation": RotationOperator(
        SKEWED, jnp.array([0.5, 0.7]), jnp.array([[0.0, 1.0], [-1.0, 0.0]]), jnp.array([1.0, 2.0]),
        jnp.array([0.0, 1.0]), jnp.asarray(VALUES), jnp.zeros(2),
    ),
}  # fmt: skip


def draws(chain: MarkovChain, batch: int, max_level: int, state: int):
    """(probability, level, path) of one estimator from a chain state."""
    levels = [(2.0**-j, j) for j in range(1, max_level + 1)] + [(2.0**-max_level, 0)]
    for share, level in levels:
        for path in itertools.product(range(chain.num_states), repeat=2**level * batch):
            steps = zip((state, *path[:-1]), path, strict=True)
            probability = share * np.prod([chain.transition[a, b] for a, b in steps])
            if probability > 0:
                yield probability, level, path


def estimate(problem, x: np.ndarray, batch: int, level: int, path) -> np.ndarray:
    values = np.stack([FORMS[id(problem)][0][z] @ x - FORMS[id(problem)][1][z] for z in path])
    g = values[:batch].mean(axis=0)
    if level:
        half = 2 ** (level - 1) * batch
        g = g + 2**level * (values.mean(axis=0) - values[:half].mean(axis=0))
    return g


FORMS = {id(problem): problem.affine_form() for problem in PROBLEMS.values()}


def enumerate_method(problem, points, iteration, num_iterations: int, start: int):
    """Leaves of the tree of all levels and paths: (probability, points)."""
    leaves = [(1.0, start, points)]
    for _ in range(num_iterations):
        leaves = [
            (weight * probability, state, moved)
            for weight, before, current in leaves
            for probability, state, moved in iteration(problem, before, current)
        ]
    return leaves


def gd_iteration(problem, state, x):
    for probability, level, path in draws(problem.chain, 1, 1, state):
        yield probability, path[-1], (x[0] - 0.3 * estimate(problem, x[0], 1, level, path),)


def accelerated_iteration(problem, state, points):
    gamma, mu, p = 0.5, 0.2, 0.7
    x, x_f = points
    beta = np.sqrt(4 * p**2 * mu * gamma / 3)
    eta = 3 * beta / (2 * p * mu * gamma)
    theta = (p / eta - 1) / (beta * p / eta - 1)
    for probability, level, path in draws(problem.chain, 1, 1, state):
        x_g = theta * x_f + (1 - theta) * x
        g = estimate(problem, x_g, 1, level, path)
        # The two-sequence form of the method, not the one that the recursion is written in.
        new = (1 - beta) * x + beta * x_g - p * gamma * eta * g
        yield probability, path[-1], (new, x_g - p * gamma * g)


def extragradient_iteration(problem, state, points):
    x = points[0]
    for first, _, path in draws(problem.chain, 2, 0, state):
        half = x - 0.2 * estimate(problem, x, 2, 0, path)
        for second, level, rest in draws(problem.chain, 1, 1, path[-1]):
            g = estimate(problem, half, 1, level, rest)
            yield first * second, rest[-1], (x - 0.2 * g, half)


METHODS = {
    "gd": (gd_iteration, lambda p: randomized_gd_moments(p, 0.3, batch_size=1, max_level=1)),
    "accelerated": (
        accelerated_iteration,
        lambda p: accelerated_gd_moments(
            p, 0.5, 0.2, batch_size=1, max_level=1, momentum_scale=0.7
        ),
    ),
    "extragradient": (
        extragradient_iteration,
        lambda p: extragradient_moments(p, 0.2, first_batch_size=2, batch_size=1, max_level=1),
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("method", METHODS)
def test_moments_against_the_tree_of_all_paths(method: str, name: str) -> None:
    problem = PROBLEMS[name]
    iteration, build = METHODS[method]
    recursion = build(problem)
    start_point = np.array([2.0, -0.7])
    moments = recursion.run(start_point, checkpoints=[0, 1, 3])
    names = recursion.names
    for checkpoint, count in enumerate((0, 1, 3)):
        for start in range(2):
            leaves = enumerate_method(problem, (start_point,) * len(names), iteration, count, start)
            weights = np.array([leaf[0] for leaf in leaves])
            assert weights.sum() == pytest.approx(1.0, abs=1e-12)
            for index, point in enumerate(names):
                errors = np.stack([leaf[2][index] for leaf in leaves]) - problem.solution
                np.testing.assert_allclose(
                    moments.mean[point][checkpoint, start], weights @ errors, atol=1e-12, rtol=1e-12
                )
                np.testing.assert_allclose(
                    moments.second[point][checkpoint, start],
                    np.einsum("l,li,lj->ij", weights, errors, errors),
                    atol=1e-12,
                    rtol=1e-12,
                )


def test_a_start_law_mixes_the_starts_and_points_may_start_apart() -> None:
    problem = PROBLEMS["additive"]
    recursion = METHODS["accelerated"][1](problem)
    starts = {"x": np.array([1.0, 2.0]), "x_f": np.array([-1.0, 0.5])}
    each = recursion.run(starts, [2])
    mixed = recursion.run(starts, [2], start_laws=[[0.25, 0.75]])
    np.testing.assert_allclose(
        mixed.second["x_f"][0, 0], each.second["x_f"][0].T @ [0.25, 0.75], rtol=1e-12
    )
    at_start = recursion.run(starts, [0])
    np.testing.assert_allclose(at_start.mean["x_f"][0, 0], starts["x_f"], atol=1e-14)
    form = np.array([[2.0, 1.0], [0.0, 3.0]])
    expected = starts["x"] @ form @ starts["x"]
    assert at_start.quadratic(form)[0, 0] == pytest.approx(expected)
    assert at_start.squared_distance()[0, 0] == pytest.approx(5.0)


def test_noise_of_both_kinds_on_different_states() -> None:
    problem = mixed_quadratic()
    problem.certify()
    recursion = randomized_gd_moments(problem, 0.1, batch_size=2, max_level=2)
    limit = recursion.limit().second["x"][0, 0]
    late = recursion.run([3.0, 3.0], [2000]).second["x"][0]
    np.testing.assert_allclose(late, np.broadcast_to(limit, late.shape), rtol=1e-9)


def test_the_limit_of_additive_noise_in_closed_form() -> None:
    # Plain batches of one on x: x^+ = (1 - c) x - gamma h(Z), Z the chain, c = gamma mu.
    chain, gamma, mu = two_state_switch(0.05), 0.1, 0.5
    problem = additive_noise_quadratic(chain, [mu], 1.0)
    recursion = randomized_gd_moments(problem, gamma, batch_size=1, max_level=0)
    keep, memory = 1 - gamma * mu, 0.9
    expected = gamma**2 / (1 - keep**2) * (1 + 2 * keep * memory / (1 - keep * memory))
    assert recursion.limit().squared_distance()[0, 0] == pytest.approx(expected, rel=1e-10)
    assert recursion.mean_square_factor() == pytest.approx(keep**2, rel=1e-12)


def v(level: int) -> float:
    return 1.0 if level == 0 else level - 1 + 2.0 ** (1 - level)


def variance_bound(tau: int, batch: int, level: int) -> float:
    return 10 / 3 * tau / batch * v(level)


def bias_bound(tau: int, batch: int, level: int) -> float:
    return 25 / 9 * tau**2 / (4**level * batch**2)


def largest_stable_step(delta: float, q: float) -> float:
    problem = multiplicative_noise_quadratic(two_state_switch(q), [1.0], delta)
    low, high = 1e-7, 1.0
    while high / low > 1.001:
        middle = np.sqrt(low * high)
        recursion = randomized_gd_moments(problem, middle, batch_size=1, max_level=0)
        low, high = (middle, high) if recursion.mean_square_factor() < 1 else (low, middle)
    return low


@pytest.mark.parametrize(
    ("delta", "limits"), [(2.0, (0.0180, 0.00168, 0.000167)), (4.0, (0.00360, 0.000336, 0.0000333))]
)
def test_stability_limits_of_plain_small_batches(delta: float, limits: tuple) -> None:
    for q, limit in zip((0.05, 0.005, 0.0005), limits, strict=True):
        stable = largest_stable_step(delta, q)
        assert stable == pytest.approx(limit, rel=0.005)
        # On the boundary the 2 x 2 matrix [[(1-q)a, q b], [q a, (1-q)b]] has the eigenvalue 1.
        up, down = (1 - stable * (1 + delta)) ** 2, (1 - stable * (1 - delta)) ** 2
        left = (1 - (1 - q) * up) * (1 - (1 - q) * down)
        assert left == pytest.approx(q**2 * up * down, rel=0.01)


def phi(recursion, problem, start: np.ndarray, count: int, mu: float) -> float:
    """E|x - x*|^2 + (6/mu)(E f(x_f) - f*), the worst start of the chain, over its first value."""
    moments = recursion.run(start, [0, count])
    hessian = np.diag(np.asarray(problem.eigenvalues))
    total = moments.squared_distance("x") + 6 / mu * moments.quadratic(hessian / 2, "x_f")
    return float(total[1].max() / total[0].max())


def test_acceleration_with_a_plain_batch_of_one_blows_up() -> None:
    mu, worst = 0.01, {}
    for delta, q in ((2.0, 0.05), (2.0, 0.005), (1.0, 0.05), (1.0, 0.005)):
        problem = multiplicative_noise_quadratic(two_state_switch(q), [mu, 0.1, 1.0], delta)
        recursion = accelerated_gd_moments(
            problem, 0.75, mu, batch_size=1, max_level=0, momentum_scale=6 / 7
        )
        worst[delta, q] = phi(recursion, problem, np.ones(3), 140, mu)
    promised = (1 - 6 / 7 * np.sqrt(mu * 0.75 / 3)) ** 140
    assert promised == pytest.approx(2e-3, rel=0.2)
    assert min(worst[2.0, 0.05], worst[2.0, 0.005]) > 1e90
    assert worst[1.0, 0.05] == pytest.approx(929, rel=0.001)
    assert worst[1.0, 0.005] > 100 * promised


def test_the_rate_of_acceleration_without_noise() -> None:
    # kappa = 100: 0.950 is promised an iteration, 0.853 is the rate.
    problem = multiplicative_noise_quadratic(two_state_switch(0.05), [0.01, 1.0], 0.0)
    recursion = accelerated_gd_moments(problem, 0.75, 0.01, batch_size=1, max_level=0)
    assert 1 - np.sqrt(0.01 * 0.75 / 3) == pytest.approx(0.950, abs=5e-4)
    assert recursion.mean_square_factor() == pytest.approx(0.853, abs=2e-3)


def iterations_to(recursion, start: np.ndarray, goal: float, most: int) -> int:
    ratios = recursion.run(start, range(most + 1)).squared_distance().max(axis=1)
    return int(np.argmax(ratios <= goal * ratios[0]))


def test_iteration_counts_follow_the_root_of_kappa() -> None:
    counts, slow = [], []
    tau, level = 14, 4
    batch = 16 * tau
    variance, bias = variance_bound(tau, batch, level), bias_bound(tau, batch, level)
    for kappa in (10, 100, 1000):
        mu = 1 / kappa
        spectrum = np.geomspace(mu, 1.0, 4)
        problem = multiplicative_noise_quadratic(two_state_switch(0.05), spectrum, 1.0)
        assert (4 + np.sqrt(3 / (mu * 0.75))) * bias <= 0.25
        recursion = accelerated_gd_moments(
            problem, 0.75, mu, batch_size=batch, max_level=level,
            momentum_scale=6 / (7 * (1 + variance)),
        )  # fmt: skip
        counts.append(iterations_to(recursion, np.ones(4), 1e-6, 600))
        if kappa < 1000:
            flattest = multiplicative_noise_quadratic(two_state_switch(0.05), [mu], 1.0)
            recursion = randomized_gd_moments(
                flattest, 1 / (4 * variance), batch_size=batch, max_level=level
            )
            slow.append(iterations_to(recursion, np.ones(1), 1e-6, 2000))
    slopes = np.diff(np.log10(counts))
    np.testing.assert_allclose(slopes, 0.5, atol=0.05)
    assert np.log10(slow[1] / slow[0]) == pytest.approx(1.0, abs=0.05)
    assert counts == [47, 161, 505]
    np.testing.assert_allclose(slow, [177, 1796], atol=1)


@pytest.mark.parametrize(("tau", "q"), [(14, 0.05), (138, 0.005), (1386, 0.0005)])
def test_the_bound_needs_the_true_mixing_time(tau: int, q: float) -> None:
    """The distance form of gradient descent's bound: above the floor with tau, below it with 1."""
    problem = additive_noise_quadratic(two_state_switch(q), [1.0], 1.0)
    recursion = randomized_gd_moments(problem, 0.1, batch_size=tau, max_level=4)
    floor = float(recursion.limit().squared_distance()[0, 0])

    def bound(time: int) -> float:
        return 0.1 * variance_bound(time, tau, 4) + bias_bound(time, tau, 4)

    assert bound(1) < floor < bound(tau)
    if tau == 138:
        assert bound(tau) / floor == pytest.approx(6.9, abs=0.1)
        recursion = randomized_gd_moments(problem, 0.1, batch_size=16, max_level=8)
        floor = recursion.limit().squared_distance()[0, 0]
        limits = [0.1 * variance_bound(t, 16, 8) + bias_bound(t, 16, 8) for t in (138, 1)]
        np.testing.assert_allclose([floor, *limits], [2.135, 20.15, 0.146], rtol=1e-3)


def test_a_plain_batch_of_the_same_cost_has_the_lower_floor_and_the_larger_bias() -> None:
    problem = additive_noise_quadratic(two_state_switch(0.005), [0.01], 1.0)
    for level, ratio in ((4, 8.25), (6, 23.0)):
        same_cost = round((level + 2.0**-level) * 138)
        floors = [
            randomized_gd_moments(problem, 1.0, batch_size=batch, max_level=top).limit()
            for batch, top in ((138, level), (same_cost, 0))
        ]
        multilevel, plain = (float(floor.squared_distance()[0, 0]) for floor in floors)
        assert multilevel / plain == pytest.approx(ratio, rel=0.01)
    moments = multilevel_moments(problem.chain, [1.0, -1.0], 138, 6)
    assert np.abs(moments.mean).max() == pytest.approx(0.0112, abs=5e-5)
    moments = plain_batch_moments(problem.chain, [1.0, -1.0], same_cost)
    assert np.abs(moments.mean).max() == pytest.approx(0.119, abs=5e-4)


@pytest.mark.parametrize("factor", [0.0, 1.0, 3.0])
def test_the_extragradient_bound_holds_on_the_way(factor: float) -> None:
    mu, level, tau = 1.0, 2, 14
    chain, batch = two_state_switch(0.05), 56 if factor == 0 else 28_000
    sigma = 1.0 if factor == 0 else 0.0
    problem = rotation_operator(chain, mu, [3.0], sigma=sigma, factor=factor)
    gamma = 1 / (np.sqrt(6) * problem.constants["L"].value)
    first, second = variance_bound(tau, batch, 0), variance_bound(tau, batch, level)
    bias = bias_bound(tau, batch, level)
    assert factor**2 * (3 * gamma**2 * second + 2 * gamma * bias / mu) <= gamma * mu / 2
    rate = gamma * mu / 2 - 3 * gamma**2 * first * factor**2
    assert rate > 0
    recursion = extragradient_moments(
        problem, gamma, first_batch_size=batch, batch_size=batch, max_level=level
    )
    counts = np.arange(60)
    exact = recursion.run([1.0, -2.0, 0.5], counts).squared_distance().max(axis=1)
    floor = sigma**2 / rate * (3 * gamma**2 * (first + second) + 2 * gamma * bias / mu)
    assert np.all(exact <= (1 - rate) ** counts * exact[0] + floor)


def test_limits_exist_only_where_the_method_contracts() -> None:
    problem = multiplicative_noise_quadratic(two_state_switch(0.05), [1.0], 2.0)
    recursion = randomized_gd_moments(problem, 0.5, batch_size=1, max_level=0)
    with pytest.raises(ValueError, match="does not contract in mean square"):
        recursion.limit()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda p: randomized_gd_moments(p, 0.0, batch_size=1, max_level=0), "learning_rate"),
        (
            lambda p: accelerated_gd_moments(
                p, 0.1, 0.1, batch_size=1, max_level=0, momentum_scale=1.5
            ),
            "momentum_scale",
        ),
        (lambda p: METHODS["gd"][1](p).run([1.0], [1]), r"initial must have shape \(2,\)"),
        (lambda p: METHODS["gd"][1](p).run([1.0, 1.0], [2, 2]), "checkpoints"),
        (lambda p: METHODS["gd"][1](p).run([1.0, 1.0], [2], [[1.0]]), "start_laws"),
        (lambda p: METHODS["gd"][1](p).run({"y": [1.0, 1.0]}, [2]), "keys"),
        (
            lambda p: extragradient_moments(
                rotation_operator(SKEWED, 1.0, np.ones(12), sigma=1.0),
                0.1, first_batch_size=1, batch_size=1, max_level=0,
            ),
            "take a smaller dimension or chain",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(PROBLEMS["additive"])
