"""Instants and durations as XML Schema writes them."""

from __future__ import annotations

import re

from cameras.simulator.onvif.request import invalid_argument
from vms.base.clock import NS_PER_SECOND, parse_utc

_DURATION = re.compile(
    r"P(?:(?P<days>\d{1,6})D)?(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?"
)
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def parse_duration_s(text: str) -> float:
    """Seconds of an `xs:duration` without years and months. Raises SoapFault(InvalidArgVal)."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groupdict().values()):
        raise invalid_argument("InvalidArgs", "Not a duration")
    return sum(float(value) * _SECONDS[unit] for unit, value in found.groupdict().items() if value)


def parse_termination_ns(text: str, now_ns: int, otherwise_s: float) -> int:
    """The instant that a termination time means: a duration from now, an instant, or `otherwise_s` from now.

    Raises SoapFault(InvalidArgVal).
    """
    if not text:
        return now_ns + round(otherwise_s * NS_PER_SECOND)
    if text.startswith("P"):
        return now_ns + round(parse_duration_s(text) * NS_PER_SECOND)
    try:
        return parse_utc(text)
    except (ValueError, OverflowError):
        raise invalid_argument("InvalidArgs", "Neither a duration nor an instant") from None
