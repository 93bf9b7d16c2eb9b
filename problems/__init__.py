"""Problems that hand out their constants, each exact or certified, and say which."""

from .affine_operators import AffineOperators
from .compressed_moments import CompressedMoments, Messages
from .constant import CertificateError, Constant
from .datasets import breast_cancer, libsvm
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
from .linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
from .matrix_game import MatrixGame, onto_simplex, random_matrix_game
from .noise_tight import NoiseTight, horizon_slope
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

__all__ = [
    "AffineOperators",
    "CertificateError",
    "CompressedMoments",
    "Constant",
    "Constraint",
    "Dilated",
    "DistributedOperator",
    "FiniteSum",
    "LeastSquares",
    "LinearModel",
    "LogisticRegression",
    "MatrixGame",
    "Messages",
    "MintyOperators",
    "NoiseTight",
    "Optimum",
    "RobustLinearRegression",
    "RobustLogisticRegression",
    "RobustRegression",
    "SaturatedOperators",
    "Scaled",
    "SigmoidLoss",
    "SignQuadratic",
    "bilinear_saddle",
    "breast_cancer",
    "dilated",
    "hard_saddle",
    "horizon_slope",
    "libsvm",
    "local_constants",
    "locked_tail",
    "minimize_over",
    "minty_operators",
    "onto_simplex",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_matrix_game",
    "random_sigmoid",
    "random_sign_quadratic",
    "robust_linear_regression",
    "robust_logistic_regression",
    "rotation",
    "saturated_saddle",
    "scaled",
    "spectral_constants",
]
