# SPDX-License-Identifier: Apache-2.0
"""A zoo of stochastic optimization algorithms for optax.

Every algorithm is an `optax.GradientTransformationExtraArgs`. The theorems on them are checked by
the command `theory-checks`. The subpackages `optzoo.problems` and `optzoo.plots` are imported when
they are first used, because they need more than jax and optax: the extras `data` and `checks`;
`optzoo.conformance` too, because a method needs it only under test.
"""

import contextlib
import importlib
import importlib.util
from typing import TYPE_CHECKING

from . import compressors, lmo
from .away_step_frank_wolfe import AwayStepFrankWolfeState, away_step_frank_wolfe
from .blended_pairwise_frank_wolfe import (
    BlendedPairwiseFrankWolfeState,
    blended_pairwise_frank_wolfe,
)
from .boosting import (
    BoostingState,
    DecisionStumps,
    decision_stumps,
    stochastic_gradient_boosting,
)
from .communication import Sent, bytes_sent, communication_rounds, numbers_sent
from .control_variate import control_variate_gradient
from .distributed_extragradient import DistributedExtragradientState, distributed_extragradient
from .extragradient_sliding import ExtragradientSlidingState, extragradient_sliding
from .frank_wolfe import (
    FrankWolfeState,
    SarahFrankWolfeState,
    frank_wolfe,
    frank_wolfe_gap,
    sarah_frank_wolfe,
)
from .ito_chain import ItoChainState, ito_chain, minibatch_diffusion
from .kl_shampoo import KlShampooState, kl_shampoo, scale_by_kl_shampoo
from .kl_soap import KlSoapState, kl_soap, scale_by_kl_soap
from .local_extragradient import LocalExtragradientState, local_extragradient
from .markovian_noise import MarkovianNoise, MultilevelBatch
from .markovian_parameters import (
    AcceleratedGDBound,
    ExtragradientBound,
    NonconvexGDBound,
    PolyakLojasiewiczGDBound,
    StronglyConvexGDBound,
)
from .masha1 import Masha1State, masha1
from .masha2 import Masha2State, masha2
from .master_weights import MasterWeightsState, master_weights
from .mlmc import MLMCInfo, MLMCStream, MLMCStreamState, mlmc_gradient, mlmc_stream
from .momentum_frank_wolfe import MomentumFrankWolfeState, momentum_frank_wolfe
from .noise_laws import (
    NoiseLaw,
    bernoulli_noise,
    discrete_noise,
    gaussian_noise,
    rademacher_noise,
    sampled_noise,
    student_noise,
)
from .optimistic_masha import OptimisticMashaState, optimistic_masha
from .oracle_calls import gradient_calls
from .pairwise_frank_wolfe import PairwiseFrankWolfeState, pairwise_frank_wolfe
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
from .reshaped import ReshapedState, reshaped
from .sag_frank_wolfe import SagFrankWolfeState, sag_frank_wolfe
from .saga_frank_wolfe import SagaSarahFrankWolfeState, saga_sarah_frank_wolfe
from .saga_warm_start import saga_warm_start
from .sagafw import SagafwState, sagafw
from .schedules import open_loop_schedule, stich_schedule
from .sgld import Preconditioner, SGLDState, rms_preconditioner, sgld
from .shampoo import ShampooState, shampoo
from .soap import SoapState, scale_by_soap, soap, soap_shardings
from .spider_frank_wolfe import SpiderFrankWolfeState, spider_frank_wolfe
from .step_rules import StepRule, exact_line_search, short_step
from .stochastic_conditional_gradient import (
    StochasticConditionalGradientState,
    stochastic_conditional_gradient,
)
from .stochastic_frank_wolfe import (
    StochasticFrankWolfeState,
    growing_batches,
    stochastic_frank_wolfe,
)
from .svogs import SvogsState, svogs
from .svrf import SvrfState, svrf
from .three_pillars import ThreePillarsState, three_pillars, three_pillars_specs
from .three_pillars_parameters import ThreePillarsParameters, three_pillars_parameters
from .three_pillars_partial_participation import three_pillars_partial_participation
from .worker_specs import worker_specs

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import conformance as conformance
    from . import plots as plots
    from . import problems as problems
