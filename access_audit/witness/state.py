"""What a witness knows of each log, and when it cosigns (C2SP tlog-witness, cosignature/v1).

W1. A checkpoint is cosigned only when it continues the last one that was cosigned for its origin. Comparing and
    remembering are one step, one request at a time.
W2. The new checkpoint is on the disk before the cosignature is made. A kill in between costs the log one answer: it
    asks again, is told the size (409), and gets its cosignature.
W3. A witness never starts over by itself. Its key and its state are made together, the state first; a key without its
    state, or a state without its key, refuses to start. With both lost, the new key is one that nobody knows.
W4. A new key of a log is believed when the key that is trusted hands over to it (`access_audit.handover`). A checkpoint
    up to the hand-over is of the old key, a larger one of the new.
W5. A checkpoint that is signed by the log and contradicts what was seen is kept in `evidence/`: it proves a fork.

    witness.key   the private key, 0600      witness.pub   its vkey line      state.json   the logs      lock
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.checkpoint import LogKey
from access_audit.handover import HandOver
from access_audit.keys import new_private_key, read_private_key
from access_audit.merkle import EMPTY_ROOT, HASH_BYTES, ProofError, root_from_consistency
from access_audit.verify.notes import (
    WITNESS_KEY,
    Head,
    Key,
    KeyChain,
    Unreadable,
    WrongSignature,
    checkpoint_text,
    read_head,
    read_key,
    read_size,
)
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

MAX_PROOF_LINES = 63
MAX_EVIDENCE = 100
_KEY, _PUBLIC, _STATE, _EVIDENCE = "witness.key", "witness.pub", "state.json", "evidence"
_FORMAT = "vms-departemental/witness-state/v1"
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP."""

    status: int
    body: bytes = b""
    kind: str = _PLAIN


@dataclass(frozen=True, slots=True)
class _Seen:
    """A log as it was seen last, and its keys from the first trusted one on."""

    keys: KeyChain
    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "keys": [key.text for key in self.keys.keys],
            "changes": list(self.keys.changes),
            "size": self.size,
            "root": self.root.hex(),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> _Seen:
        keys = KeyChain(tuple(map(read_key, raw["keys"])), tuple(raw["changes"]))
        return cls(keys, int(raw["size"]), bytes.fromhex(raw["root"]), str(raw["note"]))


