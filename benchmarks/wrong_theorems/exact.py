"""Theorems whose expectations are computed exactly, with a mistake in them, and without."""

from .entry import Entry

__all__ = ["TRUE", "WRONG"]

WRONG: tuple[Entry, ...] = ()
TRUE: tuple[Entry, ...] = ()
