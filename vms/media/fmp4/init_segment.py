"""The head of a fragmented file: `ftyp` and `moov` of one video track (ISO/IEC 14496-12, clauses 4.3, 8.2 and 8.8).

The movie states no duration and no `mehd`, so that the same bytes begin a file, a live stream and a playback.
"""

from __future__ import annotations

import struct

from vms.media.access_unit import ParameterSets
from vms.media.fmp4.boxes import TIMESCALE_90K, box, full_box
from vms.media.fmp4.fragment import TRACK_ID
from vms.media.fmp4.sample_entry import sample_entry, video_parameters

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED_LANGUAGE = 0x55C4


def init_segment(parameters: ParameterSets, *, timescale: int = TIMESCALE_90K, extra_boxes: bytes = b"") -> bytes:
    """`ftyp` + `moov` + `extra_boxes` for one video track.

    Raises MediaError when the sequence parameter set cannot be read.
    """
    video = video_parameters(parameters)
    ftyp = box(b"ftyp", b"iso6", struct.pack(">I", 1), b"iso6", b"mp41", b"dash")
    mvhd = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, timescale, 0, 0x10000, 0x0100),
        _UNITY_MATRIX,
        struct.pack(">24xI", TRACK_ID + 1),
    )
    tkhd = full_box(
        b"tkhd",
        0,
        7,
        struct.pack(">IIIII8xhhhH", 0, 0, TRACK_ID, 0, 0, 0, 0, 0, 0),
        _UNITY_MATRIX,
        struct.pack(">II", video.width << 16, video.height << 16),
    )
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, _UNDETERMINED_LANGUAGE, 0))
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"video\0")
    vmhd = full_box(b"vmhd", 0, 1, bytes(8))
    dinf = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", 1), sample_entry(parameters, video))
    empty_tables = [full_box(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc")]
    stbl = box(b"stbl", stsd, *empty_tables, full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)))
    mdia = box(b"mdia", mdhd, hdlr, box(b"minf", vmhd, dinf, stbl))
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, 0, 0, 0))
    return ftyp + box(b"moov", mvhd, box(b"trak", tkhd, mdia), box(b"mvex", trex)) + extra_boxes
