# SPDX-License-Identifier: Apache-2.0
"""What methods do in expectation: exact moments, laws of chains, and distances between laws."""

__all__: list[str] = []
