# SPDX-License-Identifier: Apache-2.0
"""Streams of losses, with the best fixed point in hindsight."""

__all__: list[str] = []
