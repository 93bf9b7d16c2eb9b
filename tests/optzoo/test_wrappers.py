"""Every plain transformation under every wrapper of optax, in every floating dtype.

Plain are those whose `update` evaluates no functions and needs no axis of workers. Wrappers are
found by looking through optax; one that is in neither of the two tables below fails.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import optzoo
from optzoo.conformance import Row
from optzoo.conformance.optimizers import ROWS
from optzoo.conformance.properties import DTYPES
from optzoo.conformance.row import compiled, gradient, start

pytestmark = pytest.mark.filterwarnings("ignore:params.* has 16 bits")

ITO_CHAIN = Row(
    "ito_chain",
    optzoo.ito_chain,
    {"learning_rate": 0.1, "noise": optzoo.rademacher_noise(), "diffusion": 0.01 * jnp.eye(6)}
    | {"key": jax.random.PRNGKey(0)},
)
# `ito_chain` has a row with an argument of `update`, which some wrappers do not pass on.
PLAIN = [
    ITO_CHAIN if row.make is optzoo.ito_chain else row
    for row in ROWS
    # Nor do they pass on functions, such as that of a line search.
    if not row.functions and "axis_name" not in row.kwargs and "value_fn" not in row.extras({})
]
# Their arguments are trees like the parameters, or matrices of their size: all leaves or none.
WHOLE = {"ito_chain", "soap-schedule", "stochastic_gradient_boosting"}


MIXED = ((jnp.float16, jnp.float32), (jnp.bfloat16, jnp.float64))
UNIFORM = tuple((dtype, dtype) for dtype in DTYPES)


class Wrapper(NamedTuple):
    """What goes around a row's transformation, and how a user calls it."""

    wrap: Callable[[Row], optax.GradientTransformation]
    start: Callable[[Any], Any] = lambda params: params
    point: Callable[[Any], Any] = lambda params: params  # where the gradient is taken
    dtypes: tuple[tuple[Any, Any], ...] = MIXED  # of the two leaves, one run each


def ascent() -> optax.GradientTransformation:
    return optax.chain(optax.contrib.normalize(), optax.sgd(0.01))


def with_raw_key(row: Row) -> Row:
    """`sam` resets the states inside it by a multiplication, which typed keys have not."""
    if "key" not in row.kwargs:
        return row
    return dataclasses.replace(row, kwargs={**row.kwargs, "key": jax.random.PRNGKey(0)})


def labels(row: Row) -> dict[str, str]:
    return {"w": "method", "b": "method" if row.name in WHOLE else "other"}


def partitioned(row: Row) -> optax.GradientTransformation:
    return optax.partition({"method": row.build(), "other": optax.sgd(0.1)}, labels(row))


def on_some(row: Row) -> dict[str, bool]:
    return {name: label == "method" for name, label in labels(row).items()}


def every_other(step: Any, *_: Any, **__: Any) -> Any:
    return step % 2 == 0


WRAPPERS = {
    "MultiSteps": Wrapper(lambda row: optax.MultiSteps(row.build(), 2).gradient_transformation()),
    "apply_if_finite": Wrapper(lambda row: optax.apply_if_finite(row.build(), 3)),
    "chain": Wrapper(
        lambda row: optax.chain(optax.clip_by_global_norm(1.0), row.build(), optax.trace(0.9))
    ),
    "conditionally_mask": Wrapper(lambda row: optax.conditionally_mask(row.build(), every_other)),
    "conditionally_transform": Wrapper(
        lambda row: optax.conditionally_transform(row.build(), every_other)
    ),
    "inject_hyperparams": Wrapper(lambda row: row.injected().build()),
    "lookahead": Wrapper(
        lambda row: optax.lookahead(row.build(), 2, 0.5),
        start=optax.LookaheadParams.init_synced,
        point=lambda params: params.fast,
    ),
    "masked": Wrapper(lambda row: optax.masked(row.build(), on_some(row))),
    # It divides by 1e-8, which is zero in float16: around `optax.sgd` its first step is NaN.
    "mechanize": Wrapper(lambda row: optax.contrib.mechanize(row.build()), dtypes=UNIFORM[1:]),
    "multi_transform": Wrapper(partitioned),
    "named_chain": Wrapper(
        lambda row: optax.named_chain(("method", row.build()), ("half", optax.scale(0.5)))
    ),
    "partition": Wrapper(partitioned),
    "sam": Wrapper(lambda row: optax.contrib.sam(with_raw_key(row).build(), ascent())),
    "schedule_free": Wrapper(lambda row: optax.contrib.schedule_free(row.build(), 0.1)),
    "selective_transform": Wrapper(
        lambda row: optax.selective_transform(
            row.build(), freeze_mask=jax.tree.map(lambda keep: not keep, on_some(row))
        )
    ),
    "split_real_and_imaginary": Wrapper(
        lambda row: optax.contrib.split_real_and_imaginary(row.build())
    ),
    "with_extra_args_support": Wrapper(lambda row: optax.with_extra_args_support(row.build())),
}
EXCEPTIONS = {
    "inject_stateful_hyperparams": "a deprecated name of inject_hyperparams",
    "flatten": "joins all leaves in one vector: the trees and the matrices are no longer there",
    "galore": "hands over gradients of a lower rank than the parameters",
    "scale_by_galore": "as galore",
    "lbfgs": "takes a line search",
    "monitor": "takes measurements, which stand beside a method in a chain",
    "sophia": "takes an estimator of the Hessian's diagonal",
}


