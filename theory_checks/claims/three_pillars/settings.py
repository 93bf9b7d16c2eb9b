# SPDX-License-Identifier: Apache-2.0
"""Where the theorems on Three Pillars are evaluated: problems with the theorems' numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import (
    AffineOperators,
    CompressedMoments,
    Constant,
    DistributedOperator,
    Messages,
    bilinear_saddle,
    hard_saddle,
    minty_operators,
    saturated_saddle,
)
from optzoo.theorems.three_pillars import LOCAL_SHARE, Compression, Inexact, Server, tuned_step

from ...setting import Setting, chosen
from ...simulation import Experiment, Watch
from .processes import FullExtragradient, Method, PillarsRun

__all__ = [
    "COMPRESSORS",
    "EXACT",
    "PillarsSetting",
    "aligned",
    "hard",
    "minty",
    "moments",
    "one_worker",
    "saddle",
    "small_saddle",
]

Array = NDArray[np.float64]

# So many local steps solve the sub-problems of one-step claims to round-off.
EXACT = 400
# Half of the quick preset: a block fills two devices.
LANES = 16


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PillarsSetting(Setting):
    """Three Pillars on a problem, with the numbers that its theorems prescribe.

    Args:
        problem: the operators.
        text: the problem in words and numbers.
        compressor: Q.
        p: the refresh probability, and the momentum; 1/n if None.
        gamma: the step size; the tuned one of V2 if None.
        longer: gamma in units of that step size.
        local_steps: H; by V4, for nine tenths of the contraction, if None.
        sigma: the noise of the local steps.
    """

    problem: DistributedOperator
    text: str
    compressor: Compressor
    p: float | None = None
    gamma: float | None = None
    longer: float = 1.0
    local_steps: int | None = None
    sigma: float = 0.0

    @property
    def words(self) -> str:
        return self.text

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        """Those of the problem, of the compressor, and what follows from them or was chosen."""
        known, n, dim = self.problem.constants, self.problem.num_workers, self.problem.dim
        names = ("mu", "L_1", "delta_1", "delta_av")
        found = {name: known[name] for name in names if name in known}
        found["mu_1"] = Constant(
            self.problem.server_monotonicity,
            "certified",
            side="below",
            derivation="modulus of the server's part",
        )
        for name, value in zip("AB", self.compressor.variance_constants(dim), strict=True):
            found[name] = Constant(value, "exact", derivation="of the compressor")
        found["d_B"] = _message_constant(found)
        p = 1 / n if self.p is None else self.p
        gamma, how = self.gamma, ""
        if gamma is None:
            gamma, how = tuned_step(p, found["d_B"].value), f"{self.longer:g} times V2's"
        found |= chosen(how, gamma=self.longer * gamma)
        found |= chosen("1/n" if self.p is None else "", p=p) | chosen("p", tau=p)
        if self.sigma:
            found |= chosen(sigma=self.sigma)
        H = self.local_steps
        if H is None:
            plan = Inexact.of(found | {"H": 1})
            H = plan.local_steps_for(LOCAL_SHARE * (1 - math.sqrt(plan.rho)))
        return found | chosen(H=H)

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {
            **{name: self.value(name) for name in ("gamma", "tau", "p")},
            "eta": self.eta,
            "local steps H": int(self.value("H")),
            "compressor": str(self.compressor),
        }

    def certify(self) -> None:
        self.problem.certify()

    def value(self, name: str) -> float:
        """A constant's value."""
        return self.constants[name].value

    @property
    def eta(self) -> float:
        """The local step."""
        return Server.of(self.constants).eta

    @property
    def start(self) -> Array:
        """z^0: the origin, or (1, ..., 1) if that is the solution."""
        origin = np.zeros(self.problem.dim)
        return origin if np.any(self.problem.solution) else np.ones(self.problem.dim)

    @property
    def initial(self) -> float:
        """|z^0 - z*|^2."""
        return float(np.sum((self.start - self.problem.solution) ** 2))

    def run(
        self,
        *,
        method: Method = optzoo.three_pillars,
        compressor: Compressor | None = None,
        **changes: float,
    ) -> PillarsRun:
        """The method with these numbers.

        Args:
            method: the method, or a mutant of it.
            compressor: another than the setting's.
            changes: numbers in place of the theorem's, by name.
        """
        numbers = {
            "gamma": self.value("gamma"),
            "local_step": self.eta,
            "local_steps": int(self.value("H")),
            "momentum": self.value("tau"),
            "refresh_probability": self.value("p"),
            "noise": self.sigma,
        }
        leaves: Any = {name: jnp.asarray(value) for name, value in (numbers | changes).items()}
        return PillarsRun(
            problem=self.problem,
            z0=jnp.asarray(self.start),
            z_star=jnp.asarray(self.problem.solution),
            compressor=compressor or self.compressor,
            method=method,
            stochastic=self.sigma > 0,
            **leaves,
        )

    def experiment(
        self,
        name: str,
        checkpoints: Sequence[int],
        *,
        watch: Mapping[str, Watch] | None = None,
        randomness: str | None = None,
        **changes: Any,
    ) -> Experiment:
        """The run, or that with changes, to be replicated."""
        run = self.run(**changes)
        return Experiment(
            f"pillars-{name}", run, checkpoints, watch, lanes=LANES, randomness=randomness
        )

    def extragradient(self, name: str, checkpoints: Sequence[int], step_size: float) -> Experiment:
        """Extragradient on F, in which all workers send whole vectors, to be replicated."""
        run = FullExtragradient(
            problem=self.problem,
            z_star=jnp.asarray(self.problem.solution),
            step_size=jnp.asarray(step_size),
        )
        return Experiment(f"pillars-{name}", run, checkpoints, lanes=LANES)


