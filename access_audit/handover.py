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

from access_audit.checkpoint import SigningKey

_CONTEXT = "vms-departemental audit key hand-over v1"


def hand_over_details(index: int, old: SigningKey, new: SigningKey) -> dict[str, str]:
    """The details of the entry that hands over at `index`. ValueError when both are one key or of two origins."""
    if old.log_key.name != new.log_key.name or old.log_key.raw == new.log_key.raw:
        raise ValueError("a hand-over is between two keys of one log")
    lines = (_CONTEXT, old.log_key.name, str(index), old.log_key.text(), new.log_key.text())
    statement = "".join(f"{line}\n" for line in lines).encode()
    return {
        "from": old.log_key.short_text,
        "to": new.log_key.short_text,
        "signature": base64.b64encode(old.sign_statement(statement)).decode(),
        "acceptance": base64.b64encode(new.sign_statement(statement)).decode(),
    }
