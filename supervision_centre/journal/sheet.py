"""Entries of the journal as lines to keep: CSV for spreadsheets, and the lines of a printed table (LAW-31).

A cell of the CSV that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
Times are written twice, in UTC and by the clocks of Europe/Paris.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from access_audit.events import AccessEvent
from access_audit.journal import JournalEntry
from supervision_centre.access.purposes import reason_label
from supervision_centre.destruction.wording import local_text
from supervision_centre.journal.answers import EXPIRED_LABEL, Names
from supervision_centre.journal.labels import OPERATIONS, kind_label, role_label
from vms.base.clock import utc_text

COLUMNS: Final = (
    "numero", "date_utc", "date_paris", "operation", "acte", "personne", "role", "identifiant_personne", "finalite",
    "precision", "requisition", "camera", "identifiant_camera", "commune", "code_insee", "autorite", "images_debut_utc",
    "images_fin_utc", "destinataires", "details", "empreinte",
)  # fmt: skip
PRINTED: Final = (
    ("N°", 9), ("Date et heure", 14), ("Personne", 22), ("Acte", 24), ("Caméra", 20), ("Images", 21),
    ("Finalité", 34), ("Empreinte", 13),
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LEAF_SHOWN: Final = 12


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as CSV: semicolons, every cell quoted, CRLF (RFC 4180), UTF-8."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return lines.getvalue().encode()


def guarded(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith(_FORMULA) else cell


def csv_row(entry: JournalEntry, names: Names) -> tuple[str, ...]:
    """One entry under `COLUMNS`."""
    when = (str(entry.index), utc_text(entry.at_ns), local_text(entry.at_ns))
    event = entry.event
    if event is None:
        return (*when, "", EXPIRED_LABEL, *[""] * (len(COLUMNS) - 6), entry.leaf_hash)
    ranged = event.range_end_ns > 0
    return (
        *when,
        OPERATIONS[event.operation],
        kind_label(event.kind),
        event.author.name,
        role_label(event.author.role),
        event.author.person_id,
        reason_label(event.reason.code),
        event.reason.text,
        event.requisition,
        names.camera(event.camera_id),
        event.camera_id,
        names.commune(event.commune),
        event.commune,
        event.authority,
        utc_text(event.range_start_ns) if ranged else "",
        utc_text(event.range_end_ns) if ranged else "",
        ", ".join(event.recipients),
        ", ".join(f"{name} : {value}" for name, value in event.details.items()),
        entry.leaf_hash,
    )


def printed_row(entry: JournalEntry, names: Names) -> tuple[str, ...]:
    """One entry under `PRINTED`."""
    when = (str(entry.index), local_text(entry.at_ns).replace(" à ", "\n"))
    leaf = entry.leaf_hash[:_LEAF_SHOWN]
    event = entry.event
    if event is None:
        return (*when, "", EXPIRED_LABEL, "", "", "", leaf)
    reason = _joined(
        reason_label(event.reason.code),
        event.reason.text,
        f"Réquisition {event.requisition}" if event.requisition else "",
    )
    return (
        *when,
        _joined(event.author.name, role_label(event.author.role)),
        _joined(kind_label(event.kind), OPERATIONS[event.operation]),
        _joined(names.camera(event.camera_id), names.commune(event.commune), event.authority),
        images_text(event),
        reason,
        leaf,
    )


def images_text(event: AccessEvent) -> str:
    """Which images an entry is about."""
    if not event.range_end_ns:
        return ""
    return f"du {local_text(event.range_start_ns)}\nau {local_text(event.range_end_ns)}"


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
