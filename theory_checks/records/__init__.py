"""results.json: written after every claim, read back strictly, and compared between runs."""

__all__: list[str] = []
