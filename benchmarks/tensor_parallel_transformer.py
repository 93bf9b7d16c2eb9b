"""A small transformer in flax, and how its matrices are split over devices."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import PartitionSpec as P

__all__ = ["HEADS", "Transformer", "split_of"]

HEADS = 4

# Tensor parallelism: the first of two matrices is split by columns, so that every device has its
# own heads or hidden units, and the second by rows, so that the sum over devices is its product.
SPLIT = dict.fromkeys(("query", "key", "value", "up"), P(None, "model"))
SPLIT |= dict.fromkeys(("mixed", "down"), P("model", None))


class Layer(nnx.Module):
    """Attention, then a perceptron, each added to the residual stream."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        def linear(inputs: int, outputs: int) -> nnx.Linear:
            return nnx.Linear(inputs, outputs, use_bias=False, rngs=rngs)

        self.before_attention = nnx.RMSNorm(width, rngs=rngs)
        self.before_perceptron = nnx.RMSNorm(width, rngs=rngs)
        self.query, self.key, self.value, self.mixed = (linear(width, width) for _ in range(4))
        self.up, self.down = linear(width, 4 * width), linear(4 * width, width)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.before_attention(x)
        parts = (self.query(y), self.key(y), self.value(y))
        heads = [part.reshape(*y.shape[:2], HEADS, -1) for part in parts]
        x = x + self.mixed(jax.nn.dot_product_attention(*heads, is_causal=True).reshape(y.shape))
        return x + self.down(nnx.gelu(self.up(self.before_perceptron(x))))


class Transformer(nnx.Module):
    """Characters of a text -> logits of the character after each."""

    def __init__(
        self, characters: int, length: int, width: int, layers: int, rngs: nnx.Rngs
    ) -> None:
        self.embedding = nnx.Embed(characters, width, rngs=rngs)
        self.position = nnx.Embed(length, width, rngs=rngs)
        self.layers = nnx.List([Layer(width, rngs) for _ in range(layers)])
        self.norm = nnx.RMSNorm(width, rngs=rngs)
        self.output = nnx.Linear(width, characters, use_bias=False, rngs=rngs)

    def __call__(self, codes: jax.Array) -> jax.Array:
        x = self.embedding(codes) + self.position(jnp.arange(codes.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x))


def split_of(path: Sequence[Any]) -> P:
    """How a parameter is split, from the names on the way to it."""
    names = [str(getattr(key, "key", key)) for key in path]
    return next((SPLIT[name] for name in names if name in SPLIT), P())
