"""What a service is: a table from operation names to access class and handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.onvif.markup import Markup
from cameras.simulator.onvif.request import child_text, invalid_argument
from cameras.simulator.onvif.security import Level

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised call: the camera, the operation's element, and the subscription that its address names."""

    device: Device
    body: Element
    subscription: int = 0

    def text(self, *names: str) -> str:
        """The text under a path of local names."""
        return child_text(self.body, *names)


Handler = Callable[[Call], Markup | Awaitable[Markup]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler and the least level that may call it (ONVIF Core Specification, 5.12.1.3)."""

    level: Level
    handler: Handler


Service = Mapping[str, Operation]


def operations(level: Level, *handlers: tuple[str, Handler]) -> dict[str, Operation]:
    """Several operations of one access class."""
    return {name: Operation(level, handler) for name, handler in handlers}


def stream_of_profile(call: Call) -> StreamSettings:
    """The stream that the call's ProfileToken names. Raises SoapFault(NoProfile)."""
    token = call.text("ProfileToken")
    for stream in call.device.streams:
        if token == profile_token(stream):
            return stream
    raise invalid_argument("NoProfile", "The requested profile token does not exist")


def profile_token(stream: StreamSettings) -> str:
    """The token of the profile of a stream."""
    return f"profile_{stream.role}"


def number(text: str, otherwise: float) -> float:
    """A finite figure, or `otherwise` when the text is empty. Raises SoapFault(InvalidArgVal)."""
    if not text:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        raise invalid_argument("InvalidArgs", "Not a number") from None
    if not abs(value) < 1e9:
        raise invalid_argument("InvalidArgs", "Not a finite number")
    return value
