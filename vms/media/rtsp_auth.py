"""Digest and Basic authentication of RTSP and HTTP, both sides (RFC 7616, RFC 2617, RFC 7617).

Rules
- The client answers the strongest challenge it knows: SHA-256, then MD5, then Basic. MD5 is what installed cameras
  speak; whether Basic is acceptable on a link without TLS is the caller's decision (`Challenge.scheme`).
- `qop=auth` where offered, else the form of RFC 2069 that many cameras still use. `auth-int` alone is refused.
- The server compares in constant time, and is given the nonces that it accepts; it keeps no state here.
- No error text ever holds a password or a digest response.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from vms.media.errors import MediaError, MediaErrorCode

MAX_HEADER_CHARACTERS = 4096

_PARAMETER = re.compile(r'\s*([A-Za-z0-9_*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")


class Scheme(StrEnum):
    """How a server wants to be convinced."""

    BASIC = "basic"
    DIGEST = "digest"


class Algorithm(StrEnum):
    """Hash of a digest."""

    MD5 = "MD5"
    SHA256 = "SHA-256"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate header. `qop` says that `auth` is offered; `stale` that only the nonce was old."""

    scheme: Scheme
    realm: str = ""
    nonce: str = ""
    algorithm: Algorithm = Algorithm.MD5
    qop: bool = False
    opaque: str | None = None
    stale: bool = False

    def encode(self) -> str:
        """The value of a WWW-Authenticate header."""
        if self.scheme is Scheme.BASIC:
            return f'Basic realm="{_quoted(self.realm)}"'
        parts = [f'Digest realm="{_quoted(self.realm)}"', f'nonce="{_quoted(self.nonce)}"']
        if self.algorithm is not Algorithm.MD5:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append('qop="auth"')
        if self.opaque is not None:
            parts.append(f'opaque="{_quoted(self.opaque)}"')
        if self.stale:
            parts.append("stale=true")
        return ", ".join(parts)


class AuthorisationOutcome(StrEnum):
    """What a server finds in an Authorization header."""

    GRANTED = "granted"
    MISSING = "missing"
    STALE = "stale"
    REFUSED = "refused"


def _quoted(value: str) -> str:
    return re.sub(r"[\r\n\0]", "", value).replace("\\", "\\\\").replace('"', '\\"')


def _parse_parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise MediaError(MediaErrorCode.AUTH_MALFORMED, "unreadable authentication parameter")
        value = _ESCAPED.sub(r"\1", found[2]) if found[2] is not None else found[3]
        parameters.setdefault(found[1].lower(), value)
        position = found.end()
    return parameters


def _split_scheme(value: str) -> tuple[str, str]:
    if len(value) > MAX_HEADER_CHARACTERS:
        raise MediaError(
            MediaErrorCode.AUTH_MALFORMED, f"authentication header over {MAX_HEADER_CHARACTERS} characters"
        )
    found = _SCHEME.fullmatch(value)
    if found is None:
        raise MediaError(MediaErrorCode.AUTH_MALFORMED, "authentication header without scheme")
    return found[1].lower(), found[2].strip()


def parse_challenge(value: str) -> Challenge:
    """The challenge of one WWW-Authenticate header.

    Raises MediaError: AUTH_UNSUPPORTED for a scheme, algorithm or protection not spoken here, AUTH_MALFORMED else.
    """
    scheme, rest = _split_scheme(value)
    if scheme == Scheme.BASIC:
        return Challenge(Scheme.BASIC, _parse_parameters(rest).get("realm", ""))
    if scheme != Scheme.DIGEST:
        raise MediaError(MediaErrorCode.AUTH_UNSUPPORTED, f"authentication scheme {scheme[:20]}")
    parameters = _parse_parameters(rest)
    if "nonce" not in parameters:
        raise MediaError(MediaErrorCode.AUTH_MALFORMED, "digest challenge without nonce")
    name = parameters.get("algorithm", "MD5").upper()
    if name not in {Algorithm.MD5, Algorithm.SHA256}:
        raise MediaError(MediaErrorCode.AUTH_UNSUPPORTED, f"digest algorithm {name[:20]}")
    protections = [item.strip().lower() for item in parameters.get("qop", "").split(",") if item.strip()]
    if protections and "auth" not in protections:
        raise MediaError(MediaErrorCode.AUTH_UNSUPPORTED, "digest protects bodies only")
    return Challenge(
        Scheme.DIGEST,
        parameters.get("realm", ""),
        parameters["nonce"],
        Algorithm(name),
        bool(protections),
        parameters.get("opaque"),
        parameters.get("stale", "").lower() == "true",
    )


def strongest_challenge(values: Iterable[str]) -> Challenge:
    """The best of a response's WWW-Authenticate headers. Raises MediaError when none can be answered."""
    best: Challenge | None = None
    failure = MediaError(MediaErrorCode.AUTH_MALFORMED, "no authentication challenge")
    for value in values:
        try:
            challenge = parse_challenge(value)
        except MediaError as error:
            failure = error
            continue
        if best is None or _strength(challenge) > _strength(best):
            best = challenge
    if best is None:
        raise failure
    return best


