"""Which mistakes are made of a formula, each at its place alone; the theorem stays as it is."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import fmean

import numpy as np
import pytest

from optzoo.theorems import Constants, constant
from theory_checks.restated import as_stated, restated
from theory_checks.worst_case.misreadings import constants_read, misreadings, moved

from ..hand_made import CONSTANTS, Slopes, level, setting
from ..statements import stated
from .helper_pages import decayed

AT = np.array([1.0, 3.0])


def theorem(constants, formula, **changes):
    return stated(side="above", constants=constants, formula=formula, **changes)


def names(one):
    return [misreading.name for misreading in misreadings(one)]


def in_code(one):
    """The misreadings of the code, without those of the constants' powers."""
    return [name for name in names(one) if ": " in name]


@dataclass(frozen=True, kw_only=True)
class Pieces(Constants):
    a: float = constant("of a term", weakens="up")
    b: float = constant("of another", weakens="up")
    n: float = constant("a share", weakens="down", positive=True)
    unread: float = constant("in no formula", weakens="up", default=1.0)
    chosen: float = constant("a choice", weakens=None, default=2.0)

    @property
    def noise(self):
        """A property."""
        return math.sqrt(self.b)

    def scaled(self, k):
        """A method, with what is no part of a formula: shapes, subscripts, conditions' messages."""
        table: np.ndarray = np.full(len(k) + 1, self.a - 1.0)
        if np.any(k * 2 < 1):
            raise ValueError(f"{self.a * 3} is nothing")
        return table[len(k) - 1] ** 2 if self.a + self.b > 0 else self.b - 1.0

    def bound(self, k: "NeverImported", power: int = 2 * 1) -> "NeverImported":  # noqa: F821
        """Calls the property, the method and a function of another page."""
        return 3.0 * self.noise + self.scaled(k) * np.log(k) / self.n + decayed(self.a, k)


def test_every_mistake_of_a_small_formula_and_no_other():
    powers = ["dropped", "under a root", "squared"]
    assert names(theorem(Pieces, Pieces.bound)) == [
        *(f"{name} {power}" for name in ("a", "b", "n") for power in powers),
        "Pieces.bound: 3.0 in place of 3.0 * self.noise",
        "Pieces.bound: 1.0 in place of np.log(k)",
        "Pieces.bound: self.scaled(k) in place of self.scaled(k) * np.log(k)",
        "Pieces.bound: np.log(k) in place of self.scaled(k) * np.log(k)",
        "Pieces.bound: self.scaled(k) * np.log(k) in place of self.scaled(k) * np.log(k) / self.n",
        "Pieces.bound: 1.0 / self.n in place of self.scaled(k) * np.log(k) / self.n",
        "Pieces.bound: 3.0 * self.noise in place of "
        "3.0 * self.noise + self.scaled(k) * np.log(k) / self.n",
        "Pieces.bound: self.scaled(k) * np.log(k) / self.n in place of "
        "3.0 * self.noise + self.scaled(k) * np.log(k) / self.n",
        "Pieces.bound: 3.0 * self.noise + self.scaled(k) * np.log(k) / self.n in place of "
        "3.0 * self.noise + self.scaled(k) * np.log(k) / self.n + decayed(self.a, k)",
        "Pieces.bound: decayed(self.a, k) in place of "
        "3.0 * self.noise + self.scaled(k) * np.log(k) / self.n + decayed(self.a, k)",
        "decayed: np.asarray(k) in place of np.asarray(k) + 1",
        "decayed: 1 in place of np.asarray(k) + 1",
        "decayed: rate in place of rate / (np.asarray(k) + 1)",
        "decayed: 1.0 / (np.asarray(k) + 1) in place of rate / (np.asarray(k) + 1)",
        "Pieces.noise: self.b in place of math.sqrt(self.b)",
        "Pieces.scaled: self.a in place of self.a - 1.0",
        "Pieces.scaled: table[len(k) - 1] in place of table[len(k) - 1] ** 2",
        "Pieces.scaled: table[len(k) - 1] ** 4 in place of table[len(k) - 1] ** 2",
        "Pieces.scaled: self.b in place of self.b - 1.0",
    ]


@dataclass(frozen=True, kw_only=True)
class Powers(Constants):
    a: float = constant("of a power", weakens="up", positive=True)

    def root(self, k):
        return self.a**0.5 * k**-1

    def symbolic(self, k):
        return np.maximum(self.a**k, min(k, 2.0)) // 2

    def twice(self, k):
        return (self.a + k) * (self.a + k)


