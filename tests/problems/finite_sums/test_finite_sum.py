"""Values, gradients, rescalings and the pytree behaviour of every finite sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    FiniteSum,
    LeastSquares,
    LogisticRegression,
    NoiseTight,
    SigmoidLoss,
    SignQuadratic,
    dilated,
    random_least_squares,
    random_logistic,
    random_sigmoid,
    random_sign_quadratic,
    scaled,
)

PROBLEMS: dict[str, FiniteSum] = {
    "least_squares": random_least_squares(8, 3, seed=0),
    "logistic": random_logistic(8, 3, seed=0),
    "sigmoid": random_sigmoid(8, 3, seed=0),
    "sign_quadratic": random_sign_quadratic(8, 3, seed=1, curvature=-1.5, noise=2.0),
    "noise_tight": NoiseTight(slope=0.3, noise=2.0, num_samples=8),
    "scaled": scaled(random_sigmoid(8, 3, seed=0), 4.0),
    "dilated": dilated(random_logistic(8, 3, seed=0), 0.5),
}
each = pytest.mark.parametrize("name", PROBLEMS)


def point(problem: FiniteSum, seed: int = 0) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (problem.dim,))


@each
def test_the_gradients_agree(name: str) -> None:
    problem = PROBLEMS[name]
    x = point(problem)
    gradient = problem.gradient(x)
    everything = jnp.arange(problem.num_samples)
    np.testing.assert_allclose(gradient, jax.grad(problem.value)(x), rtol=1e-12, atol=1e-14)
    rows = problem.sample_gradients(x, everything)
    assert rows.shape == (problem.num_samples, problem.dim)
    np.testing.assert_allclose(gradient, rows.mean(axis=0), rtol=1e-12, atol=1e-14)
    batch = jnp.array([1, 5, 5, 7, 0])
    np.testing.assert_allclose(
        problem.batch_gradient(x, batch), rows[batch].mean(axis=0), rtol=1e-12, atol=1e-14
    )


@each
def test_a_problem_is_an_argument_of_a_jitted_function(name: str) -> None:
    problem = PROBLEMS[name]
    x, batch = point(problem), jnp.array([2, 2, 6])
    traces = []

    @jax.jit
    def everything(problem: FiniteSum, x: jax.Array, batch: jax.Array) -> tuple[jax.Array, ...]:
        traces.append(None)
        return (
            problem.value(x),
            problem.gradient(x),
            problem.sample_gradients(x, batch),
            problem.batch_gradient(x, batch),
        )

    for other in (problem, jax.tree.map(lambda leaf: 2 * jnp.asarray(leaf), problem)):
        found = everything(jax.tree.map(jnp.asarray, other), x, batch)
        expected = (
            other.value(x),
            other.gradient(x),
            other.sample_gradients(x, batch),
            other.batch_gradient(x, batch),
        )
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-14)
    assert len(traces) == 1


def test_structures_of_different_problems_differ() -> None:
    """Equal ones would let a compiled function of one problem answer for another."""
    structures = [jax.tree.structure(problem) for problem in PROBLEMS.values()]
    structures += [
        jax.tree.structure(scaled(PROBLEMS["logistic"], 4.0)),
        jax.tree.structure(dilated(PROBLEMS["sigmoid"], 4.0)),
        jax.tree.structure(NoiseTight(slope=0.3, noise=2.0, num_samples=10)),
    ]
    for i, left in enumerate(structures):
        for right in structures[:i]:
            assert left != right


@each
def test_flattening_is_undone_by_unflattening(name: str) -> None:
    problem = PROBLEMS[name]
    leaves, structure = jax.tree.flatten(problem)
    again = jax.tree.unflatten(structure, leaves)
    assert type(again) is type(problem)
    assert again.value(point(problem)) == problem.value(point(problem))
    placeholders = jax.tree.unflatten(structure, [object()] * len(leaves))
    assert jax.tree.structure(placeholders) == structure


def test_values_by_hand() -> None:
    rows, x = np.array([[1.0, 2.0], [0.0, -1.0]]), jnp.array([3.0, 0.5])
    signs = np.array([1.0, -1.0])
    assert LeastSquares(rows, signs).value(x) == pytest.approx((9.0 + 0.25) / 4)
    margins = np.array([4.0, 0.5])
    assert LogisticRegression(rows, signs).value(x) == pytest.approx(
        np.log1p(np.exp(-margins)).mean()
    )
    assert SigmoidLoss(rows, signs).value(x) == pytest.approx((1 / (1 + np.exp(margins))).mean())
    quadratic = SignQuadratic(jnp.array([[1.0, -1.0]]), curvature=3.0, noise=4.0)
    assert quadratic.value(x) == pytest.approx(1.5 * 9.25)
    np.testing.assert_allclose(
        quadratic.sample_gradients(x, jnp.array([0, 1])), [[21.0, -0.5], [-3.0, 3.5]]
    )
    tight = NoiseTight(slope=0.5, noise=2.0, num_samples=2)
    np.testing.assert_allclose(
        tight.sample_gradients(jnp.array([0.25]), jnp.array([0, 1])), [[1.0], [0.0]]
    )


@pytest.mark.parametrize("kind", [LogisticRegression, SigmoidLoss])
@pytest.mark.parametrize("margin", [-800.0, 800.0])
def test_large_margins_neither_overflow_nor_vanish(kind: type, margin: float) -> None:
    problem = kind(np.array([[1.0]]), np.array([1.0]))
    x = jnp.array([margin])
    value, gradient = float(problem.value(x)), float(problem.gradient(x)[0])
    if kind is LogisticRegression:
        assert value == (0.0 if margin > 0 else 800.0)
        assert gradient == pytest.approx(0.0 if margin > 0 else -1.0)
    else:
        assert value == (0.0 if margin > 0 else 1.0)
        assert gradient == 0.0
    assert np.isfinite(jax.grad(jax.grad(lambda t: problem.value(t[None])))(x[0]))


@pytest.mark.parametrize("name", ["least_squares", "logistic", "sigmoid"])
def test_sample_slopes_times_rows_are_the_sample_gradients(name: str) -> None:
    problem = PROBLEMS[name]
    batch = jnp.array([0, 3])
    slopes = problem.sample_slopes(point(problem), batch)
    np.testing.assert_allclose(
        slopes[:, None] * problem.features[batch], problem.sample_gradients(point(problem), batch)
    )


@each
def test_convexity_and_lower_bounds(name: str) -> None:
    problem = PROBLEMS[name]
    hessian = jax.hessian(problem.value)
    xs = 3.0 * jax.random.normal(jax.random.key(1), (50, problem.dim))
    smallest = np.linalg.eigvalsh(jax.vmap(hessian)(xs)).min()
    assert problem.convex == (smallest >= -1e-12)
    if name == "noise_tight":
        xs = jnp.linspace(-1.0, 1.0, 51)[:, None]
    assert jax.vmap(problem.value)(xs).min() >= problem.lower_bound - 1e-15


@settings(deadline=None, max_examples=20)
@given(u=st.floats(1e-6, 1e6), t=st.floats(1e-3, 1e3), name=st.sampled_from(sorted(PROBLEMS)))
def test_rescaled_values_and_gradients(u: float, t: float, name: str) -> None:
    problem = PROBLEMS[name]
    x, batch = point(problem), jnp.array([4, 4, 1])
    wide, tall = dilated(problem, t), scaled(problem, u)
    for call in (
        lambda p, z: p.gradient(z),
        lambda p, z: p.sample_gradients(z, batch),
        lambda p, z: p.batch_gradient(z, batch),
    ):
        np.testing.assert_allclose(call(tall, x), u * call(problem, x), rtol=1e-12)
        np.testing.assert_allclose(
            call(wide, t * x), call(problem, x) / t, rtol=1e-9, atol=1e-14 / t
        )
    np.testing.assert_allclose(tall.value(x), u * problem.value(x), rtol=1e-12)
    np.testing.assert_allclose(wide.value(t * x), problem.value(x), rtol=1e-9)
    assert tall.lower_bound == u * problem.lower_bound
    assert wide.lower_bound == problem.lower_bound
    assert wide.convex == tall.convex == problem.convex


def test_factors_may_be_traced() -> None:
    problem = PROBLEMS["least_squares"]
    x = point(problem)
    values = jax.vmap(lambda u: scaled(problem, u).value(x))(jnp.array([1.0, 3.0]))
    np.testing.assert_allclose(values, np.array([1.0, 3.0]) * problem.value(x))
    values = jax.vmap(lambda t: dilated(problem, t).value(t * x))(jnp.array([1.0, 3.0]))
    np.testing.assert_allclose(values, np.full(2, problem.value(x)))


def test_noise_tight_is_vmappable_over_its_slope() -> None:
    slopes = jnp.array([0.1, 0.2, 0.4])
    stacked = NoiseTight(slopes, 2.0, 4)
    axes = NoiseTight(0, None, 4)  # type: ignore[arg-type]
    x = jnp.array([0.5])
    found = jax.vmap(lambda p: p.batch_gradient(x, jnp.array([3])), in_axes=(axes,))(stacked)
    np.testing.assert_allclose(found, slopes[:, None] - 1.0)


def test_sign_quadratic_noise_is_exact_at_every_pair() -> None:
    problem = random_sign_quadratic(10, 4, seed=5, curvature=-0.7, noise=1.3)
    x, y = point(problem, 1), point(problem, 2)
    everything = jnp.arange(10)
    differences = problem.sample_gradients(x, everything) - problem.sample_gradients(y, everything)
    centred = differences - differences.mean(axis=0, keepdims=True)
    variance = (centred**2).sum() / 10
    assert float(variance) == pytest.approx(1.3**2 * float(jnp.vdot(x - y, x - y)), rel=1e-12)


@pytest.mark.parametrize("curvature", [2.0, -2.0, 0.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_sign_quadratic_optimum_on_the_simplex(curvature: float, dim: int) -> None:
    problem = random_sign_quadratic(2, dim, seed=0, curvature=curvature)
    candidates = np.concatenate(
        [
            np.eye(dim),
            np.full((1, dim), 1 / dim),
            np.random.default_rng(0).dirichlet(np.ones(dim), 200),
        ]
    )
    values = [float(problem.value(jnp.asarray(x))) for x in candidates]
    assert problem.simplex_optimum == pytest.approx(min(values), rel=1e-12)
    assert problem.lower_bound <= problem.simplex_optimum


def test_generators_are_reproducible_and_planted() -> None:
    for make in (random_least_squares, random_logistic, random_sigmoid):
        one, again, other = make(20, 6, seed=3), make(20, 6, seed=3), make(20, 6, seed=4)
        np.testing.assert_array_equal(one.features, again.features)
        assert not np.array_equal(one.features, other.features)
        np.testing.assert_allclose(np.linalg.norm(one.features, axis=1), 1.0)
        assert one.features.dtype == jnp.float64
        make(1, 1, seed=0).gradient(jnp.zeros(1))
    clean = random_least_squares(40, 6, seed=0, sparsity=2, planted_norm=3.0, noise=0.0)
    planted, *_ = np.linalg.lstsq(clean.features, clean.targets)
    assert (np.abs(planted) > 1e-9).sum() == 2
    assert np.abs(planted).sum() == pytest.approx(3.0)
    logistic = random_logistic(400, 6, seed=0, margin=50.0)
    assert set(np.unique(logistic.labels)) == {-1.0, 1.0}


def test_float32_problems_stay_float32() -> None:
    with jax.enable_x64(False):
        for problem in (random_logistic(6, 3, seed=0), random_sign_quadratic(6, 3, seed=0)):
            x = jnp.ones(3)
            assert problem.gradient(x).dtype == jnp.float32
            assert problem.batch_gradient(x, jnp.array([1])).dtype == jnp.float32
            assert problem.constants["L"].value > 0


ROWS, LABELS = np.ones((3, 2)), np.array([1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeastSquares(np.ones(3), LABELS), r"features must have shape \(n, d\)"),
        (lambda: LeastSquares(ROWS, LABELS[:2]), r"targets must have shape \(3,\), got \(2,\)"),
        (lambda: LeastSquares(ROWS * np.nan, LABELS), "features must be finite"),
        (lambda: LeastSquares(ROWS, LABELS * np.inf), "targets must be finite"),
        (lambda: LogisticRegression(ROWS, np.array([0.0, 1.0, 1.0])), "labels must be -1 or"),
        (lambda: SigmoidLoss(ROWS, np.array([2.0, 1.0, 1.0])), "labels must be -1 or"),
        (lambda: LeastSquares(np.ones((0, 2)), np.ones(0)), "n, d >= 1"),
        (lambda: SignQuadratic(jnp.zeros((1, 2)), 1.0, 1.0), "only -1 and"),
        (lambda: SignQuadratic(jnp.ones(2), 1.0, 1.0), "half_signs must have shape"),
        (lambda: SignQuadratic(jnp.ones((1, 2)), np.nan, 1.0), "curvature must be finite, got nan"),
        (lambda: SignQuadratic(jnp.ones((1, 2)), 1.0, -1.0), "noise must be finite and at least 0"),
        (lambda: NoiseTight(np.inf), "slope must be finite, got inf"),
        (lambda: NoiseTight(0.1, 1.0, 3), "num_samples must be even and at least 2, got 3"),
        (lambda: scaled(PROBLEMS["logistic"], 0.0), "factor must be finite and positive, got 0.0"),
        (lambda: dilated(PROBLEMS["logistic"], -1.0), "factor must be finite and positive"),
        (lambda: random_sign_quadratic(5, 2, 0), "num_samples must be even"),
        (lambda: random_least_squares(0, 2, 0), "num_samples must be at least 1, got 0"),
        (lambda: random_least_squares(2, 2, 0, sparsity=3), "sparsity must be at most dim = 2"),
        (lambda: random_least_squares(2, 2, 0, noise=-1.0), "noise must be finite and at least 0"),
        (lambda: random_least_squares(2, 2, 0, planted_norm=0.0), "planted_norm must be"),
        (lambda: random_logistic(2, 2, 0, margin=0.0), "margin must be finite and positive"),
    ],
)
def test_bad_arguments_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@each
def test_bad_points_and_indices_are_named(name: str) -> None:
    problem = PROBLEMS[name]
    x = point(problem)
    for call in (problem.value, problem.gradient):
        with pytest.raises(ValueError, match="x must have shape"):
            call(jnp.zeros(problem.dim + 1))
    for call in (problem.sample_gradients, problem.batch_gradient):
        with pytest.raises(ValueError, match=r"indices must have shape \(b,\)"):
            call(x, jnp.zeros((0,), int))
        with pytest.raises(
            ValueError, match=r"indices must lie in \[0, 8\), got values from 0 to 8"
        ):
            call(x, jnp.array([0, 8]))
        with pytest.raises(ValueError, match="from -1 to 3"):
            call(x, jnp.array([3, -1]))
        with pytest.raises(TypeError, match="indices must be integers"):
            call(x, jnp.array([0.0]))


def test_sizes_must_be_integers() -> None:
    with pytest.raises(TypeError, match=r"num_samples must be an integer, got 4\.0"):
        NoiseTight(0.1, 1.0, 4.0)  # type: ignore[arg-type]
