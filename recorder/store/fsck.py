"""Judging a store from outside: S1 and S2 of `closing`, S3 of `holds`. Changes nothing.

Findings
- `missing_file`     a row whose file is not there (S1)
- `wrong_size`       a file of another size than its row says (S1)
- `wrong_digest`     a file whose content is not what was recorded (S1, LAW-40)
- `unknown_file`     a file under `media/` without row, garbage row or note (S2)
- `missing_held`     less of a hold's range is recorded than when it was placed (S3, LAW-10)
- `unreadable`       a file that is no segment, or has no whole fragment

Whether a segment is missing with its row is told by the chain of digests, which goes from disk to disk: see `verify`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.contract.hold import Hold
from recorder.store.holds import holds_of, promised, recorded_ns
from recorder.store.queries import all_segments, garbage, open_segments
from recorder.store.salvage import describe, digest_of
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import MEDIA_FOLDER, StoredSegment, media_file
from vms.base.errors import ErrorKind, VmsError


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: its kind, the file it is about (relative), and detail in English."""

    kind: str
    file: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """How many segments and bytes were looked at, and what was found."""

    segments: int
    size_bytes: int
    findings: tuple[Finding, ...]


def _unheard(_done: int, _total: int) -> None:
    return


def examine(
    folder: Path, *, content: bool = True, progress: Callable[[int, int], None] = _unheard, utc_ns: int = 0
) -> Examination:
    """Examine a store, running or not. With `content`, every file is read and its digest compared.

    Holds that are over at `utc_ns` are not judged; at 0 all are. `progress` hears of (segments done, all segments).
    Raises VmsError when there is no index that can be read.
    """
    try:
        index = connect_to_read(folder / INDEX_NAME)
        try:
            segments = list(all_segments(index))
            counted = {one.file for one in segments}
            counted |= {media_file(camera, start, name) for name, camera, start in garbage(index)}
            noted = {media_file(one.camera_id, one.start_ns, one.segment_id) for one in open_segments(index)}
            holds = holds_of(index)
            unkept = list(_examine_holds(index, [hold for hold in holds if hold.in_force(utc_ns)]))
        finally:
            index.close()
    except sqlite3.Error as broken:
        raise VmsError(
            ErrorKind.CORRUPT,
            "store.index_unreadable",
            f"L’index des enregistrements de {folder} est illisible.",
            hint="Redémarrez l’enregistreur : il met l’index de côté et le reconstruit depuis les segments.",
            detail=repr(broken),
        ) from None
    findings: list[Finding] = unkept
    for done, segment in enumerate(segments, 1):
        findings += _examine_segment(folder, segment, content=content)
        progress(done, len(segments))
    for path in sorted((folder / MEDIA_FOLDER).rglob("*.mp4")):
        name = path.relative_to(folder).as_posix()
        if name not in counted and name not in noted:
            findings.append(Finding("unknown_file", name))
    return Examination(len(segments), sum(one.size_bytes for one in segments), tuple(findings))


def _examine_segment(folder: Path, segment: StoredSegment, *, content: bool) -> Iterator[Finding]:
    path = folder / segment.file
    try:
        size = path.stat().st_size
        if size != segment.size_bytes:
            yield Finding("wrong_size", segment.file, f"{size} bytes, {segment.size_bytes} recorded")
        elif content and digest_of(path) != segment.digest:
            yield Finding("wrong_digest", segment.file)
        elif content:
            description = describe(path)
            if description is None or not description.fragments:
                yield Finding("unreadable", segment.file)
    except FileNotFoundError:
        yield Finding("missing_file", segment.file)
    except OSError as refused:
        yield Finding("unreadable", segment.file, repr(refused))


def _examine_holds(index: sqlite3.Connection, holds: list[Hold]) -> Iterator[Finding]:
    promises = promised(index)
    for hold in holds:
        missing_ns = promises[hold.hold_id] - recorded_ns(index, hold.camera_id, hold.start_ns, hold.end_ns)
        if missing_ns > 0:
            yield Finding("missing_held", "", f"{missing_ns / 1e9:.3f} s of {hold.hold_id}, {hold.camera_id}")
