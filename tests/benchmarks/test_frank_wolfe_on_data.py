"""The benchmark on data: its methods, its counts, its loop, its figure and its sentences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from benchmarks import frank_wolfe_on_data as benchmark
from benchmarks.frank_wolfe_on_data import CLASSIC, OWN, SEARCH, Problem, Track

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(36, 5))
LABELS = np.sign(FEATURES @ np.array([2.0, -1.0, 0.0, 0.0, 0.5]) + RNG.normal(size=36))
EPOCHS = 20.0


@pytest.fixture(scope="module", autouse=True)
def patience():
    """Epochs end a run, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark, "SECONDS", 600.0)
        yield


@pytest.fixture(scope="module")
def problem():
    return Problem.of("synthetic data", FEATURES, LABELS)


@pytest.fixture(scope="module")
def tracks(problem):
    """Of every method, until it has had its epochs."""
    return {
        (method.name, method.steps): [benchmark.run(problem, method, 1, EPOCHS)]
        for method in benchmark.methods(problem)
    }


def loss(x):
    return np.mean(np.log1p(np.exp(-LABELS * (FEATURES @ x))))


def test_the_excess_is_over_the_minimum_on_the_ball(problem):
    """Against a descent with projections."""
    assert problem.batch_size == 6
    assert np.abs(np.asarray(problem.start)).sum() == pytest.approx(benchmark.RADIUS)
    assert np.count_nonzero(problem.start) == 1

    def descended(_, x):
        gradient = -(LABELS / (1 + jnp.exp(LABELS * (FEATURES @ x)))) @ FEATURES / 36
        return problem.constraint.project(x - gradient)

    x = np.asarray(jax.lax.fori_loop(0, 3000, descended, problem.start))
    assert problem.excess(x) == pytest.approx(0, abs=1e-9)
    assert problem.excess(x) >= 0
    other = np.array([1.0, 0.0, 0.0, 0.0, -1.0])
    assert problem.excess(other) == pytest.approx(loss(other) - loss(x), abs=1e-9)
    assert problem.resolved == 10 * problem.optimum.width


def test_every_stochastic_method_is_there_with_both_steps(problem):
    found = [(method.name, method.steps) for method in benchmark.methods(problem)]
    assert len(set(found)) == len(found)
    both = ("Sarah", "Saga Sarah", "SFW", "SVRF", "SCG", "SPIDER", "SAG")
    full = [
        ("Frank-Wolfe", CLASSIC),
        *((name, SEARCH) for name in ("Frank-Wolfe, short", "away", "pairwise", "blended")),
    ]
    assert set(found) == {*itertools.product(both, (OWN, CLASSIC)), *full}
    assert {(m.name, m.steps) for m in benchmark.methods(problem) if m.full} == set(full)


# Gradients of samples of a method after k steps, where they are fixed: n = 36, b = 6.
N, B = 36, 6
PER_STEP = {
    **dict.fromkeys(("Frank-Wolfe", "Frank-Wolfe, short", "away", "pairwise", "blended"), N),
    "Saga Sarah": 2 * B,
    "SCG": B,
    "SAG": B,
}


def test_counts_and_levels_of_every_method(problem, tracks):
    start = problem.excess(np.asarray(problem.start))
    for (name, steps), [track] in tracks.items():
        shapes = {np.shape(values) for values in vars(track).values()}
        assert len(shapes) == 1, name
        assert track.epochs[-1] >= EPOCHS > track.epochs[-2], name
        assert np.all(np.diff(track.epochs) >= 0), name
        assert np.all(np.diff(track.oracle) >= 0), name
        assert np.all(np.diff(track.seconds) > 0), name
        if name in PER_STEP:
            np.testing.assert_allclose(track.epochs * N, PER_STEP[name] * track.oracle)
        assert np.all(track.excess > 0), name
        # SVRF takes three steps.
        part = 1.0 if name == "SVRF" else 0.5
        assert track.excess[-1] < part * max(start, track.excess[0]), (name, steps)
    for steps in (OWN, CLASSIC):
        # n a full gradient and 2 b a difference; SFW b a call, of which a step takes many.
        for name in ("Sarah", "SPIDER", "SVRF"):
            [track] = tracks[name, steps]
            gradients = np.round(track.epochs * N).astype(int)
            assert gradients[0] == N, name
            assert np.all((gradients - N) % (2 * B) == 0), name
        [track] = tracks["SFW", steps]
        assert track.epochs[0] * N == B
        assert track.oracle[-1] < track.epochs[-1] * N / B
        # The start, a full gradient, and the first step of 96 * 3 samples.
        [track] = tracks["SVRF", steps]
        done = track.epochs * N >= 2 * N + 2 * 96 * 3
        np.testing.assert_array_equal(track.oracle >= 3, done)
        assert done.any()