def _message_constant(constants: Mapping[str, Constant]) -> Constant:
    """d_B, as wide as the deviations that it is made of."""
    d_B = Compression.of(constants).d_B
    deviations = {name: constants[name] for name in ("delta_1", "delta_av")}
    least = {name: constant.value - constant.width for name, constant in deviations.items()}
    width = d_B - Compression.of(dict(constants) | least).d_B
    exact = all(constant.how == "exact" for constant in deviations.values())
    return Constant(d_B, "exact" if exact else "certified", width=width, derivation="V3")


# --- Problems ---

WORDS = {
    "zero": "no common coupling",
    "adversarial": "the common coupling cancels the server's deviation",
    "overshooting": "the common coupling reverses the server's deviation",
    "plus": "the common coupling doubles the server's deviation",
    "random": "a random common rotation",
    "spectrum": "a common coupling with a spectrum from 0",
}


def saddle(
    coupling: Any,
    *,
    n: int = 8,
    half_dim: int = 8,
    mu: float = 0.05,
    delta: float = 1.0,
    size: float = 0.0,
    strength: float = 0.0,
    radius: float | None = None,
    compressor: Compressor | None = None,
    **more: Any,
) -> PillarsSetting:
    """A bilinear saddle with PermK unless another compressor is named."""
    problem = bilinear_saddle(
        n,
        half_dim,
        strong_monotonicity=mu,
        similarity=delta,
        coupling=coupling,
        size=size,
        radius=radius,
    )
    words = f"bilinear saddle, $n = {n}$, $d = {2 * half_dim}$, {WORDS[coupling]}"
    words += f" of norm {size:g}" * (size > 0)
    words += rf", $\delta/\mu = {delta / mu:g}$" if mu else r", $\mu = 0$"
    if strength:
        problem = saturated_saddle(problem, strength)
        words += rf", plus ${strength:g}\arctan z$"
    if radius is not None:
        words += f", in the ball of radius {radius:g} with the solution on its boundary"
    return PillarsSetting(problem=problem, text=words, compressor=compressor or PermK(n), **more)


