"""Whether leaves and hash tiles lead to the signed root, and if not, which file is wrong, from which entry.

A bundle's hash is said three times: by its leaves, by its tile, by the tile above. What leads to the signed root is
authentic, and whatever says otherwise is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from access_audit.verify.notes import Head
from access_audit.verify.reading import WIDTH, fold, leaf_hash, number_path, read_tile, split_bundle
from access_audit.verify.report import Finding, Flaw, Step
from access_audit.verify.scan import Chunk, compare_entries, read_leaf_hashes
from access_audit.verify.tree import Opinions, above, authentic_roots
from access_audit.verify.view import LogView


class TreeJudge:
    """The judge of one tree. `heads` are checkpoints whose signature holds, to say how far the log is as it was."""

    def __init__(self, view: LogView, head: Head, chunks: Sequence[Chunk], heads: Sequence[Head]) -> None:
        self._view = view
        self._folder = view.folder
        self._head = head
        self._chunks = chunks
        self._heads = heads

    def judge(self, step: Step) -> None:
        """Name every leaf, bundle and tile that does not lead to the root."""
        size, root = self._head.size, self._head.root
        tiles = [hashed for chunk in self._chunks for hashed in chunk.tile_roots]
        upper = above(self._folder, size, len(tiles))
        opinions = list(zip(self._view.roots, tiles, upper, strict=True))
        authentic = authentic_roots(opinions, root)
        if size and authentic is None:
            for chunk in self._chunks:
                _add(step, chunk.bundles)
            step.fail(Flaw.LOG_REWRITTEN, self._first_doubt(opinions), "no file leads to the signed root")
            return
        for number, (hashed, by_leaves, by_tile, by_upper) in enumerate(
            zip(authentic or [], self._view.roots, tiles, upper, strict=True)
        ):
            if by_leaves != hashed:
                self._blame_bundle(step, number, authentic=by_tile == hashed)
            if by_tile != hashed:
                self._blame_tile(step, number, missing=by_tile is None)
            if by_upper != hashed and (number + 1) * WIDTH <= size:
                flaw = Flaw.TILE_MISSING if by_upper is None else Flaw.TILE_CHANGED
                step.fail(flaw, number * WIDTH, "level 1")
        self._judge_upper_tiles(step, authentic or [], size)

    def _first_doubt(self, opinions: Opinions) -> int:
        """Where the files begin to contradict each other; otherwise where the newest checkpoint that holds ends."""
        for number, said in enumerate(opinions):
            if len({hashed for hashed in said if hashed is not None}) > 1 or None in said[:2]:
                return number * WIDTH
        roots = self._view.roots_at(head.size for head in self._heads)
        return max((head.size for head in self._heads if roots.get(head.size) == head.root), default=0)

    def _blame_bundle(self, step: Step, number: int, *, authentic: bool) -> None:
        first = number * WIDTH
        mine = [found for chunk in self._chunks for found in chunk.bundles if (found.index or 0) // WIDTH == number]
        if mine:
            _add(step, mine)
            return
        width = min(WIDTH, self._head.size - first)
        hashes = read_leaf_hashes(self._folder, number, width)
        if not authentic or hashes is None:
            step.fail(Flaw.ENTRY_CHANGED, first, "an entry of this bundle")
            return
        leaves = split_bundle(read_tile(self._folder, "entries", number, width) or b"")[:width]
        _add(step, compare_entries(leaves, hashes, first))

    def _blame_tile(self, step: Step, number: int, *, missing: bool) -> None:
        first = number * WIDTH
        width = min(WIDTH, self._head.size - first)
        hashes = read_leaf_hashes(self._folder, number, width)
        if missing or hashes is None:
            step.fail(Flaw.TILE_MISSING, first, "level 0")
            return
        leaves = split_bundle(read_tile(self._folder, "entries", number, width) or b"")
        place = next((at for at, leaf in enumerate(leaves[:width]) if leaf_hash(leaf) != hashes[at]), 0)
        step.fail(Flaw.TILE_CHANGED, first + place, "level 0")

    def _judge_upper_tiles(self, step: Step, authentic: list[bytes], size: int) -> None:
        hashes, level, unit = authentic[: size // WIDTH], 1, WIDTH
        while len(hashes) >= WIDTH:
            parents = [fold(hashes[start : start + WIDTH]) for start in range(0, len(hashes) - WIDTH + 1, WIDTH)]
            level, unit = level + 1, unit * WIDTH
            for number in range(-(-len(parents) // WIDTH)):
                expected = parents[number * WIDTH : (number + 1) * WIDTH]
                content = read_tile(self._folder, level, number, len(expected))
                if content is None or content[: len(expected) * 32] != b"".join(expected):
                    flaw = Flaw.TILE_MISSING if content is None else Flaw.TILE_CHANGED
                    step.fail(flaw, number * WIDTH * unit, f"level {level}")
            hashes = parents


def strangers(folder: Path, end: int) -> list[Finding]:
    """Files after the end of everything that was ever signed: somebody else has put them there."""
    number = -(-end // WIDTH)
    found: list[Finding] = []
    for name, kind in (("tile/entries", "entry bundle"), ("tile/0", "hash tile"), ("payload", "payload bundle")):
        path = folder / name / number_path(number)
        if path.exists() or path.with_name(path.name + ".p").exists():
            found.append(Finding(Flaw.FILE_FOREIGN, number * WIDTH, f"{kind} after the end of the log"))
    return found


def _add(step: Step, findings: Sequence[Finding]) -> None:
    for found in findings:
        step.fail(found.flaw, found.index, found.detail)
