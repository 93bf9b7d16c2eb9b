"""Programs that the pages of docs/ tell to copy run as they are printed."""

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDES = {
    path.name: path for path in (DOCS / "coming_from_muon_or_scion.md", *DOCS.glob("guide/*.md"))
}


def programs(name):
    """The code of a page, block by block."""
    text = GUIDES[name].read_text(encoding="utf-8")
    return re.findall(r"^```(?:python|\{code-cell\} python3)\n(.*?)^```$", text, re.M | re.S)


def run(name, code):
    names = {}
    exec(compile(code, name, "exec"), names)
    return names


MUON = programs("coming_from_muon_or_scion.md")


def test_the_page_has_a_loop_for_flax_and_one_for_equinox():
    assert ["from flax import nnx" in loop for loop in MUON] == [True, False]
    assert ["import equinox as eqx" in loop for loop in MUON] == [False, True]


@pytest.mark.parametrize("loop", MUON, ids=["flax", "equinox"])
def test_a_loop_runs_and_trains(loop):
    losses = run("coming_from_muon_or_scion.md", loop)["losses"]
    assert len(losses) == 200
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["coming_from_adamw.md", "coming_from_shampoo.md"])
def test_a_whole_page_runs_and_trains(name):
    names = run(name, "".join(programs(name)))
    assert len(names["losses"]) == 300
    assert names["losses"][-1] < 0.1 * names["losses"][0]
    assert names.get("same", True), "without bases it is Adam"


def test_pepit_by_hand_and_from_the_code_agree():
    names = run("coming_from_pepit.md", "".join(programs("coming_from_pepit.md")))
    for number in ("by_hand", "from_code", "attained"):
        assert names[number] == pytest.approx(0.1, abs=1e-5)


def test_both_loops_in_the_place_of_copt_close_the_gap():
    names = run("coming_from_copt.md", "".join(programs("coming_from_copt.md")))
    assert names["gap"] <= 1e-3
    assert names["stochastic_gap"] < 5e-3


def test_ten_minutes_train_what_they_say(capsys):
    with jax.enable_x64(False):  # as the site runs it
        names = run("ten_minutes.md", "".join(programs("ten_minutes.md")))
    (adamw, soap) = (names["runs"][name][1] for name in ("adamw", "soap"))
    assert sum(soap[40:50]) > sum(adamw[40:50]), "soap is behind at first"
    assert sum(soap[190:200]) < sum(adamw[190:200]), "and ahead after some hundred steps"
    assert names["right"] > 0.9
    for weight in names["weights"].values():
        assert names["jnp"].linalg.norm(weight, "nuc") <= 20.001
    assert "unseen images right" in capsys.readouterr().out


@pytest.mark.parametrize("name", GUIDES)
def test_linked_files_exist(name):
    text = GUIDES[name].read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", text):
        assert (GUIDES[name].parent / target).is_file(), target
