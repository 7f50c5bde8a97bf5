"""Reading the journal, which is itself in the journal before the first line is shown (LAW-18, LAW-25, LAW-31).

The data protection officer and the inspector read all of it; a mayor or their delegate reads the entries of their
commune, without what investigators asked for. The scope is narrowed here, for every way of reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from access_audit.journal import MAX_PAGE_ENTRIES, JournalEntry, JournalPage, JournalQuery
from access_audit.receipt import AuditReceipt
from supervision_centre.access.entries import journal_consulted
from supervision_centre.journal.answers import hides, may_read_requisitions, seen_by
from supervision_centre.people.person import Person, Role
from supervision_centre.services import CentreServices
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

_WHOLE_JOURNAL = frozenset({Role.DPO, Role.INSPECTOR})
_MAX_SEARCH_CHARS = 120
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)


def scope_of(person: Person) -> frozenset[str] | None:
    """The communes whose entries a person reads; None for all."""
    return None if person.role in _WHOLE_JOURNAL else person.communes


class JournalReader:
    """The journal as one person may read it."""

    def __init__(self, services: CentreServices) -> None:
        self._services = services

    async def search(self, person: Person, query: JournalQuery) -> JournalPage:
        """A page of entries. VmsError `audit.unavailable` when the journal does not answer, `journal.requisition`."""
        scoped = scoped_query(person, query)
        await self.note(person, _described(query), query.requisition)
        page = await self._services.audit.search(scoped)
        return replace(page, entries=tuple(seen_by(person, entry) for entry in page.entries))

    async def pages(self, person: Person, query: JournalQuery) -> AsyncIterator[list[JournalEntry]]:
        """Every entry that a query asks for, newest first, page by page. The caller has noted the consultation.

        A journal that is busy is asked again for a while: a long reading does not fail for one slow answer.
        """
        scoped = replace(scoped_query(person, query), limit=MAX_PAGE_ENTRIES)
        while True:
            page = await self._patiently(scoped)
            yield [seen_by(person, entry) for entry in page.entries]
            if page.next_before is None:
                return
            scoped = replace(scoped, before_index=page.next_before)

    async def proof(self, person: Person, index: int) -> dict[str, Any]:
        """The proof file of one entry of the person's scope. VmsError `journal.unknown`.

        Of an entry that names a requisition, an elected official gets the proof that it stands there, without payload.
        """
        await self.note(person, f"preuve de l'entrée {index}")
        scope = scope_of(person)
        withheld = False
        if scope is not None:
            page = await self._services.audit.search(JournalQuery(communes=scope, before_index=index + 1, limit=1))
            if not page.entries or page.entries[0].index != index:
                raise VmsError(
                    ErrorKind.NOT_FOUND,
                    "journal.unknown",
                    "Cette entrée n'existe pas dans votre périmètre.",
                    hint="Choisissez une entrée de la liste.",
                )
            event = page.entries[0].event
            withheld = event is not None and hides(person, event)
        proof = await self._services.audit.proof(index)
        return {name: value for name, value in proof.items() if not (withheld and name in {"payload", "salt"})}

    async def _patiently(self, query: JournalQuery) -> JournalPage:
        for pause_s in _PAUSES_S:
            try:
                return await self._services.audit.search(query)
            except VmsError as refused:
                if refused.kind is not ErrorKind.UNAVAILABLE:
                    raise
            await asyncio.sleep(pause_s)
        return await self._services.audit.search(query)

    async def note(self, person: Person, search: str, requisition: str = "") -> AuditReceipt:
        """Put a reading in the journal; it may begin once this has returned.

        A requisition that is searched for is a detail of its own, which elected officials are not shown, and not the
        requisition of the entry: a search would find itself.
        """
        event = journal_consulted(person, self._services.clock.utc_ns(), search[:_MAX_SEARCH_CHARS], requisition)
        return await self._services.audit.record(event)


def scoped_query(person: Person, query: JournalQuery) -> JournalQuery:
    """The query within the scope of a person. VmsError `journal.requisition` for what is not theirs to search by."""
    if query.requisition and not may_read_requisitions(person):
        raise VmsError(
            ErrorKind.FORBIDDEN,
            "journal.requisition",
            "Les réquisitions judiciaires ne sont pas accessibles aux élus.",
            hint="Retirez ce critère de la recherche.",
        )
    return replace(query, communes=_narrowed(scope_of(person), query.communes))


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
            ("par", "réquisition" if query.requisition else ""),
            ("opération", ",".join(sorted(query.operations))),
            ("depuis", utc_text(query.since_ns) if query.since_ns is not None else ""),
            ("jusqu'à", utc_text(query.until_ns) if query.until_ns is not None else ""),
            ("avant", str(query.before_index) if query.before_index is not None else ""),
        )
        if value
    ]
    return "; ".join(parts) or "tout"
