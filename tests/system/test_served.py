"""What a whole system serves is what its log says was watched, and a gateway that served more is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.system.demo_process import Demo, copied, running_demo, small_department, until, vms
from tests.system.watching import played_pictures

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(180)]
TAMPERED = 8


@pytest.fixture(scope="module")
def demo(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("served")
    copied(recorded, folder)
    with running_demo(folder, config=small_department(folder)) as running:
        yield running


def compared(demo: Demo, code: int = 0) -> dict[str, Any]:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    result = vms("audit", "compare", "--day", today, "--json", "--data", str(demo.data))
    assert result.returncode == code, result.stdout + result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_what_was_watched_is_explained_and_a_planted_view_is_not(demo: Demo):
    """LAW-25: measured by the gateway, compared with the log."""
    with demo.client() as client:
        camera = client.cameras()[0]["id"]
        start = client.timeline(camera)["spans"][0]["start"]
        assert played_pictures(demo, client, camera, start, 2) > 0
        until(lambda: compared(demo)["views"] > 0, 30, "what was served")
    found = compared(demo)
    assert found["bytes"] > 0
    assert found["unexplained"] == []
    (file,) = (demo.data / "node" / "served").glob("*.jsonl")
    view = json.loads(file.read_text().split("\n")[0]) | {"session_id": "view-planted"}
    with file.open("a") as lines:
        lines.write(json.dumps(view) + "\n")
    (planted,) = compared(demo, TAMPERED)["unexplained"]
    assert (planted["session_id"], planted["cause"]) == ("view-planted", "no_entry")
