"""UTC distances in nanoseconds, and ticks of 90 kHz: going there and back gives the same tick."""

from __future__ import annotations

from vms.base.clock import NS_PER_SECOND
from vms.media.fmp4 import TIMESCALE_90K


def ticks_90k(ns: int) -> int:
    """The tick nearest to a distance."""
    return (ns * TIMESCALE_90K + NS_PER_SECOND // 2) // NS_PER_SECOND


def nanoseconds(ticks: int) -> int:
    """The last whole nanosecond before a tick."""
    return ticks * NS_PER_SECOND // TIMESCALE_90K
