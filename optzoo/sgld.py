# SPDX-License-Identifier: Apache-2.0
r"""Stochastic gradient Langevin dynamics: sampling by gradient steps with Gaussian noise.

    sample from pi(x) proportional to exp(-U(x) / T), given gradients of U.

    X_{k+1} = X_k - eta_k P g_k + sqrt(2 eta_k T) P^(1/2) eps_k,    eps_k standard normal.

It is the chain of `optzoo.ito_chain` with gamma = 0 and sigma = sqrt(2 T P). With a constant
P its diffusion has the law pi for its equilibrium; the chain has it up to an error of the order
of the step, to which the noise of minibatch gradients adds one of the same order. Steps that fall
to 0 slowly remove both.

References:
  Welling, Teh, "Bayesian learning via stochastic gradient Langevin dynamics", ICML 2011.
  Li, Chen, Carlson, Carin, "Preconditioned stochastic gradient Langevin dynamics for deep neural
  networks", AAAI 2016, arXiv:1512.07666.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_leaves_with_path

from ._arguments import (
    concrete_number,
    require_function,
    require_gradients,
    require_integer,
    require_key,
    require_learning_rate,
    require_matching_tree,
    require_not_negative,
)
from ._state_layout import require_own_state
from ._tree_operator import apply_operator, operator_kind
from ._tree_vector import is_concrete
from ._wide_arithmetic import wide, wide_zeros
from .ito_chain import ItoChainState, ito_chain
from .noise_laws import gaussian_noise

__all__ = ["Preconditioner", "SGLDState", "rms_preconditioner", "sgld"]


class Preconditioner(NamedTuple):
    """A preconditioner that learns from the gradients: a pair of functions, as in optax.

    `init(params)` makes its state. `update(grads, state)` returns P, a tree of positive numbers
    like the parameters, and the next state.
    """

    init: Callable[[optax.Params], Any]
    update: Callable[[optax.Updates, Any], tuple[optax.Updates, Any]]


class SGLDState(NamedTuple):
    """State of `sgld`."""

    chain: ItoChainState  # the key of the noise and k
    preconditioner: Any  # state of a `Preconditioner`; None for a constant P


class RMSState(NamedTuple):
    """State of `rms_preconditioner`."""

    steps: jax.Array  # gradients averaged so far, int32
    mean_square: optax.Updates  # the running mean of the squared gradients, from 0


def sgld(
    learning_rate: optax.ScalarOrSchedule,
    *,
    temperature: jax.typing.ArrayLike = 1.0,
    preconditioner: Any = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Stochastic gradient Langevin dynamics, with a schedule and a preconditioner.

    .. math::
      X_{k+1} = X_k - \eta_k P g_k + \sqrt{2 \eta_k T} \, P^{1/2} \varepsilon_k, \qquad
      \varepsilon_k \sim N(0, I)

    `g_k` is the gradient at `params` of U, or an unbiased estimate. For a Bayesian posterior of n
    samples, U = -log prior - sum of n log likelihoods: a minibatch of b carries the factor n / b,
    and gradients of a mean loss are to be multiplied by n (or the temperature set to 1 / n).

    What the step costs: if U is quadratic with the Hessian H, full gradients and a constant step
    give the covariance T (I - eta P H / 2)^{-1} H^{-1} instead of T H^{-1}, and the exact mean.
    A step above 2 / max eig(P H) diverges.

    What minibatches cost is more: their noise, with the covariance C a step, adds eta^2 P C P to
    the chain's own. For batches of b of n samples of a model that fits, T = 1 and P = H^{-1}, the
    covariance is (1 + eta n / (2 b)) / (1 - eta / 2) times the posterior's: 28% too large at
    eta = 0.05 and b = n / 10, where full gradients make it 2.5% too large.
    `optzoo.problems.langevin_covariance` has it exactly for quadratic potentials. Take steps of
    0.1 b / n, or gradients with a control variate at the mode,
    `optzoo.control_variate_gradient`, which bring the 28% down to 3%.

    The preconditioner P is one of

    - None: the identity,
    - a tree of positive numbers like the parameters: a diagonal,
    - a symmetric positive definite matrix of shape (d, d), which acts on the leaves of the tree
      concatenated, such as the covariance at the mode: then steps of 0.01 to 0.1 suit
      any posterior close to normal, with full gradients or a control variate,
    - `optzoo.rms_preconditioner(...)`, which learns a diagonal from the gradients.

    It works under every optax wrapper; one that changes the gradients changes the target. In
    16-bit parameters, what falls below half a unit in their last place is lost, the noise first:
    at 100 and with steps of 1e-4 nothing is left of it in bfloat16. `init` warns; wrap the method
    in `optzoo.master_weights`.

    Args:
      learning_rate: eta, a positive number or a schedule of the steps.
      temperature: T, at least 0; 1 samples from exp(-U), 0 is preconditioned gradient descent.
      preconditioner: P, see above.
      key: a PRNG key for the noise, carried in the state.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      TypeError: if the step or the temperature is not a number, or the key is not a key.
      ValueError: if the step is not positive, the temperature is negative, the preconditioner is
        not positive or has neither the shapes of the parameters nor those of a square matrix of
        their size, or the gradients do not match the parameters.

    Example:
      A thousand chains at once sample a normal law with standard deviations 1 and 10:

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> variances = jnp.array([1.0, 100.0])
      >>> chain = optzoo.sgld(0.1, preconditioner=jnp.tile(variances, (1000, 1)),
      ...                     key=jax.random.key(0))
      >>> def step(_, carry):
      ...     x, state = carry
      ...     updates, state = chain.update(x / variances[None, :], state, x)
      ...     return optax.apply_updates(x, updates), state
      >>> x = jnp.zeros((1000, 2))
      >>> x, _ = jax.lax.fori_loop(0, 100, step, (x, chain.init(x)))
      >>> bool(jnp.all(abs(jnp.var(x, axis=0) / variances - 1.0) < 0.2))
      True

    References:
      Welling, Teh, "Bayesian learning via stochastic gradient Langevin dynamics", ICML 2011.
      Baker, Fearnhead, Fox, Nemeth, "Control variates for stochastic gradient MCMC", Statistics
      and Computing, 2019, arXiv:1706.05439.
    """
    require_learning_rate("learning_rate", learning_rate)
    require_not_negative("temperature", temperature)
    require_key("key", key)
    chain = ito_chain(learning_rate, noise=gaussian_noise(), diffusion=None, key=key)
    learns = isinstance(preconditioner, Preconditioner)
    if learns:
        require_function("preconditioner.init", preconditioner.init, "the parameters")
        require_function("preconditioner.update", preconditioner.update, "gradients and a state")
    constant_root = None if learns else _root_of_constant(preconditioner)

    def init_fn(params: optax.Params) -> SGLDState:
        # A placeholder of optax has no leaves.
        if not learns and preconditioner is not None and jax.tree.leaves(params):
            kind = operator_kind("preconditioner", preconditioner, params)
            _require_positive_definite(preconditioner, constant_root, kind)
        learned = preconditioner.init(params) if learns else None
        return SGLDState(chain=chain.init(params), preconditioner=learned)

    def update_fn(
        updates: optax.Updates,
        state: SGLDState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SGLDState]:
        del extra_args
        params = require_gradients("sgld", updates, params)
        chain_state: Any = getattr(state, "chain", None)  # the chain looks at its own
        fresh = SGLDState(
            chain=chain_state,
            preconditioner=jax.eval_shape(preconditioner.init, params) if learns else None,
        )
        require_own_state(state, fresh, {"preconditioner": {"preconditioner": preconditioner}})
        grads, learned = wide(updates, params), state.preconditioner
        if preconditioner is None:
            root: Any = jnp.ones([])
        elif learns:
            scales, learned = _learn(preconditioner, grads, learned)
            grads = apply_operator("preconditioner", scales, grads)
            root = jax.tree.map(jnp.sqrt, scales)
        else:
            kind = operator_kind("preconditioner", preconditioner, params)
            grads = apply_operator("preconditioner", preconditioner, grads)
            root = constant_root if kind == "matrix" else jax.tree.map(jnp.sqrt, preconditioner)
        # sigma = sqrt(2 T) P^(1/2)
        heat = jnp.sqrt(2 * jnp.asarray(temperature))
        sigma = jax.tree.map(lambda leaf: heat.astype(leaf.dtype) * leaf, root)
        moved, chain_state = chain.update(grads, chain_state, params, diffusion=sigma)
        return moved, SGLDState(chain=chain_state, preconditioner=learned)

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def rms_preconditioner(
    decay: float = 0.99, eps: float = 1e-5, adaptation_steps: int | None = None
) -> Preconditioner:
    r"""The preconditioner of pSGLD: the inverse root of the gradients' mean square.

    .. math::
      V_k = \beta V_{k-1} + (1 - \beta) g_k^2, \qquad
      P_k = \frac{1}{\epsilon + \sqrt{V_k / (1 - \beta^k)}}

    While P moves with the state, the diffusion's equilibrium is not exp(-U / T): the drift lacks
    the divergence of P. With `adaptation_steps` P is learned for so many steps and then kept; the
    chain is then one with a constant preconditioner, and what it did before is burn-in.

    Differs from the paper: the running mean is corrected for its start at 0, as in Adam.

    Args:
      decay: beta, in [0, 1).
      eps: what bounds P, above 0.
      adaptation_steps: how long P is learned, at least 1; None for always, as in the paper.

    Returns:
      The argument `preconditioner` of `optzoo.sgld`.

    Raises:
      ValueError: if one of them is out of range.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> learned = optzoo.rms_preconditioner(adaptation_steps=500)
      >>> scales, _ = learned.update(jnp.array([10.0, 0.1]), learned.init(jnp.zeros(2)))
      >>> [round(float(scale), 2) for scale in scales]
      [0.1, 10.0]

    References:
      Li, Chen, Carlson, Carin, "Preconditioned stochastic gradient Langevin dynamics for deep
      neural networks", AAAI 2016, arXiv:1512.07666.
    """
    number = concrete_number("decay", decay)
    if number is not None and not 0.0 <= number < 1.0:
        raise ValueError(f"decay must lie in [0, 1), got {number}.")
    number = concrete_number("eps", eps)
    if number is not None and not 0.0 < number < float("inf"):
        raise ValueError(f"eps must be positive and finite, got {number}.")
    if adaptation_steps is not None:
        require_integer("adaptation_steps", adaptation_steps, 1)

    def init_fn(params: optax.Params) -> RMSState:
        return RMSState(steps=jnp.zeros([], jnp.int32), mean_square=wide_zeros(params))

    def update_fn(grads: optax.Updates, state: RMSState) -> tuple[optax.Updates, RMSState]:
        learning = jnp.asarray(adaptation_steps is None or state.steps < adaptation_steps)
        steps = jnp.where(learning, optax.safe_increment(state.steps), state.steps)

        def average(v: jax.Array, g: jax.Array) -> jax.Array:
            beta = jnp.asarray(decay, v.dtype)
            return jnp.where(learning, beta * v + (1 - beta) * g * g, v)

        def scale(v: jax.Array) -> jax.Array:
            weight = 1 - jax.lax.pow(jnp.asarray(decay, v.dtype), steps)
            return 1 / (jnp.asarray(eps, v.dtype) + jnp.sqrt(v / weight))

        mean_square = jax.tree.map(average, state.mean_square, grads)
        return jax.tree.map(scale, mean_square), RMSState(steps, mean_square)

    return Preconditioner(init_fn, update_fn)


