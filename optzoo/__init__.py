"""A zoo of stochastic optimization algorithms for optax.

Every algorithm is an `optax.GradientTransformationExtraArgs`. The theorems on them are checked by
the command `theory-checks`.
"""

from . import lmo
from .boosting import (
    BoostingState,
    DecisionStumps,
    decision_stumps,
    stochastic_gradient_boosting,
)
from .frank_wolfe import (
    FrankWolfeState,
    SarahFrankWolfeState,
    frank_wolfe,
    frank_wolfe_gap,
    sarah_frank_wolfe,
)
from .ito_chain import ItoChainState, ito_chain, minibatch_diffusion
from .noise_laws import (
    NoiseLaw,
    bernoulli_noise,
    discrete_noise,
    gaussian_noise,
    rademacher_noise,
    sampled_noise,
    student_noise,
)
from .oracle_calls import gradient_calls
from .saga_frank_wolfe import (
    SagaSarahFrankWolfeState,
    saga_sarah_frank_wolfe,
    saga_warm_start,
)
from .schedules import open_loop_schedule, stich_schedule
from .sgld import Preconditioner, SGLDState, rms_preconditioner, sgld

__version__ = "0.1.0"

__all__ = [
    "BoostingState",
    "DecisionStumps",
    "FrankWolfeState",
    "ItoChainState",
    "NoiseLaw",
    "Preconditioner",
    "SGLDState",
    "SagaSarahFrankWolfeState",
    "SarahFrankWolfeState",
    "bernoulli_noise",
    "decision_stumps",
    "discrete_noise",
    "frank_wolfe",
    "frank_wolfe_gap",
    "gaussian_noise",
    "gradient_calls",
    "ito_chain",
    "lmo",
    "minibatch_diffusion",
    "open_loop_schedule",
    "rademacher_noise",
    "rms_preconditioner",
    "saga_sarah_frank_wolfe",
    "saga_warm_start",
    "sampled_noise",
    "sarah_frank_wolfe",
    "sgld",
    "stich_schedule",
    "stochastic_gradient_boosting",
    "student_noise",
]
