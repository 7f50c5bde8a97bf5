"""Closing and removing: the two procedures that move files, step by step (S1, S2).

S1  Every index row has a file of that size and digest.
S2  Every file under `media/` has a row, or a garbage row, or a note that it is open.

Closing                                     if the process ends after the step
1. put the file's content on the disk       the file is still in `open/`: starting closes it again
2. note that the segment is open            the same (the note is normally there since the segment began)
3. give it its final name, sync folders     both names, or the final one: the note tells, starting counts it
4. insert the row, drop the note            closed
Removing
1. row to garbage                           starting finishes the removal; nobody finds the segment any more
2. unlink, sync the folder                  the same
3. drop the garbage row                     removed

An error at a step leaves what the end of the process would leave, and the step may be tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recorder.store.index import Index
from recorder.store.segment import StoredSegment, media_file, open_file
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


def remove_segments(folder: Path, index: Index, segments: Sequence[StoredSegment]) -> None:
    """Remove segments for good. Raises OSError or sqlite3.Error; what is left is finished by `finish_garbage`."""
    index.discard(segments)
    erase_files(folder, index, [(one.segment_id, one.camera_id, one.start_ns) for one in segments])


def erase_files(folder: Path, index: Index, garbage: Sequence[tuple[str, str, int]]) -> None:
    """Steps 2 and 3 for garbage rows: `(segment_id, camera_id, start_ns)` each."""
    folders: set[Path] = set()
    for segment_id, camera_id, start_ns in garbage:
        file = folder / media_file(camera_id, start_ns, segment_id)
        if file.parent.is_dir():
            durable.remove(file)
            folders.add(file.parent)
    index.forget_garbage([segment_id for segment_id, _, _ in garbage])
    for day in folders:
        durable.remove_empty_folder(day)
