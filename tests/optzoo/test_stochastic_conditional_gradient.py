"""Frank-Wolfe with momentum against NumPy, optax's Muon, and the theory of its family."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

STEPS = 20
SHAPES = {"kernel": (3, 3, 2, 4), "wide": (3, 5), "tall": (6, 2), "bias": (4,), "scale": ()}


def trees(seed, count, shapes=None):
    """Gradients, or parameters, whose matrices are well conditioned."""
    rng = np.random.default_rng(seed)
    shapes = SHAPES if shapes is None else shapes
    return [{name: rng.standard_normal(s) for name, s in shapes.items()} for _ in range(count)]


def polar(matrix):
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def scaling(inputs, outputs):
    return (outputs / inputs) ** 0.5


def vertex(g, out_axis):
    """The oracle of a layer in float64, from its singular values or its signs."""
    if g.ndim < 2:
        return -0.3 * np.where(g > 0, 1.0, -1.0)
    if out_axis == -1:
        matrix = g.reshape(-1, g.shape[-1])
        inputs, outputs = matrix.shape
    else:
        matrix = g.reshape(g.shape[0], -1)
        outputs, inputs = matrix.shape
    return -0.7 * scaling(inputs, outputs) * polar(matrix).reshape(g.shape)


def path(method, params, gradients):
    """The parameters after every step, in a compiled loop."""
    state, found = method.init(params), []

    @jax.jit
    def step(params, state, gradient):
        updates, state = method.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    for gradient in gradients:
        params, state = step(params, state, jax.tree.map(jnp.asarray, gradient))
        found.append(params)
    return found


def schedule(k):
    return 2.0 / (k + 3)


def averages(averaging, gradients):
    """Every m^k and alpha_k: the recursion for a schedule, a sum of weights for a number."""
    m = jax.tree.map(np.zeros_like, gradients[0])
    for k, g in enumerate(gradients):
        if callable(averaging):
            alpha = 1.0 if k == 0 else averaging(k)
            m = {name: (1 - alpha) * m[name] + alpha * g[name] for name in g}
        else:
            weights = (1 - averaging) ** np.arange(k, -1, -1.0)
            alpha = 1 / weights.sum()
            past = gradients[: k + 1]
            m = {name: np.average([p[name] for p in past], 0, weights) for name in g}
        yield m, alpha


@pytest.mark.parametrize("averaging", [schedule, 0.1, 1.0])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("decay", "out_axis"), [(0.0, -1), (0.3, 0), (1.0, -1)])
def test_the_recursion_is_that_of_plain_numpy(decay, out_axis, nesterov, averaging):
    sets = lmo.layerwise(0.7, 0.3, scaling, out_axis=out_axis, tolerance=None)
    method = optzoo.stochastic_conditional_gradient(
        sets,
        lambda k: 0.5 / (k + 2),
        averaging,
        decay,
        nesterov=nesterov,
    )
    (start,) = trees(0, 1)
    x = jax.tree.map(lambda leaf: 0.03 * leaf, start)
    gradients = trees(1, STEPS)
    found = path(method, jax.tree.map(jnp.asarray, x), gradients)
    for k, (g, (m, alpha)) in enumerate(
        zip(gradients, averages(averaging, gradients), strict=True)
    ):
        asked = {name: (1 - alpha) * m[name] + alpha * g[name] for name in m} if nesterov else m
        for name in x:
            moved = vertex(np.asarray(asked[name]), out_axis) - decay * x[name]
            x[name] = x[name] + 0.5 / (k + 2) * moved
            np.testing.assert_allclose(found[k][name], x[name], rtol=0, atol=1e-10)


BETA = 0.9
MATRICES = {"wide": (3, 5), "tall": (6, 2), "square": (4, 4)}
NEWTON_SCHULZ_OF_DEGREE_FIVE = (15 / 8, -10 / 8, 3 / 8)  # which converges


def both(beta=BETA, decay=0.1, nesterov=False, **numbers):
    """The method and optax's Muon, with the same radii, on matrices alone."""
    sets = lmo.layerwise(scaling=lambda i, o: max(1, o / i) ** 0.5, tolerance=None)
    ours = optzoo.stochastic_conditional_gradient(sets, 0.02, 1 - beta, decay, nesterov=nesterov)
    muon = optax.contrib.muon(0.02, beta=beta, weight_decay=decay, nesterov=nesterov, **numbers)
    return ours, muon


