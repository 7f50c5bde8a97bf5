"""A signing key in a PKCS#11 token: a smart card, a hardware security module, or SoftHSM2.

The key is named by a URI of RFC 7512, with the library of the token and the file of its PIN:

    pkcs11:token=vms;object=journal-1?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/vms/journal.pin

It is an Ed25519 key (CKK_EC_EDWARDS, signed with CKM_EDDSA) whose private and public half bear one label; it is made
with the token's own tools and never leaves it. The PIN file is readable by its owner alone. When the token does not
answer, signing raises `KeyUnavailableError`, an OSError: nothing is recorded then, as when the disk refuses, and it
works again as soon as the token does.

Source: PKCS #11 v3.0 (OASIS) section 2.3.14, RFC 7512, RFC 8032.
"""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pkcs11
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from access_audit.checkpoint import KeyUnavailableError

log = structlog.get_logger(__name__)

SCHEME = "pkcs11:"
_RAW_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Where a key is. ValueError from `parse` when a part is missing, or the PIN itself stands in the URI."""

    token: str
    label: str
    module: Path
    pin_file: Path

    @classmethod
    def parse(cls, text: str) -> TokenUri:
        """The parts of a URI."""
        path, _, query = text.strip().removeprefix(SCHEME).partition("?")
        parts = dict(part.split("=", 1) for part in path.split(";") if "=" in part)
        given = dict(parse_qsl(query))
        if "pin-value" in given:
            raise ValueError("the PIN stands in a file (pin-source), not in the URI")
        wanted = {"token": parts.get("token"), "object": parts.get("object")}
        wanted |= {name: given.get(name) for name in ("module-path", "pin-source")}
        missing = [name for name, value in wanted.items() if not value]
        if not text.startswith(SCHEME) or missing:
            raise ValueError(f"URI without {', '.join(missing) or SCHEME}")
        pin_file = given["pin-source"].removeprefix("file://").removeprefix("file:")
        return cls(unquote(parts["token"]), unquote(parts["object"]), Path(given["module-path"]), Path(pin_file))


class _Token:
    """One token of this process: whoever logs out of it logs everybody out, so all its keys share one session."""

    def __init__(self, module: Path, label: str) -> None:
        self.turn = threading.Lock()
        self.generation = 0
        self._module = module
        self._label = label
        self._session: Any = None

    def session(self, pin_file: Path) -> Any:  # noqa: ANN401
        """The open session."""
        if self._session is None:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
            self._session = token.open(user_pin=pin_file.read_text("utf-8").strip())
            self.generation += 1
        return self._session

    def drop(self) -> None:
        """Give the session up; the next one is opened anew."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(pkcs11.PKCS11Error, RuntimeError):
                session.close()


_tokens: dict[tuple[Path, str], _Token] = {}


class TokenKey:
    """An open key of a token. Raises ValueError when there is no such key, OSError when the PIN file is not there.

    The PIN is read each time that the token is opened, and is not kept.
    """

    def __init__(self, uri: TokenUri) -> None:
        self._uri = uri
        self._token = _tokens.setdefault((uri.module, uri.token), _Token(uri.module, uri.token))
        self._private: Any = None
        self._generation = 0
        with self._token.turn:
            try:
                self._public = self._find()
                self._public.verify(self._sign(b"probe"), b"probe")
            except (pkcs11.PKCS11Error, RuntimeError, InvalidSignature) as refused:
                self._token.drop()
                raise ValueError(f"{type(refused).__name__} {refused}".strip()) from None

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""
        return self._public

    def sign(self, data: bytes, /) -> bytes:
        """A signature; KeyUnavailableError when the token gives none, even after it was opened anew."""
        with self._token.turn:
            try:
                if self._generation == self._token.generation:
                    return self._sign(data)
            except (pkcs11.PKCS11Error, RuntimeError) as refused:
                log.warning("the token refuses, and is opened anew", error=repr(refused))
                self._token.drop()
            try:
                if self._find().public_bytes_raw() != self._public.public_bytes_raw():
                    raise KeyUnavailableError(errno.EIO, "the token holds another key under this name")
                return self._sign(data)
            except (pkcs11.PKCS11Error, RuntimeError, ValueError, OSError) as refused:
                self._generation = -1
                self._token.drop()
                raise KeyUnavailableError(errno.EIO, f"the token does not sign: {refused!r}") from None

    def _sign(self, data: bytes) -> bytes:
        return bytes(self._private.sign(data, mechanism=Mechanism.EDDSA))

    def _find(self) -> Ed25519PublicKey:
        session = self._token.session(self._uri.pin_file)
        named = {"key_type": KeyType.EC_EDWARDS, "label": self._uri.label}
        self._private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, **named)
        public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, **named)
        self._generation = self._token.generation
        # The point is an OCTET STRING around the key, or, from older tokens, the key alone.
        return Ed25519PublicKey.from_public_bytes(bytes(public[Attribute.EC_POINT])[-_RAW_BYTES:])
