"""The media ticket: the only thing that makes a node show an image (LAW-17, LAW-18, LAW-26).

A ticket is a short lease signed by the centre. It names the person, the camera, the act and the audit receipt that
stands behind it; the node holds the centre's public key and nothing else. Text form: `payload.signature`, each in
unpadded base64url; the payload is canonical JSON, the signature Ed25519 (RFC 8032) over its bytes.

`MediaTicket` is made by the centre alone, out of a grant and a receipt; `VerifiedTicket` by `TicketVerifier` alone.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recorder.contract.assignment import StreamRole
from vms.base import base64url
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

LEASE_SECONDS = 10
MAX_TICKET_CHARS = 4096
_CLOCK_TOLERANCE_NS = 2 * NS_PER_SECOND
_VERIFIER_ONLY = object()


class MediaAct(StrEnum):
    """What a ticket lets its holder do."""

    LIVE = "live"
    PLAYBACK = "playback"


@dataclass(frozen=True, slots=True)
class TicketClaims:
    """What a ticket says. Instants are UTC nanoseconds.

    `roles` are the streams that a live ticket opens; `start_ns` and `end_ns` bound what a playback ticket shows.
    `receipt_index` and `receipt_leaf` (hex) name the log entry that was durable before the ticket was made.
    """

    session_id: str
    person_id: str
    camera_id: str
    act: MediaAct
    roles: tuple[StreamRole, ...]
    receipt_index: int
    receipt_leaf: str
    issued_at_ns: int
    expires_at_ns: int
    start_ns: int = 0
    end_ns: int = 0


@dataclass(frozen=True, slots=True)
class MediaTicket:
    """A signed ticket, as text for the wire. Only the centre's ticket maker builds one."""

    text: str
    expires_at_ns: int


class VerifiedTicket:
    """Claims whose signature and instants a node has checked. Only `TicketVerifier.verify` builds one."""

    __slots__ = ("claims",)

    def __init__(self, claims: TicketClaims, maker: object) -> None:
        if maker is not _VERIFIER_ONLY:
            raise TypeError("a VerifiedTicket is made by TicketVerifier.verify only")
        self.claims = claims


def sign_ticket(claims: TicketClaims, key: Ed25519PrivateKey) -> MediaTicket:
    """The signed text of these claims."""
    payload = json.dumps(asdict(claims), separators=(",", ":"), sort_keys=True).encode()
    text = f"{base64url.encode(payload)}.{base64url.encode(key.sign(payload))}"
    return MediaTicket(text, claims.expires_at_ns)


class TicketVerifier:
    """Checks tickets with the centre's public key.

    Every failure is a VmsError of kind forbidden with code `ticket.malformed`, `ticket.forged` or `ticket.expired`.
    """

    def __init__(self, key: Ed25519PublicKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def verify(self, text: str) -> VerifiedTicket:
        """The claims of a ticket that is genuine and still in its lease."""
        payload, signature = _split(text)
        try:
            self._key.verify(signature, payload)
        except InvalidSignature:
            raise _refused("ticket.forged", "signature does not verify") from None
        claims = _claims(payload)
        now = self._clock.utc_ns()
        if now >= claims.expires_at_ns:
            raise _refused("ticket.expired", f"lease ended {(now - claims.expires_at_ns) // 1_000_000} ms ago")
        if claims.issued_at_ns > now + _CLOCK_TOLERANCE_NS:
            raise _refused("ticket.expired", "issued in the future: the clocks of centre and node disagree")
        return VerifiedTicket(claims, _VERIFIER_ONLY)


def _split(text: str) -> tuple[bytes, bytes]:
    if len(text) > MAX_TICKET_CHARS or not text.isascii():
        raise _refused("ticket.malformed", "over-long or not ASCII")
    payload, dot, signature = text.partition(".")
    if not dot:
        raise _refused("ticket.malformed", "no signature part")
    try:
        return base64url.decode(payload), base64url.decode(signature)
    except (binascii.Error, ValueError):
        raise _refused("ticket.malformed", "not base64url") from None


def _claims(payload: bytes) -> TicketClaims:
    try:
        values: Mapping[str, Any] = json.loads(payload)
        return TicketClaims(
            **{
                **values,
                "act": MediaAct(values["act"]),
                "roles": tuple(StreamRole(role) for role in values["roles"]),
            }
        )
    except (ValueError, KeyError, TypeError):
        raise _refused("ticket.malformed", "signed payload of an unknown shape") from None


def _refused(code: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.FORBIDDEN,
        code,
        "Le droit de voir cette image n'est pas établi.",
        hint="Rouvrez la caméra depuis la console.",
        detail=detail,
    )
