"""A gateway over one store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.recorder.gateways import RunningGateway, running_gateway
from tests.recorder.playback.archive import Archive
from vms.base.clock import SystemClock


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "store")
    yield archive
    archive.close()


@pytest.fixture
async def node(tmp_path: Path, archive: Archive) -> AsyncIterator[RunningGateway]:
    empty = await asyncio.to_thread(Archive, tmp_path / "empty")
    await asyncio.to_thread(empty.close)
    stores = [empty.folder, archive.folder]
    async with running_gateway(tmp_path, SystemClock(), stores=stores) as running:
        yield running
