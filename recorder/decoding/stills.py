"""The stills process: decodes key frames for the gateway, one worker for one connection.

Rules
1. A picture is bounded in pixels, in bytes and in time; what it does beyond that ends its worker alone.
2. Nothing is written: what was decoded goes back on the connection and is forgotten (LAW-06).
3. It gives way to recording: its workers are few, and nice.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import av.error
import av.logging
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from recorder.decoding.forking import MIB, ForkingServer, WorkerLimits, deadline
from vms.base.framing import MAX_FRAME_BYTES, FrameError, frame, json_frame, parse_json_frame
from vms.media.access_unit import Codec, ParameterSets
from vms.media.annexb import START_CODE, join_annexb
from vms.media.errors import MediaError
from vms.media.fmp4 import video_parameters

MAX_SIDE: Final = 8_192
WIDEST: Final = 3_840
PICTURE_TIMEOUT_S: Final = 5.0
IDLE_TIMEOUT_S: Final = 60.0
WORKER_MEMORY_BYTES: Final = 768 * MIB
WORKERS: Final = 4
NICENESS: Final = 5
SMALL_WIDTH: Final = 480
"""Up to here nobody sees whether blocks were smoothed, which is a third of the work."""
_DECODERS: Final = {Codec.H264: "h264", Codec.H265: "hevc", Codec.MPEG4: "mpeg4", Codec.MJPEG: "mjpeg"}
_UNDECODABLE = "still.undecodable"


def run_stills(path: Path, on_ready: Callable[[], None]) -> None:
    """Decode stills until SIGTERM. Blocks; must run in the main thread of a process without others."""
    limits = WorkerLimits(WORKER_MEMORY_BYTES, WORKERS, NICENESS)
    ForkingServer(path, serve_stills, lambda _: json_frame({"code": _UNDECODABLE}), limits).serve(on_ready)


def serve_stills(connection: socket.socket) -> None:
    """Answer pictures until the other end has no more. In a worker."""
    av.logging.set_level(None)
    connection.settimeout(IDLE_TIMEOUT_S)
    decoder = StillDecoder()
    with contextlib.suppress(OSError, FrameError):
        while (head := _next_frame(connection)) is not None:
            sample = _next_frame(connection)
            if sample is None:
                return
            deadline(PICTURE_TIMEOUT_S)
            answer = _answer(decoder, parse_json_frame(head), sample)
            deadline(0)
            connection.sendall(frame(answer))


def _answer(decoder: StillDecoder, asked: dict[str, Any], sample: bytes) -> bytes:
    try:
        parameters = ParameterSets(
            Codec(asked["codec"]),
            bytes.fromhex(asked["vps"]),
            bytes.fromhex(asked["sps"]),
            tuple(bytes.fromhex(one) for one in asked["pps"]),
        )
        width = int(asked["width"])
    except (KeyError, TypeError, ValueError):
        raise FrameError("request of an unknown shape") from None
    try:
        return b"I" + decoder.jpeg(parameters, sample, width)
    except (MediaError, ValueError, MemoryError, av.error.FFmpegError):
        return b'J{"code":"%s"}' % _UNDECODABLE.encode()


class StillDecoder:
    """Decodes single key frames to JPEG; the decoder is kept while the parameter sets stay the same."""

    def __init__(self) -> None:
        self._parameters: ParameterSets | None = None
        self._small = False
        self._decoder: VideoCodecContext | None = None

    def jpeg(self, parameters: ParameterSets, sample: bytes, width: int) -> bytes:
        """The picture at most `width` pixels wide, in its true shape.

        Raises MediaError for parameter sets that cannot be read or are out of bounds, FFmpegError or ValueError for a
        picture that is none.
        """
        video = video_parameters(parameters)
        if max(video.width, video.height) > MAX_SIDE:
            raise ValueError(f"picture of {video.width}x{video.height}")
        picture = self._decode(parameters, sample, small=width <= SMALL_WIDTH)
        if max(picture.width, picture.height) > MAX_SIDE:
            raise ValueError(f"picture of {picture.width}x{picture.height}")
        across, down = video.sample_aspect
        shown_width = picture.width * across / down
        out_width = _even(min(width, WIDEST, shown_width))
        out_height = _even(min(picture.height * out_width / shown_width, MAX_SIDE))
        return _encode(picture.reformat(out_width, out_height, "yuvj420p"))

    def _decode(self, parameters: ParameterSets, sample: bytes, *, small: bool) -> VideoFrame:
        decoder = self._decoder
        if decoder is None or parameters != self._parameters or small != self._small:
            decoder = self._decoder = _decoder(parameters.codec, small=small)
            self._parameters, self._small = parameters, small
        else:
            decoder.flush_buffers()
        pictures = decoder.decode(av.Packet(_as_stream(parameters, sample))) or decoder.decode(None)
        if not pictures:
            raise ValueError("no picture in the sample")
        return pictures[0]


def _decoder(codec: Codec, *, small: bool) -> VideoCodecContext:
    made = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(made, VideoCodecContext)
    made.thread_count = 1
    made.options = {"max_pixels": str(MAX_SIDE * MAX_SIDE), "skip_loop_filter": "all" if small else "default"}
    return made


def _as_stream(parameters: ParameterSets, sample: bytes) -> bytes:
    """What a decoder takes: parameter sets first, start codes for lengths."""
    if not parameters.codec.has_nal_units:
        return parameters.sps + sample if parameters.codec is Codec.MPEG4 else sample
    sets = [nal for nal in (parameters.vps, parameters.sps, *parameters.pps) if nal]
    parts = [join_annexb(sets)]
    place = 0
    while place + 4 <= len(sample):
        start = place + 4
        place = start + int.from_bytes(sample[place:start], "big")
        parts += [START_CODE, sample[start:place]]
    return b"".join(parts)


def _encode(picture: VideoFrame) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"qmin": "4", "qmax": "4"}
    picture.pts = None
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _next_frame(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, 4)
    if head is None:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {length} bytes")
    content = _exactly(connection, length)
    if content is None:
        raise FrameError("connection closed inside a frame")
    return content


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return bytes(data)
