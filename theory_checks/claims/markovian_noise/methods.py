# SPDX-License-Identifier: Apache-2.0
"""The methods, each as it is shipped and as the exact recursion of its moments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

import optzoo
from optzoo.problems import (
    LinearMethodMoments,
    MarkovianProblem,
    accelerated_gd_moments,
    extragradient_moments,
    randomized_gd_moments,
)

__all__ = ["ACCELERATED", "DESCENT", "EXTRAGRADIENT", "Method"]

NAMES = {"gamma": "learning_rate", "mu": "strong_convexity", "p": "momentum_scale"}
"""The paper's symbols -> what the code calls them."""


def _parameters_themselves(state: optax.OptState, params: optax.Params) -> optax.Params:
    return params


def _one_batch(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    return batch_size, max_level


@dataclass(frozen=True, eq=False)
class Method:
    """A method that is fed by the multilevel estimator.

    Args:
        shipped: its constants -> optax transformation.
        recursion: problem, constants, B and m -> its moments; None where it is not linear.
        takes: the symbols of the constants.
        output: state and parameters -> the point that is evaluated.
        point: what the recursion calls that point.
        sizes: state, B, m -> the sizes of the next estimate.
        estimates: how many an iteration takes.
        stream: what feeds it.
    """

    shipped: Callable[..., optax.GradientTransformationExtraArgs]
    recursion: Callable[..., LinearMethodMoments] | None = None
    takes: tuple[str, ...] = ("gamma",)
    output: Callable[[optax.OptState, optax.Params], optax.Params] = _parameters_themselves
    point: str = "x"
    sizes: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, jax.Array]] = _one_batch
    estimates: int = 1
    stream: Callable[..., optzoo.MLMCStream] = optzoo.mlmc_stream

    def with_constants(
        self, constants: Mapping[str, ArrayLike]
    ) -> optax.GradientTransformationExtraArgs:
        """The transformation with constants that are given by their symbols."""
        return self.shipped(**{NAMES[symbol]: constants[symbol] for symbol in self.takes})

    def moments(
        self,
        problem: MarkovianProblem,
        constants: Mapping[str, float],
        *,
        batch_size: int,
        max_level: int,
        first_batch_size: int | None = None,
    ) -> LinearMethodMoments:
        """The recursion of its moments on an affine problem.

        The first of two estimates takes a plain batch: of `batch_size` if no other is given.
        """
        assert self.recursion is not None, f"{self.shipped} is not linear"
        named = {NAMES[symbol]: constants[symbol] for symbol in self.takes}
        sizes = {"batch_size": batch_size, "max_level": max_level}
        if self.estimates > 1:
            sizes["first_batch_size"] = first_batch_size or batch_size
        return self.recursion(problem, **named, **sizes)


def _plain_first_half(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    return batch_size, jnp.where(state.phase == 0, 0, max_level)


DESCENT = Method(optzoo.randomized_gd, randomized_gd_moments)
ACCELERATED = Method(
    optzoo.randomized_accelerated_gd,
    accelerated_gd_moments,
    takes=("gamma", "mu", "p"),
    output=optzoo.accelerated_eval_params,
    point="x_f",
)
EXTRAGRADIENT = Method(
    optzoo.randomized_extragradient,
    extragradient_moments,
    sizes=_plain_first_half,
    estimates=2,
)
