"""The sentences of docs/speed.md, written from the tables of RESULTS.md.

No number is typed twice: `python -m benchmarks` ends by writing this part of the page again.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from .report import RESULTS

__all__ = ["PAGE", "Tables", "highlights", "replace_block", "write_page"]

PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
BEGIN = "<!-- Written by `python -m benchmarks highlights`, from benchmarks/RESULTS.md. -->\n"
END = "<!-- End of what is written. -->\n"


class Tables:
    """The numbers of a document of tables, by section, first cells of a row, and column.

    Args:
        document: the text of RESULTS.md.

    Example:
        >>> head = "## loop", "", "4 cores, Python 3.11; 2026-01-01.", ""
        >>> table = "| n | s |", "|---|---:|", "| 1,000 | 1.5 [1, 2] |"
        >>> tables = Tables(chr(10).join((*head, *table)))
        >>> tables.value("loop", "1,000", column="s"), tables.machine("loop")
        (1.5, '4 cores; 2026-01-01')
    """

    def __init__(self, document: str) -> None:
        sections = document.split("\n## ")
        sections[0] = sections[0].removeprefix("## ")
        self._sections = dict(section.split("\n", 1) for section in sections)

    def value(self, section: str, *row: str, column: str) -> float:
        """The number, or the median of several, in the one row that begins with these cells."""
        found = list(self._cells(section, row, column))
        if len(found) != 1:
            raise KeyError(f"{len(found)} rows {row} with a column {column!r} in {section}")
        return number(found[0])

    def least(self, section: str, *row: str, column: str) -> float:
        """The least number of a column in the rows whose cells begin with these words."""
        return min(number(cell) for cell in self._cells(section, row, column, whole=False))

    def machine(self, section: str) -> str:
        """Where, when, and how busy the machine was."""
        line = self._sections[section].strip().split("\n", 1)[0]
        where, when = line.split(", Python")[0], re.findall(r"; (.*)\.$", line)[0]
        return f"{where}; {when}"

    def _cells(
        self, section: str, row: tuple[str, ...], column: str, *, whole: bool = True
    ) -> Iterator[str]:
        header: list[str] | None = None
        for line in self._sections[section].splitlines():
            if not line.startswith("|"):
                header = None
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if header is None:
                header = cells
            elif column in header and all(
                cell == word if whole else cell.startswith(word)
                for cell, word in zip(cells, row, strict=False)
            ):
                yield cells[header.index(column)]


def number(cell: str) -> float:
    """The number with which a cell begins; infinity for "> 10", which was not reached.

    Example:
        >>> number("1.2e+03 [1, 2e+03]"), number("32,561"), number("> 10")
        (1200.0, 32561.0, inf)
    """
    if cell.startswith(">"):
        return float("inf")
    return float(cell.split(" ")[0].replace(",", ""))


def highlights(tables: Tables) -> str:
    """A Markdown list: what the benchmarks found, and on which machine."""
    return "\n".join(
        textwrap.fill(
            f"{' '.join(sentences.split())} *({tables.machine(section)})*",
            width=100,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for section, sentences in (
            ("runner_throughput", _runner(tables)),
            ("saga_table", _saga(tables)),
            ("multilevel_stream", _stream(tables)),
            ("soap", _soap(tables)),
            ("soap_language_model", _language_model(tables)),
            ("oracles", _oracles(tables)),
            ("frank_wolfe_time_to_gap", _time_to_gap(tables)),
        )
    )


def _runner(tables: Tables) -> str:
    def faster(way: str) -> float:
        return tables.value("runner_throughput", way, column="the runner is faster by")

    calls = tables.value(
        "runner_throughput",
        "the runner: 32 replicates, 2 devices",
        column="million oracle calls / s",
    )
    vmapped = tables.value("runner_throughput", "10,000", "100", column="`vmap` is slower by")
    return f"""
        The runner makes {calls:.1f} million single-sample gradients a second (32 replicates of
        Sarah Frank-Wolfe, n = 400, d = 30, float64):
        {faster("one replicate, a Python loop over a jitted step"):.0f} times as many as a Python
        loop over a jitted step, {faster("one replicate, all its steps compiled"):.1f} times as many
        as one compiled replicate. At n = 10,000 replicating with `vmap` would cost {vmapped:.0f}
        times as much as the runner's `lax.map`."""


