# SPDX-License-Identifier: Apache-2.0
"""What can be written on the command line of theory-checks."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .options import factor, minutes, seconds, seed, seeds, shard, workers
from .presets import PRESETS

__all__ = ["parser"]

Action = Callable[[argparse.Namespace], int]

STATUSES = (
    "exit status, the first that applies: 2 usage, nothing was done; 1 refuted, or a control "
    "survived, or a theorem is untested in a constant; 4 something could not be evaluated or "
    "written; 3 inconclusive; 0 as expected"
)


class _Version(argparse.Action):
    """Prints the version; what knows it is imported only then, which takes a second."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from optzoo import __version__

        print(f"{parser.prog} {__version__}")
        parser.exit()


def parser(actions: Mapping[str, Action]) -> argparse.ArgumentParser:
    """The commands and their options; `command` of what is parsed is the action of that name."""
    parser = argparse.ArgumentParser(
        prog="theory-checks",
        description="Checks theorems about stochastic optimization against runs of the methods.",
        epilog=STATUSES,
    )
    parser.add_argument("--version", action=_Version, help="print the version of optzoo")
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

    spread = argparse.ArgumentParser(add_help=False)
    where = spread.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=workers,
        default=1,
        metavar="N",
        help="processes, each with its share of the cores; more need the extra `cluster` (1)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="the workers of a running Dask cluster, by its scheduler's address or the file that "
        "it wrote; needs the extra `cluster`",
    )

    listing = commands.add_parser(
        "list", parents=[own], help="list claims and methods side by side"
    )
    listing.add_argument("ids", nargs="*", metavar="IDS", help=ids)
    listing.add_argument(
        "--coverage",
        nargs="?",
        type=Path,
        const=Path("results/quick"),
        metavar="DIR",
        help="of each theorem, by which factor a constant could be wrong unnoticed in the run in "
        "DIR (results/quick)",
    )
    listing.set_defaults(command=actions["list"])

    run = commands.add_parser(
        "run",
        parents=[own, spread],
        help="evaluate claims and methods side by side, write the report",
        epilog=STATUSES,
    )
    run.add_argument("ids", nargs="*", metavar="IDS", help=ids)
    run.add_argument(
        "--preset", choices=sorted(PRESETS), default="quick", help="how many seeds (quick)"
    )
    run.add_argument("--seeds", type=seeds, help="replicates of a first look (32 quick, 256 full)")
    run.add_argument("--fresh-seeds", action="store_true", help="draw a new master seed")
    run.add_argument(
        "--time-limit",
        type=seconds,
        default=3600.0,
        metavar="SECONDS",
        help="after so long a claim is given up (3600)",
    )
    run.add_argument(
        "--out",
        type=Path,
        default=Path("results/run"),
        metavar="DIR",
        help="where results and report go (results/run)",
    )
    run.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="the I-th of N parts, for a job array (all); `merge` makes one run of the parts",
    )
    kept = run.add_mutually_exclusive_group()
    kept.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep compiled programs in DIR, for runs to come (the user's cache folder, such as "
        "~/.cache/optzoo; it may be deleted at any time)",
    )
    kept.add_argument("--no-cache", action="store_true", help="keep no compiled programs")
    existing = run.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="keep what is finished in --out")
    existing.add_argument("--overwrite", action="store_true", help="replace the results in --out")
    run.set_defaults(command=actions["run"])

    attack = commands.add_parser(
        "attack",
        parents=[own, spread],
        help="search for the instance that makes a claim's theorem tight, or breaks it",
        epilog="exit status: 0 not refuted, 1 refuted on a certified instance, 2 usage",
    )
    attack.add_argument("id", metavar="ID", help="of the claim whose theorem is attacked")
    attack.add_argument(
        "--constant",
        metavar="NAME",
        help="search for the instance that needs this constant most; the whole bound and all "
        "constants in turn by default",
    )
    attack.add_argument(
        "--budget", type=minutes, default=5.0, metavar="MINUTES", help="of the search (5)"
    )
    attack.add_argument("--seed", type=seed, default=0, metavar="N", help="of the search (0)")
    attack.add_argument(
        "--out",
        type=Path,
        default=Path("results/attack"),
        metavar="DIR",
        help="where the search goes (results/attack)",
    )
    found = attack.add_mutually_exclusive_group()
    found.add_argument("--resume", action="store_true", help="go on with the search in --out")
    found.add_argument("--overwrite", action="store_true", help="replace the search in --out")
    attack.set_defaults(command=actions["attack"])

    merge = commands.add_parser(
        "merge",
        help="make one run of several that each did a part of it",
        epilog=STATUSES,
    )
    merge.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="of the parts")
    merge.add_argument(
        "--out",
        type=Path,
        default=Path("results/merged"),
        metavar="DIR",
        help="where results and report go (results/merged)",
    )
    merge.add_argument("--overwrite", action="store_true", help="replace the results in --out")
    merge.set_defaults(command=actions["merge"])

    report = commands.add_parser(
        "report",
        help="write report.html and summary.md again",
        epilog="exit status: 0 written, 2 usage, 4 results.json cannot be read or the page written",
    )
    report.add_argument("directory", type=Path, metavar="DIR", help="a run's folder")
    report.set_defaults(command=actions["report"])

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
    conformance.set_defaults(command=actions["conformance"])

    diff = commands.add_parser(
        "diff",
        aliases=["compare"],  # its name until 0.1
        help="what changed from one run to another",
        epilog="exit status: 0 no verdict got worse, 1 one did or a control that was killed "
        "survives (with --strict also: coverage was lost), 2 usage",
    )
    diff.add_argument(
        "--strict", action="store_true", help="a loss of coverage makes the exit status 1, too"
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
        type=factor,
        default=1.5,
        help="how far tightness, detectable factor and time may move (1.5)",
    )
    diff.set_defaults(command=actions["diff"])

    figures = commands.add_parser(
        "figures",
        help="write the figures of a run, or their data, as files for a paper",
        epilog="exit status: 0 written, 2 usage, nothing was written",
    )
    figures.add_argument("directory", type=Path, metavar="DIR", help="a run's folder")
    figures.add_argument("ids", nargs="*", metavar="IDS", help=ids)
    figures.add_argument(
        "--format", choices=("pdf", "svg", "csv"), default="pdf", help="csv: the data (pdf)"
    )
    figures.add_argument(
        "--out",
        type=Path,
        default=Path("figures"),
        metavar="FOLDER",
        help="where the files go (figures)",
    )
    figures.add_argument("--overwrite", action="store_true", help="replace files that are there")
    figures.set_defaults(command=actions["figures"])

    new = commands.add_parser(
        "new",
        help="write a first file of claims of your own, which runs as it is",
        epilog="exit status: 0 written, 2 usage, nothing was written",
    )
    new.add_argument(
        "file", type=Path, metavar="FILE", help="such as mine.py, whose ids begin with mine/"
    )
    new.set_defaults(command=actions["new"])
    return parser
