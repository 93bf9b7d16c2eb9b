"""Runs that outgrow one process: claims on the workers of a Dask cluster, and shards put together.

`worker` is what a worker does, `client` hands out the work and hears the results, `merge` makes one
run of several. Needs the extra `cluster`, but for the last.
"""

__all__: list[str] = []
