"""Looks as JSON, for the live and playback routes alike."""

from __future__ import annotations

from typing import Any

from supervision_centre.access.viewing import OpenedLook, RefusedLook, Renewal
from vms.base.clock import utc_text


def opened_json(look: OpenedLook) -> dict[str, Any]:
    """A look that may begin."""
    return {
        "session_id": look.session_id,
        "camera": look.camera_id,
        "ticket": look.ticket.text,
        "expires_at": utc_text(look.ticket.expires_at_ns),
        "receipt": {"index": look.receipt.index, "leaf": look.receipt.leaf_hash.hex()},
    }


def refused_json(look: RefusedLook) -> dict[str, Any]:
    """A look that was refused."""
    error = look.refusal.error
    return {"camera": look.camera_id, "code": error.code, "message": error.message, "hint": error.hint}


def renewal_json(renewal: Renewal) -> dict[str, Any]:
    """New tickets, and what has ended."""
    return {
        "sessions": [
            {"session_id": name, "ticket": ticket.text, "expires_at": utc_text(ticket.expires_at_ns)}
            for name, ticket in renewal.tickets.items()
        ],
        "ended": [{"session_id": name, "cause": cause} for name, cause in renewal.ended.items()],
    }
