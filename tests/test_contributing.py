"""The file to copy in CONTRIBUTING.md runs as it is printed."""

import re
from pathlib import Path

import pytest

from theory_checks.claim import Claim
from theory_checks.registration import load_file
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim

ROOT = Path(__file__).parent.parent


@pytest.fixture
def skeleton(tmp_path, monkeypatch):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Add a claim", 1)[1]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    path = tmp_path / "skeleton_of_contributing.py"
    path.write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return load_file(path)


def test_skeleton_is_consistent_and_its_controls_are_killed(skeleton):
    (claim,) = skeleton.CLAIMS
    assert isinstance(claim, Claim)
    found = run_claim(claim, Laboratory(seeds=32))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert [control["killed"] for control in found["controls"]] == [True] * 3, found["controls"]
    assert found["statement"] == skeleton.T1.statement
    assert found["constants"]["sigma"]["value"] == 0.3
    assert found["tightness"] < 1


def test_skeleton_refuses_what_its_theorem_does_not_cover(skeleton):
    with pytest.raises(ValueError, match="T1 does not apply"):
        skeleton.SETTING.bound(skeleton.T1, skeleton.AT, eta=3.0)
