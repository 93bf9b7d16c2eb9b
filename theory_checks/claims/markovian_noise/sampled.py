"""The shipped code beside exact expectations: single estimates, and the three methods' runs."""

from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    MarkovianProblem,
    accelerated_gd_moments,
    additive_noise_quadratic,
    extragradient_moments,
    multilevel_moments,
    randomized_gd_moments,
    rotation_operator,
)

from ...checks import SampledIdentity
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from . import mutants
from .paper import chains, markov_claim, slow_chain
from .process import (
    AtIterations,
    EstimateMoments,
    IterationRun,
    StreamRun,
    accelerated,
    extragradient,
    gradient_descent,
    plain_first_half,
    stream_run,
    ticks_for,
)
from .weights import Estimator, from_stream

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Method = Any

# --- Single estimates ---

ESTIMATES = 300
B, M = 2, 4
POINT = 1.0  # where the gradient is 1
NOISE = (1.0, -0.5, 0.0)  # up to centring and scale


STREAM = from_stream(optzoo.mlmc_stream, B)
WRONG_LAW = from_stream(mutants.wrong_level_law, B)


@cache
def _scalar() -> MarkovianProblem:
    return additive_noise_quadratic(slow_chain(4, (0.2, 0.3, 0.5)), [1.0], values=NOISE)


def _estimates(estimator: Estimator, name: str, state: int) -> Experiment:
    process = EstimateMoments(
        _scalar(), jnp.full(1, POINT), jnp.asarray(state), jnp.asarray(B), jnp.asarray(M), estimator
    )
    return Experiment(f"markov-estimates-{name}-{state}", process, (ESTIMATES,))


def _estimate_check(estimator: Estimator, name: str, state: int) -> AtIterations:
    problem = _scalar()
    _, offsets = problem.affine_form()
    moments = multilevel_moments(problem.chain, -offsets[:, 0], B, M)
    cost = optzoo.MultilevelBatch(B, M).expected_samples
    mean, square = moments.mean[state, 0], moments.squared_norm[state]
    exact = np.array([POINT + mean, POINT**2 + 2 * POINT * mean + square, cost])
    check = SampledIdentity(
        _estimates(estimator, name, state),
        left=lambda sample: np.hstack([sample[key] for key in ("mean", "square", "samples")]),
        right=lambda sample: exact,
    )
    return AtIterations(check, (1, 2, 3))