def _saga(tables: Tables) -> str:
    def step(table: str, n: str) -> str:
        return f"{tables.value('saga_table', table, n, column='µs a step') / 1000:.2f} ms"

    def state(table: str, n: str) -> str:
        return f"{tables.value('saga_table', table, n, column='state (MiB)'):.3g} MiB"

    small, medium, large = "10,000", "1,000,000", "10,737,418"
    ratio = tables.value("saga_table", "linear", medium, column="× linear at n = 10,000")
    rows = tables.value("saga_table", "rows", medium, column="× linear at n = 10,000")
    return f"""
        A step of `saga_sarah_frank_wolfe` does no work that grows with n: with d = 100, b = 64 and
        the linear table it takes {step("linear", small)} at n = 10^4 and {step("linear", medium)}
        at n = 10^6 ({state("linear", medium)} of state; {ratio:.2f} times as long, within a round),
        with rows {step("rows", medium)} ({state("rows", medium)}; {rows:.2f} times), and
        {step("rows", large)} at n = 10.7 million (by itself: there the rows fill 4 GiB)."""


def _stream(tables: Tables) -> str:
    def ratio(level: int) -> float:
        row = (f"m = {level}", "stream, B samples a tick")
        return tables.value("multilevel_stream", *row, column="× the nested loop")

    shares = [
        100
        * tables.value(
            "multilevel_stream",
            f"m = {level}",
            "stream, B samples a tick",
            column="share of the bare chain",
        )
        for level in (3, 5, 7)
    ]
    return f"""
        256 replicates in lock-step on `mlmc_stream` take {ratio(5):.1f} times as many samples a
        second as a loop over `mlmc_gradient` at 5 levels and {ratio(7):.0f} times as many at 7
        ({ratio(3):.1f} times at 3, where the loop cannot lose more than 2.6 by waiting), and
        {min(shares):.0f} to {max(shares):.0f}% as many as the bare chain gives."""


def _soap(tables: Tables) -> str:
    def ratio(method: str) -> str:
        return f"{tables.value('soap', 'gpt256', method, column='× optzoo.soap at that f'):.2f}"

    def compilation(method: str) -> str:
        return f"{tables.value('soap', method, column='trace and compile (s)'):.0f} s"

    def state(method: str) -> float:
        return tables.value("soap", method, column="state (B/param)")

    one_sided = "optzoo.soap, f = 10, one-sided"
    memory = state(one_sided) / state("optzoo.soap, f = 10")
    return f"""
        A step of `soap` on a transformer of 3.7 million parameters, refreshed every 10 calls:
        SOAP_JAX takes {ratio("SOAP_JAX, f = 10")} times as long, pytorch_optimizer's
        {ratio("pytorch_optimizer, f = 10")}, HeavyBall's {ratio("HeavyBall, f = 10")}; refreshed at
        every call SOAP_JAX takes {ratio("SOAP_JAX, f = 1")} times as long. 245 leaves compile in
        {compilation("optzoo.soap, f = 10")} (SOAP_JAX: {compilation("SOAP_JAX, f = 10")}).
        One-sided it takes {ratio(one_sided)} of the time and {memory:.2f} of the memory."""


