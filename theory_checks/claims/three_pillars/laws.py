r"""How the number of steps grows with delta/mu, n and L: like sqrt(n) delta/mu, and not with L."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from optzoo.compressors import SampledClients
from optzoo.problems import AffineOperators

from ...checks import Passage
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .instances import Place, saddle
from .paper import pillars_claim
from .process import FullExtragradient

__all__ = ["CLAIMS"]

EPS = 0.1  # of |z^0 - z*|^2, which is 1


def _grid(first: int, last: int, points: int = 40) -> tuple[int, ...]:
    return tuple(np.unique(np.round(np.geomspace(first, last, points)).astype(int)).tolist())


@cache
def _similarity(ratio: float) -> Place:
    return saddle("zero", n=2, half_dim=1, mu=1 / ratio)


@cache
def _workers(n: int) -> Place:
    return saddle("zero", n=n, half_dim=1, mu=1 / 60, compressor=SampledClients(1, n))


@cache
def _server(ratio: float) -> Place:
    # In the first direction the operator is as slow as without the common coupling.
    return saddle("spectrum", n=4, half_dim=2, mu=0.05, size=ratio)


RATIOS = (8.0, 19.0, 45.0, 108.0, 256.0)
WORKERS = (2, 4, 12, 28, 64)
LIPSCHITZ = (3.0, 7.0, 17.0, 41.0, 100.0)


def _experiments(
    name: str, places: list[Place], grid: tuple[int, ...], lanes: int = 16
) -> list[Experiment]:
    return [
        Experiment(
            f"pillars-law-{name}-{j}", place.run(), grid, lanes=lanes, randomness="pillars-laws"
        )
        for j, place in enumerate(places)
    ]


def _law(theta: tuple[float, ...], experiments: list[Experiment], stated: float) -> Passage:
    return Passage(theta, experiments, "distance", EPS, stated, relation="exactly")


def _similarity_case() -> Case:
    places = [_similarity(ratio) for ratio in RATIOS]
    runs = _experiments("similarity", places, _grid(10, 2500))
    return Case(
        problem=r"bilinear saddle without common coupling, $n = d = 2$, $\delta/\mu = 8$ to $256$",
        constants=places[-1].constants,
        parameters=places[-1].parameters,
        check=_law(RATIOS, runs, 1.0),
        controls=(
            Control("exponent 1/2 claimed", "a false claim: acceleration", _law(RATIOS, runs, 0.5)),
            Control("exponent 2 claimed", "a false claim", _law(RATIOS, runs, 2.0)),
        ),
    )


def _workers_case() -> Case:
    places = [_workers(n) for n in WORKERS]
    runs = _experiments("workers", places, _grid(60, 3200))
    theta = tuple(float(n) for n in WORKERS)
    return Case(
        problem=(
            r"bilinear saddle without common coupling, one client, $d = 2$, $\delta/\mu = 60$, "
            r"$n = 2$ to $64$"
        ),
        constants=places[-1].constants,
        parameters=places[-1].parameters | {"n": "2 to 64"},
        check=_law(theta, runs, 0.5),
        controls=(
            Control("exponent 1 claimed", "a false claim: no square root", _law(theta, runs, 1.0)),
            Control(
                "exponent 0 claimed", "a false claim: rounds as if $n = 1$", _law(theta, runs, 0.0)
            ),
        ),
    )


def _server_case() -> Case:
    places = [_server(ratio) for ratio in LIPSCHITZ]
    runs = _experiments("server", places, _grid(10, 1000))

    def full() -> list[Experiment]:
        found = []
        for j, place in enumerate(places):
            assert isinstance(place.problem, AffineOperators)
            run = FullExtragradient(
                problem=place.problem,
                z_star=jnp.asarray(place.problem.solution),
                step_size=jnp.asarray(0.5 / place.problem.constants["L"].value),
            )
            found.append(Experiment(f"pillars-law-full-{j}", run, _grid(10, 20_000), lanes=16))
        return found

    return Case(
        problem=(
            r"bilinear saddle with a spectrum, $n = d = 4$, $\delta/\mu = 20$, $L/\delta = 3$ to "
            "$100$"
        ),
        constants=places[-1].constants,
        parameters=places[-1].parameters | {"local steps H": "by V4, growing with L"},
        check=_law(LIPSCHITZ, runs, 0.0),
        controls=(
            Control("exponent 1/2 claimed", "a false claim: L counts", _law(LIPSCHITZ, runs, 0.5)),
            Control(
                "extragradient with full communication",
                "the steps of a method that knows of no similarity",
                _law(LIPSCHITZ, full(), 0.0),
            ),
        ),
    )


def _law_claim(name: str, title: str, statement: str, prepare: Any, **changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "source": "complexity of the algorithm; explicit form V2",
        "theorem": "V2",
        "assumptions": (r"$\sqrt n \, \delta/\mu \gg n$", "a slow instance"),
        "kind": "scaling",
        "metric": r"k: E|z^k - z^*|^2 \le 0.1\, |z^0 - z^*|^2",
        "unit": "iteration",
        "output": "last iterate",
        "not_shown": "The exponent itself: it is within 0.15 of the stated one on this range.",
    }
    return pillars_claim(
        id=f"three_pillars/laws/{name}",
        title=title,
        statement=statement,
        prepare=prepare,
        **(fields | changes),
    )


CLAIMS: tuple[Claim, ...] = (
    _law_claim(
        "similarity",
        "The steps grow like delta/mu",
        r"$$k \propto \delta/\mu$$ at fixed $n$",
        _similarity_case,
        x_label=r"$\delta/\mu$",
    ),
    _law_claim(
        "workers",
        "The steps grow like the root of n",
        r"$$k \propto \sqrt n$$ at fixed $\delta/\mu$, one client a step",
        _workers_case,
        x_label="$n$",
        algorithm="three_pillars_partial_participation",
    ),
    _law_claim(
        "lipschitz",
        "The steps do not grow with L",
        r"$$k \propto L^0$$ at fixed $n$ and $\delta/\mu$, with the local steps of V4",
        _server_case,
        x_label=r"$L/\delta$",
        source="complexity of the algorithm; explicit forms V2, V4",
    ),
)
