# SPDX-License-Identifier: Apache-2.0
"""What is proved about the methods: a page a paper, each statement with its bound as code.

`frank_wolfe.F3` is a theorem: `help(frank_wolfe)` reads like the paper's section of results,
`F3.statement` is the inequality, `F3.bound(constants, steps)` its value, refused where an
assumption is violated. What `theory_checks` certifies is these objects.
"""

from . import (
    distributed_methods,
    frank_wolfe,
    ito_chains,
    markovian_noise,
    projection_free_methods,
    soap,
    three_pillars,
)
from .theorem import Assumption, Constants, Paper, Theorem, constant, theorems_of

__all__ = [
    "Assumption",
    "Constants",
    "Paper",
    "Theorem",
    "constant",
    "distributed_methods",
    "frank_wolfe",
    "ito_chains",
    "markovian_noise",
    "projection_free_methods",
    "soap",
    "theorems_of",
    "three_pillars",
]
