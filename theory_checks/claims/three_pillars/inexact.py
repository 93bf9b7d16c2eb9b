# SPDX-License-Identifier: Apache-2.0
"""What too few local steps do, exactly: to one step, to whole runs, and with noise.

The instances are small and linear, so that a step is a random matrix. What makes a term large is
one coordinate that is so stiff that the local steps, which are as short as it needs, hardly move
the others.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optzoo.compressors import SampledClients
from optzoo.problems import AffineOperators
from optzoo.theorems import Theorem
from optzoo.theorems.three_pillars import V4, V4_SERVER, V7

from ...checks import CLOSEST, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, wrong
from .enumeration import DRAWS, Array, after_messages
from .partners import PARTNERS
from .processes import PillarsRun
from .settings import PillarsSetting

__all__ = ["CLAIMS"]

# --- Instances ---


def _beside(block: Array, last: float = 0.0) -> Array:
    """A matrix for two coordinates, and a number for the third."""
    return np.block([[block, np.zeros((2, 1))], [np.zeros((1, 2)), last * np.eye(1)]])


PLANE, SPACE = np.eye(2), np.eye(3)
TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])
TINY = 1e-6 * SPACE  # so that F is strongly monotone


def _linear(
    text: str,
    server: Array,
    difference: Array = 0 * SPACE,
    spread: Array = 0 * SPACE,
    *,
    gamma: float,
    **more: Any,
) -> PillarsSetting:
    """F_1 and F + (F - F_1) / 2 +- X of three workers, of whom one is heard.

    Args:
        text: the instance in words.
        server: gamma F_1, up to `TINY`.
        difference: gamma (F - F_1).
        spread: gamma X.
        gamma: the step size.
        **more: of the setting.
    """
    one = server + TINY
    other = one + 1.5 * difference
    matrices = np.stack([one, other + spread, other - spread]) / gamma
    return PillarsSetting(
        problem=AffineOperators(jnp.asarray(matrices), jnp.zeros((3, 3))),
        text=text,
        compressor=SampledClients(1, 3),
        gamma=gamma,
        **more,
    )


# --- A step as matrices ---


class Step(NamedTuple):
    """A draw and a side of the coin, as matrices of the state (z, m)."""

    weight: float
    after: Array  # to (z^+, m^+)
    exact: Array  # to zhat^+, that of the exact solution under the same draw
    kept: Array  # of an error of u, to that of z^+


def _steps(setting: PillarsSetting, longer: float = 1.0) -> Iterator[Step]:
    """All draws and both sides of the coin, without noise, with so much longer local steps."""
    run = replace(setting.run(local_step=longer * setting.eta), stochastic=False)
    p, d = setting.value("p"), setting.problem.dim
    basis, gamma = np.eye(2 * d), setting.value("gamma")
    z, m = basis[:d], basis[d:]
    matrices = np.asarray(setting.problem.workers[0])
    server, difference = matrices[0], matrices.mean(axis=0) - matrices[0]
    goal = (1 - p) * z + p * m - gamma * difference @ m
    solution = np.linalg.solve(np.eye(d) + gamma * server, goal)
    for kept, chance in ((True, 1 - p), (False, p)):
        found = after_messages(run, basis[:, :d], basis[:, d:], kept)
        u = found.u.T
        for draw in range(found.z.shape[1]):
            moved = found.z[:, draw].T
            # What is sent is linear in m - u.
            sent = (moved - u) @ np.linalg.pinv(m - u)
            after = np.vstack([moved, found.m[:, draw].T])
            exact = solution + sent @ (m - solution)
            yield Step(chance / found.z.shape[1], after, exact, np.eye(d) - sent)


# --- V4: what the server's error does to one step ---

SERVERS: dict[str, dict[str, Any]] = {
    "a fast rotation": {
        "server": _beside(20 * TURN),
        "gamma": 0.01,
        "p": 0.5,
        "local_steps": 1,
    },
    "a server that is not monotone": {
        "server": _beside(-0.8 * PLANE, 1000.0),
        "difference": _beside(0.8 * PLANE),
        "spread": _beside(30.0 * PLANE),
        "gamma": 0.01,
        "p": 0.05,
        "local_steps": 1,
    },
    "a server without an operator": {
        "server": _beside(0 * PLANE, 1000.0),
        "difference": _beside(TURN),
        "spread": _beside(30.0 * PLANE),
        "gamma": 0.01,
        "p": 0.9,
        "local_steps": 1,
    },
    **{
        f"one worker, gamma = {gamma:g}": {
            "server": 0.01 * SPACE,
            "gamma": gamma,
            "p": 0.9,
            "local_steps": 10,
        }
        for gamma in (0.01, 100.0)
    },
    "one worker, one local step": {
        "server": 0.01 * SPACE,
        "gamma": 1.0,
        "p": 0.9,
        "local_steps": 1,
    },
    "a stiff coordinate": {
        "server": _beside(0.01 * PLANE, 30.0),
        "gamma": 100.0,
        "p": 0.9,
        "local_steps": 100,
    },
}
CLAIMED = {
    "a server without an operator": wrong("no d_B", "a false claim: messages cost nothing", d_B=0),
    "one worker, gamma = 100": wrong("twice the local steps", "a false claim: $2H$ for $H$", H=20),
}


def _server_sides(setting: PillarsSetting, **claimed: float) -> Sides:
    """The largest root of E|z^+ - zhat^+|^2 / Phi over all states, a singular value."""
    d = setting.problem.dim
    form = np.zeros((2 * d, 2 * d))
    for step in _steps(setting):
        off = step.after[:d] - step.exact
        form += step.weight * off.T @ off
    largest = np.sqrt(np.linalg.eigvalsh(form)[-1:])
    return largest, lambda: [setting.bound(V4_SERVER, **claimed)]


def _server(instance: str) -> Case:
    return exact_case(
        _linear(instance, **SERVERS[instance]),
        _server_sides,
        ExactInequality,
        *([CLAIMED[instance]] if instance in CLAIMED else []),
        what=f"{DRAWS}, the worst state",
    )


# --- V4 and V7: whole runs ---

RUNS: dict[str, dict[str, Any]] = {
    "a rotation, one local step": {
        "server": _beside(3 * TURN),
        "spread": _beside(1.14 * PLANE),
        "gamma": 1.0,
        "p": 0.9,
        "local_steps": 1,
        "sigma": 1e-4,
    },
    "opposed workers": {
        "server": 0.8 * SPACE,
        "difference": -0.8 * SPACE,
        "gamma": 1.0,
        "p": 0.98,
        "local_steps": 3,
        "sigma": 1e-4,
    },
    "one worker": {
        "server": 0 * SPACE,
        "gamma": 1.0,
        "p": 0.5,
        "local_steps": 3,
        "sigma": 1e-4,
    },
}
HORIZONS = (1, 2, 5, 10, 100)
STARTS = tuple(10.0**power for power in np.arange(-12.0, 7.0))
"""|z^0 - z*|^2, from far below the noise."""

_KEYS = 4096


@jax.jit
def _solutions(run: PillarsRun, keys: jax.Array) -> jax.Array:
    """u_H from the solution, shape (keys, d)."""
    origin = jnp.zeros(run.problem.dim)
    return jax.vmap(lambda key: run.advance(run.at(origin, origin, key)).state.local_solution)(keys)


def _variance(setting: PillarsSetting, longer: float = 1.0) -> Array:
    """The variance of each coordinate of u_H, over all signs of noise of the size 1.

    The coordinates do not mix here, and each sees 2^calls equally likely outcomes.
    """
    run = setting.run(noise=1.0, local_step=longer * setting.eta)
    outcomes = 2 ** (2 * int(setting.value("H")) - 1)
    found = []
    for column in np.asarray(_solutions(run, jax.random.split(jax.random.key(0), _KEYS))).T:
        distinct = np.unique(np.round(column, 9))  # equal ones differ by round-off
        if len(distinct) != outcomes:
            raise ValueError(f"{len(distinct)} outcomes of {outcomes} were seen")
        found.append(float(np.mean(distinct**2)))
    return np.array(found)


def _potentials(setting: PillarsSetting, longer: float) -> tuple[Array, Array]:
    """E Phi_k at the horizons, of |z^0 - z*| = 1 without noise and of noise from the solution."""
    d, steps = setting.problem.dim, list(_steps(setting, longer))
    added: Array = np.zeros((2 * d, 2 * d))
    for step in steps:
        added[:d, :d] += step.weight * step.kept * _variance(setting, longer) @ step.kept.T

    def after(second: Array) -> Array:
        moved = [step.weight * step.after @ second @ step.after.T for step in steps]
        return np.asarray(np.sum(moved, axis=0))

    w = np.tile(setting.start / np.linalg.norm(setting.start), 2)
    start, noise = np.outer(w, w), np.zeros_like(added)
    found = []
    for k in range(1, HORIZONS[-1] + 1):
        start, noise = after(start), after(noise) + added
        if k in HORIZONS:
            found.append((np.trace(start), np.trace(noise)))
    of_start, of_noise = np.array(found).T
    return of_start, of_noise


def _run_sides(setting: PillarsSetting, theorem: Theorem, longer: float = 1.0) -> Sides:
    start, noise = _potentials(setting, longer)
    starts = STARTS if theorem is V7 else (1.0,)
    measured = [
        initial * start + (setting.sigma**2 * noise if theorem is V7 else 0.0) for initial in starts
    ]

    def bounds() -> Array:
        each = [setting.bound(theorem, HORIZONS, initial) for initial in starts]
        return np.concatenate([np.broadcast_to(one, len(HORIZONS)) for one in each])

    return np.concatenate(measured), bounds


TOO_LONG = wrong("twenty times the local step", r"$20\eta$ in the method", longer=20.0)


def _run(theorem: Theorem, instance: str) -> Case:
    setting = _linear(instance, **RUNS[instance])
    return exact_case(
        setting,
        partial(_run_sides, theorem=theorem),
        ExactInequality,
        *([TOO_LONG] if instance == "a rotation, one local step" else []),
        what="exact second moments, no sampling",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/server",
        title=V4_SERVER.title,
        theorem=V4_SERVER,
        prepare=grid(_server, instance=SERVERS),
        x_label=CLOSEST,
    ),
    Claim(
        id="three_pillars/moments/few-local-steps",
        title="Whole runs with few local steps, exactly",
        theorem=V4,
        prepare=grid(partial(_run, V4), instance=RUNS),
        pairs_with=PARTNERS,
        x_label=CLOSEST,
    ),
    Claim(
        id="three_pillars/moments/noise",
        title="Whole runs with noise in few local steps, exactly",
        theorem=V7,
        prepare=grid(partial(_run, V7), instance=RUNS),
        not_tested={
            "sigma": "local steps leave 1/3.8 of the bound of their noise or less, and 1/6.4 where "
            "they are so few that all signs can be seen"
        },
        pairs_with=(*PARTNERS, "three_pillars/one-step/stochastic", "three_pillars/moments/rates"),
        x_label=CLOSEST,
    ),
)
