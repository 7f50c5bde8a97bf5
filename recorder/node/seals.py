"""Reads from the folder of an access log what it says of recordings: seals by the hour, and erasures.

The folder is only read, whether the log's writer runs or not. What is taken from it belongs to the signed checkpoint:
the leaves make the tree that it signs, and every payload is the one that its leaf commits to. Whether the log is whole
in every other way is for `vms audit verify` to say.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from access_audit import layout
from access_audit.checkpoint import CheckpointError, LogKey, open_note
from access_audit.events import AccessEvent, EventKind
from access_audit.format import FormatError, commitment, parse_leaf, parse_payload
from access_audit.merkle import EMPTY_FRONTIER, leaf_hash
from access_audit.tiles import TileError, read_leaves, read_payloads
from recorder.store.sealing import Seal, SealBook, SealedErasure, hour_of
from vms.base.errors import ErrorKind, VmsError

_MARKS = (b'"recording.collected"', b'"recording.erased"')


def read_seals(folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> SealBook:
    """Everything that the published log says of recordings. Blocks.

    Raises VmsError `audit.no_log` (not_found) or `audit.tampered` (corrupt).
    """
    try:
        key = LogKey.parse((folder / layout.LOG_KEY).read_text(encoding="ascii"))
        note = (folder / layout.CHECKPOINT).read_bytes()
    except OSError as missing:
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.no_log",
            f"Il n’y a pas de journal des accès lisible dans {folder}.",
            hint="Indiquez son dossier avec --journal, ou contrôlez sans lui avec --no-seals.",
            detail=repr(missing),
        ) from None
    try:
        checkpoint = open_note(note, key).checkpoint
        return _read(folder, checkpoint.size, checkpoint.root, progress)
    except (CheckpointError, FormatError, TileError, OSError) as wrong:
        raise VmsError(
            ErrorKind.CORRUPT,
            "audit.tampered",
            "Le journal des accès est altéré ou incomplet : ses scellés ne prouvent rien.",
            hint="Lancez « vms audit verify » pour savoir ce qui a changé ; gardez une copie du dossier.",
            detail=str(wrong),
        ) from None


def _read(folder: Path, size: int, root: bytes, progress: Callable[[int, int], None]) -> SealBook:
    seals: dict[str, dict[int, Seal]] = {}
    erasures: dict[str, list[SealedErasure]] = {}
    frontier = EMPTY_FRONTIER
    for first in range(0, size, layout.TILE_WIDTH):
        number = first // layout.TILE_WIDTH
        leaves = read_leaves(folder, number, min(layout.TILE_WIDTH, size - first))
        frontier, _ = frontier.grow([leaf_hash(leaf) for leaf in leaves])
        for place, stored in enumerate(read_payloads(folder, number)[: len(leaves)]):
            if stored is None or not any(mark in stored.payload for mark in _MARKS):
                continue
            if commitment(stored.salt, stored.payload) != parse_leaf(leaves[place]).commitment:
                raise FormatError(f"entry {first + place} is not what the tree holds")
            _take(parse_payload(stored.payload), first + place, seals, erasures)
        progress(min(first + layout.TILE_WIDTH, size), size)
    if frontier.root != root:
        raise FormatError("the entries are not those that the checkpoint signs")
    return SealBook(seals, {camera_id: tuple(found) for camera_id, found in erasures.items()}, size)


def _take(
    event: AccessEvent, entry: int, seals: dict[str, dict[int, Seal]], erasures: dict[str, list[SealedErasure]]
) -> None:
    details = event.details
    if event.kind is EventKind.RECORDING_COLLECTED:
        hour_ns = hour_of(event.range_start_ns)
        seals.setdefault(event.camera_id, {})[hour_ns] = Seal(
            event.camera_id,
            hour_ns,
            int(details["segments"]),
            details["digest"],
            details.get("previous", ""),
            details.get("last", ""),
            entry,
        )
    elif event.kind is EventKind.RECORDING_ERASED:
        erasures.setdefault(event.camera_id, []).append(
            SealedErasure(
                event.camera_id,
                event.range_start_ns,
                event.range_end_ns,
                int(details["segments"]),
                details.get("cause", ""),
                entry,
            )
        )
