"""Reading the journal, which is itself in the journal before the first line is shown (LAW-18, LAW-25, LAW-31).

The data protection officer reads all of it; a mayor or their delegate reads the entries of their commune.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from access_audit.journal import JournalPage, JournalQuery
from supervision_centre.access.entries import journal_consulted
from supervision_centre.people.person import Person, Role
from supervision_centre.services import CentreServices
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

_WHOLE_JOURNAL = frozenset({Role.DPO})
_MAX_SEARCH_CHARS = 120


def scope_of(person: Person) -> frozenset[str] | None:
    """The communes whose entries a person reads; None for all."""
    return None if person.role in _WHOLE_JOURNAL else person.communes


class JournalReader:
    """The journal as one person may read it."""

    def __init__(self, services: CentreServices) -> None:
        self._services = services

    async def search(self, person: Person, query: JournalQuery) -> JournalPage:
        """A page of entries. VmsError `audit.unavailable` when the journal does not answer."""
        scoped = replace(query, communes=_narrowed(scope_of(person), query.communes))
        await self._note(person, _described(query))
        return await self._services.audit.search(scoped)

    async def proof(self, person: Person, index: int) -> dict[str, Any]:
        """The proof file of one entry of the person's scope. VmsError `journal.unknown`."""
        await self._note(person, f"preuve de l'entrée {index}")
        scope = scope_of(person)
        if scope is not None:
            page = await self._services.audit.search(JournalQuery(communes=scope, before_index=index + 1, limit=1))
            if not page.entries or page.entries[0].index != index:
                raise VmsError(
                    ErrorKind.NOT_FOUND,
                    "journal.unknown",
                    "Cette entrée n'existe pas dans votre périmètre.",
                    hint="Choisissez une entrée de la liste.",
                )
        return await self._services.audit.proof(index)

    async def _note(self, person: Person, search: str) -> None:
        event = journal_consulted(person, self._services.clock.utc_ns(), search[:_MAX_SEARCH_CHARS])
        await self._services.audit.record(event)


def _narrowed(scope: frozenset[str] | None, wanted: frozenset[str] | None) -> frozenset[str] | None:
    if scope is None or wanted is None:
        return wanted if scope is None else scope
    return scope & wanted


def _described(query: JournalQuery) -> str:
    parts = [
        f"{name} {value}"
        for name, value in (
            ("personne", query.person_id),
            ("caméra", query.camera_id),
            ("commune", ",".join(sorted(query.communes or ()))),
            ("opération", ",".join(sorted(query.operations))),
            ("depuis", utc_text(query.since_ns) if query.since_ns is not None else ""),
            ("jusqu'à", utc_text(query.until_ns) if query.until_ns is not None else ""),
            ("avant", str(query.before_index) if query.before_index is not None else ""),
        )
        if value
    ]
    return "; ".join(parts) or "tout"