def parameters(dtypes: tuple[Any, Any]) -> dict[str, jax.Array]:
    params = start()
    return {"w": params["w"].astype(dtypes[0]), "b": params["b"].astype(dtypes[1])}


def loop(row: Row, wrapper: Wrapper) -> tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]:
    """What a user writes: where it starts, and the body of a scan."""
    method = optax.with_extra_args_support(wrapper.wrap(row))

    def first(params: Any) -> Any:
        params = wrapper.start(params)
        return params, method.init(params)

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        params, state = carry
        updates, state = method.update(gradient(wrapper.point(params)), state, params)
        updates = jax.tree.map(lambda u: jnp.asarray(row.factor, u.dtype) * u, updates)
        return (optax.apply_updates(params, updates), state), None

    return first, step


def test_the_tables_hold_every_wrapper_of_optax():
    found = set()
    for module in (optax, optax.transforms, optax.contrib):
        for name, value in vars(module).items():
            if name.startswith("_") or not callable(value):
                continue
            try:
                arguments = inspect.signature(value).parameters.values()
            except ValueError:  # a type of C
                continue
            if any("GradientTransformation" in str(one.annotation) for one in arguments):
                found.add(name)
    assert found == set(WRAPPERS) | set(EXCEPTIONS)


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_method_can_be_scanned_in_every_dtype(name):
    """Traced, which finds every dtype and every structure that does not fit."""
    wrapper = WRAPPERS[name]
    for row in PLAIN:
        first, step = loop(row, wrapper)
        for dtypes in wrapper.dtypes:
            carry = first(parameters(dtypes))
            after, _ = jax.eval_shape(lambda c, step=step: jax.lax.scan(step, c, length=2), carry)
            before = jax.tree.map(lambda leaf: leaf.dtype, carry[0])
            assert jax.tree.map(lambda leaf: leaf.dtype, after[0]) == before, row.name


# Every wrapper, every method and every dtype, but not all of their combinations.
RUNS = [
    (name, PLAIN[place % len(PLAIN)], WRAPPERS[name].dtypes[place % 2])
    for place, name in enumerate(WRAPPERS)
]


@pytest.mark.parametrize(
    ("name", "row", "dtypes"), RUNS, ids=[f"{name}-{row.name}" for name, row, _ in RUNS]
)
def test_a_scan_and_a_python_loop_take_the_same_steps(name, row, dtypes):
    first, step = loop(row, WRAPPERS[name])
    carry = first(parameters(dtypes))
    scanned, _ = compiled(lambda carry: jax.lax.scan(step, carry, length=3))(carry)
    for _ in range(3):
        carry, _ = step(carry, None)
    pairs = zip(jax.tree.leaves(carry[0]), jax.tree.leaves(scanned[0]), strict=True)
    # What a method does with all leaves together, such as a norm, has the coarsest round-off.
    coarsest = max(float(jnp.finfo(dtype).eps) for dtype in dtypes)
    for one, other in pairs:
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one.astype(float), other.astype(float), atol=8 * coarsest)
    assert {leaf.dtype for leaf in jax.tree.leaves(carry[0])} == {jnp.dtype(d) for d in dtypes}


@pytest.mark.parametrize("given", [jnp.float32, jnp.bfloat16])
def test_updates_have_the_dtypes_of_the_parameters_whatever_the_gradients_have(given):
    """Shampoo's are tested with it; those of `reshaped` are those of what it is around."""
    params = parameters((jnp.bfloat16, jnp.float32))
    for row in PLAIN:
        if row.make is optzoo.shampoo:
            continue
        method = row.build()
        state = method.init(params)

        def update(params: Any, state: Any, method: Any = method) -> Any:
            grads = jax.tree.map(lambda g: g.astype(given), gradient(params))
            return method.update(grads, state, params)

        updates, after = jax.eval_shape(update, params, state)
        wanted = params
        if row.make is optzoo.reshaped:
            inner = row.kwargs["inner"]
            wanted, _ = jax.eval_shape(partial(update, method=inner), params, inner.init(params))
        assert {name: leaf.dtype for name, leaf in updates.items()} == {
            name: leaf.dtype for name, leaf in wanted.items()
        }, row.name
        if row.make is optzoo.reshaped:
            continue  # nor does optax's momentum keep its dtype here
        for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
            assert old.dtype == new.dtype, row.name
