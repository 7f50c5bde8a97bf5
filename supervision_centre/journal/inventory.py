"""Settings and lists for an inspection: who may do what, which persons, which cameras and how long (LAW-31).

No password, no address and no secret is in it: an inspector learns what was decided, not how to reach a device.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cameras.contract import CameraState, CameraView, RecordableCamera
from supervision_centre.access.policy import Right, reaches, rights_of
from supervision_centre.access.purposes import purposes_at
from supervision_centre.destruction.wording import local_text, utc_clock
from supervision_centre.documents.document import Block, Document, digest, facts, heading, table
from supervision_centre.journal.anchor import Anchor, anchor_of
from supervision_centre.journal.archive import Archive
from supervision_centre.journal.service import JournalReader
from supervision_centre.journal.sheet import csv_lines
from supervision_centre.people.accounts import Accounts
from supervision_centre.people.person import ROLE_LABELS, Person, Role
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND, utc_text

Rows = tuple[tuple[str, ...], ...]
_BOM: Final = b"\xef\xbb\xbf"
_STATES: Final[dict[CameraState, str]] = {
    CameraState.DISCOVERED: "Découverte",
    CameraState.COMMISSIONED: "Réglée",
    CameraState.AUTHORISED: "Autorisée",
    CameraState.IN_SERVICE: "En service",
    CameraState.SUSPENDED: "Suspendue",
    CameraState.RETIRED: "Retirée",
}
RIGHT_LABELS: Final[dict[Right, str]] = {
    Right.CAMERAS: "liste des caméras",
    Right.LIVE: "images en direct",
    Right.PLAYBACK: "relecture",
    Right.PRESENCE: "personnes connectées",
    Right.JOURNAL: "journal des accès",
    Right.INSTALL: "mise en service de caméras",
    Right.PEOPLE_LIST: "liste des personnes",
    Right.PEOPLE_SUSPEND: "suspension d'un compte",
    Right.PEOPLE_MANAGE: "gestion des comptes",
    Right.EXPORT: "export d'images",
    Right.HOLD: "conservation sur réquisition",
    Right.HOLD_LIST: "liste des conservations",
    Right.DESTRUCTION: "certificats de destruction",
    Right.CAPACITY: "état des disques",
    Right.REQUISITION: "suivi des réquisitions",
    Right.INVENTORY: "réglages et listes",
}
SETTINGS: Final = (("Réglage", 50), ("Valeur", 50))
RIGHTS: Final = (("Rôle", 30), ("Droits", 70))
PEOPLE: Final = (
    ("Nom", 20), ("Identifiant", 14), ("Rôle", 22), ("Territoire", 12), ("Habilitation", 22), ("Jusqu'au", 12),
    ("Agrément", 18), ("État", 12),
)  # fmt: skip
CAMERAS: Final = (
    ("Caméra", 22), ("Commune", 16), ("Autorité", 20), ("État", 10), ("Arrêté", 22), ("Jusqu'au", 12),
    ("Conservation", 12), ("Identifiant", 24),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inventory:
    """The tables of an inspection, and the entry that says that they were read."""

    centre_name: str
    reader: str
    made_at_ns: int
    settings: Rows
    rights: Rows
    people: Rows
    cameras: Rows
    anchor: Anchor

    @property
    def tables(self) -> tuple[tuple[str, str, tuple[tuple[str, int], ...], Rows], ...]:
        """File name, title, columns and rows of each table."""
        return (
            ("reglages", "Réglages", SETTINGS, self.settings),
            ("droits", "Droits de chaque rôle", RIGHTS, self.rights),
            ("personnes", "Personnes habilitées", PEOPLE, self.people),
            ("cameras", "Caméras", CAMERAS, self.cameras),
        )


async def inventory_for(services: CentreServices, accounts: Accounts, person: Person) -> Inventory:
    """The tables of the territories of a person; the reading is in the journal first. VmsError `audit.unavailable`."""
    receipt = await JournalReader(services).note(person, "réglages et listes")
    now_ns = services.clock.utc_ns()
    views = [view for view in await services.cameras.all() if reaches(person, view, now_ns)]
    decisions = {camera.camera_id: camera for camera in await services.cameras.recordable()}
    people = await accounts.everybody()
    return Inventory(
        centre_name=services.settings.centre_name,
        reader=person.name,
        made_at_ns=now_ns,
        settings=_settings(services, now_ns),
        rights=tuple(
            (ROLE_LABELS[role], ", ".join(label for right, label in RIGHT_LABELS.items() if right in rights_of(role)))
            for role in Role
        ),
        people=tuple(_person(one) for one in people),
        cameras=tuple(_camera(view, decisions.get(view.camera_id)) for view in _sorted(views)),
        anchor=await anchor_of(services.audit, receipt),
    )


def inventory_json(inventory: Inventory) -> dict[str, Any]:
    """The tables for a program."""
    tables = {
        name: [dict(zip((title for title, _ in columns), row, strict=True)) for row in rows]
        for name, _, columns, rows in inventory.tables
    }
    return {"made_at": utc_text(inventory.made_at_ns), **tables}


def inventory_page(inventory: Inventory) -> Document:
    """The tables to print."""
    blocks: list[Block] = []
    for _, title, columns, rows in inventory.tables:
        blocks += [heading(title), table(columns, rows)]
    receipt = inventory.anchor.receipt
    return Document(
        title="Réglages et listes",
        issuer=inventory.centre_name,
        made_at_ns=inventory.made_at_ns,
        landscape=True,
        footer=f"Réglages et listes au {local_text(inventory.made_at_ns)}",
        blocks=(
            facts(
                ("Établi", f"le {local_text(inventory.made_at_ns)} pour {inventory.reader}"),
                ("En temps universel", utc_clock(inventory.made_at_ns)),
                ("Cette lecture dans le journal", f"n° {receipt.index}, empreinte {receipt.leaf_hash.hex()}"),
            ),
            *blocks,
            heading("Point de contrôle signé du journal"),
            digest(inventory.anchor.note),
        ),
    )


def inventory_archive(inventory: Inventory) -> bytes:
    """The tables as CSV files in an archive."""
    archive = Archive(datetime.fromtimestamp(inventory.made_at_ns // NS_PER_SECOND, UTC))
    pieces = [
        archive.add(f"{name}.csv", _BOM + csv_lines([[title for title, _ in columns], *rows]))
        for name, _, columns, rows in inventory.tables
    ]
    proof = json.dumps(inventory.anchor.proof, ensure_ascii=False, indent=1).encode()
    pieces.append(archive.add("consultation.json", proof))
    sums = "".join(f"{sum_}  {name}\n" for name, sum_ in archive.digests.items())
    pieces += [archive.add("empreintes.txt", sums.encode()), archive.close()]
    return b"".join(pieces)


def _settings(services: CentreServices, now_ns: int) -> Rows:
    settings = services.settings
    return (
        ("Centre", settings.centre_name),
        ("Session : durée maximale", f"{settings.session_absolute_s // 3600} h"),
        ("Session : inactivité", f"{settings.session_idle_s // 60} min"),
        ("Session du mur d'images : inactivité", f"{(settings.control_room_idle_s or 0) // 60} min"),
        ("Console servie par", ", ".join(settings.public_origins)),
        ("Démonstration", "oui" if settings.demonstration else "non"),
        ("Finalités proposées", "\n".join(f"{one.number}° {one.label}" for one in purposes_at(now_ns))),
    )


def _person(person: Person) -> tuple[str, ...]:
    agrement = person.agrement
    return (
        person.name,
        person.login,
        ROLE_LABELS[person.role],
        ", ".join(sorted(person.territories)),
        person.habilitation.reference,
        _day(person.habilitation.ends_at_ns),
        f"{agrement.number}, jusqu'au {_day(agrement.reinquiry_at_ns)}" if agrement else "",
        "En fonction" if person.suspended_at_ns is None else f"Suspendu le {_day(person.suspended_at_ns)}",
    )


def _camera(view: CameraView, decision: RecordableCamera | None) -> tuple[str, ...]:
    return (
        view.name,
        f"{view.commune_name} ({view.commune})",
        view.authority,
        _STATES[view.state],
        decision.authorisation_reference if decision else "",
        _day(decision.ends_at_ns) if decision else "",
        f"{decision.retention_days} jours" if decision else "",
        view.camera_id,
    )


def _sorted(views: Sequence[CameraView]) -> list[CameraView]:
    return sorted(views, key=lambda view: (_plain(view.commune_name), _plain(view.name), view.camera_id))


def _plain(name: str) -> str:
    """A name as the alphabet orders it: Évreux before Vernon."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()


def _day(utc_ns: int) -> str:
    return local_text(utc_ns).split(" ")[0]
