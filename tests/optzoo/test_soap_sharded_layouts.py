"""SOAP on a mesh, in every layout and with every option: the numbers of one device."""

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.sharding import AxisType

from optzoo.soap import soap

from .test_soap_sharded import (
    NUMBERS,
    assert_as_on_one_device,
    difference,
    given,
    mesh_of,
    on,
    trajectory,
)

LAYOUTS = {  # mesh axes, and the axes of the mesh that split "w"
    "data parallel": (((4,), ("data",)), ()),
    "rows": (((4,), ("data",)), ("data",)),
    "columns": (((2,), ("model",)), (None, "model")),
    "data and tensor parallel": (((2, 2), ("data", "model")), (None, "model")),
    "eight": (((8,), ("data",)), ("data",)),
}


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_are_those_of_one_device(layout, kind):
    axes, split = LAYOUTS[layout]
    assert_as_on_one_device(mesh_of(*axes, kind), split)


@pytest.mark.parametrize(
    "options",
    [
        {"basis": "adaptive", "basis_tolerance": 0.3},
        {"factored": True, "stagger": True},
        {"one_sided": True, "factored": True, "basis": "cholesky"},
    ],
    ids=lambda options: ", ".join(options),
)
def test_options_are_those_of_one_device(options):
    shapes = {"w": (8, 8), "experts": (4, 3, 3), "odd": (5, 5)}
    numbers = {k: NUMBERS[k] for k in shapes}
    method = soap(0.01, precondition_frequency=2, weight_dimension_numbers=numbers, **options)
    start, *gradients = given(shapes)
    expected, expected_state = trajectory(method, start, gradients)
    mesh = mesh_of((4,), ("x",), AxisType.Explicit)
    split = [on(mesh, tree, ("x",)) for tree in (start, *gradients)]
    found, state = trajectory(method, split[0], split[1:])
    assert difference(found, expected) < 1e-11
    assert difference(state, expected_state) < 1e-11


def test_called_op_by_op_and_in_16_bits():
    start, *gradients = (
        jax.tree.map(lambda x: x.astype(jnp.bfloat16), tree) for tree in given({"w": (2, 4)}, 4)
    )
    method = soap(0.01, precondition_frequency=2)
    expected, _ = trajectory(method, start, gradients)
    mesh = mesh_of((2,), ("x",), AxisType.Auto)
    params = on(mesh, start, ("x",))
    state = method.init(params)
    for g in gradients:
        updates, state = method.update(on(mesh, g, ("x",)), state, params)
        params = optax.apply_updates(params, updates)
    assert params["w"].dtype == jnp.bfloat16
    assert difference(jax.tree.map(jnp.float32, params), jax.tree.map(jnp.float32, expected)) < 0.01