def _estimate_case(state: int) -> Case:
    problem = _scalar()
    wrong: tuple[tuple[str, str, Estimator], ...] = (
        (
            "level law that does not match its weights",
            "$P(J = j) = 2^{-(j+1)}$ from $j = 0$ on, corrections weighted by $2^J$",
            WRONG_LAW,
        ),
        (
            "wrong level weight",
            "the correction is weighted by $2^{J-1}$",
            mutants.halved_level_weight,
        ),
        (
            "levels not nested",
            "$g_{J-1}$ and $g_0$ are formed from the samples that follow those of $g_J$",
            mutants.levels_not_nested,
        ),
        (
            "level correlated with the chain",
            "the level and the first transition are drawn with the same random bits",
            mutants.level_from_the_chain,
        ),
    )
    return Case(
        problem="a gradient of 1 along lazy resampling of 3 states, from one of them",
        constants=problem.constants,
        parameters={"B": B, "m": M, "state": state, "estimates a replicate": ESTIMATES},
        check=_estimate_check(optzoo.mlmc_gradient, "shipped", state),
        controls=(
            *(
                Control(name, text, _estimate_check(mutant, name, state))
                for name, text, mutant in wrong
            ),
            Control(
                "sample by sample",
                "no mistake: the stream in place of the nested loop",
                _estimate_check(STREAM, "stream", state),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- Runs ---

ITERATIONS = (5, 15, 40)
TAU, LEVELS = 14, 4
START = 3.0


def _run(which: str, problem: MarkovianProblem, **changes: Any) -> StreamRun:
    x0 = np.full(problem.dim, START)
    constants = {
        "gd": (0.5,),
        "accelerated": (0.75, 0.2, 0.5),
        "extragradient": (0.12,),
    }[which]
    shipped: dict[str, dict[str, Any]] = {
        "gd": {"method": gradient_descent},
        "accelerated": {"method": accelerated, "output": optzoo.accelerated_eval_params},
        "extragradient": {"method": extragradient, "sizes": plain_first_half},
    }
    fields = {**shipped[which], "samples_per_tick": TAU, **changes}
    return stream_run(problem, x0, constants, TAU, LEVELS, **fields)


def _exact(method: str, problem: MarkovianProblem) -> Array:
    size = {"batch_size": TAU, "max_level": LEVELS}
    if method == "gd":
        moments, point = randomized_gd_moments(problem, 0.5, **size), "x"
    elif method == "accelerated":
        moments = accelerated_gd_moments(problem, 0.75, 0.2, momentum_scale=0.5, **size)
        point = "x_f"
    else:
        moments = extragradient_moments(problem, 0.12, first_batch_size=TAU, **size)
        point = "x"
    law = np.asarray(problem.chain.stationary)[None]
    run = moments.run(np.full(problem.dim, START), ITERATIONS, law)
    return run.squared_distance(point)[:, 0]


def _run_check(which: str, problem: MarkovianProblem, name: str, **changes: Any) -> AtIterations:
    halves = 2 if which == "extragradient" else 1
    deadlines = tuple(
        sorted(ticks_for(halves * k, TAU, LEVELS, TAU) + i for i, k in enumerate(ITERATIONS))
    )
    process = IterationRun(
        _run(which, problem, **changes),
        halves * jnp.asarray(ITERATIONS),
        jnp.asarray(deadlines),
    )
    exact = _exact(which, problem)
    check = SampledIdentity(
        Experiment(f"markov-runs-{which}-{name}", process, deadlines, lanes=16),
        left=lambda sample: sample["squared_distance"],
        right=lambda sample: exact,
        looks=16,
    )
    return AtIterations(check, ITERATIONS)


def _quadratic() -> MarkovianProblem:
    return additive_noise_quadratic(chains()["switch-14"], [0.2, 1.0], sigma=2.0)


def _rotation() -> MarkovianProblem:
    return rotation_operator(chains()["switch-14"], 1.0, [3.0], sigma=2.0)


def _undamped(gamma: Any, mu: Any, p: Any) -> Any:
    return mutants.undamped_momentum(gamma, mu, momentum_scale=p)


def _case(method: str) -> Case:
    problem = _rotation() if method == "extragradient" else _quadratic()
    law = (
        "level law that does not match its weights",
        "$P(J = j) = 2^{-(j+1)}$ from $j = 0$ on, corrections weighted by $2^J$",
        {"stream": mutants.wrong_level_law},
    )
    mistakes: dict[str, tuple[tuple[str, str, dict[str, Any]], ...]] = {
        "gd": (law,),
        "accelerated": (("momentum undamped", "$p = 1$ in place of 0.5", {"method": _undamped}),),
        "extragradient": (
            (
                "second half from the point looked ahead at",
                r"$x^{k+1} = x^{k+1/2} - \gamma g^{k+1/2}$",
                {"method": mutants.forgotten_extrapolation},
            ),
        ),
    }
    wrong = mistakes[method]
    return Case(
        problem=(
            r"$F(x) = \mu x$ plus a rotation, $L/\mu = \sqrt{10}$, additive noise"
            if method == "extragradient"
            else r"quadratic with $\kappa = 5$, additive noise along the eigenvector of $\mu$"
        ),
        constants=problem.constants,
        parameters={"B": TAU, "m": LEVELS},
        check=_run_check(method, problem, "shipped"),
        controls=tuple(
            Control(name, text, _run_check(method, problem, name, **changes))
            for name, text, changes in wrong
        ),
    )


def _run_claim(method: str, title: str, theorem: str, algorithm: str, output: str) -> Claim:
    return markov_claim(
        id=f"markovian_noise/runs/{method}",
        title=title,
        source="the exact recursion of the moments, with which the bounds are compared",
        theorem=theorem,
        algorithm=algorithm,
        statement=(
            "The mean over runs of the shipped code is the exact expectation with which the "
            r"theorem is compared elsewhere: $E|x^N - x^*|^2$ from the recursion of $E[(x - x^*)"
            r"(x - x^*)'; Z = z]$"
        ),
        assumptions=("affine gradients", "the chain starts from its stationary law"),
        kind="identity",
        metric=r"E|x^N - x^*|^2",
        unit="iteration",
        output=output,
        prepare=partial(_case, method),
        not_shown="Noise that grows with the distance, whose mean is heavy-tailed.",
        x_label="iteration $N$",
    )


CLAIMS: tuple[Claim, ...] = (
    *(
        markov_claim(
            id=f"markovian_noise/estimator/sampled-{state}",
            title=f"Mean, second moment and cost of single estimates, from state {state}",
            source="lemma on the multilevel estimator; the identities that D2 is derived from",
            theorem="D2",
            algorithm="mlmc_gradient",
            statement=(
                r"$E[g \mid Z_0 = z]$, $E[g^2 \mid Z_0 = z]$ and the mean number of samples, "
                r"$(m + 2^{-m}) B$, are what dynamic programming along the chain says"
            ),
            assumptions=(r"$P(J = j) = 2^{-j}$, apart from the chain",),
            kind="identity",
            metric=r"E g,\ E g^2,\ E N",
            unit="estimate",
            output="estimate",
            x_label="1 mean, 2 second moment, 3 samples",
            prepare=partial(_estimate_case, state),
            not_shown="Nothing about rates.",
        )
        for state in (0, 2)
    ),
    _run_claim(
        "gd", "Runs of randomized GD, sampled and exact", "D3a", "randomized_gd", "last iterate"
    ),
    _run_claim(
        "accelerated",
        "Runs of randomized accelerated GD, sampled and exact",
        "D4",
        "randomized_accelerated_gd",
        "x_f",
    ),
    _run_claim(
        "extragradient",
        "Runs of randomized extragradient, sampled and exact",
        "D5",
        "randomized_extragradient",
        "last iterate",
    ),
)
