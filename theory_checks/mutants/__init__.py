"""Deliberate mistakes, as wrappers outside the algorithms: a check that cannot fail is no check."""

__all__: list[str] = []
