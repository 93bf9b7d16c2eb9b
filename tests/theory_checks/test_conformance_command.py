"""`theory-checks conformance`: what its words name, what it prints, and how it ends."""

import sys

import optax
import pytest

import optzoo.conformance
from optzoo.conformance import PROPERTIES, conformance
from theory_checks import cli
from theory_checks.conformance import TargetError, row_of

NAMED = {one.name: one for one in PROPERTIES}


def test_momentum_of_optax_conforms_where_it_must(capsys):
    assert cli.main(["conformance", "optax:sgd(0.05, momentum=0.5)"]) == 0
    printed = capsys.readouterr().out
    assert "0 failed" in printed
    assert "mend: look at the arguments before computing with them" in printed


OWN = """
import jax, jax.numpy as jnp, optax
from optzoo.conformance import Row
def opt(learning_rate, power=1):
    return optax.sgd(learning_rate)
ROW = Row("own row", opt, {"learning_rate": 0.1})
BUILT = optax.sgd(0.1)
def climbs(learning_rate):
    return optax.scale(0.01 * learning_rate)
NUMBER = 3
def not_one(learning_rate): return 3
def strict(learning_rate): raise ValueError("too large")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_module.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    sys.modules.pop("own_module", None)


def test_targets(own):
    assert row_of("own_module:opt").kwargs == {"learning_rate": 0.05}
    assert row_of("own_module:opt(0.2, power=2)").kwargs == {"learning_rate": 0.2, "power": 2}
    assert row_of("own_module:ROW").name == "own row"
    built = row_of("own_module:BUILT")
    outcomes = conformance(built, [NAMED["same under inject_hyperparams"]])
    assert outcomes[0].result == "does not apply"
    assert row_of("optax:contrib.schedule_free_sgd(0.1)").make is optax.contrib.schedule_free_sgd


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nothing", "is no optimizer that is known (soap"),
        ("no_such_module:opt", "the module no_such_module of"),
        ("own_module:absent", "own_module has no 'absent'"),
        ("own_module:opt(", "must be module:name or module:name(arguments)"),
        ("own_module:opt(jax.numpy)", "put a Row into your module"),
        ("own_module:NUMBER", "is 3, no Row, constructor or optax.GradientTransformation"),
        ("own_module:BUILT(0.1)", "has arguments, but is no constructor"),
        ("own_module:not_one", "makes int, no optax.GradientTransformation"),
        ("own_module:strict", "cannot be made: ValueError: too large"),
        ("own_module:opt(1, 2, 3)", "cannot be made: too many positional arguments"),
    ],
)
def test_mistakes_in_a_target_are_named(own, target, message):
    with pytest.raises(TargetError) as error:
        row_of(target, ["soap"])
    assert message in str(error.value)


def test_exit_statuses_of_the_command(own, capsys, monkeypatch):
    few = [NAMED["descends on a quadratic"], NAMED["mistakes are named"]]
    monkeypatch.setattr("theory_checks.conformance.PROPERTIES", few)
    assert cli.main(["conformance", "own_module:ROW"]) == 0
    assert cli.main(["conformance", "own_module:ROW", "--strict"]) == 1
    assert cli.main(["conformance", "own_module:climbs", "own_module:ROW"]) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 conform; not own_module:climbs" in printed
    assert "after 300 steps it is" in printed
    assert cli.main(["conformance", "own_module:absent"]) == 2
    assert "own_module has no 'absent'" in capsys.readouterr().err


def test_the_former_home_still_answers():
    with pytest.warns(DeprecationWarning, match=r"import gradient from optzoo\.conformance"):
        from theory_checks.conformance import gradient
    assert gradient is optzoo.conformance.gradient
    with pytest.raises(ImportError, match="cannot import name 'gradients'"):
        from theory_checks.conformance import gradients  # noqa: F401
