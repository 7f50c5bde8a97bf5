"""A judicial hold: the only thing that keeps images beyond their retention (LAW-10).

The centre decides, logs and tells; the node keeps holds on its own disk and honours them alone. A hold without a
requisition or without an end does not exist as a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from vms.base.clock import NS_PER_SECOND

MAX_HOLD_NS = 366 * 86_400 * NS_PER_SECOND
"""A hold that must last longer is placed again, with the reference of the decision that prolongs it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The images of one camera between two instants, kept until `expires_at_ns`. UTC nanoseconds, ends excluded.

    `reference` is the requisition, `authority` who signed it, `legal_basis` the article that it rests on. Raises
    ValueError where one of them is missing, or an instant is out of order.
    """

    hold_id: str
    camera_id: str
    start_ns: int
    end_ns: int
    placed_at_ns: int
    expires_at_ns: int
    reference: str
    authority: str
    legal_basis: str

    def __post_init__(self) -> None:
        if not (self.reference.strip() and self.authority.strip() and self.legal_basis.strip()):
            raise ValueError("a hold names its requisition, the authority that signed it and the legal basis")
        if not 0 < self.start_ns < self.end_ns:
            raise ValueError("a hold begins before it ends")
        if not self.placed_at_ns < self.expires_at_ns <= self.placed_at_ns + MAX_HOLD_NS:
            raise ValueError("a hold ends after it is placed, and within a year")

    def in_force(self, utc_ns: int) -> bool:
        """Whether the images are held at this instant."""
        return utc_ns < self.expires_at_ns


@dataclass(frozen=True, slots=True)
class HeldRange:
    """What a node holds for one hold: how many bytes, and the images' first and last instant to a group of pictures.

    `held_start_ns` and `held_end_ns` are 0 where nothing of the range was recorded.
    """

    hold: Hold
    size_bytes: int
    held_start_ns: int
    held_end_ns: int


@dataclass(frozen=True, slots=True)
class HoldRelease:
    """Two persons let go of a hold before its end. Raises ValueError when they are one, or nobody (LAW-10)."""

    hold_id: str
    asked_by: str
    confirmed_by: str

    def __post_init__(self) -> None:
        if not self.asked_by or not self.confirmed_by or self.asked_by == self.confirmed_by:
            raise ValueError("a hold is released by two different persons")