def _language_model(tables: Tables) -> str:
    def three(method: str, column: str) -> str:
        rows = [f"{method}, f = {frequency}" for frequency in (1, 10, 100)]
        one, ten, hundred = (
            f"{tables.value('soap_language_model', row, column=column):.2f}" for row in rows
        )
        return f"{one}, {ten} and {hundred}"

    def share(method: str, column: str) -> float:
        return tables.value("soap_language_model", f"{method}, f = 10", column=column)

    fewer = 1 - share("SOAP", "iterations")
    sooner = 1 - share("SOAP", "wall clock")
    before = 1 - share("SOAP", "iterations") / share("Shampoo", "iterations")
    return f"""
        A small language model, 5 seeds, all learning rates tuned: to AdamW's final loss `soap`
        needs {three("SOAP", "iterations")} of AdamW's iterations (refreshed at every call, every
        10 and every 100 calls) and {three("SOAP", "wall clock")} of its wall clock; `shampoo`
        {three("Shampoo", "iterations")}, and {three("Shampoo", "wall clock")}. At f = 10 these are
        {fewer:.0%} fewer iterations and {sooner:.0%} less time than AdamW's, and {before:.0%} fewer
        iterations than Shampoo's. The paper's headline for f = 10: at least 40% and 35%, and about
        20%, by a fit of final losses over lengths of training, on models of 360 and 660 million
        parameters and batches of 2 million tokens. Ours is read off one curve, on 83 thousand
        parameters and batches of 4,096 characters; and at f = 1, where the paper finds SOAP and
        Shampoo level, ours is ahead."""


def _oracles(tables: Tables) -> str:
    def entries(names: str, column: str) -> list[float]:
        return [
            tables.value("oracles", f"`{name}`", "1,000,000", column=column)
            for name in names.split()
        ]

    def projections(names: str, form: str = ".0f") -> str:
        return _range(entries(names, "projection / oracle"), form)

    dear = projections("simplex unit_simplex l1_ball weighted_l1_ball")
    sparse = projections("hypersimplex k_sparse_polytope")
    cheap = projections("box linf_ball l2_ball spectral_norm_ball", ".1f")
    statements = entries(
        "group_lasso_ball hypersimplex k_norm_ball k_sparse_polytope k_support_ball l1_ball "
        "l2_ball lp_ball(1.5) ordered_weighted_l1_ball permutahedron simplex unit_simplex "
        "weighted_l1_ball",
        "NumPy or SciPy / oracle",
    )
    boxes = entries("box linf_ball", "NumPy or SciPy / oracle")
    return f"""
        At d = 10^6 a projection costs {dear} oracles on simplices and (weighted) l1 balls, {sparse}
        on the hypersimplex and k-sparse sets, {projections("nuclear_norm_ball")} on the
        nuclear-norm ball, {projections("spectrahedron")} on the spectrahedron, and {cheap} on
        boxes, l2 and spectral-norm balls. NumPy's statements of the vector oracles take
        {_range(statements, ".1f")} of the time of XLA's on CPUs; those of boxes
        {_range(boxes, ".1f")} times as long."""


def _range(values: list[float], form: str) -> str:
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} to {high}"


def _time_to_gap(tables: Tables) -> str:
    section = "frank_wolfe_time_to_gap"
    sizes = {"a9a": "a9a, 32561 × 123", "mushrooms": "mushrooms, 8124 × 112"}
    batches = {"a9a": 180, "mushrooms": 90}

    def ours(name: str) -> str:
        row = (sizes[name], f"optzoo, Sarah, b = {batches[name]}, float64")
        return f"{tables.value(section, *row, column='to gap 1e-3 (s)'):.2f} s on {name}"

    def best(gap: str) -> str:
        ratios = [tables.least(section, name, "copt", column=f"× ours to {gap}") for name in sizes]
        return " and ".join(f"{ratio:.1f}" for ratio in ratios)

    return f"""
        Logistic regression over the l1 ball of radius 10, to a Frank-Wolfe gap of 1e-3 in float64:
        `sarah_frank_wolfe` takes {ours("a9a")} and {ours("mushrooms")}; copt's stochastic
        Frank-Wolfe, at the best setting tried, takes {best("1e-3")} times as long. To 1e-2 the
        ratios are {best("1e-2")}."""


def replace_block(page: str, text: str) -> str:
    """The page with the block between the two marks replaced.

    Example:
        >>> replace_block(f"before {BEGIN} old {END} after", "new").count("new")
        1
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n\n{END}{after}"


def write_page() -> None:
    """Brings the page up to date with RESULTS.md."""
    text = highlights(Tables(RESULTS.read_text(encoding="utf-8")))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replace_block(page, text), encoding="utf-8")