def test_it_is_optaxs_muon_where_that_finds_the_polar_factor():
    (start,) = trees(2, 1, MATRICES)
    start, gradients = jax.tree.map(jnp.asarray, start), trees(3, STEPS, MATRICES)
    exact = {"ns_coeffs": NEWTON_SCHULZ_OF_DEGREE_FIVE, "ns_steps": 30}
    ours, muon = (path(method, start, gradients) for method in both(**exact))
    for a, b in zip(ours, muon, strict=True):
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-7), a, b)


def test_it_is_optaxs_muon_up_to_the_singular_values_of_that_ones_five_steps():
    """They lie within 0.35 of 1, and those of a step within that of its length."""
    (start,) = trees(2, 1, MATRICES)
    start, gradients = jax.tree.map(jnp.asarray, start), trees(3, STEPS, MATRICES)
    ours, muon = (path(method, start, gradients) for method in both())
    for k, (a, b) in enumerate(zip(ours, muon, strict=True)):
        for name, (inputs, outputs) in MATRICES.items():
            off = np.linalg.norm(a[name] - b[name], 2) / max(1, outputs / inputs) ** 0.5
            assert off <= 0.35 * 0.02 * (k + 1)
    assert off > 0.01 * 0.02


def test_nesterovs_step_is_optaxs_once_its_correction_of_the_bias_has_died_out():
    (start,) = trees(2, 1, MATRICES)
    start, gradients = jax.tree.map(jnp.asarray, start), trees(3, 60, MATRICES)
    exact = {"ns_coeffs": NEWTON_SCHULZ_OF_DEGREE_FIVE, "ns_steps": 30}
    paths = [
        path(method, start, gradients) for method in both(0.5, decay=0.0, nesterov=True, **exact)
    ]
    ours, muon = (jax.tree.map(jnp.subtract, found[-1], found[-2]) for found in paths)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-8), ours, muon)


def test_without_averaging_and_with_whole_decay_it_is_frank_wolfe():
    start, gradients = jnp.array([0.3, -0.2, 0.1]), [np.eye(3)[k % 3] - 0.4 for k in range(STEPS)]
    ball = lmo.l1_ball(1.0)
    schedule = optzoo.open_loop_schedule()
    ours = path(optzoo.stochastic_conditional_gradient(ball, schedule, 1.0), start, gradients)
    plain = path(optzoo.frank_wolfe(ball, schedule), start, gradients)
    np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-15)


def test_with_decay_it_is_frank_wolfe_on_a_larger_set_with_shorter_steps():
    (start,), gradients = trees(4, 1), trees(5, STEPS)
    start = jax.tree.map(lambda leaf: jnp.asarray(0.1 * leaf), start)

    def method(scale, eta, decay):
        sets = lmo.layerwise(0.5 * scale, 0.2 * scale, tolerance=None)
        return optzoo.stochastic_conditional_gradient(sets, eta, 0.3, decay)

    decaying = path(method(1.0, 0.2, 0.25), start, gradients)
    larger = path(method(4.0, 0.05, 1.0), start, gradients)
    for a, b in zip(decaying, larger, strict=True):
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-12), a, b)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_the_parameters_stay_in_the_set_up_to_what_a_step_does_not_forget(dtype, decay):
    """Gradients that always point outwards: the norm comes to the radius and no farther."""
    eta, n = 0.02, round(600 / decay)
    shapes = {"kernel": (2, 2, 3, 5), "bias": (3,)}
    (g,) = trees(6, 1, shapes)
    start = {name: jnp.zeros(shape, dtype) for name, shape in shapes.items()}
    sets = lmo.layerwise(2.0, 1.5, tolerance=None)
    method = optzoo.stochastic_conditional_gradient(sets, eta, 0.1, decay)

    @jax.jit
    def run(params):
        def step(carry, _):
            params, state = carry
            gradient = jax.tree.map(lambda leaf, p: jnp.asarray(leaf, p.dtype), g, params)
            updates, state = method.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            matrix = params["kernel"].astype(jnp.float64).reshape(12, 5)
            norms = jnp.linalg.norm(matrix, 2) / 2, jnp.max(abs(params["bias"])) / 1.5
            return (params, state), jnp.stack([norm.astype(jnp.float64) for norm in norms])

        return jax.lax.scan(step, (params, method.init(params)), length=n)[1]

    norms = np.asarray(run(start)) * decay
    eps = float(jnp.finfo(jnp.float32).eps)
    rounding = 4 * float(jnp.finfo(dtype).eps)  # of the parameters themselves
    assert norms.max() <= 1 + eps / eta + rounding
    np.testing.assert_allclose(norms[-1], 1, atol=10 * eps / eta + 2 * rounding)


