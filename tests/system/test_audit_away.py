"""The access log is away: nobody sees anything, everything is recorded, and afterwards all is as before."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.demo_process import Client, Demo, copied, running_demo, small_department, until, vms
from tests.system.watching import bytes_on_disk, played_pictures, utc_ns

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SENTENCE = "Le journal des accès ne répond pas : aucune image ne peut être montrée."


@pytest.fixture(scope="module")
def demo(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("away")
    copied(recorded, folder)
    with running_demo(folder, config=small_department(folder)) as running:
        with running.client() as client:
            until(lambda: records(client), 30, "recording")
        yield running


@contextmanager
def the_writer_holds_its_breath(demo: Demo) -> Iterator[None]:
    demo.signal("audit-writer", signal.SIGSTOP)
    try:
        yield
    finally:
        demo.signal("audit-writer", signal.SIGCONT)


def records(client: Client) -> bool:
    """Whether every camera is being recorded again."""
    return all(len(client.timeline(camera["id"])["spans"]) > 1 for camera in client.cameras())


def last_recorded_ns(client: Client, camera_id: str) -> int:
    return max(utc_ns(span["end"]) for span in client.timeline(camera_id)["spans"])


def opens(client: Client, camera_id: str) -> bool:
    return client.open_live(camera_id).status_code == 200


def verify(demo: Demo) -> None:
    verified = vms("audit", "verify", "--data", str(demo.data))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "Le journal est intègre." in verified.stdout


def test_nothing_is_shown_and_everything_is_recorded_while_the_log_is_away(demo: Demo):
    """LAW-26: no picture without its entry; recording depends on nobody."""
    with demo.client() as client:
        camera_id = client.cameras()[0]["id"]
        start = client.timeline(camera_id)["spans"][0]["start"]
        assert opens(client, camera_id)
        with the_writer_holds_its_breath(demo):
            recorded_ns, on_disk = last_recorded_ns(client, camera_id), bytes_on_disk(demo.data)
            end = client.timeline(camera_id)["spans"][-1]["end"]
            for refused in (client.open_live(camera_id), client.open_playback(camera_id, start, end)):
                assert refused.status_code == 503
                answer = refused.json()
                assert (answer["code"], answer["message"]) == ("audit.unavailable", SENTENCE)
                assert answer["hint"]
                assert "ticket" not in refused.text.replace(answer["hint"], "")
            assert client.http.get("/api/health").json() == {"status": "degraded", "database": True, "viewing": False}
            until(lambda: last_recorded_ns(client, camera_id) >= recorded_ns + 2_000_000_000, 30, "recording")
            assert bytes_on_disk(demo.data) > on_disk
            assert {camera["status"]["condition"] for camera in client.cameras()} == {"live"}
        until(lambda: opens(client, camera_id), 15, "viewing again")
        assert played_pictures(demo, client, camera_id, start, 1.0) > 0
    verify(demo)


def test_a_log_that_dies_again_and_again_forgets_no_look_that_was_granted(demo: Demo):
    """LAW-26: each ticket that came back has its entry, whatever happened to the writer around it."""
    granted: dict[int, str] = {}
    with demo.client() as client:
        camera_id = client.cameras()[0]["id"]
        for _ in range(3):
            before = demo.numbers()["audit-writer"]
            demo.signal("audit-writer", signal.SIGKILL)
            deadline = time.monotonic() + 20
            while demo.numbers()["audit-writer"] == before or not granted_look(client, camera_id, granted):
                assert time.monotonic() < deadline, "viewing did not come back"
        assert len(granted) >= 3
    with demo.client("dpo") as reader:
        entries = reader.http.get("/api/audit/entries", params={"limit": 200}).raise_for_status().json()["entries"]
    written = {entry["index"]: entry["leaf"] for entry in entries}
    assert granted.items() <= written.items()
    verify(demo)


def granted_look(client: Client, camera_id: str, granted: dict[int, str]) -> bool:
    """Ask to see a camera; note the receipt of a look that was granted, and see that a refusal is the log's."""
    answer = client.open_live(camera_id)
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (503, "audit.unavailable")
        return False
    receipt = answer.json()["sessions"][0]["receipt"]
    granted[receipt["index"]] = receipt["leaf"]
    return True
