"""The export journal of the arrêté: one line for each communication of images (LAW-42; arrêté of 3 August 2007).

A line has five items: the dates and hours of the images, their duration, the cameras, the date and hour of the export
and the person. It is drawn from the entries whose operation is a communication, whatever makes them, so that it cannot
say anything else than the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from access_audit.events import AccessEvent, LegalOperation
from access_audit.journal import JournalEntry, JournalQuery
from supervision_centre.access.purposes import reason_label
from supervision_centre.destruction.wording import duration_text, local_text
from supervision_centre.documents.document import Document, digest, facts, heading, notice, table, text
from supervision_centre.journal.anchor import Anchor, anchor_of
from supervision_centre.journal.answers import Names
from supervision_centre.journal.attestation import PROOF_COMMAND, Coverage
from supervision_centre.journal.labels import kind_label, role_label
from supervision_centre.journal.service import JournalReader
from supervision_centre.journal.sheet import images_text
from supervision_centre.people.person import Person
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND, utc_text
from vms.base.errors import ErrorKind, VmsError

MAX_LINES: Final = 10_000
NOTHING: Final = "Aucune image n'a été exportée ni communiquée pendant cette période."
_COLUMNS: Final = (
    ("Exporté le", 15), ("Images", 22), ("Durée", 11), ("Caméra", 24), ("Personne", 22), ("Remis à", 20),
    ("Motif", 28), ("N°", 8),
)  # fmt: skip


async def communications(
    services: CentreServices, person: Person, commune: str, since_ns: int, until_ns: int
) -> tuple[list[JournalEntry], Anchor]:
    """The communications of a period, newest first, and the state of the log. VmsError `export.period` for too many."""
    reader = JournalReader(services)
    where = f"commune {commune}; " if commune else ""
    receipt = await reader.note(
        person, f"journal des exports; {where}depuis {utc_text(since_ns)}; jusqu'à {utc_text(until_ns)}"
    )
    anchor = await anchor_of(services.audit, receipt)
    query = JournalQuery(
        communes=frozenset({commune}) if commune else None,
        operations=frozenset({LegalOperation.COMMUNICATION}),
        since_ns=since_ns,
        until_ns=until_ns,
        before_index=anchor.size,
    )
    found: list[JournalEntry] = []
    async for page in reader.pages(person, query):
        found += page
        if len(found) > MAX_LINES:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "export.period",
                "Cette période contient trop d'exports pour un seul document.",
                hint="Choisissez une période plus courte.",
            )
    return found, anchor


def communication_json(entry: JournalEntry, names: Names) -> dict[str, Any]:
    """One line; an expired entry has lost all but its place and its date."""
    event = entry.event
    base: dict[str, Any] = {"index": entry.index, "at": utc_text(entry.at_ns), "leaf": entry.leaf_hash}
    if event is None:
        return base | {"expired": True}
    return base | {
        "expired": False,
        "kind_label": kind_label(event.kind),
        "person": event.author.name,
        "role_label": role_label(event.author.role),
        "recipients": list(event.recipients),
        "camera": event.camera_id,
        "camera_name": names.camera(event.camera_id),
        "commune_name": names.commune(event.commune),
        "range": {"start": utc_text(event.range_start_ns), "end": utc_text(event.range_end_ns)}
        if event.range_end_ns
        else None,
        "duration_s": _duration_s(event),
        "reason_label": reason_label(event.reason.code),
        "requisition": event.requisition,
    }


def communications_page(entries: Sequence[JournalEntry], names: Names, coverage: Coverage) -> Document:
    """The journal to print."""
    receipt = coverage.anchor.receipt
    rows = tuple(_row(entry, names) for entry in entries)
    return Document(
        title="Journal des exports",
        issuer=coverage.centre_name,
        made_at_ns=coverage.made_at_ns,
        landscape=True,
        footer=f"Journal des exports. Racine du journal {coverage.anchor.root}",
        blocks=(
            facts(
                *coverage.facts(),
                ("Inscriptions citées", str(len(entries))),
                ("Cette lecture dans le journal", f"n° {receipt.index}, empreinte {receipt.leaf_hash.hex()}"),
            ),
            table(_COLUMNS, rows) if rows else notice(NOTHING),
            heading("Vérifier"),
            text(
                "Chaque ligne est une inscription du journal des accès, que le centre ne peut pas modifier. La preuve"
                " de chacune se télécharge dans la console ; elle se vérifie hors ligne :"
            ),
            digest(PROOF_COMMAND.replace("consultation.json", "preuve-journal-N.json")),
            heading("Point de contrôle signé"),
            digest(coverage.anchor.note),
        ),
    )


def _row(entry: JournalEntry, names: Names) -> tuple[str, ...]:
    when = local_text(entry.at_ns).replace(" à ", "\n")
    event = entry.event
    if event is None:
        return (when, "", "", "", "", "", "Contenu arrivé à échéance, effacé", str(entry.index))
    requisition = f"\nRéquisition {event.requisition}" if event.requisition else ""
    return (
        when,
        images_text(event),
        duration_text(_duration_s(event)),
        f"{names.camera(event.camera_id)}\n{names.commune(event.commune)}",
        f"{event.author.name}\n{role_label(event.author.role)}",
        ", ".join(event.recipients),
        reason_label(event.reason.code) + requisition,
        str(entry.index),
    )


def _duration_s(event: AccessEvent) -> int:
    return (event.range_end_ns - event.range_start_ns) // NS_PER_SECOND
