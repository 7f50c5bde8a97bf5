"""The keys of a log as files: the private ones for the writer alone, the public one beside the log.

    log.key        the key in force: a PKCS#8 PEM block, or one line `pkcs11:…` that names a key of a token
    log.key.next   the key that is to follow, prepared and not used yet
    log.key.old    the key before, which signs as well while readers change over

Each is readable by its owner alone, or refused; so is the PIN of a token. `next` begins with a line `overlap-ns N`, how
long both are to sign; `old` with `until-ns N`.

K1. A log that has entries never gets a new key by itself: a missing or foreign key file is an error that names itself,
    because a new key would be a second log under the old name.
K2. The log decides which key is in force. A hand-over has happened when its entry is on the disk, signed by both; the
    files follow, in this order: `log.pub`, `log.key.old`, `log.key`, and `log.key.next` goes. A start after a crash
    finds the signature of `next` under the newest batch, and does what is left of it.
K3. `next` is never replaced while it is there: the log may have been handed over to it already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from access_audit import layout
from access_audit.checkpoint import CheckpointError, LogKey, OverlappingKey, PrivateKey, SigningKey, open_note
from access_audit.sequence import files_of, read_batches
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError

TOKEN_SCHEME = "pkcs11:"  # noqa: S105 - the scheme of a URI
_OVERLAP, _UNTIL = b"overlap-ns ", b"until-ns "


def load_log_key(path: Path) -> LogKey:
    """The public key of a `log.pub` file. VmsError `audit.key` when there is none."""
    try:
        return LogKey.parse(path.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        raise _key_error(f"La clé publique du journal {path} est absente ou illisible.", f"{path}: {wrong}") from None


def open_signing_key(key_file: Path, folder: Path, origin: str, source: str = "") -> SigningKey:
    """The writer's key: see `KeyRing.open`."""
    return KeyRing(key_file, folder, origin, source).open()


