"""Training by several processes: the losses of one, resumed anywhere; nobody waits for the dead."""

import os
import re
import shutil
import signal
import time

import numpy as np
import pytest

from benchmarks.local_processes import free_port
from benchmarks.train_on_a_mesh import check_divisible, parsed

from .programs import ended, finished, started, until

STEPS = 30
SMALL = ["--width", "16", "--layers", "1", "--length", "16", "--batch", "8", "--every", "5"]
PROGRAM = "train_on_a_mesh"


def losses(output):
    """Of every step, in the order of the output."""
    return [(int(k), float(x)) for k, x in re.findall(r"^step (\d+) loss (\S+)$", output, re.M)]


@pytest.fixture(scope="module")
def of_one_process():
    output = finished(PROGRAM, *SMALL, "--devices-per-process", 4, "--model", 2, "--steps", STEPS)
    steps, values = zip(*losses(output), strict=True)
    assert steps == tuple(range(STEPS))
    assert values[-1] < values[0] - 1
    return np.array(values)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run of two processes, of which one was killed in the middle."""
    folder = tmp_path_factory.mktemp("run")
    layout = ["--processes", 2, "--devices-per-process", 2, "--model", 2]
    process = started(PROGRAM, *SMALL, *layout, "--steps", 100_000, "--checkpoints", folder)
    seen = until(process, "step 12 ")
    os.kill(int(re.search(r"process 1 has pid (\d+)", seen)[1]), signal.SIGKILL)
    status, output = ended(process, 30)
    assert status == 1
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
            *(PROGRAM, *SMALL),
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
    pair = [started(PROGRAM, *SMALL, *where, "--process-id", i, "--steps", 10**6) for i in range(2)]
    try:
        until(pair[0], "step 3 ")
        pair[victim].send_signal(blow)
        start = time.monotonic()
        status, output = ended(pair[1 - victim])
        assert time.monotonic() - start < 60
        assert status != 0
        assert re.search("Gloo .* failed|JAX distributed service detected fatal errors", output)
    finally:
        for process in pair:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("alone", [0, 1])
def test_a_process_whose_peer_never_comes_up_ends_and_says_for_whom_it_waited(alone):
    where = f"localhost:{free_port()}"
    options = ("--processes", 2, "--process-id", alone, "--coordinator", where, "--timeout", 3)
    process = started(PROGRAM, *SMALL, *options)
    try:
        until(process, f"process {alone} waits 3 seconds for all 2 processes to meet at {where}\n")
        start = time.monotonic()
        status, output = ended(process)
    finally:
        process.kill()
    assert time.monotonic() - start < 60
    assert status != 0
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
