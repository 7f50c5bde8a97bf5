"""A film with a clock burnt into it: each picture shows its own number, in blocks that survive coding and scaling.

The number stands in Gray code, most significant bit first, in a row of blocks along the top; a white and a black block
before it say that there is a code to read. Neighbouring pictures differ in one block, so a picture caught between two
is read as one of them. Below the blocks a texture moves sideways over a band that flickers, so that the film weighs
about what the stream of a camera does; key frames stand where they should, every second unless told otherwise.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from vms.base.errors import ErrorKind, VmsError

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


def require_encoder() -> None:
    """Raise VmsError(CONFIGURATION) when the film cannot be made here: PyAV and NumPy serve development only."""
    try:
        import av  # noqa: F401
        import numpy as np  # noqa: F401
    except ImportError as missing:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "bench.no_encoder",
            "Cette mesure demande PyAV et NumPy, qui ne sont installés que pour le développement.",
            hint="Lancez « make bench », qui les installe.",
            detail=str(missing),
        ) from None


def write_clock_film(
    path: Path, width: int, height: int, step: int, seconds: int = SECONDS, key_every_s: int = 1
) -> None:
    """Write such a film, H.264 main profile without reordering.

    `width` and `height` are multiples of 32; key frames stand `key_every_s` apart. It has every `step`-th of
    NUMBERS_A_SECOND pictures, so that a main and a sub-stream share one clock. Only a film of SECONDS loops with the
    clock. Raises VmsError without an encoder.
    """
    require_encoder()
    import av
    import numpy as np

    rate = Fraction(NUMBERS_A_SECOND, step)
    group = round(rate * key_every_s)
    block, top = width // BLOCKS, height // 4
    random = np.random.default_rng(27)

    def shades(rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return random.integers(96, 144, (rows // 8, width // 8), np.uint8).repeat(8, 0).repeat(8, 1)

    ground = shades(height)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # A cut of scene would add key frames of its own.
        exact = f"keyint={group}:min-keyint={group}:scenecut=0:bframes=0"
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "main", "x264-params": exact}
        stream.codec_context.time_base = 1 / rate
        for count in range(round(seconds * rate)):
            picture = np.roll(ground, count * step, 1)
            picture[2 * top : 3 * top] = shades(top)
            for place, white in enumerate(blocks_of(count * step)):
                picture[:top, place * block : (place + 1) * block] = 235 if white else 16
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "gray")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
