"""Leases: who sees what until when (LAW-17, LAW-18, LAW-26).

Rules:

1. Nothing is shown without a lease, and a lease comes only from a verified ticket.
2. A lease ends at the end of its ticket, and never later than `LEASE_SECONDS` plus a small tolerance from now, however
   long the ticket says it lives; the end is held on the monotonic clock, so a step of the wall clock prolongs nothing.
3. A lease is renewed only by a ticket of the same session, person, camera and act.
4. A revoked session ends at once and stays revoked: its tickets are refused for `REVOCATION_MEMORY_SECONDS`, far
   longer than any of them lives.
5. A restart forgets revocations, so a ticket from before the start of this process is refused; a centre that still
   agrees gives a fresh one.
6. What each session was sent is counted, for the comparison with the access log.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from recorder.contract.ticket import LEASE_SECONDS, MediaAct, TicketClaims, TicketVerifier
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

LEASE_TOLERANCE_SECONDS = 2
MAX_TICKET_LIFE_SECONDS = 3 * LEASE_SECONDS
REVOCATION_MEMORY_SECONDS = 3_600
MAX_REVOCATIONS = 100_000
MAX_SESSIONS_KEPT = 10_000
WATCH_INTERVAL_S = 0.2

CAUSE_CLOSED = "closed"
CAUSE_LEASE_EXPIRED = "lease_expired"
CAUSE_REVOKED = "revoked"


@dataclass(slots=True)
class SessionUse:
    """What one viewing session was sent, and when. Instants are UTC nanoseconds; `ended_at_ns` is 0 while it lasts."""

    session_id: str
    person_id: str
    camera_id: str
    act: MediaAct
    receipt_index: int
    opened_at_ns: int
    ended_at_ns: int = 0
    cause: str = ""
    sent_bytes: int = 0
    sent_fragments: int = 0
    dropped_fragments: int = 0
    open_leases: int = 0


class Lease:
    """The right to one camera's images, until it ends.

    `cause` is empty while it runs. `on_end` is called once, at once, when it ends for whatever cause.
    """

    __slots__ = ("_on_end", "cause", "claims", "deadline_ns", "use")

    def __init__(self, claims: TicketClaims, deadline_ns: int, use: SessionUse, on_end: Callable[[str], None]) -> None:
        self.claims = claims
        self.deadline_ns = deadline_ns
        self.use = use
        self.cause = ""
        self._on_end = on_end

    @property
    def running(self) -> bool:
        """Whether images may still be sent."""
        return not self.cause

    def count(self, sent_bytes: int, fragments: int = 1) -> None:
        """Note that media went out under this lease."""
        self.use.sent_bytes += sent_bytes
        self.use.sent_fragments += fragments

    def end(self, cause: str, at_ns: int) -> None:
        """End the lease; only the book calls this."""
        self.cause = cause
        self.use.open_leases -= 1
        if self.use.open_leases == 0:
            self.use.ended_at_ns = at_ns
            self.use.cause = cause
        self._on_end(cause)


class LeaseBook:
    """Every lease of this gateway, the revocations it remembers, and the use of each session."""

    def __init__(self, verifier: TicketVerifier, clock: Clock) -> None:
        self._verifier = verifier
        self._clock = clock
        self._not_before_ns = clock.utc_ns()
        self._leases: dict[str, list[Lease]] = {}
        self._revoked: OrderedDict[str, int] = OrderedDict()
        self._uses: OrderedDict[str, SessionUse] = OrderedDict()
        self._on_revoked: list[Callable[[str], None]] = []

    def when_revoked(self, tell: Callable[[str], None]) -> None:
        """Tell of every session that is revoked from now on, whether it has a lease at that moment or not."""
        self._on_revoked.append(tell)

    def open(
        self,
        ticket: str,
        act: MediaAct,
        on_end: Callable[[str], None],
        check: Callable[[TicketClaims], None] = lambda _: None,
    ) -> Lease:
        """A new lease out of a ticket. `check` raises when the claims do not cover what is asked.

        Raises VmsError of kind forbidden: the codes of `TicketVerifier`, `ticket.act` for a ticket of the other act,
        `ticket.too_long`, `revoked` for a session that was revoked, and what `check` raises.
        """
        claims = self._admit(ticket, act)
        check(claims)
        lease = Lease(claims, self._deadline(claims), self._use(claims), on_end)
        lease.use.open_leases += 1
        lease.use.ended_at_ns = 0
        lease.use.cause = ""
        self._leases.setdefault(claims.session_id, []).append(lease)
        return lease

    def renew(self, lease: Lease, ticket: str) -> None:
        """Prolong a running lease by a fresh ticket of the same session; VmsError as `open`, or `ticket.mismatch`."""
        claims = self._admit(ticket, lease.claims.act)
        if _subject(claims) != _subject(lease.claims):
            raise refusal("ticket.mismatch", f"ticket of session {claims.session_id} or another camera or person")
        if lease.running:
            self._prolong(lease, claims)

    def renew_session(self, ticket: str, act: MediaAct) -> int:
        """Prolong every running lease of the session that a ticket names, and return their number; VmsError as `open`.

        For playback, whose stream of bytes has no way back for a ticket.
        """
        claims = self._admit(ticket, act)
        leases = [
            lease for lease in self._leases.get(claims.session_id, ()) if _subject(claims) == _subject(lease.claims)
        ]
        for lease in leases:
            self._prolong(lease, claims)
        return len(leases)

    def close(self, lease: Lease, cause: str = CAUSE_CLOSED) -> None:
        """End a lease; ending one that has ended changes nothing."""
        if not lease.running:
            return
        of_session = self._leases[lease.claims.session_id]
        of_session.remove(lease)
        if not of_session:
            del self._leases[lease.claims.session_id]
        lease.end(cause, self._clock.utc_ns())

    def revoke(self, session_ids: Iterable[str]) -> int:
        """End these sessions now, remember them, and return how many leases ended (LAW-17)."""
        ended = 0
        now_ns = self._clock.monotonic_ns()
        for session_id in session_ids:
            self._revoked[session_id] = now_ns + REVOCATION_MEMORY_SECONDS * NS_PER_SECOND
            self._revoked.move_to_end(session_id)
            for lease in list(self._leases.get(session_id, ())):
                self.close(lease, CAUSE_REVOKED)
                ended += 1
            for tell in self._on_revoked:
                tell(session_id)
        while len(self._revoked) > MAX_REVOCATIONS:
            self._revoked.popitem(last=False)
        return ended

    def expire(self) -> None:
        """End every lease that was not renewed, and forget revocations older than any ticket of theirs."""
        now_ns = self._clock.monotonic_ns()
        lapsed = [lease for leases in self._leases.values() for lease in leases if now_ns >= lease.deadline_ns]
        for lease in lapsed:
            log.info("lease expired", session_id=lease.claims.session_id, camera_id=lease.claims.camera_id)
            self.close(lease, CAUSE_LEASE_EXPIRED)
        while self._revoked and next(iter(self._revoked.values())) <= now_ns:
            self._revoked.popitem(last=False)

    async def watch(self) -> None:
        """Expire leases for ever."""
        while True:
            self.expire()
            await self._clock.sleep(WATCH_INTERVAL_S)

    def uses(self) -> list[SessionUse]:
        """What each session was sent, the ended ones too as long as they are kept."""
        return list(self._uses.values())

    def _admit(self, ticket: str, act: MediaAct) -> TicketClaims:
        claims = self._verifier.verify(ticket).claims
        if claims.act is not act:
            raise refusal("ticket.act", f"a ticket for {claims.act} was shown for {act}")
        if claims.expires_at_ns - claims.issued_at_ns > MAX_TICKET_LIFE_SECONDS * NS_PER_SECOND:
            raise refusal("ticket.too_long", "the ticket lives longer than a lease may")
        if claims.issued_at_ns < self._not_before_ns - LEASE_TOLERANCE_SECONDS * NS_PER_SECOND:
            raise refusal("ticket.expired", "issued before this gateway started: revocations since then are unknown")
        if claims.session_id in self._revoked:
            raise refusal(CAUSE_REVOKED, f"session {claims.session_id} is revoked")
        return claims

    def _prolong(self, lease: Lease, claims: TicketClaims) -> None:
        lease.deadline_ns = max(lease.deadline_ns, self._deadline(claims))

    def _deadline(self, claims: TicketClaims) -> int:
        remaining_ns = min(
            claims.expires_at_ns - self._clock.utc_ns(), (LEASE_SECONDS + LEASE_TOLERANCE_SECONDS) * NS_PER_SECOND
        )
        return self._clock.monotonic_ns() + remaining_ns

    def _use(self, claims: TicketClaims) -> SessionUse:
        use = self._uses.get(claims.session_id)
        if use is None:
            use = SessionUse(
                claims.session_id,
                claims.person_id,
                claims.camera_id,
                claims.act,
                claims.receipt_index,
                self._clock.utc_ns(),
            )
            self._uses[claims.session_id] = use
            self._forget_old_uses()
        return use

    def _forget_old_uses(self) -> None:
        surplus = len(self._uses) - MAX_SESSIONS_KEPT
        if surplus <= 0:
            return
        ended = [use.session_id for use in self._uses.values() if not use.open_leases and use.ended_at_ns]
        for session_id in ended[:surplus]:
            del self._uses[session_id]


def refusal(code: str, detail: str) -> VmsError:
    """The error of a ticket that is genuine but does not open what was asked."""
    return VmsError(
        ErrorKind.FORBIDDEN,
        code,
        "Le droit de voir cette image n'est pas établi ou a pris fin.",
        hint="Rouvrez la caméra depuis la console.",
        detail=detail,
    )


def _subject(claims: TicketClaims) -> tuple[str, str, str, MediaAct]:
    return claims.session_id, claims.person_id, claims.camera_id, claims.act
