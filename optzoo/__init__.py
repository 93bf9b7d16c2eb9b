"""A zoo of stochastic optimization algorithms for optax.

Every algorithm is an `optax.GradientTransformationExtraArgs`. The theorems on them are checked by
the command `theory-checks`.
"""

from . import compressors, lmo
from .communication import Sent, bytes_sent, numbers_sent
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
from .three_pillars import ThreePillarsState, three_pillars, three_pillars_specs
from .three_pillars_parameters import ThreePillarsParameters, three_pillars_parameters
from .three_pillars_partial_participation import three_pillars_partial_participation

__version__ = "0.1.0"

__all__ = [
    "FrankWolfeState",
    "SagaSarahFrankWolfeState",
    "SarahFrankWolfeState",
    "Sent",
    "ThreePillarsParameters",
    "ThreePillarsState",
    "bytes_sent",
    "compressors",
    "frank_wolfe",
    "frank_wolfe_gap",
    "gradient_calls",
    "lmo",
    "numbers_sent",
    "open_loop_schedule",
    "saga_sarah_frank_wolfe",
    "saga_warm_start",
    "sarah_frank_wolfe",
    "stich_schedule",
    "three_pillars",
    "three_pillars_parameters",
    "three_pillars_partial_participation",
    "three_pillars_specs",
]
