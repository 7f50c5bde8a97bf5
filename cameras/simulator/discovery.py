"""WS-Discovery: cameras that answer when somebody asks who is there.

Rules
- A camera answers on UDP 3702 of its own address (unicast probe) at once, and a multicast probe after a random delay
  of at most 500 ms, so that hundreds of answers do not come in one burst.
- Only NetworkVideoTransmitter and Device are offered; scopes match by prefix (RFC 3986 rule). A probe that names
  other types or scopes is not answered.
- A message is answered once, however often it was repeated (SOAP over UDP repeats).
- Hello when a camera starts, Bye when it leaves.
Sources: WS-Discovery (April 2005); SOAP-over-UDP; ONVIF Core Specification 22.12, 7.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from cameras.simulator.device import Device
from cameras.simulator.onvif.markup import Markup, envelope, join, tag
from cameras.simulator.onvif.request import SoapFault, SoapRequest, child, child_text, parse_request
from cameras.simulator.spec import DISCOVERY_PORT

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

log = structlog.get_logger(__name__)

GROUP = "239.255.255.250"
MAXIMUM_DATAGRAM_BYTES = 16 * 1024
MULTICAST_DELAY_S = 0.5
MAXIMUM_PENDING_ANSWERS = 2_048
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_EVERYONE = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_TYPES = {"NetworkVideoTransmitter", "Device"}
_MATCH_STRICTLY = f"{_DISCOVERY}/strcmp0"
_NAMESPACES = {
    "env": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "d": _DISCOVERY,
    "dn": "http://www.onvif.org/ver10/network/wsdl",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
}
_REMEMBERED = 4_096


def probe_matches(device: Device, request: SoapRequest, number: int) -> bytes | None:
    """The answer of one camera to a Probe or a Resolve; None when it is not meant."""
    if request.namespace != _DISCOVERY or not request.addressing("MessageID"):
        return None
    if request.operation == "Probe" and _is_meant(device, request.body):
        body = tag("d:ProbeMatches", tag("d:ProbeMatch", _description(device)))
    elif request.operation == "Resolve" and child_text(request.body, "EndpointReference", "Address") == device.endpoint:
        body = tag("d:ResolveMatches", tag("d:ResolveMatch", _description(device)))
    else:
        return None
    kind = "ProbeMatches" if request.operation == "Probe" else "ResolveMatches"
    relates = tag("wsa:RelatesTo", request.addressing("MessageID"))
    return envelope(body, _header(kind, _ANONYMOUS, device, number, relates), _NAMESPACES)


def hello(device: Device, number: int) -> bytes:
    """What a camera says when it comes."""
    return envelope(tag("d:Hello", _description(device)), _header("Hello", _EVERYONE, device, number), _NAMESPACES)


def bye(device: Device, number: int) -> bytes:
    """What a camera says when it goes."""
    body = tag("d:Bye", _reference(device))
    return envelope(body, _header("Bye", _EVERYONE, device, number), _NAMESPACES)


def _reference(device: Device) -> Markup:
    return tag("wsa:EndpointReference", tag("wsa:Address", device.endpoint))


def _description(device: Device) -> Markup:
    return join(
        _reference(device),
        tag("d:Types", "dn:NetworkVideoTransmitter tds:Device"),
        tag("d:Scopes", " ".join(device.scopes())),
        tag("d:XAddrs", device.http_url()),
        tag("d:MetadataVersion", device.boots),
    )


def _header(kind: str, to: str, device: Device, number: int, *more: Markup) -> Markup:
    return join(
        tag("wsa:MessageID", f"urn:uuid:{uuid.uuid4()}"),
        *more,
        tag("wsa:To", to),
        tag("wsa:Action", f"{_DISCOVERY}/{kind}"),
        tag("d:AppSequence", InstanceId=device.boots, MessageNumber=number),
    )


def _is_meant(device: Device, probe: Element) -> bool:
    types = {each.rpartition(":")[2] for each in child_text(probe, "Types").split()}
    if not types <= _TYPES:
        return False
    wanted = child(probe, "Scopes")
    if wanted is None:
        return True
    own = device.scopes()
    if wanted.get("MatchBy", "") == _MATCH_STRICTLY:
        return all(scope in own for scope in (wanted.text or "").split())
    return all(any(_is_prefix(scope, each) for each in own) for scope in (wanted.text or "").split())


def _is_prefix(scope: str, own: str) -> bool:
    """Whether `scope` equals `own` or names a folder above it (WS-Discovery, 5.1, rfc3986)."""
    scope, own = scope.rstrip("/").lower(), own.lower()
    return own == scope or own.startswith(scope + "/")


@dataclass(slots=True)
class Responder:
    """The WS-Discovery sockets of all cameras of a process. `interface` is the address of the network interface."""

    interface: str = "127.0.0.1"
    rng: random.Random = field(default_factory=random.Random)
    ports: dict[str, int] = field(default_factory=dict)
    _unicast: dict[str, tuple[Device, asyncio.DatagramTransport]] = field(default_factory=dict)
    _group: asyncio.DatagramTransport | None = None
    _answered: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)
    _pending: set[asyncio.TimerHandle] = field(default_factory=set)
    _number: int = 0

    async def start(self) -> None:
        """Listen to the group. Where multicast cannot be had, the log says so and only unicast probes are answered."""
        group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            group.bind((GROUP, DISCOVERY_PORT))
            membership = socket.inet_aton(GROUP) + socket.inet_aton(self.interface)
            group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except OSError as error:
            group.close()
            log.warning("no multicast discovery", interface=self.interface, error=str(error))
            return
        loop = asyncio.get_running_loop()
        self._group, _ = await loop.create_datagram_endpoint(lambda: _Listener(self, None), sock=group)

    async def add(self, device: Device) -> None:
        """Let a camera answer, and say hello. Raises OSError when its address or port cannot be had."""
        wanted = device.spec.discovery_port
        if wanted is None:
            return
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            own.bind((device.spec.address, wanted))
            own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.interface))
        except OSError:
            own.close()
            raise
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Listener(self, device), sock=own)
        self._unicast[device.endpoint] = (device, transport)
        self.ports[device.endpoint] = int(own.getsockname()[1])
        self._announce(transport, hello(device, self._next_number()))

    def remove(self, device: Device, *, say_bye: bool = True) -> None:
        """Let a camera fall silent, after a goodbye."""
        found = self._unicast.pop(device.endpoint, None)
        if found is not None:
            if say_bye:
                self._announce(found[1], bye(device, self._next_number()))
            found[1].close()

    async def stop(self) -> None:
        """Say goodbye for every camera and close."""
        for device, _ in tuple(self._unicast.values()):
            self.remove(device)
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()
        if self._group is not None:
            self._group.close()
        await asyncio.sleep(0)

    def heard(self, device: Device | None, data: bytes, sender: tuple[str, int]) -> None:
        """A datagram came: to one camera, or by the group to all of them. What is no probe is dropped."""
        if len(data) > MAXIMUM_DATAGRAM_BYTES:
            return
        try:
            request = parse_request(data)
        except SoapFault:
            return
        addressed: Iterable[Device] = (device,) if device is not None else [each for each, _ in self._unicast.values()]
        message_id = request.addressing("MessageID")
        for each in addressed:
            answer = probe_matches(each, request, self._next_number())
            if answer is not None and self._is_first(message_id, each.endpoint):
                self._send(each, answer, sender, 0.0 if device is not None else self.rng.uniform(0, MULTICAST_DELAY_S))

    def _is_first(self, message_id: str, endpoint: str) -> bool:
        place = (message_id, endpoint)
        if place in self._answered:
            return False
        self._answered[place] = None
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        return True

    def _send(self, device: Device, answer: bytes, to: tuple[str, int], delay_s: float) -> None:
        def now() -> None:
            self._pending.discard(handle)
            found = self._unicast.get(device.endpoint)
            if found is not None:
                found[1].sendto(answer, to)

        if len(self._pending) < MAXIMUM_PENDING_ANSWERS:
            handle = asyncio.get_running_loop().call_later(delay_s, now)
            self._pending.add(handle)

    def _announce(self, transport: asyncio.DatagramTransport, message: bytes) -> None:
        if self._group is not None:
            with contextlib.suppress(OSError):
                transport.sendto(message, (GROUP, DISCOVERY_PORT))

    def _next_number(self) -> int:
        self._number += 1
        return self._number


class _Listener(asyncio.DatagramProtocol):
    """Hands datagrams to the responder."""

    def __init__(self, responder: Responder, device: Device | None) -> None:
        self._responder = responder
        self._device = device

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._responder.heard(self._device, data, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("discovery socket error", error=repr(exc))
