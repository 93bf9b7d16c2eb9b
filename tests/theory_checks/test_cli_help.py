"""Help names what an option is when it is not given."""

import argparse

import pytest

from theory_checks import cli

UNSAID = (None, False, [], argparse.SUPPRESS)


def options():
    actions = cli._parser()._actions
    (named,) = [one for one in actions if isinstance(one, argparse._SubParsersAction)]
    return {
        f"{name} {one.dest}": one
        for name, command in named.choices.items()
        for one in command._actions
    }


def shown(default):
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("name", list(options()))
def test_help_names_every_default(name):
    action = options()[name]
    assert action.help, "an option without help"
    if action.default not in UNSAID:
        assert action.help.endswith(f"({shown(action.default)})"), action.help


def test_there_are_defaults_to_name():
    """The test above would pass if it were blind to them."""
    given = {name: shown(one.default) for name, one in options().items()
             if one.default not in UNSAID}  # fmt: skip
    assert given["run out"] == "results/run"
    assert given["run preset"] == "quick"
    assert given["run time_limit"] == "3600"
    assert len(given) >= 9
