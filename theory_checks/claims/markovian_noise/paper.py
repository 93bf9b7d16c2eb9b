"""What the claims of this paper have in common: their source, and the chains they run on."""

from functools import cache, partial

import numpy as np

from optzoo.problems import (
    Constant,
    MarkovChain,
    lazy_resample,
    one_way_lazy_ring,
    symmetric_lazy_ring,
    two_state_switch,
)

from ...claim import Claim

__all__ = ["CHAIN_WORDS", "PAPER", "PARTNERS", "chains", "markov_claim", "slow_chain", "tau_range"]

PAPER = (
    "Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "
    '"First Order Methods with Markovian Noise: from Acceleration to Variational Inequalities", '
    "NeurIPS 2023, arXiv:2305.15938"
)

# What fails for a wrong factor, and so can stand beside a bound that is slack on its instances.
PARTNERS = (
    "markovian_noise/estimator/telescoping",
    "markovian_noise/estimator/second-moment",
    "markovian_noise/estimator/variance",
    "markovian_noise/estimator/bias",
)

markov_claim = partial(Claim, paper=PAPER)

CHAIN_WORDS = (
    r"two-state switches ($\tau = 14, 138, 1386$), lazy resampling of 3 states (20), symmetric "
    "lazy rings of 10 and 30 states (17, 149), a one-way lazy ring of 10 (33)"
)


@cache
def chains() -> dict[str, MarkovChain]:
    """Name -> chain, mixing times from 14 to 1386, one of them not reversible."""
    return {
        "switch-14": two_state_switch(0.05),
        "switch-138": two_state_switch(0.005),
        "switch-1386": two_state_switch(0.0005),
        "resample-20": lazy_resample([0.2, 0.3, 0.5], 1 - 4 ** (-1 / 20)),
        "ring-17": symmetric_lazy_ring(10),
        "ring-149": symmetric_lazy_ring(30),
        "one-way-33": one_way_lazy_ring(10),
    }


def slow_chain(mixing_time: int, law: tuple[float, ...] = (0.5, 0.5)) -> MarkovChain:
    """Lazy resampling whose mixing time is exactly this."""
    return lazy_resample(np.asarray(law), 1 - 4 ** (-1 / mixing_time))


def tau_range() -> dict[str, Constant]:
    """The shortest and the longest mixing time of the chains."""
    times = [chain.constants["tau"] for chain in chains().values()]
    ordered = sorted(times, key=lambda constant: constant.value)
    return {"tau_min": ordered[0], "tau_max": ordered[-1]}
