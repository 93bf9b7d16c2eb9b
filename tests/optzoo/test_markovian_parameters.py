"""The theorems' constants against a second statement of them, and against exact expectations."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from optzoo import MarkovianNoise, MultilevelBatch

NOISE = MarkovianNoise(mixing_time=10, sigma=0.7, delta=0.5)
BATCH = MultilevelBatch(batch_size=40, max_level=6)


def test_the_batch_has_the_cost_variance_and_bias_of_its_levels():
    """Sums over the levels: J = j has (2^j - 1) B samples of weight 1/B, and the cut has B."""
    for m in range(8):
        batch = MultilevelBatch(5, m)
        active = [(2.0**-j, 2**j) for j in range(1, m + 1)]
        cost = sum(p * size for p, size in active) + 2.0**-m
        spread = sum(p * (size - 1) for p, size in active) + 2.0**-m
        assert batch.expected_samples == pytest.approx(5 * cost, rel=1e-14)
        assert batch.variance(14) == pytest.approx(10 / 3 * 14 / 5 * spread, rel=1e-14)
        assert batch.bias(14) == pytest.approx((5 / 3 * 14 / (2**m * 5)) ** 2, rel=1e-14)


def test_the_plain_numbers_of_the_theorems():
    """Each bound as a formula in one place, with numbers for the constants."""
    L, mu, gamma, tau, B, m = 2.0, 0.3, 0.04, 10, 40, 6
    sigma2, delta2 = 0.49, 0.25
    V = 10 / 3 * tau / B * (m - 1 + 2.0 ** (1 - m))
    b = 25 / 9 * tau**2 / (4**m * B**2)
    A = b + gamma * L * V
    c = 1 - delta2 * A

    nonconvex = optzoo.NonconvexGDBound(L, NOISE, BATCH, gamma)
    assert nonconvex.bound(50, 3.0) == pytest.approx(6.0 / (c * gamma * 50) + sigma2 * A / c)

    pl = optzoo.PolyakLojasiewiczGDBound(L, NOISE, BATCH, gamma, mu)
    assert pl.rate == pytest.approx(c * gamma * mu)
    assert pl.floor == pytest.approx(sigma2 * A / (2 * c * mu))

    W = gamma**2 * V + gamma * b / mu
    convex = optzoo.StronglyConvexGDBound(L, NOISE, BATCH, gamma, mu)
    assert convex.rate == pytest.approx(gamma * mu - delta2 * L**2 * W)
    assert convex.floor == pytest.approx(sigma2 * W / (gamma * mu - delta2 * L**2 * W))
    additive = MarkovianNoise(10, 0.7)
    assert optzoo.StronglyConvexGDBound(L, additive, BATCH, gamma, mu).floor == pytest.approx(
        sigma2 / mu**2 * (gamma * mu * V + b)
    )

    p, eta = 0.4, math.sqrt(3 / (mu * gamma))
    accelerated = optzoo.AcceleratedGDBound(L, NOISE, BATCH, gamma, mu, p)
    assert accelerated.rate == pytest.approx(p * math.sqrt(mu * gamma / 3))
    assert accelerated.floor == pytest.approx(
        3**1.5 * gamma**0.5 * mu**-1.5 * sigma2 * (p * (1 + gamma * L) * V + (4 + eta) * b)
    )
    assert accelerated.coefficients.eta == pytest.approx(eta)

    V0 = 10 / 3 * tau / 25
    game = optzoo.ExtragradientBound(L, NOISE, BATCH, gamma, mu, first_batch_size=25)
    R = gamma * mu / 2 - 3 * gamma**2 * V0 * delta2
    assert game.rate == pytest.approx(R)
    assert game.floor == pytest.approx(sigma2 / R * (3 * gamma**2 * (V + V0) + 2 * gamma * b / mu))
    assert game.samples_per_step == pytest.approx(25 + 40 * (6 + 2.0**-6))

    for bound in (pl, convex, accelerated, game):
        r = 1 - bound.rate
        expected = r**7 * 5.0 + (1 - r**7) * bound.floor
        assert bound.bound(7, 5.0) == pytest.approx(expected)


# --- the shipped methods, in exact expectation --------------------------------------------------

# Independent signs: the mixing time is 1. Both noises at once, in coordinates of their own, so that
# the variance of a sample is sigma^2 + (delta a_1 x_1)^2 exactly.
MU, L = 0.1, 1.0
SIGNS = {
    "additive": MarkovianNoise(1, 1.0),
    "both": MarkovianNoise(1, 0.5, 1.0),
    "multiplicative": MarkovianNoise(1, 0.0, 2.0),
}
every_noise = pytest.mark.parametrize("noise", SIGNS.values(), ids=SIGNS)


def law_of_the_noise(batch):
    """The estimator of a sign: values and probabilities, over all levels.

    At the level j it is the sum of (2^j - 1) B signs over B, because -Z has the law of Z.
    """
    values, chances = [], []
    for j in range(batch.max_level + 1):
        n = (2**j - 1) * batch.batch_size if j else batch.batch_size
        k = np.arange(n + 1)
        log = math.lgamma(n + 1) - n * math.log(2)
        log -= np.array([math.lgamma(i + 1) + math.lgamma(n - i + 1) for i in k])
        values.append((2 * k - n) / batch.batch_size)
        chances.append((2.0**-j if j else 2.0**-batch.max_level) * np.exp(log))
    return jnp.asarray(np.concatenate(values)), jnp.asarray(np.concatenate(chances))


def second_moments(step, start, draws, steps):
    """E s s' of (s, 1) for k = 0, ..., steps, where s^{k+1} = step(s^k, draw) is affine in s."""
    chances, values = draws

    def extended(value):
        offset = step(jnp.zeros_like(start), *value)
        linear = jax.jacfwd(lambda s: step(s, *value))(start)
        top = jnp.concatenate([linear, offset[:, None]], axis=1)
        return jnp.concatenate([top, jnp.eye(len(start) + 1)[-1:]])

    maps = jax.jit(jax.vmap(extended))(values)
    transition = np.einsum("z,zij,zkl->ikjl", chances, maps, maps, optimize=True)
    size = len(start) + 1
    transition = transition.reshape(size**2, size**2)
    first = np.append(np.asarray(start), 1.0)
    moments = [np.outer(first, first).ravel()]
    for _ in range(steps):
        moments.append(transition @ moments[-1])
    return np.array(moments).reshape(-1, size, size)


