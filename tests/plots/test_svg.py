"""SVG fragments that can share a page."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from optzoo.plots import COLOURS, convergence, inline_svg, style


def drawn(prefix="c0", title="a curve"):
    with style():
        figure = Figure(figsize=(4, 3))
        ax = figure.add_subplot()
        convergence(ax, [1, 10, 100], [0.5, 0.05, 0.005], [0.4, 0.04, 0.004], [0.6, 0.06, 0.006],
                    [1.0, 0.1, 0.01])  # fmt: skip
    return inline_svg(figure, prefix=prefix, title=title)


def test_fragment_is_self_contained():
    text = drawn()
    root = ElementTree.fromstring(text)
    tags = {element.tag for element in root.iter()}
    assert root.tag == "svg"
    assert {"path", "text", "use"} <= tags
    assert not tags & {"style", "metadata", "script"}
    assert "http" not in text
    assert "font-family" not in text
    assert {"viewBox", "role", "aria-label", "class"} == set(root.attrib)


def test_ids_are_prefixed_and_every_reference_resolves():
    text = drawn("c7")
    ids = re.findall(r' id="([^"]+)"', text)
    references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("c7-") for name in ids)
    assert {href or url for href, url in references} == set(ids)
    assert not set(ids) & set(re.findall(r' id="([^"]+)"', drawn("c8")))


def test_palette_becomes_variables_with_the_light_colour_as_fallback():
    text = drawn()
    for name in ("mean", "bound", "ink", "grid"):
        assert f"var(--plot-{name}, {COLOURS[name]})" in text
    bare = re.sub(r"var\([^)]*\)", "", text)
    assert not re.findall(r"#[0-9a-f]{6}\b", bare)


def test_tick_labels_are_text():
    labels = {element.text for element in ElementTree.fromstring(drawn()).iter("text")}
    assert {"1", "10", "100", "0.1"} <= labels


def test_same_data_same_bytes():
    assert drawn() == drawn()


def test_title_is_escaped():
    text = drawn(title='"><script>alert(1)</script>')
    assert "<script" not in text
    label = ElementTree.fromstring(text).attrib["aria-label"]
    assert label == '"><script>alert(1)</script>'


def test_prefix_must_be_an_identifier():
    with pytest.raises(ValueError, match="prefix must be letters"):
        inline_svg(Figure(), prefix="a b", title="")
