"""A hold from the console to the disk and back, through kills, over the whole product."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.demo_process import Client, Demo, copied, running_demo, small_department, until, vms
from vms.base.clock import NS_PER_SECOND, utc_text

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

RECORDED_S = 12.0


@pytest.fixture(scope="module")
def demo(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A small demonstration that goes on from a recorded one."""
    folder = tmp_path_factory.mktemp("holds")
    copied(recorded, folder)
    with running_demo(folder, config=small_department(folder)) as running:
        running.wait_until_recorded(RECORDED_S)
        yield running


def hold_of(client: Client, hold_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.http.get(f"/api/holds/{hold_id}").raise_for_status().json()
    return answer


def kinds(hold: dict[str, Any]) -> list[str]:
    return [step["kind"] for step in hold["steps"]]


def test_a_hold_survives_kills_and_ends_by_two_persons(demo: Demo) -> None:
    """LAW-10: kept by the node alone, found again by the centre, and let go of by two named persons."""
    with demo.client("superviseur") as first, demo.client("adjointe") as second:
        camera = first.cameras()[0]["id"]
        now_ns = time.time_ns()
        wanted = {
            "camera": camera,
            "from": utc_text(now_ns - 8 * NS_PER_SECOND),
            "to": utc_text(now_ns - 3 * NS_PER_SECOND),
            "expires": utc_text(now_ns + 30 * 86_400 * NS_PER_SECOND),
            "reference": "15127/00324/2026",
            "authority": "OPJ Claude Martin",
            "basis": "flagrance",
        }
        placed = first.post("/api/holds", wanted).raise_for_status().json()
        assert (placed["state"], placed["warning"]) == ("placed", "")
        assert placed["held"]["bytes"] > 0
        assert placed["held"]["from"] <= placed["from"]
        for name in ("shard-0", "centre"):
            demo.kill_and_wait_until_back(name)
        until(lambda: hold_of(first, placed["id"])["state"] == "placed", what="the hold")
        assert kinds(hold_of(first, placed["id"])) == ["hold.placed", "hold.confirmed"]
        path = f"/api/holds/{placed['id']}/release"
        assert first.post(path, {"reason": "Classement sans suite"}).json()["state"] == "release_asked"
        assert first.post(f"{path}/confirm", {}).json()["code"] == "hold.same_person"
        assert second.post(f"{path}/confirm", {}).raise_for_status().json()["state"] == "released"
        until(lambda: hold_of(first, placed["id"])["node_told"], what="the release at the node")
        assert first.http.get("/api/holds").json() == first.http.get("/api/holds").json() | {
            "holds": [],
            "strangers": [],
        }


def test_the_command_line_certifies_a_day(demo: Demo, tmp_path: Path) -> None:
    """LAW-09: of a day on which nothing was recorded, the certificate says so, with a page to print."""
    with demo.client() as client:
        camera = client.cameras()[0]["id"]
    page = tmp_path / "certificat.html"
    place = ("--data", str(demo.data))
    done = vms("recorder", "certificate", camera, "--day", "2026-01-05", "--html", str(page), *place)
    assert done.returncode == 0, done.stderr
    assert "Aucune image n'a été enregistrée ce jour-là" in done.stdout
    assert "<style>" in page.read_text(encoding="utf-8")
    unknown = vms("recorder", "certificate", "cam-x", "--day", "2026-01-05", *place)
    assert (unknown.returncode, "n'existe pas" in unknown.stderr) == (4, True)
    disks = vms("recorder", "capacity", "--json", *place)
    assert disks.returncode in {0, 1, 7}
    assert '"required_days"' in disks.stdout
