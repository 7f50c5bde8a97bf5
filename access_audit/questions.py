"""What the writer answers about the published log: head, search, proof, consistency, spool heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.journal import JournalQuery
from access_audit.merkle import consistency_path
from access_audit.proof import proof_of
from access_audit.search import JournalIndex, SpoolHead
from access_audit.tiles import TreeReader
from vms.base.errors import ErrorKind, VmsError


class Questions:
    """Reads the published log of a folder, in one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.index = JournalIndex(folder)

    def spool_heads(self, published: int) -> dict[str, SpoolHead]:
        """The newest entry of every spool."""
        return self.index.spool_heads(published)

    def answer(self, message: dict[str, Any], published: int, head: SpoolHead | None) -> dict[str, Any]:
        """The answer to one question over the first `published` entries. Raises VmsError, or KeyError and the like."""
        operation = message["op"]
        if operation == "head":
            return {"note": self._note()}
        if operation == "search":
            query = JournalQuery.from_json(message["query"])
            return {"page": self.index.search(query, published).to_json()}
        if operation == "proof":
            return {"proof": self._proof(int(message["index"]))}
        if operation == "consistency":
            return self._consistency(int(message["old_size"]))
        if operation == "hello":
            size = int(message["size"])
            known = size <= _size(self._note())
            begun = self._consistency(size) if known else {"note": self._note(), "path": None}
            return {**begun, "proof": self._proof(int(message["started"]))}
        if operation == "spool_head":
            proof = self._proof(head.index) if head is not None else None
            return {"sequence": head.sequence if head is not None else 0, "proof": proof}
        raise ValueError(f"no operation {str(operation)[:40]!r}")

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    def _note(self) -> str:
        return (self._folder / layout.CHECKPOINT).read_text(encoding="utf-8")

    def _proof(self, index: int) -> dict[str, Any]:
        note = self._note()
        try:
            return proof_of(self._folder, index, _size(note), note.encode())
        except IndexError as missing:
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "audit.no_entry",
                f"Le journal des accès n'a pas d'inscription n° {index}.",
                hint="Vérifiez le numéro.",
                detail=str(missing),
            ) from None

    def _consistency(self, old_size: int) -> dict[str, Any]:
        note = self._note()
        size = _size(note)
        if not 0 <= old_size <= size:
            raise ValueError(f"no consistency between {old_size} and {size}")
        path = consistency_path(old_size, size, TreeReader(self._folder, size).subtree) if old_size else []
        return {"note": note, "path": [node.hex() for node in path]}


def _size(note: str) -> int:
    return int(note.split("\n", 2)[1])
