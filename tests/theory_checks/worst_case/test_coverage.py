"""By which factor a constant is caught: in closed form by hand, and how often that is too sharp."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from optzoo.theorems import Constants, constant
from theory_checks.checks import (
    ExactExponent,
    ExactIdentity,
    ExactInequality,
    ExactLowerBound,
    ExactScaling,
    UpperBound,
    bounds,
)
from theory_checks.claim import Case, Claim, Finding
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statistics.protocol import Protocol
from theory_checks.worst_case import coverage as engine
from theory_checks.worst_case.coverage import coverage

from ..checks.given import Given, experiment
from ..hand_made import AT, evaluated, level, setting
from ..statements import stated

K = np.array(AT, dtype=float)
LEVEL = 8 / K + 0.1
"""The bound L / (p k) + sigma / 10 that is made by hand."""

RESOLUTION = 1e-3


def exactly(share, check=ExactInequality, theorem=None, place=None, **arguments):
    """A check that the measured share of the bound is what the theorem says of it."""
    one, where = theorem or level(), place or setting()
    measured = share * np.asarray(where.bound(one, AT))
    return check(lambda: (measured, lambda: where.bound(one, AT)), **arguments)


def covered(theorem, laboratory=None, **checks):
    laboratory = laboratory or Laboratory()
    return coverage(*evaluated(theorem, checks, laboratory), laboratory)


def factors(found):
    return {name: caught["factor"] for name, caught in found["coverage"].items()}


# --- Exact checks: the factor in closed form ---


@pytest.mark.parametrize("share", [1.0, 0.98, 0.95, 0.9, 0.6])
def test_factors_of_an_inequality(share):
    """With c / phi the bound is L / (phi p k) + sigma / 10: where it meets what was measured."""
    one = level()
    found = covered(one, case=exactly(share, theorem=one))["coverage"]
    slope = np.min(8 / K / np.where(share * LEVEL > 0.1, share * LEVEL - 0.1, np.nan))
    over = share * LEVEL - 8 / K
    noise = np.min(0.1 / over[over > 0]) if np.any(over > 0) else None
    expected = {"L": slope, "sigma": noise, "p": slope}
    assert list(found) == ["L", "sigma", "p"], "idle and eta are not among them"
    for name, phi in expected.items():
        if phi is None:
            assert found[name]["factor"] is None
            assert found[name]["case"] is None
        else:
            assert phi <= found[name]["factor"] * (1 + 1e-9)
            assert found[name]["factor"] <= phi * (1 + 1.5 * RESOLUTION)
            assert found[name]["case"] == "case"
    assert {name: one["direction"] for name, one in found.items()} == {
        "L": "down", "sigma": "down", "p": "up",
    }  # fmt: skip


def test_a_constant_is_moved_to_its_end_and_no_farther():
    """The share p ends at 1: from 0.5 that is a factor of 2, whether or not it would take more."""
    one = level()
    just = exactly((4 / K + 0.1) / LEVEL * 1.001, theorem=one)
    found = covered(one, case=just)["coverage"]
    assert found["p"]["factor"] == pytest.approx(found["L"]["factor"], rel=2 * RESOLUTION)
    assert 1.95 < found["p"]["factor"] <= 2.0 * (1 + RESOLUTION)
    never = exactly((4 / K + 0.1) / LEVEL * 0.999, theorem=one)
    found = covered(one, case=never)["coverage"]
    assert found["p"] == {"factor": None, "direction": "up", "limit": "reached", "case": None}
    assert found["L"]["factor"] == pytest.approx(2.0, rel=0.01)


def test_what_is_refuted_at_the_very_end_alone_has_no_factor():
    """Below any multiple of L, but above 0: no size of a mistake is told, and none is infinite."""
    one, place = level(formula=lambda constants, k: constants.L / np.asarray(k)), setting()
    tiny = ExactInequality(lambda: (np.full(len(AT), 1e-14), lambda: place.bound(one, AT)))
    found = covered(one, case=tiny)
    assert found["coverage"]["L"] == {
        "factor": None, "direction": "down", "limit": "reached", "case": None,
    }  # fmt: skip
    json.dumps(found, allow_nan=False)


def test_constants_that_take_no_part_where_the_claim_is_evaluated():
    one = level(formula=_largest)
    found = covered(one, case=exactly(0.95, theorem=one))["coverage"]
    assert found["sigma"] == {
        "factor": None, "direction": "down", "limit": "no part", "case": None,
    }  # fmt: skip
    assert found["L"]["factor"] == pytest.approx(1 / 0.95, rel=2 * RESOLUTION)
    assert found["L"]["limit"] == "reached"


def _largest(constants, k):
    return np.maximum(constants.L / (constants.p * np.asarray(k)), constants.sigma / 1e3)


@dataclass(frozen=True, kw_only=True)
class Below(Constants):
    kappa: float = constant("weakens a bound from below", weakens="up", positive=True)
    mu: float = constant("strengthens it", weakens="down", positive=True)

    def least(self, k):
        return self.mu / (self.kappa * np.asarray(k, float)) + 1


def test_lower_bounds_move_the_other_way():
    """A claim of more is a larger bound: mu phi, or kappa / phi, and 1 that nothing moves."""
    one = stated(side="below", constants=Below, formula=Below.least)
    place = setting(kappa=2.0, mu=6.0)
    check = exactly(1.2, ExactLowerBound, one, place)
    found = covered(one, case=check)["coverage"]
    least = 3 / K + 1
    expected = np.min((1.2 * least - 1) / (3 / K))
    for name, direction in (("kappa", "down"), ("mu", "up")):
        assert found[name]["factor"] == pytest.approx(expected, rel=2 * RESOLUTION)
        assert found[name]["direction"] == direction


@pytest.mark.parametrize("tolerance", [1e-10, 0.05, 0.5])
def test_identities_are_caught_beyond_their_tolerance(tolerance):
    """|8/k + .1 - (8/(phi k) + .1)| > tolerance (8/(phi k) + .1)."""
    one = level(side="equal")
    found = covered(one, case=exactly(1.0, ExactIdentity, one, tolerance=tolerance))["coverage"]
    expected = np.min((1 + tolerance) / np.maximum(1 - 0.1 * tolerance * K / 8, 1e-9))
    assert expected <= found["L"]["factor"] <= expected * (1 + 2 * RESOLUTION)
    noise = [0.1 / (0.1 - tolerance / (1 + tolerance) * one) for one in LEVEL
             if tolerance / (1 + tolerance) * one < 0.1]  # fmt: skip
    if noise:
        assert found["sigma"]["factor"] == pytest.approx(min(noise), rel=2 * RESOLUTION)
    else:
        assert found["sigma"]["factor"] is None


def test_the_grid_takes_the_sharpest_case_of_each_constant():
    """One instance is sharp in L, another, whose slope is small, in sigma."""
    one = level()
    flat = setting(L=1e-3)
    checks = {
        "slack": exactly(0.5, theorem=one),
        "steep": exactly(0.97, theorem=one),
        "flat": exactly(0.9, theorem=one, place=flat),
        "blunt": exactly(0.93, theorem=one),
    }
    together = covered(one, **checks)["coverage"]
    alone = {name: factors(covered(one, **{name: check})) for name, check in checks.items()}
    for constant_name, caught in together.items():
        best = min(alone, key=lambda name: alone[name][constant_name] or math.inf)
        assert caught["case"] == best
        assert caught["factor"] == pytest.approx(alone[best][constant_name], rel=3 * RESOLUTION)
    assert together["L"]["case"] == "steep"
    assert together["sigma"]["case"] == "flat"
    assert together["sigma"]["factor"] == pytest.approx(1.11, rel=0.01)


def test_cases_that_cannot_be_asked_are_left_out():
    """Numbers in place of a function, a refuted case, a check of another theorem: no coverage."""
    one, other = level(), level(label="T2")
    numbers = ExactInequality(lambda: (0.9 * LEVEL, LEVEL))
    refuted = exactly(1.1, theorem=one)
    for check in (numbers, refuted, exactly(0.9, theorem=other)):
        assert covered(one, case=check) == {"coverage": {}, "structure": {}}
    with_a_sound_one = covered(one, bad=refuted, case=exactly(0.95, theorem=one))
    assert with_a_sound_one == covered(one, case=exactly(0.95, theorem=one))


# --- Sampled bounds: the factor at which the bets reach 1 / alpha ---

SHARE = 0.85


def betting(ratios, seeds):
    """The e-value of ratios that are the same for every seed, by its definition."""
    shares = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
    return np.mean((1 + shares * (np.asarray(ratios)[:, None] - 1)) ** seeds)


def sampled(share=SHARE, points=AT):
    one, where, at = level(), setting(), np.array(points)
    table = np.tile(share * np.asarray(where.bound(one, at)), (64, 1))
    highest = 0.9 * np.asarray(where.bound(one, at))
    check = UpperBound(experiment(points), "metric", lambda: where.bound(one, at), cap=highest)
    return one, check, Given({"metric": table})


def test_factors_of_a_sampled_bound():
    one, check, laboratory = sampled()
    found = covered(one, laboratory, case=check)["coverage"]

    def reached(phi):
        return betting(SHARE * LEVEL / (8 / (phi * K) + 0.1), 32) - 1000

    phi = brentq(reached, 1.0, 2.0)
    for name in ("L", "p"):
        assert phi <= found[name]["factor"] <= phi * (1 + RESOLUTION)
    assert found["sigma"]["factor"] is None
    assert betting(SHARE * LEVEL / (8 / K), 32) < 1000, "nothing else was to be expected"


def test_what_is_certain_needs_no_bets():
    """Where all seeds agree by construction the factor is that of the numbers themselves."""
    one, check, laboratory = sampled()
    by_bets = covered(one, laboratory, case=check)["coverage"]["L"]["factor"]
    certain = covered(one, laboratory, case=replace(check, certain=len(AT)))
    exact = float(np.min(8 / (K * (SHARE * LEVEL - 0.1))))
    assert exact <= certain["coverage"]["L"]["factor"] <= exact * (1 + RESOLUTION) < by_bets


def test_round_off_is_no_evidence_however_small_the_bound_is_made():
    one = level(formula=lambda constants, k: constants.sigma * np.ones(len(np.asarray(k))))
    where = setting()
    for metric in (1e-17, -1e-17):
        table = np.tile([metric, SHARE], (64, 1))
        check = UpperBound(
            experiment((1, 2)), "metric", lambda: where.bound(one, (1, 2)), certain=2
        )
        found = covered(one, Given({"metric": table}), case=check)["coverage"]["sigma"]
        assert 1.0 < found["factor"] < 2.0, "by the other point"
        assert not check.refutes(np.array([1e-30, 1.0]), Given({"metric": table}), 32)


@dataclass(frozen=True, kw_only=True)
class Pole(Constants):
    c: float = constant("the bound has a pole in it", weakens="down")

    def bound(self, k):
        """1 / (3 - c), beyond the pole a larger number again."""
        return np.full(len(np.asarray(k)), 1 / abs(3 - self.c))


def test_a_constant_past_a_pole_is_not_caught_where_it_claims_less():
    one = stated(side="above", constants=Pole, formula=Pole.bound)
    where = setting(c=1.0)
    check = ExactInequality(lambda: (np.full(len(AT), 0.2), lambda: where.bound(one, AT)))
    caught = covered(one, case=check)["coverage"]["c"]["factor"]
    assert caught == pytest.approx(3 + 1 / 0.2, rel=2e-3)
    from_below = stated(side="below", constants=Pole, formula=Pole.bound)
    check = ExactLowerBound(lambda: (np.full(len(AT), 9.0), lambda: where.bound(from_below, AT)))
    assert covered(from_below, case=check)["coverage"]["c"]["factor"] is None


def test_nothing_is_simulated_for_it():
    one, check, laboratory = sampled()
    claim, found = evaluated(one, {"case": check}, laboratory)
    asked = []
    sample = laboratory.sample
    laboratory.sample = lambda *arguments: asked.append(arguments[1:]) or sample(*arguments)
    coverage(claim, found, laboratory)
    assert set(asked) == {(0, 32)}, "the seeds that decided, no other"


def test_coverage_leaves_the_theorem_and_its_bound_as_they_were():
    one, check, laboratory = sampled()
    before = check.bound().tolist()
    covered(one, laboratory, case=check)
    assert check.bound().tolist() == before


# --- Structure ---


def outcomes(found):
    return {name.partition(": ")[2] or name: seen for name, seen in found["structure"].items()}


def test_misreadings_are_killed_survive_claim_less_or_change_nothing():
    one = level(formula=_with_roots)
    place = setting(L=4.0, p=1.0, sigma=9.0)
    at = np.sqrt(4.0) / K + 9.0 / 10

    def measured(share):
        return ExactInequality(lambda: (share * at, lambda: place.bound(one, AT)))

    sharp = outcomes(covered(one, case=measured(0.999)))
    both = "np.sqrt(constants.L) / np.asarray(k) + constants.sigma / 10"
    assert sharp[f"constants.sigma / 10 in place of {both}"] == "killed"
    assert sharp["constants.L in place of np.sqrt(constants.L)"] == "weaker"
    assert sharp["sigma squared"] == "weaker"
    assert sharp["sigma under a root"] == "killed"
    assert sharp["p dropped"] == sharp["p squared"] == "untestable", "it is 1 here"
    assert sharp["L dropped"] == "killed"
    slack = outcomes(covered(one, case=measured(0.2)))
    assert slack["L dropped"] == "survived"
    assert set(slack) == set(sharp)
    assert [name for name, seen in slack.items() if seen == "weaker"] == [
        name for name, seen in sharp.items() if seen == "weaker"
    ]


def _with_roots(constants, k):
    first = np.sqrt(constants.L) / np.asarray(k) + constants.sigma / 10
    return first / constants.p


def test_a_mistake_that_one_instance_kills_is_killed():
    """Whatever the others say, and in whatever order they stand."""
    one = level()
    sharp, blunt = exactly(0.99, theorem=one), exactly(0.3, theorem=one)
    alone = outcomes(covered(one, case=sharp))
    assert outcomes(covered(one, a=blunt, b=sharp)) == alone
    assert outcomes(covered(one, a=sharp, b=blunt)) == alone
    assert alone["sigma under a root"] == "untestable"
    assert outcomes(covered(one, b=exactly(0.3, theorem=one, place=setting(sigma=4.0)), a=sharp))[
        "sigma under a root"
    ] == "survived"  # fmt: skip


def test_a_mistake_that_claims_more_somewhere_is_no_weaker_one():
    """The root of 4 is smaller, that of 1/4 is larger."""
    one = level()
    more = exactly(0.5, theorem=one, place=setting(sigma=4.0))
    less = exactly(0.4, theorem=one, place=setting(sigma=0.25))
    for checks in ({"a": more, "b": less}, {"a": less, "b": more}):
        assert outcomes(covered(one, **checks))["sigma under a root"] == "survived"
    assert outcomes(covered(one, case=less))["sigma under a root"] == "weaker"


def test_every_change_of_an_identity_claims_something_else():
    one = level(side="equal")
    found = outcomes(covered(one, case=exactly(1.0, ExactIdentity, one)))
    assert found["L dropped"] == found["L squared"] == "killed"
    loose = outcomes(covered(one, case=exactly(1.0, ExactIdentity, one, tolerance=1e3)))
    assert loose["L dropped"] == loose["L squared"] == "survived"


def test_mistakes_from_below_claim_more_where_they_are_larger():
    one = stated(side="below", constants=Below, formula=Below.least)
    place = setting(kappa=2.0, mu=6.0)
    found = outcomes(covered(one, case=exactly(1.01, ExactLowerBound, one, place)))
    assert found["kappa squared"] == "weaker"
    assert found["kappa dropped"] == "killed"
    assert found["mu squared"] == "killed"
    assert found["mu dropped"] == "weaker"


def test_mistakes_that_fail_make_no_statement():
    """A power of a negative number, a shape of another length, an error of any kind."""

    def formula(constants, k):
        if constants.L == 1.0:
            raise KeyError("dropped")
        if constants.L == 2.0:
            return [math.nan] * len(k)
        if constants.L == 16.0:
            return [1.0]
        return constants.L / np.asarray(k) + 0 * constants.sigma

    one = level(formula=formula)
    found = outcomes(covered(one, case=exactly(0.9, theorem=one)))
    assert not {"L dropped", "L under a root", "L squared"} & set(found)
    assert found["sigma squared"] == "untestable"


class Exponents:
    """A law whose other exponents have given verdicts."""

    kind = "scaling"
    name = "by hand"

    def __init__(self, **verdicts):
        self.verdicts = verdicts

    def run(self, laboratory):
        return Finding("CONSISTENT", "by hand", K, K)

    def with_exponents(self):
        return {name: Answer(verdict) for name, verdict in self.verdicts.items()}


class Answer:
    kind, name = "scaling", "an answer"

    def __init__(self, verdict):
        self.verdict = verdict

    def run(self, laboratory):
        return Finding(self.verdict, "by hand", K, K)


def test_exponents_of_laws():
    law = stated(side="law")
    one = Exponents(half="REFUTED", twice="CONSISTENT", none="INCONCLUSIVE")
    other = Exponents(half="CONSISTENT", twice="REFUTED", none="CONSISTENT")
    found = covered(law, a=one)
    assert found["coverage"] == {}
    assert found["structure"] == {"half": "killed", "twice": "survived", "none": "survived"}
    both = {"half": "killed", "twice": "killed", "none": "survived"}
    assert covered(law, a=one, b=other)["structure"] == both
    assert covered(law, a=other, b=one)["structure"] == both


def test_exponents_of_an_exact_scaling_and_that_it_runs_once():
    runs = []

    def compute(laboratory):
        runs.append(1)
        theta = np.array([0.5, 1.0, 2.0])
        return theta, np.stack([theta, theta**2, 3 * theta], axis=1)

    check = ExactScaling(compute, exponents=(1.0, 2.0, 1.0))
    found = covered(stated(side="law"), case=check)["structure"]
    assert found == dict.fromkeys(
        [f"exponent {wrong} in place of {right}" for right, others in
         (("1", ("0", "0.5", "2")), ("2", ("0", "1", "4"))) for wrong in others],
        "killed",
    )  # fmt: skip
    assert len(runs) == 1


# --- What is claimed of the engine: a factor too small is as rare as a false refutation ---

ALPHA, RUNS, SEEDS = 0.5, 100, 128
"""A large alpha, so that few runs tell."""


@dataclass(frozen=True, kw_only=True)
class Mean(Constants):
    L: float = constant("the bound", weakens="up")

    def bound(self):
        return self.L * np.ones(2)


MEAN = stated(side="above", constants=Mean, formula=Mean.bound)

LAWS = {
    "exponential": lambda rng, shape: rng.exponential(size=shape),
    "log-normal": lambda rng, shape: rng.lognormal(-0.5, 1.0, size=shape),
}


def too_small(law):
    """In how many runs a factor is caught by which the bound can be divided and holds.

    The mean of the metric is 1 and the bound 2, so that these are the factors below 2.
    """
    place, rng, wrong = setting(L=2.0), np.random.default_rng(1), 0
    check = UpperBound(experiment((1, 2)), "metric", lambda: place.bound(MEAN))
    claim = Claim("engine/honest", "Is it?", MEAN, lambda: None)
    found = [("", Case(place, check), Finding("CONSISTENT", "", K, K, seeds=SEEDS))]
    for _ in range(RUNS):
        table = LAWS[law](rng, (SEEDS, 2))
        laboratory = Given({"metric": table}, SEEDS, protocol=Protocol(alpha=ALPHA))
        factor = coverage(claim, found, laboratory)["coverage"]["L"]["factor"]
        wrong += factor is not None and factor < 2.0
    return wrong


MOST = int(binom.isf(1e-4, RUNS, ALPHA))
"""More have a probability below 1e-4 where each has at most alpha."""


@pytest.fixture
def without_structure(monkeypatch):
    monkeypatch.setattr(engine, "misreadings", lambda theorem: ())


@pytest.mark.parametrize("law", LAWS)
def test_a_factor_that_is_too_small_is_as_rare_as_a_false_refutation(law, without_structure):
    assert 0 < too_small(law) <= MOST


def test_an_engine_that_refutes_at_half_the_evidence_fails_this(monkeypatch, without_structure):
    honest = bounds.log_e_process
    monkeypatch.setattr(bounds, "log_e_process", lambda ratios: honest(ratios) + math.log(2))
    assert too_small("exponential") > MOST


@pytest.mark.parametrize(("relation", "outcome"), [("at_least", "weaker"), ("exactly", "killed")])
def test_a_smaller_exponent_claims_less_of_slopes_that_are_at_least_it(relation, outcome):
    law, place = level(side="law"), setting(L=0.45)
    eta = 2.0 ** -np.arange(5)
    check = ExactExponent(lambda: (eta, eta, None), lambda: place.bound(law, 1), relation)
    found = covered(law, case=check)["structure"]
    dropped = "self.L / (self.p * np.asarray(k, float)) + self.sigma / 10"
    assert found[f"Slopes.level: self.sigma / 10 in place of {dropped}"] == outcome
    assert found["p squared"] == "killed", "a larger exponent"
