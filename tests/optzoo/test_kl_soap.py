"""KL-SOAP against an independent statement of it in NumPy, and against SOAP and Adam.

What it shares with KL-Shampoo is tested with that.
"""

import jax
import numpy as np
import optax
import pytest

import optzoo

from .kl_in_numpy import kl_in_numpy
from .test_kl_shampoo import NUMBERS, SHAPES, path_and_nu, run, start_and_gradients


@pytest.mark.parametrize("f", [1, 7])
def test_every_iterate_is_that_of_the_independent_statement(f):
    axes = {"square": (0, 1), "cube": (0, 1, 2), "vector": (), "number": ()}
    start, gradients = start_and_gradients({name: SHAPES[name] for name in axes}, 100)
    path, _ = path_and_nu(optzoo.kl_soap, start, gradients, f)
    for name, of_leaf in axes.items():
        expected = kl_in_numpy(start[name], gradients[name], f, soap=True, axes=of_leaf)
        assert np.abs(expected[-1] - start[name]).max() > 0.02
        np.testing.assert_allclose(path[name], expected, atol=1e-10, err_msg=name)


def test_with_one_factor_a_leaf_it_is_soap():
    start, gradients = start_and_gradients({"wide": (3, 8)}, 40)
    keywords = {**NUMBERS, "precondition_frequency": 3, "one_sided": True}
    soap, _ = run(optzoo.soap(**keywords), start, gradients)
    path, _ = run(optzoo.kl_soap(**keywords), start, gradients)
    np.testing.assert_allclose(path["wide"], soap["wide"], atol=1e-10)


def test_without_factors_both_are_adam_from_the_second_gradient_on():
    start, gradients = start_and_gradients({"square": (4, 4)}, 20)
    later = {name: g[1:] for name, g in gradients.items()}
    adam = optax.chain(optax.scale_by_adam(0.9, 0.95, eps=0.0), optax.scale(-1e-2))
    expected, _ = run(adam, start, later)
    keywords = {**NUMBERS, "weight_decay": 0.0, "eps": 0.0, "max_precond_dim": 0}
    for make in (optzoo.kl_soap, optzoo.kl_shampoo):
        path, state = run(make(**keywords), start, gradients)
        np.testing.assert_allclose(path["square"][1:], expected["square"], atol=1e-13)
        assert not jax.tree.leaves((state.gram, state.basis, state.eigenvalues))