def noisy_quadratic(noise):
    def gradient(x, z):
        return jnp.array([MU, L]) * x + z * jnp.stack(
            [jnp.asarray(noise.sigma), noise.delta * L * x[1]]
        )

    return gradient


def descent(method, gradient):
    def step(x, z):
        updates, _ = method.update(gradient(x, z), method.init(x), x)
        return x + updates

    return step


def below_and_reached(exact, plan, initial, target, steps):
    limits = np.array([plan.bound(k, initial) for k in range(len(exact))])
    assert np.all(exact <= limits * (1 + 1e-9))
    assert exact[steps] <= limits[steps] <= target * (1 + 1e-9)
    assert plan.bound(steps - 1, initial) > target
    assert plan.floor <= target / 2 * (1 + 1e-9)


@every_noise
def test_gd_reaches_its_targets(noise):
    """Distance (strongly convex) and suboptimality (Polyak-Lojasiewicz), exactly, at every step."""
    start = jnp.array([1.0, 1.0])
    curvature = np.array([MU, L])
    for kind, initial, weights in (
        (optzoo.StronglyConvexGDBound, 2.0, np.ones(2)),
        (optzoo.PolyakLojasiewiczGDBound, (MU + L) / 2, curvature / 2),
    ):
        target = initial / 5
        plan = kind.for_target(L, MU, noise, initial=initial, target=target, batch_size=8)
        steps = plan.steps(initial, target)
        values, chances = law_of_the_noise(plan.batch)
        step = descent(optzoo.randomized_gd(plan.learning_rate), noisy_quadratic(noise))
        moments = second_moments(step, start, (chances, (values,)), steps)
        exact = moments[:, [0, 1], [0, 1]] @ weights
        below_and_reached(exact, plan, initial, target, steps)


