"""Claims on Saga Sarah Frank-Wolfe: the estimator with its table, the rates, and their laws."""

__all__: list[str] = []
