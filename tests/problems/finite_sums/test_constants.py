"""The constants against brute force, and certificates that must refuse wrong ones."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    CertificateError,
    Constant,
    FiniteSum,
    LeastSquares,
    LogisticRegression,
    NoiseTight,
    SigmoidLoss,
    breast_cancer,
    dilated,
    local_constants,
    random_least_squares,
    random_logistic,
    random_sigmoid,
    random_sign_quadratic,
    scaled,
)

SIZES = {"n": st.integers(1, 12), "d": st.integers(1, 6), "seed": st.integers(0, 2**32 - 1)}
FACTORS = st.floats(1e-3, 1e3)


def uneven_rows(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of very different lengths, and labels."""
    rng = np.random.default_rng(seed)
    lengths = 10.0 ** rng.uniform(-1, 1, size=(n, 1))
    return lengths * rng.standard_normal((n, d)), rng.choice([-1.0, 1.0], size=n)


def each_problem() -> dict[str, FiniteSum]:
    rows, labels = uneven_rows(9, 4, seed=3)
    return {
        "least_squares": LeastSquares(rows, labels),
        "logistic": LogisticRegression(rows, labels),
        "sigmoid": SigmoidLoss(rows, labels),
        "random_least_squares": random_least_squares(9, 4, seed=1),
        "random_logistic": random_logistic(9, 4, seed=1),
        "random_sigmoid": random_sigmoid(9, 4, seed=1),
        "sign_quadratic": random_sign_quadratic(6, 4, seed=1, curvature=2.0, noise=3.0),
        "concave": random_sign_quadratic(6, 4, seed=1, curvature=-2.0, noise=0.5),
        "noise_tight": NoiseTight(slope=0.1, noise=0.7, num_samples=6),
        "scaled": scaled(LogisticRegression(rows, labels), 7.0),
        "dilated": dilated(SigmoidLoss(rows, labels), 0.3),
        "both": dilated(scaled(random_sign_quadratic(4, 4, seed=2), 5.0), 3.0),
    }


PROBLEMS = each_problem()
each = pytest.mark.parametrize("name", PROBLEMS)


def spectral_constants(hessians: np.ndarray) -> dict[str, float]:
    """The constants of quadratics with these Hessians (n, d, d), from singular values."""
    n, d = hessians.shape[:2]
    mean = hessians.mean(axis=0)
    return {
        "L": np.linalg.norm(mean, 2),
        "L_tilde": np.linalg.norm(hessians.reshape(n * d, d), 2) / np.sqrt(n),
        "L_pm": np.linalg.norm((hessians - mean).reshape(n * d, d), 2) / np.sqrt(n),
    }


def assert_constants(problem: FiniteSum, expected: dict[str, float], names: str) -> None:
    for name in names.split():
        # A variance that vanishes is known to the root of the round-off only.
        np.testing.assert_allclose(
            problem.constants[name].value,
            expected[name],
            rtol=1e-10,
            atol=1e-7 * expected["L_tilde"] if name == "L_pm" else 0.0,
        )


@settings(deadline=None, max_examples=60)
@given(**SIZES)
def test_least_squares_constants_are_those_of_its_hessians(n: int, d: int, seed: int) -> None:
    rows, targets = uneven_rows(n, d, seed)
    problem = LeastSquares(rows, targets)
    hessians = rows[:, :, None] * rows[:, None, :]
    assert_constants(problem, spectral_constants(hessians), "L L_tilde L_pm")
    assert all(constant.how == "exact" for constant in problem.constants.values())


@settings(deadline=None, max_examples=40)
@given(**SIZES)
def test_logistic_constants(n: int, d: int, seed: int) -> None:
    rows, labels = uneven_rows(n, d, seed)
    constants = LogisticRegression(rows, labels).constants
    at_zero = spectral_constants(rows[:, :, None] * rows[:, None, :] / 4)
    assert_constants(LogisticRegression(rows, labels), at_zero, "L L_tilde")
    assert [constants[name].how for name in ("L", "L_tilde", "L_pm")] == [
        "exact",
        "exact",
        "certified",
    ]
    # Whatever the curvatures in [0, 1/4] are, the bound holds; at 1/4 it is off by its width. The
    # variance is convex in the curvatures, so the corners are enough.
    bound = constants["L_pm"]
    assert bound.value - bound.width == pytest.approx(
        at_zero["L_pm"], rel=1e-10, abs=1e-7 * at_zero["L_tilde"]
    )
    assert bound.value <= constants["L_tilde"].value * (1 + 1e-12)
    for corner in itertools.product((0.0, 0.25), repeat=min(n, 5)):
        weights = np.resize(np.array(corner), n)
        largest = spectral_constants(weights[:, None, None] * rows[:, :, None] * rows[:, None, :])
        assert largest["L_pm"] <= bound.value * (1 + 1e-12)


