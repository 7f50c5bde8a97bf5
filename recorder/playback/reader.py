"""One range of one camera as one fragmented MP4 stream, out of segments that are never rewritten.

Steps of a playback:

1. Find the segments that overlap the range, in the order of time (`catalogue`).
2. In the first one, begin at the last key frame at or before `from`; when nothing was recorded then, at the next
   segment. The decode time of that first sample is zero on the time line of the stream, and `start_ns` in UTC.
3. Give every fragment on, retimed: its place is its UTC distance from `start_ns`, so a gap keeps its length.
4. End before `to`, sample-exact in decoding order, for a ticket bounds what may be shown.
5. End before a segment whose parameter sets differ (the reader asks again from there), at the last whole fragment of a
   segment that is still written, and before anything that is damaged.

A file that is not what the index says (LAW-14, LAW-40) is an error in the log with a stable code: `segment.missing`,
`segment.truncated`, `segment.damaged`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from recorder.playback.catalogue import Catalogue, FoundSegment
from recorder.playback.segment_file import DamagedSegmentError, SegmentFile, open_found
from recorder.playback.ticks import nanoseconds, ticks_90k
from vms.base.clock import NS_PER_MS
from vms.base.errors import ErrorKind, VmsError
from vms.media.access_unit import ParameterSets
from vms.media.fmp4 import Fragment, FragmentIndexEntry, fragment_header

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 * 1024
MIN_TAIL_NS = 50 * NS_PER_MS
"""A first segment with less than this left after `from` is passed over when another follows: a reader that asks again
from where a stream ended would otherwise get the same last picture for ever."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes of the stream; `ends_fragment` when a decoder can do with what it has so far."""

    data: bytes
    ends_fragment: bool


