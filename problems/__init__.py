"""Problems that hand out their constants, each exact or certified, and say which."""

from .boosting_process import BoostingProcess
from .chain_laws import GridLaw, gaussian_chain_law, linear_chain_law, weighted_sum_law
from .constant import CertificateError, Constant
from .datasets import breast_cancer, diabetes, libsvm
from .diffusion import (
    DoubleWell,
    GeometricBrownianMotion,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    fokker_planck,
    gaussian_posterior,
)
from .finite_sum import Dilated, FiniteSum, Scaled, dilated, local_constants, scaled
from .line_laws import Atoms, Gaussian, Histogram, LogNormal, empirical
from .linear_models import LeastSquares, LinearModel, LogisticRegression, SigmoidLoss
from .logistic_posterior import LogisticPosterior
from .matrix_completion import MatrixCompletion, observed_entries, photograph
from .noise_tight import NoiseTight, horizon_slope
from .optimum import Constraint, Optimum, minimize_over
from .planted_models import random_least_squares, random_logistic, random_sigmoid
from .pytree import pytree_dataclass
from .sign_quadratic import SignQuadratic, random_sign_quadratic
from .wasserstein import (
    Bracket,
    bures,
    entropic_bracket,
    product_distance,
    sampling_floor,
    sliced,
    wasserstein,
)

__all__ = [
    "Atoms",
    "BoostingProcess",
    "Bracket",
    "CertificateError",
    "Constant",
    "Constraint",
    "Dilated",
    "DoubleWell",
    "FiniteSum",
    "Gaussian",
    "GeometricBrownianMotion",
    "GridLaw",
    "Histogram",
    "LeastSquares",
    "LinearDiffusion",
    "LinearModel",
    "LogNormal",
    "LogisticPosterior",
    "LogisticRegression",
    "MatrixCompletion",
    "NoiseTight",
    "Optimum",
    "OrnsteinUhlenbeck",
    "Scaled",
    "SigmoidLoss",
    "SignQuadratic",
    "breast_cancer",
    "bures",
    "diabetes",
    "dilated",
    "empirical",
    "entropic_bracket",
    "fokker_planck",
    "gaussian_chain_law",
    "gaussian_posterior",
    "horizon_slope",
    "libsvm",
    "linear_chain_law",
    "local_constants",
    "minimize_over",
    "observed_entries",
    "photograph",
    "product_distance",
    "pytree_dataclass",
    "random_least_squares",
    "random_logistic",
    "random_sigmoid",
    "random_sign_quadratic",
    "sampling_floor",
    "scaled",
    "sliced",
    "wasserstein",
    "weighted_sum_law",
]
