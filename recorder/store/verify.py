"""Proving what is recorded: index against files, every digest, the chain of each camera, and the seals in the log.

Everything is opened for reading only, so it may run beside a recording shard: what is erased meanwhile is no finding.

Findings, each with camera, segment and instant (LAW-40)
- `missing_file`      a segment of the index has no file
- `truncated`         a file is shorter than it was recorded
- `wrong_size`        a file is longer than it was recorded
- `altered`           a file is not what was recorded: one bit is enough
- `exchanged`         a file is another segment of this node, under a wrong name
- `index_altered`     the index says of a segment what its file does not say
- `missing_segment`   a segment follows on one that is not there, and that was not erased
- `unknown_file`      a file that the index does not know
- `seal_broken`       the segments of an hour are not those that the log has sealed
- `missing_sealed`    fewer segments in an hour than the log has sealed, and not erased

What is lawful is noted, not found: `erased` (the chain goes on behind images that retention or the log accounts for,
or, without the log, behind images that a hold kept), `chain_start` (a camera's first segment, or the first one after an
index or a disk was lost), `disk_away`, `unsealed` (segments that no entry of the log covers yet), `closed_late` (a
segment that a refusing disk kept open), `index_old` (a store that must be started once by this version).
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from recorder.contract.hold import Hold
from recorder.store import queries
from recorder.store.holds import holds_of
from recorder.store.salvage import Description, describe, digest_of
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.sealing import HOUR_NS, SealBook, chain_of, digest_over, hour_of
from recorder.store.segment import MEDIA_FOLDER, StoredSegment
from vms.base.clock import utc_text
from vms.media.fmp4 import NO_DIGEST

_FOREVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was recorded. Instants are UTC nanoseconds; `file` is relative to its store."""

    kind: str
    camera_id: str
    segment_id: str
    start_ns: int
    end_ns: int
    store: str
    file: str = ""
    detail: str = ""


@dataclass(slots=True)
class Verification:
    """What was looked at, what was found, and how often something lawful was noted."""

    cameras: int = 0
    segments: int = 0
    size_bytes: int = 0
    seals: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, count: int = 1) -> None:
        """Count something that is lawful and still worth telling."""
        if count:
            self.notes[kind] = self.notes.get(kind, 0) + count


@dataclass(frozen=True, slots=True)
class Scope:
    """What to verify: all cameras when none is named, the segments that begin in `[since_ns, until_ns)`.

    Without `content` files are not read but for their heads: digests are then taken from the index.
    """

    cameras: frozenset[str] = frozenset()
    since_ns: int = 0
    until_ns: int = _FOREVER_NS
    content: bool = True


@dataclass(frozen=True, slots=True)
class _Store:
    folder: Path
    index: sqlite3.Connection


def _unheard(_done: int, _total: int) -> None:
    return


def verify_stores(
    folders: Sequence[Path],
    seals: SealBook | None = None,
    scope: Scope | None = None,
    progress: Callable[[int, int], None] = _unheard,
) -> Verification:
    """Verify the stores of a node together, as a camera's chain goes from disk to disk.

    `progress` hears of (segments done, all segments). A store that cannot be read is noted as `disk_away`.
    """
    scope = scope or Scope()
    result = Verification()
    stores = list(_readable(folders, result))
    try:
        cameras = sorted(set[str]().union(*(queries.camera_ids(store.index) for store in stores)))
        wanted = [camera for camera in cameras if not scope.cameras or camera in scope.cameras]
        total = sum(queries.count_segments(store.index, wanted) for store in stores)
        for camera_id in wanted:
            _Camera(camera_id, stores, seals, scope, result, lambda: progress(result.segments, total)).verify()
        for store in [] if scope.cameras else stores:
            for stray in sorted((store.folder / MEDIA_FOLDER).iterdir()):
                if stray.name not in cameras:
                    result.findings += _unknown_files(store, stray.name, set())
    finally:
        for store in stores:
            store.index.close()
    return result