class RangeReader:
    """Reads one range. Blocking, and safe against a close from another thread; made for `PlaybackService`.

    After `begin`: `mime`, `init` (`ftyp` + `moov`) and `start_ns` (UTC nanoseconds of decode time zero).
    """

    def __init__(self, folders: Sequence[Path], camera_id: str, start_ns: int, end_ns: int) -> None:
        self.mime = ""
        self.init = b""
        self.start_ns = 0
        self._folders = tuple(folders)
        self._camera_id = camera_id
        self._from_ns = start_ns
        self._to_ns = end_ns
        self._lock = threading.Lock()
        self._closed = False
        self._catalogue: Catalogue | None = None
        self._file: SegmentFile | None = None
        self._segment_id = ""
        self._parameters: ParameterSets | None = None
        self._chunks: Iterator[Chunk] = iter(())
        self._sequence = 0
        self._awaits_key = True

    def begin(self) -> None:
        """Find the first picture.

        Raises VmsError `playback.nothing_recorded` (not_found), `playback.damaged`, `playback.index_unreadable`.
        """
        with self._lock:
            self._catalogue = Catalogue(self._folders)
            segments = self._usable(self._catalogue)
            try:
                for found in segments:
                    entries = self._open(found, self._from_ns)
                    if entries and not self._is_over(found, entries[-1]):
                        self._begin_at(found, entries[0])
                        self._chunks = self._stream(entries, segments)
                        return
            except DamagedSegmentError as damaged:
                self._report(damaged)
                raise VmsError(
                    ErrorKind.CORRUPT,
                    "playback.damaged",
                    "L'enregistrement de cet instant est endommagé et ne peut pas être lu.",
                    hint="Choisissez un autre instant, et prévenez l'administrateur.",
                    detail=str(damaged),
                ) from None
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "playback.nothing_recorded",
                "Rien n'est enregistré pour cette caméra à ce moment.",
                hint="La frise de la caméra montre les périodes enregistrées et la cause des absences.",
            )

    def next(self) -> Chunk | None:
        """The next piece, or None at the end of the stream. What is damaged or gone ends it, between two fragments."""
        with self._lock:
            if self._closed:
                return None
            try:
                return next(self._chunks, None)
            except DamagedSegmentError as damaged:
                self._report(damaged)
                return None
            except VmsError as refused:
                log.error("playback ended by an error", code=refused.code, detail=refused.detail)
                return None

    def close(self) -> None:
        """Close the files. Waits for a `next` that runs in another thread."""
        with self._lock:
            self._closed = True
            self._chunks = iter(())
            if self._file is not None:
                self._file.close()
                self._file = None
            if self._catalogue is not None:
                self._catalogue.close()

    def _usable(self, catalogue: Catalogue) -> Iterator[FoundSegment]:
        """The segments of the range, without a first one that is all but over at its start."""
        tail: FoundSegment | None = None
        for position, found in enumerate(catalogue.segments(self._camera_id, self._from_ns, self._to_ns)):
            if position == 0 and not found.segment.open and found.segment.end_ns - self._from_ns < MIN_TAIL_NS:
                tail = found
                continue
            tail = None
            yield found
        if tail is not None:
            yield tail

    def _begin_at(self, found: FoundSegment, first: FragmentIndexEntry) -> None:
        file = self._opened()
        position = _first_sample(file.fragment(first), self._media_time(found, self._from_ns))
        skipped_90k = sum(sample.duration_90k for sample in file.fragment(first).samples[:position])
        self.start_ns = found.segment.start_ns + nanoseconds(first.decode_time_90k + skipped_90k)
        self.init = file.head.init
        self.mime = f'video/mp4; codecs="{found.segment.video.codec_string}"'
        self._parameters = file.head.entry.parameters

    def _stream(self, entries: list[FragmentIndexEntry], segments: Iterator[FoundSegment]) -> Iterator[Chunk]:
        yield from self._pieces(self._opened(), entries)
        for found in segments:
            entries = self._open(found, found.segment.start_ns)
            if not entries:
                continue
            file = self._opened()
            if file.head.entry.parameters != self._parameters:
                return
            yield from self._pieces(file, entries)

    def _pieces(self, file: SegmentFile, entries: Sequence[FragmentIndexEntry]) -> Iterator[Chunk]:
        offset_90k = ticks_90k(file.found.segment.start_ns - self.start_ns)
        end_90k = ticks_90k(self._to_ns - self.start_ns)
        for entry in entries:
            decode_90k = offset_90k + entry.decode_time_90k
            if decode_90k >= end_90k:
                return
            fragment = file.fragment(entry)
            first = 0
            # Before zero lies what precedes the first picture: in its fragment, or recorded under a clock that has
            # gone back since.
            for sample in fragment.samples:
                if decode_90k >= 0 and (sample.key or not self._awaits_key):
                    self._awaits_key = False
                    break
                self._awaits_key = True
                decode_90k += sample.duration_90k
                first += 1
            last, reached_90k = first, decode_90k
            while last < len(fragment.samples) and reached_90k < end_90k:
                reached_90k += fragment.samples[last].duration_90k
                last += 1
            if first < last:
                yield from self._fragment(file, fragment, first, last, decode_90k)

    def _fragment(
        self, file: SegmentFile, fragment: Fragment, first: int, last: int, decode_90k: int
    ) -> Iterator[Chunk]:
        self._sequence += 1
        samples = fragment.samples[first:last]
        header = fragment_header(self._sequence, decode_90k, samples)
        offset = fragment.media_offset + sum(sample.size for sample in fragment.samples[:first])
        end = offset + sum(sample.size for sample in samples)
        while offset < end:
            size = min(CHUNK_BYTES, end - offset)
            data = file.read(offset, size)
            offset += size
            yield Chunk(header + data, offset == end)
            header = b""

    def _open(self, found: FoundSegment, from_ns: int) -> list[FragmentIndexEntry]:
        """Make this the file that is read, and list its fragments from the key frame at or before an instant.

        The list is empty when nothing is written yet, or when the segment was erased since the index was asked.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        self._segment_id = found.segment.segment_id
        assert self._catalogue is not None
        self._file = open_found(found, self._catalogue.again)
        return self._file.fragments(max(self._media_time(found, from_ns), 0)) if self._file is not None else []

    def _is_over(self, found: FoundSegment, last: FragmentIndexEntry) -> bool:
        """Whether a segment that is still written has nothing for this range yet."""
        end_ns = found.segment.start_ns + nanoseconds(last.decode_time_90k + last.duration_90k)
        return found.segment.open and end_ns - self._from_ns < MIN_TAIL_NS

    def _report(self, damaged: DamagedSegmentError) -> None:
        log.error(
            "recorded segment is not what the index says",
            code=damaged.code,
            detail=damaged.detail,
            camera_id=self._camera_id,
            segment_id=self._segment_id,
        )

    def _opened(self) -> SegmentFile:
        assert self._file is not None, "a segment is open while it is read"
        return self._file

    def _media_time(self, found: FoundSegment, utc_ns: int) -> int:
        return ticks_90k(utc_ns - found.segment.start_ns)


def _first_sample(fragment: Fragment, media_time_90k: int) -> int:
    """The last key sample of a fragment at or before a media time; the first sample where there is none."""
    first = 0
    time_90k = fragment.index.decode_time_90k
    for position, sample in enumerate(fragment.samples):
        if sample.key and time_90k <= media_time_90k:
            first = position
        time_90k += sample.duration_90k
    return first
