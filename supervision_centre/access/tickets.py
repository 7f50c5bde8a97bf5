"""The ticket maker: the only place where a media ticket is signed.

A ticket stands on a grant and on a proof that its entry is in the journal. At opening, the proof is the receipt, and it
must be the receipt of *this* grant and session: the leaf is built again from the entry and compared. At renewal it is
the entry on file, which only `ViewingSessions` keeps, in the row that it wrote with the receipt in hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.format import Leaf, commitment, event_payload, leaf_bytes
from access_audit.merkle import leaf_hash
from access_audit.receipt import AuditReceipt
from recorder.contract.assignment import StreamRole
from recorder.contract.ticket import LEASE_SECONDS, MediaAct, MediaTicket, TicketClaims, sign_ticket
from supervision_centre.access.entries import opened
from supervision_centre.access.policy import Grant
from supervision_centre.access.tables import ViewingSessionRow
from vms.base.clock import NS_PER_SECOND

LEASE_NS = LEASE_SECONDS * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class EntryOnFile:
    """The entry behind a look that is already open, by its place and its leaf hash (hexadecimal)."""

    session_id: str
    index: int
    leaf: str

    @classmethod
    def of(cls, row: ViewingSessionRow) -> EntryOnFile:
        """The entry of an open look."""
        return cls(row.session_id, row.receipt_index, row.receipt_leaf)


def issue_ticket(
    grant: Grant, proof: AuditReceipt | EntryOnFile, session_id: str, key: Ed25519PrivateKey
) -> MediaTicket:
    """A ticket for one lease from the instant of the grant. Raises ValueError when the proof is of another look."""
    if isinstance(proof, AuditReceipt):
        if not _speaks_of(proof, grant, session_id):
            raise ValueError("the receipt is not about this grant")
        index, leaf = proof.index, proof.leaf_hash.hex()
    else:
        if proof.session_id != session_id:
            raise ValueError("the entry on file is not about this session")
        index, leaf = proof.index, proof.leaf
    wish = grant.wish
    roles = (StreamRole.MAIN, StreamRole.SUB) if wish.act is MediaAct.LIVE else (StreamRole.MAIN,)
    claims = TicketClaims(
        session_id=session_id,
        person_id=grant.person.person_id,
        camera_id=grant.camera.camera_id,
        act=wish.act,
        roles=roles,
        receipt_index=index,
        receipt_leaf=leaf,
        issued_at_ns=grant.at_ns,
        expires_at_ns=grant.at_ns + LEASE_NS,
        start_ns=wish.start_ns,
        end_ns=wish.end_ns,
    )
    return sign_ticket(claims, key)


def _speaks_of(receipt: AuditReceipt, grant: Grant, session_id: str) -> bool:
    payload = event_payload(opened(grant, session_id))
    leaf = Leaf(receipt.index, receipt.at_ns, commitment(receipt.salt, payload))
    return leaf_hash(leaf_bytes(leaf)) == receipt.leaf_hash
