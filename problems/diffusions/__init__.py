# SPDX-License-Identifier: Apache-2.0
"""Diffusions with their laws at any time, and chains that approach one."""

__all__: list[str] = []
