"""Pictures of every codec become JPEG; what is none, or out of bounds, is refused."""

from __future__ import annotations

import io
import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import av.error
import pytest

from cameras.simulator.film import Film
from cameras.simulator.spec import B_FRAMES_FILE, H265_FILE, MAIN_FILE
from recorder.decoding.stills import StillDecoder
from tests.foreign_films import foreign_film
from vms.media.access_unit import Codec, ParameterSets
from vms.media.errors import MediaError

STRIP = 30


def size_of(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg)) as image:
        return image.streams.video[0].width, image.streams.video[0].height


def keys_of(film: Film, count: int) -> list[bytes]:
    numbers = [number for number, key in enumerate(film.key) if key][:count]
    return [film._sample_bytes(number, in_band=True) for number in numbers]


@pytest.mark.parametrize("path", [MAIN_FILE, H265_FILE, B_FRAMES_FILE, "mpeg4", "mjpeg"], ids=str)
def test_a_key_frame_of_any_codec_becomes_a_picture(path: Path | str):
    film = Film.load(foreign_film(path) if isinstance(path, str) else path)
    decoder = StillDecoder()
    for sample in keys_of(film, 3):
        small = decoder.jpeg(film.parameters, sample, 160)
        width, height = size_of(small)
        assert width == 160
        assert abs(height - 160 * film.height / film.width) <= 12  # pixels may not be square
        assert size_of(decoder.jpeg(film.parameters, sample, 3_840))[1] == film.height
    film.close()


def test_a_strip_of_full_hd_takes_little(tmp_path: Path):
    path = tmp_path / "hd.mp4"
    with av.open(str(MAIN_FILE)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": "1", "crf": "23"}
        for number, frame in enumerate(source.decode(video=0)):
            if number == STRIP:
                break
            picture = frame.reformat(1920, 1080, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    film = Film.load(path)
    decoder, samples = StillDecoder(), keys_of(film, STRIP)
    film.close()
    started = time.process_time()
    stills = [decoder.jpeg(film.parameters, sample, 160) for sample in samples]
    assert time.process_time() - started < 1.5
    assert len(stills) == STRIP


@pytest.mark.parametrize(
    "sample", [b"", bytes(500), struct.pack(">I", 1 << 30) + bytes(50), b"\0\0\0\5\x65\xff\xff\xff\xff"]
)
def test_noise_is_no_picture(sample: bytes):
    film = Film.load(MAIN_FILE)
    with pytest.raises((ValueError, av.error.FFmpegError)):
        StillDecoder().jpeg(film.parameters, sample, 160)
    film.close()


def test_a_picture_larger_than_any_camera_gives_is_refused_before_it_is_decoded():
    with pytest.raises(ValueError, match="8200x16"):
        StillDecoder().jpeg(ParameterSets(Codec.MJPEG, b"", struct.pack(">HH", 8_200, 16), ()), b"", 160)


def test_a_picture_that_is_larger_than_its_parameter_sets_say_is_refused():
    """What stands in the sample is bounded as well as what the index says of it."""
    large = b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 20_000, 20_000) + b"\3\1\x22\0\2\x11\1\3\x11\1\xff\xda"
    with pytest.raises((ValueError, av.error.FFmpegError)):
        StillDecoder().jpeg(ParameterSets(Codec.MJPEG, b"", struct.pack(">HH", 640, 480), ()), large + bytes(900), 160)


def test_parameter_sets_that_cannot_be_read_are_refused():
    with pytest.raises(MediaError):
        StillDecoder().jpeg(ParameterSets(Codec.H264, b"", b"\x67\x42", (b"\x68",)), b"", 160)
