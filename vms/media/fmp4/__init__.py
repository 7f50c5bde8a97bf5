"""Fragmented MP4, written and read as the recorder, the gateway and the browser need it (ISO/IEC 14496-12 and -15)."""

from vms.media.fmp4.boxes import TIMESCALE_90K, ReadAt, reader_of
from vms.media.fmp4.fragment import (
    FragmentIndexEntry,
    SampleInfo,
    fragment_header,
    fragment_index,
    retime_fragment,
)
from vms.media.fmp4.init_segment import init_segment
from vms.media.fmp4.reader import (
    Fragment,
    SegmentHead,
    fragments_from,
    parse_moof,
    read_fragment,
    read_fragment_index,
    read_head,
    read_init,
    scan_fragments,
)
from vms.media.fmp4.sample_entry import SampleEntry, video_parameters
from vms.media.fmp4.segment_header import (
    NO_CAMERA_TIME,
    NO_DIGEST,
    CameraTime,
    CameraTimeSource,
    SegmentHeader,
    TimeSource,
    TimeTrust,
    parse_segment_header,
    segment_header_box,
)
from vms.media.fmp4.timing import DecodeTime, DecodeTimer

__all__ = [
    "NO_CAMERA_TIME",
    "NO_DIGEST",
    "TIMESCALE_90K",
    "CameraTime",
    "CameraTimeSource",
    "DecodeTime",
    "DecodeTimer",
    "Fragment",
    "FragmentIndexEntry",
    "ReadAt",
    "SampleEntry",
    "SampleInfo",
    "SegmentHead",
    "SegmentHeader",
    "TimeSource",
    "TimeTrust",
    "fragment_header",
    "fragment_index",
    "fragments_from",
    "init_segment",
    "parse_moof",
    "parse_segment_header",
    "read_fragment",
    "read_fragment_index",
    "read_head",
    "read_init",
    "reader_of",
    "retime_fragment",
    "scan_fragments",
    "segment_header_box",
    "video_parameters",
]
