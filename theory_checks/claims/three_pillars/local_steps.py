# SPDX-License-Identifier: Apache-2.0
"""The local steps of extragradient on the server's sub-problem: one, exactly, and with noise."""

import jax
import jax.numpy as jnp
import numpy as np

from optzoo.theorems.three_pillars import V4_LOCAL, V7_LOCAL

from ...checks import ExactInequality, ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, wrong
from .enumeration import Array, after_messages
from .processes import PillarsRun
from .settings import PillarsSetting, one_worker

__all__ = ["CLAIMS"]


def _solution(setting: PillarsSetting, z: Array) -> Array:
    """The exact solution at each z for m = 0: F_1(u) + (u - z / 2) / gamma = 0."""
    gamma = setting.value("gamma")
    matrix, offset = (np.asarray(part)[0] for part in setting.problem.workers)
    system = np.eye(len(matrix)) + gamma * matrix
    return np.asarray(np.linalg.solve(system, (z / 2 - gamma * offset).T).T)


# --- V4: one local step ---


STIFFNESSES = {
    **{f"eigenvalues up to {stiffness}": (float(stiffness), 0.0) for stiffness in (1, 10, 100)},
    "eigenvalues up to 10, strongly monotone": (10.0, 2.0),
}
"""The largest eigenvalue, and how monotone the server's operator is."""


def _server(stiffness: float, modulus: float) -> PillarsSetting:
    matrix = modulus * np.eye(4)
    matrix[:2, :2] += [[0.0, stiffness], [-stiffness, 0.0]]
    matrix[2, 2], matrix[3, 3] = stiffness, modulus + 0.01
    words = f"$d = 4$: a rotation and the eigenvalues {modulus + 0.01:g} and {stiffness:g}"
    return one_worker(matrix, np.ones(4), words, local_steps=1)


def _local_sides(setting: PillarsSetting, *, faster: float = 1.0, longer: float = 1.0) -> Sides:
    """What a step gains in the slowest direction and in random ones, and what is promised."""
    away = np.vstack([np.eye(4), np.random.default_rng(0).standard_normal((8, 4))])
    # z - uhat is affine in z: it is slope z + offset.
    offset = -_solution(setting, np.zeros((1, 4)))[0]
    slope = np.eye(4) - _solution(setting, np.eye(4)).T - offset[:, None]
    z = np.linalg.solve(slope, (away - offset).T).T
    run = setting.run(local_step=longer * setting.eta)
    after = after_messages(run, z, np.zeros_like(z)).u - _solution(setting, z)
    gained = 1 - np.sum(after**2, axis=1) / np.sum(away**2, axis=1)
    return gained, lambda: np.full(len(gained), faster * setting.bound(V4_LOCAL))


def _local(instance: str) -> Case:
    return exact_case(
        _server(*STIFFNESSES[instance]),
        _local_sides,
        ExactLowerBound,
        wrong("1.2 times as fast", r"a false claim: $1 - \rho_{in}$ times 1.2", faster=1.2),
        wrong("half the local step", r"$\eta/2$ in the method", longer=0.5),
        wrong("ten times the local step", r"$10\eta$: the steps are too long", longer=10.0),
        what="the slowest direction, and random ones",
    )


# --- V7: noise in the local steps ---


NOISES = {f"H = {H}, sigma = {sigma:g}": (H, sigma) for H in (1, 2) for sigma in (0.1, 1.0, 10.0)}


@jax.jit
def _outcomes(run: PillarsRun, z: jax.Array, keys: jax.Array) -> jax.Array:
    def one(z: jax.Array, key: jax.Array) -> jax.Array:
        return run.advance(run.at(z, jnp.zeros_like(z), key)).z

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(z, keys)


def _noise_sides(setting: PillarsSetting, *, longer: float = 1.0, **claimed: float) -> Sides:
    """E|u_H - uhat|^2 over all signs of the noise: as many outcomes as there are, all seen."""
    run = setting.run(local_step=longer * setting.eta)
    z = np.vstack([np.zeros(2), np.eye(2), np.random.default_rng(0).normal(size=(3, 2))])
    keys = jax.random.split(jax.random.key(0), 2048)
    # With d = 2 signs a call there are 4^calls of them, equally likely.
    outcomes = 4 ** (2 * int(setting.value("H")) - 1)
    measured, solution = [], _solution(setting, z)
    for row, centre in zip(np.asarray(_outcomes(run, jnp.asarray(z), keys)), solution, strict=True):
        # Equal ones differ by round-off.
        _, distinct = np.unique(np.round(row, 9), axis=0, return_index=True)
        if len(distinct) != outcomes:
            raise ValueError(f"{len(distinct)} outcomes of {outcomes} were seen")
        measured.append(np.mean(np.sum((row[distinct] - centre) ** 2, axis=1)))
    away = np.sum((z - solution) ** 2, axis=1)
    return measured, lambda: setting.bound(V7_LOCAL, away, **claimed)


def _noise(instance: str) -> Case:
    local_steps, sigma = NOISES[instance]
    setting = one_worker(
        np.diag([0.01, 3.0]),
        np.zeros(2),
        rf"eigenvalues 0.01 and 3, noise of random signs with $\sigma = {sigma:g}$, from 6 points",
        local_steps=local_steps,
        sigma=sigma,
    )
    return exact_case(
        setting,
        _noise_sides,
        ExactInequality,
        wrong("no floor", "a false claim: the noise leaves nothing", sigma=sigma / 10),
        wrong("six times the local step", r"$6\eta$ in the method", longer=6.0),
        bites=sigma < 10,  # the floor is crude where it is all there is
        what="all signs of the noise",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/local-steps",
        title="One local step of extragradient",
        theorem=V4_LOCAL,
        prepare=grid(_local, instance=STIFFNESSES),
        x_label="state, the closest to the bound first",
    ),
    Claim(
        id="three_pillars/one-step/stochastic",
        title="Local steps with noise",
        theorem=V7_LOCAL,
        prepare=grid(_noise, instance=NOISES),
        x_label="case, the closest to the bound first",
    ),
)
