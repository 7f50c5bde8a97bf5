from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cameras.simulator.spec import B_FRAMES_FILE, H265_FILE, MAIN_FILE, SUB_FILE
from tests.media.streams import H264
from vms.media.access_unit import Codec
from vms.media.errors import MediaError
from vms.media.fmp4 import (
    DecodeTimer,
    SampleInfo,
    fragment_header,
    fragment_index,
    init_segment,
    read_head,
    reader_of,
    scan_fragments,
    video_parameters,
)
from vms.media.fmp4.boxes import box, full_box
from vms.media.fmp4.sample_entry import sample_entry
from vms.media.mp4_file import Mp4Track, read_track

FILES = [MAIN_FILE, SUB_FILE, H265_FILE, B_FRAMES_FILE]


def track_of(path: Path) -> tuple[Mp4Track, bytes]:
    content = path.read_bytes()
    return read_track(reader_of(content), len(content)), content


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_film_is_read_as_a_player_reads_it(path: Path):
    track, content = track_of(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert (track.width, track.height) == (stream.width, stream.height)
        assert track.parameters.codec is (Codec.H265 if stream.codec_context.name == "hevc" else Codec.H264)
    assert len(track.samples) == len(packets)
    for sample, packet in zip(track.samples, packets, strict=True):
        assert content[sample.offset : sample.offset + sample.size] == bytes(packet)
        assert sample.key == packet.is_keyframe
    times = [(packet.dts or 0, packet.pts or 0) for packet in packets]
    delay = track.samples[0].presentation_time - times[0][1]
    assert [(sample.decode_time, sample.presentation_time - delay) for sample in track.samples] == [
        (decode_time - times[0][0], presentation_time) for decode_time, presentation_time in times
    ]


def remuxed(path: Path, seconds: int = 4) -> bytes:
    """The beginning of a film as a segment of ours: its stamps alone give the decode times."""
    track, content = track_of(path)
    video = video_parameters(track.parameters)
    timer = DecodeTimer(video.max_reorder_frames)
    stamps = [sample.presentation_time * 90_000 // track.timescale for sample in track.samples]
    dated = [timer.date(stamp - stamps[0]) for stamp in stamps]
    base = dated[0].decode_time_90k
    data = init_segment(track.parameters)
    count = sum(stamp - stamps[0] < seconds * 90_000 for stamp in stamps)
    for first in range(0, count, 12):
        infos, media = [], b""
        for place in range(first, min(first + 12, count)):
            sample, time = track.samples[place], dated[place]
            duration = dated[place + 1].decode_time_90k - time.decode_time_90k
            composition = time.composition_offset_90k + base
            infos.append(SampleInfo(sample.size, duration, sample.key, composition))
            media += content[sample.offset : sample.offset + sample.size]
        data += fragment_header(first + 1, dated[first].decode_time_90k - base, infos) + media
    head = read_head(reader_of(data), len(data))
    return data + fragment_index(scan_fragments(reader_of(data), head.size, len(data)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_written_plays_and_shows_the_same_pictures(path: Path, tmp_path: Path):
    """LAW-41: remuxed, not transcoded."""
    (tmp_path / "segment.mp4").write_bytes(remuxed(path))
    with av.open(str(tmp_path / "segment.mp4")) as ours, av.open(str(path)) as original:
        assert ours.streams.video[0].codec_tag in {"avc1", "hvc1"}
        pictures = list(ours.decode(video=0))
        expected = [picture for picture, _ in zip(original.decode(video=0), pictures, strict=False)]
        assert len(pictures) > 20
        for mine, theirs in zip(pictures, expected, strict=True):
            assert mine.to_ndarray().tobytes() == theirs.to_ndarray().tobytes()
    times = [picture.pts or 0 for picture in pictures]
    assert times == sorted(set(times))
    assert times[0] == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_has_nothing_to_say_against_it(path: Path, tmp_path: Path):
    (tmp_path / "segment.mp4").write_bytes(remuxed(path))
    asked = [
        "ffprobe",
        "-v",
        "warning",
        "-count_packets",
        "-show_streams",
        "-of",
        "json",
        str(tmp_path / "segment.mp4"),
    ]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    (stream,) = json.loads(said.stdout)["streams"]
    assert said.stderr == ""
    assert stream["codec_type"] == "video"
    assert int(stream["nb_read_packets"]) > 20


def small_film(**changed: bytes) -> bytes:
    """A film of three samples of five bytes; a table may be replaced by other bytes."""
    tables = {
        "stsd": full_box(b"stsd", 0, 0, b"\0\0\0\1", sample_entry(H264, video_parameters(H264))),
        "stts": full_box(b"stts", 0, 0, bytes.fromhex("00000001 00000003 00000200")),
        "stsc": full_box(b"stsc", 0, 0, bytes.fromhex("00000001 00000001 00000003 00000001")),
        "stsz": full_box(b"stsz", 0, 0, bytes.fromhex("00000005 00000003")),
        "stco": full_box(b"stco", 0, 0, bytes.fromhex("00000001 00000008")),
        "stss": full_box(b"stss", 0, 0, bytes.fromhex("00000001 00000001")),
    } | changed
    hdlr = full_box(b"hdlr", 0, 0, bytes(4) + b"vide" + bytes(13))
    mdhd = full_box(b"mdhd", 0, 0, bytes(8) + (12_800).to_bytes(4) + bytes(8))
    stbl = box(b"stbl", *tables.values())
    moov = box(b"moov", box(b"trak", box(b"mdia", mdhd, hdlr, box(b"minf", stbl))))
    return box(b"mdat", b"aaaaabbbbbccccc") + moov


def test_a_small_film_is_read():
    data = small_film()
    track = read_track(reader_of(data), len(data))
    assert [(sample.offset, sample.decode_time, sample.key) for sample in track.samples] == [
        (8, 0, True),
        (13, 512, False),
        (18, 1024, False),
    ]
    assert (track.duration, track.timescale) == (1536, 12_800)


@pytest.mark.parametrize(
    "changed",
    [
        {"stsz": full_box(b"stsz", 0, 0, bytes.fromhex("00000005 ffffffff"))},
        {"stsz": full_box(b"stsz", 0, 0, bytes.fromhex("00000000 00000003 00000005"))},
        {"stsz": full_box(b"stsz", 0, 0, bytes.fromhex("7fffffff 00000003"))},
        {"stsz": full_box(b"stsz", 0, 0, bytes.fromhex("00000005 00000000"))},
        {"stco": full_box(b"stco", 0, 0, bytes.fromhex("00000001 0fffffff"))},
        {"stco": full_box(b"stco", 0, 0, bytes.fromhex("ffffffff"))},
        {"stsc": full_box(b"stsc", 0, 0, bytes.fromhex("00000001 00000001 00000001 00000001"))},
        {"stsc": full_box(b"stsc", 0, 0, bytes.fromhex("00000002" + "00000002 00000003 00000001" * 2))},
        {"stts": full_box(b"stts", 0, 0, bytes.fromhex("00000001 00000001 00000200"))},
        {"stts": b""},
        {"stsd": full_box(b"stsd", 0, 0, b"\0\0\0\1", box(b"mp4a", bytes(40)))},
        {"stsd": full_box(b"stsd", 0, 0, b"\0\0\0\1", box(b"avc1", bytes(78)))},
    ],
)
def test_tables_that_promise_too_much_are_refused(changed: dict[str, bytes]):
    data = small_film(**changed)
    with pytest.raises(MediaError):
        read_track(reader_of(data), len(data))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_damage_anywhere_is_a_media_error_at_worst(data: st.DataObject):
    content = bytearray(small_film())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 4))
        content[place : place + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        track = read_track(reader_of(bytes(content)), len(content))
    except MediaError:
        return
    assert all(sample.offset + sample.size <= len(content) for sample in track.samples)
