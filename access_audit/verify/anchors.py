"""What third parties attest of the log: time-stamps of authorities, and cosignatures of witnesses.

Each is about the text of a checkpoint, which is made again from the tiles: an anchor of a log that has been cut or
rewritten since then no longer fits. Whose word counts is for the auditor to say; when he says nothing, certificates and
keys beside the log are taken, and the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from access_audit.verify.der import MAX_DER_BYTES
from access_audit.verify.notes import (
    WITNESS_KEY,
    ForeignNote,
    Head,
    Key,
    KeyChain,
    OtherKeysTurn,
    Unreadable,
    WrongSignature,
    checkpoint_text,
    cosigned_at,
    read_head,
    read_key,
    read_note,
)
from access_audit.verify.report import Flaw, Step
from access_audit.verify.timestamp import TimeStamp, UnknownAuthority, read_certificates, read_timestamp
from access_audit.verify.view import LogView

TOLERANCE_NS = 300 * 1_000_000_000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose word counts: PEM files of authorities, vkey lines of witnesses. None takes those beside the log."""

    authorities: Sequence[bytes] | None = None
    witnesses: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Attestations:
    """The files of a folder of anchors, as they were before the log was read; and whose word counts."""

    timestamps: Sequence[tuple[str, bytes]]
    cosigned: Sequence[tuple[str, bytes]]
    authorities: Sequence[tuple[str, bytes]]
    witnesses: Sequence[tuple[str, bytes]]
    trust: Trust


def read_attestations(folder: Path, trust: Trust) -> Attestations:
    """All that lies in a folder of anchors. ValueError when `trust` holds no certificates and keys."""
    for pem in trust.authorities or ():
        read_certificates(pem)
    for line in trust.witnesses or ():
        read_key(line, WITNESS_KEY)
    return Attestations(
        _files(folder / "timestamps", "*.tsr"),
        _files(folder / "cosigned", "*"),
        _files(folder / "authorities", "*.pem") if trust.authorities is None else (),
        _files(folder / "witnesses", "*.pub") if trust.witnesses is None else (),
        trust,
    )


@dataclass(frozen=True, slots=True)
class _Attested:
    """That somebody saw the log at a size, at an instant (give or take)."""

    by: str
    size: int
    at_ns: int
    within_ns: int = 0


