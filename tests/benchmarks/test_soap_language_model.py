"""The benchmark on a language model: its text, its model, its arithmetic, and a run."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import soap_language_model as benchmark
from benchmarks.soap_language_model import SIZES, corpus, parameters, passage

TINY = dataclasses.replace(
    SIZES["quick"], width=8, length=8, batch=4, steps=4, every=2, rates=(1e-3, 1e-2)
)


def test_text_is_split_in_two_parts_of_one_alphabet():
    train, held_out, characters = corpus()
    assert len(train) // len(held_out) in (8, 9)
    assert max(train.max(), held_out.max()) < characters
    assert min(train.min(), held_out.min()) >= 0


def test_the_model_starts_near_a_uniform_guess_and_never_looks_ahead():
    _, held_out, characters = corpus()
    params = parameters(jax.random.key(0), TINY, characters)
    loss = jax.jit(benchmark.loss, static_argnums=2)
    text = jnp.asarray(held_out[: TINY.length + 1])[None]
    assert abs(float(loss(params, text, TINY)) - np.log(characters)) < 1.5
    # The loss of the first character depends on no later one: change one that is only read.
    changed = text.at[0, -2].set((text[0, -2] + 1) % characters)
    first = dataclasses.replace(TINY, length=TINY.length - 2)
    short = {**params, "positions": params["positions"][: first.length]}
    np.testing.assert_allclose(
        loss(short, text[:, : first.length + 1], first),
        loss(short, changed[:, : first.length + 1], first),
    )
    assert float(loss(params, text, TINY)) != float(loss(params, changed, TINY))


@pytest.mark.parametrize(
    ("target", "steps"), [(4.5, 5.0), (4.0, 5.0), (3.5, 7.5), (1.0, 20.0), (0.5, np.inf)]
)
def test_passage(target, steps):
    assert passage(np.array([4.0, 3.0, 2.0, 1.0]), target, every=5) == steps


def test_every_method_has_its_row(monkeypatch):
    """The arithmetic of the table, on curves that are known."""
    speed = {"AdamW": 1.0, "SOAP, f = 1": 2.0}

    def timed(name, size, rate, seed):
        steps = np.arange(size.every, size.steps + 1, size.every)
        fast = speed.get(name, 0.5) * (1 if rate == 1e-2 else 0.1)
        return 5.0 - fast * steps / size.steps, 3.0 if name.startswith("SOAP") else 1.0

    monkeypatch.setattr(benchmark, "_timed", timed)
    size = dataclasses.replace(TINY, steps=100, every=1)
    rows = {
        cells[0]: cells[1:]
        for line in benchmark.measure(size).splitlines()
        if re.match(r"\| (AdamW|SOAP|Shampoo)", line)
        for cells in [[cell.strip() for cell in line.split("|")[1:-1]]]
    }
    assert list(rows) == list(benchmark.METHODS)
    assert all(row[0].startswith("0.01") for row in rows.values())
    iterations, cost, clock = rows["SOAP, f = 1"][2:]
    assert (iterations, cost, clock) == (
        "0.48 [0.48, 0.48]",
        "3.00 [3.00, 3.00]",
        "1.43 [1.43, 1.43]",
    )
    assert rows["Shampoo, f = 10"][2] == ">1.00 [1.00, 1.00]"


def test_a_run_of_adamw_learns():
    with jax.enable_x64(False):
        size = dataclasses.replace(TINY, steps=40, every=20)
        curve, seconds = benchmark._timed("AdamW", size, 1e-2, 0)
    assert curve.shape == (2,)
    assert curve[-1] < curve[0] < 5.0
    assert seconds > 0
