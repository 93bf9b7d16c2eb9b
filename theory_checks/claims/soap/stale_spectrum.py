# SPDX-License-Identifier: Apache-2.0
"""S10: what the shipped transformation takes for eigenvalues while the eigenvectors turn."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S10

from ...checks import ExactIdentity
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, mutant, null, wrong
from ...setting import Stated, chosen
from ...simulation.iterates import farthest
from . import mutants
from .settings import Make

__all__ = ["CALLS", "CLAIMS", "FREQUENCIES", "PLANES", "seen", "stream"]

Array = NDArray[np.float64]

CALLS = 100
FREQUENCIES, CONTROLLED = (1, 2, 5, 10, 20), 10

# Of every plane its larger and smaller eigenvalue and its angle of a call. They interlace, so that
# the order in which a refresh sorts the vectors goes across planes; the condition is 1e4.
PLANES = ((100.0, 40.0, 0.015), (50.0, 20.0, 0.01), (1.0, 0.01, 0.03))


def stream(calls: int, *, turned: float = 1.0) -> Array:
    """G_0, ..., G_T with G_t G_t^T = P R(theta t) diag(lambda) R(theta t)^T P^T, full rank.

    Args:
        calls: T.
        turned: factor of all angles.

    Returns:
        Shape (calls + 1, 6, 6).
    """
    generator = np.random.default_rng(0)
    size = 2 * len(PLANES)
    basis, other = (np.linalg.qr(generator.standard_normal((size, size)))[0] for _ in range(2))
    gradients = np.zeros((calls + 1, size, size))
    for plane, (large, small, theta) in enumerate(PLANES):
        place = slice(2 * plane, 2 * plane + 2)
        angle = turned * theta * np.arange(calls + 1)
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        gradients[:, place, place] = rotation * np.sqrt([large, small])
    return np.asarray(basis @ gradients @ other.T)


@partial(jax.jit, static_argnums=0)
def _run(method: Make, f: float, s: float, gradients: jax.Array) -> jax.Array:
    soap = method(learning_rate=1e-3, b2=0.0, shampoo_beta=s, precondition_frequency=f)
    start = jnp.zeros_like(gradients[0])

    def step(state: Any, g: jax.Array) -> tuple[Any, jax.Array]:
        _, state = soap.update(g, state, start)
        return state, jnp.sum(state.nu, axis=1)

    return jax.lax.scan(step, soap.init(start), gradients)[1][1:]


def seen(
    f: int, *, method: Make = optzoo.soap, s: float = 0.0, turned: float = 1.0
) -> dict[str, Array]:
    """The sums along rows of the state's V at calls 1, ..., T: diag(Q_L^T A_t Q_L).

    Args:
        f: calls between refreshes.
        method: soap, or a mutant.
        s: decay of the Gram matrices.
        turned: factor of all angles.

    Returns:
        By plane, shape (calls, 2): what stands in the places of its eigenvalues.
    """
    sums = np.asarray(_run(method, f, s, jnp.asarray(stream(CALLS, turned=turned))))
    # The first bases are sorted by eigenvalue, and every vector keeps its place.
    eigenvalues = np.array([plane[:2] for plane in PLANES]).ravel()
    places = np.argsort(np.argsort(-eigenvalues)).reshape(-1, 2)
    return {f"plane {i}": sums[:, place] for i, place in enumerate(places)}


def _sides(setting: Stated, *, said: Mapping[str, Any] | None = None, **changes: Any) -> Sides:
    measured = seen(int(setting.constants["f"].value), **changes)
    numbers = [dict(zip(("large", "small", "theta"), plane, strict=True)) for plane in PLANES]
    closed = {
        name: setting.bound(S10, CALLS, **one | dict(said or {}))
        for name, one in zip(measured, numbers, strict=True)
    }
    return farthest(measured, closed, window=10)


def _case(f: int) -> Case:
    setting = Stated(
        "gradients $6 \\times 6$ whose left Gram matrix has the eigenvalues "
        + ", ".join(f"{large:g} and {small:g}" for large, small, _ in PLANES)
        + " in three planes that turn by "
        + ", ".join(f"{theta:g}" for _, _, theta in PLANES)
        + f" a call; the rows of the shipped $V$ summed at {CALLS} calls",
        chosen(f=f),
        {"s": 0.0, "beta 2": 0.0},
    )
    return exact_case(
        setting,
        _sides,
        ExactIdentity,
        wrong(
            "the spectrum itself",
            "the eigenvalues of $A_t$, as if the basis were fresh",
            said={"theta": 0.0},
        ),
        wrong("another frequency", "refreshes taken for one call later", said={"f": f + 1}),
        mutant(mutants.the_basis_leaks),
        mutant(mutants.bases_without_lag),
        wrong("averages", "Gram matrices that remember, $s = 1/2$", s=0.5),
        null("turned the other way", "the planes turn by $-\\theta$: the same sums", turned=-1.0),
        tolerance=1e-11,
        bites=f == CONTROLLED,
        what=f"the shipped V, three planes, {CALLS} calls",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/stale-spectrum",
        title="The stale spectrum",
        theorem=S10,
        prepare=grid(_case, f=FREQUENCIES),
        x_label="case",
    ),
)
