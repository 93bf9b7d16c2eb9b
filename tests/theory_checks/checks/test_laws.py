"""Laws, passages, rates, minimizers: what of the runs they read, and their borders."""

import numpy as np
import pytest

from theory_checks.checks import ExactExponent, ExactScaling, Law, Minimizer, Passage, Rate
from theory_checks.simulation.laboratory import Laboratory

from .given import Given, experiment

THETA = np.geomspace(1.0, 100.0, 6)
NAMES = [f"theta-{i}" for i in range(6)]
NOISE = np.exp(0.1 * np.random.default_rng(0).normal(size=(6, 512, 1)))


def powers(exponent, points=3, first=0.0):
    """Mean theta^exponent at the last point, theta^first before."""
    last = np.arange(points) == points - 1
    exponents = np.where(last, exponent, first)
    return {
        name: NOISE[i] * theta**exponents
        for i, (name, theta) in enumerate(zip(NAMES, THETA, strict=True))
    }


def law(exponent, stated=1.0, relation="exactly", seeds=32, **arguments):
    laboratory = Given(powers(exponent, **arguments), seeds)
    runs = [experiment((1, 2, 4), name) for name in NAMES]
    return Law(THETA, runs, "metric", stated, relation, looks=2).run(laboratory), laboratory


class TestLaw:
    def test_the_last_checkpoint_counts_and_twice_the_seeds(self):
        found, laboratory = law(1.0, first=3.0)
        assert (found.verdict, found.seeds, laboratory.asked) == ("CONSISTENT", 64, 64)
        assert found.exponent.value == pytest.approx(1.0, abs=0.05)
        np.testing.assert_array_equal(found.checkpoints, THETA)
        expected = [powers(1.0)[name][:64, -1].mean() for name in NAMES]
        np.testing.assert_allclose(found.mean, expected)

    @pytest.mark.parametrize(
        ("exponent", "relation", "verdict"),
        [
            (1.12, "exactly", "CONSISTENT"),
            (0.88, "exactly", "CONSISTENT"),
            (1.2, "exactly", "REFUTED"),
            (0.8, "exactly", "REFUTED"),
            (1.07, "at_most", "CONSISTENT"),
            (0.2, "at_most", "CONSISTENT"),
            (1.13, "at_most", "REFUTED"),
        ],
    )
    def test_at_and_beside_its_tolerance(self, exponent, relation, verdict):
        assert law(exponent, relation=relation)[0].verdict == verdict

    def test_near_its_tolerance_it_is_open(self):
        value = law(1.0)[0].exponent.value
        assert law(1.15 + 1.0 - value)[0].verdict == "INCONCLUSIVE"

    @pytest.mark.parametrize(("exponent", "verdict"), [(1.0, "CONSISTENT"), (1.3, "REFUTED")])
    def test_a_single_experiment_has_a_checkpoint_for_each_value(self, exponent, verdict):
        """In the order of the values, seed by seed."""
        rng = np.random.default_rng(4)
        table = THETA**exponent * np.exp(0.1 * rng.normal(size=(512, 6)))
        laboratory = Given({"metric": table}, 32)
        check = Law(THETA, [experiment((1, 2, 3, 4, 5, 6))], "metric", 1.0, looks=2)
        found = check.run(laboratory)
        assert (found.verdict, found.seeds, laboratory.asked) == (verdict, 64, 64)
        assert found.exponent.value == pytest.approx(exponent, abs=0.05)
        np.testing.assert_array_equal(found.checkpoints, THETA)
        np.testing.assert_allclose(found.mean, table[:64].mean(axis=0))


def decaying(rate, floor=0.0, seeds=512):
    k = np.geomspace(1, 1000, 16).round()
    noise = np.exp(0.1 * np.random.default_rng(1).normal(size=(seeds, 16)))
    return tuple(k.astype(int)), noise * (k**-rate + floor)


