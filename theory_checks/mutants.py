# SPDX-License-Identifier: Apache-2.0
"""Mutants of optax transformations: the shipped method, of which every call is altered."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import optax

__all__ = ["Call", "altered"]

Make: TypeAlias = Callable[..., optax.GradientTransformationExtraArgs]


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a method's `update`.

    Args:
        method: whose.
        arguments: what the method was made with, by name.
        updates, state, params: as they were given.
        extra_args: as they were given, by name.
    """

    method: optax.GradientTransformationExtraArgs
    arguments: Mapping[str, Any]
    updates: Any
    state: Any
    params: Any
    extra_args: dict[str, Any]

    def step(self, **changes: Any) -> tuple[Any, Any]:
        """What the method does in this call, or in one with other arguments of `update`.

        Args:
            **changes: `updates`, `state`, `params` or extra arguments in place of the given ones.

        Returns:
            Its updates and its new state.
        """
        given = {"updates": self.updates, "state": self.state, "params": self.params}
        return self.method.update(**given | self.extra_args | changes)


def altered(method: Make) -> Callable[[Callable[[Call], tuple[Any, Any]]], Make]:
    """Makes a mutant of a function of a call, which returns other updates or another state.

    Args:
        method: what makes the transformation.

    Returns:
        A decorator. The mutant has the arguments of `method`, and the name and the docstring of
        the function; its state is that of the transformation.

    Example:
        >>> @altered(optax.sgd)
        ... def uphill(call):
        ...     '''The step has the wrong sign.'''
        ...     updates, state = call.step()
        ...     return -updates, state
        >>> mutant = uphill(learning_rate=0.5)
        >>> float(mutant.update(1.0, mutant.init(1.0), 1.0)[0])
        0.5
    """
    signature = inspect.signature(method)

    def of(change: Callable[[Call], tuple[Any, Any]]) -> Make:
        @functools.wraps(change)
        def make(*arguments: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
            shipped = optax.with_extra_args_support(method(*arguments, **named))
            bound = signature.bind(*arguments, **named).arguments

            def update(
                updates: Any, state: Any, params: Any = None, **extra_args: Any
            ) -> tuple[Any, Any]:
                return change(Call(shipped, bound, updates, state, params, extra_args))

            return optax.GradientTransformationExtraArgs(shipped.init, update)

        return make

    return of
