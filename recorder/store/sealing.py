"""What the access log keeps of recorded segments: one seal a camera and hour, and what was erased. Pure.

A seal states how many segments began in the hour, one digest over theirs, the digest that the first of them follows on
and the one by which the last is followed (LAW-40). Parts of a segment that was cut for a hold bear the digest of the
whole, and count as it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND

HOUR_NS = 3_600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Seal:
    """One entry of the log on one hour of a camera. Digests are hexadecimal; those of the chain may be empty.

    `entry` is the number of the entry in the log.
    """

    camera_id: str
    hour_ns: int
    segments: int
    digest: str
    first_previous: str
    last: str
    entry: int


@dataclass(frozen=True, slots=True)
class SealedErasure:
    """One entry of the log on images of a camera that were erased."""

    camera_id: str
    start_ns: int
    end_ns: int
    segments: int
    cause: str
    entry: int


@dataclass(frozen=True, slots=True)
class SealBook:
    """What the log says of recordings, by camera; of several seals on one hour the last one counts."""

    seals: dict[str, dict[int, Seal]]
    erasures: dict[str, tuple[SealedErasure, ...]]
    entries: int


def hour_of(instant_ns: int) -> int:
    """The start of the hour of an instant."""
    return instant_ns // HOUR_NS * HOUR_NS


def chain_of(segments: Iterable[StoredSegment]) -> list[bytes]:
    """The digests by which these segments are known in the chain, in the order of time, each once."""
    ordered = sorted(segments, key=lambda one: (one.start_ns, one.segment_id))
    return list(dict.fromkeys(one.chained_digest for one in ordered))


def digest_over(chain: Sequence[bytes]) -> str:
    """SHA-256, in hexadecimal, over the digests of a chain."""
    return hashlib.sha256(b"".join(chain)).hexdigest()
