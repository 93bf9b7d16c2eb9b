"""Problems that hand out their constants, each exact or certified, and say which."""

from .autoregression import GaussMarkov
from .constant import CertificateError, Constant
from .datasets import breast_cancer, libsvm
from .finite_sum import Dilated, FiniteSum, Scaled, dilated, local_constants, scaled
from .linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
from .markov_chain import MarkovChain, contraction_coefficient
from .markov_chain_families import (
    lazy_resample,
    metropolis_chain,
    one_way_lazy_ring,
    random_walk,
    symmetric_lazy_ring,
    two_state_switch,
)
from .markovian_least_squares import MarkovianLeastSquares
from .markovian_noise import (
    MarkovianObjective,
    MarkovianOperator,
    MarkovianProblem,
    centred_values,
    noise_around,
    smallest_delta,
    smallest_sigma,
)
from .markovian_quadratic import (
    MarkovianQuadratic,
    additive_noise_quadratic,
    multiplicative_noise_quadratic,
    sign_testing_quadratic,
)
from .masked_quadratic import MaskedQuadratic, masked_nesterov, nesterov_distance_bound
from .matrix_completion import MatrixCompletion, observed_entries, photograph
from .monotone_operator import RotationOperator, rotation_operator
from .multilevel_moments import (
    PathMoments,
    level_weights,
    multilevel_moments,
    plain_batch_moments,
    weighted_sum_moments,
)
from .multilevel_recursions import (
    LinearMethodMoments,
    MethodMoments,
    accelerated_gd_moments,
    extragradient_moments,
    randomized_gd_moments,
)
from .noise_tight import NoiseTight, horizon_slope
from .online_matrix_regression import (
    LeastDistancesStream,
    LeastSquaresStream,
    MatrixStream,
)
from .optimum import Constraint, Optimum, minimize_over
from .planted_models import random_least_squares, random_logistic, random_sigmoid
from .pytree import pytree_dataclass
from .sign_quadratic import SignQuadratic, random_sign_quadratic
from .temporal_difference import TemporalDifference, river_swim_evaluation, temporal_difference

__all__ = [
    "CertificateError",
    "Constant",
    "Constraint",
    "Dilated",
    "FiniteSum",
    "GaussMarkov",
    "LeastDistancesStream",
    "LeastSquares",
    "LeastSquaresStream",
    "LinearMethodMoments",
    "LinearModel",
    "LogisticRegression",
    "MarkovChain",
    "MarkovianLeastSquares",
    "MarkovianObjective",
    "MarkovianOperator",
    "MarkovianProblem",
    "MarkovianQuadratic",
    "MaskedQuadratic",
    "MatrixCompletion",
    "MatrixStream",
    "MethodMoments",
    "NoiseTight",
    "Optimum",
    "PathMoments",
    "RotationOperator",
    "Scaled",
    "SigmoidLoss",
    "SignQuadratic",
    "TemporalDifference",
    "accelerated_gd_moments",
    "additive_noise_quadratic",
    "breast_cancer",
    "centred_values",
    "contraction_coefficient",
    "dilated",
    "extragradient_moments",
    "horizon_slope",
    "lazy_resample",
    "level_weights",
    "libsvm",
    "local_constants",
    "masked_nesterov",
    "metropolis_chain",
    "minimize_over",
    "multilevel_moments",
    "multiplicative_noise_quadratic",
    "nesterov_distance_bound",
    "noise_around",
    "observed_entries",
    "one_way_lazy_ring",
    "photograph",
    "plain_batch_moments",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_sigmoid",
    "random_sign_quadratic",
    "random_walk",
    "randomized_gd_moments",
    "river_swim_evaluation",
    "rotation_operator",
    "scaled",
    "sign_testing_quadratic",
    "smallest_delta",
    "smallest_sigma",
    "symmetric_lazy_ring",
    "temporal_difference",
    "two_state_switch",
    "weighted_sum_moments",
]
