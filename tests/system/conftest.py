"""What the system tests share: one installation that has recorded a little, of which each takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.demo_process import Demo, small_department

RECORDED_S = 2.0


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a small demonstration that has recorded a little and was stopped in order."""
    folder = tmp_path_factory.mktemp("recorded")
    demo = Demo(folder / "data", config=small_department(folder))
    try:
        demo.start()
        demo.wait_until_recorded(RECORDED_S)
    finally:
        assert demo.stop() == 0
    return demo.data
