# SPDX-License-Identifier: Apache-2.0
"""Deterministic methods: short steps, and the linear convergence of those with an active set.

Quadratics with a known minimizer on a face: f* is exact, and nothing is sampled. The linear rates
are in the steps that were not cut short, as counted by the methods' states.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import Constant, Quadratics
from optzoo.theorems import Theorem
from optzoo.theorems.projection_free_methods import AWAY, BLEND, PAIR, SHORT

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, mutant, wrong
from ...setting import Parameters, Setting
from ..frank_wolfe.mutants import maximizing

__all__ = ["CLAIMS", "Deterministic", "on_a_face"]

Array = NDArray[np.float64]
Make: TypeAlias = Callable[..., optax.GradientTransformationExtraArgs]

STEPS = 60
RULES: Mapping[str, Callable[[float], optzoo.StepRule]] = {
    "short": lambda L: optzoo.short_step(L),
    "exact": lambda L: optzoo.exact_line_search(),
}


@final
@dataclass(frozen=True, eq=False)
class Deterministic(Setting):
    """A method with a step rule on a quadratic over a polytope, from a vertex.

    Args:
        text: the instance in words.
        problem: one quadratic.
        constraint: the polytope.
        width: its pyramidal width.
        solution: the minimizer.
        start: a vertex.
        method: the shipped method.
        rule: of its steps, a key of `RULES`.
        spread: over the simplex, whether all vertices are atoms at the start, which is then no
            vertex.
    """

    text: str
    problem: Quadratics
    constraint: ConstraintSet
    width: float
    solution: Array
    start: Array
    method: Make = field(default=optzoo.frank_wolfe)
    rule: str = "short"
    spread: bool = False

    @property
    def words(self) -> str:
        return self.text

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        known = self.problem.constants
        return {
            "L": known["L"],
            "mu": known["mu"],
            "D": Constant(
                float(self.constraint.diameter(self.start)),
                "exact",
                derivation="closed form for the set",
            ),
            "width": Constant(self.width, "exact", derivation="closed form for the set"),
            "r_0": Constant(self._excess(self.start), "exact", derivation="f(x^0) - f*"),
        }

    @property
    def parameters(self) -> Parameters:
        return {"steps": {"short": "short", "exact": "exact line search"}[self.rule]}

    def certify(self) -> None:
        self.problem.certify()

    def _excess(self, x: ArrayLike) -> float:
        value, least = (self.problem.value(jnp.asarray(point)) for point in (x, self.solution))
        return float(value - least)

    def run(self, method: Make | None = None, steps: int = STEPS) -> tuple[Array, Array]:
        """f(x^k) - f* and how many steps were not cut short, for k = 1, ..., `steps`."""
        rule = RULES[self.rule](self.constants["L"].value)
        values, short = _trajectory(
            self.problem,
            self.constraint,
            self.start,
            rule,
            method=method or self.method,
            steps=steps,
            spread=self.spread,
        )
        return np.asarray(values) - float(self.problem.value(jnp.asarray(self.solution))), (
            np.arange(1, steps + 1) - np.asarray(short)
        )


@partial(jax.jit, static_argnames=("method", "steps", "spread"))
def _trajectory(
    problem: Quadratics,
    constraint: ConstraintSet,
    start: Any,
    rule: Any,
    *,
    method: Make,
    steps: int,
    spread: bool,
) -> tuple[jax.Array, jax.Array]:
    """f(x^k), and the steps so far that were cut short."""
    transformation = method(constraint, rule)

    def step(carry: Any, _: None) -> Any:
        x, state = carry
        updates, state = transformation.update(
            problem.gradient(x), state, x, value_fn=problem.value
        )
        x = optax.apply_updates(x, updates)
        cut = getattr(state, "drops", 0) + getattr(state, "swaps", 0)
        return (x, state), (problem.value(x), jnp.asarray(cut))

    x = jnp.asarray(start)
    state = transformation.init(x)
    if spread and hasattr(state, "active"):
        active = state.active
        room = active.weights.size
        atoms = jnp.eye(room, x.size, dtype=x.dtype)
        weights = jnp.zeros(room).at[: x.size].set(x)
        state = state._replace(active=active._replace(weights=weights, atoms=atoms))
    _, (values, short) = jax.lax.scan(step, (x, state), None, steps)
    return values, short


# --- Instances ---

SETS: Mapping[str, tuple[Callable[[int], ConstraintSet], Callable[[int], float]]] = {
    "simplex": (
        lambda d: optzoo.lmo.simplex(),
        lambda d: 2 / (d if d % 2 == 0 else d - 1 / d) ** 0.5,
    ),
    "cube": (lambda d: optzoo.lmo.box(0.0, 1.0), lambda d: d**-0.5),
    "l1 ball": (lambda d: optzoo.lmo.l1_ball(1.0), lambda d: (d - 1) ** -0.5),
}
"""Polytopes and their pyramidal widths, by dimension."""


def on_a_face(
    name: str, dim: int, *, condition: float = 1.0, pull: float = 0.1, seed: int = 0
) -> Deterministic:
    """A random quadratic of condition L/mu with its minimizer inside a face of half the dimension.

    Args:
        name: of `SETS`.
        dim: d.
        condition: L / mu, with L = 1.
        pull: the slope across the face.
        seed: of the rotation and the minimizer.
    """
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    hessian = rotation @ np.diag(np.geomspace(1 / condition, 1, dim)) @ rotation.T
    inside = np.arange(dim) < -(-dim // 2)
    weights = np.where(inside, rng.uniform(0.5, 1.5, dim), 0.0)
    if name == "cube":
        solution = np.where(inside, rng.uniform(0.2, 0.8, dim), 0.0)
        gradient = np.where(inside, 0.0, pull)
    elif name == "simplex":
        solution = weights / weights.sum()
        gradient = np.where(inside, 0.0, pull)
    else:
        signs = np.where(rng.random(dim) < 0.5, -1.0, 1.0)
        solution = signs * weights / weights.sum()
        gradient = -pull * np.where(inside, signs, 0.5 * signs)
    slope = gradient - hessian @ solution
    make, width = SETS[name]
    constraint = make(dim)
    # The vertex that the oracle gives uphill.
    start = np.asarray(constraint.lmo(jnp.asarray(-(hessian @ np.ones(dim) + slope))))
    return Deterministic(
        text=(
            rf"a quadratic of condition $L/\mu = {condition:g}$, $d = {dim}$, over the {name}, its "
            "minimizer inside a face"
        ),
        problem=Quadratics(((hessian + hessian.T) / 2)[None], slope[None]),
        constraint=constraint,
        width=width(dim),
        solution=solution,
        start=start,
    )


def spread(dim: int, off: float) -> Deterministic:
    """|x - x*|^2 / 2 over the simplex with x* its centre, from x* +- off in turn."""
    solution = np.full(dim, 1 / dim)
    start = solution + off * np.where(np.arange(dim) % 2 == 0, 1.0, -1.0)
    return Deterministic(
        text=rf"$|x - x^*|^2/2$ over the simplex, $d = {dim}$, from all vertices near its centre",
        problem=Quadratics(np.eye(dim)[None], -solution[None]),
        constraint=optzoo.lmo.simplex(),
        width=SETS["simplex"][1](dim),
        solution=solution,
        start=start,
        spread=True,
    )


def from_a_vertex(dim: int) -> Deterministic:
    """|x|^2 / 2 over the simplex from a vertex, to which a vertex a step is too little."""
    return Deterministic(
        text=rf"$|x|^2/2$ over the simplex from a vertex, $d = {dim}$",
        problem=Quadratics(np.eye(dim)[None], np.zeros((1, dim))),
        constraint=optzoo.lmo.simplex(),
        width=SETS["simplex"][1](dim),
        solution=np.full(dim, 1 / dim),
        start=np.eye(dim)[0],
    )


# --- Claims ---

INSTANCES: Mapping[str, Callable[[], Deterministic]] = {
    "all vertices": partial(spread, 6, 0.1),
    "triangle": partial(on_a_face, "simplex", 3),
    "cube": partial(on_a_face, "cube", 4, condition=10.0),
    "l1 ball": partial(on_a_face, "l1 ball", 6, condition=10.0),
}
SHORT_INSTANCES: Mapping[str, Callable[[], Deterministic]] = {
    "from a vertex": partial(from_a_vertex, 40),
    "all vertices": partial(spread, 6, 0.1),
    "l1 ball": partial(on_a_face, "l1 ball", 6, condition=10.0),
}
METHODS: Mapping[str, tuple[Theorem, Make]] = {
    "away": (AWAY, optzoo.away_step_frank_wolfe),
    "pairwise": (PAIR, optzoo.pairwise_frank_wolfe),
    "blended": (BLEND, optzoo.blended_pairwise_frank_wolfe),
}

# f(x^k) - f* is a difference of numbers of the size of 1.
ROUND_OFF = 1e-14


def _linear_sides(
    theorem: Theorem, setting: Deterministic, *, method: Make | None = None, **claimed: float
) -> Sides:
    found, good = setting.run(method)
    times = {name: factor * setting.constants[name].value for name, factor in claimed.items()}
    return found, lambda: setting.bound(theorem, good, **times)


def _sides(
    theorem: Theorem, setting: Deterministic, *, method: Make | None = None, **claimed: float
) -> Sides:
    found, _ = setting.run(method)
    times = {name: factor * setting.constants[name].value for name, factor in claimed.items()}
    return found, lambda: setting.bound(theorem, STEPS, **times)[1:]


def _linear(name: str, instance: str, rule: str) -> Case:
    theorem, method = METHODS[name]
    setting = replace(INSTANCES[instance](), method=method, rule=rule)
    changes: tuple[Change, ...] = ()
    if (instance, rule) == ("triangle", "short"):
        changes = (mutant(optzoo.frank_wolfe), mutant(maximizing(method)))
    elif (instance, rule) == ("all vertices", "short"):
        changes = (
            wrong("three times the width", r"a false claim: $3\delta$ for $\delta$", width=3.0),
        )
    return exact_case(
        setting,
        partial(_linear_sides, theorem),
        ExactInequality,
        *changes,
        what="step by step",
        round_off=ROUND_OFF,
    )


def _short(instance: str, rule: str) -> Case:
    setting = replace(SHORT_INSTANCES[instance](), rule=rule)
    changes: tuple[Change, ...] = ()
    if (instance, rule) == ("from a vertex", "short"):
        changes = (
            mutant(maximizing(optzoo.frank_wolfe)),
            wrong("a tenth of the smoothness", "a false claim: $L/10$", L=0.1),
        )
    return exact_case(
        setting,
        partial(_sides, SHORT),
        ExactInequality,
        *changes,
        what="step by step",
        round_off=ROUND_OFF,
    )


def _claim(name: str, title: str) -> Claim:
    return Claim(
        id=f"projection_free_methods/{name}/linear",
        title=title,
        theorem=METHODS[name][0],
        prepare=grid(
            partial(_linear, name),
            instance=tuple(INSTANCES),
            rule=tuple(RULES),
            # Each pair is a program of its own.
            where=lambda instance, rule: rule == "short" or instance == "triangle",
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="projection_free_methods/short-steps",
        title="Frank-Wolfe with short steps or exact line search",
        theorem=SHORT,
        prepare=grid(
            _short,
            instance=tuple(SHORT_INSTANCES),
            rule=tuple(RULES),
            where=lambda instance, rule: rule == "short" or instance == "l1 ball",
        ),
    ),
    _claim("away", "Away-step Frank-Wolfe converges linearly"),
    _claim("pairwise", "Pairwise Frank-Wolfe converges linearly"),
    _claim("blended", "Blended pairwise Frank-Wolfe converges linearly"),
)
