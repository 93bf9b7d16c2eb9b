# SPDX-License-Identifier: Apache-2.0
"""Where the theorems are evaluated: a method on an affine problem, with its theorem's numbers."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import Compressor, PermK, SampledClients, TopK
from optzoo.problems import AffineOperators, Constant, DistributedOperator
from optzoo.theorems.distributed_methods import (
    CompressedDifferences,
    ErrorFeedback,
    Optimistic,
)
from optzoo.theorems.three_pillars import Compression, tuned_step

from ...setting import Setting, chosen
from ..three_pillars.settings import EXACT, saddle
from .processes import Method, MethodRun

__all__ = [
    "EXACT",
    "MODES",
    "MethodSetting",
    "extragradient",
    "local",
    "masha1",
    "masha2",
    "optimistic_masha",
    "problem_of",
    "similarity",
    "sliding",
    "svogs",
    "three_pillars",
]

Array = NDArray[np.float64]
Place: TypeAlias = str | tuple[DistributedOperator, str]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MethodSetting(Setting):
    """A method on a problem, with the numbers that its theorem prescribes.

    Args:
        problem: the operators.
        text: the problem in words and numbers.
        method: the shipped method.
        numbers: its arguments by name.
        known: the constants of its theorem.
        compressor: its compressor or clients, if it has one.
    """

    problem: DistributedOperator
    text: str
    method: Method
    numbers: Mapping[str, float]
    known: Mapping[str, Constant]
    compressor: Compressor | None = None

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> Mapping[str, Constant]:
        return self.known

    @property
    def parameters(self) -> dict[str, float | int | str]:
        found: dict[str, float | int | str] = dict(self.numbers)
        if self.compressor is not None:
            found["compressor"] = str(self.compressor)
        return found

    def certify(self) -> None:
        self.problem.certify()

    def value(self, name: str) -> float:
        """A constant's value."""
        return self.known[name].value

    @cached_property
    def initial(self) -> float:
        """|z^0 - z*|^2 from the origin."""
        return float(np.sum(np.asarray(self.problem.solution) ** 2))

    def run(
        self,
        *,
        method: Method | None = None,
        compressor: Compressor | None = None,
        **changes: float,
    ) -> MethodRun:
        """The method with these numbers.

        Args:
            method: a mutant of it.
            compressor: another than the setting's.
            changes: numbers in place of the theorem's, by name.
        """
        unknown = set(changes) - set(inspect.signature(self.method).parameters)
        if unknown:
            raise ValueError(f"{self.method.__name__} takes no {', '.join(sorted(unknown))}")
        numbers: Any = {**self.numbers, **changes}
        return MethodRun(
            problem=self.problem,
            z0=jnp.zeros(self.problem.dim),
            z_star=jnp.asarray(self.problem.solution),
            numbers={name: jnp.asarray(value) for name, value in numbers.items()},
            compressor=compressor or self.compressor,
            method=method or self.method,
            like=self.method,
        )


# --- Problems ---


MODES = "two modes"
"""The coupling of `two_modes`."""


def two_modes(n: int, mu: float, delta: float, size: float) -> AffineOperators:
    r"""In one plane the workers rotate by delta and -delta in turn, in another all by `size`.

    The first plane is where the mean operator is as slow as mu allows, and where alone the workers
    differ; the second one decides over L.
    """
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    matrices = np.tile(mu * np.eye(4), (n, 1, 1))
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    matrices[:, :2, :2] += delta * signs[:, None, None] * turn
    matrices[:, 2:, 2:] += size * turn
    solution = np.full(4, 0.5)
    offsets = np.tile(-(matrices.mean(axis=0) @ solution), (n, 1))
    return AffineOperators(jnp.asarray(matrices), jnp.asarray(offsets))


def problem_of(place: Place, **fields: Any) -> tuple[DistributedOperator, str]:
    """The problem and its words: a coupling stands for a bilinear saddle, or for `two_modes`.

    Args:
        place: a problem with its words, or the coupling of one.
        fields: of the latter; n = 4 and d = 4 unless said otherwise.
    """
    if not isinstance(place, str):
        return place
    if place == MODES:
        n, mu, delta, size = (fields[name] for name in ("n", "mu", "delta", "size"))
        words = (
            rf"two planes, $n = {n}$: rotations by $\pm\delta$, $\delta/\mu = {delta / mu:g}$, and "
            rf"a common rotation by ${size / mu:g}\mu$"
        )
        return two_modes(n, mu, delta, size), words
    made = saddle(place, **{"n": 4, "half_dim": 2, "mu": 0.1} | fields)
    return made.problem, made.text


