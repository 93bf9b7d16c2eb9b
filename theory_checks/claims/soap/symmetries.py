# SPDX-License-Identifier: Apache-2.0
"""S2 to S5: rotations, no rotations, stacks and scales of what goes into SOAP."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from optax.contrib import MuonDimensionNumbers

from optzoo.theorems.soap import S2, S3, S4, S5

from ...checks import ExactIdentity
from ...claim import Case, Claim
from ...controls import Sides, exact_case, null, wrong
from ...simulation.iterates import Tree, farthest, iterates
from .settings import Make, SoapSetting

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

LEAVES = SoapSetting(
    text="a $5 \\times 5$ and a $3 \\times 4 \\times 5$ leaf",
    shapes={"matrix": (5, 5), "cube": (3, 4, 5)},
)
WHAT = f"{LEAVES.calls} calls, every entry of every iterate"
MATRIX = ("matrix",)

# --- S2: rotations ---


@cache
def _rotations() -> dict[str, tuple[Array, ...]]:
    generator = np.random.default_rng(3)
    return {
        name: tuple(np.linalg.qr(generator.standard_normal((d, d)))[0] for d in shape)
        for name, shape in LEAVES.shapes.items()
    }


def _rotated(tree: Tree, sides: int) -> Tree:
    """The last axes of the leaves multiplied by their rotations, at most `sides` ones."""
    return {name: _rotated_leaf(leaf, _rotations()[name], sides) for name, leaf in tree.items()}


def _rotated_leaf(leaf: Array, rotations: tuple[Array, ...], sides: int) -> Array:
    for axis, matrix in list(enumerate(rotations))[:sides]:
        place = leaf.ndim - len(rotations) + axis
        leaf = np.moveaxis(np.tensordot(matrix, leaf, axes=(1, place)), 0, place)
    return leaf


def _rotation_sides(
    setting: SoapSetting, names: Sequence[str] = (), sides: int = 3, **changes: Any
) -> Sides:
    given = setting.given(*names)
    turned = setting.run(*(_rotated(tree, sides) for tree in given), **changes)
    return farthest(turned, _rotated(setting.run(*given, **changes), sides))


def _equivariance() -> Case:
    one_sided: dict[str, Any] = {"names": MATRIX, "structure": {"one_sided": True}}
    return exact_case(
        replace(LEAVES, text=f"{LEAVES.text}, random orthogonal matrices"),
        _rotation_sides,
        ExactIdentity,
        wrong(
            "Adam",
            "no basis: Adam sees the coordinates",
            names=MATRIX,
            structure={"max_precond_dim": 0},
        ),
        wrong("one side has a basis", "one-sided SOAP, both sides rotated", **one_sided),
        null(
            "one side has a basis and is rotated",
            "one-sided SOAP is equivariant on its own side",
            sides=1,
            **one_sided,
        ),
        what=WHAT,
    )


# --- S3: no rotations ---


def _adam(learning_rate: Any, b1: Any, b2: Any, eps: Any) -> optax.GradientTransformationExtraArgs:
    """Adam of optax, with eps where SOAP has it: beside the root that is not corrected."""
    return optax.inject_hyperparams(optax.adam)(
        learning_rate, b1, b2, eps=lambda count: eps / jnp.sqrt(1 - b2 ** (count + 1.0))
    )


def _adam_sides(
    setting: SoapSetting,
    *,
    names: Sequence[str] = (),
    structure: Mapping[str, Any] | None = None,
    adam: Make = _adam,
    first: int = 1,
    **changes: Any,
) -> Sides:
    """SOAP on all gradients, and Adam on those from number `first` on."""
    start, gradients = setting.given(*names)
    measured = setting.run(start, gradients, structure=structure, **changes)
    numbers, last = setting.of(S3, **changes), first + setting.calls - 1
    exact = iterates(
        adam,
        start,
        {name: leaf[first:last] for name, leaf in gradients.items()},
        learning_rate=numbers.eta,
        b1=numbers.beta_1,
        b2=numbers.beta_2,
        eps=numbers.epsilon,
    )
    return farthest({name: leaf[1:] for name, leaf in measured.items()}, exact)


def _reduction() -> Case:
    setting = replace(
        LEAVES,
        text=f"{LEAVES.text}; Adam is optax's",
        epsilon=0.05,
        decay=0.0,
        structure={"max_precond_dim": 0},
    )
    S3.require(setting.of(S3))
    return exact_case(
        setting,
        _adam_sides,
        ExactIdentity,
        wrong("Adam from the first gradient on", "the first call not skipped", first=0),
        wrong(
            "eps beside the corrected root",
            "$\\epsilon$ where Adam has it: $\\sqrt{V/(1-\\beta_2^t)} + \\epsilon$",
            adam=optax.adam,
        ),
        wrong("with bases", "all axes are rotated", names=MATRIX, structure={}),
        null(
            "that eps is small",
            "$\\epsilon = 10^{-14}$ is the same beside either root",
            adam=optax.adam,
            epsilon=1e-14,
        ),
        what=WHAT,
    )


# --- S4: stacks ---


def _stack_sides(setting: SoapSetting, structure: Mapping[str, Any] | None = None) -> Sides:
    start, gradients = (tree["cube"] for tree in setting.given("cube"))
    together = setting.run({"w": start}, {"w": gradients}, structure=structure)["w"]
    apart = {
        str(i): setting.run({"w": start[i]}, {"w": gradients[:, i]}, structure={})["w"]
        for i in range(len(start))
    }
    return farthest({place: together[:, int(place)] for place in apart}, apart)


def _stacked() -> Case:
    return exact_case(
        replace(
            LEAVES,
            text="a stack of three $4 \\times 5$ matrices, gradients of full row rank",
            structure={"weight_dimension_numbers": MuonDimensionNumbers(1, 2)},
        ),
        _stack_sides,
        ExactIdentity,
        wrong("every axis a matrix axis", "the stack as one leaf with three axes", structure={}),
        wrong(
            "the wrong axis is the stack",
            "rows are taken for the entries of the stack",
            structure={"weight_dimension_numbers": MuonDimensionNumbers(0, 2)},
        ),
        what=WHAT,
    )


# --- S5: scales ---


def _scale_sides(setting: SoapSetting, factor: float = 1e6, **changes: Any) -> Sides:
    start, gradients = setting.given(*MATRIX)
    larger = {name: factor * leaf for name, leaf in gradients.items()}
    exact = setting.run(start, gradients, **changes)
    return farthest(setting.run(start, larger, **changes), exact)


def _scaled() -> Case:
    setting = replace(LEAVES, text="a $5 \\times 5$ leaf, gradients times $10^6$", epsilon=0.0)
    S5.require(setting.of(S5))
    return exact_case(
        setting,
        _scale_sides,
        ExactIdentity,
        wrong("eps = 0.001", "with an $\\epsilon$ that is seen", epsilon=1e-3),
        wrong(
            "gradients times -1", "a factor of the other sign turns the steps round", factor=-1.0
        ),
        what=WHAT,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/equivariance",
        title="Rotated gradients, rotated iterates",
        theorem=S2,
        prepare=_equivariance,
        x_label="case",
    ),
    Claim(
        id="soap/adam",
        title="Without bases it is Adam from the second gradient on",
        theorem=S3,
        prepare=_reduction,
        x_label="case",
    ),
    Claim(
        id="soap/stacked",
        title="A stack is its matrices",
        theorem=S4,
        prepare=_stacked,
        x_label="case",
    ),
    Claim(
        id="soap/scale",
        title="The scale of the gradients is not seen",
        theorem=S5,
        prepare=_scaled,
        x_label="case",
    ),
)
