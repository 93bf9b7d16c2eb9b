"""The theorems on projection-free methods against independent derivations of what they say."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog, minimize_scalar, nnls

from optzoo.theorems import projection_free_methods, theorems_of
from optzoo.theorems.projection_free_methods import (
    AWAY,
    SAG,
    SAGAFW,
    SCG,
    SFW,
    SHORT,
    SPIDER,
    SPIDER_NONCONVEX,
    SVRF,
    Independent,
    LinearModel,
    Momentum,
    PathIntegrated,
    Polytope,
    ShortSteps,
    Snapshot,
    TableOnly,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
positive = st.floats(0.1, 5.0)

# --- SHORT ---


@given(positive, positive, positive)
@few
def test_short_steps_are_the_best_of_all_steps(L, D, r_0):
    plan = ShortSteps(L=L, D=D, r_0=r_0)
    bound, value = SHORT.bound(plan, 20), r_0
    for k in range(20):
        assert bound[k] == pytest.approx(value, rel=1e-9)
        best = minimize_scalar(
            lambda eta, r=value: (1 - eta) * r + L * (D * eta) ** 2 / 2,
            bounds=(0, 1),
            method="bounded",
            options={"xatol": 1e-12},
        )
        ends = (value, L * D**2 / 2)
        value = min(best.fun, *ends)
    k = np.arange(1, 21)
    assert np.all(bound[1:] <= plan.closed_form(k) * (1 + 1e-12))


def test_the_closed_form_of_short_steps_is_attained_from_far_away():
    plan = ShortSteps(L=2.0, D=3.0, r_0=1e6)
    ratio = SHORT.bound(plan, 1000)[1:] / plan.closed_form(np.arange(1, 1001))
    assert ratio[0] == pytest.approx(1, rel=1e-12)
    assert ratio[-1] > 0.98


# --- AWAY: the width, and the inequality that it is there for ---


def facial_distance(vertices):
    """Over all faces, the distance of the face to the hull of the other vertices."""
    count, least = len(vertices), np.inf
    for size in range(1, count):
        for chosen in itertools.combinations(range(count), size):
            others = [j for j in range(count) if j not in chosen]
            if is_face(vertices, chosen, others):
                least = min(least, distance(vertices[list(chosen)], vertices[others]))
    return least


def is_face(vertices, chosen, others):
    """Whether a linear function is 0 on the chosen vertices and at least 1 on the others."""
    dim = vertices.shape[1]
    result = linprog(
        np.zeros(dim + 1),
        A_eq=np.column_stack([vertices[list(chosen)], np.ones(len(chosen))]),
        b_eq=np.zeros(len(chosen)),
        A_ub=-np.column_stack([vertices[others], np.ones(len(others))]),
        b_ub=-np.ones(len(others)),
        bounds=(None, None),
    )
    return result.status == 0


def distance(first, second):
    """Between two hulls, by non-negative least squares with a heavy row for each sum."""
    heavy = 1e4
    rows = np.vstack([first, -second]).T
    sums = np.zeros((2, len(first) + len(second)))
    sums[0, : len(first)] = sums[1, len(first) :] = heavy
    weights, _ = nnls(np.vstack([rows, sums]), np.append(np.zeros(len(rows)), [heavy, heavy]))
    return float(np.linalg.norm(rows @ weights))


def simplex(d):
    return np.eye(d), 2 / np.sqrt(d if d % 2 == 0 else d - 1 / d)


def cube(d):
    return np.array(list(itertools.product((0.0, 1.0), repeat=d))), 1 / np.sqrt(d)


def cross_polytope(d):
    return np.vstack([np.eye(d), -np.eye(d)]), 1 / np.sqrt(d - 1)


POLYTOPES = {
    "simplex 3": simplex(3),
    "simplex 4": simplex(4),
    "cube 2": cube(2),
    "cube 3": cube(3),
    "l1 ball 2": cross_polytope(2),
    "l1 ball 3": cross_polytope(3),
}


@pytest.mark.parametrize("name", POLYTOPES)
def test_the_widths_are_facial_distances(name):
    vertices, width = POLYTOPES[name]
    assert facial_distance(vertices) == pytest.approx(width, rel=1e-3)


@pytest.mark.parametrize("name", POLYTOPES)
def test_the_gap_between_atoms_bounds_the_error_of_strongly_convex_functions(name):
    vertices, width = POLYTOPES[name]
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(4000):
        scales = np.geomspace(1, 0.02, vertices.shape[1])
        rotation, _ = np.linalg.qr(rng.normal(size=(len(scales), len(scales))))
        hessian, mu = rotation @ np.diag(scales) @ rotation.T, 0.02
        star = rng.dirichlet(np.full(len(vertices), 0.2)) @ vertices
        active = rng.choice(len(vertices), rng.integers(1, len(vertices) + 1), replace=False)
        x = rng.dirichlet(np.full(len(active), 0.3)) @ vertices[active]
        # star is the minimizer over the set: its gradient there is 0.
        gradient = hessian @ (x - star)
        error = (x - star) @ gradient / 2
        between = (vertices[active] @ gradient).max() - (vertices @ gradient).min()
        if error > 1e-12:
            largest = max(largest, 2 * mu * width**2 * error / between**2)
    assert 0.01 < largest <= 1


# --- SFW and SCG ---


def test_sfw_with_the_batches_that_it_asks_for_is_below_its_closed_form():
    k = np.arange(2000)
    for L, D, sigma, r_0 in ((1.0, 1.0, 1.0, 9.0), (0.3, 2.0, 4.0, 0.1), (5.0, 0.5, 0.2, 1.0)):
        plan = Independent(L=L, D=D, r_0=r_0, sigma=sigma)
        samples = np.ceil((sigma * (k + 2) / (L * D)) ** 2)
        ratio = SFW.bound(plan, 2 / (k + 2), 1 / samples)[1:] / plan.closed_form(k + 1)
        assert ratio.max() <= 1
    assert ratio[-1] > 0.4


def test_scg_without_noise_or_without_memory_is_what_it_must_be():
    eta, rho = 1 / (np.arange(50) + 1.0), np.ones(51)
    plan = Momentum(L=1.0, D=2.0, r_0=3.0, sigma=0.5, nu=0.25)
    # With rho = 1 only the last batch counts, with the variance nu sigma^2.
    memoryless = Independent(L=1.0, D=2.0, r_0=3.0, sigma=0.5).batches(eta, np.full(50, 0.25))
    np.testing.assert_allclose(SCG.bound(plan, eta, rho), memoryless, rtol=1e-12)
    # Along a line at constant steps without noise the error tends to (1-rho)/rho L D eta.
    quiet = replace(plan, sigma=0.0)
    error = quiet.error(np.full(2000, 0.1), np.append(1.0, np.full(2000, 0.05)))
    assert error[-1] ** 0.5 == pytest.approx(0.95 / 0.05 * 0.2, rel=1e-9)


def test_the_weight_of_the_step_ahead_counts_in_scg():
    """Two steps by hand, with numbers that all differ."""
    plan = Momentum(L=2.0, D=1.5, r_0=3.0, sigma=0.5, nu=0.25)
    first = 0.25 * 0.5**2
    second = 0.4**2 * (first**0.5 + 2.0 * 1.5 * 0.9) ** 2 + 0.6**2 * first
    third = 0.7**2 * (second**0.5 + 2.0 * 1.5 * 0.3) ** 2 + 0.3**2 * first
    found = plan.error([0.9, 0.3], [1.0, 0.6, 0.3])
    np.testing.assert_allclose(found, [first, second, third], rtol=1e-12)


def test_scg_falls_like_the_cube_root():
    k = np.arange(100_001)
    plan = Momentum(L=1.0, D=1.0, r_0=1.0, sigma=1.0, nu=1.0)
    bound = SCG.bound(plan, 1 / (k[:-1] + 1), 4 / (k + 8) ** (2 / 3))
    slope = np.log(bound[1000] / bound[-1]) / np.log(100)
    assert slope == pytest.approx(1 / 3, abs=0.01)


# --- SVRF and SPIDER ---


def test_svrf_with_the_papers_numbers_halves_its_bound_an_epoch():
    steps, nu, fresh, ends = [], [], [], []
    for t in range(1, 8):
        for k in range(2 ** (t + 3) - 2):
            steps.append(2 / (k + 2))
            nu.append(1 / (96 * (k + 2)))
            fresh.append(k == 0)
        ends.append(len(steps))
    plan = Snapshot(L=2.0, L_max=2.0, D=3.0, r_0=9.0)
    ratio = SVRF.bound(plan, steps, nu, fresh)[ends] / plan.closed_form(np.arange(1, 8))
    assert ratio.max() <= 1
    assert ratio.min() > 0.5


def test_a_full_gradient_is_exact_and_a_move_counts_in_the_next_step():
    """Two steps of SVRF and three of SPIDER by hand."""
    plan = Snapshot(L=1.0, L_max=3.0, D=2.0, r_0=4.0)
    first = 0.5 * 4.0 + 2 * 0.5**2
    error = np.sqrt(2 * 3.0 * 0.1) * (np.sqrt(first) + np.sqrt(4.0))
    second = 0.7 * first + 0.3 * 2.0 * error + 2 * 0.3**2
    found = SVRF.bound(plan, [0.5, 0.3], [0.2, 0.1], [True, False])
    np.testing.assert_allclose(found, [4.0, first, second], rtol=1e-12)
    spider = PathIntegrated(L=1.0, L_pm=3.0, D=2.0, r_0=4.0)
    errors = spider.error([0.5, 0.3, 0.1], [0.7, 0.2, 0.4], [True, False, False])
    expected = [0.0, 0.2 * 3.0**2, 0.2 * 3.0**2 + 0.4 * (6 * 0.3) ** 2]
    np.testing.assert_allclose(errors, expected, rtol=1e-12)


def test_spider_with_epochs_that_double_falls_like_their_lengths():
    steps, nu, fresh, ends = [], [], [], []
    for t in range(1, 13):
        K = 2 ** (t - 1)
        for j in range(1, K + 1):
            steps.append(2 / (K + j))
            nu.append(1 / K)
            fresh.append(j == 1)
        ends.append(len(steps))
    plan = PathIntegrated(L=1.0, L_pm=1.0, D=2.0, r_0=4.0)
    error = plan.error(steps, nu, fresh)
    scaled = SPIDER.bound(plan, steps, nu, fresh)[ends] * 2.0 ** np.arange(12)
    # The fixed point of R+ = R/4 + (1.3 L_pm + 0.6 L) D^2 / K with R of the epoch before.
    assert scaled[-1] <= 2 * (1.3 + 0.6) * 4
    assert scaled[-1] == pytest.approx(scaled[-2], rel=0.02)
    late = np.asarray(fresh).nonzero()[0][-1]
    assert 0.5 < error[late:].max() * 2048**2 / (2 * 4) <= 1


def test_spider_at_constant_steps_is_below_its_closed_form():
    q, b, K, eta = 16, 16, 160, 0.05
    plan = PathIntegrated(L=1.0, L_pm=3.0, D=2.0, r_0=1.0)
    fresh = np.arange(K) % q == 0
    found = SPIDER_NONCONVEX.bound(plan, np.full(K, eta), np.full(K, 1 / b), fresh)
    closed = plan.nonconvex_closed_form(eta, K, q, 1 / b)
    assert 0.6 * closed < found[-1] <= closed


# --- SAGAFW and SAG ---


def test_sagafws_staleness_has_the_limit_of_its_equation():
    plan = TableOnly(L=1.0, L_tilde=2.0, D=1.5, a=0.1, nu=0.25, r_0=1.0)
    root = brentq(lambda s: (1 - 0.1) * (s + 1) ** 2 + 0.1 - s**2, 0, 1000)
    assert plan.stale == pytest.approx(root, rel=1e-10)
    assert plan.stale <= 2 / plan.a
    eta = np.full(600, 0.01)
    limit = plan.staleness(eta)[-1] ** 0.5 / (2.0 * 1.5 * 0.01)
    assert limit == pytest.approx(root, rel=1e-6)
    assert SAGAFW.bound(plan, eta)[-1] <= plan.nonconvex_closed_form(0.01, 600)


def test_ages_on_a_line_stay_below_the_staleness_that_minkowski_allows():
    for a in (0.02, 0.3, 0.9):
        ages = (2 - a) / a**2
        plan = TableOnly(L=1.0, L_tilde=1.0, D=1.0, a=a, nu=1.0, r_0=1.0)
        assert 0.49 < ages / plan.stale**2 <= 1


def test_sag_with_full_batches_is_frank_wolfe():
    k = np.arange(100)
    plan = LinearModel(L_phi=1.0, D_1=8.0, D_2=3.0, D_inf=2.0, n=5, a=1.0, H_0=0.0, r_0=1.0)
    smooth = ShortSteps(L=1.0 / 5, D=3.0, r_0=1.0)
    found = SAG.bound(plan, 2 / (k + 2))
    np.testing.assert_allclose(found, smooth.suboptimality(2 / (k + 2), np.zeros(101)), rtol=1e-12)


# --- All of them ---

K = 12
ETA, NU = 2 / (np.arange(K) + 2.0), np.full(K, 0.5)
RHO, FRESH = np.append(1.0, np.full(K, 0.4)), np.arange(K) % 4 == 0
COMMON = {"L": 1.0, "D": 2.0, "r_0": 3.0}
POLYTOPE = Polytope(mu=0.2, width=0.5, **COMMON)
PLANS = {
    "SHORT": (ShortSteps(**COMMON), (K,)),
    "AWAY": (POLYTOPE, (np.arange(K),)),
    "PAIR": (POLYTOPE, (np.arange(K),)),
    "BLEND": (POLYTOPE, (np.arange(K),)),
    "SFW": (Independent(sigma=0.7, **COMMON), (ETA, NU)),
    "SCG": (Momentum(sigma=0.7, nu=0.5, **COMMON), (ETA, RHO)),
    "SVRF": (Snapshot(L_max=2.0, **COMMON), (ETA, NU, FRESH)),
    "SPIDER": (PathIntegrated(L_pm=0.8, **COMMON), (ETA, NU, FRESH)),
    "SPIDER non-convex": (PathIntegrated(L_pm=0.8, **COMMON), (ETA, NU, FRESH)),
    "SAGAFW": (TableOnly(L_tilde=0.8, a=0.3, nu=0.5, **COMMON), (ETA,)),
    "SAG": (
        LinearModel(L_phi=1.0, D_1=8.0, D_2=3.0, D_inf=2.0, n=5, a=0.3, H_0=1.0, r_0=1.0),
        (ETA,),
    ),
}
PAGE = {theorem.label: theorem for theorem in theorems_of(vars(projection_free_methods))}


def test_all_theorems_with_a_bound_are_looked_at_and_stand_in_the_derivations():
    assert {label for label, one in PAGE.items() if one.side != "law"} == set(PLANS)
    text = Path("docs/theory/projection_free_methods.md").read_text(encoding="utf-8")
    roots = {theorem.root.label for theorem in PAGE.values()}
    laws = {"C1", "C2", "C3"}
    for label in roots - laws | {"C1, C2, C3"}:
        assert f"\n## {label}:" in text, label


@pytest.mark.parametrize("label", PLANS)
@pytest.mark.parametrize("factor", [1.3, 3.0])
def test_constants_weaken_the_bound_in_their_direction(label, factor):
    constants, arguments = PLANS[label]
    formula = PAGE[label].formula
    before = np.asarray(formula(constants, *arguments))
    for name, direction in constants.directions().items():
        value = getattr(constants, name)
        weaker = value * factor if direction == "up" else value / factor
        after = np.asarray(formula(replace(constants, **{name: weaker}), *arguments))
        assert np.all(after >= before * (1 - 1e-12)), name
        assert np.any(after > before * (1 + 1e-9)), name


VIOLATIONS = [
    ("AWAY", {"mu": 0.0}, None, "mu"),
    ("PAIR", {"width": 0.0}, None, "width"),
    ("SFW", {}, (np.full(K, 1.5), NU), "steps fixed in advance"),
    ("SCG", {}, (ETA, np.full(K + 1, 0.4)), "rho_0 = 1"),
    ("SVRF", {}, (ETA, NU, np.zeros(K, bool)), "a full gradient at the first step"),
    ("SPIDER", {}, (ETA, NU, np.zeros(K, bool)), "a full gradient at the first step"),
]


@pytest.mark.parametrize(("label", "change", "arguments", "reason"), VIOLATIONS)
def test_violated_assumptions_are_refused_with_their_reason(label, change, arguments, reason):
    constants, own = PLANS[label]
    PAGE[label].bound(constants, *own)
    with pytest.raises(ValueError, match=f"^{label} does not apply: it assumes .*{reason}"):
        PAGE[label].bound(replace(constants, **change), *(arguments or own))


def test_a_good_step_of_away_steps_gains_a_quarter_of_a_pairwise_one():
    one = AWAY.bound(POLYTOPE, [0, 1])
    other = PAGE["PAIR"].bound(POLYTOPE, [0, 1])
    assert 4 * (one[0] - one[1]) == pytest.approx(other[0] - other[1], rel=1e-12)
