"""The spool of a node, set beside the log: what the node kept must be what the log has of it.

A node removes a file when the log has all of it, and keeps the newest. Its files therefore say how much the log must
have at least, which nobody can cut off who has the log alone.

A file: the chain before its first entry; then per entry number u64, payload length u16, salt, payload, and the first
eight bytes of the SHA-256 of all that. A torn end was promised to nobody.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from access_audit.verify.notes import Unreadable
from access_audit.verify.reading import SALT, chain_next, chain_start, commitment
from access_audit.verify.report import Flaw, Step
from access_audit.verify.scan import Spooled

_ENTRY = struct.Struct(">QH")
_CHECK = 8
_CHAIN_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeptSpool:
    """What a node has of its own: its name, the number before its first entry, and the chain after each entry.

    `problem` says why it cannot be used.
    """

    spool_id: str
    before: int = 0
    chains: tuple[bytes, ...] = ()
    problem: str = ""

    @property
    def last(self) -> int:
        """The number of its newest entry."""
        return self.before + len(self.chains) - 1


def judge_spool_files(step: Step, spools: Sequence[KeptSpool], entries: Iterable[Spooled], end: int) -> None:
    """Compare each spool with the entries that the log has of it; `end` is where the log ends."""
    if not spools:
        step.skip("none_given")
        return
    logged: dict[str, dict[int, Spooled]] = {}
    for entry in entries:
        logged.setdefault(entry.spool_id, {}).setdefault(entry.sequence, entry)
    waiting = 0
    for kept in spools:
        if kept.problem:
            step.fail(Flaw.SPOOL_FILE, detail=f"{kept.spool_id}: {kept.problem}")
            continue
        mine = logged.get(kept.spool_id, {})
        newest = max(mine, default=0)
        if newest < kept.before:
            step.fail(Flaw.SPOOL_CUT, end, f"{kept.spool_id} delivered {kept.before}, the log has {newest}")
        for number in sorted(number for number in mine if number > kept.last)[:1]:
            step.fail(Flaw.SPOOL_UNKNOWN, mine[number].index, f"{kept.spool_id} ends at {kept.last}")
        for number, chain in enumerate(kept.chains, kept.before):
            if number in mine and mine[number].chain != chain:
                step.fail(Flaw.SPOOL_CONTRADICTED, mine[number].index, f"{kept.spool_id} number {number}")
                break
        waiting += max(0, kept.last - max(newest, kept.before))
    step.note("spool_files", len(spools))
    if waiting:
        step.note("waiting", waiting)


def read_spool(folder: Path) -> KeptSpool:
    """The spool in a folder. OSError when there is none."""
    spool_id = (folder / "id").read_text("utf-8", "replace").strip()
    files = [(path.stem, path.read_bytes()) for path in sorted(folder.glob("[0-9]*.spl"))]
    try:
        return _read_files(spool_id, files)
    except ValueError as wrong:
        return KeptSpool(spool_id, problem=str(wrong))


def _read_files(spool_id: str, files: Sequence[tuple[str, bytes]]) -> KeptSpool:
    start = chain_start(spool_id)
    before = int(files[0][0]) - 1 if files else 0
    chains = [files[0][1][:_CHAIN_BYTES] if files else start]
    if len(chains[0]) < _CHAIN_BYTES or (before == 0 and chains[0] != start):
        raise Unreadable("it does not begin with its chain")
    for name, content in files:
        if int(name) != before + len(chains) or content[:_CHAIN_BYTES] != chains[-1]:
            raise Unreadable(f"{name} does not follow")
        _read_entries(name, content, before, chains)
    return KeptSpool(spool_id, before, tuple(chains))


def _read_entries(name: str, content: bytes, before: int, chains: list[bytes]) -> None:
    position = _CHAIN_BYTES
    while position + _ENTRY.size <= len(content):
        number, length = _ENTRY.unpack_from(content, position)
        stop = position + _ENTRY.size + SALT + length
        if stop + _CHECK > len(content):
            return
        if content[stop : stop + _CHECK] != hashlib.sha256(content[position:stop]).digest()[:_CHECK]:
            raise Unreadable(f"{name} has an entry that is not what was written")
        if number != before + len(chains):
            raise Unreadable(f"{name} has number {number} in the place of {before + len(chains)}")
        salt = content[position + _ENTRY.size : position + _ENTRY.size + SALT]
        chains.append(chain_next(chains[-1], commitment(salt, content[position + _ENTRY.size + SALT : stop])))
        position = stop + _CHECK
