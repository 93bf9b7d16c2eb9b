"""Pictures that move, drawn by Matplotlib from runs of the shipped methods when the site is built.

Each is one page that loads nothing, with the frames inside, and a still picture for print. It moves
by itself only where the reader's system does not ask for less motion; a button stops it.

    python docs/_extensions/moving.py build/moving
"""

import base64
import html
import io
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from PIL import Image

import optzoo
from optzoo import problems
from optzoo.plots import COLOURS, style

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DPI = 90
SIZE = (6.4, 3.4)  # inches
KILOBYTES = 600  # the most that a page may have


class Movie(NamedTuple):
    """Frames that a function draws, what they show in words, and which of them are printed."""

    title: str
    words: str
    count: int
    draw: Callable[[Figure, int], None]
    printed: tuple[int, ...]
    milliseconds: int


def _diamond(ax: Any) -> None:
    corners = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    ax.plot(*corners.T, color=COLOURS["ink"], linewidth=1)


def frank_wolfe_path() -> Movie:
    """Twelve steps of Frank-Wolfe on the l1 ball of the plane."""
    steps = 12
    ball = optzoo.lmo.l1_ball(1.0)
    method = optzoo.frank_wolfe(ball, optzoo.open_loop_schedule())
    matrix, centre = jnp.array([[1.0, 0.35], [0.35, 1.6]]), jnp.array([0.25, 0.35])
    x = jnp.array([-0.2, -0.8])
    state = method.init(x)
    points, vertices, gradients, gaps = [x], [], [], []
    for _ in range(steps):
        gradient = matrix @ (x - centre)
        vertices.append(ball.lmo(gradient))
        gradients.append(gradient)
        gaps.append(float(optzoo.frank_wolfe_gap(ball, gradient, x)))
        updates, state = method.update(gradient, state, x)
        x = optax.apply_updates(x, updates)
        points.append(x)
    path, corners, slopes = np.array(points), np.array(vertices), np.array(gradients)
    line = np.linspace(-1.25, 1.25, 101)
    plane = np.stack(np.meshgrid(line, line), axis=-1) - np.asarray(centre)
    heights = np.einsum("...i,ij,...j", plane, np.asarray(matrix), plane) / 2

    def draw(figure: Figure, frame: int) -> None:
        k, walked = divmod(frame, 2)
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        left.contour(line, line, heights, levels=10, colors=COLOURS["grid"], linewidths=0.8)
        _diamond(left)
        ends = path[: k + 1 + walked]
        left.plot(*ends.T, color=COLOURS["mean"], marker="o", markersize=3.5, linewidth=1.2)
        left.plot(*corners[k], color=COLOURS["bound"], marker="s", markersize=7)
        left.plot(*np.array([path[k], corners[k]]).T, "--", color=COLOURS["bound"], linewidth=1)
        down = -0.4 * slopes[k] / np.linalg.norm(slopes[k])
        left.annotate(
            "",
            path[k] + down,
            path[k],
            arrowprops={"arrowstyle": "->", "color": COLOURS["lower_bound"]},
        )
        said = f"a step of {2 / (k + 2):.2f} of the way" if walked else "the oracle's answer"
        left.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", title=f"k = {k}: {said}")
        right.semilogy(range(k + 1), gaps[: k + 1], color=COLOURS["mean"], marker="o", markersize=3)
        right.set(xlim=(-0.5, steps - 0.5), ylim=(0.5 * min(gaps), 2 * max(gaps)))
        right.set(xlabel="k", title="the gap")
        figure.tight_layout(pad=0.6)

    answers = len({tuple(np.round(one, 6)) for one in corners})
    words = (
        f"Frank-Wolfe on the l1 ball of the plane, {steps} steps. From each point an arrow points "
        f"down the gradient, a dashed line to the corner that the oracle answers ({answers} "
        "different corners in all), and the point moves a part 2/(k + 2) of the way there, so "
        "that the path zigzags and never leaves the ball. Beside it the gap goes from "
        f"{gaps[0]:.2f} to {gaps[-1]:.2f}, not always downwards."
    )
    if not any(later > sooner for sooner, later in itertools.pairwise(gaps)):
        raise ValueError("the words say that the gap is not monotone, and it is")
    return Movie("A path of Frank-Wolfe", words, 2 * steps, draw, (1, 4, 9, 23), 700)


