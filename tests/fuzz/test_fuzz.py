from __future__ import annotations

import random

import pytest

from tests.fuzz.run import fuzz, mutations
from tests.fuzz.targets import TARGETS

INPUTS = 400


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_raise_only_what_is_promised(name: str):
    target, seed = TARGETS[name]
    target(seed)
    for count, data in enumerate(mutations(seed, random.Random(27))):
        target(data)
        if count >= INPUTS:
            return


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_hostile_bytes(name: str):
    assert fuzz(name, 60.0, random.Random()) > 1_000
