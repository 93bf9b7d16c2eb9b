"""The style stays inside its block, and the palette keeps what the page relies on."""

import contextlib
import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure

from optzoo.plots import COLOURS, DARK_COLOURS, log_scale, style


@pytest.mark.parametrize("fails", [False, True])
def test_global_settings_are_restored(fails):
    before = dict(matplotlib.rcParams)
    try:
        with style():
            assert matplotlib.rcParams["svg.fonttype"] == "none"
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("fails", [False, True])
def test_a_backend_that_is_loaded_inside_stays_interactive(fails):
    assert not matplotlib.is_interactive()
    try:
        with contextlib.suppress(KeyError), style():
            matplotlib.interactive(True)
            if fails:
                raise KeyError
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(False)


def test_palette_can_be_recoloured():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert list(COLOURS) == list(DARK_COLOURS)


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [COLOURS, DARK_COLOURS])
def test_every_colour_but_the_grid_stands_out_from_the_paper(palette):
    paper = _luminance(palette["paper"])
    for name in palette.keys() - {"paper", "grid"}:
        light, dark = sorted((_luminance(palette[name]), paper), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.0, name


@pytest.mark.parametrize(
    ("low", "high", "some_label"),
    [(1e-9, 1.0, "10⁻⁴"), (1.0, 30.0, "20"), (100.0, 120.0, "110"), (1e4, 5e5, "2×10⁴")],
)
def test_tick_labels_fit_the_range(low, high, some_label):
    ax = Figure().add_subplot()
    ax.plot([low, high], [low, high])
    log_scale(ax)
    ticks = [t for t in ax.yaxis.get_majorticklocs() if low <= t <= high]
    labels = [ax.yaxis.get_major_formatter()(tick) for tick in ticks]
    assert 2 <= len(labels) <= 8
    assert some_label in labels


def test_tick_labels_read_back_as_their_ticks():
    ax = Figure().add_subplot()
    ax.plot([1.0, 10.0], [1.0, 10.0])
    formatter = log_scale(ax).xaxis.get_major_formatter()
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for value in [1e-300, 2e-7, 1e-4, 0.001, 0.5, 1.0, 1000.0, 5000.0, 1e4, 3e12]:
        mantissa, _, power = formatter(value).rpartition("10" if value not in (1e3,) else "none")
        if any(sign in power for sign in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
            factor = float(mantissa.rstrip("×") or 1.0)
            assert factor * 10.0 ** int(power.translate(plain)) == pytest.approx(value)
        else:
            assert float(formatter(value)) == pytest.approx(value)


def test_pyplot_is_never_loaded():
    loaded = "sys.exit('matplotlib.pyplot' in sys.modules)"
    code = f"import sys, optzoo.plots, theory_checks.report.page; {loaded}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
