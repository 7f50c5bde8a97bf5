"""The judge of a whole log: numbered steps, each with its verdict.

1.  Key: the key given is well-formed, and `log.pub` in the folder, if it is there, is a key of the same log.
2.  Hand-overs: from the first key on, each change of key is signed by the old key and the new one, and is an entry.
3.  Checkpoint: `checkpoint` is a signed note of the key in force.
4.  Tree: leaves and hash tiles lead to the root of the checkpoint; if not, which of them is wrong, from which index.
5.  Entries: each leaf has its one byte form and stands at the index that it names.
6.  History: every kept checkpoint is signed, and is the beginning of this log; none is larger than the log.
7.  Time: the writer's instants never go back; where its clock did, an entry states it.
8.  Payloads: each payload with its salt is what its leaf commits to, and stays inside the catalogue (LAW-25, LAW-29).
9.  Expiry: a payload is missing only where the log states so, not before the floor; none has come back (LAW-28).
10. Spools: what nodes delivered later is complete, in order, and delivered once.
11. Pending: what is in the append files and not yet published is signed and continues the tree.
12. Time-stamps of third parties: they are an authority's, and about this log.
13. Cosignatures of witnesses: they hold, and are about this log.
14. Receipts that were given: signed, and their entry stands in the log.
15. Checkpoints known elsewhere: this log is their continuation: neither rolled back nor forked.
16. Spools of nodes that were given: what a node kept of its own is what the log has of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from access_audit.verify.anchors import Anchors, Attestations, Trust, read_attestations
from access_audit.verify.blame import TreeJudge, strangers
from access_audit.verify.expiry import judge_expiry
from access_audit.verify.handovers import KEY_CHANGED, find_hand_overs, follow
from access_audit.verify.notes import (
    Head,
    Key,
    KeyChain,
    OtherKeysTurn,
    Unreadable,
    WrongSignature,
    read_head,
    read_key,
)
from access_audit.verify.promises import Promises
from access_audit.verify.reading import (
    WIDTH,
    Leaf,
    PendingBatch,
    commitment,
    leaf_hash,
    read_leaf,
    split_sequence,
)
from access_audit.verify.report import Finding, Flaw, Report, Step
from access_audit.verify.scan import Chunk, Spooled, check_payload, scan
from access_audit.verify.spoolfiles import KeptSpool, judge_spool_files, read_spool
from access_audit.verify.spools import judge_spools
from access_audit.verify.tree import Stack, stack_at
from access_audit.verify.view import LogView

_TRIES = 5
_OF_THE_LOG = ("tree", "entries", "history", "time", "payloads", "expiry", "spools", "pending")


def verify_log(
    folder: Path,
    public_key: str,
    *,
    receipts: Sequence[Mapping[str, Any]] = (),
    known: Sequence[bytes] = (),
    spools: Sequence[Path] = (),
    anchors: Path | None = None,
    trust: Trust | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    workers: int | None = None,
) -> Report:
    """Judge the log in `folder` by the key of a vkey line. Never raises on what the folder holds.

    `receipts` are receipt files (`AuditReceipt.to_json`), `known` checkpoint notes that somebody else kept, `spools`
    spool folders of nodes, `anchors` a folder of anchors that somebody else kept (otherwise that of the log). The log
    may be written meanwhile: what is judged is what the checkpoint covered at the start. ValueError when `trust` holds
    no keys and certificates, OSError when a spool is not there.
    """
    judge = _Judge(folder, public_key, progress, workers or os.cpu_count() or 1)
    # Before the checkpoint, so that nothing of it is newer while the log is written.
    attestations = read_attestations(anchors or folder / "anchors", trust or Trust())
    kept = [read_spool(each) for each in spools]
    judge.judge_log()
    judge.judge_others(attestations, receipts, known, kept)
    return judge.report


class _Judge:
    def __init__(self, folder: Path, public_key: str, progress: Callable[[int, int], None], workers: int) -> None:
        self._folder = folder
        self._public_key = public_key
        self._progress = progress
        self._workers = workers
        self._keys: KeyChain | None = None
        self._proved: KeyChain | None = None
        self._head: Head | None = None
        self._batches: list[PendingBatch] = []
        self._torn = 0
        self._history: dict[str, bytes] = {}
        self._chunks: list[Chunk] = []
        self._spooled: list[Spooled] = []
        self._view = LogView(folder, 0, [])
        self.report = Report()

    def judge_log(self) -> None:
        """The steps that need the folder and the key alone."""
        key = self._judge_key(self._step("key"))
        hand_overs, checkpoint = self._step("hand_overs"), self._step("checkpoint")
        if key is None:
            for step in (hand_overs, checkpoint):
                step.skip("unreadable")
        else:
            note = self._read_consistently()
            self._keys = self._proved = follow(hand_overs, key, find_hand_overs(self._folder, self._batches))
            self._judge_checkpoint(checkpoint, note, self._judge_beside(self.report.steps[0], self._keys))
        if self._keys is None or self._head is None:
            for name in _OF_THE_LOG:
                self._step(name).skip("unreadable")
            return
        self._scan(self._head)
        tree = self._step("tree")
        TreeJudge(self._view, self._head, self._chunks, self._own_heads()).judge(tree)
        self._judge_strangers(tree)
        self._judge_hand_overs(hand_overs)
        _gather(self._step("entries"), (chunk.leaves for chunk in self._chunks))
        self._judge_history(self._step("history"), self._keys)
        time = self._step("time")
        _gather(self._step("payloads"), (chunk.payloads for chunk in self._chunks))
        judge_expiry(self._step("expiry"), self._chunks, self._view)
        spools = self._step("spools")
        late = self._judge_pending(self._step("pending"), self._keys, self._head)
        self._judge_time(time, late)
        self._spooled = [each for chunk in self._chunks for each in chunk.spooled]
        self._spooled += [_spooled(leaf) for leaf in late if leaf.spool]
        judge_spools(spools, self._spooled)

    def judge_others(
        self,
        attestations: Attestations,
        receipts: Sequence[Mapping[str, Any]],
        known: Sequence[bytes],
        spools: Sequence[KeptSpool],
    ) -> None:
        """The steps about what others attest, hold or know."""
        timestamps, witnesses = self._step("timestamps"), self._step("witnesses")
        if self._keys is None or self._head is None:
            timestamps.skip("unreadable")
            witnesses.skip("unreadable")
        else:
            anchored = Anchors(attestations, self._view, self._keys)
            anchored.judge_timestamps(timestamps)
            anchored.judge_witnesses(witnesses)
        if self._keys is not None:
            promises = Promises(self._view, self._keys)
            promises.judge_receipts(self._step("receipts"), receipts)
            promises.judge_known(self._step("known"), known)
            judge_spool_files(self._step("spool_files"), spools, self._spooled, self._view.end)

    def _step(self, name: str) -> Step:
        step = Step(len(self.report.steps) + 1, name)
        self.report.steps.append(step)
        return step

    def _judge_key(self, step: Step) -> Key | None:
        try:
            key = read_key(self._public_key)
        except Unreadable as wrong:
            step.fail(Flaw.KEY_MISMATCH, detail=str(wrong))
            return None
        self.report.origin = key.name
        return key

    def _judge_beside(self, step: Step, keys: KeyChain) -> Key | None:
        beside = self._folder / "log.pub"
        if not beside.exists():
            return None
        try:
            key = read_key(beside.read_text("utf-8", "replace"))
        except (OSError, Unreadable) as wrong:
            step.fail(Flaw.KEY_MISMATCH, detail=f"log.pub: {wrong}")
            return None
        if key not in keys.keys:
            step.fail(Flaw.KEY_MISMATCH, detail="log.pub holds another key")
        return key

    def _judge_strangers(self, step: Step) -> None:
        """What lies after the end; a log that is written meanwhile has signed it before it wrote it there."""
        found = strangers(self._folder, self._view.end)
        if not found:
            return
        batches = (split_sequence(content)[0] for content in self._read_folder("sequence", "*.seq").values())
        ends = [batch.first + len(batch.leaves) for part in batches for batch in part]
        signed = max([self._read_size(), self._view.end, *ends])
        _gather(step, [[each for each in found if (each.index or 0) >= signed]])

    def _judge_hand_overs(self, step: Step) -> None:
        """Each hand-over is an entry like any other, and each such entry is a hand-over that holds."""
        assert self._proved is not None
        logged = {index for chunk in self._chunks for index in chunk.hand_overs}
        named = {found.index for found in step.findings}
        changes = {change for change in self._proved.changes if change < self._view.size}
        for index in sorted(logged.symmetric_difference(changes) - named):
            step.fail(Flaw.HAND_OVER, index, "chain of keys and entries differ")

    def _judge_checkpoint(self, step: Step, note: bytes | None, beside: Key | None) -> None:
        assert self._keys is not None
        if note is None:
            if (self._folder / "tile" / "0").exists() or not self._batches:
                step.fail(Flaw.CHECKPOINT_MISSING)
            else:
                # A log that died between its first sync and its first publication.
                self._head = Head(self._keys.name, 0, Stack().root)
                step.note("unpublished", 0)
            return
        try:
            self._head = read_head(note, self._keys)
        except OtherKeysTurn as wrong:
            step.fail(Flaw.KEY_OUT_OF_TURN, detail=str(wrong))
        except WrongSignature as wrong:
            step.fail(Flaw.CHECKPOINT_SIGNATURE, detail=str(wrong))
            self._go_on_with(beside, note)
        except Unreadable as wrong:
            step.fail(Flaw.CHECKPOINT_MALFORMED, detail=str(wrong))
        if self._head is not None:
            self.report.size, self.report.root = self._head.size, self._head.root.hex()

    def _go_on_with(self, beside: Key | None, note: bytes) -> None:
        """The log has failed; with the key beside it the other steps can still say where (say, a lost hand-over)."""
        assert self._keys is not None
        if beside is None or beside.name != self._keys.name or beside in self._keys.keys:
            return
        newest = max((head.size for head in self._own_heads()), default=0)
        keys = KeyChain((*self._keys.keys, beside), (*self._keys.changes, newest))
        try:
            self._head = read_head(note, keys)
        except Unreadable:
            return
        self._keys = keys

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
        except OSError:
            return None

    def _read_size(self) -> int:
        head = self._try_head(self._read_checkpoint() or b"")
        return 0 if head is None else head.size

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

    def _scan(self, head: Head) -> None:
        for chunk in scan(self._folder, head.size, self._workers, self._progress):
            if self._chunks and chunk.first_ns is not None and chunk.first_ns < self._chunks[-1].last_ns:
                chunk.times.insert(0, Finding(Flaw.TIME_WENT_BACK, chunk.first * WIDTH))
            self._chunks.append(chunk)
        roots = [hashed for chunk in self._chunks for hashed in chunk.leaf_roots]
        self._view = LogView(self._folder, head.size, roots, self._batches)

    def _try_head(self, note: bytes) -> Head | None:
        assert self._keys is not None
        try:
            return read_head(note, self._keys)
        except Unreadable:
            return None

    def _own_heads(self) -> list[Head]:
        notes = [*self._history.values(), *(batch.note for batch in self._batches)]
        return [head for head in map(self._try_head, notes) if head is not None]

    def _judge_history(self, step: Step, keys: KeyChain) -> None:
        for name, note in self._history.items():
            index = int(name) if name.isdecimal() else None
            try:
                read_head(note, keys)
            except OtherKeysTurn as wrong:
                step.fail(Flaw.KEY_OUT_OF_TURN, index, str(wrong))
            except Unreadable as wrong:
                step.fail(Flaw.HISTORY_SIGNATURE, index, str(wrong))
        self._view.compare(step, self._own_heads(), Flaw.HISTORY_INCONSISTENT)
        step.note("checkpoints", len(self._history))

    def _judge_time(self, step: Step, late: Sequence[Leaf]) -> None:
        _gather(step, (chunk.times for chunk in self._chunks))
        newest = self._chunks[-1].last_ns if self._chunks else 0
        for leaf in late:
            if leaf.at_ns < newest:
                step.fail(Flaw.TIME_WENT_BACK, leaf.index, f"by {newest - leaf.at_ns} ns")
            newest = leaf.at_ns
        counts = {
            "clock_steps": sum(chunk.steps_of_clock for chunk in self._chunks),
            "dated_apart": sum(chunk.dated_apart for chunk in self._chunks),
        }
        for note, count in counts.items():
            if count:
                step.note(note, count)

    def _judge_pending(self, step: Step, keys: KeyChain, head: Head) -> list[Leaf]:
        """The leaves that are sequenced and not yet published, as far as they continue the tree."""
        stack = stack_at(self._folder, head.size, self._view.roots)
        late: list[Leaf] = []
        if self._torn:
            step.note("torn", self._torn)
        for batch in self._view.batches:
            if stack is None:
                step.skip("unreadable")
                break
            if batch.first != stack.size:
                step.fail(Flaw.PENDING_GAP, stack.size, f"the next batch begins at {batch.first}")
                break
            for place, content in enumerate(batch.leaves):
                stack.push(leaf_hash(content))
                leaf = _fitting(content, batch.first + place, *batch.payloads[place])
                if leaf is None or (leaf.control == KEY_CHANGED and leaf.index not in keys.changes):
                    step.fail(Flaw.PENDING_CHANGED, batch.first + place, "payload, salt or hand-over")
                else:
                    late.append(leaf)
            try:
                signed = read_head(batch.note, keys)
            except Unreadable as wrong:
                step.fail(Flaw.PENDING_CHANGED, batch.first, str(wrong))
                break
            if (signed.size, signed.root) != (stack.size, stack.root):
                step.fail(Flaw.PENDING_CHANGED, batch.first, "the batch does not lead to its checkpoint")
                break
            self.report.pending += len(batch.leaves)
        return late


def _gather(step: Step, groups: Iterable[list[Finding]]) -> None:
    for group in groups:
        for found in group:
            step.fail(found.flaw, found.index, found.detail)


def _fitting(content: bytes, index: int, salt: bytes, payload: bytes) -> Leaf | None:
    try:
        leaf = read_leaf(content)
    except Unreadable:
        return None
    fits = (
        leaf.index == index
        and leaf.commitment == commitment(salt, payload)
        and not check_payload(payload, leaf.control)[0]
    )
    return leaf if fits else None


def _spooled(leaf: Leaf) -> Spooled:
    assert leaf.spool is not None
    return Spooled(leaf.index, *leaf.spool, leaf.commitment)
