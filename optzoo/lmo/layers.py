"""The product of a set for every layer of a network."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.tree_util import keystr

from .cartesian_product import product
from .constraint_set import ConstraintSet
from .matricization import matricized
from .norm_balls import linf_ball
from .spectral import spectral_norm_ball

__all__ = ["layerwise"]

PyTree: TypeAlias = Any
Radius: TypeAlias = float | jax.Array | Callable[[int, int], float]


def layerwise(
    params: PyTree,
    matrix_radius: Radius = 1.0,
    vector_radius: float | jax.Array = 1.0,
    *,
    out_axis: int = -1,
    tolerance: float | None = 0.01,
    choose: Callable[[str, Any], ConstraintSet | None] | None = None,
) -> product:
    r"""The spectral-norm ball for each matrix and kernel, the l-infinity ball for everything else.

    .. math:: C = \prod_l C_l, \quad C_l = \{|W_l|_2 \le r(\text{in}, \text{out})\}
        \text{ or } \{|b_l|_\infty \le r_b\}

    A leaf with two axes or more is one matrix: `out_axis` of its axes against all others, merged,
    which are its inputs. So a kernel (height, width, in, out) has height width in inputs. What has
    more than two axes and one input is a vector, such as the bias (out, 1, 1) of equinox.

    The radius may depend on the layer. The conventions in use are

    - Muon: `lambda i, o: max(1, o / i) ** 0.5`, for transfer between widths;
    - Muon with the length of Adam's steps: `lambda i, o: 0.2 * max(i, o) ** 0.5`;
    - Scion: `lambda i, o: radius * (o / i) ** 0.5`, the operator norm between root mean squares.

    Args:
        params: the parameters, or their shapes.
        matrix_radius: of the spectral-norm balls, a positive number or a function of a layer's
            number of inputs and of outputs.
        vector_radius: of the l-infinity balls, a positive number.
        out_axis: the axis of the outputs: -1 as in flax and haiku, 0 as in equinox and PyTorch.
        tolerance: of the Newton-Schulz iteration, see `spectral_norm_ball`; None is round-off.
        choose: a function of a leaf's path, as `jax.tree_util.keystr` writes it, and of the leaf:
            its set, or None for the set above. For embeddings and last layers (`row_norm_ball`,
            `linf_ball`), for attention heads (`matricized(spectral_norm_ball(1.0), row_axes=1)`),
            for stacks of layers (`spectral_norm_ball(1.0)`: the last two axes are a matrix's).

    Returns:
        A `product` with a set for every leaf of `params`.

    Raises:
        TypeError: an argument has the wrong type, or `choose` returns what is no set.
        ValueError: a radius is not positive, `out_axis` neither 0 nor -1, `tolerance` out of range,
            or `params` has no leaf.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.lmo import row_norm_ball
        >>> params = {"tokens": jnp.ones((9, 4)), "kernel": jnp.ones((4, 1)), "bias": jnp.ones(1)}
        >>> sets = layerwise(
        ...     params,
        ...     lambda i, o: (o / i) ** 0.5,
        ...     choose=lambda path, leaf: row_norm_ball(2.0) if "tokens" in path else None,
        ... ).sets
        >>> sets["tokens"], sets["bias"]
        (row_norm_ball(radius=2.0), linf_ball(radius=1.0))
        >>> sets["kernel"].constraint
        spectral_norm_ball(radius=0.5, method='newton_schulz', tolerance=0.01)

    References:
        Pethick, Xie, Antonakopoulos, Zhu, Silveti-Falls, Cevher, "Training deep learning models
        with norm-constrained LMOs", ICML 2025, arXiv:2502.07529.
        Liu et al., "Muon is scalable for LLM training", 2025, arXiv:2502.16982 (the second radius).
    """
    if isinstance(out_axis, bool) or out_axis not in (0, -1):
        raise ValueError(f"out_axis must be 0 or -1, got {out_axis!r}.")

    def set_of(path: Any, leaf: Any) -> ConstraintSet:
        chosen = None if choose is None else choose(keystr(path), leaf)
        if chosen is not None:
            if not isinstance(chosen, ConstraintSet):
                raise TypeError(
                    f"choose must return a set of optzoo.lmo or None; for {keystr(path)} it "
                    f"returns {chosen!r}."
                )
            return chosen
        shape = jnp.shape(leaf)
        outputs = shape[out_axis] if shape else 1
        inputs = math.prod(shape) // max(outputs, 1)
        if len(shape) < 2 or (len(shape) > 2 and inputs == 1):
            return linf_ball(vector_radius)
        radius = matrix_radius(inputs, outputs) if callable(matrix_radius) else matrix_radius
        ball = spectral_norm_ball(radius, method="newton_schulz", tolerance=tolerance)
        return matricized(ball, row_axes=-1 if out_axis == -1 else 1)

    return product(jax.tree_util.tree_map_with_path(set_of, params))
