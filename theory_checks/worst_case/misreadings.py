# SPDX-License-Identifier: Apache-2.0
r"""What a theorem would be with a mistake in it: a constant moved, a power or a term of it wrong.

Generated from the theorem's page, not by hand. The bound is code: the formula, the methods and
properties of its constants that it reads, and the functions of the page that these call. A
misreading is the theorem with one of the constants, or one place of this code, changed.
"""

import ast
import dataclasses
import inspect
import math
import textwrap
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from optzoo.theorems import Theorem
from optzoo.theorems.theorem import Constants

from ..syntax import compiled, parsed

__all__ = ["Misreading", "constants_read", "known_source", "misreadings", "moved"]

FAR = 1e12
"""What a constant is multiplied by, or divided by, where its range has no end."""


@dataclass(frozen=True, eq=False)
class Misreading:
    """A theorem with one mistake in it.

    Args:
        name: where the mistake is and what it is; the same for all theorems that share the place. A
            number in brackets counts the places of one function that read alike.
        theorem: with the mistake, and without the assumptions that it may violate.
    """

    name: str
    theorem: Theorem


# --- Constants ---


def constants_read(theorem: Theorem) -> tuple[str, ...]:
    """The constants that a proof could get wrong and that the bound depends on, in their order.

    Args:
        theorem: any; one without a formula has none.

    Returns:
        Their names.

    Example:
        >>> from optzoo.theorems.frank_wolfe import F3, F5_EXACT
        >>> constants_read(F3), constants_read(F5_EXACT)
        (('p', 'nu', 'L_pm', 'D', 'L', 'r_0'), ('a', 'nu'))
    """
    if theorem.constants is None or theorem.formula is None:
        return ()
    read = _reached(theorem).fields
    known = tuple(theorem.constants.directions())
    if not read and _hands_on(theorem):
        return known
    return tuple(name for name in known if name in read)


def _hands_on(theorem: Theorem) -> bool:
    """Whether the formula gives its constants as a whole to code that may read any of them."""
    formula = theorem.formula
    function = _tree(formula) if isinstance(formula, types.FunctionType) else None
    if function is None or not function.args.args:
        return False
    name = function.args.args[0].arg
    read = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return any(
        isinstance(node, ast.Name) and node.id == name and id(node) not in read
        for node in ast.walk(function)
    )


def known_source(theorem: Theorem) -> bool:
    """Whether the source of the formula can be read, as that of a lambda cannot.

    Args:
        theorem: any.

    Returns:
        The answer; without a formula there is nothing to read.

    Example:
        >>> from dataclasses import replace
        >>> from optzoo.theorems.frank_wolfe import F9
        >>> known_source(F9), known_source(replace(F9, formula=lambda constants, k: 0.0))
        (True, False)
    """
    formula = theorem.formula
    return formula is None or (
        isinstance(formula, types.FunctionType) and _tree(formula) is not None
    )


def moved(theorem: Theorem, name: str, factor: float) -> Theorem:
    """The theorem with one of its constants moved so that it claims more.

    Args:
        theorem: with this constant.
        name: of the constant.
        factor: what it is divided by where a larger value weakens the bound, multiplied by where
            a smaller one does; infinity for the end of its range.

    Returns:
        The theorem.

    Example:
        >>> from optzoo.theorems.frank_wolfe import F2
        >>> halved = moved(F2, "L", 2.0)
        >>> float(halved.bound(halved.constants(L=4.0, D=1.0), 1.0, 0.0))
        1.0
    """
    assert theorem.constants is not None
    up = theorem.constants.directions()[name] == "up"
    field = next(one for one in dataclasses.fields(theorem.constants) if one.name == name)
    least, most = field.metadata["least"], field.metadata["most"]

    def shift(value: float) -> float:
        if up and factor == math.inf and not field.metadata["positive"] and least > -math.inf:
            return least
        far = min(factor, FAR)
        # A negative value rises where it is divided; 0 has no size, and stays.
        shifted = value / far if up == (value > 0) else value * far
        return min(max(shifted, least), most)

    return _with_constant(theorem, name, shift)


