"""WS-Discovery messages: a probe out, devices in. Replies are hostile input: bounded, without entities.

Source: WS-Discovery April 2005; ONVIF Core Specification, clause 7.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

MAX_REPLY_BYTES = 32 * 1024
MAX_SCOPES = 64
_SCOPE_PREFIX = "onvif://www.onvif.org/"
_WSD = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
_WSA = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that answered: the address it answered from, where its service is, and what it says of itself."""

    address: str
    endpoint: str
    service_url: str
    name: str
    hardware: str
    location: str


class DiscoveryReplyError(ValueError):
    """A reply that is no WS-Discovery answer; the text says why."""


def probe_message() -> tuple[bytes, str]:
    """A probe for network video transmitters, and the id that answers must relate to."""
    message_id = f"urn:uuid:{uuid4()}"
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header>'
        f"<w:MessageID>{message_id}</w:MessageID>"
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        "<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action>"
        "</e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
    )
    return text.encode(), message_id


def parse_probe_match(reply: bytes, sender: str, message_id: str) -> FoundDevice:
    """The device of one answer. Its service address is put at the sender: what it claims of itself may be wrong.

    Raises DiscoveryReplyError on anything else than an answer to `message_id`.
    """
    if len(reply) > MAX_REPLY_BYTES:
        raise DiscoveryReplyError(f"reply of {len(reply)} bytes")
    try:
        root = fromstring(reply, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as broken:
        raise DiscoveryReplyError(f"no XML that can be read: {type(broken).__name__}") from None
    if root.findtext(f".//{_WSA}RelatesTo", "").strip() != message_id:
        raise DiscoveryReplyError("answers another probe")
    match = root.find(f".//{_WSD}ProbeMatch")
    if match is None:
        raise DiscoveryReplyError("no probe match")
    scopes = _scopes(match.findtext(f"{_WSD}Scopes", ""))
    return FoundDevice(
        address=sender,
        endpoint=match.findtext(f".//{_WSA}Address", "").strip()[:200],
        service_url=service_url_at(sender, match.findtext(f"{_WSD}XAddrs", "")),
        name=scopes.get("name", ""),
        hardware=scopes.get("hardware", ""),
        location=scopes.get("location", ""),
    )


def service_url_at(sender: str, xaddrs: str) -> str:
    """The first HTTP(S) service address, its host replaced by the address that answered.

    Raises DiscoveryReplyError where there is none.
    """
    for candidate in xaddrs.split()[:8]:
        try:
            parts = urlsplit(candidate)
            port = parts.port
        except ValueError:
            continue
        if parts.scheme in {"http", "https"} and parts.hostname:
            host = f"[{sender}]" if ipaddress.ip_address(sender).version == 6 else sender
            return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path or '/onvif/device_service'}"
    raise DiscoveryReplyError("no HTTP service address")


def _scopes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for scope in text.split()[:MAX_SCOPES]:
        if scope.startswith(_SCOPE_PREFIX):
            kind, _, value = scope.removeprefix(_SCOPE_PREFIX).partition("/")
            text = unquote(value.rpartition("/")[2])[:120]
            if value.startswith("city/"):
                found[kind] = text
            found.setdefault(kind, text)
    return found
