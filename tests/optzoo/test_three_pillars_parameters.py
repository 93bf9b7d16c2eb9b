"""The parameters of Three Pillars: the theorems' constants, and their limits by name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from optzoo import three_pillars_parameters
from optzoo.compressors import (
    Identity,
    NaturalCompression,
    PermK,
    RandK,
    SampledClients,
    StochasticQuantization,
    TopK,
)

from .workers import AffineOperators, Reference

MU, DELTA, L = 0.1, 1.0, 20.0
ratios = st.floats(1e-3, 1e3)
quick = settings(deadline=None, max_examples=60, derandomize=True)


@quick
@given(n=st.integers(2, 1000), delta=ratios)
def test_the_tuned_rate_is_two_n_and_two_root_n_delta_over_mu(n, delta):
    plan = three_pillars_parameters(1.0, delta, 2 * delta + 1, n)
    assert plan.momentum == plan.refresh_probability == 1 / n
    np.testing.assert_allclose(plan.gamma, 1 / (2 * math.sqrt(n) * delta))
    np.testing.assert_allclose(plan.gamma, plan.gamma_limit / math.sqrt(2))
    np.testing.assert_allclose(
        1 / (1 - plan.exact_contraction), 2 * n + 2 * math.sqrt(n) * delta, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("compressor", "square"),
    [
        (PermK(8), 3**2 + 2**2),
        (SampledClients(1, 8), 3**2 + 2**2),
        (SampledClients(4, 8), 3**2 + 2**2 / 4),
        (Identity(8), 3**2),
        (RandK(4, 8), 3**2 + (16 / 4 - 1) / 8 * (3**2 + 2**2)),
        (NaturalCompression(8), 3**2 + 1 / 64 * (3**2 + 2**2)),
        (StochasticQuantization(8, 8), 3**2 + (16 / 64) / 8 * (3**2 + 2**2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_message_constant_of_every_compressor(compressor, square):
    plan = three_pillars_parameters(
        MU, 3.0, L, 8, average_similarity=2.0, compressor=compressor, dimension=16
    )
    np.testing.assert_allclose(plan.message_constant**2, square)


@quick
@given(
    n=st.integers(2, 64),
    delta=ratios,
    lipschitz=st.floats(MU, 1e3),
    modulus=st.floats(-0.9, 0.9),
)
def test_local_steps_leave_a_tenth_of_the_contraction_and_no_fewer_do(n, delta, lipschitz, modulus):
    arguments = {
        "gamma": 0.5 / (math.sqrt(2 * n) * delta + lipschitz),
        "server_monotonicity": modulus * min(lipschitz, delta),
    }
    plan = three_pillars_parameters(MU, delta, lipschitz, n, **arguments)
    root = math.sqrt(plan.exact_contraction)
    allowed = (root + 0.1 * (1 - root)) ** 2
    assert plan.contraction <= allowed * (1 + 1e-12)
    if plan.local_steps > 1:
        fewer = three_pillars_parameters(
            MU, delta, lipschitz, n, local_steps=plan.local_steps - 1, **arguments
        )
        assert fewer.contraction > allowed
    np.testing.assert_allclose(plan.local_step, 0.25 / (lipschitz + 1 / plan.gamma))


def local_factor(modulus, turn, plan):
    """The exact factor of |u_t - u|^2 in one local step, for F_1 of two dimensions."""
    matrix = np.array([[modulus, turn], [-turn, modulus]])
    problem = AffineOperators(np.stack([matrix, matrix]), np.zeros((2, 2)))
    paper = Reference(problem, plan.gamma, plan.local_step, 1, 1.0)
    step = [paper.server_point(z, np.zeros(2)) for z in np.eye(2)]  # the solution is 0
    return np.linalg.norm(step, 2) ** 2


@quick
@given(lipschitz=st.floats(1.0, 1e3), share=st.floats(-0.99, 1.0), gamma=st.floats(1e-2, 0.9))
def test_a_local_step_contracts_as_promised(lipschitz, share, gamma):
    modulus = max(share * lipschitz, -1.0)
    plan = optzoo.ThreePillarsParameters(
        strong_monotonicity=MU,
        server_similarity=1.0,
        server_lipschitz=lipschitz,
        server_monotonicity=modulus,
        message_constant=1.0,
        gamma=gamma,
        refresh_probability=0.5,
        local_steps=1,
    )
    turn = math.sqrt(lipschitz**2 - modulus**2)
    assert local_factor(modulus, turn, plan) <= plan.local_contraction + 1e-9
    # Without rotation the promise is sharp where it is weak.
    factor = local_factor(modulus, 0.0, plan)
    promised = 1 - plan.local_contraction
    np.testing.assert_allclose(promised, 1 - factor, rtol=2 * promised + 1e-6)


def test_bound_and_steps_are_inverse():
    plan = three_pillars_parameters(MU, DELTA, L, 16)
    steps = plan.steps(3.0, 1e-6)
    assert plan.bound(steps, 3.0) <= 1e-6 < plan.bound(steps - 1, 3.0)
    assert plan.bound(0, 3.0) == 6.0
    assert plan.steps(1.0, 5.0) == 0


def test_above_its_limit_gamma_is_warned_of_by_name():
    limit = math.sqrt(1 / 16) / math.sqrt(2)
    with pytest.warns(UserWarning, match=rf"gamma = 0.2 is not below .*{limit:.6g}.*Take.*0.125"):
        plan = three_pillars_parameters(MU, DELTA, L, 16, gamma=0.2)
    assert plan.exact_contraction == plan.contraction == math.inf
    assert plan.gamma == 0.2
    with pytest.raises(ValueError, match=r"gamma = 0.2 .*promise no contraction"):
        plan.steps(1.0, 0.1)
    assert three_pillars_parameters(MU, DELTA, L, 16, gamma=0.99 * limit).contraction < 1


def test_below_their_limit_local_steps_are_warned_of_by_name():
    needed = three_pillars_parameters(MU, DELTA, L, 16).local_steps
    with pytest.warns(
        UserWarning, match=rf"local_steps = 5 is below its limit \d+.*Take.*{needed}"
    ):
        few = three_pillars_parameters(MU, DELTA, L, 16, local_steps=5)
    assert few.contraction >= 1
    limit = next(h for h in range(1, needed) if three_pillars_plan(h).contraction < 1)
    assert three_pillars_parameters(MU, DELTA, L, 16, local_steps=limit).contraction < 1
    with pytest.warns(UserWarning, match=rf"{limit - 1} is below its limit {limit}:"):
        three_pillars_parameters(MU, DELTA, L, 16, local_steps=limit - 1)


def three_pillars_plan(local_steps):
    plan = three_pillars_parameters(MU, DELTA, L, 16)
    return optzoo.ThreePillarsParameters(**{**vars(plan), "local_steps": local_steps})


def test_one_worker_has_a_plan():
    plan = three_pillars_parameters(MU, DELTA, L, 1)
    assert plan.refresh_probability == 2 / 3
    assert plan.contraction < 1


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"strong_monotonicity": 0.0}, ValueError, r"strong_monotonicity must be positive.*0"),
        ({"similarity": 0.0}, ValueError, r"similarity must be positive, got 0.*nothing to comm"),
        ({"average_similarity": 0.0}, ValueError, r"average_similarity must be positive, got 0"),
        ({"similarity": -1.0}, ValueError, r"similarity must be positive.*-1"),
        ({"lipschitz": math.inf}, ValueError, r"lipschitz must be positive and finite.*inf"),
        ({"lipschitz": "1"}, TypeError, r"lipschitz must be a real number.*'1'"),
        ({"num_workers": 0}, ValueError, r"num_workers must be an integer of at least 1.*0"),
        ({"num_workers": 1.5}, TypeError, r"num_workers must be an integer.*1.5"),
        ({"server_monotonicity": 30.0}, ValueError, r"server_monotonicity must lie in .*30"),
        ({"server_monotonicity": -15.0}, ValueError, r"gamma must be below 1 / max.*0.0666667"),
        ({"gamma": 0.0}, ValueError, r"gamma must be positive.*0"),
        ({"refresh_probability": 1.0}, ValueError, r"refresh_probability.*\(0, 1\).*1"),
        ({"local_steps": 0}, ValueError, r"local_steps.*at least 1.*0"),
        ({"compressor": PermK(4)}, ValueError, r"PermK.*is not for num_workers = 16"),
        ({"compressor": 16}, TypeError, r"compressor must be one of optzoo.compressors.*16"),
        ({"compressor": RandK(2, 16)}, ValueError, r"dimension must be given"),
        ({"compressor": TopK(2, 16), "dimension": 4}, ValueError, r"TopK.*biased"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_constants_are_named(changed, error, message):
    constants = {
        "strong_monotonicity": MU,
        "similarity": DELTA,
        "lipschitz": L,
        "num_workers": 16,
        **changed,
    }
    with pytest.raises(error, match=message):
        three_pillars_parameters(**constants)


def test_targets_must_be_positive():
    plan = three_pillars_parameters(MU, DELTA, L, 16)
    for arguments in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match=r"(initial|target) must be positive"):
            plan.steps(*arguments)
