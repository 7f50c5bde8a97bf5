"""Writing SOAP: markup that is built, never pasted.

Text is escaped unless it is `Markup`. Every prefix is declared once at the envelope, as the firmware of real cameras
does, so that qualified names inside text (`ter:NotAuthorized`, `tns1:RuleEngine`) resolve too.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

NAMESPACES = {
    "env": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "ter": "http://www.onvif.org/ver10/error",
    "tt": "http://www.onvif.org/ver10/schema",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tptz": "http://www.onvif.org/ver20/ptz/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tns1": "http://www.onvif.org/ver10/topics",
    "xs": "http://www.w3.org/2001/XMLSchema",
}
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


def tag(name: str, *content: str | float | bool, **attributes: str | float | bool) -> Markup:
    """An element `prefix:name`; what is not Markup in `content` is escaped. `token_` stands for the attribute `token`.

    A trailing underscore of an attribute name is dropped and `__` becomes a colon.
    """
    written = "".join(
        f" {key.rstrip('_').replace('__', ':')}={quoteattr(_text(value))}" for key, value in attributes.items()
    )
    inner = "".join(part if isinstance(part, Markup) else escape(_text(part)) for part in content)
    return Markup(f"<{name}{written}>{inner}</{name}>")


def join(*parts: Markup) -> Markup:
    """Several elements, one after the other."""
    return Markup("".join(parts))


def envelope(body: Markup, header: Markup | None = None, namespaces: dict[str, str] | None = None) -> bytes:
    """A whole SOAP 1.2 message as UTF-8."""
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in (namespaces or NAMESPACES).items())
    head = f"<env:Header>{header}</env:Header>" if header else ""
    message = f"<env:Envelope{declared}>{head}<env:Body>{body}</env:Body></env:Envelope>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{message}'.encode()


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
