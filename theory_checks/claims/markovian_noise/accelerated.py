r"""D4: randomized accelerated gradient descent, Phi = |x - x*|^2 + (6/mu) (f(x_f) - f*)."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import LinearMethodMoments, MethodMoments, accelerated_gd_moments

from ...claim import Case, Claim, Control
from .exact_runs import (
    Family,
    Instance,
    along_the_runs,
    at_the_floors,
    horizon_of,
    is_additive,
    is_multiplicative,
    noise_of,
    quadratics,
    single_samples,
)
from .paper import CHAIN_WORDS, PARTNERS, markov_claim, tau_range

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

SPECTRA = ((0.5, 1.0), (0.01, 1.0))


def _largest_scale(make: "partial[optzoo.AcceleratedGDBound]") -> optzoo.AcceleratedGDBound:
    """The largest p that condition (C) allows: it is linear in p."""
    low, high = 0.0, 1.0
    try:
        return make(momentum_scale=1.0)
    except ValueError:
        pass
    for _ in range(50):
        middle = (low + high) / 2
        try:
            make(momentum_scale=middle)
            low = middle
        except ValueError:
            high = middle
    return make(momentum_scale=low)


@cache
def _instances() -> tuple[Instance, ...]:
    found = []
    for spectrum in SPECTRA:
        for name, problem in quadratics(spectrum).items():
            if problem.chain.num_states > 10:
                continue
            L, mu = problem.constants["L"].value, problem.constants["mu"].value
            noise = noise_of(problem)
            tau, growth = noise.mixing_time, max(1.0, noise.delta**2)
            sizes = (
                [(tau, 3), (16 * tau, 4)] if noise.delta == 0 else [(round(16 * growth * tau), 6)]
            )
            for b, m in sizes:
                batch = optzoo.MultilevelBatch(b, m)
                make = partial(optzoo.AcceleratedGDBound, L, noise, batch, 0.75 / L, mu)
                bound = _largest_scale(make)
                label = f"{name}-{mu}-{b}-{m}"
                # Where the noise is additive, from the solution too: then all error is noise.
                starts = (np.full(2, 5.0), np.zeros(2)) if noise.delta == 0 else (np.full(2, 5.0),)
                for start in starts:
                    horizon = horizon_of(bound, most=300)
                    found.append(Instance(label, problem, bound, start, horizon))
    return tuple(found)


def _moments(instance: Instance, batch_size: int, max_level: int) -> LinearMethodMoments:
    bound = instance.bound
    return accelerated_gd_moments(
        instance.problem,
        bound.learning_rate,
        bound.strong_convexity,
        batch_size=batch_size,
        max_level=max_level,
        momentum_scale=bound.momentum_scale,
    )


def _hessian(instance: Instance) -> Array:
    return np.diag(np.asarray(instance.problem.eigenvalues, dtype=np.float64))  # type: ignore[attr-defined]


def _phi(instance: Instance, run: MethodMoments) -> Array:
    gap = run.quadratic(_hessian(instance) / 2, "x_f")
    return run.squared_distance("x") + 6 / instance.bound.strong_convexity * gap


def _initial(instance: Instance) -> float:
    error = instance.start - instance.problem.solution
    gap = float(error @ _hessian(instance) @ error / 2)
    return float(error @ error) + 6 / float(instance.bound.strong_convexity) * gap


FAMILY = Family(_instances, _moments, _phi, _initial)


def _is_acceleration_tested(instance: Instance) -> bool:
    return is_multiplicative(instance) and instance.bound.strong_convexity == 0.01


def _case() -> Case:
    check = partial(along_the_runs, FAMILY)
    return Case(
        problem=(
            r"quadratics with $\kappa = 2$ and $100$, noise along the eigenvector of $\mu$ or "
            f"$\\delta$ times the gradient; {CHAIN_WORDS}, and lazy resampling of 4 states (100)"
        ),
        constants=tau_range(),
        parameters={
            "gamma": "3/(4L)",
            "p": "the largest that (C) allows",
            "B": r"$\tau$ and $16\tau$; $16 \delta^2 \tau$",
            "m": "3, 4 and 6",
            "delta": "0, 1, 2",
        },
        check=check(),
        controls=(
            Control(
                "mixing time 1",
                r"the bound evaluated with $\tau' = 1$, additive noise",
                check(mixing_time=1, only=is_additive),
            ),
            Control(
                "plain batch of one",
                r"accelerated without randomization, single samples, $\delta = 2$",
                check(batch=single_samples, only=_is_acceleration_tested, horizon=140),
            ),
        ),
    )


def _floor_case() -> Case:
    check = partial(at_the_floors, FAMILY)
    return Case(
        problem=f"quadratics with $\\kappa = 2$ and $100$, additive noise; {CHAIN_WORDS}",
        constants=tau_range(),
        parameters={"gamma": "3/(4L)", "p": 1, "B": r"$\tau$ and $16\tau$", "m": "3 and 4"},
        check=check(),
        controls=(
            Control("mixing time 1", r"the bound evaluated with $\tau' = 1$", check(mixing_time=1)),
            Control("bound divided by 16", "a false claim", check(scale=1 / 16)),
        ),
    )


BOUND = (
    r"\frac{3\sqrt3\, \gamma^{1/2}}{\mu^{3/2}} \sigma^2 \left[p(1 + \gamma L) V + (4 + \eta) b"
    r"\right]"
)
ASSUMPTIONS = (
    r"$f$ $L$-smooth, $\mu$-strongly convex",
    r"$|\nabla F(x, z) - \nabla f(x)|^2 \le \sigma^2 + \delta^2 |\nabla f(x)|^2$ for each state",
    r"$\gamma \le 3/(4L)$",
    r"(C): $p(1 + \gamma L)(1 + \delta^2 V) + (4 + \eta) \delta^2 b \le 7/4$",
)
_claim = partial(
    markov_claim,
    algorithm="randomized_accelerated_gd",
    theorem="D4",
    kind="upper_bound",
    unit="iteration",
    output="last iterates",
    x_label="case, the closest to the bound first",
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/accelerated/potential",
        title="Accelerated linear rate, against its exact expectation",
        source="theorem on randomized accelerated GD; explicit form D4",
        statement=(
            r"$$E\Phi_N \le \left(1 - p\sqrt{\mu\gamma/3}\right)^N \Phi_0 + "
            f"{BOUND}$$ with "
            r"$\Phi_k = |x^k - x^*|^2 + \frac6\mu (f(x_f^k) - f^*)$, $V$ and $b$ the factors of D2"
        ),
        assumptions=ASSUMPTIONS,
        metric=r"E\Phi_N",
        prepare=_case,
        not_shown="The true rate, which is about three times the guaranteed one.",
    ),
    _claim(
        id="markovian_noise/accelerated/floor",
        title="Noise floor of the accelerated method",
        source="theorem on randomized accelerated GD; explicit form D4, large N",
        statement=f"$$E\\Phi_N \\le {BOUND}$$ for large $N$",
        assumptions=ASSUMPTIONS,
        metric=r"E\Phi_N",
        prepare=_floor_case,
        pairs_with=PARTNERS,
        not_shown=r"Noise in other directions than that of $\mu$, where the bound is slacker.",
    ),
)
