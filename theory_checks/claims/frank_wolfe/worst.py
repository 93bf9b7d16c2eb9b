# SPDX-License-Identifier: Apache-2.0
"""A run, the worst case over the class, and the theorem, beside each other.

The convex rate after a few steps without noise, and a step of the Lyapunov function with it, from
any point of any set with any estimate. Two convex functions with curvatures up to L are at most L/2
from their mean, so that L_pm = L/2.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.lmo import ConstraintSet, box, simplex
from optzoo.theorems.frank_wolfe import F3, F3B_LYAPUNOV, Sarah

from ...checks import WorstCaseBound
from ...claim import Case, Claim
from ...controls import case, wrong
from ...setting import Stated, chosen
from ...worst_case import pep
from .partners import SARAH_PARTNERS

if TYPE_CHECKING:
    from ...worst_case.pep import WorstCase

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- A few steps without noise ---

STEPS = (1, 2, 5)
DIMENSION = 32
L, D = 1.0, 2**0.5
SCHEDULE = optzoo.open_loop_schedule()


def shipped(constraint: ConstraintSet) -> optax.GradientTransformation:
    """Sarah Frank-Wolfe that always restarts."""
    return optzoo.sarah_frank_wolfe(constraint, SCHEDULE, 1.0, key=jax.random.key(0))


@cache
def worst(steps: int) -> "WorstCase":
    """The worst case of the shipped code over the class."""
    return pep.worst_case(shipped, pep.OverSet(pep.SmoothConvex(L), D), steps)


def _run() -> Array:
    """|x|^2 / 2 over the simplex from a vertex, less its minimum."""
    oracle = pep.Oracle(jnp.eye(DIMENSION)[0], lambda x, component: L * x, simplex())
    with jax.disable_jit():  # which costs a compilation a step
        outputs = pep.steps_of(shipped, max(STEPS))(oracle)
    return np.array([L / 2 * (float(outputs[k] @ outputs[k]) - 1 / DIMENSION) for k in STEPS])


def _between() -> Case:
    known = chosen(L=L, L_pm=L, D=D, p=1.0, nu=1.0, r_0=L / 2 * (1 - 1 / DIMENSION))
    setting = Stated(rf"$f(x) = |x|^2/2$ over the simplex, $d = {DIMENSION}$, from a vertex", known)
    eta = np.array([SCHEDULE(k) for k in range(max(STEPS))])

    def check(scale: float = 1.0) -> WorstCaseBound:
        return WorstCaseBound(
            measured=_run,
            bound=lambda: scale * setting.bound(F3, eta)[list(STEPS)],
            at=STEPS,
            worst=worst,
            over=r"all convex $L$-smooth $f$ on all sets of diameter $D$, in any dimension",
        )

    return case(
        setting, check, wrong("bound divided by 3", "a bound that is too good", scale=1 / 3)
    )


# --- One step with noise ---

P, WIDTH = 0.5, 1.0
ETAS = (P / 2, P / 4)
ONE_STEP = chosen(L=L, L_pm=L / 2, D=WIDTH, p=P, nu=1.0, r_0=0.0)
WEIGHT = Sarah.of(ONE_STEP).M


def _step(eta: float, key: jax.Array, batch: int) -> pep.Run:
    """From x with any estimate g to the next x and g, where the coin is the key's."""

    def run(oracle: pep.Oracle) -> list[jax.Array]:
        assert oracle.constraint is not None
        assert oracle.free is not None
        method = optzoo.sarah_frank_wolfe(oracle.constraint, eta, P, key=key)

        def full(point: jax.Array) -> jax.Array:
            return (oracle.gradient(point, 0) + oracle.gradient(point, 1)) / 2

        def sample(point: jax.Array) -> jax.Array:
            return oracle.gradient(point, batch)

        x, g = oracle.start, oracle.free(0)
        # Between equal points the recursion leaves the estimate as it is.
        state = method.init(x)._replace(steps=jnp.ones([], int), estimate=g, previous=x)
        both = {"grad_fn": sample, "full_grad_fn": full}
        updates, state = method.update(sample(x), state, x, **both)
        following = x + updates
        _, state = method.update(sample(following), state, following, **both)
        return [x, g, following, state.estimate]

    return run


