"""`python -m benchmarks [NAME ...]`: run, print the tables, keep them in RESULTS.md.

The sentences of docs/speed.md are written from the tables again; with the name `highlights` nothing
is measured before.
"""

import argparse
import os
import sys
from importlib import import_module

import jax
from tqdm import tqdm

from .highlights import write_page
from .progress import progress
from .report import RESULTS, replace_section

# In this order; the second needs the extra `bench`.
# The attack takes an hour and is asked for by its name: `make attack-bench`.
ALONE = ("attack",)
NAMES = (
    "runner_throughput",
    "frank_wolfe_time_to_gap",
    "frank_wolfe_on_data",
    "frank_wolfe_iteration",
    "saga_table",
    "matrix_completion",
    "oracles",
    "soap",
    "soap_language_model",
    "soap_power_and_grafting",
    "soap_variants",
    "soap_on_a_mesh",
    "multilevel_stream",
    "distributed_methods",
    "three_pillars_on_processes",
    "adversarial_digits",
    "norm_constrained_networks",
)


def main() -> int:
    """The exit status: 0, or 2 if a package is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = (*NAMES, *ALONE, "highlights")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in known:
            parser.error(f"no benchmark {name!r}; there are {', '.join(known)}")

    # Before the first array: as many devices as cores, and float64, as the runner has them.
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    jax.config.update("jax_enable_x64", True)

    for name in progress([name for name in names if name in (*NAMES, *ALONE)], "benchmark"):
        try:
            benchmark = import_module(f".{name}", __package__)
        except ModuleNotFoundError as missing:
            print(f"{name} needs the package {missing.name}: run `make bench`.", file=sys.stderr)
            return 2
        text: str = benchmark.measure()
        tqdm.write(f"\n## {name}\n\n{text}\n")
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
        RESULTS.write_text(replace_section(before, name, text), encoding="utf-8")
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
