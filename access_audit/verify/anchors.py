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
class _Attested:
    """That somebody saw the log at a size, at an instant (give or take)."""

    by: str
    size: int
    at_ns: int
    within_ns: int = 0


class Anchors:
    """The anchors of one folder, to compare with the log as it was read."""

    def __init__(self, folder: Path, view: LogView, keys: KeyChain, trust: Trust) -> None:
        self._folder = folder
        self._view = view
        self._keys = keys
        self._trust = trust

    def judge_timestamps(self, step: Step) -> None:
        """Each time-stamp is that of an authority, and about this log."""
        files = _files(self._folder / "timestamps", "*.tsr")
        if not files:
            step.skip("none_there")
            return
        authorities = self._authorities(step)
        stamps: list[tuple[str, int, TimeStamp]] = []
        for path in files:
            number, _, authority = path.stem.partition("-")
            if not _is_size(number):
                step.fail(Flaw.TIMESTAMP_MALFORMED, detail=f"{path.name} names no size")
                continue
            index = max(int(number) - 1, 0)
            try:
                stamp = read_timestamp(path.read_bytes())
                stamp.check_signature(authorities)
            except UnknownAuthority as wrong:
                step.fail(Flaw.TIMESTAMP_AUTHORITY, index, f"{path.name}: {wrong}")
            except WrongSignature as wrong:
                step.fail(Flaw.TIMESTAMP_SIGNATURE, index, f"{path.name}: {wrong}")
            except (OSError, ValueError) as wrong:
                step.fail(Flaw.TIMESTAMP_MALFORMED, index, f"{path.name}: {wrong}")
            else:
                stamps.append((authority, int(number), stamp))
        self._compare_timestamps(step, stamps)
        step.note("timestamps", len(stamps))
        if self._trust.authorities is None:
            step.note("from_the_folder", 0)

    def _authorities(self, step: Step) -> list[x509.Certificate]:
        if self._trust.authorities is not None:
            return [certificate for pem in self._trust.authorities for certificate in read_certificates(pem)]
        found: list[x509.Certificate] = []
        for path in _files(self._folder / "authorities", "*.pem"):
            try:
                found += read_certificates(path.read_bytes())
            except (OSError, ValueError) as wrong:
                step.fail(Flaw.TIMESTAMP_AUTHORITY, detail=f"{path.name}: {wrong}")
        return found

    def _witnesses(self, step: Step) -> list[Key]:
        if self._trust.witnesses is not None:
            return [read_key(line, WITNESS_KEY) for line in self._trust.witnesses]
        found: list[Key] = []
        for path in _files(self._folder / "witnesses", "*.pub"):
            try:
                found.append(read_key(path.read_text("utf-8", "replace"), WITNESS_KEY))
            except (OSError, ValueError) as wrong:
                step.fail(Flaw.COSIGNATURE_UNKNOWN, detail=f"{path.name}: {wrong}")
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
        files = _files(self._folder / "cosigned", "*")
        if not files:
            step.skip("none_there")
            return
        witnesses = self._witnesses(step)
        heads: list[Head] = []
        attested: list[_Attested] = []
        for path in files:
            index = max(int(path.name) - 1, 0) if _is_size(path.name) else None
            try:
                found = self._read_cosigned(path, witnesses)
            except _Refused as refused:
                step.fail(refused.flaw, index, f"{path.name}: {refused}")
            except (OSError, ValueError) as wrong:
                step.fail(Flaw.COSIGNED_MALFORMED, index, f"{path.name}: {wrong}")
            else:
                heads.append(found[0])
                attested += found[1]
        good = self._view.compare(step, heads, Flaw.COSIGNED_OTHER_ROOT)
        sizes = {head.size for head in good}
        attested = [each for each in attested if each.size in sizes]
        self._judge_order(step, attested)
        self._judge_instants(step, attested)
        step.note("cosignatures", len(attested))
        if self._trust.witnesses is None:
            step.note("from_the_folder", 0)

    def _read_cosigned(self, path: Path, witnesses: Sequence[Key]) -> tuple[Head, list[_Attested]]:
        content = path.read_bytes()
        try:
            head = read_head(content, self._keys)
        except ForeignNote as wrong:
            raise _Refused(Flaw.COSIGNED_FOREIGN, str(wrong)) from None
        except OtherKeysTurn as wrong:
            raise _Refused(Flaw.KEY_OUT_OF_TURN, str(wrong)) from None
        except WrongSignature as wrong:
            raise _Refused(Flaw.COSIGNED_SIGNATURE, str(wrong)) from None
        note = read_note(content)
        if str(head.size) != path.name or note.text != checkpoint_text(head.origin, head.size, head.root):
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


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder, by size where their names begin with one; what is being written is left out."""
    found = [path for path in folder.glob(pattern) if path.is_file() and path.suffix != ".part"]
    return sorted(found, key=lambda path: (path.name.partition("-")[0].zfill(18), path.name))
