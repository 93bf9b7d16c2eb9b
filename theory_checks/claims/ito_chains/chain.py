# SPDX-License-Identifier: Apache-2.0
"""The law of the shipped chain, enumerated, against the law that the other claims compute with."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Atoms, Gaussian
from optzoo.theorems.ito_chains import CHAIN, CHAIN_LINEAR, CHAIN_TREE

from ...checks import ExactIdentity
from ...claim import Case, Claim
from ...controls import Sides, exact_case, mutant, null
from ...family import Family, members
from ...setting import Stated, chosen
from . import mutants
from .settings import LinearChain
from .shipped import STEPS, Coefficients, Method, all_paths, shipped_law, states_after

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- One step in two dimensions, sigma a full matrix that depends on the state ---

STATES = ((0.3, -0.7), (-1.1, 0.4))


def _drift(x: jax.Array) -> jax.Array:
    return jnp.stack([jnp.sin(x[1]), -x[0] * x[1]])


def _sigma(x: jax.Array) -> jax.Array:
    return jnp.stack([jnp.stack([1 + x[0] ** 2, x[1]]), jnp.stack([-x[0], jnp.cos(x[1])])])


FULL = Coefficients(_drift, _sigma)


def _one_step(family: Family[Stated], method: Method = optzoo.ito_chain, seed: int = 0) -> Sides:
    eps = np.array(list(itertools.product((-1.5, 0.0, 2.0), repeat=2)))
    places = list(itertools.product(family.members, STATES))
    found = []
    for member, x in places:
        step = member.of(CHAIN)
        given = jnp.asarray(eps)[:, None, :], jnp.array(x), step.eta, step.gamma
        found.append(states_after(*given, FULL, method=method, seed=seed))

    def exact() -> Array:
        each = []
        for member, x in places:
            drift = np.array([np.sin(x[1]), -x[0] * x[1]])
            sigma = np.array([[1 + x[0] ** 2, x[1]], [-x[0], np.cos(x[1])]])
            each.append(member.bound(CHAIN, x, drift, eps @ sigma.T))
        return np.concatenate(each).ravel()

    return np.concatenate(found).ravel(), exact


def _one_step_case() -> Case:
    steps = members(
        lambda **step: Stated("one step", chosen(**step)),
        eta=(0.5, 0.1, 1e-3),
        gamma=(0.0, 0.5, 1.0),
    )
    text = r"$b(x) = (\sin x_2, -x_1 x_2)$, $\sigma(x)$ a full matrix that depends on $x$"
    family = Family(text, steps, (CHAIN,))
    return exact_case(
        family,
        _one_step,
        ExactIdentity,
        mutant(mutants.noise_times_step),
        mutant(mutants.doubled_exponent),
        mutant(mutants.unstandardized),
        mutant(mutants.uphill),
        mutant(mutants.drift_error),
        null("null", "another key: the noise is given, so it must not matter", seed=1),
        tolerance=1e-12,
        what="9 noises, 2 states, 3 steps, 3 gammas, both coordinates",
    )


# --- All paths of linear chains ---


def _moments_and_ends(law: Atoms | Gaussian) -> Array:
    assert isinstance(law, Atoms)
    centred = law.points - law.mean
    moments = [law.weights @ centred**power for power in (2, 3, 4)]
    return np.array([law.mean, *moments, law.points[0], law.points[-1]])


def _linear(family: Family[LinearChain], method: Method = optzoo.ito_chain) -> Sides:
    found = [_moments_and_ends(shipped_law(chain, method=method)) for chain in family.members]
    exact = [_moments_and_ends(chain.law()[0]) for chain in family.members]
    return np.concatenate(found), np.concatenate(exact)


def _linear_case() -> Case:
    chains = members(
        LinearChain,
        noise=("coin", "skewed coin"),
        gamma=(0.0, 1.0),
        rate=(1.0, 0.0, -0.5),
        eta=(1 / STEPS,),
        start=(1.0,),
    )
    text = "$b = -x$, $0$, $x/2$; coins and skewed coins; $x_0 = 1$"
    family = Family(text, chains, (CHAIN_LINEAR,))
    return exact_case(
        family,
        _linear,
        ExactIdentity,
        mutant(mutants.correlated_noise),
        mutant(mutants.unstandardized),
        mutant(mutants.doubled_exponent),
        mutant(mutants.drift_error),
        tolerance=1e-12,
        round_off=1e-14,
        what="all 256 paths; mean, three central moments and both ends of the law",
    )


# --- All paths with multiplicative noise: a binomial tree ---


GEOMETRIC = Coefficients(lambda x: 0.5 * x, lambda x: 0.4 * x)


def _tree(family: Family[Stated], method: Method = optzoo.ito_chain) -> Sides:
    noises, _ = all_paths((-1.0, 1.0), (0.5, 0.5), STEPS)
    heads = np.array([bin(path).count("1") for path in range(2**STEPS)])
    found = []
    for tree in family.each(CHAIN_TREE):
        given = jnp.asarray(noises), jnp.array([tree.x_0]), tree.eta, tree.gamma
        ends = states_after(*given, GEOMETRIC, method=method)
        found.append(np.sort(np.asarray(ends)[:, 0]))

    def exact() -> Array:
        return np.concatenate([np.sort(tree.bound(CHAIN_TREE, heads)) for tree in family.members])

    return np.concatenate(found), exact


def _tree_case() -> Case:
    def tree(gamma: float, eta: float) -> Stated:
        known = chosen(eta=eta, gamma=gamma, T=STEPS * eta, a=-0.5, s=0.4, x_0=2.0)
        return Stated("a tree", known)

    trees = members(tree, gamma=(0.0, 1.0), eta=(0.125, 0.01))
    family = Family(r"$b = x/2$, $\sigma(x) = 0.4 x$, coins, $x_0 = 2$", trees, (CHAIN_TREE,))
    return exact_case(
        family,
        _tree,
        ExactIdentity,
        mutant(mutants.frozen_sigma),
        mutant(mutants.correlated_noise),
        tolerance=1e-12,
        what="all 256 paths of the shipped chain, in order",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/one-step/law",
        title="One step of the shipped chain",
        theorem=CHAIN,
        prepare=_one_step_case,
        x_label="case",
    ),
    Claim(
        id="ito_chains/paths/linear",
        title="The law that the claims compute with is the shipped chain's",
        theorem=CHAIN_LINEAR,
        prepare=_linear_case,
        x_label="case",
    ),
    Claim(
        id="ito_chains/paths/multiplicative",
        title="With multiplicative noise the shipped chain is a binomial tree",
        theorem=CHAIN_TREE,
        prepare=_tree_case,
        x_label="path",
    ),
)
