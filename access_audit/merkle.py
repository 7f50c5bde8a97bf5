"""The Merkle tree of RFC 6962: hashes, roots, inclusion and consistency proofs. Values in, values out.

Nodes are named (level, index): level 0 holds the leaf hashes. Where the last node of a level has no sibling it stands
unchanged one level up, which is the tree of RFC 6962 section 2.1 seen level by level. A *range proof* shows that
several neighbours are in the tree; for one leaf it is the inclusion proof of RFC 6962, hash by hash.

Source: RFC 6962 sections 2.1 to 2.1.3; RFC 9162 section 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""The root over the leaves [start, end), where `start` is a multiple of the smallest power of two >= end - start."""


class ProofError(ValueError):
    """A proof that does not have the form that its tree asks for."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node with two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def parents(nodes: Sequence[bytes]) -> list[bytes]:
    """One level up: pairs are hashed, a last one without sibling stands as it is. The first has an even index."""
    above = [node_hash(nodes[place], nodes[place + 1]) for place in range(0, len(nodes) - 1, 2)]
    if len(nodes) % 2:
        above.append(nodes[-1])
    return above


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, or over the roots of full subtrees of one size and a smaller last one."""
    if not hashes:
        return EMPTY_ROOT
    nodes = list(hashes)
    while len(nodes) > 1:
        nodes = parents(nodes)
    return nodes[0]


def subtrees_of(hashes: Sequence[bytes]) -> Subtree:
    """The subtrees of a tree whose leaf hashes are at hand."""
    return lambda start, end: root(hashes[start:end])


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962; ProofError when there is no such leaf."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_path(old_size: int, new_size: int, subtree: Subtree) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962; empty when both sizes are equal or the old one is 0."""
    if not 0 <= old_size <= new_size:
        raise ProofError(f"no consistency from {old_size} to {new_size}")
    if old_size in {0, new_size}:
        return []
    path: list[bytes] = []
    start, end, whole = 0, new_size, True
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end))
    path.reverse()
    return path


def root_from_consistency(old_size: int, old_root: bytes, new_size: int, path: Sequence[bytes]) -> bytes:
    """The new root that a consistency proof leads to (RFC 9162 section 2.1.4.2).

    ProofError when the proof does not have the right form, or does not contain the old root.
    """
    if not 0 < old_size <= new_size:
        raise ProofError(f"no consistency from {old_size} to {new_size}")
    if old_size == new_size:
        if path:
            raise ProofError("a proof between equal sizes is empty")
        return old_root
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise ProofError("consistency proof too short")
    old_hash, new_hash = _climb_both(old_size - 1, new_size - 1, nodes)
    if old_hash != old_root:
        raise ProofError("consistency proof of another old root")
    return new_hash


def _climb_both(old_node: int, new_node: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    while old_node & 1:
        old_node, new_node = old_node >> 1, new_node >> 1
    old_hash = new_hash = nodes[0]
    for part in nodes[1:]:
        if new_node == 0:
            raise ProofError("consistency proof too long")
        if old_node & 1 or old_node == new_node:
            old_hash, new_hash = node_hash(part, old_hash), node_hash(part, new_hash)
            while old_node and not old_node & 1:
                old_node, new_node = old_node >> 1, new_node >> 1
        else:
            new_hash = node_hash(new_hash, part)
        old_node, new_node = old_node >> 1, new_node >> 1
    if new_node:
        raise ProofError("consistency proof too short")
    return old_hash, new_hash


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Leaves [first, first + count) of a tree of `size`, with all nodes above them that a proof can need.

    `levels[n]` is (index of its first node, nodes).
    """

    first: int
    count: int
    size: int
    levels: tuple[tuple[int, list[bytes]], ...]

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return self.levels[-1][1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """The inclusion proof of one of these leaves."""
        path: list[bytes] = []
        for level, (start, nodes) in enumerate(self.levels[:-1]):
            place = (index >> level ^ 1) - start
            if place < len(nodes):
                path.append(nodes[place])
        return tuple(path)

    def proof(self, first: int, count: int) -> list[bytes]:
        """The range proof of some of these leaves."""
        proof: list[bytes] = []
        low, high = first, first + count - 1
        for start, nodes in self.levels[:-1]:
            if low & 1:
                proof.append(nodes[low - 1 - start])
            if not high & 1 and high + 1 - start < len(nodes):
                proof.append(nodes[high + 1 - start])
            low, high = low >> 1, high >> 1
        return proof


def fold_range(first: int, hashes: Sequence[bytes], size: int, proof: Sequence[bytes]) -> Neighbours:
    """Climb from neighbouring leaves to the root with a range proof; ProofError when it has not the right form."""
    if not hashes or not 0 <= first <= first + len(hashes) <= size:
        raise ProofError(f"no leaves {first} to {first + len(hashes)} in a tree of {size}")
    left = list(reversed(proof))
    levels: list[tuple[int, list[bytes]]] = []
    nodes, low, width = list(hashes), first, size
    try:
        while width > 1:
            high = low + len(nodes) - 1
            if low & 1:
                nodes.insert(0, left.pop())
                low -= 1
            if not high & 1 and high + 1 < width:
                nodes.append(left.pop())
            levels.append((low, nodes))
            nodes, low, width = parents(nodes), low >> 1, width + 1 >> 1
    except IndexError:
        raise ProofError("range proof too short") from None
    if left:
        raise ProofError("range proof too long")
    levels.append((0, nodes))
    return Neighbours(first, len(hashes), size, tuple(levels))


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed of a tree in order to append: the full subtree of each set bit of its size, by level."""

    size: int
    nodes: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.nodes:
            return EMPTY_ROOT
        folded = self.nodes[0]
        for node in self.nodes[1:]:
            folded = node_hash(node, folded)
        return folded

    def grow(self, hashes: Sequence[bytes]) -> tuple[Frontier, Neighbours]:
        """The tree with more leaves, and what proves them. At least one leaf hash is given."""
        remaining = list(reversed(self.nodes))
        levels: list[tuple[int, list[bytes]]] = []
        size = self.size + len(hashes)
        nodes, low, width, level = list(hashes), self.size, size, 0
        kept: list[bytes] = []
        while True:
            old_node: bytes | None = None
            if self.size >> level & 1:
                old_node = remaining.pop()
            if low & 1:
                assert old_node is not None
                nodes.insert(0, old_node)
                low -= 1
            if size >> level & 1:
                kept.append(nodes[(size >> level) - 1 - low])
            levels.append((low, nodes))
            if width == 1:
                break
            nodes, low, width, level = parents(nodes), low >> 1, width + 1 >> 1, level + 1
        return Frontier(size, tuple(kept)), Neighbours(self.size, len(hashes), size, tuple(levels))


EMPTY_FRONTIER = Frontier(0, ())
