"""Looking at what is recorded: by a player over HTTP with a ticket, and in the files themselves."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import av
import httpx

from tests.system.demo_process import Client, Demo

NS_PER_US = 1_000


def utc_ns(text: str) -> int:
    """The instant that the API has written."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) * NS_PER_US


def bytes_on_disk(data: Path) -> int:
    """What the recorder of a demonstration has put on the disk."""
    return sum(path.stat().st_size for path in (data / "node").rglob("*.mp4"))


def closed_segments(data: Path) -> list[Path]:
    """The files of closed segments."""
    return sorted((data / "node").glob("shard-*/media/**/*.mp4"))


def pictures_in(source: Path | bytes) -> int:
    """How many pictures a decoder makes of it."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "r") as container:
        return sum(1 for _ in container.decode(video=0))


def played_pictures(demo: Demo, client: Client, camera_id: str, start: str, seconds: float) -> int:
    """How many pictures a person gets who plays back so many seconds of a camera."""
    end = (datetime.fromisoformat(start) + timedelta(seconds=seconds)).isoformat()
    opened = client.open_playback(camera_id, start, end)
    assert opened.status_code == 200, opened.text
    answer = httpx.get(
        f"http://localhost:{demo.media_port}/playback",
        params={"from": utc_ns(start), "to": utc_ns(end)},
        headers={"Authorization": f"Bearer {opened.json()['ticket']}", "Origin": demo.console_url},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    return pictures_in(answer.content)
