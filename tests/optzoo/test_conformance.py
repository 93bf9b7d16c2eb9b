"""What every optimizer of the package must do as an optax transformation: one row each."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo

DTYPES = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)
TARGET = {"w": np.array([[0.1, -0.2], [0.3, 0.0]]), "b": np.array([0.05, -0.1])}


@dataclass(frozen=True)
class Row:
    """An optimizer: how it is made, and the extra arguments its update takes."""

    name: str
    make: Callable[..., optax.GradientTransformationExtraArgs]
    kwargs: dict[str, Any]
    functions: tuple[str, ...] = ()  # extra arguments that evaluate a gradient
    arguments: dict[str, Any] = field(default_factory=dict)  # further ones, or other functions
    needs_params: bool = True
    keeps_16_bits: bool = False  # updates of 16-bit leaves in their own dtype, not in float32
    factor: float = 1.0  # what the updates are multiplied with before they are added

    def build(self) -> optax.GradientTransformationExtraArgs:
        method = self.make(**self.kwargs)
        axis_name = self.kwargs.get("axis_name")
        return method if axis_name is None else on_one_worker(method, axis_name)

    def extras(self) -> dict[str, Any]:
        return {**dict.fromkeys(self.functions, gradient), **self.arguments}


ROWS = (
    Row(
        "frank_wolfe",
        optzoo.frank_wolfe,
        {"constraint": optzoo.lmo.l1_ball(1.0), "learning_rate": 0.1},
    ),
    Row(
        "frank_wolfe-schedule",
        optzoo.frank_wolfe,
        {
            "constraint": optzoo.lmo.l2_ball(1.0),
            "learning_rate": optzoo.open_loop_schedule(),
        },
    ),
    Row(
        "sarah_frank_wolfe",
        optzoo.sarah_frank_wolfe,
        {
            "constraint": optzoo.lmo.l1_ball(1.0),
            "learning_rate": 0.1,
            "restart_probability": 0.3,
            "key": jax.random.key(0),
        },
        functions=("grad_fn", "full_grad_fn"),
    ),
    Row(
        "sarah_frank_wolfe-raw-key-schedule",
        optzoo.sarah_frank_wolfe,
        {
            "constraint": optzoo.lmo.box(-1.0, 1.0),
            "learning_rate": optzoo.stich_schedule(50, 0.3),
            "restart_probability": 0.3,
            "key": jax.random.PRNGKey(0),
        },
        functions=("grad_fn", "full_grad_fn"),
    ),
    Row(
        "saga_sarah_frank_wolfe",
        optzoo.saga_sarah_frank_wolfe,
        {"constraint": optzoo.lmo.l1_ball(1.0), "learning_rate": 0.1, "num_samples": 3},
        functions=("sample_grads_fn",),
        arguments={"indices": jnp.array([2, 0, 1]), "sample_grads_fn": lambda p: three_rows(p)},
    ),
    Row(
        "saga_sarah_frank_wolfe-mixing-schedule",
        optzoo.saga_sarah_frank_wolfe,
        {
            "constraint": optzoo.lmo.box(-1.0, 1.0),
            "learning_rate": optzoo.open_loop_schedule(),
            "num_samples": 3,
            "mixing": 0.7,
        },
        functions=("sample_grads_fn",),
        arguments={"indices": jnp.array([2, 0, 1]), "sample_grads_fn": lambda p: three_rows(p)},
    ),
    Row(
        "randomized_gd",
        optzoo.randomized_gd,
        {"learning_rate": 0.1},
        needs_params=False,
    ),
    Row(
        "randomized_accelerated_gd",
        optzoo.randomized_accelerated_gd,
        {"learning_rate": 0.3, "strong_convexity": 0.5, "momentum_scale": 0.9},
    ),
    Row(
        "randomized_extragradient",
        optzoo.randomized_extragradient,
        {"learning_rate": 0.1},
    ),
    # The first gradient is diagonal in its own basis: such an eps hides the round-off beside it.
    Row("soap", optzoo.soap, {"learning_rate": 0.01, "eps": 1e-3}, keeps_16_bits=True),
    Row(
        "soap-schedule",
        optzoo.soap,
        {
            "learning_rate": optax.linear_schedule(0.0, 0.01, 10),
            "shampoo_beta": 0.9,
            "mask": {"w": True, "b": False},
            "precondition_frequency": 2,
            "precondition_1d": True,
        },
        keeps_16_bits=True,
    ),
    Row(
        "scale_by_soap",
        optzoo.scale_by_soap,
        {"max_precond_dim": 2, "precondition_frequency": 3},
        needs_params=False,
        keeps_16_bits=True,
        factor=-0.01,
    ),
    Row(
        "shampoo",
        optzoo.shampoo,
        {"learning_rate": 0.01, "eps": 1e-2},
        needs_params=False,
        keeps_16_bits=True,
    ),
    Row(
        "shampoo-grafted",
        optzoo.shampoo,
        {
            "learning_rate": optax.linear_schedule(0.0, 0.01, 10),
            "eps": 1e-2,
            "beta": 0.9,
            "momentum": 0.9,
            "precondition_frequency": 2,
            "graft": optax.identity(),
        },
        needs_params=False,
        keeps_16_bits=True,
    ),
    Row(
        "three_pillars",
        optzoo.three_pillars,
        {
            "gamma": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "compressor": optzoo.compressors.PermK(1),
            "axis_name": "workers",
            "key": jax.random.key(0),
        },
        functions=("operator_fn",),
    ),
    Row(
        "three_pillars_partial_participation",
        optzoo.three_pillars_partial_participation,
        {
            "gamma": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "clients": optzoo.compressors.SampledClients(1, 1),
            "axis_name": "workers",
            "key": jax.random.PRNGKey(0),
        },
        functions=("operator_fn",),
    ),
    Row(
        "ito_chain",
        optzoo.ito_chain,
        {
            "learning_rate": 0.1,
            "noise": optzoo.rademacher_noise(),
            "diffusion": None,
            "gamma": 0.5,
            "key": jax.random.key(0),
        },
        arguments={"diffusion": 0.01 * jnp.eye(6)},
    ),
    Row(
        "sgld",
        optzoo.sgld,
        {
            "learning_rate": optax.exponential_decay(0.01, 100, 0.9),
            "temperature": 1e-6,
            "preconditioner": optzoo.rms_preconditioner(adaptation_steps=50),
            "key": jax.random.PRNGKey(0),
        },
    ),
    Row(
        "stochastic_gradient_boosting",
        optzoo.stochastic_gradient_boosting,
        {
            "learning_rate": 0.3,
            "cell_sizes": jax.tree.map(lambda leaf: jnp.full(leaf.shape, 1.0), TARGET),
            "temperature": 1e-4,
            "key": jax.random.key(0),
        },
    ),
)


def on_one_worker(
    method: optax.GradientTransformationExtraArgs, axis_name: str
) -> optax.GradientTransformationExtraArgs:
    """The method under an axis with one worker, so that it is called as all the others are."""

    def update(updates: Any, state: Any, params: Any = None, **extras: Any) -> Any:
        def alone(updates: Any, state: Any, params: Any) -> Any:
            return method.update(updates, state, params, **extras)

        mapped = jax.vmap(alone, None, None, axis_size=1, axis_name=axis_name)
        return mapped(updates, state, params)

    return optax.GradientTransformationExtraArgs(method.init, update)


every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def start(dtype: Any = jnp.float64) -> dict[str, jax.Array]:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), TARGET)


def gradient(params: Any) -> Any:
    return jax.tree.map(lambda p, t: p - jnp.asarray(t).astype(p.dtype), params, TARGET)


def three_rows(params: Any) -> Any:
    return jax.tree.map(lambda g: jnp.stack([g, g, g]), gradient(params))


def train(row: Row, params: Any, steps: int, *, jit: bool = True) -> tuple[Any, Any]:
    method = row.build()

    def step(params: Any, state: Any) -> tuple[Any, Any]:
        updates, state = method.update(gradient(params), state, params, **row.extras())
        updates = jax.tree.map(lambda u: row.factor * u, updates)
        return optax.apply_updates(params, updates), state

    step = jax.jit(step) if jit else step
    state = method.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


@every_row
def test_every_public_optimizer_has_a_row(row):
    assert getattr(optzoo, row.make.__name__) is row.make
    transformations = {
        name
        for name in optzoo.__all__
        if callable(getattr(optzoo, name))
        and getattr(optzoo, name).__annotations__.get("return")
        is optax.GradientTransformationExtraArgs
    }
    assert transformations == {row.make.__name__ for row in ROWS}


@every_row
def test_converges_on_a_quadratic_inside_the_set(row):
    params, _ = train(row, start(), 300)
    error = max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(gradient(params)))
    assert error < 0.15, params


@every_row
def test_unknown_extra_arguments_are_ignored(row):
    method, params = row.build(), start()
    updates, _ = method.update(gradient(params), method.init(params), params, **row.extras())
    with_more, _ = method.update(
        gradient(params), method.init(params), params, **row.extras(), loss=1.0, anything="else"
    )
    jax.tree.map(np.testing.assert_array_equal, updates, with_more)


@every_row
def test_the_second_call_does_not_recompile(row):
    method, params = row.build(), start(jnp.float32)
    traces = []

    @jax.jit
    def step(params, state):
        traces.append(1)
        updates, state = method.update(gradient(params), state, params, **row.extras())
        return optax.apply_updates(params, updates), state

    state = method.init(params)
    for _ in range(3):
        params, state = step(params, state)
    assert len(traces) == 1


@every_row
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_dtypes_and_state_are_stable_in_loops_and_branches(row, dtype):
    method, params = row.build(), start(dtype)

    def step(_, carry):
        params, state = carry
        updates, new = method.update(gradient(params), state, params, **row.extras())
        return optax.apply_updates(params, updates), new

    def maybe(carry):
        return jax.lax.cond(True, lambda c: step(0, c), lambda c: c, carry)

    carry = (params, method.init(params))
    after = maybe(jax.lax.fori_loop(0, 5, step, carry))
    for before_leaf, leaf in zip(jax.tree.leaves(carry), jax.tree.leaves(after), strict=True):
        assert (before_leaf.shape, before_leaf.dtype) == (leaf.shape, leaf.dtype)
    assert all(bool(jnp.all(jnp.isfinite(p))) for p in jax.tree.leaves(after[0]))


@every_row
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_update_survives_strict_promotion(row, dtype, strict_dtypes):
    method, params = row.build(), start(dtype)
    updates, _ = method.update(gradient(params), method.init(params), params, **row.extras())
    widened = jnp.dtype(dtype).itemsize == 2 and not row.keeps_16_bits
    wide = jnp.float32 if widened else dtype
    assert {u.dtype for u in jax.tree.leaves(updates)} == {jnp.dtype(wide)}


@every_row
def test_jit_equals_eager(row):
    compiled, _ = train(row, start(), 10)
    eager, _ = train(row, start(), 10, jit=False)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-13), compiled, eager)


@every_row
def test_inject_hyperparams_gives_the_same_run(row):
    plain, plain_state = train(row, start(), 20)
    injected = replace(row, make=optax.inject_hyperparams(row.make))
    params, state = train(injected, start(), 20)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-13), plain, params)
    assert jax.tree.structure(state.inner_state) == jax.tree.structure(plain_state)


@every_row
def test_works_before_other_transformations_in_a_chain(row):
    shrunk = optax.chain(row.build(), optax.scale(0.5))
    params = start()
    state = shrunk.init(params)
    updates, _ = shrunk.update(gradient(params), state, params, **row.extras())
    alone, _ = row.build().update(
        gradient(params), row.build().init(params), params, **row.extras()
    )
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, 0.5 * b), updates, alone)


@every_row
def test_init_takes_shapes_and_placeholders(row):
    method, params = row.build(), start(jnp.float32)
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
    from_shapes = method.init(shapes)
    for leaf, expected in zip(
        jax.tree.leaves(from_shapes), jax.tree.leaves(method.init(params)), strict=True
    ):
        assert (leaf.shape, leaf.dtype) == (expected.shape, expected.dtype)
    marked = optax.tree_utils.tree_map_params(method, lambda leaf: "param", method.init(params))
    found = [leaf for leaf in jax.tree.leaves(marked) if isinstance(leaf, str)]
    assert len(found) % len(TARGET) == 0
    evaluated = jax.eval_shape(method.init, params)
    assert jax.tree.structure(evaluated) == jax.tree.structure(method.init(params))


@every_row
def test_state_is_a_named_tuple_of_arrays(row):
    state = row.build().init(start())
    assert isinstance(state, tuple)
    assert hasattr(state, "_fields")
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


@every_row
def test_donation_leaves_the_transformation_usable(row):
    method = row.build()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state):
        updates, state = method.update(gradient(params), state, params, **row.extras())
        return optax.apply_updates(params, updates), state

    for _ in range(2):
        params = start()
        state = method.init(params)
        for _ in range(3):
            params, state = step(params, state)
    assert all(bool(jnp.all(jnp.isfinite(p))) for p in jax.tree.leaves(params))


@every_row
def test_vmap_equals_separate_runs(row):
    method = row.build()
    batch = jax.tree.map(lambda p: jnp.stack([p, p + 0.01, p - 0.02]), start())

    @jax.jit
    def run(params):
        def step(_, carry):
            params, state = carry
            updates, state = method.update(gradient(params), state, params, **row.extras())
            return optax.apply_updates(params, updates), state

        return jax.lax.fori_loop(0, 8, step, (params, method.init(params)))[0]

    together = jax.vmap(run)(batch)
    for lane in range(3):
        alone = run(jax.tree.map(lambda p, lane=lane: p[lane], batch))
        jax.tree.map(
            lambda a, b, lane=lane: np.testing.assert_allclose(a[lane], b, atol=1e-13),
            together,
            alone,
        )


@every_row
def test_missing_params_and_mismatched_gradients_are_named(row):
    method, params = row.build(), start()
    state = method.init(params)
    if row.needs_params:
        with pytest.raises(ValueError, match="params"):
            method.update(gradient(params), state, **row.extras())
    with pytest.raises(ValueError, match=r"updates.*structure"):
        method.update({"w": params["w"]}, state, params, **row.extras())
    with pytest.raises(ValueError, match=r"updates\['b'\].*shape"):
        method.update({**params, "b": jnp.zeros(3)}, state, params, **row.extras())
    for name in row.extras():
        left = {key: value for key, value in row.extras().items() if key != name}
        with pytest.raises(ValueError, match=f"`{name}` is missing"):
            method.update(gradient(params), state, params, **left)
    for name in row.functions:
        wrong = {**row.extras(), name: lambda p: {"w": p["w"]}}
        with pytest.raises(ValueError, match=f"result of {name}.*structure"):
            method.update(gradient(params), state, params, **wrong)
