# SPDX-License-Identifier: Apache-2.0
"""The arguments that SOAP and its relatives share, checked."""

import math
from typing import Any, NamedTuple

from ._arguments import require_in, require_integer
from ._soap_axes import Structure, WeightDimensionNumbers

__all__: list[str] = []


class Hyperparameters(NamedTuple):
    """The numbers of a method; under `inject_hyperparams` they may be arrays."""

    b1: Any
    b2: Any
    s: Any  # the decay of the Gram matrices or factors
    eps: Any
    precondition_frequency: Any


def required(
    b1: Any,
    b2: Any,
    shampoo_beta: Any,
    eps: Any,
    precondition_frequency: Any,
    max_precond_dim: Any,
    precondition_1d: bool,
    one_sided: bool,
    weight_dimension_numbers: WeightDimensionNumbers,
) -> tuple[Hyperparameters, Structure]:
    """The arguments, checked, as numbers and as what decides which bases there are."""
    require_in("b1", b1, 0.0, 1.0)
    require_in("b2", b2, 0.0, 1.0)
    if shampoo_beta is not None:
        require_in("shampoo_beta", shampoo_beta, 0.0, 1.0)
    require_in("eps", eps, 0.0, math.inf)
    require_integer("precondition_frequency", precondition_frequency, 1)
    s = b2 if shampoo_beta is None else shampoo_beta
    return (
        Hyperparameters(b1, b2, s, eps, precondition_frequency),
        required_structure(max_precond_dim, precondition_1d, one_sided, weight_dimension_numbers),
    )


def required_structure(
    max_precond_dim: Any,
    precondition_1d: bool,
    one_sided: bool,
    weight_dimension_numbers: WeightDimensionNumbers,
) -> Structure:
    """Those that decide which bases there are."""
    if max_precond_dim is not None:
        require_integer("max_precond_dim", max_precond_dim, 0)
    require_bool("precondition_1d", precondition_1d)
    require_bool("one_sided", one_sided)
    return Structure(max_precond_dim, precondition_1d, one_sided, weight_dimension_numbers)


def require_bool(name: str, value: Any) -> None:
    """Raises unless the argument is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def require_known(structure: Structure) -> None:
    """Raises if `init` cannot know which bases there are."""
    if not structure.is_known:
        raise TypeError(
            "max_precond_dim must be known in `init`, because it decides which matrices there "
            "are; under inject_hyperparams run `init` outside jit or pass "
            'static_args=("max_precond_dim",).'
        )
