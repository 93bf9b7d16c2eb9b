# SPDX-License-Identifier: Apache-2.0
"""Claims that could have failed where a bound is slack on its instances.

The moments of the estimator that the bounds are made of: what fails for a wrong factor.
"""

__all__ = ["PARTNERS"]

PARTNERS = (
    "markovian_noise/estimator/telescoping",
    "markovian_noise/estimator/second-moment",
    "markovian_noise/estimator/variance",
    "markovian_noise/estimator/bias",
    "markovian_noise/estimator/independent",
)
