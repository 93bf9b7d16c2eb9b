"""Benchmarks: what the design costs and gains, measured side by side in one process.

    python -m benchmarks                      # all of them
    python -m benchmarks runner_throughput    # one
    python -m benchmarks highlights           # none: only the sentences of docs/speed.md

Each prints a Markdown table and replaces its section of `benchmarks/RESULTS.md`, from which the
sentences of docs/speed.md are then written again. Only ratios within one table mean anything on
another machine: the rows of a table were measured in turns.
"""

__all__: list[str] = []