def _with_constant(theorem: Theorem, name: str, shift: Callable[[float], float]) -> Theorem:
    """The theorem that reads a constant as something else."""
    assert theorem.constants is not None

    def init(self: Constants, **values: Any) -> None:
        given = {
            field.name: field.default
            for field in dataclasses.fields(self)
            if field.default is not dataclasses.MISSING
        } | values
        for constant, value in given.items():
            object.__setattr__(self, constant, shift(value) if constant == name else value)

    return _restated(theorem, _subclass(theorem.constants, {"__init__": init}))


def _subclass(constants: type[Constants], members: Mapping[str, Any]) -> type[Constants]:
    """The constants with other members. What their ranges exclude is let pass: it is a mistake."""
    return type(constants.__name__, (constants,), {"__post_init__": lambda self: None, **members})


def _restated(theorem: Theorem, constants: type[Constants], formula: Any = None) -> Theorem:
    """With other constants, whose methods are asked by name."""
    if formula is None:
        formula = theorem.formula
        if _is_own(formula, theorem.constants):
            formula = getattr(constants, formula.__name__)
    return dataclasses.replace(theorem, constants=constants, formula=formula, assumptions=())


def _is_own(formula: Any, constants: type[Constants] | None) -> bool:
    """Whether the formula is a method of the constants, not a function that has a name of one."""
    name = getattr(formula, "__name__", "")
    return formula is not None and inspect.getattr_static(constants, name, None) is formula


_POWERS: Mapping[str, Callable[[float], float]] = {
    "dropped": lambda value: 1.0,
    "under a root": lambda value: math.sqrt(value) if value > 0 else value,
    "squared": lambda value: value**2,
}


# --- Structure ---


def misreadings(theorem: Theorem) -> tuple[Misreading, ...]:
    """All mistakes of a kind that papers make: wrong powers, dropped terms, factors and logarithms.

    Args:
        theorem: any; one without a formula has none.

    Returns:
        The misreadings.

    Example:
        >>> from optzoo.theorems.frank_wolfe import F2
        >>> for one in misreadings(F2)[6:9]:
        ...     print(one.name)
        Smooth.descent: eta in place of eta * self.D
        Smooth.descent: self.D in place of eta * self.D
        Smooth.descent: eta * self.D in place of eta * self.D * np.asarray(error)
    """
    if theorem.constants is None or theorem.formula is None:
        return ()
    return tuple(_misreadings(theorem))


def _misreadings(theorem: Theorem) -> Iterator[Misreading]:
    for name in constants_read(theorem):
        for words, power in _POWERS.items():
            yield Misreading(f"{name} {words}", _with_constant(theorem, name, power))
    reached = _reached(theorem)
    for place, function in reached.functions.items():
        tree = _parsed(function)
        if tree is None:
            continue
        times: Counter[str] = Counter()
        for number, (before, after) in enumerate(_mistakes(tree)):
            words = f"{function.__qualname__}: {after} in place of {before}"
            times[words] += 1
            yield Misreading(
                words if times[words] == 1 else f"{words} ({times[words]})",
                _with_function(theorem, reached, place, _rewritten(function, number)),
            )


@dataclass(frozen=True)
class _Reached:
    """The code of a bound.

    Attributes:
        functions: by where they are found: an attribute of the constants, or a name of the page
            after a colon.
        fields: the constants that they read.
    """

    functions: Mapping[str, types.FunctionType]
    fields: frozenset[str]


