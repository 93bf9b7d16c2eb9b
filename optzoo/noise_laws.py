# SPDX-License-Identifier: Apache-2.0
r"""Laws of noise with mean 0 and variance 1, for chains whose limit depends on two moments alone.

A chain with small steps forgets everything about its noise but the mean and the covariance. How
fast it forgets the rest depends on the law: a symmetric law without lattice is close to Gaussian
noise soon, a lattice or a skewness is visible for longer. The laws here are standardized,

    E eps = 0,   E eps^2 = 1,   coordinates independent,

and carry their further moments, and their atoms where there are finitely many, so that exact laws
of chains can be computed from them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from ._arguments import concrete_number, is_real

__all__ = [
    "NoiseLaw",
    "bernoulli_noise",
    "discrete_noise",
    "gaussian_noise",
    "rademacher_noise",
    "sampled_noise",
    "student_noise",
]

Sampler: TypeAlias = Callable[[jax.Array, tuple[int, ...], Any], jax.Array]


@dataclass(frozen=True)
class NoiseLaw:
    """A law with mean 0 and variance 1, made by the functions of this module.

    Attributes:
      name: how error messages and figures call it.
      draw: `(key, shape, dtype) -> array` of independent draws, float32 or float64.
      skewness: E eps^3; None where it is unknown or does not exist.
      kurtosis: E eps^4, at least 1, infinite for heavy tails; None where it is unknown.
      atoms: the values it takes, increasing; None if they are not finitely many.
      weights: their probabilities; None if there are no atoms.

    Example:
      >>> import jax, optzoo
      >>> law = optzoo.rademacher_noise()
      >>> law.atoms, law.weights, law.kurtosis
      ((-1.0, 1.0), (0.5, 0.5), 1.0)
      >>> law.draw(jax.random.key(0), (2, 3), "float32").shape
      (2, 3)
    """

    name: str
    draw: Sampler
    skewness: float | None = None
    kurtosis: float | None = None
    atoms: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None

    def __repr__(self) -> str:
        return self.name


def gaussian_noise() -> NoiseLaw:
    """Gaussian noise.

    Returns:
      The standard normal law.

    Example:
      >>> import optzoo
      >>> optzoo.gaussian_noise().kurtosis
      3.0
    """

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.normal(key, shape, dtype)

    return NoiseLaw("gaussian_noise()", draw, skewness=0.0, kurtosis=3.0)


def rademacher_noise() -> NoiseLaw:
    """Signs: -1 or 1, each with probability 1/2.

    The sum of k of them stays on a lattice of span 2, whatever k is.

    Returns:
      The law.

    Example:
      >>> import jax, optzoo
      >>> signs = optzoo.rademacher_noise().draw(jax.random.key(0), (100,), "float32")
      >>> sorted({float(sign) for sign in signs})
      [-1.0, 1.0]
    """

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.rademacher(key, shape, dtype)

    return NoiseLaw(
        "rademacher_noise()",
        draw,
        skewness=0.0,
        kurtosis=1.0,
        atoms=(-1.0, 1.0),
        weights=(0.5, 0.5),
    )


def bernoulli_noise(probability: float) -> NoiseLaw:
    r"""Skewed noise: a coin that falls on 1 with probability p, standardized.

    .. math::
      \varepsilon = \frac{B - p}{\sqrt{p (1 - p)}}, \qquad
      E \varepsilon^3 = \frac{1 - 2p}{\sqrt{p (1 - p)}}

    Args:
      probability: p, strictly between 0 and 1.

    Returns:
      The law, on the two atoms -sqrt(p / (1 - p)) and sqrt((1 - p) / p).

    Raises:
      TypeError: if the probability is not a number.
      ValueError: if it is not strictly between 0 and 1, where the variance would be 0.

    Example:
      >>> import optzoo
      >>> law = optzoo.bernoulli_noise(0.1)
      >>> [round(atom, 4) for atom in law.atoms], round(law.skewness, 4)
      ([-0.3333, 3.0], 2.6667)
    """
    p = _known("probability", probability)
    if not 0.0 < p < 1.0:
        raise ValueError(f"probability must lie strictly between 0 and 1, got {p}.")
    return _standardized(f"bernoulli_noise({p})", (0.0, 1.0), (1.0 - p, p))


def discrete_noise(atoms: Sequence[float], weights: Sequence[float]) -> NoiseLaw:
    r"""Any law on finitely many values, shifted and scaled to mean 0 and variance 1.

    .. math:: \varepsilon = (A - E A) / \sqrt{\mathrm{Var} A}

    Args:
      atoms: the values of A, finite and distinct, in any order.
      weights: their probabilities, positive; their sum is 1 to float32's round-off.

    Returns:
      The law of eps; its atoms are the standardized ones, increasing.

    Raises:
      ValueError: if there are not as many weights as atoms, fewer than two atoms (the variance
        would be 0), equal or infinite atoms, or weights that are no probabilities.

    Example:
      >>> import optzoo
      >>> law = optzoo.discrete_noise([0.0, 1.0, 2.0], [0.25, 0.5, 0.25])
      >>> [round(atom, 4) for atom in law.atoms], law.skewness
      ([-1.4142, 0.0, 1.4142], 0.0)
    """
    values = [_known("each of the atoms", atom) for atom in atoms]
    chances = [_known("each of the weights", weight) for weight in weights]
    if len(values) != len(chances):
        raise ValueError(
            f"weights must be as many as atoms, {len(values)}; there are {len(chances)}."
        )
    if len(set(values)) < 2 or len(set(values)) < len(values):
        raise ValueError(
            "atoms must be at least two distinct values, or there is no variance to "
            f"standardize; got {values}."
        )
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"atoms must be finite, or the noise has no two moments; got {values}.")
    total = math.fsum(chances)
    if not all(chance > 0.0 for chance in chances) or abs(total - 1.0) > 1e-6:
        raise ValueError(f"weights must be positive and have the sum 1, got {chances}.")
    chances = [chance / total for chance in chances]
    order = sorted(range(len(values)), key=values.__getitem__)
    return _standardized(
        f"discrete_noise({values}, {chances})",
        tuple(values[i] for i in order),
        tuple(chances[i] for i in order),
    )


def student_noise(degrees_of_freedom: float) -> NoiseLaw:
    r"""Student's t with nu > 2 degrees of freedom, scaled to variance 1.

    .. math:: \varepsilon = \sqrt{(\nu - 2) / \nu} \; t_\nu

    Its moments of order nu and above do not exist: the theorems ask for a fourth moment, that is
    nu > 4, while the limit of the chain needs two.

    Args:
      degrees_of_freedom: nu, above 2.

    Returns:
      The law; `kurtosis` is infinite for nu <= 4, `skewness` None for nu <= 3.

    Raises:
      TypeError: if nu is not a number.
      ValueError: if nu is at most 2, where the law has no two moments.

    Example:
      >>> import optzoo
      >>> optzoo.student_noise(6.0).kurtosis, optzoo.student_noise(3.0).kurtosis
      (6.0, inf)
    """
    nu = _known("degrees_of_freedom", degrees_of_freedom)
    if not 2.0 < nu < math.inf:
        raise ValueError(
            "degrees_of_freedom must be above 2 and finite: Student's law with at most 2 has no "
            f"two moments; got {nu}."
        )

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        scale = jnp.asarray(math.sqrt((nu - 2.0) / nu), dtype)
        return scale * jax.random.t(key, jnp.asarray(nu, dtype), shape, dtype)

    return NoiseLaw(
        f"student_noise({nu})",
        draw,
        skewness=0.0 if nu > 3.0 else None,
        kurtosis=3.0 + 6.0 / (nu - 4.0) if nu > 4.0 else math.inf,
    )


def sampled_noise(
    sample: Sampler,
    *,
    mean: float = 0.0,
    variance: float = 1.0,
    skewness: float | None = None,
    kurtosis: float | None = None,
) -> NoiseLaw:
    r"""A law of your own, known by its sampler and its first two moments.

    .. math:: \varepsilon = (A - \mathrm{mean}) / \sqrt{\mathrm{variance}}

    The moments are taken on your word. Entries drawn together may depend on one another (a point
    of a sphere, say) as long as they are uncorrelated: the limit needs E eps eps^T = I. A chain
    draws one array for each leaf of its parameters.

    Args:
      sample: `(key, shape, dtype) -> array` of that shape and dtype.
      mean: E A, finite.
      variance: Var A, positive and finite.
      skewness: E eps^3, if it is known.
      kurtosis: E eps^4, if it is known.

    Returns:
      The law of eps.

    Raises:
      TypeError: if `sample` is not a function or a moment is not a number.
      ValueError: if the mean or the variance is not finite (a law without two moments has no
        diffusion as its limit) or the variance is not positive.

    Example:
      >>> import jax, optzoo
      >>> law = optzoo.sampled_noise(jax.random.exponential, mean=1.0, variance=1.0)
      >>> bool(law.draw(jax.random.key(0), (1000,), "float32").min() > -1.0)
      True
    """
    if not callable(sample):
        raise TypeError(f"sample must be a function (key, shape, dtype) -> array, got {sample!r}.")
    shift, square = _known("mean", mean), _known("variance", variance)
    if not (math.isfinite(shift) and 0.0 < square < math.inf):
        raise ValueError(
            "mean must be finite and variance positive and finite, because noise without two "
            f"moments has no diffusion as its limit; got mean = {shift}, variance = {square}."
        )

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        drawn = sample(key, shape, dtype)
        if not hasattr(drawn, "dtype") or not is_real(drawn):
            raise TypeError(f"sample must return a real array, it returned {drawn!r}.")
        if drawn.shape != shape:
            raise ValueError(f"sample must return the shape {shape}, it returned {drawn.shape}.")
        centred = drawn.astype(dtype) - jnp.asarray(shift, dtype)
        return centred / jnp.asarray(math.sqrt(square), dtype)

    name = getattr(sample, "__name__", repr(sample))
    return NoiseLaw(f"sampled_noise({name})", draw, skewness=skewness, kurtosis=kurtosis)


def _standardized(name: str, values: tuple[float, ...], weights: tuple[float, ...]) -> NoiseLaw:
    def expectation(powers: list[float]) -> float:
        return math.fsum(w * v for w, v in zip(weights, powers, strict=True))

    mean = expectation(list(values))
    scale = math.sqrt(expectation([(v - mean) ** 2 for v in values]))
    atoms = tuple((v - mean) / scale for v in values)

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        chosen = jax.random.choice(key, len(atoms), shape, p=jnp.asarray(weights, dtype))
        return jnp.asarray(atoms, dtype)[chosen]

    return NoiseLaw(
        name,
        draw,
        skewness=expectation([a**3 for a in atoms]),
        kurtosis=expectation([a**4 for a in atoms]),
        atoms=atoms,
        weights=weights,
    )


def _known(name: str, value: Any) -> float:
    number = concrete_number(name, value)
    if number is None:
        raise TypeError(f"{name} must be a concrete number, because it fixes the law.")
    return number
