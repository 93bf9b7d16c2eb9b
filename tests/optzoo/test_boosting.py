"""Boosting: steps against projections, its chain of functions against enumeration, real data."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import diabetes

KEY = jax.random.key(0)


def small_data():
    features = np.random.default_rng(0).normal(size=(12, 3))
    return jnp.asarray(features), jnp.asarray(np.sin(features).sum(axis=1))


def projector(cells):
    """The orthogonal projector on functions constant on the cells of one learner."""
    return sum(np.outer(cells == c, cells == c) / (cells == c).sum() for c in np.unique(cells))


def cells_in_numpy(stumps, features):
    columns, thresholds = np.asarray(stumps.columns), np.asarray(stumps.thresholds)
    return (features[:, columns] > thresholds[None]).astype(int)


def test_stumps_are_the_distinct_splits_at_quantiles():
    features = jnp.array([[0.0, 5.0, 1.0], [1.0, 5.0, 0.0], [2.0, 5.0, 1.0], [3.0, 5.0, 1.0]])
    stumps = optzoo.decision_stumps(features, 7)
    # Column 1 is constant; column 2 has two values and one split.
    assert stumps.columns.tolist() == [0, 0, 0, 2]
    assert stumps.thresholds.tolist() == [0.5, 1.5, 2.5, 0.5]
    cells = np.asarray(stumps.cells(features))
    np.testing.assert_array_equal(cells, cells_in_numpy(stumps, np.asarray(features)))
    assert cells[:, 3].tolist() == [1, 0, 1, 1]
    sizes = np.stack([(cells == 0).sum(axis=0), (cells == 1).sum(axis=0)], axis=1)
    np.testing.assert_array_equal(stumps.cell_sizes, sizes)
    assert (sizes > 0).all()


SKEWED = np.random.default_rng(3).integers(0, 4, 60) ** 2 / 10


@pytest.mark.parametrize("thresholds_per_column", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(
    "column",
    [
        np.arange(100) < 51,  # a dummy variable, more often 1 than 0
        np.arange(100) < 85,
        np.arange(100) < 99,
        np.arange(100) < 1,
        np.array([0, 1, 2]),  # two splits are equally near to 1/2
        SKEWED,
        np.where(np.arange(60) < 40, SKEWED.max(), SKEWED),
    ],
    ids=["51%", "85%", "99%", "1%", "three", "skewed", "much at the maximum"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, None])
def test_no_column_with_two_values_is_lost_and_a_mirrored_one_has_mirrored_stumps(
    column, thresholds_per_column, dtype
):
    if dtype is None and column.dtype == bool:
        column, mirrored = column[:, None], ~column[:, None]
    else:
        column = column.astype(dtype or float)[:, None]
        mirrored = -column
    stumps = optzoo.decision_stumps(column, thresholds_per_column)
    others = optzoo.decision_stumps(mirrored, thresholds_per_column)
    assert 1 <= len(stumps.columns) <= thresholds_per_column + 1
    cells, mirror = cells_in_numpy(stumps, column), cells_in_numpy(others, mirrored)
    np.testing.assert_array_equal(cells, 1 - mirror[:, ::-1])
    assert ((cells == 0).any(axis=0) & (cells == 1).any(axis=0)).all()
    np.testing.assert_array_equal(stumps.cell_sizes, np.asarray(others.cell_sizes)[::-1, ::-1])
    np.testing.assert_array_equal(stumps.cell_sizes[:, 1], cells.sum(axis=0))
    assert stumps.thresholds.dtype == (dtype or np.float64)


def test_neighbouring_floats_are_split_and_sixteen_bits_count():
    low = np.float32(1.0)
    pair = np.array([[low], [np.nextafter(low, np.float32(2.0))]])
    assert optzoo.decision_stumps(pair, 1).cells(pair).tolist() == [[0], [1]]
    many = jnp.asarray(np.arange(1001) < 500, jnp.bfloat16)[:, None]
    assert optzoo.decision_stumps(many, 1).cell_sizes.tolist() == [[501.0, 500.0]]


def test_predictions_are_sums_of_leaf_values():
    features, _ = small_data()
    stumps = optzoo.decision_stumps(features, 4)
    theta = np.random.default_rng(1).normal(size=(12, 2))
    new = np.random.default_rng(2).normal(size=(5, 3))
    expected = [
        sum(
            theta[s, int(x[stumps.columns[s]] > stumps.thresholds[s])]
            for s in range(len(stumps.columns))
        )
        for x in new
    ]
    np.testing.assert_allclose(
        stumps.predict(jnp.asarray(theta), jnp.asarray(new)), expected, rtol=1e-12
    )


def test_a_step_projects_the_residual_on_one_learner_and_shrinks_the_rest():
    features, targets = small_data()
    stumps = optzoo.decision_stumps(features, 3)
    cells = np.asarray(stumps.cells(features))
    eta, shrinkage = 0.4, 0.2
    method = optzoo.stochastic_gradient_boosting(
        eta, stumps.cell_sizes, shrinkage=shrinkage, key=KEY
    )

    def loss(theta):
        return 0.5 * jnp.sum((stumps.predict(theta, features) - targets) ** 2)

    theta = jnp.asarray(np.random.default_rng(3).normal(size=(9, 2)))
    state = method.init(theta)
    step = jax.jit(lambda theta, state: method.update(jax.grad(loss)(theta), state, theta))
    drawn = []
    for _ in range(12):
        before = np.asarray(stumps.predict(theta, features))
        updates, state = step(theta, state)
        theta = theta + updates
        after = np.asarray(stumps.predict(theta, features))
        possible = [
            (1 - eta * shrinkage) * before - eta * projector(cells[:, s]) @ (before - targets)
            for s in range(9)
        ]
        errors = [float(abs(after - expected).max()) for expected in possible]
        assert min(errors) < 1e-12
        drawn.append(int(np.argmin(errors)))
    assert len(set(drawn)) > 4


def test_learners_are_equally_likely_across_the_leaves_of_a_tree():
    params = {"deep": jnp.zeros((2, 4)), "stumps": jnp.zeros((3, 2))}
    sizes = jax.tree.map(jnp.ones_like, params)
    method = optzoo.stochastic_gradient_boosting(1.0, sizes, key=KEY)

    def step(state, _):
        updates, state = method.update(sizes, state, params)
        hits = [jnp.any(updates[leaf] != 0, axis=1) for leaf in ("deep", "stumps")]
        return state, jnp.concatenate(hits)

    _, hits = jax.lax.scan(step, method.init(params), length=4000)
    assert (np.asarray(hits).sum(axis=1) == 1).all()
    shares = np.asarray(hits).mean(axis=0)
    assert (abs(shares - 0.2) < 4.5 * math.sqrt(0.2 * 0.8 / 4000)).all()


def process_of(stumps, features, targets, **constants):
    return optzoo.problems.BoostingProcess(
        np.asarray(stumps.cells(features)), np.asarray(targets), **constants
    )


def simulate(stumps, features, targets, *, step, count, chains, **constants):
    """The predictions at the training points after `count` steps, one row a chain."""
    method = optzoo.stochastic_gradient_boosting(step, stumps.cell_sizes, key=KEY, **constants)

    def loss(theta):
        return 0.5 * jnp.sum((stumps.predict(theta, features) - targets) ** 2)

    def run(key):
        def one(_, carry):
            theta, state = carry
            updates, state = method.update(jax.grad(loss)(theta), state, theta)
            return theta + updates, state

        theta = jnp.zeros((len(stumps.columns), 2))
        state = method.init(theta)._replace(key=key)
        theta, _ = jax.lax.fori_loop(0, count, one, (theta, state))
        return stumps.predict(theta, features)

    return np.asarray(jax.jit(jax.vmap(run))(jax.random.split(KEY, chains)))


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_the_optimizer_has_the_exact_moments_on_real_data(temperature):
    """Thirty patients, every mean and every variance of the predictions within its error."""
    features, targets = (jnp.asarray(part[:30]) for part in diabetes())
    stumps = optzoo.decision_stumps(features, 2)
    constants = {"shrinkage": 0.1, "temperature": temperature}
    chains, step, count = 2000, 0.5, 12
    ends = simulate(stumps, features, targets, step=step, count=count, chains=chains, **constants)
    process = process_of(stumps, features, targets, **constants)
    mean, covariance = process.chain_moments(step, count, np.zeros(30))
    z_mean = (ends.mean(axis=0) - mean) / (ends.std(axis=0) / math.sqrt(chains))
    squares = (ends - mean) ** 2
    z_variance = (squares.mean(axis=0) - np.diag(covariance)) / (
        squares.std(axis=0) / math.sqrt(chains)
    )
    assert abs(z_mean).max() < 4.5
    assert abs(z_variance).max() < 5.0
    direction = np.linalg.eigh(covariance)[1][:, -1]
    along = ((ends - mean) @ direction) ** 2
    exact = direction @ covariance @ direction
    assert abs(along.mean() - exact) < 4.5 * along.std() / math.sqrt(chains)


def test_langevin_boosting_regresses_the_diabetes_data():
    """The chain's mean is kernel ridge regression with the kernel of the stumps: it predicts."""
    features, targets = diabetes()
    train, test = slice(0, 300), slice(300, None)
    stumps = optzoo.decision_stumps(jnp.asarray(features[train]), 8)
    process = process_of(stumps, jnp.asarray(features[train]), targets[train], shrinkage=0.02)
    weights = np.linalg.solve(process.kernel + 0.02 * np.eye(300), targets[train])
    ridge = process.cross_kernel(np.asarray(stumps.cells(jnp.asarray(features[test])))) @ weights
    unexplained = ((ridge - targets[test]) ** 2).mean() / targets[test].var()
    assert unexplained < 0.6

    method = optzoo.stochastic_gradient_boosting(
        lambda k: 0.5 / (1 + k / 200), stumps.cell_sizes, shrinkage=0.02, key=KEY
    )
    x, y = jnp.asarray(features[train]), jnp.asarray(targets[train])

    # The indicators of the cells: the same gradient as through `predict`, by products.
    design = jax.nn.one_hot(stumps.cells(x), 2, dtype=x.dtype).reshape(300, -1)

    def step(_, carry):
        theta, state = carry
        residual = design @ theta.ravel() - y
        grads = (design.T @ residual).reshape(theta.shape)
        updates, state = method.update(grads, state, theta)
        return theta + updates, state

    theta = jnp.zeros((len(stumps.columns), 2))
    theta, _ = jax.jit(lambda carry: jax.lax.fori_loop(0, 4000, step, carry))(
        (theta, method.init(theta))
    )
    boosted = np.asarray(stumps.predict(theta, jnp.asarray(features[test])))
    assert np.sqrt(((boosted - ridge) ** 2).mean()) < 0.15 * ridge.std()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"shrinkage": -1.0}, ValueError, "shrinkage"),
        ({"temperature": math.inf}, ValueError, "temperature"),
        ({"key": 0}, TypeError, "key"),
        ({"cell_sizes": jnp.zeros((2, 2))}, ValueError, "a cell is empty"),
        ({"cell_sizes": jnp.ones((3, 2))}, ValueError, "cell_sizes must have the shape"),
    ],
)
def test_bad_arguments_are_named(change, error, words):
    arguments = {"learning_rate": 0.1, "cell_sizes": jnp.ones((2, 2)), "key": KEY, **change}
    with pytest.raises(error, match=words):
        optzoo.stochastic_gradient_boosting(**arguments).init(jnp.zeros((2, 2)))


