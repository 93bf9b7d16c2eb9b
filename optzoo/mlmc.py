# SPDX-License-Identifier: Apache-2.0
r"""The multilevel gradient estimator for samples of a Markov chain, at once or sample by sample.

Successive samples of a chain are correlated, so the mean of a short batch is biased given the
past. A batch of 2^m B samples has a bias 2^m times smaller and costs 2^m times as much; the
multilevel estimator has the same mean for about m B samples. With J geometric, P(J = j) = 2^-j,
drawn apart from the chain, and g_j the mean of the gradient over the first 2^j B samples of the
same trajectory,

    g = g_0 + 2^J (g_J - g_{J-1})   if J <= m,        g = g_0   otherwise.

The sum telescopes: E[g | past] = E[g_m | past]. A call takes 2^J B samples, and B when J > m: in
the mean (m + 2^-m) B.

Sample by sample this is a signed sum: in g_0 + 2^j (g_j - g_{j-1}) the samples 1, ..., B have the
weight 0, those up to 2^{j-1} B the weight -1/B, and those up to 2^j B the weight 1/B.

Differs from the paper:
 1. `mlmc_gradient` only advances the chain past samples of weight 0 and does not evaluate their
    gradients. They are counted as samples, as in the paper.
 2. The cut is given as m = floor(log2 M) instead of M.

References:
  Blanchet, Glynn, "Unbiased Monte Carlo for optimization and functions of expectations via
  multi-level randomization", WSC 2015.
  Dorfman, Levy, "Adapting to mixing time in stochastic optimization with Markovian data",
  ICML 2022, arXiv:2202.04428.
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._arguments import (
    require_batch,
    require_floating,
    require_function,
    require_integer,
    require_key,
    require_matching_tree,
)
from ._tree_vector import cast_like
from ._wide_arithmetic import wide_zeros

__all__ = [
    "MLMCGradient",
    "MLMCInfo",
    "MLMCStream",
    "MLMCStreamState",
    "MLMCTick",
    "SampleGradFn",
    "StepFn",
    "mlmc_gradient",
    "mlmc_stream",
]

PyTree: TypeAlias = Any


class SampleGradFn(Protocol):
    """Parameters and one sample -> its gradient (or operator value), a tree like the parameters."""

    def __call__(self, params: optax.Params, sample: PyTree, /) -> optax.Updates: ...


class StepFn(Protocol):
    """Key and state of the chain -> its next state, and the sample that is seen there."""

    def __call__(self, key: jax.Array, chain_state: PyTree, /) -> tuple[PyTree, PyTree]: ...


class MLMCInfo(NamedTuple):
    """What an estimate took."""

    samples: jax.Array  # samples of the chain that it has taken so far, int32
    level: jax.Array  # J, and 0 where J > max_level, int32


class MLMCGradient(Protocol):
    """Key, parameters, chain state -> gradient, chain state, info."""

    def __call__(
        self, key: jax.Array, params: optax.Params, chain_state: PyTree, /
    ) -> tuple[optax.Updates, PyTree, MLMCInfo]: ...


class MLMCStreamState(NamedTuple):
    """The estimate in progress."""

    total: optax.Updates  # signed sum of the gradients so far, float32 for 16-bit parameters
    drawn_level: jax.Array  # J before the cut, int32
    samples: jax.Array  # taken so far, int32


class MLMCTick(Protocol):
    """Key, parameters, chain state, stream -> gradient, ready, chain state, stream, info."""

    def __call__(
        self, key: jax.Array, params: optax.Params, chain_state: PyTree, stream: MLMCStreamState, /
    ) -> tuple[optax.Updates, jax.Array, PyTree, MLMCStreamState, MLMCInfo]: ...


class _StreamInit(Protocol):
    def __call__(self, params: optax.Params, key: jax.Array, /) -> MLMCStreamState: ...


class MLMCStream(NamedTuple):
    """The two functions of `mlmc_stream`."""

    init: _StreamInit
    tick: MLMCTick


def mlmc_gradient(
    grad_fn: SampleGradFn, step_fn: StepFn, *, batch_size: ArrayLike, max_level: ArrayLike
) -> MLMCGradient:
    r"""The multilevel estimator: a long batch in expectation, at the cost of short ones.

    .. math::
      g = \begin{cases}
        g_0 + 2^J (g_J - g_{J-1}) & J \le m, \\ g_0 & \text{otherwise,}
      \end{cases} \qquad
      g_j = \frac{1}{2^j B} \sum_{i=1}^{2^j B} \nabla F(x, Z_{T+i}), \qquad P(J = j) = 2^{-j}.

    One gradient is held at a time: memory of the size of the parameters, whatever the level.
    The function works under `jit`, `scan` and `vmap`; outside of them it compiles its loop at the
    first call. Under `vmap` every lane waits for the
    longest one, which takes up to 2^m B samples: replicates of a method belong in `mlmc_stream`.

    Args:
      grad_fn: `grad_fn(params, sample)`, the gradient at one sample, a tree like the parameters.
      step_fn: `step_fn(key, chain_state) -> (chain_state, sample)`, called before each sample;
        pytrees of constant shapes and dtypes. A stream of data in its order is a chain whose
        state is a position and which ignores the key.
      batch_size: B, an integer of at least 1, or a traced one.
      max_level: m, an integer of at least 0, or a traced one: the levels 1, ..., m are active.
        0 is a plain batch.

    Returns:
      A function `(key, params, chain_state) -> (gradient, chain_state, info)`. The gradient has the
      parameters' tree, shapes and dtypes; 16-bit ones are summed in float32. `info.samples` is
      the number of calls of `step_fn`, `info.level` is J, or 0 where J > m.

    Raises:
      TypeError: if a function is not callable, a size is not an integer, or a parameter is not a
        floating array.
      ValueError: if a size is out of range, 2^m B is 2^31 or more, or a gradient does not match
        the parameters.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> def switch(key, z):  # +-1, changes its sign with probability 0.1
      ...     z = jnp.where(jax.random.bernoulli(key, 0.1), -z, z)
      ...     return z, z
      >>> estimate = optzoo.mlmc_gradient(
      ...     lambda x, z: x - z, switch, batch_size=4, max_level=3)
      >>> keys, x = jax.random.split(jax.random.key(0), 2000), jnp.array([2.0])
      >>> gradients, _, info = jax.vmap(estimate, in_axes=(0, None, None))(keys, x, 1)
      >>> bool(jnp.abs(jnp.mean(gradients) - 2.0) < 0.2), sorted(set(info.samples.tolist()))
      (True, [4, 8, 16, 32])

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938, Algorithm 1.
    """
    _require_arguments(grad_fn, step_fn, batch_size, max_level)

    # Outside jit, too, a call compiles nothing that an earlier one has compiled.
    @jax.jit
    def weighted_mean(
        key: jax.Array, params: optax.Params, chain_state: PyTree, signs: _Signs
    ) -> tuple[optax.Updates, PyTree]:
        def step(i: jax.Array, chain_state: PyTree) -> tuple[PyTree, PyTree]:
            return _take_step(step_fn, jax.random.fold_in(key, i + 1), chain_state)

        def add(i: jax.Array, carry: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
            chain_state, total = carry
            chain_state, sample = step(i, chain_state)
            return chain_state, _add(total, signs.at(i), grad_fn, params, sample)

        chain_state = jax.lax.fori_loop(0, signs.first, lambda i, z: step(i, z)[0], chain_state)
        chain_state, total = jax.lax.fori_loop(
            signs.first, signs.end, add, (chain_state, wide_zeros(params))
        )
        return _over(total, batch_size, params), chain_state

    def estimate(
        key: jax.Array, params: optax.Params, chain_state: PyTree, /
    ) -> tuple[optax.Updates, PyTree, MLMCInfo]:
        require_floating(params)
        require_key("key", key)
        level = _cut(_draw_level(jax.random.fold_in(key, 0)), max_level)
        signs = _Signs.of(level, batch_size)
        gradient, chain_state = weighted_mean(key, params, chain_state, signs)
        return gradient, chain_state, MLMCInfo(signs.end, level)

    return estimate


def mlmc_stream(
    grad_fn: SampleGradFn,
    step_fn: StepFn,
    *,
    batch_size: ArrayLike,
    max_level: ArrayLike,
    samples_per_tick: int = 1,
) -> MLMCStream:
    r"""The multilevel estimator one sample at a time, so that replicates advance in lock-step.

    The estimator is that of `mlmc_gradient`. A tick takes one sample, or a few, and adds its
    gradient, with its weight, to the estimate in progress:

    .. math:: g = \frac1B \sum_{i=1}^{2^J B} w_i \nabla F(x, Z_{T+i}), \qquad
      w_i = 0 \text{ for } i \le B, \; -1 \text{ for } i \le 2^{J-1} B, \; 1 \text{ otherwise,}

    and w_i = 1 for i = 1, ..., B when J > m. Under `vmap` no lane waits for another: each is
    somewhere in an estimate of its own.

    `init(params, key)` gives the state of the stream, and

        tick(key, params, chain_state, stream) -> (gradient, ready, chain_state, stream, info)

    its samples, with a fresh key. Where `ready` is true the gradient is complete, and the optimizer
    takes its step; elsewhere it is partial and must not be used. The parameters must not move
    while an estimate is in progress. `optax.conditionally_mask` does both (see the example).

    Args:
      grad_fn: `grad_fn(params, sample)`, the gradient at one sample, a tree like the parameters.
      step_fn: `step_fn(key, chain_state) -> (chain_state, sample)`, called before each sample.
      batch_size: B, an integer of at least 1. It may be traced, and may change from one estimate
        to the next; so may max_level.
      max_level: m, an integer of at least 0: the levels 1, ..., m are active. 0 is a plain batch.
      samples_per_tick: samples that a tick takes one after the other; it must divide B. All
        estimates end after a multiple of B samples, so that still no lane waits, and what is done
        once a tick, the draw of a level and the step of the optimizer, is done less often. With
        `samples_per_tick=batch_size` the stream is fastest.

    Returns:
      The functions `init` and `tick`. The gradient has the parameters' tree, shapes and dtypes;
      16-bit ones are summed in float32. `info.samples` counts the samples of the estimate in
      progress, those of this tick included, and `info.level` is its level.

    Raises:
      TypeError: if a function is not callable, a size is not an integer, or a parameter is not a
        floating array.
      ValueError: if a size is out of range, samples_per_tick does not divide batch_size, 2^m B is
        2^31 or more, or a gradient does not match the parameters.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> def switch(key, z):  # +-1, changes its sign with probability 0.1
      ...     z = jnp.where(jax.random.bernoulli(key, 0.1), -z, z)
      ...     return z, z
      >>> stream = optzoo.mlmc_stream(lambda x, z: x - z, switch, batch_size=4, max_level=3)
      >>> method = optax.conditionally_mask(
      ...     optzoo.randomized_gd(0.02), lambda step, *, ready: ready, forward_extra_args=True)
      >>> def run(key):
      ...     start_key, keys = jax.random.fold_in(key, 0), jax.random.split(key, 4000)
      ...     def tick(carry, key):
      ...         x, state, z, partial = carry
      ...         gradient, ready, z, partial, _ = stream.tick(key, x, z, partial)
      ...         updates, state = method.update(gradient, state, x, ready=ready)
      ...         return (optax.apply_updates(x, updates), state, z, partial), None
      ...     x = jnp.full((1,), 5.0)
      ...     carry = (x, method.init(x), jnp.ones(1), stream.init(x, start_key))
      ...     return jax.lax.scan(tick, carry, keys)[0][0]
      >>> lanes = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(0), 64))
      >>> bool(jnp.abs(jnp.mean(lanes)) < 0.2)
      True

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938, Algorithm 1.
    """
    _require_arguments(grad_fn, step_fn, batch_size, max_level)
    size = require_integer("batch_size", batch_size, 1)
    ticks_apart = require_integer("samples_per_tick", samples_per_tick, 1)
    if size is not None and ticks_apart is not None and size % ticks_apart != 0:
        raise ValueError(
            "samples_per_tick must divide batch_size, so that every estimate ends with a tick; got "
            f"samples_per_tick = {samples_per_tick} and batch_size = {batch_size}."
        )

    def init(params: optax.Params, key: jax.Array, /) -> MLMCStreamState:
        require_floating(params)
        require_key("key", key)
        return MLMCStreamState(wide_zeros(params), _draw_level(key), jnp.zeros([], jnp.int32))

    def tick(
        key: jax.Array, params: optax.Params, chain_state: PyTree, stream: MLMCStreamState, /
    ) -> tuple[optax.Updates, jax.Array, PyTree, MLMCStreamState, MLMCInfo]:
        require_floating(params)
        require_key("key", key)
        if not isinstance(stream, MLMCStreamState):
            raise TypeError(
                "stream must be what `init` or the last `tick` returned, an MLMCStreamState, got "
                f"{stream!r}."
            )
        level = _cut(stream.drawn_level, max_level)
        signs = _Signs.of(level, batch_size)

        def add(i: jax.Array, carry: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
            chain_state, total = carry
            step_key = jax.random.fold_in(key, i + 1)
            chain_state, sample = _take_step(step_fn, step_key, chain_state)
            sign = signs.at(stream.samples + i)
            return chain_state, _add(total, sign, grad_fn, params, sample)

        chain_state, total = jax.lax.fori_loop(
            0, samples_per_tick, add, (chain_state, stream.total)
        )
        samples = stream.samples + samples_per_tick
        ready = samples == signs.end

        partial = MLMCStreamState(total, stream.drawn_level, samples)
        fresh = MLMCStreamState(
            wide_zeros(params), _draw_level(jax.random.fold_in(key, 0)), jnp.zeros([], jnp.int32)
        )
        following = jax.tree.map(lambda new, old: jnp.where(ready, new, old), fresh, partial)
        return (
            _over(total, batch_size, params),
            ready,
            chain_state,
            following,
            MLMCInfo(samples, level),
        )

    return MLMCStream(init, tick)


class _Signs(NamedTuple):
    """B w_i of the samples i = 0, ..., end - 1 of an estimate."""

    first: jax.Array  # 0 before this one,
    turn: jax.Array  # -1 before this one,
    end: jax.Array  # and 1 before this one

    @classmethod
    def of(cls, level: jax.Array, batch_size: ArrayLike) -> "_Signs":
        base = jnp.asarray(batch_size).astype(jnp.int32)
        whole = jnp.left_shift(base, level)
        is_plain = level == 0
        return cls(jnp.where(is_plain, 0, base), jnp.where(is_plain, 0, whole // 2), whole)

    def at(self, i: jax.Array) -> jax.Array:
        return jnp.where(i < self.first, 0, jnp.where(i < self.turn, -1, 1))


def _draw_level(key: jax.Array) -> jax.Array:
    """J with P(J = j) = 2^-j, exactly, for j = 1, ..., 32: one more than the leading zero bits."""
    return jax.lax.clz(jax.random.bits(key, dtype=jnp.uint32)).astype(jnp.int32) + 1


def _cut(drawn_level: jax.Array, max_level: ArrayLike) -> jax.Array:
    """J, and 0 where J > m."""
    return jnp.where(drawn_level > jnp.asarray(max_level).astype(jnp.int32), 0, drawn_level)


def _take_step(step_fn: StepFn, key: jax.Array, chain_state: PyTree) -> tuple[PyTree, PyTree]:
    """The chain's next state and the sample; raises unless it can be the state of a loop."""
    result = step_fn(key, chain_state)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(
            "step_fn must return a pair (chain_state, sample), got "
            f"{'a ' + type(result).__name__} of structure {jax.tree.structure(result)}."
        )
    following, sample = result
    given: Any = jax.tree.structure(chain_state)
    found: Any = jax.tree.structure(following)
    if found != given:
        raise ValueError(
            "the chain_state that step_fn returns must have the structure of the one it is given, "
            f"{given}; it has {found}."
        )
    leaves = zip(
        jax.tree_util.tree_leaves_with_path(chain_state), jax.tree.leaves(following), strict=True
    )
    for (path, leaf), following_leaf in leaves:
        old, new = jax.typeof(leaf), jax.typeof(following_leaf)
        # A loop gives a Python number the dtype that it is replaced with.
        if old.shape != new.shape or (old.dtype != new.dtype and not old.weak_type):
            raise ValueError(
                f"the chain_state{jax.tree_util.keystr(path)} that step_fn returns must have the "
                f"shape and the dtype of the one it is given, {old.str_short()}; it has "
                f"{new.str_short()}."
            )
    return following, sample


def _add(
    total: optax.Updates, sign: jax.Array, grad_fn: SampleGradFn, params: optax.Params, sample: Any
) -> optax.Updates:
    """The sum with one more signed gradient; one of weight 0 may be infinite or NaN."""
    gradient = grad_fn(params, sample)
    require_matching_tree("the result of grad_fn", gradient, params)

    def add(t: jax.Array, g: ArrayLike) -> jax.Array:
        signed = sign.astype(t.dtype) * jnp.asarray(g).astype(t.dtype)
        return t + jnp.where(sign == 0, jnp.zeros_like(signed), signed)

    return jax.tree.map(add, total, gradient)


def _over(total: optax.Updates, batch_size: ArrayLike, params: optax.Params) -> optax.Updates:
    means = jax.tree.map(lambda t: t / jnp.asarray(batch_size).astype(t.dtype), total)
    return cast_like(means, params)


def _require_arguments(grad_fn: Any, step_fn: Any, batch_size: Any, max_level: Any) -> None:
    require_function("grad_fn", grad_fn, "the parameters and a sample")
    require_function("step_fn", step_fn, "a key and the chain's state")
    require_batch(batch_size, max_level)
