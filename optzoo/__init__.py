"""A zoo of stochastic optimization algorithms for optax.

Every algorithm is an `optax.GradientTransformationExtraArgs`. The theorems on them are checked by
the command `theory-checks`.
"""

from . import lmo
from .frank_wolfe import (
    FrankWolfeState,
    SarahFrankWolfeState,
    frank_wolfe,
    frank_wolfe_gap,
    sarah_frank_wolfe,
)
from .oracle_calls import gradient_calls
from .saga_frank_wolfe import (
    SagaSarahFrankWolfeState,
    saga_sarah_frank_wolfe,
    saga_warm_start,
)
from .schedules import open_loop_schedule, stich_schedule
from .shampoo import ShampooState, shampoo
from .soap import SoapState, scale_by_soap, soap

__version__ = "0.1.0"

__all__ = [
    "FrankWolfeState",
    "SagaSarahFrankWolfeState",
    "SarahFrankWolfeState",
    "ShampooState",
    "SoapState",
    "frank_wolfe",
    "frank_wolfe_gap",
    "gradient_calls",
    "lmo",
    "open_loop_schedule",
    "saga_sarah_frank_wolfe",
    "saga_warm_start",
    "sarah_frank_wolfe",
    "scale_by_soap",
    "shampoo",
    "soap",
    "stich_schedule",
]
