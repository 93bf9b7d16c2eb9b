# SPDX-License-Identifier: Apache-2.0
"""Evidence and verdicts: e-values, limits of means, exponents, and how honest all of it is."""

__all__: list[str] = []
