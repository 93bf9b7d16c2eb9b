# SPDX-License-Identifier: Apache-2.0
"""Linear minimisation oracles: the convex sets that projection-free methods optimise over.

A set answers `lmo(direction)`, the minimiser of a linear function over it, which is all that a
Frank-Wolfe method asks for, and beside it the Euclidean diameter, a membership test, the
projection and a cheap retraction. The vector-norm sets read a whole pytree as one concatenated
vector; a set for each part of a tree is written `product({"w": l1_ball(3.0), "b": box(-1, 1)})`.

The numbers of a set are leaves of a pytree: a set crosses `jit`, `vmap` and `shard_map` as an
argument, with a traced or batched radius. Values are checked when a set is written down by hand
and they are concrete; rebuilding a set from its leaves checks nothing.
"""

from .boxes import box
from .cartesian_product import product
from .constraint_set import ConstraintSet
from .coupling_polytopes import birkhoff_polytope, transport_polytope
from .ellipsoids import ellipsoid, rotated_ellipsoid
from .flows import flow_polytope
from .hulls import vertex_polytope
from .layers import layerwise
from .matricization import matricized
from .norm_balls import l1_ball, l2_ball, linf_ball, lp_ball, weighted_l1_ball
from .row_norms import row_norm_ball
from .simplices import simplex, unit_simplex
from .sorting_polytopes import hypersimplex, k_sparse_polytope, permutahedron
from .sparsity_balls import (
    group_lasso_ball,
    k_norm_ball,
    k_support_ball,
    ordered_weighted_l1_ball,
    top_k_l2_ball,
)
from .spectral import fantope, nuclear_norm_ball, spectrahedron, spectral_norm_ball

__all__ = [
    "ConstraintSet",
    "birkhoff_polytope",
    "box",
    "ellipsoid",
    "fantope",
    "flow_polytope",
    "group_lasso_ball",
    "hypersimplex",
    "k_norm_ball",
    "k_sparse_polytope",
    "k_support_ball",
    "l1_ball",
    "l2_ball",
    "layerwise",
    "linf_ball",
    "lp_ball",
    "matricized",
    "nuclear_norm_ball",
    "ordered_weighted_l1_ball",
    "permutahedron",
    "product",
    "rotated_ellipsoid",
    "row_norm_ball",
    "simplex",
    "spectrahedron",
    "spectral_norm_ball",
    "top_k_l2_ball",
    "transport_polytope",
    "unit_simplex",
    "vertex_polytope",
    "weighted_l1_ball",
]