@every_noise
def test_gd_finds_a_stationary_point(noise):
    """The mean of the squared gradients over the run is below the bound after every step."""
    initial, target = (MU + L) / 2, 0.2
    plan = optzoo.NonconvexGDBound.for_target(
        L, noise, initial=initial, target=target, batch_size=8
    )
    steps = plan.steps(initial, target)
    values, chances = law_of_the_noise(plan.batch)
    step = descent(optzoo.randomized_gd(plan.learning_rate), noisy_quadratic(noise))
    moments = second_moments(step, jnp.ones(2), (chances, (values,)), steps)
    squares = moments[:-1, [0, 1], [0, 1]] @ np.array([MU, L]) ** 2
    averages = np.cumsum(squares) / np.arange(1, steps + 1)
    limits = np.array([plan.bound(n, initial) for n in range(1, steps + 1)])
    assert np.all(averages <= limits * (1 + 1e-9))
    assert limits[-1] <= target * (1 + 1e-9)
    assert steps == 1 or limits[-2] > target


@every_noise
def test_accelerated_gd_reaches_its_target(noise):
    """The potential with x^k and x_f^k, exactly, at every step."""
    initial = 2.0 + 6 / MU * (MU + L) / 2
    target = initial / 20
    plan = optzoo.AcceleratedGDBound.for_target(
        L, MU, noise, initial=initial, target=target, batch_size=8
    )
    assert (plan.momentum_scale == 1.0) == (noise.delta == 0)
    method = optzoo.randomized_accelerated_gd(
        plan.learning_rate, MU, momentum_scale=plan.momentum_scale
    )
    gradient = noisy_quadratic(noise)

    def step(s, z):
        x_g, x, x_f = s[:2], s[2:4], s[4:]
        state = method.init(x_g)._replace(momentum_point=x, output_point=x_f)
        updates, state = method.update(gradient(x_g, z), state, x_g)
        return jnp.concatenate([x_g + updates, state.momentum_point, state.output_point])

    steps = plan.steps(initial, target)
    values, chances = law_of_the_noise(plan.batch)
    moments = second_moments(step, jnp.ones(6), (chances, (values,)), steps)
    diagonal = np.diagonal(moments, axis1=1, axis2=2)
    exact = diagonal[:, 2:4].sum(axis=1) + 3 / MU * diagonal[:, 4:6] @ np.array([MU, L])
    below_and_reached(exact, plan, initial, target, steps)


@every_noise
def test_extragradient_reaches_its_target(noise):
    """A rotation with multiplicative noise and a third coordinate with additive noise."""
    operator = jnp.array([[MU, 0.9, 0.0], [-0.9, MU, 0.0], [0.0, 0.0, MU]])
    initial, target = 3.0, 0.5
    plan = optzoo.ExtragradientBound.for_target(
        L, MU, noise, initial=initial, target=target, batch_size=8
    )
    method = optzoo.randomized_extragradient(plan.learning_rate)

    def noisy(x, z):
        return operator @ x + z * jnp.append(noise.delta * x[:2], noise.sigma)

    def step(x, first, second):
        updates, state = method.update(noisy(x, first), method.init(x), x)
        ahead = x + updates
        updates, _ = method.update(noisy(ahead, second), state, ahead)
        return ahead + updates

    steps = plan.steps(initial, target)
    values, chances = law_of_the_noise(plan.batch)
    first_values, first_chances = law_of_the_noise(MultilevelBatch(8, 0))
    pairs = jnp.meshgrid(first_values, values, indexing="ij")
    joint = jnp.outer(first_chances, chances).ravel()
    draws = (joint, tuple(pair.ravel() for pair in pairs))
    moments = second_moments(step, jnp.ones(3), draws, steps)
    exact = np.trace(moments[:, :3, :3], axis1=1, axis2=2)
    below_and_reached(exact, plan, initial, target, steps)