@pytest.mark.parametrize("name", ["Frank-Wolfe", "SAG", "SPIDER"])
def test_a_run_is_the_loop_that_anyone_would_write(problem, name):
    """With the keys of the benchmark; looked at after the steps of its grid."""
    chosen = next(
        method
        for method in benchmark.methods(problem)
        if method.name == name and method.steps == CLASSIC
    )
    epochs = 6.0 if name == "Frank-Wolfe" else 2.0
    track = benchmark.run(problem, chosen, 5, epochs)
    coin_key, batch_key = jax.random.split(jax.random.key(5))
    method = chosen.make(coin_key)
    x = jnp.asarray(problem.start)
    state, seen = method.init(x), []
    features, labels = jnp.asarray(FEATURES), jnp.asarray(LABELS)

    def derivatives(x, rows):
        return -labels[rows] / (1 + jnp.exp(labels[rows] * (features[rows] @ x)))

    def gradient(x, rows):
        return derivatives(x, rows) @ features[rows] / len(rows)

    everyone = jnp.arange(N)

    @jax.jit
    def step(x, state, k):
        rows = jax.random.randint(jax.random.fold_in(batch_key, k), (B,), 0, N)
        updates, state = method.update(
            gradient(x, everyone if chosen.full else rows),
            state,
            x,
            grad_fn=lambda p: gradient(p, rows),
            full_grad_fn=lambda p: gradient(p, everyone),
            indices=rows,
            sample_grads_fn=lambda p: derivatives(p, rows),
            features=features[rows],
        )
        return x + updates, state

    for k in range(40):
        x, state = step(x, state, k)
        spent = N * (k + 1) if chosen.full else optzoo.gradient_calls(state, N, B)
        seen.append((spent / N, int(state.steps), loss(np.asarray(x)) - problem.optimum.lower))
    found = np.stack([track.epochs, track.oracle, track.excess], axis=1)
    table = np.array(seen)
    looks, k = [], 1
    while len(looks) < len(found):
        looks.append(k - 1)
        k = max(k + 1, int(1.25 * k))
    np.testing.assert_allclose(found, table[looks], rtol=1e-9)


# --- The report, on tracks that are known ---


def track(*excess, scale=1.0):
    k = np.arange(1.0, len(excess) + 1)
    return Track(scale * k, 10 * k, 0.5 * k, np.array(excess))


def test_the_first_look_below_a_level_counts():
    one = track(1.0, 0.01, 0.02, 0.0001)
    assert one.first("epochs", 0.01) == 2
    assert one.first("oracle", 0.015) == 20
    assert one.first("seconds", 0.001) == 2
    assert one.first("epochs", 1e-5) == np.inf


def test_winners_need_the_fewest_gradients():
    made = {
        ("Frank-Wolfe", CLASSIC): [track(1.0, 0.5, 0.009, 0.008)],
        ("away", SEARCH): [track(1.0, 0.9, 0.9, 0.0009)],
        # The median of three seeds; the second of them never gets there.
        ("SAG", OWN): [track(0.01), track(1.0), track(0.5, 0.005, 0.00001)],
        ("SAG", CLASSIC): [track(0.5, 0.5, 0.5, 0.5, 0.001, scale=0.1)] * 3,
    }
    own, classic = benchmark._winners(made).splitlines()
    assert own == (
        f"- Fewest gradients, stochastic methods with {OWN}: to 0.01 SAG (2 n), then "
        "Frank-Wolfe (3); to 0.001 away (4 n); to 0.0001 nobody."
    )
    assert classic == (
        f"- Fewest gradients, stochastic methods with {CLASSIC}: to 0.01 SAG (0.5 n), then "
        "Frank-Wolfe (3); to 0.001 SAG (0.5 n), then away (4); to 0.0001 nobody."
    )


