"""What one shard process needs to know to start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """Where one shard keeps what it records, and where it listens.

    `folder` holds the assignments, the holds and what is still to be told; no other process writes there. `disks` are
    the folders of its stores, each on a disk of its own; none means one store in `folder`. `socket` is the Unix socket
    of its clients. `segment_seconds` is the length that a segment aims at. Below `minimum_free_bytes` of free disk
    nothing more is recorded; before that the oldest images go early, where `erase_oldest` allows it (LAW-08). A small
    stream that nobody watches any more is kept for `linger_seconds`. `reader_socket` is where the reader of foreign
    streams listens, None where there is none.
    """

    shard_name: str
    folder: Path
    socket: Path
    segment_seconds: int = 60
    minimum_free_bytes: int = 2 << 30
    linger_seconds: float = 30.0
    reader_socket: Path | None = None
    disks: tuple[Path, ...] = ()
    erase_oldest: bool = False
