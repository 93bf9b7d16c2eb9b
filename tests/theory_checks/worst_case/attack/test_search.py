"""The search: it finds the hardest instance, refutes what is wrong, and nothing that is right."""

from dataclasses import replace

import numpy as np
import pytest

from optzoo.theorems.frank_wolfe import F5_EXACT
from theory_checks.checks import ExactInequality, ExactScaling
from theory_checks.claim import Case
from theory_checks.claims.frank_wolfe.families import FAMILIES
from theory_checks.setting import Stated, chosen
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case.attack import InstanceFamily, OneOf, Real
from theory_checks.worst_case.attack.evolution import evolution
from theory_checks.worst_case.attack.objective import (
    RATIO,
    NoInstanceError,
    objectives,
    scores,
)
from theory_checks.worst_case.attack.search import (
    Candidate,
    NoInstancesError,
    Search,
)

from .hills import FAMILY, HILL, WRONG, K


def hill(theorem, x, y=(0.0, 0.0), start=0.5, side="left"):
    parameters = {"x": x, "y": list(y), "start": start, "side": side}
    return FAMILY.case(theorem, parameters)


class TestObjectives:
    def test_ratio_and_the_share_of_each_constant(self):
        (found,) = scores(HILL, [hill(HILL, 0.25)], Laboratory(seeds=8))
        measured = 0.25 + 2.0 * 2 * 0.25 * 0.75 * K
        bound = 0.5 + K
        assert found[RATIO] == pytest.approx(np.max(measured / bound))
        assert found["L"] == pytest.approx(np.max((measured - 0.5) / (bound - 0.5)))
        assert found["r_0"] == pytest.approx(np.max((measured - K) / 0.5))
        assert list(found) == list(objectives(HILL))

    def test_a_trivial_bound_has_no_share_in_what_it_does_not_need(self):
        """Where the start alone is attained the curvature is not tested."""

        def flat(theorem, start):
            setting = Stated("flat", chosen(L=1.0, r_0=start))
            measured = start + 0 * K
            return Case(setting, _above(measured, setting, theorem))

        (found,) = scores(HILL, [flat(HILL, 100.0)], Laboratory(seeds=8))
        assert found[RATIO] > 0.98
        assert found["L"] == pytest.approx(0.0, abs=1e-12)

    def test_both_are_above_1_where_the_theorem_is_violated(self):
        (found,) = scores(WRONG, [hill(WRONG, 0.5)], Laboratory(seeds=8))
        assert found[RATIO] > 1
        assert found["L"] == found[RATIO]

    def test_of_two_sampled_means_the_certain_one_counts(self):
        """Two standard errors are taken off."""
        check = _Sampled(mean=np.array([1.0]), error=np.array([0.2]), bound=np.array([2.0]))
        (found,) = scores(HILL, [Case(Stated(""), check)], Laboratory(seeds=8))
        assert found[RATIO] == pytest.approx(0.3)

    def test_bounds_from_below(self):
        below = replace(HILL, side="below")
        (found,) = scores(below, [hill(below, 0.5, start=0.5)], Laboratory(seeds=8))
        measured = 0.25 + K
        assert found[RATIO] == pytest.approx(np.max((0.5 + K) / measured))

    def test_what_does_not_apply_has_a_reason(self):
        def refused(theorem):
            setting = Stated("", chosen(L=-1.0, r_0=0.0))
            return Case(setting, _above(K, setting, theorem))

        (found,) = scores(HILL, [refused(HILL)], Laboratory(seeds=8))
        assert isinstance(found, NoInstanceError)
        assert "L must lie in" in str(found)

    def test_a_check_without_numbers_is_refused(self):
        case = Case(Stated(""), ExactScaling(lambda laboratory: ([1.0], [[1.0]]), [1.0]))
        with pytest.raises(TypeError, match="ExactScaling measures nothing beside a bound"):
            scores(HILL, [case], Laboratory(seeds=8))


def _above(measured, setting, theorem):
    return ExactInequality(lambda: (measured, lambda: setting.bound(theorem, K)))


class _Sampled:
    """A check with a standard error and without a simulation."""

    kind = "upper_bound"
    name = "none"

    def __init__(self, mean, error, bound):
        self.numbers = mean, error
        self.bound = bound

    def experiments(self):
        return ()

    def means(self, laboratory, seeds):
        return self.numbers

    def says(self, laboratory, seeds):
        return self.bound

    def refutes(self, said, laboratory, seeds):
        return False

    def run(self, laboratory):
        raise NotImplementedError


