r"""Three Pillars and extragradient by several processes: seconds, bytes, and which link pays.

python -m benchmarks.three_pillars_over_links --tasks TASKS --into DIR --processes N \
    --process-id I --coordinator HOST:PORT

times some steps of each task in one of N processes, which writes what it saw to DIR/I.json.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from .emulated_link import EmulatedLinks
from .local_processes import free_port, run_together
from .progress import progress
from .report import machine, table
from .several_processes import as_processes, parser_of, require_place
from .three_pillars_on_processes import METHODS, Method, Workers, parsed, problem_of, workers_of
from .wire import sent_at_sockets

__all__ = ["Link", "link", "measure", "pays_below"]

FIGURE = Path(__file__).parent.parent / "docs" / "three_pillars_on_processes.png"
LATENCY = 1e-3  # of the links, in seconds
LOCAL_STEPS, ACCURACY = 40, 1e-3
TIMED = 6  # steps without a refresh, after those that compile

BROADCAST, EVERYWHERE, FULL = "three pillars", "three pillars, server everywhere", "extragradient"
OPTIONS = {
    BROADCAST: ["--local-steps", str(LOCAL_STEPS)],
    EVERYWHERE: ["--local-steps", str(LOCAL_STEPS), "--server-everywhere"],
    FULL: ["--method", "extragradient"],
}


@dataclass(frozen=True)
class Speed:
    """Steps of a method as one process saw them."""

    seconds: float  # medians of steps with and without a refresh, weighted by their chances
    cpu_seconds: float  # of this process, in the mean of the steps
    written: float  # bytes a step, in the mean
    foretold: float


Speeds: TypeAlias = dict[tuple[str, int], Speed]  # (method, dimension) -> ...
Near: TypeAlias = Mapping[int, Speeds]  # number of processes -> ...
Steps: TypeAlias = Mapping[int, Mapping[str, int]]  # number of processes, method -> ...


@dataclass(frozen=True)
class Link:
    """What a step takes on a link: what it takes without one, its bytes, and its rounds.

    Args:
        computing: seconds of a step where sending takes no time.
        size: bytes that a process sends in a step.
        rounds: how often a process waits for a message before it sends the next one. It costs two
            latencies: gloo's receiver asks for a message when it is ready, and then it is sent.
    """

    computing: float
    size: float
    rounds: float

    def seconds(self, bits_per_second: float, latency: float) -> float:
        """Of a step."""
        return self.computing + 8 * self.size / bits_per_second + 2 * self.rounds * latency


def link(method: str, n: int, dimension: int, computing: float) -> Link:
    """A step in float32, in the mean over its coin, whose chance of a refresh is 1 / n.

    In a ring a gather of vectors' n-th parts has n - 1 rounds, in each of which a process sends
    such a part, and an all-reduce of a vector has twice as many. Headers are left out.
    """
    all_reduces = 2.0 if method == FULL else 1 / n + 2 * (method == BROADCAST)
    gathers = 0 if method == FULL else 1
    waits = (n - 1) * (gathers + 2 * all_reduces)
    return Link(computing, waits * 4 * dimension / n, waits)


def pays_below(
    few: Link, many: Link, steps_of_few: int, steps_of_many: int, latency: float
) -> float:
    """The bits per second below which the first method reaches its target first; 0 for never."""
    spared = 8 * (steps_of_many * many.size - steps_of_few * few.size)
    if spared <= 0:
        return 0.0
    lost = steps_of_few * few.seconds(np.inf, latency) - steps_of_many * many.seconds(
        np.inf, latency
    )
    return spared / lost if lost > 0 else np.inf


def measure(
    processes: Sequence[int] = (2, 4, 8),
    dimensions: Sequence[int] = (100_000, 1_000_000),
    megabits: Sequence[float] = (10, 100, 1000),
    on_links: int = 4,
    figure: Path | None = FIGURE,
) -> str:
    """Time all methods on a loopback and on emulated links.

    Args:
        processes: numbers of them, on a loopback.
        dimensions: of the problem; the least of them on links.
        megabits: a second, of the links.
        on_links: how many processes are on links, one of `processes`.
        figure: where to draw, if anywhere.

    Returns:
        Markdown tables, with what they were measured on.
    """
    where = machine(("jax", "optax"))
    near = {n: _together(n, dimensions) for n in progress(processes, "processes on the loopback")}
    steps = {}
    for n in processes:
        # The server everywhere or not, the iterates are the same.
        of_three_pillars = steps_to_accuracy(EVERYWHERE, n)
        steps[n] = {
            **dict.fromkeys((BROADCAST, EVERYWHERE), of_three_pillars),
            FULL: steps_to_accuracy(FULL, n),
        }
    small, far = min(dimensions), {}
    for speed in progress(megabits, "Mbit/s"):
        with EmulatedLinks(on_links, bits_per_second=1e6 * speed, latency=LATENCY) as links:
            far[speed] = _together(on_links, [small], links)
    if figure is not None:
        _draw(figure, near[on_links], far, steps[on_links], on_links, small)
    picture = "" if figure is None else "\n\n![](../docs/three_pillars_on_processes.png)"
    return (
        f"{where}\n\n{_near_table(near, steps)}\n\n"
        "The saddle point of `benchmarks/rotating_saddle.py`, mu = 1, delta = 2, L = 30, float32, "
        "one worker a process, gloo over the loopback. Three Pillars has the theorem's numbers, "
        f"but H = {LOCAL_STEPS} local steps, tuned by hand. Server everywhere: all processes know "
        "F_1 and take the same local steps; else one takes them, the others wait, and its point "
        "and change are broadcast. Extragradient sums two full vectors a step; its step size has "
        f"the smallest bound. Steps to a relative distance of {ACCURACY:g} were counted at d = "
        f"4,000; they hardly depend on d. A step: the median of {TIMED} without a refresh and that "
        "of 2 or more with one, weighted by their chances; CPU: of the busiest process, its "
        "kernel's share included, in the mean. Sent a step: by each process, in the "
        "mean over the coins. Sockets: what the kernel counted over what was foretold for the "
        "coins of the steps that were timed.\n\n"
        f"{_far_table(near[on_links], far, steps[on_links], on_links, small)}\n\n"
        f"{on_links} processes, d = {small:,}, each in a network of its own: a relay "
        "(`benchmarks/emulated_link.py`) really holds every IP packet back until links of this "
        f"speed in each direction, {1e3 * LATENCY:g} ms one way, would have delivered it. Relay "
        "and processes share the machine's cores. Model: a step on the loopback + bytes / "
        "speed + 2 x rounds x latency. The last column is steps x a step.\n\n"
        f"{_paying_table(near, steps)}\n\n"
        "By the model: links slower than this are those on which Three Pillars, the server "
        f"everywhere, reaches {ACCURACY:g} before extragradient does; latency "
        f"{1e3 * LATENCY:g} ms. On this machine: a step computes as long as it takes on the "
        "loopback. With a core for each: as long as the busiest process's CPU seconds; where the "
        "machine was busy, read this one."
        f"{picture}"
    )


def _near_table(near: Near, steps: Steps) -> str:
    header = (
        *("method", "processes", "d", f"steps to {ACCURACY:g}", "a step (ms)", "CPU (ms)"),
        *("sent a step (MB)", "sockets", f"sent to {ACCURACY:g} (MB)"),
    )
    rows = []
    for n, speeds in near.items():
        for (name, d), speed in speeds.items():
            sent = link(name, n, d, 0.0).size / 1e6
            rows.append(
                [
                    *(name, n, f"{d:,}", steps[n][name], f"{1e3 * speed.seconds:.0f}"),
                    *(f"{1e3 * speed.cpu_seconds:.0f}", f"{sent:.3g}"),
                    *(f"{speed.written / speed.foretold:.4f}", f"{sent * steps[n][name]:,.0f}"),
                ]
            )
    return table(header, rows)


def _far_table(
    near: Speeds, far: Mapping[float, Speeds], steps: Mapping[str, int], n: int, dimension: int
) -> str:
    header = (*("link", "method", "a step (ms)", "model (ms)", "ratio", f"to {ACCURACY:g} (s)"),)
    rows = []
    for megabits, speeds in far.items():
        for (name, d), speed in speeds.items():
            model = link(name, n, d, near[name, d].seconds)
            foretold = model.seconds(1e6 * megabits, LATENCY)
            rows.append(
                [
                    *(f"{megabits:g} Mbit/s", name, f"{1e3 * speed.seconds:.0f}"),
                    *(f"{1e3 * foretold:.0f}", f"{speed.seconds / foretold:.2f}"),
                    f"{steps[name] * speed.seconds:.1f}",
                ]
            )
    return table(header, rows)


def _paying_table(near: Near, steps: Steps) -> str:
    rows = []
    for n, speeds in near.items():
        for d in sorted({d for _, d in speeds}):
            row: list[object] = [n, f"{d:,}"]
            for clock in ("seconds", "cpu_seconds"):
                few, many = (
                    link(name, n, d, getattr(speeds[name, d], clock)) for name in (EVERYWHERE, FULL)
                )
                speed = pays_below(few, many, steps[n][EVERYWHERE], steps[n][FULL], LATENCY)
                row.append("always" if np.isinf(speed) else f"{speed / 1e6:,.0f} Mbit/s")
            rows.append(row)
    return table(("processes", "d", "on this machine", "with a core for each"), rows)


def steps_to_accuracy(name: str, n: int, dimension: int = 4000) -> int:
    """Until |z - z*| <= ACCURACY |z*|, all workers in this process."""
    _, workers = _workers(name, n, dimension, in_one_process=True)
    z, state = workers.init()
    steps = 0
    while workers.distance(z) > ACCURACY:
        z, state = workers.step(z, state)
        steps += 1
    return steps


def _workers(name: str, n: int, dimension: int, *, in_one_process: bool) -> tuple[Method, Workers]:
    options = parsed([*OPTIONS[name], "--processes", str(n), "--dimension", str(dimension)])
    problem = problem_of(options)
    method = METHODS[options.method](problem, options)
    everywhere = options.server_everywhere
    return method, workers_of(
        problem,
        method,
        jnp.dtype(jnp.float32),
        everywhere=everywhere,
        in_one_process=in_one_process,
    )


def _together(n: int, dimensions: Sequence[int], links: EmulatedLinks | None = None) -> Speeds:
    """Time all methods in n processes: the slowest one's clocks, and the mean of their bytes."""
    tasks = [(name, d) for d in dimensions for name in OPTIONS]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--processes", str(n), "--tasks", json.dumps(tasks), "--into", folder]
        port = free_port() if links is None else 7000  # which is free in a network of one's own
        host = "localhost" if links is None else links.address(0)
        commands = []
        for i in range(n):
            where = ["--coordinator", f"{host}:{port}", "--process-id", str(i), "--launched"]
            command = [sys.executable, "-m", __spec__.name, *arguments, *where]
            commands.append(command if links is None else links.command(i, command))
        # One device each, whatever this process has.
        flags = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
        run_together(commands, environment=os.environ | flags)
        seen = [json.loads((Path(folder) / f"{i}.json").read_text()) for i in range(n)]
    return {
        task: Speed(
            seconds=max(one["seconds"] for one in of_task),
            cpu_seconds=max(one["cpu_seconds"] for one in of_task),
            written=float(np.mean([one["written"] for one in of_task])),
            foretold=float(np.mean([one["foretold"] for one in of_task])),
        )
        for task, of_task in zip(tasks, zip(*seen, strict=True), strict=True)
    }