def test_steps_below_the_unit_of_16_bits_are_not_lost():
    start = {"w": jnp.full((4, 4), 0.5, jnp.bfloat16)}
    sets = lmo.layerwise(tolerance=None)
    method = optzoo.stochastic_conditional_gradient(sets, 1e-4, 0.1, 0.0)
    gradients = [jax.tree.map(lambda g: jnp.asarray(g, jnp.bfloat16), {"w": np.eye(4)})] * 200
    found = np.asarray(path(method, start, gradients)[-1]["w"], np.float64)
    np.testing.assert_allclose(found, 0.5 - 0.02 * np.eye(4), atol=2**-9)


def test_rows_that_no_batch_has_had_stay_what_they_are():
    tokens = jnp.asarray(np.random.default_rng(7).standard_normal((9, 4)))
    seen = jnp.arange(9) % 3 == 0
    gradients = [jnp.where(seen[:, None], g["w"], 0) for g in trees(8, 5, {"w": (9, 4)})]
    method = optzoo.stochastic_conditional_gradient(lmo.layerwise(), 0.1, weight_decay=0)
    found = path(method, tokens, gradients)[-1]
    np.testing.assert_array_equal(found[~seen], tokens[~seen])
    assert np.abs(found[seen] - tokens[seen]).min() > 0


def test_what_is_wrong_is_named():
    ball, x = lmo.l1_ball(1.0), jnp.array([1.0, 1.0])
    make = functools.partial(optzoo.stochastic_conditional_gradient, ball)
    outside = r"weight_decay \* params must start inside .*radius=1.0.*weight_decay = 1.0"
    with pytest.raises(ValueError, match=outside):
        make(0.1).init(x)
    make(0.1, weight_decay=0.5).init(x)
    make(0.1, weight_decay=0).init(100 * x)
    with pytest.raises(ValueError, match=r"weight_decay = 0.6"):
        make(0.1, weight_decay=0.6).init(x)
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay must be at most 1"):
        make(2.0, weight_decay=1.0)
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay .*got 4.0 \* 0.5"):
        make(lambda k: 4.0 / (k + 1), weight_decay=0.5)
    make(4.0, weight_decay=0.25)
    with pytest.raises(ValueError, match=r"averaging must lie in \(0, 1\], got 0"):
        make(0.1, 0.0)
    with pytest.raises(ValueError, match=r"averaging must lie in \[0, 1\] at step 1, got 1.5"):
        make(0.1, lambda k: 3 / (k + 1))
    with pytest.raises(ValueError, match=r"weight_decay must lie in \[0, inf\), got -1"):
        make(0.1, weight_decay=-1)
    with pytest.raises(TypeError, match="nesterov must be True or False, got 1"):
        make(0.1, nesterov=1)
    with pytest.raises(TypeError, match=r"constraint must be a set of optzoo.lmo.*got 1"):
        optzoo.stochastic_conditional_gradient(1.0, 0.1)
    with pytest.raises(ValueError, match="learning_rate must be positive and finite"):
        make(0.0)