class Anchors:
    """The anchors of one folder, to compare with the log as it was read."""

    def __init__(self, files: Attestations, view: LogView, keys: KeyChain) -> None:
        self._files = files
        self._view = view
        self._keys = keys

    def judge_timestamps(self, step: Step) -> None:
        """Each time-stamp is that of an authority, and about this log."""
        if not self._files.timestamps:
            step.skip("none_there")
            return
        authorities = self._authorities(step)
        stamps: list[tuple[str, int, TimeStamp]] = []
        for name, content in self._files.timestamps:
            number, _, authority = name.removesuffix(".tsr").partition("-")
            if not _is_size(number):
                step.fail(Flaw.TIMESTAMP_MALFORMED, detail=f"{name} names no size")
                continue
            index = max(int(number) - 1, 0)
            try:
                stamp = read_timestamp(content)
                stamp.check_signature(authorities)
            except UnknownAuthority as wrong:
                step.fail(Flaw.TIMESTAMP_AUTHORITY, index, f"{name}: {wrong}")
            except WrongSignature as wrong:
                step.fail(Flaw.TIMESTAMP_SIGNATURE, index, f"{name}: {wrong}")
            except Unreadable as wrong:
                step.fail(Flaw.TIMESTAMP_MALFORMED, index, f"{name}: {wrong}")
            else:
                stamps.append((authority, int(number), stamp))
        self._compare_timestamps(step, stamps)
        step.note("timestamps", len(stamps))
        if self._files.trust.authorities is None:
            step.note("from_the_folder", 0)

    def _authorities(self, step: Step) -> list[x509.Certificate]:
        found = [certificate for pem in self._files.trust.authorities or () for certificate in read_certificates(pem)]
        for name, content in self._files.authorities:
            try:
                found += read_certificates(content)
            except Unreadable as wrong:
                step.fail(Flaw.TIMESTAMP_AUTHORITY, detail=f"{name}: {wrong}")
        return found

    def _witnesses(self, step: Step) -> list[Key]:
        found = [read_key(line, WITNESS_KEY) for line in self._files.trust.witnesses or ()]
        for name, content in self._files.witnesses:
            try:
                found.append(read_key(content.decode("utf-8", "replace"), WITNESS_KEY))
            except Unreadable as wrong:
                step.fail(Flaw.COSIGNATURE_UNKNOWN, detail=f"{name}: {wrong}")
        return found

    def _compare_timestamps(self, step: Step, stamps: list[tuple[str, int, TimeStamp]]) -> None:
        roots = self._view.roots_at(size for _, size, _ in stamps)
        attested: list[_Attested] = []
        holds = 0
        for authority, size, stamp in sorted(stamps, key=lambda each: each[1]):
            if size > self._view.end:
                step.fail(Flaw.LOG_ROLLED_BACK, self._view.end, f"a checkpoint of size {size} was time-stamped")
            elif size in roots and not stamp.about(checkpoint_text(self._keys.name, size, roots[size])):
                step.fail(Flaw.TIMESTAMP_OTHER_ROOT, holds, f"and before {size}, by {authority}")
            elif size in roots:
                holds = size
                attested.append(_Attested(authority, size, stamp.at_ns, stamp.accuracy_ns))
        self._judge_instants(step, attested)

    def judge_witnesses(self, step: Step) -> None:
        """Each cosigned checkpoint is this log's, and was cosigned by a known witness, who saw it only grow."""
        if not self._files.cosigned:
            step.skip("none_there")
            return
        witnesses = self._witnesses(step)
        heads: list[Head] = []
        attested: list[_Attested] = []
        for name, content in self._files.cosigned:
            index = max(int(name) - 1, 0) if _is_size(name) else None
            try:
                found = self._read_cosigned(name, content, witnesses)
            except _Refused as refused:
                step.fail(refused.flaw, index, f"{name}: {refused}")
            except Unreadable as wrong:
                step.fail(Flaw.COSIGNED_MALFORMED, index, f"{name}: {wrong}")
            else:
                heads.append(found[0])
                attested += found[1]
        good = self._view.compare(step, heads, Flaw.COSIGNED_OTHER_ROOT)
        sizes = {head.size for head in good}
        attested = [each for each in attested if each.size in sizes]
        self._judge_order(step, attested)
        self._judge_instants(step, attested)
        step.note("cosignatures", len(attested))
        if self._files.trust.witnesses is None:
            step.note("from_the_folder", 0)

    def _read_cosigned(self, name: str, content: bytes, witnesses: Sequence[Key]) -> tuple[Head, list[_Attested]]:
        try:
            head = read_head(content, self._keys)
        except ForeignNote as wrong:
            raise _Refused(Flaw.COSIGNED_FOREIGN, str(wrong)) from None
        except OtherKeysTurn as wrong:
            raise _Refused(Flaw.KEY_OUT_OF_TURN, str(wrong)) from None
        except WrongSignature as wrong:
            raise _Refused(Flaw.COSIGNED_SIGNATURE, str(wrong)) from None
        note = read_note(content)
        if str(head.size) != name or note.text != checkpoint_text(head.origin, head.size, head.root):
            raise Unreadable(f"it holds a checkpoint of size {head.size}, or more than one")
        attested: list[_Attested] = []
        for witness in witnesses:
            try:
                seconds = cosigned_at(note, witness)
            except WrongSignature as wrong:
                raise _Refused(Flaw.COSIGNATURE_WRONG, str(wrong)) from None
            if seconds is not None:
                attested.append(_Attested(witness.name, head.size, seconds * _SECOND_NS, _SECOND_NS))
        if not attested:
            raise _Refused(Flaw.COSIGNATURE_UNKNOWN, "no line of a known witness")
        return head, attested

    @staticmethod
    def _judge_order(step: Step, attested: list[_Attested]) -> None:
        """No witness saw a smaller log after a larger one. (A time-stamp may be asked for long afterwards.)"""
        largest: dict[str, _Attested] = {}
        for each in sorted(attested, key=lambda seen: (seen.at_ns, seen.size)):
            before = largest.get(each.by)
            if before is None or each.size >= before.size:
                largest[each.by] = each
            elif before.at_ns < each.at_ns:
                step.fail(Flaw.COSIGNATURE_ORDER, each.size, f"{each.by} saw {before.size} entries before")

    def _judge_instants(self, step: Step, attested: list[_Attested]) -> None:
        """No entry is dated after the instant at which it was seen."""
        ahead = self._view.end
        for each in attested:
            self._view.attested.add(each.size)
            ahead = min(ahead, self._first_ahead(each.at_ns + each.within_ns + TOLERANCE_NS, each.size))
        if ahead < self._view.end:
            step.fail(Flaw.TIME_AHEAD, ahead)
        if attested:
            step.note("anchored", max(each.size for each in attested) - 1)

    def _first_ahead(self, limit_ns: int, size: int) -> int:
        last = self._view.instant_at(size - 1) if size else None
        if last is None or last <= limit_ns:
            return self._view.end
        return self._view.first_after(limit_ns, size)


class _Refused(Exception):  # noqa: N818
    def __init__(self, flaw: Flaw, detail: str) -> None:
        super().__init__(detail)
        self.flaw = flaw


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _files(folder: Path, pattern: str) -> list[tuple[str, bytes]]:
    """The files of a folder, by size where their names begin with one; what is being written is left out."""
    found: list[tuple[str, bytes]] = []
    for path in folder.glob(pattern):
        if path.is_file() and path.suffix != ".part":
            with path.open("rb") as file:
                found.append((path.name, file.read(MAX_DER_BYTES + 1)))
    return sorted(found, key=lambda each: (each[0].partition("-")[0].zfill(18), each[0]))
