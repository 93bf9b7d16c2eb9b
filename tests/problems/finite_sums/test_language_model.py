"""The text is one in two parts; the model is a causal one of the characters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import CharacterModel, python_documentation

MODEL = {"width": 8, "layers": 1, "length": 8, "characters": 20}


def test_text_is_split_in_two_parts_of_one_alphabet():
    train, held_out, characters = python_documentation()
    assert len(train) // len(held_out) in (8, 9)
    assert max(train.max(), held_out.max()) < characters
    assert min(train.min(), held_out.min()) >= 0


def test_the_model_starts_near_a_uniform_guess_and_never_looks_ahead():
    model = CharacterModel(**MODEL)
    params = model.init(jax.random.key(0))
    text = jax.random.randint(jax.random.key(1), (1, 9), 0, 20)
    assert abs(float(model.loss(params, text)) - np.log(20)) < 1.5
    # The first characters' loss depends on no later one: change one that is only read.
    changed = text.at[0, -2].set((text[0, -2] + 1) % 20)
    first = CharacterModel(**MODEL | {"length": 6})
    short = {**params, "positions": params["positions"][:6]}
    losses = [[m.loss(p, t[:, : m.length + 1]) for t in (text, changed)]
              for m, p in ((model, params), (first, short))]  # fmt: skip
    assert losses[0][0] != losses[0][1]
    np.testing.assert_allclose(*losses[1])


def test_a_model_that_knows_nothing_guesses_and_one_that_knows_is_right():
    """Logits by hand: positions off, the residual stream is the token, the output its table."""
    model = CharacterModel(**MODEL | {"characters": 8})
    nothing = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0)))
    text = jnp.arange(9)[None] % 8
    np.testing.assert_allclose(model.loss(nothing, text), np.log(8), rtol=1e-6)
    # After c comes c + 1: e_c, scaled to root mean square 1, is sqrt(8) e_c.
    known = {**nothing, "tokens": jnp.eye(8), "output": jnp.roll(jnp.eye(8), 1, axis=1)}
    expected = np.log1p(7 * np.exp(-np.sqrt(8)))
    np.testing.assert_allclose(model.loss(known, text), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": 0}, "layers"),
        ({"width": 65}, "width must be a multiple of its 2 heads, got 65"),
    ],
)
def test_bad_sizes_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        CharacterModel(**MODEL | changed)


def test_sequences_of_another_length_are_refused():
    model = CharacterModel(**MODEL)
    with pytest.raises(ValueError, match=r"text must have shape \(sequences, 9\), got \(1, 8\)"):
        model.loss(model.init(jax.random.key(0)), jnp.zeros((1, 8), int))
