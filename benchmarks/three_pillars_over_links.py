"""Three Pillars and extragradient by several processes: seconds, bytes, and which link pays.

python -m benchmarks.three_pillars_over_links --processes N --tasks TASKS --into DIR

times some steps of each task in N processes. Each of them writes what it saw to a file of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from optzoo.plots import COLOURS, style

from .emulated_link import EmulatedLinks
from .local_processes import run_together
from .progress import progress
from .report import machine, table
from .several_processes import as_processes, parser_of, require_place
from .three_pillars_on_processes import METHODS, parsed, problem_of, workers_of
from .wire import sent_at_sockets

__all__ = ["Link", "Speed", "measure", "pays_below"]

FIGURE = Path(__file__).parent.parent / "docs" / "three_pillars_on_processes.png"
PROCESSES, DIMENSIONS = (2, 4, 8), (100_000, 1_000_000)
ON_LINKS, MEGABITS, LATENCY = 4, (10, 100, 1000), 1e-3
LOCAL_STEPS, ACCURACY = 40, 1e-3
TIMED = 10  # steps, after those that compile

BROADCAST, EVERYWHERE, FULL = "three pillars", "three pillars, server everywhere", "extragradient"
OPTIONS = {
    BROADCAST: ["--local-steps", str(LOCAL_STEPS)],
    EVERYWHERE: ["--local-steps", str(LOCAL_STEPS), "--server-everywhere"],
    FULL: ["--method", "extragradient"],
}


@dataclass(frozen=True)
class Speed:
    """Steps of a method as one process saw them."""

    seconds: float  # the median of a step
    cpu_seconds: float  # of this process, in the mean of the steps
    written: float  # bytes a step, in the mean
    foretold: float


@dataclass(frozen=True)
class Link:
    """What a step takes on a link: what it takes without one, its bytes, and its rounds.

    Args:
        computing: seconds of a step where sending takes no time.
        size: bytes that a process sends in a step.
        rounds: how often a process waits for a message before it sends the next one.
    """

    computing: float
    size: float
    rounds: float

    def seconds(self, bits_per_second: float, latency: float) -> float:
        """Of a step."""
        return self.computing + 8 * self.size / bits_per_second + self.rounds * latency


def rounds(method: str, n: int) -> float:
    """A ring has n - 1 rounds in a gather and twice as many in an all-reduce."""
    if method == FULL:
        return 4 * (n - 1)
    return (n - 1) * (1 + 2 / n + (4 if method == BROADCAST else 0))


def size(method: str, n: int, dimension: int) -> float:
    """Bytes that a process sends a step in float32, in the mean over coins; headers aside."""
    vector = 4 * dimension
    if method == FULL:
        return 4 * (n - 1) / n * vector
    return (n - 1) / n * vector * (1 + 2 / n + (4 if method == BROADCAST else 0))


def pays_below(
    few: Link, many: Link, steps_of_few: int, steps_of_many: int, latency: float
) -> float:
    """The bits per second below which the method with fewer bytes reaches its target first."""
    spared = 8 * (steps_of_many * many.size - steps_of_few * few.size)
    lost = steps_of_few * (few.computing + few.rounds * latency) - steps_of_many * (
        many.computing + many.rounds * latency
    )
    return spared / lost if lost > 0 else np.inf


def measure(
    processes: Sequence[int] = PROCESSES,
    dimensions: Sequence[int] = DIMENSIONS,
    megabits: Sequence[float] = MEGABITS,
    figure: Path | None = FIGURE,
) -> str:
    """Time all methods on a loopback and on emulated links.

    Args:
        processes: numbers of them, on a loopback.
        dimensions: of the problem.
        megabits: a second, of the links between `ON_LINKS` processes.
        figure: where to draw, if anywhere.

    Returns:
        Markdown tables, with what they were measured on.
    """
    where = machine(("jax", "optax"))
    tasks = [[name, d, TIMED] for d in dimensions for name in OPTIONS]
    near = {
        n: dict(zip(map(_key, tasks), _together(n, tasks), strict=True))
        for n in progress(sorted({*processes, ON_LINKS}), "processes on a loopback")
    }
    steps = {n: {name: steps_to_accuracy(name, n) for name in (EVERYWHERE, FULL)} for n in near}
    for n in near:
        steps[n][BROADCAST] = steps[n][EVERYWHERE]  # the same iterates
    small = min(dimensions)
    far: dict[float, Mapping[Any, Speed]] = {}
    for speed in progress(megabits, "Mbit/s"):
        tasks = [[name, small, TIMED] for name in OPTIONS]
        with EmulatedLinks(ON_LINKS, bits_per_second=1e6 * speed, latency=LATENCY) as links:
            found = _together(ON_LINKS, tasks, links)
        far[speed] = dict(zip(map(_key, tasks), found, strict=True))

    rows = [
        [
            name,
            *(f"{n}", f"{d:,}", f"{steps[n][name]}"),
            f"{1e3 * near[n][name, d].seconds:.0f}",
            f"{1e3 * near[n][name, d].cpu_seconds:.0f}",
            f"{size(name, n, d) / 1e6:.3g}",
            f"{near[n][name, d].written / near[n][name, d].foretold - 1:.1e}",
            f"{size(name, n, d) * steps[n][name] / 1e6:,.0f}",
        ]
        for n in processes
        for d in dimensions
        for name in OPTIONS
    ]
    header = (
        *("method", "processes", "d", f"steps to {ACCURACY:g}", "a step (ms)", "CPU (ms)"),
        *("sent a step (MB)", "at the sockets", f"sent to {ACCURACY:g} (MB)"),
    )
    link_rows = []
    for speed in megabits:
        for name in OPTIONS:
            foretold = _link(near, name, ON_LINKS, small, of_cpu=False, coins=False)
            model = foretold.seconds(1e6 * speed, LATENCY)
            took = far[speed][name, small].seconds
            link_rows.append(
                [
                    *(f"{speed:g} Mbit/s", name, f"{1e3 * took:.0f}", f"{1e3 * model:.0f}"),
                    *(f"{took / model:.2f}", f"{took * steps[ON_LINKS][name]:.1f}"),
                ]
            )
    link_header = (
        *("link", "method", "a step (ms)", "model (ms)", "ratio"),
        f"to {ACCURACY:g} (s)",
    )
    paying = [
        [f"{n}", f"{d:,}"]
        + [
            _in_words(
                pays_below(
                    _link(near, EVERYWHERE, n, d, of_cpu=of_cpu),
                    _link(near, FULL, n, d, of_cpu=of_cpu),
                    steps[n][EVERYWHERE],
                    steps[n][FULL],
                    LATENCY,
                )
            )
            for of_cpu in (False, True)
        ]
        for n in processes
        for d in dimensions
    ]
    paying_header = ("processes", "d", "all on this machine", "a core for each")
    if figure is not None:
        _draw(figure, near[ON_LINKS], far, steps[ON_LINKS], small)
    picture = "" if figure is None else "\n\n![](../docs/three_pillars_on_processes.png)"
    return (
        f"{where}\n\n{table(header, rows)}\n\n"
        "The saddle point of `benchmarks/rotating_saddle.py`, mu = 1, delta = 2, L = 30, float32, "
        "one worker a process, gloo over the loopback. Three Pillars has the theorem's numbers but "
        f"H = {LOCAL_STEPS} local steps, tuned by hand; without `everywhere` the server's point and "
        "change are broadcast, and its local steps leave the other processes idle; with it all of "
        "them know F_1 and take the same local steps. Extragradient sums two full vectors a step "
        "and has the step size with the smallest bound. Steps to a relative distance of "
        f"{ACCURACY:g} were counted at d = 4,000, on which they hardly depend. A step is the "
        f"median of {TIMED}; CPU is the mean of a process's, kernel included, of the busiest. Sent "
        "a step: by each process, in the mean over the coins; at the sockets: what the kernel "
        "counted over what was foretold for the coins of these steps, less 1.\n\n"
        f"{table(link_header, link_rows)}\n\n"
        f"{ON_LINKS} processes, d = {small:,}, in networks of their own: every IP packet was "
        "really held back by a relay (`benchmarks/emulated_link.py`) until a link of this speed "
        f"in each direction and {1e3 * LATENCY:g} ms one way would have delivered it. The relay "
        "has its share of the same cores. Model: a step on the loopback + bytes / speed + rounds x "
        "latency. The last column is steps x seconds a step.\n\n"
        f"{table(paying_header, paying)}\n\n"
        "By the model: the speed of the links below which Three Pillars with the server "
        f"everywhere reaches {ACCURACY:g} before extragradient does, latency "
        f"{1e3 * LATENCY:g} ms. The last column takes CPU seconds for the time that a step "
        f"computes, as if each process had a core.{picture}"
    )


def steps_to_accuracy(name: str, n: int, dimension: int = 4000) -> int:
    """Until |z - z*| <= ACCURACY |z*|, all workers in this process."""
    options = parsed([*OPTIONS[name], "--processes", str(n), "--dimension", str(dimension)])
    problem = problem_of(options)
    method = METHODS[options.method](problem, options)
    everywhere = options.server_everywhere
    workers = workers_of(
        problem, method, jnp.dtype(jnp.float32), everywhere=everywhere, in_one_process=True
    )
    z, state = workers.init()
    steps = 0
    while workers.distance(z) > ACCURACY:
        z, state = workers.step(z, state)
        steps += 1
    return steps


def _key(task: Sequence[Any]) -> tuple[str, int]:
    return task[0], task[1]


def _link(
    near: Mapping[int, Mapping[Any, Speed]],
    name: str,
    n: int,
    dimension: int,
    *,
    of_cpu: bool,
    coins: bool = True,
) -> Link:
    """The model of a method; `coins` of 1 / n, or none that fell on a refresh, as in a median."""
    speed = near[n][name, dimension]
    waits, sent = rounds(name, n), size(name, n, dimension)
    if not coins and name != FULL:
        waits -= 2 * (n - 1) / n
        sent -= 2 * (n - 1) / n * 4 * dimension / n
    return Link(speed.cpu_seconds if of_cpu else speed.seconds, sent, waits)


def _in_words(bits_per_second: float) -> str:
    if bits_per_second <= 0:
        return "never"
    return "always" if np.isinf(bits_per_second) else f"{bits_per_second / 1e6:,.0f} Mbit/s"


def _together(
    n: int, tasks: Sequence[Sequence[Any]], links: EmulatedLinks | None = None
) -> list[Speed]:
    """Time the tasks in n processes: the slowest one's clocks, and the mean of their bytes."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--processes", str(n), "--tasks", json.dumps(tasks), "--into", folder]
        command = [sys.executable, "-m", __spec__.name, *arguments]
        if links is None:
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        else:
            where = ["--coordinator", f"{links.address(0)}:7000", "--launched"]
            run_together(
                [links.command(i, [*command, *where, "--process-id", str(i)]) for i in range(n)]
            )
        seen = [json.loads((Path(folder) / f"{i}.json").read_text()) for i in range(n)]
    return [
        Speed(
            seconds=max(one["seconds"] for one in of_task),
            cpu_seconds=max(one["cpu_seconds"] for one in of_task),
            written=float(np.mean([one["written"] for one in of_task])),
            foretold=float(np.mean([one["foretold"] for one in of_task])),
        )
        for of_task in zip(*seen, strict=True)
    ]


