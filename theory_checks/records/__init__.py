# SPDX-License-Identifier: Apache-2.0
"""results.json: written after every claim, read back strictly, and compared between runs."""

__all__: list[str] = []