def test_parameters_without_learners_and_bad_features_are_named():
    method = optzoo.stochastic_gradient_boosting(0.1, 1.0, key=KEY)
    with pytest.raises(ValueError, match="leading axis"):
        method.init(jnp.zeros([]))
    with pytest.raises(ValueError, match="finite matrix"):
        optzoo.decision_stumps(jnp.array([[jnp.nan]]), 1)
    for empty in ((0, 2), (3, 0), (3,)):
        with pytest.raises(ValueError, match=r"n, d >= 1, got shape"):
            optzoo.decision_stumps(np.zeros(empty), 1)
    with pytest.raises(TypeError, match="real numbers"):
        optzoo.decision_stumps(np.ones((2, 1)) * 1j, 1)
    with pytest.raises(TypeError, match="concrete"):
        jax.jit(lambda x: optzoo.decision_stumps(x, 1))(jnp.ones((2, 1)))
    with pytest.raises(TypeError, match="thresholds_per_column"):
        optzoo.decision_stumps(jnp.ones((2, 1)), 1.5)
    with pytest.raises(ValueError, match="thresholds_per_column"):
        optzoo.decision_stumps(jnp.ones((2, 1)), 0)
    with pytest.raises(ValueError, match="not constant"):
        optzoo.decision_stumps(jnp.ones((3, 2)), 4)
