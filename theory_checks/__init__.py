# SPDX-License-Identifier: Apache-2.0
"""Theorems on stochastic optimization against runs of the methods they speak of.

A `claim` is one statement of one paper; a check turns replicates or an enumeration into a finding;
`verdict` says whether the statement is refuted, supported or undecided. The command line is
`theory-checks`, or `python -m theory_checks`.
"""

__all__: list[str] = []
