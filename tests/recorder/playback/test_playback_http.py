"""Playback as a browser asks for it: one HTTP answer under a lease."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.recorder.footage import footage, shown
from tests.recorder.gateways import ORIGIN, RunningGateway, running_gateway, until
from tests.recorder.playback.archive import START_NS, Archive
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.media.fmp4 import reader_of
from vms.media.fmp4.boxes import boxes_between

END_NS = START_NS + 3_600 * NS_PER_SECOND
HEADERS = {"Origin": ORIGIN}


@pytest.fixture
async def browser(node: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.url, headers=HEADERS, timeout=5, trust_env=False) as client:
        yield client


def bearer(ticket: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ticket}"}


def split(body: bytes) -> tuple[bytes, bytes]:
    """The init segment and the rest; every box of the body must be whole."""
    boxes = list(boxes_between(reader_of(body), 0, len(body)))
    assert [box.kind for box in boxes[:2]] == [b"ftyp", b"moov"]
    assert {box.kind for box in boxes[2:]} <= {b"moof", b"mdat"}
    return body[: boxes[1].end], body[boxes[1].end :]


async def test_a_ticket_plays_its_range(node: RunningGateway, archive: Archive, browser: httpx.AsyncClient) -> None:
    await asyncio.to_thread(archive.record, START_NS, 40)
    answer = await browser.get(
        f"/playback?from={START_NS}&to={END_NS}", headers=bearer(node.centre.playback(START_NS, END_NS))
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("video/mp4")
    assert answer.headers["x-media-start-ns"] == str(START_NS)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "x-media-start-ns" in answer.headers["access-control-expose-headers"]
    assert answer.headers["cache-control"] == "no-store"
    init, media = split(answer.content)
    assert len(shown(init, [media])) == 40
    (use,) = node.gateway._book.uses()
    await until(lambda: use.cause == "closed")
    assert use.sent_bytes == len(answer.content)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"age_s": 20}, 403, "ticket.expired"),
        ({"act": "live"}, 403, "ticket.act"),
        ({"start_ns": START_NS + 1}, 403, "ticket.range"),
        ({"end_ns": END_NS - 1}, 403, "ticket.range"),
        ({"camera_id": "cam-other"}, 404, "playback.nothing_recorded"),
    ],
)
async def test_a_ticket_that_does_not_cover_what_is_asked_shows_nothing(
    node: RunningGateway,
    archive: Archive,
    browser: httpx.AsyncClient,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """LAW-18: the camera is the ticket's, never the request's."""
    await asyncio.to_thread(archive.record, START_NS, 40)
    claims = {"start_ns": START_NS, "end_ns": END_NS, **changes}
    ticket = node.centre.ticket(**claims) if "act" in changes else node.centre.playback(**claims)
    answer = await browser.get(f"/playback?from={START_NS}&to={END_NS}", headers=bearer(ticket))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.json()["hint"]


@pytest.mark.parametrize("authorisation", ["", "Bearer", "Basic YTpi", "Bearer forged.ticket"])
async def test_nothing_is_shown_without_a_ticket(
    archive: Archive, browser: httpx.AsyncClient, authorisation: str
) -> None:
    await asyncio.to_thread(archive.record, START_NS, 40)
    answer = await browser.get(f"/playback?from={START_NS}&to={END_NS}", headers={"Authorization": authorisation})
    assert answer.status_code in {401, 403}


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"from={START_NS}",
        f"from={END_NS}&to={START_NS}",
        f"from={START_NS}&to={START_NS}",
        f"from=-1&to={END_NS}",
        f"from=1e9&to={END_NS}",
        f"from=%D9%A1&to={END_NS}",
        f"from=0&to={'9' * 19}",
        f"from=0&to={'9' * 30}",
        f"from={START_NS}&to={END_NS}&camera=cam-other",
        f"from={START_NS}&from=0&to={END_NS}",
        f"from=../../etc/passwd&to={END_NS}",
        "&".join(f"x{n}=1" for n in range(50)),
    ],
)
async def test_a_range_of_another_shape_is_refused(
    node: RunningGateway, browser: httpx.AsyncClient, query: str
) -> None:
    answer = await browser.get(f"/playback?{query}", headers=bearer(node.centre.playback(0, (1 << 63) - 1)))
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("path", ["/", "/playback/../etc/passwd", "/playback/", "/live", "/index.sqlite", "//playback"])
async def test_there_are_no_other_pages(node: RunningGateway, browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert (await browser.delete("/playback")).status_code == 404


async def test_a_browser_may_ask_first_and_another_page_may_not(node: RunningGateway) -> None:
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with httpx.AsyncClient(base_url=node.url, trust_env=False) as client:
        for path in ("/playback?from=1&to=2", "/playback/renew"):
            answer = await client.options(path, headers={**HEADERS, **asks})
            assert answer.status_code == 204
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert answer.headers["access-control-allow-headers"] == "authorization, content-type, if-range, range"
            assert answer.headers["vary"] == "origin"
            for origin in ("http://evil.example", "null", f"{ORIGIN}0"):
                answer = await client.options(path, headers={**asks, "Origin": origin})
                assert answer.status_code == 403
                assert "access-control-allow-origin" not in answer.headers
        answer = await client.get(
            "/playback?from=1&to=2", headers={"Origin": "http://evil.example", **bearer(node.centre.playback(1, 2))}
        )
        assert answer.json()["code"] == "origin.foreign"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no TLS here\r\n\r\n",
        b"GET /playback HTTP/1.1\r\n" + b"X: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /playback HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /play\x00back HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /playback/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzzzzz\r\n",
        b"POST /playback/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + b"a" * 9_000,
        b"POST /playback/renew HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_request_gets_a_short_answer_and_the_door(node: RunningGateway, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.gateway.port)
    writer.write(raw)
    async with asyncio.timeout(3):
        answer = await reader.read()
    writer.close()
    assert answer.split(b" ")[1][:1] == b"4"
    assert len(answer) < 1_000


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"ticket":7}', b"[" * 5_000, b'{"other":""}'])
async def test_a_renewal_of_another_shape_is_refused(browser: httpx.AsyncClient, body: bytes) -> None:
    assert (await browser.post("/playback/renew", content=body)).status_code == 422


class Reading:
    """A raw client that reads when the test says so, so that the answer is held back by the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def rest(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.read()


async def begin_reading(node: RunningGateway, ticket: str) -> Reading:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.gateway.port, limit=4_096)
    head = f"GET /playback?from={START_NS}&to={END_NS} HTTP/1.1", "Host: node", "Connection: close"
    writer.write("\r\n".join((*head, f"Authorization: Bearer {ticket}", "", "")).encode())
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
    return Reading(reader, writer)


