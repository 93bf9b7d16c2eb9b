# SPDX-License-Identifier: Apache-2.0
"""Operators and saddle points that are split over workers, with constants of their similarity."""

__all__: list[str] = []
