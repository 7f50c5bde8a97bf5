"""Live access units as fragments of MP4: one unit, one fragment, built once and shared by every viewer.

Rules:

1. A fragment goes out as soon as its unit is there. Its duration is therefore a prediction: the last interval, or the
   frame rate that the parameter sets state.
2. Decode times start at zero with the first unit and only grow. A new run, or a stamp more than `MAX_JUMP_90K` away
   from the one before, goes on right behind the last unit: a browser sees no hole where media time means nothing.
3. A picture that cannot be decoded is not sent: the first fragment, the first after new parameter sets or a new run,
   and the first after a damaged unit are key frames.
4. New parameter sets and new runs make a new `LiveStream`; viewers compare by identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recorder.node.protocol import LiveUnit
from vms.media.access_unit import RTP_CLOCK_HZ, ParameterSets, VideoParameters
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.fmp4.fragment import SampleInfo, fragment_header
from vms.media.fmp4.init_segment import init_segment
from vms.media.fmp4.sample_entry import video_parameters
from vms.media.fmp4.timing import DEFAULT_INTERVAL_90K, DecodeTimer

MAX_JUMP_90K = 10 * RTP_CLOCK_HZ
MAX_INTERVAL_90K = 2 * RTP_CLOCK_HZ


@dataclass(frozen=True, slots=True, eq=False)
class LiveStream:
    """What a browser must know before the fragments of one stretch: how to decode them, and how large they are."""

    mime: str
    width: int
    height: int
    init: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Fragment:
    """One access unit as `moof` + `mdat`. `capture_utc_ns` is the server's time of capture."""

    stream: LiveStream
    data: bytes
    capture_utc_ns: int
    key: bool


class Fragmenter:
    """Turns the units of one subscription into fragments. Pure: no I/O, no clock."""

    def __init__(self) -> None:
        self.skipped_units = 0
        self._parameters: ParameterSets | None = None
        self._video: VideoParameters | None = None
        self._stream: LiveStream | None = None
        self._timer = DecodeTimer()
        self._offset_90k: int | None = None
        self._last_rtp_90k = 0
        self._last_decode_90k = 0
        self._interval_90k = 0
        self._sequence = 0
        self._awaits_key = True

    def change_parameters(self, parameters: ParameterSets) -> None:
        """Take new parameter sets for the units that follow; the same ones again change nothing.

        Raises MediaError when they cannot be read, or when no browser plays their codec: nothing can be shown until
        better ones come.
        """
        if parameters == self._parameters:
            return
        self._stream = self._parameters = None
        self._awaits_key = True
        if not parameters.codec.plays_in_browsers:
            raise MediaError(MediaErrorCode.PARAMETER_SET_UNSUPPORTED, f"no browser plays {parameters.codec}")
        video = video_parameters(parameters)
        init = init_segment(parameters)
        self._stream = LiveStream(f'video/mp4; codecs="{video.codec_string}"', video.width, video.height, init)
        self._parameters = parameters
        self._video = video
        self._offset_90k = None

    def add(self, unit: LiveUnit) -> Fragment | None:
        """The fragment of the next unit, or None when it is not to be shown (counted in `skipped_units`)."""
        if unit.discontinuity:
            self.restart()
        if unit.damaged:
            self._awaits_key = True
        if self._stream is None or unit.damaged or (self._awaits_key and not unit.key):
            self.skipped_units += 1
            return None
        self._awaits_key = False
        return self._fragment(self._stream, unit)

    def restart(self) -> None:
        """Media times do not continue: a new run, or a new subscription that begins again at its last key frame."""
        self._offset_90k = None
        self._awaits_key = True
        if self._stream is not None:
            self._stream = replace(self._stream)

    def lost_units(self) -> None:
        """Units are missing before the next one: wait for a key frame."""
        self._awaits_key = True

    def _fragment(self, stream: LiveStream, unit: LiveUnit) -> Fragment:
        decode_90k, composition_90k = self._date(unit.rtp_timestamp)
        self._sequence += 1
        sample = SampleInfo(len(unit.data), self._interval_90k, unit.key, composition_90k)
        header = fragment_header(self._sequence, decode_90k, (sample,))
        return Fragment(stream, header + unit.data, unit.capture_utc_ns, unit.key)

    def _date(self, rtp_90k: int) -> tuple[int, int]:
        if self._offset_90k is None or abs(rtp_90k - self._last_rtp_90k) > MAX_JUMP_90K:
            return self._begin(rtp_90k)
        time = self._timer.date(rtp_90k)
        decode_90k = time.decode_time_90k + self._offset_90k
        self._interval_90k = min(decode_90k - self._last_decode_90k, MAX_INTERVAL_90K)
        self._last_rtp_90k = rtp_90k
        self._last_decode_90k = decode_90k
        return decode_90k, time.composition_offset_90k

    def _begin(self, rtp_90k: int) -> tuple[int, int]:
        reorder = self._video.max_reorder_frames if self._video is not None else 0
        begins_90k = self._last_decode_90k + self._interval_90k
        stated = self._stated_interval_90k()
        self._timer = DecodeTimer(reorder, stated)
        time = self._timer.date(rtp_90k)
        self._interval_90k = stated
        self._offset_90k = begins_90k - time.decode_time_90k
        self._last_rtp_90k = rtp_90k
        self._last_decode_90k = begins_90k
        return begins_90k, time.composition_offset_90k

    def _stated_interval_90k(self) -> int:
        rate = self._video.frame_rate if self._video is not None else None
        if not rate or rate <= 0:
            return DEFAULT_INTERVAL_90K
        return max(1, min(round(RTP_CLOCK_HZ / rate), MAX_INTERVAL_90K))
