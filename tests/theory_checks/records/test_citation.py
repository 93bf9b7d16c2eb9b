"""A run's hash: the same for the same run, another where anything decides otherwise."""

import copy
import json

import pytest

from theory_checks import cli, running
from theory_checks.records.citation import run_hash
from theory_checks.records.read import load_results
from theory_checks.records.write import write
from theory_checks.report.page import write_report, write_summary

ENVIRONMENT = {
    "version": "0.1.0", "python": "3.11.7", "jax": "0.10.2", "optax": "0.2.8", "numpy": "2.4.1",
    "scipy": "1.16", "platform": "Linux", "cpus": 2, "devices": ["cpu:0"], "preset": "quick",
    "seeds": 32, "master_seed": 7, "protocol": {"alpha": 1e-3}, "created": "2026-01-02",
}  # fmt: skip


def record(name, **changes):
    control = {"name": "sign", "verdict": "REFUTED", "killed": True, "e_value": 3e7, "seconds": 1.0}
    return {
        "id": name, "fingerprint": f"of {name}", "verdict": "CONSISTENT", "vacuous": False,
        "seeds": 32, "decided": "", "mean": [0.5, 0.25], "checkpoints": [1, 2], "tightness": 0.5,
        "controls": [control], "cases": [{"name": "one", "mean": [0.5]}], "seconds": 2.0,
        "paper": "P", "part": "T", "theorem": "T", "coverage": {}, "structure": {},
        "not_tested": {}, "detectable_factor": 2.0, "kind": "upper_bound",
    } | changes  # fmt: skip


def results(**changes):
    beside = {"id": "p/beside", "fingerprint": "b", "panels": [{"curves": [{"mean": [1.0]}]}]}
    claims = [record("p/one"), record("p/two")]
    return {"environment": ENVIRONMENT, "claims": claims, "comparisons": [beside]} | changes


def changed(path, value):
    """The results with another value at a path."""
    found = copy.deepcopy(results())
    *folders, last = path
    place = found
    for name in folders:
        place = place[name]
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((("environment", name), "other") for name in
          ("version", "python", "jax", "optax", "numpy", "scipy", "preset", "seeds", "protocol")),
        (("environment", "master_seed"), 8),
        (("claims", 1, "id"), "p/three"),
        (("claims", 0, "fingerprint"), "other"),
        (("claims", 0, "verdict"), "REFUTED"),
        (("claims", 0, "mean", 1), 0.2501),
        (("claims", 0, "tightness"), 0.51),
        (("claims", 0, "controls", 0, "killed"), False),
        (("claims", 0, "cases", 0, "mean", 0), 0.6),
        (("comparisons", 0, "panels", 0, "curves", 0, "mean", 0), 2.0),
        (("comparisons",), []),
    ],
)  # fmt: skip
def test_what_decides_a_number_is_in_the_hash(path, value):
    assert run_hash(changed(path, value)) != run_hash(results())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("environment", "created"), "2027"),
        (("environment", "cpus"), 64),
        (("environment", "devices"), []),
        (("claims", 0, "seconds"), 99.0),
        (("claims", 0, "controls", 0, "seconds"), 99.0),
        (("claims", 0, "mean", 1), 0.25 * (1 + 1e-9)),
        (("claims",), [record("p/two"), record("p/one")]),
        (("summary",), {"seconds": 3.0}),
    ],
)
def test_time_place_and_order_are_not(path, value):
    assert run_hash(changed(path, value)) == run_hash(results())


def test_the_hash_is_in_all_that_a_run_writes(tmp_path, capsys):
    claims = [record("p/one", vacuous=True), record("p/two")]
    write(tmp_path, ENVIRONMENT, claims, 3.0)
    named = run_hash({"environment": ENVIRONMENT, "claims": claims})
    assert len(named) == 12
    assert json.loads((tmp_path / "results.json").read_text())["hash"] == named
    assert cli.main(["report", str(tmp_path)]) == 0
    assert f"run: {named}\n" in capsys.readouterr().out
    assert f"run <code>{named}</code>" in write_report(tmp_path).read_text(encoding="utf-8")
    assert f"Run `{named}`" in write_summary(tmp_path).read_text(encoding="utf-8")
    running._print_outcome(load_results(tmp_path), 1.0)
    printed = capsys.readouterr().out
    assert "2 claims: 2 CONSISTENT (of which 1 vacuous), 0 REFUTED" in printed
    assert printed.endswith(f"run: {named}\n")


def test_a_run_of_before_has_none(tmp_path, capsys):
    write(tmp_path, ENVIRONMENT, [record("p/one")], 3.0)
    old = json.loads((tmp_path / "results.json").read_text())
    del old["hash"]
    (tmp_path / "results.json").write_text(json.dumps(old))
    assert load_results(tmp_path)["hash"] is None
    assert cli.main(["report", str(tmp_path)]) == 0
    assert "run:" not in capsys.readouterr().out
    assert "run <code>" not in (tmp_path / "report.html").read_text(encoding="utf-8")
