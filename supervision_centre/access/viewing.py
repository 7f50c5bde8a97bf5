"""Looks at cameras: open, renew, close, in the one order that the law allows (LAW-26).

Open:  1. decide on each wish; 2. put every grant and refusal in the journal with one commit; 3. wait for the receipts;
       4. keep the looks, if the log-in still stands: a person who was suspended meanwhile gets no ticket (LAW-17);
       5. sign the tickets. Whatever fails leaves at most an entry without an act.
Renew: decide again on today's values, ask that the journal still answers, prolong the lease, sign. A look whose close
       could not be written is not prolonged: without its journal, viewing ends within a lease.
Close: the look and its owed entry in one transaction, then the node is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from access_audit.events import AccessEvent
from access_audit.receipt import AuditReceipt
from cameras.contract import CameraView
from recorder.contract.ticket import MediaAct, MediaTicket
from supervision_centre.access import entries, looks
from supervision_centre.access.owed import Deliverer, owe
from supervision_centre.access.policy import Grant, Refusal, Wish, decide, no_such_camera, reaches
from supervision_centre.access.tables import ViewingSessionRow
from supervision_centre.access.tickets import LEASE_NS, EntryOnFile, issue_ticket
from supervision_centre.bus.port import Message, Topic
from supervision_centre.people.person import Person
from supervision_centre.people.web_sessions import WebSession, WebSessions, no_session
from supervision_centre.services import CentreServices
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

log = structlog.get_logger(__name__)

MAX_OPEN_LOOKS = 128


@dataclass(frozen=True, slots=True)
class OpenedLook:
    """A look that may begin: its ticket, and the receipt of its entry."""

    session_id: str
    camera_id: str
    ticket: MediaTicket
    receipt: AuditReceipt


@dataclass(frozen=True, slots=True)
class RefusedLook:
    """A wish that was not granted, and why."""

    camera_id: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Renewal:
    """New tickets by look, and the looks that have ended with their cause."""

    tickets: Mapping[str, MediaTicket]
    ended: Mapping[str, str]


class Viewing:
    """The looks of one centre."""

    def __init__(self, services: CentreServices, deliverer: Deliverer) -> None:
        self._services = services
        self._deliverer = deliverer

    async def open(self, web: WebSession, wishes: Sequence[Wish]) -> tuple[list[OpenedLook], list[RefusedLook]]:
        """Open looks, or none at all.

        VmsError `audit.unavailable` when the journal does not answer, `session.missing` when the log-in was ended
        meanwhile, `viewing.too_many`.
        """
        services, person = self._services, web.person
        await self._check_room(person, len(wishes))
        cameras = {camera.camera_id: camera for camera in await services.cameras.all()}
        now_ns = services.clock.utc_ns()
        decisions = [decide(person, cameras.get(wish.camera_id), wish, now_ns) for wish in wishes]
        grants = [(new_id("view"), decision) for decision in decisions if isinstance(decision, Grant)]
        refused = [
            RefusedLook(wish.camera_id, decision)
            for wish, decision in zip(wishes, decisions, strict=True)
            if isinstance(decision, Refusal)
        ]
        refusals = [
            entries.refused(person, cameras.get(wish.camera_id), wish, decision.cause, now_ns)
            for wish, decision in zip(wishes, decisions, strict=True)
            if isinstance(decision, Refusal)
        ]
        receipts = await self._record([entries.opened(grant, name) for name, grant in grants], refusals)
        async with services.database.writing() as session:
            if not await WebSessions.stands(session, web.session_id):
                raise no_session()
            for (name, grant), receipt in zip(grants, receipts, strict=True):
                session.add(_row(name, grant, receipt, web.session_id))
        opened = [
            OpenedLook(name, grant.camera.camera_id, issue_ticket(grant, receipt, name, services.ticket_key), receipt)
            for (name, grant), receipt in zip(grants, receipts, strict=True)
        ]
        return opened, refused

    async def renew(self, web: WebSession, act: MediaAct, session_ids: Collection[str]) -> Renewal:
        """Prolong the looks of this log-in. VmsError `audit.unavailable` when the journal does not answer."""
        services = self._services
        await services.audit.head()
        cameras = {camera.camera_id: camera for camera in await services.cameras.all()}
        async with services.database.reading() as reading:
            rows = await looks.open_looks(reading, web_session_id=web.session_id, session_ids=session_ids)
        now_ns = services.clock.utc_ns()
        granted: dict[str, tuple[Grant, EntryOnFile]] = {}
        ended = dict.fromkeys(session_ids, "closed")
        for row in rows:
            if row.act != act:
                continue
            wish = Wish(act, row.camera_id, row.purpose, row.note, row.start_ns, row.end_ns)
            decision = decide(web.person, cameras.get(row.camera_id), wish, now_ns)
            if isinstance(decision, Grant):
                granted[row.session_id] = (decision, EntryOnFile.of(row))
                ended[row.session_id] = "lease_expired"
            else:
                ended[row.session_id] = decision.cause
                await self.close(web, [row.session_id], decision.cause)
        async with services.database.writing() as session:
            renewed = await looks.renew_leases(session, granted, now_ns, now_ns + LEASE_NS)
        tickets = {
            name: issue_ticket(grant, entry, name, services.ticket_key)
            for name, (grant, entry) in granted.items()
            if name in renewed
        }
        return Renewal(tickets, {name: cause for name, cause in ended.items() if name not in tickets})

    async def close(self, web: WebSession, session_ids: Collection[str] | None = None, cause: str = "closed") -> None:
        """Close looks of this log-in; all of them when none is named."""
        async with self._services.database.writing() as session:
            ended = await looks.close_looks(
                session,
                self._services.clock.utc_ns(),
                cause,
                web_session_id=web.session_id,
                session_ids=session_ids,
            )
        await self.tell(ended)

    async def refuse(self, person: Person, camera: CameraView | None, wish: Wish, refusal: Refusal) -> None:
        """Owe the journal the entry of a refusal (LAW-18)."""
        now_ns = self._services.clock.utc_ns()
        async with self._services.database.writing() as session:
            owe(session, [entries.refused(person, camera, wish, refusal.cause, now_ns)])
        self._deliverer.wake()

    async def camera_of(self, person: Person, camera_id: str) -> CameraView:
        """A camera within a person's reach; otherwise the VmsError of one that is not there, owed to the journal."""
        camera = await self._services.cameras.get(camera_id)
        if camera is None or not reaches(person, camera, self._services.clock.utc_ns()):
            refusal = no_such_camera()
            await self.refuse(person, camera, Wish(MediaAct.PLAYBACK, camera_id, ""), refusal)
            raise refusal.error
        return camera

    async def tell(self, ended: Collection[str]) -> None:
        """Tell the node and the other processes that looks have ended, and the journal that it is owed entries."""
        self._deliverer.wake()
        if not ended:
            return
        await self.tell_node(ended)
        try:
            await self._services.bus.publish(Message(Topic.REVOCATIONS, {"sessions": ",".join(ended)}))
        except VmsError as away:
            log.warning("bus not told of ended looks", code=away.code, detail=away.detail)

    async def tell_node(self, ended: Collection[str]) -> None:
        """Tell the node that looks have ended.

        A node that does not answer is told again by the sweep until the leases have ended by themselves.
        """
        services = self._services
        try:
            await services.node.revoke(ended)
        except VmsError as away:
            log.warning("node not told of ended looks", code=away.code, detail=away.detail, looks=len(ended))
        else:
            async with services.database.writing() as session:
                await looks.mark_told(session, ended)

    async def _record(self, opened: Sequence[AccessEvent], refusals: Sequence[AccessEvent]) -> list[AuditReceipt]:
        try:
            receipts = await self._services.audit.record_all([*opened, *refusals])
        except VmsError:
            if refusals:
                async with self._services.database.writing() as session:
                    owe(session, refusals)
            if opened:
                raise
            return []
        return receipts[: len(opened)]

    async def _check_room(self, person: Person, wanted: int) -> None:
        async with self._services.database.reading() as session:
            already = len(await looks.open_looks(session, person_id=person.person_id))
        if already + wanted > MAX_OPEN_LOOKS:
            raise VmsError(
                ErrorKind.CONFLICT,
                "viewing.too_many",
                f"Vous regardez déjà {already} caméras : la limite est de {MAX_OPEN_LOOKS}.",
                hint="Fermez des vignettes avant d'en ouvrir d'autres.",
            )


def _row(session_id: str, grant: Grant, receipt: AuditReceipt, web_session_id: str) -> ViewingSessionRow:
    person, camera, wish = grant.person, grant.camera, grant.wish
    return ViewingSessionRow(
        session_id=session_id,
        act=wish.act.value,
        web_session_id=web_session_id,
        person_id=person.person_id,
        person_name=person.name,
        person_role=person.role.value,
        camera_id=camera.camera_id,
        commune=camera.commune,
        authority=camera.authority,
        purpose=wish.purpose,
        note=wish.note,
        start_ns=wish.start_ns,
        end_ns=wish.end_ns,
        receipt_index=receipt.index,
        receipt_leaf=receipt.leaf_hash.hex(),
        opened_at_ns=grant.at_ns,
        lease_until_ns=grant.at_ns + LEASE_NS,
        closed_at_ns=None,
        node_told=False,
    )
