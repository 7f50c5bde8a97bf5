"""No flood of entries: what happens too often is told once an hour, with its number (LAW-25).

What a shard tells by the hour anyway, collection and erasure, passes. The rest is told at once as long as it is seldom:
the first `EACH_HOUR` of a kind and camera (or disk) within an hour. What comes more often, from a shard that dies and
is started again or an authorisation that comes and goes, is withheld and told when the hour is over, in one entry with
the words of the last, how many there were (`times`) and since when (`since`).

What was told and withheld stands in a file: a line for each, on the disk before anything is withheld. A killed process
goes on counting where it stopped; after a crash at the end of an hour its entries may come twice, in the same words.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from access_audit.events import AccessEvent, EventKind
from access_audit.format import FormatError, event_payload, parse_payload
from recorder.node.events import EventSink
from vms.base import durable
from vms.base.clock import Clock, utc_text

log = structlog.get_logger(__name__)

EACH_HOUR = 4
HOUR_NS = 3_600 * 1_000_000_000
_SELDOM = frozenset(
    {
        EventKind.RECORDING_STARTED,
        EventKind.RECORDING_STOPPED,
        EventKind.RECORDING_CLOCK_DOUBTED,
        EventKind.RECORDING_CAPACITY_CHANGED,
    }
)


@dataclass(slots=True)
class _Count:
    told: int = 0
    withheld: int = 0
    since_ns: int = 0
    last: AccessEvent | None = None


class HourlySink:
    """A sink before another. `append` is durable when it returns; any thread."""

    def __init__(self, sink: EventSink, file: Path, clock: Clock) -> None:
        self._sink = sink
        self._file = file
        self._clock = clock
        self._turn = threading.Lock()
        self._hour = 0
        self._counts: dict[str, _Count] = {}
        self._load()

    def append(self, event: AccessEvent) -> None:
        """Keep one event, or count it. OSError when a disk refuses; the event can be given again."""
        with self._turn:
            hour = self._clock.utc_ns() // HOUR_NS
            if hour != self._hour:
                self._end_hour(hour)
            if event.kind not in _SELDOM:
                self._sink.append(event)
                return
            name = "/".join((event.kind.value, event.camera_id, event.details.get("disk", "")))
            count = self._counts.setdefault(name, _Count())
            if count.told < EACH_HOUR:
                self._sink.append(event)
                # Not synced: what a power cut takes of it lets one more entry through, not less.
                self._write(name, None)
                count.told += 1
                return
            self._write(name, event)
            _withhold(count, event)

    def _end_hour(self, hour: int) -> None:
        """Tell what the hour before has withheld, then begin another file."""
        for count in self._counts.values():
            if count.last is not None:
                details = {**count.last.details, "times": str(count.withheld), "since": utc_text(count.since_ns)}
                self._sink.append(replace(count.last, details=details))
        if self._counts:
            durable.write_atomic(self._file, b"")
        self._counts = {}
        self._hour = hour

    def _write(self, name: str, withheld: AccessEvent | None) -> None:
        line: dict[str, object] = {"hour": self._hour, "name": name}
        if withheld is not None:
            line["payload"] = event_payload(withheld).decode()
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            # Each line begins anew, so that one that was cut by a kill spoils no other.
            durable.write_all(descriptor, [b"\n" + json.dumps(line, separators=(",", ":")).encode()])
            if withheld is not None:
                durable.sync_data(descriptor)
        finally:
            os.close(descriptor)

    def _load(self) -> None:
        try:
            lines = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as refused:
            log.error("what was told this hour cannot be read", file=str(self._file), error=repr(refused))
            return
        for line in filter(None, lines):
            try:
                content = json.loads(line)
                count = self._counts.setdefault(str(content["name"]), _Count())
                self._hour = int(content["hour"])
                if "payload" in content:
                    _withhold(count, parse_payload(content["payload"].encode()))
                else:
                    count.told += 1
            except (ValueError, KeyError, TypeError, AttributeError, FormatError):
                log.warning("a line of what was told this hour cannot be read", file=str(self._file))


def _withhold(count: _Count, event: AccessEvent) -> None:
    count.withheld += 1
    count.since_ns = count.since_ns or event.at_ns
    count.last = event
