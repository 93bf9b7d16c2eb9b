"""A theorem to make claims of."""

from optzoo.theorems import Paper, Theorem


def stated(**changes):
    """An equality of two computations, unless the changes say otherwise."""
    fields = {
        "label": "T1", "title": "A theorem", "paper": Paper("A paper"), "source": "Theorem 1",
        "algorithm": "sarah_frank_wolfe", "statement": "$a = b$", "assumptions": (), "metric": "a",
        "output": "last iterate", "side": "equal", "not_shown": "nothing",
    }  # fmt: skip
    return Theorem(**(fields | changes))
