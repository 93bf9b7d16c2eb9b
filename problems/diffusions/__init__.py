"""Diffusions with their laws at any time, and chains that approach one."""

__all__: list[str] = []
