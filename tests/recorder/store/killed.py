"""Cycles of a store that end by a real `kill -9` at a given file-system call.

`python -m tests.recorder.store.killed BEFORE FOLDER TURN...` runs one cycle a turn in a process of its own, over a copy
of the store BEFORE in FOLDER/<turn>, and prints `turn <turn> <calls> <signal>` for each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.recorder.store.recordings import film
from tests.recorder.store.test_faults import NEVER, START_NS, Faults, cycle, under
from vms.base.clock import NS_PER_SECOND, ManualClock


class Killing(Faults):
    """Ends this very process at the call number `turn`, before or after it was done."""

    def __init__(self, turn: int, *, after: bool) -> None:
        super().__init__(NEVER, None)
        self._at = turn
        self._after = after

    def around(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            with self._guard:
                self.calls.append(name)
                last = len(self.calls) == self._at
            if last and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = real(*arguments, **options)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return call


def run(folder: Path, turn: int) -> int:
    """The cycle, in this process; the number of calls when it is not killed."""
    faults = Killing(turn // 2 + 1, after=turn % 2 == 1)
    clock = ManualClock(START_NS + 90_000 * NS_PER_SECOND)
    with under(faults):
        asyncio.run(cycle(folder, clock))
    return len(faults.calls)


def main(before: Path, place: Path, turns: list[int]) -> None:
    film()
    for turn in turns:
        folder = place / str(turn)
        shutil.copytree(before, folder)
        child = os.fork()
        if child == 0:
            try:
                calls = run(folder, turn)
                (place / f"{turn}.calls").write_text(str(calls))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        told = (place / f"{turn}.calls").read_text() if (place / f"{turn}.calls").exists() else "0"
        print("turn", turn, told, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), list(map(int, sys.argv[3:])))
