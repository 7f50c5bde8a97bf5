"""A camera that is set to another picture while it plays: nothing is lost, and a player finds both."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av

from cameras.simulator.film import Film
from cameras.simulator.spec import H265_FILE, MAIN_FILE, SUB_FILE
from tests.recorder.ingest.hostile import SDP, shake_hands
from tests.recorder.ingest.receiving import receiving
from tests.recorder.ingest.wire import serving
from tests.recorder.node.shards import camera_assignment, running_shard, until_recorded
from vms.media.packetise import interleave_access_unit
from vms.media.parameter_sets import check_parameters

FRAME_S = 0.04
PICTURES = 25


@contextlib.asynccontextmanager
async def changing_camera(*paths: Path, codec: str = "H264") -> AsyncIterator[str]:
    """A camera that plays a second of each film, one after the other, over one session; then the first again."""
    films = [await asyncio.to_thread(Film.load, path) for path in paths]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await shake_hands(reader, writer, SDP.replace(b"H264", codec.encode()))
            sequence = 65_000
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            for count, (film, number) in enumerate(_turns(films)):
                plan = film.plan(number)
                timestamp = 900_000 + count * round(FRAME_S * 90_000)
                writer.write(interleave_access_unit(plan, sequence=sequence, timestamp=timestamp, ssrc=9))
                sequence = (sequence + plan.packet_count) & 0xFFFF
                await asyncio.sleep(max(0.0, begun_s + count * FRAME_S - loop.time()))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async with serving(serve) as port:
        yield f"rtsp://127.0.0.1:{port}/main"
    for film in films:
        film.close()


async def test_another_resolution_in_the_middle_of_a_stream_loses_no_picture():
    async with changing_camera(SUB_FILE, MAIN_FILE) as url, receiving(url) as receiver:
        await receiver.collector.until_units(2 * PICTURES + 5)
        units = [dated.unit for dated in receiver.collector.units]
        counters = receiver.ingest.counters
    widths = [check_parameters(unit.parameters).width for unit in units]
    assert widths[:PICTURES] == [352] * PICTURES
    assert widths[PICTURES : 2 * PICTURES] == [768] * PICTURES
    assert units[PICTURES].key
    assert (counters.connections, counters.lost_packets, counters.damaged_units) == (1, 0, 0)
    assert len(receiver.collector.runs) == 1


async def test_both_pictures_are_recorded_each_in_its_own_segment_and_without_a_gap(tmp_path: Path):
    async with changing_camera(SUB_FILE, MAIN_FILE) as url, running_shard(tmp_path, segment_seconds=60) as client:
        assignment = camera_assignment(url)
        await client.assign([assignment])
        timeline = await until_recorded(client, assignment.camera_id, 1.6)
        assert timeline.gaps == ()
    assert {352, 768} <= set(await asyncio.to_thread(_widths, tmp_path))


async def test_a_whole_h265_stream_without_parameter_sets_in_its_offer():
    async with changing_camera(H265_FILE, codec="H265") as url, receiving(url) as receiver:
        await receiver.collector.until_units(PICTURES)
        assert check_parameters(receiver.collector.units[0].unit.parameters).width == 768
        assert receiver.ingest.counters.damaged_units == 0


def _turns(films: list[Film]) -> Iterator[tuple[Film, int]]:
    for film in itertools.cycle(films):
        for number in range(PICTURES):
            yield film, number


def _widths(folder: Path) -> list[int]:
    """The width of each segment, as a player finds it."""
    found = []
    for path in folder.rglob("*.mp4"):
        with av.open(str(path)) as segment:
            found += [frame.width for frame in itertools.islice(segment.decode(video=0), 1)]
    return found
