"""Identifiers: a prefix that says what it names, and a time-ordered random part (UUID version 7, RFC 9562)."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PATTERN = re.compile(r"[a-z]{2,8}-[0-9a-hjkmnp-tv-z]{26}")


def new_id(prefix: str) -> str:
    """A new identifier such as `cam-01k3…`: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}-" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str, prefix: str | None = None) -> bool:
    """Whether `text` has the form of an identifier, of this `prefix` when one is given. Safe as a file name if so."""
    return bool(_PATTERN.fullmatch(text)) and (prefix is None or text.startswith(f"{prefix}-"))
