"""Where a camera's footage goes: one disk, or the disk among several that takes it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from recorder.contract.timeline import GapCause
from vms.base.clock import Clock

if TYPE_CHECKING:
    from recorder.store.store import SegmentStore


class Shelf(Protocol):
    """What a recording asks of the disks. Nothing here waits. `SegmentStore` is a shelf of one, `Disks` of several."""

    clock: Clock

    def stores_for(self, camera_id: str) -> Sequence[SegmentStore]:
        """The stores that take this camera's next segment, the best first; none when no disk takes anything."""

    def refusal_for(self, camera_id: str) -> str:
        """Why no store takes it: a detail of the ledger."""

    def trouble(self, store: SegmentStore, cause: str) -> bool:
        """A store refused what was given to it; True when the camera may go on elsewhere at once."""

    def begun(self, camera_id: str, store: SegmentStore, start_ns: int) -> bool:
        """A segment begins in this store; True when what is missing before it is explained in another one."""

    def record_gap(self, camera_id: str, start_ns: int, cause: GapCause, detail: str) -> None:
        """From `start_ns` on nothing is recorded, for this cause; see `ledger`."""
