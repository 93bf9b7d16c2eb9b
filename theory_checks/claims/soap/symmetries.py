"""S2 to S5: rotations, no rotations, stacks and scales of what goes into SOAP."""

from collections.abc import Callable
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from optax.contrib import MuonDimensionNumbers

import optzoo

from ...checks import ExactIdentity
from ...claim import Case, Claim, Control
from .iterates import drifting_gradients, farthest, iterates
from .paper import soap_claim

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Make = Callable[..., optax.GradientTransformationExtraArgs]
Leaves = dict[str, Array]

CALLS, RATE, DECAY, B1, B2 = 100, 1e-2, 0.1, 0.9, 0.95
PARAMETERS: dict[str, float | int | str] = {
    "eta": RATE,
    "beta_1": B1,
    "beta_2": B2,
    "lambda": DECAY,
}
WHAT = f"{CALLS} calls, every entry of every iterate"


_soap = partial(optzoo.soap, RATE, B1, B2, precondition_frequency=4)
_with_bases = partial(_soap, weight_decay=DECAY)
_one_sided = partial(_with_bases, one_sided=True)
_without_bases = partial(_with_bases, max_precond_dim=0)


@cache
def _given() -> tuple[Leaves, Leaves]:
    start, gradients = drifting_gradients({"matrix": (5, 5), "cube": (3, 4, 5)}, CALLS)
    return dict(start), dict(gradients)


# --- S2: rotations ---


@cache
def _rotations() -> dict[str, tuple[Array, ...]]:
    generator = np.random.default_rng(3)
    return {
        name: tuple(np.linalg.qr(generator.standard_normal((d, d)))[0] for d in leaf.shape)
        for name, leaf in _given()[0].items()
    }


def _rotated(leaf: Array, name: str, sides: int) -> Array:
    """The last axes of the leaf multiplied by the rotations of this name, at most `sides` ones."""
    rotations = _rotations()[name]
    for axis, matrix in list(enumerate(rotations))[:sides]:
        place = leaf.ndim - len(rotations) + axis
        leaf = np.moveaxis(np.tensordot(matrix, leaf, axes=(1, place)), 0, place)
    return leaf


def _equivariance(
    make: Make, names: tuple[str, ...] = ("matrix", "cube"), sides: int = 3
) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        start, gradients = ({name: tree[name] for name in names} for tree in _given())
        before = {name: _rotated(leaf, name, sides) for name, leaf in start.items()}
        turned = {name: _rotated(leaf, name, sides) for name, leaf in gradients.items()}
        measured = iterates(make, before, turned)
        plain = iterates(make, start, gradients)
        return farthest(
            [measured[name] for name in names],
            [_rotated(plain[name], name, sides) for name in names],
        )

    return ExactIdentity(compute, what=WHAT)


