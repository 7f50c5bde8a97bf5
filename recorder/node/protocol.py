"""What a shard and its clients say to each other over a Unix socket: building and parsing, without any I/O.

Each message is one frame of `vms.base.framing`. Its first byte says what follows: `J` and a JSON object, or `U` and
one access unit (`UNIT_HEAD`, then the sample bytes as the camera sent them). Requests carry an `id` and get one answer
with the same `id`; what a subscription pushes carries its number. Both ends are ours, yet whatever has another shape
is a FrameError.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recorder.contract.assignment import (
    CameraAssignment,
    RecordingAuthorisation,
    StreamAddress,
    StreamRole,
    StreamTransport,
)
from recorder.contract.capacity import CapacityState, DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import Gap, GapCause, RecordedSpan, Timeline
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError
from vms.media.access_unit import Codec, ParameterSets

JSON_MARK = b"J"
UNIT_MARK = b"U"
UNIT_HEAD = struct.Struct(">IQqB")
FLAG_KEY, FLAG_DAMAGED, FLAG_DISCONTINUITY = 1, 2, 4
LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class ParametersChanged:
    """The parameter sets of every unit that follows. Always the first thing before a unit."""

    parameters: ParameterSets


@dataclass(frozen=True, slots=True)
class LiveUnit:
    """One access unit of a subscription.

    `rtp_timestamp` is the unwrapped 90 kHz media time, `capture_utc_ns` the server's time of capture. After
    `discontinuity` media times do not continue the ones before. `data` is one sample: NAL units, each behind its
    length (4 bytes, big-endian).
    """

    rtp_timestamp: int
    capture_utc_ns: int
    key: bool
    damaged: bool
    discontinuity: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The stream does something else now. The first event of every subscription says what it does at present."""

    status: StreamStatus


@dataclass(frozen=True, slots=True)
class UnitsDropped:
    """This subscriber was too slow: so many units are missing before the key frame that follows."""

    units: int


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """Nothing more will come. `cause` is `unassigned`, `not_authorised`, `shard_stopped` or `shard_lost`."""

    cause: str


SubscriptionNews = ParametersChanged | StatusChanged | UnitsDropped | SubscriptionEnded
SubscriptionEvent = LiveUnit | SubscriptionNews


def json_message(message: Mapping[str, Any]) -> bytes:
    """One JSON frame, with its length."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return LENGTH.pack(1 + len(body)) + JSON_MARK + body


def parse_json(body: bytes | memoryview) -> dict[str, Any]:
    """The JSON object after the mark; FrameError when it is none."""
    try:
        message = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise FrameError("frame is no JSON") from None
    if not isinstance(message, dict):
        raise FrameError("frame is no JSON object")
    return message


def unit_head(subscription: int, rtp_timestamp: int, capture_utc_ns: int, flags: int, size: int) -> bytes:
    """Everything of a unit frame that stands before its `size` sample bytes."""
    length = LENGTH.pack(1 + UNIT_HEAD.size + size)
    return length + UNIT_MARK + UNIT_HEAD.pack(subscription, rtp_timestamp, capture_utc_ns, flags)


def parse_unit(frame: bytes) -> tuple[int, LiveUnit]:
    """The subscription and the unit of a whole `U` frame; FrameError when it is too short."""
    if len(frame) < 1 + UNIT_HEAD.size:
        raise FrameError("unit frame cut short")
    subscription, timestamp, capture_ns, flags = UNIT_HEAD.unpack_from(frame, 1)
    return subscription, LiveUnit(
        timestamp,
        capture_ns,
        bool(flags & FLAG_KEY),
        bool(flags & FLAG_DAMAGED),
        bool(flags & FLAG_DISCONTINUITY),
        frame[1 + UNIT_HEAD.size :],
    )


def event_to_json(
    subscription: int, event: ParametersChanged | StatusChanged | UnitsDropped | SubscriptionEnded
) -> bytes:
    """The whole frame of an event that is no unit."""
    values: dict[str, Any]
    match event:
        case ParametersChanged(parameters):
            values = {"event": "parameters", **parameters_to_json(parameters)}
        case StatusChanged(status):
            values = {"event": "status", **status_to_json(status)}
        case UnitsDropped(units):
            values = {"event": "dropped", "units": units}
        case SubscriptionEnded(cause):
            values = {"event": "ended", "cause": cause}
    return json_message({"subscription": subscription, **values})


def event_from_json(message: Mapping[str, Any]) -> SubscriptionNews:
    """The event in a pushed JSON object; FrameError for one of an unknown shape."""
    try:
        match message["event"]:
            case "parameters":
                return ParametersChanged(parameters_from_json(message))
            case "status":
                return StatusChanged(status_from_json(message))
            case "dropped":
                return UnitsDropped(int(message["units"]))
            case "ended":
                return SubscriptionEnded(str(message["cause"]))
    except (KeyError, TypeError, ValueError):
        pass
    raise FrameError("event of an unknown shape")


def parameters_to_json(parameters: ParameterSets) -> dict[str, Any]:
    """Parameter sets for the wire."""
    return {
        "codec": parameters.codec.value,
        "vps": _text(parameters.vps),
        "sps": _text(parameters.sps),
        "pps": [_text(unit) for unit in parameters.pps],
    }


def parameters_from_json(values: Mapping[str, Any]) -> ParameterSets:
    """Parameter sets from the wire; FrameError on any other shape."""
    try:
        return ParameterSets(
            Codec(values["codec"]),
            _bytes(values["vps"]),
            _bytes(values["sps"]),
            tuple(_bytes(unit) for unit in values["pps"]),
        )
    except (KeyError, TypeError, ValueError):
        raise FrameError("parameter sets of an unknown shape") from None


def status_to_json(status: StreamStatus) -> dict[str, Any]:
    """A status for the wire."""
    return asdict(status)


def status_from_json(values: Mapping[str, Any]) -> StreamStatus:
    """A status from the wire; FrameError on any other shape."""
    try:
        return StreamStatus(
            str(values["camera_id"]),
            StreamRole(values["role"]),
            StreamCondition(values["condition"]),
            int(values["since_ns"]),
            str(values["cause"]),
        )
    except (KeyError, TypeError, ValueError):
        raise FrameError("status of an unknown shape") from None


def assignment_to_json(assignment: CameraAssignment) -> dict[str, Any]:
    """An assignment for the wire or for the shard's own file, the password included."""
    return asdict(assignment)


