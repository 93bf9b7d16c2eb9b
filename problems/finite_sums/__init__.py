# SPDX-License-Identifier: Apache-2.0
"""Finite sums with certified smoothness, their minima over a set, and planted instances of them."""

__all__: list[str] = []
