"""The stationary Gauss-Markov chain: a continuous state space, and what mixing can mean there."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr, ndtri

from .._arguments import check_scalar, check_size, host, is_concrete
from ..constant import CertificateError, Constant
from ..pytree import pytree_dataclass

__all__ = ["GaussMarkov"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class GaussMarkov:
    r"""Z_{t+1} = a Z_t + sqrt(1 - a^2) xi_t in R^d, xi_t standard normal; stationary law N(0, I).

    The chain is reversible, its k-th autocorrelation is a^k and its spectral gap 1 - |a|. It is not
    uniformly ergodic: over all pairs of starting states Delta(Q^k) = 1 for every k (for a != 0),
    so that no tau with Delta(Q^tau) <= 1/4 exists and no theorem that assumes one applies as it
    stands. What is exact, and what `mixing_time` gives, is the time after which any two starts in
    the ball |z| <= r cannot be told apart,

        tau_r = min{k >= 1 : sup_{|z|,|z'| <= r} TV(Q^k(z), Q^k(z')) <= 1/4},

    where the supremum is 2 Phi(|a|^k r / sqrt(1 - a^{2k})) - 1, attained at antipodes. It grows
    like log r / log(1/|a|).

    Args:
        coefficient: a, -1 < a < 1; may be traced.
        dim: d >= 1; static.

    Raises:
        ValueError: if `coefficient` lies outside (-1, 1) or `dim` is not positive.

    Example:
        >>> chain = GaussMarkov(0.5, dim=2)
        >>> chain.mixing_time(radius=1.0), chain.mixing_time(radius=10.0)
        (2, 5)
        >>> import jax
        >>> chain.path(jax.random.key(0), 7).shape
        (7, 2)

    References:
        arXiv 2305.15938 (the setting that asks for a uniform mixing time).
    """

    coefficient: jax.Array | float
    dim: int = dataclasses.field(default=1, metadata={"static": True})

    def __post_init__(self) -> None:
        if is_concrete(self.coefficient) and not np.all(np.abs(host(self.coefficient)) < 1):
            raise ValueError(f"coefficient must lie in (-1, 1), got {self.coefficient!r}")
        check_size("dim", self.dim)

    def stationary_state(self, key: jax.Array) -> jax.Array:
        """A state drawn from N(0, I).

        Args:
            key: a random key.

        Returns:
            Shape (d,), the default float dtype.

        Example:
            >>> import jax
            >>> GaussMarkov(0.9, dim=3).stationary_state(jax.random.key(0)).shape
            (3,)
        """
        return jax.random.normal(key, (self.dim,))

    def step(self, key: jax.Array, state: jax.Array) -> jax.Array:
        """The state after one transition, for `lax.scan`, `jit` and `vmap`.

        Args:
            key: a random key.
            state: shape (d,).

        Returns:
            Shape (d,).

        Example:
            >>> import jax, jax.numpy as jnp
            >>> GaussMarkov(0.9, dim=3).step(jax.random.key(0), jnp.zeros(3)).shape
            (3,)
        """
        return self.coefficient * state + self._spread() * jax.random.normal(key, (self.dim,))

    def step_and_sample(self, key: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One transition in the form (key, chain state) -> (chain state, sample).

        Args:
            key: a random key.
            state: shape (d,).

        Returns:
            The new state, twice: the sample is the state itself.

        Example:
            >>> import jax, jax.numpy as jnp
            >>> state, sample = GaussMarkov(0.9).step_and_sample(jax.random.key(0), jnp.zeros(1))
            >>> bool(state == sample)
            True
        """
        state = self.step(key, state)
        return state, state

    def path(self, key: jax.Array, length: int, initial: jax.Array | None = None) -> jax.Array:
        """The states Z_1, ..., Z_length of one trajectory.

        Args:
            key: a random key.
            length: number of transitions, at least 1; static.
            initial: Z_0, shape (d,); None draws it from the stationary law.

        Returns:
            Shape (length, d).

        Raises:
            ValueError: if `length` is not positive or `initial` has the wrong shape.

        Example:
            >>> import jax
            >>> GaussMarkov(0.9).path(jax.random.key(0), 4).shape
            (4, 1)
        """
        check_size("length", length)
        start_key, path_key = jax.random.split(key)
        start = self.stationary_state(start_key) if initial is None else jnp.asarray(initial)
        if start.shape != (self.dim,):
            raise ValueError(f"initial must have shape ({self.dim},), got {start.shape}")
        noise = self._spread() * jax.random.normal(path_key, (length, self.dim))

        def advance(state: jax.Array, kick: jax.Array) -> tuple[jax.Array, jax.Array]:
            state = self.coefficient * state + kick
            return state, state

        return jax.lax.scan(advance, start.astype(noise.dtype), noise, unroll=8)[1]

    def mixing_time(self, radius: float) -> int:
        """tau_r: the first k at which two starts within the ball have TV distance at most 1/4.

        Args:
            radius: r > 0.

        Returns:
            An integer, at least 1.

        Raises:
            ValueError: if `radius` is not positive and finite.

        Example:
            >>> GaussMarkov(0.99).mixing_time(radius=3.0)
            224
        """
        check_scalar("radius", radius, positive=True)
        a = abs(float(host(self.coefficient)))
        if a == 0.0:
            return 1
        # 2 Phi(s) - 1 <= 1/4 iff s <= s*, and s = r / sqrt(a^(-2k) - 1) falls with k.
        threshold = float(ndtri(0.625))
        tau = max(1, int(np.ceil(np.log1p((radius / threshold) ** 2) / (-2.0 * np.log(a)))))
        while tau > 1 and self.total_variation(tau - 1, radius) <= 0.25:
            tau -= 1
        while self.total_variation(tau, radius) > 0.25:
            tau += 1
        return tau

    def total_variation(self, steps: int, radius: float) -> float:
        """Sup of TV(Q^k(z), Q^k(z')) over |z|, |z'| <= r, in [0, 1].

        Args:
            steps: k >= 1.
            radius: r > 0.

        Returns:
            2 Phi(|a|^k r / sqrt(1 - a^{2k})) - 1.

        Raises:
            ValueError: if `steps` or `radius` is not positive.

        Example:
            >>> round(GaussMarkov(0.5).total_variation(1, 1.0), 6)
            0.436297
        """
        check_size("steps", steps)
        check_scalar("radius", radius, positive=True)
        memory = abs(float(host(self.coefficient))) ** steps
        return float(2.0 * ndtr(memory * radius / np.sqrt(1.0 - memory**2)) - 1.0)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        """The "gap", 1 - |a|; there is no "tau", see above."""
        return {
            "gap": Constant(
                1.0 - abs(float(host(self.coefficient))),
                "exact",
                derivation="1 - |a|: the Hermite polynomials are eigenfunctions, values a^k",
            )
        }

    def certify(self) -> None:
        """Re-derive the gap and the mixing times by quadrature.

        The gap from the correlation of (Z_0, Z_1) by Gauss-Hermite quadrature; the total variation
        by integrating the difference of the two densities, at tau_r and one step before.

        Raises:
            CertificateError: if a stated number disagrees.

        Example:
            >>> GaussMarkov(0.9).certify()
        """
        a = float(host(self.coefficient))
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        weights = weights / weights.sum()
        moved = a * nodes[:, None] + np.sqrt(1.0 - a * a) * nodes
        correlation = float(np.einsum("i,j,i,ij->", weights, weights, nodes, moved))
        stated = self.constants["gap"].value
        if abs(stated - (1.0 - abs(correlation))) > 1e-10:
            raise CertificateError(
                f"GaussMarkov: the gap is stated as {stated!r} and re-derived as"
                f" {1.0 - abs(correlation)!r}"
            )
        for radius in (0.5, 3.0):
            tau = self.mixing_time(radius)
            after = _integrated_variation(a, tau, radius)
            before = _integrated_variation(a, tau - 1, radius) if tau > 1 else 1.0
            if not (after <= 0.25 + 1e-6 and before > 0.25 - 1e-6):
                raise CertificateError(
                    f"GaussMarkov: tau is stated as {tau} for radius {radius}, but the total"
                    f" variation is re-derived as {before!r} a step before and {after!r} there"
                )

    def _spread(self) -> jax.Array:
        return jnp.sqrt(1.0 - jnp.square(jnp.asarray(self.coefficient, dtype=float)))


def _integrated_variation(coefficient: float, steps: int, radius: float) -> float:
    mean = coefficient**steps * radius
    scale = np.sqrt(1.0 - coefficient ** (2 * steps))
    reach = abs(mean) + 12.0 * scale
    # An even number of points: the densities cross at 0, on a cell's edge.
    edges = np.linspace(-reach, reach, 20_001)
    grid = (edges[1:] + edges[:-1]) / 2
    density = [np.exp(-(((grid - m) / scale) ** 2) / 2) for m in (mean, -mean)]
    cell = edges[1] - edges[0]
    return float(np.abs(density[0] - density[1]).sum() * cell / (2 * scale * np.sqrt(2 * np.pi)))