@cache
def _keys() -> tuple[jax.Array, jax.Array]:
    """Of runs that do not restart at their second step, and at their third do not or do."""

    def method(constraint: ConstraintSet, key: jax.Array) -> optax.GradientTransformation:
        return optzoo.sarah_frank_wolfe(constraint, ETAS[0], P, key=key)

    stays, restarts = (True, False, False), (True, False, True)
    keys = pep.coin_keys(method, [stays, restarts])
    return keys[stays], keys[restarts]


def branches(eta: float) -> list[pep.Branch]:
    """Both components, without a restart and with one, after a step without."""
    stays, restarts = _keys()
    return [
        pep.Branch(chance / 2, _step(eta, key, batch))
        for chance, key in ((1 - P, stays), (P, restarts))
        for batch in (0, 1)
    ]


def lyapunov(eta: float) -> Callable[[Any], list[Any]]:
    """E Phi_{k+1} - (1 - eta) Phi_k with Phi = f(x) - f* + M |g - grad f(x)|^2."""

    def metric(performance: Any) -> list[Any]:
        def phi(x: Any, g: Any) -> Any:
            return performance.excess(x) + WEIGHT * (g - performance.gradient(x)) ** 2

        return [performance.expected(lambda y: phi(y[2], y[3]) - (1 - eta) * phi(y[0], y[1]))]

    return metric


@cache
def worst_step(eta: float) -> "WorstCase":
    """The worst case of a step over the class, from anywhere."""
    over = pep.OverSet(pep.FiniteSum(pep.SmoothConvex(L), 2), WIDTH)
    return pep.worst_mean(branches(eta), over, lyapunov(eta), capacity=16)


def _on_an_interval(eta: float) -> float:
    """x^2 / 2 and 0 on an interval, from beside the minimizer, the estimate of the wrong sign."""
    x, g = 0.06, -1e-6

    def gradient(point: jax.Array, component: int) -> jax.Array:
        return L * point * (component == 0)

    edge = box(-WIDTH / 2, WIDTH / 2)
    oracle = pep.Oracle(jnp.array([x]), gradient, edge, lambda number: jnp.array([g]))

    def phi(x: jax.Array, g: jax.Array) -> float:
        return float(L / 4 * x[0] ** 2 + WEIGHT * (g[0] - L / 2 * x[0]) ** 2)

    with jax.disable_jit():
        return sum(
            chance * (phi(y[2], y[3]) - (1 - eta) * phi(y[0], y[1]))
            for chance, y in ((branch.probability, branch.run(oracle)) for branch in branches(eta))
        )


def _one_step() -> Case:
    setting = Stated(
        "$f_1(x) = x^2/2$ and $f_2 = 0$ on an interval, the estimate of the wrong sign",
        ONE_STEP,
    )

    def check(scale: float = 1.0) -> WorstCaseBound:
        return WorstCaseBound(
            measured=lambda: np.array([_on_an_interval(eta) for eta in ETAS]),
            bound=lambda: scale * setting.bound(F3B_LYAPUNOV, np.array(ETAS)),
            at=ETAS,
            worst=worst_step,
            over=(
                r"all pairs of convex $L$-smooth functions on all sets of diameter $D$, in any "
                "dimension, from any point with any estimate"
            ),
            what="one step, every batch and coin",
        )

    too_good = wrong("bound divided by 10", "a bound that the run itself exceeds", scale=1 / 10)
    return case(setting, check, too_good)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/convex/worst-case",
        title="The convex rate after a few steps, beside the worst case over its class",
        theorem=F3,
        prepare=_between,
        pairs_with=SARAH_PARTNERS,
        not_shown=(
            "Noise: here every step restarts. Nor more steps than these: each horizon is a "
            "semidefinite program of its own."
        ),
    ),
    Claim(
        id="frank_wolfe/sarah/one-step/worst-case",
        title="One step of the Lyapunov function, beside the worst case over its class",
        theorem=F3B_LYAPUNOV,
        prepare=_one_step,
        not_shown="More than two functions, and other restart probabilities than 1/2.",
        x_label=r"step $\eta$",
    ),
)