def test_logistic_hessian_variance_is_tight_for_equal_rows() -> None:
    # Half the curvatures at 0 and half at 1/4 give the standard deviation 1/8, which is L_tilde/2.
    problem = LogisticRegression(np.ones((4, 1)), np.ones(4))
    assert problem.constants["L_pm"].value == pytest.approx(0.125, rel=1e-6)
    assert problem.constants["L_tilde"].value == pytest.approx(0.25)


@settings(deadline=None, max_examples=40)
@given(**SIZES)
def test_sigmoid_constants(n: int, d: int, seed: int) -> None:
    rows, labels = uneven_rows(n, d, seed)
    problem = SigmoidLoss(rows, labels)
    largest = spectral_constants(rows[:, :, None] * rows[:, None, :] * np.sqrt(3) / 18)
    assert_constants(problem, largest, "L L_tilde")
    for constant in problem.constants.values():
        assert constant.how == "certified"
        assert 0 <= constant.width <= constant.value
    assert problem.constants["L_pm"].value == problem.constants["L_tilde"].value


def test_sigmoid_constants_are_attained_where_every_margin_can_be_extremal() -> None:
    # Orthogonal rows: one x gives every sample the margin log(2 + sqrt(3)).
    constants = SigmoidLoss(np.eye(3), np.array([1.0, -1.0, 1.0])).constants
    assert constants["L"].width < 1e-12
    assert constants["L_tilde"].width < 1e-12


@settings(deadline=None, max_examples=40)
@given(
    half=st.integers(1, 6),
    d=SIZES["d"],
    seed=SIZES["seed"],
    curvature=st.floats(-10, 10),
    noise=st.floats(0, 10),
)
def test_sign_quadratic_constants(
    half: int, d: int, seed: int, curvature: float, noise: float
) -> None:
    problem = random_sign_quadratic(2 * half, d, seed, curvature=curvature, noise=noise)
    signs = np.concatenate([problem.half_signs, -problem.half_signs])
    hessians = np.stack([np.diag(curvature + noise * row) for row in signs])
    for name, value in spectral_constants(hessians).items():
        assert problem.constants[name].value == pytest.approx(value, rel=1e-12, abs=1e-12)
        assert problem.constants[name].how == "exact"


@each
def test_random_pairs_never_exceed_the_constants(name: str) -> None:
    problem = PROBLEMS[name]
    n, d = problem.num_samples, problem.dim
    key_x, key_h, key_r = jax.random.split(jax.random.key(0), 3)
    x = 2.0 * jax.random.normal(key_x, (500, d))
    scales = 10.0 ** jax.random.uniform(key_r, (500, 1), minval=-4.0, maxval=1.0)
    y = x + scales * jax.random.normal(key_h, (500, d))
    rows = jax.jit(jax.vmap(lambda point: problem.sample_gradients(point, jnp.arange(n))))
    differences = np.asarray(rows(x) - rows(y))
    distance = np.linalg.norm(x - y, axis=1)
    mean = differences.mean(axis=1)
    centred = differences - mean[:, None, :]
    ratios = {
        "L": np.linalg.norm(mean, axis=1) / distance,
        "L_tilde": np.sqrt((differences**2).sum(axis=2).mean(axis=1)) / distance,
        "L_pm": np.sqrt((centred**2).sum(axis=2).mean(axis=1)) / distance,
    }
    for constant, ratio in ratios.items():
        assert ratio.max() <= problem.constants[constant].value * (1 + 1e-9) + 1e-10


@each
def test_certify_accepts_and_the_constants_are_ordered(name: str) -> None:
    problem = PROBLEMS[name]
    problem.certify()
    constants = problem.constants
    assert list(constants) == ["L", "L_tilde", "L_pm"]
    assert constants["L"].value <= constants["L_tilde"].value * (1 + 1e-12)
    assert constants["L_pm"].value <= constants["L_tilde"].value * (1 + 1e-12)
    for constant in constants.values():
        assert constant.derivation
        assert (constant.how == "certified") or constant.width == 0.0


