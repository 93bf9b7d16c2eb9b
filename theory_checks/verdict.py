# SPDX-License-Identifier: Apache-2.0
"""The verdict on a table of ratios, for one's own data: `assess(metric / bound)`."""

from .statistics.identity import identity_test
from .statistics.verdict import Verdict, assess, assess_pathwise, decide

__all__ = ["Verdict", "assess", "assess_pathwise", "decide", "identity_test"]
