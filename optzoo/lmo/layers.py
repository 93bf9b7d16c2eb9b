# SPDX-License-Identifier: Apache-2.0
"""A set for every layer of a network."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path

from .. import _tree_vector as tv
from ._set_arguments import require_positive
from .cartesian_product import product
from .constraint_set import STATIC, ConstraintSet, register
from .matricization import matricized
from .norm_balls import linf_ball
from .spectral import spectral_norm_ball

__all__ = ["layerwise"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class layerwise(ConstraintSet):
    """`{x : |W|_2 <= radius for every matrix W of x, |b|_inf <= vector_radius for all else}`.

    A leaf with two axes or more is one matrix: `out_axis` of its axes against all others, merged,
    which are its inputs. So a kernel (height, width, in, out) has height width in inputs. What has
    more than two axes and one input is a vector, such as the bias (out, 1, 1) of equinox. So is
    what has no entries.

    The radius of a layer is `radius`, times `scaling` of its number of inputs and of outputs. In
    use are

    - Muon: `lambda i, o: max(1, o / i) ** 0.5`, for transfer between widths;
    - Muon with the length of Adam's steps: `lambda i, o: 0.2 * max(i, o) ** 0.5`;
    - Scion: `lambda i, o: (o / i) ** 0.5`, the operator norm between root mean squares.

    - lmo, project, retract: of each leaf's set, on the leaf; by Newton-Schulz for the matrices.
    - diameter: sqrt(sum of squared diameters).

    Args:
        radius: of the spectral-norm balls, a positive and finite number or scalar array (a batch
            of them under `vmap`).
        vector_radius: of the l-infinity balls, the same.
        scaling: a function of two ints, or None for 1.
        out_axis: the axis of the outputs: -1 as in flax and haiku, 0 as in equinox and PyTorch.
        tolerance: of the Newton-Schulz iteration, see `spectral_norm_ball`; None is round-off.
        choose: a function of a leaf's path, as `jax.tree_util.keystr` writes it, and of the leaf:
            its set, or None for the set above. For embeddings and last layers (`row_norm_ball`,
            `linf_ball`), for attention heads (`matricized(spectral_norm_ball(1.0), row_axes=1)`),
            for stacks of layers (`spectral_norm_ball(1.0)`: the last two axes are a matrix's).

    Raises:
        TypeError: an argument has the wrong type; or, from a method, `choose` returns no set.
        ValueError: a radius is not positive and finite, `out_axis` neither 0 nor -1, or `tolerance`
            out of range; or, from a method, what `scaling` returns is not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.lmo import row_norm_ball
        >>> params = {"tokens": jnp.ones((9, 4)), "kernel": jnp.ones((4, 1)), "bias": jnp.ones(1)}
        >>> C = layerwise(
        ...     scaling=lambda i, o: (o / i) ** 0.5,
        ...     choose=lambda path, leaf: row_norm_ball(2.0) if "tokens" in path else None,
        ... )
        >>> sets = C.of(params).sets
        >>> sets["tokens"], sets["bias"]
        (row_norm_ball(radius=2.0), linf_ball(radius=1.0))
        >>> sets["kernel"].constraint
        spectral_norm_ball(radius=0.5, method='newton_schulz', tolerance=0.01)

    References:
        Pethick, Xie, Antonakopoulos, Zhu, Silveti-Falls, Cevher, "Training deep learning models
        with norm-constrained LMOs", ICML 2025, arXiv:2502.07529.
        Liu et al., "Muon is scalable for LLM training", 2025, arXiv:2502.16982 (the second radius).
    """

    radius: float | jax.Array = 1.0
    vector_radius: float | jax.Array = 1.0
    scaling: Callable[[int, int], float] | None = dataclasses.field(default=None, metadata=STATIC)
    out_axis: int = dataclasses.field(default=-1, metadata=STATIC)
    tolerance: float | None = dataclasses.field(default=0.01, metadata=STATIC)
    choose: Callable[[str, Any], ConstraintSet | None] | None = dataclasses.field(
        default=None, metadata=STATIC
    )

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)
        require_positive("vector_radius", self.vector_radius)
        for name in ("scaling", "choose"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a function or None, got {getattr(self, name)!r}.")
        if isinstance(self.out_axis, bool) or self.out_axis not in (0, -1):
            raise ValueError(f"out_axis must be 0 or -1, got {self.out_axis!r}.")
        self._ball(1.0)

    def of(self, params: PyTree) -> product:
        """The set of every leaf of these parameters, of which only paths and shapes matter.

        Args:
            params: pytree of arrays or `jax.ShapeDtypeStruct`.

        Returns:
            The `product` of the sets, which is the same set for such parameters.

        Raises:
            TypeError: `choose` returns no set.
            ValueError: `params` has no leaf, or `scaling` returns what is not positive.
        """
        return product(jax.tree_util.tree_map_with_path(self._set_of, params))

    def _ball(self, radius: Any) -> spectral_norm_ball:
        return spectral_norm_ball(radius, method="newton_schulz", tolerance=self.tolerance)

    def _set_of(self, path: Any, leaf: Any) -> ConstraintSet:
        chosen = None if self.choose is None else self.choose(keystr(path), leaf)
        if chosen is not None:
            if not isinstance(chosen, ConstraintSet):
                raise TypeError(
                    f"choose must return a set of optzoo.lmo or None; for {keystr(path)} it "
                    f"returns {chosen!r}."
                )
            return chosen
        shape = jnp.shape(leaf)
        outputs = shape[self.out_axis] if shape else 1
        inputs = math.prod(shape) // max(outputs, 1)
        if len(shape) < 2 or (len(shape) > 2 and inputs == 1) or 0 in shape:
            return linf_ball(self.vector_radius)
        factor = 1.0 if self.scaling is None else self.scaling(inputs, outputs)
        require_positive(f"scaling({inputs}, {outputs})", factor)
        return matricized(self._ball(self.radius * factor), -1 if self.out_axis else 1)

    def _map(self, method: Callable[[ConstraintSet, Any], Any], tree: PyTree) -> list[Any]:
        return [method(self._set_of(*pair), pair[1]) for pair in tree_flatten_with_path(tree)[0]]

    def _tree(self, method: Callable[[ConstraintSet, Any], Any], tree: PyTree) -> PyTree:
        structure: Any = jax.tree.structure(tree)
        return structure.unflatten(self._map(method, tree))

    def _lmo(self, direction: PyTree) -> PyTree:
        return self._tree(lambda part, leaf: part._lmo(leaf), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        return tv.norm(self._map(lambda part, leaf: part._diameter(leaf), like))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        flags = self._map(lambda part, leaf: part._contains(leaf, atol), x)
        return jnp.all(jnp.stack([jnp.array(True), *flags]))

    def _project(self, x: PyTree) -> PyTree:
        return self._tree(lambda part, leaf: part._project(leaf), x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._tree(lambda part, leaf: part._retract(leaf), x)
