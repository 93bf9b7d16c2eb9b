# SPDX-License-Identifier: Apache-2.0
"""The command line: `theory-checks list | run | merge | attack | report | diff | figures | ...`.

Each exit status means one thing. Of a run the first that applies: 1 something REFUTED, a control
not killed, or a theorem UNTESTED in a constant; 4 something could not be evaluated or written; 3
something INCONCLUSIVE; 0 all as expected. 2 is usage: nothing was run. Of a comparison of two runs:
0 no verdict got worse; 1 one did, or a control that was killed survives, or, where that is asked
for (`--strict`), coverage was lost. Of an attack: 0 nothing refutes the theorem, 1 it is REFUTED.
"""

import argparse
import difflib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .command_line import parser
from .devices import use_all_cores
from .engines import attempts_of
from .presets import DataFolderError
from .requirements import missing_packages
from .running import drawn_report, merge, require_writable, run
from .selection import select
from .statuses import FAILED, INTERRUPTED, OK, UNEXPECTED, USAGE, UsageError

__all__ = ["main", "program"]


def program() -> NoReturn:
    """The process: ends it even where a job that was given up is still busy."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Where nothing was run, perhaps for want of a package, there are no workers to ask.
    workers = sys.modules.get(f"{__package__}.simulation.workers")
    if workers is not None and workers.any_left():
        os._exit(status)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        The exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # where the terminal has fewer letters than an id
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    if missing := missing_packages():
        print(
            f"theory-checks: not installed: {', '.join(missing)}; the command line needs the extra "
            '`checks`: pip install "optzoo[checks]"',
            file=sys.stderr,
        )
        return USAGE
    use_all_cores()
    from optzoo.conformance.blame import place

    from .cluster import ClusterError, UnreachableError
    from .records.lock import InUseError
    from .registration import RegistrationError

    try:
        return int(options.command(options))
    except (UsageError, DataFolderError, RegistrationError, InUseError, UnreachableError) as error:
        print(f"theory-checks: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("theory-checks: interrupted; a run goes on with --resume", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"theory-checks: cannot read or write: {error}", file=sys.stderr)
        return FAILED
    except ClusterError as error:
        print(f"theory-checks: {error}; a run goes on with --resume", file=sys.stderr)
        return FAILED
    except Exception as error:
        sentence = f"theory-checks: {type(error).__name__}: {error} ({place(error)})"
        print(sentence, file=sys.stderr)
        return FAILED


def _list(options: argparse.Namespace) -> int:
    from .claim import Claim
    from .registration import collected, registered

    chosen = select(collected(registered(options.claims)), options.ids)
    if options.coverage is not None:
        return _list_coverage(options.coverage, {one.id for one in chosen})
    width = max(len(one.id) for one in chosen)
    for one in chosen:
        stated = one.theorem.root.label if isinstance(one, Claim) else "side-by-side"
        print(f"{one.id:<{width}}  {stated:<12}  {one.title}")
    return OK


def _list_coverage(directory: Path, ids: set[str]) -> int:
    """What the run there has tested of the theorems that these claims speak of."""
    from .records.diff import load_run
    from .report.coverage import of_claims

    try:
        lines = of_claims(load_run(directory), ids)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(f"--coverage: {error}; make a run first") from None
    if not lines:
        raise UsageError(f"--coverage: the run in {directory} has nothing of these claims")
    print("\n".join(lines))
    return OK


def _attack(options: argparse.Namespace) -> int:
    from .claim import Claim
    from .registration import collected, registered
    from .worst_case.attack.command import AttackError, attack
    from .worst_case.attack.outcome import FILE
    from .worst_case.attack.search import NoInstancesError

    subjects = collected(registered(options.claims))
    claims = [one for one in subjects if isinstance(one, Claim) and one.id == options.id]
    if not claims:
        near = difflib.get_close_matches(options.id, [one.id for one in subjects], n=3)
        hint = f"; close to it are {', '.join(near)}" if near else "; see `theory-checks list`"
        raise UsageError(f"there is no claim '{options.id}'{hint}")
    directory: Path = options.out
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--out {directory} is a file")
    begun = (directory / FILE).exists()
    if (
        directory.exists()
        and any(directory.iterdir())
        and not (options.overwrite or (options.resume and begun))
    ):
        raise UsageError(
            f"--out {directory} exists; give --resume to go on with the search in it, --overwrite "
            "to replace it, or another folder"
        )
    require_writable(directory)
    try:
        with attempts_of(options, claims[0]) as attempts:
            refuted = attack(
                claims[0],
                directory,
                constant=options.constant,
                budget=60 * options.budget,
                seed=options.seed,
                resume=begun and options.resume,
                claims_from=[str(path) for path in options.claims],
                attempts=attempts,
            )
    except (AttackError, NoInstancesError) as error:
        raise UsageError(str(error)) from None
    return UNEXPECTED if refuted else OK


def _report(options: argparse.Namespace) -> int:
    from .records.read import load_results
    from .report.page import write_summary

    if not (options.directory / "results.json").is_file():
        raise UsageError(f"{options.directory / 'results.json'} does not exist")
    page = drawn_report(options.directory)
    write_summary(options.directory)
    if named := load_results(options.directory)["hash"]:
        print(f"run: {named}")
    print(f"report: {page}")
    return OK


def _diff(options: argparse.Namespace) -> int:
    from .records.diff import changes, describe, got_worse, load_renames, load_run

    try:
        old, new = load_run(options.old), load_run(options.new)
        renamed = None if options.renamed is None else load_renames(options.renamed)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from None
    found = changes(old, new, factor=options.factor, renamed=renamed)
    print(describe(old, new, found, factor=options.factor))
    return UNEXPECTED if got_worse(found, strict=options.strict) else OK


def _conformance(options: argparse.Namespace) -> int:
    from .conformance import TargetError, print_conformance, rows_of

    # A module beside the caller is found, as by `python -m`.
    sys.path.insert(0, str(Path.cwd()))
    try:
        rows = rows_of(options.optimizers)
    except TargetError as error:
        raise UsageError(str(error)) from None
    conforming = print_conformance(rows, strict=options.strict)
    return OK if conforming else UNEXPECTED


def _figures(options: argparse.Namespace) -> int:
    from .export import ExportError, write_figures

    try:
        return write_figures(options)
    except ExportError as error:
        raise UsageError(str(error)) from None


def _new(options: argparse.Namespace) -> int:
    from .starter import StarterError, write_first_claim

    try:
        return write_first_claim(options)
    except StarterError as error:
        raise UsageError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    return parser(
        {
            "list": _list,
            "run": run,
            "merge": merge,
            "attack": _attack,
            "report": _report,
            "conformance": _conformance,
            "diff": _diff,
            "figures": _figures,
            "new": _new,
        }
    )