def _of_problem(problem: DistributedOperator, *names: str) -> dict[str, Constant]:
    known = problem.constants
    return {name: known[name] for name in ("mu", *names)}


def _lipschitz(problem: DistributedOperator) -> Constant:
    """L of F, the mean; L_av bounds it where operators are not affine."""
    if not isinstance(problem, AffineOperators):
        return problem.constants["L_av"]
    mean = np.asarray(problem.matrices).mean(axis=0)
    return Constant(float(np.linalg.norm(mean, 2)), "exact", derivation="norm of F'")


def _local_numbers(
    problem: DistributedOperator, gamma: float, local_steps: int
) -> dict[str, float]:
    """The extragradient of the server's sub-problem, solved to round-off unless said otherwise."""
    largest = problem.constants["L_1"].value + 1 / gamma
    return {"local_step": 1 / (4 * largest), "local_steps": local_steps}


# --- Methods with their theorems' numbers ---


def extragradient(place: Place, *, longer: float = 1.0, **fields: Any) -> MethodSetting:
    """E with gamma = 1 / (2 L), or so many times that."""
    problem, words = problem_of(place, **fields)
    L = _lipschitz(problem)
    gamma = longer / (2 * L.value)
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.distributed_extragradient,
        numbers={"gamma": gamma},
        known=_of_problem(problem) | {"L": L} | chosen(f"{longer:g}/(2 L)", gamma=gamma),
    )


def local(place: Place, *, local_steps: int, share: float, **fields: Any) -> MethodSetting:
    """LE with gamma a share of 1 / L."""
    problem, words = problem_of(place, **fields)
    L = problem.constants["L"]
    at_star = np.asarray(problem.operators(jnp.asarray(problem.solution)))
    D = float(np.mean(np.linalg.norm(at_star, axis=1)))
    assert isinstance(problem, AffineOperators)
    matrices = np.asarray(problem.matrices)
    least = min(float(np.linalg.eigvalsh((each + each.T) / 2)[0]) for each in matrices)
    gamma = share / L.value
    known = {
        "mu": Constant(least, "exact", derivation="least modulus of the F_i"),
        "L": L,
        "D": Constant(D, "exact", derivation="at the solution"),
    }
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.local_extragradient,
        numbers={"gamma": gamma, "local_steps": local_steps},
        known=known | chosen(f"{share:g}/L", gamma=gamma) | chosen(H=local_steps),
    )


def sliding(
    place: Place, *, share: float = 1.0, local_steps: int = EXACT, **fields: Any
) -> MethodSetting:
    """S with theta a share of 1 / delta_1, alpha = 2 mu and the longest eta."""
    problem, words = problem_of(place, **fields)
    found = _of_problem(problem, "delta_1")
    mu = found["mu"].value
    theta = share / found["delta_1"].value
    eta = theta / (1 + 2 * mu * theta)
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.extragradient_sliding,
        numbers={
            "theta": theta,
            **_local_numbers(problem, theta, local_steps),
            "eta": eta,
            "alpha": 2 * mu,
        },
        known=found
        | chosen(f"{share:g}/delta_1", theta=theta)
        | chosen("theta/(1 + 2 mu theta)", eta=eta),
    )


def similarity(
    place: Place, *, longer: float = 1.0, local_steps: int = EXACT, **fields: Any
) -> MethodSetting:
    """V8 with gamma = 1 / (sqrt(2) delta_1), or so many times that."""
    problem, words = problem_of(place, **fields)
    found = _of_problem(problem, "delta_1")
    gamma = longer / (np.sqrt(2) * found["delta_1"].value)
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.extragradient_sliding,
        numbers={
            "theta": gamma,
            **_local_numbers(problem, gamma, local_steps),
            "eta": gamma,
            "alpha": 0.0,
        },
        known=found | chosen(f"{longer:g}/(sqrt 2 delta_1)", gamma=gamma),
    )


def masha1(
    place: Place, *, compressor: Compressor | None = None, longer: float = 1.0, **fields: Any
) -> MethodSetting:
    """M1 with p = 1/n and gamma = sqrt(p / 2) / C, or so many times that."""
    problem, words = problem_of(place, **fields)
    n = problem.num_workers
    compressor = compressor or PermK(n)
    a, b = compressor.variance_constants(problem.dim)
    L, L_av = _lipschitz(problem), problem.constants["L_av"]
    C = CompressedDifferences(L=L.value, L_av=L_av.value, A=a, B=b).C
    p = 1 / n
    gamma = longer * np.sqrt(p / 2) / C
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.masha1,
        numbers={"gamma": gamma, "momentum": p, "refresh_probability": p},
        known=_of_problem(problem)
        | {"C": Constant(C, "exact", derivation="from L, L_av and the compressor's A and B")}
        | chosen(f"{longer:g} sqrt(p/2)/C", gamma=gamma)
        | chosen("1/n", p=p),
        compressor=compressor,
    )


