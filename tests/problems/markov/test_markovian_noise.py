"""Constants of the problems against brute force, refusals of what breaks the noise assumption."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from optzoo.problems import (
    CertificateError,
    Constant,
    MarkovChain,
    MarkovianObjective,
    MarkovianProblem,
    MarkovianQuadratic,
    MaskedQuadratic,
    RotationOperator,
    additive_noise_quadratic,
    centred_values,
    lazy_resample,
    masked_nesterov,
    multiplicative_noise_quadratic,
    noise_around,
    one_way_lazy_ring,
    pytree_dataclass,
    river_swim_evaluation,
    rotation_operator,
    sign_testing_quadratic,
    smallest_delta,
    smallest_sigma,
    symmetric_lazy_ring,
    two_state_switch,
)

SKEWED = MarkovChain([[0.2, 0.7, 0.1], [0.05, 0.5, 0.45], [0.6, 0.0, 0.4]])


def each_problem() -> dict[str, MarkovianProblem]:
    switch, ring = two_state_switch(0.05), symmetric_lazy_ring(10)
    return {
        "additive": additive_noise_quadratic(switch, [0.1, 1.0], 2.0),
        "additive skewed": additive_noise_quadratic(SKEWED, [0.1, 1.0], 2.0, direction=[1, -3]),
        "multiplicative": multiplicative_noise_quadratic(ring, [1.0, 3.0], 2.0),
        "no full rank": additive_noise_quadratic(switch, [0.0, 1.0, 4.0], direction=[1, 1, 1]),
        "no full rank multiplicative": multiplicative_noise_quadratic(switch, [0.0, 1.0, 4.0], 1.0),
        "both": MarkovianQuadratic(
            lazy_resample([0.25] * 4, 0.1), jnp.array([1.0, 2.0]), jnp.array([3.0, -1.0]),
            jnp.array([0.6, 0.8]), jnp.array([2, -2, 0, 0]), jnp.array([0, 0, 3, -3]),
        ),
        "rotation": rotation_operator(switch, 1.0, [3.0], sigma=2.0),
        "rotation multiplicative": rotation_operator(ring, 1.0, [3.0, 7.0], factor=3.0),
        "nesterov": masked_nesterov(switch, 12, 50.0, strong_convexity=0.3),
        "testing": sign_testing_quadratic(-1, mixing_time=20, horizon=400),
        "temporal difference": river_swim_evaluation(),
    }  # fmt: skip


PROBLEMS = each_problem()
each = pytest.mark.parametrize("name", PROBLEMS)


def copied(problem: MarkovianProblem, cls: type) -> MarkovianProblem:
    """The problem as one of class `cls`, with constants of its own to overwrite."""
    copy = object.__new__(cls)
    copy.__dict__.update(problem.__dict__, constants=dict(problem.constants))
    return copy


@each
def test_certify(name: str) -> None:
    PROBLEMS[name].certify()


@each
@pytest.mark.parametrize("constant", ["L", "mu", "sigma", "factor", "tau"])
@pytest.mark.parametrize("change", [0.99, 1.01])
def test_certify_refuses_a_wrong_constant(name: str, constant: str, change: float) -> None:
    problem = copied(PROBLEMS[name], type(PROBLEMS[name]))
    key = problem.noise_factor if constant == "factor" else constant
    true = problem.constants[key]
    wrong = true.value * change if true.value else 0.01 * change
    problem.constants[key] = Constant(wrong, "exact")
    # Another factor has another smallest sigma.
    names = f"{key}|sigma|noise assumption" if constant in ("sigma", "factor") else key
    with pytest.raises((CertificateError, ValueError), match=names):
        problem.certify()


@each
def test_certify_refuses_another_solution(name: str) -> None:
    base = PROBLEMS[name]

    class Displaced(type(base)):
        @property
        def solution(self) -> np.ndarray:
            shift = np.zeros(self.dim)
            shift[-1] = 1e-3
            return super().solution + shift

    displaced = copied(base, pytree_dataclass(Displaced))
    with pytest.raises(CertificateError, match=r"F\(x\*\)"):
        displaced.certify()


@each
def test_certify_reads_the_shipped_oracle(name: str) -> None:
    base = PROBLEMS[name]

    class Biased(type(base)):
        def sample_operator(self, x: jax.Array, state: object) -> jax.Array:
            return super().sample_operator(x, state) + 1e-3

    biased = copied(base, pytree_dataclass(Biased))
    with pytest.raises(CertificateError, match=r"F\(0, Z\)|F\(x\*\)"):
        biased.certify()


@jax.jit
def oracles(problem: MarkovianProblem, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """F(x, z) and F(x) for all points, shapes (points, K, d) and (points, d)."""
    states = jnp.arange(problem.chain.num_states)
    rows = jax.vmap(jax.vmap(problem.sample_operator, (None, 0)), (0, None))(points, states)
    return rows, jax.vmap(problem.operator)(points)


@jax.jit
def values_and_gradients(problem: MarkovianObjective, points: jax.Array):
    return jax.vmap(jax.value_and_grad(problem.value))(points)


@each
def test_the_oracle_is_unbiased_and_its_noise_is_bounded_and_attained(name: str) -> None:
    problem = PROBLEMS[name]
    sigma = problem.constants["sigma"].value
    factor = problem.constants[problem.noise_factor].value
    rng = np.random.default_rng(1)
    scales = np.repeat([0.0, 1e-3, 0.1, 1.0, 10.0, 1e4], 10)
    x = problem.solution + scales[:, None] * rng.standard_normal((60, problem.dim))
    oracle, mean = (np.asarray(array) for array in oracles(problem, jnp.asarray(x)))
    size = np.abs(oracle).max(axis=(1, 2)) + np.abs(problem.solution).max() + 1.0
    averaged = np.einsum("z,pzi->pi", problem.chain.stationary, oracle)
    assert np.all(np.abs(averaged - mean) <= 1e-13 * size[:, None])
    noise = np.linalg.norm(oracle - mean[:, None], axis=2).max(axis=1)
    against = mean if isinstance(problem, MarkovianObjective) else x - problem.solution
    bound = np.hypot(sigma, factor * np.linalg.norm(against, axis=1))
    assert np.all(noise <= bound * (1 + 1e-9) + 1e-12 * size)
    attained = (noise / np.where(bound > 1e-9, bound, np.inf)).max()
    if name == "nesterov":  # attained by gradients on the odd or the even coordinates alone
        assert attained > 0.7
    elif name not in ("temporal difference", "both"):
        assert attained == pytest.approx(1.0, rel=1e-9)


@each
def test_smoothness_and_the_modulus(name: str) -> None:
    problem = PROBLEMS[name]
    x = np.random.default_rng(2).standard_normal((100, problem.dim))
    lipschitz, mu = (problem.constants[key].value for key in ("L", "mu"))
    operator = np.asarray(oracles(problem, jnp.asarray(x))[1])
    difference, step = operator[:50] - operator[50:], x[:50] - x[50:]
    length = np.linalg.norm(step, axis=1)
    assert np.all(np.linalg.norm(difference, axis=1) <= lipschitz * length * (1 + 1e-12))
    if isinstance(problem, MarkovianObjective):
        values, gradients = values_and_gradients(problem, jnp.asarray(x))
        np.testing.assert_allclose(operator, gradients, rtol=1e-11, atol=1e-12)
        gap = np.asarray(values) - problem.optimum
        assert gap.min() >= -1e-13
        assert np.all((operator**2).sum(axis=1) >= 2 * mu * (gap * (1 - 1e-11) - 1e-13))
    else:
        assert np.all((difference * step).sum(axis=1) >= mu * length**2 * (1 - 1e-12))


def test_strong_convexity_is_told() -> None:
    for name, problem in PROBLEMS.items():
        if isinstance(problem, MarkovianObjective):
            assert problem.strongly_convex == (
                "without full rank" not in name and "no full" not in name
            )


@each
def test_problems_are_pytrees_and_oracles_compile(name: str) -> None:
    problem = PROBLEMS[name]
    x = jnp.asarray(problem.solution + 1.0)
    compiled = jax.jit(lambda p, point, state: p.sample_operator(point, state))
    for state in (0, problem.chain.num_states - 1):
        np.testing.assert_allclose(
            compiled(problem, x, state), problem.sample_operator(x, state), rtol=1e-12, atol=1e-14
        )

    def tick(carry, key):
        point, state = carry
        state, sample = problem.chain.step_and_sample(key, state)
        return (point - 1e-3 * problem.sample_operator(point, sample), state), state

    keys = jax.random.split(jax.random.key(0), 20)
    (point, _), states = jax.lax.scan(tick, (x, jnp.int32(0)), keys)
    assert point.shape == x.shape
    assert states.shape == (20,)


def test_the_affine_form_is_the_oracle() -> None:
    problem = PROBLEMS["both"]
    matrices, offsets = problem.affine_form()
    x = np.array([0.3, -2.0])
    for state in range(4):
        expected = problem.sample_operator(jnp.asarray(x), state)
        np.testing.assert_allclose(matrices[state] @ x - offsets[state], expected, rtol=1e-13)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), dim=st.integers(1, 3), room=st.floats(1.01, 5.0))
def test_smallest_sigma_against_numerical_maximization(seed: int, dim: int, room: float) -> None:
    rng = np.random.default_rng(seed)
    slopes, values = rng.standard_normal((3, dim, dim)), rng.standard_normal((3, dim))
    # Well conditioned, or the numerical maximum is not as exact as the formula.
    reference = np.linalg.qr(rng.standard_normal((dim, dim)))[0] * rng.uniform(0.5, 2.0, dim)
    least = smallest_delta(slopes, reference)
    ratios = [
        np.linalg.norm(slope @ u) / np.linalg.norm(reference @ u)
        for slope in slopes
        for u in rng.standard_normal((200, dim))
    ]
    assert max(ratios) <= least * (1 + 1e-9)
    delta = room * least
    sigma = smallest_sigma(slopes, values, reference, delta)

    def excess(u: np.ndarray, slope: np.ndarray, value: np.ndarray) -> float:
        noise, scale = slope @ u + value, reference @ u
        return float(noise @ noise - delta**2 * (scale @ scale))

    best = max(
        -minimize(lambda u, s=slope, v=value: -excess(u, s, v), np.zeros(dim), tol=1e-12).fun
        for slope, value in zip(slopes, values, strict=True)
    )
    assert sigma**2 == pytest.approx(best, rel=1e-6)


def test_no_delta_helps_where_the_mean_operator_is_flat() -> None:
    slopes = np.array([[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, -1.0]]])
    with pytest.raises(ValueError, match="fails for every delta"):
        smallest_delta(slopes, np.diag([1.0, 0.0]))
    with pytest.raises(ValueError, match="fails for every delta"):
        smallest_sigma(slopes, np.zeros((2, 2)), np.diag([1.0, 0.0]), 1e6)


@settings(deadline=None, max_examples=15)
@given(kappa=st.floats(1.5, 1e4), dim=st.sampled_from([2, 7, 30]), mu=st.floats(0.1, 10.0))
def test_the_nesterov_chain_has_a_geometric_solution(kappa: float, dim: int, mu: float) -> None:
    problem = masked_nesterov(two_state_switch(0.1), dim, kappa, mu)
    rho = (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)
    np.testing.assert_allclose(problem.solution, rho ** np.arange(1, dim + 1), rtol=1e-8)
    assert problem.constants["L"].value <= kappa * mu * (1 + 1e-12)
    assert problem.constants["mu"].value >= mu * (1 - 1e-9)
    x = jnp.asarray(np.random.default_rng(0).standard_normal(dim))
    full = problem.gradient(x)
    both = problem.sample_gradient(x, 0) + problem.sample_gradient(x, 1)
    np.testing.assert_allclose(both, 2 * full, rtol=1e-12)
    np.testing.assert_allclose(problem.sample_gradient(x, 0)[1::2], 0.0)
    np.testing.assert_allclose(
        jnp.linalg.norm(problem.sample_gradient(x, 0) - full), jnp.linalg.norm(full), rtol=1e-12
    )


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("tau", "horizon"), [(1, 10), (5, 100), (20, 2000)])
def test_the_testing_pair(sign: int, tau: int, horizon: int) -> None:
    problem = sign_testing_quadratic(sign, tau, horizon, curvature=2.0, scale=3.0)
    problem.certify()
    assert problem.chain.mixing_time == tau
    independent = 1 + (horizon - 1) * (1 - 4 ** (-1 / tau))
    bias = 1 / np.sqrt(4.5 * independent)
    assert problem.solution[0] == pytest.approx(sign * 3.0 * bias / 2.0)
    assert problem.constants["sigma"].value == pytest.approx(3.0 * (1 + bias))
    # The oracle is mu x - s Z, the same for both signs: only the law of Z tells them apart.
    for state, observed in ((0, -1.0), (1, 1.0)):
        assert float(problem.sample_gradient(jnp.array([0.7]), state)[0]) == pytest.approx(
            2.0 * 0.7 - 3.0 * observed
        )
    assert problem.chain.stationary @ [-1.0, 1.0] == pytest.approx(sign * bias)
    # The maximum of the two squared errors of any one guess is at least that of the middle.
    separation = (2 * 3.0 * bias / 2.0) ** 2 / 4
    assert separation >= 3.0**2 / (9 * 2.0**2 * independent)


@settings(deadline=None, max_examples=30)
@given(size=st.integers(2, 12), seed=st.integers(0, 10**6))
def test_centred_values(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    law = rng.dirichlet(np.ones(size)) * 0.9 + 0.1 / size
    chain = lazy_resample(law / law.sum(), 0.3)
    values = rng.standard_normal(size) + 100.0
    zeta = centred_values(chain, values)
    assert abs(chain.stationary @ zeta) <= 1e-15
    assert np.abs(zeta).max() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(np.corrcoef(zeta, values)[0, 1], 1.0, rtol=1e-9)


def test_default_noise_is_the_slowest_function_of_the_ring() -> None:
    ring = symmetric_lazy_ring(12)
    zeta = centred_values(ring)
    slowest = 1 - ring.constants["gap"].value
    np.testing.assert_allclose(ring.transition @ zeta, slowest * zeta, atol=1e-14)


def test_noise_points_along_the_flattest_direction() -> None:
    problem = additive_noise_quadratic(one_way_lazy_ring(5), [4.0, 0.0, 0.1, 1.0], sigma=3.0)
    assert np.argmax(np.abs(problem.direction)) == 2
    assert problem.constants["mu"].value == pytest.approx(0.1)
    assert problem.constants["delta"].value == 0.0


def test_round_off_is_not_noise() -> None:
    matrices = np.array([[[1.0]], [[1.0 + 1e-15]]])
    slopes, values = noise_around(matrices, np.ones((2, 1)), np.full(2, 0.5), np.ones(1))
    assert not slopes.any()
    assert not values.any()


TWO = two_state_switch(0.1)
ZEROS = jnp.zeros(2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: MarkovianQuadratic(TWO, jnp.ones(1), jnp.zeros(1), jnp.ones(1),
                                       jnp.array([1.0, 0.5]), ZEROS),
            "additive must have mean zero .* got mean 0.75",
        ),
        (
            lambda: MarkovianQuadratic(TWO, jnp.ones(1), jnp.zeros(1), jnp.ones(1),
                                       jnp.array([1.0, -1.0]), jnp.array([1.0, -1.0])),
            "not both",
        ),
        (
            lambda: MarkovianQuadratic(TWO, jnp.ones(1), jnp.zeros(1), jnp.ones(1),
                                       jnp.zeros(3), ZEROS),
            r"additive must have shape \(2,\)",
        ),
        (lambda: additive_noise_quadratic(TWO, [-1.0, 1.0]), "eigenvalues"),
        (lambda: additive_noise_quadratic(TWO, [0.0, 0.0]), "not all 0"),
        (lambda: additive_noise_quadratic(TWO, [1.0], -1.0), "sigma"),
        (lambda: additive_noise_quadratic(TWO, [1.0], direction=[0.0]), "direction"),
        (lambda: multiplicative_noise_quadratic(TWO, [1.0], -0.5), "delta"),
        (lambda: multiplicative_noise_quadratic(TWO, [1.0], 1.0, values=[2.0, 2.0]), "constant"),
        (lambda: centred_values(TWO, [1.0, 2.0, 3.0]), "values must have shape"),
        (lambda: MaskedQuadratic(TWO, jnp.eye(1), jnp.ones(1), jnp.array([[2.0], [1.0]])),
         "average to one"),
        (lambda: MaskedQuadratic(TWO, -jnp.eye(1), jnp.ones(1), jnp.ones((2, 1))), "positive def"),
        (lambda: masked_nesterov(SKEWED, 4, 9.0), "two states, got 3"),
        (lambda: masked_nesterov(lazy_resample([0.3, 0.7], 0.5), 4, 9.0), "average to one"),
        (lambda: masked_nesterov(TWO, 4, 1.0), "condition_number"),
        (lambda: masked_nesterov(TWO, 1, 9.0), "dim"),
        (lambda: rotation_operator(TWO, 1.0, [1.0], sigma=1.0, factor=1.0), "both be positive"),
        (lambda: rotation_operator(TWO, 0.0, [1.0]), "strong_monotonicity"),
        (
            lambda: RotationOperator(TWO, jnp.ones(2), jnp.ones((2, 2)), *[ZEROS] * 4),
            "skew-symmetric",
        ),
        (lambda: sign_testing_quadratic(0, 5, 10), "sign must be -1 or 1"),
        (lambda: sign_testing_quadratic(1, 0, 10), "mixing_time"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_certify_needs_float64() -> None:
    with jax.enable_x64(False):
        problem = additive_noise_quadratic(TWO, [1.0])
        with pytest.raises(RuntimeError, match="jax_enable_x64"):
            problem.certify()
