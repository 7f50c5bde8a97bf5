"""What a player and the gateway say to each other on `/playback`: parsing and building, without any I/O.

A player pulls. It sends JSON in text messages; every instant is a string of decimal UTC nanoseconds:

    {"type": "open",   "stream": 1, "ticket": "…"}                 look at the camera and the range of a playback ticket
    {"type": "fetch",  "stream": 1, "request": 7, "from": "…", "to": "…",
     "direction": "forward", "frames": "all", "limit": 4}          groups of pictures from an instant on
    {"type": "cancel", "stream": 1}                                leave what was asked
    {"type": "renew",  "stream": 1, "ticket": "…"}                 prolong the lease
    {"type": "close",  "stream": 1}                                stop

`forward` goes from `from` up to `to`, `reverse` from `from` down to `to`; `frames` is `all` or `key` (of each group the
key frame alone, lasting as long as its group). Nothing outside the range of the ticket is given, whatever is asked.

The gateway answers, in this order for each request and for one request of a stream after the other:

    {"type": "opened", "stream", "origin", "end"}                  the range of the ticket
    {"type": "config", "stream", "generation", "mime", "width", "height"}   then a binary message of kind 1
    {"type": "gap",    "stream", "request", "from", "to", "cause", "detail"}
    {"type": "error",  "stream", "request", "code", "message", "hint"}      `from`, `to` where a stretch is damaged
    {"type": "done",   "stream", "request", "next", "reason"}      reason: limit, end, nothing, cancelled
    {"type": "ended",  "stream", "cause"}                          nothing more comes of this stream

An `error` without a request may come at any time; with `from` and `to` it says that pictures which were shown are not
those that were recorded: their SHA-256 is checked while they are shown.

A binary message is a head of `messages.HEAD` (version, kind, stream, generation, UTC nanoseconds of the first picture,
flags: bit 0 for a key frame, from bit 32 on the number of the request), then fragmented MP4: `ftyp` + `moov` (kind 1)
or one group of pictures as `moof` + `mdat` (kind 2). Decode times are counted in ticks of 90 kHz from the origin, so
that presentation time plus origin is UTC, whatever the order in which groups are asked for. The frames' own times, for
steps by one frame, are those of `tfdt` and `trun`. A group over 4 MiB comes in parts, which go on without the key flag.

`next` is the instant to ask for next in the same direction; null when the range is over. With reason `end` and a
`next`, the recording goes on there and has more later.

Everything that comes from a player is hostile: whatever has another shape than the above is a `MessageError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from recorder.live.messages import HEAD, VERSION, MessageError, object_of, text_of, ticket_of
from recorder.playback.fetching import MAX_GROUPS, Config, Done, Fetch
from recorder.playback.walk import Damage, Hole
from vms.base.errors import VmsError

MAX_STREAM_NUMBER = 0xFFFF
MAX_REQUEST_NUMBER = 0x7FFF_FFFF
_REQUEST_SHIFT = 32
_INSTANT = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Look at the camera and the range that the ticket names."""

    stream: int
    ticket: str


@dataclass(frozen=True, slots=True)
class FetchGroups:
    """Groups of pictures of a stream; `request` comes back with them."""

    stream: int
    request: int
    fetch: Fetch


@dataclass(frozen=True, slots=True)
class CancelFetches:
    """Leave what was asked of a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class RenewStream:
    """Prolong the lease of a stream by a fresh ticket of the same session."""

    stream: int
    ticket: str


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Stop a stream."""

    stream: int


PlayerMessage = OpenStream | FetchGroups | CancelFetches | RenewStream | CloseStream


def parse_player_message(text: str) -> PlayerMessage:
    """The message of a player; MessageError when it is none."""
    values = object_of(text)
    stream = _number(values, "stream", 0, MAX_STREAM_NUMBER)
    match values.get("type"):
        case "open":
            return OpenStream(stream, ticket_of(values))
        case "fetch":
            return FetchGroups(stream, _number(values, "request", 0, MAX_REQUEST_NUMBER), _fetch(values))
        case "cancel":
            return CancelFetches(stream)
        case "renew":
            return RenewStream(stream, ticket_of(values))
        case "close":
            return CloseStream(stream)
    raise MessageError("unknown type")


def _fetch(values: dict[str, object]) -> Fetch:
    direction = _choice(values, "direction", ("forward", "reverse"))
    frames = _choice(values, "frames", ("all", "key"))
    limit = _number(values, "limit", 1, MAX_GROUPS)
    return Fetch(_instant(values, "from"), _instant(values, "to"), direction == "reverse", frames == "key", limit)


def _number(values: dict[str, object], name: str, lowest: int, highest: int) -> int:
    value = values.get(name)
    if type(value) is not int or not lowest <= value <= highest:
        raise MessageError(f"no {name}")
    return value


def _choice(values: dict[str, object], name: str, choices: tuple[str, ...]) -> str:
    value = values.get(name)
    if not isinstance(value, str) or value not in choices:
        raise MessageError(f"no {name}")
    return value


def _instant(values: dict[str, object], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, str) or not _INSTANT.fullmatch(value) or int(value) >> 63:
        raise MessageError(f"no {name}")
    return int(value)


def opened_text(stream: int, origin_ns: int, end_ns: int) -> str:
    """The stream may be fetched from, between these instants."""
    return text_of(type="opened", stream=stream, origin=str(origin_ns), end=str(end_ns))


def config_text(stream: int, generation: int, config: Config) -> str:
    """Announce the initialisation segment that follows: what a SourceBuffer must be made for."""
    mime, width, height = config.mime, config.width, config.height
    return text_of(type="config", stream=stream, generation=generation, mime=mime, width=width, height=height)


def gap_text(stream: int, request: int, hole: Hole) -> str:
    """Nothing is recorded there, for this cause."""
    place = {"stream": stream, "request": request, "from": str(hole.start_ns), "to": str(hole.end_ns)}
    return text_of(type="gap", **place, cause=hole.cause, detail=hole.detail)


def damage_text(stream: int, request: int | None, damage: Damage) -> str:
    """What is recorded there is not what was recorded; the answer goes on behind it."""
    place = {"stream": stream, "request": request, "from": str(damage.start_ns), "to": str(damage.end_ns)}
    return text_of(
        type="error",
        **place,
        code=damage.code,
        message="L'enregistrement de cette période est endommagé : ces images ne font pas foi.",
        hint="Prévenez l'administrateur : « vms recorder verify » dit ce qui est atteint.",
    )


def done_text(stream: int, request: int, done: Done) -> str:
    """The request is answered."""
    following = None if done.next_ns is None else str(done.next_ns)
    return text_of(type="done", stream=stream, request=request, next=following, reason=done.reason)


def ended_text(stream: int, cause: str) -> str:
    """The stream is closed; `cause` is `lease_expired`, `revoked`, `closed`, `replaced` or the code of a refusal."""
    return text_of(type="ended", stream=stream, cause=cause)


def refusal_text(stream: int | None, request: int | None, refused: VmsError) -> str:
    """Something was not done; its sentence and its hint are French."""
    code, message, hint = refused.code, refused.message, refused.hint
    return text_of(type="error", stream=stream, request=request, code=code, message=message, hint=hint)


def head(kind: int, stream: int, generation: int, start_utc_ns: int, request: int, *, key: bool) -> bytes:
    """The head of a binary message."""
    return HEAD.pack(VERSION, kind, stream, generation & 0xFFFF_FFFF, start_utc_ns, request << _REQUEST_SHIFT | key)
