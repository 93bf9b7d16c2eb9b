"""Syntax trees are made one thread at a time."""

import ast

import pytest

from theory_checks import syntax


@pytest.mark.parametrize("make", ["parsed", "compiled"])
def test_no_other_thread_gets_its_turn_in_the_midst(make, monkeypatch):
    seen, parse = [], ast.parse

    def watched(*arguments, **named):
        seen.append(syntax._TURN.locked())
        return parse(*arguments, **named)

    class Watched(ast.Module):
        @property
        def body(self):
            seen.append(syntax._TURN.locked())
            return []

    if make == "parsed":
        monkeypatch.setattr(ast, "parse", watched)
        assert isinstance(syntax.parsed("x = 1"), ast.Module)
    else:
        exec(syntax.compiled(Watched(type_ignores=[]), "<nothing>"), {})
    assert seen
    assert all(seen)
    assert not syntax._TURN.locked()


def test_the_lock_is_free_after_an_error():
    with pytest.raises(SyntaxError):
        syntax.parsed("x =")
    assert not syntax._TURN.locked()
