"""The benchmarks and the report say how far they are."""

import io
import itertools

import pytest

from benchmarks import timing
from benchmarks.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_a_line_a_step_when_it_begins(capsys):
    said = [(step, capsys.readouterr()) for step in progress((16, 32), "size")]
    assert [(step, text.err) for step, text in said] == [
        (16, "[1/2] size: 16\n"),
        (32, "[2/2] size: 32\n"),
    ]
    assert not any(text.out for _, text in said)


def test_on_a_terminal_a_bar_that_goes_away(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert list(progress(["a", "b"], "way")) == ["a", "b"]
    drawn = terminal.getvalue()
    assert "way: a" in drawn
    assert "0/2" in drawn
    assert "[1/2]" not in drawn
    assert drawn.rsplit("\r", 2)[-2].strip() == ""


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_the_bar_of_the_rounds_is_not_timed(monkeypatch, stream):
    shown = stream()
    monkeypatch.setattr("sys.stderr", shown)
    clock = itertools.count(0.0)
    timings = timing.interleaved({"a": int}, repeats=3, clock=lambda: next(clock))
    assert timings.seconds["a"].tolist() == [1.0, 1.0, 1.0]
    assert ("round" in shown.getvalue()) is shown.isatty()
