"""The methods, each as it is shipped and as the exact recursion of its moments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.problems import (
    LinearMethodMoments,
    MarkovianProblem,
    accelerated_gd_moments,
    extragradient_moments,
    randomized_gd_moments,
)

__all__ = ["ACCELERATED", "DESCENT", "EXTRAGRADIENT", "Method"]


def _parameters_themselves(state: optax.OptState, params: optax.Params) -> optax.Params:
    return params


def _one_batch(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    return batch_size, max_level


@dataclass(frozen=True, eq=False)
class Method:
    """A method that is fed by the multilevel estimator.

    Args:
        shipped: its constants -> optax transformation.
        takes: the names of the constants.
        recursion: problem, constants, B and m -> its moments; None where it is not linear.
        output: state and parameters -> the point that is evaluated.
        point: what the recursion calls that point.
        sizes: state, B, m -> the sizes of the next estimate.
        estimates: how many an iteration takes.
        stream: what feeds it.
    """

    shipped: Callable[..., optax.GradientTransformationExtraArgs]
    takes: tuple[str, ...] = ("gamma",)
    recursion: Callable[..., LinearMethodMoments] | None = None
    output: Callable[[optax.OptState, optax.Params], optax.Params] = _parameters_themselves
    point: str = "x"
    sizes: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, jax.Array]] = _one_batch
    estimates: int = 1
    stream: Callable[..., optzoo.MLMCStream] = optzoo.mlmc_stream

    def moments(
        self, problem: MarkovianProblem, *constants: float, batch_size: int, max_level: int
    ) -> LinearMethodMoments:
        """The recursion of its moments on an affine problem."""
        assert self.recursion is not None, f"{self.shipped} is not linear"
        return self.recursion(problem, *constants, batch_size=batch_size, max_level=max_level)


def _accelerated(
    gamma: jax.Array, mu: jax.Array, p: jax.Array
) -> optax.GradientTransformationExtraArgs:
    return optzoo.randomized_accelerated_gd(gamma, mu, momentum_scale=p)


def _accelerated_moments(
    problem: MarkovianProblem, gamma: float, mu: float, p: float, **sizes: int
) -> LinearMethodMoments:
    return accelerated_gd_moments(problem, gamma, mu, momentum_scale=p, **sizes)


def _plain_first_half(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    return batch_size, jnp.where(state.phase == 0, 0, max_level)


def _extragradient_moments(
    problem: MarkovianProblem, gamma: float, *, batch_size: int, max_level: int
) -> LinearMethodMoments:
    return extragradient_moments(
        problem,
        gamma,
        first_batch_size=batch_size,
        batch_size=batch_size,
        max_level=max_level,
    )


DESCENT = Method(optzoo.randomized_gd, recursion=randomized_gd_moments)
ACCELERATED = Method(
    _accelerated,
    ("gamma", "mu", "p"),
    _accelerated_moments,
    output=optzoo.accelerated_eval_params,
    point="x_f",
)
EXTRAGRADIENT = Method(
    optzoo.randomized_extragradient,
    recursion=_extragradient_moments,
    sizes=_plain_first_half,
    estimates=2,
)
