"""How long a payload is kept, for each controller (LAW-28).

The controller is the `authority` that a payload names. At least six months and at most three years, counted in days;
each has the days of its own, and those without have `days`, as have the entries that name nobody.

Source: R. 253-5 CSI (three years at most); recommendation of the CNIL on logging of 2021 (six months at least).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FLOOR_DAYS = 183
CEILING_DAYS = 1096
DAY_NS = 86_400 * 1_000_000_000
EVERYBODY = "*"
"""Stands in a statement of expiry for all payloads, whatever authority they name."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The days that payloads are kept. ValueError when one of them is outside the bounds of the law."""

    days: int = 1095
    controllers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, days in {"": self.days, **self.controllers}.items():
            if not FLOOR_DAYS <= days <= CEILING_DAYS:
                raise ValueError(f"{days} days for {name!r}: not between {FLOOR_DAYS} and {CEILING_DAYS}")
        if EVERYBODY in self.controllers:
            raise ValueError(f"{EVERYBODY!r} is no authority")

    def of(self, authority: str) -> int:
        """The days of one authority; the empty text is for entries that name none."""
        return self.controllers.get(authority, self.days)

    @property
    def shortest(self) -> int:
        """The fewest days of any controller."""
        return min(self.days, *self.controllers.values(), CEILING_DAYS)

    @property
    def longest(self) -> int:
        """The most days of any controller: nothing is kept longer."""
        return max(self.days, *self.controllers.values(), FLOOR_DAYS)

    def bounds(self, now_ns: int, authorities: Iterable[str]) -> dict[str, int]:
        """By statement of expiry, the instant before which payloads fall: one for everybody, others where shorter."""
        found = {EVERYBODY: now_ns - self.longest * DAY_NS}
        for authority in authorities:
            if self.of(authority) < self.longest:
                found[authority] = now_ns - self.of(authority) * DAY_NS
        return found


def falls(bounds: Mapping[str, int], authority: str, at_ns: int) -> bool:
    """Whether statements of these bounds cover a payload."""
    return at_ns < max(bounds.get(EVERYBODY, 0), bounds.get(authority, 0))
