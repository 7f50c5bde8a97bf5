"""From one key of the log to the next: an entry in the log, signed by both.

The entry `log.key_changed` at index h names the old and the new key (`from`, `to`: vkey lines without the origin) and
carries two Ed25519 signatures in base64 over one statement: the old key's (`signature`: it names its successor) and the
new key's (`acceptance`: somebody holds it). The statement binds the index, so that no hand-over can be played again
elsewhere. Checkpoints of a size up to h are signed by the old key, larger ones by the new one; `layout.py` says more.

    vms-departemental audit key hand-over v1
    <origin>
    <index>
    <old vkey line>
    <new vkey line>
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from access_audit.checkpoint import CheckpointError, LogKey, SigningKey

_CONTEXT = "vms-departemental audit key hand-over v1"


def hand_over_details(index: int, old: SigningKey, new: SigningKey) -> dict[str, str]:
    """The details of the entry that hands over at `index`. ValueError when both are one key or of two origins."""
    if old.log_key.name != new.log_key.name or old.log_key.raw == new.log_key.raw:
        raise ValueError("a hand-over is between two keys of one log")
    statement = _statement(index, old.log_key, new.log_key)
    return {
        "from": old.log_key.short_text,
        "to": new.log_key.short_text,
        "signature": base64.b64encode(old.sign_statement(statement)).decode(),
        "acceptance": base64.b64encode(new.sign_statement(statement)).decode(),
    }


def _statement(index: int, old: LogKey, new: LogKey) -> bytes:
    return "".join(f"{line}\n" for line in (_CONTEXT, old.name, str(index), old.text(), new.text())).encode()


@dataclass(frozen=True, slots=True)
class HandOver:
    """The entry of a hand-over as somebody hands it on: not verified, and needing nothing else to be."""

    index: int
    details: Mapping[str, str]

    def successor(self, key: LogKey) -> LogKey | None:
        """The key that follows `key`; None when this hands over from another key, or a signature does not hold."""
        try:
            old, new = (LogKey.parse(f"{key.name}+{self.details[name]}") for name in ("from", "to"))
            if old.raw != key.raw:
                return None
            statement = _statement(self.index, old, new)
            for signer, name in ((old, "signature"), (new, "acceptance")):
                signer.public_key.verify(base64.b64decode(self.details[name], validate=True), statement)
        except (KeyError, TypeError, AttributeError, CheckpointError, InvalidSignature, binascii.Error):
            return None
        return new


def follow(key: LogKey, hand_overs: Iterable[HandOver]) -> LogKey:
    """The newest key that these hand-overs lead to; `key` itself when none of them hands over from it."""
    for each in sorted(hand_overs, key=lambda found: found.index):
        key = each.successor(key) or key
    return key