class TestSearch:
    def test_the_hardest_instance_is_found(self):
        search = Search(HILL, [FAMILY], constant="L", seed=1)
        for number in range(12):  # not by the clock: a busy machine finds as much
            search._take(search.attempt(number, search.best), 0.0)
        found = search.hardest("L")
        assert search.refuted is None
        assert found.scores["L"] > 0.97
        assert found.parameters["side"] == "left"
        assert found.parameters["x"] == pytest.approx(0.5, abs=0.1)
        assert found.parameters["start"] <= 0.9

    def test_a_wrong_theorem_falls(self):
        search = Search(WRONG, [FAMILY], seed=1)
        search.run(20.0)
        candidate, finding = search.refuted
        assert finding.verdict == "REFUTED"
        assert candidate.scores[RATIO] > 1
        assert search.restarts[-1].seconds < 20.0

    def test_the_same_seed_finds_the_same(self):
        paths = []
        for _ in range(2):
            search = Search(HILL, [FAMILY], seed=3)
            paths.append(search.attempt(0, search.best).restart.path)
        assert paths[0] == paths[1]
        assert len(paths[0]) > 3

    def test_starts_are_looked_at_first(self):
        start = {"x": 0.5, "y": [0.0, 0.0], "start": 0.001, "side": "left"}
        known = InstanceFamily("known", FAMILY.make, FAMILY.varies, (HILL,), (start,))
        search = Search(HILL, [known], seed=0)
        search.run(0.0)
        assert search.hardest("L").parameters == start
        assert search.evaluations == 1

    def test_an_evolution_goes_uphill(self):
        target = np.array([0.3, 0.6, 0.7, 0.2])
        choice, start = {"side": "left"}, np.full(4, 0.5)
        for population in evolution(FAMILY, choice, start, 0.3, seed=0):
            points = np.array([FAMILY.unit(one) for one in population.parameters])
            population.tell((-np.sum((points - target) ** 2, axis=1)).tolist())
        np.testing.assert_allclose(points.mean(axis=0), target, atol=0.05)

    def test_what_is_attained_is_not_searched_for_again(self):
        search = Search(HILL, [FAMILY])
        assert search._unattained(search.best) == objectives(HILL)
        search.best["hills", RATIO] = Candidate("hills", {}, {RATIO: 1.0})
        search.best["hills", "L"] = Candidate("hills", {}, {"L": 0.5})
        assert search._unattained(search.best) == ("L", "r_0")

    def test_alpha_is_shared_by_all_tests(self):
        search = Search(HILL, [FAMILY])
        total = sum(search.share(n) for n in range(1, 100_000))
        assert total == pytest.approx(search.protocol.alpha, rel=1e-4)
        assert total < search.protocol.alpha

    def test_a_lucky_draw_is_forgotten(self):
        """A sampled ratio above 1 that other seeds do not confirm costs no share of alpha."""
        (family,) = (one for one in FAMILIES if one.name == "F4 on the line, n = 2")
        theorem = family.theorems[0]
        search = Search(theorem, [family])
        start = family.starts[-1] | {"horizon": 8, "p": 0.5}
        lucky = Candidate(family.name, start, {RATIO: 1.2, "L": 1.1})
        best = {(family.name, name): lucky for name in lucky.scores}
        assert search._suspect(family, [lucky], 3, best) is None
        assert best[family.name, RATIO].scores[RATIO] <= 1 + 1e-9
        assert search.tests == 0

    def test_no_instance_at_all(self):
        def refused(theorem, x):
            raise ValueError("the set is empty")

        family = InstanceFamily("empty", refused, {"x": Real(0.0, 1.0)}, (HILL,))
        with pytest.raises(NoInstancesError, match="'empty' that was tried is one of H: the set"):
            Search(HILL, [family]).run(5.0)

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Search(HILL, []), "H has no family"),
            (lambda: Search(HILL, [FAMILY, FAMILY]), "two families have one name: hills, hills"),
            (lambda: Search(HILL, [FAMILY], "M"), "'M' is no constant .* they are L, r_0"),
            (lambda: Search(F5_EXACT, [FAMILY]), "is an equality: only a bound"),
        ],
    )
    def test_bad_input(self, make, said):
        with pytest.raises(ValueError, match=said):
            make()

    def test_a_family_without_numbers_is_looked_at(self):
        family = InstanceFamily(
            "choices",
            lambda theorem, x: hill(theorem, x),
            {"x": OneOf(0.1, 0.5)},
            (HILL,),
        )
        search = Search(HILL, [family], seed=0)
        for number in range(12):
            search._take(search.attempt(number, search.best), 0.0)
        assert search.hardest("L").parameters == {"x": 0.5}
