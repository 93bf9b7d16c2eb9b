"""Benchmarks: what the design costs and gains, measured side by side in one process.

    python -m benchmarks                      # all of them
    python -m benchmarks runner_throughput    # one
    python -m benchmarks readme               # none: only the README's sentences about them

Each prints a Markdown table and replaces its section of `benchmarks/RESULTS.md`, from which the
README's sentences are then written again. Only ratios within one table mean anything on another
machine: the rows of a table were measured in turns.
"""

__all__: list[str] = []
