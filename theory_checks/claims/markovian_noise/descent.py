r"""D3 and D3a: randomized gradient descent, non-convex, Polyak-Lojasiewicz and strongly convex."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import LinearMethodMoments, MethodMoments, randomized_gd_moments

from ...claim import Case, Claim, Control
from .exact_runs import (
    Family,
    Instance,
    along_the_runs,
    at_the_floors,
    horizon_of,
    is_additive,
    is_multiplicative,
    largest_step,
    noise_of,
    plain_batch_of_that_price,
    quadratics,
    single_samples,
)
from .paper import CHAIN_WORDS, PARTNERS, markov_claim, tau_range

__all__ = ["CLAIMS", "DISTANCE"]

Array = NDArray[np.float64]


def _batches(tau: int, delta: float) -> list[optzoo.MultilevelBatch]:
    least = round(16 * max(1.0, delta**2) * tau)
    sizes = [(tau, 3), (least, 4)] if delta == 0 else [(least, 3)]
    return [optzoo.MultilevelBatch(b, m) for b, m in sizes]


def _moments(instance: Instance, batch_size: int, max_level: int) -> LinearMethodMoments:
    return randomized_gd_moments(
        instance.problem,
        instance.bound.learning_rate,
        batch_size=batch_size,
        max_level=max_level,
    )


def _hessian(instance: Instance) -> Array:
    matrices, _ = instance.problem.affine_form()
    law = np.asarray(instance.problem.chain.stationary)
    return np.tensordot(law, matrices, 1)


# --- D3a, strongly convex ---


@cache
def _strongly_convex() -> tuple[Instance, ...]:
    found = []
    for name, problem in quadratics((0.2, 1.0)).items():
        L, mu = problem.constants["L"].value, problem.constants["mu"].value
        noise = noise_of(problem)
        for batch in _batches(noise.mixing_time, noise.delta):
            for share in (1.0, 0.1):
                bound = largest_step(
                    partial(optzoo.StronglyConvexGDBound, L, noise, batch, strong_convexity=mu),
                    share * 2 / (L + mu),
                )
                label = f"{name}-{batch.batch_size}-{batch.max_level}-{share}"
                start = np.full(2, 5.0)
                found.append(Instance(label, problem, bound, start, horizon_of(bound)))
    return tuple(found)


def _distance(instance: Instance, run: MethodMoments) -> Array:
    return run.squared_distance()


def _initial_distance(instance: Instance) -> float:
    return float(np.sum((instance.start - instance.problem.solution) ** 2))


DISTANCE = Family(_strongly_convex, _moments, _distance, _initial_distance)


# --- D3, Polyak-Lojasiewicz: least squares without full rank ---


@cache
def _rank_deficient() -> tuple[Instance, ...]:
    """From afar, and, with additive noise, from a minimizer, where all error is noise."""
    found = []
    for spectrum in ((0.0, 0.25, 1.0), (0.0, 1.0, 1.0)):
        for name, problem in quadratics(spectrum).items():
            if problem.chain.num_states > 10:
                continue
            L, mu = problem.constants["L"].value, problem.constants["mu"].value
            noise = noise_of(problem)
            for batch in _batches(noise.mixing_time, noise.delta):
                bound = largest_step(
                    partial(optzoo.PolyakLojasiewiczGDBound, L, noise, batch, strong_convexity=mu),
                    1 / L,
                )
                label = f"{name}-{mu}-{batch.batch_size}-{batch.max_level}"
                far = np.array([1.0, 5.0, 5.0])
                for start in (far, 0 * far) if noise.delta == 0 else (far,):
                    horizon = horizon_of(bound)
                    found.append(Instance(label, problem, bound, start, horizon))
    return tuple(found)


def _gap(instance: Instance, run: MethodMoments) -> Array:
    return run.quadratic(_hessian(instance) / 2)


def _initial_gap(instance: Instance) -> float:
    error = instance.start - instance.problem.solution
    return float(error @ _hessian(instance) @ error / 2)


POLYAK = Family(_rank_deficient, _moments, _gap, _initial_gap)


# --- D3, the mean of the squared gradients over the run ---


@cache
def _smooth() -> tuple[Instance, ...]:
    found = []
    for instance in _rank_deficient():
        b = instance.bound
        bound = optzoo.NonconvexGDBound(b.smoothness, b.noise, b.batch, b.learning_rate)
        found.append(
            Instance(instance.name, instance.problem, bound, instance.start, instance.horizon)
        )
    return tuple(found)


def _averaged_gradient(instance: Instance, run: MethodMoments) -> Array:
    """(1/N) sum_{k < N} E|grad f(x^k)|^2 at N = 0, 1, ..., the first of them without meaning."""
    hessian = _hessian(instance)
    squares = run.quadratic(hessian.T @ hessian)
    counts = np.arange(1, len(squares))[:, None]
    averages = np.cumsum(squares[:-1], axis=0) / counts
    return np.concatenate([np.full_like(averages[:1], np.nan), averages])


GRADIENT = Family(_smooth, _moments, _averaged_gradient, _initial_gap)


# --- The claims ---


def _case(family: Family, problem: str, parameters: dict[str, float | int | str]) -> Case:
    check = partial(along_the_runs, family)
    return Case(
        problem=f"{problem}; {CHAIN_WORDS}, and lazy resampling of 4 states (100)",
        constants=tau_range(),
        parameters=parameters,
        check=check(),
        controls=(
            Control(
                "mixing time 1",
                r"the bound evaluated with $\tau' = 1$, additive noise",
                check(mixing_time=1, only=is_additive),
            ),
            Control(
                "plain batch of one",
                r"single samples with the step that was meant for the batch, $\delta = 2$",
                check(batch=single_samples, only=is_multiplicative, horizon=200),
            ),
        ),
    )


def _floor_case(family: Family, problem: str, scale: float) -> Case:
    check = partial(at_the_floors, family)
    return Case(
        problem=f"{problem}, additive noise; {CHAIN_WORDS}",
        constants=tau_range(),
        parameters={"B": r"$\tau$ and $16\tau$", "m": "3 and 4"},
        check=check(),
        controls=(
            Control("mixing time 1", r"the bound evaluated with $\tau' = 1$", check(mixing_time=1)),
            Control(
                "plain batch of the same price",
                "no mistake: under additive noise a plain batch has the lower floor",
                check(batch=plain_batch_of_that_price),
                expected="NOT_REFUTED",
            ),
            Control(f"bound divided by {1 / scale:g}", "a false claim", check(scale=scale)),
        ),
    )


NOISE = r"$|\nabla F(x, z) - \nabla f(x)|^2 \le \sigma^2 + \delta^2 |\nabla f(x)|^2$ for each state"
FACTORS = r"with $V$ and $b$ the factors of D2, $A = b + \gamma L V$, $c = 1 - \delta^2 A > 0$"
SIZES: dict[str, float | int | str] = {
    "B": r"$\tau$ and $16\tau$; $16 \delta^2 \tau$",
    "m": "3 and 4",
    "gamma": "the longest allowed, and a tenth",
    "delta": "0, 1, 2",
}
_claim = partial(
    markov_claim,
    algorithm="randomized_gd",
    kind="upper_bound",
    unit="iteration",
    x_label="case, the closest to the bound first",
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/descent/gradient",
        title="Mean squared gradient over the run, against its exact expectation",
        source="theorem on randomized GD, non-convex; explicit form D3",
        theorem="D3",
        statement=(
            r"$$\frac1N \sum_{k<N} E|\nabla f(x^k)|^2 \le \frac{2(f(x^0) - f^*)}{c \gamma N} + "
            rf"\frac{{\sigma^2 A}}{{c}}$$ {FACTORS}"
        ),
        assumptions=(r"$f$ $L$-smooth", NOISE, r"$\gamma \le 1/L$"),
        metric=r"\frac1N \sum_{k<N} E|\nabla f(x^k)|^2",
        output="all iterates",
        prepare=partial(_case, GRADIENT, "quadratics of rank 2 in 3 dimensions", SIZES),
        not_shown="Functions that are not convex: the sampled run has one.",
    ),
    _claim(
        id="markovian_noise/descent/polyak",
        title="Linear rate without strong convexity, against its exact expectation",
        source="theorem on randomized GD, Polyak-Lojasiewicz; explicit form D3",
        theorem="D3",
        statement=(
            r"$$E f(x^N) - f^* \le (1 - c\gamma\mu)^N (f(x^0) - f^*) + "
            rf"\frac{{\sigma^2 A}}{{2 c \mu}}$$ {FACTORS}"
        ),
        assumptions=(
            r"$f$ $L$-smooth, $|\nabla f|^2 \ge 2\mu(f - f^*)$",
            NOISE,
            r"$\gamma \le 1/L$",
        ),
        metric=r"E f(x^N) - f^*",
        output="last iterate",
        prepare=partial(_case, POLYAK, "least squares of rank 2 in 3 dimensions", SIZES),
        not_shown="How close the floor is: its own claim says that.",
    ),
    _claim(
        id="markovian_noise/descent/polyak-floor",
        title="Noise floor without strong convexity",
        source="theorem on randomized GD, Polyak-Lojasiewicz; explicit form D3, large N",
        theorem="D3",
        statement=(
            rf"$$E f(x^N) - f^* \le \frac{{\sigma^2 A}}{{2 c \mu}}$$ for large $N$, {FACTORS}"
        ),
        assumptions=(
            r"$f$ $L$-smooth, $|\nabla f|^2 \ge 2\mu(f - f^*)$",
            NOISE,
            r"$\gamma \le 1/L$",
        ),
        metric=r"E f(x^N) - f^*",
        output="last iterate",
        prepare=partial(_floor_case, POLYAK, "least squares of rank 2 in 3 dimensions", 1 / 8),
        pairs_with=PARTNERS,
        not_shown=r"A quadratic's floor does not grow like $L/\mu$, as the bound does.",
    ),
    _claim(
        id="markovian_noise/descent/distance",
        title="Linear rate in the distance, against its exact expectation",
        source="theorem on randomized GD, strongly convex; explicit form D3a",
        theorem="D3a",
        statement=(
            r"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2 + \frac{\sigma^2}{R} W, \quad W = "
            r"\gamma^2 V + \frac{\gamma b}{\mu}, \quad R = \gamma\mu - \delta^2 L^2 W > 0$$"
        ),
        assumptions=(r"$f$ $L$-smooth, $\mu$-strongly convex", NOISE, r"$\gamma \le 2/(L + \mu)$"),
        metric=r"E|x^N - x^*|^2",
        output="last iterate",
        prepare=partial(_case, DISTANCE, r"quadratics with $\kappa = 5$", SIZES),
        not_shown="How close the floor is: its own claim says that.",
    ),
    _claim(
        id="markovian_noise/descent/distance-floor",
        title="Noise floor in the distance",
        source="theorem on randomized GD, strongly convex; explicit form D3a, large N",
        theorem="D3a",
        statement=(
            r"$$E|x^N - x^*|^2 \le \frac{\sigma^2}{\mu^2} (\gamma \mu V + b)$$ for large $N$, with "
            r"$V$ and $b$ the factors of D2"
        ),
        assumptions=(r"$f$ $L$-smooth, $\mu$-strongly convex", NOISE, r"$\gamma \le 2/(L + \mu)$"),
        metric=r"E|x^N - x^*|^2",
        output="last iterate",
        prepare=partial(_floor_case, DISTANCE, r"quadratics with $\kappa = 5$", 1 / 8),
        pairs_with=PARTNERS,
        not_shown=r"Noise in other directions than that of $\mu$, where the bound is slacker.",
    ),
)
