# SPDX-License-Identifier: Apache-2.0
"""Whether an optax transformation is one wherever optax and JAX may call it.

`Row` says how an optimizer is made, `PROPERTIES` is what is checked, and `conformance` checks it.
The rows of `optzoo` are in `optimizers`; `theory-checks conformance` does it from a shell.
"""

from .outcome import Outcome, conformance
from .properties import PROPERTIES, Property, Violation
from .row import Row, Subject, gradient, objective

__all__ = [
    "PROPERTIES",
    "Outcome",
    "Property",
    "Row",
    "Subject",
    "Violation",
    "conformance",
    "gradient",
    "objective",
]
