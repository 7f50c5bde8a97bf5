"""Passwords: argon2id, away from the event loop, with the same cost for a login that does not exist.

Source: RFC 9106 section 4 (second recommended option); CNIL, deliberation 2022-100 on passwords (twelve characters at
least; the delays between tries stand in `throttle`).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from vms.base.errors import ErrorKind, VmsError

MIN_CHARS = 12
MAX_CHARS = 256
_MIN_DISTINCT_CHARS = 6
_MAX_WAITING = 64


class Passwords:
    """Makes and checks password hashes, at most `workers` at a time: each one holds 64 MiB while it works."""

    def __init__(self, hasher: PasswordHasher | None = None, workers: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._waiting = 0
        self._stand_in = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The text to keep instead of the password."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one; None, for a login that nobody has, takes as long and says no.

        Raises VmsError `login.busy` (kind unavailable) when too many others wait.
        """
        if self._waiting >= _MAX_WAITING:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "login.busy",
                "Trop de connexions sont en cours de vérification.",
                hint="Réessayez dans quelques secondes.",
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            same = await loop.run_in_executor(self._pool, self._verify, kept or self._stand_in, password[:MAX_CHARS])
        finally:
            self._waiting -= 1
        return same and kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def check_new_password(password: str, login: str) -> None:
    """Refuse a weak password: VmsError of kind invalid_input, code `password.weak`."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise _weak(f"Le mot de passe doit compter de {MIN_CHARS} à {MAX_CHARS} caractères.")
    if len(set(password)) < _MIN_DISTINCT_CHARS or login in password.lower():
        raise _weak("Le mot de passe est trop facile à deviner.")


def _weak(message: str) -> VmsError:
    return VmsError(
        ErrorKind.INVALID_INPUT,
        "password.weak",
        message,
        hint="Choisissez par exemple une phrase de quatre mots sans lien avec votre identifiant.",
    )
