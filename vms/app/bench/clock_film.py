"""A film with a clock burnt into it: each picture shows its own number, in blocks that survive coding and scaling.

The number stands in Gray code, most significant bit first, in a row of blocks along the top; a white and a black block
before it say that there is a code to read. Neighbouring pictures differ in one block, so a picture caught between two
is read as one of them.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

BITS: Final = 10
BLOCKS: Final = BITS + 2
SECONDS: Final = 20
NUMBERS_A_SECOND: Final = 25


def gray(number: int) -> int:
    """The Gray code of a number."""
    return number ^ number >> 1


def blocks_of(number: int) -> list[bool]:
    """Which blocks are white in the picture of this number: the two guards, then the code."""
    code = gray(number)
    return [True, False, *(bool(code >> bit & 1) for bit in range(BITS - 1, -1, -1))]


def number_of(blocks: list[bool]) -> int | None:
    """The number that blocks show; None when the guards are not there."""
    if blocks[:2] != [True, False]:
        return None
    number = code = int("".join("1" if block else "0" for block in blocks[2:]), 2)
    while code := code >> 1:
        number ^= code
    return number


def write_clock_film(path: Path, width: int, height: int, step: int) -> None:
    """Write such a film of SECONDS, H.264 without reordering, a key frame every two seconds.

    It has every `step`-th of NUMBERS_A_SECOND pictures, so that a main and a sub-stream share one clock.
    """
    import av
    import numpy as np

    rate = Fraction(NUMBERS_A_SECOND, step)
    block = width // BLOCKS
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "main", "bf": "0"}
        stream.codec_context.gop_size = round(2 * rate)
        stream.codec_context.time_base = 1 / rate
        shade = np.random.default_rng(27)
        for count in range(round(SECONDS * rate)):
            picture = np.full((height, width, 3), 96, np.uint8)
            picture[height // 3 :] += shade.integers(0, 40, (height - height // 3, width, 3), np.uint8)
            for place, white in enumerate(blocks_of(count * step)):
                picture[: height // 4, place * block : (place + 1) * block] = 235 if white else 16
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
