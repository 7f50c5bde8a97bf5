"""Stills and strips through the real gateway and the real stills process."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from recorder.contract.ticket import MediaAct
from recorder.live.stills import KEPT_BYTES, StillCache
from tests.cameras.simulator.wire import until
from tests.recorder.decoding.readers import DecodingProcess, running
from tests.recorder.gateways import ORIGIN, RunningGateway, running_gateway
from tests.recorder.playback.archive import START_NS, Archive
from vms.base.clock import NS_PER_SECOND, ManualClock, SystemClock

END_NS = START_NS + 3_600 * NS_PER_SECOND


@pytest.fixture
async def stills(tmp_path: Path) -> AsyncIterator[DecodingProcess]:
    async with running(tmp_path / "stills.sock", "stills", "run_stills") as process:
        yield process


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = await asyncio.to_thread(Archive, tmp_path / "store")
    yield archive
    archive.close()


@pytest.fixture
async def node(tmp_path: Path, archive: Archive) -> AsyncIterator[RunningGateway]:
    stores = [archive.folder]
    socket = tmp_path / "stills.sock"
    async with running_gateway(tmp_path, SystemClock(), stores=stores, stills_socket=socket) as running_node:
        yield running_node


@pytest.fixture
async def browser(node: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.url, headers={"Origin": ORIGIN}, timeout=15, trust_env=False) as client:
        yield client


def bearer(node: RunningGateway, **changes: object) -> dict[str, str]:
    claims: dict[str, Any] = {"act": MediaAct.PLAYBACK, "roles": (), "start_ns": START_NS, "end_ns": END_NS, **changes}
    return {"Authorization": f"Bearer {node.centre.ticket(**claims)}"}


def size_of(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg)) as image:
        stream = image.streams.video[0]
        return stream.width, stream.height


async def test_a_still_is_the_key_frame_at_or_before(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient, stills: DecodingProcess
):
    """LAW-06: nothing of it comes on a disk."""
    await asyncio.to_thread(archive.record_as_shard, START_NS, 40)
    before = set(archive.folder.rglob("*"))
    pictures = archive.film.pictures[:39]
    last = next(picture for picture in reversed(pictures) if picture.key)
    key_ns = START_NS + (last.presentation_90k - pictures[0].presentation_90k) * 100_000 // 9
    at_ns = key_ns + NS_PER_SECOND // 50
    answer = await browser.get(f"/still?at={at_ns}&width=320", headers=bearer(node))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-still-at-ns" in answer.headers["access-control-expose-headers"]
    assert abs(int(answer.headers["x-still-at-ns"]) - key_ns) < 1_000_000
    assert key_ns > START_NS
    assert size_of(answer.content)[0] == 320
    (use,) = node.gateway._book.uses()
    assert use.sent_bytes == len(answer.content)
    assert set(archive.folder.rglob("*")) == before


async def test_a_strip_gives_each_key_frame_once_and_leaves_gaps_out(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient, stills: DecodingProcess
):
    await asyncio.to_thread(archive.record, START_NS, 40)
    await asyncio.to_thread(archive.record, START_NS + 60 * NS_PER_SECOND, 40)
    answer = await browser.get(
        f"/strip?from={START_NS}&to={START_NS + 90 * NS_PER_SECOND}&count=60&width=160", headers=bearer(node)
    )
    assert answer.status_code == 200
    found = answer.json()["stills"]
    instants = [int(one["at"]) for one in found]
    assert instants == sorted(set(instants))
    assert instants[0] == START_NS
    assert not [one for one in instants if START_NS + 10 * NS_PER_SECOND < one < START_NS + 60 * NS_PER_SECOND]
    assert instants[-1] >= START_NS + 60 * NS_PER_SECOND
    assert {size_of(base64.b64decode(one["jpeg"]))[0] for one in found} == {160}


async def test_the_rounded_start_of_a_recording_has_a_still(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient, stills: DecodingProcess
):
    await asyncio.to_thread(archive.record, START_NS + 700_000, 40)
    answer = await browser.get(f"/still?at={START_NS}", headers=bearer(node))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "changes", "status", "code"),
    [
        (f"/still?at={START_NS}", {"age_s": 20}, 403, "ticket.expired"),
        (f"/still?at={START_NS}", {"act": MediaAct.LIVE}, 403, "ticket.act"),
        (f"/still?at={START_NS - 1}", {}, 403, "ticket.range"),
        (f"/still?at={END_NS}", {}, 403, "ticket.range"),
        (f"/still?at={START_NS}", {"camera_id": "cam-other"}, 404, "playback.nothing_recorded"),
        (f"/still?at={START_NS + 600 * NS_PER_SECOND}", {}, 404, "playback.nothing_recorded"),
        (f"/still?at={START_NS}&width=9000", {}, 422, "request.invalid"),
        ("/still?at=-1", {}, 422, "request.invalid"),
        (f"/strip?from={START_NS}&to={END_NS}&count=61", {}, 422, "request.invalid"),
        (f"/strip?from={START_NS}&to={START_NS}&count=1", {}, 422, "request.invalid"),
        (f"/strip?from={START_NS}&to={END_NS + 1}&count=2", {}, 403, "ticket.range"),
    ],
)
async def test_what_no_ticket_covers_is_not_decoded(
    node: RunningGateway,
    archive: Archive,
    browser: httpx.AsyncClient,
    path: str,
    changes: dict[str, object],
    status: int,
    code: str,
):
    """LAW-18: a still is a consultation like playback, under the same ticket."""
    await asyncio.to_thread(archive.record, START_NS, 40)
    answer = await browser.get(path, headers=bearer(node, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_without_a_ticket_there_is_nothing(node: RunningGateway, browser: httpx.AsyncClient):
    answer = await browser.get(f"/still?at={START_NS}")
    assert (answer.status_code, answer.json()["code"]) == (401, "ticket.missing")


async def test_without_the_process_a_still_is_refused_and_playback_goes_on(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient
):
    await asyncio.to_thread(archive.record, START_NS, 40)
    answer = await browser.get(f"/still?at={START_NS}", headers=bearer(node))
    assert (answer.status_code, answer.json()["code"]) == (503, "stills.unavailable")
    assert "enregistrement" in answer.json()["hint"]
    played = await browser.get(f"/playback?from={START_NS}&to={END_NS}", headers=bearer(node))
    assert played.status_code == 200


async def test_a_revoked_session_leaves_no_still_in_memory(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient, stills: DecodingProcess
):
    """LAW-06, LAW-17."""
    await asyncio.to_thread(archive.record, START_NS, 40)
    headers = bearer(node)
    assert (await browser.get(f"/still?at={START_NS}", headers=headers)).status_code == 200
    cache = node.gateway._stills.cache
    assert len(cache) == 1
    await node.control(op="revoke", sessions=["view-1"])
    assert len(cache) == 0
    answer = await browser.get(f"/still?at={START_NS}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "revoked")


async def test_a_still_is_forgotten_after_a_minute_and_belongs_to_its_session():
    """LAW-06."""
    clock = ManualClock(START_NS)
    cache = StillCache(clock)
    cache.keep("view-1", "seg/0", 160, b"jpeg")
    assert cache.get("view-1", "seg/0", 160) == b"jpeg"
    assert cache.get("view-2", "seg/0", 160) is None
    assert cache.get("view-1", "seg/0", 320) is None
    await clock.advance(61)
    assert cache.get("view-1", "seg/0", 160) is None
    assert cache.size_bytes == 0
    for number in range(5):
        cache.keep("view-1", str(number), 160, bytes(KEPT_BYTES // 4))
    assert len(cache) == 4


async def test_a_picture_that_cannot_be_decoded_ends_nothing_else(
    node: RunningGateway, archive: Archive, browser: httpx.AsyncClient, stills: DecodingProcess
):
    """The key frame of a damaged file is overwritten by noise; the next request is served."""
    segment = await asyncio.to_thread(archive.record, START_NS, 40)
    await asyncio.to_thread(archive.record, START_NS + 60 * NS_PER_SECOND, 40)
    await asyncio.to_thread(_overwrite, archive.folder / segment.file, archive.film.pictures[0].data)
    headers = bearer(node)
    answer = await browser.get(f"/still?at={START_NS}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "still.undecodable")
    good = await browser.get(f"/still?at={START_NS + 60 * NS_PER_SECOND}", headers=headers)
    assert good.status_code == 200
    await until(lambda: not stills.workers())


def _overwrite(path: Path, picture: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(picture, bytes(len(picture)), 1))
