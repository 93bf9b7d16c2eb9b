"""One local step of extragradient on the server's sub-problem."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Identity
from optzoo.problems import AffineOperators

from ...checks import ExactInequality
from ...claim import Case, Claim, Control
from .bounds import Pillars
from .enumeration import solutions
from .instances import Place
from .paper import pillars_claim

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]


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


CLAIMS: tuple[Claim, ...] = (
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
)
