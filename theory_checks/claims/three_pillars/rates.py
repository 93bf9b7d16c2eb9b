"""Sampled runs of the shipped method against the theorems, each control where it must fail."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import RandK, SampledClients, TopK
from optzoo.problems import hard_saddle

from ...checks import SampledIdentity, UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from . import mutants
from .instances import Place, saddle
from .paper import PARTNERS, pillars_claim
from .process import OperatorSum
from .variants import minty_place

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
# Half of the quick preset: a block fills two devices.
LANES = 16


def _experiment(
    name: str, place: Place, checkpoints: tuple[int, ...], **changes: Any
) -> Experiment:
    return Experiment(f"pillars-{name}", place.run(**changes), checkpoints, lanes=LANES)


def _potential_bound(place: Place, checkpoints: tuple[int, ...]) -> Array:
    """rho_H^k Phi_0."""
    return 2 * place.start * place.bounds.rho_H ** np.asarray(checkpoints, dtype=np.float64)


def _bounded(
    name: str, place: Place, checkpoints: tuple[int, ...], scale: float = 1.0, **changes: Any
) -> UpperBound:
    bound = scale * _potential_bound(place, checkpoints)
    return UpperBound(_experiment(name, place, checkpoints, **changes), "potential", bound)


# --- The instance that is nearly as slow as the bound ---

ZERO_STEPS = (20, 50, 100, 200, 400)


def _zero_case() -> Case:
    place = saddle("zero")
    check = partial(_bounded, place=place, checkpoints=ZERO_STEPS)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check("zero"),
        controls=(
            Control("bound divided by three", "a false claim", check("zero", scale=1 / 3)),
            Control(
                "never refreshed",
                "the reference stays $z^0$: the error stalls",
                check("zero-never", refresh_probability=0.0),
            ),
            Control(
                "the other reference",
                r"the convention $m^{k+1} = z^{k+1}$, which converges as well",
                check("zero-other", method=mutants.other_reference),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- The instance on which mistakes diverge ---

ADVERSARIAL_STEPS = (10, 50, 100, 200, 400)


def _adversarial_case() -> Case:
    place = saddle("adversarial", mu=0.01)
    n = place.problem.num_workers
    sqrt2 = float(np.sqrt(2))
    gamma, tau = place.bounds.gamma, place.bounds.p
    check = partial(_bounded, place=place, checkpoints=ADVERSARIAL_STEPS)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check("adversarial"),
        controls=(
            Control(
                "gamma 1.5 times its limit",
                r"$\gamma = 1.5\sqrt p/d_B$",
                check("adversarial-long", gamma=1.5 * sqrt2 * gamma),
            ),
            Control(
                "delta underestimated by two",
                r"$\gamma = \sqrt p / \delta$ in place of $\sqrt p / (2\delta)$",
                check("adversarial-delta", gamma=2 * gamma),
            ),
            Control("no momentum", r"$\tau = 0$", check("adversarial-plain", momentum=0.0)),
            Control(
                "a quarter of the momentum",
                r"$\tau = p/4$",
                check("adversarial-quarter", momentum=tau / 4),
            ),
            Control(
                "compressor without the factor n",
                "blocks are sent as they are",
                check("adversarial-factor", factor=1 / n),
            ),
            Control(
                "correction dropped",
                r"nothing is sent: $z^{k+1} = u_H$",
                check("adversarial-dropped", factor=0.0),
            ),
            Control(
                "greedy coordinates",
                "TopK, which is biased, for PermK",
                check("adversarial-top", compressor=TopK(place.problem.dim // n, n)),
            ),
            Control(
                "RandK on shifted differences",
                "independent coordinates of the same messages: it keeps the gain",
                check("adversarial-random", compressor=RandK(place.problem.dim // n, n)),
                expected="NOT_REFUTED",
            ),
        ),
    )


def _plus_case() -> Case:
    place = saddle("plus", mu=0.01)
    check = partial(_bounded, place=place, checkpoints=ADVERSARIAL_STEPS)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check("plus"),
        controls=(
            Control(
                "correction doubled",
                "messages count twice",
                check("plus-double", factor=2.0),
            ),
        ),
    )


# --- A server far from similar to nothing: L >> delta ---


def _large_case(coupling: str) -> Case:
    place = saddle(coupling, mu=0.05, size=20.0 if coupling == "spectrum" else 100.0)
    n = place.problem.num_workers
    check = partial(_bounded, place=place, checkpoints=ZERO_STEPS)
    controls: tuple[Control, ...] = (
        Control("one local step", "$H = 1$", check(f"{coupling}-one", local_steps=1)),
    )
    if coupling == "spectrum":
        controls = (
            Control(
                "RandK on raw differences",
                r"of $F_i(m) - F_i(u)$: the similarity is lost",
                check(
                    "spectrum-raw",
                    method=mutants.raw_differences,
                    compressor=RandK(place.problem.dim // n, n),
                ),
            ),
        )
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check(coupling),
        controls=controls,
    )


# --- Partial participation, a nonlinear operator, a ball ---


def _partial(*arguments: Any, **named: Any) -> Any:
    """Algorithm 2 under its own name."""
    clients = named.pop("compressor")
    return optzoo.three_pillars_partial_participation(*arguments, clients=clients, **named)


def _clients_case(b: int) -> Case:
    problem = hard_saddle(8, 8, strong_monotonicity=1.0, similarity=40.0)
    place = Place(
        problem,
        r"the hard instance, $n = 8$, $d = 16$, $\delta/\mu = 40$",
        SampledClients(b, 8),
    )
    check = partial(_bounded, place=place, checkpoints=(20, 50, 100, 200), method=_partial)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check(f"clients-{b}"),
        controls=(
            Control("bound divided by five", "a false claim", check(f"clients-{b}", scale=0.2)),
            Control(
                "gamma six times as long",
                "far above its limit",
                check(f"clients-{b}-long", gamma=6 * place.bounds.gamma),
            ),
        ),
    )


def _never_refreshed_case(name: str, **changes: Any) -> Case:
    place = saddle("zero", **changes)
    check = partial(_bounded, place=place, checkpoints=ZERO_STEPS)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check(name),
        controls=(
            Control(
                "never refreshed",
                "the reference stays $z^0$",
                check(f"{name}-never", refresh_probability=0.0),
            ),
        ),
    )


# --- V6: Minty, V7: noise ---


def _minty_case() -> Case:
    place = minty_place(8, 4)
    steps = (10, 30, 100, 300)
    plan = place.bounds

    def check(scale: float = 1.0, **changes: Any) -> UpperBound:
        run = place.run(OperatorSum, **changes)
        bound = np.array([scale * plan.operator_sum(2 * place.start, k) for k in steps])
        name = "-".join(["pillars-minty", *changes])
        return UpperBound(Experiment(name, run, steps, lanes=LANES), "operator", bound)

    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check(),
        controls=(
            Control("bound divided by 100", "a false claim", check(0.01)),
            Control("gamma ten times as long", "far above its limit", check(gamma=10 * plan.gamma)),
        ),
    )


def _noise_case() -> Case:
    place = saddle("zero")
    steps = (20, 100, 500)
    sigma = 0.05
    bound = np.array([place.bounds.noisy(2 * place.start, sigma**2, k) for k in steps])

    def check(scale: float = 1.0, noise: float = sigma) -> UpperBound:
        run = place.run(noise=noise, stochastic=True)
        experiment = Experiment(f"pillars-noise-{noise:g}", run, steps, lanes=LANES)
        return UpperBound(experiment, "potential", scale * bound)

    return Case(
        problem=f"{place.description}, local noise with $\\sigma = {sigma}$",
        constants=place.constants,
        parameters=place.parameters | {"sigma": sigma},
        check=check(),
        controls=(
            Control(
                "a floor without its factors",
                "a false claim: a thousandth of the bound",
                check(1e-3),
            ),
            Control("300 times the noise", "another sigma", check(noise=300 * sigma)),
        ),
    )


# --- What is sent ---


def _uplink_case() -> Case:
    place = saddle("zero")
    n = place.problem.num_workers
    steps = np.asarray(ZERO_STEPS, dtype=np.float64)

    def check(each: float, **changes: Any) -> SampledIdentity:
        name = "zero" if not changes else "zero-often"
        # The first refresh is apart, and the coin of step 0 changes nothing.
        return SampledIdentity(
            _experiment(name, place, ZERO_STEPS, **changes),
            lambda metrics: metrics["uplink"],
            lambda metrics: steps / n + (steps - 1) * each,
            looks=1,
        )

    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=place.parameters,
        check=check(1 / n),
        controls=(
            Control(
                "refreshes with probability 2/n",
                "twice as many full vectors as the method is said to send",
                check(1 / n, refresh_probability=jnp.asarray(2 / n)),
            ),
            Control("1/n vectors a step", "a false claim: refreshes are forgotten", check(0.0)),
        ),
    )


PHI = r"E\Phi_k"
BOUND = (
    r"$$E\Phi_k \le \rho_H^k\, 2|z^0 - z^*|^2$$ with $1/(1-\rho) = 1/(\gamma\mu) + 1/M$, which "
    r"at $\gamma = \sqrt{p/2}/d_B$ is $2n + \sqrt{2n}\, d_B/\mu$, and $H$ for a tenth of it"
)
ASSUMPTIONS = ("$F_1$ monotone", r"$F$ $\mu$-strongly monotone", r"$\tau = p = 1/n$")


def _rate_claim(name: str, title: str, prepare: Any, **changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "source": "convergence theorem; explicit forms V2, V4",
        "theorem": "V2",
        "statement": BOUND,
        "assumptions": ASSUMPTIONS,
        "kind": "upper_bound",
        "metric": PHI,
        "unit": "iteration",
        "output": "last iterate and reference",
        "not_shown": "How tight it is for long runs, unless the instance is the slow one.",
        "pairs_with": (*PARTNERS, "three_pillars/moments/rates"),
    }
    return pillars_claim(
        id=f"three_pillars/{name}", title=title, prepare=prepare, **(fields | changes)
    )


CLAIMS: tuple[Claim, ...] = (
    _rate_claim("rate/zero", "PermK on the slow instance", _zero_case),
    _rate_claim("rate/adversarial", "PermK where mistakes diverge", _adversarial_case),
    _rate_claim("rate/plus", "PermK where too much correction diverges", _plus_case),
    _rate_claim("rate/spectrum", "A server with L = 20 delta", partial(_large_case, "spectrum")),
    _rate_claim("rate/random", "A server with L = 100 delta", partial(_large_case, "random")),
    _rate_claim(
        "rate/nonlinear",
        "A nonlinear operator",
        partial(_never_refreshed_case, "nonlinear", strength=0.02),
    ),
    _rate_claim(
        "rate/one-client",
        "One client a step on the hard instance",
        partial(_clients_case, 1),
        algorithm="three_pillars_partial_participation",
    ),
    _rate_claim(
        "rate/ball",
        "A ball with the solution on its boundary",
        partial(_never_refreshed_case, "ball", radius=1.0),
        theorem="V5",
        source="convergence theorem on sets; explicit forms V4, V5",
        pairs_with=("three_pillars/one-step/constrained", *PARTNERS),
    ),
    _rate_claim(
        "monotone/minty",
        "A Minty operator that is not monotone",
        _minty_case,
        theorem="V6",
        source="theorem on Minty operators; explicit form V6",
        statement=(
            r"$$\frac1K \sum_{k<K} E|F(u^k)|^2 \le \frac{4.5\,\Phi_0}{\gamma^2 K} = "
            r"\frac{36 n\delta^2|z^0 - z^*|^2}{K}$$"
        ),
        assumptions=(r"$\langle F(z), z - z^*\rangle \ge 0$", r"$\gamma^2 = p/(4\delta^2)$"),
        metric=r"\tfrac1K \sum E|F(u^k)|^2",
        output="a random local solution",
        rate=1.0,
        not_shown="Inexact local solves.",
        pairs_with=("three_pillars/monotone/one-step", "three_pillars/monotone/sums"),
    ),
    _rate_claim(
        "rate/stochastic",
        "Noise in the local steps",
        _noise_case,
        theorem="V7",
        source="theorem with stochastic local computations; explicit form V7",
        statement=(
            r"$$\sqrt{E\Phi_{k+1}} \le \sqrt{\rho_H E\Phi_k} + (1 + \gamma d_B)"
            r"\sqrt{3\eta\sigma^2/\mu_A}$$ unrolled, $\rho_H$ with $1 - \eta\mu_A$ for "
            r"$\rho_{in}$"
        ),
        not_shown="The floor: it is crude by orders of magnitude.",
        pairs_with=(*PARTNERS, "three_pillars/one-step/stochastic"),
    ),
    _rate_claim(
        "communication/uplink",
        "A worker sends 1/n + p vectors a step",
        _uplink_case,
        theorem="V2",
        source="communication of the algorithm",
        statement=(
            r"$$E[\text{vectors sent by a worker after the first}] = k/n + (k-1)p$$ from the "
            "method's own counters"
        ),
        assumptions=("PermK",),
        kind="identity",
        metric=r"\text{vectors a worker}",
        output="counters",
        not_shown="Bytes on the wire: tests compare the counters with the compiled program.",
        pairs_with=(),
    ),
)
