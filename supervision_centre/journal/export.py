"""The journal of a period and a controller as an archive to take away: streamed and bounded (LAW-31).

    journal.csv              every entry, or
    journal-001.pdf …        the same as PDF/A, `PART_ENTRIES` a file, newest first
    attestation.pdf          period, controller, number of entries, checkpoint, SHA-256 of the files
    LISEZMOI.txt             what is in the archive and how to verify it
    point-de-controle.txt    the signed checkpoint under which the entries stand
    consultation.json        the proof that this export is itself in the journal
    empreintes.txt           SHA-256 of every file, as `sha256sum -c` reads it

The export is in the journal before its first line is read, and reads nothing newer. Memory holds one page of the CSV
or one part of the PDF. Nothing is kept at the centre. A reader whose log-in has ended gets no further page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from access_audit.journal import JournalEntry, JournalQuery
from supervision_centre.documents.process import pdf_bytes
from supervision_centre.journal.anchor import anchor_of
from supervision_centre.journal.answers import Names
from supervision_centre.journal.archive import Archive
from supervision_centre.journal.attestation import Coverage, attestation, controller_text, part, read_me
from supervision_centre.journal.service import JournalReader
from supervision_centre.journal.sheet import COLUMNS, csv_lines, csv_row
from supervision_centre.people.person import Person
from supervision_centre.people.web_sessions import no_session
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND, Clock, utc_text
from vms.base.errors import ErrorKind, VmsError

PART_ENTRIES: Final = 4_000
MAX_AT_ONCE: Final = 2
_KEPT_STATES: Final = 64
_FORGOTTEN_AFTER_NS: Final = 600 * NS_PER_SECOND
_BOM: Final = b"\xef\xbb\xbf"


class ExportForm(StrEnum):
    """What the entries are written as."""

    CSV = "csv"
    PDF = "pdf"


class ExportState(StrEnum):
    """How far an export is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Progress:
    """How far one export of one person is: entries written, and the share of the period that is read, 0 to 1.

    `touched_ns` is the last sign of life (monotonic): nobody may have come for an archive that was opened.
    """

    person_id: str
    touched_ns: int
    state: ExportState = ExportState.RUNNING
    entries: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportWish:
    """What is to be exported: UTC nanoseconds, the end excluded; empty fields for every commune and every authority."""

    form: ExportForm
    since_ns: int
    until_ns: int
    commune: str = ""
    authority: str = ""

    def query(self, before_index: int | None = None) -> JournalQuery:
        """The question to the journal."""
        communes = frozenset({self.commune}) if self.commune else None
        return JournalQuery(
            communes=communes, since_ns=self.since_ns, until_ns=self.until_ns, before_index=before_index
        )