@dataclass(frozen=True, kw_only=True)
class Strict(Constants):
    """Its values are checked by what the formula calls, which comes from elsewhere."""

    a: float = constant("of a term", weakens="up")

    def __post_init__(self):
        super().__post_init__()
        if self.level > 10.0:
            raise ValueError("too high")

    @property
    def level(self):
        return fmean([self.a, 2.0]) * 4.0 / (self.a + 2.0)

    def bound(self, k):
        return self.level / np.asarray(k)


def test_functions_of_other_packages_are_no_part_of_the_page():
    assert {name.partition(":")[0] for name in in_code(theorem(Strict, Strict.bound))} == {
        "Strict.bound", "Strict.level",
    }  # fmt: skip


def test_what_constants_demand_of_each_other_is_let_pass():
    found = {one.name: one.theorem for one in misreadings(theorem(Strict, Strict.bound))}
    wrong = found[
        "Strict.level: fmean([self.a, 2.0]) * 4.0 in place of "
        "fmean([self.a, 2.0]) * 4.0 / (self.a + 2.0)"
    ]
    np.testing.assert_allclose(values(wrong, a=4.0), 12.0 / AT)


def test_powers_larger_values_and_places_that_read_alike():
    assert in_code(theorem(Powers, Powers.root)) == [
        "Powers.root: self.a in place of self.a ** 0.5",
        "Powers.root: self.a ** 1.0 in place of self.a ** 0.5",
        "Powers.root: self.a ** 0.25 in place of self.a ** 0.5",
        "Powers.root: k in place of k ** (-1)",
        "Powers.root: k ** (2 * -1) in place of k ** (-1)",
        "Powers.root: k ** (-1 / 2) in place of k ** (-1)",
        "Powers.root: self.a ** 0.5 in place of self.a ** 0.5 * k ** (-1)",
        "Powers.root: k ** (-1) in place of self.a ** 0.5 * k ** (-1)",
    ]
    assert in_code(theorem(Powers, Powers.symbolic)) == [
        "Powers.symbolic: self.a in place of self.a ** k",
        "Powers.symbolic: self.a ** (2 * k) in place of self.a ** k",
        "Powers.symbolic: self.a ** (k / 2) in place of self.a ** k",
        "Powers.symbolic: k in place of min(k, 2.0)",
        "Powers.symbolic: 2.0 in place of min(k, 2.0)",
        "Powers.symbolic: self.a ** k in place of np.maximum(self.a ** k, min(k, 2.0))",
        "Powers.symbolic: min(k, 2.0) in place of np.maximum(self.a ** k, min(k, 2.0))",
        "Powers.symbolic: 1.0 // 2 in place of np.maximum(self.a ** k, min(k, 2.0)) // 2",
    ]
    alike = in_code(theorem(Powers, Powers.twice))
    assert alike[:2] == [
        "Powers.twice: self.a in place of self.a + k",
        "Powers.twice: k in place of self.a + k",
    ]
    assert alike[2:4] == [f"{name} (2)" for name in alike[:2]]
    assert len(set(alike)) == len(alike)


def values(one, k=AT, **changes):
    """What a theorem says for constants of its own class."""
    given = {"a": 4.0, "b": 9.0, "n": 0.5} | changes
    return np.asarray(one.bound(one.constants.of(given), k), dtype=float)


def test_a_misreading_changes_its_place_and_no_other():
    one = theorem(Pieces, Pieces.bound)
    found = {
        misreading.name.partition(": ")[2]: misreading.theorem for misreading in misreadings(one)
    }
    noise, main, last = 9.0, 9.0 * np.log(AT) / 0.5, 4.0 / (AT + 1)
    np.testing.assert_allclose(values(one), noise + main + last)
    for place, expected in {
        "3.0 in place of 3.0 * self.noise": 3.0 + main + last,
        "self.b in place of math.sqrt(self.b)": 27.0 + main + last,
        "1.0 in place of np.log(k)": noise + 18.0 + last,
        "self.a in place of self.a - 1.0": noise + 16.0 * np.log(AT) / 0.5 + last,
        "np.asarray(k) in place of np.asarray(k) + 1": noise + main + 4.0 / AT,
        "rate in place of rate / (np.asarray(k) + 1)": noise + main + 4.0,
        "table[len(k) - 1] ** 4 in place of table[len(k) - 1] ** 2": noise + 9 * main + last,
    }.items():
        np.testing.assert_allclose(values(found[place]), expected, err_msg=place)
    second = {one.name: one.theorem for one in misreadings(theorem(Powers, Powers.twice))}
    for number, name in enumerate(("", " (2)")):
        changed = second[f"Powers.twice: k in place of self.a + k{name}"]
        np.testing.assert_allclose(values(changed), AT * (4.0 + AT), err_msg=str(number))


