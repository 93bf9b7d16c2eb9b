"""The planted faults of `make mutation` still fit the code that they are planted in."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "mutation"))

from faults import ACCEPTED, FAULTS  # noqa: E402
from run import ROOT, SEED_FOLDERS, planted  # noqa: E402


def test_every_fault_can_be_planted_and_has_tests():
    files = {}
    for name in SEED_FOLDERS:
        for path in (ROOT / name).rglob("*.py"):
            files.setdefault(path.name, []).append(path)
    for fault in FAULTS:
        places = [p for p in files[Path(fault.file).name] if str(p).endswith(f"/{fault.file}")]
        assert len(places) == 1, fault.file
        text = places[0].read_text(encoding="utf-8")
        assert planted(text, fault.old, fault.new, fault.file) != text
        for test in fault.tests:
            assert (ROOT / test.partition("::")[0]).exists(), test


def test_faults_are_many_and_different():
    assert len(FAULTS) >= 150
    assert len({(fault.file, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS)
    assert set(ACCEPTED) <= {(fault.file, fault.new) for fault in FAULTS}
