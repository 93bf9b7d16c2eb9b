"""What programs of several jax processes share: options, start, end, and checkpoints.

A program takes its parser from `parser_of` and gives its work to `as_processes`, which starts all
processes on this machine, or, with `--coordinator`, is one of them. If one dies or never comes up,
every other one ends within `--timeout` seconds and says so.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from .local_processes import ProcessDied, end_with_launcher, free_port, run_together

__all__ = ["Checkpoints", "as_processes", "parser_of", "require_place", "say"]


class Checkpoints:
    """The newest checkpoints of a run and its log, in a folder; nowhere without one.

    Args:
        folder: on a disk that all processes see.
        every: steps from a checkpoint to the next.
        log: the name of a file in the folder, to which process 0 appends.
        record: option -> its value; a run continues only with the same values.
    """

    def __init__(
        self, folder: str | None, every: int, *, log: str, record: Mapping[str, Any] | None = None
    ) -> None:
        self._manager = self._log = None
        self._folder, self._record = folder, dict(record or {})
        if folder is None:
            return
        path = Path(folder).absolute()
        self._manager = ocp.CheckpointManager(
            path,
            options=ocp.CheckpointManagerOptions(save_interval_steps=every, max_to_keep=2),
            item_names=("run", "record"),
        )
        if jax.process_index() == 0:
            self._log = (path / log).open("a")

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an error there may be nobody left to agree with that the last one is complete.
        if self._manager is not None and kind is None:
            self._manager.close()

    def newest(self, shapes: Any, shardings: Any) -> tuple[int, Any]:
        """The number of steps taken and the run after them; 0 and None if there is none.

        Raises:
            ValueError: if it is the run of other options.
        """
        step = None if self._manager is None else self._manager.latest_step()
        if self._manager is None or step is None:
            return 0, None
        written = self._manager.restore(
            step, args=ocp.args.Composite(record=ocp.args.JsonRestore())
        )
        for option, value in self._record.items():
            if written.record.get(option) != value:
                raise ValueError(
                    f"the checkpoints in {self._folder} are of a run with {option} "
                    f"{written.record.get(option)}, which cannot continue with {option} {value}: "
                    "give the option as it was, or another folder."
                )
        placed = jax.tree.map(
            lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where),
            shapes,
            shardings,
        )
        args = ocp.args.Composite(run=ocp.args.StandardRestore(placed))
        return step, self._manager.restore(step, args=args).run

    def save(self, step: int, run: Any) -> None:
        """Save the run after so many steps, if it is time to."""
        if self._manager is not None:
            args = {
                "run": ocp.args.StandardSave(run),
                "record": ocp.args.JsonSave(self._record),
            }
            self._manager.save(step, args=ocp.args.Composite(**args))

    def log(self, line: str) -> None:
        """Process 0 prints the line and appends it to the log."""
        if jax.process_index() == 0:
            say(line)
            if self._log is not None:
                print(line, file=self._log, flush=True)


def say(line: str) -> None:
    """Print a line that stays whole among those that other processes print."""
    # `print` may write the end of the line apart, where the output is unbuffered.
    print(f"{line}\n", end="", flush=True)


def parser_of(program: str, description: str | None) -> argparse.ArgumentParser:
    """A parser that knows the options that all such programs have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    number: Callable[..., Any] = parser.add_argument
    number("--processes", type=int, default=1, help="how many there are")
    number("--coordinator", metavar="HOST:PORT", help="of process 0; started here if left out")
    number("--process-id", type=int, help="of this process, on a cluster")
    number("--timeout", type=int, default=100, help="seconds a silent process is waited for")
    number("--checkpoints", metavar="DIR", help="where the run is saved and continued from")
    number("--every", type=int, default=10, help="steps from a checkpoint to the next")
    number("--steps", type=int, default=100, help="of the whole run")
    number("--launched", action="store_true", help=argparse.SUPPRESS)
    return parser


def require_place(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program unless the options say which of the processes this is, or none."""
    if (options.coordinator is None) != (options.process_id is None):
        parser.error("--coordinator and --process-id go together")
    if options.process_id is not None and not 0 <= options.process_id < options.processes:
        parser.error(f"--process-id must be in [0, {options.processes}), got {options.process_id}")


def as_processes(
    program: str,
    arguments: Sequence[str],
    options: argparse.Namespace,
    work: Callable[[argparse.Namespace], None],
) -> int:
    """Start all processes here, or be one of them; the exit status.

    Args:
        program: the name of the module in `benchmarks`.
        arguments: of the program.
        options: the same, parsed.
        work: what every process does, with the others connected.
    """
    if options.coordinator is None and options.processes > 1:
        command = [sys.executable, "-m", f"benchmarks.{program}", *arguments, "--launched"]
        where = ["--coordinator", f"localhost:{free_port()}"]
        numbers = range(options.processes)
        try:
            run_together([[*command, *where, "--process-id", str(i)] for i in numbers])
        except ProcessDied as error:
            print(f"{program}: {error}; the others were ended", file=sys.stderr)
            return 1
        return 0
    if options.launched:
        end_with_launcher()
    try:
        if options.coordinator is not None:
            _connect(options)
        work(options)
        jax.distributed.shutdown()
    except Exception as error:
        traceback.print_exc()
        if "Gloo" in str(
            error
        ):  # the others failed, or were stopped, in the middle of a collective
            print(
                f"{program}: process {options.process_id} of {options.processes} ends, because "
                "another one has died or cannot be reached",
                file=sys.stderr,
            )
        sys.stderr.flush()
        os._exit(1)  # at once: a clean exit would wait for processes that may be gone
    return 0


def _connect(options: argparse.Namespace) -> None:
    """Meet the other processes, and end when one of them is not heard of for too long.

    jax itself aborts this process where it waits in vain, so what for is said before.
    """
    print(
        f"process {options.process_id} waits {options.timeout} seconds for all "
        f"{options.processes} processes to meet at {options.coordinator}",
        file=sys.stderr,
        flush=True,
    )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        options.coordinator,
        options.processes,
        options.process_id,
        initialization_timeout=options.timeout,
        heartbeat_timeout_seconds=options.timeout,
        shutdown_timeout_seconds=options.timeout,
    )
