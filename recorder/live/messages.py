"""What a wall and the gateway say to each other: parsing and building, without any I/O.

A browser sends JSON in text messages of at most `MAX_MESSAGE_BYTES`:

    {"type": "open",  "tile": 3, "ticket": "…", "role": "sub"}     show a camera in a tile
    {"type": "renew", "tile": 3, "ticket": "…"}                    prolong its lease
    {"type": "role",  "tile": 3, "role": "main"}                   take the other stream under the same ticket
    {"type": "close", "tile": 3}                                   stop

The gateway answers in JSON (`stream`, `status`, `lag`, `ended`, `error`) and in binary messages: a head of
`HEAD.size` bytes (version, kind, tile, generation, capture instant in UTC nanoseconds, flags; big endian), then either
the initialisation segment (kind 1) or one fragment with one access unit (kind 2), both fragmented MP4 as Media Source
Extensions take it. A fragment belongs to the initialisation segment of the same tile and generation.

Everything that comes from a browser is hostile: whatever has another shape than the above is a `MessageError`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamStatus
from recorder.contract.ticket import MAX_TICKET_CHARS
from vms.base.clock import utc_text

MAX_MESSAGE_BYTES = 8 * 1024
MAX_TILE_NUMBER = 0xFFFF
HEAD = struct.Struct(">BBHIqq")
VERSION = 1
KIND_INIT = 1
KIND_FRAGMENT = 2
FLAG_KEY = 1


class MessageError(Exception):
    """A browser sent something that the protocol does not know. The text is English, for the log."""


@dataclass(frozen=True, slots=True)
class OpenTile:
    """Show the camera that the ticket names in a tile."""

    tile: int
    ticket: str
    role: StreamRole


@dataclass(frozen=True, slots=True)
class RenewTile:
    """Prolong the lease of a tile by a fresh ticket of the same session."""

    tile: int
    ticket: str


@dataclass(frozen=True, slots=True)
class SwitchRole:
    """Take the camera's other stream, under the ticket that the tile has."""

    tile: int
    role: StreamRole


@dataclass(frozen=True, slots=True)
class CloseTile:
    """Stop a tile."""

    tile: int


ClientMessage = OpenTile | RenewTile | SwitchRole | CloseTile


def parse_client_message(text: str | bytes | bytearray) -> ClientMessage:
    """The message of a browser; MessageError when it is none."""
    values = object_of(text)
    kind = values.get("type")
    tile = values.get("tile")
    if type(tile) is not int or not 0 <= tile <= MAX_TILE_NUMBER:
        raise MessageError("no tile number")
    if kind == "open":
        return OpenTile(tile, ticket_of(values), _role(values))
    if kind == "renew":
        return RenewTile(tile, ticket_of(values))
    if kind == "role":
        return SwitchRole(tile, _role(values))
    if kind == "close":
        return CloseTile(tile)
    raise MessageError("unknown type")


def object_of(text: str | bytes | bytearray) -> dict[str, object]:
    """The JSON object of a message; MessageError when it is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("not JSON") from None
    if not isinstance(values, dict):
        raise MessageError("not a JSON object")
    return values


def ticket_of(values: dict[str, object]) -> str:
    """The text of a ticket in a message; MessageError when there is none."""
    ticket = values.get("ticket")
    if not isinstance(ticket, str) or not 0 < len(ticket) <= MAX_TICKET_CHARS:
        raise MessageError("no ticket")
    return ticket


def _role(values: dict[str, object]) -> StreamRole:
    role = values.get("role")
    if role not in tuple(StreamRole):
        raise MessageError("no stream role")
    return StreamRole(str(role))


def stream_text(tile: int, mime: str, width: int, height: int, generation: int) -> str:
    """Announce the initialisation segment that follows: what a SourceBuffer must be made for."""
    return text_of(type="stream", tile=tile, mime=mime, width=width, height=height, generation=generation)


def status_text(tile: int, status: StreamStatus) -> str:
    """What the stream of a tile does, since when, and why; the tile shows it when there is no picture."""
    return text_of(
        type="status", tile=tile, condition=status.condition, since=utc_text(status.since_ns), cause=status.cause
    )


def lag_text(tile: int, dropped: int) -> str:
    """This browser was too slow: so many fragments were dropped before the key frame that follows."""
    return text_of(type="lag", tile=tile, dropped=dropped)


def ended_text(tile: int, cause: str) -> str:
    """The tile is closed; `cause` is `lease_expired`, `revoked`, `closed`, `replaced` or the code of a refusal."""
    return text_of(type="ended", tile=tile, cause=cause)


def error_text(code: str, message: str, tile: int | None = None) -> str:
    """A message was not followed; nothing else has changed. `message` is French."""
    if tile is None:
        return text_of(type="error", code=code, message=message)
    return text_of(type="error", tile=tile, code=code, message=message)


def head(kind: int, tile: int, generation: int, capture_utc_ns: int, flags: int) -> bytes:
    """The head of a binary message."""
    return HEAD.pack(VERSION, kind, tile, generation & 0xFFFFFFFF, capture_utc_ns, flags)


def text_of(**values: object) -> str:
    """The JSON of a message."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