class TestRate:
    def rate(self, decay, floor=0.0, window=(10, 1000), looks=2):
        points, values = decaying(decay, floor)
        laboratory = Given({"metric": values}, 32)
        check = Rate(experiment(points), "metric", 1.0, window, looks=looks)
        return check.run(laboratory), laboratory

    @pytest.mark.parametrize(
        ("decay", "verdict"),
        [(1.0, "CONSISTENT"), (2.0, "CONSISTENT"), (0.97, "CONSISTENT"), (0.9, "REFUTED")],
    )
    def test_at_least_as_fast_to_a_twentieth(self, decay, verdict):
        found, laboratory = self.rate(decay)
        assert (found.verdict, laboratory.asked) == (verdict, 64)
        assert found.exponent.value == pytest.approx(decay, abs=0.03)

    def test_a_noise_floor_is_no_power_law(self):
        found, _ = self.rate(1.0, floor=3e-3)
        assert found.verdict == "INCONCLUSIVE"
        assert "flattens" in found.decided

    def test_only_the_window_counts(self):
        points, values = decaying(1.0)
        values = np.where(np.asarray(points) < 10, 1.0, values)
        laboratory = Given({"metric": values}, 32)
        found = Rate(experiment(points), "metric", 1.0, (10, 1000), looks=1).run(laboratory)
        assert found.verdict == "CONSISTENT"
        assert found.checkpoints.min() >= 10

    @pytest.mark.parametrize(("power", "verdict"), [(2.0, "CONSISTENT"), (3.0, "REFUTED")])
    def test_points_are_what_k_is(self, power, verdict):
        """1/k is the square root in k^2 and less in k^3; the window is of the points."""
        ticks, values = decaying(1.0)
        points = np.asarray(ticks, float) ** power
        window = (points[0], points[-1])
        check = Rate(experiment(ticks), "metric", 0.5, window, looks=1, points=points)
        found = check.run(Given({"metric": values}, 32))
        assert found.verdict == verdict
        assert found.exponent.value == pytest.approx(1 / power, abs=0.02)
        np.testing.assert_allclose(found.checkpoints[[0, -1]], window)

    @pytest.mark.parametrize(
        ("decay", "base", "verdict"),
        [
            # (k + 40)^(-2) is the square of its base, and by far no power of k.
            (2.0, True, "CONSISTENT"),
            (2.0, False, "INCONCLUSIVE"),
            (1.8, True, "REFUTED"),
        ],
    )
    def test_the_base_is_what_the_power_is_of(self, decay, base, verdict):
        k = np.unique(np.geomspace(1, 1000, 16).round())
        noise = np.exp(0.02 * np.random.default_rng(1).normal(size=(64, 1)))
        check = Rate(
            experiment(tuple(k.astype(int))),
            "metric",
            2.0,
            (10, 1000),
            looks=2,
            base=1 / (k + 40) if base else None,
        )
        found = check.run(Given({"metric": noise * (k + 40) ** -decay}, 32))
        assert found.verdict == verdict
        if base:
            window = k[k >= 10]
            slope = np.polyfit(np.log(window), np.log(window + 40), 1)[0]
            assert found.exponent.reference == pytest.approx(2 * slope, abs=0.01)


class TestPassage:
    def passage(self, exponent, relation="at_most", stated=1.0, eps=0.02):
        points = tuple(np.unique(np.geomspace(1, 100_000, 60).round().astype(int)))
        tables = {
            name: np.minimum(NOISE[i][:64] * theta**exponent / np.asarray(points), 1e6)
            for i, (name, theta) in enumerate(zip(NAMES, THETA, strict=True))
        }
        runs = [experiment(points, name) for name in NAMES]
        check = Passage(THETA, runs, "metric", eps, stated, relation, looks=2)
        return check.run(Given(tables, 32))

    @pytest.mark.parametrize(
        ("exponent", "relation", "verdict"),
        [
            (1.0, "exactly", "CONSISTENT"),
            (1.25, "exactly", "REFUTED"),
            (0.75, "exactly", "REFUTED"),
            (0.5, "at_most", "CONSISTENT"),
            (1.2, "at_most", "REFUTED"),
        ],
    )
    def test_the_time_to_a_threshold(self, exponent, relation, verdict):
        found = self.passage(exponent, relation)
        assert (found.verdict, found.seeds) == (verdict, 64)
        assert found.exponent.value == pytest.approx(exponent, abs=0.05)

    def test_a_threshold_that_is_not_reached_is_no_time(self):
        assert self.passage(1.0, eps=1e-9).verdict == "INCONCLUSIVE"
        assert self.passage(1.0, eps=1e5).verdict == "INCONCLUSIVE"