def _optimistic_known(
    plan: Optimistic, problem: DistributedOperator, p: str
) -> dict[str, Constant]:
    derived = {
        "ell": Constant(plan.ell, "exact", derivation="of what is extrapolated"),
        "d_M": Constant(plan.d_M, "exact", derivation="of the messages"),
    }
    prescribed = chosen("the longest that the theorem allows", gamma=plan.gamma)
    return _of_problem(problem) | derived | prescribed | chosen(p, p=plan.p)


def optimistic_masha(
    place: Place, *, compressor: Compressor | None = None, **fields: Any
) -> MethodSetting:
    """OM with p = 1/n and the longest step."""
    problem, words = problem_of(place, **fields)
    known, n = problem.constants, problem.num_workers
    compressor = compressor or PermK(n)
    a, b = compressor.variance_constants(problem.dim)
    d_M = np.sqrt((a - b) * known["L_av"].value ** 2 + b * known["delta_av"].value ** 2)
    ell = _lipschitz(problem).value
    plan = Optimistic.tuned(mu=known["mu"].value, ell=ell, d_M=float(d_M), p=1 / n)
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.optimistic_masha,
        numbers={
            "gamma": plan.gamma,
            "momentum": plan.p,
            "refresh_probability": plan.p,
            "optimism": plan.alpha,
        },
        known=_optimistic_known(plan, problem, "1/n"),
        compressor=compressor,
    )


def svogs(
    place: Place, *, clients: int | None = None, local_steps: int = EXACT, **fields: Any
) -> MethodSetting:
    """SV with b = sqrt(n) clients and p = b/n, and the longest step."""
    problem, words = problem_of(place, **fields)
    known, n = problem.constants, problem.num_workers
    b = round(np.sqrt(n)) if clients is None else clients
    d_M = known["delta_av"].value / np.sqrt(b)
    plan = Optimistic.tuned(
        mu=known["mu"].value, ell=known["delta_1"].value, d_M=d_M, p=min(b / n, 0.5)
    )
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.svogs,
        numbers={
            "gamma": plan.gamma,
            **_local_numbers(problem, plan.gamma, local_steps),
            "momentum": plan.p,
            "refresh_probability": plan.p,
            "optimism": plan.alpha,
        },
        known=_optimistic_known(plan, problem, "b/n"),
        compressor=SampledClients(b, n),
    )


def three_pillars(place: Place, *, local_steps: int = EXACT, **fields: Any) -> MethodSetting:
    """Three Pillars with PermK, p = 1/n and the step of V2."""
    problem, words = problem_of(place, **fields)
    found = _of_problem(problem, "delta_1", "delta_av")
    n = problem.num_workers
    d_B = Compression.of(found | {"A": 1.0, "B": 1.0}).d_B
    p = 1 / n
    gamma = tuned_step(p, d_B)
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.three_pillars,
        numbers={
            "gamma": gamma,
            **_local_numbers(problem, gamma, local_steps),
            "momentum": p,
            "refresh_probability": p,
        },
        known=found
        | {"d_B": Constant(d_B, "exact", derivation="V3")}
        | chosen("V2's", gamma=gamma)
        | chosen("1/n", p=p),
        compressor=PermK(n),
    )


def masha2(place: Place, *, kept: int = 1, p: float = 0.1, **fields: Any) -> MethodSetting:
    """M2 with TopK and the longest step."""
    problem, words = problem_of(place, **fields)
    compressor = TopK(kept, problem.num_workers)
    L, L_av = _lipschitz(problem), problem.constants["L_av"]
    beta = 1 / compressor.contraction(problem.dim)
    plan = ErrorFeedback.tuned(
        mu=problem.constants["mu"].value, L=L.value, L_av=L_av.value, beta=beta, p=p
    )
    return MethodSetting(
        problem=problem,
        text=words,
        method=optzoo.masha2,
        numbers={"gamma": plan.gamma, "momentum": p, "refresh_probability": p},
        known=_of_problem(problem, "L_av")
        | {"L": L, "beta": Constant(beta, "exact", derivation="d / K")}
        | chosen("the longest that the theorem allows", gamma=plan.gamma)
        | chosen(p=p),
        compressor=compressor,
    )
