"""Attack: the search for the instance that makes a theorem tight, or breaks it."""

from .space import InstanceFamily, OneOf, Real, Whole

__all__ = ["InstanceFamily", "OneOf", "Real", "Whole"]
