# SPDX-License-Identifier: Apache-2.0
r"""Stochastic gradient boosting with randomly drawn weak learners: an Ito chain of functions.

A family of S weak learners, each constant on the cells of its own partition of the inputs (a
decision stump has two cells), predicts with one number a cell,

    F(x) = sum_s theta[s, cell of x under s].

A step draws one learner s uniformly, fits it to the negative gradient of the loss L with respect
to the predictions at the n training points, that is, averages it over the cells, and adds it:

    F_{k+1} = (1 - eta lambda) F_k - eta P_s (grad L(F_k) + sqrt(2 T / eta) xi_k),

P_s the orthogonal projector on the functions that are constant on the cells of s, xi_k standard
normal. With the kernel K = E P_s, the drift of this chain in function space is -lambda F - K grad
L(F), and for the squared loss L(F) = |F - y|^2 / 2 its diffusion

    dF = -(lambda F + K (F - y)) dt + sqrt(2 T K) dW

is a Gaussian process whose equilibrium is the posterior of Gaussian process regression with the
prior covariance (T / lambda) K and the noise variance T.

In the coefficients theta the derivative of L is the sum of the gradient over a cell, so that the
method is an optax transformation of theta, and the trained model predicts anywhere.

References:
  Friedman, "Stochastic gradient boosting", 2002.
  Ustimenko, Prokhorenkova, "SGLB: Stochastic gradient Langevin boosting", ICML 2021,
  arXiv:2001.07248.
  Ustimenko, Beliakov, Prokhorenkova, "Gradient boosting performs Gaussian process inference",
  ICLR 2023, arXiv:2206.05608.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_leaves_with_path

from ._arguments import (
    concrete_number,
    require_floating,
    require_gradients,
    require_integer,
    require_key,
    require_learning_rate,
    require_matching_tree,
    require_not_negative,
)
from ._compensated_sum import warn_of_lost_noise
from ._state_layout import require_own_state
from ._tree_vector import cast_like, is_concrete
from ._wide_arithmetic import wide

__all__ = [
    "BoostingState",
    "DecisionStumps",
    "decision_stumps",
    "stochastic_gradient_boosting",
]


class BoostingState(NamedTuple):
    """State of `stochastic_gradient_boosting`."""

    key: jax.Array  # constant; learner and noise of step k are drawn from fold_in(key, k)
    steps: jax.Array  # k, int32


class DecisionStumps(NamedTuple):
    """A family of S decision stumps: x lies in cell 1 of stump s if x[column] > threshold.

    Made by `decision_stumps`. It is a pytree and can be passed to jitted functions.
    """

    columns: jax.Array  # int32, shape (S,)
    thresholds: jax.Array  # shape (S,)
    cell_sizes: jax.Array  # training points in each cell, shape (S, 2)

    def cells(self, features: jax.Array) -> jax.Array:
        """The cell of each point under each stump.

        Args:
          features: shape (n, d).

        Returns:
          int32 of 0 and 1, shape (n, S).
        """
        points = jnp.asarray(features)
        if not jnp.issubdtype(points.dtype, jnp.floating):
            points = points.astype(self.thresholds.dtype)
        above = points[:, self.columns] > self.thresholds[None, :]
        return above.astype(jnp.int32)

    def predict(self, leaf_values: jax.Array, features: jax.Array) -> jax.Array:
        """F(x) = sum_s theta[s, cell of x under s].

        Args:
          leaf_values: theta, shape (S, 2).
          features: shape (n, d).

        Returns:
          The predictions, shape (n,).
        """
        cells = self.cells(features)
        stump = jnp.arange(self.columns.shape[0])
        return jnp.sum(leaf_values[stump[None, :], cells], axis=1)


def decision_stumps(features: jax.typing.ArrayLike, thresholds_per_column: int) -> DecisionStumps:
    r"""All stumps that split a column of the training data at its quantiles.

    A column with m distinct values has m - 1 splits, each half way between two neighbouring
    values. For every level i / (q + 1), i = 1, ..., q, the split with the share of points below it
    nearest to the level is taken, of two that are equally near the one nearer to 1/2, and both at
    the level 1/2. So x and -x have the same splits, and no column with two values is lost.

    Args:
      features: the training inputs, shape (n, d), finite; integers and booleans become floats.
      thresholds_per_column: q. Levels may share their split, so that a column may have fewer than
        q stumps; it has q + 1 where two are equally near to the level 1/2.

    Returns:
      The family, ordered by column and threshold.

    Raises:
      TypeError: if the features are traced or not real, or q is no integer.
      ValueError: if the features are not a finite matrix with entries, q is below 1, or no column
        can be split because all of them are constant.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> stumps = optzoo.decision_stumps(jnp.array([[0.0], [1.0], [2.0], [3.0]]), 3)
      >>> stumps.thresholds.tolist(), stumps.cell_sizes.astype(int).tolist()
      ([0.5, 1.5, 2.5], [[1, 3], [2, 2], [3, 1]])
      >>> jax.jit(stumps.predict)(jnp.array([[0.0, 1.0]] * 3), jnp.array([[1.25]])).tolist()
      [1.0]
    """
    points = jnp.asarray(features)
    if not is_concrete(points) or jnp.iscomplexobj(points):
        raise TypeError(f"features must be a concrete array of real numbers, got {features!r}.")
    if not jnp.issubdtype(points.dtype, jnp.floating):
        points = points.astype(float)
    if points.ndim != 2 or not points.size or not bool(jnp.all(jnp.isfinite(points))):
        raise ValueError(
            f"features must be a finite matrix (n, d) with n, d >= 1, got shape {points.shape}."
        )
    require_integer("thresholds_per_column", thresholds_per_column, 1)
    ordered, chosen = _splits(points, thresholds_per_column)
    columns, places = jax.device_get(chosen).T.nonzero()
    if not columns.size:
        raise ValueError("features must have a column that is not constant.")
    return _stumps(ordered, columns, places)


@functools.partial(jax.jit, static_argnames="num_levels")
def _splits(points: jax.Array, num_levels: int) -> tuple[jax.Array, jax.Array]:
    """The points of each column in order, and which of the places between two are chosen."""
    ordered = jnp.sort(points, axis=0)
    # Between one point and the next in order, where these differ.
    is_split = ordered[:-1] < ordered[1:]
    if len(points) == 1:
        return ordered, is_split
    return ordered, is_split & _nearest_to_levels(is_split, num_levels)


@jax.jit
def _stumps(ordered: jax.Array, columns: jax.Array, places: jax.Array) -> DecisionStumps:
    """The stumps that split these columns behind these places."""
    lower, upper = ordered[places, columns], ordered[places + 1, columns]
    middle = lower / 2 + upper / 2
    below = places + 1
    return DecisionStumps(
        columns=columns.astype(jnp.int32),
        # Of two neighbouring floats the lower one.
        thresholds=jnp.where((lower <= middle) & (middle < upper), middle, lower),
        cell_sizes=jnp.stack([below, len(ordered) - below], axis=1).astype(
            jnp.promote_types(ordered.dtype, jnp.float32)  # sixteen bits cannot count
        ),
    )


def _nearest_to_levels(is_split: jax.Array, num_levels: int) -> jax.Array:
    """The places with the numbers of points below them nearest to each level, in integers."""
    num_points, columns = is_split.shape[0] + 1, jnp.arange(is_split.shape[1])
    below = jnp.arange(1, num_points)[:, None]

    def choose(i: jax.Array, chosen: jax.Array) -> jax.Array:
        distance = abs((num_levels + 1) * below - i * num_points)
        distance = jnp.where(is_split, distance, (num_levels + 1) * num_points)
        first = jnp.argmin(distance, axis=0)
        last = num_points - 2 - jnp.argmin(jnp.flip(distance, axis=0), axis=0)
        # Of two that are equally near the one towards 1/2, or both.
        chosen = chosen.at[last, columns].max(2 * i <= num_levels + 1)
        return chosen.at[first, columns].max(2 * i >= num_levels + 1)

    found: jax.Array = jax.lax.fori_loop(1, num_levels + 1, choose, jnp.zeros_like(is_split))
    return found


def stochastic_gradient_boosting(
    learning_rate: optax.ScalarOrSchedule,
    cell_sizes: Any,
    *,
    shrinkage: jax.typing.ArrayLike = 0.0,
    temperature: jax.typing.ArrayLike = 0.0,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Boosting with one uniformly drawn weak learner a step, and Langevin noise on request.

    .. math::
      \theta_{k+1}[s] &= (1 - \eta \lambda) \, \theta_k[s] - \eta \, \frac{g_k[s]}{n[s]}
         + \sqrt{\frac{2 \eta T}{n[s]}} \, \xi_k
         && \text{for the learner } s \text{ drawn,} \\
      \theta_{k+1}[r] &= (1 - \eta \lambda) \, \theta_k[r] && \text{for the others,}

    where n[s] counts the training points in each cell of s, and g_k is the derivative, with
    respect to theta, of the loss summed (not averaged) over the training points: g_k[s] / n[s]
    is the mean over the cell of the derivative with respect to the predictions.

    The parameters may be a tree of such tables (stumps in one leaf, deeper trees in another); the
    leading axis of each leaf counts its learners, and all learners are equally likely.

    T = 0 is stochastic gradient boosting, a chain whose noise is the choice of the learner
    (gamma = 1); T > 0 is stochastic gradient Langevin boosting (gamma = 0), whose predictions
    sample from a Gaussian process posterior when the loss is squared.

    It works under every optax wrapper. In 16-bit parameters, what falls below half a unit in their
    last place is lost, and `init` warns if there is a temperature: wrap the method in
    `optzoo.master_weights`.

    Args:
      learning_rate: eta, a positive number or a schedule; for the squared loss
        eta (1 + lambda) < 2 keeps the chain stable.
      cell_sizes: n[s], a tree like the parameters of positive numbers; for stumps the
        `cell_sizes` of `optzoo.decision_stumps`.
      shrinkage: lambda, at least 0.
      temperature: T, at least 0.
      key: a PRNG key for learners and noise, carried in the state.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      TypeError: if a number is not one, or the key is not a key.
      ValueError: if the step is not positive, the shrinkage or the temperature negative, a cell
        empty, a leaf of the parameters without a leading axis, or a tree unlike the parameters.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
      >>> y = jnp.sign(x[:, 0]) + x[:, 0]
      >>> stumps = optzoo.decision_stumps(x, 15)
      >>> @jax.jit
      ... def loss(theta):
      ...     return 0.5 * jnp.sum((stumps.predict(theta, x) - y) ** 2)
      >>> method = optzoo.stochastic_gradient_boosting(
      ...     0.3, stumps.cell_sizes, key=jax.random.key(0))
      >>> def step(_, carry):
      ...     theta, state = carry
      ...     updates, state = method.update(jax.grad(loss)(theta), state, theta)
      ...     return optax.apply_updates(theta, updates), state
      >>> theta = jnp.zeros((15, 2))
      >>> theta, _ = jax.lax.fori_loop(0, 500, step, (theta, method.init(theta)))
      >>> bool(loss(theta) < 0.01 * loss(jnp.zeros((15, 2))))
      True

    References:
      Ustimenko, Prokhorenkova, "SGLB: Stochastic gradient Langevin boosting", ICML 2021,
      arXiv:2001.07248.
    """
    require_learning_rate("learning_rate", learning_rate)
    require_not_negative("shrinkage", shrinkage)
    require_not_negative("temperature", temperature)
    require_key("key", key)

    def fresh() -> BoostingState:
        # A copy: a user who donates the state must not lose the key given here.
        return BoostingState(key=jnp.copy(key), steps=jnp.zeros([], jnp.int32))

    def init_fn(params: optax.Params) -> BoostingState:
        require_floating(params)
        if jax.tree.leaves(params):  # a placeholder of optax has none
            require_matching_tree("cell_sizes", cell_sizes, params)
            _learners(params)
        for path, sizes in tree_leaves_with_path(cell_sizes):
            count = jnp.asarray(sizes)
            full = jnp.all((count > 0) & (count < math.inf))
            if is_concrete(full) and not bool(full):
                raise ValueError(
                    f"cell_sizes{keystr(path)} must be positive and finite; a cell is empty, or "
                    "its size is no number."
                )
        if concrete_number("temperature", temperature) != 0:
            warn_of_lost_noise(params)
        return fresh()

    def update_fn(
        updates: optax.Updates,
        state: BoostingState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, BoostingState]:
        del extra_args
        params = require_gradients("stochastic_gradient_boosting", updates, params)
        require_own_state(state, jax.eval_shape(fresh))
        eta = jnp.asarray(learning_rate(state.steps) if callable(learning_rate) else learning_rate)
        choice, noise = jax.random.split(jax.random.fold_in(state.key, state.steps))
        counts = _learners(params)
        drawn = jax.random.randint(choice, (), 0, sum(counts))

        def step(place: int, grad: jax.Array, sizes: Any, theta: jax.Array) -> jax.Array:
            dtype = grad.dtype
            xi = jax.random.normal(jax.random.fold_in(noise, place), grad.shape, dtype)
            n, rate = jnp.asarray(sizes).astype(dtype), eta.astype(dtype)
            heat = jnp.sqrt(2 * rate * jnp.asarray(temperature).astype(dtype) / n)
            is_drawn = jnp.arange(counts[place]) + sum(counts[:place]) == drawn
            is_drawn = is_drawn.reshape(-1, *[1] * (grad.ndim - 1))
            decay = rate * jnp.asarray(shrinkage).astype(dtype)
            return jnp.where(is_drawn, heat * xi - rate * grad / n, 0) - decay * theta

        leaves = zip(
            jax.tree.leaves(wide(updates, params)),
            jax.tree.leaves(cell_sizes),
            jax.tree.leaves(wide(params, params)),
            strict=True,
        )
        moved = [step(place, *leaf) for place, leaf in enumerate(leaves)]
        return (
            cast_like(jax.tree.unflatten(jax.tree.structure(params), moved), params),
            BoostingState(state.key, optax.safe_increment(state.steps)),
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _learners(params: optax.Params) -> list[int]:
    """How many weak learners each leaf holds."""
    for path, leaf in tree_leaves_with_path(params):
        if not jnp.shape(leaf):
            raise ValueError(
                f"params{keystr(path)} must have a leading axis that counts its weak learners."
            )
    counts = [jnp.shape(leaf)[0] for leaf in jax.tree.leaves(params)]
    if math.fsum(counts) < 1:
        raise ValueError("params must hold at least one weak learner.")
    return counts
