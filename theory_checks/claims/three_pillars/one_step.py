"""One step, exactly: the identity, the contraction, the messages' constants, the local steps."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import AffineOperators, CompressedMoments, Messages, hard_saddle

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim, Control
from ...mutants import three_pillars as mutants
from .bounds import Pillars, message_constant
from .enumeration import after_messages, random_states, solutions, terms
from .instances import Place, saddle
from .paper import pillars_claim
from .process import Method, PillarsRun

__all__ = ["CLAIMS", "identity_sides"]

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


# --- V3: the constants of the messages ---


def _message_places() -> list[tuple[Place, float]]:
    """Each compressor on a saddle, where its constant is attained, and that constant, squared."""
    rows = []
    for compressor in COMPRESSORS:
        place = saddle(
            "spectrum", n=4, half_dim=2, mu=0.3, size=20.0, compressor=compressor, local_steps=8
        )
        a, b = compressor.variance_constants(4)
        rows.append((place, message_constant(a, b, 1.0, 1.0) ** 2))
    return rows


def _message_energy(
    place: Place, method: Method = optzoo.three_pillars, factor: float | None = None
) -> tuple[Array, Array]:
    """E|xi|^2 over all draws, with xi read off the shipped step, and |u - m|^2."""
    run = place.run(method=method, factor=factor)
    z, m = random_states(run, 12)
    u = solutions(run, z, m)
    xi = (after_messages(run, z, m)[0] - u[:, None]) / place.bounds.gamma
    return np.mean(np.sum(xi**2, axis=2), axis=1), np.sum((u - m) ** 2, axis=1)


def _message_sides(
    method: Method = optzoo.three_pillars,
    *,
    factor: float | None = None,
    scale: float = 1.0,
    only: int | None = None,
    claimed: float | None = None,
) -> Sides:
    measured, exact = [], []
    for index, (place, constant) in enumerate(_message_places()):
        if only in (None, index):
            energy, squared = _message_energy(place, method, factor)
            measured.append(energy / squared)
            exact.append(np.full_like(energy, scale * (constant if claimed is None else claimed)))
    return np.concatenate(measured), np.concatenate(exact)


def _message_case() -> Case:
    def check(**changes: Any) -> ExactIdentity:
        return ExactIdentity(partial(_message_sides, **changes), tolerance=1e-8, what=DRAWS)

    place, _ = _message_places()[0]
    return Case(
        problem=r"bilinear saddle, $n = d = 4$, $\delta_1 = \delta_{av} = \delta = 1$, $L = 20$",
        constants=place.constants,
        parameters=place.parameters | {"compressor": "five of them"},
        check=check(),
        controls=(
            Control(
                "compressor without the factor n",
                "blocks are sent as they are",
                check(factor=0.25, only=0),
            ),
            Control(
                "PermK as no compression",
                r"a false claim: $\delta_1^2$ alone",
                check(only=0, claimed=1.0),
            ),
            Control(
                "two clients as one",
                "a false claim: no gain from a second client",
                check(only=2, claimed=2.0),
            ),
            Control(
                "raw differences",
                "RandK of $F_i(m) - F_i(u)$ held against its constant for shifted ones",
                check(method=_raw, only=3),
            ),
            Control(
                "one client as PermK",
                "an equality",
                check(only=1, claimed=2.0),
                expected="NOT_REFUTED",
            ),
        ),
    )


def _raw(*arguments: Any, **named: Any) -> Any:
    """Raw differences of RandK; silent where the messages are to count nothing."""
    if isinstance(named["compressor"], mutants.Scaled):
        return optzoo.three_pillars(*arguments, **named)
    return mutants.raw_differences(*arguments, **named)


# --- V3 on problems where it is not attained ---


def _table_sides(scale: float = 1.0, *, with_delta_1: bool = True) -> Sides:
    measured, bound = [], []
    problem = hard_saddle(4, 2, strong_monotonicity=0.2, similarity=4.0)
    constants = {name: constant.value for name, constant in problem.constants.items()}
    for compressor in COMPRESSORS:
        place = Place(problem, "", compressor, local_steps=EXACT)
        energy, squared = _message_energy(place)
        a, b = compressor.variance_constants(problem.dim)
        server = constants["delta_1"] if with_delta_1 else 0.0
        measured.append(energy / squared)
        allowed = message_constant(a, b, server, constants["delta_av"]) ** 2
        bound.append(np.full_like(energy, scale * max(allowed, 1e-9)))
    return np.concatenate(measured), np.concatenate(bound)


def _table_case() -> Case:
    problem = hard_saddle(4, 2, strong_monotonicity=0.2, similarity=4.0)
    place = Place(problem, "", PermK(4))
    return Case(
        problem="the hard instance with $n = d = 4$: similar on average, not each worker",
        constants=place.constants,
        parameters=place.parameters | {"compressor": "five of them"},
        check=ExactInequality(_table_sides, what=DRAWS),
        controls=(
            Control(
                "bound divided by three",
                "a false claim: a third of the bound",
                ExactInequality(partial(_table_sides, 1 / 3), what=DRAWS),
            ),
            Control(
                "without delta_1",
                "a false claim: the server's own deviation is left out",
                ExactInequality(partial(_table_sides, with_delta_1=False), what=DRAWS),
            ),
        ),
    )


# --- V4: local steps ---


@cache
def _server_alone(stiffness: float) -> Place:
    """One worker: there is nothing to send, and z^{k+1} = u_H."""
    turn = np.array([[0.0, stiffness], [-stiffness, 0.0]])
    matrix = np.zeros((4, 4))
    matrix[:2, :2], matrix[2, 2], matrix[3, 3] = turn, stiffness, 0.01
    problem = AffineOperators(jnp.asarray(matrix)[None], jnp.ones((1, 4)))
    return Place(problem, "one worker", Identity(1), local_steps=1, message_constant=0.6)


def _local_sides(
    promised: Callable[[Pillars], float] = lambda plan: 1 - plan.rho_in, *, step: float = 1.0
) -> Sides:
    measured, bound = [], []
    for stiffness in (1.0, 10.0, 100.0):
        place = _server_alone(stiffness)
        plan = replace(place.bounds, p=0.5)
        run = place.run(local_step=step * plan.eta, momentum=0.5, refresh_probability=0.5)
        # The slowest direction of the sub-problem, and random ones, around its exact solution.
        rng = np.random.default_rng(0)
        away = np.vstack([np.eye(4), rng.standard_normal((8, 4))])
        m = np.zeros_like(away)
        matrix, offset = (np.asarray(part)[0] for part in place.problem.workers)
        # uhat solves A_1 u + q + (u - z / 2) / gamma = 0 for m = 0.
        system = np.eye(4) + plan.gamma * matrix
        gap = np.linalg.solve(system, np.eye(4) / 2) - np.eye(4)
        fixed = np.linalg.solve(system, -plan.gamma * offset)
        z = np.linalg.solve(gap, (-away - fixed).T).T
        found = solutions(run, z, m)
        uhat = z - away
        uhat = np.linalg.solve(system, (z / 2 - plan.gamma * offset).T).T
        before = np.sum((z - uhat) ** 2, axis=1)
        after = np.sum((found - uhat) ** 2, axis=1)
        measured.append(np.full(len(z), promised(plan)))
        bound.append(1 - after / before)
    return np.concatenate(measured), np.concatenate(bound)


def _local_case() -> Case:
    def check(
        promised: Callable[[Pillars], float] | None = None, **changes: Any
    ) -> ExactInequality:
        sides = _local_sides if promised is None else partial(_local_sides, promised)
        return ExactInequality(
            partial(sides, **changes), what="the slowest direction, and random ones"
        )

    place = _server_alone(10.0)
    return Case(
        problem="one worker, $d = 4$: rotations and eigenvalues 0.01 to 1, 10 and 100",
        constants={"L_1": place.constants["L_1"]},
        parameters=place.parameters,
        check=check(),
        controls=(
            Control(
                "1.2 times as fast",
                r"a false claim: $1 - \rho_{in}$ times 1.2",
                check(lambda plan: 1.2 * (1 - plan.rho_in)),
            ),
            Control("half the local step", r"$\eta/2$ in the method", check(step=0.5)),
            Control(
                "ten times the local step", r"$10\eta$: the steps are too long", check(step=10.0)
            ),
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
        id="three_pillars/one-step/messages",
        title="What compression costs: every compressor's constant is attained",
        source="lemma on the compressors; explicit form V3",
        theorem="V3",
        statement=(
            r"$$E|\xi|^2 = d_B^2 |u - m|^2, \quad d_B^2 = A(\delta_1^2 + \delta_{av}^2) + "
            r"(1-B)\delta_1^2$$ with $A = B = 1$ for PermK and one client, $1/b$ for $b$ clients, "
            r"$A = \omega/n$, $B = 0$ for RandK, $A = B = 0$ for none"
        ),
        assumptions=("every worker at distance delta in every direction",),
        kind="identity",
        metric=r"E|\xi|^2 / |u - m|^2",
        unit="iteration",
        output="messages",
        x_label="state",
        prepare=_message_case,
        not_shown="Other problems, where it is an upper bound: the hard instance has that.",
    ),
    pillars_claim(
        id="three_pillars/one-step/message-bound",
        title="What compression costs where workers are similar on average only",
        source="lemma on the compressors; explicit form V3",
        theorem="V3",
        statement=r"$$E|\xi|^2 \le d_B^2 |u - m|^2$$ with $\delta_1$ and $\delta_{av}$",
        assumptions=(r"$\delta_1$ and $\delta_{av}$, not one $\delta$ for each worker",),
        kind="one_step",
        metric=r"E|\xi|^2 / |u - m|^2",
        unit="iteration",
        output="messages",
        x_label="state, the closest to the bound first",
        prepare=_table_case,
        not_shown="Directions in which it is attained: those drawn are random.",
    ),
    pillars_claim(
        id="three_pillars/one-step/local-steps",
        title="One local step of extragradient",
        source="lemma on the server's sub-problem; explicit form V4",
        theorem="V4",
        statement=(
            r"$$|u_{t+1} - \hat u|^2 \le \rho_{in}|u_t - \hat u|^2, \quad \rho_{in} = 1 - "
            r"\frac{2\eta\mu_A}{1 + 2\eta\mu_A/(1 - \eta^2 L_A^2)}$$ with $L_A = L_1 + 1/\gamma$, "
            r"$\mu_A = \mu_1 + 1/\gamma$, $\eta = 1/(4L_A)$; compared are $1 - \rho_{in}$ and what "
            "was gained"
        ),
        assumptions=("$F_1$ monotone",),
        kind="one_step",
        metric=r"1 - \rho_{in}",
        unit="local step",
        output="local iterate",
        x_label="state, the closest to the bound first",
        prepare=_local_case,
        not_shown="Nonlinear operators.",
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
