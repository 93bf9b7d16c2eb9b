"""How far a benchmark has come: a bar on a terminal, a line a step otherwise."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

__all__ = ["progress"]

T = TypeVar("T")


def progress(steps: Sequence[T], what: str) -> Iterator[T]:
    """The steps one by one, with a bar, or a line as each begins, on standard error.

    Args:
        steps: what there is to do; their texts name them.
        what: the kind of the steps, a word or two.

    Returns:
        An iterator over the steps.

    Example:
        >>> list(progress(["a", "b"], "size"))    # on standard error: [1/2] size: a, and so on
        ['a', 'b']
    """
    bar = tqdm(steps, unit="", leave=False, disable=not sys.stderr.isatty())
    for number, step in enumerate(bar, 1):
        bar.set_description(f"{what}: {step}")
        if bar.disable:
            print(f"[{number}/{len(steps)}] {what}: {step}", file=sys.stderr, flush=True)
        yield step
