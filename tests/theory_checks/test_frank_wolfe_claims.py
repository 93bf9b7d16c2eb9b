"""The claims on Frank-Wolfe methods: their runs, watches and mutants, and what is enumerated."""

import itertools
from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.theorems.frank_wolfe import (
    F1,
    F2,
    F3B_LYAPUNOV,
    Batch,
    Sarah,
    Smooth,
    index_probability,
    variance_factor,
)
from theory_checks.claims.frank_wolfe import enumeration, mutants
from theory_checks.claims.frank_wolfe.instances import noise_tight
from theory_checks.claims.frank_wolfe.processes import (
    SarahRun,
    StaleTable,
    line_test,
    plain_frank_wolfe,
)
from theory_checks.claims.frank_wolfe.settings import by_saga
from theory_checks.claims.frank_wolfe.watches import (
    IDENTITY_TERMS,
    gap,
    squared_error,
    stale,
    suboptimality,
)
from theory_checks.simulation import Experiment, simulate
from theory_checks.simulation.subsets import floyd_subset, uniform_below


def test_one_step_inequalities_are_attained():
    """Where they are checked, a constant that is one percent too small would be found."""
    left, steps, off = enumeration.descent_step(0.5)
    bound = F2.bound(Smooth(L=0.5, D=2.0), steps, off)
    assert np.all(left <= bound * (1 + 1e-12))
    assert np.any(left > F2.bound(Smooth(L=0.5 / 1.01, D=2.0), steps, off) * (1 + 1e-9))
    left, steps, off = enumeration.descent_step(0.0)
    assert np.any(left > F2.bound(Smooth(L=0.0, D=2.0), steps, off / 1.01) * (1 + 1e-9))

    run = noise_tight(1.0, n=4).sarah(jnp.full(4, 0.2), 0.4, 2)
    constants = Sarah(L=0.0, L_pm=1.0, D=2.0, p=0.4, nu=0.5, r_0=2.0)
    left = enumeration.lyapunov_step(run, constants.M)
    bound = F3B_LYAPUNOV.bound(constants, 0.2)
    assert np.all(left <= bound * (1 + 1e-12))
    assert np.any(left > bound / 1.01)


@pytest.mark.parametrize(("n", "b"), [(4, 2), (5, 5), (1, 1), (7, 3)])
def test_variance_factor_by_enumeration(n, b):
    values = np.random.default_rng(0).normal(size=n)
    variance = values.var()
    draws = {
        False: list(itertools.combinations(values, b)),
        True: list(itertools.product(values, repeat=b)) if n**b < 10**5 else None,
    }
    for replacement, outcomes in draws.items():
        spread = np.var([np.mean(outcome) for outcome in outcomes])
        expected = variance_factor(n, b, replacement=replacement) * variance
        assert spread == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("replacement", [True, False])
def test_identity_holds_on_the_shipped_code_at_another_probability(replacement):
    small, batch = enumeration.small(seed=3), enumeration.BATCH
    run = small.sarah(jnp.full(4, 0.3), 0.55, batch, replacement=replacement)
    after, before, variance = enumeration.estimator_moments(run, states=4)
    nu = variance_factor(enumeration.SAMPLES, enumeration.BATCH, replacement=replacement)
    exact = F1.bound(Batch(p=0.55, nu=nu), before, variance)
    np.testing.assert_allclose(after, exact, rtol=1e-12)


def test_uniform_below_reaches_every_number_equally_often():
    limits = jnp.array([1, 2, 5])
    draws = jax.vmap(lambda key: uniform_below(key, limits))(
        jax.random.split(jax.random.key(3), 4000)
    )
    for column, limit in zip(np.asarray(draws).T, limits.tolist(), strict=True):
        counts = np.bincount(column, minlength=limit)
        assert counts.size == limit
        # Five standard errors of a count.
        assert np.all(np.abs(counts - 4000 / limit) <= 5 * np.sqrt(4000 / limit))


@pytest.mark.parametrize(("n", "b"), [(5, 2), (4, 3), (6, 1), (3, 3)])
def test_floyd_subsets_are_uniform(n, b):
    """Over all draws, every subset comes out equally often."""
    draws = itertools.product(*(range(n - b + j + 1) for j in range(b)))
    table = jax.vmap(lambda draw: floyd_subset(draw, n))(jnp.array(list(draws)))
    counts = Counter(tuple(sorted(row)) for row in np.asarray(table).tolist())
    assert set(counts) == set(itertools.combinations(range(n), b))
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize("replacement", [True, False])
def test_refresh_probability_by_enumeration(replacement):
    n, b = 5, 3
    if replacement:
        batches = list(itertools.product(range(n), repeat=b))
    else:
        batches = list(itertools.combinations(range(n), b))
    share = np.mean([0 in batch for batch in batches])
    assert index_probability(n, b, replacement=replacement) == pytest.approx(share)