def _equivariance_case() -> Case:
    return Case(
        problem="a $5 \\times 5$ and a $3 \\times 4 \\times 5$ leaf, random orthogonal matrices",
        constants={},
        parameters={**PARAMETERS, "f": 4},
        check=_equivariance(_with_bases),
        controls=(
            Control(
                "Adam",
                "no basis: Adam sees the coordinates",
                _equivariance(_without_bases, ("matrix",)),
            ),
            Control(
                "one side has a basis",
                "one-sided SOAP, both sides rotated",
                _equivariance(_one_sided, ("matrix",)),
            ),
            Control(
                "one side has a basis and is rotated",
                "one-sided SOAP is equivariant on its own side",
                _equivariance(_one_sided, ("matrix",), sides=1),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- S3: no rotations ---


def _adam(eps: float) -> optax.GradientTransformationExtraArgs:
    """Adam of optax, with eps where SOAP has it: beside the root that is not corrected."""

    def init(params: optax.Params) -> optax.ScaleByAdamState:
        return optax.scale_by_adam(B1, B2).init(params)

    def update(
        updates: optax.Updates,
        state: optax.ScaleByAdamState,
        params: optax.Params | None = None,
        **extra_args: object,
    ) -> tuple[optax.Updates, optax.ScaleByAdamState]:
        del extra_args
        eps_t = eps / jnp.sqrt(1 - B2 ** (state.count + 1.0))
        updates, state = optax.scale_by_adam(B1, B2, eps_t).update(updates, state, params)
        return optax.tree.scale(-RATE, updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def _adam_of_optax(eps: float) -> optax.GradientTransformationExtraArgs:
    return optax.adam(RATE, B1, B2, eps)


_no_bases_no_decay = partial(_soap, weight_decay=0.0, max_precond_dim=0)
_bases_no_decay = partial(_soap, weight_decay=0.0)


def _reduction(
    make: Make = _no_bases_no_decay,
    adam: Make = _adam,
    names: tuple[str, ...] = ("matrix", "cube"),
    *,
    first: int = 1,
    eps: float = 0.05,
) -> ExactIdentity:
    """SOAP on all gradients against Adam on those from number `first` on."""

    def compute() -> tuple[Array, Array]:
        start, gradients = ({name: tree[name] for name in names} for tree in _given())
        measured = iterates(make, start, gradients, eps=eps)
        seen = {name: leaf[first : first + CALLS - 1] for name, leaf in gradients.items()}
        exact = iterates(adam, start, seen, eps=eps)
        return farthest([measured[name][1:] for name in start], [exact[name] for name in start])

    return ExactIdentity(compute, what=WHAT)


def _reduction_case() -> Case:
    return Case(
        problem="a $5 \\times 5$ and a $3 \\times 4 \\times 5$ leaf; Adam is optax's",
        constants={},
        parameters={**PARAMETERS, "lambda": 0.0, "epsilon": 0.05, "longest axis with a basis": 0},
        check=_reduction(),
        controls=(
            Control(
                "Adam from the first gradient on",
                "the first call not skipped",
                _reduction(first=0),
            ),
            Control(
                "eps beside the corrected root",
                "$\\epsilon$ where Adam has it: $\\sqrt{V/(1-\\beta_2^t)} + \\epsilon$",
                _reduction(adam=_adam_of_optax),
            ),
            Control(
                "with bases", "all axes are rotated", _reduction(_bases_no_decay, names=("matrix",))
            ),
            Control(
                "that eps is small",
                "$\\epsilon = 10^{-14}$ is the same beside either root",
                _reduction(adam=_adam_of_optax, eps=1e-14),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- S4: stacks ---


def _stacked(numbers: MuonDimensionNumbers | None) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        start, gradients = (tree["cube"] for tree in _given())
        make = partial(_with_bases, weight_dimension_numbers=numbers)
        together = iterates(make, {"w": start}, {"w": gradients})["w"]
        places = range(len(start))
        apart = [
            iterates(_with_bases, {"w": start[i]}, {"w": gradients[:, i]})["w"] for i in places
        ]
        return farthest([together[:, i] for i in places], apart)

    return ExactIdentity(compute, what=WHAT)


def _stacked_case() -> Case:
    return Case(
        problem="a stack of three $4 \\times 5$ matrices, gradients of full row rank",
        constants={},
        parameters={**PARAMETERS, "f": 4},
        check=_stacked(MuonDimensionNumbers(1, 2)),
        controls=(
            Control(
                "every axis a matrix axis",
                "the stack as one leaf with three axes",
                _stacked(None),
            ),
            Control(
                "the wrong axis is the stack",
                "rows are taken for the entries of the stack",
                _stacked(MuonDimensionNumbers(0, 2)),
            ),
        ),
    )


# --- S5: scales ---


def _scaled(factor: float, eps: float) -> ExactIdentity:
    def compute() -> tuple[Array, Array]:
        start, gradients = ({"w": tree["matrix"]} for tree in _given())
        exact = iterates(_with_bases, start, gradients, eps=eps)
        larger = {"w": factor * gradients["w"]}
        measured = iterates(_with_bases, start, larger, eps=eps)
        return farthest([measured["w"]], [exact["w"]])

    return ExactIdentity(compute, what=WHAT)


def _scaled_case() -> Case:
    return Case(
        problem="a $5 \\times 5$ leaf, gradients times $10^6$",
        constants={},
        parameters={**PARAMETERS, "f": 4, "epsilon": 0.0},
        check=_scaled(1e6, 0.0),
        controls=(
            Control("eps = 0.001", "with an $\\epsilon$ that is seen", _scaled(1e6, 1e-3)),
            Control(
                "gradients times -1",
                "a factor of the other sign turns the steps round",
                _scaled(-1.0, 0.0),
            ),
        ),
    )


NOT_SHOWN = "That such a method is faster; it says what the method cannot see."

CLAIMS: tuple[Claim, ...] = (
    soap_claim(
        id="soap/equivariance",
        title="Rotated gradients, rotated iterates",
        source="invariance of the eigenbasis, S2",
        theorem="S2",
        statement=(
            r"$$W_t(U G_1 V^\top, \dots, U G_t V^\top) = U\, W_t(G_1, \dots, G_t)\, V^\top$$ for "
            r"orthogonal $U$ and $V$, the start rotated likewise; one orthogonal matrix an axis "
            r"for more than two"
        ),
        assumptions=("float64", "the first gradient has full rank along every axis"),
        metric=r"\text{an entry of } W_t",
        prepare=_equivariance_case,
        not_shown=NOT_SHOWN,
    ),
    soap_claim(
        id="soap/adam",
        title="Without bases it is Adam from the second gradient on",
        source="Algorithm 3 with $Q = I$, S3",
        theorem="S3",
        statement=(
            r"$$W_{t+1}^{SOAP}(G_0, \dots, G_t) = W_t^{Adam}(G_1, \dots, G_t)$$ where Adam's step "
            r"is $\eta \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} \frac{M}{\sqrt V + \epsilon}$"
        ),
        assumptions=("no axis has a basis", "no decay"),
        metric=r"\text{an entry of } W_t",
        prepare=_reduction_case,
        not_shown="Anything about leaves with a basis.",
    ),
    soap_claim(
        id="soap/stacked",
        title="A stack is its matrices",
        source="definition of a stack, S4",
        theorem="S4",
        statement=(
            r"$$W_t(G^{(1)}, \dots, G^{(\ell)})^{(i)} = W_t(G^{(i)})$$ for a leaf of shape "
            r"$\ell \times m \times n$ whose first axis is declared to be no matrix axis"
        ),
        assumptions=("float64",),
        metric=r"\text{an entry of } W_t",
        prepare=_stacked_case,
        not_shown="Speed, or memory.",
    ),
    soap_claim(
        id="soap/scale",
        title="The scale of the gradients is not seen",
        source="Algorithm 3 with eps = 0, S5",
        theorem="S5",
        statement=r"$$W_t(c\, G_1, \dots, c\, G_t) = W_t(G_1, \dots, G_t), \qquad c > 0$$",
        assumptions=(r"$\epsilon = 0$",),
        metric=r"\text{an entry of } W_t",
        prepare=_scaled_case,
        not_shown="What a change of scale in the middle of a run does.",
    ),
)
