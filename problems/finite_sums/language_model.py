# SPDX-License-Identifier: Apache-2.0
"""A small language model: a transformer that predicts the characters of Python's documentation.

For methods side by side: a loss that is not convex, in matrices of several shapes. It has no
constants, and no theorem is evaluated on it.
"""

from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._arguments import check_size

__all__ = ["CharacterModel", "python_documentation"]

Codes = NDArray[np.int32]
Params = dict[str, jax.Array]

HEAD = 32  # the width of a head of attention


@cache
def python_documentation() -> tuple[Codes, Codes, int]:
    """The text of `pydoc_data.topics`, which Python ships, as numbers.

    Returns:
        train: the characters by their places in the alphabet, int32, nine tenths of the text.
        held_out: the last tenth.
        characters: how many different ones there are.

    Example:
        >>> train, held_out, characters = python_documentation()
        >>> len(train) > 300_000, len(held_out) > 30_000, 60 < characters < 200
        (True, True, True)
    """
    text = "\n".join(topics[name] for name in sorted(topics))
    alphabet, numbers = np.unique(list(text), return_inverse=True)
    cut = len(text) * 9 // 10
    codes = numbers.astype(np.int32)
    return codes[:cut], codes[cut:], len(alphabet)


@dataclass(frozen=True, kw_only=True)
class CharacterModel:
    r"""A causal transformer without biases, whose parameters are matrices.

    .. math:: f(\theta) = -\frac{1}{l} \sum_{t=1}^l \log p_\theta(c_{t+1} \mid c_1, \dots, c_t)

    Layers are attention with heads of width 32 and a perceptron with twice as many hidden units,
    each on activations scaled to root mean square 1 and added to the residual stream.

    Args:
        width: of the residual stream: at most 63, or a multiple of the number of heads.
        layers: number of them.
        length: l, characters that are predicted from those before them in a sequence.
        characters: how many different ones there are.

    Raises:
        ValueError: if a number is not positive, or the width cannot be split into heads.
        TypeError: if a number is no integer.

    Example:
        >>> model = CharacterModel(width=8, layers=1, length=4, characters=3)
        >>> params = model.init(jax.random.key(0))
        >>> params["output"].shape
        (8, 3)
        >>> 0.5 < float(model.loss(params, jnp.array([[0, 1, 2, 0, 1]]))) < 2.5  # log 3 = 1.1
        True
    """

    width: int
    layers: int
    length: int
    characters: int

    def __post_init__(self) -> None:
        for name in ("width", "layers", "length", "characters"):
            check_size(name, getattr(self, name))
        if self.width % self._heads:
            raise ValueError(
                f"width must be a multiple of its {self._heads} heads, got {self.width}"
            )

    @property
    def _heads(self) -> int:
        return max(self.width // HEAD, 1)

    def init(self, key: jax.Array) -> Params:
        """Weights before training.

        Args:
            key: of the random numbers.

        Returns:
            name -> matrix, float32.
        """
        d, characters = self.width, self.characters
        shapes = {"tokens": (characters, d), "positions": (self.length, d)}
        shapes["output"] = (d, characters)
        for layer in range(self.layers):
            shapes |= {f"{layer}.{name}": (d, d) for name in ("q", "k", "v", "o")}
            shapes |= {f"{layer}.up": (d, 2 * d), f"{layer}.down": (2 * d, d)}
        keys = jax.random.split(key, len(shapes))
        params = {}
        for one, (name, shape) in zip(keys, shapes.items(), strict=True):
            deviation = 0.02 if name in ("tokens", "positions") else shape[0] ** -0.5
            if name.endswith((".o", ".down")):
                deviation /= (2 * self.layers) ** 0.5
            params[name] = deviation * jax.random.normal(one, shape, jnp.float32)
        return params

    def loss(self, params: Params, text: jax.Array) -> jax.Array:
        """Mean negative log-likelihood of a character given those before it, in nats.

        Args:
            params: weights.
            text: numbers of characters, integers of shape (sequences, length + 1).

        Returns:
            A number.

        Raises:
            ValueError: if the sequences are of another length.
        """
        if text.shape[1:] != (self.length + 1,):
            raise ValueError(
                f"text must have shape (sequences, {self.length + 1}), got {text.shape}"
            )
        x = params["tokens"][text[:, :-1]] + params["positions"][None]
        allowed = jnp.tril(jnp.ones((self.length, self.length), bool))[None, None]

        def normed(x: jax.Array) -> jax.Array:
            return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)

        def split(x: jax.Array) -> jax.Array:
            return x.reshape(*x.shape[:2], self._heads, -1)

        for layer in range(self.layers):
            h = normed(x)
            q, k, v = (split(h @ params[f"{layer}.{name}"]) for name in ("q", "k", "v"))
            scores = jnp.einsum("bqhc,bkhc->bhqk", q, k) / q.shape[-1] ** 0.5
            weights = jax.nn.softmax(jnp.where(allowed, scores, -1e30), axis=-1)
            mixed = jnp.einsum("bhqk,bkhc->bqhc", weights, v).reshape(h.shape)
            x = x + mixed @ params[f"{layer}.o"]
            x = x + jax.nn.gelu(normed(x) @ params[f"{layer}.up"]) @ params[f"{layer}.down"]
        likelihood = jax.nn.log_softmax(normed(x) @ params["output"])
        return -jnp.mean(jnp.take_along_axis(likelihood, text[:, 1:, None], axis=-1))
