"""Where things stand in the data folder, and who may read them.

lock            the right of one instance to the folder
audit/          the access log, its index, its keys (the signing key for the writer alone)
centre/         the database, when it is SQLite
keys/           the centre's ticket key, the key that wraps camera credentials
node/shard-N/   assignments and spool of one recorder shard; its media and index, unless it has disks of its own
run/            sockets, the settings in force, the processes with their numbers
logs/           what the processes say, when nobody else takes it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from access_audit.checkpoint import LogKey
from recorder.store.disks import retired_folders
from vms.app.settings import Settings
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError, refusal_text


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths of one instance."""

    root: Path
    settings: Settings

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def audit(self) -> Path:
        return self.root / "audit"

    @property
    def audit_socket(self) -> Path:
        return self.run / "audit.sock"

    @property
    def audit_key(self) -> Path:
        return self.root / "audit" / "keys" / "log.key"

    @property
    def audit_public_key(self) -> Path:
        return self.root / "audit" / "log.pub"

    @property
    def ticket_key(self) -> Path:
        return self.root / "keys" / "ticket.key"

    @property
    def ticket_public_key(self) -> Path:
        return self.root / "keys" / "ticket.pub"

    @property
    def credential_key(self) -> Path:
        return self.root / "keys" / "credentials.key"

    @property
    def gateway_socket(self) -> Path:
        return self.run / "gateway.sock"

    def seen(self, process: str) -> Path:
        """What one process has seen of the access log; a take-over of the log asks for it."""
        return self.root / "seen" / f"{process}.seen"

    @property
    def served(self) -> Path:
        """What the gateway keeps of what it sent, for some days."""
        return self.root / "node" / "served"

    @property
    def reader_socket(self) -> Path | None:
        """Where the reader of foreign streams listens, None where it is switched off."""
        return self.run / "reader.sock" if self.settings.recorder.reader else None

    @property
    def stills_socket(self) -> Path | None:
        """Where key frames are decoded, None where that is switched off."""
        return self.run / "stills.sock" if self.settings.recorder.stills else None

    @property
    def effective_settings(self) -> Path:
        return self.run / "settings.json"

    @property
    def processes(self) -> Path:
        return self.run / "processes.json"

    @property
    def database_url(self) -> str:
        return self.settings.centre.database_url or f"sqlite+aiosqlite:///{self.root / 'centre' / 'centre.sqlite'}"

    def shard_folder(self, index: int) -> Path:
        """The folder of one shard: what it is told, and what it has to tell."""
        return self.root / "node" / f"shard-{index}"

    def shard_stores(self, index: int) -> tuple[Path, ...]:
        """The folders in which one shard records, one a disk."""
        disks = self.settings.recorder.disks
        return tuple(disk / f"shard-{index}" for disk in disks) or (self.shard_folder(index),)

    @property
    def stores(self) -> tuple[Path, ...]:
        """The folders of all stores of this machine, those on retired disks included."""
        found: list[Path] = []
        for index in range(self.settings.recorder.shards):
            configured = self.shard_stores(index)
            found += [*configured, *retired_folders(self.shard_folder(index), configured)]
        return tuple(found)

    def shard_socket(self, index: int) -> Path:
        """The socket of one shard."""
        return self.run / f"shard-{index}.sock"

    @property
    def shard_sockets(self) -> tuple[Path, ...]:
        return tuple(self.shard_socket(index) for index in range(self.settings.recorder.shards))

    @property
    def shard_folders(self) -> tuple[Path, ...]:
        return tuple(self.shard_folder(index) for index in range(self.settings.recorder.shards))

    def prepare(self) -> None:
        """Make the folders and the centre's ticket key. Raises VmsError when the place cannot be written."""
        try:
            for folder in (self.root, self.run, self.logs, self.audit, self.root / "centre", self.root / "keys"):
                durable.make_folder(folder)
            for folder in self.shard_folders:
                durable.make_folder(folder)
            probe = self.root / "run" / "probe"
            durable.write_atomic(probe, b"")
            durable.remove(probe)
        except OSError as refused:
            raise VmsError(
                ErrorKind.CONFIGURATION,
                "data.not_writable",
                f"Le dossier de données {self.root} n'est pas accessible en écriture ({refusal_text(refused)}).",
                hint="Corrigez ses droits, ou choisissez un autre dossier avec --data.",
                detail=repr(refused),
            ) from None
        self._make_ticket_key()

    def _make_ticket_key(self) -> None:
        if self.ticket_key.exists() and self.ticket_public_key.exists():
            return
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        durable.write_atomic(self.ticket_key, private, mode=0o600)
        durable.write_atomic(self.ticket_public_key, public)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 private key of a PEM file; VmsError when it is none."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong_key(path)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The Ed25519 public key of a PEM file; VmsError when it is none."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise _wrong_key(path)
    return key


def read_audit_key(path: Path) -> LogKey:
    """The public key of the access log; VmsError when the log has not been started yet."""
    try:
        return LogKey.parse(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise VmsError(
            ErrorKind.UNAVAILABLE,
            "audit.not_started",
            "Le journal des accès de cette installation n'existe pas encore.",
            hint="Démarrez « vms serve » ou « vms demo » sur ce dossier de données.",
            detail=f"{path} is missing",
        ) from None


def _wrong_key(path: Path) -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "key.wrong_type",
        f"La clé {path} n'est pas une clé Ed25519.",
        hint="Restaurez la clé d'origine depuis la sauvegarde.",
    )
