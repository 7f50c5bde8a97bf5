"""Real coded pictures for tests: the access units of the project's footage, as a shard sends them."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import av

from cameras.simulator.spec import SUB_FILE
from vms.media.access_unit import ParameterSets
from vms.media.fmp4 import reader_of
from vms.media.mp4_file import read_track

B_FRAMES_FILE = SUB_FILE.with_name("street_384x288_b_frames.mp4")


@dataclass(frozen=True, slots=True)
class Picture:
    """One access unit in decoding order, `presentation_90k` counted from the start of the file."""

    presentation_90k: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Footage:
    """A short film. `group` is the number of pictures from one key frame to the next."""

    parameters: ParameterSets
    width: int
    height: int
    pictures: tuple[Picture, ...]

    @property
    def interval_90k(self) -> int:
        times = sorted(picture.presentation_90k for picture in self.pictures[:30])
        return times[1] - times[0]

    @property
    def group(self) -> int:
        keys = [number for number, picture in enumerate(self.pictures) if picture.key]
        return keys[1] - keys[0]


@functools.cache
def footage(name: str = SUB_FILE.name) -> Footage:
    data = SUB_FILE.with_name(name).read_bytes()
    track = read_track(reader_of(data), len(data))
    pictures = tuple(
        Picture(
            sample.presentation_time * 90_000 // track.timescale,
            sample.key,
            data[sample.offset : sample.offset + sample.size],
        )
        for sample in track.samples
    )
    return Footage(track.parameters, track.width, track.height, pictures)


def shown(init: bytes, fragments: list[bytes]) -> list[int]:
    """The presentation times (90 kHz) of the pictures that a decoder makes of this, without an error."""
    with av.open(io.BytesIO(init + b"".join(fragments)), "r", format="mp4") as container:
        frames = list(container.decode(video=0))
        assert {(frame.width, frame.height) for frame in frames} == {
            (container.streams.video[0].width, container.streams.video[0].height)
        }
    return [frame.pts for frame in frames if frame.pts is not None]