class Exports:
    """The exports of one process of the centre: a few at once, each known by its identifier."""

    def __init__(self, services: CentreServices) -> None:
        self._services = services
        self._states: dict[str, Progress] = {}

    def progress(self, person: Person, export_id: str) -> Progress | None:
        """How far an export of this person is; None for one that this process does not know."""
        found = self._states.get(export_id)
        return found if found is not None and found.person_id == person.person_id else None

    async def open(
        self, person: Person, export_id: str, wish: ExportWish, still_in: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Log the export, then give its archive piece by piece.

        VmsError `export.period`, `export.busy`, `audit.unavailable`, all before the first piece.
        """
        if wish.until_ns <= wish.since_ns:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "export.period",
                "La période se termine avant de commencer.",
                hint="Indiquez un début, puis une fin.",
            )
        progress = self._enter(person, export_id)
        try:
            return (await self._prepared(person, wish, progress, still_in)).archive()
        except BaseException:
            progress.state = ExportState.FAILED
            raise

    def _enter(self, person: Person, export_id: str) -> Progress:
        now_ns = self._services.clock.monotonic_ns()
        for one in self._states.values():
            if one.state is ExportState.RUNNING and now_ns - one.touched_ns > _FORGOTTEN_AFTER_NS:
                one.state = ExportState.FAILED
        running = [one for one in self._states.values() if one.state is ExportState.RUNNING]
        if len(running) >= MAX_AT_ONCE or export_id in self._states:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "export.busy",
                "D'autres exports du journal sont en cours.",
                hint="Réessayez dans quelques minutes.",
            )
        ended = [name for name, one in self._states.items() if one.state is not ExportState.RUNNING]
        for name in ended[: max(0, len(self._states) - _KEPT_STATES)]:
            del self._states[name]
        return self._states.setdefault(export_id, Progress(person.person_id, now_ns))

    async def _prepared(
        self, person: Person, wish: ExportWish, progress: Progress, still_in: Callable[[], Awaitable[bool]]
    ) -> _Export:
        services = self._services
        reader = JournalReader(services)
        receipt = await reader.note(person, _described(wish))
        anchor = await anchor_of(services.audit, receipt)
        names = Names.of(await services.cameras.all())
        coverage = Coverage(
            centre_name=services.settings.centre_name,
            reader=person.name,
            since_ns=wish.since_ns,
            until_ns=wish.until_ns,
            controller=controller_text(person, wish.commune, names, wish.authority),
            made_at_ns=services.clock.utc_ns(),
            anchor=anchor,
        )
        return _Export(reader, person, wish, coverage, names, progress, still_in, services.clock)


@dataclass(slots=True)
class _Export:
    """One export on its way."""

    reader: JournalReader
    person: Person
    wish: ExportWish
    coverage: Coverage
    names: Names
    progress: Progress
    still_in: Callable[[], Awaitable[bool]]
    clock: Clock

    async def archive(self) -> AsyncIterator[bytes]:
        """The archive, piece by piece."""
        made_at = datetime.fromtimestamp(self.coverage.made_at_ns // NS_PER_SECOND, UTC)
        archive = Archive(made_at)
        try:
            written = self._csv(archive) if self.wish.form is ExportForm.CSV else self._pdf(archive)
            async with aclosing(written) as pieces:
                async for piece in pieces:
                    yield piece
            async for piece in self._closing(archive):
                yield piece
            self.progress.state, self.progress.share = ExportState.DONE, 1.0
        finally:
            if self.progress.state is ExportState.RUNNING:
                self.progress.state = ExportState.FAILED

    async def _pages(self) -> AsyncIterator[list[JournalEntry]]:
        """Pages of what is asked for. Their number and the share of the period stand in `progress`."""
        since_ns, until_ns = self.wish.since_ns, min(self.wish.until_ns, self.coverage.made_at_ns + 1)
        query = self.wish.query(before_index=self.coverage.anchor.size)
        async for page in self.reader.pages(self.person, query):
            if not await self.still_in():
                raise no_session()
            self.progress.touched_ns = self.clock.monotonic_ns()
            if page:
                read_ns = max(0, min(until_ns - page[-1].at_ns, until_ns - since_ns))
                self.progress.share = read_ns / max(1, until_ns - since_ns)
            kept = [entry for entry in page if self._concerns(entry)]
            self.progress.entries += len(kept)
            yield kept

    def _concerns(self, entry: JournalEntry) -> bool:
        if not self.wish.authority:
            return True
        return entry.event is not None and entry.event.authority == self.wish.authority

    async def _csv(self, archive: Archive) -> AsyncGenerator[bytes, None]:
        with archive.file("journal.csv") as member:

            def add(page: list[JournalEntry]) -> bytes:
                member.write(csv_lines(csv_row(entry, self.names) for entry in page))
                return archive.taken()

            member.write(_BOM + csv_lines([COLUMNS]))
            async for page in self._pages():
                yield await asyncio.to_thread(add, page)

    async def _pdf(self, archive: Archive) -> AsyncGenerator[bytes, None]:
        waiting: list[JournalEntry] = []
        number = 0
        async for page in self._pages():
            waiting += page
            if len(waiting) >= PART_ENTRIES:
                number += 1
                yield await self._part(archive, number, waiting)
                waiting = []
        if waiting:
            yield await self._part(archive, number + 1, waiting)

    async def _part(self, archive: Archive, number: int, entries: list[JournalEntry]) -> bytes:
        drawn = await pdf_bytes(await asyncio.to_thread(part, self.coverage, number, entries, self.names))
        return await asyncio.to_thread(archive.add, f"journal-{number:03d}.pdf", drawn, packed=False)

    async def _closing(self, archive: Archive) -> AsyncIterator[bytes]:
        coverage, entries = self.coverage, self.progress.entries
        page = await pdf_bytes(attestation(coverage, entries, list(archive.digests.items())))
        proof = json.dumps(coverage.anchor.proof, ensure_ascii=False, indent=1)
        yield archive.add("attestation.pdf", page, packed=False)
        yield archive.add("LISEZMOI.txt", _BOM + read_me(coverage, entries).encode())
        yield archive.add("point-de-controle.txt", coverage.anchor.note.encode())
        yield archive.add("consultation.json", proof.encode())
        sums = "".join(f"{digest}  {name}\n" for name, digest in archive.digests.items())
        yield archive.add("empreintes.txt", sums.encode())
        yield archive.close()


def _described(wish: ExportWish) -> str:
    parts = (
        f"export {wish.form}",
        f"commune {wish.commune}" if wish.commune else "",
        f"depuis {utc_text(wish.since_ns)}",
        f"jusqu'à {utc_text(wish.until_ns)}",
        wish.authority,
    )
    return "; ".join(part for part in parts if part)