def test_the_other_refresh_keeps_the_older_gradients():
    run = noise_tight(0.5, n=6).saga(
        jnp.full(8, 0.3), 2, replacement=False, method=mutants.refreshed_with_old
    )
    position = run.advance(run.init(jax.random.key(0)), jnp.array([0, 1]))
    older = position.x
    position = run.advance(position, jnp.array([2, 3]))
    position = run.advance(position, jnp.array([3, 5]))
    rows = run.problem.sample_gradients(older, jnp.arange(6))
    # The second call refreshed row 2 with the gradient at the start, the third row 5 at `older`.
    np.testing.assert_allclose(position.state.table[5], rows[5])
    np.testing.assert_allclose(
        position.state.table[2], run.problem.sample_gradients(run.x0, jnp.array([2]))[0]
    )
    np.testing.assert_allclose(position.state.table_mean, position.state.table.mean(axis=0))


def test_start_of_a_cold_table_is_what_the_bounds_start_from():
    """E_0 and Y_0 of the bounds against all first batches."""
    setting = by_saga("least_squares", "l1_ball", "table", warm=False, replacement=False)
    n = setting.run.problem.num_samples
    run = replace(setting.run, batch_size=1, mixing=jnp.asarray(0.5 / n))
    known = run.constants

    def after(index):
        position = run.advance(run.init(jax.random.key(0)), index[None])
        return squared_error(run, position), stale(run, position)

    error, staleness = jax.jit(jax.vmap(after))(jnp.arange(n))
    assert pytest.approx(float(error.mean()), rel=1e-9) == known["E_0"].value
    assert pytest.approx(float(staleness.mean()), rel=1e-9) == known["Y_0"].value


def _noise_tight(method=optzoo.sarah_frank_wolfe):
    return noise_tight(0.5).sarah(jnp.full(8, 0.3), 0.5, 2, method=method)


def test_plain_frank_wolfe_runs_in_the_same_process():
    """On batches of all samples its path is that of full gradients, which is Sarah's at p = 1."""
    watch = {"suboptimality": suboptimality, "gap": gap}
    everyone = {"batch_size": 64, "replacement": False}
    plain = replace(_noise_tight(plain_frank_wolfe), **everyone)
    full = replace(_noise_tight(), restart_probability=jnp.asarray(1.0), **everyone)
    assert isinstance(plain, SarahRun)
    found, expected = (
        simulate(Experiment("plain", run, (1, 4, 8), watch), first=0, count=2)
        for run in (plain, full)
    )
    assert set(found) == set(watch)
    for name in watch:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("watch", "missing"),
    [
        ({"squared_error": squared_error}, "`estimate`, `previous`"),
        ({"staleness": stale}, "`previous`, `table`"),
        (IDENTITY_TERMS, "`estimate`, `previous`|`previous`"),
    ],
)
def test_a_watch_that_needs_what_a_state_lacks_is_refused(watch, missing):
    experiment = Experiment("plain", _noise_tight(plain_frank_wolfe), (2,), watch)
    with pytest.raises(ValueError, match=rf"this watch needs ({missing}) of the method's state"):
        simulate(experiment, first=0, count=1)


def test_the_estimator_on_a_line_is_fed_the_line():
    """x_k = k h, whatever the oracle answers, and the estimate was formed at x_{k-1}."""
    run = line_test(restart_probability=0.5, step=0.1)
    position = run.init(jax.random.key(0))
    for k in range(1, 4):
        position = run.advance(position, jnp.array([k]))
        np.testing.assert_allclose(position.x, [0.1 * k], rtol=1e-15)
        np.testing.assert_allclose(position.state.previous, [0.1 * (k - 1)], rtol=1e-15)


def test_a_stale_table_is_written_at_the_batch_before():
    run = noise_tight(0.5, n=6).saga(jnp.full(8, 0.3), 2, replacement=False)
    stale_one = StaleTable(run)
    position = stale_one.init(jax.random.key(0))
    before, rows = position.state.table, set(position.rows.tolist())
    after = stale_one.step(position._replace(x=jnp.full(1, -0.7)), 0, jax.random.key(3))
    changed = np.flatnonzero(np.any(np.asarray(after.state.table != before), axis=1))
    assert set(changed.tolist()) == rows != set(after.rows.tolist())
    # In all else it is the run.
    assert stale_one.problem is run.problem
    assert stale_one.watch is run.watch
