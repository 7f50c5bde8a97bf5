"""A film in memory once, played by any number of cameras: bytes from the file, packets planned once per access unit.

Rules
- The file is mapped, never read whole; nothing is decoded. What is planned for the network is kept in a bounded
  cache, so that a hundred cameras of the same short film share the plan, and a long film costs no more than the bound.
- Real cameras send their parameter sets before each key frame, and MP4 files keep them aside (ISO/IEC 14496-15):
  so they are put in front of key frames, or taken out of them (`in_band` False).
- Only `load` touches the disk; it belongs in a thread.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.media.access_unit import Codec, ParameterSets
from vms.media.errors import MediaError
from vms.media.mp4_file import Mp4Sample, read_track
from vms.media.packetise import AccessUnitPlan, plan_access_unit

PAYLOAD_TYPE = 96
JPEG_PAYLOAD_TYPE = 26
PLAN_CACHE_BYTES = 96 * 1024 * 1024
_MOST_FRAMES_COUNTED = 1_000


@dataclass(slots=True)
class Film:
    """The video track of an MP4 file, ready to be sent. `decode_ns` and `presentation_ns` count from its first frame.

    `bit_rate_kbps` is the mean over the film, `gov_length` the frames from one key frame to the next.
    """

    path: Path
    parameters: ParameterSets
    width: int
    height: int
    duration_ns: int
    frame_rate: Fraction
    bit_rate_kbps: int
    gov_length: int
    decode_ns: Sequence[int]
    presentation_ns: Sequence[int]
    key: Sequence[bool]
    _samples: Sequence[Mp4Sample]
    _nal_length_bytes: int
    _bytes: mmap.mmap
    _plans: OrderedDict[tuple[int, bool], AccessUnitPlan] = field(default_factory=OrderedDict)
    _planned_bytes: int = 0

    @classmethod
    def load(cls, path: Path) -> Film:
        """Open a film. Blocks on the disk.

        Raises VmsError(INVALID_INPUT) when the file is absent or holds no video track that can be looped.
        """
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise _unusable(path, "ne peut pas être lu", str(error)) from None
        try:
            return cls._of(path, mapped)
        except MediaError as error:
            mapped.close()
            raise _unusable(
                path, "ne contient pas de piste vidéo lisible (H.264, H.265, MPEG-4 ou MJPEG)", str(error)
            ) from None

    @classmethod
    def _of(cls, path: Path, mapped: mmap.mmap) -> Film:
        track = read_track(lambda offset, size: mapped[offset : offset + size], len(mapped))
        samples = track.samples
        if not samples[0].key or track.duration <= 0:
            raise _unusable(path, "ne commence pas par une image clé", "the first sample is no key frame")
        decode = [sample.decode_time * NS_PER_SECOND // track.timescale for sample in samples]
        first = samples[0].presentation_time
        keys = [number for number, sample in enumerate(samples[:_MOST_FRAMES_COUNTED]) if sample.key]
        return cls(
            path=path,
            parameters=track.parameters,
            width=track.width,
            height=track.height,
            duration_ns=track.duration * NS_PER_SECOND // track.timescale,
            frame_rate=Fraction(len(samples) * track.timescale, track.duration),
            bit_rate_kbps=max(1, sum(each.size for each in samples) * 8 * track.timescale // track.duration // 1_000),
            gov_length=keys[1] - keys[0] if len(keys) > 1 else len(samples),
            decode_ns=decode,
            presentation_ns=[(each.presentation_time - first) * NS_PER_SECOND // track.timescale for each in samples],
            key=[sample.key for sample in samples],
            _samples=samples,
            _nal_length_bytes=track.nal_length_bytes,
            _bytes=mapped,
        )

    @property
    def codec(self) -> Codec:
        """The codec of the track."""
        return self.parameters.codec

    @property
    def profile_idc(self) -> int:
        """The H.264 profile (the second byte of the SPS); 0 for H.265."""
        return self.parameters.sps[1] if self.codec is Codec.H264 else 0

    @property
    def payload_type(self) -> int:
        """The RTP payload type: JPEG has a number of its own (RFC 3551, 6)."""
        return JPEG_PAYLOAD_TYPE if self.codec is Codec.MJPEG else PAYLOAD_TYPE

    def plan(self, number: int, *, in_band: bool = True) -> AccessUnitPlan:
        """The packets of the `number`-th access unit, from the cache when it was sent before."""
        place = (number, in_band)
        plan = self._plans.get(place)
        if plan is None:
            plan = plan_access_unit(self._sample_bytes(number, in_band=in_band), self.codec, self.payload_type)
            self._plans[place] = plan
            self._planned_bytes += len(plan.template)
            while self._planned_bytes > PLAN_CACHE_BYTES and len(self._plans) > 1:
                _, forgotten = self._plans.popitem(last=False)
                self._planned_bytes -= len(forgotten.template)
        return plan

    def close(self) -> None:
        """Let the file go."""
        self._plans.clear()
        self._bytes.close()

    def _sample_bytes(self, number: int, *, in_band: bool) -> bytes:
        sample = self._samples[number]
        data = self._bytes[sample.offset : sample.offset + sample.size]
        if self._nal_length_bytes == 0 or (self._nal_length_bytes == 4 and not sample.key):
            return data
        nals = list(_nals(data, self._nal_length_bytes))
        if sample.key:
            nals = _with_parameters(nals, self.parameters, in_band=in_band)
        return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def _nals(data: bytes, length_bytes: int) -> Iterator[bytes]:
    place = 0
    while place + length_bytes <= len(data):
        size = int.from_bytes(data[place : place + length_bytes], "big")
        place += length_bytes
        nal = data[place : place + size]
        place += size
        if nal:
            yield nal


def _with_parameters(nals: list[bytes], parameters: ParameterSets, *, in_band: bool) -> list[bytes]:
    if parameters.codec is Codec.H264:
        kinds, sets, delimiter = [nal[0] & 0x1F for nal in nals], {7, 8}, 9
    else:
        kinds, sets, delimiter = [nal[0] >> 1 & 0x3F for nal in nals], {32, 33, 34}, 35
    rest = [nal for nal, kind in zip(nals, kinds, strict=True) if kind not in sets]
    if not in_band:
        return rest
    if sets <= set(kinds):
        return nals
    wanted = [nal for nal in (parameters.vps, parameters.sps, *parameters.pps) if nal]
    front = 1 if kinds and kinds[0] == delimiter else 0
    return rest[:front] + wanted + rest[front:]


def _unusable(path: Path, why: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.INVALID_INPUT,
        "simulator.bad_film",
        f"Le film {path.name} {why}.",
        hint="Donnez un fichier MP4 en H.264 ou H.265 (ou MPEG-4, MJPEG) qui commence par une image clé.",
        detail=detail,
    )
