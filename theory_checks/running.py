# SPDX-License-Identifier: Apache-2.0
"""`theory-checks run` and `merge`: a run in a folder, from its options to its report."""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import programs
from .engines import engine_of
from .presets import MASTER_SEED, PRESETS
from .progress import RunProgress
from .selection import select
from .statuses import FAILED, UNEXPECTED, UsageError, exit_status

__all__ = ["drawn_report", "merge", "require_writable", "run"]


def run(options: argparse.Namespace) -> int:
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
    require_writable(directory)
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
        engine_of(options, per_look, environment, protocol, progress) as engine,
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


def merge(options: argparse.Namespace) -> int:
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
    require_writable(directory)
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
        page = drawn_report(directory)
        write_summary(directory)
    except Exception as error:
        print(f"theory-checks: the report could not be written: {error}", file=sys.stderr)
        return status if status == UNEXPECTED else FAILED
    print(f"report: {page}")
    return status


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


def drawn_report(directory: Path) -> Path:
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


def require_writable(directory: Path) -> None:
    """Finds out before the work is done that its results could not be kept."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = directory / f".probe.{os.getpid()}"
    probe.touch()
    probe.unlink()
