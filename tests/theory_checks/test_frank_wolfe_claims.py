"""The bounds as code against independent statements, and the exact claims with their controls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from theory_checks.claims import CLAIMS
from theory_checks.claims.frank_wolfe import enumeration
from theory_checks.claims.frank_wolfe.bounds import Saga, Sarah
from theory_checks.claims.frank_wolfe.process import step_table, variance_factor
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim
from theory_checks.statistics.protocol import Protocol

positive = st.floats(1e-2, 1e2)
instances = st.builds(
    Sarah,
    L=positive,
    L_pm=positive,
    D=positive,
    p=st.floats(0.01, 0.99),
    nu=st.floats(1e-3, 1.0),
    r_0=positive,
)
few = settings(max_examples=40, deadline=None)


@given(instances, st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
@few
def test_estimator_bound_is_the_sum_it_solves(bounds, steps):
    eta, k = np.array(steps), len(steps)
    kept = 1 - bounds.p
    total = sum(kept ** (k - j) * eta[j] ** 2 for j in range(k))
    expected = bounds.nu * bounds.L_pm**2 * bounds.D**2 * total
    assert bounds.estimator(eta)[k] == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(instances, st.floats(1e-3, 1.0))
@few
def test_constant_steps_stay_below_the_stationary_bound(bounds, eta):
    stationary = bounds.nu * (bounds.L_pm * bounds.D * eta) ** 2 * (1 - bounds.p) / bounds.p
    errors = bounds.estimator(np.full(400, eta))
    assert np.all(errors <= stationary * (1 + 1e-12))
    assert np.all(np.diff(errors) >= 0)


@given(instances)
@few
def test_closed_form_is_above_the_recursion(bounds):
    """F3a is derived from F3, so it can only be weaker; and it starts at r_0."""
    steps = 2 / (np.arange(500) + 4 / bounds.p)
    recursion = bounds.convex(steps)
    closed = bounds.convex_closed_form(np.arange(501))
    assert np.all(recursion <= closed * (1 + 1e-12))
    assert closed[0] == pytest.approx(bounds.r_0)


@given(instances, st.integers(1, 400))
@few
def test_stich_bound_solves_its_own_recursion(bounds, horizon):
    """F3b unrolls Phi_{k+1} <= (1 - eta) Phi_k + A eta^2 along the schedule."""
    table = step_table(optzoo.stich_schedule(horizon, bounds.p), 400)
    steps = np.asarray(table)[:horizon]
    value = bounds.r_0
    for eta in steps:
        value = (1 - eta) * value + bounds.A * eta**2
    assert value <= bounds.convex_stich(horizon) * (1 + 1e-9)
    assert bounds.convex_stich(horizon) <= value * 1.5  # and does not lose more than that


@given(instances)
@few
def test_nonconvex_bound_at_a_constant_step(bounds):
    """F4 at a constant step is below r_0 / (eta K) + eta C."""
    horizon, eta = 200, 0.07
    constant = bounds.D**2 * (
        bounds.L / 2 + bounds.L_pm * np.sqrt(bounds.nu * (1 - bounds.p) / bounds.p)
    )
    values = bounds.nonconvex(np.full(horizon, eta))
    k = np.arange(1, horizon + 1)
    assert np.all(values <= (bounds.r_0 / (eta * k) + eta * constant) * (1 + 1e-12))
    assert values[0] == pytest.approx(
        bounds.r_0 / eta + bounds.L / 2 * bounds.D**2 * eta
    )  # the first gradient is exact


@given(
    a=st.floats(0.01, 0.9),
    L_tilde=positive,
    share=st.floats(0.05, 1.0),
    nu=st.floats(1e-3, 1.0),
    refreshed_with_new=st.booleans(),
)
@few
def test_saga_closed_form_is_above_its_recursion(a, L_tilde, share, nu, refreshed_with_new):
    """F6a is derived from F6 at lambda = a/2, eta_k = 2/(k + 8/a), from an exact table."""
    bounds = Saga(
        L=1.0,
        L_pm=share * L_tilde,
        L_tilde=L_tilde,
        D=1.5,
        a=a,
        mixing=a / 2,
        nu=nu,
        r_0=1.0,
        refreshed_with_new=refreshed_with_new,
    )
    recursion = bounds.convex(2 / (np.arange(800) + 8 / a))
    closed = bounds.convex_closed_form(np.arange(801))
    assert np.all(recursion <= closed * (1 + 1e-12))
    assert closed[0] == pytest.approx(1.0)


@given(a=st.floats(0.01, 1.0), eta=st.floats(1e-3, 1.0))
@few
def test_saga_constant_steps_stay_below_the_stationary_bound(a, eta):
    """F5: sqrt(Y) <= (2/a) Lt D eta and E <= 4 nu (Lt D eta)^2 / (a (1 - a/4))."""
    bounds = Saga(L=1.0, L_pm=2.0, L_tilde=2.0, D=1.5, a=a, mixing=a / 2, nu=0.25, r_0=1.0)
    error, staleness = bounds.estimator(np.full(500, eta))
    move = 2.0 * 1.5 * eta
    assert np.all(np.sqrt(staleness) <= 2 / a * move * (1 + 1e-12))
    assert np.all(error <= 4 * 0.25 * move**2 / (a * (1 - a / 4)) * (1 + 1e-12))


def test_no_noise_needs_no_weight():
    for changes in ({"p": 1.0}, {"nu": 0.0}, {"L_pm": 0.0}):
        constants = {"L": 1.0, "L_pm": 1.0, "D": 1.0, "p": 0.5, "nu": 0.5, "r_0": 1.0, **changes}
        bounds = Sarah(**constants)
        assert bounds.M == 0.0
        assert bounds.A == 0.5


def test_one_step_inequalities_are_attained():
    """Where they are checked, a constant that is one percent too small would be found."""
    left, error_term, curvature_term = enumeration.descent_step()
    for wrong in (error_term / 1.01 + curvature_term, error_term + curvature_term / 1.01):
        assert np.any(left > wrong * (1 + 1e-9))
    left, right = enumeration.lyapunov_step(p=0.4, eta=0.2)
    assert np.all(left <= right * (1 + 1e-12))
    assert np.any(left > right / 1.01)


def test_convex_bound_by_hand():
    """Two steps with numbers small enough to follow."""
    bounds = Sarah(L=2.0, L_pm=3.0, D=2.0, p=0.5, nu=0.25, r_0=1.0)
    # Ebar_1 = 0.5 (0 + 0.25 * 36 * 0.25) = 1.125
    # R_1 = 0.5 * 1 + 0.5 * 2 * 0 + 1 * 4 * 0.25 = 1.5
    # R_2 = 0.5 * 1.5 + 0.5 * 2 * sqrt(1.125) + 1 * 4 * 0.25
    assert bounds.convex([0.5, 0.5]).tolist() == pytest.approx(
        [1.0, 1.5, 0.75 + np.sqrt(1.125) + 1.0]
    )


@pytest.mark.parametrize(("n", "b"), [(4, 2), (5, 5), (1, 1), (7, 3)])
def test_variance_factor_by_enumeration(n, b):
    import itertools

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
    p = 0.55
    run = enumeration.small_run(p=p, replacement=replacement, seed=3)
    after, before, variance = enumeration.estimator_moments(run, states=4)
    nu = variance_factor(enumeration.SAMPLES, enumeration.BATCH, replacement=replacement)
    np.testing.assert_allclose(after, (1 - p) * (before + nu * variance), rtol=1e-12)


# Claims that take a second or two each: the command line runs all of them.
CHOSEN = (
    "frank_wolfe/sarah/one-step/descent",
    "frank_wolfe/sarah/one-step/lyapunov",
    "frank_wolfe/sarah/closed-form/unrolled",
    "frank_wolfe/sarah/estimator/bound",
    "frank_wolfe/sarah/sandwich/from-below",
    "frank_wolfe/sarah/scaling/smoothness",
    "frank_wolfe/sarah/scaling/diameter",
)


@pytest.mark.parametrize("identifier", CHOSEN)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    (claim,) = [one for one in CLAIMS if one.id == identifier]
    found = run_claim(claim, Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]
