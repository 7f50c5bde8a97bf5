"""Real footage as fragments of one access unit, made by PyAV: a writer that shares nothing with the product's own."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import av

TIMESCALE = 90_000
FOOTAGE = Path(__file__).parents[3] / "cameras" / "simulator" / "footage"


@dataclass(frozen=True, slots=True)
class Piece:
    """One `moof` + `mdat`; `time_at` is where its 64-bit decode time stands. Times are 90 kHz."""

    data: bytes
    time_at: int
    start_90k: int
    duration_90k: int
    key: bool

    def dated(self, start_90k: int) -> bytes:
        """The fragment with another decode time."""
        data = bytearray(self.data)
        struct.pack_into(">Q", data, self.time_at, start_90k)
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Film:
    """A looped film."""

    init: bytes
    pieces: tuple[Piece, ...]
    duration_90k: int
    mime: str
    width: int
    height: int

    def index_at(self, position_90k: int) -> int:
        """The piece that is shown at a position of the loop."""
        position = position_90k % self.duration_90k
        for index, piece in enumerate(self.pieces):
            if piece.start_90k + piece.duration_90k > position:
                return index
        return len(self.pieces) - 1

    def key_before(self, index: int) -> int:
        """The key frame at or before a piece."""
        while not self.pieces[index].key:
            index -= 1
        return index


def load_film(name: str) -> Film:
    """A film of the simulator's footage, every access unit in a fragment of its own."""
    target = io.BytesIO()
    durations: list[int] = []
    keys: list[bool] = []
    with av.open(str(FOOTAGE / name)) as source:
        stream = source.streams.video[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        options = {
            "movflags": "frag_every_frame+empty_moov+default_base_moof+skip_trailer",
            "video_track_timescale": str(TIMESCALE),
        }
        with av.open(target, "w", format="mp4", options=options) as sink:
            copy = sink.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is None:
                    continue
                durations.append(round(float((packet.duration or 0) * packet.time_base) * TIMESCALE))
                keys.append(packet.is_keyframe)
                packet.stream = copy
                sink.mux(packet)
    return _cut(target.getvalue(), durations, keys, width, height)


def _cut(data: bytes, durations: list[int], keys: list[bool], width: int, height: int) -> Film:
    init, fragments = b"", []
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind in {b"ftyp", b"moov"}:
            init += data[start:end]
        elif kind == b"moof":
            fragments.append(data[start:end])
        elif kind == b"mdat":
            fragments[-1] += data[start:end]
    pieces, at = [], 0
    for fragment, duration, key in zip(fragments, durations, keys, strict=True):
        pieces.append(Piece(fragment, fragment.index(b"tfdt") + 8, at, duration, key))
        at += duration
    avcc = init.index(b"avcC") + 4
    return Film(init, tuple(pieces), at, f'video/mp4; codecs="avc1.{init[avcc + 1 : avcc + 4].hex()}"', width, height)


def _boxes(data: bytes, at: int, end: int) -> list[tuple[bytes, int, int]]:
    found = []
    while at + 8 <= end:
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], at, at + size))
        at += size
    return found
