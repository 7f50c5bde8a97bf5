"""Which recordings a browser plays. Those that it does not are recorded, exported and shown as stills all the same."""

from __future__ import annotations

from vms.base.errors import ErrorKind, VmsError

_UNPLAYABLE = "mp4v"
"""MPEG-4 Part 2 and Motion JPEG, as RFC 6381 names them."""


def refuse_unplayable(codecs: str) -> None:
    """Raise VmsError `codec.unplayable` when this `codecs` parameter (or the media type with it) names such a codec."""
    if _UNPLAYABLE in codecs:
        raise VmsError(
            ErrorKind.CONFLICT,
            "codec.unplayable",
            "Codec non lisible dans le navigateur.",
            hint="L'enregistrement est intact : les images fixes restent visibles, et un export le rend tel quel.",
            detail=codecs[:80],
        )
