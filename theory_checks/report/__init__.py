# SPDX-License-Identifier: Apache-2.0
"""The two readable forms of a results file: report.html for people, summary.md for repositories."""

from .page import write_report, write_summary

__all__ = ["write_report", "write_summary"]