# --- what the plans promise ---------------------------------------------------------------------


def plans(noise, *, smoothness=1.0, mu=0.05, target=0.1, **kwargs):
    constants = {"initial": 10.0, "target": target, **kwargs}
    yield optzoo.NonconvexGDBound.for_target(smoothness, noise, **constants)
    for kind in (
        optzoo.PolyakLojasiewiczGDBound,
        optzoo.StronglyConvexGDBound,
        optzoo.AcceleratedGDBound,
        optzoo.ExtragradientBound,
    ):
        yield kind.for_target(smoothness, mu, noise, **constants)


@settings(deadline=None, max_examples=10, derandomize=True)
@given(
    tau=st.integers(1, 2000),
    sigma=st.floats(0.0, 10.0),
    delta=st.floats(0.0, 4.0),
    mu=st.floats(1e-2, 1.0),
    target=st.floats(1e-2, 5.0),
)
def test_every_plan_keeps_its_promise(tau, sigma, delta, mu, target):
    noise = MarkovianNoise(tau, sigma, delta)
    for plan in plans(noise, mu=mu, target=target):
        steps = plan.steps(10.0, target)
        assert plan.bound(steps, 10.0) <= target * (1 + 1e-9)
        assert steps <= 1 or plan.bound(steps - 1, 10.0) > target * (1 - 1e-9)
        assert plan.batch.batch_size == tau


def test_a_plan_is_found_wherever_floor_and_conditions_leave_room():
    """Condition (C) forbids short steps, the floor long ones: at last nothing is left between."""
    noise = MarkovianNoise(512, 7.0, 1.0)
    plan = optzoo.AcceleratedGDBound.for_target(1.0, 1e-3, noise, initial=10.0, target=1.15e-3)
    assert plan.floor <= 0.575e-3 * (1 + 1e-9)
    with pytest.raises(ValueError, match=r"promises 0.001 for no level: condition \(C\)"):
        optzoo.AcceleratedGDBound.for_target(1.0, 1e-3, noise, initial=10.0, target=1e-3)


