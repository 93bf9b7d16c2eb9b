"""Benchmarks: what the design costs and gains, measured side by side in one process.

    python -m benchmarks                      # all of them
    python -m benchmarks runner_throughput    # one

Each prints a Markdown table and replaces its section of `benchmarks/RESULTS.md`. Only ratios
within one table mean anything on another machine: the rows of a table were measured in turns.
"""

__all__: list[str] = []
