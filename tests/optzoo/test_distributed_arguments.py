"""What the methods for distributed variational inequalities say of mistakes."""

import functools
import inspect

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.sharding import AxisType, PartitionSpec

import optzoo
from optzoo.compressors import Identity, NaturalCompression, PermK, RandK, SampledClients, TopK

from .distributed import ARGUMENTS, COINS, EVALUATE, HAVE_A_SERVER, compressor_of, method
from .workers import AXIS, unequal_operators

every_method = pytest.mark.parametrize("name", ARGUMENTS)
evaluating = pytest.mark.parametrize("name", EVALUATE)
with_a_server = pytest.mark.parametrize("name", HAVE_A_SERVER)
compressing = pytest.mark.parametrize(
    "name", [name for name in ARGUMENTS if compressor_of(name) is not None]
)


def a_step(name):
    """Every step size is refused alike."""
    return [
        (0.0, ValueError, rf"{name} must be positive and finite, got 0\.0"),
        (float("inf"), ValueError, rf"{name} must be positive and finite, got inf"),
        (optax.constant_schedule(0.1), TypeError, rf"{name} must be one positive.*not a schedule"),
        ("long", TypeError, rf"{name} must be a real number, got 'long'"),
        (jnp.ones(2), TypeError, rf"{name} must be one number, got an array of shape \(2,\)"),
    ]


BAD = {
    **{name: a_step(name) for name in ("gamma", "theta", "eta", "local_step")},
    "local_steps": [
        (0, ValueError, r"local_steps must be an integer of at least 1, got 0"),
        (1.5, TypeError, r"local_steps must be an integer, got 1\.5"),
    ],
    "alpha": [
        (-0.1, ValueError, r"alpha must be finite and at least 0, got -0\.1"),
        (None, TypeError, r"alpha must be a real number, got None"),
    ],
    "momentum": [
        (-0.1, ValueError, r"momentum must lie in \[0, 1\], got -0\.1"),
        (1.5, ValueError, r"momentum must lie in \[0, 1\], got 1\.5"),
        (True, TypeError, r"momentum must be a real number, got True"),
    ],
    "refresh_probability": [
        (0.0, ValueError, r"refresh_probability must lie in \(0, 1\], got 0"),
        (1.5, ValueError, r"refresh_probability must lie in \(0, 1\], got 1\.5"),
    ],
    "optimism": [
        (-0.1, ValueError, r"optimism must lie in \[0, 1\], got -0\.1"),
        (1.1, ValueError, r"optimism must lie in \[0, 1\], got 1\.1"),
    ],
    "compressor": [
        (4, TypeError, r"compressor must be one of optzoo.compressors, such as .*got 4"),
        (None, TypeError, r"compressor must be one of optzoo.compressors.*got None"),
    ],
    "clients": [
        (PermK(4), TypeError, r"clients must be an optzoo.compressors.SampledClients, got PermK"),
    ],
    "axis_name": [
        (0, TypeError, r"axis_name must be the name of one axis, a string, got 0"),
        (("a", "b"), TypeError, r"axis_name must be the name of one axis.*got \('a', 'b'\)"),
    ],
    "project": [(1.0, TypeError, r"project must be a function of a point, got 1\.0")],
    "key": [(0, TypeError, r"key must be a PRNG key such as jax.random.key\(0\), got 0")],
}


def parameters_of(name):
    return list(inspect.signature(getattr(optzoo, name)).parameters)


@pytest.mark.parametrize(
    ("name", "argument"), [(name, arg) for name in ARGUMENTS for arg in parameters_of(name)]
)
def test_bad_arguments_are_named(name, argument):
    for value, error, message in BAD[argument]:
        with pytest.raises(error, match=f"^{message}"):
            method(name, **{argument: value})


def call(name, workers=4, operator=lambda u: u, updates=lambda z: z, state=None, **changes):
    """Traces a step on `workers` workers; `extras` of `changes` are those of `update`."""
    extras, z = changes.pop("extras", {}), jnp.ones(4)
    one = method(name, **changes)
    state = one.init(z) if state is None else state

    def update(_):
        return one.update(updates(z), state, z, operator_fn=operator, **extras)

    jax.eval_shape(jax.vmap(update, axis_name=AXIS), jnp.zeros(workers))


