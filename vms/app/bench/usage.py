"""What a process has used, from `/proc`: processor seconds and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds (user and system) since the process began, and its resident bytes."""

    cpu_s: float
    resident_bytes: int


def usage_of(pid: int) -> Usage:
    """The usage of one process. Raises OSError when it is gone."""
    # The name, in brackets, may hold spaces: fields are counted from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND, int(fields[21]) * _PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one process in bytes: its share of the machine's, and what it holds alone, of no file."""

    proportional_bytes: int
    anonymous_bytes: int


def memory_of(pid: int) -> Memory:
    """The memory of one process; its resident bytes for both where the system does not tell more.

    Raises OSError when it is gone.
    """
    resident = usage_of(pid).resident_bytes
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return Memory(resident, resident)
    told = {words[0]: int(words[1]) * 1024 for line in lines if len(words := line.split()) == 3}
    return Memory(told.get("Pss:", resident), told.get("Anonymous:", resident))


def usage_of_all(pids: Iterable[int]) -> Usage:
    """The usage of several processes together."""
    usages = [usage_of(pid) for pid in pids]
    return Usage(sum(usage.cpu_s for usage in usages), sum(usage.resident_bytes for usage in usages))