else:
    # What a subpackage needs that optzoo does not.
    _NEEDS = {"conformance": "numpy", "plots": "matplotlib", "problems": "sklearn"}

    def __getattr__(name):
        if name in _NEEDS:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        # Without what cannot be imported, over which help(optzoo) would stumble.
        names = set(globals())
        for name, needed in _NEEDS.items():
            with contextlib.suppress(ImportError):  # some finders say no in this way
                if importlib.util.find_spec(needed):
                    names.add(name)
        return sorted(names)


__all__ = [
    "AcceleratedCoefficients",
    "AcceleratedGDBound",
    "AwayStepFrankWolfeState",
    "BlendedPairwiseFrankWolfeState",
    "BoostingState",
    "DecisionStumps",
    "DistributedExtragradientState",
    "ExtragradientBound",
    "ExtragradientSlidingState",
    "FrankWolfeState",
    "ItoChainState",
    "KlShampooState",
    "KlSoapState",
    "LocalExtragradientState",
    "MLMCInfo",
    "MLMCStream",
    "MLMCStreamState",
    "MarkovianNoise",
    "Masha1State",
    "Masha2State",
    "MasterWeightsState",
    "MomentumFrankWolfeState",
    "MultilevelBatch",
    "NoiseLaw",
    "NonconvexGDBound",
    "OptimisticMashaState",
    "PairwiseFrankWolfeState",
    "PolyakLojasiewiczGDBound",
    "Preconditioner",
    "RandomizedAcceleratedGDState",
    "RandomizedExtragradientState",
    "RandomizedGDState",
    "ReshapedState",
    "SGLDState",
    "SagFrankWolfeState",
    "SagaSarahFrankWolfeState",
    "SagafwState",
    "SarahFrankWolfeState",
    "Sent",
    "ShampooState",
    "SoapState",
    "SpiderFrankWolfeState",
    "StepRule",
    "StochasticConditionalGradientState",
    "StochasticFrankWolfeState",
    "StronglyConvexGDBound",
    "SvogsState",
    "SvrfState",
    "ThreePillarsParameters",
    "ThreePillarsState",
    "accelerated_coefficients",
    "accelerated_eval_params",
    "away_step_frank_wolfe",
    "bernoulli_noise",
    "blended_pairwise_frank_wolfe",
    "bytes_sent",
    "communication_rounds",
    "compressors",
    "control_variate_gradient",
    "decision_stumps",
    "discrete_noise",
    "distributed_extragradient",
    "exact_line_search",
    "extragradient_eval_params",
    "extragradient_sliding",
    "frank_wolfe",
    "frank_wolfe_gap",
    "gaussian_noise",
    "gradient_calls",
    "growing_batches",
    "ito_chain",
    "kl_shampoo",
    "kl_soap",
    "lmo",
    "local_extragradient",
    "masha1",
    "masha2",
    "master_weights",
    "minibatch_diffusion",
    "mlmc_gradient",
    "mlmc_stream",
    "momentum_frank_wolfe",
    "numbers_sent",
    "open_loop_schedule",
    "optimistic_masha",
    "pairwise_frank_wolfe",
    "rademacher_noise",
    "randomized_accelerated_gd",
    "randomized_extragradient",
    "randomized_gd",
    "reshaped",
    "rms_preconditioner",
    "sag_frank_wolfe",
    "saga_sarah_frank_wolfe",
    "saga_warm_start",
    "sagafw",
    "sampled_noise",
    "sarah_frank_wolfe",
    "scale_by_kl_shampoo",
    "scale_by_kl_soap",
    "scale_by_soap",
    "sgld",
    "shampoo",
    "short_step",
    "soap",
    "soap_shardings",
    "spider_frank_wolfe",
    "stich_schedule",
    "stochastic_conditional_gradient",
    "stochastic_frank_wolfe",
    "stochastic_gradient_boosting",
    "student_noise",
    "svogs",
    "svrf",
    "three_pillars",
    "three_pillars_parameters",
    "three_pillars_partial_participation",
    "three_pillars_specs",
    "worker_specs",
]
