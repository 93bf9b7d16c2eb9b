"""The bounds of the Frank-Wolfe page as code, against independent statements."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from optzoo.theorems import frank_wolfe as page
from optzoo.theorems import theorems_of
from optzoo.theorems.frank_wolfe import (
    F2,
    F3,
    F3B_LYAPUNOV,
    F6A,
    F9,
    Batch,
    Saga,
    Sarah,
    Smooth,
    Table,
)

ROOT = Path(__file__).parent.parent.parent.parent

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
    schedule = optzoo.stich_schedule(horizon, bounds.p)
    value = bounds.r_0
    for eta in np.asarray(jax.vmap(schedule)(jnp.arange(400)))[:horizon]:
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
    assert bounds.nonconvex_closed_form(eta, horizon) == pytest.approx(
        bounds.r_0 / (eta * horizon) + eta * constant
    )
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


def test_convex_bound_by_hand():
    """Two steps with numbers small enough to follow."""
    bounds = Sarah(L=2.0, L_pm=3.0, D=2.0, p=0.5, nu=0.25, r_0=1.0)
    # Ebar_1 = 0.5 (0 + 0.25 * 36 * 0.25) = 1.125
    # R_1 = 0.5 * 1 + 0.5 * 2 * 0 + 1 * 4 * 0.25 = 1.5
    # R_2 = 0.5 * 1.5 + 0.5 * 2 * sqrt(1.125) + 1 * 4 * 0.25
    assert bounds.convex([0.5, 0.5]).tolist() == pytest.approx(
        [1.0, 1.5, 0.75 + np.sqrt(1.125) + 1.0]
    )


def test_estimator_on_a_line_is_the_sum_of_what_is_kept():
    """F1 with V = h^2 at every step, step by step."""
    batch, error = Batch(p=0.3, nu=0.25), 0.0
    for k in range(1, 6):
        error = (1 - 0.3) * (error + 0.25 * 0.1**2)
        assert batch.line_error(0.1, k) == pytest.approx(error)


def test_saga_bound_by_hand():
    """F5 for two steps, both refreshes, from an error and a stale table."""
    constants = {"L_pm": 2.0, "L_tilde": 3.0, "D": 1.0, "a": 0.5, "mixing": 0.25, "nu": 0.5}
    for new in (True, False):
        table = Table(**constants, E_0=1.0, Y_0=4.0, refreshed_with_new=new)
        # E_1 = (3/4)^2 + (1/2) (2/2 + 2/4)^2 = 1.6875
        # Y_1 = (1/2) (2 + 3/2)^2 = 6.125, and (1/2) (3/2)^2 = 1.125 more for the old refresh
        stale = 6.125 + (0.0 if new else 1.125)
        error = 0.5625 * 1.6875 + 0.5 * (0.25 * np.sqrt(stale)) ** 2
        assert table.error([0.5, 0.0]).tolist() == pytest.approx([1.0, 1.6875, error])
        assert table.staleness([0.5, 0.0]).tolist() == pytest.approx([4.0, stale, stale / 2])


@given(instances, st.floats(0.0, 1.0))
@few
def test_every_constant_weakens_the_bound_in_its_stated_direction(bounds, share):
    values = {name: getattr(bounds, name) for name in Sarah.directions()}
    for name, direction in Sarah.directions().items():
        weaker = values[name] * (2.0 if direction == "up" else share / 2 + 0.25)
        changed = Sarah(**(values | {name: weaker}))
        for theorem, argument in ((page.F3, [1.0, 0.5, 0.2]), (page.F4, [0.5] * 5)):
            before, after = (theorem.bound(one, argument) for one in (bounds, changed))
            assert np.all(before <= after * (1 + 1e-12)), (theorem.label, name)


@pytest.mark.parametrize(
    ("theorem", "constants", "arguments", "reason"),
    [
        (F2, Smooth(L=1.0, D=1.0), (1.5, 0.0), r"F2 does not apply: .*\[0, 1\]"),
        (
            F3B_LYAPUNOV,
            Sarah(L=1.0, L_pm=1.0, D=1.0, p=0.2, nu=1.0, r_0=1.0),
            (0.2,),
            r"F3b, one step does not apply: .*p/2",
        ),
        (
            F6A,
            Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=1.0, a=0.2, mixing=0.2, nu=1.0, r_0=1.0),
            (10,),
            r"F6a does not apply: .*a/2",
        ),
        (
            F6A,
            Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=1.0, a=0.2, mixing=0.1, nu=1.0, r_0=1.0, Y_0=1.0),
            (10,),
            "table of first gradients",
        ),
    ],
)
def test_what_violates_an_assumption_is_refused(theorem, constants, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        theorem.bound(constants, *arguments)


def test_constants_of_another_theorem_are_refused():
    with pytest.raises(TypeError, match="the constants of F3 must be a Sarah"):
        F3.bound(Smooth(L=1.0, D=1.0), [0.5])


def test_floor_is_what_few_nonzeros_leave():
    """F9: among points of the simplex with k + 1 equal nonzeros, |x|^2/2 less its minimum."""
    for k in (0, 3, 9):
        x = np.zeros(10)
        x[: k + 1] = 1 / (k + 1)
        assert F9.bound(page.Dimension(d=10), k) == pytest.approx((x @ x - 0.1) / 2)


@pytest.mark.parametrize("theorem", theorems_of(vars(page)), ids=lambda theorem: theorem.label)
def test_every_theorem_has_its_section(theorem):
    text = (ROOT / "docs" / "theory" / "frank_wolfe.md").read_text(encoding="utf-8")
    assert re.search(rf"^#+ .*\b{re.escape(theorem.root.label)}\b", text, flags=re.MULTILINE)
