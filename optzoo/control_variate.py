# SPDX-License-Identifier: Apache-2.0
r"""Minibatch gradients with a control variate: their noise vanishes at a known point.

    g(x) = g_S(x) - g_S(c) + grad f(c),

with g_S an unbiased estimate of grad f from the batch S, and c a point whose full gradient is
known. The estimate stays unbiased, and its noise is that of the difference, of the order |x - c|.

References:
  Baker, Fearnhead, Fox, Nemeth, "Control variates for stochastic gradient MCMC", Statistics and
  Computing, 2019, arXiv:1706.05439.
  Johnson, Zhang, "Accelerating stochastic gradient descent using predictive variance reduction",
  NeurIPS 2013.
"""

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_floating, require_function, require_matching_tree
from ._tree_vector import cast_like
from ._wide_arithmetic import wide

__all__ = ["control_variate_gradient"]


class MinibatchGradFn(Protocol):
    """Parameters and a batch -> an unbiased estimate of the gradient, like the parameters."""

    def __call__(self, params: optax.Params, batch: Any, /) -> optax.Updates: ...


def control_variate_gradient(
    grad_fn: MinibatchGradFn, center: optax.Params, full_gradient: optax.Updates
) -> MinibatchGradFn:
    r"""Minibatch gradients whose noise is gone at a center, for `sgld` or any other method.

    .. math:: g(x) = g_S(x) - g_S(c) + \nabla f(c)

    For `optzoo.sgld` the center is the mode of the posterior, found by any optimizer, and the full
    gradient there is taken once. A chain close to its mode then has almost the law that it has
    with full gradients, where plain minibatches of b of n samples inflate its covariance by about
    eta n / (2 b) of itself: `optzoo.problems.langevin_covariance` has both, exactly for quadratic
    potentials. Two gradients of a batch in the place of one is the price. Far from the center
    (several modes, a long tail) the noise may be larger than without it; a center that is moved
    now and then, with its full gradient, is SVRG.

    Args:
      grad_fn: `grad_fn(params, batch)`, an unbiased estimate of the gradient; for a sum over n
        samples that of the batch times n / b. With the same batch it must return the same.
      center: c, a tree like the parameters.
      full_gradient: grad f(c), likewise; zeros will not do unless c is the exact minimum.

    Returns:
      The function `(params, batch) -> gradient`, in the parameters' dtypes.

    Raises:
      TypeError: if `grad_fn` is not a function, or a leaf is not a real floating array.
      ValueError: if a tree does not match.

    Example:
      A normal mean, whose sample gradients differ by constants only: nothing is left of the noise.

      >>> import jax.numpy as jnp, optzoo
      >>> data = jnp.array([1.0, 2.0, 6.0])
      >>> def gradient(x, rows):                       # of sum_i (x - data_i)^2 / 2
      ...     return 3 * jnp.mean(x - data[rows])
      >>> mode = jnp.array(3.0)
      >>> steady = optzoo.control_variate_gradient(gradient, mode, jnp.array(0.0))
      >>> [float(f(jnp.array(4.0), jnp.array([0, 1]))) for f in (gradient, steady)]
      [7.5, 3.0]

    References:
      Baker, Fearnhead, Fox, Nemeth, "Control variates for stochastic gradient MCMC", Statistics
      and Computing, 2019, arXiv:1706.05439.
    """
    require_function("grad_fn", grad_fn, "the parameters and a batch")
    require_floating(center, "center")
    require_matching_tree("full_gradient", full_gradient, center)

    def gradient(params: optax.Params, batch: Any, /) -> optax.Updates:
        require_floating(params)
        require_matching_tree("params", params, center)

        def evaluate(point: optax.Params) -> optax.Updates:
            value = grad_fn(point, batch)
            require_matching_tree("the result of grad_fn", value, params)
            return wide(value, params)

        here, there = evaluate(params), evaluate(center)
        moved = jax.tree.map(
            lambda a, b, full: (a - b) + jnp.asarray(full).astype(a.dtype),
            here,
            there,
            full_gradient,
        )
        return cast_like(moved, params)

    return gradient
