# SPDX-License-Identifier: Apache-2.0
"""Problems that hand out their constants, each exact or certified, and say which."""

try:
    import scipy  # noqa: F401
    import sklearn  # noqa: F401
except ImportError as missing:
    raise ImportError(
        'optzoo.problems needs SciPy and scikit-learn: pip install "optzoo[data]".'
    ) from missing

from .constant import CertificateError, Constant
from .datasets import breast_cancer, column_scales, diabetes, libsvm
from .diffusions.boosting_process import BoostingProcess
from .diffusions.diffusion import (
    DoubleWell,
    GeometricBrownianMotion,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    fokker_planck,
    gaussian_posterior,
)
from .diffusions.line_laws import Atoms, Gaussian, Histogram, LogNormal, empirical
from .diffusions.logistic_posterior import LogisticPosterior
from .distributed.affine_operators import AffineOperators
from .distributed.distributed_operator import DistributedOperator
from .distributed.distributed_saddle import (
    MintyOperators,
    SaturatedOperators,
    bilinear_saddle,
    minty_operators,
    rotation,
    saturated_saddle,
)
from .distributed.hard_saddle import hard_saddle, locked_tail
from .distributed.robust_regression import (
    RobustLinearRegression,
    RobustLogisticRegression,
    RobustRegression,
    robust_linear_regression,
    robust_logistic_regression,
)
from .expectations.chain_laws import GridLaw, gaussian_chain_law, linear_chain_law, weighted_sum_law
from .expectations.compressed_moments import CompressedMoments, Messages
from .expectations.langevin_chain import langevin_covariance, minibatch_noise
from .expectations.multilevel_moments import (
    PathMoments,
    level_weights,
    multilevel_moments,
    plain_batch_moments,
    weighted_sum_moments,
)
from .expectations.multilevel_recursions import (
    LinearMethodMoments,
    MethodMoments,
    accelerated_gd_moments,
    extragradient_moments,
    randomized_gd_moments,
)
from .expectations.wasserstein import (
    Bracket,
    bures,
    discrete_wasserstein,
    sampling_floor,
    sliced,
    wasserstein,
)
from .finite_sums.finite_sum import Dilated, FiniteSum, Scaled, dilated, local_constants, scaled
from .finite_sums.language_model import CharacterModel, python_documentation
from .finite_sums.linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
from .finite_sums.matrix_completion import MatrixCompletion, observed_entries, photograph
from .finite_sums.noise_tight import NoiseTight
from .finite_sums.optimum import Constraint, Optimum, minimize_over
from .finite_sums.piecewise_quadratic import PiecewiseQuadratic
from .finite_sums.planted_models import random_least_squares, random_logistic, random_sigmoid
from .finite_sums.quadratics import Quadratics
from .finite_sums.sign_quadratic import SignQuadratic, random_sign_quadratic
from .markov.markov_chain import MarkovChain
from .markov.markov_chain_families import (
    lazy_resample,
    metropolis_chain,
    one_way_lazy_ring,
    random_walk,
    symmetric_lazy_ring,
    two_state_switch,
)
from .markov.markovian_noise import (
    MarkovianObjective,
    MarkovianOperator,
    MarkovianProblem,
    centred_values,
    noise_around,
    smallest_delta,
    smallest_sigma,
)
from .markov.markovian_quadratic import (
    MarkovianQuadratic,
    additive_noise_quadratic,
    multiplicative_noise_quadratic,
    sign_testing_quadratic,
)
from .markov.masked_quadratic import MaskedQuadratic, masked_nesterov
from .markov.monotone_operator import RotationOperator, rotation_operator
from .markov.temporal_difference import (
    TemporalDifference,
    river_swim_evaluation,
    temporal_difference,
)
from .online.online_matrix_regression import (
    LeastDistancesStream,
    LeastSquaresStream,
    MatrixStream,
)
from .pytree import pytree_dataclass

__all__ = [
    "AffineOperators",
    "Atoms",
    "BoostingProcess",
    "Bracket",
    "CertificateError",
    "CharacterModel",
    "CompressedMoments",
    "Constant",
    "Constraint",
    "Dilated",
    "DistributedOperator",
    "DoubleWell",
    "FiniteSum",
    "Gaussian",
    "GeometricBrownianMotion",
    "GridLaw",
    "Histogram",
    "LeastDistancesStream",
    "LeastSquares",
    "LeastSquaresStream",
    "LinearDiffusion",
    "LinearMethodMoments",
    "LinearModel",
    "LogNormal",
    "LogisticPosterior",
    "LogisticRegression",
    "MarkovChain",
    "MarkovianObjective",
    "MarkovianOperator",
    "MarkovianProblem",
    "MarkovianQuadratic",
    "MaskedQuadratic",
    "MatrixCompletion",
    "MatrixStream",
    "Messages",
    "MethodMoments",
    "MintyOperators",
    "NoiseTight",
    "Optimum",
    "OrnsteinUhlenbeck",
    "PathMoments",
    "PiecewiseQuadratic",
    "Quadratics",
    "RobustLinearRegression",
    "RobustLogisticRegression",
    "RobustRegression",
    "RotationOperator",
    "SaturatedOperators",
    "Scaled",
    "SigmoidLoss",
    "SignQuadratic",
    "TemporalDifference",
    "accelerated_gd_moments",
    "additive_noise_quadratic",
    "bilinear_saddle",
    "breast_cancer",
    "bures",
    "centred_values",
    "column_scales",
    "diabetes",
    "dilated",
    "discrete_wasserstein",
    "empirical",
    "extragradient_moments",
    "fokker_planck",
    "gaussian_chain_law",
    "gaussian_posterior",
    "hard_saddle",
    "langevin_covariance",
    "lazy_resample",
    "level_weights",
    "libsvm",
    "linear_chain_law",
    "local_constants",
    "locked_tail",
    "masked_nesterov",
    "metropolis_chain",
    "minibatch_noise",
    "minimize_over",
    "minty_operators",
    "multilevel_moments",
    "multiplicative_noise_quadratic",
    "noise_around",
    "observed_entries",
    "one_way_lazy_ring",
    "photograph",
    "plain_batch_moments",
    "python_documentation",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_sigmoid",
    "random_sign_quadratic",
    "random_walk",
    "randomized_gd_moments",
    "river_swim_evaluation",
    "robust_linear_regression",
    "robust_logistic_regression",
    "rotation",
    "rotation_operator",
    "sampling_floor",
    "saturated_saddle",
    "scaled",
    "sign_testing_quadratic",
    "sliced",
    "smallest_delta",
    "smallest_sigma",
    "symmetric_lazy_ring",
    "temporal_difference",
    "two_state_switch",
    "wasserstein",
    "weighted_sum_law",
    "weighted_sum_moments",
]
