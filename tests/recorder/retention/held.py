"""Holds and held footage for the tests of retention."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from recorder.contract.hold import Hold
from recorder.retention.eraser import STEP_PAUSE_S
from recorder.store.groups import read_groups
from recorder.store.segment import StoredSegment
from tests.recorder.store.recordings import CAMERA
from vms.base.clock import NS_PER_SECOND, ManualClock

T = TypeVar("T")
DAY_S = 86_400


async def through_pauses(clock: ManualClock, work: Awaitable[T]) -> T:
    """Await something whose pauses are of the manual clock, which moves on by as little as possible."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await clock.advance(STEP_PAUSE_S)
        await asyncio.sleep(0.005)
    return await task


def hold_of(
    start_ns: int, end_ns: int, placed_at_ns: int, *, days: float = 90, camera_id: str = CAMERA, number: int = 1
) -> Hold:
    """A hold of these images for so many days."""
    return Hold(
        hold_id=f"hold-{number:026d}",
        camera_id=camera_id,
        start_ns=start_ns,
        end_ns=end_ns,
        placed_at_ns=placed_at_ns,
        expires_at_ns=placed_at_ns + round(days * DAY_S * NS_PER_SECOND),
        reference="PV 2026/118",
        authority="Officier de police judiciaire, BR Évreux",
        legal_basis="CPP 60-1",
    )


def samples_of(folder: Path, segment: StoredSegment) -> list[tuple[int, bytes]]:
    """When each picture of a file is presented (UTC nanoseconds), and its bytes, in the order of decoding."""
    path = folder / segment.file
    content = path.read_bytes()
    found = []
    for fragment in read_groups(path, segment.start_ns).fragments:
        offset, decode_90k = fragment.media_offset, fragment.index.decode_time_90k
        for sample in fragment.samples:
            shown_90k = decode_90k + sample.composition_offset_90k
            shown_ns = segment.start_ns + shown_90k * NS_PER_SECOND // 90_000
            found.append((shown_ns, content[offset : offset + sample.size]))
            offset += sample.size
            decode_90k += sample.duration_90k
    return found
