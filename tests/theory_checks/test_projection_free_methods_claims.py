"""The claims on projection-free methods: what they compute beside the shipped code, once more."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import LeastSquares, Quadratics
from optzoo.theorems.projection_free_methods import LinearModel, ShortSteps
from theory_checks.claims.frank_wolfe.instances import least_squares, noise_tight, sandwich
from theory_checks.claims.projection_free_methods import (
    active_sets,
    complexity,
    counts,
    line,
    settings,
    side_by_side,
)
from theory_checks.claims.projection_free_methods.instances import line_model, parabolas
from theory_checks.claims.projection_free_methods.processes import expectations
from theory_checks.simulation import Experiment, Sweep
from theory_checks.simulation.laboratory import Laboratory

from ..optzoo.theorems.test_projection_free_methods import POLYTOPES

# --- Plans, and the counters of the methods ---

# A step from end to end, and gradients whose sign is certain although they differ.
PARABOLAS = parabolas((1.4, 0.6) * 3, (0.0,) * 6, 1.0)
MODEL = line_model((1.0,) * 6, (0.0,) * 6, 1.0)
STEPS = 0.1 + 0.5 / (np.arange(45) + 1.0)
PLANNED = {
    "stochastic": lambda: settings.stochastic(PARABOLAS, 40, 2),
    "stochastic, given": lambda: settings.stochastic(
        PARABOLAS, 12, 3, steps=STEPS[:12], samples=np.arange(12.0)
    ),
    "momentum": lambda: settings.momentum(PARABOLAS, 20, 2),
    "momentum, given": lambda: settings.momentum(
        PARABOLAS, 20, 2, steps=STEPS[:20], weights=np.append(1.0, np.full(20, 0.5))
    ),
    "sag": lambda: settings.sag(MODEL, 20, 6),
    "sag, given": lambda: settings.sag(MODEL, 20, steps=STEPS[:20], warm=True),
    "sagafw": lambda: settings.sagafw(PARABOLAS, 16, 2),
    "sagafw, given": lambda: settings.sagafw(PARABOLAS, 16, 2, steps=STEPS[:16]),
    "svrf": lambda: settings.svrf(PARABOLAS, 40, 64),
    "svrf, given": lambda: settings.svrf(
        PARABOLAS, 50, 3, steps=STEPS[:30], samples=np.arange(30) + 1.0
    ),
    "spider": lambda: settings.spider(PARABOLAS, 45, 3),
    "spider constant": lambda: settings.spider_constant(PARABOLAS, 20, 2, epoch=6),
    "spider constant, given": lambda: settings.spider_constant(
        PARABOLAS, 20, 2, epoch=7, steps=STEPS[:20]
    ),
}


def followed(run, calls):
    """The iterate and the counters of the state, before the first call and after each."""

    def counters(state):
        names = ("steps", "epochs", "calls")
        return {name: getattr(state, name) for name in names if hasattr(state, name)}

    @jax.jit
    def walk(run, start, keys):
        def advance(position, key):
            after = run.step(position, 0, key)
            return after, (after.x[0], counters(after.state))

        return jax.lax.scan(advance, start, keys)[1]

    start = run.init(jax.random.key(0))
    x, seen = walk(run, start, jax.random.split(jax.random.key(1), calls))
    return np.append(start.x, x), {name: np.append(0, found) for name, found in seen.items()}


@pytest.mark.parametrize("name", PLANNED)
def test_plans_are_what_the_shipped_methods_do(name):
    setting = PLANNED[name]()
    plan = setting.plan
    total = int(plan.calls_to(len(plan.steps)))
    x, seen = followed(setting.run, total)
    ticks = np.arange(total + 1)
    steps = plan.steps_after(ticks)
    np.testing.assert_array_equal(seen["steps"], steps)
    np.testing.assert_array_equal(plan.calls_to(steps) <= ticks, True)
    fresh = np.append(0, np.cumsum(plan.fresh))[steps]
    if "epochs" in seen:
        np.testing.assert_array_equal(seen["epochs"], fresh)
        np.testing.assert_array_equal(seen["calls"], ticks - fresh)
    else:
        assert not plan.fresh.any()
    # eta_k from where a step went: x moves towards an end, unless it is there.
    after = x[plan.calls_to(np.arange(len(plan.steps) + 1))]
    # It moves with the last call of a step alone.
    assert set(np.flatnonzero(np.diff(x)) + 1) <= set(plan.calls_to(np.arange(len(plan.steps) + 1)))
    moved = np.diff(after) != 0
    eta = np.diff(after)[moved] / (np.sign(np.diff(after)) - after[:-1])[moved]
    np.testing.assert_allclose(eta, plan.steps[moved], rtol=1e-9)
    assert moved.mean() > 0.8
    # What the bound is given is what is done: nu is one over the samples of a step.
    np.testing.assert_array_equal(setting.arguments[0], plan.steps)
    if name.startswith(("stochastic", "svrf", "spider")):
        samples = setting.run.batch_size * np.diff(plan.calls_to(np.arange(len(plan.steps) + 1)))
        np.testing.assert_allclose(setting.arguments[1], 1 / samples)
    if name.startswith(("svrf", "spider")):
        np.testing.assert_array_equal(setting.arguments[2], plan.fresh)
    if name.startswith("momentum"):
        assert setting.arguments[1].shape == (len(plan.steps) + 1,)
        assert setting.arguments[1][0] == pytest.approx(1)


@pytest.mark.parametrize("given", [False, True])
def test_the_weights_of_momentum_are_those_of_the_bound(given):
    """Of a batch of all samples at x^1, after a step from end to end with the weight 1."""
    weights = np.append(1.0, np.full(3, 0.3)) if given else None
    setting = settings.momentum(noise_tight(0.0, n=2), 3, 2, weights=weights)
    both, run = jnp.arange(2), replace(setting.run, problem=PARABOLAS.problem)
    position = run.advance(run.advance(run.init(jax.random.key(0)), both), both)
    h = np.array([1.4, 0.6]).mean()
    rho = setting.arguments[1][1]
    np.testing.assert_allclose(position.state.estimate, [(1 - rho) * h - rho * h], rtol=1e-12)


def test_own_steps_are_left_to_the_method():
    run = settings.momentum(PARABOLAS, 3).run
    for own, x in ((True, -1.0), (False, 0.8)):
        changed = replace(run, steps=jnp.full(3, 0.1), own_steps=own)
        position = changed.advance(changed.init(jax.random.key(0)), jnp.array([0]))
        assert float(position.x[0]) == pytest.approx(x)


# --- Expectations ---


def oracle(gradient):
    return -1.0 if gradient > 0 else 1.0


def averaged(sequences, path):
    """Mean over the sequences of f(x^k) - f* or the like, a path each."""
    return np.mean([path(sequence) for sequence in sequences], axis=0)


H, C = np.array([1.5, -0.5]), np.array([0.9, -0.2])
ETA = (0.9, 0.4, 0.25)


def value(x):
    return float(np.mean(H * x**2 / 2 + C * x))


def least():
    return min(value(x) for x in (-1.0, 1.0, np.clip(-C.mean() / H.mean(), -1, 1)))


def test_expectations_of_independent_samples():
    def path(sequence):
        x, found = 0.6, []
        for eta, i in zip(ETA, sequence, strict=True):
            x += eta * (oracle(H[i] * x + C[i]) - x)
            found.append(value(x) - least())
        return found

    place = parabolas(H, C, 0.6)
    run = settings.stochastic(place, 3, steps=ETA, samples=1).run
    expected = averaged(itertools.product(range(2), repeat=3), path)
    np.testing.assert_allclose(expectations(run, 3, "suboptimality"), expected, rtol=1e-12)
    assert np.ptp([path(s)[2] for s in itertools.product(range(2), repeat=3)]) > 0.1


def test_expectations_over_two_batches_a_step():
    """The gap of SAGAFW, weighted by the steps, at the points before them.

    Whether the batches are independent shows in the fourth.
    """
    h, c, steps = np.array([-0.3, 1.3]), np.array([-1.0, -0.3]), (0.9, 0.4, 0.6, 0.5)

    def path(sequence):
        x, weighted, found = 0.6, 0.0, []
        table = h * x + c
        for k, (eta, (i, j)) in enumerate(zip(steps, sequence, strict=True)):
            slope = np.mean(h * x + c)
            weighted += eta * max(slope * (x - end) for end in (-1, 1))
            found.append(weighted / sum(steps[: k + 1]))
            rows = h * x + c
            estimate = rows[i] - table[i] + table.mean()
            table[j] = rows[j]
            x += eta * (oracle(estimate) - x)
        return found

    pairs = list(itertools.product(range(2), repeat=2))
    run = settings.sagafw(parabolas(h, c, 0.6), 4, steps=steps).run
    expected = averaged(itertools.product(pairs, repeat=4), path)
    np.testing.assert_allclose(expectations(run, 4, "average_gap"), expected, rtol=1e-12)


@pytest.mark.parametrize("warm", [False, True])
def test_expectations_of_a_scalar_a_sample(warm):
    rows, targets = np.array([1.0, -2.0]), np.array([1.5, 0.7])

    def loss(x):
        return float(np.mean((rows * x - targets) ** 2) / 2)

    def path(sequence):
        x, found = 0.6, []
        table = rows * x - targets if warm else np.zeros(2)
        for eta, i in zip(ETA, sequence, strict=True):
            table[i] = rows[i] * x - targets[i]
            x += eta * (oracle(np.mean(table * rows)) - x)
            found.append(loss(x) - loss(np.clip(np.mean(rows * targets) / 2.5, -1, 1)))
        return found

    setting = settings.sag(line_model(rows, targets, 0.6), 3, steps=ETA, warm=warm)
    expected = averaged(itertools.product(range(2), repeat=3), path)
    found = expectations(setting.run, 3, "suboptimality")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # The table after the first refresh, of one sample or the other, is off by the other's.
    slopes = abs(rows * 0.6 - targets)
    off = 0.0 if warm else np.mean(slopes[::-1])
    assert setting.constants["H_0"].value == pytest.approx(off)
    assert setting.constants["a"].value == pytest.approx(1 / 2)
    assert setting.constants["L_phi"].value == pytest.approx(1.0)


# --- Constants of instances ---

PLACES = {
    "l1 ball": least_squares(5, 3, 4, 2.0),
    "interval": parabolas((2.0, -1.0, 0.5), (0.3, 0.4, -1.0), 1.0),
    "simplex": replace(
        sandwich(3, 4), problem=LeastSquares(np.eye(4, 3) + 0.1, np.array([1.0, 0, 0, 2]))
    ),
}


def inside(place, count=3000):
    """Random points of the set, most of them near its vertices."""
    rng = np.random.default_rng(5)
    if place is PLACES["interval"]:
        return np.append(rng.uniform(-1, 1, count), [-1, 1])[:, None]
    weights = rng.dirichlet(np.full(3, 0.05), count)
    if place is PLACES["simplex"]:
        return weights
    return 2 * weights * rng.choice([-1.0, 1.0], (count, 3))


@pytest.mark.parametrize("name", PLACES)
def test_the_deviation_of_samples_is_the_largest_on_the_set(name):
    place = PLACES[name]
    problem, n = place.problem, place.problem.num_samples

    def variance(x):
        rows = jnp.stack([problem.sample_gradients(x, np.array([i]))[0] for i in range(n)])
        return jnp.mean(jnp.sum((rows - problem.gradient(x)[None]) ** 2, axis=1))

    found = jax.vmap(variance)(jnp.asarray(inside(place)))
    largest = float(jnp.sqrt(jnp.max(found)))
    claimed = settings.sample_deviation(place).value
    assert 0.99 * claimed < largest <= claimed * (1 + 1e-12)


@pytest.mark.parametrize("name", ["l1 ball", "simplex"])
def test_the_diameters_of_images_are_the_largest_on_the_set(name):
    place = PLACES[name]
    margins = inside(place, 1500) @ np.asarray(place.problem.features).T
    apart = np.abs(margins[:, None] - margins[None])
    found = {
        "D_1": apart.sum(axis=-1).max(),
        "D_2": (apart**2).sum(axis=-1).max() ** 0.5,
        "D_inf": apart.max(),
    }
    claimed = settings.image_diameters(place)
    assert set(claimed) == set(found)
    for key, largest in found.items():
        assert 0.99 * claimed[key].value < largest <= claimed[key].value * (1 + 1e-12), key


LINES = {
    "convex": parabolas((1.0, 3.0, 0.5), (0.3, -0.2, 0.7), 1.0),
    "convex, outside": parabolas((0.2, 0.1), (0.9, 0.4), 1.0),
    "concave": parabolas((-1.0, 0.5), (0.1, -0.4), 0.3),
    "linear": parabolas((0.0, 0.0), (0.5, -0.9), 0.3),
    "model": line_model((1.0, -2.0, 0.5), (0.3, -0.4, 1.0), -0.5),
    "model, outside": line_model((0.3, -0.2), (-3.0, 0.1), -0.5),
}


@pytest.mark.parametrize("name", LINES)
def test_constants_on_the_line_against_a_grid(name):
    place = LINES[name]
    problem, known = place.problem, place.constants
    grid = np.linspace(-1, 1, 2001)[:, None]
    values = np.asarray(jax.vmap(problem.value)(grid))
    assert values.min() - 1e-6 <= place.f_star.value <= values.min()
    start = float(problem.value(jnp.asarray(place.x0)))
    assert known["r_0"].value == pytest.approx(start - place.f_star.value, abs=1e-12)
    assert known["D"].value == 2.0
    everyone = jnp.arange(problem.num_samples)
    rows = np.asarray(jax.vmap(lambda x: problem.sample_gradients(x, everyone))(grid))[..., 0]
    slopes = np.diff(rows, axis=0) / np.diff(grid, axis=0)
    expected = {
        "L": np.abs(slopes.mean(axis=1)).max(),
        "L_max": np.abs(slopes).max(),
        "L_tilde": np.sqrt((slopes**2).mean(axis=1)).max(),
        "L_pm": slopes.std(axis=1).max(),
    }
    if name.startswith("model"):  # of which no theorem needs it
        del expected["L_max"]
    for key, found in expected.items():
        assert known[key].value == pytest.approx(found, abs=1e-9), key


# --- Quadratics with their minimizer on a face ---

VERTICES = {
    "simplex": np.eye,
    "cube": lambda d: np.array(list(itertools.product((0.0, 1.0), repeat=d))),
    "l1 ball": lambda d: np.vstack([np.eye(d), -np.eye(d)]),
}
FACES = [("simplex", 3, 1.0), ("simplex", 5, 7.0), ("cube", 4, 10.0), ("l1 ball", 6, 10.0)]


@pytest.mark.parametrize(("name", "dim", "condition"), FACES)
def test_the_solution_on_a_face_is_the_minimizer(name, dim, condition):
    setting = active_sets.on_a_face(name, dim, condition=condition, seed=3)
    vertices, problem = VERTICES[name](dim), setting.problem
    star = setting.solution
    slopes = vertices @ np.asarray(problem.gradient(jnp.asarray(star)))
    lowest = slopes.min()
    assert star @ np.asarray(problem.gradient(jnp.asarray(star))) == pytest.approx(lowest)
    # It is inside the face that the vertices of least slope span: none of these can be spared.
    face = vertices[np.isclose(slopes, lowest)]
    assert len(face) < len(vertices)
    assert slopes[~np.isclose(slopes, lowest)].min() > lowest + 0.04
    assert np.linalg.matrix_rank(face - face[0]) == (dim + 1) // 2 - (name != "cube")
    if name == "cube":
        assert np.all((star == 0) | ((star > 0.1) & (star < 0.9)))
    else:
        assert np.abs(star).sum() == pytest.approx(1)
        assert np.count_nonzero(star) == len(face) == (dim + 1) // 2
    assert any(np.array_equal(setting.start, vertex) for vertex in vertices)
    curvatures = np.linalg.eigvalsh(np.asarray(problem.hessians)[0])
    np.testing.assert_allclose(curvatures[[0, -1]], [1 / condition, 1.0], rtol=1e-9)
    known = setting.constants
    assert known["mu"].value == pytest.approx(1 / condition)
    assert known["L"].value == pytest.approx(1.0)
    apart = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1).max()
    assert known["D"].value == pytest.approx(apart)
    off = np.asarray(problem.value(jnp.asarray(setting.start)) - problem.value(jnp.asarray(star)))
    assert known["r_0"].value == pytest.approx(float(off))
    assert off > 0.01


@pytest.mark.parametrize("case", POLYTOPES)
def test_widths_are_those_of_the_facial_distances(case):
    name, dim = case.rsplit(" ", 1)
    make, width = active_sets.SETS[name]
    vertices, expected = POLYTOPES[case]
    assert width(int(dim)) == pytest.approx(expected, rel=1e-12)
    # Of the same polytope: the support functions agree.
    for direction in np.random.default_rng(2).normal(size=(5, int(dim))):
        best = make(int(dim)).lmo(jnp.asarray(direction))
        assert direction @ np.asarray(best) == pytest.approx((vertices @ direction).min())


def to_a_vertex():
    """From all vertices, of which every step takes one from the set."""
    return replace(
        active_sets.spread(6, 0.1),
        problem=Quadratics(np.eye(6)[None], -np.eye(6)[:1]),
        solution=np.eye(6)[0],
    )


@pytest.mark.parametrize(
    ("method", "instance"),
    [
        (optzoo.pairwise_frank_wolfe, lambda: active_sets.spread(6, 0.1)),
        (optzoo.pairwise_frank_wolfe, to_a_vertex),
        (optzoo.away_step_frank_wolfe, lambda: active_sets.on_a_face("simplex", 5, condition=4.0)),
        (optzoo.frank_wolfe, lambda: active_sets.from_a_vertex(4)),
    ],
)
def test_excess_and_good_steps_of_a_run(method, instance):
    setting = replace(instance(), method=method)
    found, good = setting.run(steps=12)
    problem = setting.problem
    made = method(setting.constraint, optzoo.short_step(setting.constants["L"].value))
    x, state = jnp.asarray(setting.start), made.init(jnp.asarray(setting.start))
    if setting.spread:
        room = state.active.weights.size
        atoms = np.zeros((room, 6))
        atoms[:6] = np.eye(6)
        weights = np.append(setting.start, np.zeros(room - 6))
        state = state._replace(active=state.active._replace(weights=weights, atoms=atoms))
    update = jax.jit(lambda x, state: made.update(problem.gradient(x), state, x))
    best, count = float(problem.value(jnp.asarray(setting.solution))), 0
    for k in range(12):
        before = state
        updates, state = update(x, state)
        x = x + updates
        assert found[k] == pytest.approx(float(problem.value(x)) - best, abs=1e-14)
        cut = [
            int(getattr(state, name)) - int(getattr(before, name))
            for name in ("drops", "swaps")
            if hasattr(state, name)
        ]
        count += sum(cut) == 0
        assert good[k] == count


# --- Costs ---


@pytest.mark.parametrize("method", complexity.COSTS)
def test_costs_are_those_that_the_states_count(method):
    cost = complexity.cost_of(method)
    process = cost.experiment.process
    run = process.process if isinstance(process, Sweep) else process
    points = cost.experiment.checkpoints[:2]

    @jax.jit
    def after(run, key):
        def look(carry, count):
            keys = jax.random.split(jax.random.fold_in(key, count), count)
            return jax.lax.scan(lambda at, k: (run.step(at, 0, k), None), carry, keys)[0]

        first = look(run.init(key), points[0])
        return first.state, look(first, points[1] - points[0]).state

    n, b = run.problem.num_samples, run.batch_size
    for j, state in enumerate(after(run, jax.random.key(4))):
        assert int(state.steps) == round(cost.calls[j])
        found = optzoo.gradient_calls(state, n, b)
        if method == "Sarah":  # as many full gradients as are expected, in the place of its coins'
            expected = float(run.restart_probability) * int(state.steps)
            found += (expected - int(state.restarts)) * (n - 2 * b)
            assert expected == pytest.approx(int(state.restarts), abs=5 * expected**0.5)
        assert cost.gradients[j] == pytest.approx(found, rel=1e-12)
    assert len(cost.gradients) == len(cost.calls) == len(cost.experiment.checkpoints)
    assert np.all(np.diff(cost.gradients) > 0)
    assert cost.curve is None or len(cost.curve) == len(cost.calls)


def test_the_least_number_of_steps_is_found():
    for least_of in (1, 2, 3, 64, 65, 1000):
        assert counts._first(lambda k, least_of=least_of: k >= least_of) == least_of


@pytest.mark.parametrize("n", [256, 1296])
def test_sag_needs_what_its_recursion_tends_to(n):
    b = round(n**0.25)
    a = optzoo.theorems.frank_wolfe.index_probability(n, b, replacement=True)
    steps = 2 / (np.arange(400_000) + 2.0)
    plan = LinearModel(L_phi=1.0, D_1=n, D_2=n**0.5, D_inf=1.0, n=n, a=a, H_0=0.0, r_0=1.0)
    late = plan.convex(steps)[-1] * len(steps)
    assert counts._sag(n) == pytest.approx(late * b / counts.EPS, rel=0.01)


def test_gradients_that_suffice_do():
    n = 64
    steps = round(counts._full_gradients(n) / n)
    plan = ShortSteps(L=1.0, D=1.0, r_0=1.0)
    assert plan.closed_form(steps) <= counts.EPS < plan.closed_form(steps - 1)
    # 4 r_0 C / eps^2 steps at eta = sqrt(r_0 / (C K)): 2 sqrt(r_0 C / K) is eps.
    K, eta = counts._longest(3.0), np.sqrt(1 / (3.0 * counts._longest(3.0)))
    assert 1 / (eta * K) + 3.0 * eta == pytest.approx(counts.EPS)


# --- SAGAFW on a line ---


class Everything(ConstraintSet):
    """Its oracle answers the direction itself: after a step of 1 the iterate is the estimate."""

    def _lmo(self, direction):
        return direction

    def _diameter(self, like):
        return jnp.asarray(1.0)

    def _contains(self, x, atol):
        return jnp.asarray(True)

    def _retract(self, x):
        return x


def test_the_next_error_on_a_line_is_that_of_all_batches():
    n, b = 4, 2
    setting = settings.sagafw(noise_tight(0.0, n=n, start=0.0), 1, b, steps=1.0)
    on_line = replace(setting.run, method=line.OnALine(optzoo.sagafw))
    shown = replace(setting.run, constraint=Everything())
    position = on_line.init(jax.random.key(0))
    batches = jnp.array(list(itertools.product(range(n), repeat=b)))
    errors = []
    for k, batch in enumerate([(0, 1, 2, 2), (3, 3, 0, 1), (1, 2, 1, 1)]):
        position = on_line.advance(position, jnp.array(batch))
        assert float(position.x[0]) == k + 1
        # Which table a batch leaves is of no concern: the second half may be anything.
        after = jax.vmap(lambda first, at=position: shown.advance(at, jnp.append(first, first)))(
            batches
        )
        slope = setting.run.problem.gradient(position.x)
        expected = float(jnp.mean((after.x - slope[None]) ** 2))
        errors.append(float(line.next_error(on_line, position)))
        assert errors[-1] == pytest.approx(expected, rel=1e-12)
    assert errors[-1] > 0.1


def test_lines_have_batches_of_the_cube_root():
    for b in line.ROOTS:
        experiment = line._experiment(b)
        run, n = experiment.process, experiment.process.problem.num_samples
        assert (n % 2, run.batch_size, run.warm, run.twice) == (0, b, True, True)
        assert n ** (1 / 3) == pytest.approx(b, abs=0.1)
        # The oldest entries are renewed: an index stays away from a batch so often.
        assert (1 - 1 / n) ** (b * line.STEPS) < 1e-9
        assert experiment.checkpoints == (line.STEPS,)


# --- Side by side ---


def falling(exponents, x=None, seeds=64):
    """A cost with these exponents stated, and a sample that falls like 1/k."""
    steps = np.geomspace(10, 1000, 12).round()
    cost = complexity.Cost(
        Experiment("falling", None, tuple(steps.astype(int))),
        tuple(steps**2),
        tuple(steps if x is None else x),
        dict(zip(("gradients", "calls"), exponents, strict=True)),
    )
    noise = np.exp(0.02 * np.random.default_rng(3).normal(size=(seeds, 12)))
    return cost, noise / steps


@pytest.mark.parametrize("ends", [False, True])
def test_notes_say_who_is_faster_than_its_theorem(ends):
    """1/k is the square root in k^2, and the power 1 in k."""
    for stated, words in (
        ((0.5, 1.0), ("as its theorem's 0.5", "as its theorem's 1.")),
        ((0.46, 1.04), ("as its theorem's 0.46", "as its theorem's 1.04.")),
        ((0.4, 1.1), ("faster than its theorem's 0.4", "slower than its theorem's 1.1.")),
        ((0.6, 0.9), ("slower than its theorem's 0.6", "faster than its theorem's 0.9.")),
    ):
        cost, sample = falling(stated)
        note = side_by_side._note("This", replace(cost, ends=ends), sample)
        first, second = note.split("; ")
        assert first.startswith("This falls like gradients of samples to the power -0.")
        assert second.startswith("like oracle calls to the power -")
        assert first.endswith(words[0])
        assert second.endswith(words[1])
        for part, value in ((first, 0.5), (second, 1.0)):
            measured = float(part.split("power -")[1].split()[0].rstrip(","))
            assert measured == pytest.approx(value, abs=0.02)
            assert ("[" in part) == (not ends)


class Falling(Laboratory):
    """The same sample for every method, whatever it is."""

    def sample(self, experiment, first, count):
        self.asked.append(count)
        _, sample = falling((0.5, 1.0), seeds=count)
        return {"suboptimality": sample, "average_gap": 2 * sample}


def test_every_method_is_in_the_panel_of_its_kind(monkeypatch):
    made = {
        "SFW": replace(falling((0.5, 1.0))[0], looks=2),
        "SPIDER": falling((0.4, 1.0))[0],
        "SAGAFW, average gap": replace(falling((0.5, 1.0))[0], metric="average_gap"),
    }
    monkeypatch.setattr(side_by_side, "COSTS", made)
    monkeypatch.setattr(side_by_side, "cost_of", made.get)
    laboratory = Falling(seeds=16)
    laboratory.asked = []
    outcome = side_by_side._table(laboratory)
    assert laboratory.asked == [32, 16, 16]
    assert [note.split(" falls")[0] for note in outcome.notes] == list(made)
    found = {panel.title: [curve.label for curve in panel.curves] for panel in outcome.panels}
    assert found == {
        f"{kind} per {unit}": [method]
        for unit in ("gradients of samples", "oracle calls")
        for kind, method in (
            ("Error, samples", "SFW"),
            ("Error, finite sums", "SPIDER"),
            ("Average gap", "SAGAFW, average gap"),
        )
    }
    steps = np.array(made["SFW"].calls)
    for panel in outcome.panels:
        curve = panel.curves[0]
        own = steps if "calls" in panel.title else steps**2
        np.testing.assert_allclose(curve.x, own)
        level = (2 if "gap" in panel.title else 1) / steps
        np.testing.assert_allclose(curve.mean, level, rtol=0.02)