def _timed(options: argparse.Namespace) -> None:
    """What one of the processes does."""
    port = int(options.coordinator.rsplit(":")[-1])
    seen = [asdict(_speed(*task, options, port)) for task in json.loads(options.tasks)]
    (Path(options.into) / f"{jax.process_index()}.json").write_text(json.dumps(seen))


def _speed(name: str, dimension: int, place: argparse.Namespace, port: int) -> Speed:
    method, workers = _workers(name, place.processes, dimension, in_one_process=False)
    z, state = workers.init()
    for _ in range(2):  # the first one compiles and connects
        z, state = workers.step(z, state)
    foretold, (before, _) = method.written(state, z), sent_at_sockets(port)
    computing = time.process_time()
    plain, refreshing = list[float](), list[float]()
    # The coins are the same for all processes and in all runs.
    while len(plain) < TIMED or (name != FULL and len(refreshing) < 2):
        refreshes = int(getattr(state, "refreshes", 0))
        start = time.perf_counter()
        z, state = workers.step(z, state)
        took = time.perf_counter() - start
        refreshed = int(getattr(state, "refreshes", 0)) > refreshes
        (refreshing if refreshed else plain).append(took)
    computing = time.process_time() - computing
    after, _ = sent_at_sockets(port)
    timed, chance = len(plain) + len(refreshing), bool(refreshing) / place.processes
    seconds = (1 - chance) * np.median(plain)
    if refreshing:
        seconds += chance * np.median(refreshing)
    return Speed(
        seconds=float(seconds),
        cpu_seconds=computing / timed,
        written=(after - before) / timed,
        foretold=(method.written(state, z) - foretold) / timed,
    )


