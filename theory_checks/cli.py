"""The command line: `theory-checks list | run | report | compare | conformance`.

Exit status of a run: 0 all as expected; 1 something REFUTED, a control not killed, or a vacuous
claim without a sound partner; 2 usage; 3 something INCONCLUSIVE. Of a comparison of two runs: 0 no
verdict got worse; 1 one did, or a control that was killed survives; 2 usage.
"""

import argparse
import fnmatch
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .presets import MASTER_SEED, PRESETS, DataFolderError
from .requirements import missing_packages

__all__ = ["exit_status", "main", "select"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Subject = TypeVar("Subject", bound=_Identified)


class UsageError(ValueError):
    """A command that cannot be carried out as given."""


OK, UNEXPECTED, USAGE, INCONCLUSIVE = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    if missing := missing_packages():
        print(
            f"theory-checks: not installed: {', '.join(missing)}; the command line needs the extra "
            '`checks`: pip install "optzoo[checks]"',
            file=sys.stderr,
        )
        return USAGE
    from .registration import RegistrationError

    try:
        return int(options.command(options))
    except (UsageError, DataFolderError, RegistrationError) as error:
        print(f"theory-checks: {error}", file=sys.stderr)
        return USAGE


def select(subjects: Sequence[Subject], patterns: Sequence[str]) -> list[Subject]:
    """What ids, prefixes or globs name of `subjects`, in their order.

    Args:
        subjects: all there are.
        patterns: an id, a prefix of path components, or a glob; none selects everything.

    Returns:
        The selected ones.

    Raises:
        UsageError: if a pattern names nothing.
    """
    chosen = set()
    for pattern in patterns:
        named = {
            one.id
            for one in subjects
            if fnmatch.fnmatchcase(one.id, pattern) or one.id.startswith(pattern.rstrip("/") + "/")
        }
        if not named:
            known = ", ".join(sorted({one.id.split("/")[0] for one in subjects}))
            raise UsageError(
                f"no id is named by '{pattern}'; papers: {known}; see `theory-checks list`"
            )
        chosen |= named
    return [one for one in subjects if not patterns or one.id in chosen]


def exit_status(claims: Sequence[dict[str, Any]]) -> int:
    """The status that a run's records call for."""
    from .records.write import unmet_expectations

    if unmet_expectations(claims):
        return UNEXPECTED
    if any(claim["verdict"] == "INCONCLUSIVE" for claim in claims):
        return INCONCLUSIVE
    return OK


def _list(options: argparse.Namespace) -> int:
    _use_all_cores()
    from .claim import Claim
    from .registration import collected, registered

    chosen = select(collected(registered(options.claims)), options.ids)
    width = max(len(one.id) for one in chosen)
    for one in chosen:
        stated = one.theorem.root.label if isinstance(one, Claim) else "side-by-side"
        print(f"{one.id:<{width}}  {stated:<12}  {one.title}")
    return OK


def _run(options: argparse.Namespace) -> int:
    _use_all_cores()
    import jax

    from .claim import Claim
    from .records import write as record
    from .registration import collected, registered
    from .report.page import write_summary
    from .side_by_side import SideBySide
    from .simulation.laboratory import Laboratory
    from .simulation.runner import run_claims
    from .statistics.protocol import Protocol

    if options.resume and options.fresh_seeds:
        raise UsageError("--resume goes on with the seeds on file; --fresh-seeds draws new ones")
    origins = registered(options.claims)
    chosen = [
        one
        for one in select(collected(origins), options.ids)
        if isinstance(one, Claim) or options.preset in one.presets
    ]
    if not chosen:
        raise UsageError(f"{', '.join(options.ids)}: not in the preset {options.preset}")
    seeds = options.seeds or PRESETS[options.preset]
    master_seed = secrets.randbits(31) if options.fresh_seeds else MASTER_SEED
    protocol = Protocol()
    environment = record.environment(
        preset=options.preset, seeds=seeds, master_seed=master_seed, protocol=protocol
    )
    earlier: dict[str, Any] = {
        "theorems": [],
        "claims": [],
        "comparisons": [],
        "summary": {"seconds": 0.0},
    }
    directory: Path = options.out
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        if not directory.is_dir():
            raise UsageError(f"--out {directory} is a file")
        if not (options.resume or options.overwrite):
            raise UsageError(
                f"--out {directory} exists; give --resume to go on with it, --overwrite to "
                "replace its results, or another folder"
            )
        if options.resume:
            earlier = _resumed(directory, environment, options)
            environment = earlier["environment"]
    # Where the claims that are not the repository's own were found, this time and before.
    before = environment.get("claims_from") or []
    environment["claims_from"] = sorted({*before, *(one.name for one in origins[1:])})

    _require_writable(directory)
    laboratory = Laboratory(seeds=seeds, master_seed=environment["master_seed"], protocol=protocol)
    done = {one["id"] for one in (*earlier["claims"], *earlier["comparisons"])}
    with _Progress(len(chosen), sum(one.id in done for one in chosen)) as progress:
        laboratory.on_block = progress.detail
        records, failures = run_claims(
            [one for one in chosen if isinstance(one, Claim)],
            laboratory,
            directory,
            environment,
            side_by_side=[one for one in chosen if isinstance(one, SideBySide)],
            finished=earlier["claims"],
            finished_side_by_side=earlier["comparisons"],
            finished_theorems=earlier["theorems"],
            seconds=earlier["summary"]["seconds"],
            workers=len(jax.devices()),
            on_claim=progress.claim_finished,
            on_side_by_side=progress.side_by_side_finished,
        )
    page = _drawn_report(directory)
    write_summary(directory)
    _print_outcome(record.finished_run(directory)["summary"], page, laboratory.gradient_calls)
    if failures:
        raise UsageError("; ".join(failures))
    return exit_status(records)


def _require_writable(directory: Path) -> None:
    """Finds out before the work is done that its results could not be kept."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"--out {directory} cannot be written: {error}") from None


def _report(options: argparse.Namespace) -> int:
    from .report.page import write_summary

    try:
        page = _drawn_report(options.directory)
        write_summary(options.directory)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from None
    print(f"report: {page}")
    return OK


def _drawn_report(directory: Path) -> Path:
    """Writes report.html, with a bar of its figures on a terminal and a line otherwise."""
    from tqdm import tqdm

    from .records.read import load_results
    from .report.page import write_report

    results = load_results(directory)
    total = len(results["claims"]) + len(results["comparisons"])
    with tqdm(total=total, unit="figure", leave=False, disable=not sys.stderr.isatty()) as bar:
        if bar.disable:
            print(f"drawing {total} figures", flush=True)

        def drawn(name: str) -> None:
            bar.set_postfix_str(name[:60], refresh=False)
            bar.update()

        return write_report(directory, on_drawn=drawn)


def _diff(options: argparse.Namespace) -> int:
    from .records.diff import changes, describe, got_worse, load_renames, load_run

    try:
        old, new = load_run(options.old), load_run(options.new)
        renamed = None if options.renamed is None else load_renames(options.renamed)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from None
    found = changes(old, new, factor=options.factor, renamed=renamed)
    print(describe(old, new, found, factor=options.factor))
    return UNEXPECTED if got_worse(found) else OK


def _resumed(
    directory: Path, environment: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """The interrupted run in the directory, if this one can go on with it."""
    from .records.write import finished_run

    try:
        results = finished_run(directory)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(f"--resume: {error}") from None
    earlier = results["environment"]
    for name in ("version", "preset", "seeds", "jax", "numpy"):
        if earlier.get(name) != environment[name]:
            raise UsageError(
                f"--resume: the run in {directory} was made with {name} = {earlier.get(name)}, "
                f"this one has {environment[name]}; use --overwrite"
            )
    return results


def _conformance(options: argparse.Namespace) -> int:
    _use_all_cores()
    from .conformance import TargetError, print_conformance, rows_of

    # A module beside the caller is found, as by `python -m`.
    sys.path.insert(0, str(Path.cwd()))
    try:
        rows = rows_of(options.optimizers)
    except TargetError as error:
        raise UsageError(str(error)) from None
    conforming = print_conformance(rows, strict=options.strict)
    return OK if conforming else UNEXPECTED


class _Progress:
    """A bar on a terminal, a line a claim otherwise."""

    def __init__(self, total: int, done: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, initial=done, unit="check", disable=not sys.stderr.isatty())
        self._total, self._done = total, done

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def detail(self, line: str) -> None:
        self._bar.set_postfix_str(line[:60])

    def claim_finished(self, claim: dict[str, Any]) -> None:
        controls = claim["controls"]
        killed = sum(control["killed"] for control in controls)
        self._line(claim, claim["verdict"], f"controls {killed}/{len(controls)}")

    def side_by_side_finished(self, beside: dict[str, Any]) -> None:
        self._line(beside, "side by side", f"panels {len(beside['panels'])}")

    def _line(self, found: dict[str, Any], outcome: str, detail: str) -> None:
        self._done += 1
        line = (
            f"[{self._done}/{self._total}] {outcome:<12} {found['id']} "
            f"({detail}, {found['seconds']:.1f} s)"
        )
        self._bar.update()
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)


def _print_outcome(summary: dict[str, Any], page: Path, gradient_calls: float) -> None:
    for sentence in summary["unmet"]:
        print(f"not as expected: {sentence}")
    beside = f"; {summary['comparisons']} side by side" if summary["comparisons"] else ""
    print(
        f"{summary['claims']} claims: {summary['consistent']} CONSISTENT, "
        f"{summary['refuted']} REFUTED, {summary['inconclusive']} INCONCLUSIVE; "
        f"controls killed: {summary['killed']} of {summary['controls']}{beside}; "
        f"{summary['seconds']:.0f} s, {gradient_calls:.3g} single-sample gradients"
    )
    print(f"report: {page}")


def _use_all_cores() -> None:
    """One device a core, and float64; before jax is imported, which reads the flag once."""
    flag = "--xla_force_host_platform_device_count"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}={cores}".strip()
    import jax

    jax.config.update("jax_enable_x64", True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="theory-checks",
        description="Checks theorems about stochastic optimization against runs of the methods.",
        epilog="exit status: 0 as expected, 1 refuted or a control survived, 2 usage, "
        "3 inconclusive",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ids = "ids, prefixes or globs such as 'frank_wolfe/sarah'; everything by default"
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument(
        "--claims",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a Python file with CLAIMS or SIDE_BY_SIDE of your own; may be given again",
    )

    listing = commands.add_parser(
        "list", parents=[own], help="list claims and methods side by side"
    )
    listing.add_argument("ids", nargs="*", metavar="IDS", help=ids)
    listing.set_defaults(command=_list)

    run = commands.add_parser(
        "run", parents=[own], help="evaluate claims and methods side by side, write the report"
    )
    run.add_argument("ids", nargs="*", metavar="IDS", help=ids)
    run.add_argument("--preset", choices=sorted(PRESETS), default="quick")
    run.add_argument("--seeds", type=_seeds, help="replicates of a first look (32 quick, 256 full)")
    run.add_argument("--fresh-seeds", action="store_true", help="draw a new master seed")
    run.add_argument("--out", type=Path, default=Path("results/run"), metavar="DIR")
    existing = run.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="keep what is finished in --out")
    existing.add_argument("--overwrite", action="store_true", help="replace the results in --out")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="write report.html and summary.md again")
    report.add_argument("directory", type=Path, metavar="DIR")
    report.set_defaults(command=_report)

    conformance = commands.add_parser(
        "conformance",
        help="check that an optimizer is an optax transformation under jit, vmap, wrappers, ...",
        epilog="exit status: 0 it conforms, 1 a property fails, 2 usage",
    )
    conformance.add_argument(
        "optimizers",
        nargs="*",
        metavar="OPTIMIZER",
        help="'module:constructor', 'module:constructor(learning_rate=0.1)', 'module:ROW', or the "
        "name of one of optzoo or of an installed package; those of all by default",
    )
    conformance.add_argument(
        "--strict", action="store_true", help="fail where good manners are only advised, too"
    )
    conformance.set_defaults(command=_conformance)

    diff = commands.add_parser(
        "diff",
        aliases=["compare"],  # its name until 0.1
        help="what changed from one run to another",
        epilog="exit status: 0 no verdict got worse, 1 one did or a control that was killed "
        "survives, 2 usage",
    )
    diff.add_argument("old", type=Path, metavar="OLD", help="a run's folder or results.json")
    diff.add_argument("new", type=Path, metavar="NEW", help="the one to set against it")
    diff.add_argument(
        "--renamed",
        type=Path,
        metavar="FILE",
        help="a JSON object from ids of OLD to ids of NEW, or to [id, case]",
    )
    diff.add_argument(
        "--factor",
        type=_factor,
        default=1.5,
        help="how far tightness, detectable factor and time may move (1.5)",
    )
    diff.set_defaults(command=_diff)
    return parser


def _factor(text: str) -> float:
    refusal = argparse.ArgumentTypeError(f"a number above 1 is needed, got {text!r}")
    try:
        factor = float(text)
    except ValueError:
        raise refusal from None
    if not 1.0 < factor < float("inf"):
        raise refusal
    return factor


def _seeds(text: str) -> int:
    refusal = argparse.ArgumentTypeError(f"an integer of at least 8 is needed, got {text!r}")
    try:
        seeds = int(text)
    except ValueError:
        raise refusal from None
    if seeds < 8:
        raise refusal
    return seeds
