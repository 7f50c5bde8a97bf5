from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.recorder.decoding.readers import DecodingProcess, running


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[DecodingProcess]:
    async with running(tmp_path / "reader.sock", "reader", "run_reader") as process:
        yield process
