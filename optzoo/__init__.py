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
from .markovian_noise import MarkovianNoise, MultilevelBatch
from .markovian_parameters import (
    AcceleratedGDBound,
    ExtragradientBound,
    NonconvexGDBound,
    PolyakLojasiewiczGDBound,
    StronglyConvexGDBound,
)
from .mlmc import MLMCInfo, MLMCStream, MLMCStreamState, mlmc_gradient, mlmc_stream
from .oracle_calls import gradient_calls
from .randomized_accelerated_gd import (
    AcceleratedCoefficients,
    RandomizedAcceleratedGDState,
    accelerated_coefficients,
    accelerated_eval_params,
    randomized_accelerated_gd,
)
from .randomized_extragradient import (
    RandomizedExtragradientState,
    extragradient_eval_params,
    randomized_extragradient,
)
from .randomized_gd import RandomizedGDState, randomized_gd
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
    "AcceleratedCoefficients",
    "AcceleratedGDBound",
    "ExtragradientBound",
    "FrankWolfeState",
    "MLMCInfo",
    "MLMCStream",
    "MLMCStreamState",
    "MarkovianNoise",
    "MultilevelBatch",
    "NonconvexGDBound",
    "PolyakLojasiewiczGDBound",
    "RandomizedAcceleratedGDState",
    "RandomizedExtragradientState",
    "RandomizedGDState",
    "SagaSarahFrankWolfeState",
    "SarahFrankWolfeState",
    "ShampooState",
    "SoapState",
    "StronglyConvexGDBound",
    "accelerated_coefficients",
    "accelerated_eval_params",
    "extragradient_eval_params",
    "frank_wolfe",
    "frank_wolfe_gap",
    "gradient_calls",
    "lmo",
    "mlmc_gradient",
    "mlmc_stream",
    "open_loop_schedule",
    "randomized_accelerated_gd",
    "randomized_extragradient",
    "randomized_gd",
    "saga_sarah_frank_wolfe",
    "saga_warm_start",
    "sarah_frank_wolfe",
    "scale_by_soap",
    "shampoo",
    "soap",
    "stich_schedule",
]