def small_saddle(coupling: str, **more: Any) -> PillarsSetting:
    """A saddle whose outcomes can be enumerated, with local steps to round-off."""
    small = {"n": 4, "half_dim": 2, "mu": 0.3, "local_steps": EXACT}
    return saddle(coupling, **(small | more))


def hard(
    n: int, half_dim: int, *, mu: float, delta: float, compressor: Compressor, **more: Any
) -> PillarsSetting:
    """The instance of the bound from below: similar on average, not each worker."""
    problem = hard_saddle(n, half_dim, strong_monotonicity=mu, similarity=delta)
    words = rf"the hard instance, $n = {n}$, $d = {2 * half_dim}$, $\delta/\mu = {delta / mu:g}$"
    return PillarsSetting(problem=problem, text=words, compressor=compressor, **more)


def minty(n: int = 4, half_dim: int = 2) -> PillarsSetting:
    """A Minty operator that is not monotone, with the numbers of V6."""
    problem = minty_operators(n, half_dim, similarity=0.5, size=1.0)
    words = f"a Minty operator that is not monotone, $n = {n}$, $d = {2 * half_dim}$"
    return PillarsSetting(
        problem=problem,
        text=rf"{words}, $\delta = 0.5$",
        compressor=PermK(n),
        local_steps=EXACT,
    )


def aligned() -> PillarsSetting:
    """Two workers with F = J and F_1 = J + delta I, for a rotation J, and a large p."""
    turn, deviation = np.array([[0.0, 1.0], [-1.0, 0.0]]), 0.5 * np.eye(2)
    matrices = jnp.asarray(np.stack([turn + deviation, turn - deviation]))
    return PillarsSetting(
        problem=AffineOperators(matrices, jnp.zeros((2, 2))),
        text=("a rotation, $n = 2$, from states where all parts of $F(u)$ point the same way"),
        compressor=PermK(2),
        p=0.9,
        local_steps=EXACT,
    )


def one_worker(matrix: Array, offset: Array, words: str, **more: Any) -> PillarsSetting:
    """F(z) = A z + q of one worker: there is nothing to send, and z^{k+1} = u_H."""
    problem = AffineOperators(jnp.asarray(matrix)[None], jnp.asarray(offset)[None])
    return PillarsSetting(
        problem=problem,
        text=f"one worker, {words}",
        compressor=Identity(1),
        p=0.5,
        gamma=math.sqrt(0.5) / 0.6,
        **more,
    )


# --- Compressors ---

COMPRESSORS: dict[str, Compressor] = {
    "PermK": PermK(4),
    "one client": SampledClients(1, 4),
    "two clients": SampledClients(2, 4),
    "RandK": RandK(1, 4),
    "none": Identity(4),
}


def moments(
    setting: PillarsSetting, *, permuted: bool = False, exact: bool = True
) -> CompressedMoments:
    """The recursion of the second moments, of an affine problem over R^d.

    With `permuted` it is that of PermK with a uniform permutation for its uniform shift; without
    `exact` the sub-problems are solved by the setting's local steps.
    """
    problem, compressor = setting.problem, setting.compressor
    if not isinstance(problem, AffineOperators):
        raise TypeError(f"second moments are those of affine operators, got {problem!r}")
    messages = Messages("none")
    if isinstance(compressor, PermK):
        messages = Messages("permuted_blocks" if permuted else "rotated_blocks")
    elif isinstance(compressor, SampledClients):
        messages = Messages("clients", compressor.num_clients)
    elif isinstance(compressor, RandK):
        messages = Messages("coordinates", compressor.num_coordinates)
    p = setting.value("p")
    local = (None, None) if exact else (int(setting.value("H")), setting.eta)
    return CompressedMoments(problem, setting.value("gamma"), p, p, messages, *local)