class _Camera:
    """The verification of one camera over all stores."""

    def __init__(
        self,
        camera_id: str,
        stores: Sequence[_Store],
        seals: SealBook | None,
        scope: Scope,
        result: Verification,
        told: Callable[[], None],
    ) -> None:
        self._camera_id = camera_id
        self._stores = stores
        self._seals = seals
        self._scope = scope
        self._result = result
        self._told = told
        self._erased: dict[bytes, int] = {}
        self._holds: list[Hold] = []
        for store in stores:
            self._erased |= queries.erased_digests(store.index, camera_id)
            self._holds += holds_of(store.index, camera_id)

    def verify(self) -> None:
        result, scope = self._result, self._scope
        result.cameras += 1
        whole = list(self._segments())
        looked_at = [one for one in whole if scope.since_ns <= one[1].start_ns < scope.until_ns]
        for store, segment in looked_at:
            result.segments += 1
            result.size_bytes += segment.size_bytes
            result.findings += self._judge(store, segment)
            self._told()
        for store in self._stores:
            counted = {segment.segment_id for held_by, segment in whole if held_by is store}
            result.findings += _unknown_files(store, self._camera_id, counted)
        self._verify_chain(whole)
        if self._seals is not None:
            self._verify_seals([segment for _, segment in whole])

    def _segments(self) -> Iterator[tuple[_Store, StoredSegment]]:
        """The closed segments of this camera on all stores, in the order of time."""
        lists = [
            [(one.start_ns, one.segment_id, store, one) for one in queries.segments_of(store.index, self._camera_id)]
            for store in self._stores
        ]
        for _, _, store, segment in heapq.merge(*lists, key=lambda entry: entry[:2]):
            yield store, segment

    def _judge(self, store: _Store, segment: StoredSegment) -> Iterator[Finding]:
        """One file against its row."""
        path = store.folder / segment.file
        try:
            size = path.stat().st_size
            digest = digest_of(path) if self._scope.content and size == segment.size_bytes else None
            description = describe(path)
        except OSError as refused:
            if not _is_erased(store, segment):
                kind = "missing_file" if isinstance(refused, FileNotFoundError) else "altered"
                yield self._finding(kind, store, segment, repr(refused))
            return
        other = description.segment.segment_id if description is not None else segment.segment_id
        if other != segment.segment_id:
            yield self._finding("exchanged", store, segment, f"the file is {other}")
        elif size != segment.size_bytes:
            kind = "truncated" if size < segment.size_bytes else "wrong_size"
            yield self._finding(kind, store, segment, f"{size} bytes, {segment.size_bytes} recorded")
        elif digest is not None and digest != segment.digest:
            yield self._finding("altered", store, segment, "another SHA-256 than was recorded")
        elif description is None:
            yield self._finding("altered", store, segment, "no readable segment")
        else:
            differing = _differences(description, segment)
            if differing:
                yield self._finding("index_altered", store, segment, f"other {', '.join(differing)} than the file")

    def _verify_chain(self, whole: Sequence[tuple[_Store, StoredSegment]]) -> None:
        """Every segment follows on one that is there, or on one that was erased."""
        known = {NO_DIGEST, *self._erased}
        last: StoredSegment | None = None
        newest = NO_DIGEST
        for store, segment in whole:
            in_scope = self._scope.since_ns <= segment.start_ns < self._scope.until_ns
            if in_scope:
                self._follow(store, segment, last, known, newest)
            known.add(segment.chained_digest)
            newest = segment.chained_digest
            last = segment

    def _follow(
        self, store: _Store, segment: StoredSegment, last: StoredSegment | None, known: Collection[bytes], newest: bytes
    ) -> None:
        before = segment.previous_digest
        if last is None:
            self._result.note("chain_start" if before == NO_DIGEST else "erased")
        elif before in {newest, last.previous_digest} and segment.chained_digest == last.chained_digest:
            return  # parts of one segment
        elif before == newest:
            return
        elif before in self._erased:
            self._result.note("erased")
        elif before == NO_DIGEST:
            self._result.note("chain_start")
        elif before in known:
            self._result.note("closed_late")
        elif self._log_accounts_for(last.end_ns, segment.start_ns) or (self._seals is None and self._outlived(last)):
            self._result.note("erased")
        elif self._result.notes.get("disk_away"):
            self._result.note("behind_disk_away")
        else:
            between = last.end_ns < segment.start_ns
            missing = Finding(
                "missing_segment",
                self._camera_id,
                segment.segment_id,
                last.end_ns if between else segment.start_ns,
                segment.start_ns if between else segment.end_ns,
                str(store.folder),
                segment.file,
                f"it follows on {before.hex()[:16]}…, which is not there",
            )
            self._result.findings.append(missing)

    def _outlived(self, segment: StoredSegment) -> bool:
        """Whether a hold kept a segment, so that those behind it may have been erased before it."""
        held = any(one.start_ns < segment.end_ns and segment.start_ns < one.end_ns for one in self._holds)
        return held or segment.chain_digest is not None

    def _log_accounts_for(self, start_ns: int, end_ns: int) -> bool:
        erasures = self._seals.erasures.get(self._camera_id, ()) if self._seals is not None else ()
        return any(one.start_ns < end_ns and one.end_ns > start_ns for one in erasures)

    def _verify_seals(self, whole: Sequence[StoredSegment]) -> None:
        assert self._seals is not None
        hours: dict[int, list[StoredSegment]] = {}
        for segment in whole:
            hours.setdefault(hour_of(segment.start_ns), []).append(segment)
        sealed = self._seals.seals.get(self._camera_id, {})
        for hour_ns in sorted(hours.keys() | sealed.keys()):
            if not self._scope.since_ns - HOUR_NS < hour_ns < self._scope.until_ns:
                continue
            if hour_ns not in sealed:
                self._result.note("unsealed", len(hours[hour_ns]))
                continue
            self._verify_seal(hour_ns, hours.get(hour_ns, []))

    def _verify_seal(self, hour_ns: int, present: Sequence[StoredSegment]) -> None:
        """One hour against its seal. Where a part of it is erased, the rest is for the chain to prove."""
        assert self._seals is not None
        seal = self._seals.seals[self._camera_id][hour_ns]
        self._result.seals += 1
        chain = chain_of(present)
        erased = sum(hour_of(start_ns) == hour_ns for digest, start_ns in self._erased.items() if digest not in chain)
        erased = max(erased, self._told_erased(hour_ns))
        missing = seal.segments - len(chain)
        if missing <= 0:
            if digest_over(chain) == seal.digest:
                return
            detail = f"sealed by entry {seal.entry}: {seal.segments} segments, {len(chain)} there, another digest"
            self._result.findings.append(self._of_hour("seal_broken", hour_ns, detail))
        elif missing > erased:
            if self._result.notes.get("disk_away"):
                self._result.note("behind_disk_away", missing - erased)
                return
            detail = f"sealed by entry {seal.entry}: {seal.segments} segments, {len(chain)} there, {erased} erased"
            self._result.findings.append(self._of_hour("missing_sealed", hour_ns, detail))
        else:
            self._result.note("erased", missing)

    def _told_erased(self, hour_ns: int) -> int:
        assert self._seals is not None
        told = self._seals.erasures.get(self._camera_id, ())
        return sum(one.segments for one in told if hour_of(one.start_ns) == hour_ns)

    def _of_hour(self, kind: str, hour_ns: int, detail: str) -> Finding:
        return Finding(kind, self._camera_id, "", hour_ns, hour_ns + HOUR_NS, "", detail=detail)

    def _finding(self, kind: str, store: _Store, segment: StoredSegment, detail: str) -> Finding:
        return Finding(
            kind,
            segment.camera_id,
            segment.segment_id,
            segment.start_ns,
            segment.end_ns,
            str(store.folder),
            segment.file,
            detail,
        )


