# SPDX-License-Identifier: Apache-2.0
"""python -m theory_checks."""

from .cli import program

if __name__ == "__main__":
    program()
