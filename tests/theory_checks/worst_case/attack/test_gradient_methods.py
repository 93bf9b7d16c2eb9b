"""Families for optax transformations: their instances, what is observed, and their pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks.wrong_theorems.gradient_methods import DESCENT, STOCHASTIC
from theory_checks.pictures import of_finite_sum
from theory_checks.simulation import simulate
from theory_checks.simulation.experiment import simulate_population
from theory_checks.worst_case.attack import METRICS, gradient_families


def sgd(constants):
    return optax.sgd(constants["eta"])


def derived(found):
    return {"eta": 0.4 / found["L_max"]}


FULL = gradient_families(DESCENT, sgd, "suboptimality", derived=derived, batch_size=0)
SAMPLED = gradient_families(
    STOCHASTIC, sgd, "squared distance", derived=derived, convex="each", horizons=(4,)
)


def member(family, seed=0, **choice):
    chosen = {name: one.values[0] for name, one in family.choices.items()} | choice
    return family.at(chosen, np.random.default_rng(seed).random(family.dimension))


@pytest.mark.parametrize("family", [*FULL, *SAMPLED], ids=lambda family: family.name)
def test_constants_are_certified_and_the_minimum_is_one(family):
    for seed in range(2):
        setting = family.case(family.theorems[0], member(family, seed)).setting
        setting.certify()
        run = setting.run
        gradient = run.problem.gradient(jnp.asarray(run.x_star))
        np.testing.assert_allclose(gradient, 0.0, atol=1e-12)
        value = float(run.problem.value(jnp.asarray(run.x_star)))
        assert value == pytest.approx(float(run.f_star), abs=1e-12)
        each = run.problem.sample_gradients(
            jnp.asarray(run.x_star), jnp.arange(run.problem.num_samples)
        )
        sigma = float(jnp.sqrt(jnp.mean(jnp.sum(each**2, axis=1))))
        assert setting.constants["sigma"].value == pytest.approx(sigma, abs=1e-12)


@pytest.mark.parametrize("family", SAMPLED[:2], ids=lambda family: family.name)
def test_each_function_is_convex_where_that_is_asked_for(family):
    for n in (2, 16):
        problem = family.case(STOCHASTIC, member(family, n=n)).setting.run.problem
        rows = jax.jacfwd(lambda x, p=problem: p.sample_gradients(x, np.arange(p.num_samples)))
        matrices = rows(jnp.full(problem.dim, 0.1))
        assert np.linalg.eigvalsh(matrices).min() >= -1e-12


def test_what_is_observed_is_what_the_names_say():
    family = FULL[0]
    case = family.case(DESCENT, member(family, horizon=4))
    run, points = case.setting.run, case.setting.checkpoints
    x, path = jnp.asarray(run.x0), []
    for _ in range(5):
        path.append(np.asarray(x))
        x = x - case.setting.constants["eta"].value * run.problem.gradient(x)
    value = [float(run.problem.value(jnp.asarray(point))) for point in path]
    squares = [float(jnp.sum(run.problem.gradient(jnp.asarray(p)) ** 2)) for p in path]
    expected = {
        "suboptimality": value,
        "suboptimality of the average": [
            float(run.problem.value(jnp.asarray(np.mean(path[: max(k, 1)], axis=0))))
            for k in range(5)
        ],
        "squared distance": [float(np.sum(p**2)) for p in path],
        "squared gradient": squares,
        "mean squared gradient": [np.mean(squares[: max(k, 1)]) for k in range(5)],
    }
    assert set(expected) == set(METRICS)
    for metric, numbers in expected.items():
        seen = simulate(case.setting.experiment(metric), first=0, count=1)[metric][0]
        np.testing.assert_allclose(seen, [numbers[k] for k in points], rtol=1e-9, atol=1e-15)


def test_a_population_has_the_numbers_of_its_members():
    """As one program, on the same random numbers."""
    family = SAMPLED[0]
    runs = [
        family.case(STOCHASTIC, member(family, seed)).setting.experiment("squared distance")
        for seed in range(3)
    ]
    together = simulate_population(runs, first=2, count=5, master_seed=7)
    for experiment, found in zip(runs, together, strict=True):
        alone = simulate(experiment, first=2, count=5, master_seed=7)
        np.testing.assert_allclose(found["squared distance"], alone["squared distance"], rtol=1e-9)


def test_a_population_of_two_kinds_is_refused():
    family = SAMPLED[0]
    kinds = [
        family.case(STOCHASTIC, member(family, n=n)).setting.experiment("squared distance")
        for n in (2, 4)
    ]
    with pytest.raises(ValueError, match="got 2 kinds"):
        simulate_population(kinds, first=0, count=2)
    with pytest.raises(ValueError, match="need first >= 0"):
        simulate_population(kinds[:1], first=-1, count=2)


def test_pictures_in_one_and_two_dimensions_and_none_in_three():
    plane, line = (family.case(DESCENT, member(family)).setting for family in FULL[:2])
    drawn = plane.picture()
    assert drawn["dimension"] == 2
    assert len(drawn["values"]) == len(drawn["x"]) == len(drawn["values"][0])
    assert drawn["least"] == pytest.approx([0.0, 0.0], abs=1e-12)
    drawn = line.picture()
    assert drawn["dimension"] == 1
    assert np.interp(0.0, drawn["x"], drawn["curves"]["f'"]) == pytest.approx(0.0, abs=1e-3)
    space = FULL[0].case(DESCENT, member(FULL[0], dim=3)).setting
    assert of_finite_sum(space.run.problem, space.run.x0, -1.0, 1.0) is None


def test_an_unknown_metric():
    with pytest.raises(ValueError, match=r"metric must be one of suboptimality, .* got 'gap'"):
        gradient_families(DESCENT, sgd, "gap")
