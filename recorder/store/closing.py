"""Closing and removing: the two procedures that move files, step by step (S1, S2).

S1  Every index row has a file of that size and digest.
S2  Every file under `media/` has a row, or a garbage row, or a note that it is open.

Closing                                     if the process ends after the step
1. put the file's content on the disk       the file is still in `open/`: starting closes it again
2. note that the segment is open            the same (the note is normally there since the segment began)
3. give it its final name, sync folders     both names, or the final one: the note tells, starting counts it
4. insert the row, drop the note            closed
Removing
1. row to garbage, told as erased           starting finishes the removal; nobody finds the segment any more
2. unlink, sync the folder                  the same
3. drop the garbage row                     removed
Trimming (what is held of a segment takes its place)
1. write the parts under `trim/`, synced    starting clears `trim/` away
2. note the parts as garbage                the same
3. give them their final names              starting removes them as garbage: the whole segment stands
4. in one transaction: rows for the parts, the whole one's row to garbage
5. remove the whole one, as above           starting finishes the removal: the parts stand

An error at a step leaves what the end of the process would leave, and the step may be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recorder.store.index import Index
from recorder.store.queries import garbage
from recorder.store.segment import TRIM_FOLDER, StoredSegment, media_file, open_file, trim_file
from vms.base import durable


def close_segment(folder: Path, index: Index, segment: StoredSegment) -> StoredSegment:
    """Steps 2 to 4 for a segment whose file is complete and synced; safe to repeat.

    Returns the segment as it now stands in the index. Raises OSError or sqlite3.Error.
    """
    closed = replace(segment, open=False)
    index.begin_segment(closed)
    unfinished = folder / open_file(segment.segment_id)
    final = folder / closed.file
    durable.make_folder(final.parent)
    if not final.exists():
        durable.publish(unfinished, final)
    elif unfinished.exists():
        durable.remove(unfinished)
    index.count_segment(closed)
    return closed


def remove_segments(folder: Path, index: Index, segments: Sequence[StoredSegment], cause: str) -> None:
    """Remove segments for good. Raises OSError or sqlite3.Error; what is left is finished by `erase_files`."""
    index.discard(segments, cause)
    erase_files(folder, index, [(one.segment_id, one.camera_id, one.start_ns) for one in segments])


def exchange_segment(
    folder: Path, index: Index, whole: StoredSegment, parts: Sequence[StoredSegment], cause: str
) -> None:
    """Steps 2 to 5 of trimming for parts that lie complete and synced under `trim/`.

    Raises OSError or sqlite3.Error, after which the whole segment stands, or its parts do.
    """
    index.condemn(parts)
    for part in parts:
        final = folder / part.file
        durable.make_folder(final.parent)
        durable.publish(folder / trim_file(part.segment_id), final)
    index.exchange(whole, parts, cause)
    erase_files(folder, index, [(whole.segment_id, whole.camera_id, whole.start_ns)])


def finish_erasing(folder: Path, index: Index) -> None:
    """Finish what a removal or a trimming had to leave. Raises OSError or sqlite3.Error; safe to repeat."""
    left = garbage(index.connection)
    if left:
        erase_files(folder, index, left)
    durable.remove_all(list((folder / TRIM_FOLDER).glob("*")))


def erase_files(folder: Path, index: Index, erased: Sequence[tuple[str, str, int]]) -> None:
    """Steps 2 and 3 for garbage rows: `(segment_id, camera_id, start_ns)` each."""
    folders: dict[Path, list[Path]] = {}
    for segment_id, camera_id, start_ns in erased:
        file = folder / media_file(camera_id, start_ns, segment_id)
        if file.parent.is_dir():
            folders.setdefault(file.parent, []).append(file)
    for files in folders.values():
        durable.remove_all(files)
    index.forget_garbage([segment_id for segment_id, _, _ in erased])
    for day in folders:
        durable.remove_empty_folder(day)
