"""Programs of several processes, started, listened to and ended."""

import os
import re
import subprocess
import sys

PATIENCE = 300  # seconds for what takes one minute on two cores


def started(program, *options):
    """A module of `benchmarks` with these options, its output and its errors in one pipe."""
    flags = re.sub(r"--xla_force_host_platform_device_count=\d+", "", os.environ["XLA_FLAGS"])
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{program}", *map(str, options)],
        env={**os.environ, "XLA_FLAGS": flags, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process, patience=PATIENCE):
    """Its status and what it still wrote."""
    try:
        output, _ = process.communicate(timeout=patience)
    finally:
        process.kill()
    return process.returncode, output


def finished(program, *options):
    """What it wrote; it must end with status 0."""
    status, output = ended(started(program, *options))
    assert status == 0, output
    return output


def until(process, line):
    """What the process wrote up to and with a line that begins so."""
    seen = []
    for written in process.stdout:
        seen.append(written)
        if written.startswith(line):
            return "".join(seen)
    raise AssertionError(f"no line {line!r} in\n{''.join(seen)}")
