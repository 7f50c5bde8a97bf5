"""Refusals that both sides of the log speak: the client before it sends, the writer before it writes."""

from __future__ import annotations

from vms.base.errors import ErrorKind, VmsError


def bad_event(detail: str) -> VmsError:
    """The error of an event that the log cannot hold."""
    return VmsError(
        ErrorKind.INVALID_INPUT,
        "audit.event",
        "Cette opération ne peut pas être inscrite au journal des accès.",
        hint="Vérifiez le motif et les champs saisis.",
        detail=detail,
    )
