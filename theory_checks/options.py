"""What the numbers on the command line must be."""

import argparse

__all__ = ["factor", "seconds", "seeds"]


def factor(text: str) -> float:
    """A finite number above 1."""
    refusal = argparse.ArgumentTypeError(f"a number above 1 is needed, got {text!r}")
    try:
        value = float(text)
    except ValueError:
        raise refusal from None
    if not 1.0 < value < float("inf"):
        raise refusal
    return value


def seconds(text: str) -> float:
    """A positive number of seconds."""
    refusal = argparse.ArgumentTypeError(f"a positive number of seconds is needed, got {text!r}")
    try:
        value = float(text)
    except ValueError:
        raise refusal from None
    if not value > 0.0:
        raise refusal
    return value


def seeds(text: str) -> int:
    """A number of replicates."""
    refusal = argparse.ArgumentTypeError(f"an integer of at least 8 is needed, got {text!r}")
    try:
        value = int(text)
    except ValueError:
        raise refusal from None
    if value < 8:
        raise refusal
    return value
