"""SOAP's comparison on a language model: its arithmetic, a run, and its panels."""

import dataclasses

import jax
import numpy as np
import pytest

from theory_checks import cli
from theory_checks.claims.soap import language_model, side_by_side
from theory_checks.claims.soap.language_model import Size, passage

TINY = Size(8, 1, 8, 4, 4, 2, (1e-3, 1e-2), 2)


@pytest.mark.parametrize(
    ("target", "steps"), [(4.5, 5.0), (4.0, 5.0), (3.5, 7.5), (1.0, 20.0), (0.5, np.inf)]
)
def test_passage(target, steps):
    assert passage(np.array([4.0, 3.0, 2.0, 1.0]), target, every=5) == steps


def test_a_run_of_adamw_learns():
    with jax.enable_x64(False):
        size = dataclasses.replace(TINY, steps=40, every=20)
        curve = language_model.training_curve("AdamW", size, 1e-2, 0)
    assert curve.shape == (2,)
    assert curve[-1] < curve[0] < 5.0


def test_it_counts_iterations_to_adamw_s_loss(monkeypatch):
    def curve(name, size, rate, seed):
        steps = np.arange(size.every, size.steps + 1, size.every)
        fast = {"AdamW": 1.0, "SOAP, f = 1": 2.0}.get(name, 0.5)
        return 5.0 - (1 + seed) * fast * (1 if rate == 1e-2 else 0.1) * steps / size.steps

    monkeypatch.setattr(language_model, "training_curve", curve)
    monkeypatch.setattr(side_by_side, "training_curve", curve)
    size = dataclasses.replace(TINY, steps=100, every=1)
    outcome = side_by_side.compared(size)
    losses, against = outcome.panels
    assert [c.label for c in losses.curves][:2] == ["AdamW", "SOAP, f = 1"]
    np.testing.assert_allclose(losses.curves[0].mean[-1], 5.0 - 1.5)
    soap, shampoo, *fitted = against.curves
    assert [(c.label, c.x.tolist()) for c in fitted] == [
        ("KL-Shampoo", [1, 10]),
        ("KL-SOAP", [1, 10]),
    ]
    assert soap.x.tolist() == shampoo.x.tolist() == [1, 10, 100]
    # AdamW's last tenth averages its loss at step 95.5, which is half as far at twice the speed.
    np.testing.assert_allclose(soap.mean, [0.4775, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(shampoo.mean, 1)
    assert "SOAP, f = 1: 0.48" in outcome.notes[0]
    assert outcome.seeds == 2
    (whole,) = side_by_side.SIDE_BY_SIDE
    assert whole.presets == ("full",)


def test_the_quick_preset_leaves_it_out(tmp_path, capsys):
    assert cli.main(["run", "soap/compare/language-model", "--out", str(tmp_path / "run")]) == 2
    assert "soap/compare/language-model: not in the preset quick" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
