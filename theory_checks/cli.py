"""The command line: `theory-checks list | run | merge | attack | report | diff | figures | ...`.

Each exit status means one thing. Of a run the first that applies: 1 something REFUTED, a control
not killed, or a theorem UNTESTED in a constant; 4 something could not be evaluated or written; 3
something INCONCLUSIVE; 0 all as expected. 2 is usage: nothing was run. Of a comparison of two runs:
0 no verdict got worse; 1 one did, or a control that was killed survives, or, where that is asked
for (`--strict`), coverage was lost. Of an attack: 0 nothing refutes the theorem, 1 it is REFUTED.
"""

import argparse
import difflib
import fnmatch
import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from . import programs
from .command_line import parser
from .devices import use_all_cores
from .presets import MASTER_SEED, PRESETS, DataFolderError
from .progress import RunProgress
from .requirements import CLUSTER, missing_packages

__all__ = ["exit_status", "main", "program", "select"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Subject = TypeVar("Subject", bound=_Identified)


class UsageError(ValueError):
    """A command that cannot be carried out as given."""


OK, UNEXPECTED, USAGE, INCONCLUSIVE, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


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


def exit_status(
    claims: Sequence[dict[str, Any]],
    failures: Sequence[str] = (),
    theorems: Sequence[dict[str, Any]] = (),
) -> int:
    """The status that a run's records, its failures and its theorems call for."""
    from .records.write import unmet_expectations

    if unmet_expectations(claims, theorems):
        return UNEXPECTED
    if failures:
        return FAILED
    if any(claim["verdict"] == "INCONCLUSIVE" for claim in claims):
        return INCONCLUSIVE
    return OK


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


def _run(options: argparse.Namespace) -> int:
    if not options.no_cache:
        programs.keep(options.cache or programs.usual_place())
    from .claim import Claim
    from .records.lock import only_run
    from .registration import collected, registered

    if options.resume and options.fresh_seeds:
        raise UsageError("--resume goes on with the seeds on file; --fresh-seeds draws new ones")
    origins = registered(options.claims)
    subjects = collected(origins)
    chosen = [
        one
        for one in select(subjects, options.ids)
        if isinstance(one, Claim) or options.preset in one.presets
    ]
    if not chosen:
        raise UsageError(f"{', '.join(options.ids)}: not in the preset {options.preset}")
    asked = [one.id for one in chosen]
    if options.shard is not None:
        number, count = options.shard
        chosen = chosen[number - 1 :: count]
        if not chosen:
            raise UsageError(f"--shard {number}/{count}: there are only {len(asked)} checks")
    directory: Path = options.out
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--out {directory} is a file")
    before = directory.exists() and any(directory.iterdir())
    if before and not (options.resume or options.overwrite):
        raise UsageError(
            f"--out {directory} exists; give --resume to go on with it, --overwrite to "
            "replace its results, or another folder"
        )
    _require_writable(directory)
    # From before what is there is read until all is written: no other run may come between.
    with only_run(directory):
        sources = [one.name for one in origins[1:]]
        return _run_in(
            directory, options, chosen, subjects, sources, asked, resume=before and options.resume
        )


def _run_in(
    directory: Path,
    options: argparse.Namespace,
    chosen: Sequence[Any],
    subjects: Sequence[Any],
    sources: Sequence[str],
    asked: Sequence[str],
    *,
    resume: bool,
) -> int:
    """Runs what was chosen of all subjects, perhaps goes on with the run there; the report."""
    from .claim import Claim
    from .records import write as record
    from .side_by_side import SideBySide
    from .simulation.runner import run_claims
    from .statistics.protocol import Protocol

    per_look = options.seeds or PRESETS[options.preset]
    master_seed = secrets.randbits(31) if options.fresh_seeds else MASTER_SEED
    protocol = Protocol()
    environment = record.environment(
        preset=options.preset, seeds=per_look, master_seed=master_seed, protocol=protocol
    )
    earlier: dict[str, Any] = {
        "theorems": [],
        "claims": [],
        "comparisons": [],
        "summary": {"seconds": 0.0},
    }
    if resume:
        earlier = _resumed(directory, environment, subjects, {one.id for one in chosen}, protocol)
        environment = earlier["environment"]
    # Where the claims that are not the repository's own were found, this time and before.
    environment["claims_from"] = sorted({*(environment.get("claims_from") or []), *sources})

    # What the whole run is, of which this may be a shard.
    environment["asked"] = list(dict.fromkeys((*(environment.get("asked") or ()), *asked)))
    environment["shard"] = None if options.shard is None else "{}/{}".format(*options.shard)
    done = {one["id"] for one in (*earlier["claims"], *earlier["comparisons"])}
    with (
        RunProgress(len(chosen), sum(one.id in done for one in chosen)) as progress,
        _engine(options, per_look, environment, protocol, progress) as engine,
    ):
        _, failures = run_claims(
            [one for one in chosen if isinstance(one, Claim)],
            engine,
            directory,
            environment,
            side_by_side=[one for one in chosen if isinstance(one, SideBySide)],
            registered=[one for one in subjects if isinstance(one, Claim)],
            finished=earlier["claims"],
            finished_side_by_side=earlier["comparisons"],
            finished_theorems=earlier["theorems"],
            seconds=earlier["summary"]["seconds"],
            on_claim=progress.claim_finished,
            on_side_by_side=progress.side_by_side_finished,
        )
    return _told(directory, failures, engine.gradient_calls)


def _told(directory: Path, failures: Sequence[str], gradient_calls: float | None) -> int:
    """Prints what the run in the directory came to, draws its report; the exit status."""
    from .records import write as record
    from .report.coverage import at_the_end
    from .report.page import write_summary

    # What went wrong comes first: it must not be lost if the page cannot be drawn.
    for sentence in failures:
        print(f"could not be evaluated: {sentence}", file=sys.stderr)
    written = record.finished_run(directory)
    for line in at_the_end(written):
        print(line)
    _print_outcome(written, gradient_calls)
    status = exit_status(written["claims"], failures, written["theorems"])
    try:
        page = _drawn_report(directory)
        write_summary(directory)
    except Exception as error:
        print(f"theory-checks: the report could not be written: {error}", file=sys.stderr)
        return status if status == UNEXPECTED else FAILED
    print(f"report: {page}")
    return status


def _merge(options: argparse.Namespace) -> int:
    from .records import write as record
    from .records.lock import only_run
    from .records.merge import MergeError, merged

    directory: Path = options.out
    try:
        whole, left_out = merged(options.directories)
    except MergeError as error:
        raise UsageError(str(error)) from None
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--out {directory} is a file")
    if directory.exists() and any(directory.iterdir()) and not options.overwrite:
        raise UsageError(
            f"--out {directory} exists; give --overwrite to replace its results, or another folder"
        )
    _require_writable(directory)
    with only_run(directory):
        record.write(
            directory,
            whole["environment"],
            whole["claims"],
            whole["seconds"],
            theorems=whole["theorems"],
            comparisons=whole["comparisons"],
            failures=whole["failures"],
        )
        print(f"merged {len(whole['environment']['merged'])} runs in {directory}")
        reasons = [one["reason"] for one in whole["failures"]]
        for sentence in left_out:
            print(f"left out: {sentence}", file=sys.stderr)
        status = _told(directory, reasons, None)
        return FAILED if left_out and status != UNEXPECTED else status


@contextmanager
def _engine(
    options: argparse.Namespace,
    seeds: int,
    environment: dict[str, Any],
    protocol: Any,
    progress: RunProgress,
) -> Iterator[Any]:
    """What evaluates the claims: threads of this process, or workers."""
    environment["workers"] = None
    if options.workers == 1 and options.scheduler is None:
        import jax

        from .simulation.engine import InThreads
        from .simulation.laboratory import Laboratory

        laboratory = Laboratory(
            seeds=seeds,
            master_seed=environment["master_seed"],
            protocol=protocol,
            on_block=progress.detail,
        )
        yield InThreads(laboratory, len(jax.devices()), options.time_limit)
        return
    with _workers(options, progress.say) as client:
        from .cluster.client import OnCluster
        from .cluster.worker import Run

        run = Run(
            claims=tuple(str(path.resolve()) for path in options.claims),
            seeds=seeds,
            master_seed=environment["master_seed"],
            protocol=protocol,
            time_limit=options.time_limit,
            keeps_programs=not options.no_cache,
            cache=None if options.cache is None else str(options.cache.resolve()),
        )
        environment["workers"] = len(client.nthreads())
        yield OnCluster(client, run, progress.say)


@contextmanager
def _workers(options: argparse.Namespace, say: Callable[[str], None]) -> Iterator[Any]:
    """A client of the workers that are asked for."""
    if missing := missing_packages(CLUSTER):
        raise UsageError(
            f"not installed: {', '.join(missing)}; --workers and --scheduler need the extra "
            '`cluster`: pip install "optzoo[cluster]"'
        )
    from .cluster.client import connected, local_workers

    reached = (
        local_workers(options.workers, say=say)
        if options.scheduler is None
        else connected(options.scheduler, say=say)
    )
    with reached as client:
        yield client


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
    _require_writable(directory)
    try:
        with _attempts(options) as attempts:
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


@contextmanager
def _attempts(options: argparse.Namespace) -> Iterator[Any]:
    """What makes the restarts of a search: workers, or None for this process."""
    if options.workers == 1 and options.scheduler is None:
        yield None
        return
    with _workers(options, lambda line: print(line, flush=True)) as client:
        from .cluster.attack import Attacked, on_workers
        from .statistics.protocol import Protocol

        files = tuple(str(path.resolve()) for path in options.claims)
        yield on_workers(
            client, Attacked(options.id, files, options.constant, options.seed, Protocol())
        )


def _require_writable(directory: Path) -> None:
    """Finds out before the work is done that its results could not be kept."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = directory / f".probe.{os.getpid()}"
    probe.touch()
    probe.unlink()


def _report(options: argparse.Namespace) -> int:
    from .records.read import load_results
    from .report.page import write_summary

    if not (options.directory / "results.json").is_file():
        raise UsageError(f"{options.directory / 'results.json'} does not exist")
    page = _drawn_report(options.directory)
    write_summary(options.directory)
    if named := load_results(options.directory)["hash"]:
        print(f"run: {named}")
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
    return UNEXPECTED if got_worse(found, strict=options.strict) else OK


def _resumed(
    directory: Path,
    environment: dict[str, Any],
    subjects: Sequence[Any],
    chosen: set[str],
    protocol: Any,
) -> dict[str, Any]:
    """The interrupted run in the directory, without what would come out of other code today."""
    from .records.fingerprint import fingerprint
    from .records.write import finished_run

    try:
        results = finished_run(directory)
    except FileNotFoundError as error:
        raise UsageError(f"--resume: {error}") from None
    earlier = results["environment"]
    for name in ("preset", "seeds"):
        if earlier.get(name) != environment[name]:
            raise UsageError(
                f"--resume: the run in {directory} was made with {name} = {earlier.get(name)}, "
                f"this one has {environment[name]}; use --overwrite"
            )
    by_id = {one.id: one for one in subjects}
    stale = []
    for kind in ("claims", "comparisons"):
        kept = []
        for one in results[kind]:
            known = by_id.get(one["id"])
            # What is not known this time came from a file that is not named now: see `claims_from`.
            if known is None or one.get("fingerprint") == fingerprint(known, protocol):
                kept.append(one)
            else:
                stale.append(one["id"])
        results[kind] = kept
    if stale:
        again = [name for name in stale if name in chosen]
        dropped = [name for name in stale if name not in chosen]
        why = "statement, code, data or versions changed since"
        if again:
            print(f"run again ({why}): {', '.join(again)}", flush=True)
        if dropped:
            print(f"taken out ({why}, and not asked for now): {', '.join(dropped)}", flush=True)
        results["environment"] = environment | {"master_seed": earlier.get("master_seed")}
    return results


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


def _print_outcome(written: dict[str, Any], gradient_calls: float | None) -> None:
    summary = written["summary"]
    vacuous = sum(c["verdict"] == "CONSISTENT" and bool(c["vacuous"]) for c in written["claims"])
    for sentence in summary["unmet"]:
        print(f"not as expected: {sentence}")
    beside = f"; {summary['comparisons']} side by side" if summary["comparisons"] else ""
    print(
        f"{summary['claims']} claims: {summary['consistent']} CONSISTENT "
        f"(of which {vacuous} vacuous), "
        f"{summary['refuted']} REFUTED, {summary['inconclusive']} INCONCLUSIVE; "
        f"controls killed: {summary['killed']} of {summary['controls']}{beside}; "
        f"{summary['seconds']:.0f} s"
        + ("" if gradient_calls is None else f", {gradient_calls:.3g} single-sample gradients")
    )
    if summary["without_controls"]:
        print(f"claims without a control of their own: {summary['without_controls']}")
    print(f"run: {written['hash']}")


def _parser() -> argparse.ArgumentParser:
    return parser(
        {
            "list": _list,
            "run": _run,
            "merge": _merge,
            "attack": _attack,
            "report": _report,
            "conformance": _conformance,
            "diff": _diff,
            "figures": _figures,
            "new": _new,
        }
    )
