"""`vms bench playback`: the first picture at a random instant of weeks of many cameras, and how fast one goes backward.

The real gateway, in a process of its own, over a store with every row in its index. Before each look the system is told
to forget the files and the index, so that a look goes to the disk, as it does on a recorder whose memory holds a
thousandth of its disks. Beside it, in the same run: opening a file and reading the same bytes, which no program can do
without.

Meanwhile a shard records simulated cameras on the same disk: playback must not take one picture from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cameras.simulator.fleet import running_cameras
from cameras.simulator.spec import CameraSpec
from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from recorder.contract.status import StreamCondition
from recorder.node.client import ShardClient
from vms.app.bench.archive import MEGABITS_A_SECOND, BenchArchive, Place
from vms.app.bench.live import percentile
from vms.app.bench.player import Fetched, Tickets, bench_player, first_bytes_over_http
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

TARGET_MS: Final = 100
FILES: Final = 16
FILM_MINUTES: Final = 20
HTTP_BYTES: Final = 256 * 1024
HOUR_NS: Final = 3_600 * NS_PER_SECOND
RECORDED_CAMERAS: Final = 4
_START_S: Final = 30.0
_STOP_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class PlaybackBenchOptions:
    """How much lies in the store, how often to look, and on which disk (None: that of temporary files)."""

    cameras: int = 250
    days: float = 30.0
    looks: int = 400
    folder: Path | None = None


async def run_playback_bench(options: PlaybackBenchOptions) -> dict[str, Any]:
    """Measure; times in milliseconds. Raises VmsError when a process does not start."""
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="vms-bench-playback-") as name:
        folder = Path(name)
        dice = random.Random(20_260_101)  # noqa: S311 — the same looks in every run
        archive = BenchArchive(folder / "store", options.cameras, options.days, dice)
        begun = time.perf_counter()
        await asyncio.to_thread(archive.build, FILES)
        looks = await asyncio.to_thread(archive.random_places, 3 * options.looks)
        film = await asyncio.to_thread(_film, archive)
        built_s = time.perf_counter() - begun
        tickets = Tickets()
        pem = tickets.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        await asyncio.to_thread((folder / "ticket.pub").write_bytes, pem)
        async with _recording(folder) as recording, _gateway(folder) as port:
            await recording.begin()
            measured = await _look(archive, looks, tickets, port, dice)
            measured["throughput"] = await _wind(archive, film, tickets, port)
            measured["recording_meanwhile"] = await recording.result()
        size = (await asyncio.to_thread(archive.index_path.stat)).st_size
    return {
        "cameras": options.cameras,
        "days": options.days,
        "segments": options.cameras * archive.minutes,
        "index_bytes": size,
        "built_s": round(built_s, 1),
        "megabits_per_second": MEGABITS_A_SECOND,
        **measured,
        "target_ms": TARGET_MS,
        "target_met": measured["websocket"]["p95_ms"] < TARGET_MS and measured["http"]["p95_ms"] < TARGET_MS,
    }


def playback_text(result: dict[str, Any]) -> str:
    """The figures as a table in French."""
    size = f"{result['segments']} segments, index de {result['index_bytes'] / 1e9:.2f} Go"
    lines = [
        f"{result['cameras']} caméras, {result['days']:g} jours : {size}",
        f"{'première image, disque froid':32} {'50 %':>9} {'95 %':>9} {'99 %':>9}",
    ]
    labels = {
        "websocket": "WebSocket",
        "websocket_anew": "WebSocket, connexion comprise",
        "http": "HTTP, connexion comprise",
        "bare": "ouvrir et lire, sans plus",
    }
    for name, label in labels.items():
        found = result[name]
        lines.append(f"{label:32} {found['p50_ms']:6.1f} ms {found['p95_ms']:6.1f} ms {found['p99_ms']:6.1f} ms")
    for name, found in result["throughput"].items():
        lines.append(
            f"{name:32} {found['groups_per_s']:6.0f} groupes/s, {found['megabytes_per_s']:5.0f} Mo/s,"
            f" {found['times_real_time']:.0f} fois le temps réel"
        )
    meanwhile = result["recording_meanwhile"]
    lines.append(
        f"Enregistrement pendant ce temps : {meanwhile['gaps']} trou, {meanwhile['lost_packets']} paquet perdu."
    )
    lines.append(f"Objectif, 95 % sous {result['target_ms']} ms : {'tenu' if result['target_met'] else 'NON tenu'}.")
    return "\n".join(lines)


async def _look(
    archive: BenchArchive, looks: Sequence[Place], tickets: Tickets, port: int, dice: random.Random
) -> dict[str, Any]:
    """Looks by WebSocket, by HTTP and without the product, in turns, so that all meet the same machine."""
    kept, anew, over_http, bare = [], [], [], []
    groups: list[Fetched] = []
    async with bench_player(port) as player:
        for one, other, third in zip(looks[::3], looks[1::3], looks[2::3], strict=True):
            ticket = tickets.playback(one.camera_id, one.start_ns - HOUR_NS, one.end_ns + HOUR_NS)
            await _forget(archive, one)
            found = await player.fetch(ticket, _instant(one, dice), one.end_ns + HOUR_NS)
            kept.append(found.first_s)
            groups.append(found)
            await _forget(archive, other)
            bare.append(await asyncio.to_thread(_read_bare, other, found.size_bytes, dice))
            from_ns = _instant(third, dice)
            ticket = tickets.playback(third.camera_id, from_ns, third.end_ns)
            await _forget(archive, third)
            over_http.append(await first_bytes_over_http(port, ticket, from_ns, third.end_ns, HTTP_BYTES))
    for one in looks[::3]:
        ticket = tickets.playback(one.camera_id, one.start_ns - HOUR_NS, one.end_ns + HOUR_NS)
        await _forget(archive, one)
        begun = time.perf_counter()
        async with bench_player(port) as player:
            connected_s = time.perf_counter() - begun
            found = await player.fetch(ticket, _instant(one, dice), one.end_ns + HOUR_NS)
        anew.append(connected_s + found.first_s)
    floor = _percentiles(bare)
    return {
        "looks": len(kept),
        "group_bytes": round(sum(one.size_bytes for one in groups) / len(groups)),
        "websocket": _against(_percentiles(kept), floor),
        "websocket_anew": _against(_percentiles(anew), floor),
        "http": _against(_percentiles(over_http), floor),
        "bare": floor,
    }


async def _wind(archive: BenchArchive, film: Sequence[Place], tickets: Tickets, port: int) -> dict[str, Any]:
    """How fast a stretch of film is given whole, and by key frames, forward and backward."""
    start_ns, end_ns = film[0].start_ns, film[-1].end_ns
    found: dict[str, Any] = {}
    async with bench_player(port) as player:
        for name, backward, key_only in (
            ("forward_all", False, False),
            ("reverse_all", True, False),
            ("forward_key", False, True),
            ("reverse_key", True, True),
        ):
            for place in film:
                await _forget(archive, place)
            groups = size_bytes = 0
            at: int | None = end_ns - 1 if backward else start_ns
            begun = time.perf_counter()
            while at is not None:
                ticket = tickets.playback(film[0].camera_id, start_ns, end_ns)
                to_ns = start_ns if backward else end_ns
                part = await player.fetch(ticket, at, to_ns, backward=backward, key_only=key_only, limit=64)
                groups, size_bytes, at = groups + part.groups, size_bytes + part.size_bytes, part.next_ns
            elapsed_s = time.perf_counter() - begun
            found[name] = {
                "groups_per_s": round(groups / elapsed_s, 1),
                "megabytes_per_s": round(size_bytes / elapsed_s / 1e6, 1),
                "times_real_time": round((end_ns - start_ns) / NS_PER_SECOND / elapsed_s, 1),
            }
    return found


def _film(archive: BenchArchive) -> list[Place]:
    first = max(archive.minutes // 2 - FILM_MINUTES, 0)
    return archive.places([(0, first + minute) for minute in range(min(FILM_MINUTES, archive.minutes))])


async def _forget(archive: BenchArchive, place: Place) -> None:
    await asyncio.to_thread(archive.forget, archive.index_path)
    await asyncio.to_thread(archive.forget, place.path)


def _instant(place: Place, dice: random.Random) -> int:
    return dice.randrange(place.start_ns, place.end_ns - NS_PER_SECOND)


def _read_bare(place: Place, size: int, dice: random.Random) -> float:
    begun = time.perf_counter()
    descriptor = os.open(place.path, os.O_RDONLY)
    try:
        os.pread(descriptor, size, dice.randrange(max(os.fstat(descriptor).st_size - size, 1)))
    finally:
        os.close(descriptor)
    return time.perf_counter() - begun


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"p{percent}_ms": round(percentile(ordered, percent) * 1_000, 2) for percent in (50, 95, 99)}


def _against(found: dict[str, float], floor: dict[str, float]) -> dict[str, float]:
    ratios = {f"against_bare_{name}": round(found[f"{name}_ms"] / floor[f"{name}_ms"], 1) for name in ("p50", "p95")}
    return found | ratios


class _Recording:
    """A shard that records meanwhile, and what it lost."""

    def __init__(self, client: ShardClient, assignments: Sequence[CameraAssignment]) -> None:
        self._client = client
        self._assignments = assignments
        self._start_ns = 0
        self._before: dict[str, Any] = {}

    async def begin(self) -> None:
        """Wait until every camera is recorded, and count from there."""
        await self._client.assign(list(self._assignments))
        await _answers(self._all_live)
        self._start_ns = time.time_ns()
        self._before = await self._client.counters()

    async def _all_live(self) -> None:
        statuses = await self._client.statuses()
        if sum(one.condition is StreamCondition.LIVE for one in statuses) < len(self._assignments):
            raise ConnectionError("not every camera is live")

    async def result(self) -> dict[str, Any]:
        """Seconds, gaps in the ledger, packets and pictures lost since then."""
        after, end_ns = await self._client.counters(), time.time_ns()
        gaps = 0
        for assignment in self._assignments:
            timeline = await self._client.timeline(assignment.camera_id, self._start_ns, end_ns)
            gaps += len(timeline.gaps) + len(timeline.spans) - 1
        lost = {name: _sum(after, name) - _sum(self._before, name) for name in ("lost_packets", "connections", "units")}
        seconds = (end_ns - self._start_ns) / NS_PER_SECOND
        return {
            "cameras": len(self._assignments),
            "seconds": round(seconds, 1),
            "gaps": gaps,
            "lost_packets": lost["lost_packets"],
            "reconnections": lost["connections"],
            "frames_per_second_per_camera": round(lost["units"] / seconds / len(self._assignments), 2),
        }


@contextlib.asynccontextmanager
async def _recording(folder: Path) -> AsyncIterator[_Recording]:
    specs = [
        CameraSpec(name=f"Mesure {number}", http_port=0, rtsp_port=0, discovery_port=None, instant_key=True)
        for number in range(RECORDED_CAMERAS)
    ]
    path = folder / "shard.sock"
    async with (
        running_cameras(specs, SystemClock(), multicast=False) as cameras,
        _process("vms.app.bench.shard_process", str(folder / "recorded"), str(path)),
    ):
        client = ShardClient(path, timeout_s=20.0)
        try:
            await _answers(client.statuses)
            authorisation = RecordingAuthorisation("bench", 0, 4_000_000_000 * NS_PER_SECOND, 1)
            yield _Recording(
                client,
                [
                    CameraAssignment(
                        camera_id=new_id("cam"),
                        name=spec.name,
                        commune=f"{number:05d}",
                        streams=(StreamAddress(StreamRole.MAIN, camera.stream_url("main")),),
                        authorisation=authorisation,
                        username=spec.username,
                        password=spec.password,
                    )
                    for number, (spec, camera) in enumerate(zip(specs, cameras, strict=True))
                ],
            )
        finally:
            await client.close()


@contextlib.asynccontextmanager
async def _gateway(folder: Path) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    arguments = str(folder / "store"), str(port), str(folder / "gateway.sock"), str(folder / "ticket.pub")

    async def connected() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    async with _process("vms.app.bench.gateway_process", *arguments):
        await _answers(connected)
        yield port


@contextlib.asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answers(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask until there is an answer. Raises VmsError `bench.no_answer`."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            await ask()
        except (VmsError, OSError):
            if time.monotonic() > deadline:
                raise VmsError(ErrorKind.INTERNAL, "bench.no_answer", "Un processus mesuré n'a pas démarré.") from None
            await asyncio.sleep(0.05)
        else:
            return


def _sum(counters: dict[str, Any], name: str) -> int:
    return sum(stream[name] for stream in counters["streams"])
