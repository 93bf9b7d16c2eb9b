"""Plain training loops as users write them, in flax and in equinox."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint
from flax import nnx

import optzoo

DATA = jax.random.normal(jax.random.key(0), (64, 4), jnp.float32)
TARGETS = jnp.sin(DATA[:, :1])


def batches(steps):
    for k in range(steps):
        yield jax.random.randint(jax.random.key(k), (8,), 0, 64)


def test_equinox_loop_with_a_product_of_sets():
    model = eqx.nn.MLP(4, 1, 8, 1, key=jax.random.key(1), dtype=jnp.float32)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    constraint = optzoo.lmo.box(-1.0, 1.0)
    method = optzoo.sarah_frank_wolfe(
        constraint, optzoo.open_loop_schedule(20.0), 0.1, key=jax.random.key(2)
    )

    def loss(params, rows):
        outputs = jax.vmap(eqx.combine(params, static))(DATA[rows])
        return jnp.mean((outputs - TARGETS[rows]) ** 2)

    @eqx.filter_jit
    def step(params, state, rows):
        updates, state = method.update(
            jax.grad(loss)(params, rows),
            state,
            params,
            grad_fn=lambda p: jax.grad(loss)(p, rows),
            full_grad_fn=lambda p: jax.grad(loss)(p, jnp.arange(64)),
        )
        return eqx.apply_updates(params, updates), state

    state, start = method.init(params), loss(params, jnp.arange(64))
    for rows in batches(300):
        params, state = step(params, state, rows)
    assert loss(params, jnp.arange(64)) < 0.5 * start
    assert all(bool(jnp.all(jnp.abs(leaf) <= 1)) for leaf in jax.tree.leaves(params))


def test_flax_loop():
    model = nnx.Linear(4, 1, rngs=nnx.Rngs(0), param_dtype=jnp.float32)
    graph, params = nnx.split(model)
    constraint = optzoo.lmo.l2_ball(3.0)
    method = optax.chain(
        optzoo.sarah_frank_wolfe(
            constraint, optzoo.open_loop_schedule(10.0), 0.2, key=jax.random.key(2)
        ),
        optax.scale(0.9),  # a shorter step stays in the set
    )

    def loss(params, rows):
        return jnp.mean((nnx.merge(graph, params)(DATA[rows]) - TARGETS[rows]) ** 2)

    @jax.jit
    def step(params, state, rows):
        updates, state = method.update(
            jax.grad(loss)(params, rows),
            state,
            params,
            grad_fn=lambda p: jax.grad(loss)(p, rows),
            full_grad_fn=lambda p: jax.grad(loss)(p, jnp.arange(64)),
        )
        return optax.apply_updates(params, updates), state

    state, start = method.init(params), loss(params, jnp.arange(64))
    for rows in batches(200):
        params, state = step(params, state, rows)
    assert loss(params, jnp.arange(64)) < 0.7 * start
    assert bool(constraint.contains(params))
    assert optzoo.gradient_calls(state, 64, 8) > 64


def test_equinox_convolutions_stay_in_their_balls():
    """Conditional gradient with kernels (out, in, height, width) as matrices (out, the rest)."""
    keys = jax.random.split(jax.random.key(3))
    model = eqx.nn.Sequential(
        [
            eqx.nn.Conv1d(1, 3, 2, key=keys[0], dtype=jnp.float32),
            eqx.nn.Lambda(lambda x: jnp.tanh(x).ravel()),
            eqx.nn.Linear(9, 1, key=keys[1], dtype=jnp.float32),
        ]
    )
    params, static = eqx.partition(model, eqx.is_inexact_array)
    constraint = optzoo.lmo.layerwise(1.5, 1.0, out_axis=0)
    method = optzoo.stochastic_conditional_gradient(
        constraint, optax.linear_schedule(0.1, 0.0, 300), 0.2
    )

    def loss(params, rows):
        outputs = jax.vmap(eqx.combine(params, static))(DATA[rows][:, None])
        return jnp.mean((outputs - TARGETS[rows]) ** 2)

    @eqx.filter_jit
    def step(params, state, rows):
        updates, state = method.update(jax.grad(loss)(params, rows), state, params)
        return eqx.apply_updates(params, updates), state

    state, start = method.init(params), loss(params, jnp.arange(64))
    for rows in batches(300):
        params, state = step(params, state, rows)
    assert loss(params, jnp.arange(64)) < 0.3 * start
    kernel = params.layers[0].weight.reshape(3, 2)
    assert 0.5 < jnp.linalg.norm(kernel, 2) <= 1.5 * (1 + 1e-5)
    assert bool(constraint.contains(params, atol=1e-5))


def test_flax_loop_of_sarah_frank_wolfe_on_the_sets_of_the_layers():
    class Network(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first = nnx.Conv(1, 4, (2,), rngs=rngs, param_dtype=jnp.float32)
            self.last = nnx.Linear(16, 1, rngs=rngs, param_dtype=jnp.float32)

        def __call__(self, x):
            hidden = jnp.tanh(self.first(x[:, :, None]))
            return self.last(hidden.reshape(len(x), -1))

    graph, params = nnx.split(Network(), nnx.Param)
    constraint = optzoo.lmo.layerwise(2.0)
    method = optzoo.sarah_frank_wolfe(
        constraint, optax.linear_schedule(0.05, 0.0, 200), 0.1, key=jax.random.key(2)
    )

    def loss(params, rows):
        return jnp.mean((nnx.merge(graph, params)(DATA[rows]) - TARGETS[rows]) ** 2)

    @jax.jit
    def step(params, state, rows):
        updates, state = method.update(
            jax.grad(loss)(params, rows),
            state,
            params,
            grad_fn=lambda p: jax.grad(loss)(p, rows),
            full_grad_fn=lambda p: jax.grad(loss)(p, jnp.arange(64)),
        )
        return optax.apply_updates(params, updates), state

    state, start = method.init(params), loss(params, jnp.arange(64))
    for rows in batches(200):
        params, state = step(params, state, rows)
    assert loss(params, jnp.arange(64)) < 0.3 * start
    assert bool(constraint.contains(params))


def test_flax_optimizer_is_compiled_once_and_goes_on_in_a_fresh_model(tmp_path):
    """SOAP and Shampoo on a layer each, so that each sees the other's as masked."""

    class Network(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first = nnx.Linear(4, 3, rngs=rngs, param_dtype=jnp.float32)
            self.second = nnx.Linear(3, 1, rngs=rngs, param_dtype=jnp.float32)

        def __call__(self, x):
            return self.second(jnp.tanh(self.first(x)))

    method = optax.partition(
        {
            "first": optzoo.soap(0.03, precondition_frequency=2, precondition_1d=True),
            "second": optzoo.shampoo(0.03, momentum=0.9, graft=optax.scale_by_adam()),
        },
        lambda params: jax.tree_util.tree_map_with_path(lambda path, _: path[0].key, params),
    )
    traces = 0

    @nnx.jit
    def step(model, optimizer):
        nonlocal traces
        traces += 1
        loss, grads = nnx.value_and_grad(lambda m: jnp.mean((m(DATA) - TARGETS) ** 2))(model)
        optimizer.update(model, grads)
        return loss

    def fresh():
        model = Network()
        return model, nnx.Optimizer(model, method, wrt=nnx.Param)

    def losses(trained, steps):
        return [float(step(*trained)) for _ in range(steps)]

    trained = fresh()
    losses(trained, 4)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", nnx.state(trained))
        checkpointer.wait_until_finished()
        restored = fresh()
        found = checkpointer.restore(tmp_path / "state", nnx.state(restored))
    nnx.update(restored, found)
    later = losses(trained, 4)
    assert losses(restored, 4) == later
    assert later[-1] < later[0] < losses(fresh(), 1)[0]
    assert traces == 1
