"""S7 and S8: Shampoo's regret, on streams whose best fixed matrix is known."""

import itertools
from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    Constant,
    LeastDistancesStream,
    LeastSquaresStream,
    MatrixStream,
    breast_cancer,
)

from ...checks import ExactInequality
from ...claim import Case, Claim, Control
from . import shampoo_mutants as mutants
from .paper import SHAMPOO_PAPER, soap_claim

__all__ = ["CLAIMS", "regret_bound"]

Array = NDArray[np.float64]
Make = Callable[..., optax.GradientTransformationExtraArgs]

EPS = 1e-6
SHAPE = (4, 6)
HORIZONS = (4, 16, 64, 256, 512)
# Columns of the data: as in the claim on Adafactor.
INPUTS, OUTPUTS = (0, 1, 4, 6, 8, 9), (20, 21, 24, 28)


# --- Streams ---


@cache
def _streams() -> dict[str, MatrixStream]:
    generator = np.random.default_rng(0)
    (_, n), rounds = SHAPE, HORIZONS[-1]
    drawn = generator.standard_normal(SHAPE)
    planted = jnp.asarray(drawn / np.linalg.norm(drawn))
    directions = np.linalg.qr(generator.standard_normal((n, n)))[0]
    turn = np.arange(rounds) * n // rounds

    def unit(batch: int) -> Array:
        x = generator.standard_normal((rounds, batch, n))
        return np.asarray(x / np.linalg.norm(x, axis=2, keepdims=True))

    columns, _ = breast_cancer()
    columns = ((columns - columns.mean(axis=0)) / columns.std(axis=0))[:rounds, None]
    of = LeastDistancesStream.of
    alone = jnp.asarray(np.broadcast_to(directions[0], (rounds, 1, n)))
    return {
        # The best matrix has no part that the only feature does not see: the bound's D is tight.
        "one": of(alone, jnp.outer(jnp.eye(SHAPE[0])[0], directions[0])),
        "in-turn": of(jnp.asarray(directions[turn][:, None]), planted),
        "random": of(jnp.asarray(unit(1)), planted),
        "batches": of(jnp.asarray(unit(3)), planted),
        "real": LeastSquaresStream(
            jnp.asarray(columns[..., INPUTS]), jnp.asarray(columns[..., OUTPUTS])
        ),
    }


@partial(jax.jit, static_argnums=0)
def _play(make: Make, eta: float, stream: MatrixStream) -> tuple[jax.Array, jax.Array]:
    """W_t and G_t of all rounds, from W_1 = 0."""
    method = make(eta)

    def step(
        carry: tuple[optax.Params, optax.OptState], t: jax.Array
    ) -> tuple[tuple[optax.Params, optax.OptState], tuple[jax.Array, jax.Array]]:
        w, state = carry
        g = stream.gradient(w, t)
        updates, state = method.update(g, state, w)
        return (optax.apply_updates(w, updates), state), (w, g)

    w = jnp.zeros(stream.shape)
    return jax.lax.scan(step, (w, method.init(w)), jnp.arange(stream.rounds))[1]


# --- The bound ---


def regret_bound(gradients: Array, *, D: float, eta: float, r: int, eps: float) -> float:
    r"""(D^2 / (2 eta) + eta r) tr(L^(1/4)) tr(R^(1/4)); at eta = D / sqrt(2 r), sqrt(2 r) D tr tr.

    Args:
        gradients: G_1, ..., G_T, shape (T, m, n).
        D: at least the largest |W_t - W*|_F.
        eta: the step.
        r: a rank that no gradient exceeds.
        eps: of L = eps I + sum_t G_t G_t^T, and of R.

    Returns:
        The bound on the regret.
    """
    m, n = gradients.shape[1:]
    left = eps * np.eye(m) + np.einsum("tij,tkj->ik", gradients, gradients)
    right = eps * np.eye(n) + np.einsum("tij,tik->jk", gradients, gradients)
    traces = [float(np.sum(np.linalg.eigvalsh(gram) ** 0.25)) for gram in (left, right)]
    return (D**2 / (2 * eta) + eta * r) * traces[0] * traces[1]


def _regrets(
    make: Make, name: str, eta: float
) -> tuple[Array, Array, Callable[[float | None], Array]]:
    """Regret and largest distance at every horizon, and the bound, for a D if one is given."""
    stream = _streams()[name]
    path, gradients = (np.asarray(part) for part in _play(make, eta, stream))
    losses = np.asarray(stream.losses(jnp.asarray(path)))
    regrets, distances = [], []
    for horizon in HORIZONS:
        best = stream.best_fixed(horizon)
        fixed = np.asarray(stream.losses(jnp.broadcast_to(best, path.shape)))
        regrets.append(np.sum(losses[:horizon] - fixed[:horizon]))
        distances.append(np.max(np.linalg.norm(path[:horizon] - best[None], axis=(1, 2))))

    def bound(D: float | None) -> Array:
        return np.array(
            [
                regret_bound(
                    gradients[:horizon],
                    D=float(distance) if D is None else D,
                    eta=eta,
                    r=stream.rank,
                    eps=EPS,
                )
                for horizon, distance in zip(HORIZONS, distances, strict=True)
            ]
        )

    return np.array(regrets), np.array(distances), bound


def _shampoo(eta: float) -> optax.GradientTransformationExtraArgs:
    return optzoo.shampoo(eta, EPS)


def _without_memory(eta: float) -> optax.GradientTransformationExtraArgs:
    return mutants.grams_not_accumulated(_shampoo(eta))


