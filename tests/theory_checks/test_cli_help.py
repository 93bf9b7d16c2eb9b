"""Help names what an option is when it is not given."""

import argparse

import pytest

from theory_checks import cli


def commands():
    (named,) = [
        one for one in cli._parser()._actions if isinstance(one, argparse._SubParsersAction)
    ]
    return named.choices


def options():
    for name, command in commands().items():
        for action in command._actions:
            yield pytest.param(action, id=f"{name} {action.dest}")


@pytest.mark.parametrize("action", list(options()))
def test_help_names_every_default(action):
    assert action.help, "an option without help"
    if action.default in (None, False, [], argparse.SUPPRESS):
        return
    assert action.help.rstrip(")").endswith(f"({shown(action.default)}"), action.help


def shown(default):
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_there_are_defaults_to_name():
    """The test above would pass if it were blind to them."""
    given = {f"{name} {one.dest}": shown(one.default) for name, command in commands().items()
             for one in command._actions if one.default not in (None, False, [], argparse.SUPPRESS)}  # fmt: skip
    assert given["run out"] == "results/run"
    assert given["run preset"] == "quick"
    assert given["run time_limit"] == "3600"
    assert len(given) >= 9
