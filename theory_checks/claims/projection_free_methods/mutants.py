"""Mistakes in the methods, each in the place of the shipped one."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo

from ...mutants import Call, altered
from ..frank_wolfe.mutants import Opposite
from ..frank_wolfe.processes import Method, Transformation

__all__ = ["MAXIMIZING", "maximizing"]


def maximizing(method: Method) -> Method:
    """The method with an oracle that maximizes."""

    def wrong_sign_of_the_oracle(constraint: Any, *more: Any, **named: Any) -> Transformation:
        """The oracle maximizes where it should minimize."""
        return method(Opposite(constraint), *more, **named)

    return wrong_sign_of_the_oracle
