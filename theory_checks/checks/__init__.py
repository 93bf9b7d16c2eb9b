# SPDX-License-Identifier: Apache-2.0
"""The ways in which a claim is checked; each turns an experiment or a computation into a finding.

A check says what shape its finding has, its `kind`: a bound from above or below, an equality, one
step (cases of an inequality), a scaling or a rate. Sampled: `UpperBound`, `PathwiseLowerBound`,
`SampledIdentity`, `Law`, `Passage`, `Rate`, `Minimizer`. Exact: `ExactIdentity`, `ExactInequality`,
`ExactLowerBound`, `ExactScaling`, `ExactExponent`; beside the worst case over a class of problems:
`WorstCaseBound`.
"""

from .bounds import PathwiseLowerBound, SampledIdentity, UpperBound
from .exact import CLOSEST, ExactIdentity, ExactInequality, ExactLowerBound, ExactScaling
from .exact_exponent import ExactExponent
from .exponents import Law, Minimizer, Passage, Rate
from .over_a_class import WorstCaseBound
from .restatable import Says

__all__ = [
    "CLOSEST",
    "ExactExponent",
    "ExactIdentity",
    "ExactInequality",
    "ExactLowerBound",
    "ExactScaling",
    "Law",
    "Minimizer",
    "Passage",
    "PathwiseLowerBound",
    "Rate",
    "SampledIdentity",
    "Says",
    "UpperBound",
    "WorstCaseBound",
]
