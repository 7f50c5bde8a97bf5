"""The web face of a camera: one POST, one SOAP operation; who asks is settled before the operation is looked at.

Order of an answer
1. The envelope is parsed within its bounds; what is no SOAP is a fault.
2. The operation is looked up by its namespace and name, at whatever path it came (as camera firmware does).
3. An operation of the pre-authentication class runs; for the others a WS-UsernameToken or an HTTP digest must name an
   account of the needed level. No credentials at all are answered with 401 and a digest challenge, so that a client
   may choose (ONVIF Core Specification, 5.12.1).
4. Faults of the simulated kind deform the finished answer.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from cameras.simulator.device import Device
from cameras.simulator.digest import DigestGate
from cameras.simulator.http import HttpRequest, HttpResponse
from cameras.simulator.onvif.device_service import DEVICE_SERVICE
from cameras.simulator.onvif.event_service import EVENT_SERVICE, SUBSCRIPTION_PATH, SUBSCRIPTION_SERVICE
from cameras.simulator.onvif.markup import NAMESPACES, SOAP_11
from cameras.simulator.onvif.media_service import MEDIA2_SERVICE, MEDIA_SERVICE
from cameras.simulator.onvif.operations import Call, Operation, Service
from cameras.simulator.onvif.ptz_service import PTZ_SERVICE
from cameras.simulator.onvif.request import SoapFault, SoapRequest, not_authorized, parse_request, reply
from cameras.simulator.onvif.security import Account, Level, has_token
from cameras.simulator.spec import Fault
from vms.media.rtsp_auth import AuthorisationOutcome

log = structlog.get_logger(__name__)

SOAP_TYPE = "application/soap+xml; charset=utf-8"
_SERVICES: dict[str, Service] = {
    NAMESPACES["tds"]: DEVICE_SERVICE,
    NAMESPACES["trt"]: MEDIA_SERVICE,
    NAMESPACES["tr2"]: MEDIA2_SERVICE,
    NAMESPACES["tptz"]: PTZ_SERVICE,
    NAMESPACES["tev"]: EVENT_SERVICE,
    NAMESPACES["wsnt"]: SUBSCRIPTION_SERVICE,
}
_VENDOR = b'<vnd:Vendor xmlns:vnd="urn:videosim:firmware" vnd:build="1402">OK</vnd:Vendor>'
_BOMB_LEVELS = 9


@dataclass(frozen=True, slots=True)
class OnvifEndpoint:
    """Answers the HTTP requests of one camera."""

    device: Device
    gate: DigestGate

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """The answer to one request; never raises for what a client sent."""
        if request.method != "POST":
            return HttpResponse(405, headers=(("Allow", "POST"),))
        soap: SoapRequest | None = None
        challenges: tuple[str, ...] = ()
        try:
            soap = parse_request(request.body)
            operation = _lookup(soap)
            challenges = self._authorise(request, soap, operation)
            if challenges:
                raise not_authorized("Authentication required", http_status=401)
            call = Call(self.device, soap.body, _subscription(request.target))
            answer = operation.handler(call)
            body = await answer if inspect.isawaitable(answer) else answer
            status = 200
        except SoapFault as fault:
            body, status = fault.body(), fault.http_status
        return self._deform(status, reply(soap, body, _action(soap)), challenges)

    def _authorise(self, request: HttpRequest, soap: SoapRequest, operation: Operation) -> tuple[str, ...]:
        """Nothing when the caller may call; the digest challenges when it brought no credentials; else SoapFault."""
        if operation.level is Level.ANONYMOUS:
            return ()
        account: Account | None
        if has_token(soap.header):
            device = self.device
            account = device.tokens.check(soap.header, device.usable_accounts(), device.utc_ns())
            if account is None:
                raise not_authorized()
        else:
            header = request.headers.get("authorization")
            account, outcome = self.gate.check(header, request.method)
            if account is None:
                return self.gate.challenges(stale=outcome is AuthorisationOutcome.STALE)
        if account.level < operation.level:
            raise not_authorized("The account lacks the right for this operation")
        return ()

    def _deform(self, status: int, data: bytes, challenges: tuple[str, ...]) -> HttpResponse:
        content_type = SOAP_TYPE
        if Fault.NONCONFORMING_SOAP in self.device.faults:
            data, content_type = _nonconforming(data), "text/html"
        if Fault.ENTITY_BOMB in self.device.faults:
            data = _entity_bomb(data)
        return HttpResponse(status, data, content_type, tuple(("WWW-Authenticate", each) for each in challenges))


def _lookup(soap: SoapRequest) -> Operation:
    service = _SERVICES.get(soap.namespace)
    operation = service.get(soap.operation) if service is not None else None
    if operation is None:
        raise SoapFault("Receiver", ("ActionNotSupported",), "The requested action is not supported", http_status=500)
    return operation


def _action(soap: SoapRequest | None) -> str:
    return f"{soap.namespace}/{soap.operation}Response" if soap is not None else ""


def _subscription(target: str) -> int:
    path = urlsplit(target).path
    number = path.removeprefix(SUBSCRIPTION_PATH)
    return int(number) if number != path and number.isascii() and number.isdigit() and len(number) < 10 else 0


def _nonconforming(data: bytes) -> bytes:
    """SOAP 1.1 by name, and a vendor element where the schema has none."""
    data = data.replace(NAMESPACES["env"].encode(), SOAP_11.encode())
    place = data.index(b"<env:Body>") + len(b"<env:Body>")
    end = data.index(b">", place) + 1
    if data[end - 2 : end] == b"/>":
        return data
    return data[:end] + _VENDOR + data[end:]


def _entity_bomb(data: bytes) -> bytes:
    """Ten to the power of nine words for a reader that expands entities ("billion laughs")."""
    entities = ['<!ENTITY lol0 "lol">']
    entities += [f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, _BOMB_LEVELS + 1)]
    head, _, rest = data.partition(b"\n")
    bomb = f"<!DOCTYPE bomb [{''.join(entities)}]>".encode()
    return head + b"\n" + bomb + rest.replace(b"</env:Body>", f"&lol{_BOMB_LEVELS};</env:Body>".encode())
