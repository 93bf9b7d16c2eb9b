# SPDX-License-Identifier: Apache-2.0
r"""How the number of steps grows with delta/mu, n and L: like sqrt(n) delta/mu, and not with L."""

from collections.abc import Sequence
from typing import Any

from optzoo.compressors import SampledClients
from optzoo.theorems.three_pillars import V2_LIPSCHITZ, V2_SIMILARITY, V2_WORKERS

from ...checks import Passage
from ...claim import Case, Claim
from ...controls import Change, case, wrong
from ...simulation import Experiment, log_spaced
from .settings import PillarsSetting, saddle

__all__ = ["CLAIMS"]

EPS = 0.1  # of |z^0 - z*|^2, which is 1


def _law(
    name: str,
    settings: dict[float, PillarsSetting],
    steps: Sequence[int],
    stated: float,
    *changes: Change,
) -> Case:
    """The steps to EPS grow like the constant to the power `stated`; the last setting is shown."""
    shipped = [
        place.experiment(f"law-{name}-{j}", steps, randomness="pillars-laws")
        for j, place in enumerate(settings.values())
    ]

    def check(stated: float = stated, experiments: Sequence[Experiment] = shipped) -> Passage:
        return Passage(tuple(settings), experiments, "distance", EPS, stated, relation="exactly")

    return case(list(settings.values())[-1], check, *changes)


def _similarity() -> Case:
    ratios = (8.0, 19.0, 45.0, 108.0, 256.0)
    return _law(
        "similarity",
        {ratio: saddle("zero", n=2, half_dim=1, mu=1 / ratio) for ratio in ratios},
        log_spaced(10, 2500, 40),
        1.0,
        wrong("exponent 1/2 claimed", "a false claim: acceleration", stated=0.5),
        wrong("exponent 2 claimed", "a false claim", stated=2.0),
    )


def _workers() -> Case:
    fields: dict[str, Any] = {"half_dim": 1, "mu": 1 / 60}
    return _law(
        "workers",
        {
            float(n): saddle("zero", n=n, compressor=SampledClients(1, n), **fields)
            for n in (2, 4, 12, 28, 64)
        },
        log_spaced(60, 3200, 40),
        0.5,
        wrong("exponent 1 claimed", "a false claim: no square root", stated=1.0),
        wrong("exponent 0 claimed", "a false claim: rounds as if $n = 1$", stated=0.0),
    )


def _server() -> Case:
    # In the first direction the operator is as slow as without the common coupling.
    sizes = (3.0, 7.0, 17.0, 41.0, 100.0)
    settings = {size: saddle("spectrum", n=4, half_dim=2, mu=0.05, size=size) for size in sizes}
    full = [
        place.extragradient(
            f"law-full-{j}",
            log_spaced(10, 20_000, 40),
            0.5 / place.problem.constants["L"].value,
        )
        for j, place in enumerate(settings.values())
    ]
    return _law(
        "server",
        settings,
        log_spaced(10, 1000, 40),
        0.0,
        wrong("exponent 1/2 claimed", "a false claim: L counts", stated=0.5),
        wrong(
            "extragradient with full communication",
            "the steps of a method that knows of no similarity",
            experiments=full,
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/laws/similarity",
        title="The steps grow like delta/mu",
        theorem=V2_SIMILARITY,
        prepare=_similarity,
        x_label=r"$\delta/\mu$",
    ),
    Claim(
        id="three_pillars/laws/workers",
        title="The steps grow like the root of n",
        theorem=V2_WORKERS,
        prepare=_workers,
        x_label="$n$",
    ),
    Claim(
        id="three_pillars/laws/lipschitz",
        title="The steps do not grow with L",
        theorem=V2_LIPSCHITZ,
        prepare=_server,
        x_label=r"$L/\delta$",
    ),
)
