"""Draws docs/worst_case.png: theorem, exact worst case and hardest run of Frank-Wolfe.

`python docs/worst_case.py docs/worst_case.png`; needs the extra `pep`.
"""

import sys

import jax
import numpy as np
from matplotlib.figure import Figure

import optzoo
from optzoo import plots
from optzoo.theorems.frank_wolfe import F3, Sarah
from theory_checks.worst_case import pep

HORIZONS = (1, 2, 3, 4, 5)


def main(target: str) -> None:
    """Computes the three curves, prints and draws them."""
    jax.config.update("jax_enable_x64", True)
    rule = optzoo.open_loop_schedule(2.0)
    over = pep.OverSet(pep.SmoothConvex(L=1.0), diameter=1.0)
    worst, runs = [], []
    for steps in HORIZONS:
        found = pep.worst_case(lambda C: optzoo.frank_wolfe(C, rule), over, steps=steps)
        worst.append(found.value)
        runs.append(pep.attained(found, pep.worst_problem(found)))
    # Full gradients: Sarah's theorem at p = 1. The first step forgets the start.
    constants = Sarah(L=1.0, L_pm=0.0, D=1.0, p=1.0, nu=0.0, r_0=1.0)
    bound = F3.bound(constants, [float(rule(k)) for k in range(HORIZONS[-1])])[1:]
    curves = {
        "theorem (F3 without noise)": bound,
        "exact worst case of the code": worst,
        "hardest run of the code": runs,
    }
    for name, values in curves.items():
        print(f"{name:30}", np.round(values, 4))
    with plots.style():
        figure = Figure(figsize=(5.2, 3.2), dpi=160)
        ax = figure.add_subplot()
        looks = (("bound", "--", "s"), ("ink", ":", "^"), ("mean", "-", "o"))
        for (label, values), (colour, dashes, marker) in zip(curves.items(), looks, strict=True):
            look = {"color": plots.COLOURS[colour], "linestyle": dashes, "marker": marker}
            ax.plot(HORIZONS, values, label=label, **look)
        ax.set_xticks(HORIZONS)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("step k")
        ax.set_ylabel("$f(x^k) - f^*$, L = D = 1")
        ax.legend()
        figure.tight_layout()
        figure.savefig(target)


if __name__ == "__main__":
    main(sys.argv[1])
