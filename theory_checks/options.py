# SPDX-License-Identifier: Apache-2.0
"""What the numbers on the command line must be."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

__all__ = ["factor", "minutes", "seconds", "seed", "seeds", "shard", "workers"]

Number = TypeVar("Number", int, float)


def factor(text: str) -> float:
    """A finite number above 1."""
    return _read(text, float, lambda value: 1.0 < value < math.inf, "a number above 1")


def minutes(text: str) -> float:
    """A positive number of minutes."""
    return _read(text, float, lambda value: 0.0 < value < math.inf, "a positive number of minutes")


def seconds(text: str) -> float:
    """A positive number of seconds."""
    return _read(text, float, lambda value: value > 0.0, "a positive number of seconds")


def seed(text: str) -> int:
    """A seed of random numbers."""
    return _read(text, int, lambda value: 0 <= value < 2**30, "an integer from 0 to 2^30 - 1")


def seeds(text: str) -> int:
    """A number of replicates."""
    return _read(text, int, lambda value: value >= 8, "an integer of at least 8")


def shard(text: str) -> tuple[int, int]:
    """Which part of how many, such as 3/10."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"I/N with 1 <= I <= N is needed, got {text!r}")
    return int(number), int(count)


def workers(text: str) -> int:
    """A number of processes."""
    return _read(text, int, lambda value: value >= 1, "an integer of at least 1")


def _read(
    text: str, kind: Callable[[str], Number], allowed: Callable[[Number], bool], needed: str
) -> Number:
    refusal = argparse.ArgumentTypeError(f"{needed} is needed, got {text!r}")
    try:
        value = kind(text)
    except ValueError:
        raise refusal from None
    if not allowed(value):
        raise refusal
    return value
