"""A gateway with one shard that the test leads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.recorder.gateways import RunningGateway, running_gateway
from tests.recorder.live.fake_shard import FakeShard, fake_shard
from vms.base.clock import SystemClock


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "shard.sock"


@pytest.fixture
async def shard(socket: Path) -> AsyncIterator[FakeShard]:
    async with fake_shard(socket) as running:
        yield running


@pytest.fixture
async def node(tmp_path: Path, socket: Path, shard: FakeShard) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, SystemClock(), shards=[socket]) as running:
        yield running
