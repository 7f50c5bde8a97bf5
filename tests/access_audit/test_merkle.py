"""The tree against RFC 6962's reference vectors, and against itself over every small size."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access_audit.merkle import (
    EMPTY_FRONTIER,
    EMPTY_ROOT,
    ProofError,
    consistency_path,
    fold_range,
    inclusion_path,
    leaf_hash,
    root,
    root_from_consistency,
    subtrees_of,
)
from access_audit.verify.notes import Unreadable
from access_audit.verify.reading import fold, root_of_path
from access_audit.verify.tree import Stack

# The inputs and roots of the reference implementation of RFC 6962 (certificate-transparency, merkle_tree_test).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def hashes_of(count: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count)]


def continues(old_size: int, old_root: bytes, new_size: int, path: list[bytes], new_root: bytes) -> bool:
    try:
        return root_from_consistency(old_size, old_root, new_size, path) == new_root
    except ProofError:
        return False


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_of_the_reference_are_reached(size: int):
    assert root(HASHES[:size]).hex() == ROOTS[size - 1]
    assert fold(HASHES[:size]).hex() == ROOTS[size - 1]
    assert root([]) == EMPTY_ROOT == fold([])


def test_the_inclusion_proofs_of_the_reference_are_made():
    path = inclusion_path(5, 8, subtrees_of(HASHES))
    assert [part.hex() for part in path] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_of_every_small_tree_is_proved(size: int):
    hashes = hashes_of(size)
    for index in range(size):
        path = inclusion_path(index, size, subtrees_of(hashes))
        assert fold_range(index, [hashes[index]], size, path).root == root(hashes)
        assert root_of_path(index, size, hashes[index], path) == root(hashes)
        with pytest.raises(ProofError):
            fold_range(index, [hashes[index]], size, [*path, hashes[0]])
        with pytest.raises(Unreadable):
            root_of_path(index, size, hashes[index], [*path, hashes[0]])
        if path:
            with pytest.raises(ProofError):
                fold_range(index, [hashes[index]], size, path[:-1])


@pytest.mark.parametrize("new_size", range(1, 34))
def test_every_small_tree_is_shown_to_continue_every_smaller_one(new_size: int):
    hashes = hashes_of(new_size)
    for old_size in range(1, new_size + 1):
        path = consistency_path(old_size, new_size, subtrees_of(hashes))
        old_root = root(hashes[:old_size])
        assert root_from_consistency(old_size, old_root, new_size, path) == root(hashes)
        if old_size < new_size:
            assert not continues(old_size, hashes[0][::-1], new_size, path, root(hashes))
            with pytest.raises(ProofError):
                root_from_consistency(old_size, old_root, new_size, path[:-1])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=6), st.data())
def test_a_tree_that_grows_in_batches_is_the_tree_of_all_its_leaves(counts: list[int], data: st.DataObject):
    hashes = hashes_of(sum(counts))
    frontier, stack, start = EMPTY_FRONTIER, Stack(), 0
    for count in counts:
        part = hashes[start : start + count]
        frontier, neighbours = frontier.grow(part)
        for hashed in part:
            stack.push(hashed)
        start += count
        expected = root(hashes[:start])
        assert frontier.root == neighbours.root == stack.root == expected
        first = data.draw(st.integers(start - count, start - 1))
        length = data.draw(st.integers(1, start - first))
        proof = neighbours.proof(first, length)
        folded = fold_range(first, hashes[first : first + length], start, proof)
        assert folded.root == expected
        for tree in (folded, neighbours):
            assert list(tree.path(first)) == inclusion_path(first, start, subtrees_of(hashes[:start]))


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 400), st.data())
def test_a_changed_leaf_or_hash_never_leads_to_the_root(size: int, data: st.DataObject):
    hashes = hashes_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, subtrees_of(hashes))
    forged = bytes((hashes[index][0] ^ 1,)) + hashes[index][1:]
    assert fold_range(index, [forged], size, path).root != root(hashes)
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        path[place] = bytes((path[place][0] ^ 1,)) + path[place][1:]
        assert fold_range(index, [hashes[index]], size, path).root != root(hashes)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int):
    with pytest.raises(ProofError):
        inclusion_path(index, size, subtrees_of(hashes_of(4)))
    with pytest.raises(ProofError):
        fold_range(index, [hashes_of(1)[0]], size, [])
