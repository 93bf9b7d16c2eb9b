"""Replicates: reproducible, independent of the number of devices, and counted right."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import pytree_dataclass, random_least_squares
from theory_checks.claims.frank_wolfe.processes import SarahRun, line_test, step_table
from theory_checks.simulation import (
    Experiment,
    Mean,
    Process,
    Sum,
    Sweep,
    log_spaced,
    of_each,
    simulate,
)
from theory_checks.simulation.laboratory import Laboratory


@pytree_dataclass
@dataclass(frozen=True)
class Walk(Process):
    """x_{k+1} = x_k + drift + a standard normal."""

    drift: jax.Array
    name: str = field(default="", metadata={"static": True})

    def init(self, key):
        return jnp.zeros([])

    def step(self, position, k, key):
        return position + self.drift + jax.random.normal(key)


def x(process, position):
    return position


def square(process, position):
    return position**2


Walk.watch = {"x": x, "square": square}


def walk(name="walk", **kwargs):
    return Experiment(name, Walk(jnp.asarray(0.0)), (0, 1, 5, 20), **kwargs)


def test_numbers_do_not_depend_on_the_number_of_devices():
    devices = jax.devices()
    assert len(devices) == 8, "tests/conftest.py asks for eight host devices"
    for experiment in (
        walk(),
        Experiment("line", line_test(restart_probability=0.3, step=0.1), (1, 4, 16), lanes=2),
    ):
        runs = [
            simulate(experiment, first=0, count=13, devices=devices[:count]) for count in (1, 3, 8)
        ]
        for run in runs[1:]:
            for name in run:
                np.testing.assert_array_equal(run[name], runs[0][name])


def test_replicates_are_added_not_drawn_again():
    whole = simulate(walk(), first=0, count=12)["x"]
    parts = [simulate(walk(), first=first, count=4)["x"] for first in (0, 4, 8)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole[:, -1])) == 12  # no two replicates share their numbers


def test_checkpoints_are_numbers_of_steps():
    run = Experiment("count", Walk(jnp.asarray(1.0)), (0, 1, 7))
    shifted = simulate(run, first=0, count=3)["x"]
    still = simulate(Experiment("count", Walk(jnp.asarray(0.0)), (0, 1, 7)), first=0, count=3)["x"]
    np.testing.assert_allclose(shifted - still, [[0, 1, 7]] * 3, atol=1e-12)
    # The same path whatever the grid it is observed on.
    finer = simulate(Experiment("count", Walk(jnp.asarray(1.0)), (1, 2, 3, 7)), first=0, count=3)
    np.testing.assert_allclose(finer["x"][:, [0, 3]], shifted[:, 1:], atol=1e-12)


def test_names_and_master_seed_choose_the_random_numbers():
    base = simulate(walk(), first=0, count=4)["x"]
    assert not np.allclose(simulate(walk("other"), first=0, count=4)["x"], base)
    assert not np.allclose(simulate(walk(), first=0, count=4, master_seed=1)["x"], base)
    shared = simulate(walk("other", randomness="walk"), first=0, count=4)["x"]
    np.testing.assert_array_equal(shared, base)


def test_what_is_watched_along_the_run_is_what_the_steps_were():
    """Sums and weighted means over every step, against the path itself."""
    every = Experiment("walk", Walk(jnp.asarray(0.5)), tuple(range(8)))
    path = simulate(every, first=0, count=3)["x"]
    along = {
        "mean": Mean(x),
        "weighted": Mean(square, weight=lambda process, k: k + process.drift),
        "after": Mean(x, after=True),
        "moves": Sum(lambda process, k, before, after: k * (after - before)),
        "x": x,
    }
    seen = simulate(replace(every, checkpoints=(3, 7), watch=along), first=0, count=3)
    np.testing.assert_allclose(seen["x"], path[:, [3, 7]], rtol=1e-12)
    weight = np.arange(7) + 0.5
    for at, K in enumerate((3, 7)):
        before, moved = path[:, :K], np.diff(path[:, : K + 1])
        expected = (before**2) @ weight[:K] / weight[:K].sum()
        np.testing.assert_allclose(seen["mean"][:, at], before.mean(axis=1), rtol=1e-12)
        reached = path[:, 1 : K + 1].mean(axis=1)
        np.testing.assert_allclose(seen["after"][:, at], reached, rtol=1e-12)
        np.testing.assert_allclose(seen["weighted"][:, at], expected, rtol=1e-12)
        np.testing.assert_allclose(seen["moves"][:, at], moved @ np.arange(K), rtol=1e-12)


@pytree_dataclass
@dataclass(frozen=True)
class Scaled(Process):
    """A walk whose step is a function, which is no number of the process."""

    start: jax.Array
    move: Callable[[jax.Array], jax.Array] = field(metadata={"static": True})
    batch_size: int = field(metadata={"static": True})

    watch = {"x": x, "square": square}  # noqa: RUF012

    def init(self, key):
        return self.start

    def step(self, position, k, key):
        return position + self.move(jnp.mean(jax.random.normal(key, (self.batch_size,))))


def test_an_experiment_is_what_it_is_and_not_what_it_is_called():
    """Each of these once shared its numbers with the first, silently, if it had its name."""
    process = Scaled(jnp.asarray(0.5), jnp.sin, 2)
    base = Experiment("named", process, (4, 8))
    others = {
        "method": replace(base, process=replace(process, move=jnp.cos)),
        "batch size": replace(base, process=replace(process, batch_size=4)),
        "a number": replace(base, process=replace(process, start=jnp.asarray(0.25))),
        "checkpoints": replace(base, checkpoints=(5, 8)),
        "randomness": replace(base, randomness="other"),
        "what is watched": replace(base, watch={"x": square}),
        "lanes": replace(base, lanes=2),
    }
    laboratory = Laboratory(seeds=4)
    first = laboratory.sample(base, 0, 4)["x"]
    for what, other in others.items():
        assert other.identity != base.identity, what
        alone = simulate(other, first=0, count=4)["x"]
        np.testing.assert_array_equal(laboratory.sample(other, 0, 4)["x"], alone, what)
        assert np.array_equal(alone, first) == (what == "lanes"), what
    assert replace(base, process=Scaled(jnp.asarray(0.5), jnp.sin, 2)).identity == base.identity
    narrow = replace(process, start=jnp.asarray(0.5, jnp.float32))
    assert replace(base, process=narrow).identity != base.identity


def test_steps_of_a_walk_have_the_law_they_should():
    """E x_k^2 = k for a walk without drift; |z| < 4 over 512 replicates."""
    square = simulate(walk(lanes=32), first=0, count=512)["square"][:, -1]
    z = (square.mean() - 20) / (square.std(ddof=1) / np.sqrt(512))
    assert abs(z) < 4


def test_one_program_serves_all_instances_of_a_shape():
    from theory_checks.simulation.experiment import _replicates

    _replicates.clear_cache()
    for drift in (0.0, 1.0, 2.0):
        run = Experiment(f"drift-{drift}", Walk(jnp.asarray(drift)), (0, 1, 5, 20))
        simulate(run, first=0, count=4, devices=jax.devices()[:1])
    assert _replicates._cache_size() == 1


def test_oracle_calls_are_counted_as_the_paper_counts():
    problem = random_least_squares(16, 3, 0)
    constraint = optzoo.lmo.l1_ball(1.0)
    run = SarahRun(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(3)),
        steps=step_table(0.1, 50),
        restart_probability=jnp.asarray(0.25),
        f_star=jnp.asarray(0.0),
        batch_size=2,
    )
    metrics = simulate(Experiment("calls", run, (1, 50)), first=0, count=6)
    restarts = metrics["restarts"]
    np.testing.assert_array_equal(
        metrics["gradient_calls"], 16 * restarts + 4 * (np.array([1, 50]) - restarts)
    )
    assert restarts[:, 0].tolist() == [1] * 6
    assert 1 < restarts[:, 1].mean() < 30


def test_laboratory_simulates_each_block_once_and_adds_up_calls():
    problem = random_least_squares(16, 3, 0)
    constraint = optzoo.lmo.l1_ball(1.0)
    run = SarahRun(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(3)),
        steps=step_table(0.1, 5),
        restart_probability=jnp.asarray(0.25),
        f_star=jnp.asarray(0.0),
        batch_size=2,
    )
    experiment, lines = Experiment("laboratory", run, (5,)), []
    laboratory = Laboratory(seeds=4, on_block=lines.append)
    first = laboratory.sample(experiment, 0, 4)
    both = laboratory.sample(experiment, 0, 8)
    middle = laboratory.sample(experiment, 3, 3)
    assert len(lines) == 2
    np.testing.assert_array_equal(both["suboptimality"][:4], first["suboptimality"])
    np.testing.assert_array_equal(middle["suboptimality"], both["suboptimality"][3:6])
    assert laboratory.gradient_calls == both["gradient_calls"].sum()


@pytest.mark.parametrize("checkpoints", [(), (3, 3), (5, 1), (-1, 2)])
def test_bad_checkpoints(checkpoints):
    with pytest.raises(ValueError, match="checkpoints must be non-negative and increasing"):
        Experiment("bad", Walk(jnp.asarray(0.0)), checkpoints)


def test_bad_counts():
    with pytest.raises(ValueError, match="lanes must be at least 1, got 0"):
        walk(lanes=0)
    with pytest.raises(ValueError, match="first >= 0 and count >= 1, got -1 and 0"):
        simulate(walk(), first=-1, count=0)
    with pytest.raises(ValueError, match="seeds must be at least 2, got 1"):
        Laboratory(seeds=1)


def with_drift(process, drift):
    return replace(process, drift=drift)


def test_a_sweep_is_its_members_on_common_random_numbers():
    drifts = (-1.0, 0.0, 0.5)
    sweep = Sweep(Walk(jnp.asarray(9.0)), jnp.asarray(drifts), with_drift)
    found, each = (
        simulate(Experiment("walk", sweep, (1, 5), watch, lanes=2), first=0, count=4)
        for watch in (None, of_each("x", x, len(drifts)))
    )
    alone = [
        simulate(Experiment("walk", Walk(jnp.asarray(drift)), (1, 5)), first=0, count=4)
        for drift in drifts
    ]
    for j, member in enumerate(alone):
        np.testing.assert_allclose(each[f"x@{j}"], member["x"], rtol=1e-12, atol=1e-12)
    averages = np.mean([member["square"] for member in alone], axis=0)
    np.testing.assert_allclose(found["square"], averages, rtol=1e-12)


def test_checkpoints_end_where_they_should():
    assert log_spaced(3, 40.4, 4) == (3, 7, 17, 40)
    assert log_spaced(1, 3, 9) == (1, 2, 3)