def new_private_key(path: Path) -> Ed25519PrivateKey:
    """A new key in a file that only its owner can read."""
    private = Ed25519PrivateKey.generate()
    durable.write_atomic(path, _pem(private), mode=0o600)
    return private


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a PEM file. VmsError `audit.key` when it is readable by others, no key, or of another kind."""
    return _parse_pem(path, read_secret(path))


def read_secret(path: Path) -> bytes:
    """A file that its owner alone may read. VmsError `audit.key` when others may, or it cannot be read."""
    try:
        if path.stat().st_mode & 0o077:
            raise _key_error(
                f"La clé de signature {path} est lisible par d'autres utilisateurs.",
                "mode wider than 0600",
                hint=f"Retirez-leur ce droit (« chmod 600 {path} ») ; s'ils ont pu la lire, changez de clé :"
                " « vms audit rotate-key ».",
            )
        return path.read_bytes()
    except OSError as wrong:
        raise _key_error(f"La clé de signature {path} est illisible.", str(wrong)) from None


@dataclass(frozen=True, slots=True)
class _Kept:
    """One key file: the number of its first line, if it has one, the rest of it, and the key that it leads to."""

    number: int
    body: bytes
    key: SigningKey


class KeyRing:
    """The key files of a log. One process at a time, which holds the lock of the log's folder.

    `source` names the key that a new log begins with: empty for one that is made, or a URI of a token.
    """

    def __init__(self, key_file: Path, folder: Path, origin: str, source: str = "") -> None:
        self._file = key_file
        self._next = key_file.with_name(key_file.name + ".next")
        self._old = key_file.with_name(key_file.name + ".old")
        self._folder = folder
        self._origin = origin
        self._source = source

    @property
    def place(self) -> Path:
        """The folder of the key files."""
        return self._file.parent

    def open(self) -> SigningKey:
        """What signs the log now; its first key is made with mode 0600 when a log starts, and `log.pub` with it.

        VmsError `audit.key` when the log exists and the key is missing, unreadable, readable by others, or another one.
        """
        public_file = self._folder / layout.LOG_KEY
        started = public_file.exists()
        if not self._file.exists():
            if started:
                raise _key_error(
                    f"La clé de signature {self._file} du journal des accès est introuvable.",
                    "a log without its key is not given a new one",
                )
            self._make_first()
        current = self._read(self._file)
        following = self._followed_by(current)
        if not started:
            durable.write_atomic(public_file, (current.key.log_key.text() + "\n").encode(), mode=0o644)
        elif load_log_key(public_file).text() not in {
            each.key.log_key.text() for each in (current, following) if each is not None
        }:
            raise _key_error(
                f"La clé de signature {self._file} n'est pas celle de ce journal ({public_file}).",
                f"{public_file} holds another key or another origin than {self._origin}",
            )
        if following is not None:
            return OverlappingKey(following.key, current.key)
        return self.signer()

    def signer(self) -> SigningKey:
        """The key in force, with the one before while both sign."""
        current = self._read(self._file).key
        if not self._old.exists():
            return current
        old = self._read(self._old).key
        return current if _same(old, current) else OverlappingKey(current, old)

    def prepare(self, source: str, overlap_ns: int) -> LogKey:
        """Put down the key that is to follow, made or of a token. VmsError `audit.key_prepared` when there is one."""
        if self._next.exists():
            kept = self._read(self._next)
            if source and kept.body.strip() != source.encode():
                raise VmsError(
                    ErrorKind.CONFLICT,
                    "audit.key_prepared",
                    f"Une autre clé attend déjà dans {self._next}.",
                    hint="Terminez d'abord ce changement : « vms audit rotate-key » sans --to.",
                )
            return kept.key.log_key
        body = source.encode() + b"\n" if source else _pem(Ed25519PrivateKey.generate())
        key = self._signing_key(self._next, body)
        durable.write_atomic(self._next, _OVERLAP + b"%d\n" % overlap_ns + body, mode=0o600)
        return key.log_key

    def prepared(self) -> SigningKey:
        """The key that is to follow. VmsError `audit.no_next_key` when none is prepared."""
        if not self._next.exists():
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "audit.no_next_key",
                "Aucune nouvelle clé n'est préparée pour le journal des accès.",
                hint="Lancez « vms audit rotate-key » sur la machine du journal, avec les droits de son processus.",
            )
        return self._read(self._next).key

    def complete(self, now_ns: int) -> bool:
        """Bring the files behind a hand-over that the log has, published; False when there is none (K2)."""
        if not self._next.exists():
            return False
        current, following = self._read(self._file), self._read(self._next)
        if not _same(current.key, following.key):
            if self._followed_by(current) is None:
                return False
            text = following.key.log_key.text() + "\n"
            durable.write_atomic(self._folder / layout.LOG_KEY, text.encode(), mode=0o644)
            if following.number:
                until = _UNTIL + b"%d\n" % (now_ns + following.number)
                durable.write_atomic(self._old, until + current.body, mode=0o600)
            else:
                durable.remove(self._old)
            durable.write_atomic(self._file, following.body, mode=0o600)
        durable.remove(self._next)
        return True

    def overlap_over(self, now_ns: int) -> bool:
        """Whether the old key has signed for as long as it was to."""
        return self._old.exists() and self._read(self._old).number <= now_ns

    def forget_old(self) -> None:
        """Erase the old key: it signs nothing any more."""
        durable.remove(self._old)

    def _make_first(self) -> None:
        durable.make_folder(self._file.parent)
        if not self._source:
            new_private_key(self._file)
            return
        body = self._source.encode() + b"\n"
        self._signing_key(self._file, body)
        durable.write_atomic(self._file, body, mode=0o600)

    def _followed_by(self, current: _Kept) -> _Kept | None:
        """The prepared key, if the log has been handed over to it."""
        if not self._next.exists():
            return None
        following = self._read(self._next)
        if _same(following.key, current.key):
            return None
        try:
            open_note(newest_note(self._folder), following.key.log_key)
        except CheckpointError:
            return None
        return following

    def _read(self, path: Path) -> _Kept:
        body, number = read_secret(path), 0
        for head in (_OVERLAP, _UNTIL):
            if body.startswith(head):
                line, _, body = body.partition(b"\n")
                digits = line.removeprefix(head)
                number = int(digits) if digits.isdigit() else 0
        return _Kept(number, body, self._signing_key(path, body))

    def _signing_key(self, path: Path, body: bytes) -> SigningKey:
        private: PrivateKey
        if body.startswith(TOKEN_SCHEME.encode()):
            private = _open_token(body.decode("utf-8", "replace"))
        else:
            private = _parse_pem(path, body)
        try:
            return SigningKey(self._origin, private)
        except CheckpointError as wrong:
            raise _key_error(f"« {self._origin} » ne peut pas nommer un journal.", str(wrong)) from None


def newest_note(folder: Path) -> bytes:
    """The signed note of the newest entries of a log, published or only sequenced; empty when there are none."""
    newest = b""
    for path in files_of(folder / layout.SEQUENCE):
        for found in read_batches(path):
            if not isinstance(found, int):
                newest = found.note
    checkpoint = folder / layout.CHECKPOINT
    published = checkpoint.read_bytes() if checkpoint.exists() else b""
    return max(newest, published, key=_size)


def _size(note: bytes) -> int:
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else -1


def _same(one: SigningKey, other: SigningKey) -> bool:
    return one.log_key.raw == other.log_key.raw


def _open_token(text: str) -> PrivateKey:
    # A log whose key is a file needs no token library.
    from access_audit.token_key import TokenKey, TokenUri  # noqa: PLC0415

    try:
        uri = TokenUri.parse(text)
        read_secret(uri.pin_file)
        return TokenKey(uri)
    except (OSError, ValueError) as wrong:
        raise _key_error(
            "La clé du journal des accès n'est pas accessible dans son jeton PKCS#11.",
            f"{text.partition('?')[0]}: {wrong}",
            hint="Vérifiez le jeton, la bibliothèque (module-path), le fichier du code PIN (pin-source) et le nom de la"
            " clé : une clé Ed25519, privée et publique sous le même nom.",
        ) from None


def _parse_pem(path: Path, content: bytes) -> Ed25519PrivateKey:
    try:
        private = load_pem_private_key(content, password=None)
    except ValueError as wrong:
        raise _key_error(f"La clé de signature {path} est illisible.", str(wrong)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _key_error(f"La clé de signature {path} n'est pas une clé Ed25519.", "not an Ed25519 key")
    return private


def _pem(private: Ed25519PrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key_error(message: str, detail: str, hint: str = "") -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "audit.key",
        message,
        hint=hint or "Remettez la clé d'origine avec les droits 0600 ; ne recréez jamais la clé d'un journal existant.",
        detail=detail,
    )