@pytest.mark.parametrize(("sigma", "delta"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_samples_are_linear_in_the_mixing_time(sigma, delta):
    """With B = tau nothing else changes."""

    def samples(tau):
        return [
            plan.steps(10.0, 0.1) * plan.samples_per_step
            for plan in plans(MarkovianNoise(tau, sigma, delta))
        ]

    np.testing.assert_allclose(np.array(samples(1400)), 100 * np.array(samples(14)), rtol=1e-12)


def test_steps_grow_like_the_root_of_the_condition_number_only_with_acceleration():
    noise = MarkovianNoise(14, 0.0, 1.0)

    def steps(kind, kappa):
        plan = kind.for_target(1.0, 1 / kappa, noise, initial=1.0, target=1e-6, batch_size=14 * 64)
        return plan.steps(1.0, 1e-6)

    growth = {
        kind: steps(kind, 1e4) / steps(kind, 1e2)
        for kind in (optzoo.AcceleratedGDBound, optzoo.PolyakLojasiewiczGDBound)
    }
    assert 9 < growth[optzoo.AcceleratedGDBound] < 12
    assert 90 < growth[optzoo.PolyakLojasiewiczGDBound] < 120


def test_no_level_is_cheaper_at_the_same_split_of_the_target():
    noise = MarkovianNoise(14, 1.0, 1.0)
    plan = optzoo.AcceleratedGDBound.for_target(1.0, 0.01, noise, initial=700.0, target=1.0)
    cost = plan.steps(700.0, 1.0) * plan.samples_per_step
    for level in range(12):
        batch = MultilevelBatch(14, level)
        p = 6 / (7 * (1 + batch.variance(14)))
        for gamma in np.geomspace(0.75, 1e-9, 400):
            try:
                other = optzoo.AcceleratedGDBound(1.0, noise, batch, gamma, 0.01, p)
            except ValueError:
                continue
            if other.floor <= 0.5:
                assert other.steps(700.0, 1.0) * other.samples_per_step >= cost * (1 - 1e-6)


@pytest.mark.parametrize(("delta", "batch_size"), [(0.3, None), (2.0, None), (2.0, 400 * 14)])
def test_without_additive_noise_no_step_is_faster(delta, batch_size):
    """Then only the conditions and the growth of the noise limit the step."""

    def speed(plan):
        if isinstance(plan, optzoo.NonconvexGDBound):
            return 1 / plan.bound(1, 1.0)
        return plan.rate

    for plan in plans(MarkovianNoise(14, 0.0, delta), batch_size=batch_size):
        for gamma in plan.learning_rate * np.geomspace(1e-2, 1e2, 101):
            try:
                other = dataclasses.replace(plan, learning_rate=gamma)
            except ValueError:
                continue
            assert speed(other) <= speed(plan) * (1 + 1e-9)


# --- refusals -----------------------------------------------------------------------------------

SMALL = MultilevelBatch(1, 0)
LOUD = MarkovianNoise(14, 1.0, 2.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optzoo.NonconvexGDBound(2.0, NOISE, BATCH, 0.6), r"at most 1/L = 0.5, got 0.6"),
        (
            lambda: optzoo.NonconvexGDBound(1.0, LOUD, SMALL, 0.5),
            r"1 - delta\^2 \(b \+ gamma L V\) must be positive",
        ),
        (
            lambda: optzoo.PolyakLojasiewiczGDBound(1.0, LOUD, SMALL, 0.5, 0.1),
            r"1 - delta\^2 \(b \+ gamma L V\) must be positive",
        ),
        (
            lambda: optzoo.StronglyConvexGDBound(1.0, NOISE, BATCH, 1.9, 0.1),
            r"at most 2/\(L \+ mu\) = 1.81818, got 1.9",
        ),
        (
            lambda: optzoo.StronglyConvexGDBound(1.0, LOUD, SMALL, 0.5, 0.1),
            r"gamma mu - delta\^2 L\^2 .* must be positive",
        ),
        (
            lambda: optzoo.AcceleratedGDBound(1.0, NOISE, BATCH, 0.8, 0.1),
            r"at most 3/\(4L\) = 0.75, got 0.8",
        ),
        (
            lambda: optzoo.AcceleratedGDBound(1.0, LOUD, SMALL, 0.75, 0.01, 6 / 7),
            r"condition \(C\).*is violated",
        ),
        (
            lambda: optzoo.AcceleratedGDBound(1.0, NOISE, BATCH, 0.1, 0.1, 1.5),
            r"momentum_scale must lie in \(0, 1\], got 1.5",
        ),
        (
            lambda: optzoo.ExtragradientBound(1.0, NOISE, BATCH, 0.5, 0.1),
            r"at most 1/\(sqrt\(6\) L\) = 0.408",
        ),
        (
            lambda: optzoo.ExtragradientBound(1.0, LOUD, SMALL, 0.1, 0.1),
            r"Delta\^2 .* must be at most gamma mu / 2",
        ),
        (
            lambda: optzoo.ExtragradientBound(
                1.0, NOISE, MultilevelBatch(500, 6), 0.02, 0.1, first_batch_size=1
            ),
            r"gamma mu / 2 - 3 gamma\^2 V_0 Delta\^2 must be positive",
        ),
        (
            lambda: optzoo.AcceleratedGDBound(1.0, NOISE, BATCH, 0.1, 2.0),
            "strong_convexity must be at most smoothness = 1.0, got 2.0",
        ),
        (lambda: MarkovianNoise(0, 1.0), "mixing_time must be an integer of at least 1, got 0"),
        (lambda: MarkovianNoise(3, -1.0), "sigma must be finite and at least 0"),
        (lambda: MarkovianNoise(3, 1.0, float("nan")), "delta must be finite and at least 0"),
        (lambda: MultilevelBatch(2**20, 11), r"below 2\*\*31"),
        (
            lambda: optzoo.StronglyConvexGDBound.for_target(
                1.0, 0.1, LOUD, initial=1.0, target=0.0
            ),
            "target must be positive and finite, got 0.0",
        ),
        (
            lambda: optzoo.StronglyConvexGDBound(1.0, NOISE, BATCH, 0.1, 0.5).steps(1.0, 1e-9),
            "target must be above the floor",
        ),
        (
            lambda: optzoo.StronglyConvexGDBound(1.0, NOISE, BATCH, 0.1, 0.5).bound(-1, 1.0),
            "steps must be an integer of at least 0, got -1",
        ),
        (
            lambda: optzoo.NonconvexGDBound(1.0, NOISE, BATCH, 0.1).bound(0, 1.0),
            "steps must be an integer of at least 1, got 0",
        ),
    ],
)
def test_refusals_say_why(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_each_condition_holds_up_to_equality_and_not_beyond():
    L, mu, tau = 2.0, 0.3, 14
    noise, batch = MarkovianNoise(tau, 1.0, 0.9), MultilevelBatch(40, 4)
    V, b, delta2 = batch.variance(tau), batch.bias(tau), 0.81
    gamma = 0.75 / L
    eta = math.sqrt(3 / (mu * gamma))
    quiet = MarkovianNoise(tau, 1.0)
    conditions = [
        (lambda g: optzoo.NonconvexGDBound(L, quiet, batch, g), 1 / L),
        (lambda g: optzoo.NonconvexGDBound(L, noise, batch, g), (1 / delta2 - b) / (L * V)),
        (lambda g: optzoo.PolyakLojasiewiczGDBound(L, quiet, batch, g, mu), 1 / L),
        (lambda g: optzoo.StronglyConvexGDBound(L, quiet, batch, g, mu), 2 / (L + mu)),
        (
            lambda g: optzoo.StronglyConvexGDBound(L, noise, batch, g, mu),
            (mu / (delta2 * L**2) - b / mu) / V,
        ),
        (lambda g: optzoo.AcceleratedGDBound(L, quiet, batch, g, mu), gamma),
        (
            lambda p: optzoo.AcceleratedGDBound(L, noise, batch, gamma, mu, p),
            (7 / 4 - (4 + eta) * delta2 * b) / ((1 + gamma * L) * (1 + delta2 * V)),
        ),
        (lambda g: optzoo.ExtragradientBound(L, quiet, batch, g, mu), 1 / (math.sqrt(6) * L)),
        (
            lambda g: optzoo.ExtragradientBound(L, noise, batch, g, mu),
            (mu / 2 - 2 * delta2 * b / mu) / (3 * delta2 * V),
        ),
    ]
    for make, largest in conditions:
        assert largest > 0
        assert make(largest * (1 - 1e-9)).floor > 0
        with pytest.raises(ValueError, match=r"must be|violated"):
            make(largest * (1 + 1e-9))


def test_a_bound_of_one_step_forgets_everything():
    plan = optzoo.StronglyConvexGDBound(1.0, MarkovianNoise(1, 0.0), SMALL, 1.0, 1.0)
    assert (plan.bound(0, 3.0), plan.bound(1, 3.0), plan.steps(3.0, 1e-9)) == (3.0, 0.0, 1)
    assert plan.steps(1.0, 2.0) == 0
