# SPDX-License-Identifier: Apache-2.0
"""SAGAFW's error along a line, with batches of the cube root of n: the slip, measured."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

import optzoo
from optzoo.problems import Constant
from optzoo.theorems.projection_free_methods import SAGAFW_LINE

from ...checks import Law
from ...claim import Case, Claim
from ...controls import case, wrong
from ...setting import Stated
from ...simulation import Experiment
from ..frank_wolfe.instances import noise_tight
from ..frank_wolfe.processes import OnALine
from . import settings
from .processes import MethodRun

__all__ = ["CLAIMS"]

ROOTS = (2, 3, 4, 5, 7)
"""Batches, of which the numbers of samples are the cubes, to the next even one."""

STEPS = 1500  # twenty times the age of the oldest entries, and more


def next_error(run: MethodRun, position: Any) -> jax.Array:
    """E e_k^2 of the estimate that the next batch gives: nu times the spread of what is stale."""
    everyone = jnp.arange(run.problem.num_samples)
    off = run.problem.sample_gradients(position.x, everyone) - position.state.table
    spread = jnp.sum(jnp.var(off, axis=0))
    return spread / run.batch_size


def _experiment(b: int) -> Experiment:
    n = b**3 + b % 2
    run = settings.sagafw(noise_tight(0.0, n=n, start=0.0), 1, b, steps=1.0).run
    on_line = replace(run, method=OnALine(optzoo.sagafw))
    return Experiment(f"sagafw-line-{n}", on_line, (STEPS,), {"error": next_error}, lanes=16)


def _line() -> Case:
    sizes = [b**3 + b % 2 for b in ROOTS]

    def check(stated: float = 1.0) -> Law:
        return Law(sizes, [_experiment(b) for b in ROOTS], "error", stated, looks=1)

    setting = Stated(
        r"$f_i(x) = \pm x^2/2$, $x^k = k$, batches of $b = 2, \dots, 7$ and about $b^3$ samples",
        {"L_tilde": Constant(1.0, "exact", derivation="every $|f_i''|$ is 1")},
        {"steps": STEPS},
    )
    return case(
        setting,
        check,
        wrong(
            "an error that does not grow",
            r"what $n + n^{1/3}/\epsilon^2$ needs: no dependence on $n$",
            stated=0.0,
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="projection_free_methods/sagafw/line",
        title="The error of a table with batches of the cube root of n",
        theorem=SAGAFW_LINE,
        prepare=_line,
        x_label="$n$",
    ),
)
