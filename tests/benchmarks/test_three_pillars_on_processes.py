"""Three Pillars by several processes: iterates of one, bytes as foretold; nobody waits for ever."""

import os
import re
import shutil
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from benchmarks.local_processes import free_port
from benchmarks.three_pillars_on_processes import (
    METHODS,
    parsed,
    problem_of,
    require_one_device_each,
)
from optzoo.compressors import PermK

from .programs import ended, finished, started, until

STEPS = 24
SMALL = ["--dimension", "4800", "--dtype", "float64", "--local-steps", "40", "--every", "5"]
PROGRAM = "three_pillars_on_processes"


def distances(output):
    """After every step, in the order of the output."""
    return {int(k): float(x) for k, x in re.findall(r"^step (\d+) distance (\S+)$", output, re.M)}


def last_words(output):
    """Process -> the workers whose rows it made, the bytes that it wrote, those foretold."""
    line = (
        r"^process (\d+) made the rows of \[(.*)\]; in \d+ steps it wrote (\d+) bytes to the "
        r"others, (\d+) were foretold, and \d+ to the coordinator$"
    )
    return {
        int(i): ([int(j) for j in rows.split(", ")], int(written), int(foretold))
        for i, rows, written, foretold in re.findall(line, output, re.M)
    }


def in_rings(n, message, refresh, downlink, *, steps, all_reduces):
    """The documented formula: bytes that each of n processes writes."""
    payload = (n - 1) * message + 2 * (n - 1) / n * (refresh + downlink)
    return payload + 288 * (n - 1) * steps + 576 * (n - 1) * all_reduces


@pytest.mark.parametrize(
    ("n", "options"),
    [
        (3, []),
        (2, ["--server-everywhere"]),
        (4, ["--dimension", "4804", "--server-everywhere", "--dtype", "float32"]),
    ],
    ids=["the server broadcasts", "the server everywhere", "blocks of another size"],
)
def test_processes_have_the_iterates_of_one_and_write_what_is_foretold(tmp_path, n, options):
    options = [*SMALL, *options, "--processes", n, "--steps", STEPS, "--result"]
    output = finished(PROGRAM, *options, tmp_path / "several.npy")
    alone = finished(PROGRAM, *options, tmp_path / "one.npy", "--in-one-process")
    several, one = np.load(tmp_path / "several.npy"), np.load(tmp_path / "one.npy")
    assert several.dtype == one.dtype == (np.float32 if "float32" in options else np.float64)
    np.testing.assert_allclose(several, one, rtol=0, atol=1000 * np.finfo(one.dtype).eps)
    assert np.abs(one).max() > 0.5
    assert list(distances(output)) == list(distances(alone)) == list(range(STEPS))
    assert distances(alone)[STEPS - 1] < 0.5

    words = last_words(output)
    assert sorted(words) == list(range(n))
    everywhere = "--server-everywhere" in options
    for i, (made, written, foretold) in words.items():
        assert made == (sorted({0, i}) if everywhere else [i])  # no data but a worker's own
        assert abs(written / foretold - 1) < 1e-3  # and the target is 5%
        if "4804" not in options:
            assert written == foretold  # 2 n divides d: no segment is rounded


