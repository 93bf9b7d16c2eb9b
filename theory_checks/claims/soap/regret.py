# SPDX-License-Identifier: Apache-2.0
"""S7 and S8: Shampoo's regret, on streams whose best fixed matrix is known, and at its largest."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant
from optzoo.theorems import Theorem
from optzoo.theorems.soap import S7, S8

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, mutant, wrong
from ...family import Family
from ...setting import Setting, chosen
from . import mutants
from .settings import STREAMS, Make, RegretSetting, ShampooSetting

__all__ = ["CLAIMS", "sides"]

Array = NDArray[np.float64]

STEPS = (0.05, 0.2, 0.7, 2.0)
NO_MEMORY = mutant(mutants.gram_matrices_not_accumulated)
# Mistakes are looked at where the bound is close: beside one feature.
BITES: dict[tuple[str, float | None], tuple[Change, ...]] = {
    ("one", None): (NO_MEMORY,),
    ("one", 0.05): (mutant(mutants.power_one_half),),
    ("one", 2.0): (NO_MEMORY,),
}


def sides(setting: ShampooSetting, theorem: Theorem, method: Make = optzoo.shampoo) -> Sides:
    """The regrets at all horizons, and what the theorem says of them.

    Args:
        setting: where.
        theorem: whose bound.
        method: Shampoo, or a mutant.
    """
    game = setting.play(method)

    def bounds() -> Array:
        each = [
            setting.bound(theorem, game.gradients[:horizon], D=D, eta=game.eta)
            for horizon, D in zip(setting.horizons, game.D, strict=True)
        ]
        return np.array(each)

    return game.regrets, bounds


def _case(theorem: Theorem, stream: str, eta: float | None = None) -> Case:
    """With the step of S7, or with any step."""
    return exact_case(
        RegretSetting(stream=stream, eta=eta),
        partial(sides, theorem=theorem),
        ExactInequality,
        *BITES.get((stream, eta), ()),
        what="every horizon",
    )


# --- Linear losses for a number ---

ROUNDS = 100
FIRST, REST = "a large gradient, two small ones, then none", "a hundred gradients far below epsilon"


@final
@dataclass(frozen=True)
class OnANumber(Setting):
    """Linear losses for a 1 x 1 matrix from 0, and the matrix -D to compare with.

    Args:
        text: the gradients.
        unit: of the gradients.
        D: how far the other matrix is.
        share: the step in units of that which S7 prescribes.
    """

    text: str
    unit: float
    D: float
    share: float = 1.0

    @property
    def words(self) -> str:
        return f"linear losses for a number: {self.text}, in units of {self.unit:g}"

    @property
    def gradients(self) -> Array:
        rows = np.ones((ROUNDS, 1, 1))
        if self.text == FIRST:
            rows[:, 0, 0] = np.pad([1.0, 0.177, 0.166], (0, ROUNDS - 3))
        return self.unit * rows

    @property
    def epsilon(self) -> float:
        return self.unit**2 * (1e-12 if self.text == FIRST else 1e4)

    @property
    def constants(self) -> Mapping[str, Constant]:
        eta = self.share * self.D / float(np.sqrt(2))
        return chosen(D=self.D, r=1, eta=eta, epsilon=self.epsilon)

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {"rounds": ROUNDS}

    @property
    def regret(self) -> float:
        """Of Shampoo against -D."""
        path = np.asarray(_path(self.constants["eta"].value, self.epsilon, self.gradients))
        apart = path + self.D
        if np.abs(apart).max() > self.D * (1 + 1e-12):
            raise ValueError(f"D = {self.D} is exceeded: {np.abs(apart).max()}")
        return float(np.sum(self.gradients * apart))


@jax.jit
def _path(eta: jax.Array, epsilon: jax.Array, gradients: jax.Array) -> jax.Array:
    """W_1, ..., W_T."""
    shampoo = optzoo.shampoo(eta, epsilon)

    def step(carry: Any, g: jax.Array) -> Any:
        w, state = carry
        updates, state = shampoo.update(g, state, w)
        return (optax.apply_updates(w, updates), state), jnp.asarray(w)

    start = jnp.zeros_like(gradients[0])
    return jax.lax.scan(step, (start, shampoo.init(start)), gradients)[1]


@cache
def _largest(theorem: Theorem) -> tuple[OnANumber, ...]:
    return tuple(
        OnANumber(text, unit, D, share)
        for text in (FIRST, REST)
        for unit in (1e-3, 1e3)
        for D in (0.01, 100.0)
        for share in ((1.0,) if theorem is S7 or text == REST else (0.1, 1.0))
    )


def _number_sides(family: Family[OnANumber], theorem: Theorem, share: float = 1.0) -> Sides:
    return [one.regret for one in family.members], lambda: [
        share * one.bound(theorem, one.gradients) for one in family.members
    ]


def _on_a_number(theorem: Theorem) -> Case:
    members = _largest(theorem)
    return exact_case(
        Family("linear losses for a number, gradients in two units", members, (theorem,)),
        partial(_number_sides, theorem=theorem),
        ExactInequality,
        wrong("seven tenths", "a false claim: 0.7 times the bound", share=0.7),
        what="two streams in two units, two distances",
    )


X_LABEL = "horizon, the closest to its bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/shampoo/regret",
        title="Shampoo's regret",
        theorem=S7,
        prepare=grid(partial(_case, S7), stream=STREAMS),
        pairs_with=("soap/shampoo/any-step",),
        x_label=X_LABEL,
    ),
    Claim(
        id="soap/shampoo/any-step",
        title="Shampoo's regret with any step",
        theorem=S8,
        prepare=grid(partial(_case, S8), stream=STREAMS, eta=STEPS),
        x_label=X_LABEL,
    ),
    Claim(
        id="soap/shampoo/number",
        title="Shampoo's regret on linear losses for a number",
        theorem=S7,
        prepare=partial(_on_a_number, S7),
        x_label=X_LABEL,
    ),
    Claim(
        id="soap/shampoo/number-any-step",
        title="Shampoo's regret on linear losses for a number, with any step",
        theorem=S8,
        prepare=partial(_on_a_number, S8),
        x_label=X_LABEL,
    ),
)
