# SPDX-License-Identifier: Apache-2.0
"""What an optax transformation must do wherever optax and JAX may call it."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .property import Property, Violation, require, require_same_layout
from .row import TARGET, Row, Subject, compiled, gradient, start, uncompiled
from .state_layouts import STATE_LAYOUTS

__all__ = ["CALLABLE", "PROPERTIES", "Property", "Violation"]

DTYPES = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)


# Compiled sums have another round-off, which a division by small numbers and the eigenvectors of
# nearly singular matrices make larger: 5e-10 was seen.
SAME = 1e-8


def _require_close(a: Any, b: Any, atol: float, what: str) -> None:
    """Both trees agree to `atol`, leaf by leaf."""
    differences = jax.tree.leaves(
        jax.tree.map(lambda x, y: np.max(np.abs(np.asarray(x) - np.asarray(y))), a, b)
    )
    worst = max(differences)
    require(worst <= atol, f"{what} differ by {worst:.3g}")


def _require_finite(params: Any, when: str) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        bad = int(jnp.sum(~jnp.isfinite(leaf)))
        where = f"params{jax.tree_util.keystr(path)}"
        require(bad == 0, f"{bad} of the {leaf.size} numbers in {where} are not finite {when}")


# --- How it is called ---


def _can_be_called(subject: Subject) -> None:
    updates = subject.first_update
    found: Any = jax.tree.structure(updates)
    expected: Any = jax.tree.structure(start())
    require(found == expected, f"updates have the structure {found}, parameters {expected}")


def _descends(subject: Subject) -> None:
    last = gradient(subject.path[-1])
    error = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(last))
    require(error < 0.15, f"after 300 steps it is {error:.3g} from the minimum, 0.3 at the start")


def _same_under_jit(subject: Subject) -> None:
    with_jit = subject.path[4]
    _require_close(with_jit, subject.eager_path[4], SAME, "4 steps with and without jit")


def _compiled_once(subject: Subject) -> None:
    params = start(jnp.float32)
    before = (params, subject.method.init(params))
    after = jax.eval_shape(subject.advance, *before)
    require_same_layout(before[1], after[1], "in the first step")
    assert subject.path
    require(subject.traces == 1, f"{subject.traces} compilations in 300 steps of one loop")


def _in_loops_and_branches(subject: Subject, dtype: Any) -> None:
    params = start(dtype)
    carry = (params, subject.method.init(params))

    def loop(carry: Any, flag: jax.Array) -> Any:
        def five(carry: Any) -> Any:
            return jax.lax.fori_loop(0, 5, lambda _, c: subject.advance(*c), carry)

        return jax.lax.cond(flag, five, lambda carry: carry, carry)

    shapes = jax.eval_shape(loop, carry, True)
    for old, new in zip(jax.tree.leaves(carry), jax.tree.leaves(shapes), strict=True):
        require((old.shape, old.dtype) == (new.shape, new.dtype), f"{old} becomes {new}")
    # Wider ones are run by other properties. bfloat16 has float32's range, and no numbers of its
    # own to overflow: that every operation exists in it is found by lowering.
    if jnp.dtype(dtype) == jnp.float16:
        _require_finite(compiled(loop)(carry, True)[0], "after 5 steps in float16")
    elif jnp.dtype(dtype) == jnp.bfloat16:
        jax.jit(loop).lower(carry, True)


def _under_strict_promotion(subject: Subject, dtype: Any) -> None:
    def first(params: Any) -> Any:
        return subject.update(params, subject.method.init(params))[0]

    with jax.numpy_dtype_promotion("strict"):
        updates = jax.eval_shape(first, start(dtype))
    found = {leaf.dtype for leaf in jax.tree.leaves(updates)}
    own = jnp.dtype(dtype)
    require(found == {own}, f"updates of {own} parameters have {_join(found)}")


def _join(dtypes: set[Any]) -> str:
    return ", ".join(sorted(map(str, dtypes)))


def _same_under_vmap(subject: Subject) -> None:
    shifts = (0.0, 0.01, -0.02)
    batch = jax.tree.map(lambda p: jnp.stack([p + shift for shift in shifts]), start())

    def run(params: Any) -> Any:
        carry = (params, subject.method.init(params))
        return jax.lax.fori_loop(0, 8, lambda _, c: subject.advance(*c), carry)[0]

    together = compiled(jax.vmap(run))(batch)
    for lane, shift in enumerate(shifts):
        params = jax.tree.map(functools.partial(jnp.add, shift), start())
        state = subject.method.init(params)
        for _ in range(8):
            params, state = subject.step(params, state)
        row = jax.tree.map(lambda leaf, lane=lane: leaf[lane], together)
        _require_close(row, params, SAME, f"8 steps of lane {lane} under vmap and alone")


def _survives_donation(subject: Subject) -> None:
    step = compiled(subject.advance, donate_argnums=(0, 1))
    for _ in range(2):
        params = start(jnp.float32)
        state = subject.method.init(params)
        given = {id(leaf) for leaf in jax.tree.leaves(params)}
        for path, leaf in jax.tree_util.tree_leaves_with_path(state):
            place = f"state{jax.tree_util.keystr(path)}"
            require(id(leaf) not in given, f"{place} is the very array that init was given")
        for _ in range(3):
            params, state = step(params, state)
    _require_finite(params, "after 3 steps with donated buffers")


def _takes_shapes(subject: Subject) -> None:
    method, params = subject.method, start(jnp.float32)
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
    state = method.init(params)
    for given in (method.init(shapes), jax.eval_shape(method.init, params)):
        for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(given), strict=True):
            require(
                (old.shape, old.dtype) == (new.shape, new.dtype),
                f"init gives {old.dtype}{list(old.shape)} for arrays, "
                f"{new.dtype}{list(new.shape)} for their shapes",
            )
    marked = optax.tree_utils.tree_map_params(
        method, lambda leaf: "param", state, is_leaf=_is_absent
    )
    found = [leaf for leaf in jax.tree.leaves(marked) if isinstance(leaf, str)]
    require(
        len(found) % len(TARGET) == 0,
        f"{len(found)} places of the state follow the {len(TARGET)} parameters",
    )


def _is_absent(node: Any) -> bool:
    """The place of a parameter that has no such part, or, as in `optax.partition`, none at all."""
    return node is None or isinstance(node, optax.MaskedNode)


def _state_of_arrays(subject: Subject) -> None:
    state = subject.method.init(start())
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        require(
            isinstance(leaf, jax.Array),
            f"state{jax.tree_util.keystr(path)} is {leaf!r}, a {type(leaf).__name__}",
        )
    require(isinstance(state, tuple), f"the state is a {type(state).__name__}")


# --- Under optax's wrappers ---


def _ignores_unknown_arguments(subject: Subject) -> None:
    with jax.disable_jit():
        state = subject.method.init(start())
        more, _ = subject.update(start(), state, unknown=1.0, anything="else")
    _require_close(subject.first_update, more, 0.0, "updates with and without unknown arguments")


def _in_a_chain(subject: Subject) -> None:
    chain = optax.chain(subject.method, optax.scale(0.5))
    extras = subject.row.extras(start())
    with jax.disable_jit():
        updates, _ = chain.update(gradient(start()), chain.init(start()), start(), **extras)
    halves = jax.tree.map(lambda update: 0.5 * update, subject.first_update)
    _require_close(updates, halves, 0.0, "half the updates, and those of a chain with scale(0.5),")


def _with_injected_hyperparameters(subject: Subject) -> None:
    injected = Subject(subject.row.injected())
    jax.eval_shape(injected.advance, start(), injected.method.init(start()))  # as under jit
    params = injected.eager_path[4]
    _require_close(params, subject.eager_path[4], SAME, "4 steps with and without it")


def _injection_keeps_the_layout(subject: Subject) -> None:
    inner: Any = jax.tree.structure(
        Subject(subject.row.injected()).method.init(start()).inner_state
    )
    plain: Any = jax.tree.structure(subject.method.init(start()))
    require(inner == plain, f"{plain} becomes {inner}")


def _is_no_constructor(row: Row) -> str | None:
    return "needs the constructor, not its result" if row.static_args is None else None


def _in_multi_steps(subject: Subject) -> None:
    gathered = optax.MultiSteps(subject.method, every_k_schedule=2, accumulator_dtype=jnp.float64)

    def step(params: Any, state: Any) -> tuple[Any, Any]:
        extras = subject.row.extras(params)
        updates, state = gathered.update(gradient(params), state, params, **extras)
        updates = jax.tree.map(lambda update: subject.row.factor * update, updates)
        return optax.apply_updates(params, updates), state

    jax.eval_shape(step, start(), gathered.init(start()))  # as under jit
    params = uncompiled(step, gathered.init, 6)[6]
    _require_close(params, subject.eager_path[3], SAME, "3 steps, and 6 halves of steps,")


def _evaluates_gradients(row: Row) -> str | None:
    if row.functions:
        return f"calls {' and '.join(row.functions)} itself, beside the averaged gradients"
    if callable(row.arguments):
        return "its extra arguments belong to one call, not to the averaged gradients"
    return None


# --- What it says of mistakes ---


@contextmanager
def _error(*words: str) -> Iterator[None]:
    """What is done inside must raise a ValueError that has these words."""
    expected = "a ValueError that has " + " and ".join(f"'{word}'" for word in words)
    try:
        yield
    except ValueError as error:
        missing = [word for word in words if word not in str(error)]
        require(not missing, f"expected {expected}, got: {error}")
    except Exception as error:
        raise Violation(f"expected {expected}, got {type(error).__name__}: {error}") from error
    else:
        raise Violation(f"expected {expected}, but nothing was said")


def _names_mistakes(subject: Subject) -> None:
    params = start()
    state, extras = subject.method.init(params), subject.row.extras(params)

    def update(updates: Any, params: Any, extras: dict[str, Any]) -> None:
        # Traced and not run: what is wrong with a tree or a shape is known without numbers.
        jax.eval_shape(lambda u: subject.method.update(u, state, params, **extras), updates)

    if subject.row.needs_params:
        with _error("params"):
            update(gradient(params), None, extras)
    with _error("updates", "structure"):
        update({"w": params["w"]}, params, extras)
    with _error("updates['b']", "shape"):
        update({**params, "b": jnp.zeros(3)}, params, extras)
    for name in extras:
        with _error(f"`{name}` is missing"):
            update(gradient(params), params, {k: v for k, v in extras.items() if k != name})
    for name in subject.row.functions:
        with _error(f"result of {name}", "structure"):
            update(gradient(params), params, {**extras, name: lambda p: {"w": p["w"]}})


CALLABLE = Property(
    "can be called",
    _can_be_called,
    "`init(params)` and `update(updates, state, params)` must work; extra arguments that `update` "
    "needs are given in a Row: functions=('grad_fn',) or arguments={...}.",
)
"""Without it nothing else can be asked."""

PROPERTIES: tuple[Property, ...] = (
    CALLABLE,
    Property(
        "descends on a quadratic",
        _descends,
        "give the row a larger (or smaller) step; updates are added to the parameters, so they "
        "must point against the gradient.",
    ),
    Property(
        "same with and without jit",
        _same_under_jit,
        "no `if`, `float()` or `.item()` on an array, no state outside the state: use jnp.where or "
        "jax.lax.cond, and return what changes.",
    ),
    Property(
        "compiled once",
        _compiled_once,
        "`update` must return a state with the structure, shapes and dtypes that `init` gave it: "
        "make scalars with a dtype, such as jnp.zeros([], jnp.int32), and cast back what widens.",
    ),
    Property(
        "state is a tree of arrays",
        _state_of_arrays,
        "a NamedTuple whose numbers are arrays, such as jnp.zeros([], jnp.int32); settings belong "
        "into the constructor's closure.",
    ),
    Property(
        "init takes shapes and placeholders",
        _takes_shapes,
        "`init` may look at shapes and dtypes only: jnp.zeros_like(p) instead of 0 * p, and no "
        "values of the parameters where none are needed.",
    ),
    *(
        Property(
            f"loops and branches, {jnp.dtype(dtype)}",
            functools.partial(_in_loops_and_branches, dtype=dtype),
            "the state's leaves must keep their dtypes: cast to the dtype of the leaf before it is "
            "stored. A NaN in 16 bits is often an eps that rounds to 0.",
        )
        for dtype in DTYPES
    ),
    *(
        Property(
            f"strict promotion, {jnp.dtype(dtype)}",
            functools.partial(_under_strict_promotion, dtype=dtype),
            "two arrays of different dtypes meet: name the dtype of every array that you make, "
            "such as jnp.asarray(0.9, g.dtype).",
            advice=True,
        )
        for dtype in DTYPES
    ),
    Property(
        "vmap equals separate runs",
        _same_under_vmap,
        "nothing may be summed over an axis that is not the leaf's own, and nothing kept outside "
        "the state.",
    ),
    Property(
        "survives donation",
        _survives_donation,
        "the state must not hold the arrays that `init` was given, nor one array twice, nor arrays "
        "of the constructor: copy them, jax.tree.map(jnp.copy, params).",
    ),
    Property(
        "unknown arguments are ignored",
        _ignores_unknown_arguments,
        "`update(updates, state, params=None, **extra_args)`, in a "
        "GradientTransformationExtraArgs.",
    ),
    Property(
        "before others in a chain",
        _in_a_chain,
        "`update` must return its updates, and change nothing by reference.",
    ),
    Property(
        "same under inject_hyperparams",
        _with_injected_hyperparameters,
        "numbers arrive as tracers and callables as schedules: check values only where they are "
        "concrete, and name structural arguments in the row's static_args.",
        does_not_apply=_is_no_constructor,
    ),
    Property(
        "inject_hyperparams keeps the layout",
        _injection_keeps_the_layout,
        "count the steps with a constant as with a schedule, so that one can replace the other in "
        "a checkpoint.",
        advice=True,
        does_not_apply=_is_no_constructor,
    ),
    Property(
        "same under MultiSteps",
        _in_multi_steps,
        "the averaged gradient is all that `update` sees; it must not count calls by itself.",
        does_not_apply=_evaluates_gradients,
    ),
    Property(
        "mistakes are named",
        _names_mistakes,
        "look at the arguments before computing with them, and say what was given and what is "
        "allowed.",
        advice=True,
    ),
    *STATE_LAYOUTS,
)
"""Everything that is checked, in order."""
