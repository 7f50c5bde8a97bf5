"""Fields that several routes share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from supervision_centre.access.purposes import MAX_NOTE_CHARS
from supervision_centre.people.person import MAX_REFERENCE_CHARS
from vms.base.clock import NS_PER_SECOND, parse_utc

_LATEST_NS = 4_102_444_800 * NS_PER_SECOND  # 2100-01-01


class Body(BaseModel):
    """A JSON body: closed to fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _instant(value: object) -> int:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("no RFC 3339 instant")
    instant_ns = parse_utc(value)
    if not 0 < instant_ns < _LATEST_NS:
        raise ValueError("an instant outside 1970 to 2100")
    return instant_ns


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("control characters")
    return line


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters")
    return text


Instant = Annotated[int, BeforeValidator(_instant)]
"""RFC 3339 text with its offset, read as UTC nanoseconds."""

Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARS), AfterValidator(_one_line)]
"""A short text beside a purpose, on one line (LAW-27)."""

Line = Annotated[str, StringConstraints(max_length=MAX_REFERENCE_CHARS), AfterValidator(_one_line)]
"""A reference or a name, on one line, as an entry of the journal can hold it."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
"""An identifier as a browser sends it; whether it names anything is another question."""

Sessions = Annotated[list[Identifier], Field(min_length=1, max_length=128)]
"""Looks to renew or close."""


class SessionList(Body):
    """Several looks."""

    sessions: Sessions
