"""The law of the shipped chain, enumerated, against the law that the other claims compute with."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo import bernoulli_noise, rademacher_noise
from optzoo.problems import linear_chain_law

from ...checks import ExactIdentity
from ...claim import Case, Claim, Control
from . import mutants
from .paper import chosen, ito_claim
from .shipped import STEPS, Method, all_paths, linear_laws, states_after

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
ETAS = (0.5, 0.1, 1e-3)
GAMMAS = (0.0, 0.5, 1.0)


# --- One step in two dimensions, sigma a full matrix that depends on the state ---


def _drift(x: jax.Array) -> jax.Array:
    return jnp.stack([jnp.sin(x[1]), -x[0] * x[1]])


def _sigma(x: jax.Array) -> jax.Array:
    return jnp.stack([jnp.stack([1 + x[0] ** 2, x[1]]), jnp.stack([-x[0], jnp.cos(x[1])])])


def _one_step(method: Method = optzoo.ito_chain, seed: int = 0) -> tuple[Array, Array]:
    atoms = (-1.5, 0.0, 2.0)
    eps = np.array(list(itertools.product(atoms, repeat=2)))
    found, exact = [], []
    for step, gamma, x in itertools.product(ETAS, GAMMAS, ([0.3, -0.7], [-1.1, 0.4])):
        found.append(
            states_after(
                jnp.asarray(eps)[:, None, :],
                jnp.array(x),
                step,
                gamma,
                jax.random.key(seed),
                drift=_drift,
                sigma=_sigma,
                method=method,
            )
        )
        b = np.array([np.sin(x[1]), -x[0] * x[1]])
        matrix = np.array([[1 + x[0] ** 2, x[1]], [-x[0], np.cos(x[1])]])
        exact.append(x + step * b + step ** ((1 + gamma) / 2) * eps @ matrix.T)
    return np.concatenate(found).ravel(), np.concatenate(exact).ravel()


def _one_step_case() -> Case:
    what = "9 noises, 2 states, 3 steps, 3 gammas, both coordinates"

    def check(method: Method = optzoo.ito_chain, seed: int = 0) -> ExactIdentity:
        return ExactIdentity(partial(_one_step, method, seed), 1e-12, what)

    return Case(
        problem=r"$b(x) = (\sin x_2, -x_1 x_2)$, $\sigma(x)$ a full matrix that depends on $x$",
        constants={},
        parameters={"eta": "0.5, 0.1, 0.001", "gamma": "0, 1/2, 1"},
        check=check(),
        controls=(
            Control(
                "noise times step",
                "the noise is multiplied by $\\eta$ whatever $\\gamma$ is",
                check(mutants.noise_times_step),
            ),
            Control(
                "doubled exponent",
                r"$\eta^{1/2+\gamma}$ in place of $\eta^{(1+\gamma)/2}$",
                check(mutants.doubled_noise_exponent),
            ),
            Control(
                "unstandardized",
                r"$E\varepsilon\varepsilon^\top = 1.21 I$",
                check(mutants.unstandardized_noise),
            ),
            Control("uphill", "the drift has the wrong sign", check(mutants.uphill)),
            Control("drift error", "gradients off by 0.1", check(mutants.drift_with_error)),
            Control(
                "null",
                "another key: the noise is given, so it must not matter",
                check(seed=1),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- All paths of linear chains ---


def _linear(method: Method = optzoo.ito_chain) -> tuple[Array, Array]:
    found: list[Array] = []
    exact: list[Array] = []
    for noise, gamma in itertools.product((rademacher_noise(), bernoulli_noise(0.1)), (0.0, 1.0)):
        step = 1 / STEPS
        laws = linear_laws(noise, start=1.0, step=step, gamma=gamma, method=method)
        for rate, ours in laws.items():
            law = linear_chain_law(
                noise.atoms or (),
                noise.weights or (),
                contraction=1 - step * rate,
                steps=STEPS,
                start=1.0,
                scale=step ** ((1 + gamma) / 2),
            ).law
            for one, sides in ((ours, found), (law, exact)):
                centred = one.points - one.mean
                moments = [one.weights @ centred**power for power in (2, 3, 4)]
                sides.append(np.array([one.mean, *moments, one.points[0], one.points[-1]]))
    return np.concatenate(found), np.concatenate(exact)


def _linear_case() -> Case:
    what = "all 256 paths; mean, three central moments and both ends of the law"

    def check(method: Method = optzoo.ito_chain) -> ExactIdentity:
        return ExactIdentity(partial(_linear, method), 1e-12, what)

    return Case(
        problem="$b = -x$, $0$, $x/2$; coins and skewed coins; $x_0 = 1$",
        constants=chosen(s=1.0, T=1.0),
        parameters={"eta": 1 / STEPS, "steps": STEPS, "gamma": "0, 1"},
        check=check(),
        controls=(
            Control(
                "correlated noise",
                "a moving average of two: variance 1, but correlated",
                check(mutants.moving_average_noise),
            ),
            Control(
                "unstandardized", r"$E\varepsilon^2 = 1.21$", check(mutants.unstandardized_noise)
            ),
            Control(
                "doubled exponent",
                r"$\eta^{1/2+\gamma}$ in place of $\eta^{(1+\gamma)/2}$",
                check(mutants.doubled_noise_exponent),
            ),
            Control("drift error", "gradients off by 0.1", check(mutants.drift_with_error)),
        ),
    )


# --- All paths with multiplicative noise: a binomial tree ---


def _up(x: jax.Array) -> jax.Array:
    return 0.5 * x


def _part(x: jax.Array) -> jax.Array:
    return 0.4 * x


def _tree(method: Method = optzoo.ito_chain) -> tuple[Array, Array]:
    found, exact = [], []
    for gamma, step in itertools.product((0.0, 1.0), (0.125, 0.01)):
        noises, _ = all_paths((-1.0, 1.0), (0.5, 0.5), STEPS)
        ends = states_after(
            jnp.asarray(noises),
            jnp.array([2.0]),
            step,
            gamma,
            jax.random.key(0),
            drift=_up,
            sigma=_part,
            method=method,
        )
        kick = 0.4 * step ** ((1 + gamma) / 2)
        heads = np.array([bin(path).count("1") for path in range(2**STEPS)])
        low, high = 1 + 0.5 * step - kick, 1 + 0.5 * step + kick
        found.append(np.sort(np.asarray(ends)[:, 0]))
        exact.append(np.sort(2.0 * low ** (STEPS - heads) * high**heads))
    return np.concatenate(found), np.concatenate(exact)


def _tree_case() -> Case:
    what = "all 256 paths of the shipped chain, in order"

    def check(method: Method = optzoo.ito_chain) -> ExactIdentity:
        return ExactIdentity(partial(_tree, method), 1e-12, what)

    return Case(
        problem=r"$b = x/2$, $\sigma(x) = 0.4 x$, coins, $x_0 = 2$",
        constants=chosen(a=0.5, s=0.4),
        parameters={"eta": "1/8, 1/100", "steps": STEPS, "gamma": "0, 1"},
        check=check(),
        controls=(
            Control("frozen sigma", r"$\sigma(x_0)$ for ever", check(mutants.frozen_diffusion)),
            Control(
                "correlated noise",
                "a moving average of two: variance 1, but correlated",
                check(mutants.moving_average_noise),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    ito_claim(
        id="ito_chains/one-step/law",
        title="One step of the shipped chain",
        source="definition of the chain",
        theorem="chain",
        statement=(
            r"$$X_{k+1} = X_k + \eta\, b(X_k) + \eta^{(1+\gamma)/2} \sigma(X_k) \varepsilon_k$$ "
            "for every value of the noise"
        ),
        assumptions=("noise with finitely many values",),
        kind="identity",
        metric="X_{k+1}",
        unit="iteration",
        output="next iterate",
        x_label="case",
        prepare=_one_step_case,
        not_shown="That the laws shipped with the chain are standardized: tests show that.",
    ),
    ito_claim(
        id="ito_chains/paths/linear",
        title="The law that the claims compute with is the shipped chain's",
        source="definition of the chain, unrolled",
        theorem="chain",
        statement=(
            r"With $b(x) = -ax$ and $\sigma = s$ the law of $X_k$ is that of $(1-a\eta)^k x_0 + "
            r"\eta^{(1+\gamma)/2} s \sum_{j<k} (1-a\eta)^j \varepsilon_j$"
        ),
        assumptions=("independent noise with two values",),
        kind="identity",
        metric=r"\text{moments and ends of the law of } X_k",
        unit="iteration",
        output="last iterate",
        x_label="case",
        prepare=_linear_case,
        not_shown="More than 8 steps of the code; longer chains are computed from this law.",
    ),
    ito_claim(
        id="ito_chains/paths/multiplicative",
        title="With multiplicative noise the shipped chain is a binomial tree",
        source="definition of the chain, unrolled",
        theorem="chain",
        statement=(
            r"With $b(x) = ax$, $\sigma(x) = sx$ and coins for noise $X_k$ is $x_0 "
            r"(1+a\eta-s\eta^{(1+\gamma)/2})^{k-h} (1+a\eta+s\eta^{(1+\gamma)/2})^h$ "
            "with $h$ binomial"
        ),
        assumptions=("coins for noise",),
        kind="identity",
        metric="X_k",
        unit="iteration",
        output="last iterate",
        x_label="path",
        prepare=_tree_case,
        not_shown="Anything about the limit: this is the chain itself.",
    ),
)