def record_much(archive: Archive) -> None:
    film = footage("street_768x576_h264.mp4")
    for number in range(12):
        archive.record(START_NS + number * 300 * NS_PER_SECOND, len(film.pictures), per_fragment=8, film=film)


async def test_a_revoked_playback_ends_within_a_second_even_when_the_browser_is_stuck(
    node: RunningGateway, archive: Archive
) -> None:
    """LAW-17."""
    await asyncio.to_thread(record_much, archive)
    reading = await begin_reading(node, node.centre.playback(START_NS, END_NS))
    begun = time.monotonic()
    assert (await node.control(op="revoke", sessions=["view-1"]))["ended"] == 1
    await reading.rest()
    assert time.monotonic() - begun < 1
    reading.writer.close()
    (use,) = (await node.control(op="sessions"))["sessions"]
    assert use["cause"] == "revoked"
    again = await begin_reading(node, node.centre.playback(START_NS, END_NS))
    assert b'"code":"revoked"' in await again.rest()
    again.writer.close()


async def test_a_reader_that_takes_nothing_is_waited_for_and_costs_no_memory(
    node: RunningGateway, archive: Archive
) -> None:
    await asyncio.to_thread(record_much, archive)
    reading = await begin_reading(node, node.centre.playback(START_NS, END_NS))
    sent = -1
    while sent != (sent := node.gateway._book.uses()[0].sent_bytes):  # noqa: ASYNC110 -- until it stands still
        await asyncio.sleep(0.1)
    total = sum(path.stat().st_size for path in archive.folder.glob("media/*/*/*.mp4"))
    assert sent < total / 2
    reading.writer.close()
    await reading.writer.wait_closed()


async def test_a_playback_lives_as_long_as_its_lease_is_renewed(tmp_path: Path, archive: Archive) -> None:
    await asyncio.to_thread(record_much, archive)
    clock = ManualClock()
    async with running_gateway(tmp_path, clock, stores=[archive.folder]) as node:
        reading = await begin_reading(node, node.centre.playback(START_NS, END_NS))
        async with httpx.AsyncClient(base_url=node.url, headers=HEADERS, trust_env=False) as client:
            for _ in range(4):
                await clock.advance(6)
                ticket = node.centre.playback(START_NS, END_NS)
                answer = await client.post("/playback/renew", json={"ticket": ticket})
                assert (answer.status_code, answer.json()) == (200, {"streams": 1})
            ticket = node.centre.playback(START_NS, END_NS, camera_id="cam-other")
            answer = await client.post("/playback/renew", json={"ticket": ticket})
            assert answer.json() == {"streams": 0}
        await clock.advance(11)
        await reading.rest()
        reading.writer.close()
        (use,) = (await node.control(op="sessions"))["sessions"]
        assert use["cause"] == "lease_expired"


async def test_an_answer_whose_lease_ends_while_it_is_read_ends_between_two_fragments(
    node: RunningGateway, archive: Archive
) -> None:
    await asyncio.to_thread(record_much, archive)
    ticket = node.centre.playback(START_NS, END_NS)
    async with (
        httpx.AsyncClient(base_url=node.url, timeout=5, trust_env=False) as client,
        client.stream("GET", f"/playback?from={START_NS}&to={END_NS}", headers=bearer(ticket)) as answer,
    ):
        body = bytearray()
        with contextlib.suppress(httpx.RemoteProtocolError):
            async for piece in answer.aiter_raw():
                if not body:
                    await node.control(op="revoke", sessions=["view-1"])
                body += piece
    assert len(body) < int(answer.headers["content-length"])
    split(bytes(body))


async def test_so_many_playbacks_run_at_a_time_and_no_more(tmp_path: Path, archive: Archive) -> None:
    await asyncio.to_thread(record_much, archive)
    async with running_gateway(tmp_path, ManualClock(), stores=[archive.folder], max_playback_streams=2) as node:
        first = [await begin_reading(node, node.centre.playback(START_NS, END_NS, f"view-{n}")) for n in range(2)]
        third = await begin_reading(node, node.centre.playback(START_NS, END_NS, "view-3"))
        assert b"playback.busy" in await third.rest()
        first[0].writer.transport.abort()
        await until(lambda: node.gateway._playback._streams == 1)
        fourth = await begin_reading(node, node.centre.playback(START_NS, END_NS, "view-4"))
        for reading in [*first[1:], third, fourth]:
            reading.writer.transport.abort()
