"""Least squares on a stream whose targets, and in bad cases whose designs, follow a chain."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_point, check_scalar, check_state, host
from ..constant import Constant
from ..pytree import pytree_dataclass
from .markov_chain import MarkovChain
from .markovian_noise import MarkovianObjective, noise_around, smallest_delta, smallest_sigma

__all__ = ["MarkovianLeastSquares"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MarkovianLeastSquares(MarkovianObjective):
    r"""f(x) = E_pi |A_Z x - y_Z|^2 / (2 n), of which the chain in state z shows (A_z, y_z).

    With one fixed design A the noise A'(y - y_z)/n does not depend on x: delta = 0 and
    sigma = max_z |A'(y_z - y)|/n, y the mean target. The design need not have full rank.

    A design that follows the chain breaks the noise assumption: at a distance from x* the noise
    grows like |x - x*| while |grad f| may grow only mu times as fast. Such a problem is refused,
    with the delta that it would need (often enormous), unless a larger one is passed.

    Args:
        chain: the chain of z.
        features: A, shape (n, d), or A_z, shape (K, n, d).
        targets: y_z, shape (K, n).
        delta: the factor of the gradient in the noise; 0 for a fixed design. sigma is the smallest
            for it.

    Raises:
        ValueError: if a shape is wrong, the features are all zero, or the noise assumption fails
            with this delta; the reason is given.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import MarkovianLeastSquares, two_state_switch
        >>> problem = MarkovianLeastSquares(
        ...     two_state_switch(0.1), jnp.eye(2), jnp.array([[1.0, 3.0], [3.0, 3.0]]))
        >>> problem.solution.tolist(), problem.constants["sigma"].value
        ([2.0, 3.0], 0.5)

    References:
        arXiv 2305.15938 (the assumption); arXiv 2408.01848 (regression on a ring).
    """

    chain: MarkovChain
    features: jax.Array
    targets: jax.Array
    delta: float = dataclasses.field(default=0.0, metadata={"static": True})

    def __post_init__(self) -> None:
        features, targets = host(self.features), host(self.targets)
        states = self.chain.num_states
        if features.ndim not in (2, 3) or (features.ndim == 3 and len(features) != states):
            raise ValueError(
                f"features must have shape (n, d) or ({states}, n, d), got {features.shape}"
            )
        if targets.shape != (states, features.shape[-2]):
            raise ValueError(
                f"targets must have shape {(states, features.shape[-2])}, got {targets.shape}"
            )
        if not (np.all(np.isfinite(features)) and np.all(np.isfinite(targets))):
            raise ValueError("features and targets must be finite")
        if not np.any(features):
            raise ValueError("features must not be all zero")
        check_scalar("delta", self.delta, at_least=0.0)
        object.__setattr__(self, "features", jnp.asarray(self.features, dtype=float))
        object.__setattr__(self, "targets", jnp.asarray(self.targets, dtype=float))
        if features.ndim == 3:
            try:
                self._sigma()
            except ValueError as reason:
                raise ValueError(f"features that follow the chain are refused: {reason}") from None

    @property
    def dim(self) -> int:
        return self.features.shape[-1]

    @functools.cached_property
    def _mean_form(self) -> tuple[np.ndarray, np.ndarray]:
        """H and b with grad f(x) = H x - b."""
        matrices, offsets = self._sample_forms()
        law = host(self.chain.stationary)
        return np.tensordot(law, matrices, 1), law @ offsets

    def _sample_forms(self) -> tuple[np.ndarray, np.ndarray]:
        features, targets = host(self.features), host(self.targets)
        states, n = targets.shape
        designs = np.broadcast_to(features, (states, *features.shape[-2:]))
        matrices = np.einsum("zni,znj->zij", designs, designs) / n
        return matrices, np.einsum("zni,zn->zi", designs, targets) / n

    def _sigma(self) -> float:
        hessian, linear = self._mean_form
        if self.features.ndim == 2:
            return float(np.linalg.norm(linear - self._sample_forms()[1], axis=1).max())
        return smallest_sigma(*self._noise(), hessian, self.delta)

    def _noise(self) -> tuple[np.ndarray, np.ndarray]:
        return noise_around(*self._sample_forms(), host(self.chain.stationary), self.solution)

    @functools.cached_property
    def _solution(self) -> np.ndarray:
        hessian, linear = self._mean_form
        return np.linalg.pinv(hessian, rcond=1e-10, hermitian=True) @ linear

    @property
    def solution(self) -> np.ndarray:
        return self._solution

    @property
    def optimum(self) -> float:
        features, targets = host(self.features), host(self.targets)
        residuals = features @ self.solution - targets
        return float(host(self.chain.stationary) @ (residuals**2).mean(axis=1) / 2)

    @property
    def strongly_convex(self) -> bool:
        spectrum = np.linalg.eigvalsh(self._mean_form[0])
        return bool(spectrum[0] > 1e-10 * spectrum[-1])

    def value(self, x: jax.Array) -> jax.Array:
        predictions = self.features @ check_point(x, self.dim)
        residuals = jnp.broadcast_to(predictions, self.targets.shape) - self.targets
        law = jnp.asarray(self.chain.stationary, dtype=residuals.dtype)
        return 0.5 * jnp.vdot(law, jnp.mean(residuals**2, axis=1))

    def operator(self, x: jax.Array) -> jax.Array:
        states = jnp.arange(self.chain.num_states)
        rows = jax.vmap(self.sample_operator, (None, 0))(x, states)
        return jnp.asarray(self.chain.stationary, dtype=rows.dtype) @ rows

    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        state = check_state("state", state, self.chain.num_states)
        design = self.features if self.features.ndim == 2 else self.features[state]
        residual = design @ check_point(x, self.dim) - self.targets[state]
        return design.T @ residual / design.shape[0]

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        spectrum = np.linalg.eigvalsh(self._mean_form[0])
        positive = spectrum[spectrum > 1e-10 * spectrum[-1]]
        fixed = self.features.ndim == 2
        least = 0.0 if fixed else smallest_delta(self._noise()[0], self._mean_form[0])
        room = self.delta - least
        if room <= 1e-12 * least:  # the least one, to the round-off of its derivation
            room = 0.0
        return {
            "L": Constant(float(spectrum[-1]), "exact", derivation="largest eigenvalue"),
            "mu": Constant(float(positive[0]), "exact", derivation="smallest eigenvalue > 0"),
            "sigma": Constant(
                self._sigma(),
                "exact",
                derivation="max_z |A'(y_z - y)|/n" if fixed else "the smallest for this delta",
            ),
            "delta": Constant(
                self.delta,
                "certified" if room else "exact",
                room,
                derivation="fixed design" if fixed else "as given; the width is the room above",
            ),
            "tau": self.chain.constants["tau"],
        }
