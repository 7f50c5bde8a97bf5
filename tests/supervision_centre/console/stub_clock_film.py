"""A film that says which picture it is: twenty seconds of 25 pictures each, their numbers burnt in as ten blocks.

It is made by PyAV, a group of pictures a second, with or without pictures that are presented in another order than they
are decoded. A camera of the stub loops it in phase with UTC, so that the number of a picture is its UTC.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np

TIMESCALE = 90_000
RATE = 25
SECONDS = 20
WIDTH, HEIGHT = 320, 180
BLOCKS = 10
BLOCK_HEIGHT = 30


@dataclass(frozen=True, slots=True)
class ClockFilm:
    """`groups` and `keys` by second of the loop: `moof` + `mdat` of the group, and of its key frame alone."""

    init: bytes
    groups: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    delays_90k: tuple[int, ...]  # from the decoding of a group's first picture to its presentation
    mime: str


def dated(fragment: bytes, decode_90k: int) -> bytes:
    """The fragment with another decode time."""
    data = bytearray(fragment)
    struct.pack_into(">Q", data, data.index(b"tfdt") + 8, decode_90k)
    return bytes(data)


def still() -> bytes:
    """A small JPEG."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 112, 64, "yuvj420p"
    encoder.time_base = Fraction(1, RATE)
    picture = av.VideoFrame.from_ndarray(np.full((96, 112), 128, np.uint8), format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


@cache
def clock_film(*, reordered: bool = False) -> ClockFilm:
    """The film."""
    init, groups = _boxes(_encoded("frag_keyframe", reordered=reordered))
    _, pictures = _boxes(_encoded("frag_every_frame", reordered=reordered))
    avcc = init.index(b"avcC") + 4
    return ClockFilm(
        init,
        tuple(groups),
        tuple(pictures[second * RATE] for second in range(SECONDS)),
        tuple(_first_offset(group) for group in groups),
        f'video/mp4; codecs="avc1.{init[avcc + 1 : avcc + 4].hex()}"',
    )


def _encoded(movflag: str, *, reordered: bool) -> bytes:
    target = io.BytesIO()
    flags = {"movflags": f"{movflag}+empty_moov+default_base_moof+skip_trailer+negative_cts_offsets"}
    with av.open(target, "w", format="mp4", options={**flags, "video_track_timescale": str(TIMESCALE)}) as sink:
        stream = sink.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        parameters = f"keyint={RATE}:min-keyint={RATE}:scenecut=0:bframes={2 if reordered else 0}:open-gop=0:b-adapt=0"
        stream.codec_context.options = {"preset": "ultrafast", "crf": "24", "x264-params": parameters}
        for number in range(SECONDS * RATE):
            sink.mux(
                stream.encode(av.VideoFrame.from_ndarray(_picture(number), format="gray").reformat(format="yuv420p"))
            )
        sink.mux(stream.encode(None))
    return target.getvalue()


def _picture(number: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    picture = np.empty((HEIGHT, WIDTH), np.uint8)
    picture[:] = (np.arange(WIDTH) // 4 + number) % 160 + 40
    width = WIDTH // BLOCKS
    for block in range(BLOCKS):
        picture[:BLOCK_HEIGHT, block * width : (block + 1) * width] = 235 if number >> block & 1 else 16
    return picture


def _boxes(data: bytes) -> tuple[bytes, list[bytes]]:
    init, fragments, at = b"", [], 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if kind in {b"ftyp", b"moov"}:
            init += data[at : at + size]
        elif kind == b"moof":
            fragments.append(data[at : at + size])
        elif kind == b"mdat":
            fragments[-1] += data[at : at + size]
        at += size
    return init, fragments


def _first_offset(group: bytes) -> int:
    at = group.index(b"trun") + 4
    flags = int.from_bytes(group[at + 1 : at + 4])
    if not flags & 0x800:
        return 0
    field = at + 8 + 4 * sum(bool(flags & flag) for flag in (0x1, 0x4, 0x100, 0x200, 0x400))
    return int.from_bytes(group[field : field + 4], signed=True)