def _timed(options: argparse.Namespace) -> None:
    """What one of the processes does."""
    port = int(options.coordinator.rsplit(":")[-1])
    seen = [asdict(_speed(*task, options, port)) for task in json.loads(options.tasks)]
    (Path(options.into) / f"{jax.process_index()}.json").write_text(json.dumps(seen))


def _speed(name: str, dimension: int, timed: int, place: argparse.Namespace, port: int) -> Speed:
    options = parsed(
        [*OPTIONS[name], "--processes", str(place.processes), "--dimension", str(dimension)]
    )
    problem = problem_of(options)
    method = METHODS[options.method](problem, options)
    everywhere = options.server_everywhere
    workers = workers_of(
        problem, method, jnp.dtype(jnp.float32), everywhere=everywhere, in_one_process=False
    )
    z, state = workers.init()
    for _ in range(2):  # the first one compiles and connects
        z, state = workers.step(z, state)
    foretold, (before, _) = method.written(state, z), sent_at_sockets(port)
    computing, seconds = time.process_time(), []
    for _ in range(timed):
        start = time.perf_counter()
        z, state = workers.step(z, state)
        seconds.append(time.perf_counter() - start)
    computing = time.process_time() - computing
    after, _ = sent_at_sockets(port)
    return Speed(
        seconds=float(np.median(seconds)),
        cpu_seconds=computing / timed,
        written=(after - before) / timed,
        foretold=(method.written(state, z) - foretold) / timed,
    )


