"""The access log is away, in each way in which it can be: nobody sees or changes anything, everything is recorded, and
when it is back all is as before, by itself.

- killed       `kill -9`, and nobody starts it again for a while
- stopped      it is there and does nothing
- full         its disk takes no byte more
- partitioned  a connection is taken and nothing comes of it, and those made then never lead anywhere
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulated import PASSWORD, USERNAME
from tests.system.demo_process import BASE, Client, Demo, copied, running_demo, small_department, until, vms
from tests.system.watching import bytes_on_disk, played_pictures, utc_ns
from tests.writer_faults import Away, Silence, filled, no_byte_more, small_disk, stopped
from vms.app.demonstration.cameras import expected_cameras
from vms.app.settings import DemonstrationSettings
from vms.base.clock import NS_PER_SECOND, utc_text

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SENTENCES = dict.fromkeys(Away, "Le journal des accès ne répond pas : aucune image ne peut être montrée.") | {
    Away.FULL: "Le journal des accès ne peut plus écrire sur son disque : aucune image ne peut être montrée."
}
REFUSED_WITHIN_S = 5.0
RECOVERED_WITHIN_S = 10.0
LOG_DISK_MB = 32


@dataclass
class Installation:
    """A demonstration, and whether its log has a small disk of its own."""

    demo: Demo
    own_disk: bool
    stack: ExitStack


@pytest.fixture(scope="module")
def installation(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("away")
    with ExitStack() as stack:
        own_disk = stack.enter_context(small_disk(folder / "data" / "audit", LOG_DISK_MB))
        copied(recorded, folder)
        demo = stack.enter_context(running_demo(folder, config=small_department(folder)))
        with demo.client() as client:
            until(lambda: records(client), 30, "recording")
        yield Installation(demo, own_disk, stack)


@contextmanager
def away(how: Away, place: Installation) -> Iterator[None]:
    """The log is away for the length of the block."""
    demo = place.demo
    number = demo.numbers()["audit-writer"]
    if how is Away.KILLED:
        with stopped(demo.numbers()["supervisor"]):  # which would start it again at once
            os.kill(number, signal.SIGKILL)
            yield
    elif how is Away.PARTITIONED:
        silence = Silence(demo.data / "run" / "audit.sock")
        place.stack.callback(silence.close)
        for name in ("centre", "shard-0"):  # those who are connected already would not notice
            demo.kill_and_wait_until_back(name)
        until(lambda: silence.taken >= 2, 20, "the connections of centre and recorder")
        yield
        silence.step_aside()
    elif how is Away.STOPPED:
        with stopped(number):
            yield
    else:
        with filled(demo.data / "audit") if place.own_disk else no_byte_more(number):
            yield


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


def hold_wanted(camera_id: str) -> dict[str, Any]:
    now_ns = time.time_ns()
    return {
        "camera": camera_id,
        "from": utc_text(now_ns - 8 * NS_PER_SECOND),
        "to": utc_text(now_ns - 3 * NS_PER_SECOND),
        "expires": utc_text(now_ns + 30 * 86_400 * NS_PER_SECOND),
        "reference": "15127/00324/2026",
        "authority": "OPJ Claude Martin",
        "basis": "flagrance",
    }


def onboard(demo: Demo) -> tuple[int, str]:
    """Onboard a camera again, at the command line; its exit code and what it says."""
    settings = DemonstrationSettings(communes=2, cameras=4, base=BASE)
    camera = expected_cameras(settings)[0]
    given = [
        "--name",
        camera.name,
        "--commune",
        camera.place.commune,
        "--installer",
        "per-test",
        "--username",
        USERNAME,
    ]
    environment = {**os.environ, "VMS_CAMERA_PASSWORD": PASSWORD}
    done = vms(
        "cameras", "onboard", f"{camera.address}:{camera.http_port}", *given, "--data", str(demo.data), env=environment
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


Acts = dict[str, Callable[[], httpx.Response]]


def acts_of(demo: Demo, stack: ExitStack) -> Acts:
    """What waits for its entry: looks, holds, rights and the journal itself, each by a person who may."""
    operator, second, supervisor, reader = (
        stack.enter_context(demo.client(login)) for login in ("operatrice", "operatrice", "superviseur", "dpo")
    )
    camera_id = operator.cameras()[0]["id"]
    start = operator.timeline(camera_id)["spans"][0]["start"]
    end = utc_text(utc_ns(start) + NS_PER_SECOND)
    people = supervisor.http.get("/api/people").raise_for_status().json()["people"]
    gendarme = next(person["id"] for person in people if person["login"] == "gendarme")
    assert supervisor.post(f"/api/people/{gendarme}/suspend", {}).is_success
    return {
        "live": lambda: operator.open_live(camera_id),
        "playback": lambda: second.open_playback(camera_id, start, end),
        "hold": lambda: supervisor.post("/api/holds", hold_wanted(camera_id)),
        "restore": lambda: supervisor.post(f"/api/people/{gendarme}/restore", {}),
        "journal": lambda: reader.http.get("/api/audit/entries", params={"limit": 200}),
    }


def suspended_since(journal: dict[str, Any], since_ns: int) -> bool:
    """Whether the journal has a suspension since an instant."""
    entries = journal["entries"]
    return any(entry["kind"] == "account.suspended" and utc_ns(entry["at"]) > since_ns for entry in entries)


def timed(act: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
    began = time.monotonic()
    answer = act()
    return time.monotonic() - began, answer


def refused_in_time(how: Away, acts: Acts, pool: ThreadPoolExecutor) -> None:
    """Each act is refused with the same sentence, and with what to do."""
    tried = {name: pool.submit(timed, act) for name, act in acts.items()}
    for name, future in tried.items():
        seconds, answer = future.result()
        assert answer.status_code == 503, (name, answer.text)
        told = answer.json()
        assert (told["code"], told["message"]) == ("audit.unavailable", SENTENCES[how]), name
        assert "prévenez l'exploitant" in told["hint"].lower(), name
        assert "ticket" not in answer.text, name
        assert seconds < REFUSED_WITHIN_S, (name, seconds)


def back_by_itself(acts: Acts, pool: ThreadPoolExecutor) -> None:
    """Each act succeeds again within the time, counted for all together."""
    began = time.monotonic()

    def again(act: Callable[[], httpx.Response]) -> None:
        until(lambda: act().is_success, RECOVERED_WITHIN_S)

    for future in [pool.submit(again, act) for act in acts.values()]:
        future.result()
    assert time.monotonic() - began < RECOVERED_WITHIN_S


IN_ORDER = [
    pytest.param(Away.PARTITIONED, marks=pytest.mark.long),
    Away.FULL,
    pytest.param(Away.STOPPED, marks=pytest.mark.long),
    pytest.param(Away.KILLED, marks=pytest.mark.long),
]


@pytest.mark.parametrize("how", IN_ORDER)
def test_while_the_log_is_away_nothing_is_shown_or_changed_and_everything_is_recorded(
    how: Away, installation: Installation
):
    """LAW-10, LAW-14, LAW-17, LAW-25, LAW-26: no act without its entry; recording and suspending wait for nobody."""
    demo = installation.demo
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        acts = acts_of(demo, stack)
        watcher, supervisor = stack.enter_context(demo.client()), stack.enter_context(demo.client("superviseur"))
        camera_id = watcher.cameras()[0]["id"]
        start = watcher.timeline(camera_id)["spans"][0]["start"]
        look = watcher.open_live(camera_id).json()["sessions"][0]
        people = supervisor.http.get("/api/people").json()["people"]
        mayor = next(person["id"] for person in people if person["login"] == "maire")
        acts["renewal"] = lambda: watcher.post("/api/live-sessions/renew", {"sessions": [look["session_id"]]})
        with away(how, installation):
            recorded_ns, on_disk = last_recorded_ns(watcher, camera_id), bytes_on_disk(demo.data)
            away_ns = time.time_ns()
            onboarding = pool.submit(onboard, demo)
            until(lambda: acts["live"]().status_code == 503, 10, "the first refusal")  # a last page may have room
            refused_in_time(how, acts, pool)
            assert supervisor.post(f"/api/people/{mayor}/suspend", {}).status_code == 204
            assert watcher.http.get("/api/health").json() == {"status": "degraded", "database": True, "viewing": False}
            code, said = onboarding.result()
            assert (code, SENTENCES[how] in said) == (6, True), said
            until(lambda: last_recorded_ns(watcher, camera_id) >= recorded_ns + 2 * NS_PER_SECOND, 30, "recording")
            assert bytes_on_disk(demo.data) > on_disk
            assert {camera["status"]["condition"] for camera in watcher.cameras()} == {"live"}
        acts.pop("renewal")  # its lease has ended meanwhile
        back_by_itself(acts, pool)
        assert played_pictures(demo, watcher, camera_id, start, 1.0) > 0
        until(lambda: suspended_since(acts["journal"]().json(), away_ns), RECOVERED_WITHIN_S, "the entry that was owed")
        assert onboard(demo)[0] == 0
        assert supervisor.post(f"/api/people/{mayor}/restore", {}).is_success
    verify(demo)


def test_a_log_that_dies_again_and_again_forgets_no_look_that_was_granted(installation: Installation):
    """LAW-26: each ticket that came back has its entry, whatever happened to the writer around it."""
    demo = installation.demo
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