def _readable(folders: Sequence[Path], result: Verification) -> Iterator[_Store]:
    for folder in folders:
        try:
            index = connect_to_read(folder / INDEX_NAME)
            queries.erased_digests(index, "")
            next(iter(queries.segments_of(index, "")), None)
        except sqlite3.OperationalError as wrong:
            result.note("index_old" if "no such" in str(wrong) else "disk_away")
            continue
        except sqlite3.Error:
            result.note("disk_away")
            continue
        yield _Store(folder, index)


def _is_erased(store: _Store, segment: StoredSegment) -> bool:
    """Whether the index, asked anew, no longer has it: erased while the verification ran."""
    with closing(connect_to_read(store.folder / INDEX_NAME)) as index:
        now = queries.segments_between(index, segment.camera_id, segment.start_ns, segment.start_ns + 1)
        return all(one.segment_id != segment.segment_id for one in now)


def _differences(description: Description, segment: StoredSegment) -> list[str]:
    """What the file says of itself otherwise than the index."""
    told = description.segment
    pairs = {
        "camera": (told.camera_id, segment.camera_id),
        "run": (told.run, segment.run),
        "start": (told.start_ns, segment.start_ns),
        "end": (told.end_ns, segment.end_ns),
        "predecessor": (told.previous_digest, segment.previous_digest),
        "whole": (told.chain_digest, segment.chain_digest),
        "uncertainty": (told.uncertainty_ms, segment.uncertainty_ms),
        "time source": (told.time_source, segment.time_source),
        "camera clock": (
            (told.camera_clock, told.camera_offset_ms),
            (segment.camera_clock, segment.camera_offset_ms),
        ),
    }
    return [name for name, (in_file, in_index) in pairs.items() if in_file != in_index]


def _unknown_files(store: _Store, camera_id: str, counted: Collection[str]) -> Iterator[Finding]:
    """Files of a camera that the index knows neither as a segment, nor as open, nor as being erased."""
    for path in sorted((store.folder / MEDIA_FOLDER / camera_id).rglob("*.mp4")):
        if path.stem not in counted and not queries.has_file(store.index, path.stem, camera_id) and path.exists():
            name = path.relative_to(store.folder).as_posix()
            yield Finding("unknown_file", camera_id, path.stem, 0, 0, str(store.folder), name)


def when(finding: Finding) -> str:
    """The instants of a finding, for people: UTC to the second."""
    if not finding.start_ns:
        return ""
    return f"{utc_text(finding.start_ns)[:19]}Z – {utc_text(finding.end_ns)[11:19]}Z"