@cache
def _reached(theorem: Theorem) -> _Reached:
    """What the formula calls, and so on; of code without a source nothing is known."""
    constants, formula = theorem.constants, theorem.formula
    known = () if constants is None else dataclasses.fields(constants)
    fields = {one.name for one in known}
    if not isinstance(formula, types.FunctionType) or not known_source(theorem):
        return _Reached({}, frozenset(fields))
    functions: dict[str, types.FunctionType] = {}
    read: set[str] = set()
    own = "" if _is_own(formula, constants) else ":"
    waiting = [(f"{own}{formula.__name__}", formula)]
    while waiting:
        place, function = waiting.pop(0)
        tree = _tree(function)
        if place in functions or tree is None:
            continue
        functions[place] = function
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                read |= {node.attr} & fields
                member = _function(inspect.getattr_static(constants, node.attr, None))
                if member is not None:
                    waiting.append((node.attr, member))
            elif isinstance(node, ast.Name):
                helper = function.__globals__.get(node.id)
                if isinstance(helper, types.FunctionType) and _neighbours(helper, formula):
                    waiting.append((f":{node.id}", helper))
    return _Reached(functions, frozenset(read))


def _neighbours(one: types.FunctionType, other: types.FunctionType) -> bool:
    """Whether they are of one page, or of pages in one package."""
    package = one.__module__.rpartition(".")[0]
    return one.__module__ == other.__module__ or (
        package != "" and package == other.__module__.rpartition(".")[0]
    )


@cache
def _tree(function: types.FunctionType) -> ast.FunctionDef | None:
    """The function's syntax; None for a lambda and for what has no source."""
    try:
        (found,) = parsed(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return found if isinstance(found, ast.FunctionDef) else None


def _function(member: Any) -> types.FunctionType | None:
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, cached_property):
        member = member.func
    return member if isinstance(member, types.FunctionType) else None


def _with_function(
    theorem: Theorem, reached: _Reached, place: str, function: types.FunctionType
) -> Theorem:
    """The theorem whose bound calls another function there."""
    assert theorem.constants is not None
    members: dict[str, Any] = {}
    formula = None
    if place.startswith(":"):
        # Who calls a function of a page finds it among the names of its own page.
        pages = {id(one.__globals__): dict(one.__globals__) for one in reached.functions.values()}
        for where, one in reached.functions.items():
            instead = function if where == place else one
            rewired = _rewired(instead, pages[id(one.__globals__)])
            if where.startswith(":"):
                for names in pages.values():
                    if names.get(where[1:]) is one:
                        names[where[1:]] = rewired
                formula = rewired if one is theorem.formula else formula
            else:
                members[where] = _as_member(theorem.constants, where, rewired)
    else:
        members[place] = _as_member(theorem.constants, place, function)
    return _restated(theorem, _subclass(theorem.constants, members), formula)


