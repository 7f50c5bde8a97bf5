from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import Gap, GapCause, RecordedSpan, Timeline
from recorder.node import protocol
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError
from vms.media.access_unit import Codec, ParameterSets

ASSIGNMENT = CameraAssignment(
    "cam-1",
    "Place de la Mairie",
    "27229",
    (StreamAddress(StreamRole.MAIN, "rtsp://192.0.2.1/main"),),
    RecordingAuthorisation("27-2026-001", 1, 2, 30),
    "vms",
    "s3cret",
)
STATUS = StreamStatus("cam-1", StreamRole.SUB, StreamCondition.NO_SIGNAL, 5, "timeout")


def through_json(values: object) -> dict[str, object]:
    result = json.loads(json.dumps(values))
    assert isinstance(result, dict)
    return result


def test_values_survive_the_wire():
    timeline = Timeline("cam-1", 0, 10, (RecordedSpan(0, 4, 1, 40),), (Gap(4, None, GapCause.LINK, "timeout"),))
    assert protocol.assignment_from_json(through_json(protocol.assignment_to_json(ASSIGNMENT))) == ASSIGNMENT
    assert protocol.status_from_json(through_json(protocol.status_to_json(STATUS))) == STATUS
    assert protocol.timeline_from_json(through_json(protocol.timeline_to_json(timeline))) == timeline


def test_what_a_stream_needs_survives_the_wire_and_files_of_before_are_read():
    address = StreamAddress(StreamRole.MAIN, "rtsps://192.0.2.1/main", tls_pins=("0" * 64, "1" * 64))
    encrypted = replace(ASSIGNMENT, streams=(address,))
    values = through_json(protocol.assignment_to_json(encrypted))
    assert protocol.assignment_from_json(values) == encrypted
    values["streams"] = [{"role": "main", "url": "rtsp://192.0.2.1/main"}]
    assert protocol.assignment_from_json(values) == ASSIGNMENT


def test_an_error_survives_the_wire():
    error = VmsError(ErrorKind.NOT_FOUND, "camera.unknown", "Inconnue.", hint="Vérifiez.", detail="no such camera")
    again = protocol.error_from_json(through_json(protocol.error_to_json(error)))
    assert (again.kind, again.code, again.message, again.hint, again.detail) == (
        error.kind,
        error.code,
        error.message,
        error.hint,
        error.detail,
    )


@pytest.mark.parametrize(
    "event",
    [
        protocol.ParametersChanged(ParameterSets(Codec.H265, b"v", b"s", (b"p", b"q"))),
        protocol.StatusChanged(STATUS),
        protocol.UnitsDropped(7),
        protocol.SubscriptionEnded("unassigned"),
    ],
)
def test_events_survive_the_wire(event: protocol.SubscriptionNews):
    frame = protocol.event_to_json(3, event)
    assert frame[4:5] == protocol.JSON_MARK
    message = protocol.parse_json(frame[5:])
    assert message["subscription"] == 3
    assert protocol.event_from_json(message) == event


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 2**63), st.integers(-(2**63), 2**63 - 1), st.integers(0, 7), st.binary()
)
def test_units_survive_the_wire(subscription: int, timestamp: int, capture_ns: int, flags: int, data: bytes):
    frame = protocol.unit_head(subscription, timestamp, capture_ns, flags, len(data)) + data
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    number, unit = protocol.parse_unit(frame[4:])
    assert (number, unit.rtp_timestamp, unit.capture_utc_ns, unit.data) == (subscription, timestamp, capture_ns, data)
    assert (unit.key, unit.damaged, unit.discontinuity) == (bool(flags & 1), bool(flags & 2), bool(flags & 4))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_other_shape_is_refused(values: object):
    message = {"event": values, "camera_id": values, "role": values, "streams": values}
    with pytest.raises(FrameError):
        protocol.event_from_json(message)
    with pytest.raises(FrameError):
        protocol.status_from_json(message)
    with pytest.raises(ValueError, match="shape"):
        protocol.assignment_from_json(message)


def test_a_cut_unit_is_refused():
    with pytest.raises(FrameError):
        protocol.parse_unit(b"U" + bytes(20))


def test_a_retention_beyond_the_month_is_refused():
    """LAW-07"""
    values = protocol.assignment_to_json(ASSIGNMENT)
    values["authorisation"]["retention_days"] = 31
    with pytest.raises(ValueError, match="31 days"):
        protocol.assignment_from_json(values)
