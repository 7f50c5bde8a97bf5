"""What a node sent to viewers, as it measured it: the other half of what the access log says (LAW-25, LAW-26)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.contract.ticket import MediaAct


@dataclass(frozen=True, slots=True)
class ServedView:
    """The images of one viewing session, without a break in the life of the gateway.

    Instants are UTC nanoseconds of the node. `until_ns` is when the last lease ended, or, while it `running`, when this
    was measured. `receipt_index` is the entry that the ticket named.
    """

    session_id: str
    person_id: str
    camera_id: str
    act: MediaAct
    receipt_index: int
    opened_at_ns: int
    until_ns: int
    running: bool
    sent_bytes: int

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ServedView:
        """A view out of a line or a message; ValueError, KeyError or TypeError when it is none."""
        view = cls(**{**raw, "act": MediaAct(raw["act"])})
        numbers: tuple[object, ...] = (view.opened_at_ns, view.until_ns, view.sent_bytes)
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError("no view")
        return view

    @property
    def seconds(self) -> int:
        """How long it was, in whole seconds."""
        return max(0, self.until_ns - self.opened_at_ns) // 1_000_000_000
