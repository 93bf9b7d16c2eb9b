"""The benchmark of networks: its gradients, its budget, its loop, its table."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from benchmarks import norm_constrained_networks as benchmark
from benchmarks.norm_constrained_networks import LOOKS, METHODS, TASKS, Curve, Task

ROWS = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
TARGETS = np.tanh(ROWS @ np.random.default_rng(1).standard_normal((4, 3))).astype(np.float32)
SARAH = "Sarah Frank-Wolfe"


def start(key):
    return {"w": 0.1 * jax.random.normal(key, (4, 3), jnp.float32), "b": jnp.zeros(3)}


def loss(params, rows):
    found = jnp.asarray(ROWS)[rows] @ params["w"] + params["b"][None]
    return jnp.mean((found - jnp.asarray(TARGETS)[rows]) ** 2)


def unseen(params):
    whole = loss(params, jnp.arange(30))
    return whole, 2 * whole


TASK = Task("a linear map", 30, 4, 100, 2, start, loss, unseen)


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


def test_the_full_gradient_is_that_of_the_mean_over_all_samples():
    """30 samples in batches of 4: the last batch has 2."""
    params = start(jax.random.key(5))
    for task in (TASK, dataclasses.replace(TASK, batch=5)):
        found = task.full_gradient(params)
        expected = jax.grad(loss)(params, jnp.arange(30))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected)


@pytest.mark.parametrize("name", TASKS)
def test_samples_of_the_tasks_are_there(name):
    """The last sample counts, no other index does, and nothing is trained on what is unseen."""
    task = TASKS[name]
    params = task.start(jax.random.key(0))
    one = jnp.array([task.samples - 1])
    assert np.isfinite(task.loss(params, one))
    if name == "digits":
        images, classes = benchmark._digits()
        assert (len(images), task.samples) == (1797, benchmark.TRAINED)
        last = benchmark._entropy(params, images[one], classes[one])
        assert float(task.loss(params, one)) == pytest.approx(float(last), rel=1e-6)
        wrong = float(task.unseen(params)[1])
        assert 70 < wrong < 100
    else:
        windows, unseen_windows = benchmark._windows()
        assert len(windows) == task.samples
        assert windows.shape[1:] == unseen_windows.shape[1:] == (benchmark.LENGTH + 1,)
        # Windows share the character that the one ends and the next begins with.
        assert np.array_equal(windows[1:, 0], windows[:-1, -1])


@pytest.mark.parametrize("seed", range(4))
def test_sarah_takes_as_many_steps_as_the_budget_pays_for(seed):
    method_key = jax.random.split(jax.random.key(seed))[1]
    steps = benchmark.steps_of(METHODS[SARAH], TASK, method_key)
    curve = benchmark.run(SARAH, TASK, 0.01, seed)
    # By the coins, one by one.
    method, x, cost = (
        optzoo.sarah_frank_wolfe(optzoo.lmo.box(-1.0, 1.0), 0.1, TASK.probability, key=method_key),
        jnp.zeros(2),
        [],
    )
    state = method.init(x)
    update = jax.jit(
        lambda state: method.update(x, state, x, grad_fn=lambda p: x, full_grad_fn=lambda p: x)[1]
    )
    for _ in range(steps + 1):
        before = state
        state = update(before)
        restarted = int(state.restarts) > int(before.restarts)
        cost.append(30 / 4 if restarted else 2)
    assert sum(cost[:steps]) <= TASK.budget < sum(cost)
    assert curve.gradients[-1] == pytest.approx(sum(cost[:steps]))
    assert len(curve.gradients) == LOOKS
    assert benchmark.steps_of(METHODS["AdamW"], TASK, method_key) == TASK.budget


def test_a_run_is_the_loop_that_anyone_would_write():
    found = benchmark.run("AdamW", TASK, 0.03, 3)
    start_key, data_key = jax.random.split(jax.random.split(jax.random.key(3))[0])
    params, method = start(start_key), optax.scale_by_adam(0.95, 0.95)
    state = method.init(params)
    losses = []
    for k in range(TASK.budget):
        rows = jax.random.randint(jax.random.fold_in(data_key, k), (4,), 0, 30)
        updates, state = method.update(jax.grad(loss)(params, rows), state)
        eta = 0.03 * min((k + 1) / 5, 1) * (1 - k / 100)
        params = jax.tree.map(lambda p, u, eta=eta: p - eta * u, params, updates)
        losses.append(float(unseen(params)[0]))
    np.testing.assert_allclose(found.unseen, losses[3::4], rtol=1e-3)
    np.testing.assert_allclose(found.shown, 2 * found.unseen, rtol=1e-6)
    assert found.gradients.tolist() == list(range(4, 101, 4))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns(name):
    rate = METHODS[name].rates[2]
    curve = benchmark.run(name, TASK, rate, 0)
    assert curve.unseen[-1] < 0.7 * curve.unseen[0]
    assert curve.trained[-1] < curve.trained[0]


def test_the_rate_is_that_of_the_least_loss_on_unseen_data_of_the_pilot(monkeypatch):
    ends = dict(zip(METHODS["AdamW"].rates, (2.0, np.nan, 1.0, 1.5), strict=True))

    def run(name, task, rate, seed):
        assert (name, seed) == ("AdamW", benchmark.PILOT)
        return Curve(*[np.array([0.0, ends[rate]])] * 4)

    monkeypatch.setattr(benchmark, "run", run)
    assert benchmark.tuned("AdamW", TASK) == METHODS["AdamW"].rates[2]


def test_every_method_has_its_row(monkeypatch, tmp_path):
    """On curves that are known."""

    def run(name, task, rate, seed):
        best = rate == METHODS[name].rates[name == "AdamW"]
        end = (1.0 if best else 2.0) + (0 if seed == benchmark.PILOT else seed)
        return Curve(*(np.linspace(4, factor * end, LOOKS) for factor in (100, 0.5, 1, 3)))

    monkeypatch.setattr(benchmark, "run", run)
    monkeypatch.setattr(benchmark, "update_times", lambda: "the other table")
    figure = tmp_path / "figure.png"
    text = benchmark.measure({"first": TASK, "digits": TASK}, figure)
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith(("| first", "| digits"))
    ]
    assert [row[:2] for row in rows] == [[t, name] for t in ("first", "digits") for name in METHODS]
    assert rows[0][2:4] == ["0.003", "100"]
    assert rows[1][2] == f"{METHODS['SOAP, f = 10'].rates[0]:g} (end of the grid)"
    assert rows[0][4:7] == [
        "0.7500 [0.5000, 1.0000]",
        "1.500 [1.000, 2.000]",
        "4.500 [3.000, 6.000]",
    ]
    assert rows[len(METHODS)][6] == "4.5% [3.0%, 6.0%]"
    assert float(rows[len(METHODS) - 1][3]) < 50  # Sarah's steps
    assert "the other table" in text
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_updates_are_timed_beside_muons():
    lines = benchmark.update_times(1).splitlines()
    assert len(lines) == 2 + 1 + len(benchmark.TOLERANCES)
    assert "5 steps" in lines[3]
    assert "7 steps" in lines[5]
    assert lines[2].endswith("| 1 [1, 1] |")
