"""Joining the NAL units of one stream into access units: the part that is the same for every packetisation.

Rules
- An access unit ends with the RTP marker or, where a camera sets none, with the next time stamp.
- A camera that sets the marker on every slice is found out by its second slice, and its marker is ignored from then on.
- Parameter sets that come alone are kept for the next picture, since nothing can be shown of them.
- What is missing is counted and marks the access unit damaged; nothing is thrown away for it.

Source: RFC 6184 5.1 and 5.3, RFC 7798 4.1, ITU-T H.264 7.4.1.2 and H.265 7.4.2.4.
"""

from __future__ import annotations

from typing import Final

from vms.media import h264, h265
from vms.media.access_unit import AccessUnit, Codec, ParameterSets
from vms.media.bits import BitReader, unescape
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.parameter_sets import check_parameters

MAX_CHUNKS: Final = 65_536
MAX_PICTURE_PARAMETER_SETS: Final = 16
MAX_REFUSED_SETS: Final = 3
"""One may be cut by a lost packet; a camera that goes on is refused."""
_PARAMETER_KINDS: Final = {
    Codec.H264: (-1, h264.NAL_SPS, h264.NAL_PPS),
    Codec.H265: (h265.NAL_VPS, h265.NAL_SPS, h265.NAL_PPS),
}


