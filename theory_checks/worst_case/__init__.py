# SPDX-License-Identifier: Apache-2.0
"""How much of a theorem was tested: which mistakes in its statement would have been caught."""

__all__: list[str] = []