class Witness:
    """An open witness; one caller at a time. Raises VmsError `witness.state`, `witness.key`, or `audit.key`."""

    def __init__(self, folder: Path, name: str, log_keys: Sequence[LogKey], clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._logs = _open_state(folder)
        if not (folder / _KEY).exists():
            self._store(self._logs)
        self._private = self._open_key(name)
        self.key = Key(self._name(name), self._private.public_key().public_bytes_raw(), WITNESS_KEY)
        durable.write_atomic(folder / _PUBLIC, f"{self.key.text}\n".encode(), mode=0o644)
        for key in log_keys:
            self._trust(read_key(key.text()))
        self._store(self._logs)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Cosign a checkpoint that continues what was seen. Blocks. OSError: the disk refuses, nothing is signed."""
        try:
            old_size, proof, note = _parse(body)
            origin = read_size(note).origin
            seen = self._logs.get(origin)
            if seen is None:
                return Reply(404)
            head = read_head(note, seen.keys)
        except WrongSignature as wrong:
            return Reply(403, f"{wrong}\n".encode())
        except Unreadable as wrong:
            return Reply(400, f"{wrong}\n".encode())
        refused = self._refusal(seen, head, old_size, proof, note)
        if refused is not None:
            return refused
        text = checkpoint_text(head.origin, head.size, head.root)
        self._store({**self._logs, origin: _Seen(seen.keys, head.size, head.root, note.decode("utf-8", "replace"))})
        return Reply(200, self._cosignature(text))

    def hand_over(self, body: bytes) -> Reply:
        """Follow the hand-overs of a log's key; the newest key that is trusted then. Blocks."""
        try:
            raw = json.loads(body)
            seen = self._logs.get(str(raw["origin"]))
            given = [HandOver(int(each["index"]), dict(each["details"])) for each in raw["hand_overs"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Reply(400)
        if seen is None:
            return Reply(404)
        keys = seen.keys
        for each in sorted(given, key=lambda found: found.index):
            newer = each.successor(LogKey.parse(keys.keys[-1].text))
            if newer is not None and each.index >= max(keys.changes, default=0):
                keys = KeyChain((*keys.keys, read_key(newer.text())), (*keys.changes, each.index))
        if keys != seen.keys:
            self._store({**self._logs, keys.name: _Seen(keys, seen.size, seen.root, seen.note)})
            log.warning("the key of a log was handed over", origin=keys.name, key=keys.keys[-1].text)
        return Reply(200, f"{keys.keys[-1].text}\n".encode())

    def _refusal(self, seen: _Seen, head: Head, old_size: int, proof: Sequence[bytes], note: bytes) -> Reply | None:
        if old_size > head.size:
            return Reply(400, b"the old size is larger than the checkpoint\n")
        if old_size != seen.size:
            return Reply(409, b"%d\n" % seen.size, "text/x.tlog.size")
        if old_size == head.size and head.root != seen.root:
            return self._contradiction(409, seen, head, note)
        try:
            if not old_size:
                if proof or (not head.size and head.root != EMPTY_ROOT):
                    raise ProofError("nothing is proved from an empty log")
            elif root_from_consistency(old_size, seen.root, head.size, proof) != head.root:
                raise ProofError("the proof leads to another root")
        except ProofError:
            return self._contradiction(422, seen, head, note)
        return None

    def _contradiction(self, status: int, seen: _Seen, head: Head, note: bytes) -> Reply:
        log.error("a log contradicts what was seen of it", origin=head.origin, seen=seen.size, submitted=head.size)
        folder = self._folder / _EVIDENCE
        durable.make_folder(folder)
        path = folder / f"{head.size}-{hashlib.sha256(note).hexdigest()[:16]}"
        if not path.exists() and sum(1 for _ in folder.iterdir()) < MAX_EVIDENCE:
            durable.write_atomic(path, note)
        return Reply(status, b"the checkpoint does not continue the one that was cosigned\n")

    def _cosignature(self, text: bytes) -> bytes:
        seconds = self._clock.utc_ns() // NS_PER_SECOND
        signature = self._private.sign(f"cosignature/v1\ntime {seconds}\n".encode() + text)
        line = base64.b64encode(self.key.key_id + seconds.to_bytes(8, "big") + signature).decode()
        return f"\u2014 {self.key.name} {line}\n".encode()

    def _open_key(self, name: str) -> Ed25519PrivateKey:
        path = self._folder / _KEY
        if path.exists():
            return read_private_key(path)
        if any(seen.size for seen in self._logs.values()) or not _good_name(name):
            raise _lost(self._folder, f"{path} is missing") if _good_name(name) else _bad_name(name)
        return new_private_key(path)

    def _name(self, name: str) -> str:
        """The name that the key was made with stays its name."""
        try:
            return read_key((self._folder / _PUBLIC).read_text("utf-8"), WITNESS_KEY).name
        except FileNotFoundError:
            return name
        except (Unreadable, UnicodeDecodeError) as wrong:
            raise _lost(self._folder, f"{_PUBLIC}: {wrong}") from None

    def _trust(self, key: Key) -> None:
        seen = self._logs.get(key.name)
        if seen is None:
            self._logs[key.name] = _Seen(KeyChain((key,)))
        elif key not in seen.keys.keys:
            raise VmsError(
                ErrorKind.CONFLICT,
                "witness.log_key",
                f"Le témoin connaît le journal « {key.name} » sous une autre clé que celle donnée.",
                hint="Donnez la clé d'origine avec --log-key : le journal lui-même présente ses changements de clé.",
                detail=f"trusted {seen.keys.keys[-1].text}, given {key.text}",
            )

    def _store(self, logs: dict[str, _Seen]) -> None:
        content = {"format": _FORMAT, "logs": {origin: seen.to_json() for origin, seen in logs.items()}}
        durable.write_atomic(self._folder / _STATE, json.dumps(content, indent=1).encode())
        self._logs = logs


def _open_state(folder: Path) -> dict[str, _Seen]:
    path = folder / _STATE
    try:
        raw = json.loads(path.read_bytes())
        if raw["format"] != _FORMAT:
            raise ValueError("another format")
        return {origin: _Seen.from_json(content) for origin, content in raw["logs"].items()}
    except FileNotFoundError:
        if (folder / _KEY).exists():
            raise _lost(folder, f"{path} is missing") from None
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise _lost(folder, f"{path}: {wrong}") from None


def _parse(body: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, proof and checkpoint of a request; Unreadable when it has not the form of the protocol."""
    head, separator, note = body.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    word, _, number = first.partition(b" ")
    if not separator or word != b"old" or len(lines) > MAX_PROOF_LINES or not number.isdigit() or len(number) > 18:
        raise Unreadable("malformed request")
    if number != b"%d" % int(number):
        raise Unreadable("a size has no leading zeroes")
    try:
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error:
        raise Unreadable("malformed proof") from None
    if any(len(node) != HASH_BYTES for node in proof):
        raise Unreadable("malformed proof")
    return int(number), proof, note


def _good_name(name: str) -> bool:
    return bool(name) and "+" not in name and name.isprintable() and not any(part.isspace() for part in name)


def _bad_name(name: str) -> VmsError:
    return VmsError(
        ErrorKind.INVALID_INPUT,
        "witness.name",
        f"« {name} » ne peut pas nommer un témoin.",
        hint="Donnez avec --name un nom sans espace ni signe plus, par exemple « temoin.prefecture-27.example ».",
    )


def _lost(folder: Path, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "witness.state",
        f"L'état du témoin dans {folder} est perdu ou incomplet : il ne sait plus ce qu'il a déjà signé.",
        hint="Restaurez le dossier. À défaut, mettez ce témoin hors service et créez-en un autre dans un dossier vide :"
        " sa nouvelle clé dira à tous qu'il n'a pas vu le passé.",
        detail=detail,
    )
