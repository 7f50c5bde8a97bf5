"""What the allocator is told."""

from __future__ import annotations

import subprocess
import sys

_FREED = """
from pathlib import Path
from vms.base.memory import keep_freed_memory

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_memory()
pictures = [bytes(100_000) for _ in range(500)]
held = resident()
del pictures
print(held - resident())
"""


def test_memory_that_is_given_back_is_kept_for_the_next_picture():
    given_back = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, check=True).stdout
    assert int(given_back) < 5_000_000