@every_method
def test_a_call_outside_of_the_axis_is_refused(name):
    one, z = method(name), jnp.ones(4)
    with pytest.raises(ValueError, match=r"^axis_name 'workers'.*there is none"):
        one.update(z, one.init(z), z, operator_fn=lambda u: u)


@every_method
def test_trees_that_do_not_match_are_refused(name):
    call(name)
    with pytest.raises(ValueError, match=r"^updates must have the tree structure of params"):
        call(name, updates=lambda z: {"z": z})
    with pytest.raises(ValueError, match=r"^updates must have the shape of the parameter, \(4,\)"):
        call(name, updates=lambda z: z[:2])
    with pytest.raises(ValueError, match=r"^state must be a \w+State, got a Traffic"):
        call(name, state=method("svogs").init(jnp.ones(4)).sent)
    with pytest.raises(TypeError, match=r"^params must be a real floating array, got an array of"):
        method(name).init(jnp.ones(3, jnp.complex64))
    one = method(name)
    with pytest.raises(ValueError, match=rf"^{name}: `params` is missing"):
        one.update(jnp.ones(4), one.init(jnp.ones(4)))


@every_method
def test_a_projection_to_elsewhere_is_refused(name):
    if "project" not in parameters_of(name):
        with pytest.raises(TypeError, match="project"):
            method(name, project=lambda u: u)
        return
    with pytest.raises(ValueError, match=r"^the result of project must have the shape"):
        call(name, project=lambda u: u[:1])
    with pytest.raises(ValueError, match=r"^the result of project must have the tree structure"):
        call(name, project=lambda u: (u, u))


@evaluating
def test_an_operator_that_is_missing_or_of_another_kind_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}: the extra argument `operator_fn` is missing"):
        call(name, operator=None)
    with pytest.raises(TypeError, match=r"^operator_fn must be a function of a point, got 3"):
        call(name, operator=3)
    with pytest.raises(ValueError, match=r"^the result of operator_fn must have the tree struct"):
        call(name, operator=lambda u: {"u": u})
    with pytest.raises(ValueError, match=r"^the result of operator_fn must have the shape"):
        call(name, operator=lambda u: u[:2])
    with pytest.raises(TypeError, match=r"^the result of operator_fn must hold real numbers"):
        call(name, operator=lambda u: 1j * u)


def test_optimistic_masha_evaluates_nothing():
    call("optimistic_masha", operator=None)


@with_a_server
def test_a_server_operator_of_another_kind_is_refused(name):
    call(name, extras={"server_operator_fn": lambda u: u})
    with pytest.raises(TypeError, match=r"^server_operator_fn must be a function of a point, got"):
        call(name, extras={"server_operator_fn": 1.0})
    with pytest.raises(ValueError, match=r"^the result of server_operator_fn must have the tree"):
        call(name, extras={"server_operator_fn": lambda u: (u, u)})
    with pytest.raises(ValueError, match=r"^the result of server_operator_fn must have the shape"):
        call(name, extras={"server_operator_fn": lambda u: u[0]})


@with_a_server
def test_a_server_operator_that_differs_between_devices_is_refused(name):
    one, z, problem = method(name), jnp.ones(4), unequal_operators(4, 4)
    mesh = jax.make_mesh((4,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:4])

    def step(same, rows):
        operator = functools.partial(problem.of, jax.tree.map(lambda leaf: leaf[0], rows))
        server = functools.partial(problem.of, same) if same else operator
        return one.update(
            operator(z), one.init(z), z, operator_fn=operator, server_operator_fn=server
        )[0]

    def traced(same):
        specs = {"in_specs": PartitionSpec(AXIS), "out_specs": PartitionSpec()}
        on_all = jax.shard_map(functools.partial(step, same), mesh=mesh, **specs)
        jax.eval_shape(on_all, problem.data)

    traced(jax.tree.map(lambda rows: rows[0], problem.data))
    with pytest.raises(ValueError, match=r"^server_operator_fn must be the same.*'workers'\."):
        traced(None)


@compressing
def test_a_compressor_for_another_number_of_workers_is_refused(name):
    words = r"num_workers = 4, but the axis 'workers' has 5\."
    with pytest.raises(ValueError, match=words):
        call(name, workers=5)