def _twice_the_power(eta: float) -> optax.GradientTransformationExtraArgs:
    return mutants.power_one_half(_shampoo(eta))


# --- S7: the theorem's step ---


def _prescribed(make: Make, name: str) -> tuple[Array, Array]:
    """Regret and bound with eta = D / sqrt(2 r), D the first of a grid that no distance exceeds."""
    rank = _streams()[name].rank
    for D in 1.2 ** np.arange(40):
        regrets, distances, bound = _regrets(make, name, float(D / np.sqrt(2 * rank)))
        if distances.max() <= D:
            return regrets, bound(float(D))
    raise ValueError(f"no D fits the path on the stream {name!r}")


def _theorem(
    make: Make = _shampoo, names: tuple[str, ...] | None = None, factor: float = 1.0
) -> ExactInequality:
    def compute() -> tuple[Array, Array]:
        found = [_prescribed(make, name) for name in names or tuple(_streams())]
        regrets, bounds = (np.concatenate(side) for side in zip(*found, strict=True))
        return regrets, factor * bounds

    return ExactInequality(compute, what="every stream and horizon")


PROBLEM = (
    "512 rounds for a $4 \\times 6$ matrix. Distances $|W x - W^* x|$ with one feature, with six "
    "orthogonal ones in turn, with random ones, and in batches of three; least squares on the rows "
    "of breast cancer. Horizons 4, 16, 64, 256, 512."
)


def _constants() -> dict[str, Constant]:
    return {
        "r": Constant(3.0, "exact", derivation="1, in batches 3: the outer products in a gradient"),
    }


def _theorem_case() -> Case:
    return Case(
        problem=PROBLEM,
        constants=_constants(),
        parameters={"eta": "$D / \\sqrt{2 r}$", "epsilon": EPS},
        check=_theorem(),
        controls=(
            Control(
                "Gram matrices not accumulated",
                "every round forgets the Gram matrices before it",
                _theorem(_without_memory, ("one",)),
            ),
            Control(
                "a tenth of the bound", "the theorem with a tenfold smaller right side",
                _theorem(factor=0.1),
            ),
        ),
    )  # fmt: skip


# --- S8: any step ---

STEPS = (0.05, 0.2, 0.7, 2.0)


def _any_step(make: Make = _shampoo, names: tuple[str, ...] | None = None) -> ExactInequality:
    def compute() -> tuple[Array, Array]:
        measured, bounds = [], []
        for name, eta in itertools.product(names or tuple(_streams()), STEPS):
            regrets, _, bound = _regrets(make, name, eta)
            measured.append(regrets)
            bounds.append(bound(None))
        return np.concatenate(measured), np.concatenate(bounds)

    return ExactInequality(compute, what="every stream, step and horizon")


def _any_step_case() -> Case:
    return Case(
        problem=PROBLEM,
        constants=_constants(),
        parameters={"eta": "0.05, 0.2, 0.7 and 2", "epsilon": EPS},
        check=_any_step(),
        controls=(
            Control(
                "power 1/2",
                "$L^{-1/2} G R^{-1/2}$: steps that fall like $1/t$",
                _any_step(_twice_the_power, ("one", "random")),
            ),
            Control(
                "Gram matrices not accumulated",
                "every round forgets the Gram matrices before it",
                _any_step(_without_memory, ("one", "random")),
            ),
        ),
    )


shampoo_claim = partial(
    soap_claim,
    paper=SHAMPOO_PAPER,
    algorithm="shampoo",
    kind="upper_bound",
    unit="round",
    x_label="case, the closest to its bound first",
)
REGRET = r"$\sum_t f_t(W_t) - \min_W \sum_t f_t(W)$"

CLAIMS: tuple[Claim, ...] = (
    shampoo_claim(
        id="soap/shampoo/regret",
        title="Shampoo's regret",
        source="Theorem 7, S7",
        theorem="S7",
        form="paper",
        statement=(
            r"$$\sum_{t \le T} f_t(W_t) - f_t(W^*) \le \sqrt{2r}\, D\, \mathrm{tr}(L_T^{1/4})\, "
            r"\mathrm{tr}(R_T^{1/4})$$ with $L_T = \epsilon I + \sum_t G_t G_t^\top$, "
            r"$R_T = \epsilon I + \sum_t G_t^\top G_t$ and $\eta = D / \sqrt{2r}$"
        ),
        assumptions=(
            "convex losses whose gradients have rank at most $r$",
            r"$D \ge \max_t \|W_t - W^*\|_F$, verified on every path",
        ),
        metric=REGRET[1:-1],
        prepare=_theorem_case,
        not_shown=(
            "That Shampoo's regret is smaller than another method's. D belongs to the path, so the "
            "bound is known only after the run."
        ),
        pairs_with=("soap/shampoo/any-step",),
    ),
    shampoo_claim(
        id="soap/shampoo/any-step",
        title="Shampoo's regret with any step",
        source="proof of Theorem 7, S8",
        theorem="S8",
        statement=(
            r"$$\sum_{t \le T} f_t(W_t) - f_t(W^*) \le \left(\frac{D^2}{2\eta} + \eta r\right) "
            r"\mathrm{tr}(L_T^{1/4})\, \mathrm{tr}(R_T^{1/4}), \qquad "
            r"D = \max_{t \le T} \|W_t - W^*\|_F$$"
        ),
        assumptions=("convex losses whose gradients have rank at most $r$",),
        metric=REGRET[1:-1],
        prepare=_any_step_case,
        not_shown="Which step is best.",
    ),
)