def _draw(
    figure: Path,
    near: Speeds,
    far: Mapping[float, Speeds],
    steps: Mapping[str, int],
    n: int,
    dimension: int,
) -> None:
    """Seconds to the accuracy against the speed of the links: the model and what was measured."""
    from matplotlib.figure import Figure  # not in the processes that are timed

    from optzoo.plots import COLOURS, style

    megabits = np.geomspace(1, 1e5, 200)
    looks = {
        BROADCAST: ("fit", ":", "s"),
        EVERYWHERE: ("mean", "-", "o"),
        FULL: ("bound", "--", "^"),
    }
    with style():
        picture = Figure(figsize=(6.4, 3.8), dpi=120, layout="constrained")
        ax = picture.add_subplot()
        for name, (colour, dashes, marker) in looks.items():
            model = link(name, n, dimension, near[name, dimension].seconds)
            foretold = [steps[name] * model.seconds(1e6 * speed, LATENCY) for speed in megabits]
            ax.plot(megabits, foretold, dashes, color=COLOURS[colour], label=name)
            took = [steps[name] * speeds[name, dimension].seconds for speeds in far.values()]
            ax.plot(list(far), took, marker, color=COLOURS[colour])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(f"speed of the links (Mbit/s), latency {1e3 * LATENCY:g} ms")
        ax.set_ylabel(f"seconds to a distance of {ACCURACY:g}")
        ax.set_title(f"{n} processes, d = {dimension:,}: model (lines) and measured (marks)")
        ax.legend()
        picture.savefig(figure)


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("three_pillars_over_links", __doc__)
    parser.add_argument("--tasks", required=True, help="JSON: a list of [method, d]")
    parser.add_argument("--into", required=True, metavar="DIR", help="where the files go")
    options = parser.parse_args(arguments)
    require_place(parser, options)
    return as_processes("three_pillars_over_links", arguments, options, _timed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
