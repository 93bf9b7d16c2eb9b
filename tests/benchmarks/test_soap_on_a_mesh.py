"""Bytes sent, read off a compiled program."""

import pytest

from benchmarks.soap_on_a_mesh import bytes_sent

PROGRAM = """
%branch (x: f32[8]) -> f32[8] {
  ROOT %sum = f32[100]{0} all-reduce(%x), channel_id=1
}

ENTRY %main (g: f32[8,4]) -> f32[64] {
  %whole = f32[64,4]{1,0} all-gather(%g), channel_id=2
  %part = f32[8,4]{1,0} reduce-scatter(%g), channel_id=3
  %swapped = (bf16[4]{0}, bf16[4]{0}) all-to-all(%a, %b), channel_id=4
  ROOT %other = f32[64]{0} add(%x, %y)
}
"""


def test_bytes_of_the_collectives_outside_and_inside_of_branches():
    outside, inside = bytes_sent(PROGRAM, 8)
    gathered, scattered, swapped = 4 * 64 * 4, 4 * 8 * 4 * 8, 2 * 8
    assert outside == pytest.approx((gathered + scattered + swapped) * 7 / 8)
    assert inside == pytest.approx(2 * 400 * 7 / 8)
