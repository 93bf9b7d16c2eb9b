"""Problems that hand out their constants, each exact or certified, and say which."""

try:
    import scipy  # noqa: F401
    import sklearn  # noqa: F401
except ImportError as missing:
    raise ImportError(
        'optzoo.problems needs SciPy and scikit-learn: pip install "optzoo[data]".'
    ) from missing

from .affine_operators import AffineOperators
from .autoregression import GaussMarkov
from .boosting_process import BoostingProcess
from .chain_laws import GridLaw, gaussian_chain_law, linear_chain_law, weighted_sum_law
from .compressed_moments import CompressedMoments, Messages
from .constant import CertificateError, Constant
from .datasets import breast_cancer, column_scales, diabetes, libsvm
from .diffusion import (
    DoubleWell,
    GeometricBrownianMotion,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    fokker_planck,
    gaussian_posterior,
)
from .distributed_operator import DistributedOperator, spectral_constants
from .distributed_saddle import (
    MintyOperators,
    SaturatedOperators,
    bilinear_saddle,
    minty_operators,
    rotation,
    saturated_saddle,
)
from .finite_sum import Dilated, FiniteSum, Scaled, dilated, local_constants, scaled
from .hard_saddle import hard_saddle, locked_tail
from .langevin_chain import langevin_covariance, minibatch_noise
from .language_model import CharacterModel, python_documentation
from .line_laws import Atoms, Gaussian, Histogram, LogNormal, empirical
from .linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
from .logistic_posterior import LogisticPosterior
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
from .masked_quadratic import MaskedQuadratic, masked_nesterov
from .matrix_completion import MatrixCompletion, observed_entries, photograph
from .matrix_game import MatrixGame, onto_simplex, random_matrix_game
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
from .robust_regression import (
    RobustLinearRegression,
    RobustLogisticRegression,
    RobustRegression,
    robust_linear_regression,
    robust_logistic_regression,
)
from .sign_quadratic import SignQuadratic, random_sign_quadratic
from .temporal_difference import TemporalDifference, river_swim_evaluation, temporal_difference
from .wasserstein import (
    Bracket,
    bures,
    discrete_wasserstein,
    product_distance,
    sampling_floor,
    sliced,
    wasserstein,
)

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
    "GaussMarkov",
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
    "MarkovianLeastSquares",
    "MarkovianObjective",
    "MarkovianOperator",
    "MarkovianProblem",
    "MarkovianQuadratic",
    "MaskedQuadratic",
    "MatrixCompletion",
    "MatrixGame",
    "MatrixStream",
    "Messages",
    "MethodMoments",
    "MintyOperators",
    "NoiseTight",
    "Optimum",
    "OrnsteinUhlenbeck",
    "PathMoments",
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
    "contraction_coefficient",
    "diabetes",
    "dilated",
    "discrete_wasserstein",
    "empirical",
    "extragradient_moments",
    "fokker_planck",
    "gaussian_chain_law",
    "gaussian_posterior",
    "hard_saddle",
    "horizon_slope",
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
    "onto_simplex",
    "photograph",
    "plain_batch_moments",
    "product_distance",
    "python_documentation",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_matrix_game",
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
    "spectral_constants",
    "symmetric_lazy_ring",
    "temporal_difference",
    "two_state_switch",
    "wasserstein",
    "weighted_sum_law",
    "weighted_sum_moments",
]