def _rewired(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    found = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def _as_member(constants: type[Constants], name: str, function: types.FunctionType) -> Any:
    shipped = inspect.getattr_static(constants, name, None)
    return property(function) if isinstance(shipped, property | cached_property) else function


# --- Mistakes in a syntax tree ---


def _parsed(function: types.FunctionType) -> ast.FunctionDef | None:
    """A copy of the body alone; None where the function cannot be compiled by itself."""
    tree = _tree(function)
    if tree is None or function.__closure__:  # a call of super(), or a function within a function
        return None
    (found,) = parsed(ast.unparse(tree)).body
    assert isinstance(found, ast.FunctionDef)
    found.decorator_list, found.returns = [], None
    for argument in ast.walk(found.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None  # may name what only a type checker imports
    found.args.defaults = []  # `_rewritten` hands on those that the function has
    found.args.kw_defaults = [None for _ in found.args.kwonlyargs]
    return found


def _rewritten(function: types.FunctionType, number: int) -> types.FunctionType:
    """The function with its mistake of this number."""
    tree = _parsed(function)
    assert tree is not None
    place, mistake = list(_places(tree))[number]
    found = ast.Module([_Replaced(place, mistake).visit(tree)], type_ignores=[])
    names: dict[str, Any] = {}
    code = compiled(ast.fix_missing_locations(found), f"<{function.__qualname__}>")
    exec(code, function.__globals__, names)
    made: types.FunctionType = names[function.__name__]
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    return made


def _mistakes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What stands there, and what would stand there in its place."""
    for place, mistake in _places(tree):
        yield ast.unparse(place), ast.unparse(mistake)


class _Replaced(ast.NodeTransformer):
    """The tree with another node in the place of one."""

    def __init__(self, place: ast.AST, mistake: ast.AST) -> None:
        self.place, self.mistake = place, mistake

    def visit(self, node: ast.AST) -> Any:
        return self.mistake if node is self.place else self.generic_visit(node)


_SHAPES = {"len", "range", "zeros", "arange", "full", "enumerate", "zip", "float64", "isinstance"}
"""Calls whose arguments are no part of a formula."""


def _places(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each part of a formula with what may stand there by mistake, outer parts last."""
    for child in _parts(node):
        yield from _places(child)
    if isinstance(node, ast.expr):
        for mistake in _wrong(node):
            yield node, mistake


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What a formula is made of: no annotations, subscripts, conditions or messages."""
    if isinstance(node, ast.arguments | ast.Raise | ast.Assert | ast.Compare):
        return
    if isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.AnnAssign):
        yield from [node.value] if node.value is not None else []
    elif isinstance(node, ast.FunctionDef):
        yield from node.body
    elif isinstance(node, ast.If | ast.While):
        yield from (*node.body, *node.orelse)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Call) and _called(node) in _SHAPES:
        if _called(node) == "full" and len(node.args) > 1:
            yield node.args[1]
    else:
        yield from ast.iter_child_nodes(node)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _wrong(node: ast.expr) -> Iterator[ast.expr]:
    """A term or a factor dropped, a power or a root forgotten or changed, no logarithm."""
    if isinstance(node, ast.BinOp):
        left, right = node.left, node.right
        if isinstance(node.op, ast.Add):
            yield from (left, right)
        elif isinstance(node.op, ast.Sub):
            yield left
        elif isinstance(node.op, ast.Mult):
            yield from (kept for kept, lost in ((left, right), (right, left)) if _varies(lost))
        elif isinstance(node.op, ast.Div | ast.FloorDiv):
            if _varies(right):
                yield left
            if _varies(left):
                yield ast.BinOp(ast.Constant(1.0), node.op, right)
        elif isinstance(node.op, ast.Pow):
            yield from _other_powers(left, right)
    elif isinstance(node, ast.Call) and node.args:
        name = _called(node)
        if name == "sqrt" and _varies(node.args[0]):
            yield node.args[0]
        elif name in ("log", "log2", "log1p"):
            yield ast.Constant(1.0)
        elif name in ("max", "min", "maximum", "minimum") and len(node.args) > 1:
            yield from node.args


_PACKAGES = {"math", "np", "jnp", "jax"}


def _varies(node: ast.AST) -> bool:
    """Whether it is more than a number: numbers in front are what tightness measures.

    An identity matrix is no more: without it the number stands in every entry, by broadcasting,
    which is no mistake that a formula has.
    """
    if isinstance(node, ast.Call) and _called(node) == "eye":
        return False
    if isinstance(node, ast.Name):
        return node.id not in _PACKAGES
    return any(_varies(child) for child in ast.iter_child_nodes(node))


def _other_powers(base: ast.expr, power: ast.expr) -> Iterator[ast.expr]:
    """Dropped, doubled and halved."""
    yield base
    if isinstance(power, ast.Constant) and isinstance(power.value, int | float):
        others: list[ast.expr] = [ast.Constant(2 * power.value)]
        others += [ast.Constant(power.value / 2)] if power.value != 2 else []
    else:
        others = [ast.BinOp(ast.Constant(2), ast.Mult(), power)]
        others += [ast.BinOp(power, ast.Div(), ast.Constant(2))]
    for other in others:
        yield ast.BinOp(base, ast.Pow(), other)