@settings(deadline=None, max_examples=12)
@given(
    kind=st.sampled_from([LeastSquares, LogisticRegression, SigmoidLoss]),
    n=st.sampled_from([1, 7]),
    d=st.sampled_from([3]),
    seed=SIZES["seed"],
)
def test_certify_accepts_any_rows(kind: type, n: int, d: int, seed: int) -> None:
    kind(*uneven_rows(n, d, seed)).certify()


@each
@pytest.mark.parametrize("constant", ["L", "L_tilde", "L_pm"])
@pytest.mark.parametrize("factor", [0.5, 1.001])
def test_certify_refuses_a_wrong_constant(name: str, constant: str, factor: float) -> None:
    problem = each_problem()[name]
    true = problem.constants[constant]
    wrong = Constant(true.value * factor, true.how, true.width * factor, true.derivation)
    if true.value == 0.0:
        wrong = Constant(1e-3, "exact")
    problem.constants[constant] = wrong
    with pytest.raises(CertificateError, match=f"'{constant}' is stated as .* re-derived as"):
        problem.certify()


@pytest.mark.parametrize("name", ["logistic", "random_sigmoid"])
@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_certify_refuses_a_wrong_width(name: str, shift: float) -> None:
    problem = each_problem()[name]
    true = problem.constants["L_pm"]
    wrong = Constant(true.value, true.how, true.width * (1 + shift))
    problem.constants["L_pm"] = wrong
    with pytest.raises(CertificateError, match="value - width of constant 'L_pm'"):
        problem.certify()


def test_certify_reads_the_shipped_gradients() -> None:
    class Doubled(LeastSquares):
        """Stated constants of f with the gradients of 2 f."""

        def gradient(self, x: jax.Array) -> jax.Array:
            return 2.0 * super().gradient(x)

    from optzoo.problems.pytree import pytree_dataclass

    rows, targets = uneven_rows(5, 2, seed=0)
    with pytest.raises(CertificateError, match="Doubled"):
        pytree_dataclass(Doubled)(rows, targets).certify()


@settings(deadline=None, max_examples=30)
@given(u=FACTORS, t=FACTORS)
def test_rescaled_constants_follow_the_factors(u: float, t: float) -> None:
    for name in ("logistic", "random_sigmoid", "sign_quadratic", "noise_tight"):
        base = PROBLEMS[name]
        both = dilated(scaled(base, u), t)
        for key, constant in both.constants.items():
            assert constant.value == pytest.approx(u / t**2 * base.constants[key].value, rel=1e-12)
            assert constant.width == pytest.approx(u / t**2 * base.constants[key].width, rel=1e-12)
            assert constant.how == base.constants[key].how


def test_local_constants_of_a_quadratic_are_the_same_everywhere() -> None:
    problem = PROBLEMS["least_squares"]
    expected = {name: constant.value for name, constant in problem.constants.items()}
    for point in (np.zeros(4), np.array([1.0, -2.0, 30.0, 0.5])):
        assert local_constants(problem, point) == pytest.approx(expected, rel=1e-10)


def test_constants_scale_with_the_features() -> None:
    rows, labels = uneven_rows(9, 4, seed=3)
    for kind in (LeastSquares, LogisticRegression, SigmoidLoss):
        small, large = kind(rows, labels).constants, kind(1e3 * rows, labels).constants
        for name, constant in small.items():
            assert large[name].value == pytest.approx(1e6 * constant.value, rel=1e-10)


def test_breast_cancer_certifies() -> None:
    features, labels = breast_cancer()
    LogisticRegression(features, labels).certify()


def test_constants_are_computed_once_and_on_the_host() -> None:
    problem = random_logistic(5, 3, seed=0)
    assert problem.constants is problem.constants
    assert all(type(constant.value) is float for constant in problem.constants.values())
    with pytest.raises(TypeError, match="outside jit"):
        jax.jit(lambda p: p.constants["L"].value)(problem)


def test_certify_needs_float64() -> None:
    problem = random_logistic(5, 3, seed=0)
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        problem.certify()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((float("nan"), "exact"), "value must be finite, got nan"),
        ((float("nan"), "exact"), "value"),
        ((1.0, "guessed"), "how must be 'exact' or 'certified', got 'guessed'"),
        ((1.0, "certified", float("inf")), "width"),
    ],
)
def test_a_constant_refuses_nonsense(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Constant(*arguments)
