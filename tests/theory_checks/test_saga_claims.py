"""Claims on Saga Sarah Frank-Wolfe: its runs, the checks made for it, and the exact claims."""

import dataclasses
import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import pytree_dataclass
from theory_checks.checks import Minimizer
from theory_checks.claims import CLAIMS
from theory_checks.claims.frank_wolfe import saga_mutants as mutants
from theory_checks.claims.frank_wolfe.process import floyd_subset
from theory_checks.claims.frank_wolfe.saga.process import (
    SagaRun,
    noise_tight_saga,
    refresh_probability,
)
from theory_checks.claims.frank_wolfe.saga.settings import Setting, saga_bounds
from theory_checks.simulation import Experiment, Process
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim
from theory_checks.statistics.protocol import Protocol


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
    assert refresh_probability(n, b, replacement=replacement) == pytest.approx(share)


def _run(method=None, *, warm=True):
    changes = {} if method is None else {"method": method}
    return noise_tight_saga(
        SagaRun,
        num_samples=6,
        batch_size=2,
        steps=jnp.full(8, 0.3),
        slope=0.5,
        warm=warm,
        **changes,
    )


def test_the_other_refresh_keeps_the_older_gradients():
    run = _run(mutants.refreshed_with_old)
    carry = run.advance(run.init(jax.random.key(0)), jnp.array([0, 1]))
    older = carry.x
    carry = run.advance(carry, jnp.array([2, 3]))
    carry = run.advance(carry, jnp.array([3, 5]))
    rows = run.problem.sample_gradients(older, jnp.arange(6))
    # The second call refreshed row 2 with the gradient at the start, the third row 5 at `older`.
    np.testing.assert_allclose(carry.state.table[5], rows[5])
    np.testing.assert_allclose(
        carry.state.table[2], run.problem.sample_gradients(run.x0, jnp.array([2]))[0]
    )
    np.testing.assert_allclose(carry.state.table_mean, carry.state.table.mean(axis=0))


def test_start_of_a_cold_table_is_what_the_bounds_start_from():
    """E_0 and Y_0 of the bounds against all first batches."""
    setting = Setting("least_squares", "l1_ball", "table", warm=False, replacement=False)
    run = setting.experiment().process
    bounds = saga_bounds(setting.place, 1, warm=False, replacement=False)
    n = setting.samples

    def after(index):
        carry = run.advance(run.init(jax.random.key(0)), index[None])
        metrics = run.measure(carry)
        return metrics["squared_error"], metrics["staleness"]

    error, staleness = jax.jit(jax.vmap(after))(jnp.arange(n))
    assert pytest.approx(float(error.mean()), rel=1e-9) == bounds.E_0
    assert pytest.approx(float(staleness.mean()), rel=1e-9) == bounds.Y_0


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class _Valleys(Process):
    """value@j = (j - 2)^2 plus common noise: smallest at j = 2."""

    def init(self, key):
        return jax.random.normal(key)

    def step(self, carry, k, key):
        return carry

    def measure(self, carry):
        return {f"value@{j}": (j - 2.0) ** 2 + 0.3 * j * carry for j in range(5)}


@pytest.mark.parametrize(
    ("window", "verdict"),
    [((2.0, 2.0), "CONSISTENT"), ((3.0, 4.0), "REFUTED"), ((0.0, 1.0), "REFUTED")],
)
def test_minimizer_says_where_a_mean_is_smallest(window, verdict):
    experiment = Experiment("valleys", _Valleys(), (1, 2))
    check = Minimizer(range(5), experiment, "value", window)
    finding = check.run(Laboratory(seeds=32))
    assert finding.verdict == verdict
    assert finding.checkpoints.tolist() == [0, 1, 2, 3, 4]
    assert np.argmin(finding.mean) == 2
    assert np.all(finding.lower <= finding.mean)
    assert np.all(finding.mean <= finding.upper)


CHOSEN = (
    "frank_wolfe/saga/estimator/identity-with-replacement",
    "frank_wolfe/saga/estimator/identity-without-replacement",
    "frank_wolfe/saga/one-step/estimator",
    "frank_wolfe/saga/estimator/line-error",
    "frank_wolfe/saga/estimator/mixing",
    "frank_wolfe/saga/closed-form/unrolled",
    "frank_wolfe/saga/counts",
)


@pytest.mark.parametrize("identifier", CHOSEN)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    (claim,) = [one for one in CLAIMS if one.id == identifier]
    found = run_claim(claim, Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]
