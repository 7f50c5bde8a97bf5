"""Roots at any size, and the question who tells the truth: bundles, tiles or tiles above them."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import product
from pathlib import Path

from access_audit.verify.reading import WIDTH, fold, leaf_hash, read_tile, split_bundle


class Stack:
    """A growing tree that keeps only what its root needs."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[tuple[int, bytes]] = []

    def push(self, hashed: bytes, width: int = 1) -> None:
        """Add one subtree of `width` leaves, a power of two that divides the size so far."""
        self.size += width
        while self._nodes and self._nodes[-1][0] == width:
            hashed = hashlib.sha256(b"\x01" + self._nodes.pop()[1] + hashed).digest()
            width *= 2
        self._nodes.append((width, hashed))

    def copy(self) -> Stack:
        """The same tree, to grow on its own."""
        other = Stack()
        other.size, other._nodes = self.size, self._nodes[:]
        return other

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self._nodes:
            return hashlib.sha256(b"").digest()
        found = self._nodes[-1][1]
        for _, node in reversed(self._nodes[:-1]):
            found = hashlib.sha256(b"\x01" + node + found).digest()
        return found


def roots_at(folder: Path, size: int, bundle_roots: list[bytes | None], sizes: list[int]) -> dict[int, bytes]:
    """The roots of the log at some sizes up to its own, from its bundles; a size that cannot be known is left out."""
    wanted = sorted({each for each in sizes if 0 < each <= size})
    found: dict[int, bytes] = {}
    stack = Stack()
    for number, hashed in enumerate(bundle_roots):
        while wanted and wanted[0] < (number + 1) * WIDTH:
            each = wanted.pop(0)
            inside = _partial(folder, number, each, size, stack)
            if inside is not None:
                found[each] = inside
        if hashed is None:
            return found
        if (number + 1) * WIDTH > size:
            break
        stack.push(hashed, WIDTH)
        if wanted and wanted[0] == stack.size:
            found[wanted.pop(0)] = stack.root
    return found


def stack_at(folder: Path, size: int, bundle_roots: list[bytes | None]) -> Stack | None:
    """The tree of the whole published log, to go on from; None when bundles are missing."""
    stack = Stack()
    for hashed in bundle_roots[: size // WIDTH]:
        if hashed is None:
            return None
        stack.push(hashed, WIDTH)
    if size % WIDTH:
        return stack if _push_leaves(stack, folder, size // WIDTH, size % WIDTH, size) else None
    return stack


def _partial(folder: Path, number: int, size: int, log_size: int, stack: Stack) -> bytes | None:
    width = size - number * WIDTH
    if not width:
        return stack.root
    grown = stack.copy()
    return grown.root if _push_leaves(grown, folder, number, width, log_size) else None


def _push_leaves(stack: Stack, folder: Path, number: int, width: int, log_size: int) -> bool:
    content = read_tile(folder, "entries", number, min(WIDTH, log_size - number * WIDTH))
    try:
        leaves = split_bundle(content or b"")[:width]
    except ValueError:
        return False
    for leaf in leaves:
        stack.push(leaf_hash(leaf))
    return len(leaves) == width


def above(folder: Path, size: int, count: int) -> list[bytes | None]:
    """What the tiles of level 1 say of each bundle; None where they say nothing."""
    said: list[bytes | None] = []
    full = size // WIDTH
    for number in range(-(-full // WIDTH)):
        width = min(WIDTH, full - number * WIDTH)
        content = read_tile(folder, 1, number, width) or b""
        said += [content[place * 32 : place * 32 + 32] or None for place in range(width)]
    return said + [None] * (count - len(said))


Opinions = list[tuple[bytes | None, bytes | None, bytes | None]]
"""Per bundle: the hash by its leaves, by its tile, by the tile above."""


def authentic_roots(opinions: Opinions, root: bytes) -> list[bytes] | None:
    """The bundle hashes that lead to the signed root, out of what the files say; None when none of it does."""
    if not opinions:
        return []
    *full, last = opinions
    bodies = [_column(full, column) for column in range(3)] + [_majority(full)]
    tails = {hashed for hashed in last if hashed is not None}
    for body, tail in product(bodies, tails):
        if body is not None and fold([*body, tail]) == root:
            return [*body, tail]
    return None


def _column(opinions: Opinions, column: int) -> list[bytes] | None:
    chosen = [each[column] for each in opinions]
    return None if None in chosen else [hashed for hashed in chosen if hashed is not None]


def _majority(opinions: Opinions) -> list[bytes] | None:
    chosen: list[bytes] = []
    for each in opinions:
        votes = Counter(hashed for hashed in each if hashed is not None)
        if not votes:
            return None
        chosen.append(votes.most_common(1)[0][0])
    return chosen
