"""The receipt: what a caller holds before the act may begin (LAW-25, LAW-26).

It says that *this* event stands at this index under a checkpoint signed by the writer, which had it on the disk. It
is made only here, by checking the writer's answer against the event that was sent, hash by hash up to the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access_audit.checkpoint import CheckpointError, LogKey, OtherKeyError, SignedCheckpoint, open_note
from access_audit.format import FormatError, Leaf, SpoolMark, commitment, leaf_bytes, parse_leaf
from access_audit.handover import HandOver, follow
from access_audit.merkle import Neighbours, ProofError, fold_range, leaf_hash
from access_audit.verify.reading import root_of_path

_MAKER = object()


class ReceiptError(Exception):
    """An answer of the writer that does not prove what was asked of it."""


class OtherSignerError(ReceiptError):
    """An answer without a signature of the key that is known; the log may have handed over to another."""


@dataclass(frozen=True, slots=True)
class AuditReceipt:
    """The writer's signed word that an entry is in the log.

    `signature` is the Ed25519 signature over the checkpoint of `tree_size` and `root`; `path` leads from the leaf
    hash to that root. Proves LAW-25 together with the log. Cannot be made by calling it: TypeError.
    """

    index: int
    leaf_hash: bytes
    log_origin: str
    signature: bytes
    at_ns: int
    checkpoint_note: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    _tree: Neighbours = field(repr=False, compare=False)
    _maker: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("a receipt is made by verifying the writer's answer, not by hand")

    @property
    def tree_size(self) -> int:
        """The size of the log that the checkpoint speaks of."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """The root of the checkpoint."""
        return self._tree.root

    @property
    def path(self) -> tuple[bytes, ...]:
        """The inclusion proof (RFC 6962) of the entry under the checkpoint."""
        return self._tree.path(self.index)

    def to_json(self) -> dict[str, Any]:
        """The receipt as a file, for `access_audit.verify`. It says nothing of the payload."""
        return {
            "format": "vms-departemental/audit-receipt/v1",
            "index": self.index,
            "leaf_hash": self.leaf_hash.hex(),
            "at_ns": str(self.at_ns),
            "path": [part.hex() for part in self.path],
            "checkpoint": self.checkpoint_note.decode(),
        }


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The writer's answer to one request: where its entries are, and the proof of all of them at once.

    They were synced together and have one instant. So a leaf is made again from what was sent and compared, byte by
    byte, which costs a third of reading it.
    """

    first: int
    leaves: tuple[bytes, ...]
    salts: tuple[bytes, ...]
    note: bytes
    proof: tuple[bytes, ...]


class ReceiptVerifier:
    """Checks answers of one log. One signature covers a whole commit, so it is verified once for all its callers.

    With a bare public key the origin is learned from the first valid note, whose signature covers it.
    """

    def __init__(self, key: LogKey | Ed25519PublicKey) -> None:
        self._key = key
        self._last: SignedCheckpoint | None = None
        self.when_opened: Callable[[bytes], None] | None = None
        """Told of each new note whose signature holds."""

    def open(self, note: bytes) -> SignedCheckpoint:
        """The checkpoint of a note; ReceiptError when it is not signed by the log."""
        if self._last is None or self._last.note != note:
            try:
                if not isinstance(self._key, LogKey):
                    self._key = LogKey(note.partition(b"\n")[0].decode(), self._key)
                self._last = open_note(note, self._key)
            except OtherKeyError as other:
                raise OtherSignerError(str(other)) from None
            except (CheckpointError, UnicodeDecodeError) as wrong:
                raise ReceiptError(str(wrong)) from None
            if self.when_opened is not None:
                self.when_opened(note)
        return self._last

    def follow(self, hand_overs: Iterable[HandOver]) -> bool:
        """Go over to the newest key that hand-overs lead to from the one that is known; False when it is still that."""
        if not isinstance(self._key, LogKey):
            return False
        newest = follow(self._key, hand_overs)
        changed, self._key = newest != self._key, newest
        return changed

    def verify_entry(self, proof: Mapping[str, Any]) -> Leaf:
        """The leaf of a proof file, its path and checkpoint verified; ReceiptError when they do not hold."""
        try:
            content = str(proof["leaf"]).encode()
            leaf = parse_leaf(content)
            signed = self.open(str(proof["checkpoint"]).encode()).checkpoint
            path = [bytes.fromhex(part) for part in proof["path"]]
            found = root_of_path(leaf.index, signed.size, leaf_hash(content), path)
        except (KeyError, TypeError, ValueError) as wrong:
            raise ReceiptError(f"no proof of an entry: {wrong}") from None
        if found != signed.root:
            raise ReceiptError("the path leads to another root than the signed one")
        return leaf

    def verify(
        self, batch: RecordedBatch, payloads: Sequence[bytes], marks: Sequence[SpoolMark] | None = None
    ) -> list[AuditReceipt]:
        """The receipts of the payloads that were sent, in order; ReceiptError on the first thing that does not fit."""
        if not len(payloads) == len(batch.leaves) == len(batch.salts) or not payloads:
            raise ReceiptError("the answer is not about what was sent")
        signed = self.open(batch.note)
        try:
            at_ns = parse_leaf(batch.leaves[0]).at_ns
        except FormatError as wrong:
            raise ReceiptError(str(wrong)) from None
        for place, (payload, content, salt) in enumerate(zip(payloads, batch.leaves, batch.salts, strict=True)):
            mark = None if marks is None else marks[place]
            expected = Leaf(batch.first + place, at_ns, commitment(salt, payload), spool=mark)
            if content != leaf_bytes(expected):
                raise ReceiptError(f"entry {batch.first + place} is not what was sent")
        hashes = [leaf_hash(content) for content in batch.leaves]
        try:
            tree = fold_range(batch.first, hashes, signed.checkpoint.size, batch.proof)
        except ProofError as wrong:
            raise ReceiptError(str(wrong)) from None
        if tree.root != signed.checkpoint.root:
            raise ReceiptError("the proof leads to another root than the signed one")
        origin, signature, note = signed.checkpoint.origin, signed.signature, signed.note
        return [
            AuditReceipt(batch.first + place, hashed, origin, signature, at_ns, note, salt, tree, _MAKER)
            for place, (hashed, salt) in enumerate(zip(hashes, batch.salts, strict=True))
        ]
