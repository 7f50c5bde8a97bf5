from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.run import mutations
from tests.fuzz.targets import TARGETS

INPUTS = 400
SECONDS = int(os.environ.get("VMS_FUZZ_SECONDS", "60"))


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_raise_only_what_is_promised(name: str):
    target = TARGETS[name]
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)
    rng = random.Random(27)
    for seed in seeds:
        for _, data in zip(range(1 + INPUTS // len(seeds)), mutations(seed, rng), strict=False):
            target.run(data)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_hostile_bytes_guided_by_coverage(name: str, tmp_path: Path):
    """Without a crash, a hang or unbounded memory: the fuzzer ends a run with another code than 0 for each of these."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", name, str(SECONDS), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
