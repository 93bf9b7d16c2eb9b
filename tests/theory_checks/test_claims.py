"""All claims of all papers: what each must have, and a table of those that run here."""

import functools

import pytest

import optzoo
from optzoo import theorems
from optzoo.theorems import Theorem
from theory_checks.claims import CLAIMS, SIDE_BY_SIDE
from theory_checks.simulation.evaluation import run_claim
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statistics.protocol import Protocol

PAGES = (
    theorems.frank_wolfe,
    theorems.ito_chains,
    theorems.markovian_noise,
    theorems.soap,
    theorems.three_pillars,
    theorems.distributed_methods,
    theorems.projection_free_methods,
)

# The quickest of every kind; `make verify` runs them all.
CHOSEN = {
    "frank_wolfe": (
        "sarah/one-step/descent", "sarah/closed-form/unrolled", "sarah/scaling/diameter",
        "saga/closed-form/unrolled", "saga/counts",
    ),
    "ito_chains": ("one-step/law", "gaussian/exact", "window/edgeworth", "lattice/floor"),
    "markovian_noise": (
        "batch/bias", "estimator/telescoping", "descent/gradient", "extragradient/worst-case",
        "accelerated/worst-case", "accelerated/one-step/worst-case",
    ),
    "soap": ("adafactor", "scale"),
    "three_pillars": ("one-step/stochastic", "one-step/worst-case", "moments/rates"),
    "distributed_methods": ("extragradient/one-step", "masha1/one-step"),
    "projection_free_methods": ("scg/enumerated", "complexity/samples"),
}  # fmt: skip
BY_ID = {claim.id: claim for claim in CLAIMS}
NAMES = [f"{paper}/{name}" for paper, names in CHOSEN.items() for name in names]


@functools.cache
def on_pages() -> frozenset[Theorem]:
    return frozenset(theorem for page in PAGES for theorem in theorems.theorems_of(vars(page)))


def test_ids_are_unique_and_partners_exist():
    every = [*BY_ID, *(one.id for one in SIDE_BY_SIDE)]
    assert len(set(every)) == len(CLAIMS) + len(SIDE_BY_SIDE)
    for claim in CLAIMS:
        assert set(claim.pairs_with) <= set(BY_ID), claim.id
        assert claim.id not in claim.pairs_with


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_a_theorem_of_a_page_on_settings(claim):
    theorem = claim.theorem
    assert theorem in on_pages(), f"{theorem.label} stands on no page"
    assert hasattr(optzoo, theorem.algorithm), theorem.algorithm
    assert claim.title
    assert claim.not_shown or theorem.not_shown
    assert claim.cases


def test_labels_are_unique_and_every_theorem_has_a_claim():
    for page in PAGES:
        stated = theorems.theorems_of(vars(page))
        labels = [theorem.label for theorem in stated]
        assert len(set(labels)) == len(labels)
        assert page.PAPER in {theorem.paper for theorem in stated}
        claimed = {claim.theorem.root for claim in CLAIMS}
        assert {theorem.root for theorem in stated} <= claimed


@pytest.mark.parametrize("identifier", NAMES)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    found = run_claim(BY_ID[identifier], Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"] or all(one["factor"] for one in found["coverage"].values())
    assert all(control["killed"] for control in found["controls"]), found["controls"]
