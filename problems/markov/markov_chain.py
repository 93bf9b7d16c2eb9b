# SPDX-License-Identifier: Apache-2.0
"""Finite Markov chains: their mixing time exactly, and fast simulation inside jit and vmap."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from .._arguments import check_size, check_state, host, probabilities
from ..constant import CertificateError, Constant
from ..pytree import pytree_dataclass

__all__ = ["MarkovChain", "contraction_coefficient"]

# Random bits of one draw: a threshold must be able to say 2^bits ("always"), in 32 bits.
_BITS = 31
_MIXED = 0.25
# Ties such as (1 - q)^tau = 1/4 are meant to be ties; round-off must not decide them.
_TIE = 1e-10
_SLOWEST = 2**40


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MarkovChain:
    r"""A Markov chain on 0, ..., K-1 with a given transition matrix, irreducible and aperiodic.

    Numbers of the chain, on the host in float64:

    - `stationary`: the law pi with pi Q = pi, by elimination without subtractions;
    - `mixing_time`: tau = min{k >= 1 : Delta(Q^k) <= 1/4}, Delta(Q) = max_{z,z'} TV(Q(z), Q(z')),
      by repeated squaring and bisection (Delta(Q^k) never increases in k); an excess over 1/4 of
      less than 1e-10 counts as a tie. From about 10^7 on the round-off of the powers hides the
      step in which 1/4 is passed: the constant is then an upper end with its width, no longer
      exact;
    - `constants`: "tau" (the same) and "gap" = 1 - max{|lambda| : lambda != 1 an eigenvalue};
    - `reversible`: whether pi_i Q_ij = pi_j Q_ji.

    A step draws 31 random bits and compares them with the cumulated row, so that the simulated
    probabilities are those of Q to 2^-31 in any dtype and impossible transitions stay impossible.
    The chain is a pytree: it can be an argument of jitted functions, and chains of equal size can
    be stacked for vmap.

    Args:
        transition: Q, shape (K, K), rows that sum to one.

    Raises:
        ValueError: if a row is not a probability vector to the round-off of float32 (it is then
            scaled to be one in float64), or no power of Q is positive.

    Example:
        >>> import jax
        >>> chain = MarkovChain([[0.9, 0.1], [0.3, 0.7]])
        >>> chain.stationary.round(12).tolist(), chain.mixing_time, chain.reversible
        ([0.75, 0.25], 3, True)
        >>> chain.path(jax.random.key(0), 5, initial=0).shape
        (5,)

    References:
        Grassmann, Taksar, Heyman, Operations Research 33 (1985) (the elimination);
        Dorfman, Levy, arXiv 2202.04428 (the mixing time in this form).
    """

    transition: np.ndarray
    stationary: np.ndarray = dataclasses.field(init=False)
    thresholds: jax.Array = dataclasses.field(init=False)  # (K, K-1), uint32, of the rows
    initial_thresholds: jax.Array = dataclasses.field(init=False)  # (K-1,), uint32, of pi

    def __post_init__(self) -> None:
        matrix = host(self.transition)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
            raise ValueError(f"transition must be a square matrix, got shape {matrix.shape}")
        matrix = probabilities("transition", self.transition)
        if not _has_positive_power(matrix):
            raise ValueError(
                "transition must be irreducible and aperiodic (some power of it positive): its"
                " chain does not forget where it started, so that no mixing time exists"
            )
        law = _stationary_by_elimination(matrix)
        object.__setattr__(self, "transition", matrix)
        object.__setattr__(self, "stationary", law)
        object.__setattr__(self, "thresholds", jnp.asarray(_thresholds(matrix)))
        object.__setattr__(self, "initial_thresholds", jnp.asarray(_thresholds(law)))

    @property
    def num_states(self) -> int:
        """The number K of states."""
        return self.transition.shape[-1]

    def stationary_state(self, key: jax.Array) -> jax.Array:
        """A state drawn from the stationary law.

        Args:
            key: a random key.

        Returns:
            An int32 scalar in [0, K).

        Example:
            >>> import jax
            >>> chain = MarkovChain([[0.5, 0.5], [0.5, 0.5]])
            >>> int(chain.stationary_state(jax.random.key(0))) in (0, 1)
            True
        """
        return _count_reached(self.initial_thresholds, _draw_bits(key, ()))

    def advance(self, bits: jax.Array, state: jax.Array) -> jax.Array:
        """The next state as a function of the random bits, for exact enumeration over them.

        Args:
            bits: uint32 scalar, uniform on [0, 2^31).
            state: integer scalar in [0, K); one that is known is checked.

        Returns:
            An int32 scalar in [0, K).

        Raises:
            TypeError: if `state` is no integer.
            ValueError: if `state` is known and no state of the chain.

        Example:
            >>> import jax.numpy as jnp
            >>> chain = MarkovChain([[0.5, 0.5], [0.5, 0.5]])
            >>> int(chain.advance(jnp.uint32(2**30 - 1), jnp.int32(1)))
            0
        """
        return _count_reached(self.thresholds[check_state("state", state, self.num_states)], bits)

    def step(self, key: jax.Array, state: jax.Array) -> jax.Array:
        """The state after one transition, for `lax.scan`, `jit` and `vmap`.

        Args:
            key: a random key.
            state: integer scalar in [0, K); one that is known is checked.

        Returns:
            An int32 scalar in [0, K).

        Raises:
            TypeError: if `state` is no integer.
            ValueError: if `state` is known and no state of the chain.

        Example:
            >>> import jax
            >>> chain = MarkovChain([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
            >>> int(chain.step(jax.random.key(0), 1)) in (0, 2)
            True
        """
        return self.advance(_draw_bits(key, ()), state)

    def step_and_sample(self, key: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One transition in the form (key, chain state) -> (chain state, sample).

        This is the `step_fn` that estimators over a trajectory ask for; here the sample is the
        state itself.

        Args:
            key: a random key.
            state: integer scalar in [0, K).

        Returns:
            The new state, twice.

        Example:
            >>> import jax
            >>> chain = MarkovChain([[0.5, 0.5], [0.5, 0.5]])
            >>> state, sample = chain.step_and_sample(jax.random.key(0), 1)
            >>> bool(state == sample)
            True
        """
        state = self.step(key, state)
        return state, state

    def path(
        self, key: jax.Array, length: int, initial: jax.Array | int | None = None
    ) -> jax.Array:
        """The states Z_1, ..., Z_length of one trajectory; all random bits are drawn at once.

        Args:
            key: a random key.
            length: number of transitions, at least 1; static.
            initial: Z_0, an integer in [0, K), which may be traced; None draws it from the
                stationary law.

        Returns:
            int32, shape (length,).

        Raises:
            ValueError: if `length` is not positive or `initial` is no state.

        Example:
            >>> import jax
            >>> chain = MarkovChain([[0.1, 0.9, 0.0], [0.0, 0.1, 0.9], [0.9, 0.0, 0.1]])
            >>> chain.path(jax.random.key(0), 100).shape
            (100,)
        """
        check_size("length", length)
        start_key, path_key = jax.random.split(key)
        if initial is None:
            start = self.stationary_state(start_key)
        else:
            start = check_state("initial", initial, self.num_states).astype(jnp.int32)

        def advance(state: jax.Array, bits: jax.Array) -> tuple[jax.Array, jax.Array]:
            state = self.advance(bits, state)
            return state, state

        return jax.lax.scan(advance, start, _draw_bits(path_key, (length,)), unroll=8)[1]

    def mixing_profile(self, length: int) -> np.ndarray:
        """Delta(Q^k) for k = 0, ..., length, each power from the one before.

        Args:
            length: the largest k, at least 1.

        Returns:
            float64, shape (length + 1,), never increasing.

        Raises:
            ValueError: if `length` is not positive.

        Example:
            >>> MarkovChain([[0.75, 0.25], [0.25, 0.75]]).mixing_profile(3).tolist()
            [1.0, 0.5, 0.25, 0.125]
        """
        check_size("length", length)
        matrix = host(self.transition)
        power, profile = np.eye(self.num_states), np.empty(length + 1)
        for k in range(length + 1):
            profile[k] = contraction_coefficient(power)
            power = power @ matrix
        return profile

    @property
    def mixing_time(self) -> int:
        """Tau = min{k >= 1 : Delta(Q^k) <= 1/4}; of a very slow chain the upper end for it."""
        return round(self.constants["tau"].value)

    @property
    def reversible(self) -> bool:
        """Whether detailed balance holds, to 1e-12 of the largest flow."""
        flow = host(self.stationary)[:, None] * host(self.transition)
        return bool(np.abs(flow - flow.T).max() <= 1e-12 * flow.max())

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        """The numbers "tau" and "gap", computed once on the host."""
        matrix, law = host(self.transition), host(self.stationary)
        root = np.sqrt(law)
        if self.reversible:
            symmetric = root[:, None] * matrix / root - np.outer(root, root)
            second = np.abs(np.linalg.eigvalsh((symmetric + symmetric.T) / 2)).max()
            derivation = "symmetric eigenvalues, detailed balance holds"
        else:
            second = np.abs(np.linalg.eigvals(matrix - law)).max()
            derivation = "eigenvalues of Q - 1 pi"
        gap = float(np.clip(1.0 - second, 0, 1))
        tau = _mixing_time(matrix)
        # The coefficient of a slow chain falls like 4^(-k / tau), and is known to its round-off.
        unsure = _round_off(len(matrix), tau) / (_MIXED * np.log(4) / tau)
        steps = float(np.ceil(unsure)) if unsure > 0.5 else 0.0
        return {
            "tau": Constant(
                tau + steps,
                "certified" if steps else "exact",
                2 * steps,
                derivation="min{k : Delta(Q^k) <= 1/4} by powers of Q"
                + ", to their round-off" * bool(steps),
            ),
            "gap": Constant(gap, "exact", derivation=derivation),
        }

    def certify(self) -> None:
        """Re-derive every number of the chain by an independent route.

        The stationary law by a linear solve; tau from Delta(Q^tau) and Delta(Q^(tau-1)) with
        Delta written by overlaps, 1 - sum_j min(P_ij, P_kj); the gap as the growth rate of the
        powers of Q - 1 pi; the simulated probabilities from the thresholds of the sampler.

        Raises:
            CertificateError: if a stated number disagrees; it names both.

        Example:
            >>> MarkovChain([[0.9, 0.1], [0.3, 0.7]]).certify()
        """
        matrix, size = host(self.transition), self.num_states
        system = np.vstack([matrix.T - np.eye(size), np.ones((1, size))])
        law = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
        # A slow chain's law is ill-conditioned for the solver, by the inverse of its gap.
        gap = self.constants["gap"].value
        slack = 1e-12 + 1e-14 * size / max(gap, 1e-12)
        _require_close("stationary law", host(self.stationary), law, slack)
        tau, width = self.mixing_time, round(self.constants["tau"].width)
        first, slack = max(tau - width, 1), _round_off(size, tau) if width else 0.0
        before, after = (_overlap_contraction(matrix, k) for k in (first - 1, tau))
        if after > _MIXED + 2 * _TIE + slack or (first > 1 and before <= _MIXED - slack):
            raise CertificateError(
                f"MarkovChain: tau is stated as {tau}{f' - {width}' * bool(width)}, but"
                f" Delta(Q^{first - 1}) = {before!r} and Delta(Q^{tau}) = {after!r} do not"
                " enclose 1/4"
            )
        rederived = 1.0 - _growth_rate(matrix - host(self.stationary))
        # Eigenvalues of a matrix that is not normal move by the root of the round-off.
        _require_close("gap", gap, rederived, 1e-9 if self.reversible else 1e-6)
        for name, thresholds, target in (
            ("simulated transition", self.thresholds, matrix),
            ("simulated initial law", self.initial_thresholds, host(self.stationary)),
        ):
            simulated = _simulated_law(np.asarray(thresholds))
            _require_close(name, simulated, target, 2.0**-_BITS)
            if np.any(simulated[target == 0.0] > 0.0):
                raise CertificateError(f"MarkovChain: the {name} allows what is impossible")


def contraction_coefficient(matrix: np.ndarray) -> float:
    """Dobrushin's coefficient Delta(Q) = max_{z,z'} TV(Q(z), Q(z')), TV in [0, 1].

    Args:
        matrix: rows that sum to one, shape (K, K).

    Returns:
        A number in [0, 1].

    Example:
        >>> import numpy as np
        >>> contraction_coefficient(np.array([[0.75, 0.25], [0.25, 0.75]]))
        0.5
    """
    return float(max(np.abs(matrix - row).sum(axis=1).max() for row in matrix) / 2)


def _mixing_time(matrix: np.ndarray) -> int:
    def mixed(power: np.ndarray) -> bool:
        return contraction_coefficient(power) <= _MIXED + _TIE

    powers = [matrix]
    while not mixed(powers[-1]):
        if 2 ** len(powers) > _SLOWEST:
            raise ValueError(f"the mixing time of transition exceeds {_SLOWEST}")
        powers.append(powers[-1] @ powers[-1])
    # `current` is the highest power known not to have mixed.
    tau, current = 0, np.eye(len(matrix))
    for exponent in reversed(range(len(powers) - 1)):
        trial = current @ powers[exponent]
        if not mixed(trial):
            tau, current = tau + 2**exponent, trial
    return tau + 1


def _round_off(num_states: int, exponent: int) -> float:
    """The round-off of Delta(Q^k): a product of matrices adds K units, a squaring doubles."""
    return float(num_states * exponent * np.finfo(float).eps)


def _has_positive_power(matrix: np.ndarray) -> bool:
    """Wielandt: if any power is positive, the power (K-1)^2 + 1 and all later ones are."""
    reach, power = (matrix > 0).astype(np.float32), 1
    while power < (len(matrix) - 1) ** 2 + 1:
        reach, power = (reach @ reach > 0).astype(np.float32), 2 * power
    return bool(reach.all())


def _stationary_by_elimination(matrix: np.ndarray) -> np.ndarray:
    work = matrix.copy()
    for k in reversed(range(1, len(work))):
        work[:k, k] /= work[k, :k].sum()
        work[:k, :k] += np.outer(work[:k, k], work[k, :k])
    law = np.ones(len(work))
    for k in range(1, len(work)):
        law[k] = law[:k] @ work[:k, k]
    return law / law.sum()


def _thresholds(law: np.ndarray) -> np.ndarray:
    cumulated = np.cumsum(law, axis=-1)
    cumulated /= cumulated[..., -1:]
    return np.rint(cumulated[..., :-1] * 2.0**_BITS).astype(np.uint32)


def _simulated_law(thresholds: np.ndarray) -> np.ndarray:
    edges = [(0, 0)] * (thresholds.ndim - 1) + [(1, 1)]
    padded = np.pad(thresholds.astype(np.float64), edges, constant_values=(0.0, 2.0**_BITS))
    return np.diff(padded, axis=-1) / 2.0**_BITS


def _draw_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.bits(key, shape, jnp.uint32) >> (32 - _BITS)


def _count_reached(thresholds: jax.Array, bits: jax.Array) -> jax.Array:
    return jnp.sum(bits >= thresholds, dtype=jnp.int32)


def _overlap_contraction(matrix: np.ndarray, exponent: int) -> float:
    power = np.linalg.matrix_power(matrix, exponent)
    return float(1.0 - min(np.minimum(power, row).sum(axis=1).min() for row in power))


def _growth_rate(matrix: np.ndarray) -> float:
    """Lim |R^k|^(1/k), along k = 2^j; the powers of a nilpotent matrix end in round-off."""
    log_norm = 0.0
    for doubling in range(60):
        norm = np.linalg.norm(matrix)
        if norm < 1e-14:
            return 0.0
        log_norm += np.log(norm) / 2.0**doubling
        matrix = matrix / norm
        matrix = matrix @ matrix
    return float(np.exp(log_norm))


def _require_close(name: str, stated: ArrayLike, derived: ArrayLike, tolerance: float) -> None:
    worst = np.abs(np.asarray(stated) - np.asarray(derived)).max()
    if not worst <= tolerance:
        raise CertificateError(
            f"MarkovChain: the {name} is stated as {stated!r} and re-derived as {derived!r}"
        )
