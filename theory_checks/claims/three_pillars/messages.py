# SPDX-License-Identifier: Apache-2.0
"""What compression costs: the second moment of the messages, over every draw."""

from functools import partial
from typing import Any

import numpy as np

from optzoo.theorems import Theorem
from optzoo.theorems.three_pillars import V3, V3_ATTAINED

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, mutant, null, wrong
from .enumeration import DRAWS, after_messages, random_states
from .mutants import messages_count, raw_differences
from .settings import COMPRESSORS, EXACT, PillarsSetting, hard, small_saddle

__all__ = ["CLAIMS"]


def _energies(
    setting: PillarsSetting,
    theorem: Theorem,
    *,
    claimed: dict[str, float] | None = None,
    **changes: Any,
) -> Sides:
    """E|xi|^2 / |u - m|^2 over all draws, with xi read off the shipped step, and d_B^2."""
    run = setting.run(**changes)
    z, m = random_states(run, 12)
    after = after_messages(run, z, m)
    xi = (after.z - after.u[:, None]) / setting.value("gamma")
    u_m = np.sum((after.u - m) ** 2, axis=1)
    measured = np.mean(np.sum(xi**2, axis=2), axis=1) / u_m
    return measured, lambda: setting.bound(theorem, u_m, **(claimed or {})) / u_m


# --- On a saddle, where it is attained ---


LARGER = "PermK, ten times the difference"


def _attained(compressor: str) -> Case:
    place = {"delta": 10.0} if compressor == LARGER else {}
    chosen = COMPRESSORS[compressor.partition(",")[0]]
    setting = small_saddle("spectrum", size=20.0, compressor=chosen, local_steps=8, **place)
    of_permk = {"claimed": {"A": 1.0, "B": 1.0}}
    changes = {
        "PermK": (
            messages_count(0.25, setting.compressor),
            wrong(
                "PermK as no compression",
                r"a false claim: $\delta_1^2$ alone",
                claimed={"A": 0.0, "B": 0.0},
            ),
        ),
        "one client": (null("one client as PermK", "an equality", **of_permk),),
        "two clients": (
            wrong("two clients as one", "a false claim: no gain from a second client", **of_permk),
        ),
        "RandK": (mutant(raw_differences),),
    }
    return exact_case(
        setting,
        partial(_energies, theorem=V3_ATTAINED),
        ExactIdentity,
        *changes.get(compressor, ()),
        tolerance=1e-8,
        what=DRAWS,
    )


# --- Where workers are similar on average only ---


def _bounded(compressor: str) -> Case:
    return exact_case(
        hard(4, 2, mu=0.2, delta=4.0, compressor=COMPRESSORS[compressor], local_steps=EXACT),
        partial(_energies, theorem=V3),
        ExactInequality,
        wrong(
            "without delta_1",
            "a false claim: the server's own deviation is left out",
            claimed={"delta_1": 1e-6},
        ),
        bites=compressor == "none",
        what=DRAWS,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/messages",
        title="What compression costs: every compressor's constant is attained",
        theorem=V3_ATTAINED,
        prepare=grid(_attained, compressor=(*COMPRESSORS, LARGER)),
        x_label="state",
    ),
    Claim(
        id="three_pillars/one-step/message-bound",
        title="What compression costs where workers are similar on average only",
        theorem=V3,
        prepare=grid(_bounded, compressor=COMPRESSORS),
        x_label="state, the closest to the bound first",
    ),
)
