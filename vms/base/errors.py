"""One closed set of error kinds, mapped once to HTTP, to retry and to exit codes.

People read a French sentence and what to do; machines read a stable code; the log keeps the English detail.
"""

from __future__ import annotations

import errno
from enum import StrEnum


class ErrorKind(StrEnum):
    """What went wrong, as far as a caller can act on it."""

    INVALID_INPUT = "invalid_input"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    EXHAUSTED = "exhausted"
    CORRUPT = "corrupt"
    CAMERA = "camera"
    CONFIGURATION = "configuration"
    INTERNAL = "internal"


_HTTP_STATUS = {
    ErrorKind.INVALID_INPUT: 422,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.EXHAUSTED: 507,
    ErrorKind.CORRUPT: 500,
    ErrorKind.CAMERA: 502,
    ErrorKind.CONFIGURATION: 500,
    ErrorKind.INTERNAL: 500,
}

_EXIT_CODE = {
    ErrorKind.INVALID_INPUT: 2,
    ErrorKind.UNAUTHENTICATED: 3,
    ErrorKind.FORBIDDEN: 3,
    ErrorKind.NOT_FOUND: 4,
    ErrorKind.CONFLICT: 5,
    ErrorKind.UNAVAILABLE: 6,
    ErrorKind.EXHAUSTED: 7,
    ErrorKind.CORRUPT: 8,
    ErrorKind.CAMERA: 9,
    ErrorKind.CONFIGURATION: 10,
    ErrorKind.INTERNAL: 70,
}

_RETRYABLE = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.EXHAUSTED, ErrorKind.CAMERA})


_REFUSALS = {
    errno.EACCES: "accès refusé",
    errno.EPERM: "opération interdite",
    errno.EROFS: "système de fichiers en lecture seule",
    errno.ENOENT: "chemin inexistant",
    errno.ENOTDIR: "un élément du chemin n'est pas un dossier",
    errno.EISDIR: "c'est un dossier",
    errno.EEXIST: "le nom est déjà pris",
    errno.ENAMETOOLONG: "chemin trop long",
    errno.ENOSPC: "disque plein",
    errno.EDQUOT: "quota de disque atteint",
    errno.EIO: "erreur du disque",
    errno.EMFILE: "trop de fichiers ouverts",
    errno.EADDRINUSE: "il est déjà occupé",
    errno.EADDRNOTAVAIL: "cette adresse n'est pas celle de cette machine",
}


def refusal_text(refused: OSError) -> str:
    """Why the operating system refused, in French, for a sentence that people read."""
    number = refused.errno
    if number in _REFUSALS:
        return _REFUSALS[number]
    return f"erreur système {errno.errorcode.get(number, number)}" if number else "erreur système"


class VmsError(Exception):
    """An error that somebody is meant to read.

    `code` is stable (`audit.unavailable`), `message` one French sentence, `hint` the French sentence that says what
    to do, `detail` English text for the log. No field ever holds a secret.
    """

    def __init__(self, kind: ErrorKind, code: str, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(f"{code}: {detail or message}")
        self.kind = kind
        self.code = code
        self.message = message
        self.hint = hint
        self.detail = detail

    @property
    def http_status(self) -> int:
        """The status that an HTTP answer carries for this error."""
        return _HTTP_STATUS[self.kind]

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this error."""
        return _EXIT_CODE[self.kind]

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without anything being changed."""
        return self.kind in _RETRYABLE

    def for_people(self) -> str:
        """The sentence and the hint, as one French text."""
        return f"{self.message} {self.hint}".strip()