def chain_and_batch() -> Movie:
    """A walk on a ring, and the multilevel estimates that its samples go into."""
    size, batch, levels = 8, 2, 3
    chain = problems.symmetric_lazy_ring(size)
    noise = np.cos(2 * np.pi * np.arange(size) / size)

    def step(key: jax.Array, carry: Any) -> Any:
        state, log, count = carry
        state = chain.step(key, state)
        return (state, log.at[count].set(state), count + 1), state

    table = jnp.asarray(noise)
    estimate = optzoo.mlmc_gradient(
        lambda x, z: x + table[z], step, batch_size=batch, max_level=levels
    )
    carry = (jnp.int32(0), jnp.zeros(64, jnp.int32), jnp.int32(0))
    ends, drawn, found = [0], [], []
    for key in jax.random.split(jax.random.key(32), 4):
        gradient, carry, info = estimate(key, jnp.zeros(()), carry)
        ends.append(int(carry[2]))
        drawn.append(int(info.level))
        found.append(float(gradient))
    states = np.asarray(carry[1])[: ends[-1]]
    weights = np.concatenate(
        [
            np.concatenate(
                [np.full(many, weight) for weight, many in problems.level_weights(batch, level)]
            )
            for level in drawn
        ]
    )
    for i, value in enumerate(found):
        part = slice(ends[i], ends[i + 1])
        if not np.isclose(weights[part] @ noise[states[part]], value, atol=1e-5):
            raise ValueError("the weights that are drawn are not those of the estimate")
    turn = 2 * np.pi * np.arange(size) / size
    ring = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    of_weight = {-1: COLOURS["bound"], 0: COLOURS["grid"], 1: COLOURS["mean"]}

    def draw(figure: Figure, frame: int) -> None:
        now = int(np.searchsorted(ends, frame, side="right")) - 1
        grid = figure.add_gridspec(2, 2, width_ratios=(1, 2.2))
        left = figure.add_subplot(grid[:, 0])
        above, below = (figure.add_subplot(grid[row, 1]) for row in range(2))
        left.scatter(*ring.T, s=190, c=noise, cmap="cividis", edgecolors=COLOURS["ink"])
        left.scatter(*ring[states[frame]], s=420, facecolors="none", edgecolors=COLOURS["bound"])
        left.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", title="the chain")
        left.set_axis_off()
        above.bar(
            np.arange(frame + 1),
            noise[states[: frame + 1]],
            width=0.85,
            color=[of_weight[int(np.sign(w))] for w in weights[: frame + 1]],
            edgecolor=COLOURS["guide"],
            linewidth=0.4,
        )
        for end in ends[1:-1]:
            above.axvline(end - 0.5, color=COLOURS["ink"], linewidth=0.7)
        level = f"level {drawn[now]}" if drawn[now] else "no level"
        above.set(xlim=(-0.7, ends[-1] - 0.3), ylim=(-1.2, 1.2))
        many = ends[now + 1] - ends[now]
        above.set_title(f"sample {frame + 1}; estimate {now + 1}: {level}, {many} samples")
        whole = np.array(ends[1:]) <= frame + 1
        places = (np.array(ends[1:]) - 1)[whole]
        below.axhline(0, color=COLOURS["guide"], linewidth=0.8)
        below.plot(places, np.array(found)[whole], "o", color=COLOURS["mean"])
        part = np.arange(ends[now], frame + 1)
        below.plot(part, np.cumsum(weights[part] * noise[states[part]]), color=COLOURS["mean"])
        limit = 1.3 * max(1.0, *(abs(_sums(weights, noise[states], ends))))
        below.set(xlim=(-0.7, ends[-1] - 0.3), ylim=(-limit, limit), xlabel="sample")
        below.set_title("the signed sum, and the estimates")
        figure.tight_layout(pad=0.6)

    words = (
        f"A lazy walk on a ring of {size} states, coloured by the noise of each, and the batches "
        f"of the multilevel estimator with B = {batch}, m = {levels}: {len(found)} estimates take "
        f"{', '.join(str(b - a) for a, b in itertools.pairwise(ends))} samples. A sample "
        "is a bar as high as its noise: blue where its weight is plus one over B, orange where it "
        "is minus, pale where it is zero. Neighbouring bars are alike, because the chain moves "
        "slowly. Below, the signed sum runs to the estimates, "
        f"{', '.join(f'{value:.2f}' for value in found)}, whose mean under the stationary law is 0."
    )
    return Movie(
        "A chain, and the batch it feeds",
        words,
        ends[-1],
        draw,
        tuple(end - 1 for end in ends[1:]),
        450,
    )


