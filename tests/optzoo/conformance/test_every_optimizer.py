"""Every optimizer of the package against every property of an optax transformation."""

import functools

import optax
import pytest

import optzoo
from optzoo.conformance import PROPERTIES, Row, Subject
from optzoo.conformance.optimizers import ROWS
from optzoo.conformance.row import start
from optzoo.conformance.state_layouts import STATE_LAYOUTS

SHAPES = "init takes shapes and placeholders"

# What the state's layout is held to: these are in use everywhere. The rest of what is asked of
# them would be a test of optax.
REFERENCES = (
    Row("optax.adamw", optax.adamw, {"learning_rate": 0.01}),
    Row("optax.contrib.muon", optax.contrib.muon, {"learning_rate": 0.01}),
)
ABOUT_STATES = [one for one in PROPERTIES if one.name == SHAPES or one in STATE_LAYOUTS]

# The step of `kl_shampoo` and `kl_soap` is the direction, times a rate: what a whole loop of such
# steps shows is shown of them.
DIRECTIONS = ("scale_by_kl_shampoo", "scale_by_kl_soap")
WHOLE_LOOPS = (
    "descends on a quadratic",
    "same with and without jit",
    "compiled once",
    *(f"loops and branches, {name}" for name in ("float16", "bfloat16", "float32", "float64")),
    "vmap equals separate runs",
    "survives donation",
    "same under inject_hyperparams",
    "same under MultiSteps",
)

# Whole loops of these are compared with NumPy step by step, under jit, in
# `test_distributed_methods.py`; what remains of them is in `test_long_loops.py`.
IN_LONG_TESTS = ("masha1", "masha2", "optimistic_masha")

# A row's tests stand together, so that they share its compiled programs.
EVERY_CELL = [
    (row, one)
    for rows, properties in ((ROWS, PROPERTIES), (REFERENCES, ABOUT_STATES))
    for row in rows
    for one in properties
    if one.does_not_apply(row) is None
    and not (row.name in DIRECTIONS and (one.name in WHOLE_LOOPS or one in STATE_LAYOUTS))
]


def is_long(row, one):
    return row.name in IN_LONG_TESTS and (one.name in WHOLE_LOOPS or one in STATE_LAYOUTS)


CELLS = [cell for cell in EVERY_CELL if not is_long(*cell)]


@functools.cache
def subject(row: Row) -> Subject:
    return Subject(row)


def test_what_is_left_out_exists():
    assert set(WHOLE_LOOPS) <= {one.name for one in PROPERTIES}
    assert set(DIRECTIONS) | set(IN_LONG_TESTS) <= {row.name for row in ROWS}


def test_every_public_optimizer_has_a_row():
    transformations = {
        name
        for name in optzoo.__all__
        if callable(getattr(optzoo, name))
        and getattr(optzoo, name).__annotations__.get("return")
        in (optax.GradientTransformationExtraArgs, "optax.GradientTransformationExtraArgs")
    }
    assert transformations == {row.make.__name__ for row in ROWS}
    assert all(getattr(optzoo, row.make.__name__) is row.make for row in ROWS)


@pytest.mark.filterwarnings("ignore:params.* has 16 bits")
@pytest.mark.parametrize(
    ("row", "one"), CELLS, ids=[f"{row.name}-{one.name}" for row, one in CELLS]
)
def test_conformance(row, one):
    one.check(subject(row))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_state_has_named_fields(row):
    assert hasattr(row.build().init(start()), "_fields")
