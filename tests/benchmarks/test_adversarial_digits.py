"""The benchmark of a network against noise: its methods, its counts, its attack, its table."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import adversarial_digits as benchmark
from benchmarks.adversarial_digits import METHODS, WORKERS, Look, Size, passage

SIZE = Size(rounds=16, looks=3, seeds=2, grid=(0.1, 0.2))
NUMBERS = 64 * 32 + 32 + 32 * 10 + 10 + 64


@pytest.fixture(autouse=True)
def single_precision():
    with jax.enable_x64(False):
        yield


def test_every_image_is_dealt_once():
    data = benchmark.digits(0)
    whole = benchmark.load_digits().data / 16
    dealt = np.concatenate([data.images.reshape(-1, 64), data.unseen]).astype(np.float64)
    assert sorted(map(tuple, dealt)) == sorted(map(tuple, whole.astype(np.float32)))
    assert data.classes.shape == data.images.shape[:2] == (WORKERS, benchmark.SHARE)
    assert not np.array_equal(benchmark.digits(1).unseen, data.unseen)


@pytest.mark.parametrize("adversary", [1.0, 0.0])
def test_extragradient_is_that_of_the_whole_training_set(adversary):
    """By the definition, on all images at once, without workers."""
    steps, step_size = 3, 0.2
    size = dataclasses.replace(SIZE, rounds=2 * steps, looks=2)
    found = benchmark.run(METHODS["extragradient"], step_size, size, 0, adversary=adversary)
    data = benchmark.digits(0)
    images, classes = data.images.reshape(-1, 64), data.classes.reshape(-1)
    z = benchmark.start(jax.random.split(jax.random.key(0))[0])

    @jax.jit
    def moved(z, at):
        weights, noise = jax.grad(benchmark.loss, (0, 1))(
            at["weights"], at["noise"], images, classes
        )
        noise = z["noise"] + adversary * step_size * noise
        return {
            "weights": jax.tree.map(lambda w, g: w - step_size * g, z["weights"], weights),
            "noise": noise / jnp.maximum(1, jnp.linalg.norm(noise) / benchmark.RADIUS),
        }

    for _ in range(steps):
        z = moved(z, moved(z, z))
    worst = benchmark.worst_noise(z, images, classes)
    expected = benchmark.loss(z["weights"], worst, images, classes)
    assert found.robust_loss[-1] == pytest.approx(float(expected), rel=1e-4)
    assert found.rounds.tolist() == found.calls.tolist() == [2, 6]
    assert found.sent.tolist() == [2 * 4 * NUMBERS, 6 * 4 * NUMBERS]


@pytest.mark.parametrize(
    ("name", "message"),
    [("Three Pillars, PermK", math.ceil(NUMBERS / 8)), ("Three Pillars, no compression", NUMBERS)],
)
def test_three_pillars_pays_for_messages_and_refreshes(name, message):
    found = benchmark.run(METHODS[name], 0.2, SIZE, 0)
    steps = found.calls / (2 * benchmark.LOCAL_STEPS + 1)
    refreshes = found.rounds - steps
    assert refreshes[0] == 1
    assert np.all(np.diff(steps) > 0)
    np.testing.assert_allclose(found.sent, 4 * (message * steps + NUMBERS * refreshes))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns(name):
    found = benchmark.run(METHODS[name], 0.3, Size(rounds=100, looks=3), 0)
    assert found.robust_loss[-1] < found.robust_loss[0] - 0.5
    assert found.accuracy[-1] > 0.7


@pytest.mark.parametrize("name", METHODS)
def test_a_strong_adversary_stays_in_the_ball(name):
    found = benchmark.run(METHODS[name], 0.3, SIZE, 0, adversary=100.0)
    assert found.noise[-1] <= benchmark.RADIUS * (1 + 1e-6)
    # A mean of points on the sphere lies inside.
    least = 0.5 if name == "local extragradient" else 1 - 1e-6
    assert found.noise[-1] >= least * benchmark.RADIUS


def test_the_attack_finds_more_than_random_noise_and_stays_in_the_ball():
    data = benchmark.digits(0)
    z = benchmark.start(jax.random.key(3))
    worst = benchmark.worst_noise(z, data.unseen, data.unseen_classes)
    assert float(jnp.linalg.norm(worst)) <= benchmark.RADIUS * (1 + 1e-6)
    anywhere = jax.random.normal(jax.random.key(1), (300, 64))
    anywhere = benchmark.RADIUS * anywhere / jnp.linalg.norm(anywhere, axis=1, keepdims=True)
    values = jax.lax.map(
        lambda noise: benchmark.loss(z["weights"], noise, data.unseen, data.unseen_classes),
        jnp.concatenate([jnp.zeros((1, 64)), anywhere]),
    )
    found = benchmark.loss(z["weights"], worst, data.unseen, data.unseen_classes)
    assert float(found) > float(values.max())


def test_passages_are_read_between_looks():
    losses, cost = np.array([3.0, 2.0, 1.0, 2.0]), np.array([1.0, 10.0, 100.0, 1000.0])
    assert passage(losses, cost, 1.5) == pytest.approx(10**1.5)
    assert passage(losses, cost, 3.5) == 1.0
    assert passage(losses, cost, 0.5) == math.inf


def _curve(losses):
    losses = np.asarray(losses, float)
    marks = 10.0 ** np.arange(len(losses))
    return Look(losses, losses, losses, marks, marks, marks, losses)


@pytest.mark.parametrize(
    ("curves", "chosen"),
    [
        # The fastest step lets one of the runs diverge.
        ({0.1: [[3, 2, 1.1]] * 3, 0.2: [[3, 1.1, 1.1]] * 2 + [[3, 9, math.nan]]}, 0.1),
        ({0.1: [[3, 2, 1.1]] * 3, 0.2: [[3, 1.1, 1.0]] * 3}, 0.2),
        # It gets there and does not stay.
        ({0.1: [[3, 2, 1.1]] * 3, 0.2: [[3, 1.1, 1.3]] * 3}, 0.1),
        # Nothing gets there.
        ({0.1: [[3, 2, 1.6]] * 3, 0.2: [[3, 1.3, 1.3]] * 2 + [[3, 2, 1.7]]}, 0.1),
    ],
)
def test_the_step_size_is_that_of_the_fastest_worst_run(monkeypatch, curves, chosen):
    def run(method, step_size, size, seed, adversary):
        assert adversary == 1.0
        return _curve(curves[step_size][benchmark.PILOTS.index(seed)])

    monkeypatch.setattr(benchmark, "run", run)
    assert benchmark.tuned(METHODS["extragradient"], SIZE) == chosen


def test_a_method_more_is_a_row_more(monkeypatch, tmp_path):
    """On curves that are known; fourteen methods have fourteen looks."""
    names = [*METHODS, *(f"method {i}" for i in range(6))]
    monkeypatch.setattr(benchmark, "METHODS", dict.fromkeys(names, METHODS["extragradient"]))

    def run(method, step_size, size, seed, adversary=1.0):
        return _curve([3, 2, 1.0 + seed] if adversary else [3, 3, 3])

    monkeypatch.setattr(benchmark, "run", run)
    monkeypatch.setattr(benchmark, "PILOTS", (0,))
    text = benchmark.measure(SIZE, tmp_path / "figure.png")
    rows = {
        cells[0]: cells[1:]
        for line in text.splitlines()
        if line.startswith("| ")
        for cells in [[cell.strip() for cell in line.split("|")[1:-1]]]
    }
    assert list(rows) == ["method", *names, benchmark.WITHOUT]
    assert rows["method 5"][:2] == ["0.1", "1.500 [1.000, 2.000]"]
    # One of two runs gets there, in 10**1.9 = 79 rounds; the other counts with its 100.
    assert rows["method 5"][5] == ">90 [79, 100]"
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    looks = {
        (i % len(benchmark.COLOURS_OF_METHODS), i // len(benchmark.COLOURS_OF_METHODS))
        for i in range(len(names))
    }
    assert len(looks) == len(names) <= len(benchmark.COLOURS_OF_METHODS) * len(benchmark.DASHES)
