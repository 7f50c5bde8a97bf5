"""What others hold against the log: receipts of callers, and checkpoints that somebody else kept.

Only they can show that a log was cut, or shown in two versions, by somebody who has its folder and its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from access_audit.verify import tree
from access_audit.verify.reading import (
    WIDTH,
    Head,
    Key,
    PendingBatch,
    Unreadable,
    WrongSignature,
    leaf_hash,
    read_head,
    read_tile,
    root_of_path,
    split_bundle,
)
from access_audit.verify.report import Flaw, Step


class Promises:
    """The log as it was read, to compare promises with."""

    def __init__(
        self, folder: Path, key: Key, size: int, roots: list[bytes | None], batches: Sequence[PendingBatch]
    ) -> None:
        self._folder = folder
        self._key = key
        self._size = size
        self._roots = roots
        self._batches = [batch for batch in batches if batch.first + len(batch.leaves) > size]
        self._end = max([size, *(batch.first + len(batch.leaves) for batch in self._batches)])

    def judge_receipts(self, step: Step, receipts: Sequence[Mapping[str, Any]]) -> None:
        """Each receipt is signed, proves its entry, and that entry stands in this log."""
        if not receipts:
            step.skip("none_given")
            return
        heads = [head for head in (self._judge_receipt(step, receipt) for receipt in receipts) if head is not None]
        self._compare(step, heads)
        step.note("receipts", len(receipts))

    def judge_known(self, step: Step, known: Sequence[bytes]) -> None:
        """This log is the continuation of each checkpoint that was kept elsewhere."""
        if not known:
            step.skip("none_given")
            return
        heads: list[Head] = []
        for note in known:
            try:
                heads.append(read_head(note, self._key))
            except Unreadable as wrong:
                step.fail(Flaw.HISTORY_SIGNATURE, detail=str(wrong))
        self._compare(step, heads)
        step.note("checkpoints", len(known))

    def _judge_receipt(self, step: Step, receipt: Mapping[str, Any]) -> Head | None:
        try:
            index, hashed = int(receipt["index"]), bytes.fromhex(receipt["leaf_hash"])
            signed = read_head(str(receipt["checkpoint"]).encode("utf-8", "replace"), self._key)
            path = [bytes.fromhex(part) for part in receipt["path"]]
        except WrongSignature as wrong:
            step.fail(Flaw.RECEIPT_SIGNATURE, _index_of(receipt), str(wrong))
            return None
        except (KeyError, TypeError, ValueError) as wrong:
            step.fail(Flaw.RECEIPT_MALFORMED, _index_of(receipt), str(wrong))
            return None
        try:
            leads_there = root_of_path(index, signed.size, hashed, path) == signed.root
        except Unreadable:
            leads_there = False
        if not leads_there:
            step.fail(Flaw.RECEIPT_PATH, index)
            return None
        found = self._leaf_hash_at(index)
        if found is None:
            step.fail(Flaw.RECEIPT_ABSENT, index)
        elif found != hashed:
            step.fail(Flaw.RECEIPT_CONTRADICTED, index)
        return signed

    def _leaf_hash_at(self, index: int) -> bytes | None:
        for batch in self._batches:
            if batch.first <= index < batch.first + len(batch.leaves):
                return leaf_hash(batch.leaves[index - batch.first])
        number, place = divmod(index, WIDTH)
        if index >= self._size:
            return None
        content = read_tile(self._folder, "entries", number, min(WIDTH, self._size - number * WIDTH)) or b""
        try:
            return leaf_hash(split_bundle(content)[place])
        except (Unreadable, IndexError):
            return None

    def _compare(self, step: Step, heads: list[Head]) -> None:
        roots = tree.roots_at(self._folder, self._size, self._roots, [head.size for head in heads])
        stack = tree.stack_at(self._folder, self._size, self._roots) if self._batches else None
        for batch in self._batches:
            if stack is None or batch.first != stack.size:
                break
            for leaf in batch.leaves:
                stack.push(leaf_hash(leaf))
            roots[stack.size] = stack.root
        for head in sorted(set(heads), key=lambda each: each.size):
            if head.size > self._end:
                step.fail(Flaw.LOG_ROLLED_BACK, self._end, f"a checkpoint of size {head.size} exists")
            elif head.size in roots and roots[head.size] != head.root:
                step.fail(Flaw.LOG_FORKED, head.size - 1, f"another checkpoint of size {head.size} exists")


def _index_of(receipt: Mapping[str, Any]) -> int | None:
    index = receipt.get("index")
    return index if isinstance(index, int) else None