def test_the_report_has_a_row_a_method_and_its_figure(problem, tracks, monkeypatch, tmp_path):
    asked = []

    def run(problem, method, seed):
        asked.append((method.name, method.steps, seed))
        return tracks[method.name, method.steps][0]

    monkeypatch.setattr(benchmark, "run", run)
    monkeypatch.setattr(benchmark, "DOCS", tmp_path)
    monkeypatch.setattr(benchmark, "_problems", lambda: [problem])
    drawn = []
    real = benchmark.plt.subplots
    monkeypatch.setattr(
        benchmark.plt, "subplots", lambda *a, **k: drawn.append(real(*a, **k)) or drawn[-1]
    )
    text = benchmark.measure()
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    assert [row[0] for row in rows[1:]] == [", ".join(key) for key in tracks]
    seeds = {key: [seed for *own, seed in asked if tuple(own) == key] for key in tracks}
    full = {m.name for m in benchmark.methods(problem) if m.full}
    for name, steps in tracks:
        assert seeds[name, steps] == [1] if name in full else [1, 2, 3]
    [away] = [row for row in rows if row[0] == f"away, {SEARCH}"]
    [one] = tracks["away", SEARCH]
    assert away[-1] == f"{one.excess.min():.1e}"
    level = one.first("oracle", 1e-2)
    assert away[2] == ("–" if np.isinf(level) else f"{level:.3g}")
    assert "n = 36, d = 5, l1 ball of radius 10" in text
    assert (tmp_path / "frank_wolfe_on_synthetic_data.png").read_bytes().startswith(b"\x89PNG")
    # Rows by steps: the full methods in both, a stochastic one with its own steps in its own row.
    [(_, axes)] = drawn
    for ax_row, steps in zip(axes, (OWN, CLASSIC), strict=True):
        for ax, unit in zip(ax_row, ("epochs", "oracle", "seconds"), strict=True):
            shown = {line.get_label(): line for line in ax.get_lines()}
            assert set(shown) == {name for name, _ in tracks}
            for name, line in shown.items():
                key = next(k for k in tracks if k[0] == name and (k[1] == steps or name in full))
                [found] = tracks[key]
                np.testing.assert_allclose(line.get_xdata(), getattr(found, unit))
                np.testing.assert_allclose(line.get_ydata(), found.excess)
                assert (line.get_linestyle() == "--") == (name in full)


def test_cells_are_medians_and_end_at_what_is_resolved(problem):
    runs = [track(1.0, 1e-3), track(1e-2), track(1.0, 1e-2, 1e-30, scale=3.0)]
    cells = benchmark._cells(problem, runs)
    assert cells[:3] == ["2", "20", "1"]
    assert cells[3:6] == ["9", "30", "1.5"]
    assert cells[6:9] == ["–"] * 3
    assert cells[-1] == "1.0e-03"
    assert benchmark._cells(problem, runs[-1:])[-1] == f"{problem.resolved:.1e}"


def test_without_the_folder_of_data_breast_cancer_alone_is_measured(monkeypatch, capsys):
    monkeypatch.delenv("OPTZOO_DATA", raising=False)
    monkeypatch.setattr(benchmark, "breast_cancer", lambda: (FEATURES, LABELS))
    [only] = benchmark._problems()
    assert only.name == "breast cancer"
    assert "OPTZOO_DATA is not set" in capsys.readouterr().out


def test_the_folder_of_data_is_read(monkeypatch, tmp_path):
    for name in ("a9a", "mushrooms"):
        lines = [
            f"{int(label)} " + " ".join(f"{j + 1}:{value}" for j, value in enumerate(row))
            for label, row in zip(LABELS, FEATURES, strict=True)
        ]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("OPTZOO_DATA", str(tmp_path))
    monkeypatch.setattr(benchmark, "breast_cancer", lambda: (FEATURES, LABELS))
    found = benchmark._problems()
    assert [problem.name for problem in found] == ["breast cancer", "a9a", "mushrooms"]
    np.testing.assert_allclose(np.asarray(found[1].loss.features), FEATURES)