def test_what_is_foretold_is_the_documented_formula_of_bytes_sent():
    for n, dimension, extra in [(3, 4800, []), (8, 10**4, ["--server-everywhere"])]:
        options = parsed(["--processes", str(n), "--dimension", str(dimension), *extra])
        method = METHODS["three_pillars"](problem_of(options), options)
        z = jnp.zeros(dimension, jnp.float32)
        state = method.transformation.init(z)._replace(
            steps=jnp.int32(50), refreshes=jnp.int32(9), broadcasts=jnp.int32(0 if extra else 50)
        )
        sent = optzoo.bytes_sent(state, z, PermK(n))
        all_reduces = 9 + (0 if extra else 100)
        stated = in_rings(n, *sent, steps=50, all_reduces=all_reduces)
        assert method.written(state, z) == pytest.approx(stated, rel=1e-12)
        assert sent.uplink_message == 50 * 4 * -(-dimension // n)


def test_extragradient_writes_two_all_reduces_of_full_vectors_a_step(tmp_path):
    options = [*SMALL[:4], "--method", "extragradient", "--processes", 2, "--steps", STEPS]
    words = last_words(finished(PROGRAM, *options))
    for written, foretold in [words[0][1:], words[1][1:]]:
        assert (
            written == foretold == STEPS * in_rings(2, 0, 2 * 8 * 4800, 0, steps=0, all_reduces=2)
        )


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run of three processes, of which one was killed in the middle."""
    folder = tmp_path_factory.mktemp("run")
    process = started(PROGRAM, *SMALL, "--processes", 3, "--steps", 10**6, "--checkpoints", folder)
    seen = until(process, "step 12 ")
    os.kill(int(re.search(r"process 2 has pid (\d+)", seen)[1]), signal.SIGKILL)
    status, output = ended(process, 30)
    assert status == 1
    assert re.search(r"process 2 of 3 was killed by SIGKILL.*the others were ended$", output, re.M)
    return folder


def test_a_killed_run_continues_as_if_it_had_not_been(killed, tmp_path):
    folder = shutil.copytree(killed, tmp_path / "run")
    before = distances((folder / "distances.txt").read_text())
    options = [*SMALL, "--processes", 3, "--steps", STEPS, "--result"]
    output = finished(PROGRAM, *options, tmp_path / "resumed.npy", "--checkpoints", folder)
    alone = finished(PROGRAM, *options, tmp_path / "one.npy", "--in-one-process")
    resumed = distances(output)
    assert 5 <= min(resumed) <= max(before)
    assert max(resumed) == STEPS - 1
    np.testing.assert_allclose(
        np.load(tmp_path / "resumed.npy"), np.load(tmp_path / "one.npy"), rtol=0, atol=1e-12
    )
    uninterrupted = distances(alone)
    for step, distance in [*before.items(), *resumed.items()]:
        if step < STEPS:
            assert distance == pytest.approx(uninterrupted[step], rel=1e-7), step
    assert all(written == foretold for _, written, foretold in last_words(output).values())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (["--processes", 2], "with --processes 3, which cannot continue with --processes 2:"),
        (["--local-steps", 50], "with --local-steps 40, which cannot continue with"),
    ],
    ids=["processes", "local steps"],
)
def test_a_run_does_not_continue_as_another_one(killed, change, error):
    status, output = ended(
        started(
            PROGRAM, *SMALL, "--processes", 3, *change, "--steps", STEPS, "--checkpoints", killed
        )
    )
    assert status == 1
    assert error in output
    assert not distances(output)


@pytest.mark.parametrize(
    ("victim", "blow"), [(1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGSTOP)], ids=str
)
def test_without_a_launcher_all_survivors_of_a_dead_or_silent_process_end(victim, blow):
    where = ["--processes", 3, "--coordinator", f"localhost:{free_port()}", "--timeout", 20]
    three = [
        started(PROGRAM, *SMALL, *where, "--process-id", i, "--steps", 10**6) for i in range(3)
    ]
    try:
        until(three[0], "step 3 ")
        three[victim].send_signal(blow)
        start = time.monotonic()
        for survivor in set(range(3)) - {victim}:
            status, output = ended(three[survivor])
            assert status != 0
            by_gloo = f"process {survivor} of 3 ends, because another one has died"
            assert by_gloo in output or "JAX distributed service detected fatal errors" in output
        assert time.monotonic() - start < 60
    finally:
        for process in three:
            process.kill()
            process.communicate()


def test_processes_whose_peer_never_comes_up_end_and_say_for_whom_they_waited():
    where = f"localhost:{free_port()}"
    options = ("--processes", 3, "--coordinator", where, "--timeout", 3)
    two = [started(PROGRAM, *options, "--process-id", i) for i in (0, 2)]
    try:
        for i, process in zip((0, 2), two, strict=True):
            until(process, f"process {i} waits 3 seconds for all 3 processes to meet at {where}\n")
        start = time.monotonic()
        for process in two:
            status, output = ended(process)
            assert status != 0
            assert "DEADLINE_EXCEEDED" in output
        assert time.monotonic() - start < 60
    finally:
        for process in two:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--process-id", "1"], "--coordinator and --process-id go together"),
        (["--processes", "1"], "num_workers must be at least 2, got 1."),
        (["--dimension", "10"], "dimension must be a positive multiple of 4"),
        (["--local-steps", "0"], "--local-steps must be at least 1, got 0"),
        (["--in-one-process", "--checkpoints", "x"], "goes with neither --coordinator nor"),
        (["--method", "extragradient", "--local-steps", "3"], "extragradient has neither"),
        (["--method", "extragradient", "--server-everywhere"], "extragradient has neither"),
        (["--method", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_options_that_do_not_fit_are_refused(capsys, options, error):
    with pytest.raises(SystemExit):
        parsed(options)
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(("local", "all_of_them"), [(2, 4), (1, 3)], ids=["here", "elsewhere"])
def test_processes_with_several_devices_are_refused(monkeypatch, local, all_of_them):
    monkeypatch.setattr(jax, "local_device_count", lambda: local)
    monkeypatch.setattr(jax, "device_count", lambda: all_of_them)
    with pytest.raises(ValueError, match=rf"each of the 2 processes.*has {local} of {all_of_them}"):
        require_one_device_each(2)