def assignment_from_json(values: Mapping[str, Any]) -> CameraAssignment:
    """An assignment from the wire or the file. Raises ValueError on any other shape and beyond the legal month."""
    try:
        return CameraAssignment(
            camera_id=str(values["camera_id"]),
            name=str(values["name"]),
            commune=str(values["commune"]),
            streams=tuple(_address(one) for one in values["streams"]),
            authorisation=RecordingAuthorisation(**values["authorisation"]),
            username=str(values["username"]),
            password=str(values["password"]),
        )
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"assignment of an unknown shape: {wrong}") from None


def _address(values: Mapping[str, Any]) -> StreamAddress:
    transport = StreamTransport(values.get("transport", StreamTransport.TCP))  # files of before know no other
    pins = tuple(str(pin) for pin in values.get("tls_pins", ()))
    return StreamAddress(StreamRole(values["role"]), str(values["url"]), transport, pins)


def timeline_to_json(timeline: Timeline) -> dict[str, Any]:
    """A timeline for the wire."""
    return asdict(timeline)


def timeline_from_json(values: Mapping[str, Any]) -> Timeline:
    """A timeline from the wire; FrameError on any other shape."""
    try:
        return Timeline(
            str(values["camera_id"]),
            int(values["start_ns"]),
            int(values["end_ns"]),
            tuple(RecordedSpan(**span) for span in values["spans"]),
            tuple(Gap(**{**gap, "cause": GapCause(gap["cause"])}) for gap in values["gaps"]),
        )
    except (KeyError, TypeError, ValueError):
        raise FrameError("timeline of an unknown shape") from None


def hold_to_json(hold: Hold) -> dict[str, Any]:
    """A hold for the wire."""
    return asdict(hold)


def hold_from_json(values: Mapping[str, Any]) -> Hold:
    """A hold from the wire or from a file. Raises ValueError on any other shape, or for one that the law refuses."""
    try:
        return Hold(
            hold_id=str(values["hold_id"]),
            camera_id=str(values["camera_id"]),
            start_ns=int(values["start_ns"]),
            end_ns=int(values["end_ns"]),
            placed_at_ns=int(values["placed_at_ns"]),
            expires_at_ns=int(values["expires_at_ns"]),
            reference=str(values["reference"]),
            authority=str(values["authority"]),
            legal_basis=str(values["legal_basis"]),
        )
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"hold of an unknown shape: {wrong}") from None


def release_from_json(values: Mapping[str, Any]) -> HoldRelease:
    """A release from the wire. Raises ValueError on any other shape, or when it is not of two persons (LAW-10)."""
    try:
        return HoldRelease(str(values["hold_id"]), str(values["asked_by"]), str(values["confirmed_by"]))
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"release of an unknown shape: {wrong}") from None


def held_to_json(held: HeldRange) -> dict[str, Any]:
    """What is held, for the wire."""
    return asdict(held)


def held_from_json(values: Mapping[str, Any]) -> HeldRange:
    """What is held, from the wire; FrameError on any other shape."""
    try:
        return HeldRange(
            hold_from_json(values["hold"]),
            int(values["size_bytes"]),
            int(values["held_start_ns"]),
            int(values["held_end_ns"]),
        )
    except (KeyError, TypeError, ValueError):
        raise FrameError("held range of an unknown shape") from None


def capacity_to_json(capacity: DiskCapacity) -> dict[str, Any]:
    """A disk's capacity for the wire."""
    return asdict(capacity)


def capacity_from_json(values: Mapping[str, Any]) -> DiskCapacity:
    """A disk's capacity from the wire; FrameError on any other shape."""
    try:
        return DiskCapacity(**{**values, "state": CapacityState(values["state"])})
    except (KeyError, TypeError, ValueError):
        raise FrameError("capacity of an unknown shape") from None


def error_to_json(error: VmsError) -> dict[str, Any]:
    """An error for the wire."""
    return {
        "kind": error.kind.value,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
    }


def error_from_json(values: Mapping[str, Any]) -> VmsError:
    """An error from the wire; one of an unknown kind is internal."""
    kinds = {kind.value: kind for kind in ErrorKind}
    return VmsError(
        kinds.get(str(values.get("kind")), ErrorKind.INTERNAL),
        str(values.get("code", "internal")),
        str(values.get("message", "")),
        hint=str(values.get("hint", "")),
        detail=str(values.get("detail", "")),
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as wrong:
        raise ValueError(str(wrong)) from None
