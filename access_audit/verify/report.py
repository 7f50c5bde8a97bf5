"""What a verification says: steps with verdicts, findings with names, in French and English, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """The outcome of a step."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Flaw(StrEnum):
    """Every way in which a log can be wrong that this verifier tells apart."""

    KEY_MISMATCH = "key.mismatch"
    KEY_OUT_OF_TURN = "key.out_of_turn"
    HAND_OVER = "key.hand_over"
    CHECKPOINT_MISSING = "checkpoint.missing"
    CHECKPOINT_MALFORMED = "checkpoint.malformed"
    CHECKPOINT_SIGNATURE = "checkpoint.signature"
    HISTORY_SIGNATURE = "history.signature"
    HISTORY_INCONSISTENT = "history.inconsistent"
    LOG_ROLLED_BACK = "log.rolled_back"
    LOG_FORKED = "log.forked"
    LOG_REWRITTEN = "log.rewritten"
    BUNDLE_MISSING = "bundle.missing"
    BUNDLE_MALFORMED = "bundle.malformed"
    ENTRY_CHANGED = "entry.changed"
    ENTRY_MALFORMED = "entry.malformed"
    ENTRY_DELETED = "entry.deleted"
    ENTRY_INSERTED = "entry.inserted"
    ENTRIES_SWAPPED = "entry.swapped"
    TILE_MISSING = "tile.missing"
    TILE_CHANGED = "tile.changed"
    TIME_WENT_BACK = "time.went_back"
    TIME_STATEMENT = "time.statement"
    TIME_AHEAD = "time.ahead"
    PAYLOAD_MISSING = "payload.missing"
    PAYLOAD_MALFORMED = "payload.malformed"
    PAYLOAD_CHANGED = "payload.changed"
    PAYLOAD_CATALOGUE = "payload.catalogue"
    PAYLOAD_EXPIRED_EARLY = "payload.expired_early"
    PAYLOAD_RESTORED = "payload.restored"
    SPOOL_REPLAYED = "spool.replayed"
    SPOOL_REORDERED = "spool.reordered"
    SPOOL_GAP = "spool.gap"
    SPOOL_CHAIN = "spool.chain"
    SPOOL_FILE = "spool.file"
    SPOOL_CUT = "spool.cut"
    SPOOL_UNKNOWN = "spool.unknown"
    SPOOL_CONTRADICTED = "spool.contradicted"
    PENDING_CHANGED = "pending.changed"
    PENDING_GAP = "pending.gap"
    TIMESTAMP_MALFORMED = "timestamp.malformed"
    TIMESTAMP_SIGNATURE = "timestamp.signature"
    TIMESTAMP_AUTHORITY = "timestamp.authority"
    TIMESTAMP_OTHER_ROOT = "timestamp.other_root"
    COSIGNED_MALFORMED = "cosigned.malformed"
    COSIGNED_SIGNATURE = "cosigned.signature"
    COSIGNED_FOREIGN = "cosigned.foreign"
    COSIGNED_OTHER_ROOT = "cosigned.other_root"
    COSIGNATURE_WRONG = "cosignature.wrong"
    COSIGNATURE_UNKNOWN = "cosignature.unknown"
    COSIGNATURE_ORDER = "cosignature.order"
    RECEIPT_MALFORMED = "receipt.malformed"
    RECEIPT_SIGNATURE = "receipt.signature"
    RECEIPT_PATH = "receipt.path"
    RECEIPT_ABSENT = "receipt.absent"
    RECEIPT_CONTRADICTED = "receipt.contradicted"
    FILE_FOREIGN = "file.foreign"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw, the first index that it concerns (None when it concerns no entry), and an English detail."""

    flaw: Flaw
    index: int | None = None
    detail: str = ""


@dataclass(slots=True)
class Step:
    """One numbered step of a verification. `note` is a code of `words.NOTES`, with its number `count`."""

    number: int
    name: str
    verdict: Verdict = Verdict.PASSED
    findings: list[Finding] = field(default_factory=list)
    notes: list[tuple[str, int]] = field(default_factory=list)

    def fail(self, flaw: Flaw, index: int | None = None, detail: str = "") -> None:
        """Add a finding; the step has failed."""
        self.verdict = Verdict.FAILED
        self.findings.append(Finding(flaw, index, detail))

    def skip(self, note: str) -> None:
        """Say why the step was not done."""
        self.verdict = Verdict.SKIPPED
        self.notes.append((note, 0))

    def note(self, note: str, count: int) -> None:
        """Add something worth knowing that is no flaw."""
        self.notes.append((note, count))


@dataclass(slots=True)
class Report:
    """The verdict on a log. `size` and `root` are those of its checkpoint; `pending` counts entries not published."""

    origin: str = ""
    size: int = 0
    root: str = ""
    pending: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no step has failed."""
        return all(step.verdict is not Verdict.FAILED for step in self.steps)

    @property
    def findings(self) -> list[Finding]:
        """All findings, in the order of the steps."""
        return [finding for step in self.steps for finding in step.findings]

    def to_json(self) -> dict[str, Any]:
        """The report for a program."""
        return {
            "format": "vms-departemental/audit-report/v1",
            "ok": self.ok,
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "pending": self.pending,
            "steps": [
                {
                    "number": step.number,
                    "name": step.name,
                    "verdict": step.verdict.value,
                    "findings": [
                        {"flaw": found.flaw.value, "index": found.index, "detail": found.detail}
                        for found in step.findings
                    ],
                    "notes": [{"note": note, "count": count} for note, count in step.notes],
                }
                for step in self.steps
            ],
        }
