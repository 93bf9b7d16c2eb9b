"""What is to sum to one, to be symmetric or to cancel may come in float32, and is made exact."""

import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import (
    MarkovChain,
    MaskedQuadratic,
    MintyOperators,
    RotationOperator,
    bures,
    fokker_planck,
    lazy_resample,
    metropolis_chain,
    random_walk,
    temporal_difference,
    two_state_switch,
)

RNG = np.random.default_rng(0)
ROWS = RNG.dirichlet(np.ones(7), 7)
LAW = np.array([0.1, 0.2, 0.7])
ROOT = RNG.standard_normal((4, 4))
SKEW = ROOT - ROOT.T
DEVIATIONS = np.stack([0.3 * SKEW, -0.1 * SKEW, -0.2 * SKEW])
SYMMETRIC = ROOT @ ROOT.T


def off_by_round_off(array):
    """In float32, its entries computed one by one."""
    rounded = np.asarray(array, np.float32)
    return rounded * (1 + np.float32(6e-8) * RNG.choice([-1, 1], rounded.shape)).astype(np.float32)


BUILD = {
    "transition": lambda rounded: MarkovChain(rounded(ROWS)).certify(),
    "law": lambda rounded: lazy_resample(rounded(LAW), 0.3).certify(),
    "proposal": lambda rounded: metropolis_chain(np.ones(7), rounded(ROWS)).certify(),
    "adjacency": lambda rounded: random_walk(rounded(abs(SYMMETRIC)), 0.5).certify(),
    "hessian": lambda rounded: MaskedQuadratic(
        two_state_switch(0.1), rounded(SYMMETRIC), np.ones(4), np.ones((2, 4))
    ).certify(),
    "skew": lambda rounded: RotationOperator(
        two_state_switch(0.1), np.ones(4), rounded(SKEW), *np.ones((2, 4)), *np.zeros((2, 2))
    ).certify(),
    "deviations": lambda rounded: MintyOperators(
        jnp.asarray(rounded(SKEW)), jnp.asarray(rounded(DEVIATIONS))
    ).certify(),
    "covariance": lambda rounded: bures(
        np.zeros(4), rounded(SYMMETRIC), np.zeros(4), rounded(np.diag([1.0, 0, 0, 0]))
    ),
    "policy": lambda rounded: temporal_difference(
        rounded(np.stack([ROWS, ROWS])), np.ones((7, 2)), rounded(np.full((7, 2), 0.5)),
        RNG.standard_normal((7, 2)), 0.9,
    ),
    "edges": lambda rounded: fokker_planck(
        lambda x: -x, 1.0, 0.5, 0.1, rounded(np.linspace(-6.0, 6.0, 401))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILD)
def test_float32_data_are_accepted_and_wrong_ones_are_not(name):
    BUILD[name](off_by_round_off)
    with pytest.raises(ValueError, match=r"probability|symmetric|skew|deviations|equidistant"):
        BUILD[name](lambda array: array + 1e-4 * RNG.standard_normal(np.shape(array)))
    with pytest.raises(
        ValueError, match=r"probability|symmetric|skew|deviations|equidistant|weights"
    ):
        BUILD[name](lambda array: np.nan * array)


def test_a_chain_given_in_float32_is_one_in_float64():
    chain = MarkovChain(jnp.array([[0.9, 0.1], [0.3, 0.7]], jnp.float32))
    assert chain.transition.dtype == np.float64
    np.testing.assert_allclose(chain.transition.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(chain.stationary, [0.75, 0.25], rtol=1e-6)
    chain.certify()
