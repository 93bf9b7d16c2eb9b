"""One step, exactly, where the setting is wider: constraints, no monotonicity, noise."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import Identity, PermK, SampledClients
from optzoo.problems import AffineOperators, minty_operators

from ...checks import ExactInequality
from ...claim import Case, Claim, Control
from .enumeration import random_states, terms
from .instances import Place, saddle
from .paper import pillars_claim
from .process import Method, PillarsRun

__all__ = ["CLAIMS", "minty_place"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]
DRAWS = "all draws of the messages"
EXACT = 400


# --- V5: constraints ---


def _ball(one_client: bool) -> Place:
    return saddle(
        "random",
        n=4,
        half_dim=2,
        mu=0.3,
        size=2.0,
        radius=1.0,
        compressor=SampledClients(1, 4) if one_client else PermK(4),
        local_steps=EXACT,
    )


def _constrained_sides(
    method: Method = optzoo.three_pillars, *, progress: float = 1.0, energy: float = 1.0
) -> Sides:
    measured, bound = [], []
    for one_client in (False, True):
        place = _ball(one_client)
        run, plan = place.run(method=method), place.bounds
        z, m = random_states(run, 24)
        # Many of these are interior, as z and m are, but not all.
        found = terms(run, 0.9 * z, 0.9 * m)
        scale = found["z"] + found["m"]
        measured.append(found["after"] / scale)
        bound.append(
            (
                (1 - plan.p) * (found["z"] - found["u_z"])
                + plan.p * (found["m"] - found["u_m"])
                - 2 * progress * plan.gamma * plan.mu * found["u"]
                + energy * plan.gamma**2 * found["energy"]
            )
            / scale
        )
    return np.concatenate(measured), np.concatenate(bound)


def _unprojected(*arguments: object, **named: object) -> object:
    """The constraint is forgotten."""
    return optzoo.three_pillars(*arguments, **(named | {"project": None}))  # type: ignore[arg-type]


def _constrained_case() -> Case:
    place = _ball(False)

    def check(**changes: object) -> ExactInequality:
        return ExactInequality(partial(_constrained_sides, **changes), what=DRAWS)  # type: ignore[arg-type]

    return Case(
        problem=f"{place.description}; PermK and one client",
        constants=place.constants,
        parameters=place.parameters,
        check=check(),
        controls=(
            Control("no projection", "the constraint is forgotten", check(method=_unprojected)),
            Control(
                "messages cost nothing",
                r"a false claim: without $\gamma^2 E|\xi|^2$",
                check(energy=0.0),
            ),
            Control(
                "ten times the progress", r"a false claim: $10\mu$ for $\mu$", check(progress=10.0)
            ),
        ),
    )


# --- V6: monotone and Minty ---


def minty_place(n: int = 4, half_dim: int = 2, size: float = 1.0) -> Place:
    """A Minty operator that is not monotone, with the parameters of V6."""
    problem = minty_operators(n, half_dim, similarity=0.5, size=size)
    return Place(
        problem,
        rf"a Minty operator that is not monotone, $n = {n}$, $d = {2 * half_dim}$, $\delta = 0.5$",
        PermK(n),
        local_steps=EXACT,
    )


@cache
def _aligned_place() -> Place:
    """Two workers with F = J and F_1 = J + delta I, for a rotation J, and a large p."""
    turn, deviation = np.array([[0.0, 1.0], [-1.0, 0.0]]), 0.5 * np.eye(2)
    matrices = jnp.asarray(np.stack([turn + deviation, turn - deviation]))
    problem = AffineOperators(matrices, jnp.zeros((2, 2)))
    return Place(problem, "", PermK(2), local_steps=EXACT, refresh_probability=0.9)


def _aligned_states(number: int) -> tuple[Array, Array]:
    """States of that place where all parts of gamma F(u) point the same way.

    gamma F(u) = -(1-p) (u-z) - p (u-m) + gamma (G(u) - G(m)) with G = F - F_1 = -delta I: all are
    multiples of w = u - m where u - z is one, and the bracket is used up best by this one.
    """
    plan = _aligned_place().bounds
    w = np.random.default_rng(0).normal(size=(number, 2))
    pull = plan.p + plan.gamma * plan.delta_1
    ahead = plan.p / 2 / pull  # (u - z) / w
    operator = -((1 - plan.p) * ahead + pull) * w / plan.gamma
    u = operator @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # J u = operator
    return u - ahead * w, u - w


def _minty_sides(
    method: Method = optzoo.three_pillars,
    *,
    scale: float = 1.0,
    kept: float = 0.5,
    momentum: float = 1.0,
) -> Sides:
    monotone = saddle("random", n=4, half_dim=2, mu=0.0, size=2.0, local_steps=EXACT)
    measured, bound = [], []
    for place in (minty_place(), monotone, _aligned_place()):
        run, plan = place.run(method=method), place.bounds
        run = replace(run, momentum=momentum * run.momentum)
        aligned = place is _aligned_place()
        found = terms(run, *(_aligned_states(24) if aligned else random_states(run, 24)))
        potential = found["z"] + found["m"]
        after = found["after"] + plan.p * found["z"] + (1 - plan.p) * found["m"]
        bracket = (1 - plan.p) * found["u_z"] + kept * plan.p * found["u_m"]
        measured += [found["operator"] / potential, bracket / potential]
        constant = scale * plan.operator_sum(1.0, 1)
        bound += [constant * bracket / potential, 1 - after / potential]
    return np.concatenate(measured), np.concatenate(bound)


def _minty_case() -> Case:
    place = minty_place()

    def check(**changes: float) -> ExactInequality:
        return ExactInequality(partial(_minty_sides, **changes), what=DRAWS)  # type: ignore[arg-type]

    return Case(
        problem=(
            f"{place.description}; a skew saddle with $n = d = 4$; and a rotation with $n = 2$, "
            "$p = 0.9$, from states where all parts of $F(u)$ point the same way"
        ),
        constants=place.constants,
        parameters=place.parameters,
        check=check(),
        controls=(
            Control("4.2 in place of 4.5", "a false claim", check(scale=4.2 / 4.5)),
            Control(
                "messages cost nothing",
                r"a false claim: $p |u - m|^2$ for $p |u - m|^2 / 2$",
                check(kept=1.0),
            ),
            Control("no momentum", r"$\tau = 0$ in the method", check(momentum=0.0)),
        ),
    )


# --- V7: noise in the local steps ---


EIGENVALUES = np.array([0.01, 3.0])


@cache
def _noisy_place() -> Place:
    matrix = np.diag(EIGENVALUES)
    problem = AffineOperators(jnp.asarray(matrix)[None], jnp.zeros((1, 2)))
    return Place(problem, "one worker", Identity(1), message_constant=0.6, local_steps=2)


@jax.jit
def _outcomes(run: PillarsRun, z: jax.Array, keys: jax.Array) -> jax.Array:
    def one(z: jax.Array, key: jax.Array) -> jax.Array:
        return run.advance(run.at(z, jnp.zeros_like(z), key)).z

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(z, keys)


def _noise_sides(scale: float = 1.0, *, floor: float = 1.0, step: float = 1.0) -> Sides:
    """E|u_H - uhat|^2 over all signs of the noise: as many outcomes as there are, all seen."""
    place = _noisy_place()
    measured, bound = [], []
    for H, calls in ((1, 1), (2, 3)):
        for sigma in (0.1, 1.0, 10.0):
            plan = replace(place.bounds, p=0.5, H=H)
            run = place.run(
                local_step=step * plan.eta,
                local_steps=H,
                momentum=0.5,
                noise=sigma,
                stochastic=True,
            )
            z = np.vstack([np.zeros(2), np.eye(2), np.random.default_rng(0).normal(size=(3, 2))])
            keys = jax.random.split(jax.random.key(0), 2048)
            found = np.asarray(_outcomes(run, jnp.asarray(z), keys))
            # With d = 2 signs a call there are 4^calls of them, equally likely.
            uhat = z / 2 / (1 + plan.gamma * EIGENVALUES)
            for row, centre, start in zip(found, uhat, z, strict=True):
                distinct = _distinct(row)
                if len(distinct) != 4**calls:
                    raise ValueError(f"{len(distinct)} outcomes of {4**calls} were seen")
                measured.append(np.mean(np.sum((distinct - centre) ** 2, axis=1)))
                promised = plan.rho_simple**H * np.sum((start - centre) ** 2)
                bound.append(scale * (promised + floor * plan.local_noise(sigma**2)))
    # Relative to the bounds, which span four decades.
    return np.array(measured) / np.array(bound), np.ones(len(bound))


def _distinct(points: Array) -> Array:
    """The points without repetitions, which differ by round-off."""
    _, first = np.unique(np.round(points, 9), axis=0, return_index=True)
    return points[first]


def _noise_case() -> Case:
    place = _noisy_place()

    def check(**changes: float) -> ExactInequality:
        return ExactInequality(
            partial(_noise_sides, **changes), what="all signs of the noise of 1 and 2 local steps"
        )

    return Case(
        problem="one worker, eigenvalues 0.01 and 3, noise of random signs, from 6 points",
        constants={"L_1": place.constants["L_1"]},
        parameters=place.parameters | {"local steps H": "1 and 2"},
        check=check(),
        controls=(
            Control("bound divided by three", "a false claim", check(scale=1 / 3)),
            Control("no floor", "a false claim: the noise leaves nothing", check(floor=0.01)),
            Control("six times the local step", r"$6\eta$ in the method", check(step=6.0)),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    pillars_claim(
        id="three_pillars/one-step/constrained",
        title="One step over a ball, with the solution on its boundary",
        source="proof of the convergence theorem on sets; inequality V5",
        theorem="V5",
        statement=(
            r"$$E|z^+ - z^*|^2 \le (1-\tau)(|z - z^*|^2 - |u - z|^2) + \tau(|m - z^*|^2 - "
            r"|u - m|^2) - 2\gamma\mu|u - z^*|^2 + \gamma^2 E|\xi|^2$$"
        ),
        assumptions=("the server's sub-problem solved exactly", r"$F$ $\mu$-strongly monotone"),
        kind="one_step",
        metric=r"E|z^+ - z^*|^2 / \Phi",
        unit="iteration",
        output="last iterate",
        x_label="state, the closest to the bound first",
        prepare=_constrained_case,
        not_shown="Sets other than a ball.",
    ),
    pillars_claim(
        id="three_pillars/monotone/one-step",
        title="One step without strong monotonicity",
        source="theorem on monotone and Minty operators; the two inequalities of V6",
        theorem="V6",
        statement=(
            r"$$|F(u)|^2 \le \frac{4.5}{\gamma^2}\Bigl[(1-p)|u - z|^2 + \frac p2 |u - m|^2\Bigr], "
            r"\qquad (1-p)|u - z|^2 + \frac p2|u - m|^2 \le \Phi - E\Phi^+$$ relative to $\Phi$"
        ),
        assumptions=(
            r"$\langle F(z), z - z^*\rangle \ge 0$",
            r"$\gamma^2 = p/(4\delta^2)$",
            "the server's sub-problem solved exactly",
        ),
        kind="one_step",
        metric=r"|F(u)|^2/\Phi",
        unit="iteration",
        output="local solution",
        x_label="state, the closest to the bound first",
        prepare=_minty_case,
        not_shown="Operators that are not Minty.",
    ),
    pillars_claim(
        id="three_pillars/one-step/stochastic",
        title="Local steps with noise",
        source="theorem with stochastic local computations; explicit form V7",
        theorem="V7",
        statement=(
            r"$$E|u_H - \hat u|^2 \le (1 - \eta\mu_A)^H|z - \hat u|^2 + \frac{3\eta\sigma^2}"
            r"{\mu_A}$$ relative to the bound"
        ),
        assumptions=(r"unbiased estimates of $F_1$ with variance $\sigma^2$", r"$\eta \le 1/4L_A$"),
        kind="one_step",
        metric=r"E|u_H - \hat u|^2 / \text{bound}",
        unit="local step",
        output="local iterate",
        x_label="case, the closest to the bound first",
        prepare=_noise_case,
        not_shown="Many local steps: there the floor is crude.",
    ),
)
