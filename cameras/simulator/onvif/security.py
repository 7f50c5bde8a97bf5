"""Who is asking: WS-UsernameToken digests with a bounded memory of nonces, and access classes.

A token is good when its digest fits, when it was created within five minutes of the camera's own clock, and when its
nonce was not seen before. Sources: WSS UsernameToken Profile 1.0; ONVIF Core Specification 5.12 (access classes).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from cameras.simulator.onvif.markup import NAMESPACES
from vms.base.clock import NS_PER_SECOND, parse_utc

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TOKEN_AGE_NS = 300 * NS_PER_SECOND
MAXIMUM_NONCES = 4_096
_PASSWORD_DIGEST = "#PasswordDigest"  # noqa: S105 - a type name of the standard


class Level(IntEnum):
    """What an account may do, in rising order; ANONYMOUS is nobody."""

    ANONYMOUS = 0
    USER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3


LEVEL_NAMES = {Level.USER: "User", Level.OPERATOR: "Operator", Level.ADMINISTRATOR: "Administrator"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the camera."""

    name: str
    level: Level
    password: str = field(repr=False)


@dataclass(slots=True)
class TokenGate:
    """Checks WS-UsernameToken headers and remembers the nonces of the last five minutes."""

    _seen: dict[bytes, int] = field(default_factory=dict)

    def check(self, header: Element | None, accounts: Mapping[str, Account], camera_ns: int) -> Account | None:
        """The account whose token the SOAP header holds; None when a token is absent, wrong, old or used before.

        `camera_ns` is the camera's own clock. A full memory of nonces refuses, it never forgets a live nonce.
        """
        token = _token(header)
        if token is None:
            return None
        username, password, nonce_text, created = token
        account = accounts.get(username)
        try:
            nonce = base64.b64decode(nonce_text, validate=True)
            created_ns = parse_utc(created)
        except (binascii.Error, ValueError, OverflowError):
            return None
        if account is None or abs(camera_ns - created_ns) > TOKEN_AGE_NS:
            return None
        if not hmac.compare_digest(password_digest(nonce, created, account.password), password):
            return None
        return account if self._is_new(nonce, created_ns, camera_ns) else None

    def _is_new(self, nonce: bytes, created_ns: int, camera_ns: int) -> bool:
        if len(self._seen) >= MAXIMUM_NONCES:
            self._seen = {each: ns for each, ns in self._seen.items() if abs(camera_ns - ns) <= TOKEN_AGE_NS}
        if nonce in self._seen or len(self._seen) >= MAXIMUM_NONCES:
            return False
        self._seen[nonce] = created_ns
        return True


def has_token(header: Element | None) -> bool:
    """Whether the SOAP header holds a UsernameToken at all."""
    return header is not None and header.find(f".//{{{NAMESPACES['wsse']}}}UsernameToken") is not None


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Base64 of SHA-1 over nonce, creation instant and password (UsernameToken Profile 1.0, 3.1)."""
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()  # noqa: S324


def _token(header: Element | None) -> tuple[str, str, str, str] | None:
    """User name, password digest, nonce and creation instant, when the header holds all four."""
    if header is None:
        return None
    wsse, wsu = NAMESPACES["wsse"], NAMESPACES["wsu"]
    token = header.find(f".//{{{wsse}}}UsernameToken")
    if token is None:
        return None
    password = token.find(f"{{{wsse}}}Password")
    if password is None or not password.get("Type", "").endswith(_PASSWORD_DIGEST):
        return None
    username, nonce, created = (
        (token.findtext(name) or "").strip()
        for name in (f"{{{wsse}}}Username", f"{{{wsse}}}Nonce", f"{{{wsu}}}Created")
    )
    return username, (password.text or "").strip(), nonce, created
