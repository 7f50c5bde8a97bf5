"""`vms bench ingest`: what recording a camera costs, against the way most recorders do it.

N cameras of any RTSP server are recorded by the real shard, in a process of its own, with digests and index. After
everything has started, processor time is read from `/proc/PID/stat` of that one process at the beginning and the end
of the measurement. The references record the same cameras afterwards, for as long, and are measured in the same way:
`ffmpeg` is N processes `ffmpeg -c copy -f segment`; `c` is one program that only receives and writes (see `floor`),
once at each arrival and once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from recorder.contract.status import StreamCondition
from recorder.node.client import ShardClient
from vms.app.bench.floor import floor_usage
from vms.app.bench.recorded import holes_ms
from vms.app.bench.usage import MIB, Usage, usage_of, usage_of_all
from vms.base import durable
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

START_SECONDS = 60.0
SETTLE_SECONDS = 6.0
STOP_SECONDS = 15.0
WRITTEN_WITHIN_NS = 10 * NS_PER_SECOND
"""What is newer may still wait for the wheel or for the disk."""
FFMPEG, FLOOR = "ffmpeg", "c"


@dataclass(frozen=True, slots=True)
class IngestBenchOptions:
    """What to measure. `{i}` in `url` is replaced by the number of the camera, from 1; it may hold credentials.

    `folder` receives the recordings, in a folder of its own that is removed afterwards.
    """

    url: str
    cameras: int
    seconds: float = 30.0
    baseline: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    folder: Path | None = None

    def camera_url(self, number: int) -> str:
        """The address of one camera, without credentials."""
        return _without_credentials(self.url.replace("{i}", str(number)))


async def run_ingest_bench(options: IngestBenchOptions) -> dict[str, Any]:
    """Measure, and return the figures as a JSON object. Raises VmsError when the cameras do not come."""
    options = _with_credentials_of_url(options)
    references = _references(options.baseline)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="vms-bench-", dir=options.folder))
    try:
        result: dict[str, Any] = {
            "cameras": options.cameras,
            "seconds": options.seconds,
            "vms": await _measure_shard(options, folder),
        }
        ours = result["vms"]["cpu_percent_per_camera"]
        if FFMPEG in references:
            result["baseline"] = await _measure_ffmpeg(options, folder)
            result["cpu_ratio"] = _ratio(ours, result["baseline"])
        if FLOOR in references:
            for name, on_arrival in (("c_on_arrival", True), ("c_paced", False)):
                result[name] = await _measure_floor(options, folder, on_arrival=on_arrival)
                result[f"cpu_ratio_{name}"] = _ratio(ours, result[name])
    finally:
        await asyncio.to_thread(_clean, folder)
    return result


async def _measure_shard(options: IngestBenchOptions, folder: Path) -> dict[str, Any]:
    async with _running_shard(folder) as (pid, client):
        empty = await asyncio.to_thread(usage_of, pid)
        assignments = [_assignment(options, number) for number in range(1, options.cameras + 1)]
        await client.assign(assignments)
        await _all_live(client, options.cameras)
        await asyncio.sleep(SETTLE_SECONDS)
        started_ns = time.time_ns()
        counters_before = await client.counters()
        before = await asyncio.to_thread(usage_of, pid)
        await asyncio.sleep(options.seconds)
        after = await asyncio.to_thread(usage_of, pid)
        counters_after = await client.counters()
        until_ns = time.time_ns() - WRITTEN_WITHIN_NS
        timelines = [await client.timeline(one.camera_id, started_ns, until_ns) for one in assignments]
    recorded = await asyncio.to_thread(_recorded_bytes, folder)
    lost, units, received, connections = (
        _difference(counters_before, counters_after, name)
        for name in ("lost_packets", "units", "received_bytes", "connections")
    )
    return {
        **_cost(before, after, options, empty.resident_bytes),
        "empty_process_mib": round(empty.resident_bytes / MIB, 1),
        "frames": units,
        "frames_per_second_per_camera": round(units / options.seconds / options.cameras, 2),
        "megabits_per_second_per_camera": round(received * 8 / options.seconds / options.cameras / 1e6, 3),
        "lost_packets": lost,
        "lost_packets_since_start": sum(stream["lost_packets"] for stream in counters_after["streams"]),
        "reconnections": connections,
        "recording_gap_ms": sum(map(holes_ms, timelines)),
        "recorded_bytes": recorded,
    }


async def _measure_ffmpeg(options: IngestBenchOptions, folder: Path) -> dict[str, Any]:
    processes: list[asyncio.subprocess.Process] = []
    try:
        processes += [await _start_ffmpeg(options, number, folder) for number in range(1, options.cameras + 1)]
        await _all_writing(folder, options.cameras)
        await asyncio.sleep(SETTLE_SECONDS)
        pids = [process.pid for process in processes]
        before = await asyncio.to_thread(usage_of_all, pids)
        await asyncio.sleep(options.seconds)
        after = await asyncio.to_thread(usage_of_all, pids)
    except (ProcessLookupError, FileNotFoundError):
        raise VmsError(ErrorKind.CAMERA, "bench.baseline_failed", "Un processus ffmpeg s'est arrêté.") from None
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in processes))
    return {
        **_cost(before, after, options, 0),
        "command": "ffmpeg -rtsp_transport tcp -i URL -c copy -f segment",
    }


async def _measure_floor(options: IngestBenchOptions, folder: Path, *, on_arrival: bool) -> dict[str, Any]:
    urls = [options.camera_url(number) for number in range(1, options.cameras + 1)]
    before, after = await floor_usage(
        urls, options.username, options.password, folder, options.seconds, on_arrival=on_arrival
    )
    return _cost(before, after, options, 0)


def _references(names: str) -> set[str]:
    references = {name.strip() for name in names.split(",") if name.strip()}
    if references - {FFMPEG, FLOOR} or (FFMPEG in references and shutil.which("ffmpeg") is None):
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "bench.no_baseline",
            "Les références connues sont ffmpeg, qui doit être installé, et c, qui demande un compilateur.",
            hint="Installez ce qui manque, ou retirez --baseline.",
        )
    return references


def _ratio(ours: float, reference: dict[str, Any]) -> float | None:
    theirs = reference["cpu_percent_per_camera"]
    return round(ours / theirs, 3) if theirs else None


def _cost(before: Usage, after: Usage, options: IngestBenchOptions, base_bytes: int) -> dict[str, Any]:
    cpu_s = after.cpu_s - before.cpu_s
    return {
        "cpu_percent": round(cpu_s / options.seconds * 100, 2),
        "cpu_percent_per_camera": round(cpu_s / options.seconds * 100 / options.cameras, 4),
        "memory_mib_per_camera": round((after.resident_bytes - base_bytes) / MIB / options.cameras, 2),
    }


@contextlib.asynccontextmanager
async def _running_shard(folder: Path) -> AsyncIterator[tuple[int, ShardClient]]:
    socket = folder / "shard.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vms.app.bench.shard_process", str(folder / "shard"), str(socket)
    )
    client = ShardClient(socket, timeout_s=20.0)
    try:
        await _answering(client, process)
        yield process.pid, client
    finally:
        await client.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answering(client: ShardClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await client.statuses()
            except VmsError:
                if process.returncode is not None:
                    raise VmsError(
                        ErrorKind.INTERNAL, "bench.shard_failed", "L'enregistreur mesuré n'a pas démarré."
                    ) from None
                await asyncio.sleep(0.05)
            else:
                return


async def _all_live(client: ShardClient, cameras: int) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        statuses = await client.statuses()
        live = sum(status.condition is StreamCondition.LIVE for status in statuses)
        if live == cameras:
            return
        if asyncio.get_running_loop().time() > deadline:
            causes = sorted({status.cause for status in statuses if status.cause})
            raise VmsError(
                ErrorKind.CAMERA,
                "bench.cameras_missing",
                f"Seules {live} caméras sur {cameras} envoient des images ({', '.join(causes) or 'sans réponse'}).",
                hint="Vérifiez l'adresse, le mot de passe et la capacité du serveur RTSP.",
            )
        await asyncio.sleep(0.2)


async def _start_ffmpeg(options: IngestBenchOptions, number: int, folder: Path) -> asyncio.subprocess.Process:
    url = options.camera_url(number)
    if options.username:
        parts = urlsplit(url)
        account = f"{quote(options.username, safe='')}:{quote(options.password, safe='')}"
        url = urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))
    target = folder / f"ffmpeg-{number}-%05d.mp4"
    arguments = ["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy"]
    arguments += ["-f", "segment", "-segment_time", "60", "-segment_format", "mp4", "-reset_timestamps", "1"]
    return await asyncio.create_subprocess_exec(
        "ffmpeg", *arguments, str(target), stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
    )


async def _all_writing(folder: Path, cameras: int) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await asyncio.to_thread(_ffmpeg_files, folder) >= cameras:
            return
        await asyncio.sleep(0.5)
    raise VmsError(ErrorKind.CAMERA, "bench.baseline_failed", "ffmpeg ne reçoit pas toutes les caméras.")


def _assignment(options: IngestBenchOptions, number: int) -> CameraAssignment:
    # Cameras of one address share a link; here each is its own, as the links are not what is measured.
    return CameraAssignment(
        camera_id=new_id("cam"),
        name=f"bench {number}",
        commune=f"{number:05d}",
        streams=(StreamAddress(StreamRole.MAIN, options.camera_url(number)),),
        authorisation=RecordingAuthorisation("bench", 0, 4_000_000_000 * 1_000_000_000, 1),
        username=options.username,
        password=options.password,
    )


def _with_credentials_of_url(options: IngestBenchOptions) -> IngestBenchOptions:
    parts = urlsplit(options.url)
    if not parts.username or options.username:
        return options
    return IngestBenchOptions(
        options.url,
        options.cameras,
        options.seconds,
        options.baseline,
        unquote(parts.username),
        unquote(parts.password or ""),
        options.folder,
    )


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _difference(before: dict[str, Any], after: dict[str, Any], name: str) -> int:
    first, last = (sum(int(stream[name]) for stream in counters["streams"]) for counters in (before, after))
    return last - first


def _recorded_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "shard").rglob("*.mp4"))


def _ffmpeg_files(folder: Path) -> int:
    return len(list(folder.glob("ffmpeg-*.mp4")))


def _clean(folder: Path) -> None:
    """Remove what this measurement wrote: its own files in its own folder, and nothing that counts."""
    for root, _, _ in os.walk(folder, topdown=False):
        for path in Path(root).iterdir():
            path.rmdir() if path.is_dir() else durable.remove(path)
    folder.rmdir()
