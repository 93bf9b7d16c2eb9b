"""Theorems with a mistake in them, each CONSISTENT on an easy instance, and theorems without."""

from . import exact, frank_wolfe, gradient_methods
from .entry import Entry

__all__ = ["TRUE", "WRONG", "Entry"]

WRONG: tuple[Entry, ...] = (*frank_wolfe.WRONG, *gradient_methods.WRONG, *exact.WRONG)
TRUE: tuple[Entry, ...] = (*frank_wolfe.TRUE, *gradient_methods.TRUE, *exact.TRUE)
