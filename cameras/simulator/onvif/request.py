"""Reading SOAP from clients that may be hostile: bounded size, no entity, one operation.

Sources: SOAP 1.2 part 1; ONVIF Core Specification, 5.11 (fault codes) and 5.12 (security).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from cameras.simulator.onvif.markup import NAMESPACES, SOAP_11, Markup, envelope, join, tag

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAXIMUM_REQUEST_BYTES = 256 * 1024
_WSA_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"


class SoapFault(Exception):  # noqa: N818 - the name that SOAP gives it
    """A fault that the client reads: `code` Sender or Receiver, subcodes of the `ter:` namespace, English reason."""

    def __init__(self, code: str, subcodes: tuple[str, ...], reason: str, *, http_status: int = 400) -> None:
        super().__init__(f"{code} {'/'.join(subcodes)}: {reason}")
        self.code = code
        self.subcodes = subcodes
        self.reason = reason
        self.http_status = http_status

    def body(self) -> Markup:
        """The `env:Fault` element."""
        nested = Markup("")
        for subcode in reversed(self.subcodes):
            nested = tag("env:Subcode", tag("env:Value", f"ter:{subcode}"), nested)
        return tag(
            "env:Fault",
            tag("env:Code", tag("env:Value", f"env:{self.code}"), nested),
            tag("env:Reason", tag("env:Text", self.reason, xml__lang="en")),
        )


def not_authorized(reason: str = "Sender not authorized", *, http_status: int = 400) -> SoapFault:
    """The fault for wrong or missing credentials, and for an account without the right (ONVIF Core 5.12)."""
    return SoapFault("Sender", ("NotAuthorized",), reason, http_status=http_status)


def invalid_argument(subcode: str, reason: str) -> SoapFault:
    """The fault for an argument that names nothing or cannot be."""
    return SoapFault("Sender", ("InvalidArgVal", subcode), reason)


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """One parsed request: its operation as (namespace, name), the operation's element and the header, if any."""

    namespace: str
    operation: str
    body: Element
    header: Element | None

    def addressing(self, name: str) -> str:
        """The text of a WS-Addressing header (`MessageID`, `To`), of either version in use, or nothing."""
        if self.header is None:
            return ""
        for namespace in (NAMESPACES["wsa"], _WSA_2004):
            found = self.header.findtext(f"{{{namespace}}}{name}")
            if found:
                return found.strip()
        return ""


def parse_request(data: bytes) -> SoapRequest:
    """The request in `data`.

    Raises SoapFault(Sender, WellFormed) for what is no SOAP, declares a document type or exceeds
    MAXIMUM_REQUEST_BYTES.
    """
    if len(data) > MAXIMUM_REQUEST_BYTES:
        raise SoapFault("Sender", ("WellFormed",), "Request too large", http_status=413)
    try:
        root: Element = ElementTree.fromstring(data, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise SoapFault("Sender", ("WellFormed",), "Request is not well-formed XML") from error
    for namespace in (NAMESPACES["env"], SOAP_11):
        if root.tag == f"{{{namespace}}}Envelope":
            return _read_envelope(root, namespace)
    raise SoapFault("Sender", ("WellFormed",), "Request is not a SOAP envelope")


def _read_envelope(root: Element, namespace: str) -> SoapRequest:
    body = root.find(f"{{{namespace}}}Body")
    if body is None or len(body) == 0:
        raise SoapFault("Sender", ("WellFormed",), "SOAP body is empty")
    operation = body[0]
    uri, _, name = operation.tag.rpartition("}")
    return SoapRequest(uri.lstrip("{"), name, operation, root.find(f"{{{namespace}}}Header"))


def reply(request: SoapRequest | None, body: Markup, action: str = "") -> bytes:
    """The answer to `request`, with the addressing headers that WS-Addressing clients correlate by."""
    message_id = request.addressing("MessageID") if request is not None else ""
    header = None
    if message_id:
        header = join(tag("wsa:RelatesTo", message_id), *([tag("wsa:Action", action)] if action else []))
    return envelope(body, header)


def child_text(parent: Element, *names: str) -> str:
    """The text under a path of local names, whatever their namespaces; empty when there is none."""
    found = child(parent, *names)
    return (found.text or "").strip() if found is not None else ""


def child(parent: Element, *names: str) -> Element | None:
    """The element under a path of local names, whatever their namespaces."""
    current: Element | None = parent
    for name in names:
        if current is None:
            return None
        current = next((each for each in current if each.tag.rpartition("}")[2] == name), None)
    return current