def _sums(weights: np.ndarray, values: np.ndarray, ends: list[int]) -> np.ndarray:
    """The running signed sums of all estimates."""
    parts = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    return np.concatenate([np.cumsum(weights[part] * values[part]) for part in parts])


def basis_that_turns() -> Movie:
    """SOAP's left basis for gradients whose eigenvectors turn by three degrees a call."""
    calls, degrees, every = 31, 3.0, 6
    method = optzoo.soap(
        1e-3, b2=0.9, shampoo_beta=0.7, weight_decay=0.0, precondition_frequency=every
    )
    w = jnp.zeros((2, 2))
    state = method.init(w)
    update = jax.jit(method.update)
    grams, bases, seen = [], [], []
    for t in range(calls):
        angle = np.radians(degrees * t)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        gradient = turn @ np.diag([2.0, 0.7])
        _, state = update(jnp.asarray(gradient, jnp.float32), state, w)
        seen.append(gradient @ gradient.T)
        grams.append(np.asarray(state.gram[0], np.float64))
        bases.append(np.asarray(state.basis[0], np.float64))
    tops = [np.linalg.eigh(gram)[1][:, -1] for gram in grams]
    cosines = [abs(basis[0] @ top) for basis, top in zip(bases, tops, strict=True)]
    behind = np.degrees(np.arccos(np.minimum(cosines, 1.0)))
    circle = np.linspace(0, 2 * np.pi, 121)
    round_ = np.stack([np.cos(circle), np.sin(circle)])

    def ellipse(gram: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(gram / np.trace(gram))
        return vectors @ (np.sqrt(values)[:, None] * round_)

    def draw(figure: Figure, frame: int) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
        left.plot(*ellipse(seen[frame]), color=COLOURS["guide"], linewidth=1, label="this gradient")
        left.plot(*ellipse(grams[frame]), color=COLOURS["mean"], label="average L")
        left.plot(*np.outer(tops[frame], [-1, 1]), "--", color=COLOURS["mean"], linewidth=1)
        for row, label in zip(bases[frame], ("basis Q", None), strict=True):
            left.plot(*np.outer(row, [-1, 1]), color=COLOURS["bound"], linewidth=1.6, label=label)
        left.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal")
        refreshed = frame > 0 and frame % every == 0
        left.set_title(f"call {frame}" + (": refreshed" if refreshed else ""))
        left.legend(loc="lower left", fontsize=7)
        right.plot(behind[: frame + 1], color=COLOURS["bound"], marker="o", markersize=2.5)
        for at in range(every, calls, every):
            right.axvline(at, color=COLOURS["guide"], linewidth=0.7, linestyle=":")
        right.set(xlim=(-0.5, calls - 0.5), ylim=(-1, 1.15 * behind.max()), xlabel="call")
        right.set_title("degrees behind L's eigenvector")
        figure.tight_layout(pad=0.6)

    words = (
        f"SOAP's left basis in two dimensions. The eigenvectors of the gradients' Gram matrix turn "
        f"by {degrees:.0f} degrees a call; an ellipse shows the average L, which follows, and a "
        f"cross the basis Q, which stands still between refreshes, every {every} calls, and then "
        "jumps towards L's eigenvectors by one step of the power method. Beside it, the angle "
        f"between them is a saw: it grows up to {behind.max():.0f} degrees and falls at each "
        f"refresh, to {behind[every:].min():.0f} degrees at the least after the first."
    )
    return Movie("SOAP's basis turns", words, calls, draw, (0, 5, 6, 30), 350)


MOVIES = {
    "frank_wolfe_path": frank_wolfe_path,
    "chain_and_batch": chain_and_batch,
    "basis_that_turns": basis_that_turns,
}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ margin: 0; background: #fff; color: #24292f; font: 0.95rem system-ui, sans-serif; }}
img {{ display: block; width: 100%; max-width: {width}px; }}
p {{ margin: 0.2rem 0.4rem; display: flex; gap: 0.5rem; align-items: center; }}
input {{ flex: 1; max-width: 24rem; }}
button {{ font: inherit; min-width: 4.5rem; }}
@media print {{ p {{ display: none; }} }}
</style></head><body>
<img id="frame" alt="{words}" src="{first}">
<p hidden><button id="move">Move</button>
<input id="at" type="range" min="0" max="{last}" value="0" aria-label="frame"></p>
<script>
const frames = {frames};
const image = document.getElementById("frame"), at = document.getElementById("at");
const button = document.getElementById("move");
let timer = null;
function show(i) {{ at.value = i; image.src = frames[i]; }}
function stop() {{ clearInterval(timer); timer = null; button.textContent = "Move"; }}
function move() {{
  timer = setInterval(() => show((Number(at.value) + 1) % frames.length), {milliseconds});
  button.textContent = "Stop";
}}
button.onclick = () => timer === null ? move() : stop();
at.oninput = () => {{ stop(); show(Number(at.value)); }};
document.querySelector("p").hidden = false;
const less = matchMedia("(prefers-reduced-motion: reduce)");
less.addEventListener("change", () => {{ if (less.matches) stop(); }});
if (!less.matches) move();
</script></body></html>
"""


def frames_of(movie: Movie) -> list[Image.Image]:
    """The frames, in 48 colours."""
    found = []
    for i in range(movie.count):
        with style():
            figure = Figure(figsize=SIZE)
            movie.draw(figure, i)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
        found.append(
            Image.open(drawn)
            .convert("RGB")
            .quantize(48, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        )
    return found


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, format="png", optimize=True)
    return written.getvalue()


def page(movie: Movie, frames: list[Image.Image]) -> str:
    """The picture that moves, as one page."""
    inside = [f"data:image/png;base64,{base64.b64encode(_png(f)).decode('ascii')}" for f in frames]
    return _PAGE.format(
        title=html.escape(movie.title),
        words=html.escape(movie.words, quote=True),
        width=frames[0].width,
        first=inside[0],
        last=len(inside) - 1,
        frames=str(inside).replace("'", '"'),
        milliseconds=movie.milliseconds,
    )


def still(movie: Movie, frames: list[Image.Image]) -> bytes:
    """Some of the frames, two in a row, for print."""
    wide, high = frames[0].size
    rows = -(-len(movie.printed) // 2)
    sheet = Image.new("RGB", (2 * wide, rows * high), "white")
    for place, i in enumerate(movie.printed):
        sheet.paste(frames[i].convert("RGB"), (place % 2 * wide, place // 2 * high))
    return _png(sheet.quantize(48, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE))


def shown(name: str) -> str:
    """What a page of the site has in the place of a picture that moves."""
    movie = MOVIES[name]()
    words, title = html.escape(movie.words, quote=True), html.escape(movie.title, quote=True)
    return (
        f'<iframe class="moving" src="moving/{name}.html" title="{title}, which moves" '
        f'loading="lazy"></iframe>\n<img class="for-print" src="moving/{name}.png" alt="{words}">'
        f"\n\n{movie.words}\n"
    )


def write(folder: Path) -> list[Path]:
    """Writes a page and a still picture of each into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in MOVIES.items():
        movie = make()
        frames = frames_of(movie)
        for path, data in (
            (folder / f"{name}.html", page(movie, frames).encode("utf-8")),
            (folder / f"{name}.png", still(movie, frames)),
        ):
            if len(data) > 1000 * KILOBYTES:
                raise ValueError(f"{path.name} has {len(data)} bytes, above {KILOBYTES} kB")
            path.write_bytes(data)
            written.append(path)
    return written


def _finished(app: "Sphinx", error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        write(Path(app.outdir) / "docs" / "course" / "moving")


def setup(app: "Sphinx") -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("build-finished", _finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
