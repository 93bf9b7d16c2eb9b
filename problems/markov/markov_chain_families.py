# SPDX-License-Identifier: Apache-2.0
"""The chains of the literature: switches, resampling, rings, walks on graphs, Metropolis."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._arguments import check_scalar, check_size, host, probabilities, symmetric
from .markov_chain import MarkovChain

__all__ = [
    "lazy_resample",
    "metropolis_chain",
    "one_way_lazy_ring",
    "random_walk",
    "symmetric_lazy_ring",
    "two_state_switch",
]


def two_state_switch(switch_probability: float) -> MarkovChain:
    r"""Two states; switch with probability q. Delta(Q^k) = |1 - 2q|^k.

    Hence tau = ceil(ln 4 / -ln|1 - 2q|): 14, 138, 1386 for q = 0.05, 0.005, 0.0005.

    Args:
        switch_probability: q in (0, 1).

    Returns:
        The chain; its stationary law is uniform, and it is reversible.

    Raises:
        ValueError: if q lies outside (0, 1).

    Example:
        >>> [two_state_switch(q).mixing_time for q in (0.05, 0.005, 0.0005)]
        [14, 138, 1386]
    """
    q = _probability("switch_probability", switch_probability)
    return MarkovChain(np.array([[1.0 - q, q], [q, 1.0 - q]]))


def lazy_resample(law: ArrayLike, resample_probability: float) -> MarkovChain:
    r"""Keep the state with probability 1 - q, else draw a new one from the law. Delta = (1-q)^k.

    Args:
        law: the stationary law, positive, shape (K,) with K >= 2.
        resample_probability: q in (0, 1]; 1 gives independent samples.

    Returns:
        The chain, reversible. q = 1 - 4^(-1/tau) makes its mixing time exactly tau.

    Raises:
        ValueError: if `law` is not a positive probability vector, or q lies outside (0, 1].

    Example:
        >>> lazy_resample([0.25, 0.75], 1 - 4 ** (-1 / 20)).mixing_time
        20

    References:
        Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, arXiv 2305.15938.
    """
    weights = _law("law", law)
    check_scalar("resample_probability", resample_probability, positive=True, at_most=1.0)
    q = float(resample_probability)
    return MarkovChain((1.0 - q) * np.eye(len(weights)) + q * weights)


def symmetric_lazy_ring(num_states: int, move_probability: float = 0.5) -> MarkovChain:
    """K states on a circle; move with probability p, to either neighbour alike, else stay.

    Args:
        num_states: K >= 3.
        move_probability: p in (0, 1).

    Returns:
        The chain; its stationary law is uniform, and it is reversible.

    Raises:
        ValueError: if `num_states` < 3 or p lies outside (0, 1).

    Example:
        >>> symmetric_lazy_ring(10).mixing_time, symmetric_lazy_ring(30).mixing_time
        (17, 149)
    """
    forward, identity, p = _ring(num_states, move_probability)
    return MarkovChain((1.0 - p) * identity + p / 2 * (forward + forward.T))


def one_way_lazy_ring(num_states: int, move_probability: float = 0.5) -> MarkovChain:
    """K states on a circle; move to the next one with probability p, else stay.

    Args:
        num_states: K >= 3.
        move_probability: p in (0, 1).

    Returns:
        The chain; its stationary law is uniform, and it is not reversible.

    Raises:
        ValueError: if `num_states` < 3 or p lies outside (0, 1).

    Example:
        >>> chain = one_way_lazy_ring(10)
        >>> chain.mixing_time, chain.reversible
        (33, False)

    References:
        Dorfman, Levy, arXiv 2202.04428.
    """
    forward, identity, p = _ring(num_states, move_probability)
    return MarkovChain((1.0 - p) * identity + p * forward)


def random_walk(adjacency: ArrayLike, laziness: float) -> MarkovChain:
    """Walk on an undirected graph: stay with probability l, else go along an edge by its weight.

    Args:
        adjacency: symmetric weights >= 0, shape (K, K), of a connected graph.
        laziness: l in [0, 1); positive unless the graph has an odd cycle.

    Returns:
        The chain, reversible, with stationary law proportional to the row sums.

    Raises:
        ValueError: if `adjacency` is not a symmetric matrix of weights in which every row has a
            positive entry, if the graph is not connected, or if the walk alternates between two
            halves of it.

    Example:
        >>> path_of_three = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
        >>> random_walk(path_of_three, laziness=0.5).stationary.tolist()
        [0.25, 0.5, 0.25]
    """
    weights = host(adjacency)
    if not 0.0 <= float(laziness) < 1.0:
        raise ValueError(f"laziness must be at least 0 and less than 1, got {laziness!r}")
    if (
        weights.ndim != 2
        or weights.shape[0] != weights.shape[1]
        or not np.all(np.isfinite(weights) & (weights >= 0))
        or not np.all(weights.sum(axis=1) > 0)
    ):
        raise ValueError(
            "adjacency must be a symmetric matrix of finite weights >= 0 without a zero row, got"
            f" {adjacency!r}"
        )
    weights = symmetric("adjacency", adjacency)
    move = weights / weights.sum(axis=1, keepdims=True)
    return MarkovChain(laziness * np.eye(len(weights)) + (1.0 - laziness) * move)


def metropolis_chain(target: ArrayLike, proposal: ArrayLike) -> MarkovChain:
    r"""Metropolis-Hastings: propose j by P(i, j), accept with min(1, pi_j P_ji / (pi_i P_ij)).

    Args:
        target: pi up to a factor, positive, shape (K,).
        proposal: P, shape (K, K), rows that sum to one, P_ij > 0 wherever P_ji > 0.

    Returns:
        The chain, reversible, with stationary law proportional to the target.

    Raises:
        ValueError: if `target` is not positive, `proposal` has the wrong shape or is not a matrix
            of probabilities, or a proposed move has no way back.

    Example:
        >>> import numpy as np
        >>> chain = metropolis_chain([1.0, 2.0, 5.0], np.full((3, 3), 1 / 3))
        >>> chain.stationary.tolist(), chain.reversible
        ([0.125, 0.25, 0.625], True)

    References:
        Hastings, Biometrika 57 (1970).
    """
    weights = host(target)
    moves = host(proposal)
    if weights.ndim != 1 or not np.all(np.isfinite(weights) & (weights > 0)):
        raise ValueError(f"target must be a vector of positive weights, got {target!r}")
    if moves.shape != (len(weights), len(weights)):
        raise ValueError(
            f"proposal must have shape ({len(weights)}, {len(weights)}), got {moves.shape}"
        )
    moves = probabilities("proposal", proposal)
    if not np.array_equal(moves > 0, moves.T > 0):
        raise ValueError("proposal must allow the way back of every move: P_ij > 0 iff P_ji > 0")
    flow = weights[:, None] * moves
    # min(P_ij, pi_j P_ji / pi_i), without a division by an impossible move.
    matrix = np.minimum(flow, flow.T) / weights[:, None]
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return MarkovChain(np.maximum(matrix, 0.0))


def _probability(name: str, number: float) -> float:
    if not 0.0 < float(number) < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {number!r}")
    return float(number)


def _law(name: str, law: ArrayLike) -> np.ndarray:
    weights = host(law)
    if weights.ndim != 1 or len(weights) < 2 or not np.all(weights > 0):
        raise ValueError(
            f"{name} must be a positive probability vector of at least two entries, got {law!r}"
        )
    return probabilities(name, law)


def _ring(num_states: int, move_probability: float) -> tuple[np.ndarray, np.ndarray, float]:
    check_size("num_states", num_states)
    if num_states < 3:
        raise ValueError(f"num_states must be at least 3 for a ring, got {num_states}")
    identity = np.eye(num_states)
    return (
        np.roll(identity, 1, axis=1),
        identity,
        _probability("move_probability", move_probability),
    )