def test_powers_of_a_constant():
    found = {one.name: one.theorem for one in misreadings(level())}
    for name, a in (("L dropped", 1.0), ("L under a root", 2.0), ("L squared", 16.0)):
        said = found[name].bound(found[name].constants.of(CONSTANTS), AT)
        np.testing.assert_allclose(said, a / (0.5 * AT) + 0.1, err_msg=name)


def test_misreadings_are_evaluated_where_the_theorem_is_refused():
    """What a mistake does to the assumptions and to the ranges of the constants is let pass."""
    found = {one.name: one.theorem for one in misreadings(level())}
    squared = found["p squared"]
    assert squared.bound(squared.constants.of(CONSTANTS | {"p": 3.0}), 1.0) == 4 / 9 + 0.1
    with pytest.raises(ValueError, match="p must lie in"):
        Slopes(**CONSTANTS | {"p": 3.0})


# --- What a formula reads ---


@dataclass(frozen=True, kw_only=True)
class Kept(Constants):
    a: float = constant("read by what is kept", weakens="up")
    b: float = constant("read by nobody", weakens="up")
    n: float = constant("a share", weakens="down", default=1.0)

    @cached_property
    def doubled(self):
        return 2.0 * self.a

    def bound(self, k, *, power=2 * 1, start=CONSTANTS):
        return self.doubled / np.asarray(k) ** power + start["eta"]


def bound(constants, k):
    """A function of the page that has the name of a method."""
    return constants.b / np.asarray(k)


def test_constants_read():
    assert constants_read(level()) == ("L", "sigma", "p")
    assert constants_read(theorem(Pieces, Pieces.bound)) == ("a", "b", "n")
    assert constants_read(theorem(Kept, Kept.bound)) == ("a",), "through a property that is kept"
    assert constants_read(theorem(Kept, bound)) == ("b",), "the page's function, not the method"
    for unknown in (lambda one, k: one.a, partial(Kept.bound, power=1)):
        assert constants_read(theorem(Kept, unknown)) == ("a", "b", "n"), "of it nothing is known"
    assert constants_read(stated()) == ()
    assert constants_read(stated(constants=Kept)) == ()


def test_code_without_a_source_of_its_own_has_no_misreadings_of_its_places():
    for formula in (lambda one, k: one.a / k + 1, partial(Kept.bound, power=1)):
        assert in_code(theorem(Kept, formula)) == []
        halved = moved(theorem(Kept, formula), "a", 2.0)
        assert values(halved)[0] == pytest.approx(values(theorem(Kept, formula), a=2.0)[0])
    assert names(stated()) == []


def test_a_property_that_is_kept_is_misread_and_defaults_stay():
    found = {one.name: one.theorem for one in misreadings(theorem(Kept, Kept.bound))}
    wrong = found["Kept.doubled: 2.0 in place of 2.0 * self.a"]
    np.testing.assert_allclose(values(wrong), 2.0 / AT**2 + 0.1)
    other = found["Kept.bound: np.asarray(k) in place of np.asarray(k) ** power"]
    np.testing.assert_allclose(values(other), 8.0 / AT + 0.1)


def test_a_function_of_the_page_with_the_name_of_a_method_stays_itself():
    one = theorem(Kept, bound)
    np.testing.assert_allclose(values(moved(one, "b", 3.0)), 3.0 / AT)
    found = {wrong.name: wrong.theorem for wrong in misreadings(one)}
    np.testing.assert_allclose(values(found["b under a root"]), 3.0 / AT)
    np.testing.assert_allclose(
        values(found["bound: 1.0 / np.asarray(k) in place of constants.b / np.asarray(k)"]), 1 / AT
    )


# --- Constants moved ---


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        ("L", 1.0, 4.0),
        ("L", 8.0, 0.5),
        ("L", math.inf, 0.0),
        ("sigma", math.inf, 1e-12),
        ("p", 1.25, 0.625),
        ("p", 4.0, 1.0),
        ("p", math.inf, 1.0),
    ],
)
def test_constants_move_so_that_more_is_claimed_and_no_farther_than_their_range(
    name, factor, expected
):
    found = moved(level(), name, factor).constants.of(CONSTANTS)
    assert getattr(found, name) == pytest.approx(expected, rel=1e-12, abs=0.0)
    others = {one: getattr(found, one) for one in CONSTANTS if one != name}
    assert others == {one: value for one, value in CONSTANTS.items() if one != name}


