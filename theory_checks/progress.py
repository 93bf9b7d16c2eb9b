# SPDX-License-Identifier: Apache-2.0
"""How far a run has come: a bar on a terminal, a line a claim otherwise."""

import math
import sys
import time
from typing import Any

__all__ = ["RunProgress"]


class RunProgress:
    """A bar on a terminal, a line a claim otherwise."""

    def __init__(self, total: int, done: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, initial=done, unit="check", disable=not sys.stderr.isatty())
        self._total, self._done, self._before = total, done, done
        self._begun = time.monotonic()

    def __enter__(self) -> "RunProgress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def detail(self, line: str) -> None:
        self._bar.set_postfix_str(line[:60])

    def say(self, line: str) -> None:
        """Prints a line, above the bar where there is one."""
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)

    def claim_finished(self, claim: dict[str, Any]) -> None:
        controls = claim["controls"]
        killed = sum(control["killed"] for control in controls)
        self._line(claim, claim["verdict"], f"controls {killed}/{len(controls)}")

    def side_by_side_finished(self, beside: dict[str, Any]) -> None:
        self._line(beside, "side by side", f"panels {len(beside['panels'])}")

    def _line(self, found: dict[str, Any], outcome: str, detail: str) -> None:
        self._done += 1
        line = (
            f"[{self._done}/{self._total}] {outcome:<12} {found['id']} "
            f"({detail}, {found['seconds']:.1f} s){self._rest()}"
        )
        self._bar.update()
        self.say(line)

    def _rest(self) -> str:
        """An estimate of the time to come, a guess until a tenth is finished.

        A bar has one of its own.
        """
        finished, left = self._done - self._before, self._total - self._done
        if not self._bar.disable or not left:
            return ""
        how = "about" if 10 * finished >= finished + left else "perhaps"
        seconds = (time.monotonic() - self._begun) * left / finished
        return f", {how} {math.ceil(seconds / 60)} min left"
