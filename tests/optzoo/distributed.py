"""The seven methods for distributed variational inequalities beside Three Pillars, ready to run."""

import jax

import optzoo
from optzoo.compressors import PermK, SampledClients, TopK

from .workers import AXIS

KEY = jax.random.key(0)
COINS = {"momentum": 0.35, "refresh_probability": 0.25}
LOCAL = {"local_step": 0.1, "local_steps": 3}

ARGUMENTS = {
    "distributed_extragradient": {"gamma": 0.2},
    "local_extragradient": {"gamma": 0.2, "local_steps": 3},
    "extragradient_sliding": {"theta": 0.4, **LOCAL, "eta": 0.3, "alpha": 0.2},
    "masha1": {"gamma": 0.2, **COINS, "compressor": PermK(4), "key": KEY},
    "masha2": {"gamma": 0.1, **COINS, "compressor": TopK(2, 4), "key": KEY},
    "optimistic_masha": {
        "gamma": 0.1,
        **COINS,
        "optimism": 0.9,
        "compressor": PermK(4),
        "key": KEY,
    },
    "svogs": {
        "gamma": 0.2,
        **LOCAL,
        **COINS,
        "optimism": 0.9,
        "clients": SampledClients(2, 4),
        "key": KEY,
    },
}
"""Of four workers, by public name."""

HAVE_A_SERVER = ("extragradient_sliding", "svogs")
EVALUATE = tuple(name for name in ARGUMENTS if name != "optimistic_masha")


def method(name, **changes):
    """The method with some of its arguments changed."""
    return getattr(optzoo, name)(**{"axis_name": AXIS, **ARGUMENTS[name], **changes})


def compressor_of(name):
    """What its messages are compressed by; None where there are none."""
    return ARGUMENTS[name].get("compressor", ARGUMENTS[name].get("clients"))
