"""Digest authentication on the camera's side, for HTTP and for RTSP (RFC 7616)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cameras.simulator.onvif.security import Account
from vms.base.clock import NS_PER_SECOND, Clock
from vms.media.rtsp_auth import Algorithm, AuthorisationOutcome, Challenge, Scheme, check_authorisation

NONCE_LIFE_NS = 300 * NS_PER_SECOND


@dataclass(slots=True)
class DigestGate:
    """Hands out nonces and checks answers; a nonce is good for five to ten minutes."""

    realm: str
    clock: Clock
    accounts: Callable[[], dict[str, Account]]
    algorithms: tuple[Algorithm, ...] = (Algorithm.MD5,)
    qop: bool = False
    _nonces: list[str] = field(default_factory=list)
    _made_ns: int = 0

    def challenges(self, *, stale: bool = False) -> tuple[str, ...]:
        """The values of the WWW-Authenticate headers, the strongest algorithm first."""
        self._rotate()
        return tuple(
            Challenge(Scheme.DIGEST, self.realm, self._nonces[0], algorithm, self.qop, stale=stale).encode()
            for algorithm in self.algorithms
        )

    def check(
        self, header: str | None, method: str, uri: str | None = None
    ) -> tuple[Account | None, AuthorisationOutcome]:
        """The account that the Authorization header proves, and what was found."""
        self._rotate()
        known = [
            Challenge(Scheme.DIGEST, self.realm, nonce, algorithm, self.qop)
            for nonce in self._nonces
            for algorithm in self.algorithms
        ]
        accounts = self.accounts()
        asked: list[Account] = []

        def password_of(name: str) -> str | None:
            account = accounts.get(name)
            if account is None:
                return None
            asked.append(account)
            return account.password

        outcome = check_authorisation(header, known, method, password_of, uri=uri)
        return (asked[-1] if outcome is AuthorisationOutcome.GRANTED else None), outcome

    def _rotate(self) -> None:
        now_ns = self.clock.monotonic_ns()
        if not self._nonces or now_ns - self._made_ns >= NONCE_LIFE_NS:
            self._nonces = [secrets.token_hex(16), *self._nonces[:1]]
            self._made_ns = now_ns
