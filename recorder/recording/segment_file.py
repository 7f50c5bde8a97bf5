"""The file of one growing segment, as the disk's thread sees it.

Every fragment is handed to the system as soon as it is built, so a killed process loses none that was written; what a
power cut may take is bounded by `sync`. The digest is taken over the very slices that are written (LAW-40).

Rules
1. The file ends with a whole fragment whenever nothing is being appended. After a failed write it is cut back to one,
   and `size` and the digest are those of what stands.
2. `finish` adds the fragment index; where the disk refuses even that, the segment is complete without it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from vms.base import durable
from vms.media.fmp4 import FragmentIndexEntry, SampleInfo, fragment_header, fragment_index

Chunk = bytes | memoryview


class SegmentFile:
    """A new file in `open/`. Raises OSError when it cannot be made; FileExistsError when the name is taken."""

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self.size = 0
        self.entries: list[FragmentIndexEntry] = []
        self._hash = hashlib.sha256()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            self._write([head], len(head))
        except BaseException:
            self.abandon()
            raise

    @property
    def digest(self) -> bytes:
        """SHA-256 of the file as it stands."""
        return self._hash.digest()

    def append(self, decode_time_90k: int, samples: Sequence[SampleInfo], chunks: Sequence[Chunk]) -> None:
        """Write one fragment. Raises OSError, after which the file stands as before."""
        header = fragment_header(len(self.entries) + 1, decode_time_90k, samples)
        media_bytes = 0
        duration_90k = 0
        for sample in samples:
            media_bytes += sample.size
            duration_90k += sample.duration_90k
        size = len(header) + media_bytes
        entry = FragmentIndexEntry(self.size, size, decode_time_90k, duration_90k, samples[0].key, len(samples))
        self._write([header, *chunks], size)
        self.entries.append(entry)

    def finish(self) -> None:
        """Add the index of fragments. Raises OSError, after which the segment is complete without it."""
        index = fragment_index(self.entries)
        self._write([index], len(index))

    def sync(self) -> None:
        """Put what has been written on the disk; OSError when it refuses."""
        durable.sync_data(self._descriptor)

    def settle(self) -> None:
        """Put the whole file on the disk and close it. Raises OSError; safe to repeat."""
        if self._descriptor >= 0:
            durable.sync_file(self._descriptor)
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, chunks: Sequence[Chunk], size: int) -> None:
        try:
            written = durable.write_all(self._descriptor, chunks)
            if written != size:
                raise OSError(f"the chunks of {self.path} hold {written} bytes, {size} were stated")
        except OSError:
            durable.truncate(self.path, self.size)
            raise
        for chunk in chunks:
            self._hash.update(chunk)
        self.size += size
