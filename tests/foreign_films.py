"""The project's footage in codecs that no browser plays, made once a session: MPEG-4 Part 2 and Motion JPEG."""

from __future__ import annotations

import atexit
import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import av
from av.video.stream import VideoStream

from cameras.simulator.spec import SUB_FILE

FRAMES = 50


@cache
def foreign_film(codec: str) -> Path:
    """An MP4 of two seconds, 352x288 at 25 frames a second; `codec` is `mpeg4` or `mjpeg`."""
    folder = mkdtemp(prefix="vms-films-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / f"{codec}.mp4"
    with av.open(str(SUB_FILE)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 352, 288
        stream.thread_count = 1
        if codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
            stream.options = {"huffman": "default", "qmin": "6", "qmax": "6"}
        else:
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 800_000
            stream.gop_size = 12
        for number, frame in enumerate(source.decode(video=0)):
            if number == FRAMES:
                break
            picture = frame.reformat(format=stream.pix_fmt)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    return path