class Assembly:
    """The access unit that is being joined, and the parameter sets in force.

    Fields are open to the depacketisers of this package: a method call for each of hundreds of packets a second and
    camera is what the recorder's budget cannot pay.
    """

    __slots__ = (
        "_codec", "_is_h264", "_kinds", "_sets", "_settled", "access_unit_bytes", "chunks", "damaged", "has_slice",
        "interval", "key", "last_timestamp", "marker_is_trusted", "parameters", "refused_sets", "size", "timestamp",
    )  # fmt: skip

    def __init__(self, codec: Codec, parameters: ParameterSets | None, access_unit_bytes: int) -> None:
        self._codec = codec
        self._is_h264 = codec is Codec.H264
        self._kinds = _PARAMETER_KINDS[codec]
        self._sets: list[tuple[int, bytes]] = []
        self.access_unit_bytes = access_unit_bytes
        self.parameters = parameters
        self.chunks: list[bytes | memoryview] = []
        self._settled = 0
        self.size = 0
        self.key = False
        self.has_slice = False
        self.damaged = False
        self.marker_is_trusted = True
        self.timestamp = -1
        self.last_timestamp = -1
        self.interval = 0
        self.refused_sets = 0

    def add_nal(self, nal: memoryview, kind: int) -> None:
        """Add one whole NAL unit."""
        length = len(nal)
        self.chunks.append(length.to_bytes(4, "big"))
        self.chunks.append(nal)
        self.size += length + 4
        if kind in self._kinds:
            self._sets.append((kind, bytes(nal)))
        else:
            header = 1 if self._is_h264 else 2
            self.note_start(kind, nal[header] if length > header else 0)
        self.check_size()

    def end_fragmented(self, place: int, header: bytes, size: int) -> None:
        """Write the length of a NAL unit that came in fragments, `size` bytes behind its header, at its place."""
        length = len(header) + size
        self.chunks[place] = length.to_bytes(4, "big") + header
        self.size += 4 + length
        kind = header[0] & 0x1F if self._is_h264 else header[0] >> 1 & 0x3F
        if kind in self._kinds:
            self._sets.append((kind, b"".join((header, *self.chunks[place + 1 :]))))
        self.check_size()

    def note_start(self, kind: int, first_byte: int) -> None:
        """See what the kind of a NAL unit and the byte after its header mean for its access unit.

        The first bit of a slice says that it is the first of its picture (`first_mb_in_slice` is 0 then).
        """
        if self._is_h264:
            if kind > h264.NAL_IDR:
                return
            key = kind == h264.NAL_IDR
        else:
            if not h265.is_slice(kind):
                return
            key = h265.NAL_IRAP_FIRST <= kind <= h265.NAL_IRAP_LAST
        if not self.has_slice:
            self.has_slice = True
            if first_byte < 0x80 and self.timestamp == self.last_timestamp and not self.damaged:
                self.marker_is_trusted = False
                self.damaged = True
        if key:
            self.key = True

    def check_size(self, open_bytes: int = 0) -> None:
        """MediaError when one picture, with `open_bytes` of a NAL unit still open, grows beyond any of a camera."""
        size = self.size + open_bytes
        if size > self.access_unit_bytes or len(self.chunks) > MAX_CHUNKS:
            raise MediaError(MediaErrorCode.ACCESS_UNIT_TOO_LARGE, f"{size} bytes in {len(self.chunks)} parts")

    def settle(self, kept_place: int) -> int:
        """Copy what the open picture has from the input of this feed, which it would otherwise keep alive whole.

        `kept_place` is a chunk that must stay by itself (a length still to be written), or -1; where it stands now.
        """
        chunks, start = self.chunks, self._settled
        if len(chunks) > start:
            if kept_place < start:
                chunks[start:] = [b"".join(chunks[start:])]
            else:
                before, after = b"".join(chunks[start:kept_place]), b"".join(chunks[kept_place + 1 :])
                chunks[start:] = [before, chunks[kept_place], after]
                kept_place = start + 1
            self._settled = len(chunks)
        return kept_place

    def close(self) -> AccessUnit | None:
        """The access unit that is complete now, if it shows anything and can be decoded."""
        if not self.chunks:
            return None
        if self._sets:
            self._adopt_parameter_sets()
        if not self.has_slice:
            return None
        unit = None
        if self.parameters is not None:
            sample = b"".join(self.chunks)
            unit = AccessUnit(self.timestamp, [sample], self.size, self.key, self.parameters, self.damaged)
            self.damaged = False
        self.interval = self.timestamp - self.last_timestamp
        self.last_timestamp = self.timestamp
        self.chunks = []
        self._settled = 0
        self.size = 0
        self.key = False
        self.has_slice = False
        return unit

    def _adopt_parameter_sets(self) -> None:
        vps_kind, sps_kind, pps_kind = self._kinds
        found = self._sets
        known = self.parameters
        vps = next((nal for kind, nal in found if kind == vps_kind), known.vps if known else b"")
        sps = next((nal for kind, nal in found if kind == sps_kind), known.sps if known else b"")
        fresh = [nal for kind, nal in found if kind == pps_kind]
        kept = list(known.pps) if known is not None and sps == known.sps else []
        pps = _merged(kept, fresh, self._codec) if fresh else tuple(known.pps if known else ())
        if not (sps and pps and (vps or self._codec is Codec.H264)):
            del found[:-MAX_PICTURE_PARAMETER_SETS]
            return
        self._sets = []
        if known is None or (vps, sps, pps) != (known.vps, known.sps, known.pps):
            self._adopt(ParameterSets(self._codec, vps, sps, pps))

    def _adopt(self, fresh: ParameterSets) -> None:
        """Take new parameter sets, unless they make no sense: then the old ones go on, for a while."""
        try:
            check_parameters(fresh)
        except MediaError:
            self.damaged = True
            self.refused_sets += 1
            if self.refused_sets >= MAX_REFUSED_SETS:
                raise
        else:
            self.parameters = fresh
            self.refused_sets = 0


def _merged(kept: list[bytes], fresh: list[bytes], codec: Codec) -> tuple[bytes, ...]:
    """Picture parameter sets by their number: a new one replaces the old one of the same number."""
    by_number = {_pps_number(nal, codec): nal for nal in [*kept, *fresh]}
    return tuple(list(by_number.values())[-MAX_PICTURE_PARAMETER_SETS:])


def _pps_number(nal: bytes, codec: Codec) -> int:
    header = 1 if codec is Codec.H264 else 2
    try:
        return BitReader(unescape(nal[header : header + 8])).ue(255)
    except MediaError:
        return -1
