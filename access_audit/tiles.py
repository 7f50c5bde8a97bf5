"""From batches to tiles: publishing what has been sequenced.

Publishing writes, in this order: payload bundles, entry bundles, hash tiles, and, when all of them are on the disk, the
checkpoint. A crash in between leaves files that the old checkpoint does not speak of and that the next run writes
again with the same bytes. Partial tiles stay until their full tile is published, so that a client that holds an older
checkpoint finds what it names (C2SP tlog-tiles).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from access_audit import layout
from access_audit.format import (
    Leaf,
    StoredPayload,
    decode_bundle,
    decode_payloads,
    encode_bundle,
    encode_payloads,
    parse_leaf,
)
from access_audit.merkle import HASH_BYTES, Frontier, leaf_hash, root
from access_audit.sequence import Batch
from vms.base import durable

WIDTH = layout.TILE_WIDTH


class TileError(ValueError):
    """A tile, bundle or payload file that is missing, cut or does not fit its checkpoint."""


def read_hashes(folder: Path, level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile; its full form serves for a partial one."""
    content = _read_tile(folder, level, number, width)
    if len(content) < width * HASH_BYTES:
        raise TileError(f"tile {level}/{number} is cut")
    return [content[place : place + HASH_BYTES] for place in range(0, width * HASH_BYTES, HASH_BYTES)]


def read_leaves(folder: Path, number: int, width: int) -> list[bytes]:
    """The first `width` leaves of an entry bundle."""
    leaves = decode_bundle(_read_tile(folder, layout.ENTRIES, number, width))
    if len(leaves) < width:
        raise TileError(f"entry bundle {number} is cut")
    return leaves[:width]


def read_payloads(folder: Path, number: int) -> list[StoredPayload | None]:
    """The payloads beside an entry bundle; some may be of entries not yet published."""
    try:
        return decode_payloads((folder / layout.payload_path(number)).read_bytes())
    except FileNotFoundError:
        raise TileError(f"payloads of bundle {number} are missing") from None


def _read_tile(folder: Path, level: int | str, number: int, width: int) -> bytes:
    for candidate in (width, WIDTH):
        path = folder / layout.tile_path(level, number, candidate)
        if path.exists():
            return path.read_bytes()
    raise TileError(f"tile {level}/{number} of width {width} is missing")


@dataclass(slots=True)
class _Edge:
    """The right edge of the published tree: what the next entries are added to."""

    size: int
    leaves: list[bytes] = field(default_factory=list)
    payloads: list[StoredPayload | None] = field(default_factory=list)
    hashes: list[list[bytes]] = field(default_factory=lambda: [[]])

    def copy(self) -> _Edge:
        return _Edge(self.size, self.leaves[:], self.payloads[:], [level[:] for level in self.hashes])


