"""What a store may be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """One disk's store.

    `min_free_bytes` is the space below which no segment is begun (and those open are closed, cause `disk`).
    `sync_interval_s` bounds what a power cut can take of a stream; a killed process takes less, see `DiskWriter`.
    `queue_bytes` bounds what waits in memory for the disk, over all cameras: eight seconds of 250 cameras of 4 Mb/s, as
    a disk may stand still while others sync. A `retired` disk is no longer recorded on: what is there is shown, kept
    and erased as elsewhere.
    """

    folder: Path
    min_free_bytes: int = 2 * GIB
    sync_interval_s: float = 10.0
    queue_bytes: int = GIB
    retired: bool = False