def _draw(
    figure: Path,
    near: Mapping[Any, Speed],
    far: Mapping[float, Mapping[Any, Speed]],
    steps: Mapping[str, int],
    dimension: int,
) -> None:
    """Seconds to the accuracy against the speed of the links: the model and what was measured."""
    speeds = np.geomspace(1, 1e5, 200)
    looks = {
        BROADCAST: ("mean", ":", "s"),
        EVERYWHERE: ("mean", "-", "o"),
        FULL: ("bound", "--", "^"),
    }
    with style():
        picture = Figure(figsize=(6.4, 3.8), dpi=120, layout="constrained")
        ax = picture.add_subplot()
        for name, (colour, dashes, marker) in looks.items():
            link = _link({ON_LINKS: near}, name, ON_LINKS, dimension, of_cpu=False)
            model = [steps[name] * link.seconds(1e6 * speed, LATENCY) for speed in speeds]
            ax.plot(speeds, model, dashes, color=COLOURS[colour], label=name)
            took = [steps[name] * found[name, dimension].seconds for found in far.values()]
            ax.plot(list(far), took, marker, color=COLOURS[colour])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(f"speed of the links (Mbit/s), latency {1e3 * LATENCY:g} ms")
        ax.set_ylabel(f"seconds to {ACCURACY:g}")
        ax.set_title(f"{ON_LINKS} processes, d = {dimension:,}: model (lines), measured (marks)")
        ax.legend()
        picture.savefig(figure)


def main(arguments: Sequence[str]) -> int:
    parser = parser_of("three_pillars_over_links", __doc__)
    parser.add_argument("--tasks", required=True, help="JSON: a list of [method, d, steps]")
    parser.add_argument("--into", required=True, metavar="DIR", help="where the files go")
    options = parser.parse_args(arguments)
    require_place(parser, options)
    return as_processes("three_pillars_over_links", arguments, options, _timed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
