"""Whatever a client sends is answered with a reply or a fault; nothing else leaves the endpoint."""

from __future__ import annotations

import asyncio
from xml.sax.saxutils import escape

from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from cameras.simulator.digest import DigestGate
from cameras.simulator.fleet import FilmLibrary, make_device
from cameras.simulator.http import HttpRequest
from cameras.simulator.onvif.endpoint import _SERVICES, OnvifEndpoint
from cameras.simulator.onvif.markup import NAMESPACES, Markup, envelope, tag
from cameras.simulator.onvif.request import SoapFault, parse_request
from tests.cameras.simulator.wire import token
from tests.simulated import spec_of
from vms.base.clock import ManualClock

_PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
_OPERATIONS = sorted((_PREFIXES[uri], name) for uri, service in _SERVICES.items() for name in service)
_NAMES = [
    "ProfileToken",
    "PresetToken",
    "PresetName",
    "Position",
    "Translation",
    "Velocity",
    "PanTilt",
    "Zoom",
    "Speed",
    "Timeout",
    "MessageLimit",
    "InitialTerminationTime",
    "TerminationTime",
    "ConfigurationToken",
    "NodeToken",
    "DateTimeType",
    "UTCDateTime",
    "Date",
    "Time",
    "Year",
    "Month",
    "Day",
    "Hour",
    "Minute",
    "Second",
    "Category",
    "User",
    "Username",
    "Password",
    "UserLevel",
    "NTPManual",
    "Type",
    "IPv4Address",
    "Protocol",
    "Token",
    "Stream",
]
_VALUES = [
    "profile_main",
    "1",
    "-1",
    "NaN",
    "1e999",
    "Manual",
    "NTP",
    "true",
    "false",
    "PT1S",
    "PT",
    "P9999999D",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "All",
    "RTSP",
    "User",
    "Administrator",
    "99999999999999",
    "video_encoder_main",
    "ptz_config_1",
    "vms-install",
    "IPv4",
    "RTP-Unicast",
]
_TEXTS = st.one_of(
    st.sampled_from(_VALUES), st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
)


def _element(name: str, content: list[Markup] | str, x: str) -> Markup:
    inner = Markup(escape(content)) if isinstance(content, str) else Markup("".join(content))
    return tag(f"tt:{name}", inner, x=x, y=x)


_ELEMENTS = st.recursive(
    st.builds(_element, st.sampled_from(_NAMES), _TEXTS, _TEXTS),
    lambda inner: st.builds(_element, st.sampled_from(_NAMES), st.lists(inner, max_size=4), _TEXTS),
    max_leaves=8,
)


async def _answer(data: bytes) -> tuple[int, bytes]:
    library = FilmLibrary()
    try:
        device = await make_device(spec_of(), ManualClock(), library)
        gate = DigestGate("test", device.clock, device.usable_accounts)
        response = await OnvifEndpoint(device, gate).handle(HttpRequest("POST", "/", {}, data))
    finally:
        library.close()
    return response.status, response.body


@given(st.sampled_from(_OPERATIONS), st.lists(_ELEMENTS, max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_operation_answers_whatever_its_arguments_are(operation: tuple[str, str], content: list[Markup]):
    prefix, name = operation
    body = tag(f"{prefix}:{name}", *content)
    status, answer = asyncio.run(_answer(envelope(body, token(ManualClock().utc_ns()))))
    assert status in {200, 400, 500}
    ElementTree.fromstring(answer)
    if status == 200:
        assert f"{name}Response".encode() in answer
    else:
        assert b"<env:Fault>" in answer


@given(st.binary(max_size=200), st.integers(0, 800), st.integers(0, 800))
@settings(max_examples=200, deadline=None)
def test_a_damaged_envelope_is_a_request_or_a_well_formedness_fault(noise: bytes, start: int, end: int):
    good = envelope(tag("tds:GetUsers"))
    damaged = good[:start] + noise + good[end:]
    subcodes: tuple[str, ...] = ("WellFormed",)
    try:
        parse_request(damaged)
    except SoapFault as fault:
        subcodes = fault.subcodes
    assert subcodes == ("WellFormed",)
