"""D3 on a function that is not convex, sampled: the mean squared gradient over the run."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.problems import Constant, MarkovChain, pytree_dataclass

from ...checks import UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .exact_runs import Noise
from .paper import chains, markov_claim
from .process import AtIterations, IterationRun, StreamRun, stream_run, ticks_for

__all__ = ["CLAIMS"]

TAU, MULTIPLE, LEVEL = 14, 16, 3
SIGMA, START = 0.6, 2.0
SMOOTHNESS = 2.0
ITERATIONS = (3, 15, 60, 200)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Valley:
    """f(x) = x^2 / (1 + x^2), |f''| <= 2, its gradient seen through additive noise."""

    chain: MarkovChain
    noise: jax.Array

    @property
    def solution(self) -> np.ndarray:
        """The minimizer."""
        return np.zeros(1)

    def gradient(self, x: jax.Array) -> jax.Array:
        """f'(x)."""
        return 2 * x / (1 + x**2) ** 2

    def sample_operator(self, x: jax.Array, state: jax.Array) -> jax.Array:
        """The gradient that the chain in this state shows."""
        return self.gradient(x) + self.noise[state]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ValleyRun(StreamRun):
    """A run that sums the squared gradients."""

    problem: Valley

    def watch(self, x: jax.Array) -> jax.Array:
        return jnp.sum(self.problem.gradient(x) ** 2)


def _bound(mixing_time: int = TAU) -> optzoo.NonconvexGDBound:
    batch = optzoo.MultilevelBatch(MULTIPLE * TAU, LEVEL)
    return optzoo.NonconvexGDBound(SMOOTHNESS, Noise(mixing_time, SIGMA), batch, 1 / SMOOTHNESS)


@cache
def _experiment() -> Experiment:
    size = MULTIPLE * TAU
    problem = Valley(chains()["switch-14"], SIGMA * jnp.array([1.0, -1.0]))
    run = stream_run(problem, [START], (1 / SMOOTHNESS,), size, LEVEL, samples_per_tick=TAU)
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    deadlines = tuple(ticks_for(k, size, LEVEL, TAU) for k in ITERATIONS)
    process = IterationRun(
        ValleyRun(**fields),
        jnp.asarray(ITERATIONS),
        jnp.asarray(deadlines),
        "watched",
    )
    return Experiment("markov-valley", process, deadlines, lanes=16)


def _case() -> Case:
    gap = START**2 / (1 + START**2)

    def check(mixing_time: int = TAU, scale: float = 1.0) -> AtIterations:
        limits = [scale * _bound(mixing_time).bound(k, gap) for k in ITERATIONS]
        return AtIterations(UpperBound(_experiment(), "watched", limits), ITERATIONS)

    return Case(
        problem=r"$f(x) = x^2/(1 + x^2)$ from $x = 2$, where it is concave; a two-state switch",
        constants={
            "L": Constant(SMOOTHNESS, "exact", derivation="|f''| is largest at 0"),
            "sigma": Constant(SIGMA, "exact", derivation="chosen"),
            "tau": chains()["switch-14"].constants["tau"],
        },
        parameters={"gamma": "1/L", "B": MULTIPLE * TAU, "m": LEVEL},
        check=check(),
        controls=(
            Control("mixing time 1", r"the bound evaluated with $\tau' = 1$", check(1)),
            Control("bound divided by 4", "a false claim", check(scale=1 / 4)),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    markov_claim(
        id="markovian_noise/descent/nonconvex",
        title="Mean squared gradient over the run of a function that is not convex",
        source="theorem on randomized GD, non-convex; explicit form D3",
        theorem="D3",
        algorithm="randomized_gd",
        statement=(
            r"$$\frac1N \sum_{k<N} E|\nabla f(x^k)|^2 \le \frac{2(f(x^0) - f^*)}{c \gamma N} + "
            r"\frac{\sigma^2 A}{c}$$ with $V$ and $b$ the factors of D2, $A = b + \gamma L V$, "
            r"$c = 1 - \delta^2 A > 0$"
        ),
        assumptions=(r"$f$ $L$-smooth", "additive noise", r"$\gamma \le 1/L$"),
        kind="upper_bound",
        metric=r"\frac1N \sum_{k<N} E|\nabla f(x^k)|^2",
        unit="iteration",
        output="all iterates",
        prepare=_case,
        not_shown="One function in one dimension.",
        x_label="iterations $N$",
    ),
)
