"""An access unit with its place in time: what travels from ingest to every reader."""

from __future__ import annotations

from dataclasses import dataclass

from vms.media.access_unit import AccessUnit


@dataclass(slots=True)
class DatedUnit:
    """One access unit, dated by the server's clock (LAW-39).

    `capture_utc_ns` is UTC; `uncertainty_ms` bounds its error. `run` names the unbroken stretch of media time that the
    unit belongs to: inside one run, differences of `unit.rtp_timestamp` (90 kHz) are durations; between two runs they
    mean nothing. `starts_run` marks the first unit of a run. Never changed after it is made: every reader holds the
    same object.
    """

    unit: AccessUnit
    capture_utc_ns: int
    run: int
    uncertainty_ms: int
    starts_run: bool
