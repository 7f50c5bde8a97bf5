"""Ranges out of segments: where they begin, what they hold, and what happens when a file is not what it should be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from recorder.playback.catalogue import PATIENCE_S, Catalogue, Waits
from recorder.playback.reader import CHUNK_BYTES, Chunk, RangeReader
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import StoredSegment
from tests.recorder.footage import footage, shown
from tests.recorder.gateways import CAMERA
from tests.recorder.playback.archive import START_NS, Archive
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.media.fmp4 import parse_moof

DAY_NS = 86_400 * NS_PER_SECOND


class Played:
    """A whole range, read to its end."""

    def __init__(self, archive: Archive, start_ns: int, end_ns: int) -> None:
        reader = RangeReader([archive.folder], CAMERA, start_ns, end_ns)
        try:
            reader.begin()
            self.start_ns = reader.start_ns
            self.init = reader.init
            self.mime = reader.mime
            self.fragments = fragments_of(reader)
        finally:
            reader.close()
        self.times_90k = [parse_moof(fragment)[1] for fragment in self.fragments]
        self.pictures = sum(len(parse_moof(fragment)[2]) for fragment in self.fragments)

    @property
    def shown_ns(self) -> list[int]:
        return [self.start_ns + pts * 100_000 // 9 for pts in shown(self.init, self.fragments)]


def fragments_of(reader: RangeReader) -> list[bytes]:
    fragments: list[bytes] = []
    whole = True
    while (chunk := reader.next()) is not None:
        if whole:
            fragments.append(b"")
        fragments[-1] += chunk.data
        whole = chunk.ends_fragment
    assert whole, "a stream ends between two fragments"
    return fragments


def test_a_range_begins_at_the_key_frame_at_or_before_it_and_ends_before_its_end(archive: Archive) -> None:
    group, interval_ns = archive.film.group, archive.interval_ns
    archive.record(START_NS, group * 3, per_fragment=group)
    from_ns = START_NS + (group + 3) * interval_ns
    to_ns = START_NS + (2 * group + 2) * interval_ns
    played = Played(archive, from_ns, to_ns)
    assert played.start_ns == START_NS + group * interval_ns
    assert played.shown_ns == [played.start_ns + n * interval_ns for n in range(group + 2)]
    assert played.times_90k[0] == 0
    assert played.mime.startswith('video/mp4; codecs="avc1.')


def test_a_key_frame_in_the_middle_of_a_fragment_is_found(archive: Archive) -> None:
    group, interval_ns = archive.film.group, archive.interval_ns
    archive.record(START_NS, group * 3, per_fragment=group * 3)
    from_ns = START_NS + (group + 3) * interval_ns
    played = Played(archive, from_ns, START_NS + DAY_NS)
    assert played.start_ns == START_NS + group * interval_ns
    assert played.times_90k == [0]
    assert len(played.shown_ns) == group * 2


def test_the_pictures_of_a_range_are_those_of_the_recording(archive: Archive) -> None:
    """LAW-41 at the node: not one byte of a picture is changed on the way."""
    archive.record(START_NS, 20)
    played = Played(archive, START_NS, START_NS + DAY_NS)
    media = b"".join(fragment[parse_head(fragment) :] for fragment in played.fragments)
    assert media == b"".join(picture.data for picture in archive.film.pictures[:20])


def parse_head(fragment: bytes) -> int:
    return int.from_bytes(fragment[:4]) + 8


def test_a_gap_keeps_its_place_on_the_time_line(archive: Archive) -> None:
    archive.record(START_NS, 12)
    later_ns = START_NS + 7 * 3_600 * NS_PER_SECOND + 123_456_789
    archive.record(later_ns, 12)
    played = Played(archive, START_NS, START_NS + DAY_NS)
    times = played.shown_ns
    assert len(times) == 24
    assert times[0] == START_NS
    assert abs(times[12] - later_ns) < 20_000
    from_gap = Played(archive, START_NS + 3_600 * NS_PER_SECOND, START_NS + DAY_NS)
    assert from_gap.start_ns == later_ns


def test_segments_follow_each_other_without_a_seam(archive: Archive) -> None:
    length_ns = 20 * archive.interval_ns
    for number in range(4):
        archive.record(START_NS + number * length_ns, 20)
    played = Played(archive, START_NS, START_NS + DAY_NS)
    assert played.shown_ns == [START_NS + n * archive.interval_ns for n in range(80)]


def test_the_segment_that_is_still_written_is_read_up_to_its_last_whole_fragment(archive: Archive) -> None:
    length_ns = 20 * archive.interval_ns
    archive.record(START_NS, 20)
    growing = archive.record(START_NS + length_ns, 20, still_open=True)
    with (archive.folder / growing.file).open("ab") as file:
        file.write((archive.folder / growing.file).read_bytes()[-700:] + b"\0\0\x40\0moof")
    played = Played(archive, START_NS, START_NS + DAY_NS)
    assert len(played.shown_ns) == 40
    with pytest.raises(VmsError) as nothing:
        Played(archive, START_NS + 2 * length_ns, START_NS + DAY_NS)
    assert nothing.value.code == "playback.nothing_recorded"


def test_a_segment_that_is_closed_while_it_is_looked_for_is_found_at_its_final_place(archive: Archive) -> None:
    archive.record(START_NS, 20)
    length_ns = 20 * archive.interval_ns
    growing = archive.record(START_NS + length_ns, 20, still_open=True)
    reader = RangeReader([archive.folder], CAMERA, START_NS, START_NS + DAY_NS)
    reader.begin()
    first = reader.next()
    assert isinstance(first, Chunk)
    archive.close_segment(growing)
    later = archive.record(START_NS + 2 * length_ns, 20)
    assert later.start_ns > growing.start_ns
    fragments = [first.data, *fragments_of(reader)]
    reader.close()
    assert sum(len(parse_moof(fragment)[2]) for fragment in fragments) >= 40


def test_other_parameter_sets_end_a_stream_and_asking_again_goes_on_with_them(archive: Archive) -> None:
    length_ns = 20 * archive.interval_ns
    archive.record(START_NS, 20)
    archive.record(START_NS + length_ns, 8, film=footage("street_768x576_h264.mp4"))
    played = Played(archive, START_NS, START_NS + DAY_NS)
    assert len(played.shown_ns) == 20
    again = Played(archive, START_NS + length_ns - 1_000, START_NS + DAY_NS)
    assert again.start_ns == START_NS + length_ns
    assert again.init != played.init
    assert len(again.shown_ns) == 8


def test_pieces_are_bounded_and_say_where_a_fragment_ends(archive: Archive) -> None:
    film = footage("street_768x576_h264.mp4")
    archive.record(START_NS, 200, per_fragment=200, film=film)
    reader = RangeReader([archive.folder], CAMERA, START_NS, START_NS + DAY_NS)
    reader.begin()
    chunks = []
    while (chunk := reader.next()) is not None:
        chunks.append(chunk)
    reader.close()
    assert len(chunks) > 2
    assert all(len(chunk.data) < CHUNK_BYTES + 8_192 for chunk in chunks)
    assert [chunk.ends_fragment for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def damage_nothing(_: Archive, __: StoredSegment) -> None:
    """The control: an intact archive plays to its end."""


def cut(archive: Archive, segment: StoredSegment) -> None:
    path = archive.folder / segment.file
    path.write_bytes(path.read_bytes()[:-1_000])


def lose(archive: Archive, segment: StoredSegment) -> None:
    (archive.folder / segment.file).unlink()


def overwrite_head(archive: Archive, segment: StoredSegment) -> None:
    path = archive.folder / segment.file
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


def overwrite_fragment(archive: Archive, segment: StoredSegment) -> None:
    path = archive.folder / segment.file
    data = bytearray(path.read_bytes())
    at = data.rindex(b"moof", 0, data.rindex(b"moof"))
    data[at : at + 4] = b"junk"
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (cut, "segment.truncated"),
        (lose, "segment.missing"),
        (overwrite_head, "segment.damaged"),
        (overwrite_fragment, "segment.damaged"),
        (damage_nothing, ""),
    ],
)
def test_a_file_that_is_not_what_the_index_says_ends_the_stream_and_is_logged(
    archive: Archive, harm: object, code: str
) -> None:
    """LAW-14, LAW-40: damage is noticed at read, and what lies before it is still shown."""
    assert callable(harm)
    length_ns = 20 * archive.interval_ns
    archive.record(START_NS, 20)
    harmed = archive.record(START_NS + length_ns, 20)
    harm(archive, harmed)
    with capture_logs() as logs:
        played = Played(archive, START_NS, START_NS + DAY_NS)
    assert played.pictures == (20 if code else 40)
    errors = [(entry["code"], entry["segment_id"]) for entry in logs if entry["log_level"] == "error"]
    assert errors == ([(code, harmed.segment_id)] if code else [])
    if code:
        with pytest.raises(VmsError) as refused:
            Played(archive, START_NS + length_ns, START_NS + DAY_NS)
        assert (refused.value.kind, refused.value.code) == (ErrorKind.CORRUPT, "playback.damaged")


def test_what_was_erased_meanwhile_is_passed_over(archive: Archive) -> None:
    length_ns = 20 * archive.interval_ns
    segments = [archive.record(START_NS + number * length_ns, 20) for number in range(3)]
    reader = RangeReader([archive.folder], CAMERA, START_NS, START_NS + DAY_NS)
    reader.begin()
    archive.index.discard([segments[1]])
    (archive.folder / segments[1].file).unlink()
    fragments = fragments_of(reader)
    reader.close()
    assert sum(len(parse_moof(fragment)[2]) for fragment in fragments) == 40


def test_footage_of_one_camera_in_two_stores_is_one_range(archive: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path / "other")
    length_ns = 20 * archive.interval_ns
    archive.record(START_NS, 20)
    other.record(START_NS + length_ns, 20)
    archive.record(START_NS + 2 * length_ns, 20)
    reader = RangeReader([other.folder, archive.folder], CAMERA, START_NS, START_NS + DAY_NS)
    reader.begin()
    times = shown(reader.init, fragments_of(reader))
    reader.close()
    other.close()
    assert len(times) == 60
    assert times == sorted(times)


def test_an_index_that_cannot_be_read_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / INDEX_NAME).write_bytes(b"no database at all" * 100)
    reader = RangeReader([tmp_path], CAMERA, START_NS, START_NS + DAY_NS)
    with pytest.raises(VmsError) as refused:
        reader.begin()
    reader.close()
    assert refused.value.code == "playback.index_unreadable"


def test_reading_changes_nothing_in_the_store(archive: Archive) -> None:
    archive.record(START_NS, 20)
    reader = RangeReader([archive.folder], CAMERA, START_NS, START_NS + DAY_NS)
    reader.begin()
    catalogue = reader._catalogue
    assert catalogue is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalogue._stores[0].index.execute("DELETE FROM segment")
    reader.close()


def test_a_store_that_hangs_holds_up_only_those_who_asked_it_first(archive: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path / "other")
    archive.record(START_NS, 20)
    now_s = [0.0]
    waits = Waits(lambda: now_s[0])
    catalogue = Catalogue([other.folder, archive.folder], waits)

    def asked() -> tuple[int, bool]:
        return len(catalogue.at_or_before(CAMERA, START_NS, 9)), catalogue.incomplete

    assert asked() == (1, False)
    with waits.asking(other.folder):
        now_s[0] = PATIENCE_S + 1
        assert waits.hangs(other.folder)
        assert asked() == (1, True)
        catalogue.refresh()
    assert asked() == (1, False)
    catalogue.close()
    other.close()
