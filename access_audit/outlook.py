"""What of a log falls when: the payloads that are there, by controller and by the month of their legal end (LAW-28)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.expiry import authority_of
from access_audit.format import parse_leaf
from access_audit.retention import DAY_NS, Retention
from access_audit.tiles import read_leaves, read_payloads
from vms.base.clock import NS_PER_SECOND, utc_text

_WIDTH = layout.TILE_WIDTH


@dataclass(slots=True)
class ControllerOutlook:
    """The payloads of one controller (empty: those that name none). `months` counts what falls in each, `YYYY-MM`."""

    authority: str
    days: int
    payloads: int = 0
    oldest_ns: int = 0
    due: int = 0
    months: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The outlook for a program; instants as RFC 3339."""
        return {
            "controller": self.authority,
            "retention_days": self.days,
            "payloads": self.payloads,
            "oldest": utc_text(self.oldest_ns),
            "next": utc_text(self.oldest_ns + self.days * DAY_NS),
            "due": self.due,
            "months": dict(sorted(self.months.items())),
        }


@dataclass(frozen=True, slots=True)
class Outlook:
    """All controllers, and how many payloads have been erased already."""

    erased: int
    controllers: tuple[ControllerOutlook, ...]


def outlook(folder: Path, size: int, retention: Retention, now_ns: int) -> Outlook:
    """Read the payloads of the first `size` entries. TileError, FormatError or OSError when one cannot be read."""
    found: dict[str, ControllerOutlook] = {}
    erased = 0
    for number in range(-(-size // _WIDTH)):
        leaves = read_leaves(folder, number, min(_WIDTH, size - number * _WIDTH))
        for content, stored in zip(leaves, read_payloads(folder, number), strict=False):
            if stored is None:
                erased += 1
                continue
            leaf = parse_leaf(content)
            if leaf.control:
                continue
            authority = authority_of(stored)
            each = found.get(authority)
            if each is None:
                each = ControllerOutlook(authority, retention.of(authority), oldest_ns=leaf.at_ns)
                found[authority] = each
            ends_ns = leaf.at_ns + each.days * DAY_NS
            month = f"{datetime.fromtimestamp(ends_ns // NS_PER_SECOND, UTC):%Y-%m}"
            each.payloads += 1
            each.due += ends_ns <= now_ns
            each.months[month] = each.months.get(month, 0) + 1
    return Outlook(erased, tuple(found[authority] for authority in sorted(found)))
