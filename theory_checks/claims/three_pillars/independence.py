"""Independent compressors: n workers that send one vector lose n times less than one alone."""

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, NaturalCompression, RandK, StochasticQuantization
from optzoo.problems import Constant, pytree_dataclass

from ...checks import SampledIdentity
from ...claim import Case, Claim, Control
from ...mutants.three_pillars import SharedKey
from ...simulation import Experiment, Process
from .paper import pillars_claim
from .process import AXIS

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


class Errors(NamedTuple):
    """E|(1/n) sum_i Q_i(a) - a|^2 of the compressor whose turn it was, over some draws."""

    mean: jax.Array


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class EqualVectors(Process):
    """Step k: the mean of the k-th compressor, where all workers have the same vector."""

    vector: jax.Array
    compressors: tuple[Compressor, ...] = field(metadata={"static": True})

    def init(self, key: jax.Array) -> Errors:
        return Errors(jnp.zeros(()))

    def step(self, carry: Errors, k: jax.Array, key: jax.Array) -> Errors:
        def error(compressor: Compressor, key: jax.Array) -> jax.Array:
            means = jax.vmap(lambda vector: compressor.mean(key, vector, AXIS), axis_name=AXIS)(
                jnp.broadcast_to(self.vector, (WORKERS, self.vector.size))
            )
            return jnp.sum((means[0] - self.vector) ** 2)

        def mean_error(compressor: Compressor) -> jax.Array:
            return jnp.mean(jax.vmap(partial(error, compressor))(jax.random.split(key, DRAWS)))

        turns = [partial(mean_error, compressor) for compressor in self.compressors]
        return Errors(jax.lax.switch(k, turns))

    def measure(self, carry: Errors) -> dict[str, jax.Array]:
        return {"error": carry.mean}


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
        name: str = "own-keys",
        compressors: tuple[Compressor, ...] = COMPRESSORS,
        workers: float = WORKERS,
    ) -> SampledIdentity:
        process = EqualVectors(jnp.asarray(VECTOR), compressors)
        turns = tuple(range(1, len(compressors) + 1))
        exact = single_variances(VECTOR) / workers
        return SampledIdentity(
            Experiment(f"pillars-equal-vectors-{name}", process, turns, lanes=32),
            left=lambda metrics: metrics["error"],
            right=lambda metrics: exact,
        )

    shared = tuple(SharedKey(compressor) for compressor in COMPRESSORS)
    omegas = {
        f"omega of {type(compressor).__name__}": Constant(
            compressor.omega(VECTOR.size), "exact", derivation="as stated by the compressor"
        )
        for compressor in COMPRESSORS
    }
    return Case(
        problem=f"one vector of {VECTOR.size} entries on {WORKERS} workers",
        constants=omegas,
        parameters={"draws a seed": DRAWS},
        check=check(),
        controls=(
            Control("one key for all workers", "each draws what worker 0 draws",
                    check("shared-key", shared)),
            Control("seven workers", "a false claim: a seventh of one worker's variance",
                    check(workers=WORKERS - 1)),
        ),
    )  # fmt: skip


CLAIMS: tuple[Claim, ...] = (
    pillars_claim(
        id="three_pillars/one-step/independence",
        title="Workers that compress one vector on their own lose n times less",
        source="lemma on the compressors, A = omega/n and B = 0; explicit form V3",
        theorem="V3",
        statement=(
            r"$$E\Bigl|\frac1n \sum_i Q_i(a) - a\Bigr|^2 = \frac1n E|Q(a) - a|^2$$ for independent "
            r"unbiased $Q_i$: natural compression, quantization, RandK"
        ),
        assumptions=("each worker's draws are its own",),
        kind="identity",
        metric=r"E|\frac1n \sum_i Q_i(a) - a|^2",
        unit="iteration",
        output="messages",
        x_label="compressor: natural, quantization, RandK",
        prepare=_case,
        not_shown="Correlations that do not show in the second moment of equal vectors.",
    ),
)