def _learn(preconditioner: Preconditioner, grads: optax.Updates, state: Any) -> tuple[Any, Any]:
    """The scales of a preconditioner that learns, and its next state."""
    result = preconditioner.update(grads, state)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "preconditioner.update must return a pair (scales, state), got "
            f"a {type(result).__name__}."
        )
    scales, following = result
    require_matching_tree("the scales of preconditioner.update", scales, grads)
    return scales, following


def _root_of_constant(preconditioner: Any) -> jax.Array | None:
    """The Cholesky factor of a matrix, taken once; None if the argument cannot be one."""
    shape = jnp.shape(preconditioner) if hasattr(preconditioner, "shape") else ()
    if len(shape) != 2 or shape[0] != shape[1]:
        return None
    matrix = jnp.asarray(preconditioner, jnp.result_type(preconditioner, float))
    return jnp.linalg.cholesky(matrix, symmetrize_input=False)


def _require_positive_definite(preconditioner: Any, root: jax.Array | None, kind: str) -> None:
    """Raises on a diagonal with an entry that is not positive, or a matrix without a root."""
    if kind == "matrix":
        matrix = jnp.asarray(preconditioner)
        asymmetry = jnp.max(abs(matrix - matrix.T), initial=0)
        symmetric = asymmetry <= 1e-5 * jnp.max(abs(matrix), initial=0)
        good = symmetric & jnp.all(jnp.isfinite(jnp.asarray(root)))
        if is_concrete(good) and not bool(good):
            raise ValueError("preconditioner must be a symmetric positive definite matrix.")
        return
    for path, leaf in tree_leaves_with_path(preconditioner):
        good = jnp.all(jnp.asarray(leaf) > 0)
        if is_concrete(good) and not bool(good):
            raise ValueError(f"preconditioner{keystr(path)} must have positive entries only.")
