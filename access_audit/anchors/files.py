"""The files of anchors: what still waits for a time-stamp, what came back, and how each third party is doing.

- A checkpoint that waits is one file, `queue/<size>-<authority>`, which holds the text to be time-stamped. It is
  durable before it is asked for, and goes when its time-stamp is durable; a crash in between asks once more.
- Of a long outage the newest QUEUE_LIMIT texts of an authority are kept: a later checkpoint covers all before it.
- Certificates and keys of third parties are copied beside their anchors and never taken away, so that an old anchor can
  still be checked when an authority has changed its certificate.
- `state.json` is for people: who was reached when, and what is wrong. Nothing depends on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.verify.notes import Unreadable, read_note
from vms.base import durable

QUEUE_LIMIT = 1_000
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}", re.ASCII)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SIZE = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PartyState:
    """How one third party is doing. `size` and `at_ns` are of its newest anchor; `failing_since_ns` 0 while it answers.

    `cause` is a code of `AnchorError`; `waiting` counts the checkpoints in the queue when the state was read.
    """

    name: str
    size: int = 0
    at_ns: int = 0
    failing_since_ns: int = 0
    cause: str = ""
    detail: str = ""
    waiting: int = 0

    def reached(self, size: int, at_ns: int) -> PartyState:
        """After an anchor came back."""
        return replace(self, size=max(size, self.size), at_ns=at_ns, failing_since_ns=0, cause="", detail="")

    def failed(self, cause: str, detail: str, now_ns: int) -> PartyState:
        """After it could not be had."""
        return replace(self, failing_since_ns=self.failing_since_ns or now_ns, cause=cause, detail=detail[:200])


@dataclass(frozen=True, slots=True)
class AnchorState:
    """What is shown of the anchors of a log. `noticed_ns`: when a checkpoint was last given out to be anchored."""

    noticed_ns: int = 0
    key: str = ""
    interval_s: int = 3_600
    authorities: dict[str, PartyState] = field(default_factory=dict)
    witnesses: dict[str, PartyState] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The state as it is kept and shown."""
        return asdict(self)


class AnchorError(Exception):
    """An anchor that could not be had: unreachable, refused, unverified, clock, inconsistent, ahead, storage."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


def read_state(folder: Path) -> AnchorState | None:
    """The state of a log's anchors; None when it has never had any. What cannot be read counts as not there."""
    try:
        raw = json.loads((folder / layout.ANCHOR_STATE).read_bytes())
        authorities, witnesses = (
            {name: PartyState(**content) for name, content in raw.pop(group).items()}
            for group in ("authorities", "witnesses")
        )
        counted = {name: replace(party, waiting=len(waiting(folder, name))) for name, party in authorities.items()}
        return AnchorState(**raw, authorities=counted, witnesses=witnesses)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def store_state(folder: Path, state: AnchorState) -> None:
    """Keep the state for those who ask."""
    durable.write_atomic(folder / layout.ANCHOR_STATE, json.dumps(state.to_json(), indent=1).encode())


def waiting(folder: Path, authority: str) -> list[int]:
    """The sizes that wait for this authority's time-stamp, the newest first."""
    found: list[int] = []
    for path in (folder / layout.ANCHOR_QUEUE).glob(f"*-{authority}"):
        size, _, name = path.name.partition("-")
        if name == authority and _SIZE.fullmatch(size):
            found.append(int(size))
    return sorted(found, reverse=True)


def put_in_queue(folder: Path, authority: str, size: int, text: bytes) -> bool:
    """Remember that a checkpoint is to be time-stamped; False when it is or waits already."""
    queued = _queued(folder, authority, size)
    if (folder / layout.timestamp_path(size, authority)).exists() or queued.exists():
        return False
    durable.write_atomic(queued, text)
    for old in waiting(folder, authority)[QUEUE_LIMIT:]:
        durable.remove(_queued(folder, authority, old))
    return True


def read_queued(folder: Path, authority: str, size: int) -> bytes:
    """The text that waits."""
    return _queued(folder, authority, size).read_bytes()


def store_timestamp(folder: Path, authority: str, size: int, answer: bytes) -> None:
    """Keep a verified time-stamp; its text waits no longer."""
    durable.write_atomic(folder / layout.timestamp_path(size, authority), answer)
    durable.remove(_queued(folder, authority, size))


def _queued(folder: Path, authority: str, size: int) -> Path:
    return folder / layout.ANCHOR_QUEUE / f"{size}-{authority}"


def store_authority(folder: Path, authority: str, pem: bytes) -> None:
    """Keep the certificates of an authority beside its time-stamps, with those that it had before."""
    path = folder / layout.AUTHORITIES / f"{authority}.pem"
    kept = _certificates(path.read_bytes()) if path.exists() else []
    fresh = [block for block in _certificates(pem) if block not in kept]
    if fresh:
        durable.write_atomic(path, b"\n".join([*kept, *fresh, b""]))


def _certificates(pem: bytes) -> list[bytes]:
    return _CERTIFICATE.findall(pem)


def store_witness(folder: Path, name: str, vkey: str) -> None:
    """Keep the key of a witness beside its cosignatures."""
    path = folder / layout.WITNESSES / f"{file_name(name)}.{vkey.split('+')[1]}.pub"
    if not path.exists():
        durable.write_atomic(path, f"{vkey}\n".encode())


def store_cosigned(folder: Path, size: int, note: bytes, line: bytes) -> None:
    """Add a verified cosignature to the checkpoint of a size, beside those of other witnesses."""
    path = folder / layout.cosigned_path(size)
    with suppress(OSError, Unreadable):
        kept = path.read_bytes()
        if read_note(kept).text == read_note(note).text:
            note = kept
    if line not in note:
        durable.write_atomic(path, note + line)


def file_name(name: str) -> str:
    """A name of a third party as the name of a file."""
    return re.sub(r"[^a-z0-9.-]", "-", name.lower())[:60].lstrip(".") or "-"


class StateKeeper:
    """The state in memory and in its file; a disk that refuses it is no reason to stop."""

    def __init__(self, folder: Path, fresh: AnchorState) -> None:
        self._folder = folder
        kept = read_state(folder) or AnchorState()
        self.state = replace(
            fresh,
            noticed_ns=kept.noticed_ns,
            key=kept.key,
            authorities={name: kept.authorities.get(name, party) for name, party in fresh.authorities.items()},
            witnesses={name: kept.witnesses.get(name, party) for name, party in fresh.witnesses.items()},
        )
        self._store()

    def party(self, group: str, name: str) -> PartyState:
        """The state of one third party."""
        found: PartyState = getattr(self.state, group)[name]
        return found

    def change_party(self, group: str, name: str, change: Callable[[PartyState], PartyState]) -> None:
        """Change the state of one third party. Blocks."""
        changed = change(self.party(group, name))
        if changed != self.party(group, name):
            self.change(**{group: {**getattr(self.state, group), name: changed}})

    def change(self, **fields: Any) -> None:  # noqa: ANN401
        """Change fields of the state. Blocks."""
        self.state = replace(self.state, **fields)
        self._store()

    def _store(self) -> None:
        with suppress(OSError):
            store_state(self._folder, self.state)
