# SPDX-License-Identifier: Apache-2.0
"""The optimizers of `optzoo` as rows of the conformance table."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from .. import (
    away_step_frank_wolfe,
    blended_pairwise_frank_wolfe,
    compressors,
    distributed_extragradient,
    exact_line_search,
    extragradient_sliding,
    frank_wolfe,
    growing_batches,
    ito_chain,
    kl_shampoo,
    kl_soap,
    lmo,
    local_extragradient,
    masha1,
    masha2,
    master_weights,
    momentum_frank_wolfe,
    open_loop_schedule,
    optimistic_masha,
    pairwise_frank_wolfe,
    rademacher_noise,
    randomized_accelerated_gd,
    randomized_extragradient,
    randomized_gd,
    reshaped,
    rms_preconditioner,
    sag_frank_wolfe,
    saga_sarah_frank_wolfe,
    sagafw,
    sarah_frank_wolfe,
    scale_by_kl_shampoo,
    scale_by_kl_soap,
    scale_by_soap,
    sgld,
    shampoo,
    short_step,
    soap,
    spider_frank_wolfe,
    stich_schedule,
    stochastic_conditional_gradient,
    stochastic_frank_wolfe,
    stochastic_gradient_boosting,
    svogs,
    svrf,
    three_pillars,
    three_pillars_partial_participation,
)
from .row import TARGET, Row, gradient, objective

__all__ = ["ROWS"]

_Row = functools.partial(Row, needs_params=True)


def _three_rows(params: Any) -> Any:
    """The gradients of three equal samples."""
    return jax.tree.map(lambda g: jnp.stack([g, g, g]), gradient(params))


def _one_sample_a_number(params: Any) -> dict[str, Any]:
    """Half the squared distance as a generalized linear model: a_i is the i-th unit vector."""
    leaves = jax.tree.leaves(params)
    structure: Any = jax.tree.structure(params)
    n = sum(leaf.size for leaf in leaves)
    units, start = [], 0
    for leaf in leaves:
        rows = jnp.eye(n, leaf.size, -start, dtype=leaf.dtype)
        units.append(rows.reshape(n, *leaf.shape))
        start += leaf.size
    return {
        "indices": jnp.arange(n),
        "sample_grads_fn": lambda p: (
            n * jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradient(p))])
        ),
        "features": structure.unflatten(units),
    }


def _both_batches(params: Any) -> dict[str, Any]:
    found = _one_sample_a_number(params)
    return {
        **found,
        "refresh_indices": found["indices"][1:],
        "refresh_grads_fn": lambda p: found["sample_grads_fn"](p)[1:],
        "refresh_features": jax.tree.map(lambda leaf: leaf[1:], found["features"]),
    }


ROWS: tuple[Row, ...] = (
    _Row(
        "frank_wolfe",
        frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": 0.1},
    ),
    _Row(
        "frank_wolfe-schedule",
        frank_wolfe,
        {
            "constraint": lmo.l2_ball(1.0),
            "learning_rate": open_loop_schedule(),
        },
    ),
    _Row(
        "frank_wolfe-exact-line-search",
        frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": exact_line_search()},
        arguments={"value_fn": objective},
    ),
    _Row(
        "away_step_frank_wolfe",
        away_step_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": exact_line_search()},
        arguments={"value_fn": objective},
    ),
    # The set is full after four steps.
    _Row(
        "away_step_frank_wolfe-few-atoms",
        away_step_frank_wolfe,
        {"constraint": lmo.l2_ball(1.0), "learning_rate": short_step(1.0), "max_atoms": 4},
        static_args=("max_atoms",),
    ),
    _Row(
        "pairwise_frank_wolfe",
        pairwise_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": short_step(1.0)},
    ),
    _Row(
        "blended_pairwise_frank_wolfe",
        blended_pairwise_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": short_step(1.0)},
    ),
    _Row(
        "sarah_frank_wolfe",
        sarah_frank_wolfe,
        {
            "constraint": lmo.l1_ball(1.0),
            "learning_rate": 0.1,
            "restart_probability": 0.3,
            "key": jax.random.key(0),
        },
        functions=("grad_fn", "full_grad_fn"),
    ),
    _Row(
        "sarah_frank_wolfe-raw-key-schedule",
        sarah_frank_wolfe,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": stich_schedule(50, 0.3),
            "restart_probability": 0.3,
            "key": jax.random.PRNGKey(0),
        },
        functions=("grad_fn", "full_grad_fn"),
    ),
    _Row(
        "saga_sarah_frank_wolfe",
        saga_sarah_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": 0.1, "num_samples": 3},
        functions=("sample_grads_fn",),
        arguments={"indices": jnp.array([2, 0, 1]), "sample_grads_fn": _three_rows},
    ),
    _Row(
        "saga_sarah_frank_wolfe-mixing-schedule",
        saga_sarah_frank_wolfe,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": open_loop_schedule(),
            "num_samples": 3,
            "mixing": 0.7,
        },
        functions=("sample_grads_fn",),
        arguments={"indices": jnp.array([2, 0, 1]), "sample_grads_fn": _three_rows},
    ),
    # Two calls a step.
    _Row(
        "stochastic_frank_wolfe",
        stochastic_frank_wolfe,
        {
            "constraint": lmo.l1_ball(1.0),
            "learning_rate": 0.1,
            "batch_size": 2,
            "samples_per_step": 3,
        },
    ),
    # inject_hyperparams counts the calls, the schedules count the steps.
    _Row(
        "stochastic_frank_wolfe-schedules",
        stochastic_frank_wolfe,
        {
            "constraint": lmo.l2_ball(1.0),
            "batch_size": 2,
            "samples_per_step": growing_batches(1.0, 2.0, 2.0),
        },
        static_args=("samples_per_step",),
    ),
    _Row(
        "svrf",
        svrf,
        {"constraint": lmo.l1_ball(1.0), "batch_size": 200},
        functions=("grad_fn", "full_grad_fn"),
    ),
    _Row(
        "svrf-numbers",
        svrf,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": 0.1,
            "batch_size": 2,
            "samples_per_step": 3,
        },
        functions=("grad_fn", "full_grad_fn"),
    ),
    _Row(
        "spider_frank_wolfe",
        spider_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "batch_size": 3},
        functions=("grad_fn", "full_grad_fn"),
    ),
    _Row(
        "spider_frank_wolfe-nonconvex",
        spider_frank_wolfe,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": open_loop_schedule(),
            "batch_size": 2,
            "epoch_length": 4,
            "samples_per_step": 3,
        },
        functions=("grad_fn", "full_grad_fn"),
        static_args=("learning_rate",),
    ),
    _Row("momentum_frank_wolfe", momentum_frank_wolfe, {"constraint": lmo.l1_ball(1.0)}),
    _Row(
        "momentum_frank_wolfe-numbers",
        momentum_frank_wolfe,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": open_loop_schedule(),
            "momentum": 0.7,
        },
    ),
    _Row(
        "sag_frank_wolfe",
        sag_frank_wolfe,
        {"constraint": lmo.l1_ball(1.0), "num_samples": 6},
        functions=("sample_grads_fn",),
        arguments=_one_sample_a_number,
    ),
    _Row(
        "sagafw",
        sagafw,
        {"constraint": lmo.l1_ball(1.0), "learning_rate": 0.1, "num_samples": 3},
        functions=("sample_grads_fn", "refresh_grads_fn"),
        arguments={
            "indices": jnp.array([2, 0, 1]),
            "sample_grads_fn": _three_rows,
            "refresh_indices": jnp.array([1, 1, 0]),
            "refresh_grads_fn": _three_rows,
        },
    ),
    _Row(
        "sagafw-linear-schedule",
        sagafw,
        {
            "constraint": lmo.box(-1.0, 1.0),
            "learning_rate": open_loop_schedule(),
            "num_samples": 6,
            "table": "linear",
        },
        functions=("sample_grads_fn", "refresh_grads_fn"),
        arguments=_both_batches,
    ),
    _Row(
        "stochastic_conditional_gradient",
        stochastic_conditional_gradient,
        {"constraint": lmo.l2_ball(1.0), "learning_rate": open_loop_schedule()},
    ),
    _Row(
        "stochastic_conditional_gradient-descent",
        stochastic_conditional_gradient,
        {
            "constraint": lmo.linf_ball(1.0),
            "learning_rate": 0.003,
            "averaging": optax.linear_schedule(0.9, 0.1, 10),
            "weight_decay": 0.0,
            "nesterov": True,
        },
    ),
    _Row(
        "randomized_gd",
        randomized_gd,
        {"learning_rate": 0.1},
        needs_params=False,
    ),
    _Row(
        "randomized_accelerated_gd",
        randomized_accelerated_gd,
        {"learning_rate": 0.3, "strong_convexity": 0.5, "momentum_scale": 0.9},
    ),
    _Row(
        "randomized_extragradient",
        randomized_extragradient,
        {"learning_rate": 0.1},
    ),
    # The first gradient is diagonal in its own basis: such an eps hides the round-off beside it,
    # in all rows of SOAP.
    _Row("soap", soap, {"learning_rate": 0.01, "eps": 1e-3}),
    _Row(
        "soap-schedule",
        soap,
        {
            "learning_rate": optax.linear_schedule(0.0, 0.01, 10),
            "eps": 1e-3,
            "shampoo_beta": 0.9,
            "mask": lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
            "precondition_frequency": 2,
            "precondition_1d": True,
        },
        static_args=("mask",),
    ),
    _Row(
        "scale_by_soap",
        scale_by_soap,
        {"max_precond_dim": 2, "precondition_frequency": 3, "eps": 1e-3},
        needs_params=False,
        factor=-0.01,
    ),
    _Row("kl_shampoo", kl_shampoo, {"learning_rate": 0.01, "eps": 1e-3}),
    _Row(
        "scale_by_kl_shampoo",
        scale_by_kl_shampoo,
        {"precondition_frequency": 3, "precondition_1d": True, "eps": 1e-3},
        needs_params=False,
        factor=-0.01,
    ),
    _Row("kl_soap", kl_soap, {"learning_rate": 0.01, "eps": 1e-3}),
    _Row(
        "scale_by_kl_soap",
        scale_by_kl_soap,
        {"max_precond_dim": 2, "precondition_frequency": 3, "eps": 1e-3},
        needs_params=False,
        factor=-0.01,
    ),
    _Row(
        "shampoo",
        shampoo,
        {"learning_rate": 0.01, "eps": 1e-2},
        needs_params=False,
    ),
    _Row(
        "shampoo-grafted",
        shampoo,
        {
            "learning_rate": optax.linear_schedule(0.0, 0.01, 10),
            "eps": 1e-2,
            "beta": 0.9,
            "momentum": 0.9,
            "precondition_frequency": 2,
            "graft": optax.identity(),
        },
        needs_params=False,
    ),
    _Row(
        "three_pillars",
        three_pillars,
        {
            "gamma": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "compressor": compressors.PermK(1),
            "axis_name": "workers",
            "key": jax.random.key(0),
        },
        functions=("operator_fn",),
    ),
    _Row(
        "three_pillars_partial_participation",
        three_pillars_partial_participation,
        {
            "gamma": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "clients": compressors.SampledClients(1, 1),
            "axis_name": "workers",
            "key": jax.random.PRNGKey(0),
        },
        functions=("operator_fn",),
    ),
    _Row(
        "distributed_extragradient",
        distributed_extragradient,
        {"gamma": 0.3, "axis_name": "workers"},
        functions=("operator_fn",),
    ),
    _Row(
        "local_extragradient",
        local_extragradient,
        {"gamma": 0.2, "local_steps": 2, "axis_name": "workers"},
        functions=("operator_fn",),
    ),
    _Row(
        "extragradient_sliding",
        extragradient_sliding,
        {
            "theta": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "eta": 0.4,
            "alpha": 0.1,
            "axis_name": "workers",
        },
        functions=("operator_fn",),
    ),
    _Row(
        "masha1",
        masha1,
        {
            "gamma": 0.2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "compressor": compressors.RandK(4, 1),
            "axis_name": "workers",
            "key": jax.random.key(0),
        },
        functions=("operator_fn",),
    ),
    _Row(
        "masha2",
        masha2,
        {
            "gamma": 0.1,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "compressor": compressors.TopK(2, 1),
            "axis_name": "workers",
            "key": jax.random.PRNGKey(0),
        },
        functions=("operator_fn",),
    ),
    _Row(
        "optimistic_masha",
        optimistic_masha,
        {
            "gamma": 0.1,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "optimism": 0.9,
            "compressor": compressors.PermK(1),
            "axis_name": "workers",
            "key": jax.random.key(0),
        },
    ),
    _Row(
        "svogs",
        svogs,
        {
            "gamma": 0.5,
            "local_step": 0.1,
            "local_steps": 2,
            "momentum": 0.3,
            "refresh_probability": 0.3,
            "optimism": 0.9,
            "clients": compressors.SampledClients(1, 1),
            "axis_name": "workers",
            "key": jax.random.PRNGKey(0),
        },
        functions=("operator_fn",),
    ),
    _Row("master_weights", master_weights, {"inner": optax.sgd(0.1, momentum=0.5)}),
    # The matrix is merged with nothing and cut into four, the vector into two.
    _Row(
        "reshaped",
        reshaped,
        {"inner": optax.sgd(0.1, momentum=0.5), "block_size": 1},
        needs_params=False,
        static_args=("block_size",),
    ),
    _Row(
        "ito_chain",
        ito_chain,
        {
            "learning_rate": 0.1,
            "noise": rademacher_noise(),
            "diffusion": None,
            "gamma": 0.5,
            "key": jax.random.key(0),
        },
        arguments={"diffusion": 0.01 * jnp.eye(6)},
    ),
    _Row(
        "sgld",
        sgld,
        {
            "learning_rate": optax.exponential_decay(0.01, 100, 0.9),
            "temperature": 1e-6,
            "preconditioner": rms_preconditioner(adaptation_steps=50),
            "key": jax.random.PRNGKey(0),
        },
    ),
    _Row(
        "stochastic_gradient_boosting",
        stochastic_gradient_boosting,
        {
            "learning_rate": 0.3,
            "cell_sizes": jax.tree.map(lambda leaf: jnp.full(leaf.shape, 1.0), TARGET),
            "temperature": 1e-4,
            "key": jax.random.key(0),
        },
    ),
)
