"""Training by several processes: the losses of one, resumed anywhere; nobody waits for the dead."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks.local_processes import free_port
from benchmarks.train_on_a_mesh import check_divisible, parsed

STEPS = 30
SMALL = ["--width", "16", "--layers", "1", "--length", "16", "--batch", "8", "--every", "5"]
PATIENCE = 300  # seconds for what takes one minute on two cores


def started(*options):
    """The program with these options, its output and its errors in one pipe."""
    flags = re.sub(r"--xla_force_host_platform_device_count=\d+", "", os.environ["XLA_FLAGS"])
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.train_on_a_mesh", *SMALL, *map(str, options)],
        env={**os.environ, "XLA_FLAGS": flags, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(*options):
    process = started(*options)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output


def until(process, line):
    """What the process wrote up to and with a line that begins so."""
    seen = []
    for written in process.stdout:
        seen.append(written)
        if written.startswith(line):
            return "".join(seen)
    raise AssertionError(f"no line {line!r} in\n{''.join(seen)}")


def losses(output):
    """Of every step, in the order of the output."""
    return [(int(k), float(x)) for k, x in re.findall(r"^step (\d+) loss (\S+)$", output, re.M)]


@pytest.fixture(scope="module")
def of_one_process():
    output = finished("--devices-per-process", 4, "--model", 2, "--steps", STEPS)
    steps, values = zip(*losses(output), strict=True)
    assert steps == tuple(range(STEPS))
    assert values[-1] < values[0] - 1
    return np.array(values)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run of two processes, of which one was killed in the middle."""
    folder = tmp_path_factory.mktemp("run")
    layout = ["--processes", 2, "--devices-per-process", 2, "--model", 2]
    process = started(*layout, "--steps", 100_000, "--checkpoints", folder)
    seen = until(process, "step 12 ")
    os.kill(int(re.search(r"process 1 has pid (\d+)", seen)[1]), signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.search(r"process 1 of 2 was killed by SIGKILL.*the others were ended$", output, re.M)
    return folder


@pytest.mark.parametrize(
    "layout",
    [(2, 2, 2), (1, 2, 1)],
    ids=["as it was", "on another number of processes and devices"],
)
def test_a_killed_run_continues_with_the_losses_of_an_uninterrupted_one_of_one_process(
    of_one_process, killed, tmp_path, layout
):
    folder = shutil.copytree(killed, tmp_path / "run")
    processes, devices, model = layout
    before = losses((folder / "losses.txt").read_text())
    resumed = losses(
        finished(
            *("--processes", processes, "--devices-per-process", devices, "--model", model),
            *("--steps", STEPS, "--checkpoints", folder),
        )
    )
    assert 5 <= resumed[0][0] <= before[-1][0]
    assert resumed[-1][0] == STEPS - 1
    assert losses((folder / "losses.txt").read_text()) == before + resumed
    for step, loss in before[:STEPS] + resumed:
        assert abs(loss / of_one_process[step] - 1) < 1e-5, step  # 20 ulp and fewer are usual


@pytest.mark.parametrize(
    ("victim", "blow"), [(1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGSTOP)], ids=str
)
def test_without_a_launcher_the_survivor_of_a_dead_or_silent_process_ends(victim, blow):
    where = ["--processes", 2, "--coordinator", f"localhost:{free_port()}", "--timeout", 20]
    pair = [started(*where, "--process-id", i, "--steps", 10**6) for i in range(2)]
    try:
        until(pair[0], "step 3 ")
        pair[victim].send_signal(blow)
        start = time.monotonic()
        output, _ = pair[1 - victim].communicate(timeout=PATIENCE)
        assert time.monotonic() - start < 60
        assert pair[1 - victim].returncode != 0
        assert re.search("Gloo .* failed|JAX distributed service detected fatal errors", output)
    finally:
        for process in pair:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("alone", [0, 1])
def test_a_process_whose_peer_never_comes_up_ends_and_says_for_whom_it_waited(alone):
    where = f"localhost:{free_port()}"
    options = ("--processes", 2, "--process-id", alone, "--coordinator", where, "--timeout", 3)
    process = started(*options)
    try:
        until(process, f"process {alone} waits 3 seconds for all 2 processes to meet at {where}\n")
        start = time.monotonic()
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert time.monotonic() - start < 60
    assert process.returncode != 0
    assert "DEADLINE_EXCEEDED" in output


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--model", "3"], "--model 3 must divide the 8 devices"),
        (["--batch", "12"], "--batch 12 must be a multiple of the 8 parts"),
        (["--width", "18"], "--width 18 must be a multiple of 4 heads"),
    ],
)
def test_what_does_not_fit_the_mesh_is_refused(options, error):
    with pytest.raises(ValueError, match=error):
        check_divisible(parsed(options))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--process-id", "1"], "--coordinator and --process-id go together"),
        (["--coordinator", "x:1", "--process-id", "1"], "--process-id must be in [0, 1), got 1"),
    ],
)
def test_a_process_without_its_place_is_refused(capsys, options, error):
    with pytest.raises(SystemExit):
        parsed(options)
    assert error in capsys.readouterr().err
