# SPDX-License-Identifier: Apache-2.0
"""Markov chains with exact mixing times, and problems whose samples follow one."""

__all__: list[str] = []
