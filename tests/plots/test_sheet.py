"""What drawings share is said once, and what is drawn stays what it was."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from optzoo.plots import Sheet, agreement, convergence, inline_svg, style


def figure(draw, *arguments):
    with style():
        drawn = Figure(figsize=(4, 3))
        draw(drawn.add_subplot(), *arguments)
    return drawn


def curve():
    return figure(convergence, [1, 10, 100], [0.5, 0.05, 0.005], [0.4, 0.04, 0.004],
                  [0.6, 0.06, 0.006], [1.0, 0.1, 0.01])  # fmt: skip


def points(count):
    values = [0.37 * k**0.5 for k in range(1, count + 1)]
    return figure(agreement, list(range(1, count + 1)), values, values)


def corners(d):
    """The places that a path goes through, of whatever commands."""
    found, here = [], (0.0, 0.0)
    for command, text in re.findall(r"([MLCQHVlhvcqmz])([^A-Za-z]*)", d):
        values = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", text)]
        if command in "hH":
            pairs = [(values[0], 0.0 if command == "h" else here[1])]
        elif command in "vV":
            pairs = [(0.0 if command == "v" else here[0], values[0])]
        else:
            pairs = list(zip(values[::2], values[1::2], strict=True))
        if command.islower():
            pairs = [(here[0] + x, here[1] + y) for x, y in pairs]
        found += pairs
        here = pairs[-1] if pairs else here
    return found


def looks(drawing, sheet):
    """For each class of a drawing the rules behind it."""
    rules = dict(re.findall(r"\.plot \.(\w+) \{ (.*?) \}", sheet.css()))
    found = re.findall(r'class="(p\d+(?: p\d+)*)"', drawing)
    return {one: "; ".join(rules[name] for name in one.split()) for one in found}


def whole(drawing, sheet):
    """The drawing with the lines that it shares in place."""
    shared = {one.get("id"): one for one in ElementTree.fromstring(sheet.definitions()).iter()}
    drawn = ElementTree.fromstring(drawing)
    for index, one in enumerate(drawn):
        if one.tag == "use":
            line = shared[one.get("href")[1:]].get("d")
            drawn[index] = ElementTree.Element("path", {"class": one.get("class"), "d": line})
    return drawn


def test_every_marker_stays_where_it_was():
    alone = ElementTree.fromstring(inline_svg(points(200), prefix="a", title=""))
    sheet = Sheet()
    short = inline_svg(points(200), prefix="a", title="", sheet=sheet)
    curves = [[use for use in group if use.tag == "use"] for group in alone.iter("g")]
    curves = [[(float(use.get("x")), float(use.get("y"))) for use in uses] for uses in curves]
    marked = {name for name, rule in looks(short, sheet).items() if "marker: url(#" in rule}
    lines = [corners(path.get("d")) for path in whole(short, sheet).iter("path")
             if path.get("class") in marked]  # fmt: skip
    long = [uses for uses in curves if len(uses) == 200]
    assert len(long) == 2, "rings and dots"
    assert len([line for line in lines if len(line) == 200]) == 2
    for uses, line in zip(long, [one for one in lines if len(one) == 200], strict=True):
        assert line == [pytest.approx(place, abs=0.0501) for place in uses]
    ticks = sorted(place for uses in curves if len(uses) == 1 for place in uses)
    drawn = sorted(place for line in lines if len(line) != 200 for place in line)
    assert drawn == [pytest.approx(place, abs=0.0501) for place in ticks]


def test_every_line_and_band_and_word_stays_where_it_was():
    alone = ElementTree.fromstring(inline_svg(curve(), prefix="a", title=""))
    sheet = Sheet()
    text = inline_svg(curve(), prefix="a", title="", sheet=sheet)
    short = ElementTree.fromstring(text)
    words, again = (
        [(one.text, pytest.approx((float(one.get("x")), float(one.get("y"))), abs=0.0501))
         for one in drawing.iter("text")]
        for drawing in (alone, short)
    )  # fmt: skip
    assert [(text, place.expected) for text, place in words] == again
    rules = looks(text, sheet)
    rule_of = {one: rules.get(one.get("class"), "") for one in short.iter("path")}
    (band,) = [one for one, rule in rule_of.items() if "fill-opacity" in rule]
    (use,) = [one for one in alone.iter("use") if "fill-opacity" in one.get("style", "")]
    (shape,) = [one for one in alone.iter("path") if "#" + one.get("id", "") == use.get("href")]
    down = float(use.get("y"))
    drawn = corners(band.get("d"))
    for x, y in corners(shape.get("d")):
        assert min(max(abs(x - a), abs(y + down - b)) for a, b in drawn) < 0.0501
    rule = "stroke: var(--plot-mean, #0072b2); stroke-width"
    (line,) = [one for one, known in rule_of.items() if rule in known]
    (was,) = [one for one in alone.iter("path") if rule in one.get("style", "")]
    expected = [pytest.approx(place, abs=0.0501) for place in corners(was.get("d"))]
    assert corners(line.get("d")) == expected


def test_drawings_share_their_looks():
    sheet = Sheet()
    first = inline_svg(points(50), prefix="a", title="", sheet=sheet)
    css = sheet.css()
    second = inline_svg(points(50), prefix="b", title="", sheet=sheet)
    third = inline_svg(points(50), prefix="c", title="", sheet=sheet)
    assert sheet.css() == css
    assert second == third, "nothing is left to share"
    assert ' d="' not in second
    drawn = ElementTree.tostring(whole(second, sheet))
    assert drawn == ElementTree.tostring(whole(first, sheet))
    assert "style=" not in first
    assert "<defs" not in first
    assert len(first) < 2000 + 2 * 50 * 14


def test_every_reference_resolves():
    sheet = Sheet("x")
    drawings = [inline_svg(one, prefix="a", title="", sheet=sheet) for one in (points(9), curve())]
    text = "".join(drawings) + sheet.css() + sheet.definitions()
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 2
    assert set(re.findall(r"url\(#([^)]+)\)", text)) | set(
        re.findall(r'href="#([^"]+)"', text)
    ) == set(ids)
    classes = set(re.findall(r"\.plot \.(\w+) ", sheet.css()))
    assert set(" ".join(re.findall(r'class="(x[x\d ]+)"', text)).split()) == classes
    assert all(name.startswith("x") for name in (*ids, *classes))


def test_an_empty_sheet_defines_nothing():
    assert (Sheet().css(), Sheet().definitions()) == ("", "")


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: ax.plot([float("nan")], [float("nan")]),
        lambda ax: (ax.plot([1, 2], [5, 6]), ax.set_ylim(0, 1)),
        lambda ax: (ax.plot([5], [5]), ax.set_xlim(0, 1)),
    ],
)
def test_a_line_of_which_nothing_is_in_the_frame(draw):
    """Matplotlib writes it as a path that goes nowhere."""
    assert re.search(r"<path (?![^>]* d=)", inline_svg(figure(draw), prefix="a", title=""))
    sheet = Sheet()
    short = ElementTree.fromstring(inline_svg(figure(draw), prefix="a", title="", sheet=sheet))
    assert all(path.get("d") for path in short.iter("path"))
