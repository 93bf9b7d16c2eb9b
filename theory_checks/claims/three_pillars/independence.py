# SPDX-License-Identifier: Apache-2.0
"""Independent compressors: n workers that send one vector lose n times less than one alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, NaturalCompression, RandK, StochasticQuantization
from optzoo.problems import Constant, pytree_dataclass
from optzoo.theorems.three_pillars import V3_INDEPENDENT

from ...checks import SampledIdentity
from ...claim import Case, Claim
from ...compressors import SharedKey
from ...controls import case, wrong
from ...setting import Stated
from ...simulation import Experiment, Process, Watch
from .processes import AXIS

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
WORKERS, DRAWS = 8, 64
# Far from the powers of two, and from the levels of its norm.
VECTOR = np.array([1.5, -0.7, 0.4, 3.1, -2.6, 0.09, 1.3, -0.36])
COMPRESSORS: tuple[Compressor, ...] = (
    NaturalCompression(WORKERS),
    StochasticQuantization(4, WORKERS),
    RandK(2, WORKERS),
)


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class EqualVectors(Process):
    """Step k: the mean of the k-th compressor, where all workers have the same vector.

    A position is E|(1/n) sum_i Q_i(a) - a|^2 of the compressor whose turn it was, over some draws.
    """

    vector: jax.Array
    compressors: tuple[Compressor, ...] = field(metadata={"static": True})

    watch: ClassVar[Mapping[str, Watch]] = {"error": lambda process, position: position}

    def init(self, key: jax.Array) -> jax.Array:
        return jnp.zeros(())

    def step(self, position: jax.Array, k: jax.Array, key: jax.Array) -> jax.Array:
        def error(compressor: Compressor, key: jax.Array) -> jax.Array:
            means = jax.vmap(lambda vector: compressor.mean(key, vector, AXIS), axis_name=AXIS)(
                jnp.broadcast_to(self.vector, (WORKERS, self.vector.size))
            )
            return jnp.sum((means[0] - self.vector) ** 2)

        def mean_error(compressor: Compressor) -> jax.Array:
            return jnp.mean(jax.vmap(partial(error, compressor))(jax.random.split(key, DRAWS)))

        turns = [partial(mean_error, compressor) for compressor in self.compressors]
        error_of_turn: jax.Array = jax.lax.switch(k, turns)
        return error_of_turn


def single_variances(vector: Array) -> Array:
    """E|Q(a) - a|^2 of each compressor, in closed form."""
    size, norm = np.abs(vector), float(np.linalg.norm(vector))
    low = 2.0 ** np.floor(np.log2(size))
    natural = np.sum((2 * low - size) * (size - low))
    fraction = 4 * size / norm % 1
    quantized = (norm / 4) ** 2 * np.sum(fraction * (1 - fraction))
    return np.array([natural, quantized, (vector.size / 2 - 1) * norm**2])


def _case() -> Case:
    def check(
        compressors: tuple[Compressor, ...] = COMPRESSORS, workers: float = WORKERS
    ) -> SampledIdentity:
        process = EqualVectors(jnp.asarray(VECTOR), compressors)
        turns = tuple(range(1, len(compressors) + 1))
        exact = single_variances(VECTOR) / workers
        return SampledIdentity(
            Experiment("pillars-equal-vectors-own-keys", process, turns, lanes=32),
            left=lambda metrics: metrics["error"],
            right=lambda metrics: exact,
        )

    omegas = {
        f"omega of {type(compressor).__name__}": Constant(
            compressor.omega(VECTOR.size), "exact", derivation="as stated by the compressor"
        )
        for compressor in COMPRESSORS
    }
    words = f"one vector of {VECTOR.size} entries on {WORKERS} workers"
    return case(
        Stated(words, omegas, {"draws a seed": DRAWS}),
        check,
        wrong(
            "one key for all workers",
            "each draws what worker 0 draws",
            compressors=tuple(map(SharedKey, COMPRESSORS)),
        ),
        wrong(
            "seven workers",
            "a false claim: a seventh of one worker's variance",
            workers=WORKERS - 1,
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/independence",
        title="Workers that compress one vector on their own lose n times less",
        theorem=V3_INDEPENDENT,
        prepare=_case,
        x_label="compressor: natural, quantization, RandK",
    ),
)