def _strength(challenge: Challenge) -> int:
    if challenge.scheme is Scheme.BASIC:
        return 0
    return 2 if challenge.algorithm is Algorithm.SHA256 else 1


def _hasher(algorithm: Algorithm) -> Callable[[str], str]:
    if algorithm is Algorithm.SHA256:
        return lambda text: hashlib.sha256(text.encode()).hexdigest()
    return lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _digest(challenge: Challenge, method: str, uri: str, user: str, password: str, count: str, cnonce: str) -> str:
    hashed = _hasher(challenge.algorithm)
    secret = hashed(f"{user}:{challenge.realm}:{password}")
    request = hashed(f"{method}:{uri}")
    if challenge.qop:
        return hashed(f"{secret}:{challenge.nonce}:{count}:{cnonce}:auth:{request}")
    return hashed(f"{secret}:{challenge.nonce}:{request}")


def authorisation_header(
    challenge: Challenge,
    method: str,
    uri: str,
    user: str,
    password: str,
    *,
    nonce_count: int = 1,
    cnonce: str | None = None,
) -> str:
    """The value of an Authorization header that answers `challenge` for one request.

    `uri` is written as in the request line. `nonce_count` must grow with each use of one nonce; `cnonce` is random
    unless given.
    """
    if challenge.scheme is Scheme.BASIC:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    count = f"{nonce_count & 0xFFFF_FFFF:08x}"
    client_nonce = cnonce or secrets.token_hex(8)
    response = _digest(challenge, method, uri, user, password, count, client_nonce)
    parts = [
        f'username="{_quoted(user)}"',
        f'realm="{_quoted(challenge.realm)}"',
        f'nonce="{_quoted(challenge.nonce)}"',
        f'uri="{_quoted(uri)}"',
        f'response="{response}"',
    ]
    if challenge.algorithm is not Algorithm.MD5:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        parts += ["qop=auth", f"nc={count}", f'cnonce="{_quoted(client_nonce)}"']
    if challenge.opaque is not None:
        parts.append(f'opaque="{_quoted(challenge.opaque)}"')
    return "Digest " + ", ".join(parts)


def check_authorisation(
    header: str | None,
    challenges: Iterable[Challenge],
    method: str,
    password_of: Callable[[str], str | None],
    *,
    uri: str | None = None,
) -> AuthorisationOutcome:
    """Whether an Authorization header answers one of `challenges`, which are those that the server has given out.

    `password_of` gives the password of a user name, None for an unknown one. With `uri`, the header must be for that
    very request target. STALE: right form, but a nonce not (or no longer) among the challenges. Raises nothing: what
    cannot be read is REFUSED.
    """
    if header is None:
        return AuthorisationOutcome.MISSING
    try:
        scheme, rest = _split_scheme(header)
        if scheme == Scheme.BASIC:
            allowed = any(challenge.scheme is Scheme.BASIC for challenge in challenges)
            return _outcome(allowed and _check_basic(rest, password_of))
        if scheme == Scheme.DIGEST:
            return _check_digest(_parse_parameters(rest), list(challenges), method, password_of, uri)
    except MediaError:
        return AuthorisationOutcome.REFUSED
    return AuthorisationOutcome.REFUSED


def _outcome(granted: bool) -> AuthorisationOutcome:
    return AuthorisationOutcome.GRANTED if granted else AuthorisationOutcome.REFUSED


def _check_basic(encoded: str, password_of: Callable[[str], str | None]) -> bool:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return False
    expected = password_of(user)
    same = hmac.compare_digest(password.encode(), (expected or "").encode())
    return bool(colon) and expected is not None and same


def _check_digest(
    parameters: dict[str, str],
    challenges: list[Challenge],
    method: str,
    password_of: Callable[[str], str | None],
    uri: str | None,
) -> AuthorisationOutcome:
    given_uri = parameters.get("uri", "")
    if uri is not None and given_uri != uri:
        return AuthorisationOutcome.REFUSED
    algorithm = parameters.get("algorithm", "MD5").upper()
    digests = [item for item in challenges if item.scheme is Scheme.DIGEST and item.algorithm == algorithm]
    if not digests:
        return AuthorisationOutcome.REFUSED
    challenge = next((item for item in digests if item.nonce == parameters.get("nonce")), None)
    if challenge is None:
        return AuthorisationOutcome.STALE
    if challenge.qop != (parameters.get("qop") == "auth"):
        return AuthorisationOutcome.REFUSED
    user = parameters.get("username", "")
    expected = password_of(user)
    count, cnonce = parameters.get("nc", ""), parameters.get("cnonce", "")
    response = _digest(challenge, method, given_uri, user, expected or "", count, cnonce)
    same = hmac.compare_digest(response.encode(), parameters.get("response", "").lower().encode())
    return _outcome(same and expected is not None and parameters.get("realm") == challenge.realm)
