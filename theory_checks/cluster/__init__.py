# SPDX-License-Identifier: Apache-2.0
"""Runs that outgrow one process: claims on the workers of a Dask cluster.

`worker` is what a worker does, `client` hands out the work and hears the results. Both need the
extra `cluster`. Parts of a run that were made without it are put together by `records.merge`.
"""

__all__ = ["ClusterError", "UnreachableError"]


class ClusterError(RuntimeError):
    """A cluster that is gone, or was never reached."""


class UnreachableError(ClusterError):
    """No scheduler answers: nothing was run."""