class TestMinimizer:
    def minimizer(self, window, common=1.0, looks=2):
        """value@j = (j - 2)^2 plus noise that is common to all j: smallest at j = 2."""
        noise = np.random.default_rng(2).normal(size=(512, 1))
        # At the first checkpoint alone it would be smallest at 0, at the second at 4.
        metrics = {
            f"value@{j}": (j - 2.0) ** 2 + (common * noise + 5.0) * [[j, -j]] for j in range(5)
        }
        laboratory = Given(metrics, 32)
        check = Minimizer(range(5), experiment((1, 2)), "value", window, looks=looks)
        return check.run(laboratory), laboratory

    @pytest.mark.parametrize(
        ("window", "verdict"),
        [
            ((2.0, 2.0), "CONSISTENT"),
            ((1.0, 3.0), "CONSISTENT"),
            ((3.0, 4.0), "REFUTED"),
            ((0.0, 1.0), "REFUTED"),
        ],
    )
    def test_where_the_mean_over_the_checkpoints_is_smallest(self, window, verdict):
        found, laboratory = self.minimizer(window)
        assert (found.verdict, laboratory.asked) == (verdict, 64)
        assert np.argmin(found.mean) == 2
        assert (found.lower <= found.mean).all()
        assert (found.mean <= found.upper).all()

    def test_where_resamples_disagree_it_is_open(self):
        noise = np.random.default_rng(3).normal(size=(512, 1))
        metrics = {f"value@{j}": (j - 2.5) ** 2 + noise * (j - 2.5) for j in range(5)}
        check = Minimizer(range(5), experiment((1,)), "value", (2.0, 2.0), looks=1)
        assert check.run(Given(metrics, 32)).verdict == "INCONCLUSIVE"


class TestExactScaling:
    def scaling(self, table, exponents=(1.0, -2.0), theta=(0.5, 1.0, 2.0), tolerance=1e-9):
        check = ExactScaling(lambda laboratory: (np.array(theta), table), exponents, tolerance)
        return check.run(Laboratory())

    def test_every_quantity_at_every_value(self):
        theta = np.array([0.5, 1.0, 2.0])[:, None]
        table = np.array([3.0, 0.1]) * theta ** np.array([1.0, -2.0])
        assert self.scaling(table).verdict == "CONSISTENT"
        for place in ((0, 0), (0, 1), (2, 0), (2, 1)):
            for off, verdict in ((0.9e-9, "CONSISTENT"), (1.1e-9, "REFUTED")):
                wrong = table.copy()
                wrong[place] *= 1 + off
                assert self.scaling(wrong).verdict == verdict
        assert self.scaling(table, exponents=(1.0, -1.0)).verdict == "REFUTED"

    def test_what_is_not_finite_is_refused(self):
        table = np.ones((3, 2))
        table[1, 1] = np.nan
        with pytest.raises(ValueError, match="not finite"):
            self.scaling(table)


@pytest.mark.parametrize(
    ("power", "relation", "bound", "verdict"),
    [
        (0.5, "exactly", None, "CONSISTENT"),
        (0.6, "exactly", None, "REFUTED"),
        (0.4, "exactly", None, "REFUTED"),
        (0.9, "at_least", None, "CONSISTENT"),
        (0.4, "at_least", None, "REFUTED"),
        (0.9, "at_least", 1.0, "CONSISTENT"),
        (0.9, "at_least", 1e-3, "REFUTED"),
    ],
)
def test_exact_exponent(power, relation, bound, verdict):
    eta = np.array([0.1, 0.05, 0.02, 0.01])

    def compute():
        return eta, 0.5 * eta**power, None if bound is None else np.full(4, bound)

    finding = ExactExponent(compute, 0.5, relation).run(Laboratory())
    assert finding.verdict == verdict
    assert finding.exponent.value == pytest.approx(power)
    assert finding.checkpoints.tolist() == sorted(eta.tolist())


def test_exact_exponent_looks_at_every_pair_of_neighbours():
    """A distance that stops falling is refuted although its overall slope is steep enough."""
    eta = 2.0 ** -np.arange(8)
    levels = np.maximum(eta, 2.0**-6)

    check = ExactExponent(lambda: (eta, levels, None), 0.5)
    finding = check.run(Laboratory())
    assert finding.exponent.value > 0.5
    assert finding.verdict == "REFUTED"
