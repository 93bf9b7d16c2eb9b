"""Where the theorems on Three Pillars are evaluated, each made once, when needed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.compressors import Compressor, PermK
from optzoo.problems import Constant, DistributedOperator, bilinear_saddle, saturated_saddle

from .bounds import Pillars, message_constant
from .process import Method, PillarsRun, ScaledRun

__all__ = ["Place", "saddle"]


@dataclass(frozen=True, eq=False)
class Place:
    """A problem with the parameters that the theorems prescribe there.

    Args:
        problem: with mu > 0.
        description: in words and numbers.
        compressor: Q.
        gamma_factor: gamma in units of sqrt(p/2) / d_B.
        local_steps: H; enough for a tenth of the contraction if None.
        message_constant: d_B; that of the compressor on this problem if None.
        refresh_probability: p; 1/n if None.
    """

    problem: DistributedOperator
    description: str
    compressor: Compressor
    gamma_factor: float = 1.0
    local_steps: int | None = None
    message_constant: float | None = None
    refresh_probability: float | None = None

    @cached_property
    def bounds(self) -> Pillars:
        found = {name: constant.value for name, constant in self.problem.constants.items()}
        p = self.refresh_probability or 1 / self.problem.num_workers
        d_B = self.message_constant
        if d_B is None:
            a, b = self.compressor.variance_constants(self.problem.dim)
            d_B = message_constant(a, b, found["delta_1"], found["delta_av"])
        plan = Pillars(
            mu=found.get("mu", 0.0),
            L_1=found["L_1"],
            mu_1=max(self.problem.server_monotonicity, 0.0),
            delta_1=found["delta_1"],
            d_B=d_B,
            gamma=self.gamma_factor * np.sqrt(p / 2) / d_B,
            p=p,
        )
        H = self.local_steps
        return Pillars(**{**vars(plan), "H": plan.enough() if H is None else H})

    @property
    def constants(self) -> dict[str, Constant]:
        """Those of the problem that the bounds use, with their certificates."""
        names = ("mu", "L_1", "delta_1", "delta_av")
        found = self.problem.constants
        return {name: found[name] for name in names if name in found}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        plan = self.bounds
        return {
            "gamma": plan.gamma,
            "tau": plan.p,
            "p": plan.p,
            "eta": plan.eta,
            "local steps H": plan.H,
            "compressor": str(self.compressor),
        }

    @property
    def start(self) -> float:
        """|z^0 - z*|^2; the run starts at the origin, or at (1, ..., 1) if that is the solution."""
        return float(np.sum((self._z0 - self.problem.solution) ** 2))

    @cached_property
    def _z0(self) -> np.ndarray:
        origin = np.zeros(self.problem.dim)
        return origin if np.any(self.problem.solution) else np.ones(self.problem.dim)

    def run(
        self,
        process: type[PillarsRun] = PillarsRun,
        *,
        method: Method = optzoo.three_pillars,
        compressor: Compressor | None = None,
        factor: float | None = None,
        **changes: Any,
    ) -> PillarsRun:
        """The method with these parameters.

        Args:
            process: what is run and observed.
            method: the method, or a mutant of it.
            compressor: another than the place's.
            factor: how often messages count, where that is not once.
            changes: numbers in place of the theorem's, by name.
        """
        if factor is not None:
            process, changes = ScaledRun, changes | {"factor": jnp.asarray(factor)}
        plan = self.bounds
        numbers = {
            "gamma": plan.gamma,
            "local_step": plan.eta,
            "local_steps": plan.H,
            "momentum": plan.p,
            "refresh_probability": plan.p,
            "noise": 0.0,
        }
        numbers_as_leaves: dict[str, Any] = {
            name: jnp.asarray(changes.pop(name, value)) for name, value in numbers.items()
        }
        return process(
            problem=self.problem,
            z0=jnp.asarray(self._z0),
            z_star=jnp.asarray(self.problem.solution),
            **numbers_as_leaves,
            compressor=compressor or self.compressor,
            method=method,
            **changes,
        )


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
) -> Place:
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
    return Place(problem, words, compressor or PermK(n), **more)
