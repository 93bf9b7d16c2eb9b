# SPDX-License-Identifier: Apache-2.0
r"""The exact worst case of a method's own code, over all functions of a class in any dimension.

What a theorem bounds from above can be computed: for a method that is linear in its gradients the
worst case after N steps is a semidefinite program (Drori and Teboulle 2014; Taylor, Hendrickx and
Glineur 2017). This package reads the steps off an optax transformation, has PEPit write down the
program, and makes of its solution the function on which the code is as bad as that.

It needs the extra `pep`: `pip install "optzoo[pep]"`.

How bad is gradient descent with momentum on strongly convex functions, after three steps from a
start at distance 1?

>>> import optax, optzoo
>>> from theory_checks.worst_case import pep
>>> worst = pep.worst_case(
...     optax.sgd(0.8, momentum=0.5), pep.SmoothStronglyConvex(mu=0.1, L=1.0), steps=3)
>>> round(worst.value, 4)
0.0847

No function of the class is worse, and here is one that is as bad, with the method run on it:

>>> problem = pep.worst_problem(worst)
>>> round(pep.attained(worst, problem), 4)
0.0847

- **Methods**: any transformation whose updates are linear in the gradients, and in the parameters
  (weight decay): fixed and scheduled steps, momentum, Nesterov, chains, `optax.MultiSteps`. `steps`
  counts calls of `update`. Where the output is not the point at which gradients are taken, say
  `output=`, such as `optzoo.accelerated_eval_params`. What is not linear raises `NotLinear` with
  the reason:

>>> try:
...     pep.worst_case(optax.sign_sgd(0.1), pep.SmoothConvex(1.0), steps=2)
... except pep.NotLinear as error:
...     print(str(error).split(" in its gradients")[0])
the method is not homogeneous

- **Classes**: `SmoothConvex`, `SmoothStronglyConvex`, `SmoothNonconvex`; operators, of which the
  update is handed the value: `MonotoneLipschitz`, `StronglyMonotoneLipschitz`; `OverSet(objective,
  diameter)`, whose method is a function of the set; `FiniteSum(each, components)`.
- **Metrics**: "suboptimality" f(y_N) - f*, "distance" |y_N - x*|^2, "gradient_norm" min_k |grad
  f(y_k)|^2, "last_gradient_norm", "last_move" |y_N - y_{N-1}|^2, "gap" (Frank-Wolfe's), or a
  function of one's own.
- **Start**: `initial="distance"` |x_0 - x*| <= R, "suboptimality" f(x_0) - f* <= R, "decrease"
  f(x_0) - f(y_N) <= R, "none"; `radius=` R.
- **Coins and batches** are enumerated on a finite sum: `batch_branches` and `restart_branches`, for
  `worst_mean`.
- A solver that does not say "optimal" raises `SolverFailed` with its status.

Frank-Wolfe asks a linear oracle, which is one more unknown of the program:

>>> def method(constraint):
...     return optzoo.frank_wolfe(constraint, optzoo.open_loop_schedule())
>>> over = pep.OverSet(pep.SmoothConvex(L=1.0), diameter=1.0)
>>> round(pep.worst_case(method, over, steps=2).value, 4)
0.3126

The conditions on pairs of values of an operator are necessary and not sufficient: there the value
is an upper bound of the worst case (`worst.exact` says so), and `worst_problem` the worst linear
operator of the plane. `tightened` adds that an operator has a value at other places too. What two
iterations of extragradient leave of |F|^2 lies between what is attained and that:

>>> extragradient = optzoo.randomized_extragradient(0.4)
>>> pairs = pep.worst_case(
...     extragradient, pep.MonotoneLipschitz(1.0), 4, "last_gradient_norm",
...     output=optzoo.extragradient_eval_params)
>>> [round(value, 4) for value in (
...     pep.attained(pairs), pep.tightened(pairs).value, pairs.value)]
[0.7493, 0.7493, 0.758]
"""

from .attained import WorstProblem, attained, worst_problem
from .classes import (
    AnyClass,
    FiniteSum,
    MonotoneLipschitz,
    OverSet,
    SmoothConvex,
    SmoothNonconvex,
    SmoothStronglyConvex,
    StronglyMonotoneLipschitz,
)
from .expectations import batch_branches, coin_keys, restart_branches
from .one_more_place import Obstruction, obstructions, tightened
from .performance import CONDITIONS, METRICS, Performance
from .solve import SolverFailed, WorstCase, bounded, require_extra, worst_case, worst_mean
from .steps import Branch, NotLinear, Oracle, Run, steps_of

__all__ = [
    "CONDITIONS",
    "METRICS",
    "AnyClass",
    "Branch",
    "FiniteSum",
    "MonotoneLipschitz",
    "NotLinear",
    "Obstruction",
    "Oracle",
    "OverSet",
    "Performance",
    "Run",
    "SmoothConvex",
    "SmoothNonconvex",
    "SmoothStronglyConvex",
    "SolverFailed",
    "StronglyMonotoneLipschitz",
    "WorstCase",
    "WorstProblem",
    "attained",
    "batch_branches",
    "bounded",
    "coin_keys",
    "obstructions",
    "require_extra",
    "restart_branches",
    "steps_of",
    "tightened",
    "worst_case",
    "worst_mean",
    "worst_problem",
]
