"""What others hold against the log: receipts of callers, and checkpoints that somebody else kept.

Only they can show that a log was cut, or shown in two versions, by somebody who has its folder and its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from access_audit.verify.notes import Head, KeyChain, Unreadable, WrongSignature, read_head
from access_audit.verify.reading import leaf_hash, read_leaf, root_of_path
from access_audit.verify.report import Flaw, Step
from access_audit.verify.view import LogView


class Promises:
    """The log as it was read, to compare promises with."""

    def __init__(self, view: LogView, keys: KeyChain) -> None:
        self._view = view
        self._keys = keys

    def judge_receipts(self, step: Step, receipts: Sequence[Mapping[str, Any]]) -> None:
        """Each receipt, or proof that was taken away, is signed, and its entry stands in this log."""
        if not receipts:
            step.skip("none_given")
            return
        heads = [head for head in (self._judge_receipt(step, receipt) for receipt in receipts) if head is not None]
        self._view.compare(step, heads, Flaw.LOG_FORKED)
        step.note("receipts", len(receipts))

    def judge_known(self, step: Step, known: Sequence[bytes]) -> None:
        """This log is the continuation of each checkpoint that was kept elsewhere."""
        if not known:
            step.skip("none_given")
            return
        heads: list[Head] = []
        for note in known:
            try:
                heads.append(read_head(note, self._keys))
            except Unreadable as wrong:
                step.fail(Flaw.HISTORY_SIGNATURE, detail=str(wrong))
        self._view.compare(step, heads, Flaw.LOG_FORKED)
        step.note("checkpoints", len(known))

    def _judge_receipt(self, step: Step, receipt: Mapping[str, Any]) -> Head | None:
        try:
            index, hashed = int(receipt["index"]), _hash_of(receipt)
            signed = read_head(str(receipt["checkpoint"]).encode("utf-8", "replace"), self._keys)
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
        found = self._view.leaf_at(index)
        if found is None:
            step.fail(Flaw.RECEIPT_ABSENT, index)
        elif leaf_hash(found) != hashed:
            step.fail(Flaw.RECEIPT_CONTRADICTED, index)
        elif "at_ns" in receipt and receipt["at_ns"] != _instant_of(found):
            step.fail(Flaw.RECEIPT_CONTRADICTED, index, "the receipt names another instant")
        return signed


def _hash_of(receipt: Mapping[str, Any]) -> bytes:
    """The leaf hash of a receipt; the file of a proof holds the leaf itself."""
    if "leaf_hash" in receipt:
        return bytes.fromhex(receipt["leaf_hash"])
    return leaf_hash(str(receipt["leaf"]).encode("utf-8", "replace"))


def _instant_of(content: bytes) -> str | None:
    try:
        return str(read_leaf(content).at_ns)
    except Unreadable:
        return None


def _index_of(receipt: Mapping[str, Any]) -> int | None:
    index = receipt.get("index")
    return index if isinstance(index, int) else None