class TileWriter:
    """Publishes batches into the tiles of a log. One thread at a time; a failed call can be made again."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._edge = read_edge(folder, size)
        self._obsolete: list[int] = []

    @property
    def size(self) -> int:
        """How many entries are published."""
        return self._edge.size

    def frontier(self) -> Frontier:
        """The tree of what is published, as the tiles have it."""
        return frontier_of(self._edge.size, self._edge.hashes)

    def publish(self, batches: Sequence[Batch]) -> None:
        """Add whole batches, then replace the checkpoint by that of the last one.

        After an OSError `size` says whether they are published; if so, only partial tiles are left over, which the
        next call removes.
        """
        edge = self._edge.copy()
        full: list[int] = []
        for batch in batches:
            if batch.first != edge.size:
                raise TileError(f"batch at {batch.first} does not follow {edge.size}")
            for leaf, stored in zip(batch.leaves, batch.payloads, strict=True):
                edge.leaves.append(leaf)
                edge.payloads.append(stored)
                edge.hashes[0].append(leaf_hash(leaf))
                edge.size += 1
                if len(edge.leaves) == WIDTH:
                    full.append((edge.size - 1) // WIDTH)
                    self._close_bundle(edge)
        self._write_partial(edge)
        durable.write_atomic(self._folder / layout.CHECKPOINT, batches[-1].note)
        self._edge = edge
        self._obsolete += full
        while self._obsolete:
            self._drop_partials(self._obsolete[0])
            del self._obsolete[0]

    def erase(self, number: int, expired: Callable[[Leaf, StoredPayload], bool]) -> list[int]:
        """Erase the payloads of one published bundle for which `expired` holds; the indices of those that went.

        The file is read, not what is remembered of it: after an OSError the call can be made again.
        """
        edge = self._edge
        width = min(WIDTH, edge.size - number * WIDTH)
        leaves = read_leaves(self._folder, number, width)
        kept = read_payloads(self._folder, number)[:width]
        gone: list[int] = []
        for place, stored in enumerate(kept):
            if stored is not None and expired(parse_leaf(leaves[place]), stored):
                kept[place] = None
                gone.append(number * WIDTH + place)
        if number == edge.size // WIDTH:
            # Before the file, so that no publication brings back what a failure left half done.
            edge.payloads = kept
        if gone:
            self._write(layout.payload_path(number), encode_payloads(kept))
        return gone

    def _close_bundle(self, edge: _Edge) -> None:
        number = (edge.size - 1) // WIDTH
        self._write(layout.payload_path(number), encode_payloads(edge.payloads))
        self._write(layout.tile_path(layout.ENTRIES, number), encode_bundle(edge.leaves))
        edge.leaves, edge.payloads = [], []
        level = 0
        while len(edge.hashes[level]) == WIDTH:
            self._write(layout.tile_path(level, number), b"".join(edge.hashes[level]))
            above = root(edge.hashes[level])
            edge.hashes[level] = []
            level += 1
            if level == len(edge.hashes):
                edge.hashes.append([])
            edge.hashes[level].append(above)
            number //= WIDTH

    def _write_partial(self, edge: _Edge) -> None:
        number = edge.size // WIDTH
        if edge.leaves:
            self._write(layout.payload_path(number), encode_payloads(edge.payloads))
            self._write(layout.tile_path(layout.ENTRIES, number, len(edge.leaves)), encode_bundle(edge.leaves))
        for level, hashes in enumerate(edge.hashes):
            path = layout.tile_path(level, number, len(hashes))
            if hashes and (level == 0 or not (self._folder / path).exists()):
                self._write(path, b"".join(hashes))
            number //= WIDTH

    def _write(self, relative: Path, content: bytes) -> None:
        path = self._folder / relative
        durable.make_folder(path.parent)
        durable.write_atomic(path, content)

    def _drop_partials(self, number: int) -> None:
        self._drop(layout.tile_path(layout.ENTRIES, number, 1).parent)
        level = 0
        while True:
            self._drop(layout.tile_path(level, number, 1).parent)
            if number % WIDTH != WIDTH - 1:
                return
            number //= WIDTH
            level += 1

    def _drop(self, relative: Path) -> None:
        folder = self._folder / relative
        if folder.is_dir():
            for path in folder.iterdir():
                durable.remove(path)
            durable.remove_empty_folder(folder)


def read_edge(folder: Path, size: int) -> _Edge:
    """The right edge of a published tree; TileError or FormatError when the files do not fit each other."""
    edge = _Edge(size)
    width = size % WIDTH
    if width:
        edge.leaves = read_leaves(folder, size // WIDTH, width)
        edge.payloads = read_payloads(folder, size // WIDTH)[:width]
        if len(edge.payloads) < width:
            raise TileError(f"payloads of bundle {size // WIDTH} are cut")
        edge.hashes[0] = [leaf_hash(leaf) for leaf in edge.leaves]
    level, nodes = 1, size // WIDTH
    while nodes:
        width = nodes % WIDTH
        edge.hashes.append(read_hashes(folder, level, nodes // WIDTH, width) if width else [])
        level, nodes = level + 1, nodes // WIDTH
    return edge


def frontier_of(size: int, hashes: Sequence[Sequence[bytes]]) -> Frontier:
    """The frontier of a tree from the hashes of its last tile at each tile level."""
    nodes: list[bytes] = []
    for level in hashes:
        start = len(level)
        width = 1
        while width < WIDTH:
            if len(level) & width:
                nodes.append(root(level[start - width : start]))
                start -= width
            width <<= 1
    return Frontier(size, tuple(nodes))


class TreeReader:
    """Roots of subtrees of the published log, read from its tiles."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def subtree(self, start: int, end: int) -> bytes:
        """The root over the leaves [start, end); see `merkle.Subtree`. TileError when a tile is missing or cut."""
        level, unit = 0, 1
        while unit * WIDTH <= end - start:
            level, unit = level + 1, unit * WIDTH
        whole = [self._hash(level, place) for place in range(start // unit, end // unit)]
        rest = end // unit * unit
        if rest == end:
            return root(whole)
        # The remainder is smaller than one unit, so it stands as the last, smaller subtree.
        return root([*whole, self.subtree(rest, end)])

    def _hash(self, level: int, place: int) -> bytes:
        number = place // WIDTH
        hashes = self._tiles.get((level, number))
        if hashes is None:
            nodes = self._size >> layout.TILE_HEIGHT * level
            hashes = read_hashes(self._folder, level, number, min(WIDTH, nodes - number * WIDTH))
            self._tiles[level, number] = hashes
        return hashes[place % WIDTH]
