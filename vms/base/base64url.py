"""Base64url without padding (RFC 4648, 5): bytes as text for addresses, headers and files."""

from __future__ import annotations

import base64


def encode(data: bytes) -> str:
    """The text of these bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of such a text; binascii.Error, a ValueError, on any other."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
