"""`vms bench audit --verify N`: how long a log of N entries takes to verify, and one proof of it to make and to check.

The log is made by the ledger that the writer uses, in large batches; its making is not measured. The verifier runs in
as many processes as there are cores, as an auditor would run it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.checkpoint import SigningKey
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import event_payload
from access_audit.ledger import Draft, Ledger
from access_audit.proof import proof_of
from access_audit.verify import verify_log, verify_proof
from vms.base.clock import SystemClock

_BATCH = 8_192
_PUBLISH_EACH = 8
_PROOFS = 50


@dataclass(frozen=True, slots=True)
class VerificationBenchOptions:
    """How many entries, on which disk (None: that of temporary files), in how many processes (None: one a core)."""

    entries: int = 1_000_000
    folder: Path | None = None
    workers: int | None = None


def run_verification_bench(options: VerificationBenchOptions) -> dict[str, Any]:
    """Make the log, verify it once, then make and check proofs of entries all over it; seconds and milliseconds."""
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="vms-bench-verify-") as name:
        folder = Path(name)
        key = SigningKey("bench", Ed25519PrivateKey.generate())
        made_s = _seconds(lambda: _make(folder, key, options.entries))
        workers = options.workers or os.cpu_count() or 1
        started = time.perf_counter()
        report = verify_log(folder, key.log_key.text(), workers=workers)
        verified_s = time.perf_counter() - started
        if not report.ok or report.size != options.entries:
            raise RuntimeError(f"the log of the measurement is not intact: {report.findings[:3]}")
        proofs = _proofs(folder, key.log_key.text(), options.entries)
        stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "entries": options.entries,
        "processes": workers,
        "made_s": round(made_s, 1),
        "verified_s": round(verified_s, 2),
        "entries_per_s": round(options.entries / verified_s),
        "bytes_per_entry": round(stored / options.entries),
        "proof": proofs,
    }


def verification_text(result: dict[str, Any]) -> str:
    """The figures as lines of French."""
    proof = result["proof"]
    verified = (
        f"{result['entries']} inscriptions vérifiées en {result['verified_s']} s par {result['processes']} processus "
        f"({result['entries_per_s']}/s) ; {result['bytes_per_entry']} octets par inscription"
    )
    proved = (
        f"Preuve d'une inscription : faite en {proof['made_p50_ms']} ms (au plus {proof['made_max_ms']} ms), "
        f"vérifiée en {proof['checked_p50_ms']} ms (au plus {proof['checked_max_ms']} ms)"
    )
    return f"{verified}\n{proved}"


def _make(folder: Path, key: SigningKey, entries: int) -> None:
    ledger = Ledger(folder, key, SystemClock())
    for number, first in enumerate(range(0, entries, _BATCH), 1):
        ledger.record([[_draft(index) for index in range(first, min(first + _BATCH, entries))]])
        if number % _PUBLISH_EACH == 0:
            ledger.publish()
    ledger.close()


def _draft(number: int) -> Draft:
    event = AccessEvent(
        kind=EventKind.LIVE_OPENED,
        author=Author(f"per-{number % 40}", "Opératrice de mesure", "operator"),
        at_ns=time.time_ns(),
        reason=Reason("security_of_persons_and_property", "mesure de performance"),
        recipients=(f"per-{number % 40}",),
        commune="27229",
        authority="Maire d'Évreux",
        camera_id=f"cam-{number % 500}",
        details={"session": f"view-{number}", "streams": "main"},
    )
    return Draft(event_payload(event))


def _proofs(folder: Path, key: str, entries: int) -> dict[str, float]:
    note = (folder / "checkpoint").read_bytes()
    made: list[float] = []
    checked: list[float] = []
    for number in range(_PROOFS):
        started = time.perf_counter()
        proof = proof_of(folder, number * (entries - 1) // (_PROOFS - 1), entries, note)
        made.append((time.perf_counter() - started) * 1_000)
        started = time.perf_counter()
        report = verify_proof(proof, key)
        checked.append((time.perf_counter() - started) * 1_000)
        if not report.ok:
            raise RuntimeError(f"a proof of the measurement does not hold: {report.findings}")
    return {
        "made_p50_ms": round(statistics.median(made), 2),
        "made_max_ms": round(max(made), 2),
        "checked_p50_ms": round(statistics.median(checked), 2),
        "checked_max_ms": round(max(checked), 2),
    }


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
