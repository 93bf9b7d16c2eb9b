"""One step, exactly: the identity, and the contraction with exact and inexact local solutions."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import AffineOperators, CompressedMoments, Messages

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim, Control
from .bounds import Pillars
from .enumeration import after_messages, random_states, terms
from .instances import Place, saddle
from .paper import pillars_claim
from .process import PillarsRun

__all__ = ["CLAIMS", "COMPRESSORS", "DRAWS", "EXACT", "identity_sides"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]

# So many local steps solve the sub-problems below to round-off.
EXACT = 400
DRAWS = "all draws of the messages, and both sides of the coin"
COMPRESSORS: tuple[Compressor, ...] = (
    PermK(4),
    SampledClients(1, 4),
    SampledClients(2, 4),
    RandK(1, 4),
    Identity(4),
)
EXACT_SUBPROBLEM = "the server's sub-problem solved exactly (400 local steps)"


# --- V0: the identity ---


def _identity_places() -> list[Place]:
    """Every compressor; a nonlinear problem; and one where n exceeds d."""
    settings: dict[str, Any] = {"n": 4, "half_dim": 2, "mu": 0.3, "local_steps": EXACT}
    places = [
        saddle("spectrum", size=3.0, compressor=compressor, **settings)
        for compressor in COMPRESSORS
    ]
    nonlinear = saddle("spectrum", size=3.0, strength=1.0, **settings)
    few = settings | {"half_dim": 1}
    return [*places, nonlinear, saddle("random", size=1.0, **few)]


def identity_sides(
    factor: float | None = None,
    *,
    momentum: float | None = None,
    energy: Compressor | None = None,
    cross: float = 2.0,
    places: slice = slice(None),
) -> Sides:
    """Both sides of V0, relative to Phi, on the chosen places.

    Args:
        factor: how often messages count in the method, where that is not once.
        momentum: of the method; the theorem's if None.
        energy: the compressor whose second moment stands in the identity; the run's if None.
        cross: the factor of the progress, 2 in the identity.
        places: which of the instances.
    """
    measured, exact = [], []
    for place in _identity_places()[places]:
        changes: dict[str, Any] = {} if momentum is None else {"momentum": momentum}
        run = place.run(factor=factor, **changes)
        found = terms(run, *random_states(run, 12), energy=energy)
        tau, gamma = place.bounds.p, place.bounds.gamma
        scale = found["z"] + found["m"]
        measured.append(found["after"] / scale)
        exact.append(
            (
                (1 - tau) * (found["z"] - found["u_z"])
                + tau * (found["m"] - found["u_m"])
                - cross * gamma * found["progress"]
                + gamma**2 * found["energy"]
            )
            / scale
        )
    return np.concatenate(measured), np.concatenate(exact)


def _identity_case() -> Case:
    def check(**changes: Any) -> ExactIdentity:
        return ExactIdentity(partial(identity_sides, **changes), tolerance=1e-12, what=DRAWS)

    first = slice(0, 1)
    place = _identity_places()[0]
    return Case(
        problem=(
            f"{place.description}; plus $\\arctan z$; and $d = 2$; PermK, one and two clients, "
            "RandK, nothing"
        ),
        constants=place.constants,
        parameters=place.parameters | {"compressor": "five of them"},
        check=check(),
        controls=(
            Control(
                "compressor without the factor n",
                "blocks are sent as they are",
                check(factor=0.25, places=first),
            ),
            Control(
                "correction halved",
                "messages count half",
                check(factor=0.5, places=first),
            ),
            Control(
                "no momentum",
                r"$\tau = 0$ in the method, $\tau = p$ in the identity",
                check(momentum=0.0, places=first),
            ),
            Control(
                "second moment of RandK for PermK",
                "a false claim: the draws of the workers were independent",
                check(energy=RandK(1, 4), places=first),
            ),
            Control(
                "progress counted once",
                "a false claim: one gamma in place of two",
                check(cross=1.0, places=first),
            ),
            Control(
                "PermK has the second moment of one client",
                "an equality",
                check(energy=SampledClients(1, 4), places=first),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- V1: the contraction, from the states where it is slowest ---

# The step may be sqrt(2) times that of V2; there M vanishes.
NEAR_THE_LIMIT = 1.35
SLOWEST = (("zero", 0.0, 8), ("spectrum", 6.0, 8), ("adversarial", 0.0, 4), ("plus", 0.0, 4))


@cache
def _contraction_place(
    coupling: str, size: float, n: int, one_client: bool, factor: float = 1.0
) -> Place:
    return saddle(
        coupling,
        n=n,
        half_dim=n // 2,
        mu=0.1,
        size=size,
        gamma_factor=factor,
        compressor=SampledClients(1, n) if one_client else PermK(n),
        local_steps=EXACT,
    )


def _states(place: Place, number: int = 8) -> tuple[Array, Array]:
    """The state from which Phi falls least, and random ones."""
    run, plan = place.run(), place.bounds
    z, m = random_states(run, number)
    if isinstance(place.problem, AffineOperators) and place.problem.radius is None:
        moments = CompressedMoments(place.problem, plan.gamma, plan.p, plan.p, Messages("clients"))
        worst = place.problem.solution + moments.one_step_factor()[1].reshape(2, -1)
        z, m = np.vstack([worst[:1], z]), np.vstack([worst[1:], m])
    return z, m


def _decrease(run: PillarsRun, z: Array, m: Array, p: float) -> Array:
    """1 - E Phi^+ / Phi at each state, over all draws and both sides of the coin."""
    star = np.asarray(run.z_star)

    def mean_potential(kept: bool) -> Array:
        after_z, after_m = after_messages(run, z, m, kept)
        both = np.sum((after_z - star) ** 2, axis=2) + np.sum((after_m - star) ** 2, axis=2)
        return np.asarray(both.mean(axis=1))

    before = np.sum((z - star) ** 2, axis=1) + np.sum((m - star) ** 2, axis=1)
    return 1 - (p * mean_potential(False) + (1 - p) * mean_potential(True)) / before


def _contraction_sides(
    promised: Callable[[Pillars], float] = lambda plan: 1 - plan.rho,
    *,
    factor: float | None = None,
    only: str | None = None,
    **changes: Any,
) -> Sides:
    measured, bound = [], []
    for coupling, size, n in SLOWEST:
        for one_client, longer in ((False, 1.0), (True, 1.0), (False, NEAR_THE_LIMIT)):
            if only not in (None, coupling) or (only and (one_client or longer > 1)):
                continue
            place = _contraction_place(coupling, size, n, one_client, longer)
            run = place.run(factor=factor)
            for name, times in changes.items():
                run = replace(run, **{name: times * getattr(run, name)})
            found = _decrease(run, *_states(place), place.bounds.p)
            measured.append(np.full_like(found, promised(place.bounds)))
            bound.append(found)
    return np.concatenate(measured), np.concatenate(bound)


def _contraction_case() -> Case:
    def check(
        promised: Callable[[Pillars], float] | None = None, **changes: Any
    ) -> ExactInequality:
        sides = _contraction_sides if promised is None else partial(_contraction_sides, promised)
        return ExactInequality(
            partial(sides, **changes), what=f"{DRAWS}, from the slowest and from random states"
        )

    def without_slack(plan: Pillars) -> float:
        return plan.gamma * plan.mu

    def half_energy(plan: Pillars) -> float:
        return 1 - replace(plan, d_B=plan.d_B / np.sqrt(2)).rho

    place = _contraction_place("zero", 0.0, 8, False)
    return Case(
        problem=(
            r"bilinear saddles with $\delta/\mu = 10$, $n = d = 4$ and $8$, four couplings; PermK "
            "and one client; PermK also with 1.35 times the step"
        ),
        constants=place.constants,
        parameters=place.parameters,
        check=check(),
        controls=(
            Control("1/M left out", r"a false claim: $1 - \rho = \gamma\mu$", check(without_slack)),
            Control(
                r"half of d_B^2",
                "a false claim: the server's own deviation is left out",
                check(half_energy),
            ),
            Control(
                "gamma twice as long",
                "the step of another problem, with the rate of this one",
                check(only="adversarial", gamma=2.0),
            ),
            Control(
                "correction dropped",
                "nothing is sent",
                check(only="adversarial", factor=0.0),
            ),
            Control(
                "correction doubled",
                "messages count twice",
                check(only="plus", factor=2.0),
            ),
            Control("no momentum", r"$\tau = 0$", check(only="adversarial", momentum=0.0)),
        ),
    )


# --- V4: a step with few local steps ---


def _inexact_sides(
    promised: Callable[[Pillars], float] = lambda plan: plan.rho_H,
    *,
    local_steps: int | None = None,
) -> Sides:
    measured, bound = [], []
    for coupling, size in (("zero", 0.0), ("spectrum", 6.0), ("random", 6.0)):
        place = saddle(coupling, n=4, half_dim=2, mu=0.1, size=size)
        changes: dict[str, Any] = {} if local_steps is None else {"local_steps": local_steps}
        run = place.run(**changes)
        z, m = _states(place)
        measured.append(1 - _decrease(run, z, m, place.bounds.p))
        bound.append(np.full(len(z), promised(place.bounds)))
    return np.concatenate(measured), np.concatenate(bound)


def _inexact_case() -> Case:
    def check(
        promised: Callable[[Pillars], float] | None = None, **changes: Any
    ) -> ExactInequality:
        sides = _inexact_sides if promised is None else partial(_inexact_sides, promised)
        return ExactInequality(partial(sides, **changes), what=DRAWS)

    place = saddle("random", n=4, half_dim=2, mu=0.1, size=6.0)
    return Case(
        problem=r"bilinear saddles with $\delta/\mu = 10$, $n = 4$, $L$ up to 60 times $\mu$",
        constants=place.constants,
        parameters=place.parameters | {"local steps H": "by the theorem"},
        check=check(),
        controls=(
            Control(
                "one local step",
                "$H = 1$ with the rate of the theorem's $H$",
                check(local_steps=1),
            ),
            Control(
                "a rate that 1/M does not slow",
                r"a false claim: $\rho = 1 - \gamma\mu$",
                check(lambda plan: 1 - plan.gamma * plan.mu),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    pillars_claim(
        id="three_pillars/one-step/identity",
        title="One step, exactly",
        source="proof of the convergence theorem; identity V0",
        theorem="V0",
        statement=(
            r"$$E|z^+ - z^*|^2 = (1-\tau)|z - z^*|^2 + \tau|m - z^*|^2 - (1-\tau)|u - z|^2 - "
            r"\tau|u - m|^2 - 2\gamma\langle F(u) - F(z^*), u - z^*\rangle + \gamma^2 E|\xi|^2$$ "
            r"with $\xi = \frac1n \sum_i Q_i(a_i)$"
        ),
        assumptions=(EXACT_SUBPROBLEM, "no constraint", "unbiased messages"),
        kind="identity",
        metric=r"E|z^+ - z^*|^2 / \Phi",
        unit="iteration",
        output="last iterate",
        x_label="state",
        prepare=_identity_case,
        not_shown="Other states than those drawn; but a polynomial that vanishes there vanishes.",
    ),
    pillars_claim(
        id="three_pillars/one-step/contraction",
        title="One step of the potential, from the slowest state",
        source="convergence theorem, strongly monotone case; explicit form V1",
        theorem="V1",
        statement=(
            r"$$E\Phi^+ \le \rho\Phi, \quad \frac{1}{1-\rho} = \frac{1}{\gamma\mu} + \frac1M, "
            r"\quad M = \min(1-p, p - \gamma^2 d_B^2)$$ with "
            r"$\Phi = |z - z^*|^2 + |m - z^*|^2$; compared are $1 - \rho$ and $1 - E\Phi^+/\Phi$"
        ),
        assumptions=(EXACT_SUBPROBLEM, r"$F$ $\mu$-strongly monotone", r"$\tau = p$"),
        kind="one_step",
        metric=r"1 - \rho",
        unit="iteration",
        output="last iterate and reference",
        x_label="state, the closest to the bound first",
        prepare=_contraction_case,
        not_shown="That long runs are as slow as their slowest step: see the rates.",
    ),
    pillars_claim(
        id="three_pillars/one-step/inexact",
        title="One step of the potential with finitely many local steps",
        source="convergence theorem with inexact local solves; explicit form V4",
        theorem="V4",
        statement=(
            r"$$E\Phi^+ \le \rho_H\Phi, \quad \sqrt{\rho_H} = \sqrt\rho + (1 + \gamma d_B)"
            r"\sqrt{(2-p)^2 + (p + \gamma\delta_1)^2}\, \rho_{in}^{H/2}$$"
        ),
        assumptions=("$F_1$ monotone", r"$F$ $\mu$-strongly monotone", r"$\tau = p$"),
        kind="one_step",
        metric=r"E\Phi^+/\Phi",
        unit="iteration",
        output="last iterate and reference",
        x_label="state, the closest to the bound first",
        prepare=_inexact_case,
        not_shown="That so many local steps are needed: fewer often do.",
    ),
)
