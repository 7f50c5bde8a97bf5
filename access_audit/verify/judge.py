"""The judge of a whole log: numbered steps, each with its verdict.

1.  Key: the key given is well-formed, and `log.pub` in the folder, if it is there, is the same.
2.  Checkpoint: `checkpoint` is a signed note of that key.
3.  Tree: leaves and hash tiles lead to the root of the checkpoint; if not, which of them is wrong, from which index.
4.  Entries: each leaf has its one byte form and stands at the index that it names.
5.  History: every kept checkpoint is signed, and is the beginning of this log; none is larger than the log.
6.  Time: the writer's instants never go back.
7.  Payloads: each payload with its salt is what its leaf commits to, and stays inside the catalogue (LAW-25, LAW-29).
8.  Expiry: a payload is missing only where the log states so, not before the floor; none has come back (LAW-28).
9.  Spools: what nodes delivered later is complete, in order, and delivered once.
10. Pending: what is in the append files and not yet published is signed and continues the tree.
11. Receipts that were given: signed, and their entry stands in the log.
12. Checkpoints known elsewhere: this log is their continuation: neither rolled back nor forked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from access_audit.verify import scan, tree
from access_audit.verify.promises import Promises
from access_audit.verify.reading import (
    WIDTH,
    Head,
    Key,
    PendingBatch,
    Unreadable,
    WrongSignature,
    chain_next,
    chain_start,
    commitment,
    fold,
    leaf_hash,
    number_path,
    read_head,
    read_key,
    read_leaf,
    read_tile,
    split_bundle,
    split_sequence,
)
from access_audit.verify.report import Finding, Flaw, Report, Step

EXPIRY_FLOOR_NS = 180 * 86_400 * 1_000_000_000
_TRIES = 5


def verify_log(
    folder: Path,
    public_key: str,
    *,
    receipts: Sequence[Mapping[str, Any]] = (),
    known: Sequence[bytes] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    workers: int | None = None,
) -> Report:
    """Judge the log in `folder` by the key of a vkey line. Never raises on what the folder holds.

    `receipts` are receipt files (`AuditReceipt.to_json`), `known` checkpoint notes that somebody else kept. The log
    may be written meanwhile: what is judged is what the checkpoint covered at the start.
    """
    return _Judge(folder, public_key, progress, workers or os.cpu_count() or 1).run(receipts, known)


class _Judge:
    def __init__(self, folder: Path, public_key: str, progress: Callable[[int, int], None], workers: int) -> None:
        self._folder = folder
        self._public_key = public_key
        self._progress = progress
        self._workers = workers
        self._report = Report()
        self._key: Key | None = None
        self._head: Head | None = None
        self._batches: list[PendingBatch] = []
        self._torn = 0
        self._history: dict[str, bytes] = {}
        self._chunks: list[scan.Chunk] = []
        self._roots: list[bytes | None] = []

    def run(self, receipts: Sequence[Mapping[str, Any]], known: Sequence[bytes]) -> Report:
        self._judge_key(self._step("key"))
        self._judge_checkpoint(self._step("checkpoint"))
        if self._key is None or self._head is None:
            for name in ("tree", "entries", "history", "time", "payloads", "expiry", "spools", "pending"):
                self._step(name).skip("unreadable")
        else:
            self._scan()
            self._judge_tree(self._step("tree"), self._head)
            self._gather(self._step("entries"), (chunk.leaves for chunk in self._chunks))
            self._judge_history(self._step("history"), self._key, self._head)
            self._judge_time(self._step("time"))
            self._gather(self._step("payloads"), (chunk.payloads for chunk in self._chunks))
            self._judge_expiry(self._step("expiry"))
            self._judge_spools(self._step("spools"))
            self._judge_pending(self._step("pending"), self._key, self._head)
        if self._key is not None:
            promises = Promises(self._folder, self._key, self._size, self._roots, self._batches)
            promises.judge_receipts(self._step("receipts"), receipts)
            promises.judge_known(self._step("known"), known)
        return self._report

    def _step(self, name: str) -> Step:
        step = Step(len(self._report.steps) + 1, name)
        self._report.steps.append(step)
        return step

    @property
    def _size(self) -> int:
        return self._head.size if self._head else 0

    def _judge_key(self, step: Step) -> None:
        try:
            self._key = read_key(self._public_key)
        except Unreadable as wrong:
            step.fail(Flaw.KEY_MISMATCH, detail=str(wrong))
            return
        self._report.origin = self._key.name
        beside = self._folder / "log.pub"
        if not beside.exists():
            return
        try:
            if read_key(beside.read_text("utf-8", "replace")) != self._key:
                step.fail(Flaw.KEY_MISMATCH, detail="log.pub holds another key")
        except Unreadable as wrong:
            step.fail(Flaw.KEY_MISMATCH, detail=f"log.pub: {wrong}")

    def _judge_checkpoint(self, step: Step) -> None:
        if self._key is None:
            step.skip("unreadable")
            return
        note = self._read_consistently()
        if note is None:
            if (self._folder / "tile" / "0").exists() or not self._batches:
                step.fail(Flaw.CHECKPOINT_MISSING)
            else:
                # A log that died between its first sync and its first publication.
                self._head = Head(self._key.name, 0, tree.Stack().root)
                step.note("unpublished", 0)
            return
        try:
            self._head = read_head(note, self._key)
        except WrongSignature as wrong:
            step.fail(Flaw.CHECKPOINT_SIGNATURE, detail=str(wrong))
        except Unreadable as wrong:
            step.fail(Flaw.CHECKPOINT_MALFORMED, detail=str(wrong))
        else:
            self._report.size, self._report.root = self._head.size, self._head.root.hex()

    def _read_consistently(self) -> bytes | None:
        """Checkpoint, append files and kept checkpoints as they were at one moment, though the log may be written."""
        note: bytes | None = None
        for _ in range(_TRIES):
            note = self._read_checkpoint()
            self._history = self._read_folder("checkpoints", "*")
            self._batches, self._torn = [], 0
            for content in self._read_folder("sequence", "*.seq").values():
                batches, torn = split_sequence(content)
                self._batches += batches
                self._torn += torn
            if self._read_checkpoint() == note:
                break
        return note

    def _read_checkpoint(self) -> bytes | None:
        try:
            return (self._folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None

    def _read_folder(self, name: str, pattern: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for path in sorted((self._folder / name).glob(pattern)):
            if path.suffix == ".part" or not path.is_file():
                continue
            try:
                found[path.name] = path.read_bytes()
            except FileNotFoundError:
                continue
        return found

    def _scan(self) -> None:
        for chunk in scan.scan(self._folder, self._size, self._workers, self._progress):
            if self._chunks and chunk.first_ns is not None and chunk.first_ns < self._chunks[-1].last_ns:
                chunk.times.insert(0, Finding(Flaw.TIME_WENT_BACK, chunk.first * WIDTH))
            self._chunks.append(chunk)
        self._roots = [hashed for chunk in self._chunks for hashed in chunk.leaf_roots]

    @staticmethod
    def _gather(step: Step, groups: Iterable[list[Finding]]) -> None:
        for group in groups:
            for found in group:
                step.fail(found.flaw, found.index, found.detail)

    def _judge_tree(self, step: Step, head: Head) -> None:
        tiles = [hashed for chunk in self._chunks for hashed in chunk.tile_roots]
        upper = tree.above(self._folder, head.size, len(tiles))
        opinions = list(zip(self._roots, tiles, upper, strict=True))
        authentic = tree.authentic_roots(opinions, head.root)
        if head.size and authentic is None:
            self._gather(step, (chunk.bundles for chunk in self._chunks))
            step.fail(Flaw.LOG_REWRITTEN, self._first_doubt(opinions), "no file leads to the signed root")
            return
        for number, (hashed, by_leaves, by_tile, by_upper) in enumerate(
            zip(authentic or [], self._roots, tiles, upper, strict=True)
        ):
            if by_leaves != hashed:
                self._blame_bundle(step, number, authentic=by_tile == hashed)
            if by_tile != hashed:
                self._blame_tile(step, number, missing=by_tile is None)
            if by_upper != hashed and (number + 1) * WIDTH <= head.size:
                flaw = Flaw.TILE_MISSING if by_upper is None else Flaw.TILE_CHANGED
                step.fail(flaw, number * WIDTH, "level 1")
        self._judge_upper_tiles(step, authentic or [], head.size)
        self._look_for_strangers(step)

    def _first_doubt(self, opinions: tree.Opinions) -> int:
        """Where the files begin to contradict each other; otherwise where the newest checkpoint that holds ends."""
        for number, said in enumerate(opinions):
            if len({hashed for hashed in said if hashed is not None}) > 1 or None in said[:2]:
                return number * WIDTH
        assert self._key is not None
        holds = 0
        heads = [head for head in map(self._try_head, self._history.values()) if head is not None]
        roots = tree.roots_at(self._folder, self._size, self._roots, [head.size for head in heads])
        for head in heads:
            if roots.get(head.size) == head.root:
                holds = max(holds, head.size)
        return holds

    def _try_head(self, note: bytes) -> Head | None:
        assert self._key is not None
        try:
            return read_head(note, self._key)
        except Unreadable:
            return None

    def _blame_bundle(self, step: Step, number: int, *, authentic: bool) -> None:
        first = number * WIDTH
        mine = [found for chunk in self._chunks for found in chunk.bundles if (found.index or 0) // WIDTH == number]
        if mine:
            self._gather(step, [mine])
            return
        width = min(WIDTH, self._size - first)
        hashes = scan.read_leaf_hashes(self._folder, number, width)
        if not authentic or hashes is None:
            step.fail(Flaw.ENTRY_CHANGED, first, "an entry of this bundle")
            return
        leaves = split_bundle(read_tile(self._folder, "entries", number, width) or b"")[:width]
        self._gather(step, [scan.compare_entries(leaves, hashes, first)])

    def _blame_tile(self, step: Step, number: int, *, missing: bool) -> None:
        first = number * WIDTH
        width = min(WIDTH, self._size - first)
        hashes = scan.read_leaf_hashes(self._folder, number, width)
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

    def _look_for_strangers(self, step: Step) -> None:
        """A bundle after the end of everything that was ever signed has been put there by somebody else."""
        end = max([self._size, *(batch.first + len(batch.leaves) for batch in self._batches)])
        number = -(-end // WIDTH)
        path = self._folder / "tile" / "entries" / number_path(number)
        if (path.exists() or path.with_name(path.name + ".p").exists()) and self._read_checkpoint_size() == self._size:
            step.fail(Flaw.FILE_FOREIGN, number * WIDTH, "a bundle after the end of the log")

    def _read_checkpoint_size(self) -> int:
        head = self._try_head(self._read_checkpoint() or b"")
        return -1 if head is None else head.size

    def _judge_history(self, step: Step, key: Key, head: Head) -> None:
        heads: list[Head] = []
        for name, note in self._history.items():
            try:
                heads.append(read_head(note, key))
            except Unreadable as wrong:
                step.fail(Flaw.HISTORY_SIGNATURE, int(name) if name.isdecimal() else None, str(wrong))
        heads += [old for old in map(self._try_head, (batch.note for batch in self._batches)) if old is not None]
        roots = tree.roots_at(self._folder, head.size, self._roots, [old.size for old in heads])
        end = max([head.size, *(batch.first + len(batch.leaves) for batch in self._batches)])
        for old in sorted(heads, key=lambda each: each.size):
            if old.size > end:
                step.fail(Flaw.LOG_ROLLED_BACK, head.size, f"a checkpoint of size {old.size} was kept")
            elif old.size <= head.size and old.size in roots and roots[old.size] != old.root:
                step.fail(Flaw.HISTORY_INCONSISTENT, old.size - 1, f"checkpoint of size {old.size}")
        step.note("checkpoints", len(self._history))

    def _judge_time(self, step: Step) -> None:
        self._gather(step, (chunk.times for chunk in self._chunks))
        steps_of_clock = sum(chunk.steps_of_clock for chunk in self._chunks)
        if steps_of_clock:
            step.note("clock_steps", steps_of_clock)

    def _judge_expiry(self, step: Step) -> None:
        statements = [each for chunk in self._chunks for each in chunk.expired]
        everywhere = max((each.before_ns for each in statements if each.controller == "*"), default=0)
        expired = 0
        for run in (run for chunk in self._chunks for run in chunk.runs):
            if run.present:
                if run.first_ns < everywhere and not self._only_control(run, everywhere):
                    step.fail(Flaw.PAYLOAD_RESTORED, run.first, "the log says that it has been erased")
                continue
            expired += run.end - run.first
            later = [each for each in statements if each.index >= run.end and each.before_ns > run.last_ns]
            if not later:
                step.fail(Flaw.PAYLOAD_MISSING, run.first, "without a statement of expiry")
            elif all(each.at_ns - run.last_ns < EXPIRY_FLOOR_NS for each in later):
                step.fail(Flaw.PAYLOAD_EXPIRED_EARLY, run.first)
        if expired:
            step.note("expired", expired)

    def _only_control(self, run: scan.Run, before_ns: int) -> bool:
        """Whether the entries of a run that should have lost their payload are all about the log itself."""
        for index in range(run.first, run.end):
            number, place = divmod(index, WIDTH)
            content = read_tile(self._folder, "entries", number, min(WIDTH, self._size - number * WIDTH)) or b""
            leaf = read_leaf(split_bundle(content)[place])
            if leaf.at_ns >= before_ns:
                return True
            if not leaf.control:
                return False
        return True

    def _judge_spools(self, step: Step) -> None:
        heads: dict[str, tuple[int, bytes]] = {}
        count = 0
        for each in (each for chunk in self._chunks for each in chunk.spooled):
            count += 1
            sequence, chain = heads.get(each.spool_id, (0, chain_start(each.spool_id)))
            if each.sequence <= sequence:
                step.fail(Flaw.SPOOL_REPLAYED, each.index, f"{each.spool_id} number {each.sequence}")
                continue
            if each.sequence > sequence + 1:
                step.fail(Flaw.SPOOL_GAP, each.index, f"{each.spool_id} jumps from {sequence} to {each.sequence}")
            elif each.chain != chain_next(chain, each.commitment):
                step.fail(Flaw.SPOOL_CHAIN, each.index, each.spool_id)
            heads[each.spool_id] = each.sequence, each.chain
        if count:
            step.note("spooled", count)

    def _judge_pending(self, step: Step, key: Key, head: Head) -> None:
        stack = tree.stack_at(self._folder, head.size, self._roots)
        if self._torn:
            step.note("torn", self._torn)
        for batch in self._batches:
            if batch.first + len(batch.leaves) <= head.size:
                continue
            if stack is None:
                step.skip("unreadable")
                return
            if batch.first != stack.size:
                step.fail(Flaw.PENDING_GAP, stack.size, f"the next batch begins at {batch.first}")
                return
            for place, leaf in enumerate(batch.leaves):
                stack.push(leaf_hash(leaf))
                if not _fits(leaf, batch.first + place, *batch.payloads[place]):
                    step.fail(Flaw.PENDING_CHANGED, batch.first + place, "payload or salt")
            try:
                signed = read_head(batch.note, key)
            except Unreadable as wrong:
                step.fail(Flaw.PENDING_CHANGED, batch.first, str(wrong))
                return
            if (signed.size, signed.root) != (stack.size, stack.root):
                step.fail(Flaw.PENDING_CHANGED, batch.first, "the batch does not lead to its checkpoint")
                return
            self._report.pending += len(batch.leaves)


def _fits(content: bytes, index: int, salt: bytes, payload: bytes) -> bool:
    try:
        leaf = read_leaf(content)
    except Unreadable:
        return False
    return (
        leaf.index == index
        and leaf.commitment == commitment(salt, payload)
        and not scan.check_payload(payload, leaf.control)[0]
    )
