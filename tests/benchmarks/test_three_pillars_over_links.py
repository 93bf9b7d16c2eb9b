"""Links that hold packets back, the model of what a step takes on them, and the tables."""

import re
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.emulated_link import EmulatedLinks, Timetable
from benchmarks.local_processes import ProcessDied, run_together
from benchmarks.three_pillars_on_processes import METHODS, parsed, problem_of
from benchmarks.three_pillars_over_links import OPTIONS, Link, link, measure, pays_below


def arrivals(table, now=100.0):
    return [(when, target) for when, target, _ in table.left(now)]


def test_packets_share_the_links_of_their_ends_and_no_others():
    table = Timetable(4, bits_per_second=8e6, latency=0.25)  # a second a megabyte
    half = bytes(500_000)
    for source, target in ((0, 1), (1, 0), (2, 3)):
        table.put(source, target, half, now=0.0)
    assert arrivals(table) == [(0.75, 1), (0.75, 0), (0.75, 3)]  # directions and ends of their own
    table.put(0, 2, half, now=0.25)  # behind the first one, on the way out
    table.put(3, 1, half, now=0.25)  # and on the way in
    assert arrivals(table) == [(1.25, 2), (1.25, 1)]
    table.put(0, 1, half, now=9.0)
    assert arrivals(table) == [(9.75, 1)]


def test_a_link_serves_its_targets_in_turns_and_begins_nothing_before_it_is_free():
    table = Timetable(3, bits_per_second=8e6, latency=0.25)
    for target in (1, 1, 1, 2):
        table.put(0, target, bytes(500_000), now=0.0)
    assert table.next_leaves == 0.0
    assert arrivals(table, now=0.0) == [(0.75, 1)]
    assert table.next_leaves == 0.5
    assert arrivals(table, now=0.4) == []
    assert arrivals(table, now=5.0) == [(1.25, 2), (1.75, 1), (2.25, 1)]
    assert table.next_leaves == np.inf


ECHO = """
import socket, sys
if sys.argv[1] == "0":
    with socket.create_server((sys.argv[2], 7000)) as door:
        print(socket.gethostname(), flush=True)
        caller, (host, _) = door.accept()
        heard = b""
        while len(heard) < 300_000:
            heard += caller.recv(1 << 16)
        caller.sendall(heard[::-1])
        print(host, flush=True)
else:
    while True:
        try:
            caller = socket.create_connection((sys.argv[2], 7000))
            break
        except ConnectionRefusedError:
            pass
    said = bytes(range(250)) * 1200
    caller.sendall(said)
    heard = b""
    while len(heard) < len(said):
        heard += caller.recv(1 << 16)
    assert heard == said[::-1]
"""


def test_processes_hear_each_other_over_the_links_and_nobody_else(capfd):
    try:
        with EmulatedLinks(2, bits_per_second=1e9, latency=1e-4) as links:
            program = [sys.executable, "-c", ECHO]
            run_together(
                [links.command(i, [*program, str(i), links.address(0)]) for i in range(2)],
                seconds=60,
            )
    except ProcessDied:  # a kernel that gives users no networks of their own: it is said
        assert re.search(r"an emulated link needs", capfd.readouterr().err)
        return
    assert capfd.readouterr().out.split() == [links.address(0), links.address(1)]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_model_sends_what_is_foretold_less_its_headers(name, n):
    dimension, steps = 400_000, 50 * n
    options = parsed([*OPTIONS[name], "--processes", str(n), "--dimension", str(dimension)])
    method = METHODS[options.method](problem_of(options), options)
    z = jnp.zeros(dimension, jnp.float32)
    state = method.transformation.init(z)._replace(steps=jnp.int32(steps))
    if options.method == "three_pillars":
        broadcasts = jnp.int32(0 if options.server_everywhere else steps)
        state = state._replace(refreshes=jnp.int32(steps // n), broadcasts=broadcasts)
    else:
        state = state._replace(sent=state.sent._replace(vectors=jnp.int32(2 * steps)))
    foretold = method.written(state, z) / steps
    size = link(name, n, dimension, 0.0).size
    assert size < foretold < size * 1.005


def test_a_step_takes_its_bytes_and_two_latencies_a_round():
    assert Link(0.5, 1e6, 3).seconds(8e6, 0.25) == 0.5 + 1.0 + 1.5
    assert [link(name, 4, 400, 0.0).rounds for name in OPTIONS] == [16.5, 4.5, 12.0]


def test_below_the_speed_that_pays_the_small_messages_win_and_above_the_large_ones():
    few, many = Link(0.5, 1e5, 3), Link(0.01, 1e6, 12)
    speed = pays_below(few, many, 100, 200, 1e-3)
    for factor, wins in ((0.99, True), (1.01, False)):
        times = [
            steps * one.seconds(factor * speed, 1e-3) for one, steps in ((few, 100), (many, 200))
        ]
        assert (times[0] < times[1]) is wins
    assert pays_below(Link(0.01, 1e5, 3), many, 100, 200, 1e-3) == np.inf
    assert pays_below(Link(0.5, 1e9, 1), many, 100, 200, 1e-3) == 0.0  # it sends more


def test_the_tables_have_a_row_for_each_method_and_every_byte_was_foretold(tmp_path):
    text = measure((2,), (4000,), (), on_links=2, figure=tmp_path / "figure.png")
    rows = re.findall(r"^\| ([a-z ,]+) \| 2 \| 4,000 \|.* (\S+) \| \S+ \|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(OPTIONS)
    assert {sockets for _, sockets in rows} == {"1.0000"}
    assert (tmp_path / "figure.png").stat().st_size > 10_000
