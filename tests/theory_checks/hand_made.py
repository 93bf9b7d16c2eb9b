"""A theorem made by hand, of which every factor that data can catch is known in closed form."""

from dataclasses import dataclass

import numpy as np

from optzoo.theorems import Constants, constant
from theory_checks.claim import Case, Claim
from theory_checks.setting import Stated, chosen

from .statements import stated

AT = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Slopes(Constants):
    """Two terms, a share, and constants that take no part in the bound or were chosen."""

    L: float = constant("slope", weakens="up")
    sigma: float = constant("noise", weakens="up", positive=True)
    p: float = constant("share", weakens="down", positive=True, most=1.0)
    eta: float = constant("step", weakens=None)
    idle: float = constant("in no formula", weakens="up", default=1.0)

    def level(self, k):
        """L / (p k) + sigma / 10."""
        return self.L / (self.p * np.asarray(k, float)) + self.sigma / 10


CONSTANTS = {"L": 4.0, "sigma": 1.0, "p": 0.5, "eta": 0.1, "idle": 3.0}


def level(**changes):
    """The bound L / (p k) + sigma / 10 as a theorem."""
    fields = {"side": "above", "constants": Slopes, "formula": Slopes.level}
    return stated(**(fields | changes))


def setting(**changes):
    return Stated("by hand", chosen(**(CONSTANTS | changes)))


def evaluated(theorem, checks, laboratory):
    """The claim, and what its checks found, as the runner hands it to `coverage`."""
    one = Claim("hand/made", "By hand", theorem, lambda: None)
    found = [
        (name, Case(setting(), check), check.run(laboratory)) for name, check in checks.items()
    ]
    return one, found
