"""Problems that hand out their constants, each exact or certified, and say which."""

from .constant import CertificateError, Constant
from .datasets import breast_cancer, libsvm
from .finite_sum import Dilated, FiniteSum, Scaled, dilated, local_constants, scaled
from .linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
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

__all__ = [
    "CertificateError",
    "Constant",
    "Constraint",
    "Dilated",
    "FiniteSum",
    "LeastDistancesStream",
    "LeastSquares",
    "LeastSquaresStream",
    "LinearModel",
    "LogisticRegression",
    "MatrixStream",
    "NoiseTight",
    "Optimum",
    "Scaled",
    "SigmoidLoss",
    "SignQuadratic",
    "breast_cancer",
    "dilated",
    "horizon_slope",
    "libsvm",
    "local_constants",
    "minimize_over",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_sigmoid",
    "random_sign_quadratic",
    "scaled",
]
