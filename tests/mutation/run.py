"""`make mutation`: plants each fault of `faults.py` in a copy and runs the tests that should die.

Every fault gets a process of its own, forked from one that has imported what is slow to import,
so a fault costs little more than its tests. The working tree is not touched.

    python tests/mutation/run.py [WORD ...]     # the faults whose file or text has all the words
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED_FOLDERS = ("optzoo", "problems", "plots", "theory_checks", "benchmarks", "tests", "docs")
SEED_FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md")
TIME_LIMIT = 300


def copied(folder: Path) -> Path:
    """The sources, laid out so that they come before an installed copy."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in SEED_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in SEED_FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in ("problems", "plots"):  # imported as optzoo.problems and optzoo.plots
        (folder / "optzoo" / name).symlink_to(folder / name)
    return folder


def found(folder: Path, suffix: str) -> Path:
    """The one file whose path ends so: files may move, their names say what they are."""
    places = [
        path
        for path in folder.rglob(Path(suffix).name)
        if str(path).endswith(f"/{suffix}") and not path.is_relative_to(folder / "optzoo/problems")
    ]
    if len(places) != 1:
        raise SystemExit(f"{suffix} names {len(places)} files: {places}")
    return places[0]


def planted(text: str, old: str, new: str, where: str) -> str:
    """The text with the fault; `old` must be there once."""
    if text.count(old) != 1:
        raise SystemExit(f"{where}: {old!r} is there {text.count(old)} times, not once")
    return text.replace(old, new)


def killed(folder: Path, tests: tuple[str, ...], *, aloud: bool = False) -> bool:
    """Whether a test fails, in a process forked from here; one that hangs has failed.

    `aloud` is for the tests without a fault: all of them, and what they print.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in () if aloud else (1, 2):
            os.dup2(silence, stream)
        os.chdir(folder)
        import pytest

        status = pytest.main(["-x", "-q", "-n0", "-p", "no:cacheprovider", *tests])
        os._exit(0 if status == 0 else 3 if status == 1 else 4)
    deadline = time.monotonic() + TIME_LIMIT * (10 if aloud else 1)
    while time.monotonic() < deadline:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
            # 4: a file that cannot be imported any more; the import is the test that fails.
            return status != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> None:
    """Plants the faults, one after another, and lists those that no test notices."""
    sys.path.insert(0, str(Path(__file__).parent))
    from faults import ACCEPTED, FAULTS

    words = sys.argv[1:]
    chosen = [f for f in FAULTS if all(word in " ".join((f.file, f.old, f.new)) for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = copied(Path(name))
        sys.path.insert(0, str(folder))
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        os.chdir(folder)
        # Slow, and none of it is ours; no backend is started, which would not survive a fork.
        import jax  # noqa: F401
        import matplotlib.figure  # noqa: F401
        import optax  # noqa: F401
        import pytest  # noqa: F401
        import scipy.stats  # noqa: F401

        every = tuple(sorted({test for fault in chosen for test in fault.tests}))
        if killed(folder, every, aloud=True):
            raise SystemExit(f"tests fail without a fault: {' '.join(every)}")
        survivors = []
        for number, fault in enumerate(chosen, start=1):
            path = found(folder, fault.file)
            whole = path.read_text(encoding="utf-8")
            path.write_text(planted(whole, fault.old, fault.new, fault.file), encoding="utf-8")
            begun = time.monotonic()
            dead = killed(folder, fault.tests)
            path.write_text(whole, encoding="utf-8")
            if not dead:
                survivors.append(fault)
            print(
                f"[{number}/{len(chosen)}] {'killed  ' if dead else 'SURVIVED'} {fault.file}: "
                f"{fault.old.strip()!r} -> {fault.new.strip()!r} "
                f"({time.monotonic() - begun:.1f} s)",
                flush=True,
            )
    share = 1 - len(survivors) / max(len(chosen), 1)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} faults killed, {share:.1%}")
    for fault in survivors:
        reason = ACCEPTED.get((fault.file, fault.new), "no reason known: a test is missing")
        print(f"survived: {fault.file}: {fault.new.strip()!r}: {reason}")
    sys.exit(0 if share >= 0.95 else 1)


if __name__ == "__main__":
    main()