@dataclass(frozen=True, kw_only=True)
class Open(Constants):
    up: float = constant("at least 1", weakens="up", least=1.0)
    down: float = constant("without an end", weakens="down")


def test_ranges_that_end_elsewhere_or_nowhere():
    one = theorem(Open, lambda constants, k: constants.up - constants.down)
    for name, factor, expected in (
        ("up", 3.0, 2.0),
        ("up", 50.0, 1.0),
        ("up", math.inf, 1.0),
        ("down", 10.0, 20.0),
        ("down", math.inf, 2e12),
    ):
        found = moved(one, name, factor).constants.of({"up": 6.0, "down": 2.0})
        assert getattr(found, name) == pytest.approx(expected), (name, factor)


@dataclass(frozen=True, kw_only=True)
class Signed(Constants):
    up: float = constant("of any sign", weakens="up", least=-math.inf)
    down: float = constant("of any sign", weakens="down", least=-math.inf)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("up", -2.0, -6.0), ("up", 0.0, 0.0), ("up", 3.0, 1.0)),
        *(("down", -3.0, -1.0), ("down", 0.0, 0.0), ("down", 2.0, 6.0)),
    ],
)
def test_a_negative_constant_claims_more_on_its_own_side(name, value, expected):
    one = theorem(Signed, lambda constants, k: constants.up - constants.down)
    found = moved(one, name, 3.0).constants.of({"up": 1.0, "down": 1.0} | {name: value})
    assert getattr(found, name) == expected


def test_a_root_of_a_number_is_a_number_in_front():
    names = [one.name for one in misreadings(theorem(Open, in_front)) if "in_front" in one.name]
    assert names == ["in_front: math.sqrt(3) in place of math.sqrt(3) * constants.up"]


def in_front(constants, k):
    """sqrt(3) up."""
    return math.sqrt(3) * constants.up


# --- The shipped theorem stays as it is ---


def test_a_theorem_is_restated_for_the_time_of_a_block_alone():
    one, place = level(), setting()
    doubled = moved(one, "L", 0.5)
    before = place.bound(one, AT).tolist()
    with restated(one, doubled) as seen:
        assert not seen.asked
        assert place.bound(level(), AT).tolist() == before, "another object is another theorem"
        assert not seen.asked
        np.testing.assert_allclose(place.bound(one, AT), 16.0 / AT + 0.1)
        assert seen.asked
        with restated(one, one):
            assert place.bound(one, AT).tolist() == before
        assert as_stated(one) is doubled
    assert as_stated(one) is one
    assert place.bound(one, AT).tolist() == before


def test_a_theorem_is_itself_after_an_error():
    one = level()
    with pytest.raises(KeyError), restated(one, moved(one, "L", 2.0)):
        raise KeyError
    assert as_stated(one) is one


def test_other_threads_see_the_theorem_as_it_stands():
    one = level()
    with ThreadPoolExecutor(1) as pool, restated(one, moved(one, "L", 2.0)):
        assert pool.submit(as_stated, one).result() is one


def test_the_page_is_untouched_by_its_misreadings():
    """Neither the class nor the functions that a formula calls are changed in place."""
    for one in (theorem(Pieces, Pieces.bound), theorem(Kept, bound)):
        before, code = values(one).tolist(), one.formula.__code__
        members = {name: vars(one.constants)[name] for name in vars(one.constants)}
        for wrong in misreadings(one):
            values(wrong.theorem)
            assert wrong.theorem.formula is not one.formula or wrong.theorem.constants is not (
                one.constants
            )
        assert values(one).tolist() == before
        assert one.formula.__code__ is code
        assert all(vars(one.constants)[name] is member for name, member in members.items())
    assert decayed(4.0, 1.0) == 2.0


@dataclass(frozen=True, kw_only=True)
class Regularized(Constants):
    epsilon: float = constant("of a matrix", weakens="up")

    def matrix(self, n):
        return self.epsilon * np.eye(n) + n * np.ones(3)


def test_an_identity_matrix_is_no_factor_that_could_be_dropped():
    one = theorem(Regularized, Regularized.matrix)
    assert in_code(one) == [
        "Regularized.matrix: np.eye(n) in place of self.epsilon * np.eye(n)",
        "Regularized.matrix: np.ones(3) in place of n * np.ones(3)",
        "Regularized.matrix: self.epsilon * np.eye(n) in place of "
        "self.epsilon * np.eye(n) + n * np.ones(3)",
        "Regularized.matrix: n * np.ones(3) in place of self.epsilon * np.eye(n) + n * np.ones(3)",
    ]