def test_masha2_refuses_what_does_not_contract():
    for compressor, words in (
        (PermK(4), r"PermK.* is not contractive: its variance omega = 3 is not below 1\."),
        (RandK(2, 4), r"RandK.* is not contractive: its variance omega = 1 is not below 1\."),
        (TopK(5, 4), r"num_coordinates.*at most the dimension"),
    ):
        with pytest.raises(ValueError, match=words):
            call("masha2", compressor=compressor)
    for compressor in (TopK(4, 4), RandK(3, 4), Identity(4), NaturalCompression(4)):
        call("masha2", compressor=compressor)


@pytest.mark.parametrize("name", ["masha1", "optimistic_masha"])
def test_unbiased_methods_refuse_a_biased_compressor(name):
    with pytest.raises(ValueError, match=r"TopK.* is biased"):
        call(name, compressor=TopK(1, 4))
    call(name, compressor=RandK(1, 4))


# --- What was sent ---


@every_method
def test_what_was_sent_is_asked_with_the_compressor_of_the_method(name):
    z, compressor = jnp.ones(6), compressor_of(name)
    state = optax.chain(method(name), optax.scale(0.5)).init(z)
    other, words = TopK(1, 4), r"^compressor must be None: this method has none; got TopK"
    if compressor is not None:
        other, words = None, r"^compressor must be one of optzoo.compressors.*got None"
    for sent in (optzoo.numbers_sent, optzoo.bytes_sent):
        assert sent(state, z, compressor) == (0.0, 0.0, 0.0)
        with pytest.raises(TypeError, match=words):
            sent(state, z, other)
        with pytest.raises(ValueError, match=r"holds 0\.$"):
            sent(state[1], z, compressor)
        with pytest.raises(ValueError, match=r"holds 2\.$"):
            sent((state, state), z, compressor)
    assert optzoo.communication_rounds(state) == 0
    with pytest.raises(ValueError, match=r"holds 2\.$"):
        optzoo.communication_rounds((state, state))


@every_method
def test_counters_times_sizes(name):
    z, compressor = {"x": jnp.ones((2, 3), jnp.bfloat16), "y": jnp.ones(2)}, compressor_of(name)
    state = method(name).init(z)
    counted = state.sent._replace(
        rounds=jnp.int32(9), vectors=jnp.int32(3), broadcasts=jnp.int32(5)
    )
    message = 0.0
    if compressor is not None:
        counted = counted._replace(messages=jnp.int32(7))
        message = 7 * {PermK: 2.0, TopK: 4.0, SampledClients: 4.0}[type(compressor)]
    state = state._replace(sent=counted)
    assert optzoo.communication_rounds(state) == 9
    assert optzoo.numbers_sent(state, z, compressor) == (message, 24.0, 40.0)
    # 16-bit leaves are sent as float32; two indices of TopK have 4 bytes each
    bytes_of = jax.jit(lambda s: optzoo.bytes_sent(s, z, compressor))(state)
    wide = message * 8 if not isinstance(compressor, TopK) else 7 * 2 * (8 + 4)
    assert bytes_of == (wide, 3 * (6 * 4 + 2 * 8), 5 * (6 * 4 + 2 * 8))


def test_counters_of_three_pillars_are_read_as_those_of_the_others():
    """A broadcast of it is of two vectors, a refresh a round of its own."""
    three_pillars = optzoo.three_pillars(
        0.1, 0.1, 3, **COINS, compressor=PermK(4), axis_name=AXIS, key=jax.random.key(0)
    )
    z = jnp.ones(10)
    state = three_pillars.init(z)._replace(
        steps=jnp.int32(8), refreshes=jnp.int32(2), broadcasts=jnp.int32(5)
    )
    assert optzoo.numbers_sent(state, z, PermK(4)) == (8 * 3.0, 2 * 10.0, 5 * 2 * 10.0)
    assert optzoo.communication_rounds(state) == 8 + 2


def test_specs_are_asked_with_the_name_of_an_axis():
    with pytest.raises(TypeError, match=r"^axis_name must be the name of one axis"):
        optzoo.worker_specs(method("svogs"), jnp.ones(3), None)


def test_the_specs_are_those_of_a_method():
    state = method("svogs").init(jnp.ones(3))
    with pytest.raises(TypeError, match="method must be an optax transformation, got SvogsState"):
        optzoo.worker_specs(state, jnp.ones(3), "workers")
