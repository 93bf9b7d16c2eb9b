# SPDX-License-Identifier: Apache-2.0
"""Temporal-difference learning with linear features as a strongly monotone operator."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as HostArrayLike

from .._arguments import (
    check_point,
    check_scalar,
    check_size,
    check_state,
    host,
    is_concrete,
    probabilities,
)
from ..constant import Constant
from ..pytree import pytree_dataclass
from .markov_chain import MarkovChain
from .markovian_noise import MarkovianOperator, noise_around, smallest_delta, smallest_sigma

__all__ = ["TemporalDifference", "river_swim_evaluation", "temporal_difference"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class TemporalDifference(MarkovianOperator):
    r"""TD(0) for V(s) = phi(s)'x along the transitions (s, a, s') of one policy.

    F(x, (s, a, s')) = phi(s) (phi(s)'x - g phi(s')'x - r(s, a)). The chain lives on the transitions
    that are possible; its stationary law is d(s) policy(a|s) P(s'|s, a). With features of full
    column rank F is strongly monotone, mu >= (1 - g) min eig Phi'diag(d)Phi, and its zero x* is the
    TD fixed point; with one feature a state, V = Phi x* is the exact value function.

    Delta = headroom max_z |A_z - A|, and sigma is the smallest number for it, exactly; a headroom
    of 1 is the smallest Delta, for which sigma may not exist.

    Build it with `temporal_difference`, which makes the chain.

    Args:
        chain: the chain of the transitions, K states.
        features: phi(s), shape (S, d).
        origins: s of each transition, int, shape (K,).
        actions: a of each transition, int, shape (K,); of no effect beyond the reward.
        successors: s' of each transition, int, shape (K,).
        rewards: r(s, a) of each transition, shape (K,).
        discount: g in [0, 1); static.
        headroom: at least 1; static.

    Raises:
        ValueError: if a number is out of range or F is not strongly monotone.

    Example:
        >>> from optzoo.problems import river_swim_evaluation
        >>> problem = river_swim_evaluation()
        >>> problem.chain.num_states, problem.dim
        (22, 2)
        >>> problem.constants["mu"].value > 0
        True

    References:
        Sutton, Machine Learning 3 (1988); Tsitsiklis, Van Roy, IEEE TAC 42 (1997);
        Bhandari, Russo, Singal, arXiv 1806.02450 (with Markovian samples).
    """

    chain: MarkovChain
    features: jax.Array
    origins: jax.Array
    actions: jax.Array
    successors: jax.Array
    rewards: jax.Array
    discount: float = dataclasses.field(default=0.9, metadata={"static": True})
    headroom: float = dataclasses.field(default=2**0.5, metadata={"static": True})

    def __post_init__(self) -> None:
        _check_discount(self.discount)
        check_scalar("headroom", self.headroom, at_least=1.0)
        if is_concrete(self.features) and not self.constants["mu"].value > 0:
            raise ValueError(
                "features must have full column rank on the states that the policy visits: the"
                " operator is not strongly monotone"
            )

    @property
    def dim(self) -> int:
        return self.features.shape[-1]

    @functools.cached_property
    def _forms(self) -> tuple[np.ndarray, np.ndarray]:
        """A_z and b_z."""
        features = host(self.features)
        here = features[np.asarray(self.origins)]
        there = features[np.asarray(self.successors)]
        matrices = here[:, :, None] * (here - self.discount * there)[:, None, :]
        return matrices, here * host(self.rewards)[:, None]

    @functools.cached_property
    def _mean_form(self) -> tuple[np.ndarray, np.ndarray]:
        matrices, offsets = self._forms
        law = host(self.chain.stationary)
        return np.tensordot(law, matrices, 1), law @ offsets

    @functools.cached_property
    def _solution(self) -> np.ndarray:
        return np.linalg.solve(*self._mean_form)

    @property
    def solution(self) -> np.ndarray:
        return self._solution

    def state_values(self, x: jax.Array) -> jax.Array:
        """V(s) = phi(s)'x for every state s.

        Args:
            x: shape (d,).

        Returns:
            Shape (S,).

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.problems import river_swim_evaluation
            >>> river_swim_evaluation().state_values(jnp.array([1.0, 0.0])).tolist()
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        """
        return self.features @ check_point(x, self.dim)

    def operator(self, x: jax.Array) -> jax.Array:
        states = jnp.arange(self.chain.num_states)
        rows = jax.vmap(self.sample_operator, (None, 0))(x, states)
        return jnp.asarray(self.chain.stationary, dtype=rows.dtype) @ rows

    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        x, state = check_point(x, self.dim), check_state("state", state, self.chain.num_states)
        here = self.features[self.origins[state]]
        there = self.features[self.successors[state]]
        error = jnp.vdot(here, x) - self.discount * jnp.vdot(there, x) - self.rewards[state]
        return error * here

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        jacobian, _ = self._mean_form
        modulus = float(np.linalg.eigvalsh((jacobian + jacobian.T) / 2)[0])
        # The constructor refuses what is not monotone; a negative modulus is for its eyes only.
        if modulus <= 1e-12 * np.linalg.norm(jacobian, 2):
            return {"mu": Constant(0.0, "exact", derivation="not strongly monotone")}
        slopes, values = noise_around(*self._forms, host(self.chain.stationary), self.solution)
        least = smallest_delta(slopes, np.eye(self.dim))
        delta = self.headroom * least
        sigma = smallest_sigma(slopes, values, np.eye(self.dim), delta)
        return {
            "L": Constant(
                float(np.linalg.norm(jacobian, 2)), "exact", derivation="largest singular value"
            ),
            "mu": Constant(
                modulus, "exact", derivation="smallest eigenvalue of the symmetric part"
            ),
            "sigma": Constant(sigma, "exact", derivation="the smallest for this Delta"),
            "Delta": Constant(
                delta,
                "exact" if self.headroom == 1 else "certified",
                delta - least,
                derivation=f"{self.headroom:g} max_z |A_z - A|",
            ),
            "tau": self.chain.constants["tau"],
        }


def temporal_difference(
    transitions: HostArrayLike,
    rewards: HostArrayLike,
    policy: HostArrayLike,
    features: HostArrayLike,
    discount: float,
    *,
    headroom: float = 2**0.5,
) -> TemporalDifference:
    r"""TD(0) evaluation of a policy on a finite Markov decision process.

    Args:
        transitions: P(s'|s, a), shape (A, S, S), rows that sum to one.
        rewards: r(s, a), shape (S, A).
        policy: policy(a|s), shape (S, A), rows that sum to one.
        features: phi(s), shape (S, d), full column rank.
        discount: g in [0, 1).
        headroom: Delta over the smallest possible one, at least 1.

    Returns:
        The problem, whose chain has one state for every possible (s, a, s').

    Raises:
        ValueError: if a shape is wrong, a row is not a probability vector, the policy's chain is
            reducible or periodic, or the features have not full rank.

    Example:
        >>> import numpy as np
        >>> from optzoo.problems import temporal_difference
        >>> problem = temporal_difference(
        ...     np.full((1, 2, 2), 0.5), [[0.0], [1.0]], np.ones((2, 1)), np.eye(2), discount=0.5)
        >>> problem.solution.round(12).tolist()
        [0.5, 1.5]
    """
    dynamics, payoff, choice, phi = (host(a) for a in (transitions, rewards, policy, features))
    if dynamics.ndim != 3 or dynamics.shape[1] != dynamics.shape[2]:
        raise ValueError(f"transitions must have shape (A, S, S), got {dynamics.shape}")
    num_actions, num_states = dynamics.shape[:2]
    for name, array in (("rewards", payoff), ("policy", choice)):
        if array.shape != (num_states, num_actions):
            raise ValueError(
                f"{name} must have shape ({num_states}, {num_actions}), got {array.shape}"
            )
    if phi.ndim != 2 or len(phi) != num_states:
        raise ValueError(f"features must have shape ({num_states}, d), got {phi.shape}")
    dynamics = probabilities("transitions", transitions)
    choice = probabilities("policy", policy)
    joint = choice.T[:, :, None] * dynamics  # (A, S, S): P(a, s'|s)
    action, origin, successor = np.nonzero(joint)
    follows = successor[:, None] == origin[None, :]
    chain = MarkovChain(np.where(follows, joint[action, origin, successor], 0.0))
    return TemporalDifference(
        chain,
        jnp.asarray(phi),
        jnp.asarray(origin, dtype=jnp.int32),
        jnp.asarray(action, dtype=jnp.int32),
        jnp.asarray(successor, dtype=jnp.int32),
        jnp.asarray(payoff[origin, action]),
        float(discount),
        float(headroom),
    )


def river_swim_evaluation(
    num_states: int = 6, right_probability: float = 0.8, discount: float = 0.9
) -> TemporalDifference:
    r"""Values of a random swimmer on RiverSwim, a known small decision process, two features.

    States are places along a river. The action "left" always moves one place down; "right" moves up
    with probability 0.35, stays with 0.6 and is swept down with 0.05 (0.6 up at the lower end; 0.6
    stay, 0.4 down at the upper one). Rewards: 0.005 for "left" at the lower end, 1 for "right" at
    the upper one. The policy takes "right" with a fixed probability; the features are 1 and the
    place, scaled to [-1, 1].

    Args:
        num_states: S >= 3.
        right_probability: in (0, 1); near 1 the swimmer drifts up.
        discount: g in [0, 1).

    Returns:
        The problem, d = 2.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> from optzoo.problems import river_swim_evaluation
        >>> river_swim_evaluation(num_states=4).chain.num_states
        14

    References:
        Strehl, Littman, Journal of Computer and System Sciences 74 (2008).
    """
    check_size("num_states", num_states)
    if num_states < 3:
        raise ValueError(f"num_states must be at least 3, got {num_states}")
    if not 0.0 < float(right_probability) < 1.0:
        raise ValueError(
            f"right_probability must lie strictly between 0 and 1, got {right_probability!r}"
        )
    last = num_states - 1
    left, right = np.zeros((2, num_states, num_states))
    for place in range(num_states):
        left[place, max(place - 1, 0)] = 1.0
        if place == 0:
            right[0, [0, 1]] = 0.4, 0.6
        elif place == last:
            right[last, [last - 1, last]] = 0.4, 0.6
        else:
            right[place, place - 1 : place + 2] = 0.05, 0.6, 0.35
    rewards = np.zeros((num_states, 2))
    rewards[0, 0], rewards[last, 1] = 0.005, 1.0
    policy = np.broadcast_to([1.0 - right_probability, right_probability], (num_states, 2))
    features = np.column_stack([np.ones(num_states), np.linspace(-1.0, 1.0, num_states)])
    return temporal_difference(np.stack([left, right]), rewards, policy, features, discount)


def _check_discount(discount: float) -> None:
    if not 0.0 <= float(discount) < 1.0:
        raise ValueError(f"discount must be at least 0 and less than 1, got {discount!r}")
